"""Testees that break, driven through the command: each gets its named error, and costs nobody else a verdict.

Environment: ASSAY (the command), ASSAY_SANITIZED (the build's sanitizers).
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import jsonschema

ASSAY = os.path.abspath(os.environ.get("ASSAY", "build/release/assay"))
HERE = pathlib.Path(__file__).parent
TREE = HERE.parents[2]
BAD = HERE / "bad_testees.py"
ASYNCIO = f"{sys.executable} {TREE / 'testees' / 'python' / 'asyncio_testee.py'}"
PATIENCE = "10" if os.environ.get("ASSAY_SANITIZED") else "2"  # seconds of real time until a testee hangs


def bad(name):
    return f"{sys.executable} {BAD} {name}"


def call(*arguments, cwd=None):
    return subprocess.run([ASSAY, *arguments], capture_output=True, text=True, timeout=600, cwd=cwd)


def run(name, *arguments):
    done = call("run", "--testee", bad(name), "--kind", "third-party", "--subject", "bad", "--format", "json", "--schedules", "3",
                "--testee-patience", PATIENCE, *(arguments or ("--clause", "BQ-1", "--clause", "BQ-17")))
    return done, json.loads(done.stdout) if done.stdout else None


# What each says when it is asked to join. What a message names beside that is matched as far as it is the same everywhere.
WORDS = {
    "crash": r"the testee 'bad' was ended by SIGSEGV \(Segmentation fault\); its stderr: about to crash",
    "exit_3": r"the testee 'bad' ended itself with exit status 3; its stderr: I give up",
    "hang": r"the testee 'bad' hangs: it has not answered for \d+ ms of real time",
    "close_output": r"the testee 'bad' closed its output",
    "rubbish": r"wrote a line that is no JSON: 'Segmentation fault, said the testee'",
    "no_object": r"wrote a line that is no JSON object: '\[1, 2\]'",
    "not_utf8": r"wrote a line that is no JSON",
    "line_without_end": r"writes a line without end \(16 MiB so far\)",
    "line_of_100_mb": r"writes a line without end \(16 MiB so far\)",
    "end_in_a_line": r"ended itself with exit status 0 in the midst of a line",
    "twice": r"wrote a line that nobody had asked for: '{\"instant\"|answers instant \d+ again",
    "other_trial": r"answers for trial (\d+) in trial (\d+)",
    "earlier_trial": r"answers for trial (\d+) in trial (\d+)",
    "earlier_instant": r"answers instant \d+ again when it was asked instant \d+",
    "other_answer": r"did not answer with 'instant' but with '{\"ended\"",
    "back_in_time": r"has a deadline at -1 ns when everything until \d+ ns has been run",
    "late_deadline": r"sent no integer as 'deadline'",
    "no_deadline": r"sent a message without 'deadline'",
    "no_events": r"sent a message without 'events'",
    "unknown_event": r"sent an event of no known kind: '{\"surprise\":1}'",
    "deep_outcome": r"the testee 'bad' (sent aggregates within aggregates without end|wrote a line that is no JSON)",
    "unknown_call": r"ended 4711, which it was not asked for",
    "ends_twice": r"ended 1, which had ended already",
    "unknown_callback": r"calls or tells 'surprise', which the contract does not have",
    "callback_on_nothing": r"calls 'run' on 4711, which is not there",
    "tells_nonsense": r"calls or tells 'surprise', which the contract does not have",
    "looks_elsewhere": r"has looked at 4711, which is not there",
    "looks_at_a_name": r"has looked at 'Queue', which is no object's number",
    "looks_at_text": r"sent no integer as 'value'",
    "complains": r"says: the adapter is not finished",
}
# The mistakes of an adapter: a plug check finds them, and no clause is judged.
ADAPTERS = {
    "unknown_outcome": r"^adapter: the testee 'bad' sent an outcome of the unknown kind 'perhaps'",
    "refuses": r"^adapter: the testee 'bad' refuses what its contract, or a feature that it claims, asks for: Queue has no method 'join'",
    "strange_item": r"^adapter: the testee 'bad' hands out the item 4711, which it was never given",
}
ALWAYS = {
    "without_done": r"has not done what is to be done at once \(1\)",
    "item_of_text": r"sent no integer as 'value'",
}
HELLO = {
    "hello_rubbish": r"wrote a line that is no JSON: 'Welcome to the testee!'",
    "hello_version": r"speaks version 3 of the protocol, and this program versions 1 to 2",
    "hello_no_subjects": r"hosts no subject",
    "hello_contract": r"hosts 'Q' of the contract 'no_such_contract', which is unknown here; known are [a-z_, ]*bounded_queue, ",
    "hello_name": r"has the name 'a name with blanks': letters, digits, '_' and '-' are allowed",
    "hello_unseen": r"claims the feature 'checked_destruction' for 'Queue', which cannot be seen from outside its process",
    "hello_feature": r"claims the feature 'joins' for 'Queue', which 'bounded_queue' does not have; did you mean 'join'\?",
    "hello_declines": r"declines the feature 'rendez_vous' for 'Queue', which 'bounded_queue' does not have; did you mean 'rendezvous'\?",
    "hello_both": r"declines the feature 'join' for 'Queue', which it claims",
    "hello_twins": r"hosts two subjects 'Queue'",
    "hello_exit": r"ended itself with exit status 3; its stderr: I give up",
    "hello_hang": r"hangs: it has not answered for \d+ ms of real time",
}


class BadTestees(unittest.TestCase):
    def test_every_bad_testee_is_tried(self):
        source = BAD.read_text()
        names = set(re.findall(r'^    "(\w+)":', source, re.MULTILINE))
        others = {"always_crash", "hello_changes", "overshoots", "overshoots_unseen", "hello_sticky"}
        self.assertEqual(names, set(WORDS) | set(ADAPTERS) | set(ALWAYS) | set(HELLO) | others)

    def expect_error(self, one, words):
        self.assertEqual(one["verdict"], "error", one["message"])
        self.assertRegex(one["message"], words)

    def test_each_gets_its_named_error_and_other_clauses_their_verdicts(self):
        for name, words in WORDS.items():
            with self.subTest(name):
                done, report = run(name)
                self.assertEqual(done.returncode, 2, done.stderr)
                by_clause = {one["clause"]: one for one in report["results"]}
                self.assertEqual(by_clause["BQ-1"]["verdict"], "pass", by_clause["BQ-1"]["message"])
                self.expect_error(by_clause["BQ-17"], words)
                self.assertTrue(by_clause["BQ-17"]["token"])

    def test_a_mistake_of_the_adapter_is_no_verdict_on_any_clause(self):
        for name, words in ADAPTERS.items():
            with self.subTest(name):
                done, report = run(name)
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertEqual(len(report["results"]), 2)
                for one in report["results"]:
                    self.expect_error(one, words)
                    self.assertEqual(one["trials"], 0)
                replayed = call("replay", report["results"][0]["token"], "--testee", bad(name), "--testee-patience", PATIENCE)
                self.assertEqual(replayed.returncode, 2)
                self.assertRegex(replayed.stdout, "message: " + words[1:])

    def test_those_that_are_always_bad(self):
        for name, words in ALWAYS.items():
            with self.subTest(name):
                done, report = run(name, "--clause", "BQ-1")
                self.assertEqual(done.returncode, 2, done.stderr)
                self.expect_error(report["results"][0], words)

    def test_those_that_cannot_be_begun_with(self):
        for name, words in HELLO.items():
            with self.subTest(name):
                done = call("run", "--testee", bad(name), "--subject", "reference", "--clause", "BQ-1", "--testee-patience", PATIENCE)
                self.assertEqual(done.returncode, 2)
                self.assertRegex(done.stderr, re.escape(f"the testee '{bad(name)}' ") + words)
                self.assertIn("1 passed", done.stdout)  # the others are checked nevertheless

    def test_what_every_contract_has_is_claimed_by_not_being_declined(self):
        done, report = run("hello_sticky", "--clause", "BQ-1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(report["results"][0]["verdict"], "pass", report["results"][0]["message"])

    def test_one_that_changes_is_no_subject_any_more(self):
        done, report = run("hello_changes", "--clause", "BQ-1")
        self.assertEqual(done.returncode, 2)
        self.expect_error(report["results"][0], "says of itself what it did not say when it was first started")

    def test_is_not_started_again_for_ever(self):
        done, report = run("always_crash", "--contract", "bounded_queue")
        tried = [one for one in report["results"] if one["verdict"] == "error"]
        given_up = [one for one in tried if one["message"] == "not run: the testee 'bad' has broken 10 times before"]
        self.assertEqual(len(tried) - len(given_up), 10)
        self.assertGreater(len(given_up), 5)
        self.assertEqual(done.returncode, 2)

    def test_its_error_is_replayed_from_its_token(self):
        _, report = run("exit_3", "--clause", "BQ-17")
        one = report["results"][0]
        self.assertIn("--testee", one["replay"])
        done = call("replay", one["token"], "--testee", bad("exit_3"), "--testee-patience", PATIENCE)
        self.assertEqual(done.returncode, 2)
        self.assertIn("ended itself with exit status 3", done.stdout)


class Versions(unittest.TestCase):
    def test_what_a_queue_holds_between_two_instants_is_looked_at(self):
        done, report = run("overshoots", "--clause", "BQ-17")
        self.assertEqual(done.returncode, 1, done.stderr)
        one = report["results"][0]
        self.assertEqual(one["verdict"], "fail")
        self.assertRegex(one["message"], r"BQ-1: more items are buffered than the capacity allows: expected at most \d+; observed: 1000")

    def test_that_look_changes_no_schedule_and_no_trace(self):
        reports = []
        for name in ("overshoots", "overshoots_unseen"):  # they are the same while nobody joins
            _, report = run(name, "--clause", "BQ-1", "--clause", "BQ-3", "--clause", "BQ-5")
            reports.append([(one["verdict"], one["trace_hash"], one["schedules"]) for one in report["results"]])
        self.assertEqual(reports[0], reports[1])

    def test_a_testee_without_looks_is_asked_as_before(self):
        done, report = run("overshoots_unseen", "--clause", "BQ-17")
        self.assertEqual(report["results"][0]["verdict"], "pass", done.stderr)

    def test_a_testee_of_version_1_runs(self):
        command = f"{sys.executable} {HERE / 'version_1_testee.py'}"
        done = call("run", "--testee", command, "--subject", "old", "--format", "json", "--schedules", "20")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        verdicts = {one["verdict"] for one in json.loads(done.stdout)["results"]}
        self.assertEqual(verdicts, {"pass", "skip"})

    def test_what_is_declined_is_shown(self):
        listed = json.loads(call("list", "--testee", ASYNCIO, "--format", "json").stdout)
        queue = next(one for one in listed["subjects"] if one["name"] == "asyncio.Queue")
        self.assertIn("the queue size is infinite", queue["declines"]["rendezvous"])
        text = " ".join(call("list", "--testee", ASYNCIO).stdout.split())
        self.assertIn("; without rendezvous: docs.python.org", text)


class LateLoop(unittest.TestCase):
    """Whether a testee's loop is late is for the testee to say. The queue has deadlines, and so have its callers."""

    def run_it(self, how):
        command = f"{sys.executable} {HERE / 'late_testee.py'} {how}"
        done = call("run", "--testee", command, "--kind", "third-party", "--subject", "asyncio.Queue", "--format", "json",
                    "--schedules", "25", "--clause", "X-3", "--clause", "X-31")
        return done, json.loads(done.stdout)["results"]

    def test_one_that_does_not_say_so_is_never_told_of_a_time_behind_its_deadline(self):
        done, results = self.run_it("on_time")
        self.assertLess(done.returncode, 2, done.stdout + done.stderr)
        self.assertEqual({one["verdict"] for one in results if one["clause"] == "X-31"}, {"pass"})
        self.assertNotEqual([one for one in results if one["variant"] == "program"], [])

    def test_one_that_says_so_is_told(self):
        done, results = self.run_it("late")
        self.assertEqual(done.returncode, 2, done.stderr)
        for one in results:
            if one["clause"] == "X-31":
                self.assertEqual(one["verdict"], "error")
                self.assertRegex(one["message"], r"says: it is \d+, and what was due at \d+ has not happened")


