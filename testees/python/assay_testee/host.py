"""The protocol, whatever the runtime: lines, trials, objects, calls and callbacks."""

import gc
import inspect
import json
import os
import platform
import random
import signal
import sys
import traceback

from . import outcomes

PROTOCOL = 2  # and whatever is older: a harness that knows this version no more than the first gets the first

_subjects = []
dropped = []  # what refused to end: to let go of it is to ask it again, and it might never answer


def subject(name, contract, features=(), cites="", declines=None, retains=None):
    """Registers a class (or a function that makes an object) as a subject.

    It is called as `cls(env, config)` once for each object, `config` being the contract's configuration as a dict. `features`
    are those that the library's documentation promises; `cites` says where. A method that returns something to be awaited is an
    operation; what any other returns is its value at once. A method `destroy()` is called when the object is given up.

    `declines` are features that the library does not have by documented choice, each with where it says so. `retains` says that
    the query `retained()` tells how many entries the object keeps; a class that has such a method need not say it.
    """

    def register(make):
        about = {"name": name, "contract": contract, "features": list(features), "cites": cites}
        if declines:
            about["declines"] = dict(declines)
        if hasattr(make, "retained") if retains is None else retains:
            about["retains"] = True
        _subjects.append((about, make))
        return make

    return register


class Refused(Exception):
    """The subject has no such method."""


class Misused(Exception):
    """The adapter or the harness is wrong: not a matter of the subject."""


async def _awaited(awaitable):
    return await awaitable


def _told_later(value):
    """Takes back what was begun."""
    if inspect.iscoroutine(value):
        value.close()


class Env:
    """What surrounds a subject: the callbacks that the contract has connected it to, and the hook for failures."""

    def __init__(self, trial, object_id):
        self._trial = trial
        self._object = object_id

    async def call(self, name, /, **args):
        """Calls back, and waits. Raises the outcome; cancelling the caller asks the callback to stop, and waits for it."""
        return await self._trial.call_back(self._object, name, args)

    def tell(self, name, /, **args):
        """Calls back without waiting."""
        self._trial.emit({"tell": name, "on": self._object, "args": args})

    def unhandled(self, failure):
        """A failure that reached nobody else."""
        self._trial.emit({"unhandled": self._trial.outcome(failure)})

    def outcome(self, failure):
        """A failure as the protocol writes it, for arguments and values that hold one."""
        return self._trial.outcome(failure)


class Trial:
    """One trial, as a runtime drives it. A runtime derives from it:

    run(commands): does these commands, each when its turn has come, and runs until nothing more can happen (`perform` does one)
    start(call_id, coroutine): begins an operation, which calls ended() at its end
    cancel(call_id): asks it to stop
    now_set(ns), deadline(), left(), close()
    checkpoint(): one step of a caller that a cancellation can interrupt; a runtime that has none says None instead
    late: whether `run` does what the runtime's own loop does when it is late, and finds several timers due; then also
    later(deadline): the next three times for which timers are set behind the deadline, in order
    """

    checkpoint = None
    late = False

    cancelled = ()  # the runtime's own exceptions for that

    def __init__(self, seed):
        self.seed = seed
        self.events = []
        self.objects = {}
        self.names = {}
        self.looks = {}  # by object: the queries that are looked at
        self.thens = {}  # by call: how its caller's next step went
        self.callbacks = {}
        self.next_callback = 0
        self.asked = set()  # the callbacks that were asked to stop in this instant

    def emit(self, event):
        self.events.append(event)

    def outcome(self, failure, value=None):
        return outcomes.write(failure, value, self.cancelled)

    def ended(self, call_id, value, failure):
        if isinstance(failure, Refused):
            self.emit({"refused": call_id, "why": str(failure)})
        else:
            event = {"done": call_id, "outcome": self.outcome(failure, value)}
            if call_id in self.thens:
                event["then"] = self.thens.pop(call_id)
            self.emit(event)

    @staticmethod
    def collect():
        """Finds garbage, at the end of each run: a future whose failure nobody asked for tells it when it goes, and a generator
        that was left open is closed. True if something may have happened."""
        return gc.collect() > 0

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
            replied = self.callbacks.pop(command["reply"], None)
            if replied is None:
                raise Misused(f"a reply to the callback {command['reply']}, which is not open")
            replied(command["outcome"])
        elif "destroy" in command:
            gone = self.objects.pop(command["destroy"], None)
            self.looks.pop(command["destroy"], None)
            if hasattr(gone, "destroy"):
                gone.destroy()
        else:
            raise Misused(f"an unknown command: {command}")

    def make(self, command):
        number, name = command["make"], command["subject"]
        makers = [make for about, make in _subjects if about["name"] == name]
        if not makers:
            raise Misused(f"there is no subject {name!r}")
        self.names[number] = name
        try:
            self.objects[number] = makers[0](Env(self, number), command["config"])
        except Exception as failure:
            self.ended(number, None, failure)
        else:
            if "look" in command:
                self.looks[number] = command["look"]
            self.ended(number, None, None)

    def looked_at(self):
        """What the queries say that are looked at, by object. One that cannot say is left out."""
        return {str(number): self._look(self.objects[number], queries) for number, queries in self.looks.items()}

    @staticmethod
    def _look(made, queries):
        said = {}
        for name in queries:
            try:
                value = getattr(made, name)()
            except Exception:
                continue  # whoever calls it hears of that
            if inspect.isawaitable(value):
                _told_later(value)
            else:
                said[name] = value
        return said

    async def going_on(self, number, coroutine):
        """A caller that goes on after its call: `coroutine`, and then one step."""
        value = failure = None
        try:
            value = await coroutine
        except GeneratorExit:
            raise
        except BaseException as caught:
            failure = caught
        try:
            await self.checkpoint()
        except GeneratorExit:
            raise
        except BaseException as caught:
            self.thens[number] = self.outcome(caught)
        else:
            self.thens[number] = self.outcome(None)
        if failure is not None:
            raise failure
        return value

    def call(self, command):
        number, on, name, args = command["call"], command["on"], command["method"], command["args"]
        if on not in self.objects:
            raise Misused(f"{name!r} is called on {on}, which is not there")
        method = None if name.startswith("_") else getattr(self.objects[on], name, None)
        if method is None:
            self.ended(number, None, Refused(f"{self.names[on]} has no method {name!r}"))
            return
        self.names[number] = f"{self.names[on]}.{name}"
        try:
            value = method(**args)
        except TypeError as failure:
            self._check_arguments(method, args, self.names[number])
            self.ended(number, None, failure)
        except Exception as failure:
            self.ended(number, None, failure)
        else:
            if inspect.isawaitable(value):
                coroutine = value if inspect.iscoroutine(value) else _awaited(value)
                if command.get("then") == "checkpoint":
                    coroutine = self.going_on(number, coroutine)
                self.start(number, coroutine, f"{name} {number}")
            else:
                self.ended(number, value, None)

    @staticmethod
    def _check_arguments(method, args, name):
        try:
            inspect.signature(method).bind(**args)
        except TypeError as wrong:
            raise Misused(f"{name} does not take the contract's arguments: {wrong}") from None

    def begin_callback(self, object_id, name, args, replied):
        self.next_callback += 1
        self.callbacks[self.next_callback] = replied
        self.emit({"callback": self.next_callback, "on": object_id, "name": name, "args": args})
        return self.next_callback

    def ask_to_stop(self, callback):
        """Once an instant: a runtime may repeat a request in every turn until it is heeded."""
        if callback not in self.asked:
            self.asked.add(callback)
            self.emit({"cancel": callback})

    def source_of(self, event):
        """Whose event this is, in words."""
        if "done" in event:
            return self.names.get(event["done"], "a subject") + " ends with"
        return f"{self.names.get(event.get('on'), 'a subject')} sends"


