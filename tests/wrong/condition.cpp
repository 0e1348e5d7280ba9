// A condition with a mutex and a list of its own, by somebody who had read the contract alone.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <utility>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/condition/by_hand.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::condition_config;

ASSAY_DEFECTS(condition_bug, none, late_with_the_mutex, always_passes_on, counts_the_timed_out,
              tries_twice_to_lock)

class listing_condition final : public condition_by_hand {
 public:
  listing_condition(asio::any_io_executor executor, const condition_config&, condition_bug bug)
      : executor_(std::move(executor)), bug_(bug) {}

  void notify_now(std::size_t count) override {
    for (; count > 0 && waiting_ > 0; --count) {
      --waiting_;
      if (!waiters_.wake_one()) ++left_over_;
    }
  }
  void notify_all_now() override { notify_now(waiting_); }
  bool is_locked() const override { return locked_; }
  std::size_t waiting() const override { return waiters_.size(); }

 protected:
  awaitable<void> do_lock() override {
    if (!locked_) {
      locked_ = true;
      co_return;
    }
    waiter self(executor_);
    check(co_await lockers_.wait(self));
  }
  void do_unlock() override { locked_ = lockers_.wake_one(); }
  awaitable<void> do_wait_held() override { return wait_by(waiting_list::time_point::max()); }
  awaitable<void> do_wait_held_for(nanoseconds patience) override {
    return wait_by(deadline_after(patience));
  }

 private:
  awaitable<void> wait_by(waiting_list::time_point deadline) {
    check_cancelled(co_await asio::this_coro::cancellation_state);
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    ended how = ended::woken;
    bool has_it = true;
    if (left_over_ > 0) {
      --left_over_;
    } else {
      waiter self(executor_);
      ++waiting_;
      do_unlock();
      how = co_await waiters_.wait(self, deadline);
      const bool stays_counted = bug_ == condition_bug::counts_the_timed_out && how == ended::timed_out;
      if (how != ended::woken && !stays_counted) --waiting_;
      has_it = co_await lock_again();
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (!has_it) contract::throw_cancelled();
    if (bug_ == condition_bug::always_passes_on && state.cancelled() != asio::cancellation_type::none) {
      notify_now(1);
      contract::throw_cancelled();
    }
    if (bug_ == condition_bug::late_with_the_mutex && std::chrono::steady_clock::now() > deadline)
      throw contract::timed_out_error();
    check(how);
  }
  // A request does not keep it from locking.
  awaitable<bool> lock_again() {
    if (!std::exchange(locked_, true)) co_return true;
    waiter self(executor_);
    int tries = 0;
    ended how = ended::cancelled;
    while (how != ended::woken) {
      if (bug_ == condition_bug::tries_twice_to_lock && tries == 2) co_return false;
      how = co_await lockers_.wait(self);
      ++tries;
    }
    co_return true;
  }

  const asio::any_io_executor executor_;
  const condition_bug bug_;
  bool locked_ = false;
  waiting_list lockers_;
  waiting_list waiters_;
  std::size_t waiting_ = 0;
  std::size_t left_over_ = 0;  // stays 0 without a bug
};

const table<listing_condition, condition_bug> listing(
    "listing_condition",
    {"fair", "exact_wakeups", "timed", "predicate_value", "manual", "plain_notify", "status", "statistics",
     "posted_wakeups"},
    {
        {condition_bug::late_with_the_mutex,
         "who was notified in time and gets the mutex after his deadline says that he timed out",
         {{"CND-4", ""}, {"X-31", ""}}},
        {condition_bug::always_passes_on,
         "every wait that is cancelled notifies the next, also if it was not notified itself",
         {{"CND-3", ""}, {"X-2", ""}}},
        {condition_bug::counts_the_timed_out,
         "a wait that times out stays counted, and a notification for it is kept for whoever waits later",
         {{"CND-3", ""}, {"CND-8", ""}}},
        {condition_bug::tries_twice_to_lock,
         "a request interrupts the locking after a wait, which is tried once more: a second one leaves it "
         "without the mutex",
         {{"CND-2", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
