// The clauses of task_group's features beside running children to the end: one child alone, parts of a failure, starts with a
// report, the group's own request, and how each child ended.
#include <assay/scenarios/failure/task_group/children.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace {

using namespace assay::task_groups;
using assay::failure_of;
using assay::outcome;
using assay::outcome_kind;
using assay::to_string;
using assay::trial;
using assay::contract::child_end;
using assay::contract::child_ending;
using assay::contract::failure_kind;

// ---- one child alone

ASSAY_CLAUSE(task_group, "TG-14", must,
             "One child can be cancelled or awaited alone: that cancels or joins this child only, its own "
             "cancellation is no failure (TG-6), and its failure is still the group's.",
             .features = {"handles"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 3s), works(t, "b", 1h), works(t, "c", 2s)));
  presuppose_at_work(t, "a, b, c");
  run.group->cancel_child("b");
  co_await t.settle();
  t.expect(marked(t, "b is asked to stop"), "a child that is cancelled alone is asked to stop");
  t.expect(!marked(t, "a is asked to stop") && !marked(t, "c is asked to stop"),
           "a child that is cancelled alone leaves its siblings at work");
  t.expect(run.pending(), "the group goes on without a child that was cancelled alone");
  run.group->cancel_child("b");
  co_await t.advance(3s);
  t.expect(run.pending(), "the group waits for the siblings of a child that was cancelled alone");
  co_await t.settle();
  t.expect(run.done(), "a child that was cancelled alone is no failure", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-14", "takes its time", .features = {"handles", "cleanup"}) {
  auto run = co_await begin(t, make(), all(lingers(t, "a", 1h, 2s), works(t, "b", 1s)), look::at_the_end);
  run.group->cancel_child("a");
  auto join = co_await t.begin("join a", run.group->join_child("a"));
  presuppose(t, "a is asked to stop");
  co_await t.advance(2s);
  t.expect(join.pending(), "a join waits for a child that cleans up");
  t.expect(run.pending(), "the group waits for a child that was cancelled alone and cleans up");
  co_await t.settle();
  t.expect(join.done() && join.value() == child_end::cancelled, "a join tells that its child was cancelled");
  t.expect(run.done(), "a child that was cancelled alone is no failure", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-14", "fails when it is cancelled", .features = {"handles", "cleanup"}) {
  auto run = co_await begin(t, make(), all(fails_when_asked(t, "a", 1s), works(t, "b", 1h)));
  run.group->cancel_child("a");
  co_await t.advance(2h);
  presuppose(t, "a raises");
  t.expect(run.failed(), "the failure of a child that was cancelled alone is the group's");
  expect_told(t, run, {"a"});
}

ASSAY_SCENARIO(task_group, "TG-14", "joined", .features = {"handles"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 2s), works(t, "b", 1s), works(t, "c", 3s)));
  presuppose_at_work(t, "a, b, c");
  auto join = t.start("join a", run.group->join_child("a"));
  auto another = co_await t.begin("join a again", run.group->join_child("a"));
  co_await t.pass(1s);
  presuppose(t, "b is through");
  t.expect(join.pending() && another.pending(), "a join waits for its own child");
  co_await t.pass(1s);
  t.expect(join.done() && another.done(), "a join ends as soon as its child has ended");
  t.expect(join.value() == child_end::well && another.value() == child_end::well,
           "a join tells that its child ended well");
  t.expect(run.pending(), "a join leaves the siblings at work");
  co_await t.pass(1s);
  t.expect(run.done(), "the group ends with its last child");
}

ASSAY_SCENARIO(task_group, "TG-14", "joined failure", .features = {"handles"}) {
  auto run = co_await begin(t, make(), all(fails(t, "a", 1s), works(t, "b", 1h)));
  auto join = co_await t.begin("join a", run.group->join_child("a"));
  co_await t.pass(1s);
  presuppose(t, "a raises");
  t.expect(join.done() && join.value() == child_end::failed, "a join tells that its child failed");
  t.expect(marked(t, "b is asked to stop"), "the failure of a child that is joined stops the siblings");
  t.expect(run.failed(), "the failure of a child that is joined is the group's");
  expect_told(t, run, {"a"});
}

