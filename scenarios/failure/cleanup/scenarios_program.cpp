// Random programs on a cleanup scope: a body that acquires, closes and registers handlers as its script says, beside
// requests from outside and others who acquire. What happens is written down, and looked at when the run has ended.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>
#include <assay/scenarios/failure/cleanup/resources.hpp>

namespace assay {

namespace {

using namespace cleaning;
using namespace std::chrono_literals;
using contract::cleanup;
using std::chrono::nanoseconds;

// How a step goes: what it does, and for how long.
constexpr step_plan manners[] = {{conduct::ends, 0ms},  {conduct::ends, 2ms},    {conduct::fails, 0ms},
                                 {conduct::fails, 2ms}, {conduct::deaf, 15ms},   {conduct::gives_up, 1ms},
                                 {conduct::waits, 0ms}, {conduct::stubborn, 0ms}};
constexpr std::uint32_t manners_count = std::size(manners);

enum class verb : std::uint8_t {
  acquire,  // by the body: how its flush goes, and its close
  advance,
  settle,
  cancel,
  attempt,  // by the body: how the acquire goes
  body,     // how the body ends
  close,    // by the body
  handle,   // by the body
  beside    // somebody else acquires
};

const grammar rules = {
    .shapes = 8,  // bits: settled after every step; the run is the victim; a limit that is short
    .verbs = {"acquire",
              "advance",
              "settle",
              "cancel",
              "attempt",
              "body",
              "close",
              {"handle", "suppress"},
              {"beside", "single_use"}},
    .a_values = manners_count,
    .b_values = manners_count,
    .steps_max = 16,
    .repeats = {1, 1, 1, 1, 1, 1, 1, 8},
    .one_run = true,
};

struct scripted {
  scripted(verb does, std::string of) : what(does), name(std::move(of)) {}
  verb what;
  std::string name;
  bool swallows = false;
};

struct playing {
  playing(trial& t, const maker<cleanup>& make)
      : w(t),
        bounded(make.claims("bounded_cleanup")),
        shielded(make.claims("shielded_cleanup")),
        primary_first(make.claims("primary_first")) {}
  world w;
  const bool bounded, shielded, primary_first;
  cleanup* scope = nullptr;
  std::vector<scripted> script = {};
  std::vector<operation<void>> others = {};
  bool settled = false;
  bool is_asked = false;  // to stop, or ended as if it were
};

// What has no end is only for who has a limit.
step_plan manner_of(const playing& p, std::uint8_t number) {
  step_plan plan = manners[number % manners_count];
  const bool endless = plan.how == conduct::waits || plan.how == conduct::stubborn;
  if (endless && !p.bounded) plan = {conduct::deaf, 15ms};
  return plan;
}
step_plan manner_of_body(std::uint8_t number) {
  step_plan plan = manners[number % manners_count];
  if (plan.how == conduct::stubborn || plan.how == conduct::gives_up) plan = {conduct::ends, 1ms};
  return plan;
}

// ---- the body

boost::asio::awaitable<void> play(playing& p, scripted next) {
  std::exception_ptr failure;
  if (next.what == verb::close) {
    failure = co_await failure_of(p.scope->close());
    if (failure && !is_cancellation(failure)) p.w.failed.clear();  // it is the body that was told of them
  } else {
    failure = co_await failure_of(acquire(p.w, *p.scope, next.name));
  }
  if (!failure) co_return;
  if (is_cancellation(failure)) std::rethrow_exception(failure);
  p.w.t.observe(failure);
}

boost::asio::awaitable<void> act(playing& p) {
  for (const scripted& next : p.script) {
    if (next.what == verb::handle) {
      const bool swallows = next.swallows;
      cleanup::observer seen = [&p, swallows](const outcome& so_far) {
        const bool failed = so_far.kind != outcome_kind::value && so_far.kind != outcome_kind::cancelled;
        p.w.t.expect(failed || p.w.failed.empty() || p.is_asked,
                     "CLN-12: a handler is told of what failed, and was not swallowed");
        if (!swallows) return;
        if (failed) p.w.t.observe(so_far);
        if (failed) p.w.failed.clear();
      };
      try {
        p.scope->handle(next.name, swallows, std::move(seen));
      } catch (const contract::closed_error&) {
      }
      continue;
    }
    scripted one = next;
    co_await play(p, std::move(one));
  }
  co_await take(p.w, "body");
}

// ---- what is expected of the log

constexpr std::size_t nowhere = ~std::size_t{0};

struct life_of {
  std::string name;
  bool is_bodys = false;
  std::size_t acquired = nowhere, flush = nowhere, close = nowhere, forced = nowhere, last = nowhere;
  std::size_t flushes = 0, closes = 0, forces = 0;
  bool interrupted = false;
  std::size_t first() const { return std::min({flush, close, forced}); }
};

life_of life_in(const world& w, const std::string& name) {
  life_of one;
  one.name = name;
  one.is_bodys = name.starts_with("r");
  for (std::size_t i = 0; i < w.log.size(); ++i) {
    const std::string& line = w.log[i];
    const auto is = [&line, &name](std::string_view before, std::string_view after = {}) {
      return line == std::string(before) + name + std::string(after);
    };
    if (is("acquire ", ": ended")) one.acquired = i;
    if (is("flush ") && one.flushes++ == 0) one.flush = i;
    if (is("close ") && one.closes++ == 0) one.close = i;
    if (is("force ") && one.forces++ == 0) one.forced = i;
    if (is("flush ", ": cancelled") || is("close ", ": cancelled")) one.interrupted = true;
    const bool is_cleaned = is("flush ") || is("close ") || is("force ") || is("close ", ": ended") ||
                            is("close ", ": failed") || is("close ", ": cancelled") ||
                            is("flush ", ": ended") || is("flush ", ": failed") ||
                            is("flush ", ": cancelled");
    if (is_cleaned) one.last = i;
  }
  return one;
}

bool may_give_up(const world& w, const std::string& name) {
  for (const char* const kind : {"flush ", "close "}) {
    const auto found = w.plans.find(kind + name);
    if (found != w.plans.end() && found->second.how == conduct::gives_up) return true;
  }
  return false;
}

void check_one(const playing& p, const life_of& one, nanoseconds limit) {
  const world& w = p.w;
  trial& t = w.t;
  if (one.acquired == nowhere) {
    t.expect(one.first() == nowhere, "CLN-9: what was not acquired is not cleaned up", one.name);
    return;
  }
  const bool forced = one.forces > 0;
  t.expect(one.closes == 1 || (forced && one.closes == 0), "CLN-1: what was acquired is closed once",
           one.name);
  t.expect(one.flushes == 1 || (forced && one.flushes == 0), "CLN-6: what was acquired is flushed once",
           one.name);
  t.expect(one.closes == 0 || one.flush < one.close, "CLN-5: flush comes before close", one.name);
  t.expect(one.forces <= (p.bounded ? 1U : 0U), "CLN-7: nothing is closed by force twice", one.name);
  if (forced) {
    t.expect(one.closes == 0 || one.close < one.forced, "CLN-7: nothing begins after the force", one.name);
    if (one.flushes > 0)
      t.expect(w.when[one.forced] - w.when[one.flush] >= limit,
               "CLN-7: nothing is closed by force before the limit", one.name);
  }
  if (p.shielded && !forced && !may_give_up(w, one.name))
    t.expect(!one.interrupted, "CLN-3: a request interrupts no cleanup", one.name);
}

void check_order(trial& t, const std::vector<life_of>& all) {
  for (const life_of& older : all) {
    if (!older.is_bodys || older.acquired == nowhere || older.first() == nowhere) continue;
    for (const life_of& newer : all) {
      const bool is_newer = newer.is_bodys && newer.acquired != nowhere && newer.acquired > older.acquired &&
                            newer.acquired < older.first();
      if (is_newer)
        t.expect(newer.last < older.first(), "CLN-13: what was acquired last is cleaned up first",
                 older.name);
    }
  }
}

void check_outcome(const playing& p, const operation<void>& run) {
  const world& w = p.w;
  trial& t = w.t;
  const words labels = labels_of(run.what());
  if (w.failed.empty()) {
    const bool forced = !w.those("force ").empty();
    const bool gave_up = std::any_of(w.log.begin(), w.log.end(),
                                     [](const std::string& line) { return line.ends_with(": cancelled"); });
    t.expect(labels.empty(), "CLN-4: a run in which nothing failed reports no failure");
    t.expect(run.done() || forced || (run.cancelled() && (p.is_asked || gave_up)),
             "CLN-4: a run in which nothing failed ends well, or cancelled if it was asked to");
    return;
  }
  if (p.is_asked && run.cancelled()) return;
  t.expect(!run.done() && !run.cancelled(), "CLN-4: a run in which something failed fails");
  if (p.primary_first)
    t.expect_eq(labels, w.failed, "X-17: all failures are reported, the primary one first");
}

// ---- the whole

void prepare(playing& p, const program& steps) {
  std::size_t number = 0;
  for (const program_step& step : steps.steps) {
    const auto what = static_cast<verb>(step.verb);
    const bool is_other = what == verb::beside;
    scripted next(what, (is_other ? "o" : "r") + std::to_string(number++));
    if (what == verb::acquire) {
      p.w.plans["flush " + next.name] = manner_of(p, step.a);
      p.w.plans["close " + next.name] = manner_of(p, step.b);
    }
    if (what == verb::attempt) p.w.plans["acquire " + next.name] = manner_of_body(step.a);
    if (what == verb::body) p.w.plans["body"] = manner_of_body(step.a);
    if (what == verb::handle) next.swallows = step.a % 2 == 1;
    if (is_other) p.w.plans["acquire " + next.name].pause = std::chrono::milliseconds(step.a);
    const bool is_scripted =
        what == verb::acquire || what == verb::attempt || what == verb::close || what == verb::handle;
    if (is_scripted) p.script.push_back(std::move(next));
  }
}

boost::asio::awaitable<void> drive(playing& p, const program& steps, const operation<void>& run) {
  std::size_t number = 0;
  for (const program_step& step : steps.steps) {
    const std::string name = "o" + std::to_string(number++);
    switch (static_cast<verb>(step.verb)) {
      case verb::advance:
        co_await p.w.t.advance(std::chrono::milliseconds(step.a));
        break;
      case verb::settle:
        co_await p.w.t.settle();
        break;
      case verb::cancel:
        p.is_asked = true;
        run.cancel();
        break;
      case verb::beside:
        p.others.push_back(p.w.t.start("acquire " + name, acquire(p.w, *p.scope, name)));
        break;
      default:
        break;
    }
    if (p.settled) co_await p.w.t.settle();
  }
}

}  // namespace

ASSAY_PROGRAM(cleanup, "CLN-1", rules,
              .must_see = {"closes_in_order", "request_restarts_a_flush", "failed_close_skips_the_rest",
                           "registered_by_who_waits"}) {
  const nanoseconds limit = steps.shape >= 4 ? nanoseconds(10ms) : nanoseconds(10s);
  playing p(t, make);
  p.settled = steps.shape % 2 == 1;
  prepare(p, steps);
  auto scope = make({.limit = limit});
  p.scope = scope.get();
  auto run = t.start("run", scope->run([&p] { return act(p); }));
  if (steps.shape / 2 % 2 == 1) t.victim(run);
  co_await drive(p, steps, run);
  co_await t.advance(50ms);
  if (t.disturbed() || run.pending()) p.is_asked = true;
  // Where requests are no level, each of them may be spent with one step that ignores it.
  for (std::size_t i = 0; i < 4 + 4 * steps.steps.size() && !run.ended(); ++i) {
    run.cancel();
    co_await t.advance(1h);
  }
  if (!t.expect(run.ended(), "CLN-3: a run ends when its cleanup has ended")) co_await sleep_for_ever();
  for (const operation<void>& one : p.others) {
    one.cancel();
    (void)one.what();
  }
  auto closing = t.start("close", scope->close());  // for what was acquired, and the run never began
  co_await t.advance(1h);
  (void)closing.what();
  if (t.disturbed()) p.is_asked = true;
  std::vector<life_of> all;
  for (const std::string& name : p.w.those("acquire ")) all.push_back(life_in(p.w, name));
  for (const life_of& one : all) check_one(p, one, limit);
  check_order(t, all);
  check_outcome(p, run);
  if (p.bounded)
    t.expect_eq(scope->forced(), p.w.those("force "), "CLN-7: what is closed by force is named, in order");
}

}  // namespace assay
