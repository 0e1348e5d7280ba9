// A semaphore that counts what is in use, and hands a permit that comes back to whoever has waited longest.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
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

// Written later, by somebody who had read the contract alone: a number of free permits, which is below 0 while a lowered
// limit is not reached yet.

ASSAY_DEFECTS(permit_bug, none, serves_after_cancellation_alone, leaves_its_place_taken, clamps_what_is_free,
              looks_whether_it_was_closed)

class owing_semaphore final : public contract::semaphore {
 public:
  owing_semaphore(asio::any_io_executor executor, const semaphore_config& config, permit_bug bug)
      : executor_(std::move(executor)),
        bug_(bug),
        waiting_max_(config.waiting_max),
        limit_(checked(config.limit)),
        free_(limit_) {}

  void cancel_all() override { turn_away(answer::rejected); }
  void close() override {
    closed_ = true;
    turn_away(answer::closed);
  }
  std::size_t available() const override {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, free_));
  }
  std::size_t waiting() const override { return line_.size(); }

 protected:
  awaitable<void> do_acquire(std::size_t count) override {
    return acquire_until(count, waiting_list::time_point::max());
  }
  awaitable<void> do_acquire_for(std::size_t count, nanoseconds patience) override {
    return acquire_until(count, deadline_after(patience));
  }
  bool do_try_acquire(std::size_t count) override {
    return !closed_ && line_.empty() && take(static_cast<std::int64_t>(count));
  }
  void do_release(std::size_t count) override {
    const auto back = static_cast<std::int64_t>(count);
    if (used_ < back) throw contract::rejected_error("not so many are in use");
    used_ -= back;
    free_ += back;
    serve();
  }
  awaitable<void> do_run(std::function<awaitable<void>()> work) override {
    co_await do_acquire(1);
    std::exception_ptr failure;
    try {
      co_await work();
    } catch (...) {
      failure = std::current_exception();
    }
    do_release(1);
    if (failure) std::rethrow_exception(failure);
  }
  void do_set_limit(std::int64_t limit) override {
    free_ += checked(limit) - std::exchange(limit_, checked(limit));
    if (bug_ == permit_bug::clamps_what_is_free) free_ = std::max<std::int64_t>(0, free_);
    refuse_what_is_too_much();
    serve();
  }

 private:
  enum class answer { granted, rejected, closed };
  struct request : waiter {
    using waiter::waiter;
    std::int64_t count = 0;
    answer said = answer::granted;
  };

  static std::int64_t checked(std::int64_t limit) {
    if (limit < 1) throw contract::rejected_error("a limit below 1");
    return limit;
  }
  bool take(std::int64_t count) {
    if (free_ < count) return false;
    free_ -= count;
    used_ += count;
    return true;
  }
  void serve() {
    while (!line_.empty() && take(static_cast<request&>(line_.front()).count)) line_.wake_one();
  }
  // Whoever wants more than there can be now: those behind him wait on, in their order.
  void refuse_what_is_too_much() {
    for (std::size_t left = line_.size(); left > 0; --left) {
      auto& first = static_cast<request&>(line_.front());
      if (first.count > limit_) {
        first.said = answer::rejected;
        line_.wake_one();
      } else {
        line_.send_to_the_back();
      }
    }
  }
  void turn_away(answer why) {
    while (!line_.empty()) {
      static_cast<request&>(line_.front()).said = why;
      line_.wake_one();
    }
    places_lost_ = 0;
  }

  awaitable<void> acquire_until(std::size_t wanted, waiting_list::time_point deadline) {
    const auto count = static_cast<std::int64_t>(wanted);
    if (closed_) throw contract::closed_error();
    if (count > limit_) throw contract::rejected_error("more than there are");
    if (line_.empty() && take(count)) co_return;
    const auto queued = static_cast<std::int64_t>(line_.size()) + places_lost_;
    if (waiting_max_ >= 0 && queued >= waiting_max_) throw contract::rejected_error("full");
    request self(executor_);
    self.count = count;
    const ended how = co_await line_.wait(self, deadline);
    if (how == ended::woken) {
      const bool looks = bug_ == permit_bug::looks_whether_it_was_closed && closed_;
      if (looks || self.said == answer::closed) throw contract::closed_error();
      if (self.said == answer::rejected) throw contract::rejected_error("all were sent away");
      co_return;
    }
    if (bug_ == permit_bug::leaves_its_place_taken && how == ended::timed_out) ++places_lost_;
    // The next one may want less.
    if (bug_ != permit_bug::serves_after_cancellation_alone || how == ended::cancelled) serve();
    check(how);
  }

  const asio::any_io_executor executor_;
  const permit_bug bug_;
  const std::int64_t waiting_max_;
  std::int64_t limit_;
  std::int64_t free_;
  std::int64_t used_ = 0;
  bool closed_ = false;
  waiting_list line_;
  std::int64_t places_lost_ = 0;  // what only a bug counts
};

const table<owing_semaphore, permit_bug> owing(
    "owing_semaphore",
    {"bounded", "weighted", "reject_oversize", "fair", "try", "timed", "guarded", "resizable", "bulkhead",
     "cancel_all", "closable", "value", "statistics", "posted_wakeups"},
    {
        {permit_bug::serves_after_cancellation_alone,
         "who times out at the front of the line, and wanted more than the next, does not let him by",
         {{"SEM-4", ""}, {"SEM-2", ""}}},
        {permit_bug::leaves_its_place_taken,
         "the place in a bounded line of one who times out stays taken",
         {{"SEM-6", ""}}},
        {permit_bug::clamps_what_is_free,
         "a limit that is lowered below what is in use owes nothing: what comes back first is free",
         {{"SEM-7", ""}, {"SEM-1", ""}}},
        {permit_bug::looks_whether_it_was_closed,
         "who was granted a permit and runs after a close ends as closed, and the permit is nobody's",
         {{"SEM-15", ""}, {"SEM-1", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
