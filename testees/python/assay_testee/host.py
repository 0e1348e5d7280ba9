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

    run(commands): does these commands, each when its turn has come, and runs until nothing more can happen (`perform` does one)
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

    def immediately(self, commands):
        for command in commands:
            self.perform(command)

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

    def ask_to_stop(self, callback):
        """Once an instant: a runtime may repeat a request in every turn until it is heeded."""
        event = {"cancel": callback}
        if event not in self.events:
            self.emit(event)


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

    # ---- messages

    def open(self):
        """Keeps standard output for the protocol; prints go to standard error."""
        self._protocol = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._input = os.fdopen(os.dup(0), "r", encoding="utf-8")

    def receive(self):
        """The next message; None at the end."""
        line = self._input.readline()
        return json.loads(line) if line else None

    def send(self, answer):
        self._protocol.write(json.dumps(answer, separators=(",", ":")) + "\n")
        self._protocol.flush()

    # ---- what is answered

    def answer(self, message):
        """The answer to one message."""
        if "hello" in message:
            return {"hello": self.hello}
        if "begin" in message:
            self.close()
            return self.begun(message["begin"])
        if "instant" in message:
            instant = message["instant"]
            self.open_instant(instant)
            if instant["run"]:
                self.trial.run(instant["commands"])
            else:
                self.trial.immediately(instant["commands"])
            return self.closed_instant(instant)
        if "end" in message:
            return self.ended(message["end"])
        raise ValueError(f"a message of no known kind: {', '.join(message)}")

    def begun(self, begin):
        self.trial = self.trial_type(begin["seed"])
        self.trial_number = begin["trial"]
        return {"begun": {"trial": begin["trial"]}}

    def open_instant(self, instant):
        if self.trial is None or instant["trial"] != self.trial_number:
            raise ValueError(f"an instant of trial {instant['trial']}, which has not begun")
        self.trial.events = []
        self.trial.now_set(instant["now"])

    def closed_instant(self, instant):
        deadline = self.trial.deadline() if instant["run"] else None
        return {
            "instant": {
                "trial": instant["trial"],
                "number": instant["number"],
                "events": self.trial.events,
                "deadline": deadline,
            }
        }

    def ended(self, end):
        left = [] if self.trial is None else self.trial.left()
        self.close()
        return {"ended": {"trial": end["trial"], "left": left}}

    def close(self):
        if self.trial is not None:
            self.trial.close()
        self.trial = None

    # ---- the loop

    def serve(self):
        """Speaks the protocol until standard input ends."""
        self.open()
        try:
            self.converse()
        except BaseException as failure:  # whatever it is, the harness is told, and the adapter's author sees where
            traceback.print_exc()
            self.send({"error": f"{type(failure).__name__}: {failure}"})
            sys.exit(1)

    def converse(self):
        while (message := self.receive()) is not None:
            self.send(self.answer(message))
        self.close()
