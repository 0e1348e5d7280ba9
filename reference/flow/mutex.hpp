// A mutex between coroutines of one thread or strand (clauses MTX-1 to MTX-12 of the standard).
//
//     mutex door;
//     co_await door.run(transfer(from, to));         // alone; the mutex is free again in every case
//     const mutex::guard locked = co_await door.lock();  // the same by hand, until `locked` goes
//
//     mutex::owner me;                               // who has a name is told when he is wrong
//     co_await door.lock_as(me);  ...  door.unlock_as(me);
//
// Promises
// - At most one holds it. unlock() gives it to whoever has waited longest, and no newcomer gets in between
//   (MTX-1, MTX-6); the more urgent come first, if anybody says so (MTX-11).
// - A call that did not end with the mutex took nothing. One that meets its cancellation or its deadline when
//   it was served has it: take it as a guard, which unlocks if the next co_await throws (MTX-2).
// - Nobody continues inside the call that served him.
// - It is not re-entrant. Only an owner can be told so (MTX-5): without a name, to lock it twice is to wait
//   for oneself. So do not hold it across calls into code that you do not know (MTX-7).
// - Parking does not allocate a node; every call is O(1) for each waiter that it serves or sends away.
//
// Only one thread at a time may use a mutex. It outlives the calls that are under way; guards and owners may
// outlive it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/parked_waiter.hpp>
#include <assay/reference/core/permit_line.hpp>

namespace assay::reference {

/// How long to wait, and how urgently: the larger the number, the more urgent.
struct lock_request {
  time_point deadline = no_deadline;
  std::int64_t priority = 0;
};

class mutex {
  // What guards and owners share with the mutex.
  struct state {
    permit_line line{1};
    waiter_list<waiter> watchers;  // those of wait_unlocked

    bool is_locked() const noexcept { return line.in_use() > 0; }
    bool is_held_by(const void* who) const noexcept { return is_locked() && line.latest() == who; }
    void unlock() noexcept {
      line.give_back(1);
      if (!is_locked()) wake_watchers();
    }
    void break_off() noexcept {
      line.break_off();
      wake_watchers();
    }
    void wake_watchers() noexcept {
      while (!watchers.empty()) watchers.front().wake();
    }
  };

  // What an owner shares with his calls, one of which may outlive him and never end.
  struct name {
    std::shared_ptr<state> of;  // the mutex that he holds or waits for
  };

 public:
  mutex() : state_(std::make_shared<state>()) {}
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

  /// Nobody may be parked: a contract violation. If the handler returns, or the whole execution
  /// context is being destroyed, those who are parked are let go.
  ~mutex() {
    if (state_->line.abandoned() || state_->watchers.abandoned())
      contract_violation("mutex destroyed while somebody waits for it");
  }

  /// Holds the mutex until it goes (MTX-4). One that was moved from, or is made without, holds nothing.
  class guard {
   public:
    guard() = default;
    guard(guard&& other) noexcept = default;
    guard& operator=(guard&& other) noexcept {
      if (this == &other) return *this;
      unlock();
      of_ = std::move(other.of_);
      return *this;
    }
    ~guard() { unlock(); }

    /// Unlocks now. Harmless if it holds nothing.
    void unlock() noexcept {
      if (of_) std::exchange(of_, nullptr)->unlock();
    }
    explicit operator bool() const noexcept { return of_ != nullptr; }

   private:
    friend mutex;
    explicit guard(std::shared_ptr<state> of) noexcept : of_(std::move(of)) {}

    std::shared_ptr<state> of_;
  };

  /// Who locks by name. He ends as his task does: if he holds a mutex then, whoever waits for it, or asks for
  /// it later, is told that it is broken (MTX-8).
  class owner {
   public:
    owner() = default;
    owner(const owner&) = delete;
    owner& operator=(const owner&) = delete;
    ~owner() {
      if (name_->of && name_->of->is_held_by(name_.get())) name_->of->break_off();
    }

   private:
    friend mutex;
    std::shared_ptr<name> name_ = std::make_shared<name>();
  };

  /// Locks the mutex, and waits in line for it.
  ///
  /// Outcomes: a guard that holds it. Or thrown is `refused`: dismissed (MTX-9); `broken` (MTX-8);
  /// `timed_out`; or the cancelled outcome. With the mutex free, a deadline in the past does not matter.
  /// Cancellation: terminal, partial and total; a cancelled call did not happen (MTX-2). Refused at once in a
  /// cancelled scope.
  [[nodiscard]] boost::asio::awaitable<guard> lock(lock_request how = {}) {
    const std::shared_ptr<state> here = state_;
    co_await acquire(how);
    co_return guard(here);
  }

