// What one ASSAY_TEST costs the compiler. See ci/unit-cost.
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include <assay/test.hpp>

namespace {

namespace asio = boost::asio;

asio::awaitable<int> answer_later(std::chrono::milliseconds delay) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 42;
}

ASSAY_TEST(consumer, waits) {
  auto answer = t.start("answer", answer_later(std::chrono::milliseconds(1)));
  co_await t.settle();
  EXPECT_TRUE(answer.pending());
  co_await t.advance(std::chrono::milliseconds(1));
  EXPECT_EQ(answer.value(), 42);
}

}  // namespace
