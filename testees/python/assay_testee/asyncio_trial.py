"""asyncio under virtual time: an event loop without a selector, whose clock stands still until the harness moves it."""

import asyncio
import collections
import heapq
import itertools
import math
import sys
import threading

from . import host, outcomes

_NS = 1_000_000_000
_LATEST = 2**53 - 1  # ns: what the protocol can say; a deadline may be early

# A loop that has told nothing for so many turns only polls (anyio repeats a cancellation in every turn until the task heeds it).
QUIET_TURNS_MAX = 200


class _Numbered:
    """Sets of tasks are walked in the order of hashes, and addresses must decide nothing."""

    _numbers = itertools.count(1)

    def __init__(self, *args, **kwargs):
        self.number = next(_Numbered._numbers)
        super().__init__(*args, **kwargs)

    def __hash__(self):
        return self.number


class _Task(_Numbered, asyncio.Task):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.set_name(f"Task-{self.number}")  # asyncio's own number counts what other trials had; a name that was given follows


class _Future(_Numbered, asyncio.Future):
    pass


class _NoSelector:
    """Nothing comes from outside."""

    def select(self, timeout):
        return []

    def close(self):
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    """asyncio's own loop with its own order of callbacks; only its clock and its selector are not the machine's."""

    def __init__(self):
        super().__init__()
        self._selector = _NoSelector()
        self._clock_resolution = 0.5 / _NS  # what is due within half a nanosecond is due
        self._thread_id = threading.get_ident()  # it counts as running all the time
        self.now_ns = 0
        self._seconds = 0.0
        self.set_task_factory(lambda loop, coroutine, **kwargs: _Task(coroutine, loop=loop, **kwargs))

    def time(self):
        return self._seconds

    def time_set(self, now_ns):
        self.now_ns = now_ns
        self._seconds = max(self._seconds, now_ns / _NS)

    def create_future(self):
        return _Future(loop=self)

    def _process_events(self, events):
        pass

    def _write_to_self(self):
        pass

    def run_in_executor(self, executor, function, *args):
        raise NotImplementedError("a thread would not be under virtual time")

    def _earliest(self):
        """When the earliest timer that was not cancelled is due."""
        while self._scheduled and self._scheduled[0].cancelled():  # as _run_once does
            self._timer_cancelled_count -= 1
            heapq.heappop(self._scheduled)._scheduled = False
        return self._scheduled[0].when() if self._scheduled else math.inf

    def has_something_to_run(self):
        return bool(self._ready) or self._earliest() < self.time() + self._clock_resolution

    def deadline_ns(self):
        """The same in nanoseconds, for what is not due; None if there is none."""
        when = self._earliest()
        if math.isinf(when):
            return None
        return min(max(round(when * _NS), self.now_ns + 1), _LATEST)

    def later_ns(self, deadline_ns):
        set_for = {timer.when() for timer in self._scheduled if not timer.cancelled()}
        whens = {min(round(when * _NS), _LATEST) for when in set_for if not math.isinf(when)}
        return sorted(when for when in whens if when > deadline_ns)[:3]

    def turn(self):
        """One iteration: what is ready, and the timers that are due."""
        # 0.025 + 0.005 is more than 0.03: who looks at the clock when his timer fires must find that it is time.
        due = self._earliest()
        if self._seconds < due < self._seconds + self._clock_resolution:
            self._seconds = due
        try:
            self._run_once()
        except (SystemExit, KeyboardInterrupt):
            pass  # it has left run_forever(), too; the task has it, and asyncio.run() runs the loop again


class AsyncioTrial(host.Trial):
    cancelled = (asyncio.CancelledError, outcomes.Cancelled)
    late = True  # `_run_once` is asyncio's own: it takes all timers that are due into one iteration, in order of deadlines

    def __init__(self, seed):
        super().__init__(seed)
        _Numbered._numbers = itertools.count(1)
        self.loop = VirtualLoop()
        self.loop.set_exception_handler(self._told_by_loop)
        self.tasks = {}
        asyncio._set_running_loop(self.loop)
        # As run_forever() does: generators that are left open are closed by tasks of the loop.
        self._hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(self.loop._asyncgen_firstiter_hook, self.loop._asyncgen_finalizer_hook)

    # ---- instants

    def now_set(self, now_ns):
        self.loop.time_set(now_ns)

    def run(self, commands):
        waiting = collections.deque(sorted(commands, key=lambda command: command.get("after", 0)))
        turns = quiet = 0
        while True:
            while waiting and waiting[0].get("after", 0) <= turns:
                self.perform(waiting.popleft())
            if not self.loop.has_something_to_run():
                if waiting:
                    turns = waiting[0]["after"]
                elif not self.collect():
                    return
                continue
            if quiet > QUIET_TURNS_MAX:
                return
            before = len(self.events)
            self.loop.turn()
            turns += 1
            quiet = quiet + 1 if len(self.events) == before and not waiting else 0

    def deadline(self):
        return self.loop.deadline_ns()

    def later(self, deadline):
        return self.loop.later_ns(deadline)

    # ---- calls

    async def checkpoint(self):
        await asyncio.sleep(0)

    def start(self, call_id, coroutine, name):
        task = self.loop.create_task(coroutine, name=name)
        self.tasks[call_id] = task
        task.add_done_callback(lambda ended: self._task_ended(call_id, ended))

    def _task_ended(self, call_id, task):
        del self.tasks[call_id]
        if task.cancelled():
            self.ended(call_id, None, outcomes.Cancelled())
        elif task.exception() is not None:
            self.ended(call_id, None, task.exception())
        else:
            self.ended(call_id, task.result(), None)

    def cancel(self, call_id):
        if call_id in self.tasks:
            self.tasks[call_id].cancel()

    # ---- callbacks

    async def call_back(self, object_id, name, args):
        reply = None
        waiter = self.loop.create_future()

        def replied(outcome):
            nonlocal reply
            reply = outcome
            if not waiter.done():
                waiter.set_result(None)

        number = self.begin_callback(object_id, name, args, replied)
        while reply is None:
            try:
                await waiter
            except asyncio.CancelledError:
                # What is called has the last word: it may have ended already, and it may take its time.
                if reply is None:
                    self.ask_to_stop(number)
                    waiter = self.loop.create_future()
        if reply["kind"] == "cancelled":
            raise asyncio.CancelledError()
        return outcomes.value(reply)

    def _told_by_loop(self, loop, context):
        failure = context.get("exception")
        if failure is not None:
            self.emit({"unhandled": self.outcome(failure)})

    # ---- the end

    def _alive(self):
        return sorted((task for task in asyncio.all_tasks(self.loop) if not task.done()), key=lambda task: task.number)

    def left(self):
        left = [f"the task '{task.get_name()}'" for task in self._alive()]
        deadline = self.deadline()
        if deadline is not None:
            left.append(f"a timer due at {deadline} ns")
        return left

    def close(self):
        self.loop.set_exception_handler(lambda loop, context: None)
        # Bounded: a task may refuse to end. It is dropped then.
        for _ in range(20):
            alive = self._alive()
            if not alive:
                break
            for task in alive:
                task._log_destroy_pending = False
                task.cancel()
            for _ in range(20):
                if self.loop._ready:
                    self.loop.turn()
        host.dropped.extend(self._alive())
        sys.set_asyncgen_hooks(*self._hooks)
        asyncio._set_running_loop(None)
        self.loop._thread_id = None
        self.loop.close()
