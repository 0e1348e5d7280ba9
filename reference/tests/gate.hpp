// A place where coroutines wait until the test lets them go on; they note how their wait ended.
#pragma once

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/parked_waiter.hpp>
#include <assay/reference/tests/operation.hpp>

namespace assay::reference::test {

using trail = std::vector<std::string>;

struct gate {
  waiter_list<waiter> waiters;

  asio::awaitable<void> wait() {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    waiter self(co_await asio::this_coro::executor);
    co_await park(waiters, self);
    const park_result result = self.result();
    if (result != park_result::woken) throw_cancelled();
  }
  void open() {
    while (!waiters.empty()) waiters.front().wake();
  }
};

inline asio::awaitable<void> visit(gate& g, trail& log, std::string name) {
  try {
    co_await g.wait();
    log.push_back(name + " done");
  } catch (...) {
    log.push_back(name + (is_cancellation(std::current_exception()) ? " cancelled" : " failed"));
    throw;
  }
}

/// The same, whoever asks it to stop.
inline asio::awaitable<void> insist(gate& g, trail& log, std::string name) {
  co_await shield(visit(g, log, std::move(name)));
}

/// Once the gate is open, awaits what `begin` makes, in a scope that has ignored whatever request came meanwhile. Says whether
/// that ended as cancelled.
template <class Begin>
asio::awaitable<void> begin_when_opened(gate& g, Begin begin, bool& is_cancelled) {
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shield(g.wait());
  try {
    (void)co_await begin();
  } catch (...) {
    is_cancelled = is_cancellation(std::current_exception());
  }
}

}  // namespace assay::reference::test
