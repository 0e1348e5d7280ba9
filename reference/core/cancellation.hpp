// The one cancellation layer: level-triggered requests, scopes that do not forget them, and shields (X-5 to
//
//
// Asio keeps one cancellation state per thread of awaitables (all that one co_spawn runs), and treats it as
// an event: it accepts terminal requests only, a weaker request overwrites the record of a stronger one,
// resetting forgets it, and after throw_if_cancelled(false) only the operation in flight hears of it. This
// header turns the event into a level.
//
//     check_cancelled(state)  begins every suspending operation: refused in a cancelled scope
//     scope(work)             runs `work` with a cancellation state of its own that remembers every request
//     shield(work, deadline)  runs `work` where no request reaches it; the request waits outside
//     hold_requests           awaited inside a scope: cleanup can be awaited although a request is there
//
// Cleanup that suspends, whichever way the work ended:
//
//     asio::awaitable<void> serve(server s) { return scope(serve_and_close(std::move(s))); }
//
//     asio::awaitable<void> serve_and_close(server s) {
//       std::exception_ptr failure;
//       try {
//         co_await s.run();
//       } catch (...) {
//         failure = std::current_exception();   // nothing can be awaited in here
//       }
//       co_await hold_requests;                 // without it the next line throws when a request is there
//       co_await shield(s.close(), deadline_after(5s));
//       if (failure) std::rethrow_exception(failure);
//     }
//
// This is the only file that may call reset_cancellation_state.
// Scope: one thread or strand; cancellation signals are emitted on the executor of the coroutine that they
// reach.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/core/limit.hpp>
#include <assay/reference/core/parked_waiter.hpp>

namespace assay::reference {

/// refuses an operation that is entered in a cancelled scope, by throwing the cancelled outcome. Asio
/// checks at every co_await of an awaitable, but only while throw_if_cancelled is on. Begin every suspending
/// operation with
///
///     check_cancelled(co_await asio::this_coro::cancellation_state);
inline void check_cancelled(const boost::asio::cancellation_state& state) {
  if (state.cancelled() != boost::asio::cancellation_type::none) throw_cancelled();
}

/// Awaited inside a scope (or a task of a group), keeps a recorded request from making every further co_await
/// throw, until the scope ends; then the request shows again in the caller. It may be awaited when the
/// request is there already. The operations of the reference still refuse to begin: run cleanup in a shield.
/// Outside of a scope it would change the state of the caller for good: do not.
inline const auto hold_requests = boost::asio::this_coro::throw_if_cancelled(false);

namespace detail {

/// A filter that accepts every type of request and adds it to those seen before: Asio stores what the
/// filter returns.
///
/// One byte, so that the state that it replaces is large enough for it. If Asio had to allocate, and could not, the
/// coroutine would be left with a state that is gone.
class every_request {
 public:
  boost::asio::cancellation_type operator()(boost::asio::cancellation_type request) noexcept {
    using boost::asio::cancellation_type;
    constexpr auto known =
        cancellation_type::terminal | cancellation_type::partial | cancellation_type::total;
    seen_ = static_cast<std::uint8_t>(seen_ | static_cast<unsigned>(request & known));
    return static_cast<cancellation_type>(seen_);
  }

