document.title = `${data.subject} ${data.scenario}`;
const titles = [data.timeline_baseline ? "this trial: " + data.verdict : data.verdict, "the baseline trial"];
document.body.append(
  make("header", {}, make("h1", {}, `${data.subject}, ${data.scenario} `, badge(data.verdict)),
    data.message === "" ? "" : make("p", {}, make("strong", {}, messageLines(data.message))),
    make("p", { class: "quiet" }, data.text),
    facts([["level", data.level], ["tier", data.tier], ["build", data.build], ["commit", data.commit], ["Boost", data.boost], ["trace", data.trace_hash]])),
  make("main", {}, make("h2", {}, "Timeline"), timelineFigure(data.timeline, data.timeline_baseline, titles),
    make("h2", {}, "Story"), story(data.story), make("p", {}, "To see it again:"), command(data.replay)));
