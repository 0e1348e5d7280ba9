// The plug check, and random programs on an event, manual-reset or auto-reset, compared with a model: a flag, and who
// waits. When a program settles after every step, the model says which wait has ended, and how.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

using namespace std::chrono_literals;

#ifdef ASSAY_PLUG_CHECK
ASSAY_PLUG_CHECK(event) {
  auto event = make();
  event->set();
  auto wait = co_await t.begin("wait", event->wait());
  t.expect(event->is_set(), "an event that was set says so");
  if (make.claims("clear")) event->clear();
  if (make.claims("thread_set")) event->set_from_outside();
  co_await t.settle();
  if (make.claims("statistics")) t.expect_eq(event->waiting(), 0U, "nobody is parked");
  if (make.claims("timed")) {
    auto other = make();
    auto wait_for = co_await t.begin("wait_for", other->wait_for(10ms));
    co_await t.pass(10ms);
  }
  if (make.claims("auto_reset")) {
    auto other = make({.form = assay::contract::event_form::auto_reset});
    auto freed = co_await t.begin("wait", other->wait());
    other->broadcast();
    co_await t.settle();
  }
  if (make.claims("latch")) make({.form = assay::contract::event_form::latch})->set();
}
#endif

namespace assay {
namespace {

const grammar rules = {
    .shapes = 4,  // manual or auto-reset, settled after every step or not
    .verbs = {"wait", "set", "cancel", "settle", "clear", "wait_for", "advance", "broadcast", "set_from_outside"},
    .a_values = 8,
    .b_values = 2,
    .steps_max = 30,
};
enum class verb { wait, set, cancel, settle, clear, wait_for, advance, broadcast, set_from_outside };

struct waiting {
  operation<void> op;
  outcome_kind expected = outcome_kind::pending;
  std::chrono::nanoseconds deadline = std::chrono::nanoseconds::max();
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

void free(run& r, bool all) {
  for (waiting& one : r.waits) {
    one.owed = one.owed || (all && one.parked);
    if (one.expected != outcome_kind::pending) continue;
    one.expected = outcome_kind::value;
    if (!all) return;
  }
  if (!all) r.set = true;
}

void model_set(run& r) {
  free(r, !r.automatic);
  if (!r.automatic) r.set = true;
}

void start(run& r, std::chrono::nanoseconds patience) {
  const std::string name = "wait " + std::to_string(r.waits.size() + 1);
  const bool timed = patience > 0ns;
  r.waits.push_back({r.t.start(name, timed ? r.event.wait_for(patience) : r.event.wait())});
  if (timed) r.waits.back().deadline = r.t.now() + patience;
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
  const char* const clause = r.automatic ? "EVT-8" : "EVT-1";
  for (waiting& one : r.waits) {
    if (one.expected == outcome_kind::pending && one.deadline <= r.t.now()) one.expected = outcome_kind::timed_out;
    one.parked = one.op.pending();
    r.t.expect(!one.owed || !one.parked, "EVT-1: a set releases every waiter, a broadcast too (EVT-9)", one.op.name());
    if (r.exact)
      r.t.expect_eq(to_string(one.op.what().kind), to_string(one.expected), std::string(clause) + ": " + one.op.name());
    if (!r.automatic && r.event.is_set()) r.t.expect(!one.parked, "EVT-1: nobody waits for an event that is set");
  }
  if (!r.automatic && r.settled) r.t.expect_eq(r.event.is_set(), r.set, "EVT-2: the flag is remembered");
}

boost::asio::awaitable<void> do_step(run& r, const program_step& step) {
  const std::chrono::nanoseconds patience = 5ms * (1 + step.a % 4);
  switch (static_cast<verb>(step.verb)) {
    case verb::wait:
    case verb::wait_for:
      start(r, static_cast<verb>(step.verb) == verb::wait ? 0ns : patience);
      if (!r.settled && step.b == 1) r.t.victim(r.waits.back().op);
      break;
    case verb::set:
      r.event.set();
      model_set(r);
      break;
    case verb::set_from_outside:
      r.event.set_from_outside();
      co_await r.t.settle();
      model_set(r);
      break;
    case verb::clear:
      r.event.clear();
      r.set = false;
      break;
    case verb::broadcast:
      r.event.broadcast();
      free(r, true);
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
  auto event = make({.form = automatic ? contract::event_form::auto_reset : contract::event_form::manual_reset});
  run r{t, *event, automatic, settled, settled && (!automatic || make.claims("fair"))};
  for (const program_step& step : steps.steps) {
    const auto what = static_cast<verb>(step.verb);
    const bool timed = what == verb::wait_for && !make.claims("timed");
    const bool clears = what == verb::clear && !make.claims("clear");
    const bool outside = what == verb::set_from_outside && !make.claims("thread_set");
    if (timed || clears || outside || (what == verb::broadcast && !automatic)) continue;
    co_await do_step(r, step);
    if (!settled && what != verb::settle) continue;
    co_await t.settle();
    check(r);
  }
  for (const waiting& one : r.waits) one.op.cancel();
  co_await t.settle();
  for (const waiting& one : r.waits) t.expect(one.op.ended(), "EVT-3: a wait ends when it is cancelled", one.op.name());
}

}  // namespace assay
