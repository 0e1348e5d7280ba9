// The clauses of cleanup, each beside the scenario that checks it.
#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>
#include <assay/scenarios/failure/cleanup/resources.hpp>

namespace {

namespace asio = boost::asio;
using namespace assay::cleaning;
using namespace std::chrono_literals;
using assay::sorted;
using assay::trial;
using assay::contract::cleanup;
using nanoseconds = std::chrono::nanoseconds;
using run_operation = assay::operation<void>;

words one() { return {"a"}; }
words two() { return {"a", "b"}; }
words three() { return {"a", "b", "c"}; }
words four() { return {"a", "b", "c", "d"}; }

words reversed(words names) {
  std::reverse(names.begin(), names.end());
  return names;
}

bool contains(const words& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

words labels_of(const run_operation& op) { return assay::labels_of(op.what()); }

// What was acquired, and nothing else, is closed, once.
void expect_closed(trial& t, const world& w, std::string_view message) {
  t.expect_eq(sorted(w.those("close ")), sorted(w.those("acquire ", ": ended")), message);
}

// Ends when the operation has: a subject is not destroyed in the midst of a call.
asio::awaitable<void> ends_within(trial& t, const run_operation& run, nanoseconds time) {
  co_await t.advance(time);
  if (t.expect(run.ended(), "the run has ended")) co_return;
  co_await assay::sleep_for_ever();
}

enum class role { plain, victim };

// A run of a body that acquires these, for so long.
asio::awaitable<run_operation> run_for(world& w, cleanup& scope, words names, nanoseconds time,
                                       role of_it = role::plain) {
  cleanup::step body = body_of(w, scope, std::move(names));
  auto run = w.t.start("run", scope.run(std::move(body)));
  if (of_it == role::victim) w.t.victim(run);
  co_await w.t.advance(time);
  co_return run;
}
// The same to its end.
asio::awaitable<run_operation> run_through(world& w, cleanup& scope, words names, nanoseconds time,
                                           role of_it = role::plain) {
  auto run = co_await run_for(w, scope, std::move(names), time, of_it);
  co_await ends_within(w.t, run, 0ms);
  co_return run;
}

// The same, whose body is cancelled after so long, and which then has so long for its cleanup.
asio::awaitable<run_operation> run_and_cancel(world& w, cleanup& scope, words names, nanoseconds time,
                                              nanoseconds grace) {
  auto run = co_await run_for(w, scope, std::move(names), time);
  presuppose(w, "body");
  run.cancel();
  co_await ends_within(w.t, run, grace);
  co_return run;
}
// The same, cancelled again and again.
asio::awaitable<run_operation> run_and_cancel_often(world& w, cleanup& scope, words names) {
  auto run = co_await run_for(w, scope, std::move(names), 10ms);
  presuppose(w, "body");
  for (int i = 0; i < 20; ++i) {
    run.cancel();
    co_await w.t.advance(500us);
  }
  co_await ends_within(w.t, run, 20ms);
  co_return run;
}

// The log of a run in which all went well.
words plain_log(const words& names) {
  words log;
  const auto step = [&log](const std::string& one) {
    log.push_back(one);
    log.push_back(one + ": ended");
  };
  for (const std::string& name : names) step("acquire " + name);
  step("body");
  for (const std::string& name : reversed(names)) {
    step("flush " + name);
    step("close " + name);
  }
  return log;
}

}  // namespace

ASSAY_CONTRACT(cleanup, "failure", "a scope that flushes and closes what it acquired");

// ---- once each

ASSAY_CLAUSE(cleanup, "CLN-1", must,
             "`close` runs exactly once for every successful acquire: after a return, an error, or a cancel "
             "before, during or after use; also if another cleanup has failed before it.") {
  for (const conduct how : {conduct::ends, conduct::fails, conduct::waits}) {
    world w(t);
    w.plans["body"].how = how;
    auto scope = make();
    auto run = co_await run_and_cancel(w, *scope, three(), 10ms, 20ms);
    (void)run.what();
    expect_closed(t, w, "everything acquired is closed once, whichever way the body ends");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-1", "swept", .swept = true) {
  world w(t);
  auto scope = make();
  auto run = co_await run_through(w, *scope, three(), 50ms, role::victim);
  t.sometimes("the body ran", w.happened("body"));
  t.sometimes("the run was cancelled", run.cancelled());
  t.expect(run.done() || run.cancelled(), "a run that is cancelled ends well or cancelled");
  expect_closed(t, w, "everything acquired is closed once, wherever the request comes");
}

ASSAY_SCENARIO(cleanup, "CLN-1", "faulted", .faulted = true) {
  world w(t);
  auto scope = make();
  auto run = co_await run_through(w, *scope, three(), 50ms);
  (void)run.what();
  t.sometimes("a flush failed", !w.those("flush ", ": failed").empty());
  t.sometimes("a close failed", !w.those("close ", ": failed").empty());
  expect_closed(t, w, "everything acquired is closed once, whatever fails");
}

ASSAY_SCENARIO(cleanup, "CLN-1", "a step that gives up", .why = "nobody asked, and it ends as cancelled") {
  for (const std::string step : {"flush b", "close b"}) {
    world w(t);
    w.plans[step].how = conduct::gives_up;
    auto scope = make();
    auto run = co_await run_through(w, *scope, three(), 50ms);
    (void)run.what();
    presuppose(w, step + ": cancelled");
    expect_closed(t, w, "cleanup that gives up skips no close");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-1", "a failure of each kind at once") {
  world w(t);
  w.plans["body"].how = conduct::fails;
  for (const char* const step : {"flush c", "close c", "close a"}) w.plans[step].how = conduct::fails;
  auto scope = make();
  auto run = co_await run_through(w, *scope, three(), 50ms);
  (void)run.what();
  presuppose(w, "close c: failed");
  expect_closed(t, w, "a failure of cleanup skips no close");
}

// ---- between acquired and protected

ASSAY_CLAUSE(
    cleanup, "CLN-2", must,
    "A request between \"acquired\" and \"protected region entered\" leaks nothing: what was acquired is the "
    "scope's from its commit, whatever the acquire ends with.") {
  for (const std::string which : {"a", "b"}) {
    world w(t);
    auto scope = make();
    std::optional<run_operation> run;
    w.at_end["acquire " + which] = [&run] { run->cancel(); };
    cleanup::step body = body_of(w, *scope, two());
    run = t.start("run", scope->run(std::move(body)));
    co_await ends_within(t, *run, 20ms);
    presuppose(w, "acquire " + which + ": ended");
    t.expect(run->cancelled(), "the run ends cancelled");
    t.expect(w.happened("close " + which), "what was acquired in the turn of the request is closed");
    expect_closed(t, w, "everything acquired is closed once");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-2", "swept", .swept = true) {
  world w(t);
  w.plans["acquire a"].pause = 0ms;
  w.plans["body"].pause = 0ms;
  auto scope = make();
  auto run = co_await run_through(w, *scope, one(), 50ms, role::victim);
  (void)run.what();
  t.sometimes("the request came before the resource was there", !w.happened("acquire a: ended"));
  expect_closed(t, w, "what was acquired is closed, wherever the request comes");
}

ASSAY_SCENARIO(
    cleanup, "CLN-2", "an acquire that is cancelled", .swept = true,
    .why = "the acquire is the victim, and the body waits: what came in spite of it is the scope's") {
  world w(t);
  w.plans["body"] = {conduct::ends, 10ms};
  auto scope = make();
  auto run = t.start("run", scope->run(step_of(w, "body")));
  auto acquiring = t.start("acquire", acquire(w, *scope, "a"));
  t.victim(acquiring);
  co_await ends_within(t, run, 30ms);
  t.sometimes("the acquire was cancelled", acquiring.cancelled());
  t.expect(acquiring.ended(), "the acquire has ended");
  if (!w.happened("body") || acquiring.closed()) co_return;
  expect_closed(t, w, "what was acquired is closed, whatever the acquire ended with");
}

// ---- shielded, and waited for

ASSAY_CLAUSE(cleanup, "CLN-3", must,
             "Whoever runs the scope waits for its cleanup, which is not handed to an unowned task; with "
             "`shielded_cleanup` no request interrupts it.") {
  for (const std::string step : {"flush a", "close a"}) {
    world w(t);
    w.plans[step] = {conduct::deaf, 10ms};
    w.plans["body"].how = conduct::waits;
    auto scope = make();
    auto run = co_await run_for(w, *scope, one(), 5ms);
    presuppose(w, "body");
    run.cancel();
    co_await t.advance(5ms);
    presuppose(w, step);
    run.cancel();
    co_await t.advance(1ms);
    t.premise(!w.happened(step + ": ended"), step + " is under way");
    t.expect(run.pending(), "the run lasts as long as its cleanup");
    co_await ends_within(t, run, 50ms);
    t.expect(run.cancelled(), "and then ends cancelled");
    t.expect(w.happened(step + ": ended"), "when cleanup has ended");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-3", "swept", .features = {"shielded_cleanup"}, .swept = true) {
  world w(t);
  auto scope = make();
  auto run = co_await run_through(w, *scope, three(), 50ms, role::victim);
  t.expect(run.done() || run.cancelled(), "the run has ended, well or cancelled");
  t.sometimes("a request came during cleanup", t.disturbed() && w.happened("body: ended"));
  for (const std::string step : {"flush ", "close "})
    t.expect_eq(w.those(step, ": ended"), reversed(w.those("acquire ", ": ended")),
                "a request interrupts no " + step + "of what was acquired");
}

namespace {

asio::awaitable<void> close_and_use(world& w, cleanup& scope) {
  co_await acquire(w, scope, "a");
  co_await scope.close();
  co_await take(w, "body");
}

}  // namespace

ASSAY_SCENARIO(cleanup, "CLN-3", "closed by the body", .features = {"shielded_cleanup"}, .swept = true) {
  world w(t);
  auto scope = make();
  cleanup& known = *scope;
  auto run = t.start("run", scope->run([&w, &known] { return close_and_use(w, known); }));
  t.victim(run);
  co_await ends_within(t, run, 50ms);
  (void)run.what();
  t.expect_eq(w.those("close ", ": ended"), w.those("acquire ", ": ended"),
              "a request interrupts no close that the body has asked for");
}

// ---- the outcome

ASSAY_CLAUSE(
    cleanup, "CLN-4", must,
    "After cleanup the original outcome continues: a value, the body's failure, or cancelled. Where cleanup "
    "of a "
    "cancelled body fails, the run either ends with that failure, and the request shows at its caller's next "
    "suspension (X-18, X-36), or it ends cancelled, and the failure is reported.") {
  world w(t);
  auto well = make();
  auto run = co_await run_through(w, *well, one(), 20ms);
  t.expect(run.done(), "a run whose body ends well ends well");

  world failing(t);
  failing.plans["body"].how = conduct::fails;
  auto scope = make();
  auto failed = co_await run_through(failing, *scope, one(), 20ms);
  presuppose(failing, "body: failed");
  t.expect_eq(labels_of(failed), words({"body"}), "the run ends with the failure of the body");
}

ASSAY_SCENARIO(cleanup, "CLN-4", "cancelled") {
  world w(t);
  w.plans["body"].how = conduct::waits;
  auto scope = make();
  auto run = co_await run_and_cancel(w, *scope, one(), 5ms, 20ms);
  t.expect(run.cancelled(), "a run whose body was cancelled ends cancelled");
}

ASSAY_SCENARIO(cleanup, "CLN-4", "cancelled, and cleanup fails") {
  for (const std::string step : {"flush a", "close a"}) {
    world w(t);
    w.plans["body"].how = conduct::waits;
    w.plans[step].how = conduct::fails;
    auto scope = make();
    auto run = co_await run_and_cancel(w, *scope, one(), 5ms, 20ms);
    presuppose(w, step + ": failed");
    const words labels = labels_of(run);
    t.expect(run.cancelled() || labels == words({step}),
             "the run ends cancelled, or with the failure of cleanup");
    t.expect_eq(t.times_observed(step), 1U, "a failure of cleanup after a cancellation is reported once");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-4", "a failing body whose cleanup gives up") {
  for (const std::string step : {"flush a", "close a"}) {
    world w(t);
    w.plans["body"].how = conduct::fails;
    w.plans[step].how = conduct::gives_up;
    auto scope = make();
    auto run = co_await run_through(w, *scope, one(), 20ms);
    presuppose(w, step + ": cancelled");
    const words labels = labels_of(run);
    t.expect(contains(labels, "body") || t.times_observed("body") == 1,
             "cleanup that gives up does not make the failure of the body go away");
  }
}

// ---- flush, then close

ASSAY_CLAUSE(cleanup, "CLN-5", must,
             "Each resource is flushed and then closed; `close` runs even if the flush fails, and both "
             "failures are reported "
             "(X-17).") {
  for (const conduct body : {conduct::ends, conduct::fails}) {
    world w(t);
    w.plans["body"].how = body;
    w.plans["flush a"].how = conduct::fails;
    w.plans["close a"].how = conduct::fails;
    auto scope = make();
    auto run = co_await run_through(w, *scope, one(), 20ms);
    (void)run.what();
    presuppose(w, "flush a: failed");
    t.expect_eq(w.times("close a"), 1U, "close runs even if the flush fails");
    t.expect_eq(t.times_observed("flush a"), 1U, "the failure of the flush is reported once");
    t.expect_eq(t.times_observed("close a"), 1U, "the failure of the close is reported once");
    if (body == conduct::fails) {
      const words labels = labels_of(run);
      t.expect(contains(labels, "body") || t.times_observed("body") == 1,
               "the failures of cleanup do not make that of the body go away");
    } else {
      t.expect(run.failed(), "a run whose cleanup failed fails");
    }
  }
}

ASSAY_SCENARIO(cleanup, "CLN-5", "swept and faulted", .swept = true, .faulted = true) {
  world w(t);
  auto scope = make();
  auto run = co_await run_through(w, *scope, two(), 50ms, role::victim);
  (void)run.what();
  t.expect_eq(w.overlap, std::string(), "one step of cleanup begins when the one before it has ended");
  for (const std::string& name : w.those("close ")) t.expect_before("flush " + name, "close " + name);
}

// ---- again and again

ASSAY_CLAUSE(cleanup, "CLN-6", must, "Repeated cancels during cleanup neither restart nor skip it.") {
  world w(t);
  w.plans["body"].how = conduct::waits;
  for (const std::string& name : three()) w.plans["flush " + name].how = conduct::deaf;
  auto scope = make();
  auto run = co_await run_and_cancel_often(w, *scope, three());
  t.expect(run.cancelled(), "the run ends cancelled");
  t.expect_eq(w.those("flush "), reversed(three()), "repeated cancels neither restart nor skip a flush");
  t.expect_eq(w.those("close "), reversed(three()), "repeated cancels neither restart nor skip a close");
}

ASSAY_SCENARIO(cleanup, "CLN-6", "shielded", .features = {"shielded_cleanup"}) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  auto scope = make();
  auto run = co_await run_and_cancel_often(w, *scope, three());
  t.expect(run.cancelled(), "the run ends cancelled");
  t.expect_eq(w.those("flush ", ": ended"), reversed(three()), "repeated cancels interrupt no flush");
  t.expect_eq(w.those("close ", ": ended"), reversed(three()), "repeated cancels interrupt no close");
}

// ---- bounded

ASSAY_CLAUSE(cleanup, "CLN-7", must,
             "Cleanup is bounded: when flush and close of a resource together have outlasted the limit, the "
             "resource is closed "
             "by force, once, at that instant and by a call that does not suspend; what is under way is "
             "asked to stop and "
             "waited for, no further step of it begins, and the resource is counted and named. The others "
             "are cleaned up as "
             "ever.",
             .features = {"bounded_cleanup"}) {
  for (const auto limit : {10ms, 25ms}) {
    for (const std::string step : {"flush b", "close b"}) {
      world w(t);
      w.plans[step].how = conduct::waits;
      auto scope = make({.limit = limit});
      auto run = co_await run_for(w, *scope, three(), 6ms);
      co_await t.settle();
      presuppose(w, "close c: ended");
      t.premise(w.happened("flush b"), "b is cleaned up since now");
      co_await t.advance(limit);
      t.expect(!w.happened("force b"), "nothing is closed by force before the limit");
      co_await t.settle();
      t.expect(w.happened("force b"), "what outlasts the limit is closed by force at that instant");
      co_await ends_within(t, run, 20ms);
      (void)run.what();
      t.expect_eq(w.those("force "), words({"b"}), "only that, and once");
      t.expect_eq(scope->forced(), words({"b"}), "what is closed by force is named");
      words others = w.those("close ", ": ended");
      std::erase(others, "b");  // it may have ended by the force
      t.expect_eq(others, words({"c", "a"}), "the others are cleaned up as ever");
      t.expect_eq(w.times("close b"), step == "close b" ? 1U : 0U, "no step of it begins after the force");
    }
  }
}

ASSAY_SCENARIO(cleanup, "CLN-7", "together", .features = {"bounded_cleanup"},
               .why = "each of them alone is within the limit") {
  world w(t);
  w.plans["flush a"].pause = 7ms;
  w.plans["close a"].pause = 7ms;
  auto scope = make({.limit = 10ms});
  auto run = co_await run_through(w, *scope, one(), 50ms);
  (void)run.what();
  presuppose(w, "close a");
  t.expect_eq(w.those("force "), words({"a"}), "flush and close together have the limit");
}

ASSAY_SCENARIO(cleanup, "CLN-7", "stubborn", .features = {"bounded_cleanup"}) {
  for (const std::string step : {"flush b", "close b"}) {
    world w(t);
    w.plans[step].how = conduct::stubborn;
    auto scope = make({.limit = 10ms});
    auto run = co_await run_through(w, *scope, three(), 50ms);
    (void)run.what();
    presuppose(w, step);
    t.expect_eq(w.those("force "), words({"b"}),
                "what ignores its cancellation ends when it is closed by force");
    t.expect_eq(w.those("close ", ": ended"), step == "close b" ? words({"c", "b", "a"}) : words({"c", "a"}),
                "and the others are cleaned up as ever");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-7", "in time", .features = {"bounded_cleanup"}) {
  for (const auto limit : {3ms, 20ms}) {
    world w(t);
    auto scope = make({.limit = limit});
    auto run = co_await run_through(w, *scope, three(), 50ms);
    t.expect(run.done(), "cleanup within the limit ends well");
    t.expect_eq(w.those("force "), words(), "what ends in time is not closed by force");
    t.expect_eq(scope->forced(), words(), "and not counted");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-7", "at the limit", .features = {"bounded_cleanup"}, .late = true) {
  world w(t);
  w.plans["flush a"].pause = 5ms;
  w.plans["close a"].pause = 5ms;
  auto scope = make({.limit = 10ms});
  auto run = co_await run_through(w, *scope, two(), 50ms);
  (void)run.what();
  const bool closed = w.happened("close a: ended");
  const bool forced = w.happened("force a");
  t.sometimes("it was closed in time", !forced);
  t.sometimes("it was closed by force", forced);
  t.expect(closed || forced, "what is due together with its limit is closed, or closed by force");
  if (forced && closed) {
    const auto place = std::find(w.log.begin(), w.log.end(), "close a: ended");
    t.expect(std::find(place, w.log.end(), "force a") == w.log.end(),
             "nothing is closed by force that is closed");
  }
  const words named = scope->forced();
  t.expect_eq(contains(named, "a"), forced, "and is named if it was closed by force");
}

ASSAY_SCENARIO(cleanup, "CLN-7", "a failing body", .features = {"bounded_cleanup"}) {
  world w(t);
  w.plans["body"].how = conduct::fails;
  w.plans["flush a"].how = conduct::waits;
  auto scope = make({.limit = 10ms});
  auto run = co_await run_through(w, *scope, one(), 50ms);
  presuppose(w, "body: failed");
  t.expect(contains(labels_of(run), "body"), "a close by force does not replace the failure of the body");
  t.expect_eq(w.those("force "), words({"a"}), "what outlasts the limit is closed by force");
}

// ---- on every path

ASSAY_CLAUSE(cleanup, "CLN-8", must,
             "Flush runs on every path, the normal one too, and not only when cancelled.") {
  for (const conduct how : {conduct::ends, conduct::fails, conduct::waits}) {
    world w(t);
    w.plans["body"].how = how;
    auto scope = make();
    auto run = co_await run_and_cancel(w, *scope, two(), 10ms, 20ms);
    (void)run.what();
    t.expect_eq(w.those("flush "), words({"b", "a"}),
                "everything acquired is flushed once, whichever way the body ends");
  }
}

// ---- what was not acquired

ASSAY_CLAUSE(cleanup, "CLN-9", must,
             "An acquire that fails or is cancelled means no flush and no close of it; what was acquired "
             "before is cleaned up, "
             "and the failure is the acquire's outcome.") {
  const words names = three();
  for (const std::string& name : names) {
    world w(t);
    w.plans["acquire " + name].how = conduct::fails;
    auto scope = make();
    auto run = co_await run_through(w, *scope, three(), 20ms);
    presuppose(w, "acquire " + name + ": failed");
    t.expect_eq(labels_of(run), words({"acquire " + name}), "the failure of an acquire is its outcome");
    t.expect(w.those("close ") == reversed(w.those("acquire ", ": ended")) && !w.happened("flush " + name),
             "what failed to be acquired is not cleaned up, and what was before it is");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-9", "cancelled") {
  world w(t);
  w.plans["acquire b"].how = conduct::waits;
  auto scope = make();
  auto run = co_await run_for(w, *scope, three(), 10ms);
  presuppose(w, "acquire b");
  run.cancel();
  co_await ends_within(t, run, 20ms);
  presuppose(w, "acquire b: cancelled");
  t.expect(run.cancelled(), "a run that was cancelled while it acquired ends cancelled");
  t.expect_eq(w.those("close "), words({"a"}), "what was not acquired is not closed");
  t.expect_eq(w.those("flush "), words({"a"}), "nor flushed");
}

namespace {

asio::awaitable<void> acquire_again(world& w, cleanup& scope) {
  const std::exception_ptr failure = co_await assay::failure_of(acquire(w, scope, "a"));
  w.t.expect(failure != nullptr, "the failure of an acquire is its outcome");
  if (failure) w.t.observe(failure);
  w.plans["acquire a"].how = conduct::ends;
  co_await acquire(w, scope, "a");
  co_await take(w, "body");
}

}  // namespace

ASSAY_SCENARIO(cleanup, "CLN-9", "tried again") {
  world w(t);
  w.plans["acquire a"].how = conduct::fails;
  auto scope = make();
  cleanup& known = *scope;
  auto run = t.start("run", scope->run([&w, &known] { return acquire_again(w, known); }));
  co_await ends_within(t, run, 20ms);
  presuppose(w, "acquire a: ended");
  t.expect(run.done(), "a failure that the body has handled is none of the run's");
  t.expect_eq(w.those("close "), words({"a"}), "what was acquired the second time is closed once");
}

// ---- closing

namespace {

asio::awaitable<void> close_twice(world& w, cleanup& scope) {
  for (const std::string& name : three()) co_await acquire(w, scope, name);
  co_await scope.close();
  w.t.expect_eq(w.those("close ", ": ended"), reversed(three()), "a close of the scope cleans up at once");
  co_await scope.close();
  co_await take(w, "body");
}

}  // namespace

ASSAY_CLAUSE(cleanup, "CLN-10", must,
             "Closing the scope cleans up at once; closing it twice, or after its run, does nothing. With "
             "`single_use` who "
             "acquires once cleanup has begun is refused and nothing of it begins, what was still being "
             "acquired then is "
             "given back, and a second run is refused.") {
  world w(t);
  auto scope = make();
  cleanup& known = *scope;
  auto run = t.start("run", scope->run([&w, &known] { return close_twice(w, known); }));
  co_await ends_within(t, run, 50ms);
  t.expect(run.done(), "the run has ended well");
  auto again = co_await t.begin("close", scope->close());
  co_await ends_within(t, again, 20ms);
  t.expect(again.done(), "closing after the run does nothing");
  t.expect_eq(w.those("close "), reversed(three()),
              "everything is closed once, however often the scope is closed");
}

ASSAY_SCENARIO(cleanup, "CLN-10", "a close that fails") {
  world w(t);
  w.plans["close b"].how = conduct::fails;
  auto scope = make();
  cleanup& known = *scope;
  auto run = t.start("run", scope->run([&w, &known] { return close_twice(w, known); }));
  co_await ends_within(t, run, 50ms);
  (void)run.what();
  presuppose(w, "close b: failed");
  t.expect_eq(w.those("close "), reversed(three()), "a failure on the way skips no close");
  t.expect_eq(t.times_observed("close b"), 1U, "and is reported once");
}

namespace {

bool is_refusal(const run_operation& op) { return op.closed() || op.rejected(); }

}  // namespace

ASSAY_SCENARIO(cleanup, "CLN-10", "too late", .features = {"single_use"}) {
  world w(t);
  auto scope = make();
  auto run = co_await run_for(w, *scope, one(), 2500us);
  presuppose(w, "flush a");
  t.premise(run.pending(), "cleanup is under way");
  auto during = co_await t.begin("acquire during cleanup", acquire(w, *scope, "late"));
  t.expect(during.closed(), "who acquires during cleanup is refused");
  co_await ends_within(t, run, 50ms);
  auto late = co_await t.begin("acquire after cleanup", acquire(w, *scope, "late"));
  t.expect(late.closed(), "who acquires after cleanup is refused");
  t.expect(!w.happened("acquire late"), "and nothing of it begins");
  const words log = w.log;
  auto second = co_await t.begin("a second run", scope->run(step_of(w, "body")));
  co_await t.advance(10ms);
  t.expect(is_refusal(second), "a second run is refused");
  t.expect_eq(w.log, log, "and nothing of it begins");
}

ASSAY_SCENARIO(cleanup, "CLN-10", "still being acquired", .features = {"single_use"}) {
  world w(t);
  w.plans["acquire late"].pause = 20ms;
  auto scope = make();
  auto run = co_await run_for(w, *scope, one(), 0ms);
  co_await t.settle();
  auto late = co_await t.begin("acquire", acquire(w, *scope, "late"));
  co_await ends_within(t, run, 10ms);
  presuppose(w, "acquire late");
  t.premise(late.pending(), "it is still being acquired");
  co_await t.advance(30ms);
  presuppose(w, "acquire late: ended");
  t.expect(late.closed(), "who comes too late is told that the scope is closed");
  t.expect_eq(w.those("close ", ": ended"), words({"a", "late"}), "and what it has acquired is given back");
}

// ---- what cannot be closed

namespace {

asio::awaitable<void> acquire_unclosable(world& w, cleanup& scope) {
  co_await acquire(w, scope, "a");
  assay::contract::cleanup_resource what = resource_of(w, "unclosable");
  what.close = nullptr;
  bool refused = false;
  try {
    co_await scope.acquire(std::move(what));
  } catch (const assay::contract::rejected_error&) {
    refused = true;
  }
  w.t.expect(refused, "what cannot be closed is refused when it is registered");
  co_await take(w, "body");
}

}  // namespace

ASSAY_CLAUSE(cleanup, "CLN-11", must,
             "What cannot be closed is refused when it is registered, by the types (`typed_registration`) or "
             "by the scope; it "
             "is not acquired, and nothing of it stays registered.",
             .asks = {"typed_registration"}) {
  if (make.claims("typed_registration")) co_return;
  world w(t);
  auto scope = make();
  cleanup& known = *scope;
  auto run = t.start("run", scope->run([&w, &known] { return acquire_unclosable(w, known); }));
  co_await ends_within(t, run, 20ms);
  t.expect(run.done(), "the run has ended well");
  t.expect(!w.happened("acquire unclosable") && !w.happened("flush unclosable"),
           "nothing of what was refused begins");
  t.expect_eq(w.those("close ", ": ended"), words({"a"}), "and the others are closed");
}

// ---- a failure that is swallowed

namespace {

struct witness {
  words saw;
  void note(const std::string& who, const assay::outcome& what) {
    const words labels = assay::labels_of(what);
    std::string line = who + ": " + std::string(assay::to_string(what.kind));
    if (!labels.empty()) {
      line = who + ":";
      for (const std::string& label : labels) line += " " + label;
    }
    saw.push_back(std::move(line));
  }
};

// Registers one who watches, a resource, one who swallows, another resource, and one who watches.
asio::awaitable<void> use_with_handlers(world& w, witness& seen, cleanup& scope) {
  const auto watches = [&seen](std::string who) {
    return [&seen, who](const assay::outcome& what) { seen.note(who, what); };
  };
  scope.handle("first", false, watches("first"));
  co_await acquire(w, scope, "a");
  scope.handle("swallows", true, [&w, &seen](const assay::outcome& what) {
    seen.note("swallows", what);
    w.t.observe(what);
  });
  co_await acquire(w, scope, "b");
  scope.handle("last", false, watches("last"));
  co_await take(w, "body");
}

asio::awaitable<run_operation> run_with_handlers(world& w, witness& seen, cleanup& scope) {
  auto run = w.t.start("run", scope.run([&w, &seen, &scope] { return use_with_handlers(w, seen, scope); }));
  co_await w.t.advance(10ms);
  co_return run;
}

}  // namespace

ASSAY_CLAUSE(cleanup, "CLN-12", must,
             "A handler may swallow the failure: those registered before it see success, and the run ends "
             "well. One that "
             "swallows nothing changes nothing, and a cancellation cannot be swallowed (X-8).",
             .features = {"suppress"}) {
  world w(t);
  w.plans["body"].how = conduct::fails;
  witness seen;
  auto scope = make();
  auto run = co_await run_with_handlers(w, seen, *scope);
  presuppose(w, "body: failed");
  t.expect(run.done(), "a run whose failure was swallowed ends well");
  t.expect_eq(seen.saw, words({"last: body", "swallows: body", "first: value"}),
              "those registered before the one who swallows see success");
  expect_closed(t, w, "everything is closed, also what was registered before");
}

ASSAY_SCENARIO(cleanup, "CLN-12", "nothing to swallow", .features = {"suppress"}) {
  world w(t);
  witness seen;
  auto scope = make();
  auto run = co_await run_with_handlers(w, seen, *scope);
  t.expect(run.done(), "the run has ended well");
  t.expect_eq(seen.saw, words({"last: value", "swallows: value", "first: value"}),
              "handlers are asked on every path");
}

ASSAY_SCENARIO(cleanup, "CLN-12", "a failure after it", .features = {"suppress"}) {
  world w(t);
  w.plans["close b"].how = conduct::fails;
  w.plans["flush a"].how = conduct::fails;
  witness seen;
  auto scope = make();
  auto run = co_await run_with_handlers(w, seen, *scope);
  presuppose(w, "flush a: failed");
  t.expect_eq(seen.saw, words({"last: value", "swallows: close b", "first: flush a"}),
              "a handler is asked about what was registered after it");
  t.expect_eq(labels_of(run), words({"flush a"}), "what fails after a handler was asked is not swallowed");
}

ASSAY_SCENARIO(cleanup, "X-8", "", .features = {"suppress"}) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  witness seen;
  auto scope = make();
  auto run = co_await run_with_handlers(w, seen, *scope);
  presuppose(w, "body");
  run.cancel();
  co_await ends_within(t, run, 20ms);
  t.expect(run.cancelled(), "a handler that swallows does not swallow a cancellation");
}

// ---- order

ASSAY_CLAUSE(cleanup, "CLN-13", must,
             "Resources are cleaned up in reverse order of their acquisition, one after the other.") {
  for (const std::size_t count : {0U, 1U, 3U}) {
    world w(t);
    words names = three();
    names.resize(count);
    auto scope = make();
    auto run = co_await run_through(w, *scope, names, 50ms);
    t.expect(run.done(), "the run has ended well");
    const words expected = plain_log(names);
    t.expect_eq(w.log, expected, "resources are cleaned up in reverse order, each flushed and then closed");
  }
}

ASSAY_SCENARIO(cleanup, "CLN-13", "swept", .swept = true) {
  world w(t);
  auto scope = make();
  auto run = co_await run_through(w, *scope, three(), 50ms, role::victim);
  (void)run.what();
  const words closed = w.those("close ");
  t.expect_eq(closed, reversed(sorted(closed)), "resources are closed in reverse order");
  t.expect_eq(w.overlap, std::string(), "one step of cleanup begins when the one before it has ended");
}

ASSAY_SCENARIO(cleanup, "CLN-13", "acquired side by side",
               .why = "the order is that in which the acquisitions succeeded") {
  world w(t);
  w.plans["acquire a"].pause = 5ms;
  w.plans["acquire b"].pause = 2ms;
  w.plans["body"].pause = 10ms;
  auto scope = make();
  auto run = co_await t.begin("run", scope->run(step_of(w, "body")));
  auto slow = co_await t.begin("acquire a", acquire(w, *scope, "a"));
  auto fast = co_await t.begin("acquire b", acquire(w, *scope, "b"));
  co_await ends_within(t, run, 50ms);
  t.expect(slow.done() && fast.done(), "both are acquired");
  t.expect_eq(w.those("close "), words({"a", "b"}), "what was there last is closed first");
}

// ---- what every pattern promises

ASSAY_SCENARIO(cleanup, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  world w(t);
  auto scope = make();
  auto run = co_await t.begin("run", assay::when_cancelled(scope->run(step_of(w, "body"))));
  run.cancel();
  co_await t.advance(20ms);
  t.expect(run.cancelled(), "a run that enters a cancelled scope reports cancelled");
  t.expect_eq(w.log, words(), "and nothing begins");
}

namespace {

asio::awaitable<void> call_when_cancelled(world& w, cleanup& scope) {
  co_await acquire(w, scope, "a");
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await assay::failure_of(assay::sleep_for_ever());
  for (const bool closes : {false, true}) {
    std::exception_ptr failure;
    if (closes) {
      failure = co_await assay::failure_of(scope.close());
    } else {
      failure = co_await assay::failure_of(acquire(w, scope, "b"));
    }
    w.t.expect(assay::is_cancellation(failure), "a call in a cancelled scope reports cancelled");
  }
  w.t.expect(!w.happened("acquire b") && !w.happened("flush a"), "and acquires and closes nothing");
}

}  // namespace

ASSAY_SCENARIO(cleanup, "X-6", "acquire and close", .features = {"strict_entry"}, .sim_only = true) {
  world w(t);
  auto scope = make();
  cleanup& known = *scope;
  auto run = t.start("run", scope->run([&w, &known] { return call_when_cancelled(w, known); }));
  co_await t.advance(10ms);
  presuppose(w, "acquire a: ended");
  run.cancel();
  co_await ends_within(t, run, 20ms);
  (void)run.what();
  t.expect_eq(w.those("close ", ": ended"), words({"a"}), "what is registered is closed in the end");
}

ASSAY_SCENARIO(cleanup, "X-7", "") {
  world w(t);
  w.plans["body"].how = conduct::waits;
  auto scope = make();
  auto run = co_await run_for(w, *scope, one(), 10ms);
  presuppose(w, "body");
  run.request(asio::cancellation_type::partial);
  co_await t.settle();
  run.cancel();
  co_await ends_within(t, run, 20ms);
  t.expect(run.cancelled(), "a stronger request gets through after a weaker one");
  run.cancel();
  co_await t.settle();
  expect_closed(t, w, "repeated requests are harmless");
}

namespace {

asio::awaitable<void> run_then_wait(cleanup& scope, cleanup::step body) {
  co_await scope.run(std::move(body));
  co_await assay::sleep_for_ever();
}

}  // namespace

ASSAY_SCENARIO(cleanup, "X-9", "", .features = {"shielded_cleanup"}) {
  for (const std::string step : {"flush a", "close a"}) {
    world w(t);
    auto scope = make();
    w.plans[step].pause = 10ms;
    cleanup::step body = body_of(w, *scope, one());
    auto run = t.start("run, then wait", run_then_wait(*scope, std::move(body)));
    co_await t.advance(5ms);
    t.premise(w.happened(step) && run.pending(), step + " is under way");
    run.cancel();
    co_await t.advance(50ms);
    t.expect_eq(w.those("close ", ": ended"), words({"a"}), "the request interrupts no cleanup");
    t.expect(run.cancelled(), "a request that was deferred shows at the first suspension after the run");
    co_await t.cancel(run);
  }
}

namespace {

asio::awaitable<void> run_and_compare(trial& t, cleanup& scope, cleanup::step body, bool throwing) {
  co_await asio::this_coro::throw_if_cancelled(throwing);
  const std::exception_ptr failure = co_await assay::failure_of(scope.run(std::move(body)));
  if (failure) t.observe(failure);
  const bool after = co_await asio::this_coro::throw_if_cancelled();
  t.expect_eq(after, throwing, "the run restores the caller's cancellation state");
  co_await assay::sleep_for_ever();
}

}  // namespace

ASSAY_SCENARIO(cleanup, "X-10", "", .sim_only = true) {
  for (const bool throwing : {true, false}) {
    for (const conduct how : {conduct::ends, conduct::fails}) {
      world w(t);
      w.plans["body"].how = how;
      auto scope = make();
      cleanup::step body = body_of(w, *scope, one());
      auto run = t.start("run, then wait", run_and_compare(t, *scope, std::move(body), throwing));
      co_await t.advance(20ms);
      presuppose(w, "close a: ended");
      t.expect(run.pending(), "the caller goes on after the run");
      co_await t.cancel(run);
      t.expect(run.cancelled(), "the caller can be cancelled after the run");
    }
  }
}

ASSAY_SCENARIO(cleanup, "X-11", "", .features = {"bounded_cleanup", "shielded_cleanup"}) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  for (const char* const step : {"flush c", "close b", "flush a"}) w.plans[step].how = conduct::waits;
  auto scope = make({.limit = 10ms});
  auto run = co_await run_and_cancel(w, *scope, three(), 10ms, 60ms);
  (void)run.what();
  t.expect_eq(w.those("force "), reversed(three()), "every shielded section has its own limit");
}

ASSAY_SCENARIO(cleanup, "X-17", "", .features = {"primary_first"}) {
  world w(t);
  w.plans["body"].how = conduct::fails;
  for (const char* const step : {"flush b", "close b", "close a"}) w.plans[step].how = conduct::fails;
  auto scope = make();
  auto run = co_await run_through(w, *scope, two(), 20ms);
  presuppose(w, "close a: failed");
  t.expect_eq(labels_of(run), words({"body", "flush b", "close b", "close a"}),
              "the failures of cleanup do not replace that of the body, and come behind it");
  words tasks;
  for (const auto& member : run.what().members) tasks.push_back(member.task);
  t.expect_eq(tasks, words({"body", "b", "b", "a"}), "each failure has the name of what failed");
}

ASSAY_SCENARIO(cleanup, "X-17", "no primary", .features = {"primary_first"}) {
  world w(t);
  w.plans["flush a"].how = conduct::fails;
  w.plans["close a"].how = conduct::fails;
  auto scope = make();
  auto run = co_await run_through(w, *scope, one(), 20ms);
  presuppose(w, "close a: failed");
  t.expect_eq(labels_of(run), words({"flush a", "close a"}),
              "without a failure of the body cleanup's first is the primary");
}

ASSAY_SCENARIO(cleanup, "X-20", "never used", .features = {"checked_destruction"},
               .why = "what holds nothing may go: the process goes on") {
  world w(t);
  auto unused = make();
  unused.reset();
  auto scope = make();
  auto run = co_await run_through(w, *scope, one(), 20ms);
  t.expect(run.done(), "the run has ended well");
  scope.reset();
  co_await t.settle();
}

ASSAY_SCENARIO(cleanup, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  world w(t);
  w.plans["body"].how = conduct::waits;
  auto scope = make();
  auto run = co_await run_for(w, *scope, one(), 10ms);
  presuppose(w, "body");
  scope.reset();
  t.fail("a scope was destroyed with something open, and nobody noticed");
  run.cancel();
  co_await t.advance(1s);  // what goes on uses the world
}

ASSAY_SCENARIO(cleanup, "X-23", "extreme limits", .features = {"bounded_cleanup"}) {
  for (const auto limit : assay::extreme_durations) {
    if (assay::has_passed(limit)) continue;
    world w(t);
    const std::string time = assay::format_duration(limit);
    w.plans["close a"].how = conduct::waits;
    auto scope = make({.limit = limit});
    auto run = co_await run_for(w, *scope, one(), 5ms);
    if (assay::is_endless(limit)) {
      co_await t.pass(assay::long_time);
      t.expect(run.pending() && !w.happened("force a"),
               "a limit without end closes nothing by force: " + time);
      run.cancel();
      co_await t.advance(1ms);
      force(w, "a");
    } else {
      t.expect(w.happened("force a"), "what outlasts its limit is closed by force: " + time);
    }
    co_await ends_within(t, run, 20ms);
    (void)run.what();
  }
}

ASSAY_SCENARIO(cleanup, "X-25", "", .features = {"bounded_cleanup"},
               .why = "a limit of no time: closed or closed by force, at once and once") {
  for (const auto limit : {nanoseconds(0), nanoseconds(-5), nanoseconds::min()}) {
    world w(t);
    w.plans["flush a"].how = conduct::waits;
    auto scope = make({.limit = limit});
    auto run = co_await run_for(w, *scope, one(), 2ms);
    co_await t.settle();
    t.expect(w.happened("body: ended") && run.ended(), "a limit that has passed ends cleanup at once");
    (void)run.what();
    t.expect_eq(w.those("force "), words({"a"}), "and the resource is closed by force, once");
    co_await ends_within(t, run, 20ms);
  }
}

ASSAY_SCENARIO(cleanup, "X-28", "", .features = {"statistics", "bounded_cleanup"}) {
  world w(t);
  w.plans["flush b"].how = conduct::waits;
  w.plans["close a"].how = conduct::fails;
  w.plans["acquire d"].how = conduct::fails;
  auto scope = make({.limit = 10ms});
  const auto counts = [&scope] {
    const auto now = scope->statistics();
    const auto again = scope->statistics();
    return std::vector<std::size_t>{now.open, now.closed, now.forced, again.open, again.closed, again.forced};
  };
  using numbers = std::vector<std::size_t>;
  t.expect_eq(counts(), numbers({0, 0, 0, 0, 0, 0}), "nothing is counted at first");
  auto run = co_await run_for(w, *scope, four(), 3500us);
  presuppose(w, "acquire d");
  t.expect_eq(counts(), numbers({3, 0, 0, 3, 0, 0}),
              "what was acquired is open, and looking twice changes nothing");
  co_await t.advance(5ms);
  presuppose(w, "flush b");
  t.expect_eq(counts(), numbers({2, 1, 0, 2, 1, 0}), "what was closed is counted so");
  co_await ends_within(t, run, 50ms);
  (void)run.what();
  t.expect_eq(counts(), numbers({0, 2, 1, 0, 2, 1}), "in the end everything is closed or closed by force");
}

ASSAY_SCENARIO(cleanup, "X-29", "", .features = {"bounded_cleanup"}) {
  world w(t);
  for (const char* const step : {"flush c", "close a"}) w.plans[step].how = conduct::waits;
  auto scope = make({.limit = 10ms});
  auto run = co_await run_through(w, *scope, three(), 100ms);
  (void)run.what();
  t.expect_eq(scope->forced(), words({"c", "a"}), "every close by force is named, in their order");
}

ASSAY_SCENARIO(cleanup, "X-36", "", .features = {"sticky_request"}) {
  for (const char* const step : {"flush a", "close a"}) {
    world w(t);
    w.plans["body"].how = conduct::waits;
    w.plans[step].how = conduct::fails;
    auto scope = make();
    cleanup::step body = body_of(w, *scope, one());
    auto run = t.start("run, and go on", assay::fail_and_go_on(t, scope->run(std::move(body))));
    co_await t.advance(10ms);
    presuppose(w, "body");
    run.cancel();
    co_await t.advance(20ms);
    t.expect(run.cancelled(),
             "the request that met a failure of cleanup shows at its caller's next suspension");
    co_await t.cancel(run);
  }
}
