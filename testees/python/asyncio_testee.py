#!/usr/bin/env python3
"""The testee `asyncio`: what Python's standard library has, held to what its documentation promises."""

import asyncio
import collections
import contextlib
import platform

from assay_testee import Broken, Host, Rejected, TimedOut, subject
from assay_testee.asyncio_trial import AsyncioTrial
from shared_subjects import CleanupStack, Conditional, Exclusive, ExitStack, Flag, Group, Operations, Permits

DOCS = f"docs.python.org/{'.'.join(platform.python_version_tuple()[:2])}/library/"
INFINITE = {"rendezvous": DOCS + "asyncio-queue.html: 'if maxsize is less than or equal to zero, the queue size is infinite'"}


class QueueSubject:
    """asyncio.Queue, without the timed forms."""

    def __init__(self, env, config):
        if config["capacity"] < 1:
            raise Rejected("a maxsize below 1 asks for an infinite queue")
        self.queue = asyncio.Queue(config["capacity"])

    async def push(self, item):
        await self.queue.put(item)

    async def pop(self):
        return await self.queue.get()

    def size(self):
        return self.queue.qsize()

    def try_push(self, item):
        try:
            self.queue.put_nowait(item)
        except asyncio.QueueFull:
            return False
        return True

    def try_pop(self):
        try:
            return self.queue.get_nowait()
        except asyncio.QueueEmpty:
            return None

    def done(self):
        try:
            self.queue.task_done()
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def join(self):
        await self.queue.join()


def seconds(patience):
    return None if patience is None else patience / 1e9


@subject(
    "Queue",
    contract="bounded_queue",
    features=["try", "timed", "join"],
    declines=INFINITE,
    cites=DOCS + "asyncio-queue.html: put waits until a free slot is available, get until an item is available, "
    "put_nowait, get_nowait, task_done, join; 'methods of asyncio queues don't have a timeout parameter; use "
    "asyncio.wait_for() to do queue operations with a timeout'",
)
class QueueWithWaitFor(QueueSubject):
    async def push_for(self, item, patience):
        await self._within(self.queue.put(item), patience)

    async def pop_for(self, patience):
        return await self._within(self.queue.get(), patience)

    @staticmethod
    async def _within(operation, patience):
        try:
            return await asyncio.wait_for(operation, seconds(patience))
        except asyncio.TimeoutError:
            raise TimedOut() from None


@subject(
    "Queue_timeout",
    contract="bounded_queue",
    features=["try", "timed", "join"],
    declines=INFINITE,
    cites=DOCS + "asyncio-queue.html; asyncio-task.html#asyncio.timeout: the context manager that limits the time spent "
    "waiting on something",
)
class QueueWithTimeout(QueueSubject):
    async def push_for(self, item, patience):
        try:
            async with asyncio.timeout(seconds(patience)):
                await self.queue.put(item)
        except TimeoutError:
            raise TimedOut() from None

    async def pop_for(self, patience):
        try:
            async with asyncio.timeout(seconds(patience)):
                return await self.queue.get()
        except TimeoutError:
            raise TimedOut() from None


@subject(
    "Queue_nowait",
    contract="dropping_channel",
    features=["oldest", "newest", "reject", "exact_capacity", "competing", "try", "timed"],
    cites=DOCS + "asyncio-queue.html: put_nowait: 'if no free slot is immediately available, raise QueueFull'; get_nowait: 'return an item "
    "if one is immediately available, else raise QueueEmpty'; get; asyncio-task.html#asyncio.timeout; who drops the oldest calls "
    "get_nowait, then put_nowait",
)
class QueueNoWait(QueueSubject):
    def __init__(self, env, config):
        super().__init__(env, config)
        self.env = env
        self.policy = config["policy"]

    def send(self, item, key):
        if self.try_push(item):
            return "accepted"
        if self.policy == "reject":
            return "rejected"
        if self.policy != "oldest":
            return "dropped"
        self.env.tell("dropped", item=self.queue.get_nowait())
        self.queue.put_nowait(item)
        return "accepted"

    async def receive(self):
        return await self.queue.get()

    async def receive_for(self, patience):
        try:
            async with asyncio.timeout(seconds(patience)):
                return await self.queue.get()
        except TimeoutError:
            raise TimedOut() from None

    def try_receive(self):
        return self.try_pop()


