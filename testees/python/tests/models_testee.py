#!/usr/bin/env python3
"""The testee `models`: for tests only. Small models of the contracts that no library here implements, so that their calls,
callbacks and tells are used from another language, too. They conform.

    models_testee.py            the models
    models_testee.py MISTAKE    with one of them replaced by one that has this mistake, see MISTAKES

test_models.py asks the assay command."""

import asyncio
import collections
import collections.abc
import dataclasses
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from assay_testee import Closed, Host, OperationError, Rejected, TimedOut, subject
from assay_testee.asyncio_trial import AsyncioTrial

NS = 1_000_000_000


def is_asked_to_stop():
    """A callback has the last word, so a request may be over without an exception; the task still knows of it."""
    return asyncio.current_task().cancelling() > 0


async def settled(task, limit_ns=None):
    """Waits for a task, not longer than the limit, whoever asks the caller to stop. Whether it has ended."""
    loop = asyncio.get_running_loop()
    deadline = None if limit_ns is None else loop.time() + limit_ns / NS
    while not task.done():
        left = None if deadline is None else deadline - loop.time()
        if left is not None and left < 1 / NS:  # the clock knows no less, and seconds are rounded
            return False
        try:
            await asyncio.wait({task}, timeout=left)
        except asyncio.CancelledError:
            pass  # is_asked_to_stop() tells
    return True


def failure_of(task):
    """What an ended task failed with; None if it did not."""
    return asyncio.CancelledError() if task.cancelled() else task.exception()


def is_real(failure):
    """Whether it is a failure, and not the end of what was asked to stop."""
    return failure is not None and not isinstance(failure, asyncio.CancelledError)


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
        cause = self.env.outcome(job.failure)
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
            self.env.tell("lost", item=job.item, cause=cause, attempts=job.attempts, unwritten=self.env.outcome(unwritten))
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
        cleanup_ends = asyncio.get_running_loop().time() * NS + self.config["cleanup_ns"]
        for name in reversed(self.to_close):
            await self.close(name, cleanup_ends)
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
            if not await settled(opening, self.config["force_ns"]):
                self.report["survivors"].append(name)
                return
        failure = failure_of(opening)
        if failure is None:
            self.to_close.append(name)
        elif is_real(failure):
            self.report["failures"].append({"task": f"open {name}", "what": self.env.outcome(failure)})
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

    async def close(self, name, cleanup_ends):
        """It has half of what is left of the budget, and some more once it was asked to stop."""
        left = cleanup_ends - asyncio.get_running_loop().time() * NS
        closing = asyncio.create_task(self.env.call(f"close_{name}"))
        if not await settled(closing, left / 2):
            closing.cancel()
            if not await settled(closing, left / 4):
                self.report["survivors"].append(name)
                return
        if failure := failure_of(closing):
            self.report["failures"].append({"task": f"close {name}", "what": self.env.outcome(failure)})


class ServiceForgetsWhatIsQueued(Service):
    """What waited when the stop came goes with the queue."""

    def take_back(self):
        return []


# ---- graceful_shutdown

PHASES = (
    "created starting running not_ready grace stop_accepting drain force_cancel stop_background cleanup final_log stopped"
).split()


@dataclasses.dataclass
class Step:
    """What the cleanup does, in reverse order; a resource is due when its start has ended well."""

    name: str
    start: int | None
    stop: collections.abc.Callable
    due: bool


