#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include <assay/test.hpp>

namespace {

boost::asio::awaitable<int> answer_later(std::chrono::hours delay) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, delay);
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return 42;
}

ASSAY_TEST(consumer, waits_for_a_day_without_waiting) {
  auto answer = t.start("answer", answer_later(std::chrono::hours(24)));
  co_await t.advance(std::chrono::hours(24));
  EXPECT_TRUE(answer.pending()) << "a timer never fires before its deadline";
  co_await t.settle();
  EXPECT_EQ(answer.value(), 42);
}

}  // namespace