ASSAY_SCENARIO(task_group, "TG-14", "joiner cancelled", .features = {"handles"}, .swept = true) {
  auto run = co_await begin(t, make(), all(works(t, "a", 2s), works(t, "b", 1s)));
  auto join = t.start("join a", run.group->join_child("a"));
  t.victim(join);
  co_await t.advance(1min);
  t.sometimes("a joiner was cancelled", join.cancelled());
  t.expect(join.ended(), "a joiner ends when it is cancelled");
  t.expect(marked(t, "a is through"), "a cancelled joiner leaves the child at work");
  t.expect(run.done(), "a cancelled joiner leaves the group alone");
}

ASSAY_CLAUSE(
    task_group, "TG-22", should,
    "Children that ended are not retained while the group runs (X-27), except what `join_next` still "
    "owes.",
    .features = {"lifetime", "dynamic_spawn"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h)));
  presuppose_at_work(t, "a");
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  for (const nanoseconds delay : {0s, 1s}) {
    const bool taken = run.group->spawn(holds(held, "b", delay));
    t.expect(taken, "a group with a child at work takes another child");
  }
  held.reset();
  co_await t.advance(2s);
  t.premise(run.pending(), "a is at work");
  t.expect(watched.expired(), "what a child owned that has ended is gone although its siblings are at work");
  co_await t.cancel(run);
}

ASSAY_CLAUSE(task_group, "TG-23", must,
             "A child that is cancelled before its first step does not begin (`never_starts`), or begins and "
             "hears of it where it first suspends (`runs_to_first_suspension`).",
             .features = {"never_starts", "dynamic_spawn"}, .asks = {"handles", "own_cancel"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s)));
  presuppose_at_work(t, "a");
  if (!make.claims("handles") && !make.claims("own_cancel")) co_return co_await t.cancel(run);
  (void)run.group->spawn(works(t, "b", 1h));
  make.claims("handles") ? run.group->cancel_child("b") : run.group->cancel();
  co_await t.settle();
  t.expect(!marked(t, "b begins"), "a child that is cancelled before its first step does not begin");
  co_await t.pass(1s);
  t.expect(run.done(), "a child that did not begin is no failure", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-23", "begins", .features = {"runs_to_first_suspension", "dynamic_spawn"},
               .asks = {"handles", "own_cancel"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s)));
  presuppose_at_work(t, "a");
  if (!make.claims("handles") && !make.claims("own_cancel")) co_return co_await t.cancel(run);
  (void)run.group->spawn(works(t, "b", 1h));
  make.claims("handles") ? run.group->cancel_child("b") : run.group->cancel();
  co_await t.settle();
  t.expect(marked(t, "b begins"), "a child that is cancelled before its first step begins all the same");
  t.expect(marked(t, "b is asked to stop"), "a child that was cancelled hears of it where it first suspends");
  co_await t.pass(1s);
  t.expect(run.done(), "a child that was cancelled is no failure", to_string(run.what()));
}

// ---- parts of a failure

void raise_kind(failure_kind kind) {
  switch (kind) {
    case failure_kind::closed:
      throw assay::contract::closed_error();
    case failure_kind::broken:
      throw assay::contract::broken_error();
    case failure_kind::timed_out:
      throw assay::contract::timed_out_error();
  }
}
// The first of these fails by itself, the others when they are asked to stop, one after another.
child fails_with(trial& t, const std::string& name, failure_kind kind, nanoseconds delay) {
  return lives(t, name, {1h, [] {}, delay, [kind] { raise_kind(kind); }});
}
child begins_with(trial& t, const std::string& name, failure_kind kind) {
  return lives(t, name, {1s, [kind] { raise_kind(kind); }});
}

