// The clauses of timeout, each beside the scenario that checks it.
#include <assay/scenarios/failure/timeout/contract.hpp>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/failure/timeout/actors.hpp>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::awaitable;
using assay::outcome_kind;
using assay::sleep_for;
using assay::trial;
using assay::timed::act;
using assay::timed::acts;
using assay::timed::answer;
using assay::timed::clean_up_for;
using assay::timed::marked;
using assay::timed::temper;
using assay::timed::times_marked;
using std::chrono::nanoseconds;
using timeout_contract = assay::contract::timeout;
using work = timeout_contract::work;

std::vector<work> both(work first, work second) {
  std::vector<work> all;
  all.push_back(std::move(first));
  all.push_back(std::move(second));
  return all;
}

template <class T>
bool tells(const assay::operation<T>& op, const std::string& label) {
  const auto labels = assay::labels_of(op.what());
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

template <class T>
awaitable<void> cancel_after(nanoseconds delay, const assay::operation<T>& whom) {
  co_await sleep_for(delay);
  whom.cancel();
}

work sleeping(nanoseconds duration) {
  return [duration] { return sleep_for(duration); };
}

awaitable<void> wait_for(timeout_contract& timeout, nanoseconds limit) {
  return timeout.run_for(limit, &assay::sleep_for_ever);
}

ASSAY_CONTRACT(timeout, "failure", "work with a deadline, and the first of several");

// ---- what is told, and when

ASSAY_CLAUSE(timeout, "TMO-1", must,
             "The timed work has ended, its cleanup included, before its timeout is told.",
             .features = {"joins_work"}, .swept = true) {
  auto timeout = make();
  const bool cleans_up = make.claims("cooperative");
  const nanoseconds cleanup = cleans_up ? 5ms : 0ms;
  auto run = t.start("run", timeout->run_for(10ms, acts(t, "a", {.cleanup = cleanup})));
  t.victim(run);
  co_await t.advance(10ms + cleanup);
  if (!t.disturbed()) t.expect(run.pending(), "a timeout is not told before the work has ended");
  co_await t.pass(cleanup);
  t.expect(run.timed_out() || (t.disturbed() && run.cancelled()), "work that is late ends as timed out");
  t.expect_eq(times_marked(t, "a ends"), times_marked(t, "a begins"),
              "late work has ended when its timeout is told");
}

ASSAY_SCENARIO(timeout, "TMO-1", "unfinished") {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", {.takes = 30ms})));
  co_await t.advance(10ms);
  t.expect(run.pending(), "a timeout is not told before its time");
  co_await t.settle();
  t.expect(run.timed_out(), "work that is late ends as timed out");
  co_await t.pass(30ms);
}

ASSAY_CLAUSE(timeout, "TMO-2", must,
             "Work that came to its value before it observed the request ends with that value, although the "
             "deadline has "
             "passed.",
             .features = {"value_wins", "cooperative"}, .late = true) {
  auto timeout = make();
  auto run = t.start("run", timeout->run_for(10ms, acts(t, "a", {.takes = 10ms})));
  auto close = t.start("run 2", timeout->run_for(10ms, acts(t, "b", {.takes = 9ms})));
  auto bystander = t.start("another timer", sleep_for(12ms));
  co_await t.advance(1s);
  t.expect(run.done() || run.timed_out(), "work that is due at its deadline ends as one of the two");
  t.expect_eq(run.done(), marked(t, "a is through"),
              "the value of work that was through at its deadline is told");
  t.expect_eq(close.done(), marked(t, "b is through"), "the value of work that was through before is told");
  t.sometimes("the value came first", run.done());
  t.expect(bystander.done(), "nobody else is disturbed");
}

ASSAY_SCENARIO(timeout, "TMO-2", "in the cleanup", .features = {"value_wins", "cooperative", "joins_work"}) {
  auto timeout = make();
  temper late{.cleanup = 5ms, .when_asked = answer::gives_value};
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", late)));
  co_await t.pass(10ms);
  t.expect(run.pending(), "work that was asked to stop is waited for");
  co_await t.pass(5ms);
  t.expect(run.done(), "a value that came in answer to the request is told");
}

ASSAY_SCENARIO(timeout, "TMO-2", "in time") {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", {.takes = 4ms})));
  t.expect(run.pending(), "work is waited for");
  co_await t.pass(4ms);
  t.expect(run.done(), "work that is in time ends with its value, at once");
  auto quick = co_await t.begin("run 2", timeout->run_for(10ms, acts(t, "b", {.takes = 0ms})));
  t.expect(quick.done(), "work that ends in its first turn ends with its value");
}

ASSAY_CLAUSE(
    timeout, "TMO-3", must,
    "A request from outside is told as cancelled, also if the deadline passed in the same turn or before.",
    .asks = {"cooperative"}) {
  const bool cleans_up = make.claims("cooperative");
  for (const nanoseconds when : {5ms, 10ms}) {
    auto timeout = make();
    auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", {.takes = 30ms})));
    co_await t.advance(when);
    co_await t.cancel(run);
    // Work that is left or dropped at the deadline may have ended before the request came, in the same instant.
    const bool may_be_late = when == 10ms && !cleans_up && run.timed_out();
    t.expect(run.cancelled() || may_be_late, "who is cancelled before his deadline, or at it, is told so");
    co_await t.pass(40ms);
  }
  if (!cleans_up) co_return;
  for (const nanoseconds when : {10ms, 12ms}) {
    auto timeout = make();
    auto run = t.start("run", timeout->run_for(10ms, acts(t, "a", {.cleanup = 5ms})));
    auto canceller = t.start("cancel", cancel_after(when, run));
    co_await t.pass(20ms);
    t.expect(canceller.done() && run.ended(), "whoever was asked to stop has ended");
    t.expect(run.cancelled(), "who is cancelled while late work cleans up is told so");
  }
}

ASSAY_SCENARIO(timeout, "TMO-3", "swept", .swept = true) {
  auto timeout = make();
  auto run = t.start("run", timeout->run_for(10ms, acts(t, "a", {.takes = 15ms})));
  t.victim(run);
  co_await t.pass(20ms);
  t.expect(run.timed_out() || (t.disturbed() && run.cancelled()),
           "late work ends as timed out, or as cancelled");
}

ASSAY_CLAUSE(timeout, "TMO-4", must,
             "A failure of the work before the deadline is told at once, as that failure.") {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", {.takes = 3ms, .fails = true})));
  co_await t.advance(3ms);
  t.expect(run.pending(), "work is waited for");
  co_await t.settle();
  t.expect(run.ended(), "a failure is told at once");
  t.expect(tells(run, "a fails"), "a failure is told as that failure", assay::to_string(run.what()));
  co_await t.pass(20ms);
  auto quick = co_await t.begin("run 2", timeout->run_for(10ms, acts(t, "b", {.takes = 0ms, .fails = true})));
  t.expect(quick.ended(), "a failure in the first turn is told at once");
  t.expect(tells(quick, "b fails"), "a failure in the first turn is told as that failure");
  co_await t.pass(20ms);
}

ASSAY_SCENARIO(timeout, "TMO-4", "race", .features = {"race"}) {
  auto timeout = make();
  auto all = both(acts(t, "a", {.takes = 3ms, .fails = true}), acts(t, "b", {.takes = 20ms}));
  auto race = co_await t.begin("race", timeout->race(std::move(all), [](std::int64_t) {}));
  co_await t.pass(3ms);
  t.expect(race.ended(), "a failure ends a race at once");
  co_await t.pass(30ms);
  t.expect(tells(race, "a fails"), "a race that failed tells the failure", assay::to_string(race.what()));
}

ASSAY_CLAUSE(timeout, "TMO-5", must, "A failure of the work's cleanup after the timeout is not lost.",
             .features = {"joins_work", "cooperative"}) {
  for (const nanoseconds cleanup : {0ms, 5ms}) {
    auto timeout = make();
    temper breaks{.cleanup = cleanup, .when_asked = answer::fails};
    auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", breaks)));
    co_await t.pass(10ms);
    co_await t.pass(cleanup);
    t.expect(tells(run, "a fails"), "a failure of the cleanup is told", assay::to_string(run.what()));
  }
}

ASSAY_SCENARIO(timeout, "TMO-5", "race", .features = {"race", "owns_operations", "cooperative"}) {
  auto timeout = make();
  temper breaks{.cleanup = 5ms, .when_asked = answer::fails};
  auto all = both(acts(t, "a", breaks), acts(t, "b", {.takes = 3ms}));
  auto race = co_await t.begin("race", timeout->race(std::move(all), [](std::int64_t) {}));
  co_await t.pass(10ms);
  t.expect(race.ended(), "a race ends when all have ended");
  t.expect(race.done() || tells(race, "a fails"), "a race tells its winner or the failure");
}

// ---- nested limits

// Within an outer call: an inner one, what it came to, and then further work.
awaitable<void> run_inside(trial& t, timeout_contract& timeout, nanoseconds limit, temper is) {
  std::exception_ptr failure;
  try {
    co_await timeout.run_for(limit, acts(t, "inner", is));
  } catch (...) {
    failure = std::current_exception();
  }
  t.mark("inner " + std::string(to_string(assay::describe(failure).kind)));
  if (assay::is_cancellation(failure)) std::rethrow_exception(failure);
  co_await act(t, "rest", {.takes = 5ms});
}

ASSAY_CLAUSE(timeout, "TMO-6", must,
             "The expiry of a nested timeout is caught by its own scope alone; an outer one's passes through "
             "inner scopes "
             "unchanged.",
             .features = {"joins_work"}) {
  auto timeout = make();
  timeout_contract& inside = *timeout;
  auto inner_first = co_await t.begin(
      "run", timeout->run_for(30ms, [&t, &inside] { return run_inside(t, inside, 10ms, {.takes = 50ms}); }));
  co_await t.pass(10ms);
  t.expect(marked(t, "inner timed_out"), "the inner deadline ends the inner call");
  co_await t.pass(5ms);
  t.expect(inner_first.done(), "the inner deadline leaves the outer call alone");
  auto outer = make();
  timeout_contract& within = *outer;
  auto outer_first = co_await t.begin(
      "run 2", outer->run_for(10ms, [&t, &within] { return run_inside(t, within, 20ms, {.takes = 50ms}); }));
  co_await t.pass(10ms);
  t.expect(outer_first.timed_out(), "the outer deadline is told by the outer call");
  t.expect(!marked(t, "inner timed_out"), "the outer deadline passes through the inner call as a request");
  co_await t.pass(30ms);
}

ASSAY_SCENARIO(timeout, "TMO-6", "two limits", .features = {"nested"}) {
  auto timeout = make();
  auto inner = co_await t.begin("run", timeout->run_nested(20ms, 10ms, acts(t, "a", {.takes = 30ms})));
  co_await t.pass(10ms);
  t.expect(inner.done() && !inner.value(), "the inner deadline is told as the inner one");
  auto outer = co_await t.begin("run 2", timeout->run_nested(10ms, 20ms, acts(t, "b", {.takes = 30ms})));
  co_await t.pass(10ms);
  t.expect(outer.timed_out(), "the outer deadline is told as the outer one");
  auto in_time = co_await t.begin("run 3", timeout->run_nested(10ms, 10ms, acts(t, "c", {.takes = 5ms})));
  co_await t.pass(5ms);
  t.expect(in_time.done() && in_time.value(), "work in time is told as such");
  co_await t.pass(30ms);
}

ASSAY_SCENARIO(timeout, "TMO-6", "at once", .features = {"nested", "outermost_wins"}) {
  for (const nanoseconds limit : {10ms, 0ms}) {
    auto timeout = make();
    auto run = co_await t.begin("run", timeout->run_nested(limit, limit, acts(t, "a", {})));
    co_await t.pass(limit);
    t.expect(run.timed_out(), "of two deadlines at once the outer one is told", assay::to_string(run.what()));
    co_await t.cancel(run);
  }
}

// ---- deadlines

ASSAY_CLAUSE(timeout, "TMO-7", must,
             "A limit of zero or less ends as timed out at the current instant; the work is not begun, or is "
             "stopped at its "
             "first suspension.",
             .asks = {"zero_never_starts", "joins_work"}) {
  for (const nanoseconds limit : {0ms, -5ms}) {
    auto timeout = make();
    auto run = co_await t.begin("run", timeout->run_for(limit, acts(t, "a", {.takes = 5ms})));
    t.expect(run.timed_out(), "a limit that has passed already ends the call at once");
    if (make.claims("zero_never_starts"))
      t.expect(!marked(t, "a begins"), "work whose limit has passed is never begun");
    co_await t.pass(10ms);
    if (make.claims("joins_work"))
      t.expect(!marked(t, "a is through"),
               "work whose limit has passed does not go beyond its first suspension");
  }
}

ASSAY_CLAUSE(timeout, "TMO-8", must,
             "A deadline is an instant: calls in sequence share it, and none has it anew.",
             .features = {"deadline"}) {
  auto timeout = make();
  timeout->set_deadline(10ms);
  for (int i = 1; i <= 2; ++i) {
    auto run = co_await t.begin("run", timeout->run_by_deadline(acts(t, "a", {.takes = 4ms})));
    co_await t.pass(4ms);
    t.expect(run.done(), "work that ends before the deadline is in time");
  }
  auto late = co_await t.begin("run 3", timeout->run_by_deadline(acts(t, "b", {.takes = 4ms})));
  co_await t.advance(2ms);
  t.expect(late.pending(), "the deadline that is shared is not there yet");
  co_await t.settle();
  t.expect(late.timed_out(), "calls in sequence share the deadline");
  auto later = co_await t.begin("run 4", timeout->run_by_deadline(acts(t, "c", {.takes = 4ms})));
  t.expect(later.timed_out(), "a deadline that has passed has passed for the next call");
  co_await t.pass(10ms);
}

// ---- races

ASSAY_CLAUSE(timeout, "TMO-9", must,
             "A race ends with the first, when all others have been stopped and have ended; what these came "
             "to is given back.",
             .features = {"race", "owns_operations"}, .asks = {"cooperative"}) {
  auto timeout = make();
  const nanoseconds cleanup = make.claims("cooperative") ? 5ms : 0ms;
  auto all = both(acts(t, "a", {.takes = 30ms, .cleanup = cleanup}), acts(t, "b", {.takes = 3ms}));
  auto race = co_await t.begin("race", timeout->race(std::move(all), [](std::int64_t) {}));
  co_await t.pass(3ms);
  t.expect_eq(race.pending(), cleanup > 0ms, "a race waits for those whom it has asked to stop");
  co_await t.pass(cleanup);
  t.expect(race.done(), "a race ends when all have ended");
  t.expect_eq(race.value(), 1, "a race tells who was first");
  t.expect(marked(t, "a ends"), "who has lost a race has ended when it ends");
  t.expect(!marked(t, "a is through"), "who has lost a race is stopped");
}

ASSAY_SCENARIO(timeout, "TMO-9", "swept", .features = {"race", "owns_operations"}, .swept = true) {
  auto timeout = make();
  auto all = both(acts(t, "a", {.takes = 3ms}), acts(t, "b", {.takes = 3ms}));
  std::vector<std::int64_t> given;
  auto race =
      t.start("race", timeout->race(std::move(all), [&given](std::int64_t who) { given.push_back(who); }));
  t.victim(race);
  co_await t.pass(10ms);
  t.expect(race.ended() && (race.done() || race.cancelled()), "a race ends with its winner, or cancelled");
  t.expect_eq(times_marked(t, "a begins") + times_marked(t, "b begins"),
              times_marked(t, "a ends") + times_marked(t, "b ends"), "all of a race have ended when it ends");
  if (!make.claims("gives_back")) co_return;
  const auto through = times_marked(t, "a is through") + times_marked(t, "b is through");
  t.expect_eq(static_cast<std::int64_t>(given.size()) + (race.done() ? 1 : 0),
              static_cast<std::int64_t>(through),
              "each value of a race is its outcome, or is given back, once");
}

ASSAY_SCENARIO(timeout, "TMO-9", "given back",
               .features = {"race", "owns_operations", "gives_back", "cooperative"}) {
  auto timeout = make();
  temper late{.cleanup = 2ms, .when_asked = answer::gives_value};
  auto all = both(acts(t, "a", late), acts(t, "b", {.takes = 3ms}));
  std::vector<std::int64_t> given;
  auto race = co_await t.begin(
      "race", timeout->race(std::move(all), [&given](std::int64_t who) { given.push_back(who); }));
  co_await t.pass(5ms);
  t.expect(race.done() && race.value() == 1, "a race tells who was first");
  t.expect_eq(given, std::vector<std::int64_t>{0}, "what a loser came to is given back");
}

ASSAY_SCENARIO(timeout, "TMO-9", "plain", .features = {"race"}) {
  auto timeout = make();
  auto all = both(acts(t, "a", {.takes = 5ms}), acts(t, "b", {.takes = 3ms}));
  auto race = co_await t.begin("race", timeout->race(std::move(all), [](std::int64_t) {}));
  t.expect(race.pending(), "a race waits for the first");
  co_await t.pass(3ms);
  t.expect(race.done() && race.value() == 1, "a race ends with the first");
  co_await t.pass(10ms);
}

// ---- work that does not heed

ASSAY_CLAUSE(
    timeout, "TMO-10", must,
    "Work that does not heed its request makes the timeout late, and is never left running unattended.",
    .features = {"joins_work", "cooperative"}) {
  auto timeout = make();
  const temper stubborn{.cleanup = 20ms};
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", stubborn)));
  co_await t.pass(10ms);
  co_await t.pass(19ms);
  t.expect(run.pending(), "work that does not heed its request is waited for");
  co_await t.pass(1ms);
  t.expect(run.timed_out(), "the timeout is told when that work has ended");
}

ASSAY_SCENARIO(timeout, "TMO-10", "requests while late", .features = {"joins_work", "cooperative"}) {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", {.cleanup = 20ms})));
  co_await t.pass(15ms);
  co_await t.cancel(run);
  co_await t.cancel(run);
  t.expect(run.pending(), "no request makes the call leave late work alone");
  co_await t.pass(15ms);
  t.expect(run.cancelled() || run.timed_out(), "the call ends when that work has ended");
}

ASSAY_SCENARIO(timeout, "TMO-10", "abandoned", .features = {"abandon"}) {
  auto timeout = make();
  const nanoseconds cleanup = make.claims("cooperative") ? 20ms : 0ms;
  auto run = co_await t.begin("run", timeout->run_or_abandon(10ms, acts(t, "a", {.cleanup = cleanup})));
  auto second = co_await t.begin("run 2", timeout->run_or_abandon(10ms, acts(t, "b", {.takes = 5ms})));
  co_await t.pass(5ms);
  t.expect(second.done(), "work in time ends with its value");
  co_await t.pass(5ms);
  t.expect(run.timed_out(), "who may abandon late work is told its timeout at once");
  t.expect(marked(t, "a is asked to stop"), "late work is asked to stop when it is abandoned");
  t.expect_eq(timeout->abandoned() > 0, cleanup > 0ms, "abandoned work is known to its supervisor");
  auto join = co_await t.begin("join", timeout->join_abandoned());
  t.expect_eq(join.pending(), cleanup > 0ms, "the supervisor waits for abandoned work");
  co_await t.pass(20ms);
  t.expect(join.done() && timeout->abandoned() == 0, "the supervisor ends with the last of abandoned work");
}

// ---- the timer

// One call after the other, each with an end of its own, and then other work, by one caller.
awaitable<void> use_and_go_on(trial& t, timeout_contract& timeout, temper is, nanoseconds rest) {
  std::exception_ptr failure;
  try {
    co_await timeout.run_for(10ms, acts(t, "a", is));
  } catch (...) {
    failure = std::current_exception();
  }
  t.observe(failure);
  co_await act(t, "rest", {.takes = rest});
}

ASSAY_CLAUSE(timeout, "TMO-11", must,
             "The timer is disarmed at every end: no stray expiry reaches later work.") {
  const temper ends[] = {{.takes = 2ms}, {.takes = 0ms}, {.takes = 14ms}};
  for (const temper& is : ends) {
    auto timeout = make();
    auto caller = co_await t.begin("caller", use_and_go_on(t, *timeout, is, 30ms));
    co_await t.pass(2ms);
    co_await t.pass(50ms);
    t.expect(caller.done(), "no stray expiry stops what the caller does next");
    t.expect(marked(t, "rest is through"), "what the caller does next comes to its end");
  }
}

awaitable<void> time_out_after(nanoseconds delay) {
  co_await sleep_for(delay);
  throw assay::contract::timed_out_error();
}

// Whether anybody but the scenario waits for some instant. Of a testee's timers nothing is known here.
bool is_timer_armed(const trial& t) {
  const auto tasks = t.tasks();
  return std::any_of(tasks.begin(), tasks.end(),
                     [](const assay::task_report& one) { return one.due.has_value(); });
}

// Whoever has armed a timer stays, so that it can be seen.
awaitable<void> run_and_stay(trial& t, timeout_contract& timeout, work one) {
  try {
    co_await timeout.run_for(10ms, std::move(one));
  } catch (const assay::contract::timed_out_error&) {
  }
  t.mark("the call has ended");
  co_await assay::sleep_for_ever();
}

ASSAY_SCENARIO(timeout, "TMO-11", "timers", .sim_only = true) {
  const work ends[] = {sleeping(2ms), sleeping(0ms), [] { return time_out_after(2ms); }};
  for (const work& one : ends) {
    auto timeout = make();
    auto caller = co_await t.begin("caller", run_and_stay(t, *timeout, one));
    co_await t.pass(2ms);
    if (marked(t, "the call has ended"))  // who tells a failure late fails TMO-4
      t.expect(!is_timer_armed(t), "no timer is armed when the call has ended");
    co_await t.pass(10ms);
    co_await t.cancel(caller);
  }
}

ASSAY_CLAUSE(timeout, "TMO-12", must, "Without a deadline no timer is armed.", .features = {"joins_work"},
             .sim_only = true) {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_for(nanoseconds::max(), &assay::sleep_for_ever));
  t.expect(run.pending(), "work without a deadline is waited for");
  t.expect(!is_timer_armed(t), "no timer is armed where there is no deadline");
  co_await t.cancel(run);
  t.expect(run.cancelled(), "work without a deadline can be cancelled");
}

