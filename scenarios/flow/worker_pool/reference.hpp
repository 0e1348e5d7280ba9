// The reference's worker pool behind the contract; mutants bend it one rule at a time.
#pragma once

#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <assay/harness/trial/environment.hpp>
#include <assay/reference/flow/worker_pool.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {

/// Every feature of the contract: the reference has them all.
std::vector<std::string> reference_pool_features();

class reference_pool : public contract::worker_pool {
 public:
  reference_pool(environment& env, const contract::worker_pool_config& config);
  ~reference_pool() override;

  awaitable<void> drain() override { return pool().drain(); }
  awaitable<void> outcome(int id) override;
  bool drains_nested() const override { return false; }
  void start() override;

 protected:
  using job_options = reference::job_options;
  using timed_out_error = reference::timed_out;

  void do_scale_to(std::int64_t workers) override { pool().scale_to(static_cast<std::size_t>(workers)); }
  awaitable<void> do_submit(item job, contract::worker_pool_request how) override;
  awaitable<std::vector<item>> do_stop_now() override;
  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override;

  /// What the reference executes for one job: the bend of most mutants.
  virtual awaitable<void> run_job(std::shared_ptr<item> job);
  /// For those: executes the job as the reference does, and tells how it ended; throws if the subject is gone
  /// by then.
  awaitable<std::exception_ptr> end_of(std::shared_ptr<item> job);
  /// The reference's options for one job.
  virtual reference::job_options options_for(int id, const contract::worker_pool_request& how) const;

  /// The job that executes `job`: for the reference's submit, with options_for.
  awaitable<void> work_for(item job);
  /// Of a job that was not accepted.
  void forget(int id) { items_.erase(std::to_string(id)); }
  /// The items of jobs that were not executed.
  std::vector<item> items_of(const std::vector<reference::unstarted_job>& unstarted);

  reference::worker_pool& pool() noexcept { return *pool_; }
  environment& env() noexcept { return env_; }

 private:
  environment& env_;
  reference::shutdown_watch watch_;
  std::shared_ptr<reference::worker_pool> pool_;
  std::map<int, std::optional<reference::job_handle>> handles_;  // empty while the job is being handed in
  std::map<std::string, std::shared_ptr<item>> items_;           // of jobs that have not begun, by name
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace assay
