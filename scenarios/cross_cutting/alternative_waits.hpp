// How alternatives wait on a timer that whoever wakes the waiter cancels, with two defects that the mutants of any of them may
// have.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <functional>
#include <map>
#include <memory>
#include <utility>

namespace assay {

struct wait_defects {
  bool weak_request_uses_up_the_strong =
      false;  ///< after a partial request, a terminal one goes unheard (M-X7)
  bool resumes_inside_the_call =
      false;  ///< who waits without a deadline goes on inside the call that wakes him (M-X12)
};

class alternative_waits {
 public:
  explicit alternative_waits(wait_defects wrong) : wrong_(wrong) {}

  /// Waits until the timer is cancelled or due, or a request ends the wait. True if the scope is cancelled. Throws where memory
  /// is short, or where a cancelled scope is entered. What it is a member of may go while it waits.
  boost::asio::awaitable<bool> wait(boost::asio::steady_timer& timer) {
    using namespace boost::asio;
    if (wrong_.weak_request_uses_up_the_strong) {
      co_await this_coro::reset_cancellation_state(enable_total_cancellation());
    }
    boost::system::error_code ended;
    if (wrong_.resumes_inside_the_call && timer.expiry() == steady_timer::time_point::max()) {
      co_await wait_to_be_resumed(&timer);
    } else {
      co_await timer.async_wait(redirect_error(use_awaitable, ended));
    }
    const auto state = co_await this_coro::cancellation_state;
    if (state.cancelled() ==
        cancellation_type::partial) {  // the defect alone hears of it, and of nothing more
      co_await this_coro::reset_cancellation_state(disable_cancellation());
      co_await timer.async_wait(redirect_error(use_awaitable, ended));
    }
    co_return state.cancelled() != cancellation_type::none;
  }

  /// Ends the wait on this timer.
  void wake(boost::asio::steady_timer& timer) {
    timer.cancel();
    resume(*kept_, &timer);
  }

 private:
  using handlers = std::map<const boost::asio::steady_timer*, std::function<void()>>;

  static void resume(handlers& all, const boost::asio::steady_timer* who) {
    if (const auto one = all.extract(who)) one.mapped()();
  }

  // The defect: the handler is not posted, but kept where whoever wakes the waiter finds it. A request may come when the subject is
  // gone.
  boost::asio::awaitable<void> wait_to_be_resumed(const boost::asio::steady_timer* who) {
    auto initiation = [&all = kept_, who](auto handler) {
      auto kept = std::make_shared<decltype(handler)>(std::move(handler));
      boost::asio::get_associated_cancellation_slot(*kept).assign(
          [all = std::weak_ptr<handlers>(all), who](auto) {
            if (const auto there = all.lock()) resume(*there, who);
          });
      (*all)[who] = [kept] { std::move (*kept)(); };
    };
    return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
        std::move(initiation), boost::asio::use_awaitable);
  }

  wait_defects wrong_;
  std::shared_ptr<handlers> kept_ = std::make_shared<handlers>();  // no other owner
};

}  // namespace assay
