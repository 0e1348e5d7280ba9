#!/usr/bin/env python3
"""The testees `anyio_asyncio` and `anyio_trio`: anyio's memory object streams and task groups on either backend.

Usage: anyio_testee.py asyncio|trio
"""

import asyncio
import importlib.metadata
import sys

import anyio
from assay_testee import Host, TimedOut, subject
from shared_subjects import (
    Channel, Conditional, DroppingChannel, Exclusive, Flag, OutcomesOfNursery, Permits, Scopes, ShieldedCleanupStack, StartingGroup, Tokens,
)

BACKEND = sys.argv[1]
DOCS = "anyio.readthedocs.io/en/3.x/"


STREAMS = (
    DOCS + "streams.html#memory-object-streams: a buffer of max_buffer_size, 0 for none; send_nowait, receive_nowait; closed when "
    "the last clone is; "
)


class MemoryObjectStream(Channel):
    library = anyio
    end = anyio.EndOfStream
    open = staticmethod(anyio.create_memory_object_stream)


def seconds(patience):
    return None if patience is None else max(patience, 0) / 1e9


@subject(
    "memory_object_stream",
    contract="bounded_queue",
    features=["try", "timed", "close", "rendezvous"],
    cites=STREAMS + "cancellation.html: fail_after raises TimeoutError if the time limit is exceeded",
)
class StreamWithFailAfter(MemoryObjectStream):
    async def push_for(self, item, patience):
        try:
            with anyio.fail_after(seconds(patience)):
                await self.push(item)
        except TimeoutError:
            raise TimedOut() from None

    async def pop_for(self, patience):
        try:
            with anyio.fail_after(seconds(patience)):
                return await self.pop()
        except TimeoutError:
            raise TimedOut() from None


