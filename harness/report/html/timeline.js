// A trial as a picture: time goes down, one lane per task. Virtual time stands still while handlers run, so what happens
// at one instant is spread out in its order, a row each.

const SVG = "http://www.w3.org/2000/svg";
function draw(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children.map(printable));
  return made;
}

function duration(ns) {
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "us"], [1, "ns"]];
  if (ns === 0) return "0";
  const [size, name] = units.find(([size]) => Math.abs(ns) >= size);
  return Number((ns / size).toFixed(9)) + name;
}

// The rows of one trial. A turn is recorded when it ends: it covers what its task did just before, or has a row of its own.
function rowsOf(timeline) {
  const rows = [];
  const turns = [];  // [first row, last row, task]
  let free = 0;      // rows from here on belong to no turn yet
  for (const [at, task, kind, text] of timeline.events) {
    if (kind === "time") {
      free = rows.length;
    } else if (kind !== "turn") {
      rows.push({ at, task, kind, text });
    } else {
      let first = rows.length;
      while (first > free && rows[first - 1].task === task && rows[first - 1].kind !== "choice") --first;
      if (first === rows.length) rows.push({ at, task, kind, text });
      turns.push([first, rows.length - 1, task]);
      free = rows.length;
    }
  }
  return { rows, turns };
}

// Pairs the rows of two trials, instant by instant: a longest common subsequence, so that what both did stands side by
// side. Returns [row of one or null, row of the other or null].
function align(one, other) {
  const same = (a, b) => a.at === b.at && a.task === b.task && a.kind === b.kind && a.text === b.text;
  const pairs = [];
  let i = 0;
  let j = 0;
  while (i < one.length || j < other.length) {
    const at = Math.min(i < one.length ? one[i].at : Infinity, j < other.length ? other[j].at : Infinity);
    const upTo = (rows, from) => {
      let end = from;
      while (end < rows.length && rows[end].at <= at) ++end;
      return end;
    };
    const [iEnd, jEnd] = [upTo(one, i), upTo(other, j)];
    const lengths = Array.from({ length: iEnd - i + 1 }, () => new Uint16Array(jEnd - j + 1));
    for (let a = iEnd - 1; a >= i; --a) {
      for (let b = jEnd - 1; b >= j; --b) {
        lengths[a - i][b - j] = same(one[a], other[b]) ? lengths[a - i + 1][b - j + 1] + 1
          : Math.max(lengths[a - i + 1][b - j], lengths[a - i][b - j + 1]);
      }
    }
    const [iBegin, jBegin] = [i, j];
    while (i < iEnd || j < jEnd) {
      if (i < iEnd && j < jEnd && same(one[i], other[j])) pairs.push([i++, j++]);
      else if (j === jEnd || (i < iEnd && lengths[i - iBegin + 1][j - jBegin] >= lengths[i - iBegin][j - jBegin + 1])) pairs.push([i++, null]);
      else pairs.push([null, j++]);
    }
  }
  return pairs;
}

const shapes = {
  start: "M-4,-5 L5,0 L-4,5 Z",
  finish: "M-4,-4 h8 v8 h-8 Z",
  cancel: "M-5,-3 L-3,-5 L0,-2 L3,-5 L5,-3 L2,0 L5,3 L3,5 L0,2 L-3,5 L-5,3 L-2,0 Z",
  failure: "M-6,-4 L-4,-6 L0,-2 L4,-6 L6,-4 L2,0 L6,4 L4,6 L0,2 L-4,6 L-6,4 L-2,0 Z",
  fault: "M0,-6 L6,5 L-6,5 Z",
  item: "M0,-6 L6,0 L0,6 L-6,0 Z",
  mark: "M-3,0 a3,3 0 1 0 6,0 a3,3 0 1 0 -6,0 Z",
  check: "M-6,0 L-4,-2 L-1,1 L4,-6 L6,-4 L-1,5 Z",
  choice: "M-6,-4 L6,-4 L0,5 Z",
};
const rowHeight = 20;
const laneWidth = 24;
const gutter = 70;
const characterWidth = 7.3;
const pageWidth = 1180;
const shortened = (text, length) => text.length <= length ? text : text.slice(0, length - 1) + "…";

// One trial of a picture; `yOf` says where its rows are, `x` where it begins.
class Side {
  constructor(timeline, title, widthMax) {
    this.tasks = timeline.tasks;
    this.title = title;
    Object.assign(this, rowsOf(timeline));
    let started = 1;
    for (const row of this.rows) row.lane = row.kind === "start" ? ++started : row.task;
    for (const row of this.rows) if (row.kind === "cancel") row.lane = this.target(row) ?? row.task;
    const seen = new Set([1, ...this.rows.map((row) => row.lane), ...this.turns.map(([, , task]) => task)]);
    this.lanes = [...seen].sort((a, b) => a - b);
    const room = widthMax - this.lanes.length * laneWidth - 32;
    this.textLength = Math.min(100, Math.max(45, Math.floor(room / characterWidth)));
    this.width = this.lanes.length * laneWidth + 16 + this.textLength * characterWidth;
    this.failing = this.rows.findIndex((row) => row.kind === "failure");
  }
  target(row) {
    const before = this.rows.slice(0, this.rows.indexOf(row)).filter((one) => one.kind === "start" && one.text === row.text);
    return before.length > 0 ? before[before.length - 1].lane : undefined;
  }
  laneX(task) { return this.x + (this.lanes.indexOf(task) + 0.5) * laneWidth; }
  name(task) { return this.tasks[task] ?? "the subject"; }

