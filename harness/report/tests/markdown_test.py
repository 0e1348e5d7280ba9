"""The summary for a pull request, as GitHub's own Markdown parser (cmark-gfm) reads it.

Environment: ASSAY (the command), ASSAY_BAD_SUBJECTS (a test-only binary), ASSAY_FINDINGS (the recorded findings).
"""

import os
import pathlib
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

ASSAY = os.environ["ASSAY"]
BAD = os.environ["ASSAY_BAD_SUBJECTS"]
FINDINGS = os.environ["ASSAY_FINDINGS"]
MARK = "{http://commonmark.org/xml/1.0}"


class Document:
    def __init__(self, text):
        done = subprocess.run(["cmark-gfm", "-e", "table", "-t", "xml"], input=text, capture_output=True, text=True, check=True)
        self.root = ElementTree.fromstring(done.stdout)

    @staticmethod
    def text(node):
        return "".join(one.text or "" for one in node.iter())

    def all(self, name):
        return [self.text(one).strip() for one in self.root.iter(MARK + name)]

    def rows(self):
        return [[self.text(cell).strip() for cell in row] for row in self.root.iter(MARK + "table_row")]


class Summary(unittest.TestCase):
    def summary(self, program, *arguments, schedules=20):
        done = subprocess.run([program, "run", "--schedules", str(schedules), "--format", "markdown", *arguments],
                              capture_output=True, text=True, check=False)
        return Document(done.stdout), done.returncode

    def test_a_conforming_run(self):
        document, status = self.summary(ASSAY, "--subject", "reference", "--subject", "asio_channel", "--contract", "bounded_queue",
                                        "--findings", FINDINGS, schedules=100)  # as they were recorded
        self.assertEqual(status, 0)
        self.assertEqual(document.all("heading"), ["Assay: conforms"])
        rows = {row[1]: row for row in document.rows()}
        self.assertEqual(set(rows), {"reference", "asio_channel"})
        core, failed = 2, 4
        self.assertEqual((rows["reference"][core], rows["reference"][failed]), ("conforms", "0"))
        self.assertEqual(rows["asio_channel"][core], "fails")
        recorded = [text for text in document.all("item") if "asio_channel bounded_queue/" in text]
        self.assertGreater(len(recorded), 0)
        self.assertEqual(len(recorded), int(rows["asio_channel"][failed]))
        self.assertIn("details", "".join(document.all("html_block")))

    def test_what_fails_is_shown_with_its_replay(self):
        document, status = self.summary(BAD, "--subject", "good", "--subject", "babbling", "--subject", "crashing")
        self.assertEqual(status, 1)
        headings = document.all("heading")
        self.assertEqual(headings[0], "Assay: does not conform")
        self.assertIn("babbling probe/PRB-1 (MUST): fail", headings)
        self.assertIn("expected: the answer: 42; observed: 41", document.all("strong"))
        replays = [text for text in document.all("code_block") if " replay assay1:" in text]
        self.assertEqual(subprocess.run(replays[0], shell=True, capture_output=True, check=False).returncode, 1)

    def test_what_a_subject_says_is_no_markup(self):
        document, _ = self.summary(BAD, "--subject", "mumbling")
        self.assertEqual([text for text in document.all("html_inline") + document.all("html_block") if "details" not in text], [])
        self.assertEqual(document.all("link") + document.all("emph"), [])
        self.assertTrue(any("<b>]]>&amp; | *no* `text` [here](https://x.invalid)" in text for text in document.all("strong")))

    def test_it_lies_beside_the_other_reports(self):
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([BAD, "run", "--subject", "good", "--report", folder], stdout=subprocess.DEVNULL, check=True)
            self.assertEqual(Document(pathlib.Path(folder, "summary.md").read_text()).all("heading"), ["Assay: conforms"])


unittest.main()
