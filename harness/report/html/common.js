const data = JSON.parse(document.getElementById("data").textContent);

// What a subject said may hold any character; no document may hold most control characters.
const printable = (child) => typeof child === "string" ? child.replace(/[^\P{Cc}\t\n]/gu, "?") : child;

// An element with attributes and children; a child that is text is never read as HTML.
function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== "").map(printable));
  return made;
}

const signs = { pass: "✓", fail: "✗", skip: "–", error: "!" };
const isBad = (verdict) => verdict === "fail" || verdict === "error";
const badge = (verdict, text) => make("span", { class: "badge " + verdict }, signs[verdict] + " " + (text || verdict));

function facts(pairs) {
  return make("dl", {}, pairs.filter(([, value]) => value !== null && value !== "")
    .map(([name, value]) => [make("dt", {}, name), make("dd", { class: "wrap" }, value)]));
}

// A command with a button that copies it; without a clipboard (a page from a disk may have none) it is selected instead.
function command(text) {
  const shown = make("code", {}, text);
  const copy = make("button", {
    type: "button",
    click: () => {
      const select = () => window.getSelection().selectAllChildren(shown);
      if (!navigator.clipboard) return select();
      navigator.clipboard.writeText(text).then(() => { copy.textContent = "Copied"; }, select);
    },
  }, "Copy");
  return make("div", { class: "command" }, shown, copy);
}

// A failure's message: what was expected and what was observed, a line each.
function messageLines(text) {
  const at = text.startsWith("expected: ") ? text.lastIndexOf("; observed: ") : -1;
  return at < 0 ? [text] : [text.slice(0, at), make("br", {}), text.slice(at + 2)];
}
// What a report was made with; the same for all pages.
const origin = () => [["version of the standard", data.version], ["build", data.build], ["commit", data.commit],
  ["compiler", data.compiler], ["Boost", data.boost], ["date", data.date || ""]];
const originLine = () => `Standard ${data.version}, build ${data.build}, commit ${data.commit}, Boost ${data.boost}` +
  (data.date ? `, ${data.date}` : "");

function story(lines) {
  const kinds = (line) => line.startsWith("  -- ") ? "parts" : /^ *[0-9]+ +[^ ]+ +failure {2}/.test(line) ? "failure" : null;
  return make("pre", { class: "story", tabindex: "0" }, lines.map((line) => make("span", { class: kinds(line) }, line + "\n")));
}

const key = (...parts) => parts.join("\n");
const group = (list, by) => {
  const groups = new Map();
  for (const one of list) {
    if (!groups.has(by(one))) groups.set(by(one), []);
    groups.get(by(one)).push(one);
  }
  return groups;
};
// A clause that belongs to one pattern is called by its id alone; others also by the pattern.
const clauseId = (contract, clause) => clause.cross_cutting ? contract.name + "." + clause.id : clause.id;

// A table that may be wider than the window: then it scrolls by itself, with the keyboard too.
const table = (label, head, rows, foot) => make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label },
  make("table", {}, make("thead", {}, head), make("tbody", {}, rows), foot ? make("tfoot", {}, foot) : ""));
const columns = (names) => make("tr", {}, names.map(([name, title]) => make("th", { scope: "col", title }, name)));

// ---- filters: what is hidden is what has been chosen away, and the address keeps the choice.

const filters = {};   // what is chosen, "" if all is
const filtered = [];  // [element, what it has: {family: "flow", verdict: ["pass", "skip"]}]
function filterable(element, has) {
  filtered.push([element, has]);
  return element;
}
function applyFilters() {
  for (const [element, has] of filtered)
    element.hidden = Object.entries(filters).some(([name, value]) =>
      value !== "" && has[name] !== undefined && ![has[name]].flat().includes(value));
  const query = new URLSearchParams(Object.entries(filters).filter(([, value]) => value !== "")).toString();
  try {
    history.replaceState(null, "", (query === "" ? location.pathname : "?" + query) + location.hash);
  } catch (refused) { /* a browser may refuse this for a file; the filters work all the same */ }
  document.dispatchEvent(new Event("filtered"));
}
function filterControls(choices) {
  const query = new URLSearchParams(location.search);
  return Object.entries(choices).map(([name, values]) => {
    filters[name] = values.includes(query.get(name)) ? query.get(name) : "";
    return make("label", {}, name, make("select", {
      id: "filter-" + name,
      change: (event) => { filters[name] = event.target.value; applyFilters(); },
    }, make("option", { value: "" }, "all"),
    values.map((value) => make("option", { value, selected: filters[name] === value }, value))));
  });
}

// ---- what is folded

// Most of it is never looked at: it is made when it is.
const unfilled = new Map();
function fillWhenOpened(details, inside) {
  unfilled.set(details, inside);
  details.addEventListener("toggle", () => { if (details.open) fill(details); });
}
function fill(details) {
  const inside = unfilled.get(details);
  if (inside === undefined) return;
  unfilled.delete(details);
  details.append(make("div", { class: "inside" }, inside()));
}
// Whatever the address names is shown, also if it is folded or filtered away.
function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target === null) return;
  for (let one = target; one !== null; one = one.parentElement) {
    if (one instanceof HTMLDetailsElement) { one.open = true; fill(one); }
    one.hidden = false;
  }
  target.scrollIntoView();
}
function followAddress() {
  reveal();
  window.addEventListener("hashchange", reveal);
}
// On paper nothing can be unfolded.
function unfoldOnPaper(selector) {
  window.addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll(selector)) {
      one.open = true;
      fill(one);
    }
  });
}
