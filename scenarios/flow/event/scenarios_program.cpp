// Random programs on an event, manual-reset, auto-reset or a latch, in rounds: several callers wait, set and clear, all of
// them are cancelled, and what is left must be as it was at first; then comes another event. A caller makes one call, or two
// in a row without a break.
//
// Some programs let every step settle: then a model (a flag, and who waits) says which wait has ended, and how. Others do
// several steps in one turn: for them what holds whatever the order is checked whenever they settle.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/history.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::event_form;
using std::chrono::nanoseconds;

enum class call : std::uint8_t { wait, set, clear, broadcast };

using event_call = call;

struct planned {
  call what{};
  std::optional<nanoseconds> patience = {};
};

// What an event does where one call is made after the other. Who is freed by a broadcast comes right behind it.
struct event_order {
  using call = event_call;
  event_form form = event_form::manual_reset;
  bool set = false;
  bool open = false;  // a broadcast frees who waits
  bool has_cleared = false;
  auto operator<=>(const event_order&) const = default;

  // Who was cancelled may have been freed, and have set the event again.
  static unsigned steps(call what, call_end how) {
    return what == call::wait && how == call_end::without ? 2 : 1;
  }
  bool step(std::size_t, call what, unsigned nth) {
    if (what == call::wait && open) return true;
    open = what == call::broadcast;
    const bool is_automatic = form == event_form::auto_reset;
    switch (what) {
      case call::wait: {
        const bool was_set = set || nth == 1;
        if (is_automatic) set = nth == 1;
        return was_set;
      }
      case call::set:
        set = true;
        break;
      case call::clear:
        set = set && form == event_form::latch;
        has_cleared = true;
        break;
      case call::broadcast:
        break;
    }
    return true;
  }
  static std::string text(call what) {
    constexpr const char* names[] = {"wait", "set", "clear", "broadcast"};
    return names[static_cast<std::size_t>(what)];
  }
  std::string_view clause(call) const {
    return form == event_form::auto_reset && !has_cleared ? "EVT-8" : "EVT-4";
  }
};

// Who makes calls, one after another: one operation of the trial.
struct caller {
  std::vector<planned> calls = {};
  std::optional<operation<void>> op = {};
  std::size_t at = 0;  // the call that it is in
  nanoseconds deadline = nanoseconds::max();
  std::optional<std::size_t> parked_in = {};  // the call in which it was parked at the latest settled point
  bool owed_an_end = false;                   // of that call
  bool owed_a_value = false;

  bool pending() const { return op->pending(); }
  bool stayed() const { return parked_in == at && pending(); }
  bool is_asked_to_end() const { return op->state()->cancels() > 0; }
};
using callers = std::map<std::size_t, caller>;
constexpr std::size_t callers_max = 12;  // at a time

// What an event does when nothing happens at the same time.
class event_model {
 public:
  // An auto-reset event that is not fair may free any of those who wait: the one that it was seen to free.
  event_model(event_form form, bool fair, const callers& seen) : form_(form), fair_(fair), seen_(&seen) {}

  bool is_set() const { return set_; }
  outcome_kind of(std::size_t op) const { return ends_.contains(op) ? ends_.at(op) : outcome_kind::pending; }
  void make(std::size_t op, const std::vector<planned>& calls) {
    for (const planned& one : calls) {
      ends_[op] = outcome_kind::pending;
      if (one.what == call::wait && !set_) return parked_.push_back(op);
      if (one.what == call::wait && automatic()) set_ = false;
      if (one.what != call::wait) make(one.what);
      ends_[op] = outcome_kind::value;
    }
  }
  void make(call what) {
    switch (what) {
      case call::wait:
        break;
      case call::set:
        if (automatic() && !parked_.empty()) return free_one();
        set_ = true;
        if (!automatic()) free_all();
        break;
      case call::clear:
        if (form_ != event_form::latch) set_ = false;
        break;
      case call::broadcast:
        free_all();
        break;
    }
  }
  void leave(std::size_t op, outcome_kind how) {
    if (ends_[op] != outcome_kind::pending) return;
    ends_[op] = how;
    std::erase(parked_, op);
  }
  void forget(std::size_t op) { ends_.erase(op); }

