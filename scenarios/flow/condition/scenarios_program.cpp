// Random programs on a condition, in rounds: several callers wait, for a notification or for a predicate, others notify,
// change the number and hold the mutex, some are cancelled; in the end all are notified, or cancelled, and the mutex must be
// free; then comes another condition.
//
// Whatever the order is: every change notifies everybody, so nobody waits for a predicate that holds; no more waits end than
// were notified; and while somebody waits on, every notification has ended a wait. Where every step settles, and who is
// notified is fair, a model says besides who it is.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/history.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/flow/condition/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr nanoseconds beat = 5ms;  // how long the mutex is held, and of what all deadlines are multiples
constexpr std::size_t callers_max = 12;
constexpr std::size_t everybody = 100;

// What a condition does where one call is made after the other. A wait is two of them: it parks, and it returns. Counted is how
// many are parked, and how many were notified and have not returned.
struct condition_order {
  enum class verb { wait, wait_until, notify, change };
  struct call {
    verb what{};
    std::size_t count = everybody;  // whom it notifies
    std::int64_t number = 0;
    bool was_notified = false;  // not if it was cancelled
  };
  bool exact = true;  // wake-ups are
  std::int64_t number = 0;
  std::size_t parked = 0;
  std::size_t notified = 0;
  auto operator<=>(const condition_order&) const = default;

  static unsigned steps(const call& one, call_end) { return one.what == verb::wait ? 2 : 1; }
  bool step(std::size_t, const call& one, unsigned nth) {
    if (one.what == verb::wait_until) return number >= one.number;
    if (one.what == verb::wait && nth == 0) return ++parked > 0;
    if (one.what == verb::wait) return one.was_notified ? use_notification() : leave();
    if (one.what == verb::change) number = one.number;
    const std::size_t count = std::min(one.count, parked);
    parked -= count;
    notified += count;
    return true;
  }
  static std::string text(const call& one) {
    constexpr const char* names[] = {"wait", "wait until ", "notify ", "change to "};
    const std::string name = names[static_cast<std::size_t>(one.what)];
    if (one.what == verb::wait) return name;
    return name +
           std::to_string(one.what == verb::notify ? static_cast<std::int64_t>(one.count) : one.number);
  }
  std::string_view clause(const call& one) const { return one.what == verb::wait_until ? "CND-5" : "CND-3"; }

 private:
  bool use_notification() {
    if (!exact) return true;
    return notified > 0 && notified-- > 0;
  }
  // Who was notified, and is cancelled, passes it on; if nobody is parked, it goes with him.
  bool leave() {
    std::size_t& of = parked > 0 ? parked : notified;
    if (!exact && of == 0) return true;
    return of > 0 && of-- > 0;
  }
};

enum class doing { waits, waits_until, notifies, holds };

// One call that is under way: one operation of the trial.
struct caller {
  doing what = doing::waits;
  std::size_t count = 0;  // whom it notifies
  std::int64_t at_least = 0;
  nanoseconds deadline = nanoseconds::max();
  std::optional<operation<void>> op = {};
  bool gives_lock_away = false;  // that of the program
  bool has_begun = false;
  std::optional<outcome_kind> expected = {};  // of the model: decided
  bool was_parked = false;                    // when the program had settled last

  bool is_asked_to_end() const { return op->state()->cancels() > 0; }
};
using callers = std::map<std::size_t, caller>;

struct run {
  trial& t;
  std::size_t shape;
  bool settled;  // after every step
  bool exact;    // wake-ups are
  bool fair;     // and exact
  bool plain;
  bool statistics;
  contract::condition* condition = nullptr;
  callers all = {};
  bool modelled = false;
  bool locked = false;      // by the program
  std::size_t working = 0;  // of those who hold the mutex for a while
  std::size_t budget = 0;   // how many waits may have ended as notified
  std::size_t notified = 0;
  std::size_t owed = 0;         // notifications since the program had settled last
  std::size_t since = 0;        // waits that were notified since
  bool can_be_counted = false;  // since then
  history<condition_order> seen = {};
  bool has_predicates = false;  // in this round: they may use up a notification, and wait on
  std::size_t next_op = 1;
  bool asks_to_settle = false;

