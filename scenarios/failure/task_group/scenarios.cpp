// The clauses of task_group but those of its features for one child alone (scenarios_alone.cpp), each beside the scenario that
// checks it.
#include <assay/scenarios/failure/task_group/children.hpp>

#include <boost/asio/cancellation_type.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace {

using namespace assay::task_groups;
using assay::outcome;
using assay::outcome_kind;

ASSAY_CONTRACT(task_group, "failure", "children that all end before the group does; failures are grouped");

ASSAY_CLAUSE(task_group, "TG-1", must,
             "`wait` returns only when every child, including children started by children, has ended.") {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s), works(t, "b", 3s), works(t, "c", 0s)),
                            look::at_the_end);
  presuppose_at_work(t, "a, b");
  t.expect(run.pending(), "the group waits for children that are at work");
  co_await t.pass(1s);
  t.expect(marked(t, "a is through"), "the children are at work at the same time");
  t.expect(run.pending(), "the end of one child does not end the group");
  co_await t.advance(2s);
  t.expect(run.pending(), "the group waits for the last child");
  co_await t.settle();
  t.expect(run.done(), "the group ends as soon as all its children have ended");
}

ASSAY_SCENARIO(task_group, "TG-1", "after a failure", .features = {"cleanup"},
               .why = "children that clean up after the first failure are waited for") {
  auto run = co_await begin(
      t, make(), all(lingers(t, "a", 1h, 2s), breaks(t, "b", 1s), lingers(t, "c", 1h, 5s)), look::at_the_end);
  co_await t.advance(6s);
  presuppose_at_work(t, "c");
  t.expect(run.pending(), "the group waits for children that clean up after a failure");
  co_await t.advance(2h);
  t.expect(has_ended(run), "the group ends once the last child has cleaned up");
}

ASSAY_SCENARIO(task_group, "TG-1", "swept", .features = {"cleanup"}, .swept = true) {
  auto run = co_await sweep(
      t, make(), all(works(t, "a", 1s), lingers(t, "b", 2s, 2s), works(t, "c", 0s), works(t, "d", 3s)),
      look::at_the_end);
  t.expect(has_ended(run), "the group ends once its children have ended");
}

ASSAY_SCENARIO(task_group, "TG-1", "children of children", .features = {"nested_spawn"}) {
  auto group = make();
  auto third = works(t, "c", 3s);
  auto second = spawns(t, *group, "b", 0s, std::move(third));
  auto first = spawns(t, *group, "a", 1s, std::move(second));
  auto run = co_await t.begin("run", look_at_end(t, group->run(all(std::move(first)))));
  co_await t.advance(4s);
  t.expect(marked(t, "c begins"), "a child of a child's child begins");
  t.expect(run.pending(), "the group waits for children that children started");
  co_await t.settle();
  t.expect(run.done(), "the group ends as soon as the children's children have ended");
}

ASSAY_SCENARIO(task_group, "TG-1", "spawned from outside", .features = {"dynamic_spawn"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 2s)), look::at_the_end);
  co_await t.advance(1s);
  presuppose_at_work(t, "a");
  const bool taken = run.group->spawn(works(t, "b", 3s));
  t.expect(taken, "a group with a child at work takes another child");
  co_await t.advance(3s);
  t.expect(run.pending(), "the group waits for a child that came later");
  co_await t.settle();
  t.expect(run.done(), "the group ends as soon as the child that came later has ended");
}

ASSAY_CLAUSE(task_group, "TG-2", must,
             "The first child failure (not cancellation) requests cancellation of all siblings and of the "
             "group body, once.") {
  auto run = co_await begin(t, make(),
                            all(works(t, "a", 1h), works(t, "b", 1s), breaks(t, "c", 2s), works(t, "d", 1h)));
  co_await t.advance(2s);
  presuppose_at_work(t, "a, c, d");
  t.expect(!marked(t, "a is asked to stop"), "without a failure nobody is asked to stop");
  co_await t.settle();
  presuppose(t, "c raises");
  t.expect(marked(t, "a is asked to stop"), "the first failure asks the siblings before it to stop");
  t.expect(marked(t, "d is asked to stop"), "the first failure asks the siblings after it to stop");
  t.expect(has_ended(run), "the group ends at once when all its children heed the request");
}

