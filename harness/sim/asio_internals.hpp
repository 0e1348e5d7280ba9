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
//   add_service<scheduler>    how a context gets its scheduler: to see an `io_context` when it is made.
//   scheduler_task, and the scheduler's private `get_task_` and `op_queue_`
//                             what a `run` waits in that has no handler to run, the reactor elsewhere: an `io_context` of a
//                             trial waits in virtual time. And whether one has a handler to run.
//   scheduler_operation       what such a context runs: a wait that has ended.
//   thread_group::create_threads, global<system_context>
//                             how `thread_pool` and `system_context` start their threads (a macro is around the name while
//                             they are defined), and how the latter is found: in a trial they have none.
//   recycling_allocator       what a handler that names no allocator gets, in Asio's own services, too.
//   epoll_reactor             asked for only: a trial whose context has one waits for the real world.
//   awaitable_async_op        what a coroutine awaits that is given an asynchronous operation, as a temporary: to await one of a
//                             trial that has a name, and to give its value.
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
    "harness/sim/virtual_time.hpp came after Asio's timers. Link assay::test (or call assay_instrument on the target), which injects it first."
#endif

#include <boost/asio/detail/config.hpp>
#include <boost/asio/detail/global.hpp>
#include <boost/asio/execution_context.hpp>

// Specialised below, and declared here, before anybody can use them.
namespace boost::asio {
class system_context;
namespace detail {
class scheduler;
template <>
inline system_context& global<system_context>();
}  // namespace detail
template <>
inline void add_service<detail::scheduler>(execution_context& context, detail::scheduler* service);
}  // namespace boost::asio

namespace assay::detail::asio_internals {
/// How many threads a context of Asio's is to start that wants so many.
inline std::size_t threads_of_system(std::size_t wanted);
inline std::size_t threads_of_pool(std::size_t wanted);
}  // namespace assay::detail::asio_internals

// The contexts that have threads ask how many, where they create them.
#include <boost/asio/detail/thread_group.hpp>
#define create_threads(function, wanted) \
  create_threads(function, ::assay::detail::asio_internals::threads_of_system(wanted))
#include <boost/asio/system_context.hpp>
#undef create_threads
#define create_threads(function, wanted) \
  create_threads(function, ::assay::detail::asio_internals::threads_of_pool(wanted))
#include <boost/asio/thread_pool.hpp>
#undef create_threads

#include <boost/asio/detail/chrono_time_traits.hpp>
#include <boost/asio/detail/deadline_timer_service.hpp>
#include <boost/asio/detail/epoll_reactor.hpp>
#include <boost/asio/detail/op_queue.hpp>
#include <boost/asio/detail/recycling_allocator.hpp>
#include <boost/asio/detail/scheduler.hpp>
#include <boost/asio/detail/scheduler_operation.hpp>
#include <boost/asio/detail/scheduler_task.hpp>
#include <boost/asio/detail/scheduler_thread_info.hpp>
#include <boost/asio/detail/thread_context.hpp>
#include <boost/asio/detail/thread_info_base.hpp>
#include <boost/asio/wait_traits.hpp>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include <assay/harness/sim/scoped_value.hpp>

// Complete wherever <boost/asio/awaitable.hpp> is.
namespace boost::asio::detail {
struct awaitable_thread_has_context_switched;
template <typename Executor>
class awaitable_frame_base;
template <typename Signature, typename Operation, typename Executor>
class awaitable_async_op;
}  // namespace boost::asio::detail

namespace assay {
template <class T>
class operation;
}  // namespace assay

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

// Private members of the scheduler: who explicitly instantiates a template may name them.
boost::asio::detail::scheduler::get_task_func_type& task_getter_of(boost::asio::detail::scheduler& owner);
boost::asio::detail::op_queue<boost::asio::detail::scheduler_operation>& queue_of(
    boost::asio::detail::scheduler& owner);
template <boost::asio::detail::scheduler::get_task_func_type boost::asio::detail::scheduler::* Getter,
          boost::asio::detail::op_queue<boost::asio::detail::scheduler_operation>
              boost::asio::detail::scheduler::* Queue>
struct scheduler_members {
  friend boost::asio::detail::scheduler::get_task_func_type& task_getter_of(
      boost::asio::detail::scheduler& owner) {
    return owner.*Getter;
  }
  friend boost::asio::detail::op_queue<boost::asio::detail::scheduler_operation>& queue_of(
      boost::asio::detail::scheduler& owner) {
    return owner.*Queue;
  }
};
template struct scheduler_members<&boost::asio::detail::scheduler::get_task_,
                                  &boost::asio::detail::scheduler::op_queue_>;

/// The scheduler of a stock `io_context` that somebody runs from outside, a handler at a time, on one thread. A `run` of the
/// context that finds no handler waits in `wait`.
class driven_scheduler : private boost::asio::detail::scheduler_task {
 public:
  /// The context must be new: nothing may have used its reactor.
  explicit driven_scheduler(boost::asio::execution_context& context)
      : scheduler_(boost::asio::use_service<boost::asio::detail::scheduler>(context)) {
    offered_ = this;
    task_getter_of(scheduler_) = [](boost::asio::execution_context&) { return offered_; };
    scheduler_.init_task();
  }
  driven_scheduler(const driven_scheduler&) = delete;
  driven_scheduler& operator=(const driven_scheduler&) = delete;