  bool is_busy() const { return locked || working > 0; }
  std::size_t waits() const {
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [](const auto& one) { return one.second.what <= doing::waits_until; }));
  }
};

// ---- calls

using verb_seen = condition_order::verb;

// Makes a call, and writes down when it began and ended.
asio::awaitable<void> noted(run& r, condition_order::call what, asio::awaitable<void> call) {
  auto seen = r.seen.begin(what);
  co_await std::move(call);
  seen.what().was_notified = true;
  seen.done();
}

asio::awaitable<void> stay_a_beat(run& r) {
  const auto leave = [&r](int*) { --r.working; };
  int here = 0;
  ++r.working;
  const std::unique_ptr<int, decltype(leave)> working(&here, leave);
  co_await sleep_for(beat);
}

asio::awaitable<void> lock(run& r) {
  co_await r.condition->lock();
  r.locked = true;
}

// Who waits holds the mutex for the program, and unlocks.
asio::awaitable<void> wait_and_unlock(run& r, caller& me) {
  me.has_begun = true;
  std::exception_ptr failure;
  try {
    const condition_order::call waits{verb_seen::wait};
    co_await noted(r, waits, r.condition->wait_held());
  } catch (...) {
    failure = std::current_exception();
  }
  r.condition->unlock();
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> wait_until(run& r, std::int64_t at_least) {
  const condition_order::call waits{verb_seen::wait_until, 0, at_least};
  auto seen = r.seen.begin(waits);
  const std::int64_t value = co_await r.condition->wait_until(at_least);
  (void)value;
  seen.done();
}

// ---- what is checked whenever a program settles

std::string said_of(const caller& one, const char* clause, const char* text) {
  return std::string(clause) + ": '" + one.op->name() + "' " + text;
}

void check_end(run& r, const caller& one) {
  const outcome how = one.op->what();
  switch (how.kind) {
    case outcome_kind::value:
      break;
    case outcome_kind::cancelled:
      if (!one.is_asked_to_end())
        r.t.expect(false, said_of(one, "X-2", "is not affected by another's request"));
      break;
    case outcome_kind::timed_out:
      if (one.deadline > r.t.now()) r.t.expect(false, said_of(one, "X-23", "waits until its deadline"));
      break;
    default:
      r.t.expect(false, said_of(one, "CND-2", "ends with an outcome of the contract"), to_string(how));
  }
}

void note_end(run& r, const caller& one) {
  if (one.gives_lock_away && !one.has_begun) r.locked = true;
  if (!one.op->done()) return;
  if (one.what == doing::notifies) r.owed += one.count;
  if (one.what != doing::waits) return;
  ++r.notified;
  ++r.since;
}

void compare(run& r, const caller& one) {
  if (one.what != doing::waits) return;
  const bool is_expired = !one.expected && one.deadline <= r.t.now();
  outcome_kind wanted = one.expected.value_or(is_expired ? outcome_kind::timed_out : outcome_kind::pending);
  if (r.is_busy()) wanted = outcome_kind::pending;
  const outcome_kind seen = one.op->what().kind;
  if (seen != wanted) r.t.expect_eq(to_string(seen), to_string(wanted), said_of(one, "X-13", "in its turn"));
}

void check_pending(run& r, const caller& one) {
  if (r.is_busy()) return;
  if (one.is_asked_to_end()) r.t.expect(false, said_of(one, "CND-2", "ends when it is cancelled"));
  if (one.deadline <= r.t.now()) r.t.expect(false, said_of(one, "X-23", "ends at its deadline"));
  if (one.what >= doing::notifies)
    r.t.expect(false, said_of(one, "CND-2", "does not wait for a mutex that nobody holds"));
  if (one.what == doing::waits_until && one.at_least <= r.condition->number())
    r.t.expect(false, said_of(one, "CND-1", "does not wait for a predicate that holds"));
}

// Where somebody was parked all the time, every notification found somebody.
void check_notifications(run& r) {
  const bool counts = !r.is_busy() && r.can_be_counted;
  bool somebody_stayed = false;
  bool somebody_waits_for_a_predicate = false;
  std::size_t waiting = 0;
  for (auto& [op, one] : r.all) {
    somebody_stayed = somebody_stayed || (one.op->pending() && one.was_parked);
    if (one.what == doing::waits_until) somebody_waits_for_a_predicate = true;
    one.was_parked = one.op->pending() && !r.is_busy();
    if (one.op->pending() && one.what <= doing::waits_until) ++waiting;
  }
  if (counts && somebody_stayed && !somebody_waits_for_a_predicate && r.since < r.owed)
    r.t.expect(false, "CND-4: every notification ends a wait while somebody waits on");
  if (r.exact && r.notified > r.budget)
    r.t.expect(false, "CND-3: no more waits end as notified than were notified");
  if (r.statistics && !r.is_busy())
    r.t.expect_eq(r.condition->waiting(), waiting, "X-2: who has ended leaves no entry");
  r.owed = r.since = 0;
  r.can_be_counted = !r.is_busy();
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending()) note_end(r, one);
  }
  for (const auto& [op, one] : r.all) {
    one.op->pending() ? check_pending(r, one) : check_end(r, one);
    if (r.modelled) compare(r, one);
  }
  check_notifications(r);
  std::erase_if(r.all, [](const auto& one) { return !one.second.op->pending(); });
}

