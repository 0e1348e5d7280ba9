#include "semaphore.hpp"

#include <chrono>

#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::trial;

template <class Semaphore>
asio::awaitable<void> work(Semaphore& permits) {
  co_await permits.acquire();
  const permit<Semaphore> held(permits);
  asio::steady_timer busy(co_await asio::this_coro::executor, 10ms);
  co_await busy.async_wait(asio::use_awaitable);
}

template <class Semaphore>
asio::awaitable<void> has_all_its_permits_in_the_end(trial& t) {
  Semaphore permits(t.executor(), 2);
  auto first = t.start("first", work(permits));
  auto second = t.start("second", work(permits));
  auto third = t.start("third", work(permits));
  auto fourth = t.start("fourth", work(permits));
  t.victim(third);
  co_await t.pass(100ms);
  EXPECT_TRUE(first.done() && second.done() && third.ended() && fourth.done()) << "everybody gets a permit";
  EXPECT_EQ(permits.available(), 2u) << "every permit is back, and no more than there were";
}

ASSAY_TEST(semaphore, has_all_its_permits_in_the_end, .swept = true) {
  return has_all_its_permits_in_the_end<semaphore<semaphore_mistake::none>>(t);
}
ASSAY_TEST(semaphore_with_the_mistake, swallows_the_cancel, .swept = true) {
  return has_all_its_permits_in_the_end<semaphore<semaphore_mistake::swallows_the_cancel>>(t);
}
ASSAY_TEST(semaphore_with_the_mistake, loses_the_permit, .swept = true) {
  return has_all_its_permits_in_the_end<semaphore<semaphore_mistake::loses_the_permit>>(t);
}

}  // namespace
