// A semaphore between coroutines of one thread or strand, and a limiter that knows who has its permits
// (clauses SEM-1 to SEM-16 of the standard).
//
//     semaphore connections(8);
//     co_await connections.run(fetch(url));      // at most 8 at a time; the permit comes back in every case
//     const auto held = co_await connections.acquire_permit(2);  // two by hand, until `held` goes
//     co_await connections.acquire();            // or without an object: somebody calls release() later
//
// A bulkhead is a semaphore with little room for waiting (SEM-6): who finds it full is refused at once.
//
//     semaphore bulkhead({.limit = 8, .waiting_max = 16});
//
// Promises
// - No more permits are in use than the limit, and each of them is available or in use (SEM-1).
// - First come, first served, however many permits somebody wants: he who wants many is not starved by those
//   who want few (SEM-2), and nobody overtakes, with `try_acquire` neither. The more urgent come
//   first, if anybody says so (SEM-12).
// - A call that did not end with permits took none. One that meets its cancellation or its deadline when it
//   was served has them: take them as an object, which gives them back if the next co_await throws.
// - Nobody continues inside the call that served him.
// - To wait allocates nothing, and nothing grows with what has passed. Every call is O(1) for each waiter
//   that it serves or sends away; see `permit_request::priority` and set_limit().
//
// A million inputs are bounded by acquiring before a task is made, not inside of it (SEM-9):
//
//     auto permit = co_await limit.acquire_permit();
//     tasks.spawn(work(std::move(permit), input));
//
// Only one thread at a time may use a semaphore. It outlives the calls that are under way; permits as objects
// may outlive it.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/permit_line.hpp>

namespace assay::reference {

struct semaphore_options {
  std::size_t limit = 1;               ///< permits; 0 admits nobody until it is raised
  std::size_t waiting_max = no_bound;  ///< who finds that many waiting is refused
};

class semaphore {
 public:
  explicit semaphore(std::size_t limit) : semaphore(semaphore_options{.limit = limit}) {}
  explicit semaphore(const semaphore_options& options)
      : line_(std::make_shared<permit_line>(options.limit, options.waiting_max)) {}
  semaphore(const semaphore&) = delete;
  semaphore& operator=(const semaphore&) = delete;

  /// Nobody may be parked: a contract violation. If the handler returns, or the whole execution
  /// context is being destroyed, those who are parked are let go.
  ~semaphore() {
    if (line_->abandoned()) contract_violation("semaphore destroyed while somebody waits for it");
  }

  /// Permits as an object (SEM-16): they come back when it goes. One that was moved from, or is made without,
  /// has none.
  class permit {
   public:
    permit() = default;
    permit(permit&& other) noexcept : line_(std::move(other.line_)), count_(std::exchange(other.count_, 0)) {}
    permit& operator=(permit&& other) noexcept {
      if (this == &other) return *this;
      release();
      line_ = std::move(other.line_);
      count_ = std::exchange(other.count_, 0);
      return *this;
    }
    ~permit() { release(); }

    std::size_t count() const noexcept { return count_; }
    /// Gives them back now. Harmless if there are none.
    void release() noexcept {
      if (count_ != 0) line_->give_back(count_);
      forget();
    }
    /// Some of them as an object of their own. Throws std::invalid_argument if there are not so many.
    [[nodiscard]] permit split(std::size_t count) {
      if (count > count_) throw std::invalid_argument("semaphore: more permits split off than there are");
      count_ -= count;
      return permit(line_, count);
    }
    /// Takes in the other's, which has none then. Throws std::invalid_argument if they are another
    /// semaphore's, and nothing has happened.
    void merge(permit&& other) {
      if (other.count_ == 0 || this == &other) return;
      if (count_ != 0 && line_ != other.line_) throw std::invalid_argument("semaphore: a foreign permit");
      line_ = other.line_;
      count_ += other.count_;
      other.forget();
    }
    /// Lets go of them: they stay in use until as many are released by hand. Says how many.
    std::size_t forget() noexcept {
      line_.reset();
      return std::exchange(count_, 0);
    }

   private:
    friend semaphore;
    permit(std::shared_ptr<permit_line> line, std::size_t count) noexcept
        : line_(std::move(line)), count_(count) {}

    std::shared_ptr<permit_line> line_;  // to which they come back
    std::size_t count_ = 0;
  };