// ---- the model: the first who are parked are notified

void notify_in_model(run& r, std::size_t count) {
  for (auto& [op, one] : r.all) {
    if (count == 0) return;
    const bool is_parked = one.what == doing::waits && !one.expected && one.deadline > r.t.now();
    if (!is_parked || (!one.op->pending())) continue;
    one.expected = outcome_kind::value;
    --count;
  }
}

// ---- steps

// Whoever holds the mutex, or comes to it, leaves it.
asio::awaitable<void> let_all_leave(run& r) {
  do {
    if (r.locked) r.condition->unlock();
    r.locked = false;
    co_await r.t.pass(everybody * beat);
  } while (r.locked);
}

// Who has waited longest goes when there are too many: so a program that is repeated goes on.
asio::awaitable<void> make_room(run& r) {
  if (r.all.size() < callers_max) co_return;
  co_await settle_and_check(r);
  if (r.all.size() < callers_max) co_return;
  r.modelled = false;
  r.all.begin()->second.op->cancel();
  co_await let_all_leave(r);
  co_await settle_and_check(r);
}

// Where the mutex is not free, nobody says in which order it is had.
asio::awaitable<caller*> add(run& r, caller what) {
  co_await make_room(r);
  if (r.is_busy()) r.modelled = false;
  caller& me = r.all[r.next_op++];
  me = std::move(what);
  co_return &me;
}
void begin(run& r, caller& me, const program_step& step, std::string name, asio::awaitable<void> work) {
  me.op.emplace(r.t.start(name + " (" + std::to_string(r.next_op - 1) + ")", std::move(work)));
  if (!r.settled && step.b == 1) r.t.victim(*me.op);
}

// Who holds the mutex for a while after his wait.
contract::condition::work after_of(run& r, const program_step& step) {
  if (r.shape == 1 || step.b != 2) return {};
  return [&r] { return stay_a_beat(r); };
}

asio::awaitable<void> wait(run& r, const program_step& step) {
  const std::size_t count = step.b == 3 ? 3 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    caller* const me = co_await add(r, {});
    const condition_order::call waits{verb_seen::wait};
    auto work = noted(r, waits, r.condition->wait(after_of(r, step)));
    begin(r, *me, step, "wait", std::move(work));
    if (r.settled) co_await settle_and_check(r);
  }
}

constexpr nanoseconds patiences[] = {beat, 2 * beat, 3 * beat,           4 * beat,
                                     0ns,  -beat,    nanoseconds::min(), nanoseconds::max()};

