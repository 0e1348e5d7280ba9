// The clauses of graceful_shutdown, each beside the scenario that checks it.
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::item;
using assay::trial;
using contract_type = assay::contract::graceful_shutdown;
using phase = assay::contract::shutdown_phase;
using report = assay::contract::shutdown_report;
using nanoseconds = std::chrono::nanoseconds;
using names = std::vector<std::string>;

ASSAY_CONTRACT(graceful_shutdown, "lifecycle", "ordered stop with budgets and signals");

// ---- What a service consists of in these scenarios. Everything leaves marks: "NAME begins", "NAME ends",
// "NAME cancelled".

asio::awaitable<void> sleep(nanoseconds duration) {
  asio::steady_timer timer(co_await asio::this_coro::executor, duration);
  co_await timer.async_wait(asio::use_awaitable);
}

/// Takes this long, and stops at once when it is asked to.
asio::awaitable<void> take(trial& t, std::string name, nanoseconds duration) {
  t.mark(name + " begins");
  std::exception_ptr failure;
  try {
    co_await sleep(duration);
  } catch (...) {
    failure = std::current_exception();
  }
  t.mark(name + (failure ? " cancelled" : " ends"));
  if (failure) std::rethrow_exception(failure);
}

/// Takes this long, whoever asks.
asio::awaitable<void> insist(trial& t, std::string name, nanoseconds duration) {
  t.mark(name + " begins");
  co_await assay::shield(sleep(duration));
  t.mark(name + " ends");
}

/// Runs until it is asked to stop, or for so long if nobody asks, and needs this long then.
asio::awaitable<void> linger(trial& t, std::string name, nanoseconds after, nanoseconds unasked = 1000s) {
  t.mark(name + " begins");
  std::exception_ptr failure;
  try {
    co_await sleep(unasked);
  } catch (...) {
    failure = std::current_exception();
  }
  t.mark(name + " asked to stop");
  co_await assay::hold_requests;
  co_await assay::shield(sleep(after));
  t.mark(name + " ends");
  if (failure) std::rethrow_exception(failure);
}

/// Runs until it is asked to stop, and fails then.
asio::awaitable<void> fail_when_asked(trial& t, std::string name) {
  bool asked = false;
  try {
    co_await sleep(1000s);
  } catch (...) {
    asked = true;
  }
  if (asked) t.raise(name + " fails");
}

asio::awaitable<void> fail_after(trial& t, std::string name, nanoseconds delay) {
  t.mark(name + " begins");
  co_await sleep(delay);
  t.raise(name + " fails");
}

asio::awaitable<void> give_up(trial& t, std::string name) {
  co_await sleep(1ms);
  t.mark(name + " gives up");
  assay::contract::throw_cancelled();
}

using handler = contract_type::handler;
handler taking(trial& t, nanoseconds duration) {
  return [&t, duration](item& one) { return take(t, "work " + std::to_string(one.id()), duration); };
}
handler insisting(trial& t, nanoseconds duration) {
  return [&t, duration](item& one) { return insist(t, "work " + std::to_string(one.id()), duration); };
}
handler lingering(trial& t, nanoseconds after, nanoseconds unasked = 1000s) {
  return [&t, after, unasked](item& one) {
    return linger(t, "work " + std::to_string(one.id()), after, unasked);
  };
}
handler failing_when_asked(trial& t) {
  return [&t](item& one) { return fail_when_asked(t, "work " + std::to_string(one.id())); };
}

contract_type::async_function doing(trial& t, std::string name, nanoseconds duration = 0s) {
  return [&t, name, duration] { return take(t, name, duration); };
}

/// A resource that opens and closes in no time: "open NAME ends", "close NAME ends".
void add_resource(trial& t, contract_type& shutdown, const std::string& name) {
  shutdown.add_resource(name, doing(t, "open " + name), doing(t, "close " + name));
}
void add_background(trial& t, contract_type& shutdown, const std::string& name, nanoseconds after = 0s) {
  shutdown.add_background(name, [&t, name, after] { return linger(t, name, after); });
}

// ---- What is seen of the subject

struct seen {
  std::vector<phase> phases;
  names told;    // failures that did not wait for the report
  names forced;  // forced actions
};

/// The phases become marks ("phase drain"), the failures are observed.
std::shared_ptr<seen> watch(trial& t, contract_type& shutdown) {
  auto log = std::make_shared<seen>();
  shutdown.observe([&t, log](phase entered) {
    log->phases.push_back(entered);
    t.mark(std::string("phase ") + boost::describe::enum_to_string(entered, "?"));
  });
  shutdown.on_failure([&t, log](const std::string& name, const std::exception_ptr& error) {
    log->told.push_back(name);
    t.observe(error);
  });
  return log;
}

bool has(std::span<const std::string> all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}
bool marked(const trial& t, std::string_view label) { return has(t.marks(), label); }
std::size_t times_marked(const trial& t, std::string_view label) {
  return static_cast<std::size_t>(std::count(t.marks().begin(), t.marks().end(), label));
}

/// The names of all failures that the report holds, which are observed thereby.
names failures_in(trial& t, const report& ended) {
  names all;
  for (const report::failure& each : ended.failures) {
    all.push_back(each.name);
    t.observe(each.error);
  }
  return all;
}

/// SHD-1: in order, each entered once, and those of every stop among them.
void expect_phases(trial& t, const seen& log) {
  const auto& all = log.phases;
  const bool ordered =
      std::adjacent_find(all.begin(), all.end(), [](phase a, phase b) { return a >= b; }) == all.end();
  t.expect(ordered, "the phases come in order, each entered once");
  for (const phase each :
       {phase::not_ready, phase::stop_accepting, phase::drain, phase::cleanup, phase::stopped}) {
    t.expect(std::find(all.begin(), all.end(), each) != all.end(),
             std::string("the phase ") + boost::describe::enum_to_string(each, "?") + " is entered");
  }
}

/// What was told and what the report holds: together exactly these, each in this order.
void expect_failures(trial& t, const names& told, const names& reported, const names& expected,
                     const std::string& message) {
  const auto in_order = [&expected](const names& some) {
    auto place = expected.begin();
    for (const std::string& each : some) {
      place = std::find(place, expected.end(), each);
      if (place == expected.end()) return false;
      ++place;
    }
    return true;
  };
  names all = told;
  all.insert(all.end(), reported.begin(), reported.end());
  if (!in_order(told) || !in_order(reported)) {
    t.expect_eq(all, expected, message);
    return;
  }
  std::sort(all.begin(), all.end());
  names wanted = expected;
  std::sort(wanted.begin(), wanted.end());
  t.expect_eq(all, wanted, message);
}

enum class admission { taken, refused };
/// Offers work. Any error but a refusal goes on to the scenario.
admission offer(contract_type& shutdown, item one, handler work) {
  try {
    shutdown.admit(std::move(one), std::move(work));
  } catch (const assay::contract::rejected_error&) {
    return admission::refused;
  } catch (const assay::contract::closed_error&) {
    return admission::refused;
  }
  return admission::taken;
}

/// Goes on just before this instant, counted from the beginning of the trial; everything before it has run.
asio::awaitable<void> just_before(trial& t, nanoseconds instant) {
  co_await t.advance(instant - 1ns - t.elapsed());
  co_await t.settle();
}
/// Goes on when everything that is due at this instant has run.
asio::awaitable<void> at(trial& t, nanoseconds instant) {
  co_await t.advance(instant - t.elapsed());
  co_await t.settle();
}

/// Goes on when run() has ended, as it must have by now. If it has not, the trial is over, but nothing is
/// taken apart under its feet: the scenario, which holds the subject, stays where it is.
asio::awaitable<void> finish(trial& t, const assay::operation<report>& run) {
  if (!t.expect(run.ended(), "run() ends")) co_await t.advance(nanoseconds::max());
}