ASSAY_CLAUSE(timeout, "TMO-13", must,
             "A deadline that is moved to an earlier, later or past instant, or removed, takes effect at "
             "once; one that has "
             "expired stays so.",
             .features = {"scope_handle", "reschedule"}) {
  struct move {
    const char* name;
    nanoseconds to;   // 5 ms after the entry
    nanoseconds end;  // after the move; max: none
  };
  const move moves[] = {{"later", 20ms, 20ms}, {"earlier", 2ms, 2ms}, {"past", -3ms, 0ms}, {"now", 0ms, 0ms}};
  for (const move& one : moves) {
    const std::string moved = std::string(": ") + one.name;
    auto timeout = make();
    timeout->open_scope(10ms);
    auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 60ms})));
    co_await t.advance(5ms);
    t.expect(timeout->reschedule(one.to), "a deadline that has not passed can be moved");
    if (one.end > 0ms) {
      co_await t.advance(one.end);
      t.expect(run.pending(), "a deadline that was moved is not there before its time" + moved);
    }
    co_await t.settle();
    t.expect(run.timed_out(), "a deadline that was moved is there at its time" + moved);
    t.expect(!timeout->reschedule(1h), "a deadline that has expired is not moved" + moved);
    co_await t.pass(60ms);
  }
  auto timeout = make();
  timeout->open_scope(10ms);
  auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 60ms})));
  co_await t.pass(5ms);
  t.expect(timeout->reschedule(nanoseconds::max()), "a deadline can be removed");
  co_await t.pass(60ms);
  t.expect(run.done() && run.value(), "a deadline that was removed does not come");
}

