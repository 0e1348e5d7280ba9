// The clauses of lifespan, each beside the scenario that checks it.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::sorted;
using assay::trial;
using assay::contract::lifespan;
using nanoseconds = std::chrono::nanoseconds;
using words = std::vector<std::string>;

// ---- the steps: what resources, users and the body do, and the log of what they did

enum class conduct {
  ends,      // takes `pause`
  fails,     // takes `pause`, then fails with the step's name as the label
  waits,     // until it is asked to stop
  stubborn,  // takes `pause` and does not care about requests
  gives_up,  // takes `pause`, then ends as cancelled, though nobody asked
};

struct step_plan {
  conduct how = conduct::ends;
  nanoseconds pause = 1ms;
  nanoseconds cleanup = 1ms;  // how long it takes to end once it was asked to stop
};

// The log has, for the step "start a": "start a" when it begins, then "start a: ended", "start a: failed" or
// "start a: cancelled", the latter when its cleanup is done.
struct world {
  explicit world(trial& of) : t(of) {}

  void note(std::string what) {
    t.mark(what);
    log.push_back(std::move(what));
  }
  bool happened(std::string_view what) const { return std::find(log.begin(), log.end(), what) != log.end(); }
  std::string last() const { return log.empty() ? std::string() : log.back(); }
  // The names x of all "<prefix>x<suffix>" in the log, in order.
  words those(std::string_view prefix, std::string_view suffix) const {
    words names;
    for (const std::string& line : log) {
      if (line.size() < prefix.size() + suffix.size()) continue;
      if (!line.starts_with(prefix) || !line.ends_with(suffix)) continue;
      std::string name = line.substr(prefix.size(), line.size() - prefix.size() - suffix.size());
      if (name.find(':') == std::string::npos) names.push_back(std::move(name));
    }
    return names;
  }

  trial& t;
  std::map<std::string, step_plan> plans;  // by the step's name; others have the default plan
  words log;
  words under_way;          // starts, the body and stops that have begun and not ended
  std::string overlap;      // the first of these that began beside another one
  nanoseconds asked_at{0};  // when a step was last asked to stop
  nanoseconds begun_at{0};  // when a step last began
};

// What a scenario presupposes: this has happened, or is what happened last.
void presuppose(const world& w, const std::string& what) { w.t.premise(w.happened(what), what); }
void presuppose_last(const world& w, const std::string& what) {
  w.t.premise(w.last() == what, what + " is the latest");
}

bool is_user(const std::string& step) { return step.starts_with("user"); }

// Takes one step. It has a thread of awaitables of its own, so that its cleanup can be awaited in whatever
// cancellation state the subject called it.
asio::awaitable<void> walk(world& w, std::string step, step_plan plan) {
  co_await asio::this_coro::throw_if_cancelled(false);
  using timer_type = asio::steady_timer;
  const auto executor = co_await asio::this_coro::executor;
  timer_type timer(executor);
  boost::system::error_code ended;
  if (plan.how == conduct::waits) {
    timer.expires_at(timer_type::time_point::max());
  } else {
    timer.expires_after(plan.pause);
  }
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  bool cancelled = static_cast<bool>(ended);
  if (cancelled) {
    w.asked_at = w.t.elapsed();
    const bool stubborn = plan.how == conduct::stubborn;
    if (!stubborn) timer.expires_after(plan.cleanup);
    while (ended) co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    cancelled = !stubborn;
  }
  std::erase(w.under_way, step);
  if (cancelled || plan.how == conduct::gives_up) {
    w.note(step + ": cancelled");
    assay::contract::throw_cancelled();
  }
  if (plan.how == conduct::fails) {
    w.note(step + ": failed");
    w.t.raise(step);
  }
  w.note(step + ": ended");
}

asio::awaitable<void> take(world& w, std::string step, std::uint32_t faults) {
  step_plan plan;
  if (const auto found = w.plans.find(step); found != w.plans.end()) plan = found->second;
  const std::uint32_t fault = w.t.fault_point(step, faults);
  if (fault == 1) plan.how = conduct::fails;
  if (fault == 2) plan.how = conduct::waits;
  w.note(step);
  w.begun_at = w.t.elapsed();
  if (!is_user(step)) {
    if (!w.under_way.empty() && w.overlap.empty()) w.overlap = step;
    w.under_way.push_back(step);
  }
  const auto executor = co_await asio::this_coro::executor;
  co_await asio::co_spawn(executor, walk(w, std::move(step), plan), asio::use_awaitable);
}

// A step as contracts want it. `faults`: 1 it may fail, 2 it may also hang until it is asked to stop.
lifespan::step step_of(world& w, std::string name, std::uint32_t faults = 1) {
  return [&w, name = std::move(name), faults] { return take(w, name, faults); };
}

void add_each(world& w, lifespan& life, const words& names, std::uint32_t start_faults = 1,
              std::uint32_t stop_faults = 1) {
  for (const std::string& name : names)
    life.add(name, step_of(w, "start " + name, start_faults), step_of(w, "stop " + name, stop_faults));
}

words three() { return {"a", "b", "c"}; }

words reversed(words names) {
  std::reverse(names.begin(), names.end());
  return names;
}

