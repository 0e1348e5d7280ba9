"""The protocol, whatever the runtime: lines, trials, objects, calls and callbacks."""

import inspect
import json
import os
import platform
import sys
import traceback

from . import outcomes

_subjects = []


def subject(name, contract, features=(), cites=""):
    """Registers a class (or a function that makes an object) as a subject.

    It is called as `cls(env, config)` once for each object, `config` being the contract's configuration as a dict. `features`
    are those that the library's documentation promises; `cites` says where.
    """

    def register(make):
        _subjects.append((name, contract, tuple(features), cites, make))
        return make

    return register


class Refused(Exception):
    """The subject has no such method."""


class Env:
    """What surrounds a subject: the callbacks that the contract has connected it to, and the hook for failures."""

    def __init__(self, trial, object_id):
        self._trial = trial
        self._object = object_id

    async def call(self, name, **args):
        """Calls back, and waits. Raises the outcome; cancelling the caller asks the callback to stop, and waits for it."""
        return await self._trial.call_back(self._object, name, args)

    def tell(self, name, **args):
        """Calls back without waiting."""
        self._trial.emit({"tell": name, "on": self._object, "args": args})

    def unhandled(self, failure):
        """A failure that reached nobody else."""
        self._trial.emit({"unhandled": self._trial.outcome(failure)})


class Trial:
    """One trial, as a runtime drives it. A runtime derives from it:

    run(commands): does these commands, each when its turn has come, and runs until nothing more can happen
    start(call_id, coroutine): begins an operation, which calls ended() at its end
    cancel(call_id): asks it to stop
    now_set(ns), deadline(), left(), close()
    """

    cancelled = ()  # the runtime's own exceptions for that

    def __init__(self, seed):
        self.seed = seed
        self.events = []
        self.objects = {}
        self.names = {}
        self.callbacks = {}
        self.next_callback = 0

    def emit(self, event):
        self.events.append(event)

    def outcome(self, failure, value=None):
        return outcomes.write(failure, value, self.cancelled)

    def ended(self, call_id, value, failure):
        if isinstance(failure, Refused):
            self.emit({"refused": call_id, "why": str(failure)})
        else:
            self.emit({"done": call_id, "outcome": self.outcome(failure, value)})

    def perform(self, command):
        """Does one command."""
        if "make" in command:
            self.make(command)
        elif "call" in command:
            self.call(command)
        elif "cancel" in command:
            self.cancel(command["cancel"])
        elif "reply" in command:
            self.callbacks.pop(command["reply"])(command["outcome"])
        elif "destroy" in command:
            gone = self.objects.pop(command["destroy"], None)
            if hasattr(gone, "destroy"):
                gone.destroy()
        else:
            raise ValueError(f"an unknown command: {command}")

    def make(self, command):
        number, name = command["make"], command["subject"]
        makers = [one[4] for one in _subjects if one[0] == name]
        if not makers:
            raise ValueError(f"there is no subject {name!r}")
        try:
            self.objects[number] = makers[0](Env(self, number), command["config"])
            self.names[number] = name
        except outcomes.Outcome as failure:
            self.ended(number, None, failure)
        else:
            self.ended(number, None, None)

    def call(self, command):
        number, name = command["call"], command["method"]
        method = getattr(self.objects[command["on"]], name, None)
        if method is None or name.startswith("_"):
            self.ended(number, None, Refused(f"{self.names[command['on']]} has no method {name!r}"))
        elif inspect.iscoroutinefunction(method):
            self.start(number, method(**command["args"]), f"{name} {number}")
        else:
            try:
                value = method(**command["args"])
            except outcomes.Outcome as failure:
                self.ended(number, None, failure)
            else:
                self.ended(number, value, None)

    def begin_callback(self, object_id, name, args, replied):
        self.next_callback += 1
        self.callbacks[self.next_callback] = replied
        self.emit({"callback": self.next_callback, "on": object_id, "name": name, "args": args})
        return self.next_callback


class Host:
    """A testee: `Host("asyncio", AsyncioTrial, libraries={...}).serve()`."""

    def __init__(self, name, trial_type, libraries=None, turns=True, seeded=False):
        self.trial_type = trial_type
        self.hello = {
            "protocol": 1,
            "name": name,
            "language": "Python " + platform.python_version(),
            "libraries": libraries or {},
            "turns": turns,
            "seeded": seeded,
            "subjects": [
                {"name": one[0], "contract": one[1], "features": list(one[2]), "cites": one[3]} for one in _subjects
            ],
        }
        self.trial = None
        self.trial_number = 0

    def answer(self, message):
        """The answer to one message."""
        if "hello" in message:
            return {"hello": self.hello}
        if "begin" in message:
            self._close()
            self.trial_number = message["begin"]["trial"]
            self.trial = self.trial_type(message["begin"]["seed"])
            return {"begun": {"trial": self.trial_number}}
        if "instant" in message:
            return {"instant": self._instant(message["instant"])}
        if "end" in message:
            left = self.trial.left()
            self._close()
            return {"ended": {"trial": message["end"]["trial"], "left": left}}
        raise ValueError(f"a message of no known kind: {', '.join(message)}")

    def _instant(self, instant):
        trial = self.trial
        if trial is None or instant["trial"] != self.trial_number:
            raise ValueError(f"an instant of trial {instant['trial']}, which has not begun")
        trial.events = []
        trial.now_set(instant["now"])
        if instant["run"]:
            trial.run(instant["commands"])
        else:
            trial.immediately(instant["commands"])
        return {
            "trial": instant["trial"],
            "number": instant["number"],
            "events": trial.events,
            "deadline": trial.deadline(),
        }

    def _close(self):
        if self.trial is not None:
            self.trial.close()
        self.trial = None

    def serve(self):
        """Speaks the protocol until standard input ends. Standard output is kept for it; prints go to standard error."""
        protocol = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        for line in os.fdopen(os.dup(0), "r", encoding="utf-8"):
            try:
                text = json.dumps(self.answer(json.loads(line)), separators=(",", ":"))
            except BaseException as failure:  # whatever it is, the harness is told, and the adapter's author sees where
                traceback.print_exc()
                text = json.dumps({"error": f"{type(failure).__name__}: {failure}"})
                protocol.write(text + "\n")
                protocol.flush()
                sys.exit(1)
            protocol.write(text + "\n")
            protocol.flush()
        self._close()
