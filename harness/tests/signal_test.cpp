#include <assay/harness/mock/signals.hpp>

#include <gtest/gtest.h>

#include <csignal>

#include <assay/harness/tests/mock_support.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using testing_support::campaign;
using testing_support::run;
using testing_support::story;

asio::awaitable<int> next_of(std::shared_ptr<signal_source> source) { return source->next(); }

asio::awaitable<void> raise_before_anybody_waits(trial& t) {
  simulated_signals signals;
  signals.raise(SIGTERM);
  signals.raise(SIGINT);
  t.expect_eq(signals.pending(), 2u);
  const int first = co_await signals.next();
  t.expect_eq(first, SIGTERM);
  const int second = co_await signals.next();
  t.expect_eq(second, SIGINT);
  t.expect_eq(signals.pending(), 0u);
}

asio::awaitable<void> raise_while_two_wait(trial& t) {
  auto signals = std::make_shared<simulated_signals>();
  auto first = t.start("first", next_of(signals));
  co_await t.settle();
  auto second = t.start("second", next_of(signals));
  co_await t.settle();
  signals->raise(SIGTERM);
  t.expect(first.pending(), "nobody goes on inside raise (X-12)");
  signals->raise(SIGINT);
  signals->raise(SIGHUP);
  co_await t.settle();
  t.expect_eq(first.value(), SIGTERM);
  t.expect_eq(second.value(), SIGINT);
  t.expect_eq(signals->pending(), 1u);
}

asio::awaitable<void> cancel_a_wait(trial& t) {
  auto signals = std::make_shared<simulated_signals>();
  auto first = t.start("first", next_of(signals));
  co_await t.settle();
  t.victim(first);
  signals->raise(SIGTERM);
  auto second = t.start("second", next_of(signals));
  co_await t.settle();
  if (first.cancelled()) {
    t.expect_eq(second.value(), SIGTERM);
  } else {
    t.expect_eq(first.value(), SIGTERM);
    t.expect(second.pending(), "there was one signal");
    second.cancel();
    co_await t.settle();
  }
}

asio::awaitable<void> destroy_while_somebody_waits(trial& t) {
  auto signals = std::make_shared<simulated_signals>();
  auto first = t.start("first", signals->next());
  co_await t.settle();
  signals.reset();
  first.cancel();
  co_await t.settle();
  t.expect(first.cancelled(), "the wait outlives its source");
}

TEST(signals, one_that_is_raised_while_nobody_waits_is_kept) {
  EXPECT_EQ(story(run(raise_before_anybody_waits)), "");
}

TEST(signals, each_goes_to_whoever_has_waited_longest_in_a_later_turn) {
  EXPECT_EQ(story(campaign(raise_while_two_wait)), "");
}

TEST(signals, a_cancelled_wait_takes_no_signal) {
  EXPECT_EQ(story(campaign(cancel_a_wait)), "");
  for (std::uint32_t point = 0; point < 8; ++point) {
    sweep_source::deviation deviation;
    deviation.kind = choice_kind::cancel;
    deviation.index = point;
    sweep_source source(std::vector<sweep_source::deviation>(1, deviation));
    EXPECT_EQ(story(run(cancel_a_wait, source)), "") << point;
  }
}

TEST(signals, a_wait_outlives_its_source) { EXPECT_EQ(story(run(destroy_while_somebody_waits)), ""); }

asio::awaitable<void> take_two(std::shared_ptr<signal_source> source, std::vector<int>& taken) {
  for (int i = 0; i < 2; ++i) {
    const int number = co_await source->next();
    taken.push_back(number);
  }
}

void rethrow(const std::exception_ptr& failure) {
  if (failure) std::rethrow_exception(failure);
}

TEST(signals, those_of_the_process_come_through_the_same_interface) {
  asio::io_context io;
  auto source =
      std::make_shared<process_signals>(io.get_executor(), std::initializer_list<int>{SIGUSR1, SIGUSR2});
  std::vector<int> taken;
  std::raise(SIGUSR1);  // before anybody waits: Asio keeps it
  std::raise(SIGUSR2);
  asio::co_spawn(io, take_two(source, taken), &rethrow);
  io.run();
  EXPECT_EQ(taken.size(), 2u);
}

}  // namespace
}  // namespace assay