bool contains(const words& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

words labels_of(const assay::operation<void>& op) { return assay::labels_of(op.what()); }

// Whether `first` happened, and `second` not before it.
bool in_order(const world& w, const std::string& first, const std::string& second) {
  const auto place = std::find(w.log.begin(), w.log.end(), first);
  return place != w.log.end() && std::find(w.log.begin(), place, second) == place;
}

// Ends when the run has. A subject must not be destroyed while it runs, so that if it hangs the scenario
// hangs with it.
asio::awaitable<void> expect_ended(trial& t, const assay::operation<void>& run) {
  if (t.expect(run.ended(), "the run has ended")) co_return;
  co_await assay::sleep_for_ever();
}
asio::awaitable<void> ends_within(trial& t, const assay::operation<void>& run, nanoseconds time) {
  co_await t.advance(time);
  co_await expect_ended(t, run);
}

// A lifespan of three resources.
assay::made_subject<lifespan> of_three(world& w, const assay::maker<lifespan>& make,
                                       const assay::contract::lifespan_config& limits = {},
                                       std::uint32_t start_faults = 1, std::uint32_t stop_faults = 1) {
  auto life = make(limits);
  add_each(w, *life, three(), start_faults, stop_faults);
  return life;
}

// Its run with a plain body, for so long; and to its end.
asio::awaitable<assay::operation<void>> run_for(world& w, lifespan& life, nanoseconds time) {
  auto run = w.t.start("run", life.run(step_of(w, "body")));
  co_await w.t.advance(time);
  co_return run;
}
enum class role { plain, victim };
constexpr role as_victim = role::victim;
asio::awaitable<assay::operation<void>> run_through(world& w, lifespan& life, nanoseconds time,
                                                    role of_it = role::plain) {
  auto run = w.t.start("run", life.run(step_of(w, "body")));
  if (of_it == as_victim) w.t.victim(run);
  co_await ends_within(w.t, run, time);
  co_return run;
}

// What was started, and nothing else, is stopped, once. The order is the matter of LIF-1.
void expect_stopped(trial& t, const world& w, std::string_view message) {
  t.expect_eq(sorted(w.those("stop ", "")), sorted(w.those("start ", ": ended")), message);
}

// The log of a run in which `started` were started and stopped and `between` happened between, all well.
words plain_log(const words& started, const words& between) {
  words log;
  for (const std::string& name : started) {
    log.push_back("start " + name);
    log.push_back("start " + name + ": ended");
  }
  log.insert(log.end(), between.begin(), between.end());
  for (const std::string& name : reversed(started)) {
    log.push_back("stop " + name);
    log.push_back("stop " + name + ": ended");
  }
  return log;
}

words first_of(const words& names, std::size_t count) {
  return {names.begin(), names.begin() + static_cast<std::ptrdiff_t>(count)};
}

asio::awaitable<void> run_then_wait(lifespan& life, lifespan::step body) {
  co_await life.run(std::move(body));
  co_await assay::sleep_for_ever();
}

}  // namespace

ASSAY_CONTRACT(lifespan, "lifecycle", "start in order, stop in reverse");

// ---- order

namespace {

// LIF-1 in general, for whatever has begun.
void expect_order(trial& t, const world& w) {
  const words begun = w.those("start ", "");
  const words added = three();
  t.expect_eq(begun, first_of(added, std::min(begun.size(), added.size())), "resources start in order");
  words stopped = w.those("stop ", "");
  t.expect_eq(stopped, reversed(sorted(stopped)), "resources stop in reverse order");
  t.expect_eq(w.overlap, std::string(), "one step begins when the one before it has ended");
}

}  // namespace

ASSAY_CLAUSE(
    lifespan, "LIF-1", must,
    "Resources start in the order in which they were added, one after the other, then the body runs; "
    "they stop in exact reverse order, one after the other, and the run ends when the last stop has ended.") {
  for (const std::size_t count : {0U, 1U, 3U}) {
    world w(t);
    const words names = first_of(three(), count);
    auto life = make();
    add_each(w, *life, names);
    auto run = co_await run_through(w, *life, 20ms);
    t.expect(run.done(), "the run has ended well");
    const words expected = plain_log(names, {"body", "body: ended"});
    t.expect_eq(w.log, expected, "resources start in order and stop in reverse order, around the body");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-1", "swept", .swept = true) {
  world w(t);
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 50ms, as_victim);
  expect_order(t, w);
  t.sometimes("the body ran", w.happened("body"));
  t.sometimes("the run was cancelled", run.cancelled());
}

ASSAY_SCENARIO(lifespan, "LIF-1", "faulted", .faulted = true) {
  world w(t);
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 50ms);
  (void)run.what();
  expect_order(t, w);
}

// ---- a start that fails

ASSAY_CLAUSE(
    lifespan, "LIF-2", must,
    "A failure to start resource k stops k-1 to 1, in reverse, and neither k nor what comes after it; "
    "nothing further is started, and the outcome of the run holds the failure. A stop that fails "
    "then is reported as well; with `attached_failures` in the same outcome, after the start's.") {
  for (const std::size_t failing : {0U, 1U, 2U}) {
    world w(t);
    const words names = three();
    const std::string step = "start " + names[failing];
    w.plans[step].how = conduct::fails;
    auto life = of_three(w, make);
    auto run = co_await run_through(w, *life, 20ms);
    presuppose(w, step + ": failed");
    t.expect(run.failed(), "a run whose start failed fails");
    const words labels = labels_of(run);
    t.expect(contains(labels, step), "the outcome holds the failure of the start");
    t.expect_eq(sorted(w.those("start ", "")), first_of(names, failing + 1), "nothing further is started");
    t.expect(!w.happened("body"), "the body does not run");
    expect_stopped(t, w, "what was started before the failure is stopped, and nothing else");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-2", "stop failures attached", .features = {"attached_failures"}) {
  world w(t);
  w.plans["start c"].how = conduct::fails;
  w.plans["stop b"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 20ms);
  for (const char* const step : {"start c", "stop b"}) presuppose(w, std::string(step) + ": failed");
  t.expect_eq(labels_of(run), words({"start c", "stop b"}),
              "the failure of the start comes first, that of the stop is attached");
  words tasks;
  for (const auto& member : run.what().members) tasks.push_back(member.task);
  t.expect_eq(tasks, words({"c", "b"}), "each failure has the name of its resource");
}

ASSAY_SCENARIO(lifespan, "LIF-2", "swept and faulted", .swept = true, .faulted = true) {
  world w(t);
  w.plans["start c"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 50ms, as_victim);
  const words failures = w.those("start ", ": failed");
  t.sometimes("a start failed", !failures.empty());
  t.sometimes("the run was cancelled", run.cancelled());
  if (failures.empty()) co_return;
  t.expect(run.failed(), "a run whose start failed fails");
  t.expect(!w.happened("body"), "the body does not run");
  if (!w.those("stop ", ": failed").empty()) co_return;  // LIF-4's matter
  expect_stopped(t, w, "what was started before the failure is stopped, and nothing else");
}

// ---- a body that fails or is cancelled

ASSAY_CLAUSE(
    lifespan, "LIF-3", must,
    "Everything is stopped if the body fails or is cancelled, and the run ends with that failure, or "
    "cancelled. With `shielded_stop`, a request that arrives meanwhile interrupts no stop.") {
  world w(t);
  w.plans["body"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 20ms);
  presuppose(w, "body: failed");
  expect_stopped(t, w, "everything is stopped if the body fails");
  t.expect_eq(labels_of(run), words({"body"}), "the run ends with the failure of the body");
}

ASSAY_SCENARIO(lifespan, "LIF-3", "cancelled") {
  world w(t);
  w.plans["body"].how = conduct::waits;
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 20ms);
  presuppose(w, "body");
  t.expect(run.pending() && w.those("stop ", "").empty(), "nothing is stopped while the body runs");
  run.cancel();
  co_await ends_within(t, run, 20ms);
  expect_stopped(t, w, "everything is stopped if the body is cancelled");
  t.expect(run.cancelled(), "a run whose body was cancelled ends cancelled");
}

