"""asyncio.wait_for, once it has been cancelled, hears neither what its work fails with nor a second request with patience.

A cancelled call waits for its work's cleanup. What that fails with is gone, and another cancellation ends the call while the cleanup
goes on. Documented: "The function will wait until the future is actually cancelled". Known to be mended in Python 3.12, which
builds wait_for on asyncio.timeout. Clauses TMO-5 (in programs), TMO-10 and X-18.

    cleanup fails: CancelledError()
    second request: ended, and the cleanup is at work
"""

import asyncio


async def work(log, fails):
    try:
        await asyncio.sleep(1)
    finally:
        log.append("at work")
        for _ in range(3):
            try:
                await asyncio.sleep(0.01)
            except asyncio.CancelledError:
                pass
        log.append("through")
        if fails:
            raise RuntimeError("cleanup")


async def end(requests, fails):
    log = []
    task = asyncio.create_task(asyncio.wait_for(work(log, fails), 10))
    for _ in range(requests):
        await asyncio.sleep(0.005)
        task.cancel()
    await asyncio.wait([task])
    try:
        await task
    except (RuntimeError, asyncio.CancelledError) as how:
        return how, log[-1]
    finally:
        await asyncio.sleep(0.1)


async def main():
    how, _ = await end(requests=1, fails=True)
    print("cleanup fails:", repr(how))
    _, last = await end(requests=2, fails=False)
    print("second request: ended, and the cleanup is", last)


asyncio.run(main())
