"""A cleanup that is cancelled, and fails at once, does not have the failure that it cleans up after as its context.

Known: https://github.com/python/cpython/issues/108668 (exc_info gets lost when an exception is thrown into an await). Clauses
LIF-2 and LIF-3 swept and faulted (the failure of a start, or of the body, is swallowed).

    cancelled: False RuntimeError('stop b'), context RuntimeError('body')
    cancelled: True  RuntimeError('stop b'), context None
"""

import asyncio
import contextlib


async def fail_when_stopped():
    try:
        await asyncio.sleep(1)
    except asyncio.CancelledError:
        pass
    raise RuntimeError("stop b")


async def clean_up():
    await fail_when_stopped()


async def stacked():
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.sleep, 0)  # "stop a": one more, which ends well
        stack.push_async_callback(clean_up)
        raise RuntimeError("body")


async def main(cancelled):
    task = asyncio.create_task(stacked())
    await asyncio.sleep(0)
    if cancelled:
        task.cancel()
    try:
        await task
    except RuntimeError as failure:
        print(f"cancelled: {cancelled!s:5} {failure!r}, context {failure.__context__!r}")


for cancelled in (False, True):
    asyncio.run(main(cancelled))
