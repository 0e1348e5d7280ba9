// Random programs on a barrier of one to four parties, in rounds: parties wait, once or twice in a row, are
// cancelled and time out; the barrier is aborted and reset. In the end of a round everybody is cancelled, and
// a whole generation passes.
//
// Some programs let every step settle: then a model (who is parked, and whether the barrier is broken) says
// which wait has ended, and how. Others do several steps in one turn: for them what holds whatever the order
// is checked whenever they settle.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::barrier_cancel;
using std::chrono::nanoseconds;

// Who waits, once or more often in a row: one operation of the trial.
struct party {
  std::size_t waits = 1;
  std::optional<operation<void>> op = {};
  nanoseconds deadline = nanoseconds::max();
  std::size_t passed = 0;
  // What the model says of it. Where several are due at once, one of them may have broken the barrier for
  // this one.
  std::size_t to_pass = 0;
  outcome_kind end = outcome_kind::pending;
  bool or_broken = false;
  const char* why = "BAR-3";  // the clause by which it is broken

  bool is_asked_to_end() const { return op->state()->cancels() > 0; }  // by a sweep as well
};

struct run {
  trial& t;
  std::size_t parties;
  bool settled;  // after every step, so that the model is exact
  bool breaks;   // what a cancelled party does to the others
  bool leaves;   // if it claims neither, there is no model of it
  bool resets;
  bool numbers;
  contract::barrier* barrier = nullptr;
  std::map<std::size_t, party> all = {};
  std::vector<std::size_t> parked = {};  // in the model
  bool broken = false;                   // in the model
  const char* why = "BAR-3";             // it was broken last
  bool may_break = false;                // somebody may have broken it in this round
  bool disturbed = false;                // somebody aborted, reset or left in this round
  bool was_disturbed = false;            // the same, since the program settled last
  std::vector<std::size_t> seen = {};    // numbers of those who passed since then
  std::size_t next_op = 1;
  bool asks_to_settle = false;
};

void disturb(run& r) {
  r.disturbed = r.was_disturbed = true;
  r.may_break = r.may_break || !r.leaves;
}

// ---- the model

void break_all(run& r, const char* clause) {
  for (const std::size_t op : std::exchange(r.parked, {})) {
    r.all.at(op).end = outcome_kind::broken;
    r.all.at(op).why = clause;
  }
  r.broken = true;
  r.why = clause;
}

void leave(run& r, std::size_t op, outcome_kind how) {
  party& one = r.all.at(op);
  if (one.end != outcome_kind::pending) return;
  one.end = how;
  std::erase(r.parked, op);
  if (r.breaks) break_all(r, "BAR-3");
}

void arrive(run& r, std::size_t op) {
  if (r.broken) {
    r.all.at(op).end = outcome_kind::broken;
    r.all.at(op).why = r.why;
    return;
  }
  r.parked.push_back(op);
  if (r.parked.size() < r.parties) return;
  for (const std::size_t released : std::exchange(r.parked, {})) {
    party& one = r.all.at(released);
    if (++one.to_pass == one.waits) {
      one.end = outcome_kind::value;
    } else {
      arrive(r, released);
    }
  }
}

// Those whose deadline has come. Whichever of them is first breaks the barrier for the others.
void expire(run& r) {
  std::vector<std::size_t> due;
  for (const std::size_t op : r.parked) {
    if (r.all.at(op).deadline <= r.t.now()) due.push_back(op);
  }
  for (const std::size_t op : due) {
    party& one = r.all.at(op);
    one.end = outcome_kind::timed_out;
    one.or_broken = r.breaks && due.size() > 1;
    std::erase(r.parked, op);
  }
  if (!due.empty() && r.breaks) break_all(r, "BAR-3");
  if (!due.empty()) disturb(r);
}

// ---- what is checked whenever a program settles

void check_end(run& r, const party& one) {
  const outcome how = one.op->what();
  const auto who = [&one] { return "'" + one.op->name() + "' "; };
  switch (how.kind) {
    case outcome_kind::value:
      return;
    case outcome_kind::cancelled:
      r.t.expect(one.is_asked_to_end(), "BAR-5: " + who() + "is not affected by another's request");
      return;
    case outcome_kind::timed_out:
      r.t.expect(one.deadline <= r.t.now(), "X-23: " + who() + "waits until its deadline");
      return;
    case outcome_kind::broken:
      r.t.expect(r.may_break, "BAR-3: " + who() + "is broken by somebody");
      return;
    default:
      r.t.expect(false, who() + "ends with an outcome of the contract", to_string(how));
  }
}

