"""Closing the last send stream of anyio leaves a send that waits on it waiting; Trio's ends with ClosedResourceError.

The documentation (streams.html#memory-object-streams, and that of close()) does not say what becomes of such a send: "each end of
the stream is only considered closed once all of its clones have been closed". It still hands over its item if somebody
receives, and waits for ever if nobody does. No issue is known to us. Clause BQ-10.

    anyio on asyncio: is still waiting
    anyio on trio:    is still waiting
    trio:             ClosedResourceError
"""

import anyio
import trio


async def close_while_sending(open_channel):
    sender, receiver = open_channel(0)
    said = "is still waiting"

    async def send():
        nonlocal said
        try:
            await sender.send(1)
        except trio.ClosedResourceError as failure:
            said = type(failure).__name__

    async with anyio.create_task_group() as group:
        group.start_soon(send)
        await anyio.wait_all_tasks_blocked()
        sender.close()
        await anyio.wait_all_tasks_blocked()
        group.cancel_scope.cancel()
    return said


print("anyio on asyncio:", anyio.run(close_while_sending, anyio.create_memory_object_stream, backend="asyncio"))
print("anyio on trio:   ", anyio.run(close_while_sending, anyio.create_memory_object_stream, backend="trio"))
print("trio:            ", anyio.run(close_while_sending, trio.open_memory_channel, backend="trio"))
