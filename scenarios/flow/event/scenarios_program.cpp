// The plug check, and random programs on an event, manual-reset or auto-reset, compared with a model: a flag, and who
// waits. When a program settles after every step, the model says which wait has ended, and how.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <string>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

using namespace std::chrono_literals;

namespace assay {
namespace {

const grammar rules = {
    .shapes = 4,  // manual or auto-reset, settled after every step or not
    .verbs = {"wait", "set", "cancel", "settle", "clear", "wait_for", "advance", "broadcast",
              "set_from_outside"},
    .a_values = 8,
    .b_values = 2,
    .steps_max = 30,
};
enum class verb { wait, set, cancel, settle, clear, wait_for, advance, broadcast, set_from_outside };
const char* const feature_of[] = {"", "", "", "", "clear", "timed", "", "auto_reset", "thread_set"};

struct waiting {
  operation<void> op;
  std::chrono::nanoseconds deadline;
  outcome_kind expected = outcome_kind::pending;
  bool parked = false;  // it was at the last settled point, and nobody cancelled it
  bool owed = false;    // it must have ended at the next
};

struct run {
  trial& t;
  contract::event& event;
  bool automatic;
  bool settled;
  bool exact;  // the model is
  bool set = false;
  std::deque<waiting> waits = {};
};

void free_all(run& r) {
  for (waiting& one : r.waits) {
    if (one.parked) one.owed = true;
    if (one.expected == outcome_kind::pending) one.expected = outcome_kind::value;
  }
}

void set(run& r) {
  r.set = true;
  if (!r.automatic) return free_all(r);
  for (waiting& one : r.waits) {
    if (one.expected != outcome_kind::pending || !r.set) continue;
    one.expected = outcome_kind::value;
    r.set = false;
  }
}

void start(run& r, std::chrono::nanoseconds patience) {
  const std::string name = "wait " + std::to_string(r.waits.size() + 1);
  const bool endless = patience == std::chrono::nanoseconds::max();
  r.waits.push_back({r.t.start(name, endless ? r.event.wait() : r.event.wait_for(patience)),
                     endless ? patience : r.t.now() + patience});
  if (!r.set) return;
  r.waits.back().expected = outcome_kind::value;
  r.set = !r.automatic;
}

void cancel(run& r, std::uint8_t which) {
  if (r.waits.empty()) return;
  waiting& one = r.waits[which % r.waits.size()];
  one.op.cancel();
  one.parked = false;
  if (one.expected == outcome_kind::pending) one.expected = outcome_kind::cancelled;
}

void check(run& r) {
  for (waiting& one : r.waits) {
    const bool due = one.expected == outcome_kind::pending && one.deadline <= r.t.now();
    if (due) one.expected = outcome_kind::timed_out;
    one.parked = one.op.pending();
    r.t.expect(!one.owed || !one.parked, "EVT-1: every waiter is released, by a broadcast too (EVT-9)");
    if (!r.exact) continue;
    const char* const clause = r.automatic ? "EVT-8: " : "EVT-1: ";
    r.t.expect_eq(to_string(one.op.what().kind), to_string(one.expected), clause + one.op.name());
  }
  if (!r.automatic && r.settled) r.t.expect_eq(r.event.is_set(), r.set, "EVT-2: the flag is remembered");
}

boost::asio::awaitable<void> do_step(run& r, const program_step& step) {
  const std::chrono::nanoseconds patience = 5ms * (1 + step.a % 4);
  switch (static_cast<verb>(step.verb)) {
    case verb::wait:
      start(r, std::chrono::nanoseconds::max());
      if (!r.settled && step.b == 1) r.t.victim(r.waits.back().op);
      break;
    case verb::wait_for:
      start(r, patience);
      break;
    case verb::set:
      r.event.set();
      set(r);
      break;
    case verb::set_from_outside:
      r.event.set_from_outside();
      co_await r.t.settle();
      set(r);
      break;
    case verb::clear:
      r.event.clear();
      r.set = false;
      break;
    case verb::broadcast:
      r.event.broadcast();
      free_all(r);
      break;
    case verb::cancel:
      cancel(r, step.a);
      break;
    case verb::settle:
      break;
    case verb::advance:
      co_await r.t.advance(patience);
      break;
  }
}

}  // namespace

ASSAY_PROGRAM(event, "EVT-1", rules,
              .must_see = {"set_frees_one", "loses_waiters_when_cleared_at_once", "clear_is_ignored"}) {
  const bool automatic = steps.shape % 2 == 1 && make.claims("auto_reset");
  const bool settled = steps.shape >= 2;
  auto event =
      make({.form = automatic ? contract::event_form::auto_reset : contract::event_form::manual_reset});
  run r{t, *event, automatic, settled, settled && (!automatic || make.claims("fair"))};
  for (const program_step& step : steps.steps) {
    const std::string feature = feature_of[step.verb];
    if (!feature.empty() && !make.claims(feature)) continue;
    if (feature == "auto_reset" && !automatic) continue;
    co_await do_step(r, step);
    if (!settled && static_cast<verb>(step.verb) != verb::settle) continue;
    co_await t.settle();
    check(r);
  }
  for (const waiting& one : r.waits) one.op.cancel();
  co_await t.settle();
  for (const waiting& one : r.waits) {
    t.expect(one.op.what().kind != outcome_kind::pending, "EVT-3: a wait ends when it is cancelled");
  }
}

}  // namespace assay
