// Random programs on a mutex, in rounds: several callers work under it, lock and unlock, all of them are
// cancelled, what is locked is unlocked, and then it must be free; then comes another mutex.
//
// Some programs let every step settle, and time pass in steps of 5 ms. If the mutex is fair, a model (who
// holds it, and who stands in line) says then who has it. Where a call may end in two ways, since its
// deadline or a request came at the same time, the model follows what was seen. Others do several steps in
// one turn: for them what holds whatever the order is checked whenever they settle.
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

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/history.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr nanoseconds beat = 5ms;  // how long work takes, and of what all deadlines are multiples

struct wish {
  std::int64_t priority = 0;
  std::optional<nanoseconds> patience = {};
  std::optional<std::int64_t> owner = {};
  bool works = false;  // and unlocks then
  bool fails = false;  // the work
  bool watches = false;
  bool unlocks_first = false;  // what the program has locked
};

// What a mutex does where one call is made after the other. Work under it is two calls: it locks, and unlocks when it ends.
struct mutex_order {
  enum class call : std::uint8_t { lock, unlock, try_in_vain, wait_unlocked };
  bool locked = false;
  auto operator<=>(const mutex_order&) const = default;

  // Who was cancelled may have been given the mutex, and have passed it on.
  static unsigned steps(call what, call_end how) {
    return what == call::lock && how == call_end::without ? 2 : 1;
  }
  bool step(std::size_t, call what, unsigned nth) {
    const bool unlocks = what == call::unlock || (what == call::lock && nth == 1);
    const bool fits = locked == (unlocks || what == call::try_in_vain);
    if (what == call::lock || what == call::unlock) locked = !unlocks;
    return fits;
  }
  static std::string_view clause(call what) {
    constexpr std::string_view clauses[] = {"MTX-1", "MTX-3", "MTX-6", "MTX-10"};
    return clauses[static_cast<std::size_t>(what)];
  }
  static std::string text(call what) {
    constexpr const char* names[] = {"lock", "unlock", "try_lock in vain", "wait_unlocked"};
    return names[static_cast<std::size_t>(what)];
  }
};

// One call that is under way: one operation of the trial.
struct caller {
  wish wanted = {};
  std::optional<operation<void>> op = {};
  nanoseconds deadline = nanoseconds::max();
  bool is_working = false;
  bool has_unlocked = false;
  std::optional<history<mutex_order>::entry> locking = {};
  std::optional<history<mutex_order>::entry> unlocking = {};  // at the end of its work
  bool is_asked_to_end() const { return op->state()->cancels() > 0; }
};
using callers = std::map<std::size_t, caller>;
constexpr std::size_t callers_max = 12;  // at a time

// What a fair mutex does when nothing happens at the same time.
class mutex_model {
 public:
  outcome_kind of(std::size_t op) const { return ends_.contains(op) ? ends_.at(op) : outcome_kind::pending; }
  bool is_locked() const { return locked_; }

  void lock(std::size_t op, const wish& wanted, nanoseconds now) {
    if (broken_) return end(op, outcome_kind::broken);
    if (wanted.owner && locked_ && owner_ == wanted.owner) return end(op, outcome_kind::rejected);
    if (!locked_) return grant({op, wanted}, now);
    const auto comes_after = [&](const entry& one) { return one.wanted.priority < wanted.priority; };
    line_.insert(std::find_if(line_.begin(), line_.end(), comes_after), {op, wanted});
  }
  bool try_lock() { return !broken_ && !std::exchange(locked_, true); }
  void unlock(nanoseconds now) {
    locked_ = false;
    owner_.reset();
    if (line_.empty()) return;
    const entry next = line_.front();
    line_.pop_front();
    grant(next, now);
  }
  void end_owner() {
    broken_ = true;
    send_away(outcome_kind::broken);
  }
  void cancel_all() { send_away(outcome_kind::rejected); }
  // It was seen to end so: from the line, or from its work. Several may at once, so nobody is served yet.
  void leave(std::size_t op, outcome_kind how) {
    if (of(op) != outcome_kind::pending) return;
    end(op, how);
    if (working_ && working_->op == op) working_->end = nanoseconds::min();
    std::erase_if(line_, [op](const entry& one) { return one.op == op; });
  }
  void end_work(nanoseconds now) {
    if (!working_ || working_->end > now) return;
    if (of(working_->op) == outcome_kind::pending)
      end(working_->op, working_->fails ? outcome_kind::error : outcome_kind::value);
    working_.reset();
    unlock(now);
  }
  void forget(std::size_t op) { ends_.erase(op); }

