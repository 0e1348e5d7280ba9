"""`await asyncio.shield(close())` in a `finally` does not wait for the close when the task is cancelled once more.

The documentation says so: what is shielded goes on, and who awaits it does not. As a way to clean up it leaves the close to
nobody: the task ends while it is under way, and its failure reaches the loop's exception handler at best. Clauses CLN-1,
CLN-3, CLN-5 and CLN-13.

    the task has ended: CancelledError()
    closed, and failed
"""

import asyncio


async def close():
    await asyncio.sleep(0.02)
    print("closed, and failed")
    raise OSError("close")


async def use():
    try:
        await asyncio.sleep(1)
    finally:
        await asyncio.shield(close())


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    task = asyncio.create_task(use())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0.01)
    task.cancel()
    try:
        await task
    except asyncio.CancelledError as cancelled:
        print("the task has ended:", repr(cancelled))
    await asyncio.sleep(0.05)


asyncio.run(main())
