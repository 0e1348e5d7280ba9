// An event whose wait is an asynchronous operation of one's own, written with Asio's `co_composed` as its documentation has
// them written, over a timer that nobody lets expire. With Boost 1.86 or newer the token `cancel_at` gives it a time limit.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/co_composed.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>
#if BOOST_VERSION >= 108600
#include <boost/asio/cancel_at.hpp>
#endif
#include <exception>
#include <functional>
#include <string>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class co_composed_event final : public contract::event {
  // What it completes with is decided by what has happened to the event, not by what the timer says.
  template <class Token>
  auto async_wait(Token&& token) {
    return asio::async_initiate<Token, void(error_code)>(
        asio::experimental::co_composed<void(error_code)>(
            [](auto, co_composed_event& event) -> void {
              const std::size_t sets = event.sets_;
              if (event.set_) {
                // Not inside of the initiating function.
                co_await asio::post(event.timer_.get_executor(), asio::deferred);
                co_return {error_code()};
              }
              co_await event.timer_.async_wait(asio::as_tuple(asio::deferred));
              if (event.sets_ == sets) co_return {error_code(asio::error::operation_aborted)};
              co_return {error_code()};
            },
            timer_),
        token, std::ref(*this));
  }

 public:
  co_composed_event(const asio::any_io_executor& executor, const contract::event_config& config)
      : timer_(executor, asio::steady_timer::time_point::max()),
        latch_(config.form == contract::event_form::latch) {}
  bool is_set() const override { return set_; }

 protected:
  awaitable<void> do_wait() override { co_await async_wait(asio::use_awaitable); }
#if BOOST_VERSION >= 108600
  awaitable<void> do_wait_for(nanoseconds patience) override {
    auto waiting = async_wait(asio::cancel_at(deadline_after(patience), asio::use_awaitable));
    const std::exception_ptr failure = co_await failure_of(std::move(waiting));
    // The wait ends as cancelled in both cases. It was the deadline if nobody else asked.
    const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
    if (failure && is_cancellation(failure) && requests.cancelled() == asio::cancellation_type::none)
      throw contract::timed_out_error();
    if (failure) std::rethrow_exception(failure);
  }
#endif
  void do_set() override {
    set_ = true;
    ++sets_;
    timer_.cancel();
  }
  void do_clear() override {
    if (latch_) throw contract::rejected_error("a latch has no clear");
    set_ = false;
  }

 private:
  asio::steady_timer timer_;
  const bool latch_;
  bool set_ = false;
  std::size_t sets_ = 0;
};

subject_traits co_composed_traits() {
  subject_traits traits;
  traits.features = {"clear", "latch", "posted_wakeups"};
  traits.cites = "Boost 1.81, Asio reference, experimental::co_composed, basic_waitable_timer::cancel";
  traits.library = "Boost " + boost_version();
#if BOOST_VERSION >= 108600
  traits.features.push_back("timed");
  traits.cites += "; Boost 1.86, cancel_at";
#endif
  return traits;
}

const implements<co_composed_event> co_composed("asio_co_composed", subject_kind::third_party,
                                                co_composed_traits());

}  // namespace
}  // namespace assay
