// Testing code of one's own: the same test on both versions of the service. On the one with the mistake it fails in
// some orders of events only; first in, first out, it passes.
#include <assay/scenarios/examples/order_service.hpp>

#include <algorithm>
#include <chrono>
#include <vector>

#include <assay/test.hpp>

namespace {

using namespace std::chrono_literals;

// What the service saves into, and how long that takes.
struct database {
  std::vector<int> saved;
  boost::asio::awaitable<void> save(int order) {
    boost::asio::steady_timer disk(co_await boost::asio::this_coro::executor, 5ms);
    co_await disk.async_wait(boost::asio::use_awaitable);
    saved.push_back(order);
  }
};

template <bool Fixed>
boost::asio::awaitable<void> keeps_every_order(assay::trial& t) {
  database disk;
  example::order_service<Fixed> orders(t.executor(), [&disk](int order) { return disk.save(order); });
  auto run = t.start("run", orders.run());
  co_await t.settle();
  auto first = t.start("submit 1", orders.submit(1));
  auto second = t.start("submit 2", orders.submit(2));
  co_await t.advance(50ms);  // both are saved, and the service waits for more
  auto last = t.start("submit 3", orders.submit(3));
  boost::asio::post(t.scenario_executor(), [&orders] { orders.request_stop(); });
  co_await t.advance(100ms);
  EXPECT_TRUE(run.done()) << "the service stops once drained";
  std::vector<int> accepted;
  if (first.value()) accepted.push_back(1);
  if (second.value()) accepted.push_back(2);
  if (last.value()) accepted.push_back(3);
  std::sort(disk.saved.begin(), disk.saved.end());
  EXPECT_EQ(disk.saved, accepted) << "every order that was accepted is saved";
  run.cancel();
  co_await t.settle();
}

ASSAY_TEST(order_service_with_the_mistake, keeps_every_order_when_stopped) {
  return keeps_every_order<false>(t);
}

ASSAY_TEST(order_service, keeps_every_order_when_stopped) { return keeps_every_order<true>(t); }

}  // namespace
