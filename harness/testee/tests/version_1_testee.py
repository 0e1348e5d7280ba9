#!/usr/bin/env python3
"""A testee of version 1 of the protocol, as one was written when there was no other: it shares no line with the helpers of today, and
breaks off at anything that version does not have. Its one subject is a queue that nothing has to be run for."""

import json
import sys

MEMBERS = {
    "make": {"make", "subject", "config"},
    "call": {"call", "on", "method", "args"},
    "cancel": {"cancel"},
    "destroy": {"destroy"},
}


class Queue:
    def __init__(self, capacity):
        self.capacity = max(capacity, 1)
        self.items = []
        self.pushers = []  # (call, item)
        self.poppers = []
        self.events = []

    def done(self, call, **outcome):
        self.events.append({"done": call, "outcome": outcome})

    def call(self, call, method, args):
        if method == "size":
            self.done(call, kind="value", value=len(self.items))
        elif method == "push":
            self.pushers.append((call, args["item"]))
        elif method == "pop":
            self.poppers.append(call)
        else:
            self.events.append({"refused": call, "why": f"there is no {method}"})
        self.settle()

    def cancel(self, call):
        waiting = len(self.pushers) + len(self.poppers)
        self.pushers = [one for one in self.pushers if one[0] != call]
        self.poppers = [one for one in self.poppers if one != call]
        if len(self.pushers) + len(self.poppers) < waiting:
            self.done(call, kind="cancelled")

    def settle(self):
        while True:
            if self.pushers and len(self.items) < self.capacity:
                call, item = self.pushers.pop(0)
                self.items.append(item)
                self.done(call, kind="value")
            elif self.poppers and self.items:
                self.done(self.poppers.pop(0), kind="value", value=self.items.pop(0))
            else:
                return


class Testee:
    def __init__(self):
        self.queues = {}
        self.owners = {}  # of calls

    def answer(self, message):
        (kind, said), = message.items()
        if kind == "hello":
            if said["protocol"] != 1:
                return {"error": f"the protocol is 1 here, not {said['protocol']}"}
            subject = {"name": "Queue", "contract": "bounded_queue", "features": [], "cites": "itself"}
            return {"hello": {"protocol": 1, "name": "old", "language": "none", "subjects": [subject]}}
        if kind == "begin":
            self.__init__()
            return {"begun": {"trial": said["trial"]}}
        if kind == "end":
            return {"ended": {"trial": said["trial"], "left": []}}
        events = []
        for command in said["commands"]:
            name = next(iter(command))
            if set(command) != MEMBERS.get(name):
                return {"error": f"an unknown command: {command}"}
            events += self.perform(name, command)
        return {"instant": {"trial": said["trial"], "number": said["number"], "events": events, "deadline": None}}

    def perform(self, name, command):
        if name == "make":
            self.queues[command["make"]] = Queue(command["config"]["capacity"])
            return [{"done": command["make"], "outcome": {"kind": "value"}}]
        if name == "destroy":
            del self.queues[command["destroy"]]
            return []
        if name == "call":
            queue = self.queues[command["on"]]
            self.owners[command["call"]] = queue
            queue.call(command["call"], command["method"], command["args"])
        else:
            queue = self.owners[command["cancel"]]
            queue.cancel(command["cancel"])
        events, queue.events = queue.events, []
        return events


if __name__ == "__main__":
    testee = Testee()
    for line in sys.stdin:
        answer = testee.answer(json.loads(line))
        print(json.dumps(answer), flush=True)
        if "error" in answer:
            sys.exit(1)