ASSAY_SCENARIO(task_group, "TG-2", "before they begin",
               .why = "siblings that have not begun are stopped as well") {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h), breaks(t, "b", 0s), works(t, "c", 1h)));
  presuppose(t, "b raises");
  t.expect(has_ended(run), "a failure in a child's first turn stops all siblings, begun or not");
}

ASSAY_SCENARIO(task_group, "TG-2", "beside slow cleanup",
               .why = "nobody is asked later because somebody else takes long to stop") {
  auto run = co_await begin(t, make(),
                            all(lingers(t, "a", 1h, 5s), works(t, "b", 1h), breaks(t, "c", 1s),
                                lingers(t, "d", 1h, 3s), works(t, "e", 1h)));
  co_await t.pass(1s);
  presuppose(t, "c raises");
  t.expect(marked(t, "b is asked to stop"), "the first failure asks the siblings before it to stop at once");
  t.expect(marked(t, "e is asked to stop"), "the first failure asks the siblings after it to stop at once");
  co_await t.advance(1min);
  t.expect(has_ended(run), "the group ends when its children have heeded the request");
}

ASSAY_SCENARIO(task_group, "TG-2", "once") {
  auto run = co_await begin(t, make(),
                            all(counts_requests(t, "a", 5s), breaks(t, "b", 1s),
                                breaks_when_asked(t, "c", 2s), breaks_when_asked(t, "d", 3s)));
  presuppose_at_work(t, "a, b, c, d");
  co_await t.advance(1h);
  t.expect(times_marked(t, "a is asked to stop") < 2, "further failures repeat the request to stop");
  t.expect(has_ended(run), "the group ends with the failures");
}

ASSAY_SCENARIO(task_group, "TG-2", "body", .features = {"body_failure"}) {
  auto group = make();
  auto body = works(t, "body", 1h);
  auto run = co_await t.begin(
      "run", group->run_with_body(all(works(t, "a", 1h), breaks(t, "b", 1s)), std::move(body.run)));
  presuppose_at_work(t, "a, b, body");
  co_await t.pass(1s);
  presuppose(t, "b raises");
  t.expect(marked(t, "body is asked to stop"), "a child's failure asks the body to stop");
  t.expect(has_ended(run), "the group ends at once when all heed the request");
}

ASSAY_SCENARIO(task_group, "TG-2", "spawned while ending", .features = {"dynamic_spawn"},
               .why = "a group may take a child while it ends; then it asks this one to stop as well") {
  auto run = co_await begin(t, make(), all(breaks(t, "a", 1s), lingers(t, "b", 1h, 3s)));
  co_await t.pass(1s);
  presuppose(t, "a raises");
  if (make.claims("cleanup")) t.premise(run.pending(), "the group is ending");
  (void)run.group->spawn(works(t, "late", 1h));
  co_await t.settle();
  co_await t.pass(3s);
  t.expect(has_ended(run), "a child that came while the group was ending is not left at work");
}

ASSAY_SCENARIO(task_group, "TG-2", "started in a first turn", .features = {"nested_spawn"},
               .why = "a sibling fails before the first turn of the child that started it has ended") {
  auto group = make();
  group_contract& started = *group;
  auto next = breaks(t, "b", 0s);
  child first("a", [&t, &started, next] { return spawn_and_work(t, started, "a", next); });
  auto run = co_await t.begin("run", group->run(all(std::move(first), works(t, "c", 1h))));
  presuppose(t, "b raises");
  t.expect(marked(t, "a is asked to stop"), "a failure asks the child that started the failed one to stop");
  t.expect(has_ended(run), "the group ends at once when all its children heed the request");
}

ASSAY_CLAUSE(
    task_group, "TG-3", must,
    "All failures, including ones raised while siblings were being cancelled, are told, each labelled with "
    "the child's name; with `ordered_failures` the aggregate holds them in completion order.",
    .features = {"cleanup"}) {
  auto run = co_await begin(
      t, make(),
      all(fails_when_asked(t, "a", 2s), works(t, "b", 1h), fails(t, "c", 1s), fails_when_asked(t, "d", 0s)));
  co_await t.advance(2h);
  for (const char* const name : {"a", "c", "d"}) presuppose(t, std::string(name) + " raises");
  t.expect(run.failed(), "a group with failures fails");
  expect_told(t, run, {"a", "c", "d"});
  expect_named(t, run.what());
}

