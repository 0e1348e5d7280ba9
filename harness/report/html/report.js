const families = [...new Set(data.contracts.map((one) => one.family))];
const contractOf = new Map(data.contracts.map((one) => [one.name, one]));
// What was asked for: a run that was interrupted has no results of some of it.
const ran = data.contracts.filter((one) => data.profiles.some((profile) => profile.contract === one.name));
const subjects = [...new Set(data.profiles.map((one) => one.subject))];
const kindOf = new Map(data.subjects.map((one) => [one.name, one.kind]));
const byCell = group(data.results, (one) => key(one.contract, one.subject));
const byClause = group(data.results, (one) => key(one.contract, one.clause));
const profilesOf = new Map(data.profiles.map((one) => [key(one.contract, one.subject), one]));
const coreColourOf = new Map(data.profiles.map((one, at) => [key(one.contract, one.subject), data.core_colours[at]]));
const libraryOf = new Map(data.profiles.map((one) => [one.subject, one.library]));
const findings = data.results.filter((one) => isBad(one.verdict_any));

// The worst verdict speaks for a clause that several scenarios check.
function worst(results) {
  const order = ["fail", "error", "pass", "skip"];
  return order.find((verdict) => results.some((one) => one.verdict === verdict));
}
function count(results) {
  const sums = { pass: 0, fail: 0, error: 0, skip: 0 };
  for (const one of results) ++sums[one.verdict];
  return sums;
}
const findingId = (result) => "finding." + result.anchor;

const choices = { family: families, level: ["MUST", "SHOULD", "MAY"], verdict: ["pass", "fail", "error", "skip"] };
document.addEventListener("filtered", () => {
  countCells();
  const shown = document.querySelectorAll("article:not([hidden])").length;
  document.getElementById("shown").textContent = findings.length === 0 ? "" : `${shown} of ${findings.length} findings`;
});

// ---- the matrix

function cellText(results) {
  const sums = count(results);
  return Object.entries(sums).filter(([, sum]) => sum > 0)
    .map(([verdict, sum]) => make("span", { class: verdict, title: `${sum} ${verdict}` }, `${signs[verdict]} ${sum} `));
}
// What the filters leave of each cell is counted anew.
const cells = [];  // [element, results, what is said of the core profile]
function countCells() {
  for (const [cell, results, core] of cells) {
    const left = results.filter((one) => (filters.level === "" || one.level === filters.level) &&
      (filters.verdict === "" || one.verdict === filters.verdict));
    cell.className = "verdict " + (worst(left) || "");
    cell.replaceChildren(...cellText(left), core);
  }
}
function matrix() {
  const head = make("tr", {}, make("th", {}, "subject"), ran.map((contract) =>
    filterable(make("th", { scope: "col" }, make("a", { href: "#" + contract.name }, contract.name)), { family: contract.family })));
  const rows = subjects.map((subject) => make("tr", {},
    make("th", { scope: "row" }, subject, " ", make("span", { class: "quiet" },
    [kindOf.get(subject), libraryOf.get(subject)].filter((one) => one).join(", "))),
    ran.map((contract) => {
      const results = byCell.get(key(contract.name, subject)) || [];
      if (!profilesOf.has(key(contract.name, subject)))
        return filterable(make("td", { class: "none", title: "does not implement this pattern" }), { family: contract.family });
      const cell = make("td", {});
      const core = profilesOf.get(key(contract.name, subject)).core.verdict;
      cells.push([cell, results, make("div", { class: "core " + coreColourOf.get(key(contract.name, subject)),
        title: "the MUST clauses that need no feature" }, "core " + core)]);
      return filterable(cell, { family: contract.family });
    })));
  return make("section", { id: "matrix" }, make("h2", {}, "Subjects and patterns"),
    make("p", { class: "quiet" }, "Counted are scenarios: each clause has one or more. ✓ passes, ✗ fails, ! error, – skipped. " +
      "The core profile is the MUST clauses that need no feature; the full one is everything."),
    table("Matrix", head, rows));
}

// ---- patterns, unfolding to clauses, unfolding to scenarios

