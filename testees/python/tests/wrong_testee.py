#!/usr/bin/env python3
"""The testee `wrong`: for tests only. Each subject has one plausible mistake, and CAUGHT_BY says which clauses must find it; `pool`
has none and must conform. test_command.py asks the assay command."""

import asyncio
import collections
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from assay_testee import Closed, Host, OperationError, Outcome, TimedOut, subject
from assay_testee.asyncio_trial import AsyncioTrial

# By subject: the scenarios that must fail. Others may.
CAUGHT_BY = {
    "queue_drops_on_a_tie": ["BQ-8", "BQ-8/cancelled", "X-3/deadline", "X-31/pop"],
    "queue": [],  # none may
    "queue_wears_out": ["X-3/program"],
    "queue_overshoots": ["BQ-1"],
    "group_leaves_tasks": ["TG-1/after a failure", "TG-2", "TG-3/at one instant", "TG-9", "X-15"],
    "lifespan_stops_in_order": ["LIF-1", "LIF-1/faulted", "LIF-1/swept"],
    "pool_runs_twice": ["WPL-3", "WPL-4/failures", "X-15"],
    "pool": [],  # none may
}


@subject("queue_drops_on_a_tie", contract="bounded_queue", features=["timed"])
class QueueDropsOnATie:
    """A pop with a limit as people write it: two tasks, and whichever is first. When both are, the item goes with its task."""

    def __init__(self, env, config):
        self.queue = asyncio.Queue(config["capacity"])

    async def push(self, item):
        await self.queue.put(item)

    async def push_for(self, item, patience):
        try:
            async with asyncio.timeout(patience / 1e9):
                await self.queue.put(item)
        except TimeoutError:
            raise TimedOut() from None

    async def pop(self):
        return await self.queue.get()

    async def pop_for(self, patience):
        limit = asyncio.create_task(asyncio.sleep(patience / 1e9))
        item = asyncio.create_task(self.queue.get())
        try:
            await asyncio.wait({limit, item}, return_when=asyncio.FIRST_COMPLETED)
            if limit.done():  # the mistake: `item` may be done as well
                raise TimedOut()
            return item.result()
        finally:
            limit.cancel()
            item.cancel()

    def size(self):
        return self.queue.qsize()


@subject("queue_overshoots", contract="bounded_queue")
class QueueOvershoots:
    """A push into a queue for several that puts its item in first, and waits until there is room for it after that."""

    def __init__(self, env, config):
        self.room = config["capacity"]
        self.items = collections.deque()
        self.changed = asyncio.Event()

    async def push(self, item):
        while self.room == 1 and self.items:
            await self.changed.wait()
        self.items.append(item)
        self._has_changed()
        try:
            while item in list(self.items)[self.room :]:  # the mistake: it is in there
                await self.changed.wait()
        except asyncio.CancelledError:
            if item in self.items:
                self.items.remove(item)
                raise

    async def pop(self):
        while not self.items:
            await self.changed.wait()
        self._has_changed()
        return self.items.popleft()

    def size(self):
        return len(self.items)

    def _has_changed(self):
        self.changed.set()
        self.changed = asyncio.Event()


@subject("queue", contract="bounded_queue")
class Queue:
    """A queue as asyncio's, whose waiters that were cancelled stay where they are until there are too many."""

    GONE_MAX = 4

    def __init__(self, env, config):
        self.room = config["capacity"]
        self.items = collections.deque()
        self.pushers = Waiters(self.GONE_MAX, self.clean)
        self.poppers = Waiters(self.GONE_MAX, self.clean)

    async def push(self, item):
        await self.pushers.wait_until(lambda: len(self.items) < self.room)
        self.items.append(item)
        self.poppers.wake_one()

    async def pop(self):
        await self.poppers.wait_until(lambda: self.items)
        item = self.items.popleft()
        self.pushers.wake_one()
        return item

    def size(self):
        return len(self.items)

    @staticmethod
    def clean(waiters):
        return collections.deque(one for one in waiters if not one.done())


