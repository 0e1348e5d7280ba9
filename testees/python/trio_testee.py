#!/usr/bin/env python3
"""The testee `trio`: its memory channels and nurseries, and contextlib's exit stack on it."""

import math

import trio
from assay_testee import TimedOut, subject
from assay_testee.trio_trial import TrioHost
from shared_subjects import (
    Channel, Conditional, DroppingChannel, Exclusive, ExitStack, Flag, OutcomesOfNursery, Permits, Scopes, ShieldedCleanupStack, StartingGroup, Tokens,
)

DOCS = "trio.readthedocs.io/en/v0.22.0/reference-core.html"


@subject(
    "memory_channel",
    contract="bounded_queue",
    features=["try", "timed", "close", "rendezvous"],
    cites=DOCS + "#trio.open_memory_channel: a buffer of max_buffer_size, 0 for none; send_nowait, receive_nowait; close of "
    "the last sender ends the channel once it is drained; #trio.fail_at: a cancelled operation did nothing",
)
class MemoryChannel(Channel):
    library = trio
    end = trio.EndOfChannel
    open = staticmethod(trio.open_memory_channel)

    async def push_for(self, item, patience):
        await self._within(self.push, patience, item)

    async def pop_for(self, patience):
        return await self._within(self.pop, patience)

    @staticmethod
    async def _within(operation, patience, *args):
        try:
            # fail_at, since fail_after refuses a time that has passed.
            with trio.fail_at(math.inf if patience is None else trio.current_time() + patience / 1e9):
                return await operation(*args)
        except trio.TooSlowError:
            raise TimedOut() from None


@subject(
    "memory_channel_nowait",
    contract="dropping_channel",
    features=["oldest", "newest", "reject", "exact_capacity", "direct", "competing", "try", "timed", "close"],
    cites=DOCS + "#trio.open_memory_channel: a buffer of max_buffer_size, 0: 'values are passed directly from send to receive'; "
    "#trio.MemorySendChannel.send_nowait: 'if the channel's buffer is full, raises WouldBlock instead of blocking'; "
    "#trio.MemoryReceiveChannel.receive_nowait; 'multiple tasks may receive from the same channel'; close of the last sender ends the "
    "channel once it is drained; #trio.fail_at: a cancelled operation did nothing",
)
class MemoryChannelNoWait(DroppingChannel):
    library = trio
    end = trio.EndOfChannel
    open = staticmethod(trio.open_memory_channel)

    async def receive_for(self, patience):
        return await MemoryChannel._within(self.receive, patience)


@subject(
    "Event",
    contract="event",
    features=["timed", "latch", "thread_set", "statistics"],
    cites=DOCS + "#trio.Event: 'once set() has been called once, it remains set'; statistics().tasks_waiting; #trio.fail_at: a "
    "cancelled operation did nothing; reference-lowlevel.html#trio.lowlevel.TrioToken.run_sync_soon: from any thread or signal "
    "handler",
)
class Event(Flag):
    library = trio

    def __init__(self, env, config):
        super().__init__(env, config)
        self.token = trio.lowlevel.current_trio_token()

    async def wait_for(self, patience):
        await MemoryChannel._within(self.wait, patience)

    def set_from_outside(self):
        self.token.run_sync_soon(self.event.set)


FAIR = (
    "#synchronizing-and-communicating-between-tasks: 'these classes are all guaranteed to be \"fair\"': 'it always goes to the task "
    "which has been waiting longest'; #trio.fail_at: a cancelled operation did nothing"
)


@subject(
    "Semaphore",
    contract="semaphore",
    features=["bounded", "fair", "try", "timed", "guarded", "zero_limit", "value", "statistics"],
    cites=DOCS + "#trio.Semaphore: initial_value: 'a non-negative integer'; max_value: 'a \"bounded\" semaphore that raises an error'; "
    "acquire_nowait; value; statistics().tasks_waiting; 'can be used as an async context manager'; " + FAIR,
)
class Semaphore(Permits):
    library = trio

    @staticmethod
    def make(limit):
        return trio.Semaphore(limit, max_value=limit)

    async def acquire_for(self, count, patience):
        await MemoryChannel._within(self.acquire, patience, count)


@subject(
    "CapacityLimiter",
    contract="semaphore",
    features=["bounded", "fair", "try", "timed", "guarded", "resizable", "borrowers", "value", "statistics"],
    cites=DOCS + "#trio.CapacityLimiter: 'borrow a token out of the sack'; acquire_on_behalf_of, RuntimeError if the borrower already "
    "has a token; release_on_behalf_of, RuntimeError if it has none; total_tokens: 'you can change it by assigning'; available_tokens; "
    "statistics().tasks_waiting; " + FAIR,
)
class CapacityLimiter(Tokens):
    library = trio

    async def acquire_for(self, count, patience):
        await MemoryChannel._within(self.acquire, patience, count)


