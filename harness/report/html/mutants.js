const mutantsOf = group(data.mutants, (one) => one.contract);
const judged = data.contracts.filter((one) => mutantsOf.has(one.name));
const families = [...new Set(judged.map((one) => one.family))];
const withProblems = "with problems";

const timesNamed = group(data.mutants, (one) => one.name);
const mutantId = (mutant) => "mutant-" + (timesNamed.get(mutant.name).length > 1 ? mutant.contract + "." : "") + mutant.name;
const linkTo = (mutant) => make("a", { href: "#" + mutantId(mutant) }, mutant.name);
const idOf = (contract, id) => clauseId(contract, contract.clauses.find((one) => one.id === id) || { id });
const linkToClause = (contract, id) => make("a", { href: "#" + idOf(contract, id) }, id);
const listed = (links) => links.map((one, at) => [at === 0 ? "" : ", ", one]);

const marks = {
  must: ["✓", "pass", "killed by a clause that is to kill it"],
  may: ["+", "may", "killed by a clause that may kill it besides"],
  unexpected: ["!", "fail", "killed by a clause that it should pass"],
  missed: ["–", "skip", "not killed by a clause that was to"],
};
function markOf(mutant, clause) {
  const killed = mutant.killed_by.includes(clause);
  if (mutant.unexpected.includes(clause)) return "unexpected";
  if (mutant.must_fail.includes(clause)) return killed ? "must" : mutant.judged ? "missed" : "";
  return killed ? "may" : "";
}
const hasProblems = (mutant) => mutant.problems.length > 0;
const isUnkilled = (clause) => data.unkilled.includes(clause.id);
const clauseHasProblems = (contract, clause) =>
  isUnkilled(clause) || mutantsOf.get(contract.name).some((one) => one.unexpected.includes(clause.id));
const had = (contract, problems) => ({ family: contract.family, mutants: problems ? [withProblems] : [] });

// ---- the matrix of a pattern

function shownClauses(contract) {
  const named = new Set(mutantsOf.get(contract.name).flatMap((one) => [...one.must_fail, ...one.may_fail, ...one.killed_by]));
  return contract.clauses.filter((one) => one.scenarios.length > 0 || named.has(one.id));
}
function cell(mutant, clause) {
  const mark = markOf(mutant, clause.id);
  if (mark === "") return make("td", {});
  const [sign, style, meaning] = marks[mark];
  return make("td", { class: "mark " + style, title: `${mutant.name}, ${clause.id}: ${meaning}` }, sign);
}
function matrix(contract) {
  const clauses = shownClauses(contract);
  const head = make("tr", {}, make("th", { scope: "col" }, "mutant"), clauses.map((clause) =>
    make("th", { scope: "col", class: "upright" + (isUnkilled(clause) ? " fail" : ""), title: `${clause.level}: ${clause.text}` },
      linkToClause(contract, clause.id))));
  const rows = mutantsOf.get(contract.name).map((mutant) => filterable(make("tr", {},
    make("th", { scope: "row", title: mutant.defect }, hasProblems(mutant) ? make("span", { class: "fail" }, "✗ ") : "", linkTo(mutant)),
    clauses.map((clause) => cell(mutant, clause))), had(contract, hasProblems(mutant))));
  const made = table("Clauses and mutants of " + contract.name, head, rows);
  made.classList.add("kills");
  return made;
}

// ---- its mutants, unfolding, and its clauses

