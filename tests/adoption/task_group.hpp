// A task group: a parent starts children and waits for all of them.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <exception>
#include <list>
#include <memory>
#include <utility>

namespace adoption {

namespace asio = boost::asio;

class task_group {
 public:
  explicit task_group(asio::any_io_executor executor)
      : state_(std::make_shared<state>(std::move(executor))) {}
  task_group(const task_group&) = delete;
  task_group& operator=(const task_group&) = delete;

  void spawn(asio::awaitable<void> child) {
    ++state_->running;
    asio::cancellation_signal& cancels = state_->signals.emplace_back();
    asio::co_spawn(state_->idle.get_executor(), std::move(child), child_ended(state_, cancels.slot()));
  }

  /// Ends when no child is left; throws what the first failing child threw.
  asio::awaitable<void> join() {
    while (state_->running > 0) {
      boost::system::error_code woken;
      co_await state_->idle.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      const asio::cancellation_state own = co_await asio::this_coro::cancellation_state;
      if (own.cancelled() != asio::cancellation_type::none)
        throw boost::system::system_error(asio::error::operation_aborted);
    }
    if (state_->failure) std::rethrow_exception(std::exchange(state_->failure, nullptr));
  }

  void request_cancel() {
    for (asio::cancellation_signal& one : state_->signals) one.emit(asio::cancellation_type::terminal);
  }

 private:
  struct state {
    explicit state(asio::any_io_executor executor)
        : idle(std::move(executor), asio::steady_timer::time_point::max()) {}
    asio::steady_timer idle;
    std::size_t running = 0;
    std::list<asio::cancellation_signal> signals;
    std::exception_ptr failure;
  };

  // Has no executor of its own, so that a request reaches the child at once.
  class child_ended {
   public:
    using cancellation_slot_type = asio::cancellation_slot;

    child_ended(std::shared_ptr<state> group, asio::cancellation_slot slot)
        : group_(std::move(group)), slot_(slot) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return slot_; }
    void operator()(const std::exception_ptr& failure) const {
      if (failure && !group_->failure) group_->failure = failure;
      if (--group_->running == 0) group_->idle.cancel();
    }

   private:
    std::shared_ptr<state> group_;
    asio::cancellation_slot slot_;
  };

  std::shared_ptr<state> state_;
};

/// Calls `start` with a group, and ends when every child has ended. Throws what was thrown by `start`, else by the first child that
/// failed. `WaitsWhenCancelled` false is the version with the mistake: a parent that is cancelled leaves its children behind.
template <bool WaitsWhenCancelled, class Start>
asio::awaitable<void> with_group(Start start) {
  task_group group(co_await asio::this_coro::executor);
  if constexpr (WaitsWhenCancelled) {
    std::exception_ptr failure;
    try {
      start(group);
      co_await group.join();
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    group.request_cancel();
    try {
      co_await group.join();
    } catch (...) {
      // A child that was cancelled, as a rule: what went wrong first is what is told.
    }
    co_await asio::this_coro::reset_cancellation_state(asio::enable_terminal_cancellation());
    std::rethrow_exception(failure);
  } else {
    start(group);
    co_await group.join();
  }
}

}  // namespace adoption