ASSAY_SCENARIO(task_group, "TG-3", "at one instant",
               .why = "failures of several children at once, some of which never come to raise theirs") {
  auto run = co_await begin(t, make(),
                            all(fails(t, "a", 1s), fails(t, "b", 0s), fails(t, "c", 1s), fails(t, "d", 0s)));
  co_await t.advance(2h);
  t.premise(marked(t, "b raises") || marked(t, "d raises"), "b or d raises");
  t.expect(run.failed(), "a group with failures fails");
  expect_told(t, run, {"a", "b", "c", "d"});
  expect_named(t, run.what());
}

ASSAY_SCENARIO(task_group, "TG-3", "of one name", .features = {"cleanup"},
               .why = "a name is a label: several children may have the same one") {
  auto run = co_await begin(t, make(),
                            all(renamed(fails(t, "a", 1s), "twin"), renamed(works(t, "b", 1h), "twin"),
                                renamed(fails_when_asked(t, "c", 1s), "twin"),
                                renamed(fails_when_asked(t, "d", 2s), "twin"), fails_when_asked(t, "e", 0s)));
  co_await t.pass(1s);
  presuppose(t, "a raises");
  t.expect(marked(t, "b is asked to stop"), "a failure stops a sibling of the same name");
  co_await t.advance(2h);
  for (const char* const name : {"c", "d", "e"}) presuppose(t, std::string(name) + " raises");
  t.expect(run.failed(), "a group with failures fails");
  expect_told(t, run, {"a", "c", "d", "e"});
  const outcome what = run.what();
  for (const outcome::member& one : what.members) {
    if (one.what.kind != outcome_kind::error) continue;
    const std::string_view expected = one.what.label == "e fails" ? "e" : "twin";
    t.expect(one.task == expected, "a failure is told under the right name",
             one.what.label + " as " + one.task);
  }
}

ASSAY_SCENARIO(task_group, "TG-3", "swept", .features = {"cleanup"}, .swept = true) {
  auto run = co_await sweep(
      t, make(), all(fails_when_asked(t, "a", 2s), fails(t, "b", 1s), fails(t, "c", 1s), fails(t, "d", 0s)));
  expect_told(t, run, {"a", "b", "c", "d"});
}

ASSAY_SCENARIO(task_group, "TG-3", "order", .features = {"ordered_failures", "cleanup"}) {
  auto run = co_await begin(t, make(),
                            all(breaks_when_asked(t, "a", 2s), breaks(t, "b", 1s),
                                breaks_when_asked(t, "c", 1s), breaks_when_asked(t, "d", 3s)));
  co_await t.advance(1min);
  for (const char* const name : {"a", "b", "c", "d"}) presuppose(t, std::string(name) + " raises");
  const std::vector<std::string> expected{"b", "c", "a", "d"};
  t.expect_eq(names_in(run.what()), expected, "the failures stand in the order in which they happened");
}

ASSAY_CLAUSE(task_group, "TG-4", must,
             "With exactly one failure the result is still an aggregate of size one (uniform handling), "
             "unless the API offers a separate \"unwrap single\" form.",
             .features = {"always_aggregate"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h), breaks(t, "b", 1s), works(t, "c", 500ms)));
  co_await t.advance(2h);
  presuppose(t, "b raises");
  const outcome what = run.what();
  t.expect(what.kind == outcome_kind::aggregate, "a single failure is told as an aggregate, too");
  t.expect_eq(what.members.size(), 1U, "the aggregate holds the one failure");
}

