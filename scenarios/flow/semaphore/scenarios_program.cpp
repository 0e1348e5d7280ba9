// Random programs on a semaphore, in rounds: several callers acquire, work and give back, all of them are
// cancelled, what they hold is released, and then every permit must be there; then comes another semaphore.
//
// Some programs let every step settle, and time pass in steps of 5 ms. If the semaphore is fair, a model (how
// many are in use, and who stands in line) says then who has a permit. Where a call may end in two ways,
// since its deadline or a request came at the same time, the model follows what was seen. Others do several
// steps in one turn: for them what holds whatever the order is checked whenever they settle.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/history.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

constexpr nanoseconds beat = 5ms;  // how long work takes, and of what all deadlines are multiples

struct wish {
  std::size_t count = 1;
  std::int64_t priority = 0;
  std::optional<nanoseconds> patience = {};
  std::optional<std::int64_t> borrower = {};
  bool works = false;
  bool fails = false;           // the work
  bool releases_first = false;  // a permit that the program has
};

// What a semaphore does where one call is made after the other. Work with a permit is two calls: one acquires, one releases.
struct semaphore_order {
  enum class verb : std::uint8_t { acquire, release, set_limit };
  struct call {
    verb what{};
    std::size_t count = 1;
  };
  std::size_t limit = 1;
  std::size_t used = 0;
  auto operator<=>(const semaphore_order&) const = default;

  // Who was cancelled may have been given permits, and have passed them on.
  static unsigned steps(const call& one, call_end how) {
    return one.what == verb::acquire && how == call_end::without ? 2 : 1;
  }
  bool step(std::size_t, const call& one, unsigned nth) {
    if (one.what == verb::set_limit) {
      limit = one.count;
      return true;
    }
    if (one.what == verb::release || nth == 1) {
      if (used < one.count) return false;
      used -= one.count;
      return true;
    }
    used += one.count;
    return used <= limit;
  }
  static std::string_view clause(const call& one) { return one.what == verb::release ? "SEM-5" : "SEM-1"; }
  static std::string text(const call& one) {
    constexpr const char* names[] = {"acquire", "release", "set_limit"};
    return std::string(names[static_cast<std::size_t>(one.what)]) + " " + std::to_string(one.count);
  }
};
using verb_seen = semaphore_order::verb;

// One call that is under way: one operation of the trial.
struct caller {
  wish wanted = {};
  std::optional<operation<void>> op = {};
  nanoseconds deadline = nanoseconds::max();
  bool has_released = false;
  std::optional<history<semaphore_order>::entry> acquiring = {};
  std::optional<history<semaphore_order>::entry> releasing = {};  // at the end of its work
  bool is_asked_to_end() const { return op->state()->cancels() > 0; }
  bool may_expire(nanoseconds now) const { return deadline <= now; }
};
using callers = std::map<std::size_t, caller>;
constexpr std::size_t callers_max = 12;  // at a time

// What a fair semaphore does when nothing happens at the same time.
class semaphore_model {
 public:
  semaphore_model(std::size_t limit, std::size_t room) : limit_(limit), room_(room) {}

  outcome_kind of(std::size_t op) const { return ends_.contains(op) ? ends_.at(op) : outcome_kind::pending; }
  std::size_t available() const { return limit_ > used_ ? limit_ - used_ : 0; }