ASSAY_SCENARIO(lifespan, "LIF-3", "shielded", .features = {"shielded_stop"}, .swept = true) {
  world w(t);
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 50ms, as_victim);
  t.expect(run.done() || run.cancelled(), "the run has ended, well or cancelled");
  t.sometimes("a request came while things were being stopped",
              w.happened("body: ended") && run.state()->cancels() > 0);
  t.expect_eq(w.those("stop ", ": cancelled"), words(), "no stop is interrupted");
}

ASSAY_SCENARIO(lifespan, "LIF-3", "swept and faulted", .swept = true, .faulted = true) {
  world w(t);
  w.plans["body"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 50ms, as_victim);
  (void)run.what();
  t.sometimes("the body failed", w.happened("body: failed"));
  t.sometimes("the body was cancelled", w.happened("body: cancelled"));
  if (!w.happened("body")) co_return;
  t.expect(!run.done(), "the run has failed or was cancelled");
  if (!w.those("stop ", ": failed").empty()) co_return;  // LIF-4's matter
  expect_stopped(t, w, "everything is stopped whatever way the body ends");
}

// ---- a stop that fails

ASSAY_CLAUSE(lifespan, "LIF-4", must,
             "A stop that fails, or ends as cancelled, skips no other stop, and its failure is reported: in "
             "the outcome "
             "of the run, or as unhandled; with `attached_failures` all of them in the outcome, in order.") {
  const words names = three();
  for (const std::string& failing : names) {
    world w(t);
    const std::string step = "stop " + failing;
    w.plans[step].how = conduct::fails;
    auto life = of_three(w, make);
    auto run = co_await run_through(w, *life, 20ms);
    (void)run.what();
    presuppose(w, step + ": failed");
    expect_stopped(t, w, "a stop that fails skips no other");
    t.expect_eq(t.times_observed(step), 1U, "the failure of the stop is reported once");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-4", "a stop that gives up") {
  for (const std::string& name : three()) {
    world w(t);
    const std::string step = "stop " + name;
    w.plans[step].how = conduct::gives_up;
    auto life = of_three(w, make);
    auto run = co_await run_through(w, *life, 20ms);
    presuppose(w, step + ": cancelled");
    t.expect(run.done() || run.cancelled(), "a stop that gives up has not failed");
    expect_stopped(t, w, "a stop that gives up skips no other");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-4", "all of them", .features = {"attached_failures"}) {
  world w(t);
  for (const std::string& name : three()) w.plans["stop " + name].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 20ms);
  const words happened = w.those("stop ", ": failed");
  words expected;
  for (const std::string& name : happened) expected.push_back("stop " + name);
  t.expect_eq(labels_of(run), expected, "every failure is in the outcome, in order");
  t.expect_eq(happened.size(), 3U, "stops that fail skip no other");
}

ASSAY_SCENARIO(lifespan, "LIF-4", "swept and faulted", .swept = true, .faulted = true) {
  world w(t);
  w.plans["stop b"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_through(w, *life, 50ms, as_victim);
  (void)run.what();
  t.sometimes("a stop failed", w.happened("stop b: failed"));
  if (!w.happened("body") || w.those("stop ", ": failed").empty()) co_return;
  expect_stopped(t, w, "a stop that fails skips no other");
}

// ---- background users

namespace {

struct user_of {
  std::string resource;
  std::string name;
};

// A body that starts users and then is a step like others.
asio::awaitable<void> start_users(world& w, lifespan& life, std::vector<user_of> users) {
  for (const user_of& user : users) life.start_user(user.resource, user.name, step_of(w, user.name));
  co_await take(w, "body", 1);
}

lifespan::step users_then_body(world& w, lifespan& life, std::vector<user_of> users) {
  return [&w, &life, users = std::move(users)] { return start_users(w, life, users); };
}

// LIF-5 in general.
void expect_users_gone(trial& t, const world& w, const user_of& user) {
  if (!w.happened(user.name)) return;
  const auto place = [&w](const std::string& what) { return std::find(w.log.begin(), w.log.end(), what); };
  const auto stop = place("stop " + user.resource);
  const auto end = std::min(
      {place(user.name + ": ended"), place(user.name + ": cancelled"), place(user.name + ": failed")});
  t.expect(end != w.log.end(), "a user of a resource ends with the run");
  t.expect(end < stop, "a user of a resource has ended before that resource is stopped");
}

}  // namespace

ASSAY_CLAUSE(
    lifespan, "LIF-5", must,
    "Background users of a resource are asked to stop, and have ended, cleanup included, before that "
    "resource is stopped. Their failures are reported.",
    .features = {"users"}) {
  for (const auto cleanup : {1ms, 30ms}) {
    world w(t);
    const std::string first = "user 1 with " + assay::format_duration(cleanup);
    const std::string second = "user 2 with " + assay::format_duration(cleanup);
    w.plans[first] = {conduct::waits, 0ms, cleanup};
    w.plans[second] = {conduct::waits, 0ms, cleanup};
    auto life = of_three(w, make);
    const std::vector<user_of> users = {{"a", first}, {"c", second}};
    w.plans["body"].pause = 5ms;
    auto run = t.start("run", life->run(users_then_body(w, *life, users)));
    co_await t.advance(4ms);
    t.premise(w.happened("body") && !w.happened("body: ended"), "the body is at work");
    t.expect(w.happened(first) && w.happened(second), "users run beside the body");
    t.expect(!w.happened(first + ": cancelled"), "a user is not asked to stop while the body runs");
    co_await ends_within(t, run, 200ms);
    t.expect(run.done(), "the run has ended well");
    for (const user_of& user : users) expect_users_gone(t, w, user);
  }
}

ASSAY_SCENARIO(lifespan, "LIF-5", "a user that fails", .features = {"users"}) {
  world w(t);
  w.plans["user 1"].how = conduct::fails;
  w.plans["user 2"].how = conduct::ends;
  w.plans["body"].pause = 5ms;
  auto life = of_three(w, make);
  const std::vector<user_of> users = {{"b", "user 1"}, {"b", "user 2"}};
  auto run = t.start("run", life->run(users_then_body(w, *life, users)));
  co_await ends_within(t, run, 50ms);
  (void)run.what();
  presuppose(w, "user 1: failed");
  t.expect_eq(t.times_observed("user 1"), 1U, "the failure of a user is reported once");
  for (const user_of& user : users) expect_users_gone(t, w, user);
}

ASSAY_SCENARIO(lifespan, "LIF-5", "swept and faulted", .features = {"users"}, .swept = true,
               .faulted = true) {
  world w(t);
  w.plans["user 1"] = {conduct::waits, 0ms, 3ms};
  w.plans["user 2"] = {conduct::waits, 0ms, 1ms};
  auto life = of_three(w, make);
  const std::vector<user_of> users = {{"a", "user 1"}, {"c", "user 2"}};
  auto run = t.start("run", life->run(users_then_body(w, *life, users)));
  t.victim(run);
  co_await ends_within(t, run, 100ms);
  (void)run.what();
  for (const user_of& user : users) expect_users_gone(t, w, user);
  t.sometimes("a user was asked to stop", w.happened("user 1: cancelled"));
}

// ---- a start that is cancelled

ASSAY_CLAUSE(
    lifespan, "LIF-6", must,
    "A cancellation while resource k starts behaves like a failure of that step: once the step has "
    "ended, its own cleanup included, k-1 to 1 are stopped, and k as well if it started nevertheless; "
    "the run ends cancelled.") {
  for (const std::size_t k : {0U, 1U, 2U}) {
    world w(t);
    const words names = three();
    const std::string step = "start " + names[k];
    w.plans[step] = {conduct::waits, 0ms, 5ms};
    auto life = of_three(w, make);
    auto run = co_await run_for(w, *life, 20ms);
    t.premise(run.pending() && w.last() == step, "the start is at work");
    run.cancel();
    co_await ends_within(t, run, 50ms);
    t.expect(run.cancelled(), "a run whose start was cancelled ends cancelled");
    t.expect(!w.happened("body"), "the body does not run");
    expect_stopped(t, w, "what was started before the cancellation is stopped, and nothing else");
    for (const std::string& name : w.those("stop ", ""))
      t.expect(in_order(w, step + ": cancelled", "stop " + name),
               "nothing is stopped before the step cleaned up");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-6", "started nevertheless") {
  world w(t);
  w.plans["start b"] = {conduct::stubborn, 10ms};
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 5ms);
  presuppose_last(w, "start b");
  co_await t.cancel(run);
  t.expect_eq(w.those("stop ", ""), words(), "nothing is stopped while the start goes on");
  co_await ends_within(t, run, 50ms);
  presuppose(w, "start b: ended");
  expect_stopped(t, w, "a resource that started nevertheless is stopped");
}

ASSAY_SCENARIO(lifespan, "LIF-6", "swept and faulted", .swept = true, .faulted = true) {
  world w(t);
  w.plans["start b"].cleanup = 5ms;
  auto life = of_three(w, make, {}, 2);
  auto run = t.start("run", life->run(step_of(w, "body")));
  t.victim(run);
  co_await t.advance(50ms);
  run.cancel();  // in case that a start hangs
  co_await ends_within(t, run, 50ms);
  (void)run.what();
  const words cancelled = w.those("start ", ": cancelled");
  t.sometimes("a start was cancelled", !cancelled.empty());
  if (cancelled.empty() || !w.those("", ": failed").empty()) co_return;
  t.expect(!run.done(), "a run whose start did not end well does not end well");
  expect_stopped(t, w, "what was started before the cancellation is stopped, and nothing else");
  for (const std::string& name : w.those("stop ", "")) {
    const bool waited =
        cancelled.empty() || in_order(w, "start " + cancelled[0] + ": cancelled", "stop " + name);
    t.expect(waited, "nothing is stopped before the step cleaned up");
  }
}

// ---- bounded stops

ASSAY_CLAUSE(
    lifespan, "LIF-7", must,
    "Each stop is bounded: one that has not ended when the stop limit has passed is asked to stop, and when "
    "the force limit has passed as well, the next resource is stopped although it has not ended; the stack "
    "reports what timed out. No stop is asked to stop before its limit. A user has the stop limit from when "
    "it is asked to stop, and at most the force limit besides.",
    .features = {"bounded_stop"}) {
  for (const auto limit : {10ms, 25ms}) {
    world w(t);
    w.plans["stop b"] = {conduct::waits, 0ms, 1ms};
    const assay::contract::lifespan_config limits = {limit, 5ms};
    auto life = of_three(w, make, limits);
    auto run = co_await run_for(w, *life, 6ms);
    presuppose_last(w, "stop b");
    const nanoseconds due = w.begun_at + limit - t.elapsed();
    co_await t.advance(due);
    t.expect_eq(w.last(), "stop b", "a stop is not interrupted before its limit");
    t.expect_eq(life->stop_timeouts(), words(), "nothing has timed out before its limit");
    co_await t.settle();
    t.expect_eq(w.asked_at, t.elapsed(), "a stop is asked to stop at its limit");
    t.expect(!w.happened("stop a"), "the next resource waits for a stop that was asked, and cleans up");
    co_await t.advance(6ms);
    t.expect(w.happened("stop a"), "the next resource is stopped within the limits");
    co_await ends_within(t, run, 20ms);
    (void)run.what();
    t.expect_eq(life->stop_timeouts(), words({"b"}), "the stack reports what timed out");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-7", "a stop that ignores the request", .features = {"bounded_stop"}) {
  for (const auto force : {0ms, 7ms}) {
    world w(t);
    w.plans["stop b"] = {conduct::stubborn, 1s};
    const assay::contract::lifespan_config limits = {10ms, force};
    auto life = of_three(w, make, limits);
    auto run = co_await run_for(w, *life, 6ms);
    presuppose_last(w, "stop b");
    const nanoseconds due = w.begun_at + limits.stop_limit + force - t.elapsed();
    co_await t.advance(due);
    t.expect(!w.happened("stop a"), "the force limit is not cut short");
    co_await t.settle();
    t.expect(w.happened("stop a"), "the next resource is stopped although a stop ignores its request");
    t.expect_eq(life->stop_timeouts(), words({"b"}), "the stack reports what timed out");
    co_await ends_within(t, run, 2s);
    (void)run.what();
  }
}

ASSAY_SCENARIO(lifespan, "LIF-7", "a user that ignores the request", .features = {"bounded_stop", "users"}) {
  for (const auto limit : {10ms, 25ms}) {
    world w(t);
    const std::string user = "user for " + assay::format_duration(limit);
    w.plans[user] = {conduct::stubborn, 1s};
    const assay::contract::lifespan_config limits = {limit, 5ms};
    auto life = of_three(w, make, limits);
    const std::vector<user_of> users = {{"c", user}};
    auto run = t.start("run", life->run(users_then_body(w, *life, users)));
    co_await t.pass(4ms);
    presuppose(w, "body: ended");
    const nanoseconds asked = t.elapsed();
    t.expect_eq(w.asked_at, asked, "a user is asked to stop as soon as stopping begins");
    co_await t.advance(limit);
    t.expect(!w.happened("stop c"), "a user has its time to end");
    co_await t.advance(6ms);
    t.expect(w.happened("stop c"), "the resource is stopped although a user ignores its request");
    t.expect_eq(life->stop_timeouts(), words({user}), "the stack reports what timed out");
    co_await ends_within(t, run, 2s);
    (void)run.what();
  }
}

ASSAY_SCENARIO(lifespan, "LIF-7", "in time", .features = {"bounded_stop"}) {
  for (const auto limit : {10ms, 25ms}) {
    world w(t);
    for (const std::string& name : three()) w.plans["stop " + name].pause = limit - 1ms;
    const assay::contract::lifespan_config limits = {limit, 5ms};
    auto life = of_three(w, make, limits);
    auto run = co_await run_through(w, *life, 200ms);
    t.expect(run.done(), "the run has ended well");
    t.expect_eq(life->stop_timeouts(), words(), "what stops in time is not reported");
    t.expect_eq(w.those("stop ", ": cancelled"), words(), "what stops in time is not interrupted");
  }
}

ASSAY_SCENARIO(lifespan, "LIF-7", "extreme durations", .features = {"bounded_stop"}) {
  for (const nanoseconds limit : assay::extreme_durations) {
    const std::string time = assay::format_duration(limit);
    const bool endless = assay::is_endless(limit);
    world w(t);
    w.plans["stop b"].pause = assay::long_time;
    const assay::contract::lifespan_config limits = {limit, 5ms};
    auto life = of_three(w, make, limits);
    auto run = co_await run_for(w, *life, 20ms);
    presuppose(w, "stop b");
    t.expect_eq(w.happened("stop b: cancelled"), !endless,
                "a stop is asked to stop at its limit, and not before: " + time);
    t.expect_eq(w.happened("stop a"), !endless,
                "the next resource waits for the limit, and no longer: " + time);
    if (endless) co_await t.advance(assay::long_time);
    co_await ends_within(t, run, 20ms);
    (void)run.what();
    expect_stopped(t, w, "every resource is stopped, whatever the limit: " + time);
    t.expect_eq(contains(life->stop_timeouts(), "b"), !endless, "the stack reports what timed out: " + time);
  }
}

ASSAY_SCENARIO(lifespan, "LIF-7", "extreme force limits", .features = {"bounded_stop"}) {
  for (const nanoseconds limit : assay::extreme_durations) {
    const std::string time = assay::format_duration(limit);
    const bool endless = assay::is_endless(limit);
    world w(t);
    w.plans["stop b"] = {conduct::stubborn, assay::long_time};
    const assay::contract::lifespan_config limits = {10ms, limit};
    auto life = of_three(w, make, limits);
    auto run = co_await run_for(w, *life, 30ms);
    presuppose(w, "stop b");
    t.expect_eq(w.happened("stop a"), !endless,
                "the next resource waits for the limit, and no longer: " + time);
    co_await ends_within(t, run, assay::long_time);
    (void)run.what();
    expect_stopped(t, w, "every resource is stopped, whatever the limit: " + time);
  }
}

ASSAY_SCENARIO(lifespan, "LIF-7", "swept and faulted", .features = {"bounded_stop", "shielded_stop"},
               .swept = true, .faulted = true) {
  world w(t);
  const assay::contract::lifespan_config limits = {10ms, 5ms};
  auto life = of_three(w, make, limits, 1, 2);
  auto run = co_await run_through(w, *life, 200ms, as_victim);
  (void)run.what();
  t.expect_eq(life->stop_timeouts(), w.those("stop ", ": cancelled"), "the stack reports what timed out");
  expect_stopped(t, w, "a stop that hangs skips no other");
}

// ---- once

ASSAY_CLAUSE(lifespan, "LIF-8", should,
             "The stack is single-use: a second run, during the first or after it, is refused and starts and "
             "stops nothing.",
             .features = {"single_use"}) {
  world w(t);
  auto life = of_three(w, make);
  auto run = co_await t.begin("run", life->run(step_of(w, "body")));
  presuppose_last(w, "start a");
  auto beside = t.start("run beside it", life->run(step_of(w, "second body")));
  co_await t.advance(50ms);
  t.expect(beside.rejected(), "a second run beside the first is refused");
  t.expect(run.done(), "the first run goes on");
  auto again = t.start("run after it", life->run(step_of(w, "third body")));
  co_await t.advance(50ms);
  t.expect(again.rejected(), "a second run after the first is refused");
  t.expect(!w.happened("second body") && !w.happened("third body"), "a refused run has no body");
  const words names = three();
  t.expect_eq(sorted(w.those("start ", "")), names, "a refused run starts nothing");
  t.expect_eq(sorted(w.those("stop ", "")), names, "a refused run stops nothing");
}

// ---- transient things

namespace {

asio::awaitable<void> hold_and_release(world& w, lifespan& life, std::size_t released, std::size_t kept) {
  for (std::size_t i = 0; i < released; ++i) {
    const auto id = life.hold("released " + std::to_string(i), step_of(w, "remove " + std::to_string(i)));
    co_await life.release(id);
    w.t.expect_eq(life.held(), 0U, "a transient thing is forgotten when it is released");
  }
  for (std::size_t i = 0; i < kept; ++i)
    (void)life.hold("kept " + std::to_string(i), step_of(w, "remove kept " + std::to_string(i)));
  w.t.expect_eq(life.held(), kept, "what was not released is registered");
}

lifespan::step transient_body(world& w, lifespan& life, std::size_t released, std::size_t kept) {
  return [&w, &life, released, kept] { return hold_and_release(w, life, released, kept); };
}

asio::awaitable<void> release_one(world& w, lifespan& life) {
  const auto id = life.hold("file", step_of(w, "remove file"));
  w.note("held");
  co_await life.release(id);
}

// The failure of the removal belongs to who asked for it.
asio::awaitable<void> release_one_that_fails(world& w, lifespan& life) {
  try {
    co_await release_one(w, life);
  } catch (const assay::contract::operation_error&) {
    w.t.observe(std::current_exception());
  }
  w.t.expect_eq(life.held(), 0U, "what could not be removed well is forgotten, too");
}

}  // namespace

ASSAY_CLAUSE(
    lifespan, "LIF-9", must,
    "Transient registrations (temporary files, handles) are removed once: when they are released, "
    "which also forgets them, so that the registry does not grow; else when everything is stopped, "
    "in any order, before the resources that were started before them. A removal that fails then is "
    "reported, and skips "
    "nothing. With `shielded_stop` a request interrupts no removal, not even one that a release has begun.",
    .features = {"transient"}) {
  for (const std::size_t count : {1U, 5U}) {
    world w(t);
    auto life = of_three(w, make);
    auto run = t.start("run", life->run(transient_body(w, *life, count, 2)));
    co_await ends_within(t, run, 50ms);
    t.expect(run.done(), "the run has ended well");
    t.expect_eq(life->held(), 0U, "nothing is registered after the run");
    words expected;
    for (std::size_t i = 0; i < count; ++i) expected.push_back(std::to_string(i));
    expected.push_back("kept 0");
    expected.push_back("kept 1");
    t.expect_eq(sorted(w.those("remove ", "")), sorted(expected), "every transient thing is removed once");
    for (const std::string kept : {"kept 0", "kept 1"}) {
      for (const std::string& name : w.those("stop ", ""))
        t.expect(in_order(w, "remove " + kept + ": ended", "stop " + name),
                 "before what it may depend on is stopped");
    }
  }
}

ASSAY_SCENARIO(lifespan, "LIF-9", "a removal that fails", .features = {"transient"}) {
  world w(t);
  w.plans["remove file"].how = conduct::fails;
  auto life = make();
  lifespan& reached = *life;
  auto run = t.start("run", life->run([&w, &reached] { return release_one_that_fails(w, reached); }));
  co_await t.advance(20ms);
  presuppose(w, "remove file: failed");
  t.expect(run.done(), "the failure of a removal belongs to who asked for it");
  t.expect_eq(w.those("remove ", ""), words({"file"}), "a removal that fails is not repeated");
}

ASSAY_SCENARIO(lifespan, "LIF-9", "a removal that fails when everything is stopped",
               .features = {"transient"}) {
  world w(t);
  w.plans["remove kept 1"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = t.start("run", life->run(transient_body(w, *life, 0, 3)));
  co_await ends_within(t, run, 50ms);
  (void)run.what();
  presuppose(w, "remove kept 1: failed");
  t.expect_eq(t.times_observed("remove kept 1"), 1U,
              "the failure of a removal that nobody asked for is reported once");
  t.expect_eq(sorted(w.those("remove ", "")), words({"kept 0", "kept 1", "kept 2"}),
              "a removal that fails skips no other");
  expect_stopped(t, w, "a removal that fails skips no stop");
  t.expect_eq(life->held(), 0U, "nothing is registered after the run");
}

namespace {

// In another order than that in which they came, and with one that comes when another has gone.
asio::awaitable<void> release_each(world& w, lifespan& life) {
  std::map<std::string, std::uint64_t> ids;
  for (const std::string& name : three()) ids[name] = life.hold(name, step_of(w, "remove " + name));
  for (const std::string name : {"a", "c", "d"}) {
    co_await life.release(ids[name]);
    w.t.expect(w.happened("remove " + name + ": ended"), "a release removes the thing that it names");
    if (name == "a") ids["d"] = life.hold("d", step_of(w, "remove d"));
  }
  w.t.expect(!w.happened("remove b"), "and no other");
}

}  // namespace

ASSAY_SCENARIO(lifespan, "LIF-9", "the thing that is named", .features = {"transient"}) {
  world w(t);
  auto life = make();
  lifespan& reached = *life;
  auto run = t.start("run", life->run([&w, &reached] { return release_each(w, reached); }));
  co_await ends_within(t, run, 20ms);
  t.expect(run.done(), "the run has ended well");
  t.expect_eq(w.those("remove ", ": ended"), words({"a", "c", "d", "b"}),
              "every thing is removed once, at its turn");
}

namespace {

asio::awaitable<void> release_again(world& w, lifespan& life, std::uint64_t id) {
  try {
    co_await life.release(id);
  } catch (const assay::contract::rejected_error&) {  // it may say that there is nothing of this id
  }
  w.note("released again");
}

// Once beside the removal, and once after it.
asio::awaitable<void> release_three_times(world& w, lifespan& life, trial& t) {
  const auto id = life.hold("file", step_of(w, "remove file"));
  auto beside = t.start("release", release_again(w, life, id));
  co_await life.release(id);
  co_await release_again(w, life, id);
  (void)beside.what();
}

}  // namespace

ASSAY_SCENARIO(lifespan, "LIF-9", "released more than once", .features = {"transient"}) {
  world w(t);
  auto life = make();
  lifespan& reached = *life;
  auto run = t.start("run", life->run([&w, &reached, &t] { return release_three_times(w, reached, t); }));
  co_await ends_within(t, run, 20ms);
  t.expect(run.done(), "a release of what was removed removes nothing, and may be refused");
  t.expect_eq(w.those("remove ", ""), words({"file"}), "a transient thing is removed once");
  t.expect_eq(life->held(), 0U, "nothing is registered after the run");
}

ASSAY_SCENARIO(lifespan, "LIF-9", "swept", .features = {"transient", "shielded_stop"}, .swept = true) {
  world w(t);
  auto life = make();
  lifespan& reached = *life;
  auto run = t.start("run", life->run([&w, &reached] { return release_one(w, reached); }));
  t.victim(run);
  co_await ends_within(t, run, 20ms);
  t.expect(run.done() || run.cancelled(), "the run has ended, well or cancelled");
  const words expected(w.happened("held") ? 1U : 0U, "file");
  t.expect_eq(w.those("remove ", ": ended"), expected, "a transient thing is removed once, cancelled or not");
  t.expect_eq(life->held(), 0U, "nothing is registered after the run");
}

// ---- too early, or too late

namespace {

void expect_refusal(world& w, lifespan& life, const std::string& when) {
  int refused = 0;
  try {
    (void)life.hold("late", step_of(w, "remove late"));
  } catch (const assay::contract::closed_error&) {
    ++refused;
  }
  try {
    life.start_user("a", "user late", step_of(w, "user late"));
  } catch (const assay::contract::closed_error&) {
    ++refused;
  }
  w.t.expect_eq(refused, 2, "a thing and a user that come " + when + " are refused");
}

asio::awaitable<void> stop_and_try(world& w, lifespan& life) {
  expect_refusal(w, life, "while things are being stopped");
  co_await take(w, "stop a", 0);
}

}  // namespace

ASSAY_CLAUSE(
    lifespan, "LIF-14", must,
    "A user or a transient thing that comes when neither resources nor the body run (before the run, "
    "while things are being stopped, after the run) is refused at once, and nothing of it begins.",
    .features = {"late_refusal", "users", "transient"}) {
  world w(t);
  auto life = make();
  lifespan& reached = *life;
  life->add("a", step_of(w, "start a"), [&w, &reached] { return stop_and_try(w, reached); });
  expect_refusal(w, *life, "before the run");
  auto run = co_await run_through(w, *life, 20ms);
  presuppose(w, "stop a: ended");
  t.expect(run.done(), "the run has ended well");
  expect_refusal(w, *life, "after the run");
  co_await t.advance(20ms);
  t.expect(!w.happened("user late") && !w.happened("remove late"), "nothing of what was refused begins");
}

// ---- what every pattern promises

ASSAY_SCENARIO(lifespan, "X-5", "", .features = {"level_triggered"}) {
  for (const std::size_t ignoring : {1U, 2U}) {
    world w(t);
    const words names = three();
    const std::string step = "start " + names[ignoring];
    w.plans[step] = {conduct::stubborn, 10ms};
    auto life = of_three(w, make);
    auto run = co_await run_for(w, *life, 5ms);
    presuppose_last(w, step);
    run.cancel();
    co_await t.advance(50ms);
    presuppose(w, step + ": ended");
    t.expect(run.cancelled(), "a request that a step ignored is not forgotten");
    t.expect_eq(w.those("start ", "").size(), ignoring + 1, "no start begins after the request");
    t.expect(!w.happened("body"), "the body does not begin after the request");
  }
}

namespace {

asio::awaitable<void> run_when_cancelled(lifespan& life, lifespan::step body) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await assay::failure_of(assay::sleep_for_ever());
  co_await life.run(std::move(body));
}

}  // namespace

ASSAY_SCENARIO(lifespan, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  world w(t);
  auto life = of_three(w, make);
  auto run = co_await t.begin("run in a cancelled scope", run_when_cancelled(*life, step_of(w, "body")));
  run.cancel();
  co_await t.advance(20ms);
  t.expect(run.cancelled(), "a run that enters a cancelled scope reports cancelled");
  t.expect_eq(w.log, words(), "and starts nothing");
}

namespace {

asio::awaitable<void> release_when_cancelled(world& w, lifespan& life) {
  const auto id = life.hold("file", step_of(w, "remove file"));
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await assay::failure_of(assay::sleep_for_ever());
  const std::exception_ptr failure = co_await assay::failure_of(life.release(id));
  w.t.expect(failure && assay::is_cancellation(failure), "a release in a cancelled scope reports cancelled");
  w.t.expect_eq(w.those("remove ", ""), words(), "and removes nothing");
  w.t.expect_eq(life.held(), 1U, "what was not removed is registered");
}

}  // namespace

ASSAY_SCENARIO(lifespan, "X-6", "release", .features = {"strict_entry", "transient"}, .sim_only = true) {
  world w(t);
  auto life = make();
  lifespan& reached = *life;
  auto run =
      co_await t.begin("run", life->run([&w, &reached] { return release_when_cancelled(w, reached); }));
  t.premise(life->held() == 1, "the body waits");
  run.cancel();
  co_await ends_within(t, run, 20ms);
  (void)run.what();
  t.expect_eq(w.those("remove ", ": ended"), words({"file"}), "it is removed when everything is stopped");
}

ASSAY_SCENARIO(lifespan, "X-7", "", .features = {"shielded_stop"}) {
  world w(t);
  w.plans["body"] = {conduct::waits, 0ms, 5ms};
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 10ms);
  presuppose_last(w, "body");
  run.request(asio::cancellation_type::partial);
  co_await t.settle();
  for (int i = 0; i < 12; ++i) {  // while the body cleans up, and then while things are being stopped
    run.cancel();
    co_await t.advance(1ms);
  }
  t.expect(run.cancelled(), "a stronger request gets through after a weaker one");
  t.expect_eq(sorted(w.those("stop ", ": ended")), three(), "repeated requests are harmless");
}

ASSAY_SCENARIO(lifespan, "X-9", "", .features = {"shielded_stop"}) {
  world w(t);
  auto life = of_three(w, make);
  auto run = t.start("run, then wait", run_then_wait(*life, step_of(w, "body")));
  co_await t.advance(5ms);
  t.premise(w.happened("body: ended") && run.pending(), "things are being stopped");
  run.cancel();
  co_await t.advance(20ms);
  t.expect_eq(sorted(w.those("stop ", ": ended")), three(), "the request interrupts no stop");
  t.expect(run.cancelled(), "a request that was deferred shows at the first suspension after the run");
  co_await t.cancel(run);
}

namespace {

asio::awaitable<void> run_and_compare(trial& t, lifespan& life, lifespan::step body, bool throwing) {
  co_await asio::this_coro::throw_if_cancelled(throwing);
  try {
    co_await life.run(std::move(body));
  } catch (...) {
    t.observe(std::current_exception());
  }
  const bool after = co_await asio::this_coro::throw_if_cancelled();
  t.expect_eq(after, throwing, "the run restores the caller's cancellation state");
  co_await assay::sleep_for_ever();
}

}  // namespace

ASSAY_SCENARIO(lifespan, "X-10", "", .features = {"shielded_stop"}) {
  for (const bool throwing : {true, false}) {
    world w(t);
    const std::string body = throwing ? "a failing body" : "another failing body";
    w.plans[body].how = conduct::fails;
    auto life = of_three(w, make);
    auto run = t.start("run, then wait", run_and_compare(t, *life, step_of(w, body), throwing));
    co_await t.advance(20ms);
    presuppose(w, body + ": failed");
    t.expect(run.pending(), "the caller goes on after the run");
    co_await t.cancel(run);
    t.expect(run.cancelled(), "the caller can be cancelled after the run");
  }
}

ASSAY_SCENARIO(lifespan, "X-11", "", .features = {"bounded_stop", "shielded_stop"}) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  w.plans["stop c"].how = conduct::waits;
  w.plans["stop b"].how = conduct::waits;
  const assay::contract::lifespan_config limits = {10ms, 5ms};
  auto life = of_three(w, make, limits);
  auto run = co_await run_for(w, *life, 10ms);
  presuppose_last(w, "body");
  run.cancel();
  co_await ends_within(t, run, 60ms);
  (void)run.what();
  for (const char* const step : {"stop c", "stop b"}) presuppose(w, step);
}

ASSAY_SCENARIO(lifespan, "X-17", "", .features = {"attached_failures"}) {
  world w(t);
  w.plans["body"].how = conduct::fails;
  w.plans["stop b"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 20ms);
  for (const char* const step : {"body", "stop b"}) presuppose(w, std::string(step) + ": failed");
  t.expect_eq(labels_of(run), words({"body", "stop b"}),
              "the failure of a stop does not replace that of the body");
  words tasks;
  for (const auto& member : run.what().members) tasks.push_back(member.task);
  t.expect_eq(tasks, words({"body", "b"}), "each failure has the name of what failed");
}

ASSAY_SCENARIO(lifespan, "X-18", "", .features = {"attached_failures"}) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  w.plans["stop b"].how = conduct::fails;
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 10ms);
  presuppose_last(w, "body");
  run.cancel();
  co_await t.advance(20ms);
  presuppose(w, "stop b: failed");
  t.expect_eq(labels_of(run), words({"stop b"}), "a failure beats the cancellation");
}

ASSAY_SCENARIO(lifespan, "X-20", "never run", .features = {"checked_destruction"},
               .why = "what was never entered may go: the process goes on") {
  world w(t);
  auto life = of_three(w, make);
  life.reset();
  co_await t.settle();
  t.expect_eq(w.log, words(), "a lifespan that was never run does nothing");
}

ASSAY_SCENARIO(lifespan, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  auto life = of_three(w, make);
  auto run = co_await run_for(w, *life, 10ms);
  presuppose_last(w, "body");
  life.reset();
  t.fail("a lifespan was destroyed before its run had ended, and nobody noticed");
  run.cancel();
  co_await t.advance(1s);  // what goes on uses the world
}