asio::awaitable<void> wait_for(run& r, const program_step& step) {
  if (r.is_busy()) co_return;  // its patience would begin later
  const nanoseconds patience = patiences[step.a % std::size(patiences)];
  caller* const me = co_await add(r, {});
  me->deadline = patience > nanoseconds::max() - r.t.now() ? nanoseconds::max() : r.t.now() + patience;
  const condition_order::call waits{verb_seen::wait};
  auto work = noted(r, waits, r.condition->wait_for(patience, after_of(r, step)));
  begin(r, *me, step, "wait for " + format_duration(patience), std::move(work));
}

asio::awaitable<void> wait_until_large(run& r, const program_step& step) {
  if (r.modelled) co_return;
  caller what;
  r.has_predicates = true;
  what.what = doing::waits_until;
  what.at_least = 1 + step.a % 4;
  caller* const me = co_await add(r, std::move(what));
  begin(r, *me, step, "wait until " + std::to_string(me->at_least), wait_until(r, me->at_least));
}

asio::awaitable<void> notify(run& r, const program_step& step) {
  caller what;
  what.what = doing::notifies;
  what.count = step.a % 4;
  const std::size_t count = what.count;
  caller* const me = co_await add(r, std::move(what));
  r.budget += count;
  if (r.modelled) notify_in_model(r, count);
  const condition_order::call notifies{verb_seen::notify, count};
  auto work = noted(r, notifies, r.condition->notify(count));
  begin(r, *me, step, "notify " + std::to_string(count), std::move(work));
}

// How many park until it has the mutex is not known.
asio::awaitable<void> notify_all(run& r, const program_step& step) {
  caller what;
  what.what = doing::notifies;
  caller* const me = co_await add(r, std::move(what));
  r.budget += everybody;
  if (r.modelled) notify_in_model(r, everybody);
  const condition_order::call notifies{verb_seen::notify};
  auto work = noted(r, notifies, r.condition->notify_all());
  begin(r, *me, step, "notify all", std::move(work));
}

asio::awaitable<void> change(run& r, const program_step& step) {
  caller what;
  what.what = doing::notifies;
  caller* const me = co_await add(r, std::move(what));
  r.budget += everybody;
  if (r.modelled) notify_in_model(r, everybody);
  const std::int64_t number = step.a % 5;
  const condition_order::call changes{verb_seen::change, everybody, number};
  auto work = noted(r, changes, r.condition->change(number, everybody));
  begin(r, *me, step, "change to " + std::to_string(number), std::move(work));
}

asio::awaitable<void> hold(run& r, const program_step& step) {
  caller what;
  what.what = doing::holds;
  caller* const me = co_await add(r, std::move(what));
  contract::condition::work stays = [&r] { return stay_a_beat(r); };
  auto work = r.condition->hold(std::move(stays));
  begin(r, *me, step, "hold", std::move(work));
}

asio::awaitable<void> lock_it(run& r, const program_step& step) {
  if (r.is_busy()) co_return;
  caller what;
  what.what = doing::holds;
  caller* const me = co_await add(r, std::move(what));
  begin(r, *me, step, "lock", lock(r));
}

asio::awaitable<void> unlock_it(run& r, const program_step&) {
  if (r.locked) r.condition->unlock();
  r.locked = false;
  co_return;
}

asio::awaitable<void> wait_with_lock(run& r, const program_step& step) {
  co_await make_room(r);
  if (!r.locked) co_return;
  caller what;
  what.gives_lock_away = true;
  r.locked = false;
  caller* const me = co_await add(r, std::move(what));
  begin(r, *me, step, "wait with the mutex", wait_and_unlock(r, *me));
}

