"""asyncio.Barrier gives two parties of a generation the same number when a third one left before:

Documented: wait returns "an integer in the range 0 to parties-1, different for each task". The number is how many are there, and
who leaves makes one less of them. Known: https://github.com/python/cpython/issues/155233 (open). Clause BAR-9.

    the numbers: [1, 1, 2]
"""

import asyncio


async def main():
    barrier = asyncio.Barrier(3)
    first, second = (asyncio.create_task(barrier.wait()) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.wait([first])
    rest = [second, *(asyncio.create_task(barrier.wait()) for _ in range(2))]
    print("the numbers:", sorted(await asyncio.gather(*rest)))


asyncio.run(main())
