// A worker that takes jobs from a bounded_queue and never loses one: a cancelled job goes back to the head of
// the queue, a failed one to a dead-letter sink (clauses RWK-1 to RWK-9 of the standard).
//
//     using worker = resilient_worker<order>;
//     worker::queue orders(16);
//     worker::options how;
//     how.process = [&](const worker::job& one) { return ship(warehouse, one); };  // a coroutine; may throw
//     how.dead_letter = [&](worker::job& one) { return buried.push(one); };        // another queue, say
//     how.lost = [&](worker::job one, std::exception_ptr why) { log(one, why); };
//     worker shipping(orders, how);
//     group.spawn("shipping", shipping.run());
//
// Promises
// - A job that was popped is in hand until its fate is known, and then exactly one of: done, back at the head
//   of the queue, with the dead-letter sink, reported as lost (RWK-1). It is under a guard before the worker
//   suspends again, so a cancellation between the pop and the processing hands it back too (RWK-6).
// - Cancelled while it processes, the worker hands the job back without suspending, beyond the queue's
//   capacity if it must be, and ends cancelled (RWK-2).
// - A job that fails goes to the sink with its cause and its number of attempts, and the worker goes on
//   (RWK-3). That write is shielded from cancellation and bounded by `dead_letter_patience` (RWK-4). If it
//   fails or takes too long, the job goes back to the head of the queue while it has attempts left, else it
//   is reported as lost (RWK-5).
// - At least once: a job that was handed back is processed again, with a higher number of attempts (RWK-7).
// - bounded_queue::done is called exactly once for each job, when it is done, buried or lost (RWK-8).
// - No job is begun more often than `attempts_max` times; one that comes back again is buried instead
//   (RWK-9).
//
// An attempt is a beginning: one that ended because the worker was cancelled counts as well, since a job that
// stalls its worker until somebody stops it is poison too.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/flow/bounded_queue.hpp>

namespace assay::reference {

/// Why a job is buried that never failed: it was begun as often as it may be, and never finished (RWK-9).
struct attempts_exhausted : error {
  attempts_exhausted() : error("attempts exhausted") {}
};

template <class T>
class resilient_worker {
 public:
  /// What the queue holds. In a dead letter `failure` is the cause; pushed into a queue again, it is a job
  /// again.
  struct job {
    explicit job(T one) noexcept : item(std::move(one)) {}

    T item;
    std::size_t attempts = 0;    ///< How often processing has begun, this time included (RWK-7).
    std::exception_ptr failure;  ///< What the last attempt that failed threw.
  };

  using queue = bounded_queue<job>;

  struct options {
    /// Processes a job: throws if it fails, and then the item must still be usable. It runs as a scope of its
    /// own (see cancellation.hpp). A cancellation that nobody asked of the worker is a failure like any
    /// other.
    std::function<boost::asio::awaitable<void>(const job&)> process;
    /// Takes a job for good; if it throws, the job is untouched. Retries belong in here. It is asked to stop,
    /// and waited for, when `dead_letter_patience` has passed.
    std::function<boost::asio::awaitable<void>(job&)> dead_letter;
    /// Told of a job that could neither be processed nor be buried, with the sink's failure; `job::failure`
    /// is the cause. It must not throw.
    std::function<void(job, std::exception_ptr)> lost;
    /// Beginnings that a job may have; at least 1.
    std::size_t attempts_max = 5;
    /// How long a write may take; one that has no time is asked to stop as it begins.
    duration dead_letter_patience = std::chrono::seconds(5);
  };

  /// The queue outlives the worker. Throws std::invalid_argument if a function is missing or attempts_max is
  /// 0.
  resilient_worker(queue& jobs, options how) : jobs_(jobs), how_(std::move(how)) {
    if (!how_.process || !how_.dead_letter || !how_.lost || how_.attempts_max == 0)
      throw std::invalid_argument("resilient_worker: incomplete options");
  }

  resilient_worker(const resilient_worker&) = delete;
  resilient_worker& operator=(const resilient_worker&) = delete;

