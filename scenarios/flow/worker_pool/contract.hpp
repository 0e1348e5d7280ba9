// The contract of a worker pool: jobs are handed in, at most so many run at once, and the pool can be drained
// without losing one.
//
// A job is an item. What executing it means is a callback that suspends and speaks in ids and outcomes, so
// that the pool may live in another process: the testee asks for a job to be run, is told how it ended, and
// may ask for it to be cancelled.
//
// A member that belongs to a feature is called only on subjects that claim it. A failure that no handle tells goes to
// environment::report_unhandled.
//
// When a job is accepted is the pool's own choice: at once, or only when a worker takes it; while every worker is
// busy a pool may also refuse. Who claims `bounded` has exactly the configured room, and uses it.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct worker_pool_config {
  /// Jobs that run at once at most; at least 1.
  std::int64_t workers = 1;
  /// `bounded`: accepted jobs that wait for a worker at most, and while there are fewer a submit is accepted at
  /// once; at least 1. Others may ignore it.
  std::int64_t queue_capacity = 64;
  /// `restartable`: false leaves jobs in the queue until start().
  bool started = true;
};
BOOST_DESCRIBE_STRUCT(worker_pool_config, (), (workers, queue_capacity, started))

/// How a job wants to be run.
struct worker_pool_request {
  /// `priorities`: the larger, the more urgent.
  std::int64_t priority = 0;
  /// `job_timeout`: how long it may run, in nanoseconds, counted from when it begins; 0 is for ever. One that is negative
  /// has passed when the job begins.
  std::int64_t timeout_ns = 0;
};
BOOST_DESCRIBE_STRUCT(worker_pool_request, (), (priority, timeout_ns))

/// `drain_deadline`: what a drain came to.
struct worker_pool_report {
  std::size_t cancelled = 0;   ///< running jobs that were asked to stop when the deadline passed
  std::size_t unstarted = 0;   ///< jobs that had not begun by then
  std::vector<item> returned;  ///< those jobs
};
BOOST_DESCRIBE_STRUCT(worker_pool_report, (), (cancelled, unstarted, returned))

class worker_pool : public with_invariant<worker_pool_config> {
 public:
  static constexpr std::string_view name = "worker_pool";
  static constexpr feature_info features[] = {
      {"stop_now", "`stop_now` cancels the running jobs, and returns those that had not begun."},
      {"drain_deadline",
       "`drain_for` drains, and stops the pool when its patience is over; it reports what that did."},
      {"handles", "`outcome` tells how a job has ended."},
      {"nested_submit",
       "A running job may submit jobs; such a submit does not wait for the worker of its own parent."},
      {"bounded",
       "The queue has exactly the configured room: while there is some a submit is accepted at once, then it "
       "waits or is refused."},
      {"fair", "Submitters that wait are admitted in the order in which they came."},
      {"restartable", "`start` lets jobs begin, also again after a drain."},
      {"job_timeout", "A job that runs longer than its timeout ends as timed out, and its worker is free."},
      {"scaling", "`scale_to` changes the number of workers while the pool runs."},
      {"priorities",
       "Jobs are queued, not taken straight from their submitters, and a most urgent one begins next."},
      {"lifetime", "What a job owned is destroyed before the drain that waited for it ends (X-19)."},
  };
  using contract_type = worker_pool;
  using config = worker_pool_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  /// What surrounds the pool.
  struct callbacks {
    /// Executes the job with this id: ends with a value when it is done, throws if it failed, honours
    /// cancellation.
    std::function<awaitable<void>(int id)> run;
  };

  worker_pool() = default;
  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;
  virtual ~worker_pool() = default;

  // What scenarios call. Each keeps the ledger of items and leaves the rest to the subject.

  /// Before anything else, once.
  void connect(callbacks outside) { outside_ = std::move(outside); }

  /// Ends with a value once the pool has accepted the job; else the job is the caller's again and is never
  /// executed.
  /// Outcomes: value, cancelled, closed or rejected (full, or a drain has begun).
  awaitable<void> submit(item job) { return submit(std::move(job), worker_pool_request()); }
  awaitable<void> submit(item job, worker_pool_request how);
  /// Accepts no more jobs, and ends with a value when every accepted one has ended and the workers are gone.
  virtual awaitable<void> drain() = 0;

