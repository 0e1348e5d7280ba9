// A bounded channel: senders do not wait, receivers do.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace adoption {

namespace asio = boost::asio;

/// `SaysWhetherItSent` false is the version with the mistake: try_send says whether the channel was full, where its callers read
/// whether it has sent.
template <class T, bool SaysWhetherItSent>
class channel {
 public:
  channel(asio::any_io_executor executor, std::size_t capacity)
      : changed_(std::move(executor), asio::steady_timer::time_point::max()), capacity_(capacity) {}
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  /// True if the value is in the channel now.
  bool try_send(T value) {
    const bool full = closed_ || values_.size() == capacity_;
    if (!full) {
      values_.push_back(std::move(value));
      changed_.cancel();
    }
    return SaysWhetherItSent ? !full : full;
  }

  /// The next value; nothing once the channel is closed and empty. Throws operation_aborted if it is cancelled while it waits,
  /// having taken nothing.
  asio::awaitable<std::optional<T>> receive() {
    while (values_.empty() && !closed_) {
      boost::system::error_code woken;
      co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      const asio::cancellation_state own = co_await asio::this_coro::cancellation_state;
      if (own.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    std::optional<T> value;
    if (!values_.empty()) {
      value = std::move(values_.front());
      values_.pop_front();
    }
    co_return value;
  }

  void close() {
    closed_ = true;
    changed_.cancel();
  }

 private:
  asio::steady_timer changed_;
  std::deque<T> values_;
  std::size_t capacity_;
  bool closed_ = false;
};

}  // namespace adoption