@subject(
    "memory_object_stream_move_on",
    contract="bounded_queue",
    features=["try", "timed", "close", "rendezvous"],
    cites=STREAMS + "cancellation.html: move_on_after exits the block if the time limit is exceeded",
)
class StreamWithMoveOnAfter(MemoryObjectStream):
    async def push_for(self, item, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.push(item)
        raise TimedOut()

    async def pop_for(self, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.pop()
        raise TimedOut()


@subject(
    "memory_object_stream_nowait",
    contract="dropping_channel",
    features=["oldest", "newest", "reject", "exact_capacity", "direct", "competing", "try", "timed", "close"],
    cites=STREAMS + "api.html#anyio.streams.memory.MemoryObjectSendStream.send_nowait: 'WouldBlock: if the buffer is full and there are no "
    "tasks waiting to receive'; MemoryObjectReceiveStream.receive_nowait; cancellation.html: move_on_after exits the block if the time "
    "limit is exceeded",
)
class StreamNoWait(DroppingChannel):
    library = anyio
    end = anyio.EndOfStream
    open = staticmethod(anyio.create_memory_object_stream)

    async def receive_for(self, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.receive()
        raise TimedOut()


@subject(
    "Event",
    contract="event",
    features=["timed", "latch", "statistics"],
    cites=DOCS + "synchronization.html#events: 'cannot be reused'; statistics().tasks_waiting; cancellation.html: move_on_after exits "
    "the block if the time limit is exceeded",
)
class Event(Flag):
    library = anyio

    async def wait_for(self, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.wait()
        raise TimedOut()


@subject(
    "Semaphore",
    contract="semaphore",
    features=["bounded", "try", "timed", "guarded", "zero_limit", "value", "statistics"],
    cites=DOCS + "synchronization.html#semaphores: 'limit the number of tasks that can do something'; api.html#anyio.Semaphore: "
    "max_value, acquire_nowait, value, statistics().tasks_waiting; cancellation.html: move_on_after exits the block if the time limit "
    "is exceeded",
)
class Semaphore(Permits):
    library = anyio

    @staticmethod
    def make(limit):
        return anyio.Semaphore(limit, max_value=limit)

    async def acquire_for(self, count, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.acquire(count)
        raise TimedOut()


@subject(
    "CapacityLimiter",
    contract="semaphore",
    features=["bounded", "try", "timed", "guarded", "resizable", "borrowers", "value", "statistics"],
    cites=DOCS + "synchronization.html#capacity-limiters: 'like semaphores except that a single borrower (the current task by default) can "
    "only hold a single token at a time'; 'you can adjust the total number of tokens by setting a different value on the limiter's "
    "total_tokens property'; api.html#anyio.CapacityLimiter: acquire_nowait, acquire_on_behalf_of, available_tokens, statistics(); "
    "cancellation.html: move_on_after",
)
class CapacityLimiter(Tokens):
    library = anyio

    async def acquire_for(self, count, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.acquire(count)
        raise TimedOut()


@subject(
    "Lock",
    contract="mutex",
    features=["timed", "status", "statistics"],
    cites=DOCS + "synchronization.html#locks: 'to ensure sole access to a shared resource'; api.html#anyio.Lock: locked, "
    "statistics().tasks_waiting; cancellation.html: move_on_after",
)
class Lock(Exclusive):
    library = anyio

    async def acquire_within(self, patience):
        with anyio.move_on_after(seconds(patience)):
            return await self.lock_of_ours.acquire()
        raise TimedOut()


@subject(
    "Condition",
    contract="condition",
    features=["exact_wakeups", "timed", "status", "statistics"],
    cites=DOCS + "synchronization.html#conditions: 'first acquires a lock and then waits for a notification from the event'; 'the "
    "notifying task can also choose to wake up more than one listener at once, or even all of them'; api.html#anyio.Condition: notify: "
    "'notify exactly n listeners'; locked, statistics().tasks_waiting; cancellation.html: move_on_after",
)
class Condition(Conditional):
    library = anyio

    async def within(self, patience, operation):
        with anyio.move_on_after(seconds(patience)):
            return await operation()
        raise TimedOut()


@subject(
    "task_group",
    contract="task_group",
    features=["cleanup", "dynamic_spawn", "nested_spawn", "body_failure", "started", "own_cancel"],
    cites=DOCS + "tasks.html: start_soon while the group is active, also from child tasks; if a child task, or the code in the "
    "context, raises an exception, all other child tasks are cancelled; one exception is raised as it is, several as a group; "
    "TaskGroup.start, TaskStatus.started; cancellation.html: TaskGroup.cancel_scope",
)
class TaskGroup(StartingGroup):
    def __init__(self, env, config):
        super().__init__(env, config)
        self.tasks = {}

    def open(self):
        return anyio.create_task_group()

    async def starting(self, child, *, task_status):
        if BACKEND != "trio":
            self.tasks[child["id"]] = asyncio.current_task()
        await super().starting(child, task_status=task_status)

    def ready(self, id):
        if BACKEND == "trio":
            return super().ready(id)
        # `started` is called by the child: on asyncio, anyio looks for the task that runs.
        loop = asyncio.get_running_loop()
        asyncio.tasks._enter_task(loop, self.tasks[id])
        try:
            return super().ready(id)
        finally:
            asyncio.tasks._leave_task(loop, self.tasks[id])


@subject(
    "CancelScope",
    contract="timeout",
    features=[
        "joins_work", "cooperative", "value_wins", "fallback", "deadline", "nested", "scope_handle", "own_cancel", "reschedule",
        "shield", "unshield", "level_cancel",
    ],
    cites=DOCS + "cancellation.html: move_on_after, fail_after, 'it's possible to shield a task'; cancel scopes, 'level cancellation'; "
    "api.html#anyio.CancelScope: deadline, shield, cancel(), cancel_called",
)
class Scopes(Scopes):
    library = anyio
    too_late = TimeoutError


@subject(
    "AsyncExitStack_scope",
    contract="cleanup",
    features=["shielded_cleanup", "suppress"],
    cites="docs.python.org/3.11/library/contextlib.html#contextlib.AsyncExitStack; "
    + DOCS
    + "cancellation.html#shielding: 'the most important such use case is performing shutdown procedures on asynchronous resources'; "
    "'the shielded block will be exempt from cancellation except when the shielded block itself is being cancelled'",
)
class Cleanup(ShieldedCleanupStack):
    library = anyio


@subject(
    "task_group_outcomes",
    contract="gather",
    features=["owns_operations", "as_completed"],
    cites=DOCS + "tasks.html: 'the context manager just waits until all child tasks have exited before proceeding'; "
    "cancellation.html: 'cancelling a cancel scope cancels all cancel scopes nested within it'; move_on_after; a child that catches "
    "its failure raises none",
)
class Outcomes(OutcomesOfNursery):
    library = anyio

    def open(self):
        return anyio.create_task_group()


if __name__ == "__main__":
    libraries = {"anyio": importlib.metadata.version("anyio")}
    if BACKEND == "trio":
        import trio
        from assay_testee.trio_trial import TrioHost

        TrioHost("anyio_trio", libraries=libraries | {"trio": trio.__version__}).serve()
    else:
        from assay_testee.anyio_trial import AnyioTrial

        Host("anyio_asyncio", AnyioTrial, libraries=libraries).serve()