void check_model(run& r, const party& one) {
  const outcome_kind seen = one.op->what().kind;
  if (seen == one.end || (one.or_broken && seen == outcome_kind::broken)) return;
  const char* clause = one.end == outcome_kind::value       ? "BAR-1"
                       : one.end == outcome_kind::broken    ? one.why
                       : one.end == outcome_kind::timed_out ? "X-23"
                       : seen == outcome_kind::broken       ? "BAR-7"
                                                            : "BAR-3";
  r.t.expect(false,
             std::string(clause) + ": '" + one.op->name() + "' ends as " + std::string(to_string(one.end)),
             to_string(seen));
}

void check_numbers(run& r) {
  std::map<std::size_t, std::size_t> times;
  for (const std::size_t number : r.seen) ++times[number];
  r.t.expect_eq(r.seen.size() % r.parties, 0U,
                r.disturbed ? "BAR-3: whole generations pass" : "BAR-1: whole generations pass");
  if (!r.numbers) return;
  for (std::size_t number = 0; number < r.parties; ++number)
    r.t.expect_eq(times[number], r.seen.size() / r.parties,
                  (r.disturbed ? "BAR-9: number " : "BAR-1: number ") + std::to_string(number) +
                      " is given once in each generation");
}

void check_settled(run& r) {
  expire(r);
  const auto is_leaving = [&r](const auto& one) {
    return one.second.is_asked_to_end() || one.second.deadline <= r.t.now();
  };
  if (std::any_of(r.all.begin(), r.all.end(), is_leaving)) disturb(r);
  std::size_t waiting = 0;
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending()) check_end(r, one);
    if (one.op->pending()) ++waiting;
    if (one.op->pending() && one.is_asked_to_end())
      r.t.expect(false, "BAR-3: '" + one.op->name() + "' ends when it is cancelled");
    if (one.op->pending() && one.deadline <= r.t.now())
      r.t.expect(false, "X-23: '" + one.op->name() + "' ends at its deadline");
    if (r.settled) check_model(r, one);
  }
  r.t.expect(waiting < r.parties, "BAR-1: as many as it takes do not wait",
             std::to_string(waiting) + " wait");
  if (r.settled || !r.was_disturbed) check_numbers(r);
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  check_settled(r);
  std::erase_if(r.all, [](const auto& one) { return one.second.op->ended(); });
  r.seen.clear();
  r.was_disturbed = false;
}

// ---- steps

asio::awaitable<void> wait_again_and_again(run& r, party& me, std::optional<nanoseconds> patience) {
  for (; me.passed < me.waits; ++me.passed) {
    std::size_t number = 0;
    if (patience) {
      number = co_await r.barrier->wait_for(*patience);
    } else {
      number = co_await r.barrier->wait();
    }
    r.seen.push_back(number);
  }
}

void begin(run& r, const program_step& step, std::size_t waits, std::optional<nanoseconds> patience) {
  const std::size_t op = r.next_op++;
  party& me = r.all[op];
  me.waits = waits;
  if (patience)
    me.deadline = *patience > nanoseconds::max() - r.t.now() ? nanoseconds::max() : r.t.now() + *patience;
  const std::string name = (waits > 1  ? "wait, wait ("
                            : patience ? "wait_for ("
                                       : "wait (") +
                           std::to_string(op) + ")";
  me.op.emplace(r.t.start(name, wait_again_and_again(r, me, patience)));
  if (!r.settled && step.b == 1) r.t.victim(*me.op);
}

constexpr nanoseconds patiences[] = {5ms, 10ms, 15ms, 20ms, 0ns, -5ms, 1ns, nanoseconds::max()};

// Several of them at once, sometimes.
template <std::size_t Waits, bool Timed>
asio::awaitable<void> begin_waits(run& r, const program_step& step) {
  for (std::size_t i = 0; i < (step.b == 3 ? 3U : 1U); ++i) {
    std::optional<nanoseconds> patience;
    if (Timed) patience = patiences[(step.a + i) % std::size(patiences)];
    const std::size_t op = r.next_op;
    begin(r, step, Waits, patience);
    if (!r.settled) continue;
    co_await r.t.settle();
    // Who comes last needs no waiting, and may be refused all the same if its deadline has passed.
    const party& me = r.all.at(op);
    if (patience && *patience <= 0ns && me.op->timed_out()) {
      disturb(r);
      leave(r, op, outcome_kind::timed_out);
    } else {
      arrive(r, op);
    }
    co_await settle_and_check(r);
  }
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.all.empty()) co_return;
  const auto chosen = std::next(r.all.begin(), static_cast<std::ptrdiff_t>(step.a % r.all.size()));
  disturb(r);
  chosen->second.op->cancel();
  leave(r, chosen->first, outcome_kind::cancelled);
}

asio::awaitable<void> advance(run& r, const program_step& step) {
  co_await r.t.advance(5ms * (1 + step.a % 4));
  if (r.settled) co_return;
  const auto is_due = [&r](const auto& one) { return one.second.deadline <= r.t.now(); };
  if (std::any_of(r.all.begin(), r.all.end(), is_due)) disturb(r);
}

