// A bounded queue between coroutines of one thread or strand (clauses BQ-1 to BQ-19 of the standard).
//
//     bounded_queue<job> jobs(16);
//     co_await jobs.push(next);            // waits while the queue is full; takes `next` only if it succeeds
//     job mine = co_await jobs.pop();      // waits while the queue is empty
//     jobs.done();                         // for those who join()
//
// Promises
// - First in, first out; waiters of one kind are served in the order in which they parked, and no newcomer
//   overtakes them (BQ-2, BQ-3). Whoever can go on has been told so: a push never waits beside a free place,
//   nor a pop beside an item (BQ-4).
// - The queue takes an item at the moment the push succeeds. After any other outcome (closed, cancelled,
//   timed out, out of memory) the caller's item is as it was: that is how a refused item is handed back
//   (BQ-6, BQ-10).
// - A pop that meets a cancellation or its deadline when an item was assigned to it already returns the item
//   . The caller's next co_await reports the request, so put the item under a guard first.
// - A parked pusher or popper continues in a later turn, never inside the call that made it possible.
// - Parking does not allocate a node; every operation is O(1), close and close_now O(what they release).
//
// Capacity 0 is a rendezvous: a push completes when its item is taken. A negative capacity is refused (BQ-5).
// Only one thread at a time may use a queue, as with every object of Asio.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <deque>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/parked_waiter.hpp>

namespace assay::reference {

/// One consistent look at a queue.
struct queue_statistics {
  std::size_t capacity = 0;
  std::size_t size = 0;  ///< Items buffered now.
  std::size_t size_peak =
      0;  ///< Most items ever buffered at once; above the capacity only because of hand-backs.
  std::size_t unfinished = 0;  ///< Items buffered or in hand, that is, pushed but neither done nor removed.
  std::size_t parked_pushers = 0;
  std::size_t parked_poppers = 0;
  std::size_t parked_joiners = 0;
  bool is_closed = false;
};

template <class T>
class bounded_queue {
  static_assert(std::is_nothrow_move_constructible_v<T>,
                "an item must survive every move, or it could get lost");

 public:
  /// Throws std::invalid_argument if `capacity` is negative (BQ-5).
  explicit bounded_queue(std::ptrdiff_t capacity) : capacity_(checked(capacity)) {}

  bounded_queue(const bounded_queue&) = delete;
  bounded_queue& operator=(const bounded_queue&) = delete;

  /// Nobody may be parked: a contract violation. If the handler returns, or the whole execution
  /// context is being destroyed, those who are parked are let go.
  ~bounded_queue() {
    if (pushers_.abandoned() || poppers_.abandoned() || joiners_.abandoned())
      contract_violation("bounded_queue destroyed while somebody waits on it");
  }

  /// Appends `item`, and waits for room as long as it takes.
  ///
  /// Outcomes: the item is moved into the queue; or `closed` is thrown (BQ-10), or the cancelled outcome;
  /// then it is untouched.
  /// Cancellation: terminal, partial and total; a cancelled push did not happen. Refused at once in a
  /// cancelled scope.
  /// Lifetime: `item` and the queue outlive the call.
  [[nodiscard]] boost::asio::awaitable<void> push(T& item) { return push_until(item, no_deadline); }

  /// As push; throws `timed_out` when `deadline` passes first, and then the item is untouched (BQ-8). With
  /// room, a deadline in the past does not matter.
  [[nodiscard]] boost::asio::awaitable<void> push_until(T& item, time_point deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (try_push(item)) co_return;
    pusher self(co_await boost::asio::this_coro::executor, deadline, item);
    co_await park(pushers_, self);
    const park_result result = self.result();
    if (result == park_result::woken && self.committed) co_return;
    fail(result);
  }

  /// Appends `item` if that needs no waiting, and says whether it did; if not, the item is untouched. Throws
  /// `closed`.
  [[nodiscard]] bool try_push(T& item) {
    if (closed_) throw closed();
    if (!poppers_.empty()) {
      hand_over(std::move(item));
      return true;
    }
    if (buffer_.size() >= capacity_) return false;  // BQ-1; below it nobody is parked before us (BQ-3)
    buffer_.push_back(std::move(item));
    note_peak();
    return true;
  }

