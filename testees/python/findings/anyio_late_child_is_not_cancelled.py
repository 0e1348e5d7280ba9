"""A task that is started in a cancelled task group while the others clean up behind shields is not cancelled.

The documentation (cancellation.html): "the entire task group can be cancelled by cancelling this scope", and "if the task is
just starting, it will run until it first tries to run an operation requiring waiting, such as sleep()". On asyncio a
cancellation is repeated only as long as some task is not shielded; then it ends, and who comes later hears nothing of it until
one of the shields is left. On Trio it is cancelled. No issue is known to us. Clause TG-5.

    anyio on asyncio: ran to its end
    anyio on trio:    was cancelled
"""

import anyio


async def start_late():
    said = "was cancelled"

    async def late():
        nonlocal said
        await anyio.sleep(0.02)
        said = "ran to its end"

    async def clean_up():
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
                group.start_soon(late)
                await anyio.sleep(0.05)

    async with anyio.create_task_group() as group:
        group.start_soon(clean_up)
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return said


print("anyio on asyncio:", anyio.run(start_late, backend="asyncio"))
print("anyio on trio:   ", anyio.run(start_late, backend="trio"))
