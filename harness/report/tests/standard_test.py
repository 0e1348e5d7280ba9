"""The standard as a document: the copy in the tree is up to date, and every format says everything.

Environment: ASSAY (the command).
"""

import difflib
import html
import json
import os
import pathlib
import re
import subprocess
import unittest
import xml.etree.ElementTree as ElementTree

ASSAY = os.environ["ASSAY"]
COPY = pathlib.Path(__file__).parents[3] / "STANDARD.md"


def printed(form, *arguments):
    done = subprocess.run([ASSAY, "standard", "--format", form, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def words(text):
    """The text alone, however it is marked up and broken into lines."""
    return " ".join(re.sub(r"[`*\\]", "", text).split())


class Standard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.json = json.loads(printed("json"))
        cls.page = printed("html")
        cls.formats = {"text": printed("text"), "markdown": printed("markdown"),
                       "html": "".join(ElementTree.fromstring(cls.page).itertext())}

    def test_the_copy_in_the_tree_is_up_to_date(self):
        # One line of what differs, not all of it: the whole is very long.
        old, new = COPY.read_text().splitlines(), self.formats["markdown"].splitlines()
        differing = [line for line in difflib.unified_diff(old, new, lineterm="", n=0) if line[:3] not in ("---", "+++")]
        self.assertEqual(differing[:3], [], "STANDARD.md is out of date; `%s standard --format markdown --output %s` mends it"
                         % (os.path.relpath(ASSAY, COPY.parent), COPY.name))

    def test_nothing_in_it_differs_between_builds(self):
        for form in ("markdown", "html"):
            self.assertIsNone(re.search(r"gcc[0-9]|clang[0-9]|\.[ch]pp:[0-9]|/build/", printed(form)), form)

    def test_every_format_says_everything(self):
        contracts = self.json["contracts"]
        said = [one["intent"] for one in contracts]
        features = [one for contract in contracts for one in contract["features"]]
        self.assertGreater(len(features), 50)
        said += [word for one in features for word in (one["name"], one["promise"])]
        for subject in (one for contract in contracts for one in contract["implementations"]):
            said += [subject["name"], subject.get("cites", ""), *subject["features"]]
        for clause in (one for contract in contracts for one in contract["clauses"]):
            said += [clause["text"], clause.get("unchecked", ""), *clause["features"]]
            said += [one["name"] for one in clause["scenarios"]] + [one.get("why", "") for one in clause["scenarios"]]
            said += [word for one in clause["mutants"] for word in (one["name"], one["defect"])]
        for clause in self.json["cross_cutting"]:
            said += [clause["text"], clause.get("unchecked", "")]
        said += [one["text"] for one in self.json["changelog"]]
        self.assertGreater(len(said), 1000)
        for form, text in self.formats.items():
            whole = words(text)
            self.assertEqual([one for one in said if words(one) not in whole][:3], [], form)

    def test_every_mutant_shows_what_some_clause_forbids(self):
        listed = subprocess.run([ASSAY, "list", "--format", "json"], capture_output=True, text=True, check=True)
        mutants = {one["name"] for one in json.loads(listed.stdout)["subjects"] if one["kind"] == "mutant"}
        shown = {one["name"] for contract in self.json["contracts"] for clause in contract["clauses"] for one in clause["mutants"]}
        self.assertEqual(mutants, shown)

    def test_every_clause_has_its_level_and_its_revisions(self):
        for contract in self.json["contracts"]:
            for clause in contract["clauses"]:
                heading = "</a>%s %s\n" % (clause["id"], clause["level"])
                self.assertIn(heading, self.formats["markdown"])
                self.assertEqual([one["revision"] for one in clause["changes"]], list(range(2, clause["revision"] + 1)))
                for change in clause["changes"]:
                    for form in ("markdown", "html"):
                        self.assertIn(words("Revision %d: %s" % (change["revision"], change["text"])), words(self.formats[form]))

    def test_every_link_leads_to_a_clause_or_a_part(self):
        ids = re.findall(r'id="([^"]+)"', self.page)
        self.assertEqual(sorted(ids), sorted(set(ids)))
        clauses = [contract["name"] + "." + one["id"] if one["cross_cutting"] else one["id"]
                   for contract in self.json["contracts"] for one in contract["clauses"]]
        self.assertLessEqual({*clauses, *(one["id"] for one in self.json["cross_cutting"])}, set(ids))
        self.assertEqual(set(re.findall(r'href="#([^"]+)"', self.page)) - set(ids), set())
        markdown = self.formats["markdown"]
        anchors = re.findall(r'<a id="([^"]+)"></a>', markdown)
        self.assertEqual(sorted(anchors), sorted(set(anchors)))
        self.assertLessEqual(set(clauses), set(anchors))
        self.assertEqual(set(re.findall(r"\]\(#([^)]+)\)", markdown)) - set(anchors), set())

    def test_a_part_of_it_stands_alone(self):
        for form in ("markdown", "html"):
            part = printed(form, "--contract", "bounded_queue")
            self.assertIn("BQ-7", part)
            self.assertIn("X-2", part)
            self.assertNotIn("TG-1", html.unescape(part))
            anchors = set(re.findall(r'id="([^"]+)"', part))
            self.assertEqual(set(re.findall(r'(?:href="|\]\()#([^")]+)', part)) - anchors, set())


if __name__ == "__main__":
    unittest.main()
