"""What a team reads when one of its tests fails.

Usage: stories_test.py [TestCase[.test_method] ...]
Environment: ASSAY_STORIES (the program).
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("ASSAY_STORIES", "build/release/harness/assay_stories")


class Stories(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.report = pathlib.Path(folder.name) / "report"

    def run_test(self, name, *arguments):
        done = subprocess.run([PROGRAM, f"--gtest_filter=story.{name}", f"--assay_report={self.report}", *arguments],
                              capture_output=True, text=True, timeout=600, check=False)
        return done.returncode, done.stdout + done.stderr

    def told_of(self, name):
        status, text = self.run_test(name)
        self.assertEqual(status, 1, text)
        return text

    def assertTells(self, text, *lines):
        """The lines of a story, in this order: time, kind and text, with one blank between."""
        told = [" ".join(line.split()) for line in text.splitlines()]
        told = [re.sub(r"^\d+ (?=\d)", "", line) for line in told]  # the numbers of events
        at = 0
        for line in lines:
            self.assertIn(line, told[at:], text)
            at = told.index(line, at) + 1

    def test_a_lost_wake_up_is_understood_without_the_source(self):
        text = self.told_of("of_a_lost_wake_up")
        self.assertTells(text,
                         "0 start reader", "0 start writer",
                         "0 wake 'writer' cancels timer 1, on which nobody waits: nobody is woken",
                         "0 wait 'reader' waits on timer 1, which never fires: it waits to be woken")
        self.assertRegex(text, r"0       state    'reader' is parked since 0, started at stories\.cpp:\d+; on timer 1 since 0, "
                               r"which never fires: it waits to be woken; nobody has woken it\n")

    def test_a_value_is_told(self):
        self.assertTells(self.told_of("of_a_lost_wake_up"), "0 value 'early reader' ended with 'Monday's'")

    def test_a_coroutine_is_called_by_its_name(self):
        text = self.told_of("of_named_coroutines")
        self.assertTells(text,
                         "0 wait 'cleaner' (a coroutine of 'scenario') waits on timer 1, due at 10ms",
                         "0 wait 'scenario' waits on timer 2, due at 20ms")
        self.assertTells(text, "5ms state 'scenario' has its turn; 'cleaner' (a coroutine of 'scenario') waits on timer 1 since "
                               "0, due at 10ms; on timer 2 since 0, due at 20ms; nobody has woken it")

    def test_a_name_changes_nothing(self):
        status, text = self.run_test("is_not_changed_by_names")
        self.assertEqual(status, 0, text)

    def test_what_a_lambda_has_captured_is_kept(self):
        status, text = self.run_test("is_not_needed_for_a_lambda")
        self.assertEqual(status, 0, text)

    def test_a_value_that_is_missing_is_missing_where_it_was_asked_for(self):
        self.assertRegex(self.told_of("of_a_value_that_is_missing"),
                         r"failure  'sleeper' has no value: it is pending \(stories\.cpp:\d+\)\n")

    def test_a_tie_is_told_as_one(self):
        text = self.told_of("of_timers_that_are_due_together")
        self.assertTells(text,
                         "10ms tie due at the same instant, so that any of them may fire first: timer 1 of 'a', timer 2 of 'b'",
                         "10ms fire timer 2 fires for 'b', which has waited since 0",
                         "10ms fire timer 1 fires for 'a', which has waited since 0")

    def test_a_story_has_no_line_of_the_harness(self):
        for name in ("of_a_lost_wake_up", "of_named_coroutines", "of_timers_that_are_due_together"):
            text = self.told_of(name)
            self.assertEqual(set(re.findall(r"\b(\w+\.[ch]pp):\d+", text)), {"stories.cpp"}, text)

    def test_the_shrunk_trial_alone_is_heard(self):
        text = self.told_of("of_a_test_that_prints")
        self.assertIn("\nIt printed:\n  a line of the error output\n  a line of the log\n", text)
        self.assertEqual(text.count("a line of the log"), 1, text)
        self.assertEqual((self.report / "story.of_a_test_that_prints.output").read_text(),
                         "a line of the error output\na line of the log\n")
        status, text = self.run_test("of_a_test_that_prints_and_passes")
        self.assertEqual(status, 0, text)
        self.assertNotIn("a line of the log", text)

    def test_every_trial_is_heard_if_asked_for(self):
        status, text = self.run_test("of_a_test_that_prints_and_passes", "--assay_output=all")
        self.assertEqual(status, 0, text)
        self.assertIn("a line of the log", text)
        status, text = self.run_test("of_a_test_that_prints_and_passes", "--assay_output=none")
        self.assertEqual(status, 1, text)
        self.assertIn("--assay_output takes all or shrunk, not 'none'", text)

    def test_pictures_lie_beside_the_story(self):
        text = self.told_of("of_timers_that_are_due_together")
        stem = self.report / "story.of_timers_that_are_due_together"
        self.assertIn(f"A browser shows it: {stem}.html; ui.perfetto.dev opens {stem}.perfetto.json", text)
        page = stem.with_suffix(".of_timers_that_are_due_together.html").read_text()
        self.assertIn("--gtest_filter=story.of_timers_that_are_due_together --assay_replay=", page)
        events = json.loads(stem.with_suffix(".of_timers_that_are_due_together.perfetto.json").read_text())
        self.assertIn("a", [one["args"]["name"] for one in events["traceEvents"] if one["name"] == "thread_name"])

    def test_what_came_before_a_crash_is_heard(self):
        status, text = self.run_test("of_a_test_that_prints_and_crashes")
        self.assertEqual(status, -6, text)
        self.assertIn("the last line before the end", text)
        self.assertLess(text.index("the last line before the end"), text.index("SIGABRT"), text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