class Host:
    """A testee: `Host("asyncio", AsyncioTrial, libraries={...}).serve()`."""

    def __init__(self, name, trial_type, libraries=None, turns=True, seeded=False):
        self.trial_type = trial_type
        self.hello = {
            "protocol": PROTOCOL,
            "name": name,
            "language": "Python " + platform.python_version(),
            "libraries": libraries or {},
            "turns": turns,
            "seeded": seeded,
            "looks": True,
            "checkpoint": trial_type.checkpoint is not None,
            "late": trial_type.late,
            "subjects": [about for about, _ in _subjects],
        }
        self.trial = None
        self.trial_number = 0

    # ---- messages

    def open(self):
        """Keeps standard input and output for the protocol; prints go to standard error, and there is nothing to be read."""
        self._protocol = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
        os.dup2(2, 1)
        sys.stdout = sys.stderr
        self._input = os.fdopen(os.dup(0), "r", encoding="utf-8")
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        # An interrupt from the keyboard is the harness's matter: a testee ends when its input does.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # When garbage is found must not depend on how much there is: see Trial.collect.
        gc.disable()

    def receive(self):
        """The next message; None at the end."""
        line = self._input.readline()
        return json.loads(line) if line else None

    def send(self, answer):
        try:
            line = json.dumps(answer, separators=(",", ":"), allow_nan=False)
        except (TypeError, ValueError, RecursionError) as failure:
            raise Misused(self._culprit(answer) or str(failure)) from None
        self._protocol.write(line + "\n")
        self._protocol.flush()

    def _culprit(self, answer):
        """Which event cannot be sent, and why."""
        for event in answer.get("instant", {}).get("events", []):
            try:
                json.dumps(event, allow_nan=False)
            except (TypeError, ValueError, RecursionError) as failure:
                return f"{self.trial.source_of(event)} what is not JSON: {failure}"
        return None

    # ---- what is answered

    def answer(self, message):
        """The answer to one message."""
        if not isinstance(message, dict):
            raise Misused("a message that is not an object")
        if "hello" in message:
            greeting = message["hello"]
            spoken = min(PROTOCOL, greeting.get("newest", greeting["protocol"]))
            return {"hello": self.hello | {"protocol": spoken}}
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
        raise Misused(f"a message of no known kind: {', '.join(message)}")

    def begun(self, begin):
        random.seed(begin["seed"])  # for libraries that take from it
        gc.collect()
        gc.freeze()  # what is there by now need not be looked at again
        self.trial = self.trial_type(begin["seed"])
        self.trial_number = begin["trial"]
        return {"begun": {"trial": begin["trial"]}}

    def open_instant(self, instant):
        if self.trial is None or instant["trial"] != self.trial_number:
            raise Misused(f"an instant of trial {instant['trial']}, which has not begun")
        self.trial.events = []
        self.trial.asked.clear()
        self.trial.now_set(instant["now"])

    def closed_instant(self, instant):
        deadline = self.trial.deadline() if instant["run"] else None
        answer = {
            "trial": instant["trial"],
            "number": instant["number"],
            "events": self.trial.events,
            "deadline": deadline,
        }
        if self.trial.late and deadline is not None and (later := self.trial.later(deadline)):
            answer["later"] = later
        if self.trial.looks:
            answer["looked_at"] = self.trial.looked_at()
        return {"instant": answer}

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
            said = str(failure) if isinstance(failure, Misused) else f"{type(failure).__name__}: {failure}"
            self.send({"error": said})
            sys.exit(1)
        if dropped:
            os._exit(0)

    def converse(self):
        while (message := self.receive()) is not None:
            self.send(self.answer(message))
        self.close()
