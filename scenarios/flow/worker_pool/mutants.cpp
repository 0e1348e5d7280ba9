// Worker pools that are wrong in one way each: the reference behind its adapter, bent at one place.
#include <algorithm>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/worker_pool/reference.hpp>
#include <assay/scenarios/flow/worker_pool/waiting.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::worker_pool_config;
using contract::worker_pool_report;
using contract::worker_pool_request;

asio::awaitable<void> sleep(std::chrono::nanoseconds how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> sleep_for_ever() {
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
  co_await timer.async_wait(asio::use_awaitable);
}

// How a job ended, so that what follows can be awaited.
asio::awaitable<std::exception_ptr> failure_of(asio::awaitable<void> job) {
  std::exception_ptr failure;
  try {
    co_await std::move(job);
  } catch (...) {
    failure = std::current_exception();
  }
  co_return failure;
}

bool is_error(const std::exception_ptr& failure) { return failure && !is_cancellation(failure); }

template <class Pool>
detail::registrar mutant(std::string name, std::string defect, std::vector<expected_failure> must_fail,
                         std::vector<std::string> may_fail = {}) {
  subject_traits traits;
  traits.features = reference_pool_features();
  traits.defect = std::move(defect);
  traits.must_fail = std::move(must_fail);
  traits.may_fail = std::move(may_fail);
  return detail::registrar(std::make_unique<subject<contract::worker_pool>>(
      std::move(name), subject_kind::mutant, std::move(traits),
      [](environment& env, const worker_pool_config& config) {
        return std::make_unique<Pool>(env, config);
      }));
}

// ---- nothing accepted is lost

class keeps_late_jobs final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    if (pool().is_accepting()) {
      co_await reference_pool::do_submit(std::move(job), how);
    } else {
      late_.push_back(std::move(job));
    }
  }

 private:
  std::vector<item> late_;
};
const auto m1 = mutant<keeps_late_jobs>(
    "a_submit_after_the_drain_is_accepted_and_never_runs",
    "WPL-m2: whoever submits late is told yes, and the job is kept for ever",
    {{"WPL-1", "a submit after the drain has started is refused"}}, {"WPL-4", "WPL-6", "WPL-8"});

class drains_running_jobs_only final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    if (!pool().is_accepting()) co_return;
    co_await reference_pool::run_job(std::move(job));
  }
};
const auto m2 = mutant<drains_running_jobs_only>(
    "drain_forgets_the_queue", "a drain lets the running jobs end and skips the queued ones",
    {{"WPL-1", "every accepted job is executed, once"}},
    {"WPL-2", "WPL-3", "WPL-4", "WPL-5", "WPL-6", "WPL-7", "WPL-8", "WPL-9", "WPL-11", "X-4", "X-15",
     "X-19"});

class runs_cancelled_submits final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await shield(reference_pool::do_submit(std::move(job), how));
    check_cancelled(co_await asio::this_coro::cancellation_state);
  }
};
const auto m3 = mutant<runs_cancelled_submits>(
    "a_cancelled_submit_runs_all_the_same", "M-X3: a submit reports cancelled after the pool took its job",
    {{"WPL-1", "if and only if its submit was accepted"}},
    {"WPL-2", "WPL-7", "WPL-10", "WPL-11", "WPL-12", "X-1", "X-4"});

// ---- how many run

class one_worker_more final : public reference_pool {
 public:
  one_worker_more(environment& env, worker_pool_config config) : reference_pool(env, changed(config)) {}

 private:
  static worker_pool_config changed(worker_pool_config config) {
    ++config.workers;
    return config;
  }
};
const auto m4 = mutant<one_worker_more>(
    "one_worker_too_many", "starts one worker more than configured",
    {{"WPL-2", "more jobs run than there are workers"}},
    {"WPL-3", "WPL-4", "WPL-5", "WPL-7", "WPL-8", "WPL-10", "WPL-11", "WPL-12", "X-13"});

class one_worker_less final : public reference_pool {
 public:
  one_worker_less(environment& env, worker_pool_config config) : reference_pool(env, changed(config)) {}