 private:
  struct entry {
    std::size_t op;
    wish wanted;
  };
  struct work {
    std::size_t op;
    nanoseconds end;
    bool fails;
  };

  void end(std::size_t op, outcome_kind how) { ends_[op] = how; }
  void grant(const entry& one, nanoseconds now) {
    locked_ = true;
    owner_ = one.wanted.owner;
    if (one.wanted.works) {
      working_ = work{one.op, now + beat, one.wanted.fails};
    } else {
      end(one.op, outcome_kind::value);
    }
  }
  void send_away(outcome_kind how) {
    for (const entry& one : line_) end(one.op, how);
    line_.clear();
  }

  bool locked_ = false;
  bool broken_ = false;
  std::optional<std::int64_t> owner_;
  std::optional<work> working_;
  std::deque<entry> line_;
  std::map<std::size_t, outcome_kind> ends_;
};

struct run {
  trial& t;
  bool settled;  // after every step
  bool exact;    // and fair: the model says who has it
  bool checked;
  bool status;
  bool statistics;
  contract::mutex* mutex = nullptr;
  callers all = {};
  std::optional<mutex_model> model = {};
  history<mutex_order> seen = {};
  bool locked = false;  // by the program
  std::optional<std::int64_t> owner = {};
  std::size_t working = 0;
  bool sent_away = false;  // somebody, in this round
  bool broken = false;
  std::size_t next_op = 1;
  bool asks_to_settle = false;
  const char* clause = "MTX-1";  // of what was done last

  bool is_held() const { return locked || owner || working > 0 || broken; }
};

// ---- calls

asio::awaitable<void> do_work(run& r, caller& me) {
  const auto leave = [&r, &me](int*) {
    --r.working;
    me.is_working = false;
  };
  int here = 0;
  ++r.working;
  me.is_working = true;
  me.locking->done();
  // Who is asked to stop may lose the mutex before his work has heard of it.
  me.unlocking.emplace(r.seen.begin(mutex_order::call::unlock));
  const std::unique_ptr<int, decltype(leave)> working(&here, leave);
  // Who was asked to stop may have lost the mutex, and be still at it for a turn.
  const auto works = [&me](const auto& one) {
    return one.second.is_working && &one.second != &me && !one.second.is_asked_to_end();
  };
  if (std::any_of(r.all.begin(), r.all.end(), works))
    r.t.expect(false, "MTX-1: nobody works while another does");
  co_await sleep_for(beat);
  if (me.wanted.fails) throw contract::operation_error("work");
}

void unlock(run& r) {
  auto seen = r.seen.begin(mutex_order::call::unlock);
  r.mutex->unlock();
  seen.done();
}

void unlock_as(run& r) {
  auto seen = r.seen.begin(mutex_order::call::unlock);
  r.mutex->unlock_as(*std::exchange(r.owner, std::nullopt));
  seen.done();
}

