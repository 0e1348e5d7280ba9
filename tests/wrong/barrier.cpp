// A barrier that counts who is there, and numbers its generations.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::barrier_cancel;
using contract::barrier_config;

ASSAY_DEFECTS(barrier_bug, none, looks_at_the_count, forgets_that_it_timed_out, resets_the_count_alone,
              breaks_when_released, reset_is_for_the_broken)

class counting_barrier final : public contract::barrier {
 public:
  counting_barrier(asio::any_io_executor executor, const barrier_config& config, barrier_bug bug)
      : executor_(std::move(executor)), config_(config), bug_(bug) {
    if (config.parties < 1) throw contract::rejected_error("a barrier needs a party");
  }

  awaitable<void> abort() override {
    fail_all();
    co_return;
  }
  awaitable<void> reset() override {
    const bool was_broken = std::exchange(broken_, false);
    if (bug_ == barrier_bug::reset_is_for_the_broken && !was_broken) co_return;
    if (bug_ != barrier_bug::resets_the_count_alone) fail_all();
    broken_ = false;
    here_ = 0;
  }
  std::size_t waiting() const override { return static_cast<std::size_t>(here_); }

 protected:
  awaitable<std::size_t> do_wait() override { return wait_until(waiting_list::time_point::max()); }
  awaitable<std::size_t> do_wait_for(nanoseconds patience) override {
    return wait_until(deadline_after(patience));
  }

 private:
  void fail_all() {
    broken_ = true;
    ++failures_;
    here_ = 0;
    waiters_.wake_all();
  }

  awaitable<std::size_t> wait_until(waiting_list::time_point deadline) {
    if (broken_) throw contract::broken_error();
    if (++here_ == config_.parties) {
      here_ = 0;
      ++generation_;
      waiters_.wake_all();
      co_return 0;
    }
    waiter self(executor_);
    const std::size_t generation = generation_;
    const std::size_t failures = failures_;
    ended how = co_await waiters_.wait(self, deadline);
    // Woken is not enough of a reason to go on: somebody may have been woken by a failure.
    if (failures != failures_) throw contract::broken_error();
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool asked = state.cancelled() != asio::cancellation_type::none;
    if (bug_ == barrier_bug::breaks_when_released && how == ended::woken && asked) {
      fail_all();
      contract::throw_cancelled();
    }
    const bool tripped = bug_ == barrier_bug::looks_at_the_count ? here_ == 0 : generation != generation_;
    if (how == ended::woken && tripped) co_return 0;
    if (how == ended::woken) how = ended::cancelled;
    if (how == ended::timed_out && bug_ == barrier_bug::forgets_that_it_timed_out) check(how);
    if (config_.on_cancel == barrier_cancel::breaks) {
      fail_all();
    } else {
      --here_;
    }
    check(how);
    co_return 0;
  }

  const asio::any_io_executor executor_;
  const barrier_config config_;
  const barrier_bug bug_;
  std::int64_t here_ = 0;
  std::size_t generation_ = 0;
  std::size_t failures_ = 0;
  bool broken_ = false;
  waiting_list waiters_;
};

const table<counting_barrier, barrier_bug> counting(
    "counting_barrier",
    {"cancel_breaks", "cancel_leaves", "abort", "reset", "reset_breaks_released", "reject_zero", "timed",
     "statistics"},
    {
        {barrier_bug::looks_at_the_count,
         "who was woken looks whether nobody is there any more, and so waits again beside a fast party",
         {{"BAR-2", ""}}},
        {barrier_bug::forgets_that_it_timed_out,
         "a party that times out is not taken off the count, and breaks nothing: a handler for cancellation "
         "alone",
         {{"BAR-3", "times out"}}},
        {barrier_bug::resets_the_count_alone,
         "reset takes the count back, and leaves those parked who are",
         {{"BAR-7", "ends who is parked"}}},
        {barrier_bug::breaks_when_released,
         "who finds itself cancelled breaks the barrier, also when it was released before",
         {{"BAR-5", ""}}},
        {barrier_bug::reset_is_for_the_broken,
         "reset does nothing unless the barrier is broken",
         {{"BAR-7", "ends who is parked"}}},
    });

// Written later, by somebody who had read the contract alone. Each generation is an object of its own, which its parties
// keep.

ASSAY_DEFECTS(phase_bug, none, numbers_by_the_count, counts_the_refused, the_last_one_yields,
              disarms_unless_broken)

class phasing_barrier final : public contract::barrier {
 public:
  phasing_barrier(asio::any_io_executor executor, const barrier_config& config, phase_bug bug)
      : executor_(std::move(executor)), config_(config), bug_(bug) {
    if (config.parties < 1) throw contract::rejected_error("a barrier needs a party");
  }