// "a", "inner/x": where each failure is.
void add_places(const outcome& what, const std::string& within, std::vector<std::string>& places) {
  if (what.kind != outcome_kind::aggregate) return places.push_back(within);
  const std::string before = within.empty() ? "" : within + "/";
  for (const outcome::member& one : what.members) add_places(one.what, before + one.task, places);
}
std::string places_in(const outcome& what, bool ordered) {
  std::vector<std::string> places;
  add_places(what, "", places);
  if (!ordered) places = assay::sorted(std::move(places));
  std::string all;
  for (const std::string& one : places) all += (all.empty() ? "" : ", ") + one;
  return all;
}

// It is shared, since a run may outlive a scenario that has failed.
struct taken_parts {
  using list = std::vector<std::pair<failure_kind, outcome>>;
  std::shared_ptr<list> parts = std::make_shared<list>();
  group_contract::part_taker taker() const {
    return [parts = parts](failure_kind kind, const outcome& part) { parts->emplace_back(kind, part); };
  }
  std::string places_of(failure_kind kind, bool ordered) const {
    std::string all;
    for (const auto& [of_kind, part] : *parts)
      if (of_kind == kind) all += (all.empty() ? "" : " | ") + places_in(part, ordered);
    return all;
  }
};

ASSAY_CLAUSE(
    task_group, "TG-15", must,
    "An aggregate can be split by kind: each failure lands in exactly one part, order and nesting kept, "
    "and what no handler took is rethrown.",
    .features = {"split", "cleanup", "always_aggregate"}, .asks = {"ordered_failures"}) {
  const bool ordered = make.claims("ordered_failures");
  auto group = make();
  auto inner = make();
  auto nested =
      runs_group(*inner, all(fails_with(t, "x", failure_kind::closed, 1s), fails_when_asked(t, "y", 2s),
                             fails_with(t, "z", failure_kind::closed, 3s)));
  auto children = all(begins_with(t, "a", failure_kind::closed), fails_with(t, "b", failure_kind::broken, 4s),
                      std::move(nested), fails_with(t, "c", failure_kind::closed, 5s),
                      fails_when_asked(t, "d", 6s), fails_with(t, "e", failure_kind::timed_out, 7s));
  const taken_parts taken;
  std::vector<failure_kind> kinds{failure_kind::closed, failure_kind::broken, failure_kind::closed};
  auto run = t.start("run", group->run_split(std::move(children), std::move(kinds), taken.taker()));
  co_await t.advance(2h);
  t.expect(run.failed(), "what no handler took is thrown");
  t.expect_eq(taken.places_of(failure_kind::closed, ordered),
              std::string(ordered ? "a, inner/x, inner/z, c" : "a, c, inner/x, inner/z"),
              "a part holds the failures of its kind, once, in their order and nesting");
  t.expect_eq(taken.places_of(failure_kind::broken, ordered), std::string("b"),
              "another kind of failures lands in a part of its own");
  t.expect_eq(places_in(run.what(), ordered), std::string(ordered ? "inner/y, d, e" : "d, e, inner/y"),
              "what no handler took is thrown in its order and nesting");
}