asio::awaitable<void> make_call(run& r, caller& me) {
  const wish& wanted = me.wanted;
  if (wanted.unlocks_first) {
    me.has_unlocked = true;
    unlock(r);
  }
  const auto end = [](caller* it) {
    if (it->unlocking) it->unlocking->done();
    it->unlocking.reset();
    it->locking.reset();
  };
  const std::unique_ptr<caller, decltype(end)> ending(&me);
  me.locking.emplace(
      r.seen.begin(wanted.watches ? mutex_order::call::wait_unlocked : mutex_order::call::lock));
  contract::mutex::work inside = [&r, &me] { return do_work(r, me); };
  if (wanted.patience) {
    me.deadline =
        *wanted.patience > nanoseconds::max() - r.t.now() ? nanoseconds::max() : r.t.now() + *wanted.patience;
    co_await r.mutex->run_for(*wanted.patience, std::move(inside));
  } else if (wanted.works) {
    co_await r.mutex->run(std::move(inside));
  } else if (wanted.watches) {
    co_await r.mutex->wait_unlocked();
  } else if (wanted.owner) {
    co_await r.mutex->lock_as(*wanted.owner);
  } else if (wanted.priority != 0) {
    co_await r.mutex->lock_urgently(wanted.priority);
  } else {
    co_await r.mutex->lock();
  }
  if (!wanted.works && !wanted.patience) me.locking->done();
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
        r.t.expect(false, said_of(one, "MTX-2", "is not affected by another's request"));
      break;
    case outcome_kind::timed_out:
      if (one.deadline > r.t.now()) r.t.expect(false, said_of(one, "X-23", "waits until its deadline"));
      break;
    case outcome_kind::broken:
      if (!r.broken) r.t.expect(false, said_of(one, "MTX-8", "is not broken: no owner has died"));
      break;
    case outcome_kind::rejected:
      if (!r.sent_away && !one.wanted.owner) r.t.expect(false, said_of(one, "MTX-9", "was not sent away"));
      break;
    case outcome_kind::error:
      if (!one.wanted.fails || how.label != "work")
        r.t.expect(false, said_of(one, "MTX-4", "ends as its work does"), to_string(how));
      break;
    default:
      r.t.expect(false, said_of(one, "MTX-1", "ends with an outcome of the contract"), to_string(how));
  }
}

// What a call that has ended has locked is the program's now.
void take_over(run& r, const caller& one) {
  if (one.wanted.unlocks_first && !one.has_unlocked) r.locked = true;  // it was cancelled before it began
  if (!one.op->done() || one.wanted.works || one.wanted.watches) return;
  if (r.is_held()) r.t.expect(false, said_of(one, "MTX-1", "does not get what another holds"));
  if (one.wanted.owner) {
    r.owner = one.wanted.owner;
  } else {
    r.locked = true;
  }
}

void compare(run& r) {
  const nanoseconds now = r.t.now();
  for (const auto& [op, one] : r.all) {
    const outcome_kind seen = one.op->what().kind;
    const bool is_expired = seen == outcome_kind::timed_out && one.deadline <= now;
    const bool is_cancelled = seen == outcome_kind::cancelled && one.is_asked_to_end();
    if (is_expired || is_cancelled) r.model->leave(op, seen);
  }
  r.model->end_work(now);
  for (const auto& [op, one] : r.all) {
    if (one.wanted.watches) continue;
    const outcome_kind expected = r.model->of(op);
    const outcome_kind seen = one.op->what().kind;
    if (seen != expected)
      r.t.expect_eq(to_string(seen), to_string(expected),
                    std::string(r.clause) + ": '" + one.op->name() + "'");
  }
}

void check_waiting(run& r) {
  std::size_t waiting = 0;
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending() || one.is_working) continue;
    if (one.wanted.watches && !r.is_held())
      r.t.expect(false, said_of(one, "MTX-10", "does not wait for a mutex that nobody holds"));
    if (!one.wanted.watches) ++waiting;
  }
  if (waiting > 0 && !r.is_held())
    r.t.expect(false, std::string(r.clause) + ": nobody waits for a mutex that nobody holds");
  if (r.broken && waiting > 0) r.t.expect(false, "MTX-8: nobody waits for a mutex that is broken");
  if (r.statistics) r.t.expect_eq(r.mutex->waiting(), waiting, "MTX-2: who has ended leaves no entry");
  // Whether a mutex that its owner left broken is locked is not said.
  if (r.status && !r.broken)
    r.t.expect_eq(r.mutex->is_locked(), r.is_held(), "MTX-12: it is locked exactly while somebody holds it");
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending()) {
      check_end(r, one);
      take_over(r, one);
    } else if (one.deadline <= r.t.now() && !one.is_working) {
      r.t.expect(false, said_of(one, "X-23", "ends at its deadline"));
    }
  }
  if (r.exact) compare(r);
  check_waiting(r);
  std::erase_if(r.all, [&r](const auto& one) {
    const bool ended = !one.second.op->pending();
    if (ended) r.model->forget(one.first);
    return ended;
  });
}

// ---- steps

// Who has waited longest goes when there are too many: so a program that is repeated goes on.
asio::awaitable<void> make_room(run& r) {
  if (r.all.size() < callers_max) co_return;
  co_await settle_and_check(r);
  if (r.all.size() < callers_max) co_return;
  r.all.begin()->second.op->cancel();
  r.clause = "MTX-2";
  co_await settle_and_check(r);
}