  /// Takes permits, and waits in line for them as long as it takes, or until a deadline.
  ///
  /// Outcomes: the permits are the caller's, until somebody calls release(). Or thrown is
  /// - `refused`: too_large for a request above the limit (SEM-3), full (SEM-6), or dismissed (SEM-11);
  /// - `closed` (SEM-15), `timed_out`, the cancelled outcome; std::invalid_argument for a request for none.
  /// With permits to be had, a deadline in the past does not matter.
  /// Cancellation: terminal, partial and total; a cancelled call did not happen. Refused at once in a
  /// cancelled scope.
  [[nodiscard]] boost::asio::awaitable<void> acquire(permit_request wanted = {}) {
    if (wanted.count == 0) throw std::invalid_argument("semaphore: a request for no permit");
    return line_->acquire(wanted);
  }
  [[nodiscard]] boost::asio::awaitable<void> acquire(std::size_t count) {
    return acquire(permit_request{.count = count});
  }

  /// As acquire, with the permits as an object.
  [[nodiscard]] boost::asio::awaitable<permit> acquire_permit(permit_request wanted = {}) {
    const std::shared_ptr<permit_line> line = line_;
    co_await acquire(wanted);
    co_return permit(line, wanted.count);
  }
  [[nodiscard]] boost::asio::awaitable<permit> acquire_permit(std::size_t count) {
    return acquire_permit(permit_request{.count = count});
  }

  /// Takes permits if that needs no waiting and overtakes nobody, and says whether it did. Never of a
  /// closed semaphore.
  [[nodiscard]] bool try_acquire(std::size_t count = 1) noexcept { return line_->take({.count = count}); }

  /// Gives permits back, and serves whoever is in front and fits (SEM-13). Throws std::logic_error if not so
  /// many are in use (SEM-5); then nothing has happened.
  void release(std::size_t count = 1) {
    if (count > line_->in_use()) throw std::logic_error("semaphore::release of a permit that is not in use");
    line_->give_back(count);
  }

  /// Does `work` with a permit, which comes back when it has ended, whichever way (SEM-5).
  ///
  /// Outcomes: that of `work`; or those of acquire, and `work` is never begun.
  template <class T>
  [[nodiscard]] boost::asio::awaitable<T> run(boost::asio::awaitable<T> work, permit_request wanted = {}) {
    const permit held = co_await acquire_permit(wanted);
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
    } else {
      co_return co_await std::move(work);
    }
  }

  /// Another limit (SEM-7). Permits in use stay in use; below them nothing is given out until enough came
  /// back. Raising it serves as many waiters as there is room for. Who waits for more than a lowered limit is
  /// refused as too_large. O(waiters) if it is lowered.
  void set_limit(std::size_t limit) noexcept { line_->set_limit(limit); }

  /// For ever (SEM-15): calls of acquire, parked and to come, end as `closed`. Permits still come back.
  void close() noexcept { line_->close(); }

  /// Whoever waits now is refused as dismissed, once; who has permits keeps them (SEM-11).
  void cancel_all() noexcept { line_->dismiss(); }

  std::size_t limit() const noexcept { return line_->limit(); }
  std::size_t available() const noexcept { return line_->available(); }
  std::size_t in_use() const noexcept { return line_->in_use(); }
  std::size_t waiting() const noexcept { return line_->waiting(); }
  bool is_closed() const noexcept { return line_->is_closed(); }

 private:
  std::shared_ptr<permit_line> line_;
};

/// A semaphore that knows its borrowers (SEM-8): each of them has one permit at most.
template <class Borrower>
class limiter : public semaphore {
 public:
  using semaphore::semaphore;

  /// As acquire, for one permit. Throws std::logic_error if this borrower has one already, or waits for one.
  /// O(log borrowers).
  [[nodiscard]] boost::asio::awaitable<void> acquire_as(Borrower who, permit_request wanted = {}) {
    wanted.count = 1;
    const auto [place, is_new] = borrowers_->try_emplace(who);
    if (!is_new) throw std::logic_error("limiter: this borrower has a permit, or waits for one");
    const undo entry(borrowers_, place);
    permit got = co_await acquire_permit(wanted);
    place->second = std::move(got);
  }

  /// Gives the borrower's permit back. Throws std::logic_error if he has none. O(log borrowers).
  void release_as(const Borrower& who) {
    const auto found = borrowers_->find(who);
    if (found == borrowers_->end() || found->second.count() == 0)
      throw std::logic_error("limiter: this borrower has no permit");
    borrowers_->erase(found);
  }

 private:
  using table = std::map<Borrower, permit>;

  // Who did not get a permit is no borrower.
  class undo {
   public:
    undo(std::shared_ptr<table> all, typename table::iterator place) noexcept
        : all_(std::move(all)), place_(place) {}
    undo(const undo&) = delete;
    undo& operator=(const undo&) = delete;
    ~undo() {
      if (place_->second.count() == 0) all_->erase(place_);
    }

   private:
    std::shared_ptr<table> all_;  // which a call may outlive that never ends
    typename table::iterator place_;
  };

  std::shared_ptr<table> borrowers_ = std::make_shared<table>();
};

}  // namespace assay::reference