 private:
  static worker_pool_config changed(worker_pool_config config) {
    if (config.workers > 1) --config.workers;
    return config;
  }
};
const auto m5 = mutant<one_worker_less>("one_worker_too_few", "starts one worker less than configured",
                                        {{"WPL-2", "as many run as there are workers: 3; observed: 2"}},
                                        {"WPL-3", "WPL-4", "WPL-5", "WPL-8", "WPL-10"});

// ---- failures

class failure_kills_worker final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (is_error(failure)) co_await sleep_for_ever();
    if (failure) std::rethrow_exception(failure);
  }
};
const auto m6 = mutant<failure_kills_worker>(
    "a_bad_job_kills_its_worker",
    "WPL-m1: the worker that ran a throwing job takes no other, and tells nobody",
    {{"WPL-3", "after jobs that threw, all workers are still there"}}, {"WPL-4", "X-15"});

class failure_shrinks_pool final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (is_error(failure) && pool().workers() > 1) pool().scale_to(pool().workers() - 1);
    if (failure) std::rethrow_exception(failure);
  }
};
const auto m7 = mutant<failure_shrinks_pool>(
    "crashed_workers_are_not_replaced", "WPL-m4: each throwing job silently costs the pool a worker",
    {{"WPL-3", "after jobs that threw, all workers are still there: 2; observed: 1"}});

class failures_are_swallowed final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (failure && !is_error(failure)) std::rethrow_exception(failure);
  }
};
const auto m8 = mutant<failures_are_swallowed>(
    "job_errors_are_swallowed", "a job that threw ends with a value",
    {{"WPL-3", "the handle tells what the job threw"}, {"X-15", "the handle tells what its job threw"}},
    {"WPL-4"});

class failures_are_told_twice final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (is_error(failure)) env().report_unhandled(failure);
    if (failure) std::rethrow_exception(failure);
  }
};
const auto m9 = mutant<failures_are_told_twice>("errors_reach_the_handle_and_the_hook",
                                                "a failure is told to the error hook and to the handle",
                                                {{"WPL-3", "reaches its handle or the error hook, once"},
                                                 {"X-15", "every failure is observed exactly once"}},
                                                {"WPL-4"});

class drain_raises_first_failure final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    pool().close();
    while (!pool().has_ended()) {
      if (first_) std::rethrow_exception(std::exchange(first_, nullptr));
      co_await sleep(5ms);
    }
  }

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (is_error(failure) && !pool().is_accepting()) first_ = failure;
    if (failure) std::rethrow_exception(failure);
  }

 private:
  std::exception_ptr first_;
};
const auto m10 = mutant<drain_raises_first_failure>(
    "drain_raises_on_the_first_failure",
    "WPL-m5: gather raises on the first error while other jobs still run",
    {{"WPL-4", "the drain waits although a job failed: others still run"}}, {"X-15"});

// ---- drain and stop

class drain_forgets_running_jobs final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    pool().close();
    while (pool().queued() > 0) co_await sleep(1ms);
  }
};
const auto m11 = mutant<drain_forgets_running_jobs>(
    "drain_waits_for_the_queue_only", "a drain ends when the queue is empty, whatever still runs",
    {{"WPL-4", "the drain waits although the queue is empty: two jobs still run"},
     {"X-19", "what the jobs held is destroyed"}},
    {"WPL-8"});

class drain_wants_one_idle_worker final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    pool().close();
    while (pool().queued() > 0 || pool().running() >= pool().workers()) co_await sleep(1ms);
  }
};
const auto m12 = mutant<drain_wants_one_idle_worker>(
    "drain_waits_for_one_idle_worker", "a drain ends when the first worker finds nothing to do",
    {{"WPL-4", "the drain waits although one worker is idle"}}, {"WPL-8", "X-19"});

class workers_outlive_drain final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    co_await reference_pool::drain();
    const auto executor = co_await asio::this_coro::executor;
    if (!used_) asio::co_spawn(executor, sleep_for_ever(), [](std::exception_ptr) {});
  }

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    used_ = true;
    co_await reference_pool::run_job(std::move(job));
  }

 private:
  bool used_ = false;
};
const auto m13 = mutant<workers_outlive_drain>(
    "an_idle_worker_outlives_the_drain", "a worker that waits for a job is never told that none will come",
    {{"WPL-4", "left behind"}});

