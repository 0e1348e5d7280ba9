// Detached coroutines. Asio drops an exception that leaves one; here somebody may listen, which is the trial that runs on the
// thread. Like the timers this is found in the place of Asio's own, so that code under test is what it is anywhere else.
#pragma once

#include <boost/asio/async_result.hpp>
#include <boost/asio/detached.hpp>
#include <exception>
#include <utility>

namespace assay::detail {

struct detached_listener {
  void (*tell)(void* whom, const std::exception_ptr& failure) = nullptr;
  void* whom = nullptr;
};
/// Is told of exceptions that leave this thread's detached coroutines.
inline constinit thread_local detached_listener listener_of_this_thread = {};

/// What co_spawn calls at the end of a detached coroutine.
struct detached_end {
  template <class... Value>
  void operator()(const std::exception_ptr& failure, Value&&...) const {
    const detached_listener& listener = listener_of_this_thread;
    if (failure && listener.tell != nullptr) listener.tell(listener.whom, failure);
  }
};

}  // namespace assay::detail

namespace boost::asio {

// More special than Asio's own for `detached`, and only where there may be an exception: as coroutines end, not timers.
template <class... Value>
struct async_result<detached_t, void(std::exception_ptr, Value...)> {
  using completion_handler_type = assay::detail::detached_end;
  using return_type = void;

  explicit async_result(completion_handler_type&) {}
  void get() {}

  template <class Initiation, class Token, class... Args>
  static void initiate(Initiation&& initiation, Token&&, Args&&... args) {
    std::forward<Initiation>(initiation)(assay::detail::detached_end(), std::forward<Args>(args)...);
  }
};

}  // namespace boost::asio