// ---- Order

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-1", must,
    "The phases of a stop come in order, each entered at most once, whenever the stop is requested, also "
    "during "
    "the start and before it: not ready, stop accepting, drain, force-cancel, background stopped, cleanup, "
    "stopped. The service is ready in none of them, nor before it runs.") {
  auto shutdown = make({.drain = 10s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed");
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  t.expect(shutdown->ready(), "the service is ready once it runs");
  shutdown->admit(t.item(1), taking(t, 3s));
  co_await t.settle();
  shutdown->request_stop();
  co_await t.settle();
  t.expect(!shutdown->ready(), "the stop makes it not ready");
  co_await at(t, 3s);
  co_await finish(t, run);
  t.mark("run ended");
  expect_phases(t, *log);
  t.expect_before("open pool ends", "phase not_ready");
  t.expect_before("phase stop_accepting", "work 1 ends");
  t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("feed ends", "phase cleanup");
  t.expect_before("phase cleanup", "close pool begins");
  t.expect_before("close pool ends", "phase stopped");
  t.expect(failures_in(t, run.value()).empty(), "nothing failed");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-1", "before_run") {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed");
  shutdown->request_stop();
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  co_await finish(t, run);
  expect_phases(t, *log);
  t.expect(!marked(t, "open pool begins"), "nothing is started");
  t.expect(!marked(t, "feed begins"), "no background task is started");
  t.expect(!marked(t, "phase running"), "the service never runs");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-1", "any_trigger",
               .why =
                   "The moment of the request is a choice: before run(), as it begins, during the start, "
                   "serving, busy, idle; it comes twice, and again in every later phase.") {
  auto shutdown = make({.drain = 4s});
  const auto log = watch(t, *shutdown);
  shutdown->add_resource("pool", doing(t, "open pool", 2s), doing(t, "close pool", 1s));
  add_background(t, *shutdown, "feed", 1s);
  // In seconds; 0 is before run(), 1 the turn in which it may begin. The service runs from 2 s on, busy from
  // 4 s to 7 s.
  const std::uint32_t moment = t.choices().pick(assay::choice_kind::user, 10);
  if (moment == 0) shutdown->request_stop();
  auto run = t.start("run", shutdown->run());
  if (moment == 1) shutdown->request_stop();
  bool working = false;
  for (std::uint32_t second = 1; second < 12; ++second) {
    co_await at(t, std::chrono::seconds(second));
    if (second == 4) working = offer(*shutdown, t.item(1), taking(t, 3s)) == admission::taken;
    if (moment > second) continue;
    shutdown->request_stop();
    shutdown->request_stop();
  }
  co_await at(t, 20s);
  t.sometimes("stopped before the service takes work", !working);
  t.sometimes("stopped while it works", working);
  co_await finish(t, run);
  expect_phases(t, *log);
  t.expect_eq(times_marked(t, "close pool begins"), times_marked(t, "open pool ends"),
              "what was opened is closed, once");
  t.expect_eq(times_marked(t, "work 1 ends"), working ? 1U : 0U, "admitted work is finished");
  if (working) t.expect_before("work 1 ends", "close pool begins");
  t.expect(failures_in(t, run.value()).empty(), "nothing failed");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-1", "swept", .features = {"stop_on_cancel"}, .swept = true) {
  auto shutdown = make({.drain = 10s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed");
  auto run = t.start("run", shutdown->run());
  t.victim(run);
  co_await at(t, 1s);
  (void)offer(*shutdown, t.item(1), taking(t, 3s));
  co_await at(t, 2s);
  shutdown->request_stop();
  co_await at(t, 20s);
  co_await finish(t, run);
  if (run.cancelled()) {
    t.expect(log->phases.empty(), "a run() that ends as cancelled has not begun");
    co_return;
  }
  expect_phases(t, *log);
  t.expect_eq(times_marked(t, "close pool begins"), times_marked(t, "open pool ends"),
              "what was opened is closed, once");
  if (marked(t, "work 1 begins") && marked(t, "close pool begins")) {
    const bool finished = marked(t, "work 1 ends");
    t.expect_before(finished ? "work 1 ends" : "work 1 cancelled", "close pool begins");
  }
  t.expect(t.items().balanced(), "every item is accounted for", t.items().summary());
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-2", must,
             "A request to stop is idempotent, and wakes an idle service.") {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  auto run = t.start("run", shutdown->run());
  co_await at(t, 5s);
  t.expect(run.pending() && shutdown->ready(), "the service idles");
  shutdown->request_stop();
  shutdown->request_stop();
  co_await t.settle();
  t.expect(run.ended(), "an idle service wakes up and stops");
  shutdown->request_stop();
  co_await at(t, 10s);
  co_await finish(t, run);
  t.expect_eq(times_marked(t, "close pool begins"), 1U, "one stop, however often it is requested");
  expect_phases(t, *log);
}

asio::awaitable<void> request_stop_of(contract_type& shutdown) {
  shutdown.request_stop();
  co_return;
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-2", "from_several") {
  auto shutdown = make({.drain = 10s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed");
  auto first = t.start("request 1", request_stop_of(*shutdown));
  auto run = t.start("run", shutdown->run());
  auto second = t.start("request 2", request_stop_of(*shutdown));
  co_await t.settle();
  t.expect(first.done() && second.done(), "a request never waits");
  co_await finish(t, run);
  expect_phases(t, *log);
  t.expect_eq(times_marked(t, "close pool begins"), times_marked(t, "open pool ends"), "one stop");
}

// ---- Grace, admission, drain

asio::awaitable<void> check_grace(trial& t, contract_type& shutdown, nanoseconds grace) {
  const auto log = watch(t, shutdown);
  auto run = t.start("run", shutdown.run());
  co_await at(t, 1s);
  shutdown.request_stop();
  co_await t.settle();
  t.expect(!shutdown.ready(), "readiness turns false as soon as the stop is requested");
  const admission early = offer(shutdown, t.item(1), taking(t, 10ms));
  t.expect(early == admission::taken, "work is accepted at the beginning of the grace period");
  co_await just_before(t, 1s + grace);
  t.expect(!shutdown.ready(), "readiness stays false");
  const admission late = offer(shutdown, t.item(2), taking(t, 10ms));
  t.expect(late == admission::taken, "work is accepted until the grace period ends");
  co_await at(t, 1s + grace);
  const admission after = offer(shutdown, t.item(3), taking(t, 10ms));
  t.expect(after == admission::refused, "work is refused after the grace period");
  co_await at(t, 2s + grace);
  co_await finish(t, run);
  t.expect(marked(t, "work 1 ends") && marked(t, "work 2 ends"), "what was accepted is done");
  t.expect_before("phase not_ready", "phase stop_accepting");
  expect_phases(t, *log);
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-3", must,
             "Readiness turns false before work is refused, which is still accepted during the grace period.",
             .features = {"grace"}) {
  auto shutdown = make({.grace = 1s});
  co_await check_grace(t, *shutdown, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-3", "longer", .features = {"grace"}) {
  auto shutdown = make({.grace = 4s});
  co_await check_grace(t, *shutdown, 4s);
}

asio::awaitable<void> check_drain(trial& t, contract_type& shutdown, nanoseconds drain) {
  const auto log = watch(t, shutdown);
  auto run = t.start("run", shutdown.run());
  co_await at(t, 1s);
  shutdown.admit(t.item(1), taking(t, drain + 1s - 2ns));
  co_await at(t, 2s);
  shutdown.request_stop();
  co_await t.settle();
  const admission late = offer(shutdown, t.item(2), taking(t, 0s));
  t.expect(late == admission::refused, "work offered after accepting has stopped is refused with an error");
  co_await just_before(t, 2s + drain);
  t.expect(marked(t, "work 1 ends"), "work that ends within the drain budget is left to end");
  co_await t.settle();
  co_await finish(t, run);
  t.expect(!marked(t, "work 2 begins"), "refused work never begins");
  t.expect(t.items().state(1) == assay::item_state::delivered, "the admitted item is done");
  t.expect(t.items().state(2) == assay::item_state::returned, "the refused item is the caller's");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-4", must,
             "Work admitted before accepting stops has the whole drain budget; work offered before the "
             "service runs, or afterwards, is refused with a distinct error.") {
  auto shutdown = make({.drain = 3s});
  co_await check_drain(t, *shutdown, 3s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-4", "longer") {
  auto shutdown = make({.drain = 9s});
  co_await check_drain(t, *shutdown, 9s);
}

ASSAY_SCENARIO(
    graceful_shutdown, "SHD-4", "same_turn",
    .why = "Work that is admitted in the turn of the request, before or after it, is done or refused.") {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  const admission before = offer(*shutdown, t.item(1), taking(t, 1s));
  shutdown->request_stop();
  const admission after = offer(*shutdown, t.item(2), taking(t, 1s));
  t.expect(before == admission::taken, "work is taken until the stop is requested");
  co_await at(t, 1s);
  co_await finish(t, run);
  t.expect(marked(t, "work 1 ends"), "work admitted just before the request is done");
  t.expect_eq(marked(t, "work 2 ends"), after == admission::taken, "work is done if it was taken");
  t.expect_before("work 1 ends", "close pool begins");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-5", must, "The drain ends as soon as nothing is in flight.") {
  auto shutdown = make({.drain = 10s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 2s));
  shutdown->admit(t.item(2), taking(t, 5s));
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await just_before(t, 5s);
  t.expect(marked(t, "work 1 ends"), "the shorter work has ended");
  t.expect(run.pending(), "the drain lasts while work is in flight");
  co_await at(t, 5s);
  t.expect(run.ended(), "the drain ends with the last work");
  co_await at(t, 20s);
  co_await finish(t, run);
  t.expect(!marked(t, "phase force_cancel"), "nothing is forced");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-5", "idle") {
  auto shutdown = make({.drain = 10s});
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 1s));
  co_await at(t, 2s);
  shutdown->request_stop();
  co_await t.settle();
  t.expect(run.ended(), "with nothing in flight there is nothing to wait for");
  co_await at(t, 20s);
  co_await finish(t, run);
}

// ---- Force

asio::awaitable<void> check_force(trial& t, contract_type& shutdown, nanoseconds drain, nanoseconds force) {
  const auto log = watch(t, shutdown);
  add_resource(t, shutdown, "pool");
  auto run = t.start("run", shutdown.run());
  co_await at(t, 1s);
  shutdown.admit(t.item(1), taking(t, 100s));
  shutdown.admit(t.item(2), insisting(t, 50s));
  shutdown.request_stop();
  co_await just_before(t, 1s + drain);
  t.expect(!marked(t, "work 1 cancelled"), "nothing is cancelled before the drain deadline");
  co_await at(t, 1s + drain);
  t.expect(marked(t, "work 1 cancelled"), "what is left at the drain deadline is cancelled");
  co_await just_before(t, 1s + drain + force);
  t.expect(!marked(t, "close pool begins"), "cancelled work is awaited up to the force budget");
  co_await at(t, 1s + drain + force);
  co_await finish(t, run);
  t.expect(marked(t, "close pool ends"), "the cleanup follows");
  const report& ended = run.value();
  t.expect(has(ended.survivors, "work 2"), "who ignored being cancelled is named in the report");
  t.expect(!has(ended.survivors, "work 1"), "who obeyed is no survivor");
  t.expect(has(ended.unfinished, "work 1") && has(ended.unfinished, "work 2"),
           "both are reported as unfinished");
  t.expect(ended.forced, "the report says that the stop was forced");
  t.expect(failures_in(t, ended).empty(), "being cancelled is no failure");
  co_await at(t, 60s);  // the survivor ends
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-6", must,
             "At the drain deadline what is left is cancelled and awaited up to the force budget; survivors "
             "are named in "
             "the report.",
             .features = {"force"}) {
  auto shutdown = make({.drain = 3s, .force = 1s});
  co_await check_force(t, *shutdown, 3s, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-6", "longer", .features = {"force"}) {
  auto shutdown = make({.drain = 7s, .force = 4s});
  co_await check_force(t, *shutdown, 7s, 4s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-6", "failing", .features = {"force"},
               .why = "Work that fails while it is cancelled: the failure is told.") {
  auto shutdown = make({.drain = 1s, .force = 1s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), failing_when_asked(t));
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 1s);
  co_await finish(t, run);
  names failures = failures_in(t, run.value());
  failures.insert(failures.end(), log->told.begin(), log->told.end());
  t.expect_eq(failures, names{"work 1"}, "what cancelled work fails with is reported");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-6", "swept", .features = {"force", "stop_on_cancel"}, .swept = true) {
  auto shutdown = make({.drain = 2s, .force = 1s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  auto run = t.start("run", shutdown->run());
  t.victim(run);
  co_await at(t, 1s);
  const bool first = offer(*shutdown, t.item(1), taking(t, 100s)) == admission::taken;
  const bool second = offer(*shutdown, t.item(2), insisting(t, 30s)) == admission::taken;
  shutdown->request_stop();
  co_await at(t, 4s);
  t.expect(run.ended(), "run() ends within its budgets");
  co_await at(t, 40s);
  co_await finish(t, run);
  if (run.cancelled()) co_return;
  const report& ended = run.value();
  if (first) t.expect(has(ended.unfinished, "work 1"), "cancelled work is reported as unfinished");
  if (second && marked(t, "work 2 begins")) t.expect(has(ended.survivors, "work 2"), "the survivor is named");
  t.expect(t.items().balanced(), "every item is accounted for", t.items().summary());
}

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-7", must,
    "No phase begins before the tasks of the one before have ended: no resource is closed while a "
    "task that may use it is alive, unless the budget ran out, which is flagged. At the drain deadline "
    "`force` decides (SHD-6); without it the work that is left is waited for, or left alone and named "
    "in the report.") {
  auto shutdown = make({.drain = 10s, .background = 3s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed", 2s);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 4s));
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await just_before(t, 4s);
  t.expect(!marked(t, "feed asked to stop"), "background tasks serve the work until it has ended");
  co_await at(t, 4s);
  t.expect(marked(t, "feed asked to stop"), "they are asked to stop when the last work has ended");
  co_await just_before(t, 6s);
  t.expect(!marked(t, "close pool begins"), "nothing is closed while a background task is alive");
  co_await at(t, 6s);
  co_await finish(t, run);
  t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("feed ends", "close pool begins");
  t.expect(!run.value().forced, "a stop within the budgets is not forced");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "forced", .features = {"force"}) {
  auto shutdown = make({.drain = 1s, .force = 3s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed");
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), lingering(t, 2s));
  co_await t.settle();
  shutdown->request_stop();
  co_await just_before(t, 3s);
  t.expect(!marked(t, "feed asked to stop"), "background tasks outlive work that is being cancelled");
  co_await at(t, 3s);
  co_await finish(t, run);
  t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("feed ends", "close pool begins");
  t.expect(run.value().survivors.empty(), "nobody survived");
}

ASSAY_SCENARIO(
    graceful_shutdown, "SHD-7", "flagged", .features = {"force"},
    .why = "A background task that ignores being stopped is waited for as long as its budget, and named.") {
  auto shutdown = make({.drain = 1s, .background = 2s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  shutdown->add_background("feed", [&t] { return insist(t, "feed", 20s); });
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->request_stop();
  co_await just_before(t, 2s);
  t.expect(!marked(t, "close pool begins"), "nothing is closed within the budget");
  co_await at(t, 2s);
  co_await finish(t, run);
  t.expect(has(run.value().survivors, "feed") && run.value().forced, "the survivor is flagged");
  co_await at(t, 30s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "swept", .features = {"stop_on_cancel"}, .swept = true,
               .why = "Without `force`, work may be waited for for as long as it takes, or be left alone.") {
  auto shutdown = make({.drain = 10s, .background = 3s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  add_background(t, *shutdown, "feed", 1s);
  auto run = t.start("run", shutdown->run());
  t.victim(run);
  co_await t.settle();
  (void)offer(*shutdown, t.item(1), lingering(t, 1s, 200s));
  co_await at(t, 20s);
  shutdown->request_stop();
  co_await at(t, 50s);
  const bool forces = make.claims("force");
  if (!forces) co_await at(t, 300s);
  co_await finish(t, run);
  if (run.cancelled()) co_return;
  const report& ended = run.value();
  if (marked(t, "feed begins")) t.expect_before("feed ends", "close pool begins");
  if (!marked(t, "work 1 begins")) co_return;
  if (!forces && has(ended.survivors, "work 1")) {
    t.expect(has(ended.unfinished, "work 1") && ended.forced, "work that is left alone is flagged");
    co_return;
  }
  if (marked(t, "feed begins")) t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("work 1 ends", "close pool begins");
}

// ---- Cleanup

/// Remembers the order in which callbacks began: "c b a".
std::string order_of(const trial& t, const names& wanted) {
  std::string order;
  for (const std::string& mark : t.marks()) {
    for (const std::string& each : wanted)
      if (mark == each + " begins") order += (order.empty() ? "" : " ") + each;
  }
  return order;
}

contract_type::function failing_callback(trial& t, std::string name) {
  return [&t, name] {
    t.mark(name + " begins");
    t.raise(name + " fails");
  };
}

asio::awaitable<void> check_callbacks(trial& t, contract_type& shutdown, nanoseconds bound,
                                      nanoseconds force) {
  const auto log = watch(t, shutdown);
  shutdown.add_async_callback("a", doing(t, "a"));
  shutdown.add_async_callback("b", [&t] { return insist(t, "b", 40s); });
  shutdown.add_callback("c", failing_callback(t, "c"));
  shutdown.add_async_callback("d", doing(t, "d", 100s));
  shutdown.add_async_callback("e", [&t] { return fail_after(t, "e", 0s); });
  shutdown.add_async_callback("f", doing(t, "f", bound - 1ms));
  auto run = t.start("run", shutdown.run());
  co_await t.settle();
  shutdown.request_stop();
  co_await just_before(t, 2 * bound - 1ms);
  t.expect(marked(t, "f ends"), "a callback has the whole of its budget");
  t.expect(!marked(t, "d cancelled"), "nobody is cut short");
  co_await at(t, 2 * bound - 1ms);
  t.expect(marked(t, "d cancelled"), "a callback that takes too long is asked to stop");
  co_await at(t, 3 * bound + force);
  t.expect(run.ended(), "a callback that ignores this is left alone");
  co_await at(t, 60s);
  co_await finish(t, run);
  t.expect_eq(order_of(t, {"a", "b", "c", "d", "e", "f"}), "f e d c b a",
              "callbacks run in reverse order of registration, each once, whatever the others do");
  names failures = failures_in(t, run.value());
  failures.insert(failures.end(), log->told.begin(), log->told.end());
  std::sort(failures.begin(), failures.end());
  t.expect(has(failures, "c") && has(failures, "e"), "all failures are reported");
  t.expect(run.value().forced, "a callback that was left alone makes the stop a forced one");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-8", must,
             "Cleanup callbacks run in reverse order of registration, each at most once, each bounded in "
             "time; one that "
             "fails does not stop the rest, and all failures are reported.",
             .features = {"callbacks"}) {
  auto shutdown = make({.drain = 1s, .force = 1s, .callback = 1s, .cleanup = 10s});
  co_await check_callbacks(t, *shutdown, 1s, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-8", "longer", .features = {"callbacks"}) {
  auto shutdown = make({.drain = 1s, .force = 2s, .callback = 4s, .cleanup = 15s});
  co_await check_callbacks(t, *shutdown, 4s, 2s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-8", "resources", .features = {"callbacks"}) {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  shutdown->add_callback("log", [&t] { t.mark("log begins"); });
  add_resource(t, *shutdown, "user");
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->request_stop();
  co_await t.settle();
  co_await finish(t, run);
  t.expect_eq(order_of(t, {"close pool", "log", "close user"}), "close user log close pool",
              "a pool is closed after its user");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-8", "swept", .features = {"callbacks", "stop_on_cancel"},
               .swept = true) {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  shutdown->add_async_callback("a", doing(t, "a", 1s));
  shutdown->add_callback("b", failing_callback(t, "b"));
  shutdown->add_async_callback("c", doing(t, "c", 1s));
  auto run = t.start("run", shutdown->run());
  t.victim(run);
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await at(t, 10s);
  co_await finish(t, run);
  if (run.cancelled()) co_return;
  t.expect_eq(order_of(t, {"a", "b", "c"}), "c b a", "callbacks run in reverse order, each once");
  t.expect(marked(t, "c ends") && marked(t, "a ends"), "no cancellation reaches a callback");
  names failures = failures_in(t, run.value());
  failures.insert(failures.end(), log->told.begin(), log->told.end());
  t.expect_eq(failures, names{"b"}, "the failure is reported");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-9", must,
             "Synchronous and asynchronous callbacks are both supported, and the latter are awaited.",
             .features = {"callbacks"}) {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  shutdown->add_callback("last", [&t] { t.mark("last begins"); });
  shutdown->add_async_callback("slow", doing(t, "slow", 1s));
  shutdown->add_callback("first", [&t] { t.mark("first begins"); });
  auto run = t.start("run", shutdown->run());
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await just_before(t, 2s);
  t.expect(marked(t, "first begins"), "a synchronous callback is called");
  t.expect(marked(t, "slow begins"), "an asynchronous callback is begun");
  t.expect(!marked(t, "last begins"), "an asynchronous callback is awaited");
  co_await at(t, 2s);
  co_await finish(t, run);
  t.expect_before("slow ends", "last begins");
}

// ---- Escalation

ASSAY_CLAUSE(graceful_shutdown, "SHD-10", must,
             "Escalation during the drain goes straight to force-cancel; before the drain it takes effect "
             "when the drain begins; it never restarts the cleanup nor shortens it below its minimum. With "
             "`signals` a second stop signal escalates, with `cancel_escalates` a cancel of a run() that is "
             "stopping.",
             .features = {"force"}) {
  auto shutdown = make({.drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  shutdown->admit(t.item(2), lingering(t, 1s));
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await just_before(t, 3s);
  t.expect(!marked(t, "work 1 cancelled"), "the drain goes on until then");
  co_await at(t, 3s);
  shutdown->escalate();
  co_await t.settle();
  t.expect(marked(t, "work 1 cancelled"), "an escalation in the drain cancels at once");
  co_await just_before(t, 4s);
  t.expect(run.pending(), "cancelled work is still awaited");
  co_await at(t, 4s);
  co_await finish(t, run);
  t.expect(run.value().survivors.empty(), "the force budget is not cut short");
  t.expect(run.value().forced, "the stop was forced");
  expect_phases(t, *log);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "before_drain", .features = {"force", "grace"}) {
  auto shutdown = make({.grace = 3s, .drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await at(t, 2s);
  shutdown->escalate();
  shutdown->escalate();
  co_await just_before(t, 4s);
  t.expect(!marked(t, "work 1 cancelled"), "the grace period goes on");
  co_await at(t, 4s);
  t.expect(marked(t, "work 1 cancelled"), "an escalation before the drain cancels as the drain begins");
  co_await finish(t, run);
  expect_phases(t, *log);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "in_cleanup", .features = {"force", "callbacks", "budgets"}) {
  auto shutdown = make({.callback = 4s, .cleanup = 4s});
  const auto log = watch(t, *shutdown);
  shutdown->add_async_callback("a", doing(t, "a", 1s));
  shutdown->add_async_callback("b", doing(t, "b", 2s));
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 1s);
  shutdown->escalate();
  co_await at(t, 2500ms);
  shutdown->escalate();
  co_await at(t, 10s);
  co_await finish(t, run);
  t.expect(marked(t, "a ends") && marked(t, "b ends"), "the cleanup keeps its minimum");
  t.expect_eq(order_of(t, {"a", "b"}), "b a", "the cleanup is not begun again");
  expect_phases(t, *log);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "signals", .features = {"force", "signals"}) {
  auto shutdown = make({.drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  co_await at(t, 1s);
  shutdown->signal();
  co_await at(t, 2s);
  t.expect(!shutdown->ready(), "the first signal requests a stop");
  t.expect(!marked(t, "work 1 cancelled"), "and no more than that");
  shutdown->signal();
  co_await t.settle();
  t.expect(marked(t, "work 1 cancelled"), "the second signal escalates");
  co_await finish(t, run);
}

// ---- Budgets

bool accepts(const assay::maker<contract_type>& make, assay::contract::graceful_shutdown_config config) {
  try {
    const auto made = make(config);
    return true;
  } catch (const assay::contract::rejected_error&) {
    return false;
  }
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-11", must,
             "The budgets of the phases, with what was spent before the request, fit into the total, or are "
             "refused; a "
             "watchdog ends every wait when the total is spent.",
             .features = {"budgets", "force"}) {
  assay::contract::graceful_shutdown_config config{
      .grace = 1s, .drain = 5s, .force = 2s, .background = 2s, .cleanup = 4s, .pre_stop = 3s, .total = 17s};
  t.expect(accepts(make, config), "budgets that fill the total are accepted");
  config.total = 17s - 1ns;
  t.expect(!accepts(make, config), "budgets that exceed the total are refused");
  config.total = 14s;
  t.expect(!accepts(make, config), "what was spent before the request counts");
  config.pre_stop = 0s;
  t.expect(accepts(make, config), "without it they fit");
  t.expect(accepts(make, {}), "the defaults fit");
  co_return;
}

/// Nobody listens: every wait lasts as long as it may.
asio::awaitable<void> check_watchdog(trial& t, contract_type& shutdown, nanoseconds end) {
  const auto log = watch(t, shutdown);
  for (const char* const name : {"a", "b", "c", "d", "e", "f", "g", "h"})
    shutdown.add_async_callback(name, [&t, name] { return insist(t, name, 50s); });
  shutdown.add_background("feed", [&t] { return insist(t, "feed", 50s); });
  auto run = t.start("run", shutdown.run());
  co_await at(t, 1s);
  shutdown.admit(t.item(1), insisting(t, 50s));
  shutdown.request_stop();
  co_await at(t, 1s + end);
  t.expect(run.ended(), "run() ends when the total is spent, whoever does not listen");
  co_await at(t, 100s);
  co_await finish(t, run);
  t.expect(run.value().forced, "the stop was forced");
  t.expect(has(run.value().survivors, "work 1") && has(run.value().survivors, "feed"), "survivors are named");
  expect_phases(t, *log);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "watchdog", .features = {"budgets", "force", "callbacks"}) {
  auto shutdown = make({.drain = 3s,
                        .force = 2s,
                        .background = 2s,
                        .callback = 2s,
                        .cleanup = 5s,
                        .pre_stop = 0s,
                        .total = 14s});
  co_await check_watchdog(t, *shutdown, 14s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "pre_stop", .features = {"budgets", "force", "callbacks"}) {
  auto shutdown = make({.drain = 3s,
                        .force = 2s,
                        .background = 2s,
                        .callback = 2s,
                        .cleanup = 5s,
                        .pre_stop = 8s,
                        .total = 25s});
  co_await check_watchdog(t, *shutdown, 17s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "used_up", .features = {"budgets", "force", "callbacks"},
               .why = "Everybody uses the whole budget and no more: nobody is cut short.") {
  auto shutdown =
      make({.drain = 3s, .force = 2s, .background = 2s, .callback = 5s, .cleanup = 5s, .total = 12s});
  const auto log = watch(t, *shutdown);
  add_background(t, *shutdown, "feed", 2s - 1ns);
  shutdown->add_async_callback("a", doing(t, "a", 5s - 1ns));
  auto run = t.start("run", shutdown->run());
  co_await at(t, 1s);
  shutdown->admit(t.item(1), lingering(t, 2s - 1ns));
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 13s);
  co_await finish(t, run);
  t.expect(run.value().survivors.empty(), "nobody is left alone who ends within the budget");
  t.expect(marked(t, "work 1 ends") && marked(t, "feed ends") && marked(t, "a ends"),
           "and nobody is cut short");
}

/// Whether these budgets were refused, as negative ones may be, and as what has no limit may be beside others.
auto made_or_refused(const assay::maker<contract_type>& make,
                     const assay::contract::graceful_shutdown_config& config) -> decltype(make(config)) {
  try {
    return make(config);
  } catch (const assay::contract::rejected_error&) {
    return nullptr;
  }
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "extreme totals", .features = {"budgets", "force", "callbacks"},
               .why = "A total without limit is no reason to skip what the shutdown is there for.") {
  for (const nanoseconds pre_stop : {0s, 3s}) {
    for (const nanoseconds total : assay::extreme_durations) {
      const std::string name = assay::format_duration(total) + " less " + assay::format_duration(pre_stop);
      const bool fits = total >= pre_stop;
      auto shutdown = made_or_refused(make, {.drain = 0s,
                                             .force = 0s,
                                             .background = 0s,
                                             .callback = 1s,
                                             .cleanup = 0s,
                                             .pre_stop = pre_stop,
                                             .total = total});
      t.expect((shutdown != nullptr) == fits || total < 0s,
               "budgets are accepted if they fit into the total " + name);
      if (shutdown == nullptr) continue;
      const auto log = watch(t, *shutdown);
      shutdown->add_async_callback("flush", doing(t, "flush of " + name, 500ms));
      auto run = t.start("run with " + name, shutdown->run());
      co_await t.settle();
      shutdown->request_stop();
      co_await t.advance(600ms);
      co_await t.settle();
      co_await finish(t, run);
      if (assay::is_endless(total)) {
        t.expect(marked(t, "flush of " + name + " ends"), "no callback is skipped or cut short: " + name);
        t.expect(!run.value().forced, "nothing is forced while there is time: " + name);
      }
      expect_phases(t, *log);
    }
  }
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "extreme durations",
               .features = {"budgets", "force", "callbacks"}) {
  int id = 0;
  for (const nanoseconds drain : assay::extreme_durations) {
    const std::string name = assay::format_duration(drain);
    const bool endless = assay::is_endless(drain);
    auto shutdown = made_or_refused(make, {.drain = drain,
                                           .force = endless ? 0s : 1s,
                                           .background = 0s,
                                           .callback = 1s,
                                           .cleanup = 0s,
                                           .total = nanoseconds::max()});
    t.expect(shutdown != nullptr || drain < 0s, "budgets that fit into the total are accepted: " + name);
    if (shutdown == nullptr) continue;
    const auto log = watch(t, *shutdown);
    shutdown->add_callback("flush", [&t, name] { t.mark("flush after " + name); });
    auto run = t.start("run with " + name, shutdown->run());
    co_await t.settle();
    const std::string work = "work " + std::to_string(++id);
    shutdown->admit(t.item(id), taking(t, assay::long_time));
    co_await t.settle();
    shutdown->request_stop();
    co_await t.settle();
    if (!assay::has_passed(drain)) {
      t.expect(run.pending() && !marked(t, work + " cancelled"), "the drain has its whole budget: " + name);
      co_await t.advance(endless ? assay::long_time : assay::soon);
      co_await t.settle();
    }
    t.expect(marked(t, work + (endless ? " ends" : " cancelled")),
             "work is cancelled when the budget is spent, and not before: " + name);
    co_await finish(t, run);
    t.expect_eq(run.value().forced, !endless, "something is forced if a budget is spent: " + name);
    t.expect(marked(t, "flush after " + name), "the cleanup is not skipped: " + name);
    expect_phases(t, *log);
  }
}

// ---- Start

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-12", must,
    "A stop that is requested before the start or during it gives the start up: nothing more is started, the "
    "step that is under way is asked to stop at once and waited for, and exactly what was started is "
    "cleaned. A "
    "start that fails is such a request.") {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "a");
  shutdown->add_resource("b", doing(t, "open b", 5s), doing(t, "close b"));
  add_resource(t, *shutdown, "c");
  add_background(t, *shutdown, "feed");
  auto run = t.start("run", shutdown->run());
  co_await at(t, 2s);
  t.expect(!shutdown->ready(), "a service that starts is not ready");
  const admission early = offer(*shutdown, t.item(1), taking(t, 0s));
  t.expect(early == admission::refused, "and takes no work");
  shutdown->request_stop();
  co_await t.settle();
  t.expect(run.ended(), "the start is given up at once");
  co_await at(t, 10s);
  co_await finish(t, run);
  t.expect(marked(t, "close a ends"), "what was started is cleaned");
  t.expect(!marked(t, "close b begins"), "what was half started is not");
  t.expect(!marked(t, "open c begins") && !marked(t, "close c begins"), "what was not started is left alone");
  t.expect(!marked(t, "feed begins"), "background tasks never begin");
  expect_phases(t, *log);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-12", "committed",
               .why = "A start that ends with a value although it was cancelled has started something.") {
  auto shutdown = make({.force = 2s});
  const auto log = watch(t, *shutdown);
  shutdown->add_resource("a", [&t] { return insist(t, "open a", 3s); }, doing(t, "close a"));
  add_resource(t, *shutdown, "b");
  auto run = t.start("run", shutdown->run());
  co_await at(t, 2s);
  shutdown->request_stop();
  co_await at(t, 3s);
  co_await finish(t, run);
  t.expect_before("open a ends", "close a begins");
  t.expect(!marked(t, "open b begins"), "nothing more is started");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-12", "failing_start") {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "a");
  shutdown->add_resource("b", [&t] { return fail_after(t, "open b", 1s); }, doing(t, "close b"));
  add_resource(t, *shutdown, "c");
  auto run = t.start("run", shutdown->run());
  co_await at(t, 1s);
  co_await finish(t, run);
  t.expect(marked(t, "close a ends"), "what was started is cleaned");
  t.expect(!marked(t, "close b begins") && !marked(t, "open c begins"), "what was not started is left alone");
  names failures = failures_in(t, run.value());
  failures.insert(failures.end(), log->told.begin(), log->told.end());
  t.expect_eq(failures, names{"b"}, "the failure is reported");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-12", "swept", .features = {"stop_on_cancel"}, .swept = true) {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  shutdown->add_resource("a", doing(t, "open a", 1s), doing(t, "close a"));
  shutdown->add_resource("b", doing(t, "open b", 1s), doing(t, "close b"));
  auto run = t.start("run", shutdown->run());
  t.victim(run);
  co_await at(t, 5s);
  shutdown->request_stop();
  co_await at(t, 10s);
  co_await finish(t, run);
  for (const std::string name : {"a", "b"}) {
    t.expect_eq(marked(t, "close " + name + " ends"), marked(t, "open " + name + " ends"),
                "exactly what was started is cleaned: " + name);
  }
}

// ---- Supervision, registration

ASSAY_CLAUSE(graceful_shutdown, "SHD-13", must,
             "A worker's failure while the service runs is noticed when it happens, not only at the drain.",
             .features = {"supervision"}) {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  shutdown->add_background("feed", [&t] { return fail_after(t, "feed", 2s); });
  shutdown->add_background("idler", [&t] { return give_up(t, "idler"); });
  add_background(t, *shutdown, "other");
  auto run = t.start("run", shutdown->run());
  co_await just_before(t, 2s);
  t.expect(log->told.empty(), "a worker that gave up has not failed");
  co_await at(t, 2s);
  t.expect_eq(log->told, names{"feed"}, "the failure is told when it happens");
  t.expect(run.pending() && shutdown->ready(), "the service goes on without it");
  co_await at(t, 5s);
  shutdown->request_stop();
  co_await t.settle();
  co_await finish(t, run);
  t.expect(marked(t, "other ends") && marked(t, "close pool ends"),
           "the stop is not disturbed by who ended before");
  t.expect_eq(failures_in(t, run.value()).size(), 0U, "a failure that was told is not told again");
}

asio::awaitable<void> check_restart(trial& t, contract_type& shutdown, nanoseconds delay) {
  const auto log = watch(t, shutdown);
  auto tries = std::make_shared<int>(0);
  shutdown.add_background("feed", [&t, tries] {
    if (++*tries == 1) return fail_after(t, "feed", 1s);
    return linger(t, "feed again", 0s);
  });
  auto run = t.start("run", shutdown.run());
  co_await at(t, 1s);
  t.expect_eq(log->told, names{"feed"}, "the failure is told when it happens");
  co_await just_before(t, 1s + delay);
  t.expect(!marked(t, "feed again begins"), "the restart waits for its delay");
  co_await at(t, 1s + delay);
  t.expect(marked(t, "feed again begins"), "the worker is started again");
  shutdown.request_stop();
  co_await t.settle();
  co_await finish(t, run);
  t.expect(marked(t, "feed again ends"), "a worker that was started again is stopped like any other");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "restart", .features = {"supervision", "restart"}) {
  auto shutdown = make({.on_failure = assay::contract::background_failure::restart, .restart_delay = 1s});
  co_await check_restart(t, *shutdown, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "restart_later", .features = {"supervision", "restart"}) {
  auto shutdown = make({.on_failure = assay::contract::background_failure::restart, .restart_delay = 3s});
  co_await check_restart(t, *shutdown, 3s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "restart_and_stop", .features = {"supervision", "restart"},
               .why = "A stop that comes during the delay: the worker is not started any more.") {
  auto shutdown = make({.on_failure = assay::contract::background_failure::restart, .restart_delay = 5s});
  const auto log = watch(t, *shutdown);
  shutdown->add_background("feed", [&t] { return fail_after(t, "feed", 1s); });
  auto run = t.start("run", shutdown->run());
  co_await at(t, 2s);
  shutdown->request_stop();
  co_await t.settle();
  t.expect(run.ended(), "a restart that is due later delays nothing");
  co_await at(t, 10s);
  co_await finish(t, run);
  t.expect_eq(times_marked(t, "feed begins"), 1U, "nothing is started after the stop");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "shut_down",
               .features = {"supervision", "shut_down_on_failure"}) {
  auto shutdown = make({.drain = 5s, .on_failure = assay::contract::background_failure::shut_down});
  const auto log = watch(t, *shutdown);
  shutdown->add_background("feed", [&t] { return fail_after(t, "feed", 1s); });
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 4s));
  co_await at(t, 1s);
  t.expect(!shutdown->ready(), "the service begins to stop when the worker fails");
  co_await at(t, 4s);
  co_await finish(t, run);
  t.expect(marked(t, "work 1 ends"), "work is drained as in any stop");
  names failures = failures_in(t, run.value());
  failures.insert(failures.end(), log->told.begin(), log->told.end());
  t.expect_eq(failures, names{"feed"}, "the cause is reported, once");
}

/// Registers a callback and a background task, and counts those that were taken.
struct late_registrations {
  names callbacks;
  names tasks;
};

void register_late(trial& t, contract_type& shutdown, late_registrations& taken, const std::string& when) {
  try {
    shutdown.add_async_callback("callback " + when, doing(t, "callback " + when, 10ms));
    taken.callbacks.push_back("callback " + when);
  } catch (const assay::contract::rejected_error&) {
  } catch (const assay::contract::closed_error&) {
  }
  try {
    add_background(t, shutdown, "task " + when);
    taken.tasks.push_back("task " + when);
  } catch (const assay::contract::rejected_error&) {
  } catch (const assay::contract::closed_error&) {
  }
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-14", must,
             "What is registered after the stop began is refused, or joins the phase that handles it; which "
             "of the two "
             "is declared.",
             .features = {"late_registration", "callbacks"}) {
  auto shutdown = make({.drain = 5s, .background = 3s});
  const auto log = watch(t, *shutdown);
  late_registrations taken;
  shutdown->add_async_callback("slow", doing(t, "slow", 1s));
  add_background(t, *shutdown, "feed", 2s);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 2s));
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await t.settle();
  register_late(t, *shutdown, taken, "in the drain");
  const bool joined = !taken.callbacks.empty();
  t.expect_eq(joined, shutdown->late_policy() == assay::contract::late_registration::joins,
              "a late registration is treated as declared");
  co_await at(t, 3s);
  register_late(t, *shutdown, taken, "while the background stops");
  co_await at(t, 4500ms);
  register_late(t, *shutdown, taken, "in the cleanup");
  co_await at(t, 10s);
  co_await finish(t, run);
  t.mark("run ended");
  register_late(t, *shutdown, taken, "after the end");
  co_await at(t, 20s);
  for (const std::string& name : taken.callbacks) {
    t.expect_eq(times_marked(t, name + " begins"), 1U, "a callback that was taken runs once: " + name);
    t.expect_before(name + " ends", "run ended");
  }
  for (const std::string& name : taken.tasks) {
    if (!marked(t, name + " begins")) continue;  // it was asked to stop before it began
    t.expect_before(name + " ends", "run ended");
  }
}

ASSAY_UNCHECKED_CLAUSE(
    graceful_shutdown, "SHD-15", must,
    "Signal handlers are removed at the end and what was there before is restored; the exit status "
    "tells a graceful stop from a forced one.",
    "checked on a real process by reference_test, suite graceful_shutdown_process_test");

// ---- Accounting

/// What a buffer holds is written to the sink when it is flushed.
struct buffer {
  std::vector<item> content;
};
asio::awaitable<void> put(trial& t, std::shared_ptr<buffer> target, item& one, nanoseconds duration) {
  co_await take(t, "work " + std::to_string(one.id()), duration);
  target->content.push_back(std::move(one));
}
asio::awaitable<void> flush(trial& t, std::shared_ptr<buffer> target) {
  t.mark("flush");
  for (const item& one : target->content) t.items().deliver(one);
  target->content.clear();
  co_return;
}
handler putting(trial& t, std::shared_ptr<buffer> target, nanoseconds duration) {
  return [&t, target, duration](item& one) { return put(t, target, one, duration); };
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-16", must,
             "At the end every item is accounted for: processed, persisted or reported.") {
  auto shutdown = make({.drain = 5s});
  const auto log = watch(t, *shutdown);
  auto target = std::make_shared<buffer>();
  shutdown->add_resource("buffer", doing(t, "open buffer"), [&t, target] { return flush(t, target); });
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  for (int id = 1; id <= 4; ++id) {
    const admission taken = offer(*shutdown, t.item(id), putting(t, target, std::chrono::seconds(id)));
    t.expect(taken == admission::taken, "a running service takes work");
  }
  co_await at(t, 2s);
  for (int id = 5; id <= 7; ++id) {
    (void)offer(*shutdown, t.item(id), putting(t, target, 1s));
    if (id == 5) shutdown->request_stop();  // the next is offered in the same turn, the last when it stops
    if (id == 6) co_await t.settle();
  }
  co_await at(t, 10s);
  co_await finish(t, run);
  t.expect(t.items().balanced(), "every item is accounted for", t.items().summary());
  t.expect(t.items().count(assay::item_state::delivered) >= 5,
           "what was admitted before the request is processed");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-16", "forced", .features = {"force"}) {
  auto shutdown = make({.drain = 2s, .force = 1s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 1s));
  shutdown->admit(t.item(2), taking(t, 100s));
  shutdown->admit(t.item(3), insisting(t, 30s));
  shutdown->admit(t.item(4), failing_when_asked(t));
  co_await t.settle();
  shutdown->request_stop();
  shutdown->admit(t.item(5), taking(t, 50s));
  co_await at(t, 3s);
  co_await finish(t, run);
  (void)failures_in(t, run.value());
  t.expect(t.items().balanced(), "every item is accounted for", t.items().summary());
  t.expect(t.items().state(1) == assay::item_state::delivered, "finished work is processed");
  co_await at(t, 40s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-16", "swept", .features = {"stop_on_cancel"}, .swept = true) {
  auto shutdown = make({.drain = 5s});
  const auto log = watch(t, *shutdown);
  auto target = std::make_shared<buffer>();
  shutdown->add_resource("buffer", doing(t, "open buffer"), [&t, target] { return flush(t, target); });
  auto run = t.start("run", shutdown->run());
  t.victim(run);
  for (int id = 1; id <= 6; ++id) {
    co_await t.settle();
    (void)offer(*shutdown, t.item(id), putting(t, target, std::chrono::seconds(id)));
    if (id == 3) co_await t.advance(500ms);
    if (id == 5) shutdown->request_stop();
  }
  co_await at(t, 20s);
  co_await finish(t, run);
  t.expect(t.items().balanced(), "every item is accounted for", t.items().summary());
}

// ---- Connections

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-17", should,
    "Idle keep-alive connections are closed at the start of the drain; busy ones are told to close after the "
    "response.",
    .features = {"connections"}) {
  using close = assay::contract::connection_close;
  auto shutdown = make({.drain = 10s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  const auto telling = [&t](const std::string& name) {
    return [&t, name](close how) {
      t.mark(name + (how == close::now ? " closes" : " closes after the response"));
    };
  };
  const int idle = shutdown->open_connection(telling("idle"));
  const int busy = shutdown->open_connection(telling("busy"));
  const int calm = shutdown->open_connection(telling("calm"));
  const int gone = shutdown->open_connection(telling("gone"));
  shutdown->set_busy(busy, true);
  shutdown->set_busy(calm, true);
  shutdown->set_busy(calm, false);
  shutdown->connection_closed(gone);
  shutdown->admit(t.item(1), taking(t, 2s));
  co_await at(t, 1s);
  t.expect(!marked(t, "idle closes"), "connections are kept alive while the service runs");
  shutdown->request_stop();
  co_await t.settle();
  t.expect_eq(times_marked(t, "idle closes"), 1U, "an idle connection is closed at the start of the drain");
  t.expect_eq(times_marked(t, "calm closes"), 1U, "so is one that has become idle");
  t.expect_eq(times_marked(t, "busy closes after the response"), 1U,
              "a busy one is told to close after the response");
  t.expect_eq(times_marked(t, "gone closes"), 0U, "one that is closed is left alone");
  t.expect_before("phase drain", "idle closes");
  shutdown->connection_closed(idle);
  shutdown->connection_closed(calm);
  co_await at(t, 2s);
  shutdown->set_busy(busy, false);  // the response has gone, and the drain need not wait for anybody
  shutdown->connection_closed(busy);
  co_await t.settle();
  co_await finish(t, run);
  t.expect_eq(times_marked(t, "busy closes"), 0U, "and is not told twice");
}

// ---- Cross-cutting

ASSAY_SCENARIO(graceful_shutdown, "X-7", "", .features = {"force"}) {
  auto shutdown = make({.drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  co_await t.settle();
  for (int i = 0; i < 3; ++i) shutdown->request_stop();
  co_await at(t, 1s);
  shutdown->request_stop();
  co_await at(t, 2s);
  t.expect(!marked(t, "work 1 cancelled"), "repeated requests are harmless");
  shutdown->escalate();
  co_await t.settle();
  t.expect(marked(t, "work 1 cancelled"), "the stronger request gets through after the weaker ones");
  shutdown->escalate();
  shutdown->request_stop();
  co_await t.settle();
  co_await finish(t, run);
  t.expect_eq(times_marked(t, "close pool begins"), 1U, "the stop happens once");
}

ASSAY_SCENARIO(graceful_shutdown, "X-7", "cancelled", .features = {"force", "stop_on_cancel"}) {
  auto shutdown = make({.drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  co_await at(t, 1s);
  run.cancel();
  co_await at(t, 2s);
  t.expect(!shutdown->ready(), "a cancelled run() stops the service");
  t.expect(!marked(t, "work 1 cancelled"), "gracefully");
  shutdown->escalate();
  co_await t.settle();
  t.expect(marked(t, "work 1 cancelled"), "a stronger request gets through after the weaker one");
  t.expect(run.done(), "the report comes all the same");
}

ASSAY_SCENARIO(
    graceful_shutdown, "X-7", "cancelled again", .features = {"force", "stop_on_cancel"},
    .why = "Whether a second cancel escalates or not, it is harmless, and hides no stronger request.") {
  auto shutdown = make({.drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  add_resource(t, *shutdown, "pool");
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  for (int i = 1; i <= 3; ++i) {
    co_await at(t, std::chrono::seconds(i));
    run.cancel();
  }
  co_await at(t, 4s);
  shutdown->escalate();
  co_await t.settle();
  co_await finish(t, run);
  t.expect(run.done(), "the report comes all the same");
  t.expect_eq(times_marked(t, "work 1 cancelled"), 1U, "the stronger request gets through after weaker ones");
  t.expect_eq(times_marked(t, "close pool begins"), 1U, "the stop happens once");
  expect_phases(t, *log);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "cancelled",
               .features = {"force", "stop_on_cancel", "cancel_escalates"}) {
  auto shutdown = make({.drain = 8s, .force = 2s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  co_await at(t, 1s);
  run.cancel();
  co_await at(t, 2s);
  t.expect(!marked(t, "work 1 cancelled"), "the first cancel requests a stop, and no more than that");
  run.cancel();
  co_await t.settle();
  t.expect(marked(t, "work 1 cancelled"), "a cancel of a run() that is stopping escalates");
  t.expect(run.done(), "the report comes all the same");
}

ASSAY_SCENARIO(
    graceful_shutdown, "X-11", "", .features = {"callbacks", "stop_on_cancel"},
    .why = "Cleanup is shielded from the cancellation of run(); each callback has its own deadline.") {
  auto shutdown = make({.force = 1s, .callback = 2s, .cleanup = 8s});
  const auto log = watch(t, *shutdown);
  shutdown->add_async_callback("a", doing(t, "a", 1s));
  shutdown->add_async_callback("b", doing(t, "b", 100s));
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  run.cancel();
  co_await at(t, 1s);
  t.expect(marked(t, "b begins"), "cleanup begins although run() was cancelled");
  run.cancel();
  co_await just_before(t, 2s);
  t.expect(!marked(t, "b cancelled"), "no request reaches a callback");
  co_await at(t, 2s);
  t.expect(marked(t, "b cancelled"), "its own deadline does");
  co_await at(t, 5s);
  co_await finish(t, run);
  t.expect(marked(t, "a ends"), "the next callback has a deadline of its own");
}

ASSAY_SCENARIO(graceful_shutdown, "X-16", "", .features = {"callbacks", "force"}) {
  auto shutdown = make({.drain = 1s, .force = 1s});
  const auto log = watch(t, *shutdown);
  shutdown->add_callback("a", failing_callback(t, "a"));
  shutdown->add_callback("b", failing_callback(t, "b"));
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  shutdown->admit(t.item(2), [&t](item&) { return fail_after(t, "work 2", 500ms); });
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 1s);
  co_await finish(t, run);
  const names expected = {"work 2", "b", "a"};
  expect_failures(t, log->told, failures_in(t, run.value()), expected,
                  "all failures, by name, in the order of their happening, and no cancellation");
}

ASSAY_SCENARIO(graceful_shutdown, "X-17", "",
               .features = {"callbacks", "supervision", "shut_down_on_failure"}) {
  auto shutdown = make({.on_failure = assay::contract::background_failure::shut_down});
  const auto log = watch(t, *shutdown);
  shutdown->add_callback("a", failing_callback(t, "a"));
  shutdown->add_background("feed", [&t] { return fail_after(t, "feed", 1s); });
  auto run = t.start("run", shutdown->run());
  co_await at(t, 1s);
  co_await finish(t, run);
  const report& ended = run.value();
  const names reported = failures_in(t, ended);
  const names expected = {"feed", "a"};
  expect_failures(t, log->told, reported, expected, "the primary failure comes first");
  if (reported != expected) co_return;  // told as they happened: there is no aggregate
  t.expect(!ended.failures[0].secondary, "the cause of the stop stays the primary failure");
  t.expect(ended.failures[1].secondary, "a failure during cleanup is secondary");
}

ASSAY_SCENARIO(graceful_shutdown, "X-17", "no_primary", .features = {"callbacks"}) {
  auto shutdown = make({});
  const auto log = watch(t, *shutdown);
  shutdown->add_callback("a", failing_callback(t, "a"));
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->request_stop();
  co_await t.settle();
  co_await finish(t, run);
  const report& ended = run.value();
  const names failures = failures_in(t, ended);
  if (!log->told.empty()) co_return;  // told when it happened: there is no aggregate
  if (!t.expect_eq(failures, names{"a"}, "the failure is reported")) co_return;
  t.expect(!ended.failures[0].secondary, "without a primary failure it is the primary one");
}

ASSAY_SCENARIO(graceful_shutdown, "X-22", "", .features = {"force"}) {
  auto shutdown = make({.drain = 4s, .force = 1s});
  const auto log = watch(t, *shutdown);
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 1s);
  t.step_wall_clock(3600s);
  co_await just_before(t, 4s);
  t.expect(!marked(t, "work 1 cancelled"), "a wall clock that is put forward shortens no budget");
  t.step_wall_clock(-7200s);
  co_await at(t, 4s);
  t.expect(marked(t, "work 1 cancelled"), "nor does one that is put back lengthen it");
  co_await finish(t, run);
}

ASSAY_SCENARIO(graceful_shutdown, "X-29", "", .features = {"force"}) {
  auto shutdown = make({.drain = 1s, .force = 1s, .background = 1s});
  const auto log = watch(t, *shutdown);
  shutdown->on_forced([log](const std::string& name) { log->forced.push_back(name); });
  shutdown->add_background("feed", [&t] { return insist(t, "feed", 20s); });
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->admit(t.item(1), taking(t, 100s));
  shutdown->admit(t.item(2), insisting(t, 20s));
  shutdown->admit(t.item(3), taking(t, 500ms));
  shutdown->admit(t.item(4), failing_when_asked(t));
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 3s);
  co_await finish(t, run);
  (void)failures_in(t, run.value());
  std::sort(log->forced.begin(), log->forced.end());
  const names expected = {"feed", "work 1", "work 2", "work 4"};
  t.expect_eq(log->forced, expected, "one event for each forced action");
  co_await at(t, 30s);
}

ASSAY_SCENARIO(graceful_shutdown, "X-29", "cut_short", .features = {"callbacks", "force"},
               .why = "A callback that obeys when its budget is spent has not done its work.") {
  auto shutdown = make({.callback = 1s});
  const auto log = watch(t, *shutdown);
  shutdown->on_forced([log](const std::string& name) { log->forced.push_back(name); });
  shutdown->add_async_callback("quick", doing(t, "quick"));
  shutdown->add_async_callback("slow", doing(t, "slow", 100s));
  auto run = t.start("run", shutdown->run());
  co_await t.settle();
  shutdown->request_stop();
  co_await at(t, 1s);
  co_await finish(t, run);
  t.expect(marked(t, "slow cancelled"), "it is asked to stop");
  t.expect_eq(log->forced, names{"slow"}, "a callback that was cut short is told");
  t.expect(run.value().forced, "and makes the stop a forced one");
}

}  // namespace
