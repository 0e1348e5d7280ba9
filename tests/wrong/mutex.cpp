// A mutex that hands itself to whoever has waited longest.
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
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

}  // namespace
}  // namespace assay::wrong