ASSAY_CLAUSE(
    task_group, "TG-5", must,
    "Outside cancellation asks every child to stop. With no failure the group ends as cancelled, not "
    "as an aggregate, if a child did; with `cancelled_outcome` also if every child ended well. Outside "
    "cancellation plus a failure ends as the failure (X-18).") {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h), lingers(t, "b", 1h, 2s), works(t, "c", 1s)));
  co_await t.advance(2s);
  presuppose_at_work(t, "a, b");
  co_await t.cancel(run);
  t.expect(marked(t, "a is asked to stop"), "a request from outside reaches the children");
  co_await t.pass(2s);
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  expect_outcome(t, run, outcome_kind::cancelled,
                 "a group that was cancelled without a failure ends as cancelled");
}

ASSAY_SCENARIO(task_group, "TG-5", "failure while stopping", .features = {"cleanup"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h), breaks_when_asked(t, "b", 2s)));
  presuppose_at_work(t, "a, b");
  co_await t.cancel(run);
  co_await t.pass(2s);
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  presuppose(t, "b raises");
  t.expect(run.failed(), "a failure while stopping is told, although the group was cancelled");
}

ASSAY_SCENARIO(task_group, "TG-5", "after a failure") {
  auto run = co_await begin(t, make(), all(breaks(t, "a", 1s), lingers(t, "b", 1h, 3s)));
  co_await t.advance(2s);
  presuppose(t, "a raises");
  if (make.claims("cleanup")) presuppose_at_work(t, "b");
  co_await t.cancel(run);
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  t.expect(run.failed(), "a failure is told, although the group was cancelled later");
}

ASSAY_SCENARIO(task_group, "TG-5", "every child ended well", .features = {"cleanup"},
               .asks = {"cancelled_outcome"}) {
  auto run = co_await begin(t, make(), all(ends_well_when_asked(t, "a", 2s), works(t, "b", 1s)));
  co_await t.pass(1s);
  presuppose_at_work(t, "a");
  co_await t.cancel(run);
  t.expect(marked(t, "a is asked to stop"), "a request from outside reaches the children");
  co_await t.pass(2s);
  t.expect(run.ended(), "the group ends when its children have ended");
  t.expect(run.cancelled() || (run.done() && !make.claims("cancelled_outcome")),
           "a group that was cancelled ends as cancelled, although every child ended well",
           to_string(run.what()));
}

ASSAY_CLAUSE(task_group, "TG-6", must,
             "A child that ends cancelled on its own (nobody asked the group) does not cancel siblings and "
             "is not a failure.",
             .features = {"own_cancellation"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 2s), gives_up(t, "b", 1s), works(t, "c", 3s)));
  co_await t.pass(1s);
  presuppose(t, "b ends");
  t.expect(!marked(t, "a is asked to stop"), "a child that gives up by itself leaves its siblings alone");
  t.expect(run.pending(), "the group goes on without a child that gave up");
  co_await t.pass(2s);
  t.expect(run.done(), "a child that gave up by itself is no failure");
}

ASSAY_SCENARIO(task_group, "TG-6", "spawner", .features = {"own_cancellation", "nested_spawn"},
               .why = "what a child started belongs to the group, not to that child") {
  auto group = make();
  group_contract& started = *group;
  auto next = works(t, "b", 3s);
  child first("a", [&t, &started, next] { return spawn_and_give_up(t, started, "a", next); });
  auto run = co_await t.begin("run", group->run(all(std::move(first), works(t, "c", 2s))));
  presuppose_at_work(t, "a, b, c");
  co_await t.advance(1min);
  t.expect(marked(t, "b is through"), "the end of the child that started it leaves a child alone");
  t.expect(marked(t, "c is through"), "a child that gives up by itself leaves its siblings alone");
  t.expect(run.done(), "a child that gave up by itself is no failure");
}

ASSAY_CLAUSE(task_group, "TG-7", must,
             "Spawning after the group is closed, aborting or finished is refused synchronously, and the "
             "refused work is destroyed without running any of its body.",
             .features = {"dynamic_spawn", "late_refusal"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s)));
  co_await t.pass(1s);
  t.premise(run.done(), "the group has ended");
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  const bool taken = run.group->spawn(holds(std::move(held), "held", 1s));
  t.expect(!taken, "a group that has ended takes no child");
  co_await expect_refusal(t, *run.group, "a group that has ended takes no child");
  t.expect(watched.expired(), "work that was refused is destroyed");
}