asio::awaitable<void> notify_now(run& r, const program_step& step) {
  if (!r.locked && !r.plain) co_return;
  const std::size_t count = step.a % 4;
  if (step.b == 3) {
    r.budget += everybody;
    if (r.modelled) notify_in_model(r, everybody);
    auto seen = r.seen.begin({verb_seen::notify});
    r.condition->notify_all_now();
    seen.done();
    co_return;
  }
  r.budget += count;
  r.owed += count;
  if (r.modelled) notify_in_model(r, count);
  auto seen = r.seen.begin({verb_seen::notify, count});
  r.condition->notify_now(count);
  seen.done();
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.all.empty()) co_return;
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    caller& one = std::next(r.all.begin(), static_cast<std::ptrdiff_t>((step.a + i) % r.all.size()))->second;
    const bool is_decided = one.expected || one.deadline <= r.t.now();
    if (is_decided || one.what != doing::waits) r.modelled = false;  // it may pass something on
    one.expected = outcome_kind::cancelled;
    one.op->cancel();
  }
}

asio::awaitable<void> advance(run& r, const program_step& step) { co_await advance_by(r, step, beat); }

const round_verb<run> verbs[] = {
    {"wait", "", wait},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"advance", "", advance},
    {"notify", "", notify},
    {"notify_all", "", notify_all},
    {"wait_until", "", wait_until_large},
    {"change", "", change},
    {"hold", "", hold},
    {"wait_for", "timed", wait_for},
    {"lock", "manual", lock_it},
    {"unlock", "manual", unlock_it},
    {"wait_held", "manual", wait_with_lock},
    {"notify_now", "manual", notify_now},
    {"another_round", "", begin_another_round<run>},
};

// Shapes: nothing settles by itself; every step settles, with a model; every step settles, with predicates.
const grammar rules = {.shapes = 3,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

void begin_round(run& r, contract::condition& condition) {
  r.condition = &condition;
  r.all.clear();
  r.modelled = r.shape == 1 && r.fair;
  r.locked = false;
  r.working = r.budget = r.notified = r.owed = r.since = 0;
  r.can_be_counted = true;
  r.seen = {};
  r.has_predicates = false;
}

// GEN-3: everybody is notified, or cancelled, and then the mutex is free. False if it cannot be used any more.
asio::awaitable<bool> finish_round(run& r) {
  co_await settle_and_check(r);
  expect_explained(r.t, r.seen, condition_order{.exact = r.exact && !r.has_predicates}, "condition");
  r.modelled = false;
  co_await let_all_leave(r);
  co_await settle_and_check(r);
  const bool cancels = r.next_op % 2 == 0;
  for (const auto& [op, one] : r.all) {
    if (cancels) one.op->cancel();
  }
  r.budget += everybody;
  auto last = co_await r.t.begin("change to 9", r.condition->change(9, everybody));
  co_await r.t.pass(everybody * beat);
  bool all_ended = r.t.expect(last.done(), "CND-2: the mutex is free in the end");
  for (const auto& [op, one] : r.all) {
    const bool ended = !one.op->pending();
    const char* const text = cancels ? "ends when it is cancelled" : "ends when everybody is notified";
    all_ended = r.t.expect(ended, said_of(one, cancels ? "CND-2" : "CND-6", text)) && all_ended;
  }
  for (const auto& [op, one] : r.all) one.op->cancel();
  co_await r.t.cancel(last);
  co_await settle_and_check(r);
  co_return all_ended;
}

}  // namespace

ASSAY_PROGRAM(condition, "CND-1", rules, .asks = {"exact_wakeups", "fair", "plain_notify", "statistics"},
              .must_see = {"eats_the_notification", "gap_before_parking", "serves_the_last_parked_first",
                           "cancelled_returns_without"}) {
  const bool exact = make.claims("exact_wakeups");
  const auto state = std::make_shared<run>(run{.t = t,
                                               .shape = steps.shape,
                                               .settled = steps.shape > 0,
                                               .exact = exact,
                                               .fair = exact && make.claims("fair"),
                                               .plain = make.claims("plain_notify"),
                                               .statistics = make.claims("statistics")});
  t.keep(state);  // what has not ended when the program breaks off may use it
  co_await play_in_rounds<contract::condition>(*state, make, {}, steps, rules, verbs);
}

}  // namespace assay
