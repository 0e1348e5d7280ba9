#include <assay/harness/trial/scope.hpp>

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/tests/mock_support.hpp>
#include <assay/harness/tests/support.hpp>
#include <assay/harness/trial/context_watch.hpp>

namespace assay::test {
namespace {

using asio::awaitable;
using asio::cancellation_type;
using testing_support::story;
using time_point = std::chrono::steady_clock::time_point;

// One body on both tiers, and on the simulator in many orders besides.
void expect_everywhere(body scenario) {
  for (const tier where : {tier::sim, tier::io_context}) {
    EXPECT_EQ(story(run_fifo(scenario, where)), "") << to_string(where);
  }
  EXPECT_EQ(story(testing_support::campaign(scenario)), "");
}

// Waits, and marks how that ended: "NAME value", "NAME cancelled".
awaitable<void> visit(trial& t, std::chrono::nanoseconds takes, std::string name) {
  t.mark(name);
  std::exception_ptr failure;
  try {
    co_await sleep_for(takes);
  } catch (...) {
    failure = std::current_exception();
  }
  t.mark(name + " " + std::string(to_string(describe(failure).kind)));
  if (failure) std::rethrow_exception(failure);
}

void expect_marks(trial& t, std::vector<std::string> expected) {
  const auto marks = t.marks();
  EXPECT_EQ(std::vector<std::string>(marks.begin(), marks.end()), expected);
}

// A caller whose own state lets requests of every type in.
awaitable<void> let_all_in(awaitable<void> work) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await std::move(work);
}

awaitable<void> fail(std::string label) {
  co_await yield_turn();
  throw contract::operation_error(label);
}

// ---- shields

awaitable<void> work_and_clean_up(trial& t, time_point deadline = time_point::max()) {
  std::exception_ptr failure;
  try {
    co_await visit(t, 10ms, "work");
  } catch (...) {
    failure = std::current_exception();
  }
  co_await hold_requests;
  co_await shield(visit(t, 10ms, "cleanup"), deadline);
  if (failure) std::rethrow_exception(failure);
}

awaitable<void> ask_three_times(trial& t) {
  auto op = t.start("op", scope(work_and_clean_up(t)));
  co_await t.advance(1ms);
  op.cancel();
  co_await t.settle();
  op.request(cancellation_type::total);
  op.cancel();
  co_await t.advance(9ms);
  t.expect(op.pending(), "a shield lets no request through");
  co_await t.advance(1ms);
  co_await t.settle();
  t.expect(op.cancelled(), "what was asked before the shield still holds behind it");
  expect_marks(t, {"work", "work cancelled", "cleanup", "cleanup value"});
}
TEST(shield, lets_cleanup_end_that_follows_a_request) { expect_everywhere(ask_three_times); }

awaitable<void> shield_then_visit(trial& t, bool throwing) {
  co_await asio::this_coro::throw_if_cancelled(throwing);
  co_await shield(visit(t, 2ms, "shielded"));
  const bool given_back = co_await asio::this_coro::throw_if_cancelled();
  t.expect_eq(given_back, throwing, "the switch is given back");
  if (!throwing) check_cancelled(co_await asio::this_coro::cancellation_state);
  co_await visit(t, 2ms, "never");
}
template <bool Throwing>
awaitable<void> ask_a_shield(trial& t) {
  auto op = t.start("op", shield_then_visit(t, Throwing));
  co_await t.advance(1ms);
  op.cancel();
  co_await t.advance(10ms);
  t.expect(op.cancelled(), "the first suspension after the shield reports the request");
  expect_marks(t, {"shielded", "shielded value"});
}
TEST(shield, defers_a_request_to_the_first_suspension_behind_it) {
  expect_everywhere(ask_a_shield<true>);
  expect_everywhere(ask_a_shield<false>);
}

awaitable<void> shield_and_look(trial& t) {
  std::exception_ptr failure;
  try {
    co_await shield(visit(t, 2ms, "shielded"));
  } catch (...) {
    failure = std::current_exception();
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  t.expect(state.cancelled() == cancellation_type::none, "Asio has lost the request");
  if (failure) std::rethrow_exception(failure);
}
awaitable<void> ask_strongly_then_weakly(trial& t) {
  auto op = t.start("op", shield_and_look(t));
  co_await t.advance(1ms);
  op.request(cancellation_type::terminal);
  op.request(cancellation_type::total);
  co_await t.advance(1ms);
  co_await t.settle();
  t.expect(op.cancelled(), "a weak request does not erase a strong one");
  expect_marks(t, {"shielded", "shielded value"});
}
TEST(shield, remembers_a_request_that_asio_writes_another_one_over) {
  expect_everywhere(ask_strongly_then_weakly);
}

awaitable<void> fail_in_shields(trial& t) {
  for (const bool throwing : {true, false}) {
    co_await asio::this_coro::throw_if_cancelled(throwing);
    std::string label;
    try {
      co_await shield(fail("disk full"));
    } catch (const contract::operation_error& error) {
      label = error.label();
    }
    t.expect_eq(label, std::string("disk full"));
    const bool given_back = co_await asio::this_coro::throw_if_cancelled();
    t.expect_eq(given_back, throwing, "the switch is given back");
  }
}
TEST(shield, passes_a_failure_on_and_gives_the_switch_back) { expect_everywhere(fail_in_shields); }

awaitable<void> fail_although_asked(trial& t) {
  auto op = t.start("op", shield(fail("disk full")));
  auto other = t.start("other", scope(fail("disk full")));
  op.cancel();
  co_await t.settle();
  const outcome how = op.what();
  t.expect(how.kind == outcome_kind::error || how.kind == outcome_kind::cancelled,
           "a failure is no cancellation");
  t.expect_eq(other.what().label, std::string("disk full"));
}
TEST(shield, lets_a_failure_of_the_work_stand) { expect_everywhere(fail_although_asked); }

awaitable<void> shield_in_a_shield(trial& t) {
  co_await shield(visit(t, 2ms, "inner"));
  co_await visit(t, 2ms, "between");
  co_await shield(scope(visit(t, 2ms, "innermost")));
}
awaitable<void> shield_it_all(trial& t) {
  co_await shield(shield_in_a_shield(t));
  co_await visit(t, 2ms, "never");
}
awaitable<void> ask_nested_shields(trial& t) {
  auto op = t.start("op", shield_it_all(t));
  co_await t.advance(1ms);
  op.cancel();
  co_await t.advance(10ms);
  t.expect(op.cancelled(), "the request shows behind the outer one");
  expect_marks(t, {"inner", "inner value", "between", "between value", "innermost", "innermost value"});
}
TEST(shield, in_a_shield_ends_into_the_outer_one) { expect_everywhere(ask_nested_shields); }

awaitable<void> shield_after_the_request(trial& t) {
  co_await hold_requests;
  try {
    co_await visit(t, 5ms, "work");
  } catch (...) {
  }
  co_await shield(visit(t, 1ms, "cleanup"));
  co_await scope(visit(t, 1ms, "never"));
}
awaitable<void> ask_before_both(trial& t) {
  auto op = t.start("op", scope(shield_after_the_request(t)));
  co_await t.advance(1ms);
  op.cancel();
  co_await t.advance(5ms);
  t.expect(op.cancelled(), "a scope that is entered with a request on record reports it");
  expect_marks(t, {"work", "work cancelled", "cleanup", "cleanup value"});
}
TEST(shield, entered_with_a_request_on_record_runs_and_a_scope_does_not) {
  expect_everywhere(ask_before_both);
}

// ---- deadlines

awaitable<void> linger(trial& t) {
  std::exception_ptr failure;
  try {
    co_await visit(t, 10ms, "work");
  } catch (...) {
    failure = std::current_exception();
  }
  co_await hold_requests;
  co_await shield(visit(t, 5ms, "end"));
  if (failure) std::rethrow_exception(failure);
}
awaitable<void> outlast_the_deadline(trial& t) {
  const auto begun = t.elapsed();
  bool timed_out = false;
  try {
    co_await shield(linger(t), deadline_after(2ms));
  } catch (const shield_timed_out&) {
    timed_out = true;
  }
  t.expect(timed_out, "the deadline ends it");
  t.expect(t.elapsed() - begun == 7ms, "asked at the deadline, and waited for");
  expect_marks(t, {"work", "work cancelled", "end", "end value"});
  co_await sleep_for(1ms);  // a deadline is no request to the caller
}
TEST(shield, asks_the_work_at_its_deadline_and_waits_for_it) {
  expect_everywhere(outlast_the_deadline);
}

awaitable<void> keep_to_the_deadline(trial& t) {
  co_await shield(visit(t, 2ms, "in time"), deadline_after(3ms));
  co_await shield(visit(t, 2ms, "without"), deadline_after(std::chrono::nanoseconds::max()));
  co_await sleep_for(5ms);
  std::string label;
  try {
    co_await shield(fail("disk full"), deadline_after(5ms));
  } catch (const contract::operation_error& error) {
    label = error.label();
  }
  t.expect_eq(label, std::string("disk full"));
  bool timed_out = false;
  try {
    co_await shield(visit(t, 1ms, "late"), deadline_after(-1ms));
  } catch (const shield_timed_out&) {
    timed_out = true;
  }
  t.expect(timed_out, "a deadline that has passed is one");
}
TEST(shield, ends_as_its_work_does_before_the_deadline) { expect_everywhere(keep_to_the_deadline); }

awaitable<void> end_at_the_deadline(trial& t) {
  auto op = t.start("op", shield(visit(t, 2ms, "work"), deadline_after(2ms)));
  co_await t.advance(5ms);
  const bool in_time = t.marks().back() == "work value";
  t.expect(in_time ? op.done() : op.timed_out(), "it has timed out only if the work was cut short");
}
TEST(shield, whose_work_ends_at_the_deadline_times_out_only_if_it_was_cut_short) {
  expect_everywhere(end_at_the_deadline);
}

awaitable<void> fail_when_asked() {
  try {
    co_await sleep_for(10ms);
  } catch (...) {
    throw contract::operation_error("not closed");
  }
}
awaitable<void> fail_behind_the_deadline(trial& t) {
  std::string label;
  try {
    co_await shield(fail_when_asked(), deadline_after(2ms));
  } catch (const contract::operation_error& error) {
    label = error.label();
  }
  t.expect_eq(label, std::string("not closed"));
}
TEST(shield, tells_what_the_work_failed_with_after_its_deadline) {
  expect_everywhere(fail_behind_the_deadline);
}

// ---- scopes

awaitable<void> insist(trial& t) {
  co_await hold_requests;
  for (const char* const round : {"first", "second", "third"}) {
    try {
      co_await visit(t, 2ms, round);
    } catch (...) {
    }
  }
  const auto state = co_await asio::this_coro::cancellation_state;
  t.expect(state.cancelled() == (cancellation_type::terminal | cancellation_type::total),
           "both are on record");
}
awaitable<void> ask_a_scope_twice(trial& t) {
  auto op = t.start("op", let_all_in(scope(insist(t))));
  co_await t.advance(1ms);
  op.request(cancellation_type::terminal);
  co_await t.advance(1ms);
  op.request(cancellation_type::total);
  co_await t.advance(10ms);
  t.expect(op.ended(), "it ends");
  expect_marks(t, {"first", "first cancelled", "second", "second cancelled", "third", "third value"});
}
TEST(scope, forgets_no_request_when_a_weaker_one_follows) {
  expect_everywhere(ask_a_scope_twice);
}

awaitable<void> hear_the_terminal_one(trial& t) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
  co_await visit(t, 10ms, "work");
}
awaitable<void> ask_weakly_then_strongly(trial& t) {
  auto op = t.start("op", let_all_in(scope(hear_the_terminal_one(t))));
  auto plain = t.start("plain", scope(visit(t, 10ms, "plain")));
  co_await t.advance(1ms);
  op.request(cancellation_type::total);
  plain.request(cancellation_type::total);
  co_await t.settle();
  t.expect(op.pending() && plain.pending(), "who lets terminal requests in alone hears no other");
  op.request(cancellation_type::terminal);
  plain.request(cancellation_type::terminal);
  co_await t.settle();
  t.expect(op.cancelled() && plain.cancelled(), "the strong one gets through");
}
TEST(scope, lets_a_stronger_request_through_that_follows) {
  expect_everywhere(ask_weakly_then_strongly);
}

awaitable<void> change_everything() {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await yield_turn();
}
awaitable<void> work_beside_changes(trial& t, bool shielded) {
  auto changing = change_everything();
  if (shielded) {
    co_await shield(std::move(changing));
  } else {
    co_await scope(std::move(changing));
  }
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  t.expect(throwing, "what the work switches off ends with it");
  co_await visit(t, 10ms, "work");
}
template <bool Shielded>
awaitable<void> ask_after_changes(trial& t) {
  auto op = t.start("op", work_beside_changes(t, Shielded));
  co_await t.advance(1ms);
  op.cancel();
  co_await t.settle();
  t.expect(op.cancelled(), "a request after it reaches the caller as before");
}
TEST(scope, and_shield_leave_the_callers_state_alone) {
  expect_everywhere(ask_after_changes<false>);
  expect_everywhere(ask_after_changes<true>);
}

awaitable<void> hold(tripwire) { co_await yield_turn(); }
awaitable<void> look_for_what_was_held(trial& t) {
  int alive = 0;
  for (const bool shielded : {true, false}) {
    auto holding = hold(tripwire(alive));
    t.expect_eq(alive, 1);
    if (shielded) {
      co_await shield(std::move(holding));
    } else {
      co_await scope(std::move(holding));
    }
    t.expect_eq(alive, 0, "what the work held is gone when it ends");
  }
}
TEST(scope, and_shield_end_after_what_the_work_held) { expect_everywhere(look_for_what_was_held); }

awaitable<void> cancel_oneself(asio::cancellation_signal& signal) {
  signal.emit(cancellation_type::terminal);
  co_return;
}
TEST(scope, whose_work_cancels_its_caller_and_never_suspends_ends) {  // Asio's changelog of 1.30.2
  asio::io_context context;
  asio::cancellation_signal signal;
  bool ended = false;
  asio::co_spawn(
      context, scope(cancel_oneself(signal)),
      asio::bind_cancellation_slot(signal.slot(), [&ended](const std::exception_ptr&) { ended = true; }));
  context.poll();
  EXPECT_TRUE(ended);
}

awaitable<void> park(bool& cancelled, tripwire) {
  try {
    co_await sleep_for_ever();
  } catch (...) {
    cancelled = true;
    throw;
  }
}
TEST(scope, is_reached_by_a_request_from_outside_of_the_executor) {
  asio::io_context context;
  asio::cancellation_signal signal;
  int alive = 0;
  bool cancelled = false;
  bool ended = false;
  asio::co_spawn(
      context, scope(park(cancelled, tripwire(alive))),
      asio::bind_cancellation_slot(signal.slot(), [&ended](const std::exception_ptr&) { ended = true; }));
  context.poll();
  signal.emit(cancellation_type::terminal);
  signal.emit(cancellation_type::terminal);
  EXPECT_FALSE(cancelled);
  context.restart();
  context.poll();
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(ended);
  EXPECT_EQ(alive, 0);
}

// What co_spawn calls; its slot has no executor, so that a request is made where it is emitted.
struct bare_handler {
  using cancellation_slot_type = asio::cancellation_slot;
  cancellation_slot_type get_cancellation_slot() const noexcept { return slot; }
  void operator()(const std::exception_ptr&) const { *ended = true; }
  asio::cancellation_slot slot;
  bool* ended;
};
TEST(scope, may_end_while_a_request_from_outside_is_under_way) {
  asio::io_context context;
  asio::cancellation_signal signal;
  bool ended = false;
  asio::co_spawn(context, scope(yield_turn()), bare_handler{signal.slot(), &ended});
  context.poll_one();  // the work has begun, and its next turn is its last
  signal.emit(cancellation_type::terminal);
  EXPECT_FALSE(ended);
  context.poll();
  EXPECT_TRUE(ended);
}

TEST(scope, and_shield_are_freed_with_their_context) {
  int alive = 0;
  bool cancelled = false;
  asio::cancellation_signal signal;
  {
    asio::io_context context;
    const auto later = std::chrono::steady_clock::now() + 1h;
    auto ignore = [](const std::exception_ptr&) {};
    asio::co_spawn(context, scope(park(cancelled, tripwire(alive))),
                   asio::bind_cancellation_slot(signal.slot(), ignore));
    asio::co_spawn(context, shield(park(cancelled, tripwire(alive)), later), ignore);
    context.poll();
    EXPECT_EQ(alive, 2);
  }
  EXPECT_EQ(alive, 0);
  EXPECT_FALSE(cancelled);
}

// ---- the end of a context

struct watcher {
  explicit watcher(const asio::any_io_executor& executor, bool& seen) : watch(executor), ending(seen) {}
  ~watcher() { ending = watch.ending(); }
  context_watch watch;
  bool& ending;
};
awaitable<void> wait_and_watch(bool& ending, bool for_ever) {
  const auto executor = co_await asio::this_coro::executor;
  const watcher here(executor, ending);
  if (for_ever) co_await sleep_for_ever();
}
TEST(context_watch, tells_the_end_of_a_context_from_that_of_a_coroutine) {
  bool first = true, second = false;
  auto ignore = [](const std::exception_ptr&) {};
  {
    asio::io_context context;
    asio::co_spawn(context, wait_and_watch(first, false), ignore);
    asio::co_spawn(context, wait_and_watch(second, true), ignore);
    context.poll();
    EXPECT_FALSE(second);
  }
  EXPECT_FALSE(first);
  EXPECT_TRUE(second);
}

}  // namespace
}  // namespace assay::test