ASSAY_SCENARIO(task_group, "TG-15", "everything was taken", .features = {"split"}) {
  auto group = make();
  const taken_parts taken;
  std::vector<failure_kind> kinds{failure_kind::broken, failure_kind::closed};
  auto children = all(begins_with(t, "a", failure_kind::closed), works(t, "b", 1h));
  auto run = t.start("run", group->run_split(std::move(children), std::move(kinds), taken.taker()));
  co_await t.advance(2h);
  t.expect_eq(taken.parts->size(), 1U, "the one failure is in one part");
  t.expect(run.done(), "a group of whose failures none is left ends well", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-15", "nothing was taken", .features = {"split"}) {
  auto group = make();
  const taken_parts taken;
  auto children = all(fails(t, "a", 1s), works(t, "b", 1h));
  std::vector<failure_kind> kinds{failure_kind::closed, failure_kind::broken};
  auto run = t.start("run", group->run_split(std::move(children), std::move(kinds), taken.taker()));
  co_await t.advance(2h);
  t.expect(run.failed(), "what no handler took is thrown");
  t.expect_eq(taken.parts->size(), 0U, "a handler is not called for failures of other kinds");
  expect_told(t, run, {"a"});
}

ASSAY_SCENARIO(task_group, "X-8", "no handler", .features = {"split"},
               .why = "a handler of failures is given no cancellation") {
  auto group = make();
  const taken_parts taken;
  std::vector<failure_kind> kinds{failure_kind::closed, failure_kind::broken, failure_kind::timed_out};
  auto children = all(works(t, "a", 1h));
  auto run = co_await t.begin("run", group->run_split(std::move(children), std::move(kinds), taken.taker()));
  presuppose_at_work(t, "a");
  co_await t.cancel(run);
  t.expect_eq(taken.parts->size(), 0U, "a handler of failures is given no cancellation");
  expect_outcome(t, run, outcome_kind::cancelled,
                 "a group that was cancelled and fails in no way ends as cancelled");
}

// ---- starts with a report

struct startup {
  nanoseconds before{};  // the report; endless: there is none
  nanoseconds after{};
  std::function<void()> early = nullptr;  // instead of the report
  std::function<void()> then = [] {};
};

awaitable<void> stay(trial& t, std::string name, nanoseconds delay) {
  std::exception_ptr request;
  try {
    if (delay > 0s) co_await assay::sleep_for(delay);
  } catch (const boost::system::system_error&) {
    request = std::current_exception();
  }
  if (!request) co_return;
  t.mark(name + " is asked to stop");
  std::rethrow_exception(request);
}

awaitable<void> get_ready(trial& t, std::string name, startup is, group_contract::ready_report ready) {
  const presence here(t, name);
  co_await stay(t, name, is.before);
  if (is.early) co_return is.early();
  const bool first = ready();
  t.mark(name + (first ? " is ready" : " is ready in vain"));
  const bool second = ready();
  if (second) t.mark(name + " is ready again");
  co_await stay(t, name, is.after);
  t.mark(name + " is through");
  is.then();
}

group_contract::starting_work starts(trial& t, const std::string& name, startup is) {
  return
      [&t, name, is](group_contract::ready_report ready) { return get_ready(t, name, is, std::move(ready)); };
}

// Reports after this time, and works for another.
group_contract::starting_work reports(trial& t, const std::string& name, nanoseconds before,
                                      nanoseconds after) {
  return starts(t, name, {.before = before, .after = after});
}

ASSAY_CLAUSE(
    task_group, "TG-16", must,
    "A child that is started with a handshake is the starter's until it reports ready: cancelling the "
    "starter cancels that start alone, a child that ends before reporting makes the start fail, and once "
    "ready it belongs to the group.",
    .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 4s)), look::at_the_end);
  auto start = co_await t.begin("start b", run.group->start("b", reports(t, "b", 2s, 5s)));
  presuppose_at_work(t, "a, b");
  co_await t.advance(2s);
  t.expect(start.pending(), "a start waits for its child's report");
  co_await t.settle();
  presuppose(t, "b is ready");
  t.expect(start.done(), "a start ends when its child reports", to_string(start.what()));
  co_await t.advance(5s);
  presuppose(t, "a is through");
  t.expect(run.pending(), "the group waits for a child that was started");
  co_await t.settle();
  t.expect(run.done(), "the group ends with the child that was started");
}

ASSAY_SCENARIO(task_group, "TG-16", "at once", .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 4s)), look::at_the_end);
  auto start = co_await t.begin("start b", run.group->start("b", reports(t, "b", 0s, 1s)));
  t.expect(start.done(), "a start ends at once when its child reports in its first turn",
           to_string(start.what()));
  co_await t.pass(4s);
  t.expect(run.done(), "the group ends with its last child");
}

