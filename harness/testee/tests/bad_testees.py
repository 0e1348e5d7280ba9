#!/usr/bin/env python3
"""Testees that are bad on purpose, a few lines each: `bad_testees.py NAME`.

Each hosts a queue that conforms, and does what its name says when it is asked for `join`: clauses that do not ask are not
concerned. Those whose name begins with "hello_" are bad from the start.
"""

import os
import pathlib
import signal
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[3] / "testees" / "python"))

import asyncio  # noqa: E402

from assay_testee import Host, subject  # noqa: E402
from assay_testee.asyncio_trial import AsyncioTrial  # noqa: E402


@subject("Queue", contract="bounded_queue", features=["try", "join"])
class Queue:
    def __init__(self, env, config):
        self.queue = asyncio.Queue(max(config["capacity"], 1))

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
        self.queue.task_done()

    async def join(self):
        await self.queue.join()


class BadHost(Host):
    """What is bad about an answer is done to it, or instead of it."""

    answers = 0

    def converse(self):
        while (message := self.receive()) is not None:
            self.answers += 1
            answer = self.answer(message)
            commands = message.get("instant", {}).get("commands", [])
            asked = any(command.get("method") == "join" for command in commands)
            name = sys.argv[1]
            if name == "overshoots_unseen" and "hello" in message:
                answer["hello"]["looks"] = False
            if name.startswith("hello_"):
                if "hello" in message:
                    answer = BAD[name](self, answer["hello"])
            elif asked or name in ALWAYS and commands:
                answer = (BAD | BAD_QUEUES)[name](self, answer["instant"])
            if answer is not None:
                self.send(answer)

    def write(self, text):
        self._protocol.write(text)
        self._protocol.flush()


def with_event(event):
    def add(host, instant):
        instant["events"].append(event)
        return {"instant": instant}

    return add


def with_member(name, value, wrapper="instant"):
    def change(host, message):
        message[name] = value(message) if callable(value) else value
        return {wrapper: message}

    return change


def crash(host, instant):
    print("about to crash", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)


def exit_3(host, instant):
    print("I give up", file=sys.stderr, flush=True)
    os._exit(3)


def hang(host, instant):
    time.sleep(3600)


def close_output(host, instant):
    host._protocol.close()
    time.sleep(3600)


def line_without_end(host, instant):
    while True:
        host.write("x" * 65536)


def line_of_100_mb(host, instant):
    host.write('{"instant": {"more": "')
    for _ in range(1600):
        host.write("x" * 65536)
    host.write('"}}\n')


def end_in_a_line(host, instant):
    host.write('{"instant": {"tri')
    os._exit(0)


def twice(host, instant):
    host.send({"instant": instant})
    return {"instant": instant}


def without_done(host, instant):
    instant["events"] = []
    return {"instant": instant}


def looked_at(what):
    """Tells that it has looked at the object 1, which the scenario's queue is, and seen this."""

    def tell(host, instant):
        instant["looked_at"] = what
        return {"instant": instant}

    return tell


def last_done(instant):
    return max((event["done"] for event in instant["events"] if "done" in event), default=1)


