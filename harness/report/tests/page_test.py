"""The report as a page: parsed by an XML parser, and opened, filtered and followed in a real browser.

Environment: ASSAY (the command), ASSAY_BAD_SUBJECTS (a test-only binary), ASSAY_FINDINGS (the recorded findings).
"""

import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree

import jsonschema

import browser

ASSAY = os.environ["ASSAY"]
BAD = os.environ["ASSAY_BAD_SUBJECTS"]
FINDINGS = os.environ["ASSAY_FINDINGS"]
SCHEMAS = pathlib.Path(__file__).parent.parent / "schema"
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
            carried = json.loads(data.text)["results"]
            for one in carried:
                one.pop("timeline", None)
                one.pop("timeline_fifo", None)
            self.assertEqual(carried, written["results"])
            for element in tree.iter():
                for name in ("src", "href"):
                    self.assertTrue(element.get(name, "data:").startswith("data:"), element.attrib)

    def test_what_subjects_say_cannot_leave_its_place(self):
        data = ElementTree.fromstring(self.bad.read_text()).find(f".//{XHTML}script[@id='data']").text
        for forbidden in "<>&":
            self.assertNotIn(forbidden, data)

    def test_it_loads_quietly_and_every_link_finding_and_timeline_is_there(self):
        for path in (self.real, self.bad):
            page = browser.open_page(path, probe=function("""
              for (const one of document.querySelectorAll("article details.timeline")) fill(one);
              const targets = [...document.querySelectorAll("a[href^='#']")].map((one) => one.getAttribute("href").slice(1));
              const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
              const bad = data.results.filter((one) => isBad(one.verdict_any));
              return {dangling: targets.filter((one) => document.getElementById(one) === null),
                      twice: ids.filter((one, at) => ids.indexOf(one) !== at),
                      findings: document.querySelectorAll("article").length, bad: bad.length,
                      homeless: bad.filter((one) => document.getElementById(findingId(one)) === null).length,
                      drawn: document.querySelectorAll("article svg.timeline").length,
                      drawable: bad.filter((one) => one.verdict_any === "fail").length,
                      failing: document.querySelectorAll("article svg .failing").length,
                      rows: document.querySelectorAll("#matrix tbody tr").length,
                      unreadable: document.body.innerText.includes("[object")};"""))
            self.assertEqual(page.console, [])
            seen = page.probe
            self.assertEqual((seen["dangling"], seen["twice"], seen["homeless"]), ([], [], 0))
            self.assertGreater(seen["bad"], 5)
            self.assertEqual(seen["findings"], seen["bad"])
            self.assertGreaterEqual(seen["drawn"], seen["drawable"])  # a crash may leave nothing to draw
            self.assertGreater(seen["failing"], 3)
            self.assertGreater(seen["rows"], 2)
            self.assertFalse(seen["unreadable"])
            for svg in re.findall(r"<svg.*?</svg>", page.document, re.DOTALL):
                ElementTree.fromstring(svg)

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
          const cells = shown("#matrix td.verdict").map((one) => one.textContent.trim()).filter((one) => one !== "");
          choose("family", "");
          choose("verdict", "");
          return {all, flow, patterns, should, skipped, cells, back: shown("article").length};"""))
        self.assertEqual(page.console, [])
        seen = page.probe
        bad = [one for one in self.results if one["verdict"] in ("fail", "error")]
        self.assertEqual(seen["all"], len(bad))
        self.assertEqual(len(seen["flow"]), len([one for one in bad if one["contract"] == "bounded_queue"]))
        self.assertEqual(seen["patterns"], ["bounded_queue"])
        self.assertEqual(set(seen["should"]), {"SHOULD"})
        self.assertEqual(seen["skipped"], 0)
        skips = [one for one in self.results if one["verdict"] == "skip" and one["contract"] == "bounded_queue"]
        self.assertEqual(sum(int(one.removeprefix("– ")) for one in seen["cells"]), len(skips))
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


SVG = "{http://www.w3.org/2000/svg}"


class Trials(unittest.TestCase):
    """What `replay` draws: a trial that only another order of tied timers shows, beside the one that passes."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name)
        ran = subprocess.run([ASSAY, "run", "--subject", "asio_channel", "--clause", "BQ-8", "--format", "json"],
                             capture_output=True, text=True)
        cls.result = next(one for one in json.loads(ran.stdout)["results"] if one["shown_by"] == "random ties")
        cls.page, cls.events = root / "trial.html", root / "trial.json"
        done = subprocess.run([ASSAY, "replay", cls.result["token"], "--timeline", cls.page, "--perfetto", cls.events],
                              capture_output=True, text=True)
        assert done.returncode == 1, done.stderr

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_the_page_shows_both_trials_aligned_and_where_they_part(self):
        ElementTree.fromstring(self.page.read_text())
        page = browser.open_page(self.page)
        self.assertEqual(page.console, [])
        svgs = re.findall(r"<svg.*?</svg>", page.document, re.DOTALL)
        self.assertEqual(len(svgs), 1)
        svg = ElementTree.fromstring(svgs[0])
        texts = [element.text for element in svg.iter(SVG + "text")]
        self.assertEqual(texts.count("first difference"), 1)
        self.assertEqual(texts.count("scenario"), 2)
        self.assertEqual(len([one for one in texts if one.startswith("failure ")]), 1)
        self.assertEqual(len(svg.findall(f".//{SVG}rect[@class='failing']")), 1)
        # What both did first stands side by side, and nothing stands on something else.
        places = {}
        for element in svg.iter(SVG + "text"):
            if element.get("y") is not None:
                places.setdefault((element.get("x"), element.get("y")), []).append(element.text)
        self.assertTrue(all(len(texts) == 1 for texts in places.values()), places)
        label = next(element for element in svg.iter(SVG + "text") if element.text == "first difference")
        near = [element.text for element in svg.iter(SVG + "text")
                if element is not label and abs(float(element.get("y", "-100")) - float(label.get("y"))) < 10]
        self.assertEqual(near, [])
        starts = [element.get("y") for element in svg.iter(SVG + "text") if element.text == "start pop for 10ms"]
        self.assertEqual(len(starts), 2)
        self.assertEqual(starts[0], starts[1])

    def test_the_trace_events_are_valid_and_spans_nest(self):
        events = json.loads(self.events.read_text())
        schema = json.loads((SCHEMAS / "trace_events.schema.json").read_text())
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.Draft202012Validator(schema).validate(events)
        broken = json.loads(self.events.read_text())
        del next(one for one in broken["traceEvents"] if one["ph"] == "X")["dur"]
        self.assertFalse(jsonschema.Draft202012Validator(schema).is_valid(broken))
        self.assertEqual({one["pid"] for one in events["traceEvents"]}, {1, 2})
        kinds = {one.get("cat") for one in events["traceEvents"]}
        self.assertTrue({"choice", "cancel", "failure", "turn", "task", "item"} <= kinds, kinds)
        threads = {}
        for one in events["traceEvents"]:
            if one["ph"] == "X":
                threads.setdefault((one["pid"], one["tid"]), []).append(
                    (round(one["ts"] * 1000), round((one["ts"] + one["dur"]) * 1000)))
        for spans in threads.values():
            for begin, end in spans:
                for other_begin, other_end in spans:
                    self.assertFalse(begin < other_begin < end < other_end, spans)
        failure = next(one for one in events["traceEvents"] if one.get("cat") == "failure")
        self.assertEqual(int(failure["ts"]), 35_000)  # microseconds of virtual time

    def test_a_trial_that_never_ended_has_nothing_to_draw(self):
        ran = subprocess.run([BAD, "run", "--subject", "crashing", "--clause", "PRB-1", "--format", "json"],
                             capture_output=True, text=True)
        token = json.loads(ran.stdout)["results"][0]["token"]
        page = pathlib.Path(self.folder.name, "crash.html")
        done = subprocess.run([BAD, "replay", token, "--timeline", page], capture_output=True, text=True)
        self.assertEqual(done.returncode, 2)
        self.assertIn("nothing to draw", done.stderr)
        self.assertFalse(page.exists())


if __name__ == "__main__":
    unittest.main()
