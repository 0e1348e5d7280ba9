#!/usr/bin/env python3
"""The testee `models`: for tests only. Small models of the contracts that no library here implements, so that their calls,
callbacks and tells are used from another language, too. They conform.

    models_testee.py            the models
    models_testee.py MISTAKE    with one of them replaced by one that has this mistake, see MISTAKES

test_models.py asks the assay command."""

import asyncio
import collections
import dataclasses
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from assay_testee import Closed, Host, OperationError, TimedOut, outcomes, subject
from assay_testee.asyncio_trial import AsyncioTrial

NS = 1_000_000_000


def outcome(failure):
    """As the protocol writes it."""
    return outcomes.write(failure, None, AsyncioTrial.cancelled)


def is_asked_to_stop():
    """A callback has the last word, so a request may be over without an exception; the task still knows of it."""
    return asyncio.current_task().cancelling() > 0


async def settled(task, limit_ns=None):
    """Waits for a task, not longer than the limit, whoever asks the caller to stop. Whether it has ended."""
    loop = asyncio.get_running_loop()
    deadline = None if limit_ns is None else loop.time() + limit_ns / NS
    while not task.done():
        left = None if deadline is None else deadline - loop.time()
        if left is not None and left <= 0:
            return False
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError:
            pass  # is_asked_to_stop() tells
    return True


