"""Trio under virtual time: its own run loop and scheduler, with a clock that stands still until the harness moves it.

The conversation with the harness is a task of the run: while it reads, nothing else runs. Trio's scheduler shuffles the tasks of
a batch; the seed of the trial decides how.
"""

import json
import math
import os
import sys

import trio
from trio.testing import wait_all_tasks_blocked

from . import host, level_triggered, outcomes

_NS = 1_000_000_000
_MESSAGE = "ASSAY_TESTEE_MESSAGE"  # what a process that begins anew has read and not answered
_LATEST = 2**53 - 1  # ns: what the protocol can say; a deadline may be early
_BEFORE = 1e-10  # seconds: less than any time of the harness, more than a double's last digit here


class VirtualClock(trio.abc.Clock):
    def __init__(self):
        self.seconds = 0.0

    def start_clock(self):
        pass

    def current_time(self):
        return self.seconds

    def deadline_to_sleep_time(self, deadline):
        # Never really: there is always the conversation's task.
        return 0 if deadline <= self.seconds else math.inf


class TrioTrial(host.Trial):
    cancelled = (trio.Cancelled, outcomes.Cancelled)
    late = True  # the run loop is Trio's own: it expires all deadlines that have passed, and then runs one batch

    def __init__(self, seed):
        super().__init__(seed)
        self.clock = VirtualClock()
        self.now_ns = 0
        self.nursery = None
        self.scopes = {}

    # ---- instants

    def now_set(self, now_ns):
        # What the harness wants at this instant comes before what is due at it.
        self.clock.seconds = max(now_ns / _NS - _BEFORE, 0.0)
        self.now_ns = now_ns

    async def run(self, commands):
        waiting = sorted(commands, key=lambda command: command.get("after", 0))
        turns = 0
        while waiting:
            while waiting and waiting[0].get("after", 0) <= turns:
                self.perform(waiting.pop(0))
            await trio.lowlevel.cancel_shielded_checkpoint()
            turns += 1
            self.clock.seconds = self.now_ns / _NS
        self.clock.seconds = self.now_ns / _NS
        await wait_all_tasks_blocked()
        while True:
            deadline = self.deadline()
            if deadline is not None and deadline <= self.now_ns:
                self.clock.seconds += _BEFORE  # 0.1 + 0.2 is more than 0.3: due by our reckoning, not by Trio's
            elif not self.collect():
                return
            await wait_all_tasks_blocked()

    def deadline(self):
        seconds = trio.lowlevel.current_statistics().seconds_to_next_deadline
        return None if math.isinf(seconds) else min(round((self.clock.seconds + seconds) * _NS), _LATEST)

    def later(self, deadline):
        timers = trio._core._run.GLOBAL_RUN_CONTEXT.runner.deadlines._heap
        set_for = {seconds for seconds, _, scope in timers if seconds == scope._registered_deadline}
        whens = {min(round(seconds * _NS), _LATEST) for seconds in set_for if not math.isinf(seconds)}
        return sorted(when for when in whens if when > deadline)[:3]

    # ---- calls

    async def checkpoint(self):
        await trio.lowlevel.checkpoint()

    def start(self, call_id, coroutine, name):
        scope = trio.CancelScope()
        self.scopes[call_id] = scope
        self.nursery.start_soon(self._call, call_id, scope, coroutine, name=name)

    async def _call(self, call_id, scope, coroutine):
        value = failure = None
        ended = False
        try:
            with scope:
                value = await coroutine
                ended = True
        except trio.Cancelled:
            raise  # the trial is over
        except BaseException as caught:
            failure = caught
        del self.scopes[call_id]
        if failure is None and not ended:
            failure = outcomes.Cancelled()
        self.ended(call_id, value, failure)

    def cancel(self, call_id):
        if call_id in self.scopes:
            self.scopes[call_id].cancel()

    # ---- callbacks

    async def call_back(self, object_id, name, args):
        return await level_triggered.call_back(self, trio, trio.Cancelled, object_id, name, args)

    # ---- the end

    def left(self):
        names = [task.name for task in self.nursery.child_tasks]
        left = [f"the task '{name}'" for name in sorted(names)]
        deadline = self.deadline()
        if deadline is not None:
            left.append(f"a timer due at {deadline} ns")
        return left

    def close(self):
        pass  # the run is left, see TrioHost


class TrioHost(host.Host):
    """As Host, with a run of Trio for each trial."""

    def __init__(self, name, trial_type=TrioTrial, libraries=None):
        super().__init__(name, trial_type, libraries=libraries, turns=True, seeded=True)
        # As Trio's own tests of its scheduler do: the seed decides, and addresses do not.
        trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING = True

    def converse(self):
        left = os.environ.pop(_MESSAGE, None)
        message = self.receive() if left is None else json.loads(left)
        while message is not None:
            if "begin" in message:
                message = self._trial(message["begin"])
            else:
                self.send(self.answer(message))
                message = self.receive()

    def _trial(self, begin):
        answer = self.begun(begin)
        trio._core._run._r.seed(begin["seed"])
        message = trio.run(self._converse_in_run, answer, clock=self.trial.clock)
        self.trial = None
        return message

    async def _converse_in_run(self, answer):
        self.send(answer)
        message = None
        async with trio.open_nursery() as nursery:
            self.trial.nursery = nursery
            while (message := self.receive()) is not None and "begin" not in message:
                if "instant" in message:
                    self.send(await self._instant(message["instant"]))
                    continue
                if "end" not in message:
                    self.send(self.answer(message))
                    continue
                self.send({"ended": {"trial": message["end"]["trial"], "left": self.trial.left()}})
                message = None
                await self._give_up(nursery)
                break
            else:
                await self._give_up(nursery, message)
        return message if message is not None else self.receive()

    async def _instant(self, instant):
        self.open_instant(instant)
        if instant["run"]:
            await self.trial.run(instant["commands"])
        else:
            self.trial.immediately(instant["commands"])
        return self.closed_instant(instant)

    async def _give_up(self, nursery, message=None):
        nursery.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
        if nursery.child_tasks:
            # Something refuses to end, and a run of Trio cannot be left: begin anew, on the same pipes.
            os.dup2(self._protocol.fileno(), 1)
            os.dup2(self._input.fileno(), 0)
            if message is not None:
                os.environ[_MESSAGE] = json.dumps(message)
            os.execv(sys.executable, sys.orig_argv)