ASSAY_SCENARIO(task_group, "TG-7", "after a failure", .features = {"dynamic_spawn", "late_refusal"}) {
  auto run = co_await begin(t, make(), all(breaks(t, "a", 1s), lingers(t, "b", 1h, 2s)));
  co_await t.pass(1s);
  presuppose(t, "a raises");
  t.premise(run.pending(), "the group is ending");
  co_await expect_refusal(t, *run.group, "a group that is ending after a failure takes no child");
  co_await t.pass(2s);
  t.expect(has_ended(run), "the group ends when its children have heeded the request");
}

ASSAY_SCENARIO(task_group, "TG-7", "after a request", .features = {"dynamic_spawn", "late_refusal"}) {
  auto run = co_await begin(t, make(), all(lingers(t, "a", 1h, 2s)));
  presuppose_at_work(t, "a");
  co_await t.cancel(run);
  t.premise(run.pending(), "the group is ending");
  co_await expect_refusal(t, *run.group, "a group that was cancelled takes no child");
  co_await t.pass(2s);
  t.expect(has_ended(run), "the group ends when its children have heeded the request");
}

ASSAY_SCENARIO(task_group, "TG-7", "closed", .features = {"dynamic_spawn", "late_refusal", "close"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s)));
  presuppose_at_work(t, "a");
  run.group->close();
  co_await expect_refusal(t, *run.group, "a group that is closed takes no child");
  t.expect(!marked(t, "a is asked to stop"), "closing a group leaves its children alone");
  co_await t.pass(1s);
  t.expect(run.done(), "a closed group ends with its last child");
}

ASSAY_CLAUSE(task_group, "TG-8", must,
             "A body failure is treated like a child failure and listed with the children's.",
             .features = {"body_failure"}) {
  auto group = make();
  auto body = fails(t, "body", 1s);
  auto other = make.claims("cleanup") ? fails_when_asked(t, "b", 1s) : works(t, "b", 1h);
  auto run = co_await t.begin(
      "run", group->run_with_body(all(works(t, "a", 1h), std::move(other)), std::move(body.run)));
  presuppose_at_work(t, "a, b, body");
  co_await t.pass(1s);
  presuppose(t, "body raises");
  t.expect(marked(t, "a is asked to stop"), "a failure of the body asks the children to stop");
  if (make.claims("cleanup"))
    t.expect(run.pending(), "the group waits for its children when the body has failed");
  co_await t.pass(1s);
  t.expect(run.failed(), "the group fails with its body");
  expect_told(t, run, {"body", "b"});
}

ASSAY_CLAUSE(
    task_group, "TG-9", must,
    "Further outside cancel requests while waiting do not abandon children; the wait stays until they end.",
    .features = {"cleanup"}) {
  auto run =
      co_await begin(t, make(), all(lingers(t, "a", 1h, 3s), lingers(t, "b", 1h, 5s)), look::at_the_end);
  presuppose_at_work(t, "a, b");
  for (int i = 0; i < 3; ++i) {
    co_await t.cancel(run);
    t.expect(run.pending(), "the group waits for its children, however often it is cancelled");
    co_await t.advance(1s);
  }
  co_await t.advance(2s);
  presuppose_at_work(t, "b");
  t.expect(run.pending(), "the group waits for its last child");
  co_await t.settle();
  t.expect(has_ended(run), "the group ends as soon as its children have ended");
}

ASSAY_SCENARIO(task_group, "TG-9", "swept", .features = {"cleanup"}, .swept = true,
               .why = "the sweep cancels twice") {
  auto run =
      co_await sweep(t, make(), all(lingers(t, "a", 2s, 3s), lingers(t, "b", 3s, 1s)), look::at_the_end);
  t.expect(has_ended(run), "the group ends as soon as its children have ended");
}

ASSAY_CLAUSE(task_group, "TG-10", must,
             "An empty group completes at once; children that finish synchronously are counted.") {
  auto run = co_await begin(t, make(), all());
  t.expect(run.done(), "an empty group ends at once");
}