awaitable<void> reschedule_after(nanoseconds delay, timeout_contract& timeout, bool& moved) {
  co_await sleep_for(delay);
  moved = timeout.reschedule(30ms);
}

ASSAY_SCENARIO(timeout, "TMO-13", "at the deadline", .features = {"scope_handle", "reschedule"},
               .late = true) {
  bool was_moved = false;
  // At the very instant it may have passed already.
  for (const auto when : {9ms, 10ms}) {
    auto timeout = make();
    timeout->open_scope(10ms);
    timeout_contract& known = *timeout;
    bool moved = false;
    auto run = t.start("run", timeout->run_scope(acts(t, "a", {.takes = 20ms})));
    auto mover = t.start("move", reschedule_after(when, known, moved));
    co_await t.advance(1s);
    t.expect(run.ended() && mover.done(), "both have ended");
    t.expect(run.done() || (!moved && run.timed_out()), "a deadline that was moved in time does not come");
    was_moved = was_moved || moved;
  }
  t.sometimes("the deadline was moved in time", was_moved);
}

ASSAY_SCENARIO(timeout, "TMO-13", "in the cleanup",
               .features = {"scope_handle", "reschedule", "cooperative", "joins_work"}) {
  auto timeout = make();
  timeout->open_scope(10ms);
  auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.cleanup = 5ms})));
  co_await t.pass(12ms);
  t.expect(!timeout->reschedule(1h), "a deadline that has expired is not moved while the work cleans up");
  co_await t.pass(5ms);
  t.expect(run.timed_out(), "a deadline that has expired stays so");
}

