"""The command line, driven from outside: exit statuses, shapes of JSON, bad subjects, findings, replays.

Usage: command_line_test.py [TestCase[.test_method] ...]
Environment: ASSAY (the command), ASSAY_BAD_SUBJECTS, ASSAY_BAD_ADAPTERS, ASSAY_SHORT_OF_MEMORY (test-only binaries), ASSAY_SANITIZED (the build's sanitizers,
for example "address,undefined"), ASSAY_OTHER (optional: the command as the other compiler built it).
"""

import base64
import ctypes
import json
import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ASSAY = os.environ.get("ASSAY", "build/release/assay")
BAD = os.environ.get("ASSAY_BAD_SUBJECTS", "build/release/harness/assay_bad_subjects")
ADAPTERS = os.environ.get("ASSAY_BAD_ADAPTERS", "build/release/scenarios/assay_bad_adapters")
KEEPERS = os.environ.get("ASSAY_SHORT_OF_MEMORY", "build/release/harness/assay_short_of_memory")
OTHER = os.environ.get("ASSAY_OTHER", "")
SANITIZED = os.environ.get("ASSAY_SANITIZED", "")
PATIENCE = "10" if SANITIZED else "2"  # seconds of real time until a hang is called one


def read(*parts):
    return pathlib.Path(*parts).read_text()


def write(text, *parts):
    pathlib.Path(*parts).write_text(text)


class Ran:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def json(self):
        return json.loads(self.out)


def call(program, *arguments, **environment):
    done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=600,
                          env={**os.environ, **environment})
    return Ran(done.returncode, done.stdout, done.stderr)


def bad(*arguments):
    return call(BAD, *arguments)


def run_bad(*arguments):
    """One run of bad subjects, as JSON, with its exit status."""
    ran = bad("run", "--format", "json", "--hang-after", PATIENCE, "--schedules", "40", *arguments)
    return ran.json(), ran.status


def only(report):
    assert len(report["results"]) == 1, report["results"]
    return report["results"][0]


def replay(program, token, *arguments):
    ran = call(program, "replay", token, "--format", "json", "--hang-after", PATIENCE, *arguments)
    return ran.json(), ran.status


def signed(fields):
    """A token of these fields, with the check that belongs to them."""
    text = ":".join(fields)
    check = 2166136261
    for byte in text.encode():
        check = (check ^ byte) * 16777619 & 0xffffffff
    return text + ":" + base64.urlsafe_b64encode(check.to_bytes(4, "little")).decode().rstrip("=")


class Usage(unittest.TestCase):
    def expect_misuse(self, arguments, *words):
        for program in (BAD, ASSAY):
            ran = call(program, *arguments)
            self.assertEqual(ran.status, 64, (arguments, ran.err))
            self.assertEqual(ran.out, "", arguments)
            if program == BAD:
                for word in words:
                    self.assertIn(word, ran.err)

    def test_unknown_verb_is_named_with_the_nearest(self):
        self.expect_misuse(["runn"], "'runn'", "'run'")

    def test_unknown_option_is_named_with_the_nearest(self):
        self.expect_misuse(["run", "--subjet", "x"], "'--subjet'", "'--subject'")

    def test_unknown_subject_is_named_with_the_nearest(self):
        self.expect_misuse(["run", "--subject", "crashin"], "'crashin'", "'crashing'")

    def test_unknown_clause_is_named_with_the_nearest(self):
        self.expect_misuse(["run", "--clause", "PRB-11"], "'PRB-11'", "'PRB-1'")

    def test_unknown_contract_is_named_with_the_nearest(self):
        self.expect_misuse(["run", "--contract", "prob"], "'prob'", "'probe'")

    def test_unknown_kind_is_named_with_the_nearest(self):
        self.expect_misuse(["run", "--kind", "mutants"], "'mutants'", "'mutant'")

    def test_one_unknown_name_among_known_ones_is_misuse(self):
        self.expect_misuse(["run", "--subject", "good", "--subject", "goood"], "'goood'", "'good'")

    def test_numbers_are_whole_and_in_range(self):
        for option, value in [("--schedules", "abc"), ("--schedules", "-1"), ("--schedules", "1e3"),
                              ("--schedules", "99999999999999999999"), ("--seed", "x"), ("--seed", ""),
                              ("--jobs", "0"), ("--hang-after", "0"), ("--jobs", "1.5")]:
            self.expect_misuse(["run", option, value] if value else ["run", option + "="], option)

    def test_words_are_known_words(self):
        for option, value in [("--order", "fif"), ("--tier", "stock"), ("--format", "yaml")]:
            self.expect_misuse(["run", option, value], option, value)

    def test_selecting_nothing_is_misuse(self):
        self.expect_misuse(["run", "--clause", "NOPE-*"], "NOPE-*")
        ran = bad("run", "--subject", "good", "--kind", "mutant")
        self.assertEqual(ran.status, 64)
        self.assertIn("nothing is selected", ran.err)

    def test_stray_words_and_missing_values_are_misuse(self):
        self.expect_misuse(["run", "good"], "'good'")
        self.expect_misuse(["run", "--schedules"], "--schedules")
        self.expect_misuse(["replay"], "token")
        self.expect_misuse(["replay", "a", "b"], "'b'")

    def test_an_option_takes_several_names_as_its_help_says(self):
        for option, names in [("--subject", ["good", "modest"]), ("--clause", ["PRB-1", "PRB-2"]),
                              ("--kind", ["reference", "alternative"]), ("--contract", ["probe", "prob?"])]:
            self.assertRegex(bad("run", "--help").out, option + r" \S+ \.\.\.")
            at_once, status = run_bad(option, *names, "--no-isolate", "--subject", "good")
            one_by_one, _ = run_bad(option, names[0], option, names[1], "--no-isolate", "--subject", "good")
            self.assertEqual(status, 0)
            self.assertEqual(at_once["results"], one_by_one["results"])
        self.expect_misuse(["run", "--subject", "good", "goood"], "'goood'", "'good'")
        # Behind a testee may stand a token.
        for verb in ("run", "replay"):
            self.assertNotRegex(bad(verb, "--help").out, r"--testee \S+ \.\.\.")
        self.expect_misuse(["run", "--testee", "a", "b"], "'b'")

    def test_updating_findings_refuses_a_filtered_run(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "findings.json")
            self.expect_misuse(["run", "--findings", path, "--update-findings", "--contract", "*"], "filtered")
            self.expect_misuse(["run", "--findings", path, "--update-findings", "--no-sweep"], "filtered")
            self.expect_misuse(["run", "--findings", path, "--tier", "io_context"], "--tier")
            self.expect_misuse(["run", "--update-findings"], "--findings")
            self.assertFalse(os.path.exists(path))

    def test_no_arguments_explains_itself_in_15_lines(self):
        ran = call(ASSAY)
        self.assertEqual(ran.status, 64)
        self.assertLessEqual(len(ran.out.splitlines()), 15)
        self.assertIn("assay run", ran.out)

    def test_help_of_every_verb_has_examples(self):
        self.assertEqual(call(ASSAY, "--help").status, 0)
        for verb in ["list", "standard", "run", "mutants", "replay", "allocations", "diff", "lint"]:
            ran = call(ASSAY, verb, "--help")
            self.assertEqual(ran.status, 0, verb)
            self.assertIn("Examples:", ran.out)
            self.assertIn("assay " + verb, ran.out)

    def test_version_names_build_compiler_and_boost(self):
        ran = call(ASSAY, "--version")
        self.assertEqual(ran.status, 0)
        for word in ["assay 0.", "build ", "commit ", "compiler ", "Boost 1."]:
            self.assertIn(word, ran.out)


class ExitStatus(unittest.TestCase):
    def expect(self, status, *arguments):
        report, seen = run_bad(*arguments)
        self.assertEqual(seen, status, report["summary"])
        self.assertEqual(report["summary"]["exit_status"], status)
        return report

    def test_conforming_is_0(self):
        self.expect(0, "--subject", "good")

    def test_a_violated_must_is_1(self):
        self.expect(1, "--subject", "babbling")

    def test_a_violated_must_is_1_whatever_else_happened(self):
        report = self.expect(1, "--subject", "babbling", "--subject", "crashing", "--subject", "good")
        self.assertGreater(report["summary"]["errors"], 0)

    def test_an_error_is_2(self):
        self.expect(2, "--subject", "good", "--subject", "crashing")

    def test_nothing_but_skips_is_2(self):
        self.expect(2, "--subject", "modest", "--clause", "PRB-3")

    def test_a_broken_should_is_0_and_with_strict_1(self):
        report = self.expect(0, "--subject", "forgetful")
        self.assertEqual(report["summary"]["failed"], 1)
        self.expect(1, "--subject", "forgetful", "--strict")

    def test_a_may_is_never_failed(self):
        self.expect(0, "--subject", "silent", "--strict")

    def test_the_order_model_decides_and_both_are_shown(self):
        for order, status, verdict in [("any", 1, "fail"), ("fifo", 0, "pass")]:
            report = self.expect(status, "--subject", "failing_when_permuted", "--order", order, "--clause", "PRB-3")
            result = only(report)
            self.assertEqual(result["verdict"], verdict)
            self.assertEqual((result["verdict_any"], result["verdict_fifo"]), ("fail", "pass"))
            self.assertEqual(result["shown_by"], "permuted order")

    def test_a_disputed_clause_is_shown_and_not_counted(self):
        report = self.expect(0, "--subject", "dissenting")
        one = next(one for one in report["results"] if one["clause"] == "PRB-6")
        self.assertEqual((one["verdict"], one["level"], one["profile"]), ("fail", "MUST", "full"))
        self.assertEqual(report["summary"]["violated"], 0)
        told = bad("run", "--subject", "dissenting").out
        self.assertIn("failed, not counted", told)
        self.assertIn("disputed: nobody can hear what was not said", told)
        junit = ElementTree.fromstring(bad("run", "--subject", "dissenting", "--format", "junit").out)
        self.assertIn("disputed", next(one for one in junit.iter("testcase") if one.get("name") == "PRB-6")[0].get("message"))
        self.assertIn("Disputed, and not counted: nobody can hear", bad("standard").out)

    def test_the_core_profile_has_a_verdict_of_its_own(self):
        def core(subject):
            report, _ = run_bad("--subject", subject)
            return report["profiles"][0]["core"]["verdict"]
        self.assertEqual([core(one) for one in ("good", "modest", "babbling", "forgetful", "crashing")],
                         ["conforms", "conforms", "fails", "conforms", "error"])
        report, _ = run_bad("--subject", "good", "--clause", "PRB-3")
        self.assertEqual(report["profiles"][0]["core"]["verdict"], "not run")
        self.assertEqual(report["profiles"][0]["full"]["verdict"], "conforms")

    def test_mutants_run_only_if_meant(self):
        names = {one["subject"] for one in run_bad("--clause", "PRB-1", "--subject", "*")[0]["results"]}
        self.assertIn("good", names)
        self.assertNotIn("survivor", names)
        for arguments in [["--subject", "survivor"], ["--subject", "surv*"], ["--kind", "mutant"]]:
            names = {one["subject"] for one in run_bad("--clause", "PRB-1", *arguments)[0]["results"]}
            self.assertIn("survivor", names)

    def test_fail_fast_stops(self):
        report, status = run_bad("--kind", "third-party", "--fail-fast")
        self.assertIn(status, (1, 2))
        self.assertTrue(report["summary"]["stopped"])
        self.assertLess(len(report["results"]), report["summary"]["selected"])

    def test_a_random_seed_is_printed_and_can_be_given_again(self):
        first, _ = run_bad("--subject", "failing_when_permuted", "--seed", "random")
        again, _ = run_bad("--subject", "failing_when_permuted", "--seed", str(first["seed"]))
        self.assertEqual(first["results"], again["results"])
        self.assertIn("seed " + str(first["seed"]),
                      bad("run", "--subject", "good", "--seed", str(first["seed"])).out)

    def test_jobs_change_nothing_but_the_time(self):
        arguments = ["--subject", "good", "--subject", "babbling", "--subject", "failing_when_permuted"]
        one, _ = run_bad(*arguments)
        three, _ = run_bad(*arguments, "--jobs", "3")
        self.assertEqual(one["results"], three["results"])



