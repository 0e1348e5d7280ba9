// How the pools that are not built on the reference let somebody wait.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <vector>

#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay {

struct pool_waiter {
  explicit pool_waiter(const boost::asio::any_io_executor& executor) : timer(executor) {}
  boost::asio::steady_timer timer;
  item offered;
  std::int64_t priority = 0;
  bool taken = false;  // what it offers
};
using pool_waiters = std::vector<pool_waiter*>;

// Until somebody wakes it, or the deadline has passed. Throws if the caller is cancelled.
inline boost::asio::awaitable<void> wait_in(pool_waiters& where, pool_waiter& self,
                                            std::chrono::steady_clock::time_point deadline) {
  where.push_back(&self);
  self.timer.expires_at(deadline);
  boost::system::error_code ended;
  std::exception_ptr failure;
  try {
    co_await self.timer.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ended));
  } catch (...) {
    failure = std::current_exception();
  }
  std::erase(where, &self);
  if (failure) std::rethrow_exception(failure);
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  if (state.cancelled() != boost::asio::cancellation_type::none) contract::throw_cancelled();
}

inline void wake_all(const pool_waiters& those) {
  for (pool_waiter* const one : those) one->timer.cancel();
}

}  // namespace assay