ASSAY_CLAUSE(timeout, "TMO-14", must, "A limit counts from entry, not from when its scope was made.",
             .features = {"scope_handle", "counts_from_entry"}) {
  auto timeout = make();
  timeout->open_scope(10ms);
  co_await t.pass(6ms);
  auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 30ms})));
  co_await t.advance(10ms);
  t.expect(run.pending(), "a limit counts from entry");
  co_await t.settle();
  t.expect(run.timed_out(), "a limit that counts from entry passes");
  co_await t.pass(30ms);
}

// ---- requests

// Takes a request, lets it be, and makes a call.
awaitable<void> shrug_and_run(timeout_contract& timeout, nanoseconds limit, work one) {
  try {
    co_await assay::sleep_for_ever();
  } catch (const boost::system::system_error&) {
  }
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  co_await timeout.run_for(limit, std::move(one));
}

awaitable<void> run_apart(asio::cancellation_signal& signal, awaitable<void> apart) {
  const auto executor = co_await asio::this_coro::executor;
  auto token = asio::bind_cancellation_slot(signal.slot(), asio::use_awaitable);
  co_await asio::co_spawn(executor, std::move(apart), token);
}

ASSAY_CLAUSE(timeout, "TMO-15", must,
             "To stop a scope by its own handle is no timeout; a request that was handled earlier neither "
             "disables nor trips a "
             "later timeout; and a limit of zero swallows none.") {
  for (const nanoseconds takes : {5ms, 20ms}) {
    auto timeout = make();
    asio::cancellation_signal signal;
    auto run = co_await t.begin(
        "run", run_apart(signal, shrug_and_run(*timeout, 10ms, acts(t, "a", {.takes = takes}))));
    signal.emit(asio::cancellation_type::terminal);
    co_await t.advance(5ms);
    t.expect(run.pending(), "a request that was handled does not trip a later timeout");
    co_await t.settle();
    t.expect_eq(run.done(), takes == 5ms, "a request that was handled leaves a later value as it is");
    co_await t.pass(5ms);
    t.expect_eq(run.timed_out(), takes == 20ms,
                "a request that was handled does not disable a later timeout");
    co_await t.pass(20ms);
  }
}

