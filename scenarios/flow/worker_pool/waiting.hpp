// How the pools that are not built on the reference let somebody wait.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <vector>

#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {

struct pool_waiter {
  explicit pool_waiter(const boost::asio::any_io_executor& executor) : timer(executor) {}
  boost::asio::steady_timer timer;
  item offered;
  contract::worker_pool_request how;
  bool taken = false;  // what it offers
};

/// In the order in which they came. Whoever waits shares it, since the pool may go before.
using pool_line = std::shared_ptr<std::vector<pool_waiter*>>;
inline pool_line make_line() { return std::make_shared<std::vector<pool_waiter*>>(); }

/// Until somebody wakes it, or the deadline has passed. Throws if the caller is cancelled.
inline boost::asio::awaitable<void> wait_in(
    pool_line where, pool_waiter& self,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max()) {
  where->push_back(&self);
  self.timer.expires_at(deadline);
  const std::exception_ptr ended = co_await failure_of(self.timer.async_wait(boost::asio::use_awaitable));
  std::erase(*where, &self);
  if (ended && !is_cancellation(ended)) std::rethrow_exception(ended);
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
}

inline void wake_all(const pool_line& those) {
  for (pool_waiter* const one : *those) one->timer.cancel();
}

}  // namespace assay
