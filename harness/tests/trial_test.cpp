// What a trial promises: its clock, its cancellation, its end checks (each speaks, and has a twin that is silent), its
// teardown. Everything that both tiers promise is tried on both.
#include <assay/harness/trial/trial.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_timer.hpp>

#include <assay/harness/tests/support.hpp>

namespace assay::test {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

class both_tiers : public testing::TestWithParam<tier> {
 protected:
  static trial_result run(body scenario, bool traced = false) {
    return run_fifo(scenario, GetParam(), traced);
  }
};
INSTANTIATE_TEST_SUITE_P(trial, both_tiers, testing::Values(tier::sim, tier::io_context),
                         [](const auto& info) { return std::string(to_string(info.param)); });

// ---- the clock

asio::awaitable<void> advances_half_open(trial& t) {
  t.start("early", mark_after(t, 9ms, "early"));
  t.start("on time", mark_after(t, 10ms, "on time"));
  co_await t.advance(10ms);
  t.mark("arrived");
  EXPECT_EQ(t.elapsed(), 10ms);
  EXPECT_THAT(t.marks(), ElementsAre("early", "arrived"));
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("early", "arrived", "on time"));
  EXPECT_EQ(t.elapsed(), 10ms);
}
TEST_P(both_tiers, vcs_4_advance_goes_on_before_what_is_due_exactly_then) {
  const trial_result seen = run(&advances_half_open);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> advances_by_the_impossible(trial& t) {
  bool refused = false;
  try {
    co_await t.advance(-1ns);
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  EXPECT_TRUE(refused);
  t.start("late", mark_after(t, std::chrono::hours(24 * 365), "late"));
  co_await t.advance(std::chrono::nanoseconds::max());
  EXPECT_THAT(t.marks(), ElementsAre("late"));
  EXPECT_EQ(t.now(), std::chrono::nanoseconds::max());
  (void)std::chrono::system_clock::now();  // must not overflow at the end of time
  co_await t.advance(1s);
  EXPECT_EQ(t.now(), std::chrono::nanoseconds::max());
}
TEST_P(both_tiers, vcs_4_advance_rejects_negative_delays_and_clamps_an_overflow) {
  const trial_result seen = run(&advances_by_the_impossible);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> stalls(trial& t) {
  bool refused = false;
  try {
    t.stall(-1ns);
  } catch (const std::invalid_argument&) {
    refused = true;
  }
  EXPECT_TRUE(refused);
  t.start("later", mark_after(t, 2ms, "later"));
  t.start("sooner", mark_after(t, 1ms, "sooner"));
  asio::steady_timer other(t.executor(), 2ms);
  other.async_wait([&t](boost::system::error_code ended) { t.mark(ended ? "aborted" : "fired"); });
  co_await t.settle();
  t.stall(0ns);
  EXPECT_EQ(t.elapsed(), 0ns);
  t.stall(10ms);
  EXPECT_EQ(t.elapsed(), 10ms);
  EXPECT_EQ(std::chrono::steady_clock::now().time_since_epoch(), t.now());
  EXPECT_THAT(t.marks(), ElementsAre());  // time passes, and nothing runs
  EXPECT_EQ(other.cancel(), 1u);          // due, but the loop has not seen it
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("aborted", "sooner", "later"));
  EXPECT_EQ(t.elapsed(), 10ms);
  t.stall(std::chrono::nanoseconds::max());
  EXPECT_EQ(t.now(), std::chrono::nanoseconds::max());
}
TEST_P(both_tiers, x_31_time_passes_in_a_stall_and_nothing_runs) {
  const trial_result seen = run(&stalls, true);
  EXPECT_TRUE(seen.passed()) << seen.message;
  const std::vector<event> all = seen.events->events();
  EXPECT_TRUE(std::any_of(all.begin(), all.end(), [](const event& one) {
    return one.kind == event_kind::time && one.text == "the loop stalled: 0 to 10ms";
  }));
}

asio::awaitable<void> waits_beside_a_stall(trial& t) {
  auto timed = t.start("timed", t.advance(5ms));
  co_await t.settle();
  t.stall(7ms);
  EXPECT_TRUE(timed.pending());
  co_await t.settle();
  EXPECT_TRUE(timed.done());
}
TEST_P(both_tiers, x_31_who_waits_for_the_trials_clock_is_late_after_a_stall_too) {
  const trial_result seen = run(&waits_beside_a_stall);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> stall_for_ever(trial& t) {
  while (true) {
    t.stall(1ms);
    co_await yield_turn();
  }
}
asio::awaitable<void> stalls_for_ever(trial& t) {
  t.limit_progress({1000, 1000});
  t.start("busy", stall_for_ever(t));
  co_return;
}
TEST_P(both_tiers, vcs_6_stalling_without_progress_is_a_livelock) {
  EXPECT_EQ(run(&stalls_for_ever).kind, failure_kind::livelock);
}

// ---- a late loop, as a choice

struct late_run {
  trial_result result;
  std::vector<std::uint32_t> offered;  // how many answers each choice had
};
late_run run_late(body scenario, tier where, std::uint32_t answer, bool allowed = true) {
  sweep_source source({{choice_kind::late, 0, answer, false}});
  trial_settings settings;
  settings.where = where;
  late_run seen{run_with(source, scenario, settings, true, false, allowed), {}};
  EXPECT_TRUE(seen.result.passed()) << seen.result.message;
  for (const choice& one : seen.result.choices)
    if (one.kind == choice_kind::late) seen.offered.push_back(one.arity);
  return seen;
}

std::vector<std::string> marks_seen;  // of the last trial
asio::awaitable<void> cancels_the_next(trial& t) {
  asio::steady_timer one(t.executor(), 10ms);
  asio::steady_timer two(t.executor(), 11ms);
  one.async_wait([&](boost::system::error_code) {
    t.mark("at " + format_duration(t.elapsed()) + " cancels " + std::to_string(two.cancel()));
  });
  two.async_wait([&](boost::system::error_code ended) { t.mark(ended ? "aborted" : "fired"); });
  co_await t.advance(20ms);
  marks_seen.assign(t.marks().begin(), t.marks().end());
}
TEST_P(both_tiers, x_31_a_loop_on_time_cancels_what_is_due_later) {
  EXPECT_THAT(run_late(&cancels_the_next, GetParam(), 0).offered, ElementsAre(2));
  EXPECT_THAT(marks_seen, ElementsAre("at 10ms cancels 1", "aborted"));
}
TEST_P(both_tiers, x_31_a_late_loop_finds_both_due_and_says_how_late_it_was) {
  const late_run seen = run_late(&cancels_the_next, GetParam(), 1);
  EXPECT_THAT(seen.offered, ElementsAre(2));
  EXPECT_THAT(marks_seen, ElementsAre("at 11ms cancels 0", "fired"));
  std::vector<std::string> times;
  for (const event& one : seen.result.events->events())
    if (one.kind == event_kind::time) times.push_back(one.text);
  EXPECT_THAT(times, ElementsAre("the loop was late: 10ms to 11ms", "20ms"));
}
TEST_P(both_tiers, x_31_without_leave_the_loop_is_never_late) {
  EXPECT_THAT(run_late(&cancels_the_next, GetParam(), 1, false).offered, ElementsAre());
  EXPECT_THAT(marks_seen, ElementsAre("at 10ms cancels 1", "aborted"));
}

asio::awaitable<void> advances_over_several(trial& t) {
  for (const auto delay : {10ms, 11ms, 12ms, 13ms}) t.start("", mark_after(t, delay, format_duration(delay)));
  co_await t.advance(12ms);
  EXPECT_EQ(t.elapsed(), 12ms);
  EXPECT_THAT(t.marks(), ElementsAre("10ms", "11ms"));
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("10ms", "11ms", "12ms"));
  co_await t.advance(20ms);
}
TEST_P(both_tiers, x_31_a_late_loop_is_on_time_for_what_the_scenario_waits_for) {
  // Only 11ms lies before 12ms, where the scenario goes on; and only 13ms is left behind it.
  EXPECT_THAT(run_late(&advances_over_several, GetParam(), 1).offered, ElementsAre(2));
  EXPECT_THAT(run_late(&advances_over_several, GetParam(), 0).offered, ElementsAre(2));
}

asio::awaitable<void> has_many_deadlines(trial& t) {
  for (const auto delay : {10ms, 10ms, 11ms, 12ms, 13ms, 14ms, 15ms})
    t.start("", mark_after(t, delay, format_duration(delay)));
  co_await t.advance(20ms);
  EXPECT_THAT(t.marks(), ElementsAre("10ms", "10ms", "11ms", "12ms", "13ms", "14ms", "15ms"));
}
TEST_P(both_tiers, x_31_a_late_loop_is_three_deadlines_behind_at_most) {
  EXPECT_THAT(run_late(&has_many_deadlines, GetParam(), 3).offered, ElementsAre(4, 2));
  EXPECT_THAT(run_late(&has_many_deadlines, GetParam(), 0).offered, ElementsAre(4, 4, 4, 3, 2));
}

asio::awaitable<void> has_one_deadline(trial& t) {
  for (int i = 0; i < 3; ++i) t.start("", mark_after(t, 10ms, ""));
  co_await t.advance(20ms);
}
TEST_P(both_tiers, x_31_where_there_is_one_deadline_there_is_no_choice) {
  EXPECT_THAT(run_late(&has_one_deadline, GetParam(), 1).offered, ElementsAre());
}

asio::awaitable<void> chain_of_zero_delays(trial& t, int links) {
  for (int i = 0; i < links; ++i) co_await sleep_for(0ns);
  t.mark("end of the chain");
}
asio::awaitable<void> settles(trial& t) {
  t.start("chain", chain_of_zero_delays(t, 20));
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("end of the chain"));
  EXPECT_EQ(t.elapsed(), 0ns);
}
TEST_P(both_tiers, vcs_3_settle_runs_what_work_creates_at_the_same_instant_and_does_not_move_time) {
  const trial_result seen = run(&settles);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> reads_the_clocks(trial& t) {
  const auto steady = std::chrono::steady_clock::now();
  const auto wall = std::chrono::system_clock::now();
  EXPECT_EQ(steady.time_since_epoch(), virtual_time::epoch);
  EXPECT_EQ(wall.time_since_epoch(), virtual_time::wall_epoch);
  t.step_wall_clock(-1h);
  co_await t.advance(1min);
  EXPECT_EQ(std::chrono::steady_clock::now() - steady, 1min);
  EXPECT_EQ(std::chrono::system_clock::now() - wall, -59min);
}
TEST_P(both_tiers, vcs_11_the_clocks_are_virtual_and_can_diverge) {
  const trial_result seen = run(&reads_the_clocks);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

// ---- cancellation

// Asio's co_spawn asks for a default value of what a coroutine returns.
struct without_default {
  explicit without_default(int value) : number(value) {}
  int number;
};
asio::awaitable<without_default> answer_without_default() { co_return without_default(42); }
asio::awaitable<void> asks_for_what_has_no_default(trial& t) {
  auto answer = t.start("answer", answer_without_default());
  co_await t.settle();
  EXPECT_EQ(answer.value().number, 42);
}
TEST_P(both_tiers, an_operation_may_return_what_has_no_default) {
  const trial_result seen = run(&asks_for_what_has_no_default);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> cancels_before_the_start(trial& t) {
  auto one = t.start("one", mark_after(t, 1ms, "ran"));
  one.cancel();
  one.cancel();
  co_await t.advance(10ms);
  EXPECT_TRUE(one.cancelled());
  EXPECT_THAT(t.marks(), testing::IsEmpty());
}
TEST_P(both_tiers, an_operation_cancelled_before_it_begins_ends_as_cancelled_and_never_runs) {
  const trial_result seen = run(&cancels_before_the_start);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> cancels_late_and_twice(trial& t) {
  auto waiting = t.start("waiting", sleep_for_ever());
  auto over = t.start("over", do_nothing());
  co_await t.settle();
  over.cancel();
  waiting.cancel();
  waiting.cancel();
  co_await t.settle();
  waiting.cancel();
  co_await t.settle();
  EXPECT_TRUE(over.done());
  EXPECT_TRUE(waiting.cancelled());
}
TEST_P(both_tiers, a_cancel_twice_or_after_the_end_is_harmless) {
  const trial_result seen = run(&cancels_late_and_twice);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

struct own_handle {
  std::optional<operation<void>> handle;
};
asio::awaitable<void> cancels_itself(trial& t, std::shared_ptr<own_handle> self) {
  self->handle->cancel();
  t.mark("went on in its own turn");
  co_await sleep_for(1ms);
  t.mark("slept");
}
asio::awaitable<void> cancels_from_its_own_turn(trial& t) {
  auto self = std::make_shared<own_handle>();
  self->handle = t.start("self", cancels_itself(t, self));
  co_await t.advance(10ms);
  EXPECT_TRUE(self->handle->cancelled());
  EXPECT_THAT(t.marks(), ElementsAre("went on in its own turn"));
  self->handle.reset();
}
TEST_P(both_tiers, a_cancel_from_within_an_operations_own_turn_waits_for_the_turns_end) {
  const trial_result seen = run(&cancels_from_its_own_turn);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> wait_on(asio::steady_timer& timer) { co_await timer.async_wait(asio::use_awaitable); }
asio::awaitable<void> wake(trial& t, asio::steady_timer& timer) {
  t.mark("woke " + std::to_string(timer.cancel()));
  co_return;
}
asio::awaitable<void> has_a_waker(trial& t) {
  asio::steady_timer timer(t.executor(), asio::steady_timer::time_point::max());
  auto victim = t.start("victim", wait_on(timer));
  t.victim(victim);
  t.start("waker", wake(t, timer));
  co_await t.settle();
}
std::string first_mark_with_cancel_at(std::uint32_t point) {
  sweep_source source({{choice_kind::cancel, point, 1, false}});
  choice_stream choices(source);
  trial t(choices, {}, false);
  const trial_result seen = t.run([&] { return has_a_waker(t); });
  EXPECT_TRUE(seen.passed()) << seen.message;
  return t.marks().front();
}
TEST(cancel_points, a_cancel_is_made_between_the_turn_in_which_the_victim_suspends_and_the_next) {
  // The points: before its first turn; after the turn in which it suspends; after the turn that wakes it.
  EXPECT_EQ(first_mark_with_cancel_at(1), "woke 0");
  EXPECT_EQ(first_mark_with_cancel_at(2), "woke 1");
}

// ---- end checks: each speaks

asio::awaitable<void> expects_what_is_not(trial& t) {
  t.expect_eq(1 + 1, 3, "the sum");
  co_return;
}
TEST_P(both_tiers, a_failed_expectation_fails_the_trial) {
  const trial_result seen = run(&expects_what_is_not);
  EXPECT_EQ(seen.kind, failure_kind::expectation);
  EXPECT_EQ(seen.message, "expected: the sum: 3; observed: 2");
}

asio::awaitable<void> leaves_two_parked(trial& t) {
  t.start("first", sleep_for_ever());
  co_await t.advance(5ms);
  t.start("second", sleep_for_ever());
}
TEST_P(both_tiers, vcs_7_a_deadlock_is_reported_and_names_every_blocked_operation) {
  const trial_result seen = run(&leaves_two_parked);
  EXPECT_EQ(seen.kind, failure_kind::deadlock);
  EXPECT_THAT(seen.message, HasSubstr("'first', 'second'"));
  EXPECT_THAT(seen.failures, Contains(HasSubstr("'first' is parked since 0, started at trial_test.cpp:")));
  EXPECT_THAT(seen.failures, Contains(HasSubstr("'second' is parked since 5ms, started at trial_test.cpp:")));
}

asio::awaitable<void> blocks_itself(trial&) { co_await sleep_for_ever(); }
TEST_P(both_tiers, vcs_7_a_scenario_that_blocks_is_a_deadlock) {
  const trial_result seen = run(&blocks_itself);
  EXPECT_EQ(seen.kind, failure_kind::deadlock);
  EXPECT_THAT(seen.message, HasSubstr("'scenario'"));
}

asio::awaitable<void> leaves_a_timer(trial& t) {
  auto timer = std::make_shared<asio::steady_timer>(t.executor(), 1s);
  timer->expires_at(asio::steady_timer::time_point::max());
  timer->async_wait([](boost::system::error_code) {});
  t.keep(timer);
  co_return;
}
TEST_P(both_tiers, vcs_7_a_parked_wait_left_behind_fails_the_trial) {
  const trial_result seen = run(&leaves_a_timer);
  EXPECT_EQ(seen.kind, failure_kind::left_over);
  EXPECT_THAT(seen.message, HasSubstr("a parked wait was left behind"));
}

// A handler that somebody keeps, for ever: its frame is alive, and no timer knows it.
asio::awaitable<void> keep_handler(std::shared_ptr<void>* place) {
  auto initiation = [place](auto handler) {
    using handler_type = decltype(handler);
    *place = std::make_shared<handler_type>(std::move(handler));
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiation, asio::use_awaitable);
}
asio::awaitable<void> leaves_a_detached_task(trial& t) {
  auto place = std::make_shared<std::shared_ptr<void>>();
  t.keep(place);
  asio::co_spawn(t.executor(), keep_handler(place.get()), asio::detached);
  co_await t.settle();
}
TEST_P(both_tiers, x_19_a_task_left_behind_fails_the_trial_even_where_no_timer_knows_it) {
  const trial_result seen = run(&leaves_a_detached_task);
  EXPECT_EQ(seen.kind, failure_kind::left_over);
  EXPECT_THAT(seen.message, HasSubstr("a task was left behind by 'the subject'"));
}

asio::awaitable<void> fail_with(trial& t, std::string label) {
  t.raise(std::move(label));
  co_return;
}
asio::awaitable<void> ignores_a_failure(trial& t) {
  t.start("failing", fail_with(t, "boom"));
  co_await t.settle();
}
TEST_P(both_tiers, x_15_a_failure_that_nobody_looked_at_fails_the_trial) {
  const trial_result seen = run(&ignores_a_failure);
  EXPECT_EQ(seen.kind, failure_kind::unobserved);
  EXPECT_THAT(seen.message, HasSubstr("nobody looked at the failure of 'failing': error 'boom'"));
}

asio::awaitable<void> swallows_in_a_detached_task(trial& t) {
  asio::co_spawn(t.executor(), fail_with(t, "boom"), asio::detached);
  co_await t.settle();
}
TEST_P(both_tiers, vcs_m6_an_exception_swallowed_by_a_detached_task_fails_the_trial) {
  const trial_result seen = run(&swallows_in_a_detached_task);
  EXPECT_EQ(seen.kind, failure_kind::unobserved);
  EXPECT_THAT(seen.message, HasSubstr("the exception 'boom' was swallowed"));
}

asio::awaitable<void> expect_wrongly(trial& t) {
  t.expect(false, "what a detached task expects");
  co_return;
}
asio::awaitable<void> expects_in_a_detached_task(trial& t) {
  asio::co_spawn(t.executor(), expect_wrongly(t), asio::detached);
  co_await t.settle();
}
TEST_P(both_tiers, vcs_m6_a_detached_tasks_failed_expectation_fails_the_trial) {
  const trial_result seen = run(&expects_in_a_detached_task);
  EXPECT_EQ(seen.message, "expected: what a detached task expects; observed: not so");
}

asio::awaitable<void> reports_twice(trial& t) {
  const std::exception_ptr boom = t.plant("boom");
  t.observe(boom);
  t.observe(boom);
  co_return;
}
TEST_P(both_tiers, x_15_an_exception_reported_twice_fails_the_trial) {
  const trial_result seen = run(&reports_twice);
  EXPECT_EQ(seen.kind, failure_kind::unobserved);
  EXPECT_THAT(seen.message, HasSubstr("'boom' was reported 2 times"));
}

asio::awaitable<void> raises_twice_and_sees_one(trial& t) {
  t.observe(t.plant("boom"));
  (void)t.plant("boom");
  co_return;
}
TEST_P(both_tiers, x_15_of_two_exceptions_of_one_label_each_must_be_observed) {
  const trial_result seen = run(&raises_twice_and_sees_one);
  EXPECT_EQ(seen.kind, failure_kind::unobserved);
  EXPECT_THAT(seen.message, HasSubstr("'boom' was reported 1 times, raised 2 times"));
}

asio::awaitable<void> loses_an_item(trial& t) {
  class item lost = t.item(7);
  t.items().give(lost);
  co_return;
}
TEST_P(both_tiers, a_lost_item_fails_the_trial) {
  const trial_result seen = run(&loses_an_item);
  EXPECT_EQ(seen.kind, failure_kind::item);
  EXPECT_THAT(seen.message, HasSubstr("item 7 was lost"));
}

asio::awaitable<void> doubles_an_item(trial& t) {
  class item doubled = t.item(7);
  t.items().give(doubled);
  t.items().deliver(doubled);
  t.items().deliver(doubled);
  co_return;
}
TEST_P(both_tiers, a_doubled_item_fails_the_trial) {
  const trial_result seen = run(&doubles_an_item);
  EXPECT_EQ(seen.kind, failure_kind::item);
  EXPECT_THAT(seen.message, HasSubstr("item 7 was delivered although it was delivered"));
}

asio::awaitable<void> throws_in_a_turn(trial& t) {
  asio::post(t.executor(), [] { throw std::runtime_error("out of a handler"); });
  asio::post(t.executor(), [&t] { t.mark("the next turn"); });
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("the next turn"));
}
TEST_P(both_tiers, vcs_8_an_exception_that_leaves_a_turn_is_reported_and_skips_nothing) {
  const trial_result seen = run(&throws_in_a_turn);
  EXPECT_EQ(seen.kind, failure_kind::exception);
  EXPECT_THAT(seen.message, HasSubstr("error 'out of a handler'"));
}

void throw_again_later(asio::steady_timer& timer) {
  timer.expires_after(1ms);
  timer.async_wait([&timer](boost::system::error_code ended) {
    if (ended) return;
    throw_again_later(timer);
    throw std::runtime_error("every time");
  });
}
asio::awaitable<void> throws_for_ever(trial& t) {
  auto timer = std::make_shared<asio::steady_timer>(t.executor());
  t.keep(timer);
  throw_again_later(*timer);
  co_return;
}
TEST_P(both_tiers, vcs_6_a_handler_that_throws_and_comes_back_for_ever_ends_the_trial) {
  EXPECT_EQ(run(&throws_for_ever).kind, failure_kind::exception);
}

asio::awaitable<void> spins(trial& t) {
  t.start("spinning", yield_for_ever());
  co_await t.settle();
}
TEST_P(both_tiers, vcs_6_a_livelock_ends_the_trial_and_names_whose_the_turns_were) {
  const trial_result seen = run(&spins);
  EXPECT_EQ(seen.kind, failure_kind::livelock);
  EXPECT_THAT(seen.message, HasSubstr("more than 100000 turns at one instant"));
  if (GetParam() == tier::sim) {
    EXPECT_THAT(seen.message, HasSubstr("these turns repeat: 'spinning'"));
  }
}

asio::awaitable<void> spins_in_pairs(trial& t) {
  t.start("one", yield_for_ever());
  t.start("two", yield_for_ever());
  co_await t.settle();
}
TEST(livelock, vcs_6_lists_every_name) {
  const trial_result seen = run_fifo(&spins_in_pairs);
  EXPECT_THAT(seen.message, HasSubstr("'one'"));
  EXPECT_THAT(seen.message, HasSubstr("'two'"));
}

asio::awaitable<void> checks_at_the_end(trial& t) {
  t.at_end([] { return std::string("the scale is off"); });
  co_return;
}
TEST_P(both_tiers, a_check_at_the_end_fails_the_trial) {
  EXPECT_EQ(run(&checks_at_the_end).message, "the scale is off");
}

// ---- background work

asio::awaitable<void> has_a_monitor(trial& t) {
  start_options options;
  options.background = true;
  t.start("monitor", tick_for_ever(1ms), options);
  co_await sleep_for(10ms);
}
TEST_P(both_tiers, vcs_5_background_work_does_not_keep_a_trial_alive) {
  const trial_result seen = run(&has_a_monitor);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_LT(seen.turns, 100u);
}

asio::awaitable<void> deadlocks_beside_a_monitor(trial& t) {
  start_options options;
  options.background = true;
  t.start("monitor", tick_for_ever(1ms), options);
  co_await sleep_for_ever();
}
TEST_P(both_tiers, vcs_5_background_work_does_not_hide_a_deadlock) {
  const trial_result seen = run(&deadlocks_beside_a_monitor);
  EXPECT_EQ(seen.kind, failure_kind::deadlock);
  EXPECT_THAT(seen.message, testing::EndsWith("'scenario'"));
}

// A service whose monitor ticks is looked at half a minute later, and minutes later.
asio::awaitable<void> waits_beside_a_monitor(trial& t) {
  start_options options;
  options.background = true;
  t.start("monitor", tick_for_ever(1ms), options);
  co_await t.advance(30s);
  EXPECT_EQ(t.elapsed(), 30s);
  co_await sleep_for(4 * 60s);
  EXPECT_EQ(t.elapsed(), 270s);
}
TEST_P(both_tiers, vcs_5_background_work_goes_on_while_the_foreground_waits_for_a_time) {
  const trial_result seen = run(&waits_beside_a_monitor);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> ticks_in_the_foreground(trial& t) {
  auto ticking = t.start("ticking", tick_for_ever(1ms));
  co_await t.advance(10 * 60s);
  ticking.cancel();
  co_await t.settle();
}
TEST_P(both_tiers, vcs_6_the_scenario_may_wait_for_any_time_beside_work_of_the_foreground) {
  const trial_result seen = run(&ticks_in_the_foreground);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> spins_in_the_background(trial& t) {
  start_options options;
  options.background = true;
  t.start("spinning", yield_for_ever(), options);
  co_await t.advance(30s);
}
TEST_P(both_tiers, vcs_6_a_livelock_in_the_background_is_found) {
  EXPECT_EQ(run(&spins_in_the_background).kind, failure_kind::livelock);
}

asio::awaitable<void> polls_for_ever(trial& t) {
  t.start("polling", tick_for_ever(1ms));
  co_await sleep_for_ever();
}
TEST_P(both_tiers, vcs_6_polling_without_progress_is_a_livelock) {
  const trial_result seen = run(&polls_for_ever);
  EXPECT_EQ(seen.kind, failure_kind::livelock);
  EXPECT_THAT(seen.message, HasSubstr("the clock was advanced 100000 times"));
}

// What somebody writes who waits for an operation that never ends.
asio::awaitable<void> settles_for_ever(trial& t) {
  auto stuck = t.start("stuck", sleep_for_ever());
  while (!stuck.done()) co_await t.settle();
}
asio::awaitable<void> advances_for_ever(trial& t) {
  auto stuck = t.start("stuck", sleep_for_ever());
  while (!stuck.done()) co_await t.advance(1ms);
}
TEST_P(both_tiers, vcs_6_a_scenario_that_waits_again_and_again_without_progress_is_a_livelock) {
  EXPECT_EQ(run(&settles_for_ever).kind, failure_kind::livelock);
  EXPECT_EQ(run(&advances_for_ever).kind, failure_kind::livelock);
}

asio::awaitable<void> polls_beside_a_wait(trial& t) {
  t.start("polling", tick_for_ever(1us));
  co_await t.advance(100s);
}
TEST_P(both_tiers, vcs_6_polling_beside_a_long_wait_of_the_scenario_is_a_livelock) {
  EXPECT_EQ(run(&polls_beside_a_wait).kind, failure_kind::livelock);
}

asio::awaitable<void> sleep_often(int times) {
  for (int i = 0; i < times; ++i) co_await sleep_for(1ms);
}
asio::awaitable<void> sleeps_often(trial&) { return sleep_often(200'000); }
asio::awaitable<void> yields_often(trial&) { return yield_often(200'000); }
asio::awaitable<void> has_patience(trial& t) {
  t.limit_progress({.turns_at_instant = 1'000'000, .advances = 1'000'000});
  co_await sleep_often(200'000);
  co_await yield_often(200'000);
}
TEST_P(both_tiers, vcs_6_a_test_sets_the_bounds_itself) {
  EXPECT_EQ(run(&sleeps_often).kind, failure_kind::livelock);
  EXPECT_EQ(run(&yields_often).kind, failure_kind::livelock);
  const trial_result seen = run(&has_patience);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> starts_many(trial& t) {
  for (int i = 0; i < 1'000; ++i) {
    t.start("busy", yield_often(200));
    co_await t.settle();
  }
}
TEST_P(both_tiers, vcs_6_any_number_of_turns_at_one_instant_will_do_while_operations_end) {
  const trial_result seen = run(&starts_many);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> hand_round(trial& t) {
  class item one = t.item(1);
  while (true) {
    t.items().give(one);
    co_await yield_turn();
    t.items().deliver(one);
  }
}
asio::awaitable<void> goes_in_circles(trial& t) {
  t.start("round", hand_round(t));
  co_await t.settle();
}
TEST_P(both_tiers, vcs_6_an_item_that_goes_in_circles_is_no_progress) {
  EXPECT_EQ(run(&goes_in_circles).kind, failure_kind::livelock);
}

asio::awaitable<void> ignore_cancellation() {
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  co_await sleep_for_ever();
}
asio::awaitable<void> has_a_deaf_monitor(trial& t) {
  start_options options;
  options.background = true;
  t.start("deaf", ignore_cancellation(), options);
  co_await t.settle();
}
TEST_P(both_tiers, vcs_7_background_work_that_does_not_end_when_cancelled_is_left_over) {
  const trial_result seen = run(&has_a_deaf_monitor);
  EXPECT_EQ(seen.kind, failure_kind::left_over);
  if (GetParam() == tier::sim) {
    EXPECT_THAT(seen.message, HasSubstr("'deaf'"));
  }
}

// ---- the silent twin of everything above

asio::awaitable<void> behaves(trial& t) {
  start_options options;
  options.background = true;
  t.start("monitor", tick_for_ever(3ms), options);
  asio::co_spawn(t.executor(), sleep_for(4ms), asio::detached);
  auto failing = t.start("failing", fail_with(t, "boom"));
  auto waiting = t.start("waiting", sleep_for_ever());
  class item kept = t.item(1);
  t.items().give(kept);
  t.items().deliver(kept);
  t.observe(t.plant("twice"));
  t.observe(t.plant("twice"));
  t.at_end([] { return std::string(); });
  co_await t.advance(10ms);
  EXPECT_EQ(failing.what().label, "boom");
  waiting.cancel();
  co_await t.settle();
  t.expect(waiting.cancelled(), "it ends as cancelled");
}
TEST_P(both_tiers, a_trial_in_which_all_is_well_passes) {
  const trial_result seen = run(&behaves);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_THAT(seen.failures, testing::IsEmpty());
}

// ---- VCS-13

task_report find(const trial& t, const std::string& name) {
  for (task_report& one : t.tasks()) {
    if (one.name == name) return one;
  }
  ADD_FAILURE() << "no task '" << name << "'";
  return {};
}
asio::awaitable<void> lists_its_tasks(trial& t) {
  auto place = std::make_shared<std::shared_ptr<void>>();
  t.start("parked", sleep_for_ever());
  t.start("timed", sleep_for(20ms));
  t.start("kept", keep_handler(place.get()));
  t.start("clock", t.advance(30ms));
  t.start("over", do_nothing());
  co_await t.advance(5ms);
  t.start("new", do_nothing());
  const task_report parked = find(t, "parked");
  EXPECT_EQ(parked.doing, activity::parked);
  EXPECT_EQ(parked.since, 0ns);
  EXPECT_THAT(parked.started_at, testing::StartsWith("trial_test.cpp:"));
  EXPECT_EQ(find(t, "timed").doing, activity::timer);
  EXPECT_EQ(find(t, "timed").due, 20ms);
  EXPECT_EQ(find(t, "kept").doing, activity::elsewhere);
  EXPECT_EQ(find(t, "clock").doing, activity::clock);
  EXPECT_EQ(find(t, "new").doing, activity::not_begun);
  EXPECT_EQ(find(t, "new").since, 5ms);
  EXPECT_EQ(t.tasks().size(), 6u);  // these five and the scenario
  EXPECT_THAT(to_string(parked),
              testing::MatchesRegex("'parked' is parked since 0, started at trial_test.cpp:[0-9]+"));
  co_await t.advance(1h);
  EXPECT_EQ(t.tasks().size(), 3u);  // the scenario, and the two that never end
  place->reset();
}
TEST_P(both_tiers, vcs_13_every_live_task_is_listed_with_its_name_its_state_and_its_start) {
  const trial_result seen = run(&lists_its_tasks);
  EXPECT_EQ(seen.kind, failure_kind::deadlock);
  EXPECT_THAT(seen.message, testing::EndsWith("'parked', 'kept'"));
}

asio::awaitable<void> has_a_runnable_task(trial& t) {
  auto spinning = t.start("spinning", yield_for_ever());
  for (int i = 0; i < 3; ++i) co_await yield_turn();
  EXPECT_EQ(find(t, "spinning").doing, activity::runnable);
  spinning.cancel();
}
TEST(tasks, vcs_13_a_runnable_task_is_told_from_a_waiting_one) {
  const trial_result seen = run_fifo(&has_a_runnable_task);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

// VCS-13's coroutine that was created and never awaited is a matter of the compiler: the type is nodiscard, so that a
// call whose awaitable is dropped does not compile under -Werror. The attribute has no trait, so this says what stands
// for it: an awaitable can only be moved into whoever awaits it.
static_assert(!std::is_copy_constructible_v<asio::awaitable<void>>);

// ---- escapes

asio::awaitable<void> starts_a_reactor(trial& t) {
  auto signals = std::make_shared<asio::signal_set>(t.executor(), SIGUSR2);
  t.keep(signals);
  co_return;
}
TEST_P(both_tiers, a_real_reactor_ends_the_trial_as_escaped) {
  const trial_result seen = run(&starts_a_reactor);
  EXPECT_EQ(seen.kind, failure_kind::escaped);
  EXPECT_THAT(seen.message, HasSubstr("reactor"));
}

// ---- teardown: whatever a trial ends with, every frame goes, and in the right order

int alive = 0;

// The subject that the scenario owns; its users must not outlive it.
struct owner {
  int users = 0;
  ~owner() { EXPECT_EQ(users, 0) << "the subject went before its users' frames"; }
};
struct user_of {
  explicit user_of(owner& o) : subject(&o) { ++subject->users; }
  user_of(const user_of&) = delete;
  user_of& operator=(const user_of&) = delete;
  ~user_of() { --subject->users; }
  owner* subject;
};
asio::awaitable<void> park_using(owner& subject) {
  const tripwire wire(alive);
  const user_of use(subject);
  co_await sleep_for_ever();
}
asio::awaitable<void> spin_using(owner& subject) {
  const tripwire wire(alive);
  const user_of use(subject);
  co_await yield_for_ever();
}
asio::awaitable<void> wait_at_the_clock_using(trial& t, owner& subject) {
  const tripwire wire(alive);
  const user_of use(subject);
  co_await t.advance(1h);
}
asio::awaitable<void> ends_while_all_wait(trial& t) {
  const tripwire wire(alive);
  owner subject;
  t.start("parked", park_using(subject));
  t.start("at the clock", wait_at_the_clock_using(t, subject));
  t.start("spinning", spin_using(subject));
  co_await t.settle();  // never: the livelock guard ends the trial with the scenario at the clock
}
TEST_P(both_tiers, x_21_a_trial_that_ends_in_a_livelock_frees_every_frame_the_scenarios_last) {
  alive = 0;
  EXPECT_EQ(run(&ends_while_all_wait).kind, failure_kind::livelock);
  EXPECT_EQ(alive, 0);
}

asio::awaitable<void> blocks_while_all_wait(trial& t) {
  const tripwire wire(alive);
  owner subject;
  t.start("parked", park_using(subject));
  t.start("parked too", park_using(subject));
  co_await sleep_for_ever();
}
TEST_P(both_tiers, x_21_a_trial_that_ends_in_a_deadlock_frees_every_frame_the_scenarios_last) {
  alive = 0;
  EXPECT_EQ(run(&blocks_while_all_wait).kind, failure_kind::deadlock);
  EXPECT_EQ(alive, 0);
}

// What outlives the scenario still stands on the context: values, kept things and dependencies with timers.
struct has_a_timer {
  has_a_timer() = default;
  explicit has_a_timer(const asio::any_io_executor& executor)
      : timer(std::make_unique<asio::steady_timer>(executor, 1h)),
        work(asio::prefer(executor, asio::execution::outstanding_work.tracked)) {}
  std::unique_ptr<asio::steady_timer> timer;
  asio::any_io_executor work;
};
asio::awaitable<has_a_timer> make_one(trial& t) { co_return has_a_timer(t.executor()); }
asio::awaitable<void> uses_a_kept_thing(std::shared_ptr<int> kept) {
  struct toucher {
    int* value;
    ~toucher() { *value = 0; }
  };
  const toucher at_the_end{kept.get()};
  kept.reset();
  co_await sleep_for_ever();
}
asio::awaitable<void> leaves_things_on_the_context(trial& t) {
  auto made = t.start("made", make_one(t));
  t.keep(std::make_shared<has_a_timer>(t.executor()));
  t.surroundings().provide(std::make_shared<has_a_timer>(t.executor()));
  auto kept = std::make_shared<int>(1);
  t.keep(kept);
  t.start("user of a kept thing", uses_a_kept_thing(kept));
  co_await t.settle();
  made.value().timer->async_wait([](boost::system::error_code) {});
}
TEST_P(both_tiers, x_21_values_kept_things_and_dependencies_go_after_the_frames_and_before_the_context) {
  EXPECT_EQ(run(&leaves_things_on_the_context).kind, failure_kind::deadlock);
}

asio::awaitable<void> keep_alive(trial& t) {
  const tripwire wire(alive);
  co_await t.settle();
}
asio::awaitable<void> posts_to_a_strand_and_spins(trial& t) {
  auto strand = asio::make_strand(t.executor());
  auto subject = std::make_shared<owner>();
  t.keep(subject);
  for (int i = 0; i < 3; ++i) asio::co_spawn(strand, spin_using(*subject), asio::detached);
  co_await keep_alive(t);
}
TEST_P(both_tiers, x_21_frames_that_wait_for_their_strand_are_freed) {
  alive = 0;
  EXPECT_EQ(run(&posts_to_a_strand_and_spins).kind, failure_kind::livelock);
  EXPECT_EQ(alive, 0);
}

TEST_P(both_tiers, a_trial_that_never_ran_can_be_destroyed) {
  fifo_source source;
  choice_stream choices(source);
  trial_settings settings;
  settings.where = GetParam();
  const trial t(choices, settings, true);
  EXPECT_EQ(t.elapsed(), 0ns);
}

}  // namespace
}  // namespace assay::test
