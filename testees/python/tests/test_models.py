"""The models of models_testee.py through the assay command, which the environment names: ASSAY=build/release/assay."""

import json
import os
import pathlib
import subprocess
import unittest

import models_testee

TESTEE = f"/usr/bin/python3 {pathlib.Path(models_testee.__file__).resolve()}"
ASSAY = os.environ.get("ASSAY")


def verdicts(contract, mistake="", clauses=("*",)):
    """By verdict: the scenarios that got it."""
    command = [ASSAY, "run", "--testee", f"{TESTEE} {mistake}", "--subject", "models." + contract, "--format", "json"]
    command += ["--schedules", "2", "--pairs", "4", *(word for clause in clauses for word in ("--clause", clause))]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if not ran.stdout.startswith("{"):
        raise AssertionError(f"no report: {ran.stderr}")
    got = {}
    for result in json.loads(ran.stdout)["results"]:
        scenario = result["clause"] + ("/" + result["variant"] if result["variant"] else "")
        got.setdefault(result["verdict"], set()).add(scenario)
    return got


@unittest.skipUnless(ASSAY, "ASSAY does not name the assay command")
class Models(unittest.TestCase):
    def test_they_conform(self):
        for contract in models_testee.MODELS:
            with self.subTest(contract):
                got = verdicts(contract)
                self.assertEqual(got.get("fail", set()), set())
                self.assertEqual(got.get("error", set()), set())
                self.assertGreater(len(got["pass"]), 10)

    def test_each_mistake_is_found(self):
        for mistake, (contract, _, expected) in models_testee.MISTAKES.items():
            with self.subTest(mistake):
                got = verdicts(contract, mistake, sorted({scenario.split("/")[0] for scenario in expected}))
                self.assertEqual(got.get("error", set()), set())
                self.assertLessEqual(set(expected), got["fail"])


if __name__ == "__main__":
    unittest.main()
