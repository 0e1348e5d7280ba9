"""The scripts of ci/, with the programs that they call replaced: nothing is installed, built or slept for.

Usage: ci_test.py [TestCase[.test_method] ...]
"""

import json
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
        for name in ("conformance", "test", "build-testees", "boost"):
            text = (ROOT / "ci" / name).read_text()
            self.assertIn(". ci/stage.sh", text, name)
            for line in text.splitlines():
                self.assertNotRegex(line, r"(cmake --build|cargo build|npm ci).*>", (name, line))


class Shards(unittest.TestCase):
    """The shards of ci/test: what a full run runs, in parts."""

    def listed(self):
        ran = subprocess.run([ROOT / "ci" / "test", "--list-shards"], capture_output=True, text=True, check=True)
        return {line.split()[0]: line.split()[1] for line in ran.stdout.splitlines()}

    def test_they_are_listed_with_their_place_in_the_runs(self):
        self.assertEqual({name for name, run in self.listed().items() if run == "default"}, {"release", "fuzz", "tsan"})
        self.assertIn("release-clang", self.listed())

    def test_an_unknown_one_is_refused_with_those_that_there_are(self):
        ran = subprocess.run([ROOT / "ci" / "test", "relase"], capture_output=True, text=True)
        self.assertEqual(ran.returncode, 64)
        self.assertIn("there is no shard 'relase'; there are: release fuzz", ran.stderr)

    def test_every_test_of_a_whole_build_is_in_one_of_its_shards(self):
        # The build that this test belongs to is a whole one: what ctest knows there is all that there is.
        build = os.environ["ASSAY_BUILD"]

        def names(arguments=()):
            shown = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1", *arguments],
                                   capture_output=True, text=True, check=True)
            return {test["name"] for test in json.loads(shown.stdout)["tests"]}

        # Programs outside of the tree and other languages are tested with one compiler.
        for preset, elsewhere in (("release", ()), ("release-clang", ("consumer.", "testees."))):
            told = subprocess.run([ROOT / "ci" / "test", "--selections", preset, preset + "-long"],
                                  capture_output=True, text=True, check=True).stdout.splitlines()
            chosen = [line.split(":") for line in told]
            self.assertEqual({one[0] for one in chosen}, {preset})
            left = names() - set().union(*(names(one[1:]) for one in chosen))
            self.assertEqual({one for one in left if not one.startswith(elsewhere)}, set(), preset)


class ShardsWithAScript(Sandbox):
    """A shard that is another script's work, in a tree that has nothing but scripts."""

    def shard(self, name, body):
        tree = self.folder / "tree"
        (tree / "ci").mkdir(parents=True)
        for script in ("test", "stage.sh"):
            (tree / "ci" / script).symlink_to(ROOT / "ci" / script)
        for script, does in (("install-deps", ""), ("build-testees", ""), ("boost", body)):
            self.program(script, does)
            (tree / "ci" / script).symlink_to(self.programs / script)
        return subprocess.run([tree / "ci" / "test", name], capture_output=True, text=True, timeout=60)

    def test_it_is_run_and_nothing_is_built(self):
        ran = self.shard("boost-1.88", "echo 3 passed")
        self.assertEqual((ran.returncode, ran.stdout), (0, "== ./ci/boost 1.88\n3 passed\n"), ran.stderr)
        self.assertEqual(self.called("boost"), ["boost 1.88"])

    def test_its_failure_is_the_run_s(self):
        ran = self.shard("boost-1.83", "exit 2")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("ci/test: ./ci/boost 1.83 failed", ran.stderr)