 private:
  std::uint8_t seen_ = 0;
};

// co_spawn wants results that can be default-constructed, and void has its own signature.
template <class T>
using spawn_result = std::conditional_t<std::is_void_v<T>, std::monostate, std::optional<T>>;

/// The outermost frame of a thread of awaitables that belongs to a scope.
template <class T>
boost::asio::awaitable<spawn_result<T>> run_scope(boost::asio::awaitable<T> work) {
  co_await boost::asio::this_coro::reset_cancellation_state(every_request());
  spawn_result<T> result;
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
  // co_spawn's own last suspension would otherwise throw out of the event loop if the work asked itself to
  // stop.
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  if (failure) std::rethrow_exception(failure);
  co_return std::move(result);
}

/// The outermost frame of limited work.
template <class T>
boost::asio::awaitable<T> begin_limited(std::shared_ptr<limit> bounds, boost::asio::awaitable<T> work) {
  bounds->begin();
  co_return co_await std::move(work);
}

/// Runs `work` as a scope within these limits, and waits for it. Each limit is for one run.
/// Outcomes: those of `work`; if it ended as cancelled, what that means (limit::throw_cause).
template <class T>
boost::asio::awaitable<spawn_result<T>> run_limited(std::shared_ptr<limit> bounds,
                                                    boost::asio::awaitable<T> work) {
  const auto state = co_await boost::asio::this_coro::cancellation_state;
  caller_requests heard(state, bounds);
  const inside_limit inside(*bounds);
  // The slot is bound explicitly, or Asio would connect the work to the caller's own.
  auto token = boost::asio::bind_cancellation_slot(bounds->slot(), boost::asio::use_awaitable);
  spawn_result<T> result;
  std::exception_ptr failure;
  try {
    auto limited = begin_limited(bounds, std::move(work));
    result = co_await boost::asio::co_spawn(bounds->executor(), run_scope(std::move(limited)), token);
  } catch (...) {
    failure = std::current_exception();
  }
  bounds->end();
  heard.stop();
  if (is_cancellation(failure)) bounds->throw_cause();
  if (failure) std::rethrow_exception(failure);
  co_return std::move(result);
}

}  // namespace detail

/// Runs `work` on the caller's executor as a scope: a thread of awaitables with a cancellation state of its
/// own.
///
/// Requests that the caller's state lets through reach the scope, where they are remembered whatever follows
/// them. What the work does to its cancellation state ends with the scope.
/// Outcomes: that of `work`. In a scope that is cancelled already: cancelled, and `work` is never begun
///
/// Lifetime: when it completes, the frames and parameters of `work` are gone.
template <class T>
[[nodiscard]] boost::asio::awaitable<T> scope(boost::asio::awaitable<T> work) {
  check_cancelled(co_await boost::asio::this_coro::cancellation_state);
  const auto executor = co_await boost::asio::this_coro::executor;
  auto result = co_await boost::asio::co_spawn(executor, detail::run_scope(std::move(work)),
                                               boost::asio::use_awaitable);
  if constexpr (!std::is_void_v<T>) co_return std::move(*result);
}

/// Runs `work` on the caller's executor where no request of the caller reaches it, and waits for it.
///
/// A request that was there before, or that arrives meanwhile, stays recorded: the first suspension after the
/// shield reports it. The switch throw_if_cancelled stays as it is: Asio looks at it when something
/// begins, and nothing begins in here once the work has. To enter a shield when a request is recorded already,
/// await `hold_requests` first; else co_await throws, as everywhere.
///
/// `deadline` is a point in time of the monotonic clock. When it passes, `on_expiry` is called, and `work` is
/// asked to stop, and waited for. So what does not hear the request can be made to end in another way: its socket
/// closed, say. The call must not throw, and is made at most once, before the shield ends.
/// Outcomes: that of `work`; timed_out if it ended cancelled because of the deadline.
/// Note: a request is recorded as reliably as the caller's state does it; inside a scope none is ever
/// forgotten.
template <class T>
[[nodiscard]] boost::asio::awaitable<T> shield(boost::asio::awaitable<T> work,
                                               time_point deadline = no_deadline,
                                               std::function<void()> on_expiry = nullptr) {
  const auto bounds = std::make_shared<detail::limit>(co_await boost::asio::this_coro::executor);
  bounds->shield();
  bounds->on_expiry(std::move(on_expiry));
  bounds->set_deadline(deadline);
  auto result = co_await detail::run_limited(bounds, std::move(work));
  if constexpr (!std::is_void_v<T>) co_return std::move(*result);
}

}  // namespace assay::reference
