// The least condition: a flag with one timer for all who want the mutex, and one for all who wait. And the alternative.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/condition/alternative.hpp>
#include <assay/scenarios/flow/condition/by_hand.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

// Every notification wakes everybody: who waits for a predicate does not mind.
class least_condition final : public condition_by_hand {
 public:
  least_condition(const asio::any_io_executor& executor, const contract::condition_config&)
      : unlocked_(executor, asio::steady_timer::time_point::max()),
        notified_(executor, asio::steady_timer::time_point::max()) {}
  void notify_now(std::size_t count) override {
    if (count > 0) notify_all_now();
  }
  void notify_all_now() override {
    ++notifications_;
    notified_.cancel();
  }

 protected:
  awaitable<void> do_lock() override {
    while (locked_) {
      boost::system::error_code ended;
      co_await unlocked_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      check_cancelled(co_await asio::this_coro::cancellation_state);
    }
    locked_ = true;
  }
  void do_unlock() override {
    locked_ = false;
    unlocked_.cancel();
  }
  awaitable<void> do_wait_held() override {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    const std::size_t before = notifications_;
    do_unlock();
    boost::system::error_code ended;
    co_await notified_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    const bool notified = notifications_ != before;
    co_await hold_requests;
    co_await shield(do_lock());
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (!notified) contract::throw_cancelled();
  }

 private:
  asio::steady_timer unlocked_;
  asio::steady_timer notified_;
  bool locked_ = false;
  std::size_t notifications_ = 0;
};

const implements<least_condition> least("least", subject_kind::alternative, {});
const implements<alternative_condition> alternative(
    "giving_back_condition", subject_kind::alternative,
    {.features = {"fair", "exact_wakeups", "timed", "predicate_value", "manual", "plain_notify",
                  "checked_lock", "bounded_reacquire", "status", "statistics", "strict_entry",
                  "posted_wakeups", "checked_destruction"}},
    notifying::by_anybody, condition_defect::none);
const implements<alternative_condition> strict("strict_condition", subject_kind::alternative,
                                               {.features = {"fair", "exact_wakeups", "manual",
                                                             "notify_needs_lock", "checked_lock"}},
                                               notifying::by_holders, condition_defect::none);

}  // namespace
}  // namespace assay
