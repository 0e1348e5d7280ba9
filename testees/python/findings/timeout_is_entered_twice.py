"""asyncio.timeout's context manager can be entered a second time, in Python 3.11.2: nothing says no.

Documented is an asynchronous context manager for one block; Python 3.12 raises RuntimeError. Clause X-32 twice.

    entered twice
    left with AssertionError()
"""

import asyncio


async def main():
    scope = asyncio.timeout(10)
    try:
        async with scope:
            async with scope:
                print("entered twice")
    except (AssertionError, RuntimeError) as failure:
        print("refused:" if isinstance(failure, RuntimeError) else "left with", repr(failure))


asyncio.run(main())