ASSAY_SCENARIO(task_group, "TG-16", "starter cancelled", .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 3s)), look::at_the_end);
  auto start = co_await t.begin("start b", run.group->start("b", reports(t, "b", 1h, 0s)));
  auto other = co_await t.begin("start c", run.group->start("c", reports(t, "c", 1s, 1s)));
  presuppose_at_work(t, "a, b, c");
  co_await t.cancel(start);
  t.expect(marked(t, "b is asked to stop"), "a cancelled starter asks its child to stop");
  t.expect(start.cancelled(), "a cancelled start ends as cancelled", to_string(start.what()));
  t.expect(!marked(t, "a is asked to stop") && !marked(t, "c is asked to stop"),
           "a cancelled starter leaves all other children alone");
  co_await t.pass(1s);
  t.expect(other.done(), "another start goes on", to_string(other.what()));
  co_await t.pass(2s);
  t.expect(run.done(), "a start that was cancelled is no failure of the group", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-16", "swept", .features = {"started"}, .swept = true) {
  auto run = co_await begin(t, make(), all(works(t, "a", 3s)), look::at_the_end);
  auto start = t.start("start b", run.group->start("b", reports(t, "b", 1s, 1s)));
  t.victim(start);
  co_await t.advance(1min);
  t.expect(start.ended(), "a start ends when it is cancelled");
  t.sometimes("a start was cancelled", start.cancelled());
  t.expect(!start.done() || marked(t, "b is ready"), "a start ends well only if its child has reported");
  t.expect(start.done() || !marked(t, "b is through"), "a start that was cancelled leaves no child at work");
  t.expect(!start.done() || !marked(t, "b is asked to stop"),
           "a child that was started is left alone afterwards");
  t.expect(run.done(), "a start that was cancelled is no failure of the group", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-16", "ends before it reports", .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 3s)));
  startup is{.before = 1s, .early = [] {}};
  auto start = co_await t.begin("start b", run.group->start("b", starts(t, "b", is)));
  co_await t.pass(1s);
  presuppose(t, "b ends");
  t.expect(start.rejected(), "the start of a child that ends before it reports fails",
           to_string(start.what()));
  co_await t.pass(2s);
  t.expect(run.done(), "a start that failed is no failure of the group", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-16", "fails when it is ready", .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h)));
  startup is{.before = 1s, .after = 1s, .then = failing(t, "b")};
  auto start = co_await t.begin("start b", run.group->start("b", starts(t, "b", is)));
  co_await t.pass(2s);
  presuppose(t, "b raises");
  t.expect(start.done(), "a start ends when its child reports", to_string(start.what()));
  t.expect(marked(t, "a is asked to stop"), "the failure of a child that was started stops the siblings");
  t.expect(run.failed(), "the failure of a child that was started is the group's");
  expect_told(t, run, {"b"});
}

ASSAY_SCENARIO(task_group, "TG-16", "too late", .features = {"started", "late_refusal"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s)));
  co_await t.pass(1s);
  t.premise(run.done(), "the group has ended");
  auto start = co_await t.begin("start b", run.group->start("b", reports(t, "b", 0s, 0s)));
  t.expect(start.rejected(), "a group that has ended starts no child", to_string(start.what()));
  t.expect(!marked(t, "b begins"), "work that was refused does not begin");
}

