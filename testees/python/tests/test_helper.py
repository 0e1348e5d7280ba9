"""The helper against the protocol, without Assay: transcripts."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import unittest

HERE = pathlib.Path(__file__).resolve().parent
RUNTIMES = ("asyncio", "anyio", "trio")
MS = 1_000_000


class Testee:
    """A testee, and one trial in it with one object, the object 1."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "ignore", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | (environment or {}),
            cwd=HERE,
        )
        self.watchdog = threading.Timer(30, self.process.kill)  # it hangs: the test sees no answer
        self.watchdog.daemon = True
        self.watchdog.start()
        self.trial = self.number = self.id = self.now = 0
        self.transcript = []
        self.deadline = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()

    def ask_raw(self, line):
        self.process.stdin.write(line)
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        self.transcript.append(answer)
        if not answer:
            raise AssertionError("the testee has ended, or hangs")
        return json.loads(answer)

    def ask(self, message):
        return self.ask_raw(json.dumps(message, ensure_ascii=False).encode() + b"\n")

    def hello(self):
        return self.ask({"hello": {"protocol": 1, "harness": "a test"}})["hello"]

    def begin(self, seed=0, subject="odd", config=None):
        self.trial += 1
        self.number = self.now = 0
        self.id = 1
        self.ask({"begin": {"trial": self.trial, "seed": seed}})
        return self.instant({"make": 1, "subject": subject, "config": config or {}}, run=False)

    def instant(self, *commands, run=True, now=None):
        """The events."""
        self.number += 1
        self.now = self.now if now is None else now
        message = {"trial": self.trial, "number": self.number, "now": self.now, "run": run, "commands": list(commands)}
        answer = self.ask({"instant": message})
        if "error" in answer:
            return answer
        self.deadline = answer["instant"]["deadline"]
        self.later = answer["instant"].get("later")
        self.looked_at = answer["instant"].get("looked_at")
        return answer["instant"]["events"]

    def command(self, method, after=0, **args):
        self.id += 1
        extra = {"after": after} if after else {}
        return {"call": self.id, "on": 1, "method": method, "args": args} | extra

    def call(self, method, run=True, now=None, **args):
        return self.instant(self.command(method, **args), run=run, now=now)

    def said(self):
        return self.call("said", run=False)[0]["outcome"]["value"]

    def end(self):
        return self.ask({"end": {"trial": self.trial}})["ended"]["left"]

    def close(self):
        """The exit status and standard error."""
        self.process.stdin.close()
        errors = self.process.stderr.read().decode()
        return self.process.wait(timeout=10), errors


def odd(runtime, **environment):
    return Testee(["odd_testee.py", runtime], environment)


def done(number, **outcome):
    return {"done": number, "outcome": outcome}


class EveryRuntime(unittest.TestCase):
    """Each test is done with each runtime."""

    def each(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime), odd(runtime) as testee:
                self.runtime = runtime
                testee.begin()
                yield testee


