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


# ---- the testee

MODELS = {
    "resilient_worker": (ResilientWorker, ["requeue", "dead_letter", "attempts", "attempt_cap", "join"]),
}

# By mistake: the model that has it, and the scenarios that must fail.
MISTAKES = {
    "worker_loses": ("resilient_worker", WorkerLosesWhatItIsCancelledAt, ["RWK-1/swept", "RWK-2"]),
}


def register(mistake=None):
    replaced, wrong, _ = MISTAKES[mistake] if mistake else (None, None, None)
    for contract, (model, features) in MODELS.items():
        subject(contract, contract=contract, features=features)(wrong if contract == replaced else model)


if __name__ == "__main__":
    register(*sys.argv[1:])
    Host("models", AsyncioTrial).serve()