ASSAY_CLAUSE(
    task_group, "TG-20", must,
    "A start that has not reported ready keeps the group open, its failure is the starter's alone and not "
    "the group's, a second \"ready\" is refused, and a group that is cancelled meanwhile ends.",
    .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1s)), look::at_the_end);
  auto start = co_await t.begin("start b", run.group->start("b", reports(t, "b", 3s, 0s)));
  presuppose_at_work(t, "a, b");
  co_await t.advance(3s);
  presuppose(t, "a is through");
  t.expect(run.pending(), "a start that has not reported keeps the group open");
  co_await t.settle();
  presuppose(t, "b is ready");
  t.expect(!marked(t, "b is ready again"), "a second report is refused");
  t.expect(start.done(), "a start ends when its child reports", to_string(start.what()));
  t.expect(run.done(), "the group ends with the child that was started", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-20", "fails", .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 2s)));
  startup is{.before = 1s, .early = failing(t, "b")};
  auto start = co_await t.begin("start b", run.group->start("b", starts(t, "b", is)));
  co_await t.pass(1s);
  presuppose(t, "b raises");
  t.expect(start.failed(), "a start ends with what its child failed with");
  expect_told(t, start, {"b"});
  t.expect(!marked(t, "a is asked to stop"), "a start that failed leaves the group's children alone");
  co_await t.pass(1s);
  t.expect(run.done(), "a start that failed is no failure of the group", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-20", "group cancelled", .features = {"started"},
               .why = "who starts is a child itself, and is asked to stop as well") {
  auto group = make();
  group_contract& known = *group;
  child starter("a", [&t, &known] { return known.start("b", reports(t, "b", 1h, 0s)); });
  auto run = co_await t.begin("run", look_at_end(t, group->run(all(std::move(starter), works(t, "c", 1h)))));
  presuppose_at_work(t, "b, c");
  co_await t.cancel(run);
  t.expect(marked(t, "b is asked to stop"), "a group that is cancelled asks a child that is being started");
  t.expect(run.ended(), "a group that is cancelled while a start is under way ends");
  expect_outcome(t, run, outcome_kind::cancelled,
                 "a group that was cancelled without a failure ends as cancelled");
}

ASSAY_SCENARIO(task_group, "TG-20", "group cancelled, started from outside", .features = {"started"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h)), look::at_the_end);
  auto start = co_await t.begin("start b", run.group->start("b", reports(t, "b", 1h, 0s)));
  presuppose_at_work(t, "a, b");
  co_await t.cancel(run);
  t.expect(run.ended(), "a group that is cancelled while a start is under way ends");
  (void)run.what();
  t.expect(start.ended() && !start.done(), "a start ends with the group that it was in",
           to_string(start.what()));
}

// ---- the group's own request, and the caller's

ASSAY_CLAUSE(
    task_group, "TG-17", must,
    "The group can cancel itself: its members end, and it completes normally unless something failed or "
    "the request came from outside.",
    .features = {"own_cancel"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h), lingers(t, "b", 1h, 2s), works(t, "c", 1h)),
                            look::at_the_end);
  presuppose_at_work(t, "a, b, c");
  run.group->cancel();
  co_await t.settle();
  for (const char* const name : {"a", "b", "c"})
    t.expect(marked(t, std::string(name) + " is asked to stop"),
             "a group that cancels itself asks its children");
  run.group->cancel();
  co_await t.pass(2s);
  t.expect(run.done(), "a group that cancelled itself ends well", to_string(run.what()));
}

ASSAY_SCENARIO(task_group, "TG-17", "failure", .features = {"own_cancel", "cleanup"}) {
  auto run = co_await begin(t, make(), all(works(t, "a", 1h), fails_when_asked(t, "b", 2s)));
  presuppose_at_work(t, "a, b");
  run.group->cancel();
  co_await t.pass(2s);
  presuppose(t, "b raises");
  t.expect(run.failed(), "a group that cancelled itself fails if a child does", to_string(run.what()));
  expect_told(t, run, {"b"});
}

ASSAY_SCENARIO(task_group, "TG-17", "and from outside",
               .features = {"own_cancel", "cleanup", "cancelled_outcome"}) {
  auto run = co_await begin(t, make(), all(lingers(t, "a", 1h, 2s)));
  presuppose_at_work(t, "a");
  run.group->cancel();
  co_await t.settle();
  co_await t.cancel(run);
  co_await t.pass(2s);
  expect_outcome(t, run, outcome_kind::cancelled,
                 "a group that is cancelled from outside as well ends as cancelled");
}

