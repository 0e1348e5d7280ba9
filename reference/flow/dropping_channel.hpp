// A channel that never makes its senders wait: when it is full, a declared policy says which item goes (clauses DRP-1 to
// DRP-11 of the standard). For telemetry, live prices, positions: what is late is worth less than what is new.
//
//     dropping_channel<reading> readings({.capacity = 64, .policy = drop_policy::oldest, .on_drop = &count});
//     readings.send(next);                         // never waits
//     reading mine = co_await readings.receive();  // waits while there is nothing
//
// It is a bounded_queue with another rule of admission.
//
// Promises
// - A send takes effect before it returns, in one step: to let an item go and to put the other in its place (DRP-1, DRP-3).
// - Nothing is dropped while somebody waits, or while there is room (DRP-2, DRP-4). Who has waited longest is served first.
// - Each item that is dropped is counted, and given to `on_drop` once, in the order of the drops, when the send has had its
//   effect. What `on_drop` sends is sent; what goes for that is told when `on_drop` has returned (DRP-5, DRP-9).
// - What is left keeps its order (DRP-6).
// - A receive that meets a cancellation or its deadline when an item was assigned to it returns the item; a cancelled
//   one took nothing (DRP-8).
//
// Only one thread at a time may use a channel, as with every object of Asio.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/flow/bounded_queue.hpp>

namespace assay::reference {

/// What goes when a full channel is sent an item.
enum class drop_policy {
  oldest,  ///< What has been in the channel for longest.
  newest,  ///< The item that is sent.
  reject,  ///< Nothing: the sender is told, and keeps the item.
  conflate,  ///< What has the same key, full or not: the new item takes its place. If no item has it, the oldest.
};

enum class send_result {
  accepted,  ///< The item is in the channel, or with a receiver.
  dropped,   ///< The item was dropped, and counted.
  rejected,  ///< The item is the sender's, as it was.
};

/// An item, and how many were dropped since the one that was received before it.
template <class T>
struct received {
  T item;
  std::size_t lost = 0;
};

/// One consistent look at a channel. `sent` is what sends have not rejected; of that, what was not dropped and is
/// not there was received, and not handed back.
struct channel_statistics {
  std::size_t size = 0;
  std::size_t sent = 0;
  std::size_t dropped = 0;
  std::size_t parked_receivers = 0;
};

/// The key of every item is the same: a conflating channel keeps the latest one.
struct one_key {
  template <class T>
  constexpr int operator()(const T&) const noexcept {
    return 0;
  }
};

template <class T, class KeyOf = one_key>
class dropping_channel {
 public:
  struct options {
    std::ptrdiff_t capacity = 1;
    drop_policy policy = drop_policy::oldest;
    /// Gets each dropped item. It must not throw; it may use the channel.
    std::function<void(T)> on_drop = {};
    KeyOf key_of = {};
  };

  /// Throws std::invalid_argument if the capacity is below 1 (DRP-7).
  explicit dropping_channel(options how)
      : queue_(checked(how.capacity)),
        policy_(how.policy),
        on_drop_(std::move(how.on_drop)),
        key_of_(std::move(how.key_of)) {}

  /// Sends `item`, which is taken unless it is rejected. Throws `closed`, and if memory is short; then nothing has
  /// happened. O(1), but O(size) where it conflates.
  send_result send(T& item) {
    if (queue_.is_closed()) throw closed();
    const bool full = is_full();
    if (full && policy_ == drop_policy::reject) return send_result::rejected;
    entry offered{std::move(item), 0};
    if (full && policy_ == drop_policy::newest) {
      ++sent_;
      drop(std::move(offered.item));
      return send_result::dropped;
    }
    std::optional<entry> victim;
    try {
      victim = put(offered);
    } catch (...) {
      item = std::move(offered.item);
      throw;
    }
    ++sent_;
    if (victim) drop(std::move(victim->item));
    return send_result::accepted;
  }

  /// Takes the oldest item, and waits for one as long as it takes.
  ///
  /// Outcomes: the item; or `closed` is thrown once the channel is closed and empty (DRP-10); or the cancelled outcome.
  /// Cancellation: terminal, partial and total; a cancelled receive took nothing (DRP-8). Refused at once in a cancelled
  /// scope.
  [[nodiscard]] boost::asio::awaitable<T> receive() { return receive_until(no_deadline); }

  /// As receive; throws `timed_out` when `deadline` passes first. If there is an item, a deadline in the past does not matter.
  [[nodiscard]] boost::asio::awaitable<T> receive_until(time_point deadline) {
    received<T> got = co_await receive_counted(deadline);
    co_return std::move(got.item);
  }