// Makes a call with no time in a cancelled scope, and goes on.
awaitable<void> run_without_time(trial& t, timeout_contract& timeout) {
  std::exception_ptr failure;
  try {
    co_await assay::when_cancelled(timeout.run_for(0ms, acts(t, "a", {})));
  } catch (...) {
    failure = std::current_exception();
  }
  co_await asio::this_coro::throw_if_cancelled(true);
  if (assay::is_cancellation(failure)) std::rethrow_exception(failure);
  co_await act(t, "rest", {.takes = 5ms});
}

ASSAY_SCENARIO(timeout, "TMO-15", "zero") {
  auto timeout = make();
  auto run = co_await t.begin("run", run_without_time(t, *timeout));
  co_await t.cancel(run);
  co_await t.pass(10ms);
  t.expect(run.cancelled(), "a limit of zero does not swallow a request");
}

ASSAY_SCENARIO(timeout, "TMO-15", "own", .features = {"scope_handle", "own_cancel"}) {
  for (const nanoseconds when : {5ms, 10ms}) {
    auto timeout = make();
    timeout->open_scope(20ms);
    auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 30ms})));
    co_await t.pass(when);
    timeout->stop_scope();
    timeout->stop_scope();
    co_await t.settle();
    t.expect(run.done() && !run.value(), "a scope that was stopped by its handle tells so",
             assay::to_string(run.what()));
    co_await t.pass(30ms);
  }
  auto timeout = make();
  timeout->open_scope(20ms);
  auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 30ms})));
  co_await t.pass(5ms);
  timeout->stop_scope();
  co_await t.cancel(run);
  t.expect(run.ended() && !run.timed_out(), "nothing of that is a timeout");
}

