// Random programs on timeouts: calls of every kind side by side, with work of every temper, whose deadlines are moved and
// which are cancelled, in one turn or step by step.
//
// No model says what comes of a call whose value, deadline and request meet. What the work did is written down, and when
// it was asked; each call that has ended must be explained by that, and each that is pending must wait for something.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/timeout/actors.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using timed::answer;
using timed::temper;

constexpr nanoseconds beat = 5ms;
constexpr std::size_t calls_max = 8;  // at a time

enum class kind { plain, fallback, race, scope, shielded };

// What one piece of work did. It may outlive its call, where calls do not wait.
struct piece {
  temper is = {};
  std::string label = {};
  bool begun = false;
  bool alive = false;
  bool asked = false;
  bool through = false;
  bool raised = false;
};
using piece_ptr = std::shared_ptr<piece>;

struct call {
  enum kind kind {};
  nanoseconds deadline = nanoseconds::max();
  std::vector<piece_ptr> pieces = {};
  std::optional<operation<std::int64_t>> op = {};
  std::vector<std::int64_t> given_back = {};
  std::optional<nanoseconds> requested = {};
  bool stopped = false;
  bool is_ready = false;  // for a scope: it is this one that the handle is of
  // By the program, or by a sweep.
  bool is_asked_to_end() const { return op->state()->cancels() > 0; }
};

struct run {
  trial& t;
  contract::timeout& timeout;
  const bool settled;  // after every step
  const bool joins;
  const bool cooperative;
  const bool value_wins;
  const bool owns;
  const bool gives_back;
  const bool own_cancel;
  std::list<call> calls = {};
  std::size_t next = 1;
};

asio::awaitable<void> work_as(piece_ptr me) {
  const auto leave = [](piece* one) { one->alive = false; };
  const std::unique_ptr<piece, decltype(leave)> here(me.get(), leave);
  me->begun = me->alive = true;
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  bool asked = false;
  try {
    if (me->is.takes > 0ns) co_await sleep_for(me->is.takes);
  } catch (const boost::system::system_error&) {
    asked = true;
  }
  answer what = me->is.fails ? answer::fails : answer::gives_value;
  if (asked) {
    me->asked = true;
    co_await asio::this_coro::throw_if_cancelled(false);
    if (me->is.cleanup > 0ns) co_await timed::clean_up_for(me->is.cleanup);
    co_await asio::this_coro::throw_if_cancelled(throwing);
    what = me->is.when_asked;
  }
  if (what == answer::stops) contract::throw_cancelled();
  if (what == answer::gives_value) {
    me->through = true;
    co_return;
  }
  me->raised = true;
  throw contract::operation_error(me->label);
}

contract::timeout::work work_of(const piece_ptr& one) {
  return [one] { return work_as(one); };
}

// 0: a value or a winner's number; 1: no value, but no failure either.
asio::awaitable<std::int64_t> make_call(run& r, call& me, nanoseconds limit) {
  contract::timeout::work first = work_of(me.pieces.front());
  switch (me.kind) {
    case kind::plain:
      co_await r.timeout.run_for(limit, std::move(first));
      co_return 0;
    case kind::fallback: {
      const bool in_time = co_await r.timeout.run_for_or(limit, std::move(first));
      co_return in_time ? 0 : 1;
    }
    case kind::scope: {
      const bool ended_well = co_await r.timeout.run_scope(std::move(first));
      co_return ended_well ? 0 : 1;
    }
    case kind::shielded:
      co_await r.timeout.run_shielded(limit, std::move(first));
      co_return 0;
    case kind::race:
      break;
  }
  std::vector<contract::timeout::work> all;
  for (const piece_ptr& one : me.pieces) all.push_back(work_of(one));
  contract::timeout::giving_back give_back = [&me](std::int64_t who) { me.given_back.push_back(who); };
  co_return co_await r.timeout.race(std::move(all), std::move(give_back));
}

// ---- what is checked whenever a program settles

void expect(run& r, const call& one, bool holds, const char* text) {
  if (!holds) r.t.expect(false, std::string(text) + ": " + one.op->name(), to_string(one.op->what()));
}

bool any(const call& one, bool piece::* what) {
  return std::any_of(one.pieces.begin(), one.pieces.end(),
                     [what](const piece_ptr& each) { return (*each).*what; });
}

bool waits_for_work(const run& r, const call& one) { return one.kind == kind::race ? r.owns : r.joins; }

void check_timed_out(run& r, const call& one) {
  expect(r, one, one.deadline <= r.t.now(), "X-23: a timeout is not told before its time");
  if (r.value_wins && waits_for_work(r, one))
    expect(r, one, !any(one, &piece::through), "TMO-2: the value that the work came to is told");
  if (one.requested && *one.requested < one.deadline && one.kind != kind::shielded)
    expect(r, one, false, "TMO-3: who was cancelled before his deadline is told so");
}

