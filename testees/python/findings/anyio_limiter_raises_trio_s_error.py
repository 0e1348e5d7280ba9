"""anyio.CapacityLimiter.acquire_nowait, on Trio, raises trio.WouldBlock where anyio.WouldBlock is documented.

No issue was found. Clause SEM-1 of CapacityLimiter on Trio.

    asyncio: anyio.WouldBlock
    trio:    trio.WouldBlock
"""

import anyio


async def borrow_too_many():
    limiter = anyio.CapacityLimiter(1)
    limiter.acquire_on_behalf_of_nowait("first")
    try:
        limiter.acquire_on_behalf_of_nowait("second")
    except anyio.WouldBlock:
        return "anyio.WouldBlock"
    except Exception as other:
        return f"{type(other).__module__}.{type(other).__qualname__}"


for backend in ("asyncio", "trio"):
    print(f"{backend + ':':8}", anyio.run(borrow_too_many, backend=backend))