  /// As lock, without a guard: somebody calls unlock().
  [[nodiscard]] boost::asio::awaitable<void> acquire(lock_request how = {}) {
    return state_->line.acquire({.priority = how.priority, .deadline = how.deadline});
  }

  /// Locks it if it is free, which it never is beside somebody who waits (MTX-6). False: it is not.
  [[nodiscard]] bool try_acquire() noexcept { return state_->line.take({}); }
  /// The same with a guard, which holds nothing if the mutex was not free.
  [[nodiscard]] guard try_lock() noexcept { return try_acquire() ? guard(state_) : guard(); }

  /// Ends a hold without a guard or a name, and serves who has waited longest. Throws std::logic_error if
  /// nobody holds the mutex, or an owner does (MTX-3); then nothing has happened.
  void unlock() {
    if (!is_locked()) throw std::logic_error("mutex::unlock of a mutex that nobody holds");
    if (state_->line.latest()) throw std::logic_error("mutex::unlock of a mutex that an owner holds");
    state_->unlock();
  }

  /// As acquire. Throws std::logic_error if this owner holds it already, or waits (MTX-5).
  [[nodiscard]] boost::asio::awaitable<void> lock_as(owner& who, lock_request how = {}) {
    if (who.name_->of)
      throw std::logic_error("mutex::lock_as by an owner who holds a mutex, or waits for one");
    attempt mine(who.name_, state_);
    co_await state_->line.acquire(
        {.priority = how.priority, .deadline = how.deadline, .who = who.name_.get()});
    mine.succeed();
  }

  /// Throws std::logic_error if it is not this owner who holds the mutex (MTX-3).
  void unlock_as(owner& who) {
    if (!is_held_by(who)) throw std::logic_error("mutex::unlock_as by somebody who does not hold it");
    who.name_->of.reset();
    state_->unlock();
  }

  /// Does `work` with the mutex, which is free again when it has ended, whichever way (MTX-4).
  ///
  /// Outcomes: that of `work`; or those of lock, and `work` is never begun.
  template <class T>
  [[nodiscard]] boost::asio::awaitable<T> run(boost::asio::awaitable<T> work, lock_request how = {}) {
    const guard held = co_await lock(how);
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
    } else {
      co_return co_await std::move(work);
    }
  }

  /// Waits until nobody holds the mutex, and takes nothing (MTX-10): until the caller suspends, it is free.
  /// Whoever locks it again and again may keep this waiting.
  ///
  /// Outcomes, cancellation: as lock.
  [[nodiscard]] boost::asio::awaitable<void> wait_unlocked(time_point deadline = no_deadline) {
    const std::shared_ptr<state> here = state_;
    const auto executor = co_await boost::asio::this_coro::executor;
    while (true) {
      check_cancelled(co_await boost::asio::this_coro::cancellation_state);
      if (here->line.is_closed()) throw broken();
      if (!here->is_locked()) co_return;
      waiter self(executor, deadline);
      co_await park(here->watchers, self);
      const park_result result = self.result();
      if (result == park_result::cancelled) throw_cancelled();
      if (result == park_result::expired) throw timed_out();
    }
  }

  /// Whoever waits for the lock now is refused as dismissed, once; who holds it keeps it (MTX-9).
  void cancel_all() noexcept { state_->line.dismiss(); }

  /// Also while it is handed over (MTX-12).
  bool is_locked() const noexcept { return state_->is_locked(); }
  /// Whether this owner holds it, from the moment on in which it was given to him (MTX-12).
  bool is_held_by(const owner& who) const noexcept { return state_->is_held_by(who.name_.get()); }
  /// Whether this guard holds it: this mutex, and no other.
  bool is_held_by(const guard& one) const noexcept { return one.of_ == state_; }
  /// How many are parked for the lock.
  std::size_t waiting() const noexcept { return state_->line.waiting(); }

 private:
  // Who did not get the mutex holds nothing.
  class attempt {
   public:
    attempt(std::shared_ptr<name> who, const std::shared_ptr<state>& of) : who_(std::move(who)) {
      who_->of = of;
    }
    attempt(const attempt&) = delete;
    attempt& operator=(const attempt&) = delete;
    ~attempt() {
      if (who_) who_->of.reset();
    }
    void succeed() noexcept { who_.reset(); }

   private:
    std::shared_ptr<name> who_;
  };

  std::shared_ptr<state> state_;
};

}  // namespace assay::reference