// ---- several at once

ASSAY_CLAUSE(timeout, "TMO-16", must,
             "A wait for some of several tells each as done or as pending, all that have ended as done, and "
             "leaves the pending "
             "ones untouched.",
             .features = {"partial_wait"}) {
  auto timeout = make();
  timeout->begin_operation(acts(t, "a", {.takes = 20ms}));
  timeout->begin_operation(acts(t, "b", {.takes = 5ms}));
  timeout->begin_operation(acts(t, "c", {.takes = 5ms}));
  auto early = co_await t.begin("wait", timeout->wait_some(3ms));
  co_await t.pass(3ms);
  t.expect(early.done(), "a wait for some ends at its limit");
  t.expect(early.value().done.empty(), "none has ended yet");
  t.expect_eq(early.value().pending, std::vector<std::int64_t>({0, 1, 2}), "all are told as pending");
  auto given_up = co_await t.begin("wait 2", timeout->wait_some(1h));
  co_await t.cancel(given_up);
  t.expect(given_up.cancelled(), "a wait for some can be cancelled");
  auto some = co_await t.begin("wait 3", timeout->wait_some(1h));
  co_await t.advance(2ms);
  t.expect(some.pending(), "a wait for some waits for the first");
  co_await t.settle();
  t.expect(some.done(), "a wait for some ends with the first");
  const auto now = some.value();
  t.expect_eq(now.done.size() + now.pending.size(), 3U, "each is in exactly one of done and pending");
  for (const std::int64_t one : now.done)
    t.expect(marked(t, one == 1 ? "b is through" : "c is through"), "who is told as done has ended");
  t.expect(!now.done.empty(), "who was first is told as done");
  auto later = co_await t.begin("wait 4", timeout->wait_some(1h));
  t.expect(later.done(), "a wait for some ends at once if one has ended");
  t.expect_eq(assay::sorted(later.value().done), std::vector<std::int64_t>({1, 2}),
              "all that have ended are told as done");
  t.expect_eq(later.value().pending, std::vector<std::int64_t>{0}, "the others are told as pending");
  t.expect(!marked(t, "a is asked to stop"), "pending ones are untouched");
  co_await t.pass(15ms);
  t.expect(marked(t, "a is through"), "pending ones go on");
  timeout->begin_operation(acts(t, "d", {}));
  auto end = co_await t.begin("end", timeout->end_operations());
  t.expect(end.ended(), "all have ended in the end");
}

// ---- shields

ASSAY_CLAUSE(timeout, "TMO-17", must, "A shield's own deadline fires all the same.", .features = {"shield"}) {
  for (const bool cancelled : {false, true}) {
    auto timeout = make();
    auto run = co_await t.begin("run", timeout->run_shielded(10ms, acts(t, "a", {.takes = 30ms})));
    co_await t.pass(5ms);
    if (cancelled) co_await t.cancel(run);
    t.expect(run.pending() && !marked(t, "a is asked to stop"), "no request comes through a shield");
    co_await t.advance(5ms);
    t.expect(run.pending(), "a shield's deadline is not there before its time");
    co_await t.settle();
    t.expect(run.timed_out() || (cancelled && run.cancelled()), "a shield's own deadline fires");
    t.expect(marked(t, "a ends"), "and ends its work");
  }
}

ASSAY_SCENARIO(timeout, "X-9", "", .features = {"shield"}) {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_shielded(1h, acts(t, "a", {.takes = 10ms})));
  co_await t.pass(5ms);
  co_await t.cancel(run);
  co_await t.cancel(run);
  t.expect(run.pending(), "a request waits outside of the shield");
  co_await t.pass(5ms);
  t.expect(run.ended() && marked(t, "a is through"), "what is shielded comes to its end");
}

ASSAY_SCENARIO(timeout, "X-33", "", .features = {"shield", "unshield"}) {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_shielded(1h, acts(t, "a", {})));
  co_await t.cancel(run);
  t.premise(run.pending(), "a request waits outside of the shield");
  timeout->lift_shield();
  co_await t.settle();
  t.expect(run.cancelled(), "a shield that is lifted lets a request in that was waiting");
  auto other = make();
  auto later = co_await t.begin("run 2", other->run_shielded(1h, acts(t, "b", {})));
  other->lift_shield();
  co_await t.settle();
  t.expect(later.pending(), "to lift a shield is no request");
  co_await t.cancel(later);
  t.expect(later.cancelled(), "a shield that was lifted lets later requests in");
}