 private:
  void free_one() {
    const auto was_freed = [this](std::size_t op) { return seen_->at(op).op->done(); };
    const auto seen = fair_ ? parked_.end() : std::find_if(parked_.begin(), parked_.end(), was_freed);
    const auto chosen = seen == parked_.end() ? parked_.begin() : seen;
    ends_[*chosen] = outcome_kind::value;
    parked_.erase(chosen);
  }
  void free_all() {
    for (const std::size_t op : parked_) ends_[op] = outcome_kind::value;
    parked_.clear();
  }

  bool automatic() const { return form_ == event_form::auto_reset; }

  event_form form_;
  bool fair_;
  const callers* seen_;
  bool set_ = false;
  std::deque<std::size_t> parked_;
  std::map<std::size_t, outcome_kind> ends_;
};

// What has happened since the program settled last.
struct interval {
  std::size_t sets = 0;
  std::size_t freed = 0;  // waits that ended with a value
  bool broadcast = false;
  bool cleared = false;
  bool from_outside = false;
  bool timed_out = false;
  bool cancelled = false;
  std::vector<history<event_order>::entry> sets_from_outside = {};
};

struct run {
  trial& t;
  event_form form;
  bool settled;  // after every step, so that the model is exact
  bool fair;
  bool clears;
  bool statistics;
  contract::event* event = nullptr;
  callers all = {};
  std::optional<event_model> model = {};
  history<event_order> seen = {};
  bool set = false;  // the flag of an event that is not auto-reset, as far as it is known
  bool has_cleared = false;
  bool has_broadcast = false;
  interval latest = {};
  std::size_t next_op = 1;
  bool asks_to_settle = false;
  bool dirty =
      false;  // settled programs: the turn goes on, and only what nobody's turn can change may be called

  bool automatic() const { return form == event_form::auto_reset; }
  // Whether it is known who is freed, before anybody has been seen.
  bool foresees() const { return fair || !automatic(); }
};

// ---- calls

nanoseconds later(nanoseconds now, nanoseconds delay) {
  return delay > nanoseconds::max() - now ? nanoseconds::max() : now + delay;
}

// Who is parked is freed by this call: ends, and with a value unless his deadline may have come before.
void owe_all(run& r, bool a_value) {
  for (auto& [op, one] : r.all) {
    if (!one.stayed() || one.is_asked_to_end()) continue;
    one.owed_an_end = true;
    one.owed_a_value = one.owed_a_value || a_value;
  }
}

// `first`: nobody else has had a turn at this instant, deadlines included.
void set(run& r, bool first) {
  ++r.latest.sets;
  r.event->set();
  r.set = true;
  if (!r.automatic()) owe_all(r, first);
}

void clear(run& r) {
  r.latest.cleared = r.has_cleared = true;
  try {
    r.event->clear();
  } catch (const contract::rejected_error&) {
    r.t.expect(r.form == event_form::latch, "EVT-4: an event that is no latch can be cleared");
  }
  if (r.form != event_form::latch) r.set = false;
}

void broadcast(run& r, bool first) {
  r.latest.broadcast = r.has_broadcast = true;
  r.event->broadcast();
  owe_all(r, first);
}

void make_now(run& r, call what, bool first) {
  auto seen = r.seen.begin(what);
  if (what == call::set) set(r, first);
  if (what == call::clear) clear(r);
  if (what == call::broadcast) broadcast(r, first);
  seen.done();
}

asio::awaitable<void> make_calls(run& r, caller& me) {
  for (; me.at < me.calls.size(); ++me.at) {
    const planned& one = me.calls[me.at];
    me.deadline = one.patience ? later(r.t.now(), *one.patience) : nanoseconds::max();
    if (one.what != call::wait) {
      make_now(r, one.what, false);
      continue;
    }
    auto seen = r.seen.begin(call::wait);
    if (one.patience) {
      co_await r.event->wait_for(*one.patience);
    } else {
      co_await r.event->wait();
    }
    seen.done();
    ++r.latest.freed;
  }
}

// ---- what is checked whenever a program settles