  void acquire(std::size_t op, const wish& wanted, nanoseconds now) {
    if (wanted.borrower && borrowers_.contains(*wanted.borrower)) return end(op, outcome_kind::rejected);
    if (closed_) return end(op, outcome_kind::closed);
    if (is_too_large(wanted.count)) return end(op, outcome_kind::rejected);
    const bool is_next = line_.empty() || line_.front().wanted.priority < wanted.priority;
    if (is_next && wanted.count <= available()) return grant({op, wanted}, now);
    if (line_.size() >= room_) return end(op, outcome_kind::rejected);
    const auto comes_after = [&](const entry& one) { return one.wanted.priority < wanted.priority; };
    line_.insert(std::find_if(line_.begin(), line_.end(), comes_after), {op, wanted});
  }
  bool try_acquire(std::size_t count) {
    if (closed_ || !line_.empty() || count > available()) return false;
    used_ += count;
    return true;
  }
  void release(std::size_t count, nanoseconds now) {
    used_ -= std::min(used_, count);
    serve(now);
  }
  void release_as(std::int64_t borrower, nanoseconds now) {
    borrowers_.erase(borrower);
    release(1, now);
  }
  void set_limit(std::size_t limit, nanoseconds now) {
    limit_ = limit;
    std::erase_if(line_, [this](const entry& one) {
      if (is_too_large(one.wanted.count)) end(one.op, outcome_kind::rejected);
      return is_too_large(one.wanted.count);
    });
    serve(now);
  }
  void close() {
    closed_ = true;
    send_away(outcome_kind::closed);
  }
  void cancel_all() { send_away(outcome_kind::rejected); }
  // It was seen to end so: from the line, or from work that it did with a permit.
  // Several may at once, so nobody is served yet.
  void leave(std::size_t op, outcome_kind how) {
    if (of(op) != outcome_kind::pending) return;
    end(op, how);
    if (working_.erase(op) > 0) --used_;
    std::erase_if(line_, [op](const entry& one) { return one.op == op; });
  }
  void end_work(nanoseconds now) {
    std::size_t ended = 0;
    for (auto one = working_.begin(); one != working_.end();) {
      if (one->second.end > now) {
        ++one;
        continue;
      }
      end(one->first, one->second.fails ? outcome_kind::error : outcome_kind::value);
      one = working_.erase(one);
      ++ended;
    }
    release(ended, now);
  }
  void forget(std::size_t op) { ends_.erase(op); }

 private:
  struct entry {
    std::size_t op;
    wish wanted;
  };
  struct work {
    nanoseconds end;
    bool fails;
  };

  bool is_too_large(std::size_t count) const { return count > 1 && count > limit_; }
  void end(std::size_t op, outcome_kind how) { ends_[op] = how; }
  void grant(const entry& one, nanoseconds now) {
    used_ += one.wanted.count;
    if (one.wanted.borrower) borrowers_.insert(*one.wanted.borrower);
    if (one.wanted.works) {
      working_[one.op] = {now + beat, one.wanted.fails};
    } else {
      end(one.op, outcome_kind::value);
    }
  }
  void serve(nanoseconds now) {
    while (!line_.empty() && line_.front().wanted.count <= available()) {
      const entry next = line_.front();
      line_.erase(line_.begin());
      grant(next, now);
    }
  }
  void send_away(outcome_kind how) {
    for (const entry& one : line_) end(one.op, how);
    line_.clear();
  }

  std::size_t limit_;
  std::size_t room_;
  std::size_t used_ = 0;
  bool closed_ = false;
  std::vector<entry> line_;
  std::map<std::size_t, work> working_;
  std::set<std::int64_t> borrowers_;
  std::map<std::size_t, outcome_kind> ends_;
};

struct run {
  trial& t;
  contract::semaphore_config how;
  bool settled;  // after every step
  bool exact;    // and fair: the model says who has a permit
  bool bounded;
  bool value;
  bool statistics;
  bool weighted;
  bool rejects_oversize;
  bool zero_limit;
  bool has_room;  // a bulkhead
  contract::semaphore* semaphore = nullptr;
  callers all = {};
  std::optional<semaphore_model> model = {};
  history<semaphore_order> seen = {};
  std::size_t limit = 1;
  std::size_t limit_first = 1;  // of this round
  std::size_t limit_min = 1;    // of this round
  std::size_t held = 0;         // what callers got, and nobody has released
  std::set<std::int64_t> borrowers = {};
  std::size_t working = 0;
  bool closed = false;
  bool sent_away = false;  // somebody, in this round
  std::size_t next_op = 1;
  bool asks_to_settle = false;
  const char* clause = "SEM-1";  // of what was done last

  std::size_t used() const { return held + borrowers.size() + working; }
  std::size_t free() const { return limit > used() ? limit - used() : 0; }
};

// ---- calls

void release_noted(run& r, std::size_t count) {
  auto seen = r.seen.begin({verb_seen::release, count});
  r.semaphore->release(count);
  seen.done();
}

void release_noted_as(run& r, std::int64_t borrower) {
  auto seen = r.seen.begin({verb_seen::release});
  r.semaphore->release_as(borrower);
  seen.done();
}

