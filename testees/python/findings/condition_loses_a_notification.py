"""asyncio.Condition loses a notification if the task that was notified is cancelled, or times out, before it has the lock again:

Two wait; one is notified, and the lock is held for a while. It ends as cancelled, or timed out, and the other waits on. Known, and
mended in Python 3.13 (3.12.1 has it, 3.13.0 has not): https://github.com/python/cpython/issues/112202. Clauses CND-4, X-3, X-4 and X-31.

    cancelled, and the other waits on
    timed out, and the other waits on
"""

import asyncio


async def wait(condition, timeout=None):
    try:
        async with condition, asyncio.timeout(timeout):
            await condition.wait()
    except TimeoutError:
        return "timed out"
    return "notified"


async def notified_too_late(cancels):
    condition = asyncio.Condition()
    first = asyncio.create_task(wait(condition, None if cancels else 0.05))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(wait(condition))
    await asyncio.sleep(0.01)
    async with condition:
        condition.notify(1)
        if cancels:
            first.cancel()
        await asyncio.sleep(0.1)
    await asyncio.wait([first, second], timeout=0.1)
    how = "cancelled" if first.cancelled() else first.result()
    print(f"{how}, and the other", "is notified" if second.done() else "waits on")
    second.cancel()


async def main():
    await notified_too_late(cancels=True)
    await notified_too_late(cancels=False)


asyncio.run(main())