void check_end(run& r, const caller& one) {
  const outcome how = one.op->what();
  const auto who = [&one] { return "'" + one.op->name() + "' "; };
  switch (how.kind) {
    case outcome_kind::value:
      break;
    case outcome_kind::cancelled:
      r.latest.cancelled = true;
      if (!one.is_asked_to_end())
        r.t.expect(false, "EVT-3: " + who() + "is not affected by another's request");
      break;
    case outcome_kind::timed_out:
      r.latest.timed_out = true;
      if (one.deadline > r.t.now()) r.t.expect(false, "X-23: " + who() + "waits until its deadline");
      break;
    default:
      r.t.expect(false, who() + "ends with an outcome of the contract", to_string(how));
  }
}

void check_owed(run& r, const caller& one) {
  const auto text = [&one] { return "'" + one.op->name() + "' was parked, and is freed"; };
  if (one.owed_an_end && one.stayed()) {
    const char* const clause = r.latest.broadcast                          ? "EVT-9: "
                               : r.latest.sets == 0 && r.latest.freed == 0 ? "EVT-5: "
                                                                           : "EVT-1: ";
    r.t.expect(false, clause + text());
  }
  if (!one.owed_a_value || one.is_asked_to_end()) return;
  // Another call than that in which it was parked begins where that one ended with a value.
  const bool got_it = one.at != *one.parked_in || one.op->done();
  if (!got_it) r.t.expect(false, "EVT-7: " + text() + ", at its deadline as well");
}

std::size_t count_pending(const run& r) {
  const auto is_pending = [](const auto& one) { return one.second.pending(); };
  return static_cast<std::size_t>(std::count_if(r.all.begin(), r.all.end(), is_pending));
}

// A set meets somebody who waits, all the time: then as many are freed as sets were made.
void check_sets_of_automatic(run& r) {
  const auto stayed = [](const auto& one) { return one.second.stayed(); };
  const bool all_the_time = std::any_of(r.all.begin(), r.all.end(), stayed);
  if (!all_the_time || r.latest.broadcast) return;
  const char* const clause = r.latest.from_outside ? "EVT-5" : "EVT-8";
  if (r.latest.freed != r.latest.sets)
    r.t.expect_eq(r.latest.freed, r.latest.sets,
                  std::string(clause) + ": each set frees exactly one while somebody waits");
}

void check_flag(run& r) {
  const bool known = !r.latest.from_outside || !r.latest.cleared || r.form == event_form::latch;
  if (!known) r.set = r.event->is_set();
  const char* const clause = r.form == event_form::latch && r.latest.cleared ? "EVT-6"
                             : r.set                                         ? "EVT-2"
                                                                             : "EVT-4";
  r.t.expect_eq(r.event->is_set(), r.set, std::string(clause) + ": the flag is as it was left");
  r.t.expect(!r.set || count_pending(r) == 0, "EVT-1: a wait on a set event completes");
}

// What holds at every settled point, whatever happened before.
void check_settled(run& r) {
  for (const auto& [op, one] : r.all) {
    if (!one.pending()) check_end(r, one);
    if (one.pending() && one.deadline <= r.t.now())
      r.t.expect(false, "X-23: '" + one.op->name() + "' ends at its deadline");
    check_owed(r, one);
  }
  if (r.automatic()) {
    check_sets_of_automatic(r);
  } else {
    check_flag(r);
  }
  if (!r.statistics) return;
  const char* const clause = r.latest.timed_out && !r.latest.cancelled ? "EVT-7" : "EVT-3";
  r.t.expect_eq(r.event->waiting(), count_pending(r),
                std::string(clause) + ": who has ended leaves no entry");
}

