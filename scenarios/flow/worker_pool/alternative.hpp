// A pool that is built otherwise than the reference: a worker is a task that is called in when there is work, takes one
// job after the other from a list that nobody keeps in order, and goes home when it finds none. To drain it before its
// start hands back what it was given. Mutants are this pool with one thing wrong.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <vector>

#include <assay/harness/trial/environment.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>
#include <assay/scenarios/flow/worker_pool/waiting.hpp>

namespace assay {

/// What the standard leaves free.
enum class pool_habits {
  first_come,
  last_come,  ///< of several that wait for room the last one goes on
  /// Begins the youngest job first, refuses what has no room, executes jobs that running jobs hand in during a drain,
  /// becomes stop_now when its drainer is cancelled, notices the end of a drain late, and refuses to be started twice or
  /// drained unstarted.
  contrary,
};

BOOST_DEFINE_ENUM_CLASS(
    pool_defect, none, a_submit_after_the_drain_is_accepted_and_never_runs, drain_forgets_the_queue,
    a_cancelled_submit_runs_all_the_same, one_worker_too_many, one_worker_too_few, a_bad_job_kills_its_worker,
    crashed_workers_are_not_replaced, job_errors_are_swallowed, errors_reach_the_handle_and_the_hook,
    drain_raises_on_the_first_failure, drain_waits_for_the_queue_only, drain_waits_for_one_idle_worker,
    an_idle_worker_outlives_the_drain, running_jobs_hear_of_no_stop, stop_loses_an_unstarted_job,
    stop_abandons_running_jobs, drain_ignores_its_deadline, drain_gives_up_early, drain_gives_up_late,
    drain_deadline_overflows, drain_abandons_jobs_at_its_deadline, drain_report_is_mixed_up,
    drain_deadline_loses_the_queue, nested_jobs_slip_into_the_drain, a_nested_submit_blocks_the_drain,
    the_queue_is_unbounded, the_queue_takes_one_too_many, the_queue_takes_one_too_few, room_is_told_to_nobody,
    newcomers_overtake_parked_submits, a_cancelled_submit_keeps_its_place, a_second_start_doubles_the_workers,
    a_second_drain_hangs, a_drained_pool_stays_closed, a_drain_before_the_start_hangs,
    a_cancelled_drain_abandons_the_queue, a_cancelled_drain_cannot_be_repeated, jobs_time_out_early,
    jobs_time_out_late, job_timeouts_overflow, a_timeout_that_has_passed_is_none,
    a_timed_out_job_keeps_its_worker, a_timeout_frees_the_worker_too_early, a_timeout_is_told_as_cancelled,
    a_timeout_stops_the_pool, scaling_up_waits_for_a_job_to_end, scaling_down_is_ignored,
    a_leaving_worker_takes_a_job_along, urgency_is_ignored, the_least_urgent_job_is_first,
    equals_begin_last_come_first)

class pool_in_shifts final : public contract::worker_pool {
 public:
  pool_in_shifts(environment& env, const contract::worker_pool_config& config, pool_habits habits,
                 pool_defect wrong);
  ~pool_in_shifts() override;

  awaitable<void> drain() override;
  awaitable<void> outcome(int id) override;
  bool drains_nested() const override { return habits_ == pool_habits::contrary; }
  void start() override;

 protected:
  awaitable<void> do_submit(item one, contract::worker_pool_request how) override;
  awaitable<void> do_submit_from_job(int parent, item one) override;
  awaitable<std::vector<item>> do_stop_now() override;
  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override;
  void do_scale_to(std::int64_t workers) override;

 private:
  enum class state { open, draining, stopped };
  using time_point = std::chrono::steady_clock::time_point;

  struct job {
    bool failed() const;
    item one;
    int id = 0;
    contract::worker_pool_request how;
    bool begun = false;
    bool ended = false;
    bool timed_out = false;
    bool told = false;  // somebody was, how it ended
    std::exception_ptr failure;
    boost::asio::cancellation_signal signal;
    pool_line askers = make_line();
    bool skipped = false;          // the defect
    bool worker_is_freed = false;  // the defect
  };
  using job_ptr = std::shared_ptr<job>;
  using presence = std::shared_ptr<bool>;  // false once the pool is gone

  bool is(pool_defect defect) const noexcept { return wrong_ == defect; }

  // Submits.
  bool has_room() const;
  void accept(item one, const contract::worker_pool_request& how);
  awaitable<void> hand_in(item one, contract::worker_pool_request how);
  awaitable<void> hand_in_whatever_is_asked(item one, contract::worker_pool_request how);
  void move_on();

  // Workers.
  awaitable<void> shift(presence here);
  job_ptr next_job();
  std::int64_t urgency_of(const job& one) const;
  awaitable<void> run(presence here, job_ptr mine);
  awaitable<void> work(job_ptr mine);
  bool skips(const job& mine);
  void limit(const job_ptr& mine, boost::asio::steady_timer& timer);
  void ask_to_stop(const job_ptr& one);
  void end(const job_ptr& mine, std::exception_ptr failure);
  time_point deadline_of(nanoseconds limit, pool_defect early, pool_defect late, pool_defect overflows) const;

  // Drains.
  void close(state into);
  bool has_drained() const;
  awaitable<void> until_drained();
  awaitable<void> drain_or_stop();
  awaitable<void> idle(time_point deadline = time_point::max());
  std::vector<item> take_unstarted();
  std::vector<item> stop(std::size_t& cancelled);
  void stop_and_hand_back();

  environment& env_;
  const boost::asio::any_io_executor executor_;
  const pool_habits habits_;
  const pool_defect wrong_;
  std::size_t workers_;
  const std::size_t capacity_;
  bool started_;
  state state_ = state::open;
  std::size_t on_shift_ = 0;   // workers
  std::size_t called_in_ = 0;  // of these, those that have not taken a job yet
  std::vector<job_ptr> queue_;
  std::vector<job_ptr> running_;
  std::map<int, job_ptr> jobs_;  // all of them: a request may be under way to one that has ended
  const pool_line submitters_ = make_line();
  const pool_line drainers_ = make_line();
  const presence here_ = std::make_shared<bool>(true);

  // What defects need.
  std::vector<item> late_;
  std::exception_ptr first_failure_;
  bool drainer_gave_up_ = false;
  std::size_t to_be_dropped_ = 0;
};

}  // namespace assay