ASSAY_SCENARIO(task_group, "X-32", "", .features = {"scope_handle", "own_cancel"}) {
  auto group = make();
  group->cancel();
  auto run = co_await t.begin("run", group->run(all(works(t, "a", 1h), works(t, "b", 1h))));
  t.expect(!marked(t, "a is through") && at_work(t).empty(),
           "a group that was cancelled before leaves nobody at work", at_work(t));
  t.expect(run.done(), "a request that was made before counts", to_string(run.what()));
}

// What a caller does that handles the group's failure and goes on.
awaitable<void> run_and_go_on(trial& t, awaitable<void> run) {
  const std::exception_ptr failure = co_await failure_of(std::move(run));
  t.mark(failure ? "the caller has a failure" : "the caller has no failure");
  std::exception_ptr request;
  try {
    co_await assay::sleep_for(1s);
  } catch (const boost::system::system_error&) {
    request = std::current_exception();
  }
  t.mark(request ? "the caller is asked to stop" : "the caller goes on");
  if (request) std::rethrow_exception(request);
}

ASSAY_CLAUSE(
    task_group, "TG-18", must,
    "An aggregate that outranks an outside request does not erase it: the host's next suspension reports "
    "it; after exit no request of the group's own remains.",
    .features = {"keeps_outside_request", "cleanup"}) {
  auto group = make();
  auto caller = co_await t.begin(
      "caller", run_and_go_on(t, group->run(all(works(t, "a", 1h), breaks_when_asked(t, "b", 1s)))));
  presuppose_at_work(t, "a, b");
  co_await t.cancel(caller);
  co_await t.pass(1s);
  presuppose(t, "the caller has a failure");
  t.expect(marked(t, "the caller is asked to stop"), "a request that a failure outranks is there afterwards");
  co_await t.pass(1s);
  t.expect(caller.cancelled(), "a request that a failure outranks ends the caller", to_string(caller.what()));
}

ASSAY_SCENARIO(task_group, "TG-18", "no request of its own", .features = {"keeps_outside_request"},
               .asks = {"own_cancel"}) {
  const bool by_itself = make.claims("own_cancel");
  for (const bool cancels : {false, true}) {
    if (cancels && !by_itself) break;
    auto group = make();
    auto children = cancels ? all(works(t, "a", 1h)) : all(works(t, "a", 1h), breaks(t, "b", 1s));
    auto caller = co_await t.begin("caller", run_and_go_on(t, group->run(std::move(children))));
    if (cancels) group->cancel();
    co_await t.pass(1s);
    t.premise(marked(t, cancels ? "the caller has no failure" : "the caller has a failure"),
              "the group has ended");
    co_await t.pass(1s);
    t.expect(caller.done(), "what the group asked its children for is not asked of its caller",
             to_string(caller.what()));
  }
}

ASSAY_CLAUSE(task_group, "TG-19", must, "Spawning before entry and entering twice are refused.",
             .features = {"checked_entry", "dynamic_spawn"}) {
  auto group = make();
  t.expect(!group->spawn(works(t, "early", 1s)), "a group that does not run yet takes no child");
  co_await t.settle();
  t.expect(!marked(t, "early begins"), "work that was refused does not begin");
  auto run = co_await begin(t, std::move(group), all(works(t, "a", 1s)));
  presuppose_at_work(t, "a");
  t.expect(!marked(t, "early begins"), "work that was refused does not begin later");
  for (const char* const name : {"b", "c"}) {  // while it runs, and when it has ended
    auto again = co_await t.begin("run again", run.group->run(all(works(t, name, 0s))));
    t.expect(again.rejected(), "a group is run once", to_string(again.what()));
    t.expect(!marked(t, std::string(name) + " begins"), "children of a run that was refused do not begin");
    co_await t.pass(1s);
  }
  t.expect(run.done(), "a second run leaves the first alone", to_string(run.what()));
}

// ---- how each child ended

std::string to_text(const std::optional<child_ending>& one) {
  if (!one) return "none";
  constexpr const char* words[] = {" ended well", " was cancelled", " failed"};
  return one->name + words[static_cast<int>(one->how)];
}