class GracefulShutdown:
    """One task walks through the phases; everybody else changes what it looks at, and rings. Whoever cancels run() requests a
    stop, and whoever does so again escalates: the report comes all the same."""

    def __init__(self, env, config):
        self.env = env
        self.config = {name: math.inf if value is None else value for name, value in config.items()}
        budgets = ("pre_stop", "grace", "drain", "force", "background", "cleanup")
        if sum(self.config[name] for name in budgets) > self.config["total"]:
            raise Rejected("the budgets exceed the total")
        self.changed = Bell()
        self.phase = "created"
        self.requested = self.escalated = self.cutting_short = self.gone = False
        self.watchdog = math.inf
        self.steps = []
        self.waiting_background = []
        self.connections = {}
        self.work, self.background, self.step = {}, {}, {}  # tasks with their names
        self.report = {"unfinished": [], "survivors": [], "failures": [], "forced": False}

    # ---- registration

    def add_resource(self, name, start, stop):
        if self.phase != "created":
            raise Rejected("too late to register")
        self.steps.append(Step(name, start, self.do(stop), False))

    def add_callback(self, name, function):
        self.add_step(name, lambda: self.env.call("function", function=function))

    def add_async_callback(self, name, function):
        self.add_step(name, self.do(function))

    def add_step(self, name, call):
        if self.is_past("cleanup"):
            raise Rejected("too late to register")
        self.steps.append(Step(name, None, call, True))

    def add_background(self, name, work):
        if self.is_past("force_cancel"):
            raise Rejected("too late to register")
        if self.is_past("starting"):
            self.start_background(name, work)
        else:
            self.waiting_background.append((name, work))

    def late_policy(self):
        return "joins"

    def open_connection(self, close):
        self.check_accepting()
        number = len(self.connections) + 1
        self.connections[number] = {"close": close, "busy": False, "open": True}
        return number

    def set_busy(self, connection, busy):
        self.connections[connection]["busy"] = busy

    def connection_closed(self, connection):
        self.connections[connection]["open"] = False

    # ---- while it runs

    def admit(self, name, work):
        self.check_accepting()
        self.spawn(self.work, name, self.do(work)(), lambda failure: self.work_ended(name, failure))

    def request_stop(self):
        if not self.requested:
            self.requested = True
            self.watchdog = self.time() + (self.config["total"] - self.config["pre_stop"]) / NS
            self.changed.ring()

    def escalate(self):
        self.escalated = True
        self.changed.ring()

    def signal(self):
        if self.requested:
            self.escalate()
        else:
            self.request_stop()

    def ready(self):
        return self.phase == "running" and not self.requested

    async def run(self):
        life = asyncio.create_task(self.lead_life(), name="shutdown")
        while not life.done():
            try:
                await asyncio.wait({life})
            except asyncio.CancelledError:
                self.signal()
        return life.result()

    def destroy(self):
        self.gone = True

    # ---- the phases

    async def lead_life(self):
        await self.start_up()
        if not self.requested:
            self.enter("running")
            for name, work in self.waiting_background:
                self.start_background(name, work)
            await self.until(lambda: self.requested)
            self.enter("not_ready")
            if self.config["grace"] > 0:
                self.enter("grace")
                await self.until(lambda: False, "grace")
        else:
            self.enter("not_ready")
        self.enter("stop_accepting")
        await self.drain()
        self.enter("stop_background")
        await self.end(self.background, "background")
        await self.clean_up()
        self.enter("final_log")
        self.enter("stopped")
        return self.report

    async def start_up(self):
        self.enter("starting")
        for step in [step for step in self.steps if step.start is not None]:
            if self.requested:
                return
            self.spawn(self.step, step.name, self.do(step.start)(), lambda failure, step=step: self.started(step, failure))
            await self.until(lambda: self.requested or not self.step)
            await self.end(self.step, "force")

    def started(self, step, failure):
        step.due = failure is None
        if is_real(failure):
            self.record(step.name, failure)
            self.request_stop()

    async def drain(self):
        self.enter("drain")
        for connection in self.connections.values():
            if connection["open"]:
                how = "after_response" if connection["busy"] else "now"
                self.env.tell("close", close=connection["close"], how=how)
        await self.until(lambda: self.escalated or not self.work, "drain")
        if self.work:
            self.enter("force_cancel")
            self.report["unfinished"] += await self.end(self.work, "force")

    def work_ended(self, name, failure):
        if failure is not None and self.is_past("drain"):
            self.forced(name)
        if failure is not None and not is_real(failure):
            self.report["unfinished"].append(name)
        self.take_failure(name, failure)

    def start_background(self, name, work, delay_ns=0):
        async def begin():
            await asyncio.sleep(delay_ns / NS)
            await self.do(work)()

        self.spawn(self.background, name, begin(), lambda failure: self.background_ended(name, work, failure))

    def background_ended(self, name, work, failure):
        if is_real(failure) and not self.requested:
            if self.config["on_failure"] == "restart":
                self.start_background(name, work, self.config["restart_delay"])
            elif self.config["on_failure"] == "shut_down":
                self.record(name, failure)
                self.request_stop()
                return
        self.take_failure(name, failure)

    async def clean_up(self):
        self.enter("cleanup")
        while self.steps:  # one that is registered meanwhile is the next
            step = self.steps.pop()
            if not step.due:
                continue
            if self.time() >= self.watchdog:
                self.forced(step.name)
                continue
            self.spawn(self.step, step.name, step.stop(), lambda failure, step=step: self.cleaned(step, failure))
            await self.until(lambda: not self.step, "callback")
            self.cutting_short = True
            await self.end(self.step, "force")
            self.cutting_short = False

    def cleaned(self, step, failure):
        if failure is not None and self.cutting_short:
            self.forced(step.name)
        self.take_failure(step.name, failure)

    # ---- what they are made from

    def do(self, step):
        return lambda: self.env.call("step", step=step)

    def enter(self, phase):
        self.phase = phase
        self.env.tell("phase", phase=phase)

    def is_past(self, phase):
        return PHASES.index(self.phase) > PHASES.index(phase)

    def check_accepting(self):
        if not self.is_past("starting") or self.is_past("grace"):
            raise Rejected("not accepting work")

    def time(self):
        return asyncio.get_running_loop().time()

    async def until(self, ready, budget=None):
        """Waits within this budget, and within the total."""
        limit = math.inf if budget is None else self.config[budget]
        deadline = min(self.time() + limit / NS, self.watchdog)
        try:
            async with asyncio.timeout_at(None if math.isinf(deadline) else deadline):
                await self.changed.until(ready)
        except TimeoutError:
            pass

    def spawn(self, where, name, coroutine, ended):
        task = asyncio.create_task(coroutine, name=name)
        where[task] = name
        task.add_done_callback(lambda task: self.task_ended(where, task, ended))

    def task_ended(self, where, task, ended):
        if where.pop(task, None) is not None:
            ended(failure_of(task))
            self.changed.ring()
        elif is_real(failure_of(task)):  # it was left alone
            self.tell_failure(task.get_name(), failure_of(task))

    async def end(self, tasks, budget):
        """Asks tasks to stop, waits, and leaves those alone that do not listen. The names of these."""
        for task in tasks:
            task.cancel()
        await self.until(lambda: not tasks, budget)
        left = list(tasks.values())
        tasks.clear()
        for name in left:
            self.forced(name)
        self.report["survivors"] += left
        return left

    def forced(self, name):
        self.report["forced"] = True
        self.env.tell("forced", name=name)

    def take_failure(self, name, failure):
        if is_real(failure):
            if self.is_past("stop_accepting"):
                self.record(name, failure)
            else:
                self.tell_failure(name, failure)

    def tell_failure(self, name, failure):
        if self.gone:
            self.env.unhandled(failure)
        else:
            self.env.tell("failure", name=name, error=self.env.outcome(failure))

    def record(self, name, failure):
        secondary = self.phase == "cleanup" and bool(self.report["failures"])
        self.report["failures"].append({"name": name, "error": self.env.outcome(failure), "secondary": secondary})


