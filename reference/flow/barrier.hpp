// A barrier between coroutines of one thread or strand: a fixed number of parties meet, again and again
// (clauses BAR-1 to BAR-9 of the standard).
//
//     barrier phase(3);                  // three parties
//     co_await phase.wait();             // parks until all three are here; each gets another number, 0 to 2
//     phase.abort();                     // a party that will never come says so: the others end as broken
//     phase.reset();                     // begins anew
//     barrier loose(3, barrier_cancel::leaves);   // a cancelled party leaves, and the others wait on
//
// Promises
// - Who arrives last releases all in the same instant, and does not suspend. They are the parties of one
//   generation: who comes back at once is a party of the next (BAR-2).
// - A party that ends as cancelled or timed out was not released. With `breaks` it breaks the barrier for
//   all, so that nobody waits for who never comes; with `leaves` it took part in nothing (BAR-3). One that
//   meets its cancellation or its deadline when it was released already ends as released.
// - Who is released or broken continues in a later turn, never inside the call that did it.
// - At most `parties - 1` are parked. Parking does not allocate a node.
//
// A party that is cancelled before it waits is not known here: let its owner call abort().
// Only one thread at a time may use a barrier.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/parked_waiter.hpp>

namespace assay::reference {

/// What a party does to the others that ends as cancelled or timed out while it is parked.
enum class barrier_cancel { breaks, leaves };

class barrier {
 public:
  /// For this many parties, one at least, else std::invalid_argument (BAR-6). Allocates a counter.
  explicit barrier(std::size_t parties, barrier_cancel on_cancel = barrier_cancel::breaks)
      : parties_(parties), on_cancel_(on_cancel) {
    if (parties == 0) throw std::invalid_argument("a barrier for no parties");
  }
  barrier(const barrier&) = delete;
  barrier& operator=(const barrier&) = delete;

  /// Nobody may be parked: a contract violation. Who has been released may continue later.
  ~barrier() {
    if (parked_.abandoned()) contract_violation("barrier destroyed while a party waits at it");
  }

  /// Waits until as many as there are parties wait. The value is the party's number in its generation, from 0
  /// in the order of arrival.
  ///
  /// Outcomes: the number; the cancelled outcome; throws `broken` if the barrier is broken, or breaks
  /// meanwhile, or reset() comes before this party continues (BAR-7). Cancellation: terminal, partial and
  /// total; what becomes of the others says `barrier_cancel`. Refused at once in a cancelled scope, with no
  /// effect on anybody. Cost: O(1), and O(parties) for who releases or breaks them. The barrier
  /// outlives the call until the party is released.
  [[nodiscard]] boost::asio::awaitable<std::size_t> wait() { return wait_until(no_deadline); }

  /// As wait; throws `timed_out` when `deadline` passes first, which is for the others as if the party were
  /// cancelled. For who arrives last a deadline in the past does not matter.
  [[nodiscard]] boost::asio::awaitable<std::size_t> wait_until(time_point deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (broken_) throw broken();
    const std::size_t number = parked_.size();
    if (number + 1 == parties_) {
      release();
      co_return number;
    }
    party self(co_await boost::asio::this_coro::executor, deadline, resets_);
    co_await park(parked_, self);
    const park_result result = self.result();
    if (result == park_result::woken) {  // the barrier may be gone
      if (self.broken || *self.resets != self.resets_seen) throw broken();
      co_return self.number;
    }
    if (on_cancel_ == barrier_cancel::breaks) abort();  // BAR-3
    if (result == park_result::cancelled) throw_cancelled();
    throw timed_out();
  }

  /// Breaks the barrier: who is parked, and whoever waits until reset(), ends as broken (BAR-4). Idempotent.
  void abort() noexcept {
    broken_ = true;
    while (!parked_.empty()) {
      parked_.front().broken = true;
      parked_.front().wake();
    }
  }

  /// Begins a new generation, also of a broken barrier. Whoever of an earlier one has not continued ends as
  /// broken, even if he was released, so that nobody takes its end for that of the new one (BAR-7).
  void reset() noexcept {
    broken_ = false;
    ++*resets_;
    while (!parked_.empty()) parked_.front().wake();
  }

  bool is_broken() const noexcept { return broken_; }
  std::size_t parties() const noexcept { return parties_; }
  /// How many are parked.
  std::size_t waiting() const noexcept { return parked_.size(); }

 private:
  using count = std::shared_ptr<std::size_t>;
  struct party : waiter {
    party(const boost::asio::any_io_executor& executor, time_point deadline, count seen)
        : waiter(executor, deadline), resets(std::move(seen)), resets_seen(*resets) {}
    const count resets;
    const std::size_t resets_seen;
    std::size_t number = 0;
    bool broken = false;
  };

  void release() noexcept {
    for (std::size_t number = 0; !parked_.empty(); ++number) {
      parked_.front().number = number;
      parked_.front().wake();
    }
  }

  const std::size_t parties_;
  const barrier_cancel on_cancel_;
  bool broken_ = false;
  waiter_list<party> parked_;
  const count resets_ =
      std::make_shared<std::size_t>(0);  // shared with who was released, and may outlive the barrier
};

}  // namespace assay::reference
