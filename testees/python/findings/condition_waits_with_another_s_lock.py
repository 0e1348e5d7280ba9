"""asyncio.Condition.wait, called by a task that does not hold the lock while another does, gives that one's lock away:

Documented: "If the calling task has not acquired the lock when this method is called, a RuntimeError is raised." It looks whether
the lock is held, and not by whom; a lock of asyncio does not know. Clause CND-7.

    a second task has the lock while the first holds it
"""

import asyncio


async def main():
    condition = asyncio.Condition()
    async with condition:
        stranger = asyncio.create_task(condition.wait())
        await asyncio.sleep(0.01)
        second = asyncio.create_task(condition.acquire())
        await asyncio.wait([second], timeout=0.1)
        print("a second task", "has the lock while the first holds it" if second.done() else "waits for the lock")
        if not condition.locked():
            await condition.acquire()
    stranger.cancel()


asyncio.run(main())
