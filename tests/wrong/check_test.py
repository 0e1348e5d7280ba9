"""What check.py says of programs whose verdicts are made up here.

Usage: check_test.py
"""

import contextlib
import io
import json
import pathlib
import sys
import tempfile
import unittest

import check

PROGRAM = """#!{python}
import sys
print({table!r} if sys.argv[1] == "table" else {run!r})
"""


def line(subject, escapes=False):
    return {"contract": "queue", "subject": subject, "twin": "right", "what": "loses items", "escapes": escapes,
            "clauses": [{"clause": "Q-1", "says": "lost"}]}


def result(subject, verdict, clause="Q-1", message="an item is lost", counts_for=""):
    return {"subject": subject, "clause": clause, "counts_for": counts_for or clause, "variant": "",
            "verdict": verdict, "message": message}


class Check(unittest.TestCase):
    def check(self, lines, results):
        with tempfile.TemporaryDirectory() as folder:
            program = pathlib.Path(folder, "program")
            program.write_text(PROGRAM.format(python=sys.executable, table=json.dumps(lines),
                                              run=json.dumps({"results": results})))
            program.chmod(0o755)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                status = check.main(str(program), "queue")
        return status, said.getvalue()

    def judge(self, verdict, *results, escapes=False):
        """Of one wrong implementation with these results, beside a twin with `verdict`."""
        return self.check([line("wrong", escapes)], [result("right", verdict), *results])

    def test_one_that_is_caught_beside_a_twin_that_passes(self):
        status, said = self.judge("pass", result("wrong", "fail"))
        self.assertEqual(status, 0)
        self.assertIn("caught: wrong: loses items", said)

    def test_one_that_passes(self):
        status, said = self.judge("pass", result("wrong", "pass"))
        self.assertEqual(status, 1)
        self.assertIn("NOT CAUGHT: wrong", said)

    def test_another_clause_or_another_message_is_no_proof(self):
        self.assertEqual(self.judge("pass", result("wrong", "fail", clause="Q-2"))[0], 1)
        self.assertEqual(self.judge("pass", result("wrong", "fail", message="a hang"))[0], 1)

    def test_an_error_is_no_proof(self):
        self.assertEqual(self.judge("pass", result("wrong", "error"))[0], 1)

    def test_the_clause_that_a_program_cites_counts(self):
        self.assertEqual(self.judge("pass", result("wrong", "fail", clause="Q-9", counts_for="Q-1"))[0], 0)

    def test_a_twin_that_fails_or_passes_nothing(self):
        for verdict in ("fail", "error", "skip"):
            status, said = self.judge(verdict, result("wrong", "fail"))
            self.assertEqual(status, 1, verdict)
            self.assertIn("ACCUSED: right", said)

    def test_what_escapes_is_told_and_fails_nothing(self):
        status, said = self.judge("pass", result("wrong", "pass"), escapes=True)
        self.assertEqual(status, 0)
        self.assertIn("escapes: wrong", said)

    def test_what_escapes_no_longer_is_told(self):
        status, said = self.judge("pass", result("wrong", "fail"), escapes=True)
        self.assertEqual(status, 0)
        self.assertIn("caught now: wrong", said)

    def test_a_contract_without_a_table_is_an_error(self):
        with self.assertRaises(SystemExit):
            self.check([], [])


if __name__ == "__main__":
    unittest.main()
