// Work with a deadline (clauses TMO-1 to TMO-8 and TMO-11 to TMO-18 of the standard).
//
//     auto page = co_await with_deadline(fetch(url), deadline_after(2s));            // or throws timed_out
//     auto rate = co_await with_deadline_or(ask_bank(), deadline_after(50ms), last_rate);
//
//     deadline_scope session(executor, idle_limit);      // counts from `run`
//     co_await session.run(talk(socket, session));       // talk calls session.reschedule(...) at every message
//
// Promises
// - The deadline asks the work to stop exactly as a caller does, and waits for it: when the outcome is told, the work has
//   ended, its cleanup included, and nothing of it is left (TMO-1, X-19). Work that does not heed the request makes the
//   timeout late (TMO-10); to leave it to somebody else is another call, see failure/timeout.hpp.
// - What the work ended with is never masked: a value is returned although the deadline has passed (TMO-2), and a failure
//   is thrown, in time or not (TMO-4, TMO-5, X-18). If it ended as cancelled, the caller's request comes before the
//   deadline (TMO-3), and is left on record for the caller's next suspension.
// - Nested deadlines are requests to what is inside: an inner scope reports an outer one's as cancelled (TMO-6).
// - No stray expiry: a deadline that was changed or left behind does nothing (TMO-11, TMO-13).
//
// Scope: one thread or strand, that of the caller.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/limit.hpp>

namespace assay::reference {

/// A deadline that can be moved, and a handle to stop what runs under it. Each is for one run.
class deadline_scope {
 public:
  /// `executor` is that of whoever calls run.
  deadline_scope(const boost::asio::any_io_executor& executor, time_point deadline)
      : bounds_(std::make_shared<detail::limit>(executor)) {
    bounds_->set_deadline(deadline);
  }
  /// A limit that counts from run, not from here (TMO-14).
  deadline_scope(const boost::asio::any_io_executor& executor, duration limit)
      : deadline_scope(executor, no_deadline) {
    from_entry_ = limit;
  }
  /// Inside of another one, which has the last word when both are due at once (TMO-6): this one then reports cancelled.
  deadline_scope(const deadline_scope& outer, time_point deadline)
      : deadline_scope(outer.bounds_->executor(), deadline) {
    outer_ = outer.bounds_;
  }

  deadline_scope(const deadline_scope&) = delete;
  deadline_scope& operator=(const deadline_scope&) = delete;

  /// Runs `work` on the caller's executor as a scope of its own (see cancellation.hpp), and waits for its end.
  ///
  /// Outcomes: those of `work`; if that ends as cancelled and was asked to, by the caller cancelled, by the deadline
  /// timed_out, by request_stop stopped. A deadline that has passed: timed_out in a later turn of the same instant, and
  /// `work` is not begun (TMO-7). In a cancelled scope: cancelled, and `work` is not begun.
  /// Throws std::logic_error if it was entered before.
  template <class T>
  [[nodiscard]] boost::asio::awaitable<T> run(boost::asio::awaitable<T> work) {
    if (std::exchange(entered_, true)) throw std::logic_error("deadline_scope entered twice");
    const auto bounds = bounds_;
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (from_entry_) bounds->set_deadline(deadline_after(*from_entry_));
    if (is_over(*bounds)) co_await refuse(bounds);
    std::exception_ptr failure;
    detail::spawn_result<T> result;
    try {
      result = co_await detail::run_limited(bounds, std::move(work));
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) rethrow(failure);
    if constexpr (!std::is_void_v<T>) co_return std::move(*result);
  }

  /// Moves the deadline, at once: one that has passed asks the work to stop now. False, and nothing is changed, if it has
  /// expired or the work has ended (TMO-13).
  bool reschedule(time_point deadline) {
    if (bounds_->expired() || bounds_->ended()) return false;
    from_entry_.reset();
    bounds_->set_deadline(deadline);
    return true;
  }

  /// Asks the work to stop, also before it has begun; that is no timeout (TMO-15). Idempotent; nothing after the end.
  void request_stop() { bounds_->stop(); }

  /// Whether the deadline has asked the work to stop.
  bool expired() const noexcept { return bounds_->expired(); }
  /// Whether `run` ended with this deadline's timed_out, rather than with one that the work has thrown.
  bool timed_out_here() const noexcept { return bounds_->tells_expiry(); }

 private:
  static bool is_over(const detail::limit& bounds) {
    return bounds.stopped() || bounds.deadline() <= std::chrono::steady_clock::now();
  }

  // A suspension all the same, in which the caller may be asked.
  boost::asio::awaitable<void> refuse(std::shared_ptr<detail::limit> bounds) {
    if (!bounds->stopped()) bounds->expire();
    co_await boost::asio::post(boost::asio::use_awaitable);
    bounds->end();
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (outer_is_due()) throw_cancelled();
    bounds->throw_cause();
  }

  [[noreturn]] void rethrow(const std::exception_ptr& failure) {
    if (bounds_->tells_expiry() && outer_is_due()) throw_cancelled();
    std::rethrow_exception(failure);
  }

  bool outer_is_due() {
    if (!outer_ || outer_->ended() || !is_over(*outer_)) return false;
    if (!outer_->stopped()) outer_->expire();
    return true;
  }

  std::shared_ptr<detail::limit> bounds_;
  std::shared_ptr<detail::limit> outer_;
  std::optional<duration> from_entry_;
  bool entered_ = false;
};

/// Runs `work` until `deadline`, an instant that several calls may share (TMO-8). Outcomes: those of deadline_scope::run.
template <class T>
[[nodiscard]] boost::asio::awaitable<T> with_deadline(boost::asio::awaitable<T> work, time_point deadline) {
  deadline_scope scope(co_await boost::asio::this_coro::executor, deadline);
  co_return co_await scope.run(std::move(work));
}

/// The same, with a value to go on with when the deadline has passed. Another deadline's timed_out, thrown by the work, is
/// a failure like any other (TMO-6).
template <class T>
[[nodiscard]] boost::asio::awaitable<T> with_deadline_or(boost::asio::awaitable<T> work, time_point deadline,
                                                         T fallback) {
  deadline_scope scope(co_await boost::asio::this_coro::executor, deadline);
  try {
    co_return co_await scope.run(std::move(work));
  } catch (const timed_out&) {
    if (!scope.timed_out_here()) throw;
  }
  co_return std::move(fallback);
}

/// A shield (see cancellation.hpp) that can be lifted while somebody is inside, with a deadline of its own (TMO-17).
class shield_scope {
 public:
  /// `executor` is that of whoever calls run.
  explicit shield_scope(const boost::asio::any_io_executor& executor, time_point deadline = no_deadline)
      : bounds_(std::make_shared<detail::limit>(executor)) {
    bounds_->shield();
    bounds_->set_deadline(deadline);
  }

  /// Outcomes: as `shield`; once it is lifted also cancelled. Throws std::logic_error if it was entered before.
  template <class T>
  [[nodiscard]] boost::asio::awaitable<T> run(boost::asio::awaitable<T> work) {
    if (std::exchange(entered_, true)) throw std::logic_error("shield_scope entered twice");
    const auto bounds = bounds_;
    const auto state = co_await boost::asio::this_coro::cancellation_state;
    bounds->request(state.cancelled());
    auto result = co_await detail::run_limited(bounds, std::move(work));
    if constexpr (!std::is_void_v<T>) co_return std::move(*result);
  }

  /// From here on requests reach the work, and one that waits outside does so now.
  void lift() { bounds_->lift_shield(); }

 private:
  std::shared_ptr<detail::limit> bounds_;
  bool entered_ = false;
};

}  // namespace assay::reference
