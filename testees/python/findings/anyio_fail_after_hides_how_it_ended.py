"""anyio.fail_after raises TimeoutError whenever its deadline has passed, whatever its block ended with: a failure of the cleanup, or a
cancellation from outside.

The same cause as that of anyio_fail_after_drops_the_result.py: it looks at cancel_called. Known:
https://github.com/agronholm/anyio/issues/589 (mended in anyio 4). Clauses TMO-2, TMO-3, TMO-5 and X-18 on both backends.

    asyncio: a failing cleanup: TimeoutError, cancelled from outside: TimeoutError
    trio:    a failing cleanup: TimeoutError, cancelled from outside: TimeoutError
"""

import anyio


async def clean_up(fails):
    try:
        await anyio.sleep(1)
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(0.02)
        if fails:
            raise RuntimeError("cleanup")


async def ends_with(fails):
    how = "nothing"
    with anyio.CancelScope() as outside:
        async with anyio.create_task_group() as group:

            async def ask():
                await anyio.sleep(0.015)
                outside.cancel()

            if not fails:
                group.start_soon(ask)
            try:
                with anyio.fail_after(0.01):
                    await clean_up(fails)
            except BaseException as failure:
                how = type(failure).__name__
                if not isinstance(failure, Exception):
                    raise
    return how


async def main():
    return f"a failing cleanup: {await ends_with(True)}, cancelled from outside: {await ends_with(False)}"


for backend in ("asyncio", "trio"):
    print(f"{backend + ':':8}", anyio.run(main, backend=backend))