  awaitable<void> abort() override {
    fail(*current_);
    co_return;
  }
  awaitable<void> reset() override {
    if (bug_ == phase_bug::counts_the_refused && current_->broken) {
      current_->broken = false;
      co_return;
    }
    fail(*std::exchange(current_, std::make_shared<phase>()));
  }
  std::size_t waiting() const override { return current_->parties.size(); }

 protected:
  awaitable<std::size_t> do_wait() override { return wait_until(waiting_list::time_point::max()); }
  awaitable<std::size_t> do_wait_for(nanoseconds patience) override {
    return wait_until(deadline_after(patience));
  }

 private:
  struct party : waiter {
    using waiter::waiter;
    std::size_t index = 0;
    bool broken = false;
  };
  struct phase {
    waiting_list parties;
    std::int64_t arrived = 0;
    bool broken = false;
  };
  // What only a bug has.
  struct alarm {
    explicit alarm(const asio::any_io_executor& executor) : timer(executor) {}
    asio::steady_timer timer;
    bool expired = false;
  };

  static void fail(phase& all) {
    all.broken = true;
    all.arrived = 0;
    while (!all.parties.empty()) {
      static_cast<party&>(all.parties.front()).broken = true;
      all.parties.wake_one();
    }
  }
  void trip() {
    const auto old = std::exchange(current_, std::make_shared<phase>());
    for (std::size_t index = 0; !old->parties.empty(); ++index) {
      auto& first = static_cast<party&>(old->parties.front());
      if (bug_ != phase_bug::numbers_by_the_count) first.index = index;
      old->parties.wake_one();
    }
  }
  std::shared_ptr<alarm> set_alarm(waiting_list::time_point deadline) {
    auto set = std::make_shared<alarm>(executor_);
    set->timer.expires_at(deadline);
    set->timer.async_wait([this, set, alive = std::weak_ptr<char>(alive_)](boost::system::error_code error) {
      if (error || alive.expired()) return;
      set->expired = true;
      fail(*current_);
    });
    return set;
  }

  awaitable<std::size_t> wait_until(waiting_list::time_point deadline) {
    const std::shared_ptr<phase> mine = current_;
    const std::int64_t before = mine->arrived;
    if (bug_ == phase_bug::counts_the_refused) ++mine->arrived;
    if (mine->broken) throw contract::broken_error();
    if (bug_ != phase_bug::counts_the_refused) ++mine->arrived;
    if (mine->arrived >= config_.parties) {
      trip();
      if (bug_ == phase_bug::the_last_one_yields) {
        asio::steady_timer turn(executor_, std::chrono::nanoseconds(0));
        co_await turn.async_wait(asio::use_awaitable);
      }
      co_return static_cast<std::size_t>(config_.parties - 1);
    }
    party self(executor_);
    self.index = static_cast<std::size_t>(before);
    std::shared_ptr<alarm> set;
    if (bug_ == phase_bug::disarms_unless_broken && deadline != waiting_list::time_point::max() &&
        config_.on_cancel == contract::barrier_cancel::breaks) {
      set = set_alarm(std::exchange(deadline, waiting_list::time_point::max()));
    }
    const ended how = co_await mine->parties.wait(self, deadline);
    if (set && set->expired) throw contract::timed_out_error();
    if (how == ended::woken && self.broken) throw contract::broken_error();
    if (set) set->timer.cancel();
    if (how == ended::woken) co_return self.index;
    if (config_.on_cancel == contract::barrier_cancel::breaks) {
      fail(*mine);
    } else {
      --mine->arrived;
    }
    check(how);
    co_return 0;
  }

  const asio::any_io_executor executor_;
  const barrier_config config_;
  const phase_bug bug_;
  std::shared_ptr<phase> current_ = std::make_shared<phase>();
  const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

const table<phasing_barrier, phase_bug> phasing(
    "phasing_barrier",
    {"arrival_index", "cancel_breaks", "cancel_leaves", "release_wins", "abort", "reset", "reject_zero",
     "timed", "statistics", "posted_wakeups"},
    {
        {phase_bug::numbers_by_the_count,
         "a party's number is how many were there when it came: beside one that has left, two have the same",
         {{"BAR-9", ""}, {"BAR-1", ""}}},
        {phase_bug::counts_the_refused,
         "who comes to a broken barrier is counted before he is refused, and reset takes the flag back alone",
         {{"BAR-8", ""}}},
        {phase_bug::the_last_one_yields,
         "the party that released the others gives them a turn, and ends as cancelled if it is asked to stop "
         "there",
         {{"X-2", ""}, {"X-3", ""}, {"BAR-5", ""}}},
        {phase_bug::disarms_unless_broken,
         "a party that ends as broken leaves its deadline armed, which breaks the generation that stands "
         "then",
         {{"BAR-4", ""}, {"BAR-7", ""}, {"BAR-8", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