@subject(
    "deque_maxlen",
    contract="dropping_channel",
    features=["oldest", "exact_capacity", "try"],
    cites="docs.python.org/3.11/library/collections.html#collections.deque: 'once a bounded length deque is full, when new items are added, "
    "a corresponding number of items are discarded from the opposite end'; " + DOCS + "asyncio-sync.html#asyncio.Event tells the one "
    "who waits",
)
class DequeWithMaxlen:
    def __init__(self, env, config):
        self.env = env
        try:
            self.items = collections.deque(maxlen=config["capacity"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None
        self.sent = asyncio.Event()

    def send(self, item, key):
        discarded = self.items[0] if self.items and len(self.items) == self.items.maxlen else None
        self.items.append(item)
        if not self.items:
            return "dropped"
        self.sent.set()
        if discarded is not None:
            self.env.tell("dropped", item=discarded)
        return "accepted"

    async def receive(self):
        while not self.items:
            self.sent.clear()
            await self.sent.wait()
        return self.items.popleft()

    def try_receive(self):
        return self.items.popleft() if self.items else None

    def size(self):
        return len(self.items)


@subject(
    "Event",
    contract="event",
    features=["clear", "timed", "thread_set"],
    cites=DOCS + "asyncio-sync.html#asyncio.Event: wait until the event is set; set: 'all tasks waiting for event to be set will be "
    "immediately awakened'; clear: 'tasks awaiting on wait() will now block until the set() method is called again'; 'use the "
    "asyncio.wait_for() function to perform operations with timeouts'; asyncio-eventloop.html#asyncio.loop.call_soon_threadsafe",
)
class Event(Flag):
    library = asyncio

    async def wait_for(self, patience):
        try:
            await asyncio.wait_for(self.event.wait(), seconds(patience))
        except asyncio.TimeoutError:
            raise TimedOut() from None

    def clear(self):
        self.event.clear()

    def set_from_outside(self):
        asyncio.get_running_loop().call_soon_threadsafe(self.event.set)


SEMAPHORE = (
    DOCS + "asyncio-sync.html#asyncio.Semaphore: acquire waits 'until release() is called' if the counter is zero; 'if the given "
    "value is less than 0 a ValueError is raised'; 'the preferred way to use a Semaphore is an async with statement'; 'use the "
    "asyncio.wait_for() function to perform operations with timeouts'"
)


class WithWaitFor(Permits):
    async def acquire_for(self, count, patience):
        try:
            await asyncio.wait_for(self.semaphore.acquire(), seconds(patience))
        except asyncio.TimeoutError:
            raise TimedOut() from None


@subject("Semaphore", contract="semaphore", features=["timed", "guarded", "zero_limit"], cites=SEMAPHORE)
class Semaphore(WithWaitFor):
    make = asyncio.Semaphore


@subject(
    "BoundedSemaphore",
    contract="semaphore",
    features=["bounded", "timed", "guarded", "zero_limit"],
    cites=SEMAPHORE + "; #asyncio.BoundedSemaphore: 'raises a ValueError in release() if it increases the internal counter above "
    "the initial value'",
)
class BoundedSemaphore(WithWaitFor):
    make = asyncio.BoundedSemaphore


@subject(
    "Barrier",
    contract="barrier",
    features=["arrival_index", "cancel_leaves", "abort", "reset", "timed", "statistics"],
    cites=DOCS + "asyncio-sync.html#asyncio.Barrier: wait returns 'an integer in the range 0 to parties-1, different for each task'; 'when "
    "a waiting or blocked task in the barrier is cancelled, this task exits the barrier which stays in the same state'; reset: 'any tasks "
    "waiting on it will receive the BrokenBarrierError exception'; abort: 'any active or future calls to wait()'; n_waiting; "
    "asyncio-task.html#asyncio.timeout",
)
class Barrier:
    def __init__(self, env, config):
        try:
            self.barrier = asyncio.Barrier(config["parties"])
        except ValueError as failure:
            raise Rejected(str(failure)) from None

    async def wait(self):
        try:
            return await self.barrier.wait()
        except asyncio.BrokenBarrierError:
            raise Broken() from None

    async def wait_for(self, patience):
        try:
            async with asyncio.timeout(seconds(patience)):
                return await self.wait()
        except TimeoutError:
            raise TimedOut() from None

    async def abort(self):
        await self.barrier.abort()

    async def reset(self):
        await self.barrier.reset()

    def waiting(self):
        return self.barrier.n_waiting


@subject(
    "Lock",
    contract="mutex",
    features=["fair", "timed", "manual", "checked_unlock", "status"],
    cites=DOCS + "asyncio-sync.html#asyncio.Lock: 'a mutex lock for asyncio tasks'; acquire: 'acquiring a lock is fair: the coroutine "
    "that proceeds will be the first coroutine that started waiting on the lock'; release: 'if the lock is unlocked, a RuntimeError is "
    "raised'; locked; 'use the asyncio.wait_for() function to perform operations with timeouts'",
)
class Lock(Exclusive):
    library = asyncio

    async def acquire_within(self, patience):
        try:
            await asyncio.wait_for(self.lock_of_ours.acquire(), seconds(patience))
        except asyncio.TimeoutError:
            raise TimedOut() from None

    async def lock(self):
        await self.lock_of_ours.acquire()

    def unlock(self):
        try:
            self.lock_of_ours.release()
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None


@subject(
    "Condition",
    contract="condition",
    features=["exact_wakeups", "timed", "predicate_value", "manual", "checked_lock", "notify_needs_lock", "status"],
    cites=DOCS + "asyncio-sync.html#asyncio.Condition: wait: 'if the calling task has not acquired the lock when this method is called, a "
    "RuntimeError is raised'; 'once awakened, the Condition re-acquires its lock'; notify: 'wake up at most n tasks', 'if called with an "
    "unlocked lock a RuntimeError error is raised'; wait_for: 'the final value is the return value'; locked; "
    "asyncio-task.html#asyncio.timeout",
)
class Condition(Conditional):
    library = asyncio

    async def within(self, patience, operation):
        try:
            async with asyncio.timeout(seconds(patience)):
                await operation()
        except TimeoutError:
            raise TimedOut() from None

    async def until(self, holds):
        return await self.condition.wait_for(holds)

    async def finish(self, after):
        if after is None:
            return
        work = asyncio.ensure_future(self.env.call("step", step=after))
        request = None
        while not work.done():
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError as one:
                request = one
        if request:
            raise request

    async def lock(self):
        await self.condition.acquire()

    def unlock(self):
        self.condition.release()

    async def wait_held(self):
        await self.condition.wait()

    async def wait_held_for(self, patience):
        await self.within(patience, self.condition.wait)


@subject(
    "TaskGroup",
    contract="task_group",
    features=["cleanup", "dynamic_spawn", "nested_spawn", "body_failure", "own_cancellation", "always_aggregate", "handles",
              "split", "never_starts"],
    cites=DOCS + "asyncio-task.html#task-groups: tasks can be added while the group is running; the first failure cancels the "
    "remaining tasks, and the body; failures are combined in an ExceptionGroup, also a single one; a failure of the body is "
    "treated like a task's; CancelledError is no failure; create_task returns the Task; asyncio.wait([task]); Task.cancel: "
    "'arranges for a CancelledError exception to be thrown into the wrapped coroutine on the next cycle of the event loop'; "
    "library/exceptions.html#exception-groups: split, and except*",
)
class TaskGroup(Group):
    def __init__(self, env, config):
        super().__init__(env, config)
        self.tasks = {}

    def open(self):
        return asyncio.TaskGroup()

    def cancel_child(self, name):
        self.tasks[name].cancel()

    async def join_child(self, name):
        task = self.tasks[name]
        await asyncio.wait([task])
        if task.cancelled():
            return "cancelled"
        return "well" if task.exception() is None else "failed"

    def begin(self, name, child):
        work = self.child(child)
        try:
            self.tasks[name] = self.group.create_task(work, name=name)
        except RuntimeError:
            work.close()
            raise


@subject(
    "gather",
    contract="gather",
    features=["own_cancellation"],
    cites=DOCS + "asyncio-task.html#asyncio.gather: 'the order of result values corresponds to the order of awaitables'; "
    "return_exceptions=True; 'if gather() is cancelled, all submitted awaitables are also cancelled'; 'if any Task or Future from "
    "the aws sequence is cancelled, it is treated as if it raised CancelledError – the gather() call is not cancelled in this case'",
)
class Gather(Operations):
    async def all(self, operations):
        ended = await asyncio.gather(*[self.operation(one) for one in operations], return_exceptions=True)
        return [self.slot_of(one) for one in ended]

    def slot_of(self, ended):
        if isinstance(ended, asyncio.CancelledError):
            return self.cancelled
        return self.failed(ended) if isinstance(ended, BaseException) else self.value(ended)


class OwnTasks(Operations):
    """asyncio.wait and as_completed cancel nothing by themselves: who calls them does."""

    async def all(self, operations):
        tasks = [asyncio.create_task(self.ended(index, one)) for index, one in enumerate(operations)]
        try:
            return await self.collect(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise


@subject(
    "wait_all",
    contract="gather",
    features=["own_cancellation"],
    cites=DOCS + "asyncio-task.html#asyncio.wait: 'run Future and Task instances in the aws iterable concurrently and block until the "
    "condition specified by return_when', ALL_COMPLETED; #asyncio.Task: result, exception, cancelled; Task.cancel",
)
class WaitAll(OwnTasks):
    async def ended(self, index, one):
        return await self.operation(one)

    async def collect(self, tasks):
        if tasks:  # an empty set is a ValueError
            await asyncio.wait(tasks)
        return [self.slot_of(task) for task in tasks]

    def slot_of(self, task):
        if task.cancelled():
            return self.cancelled
        return self.failed(task.exception()) if task.exception() else self.value(task.result())


@subject(
    "as_completed",
    contract="gather",
    features=["as_completed"],
    cites=DOCS + "asyncio-task.html#asyncio.as_completed: 'each coroutine returned can be awaited to get the earliest next result from "
    "the iterable of the remaining awaitables'; 'raises TimeoutError if the timeout occurs before all Futures are done'",
)
class AsCompleted(OwnTasks):
    async def ended(self, index, one):
        return index, await self.slot(one)

    async def collect(self, tasks):
        slots = [None] * len(tasks)
        for following in asyncio.as_completed(tasks):
            index, slots[index] = await following
        return slots

    async def each(self, operations, patience):
        tasks = [asyncio.create_task(self.ended(index, one)) for index, one in enumerate(operations)]
        try:
            for following in asyncio.as_completed(tasks, timeout=seconds(patience)):
                index, slot = await following
                self.env.tell("ended", index=index, slot=slot)
        except asyncio.TimeoutError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            raise TimedOut() from None
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise


@subject(
    "AsyncExitStack",
    contract="lifespan",
    features=["attached_failures"],
    cites=DOCS + "contextlib.html#contextlib.AsyncExitStack: callbacks are called in the reverse order of registration; "
    "#contextlib.ExitStack: 'as if nested with statements had been used', so that a later failure has the earlier one as its "
    "context",
)
class StackOnAsyncio(ExitStack):
    """Stops are steps like others: a cancellation interrupts them."""


@subject(
    "timeout",
    contract="timeout",
    features=["joins_work", "cooperative", "value_wins", "fallback", "deadline", "nested", "scope_handle", "reschedule"],
    cites=DOCS + "asyncio-task.html#timeouts: timeout(delay) cancels the current task, and transforms the CancelledError into a "
    "TimeoutError; timeout_at(when); 'timeout context managers can be safely nested'; Timeout: reschedule, expired, 'an asynchronous context manager'",
)
class Timeout:
    def __init__(self, env, config):
        self.env = env
        self.deadline = None

    async def run_for(self, limit, work):
        scope = asyncio.timeout(seconds(limit))
        try:
            async with scope:
                await self.env.call("step", step=work)
        except TimeoutError:
            if not scope.expired():
                raise
            raise TimedOut() from None

    async def run_for_or(self, limit, work):
        try:
            await self.run_for(limit, work)
        except TimedOut as late:
            if late.__suppress_context__:
                return False
            raise
        return True

    def set_deadline(self, limit):
        self.deadline = None if limit is None else asyncio.get_running_loop().time() + limit / 1e9

    async def run_by_deadline(self, work):
        try:
            async with asyncio.timeout_at(self.deadline):
                await self.env.call("step", step=work)
        except TimeoutError:
            raise TimedOut() from None

    async def run_nested(self, outer, inner, work):
        inside = asyncio.timeout(seconds(inner))
        try:
            async with asyncio.timeout(seconds(outer)):
                try:
                    async with inside:
                        await self.env.call("step", step=work)
                except TimeoutError:
                    return False
        except TimeoutError:
            raise TimedOut() from None
        return True

    def open_scope(self, limit):
        self.scope = asyncio.timeout(seconds(limit))

    async def run_scope(self, work):
        scope = self.scope
        try:
            await scope.__aenter__()
        except RuntimeError as failure:
            raise Rejected(str(failure)) from None
        try:
            async with contextlib.AsyncExitStack() as stack:
                stack.push_async_exit(scope.__aexit__)
                await self.env.call("step", step=work)
        except TimeoutError:
            raise TimedOut() from None
        return True

    def reschedule(self, limit):
        try:
            self.scope.reschedule(None if limit is None else asyncio.get_running_loop().time() + limit / 1e9)
        except (AssertionError, RuntimeError):
            return False
        return True


@subject(
    "wait_for",
    contract="timeout",
    features=["joins_work", "cooperative", "value_wins"],
    cites=DOCS + "asyncio-task.html#asyncio.wait_for: 'if a timeout occurs, it cancels the task and raises TimeoutError'; 'the function "
    "will wait until the future is actually cancelled'; 'if the wait is cancelled, the future is also cancelled'",
)
class WaitFor:
    def __init__(self, env, config):
        self.env = env

    async def run_for(self, limit, work):
        try:
            await asyncio.wait_for(self.env.call("step", step=work), seconds(limit))
        except asyncio.TimeoutError:
            raise TimedOut() from None


@subject(
    "wait",
    contract="timeout",
    features=["race", "partial_wait"],
    cites=DOCS + "asyncio-task.html#asyncio.wait: returns two sets, done and pending; FIRST_COMPLETED; 'does not raise TimeoutError: tasks "
    "that are not done when the timeout occurs are simply returned in the second set'; 'does not cancel the futures when a timeout occurs'",
)
class Wait:
    def __init__(self, env, config):
        self.env = env
        self.operations = []

    async def run_for(self, limit, work):
        task = asyncio.create_task(self.env.call("step", step=work))
        try:
            done, _ = await asyncio.wait([task], timeout=seconds(limit))
        except asyncio.CancelledError:
            task.cancel()  # nobody else has it
            raise
        if not done:
            task.cancel()
            raise TimedOut()
        task.result()

    async def race(self, works):
        tasks = [asyncio.create_task(self.env.call("step", step=one["id"])) for one in works]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        first = next(index for index, task in enumerate(tasks) if task.done())
        tasks[first].result()
        return first

    def begin_operation(self, work):
        self.operations.append(asyncio.get_running_loop().create_task(self.env.call("step", step=work)))

    async def wait_some(self, limit):
        done, _ = await asyncio.wait(self.operations, timeout=seconds(limit), return_when=asyncio.FIRST_COMPLETED)
        ended = [index for index, task in enumerate(self.operations) if task in done]
        return {"done": ended, "pending": [index for index in range(len(self.operations)) if index not in ended]}

    async def end_operations(self):
        for task in self.operations:
            task.cancel()
        await asyncio.wait(self.operations)


STACK = (
    DOCS + "contextlib.html#contextlib.AsyncExitStack: enter_async_context 'enters a new asynchronous context manager'; aclose(); "
    "#contextlib.ExitStack: callbacks 'can suppress the exception', and 'outer' ones are then called without one"
)


@subject("AsyncExitStack_scope", contract="cleanup", features=["suppress"], cites=STACK)
class CleanupOnAsyncio(CleanupStack):
    """What is awaited in cleanup is interrupted by another cancellation."""


@subject(
    "AsyncExitStack_shield",
    contract="cleanup",
    features=["suppress"],
    cites=STACK + "; " + DOCS + "asyncio-task.html#asyncio.shield: 'if the coroutine containing it is cancelled, the Task running "
    "in something() is not cancelled'",
)
class ShieldedCleanupOnAsyncio(CleanupStack):
    """`await asyncio.shield(close())` in a `finally`, as people write it."""

    async def clean(self, flush_and_close):
        await asyncio.shield(flush_and_close())


if __name__ == "__main__":
    Host("asyncio", AsyncioTrial, libraries={"asyncio": platform.python_version()}).serve()
