// A semaphore that counts what is in use, and hands a permit that comes back to whoever has waited longest.
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <assay/harness/sim/deadline.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::semaphore_config;

ASSAY_DEFECTS(semaphore_bug, none, cancelled_stays_counted, raises_by_the_difference, try_counts_first,
              one_on_its_way_is_enough, wakes_before_it_counts)

class counting_semaphore final : public contract::semaphore {
 public:
  counting_semaphore(asio::any_io_executor executor, const semaphore_config& config, semaphore_bug bug)
      : executor_(std::move(executor)), bug_(bug), limit_(checked(config.limit)) {}

  std::size_t available() const override {
    return static_cast<std::size_t>(used_ < limit_ ? limit_ - used_ : 0);
  }
  std::size_t waiting() const override { return waiters_.size(); }

 protected:
  awaitable<void> do_acquire(std::size_t) override { return wait_until(waiting_list::time_point::max()); }
  awaitable<void> do_acquire_for(std::size_t, nanoseconds patience) override {
    return wait_until(deadline_after(patience));
  }
  bool do_try_acquire(std::size_t) override {
    if (bug_ == semaphore_bug::try_counts_first) return ++used_ <= limit_ && waiters_.empty();
    if (used_ >= limit_ || !waiters_.empty()) return false;
    ++used_;
    return true;
  }
  void do_release(std::size_t) override {
    if (used_ == 0) throw contract::rejected_error("nothing is in use");
    --used_;
    if (bug_ == semaphore_bug::one_on_its_way_is_enough && std::exchange(on_its_way_, !waiters_.empty()))
      return;
    serve();
  }
  void do_set_limit(std::int64_t limit) override {
    const std::int64_t more = checked(limit) - std::exchange(limit_, checked(limit));
    if (bug_ != semaphore_bug::raises_by_the_difference) return serve();
    for (std::int64_t i = 0; i < more && waiters_.wake_one(); ++i) ++used_;
  }

 private:
  static std::int64_t checked(std::int64_t limit) {
    if (limit < 1) throw contract::rejected_error("a limit below 1");
    return limit;
  }
  void serve() {
    while (used_ < limit_ && waiters_.wake_one()) {
      if (bug_ != semaphore_bug::wakes_before_it_counts) ++used_;
    }
  }

  awaitable<void> wait_until(waiting_list::time_point deadline) {
    if (do_try_acquire(1)) co_return;
    waiter self(executor_);
    const ended how = co_await waiters_.wait(self, deadline);
    on_its_way_ = false;
    if (how == ended::woken && bug_ == semaphore_bug::wakes_before_it_counts) ++used_;
    if (how == ended::cancelled && bug_ == semaphore_bug::cancelled_stays_counted) ++used_;
    check(how);
  }

  const asio::any_io_executor executor_;
  const semaphore_bug bug_;
  std::int64_t limit_;
  std::int64_t used_ = 0;
  waiting_list waiters_;
  bool on_its_way_ = false;  // what only a bug looks at
};

const table<counting_semaphore, semaphore_bug> counting(
    "counting_semaphore", {"bounded", "fair", "try", "timed", "resizable", "value", "statistics"},
    {
        {semaphore_bug::cancelled_stays_counted,
         "the count goes down before the wait (a negative one says how many wait), and nobody takes that "
         "back "
         "after a cancellation",
         {{"SEM-1", ""}, {"SEM-4", ""}}},
        {semaphore_bug::raises_by_the_difference,
         "a raised limit admits the difference, also while more are in use than the old one allowed "
         "(agronholm/anyio#1223)",
         {{"SEM-1", ""}, {"SEM-7", ""}}},
        {semaphore_bug::try_counts_first,
         "to try counts up, and looks then; if it was too many, nobody counts down again",
         {{"SEM-1", ""}}},
        {semaphore_bug::one_on_its_way_is_enough,
         "of two releases in one turn the second wakes nobody, since somebody is on his way",
         {{"SEM-1", ""}}},
        {semaphore_bug::wakes_before_it_counts,
         "who was woken counts himself when he runs: until then his permit is there for others "
         "(agronholm/anyio#1170)",
         {{"SEM-1", ""}, {"X-13", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
