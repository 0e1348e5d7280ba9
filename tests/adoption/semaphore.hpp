// A counting semaphore for coroutines. Whoever finds no permit waits on a timer of his own that never expires.
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
#include <list>
#include <utility>

namespace adoption {

namespace asio = boost::asio;

enum class semaphore_mistake {
  none,
  /// The end of the wait is taken for the permit, whatever has ended it.
  swallows_the_cancel,
  /// Who has been given the permit, and is cancelled before he goes on, throws and keeps it.
  loses_the_permit,
};

template <semaphore_mistake Mistake>
class semaphore {
 public:
  semaphore(asio::any_io_executor executor, std::size_t permits)
      : executor_(std::move(executor)), permits_(permits) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// Ends once the caller has a permit, or throws operation_aborted, having taken none.
  asio::awaitable<void> acquire() {
    if (permits_ > 0) {
      --permits_;
      co_return;
    }
    waiter self(executor_);
    const auto place = waiting_.insert(waiting_.end(), &self);
    boost::system::error_code error;
    co_await self.turn.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (!self.has_permit) waiting_.erase(place);
    if constexpr (Mistake == semaphore_mistake::loses_the_permit) {
      const asio::cancellation_state state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) throw_cancelled();
    } else if constexpr (Mistake == semaphore_mistake::none) {
      if (!self.has_permit) throw_cancelled();
    }
  }

  void release() {
    if (waiting_.empty()) {
      ++permits_;
      return;
    }
    waiter& next = *waiting_.front();
    waiting_.pop_front();
    next.has_permit = true;
    next.turn.cancel();
  }

  std::size_t available() const noexcept { return permits_; }

 private:
  struct waiter {
    explicit waiter(const asio::any_io_executor& executor)
        : turn(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer turn;
    bool has_permit = false;
  };

  [[noreturn]] static void throw_cancelled() {
    throw boost::system::system_error(asio::error::operation_aborted);
  }

  asio::any_io_executor executor_;
  std::list<waiter*> waiting_;
  std::size_t permits_;
};

/// Releases a permit when it goes.
template <class Semaphore>
class permit {
 public:
  explicit permit(Semaphore& of) : of_(of) {}
  permit(const permit&) = delete;
  permit& operator=(const permit&) = delete;
  ~permit() { of_.release(); }

 private:
  Semaphore& of_;
};

}  // namespace adoption