const share = (covered, all) => all === 0 ? "" : `${covered} of ${all}`;
function scenarioRow(one) {
  const verdict = make("td", { class: "verdict " + one.verdict }, isBad(one.verdict_any)
    ? make("a", { href: "#" + findingId(one) }, signs[one.verdict] + " " + one.verdict) : signs[one.verdict] + " " + one.verdict);
  return make("tr", {}, make("td", {}, one.subject), make("td", {}, one.variant), verdict,
    make("td", {}, one.verdict_any), make("td", {}, one.verdict_fifo), make("td", {}, one.tier),
    [one.trials, one.schedules, one.order_classes].map((n) => make("td", { class: "number" }, String(n))),
    make("td", { class: "number" }, share(one.cancel_points_covered, one.cancel_points)),
    make("td", { class: "number" }, share(one.fault_points_covered, one.fault_points)),
    make("td", { class: "wrap" }, one.message));
}
const scenarioColumns = [["subject"], ["scenario"], ["verdict", "under the order model that decides"],
  ["any", "order model any: every order that executors' documentation allows"],
  ["fifo", "order model fifo: handlers in first-in-first-out order"], ["tier"],
  ["trials"], ["schedules", "orders explored"], ["classes", "schedules that differ in more than the order of unrelated turns"],
  ["cancel points", "covered by the cancellation sweep"], ["fault points", "covered by the fault sweep"], ["message"]];

function sourceLines(clause) {
  return clause.scenarios.filter((one) => data.results.some((result) => result.clause === clause.id && result.variant === one.variant))
    .map((one) => make("div", {}, one.variant === "" ? "" : one.variant + ": ", make("code", {}, `${one.file}:${one.line}`),
      one.features.length > 0 ? " needs " + one.features.join(", ") : "",
      one.swept ? ", swept" : "", one.faulted ? ", faults" : "", one.expects_termination ? ", ends the process" : "",
      one.sim_only ? ", simulator only" : "", one.why ? ": " + one.why : ""));
}
function clauseDetails(contract, clause) {
  const results = byClause.get(key(contract.name, clause.id)) || [];
  const bySubject = group(results, (one) => one.subject);
  const badges = [...bySubject].map(([subject, own]) => badge(worst(own), subject));
  const inside = () => [
    facts([["level", clause.level], ["revision", String(clause.revision)], ["needs", clause.features.join(", ")],
      ["scenarios", clause.scenarios.length === 0 ? "" : make("div", {}, sourceLines(clause))],
      ["not checked", clause.unchecked || ""], ["disputed, and not counted", clause.disputed || ""],
      ["link", make("a", { href: "#" + clauseId(contract, clause) }, "#" + clauseId(contract, clause))]]),
    results.length === 0 ? null : table(clause.id, columns(scenarioColumns), results.map(scenarioRow)),
  ];
  const details = make("details", { class: "clause", id: clauseId(contract, clause) },
    make("summary", {}, make("strong", {}, clause.id), make("span", { class: "quiet" }, clause.level),
      make("span", {}, clause.text), make("span", { class: "badges" }, clause.disputed ? make("span", { class: "badge state" }, "disputed") : "",
        badges.length > 0 ? badges : make("span", { class: "badge" }, clause.unchecked ? "not checked" : "not run"))));
  fillWhenOpened(details, inside);
  const verdicts = results.map((one) => one.verdict);
  return filterable(details, { family: contract.family, level: clause.level, verdict: verdicts });
}
function patterns() {
  return make("section", { id: "patterns" }, make("h2", {}, "Patterns and clauses"), ran.map((contract) => {
    const results = data.results.filter((one) => one.contract === contract.name);
    return filterable(make("details", { class: "pattern", id: contract.name },
      make("summary", {}, make("strong", {}, contract.name), ` (${contract.family}): ${contract.intent} `, cellText(results)),
      make("div", { class: "inside" }, contract.clauses.map((clause) => clauseDetails(contract, clause)))),
    { family: contract.family, level: contract.clauses.map((one) => one.level), verdict: results.map((one) => one.verdict) });
  }));
}
function crossCutting() {
  return make("section", { id: "cross-cutting" }, make("h2", {}, "Clauses of every pattern"), data.cross_cutting.map((clause) =>
    filterable(make("details", { class: "clause", id: clause.id },
      make("summary", {}, make("strong", {}, clause.id), make("span", { class: "quiet" }, clause.level), make("span", {}, clause.text),
        make("span", { class: "badge" }, clause.unchecked ? "not checked" : "checked")),
      make("div", { class: "inside" }, clause.unchecked ? make("p", {}, "Not checked: " + clause.unchecked) : "",
        clause.checked_with.length === 0 ? "" : make("p", {}, "Checked with: ", clause.checked_with.map((name) =>
          [contractOf.has(name) && ran.includes(contractOf.get(name))
            ? make("a", { href: `#${name}.${clause.id}` }, name) : name, " "])))),
    { family: [], level: clause.level })));
}