void compare(run& r) {
  const auto is_freed = [&r](const auto& one) { return r.model->of(one.first) == outcome_kind::value; };
  const auto was_freed = [](const auto& one) { return one.second.op->done(); };
  const bool as_many = std::count_if(r.all.begin(), r.all.end(), is_freed) ==
                       std::count_if(r.all.begin(), r.all.end(), was_freed);
  for (const auto& [op, one] : r.all) {
    const outcome_kind expected = r.model->of(op);
    const outcome_kind seen = one.op->what().kind;
    if (seen == expected) continue;
    const char* clause = r.automatic() ? "EVT-8" : "EVT-1";
    if (r.automatic() && as_many) clause = "X-13";
    if (r.automatic() && !as_many && seen == outcome_kind::value && r.has_cleared) clause = "EVT-4";
    if (expected == outcome_kind::timed_out || seen == outcome_kind::timed_out) clause = "EVT-7";
    if (expected == outcome_kind::cancelled) clause = "EVT-3";
    r.t.expect_eq(to_string(seen), to_string(expected), clause + (": '" + one.op->name() + "'"));
  }
}

// The model knows no time: who was pending at its deadline has timed out.
void expire(run& r) {
  for (const auto& [op, one] : r.all) {
    if (one.deadline <= r.t.now()) r.model->leave(op, outcome_kind::timed_out);
  }
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  check_settled(r);
  if (r.settled) {
    expire(r);
    compare(r);
  }
  std::erase_if(r.all, [&r](const auto& one) {
    const bool ended = !one.second.pending();
    if (ended) r.model->forget(one.first);
    return ended;
  });
  for (auto& [op, one] : r.all) {
    one.parked_in = one.at;
    one.owed_an_end = one.owed_a_value = false;
  }
  for (auto& one : r.latest.sets_from_outside) one.done();
  r.latest = {};
  r.dirty = false;
}

// ---- steps

std::string name_of(const std::vector<planned>& calls, std::size_t op) {
  constexpr const char* names[] = {"wait", "set", "clear", "broadcast"};
  std::string name;
  for (const planned& one : calls) {
    name += name.empty() ? "" : ", ";
    name += names[static_cast<std::size_t>(one.what)];
    if (one.patience) name += " for " + format_duration(*one.patience);
  }
  return name + " (" + std::to_string(op) + ")";
}

// Who has waited longest goes when there are too many: so a program that is repeated goes on.
asio::awaitable<void> make_room(run& r) {
  if (r.all.size() < callers_max) co_return;
  co_await settle_and_check(r);
  if (r.all.size() < callers_max) co_return;
  const auto oldest = r.all.begin();
  oldest->second.op->cancel();
  r.model->leave(oldest->first, outcome_kind::cancelled);
  co_await settle_and_check(r);
}

asio::awaitable<void> begin(run& r, const program_step& step, std::vector<planned> calls) {
  co_await make_room(r);
  // In a settled program a caller goes on after its first call only if that ends at once, and the rest has one outcome.
  const bool waits_first = calls[0].what == call::wait && !r.model->is_set();
  if (r.settled && (waits_first || !r.foresees())) calls.resize(1);
  const std::size_t op = r.next_op++;
  caller& me = r.all[op];
  me.calls = std::move(calls);
  auto work = make_calls(r, me);
  me.op.emplace(r.t.start(name_of(me.calls, op), std::move(work)));
  if (!r.settled) {
    if (step.b == 1) r.t.victim(*me.op);
    co_return;
  }
  co_await r.t.settle();
  // What needs no waiting may be refused all the same if its deadline has passed.
  const bool has_passed = me.calls[0].patience && *me.calls[0].patience <= 0ns;
  if (has_passed && me.op->timed_out()) {
    r.model->leave(op, outcome_kind::timed_out);
  } else {
    r.model->make(op, me.calls);
  }
}

template <call... Calls>
asio::awaitable<void> begin_one(run& r, const program_step& step) {
  std::vector<planned> calls;
  for (const call what : {Calls...}) {
    if (what != call::broadcast || r.automatic()) calls.push_back({.what = what});
  }
  co_await begin(r, step, std::move(calls));
}

constexpr nanoseconds patiences[] = {5ms, 10ms, 15ms, 20ms, 0ns, -5ms, 1ns, nanoseconds::max()};

// Three of them at once, sometimes.
template <bool Timed>
asio::awaitable<void> begin_waits(run& r, const program_step& step) {
  const std::size_t count = step.b == 3 ? 3 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    std::vector<planned> calls(1);
    if (Timed) calls[0].patience = patiences[(step.a + i) % std::size(patiences)];
    co_await begin(r, step, std::move(calls));
  }
}

