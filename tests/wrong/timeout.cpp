// Time limits of work that was started apart, by somebody who had read the contract alone. Whoever waits for the work looks
// at the limit himself, so that it can be moved.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::timeout_config;

ASSAY_DEFECTS(timeout_bug, none, disarms_after_a_value, asks_the_clock_in_the_end, notices_later_limits_alone,
              stops_who_is_inside_alone)

class looking_timeout final : public contract::timeout {
 public:
  looking_timeout(asio::any_io_executor executor, const timeout_config&, timeout_bug bug)
      : executor_(std::move(executor)), bug_(bug) {}

  void set_deadline(nanoseconds later) override { deadline_ = deadline_after(later); }
  void open_scope(nanoseconds limit) override {
    current_ = std::make_shared<limited>(time_point::max());
    current_->counted = limit;
  }
  void stop_scope() override {
    if (bug_ == timeout_bug::stops_who_is_inside_alone && !current_->entered) return;
    current_->stopped = true;
    current_->changed.wake_all();
  }
  bool reschedule(nanoseconds later) override {
    limited& one = *current_;
    if (one.expired || (one.is_set() && std::chrono::steady_clock::now() >= one.deadline)) return false;
    one.deadline = deadline_after(later);
    one.moved = true;
    if (bug_ != timeout_bug::notices_later_limits_alone) one.changed.wake_all();
    return true;
  }

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override {
    return run_until(deadline_after(limit), std::move(one));
  }
  awaitable<bool> do_run_for_or(nanoseconds limit, work one) override {
    auto scope = std::make_shared<limited>(deadline_after(limit));
    const result how = co_await run_in(std::move(scope), std::move(one));
    co_return how == result::value;
  }
  awaitable<void> do_run_by_deadline(work one) override { return run_until(deadline_, std::move(one)); }
  awaitable<bool> do_run_nested(nanoseconds outer, nanoseconds inner, work one) override {
    const auto has_passed = std::make_shared<bool>(false);
    auto inside = std::make_shared<limited>(deadline_after(inner));
    work both = [this, has_passed, inside = std::move(inside), one = std::move(one)]() mutable {
      return run_inside(std::move(inside), std::move(one), has_passed);
    };
    auto outside = std::make_shared<limited>(deadline_after(outer));
    const result how = co_await run_in(std::move(outside), std::move(both));
    if (how == result::timed_out) throw contract::timed_out_error();
    co_return !*has_passed;
  }
  awaitable<bool> do_run_scope(work one) override {
    const std::shared_ptr<limited> scope = current_;
    if (scope->entered) throw contract::rejected_error("it was entered before");
    if (!scope->moved) scope->deadline = deadline_after(scope->counted);
    const result how = co_await run_in(scope, std::move(one));
    if (how == result::timed_out) throw contract::timed_out_error();
    co_return how == result::value;
  }

 private:
  using time_point = waiting_list::time_point;
  enum class result { value, timed_out, stopped };
  struct limited {
    explicit limited(time_point until) : deadline(until) {}
    bool is_set() const { return entered || moved; }
    time_point deadline;
    nanoseconds counted{};  // from entry on
    bool moved = false;
    bool entered = false;
    bool stopped = false;
    bool expired = false;
    waiting_list changed;
  };

  awaitable<void> run_inside(std::shared_ptr<limited> scope, work one, std::shared_ptr<bool> has_passed) {
    const result how = co_await run_in(std::move(scope), std::move(one));
    *has_passed = how == result::timed_out;
  }
  awaitable<void> run_until(time_point deadline, work one) {
    auto scope = std::make_shared<limited>(deadline);
    const result how = co_await run_in(std::move(scope), std::move(one));
    if (how == result::timed_out) throw contract::timed_out_error();
  }

  awaitable<result> run_in(std::shared_ptr<limited> scope, work one) {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    scope->entered = true;
    if (scope->stopped) co_return result::stopped;
    if (scope->deadline <= std::chrono::steady_clock::now()) co_return result::timed_out;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto is_over = std::make_shared<bool>(false);
    last_ = scope;
    if (bug_ == timeout_bug::disarms_after_a_value && scope->deadline != time_point::max())
      arm(scope, is_over);
    const std::shared_ptr<started> child =
        begin(executor_, "work", std::move(one), [scope](const started&) { scope->changed.wake_all(); });
    bool outside = false;
    while (!child->ended) {
      waiter self(executor_);
      co_await scope->changed.wait(self, child->asked ? time_point::max() : scope->deadline);
      if (child->ended) break;
      const auto state = co_await asio::this_coro::cancellation_state;
      outside = outside || state.cancelled() != asio::cancellation_type::none;
      const bool is_due = std::chrono::steady_clock::now() >= scope->deadline;
      if (is_due && !outside && !scope->stopped) scope->expired = true;
      if ((outside || scope->stopped || scope->expired) && !child->asked) child->ask_to_stop();
    }
    const std::exception_ptr failure = child->failure;
    co_await asio::this_coro::throw_if_cancelled(throwing);
    const bool has_failed = failure && !is_cancellation(failure);
    *is_over = !has_failed;
    if (has_failed) std::rethrow_exception(failure);
    if (!failure) co_return result::value;
    if (bug_ == timeout_bug::asks_the_clock_in_the_end &&
        std::chrono::steady_clock::now() >= scope->deadline) {
      co_return result::timed_out;
    }
    if (outside) contract::throw_cancelled();
    if (scope->expired) co_return result::timed_out;
    if (scope->stopped) co_return result::stopped;
    std::rethrow_exception(failure);
  }

  // What only a bug has: a timer that stops whatever runs when it comes.
  void arm(const std::shared_ptr<limited>& scope, std::shared_ptr<bool> is_over) {
    const auto timer = std::make_shared<asio::steady_timer>(executor_, scope->deadline);
    timer->async_wait([this, timer, is_over, armed_by = std::weak_ptr<limited>(scope),
                       alive = std::weak_ptr<char>(alive_)](boost::system::error_code error) {
      if (error || *is_over || alive.expired() || armed_by.lock()) return;
      const std::shared_ptr<limited> last = last_.lock();
      if (!last) return;
      last->deadline = std::chrono::steady_clock::now();
      last->changed.wake_all();
    });
  }

  const asio::any_io_executor executor_;
  const timeout_bug bug_;
  time_point deadline_ = time_point::max();
  std::shared_ptr<limited> current_;
  std::weak_ptr<limited> last_;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

const table<looking_timeout, timeout_bug> looking(
    "looking_timeout",
    {"joins_work", "cooperative", "value_wins", "zero_never_starts", "fallback", "deadline", "nested",
     "scope_handle", "own_cancel", "reschedule", "counts_from_entry", "lifetime"},
    {
        {timeout_bug::disarms_after_a_value,
         "the timer of work that fails is not disarmed, and stops what runs later",
         {{"TMO-11", ""}, {"TMO-4", ""}}},
        {timeout_bug::asks_the_clock_in_the_end,
         "who stopped work that ends late is found out by the clock: a deadline that passes while it cleans "
         "up after a request is told as timed out",
         {{"TMO-3", ""}, {"TMO-6", ""}}},
        {timeout_bug::notices_later_limits_alone,
         "a deadline that is moved is looked at when the old one has come: an earlier one comes late",
         {{"TMO-13", ""}}},
        {timeout_bug::stops_who_is_inside_alone,
         "to stop a scope asks the work that is inside, and is forgotten if none is yet",
         {{"TMO-15", ""}, {"X-32", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