  /// Takes the oldest item, and waits for one as long as it takes. The item is then "in hand" until done() or
  /// unpop().
  ///
  /// Outcomes: the item; or `closed` is thrown once the queue is closed and empty (BQ-11); or the cancelled
  /// outcome.
  /// Cancellation: terminal, partial and total; a cancelled pop took nothing (BQ-7). Refused at once in a
  /// cancelled scope, even beside an item.
  [[nodiscard]] boost::asio::awaitable<T> pop() { return pop_until(no_deadline); }

  /// As pop; throws `timed_out` when `deadline` passes first, and then it took nothing (BQ-8). If there is an
  /// item, a deadline in the past does not matter.
  [[nodiscard]] boost::asio::awaitable<T> pop_until(time_point deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    std::optional<T> taken = try_pop();
    if (taken) co_return std::move(*taken);
    popper self(co_await boost::asio::this_coro::executor, deadline);
    co_await park(poppers_, self);
    const park_result result = self.result();
    if (result == park_result::woken && self.item) co_return std::move(*self.item);
    fail(result);
  }

  /// Takes the oldest item if there is one. Throws `closed` if the queue is closed and empty.
  [[nodiscard]] std::optional<T> try_pop() {
    std::optional<T> taken;
    if (buffer_.empty()) {
      if (!pushers_.empty()) {  // only with capacity 0
        taken.emplace(commit_front_pusher());
      } else if (closed_) {
        throw closed();
      } else {
        return taken;
      }
    } else {
      // The pusher's item goes in before ours comes out: if memory is short, nothing has happened.
      if (!pushers_.empty() && buffer_.size() <= capacity_) admit_front_pusher();
      taken.emplace(std::move(buffer_.front()));
      buffer_.pop_front();
    }
    ++in_hand_;
    return taken;
  }

  /// Hands back an item that was popped: it becomes the oldest one again, or goes to the first parked popper.
  /// Never waits, may exceed the capacity (BQ-9), works on a closed queue too. It was unfinished and stays
  /// so: joiners never see the count change (BQ-15). Nothing in hand: a contract violation. Out of memory
  /// terminates: the item would have no place left.
  void unpop(T item) noexcept {
    if (in_hand_ == 0) contract_violation("bounded_queue::unpop of an item that is not in hand");
    if (!poppers_.empty()) {
      popper& first = poppers_.front();
      first.item.emplace(std::move(item));
      first.wake();
      return;  // from one hand into another
    }
    buffer_.push_front(std::move(item));
    note_peak();
    if (in_hand_ != 0) --in_hand_;
  }

  /// Ends pushing: new and parked pushes fail with `closed`, their items untouched (BQ-10); what is buffered
  /// can still be popped, and then pops fail with `closed` (BQ-11). Idempotent; wakes in the order of parking
  /// (BQ-13).
  void close() noexcept {
    closed_ = true;
    wake_all(pushers_);
    wake_all(poppers_);  // whoever is parked here found no item
  }

  /// Closes and empties the queue. Returns the items that were buffered, oldest first, for the caller to
  /// account for; they no longer count as unfinished (BQ-12, BQ-16). Those in hand still do.
  [[nodiscard]] std::deque<T> close_now() {
    close();
    std::deque<T> removed;
    removed.swap(buffer_);
    wake_joiners_if_finished();
    return removed;
  }

  /// Takes the oldest buffered item out by policy, not to be worked on: it no longer counts as unfinished (BQ-16). A
  /// parked pusher gets its place. Nothing buffered: an empty optional.
  [[nodiscard]] std::optional<T> remove_oldest() {
    std::optional<T> removed;
    if (buffer_.empty()) return removed;
    if (!pushers_.empty() && buffer_.size() <= capacity_) admit_front_pusher();
    removed.emplace(std::move(buffer_.front()));
    buffer_.pop_front();
    wake_joiners_if_finished();
    return removed;
  }

  /// As remove_oldest, from the other end.
  [[nodiscard]] std::optional<T> remove_newest() {
    std::optional<T> removed;
    if (buffer_.empty()) return removed;
    removed.emplace(std::move(buffer_.back()));
    buffer_.pop_back();
    if (!pushers_.empty() && buffer_.size() < capacity_) admit_front_pusher();
    wake_joiners_if_finished();
    return removed;
  }

  /// As try_push, but without room the oldest buffered item gives way, and is returned: it no longer counts as unfinished.
  /// For queues with a capacity above 0 into which nobody waits to push.
  [[nodiscard]] std::optional<T> push_over(T& item) {
    std::optional<T> removed;
    if (try_push(item)) return removed;
    buffer_.push_back(std::move(item));  // first: if memory is short, nothing has happened
    removed.emplace(std::move(buffer_.front()));
    buffer_.pop_front();
    return removed;
  }