class Naming(unittest.TestCase):
    def test_an_unknown_name_is_misuse_and_names_the_nearest(self):
        done = call("run", "--testees", str(TREE / "testees" / "testees.json"), "--testee", "asynico")
        self.assertEqual(done.returncode, 64)
        self.assertIn("unknown testee 'asynico'; did you mean 'asyncio'?", done.stderr)

    def test_a_file_of_testees_that_cannot_be_read_is_misuse(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "testees.json")
            for text in ("", "[]", '{"testees": 5}', '{"testees": {"a": {}}}', '{"testees": {"a": {"command": 5}}}'):
                path.write_text(text)
                done = call("run", "--testees", str(path), "--testee", "a")
                self.assertEqual(done.returncode, 64, text)
                self.assertIn(str(path), done.stderr)
            done = call("run", "--testees", str(pathlib.Path(folder, "none")), "--testee", "a")
            self.assertEqual(done.returncode, 64)
            self.assertIn("cannot read the testees in", done.stderr)

    def test_a_testee_has_the_name_that_the_file_gives_it(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "testees.json")
            path.write_text(json.dumps({"testees": {"good": {"command": bad("crash")}}}))
            done = call("run", "--testees", str(path), "--testee", "good", "--subject", "reference", "--clause", "BQ-1")
            self.assertEqual(done.returncode, 2)
            self.assertIn("calls itself 'bad'", done.stderr)

    def test_the_usual_file_is_found_in_the_current_folder_and_a_subject_starts_its_testee(self):
        with tempfile.TemporaryDirectory() as folder:
            pathlib.Path(folder, "testees").mkdir()
            path = pathlib.Path(folder, "testees", "testees.json")
            path.write_text(json.dumps({"testees": {"bad": {"command": bad("crash")}}}))
            for subject in ("bad", "bad.Queue", "bad.*"):
                done = call("run", "--subject", subject, "--clause", "BQ-1", "--schedules", "3", cwd=folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertIn("bad.Queue", done.stdout)
            done = call("run", "--clause", "BQ-1", "--schedules", "3", cwd=folder)
            self.assertNotIn("bad.Queue", done.stdout)
            done = call("run", "--all-testees", "--clause", "BQ-1", "--schedules", "3", cwd=folder)
            self.assertIn("bad.Queue", done.stdout)
            listed = json.loads(call("list", "--all-testees", "--format", "json", cwd=folder).stdout)
            mine = [one for one in listed["subjects"] if one["name"] == "bad.Queue"]
            self.assertEqual(mine[0]["testee"], "bad")
            self.assertRegex(mine[0]["written_in"], r"^Python 3\.")


class Protocol(unittest.TestCase):
    """The document, its schema and what is really said are the same."""

    def setUp(self):
        self.schema = json.loads((HERE.parent / "protocol.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(self.schema)
        self.validator = jsonschema.Draft202012Validator(self.schema)

    def expect_valid(self, line):
        message = json.loads(line)
        self.assertEqual([error.message for error in self.validator.iter_errors(message)], [], line)

    @staticmethod
    def transcript(section="## A worked example"):
        text = (HERE.parent / "PROTOCOL.md").read_text()
        worked = re.split(r"\n#+ ", text[text.index(section):], maxsplit=1)[0]
        return [(line[4], line[6:]) for line in worked.splitlines() if re.match(r"    [<>] ", line)]

    def expect_answers(self, transcript, testee):
        asked = [line for direction, line in transcript if direction == ">"]
        answered = [json.loads(line) for direction, line in transcript if direction == "<"]
        done = subprocess.run([sys.executable, *testee], input="\n".join(asked) + "\n", capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = [json.loads(line) for line in done.stdout.splitlines()]
        begun = 1 if "hello" in answered[0] else 0
        self.assertEqual(said[begun:], answered[begun:])

    def test_the_worked_example_is_valid(self):
        lines = self.transcript()
        self.assertGreater(len(lines), 10)
        for _, line in lines:
            self.expect_valid(line)

    def test_the_worked_example_is_what_a_testee_answers(self):
        self.expect_answers(self.transcript(), [str(TREE / "testees" / "python" / "asyncio_testee.py")])

    def test_the_caller_that_goes_on_is_as_it_is_written(self):
        lines = self.transcript("### A caller that goes on")
        for _, line in lines:
            self.expect_valid(line)
        self.assertTrue(any('"then":{' in line for _, line in lines))
        self.expect_answers(lines, [str(TREE / "testees" / "python" / "asyncio_testee.py")])

    def test_every_line_of_a_run_is_valid(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder, "log")
            testee = TREE / "testees" / "python" / "asyncio_testee.py"
            recorded = f"tee -a {log}.in | {sys.executable} {testee} | tee -a {log}.out"
            clauses = [word for clause in ("BQ-8", "BQ-14", "TG-1", "TG-3", "LIF-4") for word in ("--clause", clause)]
            done = call("run", "--testee", recorded, "--subject", "asyncio", "--schedules", "1", *clauses)
            self.assertIn(done.returncode, (0, 1), done.stdout + done.stderr)
            lines = 0
            for suffix in (".in", ".out"):
                for line in pathlib.Path(str(log) + suffix).read_text().splitlines():
                    self.expect_valid(line)
                    lines += 1
            self.assertGreater(lines, 1000)

    def test_the_schema_is_strict(self):
        for line in ("{}", '{"hello": {}}', '{"begin": {"trial": 1}}', '{"begun": {}}', '{"ended": {"left": []}}',
                     '{"instant": {"trial": 1, "number": 1, "events": []}}',
                     '{"instant": {"trial": 1, "number": 1, "events": [{"done": 1}], "deadline": null}}',
                     '{"instant": {"trial": 1, "number": 1, "events": [{"surprise": 1}], "deadline": null}}',
                     '{"instant": {"trial": 1, "number": 1, "now": 0, "run": true, "commands": [{"call": 1}]}}',
                     '{"instant": {"trial": 1, "number": 1, "events": [{"unhandled": {"kind": "perhaps"}}], "deadline": null}}'):
            self.assertFalse(self.validator.is_valid(json.loads(line)), line)


if __name__ == "__main__":
    unittest.main()
