"""`assay diff` on small files, sound and malformed, and on runs of subjects that differ on purpose.

Environment: ASSAY (the command), ASSAY_BAD_SUBJECTS (a test-only binary).
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ASSAY = os.environ["ASSAY"]
BAD = os.environ["ASSAY_BAD_SUBJECTS"]


def result(clause, verdict="pass", **changes):
    one = {"subject": "mine", "contract": "probe", "clause": clause, "variant": "", "tier": "sim", "verdict_any": verdict,
           "verdict_fifo": verdict, "message": "it broke" if verdict in ("fail", "error") else "", "schedules": 100,
           "cancel_points_covered": 5, "fault_points_covered": 2, "exhausted": False}
    one.update(changes)
    return one


def run(*results):
    return {"version": "0.1.0", "build": "here", "results": list(results)}


class Diff(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def write(self, name, what):
        path = self.folder / name
        path.write_text(what if isinstance(what, str) else json.dumps(what))
        return path

    def diff(self, old, new, *arguments):
        return subprocess.run([ASSAY, "diff", self.write("old.json", old), self.write("new.json", new), *arguments],
                              capture_output=True, text=True, timeout=60)

    def expect(self, status, old, new, **lists):
        done = self.diff(old, new, "--format", "json")
        self.assertEqual(done.returncode, status, done.stderr)
        seen = json.loads(done.stdout)
        self.assertEqual(seen["worse"], status == 1)
        for name in ("new_failures", "lost_coverage", "changed", "fixed"):
            self.assertEqual([one["name"] for one in seen[name]], lists.get(name, []), name)
        return seen

    def test_the_same_twice_is_nothing_worse(self):
        both = run(result("A-1"), result("A-2", "fail"), result("A-3", "skip"))
        self.expect(0, both, both)

    def test_a_pass_that_fails_is_worse_and_replays(self):
        seen = self.expect(1, run(result("A-1")), run(result("A-1", "fail", replay="assay replay TOKEN")),
                           new_failures=["mine probe/A-1"])
        self.assertEqual(seen["new_failures"][0]["replay"], "assay replay TOKEN")
        self.assertIn("it broke", seen["new_failures"][0]["what"])

    def test_an_error_and_a_failure_that_was_not_run_before_are_worse(self):
        self.expect(1, run(), run(result("A-1", "error"), result("A-2")), new_failures=["mine probe/A-1"])

    def test_a_failure_that_fifo_order_shows_now_is_worse(self):
        self.expect(1, run(result("A-1", "fail", verdict_fifo="pass")), run(result("A-1", "fail")),
                    new_failures=["mine probe/A-1"])
        self.expect(0, run(result("A-1", "fail")), run(result("A-1", "fail", verdict_fifo="pass")),
                    changed=["mine probe/A-1"])

    def test_a_failure_that_passes_is_fixed(self):
        self.expect(0, run(result("A-1", "fail")), run(result("A-1", schedules=1)), fixed=["mine probe/A-1"])

    def test_other_words_are_a_change_and_not_worse(self):
        seen = self.expect(0, run(result("A-1", "fail")), run(result("A-1", "fail", message="it burst")),
                           changed=["mine probe/A-1"])
        for word in ("it broke", "it burst"):
            self.assertIn(word, seen["changed"][0]["what"])

    def test_what_is_covered_less_is_worse(self):
        for figure in ("schedules", "cancel_points_covered", "fault_points_covered"):
            seen = self.expect(1, run(result("A-1")), run(result("A-1", **{figure: 1})), lost_coverage=["mine probe/A-1"])
            self.assertIn(": 1, ", seen["lost_coverage"][0]["what"])
            self.expect(0, run(result("A-1", **{figure: 1})), run(result("A-1")))
        self.expect(1, run(result("A-1"), result("A-2")), run(result("A-2")), lost_coverage=["mine probe/A-1"])
        self.expect(1, run(result("A-1", "fail")), run(result("A-1", "skip")), lost_coverage=["mine probe/A-1"])

    def test_fewer_schedules_that_are_all_there_are_lose_nothing(self):
        self.expect(0, run(result("A-1")), run(result("A-1", schedules=3, exhausted=True)))
        self.expect(0, run(result("A-1", "fail")), run(result("A-1", "fail", schedules=0)))

    def test_variants_and_tiers_are_told_apart(self):
        old = run(result("A-1"), result("A-1", variant="swept"), result("A-1", tier="io_context"))
        new = run(result("A-1"), result("A-1", variant="swept"), result("A-1", "fail", tier="io_context"))
        self.expect(1, old, new, new_failures=["mine probe/A-1 on io_context"])

    def test_the_text_says_the_same(self):
        done = self.diff(run(result("A-1"), result("A-2", "fail")), run(result("A-1", "fail"), result("A-2")))
        self.assertEqual(done.returncode, 1)
        for word in ("New failures (1)", "Fixed (1)", "mine probe/A-1", "Worse: 1 new failures"):
            self.assertIn(word, done.stdout)

    def test_malformed_files_are_named_with_what_is_wrong(self):
        sound = run(result("A-1"))
        for bad, word in [("", "incomplete"), ("{", "incomplete"), ("[]", "object"), ({}, "'version' is missing"),
                          ({"version": "1", "build": "b"}, "'results' is missing"), ({"version": 1, "build": "b", "results": []}, "'version' is no text"),
                          ({"version": "1", "build": "b", "results": {}}, "array"), (run("x"), "result 1"),
                          (run(result("A-1"), {}), "result 2"), (run(result("A-1", "passed")), "no verdict"),
                          (run(result("A-1", schedules=-1)), "result 1"), (run(result("A-1", schedules="many")), "result 1"),
                          (run(result("A-1"), result("A-1")), "comes twice"), ({"mutants": []}, "")]:
            for old, new, name in ((bad, sound, "old.json"), (sound, bad, "new.json")):
                done = self.diff(old, new)
                self.assertEqual((done.returncode, done.stdout), (2, ""), bad)
                self.assertIn(name, done.stderr)
                self.assertIn(word, done.stderr)

    def test_missing_files_and_misuse(self):
        sound = self.write("sound.json", run())
        for arguments, status in [((sound, self.folder / "missing.json"), 2), ((sound, self.folder), 2), ((sound,), 64), ((), 64),
                                  ((sound, sound, sound), 64), ((sound, sound, "--format", "xml"), 64)]:
            done = subprocess.run([ASSAY, "diff", *arguments], capture_output=True, text=True)
            self.assertEqual(done.returncode, status, (arguments, done.stderr))
            self.assertEqual(done.stdout, "")

    def test_real_runs(self):
        def run_bad(name, *arguments):
            path = self.folder / name
            subprocess.run([BAD, "run", "--subject", "good", "--subject", "babbling", "--format", "json", "--output", path,
                            *arguments], stderr=subprocess.DEVNULL)
            return path.read_text()
        whole, fewer = run_bad("a"), run_bad("b", "--schedules", "20", "--clause", "PRB-[123]")
        self.expect(0, whole, whole)
        self.assertNotEqual(self.diff(whole, fewer).returncode, 0)
        self.assertEqual(self.diff(fewer, whole).returncode, 0)


if __name__ == "__main__":
    unittest.main()
