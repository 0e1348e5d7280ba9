// All that the harness takes from the inside of Asio (`boost::asio::detail`), which Asio promises to nobody. Tried with
// Boost 1.81, 1.83 and 1.88 (Asio 1.26.0, 1.28.2 and 1.34.2), with g++ 12 and clang 19: what a new version breaks is in
// this file, and tests/includes_test.py keeps it so. The tests labelled `quick` tell whether what is named here still does what the
// harness takes it to do.
//
//   deadline_timer_service    what Asio's timers stand on. Specialised here for the steady and the system clock, before any
//                             timer is seen, so that unmodified timers wait in virtual time; its primary template still
//                             serves contexts that have no virtual time.
//   chrono_time_traits        a clock's saturating arithmetic, and half of the name of those services.
//   thread_context, its call stack, and thread_info_base
//                             how Asio finds the memory that it recycles for frames and handlers, and how it keeps what a
//                             handler throws inside `dispatch`. A context of the harness's own does both as `io_context`
//                             does.
//   scheduler, scheduler_thread_info
//                             what an `io_context` runs its handlers with: to call something as if inside of a stock one.
//   recycling_allocator       what a handler that names no allocator gets, in Asio's own services, too.
//   epoll_reactor             asked for only: a trial whose context has one waits for the real world.
//   awaitable_thread_has_context_switched
//                             whether `co_spawn` would post a turn of its own at the end of a coroutine.
#pragma once

#include <boost/version.hpp>
#if BOOST_VERSION < 108100
#error \
    "Assay needs Boost 1.81 or newer: what it takes from the inside of Asio is not there, or something else, before."
#endif
// With which it is seen to work: `ci/boost` and the system's own.
#define ASSAY_TRIED_BOOSTS "1.81, 1.83 and 1.88"
#define ASSAY_BOOST_IS_TRIED \
  (BOOST_VERSION / 100 == 1081 || BOOST_VERSION / 100 == 1083 || BOOST_VERSION / 100 == 1088)
#if !ASSAY_BOOST_IS_TRIED && !defined(ASSAY_UNTRIED_BOOST)
// Not #warning, which -Werror makes an error: most versions need nothing.
#pragma message(                                                        \
    "Assay was not tried with this Boost, but with " ASSAY_TRIED_BOOSTS \
    ". It may well work: run the tests labelled 'quick' of Assay's own tree with it (ci/boost VERSION, or -DASSAY_BOOST_HEADERS=FOLDER). Define ASSAY_UNTRIED_BOOST to silence this.")
#endif
#if defined(BOOST_ASIO_BASIC_WAITABLE_TIMER_HPP) || defined(BOOST_ASIO_DETAIL_DEADLINE_TIMER_SERVICE_HPP)
#error \
    "harness/sim/virtual_time.hpp came after Asio's timers. Link assay::assay (or call assay_instrument on the target), which injects it first."
#endif

#include <boost/asio/detail/chrono_time_traits.hpp>
#include <boost/asio/detail/config.hpp>
#include <boost/asio/detail/deadline_timer_service.hpp>
#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/recycling_allocator.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/detail/scheduler_thread_info.hpp>
#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/wait_traits.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <optional>

namespace boost::asio::detail {
struct awaitable_thread_has_context_switched;  // complete wherever <boost/asio/awaitable.hpp> is
}  // namespace boost::asio::detail

namespace assay::detail {

template <class Clock>
class timer_service_core;  // the harness's timer service of one clock: virtual_time.hpp

template <class Clock>
concept virtual_clock =
    std::same_as<Clock, std::chrono::steady_clock> || std::same_as<Clock, std::chrono::system_clock>;

/// What the inside of Asio is called in the harness.
namespace asio_internals {

template <class Clock>
using clock_traits = boost::asio::detail::chrono_time_traits<Clock, boost::asio::wait_traits<Clock>>;

/// Another name for the traits of a clock: the service under the plain one is specialised below.
template <class Clock>
struct real_clock_traits : clock_traits<Clock> {};
/// Asio's own timer service.
template <class Clock>
using real_timer_service = boost::asio::detail::deadline_timer_service<real_clock_traits<Clock>>;

using default_allocator = boost::asio::detail::recycling_allocator<void>;
using reactor = boost::asio::detail::epoll_reactor;
using thread_has_switched = boost::asio::detail::awaitable_thread_has_context_switched;

/// The memory that a context recycles, and what its handlers threw.
using recycled_memory = boost::asio::detail::thread_info_base;
/// The base of a context that runs handlers.
class thread_context : public boost::asio::detail::thread_context {
 protected:
  /// While one lives, the thread is inside the context.
  using on_call_stack = thread_call_stack::context;
};

/// While one lives, the thread is inside a stock `io_context`, as in one of its handlers: there `dispatch` is a call. What is
/// posted meanwhile comes behind what is ready.
class inside_stock_context : private thread_context {
 public:
  explicit inside_stock_context(boost::asio::execution_context& context)
      : scheduler_(boost::asio::use_service<boost::asio::detail::scheduler>(context)) {
    inside_.private_outstanding_work = 0;
    on_stack_.emplace(&scheduler_, inside_);
  }
  inside_stock_context(const inside_stock_context&) = delete;
  inside_stock_context& operator=(const inside_stock_context&) = delete;
  ~inside_stock_context() {
    on_stack_.reset();
    for (long left = inside_.private_outstanding_work; left > 0; --left) scheduler_.work_started();
    scheduler_.post_deferred_completions(inside_.private_op_queue);
  }
  /// Throws what something that was dispatched meanwhile has thrown.
  void rethrow_what_was_kept() { inside_.rethrow_pending_exception(); }

 private:
  boost::asio::detail::scheduler& scheduler_;
  boost::asio::detail::scheduler_thread_info inside_;
  std::optional<on_call_stack> on_stack_;
};

/// Memory of the context that the thread is inside, if it is inside one.
inline void* allocate(std::size_t size) {
  return recycled_memory::allocate(recycled_memory::default_tag(), thread_context::top_of_thread_call_stack(),
                                   size);
}
inline void deallocate(void* memory, std::size_t size) {
  recycled_memory::deallocate(recycled_memory::default_tag(), thread_context::top_of_thread_call_stack(),
                              memory, size);
}
/// Keeps the exception that is being handled for the end of the turn, as `dispatch` does.
inline void keep_current_exception() {
  thread_context::top_of_thread_call_stack()->capture_current_exception();
}

}  // namespace asio_internals
}  // namespace assay::detail

namespace boost::asio::detail {

// Beats the primary template for these two traits, and for no others: those derived from them are others.
template <assay::detail::virtual_clock Clock>
class deadline_timer_service<chrono_time_traits<Clock, wait_traits<Clock>>>
    : public execution_context_service_base<
          deadline_timer_service<chrono_time_traits<Clock, wait_traits<Clock>>>>,
      public assay::detail::timer_service_core<Clock> {
 public:
  explicit deadline_timer_service(execution_context& context)
      : execution_context_service_base<deadline_timer_service>(context),
        assay::detail::timer_service_core<Clock>(context) {}
  void shutdown() override {}
};

}  // namespace boost::asio::detail
