#include "connection_pool.hpp"

#include <chrono>

#include <assay/harness/mock/script.hpp>
#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::trial;

template <class Pool>
asio::awaitable<void> query(Pool& pool) {
  const auto lease = co_await pool.acquire();
  asio::steady_timer server(co_await asio::this_coro::executor, 10ms);
  co_await server.async_wait(asio::use_awaitable);
}

assay::script<int> five_ms_to_connect(trial& t) {
  assay::script<int> connect(t, "connect");
  connect.otherwise(assay::reply<int>::value(1).after(5ms));
  return connect;
}

template <class Pool>
asio::awaitable<void> gets_every_connection_back(trial& t, Pool& pool, bool cancels_one) {
  auto first = t.start("first", query(pool));
  auto second = t.start("second", query(pool));
  auto third = t.start("third", query(pool));
  if (cancels_one) t.victim(second);
  co_await t.pass(100ms);
  for (const auto& client : {first, second, third})
    EXPECT_TRUE(client.done() || client.cancelled() || client.failed())
        << "nobody waits for a connection for ever";
  EXPECT_EQ(pool.in_use(), 0u) << "nothing is in use when everybody has gone";
}

template <bool CountsFailures>
asio::awaitable<void> on_the_loop_of_the_trial(trial& t) {
  const assay::script<int> connect = five_ms_to_connect(t);
  connection_pool<CountsFailures> pool(t.executor(), 2, [&connect] { return connect.call(); });
  co_await gets_every_connection_back(t, pool, true);
}

template <bool CountsFailures>
asio::awaitable<void> on_a_loop_of_its_own(trial& t) {
  const assay::script<int> connect = five_ms_to_connect(t);
  connection_pool<CountsFailures> pool(2, [&connect] { return connect.call(); });
  co_await gets_every_connection_back(t, pool, false);
}

ASSAY_TEST(connection_pool, gets_every_connection_back, .swept = true, .faulted = true) {
  return on_the_loop_of_the_trial<true>(t);
}
ASSAY_TEST(connection_pool_with_the_mistake, gets_every_connection_back, .swept = true, .faulted = true) {
  return on_the_loop_of_the_trial<false>(t);
}

// As the application uses it, on the io_context that is the pool's own. Nobody is cancelled: `acquire` spawns onto another executor
// than its caller's, and there Boost 1.81's co_spawn uses the cancelled one's signal after it has gone (1.83 keeps it).
ASSAY_TEST(connection_pool, gets_every_connection_back_on_a_loop_of_its_own, .faulted = true) {
  return on_a_loop_of_its_own<true>(t);
}
ASSAY_TEST(connection_pool_with_the_mistake, gets_every_connection_back_on_a_loop_of_its_own,
           .faulted = true) {
  return on_a_loop_of_its_own<false>(t);
}

}  // namespace
