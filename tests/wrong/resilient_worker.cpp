// A worker with a list of its own: each run takes the first item, has it processed, and puts it back where it was if it is
// cancelled meanwhile.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::resilient_worker;
using contract::resilient_worker_config;

ASSAY_DEFECTS(worker_bug, none, puts_back_in_silence, stops_all_of_them, forgets_the_request_at_a_letter,
              counts_off_before_the_letter)

class listing_worker final : public resilient_worker {
 public:
  listing_worker(asio::any_io_executor executor, const resilient_worker_config& config, worker_bug bug)
      : executor_(std::move(executor)), config_(config), bug_(bug) {
    if (config.capacity < 1 || config.attempts_max < 0) throw contract::rejected_error("no such worker");
  }

  awaitable<void> join() override {
    if (unsettled_ == 0) co_return;
    waiter self(executor_);
    const ended how = co_await joiners_.wait(self);
    check(how);
  }

 protected:
  awaitable<void> do_submit(item one) override {
    while (tasks_.size() >= static_cast<std::size_t>(config_.capacity)) {
      waiter self(executor_);
      const ended how = co_await submitters_.wait(self);
      check(how);
    }
    tasks_.push_back({std::move(one), ++numbers_});
    ++unsettled_;
    idle_.wake_one();
  }

  // In a scope of its own, where requests may be held while a letter is written.
  awaitable<void> do_run() override {
    stopping_ = false;
    return scope(work());
  }

  std::vector<item> do_take_back() override {
    std::vector<item> all;
    for (task& each : tasks_) all.push_back(std::move(each.work));
    tasks_.clear();
    submitters_.wake_all();
    if (!all.empty()) settle(all.size());
    return all;
  }

 private:
  struct task {
    item work;
    std::uint64_t number = 0;  // of its submit
    std::uint32_t attempts = 0;
  };

  awaitable<void> work() {
    for (;;) {
      co_await asio::this_coro::throw_if_cancelled(true);
      while (tasks_.empty()) {
        if (stopping_) contract::throw_cancelled();
        waiter self(executor_);
        const ended how = co_await idle_.wait(self);
        check(how);
      }
      if (stopping_) contract::throw_cancelled();
      const auto state = co_await asio::this_coro::cancellation_state;
      if (state.cancelled() != asio::cancellation_type::none) {
        idle_.wake_one();  // what woke this one is there for another
        contract::throw_cancelled();
      }
      task one = std::move(tasks_.front());
      tasks_.pop_front();
      submitters_.wake_one();
      co_await deal_with(std::move(one));
    }
  }

  awaitable<void> deal_with(task one) {
    std::exception_ptr failure;
    const bool used_up = config_.attempts_max > 0 && one.attempts >= config_.attempts_max;
    if (used_up) {
      failure = std::make_exception_ptr(contract::rejected_error("its attempts are used up"));
    } else {
      ++one.attempts;
      try {
        co_await process(one.work, one.attempts);
      } catch (...) {
        failure = std::current_exception();
      }
    }
    co_await hold_requests;
    if (!failure) {
      settle(1);
      co_return;
    }
    const auto state = co_await asio::this_coro::cancellation_state;
    if (is_cancellation(failure) && state.cancelled() != asio::cancellation_type::none) {
      put_back(std::move(one));
      contract::throw_cancelled();
    }
    co_await give_up(std::move(one), failure);
  }

  void put_back(task one) {
    const auto place = std::find_if(tasks_.begin(), tasks_.end(),
                                    [&](const task& each) { return each.number > one.number; });
    tasks_.insert(place, std::move(one));
    if (bug_ != worker_bug::puts_back_in_silence) idle_.wake_one();
    if (bug_ == worker_bug::stops_all_of_them) {
      stopping_ = true;
      idle_.wake_all();
    }
  }

  // Requests are held.
  awaitable<void> give_up(task one, std::exception_ptr cause) {
    const bool early = bug_ == worker_bug::counts_off_before_the_letter;
    if (early) settle(1);
    const auto limit = deadline_after(std::chrono::nanoseconds(config_.dead_letter_patience_ns));
    const std::exception_ptr unwritten =
        co_await failure_of(shield(dead_letter(one.work, cause, one.attempts), limit));
    if (bug_ == worker_bug::forgets_the_request_at_a_letter)
      co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    if (unwritten) lost(std::move(one.work), cause, one.attempts, unwritten);
    if (!early) settle(1);
  }

  void settle(std::size_t count) {
    unsettled_ -= count;
    if (unsettled_ == 0) joiners_.wake_all();
  }

  const asio::any_io_executor executor_;
  const resilient_worker_config config_;
  const worker_bug bug_;
  std::deque<task> tasks_;
  std::uint64_t numbers_ = 0;
  std::size_t unsettled_ = 0;
  waiting_list submitters_;
  waiting_list idle_;
  waiting_list joiners_;
  bool stopping_ = false;  // what only a bug looks at
};

const table<listing_worker, worker_bug> listing(
    "listing_worker", {"requeue", "dead_letter", "attempts", "attempt_cap", "join"},
    {
        {worker_bug::forgets_the_request_at_a_letter,
         "writing a dead letter resets the cancellation state: a worker that was cancelled meanwhile goes on",
         {{"RWK-4", "the worker ends as cancelled"}}},
        {worker_bug::counts_off_before_the_letter,
         "an item is counted off when its dead letter is begun: join ends before it is written",
         {{"RWK-8", "whose letter is being written is unfinished"}}},
        {worker_bug::puts_back_in_silence,
         "a cancelled worker hands its item back, and the idle worker beside it is not woken",
         {{"RWK-1", ""}, {"RWK-2", ""}, {"RWK-7", ""}, {"X-4", ""}}},
        {worker_bug::stops_all_of_them,
         "a flag that all runs share: a worker that is cancelled at its item stops the others as well",
         {{"RWK-1", ""}, {"RWK-2", ""}, {"RWK-7", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