asio::awaitable<void> do_work(run& r, caller& me) {
  const auto leave = [&r](int*) { --r.working; };
  int here = 0;
  ++r.working;
  me.acquiring->done();
  // Who is asked to stop may lose the permit before his work has heard of it.
  me.releasing.emplace(r.seen.begin({verb_seen::release}));
  const std::unique_ptr<int, decltype(leave)> working(&here, leave);
  co_await sleep_for(beat);
  if (me.wanted.fails) throw contract::operation_error("work");
}

asio::awaitable<void> make_call(run& r, caller& me) {
  if (me.wanted.releases_first) {
    me.has_released = true;
    release_noted(r, 1);
  }
  const wish& wanted = me.wanted;
  const auto end = [](caller* it) {
    if (it->releasing) it->releasing->done();
    it->releasing.reset();
    it->acquiring.reset();
  };
  const std::unique_ptr<caller, decltype(end)> ending(&me);
  me.acquiring.emplace(r.seen.begin({verb_seen::acquire, wanted.count}));
  if (wanted.works) {
    std::function<asio::awaitable<void>()> work = [&r, &me] { return do_work(r, me); };
    co_await r.semaphore->run(std::move(work));
  } else if (wanted.borrower) {
    co_await r.semaphore->acquire_as(*wanted.borrower);
  } else if (wanted.patience) {
    me.deadline =
        *wanted.patience > nanoseconds::max() - r.t.now() ? nanoseconds::max() : r.t.now() + *wanted.patience;
    co_await r.semaphore->acquire_for(wanted.count, *wanted.patience);
  } else if (wanted.priority != 0) {
    co_await r.semaphore->acquire_urgently(wanted.priority);
  } else {
    co_await r.semaphore->acquire(wanted.count);
  }
  if (!wanted.works) me.acquiring->done();
}

// ---- what is checked whenever a program settles

std::string said_of(const caller& one, const char* clause, const char* text) {
  return std::string(clause) + ": '" + one.op->name() + "' " + text;
}

void check_end(run& r, const caller& one) {
  const outcome how = one.op->what();
  const bool may_be_rejected = r.has_room || r.sent_away || one.wanted.borrower ||
                               (one.wanted.count > 1 && one.wanted.count > r.limit_min);
  switch (how.kind) {
    case outcome_kind::value:
      break;
    case outcome_kind::cancelled:
      if (!one.is_asked_to_end())
        r.t.expect(false, said_of(one, "SEM-4", "is not affected by another's request"));
      break;
    case outcome_kind::timed_out:
      if (one.deadline > r.t.now()) r.t.expect(false, said_of(one, "X-23", "waits until its deadline"));
      break;
    case outcome_kind::closed:
      if (!r.closed) r.t.expect(false, said_of(one, "SEM-15", "does not end as closed before close"));
      break;
    case outcome_kind::rejected:
      if (!may_be_rejected) r.t.expect(false, said_of(one, "SEM-3", "is not rejected: it is not too large"));
      break;
    case outcome_kind::error:
      if (!one.wanted.fails || how.label != "work")
        r.t.expect(false, said_of(one, "SEM-5", "ends as its work does"), to_string(how));
      break;
    default:
      r.t.expect(false, said_of(one, "SEM-1", "ends with an outcome of the contract"), to_string(how));
  }
}

// The permits of a call that has ended are the program's now.
void take_over(run& r, const caller& one) {
  if (one.wanted.releases_first && !one.has_released) ++r.held;  // it was cancelled before it began
  if (!one.op->done() || one.wanted.works) return;
  if (one.wanted.borrower) {
    r.borrowers.insert(*one.wanted.borrower);
  } else {
    r.held += one.wanted.count;
  }
}

bool has_large(const run& r) {
  return std::any_of(r.all.begin(), r.all.end(), [](const auto& one) { return one.second.wanted.count > 1; });
}

void compare(run& r) {
  const nanoseconds now = r.t.now();
  for (const auto& [op, one] : r.all) {
    const outcome_kind seen = one.op->what().kind;
    const bool is_expired = seen == outcome_kind::timed_out && one.may_expire(now);
    const bool is_cancelled = seen == outcome_kind::cancelled && one.is_asked_to_end();
    if (is_expired || is_cancelled) r.model->leave(op, seen);
  }
  r.model->end_work(now);
  for (const auto& [op, one] : r.all) {
    const outcome_kind expected = r.model->of(op);
    const outcome_kind seen = one.op->what().kind;
    if (seen == expected) continue;
    const char* clause = r.clause;
    if (seen == outcome_kind::value && has_large(r)) clause = "SEM-2";
    if (r.has_room && (seen == outcome_kind::rejected || expected == outcome_kind::rejected))
      clause = "SEM-6";
    r.t.expect_eq(to_string(seen), to_string(expected), std::string(clause) + ": '" + one.op->name() + "'");
  }
}