template <asio::awaitable<void> (contract::barrier::*Call)(), bool Breaks>
asio::awaitable<void> call(run& r, const program_step& step) {
  disturb(r);
  r.may_break = true;
  auto calling = r.t.start(Breaks ? "abort" : "reset", (r.barrier->*Call)());
  if (!r.settled && step.b != 0) co_return;
  co_await r.t.settle();
  r.t.expect(calling.done(), Breaks ? "BAR-4: abort ends" : "BAR-7: reset ends");
  break_all(r, Breaks ? "BAR-4" : "BAR-7");
  r.broken = Breaks;
}

struct verb {
  const char* name;
  const char* feature;  // empty: everybody has it
  asio::awaitable<void> (*act)(run&, const program_step&);
};
const verb verbs[] = {
    {"wait", "", begin_waits<1, false>},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"advance", "", advance},
    {"wait_for", "timed", begin_waits<1, true>},
    {"wait_wait", "", begin_waits<2, false>},
    {"abort", "abort", call<&contract::barrier::abort, true>},
    {"reset", "reset", call<&contract::barrier::reset, false>},
    {"another_round", "", begin_another_round<run>},
};

// Shapes: one to four parties; the others leave, or break; settled after every step or not.
const grammar rules = {.shapes = 16,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

// A whole generation passes, unless the barrier is broken for good.
asio::awaitable<void> use_again(run& r) {
  if (r.resets) {
    auto resetting = co_await r.t.begin("reset at the end", r.barrier->reset());
    r.t.expect(resetting.done(), "BAR-7: reset ends");
    break_all(r, "BAR-7");
    r.broken = false;
  }
  if (r.broken || (r.disturbed && !r.resets && (r.breaks || !r.settled))) co_return;
  const std::string clause = r.resets ? "BAR-7" : r.disturbed ? "BAR-3" : "BAR-2";
  std::vector<operation<std::size_t>> last;
  for (std::size_t i = 0; i < r.parties; ++i) {
    for (const auto& one : last) r.t.expect(one.pending(), clause + ": fewer than it takes do not pass");
    last.push_back(co_await r.t.begin("wait at the end " + std::to_string(i), r.barrier->wait()));
  }
  for (const auto& one : last) {
    r.t.expect(one.done(), clause + ": as many pass as it takes");
    one.cancel();
  }
  co_await r.t.settle();
  for (const auto& one : last) (void)one.what();
}

asio::awaitable<void> finish_round(run& r) {
  co_await settle_and_check(r);
  for (auto& [op, one] : r.all) {
    disturb(r);
    one.op->cancel();
  }
  for (auto& [op, one] : r.all) {
    // Whichever is cancelled first breaks the barrier for the others.
    one.or_broken = r.breaks && r.all.size() > 1;
    one.end = outcome_kind::cancelled;
  }
  if (!r.all.empty() && r.breaks) r.broken = true;
  r.parked.clear();
  co_await settle_and_check(r);
  if (!r.t.has_failed()) co_await use_again(r);
}

}  // namespace

ASSAY_PROGRAM(contract::barrier, "BAR-1", rules,
              .asks = {"cancel_breaks", "cancel_leaves", "arrival_index", "reset"},
              .must_see = {"releases_one_party", "cancelled_party_counts", "number_is_the_count"}) {
  const bool can_break = make.claims("cancel_breaks");
  const bool can_leave = make.claims("cancel_leaves");
  const bool breaks = can_break && (!can_leave || steps.shape / 4 % 2 == 1);
  const auto state = std::make_shared<run>(run{.t = t,
                                               .parties = 1 + (steps.shape + 1U) % 4,
                                               .settled = steps.shape >= 8 && (can_break || can_leave),
                                               .breaks = breaks,
                                               .leaves = can_leave && !breaks,
                                               .resets = make.claims("reset"),
                                               .numbers = make.claims("arrival_index")});
  t.keep(state);  // what has not ended when the program breaks off may use it
  run& r = *state;
  const contract::barrier_config config = {
      .parties = static_cast<std::int64_t>(r.parties),
      .on_cancel = breaks ? barrier_cancel::breaks : barrier_cancel::leaves};
  auto barrier = make(config);
  r.barrier = barrier.get();
  for (const program_step& step : steps.steps) {
    const verb& what = verbs[step.verb];
    // What is repeated many times is done with one barrier: it may wear out.
    if (what.act == &begin_another_round<run> && rules.repeats[steps.repeats] == 1) {
      co_await finish_round(r);
      if (t.has_failed()) co_return;
      barrier.reset();
      barrier = make(config);
      r.barrier = barrier.get();
      r.broken = r.disturbed = r.may_break = false;
      continue;
    }
    co_await what.act(r, step);
    if (r.settled || std::exchange(r.asks_to_settle, false)) co_await settle_and_check(r);
  }
  co_await finish_round(r);
}

}  // namespace assay
