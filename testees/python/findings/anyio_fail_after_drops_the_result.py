"""anyio.fail_after raises TimeoutError although the receive in it has succeeded: the item is gone.

Known: https://github.com/agronholm/anyio/issues/589 (mended in anyio 4). move_on_after does not have it. Clauses BQ-8, BQ-8
cancelled, BQ-8 push, X-3 deadline, X-31 pop of memory_object_stream on both backends.

    asyncio: move_on_after got 1, fail_after timed out with 0 left
    trio:    move_on_after got 1, fail_after timed out with 0 left
"""

import anyio


async def send_at_the_deadline(sender, scope):
    await anyio.wait_all_tasks_blocked()
    sender.send_nowait(1)
    scope.cancel()  # as a deadline does that passes before the receiver goes on


async def receive(limit):
    sender, receiver = anyio.create_memory_object_stream(1)
    async with anyio.create_task_group() as group:
        try:
            with limit(1) as scope:
                group.start_soon(send_at_the_deadline, sender, scope)
                return f"{limit.__name__} got {await receiver.receive()}"
        except TimeoutError:
            return f"{limit.__name__} timed out with {receiver.statistics().current_buffer_used} left"


for backend in ("asyncio", "trio"):
    said = [anyio.run(receive, limit, backend=backend) for limit in (anyio.move_on_after, anyio.fail_after)]
    print(f"{backend + ':':8}", ", ".join(said))
