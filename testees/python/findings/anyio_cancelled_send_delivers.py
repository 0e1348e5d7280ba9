"""A send of anyio's memory object streams ends as cancelled although its item has been received.

Known. asyncio, cancelled after the receive: https://github.com/agronholm/anyio/issues/536 (mended in anyio 4). Both backends,
cancelled just before it: https://github.com/agronholm/anyio/pull/729 (closed; receive() guards against the like, send() does
not). Trio's own channels have neither. Clauses BQ-8 push, X-2 push, X-31 push, BQ-4 a cancelled pusher, BQ-6 swept; on asyncio
the latter two need more schedules.

    asyncio, cancel after the receive:             received 1, the send was cancelled
    asyncio, cancel before the receive:            received 1, the send was cancelled
    trio, cancel after the receive:                received 1, the send ended well
    trio, cancel before the receive:               received 1, the send was cancelled
    trio's own channel, cancel after the receive:  received 1, the send ended well
    trio's own channel, cancel before the receive: received nothing, the send was cancelled
"""

import anyio
import trio


async def send_and_cancel(open_channel, cancel_first):
    sender, receiver = open_channel(0)
    scope = anyio.CancelScope()
    ends = []

    async def send():
        with scope:
            await sender.send(1)
            ends.append("ended well")

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        if cancel_first:
            scope.cancel()
        try:
            got = receiver.receive_nowait()
        except (anyio.WouldBlock, trio.WouldBlock):
            got = "nothing"
        scope.cancel()
    return f"received {got}, the send {''.join(ends) or 'was cancelled'}"


for name, backend, open_channel in (
    ("asyncio", "asyncio", anyio.create_memory_object_stream),
    ("trio", "trio", anyio.create_memory_object_stream),
    ("trio's own channel", "trio", trio.open_memory_channel),
):
    for cancel_first in (False, True):
        when = f"{name}, cancel {'before' if cancel_first else 'after'} the receive:"
        print(f"{when:46}", anyio.run(send_and_cancel, open_channel, cancel_first, backend=backend))
