// A coroutine that waits until a primitive (queue, group, ...) decides what becomes of it.
//
// The primitive derives its own node from `waiter`, with room for what is to be handed over, and keeps a
// `waiter_list` of them. The node lives in the frame of the waiting coroutine: parking allocates no node, and
// whichever way the frame ends, the node has left the list. In the waiting coroutine:
//
//     popper self(co_await asio::this_coro::executor, deadline);   // see deadline.hpp
//     co_await park(poppers_, self);
//     const park_result result = self.result();
//
// and in the primitive, at the commit point: write the outcome into `poppers_.front()`, then `wake()` it.
//
// Promises
// - One commit point. A waiter that was woken reports `woken`, whatever else happened in the same turn:
//   cancellation, expiry, both (X-3: delivery wins). One that was not woken took part in nothing.
// - A waiter whose cancellation or expiry is under way stays in its place until it runs again; a delivery
//   until then wins.
// - `wake` resumes nobody inside the call: the continuation is posted. It does not throw and does not
//   allocate.
// - A woken waiter never touches its primitive again, so the primitive may be destroyed right after waking
//   everybody.
// - If the list goes first, its waiters are let go: they stay suspended and are freed with their execution
//   context.
//
// Scope: everything here runs on one thread or strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <concepts>
#include <cstddef>
#include <optional>

#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>

namespace assay::reference {

enum class park_result {
  woken,      ///< The primitive decided; the outcome stands in the node.
  cancelled,  ///< A cancellation request ended the wait; nothing happened.
  expired,    ///< The deadline passed; nothing happened.
};

class waiter;

/// The part of a waiter list that does not depend on the type of its nodes.
class waiter_list_base {
 public:
  waiter_list_base() = default;
  waiter_list_base(const waiter_list_base&) = delete;
  waiter_list_base& operator=(const waiter_list_base&) = delete;
  ~waiter_list_base();

  bool empty() const noexcept { return size_ == 0; }
  std::size_t size() const noexcept { return size_; }

  /// Somebody is parked here, and not merely because their execution context is going away.
  bool abandoned() const noexcept;

 private:
  friend class waiter;
  friend boost::asio::awaitable<void> park(waiter_list_base& list, waiter& self, waiter* before);

  // Before the first one parks: looking for a service of the context takes as long as half of a wait.
  void watch(const boost::asio::any_io_executor& executor) {
    if (!watch_ || watch_->shutting_down()) watch_.emplace(executor);
  }

  waiter* first_ = nullptr;
  waiter* last_ = nullptr;
  std::size_t size_ = 0;
  std::optional<shutdown_watch> watch_;  // on the context of whoever parked here first

 protected:
  waiter* first() const noexcept { return first_; }
  waiter* last() const noexcept { return last_; }
  static waiter* next(const waiter& one) noexcept;
  static waiter* previous(const waiter& one) noexcept;
};

/// A place in a list for as long as it is parked. Derive, add the outcome, keep it in the frame that waits.
class waiter {
 public:
  /// `executor` is that of the waiting coroutine; `deadline` is a point in time of the monotonic clock.
  explicit waiter(const boost::asio::any_io_executor& executor, time_point deadline = no_deadline)
      : timer_(executor, deadline) {}
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() { unlink(); }

  /// Takes the waiter out of its list and lets its coroutine continue in a later turn. O(1).
  void wake() noexcept {
    unlink();
    woken_ = true;
    timer_.cancel();
  }

  /// What became of the wait, once it is over. Who was not woken leaves the list here.
  park_result result() noexcept {
    // The timer's error says only why the wait ended when nobody woke the waiter: a timer that was due already
    // reports success although it was cancelled to wake it.
    if (woken_) return park_result::woken;
    unlink();
    return ended_ ? park_result::cancelled : park_result::expired;
  }

 private:
  friend class waiter_list_base;
  friend boost::asio::awaitable<void> park(waiter_list_base& list, waiter& self, waiter* before);

  void link(waiter_list_base& list, waiter* before) noexcept {
    list_ = &list;
    next_ = before;
    previous_ = before ? before->previous_ : list.last_;
    (previous_ ? previous_->next_ : list.first_) = this;
    (next_ ? next_->previous_ : list.last_) = this;
    ++list.size_;
  }

  void unlink() noexcept {
    if (!list_) return;
    (previous_ ? previous_->next_ : list_->first_) = next_;
    (next_ ? next_->previous_ : list_->last_) = previous_;
    --list_->size_;
    list_ = nullptr;
    previous_ = next_ = nullptr;
  }

  waiter_list_base* list_ = nullptr;
  waiter* previous_ = nullptr;
  waiter* next_ = nullptr;
  bool woken_ = false;
  boost::asio::steady_timer timer_;
  boost::system::error_code ended_;
};

inline waiter_list_base::~waiter_list_base() {
  while (first_) first_->unlink();
}

inline waiter* waiter_list_base::next(const waiter& one) noexcept { return one.next_; }
inline waiter* waiter_list_base::previous(const waiter& one) noexcept { return one.previous_; }

inline bool waiter_list_base::abandoned() const noexcept { return first_ && !watch_->shutting_down(); }

/// Waiters in the order in which they parked, but for those who said before whom they do. Linking and
/// unlinking are O(1).
template <std::derived_from<waiter> Node>
class waiter_list : public waiter_list_base {
 public:
  /// The waiter that parked first. The list must not be empty.
  Node& front() const noexcept { return static_cast<Node&>(*first()); }

  // For a walk along the list, from either end: null is beyond the end.
  Node* first() const noexcept { return static_cast<Node*>(waiter_list_base::first()); }
  Node* last() const noexcept { return static_cast<Node*>(waiter_list_base::last()); }
  Node* next(const Node& one) const noexcept { return static_cast<Node*>(waiter_list_base::next(one)); }
  Node* previous(const Node& one) const noexcept {
    return static_cast<Node*>(waiter_list_base::previous(one));
  }
};

/// Parks `self` at the end of `list`, or before somebody who is parked there, until it is woken, cancelled,
/// or its deadline passes. What it was, `self.result()` says.
///
/// Await it at once: it is parked when this returns. It is no coroutine, which would be a frame more for every wait.
/// Cancellation: every type that the caller's scope lets through ends the wait (total: nothing happened). It
/// is reported as a result, not thrown, for the primitive to say what it means.
/// Lifetime: `self` outlives the wait; `list` may be destroyed while somebody is parked, see above.
[[nodiscard]] inline boost::asio::awaitable<void> park(waiter_list_base& list, waiter& self,
                                                       waiter* before = nullptr) {
  list.watch(self.timer_.get_executor());
  self.link(list, before);
  return self.timer_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, self.ended_));
}

}  // namespace assay::reference