void check_value(run& r, const call& one) {
  const std::int64_t value = one.op->value();
  if (one.kind == kind::race) {
    const bool is_one = value >= 0 && static_cast<std::size_t>(value) < one.pieces.size();
    expect(r, one, is_one && one.pieces[static_cast<std::size_t>(value)]->through,
           "TMO-9: the winner came to a value");
  } else if (value == 0) {
    expect(r, one, any(one, &piece::through), "TMO-2: a value is one that the work came to");
  } else if (one.kind == kind::fallback) {
    check_timed_out(r, one);
  } else {
    expect(r, one, one.stopped, "TMO-15: a scope is stopped by its handle alone");
  }
}

void check_end(run& r, const call& one) {
  const outcome how = one.op->what();
  if (waits_for_work(r, one)) {
    expect(r, one, !any(one, &piece::alive), "TMO-1: the work has ended when its call has");
    const bool tells = how.kind == outcome_kind::error || how.kind == outcome_kind::aggregate;
    if (one.kind != kind::race)
      expect(r, one, !any(one, &piece::raised) || tells, "TMO-5: a failure is told");
  }
  if (one.kind == kind::race && r.owns && r.gives_back) {
    const auto through = std::count_if(one.pieces.begin(), one.pieces.end(),
                                       [](const piece_ptr& each) { return each->through; });
    const auto told = static_cast<std::int64_t>(one.given_back.size()) + (one.op->done() ? 1 : 0);
    expect(r, one, told == static_cast<std::int64_t>(through),
           "TMO-9: each value is told or given back, once");
  }
  switch (how.kind) {
    case outcome_kind::value:
      return check_value(r, one);
    case outcome_kind::timed_out:
      return check_timed_out(r, one);
    case outcome_kind::cancelled:
      expect(r, one, one.is_asked_to_end() || one.stopped,
             "TMO-3: nobody is told a request that nobody made");
      if (one.kind != kind::race && r.value_wins && waits_for_work(r, one) && one.kind != kind::shielded)
        expect(r, one, !any(one, &piece::through), "TMO-2: the value that the work came to is told");
      return;
    case outcome_kind::error:
    case outcome_kind::aggregate:
      return expect(r, one, any(one, &piece::raised), "TMO-4: a failure is the work's");
    default:
      expect(r, one, false, "TMO-1: a call ends with an outcome of the contract");
  }
}

void check_pending(run& r, const call& one) {
  if (!any(one, &piece::begun)) return expect(r, one, false, "TMO-1: work with time left begins");
  if (any(one, &piece::raised) && !any(one, &piece::alive))
    return expect(r, one, false, "TMO-4: a failure is told at once");
  if (one.kind != kind::race || r.owns)
    expect(r, one, any(one, &piece::alive), "TMO-2: a call ends when its work has ended");
  const bool asked = any(one, &piece::asked);
  expect(r, one, one.deadline > r.t.now() || (asked && r.cooperative), "X-23: a call ends at its deadline");
  if (one.is_asked_to_end() && one.kind != kind::shielded)
    expect(r, one, asked && r.cooperative, "TMO-3: a request reaches the work");
  if (one.stopped) expect(r, one, asked && r.cooperative, "TMO-15: the handle's request reaches the work");
  if (one.kind == kind::race && any(one, &piece::raised))
    expect(r, one, asked, "TMO-4: a failure ends a race at once");
  if (one.kind == kind::race && any(one, &piece::through))
    expect(r, one, asked, "TMO-9: a race is over when the first has ended");
  if (asked && one.deadline > r.t.now() && !one.is_asked_to_end() && !one.stopped && one.kind != kind::race)
    expect(r, one, false, "TMO-11: work is not asked to stop before its deadline");
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  for (const call& one : r.calls) {
    if (one.op->pending()) {
      check_pending(r, one);
    } else {
      check_end(r, one);
    }
  }
  std::erase_if(r.calls, [](const call& one) { return one.op->ended(); });
}

// ---- steps

nanoseconds some_limit(std::uint32_t a) {
  constexpr nanoseconds limits[] = {10ms, 5ms, 0ms, nanoseconds::max(), 15ms, -1ms, 20ms, 10ms};
  return limits[a % 8];
}

piece_ptr some_work(run& r, std::uint32_t a, std::uint32_t b) {
  constexpr nanoseconds takes[] = {10ms, 1h, 5ms, 0ms, 20ms, 1h, 10ms, 1h};
  auto one = std::make_shared<piece>();
  one->label = "work " + std::to_string(r.next);
  one->is.takes = takes[(a / 8 + b) % 8];
  one->is.fails = b % 8 == 5;
  if (!r.cooperative) return one;
  if (b % 4 == 1) one->is.cleanup = beat;
  one->is.when_asked = b == 3 ? answer::gives_value : b == 6 ? answer::fails : answer::stops;
  return one;
}