  /// Works until the queue is closed and empty. Several runs at once are several workers on one queue.
  ///
  /// Outcomes: nothing, once the queue is closed and empty; cancelled; a bare exit_request that processing
  /// threw (TG-12), its job handed back. Cancellation: terminal, partial and total; while it waits for a job
  /// nothing has happened; while it processes, processing is asked to stop and what it then says decides:
  /// cancelled hands the job back, a value is done, a failure is buried. A write to the dead-letter sink is
  /// finished first. Lifetime: the worker and the queue outlive the run.
  [[nodiscard]] boost::asio::awaitable<void> run() { return scope(work()); }

 private:
  /// The one place of a job between its pop and its fate. Whichever way the frame ends that holds it, a job
  /// without a fate goes back to the head of the queue, without suspending (RWK-2, RWK-6).
  class in_hand {
   public:
    in_hand(queue& jobs, const shutdown_watch& watch, job one)
        : jobs_(jobs), watch_(watch), job_(std::move(one)) {}
    in_hand(const in_hand&) = delete;
    in_hand& operator=(const in_hand&) = delete;
    ~in_hand() {
      // With the whole execution context goes the queue, perhaps before us.
      // Not done and pushed again: joiners see no change (RWK-8).
      if (job_ && !watch_.shutting_down()) jobs_.unpop(std::move(*job_));
    }

    job* operator->() noexcept { return &*job_; }
    job& operator*() noexcept { return *job_; }

    /// The job is settled for good, and this is the one call of done for it (RWK-8).
    job settle() {
      job settled(std::move(*job_));
      job_.reset();
      jobs_.done();
      return settled;
    }

   private:
    queue& jobs_;
    const shutdown_watch& watch_;
    std::optional<job> job_;
  };

  boost::asio::awaitable<void> work() {
    // From here on a request makes no co_await of this loop throw by itself: pop and scope refuse to begin,
    // and between a job and its fate nothing else does.
    co_await hold_requests;
    const auto executor = co_await boost::asio::this_coro::executor;
    const shutdown_watch watch(executor);
    while (true) {
      std::optional<job> next;
      try {
        next.emplace(co_await jobs_.pop());
      } catch (const closed&) {
      }
      if (!next) co_return;
      in_hand held(jobs_, watch, std::move(*next));  // RWK-6
      const bool finished = co_await process(held);
      if (finished) {
        (void)held.settle();
      } else {
        co_await bury(held);
      }
    }
  }

  /// Whether the job is done; if not, it is to be buried, and its failure says why. Throws what ends the
  /// worker; then the guard hands the job back.
  boost::asio::awaitable<bool> process(in_hand& held) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);  // not begun: no attempt
    if (held->attempts >= how_.attempts_max) {                             // RWK-9
      if (!held->failure) held->failure = std::make_exception_ptr(attempts_exhausted());
      co_return false;
    }
    ++held->attempts;  // RWK-7
    std::exception_ptr failure;
    try {
      co_await scope(how_.process(*held));
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return true;
    if (is_exit_request(failure)) std::rethrow_exception(failure);
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    const bool asked = requests.cancelled() != boost::asio::cancellation_type::none;
    if (asked && is_cancellation(failure)) std::rethrow_exception(failure);  // RWK-2, X-8
    held->failure = std::move(failure);                                      // RWK-3, X-18
    co_return false;
  }

  boost::asio::awaitable<void> bury(in_hand& held) {
    std::exception_ptr unwritten;
    try {
      co_await shield(how_.dead_letter(*held), deadline_after(how_.dead_letter_patience));  // RWK-4
    } catch (...) {
      unwritten = std::current_exception();
    }
    if (!unwritten) {
      (void)held.settle();
    } else if (held->attempts >= how_.attempts_max) {
      how_.lost(held.settle(), std::move(unwritten));  // RWK-5
    }  // else the guard hands it back
  }

  queue& jobs_;
  const options how_;
};

}  // namespace assay::reference
