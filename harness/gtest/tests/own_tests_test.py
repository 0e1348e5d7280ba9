"""ASSAY_TEST from outside: what a team sees, and whether what it is told to type works.

Usage: own_tests_test.py [TestCase[.test_method] ...]
Environment: ASSAY_OWN_TESTS (the program).
"""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("ASSAY_OWN_TESTS", "build/release/harness/assay_own_tests")


class OwnTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.report = pathlib.Path(folder.name) / "report"

    def run_tests(self, pattern, *arguments):
        done = subprocess.run([PROGRAM, f"--gtest_filter={pattern}", f"--assay_report={self.report}", *arguments],
                              capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout + done.stderr

    def token_in(self, text):
        return re.search(r"--gtest_filter=\S+ --assay_replay=(assay1:\S+)", text).group(1)

    def test_an_isolated_test_has_a_process_per_trial(self):
        status, text = self.run_tests("isolated.starts_afresh")
        self.assertEqual(status, 0, text)
        status, text = self.run_tests("shared.starts_afresh")
        self.assertEqual(status, 1, text)
        self.assertIn("the trial is the first of its process", text)

    def test_a_fixture_is_made_for_every_trial(self):
        status, text = self.run_tests("shelf_tests.*")
        self.assertEqual(status, 0, text)

    def test_a_crash_ends_its_trial_only_and_leaves_a_token(self):
        status, text = self.run_tests("isolated.crashes_in_another_order")
        self.assertEqual(status, 1, text)
        self.assertIn("crashed: the process was ended by Aborted", text)
        self.assertIn("Found by: permuted order", text)
        token = self.token_in(text)
        self.assertEqual((self.report / "isolated.crashes_in_another_order.token").read_text().strip(), token)
        # The replay is in the test's own process, where a debugger sees it.
        status, text = self.run_tests("isolated.crashes_in_another_order", f"--assay_replay={token}")
        self.assertEqual(status, -signal.SIGABRT, text)

    def test_a_debugger_is_asked_for_where_it_fails(self):
        _, text = self.run_tests("failing.expectation")
        event = re.search(r"--assay_break_at=(\d+)", text).group(1)
        token = self.token_in(text)
        self.assertRegex((self.report / "failing.expectation.trace").read_text(), rf"(?m)^ *{event} .* failure ")
        status, text = self.run_tests("failing.expectation", f"--assay_replay={token}", f"--assay_break_at={event}")
        self.assertEqual(status, 1)
        self.assertIn("--assay_break_at needs a debugger", text)
        _, text = self.run_tests("failing.expectation", f"--assay_break_at={event}")
        self.assertIn("--assay_break_at needs --assay_replay", text)

    def test_a_failed_expectation_is_told_once_replays_and_leaves_files(self):
        status, text = self.run_tests("failing.expectation")
        self.assertEqual(status, 1, text)
        self.assertEqual(text.count("Failure\n"), 1, text)
        self.assertIn("sums are right", text)
        token = self.token_in(text)
        for kind in ("token", "story", "trace"):
            self.assertTrue((self.report / f"failing.expectation.{kind}").read_text(), kind)
        trace_hash = (self.report / "failing.expectation.trace").read_text().split()[1]
        status, text = self.run_tests("failing.expectation", f"--assay_replay={token}")
        self.assertEqual(status, 1, text)
        self.assertIn(f"trace {trace_hash}", text)

    def test_a_token_that_cannot_be_read_is_named(self):
        status, text = self.run_tests("failing.expectation", "--assay_replay=assay1:nonsense")
        self.assertEqual(status, 1, text)
        self.assertIn("token", text)

    def test_an_unknown_argument_names_those_there_are(self):
        status, text = self.run_tests("failing.expectation", "--assay_schedule=3")
        self.assertEqual(status, 1, text)
        self.assertIn("unknown argument '--assay_schedule=3'", text)
        self.assertIn("--assay_schedules", text)


if __name__ == "__main__":
    unittest.main()
