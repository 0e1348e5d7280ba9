// One simulated call in flight: it ends after a delay in virtual time, in the same turn or never, and meets a
// cancellation request as its plan says (MOK-2, MOK-4). Scripted mocks and the actions for GoogleMock stand
// on it.
//
// It is a plain Asio operation (with a slot, on the handler's executor), not a coroutine, so that it meets
// requests as a socket or a timer does. Whoever waits is kept by the timer service alone: dropping the
// execution context frees it.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/cancellation_type.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include <assay/harness/allocation/section.hpp>

namespace assay {

/// What a call does when it is asked to stop while it is pending.
enum class on_cancel {
  honour,  ///< ends as cancelled, having done nothing (total cancellation)
  ignore,  ///< goes on as if nothing had been asked
  finish,  ///< goes on for a given time, then ends with its value
  fail     ///< ends with an error of its own
};

namespace detail {

/// When a call ends, if nobody cancels it.
struct call_plan {
  enum class ending {
    at_once,    // without a suspension
    same_turn,  // posted in the turn of the call
    delayed,    // after `delay`
    never
  };
  ending ends = ending::same_turn;
  std::chrono::nanoseconds delay{};
  on_cancel policy = on_cancel::honour;
  std::chrono::nanoseconds finish_delay{};  // on_cancel::finish: from the request to the end
};

enum class call_end { completed, cancelled, failed_on_cancel };

/// Told of what happens to a call while it is pending; shared, since both may outlive the other (MOK-6).
struct call_watch {
  bool cancel_requested = false;
};

class pending_call : public std::enable_shared_from_this<pending_call> {
 public:
  pending_call(boost::asio::any_io_executor executor, call_plan plan, std::shared_ptr<call_watch> watch)
      : executor_(std::move(executor)), plan_(plan), watch_(std::move(watch)), timer_(executor_) {}
  pending_call(const pending_call&) = delete;
  pending_call& operator=(const pending_call&) = delete;
  virtual ~pending_call() = default;

  void begin() {
    if (plan_.ends == call_plan::ending::delayed) {
      timer_.expires_after(plan_.delay);
      wait();
    } else if (plan_.ends == call_plan::ending::never) {
      timer_.expires_at(boost::asio::steady_timer::time_point::max());
      wait();
    } else {
      boost::asio::post(executor_, [self = shared_from_this()] { self->complete(call_end::completed); });
    }
  }

  /// A request that comes when the end is on its way already changes nothing.
  void request_cancel() {
    watch_->cancel_requested = true;
    switch (plan_.policy) {
      case on_cancel::honour:
        if (timer_.cancel() > 0) end_ = call_end::cancelled;
        return;
      case on_cancel::ignore:
        return;
      case on_cancel::finish:
        if (finishing_) return;
        finishing_ = waits_again_ = timer_.expires_after(plan_.finish_delay) > 0;
        if (plan_.ends == call_plan::ending::never)
          end_ = call_end::cancelled;  // it has no value to end with
        return;
      case on_cancel::fail:
        if (timer_.cancel() > 0) end_ = call_end::failed_on_cancel;
        return;
    }
  }

 protected:
  virtual void complete(call_end end) = 0;

 private:
  void wait() {
    const harness_section section;
    timer_.async_wait(boost::asio::bind_executor(
        executor_, [self = shared_from_this()](boost::system::error_code) { self->woken(); }));
  }
  // What ended the call stands in `end_`: the timer's error says only that the wait is over.
  void woken() {
    if (std::exchange(waits_again_, false)) {
      wait();
    } else {
      complete(end_);
    }
  }

  boost::asio::any_io_executor executor_;
  call_plan plan_;
  std::shared_ptr<call_watch> watch_;
  boost::asio::steady_timer timer_;
  call_end end_ = call_end::completed;
  bool waits_again_ = false;
  bool finishing_ = false;
};

template <class Handler>
class pending_call_of final : public pending_call {
 public:
  pending_call_of(Handler&& handler, const boost::asio::any_io_executor& executor, call_plan plan,
                  std::shared_ptr<call_watch> watch)
      : pending_call(executor, plan, std::move(watch)), handler_(std::move(handler)) {}

 private:
  void complete(call_end end) override {
    Handler handler(std::move(*handler_));
    handler_.reset();
    std::move(handler)(end);
  }
  std::optional<Handler> handler_;
};

struct begin_call {
  template <class Handler>
  void operator()(Handler&& handler, call_plan plan, std::shared_ptr<call_watch> watch) const {
    const harness_section section;
    using op = pending_call_of<std::decay_t<Handler>>;
    const boost::asio::any_io_executor executor = boost::asio::get_associated_executor(handler);
    auto slot = boost::asio::get_associated_cancellation_slot(handler);
    const auto call = std::make_shared<op>(std::forward<Handler>(handler), executor, plan, std::move(watch));
    if (slot.is_connected()) {
      slot.assign([pending = std::weak_ptr<pending_call>(call)](boost::asio::cancellation_type) {
        if (const auto self = pending.lock()) self->request_cancel();
      });
    }
    call->begin();
  }
};

/// Waits until a call with this plan ends; the plan must suspend.
inline boost::asio::awaitable<call_end> wait_for_call(call_plan plan, std::shared_ptr<call_watch> watch) {
  const harness_section section;
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(call_end)>(
      begin_call(), boost::asio::use_awaitable, plan, std::move(watch));
}

}  // namespace detail

}  // namespace assay
