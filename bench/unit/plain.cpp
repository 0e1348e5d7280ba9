// What assay.cpp beside it is measured against: the same test with plain GoogleTest and Asio. See ci/unit-cost.
#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>

namespace {

namespace asio = boost::asio;

asio::awaitable<int> answer_later(std::chrono::milliseconds delay) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
  co_return 42;
}

TEST(consumer, waits) {
  asio::io_context context;
  int answer = 0;
  std::exception_ptr failure;
  asio::co_spawn(context, answer_later(std::chrono::milliseconds(1)), [&](std::exception_ptr f, int v) {
    failure = f;
    answer = v;
  });
  context.run();
  EXPECT_EQ(failure, nullptr);
  EXPECT_EQ(answer, 42);
}

}  // namespace