  /// Whether a handler is ready; not to be asked from within `wait`.
  bool has_ready() const {
    using boost::asio::detail::op_queue_access;
    auto* const first = op_queue_access::front(queue_of(scheduler_));
    return first != nullptr && op_queue_access::next(first) != nullptr;  // one of them stands for `wait`
  }
  bool stopped() const { return scheduler_.stopped(); }
  /// Whether something is to come: a handler, a wait, a work guard.
  bool has_work() {
    if (stopped()) return false;
    scheduler_.work_started();
    scheduler_.work_finished();
    const bool none = stopped();
    if (none) scheduler_.restart();
    return !none;
  }
  /// Runs one ready handler, as somebody would who goes on running the context when it is out of work. What the handler
  /// throws comes out.
  void run_ready() {
    scheduler_.work_started();
    struct ending {
      ~ending() {
        const bool asked_for = which.stopped();
        which.work_finished();
        if (!asked_for) which.restart();
      }
      boost::asio::detail::scheduler& which;
    } const later{scheduler_};
    boost::system::error_code failure;
    scheduler_.poll_one(failure);
  }
  /// Something is begun that ends with `push`.
  void begin_work() noexcept { scheduler_.work_started(); }

 protected:
  using operation = boost::asio::detail::scheduler_operation;
  ~driven_scheduler() = default;
  void push(operation* ended) { scheduler_.post_deferred_completion(ended); }

 private:
  /// Waits for something to run, for so many microseconds, or for ever if they are negative. May throw.
  virtual void wait(long microseconds) = 0;

  void run(long microseconds, boost::asio::detail::op_queue<operation>&) final {
    if (microseconds != 0) wait(microseconds);
  }
  void interrupt() final {}

  static inline constinit thread_local boost::asio::detail::scheduler_task* offered_ = nullptr;
  boost::asio::detail::scheduler& scheduler_;
};

/// What a trial wants to be told of the execution contexts of the code under test. All of it on the trial's own thread.
struct context_listener {
  void (*made)(void* whom, boost::asio::execution_context& context) = nullptr;
  /// A use of something that has threads of its own, or of a context that is none of the trial's; what it is, and what to do
  /// instead. Where it says so it may throw.
  void (*refused)(void* whom, const char* what, bool may_throw) = nullptr;
  void* whom = nullptr;
};
inline constinit thread_local context_listener contexts_of_this_thread = {};
inline constinit thread_local bool without_threads = false;  // what is made now starts none

inline void refuse(const char* what, bool may_throw) {
  if (contexts_of_this_thread.refused != nullptr)
    contexts_of_this_thread.refused(contexts_of_this_thread.whom, what, may_throw);
}

inline std::size_t threads_of_system(std::size_t wanted) { return without_threads ? 0 : wanted; }
inline std::size_t threads_of_pool(std::size_t wanted) {
  refuse(
      "asio::thread_pool has threads of its own, and threads cannot be simulated; pass an executor in, the "
      "trial's in a test",
      true);
  return wanted;
}

/// A system_context that runs nothing.
inline boost::asio::system_context& dead_system_context() {
  static auto* const dead = [] {
    const scoped_value unheard(contexts_of_this_thread, {});
    const scoped_value threadless(without_threads, true);
    return new boost::asio::system_context;  // for ever, as what is posted there
  }();
  return *dead;
}

/// What tells the end of an operation of a trial to a handler.
template <class T>
struct end_of {
  template <class Handler>
  void operator()(Handler&& handler) && {
    which(std::forward<Handler>(handler));
  }
  operation<T> which;
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

namespace boost::asio {
namespace detail {

template <>
inline system_context& global<system_context>() {
  using namespace assay::detail::asio_internals;
  if (contexts_of_this_thread.refused == nullptr) return posix_global<system_context>();
  refuse(
      "asio::system_executor runs what is posted there on threads of its own, and threads cannot be "
      "simulated; pass an "
      "executor in, the trial's in a test",
      false);
  return dead_system_context();
}

}  // namespace detail

namespace detail {

template <typename Signature, typename T, typename Executor>
class awaitable_async_op<Signature, assay::operation<T>, Executor>
    : private assay::detail::asio_internals::end_of<T>,
      public awaitable_async_op<Signature, assay::detail::asio_internals::end_of<T>, Executor> {
  using end = assay::detail::asio_internals::end_of<T>;
  using plain = awaitable_async_op<Signature, end, Executor>;

 public:
  awaitable_async_op(const assay::operation<T>& which, awaitable_frame_base<Executor>* frame)
      : end{which}, plain(static_cast<end&&>(*this), frame) {}
  T await_resume() {
    plain::await_resume();
    return this->which.take();
  }
};

}  // namespace detail

template <>
inline void add_service<detail::scheduler>(execution_context& context, detail::scheduler* service) {
  context.service_registry_->template add_service<detail::scheduler>(service);
  const auto& listener = assay::detail::asio_internals::contexts_of_this_thread;
  if (listener.made != nullptr) listener.made(listener.whom, context);
}

}  // namespace boost::asio
