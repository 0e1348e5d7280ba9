"""The JSON of `run`, `mutants`, `bugs` and `diff` against the schemas in the tree.

Environment: ASSAY (the command), ASSAY_BAD_SUBJECTS (a test-only binary), ASSAY_FINDINGS (the recorded findings).
"""

import copy
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import jsonschema

ASSAY = os.environ["ASSAY"]
BAD = os.environ["ASSAY_BAD_SUBJECTS"]
FINDINGS = os.environ["ASSAY_FINDINGS"]


def validator(name):
    schema = json.loads((pathlib.Path(__file__).parent.parent / "schema" / (name + ".schema.json")).read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def call(*arguments):
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout)


class Schemas(unittest.TestCase):
    def expect_valid(self, name, what):
        found = ["%s: %s" % (error.json_path, error.message) for error in validator(name).iter_errors(what)]
        self.assertEqual(found[:5], [])

    def expect_strict(self, name, what, path):
        """Whatever is missing from an object of `what`, or is there besides, is seen."""
        def at(root):
            for step in path:
                root = root[step]
            return root
        for member in at(what):
            broken = copy.deepcopy(what)
            del at(broken)[member]
            self.assertFalse(validator(name).is_valid(broken), (path, member))
        broken = copy.deepcopy(what)
        at(broken)["besides"] = 1
        self.assertFalse(validator(name).is_valid(broken), path)

    def test_runs(self):
        bad = call(BAD, "run", "--subject", "good", "--subject", "babbling", "--subject", "crashing", "--subject", "mumbling",
                   "--schedules", "10", "--format", "json")
        self.expect_valid("run", bad)
        self.assertEqual({one["verdict"] for one in bad["results"]}, {"pass", "fail", "skip", "error"})
        real = call(ASSAY, "run", "--subject", "asio_channel", "--subject", "reference", "--contract", "bounded_queue",
                    "--schedules", "10", "--findings", FINDINGS, "--format", "json")
        self.expect_valid("run", real)
        self.assertTrue(real["findings"]["confirmed"])
        self.expect_valid("run", call(ASSAY, "run", "--subject", "asio_channel", "--tier", "io_context", "--no-sweep",
                                      "--order", "fifo", "--strict", "--schedules", "0", "--format", "json"))
        failed = next(at for at, one in enumerate(real["results"]) if one["verdict"] == "fail")
        real["results"] = [real["results"][failed]]
        for path in (["results", 0], ["summary"], ["findings"], ["findings", "confirmed", 0]):
            self.expect_strict("run", real, path)

    def test_mutants(self):
        bad = call(BAD, "mutants", "--format", "json")
        self.expect_valid("mutants", bad)
        self.assertFalse(bad["sound"])
        self.expect_valid("mutants", call(ASSAY, "mutants", "--contract", "service", "--schedules", "20", "--format", "json"))
        for path in ([], ["mutants", 0], ["mutants", 0, "witnesses", 0]):
            self.expect_strict("mutants", bad, path)

    def test_bugs(self):
        seen = call(ASSAY, "bugs", "--bug", "lost_*", "--bug", "abandoned_load", "--seeds", "3", "--cap", "50",
                    "--twin-schedules", "20", "--format", "json")
        self.expect_valid("bugs", seen)
        self.assertEqual(len(seen["bugs"]), 3)
        figures = [one for bug in seen["bugs"] for one in (bug["portfolio"], *bug["strategies"].values())]
        self.assertIn(None, [one["median"] for one in figures])  # a cap that was reached
        for path in ([], ["bugs", 0], ["bugs", 0, "portfolio"], ["bugs", 0, "strategies", "dfs"]):
            self.expect_strict("bugs", seen, path)
        for member, wrong in (("median", "> 50"), ("p95", -1)):
            broken = copy.deepcopy(seen)
            broken["bugs"][0]["portfolio"][member] = wrong
            self.assertFalse(validator("bugs").is_valid(broken), member)

    def test_diffs(self):
        with tempfile.TemporaryDirectory() as folder:
            files = []
            for subject in ("good", "babbling"):
                run = call(BAD, "run", "--subject", subject, "--clause", "PRB-1", "--format", "json")
                for one in run["results"]:
                    one["subject"] = "one and the same"
                files.append(pathlib.Path(folder, subject))
                files[-1].write_text(json.dumps(run))
            seen = call(ASSAY, "diff", *files, "--format", "json")
            self.expect_valid("diff", seen)
            self.assertTrue(seen["worse"])
            for path in ([], ["old"]):
                self.expect_strict("diff", seen, path)
            self.expect_valid("diff", call(ASSAY, "diff", *reversed(files), "--format", "json"))


if __name__ == "__main__":
    unittest.main()
