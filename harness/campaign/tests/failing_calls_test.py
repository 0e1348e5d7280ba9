"""The machine refuses: a call of the system fails, for every call that there is, and a worker or a testee is gone at every
step. Whatever happens, the command ends, by itself, with a status that is documented; nobody is left behind; and each
verdict is the one without a failure, or an error that names what has failed.

Usage: failing_calls_test.py [TestCase[.test_method] ...]
Environment: ASSAY, ASSAY_BAD_SUBJECTS (the commands), ASSAY_FAILING_CALLS (the library that lets calls fail),
ASSAY_SHORT_OF_MEMORY. Tests whose class is called Full... take long.
"""

import ctypes
import errno
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
ASSAY = os.environ.get("ASSAY", "build/release/assay")
BAD = os.environ.get("ASSAY_BAD_SUBJECTS", "build/release/harness/assay_bad_subjects")
KEEPERS = os.environ.get("ASSAY_SHORT_OF_MEMORY", "build/release/harness/assay_short_of_memory")
LIBRARY = os.environ.get("ASSAY_FAILING_CALLS", "build/release/harness/libassay_failing_calls.so")
PATIENCE = 120  # seconds until something hangs that should take a fraction of one

# Orphans become ours, so that they can be counted.
PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Ran:
    def __init__(self, status, out, err, calls, failed):
        self.status, self.out, self.err, self.calls, self.failed = status, out, err, calls, failed


def children_left(patience=5):
    """The children that are there after the command has gone; those that are about to end are given a moment."""
    until = time.monotonic() + patience
    while True:
        try:
            process, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if process == 0:
            if time.monotonic() > until:
                return True
            time.sleep(0.002)


