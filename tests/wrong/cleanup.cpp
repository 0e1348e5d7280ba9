// A scope that keeps a stack of what it has acquired, by somebody who had read the contract alone. Each step of cleanup is
// started apart, where no request reaches it.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::aggregate_error;
using contract::cleanup_config;
using contract::cleanup_resource;

ASSAY_DEFECTS(cleanup_bug, none, one_limit_for_all, clears_the_stack_in_the_end, disarms_after_success,
              flushes_what_went_well)

class stacking_cleanup final : public contract::cleanup {
 public:
  stacking_cleanup(environment& env, const cleanup_config& config, cleanup_bug bug)
      : env_(env), executor_(env.executor()), config_(config), bug_(bug) {}

  std::vector<std::string> forced() const override { return forced_; }
  contract::cleanup_statistics statistics() const override {
    contract::cleanup_statistics counts;
    counts.open = open_.size() + in_cleanup_;
    if (bug_ == cleanup_bug::clears_the_stack_in_the_end)
      counts.open -= std::min(open_.size(), closed_ + forced_.size());
    counts.closed = closed_;
    counts.forced = forced_.size();
    return counts;
  }

 protected:
  awaitable<void> do_run(step body) override {
    if (has_run_ || begun_) throw contract::rejected_error("a scope is for one run");
    has_run_ = true;
    std::exception_ptr failure;
    try {
      co_await body();
    } catch (...) {
      failure = std::current_exception();
    }
    body = nullptr;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    went_well_ = !failure;
    std::vector<aggregate_error::member> failures;
    co_await clean_up(failures);
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (failures.empty() && failure) std::rethrow_exception(failure);
    if (failures.empty()) co_return;
    if (is_cancellation(failure)) {
      for (const aggregate_error::member& one : failures) env_.report_unhandled(one.failure);
      std::rethrow_exception(failure);
    }
    if (failure) failures.insert(failures.begin(), {"body", failure});
    throw aggregate_error(failures);
  }
  awaitable<void> do_acquire(cleanup_resource what) override {
    if (!what.close) throw contract::rejected_error("it cannot be closed");
    if (begun_) throw contract::closed_error();
    co_await what.acquire();
    if (!begun_) {
      open_.push_back(std::move(what));
      co_return;
    }
    // It came too late: nobody else will close it.
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    std::vector<aggregate_error::member> failures;
    ++in_cleanup_;
    co_await clean(what, deadline_after(config_.limit), failures);
    co_await asio::this_coro::throw_if_cancelled(throwing);
    for (const aggregate_error::member& one : failures) env_.report_unhandled(one.failure);
    throw contract::closed_error();
  }
  awaitable<void> do_close() override {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    std::vector<aggregate_error::member> failures;
    co_await clean_up(failures);
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (!failures.empty()) throw aggregate_error(failures);
    if (bug_ == cleanup_bug::clears_the_stack_in_the_end) open_.clear();
  }

 private:
  using time_point = waiting_list::time_point;

  awaitable<void> clean_up(std::vector<aggregate_error::member>& failures) {
    begun_ = true;
    const time_point limit_of_all = deadline_after(config_.limit);
    if (bug_ == cleanup_bug::clears_the_stack_in_the_end) {
      for (std::size_t left = open_.size(); left > 0; --left)
        co_await clean(open_[left - 1], limit_of_all, failures);
    }
    while (bug_ != cleanup_bug::clears_the_stack_in_the_end && !open_.empty()) {
      cleanup_resource last = std::move(open_.back());
      open_.pop_back();
      ++in_cleanup_;
      co_await clean(last, limit_of_all, failures);
    }
  }
  awaitable<void> clean(const cleanup_resource& one, time_point limit_of_all,
                        std::vector<aggregate_error::member>& failures) {
    const bool shares = bug_ == cleanup_bug::one_limit_for_all;
    const time_point deadline = shares ? limit_of_all : deadline_after(config_.limit);
    is_early_ = false;
    const auto is_over = std::make_shared<bool>(false);
    if (bug_ == cleanup_bug::disarms_after_success) arm(deadline, is_over);
    bool by_force = false;
    bool has_failed = false;
    const bool flushes = went_well_ || bug_ != cleanup_bug::flushes_what_went_well;
    for (const bool is_flush : {true, false}) {
      if (is_flush && !flushes) continue;
      if (by_force) break;
      const step& work = is_flush ? one.flush : one.close;
      if (!work) continue;
      const std::shared_ptr<started> child =
          begin(executor_, one.name, work, [this](const started&) { changed_.wake_all(); });
      while (!child->ended) {
        waiter self(executor_);
        co_await changed_.wait(self, by_force ? time_point::max() : deadline);
        const bool is_due = is_early_ || std::chrono::steady_clock::now() >= deadline;
        if (child->ended || by_force || !is_due) continue;
        by_force = true;
        if (in_cleanup_ > 0) --in_cleanup_;
        forced_.push_back(one.name);
        one.force_close();
      }
      if (child->failed()) {
        failures.push_back({one.name, child->failure});
        has_failed = true;
      }
    }
    if (!by_force && in_cleanup_ > 0) --in_cleanup_;
    if (!by_force) ++closed_;
    if (by_force || !has_failed) *is_over = true;
  }
  // What only a bug has: a timer that closes by force whatever is cleaned up when it comes.
  void arm(time_point deadline, std::shared_ptr<bool> is_over) {
    const auto timer = std::make_shared<asio::steady_timer>(executor_, deadline);
    timer->async_wait(
        [this, timer, is_over, alive = std::weak_ptr<char>(alive_)](boost::system::error_code error) {
          if (error || *is_over || alive.expired()) return;
          is_early_ = true;
          changed_.wake_all();
        });
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const cleanup_config config_;
  const cleanup_bug bug_;
  std::vector<cleanup_resource> open_;
  std::vector<std::string> forced_;
  std::size_t closed_ = 0;
  bool has_run_ = false;
  bool begun_ = false;
  bool went_well_ = true;
  std::size_t in_cleanup_ = 0;
  bool is_early_ = false;
  waiting_list changed_;
  const std::shared_ptr<char> alive_ = std::make_shared<char>();
};

const table<stacking_cleanup, cleanup_bug> stacking(
    "stacking_cleanup", {"shielded_cleanup", "bounded_cleanup", "single_use", "statistics"},
    {
        {cleanup_bug::one_limit_for_all,
         "the limit of one resource is counted from when all of the cleanup began",
         {{"CLN-7", ""}}},
        {cleanup_bug::clears_the_stack_in_the_end,
         "a close by the body that fails leaves the stack as it was, and the end of the run closes all again",
         {{"CLN-1", ""}, {"CLN-10", ""}}},
        {cleanup_bug::disarms_after_success,
         "the limit of a resource that fails to close goes on, and comes for another one",
         {{"CLN-7", ""}}},
        {cleanup_bug::flushes_what_went_well,
         "nothing is flushed unless the body ended well",
         {{"CLN-5", ""}, {"CLN-8", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
