// Events between coroutines of one thread or strand (clauses EVT-1 to EVT-9 of the standard).
//
//     event ready;                   // stays set until it is cleared
//     co_await ready.wait();         // at once if it is set
//     ready.set();                   // frees everybody who waits, and whoever comes later
//     latch stopping;                // as an event, and nobody can clear it: for shutdown (EVT-6)
//     auto_reset_event work;         // each set() frees one who waits, or the next who comes (EVT-8)
//
// Promises
// - A waiter is freed by set() itself, not by the flag: a clear() that follows at once takes nothing back (EVT-1).
// - A wait that ends as cancelled or timed out took part in nothing: no entry is left, and no set() is used up (EVT-3,
//   EVT-7). One that meets its cancellation or its deadline when it was freed already ends as freed.
// - Those who wait on an auto-reset event are freed in the order in which they parked.
// - Who is freed continues in a later turn, never inside the call that freed him.
// - Parking does not allocate a node. Every call is O(1) but those that free everybody.
//
// Only one thread at a time may use an event. Another thread takes a `remote_setter`.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <memory>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/parked_waiter.hpp>

namespace assay::reference {

/// How an event ceases to be set.
enum class reset { by_hand, automatic, never };

template <reset Reset>
class basic_event {
 public:
  basic_event() = default;
  basic_event(const basic_event&) = delete;
  basic_event& operator=(const basic_event&) = delete;

  /// Nobody may be parked: a contract violation. If the handler returns, or the whole execution context is
  /// being destroyed, those who are parked are let go. What remote setters have posted does nothing any more.
  ~basic_event() {
    if (waiters_.abandoned()) contract_violation("event destroyed while somebody waits on it");
    if (self_) *self_ = nullptr;
  }

  /// Waits until the event is set, as long as it takes. On an auto-reset event this uses the set() up.
  ///
  /// Outcomes: freed, or the cancelled outcome.
  /// Cancellation: terminal, partial and total; a cancelled wait did not happen. Refused at once in a cancelled scope,
  /// even beside a set event.
  /// Lifetime: the event outlives the call.
  [[nodiscard]] boost::asio::awaitable<void> wait() { return wait_until(no_deadline); }

  /// As wait; throws `timed_out` when `deadline` passes first (EVT-7). On a set event, a deadline in the past does not
  /// matter.
  [[nodiscard]] boost::asio::awaitable<void> wait_until(time_point deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (set_) {
      if (Reset == reset::automatic) set_ = false;
      co_return;
    }
    waiter self(co_await boost::asio::this_coro::executor, deadline);
    co_await park(waiters_, self);
    const park_result result = self.result();
    if (result == park_result::cancelled) throw_cancelled();
    if (result == park_result::expired) throw timed_out();
  }

  /// Sets the event, and frees everybody who waits; an auto-reset event frees one, or else is set for the next, once
  /// (EVT-8). Idempotent. Does not suspend, throw or allocate.
  void set() noexcept {
    if (Reset == reset::automatic && !waiters_.empty()) return waiters_.front().wake();
    set_ = true;
    free_all();
  }

  /// From now on a wait waits for the next set(). Who was freed before stays freed.
  void clear() noexcept
    requires(Reset != reset::never)
  {
    set_ = false;
  }

  /// Frees everybody who waits, and nobody else: it neither sets the event nor clears it (EVT-9).
  void broadcast() noexcept
    requires(Reset == reset::automatic)
  {
    free_all();
  }

  bool is_set() const noexcept { return set_; }
  /// How many are parked.
  std::size_t waiting() const noexcept { return waiters_.size(); }

  /// Sets an event from any thread (EVT-5). Copies may be kept and called by several threads, also when the event is
  /// gone.
  class remote_setter {
   public:
    /// Has set() called on the executor, in a later turn, which an idle event loop wakes for. Not for the handler of
    /// a raw signal, where nothing may allocate or lock: there, wait on a boost::asio::signal_set and call set().
    void operator()() const {
      boost::asio::post(executor_, [target = target_] {
        if (*target) (*target)->set();
      });
    }

   private:
    friend basic_event;
    remote_setter(boost::asio::any_io_executor executor, std::shared_ptr<basic_event*> target)
        : executor_(std::move(executor)), target_(std::move(target)) {}

    boost::asio::any_io_executor executor_;
    std::shared_ptr<basic_event*> target_;  // what it points to is looked at on the executor alone
  };

  /// Made on the event's own thread. `executor` is that on which the event is used: a strand, if several threads run
  /// the loop.
  remote_setter make_remote_setter(boost::asio::any_io_executor executor) {
    if (!self_) self_ = std::make_shared<basic_event*>(this);
    return remote_setter(std::move(executor), self_);
  }

 private:
  // Nobody is parked beside a set event.

  void free_all() noexcept {
    while (!waiters_.empty()) waiters_.front().wake();
  }

  bool set_ = false;
  waiter_list<waiter> waiters_;
  std::shared_ptr<basic_event*> self_;  // none until somebody wants to set it from elsewhere
};

using event = basic_event<reset::by_hand>;
using latch = basic_event<reset::never>;
using auto_reset_event = basic_event<reset::automatic>;

}  // namespace assay::reference
