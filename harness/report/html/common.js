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

function story(lines) {
  const kinds = (line) => line.startsWith("  -- ") ? "parts" : /^ *[0-9]+ +[^ ]+ +failure {2}/.test(line) ? "failure" : null;
  return make("pre", { class: "story", tabindex: "0" }, lines.map((line) => make("span", { class: kinds(line) }, line + "\n")));
}
