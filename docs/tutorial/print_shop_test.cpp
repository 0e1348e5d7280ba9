#include "print_shop.hpp"

#include <assay/test.hpp>

#include <chrono>
#include <string>
#include <vector>

namespace {

using namespace std::chrono_literals;

asio::awaitable<void> pause(std::chrono::nanoseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

// Devices that remember what was printed. A page takes 5 ms, the display 1 ms.
class fake_devices : public devices {
 public:
  asio::awaitable<void> print(int job) override {
    co_await pause(5ms);
    printed.push_back(job);
  }
  asio::awaitable<void> show(std::string) override { co_await pause(1ms); }

  std::vector<int> printed;
};

// A client that brings a second job 5 ms after the first.
asio::awaitable<void> bring_two_jobs(print_shop& shop) {
  shop.submit(1);
  co_await pause(5ms);
  shop.submit(2);
}

ASSAY_TEST(print_shop, prints_every_job) {
  fake_devices fakes;
  print_shop shop(t.executor(), fakes);
  auto worker = t.start("worker", shop.work());
  co_await t.advance(10ms);  // the shop is open, and idle
  auto client = t.start("client", bring_two_jobs(shop));
  co_await t.advance(100ms);
  EXPECT_EQ(fakes.printed, (std::vector{1, 2}));
  shop.close();
  co_await t.advance(100ms);
  EXPECT_TRUE(worker.done()) << "the worker ends when the shop is closed";
}

}  // namespace