function witnesses(mutant) {
  return table("What kills " + mutant.name, columns([["clause"], ["verdict"], ["message"], ["shown by"], ["to see it again"]]),
    mutant.witnesses.map((one) => make("tr", {}, make("td", {}, one.clause),
      make("td", { class: "verdict " + one.verdict }, signs[one.verdict] + " " + one.verdict), make("td", { class: "wrap" }, messageLines(one.message)),
      make("td", {}, one.shown_by), make("td", {}, one.token === "" ? "" : command(`${data.program} replay ${one.token}`)))));
}
function mutantDetails(contract, mutant) {
  const links = (ids) => ids.length === 0 ? "" : listed(ids.map((id) => linkToClause(contract, id)));
  const outcome = !mutant.judged ? badge("skip", "not judged") : !mutant.killed ? badge("fail", "survives") : hasProblems(mutant) ? badge("skip", "problems") : badge("pass", "killed");
  const details = make("details", { class: "clause mutant", id: mutantId(mutant) },
    make("summary", {}, make("strong", { class: "wrap" }, mutant.name), outcome, make("span", {}, mutant.defect),
      make("span", { class: "quiet" }, mutant.killed_by.length === 0 ? "" :
      ["by ", listed(mutant.killed_by.map((id) => make("span", { class: "whole" }, id)))])));
  fillWhenOpened(details, () => [
    facts([["must be killed by one of", links(mutant.must_fail)], ["may be by", links(mutant.may_fail)],
      ["is killed by", links(mutant.killed_by)], ["though it should pass", links(mutant.unexpected)],
      ["link", make("a", { href: "#" + mutantId(mutant) }, "#" + mutantId(mutant))]]),
    mutant.problems.map((one) => make("p", { class: "fail wrap" }, "Problem: " + one)),
    mutant.witnesses.length === 0 ? "" : witnesses(mutant)]);
  return filterable(details, had(contract, hasProblems(mutant)));
}
function clauseRow(contract, clause) {
  const caught = mutantsOf.get(contract.name).filter((one) => one.killed_by.includes(clause.id));
  return filterable(make("tr", { id: clauseId(contract, clause) }, make("th", { scope: "row" }, clause.id),
    make("td", {}, clause.level),
    make("td", { class: "text" }, clause.text, clause.unchecked ? make("p", { class: "quiet" }, "Not checked: " + clause.unchecked) : ""),
    make("td", {}, isUnkilled(clause) ? badge("fail", "no mutant") : listed(caught.map(linkTo)))),
  had(contract, clauseHasProblems(contract, clause)));
}
function section(contract) {
  const mutants = mutantsOf.get(contract.name);
  const clauses = shownClauses(contract);
  const bad = mutants.filter(hasProblems).length;
  const problems = bad > 0 || clauses.some((one) => clauseHasProblems(contract, one));
  return filterable(make("section", { id: contract.name }, make("h2", {}, contract.name),
    make("p", {}, `${contract.intent}.`),
    make("p", { class: "quiet" }, `${mutants.filter((one) => one.killed).length} of ${mutants.length} mutants are killed, ` +
      `${bad === 0 ? "none" : bad} with problems; ${clauses.length} clauses.`),
    matrix(contract),
    make("h3", {}, "Mutants"), mutants.map((one) => mutantDetails(contract, one)),
    make("h3", {}, "Clauses"),
    table("Clauses of " + contract.name, columns([["clause"], ["level"], ["text"], ["kills"]]),
      clauses.map((one) => clauseRow(contract, one)))), had(contract, problems));
}

// ---- the page

function summary() {
  const all = data.mutants.length;
  const killed = data.mutants.filter((one) => one.killed).length;
  const outside = data.mutants.filter((one) => one.unexpected.length > 0).length;
  const bad = data.mutants.filter(hasProblems).length;
  const interrupted = data.summary.interrupted;
  return make("p", { id: "summary" }, interrupted ? badge("skip", "Interrupted") : badge(data.sound ? "pass" : "fail", data.sound ? "Sound" : "Not sound"),
    ` ${killed} of ${all} killed, ${outside === 0 ? "none" : outside} outside of what they say` +
    (bad === 0 ? "" : `; ${bad} with problems`) +
    (interrupted ? `; ${data.how_far}, and ${data.mutants.filter((one) => !one.judged).length} mutants are not judged` : ""));
}
function problems() {
  const bad = data.mutants.filter(hasProblems);
  const contractOf = new Map(judged.map((one) => [one.name, one]));
  const unkilled = judged.flatMap((contract) => shownClauses(contract).filter(isUnkilled).map((clause) => [contract, clause]));
  return make("section", { id: "problems" }, make("h2", {}, "Problems"),
    bad.length === 0 ? make("p", {}, "No mutant has any.") : make("ul", {}, bad.map((mutant) =>
      filterable(make("li", {}, linkTo(mutant), ` (${mutant.contract}): `, mutant.problems.join("; ")), had(contractOf.get(mutant.contract), true)))),
    data.summary.interrupted ? make("p", {}, "Which MUST clauses kill a mutant is not known: the run was interrupted.") :
    unkilled.length === 0 ? make("p", {}, "Every MUST clause kills a mutant.") : [
      make("p", {}, "MUST clauses that kill no mutant:"), make("ul", {}, unkilled.map(([contract, clause]) =>
        filterable(make("li", {}, linkToClause(contract, clause.id), ` (${contract.name}): ${clause.text}`), had(contract, true))))]);
}
function legend() {
  return make("p", { class: "legend" }, Object.values(marks).map(([sign, style, meaning]) =>
    make("span", {}, make("span", { class: "badge " + style }, sign), " " + meaning)));
}

document.title = "Assay kill matrix";
document.body.append(
  make("header", {}, make("h1", {}, "Kill matrix"), summary(),
    make("p", { class: "quiet" }, `A mutant is an implementation that is wrong in one way; the clauses are to catch it. ` +
      originLine())),
  make("nav", { "aria-label": "Sections and filters" }, make("a", { href: "#problems" }, "Problems"),
    judged.map((one) => make("a", { href: "#" + one.name }, one.name)), make("a", { href: "#made" }, "How made"),
    filterControls({ family: families, mutants: [withProblems] })),
  make("main", {}, problems(), legend(), judged.map(section),
    make("section", { id: "made" }, make("h2", {}, "How this was made"),
      facts(origin()), command(data.command))));
applyFilters();
followAddress();
