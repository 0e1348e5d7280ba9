// A barrier that counts who is there, and numbers its generations.
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
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

}  // namespace
}  // namespace assay::wrong