template <call... Calls>
asio::awaitable<void> make_here(run& r, const program_step&) {
  for (const call what : {Calls...}) {
    if (what == call::broadcast && !r.automatic()) continue;
    make_now(r, what, true);
    if (!r.settled) continue;
    if (!r.foresees()) co_await r.t.settle();
    r.model->make(what);
    r.dirty = r.foresees();
  }
}

asio::awaitable<void> set_from_outside(run& r, const program_step& step) {
  const std::size_t count = step.b == 3 ? 2 : 1;
  r.latest.from_outside = true;
  if (r.automatic()) r.latest.sets += count;
  if (!r.automatic()) owe_all(r, false);
  for (std::size_t i = 0; i < count; ++i) {
    r.latest.sets_from_outside.push_back(r.seen.begin(call::set));
    r.event->set_from_outside();
  }
  r.set = true;
  if (!r.settled) co_return;
  co_await r.t.settle();
  for (std::size_t i = 0; i < count; ++i) r.model->make(call::set);
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.all.empty()) co_return;
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    const auto chosen = std::next(r.all.begin(), static_cast<std::ptrdiff_t>((step.a + i) % r.all.size()));
    chosen->second.op->cancel();
    if (r.settled) r.model->leave(chosen->first, outcome_kind::cancelled);
  }
}

asio::awaitable<void> advance(run& r, const program_step& step) {
  co_await r.t.advance(5ms * (1 + step.a % 4));
  if (!r.settled) co_return;
  r.dirty = true;  // what comes next comes before anything due exactly now
  for (const auto& [op, one] : r.all) {
    if (one.deadline < r.t.now()) r.model->leave(op, outcome_kind::timed_out);
  }
}

struct verb {
  const char* name;
  const char* feature;  // empty: everybody has it
  asio::awaitable<void> (*act)(run&, const program_step&);
  bool may_share_a_turn = false;  // with what comes before it, in a settled program
};
const verb verbs[] = {
    {"wait", "", begin_waits<false>},
    {"set", "", make_here<call::set>, true},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"clear", "clear", make_here<call::clear>, true},
    {"wait_for", "timed", begin_waits<true>},
    {"advance", "", advance},
    {"broadcast", "auto_reset", make_here<call::broadcast>, true},
    {"set_from_outside", "thread_set", set_from_outside},
    {"set_set", "", make_here<call::set, call::set>, true},
    {"set_clear", "clear", make_here<call::set, call::clear>, true},
    {"set_broadcast", "auto_reset", make_here<call::set, call::broadcast>, true},
    {"wait_wait", "", begin_one<call::wait, call::wait>},
    {"wait_set", "", begin_one<call::wait, call::set>},
    {"set_wait", "", begin_one<call::set, call::wait>},
    {"wait_clear", "clear", begin_one<call::wait, call::clear>},
    {"another_round", "", begin_another_round<run>},
    {"broadcast_wait", "auto_reset", begin_one<call::broadcast, call::wait>},
};

