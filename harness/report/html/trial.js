document.title = `${data.subject} ${data.scenario}`;
const titles = [data.timeline_fifo ? "this trial: " + data.verdict : data.verdict, "first in, first out"];
document.body.append(
  make("header", {}, make("h1", {}, `${data.subject}, ${data.scenario} `, badge(data.verdict)),
    data.message === "" ? "" : make("p", {}, make("strong", {}, data.message)),
    make("p", { class: "quiet" }, data.text),
    facts([["level", data.level], ["tier", data.tier], ["build", data.build], ["trace", data.trace_hash]])),
  make("main", {}, make("h2", {}, "Timeline"), timelineFigure(data.timeline, data.timeline_fifo, titles),
    make("h2", {}, "Story"), story(data.story), make("p", {}, "To see it again:"), command(data.replay)));
