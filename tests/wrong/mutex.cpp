// A mutex that hands itself to whoever has waited longest.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include <assay/harness/sim/deadline.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::mutex_config;

ASSAY_DEFECTS(mutex_bug, none, frees_before_it_wakes, unlocks_for_who_never_had_it,
              removes_the_first_of_the_line, timed_out_after_it_had_it, counts_entries)

class handing_mutex final : public contract::mutex {
 public:
  handing_mutex(asio::any_io_executor executor, const mutex_config&, mutex_bug bug)
      : executor_(std::move(executor)), bug_(bug) {}

  bool is_locked() const override { return locked_; }
  std::size_t waiting() const override { return waiters_.size(); }

 protected:
  awaitable<void> do_run(work inside) override {
    return run_until(waiting_list::time_point::max(), std::move(inside));
  }
  awaitable<void> do_run_for(nanoseconds patience, work inside) override {
    return run_until(deadline_after(patience), std::move(inside));
  }
  awaitable<void> do_lock() override { return wait_until(waiting_list::time_point::max()); }
  bool do_try_lock() override {
    if (bug_ == mutex_bug::counts_entries) return entered_++ == 0 && !std::exchange(locked_, true);
    return !std::exchange(locked_, true);
  }
  void do_unlock() override {
    if (!locked_) throw contract::rejected_error("not locked");
    if (entered_ > 0) --entered_;
    if (bug_ == mutex_bug::frees_before_it_wakes) {
      locked_ = false;
      waiters_.wake_one();
    } else {
      locked_ = waiters_.wake_one();
    }
  }

 private:
  awaitable<void> wait_until(waiting_list::time_point deadline) {
    if (!do_try_lock()) {
      waiter self(executor_);
      const ended how = co_await waiters_.wait(self, deadline);
      if (how != ended::woken && bug_ == mutex_bug::removes_the_first_of_the_line) waiters_.wake_one();
      const bool is_late = std::chrono::steady_clock::now() > deadline;
      if (is_late && bug_ == mutex_bug::timed_out_after_it_had_it) throw contract::timed_out_error();
      check(how);
      locked_ = true;
    }
  }
  awaitable<void> run_until(waiting_list::time_point deadline, work inside) {
    std::exception_ptr failure;
    bool has_it = false;
    try {
      co_await wait_until(deadline);
      has_it = true;
      co_await inside();
    } catch (...) {
      failure = std::current_exception();
    }
    if (locked_ && (has_it || bug_ == mutex_bug::unlocks_for_who_never_had_it)) do_unlock();
    if (failure) std::rethrow_exception(failure);
  }

  const asio::any_io_executor executor_;
  const mutex_bug bug_;
  bool locked_ = false;
  waiting_list waiters_;
  std::size_t entered_ = 0;  // what only a bug looks at
};

const table<handing_mutex, mutex_bug> handing(
    "handing_mutex", {"fair", "timed", "manual", "try", "checked_unlock", "status", "statistics"},
    {
        {mutex_bug::frees_before_it_wakes,
         "it is free until who was woken runs, and a newcomer takes it: then both are inside",
         {{"MTX-1", ""}, {"X-13", ""}, {"MTX-6", ""}}},
        {mutex_bug::unlocks_for_who_never_had_it,
         "the guard is made before the wait: who is cancelled in line unlocks for the holder (finally around "
         "acquire)",
         {{"MTX-1", ""}, {"MTX-2", ""}}},
        {mutex_bug::removes_the_first_of_the_line,
         "who gives up takes the first of the line off it, whoever that is",
         {{"MTX-1", ""}, {"MTX-2", ""}}},
        {mutex_bug::timed_out_after_it_had_it,
         "who runs after his deadline says that he timed out, although it was handed to him, and it stays "
         "locked",
         {{"X-31", ""}}},
        {mutex_bug::counts_entries,
         "a count of those who have entered; who tries in vain is counted, and nobody takes that back",
         {{"MTX-1", ""}, {"MTX-6", ""}}},
    });

// Written later, by somebody who had read the contract alone: it knows its owners, and what became of them.

ASSAY_DEFECTS(owner_bug, none, watches_in_the_line, keeps_the_name, looks_for_a_rejection,
              times_the_work_as_well)

class owning_mutex final : public contract::mutex {
 public:
  owning_mutex(asio::any_io_executor executor, const mutex_config&, owner_bug bug)
      : executor_(std::move(executor)), bug_(bug) {}

  awaitable<void> wait_unlocked() override {
    while (!broken_ && locked_) {
      waiter self(executor_);
      request in_line(executor_);
      in_line.watches = true;
      ended how = ended::woken;
      if (bug_ == owner_bug::watches_in_the_line) {
        ++watching_;
        how = co_await line_.wait(in_line);
        --watching_;
      } else {
        how = co_await watchers_.wait(self);
      }
      check(how);
    }
    if (broken_) throw contract::broken_error();
  }
  void cancel_all() override {
    ++rejections_;
    turn_away(answer::rejected);
  }
  bool is_locked() const override { return locked_; }
  std::optional<std::int64_t> holder() const override { return locked_ ? owner_ : std::nullopt; }
  std::size_t waiting() const override { return line_.size() - std::min(line_.size(), watching_); }

