"""ASSAY_TEST from outside: what a team sees, and whether what it is told to type works.

Usage: own_tests_test.py [TestCase[.test_method] ...]
Environment: ASSAY_OWN_TESTS (the program).
"""

import base64
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import unittest

PROGRAM = os.environ.get("ASSAY_OWN_TESTS", "build/release/harness/assay_own_tests")


def renamed(token, scenario, subject="own"):
    """The token as if it were of another test, with the check that belongs to it."""
    fields = token.split(":")[:-1]
    fields[2:4] = [subject, scenario]
    text = ":".join(fields)
    check = 2166136261
    for byte in text.encode():
        check = (check ^ byte) * 16777619 & 0xffffffff
    return text + ":" + base64.urlsafe_b64encode(check.to_bytes(4, "little")).decode().rstrip("=")


class OwnTests(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.report = pathlib.Path(folder.name) / "report"

    def run_tests(self, pattern, *arguments, **environment):
        done = subprocess.run([PROGRAM, f"--gtest_filter={pattern}", f"--assay_report={self.report}", *arguments],
                              capture_output=True, text=True, timeout=600, env={**os.environ, **environment})
        return done.returncode, done.stdout + done.stderr

    def token_in(self, text):
        return re.search(r"--gtest_filter=\S+ --assay_replay=(assay1:\S+)", text).group(1)

    def test_reports_go_beside_the_program_and_not_where_it_is_run(self):
        own = pathlib.Path(PROGRAM).resolve()
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([own, "--gtest_filter=failing.expectation"], capture_output=True, text=True, timeout=600,
                                  cwd=folder, env={k: v for k, v in os.environ.items() if k != "ASSAY_REPORT_DIR"})
            self.assertEqual(list(pathlib.Path(folder).iterdir()), [])
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"Token, story and trace are in {own.parent}/assay-report/", done.stdout)
        self.assertTrue((own.parent / "assay-report/failing.expectation.story").exists())

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
        self.assertIn("The token recorded a crash or a hang. If it comes again, it ends this process", text)
        # Once it is mended the token's run cannot be seen again, and that is no pass.
        status, text = self.run_tests("isolated.crashes_in_another_order", f"--assay_replay={token}", ASSAY_MENDED="1")
        self.assertEqual(status, 1, text)
        self.assertIn("diverged: the token recorded a run that never ended (a crash or a hang), and this one ended: it passed",
                      text)

    def test_an_isolated_crash_has_a_story(self):
        status, text = self.run_tests("isolated.crashes_in_another_order")
        self.assertEqual(status, 1, text)
        story = (self.report / "isolated.crashes_in_another_order.story").read_text()
        self.assertRegex(story, r"(?m)^ +\d+  0 +start +b$")
        self.assertRegex(story, r"(?m)^ +\d+  0 +choice +'b' goes before 'a'")
        self.assertRegex(story, r"(?m)^ +\d+  0 +failure +SIGABRT \(Aborted\) ends the process\. It is the turn of 'scenario', "
                         r"at 0$")
        self.assertNotIn("--assay_break_at", text)  # the event at which it fails is the end of the process

    def expect_crash(self, name, number, *lines, **environment):
        """The process ends by that signal, having said where, what came before and how to see it again."""
        status, text = self.run_tests(name, **environment)
        self.assertEqual(status, -number, text)
        for line in lines:
            self.assertRegex(text, line)
        return self.token_in(text)

    @unittest.skipIf(os.environ.get("ASSAY_SANITIZED"), "the sanitizer reports the fault, and ends the process its own way")
    def test_a_fault_says_where_it_was_and_how_to_see_it_again(self):
        said = (r"(?m)^crashing.by_a_wild_pointer: SIGSEGV \(Segmentation fault\) ends the process\. It is the turn of "
                r"'follower', at 0\.$", r"(?m)^ +\d+  0 +mark +so far$", r"(?m)^ +\d+  0 +start +follower$")
        token = self.expect_crash("crashing.by_a_wild_pointer", signal.SIGSEGV, *said)
        status, text = self.run_tests("crashing.by_a_wild_pointer", f"--assay_replay={token}")
        self.assertEqual(status, -signal.SIGSEGV, text)
        for line in said:
            self.assertRegex(text, line)
        self.assertEqual(self.token_in(text), token)
        status, text = self.run_tests("crashing.by_a_wild_pointer", f"--assay_replay={token}", ASSAY_MENDED="1")
        self.assertEqual(status, 1, text)
        self.assertIn("and this one ended: it passed", text)

    def test_an_abort_says_where_it_was(self):
        self.expect_crash("crashing.by_abort", signal.SIGABRT, r"SIGABRT \(Aborted\) ends the process\. It is the turn of 'aborter'")
        self.expect_crash("crashing.by_terminate", signal.SIGABRT, "from within noexcept", "It is the turn of 'thrower'")
        self.expect_crash("crashing.while_it_is_destroyed", signal.SIGABRT, "The trial is over, and what is left of it is being "
                          "destroyed", "failure +deadlock: nothing can happen any more")

    @unittest.skipIf(os.environ.get("ASSAY_SANITIZED"), "the sanitizer reports the fault, and ends the process its own way")
    def test_a_stack_that_is_used_up_says_where_it_was(self):
        self.expect_crash("crashing.by_endless_recursion", signal.SIGSEGV, "It is the turn of 'diver'")

    @unittest.skipUnless("address" in os.environ.get("ASSAY_SANITIZED", ""), "of AddressSanitizer")
    def test_a_sanitizers_report_comes_with_where_it_was(self):
        for name, turn in (("by_a_wild_pointer", "follower"), ("by_endless_recursion", "diver"),
                           ("by_a_use_after_free", "user")):
            status, text = self.run_tests(f"crashing.{name}")
            self.assertNotEqual(status, 0, text)
            self.assertIn("ERROR: AddressSanitizer", text)
            self.assertIn(f"It is the turn of '{turn}'", text)
            self.token_in(text)

    def expect_hang(self, name, *lines):
        """The watchdog ends the process, having said what hangs, what came before and how to see it again."""
        status, text = self.run_tests(name, "--assay_hang_after=1")
        self.assertEqual(status, -signal.SIGABRT, text)
        for line in lines:
            self.assertRegex(text, line)
        return self.token_in(text)

    def test_a_turn_that_does_not_end_is_a_hang(self):
        said = (r"(?m)^hanging.on_a_future: hang: no turn has ended for 1 s of real time\. It is the turn of 'client', at 0\.$",
                r"(?m)^ +\d+  0 +mark +before the wait$", r"(?m)^ +\d+  0 +start +client$")
        token = self.expect_hang("hanging.on_a_future", *said)
        status, text = self.run_tests("hanging.on_a_future", f"--assay_replay={token}", ASSAY_HANG_AFTER="1")
        self.assertEqual(status, -signal.SIGABRT, text)
        for line in said:
            self.assertRegex(text, line)

    def test_a_trial_that_does_not_end_is_a_hang(self):
        self.expect_hang("hanging.in_one_turn_after_another", "hang: the trial has not ended for 4 s of real time",
                         r"(?m)^ +\d+  0 +finish +next: value$")

    def test_an_isolated_hang_ends_its_trial_only_and_has_a_story(self):
        status, text = self.run_tests("hanging.in_a_process_of_its_own", ASSAY_HANG_AFTER="1")
        self.assertEqual(status, 1, text)
        self.assertIn("hang: no turn has ended for 1 s of real time. It is the turn of 'spinner', at 0", text)
        self.assertRegex(text, r"(?m)^ +\d+  0 +start +spinner$")
        token = self.token_in(text)
        status, text = self.run_tests("hanging.in_a_process_of_its_own", f"--assay_replay={token}", ASSAY_HANG_AFTER="1")
        self.assertEqual(status, -signal.SIGABRT, text)
        self.assertIn("The token recorded a crash or a hang", text)

    def test_what_the_environment_says_holds_where_the_arguments_do_not(self):
        status, text = self.run_tests("failing.expectation", ASSAY_SEED="7", ASSAY_REPORT_DIR="nowhere")
        self.assertEqual(status, 1, text)
        self.assertIn("(seed 7)", text)
        self.assertIn(f"are in {self.report}", text)
        token = self.token_in(text)
        _, text = self.run_tests("failing.expectation", "--assay_seed=8", ASSAY_SEED="7")
        self.assertIn("(seed 8)", text)
        status, text = self.run_tests("failing.expectation:shelf_tests.*", ASSAY_REPLAY=token)
        self.assertIn("[  SKIPPED ] shelf_tests.is_empty_at_first", text)
        status, text = self.run_tests("shelf_tests.*", ASSAY_SCHEDULES="many")
        self.assertEqual(status, 1, text)
        self.assertIn("ASSAY_SCHEDULES takes a number, not 'many'", text)

    def test_a_failure_is_told_and_not_what_follows_from_it(self):
        status, text = self.run_tests("ending.failed_with_work_pending")
        self.assertEqual(status, 1, text)
        self.assertIn("expected: the shop is open; observed: not so", text)
        self.token_in(text)
        status, text = self.run_tests("ending.broken_off_with_work_pending")
        self.assertEqual(status, 1, text)
        self.assertIn("the bell has rung", text)
        self.token_in(text)

    def test_a_body_that_ends_before_its_operations_fails(self):
        status, text = self.run_tests("ending.with_work_pending")
        self.assertEqual(status, 1, text)
        self.assertIn("the body has ended before 'bell', which may use what the body had", text)
        self.assertRegex(text, r"'bell' was started at own_tests.cpp:\d+")
        status, text = self.run_tests("ending.with_all_done")
        self.assertEqual(status, 0, text)

    def test_an_exception_that_leaves_a_detached_coroutine_fails_the_test(self):
        for name, label in (("throws", "unseen"), ("throws_instead_of_a_value", "no number")):
            status, text = self.run_tests(f"detached.{name}")
            self.assertEqual(status, 1, text)
            self.assertIn(f"an exception left a detached coroutine of 'the subject': error '{label}'", text)
        status, text = self.run_tests("detached.may_throw:detached.is_cancelled")
        self.assertEqual(status, 0, text)

    def test_what_depends_on_something_outside_the_trial_is_named(self):
        def expect(name, pattern):
            status, text = self.run_tests(f"elsewhere.{name}")
            self.assertEqual(status, 1, text)
            self.assertRegex(text, pattern)
            self.assertNotIn("Found by", text)

        expect("fails_later", r"expected: the counter is low; observed: not so; but it does not fail like that where no trial of "
               r"the test has run before it, there it ends with 'pass': it depends on something outside the trial.*"
               r"event \d+: '0 failure expected: the counter is low.*' here, '0 check the counter is low .*' there")
        expect("fails_once", r"first 'expected: the counter is not ten; observed: not so', then 'pass'; it depends on something "
               r"outside the trial.*event \d+: '0 failure expected: the counter is not ten.*' here, "
               r"'0 check the counter is not ten .*' there")
        # What fails by itself is not said to.
        _, text = self.run_tests("failing.expectation")
        self.assertNotIn("outside the trial", text)

    def expect_vacuous(self, name, why):
        status, text = self.run_tests(f"vacuous.{name}")
        self.assertEqual(status, 1, text)
        self.assertIn(why, text)

    def test_a_sweep_that_cannot_be_is_a_failure(self):
        self.expect_vacuous("swept_without_a_victim", "vacuous: .swept asks for a cancel at every point, and no trial named a victim")
        self.expect_vacuous("swept_victim_never_waits", "vacuous: .swept asks for a cancel at every point, and the victim came past "
                            "none")
        self.expect_vacuous("victim_without_a_sweep", "t.victim names what a sweep cancels, and the test is not swept")
        self.expect_vacuous("end_without_a_sweep", ".ends_when_cancelled is about what a sweep cancels, and the test is not swept")
        self.expect_vacuous("faulted_without_a_call", "vacuous: .faulted asks for a fault at every call, and no dependency "
                            "was called")

    def test_a_victim_that_waits_on_after_its_cancel_is_named_where_the_test_asks_for_it(self):
        status, text = self.run_tests("cancelled.goes_on_waiting")
        self.assertEqual(status, 1, text)
        self.assertIn("'wait' still waits: its cancellation was requested, and nothing more can happen now", text)
        status, text = self.run_tests("cancelled.ends:cancelled.may_go_on_waiting")
        self.assertEqual(status, 0, text)
        self.assertIn("cancelled.ends passes", text)
        self.assertIn("cancelled.may_go_on_waiting passes", text)

    def test_a_pass_says_what_it_covered(self):
        status, text = self.run_tests("covered.swept")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"covered\.swept passes: \d+ trials, 200 of them schedules \(\d+ different orders\), "
                         r"(\d+) of \1 cancel points, 1 of 1 fault points")
        status, text = self.run_tests("covered.one_tie")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"\d+ of them schedules, which are all that there are \(\d+ different orders\)")
        self.assertNotIn("(1 order)", text)
        status, text = self.run_tests("covered.one_tie", "--assay_schedules=0")
        self.assertEqual(status, 0, text)
        self.assertIn("; no schedule was asked for", text)
        status, text = self.run_tests("vacuous.one_after_the_other")
        self.assertEqual(status, 0, text)
        self.assertIn("nothing was left open, so there is one schedule only", text)
        self.assertNotIn("never suspends", text)
        status, text = self.run_tests("vacuous.never_suspends")
        self.assertEqual(status, 0, text)
        self.assertIn("its body never suspends, so a plain TEST would show as much", text)

    def test_the_middle_of_a_long_story_is_in_its_file_alone(self):
        status, text = self.run_tests("failing.after_many_events")
        self.assertEqual(status, 1, text)
        self.assertIn("an end that is expected", text)
        self.assertRegex(text, r"\.\.\. \d+ lines are left out; the file of the story has them \.\.\.")
        self.assertLess(text.count("\n"), 300)

    def test_a_failure_that_nobody_asks_for_says_how_to_ask(self):
        status, text = self.run_tests("failing.by_nobody_asking")
        self.assertEqual(status, 1, text)
        self.assertIn("nobody looked at the failure of 'one': error 'backend down'; ask the operation how it ended (failed(), "
                      "what(), value()), or await it", text)

    def test_help_is_that_of_both(self):
        status, text = self.run_tests("*", "--help")
        self.assertEqual(status, 0, text)
        self.assertIn("--gtest_filter=", text)
        self.assertIn("--assay_schedules=N   ASSAY_SCHEDULES    random schedules per test (default 200)", text)

    def test_a_misspelt_prefix_is_refused(self):
        status, text = self.run_tests("covered.one_tie", "--assay-schedules=5")
        self.assertEqual(status, 1, text)
        self.assertIn("unknown argument '--assay-schedules=5'; there are --assay_schedules,", text)

    def expect_nothing_replayed(self, pattern, token, why, **environment):
        status, text = self.run_tests(pattern, f"--assay_replay={token}", **environment)
        self.assertEqual(status, 1, text)
        self.assertIn("Nothing was replayed: the token is of " + why, text)

    def test_a_replay_that_no_test_does_fails_the_program(self):
        _, text = self.run_tests("failing.expectation")
        token = self.token_in(text)
        # The token's test is left out: by a filter that leaves others, by one that leaves none, by a shard.
        for pattern in ("isolated.*", "plain.*", "nothing.*"):
            self.expect_nothing_replayed(pattern, token, "failing.expectation, which the filter leaves out; add "
                                         "--gtest_filter=failing.expectation")
        shards = [self.run_tests("failing.*:shelf_tests.*", f"--assay_replay={token}", GTEST_TOTAL_SHARDS="2",
                                 GTEST_SHARD_INDEX=str(index)) for index in range(2)]
        self.assertEqual([status for status, _ in shards], [1, 1])
        self.assertEqual(sorted("which GTEST_TOTAL_SHARDS leaves to another shard" in text for _, text in shards), [False, True])
        # It is gone, has another name, is disabled, is none of ours.
        self.expect_nothing_replayed("*", renamed(token, "failing/expectations"), "failing.expectations, which this program "
                                     "does not have; did you mean 'failing.expectation'?")
        self.expect_nothing_replayed("*", renamed(token, "switched/DISABLED_off"), "switched.DISABLED_off, which is disabled")
        self.expect_nothing_replayed("*", renamed(token, "plain/of_googletest"), "plain.of_googletest, which has run, but is "
                                     "no ASSAY_TEST any more")
        self.expect_nothing_replayed("*", renamed(token, "bounded_queue/BQ-8", "asio_channel"), "bounded_queue.BQ-8 with the "
                                     "subject 'asio_channel', and that is no ASSAY_TEST")

    def test_a_replay_skips_the_other_tests(self):
        _, text = self.run_tests("failing.expectation")
        token = self.token_in(text)
        status, text = self.run_tests("failing.*:shelf_tests.*", f"--assay_replay={token}")
        self.assertEqual(status, 1, text)
        self.assertIn("[  SKIPPED ] shelf_tests.is_empty_at_first", text)
        self.assertNotIn("Nothing was replayed", text)
        # One of a test that passes is a pass, and says so; with another build's name, too.
        passing = renamed(token, "shelf_tests/is_empty_at_first").split(":")
        passing[1], passing[5] = "0.0.9-other", "AMW78ogI"  # no choice at all
        status, text = self.run_tests("shelf_tests.*", f"--assay_replay={renamed(':'.join(passing), passing[3])}")
        self.assertEqual(status, 0, text)
        self.assertIn("The replayed trial of shelf_tests.is_empty_at_first passes: trace ", text)
        self.assertIn("Another build made the token (0.0.9-other)", text)

    def test_a_token_that_stands_beside_its_option_is_no_replay(self):
        for arguments in (["--assay_replay", "assay1:x"], ["--assay_replay="]):
            for pattern in ("shelf_tests.*", "plain.*"):
                status, text = self.run_tests(pattern, *arguments)
                self.assertEqual(status, 1, text)
                self.assertIn("--assay_replay needs its token: --assay_replay=TOKEN", text)
        status, text = self.run_tests("shelf_tests.*", "--assay_seed=1", "--assay_seed=2")
        self.assertEqual(status, 1, text)
        self.assertIn("--assay_seed is given twice", text)

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

    def test_arguments_are_taken_or_refused_by_name(self):
        for value in ("many", "3x", "99999999999999999999", ""):
            status, text = self.run_tests("shelf_tests.*", f"--assay_schedules={value}")
            self.assertEqual(status, 1, text)
            self.assertIn(f"--assay_schedules takes a number, not '{value}'", text)
        for arguments in (["--assay_schedules=3"], ["--assay_seed=random"], ["--assay_seed=7"]):
            self.assertEqual(self.run_tests("shelf_tests.*", *arguments, ASSAY_SEED="")[0], 0)

    def test_the_folder_for_files_may_come_from_the_environment(self):
        for folder, says in ((str(self.report), f"Token, story and trace are in {self.report}/"),
                             ("/dev/null/no", "Token, story and trace could not be written to /dev/null/no/")):
            done = subprocess.run([PROGRAM, "--gtest_filter=failing.expectation"], capture_output=True, text=True, timeout=600,
                                  env={**os.environ, "ASSAY_REPORT_DIR": folder})
            self.assertEqual(done.returncode, 1)
            self.assertIn(says, done.stdout + done.stderr)
        self.assertLessEqual({".token", ".story", ".trace"}, {one.suffix for one in self.report.iterdir()})

    def test_a_handler_of_the_tests_own_stays(self):
        status, text = self.run_tests("handlers.*")
        self.assertEqual(status, 0, text)

    def test_a_token_of_another_subject_is_not_replayed(self):
        _, text = self.run_tests("failing.expectation")
        status, text = self.run_tests("failing.expectation", f"--assay_replay={renamed(self.token_in(text), 'failing/expectation', 'mine')}")
        self.assertEqual(status, 1, text)
        self.assertIn("Nothing was replayed: the token is of failing.expectation with the subject 'mine'", text)

    def test_contexts_of_the_codes_own_are_driven(self):
        status, text = self.run_tests("contexts.are_driven_by_the_trial:contexts.run_by_the_code_itself")
        self.assertEqual(status, 0, text)
        status, text = self.run_tests("contexts.race_with_each_other")
        self.assertEqual(status, 1, text)
        self.assertIn("expected: one comes before the other: '12'; observed: '21'", text)
        self.assertIn("Found by: permuted order", text)
        status, text = self.run_tests("contexts.race_with_each_other", f"--assay_replay={self.token_in(text)}")
        self.assertEqual(status, 1, text)
        self.assertIn("observed: '21'", text)

    def test_contexts_that_cannot_be_driven_are_named_with_the_mend(self):
        status, text = self.run_tests("contexts.run_for_ever")
        self.assertEqual(status, 1, text)
        self.assertIn("it would block for ever. Leave `run` out, the trial runs the context", text)
        status, text = self.run_tests("contexts.with_threads")
        self.assertEqual(status, 1, text)
        self.assertIn("escaped the scheduler: asio::thread_pool has threads of its own, and threads cannot be simulated; pass an "
                      "executor in", text)

    def test_a_fixture_of_googletests_own_is_set_up_for_every_trial(self):
        status, text = self.run_tests("account_tests.is_set_up_for_every_trial")
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"account_tests\.is_set_up_for_every_trial passes: \d+ trials")
        status, text = self.run_tests("account_tests.is_torn_down")
        self.assertEqual(status, 1, text)
        self.assertIn("balance_", text)

    def test_a_test_may_be_skipped(self):
        for name, why in (("skipping_tests.in_its_set_up", "not on this machine"), ("skipping_bodies.say_so", "not today"),
                          ("skipping_bodies.say_so_in_a_process_of_their_own", "not today")):
            status, text = self.run_tests(name)
            self.assertEqual(status, 0, text)
            self.assertIn(f"[  SKIPPED ] {name}", text)
            self.assertIn(why, text)

    def test_tests_may_have_values_and_types(self):
        status, text = self.run_tests("some/amounts.*")
        self.assertEqual(status, 1, text)
        for index in range(2):
            self.assertIn(f"[       OK ] some/amounts.are_small/{index}", text)
        self.assertIn("[  FAILED  ] some/amounts.are_small/2", text)
        self.assertIn("--gtest_filter=some/amounts.are_small/2 --assay_replay=", text)
        self.assertTrue((self.report / "some_amounts.are_small_2.token").exists())
        token = self.token_in(text)
        status, text = self.run_tests("some/amounts.*", f"--assay_replay={token}")
        self.assertEqual(status, 1, text)
        self.assertEqual(text.count("[  SKIPPED ] some/amounts"), 4, text)  # two, each named twice
        self.expect_nothing_replayed("isolated.*", token, "some/amounts.are_small/2, which the filter leaves out")
        status, text = self.run_tests("numbers/*")
        self.assertEqual(status, 0, text)
        self.assertIn("numbers/1.begin_at_zero passes", text)

    def test_assertions_work_in_a_body(self):
        status, text = self.run_tests("asserting.with_a_matcher")
        self.assertEqual(status, 1, text)
        self.assertIn("has substring", text)
        self.assertIn("of the text", text)
        self.assertNotIn("it goes on", text)

    def test_operations_can_be_awaited(self):
        status, text = self.run_tests("awaited.*:ending.the_background_in_the_body")
        self.assertEqual(status, 0, text)

    def test_the_order_model_can_be_said(self):
        status, text = self.run_tests("orders.first_in_first_out")
        self.assertEqual(status, 0, text)
        self.assertIn("trials, handlers first in, first out", text)
        status, text = self.run_tests("orders.any_order")
        self.assertEqual(status, 1, text)
        status, text = self.run_tests("orders.any_order", ASSAY_ORDER="fifo")
        self.assertEqual(status, 0, text)
        status, text = self.run_tests("orders.any_order", "--assay_order=any", ASSAY_ORDER="fifo")
        self.assertEqual(status, 1, text)
        status, text = self.run_tests("orders.any_order", "--assay_order=lifo")
        self.assertEqual(status, 1, text)
        self.assertIn("--assay_order is any or fifo, not 'lifo'", text)

    def test_a_main_of_its_own_may_take_the_arguments_out(self):
        status, text = self.run_tests("failing.expectation", "--assay_seed=7", ASSAY_OWN_MAIN="1")
        self.assertEqual(status, 1, text)
        self.assertIn("(seed 7)", text)
        status, text = self.run_tests("shelf_tests.*", "--mine", ASSAY_OWN_MAIN="1")
        self.assertEqual(status, 2, text)
        self.assertIn("what is --mine?", text)
        status, text = self.run_tests("shelf_tests.*", "--assay_mine", ASSAY_OWN_MAIN="1")
        self.assertEqual(status, 1, text)
        self.assertIn("unknown argument '--assay_mine'", text)

    def test_exploring_may_go_on_for_a_time(self):
        def trials(*arguments, **environment):
            status, text = self.run_tests("ending.with_all_done", "--assay_schedules=2", *arguments, **environment)
            self.assertEqual(status, 0, text)
            return int(re.search(r"passes: (\d+) trials", text).group(1))
        self.assertGreater(trials(ASSAY_TIME="1"), trials())

    def test_an_unknown_argument_names_those_there_are(self):
        status, text = self.run_tests("failing.expectation", "--assay_schedule=3")
        self.assertEqual(status, 1, text)
        self.assertIn("unknown argument '--assay_schedule=3'", text)
        self.assertIn("--assay_schedules", text)


if __name__ == "__main__":
    unittest.main()