@subject(
    "Lock",
    contract="mutex",
    features=["fair", "timed", "status", "statistics"],
    cites=DOCS + "#trio.Lock: 'a classic mutex'; locked; statistics().tasks_waiting; 'can be used as an async context manager'; " + FAIR,
)
class Lock(Exclusive):
    library = trio

    async def acquire_within(self, patience):
        await MemoryChannel._within(self.lock_of_ours.acquire, patience)


@subject(
    "Condition",
    contract="condition",
    features=["fair", "exact_wakeups", "timed", "checked_lock", "notify_needs_lock", "status", "statistics"],
    cites=DOCS + "#trio.Condition: 'a classic condition variable'; wait: 'when cancelled it will block to re-acquire the lock before "
    "raising Cancelled'; 'RuntimeError: if the calling task does not hold the lock'; notify: 'the number of tasks to wake', RuntimeError "
    "if the calling task does not hold the lock; locked; statistics().tasks_waiting; " + FAIR,
)
class Condition(Conditional):
    library = trio

    async def within(self, patience, operation):
        await MemoryChannel._within(operation, patience)


@subject(
    "nursery",
    contract="task_group",
    features=["cleanup", "dynamic_spawn", "nested_spawn", "body_failure", "always_aggregate", "split", "started", "own_cancel",
              "runs_to_first_suspension"],
    cites=DOCS + "#nurseries-and-spawning: start_soon as long as the nursery is open, also from children; an exception in a "
    "child or the body cancels everything else; strict_exception_groups=True: always an exception group; Nursery.start, "
    "TaskStatus.started; Nursery.cancel_scope; #cancellation-and-timeouts: Cancelled is raised at checkpoints; except*. Not "
    "cancelled_outcome: history.html, 0.23.0 (#1457): the wait for the children 'cannot be cancelled', and injecting a "
    "Cancelled when no child was cancelled 'is not really useful'",
)
class Nursery(StartingGroup):
    def open(self):
        return trio.open_nursery(strict_exception_groups=True)


@subject(
    "AsyncExitStack",
    contract="lifespan",
    features=["shielded_stop"],
    cites="docs.python.org/3.11/library/contextlib.html#contextlib.AsyncExitStack; " + DOCS + "#trio.CancelScope.shield",
)
class StackOnTrio(ExitStack):
    async def stop(self, name, number):
        with trio.CancelScope(shield=True):
            await self.step(name, number)


@subject(
    "CancelScope",
    contract="timeout",
    features=[
        "joins_work", "cooperative", "value_wins", "fallback", "deadline", "nested", "outermost_wins", "scope_handle",
        "own_cancel", "reschedule", "shield", "unshield", "level_cancel",
    ],
    cites=DOCS + "#cancellation-and-timeouts: a scope's code is cancelled when the deadline has passed, and the with block waits for "
    "it; 'cancellations in Trio are level-triggered'; 'nested cancel scopes: the outermost is what counts'; CancelScope.deadline 'can be "
    "modified'; cancel(); shield; move_on_after, fail_after, current_time",
)
class Scopes(Scopes):
    library = trio
    too_late = trio.TooSlowError


@subject(
    "AsyncExitStack_scope",
    contract="cleanup",
    features=["shielded_cleanup", "suppress"],
    cites="docs.python.org/3.11/library/contextlib.html#contextlib.AsyncExitStack; "
    + DOCS
    + "#trio.CancelScope.shield: 'as long as a scope is shielded, its contents are not cancelled from outside'; the example is "
    "cleanup with a timeout",
)
class CleanupOnTrio(ShieldedCleanupStack):
    library = trio


@subject(
    "nursery_outcomes",
    contract="gather",
    features=["owns_operations", "as_completed"],
    cites=DOCS + "#nurseries-and-spawning: 'the block does not exit until all tasks have completed'; #child-tasks-and-cancellation: "
    "'in Trio, child tasks inherit the parent nursery's cancel scopes'; #trio.move_on_after; a child that catches its failure raises none",
)
class Outcomes(OutcomesOfNursery):
    library = trio

    def open(self):
        return trio.open_nursery()


if __name__ == "__main__":
    TrioHost("trio", libraries={"trio": trio.__version__}).serve()