BAD = {
    "crash": crash,
    "exit_3": exit_3,
    "hang": hang,
    "close_output": close_output,
    "rubbish": lambda host, instant: host.write("Segmentation fault, said the testee\n"),
    "no_object": lambda host, instant: host.write("[1, 2]\n"),
    "not_utf8": lambda host, instant: host._protocol.buffer.write(b'{"instant": "\xff\xfe"}\n') and host.write("") or None,
    "line_without_end": line_without_end,
    "line_of_100_mb": line_of_100_mb,
    "end_in_a_line": end_in_a_line,
    "twice": twice,
    "other_trial": with_member("trial", lambda instant: instant["trial"] + 1),
    "earlier_trial": with_member("trial", lambda instant: instant["trial"] - 1),
    "earlier_instant": with_member("number", lambda instant: instant["number"] - 1),
    "other_answer": lambda host, instant: {"ended": {"trial": instant["trial"]}},
    "back_in_time": with_member("deadline", -1),
    "late_deadline": with_member("deadline", "soon"),
    "no_deadline": lambda host, instant: instant.pop("deadline") and None or {"instant": instant},
    "no_events": lambda host, instant: instant.pop("events") and None or {"instant": instant},
    "unknown_event": with_event({"surprise": 1}),
    "unknown_outcome": with_event({"done": 1, "outcome": {"kind": "perhaps"}}),
    "deep_outcome": lambda host, instant: with_event({"unhandled": nested(300)})(host, instant),
    "unknown_call": with_event({"done": 4711, "outcome": {"kind": "value"}}),
    "ends_twice": with_event({"done": 1, "outcome": {"kind": "value"}}),
    "refuses": lambda host, instant: with_event({"refused": last_asked(host), "why": "Queue has no method 'join'"})(host, instant),
    "unknown_callback": with_event({"callback": 1, "on": 1, "name": "surprise", "args": {}}),
    "callback_on_nothing": with_event({"callback": 1, "on": 4711, "name": "run", "args": {}}),
    "tells_nonsense": with_event({"tell": "surprise", "on": 1, "args": {}}),
    "complains": lambda host, instant: {"error": "the adapter is not finished"},
    "looks_elsewhere": looked_at({"4711": {"size": 0}}),
    "looks_at_a_name": looked_at({"Queue": {"size": 0}}),
    "looks_at_text": looked_at({"1": {"size": "none"}}),
    # These are bad whatever they are asked.
    "without_done": without_done,
    "strange_item": lambda host, instant: strange_item(instant),
    "item_of_text": lambda host, instant: strange_item(instant, "five"),
    "always_crash": crash,
    "hello_rubbish": lambda host, hello: host.write("Welcome to the testee!\n"),
    "hello_version": with_member("protocol", 3, "hello"),
    "hello_no_subjects": with_member("subjects", [], "hello"),
    "hello_contract": lambda host, hello: {"hello": hello | {"subjects": [{"name": "Q", "contract": "no_such_contract"}]}},
    "hello_name": with_member("name", "a name with blanks", "hello"),
    "hello_feature": lambda host, hello: {"hello": hello | {"subjects": [hello["subjects"][0] | {"features": ["joins"]}]}},
    "hello_unseen": lambda host, hello: {
        "hello": hello | {"subjects": [hello["subjects"][0] | {"features": ["checked_destruction"]}]}
    },
    "hello_declines": lambda host, hello: {
        "hello": hello | {"subjects": [hello["subjects"][0] | {"declines": {"rendez_vous": "so the manual"}}]}
    },
    "hello_both": lambda host, hello: {
        "hello": hello | {"subjects": [hello["subjects"][0] | {"declines": {"join": "so the manual"}}]}
    },
    "hello_sticky": lambda host, hello: {
        "hello": hello | {"subjects": [hello["subjects"][0] | {"features": ["sticky_request"]}]}
    },
    "hello_twins": lambda host, hello: {"hello": hello | {"subjects": hello["subjects"] * 2}},
    "hello_changes": lambda host, hello: {"hello": hello | {"language": "process %d" % os.getpid()}},
    "hello_exit": exit_3,
    "hello_hang": hang,
}
# These speak the protocol as it is; what is bad is the queue.
BAD_QUEUES = {
    "overshoots": looked_at({"1": {"size": 1000}}),
    "overshoots_unseen": lambda host, instant: {"instant": instant},
}
ALWAYS = {"without_done", "strange_item", "item_of_text", "always_crash"}


def nested(depth):
    outcome = {"kind": "error", "label": "deep"}
    for _ in range(depth):
        outcome = {"kind": "aggregate", "members": [{"task": "t", "what": outcome}]}
    return outcome


def last_asked(host):
    return max(host.trial.tasks, default=0)


def strange_item(instant, item=4711):
    for event in instant["events"]:
        if event.get("outcome", {}).get("value") is not None:
            event["outcome"]["value"] = item
    return {"instant": instant}


if __name__ == "__main__":
    BadHost("bad", AsyncioTrial).serve()