ASSAY_SCENARIO(timeout, "X-32", "", .features = {"scope_handle", "own_cancel", "joins_work"}) {
  auto timeout = make();
  timeout->open_scope(10ms);
  timeout->stop_scope();
  auto early = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 5ms})));
  t.expect(early.ended() && !marked(t, "a is through"), "a request before entry counts");
  co_await t.pass(10ms);
  t.expect(early.done() && !early.value(), "a scope that was stopped before entry tells so");
}

ASSAY_SCENARIO(timeout, "X-32", "twice", .features = {"scope_handle"}) {
  auto timeout = make();
  timeout->open_scope(20ms);
  auto run = co_await t.begin("run", timeout->run_scope(acts(t, "a", {.takes = 5ms})));
  auto again = co_await t.begin("run 2", timeout->run_scope(acts(t, "b", {.takes = 5ms})));
  t.expect(again.rejected() && !marked(t, "b begins"), "to enter a scope twice is refused");
  co_await t.pass(5ms);
  t.expect(run.done() && run.value(), "who was first is not disturbed");
  if (!make.claims("own_cancel")) co_return;
  timeout->stop_scope();
  timeout->open_scope(20ms);
  auto next = co_await t.begin("run 3", timeout->run_scope(acts(t, "c", {.takes = 5ms})));
  co_await t.pass(5ms);
  t.expect(next.done() && next.value(), "a request after the end is for no other scope");
}

// Runs in the scope, and goes on.
awaitable<void> run_scope_and_go_on(trial& t, timeout_contract& timeout) {
  const bool ended_well = co_await timeout.run_scope(acts(t, "a", {.takes = 5ms}));
  t.mark(ended_well ? "ended well" : "was stopped");
  co_await act(t, "rest", {.takes = 30ms});
}

awaitable<void> stop_after(nanoseconds delay, timeout_contract& timeout) {
  co_await sleep_for(delay);
  timeout.stop_scope();
}

ASSAY_SCENARIO(timeout, "X-32", "late request", .features = {"scope_handle", "own_cancel"}) {
  auto timeout = make();
  timeout_contract& known = *timeout;
  timeout->open_scope(20ms);
  auto caller = t.start("caller", run_scope_and_go_on(t, *timeout));
  auto stopper = t.start("stop", stop_after(5ms, known));
  co_await t.pass(10ms);
  timeout->stop_scope();
  co_await t.pass(40ms);
  t.expect(caller.done() && stopper.done(),
           "a request that came when the scope had ended reaches no later work");
}

// ---- what stays

// Many calls by one caller, of every end, then a wait.
awaitable<void> call_often(trial& t, timeout_contract& timeout, int times, std::shared_ptr<int> held) {
  for (int i = 0; i < times; ++i) {
    work one = i % 3 == 0 ? sleeping(0ns) : sleeping(i % 3 == 1 ? 1ms : 3ms);
    work keeping = [held, one] { return one(); };
    try {
      co_await timeout.run_for(2ms, std::move(keeping));
    } catch (const assay::contract::timed_out_error&) {
    }
  }
  t.mark("called often");
  co_await assay::sleep_for_ever();
}

ASSAY_CLAUSE(timeout, "TMO-18", must,
             "After any end nothing stays registered on the caller's scope, also after a thousand attempts.",
             .asks = {"lifetime"}) {
  auto timeout = make();
  const auto held = std::make_shared<int>(0);
  // Through the protocol each call takes many messages.
  const int times = make.claims("lifetime") && t.where() == assay::tier::sim ? 1000 : 60;
  auto caller = co_await t.begin("caller", call_often(t, *timeout, times, held));
  co_await t.pass(10s);
  t.expect(marked(t, "called often"), "the last of many calls is as the first");
  // A testee's steps are kept on this side.
  if (make.claims("lifetime"))
    t.expect(held.use_count() <= 2, "nothing of a call is left when many have ended");
  co_await t.cancel(caller);
  t.expect(caller.cancelled(), "a request reaches what the caller does after many calls");
}

// ---- what holds for every pattern

ASSAY_SCENARIO(timeout, "X-2", "", .features = {"joins_work"}, .swept = true) {
  auto timeout = make();
  auto victim = t.start("run", timeout->run_for(10ms, acts(t, "a", {.takes = 5ms})));
  t.victim(victim);
  auto other = t.start("run 2", timeout->run_for(10ms, acts(t, "b", {.takes = 5ms})));
  co_await t.pass(20ms);
  t.expect(victim.ended() && other.done(), "a request to one call leaves the others alone");
  t.sometimes("the call was cancelled", victim.cancelled());
}

// Catches what it is told, and goes on as if nothing were.
awaitable<void> try_twice(trial& t) {
  try {
    co_await sleep_for(30ms);
  } catch (const boost::system::system_error&) {
  }
  co_await act(t, "rest", {.takes = 5ms});
}

ASSAY_SCENARIO(timeout, "X-5", "", .features = {"level_cancel", "joins_work"}) {
  auto timeout = make();
  work twice = [&t] { return try_twice(t); };
  auto run = co_await t.begin("run", timeout->run_for(10ms, twice));
  co_await t.pass(10ms);
  t.expect(run.timed_out(), "who was asked to stop is refused at every suspension");
  t.expect(!marked(t, "rest is through"), "and gets nowhere");
  co_await t.pass(30ms);
}

ASSAY_SCENARIO(timeout, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  auto timeout = make();
  auto run = co_await t.begin("run", assay::when_cancelled(timeout->run_for(10ms, acts(t, "a", {}))));
  co_await t.cancel(run);
  t.expect(run.cancelled() && !marked(t, "a begins"), "nothing begins in a cancelled scope");
  if (!make.claims("race")) co_return;
  auto all = both(acts(t, "b", {}), acts(t, "c", {}));
  auto race =
      co_await t.begin("race", assay::when_cancelled(timeout->race(std::move(all), [](std::int64_t) {})));
  co_await t.cancel(race);
  t.expect(race.cancelled() && !marked(t, "b begins"), "no race begins in a cancelled scope");
}