class Calls(EveryRuntime):
    def test_hello(self):
        for testee in self.each():
            hello = testee.hello()
            self.assertEqual(hello["protocol"], 1)  # the harness of the test says nothing of a newer one
            self.assertTrue(hello["looks"])
            self.assertTrue(hello["checkpoint"])
            self.assertTrue(hello["late"])
            self.assertEqual(hello["seeded"], self.runtime == "trio")
            self.assertEqual(
                hello["subjects"], [{"name": "odd", "contract": "bounded_queue", "features": ["Größe"], "cites": "–"}]
            )

    def test_the_newest_version_is_spoken_that_both_know(self):
        for testee in self.each():
            for newest, spoken in ((1, 1), (2, 2), (7, 2)):
                hello = testee.ask({"hello": {"protocol": 1, "newest": newest, "harness": "a test"}})["hello"]
                self.assertEqual(hello["protocol"], spoken)

    def test_queries_are_looked_at_after_every_instant(self):
        for testee in self.each():
            testee.instant({"make": 50, "subject": "odd", "config": {}, "look": ["said", "breaks", "at_once", "no_such"]}, run=False)
            self.assertEqual(testee.looked_at, {"50": {"said": []}})
            testee.call("at_once")
            self.assertEqual(testee.looked_at, {"50": {"said": []}})
            testee.instant({"destroy": 50}, run=False)
            self.assertIsNone(testee.looked_at)

    def test_a_caller_goes_on_after_its_call(self):
        level = {"kind": "cancelled"}
        for testee in self.each():
            # A scope stays cancelled in Trio and anyio; asyncio's request is made once.
            after_cancel = {"kind": "value"} if self.runtime == "asyncio" else level
            self.assertEqual(
                testee.instant(testee.command("at_once") | {"then": "checkpoint"}),
                [done(2, kind="value", value=7) | {"then": {"kind": "value"}}],
            )
            waits = testee.command("wait") | {"then": "checkpoint"}
            self.assertEqual(testee.instant(waits), [])
            ended = testee.instant({"cancel": waits["call"]})
            self.assertEqual(ended, [done(3, kind="cancelled") | {"then": after_cancel}])
            never_begun = testee.command("wait") | {"then": "checkpoint"}
            ended = testee.instant(never_begun, {"cancel": never_begun["call"]})
            self.assertEqual([one["outcome"] for one in ended], [{"kind": "cancelled"}])
            self.assertEqual(testee.end(), [])

    def test_an_operation_is_done_and_a_make_as_well(self):
        for testee in self.each():
            self.assertEqual(testee.begin(), [done(1, kind="value")])
            self.assertEqual(testee.call("at_once"), [done(2, kind="value", value=7)])

    def test_a_make_that_fails_ends_in_the_librarys_words(self):
        for testee in self.each():
            events = testee.begin(config={"fails": True})
            self.assertEqual(events, [done(1, kind="error", label="OSError: no room")])

    def test_an_immediate_call_runs_nothing_else(self):
        for testee in self.each():
            self.assertEqual(testee.call("at_once", run=False), [])
            self.assertEqual(testee.said(), [])
            self.assertEqual(testee.instant(), [done(2, kind="value", value=7)])
            self.assertEqual(testee.said(), ["at_once"])

    def test_every_kind_of_outcome(self):
        outcomes = {
            "error": {"kind": "error", "label": "boom"},
            "closed": {"kind": "closed"},
            "timed_out": {"kind": "timed_out"},
            "rejected": {"kind": "rejected", "label": "full"},
            "broken": {"kind": "broken", "label": "pipe"},
            "cancelled": {"kind": "cancelled"},
            "exit": {"kind": "exit", "status": 3},
            "interrupt": {"kind": "error", "label": "KeyboardInterrupt: "},
            "generator": {"kind": "error", "label": "GeneratorExit: "},
            "own": {"kind": "error", "label": "OSError: no room"},
            "aggregate": {
                "kind": "aggregate",
                "members": [
                    {"task": "ä", "what": {"kind": "error", "label": "a fails"}},
                    {"task": "b", "what": {"kind": "closed"}},
                ],
            },
            "group": {
                "kind": "aggregate",
                "members": [
                    {"task": "", "what": {"kind": "error", "label": "a fails"}},
                    {"task": "", "what": {"kind": "error", "label": "ValueError: b"}},
                ],
            },
        }
        for testee in self.each():
            for kind, outcome in outcomes.items():
                self.assertEqual(testee.call("ends_with", kind=kind), [done(testee.id, **outcome)])
            self.assertEqual(testee.end(), [])

    def test_an_immediate_call_that_fails_is_an_outcome(self):
        for testee in self.each():
            self.assertEqual(testee.call("breaks", run=False), [done(2, kind="error", label="KeyError: 'no such thing'")])

    def test_a_wrapped_operation_is_one(self):
        for testee in self.each():
            self.assertEqual(testee.call("wrapped"), [])
            self.assertEqual(testee.instant({"cancel": 2}), [done(2, kind="cancelled")])

    def test_what_there_is_not_is_refused(self):
        for testee in self.each():
            for name in ("sideways", "_hidden", "__init__"):
                refused = {"refused": testee.id + 1, "why": f"odd has no method '{name}'"}
                self.assertEqual(testee.call(name), [refused])

    def test_names_that_are_not_ascii_come_back(self):
        for testee in self.each():
            word = "Größe – 名前 🙂 \u2028"
            self.assertEqual(testee.call("echo", run=False, value=word), [done(2, kind="value", value=word)])

    def test_prints_do_not_disturb(self):
        for testee in self.each():
            self.assertEqual(testee.call("prints", run=False), [done(2, kind="value", value="")])
            status, errors = testee.close()
            self.assertEqual(status, 0)
            for word in ("a stray word", "another", "and a third"):
                self.assertIn(word, errors)

    def test_tell_and_unhandled(self):
        for testee in self.each():
            self.assertEqual(
                testee.call("tells", run=False, value=5), [{"tell": "told", "on": 1, "args": {"name": 5}}, done(2, kind="value")]
            )
            self.assertEqual(
                testee.call("hook", run=False), [{"unhandled": {"kind": "error", "label": "lost"}}, done(3, kind="value")]
            )

    def test_destroy(self):
        for testee in self.each():
            self.assertEqual(testee.instant({"destroy": 1}, run=False), [])
            self.assertIn("'at_once' is called on 1, which is not there", testee.call("at_once")["error"])
            status, errors = testee.close()
            self.assertEqual(status, 1)
            self.assertIn("destroyed", errors)


