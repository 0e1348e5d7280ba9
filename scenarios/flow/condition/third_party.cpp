// What people make condition variables of with Boost.Asio alone: a timer that never expires, of which who notifies cancels one
// wait, or all. The mutex is made of another. A wait looks at its own slate after the timer, since cancel says the same to who
// is notified and to who is asked to stop.
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/condition/by_hand.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

class timer_condition final : public condition_by_hand {
 public:
  timer_condition(const asio::any_io_executor& executor, const contract::condition_config&)
      : unlocked_(executor, asio::steady_timer::time_point::max()),
        notified_(executor, asio::steady_timer::time_point::max()) {}
  void notify_now(std::size_t count) override {
    for (; count > 0; --count) notified_.cancel_one();
  }
  void notify_all_now() override { notified_.cancel(); }
  bool is_locked() const override { return locked_; }

 protected:
  awaitable<void> do_lock() override {
    while (std::exchange(locked_, true)) {
      error_code ended;  // an unlock or a request: after a request, the next co_await throws
      co_await unlocked_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    }
  }
  void do_unlock() override {
    locked_ = false;
    unlocked_.cancel_one();
  }
  awaitable<void> do_wait_held() override {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    do_unlock();
    error_code ended;
    co_await notified_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = state.cancelled() != asio::cancellation_type::none;
    co_await hold_requests;
    co_await shield(do_lock());
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (cancelled) contract::throw_cancelled();
  }

 private:
  bool locked_ = false;
  asio::steady_timer unlocked_;
  asio::steady_timer notified_;
};

const implements<timer_condition> timer(
    "asio_timer", subject_kind::third_party,
    {.features = {"fair", "exact_wakeups", "manual", "plain_notify", "status", "posted_wakeups"},
     .cites = "Boost 1.81, Asio reference, basic_waitable_timer::cancel_one: 'forces the completion of one "
              "pending "
              "asynchronous wait operation against the timer. Handlers are cancelled in FIFO order'; cancel: "
              "of all of "
              "them; handlers are completed as if by post",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