void check_waiting(run& r) {
  std::size_t waiting = 0;
  std::size_t most = 0;
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending()) continue;
    ++waiting;
    most = std::max(most, one.wanted.count);
  }
  const bool all_wait = waiting > r.working;
  waiting -= std::min(waiting, r.working);
  // Who wants less may be behind somebody who wants more.
  if (all_wait && r.free() >= most)
    r.t.expect(false, std::string(r.clause) + ": nobody waits beside permits that would do");
  if (r.closed && waiting > 0) r.t.expect(false, "SEM-15: nobody waits for a closed semaphore");
  if (r.statistics) r.t.expect_eq(r.semaphore->waiting(), waiting, "SEM-4: who has ended leaves no entry");
  if (!r.value) return;
  // What is kept for somebody who waits for more is neither.
  const std::size_t available = r.semaphore->available();
  if (waiting == 0 ? available != r.free() : available > r.free())
    r.t.expect_eq(available, r.free(), std::string(r.clause) + ": what is not in use is available");
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending()) {
      check_end(r, one);
      take_over(r, one);
    } else if (one.deadline <= r.t.now()) {
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
  r.clause = "SEM-4";
  co_await settle_and_check(r);
}

asio::awaitable<void> begin(run& r, const program_step& step, std::string name, wish wanted,
                            const char* clause) {
  co_await make_room(r);
  r.clause = clause;
  const std::size_t op = r.next_op++;
  caller& me = r.all[op];
  me.wanted = wanted;
  if (wanted.releases_first) --r.held;
  auto work = make_call(r, me);
  me.op.emplace(r.t.start(name + " (" + std::to_string(op) + ")", std::move(work)));
  if (!r.settled) {
    if (step.b == 1) r.t.victim(*me.op);
    co_return;
  }
  co_await r.t.settle();
  if (wanted.releases_first) r.model->release(1, r.t.now());
  // What needs no waiting may be refused all the same if its deadline has passed.
  if (me.may_expire(r.t.now()) && me.op->timed_out()) {
    r.model->leave(op, outcome_kind::timed_out);
  } else {
    r.model->acquire(op, me.wanted, r.t.now());
  }
}

// Three of them at once, sometimes.
asio::awaitable<void> acquire(run& r, const program_step& step) {
  const std::size_t count = step.b == 3 ? 3 : 1;
  for (std::size_t i = 0; i < count; ++i) {
    wish wanted;
    co_await begin(r, step, "acquire", wanted, "SEM-1");
  }
}

asio::awaitable<void> acquire_many(run& r, const program_step& step) {
  const std::size_t count = 2 + step.a % 3;
  wish wanted;
  wanted.count = count;
  // Without the feature it would wait until the limit is raised, and stop others.
  const bool is_too_large = count > r.limit;
  if (is_too_large && !r.rejects_oversize) co_return;
  co_await begin(r, step, "acquire " + std::to_string(count), wanted, is_too_large ? "SEM-3" : "SEM-2");
}

constexpr nanoseconds patiences[] = {beat, 2 * beat, 3 * beat,           4 * beat,
                                     0ns,  -beat,    nanoseconds::min(), nanoseconds::max()};

asio::awaitable<void> acquire_for(run& r, const program_step& step) {
  wish wanted;
  wanted.patience = patiences[step.a % std::size(patiences)];
  co_await begin(r, step, "acquire for " + format_duration(*wanted.patience), wanted, "SEM-4");
}

asio::awaitable<void> acquire_urgently(run& r, const program_step& step) {
  wish wanted;
  wanted.priority = 1 + step.a % 3;
  co_await begin(r, step, "acquire with priority " + std::to_string(wanted.priority), wanted, "SEM-12");
}

asio::awaitable<void> work(run& r, const program_step& step) {
  wish wanted;
  wanted.works = true;
  wanted.fails = step.a % 2 == 1;
  co_await begin(r, step, wanted.fails ? "failing work" : "work", wanted, "SEM-5");
}

