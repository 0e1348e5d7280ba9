// The clauses of graceful_shutdown, each beside the scenario that checks it.
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/actors.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using namespace assay::shutdown_actors;
using assay::item;
using assay::item_state;
using assay::trial;
using assay::contract::background_failure;
using contract_type = assay::contract::graceful_shutdown;
using maker = assay::maker<contract_type>;
using config = contract_type::config;
using report = assay::contract::shutdown_report;

ASSAY_CONTRACT(graceful_shutdown, "lifecycle", "ordered stop with budgets and signals");

bool has(const names& all, std::string_view one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

/// A service with its coordinator, and what is seen of that. The phases become marks ("phase drain").
class service {
 public:
  service(trial& owner, assay::made_subject<contract_type> made) : t(owner), subject(std::move(made)) {
    subject->observe(observer());
    subject->on_failure([&t = t, log = seen_](const std::string& name, const std::exception_ptr& error) {
      log->told.push_back(name);
      t.observe(error);
    });
  }
  contract_type* operator->() const { return subject.get(); }
  contract_type::phase_hook observer() const {
    return [&t = t, log = seen_](phase entered) {
      log->phases.push_back(entered);
      t.mark(name_of(entered));
    };
  }

  // What it consists of. By default a resource opens and closes in no time.
  contract_type::async_function doing(std::string name, act what) const {
    return [&t = t, name, what] { return perform(t, name, what); };
  }
  void resource(const std::string& name, act open = {}, act close = {}) {
    subject->add_resource(name, doing("open " + name, open), doing("close " + name, close));
  }
  void background(const std::string& name, act what = lingering(0s)) {
    subject->add_background(name, doing(name, what));
  }
  void callback(const std::string& name, act what) { subject->add_async_callback(name, doing(name, what)); }
  void plain_callback(const std::string& name, bool fails = false) {
    subject->add_callback(name, [&t = t, name, fails] {
      t.mark(name + " begins");
      if (fails) t.raise(name + " fails");
    });
  }
  contract_type::handler working(act what) const {
    return [&t = t, what](item& one) { return perform(t, "work " + std::to_string(one.id()), what); };
  }
  /// As soon as the service runs, if it has not begun.
  void admit(int id, act what) {
    if (run) return subject->admit(t.item(id), working(what));
    planned_.emplace_back(id, what);
  }
  /// Whether it was taken; any error but a refusal goes on to the scenario.
  bool offer(int id, contract_type::handler work) {
    return is_taken([&] { subject->admit(t.item(id), std::move(work)); });
  }
  bool offer(int id, act what) { return offer(id, working(what)); }

  // Its life, which begins with the first of these. Instants count from the beginning of the trial.

  void begin() {
    if (!run) run.emplace(t.start("run", subject->run()));
  }
  void begin_as_victim() {
    begin();
    t.victim(*run);
  }
  /// Goes on when everything that is due at this instant, or now if that is over, has run.
  asio::awaitable<void> at(nanoseconds instant) {
    begin();
    if (!planned_.empty()) co_await t.settle();
    for (const auto& each : planned_) admit(each.first, each.second);
    planned_.clear();
    co_await t.pass(std::max(instant - t.elapsed(), 0ns));
  }
  asio::awaitable<void> serve() { return at(0s); }
  asio::awaitable<void> just_before(nanoseconds instant) { return at(instant - 1ns); }
  asio::awaitable<void> stop(nanoseconds instant = 0s) {
    co_await at(instant);
    subject->request_stop();
    co_await t.settle();
  }
  asio::awaitable<void> escalate(nanoseconds instant = 0s) {
    co_await at(instant);
    subject->escalate();
    co_await t.settle();
  }
  /// trial::premise, where nothing is taken apart under the feet of a run() that has not ended.
  void premise(bool holds, std::string_view text,
               std::source_location where = std::source_location::current()) {
    if (!holds) t.keep(std::shared_ptr<contract_type>(subject.release()));
    t.premise(holds, text, where);
  }
  /// The premise that this has begun and goes on.
  void under_way(const std::string& name, std::source_location where = std::source_location::current()) {
    const bool over = marked(name + " ends") || marked(name + " cancelled");
    premise(marked(name + " begins") && !over, name + " is under way", where);
  }
  void serving(std::source_location where = std::source_location::current()) {
    premise(run->pending() && subject->ready(), "the service runs", where);
  }
  /// run() must have ended by then, through the phases of SHD-1 unless it was cancelled. If it has not, the
  /// trial is over, but nothing is taken apart under its feet: the scenario, which holds the subject, stays.
  asio::awaitable<void> end(nanoseconds instant = 0s) {
    co_await at(instant);
    if (!t.expect(run->ended(), "run() ends")) co_await t.advance(nanoseconds::max());
    if (run->state()->failure() == nullptr) expect_phases();
  }

  // What is seen of it

  const report& ended() const { return run->value(); }
  const names& told() const { return seen_->told; }  ///< failures that did not wait for the report
  bool marked(std::string_view label) const { return times(label) > 0; }
  std::size_t times(std::string_view label) const {
    return static_cast<std::size_t>(std::count(t.marks().begin(), t.marks().end(), label));
  }
  /// The names of all failures that the report holds, which are observed thereby.
  names reported() const {
    names all;
    for (const report::failure& each : ended().failures) {
      all.push_back(each.name);
      t.observe(each.error);
    }
    return all;
  }
  /// And of those that were told before.
  names failures() const {
    names all = reported();
    all.insert(all.end(), told().begin(), told().end());
    return all;
  }
  /// The order in which these began: "c b a".
  std::string order_of(const names& wanted) const {
    std::string order;
    for (const std::string& mark : t.marks()) {
      for (const std::string& each : wanted)
        if (mark == each + " begins") order += (order.empty() ? "" : " ") + each;
    }
    return order;
  }
  /// SHD-1: in order, each entered once, and those of every stop among them.
  void expect_phases() const {
    const auto& all = seen_->phases;
    t.expect(std::adjacent_find(all.begin(), all.end(), std::greater_equal<>()) == all.end(),
             "the phases come in order, each entered once");
    for (const phase each : phases_of_every_stop)
      t.expect(marked(name_of(each)), "the " + name_of(each) + " is entered");
  }
  void expect_balanced() const {
    t.expect(t.items().balanced(), "every item is accounted for", t.items().summary());
  }

  trial& t;
  assay::made_subject<contract_type> subject;
  std::optional<assay::operation<report>> run;

 private:
  std::vector<std::pair<int, act>> planned_;
  struct seen {
    std::vector<phase> phases;
    names told;
  };
  const std::shared_ptr<seen> seen_ = std::make_shared<seen>();  // survivors outlive the scenario
};

/// What was told and what the report holds: together exactly these, each in this order.
void expect_failures(const service& s, const names& reported, const names& expected,
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
  names all = s.told();
  all.insert(all.end(), reported.begin(), reported.end());
  const bool ordered = in_order(s.told()) && in_order(reported);
  s.t.expect_eq(ordered ? assay::sorted(all) : all, ordered ? assay::sorted(expected) : expected, message);
}

// ---- Order

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-1", must,
    "The phases of a stop come in order, each entered at most once, whenever the stop is requested, also "
    "during the start and before it: not ready, stop accepting, drain, force-cancel, background stopped, "
    "cleanup, stopped. The service is ready in none of them, nor before it runs.") {
  service s(t, make({.drain = 10s}));
  s.resource("pool");
  s.background("feed");
  co_await s.serve();
  t.expect(s->ready(), "the service is ready once it runs");
  s.admit(1, taking(3s));
  co_await t.settle();
  s.under_way("work 1");
  s.under_way("feed");
  co_await s.stop();
  t.expect(!s->ready(), "the stop makes it not ready");
  co_await s.end(3s);
  t.expect_before("open pool ends", "phase not_ready");
  t.expect_before("phase stop_accepting", "work 1 ends");
  t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("feed ends", "phase cleanup");
  t.expect_before("phase cleanup", "close pool begins");
  t.expect_before("close pool ends", "phase stopped");
  t.expect(s.reported().empty(), "nothing failed");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-1", "before_run") {
  service s(t, make({}));
  s.resource("pool");
  s.background("feed");
  s->request_stop();
  co_await s.end();
  t.expect(!s.marked("open pool begins"), "nothing is started");
  t.expect(!s.marked("feed begins"), "no background task is started");
  t.expect(!s.marked("phase running"), "the service never runs");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-1", "any_trigger",
               .why =
                   "The moment of the request is a choice: before run(), as it begins, during the start, "
                   "serving, busy, idle; it comes twice, and again in every later phase.") {
  service s(t, make({.drain = 4s}));
  s.resource("pool", taking(2s), taking(1s));
  s.background("feed", lingering(1s));
  // In seconds; 0 is before run(), 1 the turn in which it may begin. The service runs from 2 s on, busy from
  // 4 s to 7 s.
  const std::uint32_t moment = t.choices().pick(assay::choice_kind::user, 10);
  if (moment == 0) s->request_stop();
  s.begin();
  if (moment == 1) s->request_stop();
  bool working = false;
  for (std::uint32_t second = 1; second < 12; ++second) {
    co_await s.at(std::chrono::seconds(second));
    if (second == 4) working = s.offer(1, taking(3s));
    if (moment > second) continue;
    s->request_stop();
    s->request_stop();
  }
  co_await s.at(20s);
  t.sometimes("stopped before the service takes work", !working);
  t.sometimes("stopped while it works", working);
  co_await s.end();
  t.expect_eq(s.times("close pool begins"), s.times("open pool ends"), "what was opened is closed, once");
  t.expect_eq(s.times("work 1 ends"), working ? 1U : 0U, "admitted work is finished");
  if (working) t.expect_before("work 1 ends", "close pool begins");
  t.expect(s.reported().empty(), "nothing failed");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-1", "swept", .features = {"stop_on_cancel"}, .swept = true) {
  service s(t, make({.drain = 10s}));
  s.resource("pool");
  s.background("feed");
  s.begin_as_victim();
  co_await s.at(1s);
  (void)s.offer(1, taking(3s));
  co_await s.stop(2s);
  co_await s.end(20s);
  if (s.run->cancelled()) {
    t.expect(t.marks().empty(), "a run() that ends as cancelled has not begun");
    co_return;
  }
  t.expect_eq(s.times("close pool begins"), s.times("open pool ends"), "what was opened is closed, once");
  if (s.marked("work 1 begins") && s.marked("close pool begins"))
    t.expect_before(s.marked("work 1 ends") ? "work 1 ends" : "work 1 cancelled", "close pool begins");
  s.expect_balanced();
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-2", must,
             "A request to stop is idempotent, and wakes an idle service.") {
  service s(t, make({}));
  s.resource("pool");
  co_await s.at(5s);
  s.serving();
  s->request_stop();
  co_await s.stop();
  t.expect(s.run->ended(), "an idle service wakes up and stops");
  s->request_stop();
  co_await s.end(10s);
  t.expect_eq(s.times("close pool begins"), 1U, "one stop, however often it is requested");
}

