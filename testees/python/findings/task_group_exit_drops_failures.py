"""asyncio.TaskGroup re-raises a SystemExit bare, and drops the failures of the other tasks: nobody is told of them.

The first half is documented: "If any task fails with KeyboardInterrupt or SystemExit, the task group still cancels the remaining
tasks and waits for them, but then the initial KeyboardInterrupt or SystemExit is re-raised instead of ExceptionGroup". That the
failures reach nobody follows from it: so the feature `fatal_class` is not claimed (X-15 beside an exit request).

    raised SystemExit(3), its context None, the loop's handler told []
"""

import asyncio


async def fail():
    raise ValueError("a")


async def leave():
    raise SystemExit(3)


async def main():
    told = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            group.create_task(leave())
    except SystemExit as request:
        return f"raised {request!r}, its context {request.__context__!r}, the loop's handler told {told}"


loop = asyncio.new_event_loop()
task = loop.create_task(main())
while not task.done():
    try:
        loop.run_until_complete(task)
    except SystemExit:
        pass  # a task's exit leaves the loop, too
print(task.result())
loop.close()
