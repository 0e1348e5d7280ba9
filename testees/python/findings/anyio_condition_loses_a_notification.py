"""anyio.Condition, on either backend, loses a notification if the task that it is for is cancelled in the same step:

Two wait; the first is cancelled, and one is notified. It raises the cancellation with the notification taken, and the other waits
on. Known: https://github.com/agronholm/anyio/pull/1075. Clauses CND-4, X-3, X-4 and X-31.

    asyncio: cancelled, and the other waits on
    trio: cancelled, and the other waits on
"""

import anyio


async def main():
    condition, notified, first = anyio.Condition(), [], anyio.CancelScope()

    async def wait(name, scope):
        with scope:
            async with condition:
                await condition.wait()
            notified.append(name)

    async with anyio.create_task_group() as group:
        group.start_soon(wait, "first", first)
        await anyio.wait_all_tasks_blocked()
        group.start_soon(wait, "second", anyio.CancelScope())
        await anyio.wait_all_tasks_blocked()
        async with condition:
            first.cancel()
            condition.notify(1)
            await anyio.wait_all_tasks_blocked()
        await anyio.wait_all_tasks_blocked()
        how = "notified" if "first" in notified else "cancelled"
        group.cancel_scope.cancel()
    return f"{how}, and the other {'is notified' if 'second' in notified else 'waits on'}"


for backend in ("asyncio", "trio"):
    print(f"{backend}:", anyio.run(main, backend=backend))