ASSAY_SCENARIO(timeout, "X-7", "", .features = {"joins_work"}) {
  auto timeout = make();
  auto run = co_await t.begin("run", timeout->run_for(1h, acts(t, "a", {})));
  run.request(asio::cancellation_type::partial);
  co_await t.settle();
  run.request(asio::cancellation_type::terminal);
  co_await t.settle();
  t.expect(run.cancelled(), "a weak request does not use up the strong one");
  run.request(asio::cancellation_type::terminal);
  co_await t.settle();
}

ASSAY_SCENARIO(timeout, "X-18", "", .features = {"joins_work", "cooperative"}) {
  auto timeout = make();
  temper breaks{.cleanup = 5ms, .when_asked = answer::fails};
  auto run = co_await t.begin("run", timeout->run_for(1h, acts(t, "a", breaks)));
  co_await t.cancel(run);
  co_await t.pass(5ms);
  t.expect(tells(run, "a fails"), "a failure is told rather than the request", assay::to_string(run.what()));
}

ASSAY_SCENARIO(timeout, "X-18", "both", .features = {"joins_work", "cooperative"}) {
  auto timeout = make();
  temper breaks{.cleanup = 5ms, .when_asked = answer::fails};
  auto run = co_await t.begin("run", timeout->run_for(10ms, acts(t, "a", breaks)));
  co_await t.pass(12ms);
  co_await t.cancel(run);
  co_await t.pass(5ms);
  t.expect(tells(run, "a fails"), "a failure is told rather than the timeout and the request",
           assay::to_string(run.what()));
}

ASSAY_SCENARIO(timeout, "X-19", "", .features = {"joins_work", "lifetime"}, .swept = true) {
  auto timeout = make();
  const auto held = std::make_shared<int>(0);
  work keeping = [held] { return sleep_for(15ms); };
  auto run = t.start("run", timeout->run_for(10ms, std::move(keeping)));
  t.victim(run);
  co_await t.pass(10ms);
  t.expect(run.timed_out() || (t.disturbed() && run.cancelled()), "the call has ended at its deadline");
  t.expect_eq(held.use_count(), 1, "nothing of the work is left when its call has ended");
}

ASSAY_SCENARIO(timeout, "X-23", "") { co_await assay::fires_at_its_deadline(t, make, &wait_for); }
ASSAY_SCENARIO(timeout, "X-23", "extreme durations") {
  co_await assay::keeps_extreme_durations(t, make, &wait_for);
}
ASSAY_SCENARIO(timeout, "X-25", "") { co_await assay::ends_at_once_if_it_has_passed(t, make, &wait_for); }

ASSAY_SCENARIO(timeout, "X-23", "fallback", .features = {"fallback"}) {
  auto timeout = make();
  auto late = co_await t.begin("run", timeout->run_for_or(10ms, acts(t, "a", {.takes = 30ms})));
  co_await t.advance(10ms);
  t.expect(late.pending(), "the fallback does not come before the deadline");
  co_await t.settle();
  t.expect(late.done() && !late.value(), "the fallback comes at the deadline");
  auto in_time = co_await t.begin("run 2", timeout->run_for_or(10ms, acts(t, "b", {.takes = 5ms})));
  co_await t.pass(5ms);
  t.expect(in_time.done() && in_time.value(), "work in time needs no fallback");
  auto fails =
      co_await t.begin("run 3", timeout->run_for_or(10ms, acts(t, "c", {.takes = 5ms, .fails = true})));
  co_await t.pass(5ms);
  t.expect(tells(fails, "c fails"), "a failure has no fallback");
  auto cancelled = co_await t.begin("run 4", timeout->run_for_or(10ms, acts(t, "d", {.takes = 30ms})));
  co_await t.advance(5ms);
  co_await t.cancel(cancelled);
  t.expect(cancelled.cancelled(), "a request has no fallback");
  work inner = [] { return time_out_after(1ms); };
  auto other = co_await t.begin("run 5", timeout->run_for_or(10ms, inner));
  co_await t.pass(1ms);
  t.expect(other.timed_out(), "another's timeout has no fallback");
  co_await t.pass(30ms);
}

ASSAY_SCENARIO(timeout, "X-36", "", .features = {"sticky_request", "cooperative"}) {
  auto timeout = make();
  work inside = acts(t, "a", {.cleanup = 5ms, .when_asked = assay::timed::answer::fails});
  auto run = t.start("run, and go on", assay::fail_and_go_on(t, timeout->run_for(1h, std::move(inside))));
  co_await t.advance(2ms);
  run.cancel();
  co_await t.pass(20ms);
  t.expect(run.cancelled(), "the request that met a failure shows at its caller's next suspension");
  co_await t.cancel(run);
}

ASSAY_SCENARIO(timeout, "X-31", "", .features = {"joins_work"}, .late = true) {
  auto timeout = make();
  for (const nanoseconds takes : {nanoseconds(9ms), nanoseconds(11ms), nanoseconds(1h)}) {
    auto run = t.start("run", timeout->run_for(10ms, acts(t, "a", {.takes = takes})));
    auto bystander = t.start("another timer", sleep_for(12ms));
    co_await t.advance(1s);
    t.expect(run.timed_out() || (takes < 1s && run.done()),
             "a call ends well or as timed out, however late the loop is");
    t.expect(bystander.done(), "nobody else is disturbed");
  }
}

}  // namespace