asio::awaitable<void> acquire_as(run& r, const program_step& step) {
  wish wanted;
  wanted.borrower = step.a % 3;
  const auto asks = [&](const auto& one) { return one.second.wanted.borrower == wanted.borrower; };
  if (std::any_of(r.all.begin(), r.all.end(), asks)) co_return;
  co_await begin(r, step, "acquire for borrower " + std::to_string(*wanted.borrower), wanted, "SEM-8");
}

asio::awaitable<void> release_as(run& r, const program_step& step) {
  if (r.borrowers.empty()) co_return;
  r.clause = "SEM-8";
  const auto chosen =
      std::next(r.borrowers.begin(), static_cast<std::ptrdiff_t>(step.a % r.borrowers.size()));
  const std::int64_t who = *chosen;
  r.borrowers.erase(chosen);
  release_noted_as(r, who);
  r.model->release_as(who, r.t.now());
}

void release(run& r, std::size_t count, const char* clause) {
  r.clause = clause;
  r.held -= count;
  release_noted(r, count);
  r.model->release(count, r.t.now());
}

asio::awaitable<void> release_some(run& r, const program_step& step) {
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count && r.held > 0; ++i) release(r, 1, "SEM-1");
  if (!r.bounded || r.used() > 0 || !r.all.empty()) co_return;
  r.t.expect(is_rejected([&r] { r.semaphore->release(); }),
             "SEM-5: to release what is not in use is rejected");
}

asio::awaitable<void> release_many(run& r, const program_step& step) {
  const std::size_t count = std::min<std::size_t>(r.held, 2 + step.a % 3);
  if (count > 0) release(r, count, "SEM-13");
  co_return;
}

asio::awaitable<void> release_and_acquire(run& r, const program_step& step) {
  if (r.held == 0) co_return;
  wish wanted;
  wanted.releases_first = true;
  co_await begin(r, step, "release, acquire", wanted, "X-13");
}

asio::awaitable<void> try_acquire(run& r, const program_step& step) {
  const std::size_t count = r.weighted ? 1 + step.a % 2 : 1;
  r.clause = "SEM-1";
  bool taken = false;
  {
    auto seen = r.seen.begin({verb_seen::acquire, count});
    taken = r.semaphore->try_acquire(count);
    if (taken) seen.done();
  }
  if (taken) r.held += count;
  if (r.closed) r.t.expect(!taken, "SEM-15: who tries gets nothing of a closed semaphore");
  if (!r.exact) co_return;
  r.t.expect_eq(taken, r.model->try_acquire(count),
                "X-13: who tries gets what is free, and overtakes nobody");
}

asio::awaitable<void> set_limit(run& r, const program_step& step) {
  const std::size_t least = r.zero_limit ? 0 : 1;
  r.clause = "SEM-7";
  r.limit = least + step.a % 4;
  r.limit_min = std::min(r.limit_min, r.limit);
  auto seen = r.seen.begin({verb_seen::set_limit, r.limit});
  r.semaphore->set_limit(static_cast<std::int64_t>(r.limit));
  seen.done();
  r.model->set_limit(r.limit, r.t.now());
  co_return;
}

asio::awaitable<void> cancel_all(run& r, const program_step&) {
  r.clause = "SEM-11";
  r.sent_away = true;
  r.semaphore->cancel_all();
  r.model->cancel_all();
  co_return;
}

asio::awaitable<void> close(run& r, const program_step& step) {
  if (step.b != 0) co_return;  // or most programs would be about closed ones
  r.clause = "SEM-15";
  r.closed = true;
  r.semaphore->close();
  r.model->close();
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.all.empty()) co_return;
  r.clause = "SEM-4";
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i)
    std::next(r.all.begin(), static_cast<std::ptrdiff_t>((step.a + i) % r.all.size()))->second.op->cancel();
}

asio::awaitable<void> advance(run& r, const program_step& step) {
  r.clause = "SEM-4";
  co_await advance_by(r, step, beat);
}

const round_verb<run> verbs[] = {
    {"acquire", "", acquire},
    {"release", "", release_some},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"advance", "", advance},
    {"acquire_many", "weighted", acquire_many},
    {"release_many", "weighted", release_many},
    {"try_acquire", "try", try_acquire},
    {"acquire_for", "timed", acquire_for},
    {"acquire_urgently", "priority", acquire_urgently},
    {"run", "guarded", work},
    {"set_limit", "resizable", set_limit},
    {"cancel_all", "cancel_all", cancel_all},
    {"close", "closable", close},
    {"release_acquire", "", release_and_acquire},
    {"acquire_as", "borrowers", acquire_as},
    {"release_as", "borrowers", release_as},
    {"another_round", "", begin_another_round<run>},
};