class OtherBoosts(Sandbox):
    """ci/boost, in a tree that has nothing but the scripts."""

    def setUp(self):
        super().setUp()
        self.tree = self.folder / "tree"
        (self.tree / "ci").mkdir(parents=True)
        for script in ("boost", "stage.sh", "install-deps"):
            (self.tree / "ci" / script).symlink_to(ROOT / "ci" / script)
        self.program("dpkg-query", 'echo "install ok installed"')
        self.program("cmake", "")
        self.program("ctest", "")

    def headers_are_there(self, version):
        headers = self.tree / "build" / f"boost-{version}" / "usr" / "include" / "boost"
        headers.mkdir(parents=True)
        (headers / "version.hpp").touch()
        # What the build would leave.
        built = self.tree / "build" / f"boost-{version}" / "build"
        built.mkdir()
        self.program("assay", 'exit "${ASSAY_STATUS:-0}"')
        (self.programs / "assay").rename(built / "assay")

    def boost(self, *arguments, **environment):
        return subprocess.run([self.tree / "ci" / "boost", *arguments], capture_output=True, text=True, timeout=60,
                              env={**self.environment(), **environment})

    def test_it_builds_runs_the_quick_tests_and_judges(self):
        self.headers_are_there("1.88")
        ran = self.boost("1.88", "--clause", "BQ-8")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        configure, build = self.called("cmake")
        folder = self.tree / "build" / "boost-1.88"
        self.assertIn(f"-DASSAY_BOOST_HEADERS={folder}/usr/include", configure)
        for target in ("assay", "harness_test", "reference_test", "assay_own_tests"):
            self.assertIn(target, build.split())
        (tests,) = self.called("ctest")
        self.assertIn(f"--test-dir {folder}/build -L quick", tests)
        self.assertEqual(self.called("assay"), ["assay run --findings scenarios/findings.json --clause BQ-8"])

    def test_a_quick_test_that_fails_is_shown_and_so_is_the_conformance(self):
        self.headers_are_there("1.88")
        self.program("ctest", "echo 'virtual_time.waits (Failed)'; exit 8")
        ran = self.boost("1.88")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("virtual_time.waits (Failed)", ran.stderr)
        self.assertIn("quick tests fail with Boost 1.88", ran.stderr)
        self.assertEqual(len(self.called("assay")), 1)

    def test_its_status_is_the_conformance_s(self):
        self.headers_are_there("1.83")
        self.assertEqual(self.boost("1.83", ASSAY_STATUS="2").returncode, 2)

    def test_a_build_that_fails_ends_it(self):
        self.headers_are_there("1.83")
        self.program("cmake", "echo 'error: no such member'; exit 1")
        ran = self.boost("1.83")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("error: no such member", ran.stderr)
        self.assertEqual(self.called("ctest") + self.called("assay"), [])

    def test_a_boost_that_cannot_be_had_is_named(self):
        self.program("apt-get", 'echo "E: Unable to locate package" >&2; exit 100')
        ran = self.boost("1.99")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("Debian 13 has no libboost1.99-dev", ran.stderr)
        self.assertEqual(self.called("cmake"), [])

    def test_without_a_version_it_says_how_it_is_used(self):
        ran = self.boost("latest")
        self.assertEqual(ran.returncode, 64)
        self.assertIn("Usage: ci/boost VERSION", ran.stderr)


class BuildCost(Sandbox):
    def test_steps_and_tests_count_for_their_patterns(self):
        log = self.folder / "release" / ".ninja_log"
        log.parent.mkdir()
        log.write_text("# ninja log v5\n"
                       "0\t9000\t1\tscenarios/flow/bounded_queue/scenarios.cpp.o\tabc\n"
                       "0\t2000\t1\tscenarios/flow/bounded_queue/scenarios.cpp.o\tabc\n"
                       "500\t1500\t1\tproperty/flow/bounded_queue.cpp.o\tabc\n"
                       "0\t4000\t1\tharness/trial/trial.cpp.o\tabc\n")
        costs = self.folder / "tests" / "Testing" / "Temporary" / "CTestCostData.txt"
        costs.parent.mkdir(parents=True)
        costs.write_text("release/reference.bounded_queue.BQ-1 1 0.5\nrelease/lint 1 0.25\n---\nrelease/lint\n")
        ran = subprocess.run([ROOT / "ci" / "build-cost", self.folder], capture_output=True, text=True, check=True)
        rows = {" ".join(line.split()[:-3]): line.split()[-3:] for line in ran.stdout.splitlines()}
        self.assertEqual(rows["bounded_queue"], ["3.0", "0.5", "3.5"])
        self.assertEqual(rows["harness, shared"], ["4.0", "0.2", "4.2"])

    def test_without_a_build_it_says_so(self):
        ran = subprocess.run([ROOT / "ci" / "build-cost", self.folder], capture_output=True, text=True)
        self.assertEqual(ran.returncode, 2)
        self.assertIn("run ci/test first", ran.stderr)


if __name__ == "__main__":
    unittest.main()
