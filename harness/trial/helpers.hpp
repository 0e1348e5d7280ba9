// What scenarios, adapters and implementations that are wrong on purpose write again and again.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/trial/item.hpp>

namespace assay {

/// Ends after `delay`, or cancelled.
inline boost::asio::awaitable<void> sleep_for(std::chrono::nanoseconds delay) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, delay);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

/// Ends when it is cancelled.
inline boost::asio::awaitable<void> sleep_for_ever() {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                  boost::asio::steady_timer::time_point::max());
  co_await timer.async_wait(boost::asio::use_awaitable);
}

/// How `work` ended: its failure, or null. For what must be awaited afterwards, which a handler cannot do. Where a request is
/// on record and throws, the co_await of this itself does, before `work` begins: `hold_requests` (scope.hpp) comes first
/// there.
inline boost::asio::awaitable<std::exception_ptr> failure_of(boost::asio::awaitable<void> work) {
  std::exception_ptr failure;
  try {
    co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  co_return failure;
}

/// The same for work with a value, which is then in `value`.
template <class T>
boost::asio::awaitable<std::exception_ptr> failure_of(boost::asio::awaitable<T> work, T& value) {
  std::exception_ptr failure;
  try {
    value = co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  co_return failure;
}

/// For adapters: awaits a library's work, and hands what it throws to `rethrow`, which throws the contract's outcome for the
/// library's own (`[[noreturn]] void rethrow(const std::exception_ptr&)`, and what it does not know as it is).
template <class T>
boost::asio::awaitable<T> translated(boost::asio::awaitable<T> work,
                                     void (*rethrow)(const std::exception_ptr&)) {
  std::exception_ptr failure;
  if constexpr (std::is_void_v<T>) {
    failure = co_await failure_of(std::move(work));
    if (failure) rethrow(failure);
  } else {
    std::optional<T> value;
    try {
      value.emplace(co_await std::move(work));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) rethrow(failure);
    co_return std::move(*value);
  }
}

template <class T>
std::vector<T> sorted(std::vector<T> all) {
  std::sort(all.begin(), all.end());
  return all;
}

inline std::vector<int> ids_of(const std::vector<item>& items) {
  std::vector<int> ids;
  for (const item& one : items) ids.push_back(one.id());
  return ids;
}

}  // namespace assay