class Cancelling(EveryRuntime):
    def test_a_cancel_while_it_waits(self):
        for testee in self.each():
            self.assertEqual(testee.call("wait"), [])
            self.assertIsNone(testee.deadline)
            self.assertEqual(testee.instant({"cancel": 2}), [done(2, kind="cancelled")])
            self.assertEqual(testee.said(), ["stopped"])
            self.assertEqual(testee.instant({"cancel": 2}), [])
            self.assertEqual(testee.end(), [])

    def test_a_cancel_before_it_begins(self):
        for testee in self.each():
            self.assertEqual(testee.instant(testee.command("wait"), {"cancel": 2}), [done(2, kind="cancelled")])
            # asyncio never begins it; a scope lets it run until it waits
            self.assertEqual(testee.said(), [] if self.runtime == "asyncio" else ["stopped"])

    def test_a_cancel_after_a_turn(self):
        for testee in self.each():
            events = testee.instant(testee.command("wait"), {"cancel": 2, "after": 1})
            self.assertEqual(events, [done(2, kind="cancelled")])
            self.assertEqual(testee.said(), ["stopped"])

    def test_turns_are_counted(self):
        for testee in self.each():
            passes = []
            for turns in (1, 2, 6):
                testee.instant(testee.command("passes"), {"cancel": testee.id, "after": turns})
                passes.append(len(testee.said()))
            self.assertEqual([passes[1] - passes[0], passes[2] - passes[1]], [1, 4])

    def test_a_scope_stays_cancelled_and_a_task_does_not(self):
        for testee in self.each():
            testee.call("waits_twice")
            events = testee.instant({"cancel": 2})
            self.assertEqual(events, [] if self.runtime == "asyncio" else [done(2, kind="value")])
            self.assertEqual(testee.said(), ["asked"] if self.runtime == "asyncio" else ["asked", "asked"])

    def test_turns_that_nobody_needs_pass_at_once(self):
        for testee in self.each():
            events = testee.instant(testee.command("at_once", after=40), testee.command("echo", value=1))
            self.assertEqual([event["done"] for event in events], [3, 2])