asio::awaitable<void> begin(run& r, const program_step& step, std::string name, wish wanted,
                            const char* clause) {
  co_await make_room(r);
  r.clause = clause;
  const std::size_t op = r.next_op++;
  caller& me = r.all[op];
  me.wanted = wanted;
  if (wanted.unlocks_first) r.locked = false;
  auto work = make_call(r, me);
  me.op.emplace(r.t.start(name + " (" + std::to_string(op) + ")", std::move(work)));
  if (!r.settled) {
    if (step.b == 1) r.t.victim(*me.op);
    co_return;
  }
  co_await r.t.settle();
  if (wanted.unlocks_first) r.model->unlock(r.t.now());
  // What needs no waiting may be refused all the same if its deadline has passed.
  if (me.deadline <= r.t.now() && me.op->timed_out()) {
    r.model->leave(op, outcome_kind::timed_out);
  } else if (!wanted.watches) {
    r.model->lock(op, me.wanted, r.t.now());
  }
}

// Three of them at once, sometimes.
asio::awaitable<void> work(run& r, const program_step& step) {
  const std::size_t count = step.b == 3 ? 3 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    wish wanted;
    wanted.works = true;
    wanted.fails = step.a % 4 == 1;
    co_await begin(r, step, wanted.fails ? "failing work" : "work", wanted, wanted.fails ? "MTX-4" : "MTX-1");
  }
}

constexpr nanoseconds patiences[] = {beat, 2 * beat, 3 * beat,           4 * beat,
                                     0ns,  -beat,    nanoseconds::min(), nanoseconds::max()};

asio::awaitable<void> work_for(run& r, const program_step& step) {
  wish wanted;
  wanted.works = true;
  wanted.patience = patiences[step.a % std::size(patiences)];
  co_await begin(r, step, "work after " + format_duration(*wanted.patience) + " at most", wanted, "MTX-2");
}

asio::awaitable<void> lock(run& r, const program_step& step) {
  wish wanted;
  co_await begin(r, step, "lock", wanted, "MTX-1");
}

asio::awaitable<void> lock_urgently(run& r, const program_step& step) {
  wish wanted;
  wanted.priority = 1 + step.a % 3;
  co_await begin(r, step, "lock with priority " + std::to_string(wanted.priority), wanted, "MTX-11");
}

asio::awaitable<void> lock_as(run& r, const program_step& step) {
  wish wanted;
  wanted.owner = step.a % 3;
  const auto asks = [&](const auto& one) { return one.second.wanted.owner == wanted.owner; };
  if (std::any_of(r.all.begin(), r.all.end(), asks)) co_return;
  co_await begin(r, step, "lock for owner " + std::to_string(*wanted.owner), wanted, "MTX-5");
}

asio::awaitable<void> watch(run& r, const program_step& step) {
  wish wanted;
  wanted.watches = true;
  co_await begin(r, step, "wait until unlocked", wanted, "MTX-10");
}

asio::awaitable<void> unlock_once(run& r, const program_step&) {
  if (r.locked) {
    r.clause = "MTX-1";
    r.locked = false;
    unlock(r);
    r.model->unlock(r.t.now());
    co_return;
  }
  if (!r.checked || r.is_held() || !r.all.empty()) co_return;
  r.t.expect(is_rejected([&r] { r.mutex->unlock(); }), "MTX-3: to unlock what nobody holds is rejected");
}

asio::awaitable<void> unlock_once_as(run& r, const program_step&) {
  if (!r.owner || r.broken) co_return;
  r.clause = "MTX-3";
  unlock_as(r);
  r.model->unlock(r.t.now());
}

asio::awaitable<void> end_owner(run& r, const program_step& step) {
  if (!r.owner || r.broken || step.b != 0) co_return;
  r.clause = "MTX-8";
  r.broken = true;
  r.mutex->end_owner(*std::exchange(r.owner, std::nullopt));
  r.model->end_owner();
}

asio::awaitable<void> unlock_and_lock(run& r, const program_step& step) {
  if (!r.locked) co_return;
  wish wanted;
  wanted.unlocks_first = true;
  co_await begin(r, step, "unlock, lock", wanted, "X-13");
}

