"""trio.Condition loses a notification if the task that was notified is cancelled before it has the lock:

Two wait; one is notified, and cancelled while the lock is held. It raises Cancelled, and the other waits on. Documented: "Raising Cancelled
means that the operation did not happen"; for a Condition nothing else is said. No issue was found. Clause CND-4.

    cancelled, and the other waits on
"""

import trio
import trio.testing


async def main():
    condition, notified, first = trio.Condition(), [], trio.CancelScope()

    async def wait(name, scope):
        with scope:
            async with condition:
                await condition.wait()
            notified.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait, "first", first)
        await trio.testing.wait_all_tasks_blocked()
        nursery.start_soon(wait, "second", trio.CancelScope())
        await trio.testing.wait_all_tasks_blocked()
        async with condition:
            condition.notify(1)
            first.cancel()
            await trio.testing.wait_all_tasks_blocked()
        await trio.testing.wait_all_tasks_blocked()
        how = "notified" if "first" in notified else "cancelled"
        print(f"{how}, and the other", "is notified" if "second" in notified else "waits on")
        nursery.cancel_scope.cancel()


trio.run(main)
