const strategies = data.bugs.length === 0 ? [] : Object.keys(data.bugs[0].strategies);
const never = `> ${data.cap}`;
const rounded = (number, digits) => String(Number(number.toFixed(digits)));
const schedules = (figure) => figure === null ? never : rounded(figure, 1);

const medians = (bug) => [bug.portfolio, ...strategies.map((name) => bug.strategies[name])].map((one) => one.median);
const least = (list) => list.reduce((best, one) => one !== null && (best === null || one < best) ? one : best, null);
const bestSingle = (bug) => least(strategies.map((name) => bug.strategies[name].median));
// How many times as many schedules the portfolio takes as whichever strategy happens to be the best one here.
function ratio(bug) {
  const best = bestSingle(bug);
  return bug.portfolio.median === null || best === null || best === 0 ? null : bug.portfolio.median / best;
}

// ---- the table: what a column shows of a bug, and what it is sorted by; null goes last

function figure(name, of, kind) {
  return { name: kind, label: `${name}, ${kind}`, value: (bug) => of(bug)[kind], shown: (bug) => schedules(of(bug)[kind]),
    best: (bug) => kind === "median" && of(bug)[kind] !== null && of(bug)[kind] === least(medians(bug)) };
}
const figuresOf = (name, of) => ["median", "p95"].map((kind) => figure(name, of, kind));
const groups = [
  ["", [{ name: "bug", label: "bug", value: (bug) => bug.name },
    { name: "depth", label: "depth", title: "the fewest deviations from first-in-first-out order that show it",
      value: (bug) => bug.depth, shown: (bug) => String(bug.depth) }]],
  ["portfolio", [...figuresOf("portfolio", (bug) => bug.portfolio),
    { name: "ratio", label: "portfolio, ratio", title: "the portfolio's median, divided by that of the best single strategy",
      value: ratio, shown: (bug) => ratio(bug) === null ? "" : "× " + rounded(ratio(bug), 2) },
    { name: "CPU ms", label: "portfolio, CPU ms", title: "CPU time to the first failure, median",
      value: (bug) => bug.portfolio.cpu_ms, shown: (bug) => bug.portfolio.cpu_ms === null ? "" : rounded(bug.portfolio.cpu_ms, 3) }]],
  ...strategies.map((name) => [name, figuresOf(name, (bug) => bug.strategies[name])]),
];
const allColumns = groups.flatMap(([, own]) => own);

const rowOf = new Map(data.bugs.map((bug) => [bug, make("tr", {}, allColumns.map((column) => column.name === "bug"
  ? make("th", { scope: "row", title: bug.what }, make("a", { href: "#" + bug.name }, bug.name),
    bug.twin_reports > 0 ? make("span", { class: "fail", title: "the correct twin was reported" }, " !") : "")
  : make("td", { class: "number " + (column.best && column.best(bug) ? "pass best"
    : column.name === "p95" || column.value(bug) === null ? "quiet" : "") },
    column.shown(bug))))]));

function before(a, b) {
  if (a === null || b === null) return (a === null ? 1 : 0) - (b === null ? 1 : 0);
  return typeof a === "string" ? a.localeCompare(b) : a - b;
}
function sortBy(column, head) {
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of document.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const sorted = [...data.bugs].sort((a, b) => {
    const [x, y] = [column.value(a), column.value(b)];
    return x === null || y === null ? before(x, y) : down ? before(y, x) : before(x, y);
  });
  rowOf.get(data.bugs[0]).parentElement.append(...sorted.map((bug) => rowOf.get(bug)));
}
function heading(column) {
  const head = make("th", { scope: "col", title: column.title },
    make("button", { type: "button", "aria-label": "Sort by " + column.label, click: () => sortBy(column, head) }, column.name));
  return head;
}
// How many bugs each column's strategy finds, and at how many of them nobody is faster.
function sums(name, count) {
  return make("tr", {}, make("th", { scope: "row" }, name), make("td", {}), allColumns.slice(2).map((column) =>
    make("td", { class: "number" }, column.name === "median" ? String(data.bugs.filter((bug) => count(column, bug)).length) : "")));
}
function comparison() {
  const head = [make("tr", {}, groups.map(([name, own]) => make("th", { scope: "colgroup", colspan: own.length }, name))),
    make("tr", {}, allColumns.map(heading))];
  const made = table("Bugs and strategies", head, data.bugs.map((bug) => rowOf.get(bug)),
    [sums("found", (column, bug) => column.value(bug) !== null), sums("best", (column, bug) => column.best(bug))]);
  made.classList.add("figures");
  return make("section", { id: "comparison" }, make("h2", {}, "Schedules to the first failure"),
    make("p", { class: "quiet" }, `Median and 95th percentile over ${data.seeds} seeds; ${never} where the cap was reached. ` +
      "The least median of a row is marked. A heading sorts by its column."), made);
}