asio::awaitable<void> try_lock(run& r, const program_step&) {
  r.clause = "MTX-6";
  auto seen = r.seen.begin(mutex_order::call::lock);
  const bool locked = r.mutex->try_lock();
  if (!locked) seen.what() = mutex_order::call::try_in_vain;
  if (!r.broken) seen.done();
  if (locked) {
    if (r.is_held()) r.t.expect(false, "MTX-1: who tries does not get what another holds");
    r.locked = true;
  }
  if (r.exact)
    r.t.expect_eq(locked, r.model->try_lock(), "MTX-6: who tries gets what is free, and overtakes nobody");
  co_return;
}

asio::awaitable<void> cancel_all(run& r, const program_step&) {
  r.clause = "MTX-9";
  r.sent_away = true;
  r.mutex->cancel_all();
  r.model->cancel_all();
  co_return;
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.all.empty()) co_return;
  r.clause = "MTX-2";
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i)
    std::next(r.all.begin(), static_cast<std::ptrdiff_t>((step.a + i) % r.all.size()))->second.op->cancel();
}

asio::awaitable<void> advance(run& r, const program_step& step) {
  r.clause = "MTX-2";
  co_await advance_by(r, step, beat);
}

const round_verb<run> verbs[] = {
    {"run", "", work},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"advance", "", advance},
    {"run_for", "timed", work_for},
    {"lock", "manual", lock},
    {"unlock", "manual", unlock_once},
    {"try_lock", "try", try_lock},
    {"unlock_lock", "manual", unlock_and_lock},
    {"lock_urgently", "priority", lock_urgently},
    {"cancel_all", "cancel_all", cancel_all},
    {"lock_as", "owner_checked", lock_as},
    {"unlock_as", "owner_checked", unlock_once_as},
    {"wait_unlocked", "wait_unlocked", watch},
    {"end_owner", "owner_death", end_owner},
    {"another_round", "", begin_another_round<run>},
};

// Shapes: settled after every step or not.
const grammar rules = {.shapes = 2,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

void begin_round(run& r, contract::mutex& mutex) {
  r.mutex = &mutex;
  r.all.clear();
  r.model.emplace();
  r.seen = {};
  r.locked = r.sent_away = r.broken = false;
  r.owner.reset();
  r.working = 0;
  r.clause = "MTX-1";
}

// GEN-3: everything is cancelled and unlocked, and then it is free. False if it cannot be used any more.
asio::awaitable<bool> finish_round(run& r) {
  co_await settle_and_check(r);
  expect_explained(r.t, r.seen, mutex_order{}, "mutex");
  r.clause = "MTX-2";
  for (const auto& [op, one] : r.all) one.op->cancel();
  co_await r.t.settle();
  bool all_ended = true;
  for (const auto& [op, one] : r.all) {
    const bool ended = !one.op->pending();
    all_ended = r.t.expect(ended, said_of(one, "MTX-2", "ends when it is cancelled")) && all_ended;
  }
  co_await settle_and_check(r);
  if (!all_ended) co_return false;
  if (r.locked) r.mutex->unlock();
  if (r.owner && !r.broken) r.mutex->unlock_as(*r.owner);
  r.locked = false;
  r.owner.reset();
  if (r.broken) co_return true;
  auto last = co_await r.t.begin("work at the end", r.mutex->run([] { return sleep_for(beat); }));
  co_await r.t.pass(beat);
  r.t.expect(last.done(), "MTX-1: it is free in the end");
  co_await r.t.cancel(last);
  co_return true;
}

}  // namespace

ASSAY_PROGRAM(mutex, "MTX-1", rules, .asks = {"fair", "checked_unlock", "status", "statistics"},
              .must_see = {"gives_nothing_back", "failure_keeps_it", "serves_the_last_parked_first"}) {
  const bool settled = steps.shape == 1;
  const auto state = std::make_shared<run>(run{.t = t,
                                               .settled = settled,
                                               .exact = settled && make.claims("fair"),
                                               .checked = make.claims("checked_unlock"),
                                               .status = make.claims("status"),
                                               .statistics = make.claims("statistics")});
  t.keep(state);  // what has not ended when the program breaks off may use it
  co_await play_in_rounds<contract::mutex>(*state, make, {}, steps, rules, verbs);
}

}  // namespace assay
