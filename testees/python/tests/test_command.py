"""The helper through the assay command, which the environment names: ASSAY=build/release/assay."""

import json
import os
import pathlib
import subprocess
import sys
import unittest

import wrong_testee

HERE = pathlib.Path(__file__).resolve().parent
os.environ.setdefault("SOURCE_DATE_EPOCH", "1700000000")  # reports carry their date
ASSAY = os.environ.get("ASSAY")
WRONG = HERE / "testees.json"
HOSTED = HERE.parents[1] / "testees.json"
EXAMPLE = HERE.parent / "example" / "testees.json"


def assay(*arguments, environment=None):
    return subprocess.run(
        [ASSAY, *arguments], capture_output=True, text=True, timeout=300, env=os.environ | (environment or {}), check=False
    )


def results(testees, subject, *options, environment=None):
    ran = assay("run", "--testees", testees, "--subject", subject, "--format", "json", *options, environment=environment)
    if not ran.stdout.startswith("{"):
        raise AssertionError(f"no report: {ran.stderr}")
    report = json.loads(ran.stdout)
    report.pop("command")
    return report


def scenario(result):
    return result["clause"] + ("/" + result["variant"] if result["variant"] else "")


def those(report, verdict):
    return {scenario(result) for result in report["results"] if result["verdict"] == verdict}


@unittest.skipUnless(ASSAY, "ASSAY does not name the assay command")
class Verdicts(unittest.TestCase):
    def test_each_mistake_is_found_and_none_where_there_is_none(self):
        for subject, expected in wrong_testee.CAUGHT_BY.items():
            with self.subTest(subject):
                report = results(WRONG, "wrong." + subject)
                failed = those(report, "fail")
                self.assertEqual(those(report, "error"), set())
                self.assertLessEqual(set(expected), failed)
                self.assertTrue(expected or not failed, failed)
                self.assertGreater(len(those(report, "pass")), 5)

    def test_the_example_is_as_the_manual_shows_it(self):
        report = results(EXAMPLE, "mailbox.Mailbox")
        self.assertEqual(those(report, "fail"), {"BQ-7", "BQ-11/swept"})
        self.assertEqual(those(report, "error"), set())

    def test_what_the_scripts_show(self):
        scripts = [*(HERE.parent / "findings").glob("*.py"), *(HERE.parent / "example").glob("*_loses_*.py")]
        self.assertGreater(len(scripts), 4)
        for script in scripts:
            with self.subTest(script.name):
                said = subprocess.run(
                    [sys.executable, "-W", "ignore", script], capture_output=True, text=True, timeout=60, check=True
                ).stdout
                text = script.read_text()
                for line in said.splitlines():
                    self.assertIn("    " + line + "\n", text)


@unittest.skipUnless(ASSAY, "ASSAY does not name the assay command")
class Determinism(unittest.TestCase):
    def test_two_runs_give_equal_reports(self):
        for testees, subject in (
            (WRONG, "wrong.queue_drops_on_a_tie"),
            (WRONG, "wrong.group_leaves_tasks"),
            (HOSTED, "anyio_asyncio.memory_object_stream"),
            (HOSTED, "trio.AsyncExitStack"),
        ):
            with self.subTest(subject):
                first, second = (
                    results(testees, subject, "--schedules", "20", environment={"PYTHONHASHSEED": seed}) for seed in ("1", "2")
                )
                self.assertGreater(len(those(first, "fail")), 0)
                self.assertEqual(first, second)

    def test_a_token_replays_in_another_process(self):
        for subject in ("queue_drops_on_a_tie", "group_leaves_tasks", "lifespan_stops_in_order", "pool_runs_twice"):
            report = results(WRONG, "wrong." + subject)
            for result in report["results"]:
                if result["verdict"] != "fail":
                    continue
                with self.subTest(f"{subject} {scenario(result)}"):
                    replayed = assay("replay", result["token"], "--testees", WRONG, environment={"PYTHONHASHSEED": "7"})
                    self.assertIn("verdict: fail", replayed.stdout)
                    self.assertIn(f"message: {result['message']}", replayed.stdout)
                    self.assertIn(f"trace:   {result['trace_hash']}", replayed.stdout)


if __name__ == "__main__":
    unittest.main()