class Failing(unittest.TestCase):
    """Runs commands in which a call fails."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.count = self.folder / "count"

    def run_with(self, command, call="", where="parent", number="0", how=errno.EIO):
        self.count.write_bytes(bytes(8))
        environment = {**os.environ, "LD_PRELOAD": str(pathlib.Path(LIBRARY).resolve()),
                       "ASSAY_FAIL_PROGRAM": os.path.realpath(command[0]), "ASSAY_FAIL_CALL": call,
                       "ASSAY_FAIL_IN": where, "ASSAY_FAIL_NUMBER": str(number), "ASSAY_FAIL_HOW": str(int(how) if isinstance(how, int) else how),
                       "ASSAY_FAIL_COUNT": str(self.count)}
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, env=environment)
        calls, failed = struct.unpack("II", self.count.read_bytes())
        self.assertGreaterEqual(done.returncode, 0, (command, call, number, "was ended by a signal"))
        self.assertFalse(children_left(), (command, call, number, "left a child behind"))
        return Ran(done.returncode, done.stdout, done.stderr, calls, failed)

    def every(self, command, call, where, how, step=1, before=lambda: None):
        """The command with each of these calls failing in turn, until there is none left."""
        number = 1
        while True:
            before()
            ran = self.run_with(command, call, where, number, how)
            if ran.failed == 0:
                break
            yield f"{call} {number} in the {where}: {how}", ran
            number += step
        self.assertGreater(number, 1, f"{call} is never called in the {where}: nothing was tried")


class Jobs(Failing):
    """Commands that print verdicts."""

    STEP = 1  # of the calls, every so many

    COMMAND = [BAD, "run", "--isolate", "--jobs", "2", "--subject", "good", "--subject", "babbling", "--clause", "PRB-[12]",
               "--schedules", "3", "--hang-after", "30", "--format", "json"]

    def verdicts(self, report):
        return {(one["subject"], one["clause"]): one for one in report["results"]}

    def check(self, what, ran, usual, call, silent=False):
        """What was printed is what is printed else, but for errors that name the call."""
        self.assertIn(ran.status, (0, 1, 2), (what, ran.err))
        if not ran.out:
            self.assertEqual(ran.status, 2, (what, ran.err))
            self.assertIn("assay: ", ran.err, what)
            self.assertIn(call, ran.err, what)
            return
        report = json.loads(ran.out)
        seen = self.verdicts(report)
        self.assertEqual(set(seen), set(usual), what)
        changed = 0
        for key, one in seen.items():
            if one["verdict"] == usual[key]["verdict"]:
                self.assertEqual(one["message"], usual[key]["message"], what)
                continue
            changed += 1
            self.assertEqual(one["verdict"], "error", (what, key, one["message"]))
            self.assertRegex(one["message"], call, what)
        if silent:
            self.assertEqual(changed, 0, what)
        violated = any(one["verdict"] == "fail" for one in seen.values())
        problems = report.get("problems", [])
        self.assertEqual(ran.status, 1 if violated else 2 if changed or problems else 0, (what, ran.err))

    def usual(self, command):
        ran = self.run_with(command)
        self.assertEqual(ran.status, 1, ran.err)
        return self.verdicts(json.loads(ran.out))

    def sweep(self, *plans, command=None):
        command = command or self.COMMAND
        usual = self.usual(command)
        for call, where, how, expected in plans:
            for what, ran in self.every(command, call, where, how, self.STEP):
                with self.subTest(what):
                    self.check(what, ran, usual, expected or "", silent=expected is None)

    # What comes later of itself, or is asked for again, shows nowhere.
    def interrupt(self):
        self.sweep(("read", "parent", errno.EINTR, None), ("read", "parent", "short", None),
                   ("read", "worker", errno.EINTR, None), ("read", "worker", "short", None),
                   ("send", "parent", errno.EINTR, None), ("send", "parent", errno.EAGAIN, None),
                   ("send", "parent", "short", None),
                   ("send", "worker", errno.EINTR, None), ("send", "worker", "short", None),
                   ("poll", "parent", errno.EINTR, None), ("waitpid", "parent", errno.EINTR, None))

    def refuse(self):
        self.sweep(("fork", "parent", errno.EAGAIN, "fork"), ("pipe2", "parent", errno.EMFILE, "pipe2"),
                   ("socketpair", "parent", errno.EMFILE, "socketpair"),
                   ("memfd_create", "parent", errno.EMFILE, "memfd_create"),
                   ("ftruncate", "parent", errno.ENOSPC, "ftruncate"), ("mmap", "parent", errno.ENOMEM, "mmap"),
                   ("mmap", "worker", errno.ENOMEM, "mmap"), ("execv", "fork", errno.ENOMEM, "/proc/self/exe"),
                   ("getppid", "fork", "lie", "exit status 127"))

    def talk(self):
        self.sweep(("read", "parent", errno.EIO, "read"), ("read", "worker", errno.EIO, "read"),
                   ("send", "parent", errno.ENOBUFS, "send"), ("send", "worker", errno.ENOBUFS, "send"),
                   ("send", "parent", errno.EPIPE, "not at work, ended itself"), ("poll", "parent", errno.ENOMEM, "poll"))

    def kill(self):
        self.sweep(("send", "worker", "kill", "SIGKILL"), ("send", "worker", "kill_half", "SIGKILL"),
                   ("read", "worker", "kill", "SIGKILL"))


class Run(Jobs):
    """The cheapest conversation: every call of some kinds, and a share of the others."""

    def test_a_worker_that_is_killed_at_every_step(self):
        self.kill()

    def test_a_machine_without_processes_or_descriptors(self):
        self.refuse()

    def test_some_interruptions_and_short_counts_show_nowhere(self):
        self.STEP = 7
        self.interrupt()

    def test_some_talk_with_a_worker_that_fails(self):
        self.STEP = 7
        self.talk()


class FullRun(Jobs):
    def test_interruptions_and_short_counts_show_nowhere(self):
        self.interrupt()

    def test_talk_with_a_worker_that_fails(self):
        self.talk()


class Files(Failing):
    """Where results go."""

    def command(self):
        return [BAD, "run", "--no-isolate", "--subject", "good", "--clause", "PRB-1", "--schedules", "2", "--format", "json",
                "--output", str(self.folder / "seen.json"), "--report", str(self.folder / "report")]

    def sweep(self, call, how, silent):
        for what, ran in self.every(self.command(), call, "parent", how):
            with self.subTest(what):
                if call != "close":  # at the end of a file that is tried and not written to it says nothing
                    self.assertEqual(ran.status, 0 if silent else 2)
                self.assertRegex(ran.err, "assay: cannot (write|read) '.*': " if ran.status == 2 else "^$")
                self.assertEqual(list(self.folder.rglob("*.partial")), [])
                for path in (one for one in self.folder.rglob("*.json")):
                    self.assertTrue(path.read_text() == "before" or json.loads(path.read_text())["results"], what)
            for path in self.folder.rglob("*.json"):
                path.write_text("before")

    def test_interruptions_and_short_counts_show_nowhere(self):
        for how in (errno.EINTR, "short"):
            self.sweep("write", how, silent=True)

    def test_a_full_disk_is_told_and_spoils_no_file(self):
        self.sweep("write", errno.ENOSPC, silent=False)
        self.sweep("close", errno.EIO, silent=False)
        self.sweep("open", errno.ENOSPC, silent=False)
        self.sweep("rename", errno.ENOSPC, silent=False)

    def test_standard_output_that_is_full_is_told(self):
        command = [BAD, "run", "--subject", "good", "--clause", "PRB-1", "--no-isolate"]
        for what, ran in self.every(command, "write", "parent", errno.ENOSPC):
            self.assertEqual((ran.status, ran.err),
                             (2, "assay: cannot write to standard output: No space left on device\n"), what)

    def test_who_cannot_guard_standard_output_does_not_run(self):
        command = [BAD, "run", "--subject", "good", "--clause", "PRB-1", "--no-isolate", "--format", "json"]
        for what, ran in self.every(command, "dup", "parent", errno.EMFILE):
            report = json.loads(ran.out)
            self.assertEqual(ran.status, 2, what)
            problems = [one["message"] for one in report["results"]] + report["summary"]["problems"]
            self.assertIn("not run: dup of standard output: Too many open files", " ".join(problems), what)


class Replay(Jobs):
    """One job, of a token; and a picture, for which there are two."""

    def verdicts(self, report):
        return {(report["subject"], report["clause"]): report}

    def command(self, *more):
        ran = self.run_with([BAD, "run", "--subject", "babbling", "--clause", "PRB-1", "--format", "json", "--schedules", "3"])
        return [BAD, "replay", json.loads(ran.out)["results"][0]["token"], "--isolate", "--format", "json", *more]

    def test_each_call(self):
        self.sweep(("fork", "parent", errno.EAGAIN, "fork"), ("send", "worker", "kill_half", "SIGKILL"),
                   ("read", "parent", errno.EIO, "read"), command=self.command())

    def test_a_picture_is_whole_or_told_to_be_missing(self):
        picture = self.folder / "trial.html"
        for what, ran in self.every(self.command("--timeline", str(picture)), "fork", "parent", errno.EAGAIN):
            self.assertTrue(picture.exists() or ran.status == 2, (what, ran.err))
            picture.unlink(missing_ok=True)


class ManyMutants(Failing):
    STEP = 1
    COMMAND = [BAD, "mutants", "--mutant", "killed", "--mutant", "stray", "--jobs", "2", "--schedules", "3", "--format", "json"]

    def judged(self, ran):
        return {one["name"]: one for one in json.loads(ran.out)["mutants"]}

    def sweep(self):
        usual = self.judged(self.run_with(self.COMMAND))
        self.assertTrue(all(one["judged"] for one in usual.values()))
        for call, where, how, word in [("fork", "parent", errno.EAGAIN, "fork"), ("socketpair", "parent", errno.EMFILE, "socketpair"),
                                       ("send", "parent", errno.ENOBUFS, "send"), ("read", "worker", errno.EIO, "read"),
                                       ("mmap", "worker", errno.ENOMEM, "mmap")]:
            for what, ran in self.every(self.COMMAND, call, where, how, self.STEP):
                with self.subTest(what):
                    seen = self.judged(ran)
                    self.assertEqual(set(seen), set(usual))
                    for name, one in seen.items():
                        if one["judged"]:
                            self.assertEqual(one, usual[name])
                            continue
                        self.assertLessEqual(set(one["killed_by"]), set(usual[name]["killed_by"]))
                        self.assertLessEqual(set(one["problems"]), set(usual[name]["problems"]))
                    if any(not one["judged"] for one in seen.values()) or "plug check" in ran.err:
                        self.assertRegex(ran.err, "not run.*" + word)
                        self.assertIn(ran.status, (1, 2))


class Mutants(ManyMutants):
    STEP = 11

    def test_nobody_is_judged_by_what_was_not_run(self):
        self.sweep()


class FullMutants(ManyMutants):
    def test_nobody_is_judged_by_what_was_not_run(self):
        self.sweep()


class Explorations(Failing):
    STEP = 1

    def sweep(self):
        state = self.folder / "state"
        command = [BAD, "explore", "--subject", "good", "--subject", "babbling", "--clause", "PRB-[12]", "--isolate", "--jobs", "2",
                   "--schedules", "4", "--batch", "2", "--state", str(state), "--format", "json"]

        def explored(ran):
            return json.loads(ran.out)["explored"]
        usual = explored(self.run_with(command))
        for call, where, how in [("fork", "parent", errno.EAGAIN), ("send", "parent", errno.ENOBUFS),
                                 ("read", "parent", errno.EIO), ("mmap", "worker", errno.ENOMEM)]:
            for what, ran in self.every(command, call, where, how, self.STEP, lambda: state.unlink(missing_ok=True)):
                with self.subTest(what):
                    self.assertIn(ran.status, (1, 2), ran.err)
                    if not ran.out:
                        self.assertRegex(ran.err, "assay: cannot read '.*': ")
                        continue
                    if explored(ran) != usual:
                        self.assertRegex(ran.err, f"assay: .*{call}")
                    again = self.run_with(command)
                    self.assertEqual(explored(again), usual)


class Explore(Explorations):
    STEP = 11

    def test_what_was_not_run_is_run_the_next_time(self):
        self.sweep()

    def test_a_state_is_whole_whatever_fails(self):
        state = self.folder / "state"
        command = [BAD, "explore", "--subject", "good", "--clause", "PRB-1", "--no-isolate", "--schedules", "4", "--batch", "2",
                   "--state", str(state), "--format", "json"]
        for call, how in [("write", errno.ENOSPC), ("rename", errno.EIO), ("open", errno.EMFILE)]:
            for what, ran in self.every(command, call, "parent", how, 1, lambda: state.unlink(missing_ok=True)):
                self.assertEqual(ran.status, 2, (what, ran.err))
                self.assertRegex(ran.err, "cannot (write|read)", what)
                if state.exists():
                    self.assertTrue(json.loads(state.read_text())["explored"], what)


class FullExplore(Explorations):
    def test_what_was_not_run_is_run_the_next_time(self):
        self.sweep()


class InForks(Failing):
    """Work in forked children, which hand back text: sweeps of allocations, and measurements."""

    SWEEP = [KEEPERS, "allocations", "--subject", "careful", "--clause", "KEEP-1", "--jobs", "2", "--format", "json"]
    MEASURE = [ASSAY, "bugs", "--bug", "lost_update", "--bug", "lost_wakeup*", "--seeds", "1", "--cap", "3", "--twin-schedules",
               "3", "--jobs", "2", "--format", "json"]
    STEP = 97  # of the calls in a sweep, every so many; Full tries all

    def sweep(self, command, key, plans):
        usual = json.loads(self.run_with(command).out)[key]
        for call, where, how, word in plans:
            for what, ran in self.every(command, call, where, how, self.STEP if command == self.SWEEP else 1):
                with self.subTest(what):
                    if not ran.out:
                        self.assertEqual(ran.status, 2, ran.err)
                        self.assertRegex(ran.err, f"assay: .*({word}|without a result)" if word else "nothing shows")
                        continue
                    for one, other in zip(json.loads(ran.out)[key], usual, strict=True):
                        if "cpu_ms" in json.dumps(one):  # measured anew
                            one, other = one["name"], other["name"]
                        if one != other:
                            self.assertRegex(one["problem"], word or "nothing shows")
                            self.assertEqual(ran.status, 2)

    PLANS = [("fork", "parent", errno.EAGAIN, "fork"), ("pipe2", "parent", errno.EMFILE, "pipe2"),
             ("read", "parent", errno.EINTR, None), ("read", "parent", errno.EIO, "read"), ("read", "parent", "short", None),
             ("ppoll", "parent", errno.EINTR, None), ("ppoll", "parent", errno.ENOMEM, "ppoll"),
             ("waitpid", "parent", errno.EINTR, None),
             ("write", "fork", errno.EINTR, None), ("write", "fork", "short", None)]

    SWEEP_PLANS = [*PLANS, ("fork", "fork", errno.EAGAIN, "fork"), ("pipe2", "fork", errno.EMFILE, "pipe2"),
                   ("memfd_create", "fork", errno.EMFILE, "memfd_create"), ("ftruncate", "fork", errno.ENOSPC, "ftruncate"),
                   ("mmap", "fork", errno.ENOMEM, "mmap"),
                   ("write", "fork", errno.EIO, "the result of a trial|without a result"), ("waitpid", "fork", errno.EINTR, None)]


class Forks(InForks):
    def test_measurements(self):
        self.sweep(self.MEASURE, "bugs", [*self.PLANS, ("write", "fork", errno.EIO, "without a result"),
                                          ("write", "fork", "kill_half", "without a result"),
                                          ("getppid", "fork", "lie", "without a result")])

    def test_sweeps(self):
        self.sweep(self.SWEEP, "allocations", self.SWEEP_PLANS)


class FullForks(InForks):
    STEP = 1

    def test_sweeps(self):
        self.sweep(self.SWEEP, "allocations", self.SWEEP_PLANS)


class Talk(Failing):
    """A conversation with a testee, in which calls of the harness fail."""

    STEP = 97
    WHERE = "parent"
    ISOLATED = "--no-isolate"

    def command(self):
        testee = ROOT / "testees" / "python" / "asyncio_testee.py"
        return [ASSAY, "run", "--testee", f"{sys.executable} -S -E {testee}", "--subject", "asyncio.Queue", "--clause", "BQ-1",
                "--schedules", "1", "--no-sweep", self.ISOLATED, "--format", "json"]

    def sweep(self, plans):
        command = self.command()
        usual = json.loads(self.run_with(command).out)["results"]
        for call, where, how, word in plans:
            for what, ran in self.every(command, call, where, how, self.STEP):
                with self.subTest(what):
                    if not ran.out:
                        self.assertEqual(ran.status, 2, ran.err)
                        self.assertRegex(ran.err, word or "nothing shows")
                        continue
                    for one, other in zip(json.loads(ran.out)["results"], usual, strict=True):
                        if one["verdict"] == other["verdict"]:
                            self.assertEqual(one["message"], other["message"])
                        else:
                            self.assertEqual(one["verdict"], "error", one["message"])
                            self.assertRegex(one["message"], word or "nothing shows")
                            self.assertEqual(ran.status, 2)

    def sweep_all(self):
        self.sweep([("fork", self.WHERE, errno.EAGAIN, "fork"), ("pipe2", self.WHERE, errno.EMFILE, "pipe2"),
                    ("read", self.WHERE, errno.EINTR, None), ("read", self.WHERE, "short", None),
                    ("read", self.WHERE, errno.EIO, "read"), ("write", self.WHERE, errno.EINTR, None),
                    ("write", self.WHERE, errno.EAGAIN, None), ("write", self.WHERE, "short", None),
                    ("write", self.WHERE, errno.EIO, "write|cannot write"), ("poll", self.WHERE, errno.EINTR, None),
                    ("poll", self.WHERE, errno.ENOMEM, "poll"), ("waitpid", self.WHERE, errno.EINTR, None),
                    ("getppid", "fork", "lie", "exit status 127"), ("execv", "fork", errno.ENOMEM, "/bin/sh")])


class Testee(Talk):
    def test_each_call(self):
        self.sweep_all()


class FullTestee(Talk):
    STEP = 1

    def test_each_call(self):
        self.sweep_all()


class FullIsolatedTestee(Talk):
    STEP = 1
    WHERE = "worker"
    ISOLATED = "--isolate"

    def test_each_call(self):
        self.sweep_all()


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[1:]])