// ---- findings

const recordedState = new Map();
if (data.findings) {
  for (const one of data.findings.confirmed) recordedState.set(one.name, ["recorded", one]);
  for (const one of data.findings.appeared) recordedState.set(one.name, ["new", one]);
  for (const one of data.findings.changed) recordedState.set(one.seen.name, ["changed", one.recorded]);
}
const scenarioName = (one) => `${one.contract}/${one.clause}` + (one.variant === "" ? "" : "/" + one.variant);
const stateOf = (one) => recordedState.get(`${one.subject} ${scenarioName(one)}`) || [data.findings ? "new" : "", null];

function reference(text) {
  return /^https?:\/\//.test(text) ? make("a", { href: text }, text) : text;
}
function timelineDetails(one) {
  if (one.timeline_left_out) return make("p", { class: "quiet" }, "To keep this page small, its timeline is drawn by the command " +
    "above with --timeline FILE.html.");
  if (one.timeline === undefined) return "";
  const details = make("details", { class: "plain timeline" },
    make("summary", {}, one.timeline_baseline ? "Timeline of the shrunk trial, beside the baseline trial" : "Timeline of the shrunk trial"));
  fillWhenOpened(details, () => [timelineFigure(one.timeline, one.timeline_baseline,
    ["the shrunk trial: " + one.verdict_any, "the baseline trial: passes"])]);
  return details;
}
function findingArticle(one) {
  const contract = contractOf.get(one.contract);
  const clause = contract.clauses.find((other) => other.id === one.clause);
  const [state, known] = stateOf(one);
  const article = make("article", { id: findingId(one) },
    make("h3", {}, `${one.subject}, `, make("a", { href: "#" + clauseId(contract, clause) }, `${one.contract}/${one.clause}`),
      one.variant === "" ? "" : ` (${one.variant})`, " ", badge(one.verdict_any), " ",
      make("span", { class: "badge" }, one.level), " ", state === "" ? "" : make("span", { class: "badge state" }, state), " ",
      make("a", { class: "quiet", href: "#" + findingId(one), "aria-label": "Link to this finding" }, "#")),
    make("p", {}, make("strong", {}, messageLines(one.message))),
    make("p", { class: "quiet" }, clause.text),
    facts([["shown by", one.shown_under], ["order model any", one.verdict_any], ["order model fifo", one.verdict_fifo],
      ["tier", one.tier], ["strategy", one.strategy],
      ["stock io_context", known ? known.io_context : ""], ["reason", known ? known.reason : ""],
      ["reference", known ? reference(known.reference) : ""]]),
    command(one.replay),
    timelineDetails(one),
    one.story.length === 0 ? "" : make("details", { class: "plain" }, make("summary", {}, "Story of the shrunk trial"),
      make("div", { class: "inside" }, story(one.story))));
  return filterable(article, { family: contract.family, level: one.level, verdict: [one.verdict, one.verdict_any] });
}
function findingsSection() {
  const rank = { new: 0, changed: 1, "": 2, recorded: 3 };
  const sorted = [...findings].sort((a, b) => rank[stateOf(a)[0]] - rank[stateOf(b)[0]]);
  const gone = data.findings ? data.findings.disappeared : [];
  return make("section", { id: "findings" }, make("h2", {}, "Findings"),
    data.findings ? make("p", {}, `${data.findings.confirmed.length} as recorded, ${data.findings.appeared.length} new, ` +
      `${data.findings.changed.length} changed, ${gone.length} gone.`) : "",
    gone.map((one) => make("p", { class: "fail" }, `Gone: ${one.name}: ${one.message}`)),
    data.summary.problems.map((one) => make("p", { class: "fail" }, "Problem: " + one)),
    findings.length === 0 ? make("p", {}, "None.") : sorted.map(findingArticle));
}

// ---- features, and how all this came about

