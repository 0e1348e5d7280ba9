// The mutants of worker_pool: the pool in shifts with one thing wrong each.
#include <list>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/worker_pool/alternative.hpp>

namespace assay {
namespace {

// The pool with a ledger that nobody reads.
ASSAY_DEFECTS(hoarding_defect, none, keeps_a_record_of_every_submit)

class hoarding_pool final : public pool_in_shifts {
 public:
  hoarding_pool(environment& env, const contract::worker_pool_config& config, hoarding_defect wrong)
      : pool_in_shifts(env, config, pool_habits::first_come, pool_defect::none), wrong_(wrong) {}

 protected:
  awaitable<void> do_submit(item one, contract::worker_pool_request how) override {
    if (wrong_ == hoarding_defect::keeps_a_record_of_every_submit) records_.push_back(one.id());
    return pool_in_shifts::do_submit(std::move(one), how);
  }

 private:
  const hoarding_defect wrong_;
  std::list<int> records_;
};

const mutants<hoarding_pool, hoarding_defect> hoarding(
    {"stop_now", "drain_deadline", "handles", "nested_submit", "bounded", "fair", "restartable",
     "job_timeout", "scaling", "priorities", "lifetime"},
    {defective(hoarding_defect::keeps_a_record_of_every_submit, "the pool keeps a record of every submit",
               {{"X-27", "rounds of 'submit"}})});

using enum pool_defect;

const mutants<pool_in_shifts, pool_defect> wrong(
    {"stop_now", "drain_deadline", "handles", "nested_submit", "bounded", "fair", "restartable",
     "job_timeout", "scaling", "priorities", "lifetime"},
    {
        // ---- nothing accepted is lost
        defective(a_submit_after_the_drain_is_accepted_and_never_runs,
                  "WPL-m2: whoever submits late is told yes, and the job is kept for ever",
                  {{"WPL-1", "a submit after the drain has started is refused"}},
                  {"WPL-2", "WPL-4", "WPL-5", "WPL-6", "WPL-7", "WPL-8"}),
        defective(drain_forgets_the_queue, "a drain lets the running jobs end and skips the queued ones",
                  {{"WPL-1", "every accepted job is executed, once"}},
                  {"WPL-2", "WPL-3", "WPL-4", "WPL-5", "WPL-6", "WPL-7", "WPL-8", "WPL-9", "WPL-11", "X-4",
                   "X-15", "X-19"}),
        defective(a_cancelled_submit_runs_all_the_same,
                  "M-X3: a submit reports cancelled after the pool took its job",
                  {{"WPL-1", "if and only if its submit was accepted"}},
                  {"WPL-2", "WPL-7", "WPL-10", "WPL-11", "WPL-12", "X-1", "X-4", "X-36"}),
        // ---- how many run
        defective(one_worker_too_many, "starts one worker more than configured",
                  {{"WPL-2", "more jobs run than there are workers"}},
                  {"WPL-3", "WPL-4", "WPL-5", "WPL-7", "WPL-8", "WPL-10", "WPL-11", "WPL-12", "X-13"}),
        defective(one_worker_too_few, "starts one worker less than configured",
                  {{"WPL-2", "as many run as there are workers: 3; observed: 2"}},
                  {"WPL-3", "WPL-4", "WPL-5", "WPL-8", "WPL-10", "X-31"}),
        // ---- failures
        defective(a_bad_job_kills_its_worker,
                  "WPL-m1: the worker that ran a throwing job takes no other, and tells nobody",
                  {{"WPL-3", "after jobs that threw, all workers are still there"}},
                  {"WPL-4", "X-15", "WPL-2", "X-1"}),
        defective(crashed_workers_are_not_replaced,
                  "WPL-m4: each throwing job silently costs the pool a worker",
                  {{"WPL-3", "after jobs that threw, all workers are still there: 2; observed: 1"}},
                  {"WPL-2"}),
        defective(job_errors_are_swallowed, "a job that threw ends with a value",
                  {{"WPL-3", "the handle tells what the job threw"},
                   {"X-15", "the handle tells what its job threw"}},
                  {"WPL-4", "WPL-1", "WPL-10"}),
        defective(errors_reach_the_handle_and_the_hook,
                  "a failure is told to the error hook and to the handle",
                  {{"WPL-3", "reaches its handle or the error hook, once"},
                   {"X-15", "every failure is observed exactly once"}},
                  {"WPL-4", "WPL-1", "WPL-10"}),
        defective(drain_raises_on_the_first_failure,
                  "WPL-m5: gather raises on the first error while other jobs still run",
                  {{"WPL-4", "the drain waits although a job failed: others still run"}}, {"X-15", "X-1"}),
        // ---- drain and stop
        defective(drain_waits_for_the_queue_only, "a drain ends when the queue is empty, whatever still runs",
                  {{"WPL-4", "when a drain or a stop ends, no job runs"},
                   {"X-19", "what the jobs held is destroyed"}},
                  {"WPL-8"}),
        defective(drain_waits_for_one_idle_worker, "a drain ends when the first worker finds nothing to do",
                  {{"WPL-4", "when a drain or a stop ends, no job runs"}}, {"WPL-8", "X-19"}),
        defective(an_idle_worker_outlives_the_drain,
                  "a worker that waits for a job is never told that none will come",
                  {{"WPL-4", "left behind"}}, {"WPL-1", "WPL-3", "WPL-5", "WPL-10", "X-1", "X-31"}),
        defective(running_jobs_hear_of_no_stop, "jobs run where no request reaches them",
                  {{"WPL-4", "the running jobs are cancelled"}}, {"WPL-5", "WPL-10", "X-1", "X-31"}),
        defective(stop_loses_an_unstarted_job, "stop_now returns one job less than it took",
                  {{"WPL-4", "stop_now returns the unstarted jobs"}}, {"X-1"}),
        defective(stop_abandons_running_jobs, "stop_now asks the jobs to stop and does not wait for them",
                  {{"WPL-4", "when a drain or a stop ends, no job runs"}}, {"X-19"}),
        // ---- a drain with a deadline
        defective(drain_ignores_its_deadline, "a drain with a deadline waits as one without",
                  {{"WPL-5", "at the deadline the running jobs are cancelled"}}, {"X-31"}),
        defective(drain_gives_up_early, "half of the patience is used",
                  {{"WPL-5", "before its deadline the drain waits for the jobs"}}),
        defective(drain_gives_up_late, "half as much again as the patience is used",
                  {{"WPL-5", "at the deadline the running jobs are cancelled"}}),
        defective(drain_deadline_overflows,
                  "the deadline of a drain is the time and the patience added up, wherever that comes to",
                  {{"WPL-5", "before its deadline the drain waits for the jobs"}}, {"WPL-4"}),
        defective(drain_abandons_jobs_at_its_deadline,
                  "at its deadline a drain asks the jobs to stop and does not wait for them",
                  {{"WPL-5", "when a drain or a stop ends, no job runs"}}, {"WPL-4"}),
        defective(drain_report_is_mixed_up, "cancelled and unstarted jobs are confused",
                  {{"WPL-5", "the report counts the cancelled jobs"}}),
        defective(drain_deadline_loses_the_queue,
                  "at its deadline a drain counts the queued jobs and drops them",
                  {{"WPL-5", "unstarted jobs are returned"}}),
        // ---- jobs that hand in jobs
        defective(nested_jobs_slip_into_the_drain,
                  "a running job may hand in another during a drain, which nobody runs",
                  {{"WPL-6", "declared as refused"}}, {"WPL-4"}),
        defective(a_nested_submit_blocks_the_drain,
                  "job and drain wait for each other: the submit for room, the drain for the job",
                  {{"WPL-6", "the drain ends although a job handed in another"}}),
        // ---- the queue's bound
        defective(the_queue_is_unbounded, "submit never waits",
                  {{"WPL-7", "a submit into a full queue waits or is refused"},
                   {"X-27", "no more jobs than it is configured to"}},
                  {"X-13"}),
        defective(the_queue_takes_one_too_many, "the bound is checked after the push",
                  {{"WPL-7", "a submit into a full queue waits or is refused"},
                   {"X-27", "no more jobs than it is configured to"}},
                  {"X-13"}),
        defective(the_queue_takes_one_too_few, "the last place is never used",
                  {{"WPL-7", "a submit is accepted while the queue has room"}}, {"WPL-4", "X-4", "X-13"}),
        defective(room_is_told_to_nobody, "whoever waits for room hears of the end only",
                  {{"WPL-7", "a submit that waits is accepted"}}, {"WPL-2", "X-4", "X-13", "X-27", "WPL-11"}),
        defective(newcomers_overtake_parked_submits,
                  "M-X13: who is woken looks again, and goes to the back if a newcomer was faster",
                  {{"X-13", "submits that wait are served in the order they came"}}, {"WPL-7", "X-4"}),
        defective(a_cancelled_submit_keeps_its_place,
                  "a submit that was cancelled stays in line and takes the room",
                  {{"X-4", "passes the room on to the next one"}},
                  {"WPL-2", "WPL-7", "WPL-11", "X-1", "WPL-1", "X-36"}),
        // ---- starting and draining more than once
        defective(a_second_start_doubles_the_workers, "start spawns workers whatever is running already",
                  {{"WPL-2", "more jobs run than there are workers"}}, {"WPL-8"}),
        defective(a_second_drain_hangs, "only one drainer is told of the end",
                  {{"WPL-8", "the second drain ends too, or is refused"}, {"X-1", ""}}, {"WPL-4", "X-19"}),
        defective(a_drained_pool_stays_closed, "start after a drain reports success and opens nothing",
                  {{"WPL-8", "a drained pool that is started again accepts jobs"}}, {"WPL-7"}),
        defective(a_drain_before_the_start_hangs, "a drain waits for workers that were never started",
                  {{"WPL-8", "to drain a pool that was not started ends, or is refused"}}, {"WPL-4"}),
        // ---- a drainer that gives up
        defective(a_cancelled_drain_abandons_the_queue,
                  "with their drainer the workers give up, and the queued jobs are lost",
                  {{"WPL-9", "an accepted job is executed or returned"}},
                  {"WPL-6", "WPL-8", "X-19", "WPL-4"}),
        defective(a_cancelled_drain_cannot_be_repeated,
                  "the end of the jobs is told to the drainer that gave up",
                  {{"WPL-9", "a drain ends when every job has"}}, {"WPL-6", "WPL-8", "X-19", "WPL-4"}),
        // ---- a job's own time
        defective(jobs_time_out_early, "half of the timeout is used",
                  {{"WPL-10", "before its timeout a job is left alone"}}),
        defective(jobs_time_out_late, "half as much again as the timeout is used",
                  {{"WPL-10", "at its timeout the job is cancelled, and no other"}}),
        defective(job_timeouts_overflow,
                  "a timeout that is longer than the clock has passed when the job begins",
                  {{"WPL-10", "before its timeout a job is left alone"}}, {"WPL-4"}),
        defective(a_timeout_that_has_passed_is_none,
                  "what is left of a timeout, and is less than nothing, counts as no timeout",
                  {{"WPL-10", "at its timeout the job is cancelled, and not before"}}),
        defective(a_timed_out_job_keeps_its_worker, "the worker of a job that timed out is not free",
                  {{"WPL-10", "the timeout frees the worker for the next job"}},
                  {"WPL-4", "WPL-5", "WPL-2", "X-31"}),
        defective(a_timeout_frees_the_worker_too_early,
                  "when a job times out the next one begins, although the job has not ended yet",
                  {{"WPL-2", "more jobs run than there are workers"}}),
        defective(a_timeout_is_told_as_cancelled, "the handle of a job that timed out says cancelled",
                  {{"WPL-10", "the job has ended as timed out"}}, {"WPL-3"}),
        defective(a_timeout_stops_the_pool, "one job that times out takes the others with it",
                  {{"WPL-10", "at its timeout the job is cancelled, and no other"}}, {"WPL-7", "X-31"}),
        // ---- more workers, fewer workers
        defective(scaling_up_waits_for_a_job_to_end, "new workers look at the queue only when a job ends",
                  {{"WPL-11", "scaling up takes effect at once"}}),
        defective(scaling_down_is_ignored, "workers are only ever added",
                  {{"WPL-11", "workers that finish are not replaced"}}, {"WPL-2"}),
        defective(a_leaving_worker_takes_a_job_along,
                  "a worker that is told to go has taken its next job already",
                  {{"WPL-11", "no job is lost, and none is executed twice"}}, {"WPL-4"}),
        // ---- urgency
        defective(urgency_is_ignored, "jobs begin in the order of their submits",
                  {{"WPL-12", "the most urgent job begins first"}}),
        defective(the_least_urgent_job_is_first, "the order is upside down",
                  {{"WPL-12", "the most urgent job begins first"}}),
        defective(equals_begin_last_come_first, "PRQ-m1: a heap without sequence numbers",
                  {{"WPL-12", "the most urgent job begins first"}}),
    },
    pool_habits::first_come);

const mutants<pool_in_shifts, pool_lapse> lapses(
    {"stop_now", "drain_deadline", "handles", "nested_submit", "bounded", "fair", "restartable",
     "job_timeout", "scaling", "priorities", "lifetime"},
    {
        defective(pool_lapse::outcomes_of_returned_jobs_never_settle,
                  "whoever asks for the outcome of a job that a stop returned waits for ever",
                  {{"X-1", "is told"}}),
        defective(
            pool_lapse::a_slow_job_loses_its_place,
            "a job that has timed out and does not stop soon is taken for gone, and the next one begins",
            {{"WPL-2", "there are workers"}, {"WPL-10", "more jobs run than there are workers"}}),
        defective(pool_lapse::every_tenth_worker_is_not_replaced,
                  "after every tenth job a worker is gone, and in the end all are",
                  {{"WPL-2", "no job waits beside an idle worker"}, {"X-27", ""}},
                  {"WPL-4", "WPL-7", "WPL-12"}),
        defective(pool_lapse::a_cancelled_submit_takes_its_room_along,
                  "each cancelled submit leaves one place less in the queue",
                  {{"WPL-7", "the room is given to a submit that waits"}, {"X-4", ""}}),
        defective(pool_lapse::a_drain_forgets_jobs_that_have_timed_out,
                  "a drain does not wait for a job that has timed out and still cleans up",
                  {{"WPL-4", "no job runs"}}, {"X-19"}),
        defective(pool_lapse::an_asker_who_gives_up_takes_the_outcome_along,
                  "an outcome can be asked for once, whether it was told or not",
                  {{"WPL-3", "can ask again"}}),
        defective(pool_lapse::a_stop_beside_a_drain_leaves_the_queue,
                  "a stop that comes while a drain is under way cancels what runs, and lets the queue go on",
                  {{"WPL-4", "a stop beside a drain lets no job begin"}}),
        defective(pool_lapse::a_drain_after_a_restart_ends_at_once,
                  "the end of the first drain is still there for the second",
                  {{"WPL-4", "every accepted job is executed or returned"}, {"WPL-8", "no job runs"}},
                  {"X-19"}),
        defective(pool_lapse::a_timeout_is_left_to_the_next_job,
                  "a worker does not call the timeout off of a job that has ended, if it has another one",
                  {{"WPL-10", "a timeout ends with its job"}}, {"WPL-4", "X-31"}),
        defective(
            pool_lapse::a_timeout_is_told_before_the_job_has_ended,
            "whoever asks for the outcome of a job is told of its timeout while the job still cleans up",
            {{"WPL-10", "nobody is told how it has ended"}}, {"WPL-3"}),
        defective(pool_lapse::a_start_waits_for_the_next_submit,
                  "what was accepted before the start begins when the next job comes",
                  {{"WPL-8", "with the start the jobs begin that wait for it"}}, {"WPL-2"}),
        defective(pool_lapse::a_job_counts_as_cancelled_before_it_begins,
                  "a job that has a worker, and had yet to begin, is reported as cancelled and as unstarted",
                  {{"WPL-5", "was cancelled, or had not begun"}}),
        defective(pool_lapse::a_late_timeout_stops_whoever_runs,
                  "M-X31: a timeout that could not be called off in time stops the job that runs next",
                  {{"X-31", "a timeout stops its own job, or nobody"}}, {"WPL-4", "WPL-10"}),
        defective(pool_lapse::a_late_drain_says_that_it_expired,
                  "M-X31: a drain that goes on after its deadline says that it timed out, although all jobs "
                  "had ended",
                  {{"X-31", "a drain ends with a report"}}, {"X-1"}),
    },
    pool_habits::first_come);

}  // namespace
}  // namespace assay
