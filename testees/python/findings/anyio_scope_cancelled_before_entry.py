"""anyio's CancelScope, on asyncio, does not heed a cancel that came before it was entered; Trio's does. Known:
https://github.com/agronholm/anyio/issues/433. Clause X-32.

    asyncio: slept
    trio:    cancelled
"""

import anyio


async def main():
    scope = anyio.CancelScope()
    scope.cancel()
    with scope:
        await anyio.sleep(0.01)
        return "slept"
    return "cancelled"


for backend in ("asyncio", "trio"):
    print(f"{backend + ':':8}", anyio.run(main, backend=backend))
