// An asynchronous mutex. Whoever finds it locked leaves his completion handler in a queue.
#pragma once

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <boost/system/error_code.hpp>
#include <list>
#include <utility>

namespace adoption {

namespace asio = boost::asio;

/// `HonoursCancellation` false is the version with the mistake: nobody has thought of the cancellation slot of a handler that
/// waits.
template <bool HonoursCancellation>
class async_mutex {
 public:
  using error_code = boost::system::error_code;

  explicit async_mutex(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  async_mutex(const async_mutex&) = delete;
  async_mutex& operator=(const async_mutex&) = delete;

  /// Completes once the caller has the lock, or with operation_aborted when it was cancelled while it waited.
  template <class Token>
  auto async_lock(Token&& token) {
    return asio::async_initiate<Token, void(error_code)>(
        [](auto handler, async_mutex* self) { self->lock_for(std::move(handler)); }, token, this);
  }

  /// Hands the lock to who has waited longest.
  void unlock() {
    if (waiting_.empty()) {
      locked_ = false;
      return;
    }
    complete(waiting_.begin(), error_code());
  }

  bool locked() const noexcept { return locked_; }

 private:
  using handler_type = asio::any_completion_handler<void(error_code)>;
  using place_type = std::list<handler_type>::iterator;

  void lock_for(handler_type handler) {
    const place_type place = waiting_.insert(waiting_.end(), std::move(handler));
    if (!std::exchange(locked_, true)) return complete(place, error_code());
    if constexpr (HonoursCancellation) {
      asio::cancellation_slot slot = asio::get_associated_cancellation_slot(*place);
      if (slot.is_connected()) {
        slot.assign(
            [this, place](asio::cancellation_type) { complete(place, asio::error::operation_aborted); });
      }
    }
  }

  void complete(place_type place, error_code result) {
    handler_type handler = std::move(*place);
    waiting_.erase(place);
    asio::get_associated_cancellation_slot(handler).clear();
    asio::post(executor_, asio::append(std::move(handler), result));
  }

  asio::any_io_executor executor_;
  std::list<handler_type> waiting_;
  bool locked_ = false;
};

/// Unlocks when it goes.
template <class Mutex>
class unlocker {
 public:
  explicit unlocker(Mutex& mutex) : mutex_(mutex) {}
  unlocker(const unlocker&) = delete;
  unlocker& operator=(const unlocker&) = delete;
  ~unlocker() { mutex_.unlock(); }

 private:
  Mutex& mutex_;
};

}  // namespace adoption
