"""A call of `TaskGroup.start` that is cancelled before its child has reported leaves the child at work.

The documentation (tasks.html, "Starting and initializing tasks"): start "waits until the task is ready". On Trio the child is
cancelled with the call; on asyncio it goes on until something else ends it: agronholm/anyio#517, mended after 3.6.2. Clause TG-16.

    anyio on asyncio: child ran on and reported, start ended, group goes on
    anyio on trio: child ended with Cancelled, start ended, group goes on
"""

import anyio


async def child(said, *, task_status):
    try:
        await anyio.sleep(0.05)
        said.append("child ran on and reported")
        task_status.started()
    except BaseException as failure:
        said.append(f"child ended with {type(failure).__name__}")
        raise


async def main():
    said = []

    async def starter():
        with anyio.move_on_after(0.01):
            await group.start(child, said)
        said.append("start ended")

    async with anyio.create_task_group() as others:
        async with anyio.create_task_group() as group:
            others.start_soon(starter)
            await anyio.sleep(0.1)
            said.append("group goes on")
    return ", ".join(said)


for backend in "asyncio", "trio":
    try:
        print(f"anyio on {backend}:", anyio.run(main, backend=backend))
    except BaseException as failure:
        print(f"anyio on {backend}:", repr(failure))