// Shapes: one permit, three, and two with room for two who wait; settled after every step or not.
const grammar rules = {.shapes = 6,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

void begin_round(run& r, contract::semaphore& semaphore) {
  r.semaphore = &semaphore;
  r.all.clear();
  r.limit = r.limit_first = r.limit_min = static_cast<std::size_t>(r.how.limit);
  r.has_room = r.how.waiting_max >= 0;
  r.model.emplace(r.limit, r.has_room ? static_cast<std::size_t>(r.how.waiting_max) : std::size_t(-1));
  r.seen = {};
  r.held = r.working = 0;
  r.borrowers.clear();
  r.closed = r.sent_away = false;
  r.clause = "SEM-1";
}

// As many as there are can be had again, and not one more.
asio::awaitable<void> expect_all_permits(run& r) {
  std::vector<operation<void>> taken;
  for (std::size_t i = 0; i < r.limit; ++i) {
    taken.push_back(co_await r.t.begin("acquire at the end", r.semaphore->acquire()));
    r.t.expect(taken.back().done(), "SEM-1: every permit is there in the end");
    co_await r.t.cancel(taken.back());
  }
  if (!r.has_room) {
    auto beyond = co_await r.t.begin("acquire beyond", r.semaphore->acquire());
    r.t.expect(beyond.pending(), "SEM-1: and there are no more of them than the limit");
    co_await r.t.cancel(beyond);
    r.t.expect(beyond.ended(), "SEM-4: a wait ends when it is cancelled");
  }
  for (std::size_t i = 0; i < r.limit; ++i) r.semaphore->release();
}

// GEN-3: everything is cancelled and given back, and then nothing may be left. False if it cannot be used any
// more.
asio::awaitable<bool> finish_round(run& r) {
  co_await settle_and_check(r);
  expect_explained(r.t, r.seen, semaphore_order{.limit = r.limit_first}, "semaphore");
  r.clause = "SEM-4";
  for (const auto& [op, one] : r.all) one.op->cancel();
  co_await r.t.settle();
  bool all_ended = true;
  for (const auto& [op, one] : r.all) {
    const bool ended = !one.op->pending();
    all_ended = r.t.expect(ended, said_of(one, "SEM-4", "ends when it is cancelled")) && all_ended;
  }
  co_await settle_and_check(r);
  if (!all_ended) co_return false;
  while (r.held > 0) release(r, 1, "SEM-1");
  while (!r.borrowers.empty()) {
    const std::int64_t who = *r.borrowers.begin();
    r.borrowers.erase(who);
    r.semaphore->release_as(who);
  }
  co_await settle_and_check(r);
  if (!r.closed) co_await expect_all_permits(r);
  co_return true;
}

}  // namespace

ASSAY_PROGRAM(semaphore, "SEM-1", rules,
              .asks = {"fair", "bounded", "value", "statistics", "weighted", "reject_oversize", "zero_limit",
                       "bulkhead"},
              .must_see = {"gives_nothing_back", "admits_one_too_many", "release_serves_one"}) {
  contract::semaphore_config how;
  how.limit = steps.shape % 3 == 0 ? 1 : steps.shape % 3 == 1 ? 3 : 2;
  if (steps.shape % 3 == 2 && make.claims("bulkhead")) how.waiting_max = 2;
  const bool settled = steps.shape >= 3;
  const auto state = std::make_shared<run>(run{.t = t,
                                               .how = how,
                                               .settled = settled,
                                               .exact = settled && make.claims("fair"),
                                               .bounded = make.claims("bounded"),
                                               .value = make.claims("value"),
                                               .statistics = make.claims("statistics"),
                                               .weighted = make.claims("weighted"),
                                               .rejects_oversize = make.claims("reject_oversize"),
                                               .zero_limit = make.claims("zero_limit"),
                                               .has_room = false});
  t.keep(state);  // what has not ended when the program breaks off may use it
  co_await play_in_rounds<contract::semaphore>(*state, make, how, steps, rules, verbs);
}

}  // namespace assay
