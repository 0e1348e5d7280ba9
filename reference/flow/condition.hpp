// A condition variable between coroutines of one thread or strand (clauses CND-1 to CND-10 of the standard).
//
//     mutex door;
//     condition changed(door);
//
//     mutex::guard held = co_await door.lock();
//     co_await changed.wait(held, [&] { return !jobs.empty(); });  // with `held` in every case, also if it throws
//
//     jobs.push_back(job);
//     changed.notify_one();                                        // with the mutex or without it
//
// Promises
// - wait gives the mutex away and parks in one step: no notification that comes after that is missed (CND-1).
// - Whichever way a wait ends, notified, cancelled or timed out, the guard holds the mutex again (CND-2). To get it back is
//   shielded, and takes as long as others hold it, or as long as the wait says (CND-10): that is the one way in which a wait
//   can end without the mutex, and then the guard is empty.
// - A notification wakes one of those who are parked, the one who has waited longest, and is for nobody else: nothing is
//   remembered (CND-3, CND-6, CND-8), and no wait ends without one. Who was notified reports it, whatever else happened in
//   the same turn (CND-4); the request shows at the caller's next suspension.
// - Nobody continues inside the call that notified him.
//
// Who was notified stands in line for the mutex like everybody else, and somebody may have it before: so what was waited
// for may not be so any more. Wait for a predicate (CND-5). One notification for several waiters whose predicates differ may
// reach one who has no use for it: notify all of them.
//
// Only one thread at a time may use a condition. The mutex outlives it, and the waits that are under way.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <concepts>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/parked_waiter.hpp>
#include <assay/reference/flow/mutex.hpp>

namespace assay::reference {

/// How long a wait waits.
struct condition_wait {
  time_point deadline = no_deadline;  ///< for the notification
  duration reacquire_within =
      no_limit;  ///< for the mutex then (X-11), from the moment in which the wait has ended
};

class condition {
 public:
  explicit condition(mutex& door) : door_(door) {}
  condition(const condition&) = delete;
  condition& operator=(const condition&) = delete;

  /// Nobody may be parked: a contract violation. Who was notified is not: the condition may go right after
  /// notify_all, if nobody waits for a predicate that does not hold. If the handler returns, or the whole
  /// execution context is being destroyed, those who are parked are let go.
  ~condition() {
    if (parked_->abandoned()) contract_violation("condition destroyed while somebody waits for it");
  }

  /// Gives the mutex away that `held` holds, waits to be notified, and takes it again.
  ///
  /// Outcomes: it was notified. Or thrown is `timed_out`, or the cancelled outcome, and `held` holds the mutex in any case;
  /// or `broken`: it could not be had again, `held` is empty, and the next who waits was notified instead, if somebody was.
  /// Throws std::logic_error if `held` does not hold this condition's mutex (CND-7); then nothing has happened.
  /// Cancellation: terminal, partial and total, until it is notified. Refused at once in a cancelled scope, and the mutex
  /// is not given away then.
  /// Lifetime: `held` outlives the wait.
  [[nodiscard]] boost::asio::awaitable<void> wait(mutex::guard& held, condition_wait how = {}) {
    if (!door_.is_held_by(held))
      throw std::logic_error("condition::wait by somebody who does not hold the mutex");
    co_await scope(wait_in_line(parked_, door_, held, how));
  }

  /// Waits until the predicate holds, which is asked with the mutex alone, and at once (CND-5). Who is notified in vain waits
  /// on, until the same deadline; when that has passed, the predicate is asked once more.
  ///
  /// Outcomes: what the predicate said: something that is true (CND-9). Or as above, or what the predicate throws, and then
  /// `held` holds the mutex.
  template <std::invocable Predicate>
  [[nodiscard]] boost::asio::awaitable<std::decay_t<std::invoke_result_t<Predicate&>>> wait(
      mutex::guard& held, Predicate holds, condition_wait how = {}) {
    bool expired = false;
    while (true) {
      auto value = std::invoke(holds);
      if (static_cast<bool>(value)) co_return value;
      if (expired) throw timed_out();
      try {
        co_await wait(held, how);
      } catch (const timed_out&) {
        expired = true;
      }
    }
  }

  /// Wakes whoever has waited longest; nobody, if nobody is parked (CND-3).
  void notify_one() noexcept { notify(1); }
  /// Wakes the first `count` of those who are parked, or all of them if they are fewer (CND-8).
  void notify(std::size_t count) noexcept { notify(*parked_, count); }
  /// Wakes everybody who is parked now (CND-6).
  void notify_all() noexcept { notify(parked_->size()); }

  /// How many wait to be notified.
  std::size_t waiting() const noexcept { return parked_->size(); }

 private:
  using line = waiter_list<waiter>;

  static void notify(line& parked, std::size_t count) noexcept {
    for (; count > 0 && !parked.empty(); --count) parked.front().wake();
  }

  static boost::asio::awaitable<void> wait_in_line(std::shared_ptr<line> parked, mutex& door,
                                                   mutex::guard& held, condition_wait how);
  static boost::asio::awaitable<mutex::guard> lock_again(mutex& door, time_point deadline);

  mutex& door_;
  std::shared_ptr<line> parked_ =
      std::make_shared<line>();  // shared with those who may have to notify another
};

// Runs in a scope of its own: there a request can be held.
inline boost::asio::awaitable<void> condition::wait_in_line(std::shared_ptr<line> parked, mutex& door,
                                                            mutex::guard& held, condition_wait how) {
  waiter self(co_await boost::asio::this_coro::executor, how.deadline);
  park_result result = park_result::cancelled;
  std::exception_ptr failure;
  try {
    auto parking = park(*parked, self);
    held.unlock();  // CND-1: whoever has it now continues in a later turn
    co_await std::move(parking);
    result = self.result();
  } catch (...) {
    failure = std::current_exception();
    (void)self.result();  // it leaves the line
  }
  co_await hold_requests;
  try {
    held = door.try_lock();
    if (!held) held = co_await shield(lock_again(door, deadline_after(how.reacquire_within)));  // CND-2
  } catch (...) {
    failure = std::current_exception();
    if (result == park_result::woken) notify(*parked, 1);  // CND-10
  }
  if (failure) std::rethrow_exception(failure);
  if (result == park_result::cancelled) throw_cancelled();
  if (result == park_result::expired) throw timed_out();
}

// A wait that was sent away from the mutex by cancel_all comes again: it has to return with it.
inline boost::asio::awaitable<mutex::guard> condition::lock_again(mutex& door, time_point deadline) {
  const lock_request how{.deadline = deadline};
  while (true) {
    try {
      co_return co_await door.lock(how);
    } catch (const timed_out&) {
      throw broken();
    } catch (const refused&) {
      continue;
    }
  }
}

}  // namespace assay::reference
