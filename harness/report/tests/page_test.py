"""The report as pages: parsed by an XML parser, and opened, filtered, sorted and followed in a real browser.

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

os.environ.setdefault("SOURCE_DATE_EPOCH", "1700000000")  # reports carry their date
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


def carried(path):
    """The data of a page, which is well-formed and fetches nothing."""
    tree = ElementTree.fromstring(path.read_text())
    for element in tree.iter():
        for name in ("src", "href"):
            assert element.get(name, "data:").startswith(("data:", "#")), element.attrib
    found = tree.find(f".//{XHTML}script[@id='data']")
    return None if found is None else json.loads(found.text)


# Where links lead nowhere, and which ids come twice.
LINKS = """
  const ids = [...document.querySelectorAll("[id]")].map((one) => one.id);
  const links = {dangling: [...document.querySelectorAll("a[href^='#']")].map((one) => one.getAttribute("href").slice(1))
                   .filter((one) => document.getElementById(one) === null),
                 twice: ids.filter((one, at) => ids.indexOf(one) !== at),
                 unreadable: /\\[object|\\bNaN\\b|^undefined$/m.test(document.body.innerText)};
"""
SOUND_LINKS = {"dangling": [], "twice": [], "unreadable": False}


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        root = pathlib.Path(cls.folder.name)
        subprocess.run([ASSAY, "run", "--subject", "asio_channel", "--subject", "asio_awaitable_and", "--subject", "reference",
                        "--contract", "bounded_queue", "--contract", "task_group",
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
            written = json.loads((path.parent / "conformance.json").read_text())
            results = carried(path)["results"]
            for one in results:
                one.pop("timeline", None)
                one.pop("timeline_baseline", None)
                self.assertEqual("shown_under" in one, one["verdict_any"] in ("fail", "error"))
                one.pop("shown_under", None)
            self.assertEqual(results, written["results"])

    def test_what_subjects_say_cannot_leave_its_place(self):
        data = ElementTree.fromstring(self.bad.read_text()).find(f".//{XHTML}script[@id='data']").text
        for forbidden in "<>&":
            self.assertNotIn(forbidden, data)

    def test_it_loads_quietly_and_every_link_finding_and_timeline_is_there(self):
        for path in (self.real, self.bad):
            page = browser.open_page(path, probe=function("""
              for (const one of document.querySelectorAll("article details.timeline")) fill(one);
              """ + LINKS + """
              const bad = data.results.filter((one) => isBad(one.verdict_any));
              return {links, findings: document.querySelectorAll("article").length, bad: bad.length,
                      homeless: bad.filter((one) => document.getElementById(findingId(one)) === null).length,
                      drawn: document.querySelectorAll("article svg.timeline").length,
                      drawable: bad.filter((one) => one.verdict_any === "fail").length,
                      failing: document.querySelectorAll("article svg .failing").length,
                      rows: document.querySelectorAll("#matrix tbody tr").length};"""))
            self.assertEqual(page.console, [])
            seen = page.probe
            self.assertEqual((seen["links"], seen["homeless"]), (SOUND_LINKS, 0))
            self.assertGreater(seen["bad"], 5)
            self.assertEqual(seen["findings"], seen["bad"])
            self.assertGreaterEqual(seen["drawn"], seen["drawable"])  # a crash may leave nothing to draw
            self.assertGreater(seen["failing"], 3)
            self.assertGreater(seen["rows"], 2)
            for svg in re.findall(r"<svg.*?</svg>", page.document, re.DOTALL):
                ElementTree.fromstring(svg)

    def test_a_finding_says_what_was_expected_and_keeps_order_models_and_trials_apart(self):
        page = browser.open_page(self.real, probe=function("""
          const one = document.getElementById("finding.asio_channel.bounded_queue.BQ-8");
          for (const details of one.querySelectorAll("details.timeline")) fill(details);
          const facts = [...one.querySelectorAll("dt")].map((name) => [name.textContent, name.nextElementSibling.textContent]);
          return {facts: Object.fromEntries(facts), heads: [...one.querySelectorAll("svg text.head")].map((text) => text.textContent),
                  message: one.querySelector("strong").innerText};"""))
        self.assertEqual(page.console, [])
        facts = page.probe["facts"]
        self.assertEqual((facts["order model any"], facts["order model fifo"]), ("fail", "fail"))
        self.assertTrue(facts["shown by"].startswith("random ties: "), facts)
        self.assertEqual(page.probe["heads"], ["the shrunk trial: fail", "the baseline trial: passes"])
        self.assertEqual(page.probe["message"], "expected: a timed pop that timed out took nothing: [25]\nobserved: []")

    def test_the_page_says_what_it_was_made_of_and_colours_no_more_than_was_run(self):
        page = browser.open_page(self.real, probe=function("""
          return {head: document.querySelector("header").innerText, matrix: document.getElementById("matrix").innerText,
                  core: [...document.querySelectorAll("#matrix .core")].map((one) => [one.textContent, one.className])};"""))
        written = json.loads((self.real.parent / "conformance.json").read_text())
        for word in (written["commit"], "Boost " + written["boost"], written["date"]):
            self.assertIn(word, page.probe["head"])
        self.assertIn("third-party, Boost " + written["boost"], page.probe["matrix"])
        self.assertEqual({tuple(one) for one in page.probe["core"]}, {("core conforms", "core pass"), ("core fails", "core fail")})
        data = carried(self.real)
        text = self.real.read_text()
        data["core_colours"] = ["skip" for _ in data["core_colours"]]
        changed = self.real.with_name("unfinished.html")
        changed.write_text(re.sub('(id="data">).*(</script>)', lambda found: found[1] + json.dumps(data).replace("<", "\\u003c")
                                  .replace(">", "\\u003e").replace("&", "\\u0026") + found[2], text, count=1))
        page = browser.open_page(changed, probe=function("""
          return [...document.querySelectorAll("#matrix .core")].map((one) => one.className);"""))
        self.assertEqual(set(page.probe), {"core skip"})

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
          const cells = shown("#matrix td.verdict > span").map((one) => one.textContent.trim());
          const core = shown("#matrix td.verdict > .core").map((one) => one.textContent);
          choose("family", "");
          choose("verdict", "");
          return {all, flow, patterns, should, skipped, cells, core, back: shown("article").length};"""))
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
        self.assertEqual(sorted(seen["core"]), ["core conforms", "core fails"])  # the reference, asio_channel
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


    def test_it_links_to_the_pages_beside_it(self):
        with tempfile.TemporaryDirectory() as folder:
            expected = []
            for name in (None, "standard.html", "mutants.html"):
                if name is not None:
                    pathlib.Path(folder, name).write_text("")
                    expected = sorted([*expected, name])
                subprocess.run([BAD, "run", "--subject", "good", "--schedules", "1", "--report", folder],
                               stdout=subprocess.DEVNULL)
                page = browser.open_page(pathlib.Path(folder, "index.html"), probe=function("""
                  return [...document.querySelectorAll("nav a:not([href^='#'])")].map((one) => one.getAttribute("href"));"""))
                self.assertEqual((page.console, sorted(page.probe)), ([], expected))