// Who has waited longest goes when there are too many: so a program that is repeated goes on.
asio::awaitable<void> make_room(run& r) {
  if (r.calls.size() < calls_max) co_return;
  for (call& one : r.calls) {
    if (!one.requested) one.requested = r.t.now();
    one.op->cancel();
  }
  co_await settle_and_check(r);
  co_await r.t.advance(2h);
  co_await settle_and_check(r);
}

asio::awaitable<void> begin(run& r, enum kind what, const program_step& step) {
  co_await make_room(r);
  const bool has_scope =
      std::any_of(r.calls.begin(), r.calls.end(), [](const call& one) { return one.is_ready; });
  if (what == kind::scope && has_scope) what = kind::plain;
  call& me = r.calls.emplace_back();
  me.kind = what;
  me.pieces.push_back(some_work(r, step.a, step.b));
  const nanoseconds limit = what == kind::race ? nanoseconds::max() : some_limit(step.a);
  if (limit < nanoseconds::max()) me.deadline = r.t.now() + limit;
  if (what == kind::race) me.pieces.push_back(some_work(r, step.a + 8, step.b));
  if (what == kind::scope) {
    me.is_ready = true;
    r.timeout.open_scope(limit);
  }
  auto work = make_call(r, me, limit);
  me.op.emplace(r.t.start("call " + std::to_string(r.next++), std::move(work)));
  if (!r.settled && step.b == 1) r.t.victim(*me.op);
}

void move_deadline(run& r, const program_step& step) {
  for (call& one : r.calls) {
    if (!one.is_ready || one.op->ended() || !any(one, &piece::begun)) continue;
    const nanoseconds limit = some_limit(step.a);
    const bool was_due = one.deadline <= r.t.now();
    if (!r.timeout.reschedule(limit)) continue;
    const bool asked_otherwise =
        one.is_asked_to_end() || one.stopped;  // then the deadline may have no meaning any more
    if (r.settled && was_due && !asked_otherwise)
      expect(r, one, false, "TMO-13: a deadline that has expired is not moved");
    one.deadline = limit < nanoseconds::max() ? r.t.now() + limit : limit;
  }
}

void stop(run& r) {
  for (call& one : r.calls) {
    if (!one.is_ready || one.op->ended()) continue;
    r.timeout.stop_scope();
    one.stopped = true;
  }
}

void cancel(run& r, const program_step& step) {
  if (r.calls.empty()) return;
  auto one = r.calls.begin();
  std::advance(one, step.a % r.calls.size());
  if (!one->requested) one->requested = r.t.now();
  one->op->cancel();
}

enum class verb : std::uint8_t { run, cancel, settle, advance, run_or, race, scope, move, stop, shielded };

asio::awaitable<void> do_step(run& r, const program_step& step) {
  switch (static_cast<verb>(step.verb)) {
    case verb::run:
      co_return co_await begin(r, kind::plain, step);
    case verb::run_or:
      co_return co_await begin(r, kind::fallback, step);
    case verb::race:
      co_return co_await begin(r, kind::race, step);
    case verb::scope:
      co_return co_await begin(r, kind::scope, step);
    case verb::shielded:
      co_return co_await begin(r, kind::shielded, step);
    case verb::cancel:
      co_return cancel(r, step);
    case verb::move:
      co_return move_deadline(r, step);
    case verb::stop:
      co_return stop(r);
    case verb::settle:
      co_return co_await settle_and_check(r);
    case verb::advance:
      co_await r.t.advance(beat);
  }
}

}  // namespace

const grammar timeout_rules = {
    .shapes = 2,
    .verbs = {"run",
              "cancel",
              "settle",
              "advance",
              {"run_or", "fallback"},
              {"race", "race"},
              {"scope", "scope_handle"},
              {"move", "reschedule"},
              {"stop", "own_cancel"},
              {"shielded", "shield"}},
    .a_values = 64,
    .b_values = 8,
    .steps_max = 24,
    .repeats = {1, 1, 1, 8},
};

ASSAY_PROGRAM(timeout, "TMO-1", timeout_rules,
              .must_see = {"does_not_wait_for_late_work", "drops_failures_of_the_cleanup",
                           "race_drops_what_losers_came_to", "ignores_an_earlier_deadline"}) {
  auto timeout = make();
  run r{t,
        *timeout,
        steps.shape == 1,
        make.claims("joins_work"),
        make.claims("joins_work") && make.claims("cooperative"),
        make.claims("value_wins") && make.claims("cooperative"),
        make.claims("race") && make.claims("owns_operations"),
        make.claims("gives_back"),
        make.claims("own_cancel")};
  for (const program_step& step : steps.steps) {
    co_await do_step(r, step);
    if (r.settled) co_await settle_and_check(r);
  }
  for (call& one : r.calls) {
    if (!one.requested) one.requested = t.now();
    one.op->cancel();
  }
  co_await settle_and_check(r);
  co_await t.advance(2h);
  co_await settle_and_check(r);
  for (const call& one : r.calls)
    t.expect(one.op->ended(), "TMO-3: a call that is cancelled ends", one.op->name());
}

}  // namespace assay