awaitable<std::string> next_of(group_contract& group) {
  const std::optional<child_ending> next = co_await group.join_next();
  co_return to_text(next);
}

ASSAY_CLAUSE(task_group, "TG-21", must,
             "Each outcome is given once, then none; cancelled children are reported.",
             .features = {"join_next"}) {
  auto run = co_await begin(t, make({.keeps_endings = true}),
                            all(works(t, "a", 1h), works(t, "b", 1s), fails(t, "c", 2s), works(t, "d", 0s)));
  group_contract& group = *run.group;
  auto first = co_await t.begin("next 1", next_of(group));
  t.expect(first.done() && first.value() == "d ended well", "the ending that came before the call is told");
  auto second = co_await t.begin("next 2", next_of(group));
  t.expect(second.pending(), "a call waits for the next ending");
  co_await t.pass(1s);
  t.expect(second.done() && second.value() == "b ended well", "the next ending is told as soon as it comes");
  auto third = co_await t.begin("next 3", next_of(group));
  co_await t.pass(1s);
  presuppose(t, "c raises");
  t.expect(third.done() && third.value() == "c failed", "a failure is told as an ending");
  auto fourth = co_await t.begin("next 4", next_of(group));
  t.expect(fourth.done() && fourth.value() == "a was cancelled", "the ending of a cancelled child is told");
  auto last = co_await t.begin("next 5", next_of(group));
  t.expect(last.done() && last.value() == "none", "each ending is told once, then none");
  t.expect(run.failed(), "a failure whose ending was told is the group's");
  expect_told(t, run, {"c"});
}

ASSAY_SCENARIO(task_group, "TG-21", "owed after the end", .features = {"join_next"}) {
  auto run = co_await begin(t, make({.keeps_endings = true}), all(works(t, "a", 1s), works(t, "b", 2s)));
  co_await t.pass(2s);
  t.premise(run.done(), "the group has ended");
  for (const char* const expected : {"a ended well", "b ended well", "none", "none"}) {
    auto next = co_await t.begin("next", next_of(*run.group));
    t.expect(next.done(), "what is owed after the end is told at once");
    t.expect_eq(next.value(), std::string(expected), "every ending is told after the end as well, once");
  }
}

ASSAY_SCENARIO(task_group, "TG-21", "the last call", .features = {"join_next"}) {
  auto run = co_await begin(t, make({.keeps_endings = true}), all(works(t, "a", 1s)));
  auto first = co_await t.begin("next 1", next_of(*run.group));
  auto second = co_await t.begin("next 2", next_of(*run.group));
  t.premise(first.pending() && second.pending(), "two calls wait for one child");
  co_await t.pass(1s);
  t.expect(first.done() && second.done(), "nobody waits for an ending when no child is left");
  t.expect((first.value() == "none") != (second.value() == "none"),
           "one of two calls is told of the one child");
  t.expect(run.done(), "the group ends with its last child");
}

ASSAY_SCENARIO(task_group, "X-3", "", .features = {"join_next"}, .swept = true,
               .why = "a cancel that meets an ending") {
  auto run = co_await begin(t, make({.keeps_endings = true}), all(works(t, "a", 1s), works(t, "b", 2s)));
  auto victim = t.start("next 1", next_of(*run.group));
  t.victim(victim);
  co_await t.pass(1s);
  t.expect(victim.ended(), "a call ends with the next ending, or when it is cancelled");
  auto next = co_await t.begin("next 2", next_of(*run.group));
  t.sometimes("a call was cancelled", victim.cancelled());
  if (victim.cancelled())
    t.expect(next.done() && next.value() == "a ended well", "a cancelled call takes no ending with it");
  co_await t.pass(1s);
  t.expect(next.ended(), "a call ends with the next ending");
  if (!victim.cancelled()) t.expect(next.value() == "b ended well", "an ending is told once");
  t.expect(run.done(), "the group ends with its last child");
}

}  // namespace