class stop_waits_for_jobs final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    co_await shield(reference_pool::run_job(std::move(job)));
  }
};
const auto m14 =
    mutant<stop_waits_for_jobs>("running_jobs_hear_of_no_stop", "jobs run where no request reaches them",
                                {{"WPL-4", "the running jobs are cancelled"}}, {"WPL-5", "WPL-10"});

class stop_drops_unstarted final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<std::vector<item>> do_stop_now() override {
    std::vector<item> unstarted = co_await reference_pool::do_stop_now();
    if (!unstarted.empty()) unstarted.pop_back();
    co_return unstarted;
  }
};
const auto m15 =
    mutant<stop_drops_unstarted>("stop_loses_an_unstarted_job", "stop_now returns one job less than it took",
                                 {{"WPL-4", "stop_now returns the unstarted jobs"}});

class stop_abandons final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<std::vector<item>> do_stop_now() override {
    std::vector<item> unstarted = items_of(pool().stop_now());
    co_return unstarted;
  }
};
const auto stop_that_abandons = mutant<stop_abandons>(
    "stop_abandons_running_jobs", "stop_now asks the jobs to stop and does not wait for them",
    {{"WPL-4", "stop_now waits for jobs that clean up"}}, {"X-19"});

// ---- a drain with a deadline

class deadline_is_ignored final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<worker_pool_report> do_drain_for(nanoseconds) override {
    co_await drain();
    worker_pool_report report;
    co_return report;
  }
};
const auto m16 =
    mutant<deadline_is_ignored>("drain_ignores_its_deadline", "a drain with a deadline waits as one without",
                                {{"WPL-5", "at the deadline the running jobs are cancelled"}});

template <int Percent>
class deadline_is_scaled final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<worker_pool_report> do_drain_for(nanoseconds patience) override {
    return reference_pool::do_drain_for(patience * Percent / 100);
  }
};
const auto m17 =
    mutant<deadline_is_scaled<50>>("drain_gives_up_early", "half of the patience is used",
                                   {{"WPL-5", "before its deadline the drain waits for the jobs"}});
const auto m18 =
    mutant<deadline_is_scaled<150>>("drain_gives_up_late", "half as much again as the patience is used",
                                    {{"WPL-5", "at the deadline the running jobs are cancelled"}});

class deadline_overflows final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<worker_pool_report> do_drain_for(nanoseconds patience) override {
    return reference_pool::do_drain_for(overflowing_limit(patience));
  }
};
const auto m_deadline_overflows = mutant<deadline_overflows>(
    "drain_deadline_overflows",
    "the deadline of a drain is the time and the patience added up, wherever that comes to",
    {{"WPL-5", "before its deadline the drain waits for the jobs"}});

class deadline_abandons final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<worker_pool_report> do_drain_for(nanoseconds patience) override {
    pool().close();
    const auto deadline = deadline_after(patience);
    const nanoseconds pause = std::clamp<nanoseconds>(patience / 1000, 1ms, 1h);
    while (!pool().has_ended() && std::chrono::steady_clock::now() < deadline) co_await sleep(pause);
    worker_pool_report report;
    report.cancelled = pool().running();
    report.returned = items_of(pool().stop_now());
    report.unstarted = report.returned.size();
    co_return report;
  }
};
const auto m19 =
    mutant<deadline_abandons>("drain_abandons_jobs_at_its_deadline",
                              "at its deadline a drain asks the jobs to stop and does not wait for them",
                              {{"WPL-5", "the drain does not abandon a job that is slow to stop"}});

class report_miscounts final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<worker_pool_report> do_drain_for(nanoseconds patience) override {
    worker_pool_report report = co_await reference_pool::do_drain_for(patience);
    std::swap(report.cancelled, report.unstarted);
    co_return report;
  }
};
const auto m20 =
    mutant<report_miscounts>("drain_report_is_mixed_up", "cancelled and unstarted jobs are confused",
                             {{"WPL-5", "the report counts the cancelled jobs"}});

class report_drops_unstarted final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<worker_pool_report> do_drain_for(nanoseconds patience) override {
    worker_pool_report report = co_await reference_pool::do_drain_for(patience);
    report.returned.clear();
    co_return report;
  }
};
const auto m21 = mutant<report_drops_unstarted>(
    "drain_deadline_loses_the_queue", "at its deadline a drain counts the queued jobs and drops them",
    {{"WPL-5", "unstarted jobs are returned"}});