  /// As receive_until, and says how many were lost (DRP-11).
  [[nodiscard]] boost::asio::awaitable<received<T>> receive_counted(time_point deadline = no_deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    std::optional<entry> taken = queue_.try_pop();
    if (taken) {
      taken->lost = std::exchange(lost_, 0);
    } else {
      entry served =
          co_await queue_.pop_until(deadline);  // which knows: more may be lost before this goes on
      taken.emplace(std::move(served));
    }
    co_return received<T>{std::move(taken->item), taken->lost};
  }

  /// Takes the oldest item if there is one. Throws `closed` if the channel is closed and empty.
  [[nodiscard]] std::optional<T> try_receive() {
    std::optional<T> item;
    std::optional<entry> taken = queue_.try_pop();
    if (!taken) return item;
    lost_ = 0;
    item.emplace(std::move(taken->item));
    return item;
  }

  /// Hands back an item that was received, also to a closed channel: it is the oldest one again, or goes to a receiver that
  /// waits. Without room the policy decides (DRP-8): `oldest` drops it, `newest` drops the newest one there is, `reject`
  /// leaves it with the caller. `conflate` drops it where a newer one has its key, or where there is no room.
  send_result hand_back(T& item) {
    const bool full = is_full();
    if (full && policy_ == drop_policy::reject) return send_result::rejected;
    const bool outdated = policy_ == drop_policy::conflate && has_key_of(item);
    const bool is_victim = outdated || (full && policy_ != drop_policy::newest);
    if (is_victim) {
      drop(std::move(item));
      return send_result::dropped;
    }
    std::optional<entry> victim;
    if (full) victim = queue_.remove_newest();
    const std::size_t lost = has_receivers() ? std::exchange(lost_, 0) : 0;
    queue_.unpop(entry{std::move(item), lost});
    if (victim) drop(std::move(victim->item));
    return send_result::accepted;
  }

  /// Ends sending: later sends fail with `closed`. What is there can still be received; then receives fail with `closed`
  /// (DRP-10). Idempotent.
  void close() noexcept { queue_.close(); }

  std::size_t size() const noexcept { return queue_.size(); }
  std::size_t capacity() const noexcept { return queue_.capacity(); }
  bool is_closed() const noexcept { return queue_.is_closed(); }
  channel_statistics statistics() const noexcept {
    channel_statistics now;
    now.size = queue_.size();
    now.sent = sent_;
    now.dropped = dropped_;
    now.parked_receivers = queue_.statistics().parked_poppers;
    return now;
  }

 private:
  struct entry {
    T item;
    std::size_t lost = 0;  // of who waited for it
  };

  static std::ptrdiff_t checked(std::ptrdiff_t capacity) {
    if (capacity < 1) throw std::invalid_argument("dropping_channel: the capacity is at least 1");
    return capacity;
  }

  // A full channel has no receivers that wait: see bounded_queue.
  bool is_full() const noexcept { return queue_.size() >= queue_.capacity(); }
  bool has_receivers() const noexcept { return queue_.statistics().parked_poppers > 0; }

  // The one step (DRP-3).
  std::optional<entry> put(entry& offered) {
    std::optional<entry> victim;
    if (policy_ == drop_policy::conflate) victim = queue_.replace_if(offered, has_the_key_of(offered.item));
    if (victim) return victim;
    if (has_receivers()) offered.lost = std::exchange(lost_, 0);
    return queue_.push_over(offered);
  }

  auto has_the_key_of(const T& item) const {
    return [key = key_of_(item), this](const entry& one) { return key_of_(one.item) == key; };
  }
  bool has_key_of(const T& item) { return queue_.contains_if(has_the_key_of(item)); }

  // Outside of the step (DRP-9).
  void drop(T victim) noexcept {
    ++dropped_;
    ++lost_;
    if (!on_drop_) return;
    if (telling_) return untold_.push_back(std::move(victim));
    telling_ = true;
    on_drop_(std::move(victim));
    while (!untold_.empty()) {
      T next = std::move(untold_.front());
      untold_.pop_front();
      on_drop_(std::move(next));
    }
    telling_ = false;
  }

  bounded_queue<entry> queue_;
  const drop_policy policy_;
  const std::function<void(T)> on_drop_;
  const KeyOf key_of_;
  std::size_t sent_ = 0;
  std::size_t dropped_ = 0;
  std::size_t lost_ = 0;  // dropped since somebody received something
  std::deque<T> untold_;  // what went while on_drop was told of another
  bool telling_ = false;
};

}  // namespace assay::reference
