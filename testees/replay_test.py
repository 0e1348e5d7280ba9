"""What the testees' subjects show is the same in another run and another process: verdicts, messages, tokens, trace hashes.

Environment: ASSAY (the command). To be run in the tree's root.
"""

import json
import os
import subprocess
import unittest

os.environ.setdefault("SOURCE_DATE_EPOCH", "1700000000")  # reports carry their date
ASSAY = os.environ["ASSAY"]


def run(*arguments):
    done = subprocess.run([ASSAY, *arguments, "--format", "json"], capture_output=True, text=True, timeout=800)
    return json.loads(done.stdout)


class Replay(unittest.TestCase):
    def test_two_runs_are_identical_and_every_token_replays(self):
        selected = ("run", "--all-testees", "--subject", "*.*", "--kind", "third-party", "--schedules", "20")
        first = run(*selected)
        self.assertEqual(first, run(*selected, "--jobs", "2") | {"command": first["command"]})
        subjects = {one["subject"] for one in first["results"]}
        self.assertGreaterEqual(len(subjects), 12)
        self.assertGreaterEqual(len({one.split(".")[0].split("_")[0] for one in subjects} - {"trio", "anyio"}), 3)
        # Of each subject one token that passes and all that fail.
        chosen = {}
        for one in first["results"]:
            if one["verdict"] == "pass":
                chosen[one["subject"]] = one
        chosen = [*chosen.values(), *(one for one in first["results"] if one["verdict"] == "fail")]
        for one in chosen:
            with self.subTest(one["subject"] + " " + one["clause"]):
                again = run("replay", one["token"])
                for member in ("verdict", "trace_hash"):
                    self.assertEqual(again[member], one[member], one["token"])


if __name__ == "__main__":
    unittest.main()