ASSAY_SCENARIO(task_group, "TG-10", "synchronous") {
  auto run = co_await begin(t, make(), all(works(t, "a", 0s), works(t, "b", 0s), works(t, "c", 0s)),
                            look::at_the_end);
  for (const char* const name : {"a", "b", "c"})
    t.expect_eq(times_marked(t, std::string(name) + " is through"), 1, "every child is run once");
  t.expect(run.done(), "a group of children that end in their first turn ends at once");
}

ASSAY_SCENARIO(task_group, "TG-10", "synchronous failure") {
  auto run = co_await begin(t, make(), all(breaks(t, "a", 0s)), look::at_the_end);
  t.expect(run.failed(), "a group whose child fails in its first turn fails at once");
}

ASSAY_CLAUSE(task_group, "TG-11", must,
             "A child's wake-up of the joiner happens after that child's state is destroyed (X-19).",
             .features = {"lifetime"}) {
  auto group = make();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto children = all(holds(held, "a", 1s), holds(held, "b", 2s), holds(held, "c", 0s));
  held.reset();
  auto run = co_await t.begin("run", look_at_state(t, group->run(std::move(children)), watched));
  co_await t.advance(2s);
  t.premise(run.pending(), "b is at work");
  t.expect(!watched.expired(), "a child keeps its state while it is at work");
  co_await t.settle();
  t.expect(run.done(), "the group ends with its last child");
}

ASSAY_SCENARIO(task_group, "TG-11", "after a failure", .features = {"lifetime"}) {
  auto group = make();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto children = all(holds(held, "a", 1h), breaks(t, "b", 0s), holds(held, "c", 1h));
  held.reset();
  auto run = co_await t.begin("run", look_at_state(t, group->run(std::move(children)), watched));
  co_await t.advance(2h);
  presuppose(t, "b raises");
  (void)run.what();
}

ASSAY_CLAUSE(task_group, "TG-12", must,
             "A designated \"fatal\" class (process exit request) is re-raised bare and ahead of ordinary "
             "failures, but only after all children ended.",
             .features = {"fatal_class"}) {
  for (const int status : {3, 70}) {
    const std::string suffix = " " + std::to_string(status);
    const bool cleans = make.claims("cleanup");
    auto other = cleans ? lingers(t, "b" + suffix, 1h, 2s) : works(t, "b" + suffix, 1h);
    auto run = co_await begin(t, make(), all(exits(t, "a" + suffix, 1s, status), std::move(other)),
                              look::at_the_end);
    co_await t.pass(1s);
    presuppose(t, "a" + suffix + " raises");
    t.expect(marked(t, "b" + suffix + " is asked to stop"), "an exit request asks the others to stop");
    if (cleans) t.expect(run.pending(), "an exit request waits until all children have ended");
    co_await t.pass(2s);
    if (cleans)
      t.expect(marked(t, "b" + suffix + " has cleaned up"), "an exit request lets the others clean up");
    t.expect(run.failed(), "the group ends with the exit request");
    const outcome what = run.what();
    t.expect_eq(what.label, assay::contract::exit_request::label(status), "an exit request is told bare");
  }
}

ASSAY_SCENARIO(task_group, "TG-12", "beside failures", .features = {"fatal_class"},
               .why = "an exit request among failures; what becomes of these is X-15's matter") {
  auto run = co_await begin(t, make(), all(breaks(t, "a", 1s), exits(t, "b", 1s, 3), breaks(t, "c", 1s)));
  co_await t.advance(1min);
  t.expect(run.failed(), "the group fails");
  const outcome what = run.what();
  const bool asked_to_exit = marked(t, "b raises");  // unless a or c came first and stopped it
  t.sometimes("an exit request after a failure", asked_to_exit && marked(t, "a raises"));
  if (asked_to_exit)
    t.expect_eq(what.label, assay::contract::exit_request::label(3),
                "an exit request comes before ordinary failures");
}

