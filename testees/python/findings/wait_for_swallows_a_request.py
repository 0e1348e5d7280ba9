"""asyncio.wait_for swallows a cancellation that meets the value: the task goes on as if nobody had asked it to stop.

Known: https://github.com/python/cpython/issues/86296 (mended in Python 3.12). asyncio.timeout does not have it. Clause X-36.

    get:      the item is left, cancelled
    wait_for: has the item, went on
    timeout:  the item is left, cancelled
"""

import asyncio


async def plainly(queue):
    return await queue.get()


async def with_wait_for(queue):
    return await asyncio.wait_for(queue.get(), 10)


async def with_timeout(queue):
    async with asyncio.timeout(10):
        return await queue.get()


async def call(take, queue, log):
    try:
        await take(queue)
        log.append("has the item")
        await asyncio.sleep(1)
        log.append("went on")
    except asyncio.CancelledError:
        log.append("cancelled")


async def cancel_at_the_value(take):
    queue, log = asyncio.Queue(), []
    task = asyncio.create_task(call(take, queue, log))
    await asyncio.sleep(0.01)
    queue.put_nowait("item")
    task.cancel()
    await asyncio.wait([task])
    return ["the item is left"] * queue.qsize() + log


for name, take in {"get": plainly, "wait_for": with_wait_for, "timeout": with_timeout}.items():
    print(f"{name + ':':9}", ", ".join(asyncio.run(cancel_at_the_value(take))))