// Shapes: manual-reset, auto-reset, latch; settled after every step or not.
const grammar rules = {.shapes = 6,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

void begin_round(run& r, contract::event& event) {
  r.event = &event;
  r.all.clear();
  r.model.emplace(r.form, r.fair, r.all);
  r.seen = {};
  r.set = r.dirty = r.has_cleared = r.has_broadcast = false;
  r.latest = {};
}

asio::awaitable<void> expect_wait(run& r, bool ends, const char* text) {
  auto wait = co_await r.t.begin("wait at the end", r.event->wait());
  r.t.expect_eq(wait.done(), ends, text);
  co_await r.t.cancel(wait);
  r.t.expect(wait.ended(), "EVT-3: a wait ends when it is cancelled");
}

// What an event does that nobody waits on, and that is clear.
asio::awaitable<void> use_again(run& r) {
  co_await expect_wait(r, false,
                       r.automatic() ? "EVT-8: a set is used up by one wait"
                                     : "EVT-4: who waits on an event that is not set is parked");
  auto wait = co_await r.t.begin("wait once more", r.event->wait());
  r.event->set();
  co_await r.t.settle();
  r.t.expect(wait.done(),
             r.automatic() ? "EVT-8: a set with a waiter frees it" : "EVT-1: set releases every waiter");
  co_await r.t.cancel(wait);
  if (!r.automatic()) co_return;
  r.event->set();
  r.event->set();
  co_await expect_wait(r, true, "EVT-8: a set without a waiter is remembered");
  co_await expect_wait(r, false, "EVT-8: it is remembered once");
}

// GEN-3: everything is cancelled, and then nothing may be left. False if the event cannot be used any more.
asio::awaitable<bool> finish_round(run& r) {
  co_await settle_and_check(r);
  expect_explained(r.t, r.seen, event_order{.form = r.form}, "event");
  for (const auto& [op, one] : r.all) {
    one.op->cancel();
    r.model->leave(op, outcome_kind::cancelled);
  }
  co_await r.t.settle();
  bool all_ended = true;
  for (const auto& [op, one] : r.all) {
    const std::string text = "EVT-3: '" + one.op->name() + "' ends when it is cancelled";
    all_ended = r.t.expect(!one.pending(), text) && all_ended;
  }
  co_await settle_and_check(r);
  if (!all_ended) co_return false;
  if (r.automatic()) {
    auto first = co_await r.t.begin("wait for what is left", r.event->wait());
    if (r.settled) {
      const bool expected = r.model->is_set();
      const char* clause = expected && r.has_broadcast ? "EVT-9" : "EVT-8";
      if (!expected && r.has_cleared) clause = "EVT-4";
      const std::string text = ": a set is remembered until a wait uses it up";
      r.t.expect_eq(first.done(), expected, clause + text);
    }
    co_await r.t.cancel(first);
    r.t.expect(first.ended(), "EVT-3: a wait ends when it is cancelled");
  } else if (r.clears && r.form == event_form::manual_reset) {
    r.event->clear();
  }
  if (r.automatic() || !r.event->is_set()) co_await use_again(r);
  co_return true;
}

asio::awaitable<void> do_step(run& r, const program_step& step) {
  const verb& what = verbs[step.verb];
  if (r.dirty && !what.may_share_a_turn) co_await settle_and_check(r);
  co_await what.act(r, step);
  const bool goes_on = r.settled ? r.dirty && step.b == 1 : !r.asks_to_settle;
  r.asks_to_settle = false;
  if (!goes_on) co_await settle_and_check(r);
}

}  // namespace

ASSAY_PROGRAM(contract::event, "EVT-1", rules, .asks = {"auto_reset", "latch", "fair", "clear", "statistics"},
              .must_see = {"set_frees_one", "loses_waiters_when_cleared_at_once", "clear_is_ignored"}) {
  event_form form = event_form::manual_reset;
  if (steps.shape % 3 == 1 && make.claims("auto_reset")) form = event_form::auto_reset;
  if (steps.shape % 3 == 2 && make.claims("latch")) form = event_form::latch;
  const auto state = std::make_shared<run>(run{.t = t,
                                               .form = form,
                                               .settled = steps.shape >= 3,
                                               .fair = make.claims("fair"),
                                               .clears = make.claims("clear"),
                                               .statistics = make.claims("statistics")});
  t.keep(state);  // what has not ended when the program breaks off may use it
  run& r = *state;
  auto event = make({.form = form});
  begin_round(r, *event);
  const bool stays_set = form == event_form::latch || !r.clears;
  // What is repeated many times is done with one event: it may wear out.
  const bool wears = rules.repeats[steps.repeats] > 1 && (form == event_form::auto_reset || !stays_set);
  bool goes_on = true;
  for (const program_step& step : steps.steps) {
    const bool is_last = verbs[step.verb].act == &begin_another_round<run>;
    if (wears && is_last) continue;
    if (is_last || (form != event_form::auto_reset && stays_set && r.set && step.b == 0)) {
      goes_on = co_await finish_round(r);
      if (!goes_on) break;
      event.reset();
      event = make({.form = form});
      begin_round(r, *event);
    }
    co_await do_step(r, step);
  }
  if (goes_on) co_await finish_round(r);
}

}  // namespace assay