def failure_of(task):
    """What an ended task failed with; None if it did not."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()


class Bell:
    """Wakes everybody who waits for something to change. They look again, in the order in which they came."""

    def __init__(self):
        self._event = asyncio.Event()

    def ring(self):
        self._event.set()
        self._event = asyncio.Event()

    async def until(self, ready):
        while not ready():
            await self._event.wait()


# ---- resilient_worker


@dataclasses.dataclass
class Job:
    item: int
    attempts: int = 0
    failure: BaseException | None = None


class ResilientWorker:
    """Between two waits a job is in one place: waiting, or in the frame of the run that has it in hand."""

    def __init__(self, env, config):
        self.env = env
        self.capacity = config["capacity"]
        self.attempts_max = config["attempts_max"] or 5
        self.patience = config["dead_letter_patience_ns"]
        self.waiting = collections.deque()
        self.unsettled = 0
        self.changed = Bell()
        self.door = asyncio.Lock()  # who came first goes in first

    async def submit(self, item):
        async with self.door:
            await self.changed.until(lambda: len(self.waiting) < self.capacity)
            self.waiting.append(Job(item))
            self.unsettled += 1
            self.changed.ring()

    async def run(self):
        while True:
            await self.changed.until(lambda: self.waiting)
            job = self.waiting.popleft()
            self.changed.ring()
            await self.work_on(job)
            if is_asked_to_stop():
                raise asyncio.CancelledError()

    def take_back(self):
        items = [job.item for job in self.waiting]
        self.waiting.clear()
        self.unsettled -= len(items)
        self.changed.ring()
        return items

    async def join(self):
        await self.changed.until(lambda: self.unsettled == 0)

    async def work_on(self, job):
        if job.attempts == self.attempts_max:
            job.failure = job.failure or OperationError("attempts exhausted")
            await self.bury(job)
            return
        job.attempts += 1
        try:
            await self.env.call("process", item=job.item, attempt=job.attempts)
        except asyncio.CancelledError as failure:
            if is_asked_to_stop():
                self.put_back(job)
                raise
            job.failure = failure  # its own idea
        except Exception as failure:
            job.failure = failure
        else:
            self.settle()
            return
        await self.bury(job)

    async def bury(self, job):
        """The letter is finished even if the worker is asked to stop; its patience bounds that."""
        cause = outcome(job.failure)
        write = asyncio.create_task(self.env.call("dead_letter", item=job.item, cause=cause, attempts=job.attempts))
        if not await settled(write, self.patience):
            write.cancel()
            await settled(write)
        unwritten = failure_of(write)
        if unwritten is None:
            self.settle()
        elif job.attempts < self.attempts_max:
            self.put_back(job)
        else:
            if isinstance(unwritten, asyncio.CancelledError):
                unwritten = TimedOut()
            self.env.tell("lost", item=job.item, cause=cause, attempts=job.attempts, unwritten=outcome(unwritten))
            self.settle()

    def put_back(self, job):
        """At the head, beyond the capacity if it must be."""
        self.waiting.appendleft(job)
        self.changed.ring()

    def settle(self):
        self.unsettled -= 1
        self.changed.ring()


class WorkerLosesWhatItIsCancelledAt(ResilientWorker):
    """It believes that processing ends either well or with a failure."""

    def put_back(self, job):
        if not is_asked_to_stop():
            super().put_back(job)


# ---- service


class Service:
    """A queue, workers and two resources. Whoever cancels run() requests a stop: the report comes all the same."""

    def __init__(self, env, config):
        self.env = env
        self.config = config
        self.waiting = collections.deque()
        self.changed = Bell()
        self.door = asyncio.Lock()
        self.stop = asyncio.Event()
        self.accepts = False
        self.stopped = False
        self.workers = {}
        self.to_close = []
        self.report = {"cancelled": [], "survivors": [], "failures": []}

    async def submit(self, item):
        async with self.door:
            await self.changed.until(lambda: not self.accepts or len(self.waiting) < self.config["queue_capacity"])
            if not self.accepts:
                raise Closed()
            self.waiting.append(item)
            self.changed.ring()

    async def run(self):
        life = asyncio.create_task(self.lead_life(), name="service")
        while not life.done():
            try:
                await asyncio.wait({life})
            except asyncio.CancelledError:
                self.stop.set()
        return life.result()

    def request_stop(self):
        self.stop.set()

    def take_back(self):
        items = list(self.waiting)
        self.waiting.clear()
        return items

    def ready(self):
        return self.accepts and not self.stop.is_set()

    def live(self):
        return not self.stopped

    def buffered(self):
        return len(self.waiting)

    async def lead_life(self):
        for name in ("store", "sink"):
            await self.open(name)
        if not self.stop.is_set():
            self.serve()
            await self.stop.wait()
        self.env.tell("event", what="not ready")
        self.accepts = False
        self.changed.ring()
        self.env.tell("event", what="stop accepting")
        await self.drain()
        self.env.tell("event", what="drain end")
        self.env.tell("event", what="background stopped")
        for name in reversed(self.to_close):
            await self.close(name)
        self.stopped = True
        self.env.tell("event", what="stopped")
        return self.report

    async def open(self, name):
        """Opens a resource; a stop gives that up."""
        if self.stop.is_set():
            return
        opening = asyncio.create_task(self.env.call(f"open_{name}"))
        stop = asyncio.create_task(self.stop.wait())
        await asyncio.wait({opening, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not opening.done():
            opening.cancel()
            await asyncio.wait({opening})
        failure = failure_of(opening)
        if failure is None:
            self.to_close.append(name)
        elif not isinstance(failure, asyncio.CancelledError):
            self.report["failures"].append({"task": f"open {name}", "what": outcome(failure)})
            self.stop.set()

    def serve(self):
        self.accepts = True
        for number in range(1, self.config["workers"] + 1):
            self.workers[asyncio.create_task(self.work())] = f"worker {number}"

    async def work(self):
        while True:
            await self.changed.until(lambda: self.waiting or not self.accepts)
            if not self.waiting:
                return
            item = self.waiting.popleft()
            self.changed.ring()
            await self.work_on(item)
            if is_asked_to_stop():
                raise asyncio.CancelledError()

    async def work_on(self, item):
        try:
            await self.env.call("work", item=item)
        except asyncio.CancelledError:
            self.waiting.appendleft(item)
            raise
        except Exception:
            self.env.tell("give_up", item=item)

    async def drain(self):
        if not self.workers:
            return
        _, late = await asyncio.wait(self.workers, timeout=self.config["drain_ns"] / NS)
        if not late:
            return
        self.env.tell("event", what="force cancel")
        for worker in late:
            worker.cancel()
        _, deaf = await asyncio.wait(late, timeout=self.config["force_ns"] / NS)
        self.report["survivors"] = [name for worker, name in self.workers.items() if worker in deaf]
        self.report["cancelled"] = [name for worker, name in self.workers.items() if worker in late - deaf]

    async def close(self, name):
        closing = asyncio.create_task(self.env.call(f"close_{name}"))
        if not await settled(closing, self.config["cleanup_ns"] / 2):
            closing.cancel()
            await settled(closing)
        if failure := failure_of(closing):
            self.report["failures"].append({"task": f"close {name}", "what": outcome(failure)})


class ServiceForgetsWhatIsQueued(Service):
    """What waited when the stop came goes with the queue."""

    def take_back(self):
        return []


# ---- the testee

MODELS = {
    "resilient_worker": (ResilientWorker, ["requeue", "dead_letter", "attempts", "attempt_cap", "join"]),
    "service": (Service, ["dead_letter"]),
}

# By mistake: the model that has it, and the scenarios that must fail.
MISTAKES = {
    "worker_loses": ("resilient_worker", WorkerLosesWhatItIsCancelledAt, ["RWK-1/swept", "RWK-2"]),
    "service_forgets": ("service", ServiceForgetsWhatIsQueued, ["INT-1", "INT-7"]),
}


def register(mistake=None):
    replaced, wrong, _ = MISTAKES[mistake] if mistake else (None, None, None)
    for contract, (model, features) in MODELS.items():
        subject(contract, contract=contract, features=features)(wrong if contract == replaced else model)


if __name__ == "__main__":
    register(*sys.argv[1:])
    Host("models", AsyncioTrial).serve()
