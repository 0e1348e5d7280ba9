// The reference's worker pool behind the contract.
#include <assay/reference/flow/worker_pool.hpp>

#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {
namespace {

// The reference's own words for the contract's outcomes.
[[noreturn]] void rethrow_as_outcome(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::closed&) {
    throw contract::closed_error();
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::job_cancelled& error) {
    throw contract::rejected_error(error.what());
  } catch (const std::logic_error& error) {
    throw contract::rejected_error(error.what());
  }
}

reference::worker_pool_options options_of(environment& env, const contract::worker_pool_config& config) {
  reference::worker_pool_options options;
  options.workers = static_cast<std::size_t>(config.workers);
  options.queue_capacity = static_cast<std::size_t>(config.queue_capacity);
  options.started = config.started;
  options.unhandled = [&env](const reference::task_failure& failure) {
    const detail::harness_section section;  // the hook must not throw
    try {
      rethrow_as_outcome(failure.error);
    } catch (...) {
      env.report_unhandled(std::current_exception());
    }
  };
  return options;
}

class reference_pool final : public contract::worker_pool {
 public:
  reference_pool(environment& env, const contract::worker_pool_config& config)
      : env_(env),
        watch_(env.executor()),
        pool_(std::make_shared<reference::worker_pool>(env.executor(), options_of(env, config))) {}
  ~reference_pool() override {
    const bool in_use = pool_->running() + pool_->queued() + pool_->parked_submitters() > 0;
    if (!in_use || watch_.shutting_down()) return;
    // A scenario that failed half way has left jobs behind; the pool outlives them.
    (void)pool_->stop_now();
    env_.owner().keep(pool_);
  }

  awaitable<void> drain() override { return pool_->drain(); }
  awaitable<void> outcome(int id) override {
    const std::string name = std::to_string(id);
    const std::exception_ptr failure = co_await failure_of(jobs_.at(name).handle.value().wait());
    if (!is_cancellation(failure)) forget_told(name);
    if (failure) rethrow_as_outcome(failure);
  }
  bool drains_nested() const override { return false; }
  void start() override {
    try {
      pool_->start();
    } catch (const std::logic_error& error) {
      throw contract::rejected_error(error.what());
    }
  }

 protected:
  void do_scale_to(std::int64_t workers) override { pool_->scale_to(static_cast<std::size_t>(workers)); }

  awaitable<void> do_submit(item job, contract::worker_pool_request how) override {
    const std::string name = std::to_string(job.id());
    reference::job_options options;
    options.name = name;
    options.priority = static_cast<int>(how.priority);
    if (how.timeout_ns != 0) options.timeout = nanoseconds(how.timeout_ns);
    accepted_job& place = jobs_[name];  // once it is accepted nothing may fail
    place.one = std::move(job);
    auto work = run_job(name);
    const std::exception_ptr failure = co_await failure_of(hand_in(work, std::move(options), place));
    if (!failure) co_return;
    jobs_.erase(name);
    rethrow_as_outcome(failure);
  }

  awaitable<std::vector<item>> do_stop_now() override {
    std::vector<item> items = items_of(pool_->stop_now());
    // What was taken out is returned whatever requests come meanwhile.
    co_await reference::shield(pool_->drain());
    co_return items;
  }

  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override {
    const reference::drain_report stopped = co_await pool_->drain_until(reference::deadline_after(patience));
    contract::worker_pool_report report;
    report.cancelled = stopped.cancelled;
    report.unstarted = stopped.unstarted.size();
    report.returned = items_of(stopped.unstarted);
    co_return report;
  }

 private:
  struct accepted_job {
    item one;                                     // until it begins
    std::optional<reference::job_handle> handle;  // once it is accepted
    bool told = false;                            // somebody was, how it ended
  };

  awaitable<void> run_job(std::string name) {
    item mine = std::move(jobs_.at(name).one);
    co_await execute(std::move(mine));
  }

  awaitable<void> hand_in(awaitable<void>& work, reference::job_options options, accepted_job& place) {
    reference::job_handle handle = co_await pool_->submit(work, std::move(options));
    place.handle = std::move(handle);
  }

  // Nothing is kept of a job that was told, but the item of one that a drain has yet to return.
  void forget_told(const std::string& name) {
    const auto found = jobs_.find(name);
    if (found == jobs_.end()) return;  // another who asked was told before
    found->second.told = true;
    if (!found->second.one) jobs_.erase(found);
  }

  // The items of jobs that were not executed.
  std::vector<item> items_of(const std::vector<reference::unstarted_job>& unstarted) {
    std::vector<item> items;
    for (const reference::unstarted_job& job : unstarted) {
      const auto found = jobs_.find(job.options.name);
      items.push_back(std::move(found->second.one));
      if (found->second.told) jobs_.erase(found);
    }
    return items;
  }

  environment& env_;
  reference::shutdown_watch watch_;
  std::shared_ptr<reference::worker_pool> pool_;
  std::map<std::string, accepted_job> jobs_;  // by name
};

const implements<reference_pool> reference_subject(
    "reference", subject_kind::reference,
    {.features = {"stop_now", "drain_deadline", "handles", "nested_submit", "bounded", "fair", "restartable",
                  "job_timeout", "scaling", "priorities", "lifetime"}});

}  // namespace
}  // namespace assay