class Callbacks(EveryRuntime):
    ASKED = {"callback": 1, "on": 1, "name": "run", "args": {"number": 1}}

    def test_a_reply_is_what_the_caller_gets(self):
        outcomes = [
            {"kind": "value", "value": 5},
            {"kind": "value"},
            {"kind": "error", "label": "ä fails"},
            {"kind": "closed"},
            {"kind": "exit", "status": 4},
            {"kind": "aggregate", "members": [{"task": "a", "what": {"kind": "cancelled"}}]},
        ]
        for testee in self.each():
            for number, outcome in enumerate(outcomes, 1):
                self.assertEqual(testee.call("call", name="run"), [self.ASKED | {"callback": number}])
                self.assertEqual(testee.instant({"reply": number, "outcome": outcome}), [done(number + 1, **outcome)])

    def test_a_cancel_asks_the_callback_once_and_waits_for_its_reply(self):
        replies = [{"kind": "cancelled"}, {"kind": "value", "value": 3}, {"kind": "error", "label": "too late"}]
        for testee in self.each():
            for number, outcome in enumerate(replies, 1):
                testee.call("call", name="run")
                self.assertEqual(testee.instant({"cancel": testee.id}), [{"cancel": number}])
                self.assertEqual(testee.instant(now=testee.now + MS), [])
                self.assertEqual(testee.instant({"reply": number, "outcome": outcome}), [done(testee.id, **outcome)])

    def test_a_callback_is_asked_once_in_an_instant(self):
        for testee in self.each():
            testee.call("call", name="run")
            events = testee.instant({"cancel": 2}, {"cancel": 2, "after": 3})
            self.assertEqual(events, [{"cancel": 1}])
            # Later asyncio asks again; a scope has been cancelled already.
            self.assertEqual(testee.instant({"cancel": 2}), [{"cancel": 1}] if self.runtime == "asyncio" else [])

    def test_a_reply_and_a_cancel_at_once(self):
        for testee in self.each():
            testee.call("call", name="run")
            events = testee.instant({"reply": 1, "outcome": {"kind": "value", "value": 3}}, {"cancel": 2})
            self.assertEqual(events, [done(2, kind="value", value=3)])

    def test_a_callback_that_gave_up_by_itself(self):
        for testee in self.each():
            testee.call("call", name="run")
            events = testee.instant({"reply": 1, "outcome": {"kind": "cancelled"}})
            # A task that gives up is cancelled in asyncio; in the others only a scope can be.
            self.assertEqual(events, [done(2, kind="cancelled" if self.runtime == "asyncio" else "value")])

    def test_a_reply_that_nobody_waits_for(self):
        for testee in self.each():
            answer = testee.instant({"reply": 9, "outcome": {"kind": "value"}})
            self.assertEqual(answer["error"], "a reply to the callback 9, which is not open")


