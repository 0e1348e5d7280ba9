"""trio: a nursery that is cancelled while somebody outside of it waits in its `start` does not end before the child of that
start does: until the child reports, cancelling the nursery does not reach it. (trio 0.22.0; python-trio/trio#1431)

    the cancelled nursery ended after 3600 s
"""

import trio
import trio.testing


async def child(task_status):
    await trio.sleep(3600)
    task_status.started()


async def main():
    async with trio.open_nursery() as outer:
        async with trio.open_nursery() as inner:
            outer.start_soon(inner.start, child)
            await trio.testing.wait_all_tasks_blocked()
            inner.cancel_scope.cancel()
            before = trio.current_time()
        print(f"the cancelled nursery ended after {trio.current_time() - before:.0f} s")


trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