ASSAY_CLAUSE(task_group, "TG-13", should,
             "Offer a `collect` mode (no sibling cancel) with identical accounting.",
             .features = {"collect"}) {
  auto run = co_await begin(t, make({.collect = true}),
                            all(works(t, "a", 3s), fails(t, "b", 1s), fails(t, "c", 2s), works(t, "d", 4s)),
                            look::at_the_end);
  co_await t.pass(2s);
  for (const char* const name : {"b", "c"}) presuppose(t, std::string(name) + " raises");
  t.expect(!marked(t, "a is asked to stop"), "in collect mode a failure leaves the siblings alone");
  t.expect(run.pending(), "in collect mode the group waits for all children");
  co_await t.pass(2s);
  t.expect(marked(t, "a is through") && marked(t, "d is through"), "in collect mode the siblings finish");
  t.expect(run.failed(), "in collect mode failures are told at the end");
  expect_told(t, run, {"b", "c"});
}

ASSAY_SCENARIO(task_group, "TG-13", "cancelled", .features = {"collect"}) {
  auto other = make.claims("cleanup") ? fails_when_asked(t, "c", 2s) : works(t, "c", 1h);
  auto run = co_await begin(t, make({.collect = true}),
                            all(works(t, "a", 1h), fails(t, "b", 1s), std::move(other)), look::at_the_end);
  co_await t.advance(2s);
  presuppose_at_work(t, "a, c");
  co_await t.cancel(run);
  t.expect(marked(t, "a is asked to stop"), "in collect mode a request from outside reaches the children");
  co_await t.pass(2s);
  t.expect(run.failed(), "in collect mode a failure comes before a cancellation");
  expect_told(t, run, {"b", "c"});
}

// ---- The cross-cutting clauses, as far as a group shows them

ASSAY_SCENARIO(task_group, "X-1", "", .swept = true) {
  auto run = co_await sweep(
      t, make(), all(works(t, "a", 1s), works(t, "b", 2s), lingers(t, "c", 3s, 1s), works(t, "d", 0s)));
  t.expect(has_ended(run), "the group ends, whatever happens to it");
}

ASSAY_SCENARIO(task_group, "X-5", "") {
  auto run = co_await begin(t, make(), all(waits_on(t, "a"), works(t, "b", 1h)));
  presuppose_at_work(t, "a, b");
  co_await t.cancel(run);
  t.expect_eq(times_marked(t, "a is asked to stop"), 3,
              "in a group that was cancelled every later suspension reports so at once");
  t.expect(has_ended(run), "the group ends when its children have heeded the request");
}

ASSAY_SCENARIO(task_group, "X-5", "after a failure") {
  auto run = co_await begin(t, make(), all(waits_on(t, "a"), breaks(t, "b", 1s)));
  presuppose_at_work(t, "a, b");
  co_await t.pass(1s);
  presuppose(t, "b raises");
  t.expect_eq(times_marked(t, "a is asked to stop"), 3,
              "in a group that is ending every later suspension reports so at once");
  t.expect(has_ended(run), "the group ends when its children have heeded the request");
}

ASSAY_SCENARIO(task_group, "X-7", "", .why = "a weak request first, which need not reach anybody") {
  auto group = make();
  auto run =
      co_await t.begin("run", heed_all_requests(group->run(all(works(t, "a", 1h), works(t, "b", 1h)))));
  presuppose_at_work(t, "a, b");
  run.request(asio::cancellation_type::total);
  co_await t.settle();
  run.request(asio::cancellation_type::terminal);
  co_await t.settle();
  t.expect(has_ended(run), "a strong request gets through after a weak one");
}

ASSAY_SCENARIO(task_group, "X-8", "", .why = "a group in a group: neither makes more of a cancellation") {
  auto inner = make();
  auto nested = runs_group(*inner, all(works(t, "a", 1h), works(t, "b", 1h)));
  auto run = co_await begin(t, make(), all(std::move(nested), works(t, "c", 1h)));
  presuppose_at_work(t, "a, b, c");
  co_await t.cancel(run);
  t.expect(run.ended(), "both groups end when the children have heeded the request");
  expect_outcome(t, run, outcome_kind::cancelled, "cancellation is neither a value nor a failure to a group");
}