class Time(EveryRuntime):
    def test_a_late_loop_fires_all_that_is_due_as_the_runtime_does(self):
        for testee in self.each():
            for milliseconds in (10, 30, 20, 80):
                testee.call("sleep", seconds=milliseconds / 1000)
            testee.call("wait")
            self.assertEqual(testee.deadline, 10 * MS)
            self.assertEqual(testee.later, [20 * MS, 30 * MS, 80 * MS])
            ended = [event["done"] for event in testee.call("at_once", now=50 * MS)]
            if self.runtime == "trio":  # what is ready by then runs in any order
                self.assertEqual(sorted(ended), [2, 3, 4, 7])
            else:
                self.assertEqual(ended, [7, 2, 4, 3])
            self.assertEqual(testee.deadline, 80 * MS)
            self.assertIsNone(testee.later)
            self.assertEqual(testee.instant(now=90 * MS), [done(5, kind="value")])

    def test_a_timer_is_the_deadline_and_fires_at_it(self):
        for testee in self.each():
            self.assertEqual(testee.call("sleep", seconds=0.005), [])
            self.assertEqual(testee.deadline, 5 * MS)
            self.assertEqual(testee.instant(now=5 * MS - 1), [])
            self.assertEqual(testee.instant(now=5 * MS), [done(2, kind="value")])
            self.assertIsNone(testee.deadline)

    def test_fractions_of_a_second_meet(self):
        # 0.1 + 0.2 is more than 0.3 in binary.
        for testee in self.each():
            for start, tenths in ((1, 2), (7, 1), (11, 3), (4321, 7)):
                testee.instant(now=testee.now + start * 100 * MS)
                self.assertEqual(testee.call("sleep_later", seconds=tenths / 10), [])
                due = testee.now + tenths * 100 * MS
                self.assertEqual(testee.deadline, due)
                self.assertEqual(testee.instant(now=due), [done(testee.id, kind="value")])

    def test_who_looks_at_the_clock_when_his_timer_fires_finds_that_it_is_time(self):
        # 0.025 + 0.005 is more than 0.03 in binary, and anyio on asyncio compares.
        for testee in self.each():
            for start in range(0, 100, 5):
                testee.instant(now=start * MS)
                self.assertEqual(testee.call("moves_on", seconds=0.005), [])
                self.assertEqual(testee.instant(now=(start + 5) * MS), [done(testee.id, kind="value")])

    def test_what_never_fires_is_no_deadline_and_what_is_far_away_is_early(self):
        for testee in self.each():
            testee.call("sleep", seconds=1e9)
            self.assertEqual(testee.deadline, 2**53 - 1)

    def test_commands_come_before_what_is_due(self):
        for testee in self.each():
            testee.call("sleep", seconds=0.005)
            events = testee.instant({"cancel": 2}, now=5 * MS)
            self.assertEqual(events, [done(2, kind="cancelled")])
            for seed in range(10):
                testee.begin(seed=seed)
                testee.call("sleep_later", seconds=0.005)
                events = testee.call("at_once", now=5 * MS)
                self.assertEqual([event["done"] for event in events], [3, 2])

    def test_very_many_tasks(self):
        for testee in self.each():
            self.assertEqual(testee.call("many", count=5000), [])
            self.assertEqual(testee.instant(now=MS), [done(2, kind="value", value=5000)])


class End(EveryRuntime):
    def test_what_is_left_is_told(self):
        for testee in self.each():
            testee.call("sleep", seconds=3)
            left = testee.end()
            self.assertEqual(left[1:], ["a timer due at 3000000000 ns"])
            self.assertEqual(left[0], "the task 'sleep 2'")

    def test_a_trial_without_an_end_is_thrown_away(self):
        for testee in self.each():
            testee.call("cleans_up")
            self.assertEqual(testee.begin(), [done(1, kind="value")])
            self.assertEqual(testee.instant(), [])
            self.assertEqual(testee.end(), [])
            self.assertEqual(testee.close(), (0, ""))

    def test_what_refuses_to_end_disturbs_no_later_trial(self):
        for begins_anew in (False, True):
            for testee in self.each():
                testee.call("refuses")
                if not begins_anew:
                    self.assertIn("the task 'refuses 2'", testee.end())
                self.assertEqual(testee.begin(), [done(1, kind="value")])
                self.assertEqual(testee.call("at_once"), [done(2, kind="value", value=7)])
                self.assertEqual(testee.end(), [])
                self.assertEqual(testee.close()[0], 0)

    def test_the_end_of_input_is_the_end(self):
        for testee in self.each():
            testee.call("wait")
            self.assertEqual(testee.close()[0], 0)

    def test_an_interrupt_is_the_harnesss_matter(self):
        for testee in self.each():
            testee.process.send_signal(signal.SIGINT)
            self.assertEqual(testee.call("at_once"), [done(2, kind="value", value=7)])
            self.assertEqual(testee.close()[0], 0)

    def test_there_are_no_threads(self):
        with odd("asyncio") as testee:
            testee.begin()
            label = "NotImplementedError: a thread would not be under virtual time"
            self.assertEqual(testee.call("thread"), [done(2, kind="error", label=label)])

    def test_a_generator_that_was_left_open_is_closed(self):
        for testee in self.each():
            testee.call("leaves_generator")
            # In Trio its cleanup is cancelled, as documented.
            self.assertEqual(testee.said(), ["closing"] if self.runtime == "trio" else ["closing", "closed"])
            self.assertEqual(testee.end(), [])

    def test_a_failure_that_nobody_asked_for_is_told(self):
        for testee in self.each():
            if self.runtime != "trio":
                events = testee.call("leaves")
                self.assertEqual(events[1:], [{"unhandled": {"kind": "error", "label": "never asked"}}])