// ---- jobs that hand in jobs

class nested_jobs_never_run final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit_from_job(int parent, item job) override {
    if (pool().is_accepting()) {
      co_await reference_pool::do_submit_from_job(parent, std::move(job));
    } else {
      late_.push_back(std::move(job));
    }
  }

 private:
  std::vector<item> late_;
};
const auto m22 = mutant<nested_jobs_never_run>(
    "nested_jobs_slip_into_the_drain", "a running job may hand in another during a drain, which nobody runs",
    {{"WPL-6", "declared as refused"}});

class nested_submit_hangs final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit_from_job(int parent, item job) override {
    if (!pool().is_accepting()) co_await sleep_for_ever();
    co_await reference_pool::do_submit_from_job(parent, std::move(job));
  }
};
const auto m23 = mutant<nested_submit_hangs>(
    "a_nested_submit_blocks_the_drain",
    "job and drain wait for each other: the submit for room, the drain for the job",
    {{"WPL-6", "the drain ends although a job handed in another"}});

// ---- the queue's bound

template <int Difference>
class other_capacity final : public reference_pool {
 public:
  other_capacity(environment& env, worker_pool_config config) : reference_pool(env, changed(config)) {}

 private:
  static worker_pool_config changed(worker_pool_config config) {
    config.queue_capacity += Difference;
    return config;
  }
};
const auto m24 = mutant<other_capacity<1000>>("the_queue_is_unbounded", "submit never waits",
                                              {{"WPL-7", "a submit into a full queue waits or is refused"},
                                               {"X-27", "no more jobs than it is configured to"}},
                                              {"X-13"});
const auto m25 =
    mutant<other_capacity<1>>("the_queue_takes_one_too_many", "the bound is checked after the push",
                              {{"WPL-7", "a submit into a full queue waits or is refused"},
                               {"X-27", "no more jobs than it is configured to"}},
                              {"X-13"});
const auto m26 = mutant<other_capacity<-1>>("the_queue_takes_one_too_few", "the last place is never used",
                                            {{"WPL-7", "a submit is accepted while the queue has room"}},
                                            {"WPL-4", "X-4", "X-13"});

// Waits for room beside the reference's own line of submitters.
class submits_wait_aside : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    pool().close();
    wake_all(parked_);
    co_await reference_pool::drain();
  }

 protected:
  bool must_wait() { return pool().is_accepting() && pool().queued() >= pool().queue_capacity(); }
  awaitable<void> wait_aside() {
    pool_waiter self(co_await asio::this_coro::executor);
    co_await wait_in(parked_, self, asio::steady_timer::time_point::max());
  }
  void wake_one() {
    if (parked_.empty()) return;
    pool_waiter& first = *parked_.front();
    parked_.erase(parked_.begin());
    first.timer.cancel();
  }

 private:
  pool_waiters parked_;
};

class room_is_not_told final : public submits_wait_aside {
 public:
  using submits_wait_aside::submits_wait_aside;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    if (must_wait()) co_await wait_aside();
    co_await reference_pool::do_submit(std::move(job), how);
  }
};
const auto m27 = mutant<room_is_not_told>(
    "room_is_told_to_nobody", "whoever waits for room hears of the end only",
    {{"WPL-7", "a submit that waits is accepted"}}, {"WPL-2", "WPL-4", "X-4", "X-13", "X-27"});

class submits_barge final : public submits_wait_aside {
 public:
  using submits_wait_aside::submits_wait_aside;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    while (must_wait()) co_await wait_aside();
    co_await reference_pool::do_submit(std::move(job), how);
  }
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    wake_one();
    co_await reference_pool::run_job(std::move(job));
  }
};
const auto m28 = mutant<submits_barge>(
    "newcomers_overtake_parked_submits",
    "M-X13: who is woken looks again, and goes to the back if a newcomer was faster",
    {{"X-13", "submits that wait are served in the order they came"}}, {"WPL-4", "WPL-7", "X-4"});