  /// Puts `item` in the place of the oldest buffered one for which `same` holds, and returns that one, which no longer
  /// counts as unfinished. If there is none, an empty optional, and `item` is untouched. O(size).
  template <class Same>
  [[nodiscard]] std::optional<T> replace_if(T& item, Same same) {
    std::optional<T> removed;
    const auto found = std::find_if(buffer_.begin(), buffer_.end(), same);
    if (found == buffer_.end()) return removed;
    removed.emplace(std::exchange(*found, std::move(item)));
    return removed;
  }

  /// Whether `is_it` holds for a buffered item. O(size).
  template <class IsIt>
  [[nodiscard]] bool contains_if(IsIt is_it) const {
    return std::any_of(buffer_.begin(), buffer_.end(), is_it);
  }

  /// Says that one item in hand is settled for good. Throws std::logic_error if none is in hand (BQ-15).
  void done() {
    if (in_hand_ == 0) throw std::logic_error("bounded_queue::done without an item in hand");
    --in_hand_;
    wake_joiners_if_finished();
  }

  /// Waits until no item is unfinished (BQ-14). On a queue that nobody has used yet it completes at once: it
  /// says that all that was pushed so far is done, not that all that will be produced is (BQ-17). Close the
  /// queue, or join its producers, first.
  ///
  /// Cancellation: as pop.
  [[nodiscard]] boost::asio::awaitable<void> join() {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (unfinished() == 0) co_return;
    waiter self(co_await boost::asio::this_coro::executor);
    co_await park(joiners_, self);
    const park_result result = self.result();
    if (result != park_result::woken) throw_cancelled();
  }

  std::size_t capacity() const noexcept { return capacity_; }
  std::size_t size() const noexcept { return buffer_.size(); }
  std::size_t unfinished() const noexcept { return buffer_.size() + in_hand_; }
  bool is_closed() const noexcept { return closed_; }

  /// BQ-19.
  queue_statistics statistics() const noexcept {
    queue_statistics now;
    now.capacity = capacity_;
    now.size = buffer_.size();
    now.size_peak = size_peak_;
    now.unfinished = unfinished();
    now.parked_pushers = pushers_.size();
    now.parked_poppers = poppers_.size();
    now.parked_joiners = joiners_.size();
    now.is_closed = closed_;
    return now;
  }

 private:
  // Parked pushers mean that the buffer is full, parked poppers that it is empty; never both. Whoever changes
  // the buffer restores that before it returns.

  struct pusher : waiter {
    pusher(const boost::asio::any_io_executor& executor, time_point deadline, T& offered)
        : waiter(executor, deadline), item(&offered) {}

    T* item;
    bool committed = false;
  };

  struct popper : waiter {
    using waiter::waiter;

    std::optional<T> item;
  };

  static std::size_t checked(std::ptrdiff_t capacity) {
    if (capacity < 0) throw std::invalid_argument("bounded_queue: negative capacity");
    return static_cast<std::size_t>(capacity);
  }

  /// The outcome of a waiter that got nothing.
  [[noreturn]] static void fail(park_result result) {
    if (result == park_result::cancelled) throw_cancelled();
    if (result == park_result::expired) throw timed_out();
    throw closed();
  }

  void hand_over(T&& item) noexcept {
    popper& first = poppers_.front();
    first.item.emplace(std::move(item));
    ++in_hand_;
    first.wake();
  }

  T commit_front_pusher() noexcept {
    pusher& first = pushers_.front();
    first.committed = true;
    first.wake();
    return std::move(*first.item);
  }

  void admit_front_pusher() {
    pusher& first = pushers_.front();
    buffer_.push_back(std::move(*first.item));
    first.committed = true;
    first.wake();
  }

  template <class Node>
  static void wake_all(waiter_list<Node>& waiters) noexcept {
    while (!waiters.empty()) waiters.front().wake();
  }

  void wake_joiners_if_finished() noexcept {
    if (unfinished() == 0) wake_all(joiners_);
  }

  void note_peak() noexcept { size_peak_ = std::max(size_peak_, buffer_.size()); }

  const std::size_t capacity_;
  std::deque<T> buffer_;
  std::size_t in_hand_ = 0;
  std::size_t size_peak_ = 0;
  bool closed_ = false;
  waiter_list<pusher> pushers_;
  waiter_list<popper> poppers_;
  waiter_list<waiter> joiners_;
};

}  // namespace assay::reference