def handles_interruptions(process):
    """Whether it has come to the point where it says that it was interrupted."""
    caught = re.search(r"^SigCgt:\s*([0-9a-f]+)", read(f"/proc/{process}/status"), re.MULTILINE)
    return bool(int(caught[1], 16) & (1 << (signal.SIGINT - 1)))


class Interruptions(unittest.TestCase):
    """Each of these would go on for longer than anybody waits."""

    def interrupt(self, *command, by=signal.SIGINT):
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        children = f"/proc/{running.pid}/task/{running.pid}/children"
        while not read(children).strip():  # the first worker: everything in process is done, and it listens
            self.assertIsNone(running.poll())
        running.send_signal(by)
        out, err = running.communicate(timeout=60)
        self.assertEqual(running.returncode, 130, (command, err))
        return Ran(running.returncode, out, err)

    # The hang lets every result before it come in, and then holds the run.
    RUN = (BAD, "run", "--subject", "good", "--subject", "hanging", "--clause", "PRB-[123]", "--hang-after", "600")
    HOW_FAR = "after 3 of 6 scenario runs"

    def test_a_run_says_what_it_has(self):
        for by in (signal.SIGINT, signal.SIGTERM):
            with tempfile.TemporaryDirectory() as folder:
                ran = self.interrupt(*self.RUN, "--format", "json", "--report", folder, by=by)
                report = ran.json()
                self.assertTrue(report["summary"]["interrupted"])
                self.assertEqual({one["subject"] for one in report["results"]}, {"good"})
                self.assertEqual((report["summary"]["results"], report["summary"]["selected"]), (3, 6))
                core = {one["subject"]: one["core"] for one in report["profiles"]}
                self.assertEqual((core["good"]["verdict"], core["hanging"]["verdict"]), ("conforms", "not run"))
                self.assertEqual(core["hanging"]["unrun"], 1)
                self.assertIn(self.HOW_FAR, ran.err)
                self.assertEqual(json.loads(read(folder, "conformance.json"))["results"], report["results"])
                page = json.loads(re.search('id="data">(.*?)</script>', read(folder, "index.html"))[1])
                self.assertEqual(page["how_far"], "interrupted " + self.HOW_FAR)

    def test_a_run_says_so_in_every_format(self):
        for form, words in (("text", "Interrupted " + self.HOW_FAR), ("markdown", "Assay: was interrupted"),
                            ("junit", "interrupted " + self.HOW_FAR)):
            ran = self.interrupt(*self.RUN, "--format", form)
            self.assertIn(words, ran.out)
        junit = ElementTree.fromstring(ran.out)
        self.assertEqual(junit.get("errors"), "1")  # whoever reads nothing but the sums sees it as well

    def test_mutants_judges_nobody_who_was_not_tried(self):
        long = (ASSAY, "mutants", "--contract", "bounded_queue", "--schedules", "100000000")
        ran = self.interrupt(*long, "--format", "json")
        matrix = ran.json()
        self.assertTrue(matrix["summary"]["interrupted"])
        self.assertEqual((matrix["sound"], matrix["unkilled"]), (False, []))
        self.assertEqual([one["name"] for one in matrix["mutants"] if one["judged"] and not one["killed"]], [])
        self.assertEqual([one["problems"] for one in matrix["mutants"] if one["problems"]], [])
        self.assertRegex(ran.err, r"interrupted after \d+ of \d+ scenario runs")
        text = self.interrupt(*long).out
        self.assertNotIn("SURVIVES", text)
        self.assertRegex(text, r"Interrupted after \d+ of \d+ scenario runs: \d+ of \d+ mutants are killed, 0 survive, \d+ are not judged")
        self.assertIn('"how_far":"interrupted after', self.interrupt(*long, "--format", "html").out)

    def test_explore_says_nothing_of_what_was_not_begun(self):
        long = (ASSAY, "explore", "--subject", "reference", "--contract", "bounded_queue", "--jobs", "2", "--schedules",
                "100000000", "--batch", "1000000", "--clause", "BQ-1", "--clause", "BQ-2")
        text = self.interrupt(*long).out
        self.assertRegex(text, r"Interrupted after \d+ of \d+ scenarios were begun\. Nothing was found until then")
        seen = self.interrupt(*long, "--format", "json").json()
        self.assertTrue(seen["summary"]["interrupted"])
        for one in seen["explored"]:
            self.assertEqual(one["outcome"], "pass" if one["trials"] else "not begun")

    def test_sweeps_and_measurements_say_what_they_have(self):
        for program, arguments, key in [(KEEPERS, ["allocations", "--hang-after", "86400"], "allocations"),
                                        (ASSAY, ["bugs", "--bug", "lost_*", "--seeds", "100000", "--cap", "100000000"], "bugs")]:
            ran = self.interrupt(program, *arguments, "--format", "json")
            self.assertIsInstance(ran.json()[key], list)
            self.assertTrue(ran.json()["summary"]["interrupted"])
            self.assertRegex(ran.err, r"interrupted after \d+ of \d+")
            self.assertRegex(self.interrupt(program, *arguments).out, r"This was interrupted after \d+ of \d+")

    def test_hashes_say_how_far_they_are(self):
        ours, theirs = pty.openpty()  # where it shows progress
        running = subprocess.Popen([ASSAY, "hashes", "--subject", "reference", "--schedules", "10000000"],
                                   stdout=subprocess.PIPE, stderr=theirs, text=True)
        os.close(theirs)
        shown = b""
        while b"/" not in shown:  # the first scenario: it listens
            shown += os.read(ours, 4096)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
        os.close(ours)
        self.assertEqual(running.returncode, 130)
        self.assertRegex(out, r"interrupted after \d+ of \d+ scenarios\n$")

    def test_who_waits_for_a_testee_can_be_interrupted(self):
        for verb in ("list", "run", "hashes"):
            running = subprocess.Popen([ASSAY, verb, "--testee", "cat - >/dev/null", "--testee-patience", "3600"],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            while not handles_interruptions(running.pid):
                self.assertIsNone(running.poll())
            running.send_signal(signal.SIGINT)
            _, err = running.communicate(timeout=60)
            self.assertEqual((running.returncode, err), (130, "assay: interrupted\n"), verb)


class LostOutput(unittest.TestCase):
    def commands(self):
        token = only(run_bad("--subject", "good", "--clause", "PRB-1")[0])["token"]
        one = ("--subject", "good", "--clause", "PRB-1")
        yield from ([BAD, "list"], [BAD, "list", "--format", "json"], [BAD, "standard"], [BAD, "lint"], [BAD, "doctor"],
                    [BAD, "run", *one], [BAD, "run", *one, "--format", "json"], [BAD, "run", *one, "--format", "junit"],
                    [BAD, "mutants", "--mutant", "killed", "--schedules", "3"], [BAD, "replay", token],
                    [BAD, "explore", *one, "--schedules", "3"], [BAD, "hashes", *one, "--schedules", "1"],
                    [KEEPERS, "allocations", "--subject", "careful", "--clause", "KEEP-1"],
                    [ASSAY, "bugs", "--bug", "lost_update", "--seeds", "1", "--cap", "5", "--twin-schedules", "5"],
                    [BAD, "completion", "bash"], [BAD, "--help"], [BAD, "run", "--help"], [BAD, "--version"], [BAD])

    def test_it_is_an_error_of_every_verb(self):
        for where in (">/dev/full", ">&-"):
            for command in self.commands():
                done = subprocess.run(["bash", "-c", '"$@" ' + where, "bash", *command], capture_output=True, text=True)
                self.assertEqual(done.returncode, 2, (command, where, done.stderr))
                self.assertIn("cannot write to standard output", done.stderr, (command, where))

    def test_a_closed_output_is_no_file_of_the_run(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(["bash", "-c", '"$@" <&- >&- 2>&-', "bash", BAD, "run", "--subject", "good", "--subject",
                                   "crashing", "--report", folder])
            self.assertEqual(done.returncode, 2)
            self.assertEqual(len(json.loads(read(folder, "conformance.json"))["results"]), 12)

    def test_where_it_is_to_go_is_tried_before_the_run(self):
        with tempfile.TemporaryDirectory() as folder:
            started, file = pathlib.Path(folder, "started"), pathlib.Path(folder, "file")
            file.touch()
            token = only(run_bad("--subject", "good", "--clause", "PRB-1")[0])["token"]
            state = ["explore", "--state", f"{file}/x"]
            for arguments in (["run", "--output", f"{file}/x"], ["run", "--output", folder], ["run", "--report", f"{file}/x"],
                              ["run", "--findings", f"{file}/x", "--update-findings"], state,
                              ["replay", token, "--timeline", f"{file}/x"], ["replay", token, "--perfetto", f"{file}/x"]):
                ran = bad(*arguments, "--testee", f"touch {started}")
                self.assertEqual(ran.status, 2, arguments)
                self.assertIn("cannot write '", ran.err)
                self.assertFalse(started.exists(), arguments)
            done = subprocess.run([BAD, "run", "--testee", f"touch {started}"], capture_output=True, text=True,
                                  env={**os.environ, "ASSAY_REPORT_DIR": f"{file}/x"})
            self.assertEqual((done.returncode, started.exists()), (2, False), done.stderr)

    def test_devices_are_written_to_and_not_replaced(self):
        ran = bad("list", "--output", "/dev/stdout")
        self.assertEqual((ran.status, ran.out), (0, bad("list").out))
        ran = bad("list", "--output", "/dev/full")
        self.assertEqual(ran.status, 2)
        self.assertIn("cannot write '/dev/full'", ran.err)


class Origin(unittest.TestCase):
    """What a report says of where it comes from."""

    def run_at(self, epoch, *arguments):
        done = subprocess.run([BAD, "run", "--subject", "good", "--subject", "silent", *arguments], capture_output=True, text=True,
                              env={**os.environ, "SOURCE_DATE_EPOCH": epoch})
        return done.stdout

    def test_every_format_names_date_commit_and_library(self):
        report = json.loads(self.run_at("86400", "--format", "json"))
        self.assertEqual(report["date"], "1970-01-02T00:00:00Z")
        for form in ("text", "markdown", "junit"):
            text = self.run_at("86400", "--format", form).replace("\\", "")
            for word in (report["date"], report["commit"], report["boost"], "Acme 1.2"):
                self.assertIn(word, text, form)
        self.assertEqual({one["subject"]: one["library"] for one in report["profiles"]}, {"good": "", "silent": "Acme 1.2"})
        version = call(BAD, "--version").out
        self.assertIn("commit " + report["commit"], version)

    def test_two_runs_at_one_date_are_the_same(self):
        self.assertEqual(self.run_at("1", "--format", "json"), self.run_at("1", "--format", "json"))

    def test_a_date_that_is_none_is_not_believed(self):
        self.assertNotIn("1970", json.loads(self.run_at("yesterday", "--format", "json"))["date"])


class Problems(unittest.TestCase):
    ARGUMENTS = ("run", "--subject", "good", "--testee", "exit 3 # no testee")

    def test_a_testee_that_does_not_start_is_told_with_what_to_do(self):
        ran = bad(*self.ARGUMENTS)
        self.assertEqual(ran.status, 2)
        end = ran.out[ran.out.index("No verdict"):]
        self.assertIn("1 problem outside of any scenario", end)
        self.assertIn("To do: 1 testee could not be used", end)
        self.assertIn("ci/build-testees", end)
        self.assertIn("1 testee could not be used", bad(*self.ARGUMENTS, "--format", "json").json()["summary"]["advice"])
        self.assertIn("1 testee could not be used", bad(*self.ARGUMENTS, "--format", "markdown").out)
        junit = ElementTree.fromstring(bad(*self.ARGUMENTS, "--format", "junit").out)
        self.assertGreater(int(junit.get("errors")), 0)

    def test_an_unknown_subject_may_be_one_of_a_testee_that_does_not_start(self):
        ran = bad("run", "--subject", "mine.queue", "--testee", "exit 3 # no testee")
        self.assertEqual(ran.status, 2)
        self.assertIn("1 testee could not be used", ran.err)


class BadSubjects(unittest.TestCase):
    def one(self, subject, clause, status):
        report, seen = run_bad("--subject", subject, "--clause", clause)
        self.assertEqual(seen, status, report)
        return only(report)

    def expect_replay(self, result, status):
        again, seen = replay(BAD, result["token"])
        self.assertEqual(seen, status, again)
        self.assertEqual(again["verdict"], result["verdict"])
        self.assertEqual(again["trace_hash"], result["trace_hash"])

    def test_a_crash_is_an_error_with_signal_clause_and_token(self):
        result = self.one("crashing", "PRB-1", 2)
        self.assertEqual(result["verdict"], "error")
        self.assertTrue(result["message"].startswith("crash: "), result["message"])
        self.assertIn("SEGV" if SANITIZED else "SIGSEGV", result["message"])
        self.assertIn("about to crash", "\n".join(result["story"]))
        self.expect_replay(result, 2)

    def test_an_abort_is_an_error(self):
        result = self.one("aborting", "PRB-1", 2)
        self.assertIn("SIGABRT", result["message"])
        self.expect_replay(result, 2)

    def test_an_exit_is_an_error_and_never_a_pass(self):
        result = self.one("exiting", "PRB-1", 2)
        self.assertEqual(result["verdict"], "error")
        self.assertIn("exit status", result["message"])
        self.expect_replay(result, 2)

    def test_a_hang_is_an_error_with_a_token(self):
        result = self.one("hanging", "PRB-1", 2)
        self.assertEqual(result["verdict"], "error")
        self.assertTrue(result["message"].startswith("hang: "), result["message"])
        self.expect_replay(result, 2)

    def test_after_a_crash_the_other_clauses_still_get_verdicts(self):
        report, _ = run_bad("--subject", "crashing_when_permuted")
        verdicts = {one["clause"]: one["verdict"] for one in report["results"]}
        self.assertEqual(verdicts, {"PRB-1": "pass", "PRB-2": "pass", "PRB-3": "error", "PRB-4": "skip",
                                    "PRB-5": "skip", "PRB-6": "skip"})

    def test_a_crash_in_a_permuted_order_keeps_its_schedule(self):
        result = self.one("crashing_when_permuted", "PRB-3", 2)
        self.assertEqual((result["verdict"], result["verdict_fifo"]), ("error", "pass"))
        self.assertEqual(result["shown_by"], "permuted order")
        self.expect_replay(result, 2)

    def test_what_a_subject_prints_corrupts_nothing(self):
        for isolation in ["--isolate", "--no-isolate"]:
            report, status = run_bad("--subject", "babbling", "--clause", "PRB-1", isolation)
            self.assertEqual(status, 1)
            self.assertEqual(only(report)["message"], "expected: the answer: 42; observed: 41")

    def test_bytes_that_are_no_text_spoil_no_report(self):
        for isolation in ["--isolate", "--no-isolate"]:
            report, status = run_bad("--subject", "mumbling", "--clause", "PRB-1", isolation)
            self.assertEqual(status, 1)
            self.assertIn("no \u00e9 UTF-8 ?", only(report)["message"])
        ElementTree.fromstring(bad("run", "--subject", "mumbling", "--format", "junit").out)

    def test_a_throwing_constructor_is_a_failure_with_its_words(self):
        result = self.one("throwing", "PRB-1", 1)
        self.assertIn("no constructor today", result["message"])
        self.assertIn("thrown by the factory of throwing; to refuse a configuration, let it throw "
                      "assay::contract::rejected_error", result["message"])
        self.expect_replay(result, 1)

    def test_a_started_thread_is_an_escape(self):
        for clause in ["PRB-1", "PRB-2"]:
            result = self.one("forking_off", clause, 2)
            self.assertIn("a thread was started", result["message"])
        report, _ = run_bad("--subject", "forking_off", "--clause", "PRB-[12]")
        self.assertEqual([one["verdict"] for one in report["results"]], ["error", "error"])

    @unittest.skipUnless("address" in SANITIZED, "needs LeakSanitizer")
    def test_a_leak_is_an_error_and_attributed(self):
        result = self.one("leaking", "PRB-1", 2)
        self.assertIn("leaked", result["message"])

    def test_a_demanded_termination_passes_by_abort_only(self):
        for subject, status, verdict in [("good", 0, "pass"), ("immortal", 1, "fail"),
                                         ("dying_of_something_else", 1, "fail")]:
            result = self.one(subject, "PRB-4", status)
            self.assertEqual(result["verdict"], verdict)
            again, seen = replay(BAD, result["token"])
            self.assertEqual((seen, again["verdict"]), (status, verdict))
        self.assertGreater(self.one("good", "PRB-4", 0)["trials"], 1)
        # Who it was that killed it is not known.
        self.assertIn("crash: the process was ended by SIGKILL", self.one("killed_from_without", "PRB-4", 2)["message"])

    def test_who_meddles_with_the_harness_s_descriptors_gets_no_verdict(self):
        for subject, words in [
                ("scribbling", "^the worker's answer cannot be read: "),
                ("closing", "^not run to its end: the worker process, which was not at work, ended itself with exit status 2; "
                 "its stderr: assay: send: Bad file descriptor"),
                ("closing_and_hanging", "^not run to its end: no more is heard of the worker process: it has closed its socket")]:
            ran = call(BAD, "run", "--subject", subject, "--clause", "PRB-1", "--format", "json", ASSAY_MISTAKE=subject)
            self.assertEqual(ran.status, 2, ran.err)
            self.assertRegex(only(ran.json())["message"], words)

    def test_a_worker_that_ends_otherwise_than_it_was_told_to_is_a_problem(self):
        for subject, words in [
                ("parting_with_words", "a worker process ended itself with exit status 3 after its last job; its stderr: "
                 "the door is locked"),
                ("parting_with_a_crash", "a worker process was ended by SIGSEGV (Segmentation fault) after its last job"),
                ("parting_never", "a worker process did not end when it was told to")]:
            ran = call(BAD, "run", "--subject", subject, "--clause", "PRB-1", "--hang-after", "1", "--format", "json",
                       ASSAY_MISTAKE=subject)
            self.assertEqual(ran.status, 2, ran.err)
            self.assertEqual(only(ran.json())["verdict"], "pass")
            self.assertEqual(ran.json()["summary"]["problems"], [words])

    def test_a_failure_replays_in_another_process_with_the_same_hash(self):
        for subject, clause in [("babbling", "PRB-1"), ("failing_when_permuted", "PRB-3")]:
            self.expect_replay(self.one(subject, clause, 1), 1)

    def test_a_pass_has_a_token_too(self):
        self.expect_replay(self.one("good", "PRB-1", 0), 0)


class Adapters(unittest.TestCase):
    """A mistake of an adapter is said before any clause is judged, once, with what to mend; one of a library is not."""

    MISTAKES = {
        ("untranslated", "bounded_queue"): "`push` ended with std::out_of_range: vector; translate it into an outcome of the contract: "
                                           "value, cancelled, closed, timed_out, rejected, broken, error or aggregate",
        ("untranslated", "worker_pool"): "`submit` ended with std::out_of_range: vector; translate it into",
        ("other_code", "bounded_queue"): "`push` ended with boost::system::system_error: Channel closed",
        ("other_code", "worker_pool"): "`submit` ended with boost::system::system_error: Channel closed",
        ("aggregated", "bounded_queue"): "`push` ended with an aggregate with the member 'one', std::length_error: no room; translate",
        ("aggregated", "worker_pool"): "`submit` ended with an aggregate with the member 'one', std::length_error: no room; translate",
        ("plainly", "bounded_queue"): "`close` ended with std::out_of_range: vector; translate it into",
        ("lost_id", "bounded_queue"): "an item came out of `pop` without its id; hand out the object that was handed in",
        ("lost_id", "worker_pool"): "an item came out of `execute` without its id; hand out the object that was handed in",
        ("other_id", "bounded_queue"): "an item came out of `pop` with the id 4711, which was never handed in; hand out",
        ("other_id", "worker_pool"): "an item came out of `execute` with the id 4711, which was never handed in; hand out",
        ("unanswered", "bounded_queue"): "'unanswered' claims the feature 'timed', but does not override its member do_push_for()",
        ("unanswered", "worker_pool"): "'unanswered' claims the feature 'handles', but does not override its member outcome()",
    }

    def run_one(self, subject, contract, *arguments):
        ran = call(ADAPTERS, "run", "--schedules", "5", "--format", "json", "--hang-after", PATIENCE, "--subject", subject,
                   "--contract", contract, *arguments)
        return ran, ran.json()["results"]

    def test_each_mistake_is_the_verdict_of_every_clause_and_none_is_run(self):
        for isolation in ("--isolate", "--no-isolate"):
            for (subject, contract), words in self.MISTAKES.items():
                ran, results = self.run_one(subject, contract, isolation)
                self.assertEqual(ran.status, 2, (subject, contract, ran.err))
                self.assertGreater(len(results), 10)
                self.assertEqual({(one["verdict"], one["verdict_fifo"], one["trials"]) for one in results}, {("error", "error", 0)},
                                 (subject, contract))
                self.assertEqual(len({one["message"] for one in results}), 1)
                self.assertTrue(results[0]["message"].startswith("adapter: " + words), results[0]["message"])

    def test_a_library_that_is_wrong_is_no_mistake_of_its_adapter(self):
        for subject in ("loses", "newest_first", "hangs"):
            for contract in ("bounded_queue", "worker_pool"):
                ran, results = self.run_one(subject, contract)
                verdicts = {one["verdict"] for one in results}
                self.assertNotIn("error", verdicts, (subject, contract))
                if (subject, contract) == ("newest_first", "worker_pool"):
                    continue  # that contract promises no order
                self.assertEqual(ran.status, 1, (subject, contract, ran.err))
                self.assertIn("fail", verdicts)

    def test_a_right_adapter_is_judged_by_the_clauses(self):
        for contract in ("bounded_queue", "worker_pool"):
            _, results = self.run_one("right", contract)
            self.assertNotIn("error", {one["verdict"] for one in results})
            self.assertGreater(len([one for one in results if one["verdict"] == "pass"]), 10)

    def test_it_is_told_once_for_a_subject(self):
        asked = ("--subject", "lost_id", "--schedules", "5")
        text = call(ADAPTERS, "run", *asked)
        self.assertEqual(text.status, 2)
        self.assertEqual(text.out.count("without its id"), 2, text.out)  # a queue and a pool
        self.assertEqual(len(re.findall(r"^    \d+ scenarios are not judged; mend the adapter first$", text.out, re.MULTILINE)), 2)
        markdown = call(ADAPTERS, "run", *asked, "--format", "markdown")
        self.assertEqual(markdown.out.count("without its id"), 2)
        junit = ElementTree.fromstring(call(ADAPTERS, "run", *asked, "--format", "junit").out)
        self.assertEqual(junit.get("errors"), junit.get("tests"))
        explored = call(ADAPTERS, "explore", *asked)
        self.assertEqual(explored.status, 2)
        self.assertEqual(explored.out.count("without its id"), 2)

    def test_one_clause_alone_has_the_same_verdict(self):
        ran, results = self.run_one("lost_id", "bounded_queue", "--clause", "BQ-1", "--tier", "io_context")
        self.assertEqual((ran.status, len(results)), (2, 1))
        self.assertIn("without its id", results[0]["message"])
        ran, results = self.run_one("lost_id", "bounded_queue", "--fail-fast")
        self.assertEqual((ran.status, len(results)), (2, 1))

    def test_it_is_replayed_from_its_token(self):
        _, results = self.run_one("other_id", "worker_pool")
        again, status = replay(ADAPTERS, results[0]["token"])
        self.assertEqual((status, again["verdict"], again["message"]), (2, "error", results[0]["message"]))
        self.assertEqual(again["trace_hash"], results[0]["trace_hash"])

    def test_the_record_says_nothing_of_an_adapter(self):
        known = {"subject": "untranslated", "contract": "bounded_queue", "clause": "BQ-10", "variant": "", "verdict": "fail",
                 "message": "as if the adapter had been right before", "verdict_fifo": "fail", "shown_by": "baseline trial",
                 "io_context": "fail", "reason": "a person's", "reference": ""}
        with tempfile.TemporaryDirectory() as folder:
            path = str(pathlib.Path(folder, "findings.json"))
            write(json.dumps({"findings": [known]}), path)
            ran, _ = self.run_one("untranslated", "bounded_queue", "--findings", path)
            self.assertEqual(ran.status, 2, ran.err)
            self.assertEqual({name: len(ran.json()["findings"][name]) for name in ("appeared", "changed", "disappeared")},
                             {"appeared": 0, "changed": 0, "disappeared": 0})


class PlugIns(unittest.TestCase):
    """What the author of a plug-in gets wrong is said in words that name the subject and the mend."""

    def run_with(self, mistake, *arguments):
        return call(BAD, "run", "--schedules", "5", "--format", "json", *arguments, ASSAY_MISTAKE=mistake)

    def test_a_factory_that_returns_null_is_one_error(self):
        for isolation in ("--isolate", "--no-isolate"):
            ran = self.run_with("null", "--subject", "null", "--subject", "modest", isolation)
            self.assertEqual(ran.status, 2, ran.err)
            report = ran.json()
            of_null = [one for one in report["results"] if one["subject"] == "null" and one["verdict"] != "skip"]
            self.assertEqual([one["verdict"] for one in of_null], ["error"])
            self.assertIn("the factory of 'null' (probe) returned null: let it return an object", of_null[0]["message"])
            self.assertEqual(len(report["summary"]["problems"]), 1)
            self.assertIn("the factory of 'null'", report["summary"]["problems"][0])
            self.assertEqual(len([one for one in report["results"] if one["subject"] == "modest"]), 6)

    def test_a_claimed_member_that_is_not_overridden_is_named(self):
        ran = self.run_with("deaf", "--subject", "deaf", "--clause", "PRB-3")
        self.assertEqual(ran.status, 1, ran.err)
        self.assertIn("'deaf' claims the feature 'extra', but does not override its member hear()",
                      only(ran.json())["message"])

    def expect_refused(self, mistake, *words):
        ran = self.run_with(mistake, "--subject", "modest")
        self.assertEqual((ran.status, ran.out), (2, ""), ran.err)
        for word in words:
            self.assertIn(word, ran.err)
        self.assertEqual(call(BAD, "list", ASSAY_MISTAKE=mistake).status, 2)
        lint = call(BAD, "lint", ASSAY_MISTAKE=mistake)
        self.assertEqual(lint.status, 1)
        for word in words:
            self.assertIn(word, lint.out)

    def test_a_name_that_is_taken_is_refused(self):
        self.expect_refused("taken", "the subject 'good' of probe was added twice")

    def test_a_name_of_two_words_is_refused(self):
        self.expect_refused("blank", "the subject 'two words' of probe needs another name")

    def test_an_empty_factory_is_refused(self):
        self.expect_refused("empty", "the subject 'empty' of probe was added with an empty factory")

    def test_a_contract_that_nobody_declares_is_refused(self):
        self.expect_refused("orphan", "the subject 'stray' of orphan has no contract in this program: declare it with "
                            "ASSAY_CONTRACT")

    def test_a_misspelt_feature_is_refused_with_the_nearest(self):
        self.expect_refused("misspelt", "the subject 'misspelt' of probe claims the feature 'silense', which the contract "
                            "does not have; did you mean 'silence'?")

    def test_a_scenario_that_needs_a_misspelt_feature_is_refused_with_the_nearest(self):
        self.expect_refused("needs", "the scenario 'probe/PRB-1/needs' needs the feature 'extar', which the contract does "
                            "not have; did you mean 'extra'?")

    def test_a_misspelt_feature_that_is_met_in_a_trial_is_an_error_of_that_trial(self):
        for mistake, message in (("asks", "the scenario asks for the feature 'extar', which the contract does not have; "
                                          "did you mean 'extra'?"),
                                 ("sees", "the contract's member see() is of the feature 'foresihgt', which the contract "
                                          "does not have; did you mean 'foresight'?")):
            for isolation in ("--isolate", "--no-isolate"):
                ran = self.run_with(mistake, "--subject", "modest", "--clause", "PRB-1", isolation)
                self.assertEqual(ran.status, 2, ran.err)
                verdicts = {one["variant"]: (one["verdict"], one.get("message", "")) for one in ran.json()["results"]}
                self.assertEqual(verdicts[""][0], "pass")
                self.assertEqual(verdicts[mistake], ("error", message))


class Tokens(unittest.TestCase):
    def setUp(self):
        self.token = only(run_bad("--subject", "failing_when_permuted", "--clause", "PRB-3")[0])["token"]

    def expect_unreadable(self, token, *words):
        for program in (BAD, ASSAY):
            ran = call(program, "replay", token)
            self.assertEqual(ran.status, 2, (token, ran.out, ran.err))
        ran = bad("replay", token)
        for word in words:
            self.assertIn(word, ran.err)

    def test_garbage_is_unreadable(self):
        for token in ["x", "", "assay1", "assay1:a:b:c:d:e:f", "assay2" + self.token[6:], "\u00e9\u00e8"]:
            self.expect_unreadable(token)

    def test_a_cut_token_is_unreadable_and_says_so(self):
        for length in range(1, len(self.token)):
            ran = bad("replay", self.token[:length]) if length % 7 == 0 else None
            if ran is not None:
                self.assertEqual(ran.status, 2)
        self.expect_unreadable(self.token[:-2], "check")

    def test_a_mistyped_token_is_unreadable(self):
        swapped = self.token.replace("failing_when_permuted", "failing_when_permutad")
        self.expect_unreadable(swapped, "check")

    def test_a_file_that_cannot_be_read_is_unreadable(self):
        self.expect_unreadable("@/nonexistent/token", "/nonexistent/token")

    def test_a_token_of_another_program_names_what_is_missing(self):
        ran = call(ASSAY, "replay", self.token)
        self.assertEqual(ran.status, 2)
        self.assertIn("probe/PRB-3", ran.err)

    def test_a_token_is_read_from_a_file(self):
        with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
            file.write(self.token + "\n")
            file.flush()
            self.assertEqual(replay(BAD, "@" + file.name)[1], 1)

    def test_a_file_of_several_tokens_is_unreadable(self):
        with tempfile.NamedTemporaryFile("w", suffix=".token") as file:
            file.write(self.token + "\n" + self.token + "\n")
            file.flush()
            self.expect_unreadable("@" + file.name, file.name)
            self.assertIn("holds several tokens", bad("replay", "@" + file.name).err)

    def test_a_token_of_a_feature_that_is_no_longer_claimed_replays_nothing(self):
        fields = self.token.split(":")[:-1]
        self.assertEqual(signed(fields), self.token)
        fields[2] = "modest"
        ran = bad("replay", signed(fields))
        self.assertEqual(ran.status, 2)
        self.assertIn("there is nothing to replay: the token is of 'modest' and probe/PRB-3, and this subject or scenario "
                      "does not claim 'extra'", ran.err)

    def test_a_crash_that_does_not_come_again_is_diverged(self):
        token = only(run_bad("--subject", "crashing_when_permuted", "--clause", "PRB-3")[0])["token"]
        for isolation in ("--isolate", "--no-isolate"):
            ran = call(BAD, "replay", token, isolation, ASSAY_MENDED="1")
            self.assertEqual(ran.status, 2, ran.out)
            self.assertIn("message: diverged: the token recorded a run that never ended (a crash or a hang), and this one "
                          "ended: it passed", ran.out)
            self.assertNotIn("as recorded", ran.out)
        ran = bad("replay", token)
        self.assertEqual(ran.status, 2, ran.out)
        self.assertIn("message: crash: ", ran.out)
        self.assertIn("as recorded: the token's run never ended either", ran.out)

    def test_the_trace_is_longer_than_the_story(self):
        plain = bad("replay", self.token)
        traced = bad("replay", self.token, "--trace")
        self.assertEqual((plain.status, traced.status), (1, 1))
        self.assertGreater(len(traced.out.splitlines()), len(plain.out.splitlines()))
        self.assertIn("verdict: fail", plain.out)
        self.assertIn("trace:", plain.out)


class Tracer:
    """A debugger, as far as a process can tell: traces another one from its beginning, and sees it stop."""

    TRACEME, CONT = 0, 7

    def __init__(self, *arguments):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
        self.folder = tempfile.TemporaryDirectory()
        out = pathlib.Path(self.folder.name, "out")
        self.process = os.fork()
        if self.process == 0:
            try:
                os.dup2(os.open(out, os.O_CREAT | os.O_WRONLY), 1)
                self.libc.ptrace(self.TRACEME, 0, None, None)
                os.execv(arguments[0], arguments)
            finally:
                os._exit(99)
        self.stops = []
        while True:
            _, status = os.waitpid(self.process, 0)
            if not os.WIFSTOPPED(status):
                break
            self.stops.append(os.WSTOPSIG(status))
            self.libc.ptrace(self.CONT, self.process, None, None)  # without the signal, as debuggers treat SIGTRAP
        self.status = os.waitstatus_to_exitcode(status)
        self.out = out.read_text()
        self.folder.cleanup()


class Debugging(unittest.TestCase):
    def setUp(self):
        result = only(run_bad("--subject", "failing_when_permuted", "--clause", "PRB-3")[0])
        self.token, self.hash = result["token"], result["trace_hash"]

    def test_the_three_commands_name_each_other(self):
        ran = bad("run", "--subject", "failing_when_permuted", "--clause", "PRB-3")
        line = next(one.strip() for one in ran.out.splitlines() if " replay assay1:" in one)
        again = subprocess.run(line, shell=True, capture_output=True, text=True).stdout
        self.assertIn("picture: " + line + " --timeline trial.html", again)
        self.assertRegex(again, r"debug:   gdb -ex run --args " + re.escape(line) + r" --break-at \d+\n")

    def test_events_are_numbered_and_the_failure_is_named(self):
        told, _ = replay(BAD, self.token, "--trace")
        numbers = [int(line.split()[0]) for line in told["trace"]]
        self.assertEqual(numbers, list(range(1, len(numbers) + 1)))
        self.assertEqual(told["trace"][told["failed_at"] - 1].split()[2], "failure")
        self.assertIn(told["trace"][told["failed_at"] - 1], told["story"])

    def test_the_debugger_stops_once_where_it_was_asked_to(self):
        told, _ = replay(BAD, self.token)
        for event in (1, told["failed_at"]):
            traced = Tracer(BAD, "replay", self.token, "--break-at", str(event))
            self.assertEqual(traced.stops, [signal.SIGTRAP] * 2)  # the first is that of its beginning
            self.assertEqual(traced.status, 1)
            self.assertIn(self.hash, traced.out)
        beyond = Tracer(BAD, "replay", self.token, "--break-at", "1000000")
        self.assertEqual(beyond.stops, [signal.SIGTRAP])

    def test_without_a_debugger_it_is_misuse_and_says_how(self):
        ran = bad("replay", self.token, "--break-at", "3")
        self.assertEqual(ran.status, 64)
        self.assertIn("gdb -ex run --args", ran.err)
        self.assertEqual(bad("replay", self.token, "--break-at", "0").status, 64)
        self.assertEqual(Tracer(BAD, "replay", self.token, "--break-at", "1", "--isolate").status, 64)


class Completion(unittest.TestCase):
    def complete(self, *words):
        script = ('source <("$0" completion bash); COMP_WORDS=("$0" "$@"); COMP_CWORD=$#; _assay; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        done = subprocess.run(["bash", "-c", script, ASSAY, *words], capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.split()

    def test_verbs(self):
        self.assertEqual(self.complete("mu"), ["mutants"])
        self.assertLessEqual({"run", "replay", "standard", "--help"}, set(self.complete("")))
        self.assertNotIn("worker", self.complete(""))

    def test_options_of_the_verb(self):
        self.assertEqual(self.complete("diff", "--out"), ["--output"])
        self.assertIn("--schedules", self.complete("run", "--subject", "reference", "--s"))
        self.assertNotIn("--schedules", self.complete("diff", "--"))

    def test_values(self):
        self.assertEqual(self.complete("run", "--format", "ju"), ["junit"])
        self.assertIn("BQ-1", self.complete("run", "--clause", "BQ-"))
        self.assertEqual(self.complete("mutants", "--contract", "bounded"), ["bounded_queue"])
        self.assertIn("reference", self.complete("run", "--clause", "BQ-1", "--subject", "ref"))
        self.assertEqual(self.complete("completion", "z"), ["zsh"])

    def test_what_it_does_not_know_it_leaves_to_the_shell(self):
        self.assertEqual(self.complete("run", "--report", ""), [])
        self.assertEqual(self.complete("rnu", "--"), [])

    def test_the_shell_must_be_one_that_it_knows(self):
        self.assertEqual(call(ASSAY, "completion", "bahs").status, 64)
        self.assertEqual(call(ASSAY, "completion").status, 64)


class Doctor(unittest.TestCase):
    def examine(self, **environment):
        done = subprocess.run([ASSAY, "doctor", "--format", "json"], capture_output=True, text=True,
                              env={**os.environ, **environment})
        return {one["what"]: one for one in json.loads(done.stdout)["checks"]}, done.returncode

    def test_a_sound_machine_is_0(self):
        checks, status = self.examine()
        self.assertEqual(status, 0, checks)
        if "g++ 12" in checks["compiler"]["seen"]:
            self.assertEqual(checks["coroutines"]["state"], "note")
            self.assertIn("CONTRIBUTING.md", checks["coroutines"]["mend"])
        else:
            self.assertNotIn("coroutines", checks)
        for what in ("compiler", "Boost", "sanitizers", "workers", "threads", "catalogue", "allocations"):
            self.assertEqual(checks[what]["state"], "fine")
        self.assertIn("fine     Boost: 1.81", call(ASSAY, "doctor").out)

    def test_options_that_hide_what_sanitizers_find_are_problems(self):
        for options in ("exitcode=0", "detect_leaks=1:halt_on_error=0"):
            checks, status = self.examine(LSAN_OPTIONS=options)
            self.assertEqual(status, 2)
            self.assertEqual(checks["LSAN_OPTIONS"]["state"], "problem")
            self.assertIn("LSAN_OPTIONS", checks["LSAN_OPTIONS"]["mend"])

    def test_a_folder_that_cannot_be_written_is_a_problem(self):
        with tempfile.NamedTemporaryFile() as no_folder:
            checks, status = self.examine(ASSAY_REPORT_DIR=no_folder.name)
        self.assertEqual((status, checks["ASSAY_REPORT_DIR"]["state"]), (2, "problem"))

    def test_what_changes_a_run_is_noted(self):
        checks, status = self.examine(GTEST_TOTAL_SHARDS="4", PATH="/nowhere")
        self.assertEqual(status, 0)
        self.assertEqual(checks["GTEST_TOTAL_SHARDS"]["state"], "note")
        self.assertEqual(checks["debugger"]["state"], "note")

    def test_a_limit_of_memory_is_noted(self):
        done = subprocess.run(["bash", "-c", 'ulimit -v 4000000; "$0" doctor', ASSAY], capture_output=True, text=True)
        self.assertIn("note     memory: addresses are limited to 3906 MiB", done.stdout)

    def test_a_program_without_scenarios_or_replaced_allocations_is_told(self):
        done = bad("doctor")
        self.assertIn("note     allocations: cannot be made to fail here", done.out)


class Reports(unittest.TestCase):
    def test_the_table_counts_and_names(self):
        ran = bad("run", "--subject", "good", "--subject", "babbling", "--subject", "forgetful")
        self.assertEqual(ran.status, 1)
        for word in ["pattern", "passed", "failed", "skipped", "error", "babbling", "PRB-1", "MUST", "not counted",
                     "It answers what it was made with.", " replay assay1:",
                     "shown by: the baseline trial", "expected: the answer: 42\n", "    observed: 41\n", "seed 1", "Does not conform"]:
            self.assertIn(word, ran.out)

    def test_the_replay_line_can_be_pasted_into_a_shell(self):
        ran = bad("run", "--subject", "babbling")
        line = next(one.strip() for one in ran.out.splitlines() if " replay assay1:" in one)
        self.assertEqual(subprocess.run(line, shell=True, capture_output=True).returncode, 1)

    def test_colours_only_on_a_terminal_and_not_with_no_color(self):
        self.assertNotIn("\x1b", bad("run", "--subject", "babbling").out)
        for unwanted, coloured in [("", True), ("1", False)]:
            self.assertEqual("\x1b[31m" in self.on_a_terminal(unwanted), coloured)

    def test_what_was_not_run_is_not_green(self):
        shown = self.on_a_terminal("", "--subject", "good", "--clause", "PRB-3")
        self.assertIn("\x1b[33mnot run", shown)
        self.assertIn("\x1b[32mconforms", self.on_a_terminal("", "--subject", "good"))

    @staticmethod
    def on_a_terminal(no_color, *arguments):
        ours, theirs = pty.openpty()
        environment = {**os.environ, "NO_COLOR": no_color}
        running = subprocess.Popen([BAD, "run", *(arguments or ("--subject", "babbling"))], stdout=theirs, stderr=subprocess.DEVNULL,
                                   env=environment)
        os.close(theirs)
        text = b""
        try:
            while chunk := os.read(ours, 4096):
                text += chunk
        except OSError:  # how a terminal says that the other end is gone
            pass
        running.wait()
        os.close(ours)
        return text.decode()

    def test_progress_only_on_a_terminal(self):
        self.assertEqual(bad("run", "--subject", "good").err, "")

    def test_junit_has_real_names_and_counts(self):
        ran = bad("run", "--subject", "good", "--subject", "babbling", "--subject", "crashing", "--format", "junit")
        root = ElementTree.fromstring(ran.out)
        self.assertEqual(root.tag, "testsuites")
        suites = {suite.get("name"): suite for suite in root.iter("testsuite")}
        self.assertEqual(set(suites), {"good.probe", "babbling.probe", "crashing.probe"})
        case = next(one for one in suites["babbling.probe"].iter("testcase") if one.get("name") == "PRB-1")
        self.assertEqual(case.get("classname"), "babbling.probe")
        self.assertEqual(case.find("failure").get("message"), "expected: the answer: 42; observed: 41")
        self.assertEqual(suites["babbling.probe"].get("failures"), "1")
        self.assertEqual(suites["crashing.probe"].get("errors"), "2")
        self.assertEqual(int(root.get("tests")), len(list(root.iter("testcase"))))

    def test_output_goes_to_the_file_that_is_named(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "found.json")
            ran = bad("run", "--subject", "good", "--format", "json", "--output", path)
            self.assertEqual((ran.status, ran.out), (0, ""))
            self.assertEqual(len(json.loads(read(path))["results"]), 6)
            ran = bad("run", "--subject", "good", "--output", os.path.join(folder, "no", "such", "folder"))
            self.assertEqual(ran.status, 2)
            self.assertIn("cannot write", ran.err)

    def test_a_failure_leaves_token_trace_and_story(self):
        with tempfile.TemporaryDirectory() as folder:
            bad("run", "--subject", "babbling", "--report", folder)
            self.assertTrue(os.path.exists(os.path.join(folder, "conformance.xml")))
            stem = os.path.join(folder, "failures", "babbling.probe.PRB-1")
            self.assertEqual(replay(BAD, "@" + stem + ".token")[1], 1)
            self.assertIn("the answer", read(stem + ".story"))
            self.assertIn("turn", read(stem + ".trace"))
            # Once the scenario passes, its files go.
            os.rename(stem + ".token", os.path.join(folder, "failures", "good.probe.PRB-1.token"))
            bad("run", "--subject", "good", "--report", folder)
            self.assertFalse(os.path.exists(os.path.join(folder, "failures", "good.probe.PRB-1.token")))

    def test_the_environment_names_the_folder_too(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([BAD, "run", "--subject", "babbling"], capture_output=True,
                           env={**os.environ, "ASSAY_REPORT_DIR": folder})
            self.assertTrue(os.path.exists(os.path.join(folder, "failures", "babbling.probe.PRB-1.token")))


class Findings(unittest.TestCase):
    recorded = None  # what a whole run records; it takes seconds, since some subjects hang

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "findings.json")
        self.arguments = ["--findings", self.path, "--hang-after", PATIENCE, "--schedules", "20", "--jobs", "2"]

    def update(self):
        ran = bad("run", *self.arguments, "--update-findings")
        self.assertEqual(ran.status, 0, ran.out)
        return json.loads(read(self.path))

    def record(self):
        if Findings.recorded is None:
            Findings.recorded = self.update()
        write(json.dumps(Findings.recorded), self.path)
        return json.loads(read(self.path))

    def run_filtered(self, *arguments):
        chosen = arguments or ("--subject", "babbling", "--subject", "forgetful", "--subject", "good")
        ran = bad("run", *self.arguments, "--format", "json", *chosen)
        return ran.json()["findings"], ran.status

    def rewrite(self, change):
        recorded = json.loads(read(self.path))
        change(recorded["findings"])
        write(json.dumps(recorded), self.path)

    @staticmethod
    def find(findings, subject, clause):
        return next(one for one in findings if (one["subject"], one["clause"]) == (subject, clause))

    def test_recorded_findings_are_compared_and_kept(self):
        findings = self.record()["findings"]
        one = self.find(findings, "babbling", "PRB-1")
        self.assertEqual((one["verdict"], one["verdict_fifo"], one["shown_by"], one["io_context"], one["reason"]),
                         ("fail", "fail", "baseline trial", "fail", ""))
        self.assertEqual(self.find(findings, "failing_when_permuted", "PRB-3")["verdict_fifo"], "pass")
        self.assertEqual(self.find(findings, "failing_when_permuted", "PRB-3")["io_context"], "pass")
        self.assertEqual(self.find(findings, "hanging", "PRB-1")["verdict"], "error")
        self.assertNotIn("good", {one["subject"] for one in findings})

        self.assertEqual(bad("run", *self.arguments).status, 0)

        # A reason and a shortened message survive an update.
        def explain(findings):
            one = self.find(findings, "babbling", "PRB-1")
            one["reason"] = "it babbles"
            one["message"] = "expected: the answer"
        self.rewrite(explain)
        one = self.find(self.update()["findings"], "babbling", "PRB-1")
        self.assertEqual((one["reason"], one["message"]), ("it babbles", "expected: the answer"))

    def test_a_new_finding_fails_the_run_by_name(self):
        self.record()
        self.rewrite(lambda findings: findings.remove(self.find(findings, "babbling", "PRB-1")))
        seen, status = self.run_filtered()
        self.assertEqual(status, 1)
        self.assertEqual([one["name"] for one in seen["appeared"]], ["babbling probe/PRB-1"])
        ran = bad("run", *self.arguments, "--subject", "babbling")
        self.assertIn("new      babbling probe/PRB-1", ran.out)

    def test_a_finding_that_is_gone_fails_the_run_by_name(self):
        self.record()
        self.rewrite(lambda findings: findings.append({**self.find(findings, "babbling", "PRB-1"),
                                                       "clause": "PRB-2"}))
        seen, status = self.run_filtered()
        self.assertEqual(status, 1)
        self.assertEqual([one["name"] for one in seen["disappeared"]], ["babbling probe/PRB-2"])
        # A run that did not look there does not miss it.
        self.assertEqual(self.run_filtered("--subject", "babbling", "--clause", "PRB-1")[1], 0)

    def test_a_changed_finding_fails_the_run_by_name(self):
        self.record()
        for member, value, what in [("message", "another", "its message"), ("verdict", "error", "its verdict"),
                                    ("verdict_fifo", "pass", "order models"), ("shown_by", "cancel sweep", "phase"),
                                    ("io_context", "pass", "io_context")]:
            original = read(self.path)
            self.rewrite(lambda findings: self.find(findings, "babbling", "PRB-1").update({member: value}))
            seen, status = self.run_filtered()
            self.assertEqual(status, 1, member)
            self.assertEqual(len(seen["changed"]), 1, member)
            self.assertIn(what, seen["changed"][0]["what"])
            write(original, self.path)

    def test_the_reference_must_conform_whatever_is_recorded(self):
        # `babbling` as a mutant is no third party: the record does not excuse it.
        self.record()
        ran = bad("run", *self.arguments, "--subject", "killed")
        self.assertEqual(ran.status, 1)

    def test_a_finding_without_a_reason_fails_the_lint(self):
        self.record()
        ran = bad("lint", "--findings", self.path)
        self.assertEqual(ran.status, 1)
        self.assertIn("'babbling probe/PRB-1' has no reason", ran.out)
        self.rewrite(lambda findings: [one.update({"reason": "on purpose"}) for one in findings])
        self.assertNotIn("has no reason", bad("lint", "--findings", self.path).out)

    def test_a_file_that_cannot_be_read_is_an_error(self):
        ran = bad("run", "--subject", "good", "--findings", self.path)
        self.assertEqual(ran.status, 2)
        self.assertIn(self.path, ran.err)
        write("{", self.path)
        self.assertEqual(bad("run", "--subject", "good", "--findings", self.path).status, 2)


class Mutants(unittest.TestCase):
    def one(self, name):
        ran = bad("mutants", "--mutant", name, "--format", "json", "--schedules", "10")
        return ran.json()["mutants"][0], ran.status

    def test_a_killed_mutant_is_0(self):
        mutant, status = self.one("killed")
        self.assertEqual((status, mutant["killed"], mutant["killed_by"]), (0, True, ["PRB-1"]))
        self.assertEqual((mutant["must_fail"], mutant["may_fail"]), (["PRB-1"], ["PRB-2"]))
        self.assertEqual((mutant["contract"], mutant["defect"]), ("probe", "answers one less"))

    def test_a_survivor_is_1(self):
        mutant, status = self.one("survivor")
        self.assertEqual((status, mutant["killed"], mutant["killed_by"]), (1, False, []))

    def test_a_failure_outside_must_and_may_is_1(self):
        mutant, status = self.one("stray")
        self.assertEqual((status, mutant["killed"], mutant["unexpected"]), (1, False, ["PRB-2"]))

    def test_another_message_than_the_expected_one_is_1(self):
        mutant, status = self.one("other_message")
        self.assertEqual((status, mutant["killed"], mutant["killed_by"]), (1, False, ["PRB-1"]))
        self.assertIn("something else", "".join(mutant["problems"]))

    def test_must_clauses_that_kill_nobody_are_named_and_count_when_strict(self):
        ran = bad("mutants", "--format", "json", "--schedules", "10")
        self.assertEqual(ran.json()["unkilled"], ["PRB-3", "PRB-4", "PRB-6"])
        self.assertIn("PRB-3 PRB-4", bad("mutants", "--schedules", "10").out)

    def test_a_witness_replays(self):
        witness = self.one("killed")[0]["witnesses"][0]
        again, status = replay(BAD, witness["token"])
        self.assertEqual((status, again["trace_hash"]), (1, witness["trace_hash"]))


class Shapes(unittest.TestCase):
    """Of the real command, whatever patterns it has."""

    LEVELS = {"MUST", "SHOULD", "MAY"}
    KINDS = {"reference", "third-party", "mutant", "alternative"}

    def test_list(self):
        for program in (ASSAY, BAD):
            ran = call(program, "list", "--format", "json")
            self.assertEqual(ran.status, 0)
            listed = ran.json()
            self.assertIsInstance(listed["version"], str)
            for contract in listed["contracts"]:
                self.assertTrue(contract["name"] and contract["family"])
                for feature in contract["features"]:
                    self.assertTrue(feature["name"] and feature["promise"])
                for clause in contract["clauses"]:
                    self.assertIn(clause["level"], self.LEVELS)
                    self.assertTrue(clause["id"] and clause["text"])
                    self.assertIsInstance(clause["features"], list)
            names = {contract["name"] for contract in listed["contracts"]}
            for subject in listed["subjects"]:
                self.assertIn(subject["kind"], self.KINDS)
                self.assertIn(subject["contract"], names)
                self.assertIsInstance(subject["features"], list)

    def test_run(self):
        for program in (ASSAY, BAD):
            ran = call(program, "run", "--format", "json", "--schedules", "3", "--kind", "reference")
            report = ran.json()
            self.assertTrue(report["results"])
            for result in report["results"]:
                self.assertIn(result["kind"], self.KINDS)
                self.assertIn(result["level"], self.LEVELS)
                self.assertIn(result["verdict"], {"pass", "fail", "skip", "error"})
                self.assertIn(result["tier"], {"sim", "io_context"})
                self.assertIsInstance(result["trials"], int)
                for member in ["subject", "contract", "clause", "message", "token"]:
                    self.assertIsInstance(result[member], str)
            self.assertEqual(report["summary"]["results"], len(report["results"]))

    def test_mutants(self):
        ran = bad("mutants", "--format", "json", "--schedules", "3")
        for mutant in ran.json()["mutants"]:
            for member in ["name", "contract", "defect"]:
                self.assertIsInstance(mutant[member], str)
            for member in ["must_fail", "may_fail", "killed_by"]:
                self.assertTrue(all(isinstance(one, str) for one in mutant[member]))
            self.assertIsInstance(mutant["killed"], bool)

    def test_standard(self):
        for program in (ASSAY, BAD):
            clauses = {clause["id"] for contract in call(program, "list", "--format", "json").json()["contracts"]
                       for clause in contract["clauses"]}
            text = call(program, "standard")
            markdown = call(program, "standard", "--format", "markdown")
            as_json = call(program, "standard", "--format", "json")
            self.assertEqual((text.status, markdown.status, as_json.status), (0, 0, 0))
            for clause in clauses:
                self.assertIn(clause, text.out)
                self.assertIn("</a>" + clause + " ", markdown.out)
            self.assertEqual(clauses, {clause["id"] for contract in as_json.json()["contracts"]
                                       for clause in contract["clauses"]})

    def test_bugs(self):
        ran = call(ASSAY, "bugs", "--bug", "lost_*", "--bug", "flaps*", "--seeds", "5", "--cap", "50", "--twin-schedules",
                   "20", "--format", "json", "--jobs", "2")
        self.assertEqual(ran.status, 0, ran.err)
        bugs = {one["name"]: one for one in ran.json()["bugs"]}
        self.assertEqual(sorted(bugs), ["flaps_in_phase", "lost_update", "lost_wake_up"])
        for bug in bugs.values():
            self.assertEqual(bug["twin_reports"], 0)
            self.assertIsInstance(bug["depth"], int)
            for figures in [bug["portfolio"], *bug["strategies"].values()]:
                self.assertLessEqual({"median", "p95"}, set(figures))
        self.assertIsNotNone(bugs["lost_update"]["portfolio"]["p95"])
        self.assertIsNone(bugs["flaps_in_phase"]["strategies"]["pct2"]["median"])  # the cap was reached
        self.assertIn("lost_update", call(ASSAY, "bugs", "--bug", "lost_*", "--seeds", "2", "--cap", "20").out)

    def test_bugs_names_what_there_is_not(self):
        ran = call(ASSAY, "bugs", "--bug", "lost_updat")
        self.assertEqual(ran.status, 64)
        self.assertIn("lost_update", ran.err)
        self.assertEqual(bad("bugs").status, 64)

    def test_the_bad_catalogue_is_sound(self):
        ran = bad("lint")
        self.assertEqual(ran.status, 0, ran.out)


class Exploring(unittest.TestCase):
    SELECTED = ("--subject", "reference", "--contract", "bounded_queue")

    def explore(self, *arguments):
        ran = call(ASSAY, "explore", *self.SELECTED, "--format", "json", "--batch", "10", *arguments)
        self.assertEqual(ran.status, 0, ran.err)
        return {(one["subject"], one["scenario"]): one for one in ran.json()["explored"]}

    def test_it_goes_on_where_it_was(self):
        with tempfile.TemporaryDirectory() as folder:
            state = str(pathlib.Path(folder, "state.json"))
            first = self.explore("--schedules", "10", "--state", state)
            whole = self.explore("--schedules", "40", "--state", state)
        at_once = self.explore("--schedules", "40")
        self.assertEqual(whole, at_once)
        self.assertTrue(any(first[name]["schedules"] < whole[name]["schedules"] for name in first))

    def test_shards_do_together_what_one_does(self):
        whole = self.explore("--schedules", "40")
        parts = [self.explore("--schedules", "40", "--shard", f"{i}/2") for i in (1, 2)]
        for name, one in whole.items():
            if not one["exhausted"]:
                self.assertEqual(one["schedules"], sum(part[name]["schedules"] for part in parts), name)

    def test_it_keeps_a_corpus_that_grows(self):
        with tempfile.TemporaryDirectory() as folder:
            state = str(pathlib.Path(folder, "state.json"))
            first = self.explore("--schedules", "10", "--state", state)
            whole = self.explore("--schedules", "40", "--state", state)
            kept = {(one["subject"], one["scenario"]): one["corpus"] for one in json.loads(pathlib.Path(state).read_text())["explored"]}
        for name, one in whole.items():
            self.assertEqual(one["corpus"], {"features": len(kept[name]["known"]), "schedules": len(kept[name]["schedules"])})
            self.assertGreaterEqual(one["corpus"]["features"], first[name]["corpus"]["features"])
        self.assertTrue(any(one["corpus"]["schedules"] > 1 for one in whole.values()))
        plain = self.explore("--schedules", "10", "--strategy", "portfolio")
        self.assertTrue(all(one["corpus"] == {"features": 0, "schedules": 0} for one in plain.values()))
        self.assertIn("the corpus keeps", call(ASSAY, "explore", *self.SELECTED, "--schedules", "10").out)

    def test_a_damaged_corpus_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            state = pathlib.Path(folder, "state.json")
            self.explore("--schedules", "10", "--state", str(state))
            for damage in (lambda one: one["schedules"].__setitem__(0, "no schedule"), lambda one: one["times"].pop(),
                           lambda one: one.pop("known")):
                read = json.loads(state.read_text())
                damage(next(one["corpus"] for one in read["explored"] if one["corpus"]["schedules"]))
                damaged = str(pathlib.Path(folder, "damaged.json"))
                write(json.dumps(read), damaged)
                ran = call(ASSAY, "explore", *self.SELECTED, "--batch", "10", "--schedules", "10", "--state", damaged)
                self.assertEqual(ran.status, 2)
                self.assertIn(damaged, ran.err)
                self.assertIn("is no state of an exploration", ran.err)

    def test_workers_find_the_same(self):
        self.assertEqual(self.explore("--schedules", "20"), self.explore("--schedules", "20", "--jobs", "2"))

    def test_what_it_finds_has_a_token(self):
        ran = call(ASSAY, "explore", "--kind", "mutant", "--contract", "bounded_queue", "--clause", "BQ-6", "--schedules", "40",
                   "--format", "json")
        self.assertEqual(ran.status, 1, ran.err)
        found = [one for one in ran.json()["explored"] if one["outcome"] == "fail"]
        self.assertTrue(found)
        again, status = replay(ASSAY, found[0]["token"])
        self.assertEqual((status, again["message"]), (1, found[0]["message"]))

    def test_a_state_of_other_options_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            state = str(pathlib.Path(folder, "state.json"))
            self.explore("--schedules", "10", "--state", state)
            ran = call(ASSAY, "explore", *self.SELECTED, "--batch", "10", "--seed", "2", "--schedules", "10", "--state", state)
            self.assertEqual(ran.status, 2)
            self.assertIn(state, ran.err)
            write("nonsense", state)
            ran = call(ASSAY, "explore", *self.SELECTED, "--schedules", "10", "--state", state)
            self.assertEqual(ran.status, 2)
            self.assertIn("is no state of an exploration", ran.err)

    def test_a_bad_shard_is_named(self):
        for wrong in ("3", "3/2", "0/2", "a/b"):
            ran = call(ASSAY, "explore", "--shard", wrong)
            self.assertEqual(ran.status, 64, wrong)
            self.assertIn("--shard", ran.err)


class Allocations(unittest.TestCase):
    def sweep(self, program, *arguments):
        ran = call(program, "allocations", "--format", "json", "--hang-after", PATIENCE, *arguments)
        return ran.json()["allocations"], ran.status

    def keeper(self, name, clause="KEEP-1"):
        swept, status = self.sweep(KEEPERS, "--subject", name, "--clause", clause)
        self.assertEqual(len(swept), 1, swept)
        return swept[0], status

    def expect_caught(self, name, outcome, clause="KEEP-1"):
        swept, status = self.keeper(name, clause)
        self.assertEqual(status, 1, swept)
        self.assertEqual({one["outcome"] for one in swept["bad"]}, {outcome}, swept)
        self.assertEqual(swept["covered"], swept["points"])

    def test_a_subject_that_holds_when_memory_is_short_is_never_reported(self):
        for clause in ("KEEP-1", "KEEP-2"):
            swept, status = self.keeper("careful", clause)
            self.assertEqual(status, 0, swept)
            self.assertEqual(swept["bad"], [])
            self.assertGreater(swept["points"], 3)
            self.assertEqual(swept["covered"], swept["points"])
            self.assertEqual(sum(swept["outcomes"].values()), 2 * swept["points"])
            self.assertGreater(swept["outcomes"]["surfaced"], 0)

    def test_a_swallowed_failure_is_lost(self):
        self.expect_caught("swallowing", "lost")

    def test_a_failure_where_nothing_may_fail_is_a_crash(self):
        self.expect_caught("brittle", "crashed")

    def test_a_crash_is_told_with_its_last_words_if_there_are_any(self):
        for name, words in (("outspoken", "no memory for a shelf"), ("terse", "terminate called after throwing"), ("taciturn", None)):
            self.expect_caught(name, "crashed")
            for one in self.keeper(name)[0]["bad"]:
                if words:
                    self.assertIn(f"; its last words: {words}", one["message"])
                else:
                    self.assertNotIn("last words", one["message"])

    def test_what_cannot_be_swept_says_why(self):
        for name, why in (("forgetting", "fails without a failing allocation: "),
                          ("growing", "not deterministic: two baseline trials differ"),
                          ("learning", "did not come again")):
            swept, status = self.keeper(name)
            self.assertEqual(status, 2, swept)
            self.assertIn(why, swept["problem"])

    def test_memory_that_nobody_frees_is_a_leak(self):
        self.expect_caught("leaky", "leaked")

    def test_a_task_that_nobody_ends_is_a_leak(self):
        self.expect_caught("abandoning", "leaked", "KEEP-2")

    def test_a_put_that_failed_and_happened_is_a_double(self):
        self.expect_caught("doubling", "doubled")

    def test_trying_for_ever_is_a_hang(self):
        self.expect_caught("spinning", "hung")

    def test_every_bad_point_replays_from_its_token_with_the_same_hash(self):
        for name, clause in (("swallowing", "KEEP-1"), ("leaky", "KEEP-1"), ("abandoning", "KEEP-2"), ("doubling", "KEEP-1")):
            swept, _ = self.keeper(name, clause)
            self.assertTrue(swept["bad"])
            for bad_one in swept["bad"]:
                first, status = replay(KEEPERS, bad_one["token"])
                again, _ = replay(KEEPERS, bad_one["token"], "--no-isolate")
                self.assertEqual(status, 1, bad_one)
                self.assertEqual(first["message"], bad_one["message"])
                self.assertEqual(first["trace_hash"], again["trace_hash"])
                number = str(bad_one["allocation"])
                story = [line for line in first["story"] if f"allocation {number} of the subject fails" in line]
                self.assertEqual(len(story), 1, first["story"])
                self.assertIn("in '", story[0])

    def test_a_crash_replays_in_a_worker(self):
        swept, _ = self.keeper("brittle")
        again, status = replay(KEEPERS, swept["bad"][0]["token"])
        self.assertEqual(status, 2, again)
        self.assertEqual(again["verdict"], "error")

    def test_the_text_names_points_outcomes_and_the_replay(self):
        ran = call(KEEPERS, "allocations", "--subject", "doubling", "--subject", "careful")
        self.assertEqual(ran.status, 1, ran.err)
        for word in ("KEEP-1", "points", "covered", "surfaced", "doubled: item", "replay assay1:", "alloc="):
            self.assertIn(word, ran.out)

    def test_two_sweeps_are_the_same_however_many_run_at_a_time(self):
        first = call(KEEPERS, "allocations", "--format", "json", "--hang-after", PATIENCE, "--jobs", "1")
        second = call(KEEPERS, "allocations", "--format", "json", "--hang-after", PATIENCE, "--jobs", "3")
        self.assertEqual(first.out, second.out)

    def test_a_program_without_the_replaced_operator_new_says_what_to_link(self):
        ran = bad("allocations", "--subject", "good")
        self.assertEqual(ran.status, 2)
        self.assertIn("link assay::allocation_faults", ran.err)

    def test_misuse_is_named(self):
        for arguments, word in ((["--jobs", "0"], "--jobs"), (["--subject", "carefull"], "'careful'"),
                                (["--format", "yaml"], "--format")):
            ran = call(KEEPERS, "allocations", *arguments)
            self.assertEqual(ran.status, 64, arguments)
            self.assertIn(word, ran.err)


def own_results(program):
    """What our own subjects did: the failures of mutants, and the undisturbed runs."""
    report = call(program, "run", "--format", "json", "--schedules", "30", "--kind", "reference", "--kind",
                  "alternative", "--kind", "mutant", "--jobs", "2").json()
    return [one for one in report["results"] if one["token"] and one["trace_hash"]]


class Determinism(unittest.TestCase):
    def expect_same(self, results, program):
        self.assertTrue(results)
        for result in results:
            again, _ = replay(program, result["token"])
            name = f"{result['subject']} {result['contract']}/{result['clause']}/{result['variant']}: {result['token']}"
            self.assertEqual(again["verdict"], result["verdict"], name)
            self.assertEqual(again["message"], result["message"], name)
            self.assertEqual(again["trace_hash"], result["trace_hash"], name)

    def test_every_token_replays_in_another_process_with_the_same_hash(self):
        self.expect_same(own_results(ASSAY), ASSAY)

    def test_two_runs_are_the_same(self):
        first, second = own_results(ASSAY), own_results(ASSAY)
        self.assertEqual(first, second)

    # 30 schedules of every strategy: with two runs each, and the other process, more than 100,000 pairs.
    def hashes(self, program, **environment):
        done = subprocess.run([program, "hashes", "--kind", "reference", "--kind", "alternative", "--schedules", "30"],
                              capture_output=True, text=True, timeout=1800, env={**os.environ, **environment})
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.splitlines()

    def test_every_strategy_gives_the_same_traces_in_another_process_with_another_layout_of_memory(self):
        first = self.hashes(ASSAY)
        self.assertGreater(len(first), 3000)
        second = self.hashes(ASSAY, MALLOC_PERTURB_="171", MALLOC_ARENA_MAX="1", MALLOC_MMAP_THRESHOLD_="256",
                             MALLOC_TOP_PAD_="12345")
        self.assertEqual(first, second)

    @unittest.skipUnless(OTHER, "needs the other compiler's build (ASSAY_OTHER)")
    def test_every_strategy_gives_the_same_traces_with_the_other_compiler(self):
        self.assertEqual(self.hashes(ASSAY), self.hashes(OTHER))

    @unittest.skipUnless(OTHER, "needs the other compiler's build (ASSAY_OTHER)")
    def test_the_other_compiler_replays_every_token_with_the_same_hash(self):
        self.expect_same(own_results(ASSAY), OTHER)

    @unittest.skipUnless(OTHER, "needs the other compiler's build (ASSAY_OTHER)")
    def test_every_token_of_the_other_compiler_replays_with_the_same_hash(self):
        self.expect_same(own_results(OTHER), ASSAY)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