class cancelled_submit_keeps_place final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    const int id = job.id();
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await shield(reference_pool::do_submit(std::move(job), how));
    const auto requests = co_await asio::this_coro::cancellation_state;
    if (requests.cancelled() == asio::cancellation_type::none) co_return;
    cancelled_.insert(id);
    contract::throw_cancelled();
  }
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    if (cancelled_.contains(job->id())) co_return;
    co_await reference_pool::run_job(std::move(job));
  }

 private:
  std::set<int> cancelled_;
};
const auto m29 = mutant<cancelled_submit_keeps_place>(
    "a_cancelled_submit_keeps_its_place", "a submit that was cancelled stays in line and takes the room",
    {{"X-4", "passes the room on to the next one"}}, {"WPL-2", "WPL-7", "WPL-11", "X-1"});

// ---- starting and draining more than once

class second_start_doubles final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  void start() override {
    if (pool().is_accepting()) pool().scale_to(2 * pool().workers());
    reference_pool::start();
  }
};
const auto m30 = mutant<second_start_doubles>("a_second_start_doubles_the_workers",
                                              "start spawns workers whatever is running already",
                                              {{"WPL-2", "more jobs run than there are workers"}}, {"WPL-8"});

class second_drain_hangs final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    if (drains_ > 0) co_await sleep_for_ever();
    ++drains_;
    std::exception_ptr failure = co_await failure_of(reference_pool::drain());
    --drains_;
    if (failure) std::rethrow_exception(failure);
  }

 private:
  int drains_ = 0;
};
const auto m31 = mutant<second_drain_hangs>(
    "a_second_drain_hangs", "only one drainer is told of the end",
    {{"WPL-8", "the second drain ends too, or is refused"}, {"X-1", ""}}, {"X-19"});

class restart_is_forgotten final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  void start() override {
    if (!pool().has_ended()) reference_pool::start();
  }
};
const auto m32 = mutant<restart_is_forgotten>(
    "a_drained_pool_stays_closed", "start after a drain reports success and opens nothing",
    {{"WPL-8", "a drained pool that is started again accepts jobs"}});

class drain_wants_a_start final : public reference_pool {
 public:
  drain_wants_a_start(environment& env, const worker_pool_config& config)
      : reference_pool(env, config), started_(config.started) {}
  void start() override {
    started_ = true;
    reference_pool::start();
  }
  awaitable<void> drain() override {
    if (!started_) co_await sleep_for_ever();
    co_await reference_pool::drain();
  }

 private:
  bool started_;
};
const auto m33 = mutant<drain_wants_a_start>(
    "a_drain_before_the_start_hangs", "a drain waits for workers that were never started",
    {{"WPL-8", "to drain a pool that was not started ends, or is refused"}});

// ---- a drainer that gives up

class cancelled_drain_drops_queue final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    const std::exception_ptr failure = co_await failure_of(reference_pool::drain());
    if (failure) abandoned_ = !pool().is_accepting();
    if (failure) std::rethrow_exception(failure);
  }

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    if (abandoned_) co_return;
    co_await reference_pool::run_job(std::move(job));
  }

 private:
  bool abandoned_ = false;
};
const auto m34 = mutant<cancelled_drain_drops_queue>(
    "a_cancelled_drain_abandons_the_queue",
    "with their drainer the workers give up, and the queued jobs are lost",
    {{"WPL-9", "an accepted job is executed or returned"}}, {"WPL-6", "WPL-8", "X-19"});

class cancelled_drain_is_final final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> drain() override {
    if (abandoned_) co_await sleep_for_ever();
    const std::exception_ptr failure = co_await failure_of(reference_pool::drain());
    if (failure) abandoned_ = !pool().is_accepting();
    if (failure) std::rethrow_exception(failure);
  }

 private:
  bool abandoned_ = false;
};
const auto m35 = mutant<cancelled_drain_is_final>(
    "a_cancelled_drain_cannot_be_repeated", "the end of the jobs is told to the drainer that gave up",
    {{"WPL-9", "a drain ends when every job has"}}, {"WPL-6", "WPL-8", "X-19"});

// ---- a job's own time

template <int Percent>
class timeout_is_scaled final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  job_options options_for(int id, const worker_pool_request& how) const override {
    job_options options = reference_pool::options_for(id, how);
    if (how.timeout_ns > 0) options.timeout = options.timeout / 100 * Percent;
    return options;
  }
};
const auto m36 = mutant<timeout_is_scaled<50>>("jobs_time_out_early", "half of the timeout is used",
                                               {{"WPL-10", "before its timeout a job is left alone"}});