// ---- the bugs, unfolding

function bugDetails(bug) {
  const details = make("details", { class: "clause bug", id: bug.name },
    make("summary", {}, make("strong", {}, bug.name), make("span", {}, bug.what),
      bug.twin_reports > 0 ? badge("fail", "twin reported") : ""));
  const row = (name, figures) => make("tr", {}, make("th", { scope: "row" }, name), make("td", { class: "number" }, schedules(figures.median)),
    make("td", { class: "number" }, schedules(figures.p95)),
    make("td", { class: "number" }, figures.cpu_ms === null ? "" : rounded(figures.cpu_ms, 3)));
  fillWhenOpened(details, () => [
    facts([["depth", String(bug.depth)], ["cancel points", bug.cancel_slots === 0 ? "none shows it" : String(bug.cancel_slots)],
      ["cancellation sweep", bug.sweep_runs === null ? "" : `shows it in trial ${bug.sweep_runs}`],
      ["shrunk to", bug.shrunk_deviations === null ? "" : `${bug.shrunk_deviations} deviations`],
      ["correct twin", data.twin_schedules === 0 ? "not run" : `reported ${bug.twin_reports} times in ${data.twin_schedules} schedules`]]),
    table("Strategies on " + bug.name, columns([["strategy"], ["median"], ["p95"], ["CPU ms", "to the first failure, median"]]),
      [row("portfolio", bug.portfolio), ...strategies.map((name) => row(name, bug.strategies[name]))])]);
  return details;
}

// ---- the page

function summary() {
  const found = data.bugs.filter((bug) => bug.portfolio.median !== null).length;
  const ratios = data.bugs.map(ratio).filter((one) => one !== null).sort((a, b) => a - b);
  const alarms = data.bugs.filter((bug) => bug.twin_reports > 0);
  const middle = ratios.length === 0 ? null : (ratios[(ratios.length - 1) >> 1] + ratios[ratios.length >> 1]) / 2;
  const [sign, word] = alarms.length > 0 ? ["fail", "False alarms"] : data.twin_schedules === 0 ? ["skip", "Twins not run"] : ["pass", "No false alarm"];
  return [data.summary.interrupted ? make("p", { id: "interrupted" }, badge("skip", "Interrupted"), ` This was ${data.how_far}; nothing is said of the others.`) : "",
    make("p", { id: "summary" }, badge(sign, word),
    ` The portfolio finds ${found} of ${data.bugs.length} bugs` +
    (middle === null ? "" : `, in ${rounded(middle, 2)} times the schedules of each one's best single strategy (median)`)),
  alarms.map((bug) => make("p", { class: "fail" }, "The correct twin of ", make("a", { href: "#" + bug.name }, bug.name),
    ` was reported ${bug.twin_reports} times.`))];
}

document.title = "Assay strategies";
document.body.append(
  make("header", {}, make("h1", {}, "Strategies on planted bugs"), summary(),
    make("p", { class: "quiet" }, originLine())),
  make("nav", { "aria-label": "Sections" }, [["comparison", "Schedules"], ["bugs", `Bugs (${data.bugs.length})`], ["made", "How made"]]
    .map(([id, text]) => make("a", { href: "#" + id }, text))),
  make("main", {}, comparison(),
    make("section", { id: "bugs" }, make("h2", {}, "Bugs"), data.bugs.map(bugDetails)),
    make("section", { id: "made" }, make("h2", {}, "How this was made"),
      facts([...origin(), ["seeds", String(data.seeds)], ["cap", `${data.cap} schedules per seed`],
        ["twins", data.twin_schedules === 0 ? "not run" : `${data.twin_schedules} schedules of the portfolio on each`]]),
      command(data.command))));
followAddress();
