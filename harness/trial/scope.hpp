// Scopes and shields for the harness, the scenarios and the subjects that stand beside the reference. The reference has
// its own in reference/core/cancellation.hpp; these share nothing with it but what they promise, so that a mistake there
// does not pass judgement on everybody.
//
// Asio makes an event of a request to cancel: it reaches the operation in flight, terminal requests alone reach a
// coroutine, and the record that is left holds the last request only. Here a relay stands between a caller and the work
// that it runs. The relay hears every request that the caller's state lets through, remembers them all, and either passes
// them on (scope) or keeps them (shield).
//
//     asio::awaitable<void> serve(server s) { return scope(serve_and_close(std::move(s))); }
//
//     asio::awaitable<void> serve_and_close(server s) {
//       std::exception_ptr failure;
//       try {
//         co_await s.run();
//       } catch (...) {
//         failure = std::current_exception();
//       }
//       co_await hold_requests;   // else the next line throws when there is a request
//       co_await shield(s.close(), deadline_after(5s));
//       if (failure) std::rethrow_exception(failure);
//     }
//
// Everything here runs on one thread or strand.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <assay/harness/trial/outcome.hpp>

namespace assay {

/// Whether `failure` says that something was cancelled, which is no failure. A null pointer says nothing.
inline bool is_cancellation(const std::exception_ptr& failure) noexcept {
  if (!failure) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    return error.code() == boost::asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

/// Throws the cancelled outcome if a request is on record:
///
///     check_cancelled(co_await asio::this_coro::cancellation_state);
inline void check_cancelled(const boost::asio::cancellation_state& state) {
  if (state.cancelled() != boost::asio::cancellation_type::none) contract::throw_cancelled();
}

/// Awaited inside a scope: from here to its end a request on record makes no co_await throw. It is for cleanup, and can
/// be awaited although a request is there already. Outside of a scope it would change the caller for good.
inline const auto hold_requests = boost::asio::this_coro::throw_if_cancelled(false);

/// Does `work` with hold_requests, also where a request is on record already, and gives the switch back as it was: then
/// a request that the work did not end by shows at the caller's next suspension.
template <class T>
boost::asio::awaitable<T> holding_requests(boost::asio::awaitable<T> work) {
  const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
  co_await hold_requests;
  std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>> result;
  std::exception_ptr failure;
  try {
    if constexpr (std::is_void_v<T>) {
      co_await std::move(work);
    } else {
      result.emplace(co_await std::move(work));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  co_await boost::asio::this_coro::throw_if_cancelled(throwing);
  if (failure) std::rethrow_exception(failure);
  if constexpr (!std::is_void_v<T>) co_return std::move(*result);
}

/// What a shield's deadline ends it with, and nothing else does.
class shield_timed_out : public contract::timed_out_error {};

namespace detail {

/// What stands between a caller and the work that it runs apart. It is shared, since a request or a deadline may be under
/// way when the work ends.
class relay : public std::enable_shared_from_this<relay> {
 public:
  enum class rule { passes_on, keeps };

  relay(boost::asio::any_io_executor executor, rule how) : executor_(std::move(executor)), rule_(how) {}

  const boost::asio::any_io_executor& executor() const noexcept { return executor_; }
  /// The work's side.
  boost::asio::cancellation_slot slot() noexcept { return signal_.slot(); }
  /// All that was asked of the caller, together.
  boost::asio::cancellation_type heard() const noexcept { return heard_; }

  /// The caller is asked for something. The work is told of everything so far: then the record that Asio keeps for it,
  /// the last request, is all of them, and a weak one hides no strong one.
  void hear(boost::asio::cancellation_type request) {
    heard_ |= request;
    if (rule_ == rule::passes_on) tell(heard_);
  }

  /// Asks the work. Asio posts what is emitted from outside of its executor, and may then look for a signal that is gone:
  /// so it is emitted from inside, by somebody who keeps it alive.
  void tell(boost::asio::cancellation_type request) {
    boost::asio::dispatch(executor_, [self = shared_from_this(), request] { self->signal_.emit(request); });
  }

 private:
  const boost::asio::any_io_executor executor_;
  const rule rule_;
  boost::asio::cancellation_signal signal_;
  boost::asio::cancellation_type heard_ = boost::asio::cancellation_type::none;
};

/// The caller's side of a relay: it lies where the operation lies that the caller waits for.
class ear {
 public:
  explicit ear(std::shared_ptr<relay> between) noexcept : between_(std::move(between)) {}
  void operator()(boost::asio::cancellation_type request) { between_->hear(request); }

 private:
  std::shared_ptr<relay> between_;
};

/// The outermost frame of the work. What it does to its cancellation state ends with it.
inline boost::asio::awaitable<void> outermost(boost::asio::awaitable<void> work) {
  co_await boost::asio::this_coro::reset_cancellation_state(boost::asio::enable_total_cancellation());
  std::exception_ptr failure;
  try {
    co_await std::move(work);
  } catch (...) {
    failure = std::current_exception();
  }
  // Behind this co_spawn suspends once more, and a request on record would throw there, out of the event loop.
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  if (failure) std::rethrow_exception(failure);
}

/// Runs the work behind a relay and waits for it. The work is given the relay's slot, which leaves the caller's to the
/// ear.
inline boost::asio::awaitable<void> run_behind(std::shared_ptr<relay> between,
                                               boost::asio::awaitable<void> work) {
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  auto callers = state.slot();
  if (callers.is_connected()) callers.emplace<ear>(between);
  auto token = boost::asio::bind_cancellation_slot(between->slot(), boost::asio::use_awaitable);
  co_await boost::asio::co_spawn(between->executor(), outermost(std::move(work)), std::move(token));
}

/// A request that the relay heard and of which the caller's record says nothing, since another one was written over it.
inline bool is_forgotten(const relay& between, const boost::asio::cancellation_state& state) noexcept {
  using boost::asio::cancellation_type;
  return between.heard() != cancellation_type::none && state.cancelled() == cancellation_type::none;
}

}  // namespace detail

/// Runs `work` on the caller's executor with a cancellation state of its own, which lets requests of every type in and
/// forgets none. Requests reach it through the caller, whose own state decides which ones do: in Asio's own
/// that is terminal ones.
///
/// Outcomes: those of `work`. Cancelled, and `work` is not begun, if a request is on record when it is entered.
/// Lifetime: when it ends, what `work` held is gone.
[[nodiscard]] inline boost::asio::awaitable<void> scope(boost::asio::awaitable<void> work) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  const auto executor = co_await boost::asio::this_coro::executor;
  co_await detail::run_behind(std::make_shared<detail::relay>(executor, detail::relay::rule::passes_on),
                              std::move(work));
}

/// Runs `work` on the caller's executor where no request reaches it, and waits for it.
///
/// A request that was there before, or comes meanwhile, is not forgotten: the first suspension after the shield reports
/// it, or the shield itself, once `work` is done, if Asio has lost it. Whether the caller's co_awaits throw is as
/// it was before, whichever way the shield ends. To enter one with a request on record await `hold_requests`
/// first.
///
/// `deadline` is a time of the monotonic clock. When it comes, `work` is asked to stop, and waited for.
/// Outcomes: those of `work`; shield_timed_out if it ends cancelled and was asked by the deadline.
[[nodiscard]] inline boost::asio::awaitable<void> shield(
    boost::asio::awaitable<void> work,
    std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max()) {
  const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  const auto executor = co_await boost::asio::this_coro::executor;
  std::exception_ptr failure;
  bool expired = false;
  bool forgotten = false;
  try {
    const auto between = std::make_shared<detail::relay>(executor, detail::relay::rule::keeps);
    boost::asio::steady_timer limit(executor, deadline);
    const auto came = std::make_shared<bool>(false);
    if (deadline != std::chrono::steady_clock::time_point::max()) {
      limit.async_wait([between, came](const boost::system::error_code& error) {
        if (error) return;
        *came = true;
        between->tell(boost::asio::cancellation_type::terminal);
      });
    }
    try {
      co_await detail::run_behind(between, std::move(work));
    } catch (...) {
      failure = std::current_exception();
    }
    expired = *came;
    forgotten = detail::is_forgotten(*between, co_await boost::asio::this_coro::cancellation_state);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await boost::asio::this_coro::throw_if_cancelled(throwing);
  if (expired && is_cancellation(failure)) throw shield_timed_out();
  if (failure) std::rethrow_exception(failure);
  if (throwing && forgotten) contract::throw_cancelled();
}

}  // namespace assay
