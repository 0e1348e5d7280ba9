"""The small programs of this folder from outside: each mistake is found by the test that one would write, with words that name it,
and the mended twins are silent.

Usage: adoption_test.py [TestCase[.test_method] ...]
Environment: ASSAY_ADOPTION (the folder with the programs), ASSAY_ADOPTION_PROGRAMS (those that were built, by commas),
ASSAY_ADOPTION_SCHEDULES (random schedules for each test of a twin).
"""

import os
import pathlib
import re
import subprocess
import tempfile
import unittest

FOLDER = pathlib.Path(os.environ.get("ASSAY_ADOPTION", "build/release/tests/adoption"))
# What each program has tests of; stackful coroutines are there if Boost.Context is.
PROGRAMS = ["async_mutex", "semaphore", "task_group", "channel", "connection_pool", "request_batcher", "inventory",
            "reconnecting_client"]
BUILT = os.environ.get("ASSAY_ADOPTION_PROGRAMS", ",".join(PROGRAMS)).split(",")
SCHEDULES = int(os.environ.get("ASSAY_ADOPTION_SCHEDULES", "200"))


class Program(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.report = folder.name

    def run_tests(self, program, pattern, *arguments):
        if program not in BUILT:
            self.skipTest("Boost.Context is not installed, so there are no stackful coroutines (see ci/install-deps)")
        done = subprocess.run([FOLDER / f"adoption_{program}", f"--gtest_filter={pattern}", f"--assay_report={self.report}",
                               *arguments], capture_output=True, text=True, timeout=600)
        return done.returncode, done.stdout + done.stderr


class Mistakes(Program):
    def expect_found(self, program, name, found_by, *says):
        """The test fails, and says these lines, of which the first is the message; its replay fails with the same."""
        test = f"{program}_with_the_mistake.{name}"
        status, text = self.run_tests(program, test)
        self.assertEqual(status, 1, text)
        self.assertIn("\n".join(says) + "\n\nFound by: " + found_by + ", after ", text)
        token = re.search(rf"--gtest_filter={re.escape(test)} --assay_replay=(assay1:\S+)", text).group(1)
        status, text = self.run_tests(program, test, f"--assay_replay={token}")
        self.assertEqual(status, 1, text)
        self.assertIn("\n".join(says) + "\n", text)

    def test_a_mutex_whose_waiters_ignore_cancellation(self):
        self.expect_found("async_mutex", "ends_a_cancelled_wait", "baseline trial", "Value of: waiter.cancelled()",
                          "  Actual: false", "Expected: true", "who is cancelled while he waits for the lock waits no longer")

    def test_a_semaphore_that_swallows_the_cancel(self):
        self.expect_found("semaphore", "swallows_the_cancel", "cancel sweep", "  permits.available()", "    Which is: 3", "  2u",
                          "    Which is: 2", "every permit is back, and no more than there were")

    def test_a_semaphore_that_loses_the_permit_of_who_is_cancelled(self):
        self.expect_found("semaphore", "loses_the_permit", "cancel sweep", "  permits.available()", "    Which is: 1", "  2u",
                          "    Which is: 2", "every permit is back, and no more than there were")

    def test_a_task_group_whose_children_outlive_a_cancelled_parent(self):
        self.expect_found("task_group", "outlives_its_children", "cancel sweep", "Value of: line.open", "  Actual: false",
                          "Expected: true", "a child uses its parent's connection, so the parent is there")

    def test_a_channel_with_an_inverted_try(self):
        self.expect_found("channel", "delivers_what_was_sent", "baseline trial", "  received", "    Which is: { 1, 2, 3, 4, 5 }",
                          "  sent", "    Which is: {}", "what try_send has accepted arrives, and nothing else")

    def test_a_pool_that_counts_what_it_could_not_open(self):
        self.expect_found("connection_pool", "gets_every_connection_back", "cancel sweep", "  pool.in_use()", "    Which is: 1",
                          "  0u", "    Which is: 0", "nothing is in use when everybody has gone")

    def test_a_pool_on_a_loop_of_its_own_that_counts_what_it_could_not_open(self):
        self.expect_found("connection_pool", "gets_every_connection_back_on_a_loop_of_its_own", "fault sweep",
                          "  pool.in_use()", "    Which is: 1", "  0u", "    Which is: 0",
                          "nothing is in use when everybody has gone")

    def test_callbacks_of_which_one_is_lost(self):
        self.expect_found("request_batcher", "forgets_the_rest", "baseline trial", "  remote.received", "    Which is: 5", "  7u",
                          "    Which is: 7", "every request is sent once")

    def test_callbacks_of_which_one_comes_twice(self):
        self.expect_found("request_batcher", "answers_twice", "a late loop", "  answers", "    Which is: { 1, 1, 2, 1, 1, 1, 1 }",
                          "  std::vector<int>(7, 1)", "    Which is: { 1, 1, 1, 1, 1, 1, 1 }", "every request is answered once")

    def test_stackful_coroutines_that_wait_between_a_look_and_a_sale(self):
        self.expect_found("inventory", "sells_what_there_is", "baseline trial",
                          "Expected: (articles.left()) >= (0), actual: -1 vs 0", "nothing is sold that is not there")

    def test_a_client_that_forgets_a_question_when_it_reconnects(self):
        self.expect_found("reconnecting_client", "answers_across_connections", "baseline trial", "Value of: question.ended()",
                          "  Actual: false", "Expected: true", "question 'three' is answered, over whatever connection")


class Twins(Program):
    def test_they_are_silent(self):
        for program in BUILT:
            with self.subTest(program):
                status, text = self.run_tests(program, "*-*_with_the_mistake*", f"--assay_schedules={SCHEDULES}")
                self.assertEqual(status, 0, text)
                # Where something is left open, as many schedules as were asked for.
                self.assertRegex(text, rf"passes: \d+ trials, {SCHEDULES} of them schedules")


class Limits(Program):
    def test_that_a_request_is_ignored_does_not_show_in_a_sweep_alone(self):
        status, text = self.run_tests("async_mutex", "async_mutex_with_the_mistake.survives_a_cancelled_client")
        self.assertEqual(status, 0, text)


if __name__ == "__main__":
    unittest.main()