ASSAY_SCENARIO(task_group, "X-8", "after a failure") {
  auto inner = make();
  auto nested = runs_group(*inner, all(works(t, "a", 1h), works(t, "b", 1h)));
  auto run = co_await begin(t, make(), all(std::move(nested), breaks(t, "c", 1s)));
  presuppose_at_work(t, "a, b, c");
  co_await t.advance(2h);
  presuppose(t, "c raises");
  t.expect(run.failed(), "the failure ends both groups");
  const outcome what = run.what();
  t.expect(!tells_cancellation(what), "an inner group that was asked to stop is no failure of the outer one",
           to_string(what));
}

ASSAY_SCENARIO(task_group, "X-15", "", .features = {"cleanup"}, .swept = true) {
  auto run = co_await sweep(t, make(),
                            all(fails(t, "a", 1s), fails(t, "b", 0s), fails(t, "c", 1s),
                                fails_when_asked(t, "d", 0s), fails_when_asked(t, "e", 2s)));
  expect_told(t, run, {"a", "b", "c", "d", "e"});
}

ASSAY_SCENARIO(task_group, "X-15", "groups in groups", .features = {"cleanup"}) {
  auto inner = make();
  auto nested = runs_group(*inner, all(fails(t, "a", 1s), fails_when_asked(t, "b", 1s)));
  auto run = co_await begin(t, make(), all(std::move(nested), fails_when_asked(t, "c", 1s)));
  presuppose_at_work(t, "a, b, c");
  co_await t.advance(2h);
  for (const char* const name : {"a", "b", "c"}) presuppose(t, std::string(name) + " raises");
  t.expect(run.failed(), "a failure ends both groups");
  expect_told(t, run, {"a", "b", "c"});
}

ASSAY_SCENARIO(task_group, "X-15", "beside an exit request", .features = {"fatal_class"}) {
  auto other = make.claims("cleanup") ? fails_when_asked(t, "c", 2s) : works(t, "c", 1h);
  auto run = co_await begin(t, make(), all(fails(t, "a", 1s), exits(t, "b", 1s, 3, true), std::move(other)));
  co_await t.advance(2h);
  t.expect(run.failed(), "the group fails");
  t.sometimes("an exit request beside a failure", marked(t, "b raises") && marked(t, "a raises"));
  expect_told(t, run, {"a", "c"});
}

ASSAY_SCENARIO(task_group, "X-16", "", .features = {"cleanup"}) {
  auto run = co_await begin(t, make(),
                            all(works(t, "a", 1h), fails(t, "b", 1s), lingers(t, "c", 1h, 1s),
                                fails_when_asked(t, "d", 2s), works(t, "e", 1h)));
  presuppose_at_work(t, "a, b, c, d, e");
  co_await t.advance(2h);
  for (const char* const name : {"b", "d"}) presuppose(t, std::string(name) + " raises");
  t.expect(run.failed(), "a group with failures fails");
  const outcome what = run.what();
  t.expect(!tells_cancellation(what), "what the group ends with tells cancellations that it caused itself",
           to_string(what));
  expect_told(t, run, {"b", "d"});
  expect_named(t, run.what());
}

ASSAY_SCENARIO(task_group, "X-18", "", .features = {"cleanup"}, .swept = true) {
  auto run = co_await sweep(t, make(), all(breaks(t, "a", 1s), works(t, "b", 2s), lingers(t, "c", 2s, 1s)));
  t.expect(run.ended(), "the group ends once its children have ended");
  const bool raised = marked(t, "a raises");
  t.sometimes("a failure in a group", raised);
  if (raised) {
    const outcome what = run.what();
    t.expect(run.failed(), "a real failure beats a cancellation", to_string(what));
  } else {
    expect_outcome(t, run, outcome_kind::cancelled, "cancellation without a failure is reported as such");
  }
}

ASSAY_SCENARIO(task_group, "X-19", "", .features = {"lifetime"}, .swept = true) {
  auto group = make();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto children = all(holds(held, "a", 1s), holds(held, "b", 2s), works(t, "c", 1s));
  held.reset();
  auto run = t.start("run", look_at_state(t, group->run(std::move(children)), watched));
  t.victim(run);
  co_await t.advance(2h);
  t.expect(run.ended(), "the group ends once its children have ended");
  t.expect(watched.expired(), "nothing of a child is left when the group has ended");
  (void)run.what();
}

}  // namespace
