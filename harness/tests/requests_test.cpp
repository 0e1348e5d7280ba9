// What follows a call: a terminal request that an operation met, and did not end by, must show at its caller's next
// suspension. Each loss is reported; nothing else is.
#include <assay/harness/trial/trial.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/redirect_error.hpp>
#include <stdexcept>

#include <assay/harness/tests/support.hpp>

namespace assay::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

trial_result run_following(body scenario, tier where, bool follows = true) {
  fifo_source source;
  choice_stream choices(source);
  trial_settings settings;
  settings.where = where;
  trial t(choices, settings, true);
  if (follows) t.follow_requests();
  return t.run([&] { return scenario(t); });
}

class both_tiers_of_requests : public testing::TestWithParam<tier> {
 protected:
  static trial_result run(body scenario) { return run_following(scenario, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(requests, both_tiers_of_requests, testing::Values(tier::sim, tier::io_context),
                         [](const auto& info) { return std::string(to_string(info.param)); });

// Waits, and whatever ends the wait, ends as `how` says.
enum class manner { value, deadline, failure };
enum class loss { none, forgotten, unthrown };

void end_as(manner how) {
  if (how == manner::deadline) throw contract::timed_out_error();
  if (how == manner::failure) throw std::runtime_error("broken");
}

asio::awaitable<int> wait_and_end(manner how, loss lost) {
  asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
  boost::system::error_code ended;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
  if (lost == loss::forgotten) co_await asio::this_coro::reset_cancellation_state();
  if (lost == loss::unthrown) co_await asio::this_coro::throw_if_cancelled(false);
  end_as(how);
  co_return 1;
}

asio::awaitable<void> cancel_one(trial& t, manner how, loss lost) {
  auto call = co_await t.begin("call", wait_and_end(how, lost));
  call.cancel();
  co_await t.settle();
  t.expect(call.ended(), "it ended");
  t.observe(call.failure());
}

template <manner How, loss Lost>
asio::awaitable<void> cancels_one(trial& t) {
  return cancel_one(t, How, Lost);
}

TEST_P(both_tiers_of_requests, x_36_one_that_met_a_value_and_is_forgotten_is_lost) {
  const trial_result seen = run(&cancels_one<manner::value, loss::forgotten>);
  EXPECT_EQ(seen.kind, failure_kind::expectation);
  EXPECT_EQ(
      seen.message,
      "X-36: expected: the request that 'call' met with its value shows at its caller's next suspension; "
      "observed: the caller waits for ever");
  EXPECT_EQ(cited_clause(seen.message), sticky_clause);
}
TEST_P(both_tiers_of_requests, x_36_one_that_met_a_deadline_or_a_failure_is_lost_too) {
  EXPECT_THAT(run(&cancels_one<manner::deadline, loss::forgotten>).message,
              HasSubstr("met with its deadline"));
  EXPECT_THAT(run(&cancels_one<manner::failure, loss::forgotten>).message, HasSubstr("met with its failure"));
}
TEST_P(both_tiers_of_requests, x_36_one_that_is_on_record_and_is_not_thrown_is_lost_and_it_says_why) {
  EXPECT_THAT(run(&cancels_one<manner::value, loss::unthrown>).message,
              HasSubstr("the call left throw_if_cancelled switched off (X-10)"));
}
TEST_P(both_tiers_of_requests, x_36_one_that_is_on_record_shows) {
  EXPECT_EQ(run(&cancels_one<manner::value, loss::none>).message, "");
  EXPECT_EQ(run(&cancels_one<manner::deadline, loss::none>).message, "");
  EXPECT_EQ(run(&cancels_one<manner::failure, loss::none>).message, "");
}

// ---- what is not reported

asio::awaitable<void> end_as_cancelled() {
  co_await failure_of(sleep_for_ever());
  co_await asio::this_coro::reset_cancellation_state();
  contract::throw_cancelled();
}
asio::awaitable<void> cancels_what_says_so(trial& t) {
  auto call = co_await t.begin("call", end_as_cancelled());
  co_await t.cancel(call);
}
TEST_P(both_tiers_of_requests, one_that_ended_the_call_is_not_looked_for) {
  EXPECT_EQ(run(&cancels_what_says_so).message, "");
}

asio::awaitable<void> requests_weakly(trial& t) {
  auto call = co_await t.begin("call", wait_and_end(manner::value, loss::forgotten));
  call.request(asio::cancellation_type::partial);
  call.request(asio::cancellation_type::total);
  co_await t.advance(20ms);
}
TEST_P(both_tiers_of_requests, weak_ones_are_not_looked_for) { EXPECT_EQ(run(&requests_weakly).message, ""); }

asio::awaitable<void> cancels_too_late(trial& t) {
  auto call = t.start("call", wait_and_end(manner::value, loss::forgotten));
  co_await t.advance(20ms);
  co_await t.cancel(call);
}
TEST_P(both_tiers_of_requests, one_that_comes_when_the_call_has_ended_is_not_looked_for) {
  EXPECT_EQ(run(&cancels_too_late).message, "");
}

asio::awaitable<void> cancels_too_early(trial& t) {
  auto call = t.start("call", wait_and_end(manner::value, loss::forgotten));
  co_await t.cancel(call);
}
TEST_P(both_tiers_of_requests, one_that_comes_before_the_call_has_begun_is_not_looked_for) {
  EXPECT_EQ(run(&cancels_too_early).message, "");
}

asio::awaitable<void> end_well_when_cancelled() {
  co_await failure_of(sleep_for_ever());
  co_await asio::this_coro::reset_cancellation_state();
}
asio::awaitable<void> leaves_a_monitor(trial& t) {
  start_options options;
  options.background = true;
  t.start("monitor", end_well_when_cancelled(), options);
  co_await t.settle();
}
TEST_P(both_tiers_of_requests, what_the_trial_cancels_at_its_end_is_not_looked_at) {
  EXPECT_EQ(run(&leaves_a_monitor).message, "");
}

asio::awaitable<void> cancels_its_monitor(trial& t) {
  start_options options;
  options.background = true;
  auto monitor = co_await t.begin("monitor", end_well_when_cancelled(), options);
  co_await t.cancel(monitor);
}
TEST_P(both_tiers_of_requests, x_36_what_the_scenario_cancels_in_the_background_is) {
  EXPECT_THAT(run(&cancels_its_monitor).message, StartsWith("X-36: "));
}

asio::awaitable<void> fails_besides(trial& t) {
  co_await cancel_one(t, manner::value, loss::forgotten);
  t.fail("something else");
}
TEST_P(both_tiers_of_requests, a_trial_that_has_failed_says_no_more) {
  const trial_result seen = run(&fails_besides);
  EXPECT_EQ(seen.message, "something else");
  EXPECT_EQ(seen.failures.size(), 1U);
}

TEST_P(both_tiers_of_requests, a_trial_that_is_not_asked_to_does_not_look) {
  EXPECT_EQ(run_following(&cancels_one<manner::value, loss::forgotten>, GetParam(), false).message, "");
}

// ---- what is looked at is the trial that would have been

TEST_P(both_tiers_of_requests, looking_takes_no_turn_more_and_leaves_no_trace) {
  const trial_result plain = run_following(&cancels_one<manner::deadline, loss::none>, GetParam(), false);
  const trial_result followed = run(&cancels_one<manner::deadline, loss::none>);
  EXPECT_EQ(followed.turns, plain.turns);
  EXPECT_EQ(followed.events->hash(), plain.events->hash());
}

}  // namespace
}  // namespace assay::test