const auto m37 =
    mutant<timeout_is_scaled<150>>("jobs_time_out_late", "half as much again as the timeout is used",
                                   {{"WPL-10", "at its timeout the job is cancelled, and no other"}});

class timeout_overflows final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    const nanoseconds limit = overflowing_limit(nanoseconds(how.timeout_ns));
    if (how.timeout_ns > 0) how.timeout_ns = limit > nanoseconds::zero() ? limit.count() : -1;
    return reference_pool::do_submit(std::move(job), how);
  }
};
const auto m_timeout_overflows = mutant<timeout_overflows>(
    "job_timeouts_overflow", "a timeout that is longer than the clock has passed when the job begins",
    {{"WPL-10", "before its timeout a job is left alone"}});

class timeout_that_has_passed_is_none final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> do_submit(item job, worker_pool_request how) override {
    if (how.timeout_ns < 0) how.timeout_ns = 0;
    return reference_pool::do_submit(std::move(job), how);
  }
};
const auto m_timeout_passed = mutant<timeout_that_has_passed_is_none>(
    "a_timeout_that_has_passed_is_none",
    "what is left of a timeout, and is less than nothing, counts as no timeout",
    {{"WPL-10", "at its timeout the job is cancelled, and not before"}});

class timeout_keeps_worker final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    co_await hold_requests;
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (is_cancellation(failure)) co_await shield(sleep(500ms));
    if (failure) std::rethrow_exception(failure);
  }
};
const auto m38 = mutant<timeout_keeps_worker>(
    "a_timed_out_job_keeps_its_worker", "the worker of a job that timed out is not free",
    {{"WPL-10", "the timeout frees the worker for the next job"}}, {"WPL-4", "WPL-5"});

// It times the jobs itself.
class timeout_frees_worker_early final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  job_options options_for(int id, const worker_pool_request& how) const override {
    job_options options = reference_pool::options_for(id, how);
    if (how.timeout_ns <= 0) return options;
    limits_[id] = options.timeout;
    options.timeout = std::chrono::nanoseconds::max();
    return options;
  }
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const auto limit = limits_.find(job->id());
    if (limit == limits_.end()) {
      co_await reference_pool::run_job(std::move(job));
      co_return;
    }
    co_await hold_requests;
    const auto executor = co_await asio::this_coro::executor;
    const auto apart = std::make_shared<timed_job>(executor, deadline_after(limit->second));
    asio::co_spawn(executor, end_of(std::move(job)), timed_job_ended(apart));
    boost::system::error_code ended;
    co_await apart->bell.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    const auto requests = co_await asio::this_coro::cancellation_state;
    const bool timed_out = !apart->ended && requests.cancelled() == asio::cancellation_type::none;
    // The defect: another worker begins while the job is still ending.
    if (timed_out) pool().scale_to(pool().workers() + 1);
    if (!apart->ended) apart->signal.emit(asio::cancellation_type::terminal);
    apart->bell.expires_at(asio::steady_timer::time_point::max());
    while (!apart->ended) co_await apart->bell.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (timed_out) pool().scale_to(pool().workers() - 1);
    if (timed_out) throw timed_out_error();
    if (apart->failure) std::rethrow_exception(apart->failure);
  }

 private:
  struct timed_job {
    timed_job(const asio::any_io_executor& executor, asio::steady_timer::time_point deadline)
        : bell(executor, deadline) {}
    asio::steady_timer bell;
    asio::cancellation_signal signal;
    std::exception_ptr failure;
    bool ended = false;
  };
  // Carries the slot itself, so that a request is made at once.
  struct timed_job_ended {
    using cancellation_slot_type = asio::cancellation_slot;
    explicit timed_job_ended(std::shared_ptr<timed_job> which) : job(std::move(which)) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return job->signal.slot(); }
    void operator()(const std::exception_ptr& broken, std::exception_ptr failure) const {
      job->failure = broken ? broken : std::move(failure);
      job->ended = true;
      job->bell.cancel();
    }
    std::shared_ptr<timed_job> job;
  };
  mutable std::map<int, nanoseconds> limits_;
};
const auto m_timeout_early = mutant<timeout_frees_worker_early>(
    "a_timeout_frees_the_worker_too_early",
    "when a job times out the next one begins, although the job has not ended yet",
    {{"WPL-2", "more jobs run than there are workers"}});