class Errors(EveryRuntime):
    def fails(self, testee, answer, said):
        self.assertEqual(list(answer), ["error"])
        self.assertIn(said, answer["error"])
        self.assertEqual(testee.close()[0], 1)

    def test_a_line_that_is_not_json(self):
        for testee in self.each():
            self.fails(testee, testee.ask_raw(b"{nonsense\n"), "JSONDecodeError")

    def test_a_line_that_is_not_utf8(self):
        for testee in self.each():
            self.fails(testee, testee.ask_raw(b'{"\xff": 1}\n'), "UnicodeDecodeError")

    def test_a_message_of_no_known_kind(self):
        for testee in self.each():
            self.fails(testee, testee.ask({"goodbye": 1}), "a message of no known kind: goodbye")

    def test_an_instant_of_another_trial(self):
        for testee in self.each():
            testee.trial = 9
            self.fails(testee, testee.instant(), "an instant of trial 9, which has not begun")

    def test_values_that_are_not_json(self):
        for method, args in (("what_is_no_json", {}), ("not_a_number", {})):
            for testee in self.each():
                self.fails(testee, testee.call(method, **args), f"odd.{method} ends with what is not JSON")

    def test_arguments_that_a_method_does_not_take(self):
        for testee in self.each():
            self.fails(testee, testee.call("echo", worth=1), "odd.echo does not take the contract's arguments")

    def test_an_exit_in_an_immediate_call(self):
        for testee in self.each():
            self.fails(testee, testee.call("exits", run=False), "SystemExit: 3")


class Determinism(unittest.TestCase):
    NAMES = ["a", "b", "c", "d", "e", "f", "g", "h"]

    def orders(self, testee, seeds):
        orders = []
        for seed in seeds:
            testee.begin(seed=seed)
            testee.call("race", names=self.NAMES)
            testee.instant(now=MS)
            orders.append(testee.said())
            testee.call("stops", names=self.NAMES)
            testee.said()
            testee.call("chance", run=False)
            testee.call("wait")
            testee.end()
        return orders

    def test_two_processes_and_two_runs_say_the_same(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime):
                transcripts = []
                for hash_seed in ("1", "2", "random"):
                    with odd(runtime, PYTHONHASHSEED=hash_seed) as testee:
                        self.orders(testee, range(20))
                        first = testee.transcript
                        testee.transcript = []
                        testee.trial = 0
                        self.orders(testee, range(20))
                        self.assertEqual(testee.transcript, first)
                        transcripts.append(first)
                self.assertEqual(transcripts[0], transcripts[1])
                self.assertEqual(transcripts[0], transcripts[2])

    def test_the_seed_decides_trios_order_and_nothing_elses(self):
        for runtime in RUNTIMES:
            with self.subTest(runtime), odd(runtime) as testee:
                orders = self.orders(testee, range(20))
                self.assertTrue(all(sorted(order) == self.NAMES for order in orders))
                different = {tuple(order) for order in orders}
                self.assertGreater(len(different), 1) if runtime == "trio" else self.assertEqual(len(different), 1)

    def test_names_of_tasks_do_not_depend_on_earlier_trials(self):
        with odd("asyncio") as testee:
            said = []
            for _ in range(2):
                testee.begin()
                testee.call("race", names=self.NAMES)
                said.append(testee.end())
            self.assertEqual(said[0], said[1])
            self.assertEqual(len(said[0]), 10)


if __name__ == "__main__":
    unittest.main()
