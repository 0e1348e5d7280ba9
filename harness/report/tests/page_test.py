"""The report as a page: parsed by an XML parser, and opened, filtered and followed in a real browser.

Environment: ASSAY (the command), ASSAY_BAD_SUBJECTS (a test-only binary), ASSAY_FINDINGS (the recorded findings).
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import browser

ASSAY = os.environ["ASSAY"]
BAD = os.environ["ASSAY_BAD_SUBJECTS"]
FINDINGS = os.environ["ASSAY_FINDINGS"]
XHTML = "{http://www.w3.org/1999/xhtml}"

# What a probe may ask: what is shown, and where an address leads.
HELPERS = """
  const shown = (selector) => [...document.querySelectorAll(selector)].filter((one) => one.closest("[hidden]") === null);
  const choose = (name, value) => {
    const control = document.getElementById("filter-" + name);
    control.value = value;
    control.dispatchEvent(new Event("change"));
  };
"""


def function(body):
    return "() => {" + HELPERS + body + "}"


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name)
        subprocess.run([ASSAY, "run", "--subject", "asio_channel", "--subject", "asio_awaitable_and", "--subject", "reference",
                        "--contract", "bounded_queue", "--contract", "task_group", "--schedules", "20",
                        "--findings", FINDINGS, "--report", root / "real"], check=True, stdout=subprocess.DEVNULL)
        # They crash, say what is no text, and leave things undone.
        bad = ["good", "babbling", "crashing*", "failing_*", "forgetful", "leaking", "modest", "mumbling", "throwing"]
        subprocess.run([BAD, "run", "--schedules", "20", "--report", root / "bad",
                        *[word for name in bad for word in ("--subject", name)]],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.real, cls.bad = root / "real" / "index.html", root / "bad" / "index.html"
        cls.results = json.loads((root / "real" / "conformance.json").read_text())["results"]

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_a_page_that_fails_is_seen_to_fail(self):
        page = pathlib.Path(self.folder.name, "broken.html")
        page.write_text("<!DOCTYPE html><title>x</title><body><script>missing();</script></body>")
        self.assertIn("missing is not defined", " ".join(browser.open_page(page).console))

    def test_it_is_well_formed_needs_no_network_and_is_small(self):
        for path in (self.real, self.bad):
            text = path.read_text()
            self.assertLess(len(text), 5_000_000)
            tree = ElementTree.fromstring(text)
            data = tree.find(f".//{XHTML}script[@id='data']")
            written = json.loads((path.parent / "conformance.json").read_text())
            self.assertEqual(json.loads(data.text)["results"], written["results"])
            for element in tree.iter():
                for name in ("src", "href"):
                    self.assertTrue(element.get(name, "data:").startswith("data:"), element.attrib)

    def test_what_subjects_say_cannot_leave_its_place(self):
        data = ElementTree.fromstring(self.bad.read_text()).find(f".//{XHTML}script[@id='data']").text
        for forbidden in "<>&":
            self.assertNotIn(forbidden, data)

    def test_it_loads_quietly_and_every_link_and_finding_is_there(self):
        for path in (self.real, self.bad):
            page = browser.open_page(path, probe=function("""
              const targets = [...document.querySelectorAll("a[href^='#']")].map((one) => one.getAttribute("href").slice(1));
              const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
              return {dangling: targets.filter((one) => document.getElementById(one) === null),
                      twice: ids.filter((one, at) => ids.indexOf(one) !== at),
                      findings: document.querySelectorAll("article").length,
                      bad: data.results.filter((one) => isBad(one.verdict_any))
                        .filter((one) => document.getElementById(findingId(one)) === null).length,
                      rows: document.querySelectorAll("#matrix tbody tr").length,
                      unreadable: document.body.innerText.includes("[object")};"""))
            self.assertEqual(page.console, [])
            self.assertEqual(page.probe["dangling"], [])
            self.assertEqual(page.probe["twice"], [])
            self.assertEqual(page.probe["bad"], 0)
            self.assertGreater(page.probe["findings"], 5)
            self.assertGreater(page.probe["rows"], 2)
            self.assertFalse(page.probe["unreadable"])

    def test_filters_hide_what_is_not_chosen(self):
        page = browser.open_page(self.real, probe=function("""
          const all = shown("article").length;
          choose("family", "flow");
          const flow = shown("article").map((one) => one.id);
          const patterns = shown("details.pattern").map((one) => one.id);
          choose("level", "SHOULD");
          const should = shown("details.clause").map((one) => one.querySelector("summary .quiet").textContent);
          choose("level", "");
          choose("verdict", "skip");
          const skipped = shown("article").length;
          choose("family", "");
          choose("verdict", "");
          return {all, flow, patterns, should, skipped, back: shown("article").length};"""))
        self.assertEqual(page.console, [])
        seen = page.probe
        bad = [one for one in self.results if one["verdict"] in ("fail", "error")]
        self.assertEqual(seen["all"], len(bad))
        self.assertEqual(len(seen["flow"]), len([one for one in bad if one["contract"] == "bounded_queue"]))
        self.assertEqual(seen["patterns"], ["bounded_queue"])
        self.assertEqual(set(seen["should"]), {"SHOULD"})
        self.assertEqual(seen["skipped"], 0)
        self.assertEqual(seen["back"], seen["all"])

    def test_an_address_opens_its_clause_and_keeps_its_filters(self):
        page = browser.open_page(self.real, "?family=flow#BQ-7", probe=function("""
          const clause = document.getElementById("BQ-7");
          return {open: clause.open && clause.closest("details.pattern").open,
                  rows: clause.querySelectorAll("tbody tr").length,
                  articles: shown("article").length, chosen: document.getElementById("filter-family").value};"""))
        self.assertEqual(page.console, [])
        self.assertTrue(page.probe["open"])
        self.assertGreaterEqual(page.probe["rows"], 2)
        self.assertEqual(page.probe["chosen"], "flow")
        self.assertLess(page.probe["articles"], len([one for one in self.results if one["verdict"] == "fail"]))


if __name__ == "__main__":
    unittest.main()