class timeout_looks_cancelled final : public reference_pool {
 public:
  using reference_pool::reference_pool;
  awaitable<void> outcome(int id) override {
    try {
      co_await reference_pool::outcome(id);
    } catch (const contract::timed_out_error&) {
      contract::throw_cancelled();
    }
  }
};
const auto m39 = mutant<timeout_looks_cancelled>("a_timeout_is_told_as_cancelled",
                                                 "the handle of a job that timed out says cancelled",
                                                 {{"WPL-10", "the job has ended as timed out"}});

class timeout_stops_all final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    co_await hold_requests;
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (is_cancellation(failure) && pool().is_accepting()) {
      for (const item& one : items_of(pool().stop_now())) hand_back(one);
    }
    if (failure) std::rethrow_exception(failure);
  }
};
const auto m40 =
    mutant<timeout_stops_all>("a_timeout_stops_the_pool", "one job that times out takes the others with it",
                              {{"WPL-10", "at its timeout the job is cancelled, and no other"}});

// ---- more workers, fewer workers

class scaling_up_waits final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  void do_scale_to(std::int64_t workers) override {
    wanted_ = workers;
    if (static_cast<std::size_t>(workers) < pool().workers()) reference_pool::do_scale_to(workers);
  }
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    const std::exception_ptr failure = co_await end_of(std::move(job));
    if (wanted_ > 0) reference_pool::do_scale_to(wanted_);
    if (failure) std::rethrow_exception(failure);
  }

 private:
  std::int64_t wanted_ = 0;
};
const auto m41 = mutant<scaling_up_waits>("scaling_up_waits_for_a_job_to_end",
                                          "new workers look at the queue only when a job ends",
                                          {{"WPL-11", "scaling up takes effect at once"}});

class scaling_down_is_ignored final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  void do_scale_to(std::int64_t workers) override {
    if (static_cast<std::size_t>(workers) > pool().workers()) reference_pool::do_scale_to(workers);
  }
};
const auto m42 = mutant<scaling_down_is_ignored>("scaling_down_is_ignored", "workers are only ever added",
                                                 {{"WPL-11", "workers that finish are not replaced"}});

class scaling_down_drops_jobs final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  void do_scale_to(std::int64_t workers) override {
    const auto fewer = static_cast<std::size_t>(workers);
    if (fewer < pool().workers()) dropped_ += pool().workers() - fewer;
    reference_pool::do_scale_to(workers);
  }
  awaitable<void> run_job(std::shared_ptr<item> job) override {
    if (dropped_ > 0) {
      --dropped_;
      co_return;
    }
    co_await reference_pool::run_job(std::move(job));
  }

 private:
  std::size_t dropped_ = 0;
};
const auto m43 = mutant<scaling_down_drops_jobs>("a_leaving_worker_takes_a_job_along",
                                                 "a worker that is told to go has taken its next job already",
                                                 {{"WPL-11", "no job is lost, and none is executed twice"}});

// ---- urgency

template <class Change>
class other_urgency final : public reference_pool {
 public:
  using reference_pool::reference_pool;

 protected:
  job_options options_for(int id, const worker_pool_request& how) const override {
    job_options options = reference_pool::options_for(id, how);
    options.priority = Change()(id, options.priority);
    return options;
  }
};
struct no_urgency {
  int operator()(int, int) const { return 0; }
};
struct least_urgent {
  int operator()(int, int priority) const { return -priority; }
};
struct last_of_equals {
  int operator()(int id, int priority) const { return priority * 1000 + id; }
};
const auto m44 =
    mutant<other_urgency<no_urgency>>("urgency_is_ignored", "jobs begin in the order of their submits",
                                      {{"WPL-12", "the most urgent job begins first"}});
const auto m45 =
    mutant<other_urgency<least_urgent>>("the_least_urgent_job_is_first", "the order is upside down",
                                        {{"WPL-12", "the most urgent job begins first"}});
const auto m46 = mutant<other_urgency<last_of_equals>>("equals_begin_last_come_first",
                                                       "PRQ-m1: a heap without sequence numbers",
                                                       {{"WPL-12", "the most urgent job begins first"}});

}  // namespace
}  // namespace assay
