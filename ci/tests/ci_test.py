"""The scripts of ci/, with the programs that they call replaced: nothing is installed, built or slept for.

Usage: ci_test.py [TestCase[.test_method] ...]
"""

import os
import pathlib
import pty
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LOCKED = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt-get)"


class Sandbox(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        self.calls = self.folder / "calls"
        self.calls.touch()

    def program(self, name, body):
        """A program in front of all others; it writes down how it was called."""
        path = self.programs / name
        path.write_text(f'#!/bin/bash\necho "{name} $*" >>"{self.calls}"\n{body}\n')
        path.chmod(0o755)

    def called(self, name):
        return [line for line in self.calls.read_text().splitlines() if line.startswith(name + " ")]

    def environment(self):
        return {**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}"}


class InstallDeps(Sandbox):
    def install(self, apt_get):
        self.program("dpkg-query", "exit 1")  # nothing is there
        self.program("id", "echo 0")
        self.program("sleep", "")
        self.program("apt-get", apt_get)
        return subprocess.run([ROOT / "ci" / "install-deps", "conformance"], capture_output=True, text=True,
                              env=self.environment(), timeout=60)

    def test_it_waits_for_another_package_manager(self):
        # Three times the lock is held, of the lists and of dpkg; then it is free.
        count = f'n=$(grep -c "^apt-get" "{self.calls}"); [ "$n" -gt 3 ] || {{ echo "{LOCKED}" >&2; exit 100; }}'
        ran = self.install(count)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(len(self.called("sleep")), 3)
        self.assertEqual(ran.stderr.count("another package manager is at work"), 1)
        self.assertTrue(all("DPkg::Lock::Timeout=600" in line for line in self.called("apt-get")))
        self.assertIn(" install ", self.called("apt-get")[-1])

    def test_it_does_not_wait_for_ever(self):
        ran = self.install(f'echo "{LOCKED}" >&2; exit 100')
        self.assertEqual(ran.returncode, 100)
        self.assertEqual(len(self.called("sleep")), 600 / 5)
        self.assertIn("apt-get update failed", ran.stderr)

    def test_other_failures_are_told_at_once(self):
        ran = self.install('echo "E: Unable to fetch some archives" >&2; exit 100')
        self.assertEqual(ran.returncode, 100)
        self.assertEqual(self.called("sleep"), [])
        self.assertIn("Unable to fetch", ran.stderr)


class Stages(Sandbox):
    """`stage` of ci/stage.sh, which the other scripts do their long work with."""

    def script(self, command):
        return ["bash", "-c", f'set -euo pipefail; . "{ROOT}/ci/stage.sh"; {command}']

    def test_elsewhere_than_on_a_terminal_it_is_one_line_that_names_the_log(self):
        log = self.folder / "some" / "log"
        ran = subprocess.run(self.script(f'stage "building it" "{log}" bash -c "echo one; echo two >&2"; echo after'),
                             capture_output=True, text=True)
        self.assertEqual((ran.returncode, ran.stdout, ran.stderr), (0, "after\n", f"== building it (log: {log})\n"))
        self.assertEqual(log.read_text(), "one\ntwo\n")

    def test_it_returns_the_status(self):
        log = self.folder / "log"
        ran = subprocess.run(self.script(f'stage "failing" "{log}" bash -c "exit 7" || exit $?'), capture_output=True)
        self.assertEqual(ran.returncode, 7)

    def test_on_a_terminal_it_shows_how_far_it_is(self):
        log, shown = self.folder / "log", self.folder / "shown"
        # The work ends once its last line has been shown.
        self.program("sleep", f'touch "{shown}"')
        work = f'echo "[3/7] Building x.o"; until [ -e "{shown}" ]; do read -rt 0.01 <> <(:) || true; done'
        (self.folder / "work").write_text(work)
        ours, theirs = pty.openpty()
        running = subprocess.Popen(self.script(f'stage "building it" "{log}" bash "{self.folder}/work"'), stdout=theirs,
                                   stderr=theirs, env=self.environment())
        os.close(theirs)
        text = b""
        try:
            while chunk := os.read(ours, 4096):
                text += chunk
        except OSError:  # how a terminal says that the other end is gone
            pass
        os.close(ours)
        self.assertEqual(running.wait(timeout=60), 0)
        self.assertRegex(text.decode(), r"== building it, \d+ s")
        self.assertRegex(text.decode(), r"== building it: done after \d+ s\r\n$")


class Scripts(unittest.TestCase):
    def test_everything_that_builds_says_so(self):
        for name in ("conformance", "test", "build-testees"):
            text = (ROOT / "ci" / name).read_text()
            self.assertIn(". ci/stage.sh", text, name)
            for line in text.splitlines():
                self.assertNotRegex(line, r"(cmake --build|cargo build|npm ci).*>", (name, line))


if __name__ == "__main__":
    unittest.main()