class Waiters:
    def __init__(self, gone_max, clean):
        self.all = collections.deque()
        self.gone = 0
        self.gone_max = gone_max
        self.clean = clean

    async def wait_until(self, ready):
        while not ready():
            waiter = asyncio.get_running_loop().create_future()
            self.all.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if ready() and not waiter.cancelled():
                    self.wake_one()
                self.gone += 1
                if self.gone > self.gone_max:
                    self.gone = 0
                    self.all = self.clean(self.all)
                raise

    def wake_one(self):
        while self.all:
            waiter = self.all.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return


@subject("queue_wears_out", contract="bounded_queue")
class QueueWearsOut(Queue):
    """Many are cancelled before it shows, so that only the random programs see it."""

    @staticmethod
    def clean(waiters):
        return collections.deque()  # the mistake: some of them wait


@subject("group_leaves_tasks", contract="task_group", features=["cleanup"])
class GroupLeavesTasks:
    """asyncio.gather: it ends with the first failure, and the others go on."""

    def __init__(self, env, config):
        self.env = env

    async def run(self, children):
        await asyncio.gather(*(self.env.call("child", id=child["id"]) for child in children))


@subject("lifespan_stops_in_order", contract="lifespan")
class LifespanStopsInOrder:
    """What was started first is stopped first."""

    def __init__(self, env, config):
        self.env = env
        self.resources = []

    def add(self, name, start, stop):
        self.resources.append((start, stop))

    async def run(self, body):
        started = []
        failures = []
        cancelled = None
        try:
            for start, stop in self.resources:
                await self.env.call("step", step=start)
                started.append(stop)
            await self.env.call("step", step=body)
        except OperationError as failure:
            failures.append(failure)
        except asyncio.CancelledError as request:
            cancelled = request
        for stop in started:  # the mistake: not reversed
            try:
                await self.env.call("step", step=stop)
            except OperationError as failure:
                failures.append(failure)
            except asyncio.CancelledError as request:
                cancelled = request
        for failure in failures[1:]:
            self.env.unhandled(failure)
        if failures:
            raise failures[0]
        if cancelled is not None:
            raise cancelled


@subject("pool", contract="worker_pool", features=["stop_now", "bounded"])
class Pool:
    """Workers that take jobs from a queue; every step between two waits leaves it in order."""

    def __init__(self, env, config):
        self.env = env
        self.room = config["queue_capacity"]
        self.queue = collections.deque()
        self.closed = False
        self.changed = asyncio.Event()
        self.workers = [asyncio.create_task(self._work(), name=f"worker {number}") for number in range(config["workers"])]

    async def submit(self, job, priority, timeout_ns):
        await self._until(lambda: self.closed or len(self.queue) < self.room)
        if self.closed:
            raise Closed()
        self.queue.append(job)
        self._has_changed()

    async def drain(self):
        self.closed = True
        self._has_changed()
        await asyncio.wait(self.workers)

    async def stop_now(self):
        self.closed = True
        unstarted = list(self.queue)
        self.queue.clear()
        self._has_changed()
        for worker in self.workers:
            worker.cancel()
        try:
            await asyncio.wait(self.workers)
        except asyncio.CancelledError:
            for job in unstarted:  # no value can return them now
                self.env.tell("hand_back", job=job)
            raise
        return unstarted

    def destroy(self):
        for worker in self.workers:
            worker.cancel()

    async def _work(self):
        while True:
            await self._until(lambda: self.closed or self.queue)
            if not self.queue:
                return
            job = self.queue.popleft()
            self._has_changed()
            await self._run(job)

    async def _run(self, job):
        try:
            await self.env.call("run", job=job)
        except Outcome as failure:
            self.env.unhandled(failure)

    async def _until(self, ready):
        while not ready():
            await self.changed.wait()

    def _has_changed(self):
        self.changed.set()
        self.changed = asyncio.Event()


@subject("pool_runs_twice", contract="worker_pool", features=["stop_now", "bounded"])
class PoolRunsTwice(Pool):
    """A job that fails is tried once more, which nobody has asked for."""

    async def _run(self, job):
        try:
            await self.env.call("run", job=job)
        except OperationError:
            await super()._run(job)


if __name__ == "__main__":
    Host("wrong", AsyncioTrial).serve()
