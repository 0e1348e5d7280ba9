#include <assay/reference/failure/timeout.hpp>

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/reference/core/deadline_scope.hpp>
#include <assay/reference/tests/operation.hpp>

namespace assay::reference::test {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<deadline_scope>);
static_assert(!std::is_default_constructible_v<deadline_scope>);

using owned = std::unique_ptr<int>;  // what cannot be copied, and need not have a default

asio::awaitable<owned> give(int value) {
  co_await yield();
  co_return std::make_unique<int>(value);
}

asio::awaitable<owned> give_when_asked(int value) {
  co_await hold_requests;
  try {
    co_await end_inside_the_request();
  } catch (const boost::system::system_error&) {
  }
  co_return std::make_unique<int>(value);
}

asio::awaitable<void> wait_inside_the_request() { co_await end_inside_the_request(); }

asio::awaitable<void> stop_oneself(deadline_scope& scope) {
  scope.request_stop();
  co_return;
}

asio::awaitable<void> wait_and_hold(std::shared_ptr<int> held) {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
  ++*held;
}

TEST(timeout, moves_values_that_cannot_be_copied) {
  asio::io_context context;
  operation in_time(context, with_deadline(give(3), deadline_after(1h)));
  EXPECT_EQ(*in_time.value(), 3);
  operation late(context, with_deadline_or(give(3), deadline_after(0ns), owned()));
  EXPECT_EQ(late.value(), nullptr);
}

TEST(timeout, may_end_inside_the_request) {
  asio::io_context context;
  deadline_scope scope(context.get_executor(), no_deadline);
  operation running(context, scope.run(wait_inside_the_request()));
  scope.request_stop();
  settle(context);
  EXPECT_TRUE(running.failed_with<stopped>());
  operation asked(context, with_deadline(wait_inside_the_request(), deadline_after(1h)));
  asked.cancel();
  settle(context);
  EXPECT_TRUE(asked.cancelled());
}

TEST(timeout, may_be_stopped_by_its_own_work) {
  asio::io_context context;
  deadline_scope scope(context.get_executor(), deadline_after(1h));
  operation running(context, scope.run(stop_oneself(scope)));
  settle(context);
  EXPECT_TRUE(running.succeeded());
  EXPECT_FALSE(scope.reschedule(no_deadline));
}

TEST(timeout, is_entered_once) {
  asio::io_context context;
  deadline_scope scope(context.get_executor(), no_deadline);
  operation first(context, scope.run(give(1)));
  operation second(context, scope.run(give(2)));
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(second.failed_with<std::logic_error>());
}

TEST(timeout, fires_on_a_real_clock) {
  asio::io_context context;
  operation running(context, with_deadline(wait_inside_the_request(), deadline_after(1ms)));
  context.restart();
  context.run();
  EXPECT_TRUE(running.failed_with<timed_out>());
}

TEST(timeout, leaves_nothing_when_its_context_goes) {
  const auto held = std::make_shared<int>(0);
  {
    asio::io_context context;
    operation limited(context, with_deadline(wait_and_hold(held), deadline_after(1h)));
    operation shielded(context, shield(wait_and_hold(held), deadline_after(1h)));
    EXPECT_EQ(held.use_count(), 3);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(timeout, first_of_gives_back_what_cannot_be_copied) {
  asio::io_context context;
  std::vector<asio::awaitable<owned>> works;
  works.push_back(give_when_asked(1));
  works.push_back(give(2));
  std::vector<int> given;
  auto give_back = [&given](std::size_t, owned value) { given.push_back(*value); };
  operation race(context, first_of<owned>(std::move(works), give_back));
  settle(context);
  EXPECT_EQ(*race.value().value, 2);
  EXPECT_EQ(given, std::vector<int>{1});
  operation nobody(context, first_of<owned>({}, give_back));
  EXPECT_TRUE(nobody.failed_with<std::invalid_argument>());
}

}  // namespace
}  // namespace assay::reference::test