  draw(svg, yOf, top, bottom) {
    svg.append(draw("text", { x: this.x, y: 16, class: "head" }, this.title));
    for (const task of this.lanes) this.drawLane(svg, task, yOf, top, bottom);
    for (const [first, last, task] of this.turns) {
      svg.append(draw("rect", { class: "runs", x: this.laneX(task) - 8, y: yOf(first) - 8, width: 16, height: yOf(last) - yOf(first) + 16, rx: 3 },
        draw("title", {}, `${this.name(task)} runs: woken, one turn, suspended again`)));
    }
    this.rows.forEach((row, index) => this.drawRow(svg, row, yOf(index)));
  }
  drawLane(svg, task, yOf, top, bottom) {
    const x = this.laneX(task);
    svg.append(draw("text", { transform: `translate(${x - 2},${top - 8}) rotate(-45)` }, shortened(this.name(task), 18)),
      draw("line", { class: "lane", x1: x, x2: x, y1: top, y2: bottom }));
    if (task === 0) return;
    const begins = this.rows.findIndex((row) => row.kind === "start" && row.lane === task);
    const ends = this.rows.findIndex((row) => row.kind === "finish" && row.lane === task);
    if (task > 1 && begins < 0) return;
    svg.append(draw("line", { class: "waits", x1: x, x2: x, y1: begins < 0 ? top : yOf(begins), y2: ends < 0 ? bottom : yOf(ends) }));
  }
  drawRow(svg, row, y) {
    const x = this.laneX(row.lane);
    if (row.lane !== row.task && this.lanes.includes(row.task))
      svg.append(draw("line", { class: "joins", x1: this.laneX(row.task), x2: x, y1: y, y2: y }));
    const whole = row.kind === "turn" ? this.name(row.task) + " runs" : row.text;
    const text = ["item", "mark", "turn"].includes(row.kind) ? whole : `${row.kind} ${whole}`;
    const label = text.replace(/ \([\w.-]+:\d+\)$/, "");  // where it stands in the source is for the tooltip
    if (shapes[row.kind]) {
      svg.append(draw("path", { class: "sign " + row.kind, d: shapes[row.kind], transform: `translate(${x},${y})` },
        draw("title", {}, `${duration(row.at)}, ${this.name(row.task)}: ${row.kind} ${row.text}`)));
    }
    svg.append(draw("text", { class: row.kind === "turn" ? "quiet" : row.kind, x: this.x + this.lanes.length * laneWidth + 8, y: y + 4 },
      shortened(label, this.textLength), draw("title", {}, text)));
  }
}

// The figure of a trial, and of another beside it if there is one.
function timelineFigure(shown, beside, titles) {
  const widthMax = (pageWidth - gutter) / (beside ? 2 : 1);
  const left = new Side(shown, titles[0], widthMax);
  const right = beside ? new Side(beside, titles[1], widthMax) : null;
  const sides = right ? [left, right] : [left];
  const pairs = right ? align(left.rows, right.rows) : left.rows.map((row, index) => [index, null]);
  const rowOf = ([one, other]) => one !== null ? left.rows[one] : right.rows[other];
  // A choice is what made them part, not a difference of its own.
  const parting = right ? pairs.findIndex((pair) => pair.includes(null) && rowOf(pair).kind !== "choice") : -1;

  let x = gutter;
  for (const side of sides) {
    side.x = x;
    x += side.width + 16;
  }
  const longest = Math.max(...sides.flatMap((side) => side.lanes.map((task) => Math.min(18, side.name(task).length))));
  const top = 40 + longest * 5.3;
  const places = [];
  let y = top;
  pairs.forEach((pair, index) => {
    if (index === parting) y += rowHeight;
    places.push(y + rowHeight / 2);
    y += rowHeight;
  });
  const bottom = y;

  const svg = draw("svg", { xmlns: SVG, class: "timeline", role: "img", width: x, height: bottom + 8, viewBox: `0 0 ${x} ${bottom + 8}`,
    "aria-label": `Timeline of ${titles[0]}` + (right ? ` beside ${titles[1]}` : "") + "; the story has the same in words" });
  const failing = pairs.findIndex(([one]) => one !== null && one === left.failing);
  if (failing >= 0)
    svg.append(draw("rect", { class: "failing", x: left.x - 2, y: places[failing] - rowHeight / 2, width: left.width, height: rowHeight }));
  let at = null;
  pairs.forEach((pair, index) => {
    const row = rowOf(pair);
    if (row.at === at) return;
    at = row.at;
    const above = places[index] - rowHeight / 2 - (index === parting ? rowHeight : 0);
    svg.append(draw("line", { class: "instant", x1: 0, x2: x, y1: above, y2: above }),
      draw("text", { class: "quiet", x: gutter - 10, y: places[index] + 4, "text-anchor": "end" }, duration(at)));
  });
  if (parting >= 0) {
    const line = places[parting] - rowHeight;
    svg.append(draw("line", { class: "parting", x1: 0, x2: x, y1: line, y2: line }),
      draw("text", { class: "parts", x: x - 8, y: line - 3, "text-anchor": "end" }, "first difference"));
  }
  sides.forEach((side, which) => {
    const where = new Map(pairs.map((pair, index) => [pair[which], places[index]]));
    side.draw(svg, (row) => where.get(row), top, bottom);
  });
  return make("figure", {}, make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Timeline" }, svg),
    make("figcaption", {}, "Virtual time goes down, one lane per task. A box is a turn: the task was woken, ran, and suspended again; " +
      "dotted: it is suspended. ▶ start, ■ end, ✕ cancel or failure, ▲ fault, ◆ item, ● mark, ✓ check, ▼ the schedule chose otherwise: another order, a cancellation, a fault."));
}