 protected:
  awaitable<void> do_run(work inside) override {
    return run_until(waiting_list::time_point::max(), std::move(inside));
  }
  awaitable<void> do_run_for(nanoseconds patience, work inside) override {
    return run_until(deadline_after(patience), std::move(inside));
  }
  awaitable<void> do_lock() override { return lock_until(waiting_list::time_point::max(), std::nullopt); }
  awaitable<void> do_lock_as(std::int64_t owner) override {
    return lock_until(waiting_list::time_point::max(), owner);
  }
  bool do_try_lock() override { return !broken_ && take(std::nullopt); }
  void do_unlock() override {
    if (!locked_ || owner_) throw contract::rejected_error("nobody's, or somebody's by name");
    pass_on();
  }
  void do_unlock_as(std::int64_t owner) override {
    if (!locked_ || owner_ != owner) throw contract::rejected_error("another's");
    pass_on();
  }
  void do_end_owner(std::int64_t owner) override {
    if (owner_ != owner) return;
    broken_ = true;
    locked_ = false;
    owner_.reset();
    turn_away(answer::broken);
    watchers_.wake_all();
  }

 private:
  enum class answer { granted, rejected, broken };
  struct request : waiter {
    using waiter::waiter;
    std::optional<std::int64_t> owner;
    answer said = answer::granted;
    bool watches = false;  // what only a bug looks at
  };

  bool take(std::optional<std::int64_t> owner) {
    if (locked_ || !line_.empty()) return false;
    locked_ = true;
    owner_ = owner;
    return true;
  }
  void pass_on() {
    const bool is_free = line_.empty() || static_cast<request&>(line_.front()).watches;
    if (!is_free) {
      owner_ = static_cast<request&>(line_.front()).owner;
      line_.wake_one();
      return;
    }
    locked_ = false;
    if (bug_ != owner_bug::keeps_the_name) owner_.reset();
    watchers_.wake_all();
    line_.wake_one();
  }
  void turn_away(answer why) {
    while (!line_.empty()) {
      static_cast<request&>(line_.front()).said = why;
      line_.wake_one();
    }
  }

  awaitable<void> lock_until(waiting_list::time_point deadline, std::optional<std::int64_t> owner) {
    if (broken_) throw contract::broken_error();
    if (owner && locked_ && owner_ == owner) throw contract::rejected_error("he holds it");
    if (take(owner)) co_return;
    request self(executor_);
    self.owner = owner;
    const std::size_t rejections = rejections_;
    check(co_await line_.wait(self, deadline));
    const bool looks = bug_ == owner_bug::looks_for_a_rejection && rejections != rejections_;
    if (looks || self.said == answer::rejected) throw contract::rejected_error("all were sent away");
    if (broken_ || self.said == answer::broken) throw contract::broken_error();
  }
  awaitable<void> run_until(waiting_list::time_point deadline, work inside) {
    co_await lock_until(deadline, std::nullopt);
    std::exception_ptr failure;
    try {
      co_await inside();
    } catch (...) {
      failure = std::current_exception();
    }
    if (locked_) pass_on();
    if (failure) std::rethrow_exception(failure);
    const bool is_late = std::chrono::steady_clock::now() > deadline;
    if (is_late && bug_ == owner_bug::times_the_work_as_well) throw contract::timed_out_error();
  }

  const asio::any_io_executor executor_;
  const owner_bug bug_;
  bool locked_ = false;
  bool broken_ = false;
  std::optional<std::int64_t> owner_;
  std::size_t rejections_ = 0;
  waiting_list line_;
  waiting_list watchers_;
  std::size_t watching_ = 0;  // what only a bug counts
};

const table<owning_mutex, owner_bug> owning(
    "owning_mutex",
    {"fair", "timed", "manual", "try", "checked_unlock", "owner_checked", "owner_death", "cancel_all",
     "wait_unlocked", "status", "statistics", "posted_wakeups"},
    {
        {owner_bug::watches_in_the_line,
         "who waits until it is free stands in line with those who want it, and hands nothing on when he was "
         "told",
         {{"MTX-10", ""}, {"MTX-1", ""}}},
        {owner_bug::keeps_the_name,
         "to unlock leaves the owner's name: when he ends later, what he held once is broken",
         {{"MTX-8", ""}}},
        {owner_bug::looks_for_a_rejection,
         "who runs looks whether all were rejected meanwhile: also if it was his already, and then it is "
         "nobody's",
         {{"MTX-9", ""}}},
        {owner_bug::times_the_work_as_well,
         "work that ends well after the patience of the wait is told as timed out",
         {{"X-23", "outlasts the patience"}}},
    });

}  // namespace
}  // namespace assay::wrong
