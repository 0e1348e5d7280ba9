// The patterns assembled into a service: sources submit work into a bounded queue, resilient workers process it, and a
// shutdown coordinator starts, watches and stops all of it (clauses INT-1 to INT-9 of the standard).
//
//     service<order> orders(executor, options);
//     co_await orders.submit(next);                  // waits while the queue is full; throws closed once stopping
//     const shutdown_report report = co_await orders.run();
//     std::deque<order> rest = orders.take_back();   // what was accepted and not processed
//
// Promises
// - Whatever was accepted is processed, buried with the dead-letter sink, reported as lost, or comes back from
//   take_back: nothing in between, whenever the stop comes (INT-1).
// - Readiness turns false first, then nothing more is accepted, then the accepted work drains, then what is left is
//   asked to stop, then resources close in reverse order (INT-2); nothing is processed after that (INT-3).
// - The queue bounds what is buffered; sources wait (INT-4).
//
// Scope: one thread or strand, that of the executor.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

#include <assay/reference/flow/resilient_worker.hpp>
#include <assay/reference/lifecycle/graceful_shutdown.hpp>

namespace assay::reference {

template <class T>
class service {
 public:
  using worker = resilient_worker<T>;
  using job = typename worker::job;

  struct options {
    std::size_t queue_capacity = 16;
    /// Workers that process at the same time; at least 1.
    std::size_t workers = 2;
    typename worker::options work;
    graceful_shutdown_options shutdown;
  };

  /// Everything runs on `executor`. Throws std::invalid_argument for incomplete options.
  service(const boost::asio::any_io_executor& executor, options how)
      : jobs_(static_cast<std::ptrdiff_t>(how.queue_capacity)),
        worker_(jobs_, std::move(how.work)),
        workers_(checked(how.workers)),
        on_phase_(std::move(how.shutdown.on_phase)),
        shutdown_(executor, with_phases(std::move(how.shutdown))) {}

  /// Resources, background tasks and callbacks are registered with the coordinator.
  graceful_shutdown& shutdown() noexcept { return shutdown_; }

  /// Hands in one piece of work, and waits while the queue is full.
  ///
  /// Outcomes: accepted, and `item` is moved; or `closed` is thrown before the service runs and once it stops
  /// accepting, or the cancelled outcome; then `item` is untouched. Cancellation: terminal, partial and total; a
  /// cancelled submit did not happen. Lifetime: `item` and the service outlive the call.
  [[nodiscard]] boost::asio::awaitable<void> submit(T& item) {
    if (!shutdown_.is_accepting()) throw closed();
    job offered(std::move(item));
    std::exception_ptr failure;
    try {
      co_await jobs_.push(offered);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    item = std::move(offered.item);
    std::rethrow_exception(failure);
  }

  /// Starts everything, serves until it is stopped, and stops everything. As graceful_shutdown::run.
  [[nodiscard]] boost::asio::awaitable<shutdown_report> run() { return shutdown_.run(); }

  /// Once run has ended: what was accepted and never processed. What workers had in hand comes first, and what was
  /// waiting for one is in the order of acceptance.
  [[nodiscard]] std::deque<T> take_back() {
    std::deque<T> items;
    for (job& one : jobs_.close_now()) items.push_back(std::move(one.item));
    return items;
  }

  void request_stop() { shutdown_.request_stop(); }
  bool is_ready() const noexcept { return shutdown_.is_ready(); }
  /// Alive until it has stopped: being busy stopping is no reason to be killed (INT-9).
  bool is_live() const noexcept { return shutdown_.phase() != shutdown_phase::stopped; }
  std::size_t buffered() const noexcept { return jobs_.size(); }

 private:
  static std::size_t checked(std::size_t workers) {
    if (workers == 0) throw std::invalid_argument("service: no workers");
    return workers;
  }

  graceful_shutdown_options with_phases(graceful_shutdown_options given) {
    given.on_phase = [this](shutdown_phase phase) { phase_entered(phase); };
    return given;
  }

  // The workers are admitted work: the drain waits for them, and they end when the queue is closed and empty.
  void phase_entered(shutdown_phase phase) {
    if (on_phase_) on_phase_(phase);
    if (phase == shutdown_phase::running) {
      for (std::size_t i = 1; i <= workers_; ++i)
        shutdown_.admit("worker " + std::to_string(i), worker_.run());
    }
    if (phase == shutdown_phase::stop_accepting) jobs_.close();
  }

  typename worker::queue jobs_;
  worker worker_;
  const std::size_t workers_;
  std::function<void(shutdown_phase)> on_phase_;
  graceful_shutdown shutdown_;
};

}  // namespace assay::reference