def program(folder, program, *arguments):
    """The JSON of a verb, and the page of the same."""
    page = pathlib.Path(folder, pathlib.Path(program).name + "." + arguments[0] + ".html")
    subprocess.run([program, *arguments, "--format", "html", "--output", page], stdout=subprocess.DEVNULL, timeout=300)
    printed = subprocess.run([program, *arguments, "--format", "json"], capture_output=True, text=True, timeout=300)
    return json.loads(printed.stdout), page


class Mutants(unittest.TestCase):
    """The kill matrix: of two real patterns, and of mutants that are wrong on purpose."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        real = program(cls.folder.name, ASSAY, "mutants", "--contract", "service", "--contract", "bounded_queue")
        cls.real, cls.bad = real, program(cls.folder.name, BAD, "mutants")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_it_carries_what_the_json_says(self):
        for written, path in (self.real, self.bad):
            data = carried(path)
            self.assertEqual({name: data[name] for name in written}, written)
            self.assertLess(path.stat().st_size, 1_000_000)

    def test_it_loads_quietly_and_every_mutant_and_clause_has_an_anchor(self):
        for written, path in (self.real, self.bad):
            page = browser.open_page(path, probe=function("""
              for (const one of document.querySelectorAll("details.mutant")) { one.open = true; fill(one); }
              """ + LINKS + """
              return {links, problems: document.getElementById("problems").innerText, summary: document.getElementById("summary").textContent,
                      mutants: [...document.querySelectorAll("details.mutant")].map((one) => one.id),
                      text: document.body.innerText,
                      clauses: [...document.querySelectorAll("th.upright a")].map((one) => one.getAttribute("href").slice(1))};"""))
            self.assertEqual((page.console, page.probe["links"]), ([], SOUND_LINKS))
            self.assertEqual(sorted(page.probe["mutants"]), sorted("mutant-" + one["name"] for one in written["mutants"]))
            killed = len([one for one in written["mutants"] if one["killed"]])
            self.assertIn("%d of %d killed" % (killed, len(written["mutants"])), page.probe["summary"])
            self.assertEqual("none outside" in page.probe["summary"], not any(one["unexpected"] for one in written["mutants"]))
            self.assertEqual("✓ Sound" in page.probe["summary"], written["sound"])
            self.assertEqual("Every MUST clause" in page.probe["problems"], written["unkilled"] == [])
            for text in (*written["unkilled"], *(problem for one in written["mutants"] for problem in one["problems"])):
                self.assertIn(text, page.probe["problems"])
            for mutant in written["mutants"]:
                for text in (mutant["defect"], *mutant["problems"], *(one["token"] for one in mutant["witnesses"])):
                    self.assertIn(" ".join(text.split()), " ".join(page.probe["text"].split()))
                for clause in mutant["killed_by"]:
                    self.assertTrue({clause, mutant["contract"] + "." + clause} & set(page.probe["clauses"]), clause)

    def test_every_cell_is_what_the_json_says(self):
        for written, path in (self.real, self.bad):
            page = browser.open_page(path, probe=function("""
              const marked = [];
              for (const table of document.querySelectorAll(".kills table")) {
                const clauses = [...table.querySelectorAll("th.upright")].map((one) => one.textContent);
                for (const row of table.querySelectorAll("tbody tr"))
                  [...row.querySelectorAll("td")].forEach((one, at) => {
                    if (one.textContent !== "") marked.push([row.querySelector("a").textContent, clauses[at], one.textContent]);
                  });
              }
              return marked;"""))
            expected = []
            for mutant in written["mutants"]:
                for clause in {*mutant["must_fail"], *mutant["killed_by"]}:
                    sign = ("!" if clause in mutant["unexpected"] else "–" if clause not in mutant["killed_by"]
                            else "✓" if clause in mutant["must_fail"] else "+")
                    expected.append([mutant["name"], clause, sign])
            self.assertEqual(sorted(page.probe), sorted(expected))
        self.assertLessEqual({"!", "–", "✓"}, {sign for _, _, sign in page.probe})  # the bad ones show most of them

    def test_filters_leave_what_is_chosen(self):
        written, path = self.bad
        page = browser.open_page(path, probe=function("""
          choose("mutants", "with problems");
          return {mutants: shown("details.mutant").map((one) => one.id), rows: shown(".kills tbody tr").length};"""))
        problems = ["mutant-" + one["name"] for one in written["mutants"] if one["problems"]]
        self.assertTrue(0 < len(problems) < len(written["mutants"]))
        self.assertEqual((page.console, sorted(page.probe["mutants"]), page.probe["rows"]), ([], sorted(problems), len(problems)))
        page = browser.open_page(self.real[1], "?family=flow", probe=function("""
          const flow = shown("section[id] .kills").map((one) => one.closest("section").id);
          choose("mutants", "with problems");
          const none = shown("details.mutant").length;
          choose("mutants", "");
          choose("family", "");
          return {flow, none, all: shown("details.mutant").length};"""))
        self.assertEqual(page.probe, {"flow": ["bounded_queue"], "none": 0, "all": len(self.real[0]["mutants"])})

    def test_an_address_opens_its_mutant(self):
        mutant = self.real[0]["mutants"][0]
        page = browser.open_page(self.real[1], "?mutants=with+problems#mutant-" + mutant["name"], probe=function("""
          const target = document.getElementById(location.hash.slice(1));
          return {id: target.id, open: target.open && target.querySelector("table") !== null, shown: target.closest("[hidden]") === null};"""))
        self.assertEqual(page.probe, {"id": "mutant-" + mutant["name"], "open": True, "shown": True})


class Strategies(unittest.TestCase):
    """The table of strategies: bugs of which some strategies find nothing."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.written, cls.page = program(cls.folder.name, ASSAY, "bugs", "--bug", "lost_*", "--bug", "stolen_wake_up", "--bug",
                                        "abandoned_load", "--seeds", "3", "--cap", "100", "--twin-schedules", "0")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def column(self, bug, kind):
        return [figures[kind] for figures in (bug["portfolio"], *bug["strategies"].values())]

    def test_it_carries_what_the_json_says(self):
        def timeless(of):
            for bug in of["bugs"]:
                for figures in (bug["portfolio"], *bug["strategies"].values()):
                    self.assertTrue(figures.pop("cpu_ms") is None or figures["median"] is not None)
            return of
        data = carried(self.page)
        self.assertIn("bugs", data.pop("command"))
        self.assertEqual(timeless(data), timeless(json.loads(json.dumps(self.written))))

    def test_it_loads_quietly_and_shows_every_figure_and_the_best(self):
        page = browser.open_page(self.page, probe=function("""
          for (const one of document.querySelectorAll("details.bug")) { one.open = true; fill(one); }
          """ + LINKS + """
          return {links, groups: [...document.querySelectorAll(".figures th[scope=colgroup]")].map((one) => one.textContent),
                  rows: [...document.querySelectorAll(".figures tbody tr")].map((row) => [row.querySelector("a").textContent,
                    [...row.querySelectorAll("td")].map((one) => [one.textContent, one.classList.contains("best")])]),
                  made: document.getElementById("made").innerText};"""))
        self.assertEqual((page.console, page.probe["links"]), ([], SOUND_LINKS))
        self.assertEqual(page.probe["groups"], ["", "portfolio", *self.written["bugs"][0]["strategies"]])
        for said in ("3", "100 schedules", self.written["build"], "--seeds 3"):
            self.assertIn(said, page.probe["made"])
        rows = dict(page.probe["rows"])
        self.assertEqual(set(rows), {one["name"] for one in self.written["bugs"]})
        capped = 0
        for bug in self.written["bugs"]:
            cells = rows[bug["name"]]
            medians, p95s = cells[1:2] + cells[5::2], cells[2:3] + cells[6::2]
            best = min(one for one in self.column(bug, "median") if one is not None)
            for shown, kind in ((medians, "median"), (p95s, "p95")):
                for (text, marked), value in zip(shown, self.column(bug, kind), strict=True):
                    self.assertEqual(text, "> 100" if value is None else "%g" % round(value, 1))
                    self.assertEqual(marked, kind == "median" and value == best)
                    capped += value is None
            single = min(one["median"] for one in bug["strategies"].values() if one["median"] is not None)
            self.assertEqual(cells[3][0], "× %g" % round(bug["portfolio"]["median"] / single, 2))
        self.assertGreater(capped, 0)

    def test_a_fast_portfolio_and_a_false_alarm_show(self):
        text, data = self.page.read_text(), carried(self.page)
        bug = data["bugs"][0]
        bug["portfolio"]["median"] = min(one for one in self.column(bug, "median") if one is not None) / 2
        bug["twin_reports"], data["twin_schedules"] = 7, 20
        path = self.page.with_name("alarm.html")
        path.write_text(re.sub('(id="data">).*(</script>)', lambda found: found[1] + json.dumps(data) + found[2], text, count=1))
        page = browser.open_page(path, "#" + bug["name"], probe=function("""
          const row = document.querySelector(".figures tbody tr");
          return {best: [...row.querySelectorAll("td")].map((one, at) => one.classList.contains("best") ? at : -1).filter((at) => at >= 0),
                  ratio: row.querySelectorAll("td")[3].textContent, head: document.querySelector("header").innerText,
                  alarms: document.querySelectorAll("header a").length, details: document.querySelector("details.bug").innerText};"""))
        self.assertEqual((page.console, page.probe["best"], page.probe["ratio"], page.probe["alarms"]), ([], [1], "× 0.5", 1))
        self.assertIn("False alarms", page.probe["head"])
        self.assertIn("reported 7 times in 20 schedules", page.probe["details"])

    def test_a_heading_sorts_by_its_column(self):
        page = browser.open_page(self.page, probe=function("""
          const press = (label) => document.querySelector(`button[aria-label="Sort by ${label}"]`).click();
          const names = () => [...document.querySelectorAll(".figures tbody tr a")].map((one) => one.textContent);
          const seen = {};
          for (const label of ["bug", "portfolio, median", "lifo, median", "lifo, p95"]) {
            press(label);
            seen[label] = names();
            press(label);
            seen[label + " down"] = names();
          }
          return {seen, sorted: [...document.querySelectorAll("th[aria-sort]")].map((one) => one.getAttribute("aria-sort"))};"""))
        self.assertEqual(page.console, [])
        seen = page.probe["seen"]
        bugs = self.written["bugs"]
        self.assertEqual(seen["bug"], sorted(one["name"] for one in bugs))
        self.assertEqual(seen["bug down"], seen["bug"][::-1])
        figures = {one["name"]: {"portfolio": one["portfolio"], **one["strategies"]} for one in bugs}
        for name, kind in (("portfolio", "median"), ("lifo", "median"), ("lifo", "p95")):
            for direction, sign in (("", 1), (" down", -1)):
                values = [figures[bug][name][kind] for bug in seen["%s, %s%s" % (name, kind, direction)]]
                self.assertEqual(values, sorted(values, key=lambda one: (one is None, sign * (one or 0))))
        self.assertIn(None, [figures[one["name"]]["lifo"]["median"] for one in bugs])
        self.assertEqual(page.probe["sorted"], ["descending"])


class Standard(unittest.TestCase):
    def test_it_stands_without_scripts_and_every_link_leads_somewhere(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, "standard.html")
            subprocess.run([ASSAY, "standard", "--format", "html", "--output", path], check=True)
            self.assertIsNone(carried(path))
            self.assertNotIn("<script", path.read_text())
            page = browser.open_page(path, "#BQ-7", probe=function(LINKS + """
              return {links, target: document.getElementById(location.hash.slice(1)).id, clauses: document.querySelectorAll("article").length};"""))
            self.assertEqual((page.console, page.probe["links"], page.probe["target"]), ([], SOUND_LINKS, "BQ-7"))
            self.assertGreater(page.probe["clauses"], 120)


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
        # What was expected, and the item that is lost; the first of them is where it fails.
        self.assertEqual(len([one for one in texts if one.startswith("failure ")]), 2)
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
