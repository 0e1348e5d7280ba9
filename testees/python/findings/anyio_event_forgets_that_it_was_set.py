"""anyio.Event.wait, on asyncio, ends as cancelled although set() has released it:

Known: https://github.com/agronholm/anyio/issues/536 (mended in anyio 4). On Trio it does not. The event stays set, so nothing is
lost but the answer. Clause EVT-7 of Event on asyncio.

    asyncio: timed out, and the event is set
    trio:    released
"""

import anyio


async def set_at_the_deadline(event, scope):
    await anyio.wait_all_tasks_blocked()
    event.set()
    scope.cancel()  # as a deadline does that passes before the waiter goes on


async def wait():
    event = anyio.Event()
    async with anyio.create_task_group() as group:
        with anyio.move_on_after(1) as scope:
            group.start_soon(set_at_the_deadline, event, scope)
            await event.wait()
            return "released"
    return f"timed out, and the event is {'set' if event.is_set() else 'clear'}"


for backend in ("asyncio", "trio"):
    print(f"{backend + ':':8}", anyio.run(wait, backend=backend))