class ShutdownCleansInOrder(GracefulShutdown):
    """What was registered first is cleaned up first."""

    async def clean_up(self):
        self.steps.reverse()
        await super().clean_up()


# ---- the testee

MODELS = {
    "resilient_worker": (ResilientWorker, ["requeue", "dead_letter", "attempts", "attempt_cap", "join"]),
    "service": (Service, ["dead_letter"]),
    "graceful_shutdown": (
        GracefulShutdown,
        [
            "grace",
            "force",
            "callbacks",
            "budgets",
            "supervision",
            "restart",
            "shut_down_on_failure",
            "late_registration",
            "connections",
            "stop_on_cancel",
            "cancel_escalates",
            "signals",
        ],
    ),
}

# By mistake: the model that has it, and the scenarios that must fail.
MISTAKES = {
    "worker_loses": ("resilient_worker", WorkerLosesWhatItIsCancelledAt, ["RWK-1/swept", "RWK-2"]),
    "service_forgets": ("service", ServiceForgetsWhatIsQueued, ["INT-1", "INT-1/a worker that is stopped"]),
    "shutdown_cleans_in_order": ("graceful_shutdown", ShutdownCleansInOrder, ["SHD-8", "SHD-8/resources", "SHD-10/in_cleanup"]),
}


def register(mistake=None):
    replaced, wrong, _ = MISTAKES[mistake] if mistake else (None, None, None)
    for contract, (model, features) in MODELS.items():
        subject(contract, contract=contract, features=features)(wrong if contract == replaced else model)


if __name__ == "__main__":
    register(*sys.argv[1:])
    Host("models", AsyncioTrial).serve()