function features() {
  const rows = [];
  for (const contract of ran) {
    for (const subject of subjects) {
      const results = byCell.get(key(contract.name, subject));
      if (results === undefined) continue;
      const known = data.subjects.find((one) => one.name === subject && one.contract === contract.name);
      const skipped = [...group(results.filter((one) => one.verdict === "skip"), (one) => one.message)]
        .map(([why, own]) => `${why} (${own.length})`).join("; ");
      rows.push(filterable(make("tr", {}, make("td", {}, contract.name), make("td", {}, subject),
        make("td", {}, known && known.written_in ? known.written_in : ["C++", known && known.library].filter((one) => one).join(", ")),
        make("td", {}, known && known.features.length > 0 ? known.features.join(", ") : "the core"), make("td", {}, skipped),
        make("td", { class: "wrap" }, known && known.cites ? reference(known.cites) : "")), { family: contract.family }));
    }
  }
  return make("section", { id: "features" }, make("h2", {}, "Features: claimed, and skipped with the reason"),
    table("Features", columns([["pattern"], ["subject"], ["written in, with"], ["claims"], ["skipped (scenarios)"], ["cites"]]), rows));
}
function models() {
  return ["any", "fifo"].map((model) => {
    const sums = { pass: 0, fail: 0, error: 0, skip: 0 };
    for (const one of data.results) ++sums["verdict_" + model in one ? one["verdict_" + model] : one.verdict];
    const decides = data.order === model ? " (decides)" : "";
    return [`order model ${model}${decides}`, `${sums.pass} passed, ${sums.fail} failed, ${sums.skip} skipped, ${sums.error} in error`];
  });
}
function made() {
  return make("section", { id: "made" }, make("h2", {}, "How this was made"),
    facts([...origin(), ["seed", String(data.seed)],
      ["budget", `${data.schedules} schedules per scenario, ` +
        (data.sweep ? `full cancellation and fault sweeps, ${data.pairs} pairs of each kind` : "no sweeps")],
      ["strategy", data.strategy], ["tier", data.tier === "sim" ? "sim: the simulator explores" : "io_context: a stock io_context in virtual time"],
      ["scope", "single-threaded"], ...models(), ["strict", data.strict ? "SHOULD counts as MUST" : "no"],
      ["trials", String(data.summary.trials)],
      ["complete", data.summary.interrupted ? `no: ${data.how_far}` : data.summary.stopped ? "no: stopped at the first violation"
        : `yes: ${data.summary.results} of ${data.summary.selected} scenario runs`]]),
    make("p", {}, "To make it again:"), command(data.command));
}

// ---- the page

const besides = { "mutants.html": "Kill matrix", "strategies.html": "Strategies", "standard.html": "Standard" };
function verdictLine() {
  const { exit_status: status, passed, failed, skipped, errors } = data.summary;
  const [sign, word] = status === 0 ? ["pass", "Conforms"] : status === 1 ? ["fail", "Does not conform"]
    : status === 130 ? ["skip", "Interrupted"] : ["error", "No verdict"];
  return make("p", {}, badge(sign, word), ` ${passed} passed, ${failed} failed, ${skipped} skipped, ${errors} in error`,
    data.findings && status === 0 && failed > 0 ? "; everybody but third parties conforms, and the findings on these are the recorded ones" : "",
    data.summary.interrupted ? `; ${data.how_far}: what was not run has no verdict` : "");
}
function toDo() {
  return data.summary.advice === "" ? "" : make("p", { class: "fail", id: "to-do" }, make("strong", {}, "To do: "), data.summary.advice);
}
document.title = "Assay conformance report";
document.body.append(
  make("header", {}, make("h1", {}, "Assay conformance report"), verdictLine(), toDo(),
    make("p", { class: "quiet" }, `${originLine()}, seed ${data.seed}`)),
  make("nav", { "aria-label": "Sections and filters" },
    [["matrix", "Matrix"], ["findings", `Findings (${findings.length})`], ["patterns", "Clauses"], ["features", "Features"],
      ["made", "How made"]].map(([id, text]) => make("a", { href: "#" + id }, text)),
    data.beside.map((name) => make("a", { href: name }, besides[name])),
    filterControls(choices), make("span", { id: "shown", class: "quiet", role: "status" })),
  make("main", {}, matrix(), findingsSection(), patterns(), crossCutting(), features(), made()));
applyFilters();
followAddress();
unfoldOnPaper("article details, details.pattern");