asio::awaitable<void> request_stop_of(contract_type& shutdown) {
  shutdown.request_stop();
  co_return;
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-2", "from_several") {
  service s(t, make({.drain = 10s}));
  s.resource("pool");
  s.background("feed");
  auto first = t.start("request 1", request_stop_of(*s.subject));
  s.begin();
  auto second = t.start("request 2", request_stop_of(*s.subject));
  co_await t.settle();
  t.expect(first.done() && second.done(), "a request never waits");
  co_await s.end();
  t.expect_eq(s.times("close pool begins"), s.times("open pool ends"), "one stop");
}

// ---- Grace, admission, drain

asio::awaitable<void> check_grace(trial& t, maker make, nanoseconds grace) {
  service s(t, make({.grace = grace}));
  co_await s.at(1s);
  s.serving();
  co_await s.stop();
  t.expect(!s->ready(), "readiness turns false as soon as the stop is requested");
  t.expect(s.offer(1, taking(10ms)), "work is accepted at the beginning of the grace period");
  co_await s.just_before(1s + grace);
  t.expect(!s->ready(), "readiness stays false");
  t.expect(s.offer(2, taking(10ms)), "work is accepted until the grace period ends");
  co_await s.at(1s + grace);
  t.expect(!s.offer(3, taking(10ms)), "work is refused after the grace period");
  co_await s.end(2s + grace);
  t.expect(s.marked("work 1 ends") && s.marked("work 2 ends"), "what was accepted is done");
  t.expect_before("phase not_ready", "phase stop_accepting");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-3", must,
             "Readiness turns false before work is refused, which is still accepted during the grace period.",
             .features = {"grace"}) {
  return check_grace(t, make, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-3", "longer", .features = {"grace"}) {
  return check_grace(t, make, 4s);
}

asio::awaitable<void> check_drain(trial& t, maker make, nanoseconds drain) {
  service s(t, make({.drain = drain}));
  co_await s.at(1s);
  s.admit(1, taking(drain + 1s - 2ns));
  co_await s.at(2s);
  s.under_way("work 1");
  co_await s.stop();
  t.expect(!s.offer(2, taking(0s)), "work offered after accepting has stopped is refused with an error");
  co_await s.just_before(2s + drain);
  t.expect(s.marked("work 1 ends"), "work that ends within the drain budget is left to end");
  co_await s.end(2s + drain);
  t.expect(!s.marked("work 2 begins"), "refused work never begins");
  t.expect(t.items().state(1) == item_state::delivered, "the admitted item is done");
  t.expect(t.items().state(2) == item_state::returned, "the refused item is the caller's");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-4", must,
             "Work admitted before accepting stops has the whole drain budget; work offered before the "
             "service runs, or afterwards, is refused with a distinct error.") {
  return check_drain(t, make, 3s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-4", "longer") { return check_drain(t, make, 9s); }

ASSAY_SCENARIO(graceful_shutdown, "SHD-4", "in the grace period", .features = {"grace"}) {
  service s(t, make({.grace = 2s, .drain = 5s}));
  co_await s.at(1s);
  s.serving();
  co_await s.stop();
  co_await s.at(2s);
  s.premise(s.offer(1, taking(5s)), "work is accepted in the grace period");
  co_await s.just_before(7s);
  t.expect(s.run->pending() && !s.marked("work 1 cancelled"),
           "work of the grace period has the whole drain budget");
  co_await s.end(7s);
  t.expect(s.marked("work 1 ends"), "and is done");
}

ASSAY_SCENARIO(
    graceful_shutdown, "SHD-4", "same_turn",
    .why = "Work that is admitted in the turn of the request, before or after it, is done or refused.") {
  service s(t, make({}));
  s.resource("pool");
  co_await s.serve();
  s.serving();
  t.expect(s.offer(1, taking(1s)), "work is taken until the stop is requested");
  s->request_stop();
  const bool after = s.offer(2, taking(1s));
  co_await s.end(1s);
  t.expect(s.marked("work 1 ends"), "work admitted just before the request is done");
  t.expect_eq(s.marked("work 2 ends"), after, "work is done if it was taken");
  t.expect_before("work 1 ends", "close pool begins");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-4", "told of the phase",
               .why = "Work that is offered by who is told that accepting stops, at this very moment.") {
  service s(t, make({}));
  auto taken = std::make_shared<std::optional<bool>>();
  s->observe([&s, taken, asked = s.observer()](phase entered) {
    asked(entered);
    if (entered == phase::stop_accepting) *taken = s.offer(1, taking(1s));
  });
  co_await s.serve();
  s.serving();
  co_await s.stop();
  s.premise(taken->has_value(), "it is told that accepting stops");
  t.expect(!**taken, "work that is offered when accepting has stopped is refused");
  co_await s.end();
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-5", must, "The drain ends as soon as nothing is in flight.") {
  service s(t, make({.drain = 10s}));
  s.admit(1, taking(2s));
  s.admit(2, taking(5s));
  co_await s.at(1s);
  s.under_way("work 1");
  s.under_way("work 2");
  co_await s.stop();
  co_await s.just_before(5s);
  t.expect(s.run->pending(), "the drain lasts while work is in flight");
  co_await s.at(5s);
  t.expect(s.run->ended(), "the drain ends with the last work");
  co_await s.end(20s);
  t.expect(!s.marked("phase force_cancel"), "nothing is forced");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-5", "idle") {
  service s(t, make({.drain = 10s}));
  s.admit(1, taking(1s));
  co_await s.at(2s);
  s.premise(s.marked("work 1 ends"), "nothing is in flight any more");
  co_await s.stop();
  t.expect(s.run->ended(), "with nothing in flight there is nothing to wait for");
  co_await s.end(20s);
}

// ---- Force

asio::awaitable<void> check_force(trial& t, maker make, nanoseconds drain, nanoseconds force) {
  service s(t, make({.drain = drain, .force = force}));
  s.resource("pool");
  co_await s.at(1s);
  s.admit(1, taking(100s));
  s.admit(2, insisting(50s));
  s->request_stop();
  co_await t.settle();
  s.under_way("work 2");
  co_await s.just_before(1s + drain);
  t.expect(!s.marked("work 1 cancelled"), "nothing is cancelled before the drain deadline");
  co_await s.at(1s + drain);
  t.expect(s.marked("work 1 cancelled"), "what is left at the drain deadline is cancelled");
  co_await s.just_before(1s + drain + force);
  t.expect(!s.marked("close pool begins"), "cancelled work is awaited up to the force budget");
  co_await s.end(1s + drain + force);
  t.expect(s.marked("close pool ends"), "the cleanup follows");
  t.expect(has(s.ended().survivors, "work 2"), "who ignored being cancelled is named in the report");
  t.expect(!has(s.ended().survivors, "work 1"), "who obeyed is no survivor");
  t.expect(has(s.ended().unfinished, "work 1") && has(s.ended().unfinished, "work 2"),
           "both are reported as unfinished");
  t.expect(s.ended().forced, "the report says that the stop was forced");
  t.expect(s.reported().empty(), "being cancelled is no failure");
  co_await s.at(60s);  // the survivor ends
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-6", must,
             "At the drain deadline what is left is cancelled and awaited up to the force budget; survivors "
             "are named in the report.",
             .features = {"force"}) {
  return check_force(t, make, 3s, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-6", "longer", .features = {"force"}) {
  return check_force(t, make, 7s, 4s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-6", "failing", .features = {"force"},
               .why = "Work that fails while it is cancelled: the failure is told.") {
  service s(t, make({.drain = 1s, .force = 1s}));
  s.admit(1, failing_when_asked());
  co_await s.serve();
  s.under_way("work 1");
  co_await s.stop();
  co_await s.end(1s);
  t.expect_eq(s.failures(), names{"work 1"}, "what cancelled work fails with is reported");
}

ASSAY_SCENARIO(
    graceful_shutdown, "SHD-6", "several", .features = {"force"},
    .why = "Nobody is cancelled later because another one does not listen, and all share one budget.") {
  service s(t, make({.drain = 2s, .force = 3s}));
  s.admit(1, insisting(50s));
  s.admit(2, lingering(1s));
  s.admit(3, taking(100s));
  s.admit(4, insisting(50s));
  co_await s.at(1s);
  for (const char* const name : {"work 1", "work 2", "work 3", "work 4"}) s.under_way(name);
  co_await s.stop();
  co_await s.at(3s);
  t.expect(s.marked("work 2 asked to stop") && s.marked("work 3 cancelled"),
           "all that is left at the drain deadline is cancelled then");
  co_await s.just_before(6s);
  t.expect(s.run->pending(), "cancelled work is awaited up to the force budget");
  co_await s.end(6s);
  const names expected = {"work 1", "work 4"};
  t.expect_eq(assay::sorted(s.ended().survivors), expected, "the survivors are named, and nobody else");
  co_await s.at(60s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-6", "swept", .features = {"force", "stop_on_cancel"}, .swept = true) {
  service s(t, make({.drain = 2s, .force = 1s}));
  s.resource("pool");
  s.begin_as_victim();
  co_await s.at(1s);
  const bool first = s.offer(1, taking(100s));
  const bool second = s.offer(2, insisting(30s));
  s->request_stop();
  co_await s.at(4s);
  t.expect(s.run->ended(), "run() ends within its budgets");
  co_await s.end(40s);
  if (s.run->cancelled()) co_return;
  if (first) t.expect(has(s.ended().unfinished, "work 1"), "cancelled work is reported as unfinished");
  if (second && s.marked("work 2 begins"))
    t.expect(has(s.ended().survivors, "work 2"), "the survivor is named");
  s.expect_balanced();
}

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-7", must,
    "No phase begins before the tasks of the one before have ended: no resource is closed while a task that "
    "may use it is alive, unless the budget ran out, which is flagged. At the drain deadline `force` decides "
    "(SHD-6); without it the work that is left is waited for, or left alone and named in the report.") {
  service s(t, make({.drain = 10s, .background = 3s}));
  s.resource("pool");
  s.background("feed", lingering(2s));
  s.admit(1, taking(4s));
  co_await s.at(1s);
  s.under_way("work 1");
  s.under_way("feed");
  co_await s.stop();
  co_await s.just_before(4s);
  t.expect(!s.marked("feed asked to stop"), "background tasks serve the work until it has ended");
  co_await s.at(4s);
  t.expect(s.marked("feed asked to stop"), "they are asked to stop when the last work has ended");
  co_await s.just_before(6s);
  t.expect(!s.marked("close pool begins"), "nothing is closed while a background task is alive");
  co_await s.end(6s);
  t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("feed ends", "close pool begins");
  t.expect(!s.ended().forced, "a stop within the budgets is not forced");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "forced", .features = {"force"}) {
  service s(t, make({.drain = 1s, .force = 3s}));
  s.resource("pool");
  s.background("feed");
  s.admit(1, lingering(2s));
  co_await s.serve();
  s.under_way("work 1");
  s.under_way("feed");
  co_await s.stop();
  co_await s.just_before(3s);
  t.expect(!s.marked("feed asked to stop"), "background tasks outlive work that is being cancelled");
  co_await s.end(3s);
  t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("feed ends", "close pool begins");
  t.expect(s.ended().survivors.empty(), "nobody survived");
}

ASSAY_SCENARIO(
    graceful_shutdown, "SHD-7", "flagged", .features = {"force"},
    .why = "A background task that ignores being stopped is waited for as long as its budget, and named.") {
  service s(t, make({.drain = 1s, .background = 2s}));
  s.resource("pool");
  s.background("feed", insisting(20s));
  co_await s.serve();
  s.under_way("feed");
  co_await s.stop();
  co_await s.just_before(2s);
  t.expect(!s.marked("close pool begins"), "nothing is closed within the budget");
  co_await s.end(2s);
  t.expect(has(s.ended().survivors, "feed") && s.ended().forced, "the survivor is flagged");
  co_await s.at(30s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "swept", .features = {"stop_on_cancel"}, .swept = true,
               .why = "Without `force`, work may be waited for for as long as it takes, or be left alone.") {
  service s(t, make({.drain = 10s, .background = 3s}));
  s.resource("pool");
  s.background("feed", lingering(1s));
  s.begin_as_victim();
  co_await t.settle();
  (void)s.offer(1, lingering(1s, 200s));
  co_await s.stop(20s);
  const bool forces = make.claims("force");
  co_await s.end(forces ? 50s : 350s);
  if (s.run->cancelled()) co_return;
  if (s.marked("feed begins")) t.expect_before("feed ends", "close pool begins");
  if (!s.marked("work 1 begins")) co_return;
  if (!forces && has(s.ended().survivors, "work 1")) {
    t.expect(has(s.ended().unfinished, "work 1") && s.ended().forced, "work that is left alone is flagged");
    co_return;
  }
  if (s.marked("feed begins")) t.expect_before("work 1 ends", "feed asked to stop");
  t.expect_before("work 1 ends", "close pool begins");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "several",
               .why =
                   "Background tasks are asked to stop together: nobody is asked later because another one "
                   "does not listen.") {
  service s(t, make({.background = 3s}));
  s.resource("pool");
  s.background("deaf", insisting(20s));
  s.background("slow", lingering(1s));
  s.background("quick");
  co_await s.at(1s);
  s.under_way("deaf");
  s.under_way("slow");
  s.under_way("quick");
  co_await s.stop();
  t.expect(s.marked("slow asked to stop") && s.marked("quick asked to stop"),
           "every background task is asked to stop when no work is left");
  co_await s.just_before(4s);
  t.expect(!s.marked("close pool begins"), "nothing is closed while a background task is alive");
  co_await s.end(30s);
  t.expect_before("slow ends", "close pool begins");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "several flagged", .features = {"force"},
               .why = "Those that ignore being stopped share one budget.") {
  service s(t, make({.background = 3s}));
  s.resource("pool");
  for (const char* const name : {"feed", "poll", "scan"}) s.background(name, insisting(20s));
  co_await s.at(1s);
  for (const char* const name : {"feed", "poll", "scan"}) s.under_way(name);
  co_await s.stop();
  co_await s.just_before(4s);
  t.expect(!s.marked("close pool begins"), "nothing is closed within the budget");
  co_await s.end(4s);
  const names expected = {"feed", "poll", "scan"};
  t.expect_eq(assay::sorted(s.ended().survivors), expected, "every survivor is flagged");
  co_await s.at(30s);
}

// ---- Cleanup

asio::awaitable<void> check_callbacks(trial& t, maker make, config wanted) {
  const nanoseconds bound = wanted.callback;
  service s(t, make(wanted));
  s.callback("a", taking(0s));
  s.callback("b", insisting(40s));
  s.plain_callback("c", true);
  s.callback("d", taking(100s));
  s.callback("e", failing(0s));
  s.callback("f", taking(bound - 1ms));
  co_await s.stop();
  co_await s.just_before(2 * bound - 1ms);
  t.expect(s.marked("f ends"), "a callback has the whole of its budget");
  t.expect(!s.marked("d cancelled"), "nobody is cut short");
  co_await s.at(2 * bound - 1ms);
  t.expect(s.marked("d cancelled"), "a callback that takes too long is asked to stop");
  co_await s.at(3 * bound + wanted.force);
  t.expect(s.run->ended(), "a callback that ignores this is left alone");
  co_await s.end(60s);
  t.expect_eq(s.order_of({"a", "b", "c", "d", "e", "f"}), "f e d c b a",
              "callbacks run in reverse order of registration, each once, whatever the others do");
  const names failures = s.failures();
  t.expect(has(failures, "c") && has(failures, "e"), "all failures are reported");
  t.expect(s.ended().forced, "a callback that was left alone makes the stop a forced one");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-8", must,
             "Cleanup callbacks run in reverse order of registration, each at most once, each bounded in "
             "time; one that fails does not stop the rest, and all failures are reported.",
             .features = {"callbacks"}) {
  return check_callbacks(t, make, {.drain = 1s, .force = 1s, .callback = 1s, .cleanup = 10s});
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-8", "longer", .features = {"callbacks"}) {
  return check_callbacks(t, make, {.drain = 1s, .force = 2s, .callback = 4s, .cleanup = 15s});
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-8", "resources", .features = {"callbacks"}) {
  service s(t, make({}));
  s.resource("pool");
  s.plain_callback("log");
  s.resource("user");
  co_await s.serve();
  s.premise(s.marked("open pool ends") && s.marked("open user ends"), "both resources are open");
  co_await s.stop();
  co_await s.end();
  t.expect_eq(s.order_of({"close pool", "log", "close user"}), "close user log close pool",
              "a pool is closed after its user");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-8", "swept", .features = {"callbacks", "stop_on_cancel"},
               .swept = true) {
  service s(t, make({}));
  s.callback("a", taking(1s));
  s.plain_callback("b", true);
  s.callback("c", taking(1s));
  s.begin_as_victim();
  co_await s.stop(1s);
  co_await s.end(10s);
  if (s.run->cancelled()) co_return;
  t.expect_eq(s.order_of({"a", "b", "c"}), "c b a", "callbacks run in reverse order, each once");
  t.expect(s.marked("c ends") && s.marked("a ends"), "no cancellation reaches a callback");
  t.expect_eq(s.failures(), names{"b"}, "the failure is reported");
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-9", must,
             "Synchronous and asynchronous callbacks are both supported, and the latter are awaited.",
             .features = {"callbacks"}) {
  service s(t, make({}));
  s.plain_callback("last");
  s.callback("slow", taking(1s));
  s.plain_callback("first");
  co_await s.stop(1s);
  co_await s.just_before(2s);
  t.expect(s.marked("first begins"), "a synchronous callback is called");
  t.expect(s.marked("slow begins"), "an asynchronous callback is begun");
  t.expect(!s.marked("last begins"), "an asynchronous callback is awaited");
  co_await s.end(2s);
  t.expect_before("slow ends", "last begins");
}

// ---- Escalation

ASSAY_CLAUSE(
    graceful_shutdown, "SHD-10", must,
    "Escalation during the drain goes straight to force-cancel; before the drain it takes effect when the "
    "drain begins; it never restarts the cleanup nor shortens it below its minimum. With `signals` a second "
    "stop signal escalates, with `cancel_escalates` a cancel of a run() that is stopping.",
    .features = {"force"}) {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.admit(1, taking(100s));
  s.admit(2, lingering(1s));
  co_await s.at(1s);
  s.under_way("work 1");
  s.under_way("work 2");
  co_await s.stop();
  co_await s.just_before(3s);
  t.expect(!s.marked("work 1 cancelled"), "the drain goes on until then");
  co_await s.escalate(3s);
  t.expect(s.marked("work 1 cancelled"), "an escalation in the drain cancels at once");
  co_await s.just_before(4s);
  t.expect(s.run->pending(), "cancelled work is still awaited");
  co_await s.end(4s);
  t.expect(s.ended().survivors.empty(), "the force budget is not cut short");
  t.expect(s.ended().forced, "the stop was forced");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "before_drain", .features = {"force", "grace"}) {
  service s(t, make({.grace = 3s, .drain = 8s, .force = 2s}));
  s.admit(1, taking(100s));
  co_await s.at(1s);
  s.under_way("work 1");
  co_await s.stop();
  co_await s.at(2s);
  s->escalate();
  s->escalate();
  co_await s.just_before(4s);
  t.expect(!s.marked("work 1 cancelled"), "the grace period goes on");
  co_await s.at(4s);
  t.expect(s.marked("work 1 cancelled"), "an escalation before the drain cancels as the drain begins");
  co_await s.end();
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "while serving", .features = {"force"}) {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.admit(1, lingering(1s));
  co_await s.at(1s);
  s.under_way("work 1");
  co_await s.escalate();
  t.expect(s.run->pending() && s->ready(), "an escalation is no request to stop");
  t.expect(!s.marked("work 1 asked to stop"), "nor does it cancel anything while the service runs");
  co_await s.stop(2s);
  t.expect(s.marked("work 1 asked to stop"), "an escalation before the request cancels as the drain begins");
  co_await s.just_before(3s);
  t.expect(s.run->pending(), "cancelled work is still awaited");
  co_await s.end(3s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "in_cleanup", .features = {"force", "callbacks"}) {
  service s(t, make({.callback = 4s, .cleanup = 4s}));
  s.callback("a", taking(1s));
  s.callback("b", taking(2s));
  co_await s.stop();
  co_await s.at(1s);
  s.under_way("b");
  co_await s.escalate();
  co_await s.escalate(2500ms);
  co_await s.end(10s);
  t.expect(s.marked("a ends") && s.marked("b ends"), "the cleanup keeps its minimum");
  t.expect_eq(s.order_of({"a", "b"}), "b a", "the cleanup is not begun again");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "signals", .features = {"force", "signals"}) {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.admit(1, taking(100s));
  co_await s.at(1s);
  s.under_way("work 1");
  s->signal();
  co_await s.at(2s);
  t.expect(!s->ready(), "the first signal requests a stop");
  t.expect(!s.marked("work 1 cancelled"), "and no more than that");
  s->signal();
  co_await t.settle();
  t.expect(s.marked("work 1 cancelled"), "the second signal escalates");
  co_await s.end();
}

// ---- Budgets

config within(nanoseconds pre_stop, nanoseconds total, config wanted) {
  wanted.pre_stop = pre_stop;
  wanted.total = total;
  return wanted;
}

/// Null if these budgets were refused, as negative ones may be, and as what has no limit may be beside others.
assay::made_subject<contract_type> made_or_refused(const maker& make, const config& wanted) {
  try {
    return make(wanted);
  } catch (const assay::contract::rejected_error&) {
    return nullptr;
  }
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-11", must,
             "The budgets of the phases, with what was spent before the request, fit into the total, or are "
             "refused; a watchdog ends every wait when the total is spent.",
             .features = {"budgets", "force"}) {
  const auto accepted = [&make](nanoseconds pre_stop, nanoseconds total) {
    const config wanted = {.grace = 1s, .drain = 5s, .force = 2s, .background = 2s, .cleanup = 4s};
    return made_or_refused(make, within(pre_stop, total, wanted)) != nullptr;
  };
  t.expect(accepted(3s, 17s), "budgets that fill the total are accepted");
  t.expect(!accepted(3s, 17s - 1ns), "budgets that exceed the total are refused");
  t.expect(!accepted(3s, 14s), "what was spent before the request counts");
  t.expect(accepted(0s, 14s), "without it they fit");
  t.expect(made_or_refused(make, {}) != nullptr, "the defaults fit");
  co_return;
}

/// Nobody listens: every wait lasts as long as it may.
asio::awaitable<void> check_watchdog(trial& t, maker make, nanoseconds pre_stop, nanoseconds total) {
  const config wanted = {.drain = 3s, .force = 2s, .background = 2s, .callback = 2s, .cleanup = 5s};
  service s(t, make(within(pre_stop, total, wanted)));
  for (const char* const name : {"a", "b", "c", "d", "e", "f", "g", "h"}) s.callback(name, insisting(50s));
  s.background("feed", insisting(50s));
  co_await s.at(1s);
  s.admit(1, insisting(50s));
  s.under_way("feed");
  s->request_stop();
  co_await t.settle();
  s.under_way("work 1");
  co_await s.at(total - pre_stop);
  s->request_stop();  // which gives it no more time
  co_await s.at(1s + total - pre_stop);
  t.expect(s.run->ended(), "run() ends when the total is spent, whoever does not listen");
  co_await s.end(100s);
  t.expect(s.ended().forced, "the stop was forced");
  t.expect(has(s.ended().survivors, "work 1") && has(s.ended().survivors, "feed"), "survivors are named");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "watchdog", .features = {"budgets", "force", "callbacks"}) {
  return check_watchdog(t, make, 0s, 14s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "pre_stop", .features = {"budgets", "force", "callbacks"}) {
  return check_watchdog(t, make, 8s, 25s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "used_up", .features = {"budgets", "force", "callbacks"},
               .why = "Everybody uses the whole budget and no more: nobody is cut short.") {
  service s(t,
            make({.drain = 3s, .force = 2s, .background = 2s, .callback = 5s, .cleanup = 5s, .total = 12s}));
  s.background("feed", lingering(2s - 1ns));
  s.callback("a", taking(5s - 1ns));
  co_await s.at(1s);
  s.admit(1, lingering(2s - 1ns));
  co_await t.settle();
  s.under_way("work 1");
  s.under_way("feed");
  co_await s.stop();
  co_await s.end(13s);
  t.expect(s.ended().survivors.empty(), "nobody is left alone who ends within the budget");
  t.expect(s.marked("work 1 ends") && s.marked("feed ends") && s.marked("a ends"), "and nobody is cut short");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "extreme totals", .features = {"budgets", "force", "callbacks"},
               .why = "A total without limit is no reason to skip what the shutdown is there for.") {
  for (const nanoseconds pre_stop : {0s, 3s}) {
    for (const nanoseconds total : assay::extreme_durations) {
      const std::string name = assay::format_duration(total) + " less " + assay::format_duration(pre_stop);
      const bool fits = total >= pre_stop;
      const config wanted = {.drain = 0s, .force = 0s, .background = 0s, .callback = 1s, .cleanup = 0s};
      auto made = made_or_refused(make, within(pre_stop, total, wanted));
      t.expect((made != nullptr) == fits || total < 0s,
               "budgets are accepted if they fit into the total " + name);
      if (made == nullptr) continue;
      service s(t, std::move(made));
      s.callback("flush of " + name, taking(500ms));
      co_await s.serve();
      s->request_stop();
      co_await t.pass(600ms);
      co_await s.end();
      if (assay::is_endless(total)) {
        t.expect(s.marked("flush of " + name + " ends"), "no callback is skipped or cut short: " + name);
        t.expect(!s.ended().forced, "nothing is forced while there is time: " + name);
      }
    }
  }
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-11", "extreme durations",
               .features = {"budgets", "force", "callbacks"}) {
  int id = 0;
  for (const nanoseconds drain : assay::extreme_durations) {
    const std::string name = assay::format_duration(drain);
    const bool endless = assay::is_endless(drain);
    const nanoseconds force = endless ? 0s : 1s;
    const config wanted = {.drain = drain, .force = force, .background = 0s, .callback = 1s, .cleanup = 0s};
    auto made = made_or_refused(make, within(0s, nanoseconds::max(), wanted));
    t.expect(made != nullptr || drain < 0s, "budgets that fit into the total are accepted: " + name);
    if (made == nullptr) continue;
    service s(t, std::move(made));
    s.plain_callback("flush after " + name);
    co_await s.serve();
    const std::string work = "work " + std::to_string(++id);
    s.admit(id, taking(assay::long_time));
    co_await t.settle();
    s.under_way(work);
    co_await s.stop();
    if (!assay::has_passed(drain)) {
      t.expect(s.run->pending() && !s.marked(work + " cancelled"), "the drain has its whole budget: " + name);
      co_await t.pass(endless ? assay::long_time : assay::soon);
    }
    t.expect(s.marked(work + (endless ? " ends" : " cancelled")),
             "work is cancelled when the budget is spent, and not before: " + name);
    co_await s.end();
    t.expect_eq(s.ended().forced, !endless, "something is forced if a budget is spent: " + name);
    t.expect(s.marked("flush after " + name + " begins"), "the cleanup is not skipped: " + name);
  }
}

// ---- Start

ASSAY_CLAUSE(graceful_shutdown, "SHD-12", must,
             "A stop that is requested before the start or during it gives the start up: nothing more is "
             "started, the step that is under way is asked to stop at once and waited for, and exactly what "
             "was started is cleaned. A start that fails is such a request.") {
  service s(t, make({}));
  s.resource("a");
  s.resource("b", taking(5s));
  s.resource("c");
  s.background("feed");
  co_await s.at(2s);
  s.under_way("open b");
  t.expect(!s->ready(), "a service that starts is not ready");
  t.expect(!s.offer(1, taking(0s)), "and takes no work");
  co_await s.stop();
  t.expect(s.run->ended(), "the start is given up at once");
  co_await s.end(10s);
  t.expect_before("close a ends", "phase stopped");
  t.expect(!s.marked("close b begins"), "what was half started is not");
  t.expect(!s.marked("open c begins") && !s.marked("close c begins"), "what was not started is left alone");
  t.expect(!s.marked("feed begins"), "background tasks never begin");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-12", "committed",
               .why = "A start that ends with a value although it was cancelled has started something.") {
  service s(t, make({.force = 2s}));
  s.resource("a", insisting(3s));
  s.resource("b");
  co_await s.at(2s);
  s.under_way("open a");
  co_await s.stop();
  co_await s.end(3s);
  t.expect_before("open a ends", "close a begins");
  t.expect(!s.marked("open b begins"), "nothing more is started");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-12", "failing_start") {
  service s(t, make({}));
  s.resource("a");
  s.resource("b", failing(1s));
  s.resource("c");
  co_await s.end(1s);
  t.expect(s.marked("close a ends"), "what was started is cleaned");
  t.expect(!s.marked("close b begins") && !s.marked("open c begins"), "what was not started is left alone");
  t.expect_eq(s.failures(), names{"b"}, "the failure is reported");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-12", "swept", .features = {"stop_on_cancel"}, .swept = true) {
  service s(t, make({}));
  s.resource("a", taking(1s));
  s.resource("b", taking(1s));
  s.begin_as_victim();
  co_await s.stop(5s);
  co_await s.end(10s);
  for (const std::string name : {"a", "b"}) {
    t.expect_eq(s.marked("close " + name + " ends"), s.marked("open " + name + " ends"),
                "exactly what was started is cleaned: " + name);
  }
}

// ---- Supervision, registration

ASSAY_CLAUSE(graceful_shutdown, "SHD-13", must,
             "A worker's failure while the service runs is noticed when it happens, not only at the drain.",
             .features = {"supervision"}) {
  service s(t, make({}));
  s.resource("pool");
  s.background("feed", failing(2s));
  s.background("idler", {1ms, when_asked::obeys, ending::cancelled});
  s.background("other");
  co_await s.just_before(2s);
  s.premise(s.marked("idler cancelled"), "a worker has given up");
  s.under_way("feed");
  t.expect(s.told().empty(), "a worker that gave up has not failed");
  co_await s.at(2s);
  t.expect_eq(s.told(), names{"feed"}, "the failure is told when it happens");
  t.expect(s.run->pending() && s->ready(), "the service goes on without it");
  co_await s.stop(5s);
  co_await s.end();
  t.expect(s.marked("other ends") && s.marked("close pool ends"),
           "the stop is not disturbed by who ended before");
  t.expect(s.reported().empty(), "a failure that was told is not told again");
}

asio::awaitable<void> check_restart(trial& t, maker make, nanoseconds delay) {
  service s(t, make({.on_failure = background_failure::restart, .restart_delay = delay}));
  auto tries = std::make_shared<int>(0);
  s->add_background("feed", [&t, tries] {
    const std::string name = "feed " + std::to_string(++*tries);
    return perform(t, name, *tries < 4 ? failing(1s) : lingering(0s));
  });
  for (int next = 2; next <= 4; ++next) {
    const std::string again = "feed " + std::to_string(next);
    const nanoseconds failed = (next - 1) * 1s + (next - 2) * delay;
    co_await s.at(failed);
    t.expect_eq(s.told(), names(static_cast<std::size_t>(next - 1), "feed"),
                "the failure is told when it happens");
    co_await s.just_before(failed + delay);
    t.expect(!s.marked(again + " begins"), "the restart waits for its delay");
    co_await s.at(failed + delay);
    t.expect(s.marked(again + " begins"), "the worker is started again");
  }
  co_await s.stop();
  co_await s.end();
  t.expect(s.marked("feed 4 ends"), "a worker that was started again is stopped like any other");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "restart", .features = {"supervision", "restart"}) {
  return check_restart(t, make, 1s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "restart_later", .features = {"supervision", "restart"}) {
  return check_restart(t, make, 3s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "restart_and_stop", .features = {"supervision", "restart"},
               .why = "A stop that comes during the delay: the worker is not started any more.") {
  service s(t, make({.on_failure = background_failure::restart, .restart_delay = 5s}));
  s.background("feed", failing(1s));
  co_await s.at(2s);
  s.premise(s.marked("feed begins"), "the worker has begun");
  co_await s.stop();
  t.expect(s.run->ended(), "a restart that is due later delays nothing");
  co_await s.end(10s);
  t.expect_eq(s.times("feed begins"), 1U, "nothing is started after the stop");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-7", "restart", .features = {"supervision", "restart"},
               .why = "A restart falls due when background tasks are stopped, or when they have been.") {
  for (const auto lingers : {4s, 0s}) {
    service s(t, make({.background = 5s,
                       .callback = 6s,
                       .cleanup = 6s,
                       .on_failure = background_failure::restart,
                       .restart_delay = 3s}));
    const std::string feed = "feed beside one that takes " + std::to_string(lingers.count());
    const std::string pool = "pool after one that takes " + std::to_string(lingers.count());
    s.resource(pool, {}, taking(5s));
    s.background(feed, failing(1s));
    s.background("slow " + feed, lingering(lingers));
    const nanoseconds begun = t.elapsed();
    co_await s.at(begun + 2s);
    s.premise(s.times(feed + " begins") == 1, "the worker has begun, and failed");
    co_await s.stop();
    co_await s.at(begun + 4s);
    if (lingers == 0s) s.under_way("close " + pool);
    co_await s.end(begun + 20s);
    t.expect_eq(s.times(feed + " begins"), 1U, "nothing is started once background tasks are being stopped");
  }
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-13", "shut_down",
               .features = {"supervision", "shut_down_on_failure"}) {
  service s(t, make({.drain = 5s, .on_failure = background_failure::shut_down}));
  s.background("feed", failing(1s));
  s.admit(1, taking(4s));
  co_await s.just_before(1s);
  s.under_way("work 1");
  s.under_way("feed");
  s.serving();
  co_await s.at(1s);
  t.expect(!s->ready(), "the service begins to stop when the worker fails");
  co_await s.end(4s);
  t.expect(s.marked("work 1 ends"), "work is drained as in any stop");
  t.expect_eq(s.failures(), names{"feed"}, "the cause is reported, once");
}

/// Callbacks and background tasks that were taken.
struct late_registrations {
  names callbacks;
  names tasks;

  void add(service& s, const std::string& when) {
    if (is_taken([&] { s.callback("callback " + when, taking(10ms)); }))
      callbacks.push_back("callback " + when);
    if (is_taken([&] { s.background("task " + when); })) tasks.push_back("task " + when);
  }
};

ASSAY_CLAUSE(graceful_shutdown, "SHD-14", must,
             "What is registered after the stop began is refused, or joins the phase that handles it; which "
             "of the two is declared.",
             .features = {"late_registration", "callbacks"}) {
  service s(t, make({.drain = 5s, .background = 3s}));
  late_registrations taken;
  s.callback("slow", taking(1s));
  s.background("feed", lingering(2s));
  s.admit(1, taking(2s));
  co_await s.at(1s);
  s.under_way("work 1");
  s.under_way("feed");
  co_await s.stop();
  taken.add(s, "in the drain");
  t.expect_eq(!taken.callbacks.empty(), s->late_policy() == assay::contract::late_registration::joins,
              "a late registration is treated as declared");
  co_await s.at(3s);
  s.under_way("feed");
  taken.add(s, "while the background stops");
  co_await s.at(4500ms);
  s.under_way("slow");
  taken.add(s, "in the cleanup");
  co_await s.end(10s);
  t.mark("run ended");
  taken.add(s, "after the end");
  co_await s.at(20s);
  for (const std::string& name : taken.callbacks) {
    t.expect_eq(s.times(name + " begins"), 1U, "a callback that was taken runs once: " + name);
    t.expect_before(name + " ends", "run ended");
  }
  for (const std::string& name : taken.tasks)  // one may be asked to stop before it begins
    if (s.marked(name + " begins")) t.expect_before(name + " ends", "run ended");
}

ASSAY_SCENARIO(
    graceful_shutdown, "SHD-14", "told of the phase", .features = {"late_registration"},
    .why = "A task that is registered as the drain begins may be asked to stop in the same turn.") {
  service s(t, make({.background = 3s}));
  s->observe([&s, asked = s.observer()](phase entered) {
    asked(entered);
    if (entered == phase::drain) (void)is_taken([&s] { s.background("task"); });
  });
  co_await s.serve();
  s.serving();
  co_await s.stop();
  t.expect(s.run->ended(), "a task that joins the drain is asked to stop with the others");
  co_await s.end(10s);
  if (s.marked("task begins")) t.expect_before("task ends", "phase cleanup");
}

ASSAY_UNCHECKED_CLAUSE(
    graceful_shutdown, "SHD-15", must,
    "Signal handlers are removed at the end and what was there before is restored; the exit status "
    "tells a graceful stop from a forced one.",
    "checked on a real process by reference_test, suite graceful_shutdown_process_test");

// ---- Accounting

/// A resource: what it holds is written to the sink when it is closed.
using buffer = std::vector<item>;

asio::awaitable<void> put(trial& t, std::shared_ptr<buffer> target, item& one, nanoseconds duration) {
  co_await perform(t, "work " + std::to_string(one.id()), taking(duration));
  target->push_back(std::move(one));
}
asio::awaitable<void> flush(trial& t, std::shared_ptr<buffer> target) {
  for (const item& one : *target) t.items().deliver(one);
  target->clear();
  co_return;
}
/// Adds one, and returns what makes work that takes some time and puts its item there.
std::function<contract_type::handler(nanoseconds)> add_buffer(service& s) {
  auto target = std::make_shared<buffer>();
  s->add_resource("buffer", s.doing("open buffer", {}), [&t = s.t, target] { return flush(t, target); });
  return [&t = s.t, target](nanoseconds duration) {
    return [&t, target, duration](item& one) { return put(t, target, one, duration); };
  };
}

ASSAY_CLAUSE(graceful_shutdown, "SHD-16", must,
             "At the end every item is accounted for: processed, persisted or reported.") {
  service s(t, make({.drain = 5s}));
  const auto putting = add_buffer(s);
  co_await s.serve();
  for (int id = 1; id <= 4; ++id)
    t.expect(s.offer(id, putting(std::chrono::seconds(id))), "a running service takes work");
  co_await s.at(2s);
  for (int id = 5; id <= 7; ++id) {
    (void)s.offer(id, putting(1s));
    if (id == 5) s->request_stop();  // the next is offered in the same turn, the last when it stops
    if (id == 6) co_await t.settle();
  }
  co_await s.end(10s);
  s.expect_balanced();
  t.expect(t.items().count(item_state::delivered) >= 5, "what was admitted before the request is processed");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-16", "forced", .features = {"force"}) {
  service s(t, make({.drain = 2s, .force = 1s}));
  s.admit(1, taking(1s));
  s.admit(2, taking(100s));
  s.admit(3, insisting(30s));
  s.admit(4, failing_when_asked());
  co_await s.serve();
  for (const char* const name : {"work 1", "work 2", "work 3", "work 4"}) s.under_way(name);
  s->request_stop();
  (void)s.offer(5, taking(50s));
  co_await s.end(3s);
  (void)s.reported();
  s.expect_balanced();
  t.expect(t.items().state(1) == item_state::delivered, "finished work is processed");
  co_await s.at(40s);
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-16", "swept", .features = {"stop_on_cancel"}, .swept = true) {
  service s(t, make({.drain = 5s}));
  const auto putting = add_buffer(s);
  s.begin_as_victim();
  for (int id = 1; id <= 6; ++id) {
    co_await t.settle();
    (void)s.offer(id, putting(std::chrono::seconds(id)));
    if (id == 3) co_await t.advance(500ms);
    if (id == 5) s->request_stop();
  }
  co_await s.end(20s);
  s.expect_balanced();
}

// ---- Connections

ASSAY_CLAUSE(graceful_shutdown, "SHD-17", should,
             "Idle keep-alive connections are closed at the start of the drain; busy ones are told to close "
             "after the response.",
             .features = {"connections"}) {
  service s(t, make({.drain = 10s}));
  co_await s.serve();
  const auto open = [&t, &s](const std::string& name) {
    return s->open_connection([&t, name](assay::contract::connection_close how) {
      const bool now = how == assay::contract::connection_close::now;
      t.mark(name + (now ? " closes" : " closes after the response"));
    });
  };
  const int idle = open("idle");
  const int busy = open("busy");
  const int calm = open("calm");
  const int gone = open("gone");
  s->set_busy(busy, true);
  s->set_busy(calm, true);
  s->set_busy(calm, false);
  s->connection_closed(gone);
  s.admit(1, taking(2s));
  co_await s.at(1s);
  t.expect(!s.marked("idle closes"), "connections are kept alive while the service runs");
  co_await s.stop();
  t.expect_eq(s.times("idle closes"), 1U, "an idle connection is closed at the start of the drain");
  t.expect_eq(s.times("calm closes"), 1U, "so is one that has become idle");
  t.expect_eq(s.times("busy closes after the response"), 1U,
              "a busy one is told to close after the response");
  t.expect_eq(s.times("gone closes"), 0U, "one that is closed is left alone");
  t.expect_before("phase drain", "idle closes");
  t.expect(!is_taken([&s] { (void)s->open_connection([](assay::contract::connection_close) {}); }),
           "a connection that comes when accepting has stopped is refused");
  s->connection_closed(idle);
  s->connection_closed(calm);
  co_await s.at(2s);
  s->set_busy(busy, false);  // the response has gone, and the drain need not wait for anybody
  s->connection_closed(busy);
  co_await s.end();
  t.expect_eq(s.times("busy closes"), 0U, "and is not told twice");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-17", "too early", .features = {"connections"}) {
  service s(t, make({}));
  s.resource("pool", taking(2s));
  const auto taken = [&s] {
    return is_taken([&s] { (void)s->open_connection([](assay::contract::connection_close) {}); });
  };
  t.expect(!taken(), "a connection that comes before the service runs is refused");
  co_await s.at(1s);
  s.under_way("open pool");
  t.expect(!taken(), "a connection that comes while it starts is refused");
  co_await s.stop(3s);
  co_await s.end();
}

// ---- Cross-cutting

ASSAY_SCENARIO(graceful_shutdown, "X-7", "", .features = {"force"}) {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.resource("pool");
  s.admit(1, taking(100s));
  co_await s.serve();
  s.under_way("work 1");
  for (int i = 0; i < 3; ++i) s->request_stop();
  co_await s.stop(1s);
  co_await s.at(2s);
  t.expect(!s.marked("work 1 cancelled"), "repeated requests are harmless");
  co_await s.escalate();
  t.expect(s.marked("work 1 cancelled"), "the stronger request gets through after the weaker ones");
  s->escalate();
  co_await s.stop();
  co_await s.end();
  t.expect_eq(s.times("close pool begins"), 1U, "the stop happens once");
}

ASSAY_SCENARIO(graceful_shutdown, "X-7", "cancelled", .features = {"force", "stop_on_cancel"}) {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.admit(1, taking(100s));
  co_await s.at(1s);
  s.under_way("work 1");
  s.run->cancel();
  co_await s.at(2s);
  t.expect(!s->ready(), "a cancelled run() stops the service");
  t.expect(!s.marked("work 1 cancelled"), "gracefully");
  co_await s.escalate();
  t.expect(s.marked("work 1 cancelled"), "a stronger request gets through after the weaker one");
  t.expect(s.run->done(), "the report comes all the same");
}

ASSAY_SCENARIO(
    graceful_shutdown, "X-7", "cancelled again", .features = {"force", "stop_on_cancel"},
    .why = "Whether a second cancel escalates or not, it is harmless, and hides no stronger request.") {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.resource("pool");
  s.admit(1, taking(100s));
  co_await s.serve();
  s.under_way("work 1");
  for (int i = 1; i <= 3; ++i) {
    co_await s.at(std::chrono::seconds(i));
    s.run->cancel();
  }
  co_await s.escalate(4s);
  co_await s.end();
  t.expect(s.run->done(), "the report comes all the same");
  t.expect_eq(s.times("work 1 cancelled"), 1U, "the stronger request gets through after weaker ones");
  t.expect_eq(s.times("close pool begins"), 1U, "the stop happens once");
}

ASSAY_SCENARIO(graceful_shutdown, "SHD-10", "cancelled",
               .features = {"force", "stop_on_cancel", "cancel_escalates"}) {
  service s(t, make({.drain = 8s, .force = 2s}));
  s.admit(1, taking(100s));
  co_await s.at(1s);
  s.under_way("work 1");
  s.run->cancel();
  co_await s.at(2s);
  t.expect(!s.marked("work 1 cancelled"), "the first cancel requests a stop, and no more than that");
  co_await t.cancel(*s.run);
  t.expect(s.marked("work 1 cancelled"), "a cancel of a run() that is stopping escalates");
  t.expect(s.run->done(), "the report comes all the same");
}

asio::awaitable<void> run_and_compare(trial& t, contract_type& shutdown, bool throwing) {
  co_await asio::this_coro::throw_if_cancelled(throwing);
  const report ended = co_await shutdown.run();
  const bool after = co_await asio::this_coro::throw_if_cancelled();
  t.expect_eq(after, throwing, "run() gives the switch of its caller back as it was");
  co_await assay::sleep_for_ever();
}

ASSAY_SCENARIO(graceful_shutdown, "X-10", "") {
  for (const bool throwing : {true, false}) {
    auto shutdown = make({});
    auto run = co_await t.begin("run, then wait", run_and_compare(t, *shutdown, throwing));
    t.premise(shutdown->ready(), "the service runs");
    shutdown->request_stop();
    co_await t.pass(60s);
    t.expect(run.pending(), "the caller goes on when run() has ended");
    co_await t.cancel(run);
    t.expect(run.cancelled(), "and can be cancelled");
  }
}

ASSAY_SCENARIO(
    graceful_shutdown, "X-11", "", .features = {"callbacks", "stop_on_cancel"},
    .why = "Cleanup is shielded from the cancellation of run(); each callback has its own deadline.") {
  service s(t, make({.force = 1s, .callback = 2s, .cleanup = 8s}));
  s.callback("a", taking(1s));
  s.callback("b", taking(100s));
  co_await s.serve();
  s.run->cancel();
  co_await s.at(1s);
  t.expect(s.marked("b begins"), "cleanup begins although run() was cancelled");
  s.under_way("b");
  s.run->cancel();
  co_await s.just_before(2s);
  t.expect(!s.marked("b cancelled"), "no request reaches a callback");
  co_await s.at(2s);
  t.expect(s.marked("b cancelled"), "its own deadline does");
  co_await s.end(5s);
  t.expect(s.marked("a ends"), "the next callback has a deadline of its own");
}

ASSAY_SCENARIO(graceful_shutdown, "X-16", "", .features = {"callbacks", "force"}) {
  service s(t, make({.drain = 1s, .force = 1s}));
  s.plain_callback("a", true);
  s.plain_callback("b", true);
  s.admit(1, taking(100s));
  s.admit(2, failing(500ms));
  co_await s.serve();
  s.under_way("work 1");
  s.under_way("work 2");
  co_await s.stop();
  co_await s.end(1s);
  expect_failures(s, s.reported(), {"work 2", "b", "a"},
                  "all failures, by name, in the order of their happening, and no cancellation");
}

ASSAY_SCENARIO(graceful_shutdown, "X-17", "",
               .features = {"callbacks", "supervision", "shut_down_on_failure"}) {
  service s(t, make({.on_failure = background_failure::shut_down}));
  s.plain_callback("a", true);
  s.background("feed", failing(1s));
  co_await s.just_before(1s);
  s.under_way("feed");
  co_await s.end(1s);
  const names reported = s.reported();
  const names expected = {"feed", "a"};
  expect_failures(s, reported, expected, "the primary failure comes first");
  if (reported != expected) co_return;  // told as they happened: there is no aggregate
  t.expect(!s.ended().failures[0].secondary, "the cause of the stop stays the primary failure");
  t.expect(s.ended().failures[1].secondary, "a failure during cleanup is secondary");
}

ASSAY_SCENARIO(graceful_shutdown, "X-17", "no_primary", .features = {"callbacks"}) {
  service s(t, make({}));
  s.plain_callback("a", true);
  co_await s.stop();
  co_await s.end();
  const names reported = s.reported();
  if (!s.told().empty()) co_return;  // told when it happened: there is no aggregate
  if (!t.expect_eq(reported, names{"a"}, "the failure is reported")) co_return;
  t.expect(!s.ended().failures[0].secondary, "without a primary failure it is the primary one");
}

ASSAY_SCENARIO(graceful_shutdown, "X-22", "", .features = {"force"}) {
  service s(t, make({.drain = 4s, .force = 1s}));
  s.admit(1, taking(100s));
  co_await s.serve();
  s.under_way("work 1");
  co_await s.stop();
  co_await s.at(1s);
  t.step_wall_clock(3600s);
  co_await s.just_before(4s);
  t.expect(!s.marked("work 1 cancelled"), "a wall clock that is put forward shortens no budget");
  t.step_wall_clock(-7200s);
  co_await s.at(4s);
  t.expect(s.marked("work 1 cancelled"), "nor does one that is put back lengthen it");
  co_await s.end();
}

/// The names of what was forced.
std::shared_ptr<names> forced_by(service& s) {
  auto forced = std::make_shared<names>();
  s->on_forced([forced](const std::string& name) { forced->push_back(name); });
  return forced;
}

ASSAY_SCENARIO(graceful_shutdown, "X-29", "", .features = {"force"}) {
  service s(t, make({.drain = 1s, .force = 1s, .background = 1s}));
  const auto forced = forced_by(s);
  s.background("feed", insisting(20s));
  s.admit(1, taking(100s));
  s.admit(2, insisting(20s));
  s.admit(3, taking(500ms));
  s.admit(4, failing_when_asked());
  co_await s.serve();
  for (const char* const name : {"feed", "work 1", "work 2", "work 3", "work 4"}) s.under_way(name);
  co_await s.stop();
  co_await s.end(3s);
  (void)s.reported();
  const names expected = {"feed", "work 1", "work 2", "work 4"};
  t.expect_eq(assay::sorted(*forced), expected, "one event for each forced action");
  co_await s.at(30s);
}

ASSAY_SCENARIO(graceful_shutdown, "X-29", "cut_short", .features = {"callbacks", "force"},
               .why = "A callback that obeys when its budget is spent has not done its work.") {
  service s(t, make({.callback = 1s}));
  const auto forced = forced_by(s);
  s.callback("quick", taking(0s));
  s.plain_callback("broken", true);
  s.callback("slow", taking(100s));
  co_await s.stop();
  co_await s.end(1s);
  (void)s.reported();
  t.expect(s.marked("slow cancelled"), "it is asked to stop");
  t.expect_eq(*forced, names{"slow"}, "a callback that was cut short is told, and none that ended by itself");
  t.expect(s.ended().forced, "and makes the stop a forced one");
}

ASSAY_SCENARIO(
    graceful_shutdown, "X-31", "force", .features = {"force"}, .late = true,
    .why = "A late loop finds the end of cancelled work and the end of the force budget due together.") {
  service s(t, make({.drain = 1s, .force = 2s}));
  const auto forced = forced_by(s);
  s.admit(1, lingering(2s - 1ms));
  co_await s.serve();
  s.under_way("work 1");
  auto bystander = t.start("another timer", assay::sleep_for(3s + 1ms));
  co_await s.stop();
  co_await s.end(20s);
  t.expect(forced->size() <= 1, "what was forced is told no more than once, however late the loop is");
  t.expect(s.ended().unfinished.size() <= 1, "what did not end by itself is reported no more than once");
  t.expect(bystander.done(), "whoever else waits is not disturbed");
}

ASSAY_SCENARIO(graceful_shutdown, "X-31", "grace", .features = {"grace"},
               .why = "The grace period ends so late that a drain that had begun in time would be over.") {
  int id = 0;
  for (const auto takes : {3s, 8s}) {  // due with the late end of the grace period, or after it
    service s(t, make({.grace = 2s, .drain = 3s}));
    const nanoseconds begun = t.elapsed();
    const std::string work = "work " + std::to_string(++id);
    co_await s.at(begun + 1s);
    s.serving();
    s.admit(id, taking(takes));
    co_await s.stop();
    s.under_way(work);
    t.stall(6s);
    co_await t.settle();
    t.expect(!s.marked(work + " cancelled"), "a drain that begins late has its whole budget");
    co_await s.end(begun + 20s);
    t.expect(s.marked(work + " ends"), "work is left to end");
    t.expect(!s.ended().forced, "a loop that is late forces nobody");
  }
}

}  // namespace