  /// `stop_now`: accepts no more, cancels the running jobs, ends when they have ended, and returns those that
  /// had not begun.
  awaitable<std::vector<item>> stop_now();
  /// `drain_deadline`: as drain; after `patience` as stop_now.
  awaitable<worker_pool_report> drain_for(nanoseconds patience);
  /// `handles`: ends as the job with this id did, which must have been accepted. To be asked until it was
  /// told once.
  /// Outcomes: value; what the job threw; timed_out; cancelled or rejected for one that was cancelled or not
  /// executed.
  virtual awaitable<void> outcome(int) { throw unclaimed_feature("handles"); }
  /// `nested_submit`: submit, from within the running job `parent`.
  awaitable<void> submit_from_job(int parent, item job);
  /// `nested_submit`: the declaration. True: such jobs are drained too; false: refused once a drain has
  /// begun.
  virtual bool drains_nested() const { throw unclaimed_feature("nested_submit"); }
  /// `restartable`: lets jobs begin, also again after a drain. Throws rejected_error if it refuses.
  virtual void start() { throw unclaimed_feature("restartable"); }
  /// `scaling`: changes the number of workers; at least 1.
  void scale_to(std::int64_t workers) {
    // Fewer workers than there were finish what they have begun (WPL-11).
    workers_most_ = std::max(workers_most_, workers);
    do_scale_to(workers);
  }

  /// WPL-2: no more jobs run than there are workers.
  std::string invariant() const;

 protected:
  // What a subject implements.
  virtual awaitable<void> do_submit(item job, worker_pool_request how) = 0;
  virtual awaitable<void> do_submit_from_job(int, item job) {
    return do_submit(std::move(job), worker_pool_request());
  }
  virtual awaitable<std::vector<item>> do_stop_now() { throw unclaimed_feature("stop_now"); }
  virtual awaitable<worker_pool_report> do_drain_for(nanoseconds) {
    throw unclaimed_feature("drain_deadline");
  }
  virtual void do_scale_to(std::int64_t) { throw unclaimed_feature("scaling"); }

  // What a subject calls. Each tells the ledger what it means for the job.

  /// Executes `job`; outcomes as callbacks::run.
  awaitable<void> execute(item job);
  /// Returns a job that will not be executed, where no return value can hold it (a cancelled drain that stops
  /// the pool).
  void hand_back(const item& job) { job.given_back(); }

 private:
  struct account {
    std::size_t running = 0;  // jobs
  };

  callbacks outside_;
  const std::shared_ptr<account> account_ = make_account<account>();
  std::int64_t workers_most_ = 0;  // that it was ever scaled to
};

inline boost::asio::awaitable<void> worker_pool::submit(item job, worker_pool_request how) {
  handing_in account(job, this);
  co_await do_submit(std::move(job), how);
  account.taken();
}

inline boost::asio::awaitable<void> worker_pool::submit_from_job(int parent, item job) {
  handing_in account(job, this);
  co_await do_submit_from_job(parent, std::move(job));
  account.taken();
}

inline boost::asio::awaitable<std::vector<item>> worker_pool::stop_now() {
  std::vector<item> unstarted = co_await do_stop_now();
  for (const item& job : unstarted) job.given_back();
  co_return unstarted;
}

inline boost::asio::awaitable<worker_pool_report> worker_pool::drain_for(nanoseconds patience) {
  worker_pool_report report = co_await do_drain_for(patience);
  for (const item& job : report.returned) job.given_back();
  co_return report;
}

inline boost::asio::awaitable<void> worker_pool::execute(item job) {
  const counted running(account_, &account::running);
  const int id = job.id();
  job.delivered();
  co_await outside_.run(id);
}

inline std::string worker_pool::invariant() const {
  if (!in_process()) return {};
  const auto most = static_cast<std::size_t>(std::max(wanted().workers, workers_most_));
  if (account_->running <= most) return {};
  return exceeded("WPL-2: more jobs run than there are workers", most, account_->running);
}

}  // namespace assay::contract
