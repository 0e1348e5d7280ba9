// A pool that is built otherwise than the reference: a worker is a task that is called in when there is work, takes one
// job after the other from a list that nobody keeps in order, and goes home when it finds none. To drain it before its
// start hands back what it was given. Mutants are this pool with one thing wrong.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
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

ASSAY_DEFECTS(pool_defect, none, a_submit_after_the_drain_is_accepted_and_never_runs, drain_forgets_the_queue,
              a_cancelled_submit_runs_all_the_same, one_worker_too_many, one_worker_too_few,
              a_bad_job_kills_its_worker, crashed_workers_are_not_replaced, job_errors_are_swallowed,
              errors_reach_the_handle_and_the_hook, drain_raises_on_the_first_failure,
              drain_waits_for_the_queue_only, drain_waits_for_one_idle_worker,
              an_idle_worker_outlives_the_drain, running_jobs_hear_of_no_stop, stop_loses_an_unstarted_job,
              stop_abandons_running_jobs, drain_ignores_its_deadline, drain_gives_up_early,
              drain_gives_up_late, drain_deadline_overflows, drain_abandons_jobs_at_its_deadline,
              drain_report_is_mixed_up, drain_deadline_loses_the_queue, nested_jobs_slip_into_the_drain,
              a_nested_submit_blocks_the_drain, the_queue_is_unbounded, the_queue_takes_one_too_many,
              the_queue_takes_one_too_few, room_is_told_to_nobody, newcomers_overtake_parked_submits,
              a_cancelled_submit_keeps_its_place, a_second_start_doubles_the_workers, a_second_drain_hangs,
              a_drained_pool_stays_closed, a_drain_before_the_start_hangs,
              a_cancelled_drain_abandons_the_queue, a_cancelled_drain_cannot_be_repeated, jobs_time_out_early,
              jobs_time_out_late, job_timeouts_overflow, a_timeout_that_has_passed_is_none,
              a_timed_out_job_keeps_its_worker, a_timeout_frees_the_worker_too_early,
              a_timeout_is_told_as_cancelled, a_timeout_stops_the_pool, scaling_up_waits_for_a_job_to_end,
              scaling_down_is_ignored, a_leaving_worker_takes_a_job_along, urgency_is_ignored,
              the_least_urgent_job_is_first, equals_begin_last_come_first)

/// What goes wrong only after a while, or where several things meet.
ASSAY_DEFECTS(pool_lapse, none, outcomes_of_returned_jobs_never_settle, a_slow_job_loses_its_place,
              every_tenth_worker_is_not_replaced, a_cancelled_submit_takes_its_room_along,
              a_drain_forgets_jobs_that_have_timed_out, an_asker_who_gives_up_takes_the_outcome_along,
              a_stop_beside_a_drain_leaves_the_queue, a_drain_after_a_restart_ends_at_once,
              a_timeout_is_left_to_the_next_job, a_timeout_is_told_before_the_job_has_ended,
              a_late_timeout_stops_whoever_runs, a_late_drain_says_that_it_expired,
              a_start_waits_for_the_next_submit, a_job_counts_as_cancelled_before_it_begins)

class pool_in_shifts : public contract::worker_pool {
 public:
  using enum pool_defect;

  pool_in_shifts(environment& env, const contract::worker_pool_config& config, pool_habits habits,
                 pool_lapse lapse)
      : pool_in_shifts(env, config, habits, none, lapse) {}
  pool_in_shifts(environment& env, const contract::worker_pool_config& config, pool_habits habits,
                 pool_defect wrong, pool_lapse lapse = pool_lapse::none)
      : env_(env),
        executor_(env.executor()),
        habits_(habits),
        wrong_(wrong),
        lapse_(lapse),
        workers_(static_cast<std::size_t>(config.workers)),
        capacity_(static_cast<std::size_t>(config.queue_capacity)),
        started_(config.started) {
    if (is(one_worker_too_many)) ++workers_;
    if (is(one_worker_too_few) && workers_ > 1) --workers_;
    if (is(the_queue_is_unbounded)) capacity_ += 1000;
    if (is(the_queue_takes_one_too_many)) ++capacity_;
    if (is(the_queue_takes_one_too_few)) --capacity_;
  }
  ~pool_in_shifts() override {
    *here_ = false;
    for (const auto& [id, one] : jobs_) {
      if (one->failed() && !one->told) env_.report_unhandled(one->failure);
    }
  }

  awaitable<void> drain() override {
    const bool hangs = (is(a_second_drain_hangs) && !drainers_->empty()) ||
                       (is(a_drain_before_the_start_hangs) && !started_) ||
                       (is(a_cancelled_drain_cannot_be_repeated) && drainer_gave_up_);
    if (hangs) co_await sleep_for_ever();
    if (habits_ == pool_habits::contrary) {
      co_await scope(drain_or_stop());
      co_return;
    }
    begin_drain();
    if (is(pool_lapse::a_drain_after_a_restart_ends_at_once) && restarted_) co_return;
    const std::exception_ptr cancellation = co_await failure_of(until_drained());
    drainer_gave_up_ = drainer_gave_up_ || cancellation;
    if (cancellation) std::rethrow_exception(cancellation);
    if (is(an_idle_worker_outlives_the_drain) && jobs_.empty())
      boost::asio::co_spawn(executor_, sleep_for_ever(), [](const std::exception_ptr&) {});
  }

  awaitable<void> outcome(int id) override {
    const job_ptr asked = jobs_.at(id);
    pool_waiter self(executor_);
    if (is(pool_lapse::an_asker_who_gives_up_takes_the_outcome_along) &&
        std::exchange(asked->asked_for, true))
      throw contract::rejected_error("the outcome was asked for before");
    while (!(asked->ended || is_told_early(*asked)) || asked->is_unheard_of)
      co_await wait_in(asked->askers, self);
    asked->told = true;
    jobs_.erase(id);
    if (asked->timed_out && is(a_timeout_is_told_as_cancelled)) contract::throw_cancelled();
    if (!asked->ended) throw contract::timed_out_error();
    if (asked->failed()) std::rethrow_exception(asked->failure);
    if (asked->failure) throw contract::rejected_error("the job was cancelled, or not executed");
  }

  bool drains_nested() const override { return habits_ == pool_habits::contrary; }

  void start() override {
    const bool accepts = state_ == state::open;
    if (!accepts && on_shift_ > 0) throw contract::rejected_error("a drain is under way");
    if (accepts && started_ && habits_ == pool_habits::contrary) throw contract::rejected_error("it runs");
    if (accepts && is(a_second_start_doubles_the_workers)) workers_ *= 2;
    if (!accepts && is(a_drained_pool_stays_closed)) return;
    restarted_ = !accepts;
    state_ = state::open;
    started_ = true;
    if (!is(pool_lapse::a_start_waits_for_the_next_submit)) move_on();
  }

 protected:
  awaitable<void> do_submit(item one, contract::worker_pool_request how) override {
    if (is(a_submit_after_the_drain_is_accepted_and_never_runs) && state_ != state::open) {
      late_.push_back(std::move(one));
      co_return;
    }
    if (is(a_cancelled_submit_runs_all_the_same) || is(a_cancelled_submit_keeps_its_place)) {
      co_await hand_in_whatever_is_asked(std::move(one), how);
    } else {
      co_await hand_in(std::move(one), how);
    }
  }

  awaitable<void> do_submit_from_job(int, item one) override {
    if (state_ != state::open) {
      if (is(nested_jobs_slip_into_the_drain)) {
        late_.push_back(std::move(one));
        co_return;
      }
      if (is(a_nested_submit_blocks_the_drain)) co_await sleep_for_ever();
    }
    const contract::worker_pool_request plain;
    if (drains_nested() && state_ == state::draining) {
      if (!has_room()) throw contract::rejected_error("full");
      accept(std::move(one), plain);
    } else {
      co_await do_submit(std::move(one), plain);
    }
  }

  awaitable<std::vector<item>> do_stop_now() override {
    std::size_t cancelled = 0;
    std::vector<item> unstarted = stop(cancelled, state_);
    if (!is(stop_abandons_running_jobs)) co_await shield(idle());
    if (is(stop_loses_an_unstarted_job) && !unstarted.empty()) unstarted.pop_back();
    co_return unstarted;
  }

  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override {
    time_point deadline =
        deadline_of(patience, drain_gives_up_early, drain_gives_up_late, drain_deadline_overflows);
    if (is(drain_ignores_its_deadline)) deadline = time_point::max();
    if (!started_ && habits_ == pool_habits::contrary) throw contract::rejected_error("it was not started");
    begin_drain();
    const bool waits = on_shift_ > 0;
    co_await idle(deadline);
    const bool is_late = waits && std::chrono::steady_clock::now() > deadline;
    if (is(pool_lapse::a_late_drain_says_that_it_expired) && is_late && on_shift_ == 0)
      throw contract::timed_out_error();
    contract::worker_pool_report report;
    if (on_shift_ > 0) {
      report.returned = stop(report.cancelled);
      report.unstarted = report.returned.size();
      if (!is(drain_abandons_jobs_at_its_deadline)) co_await shield(idle());
    }
    if (is(drain_report_is_mixed_up)) std::swap(report.cancelled, report.unstarted);
    if (is(drain_deadline_loses_the_queue)) report.returned.clear();
    co_return report;
  }

  void do_scale_to(std::int64_t workers) override {
    const auto wanted = static_cast<std::size_t>(workers);
    const bool grows = wanted > workers_;
    if (!grows && is(scaling_down_is_ignored)) return;
    if (!grows && is(a_leaving_worker_takes_a_job_along)) to_be_dropped_ += workers_ - wanted;
    workers_ = wanted;
    if (!grows || !is(scaling_up_waits_for_a_job_to_end)) move_on();
  }

 private:
  enum class state { open, draining, stopped };
  using time_point = std::chrono::steady_clock::time_point;

  struct job {
    bool failed() const { return failure && !is_cancellation(failure); }
    item one;
    int id = 0;
    contract::worker_pool_request how;
    bool begun = false;
    bool ended = false;
    time_point deadline = time_point::max();  // of its timeout, once it has begun
    bool timed_out = false;
    bool told = false;  // somebody was, how it ended
    std::exception_ptr failure;
    boost::asio::cancellation_signal signal;
    pool_line askers = make_line();
    // What defects need.
    bool skipped = false;
    bool worker_is_freed = false;
    bool is_unheard_of = false;
    bool asked_for = false;
  };
  using job_ptr = std::shared_ptr<job>;
  using presence = std::shared_ptr<bool>;  // false once the pool is gone

  bool is(pool_defect defect) const noexcept { return wrong_ == defect; }
  bool is(pool_lapse lapse) const noexcept { return lapse_ == lapse; }
  bool is_told_early(const job& one) const noexcept {
    return one.timed_out && is(pool_lapse::a_timeout_is_told_before_the_job_has_ended);
  }

  // ---- submits

  bool has_room() const {
    const std::size_t busy = on_shift_ - called_in_;
    const std::size_t free = started_ && workers_ > busy ? workers_ - busy : 0;
    return queue_.size() < capacity_ + free;
  }

  void accept(item one, const contract::worker_pool_request& how) {
    auto made = std::make_shared<job>();
    made->id = one.id();
    made->one = std::move(one);
    made->how = how;
    jobs_[made->id] = made;
    queue_.push_back(std::move(made));
    move_on();
  }

  awaitable<void> hand_in(item one, contract::worker_pool_request how) {
    pool_waiter self(executor_);
    const bool overtakes = is(newcomers_overtake_parked_submits);
    while (overtakes && state_ == state::open && !has_room()) co_await wait_in(submitters_, self);
    if (state_ != state::open) throw contract::closed_error();
    if ((overtakes || submitters_->empty()) && has_room()) {
      accept(std::move(one), how);
      co_return;
    }
    if (habits_ == pool_habits::contrary) throw contract::rejected_error("full");
    self.offered = std::move(one);
    self.how = how;
    const std::exception_ptr cancellation = co_await failure_of(wait_in(submitters_, self));
    if (self.taken) co_return;  // whatever was asked meanwhile
    if (cancellation && is(pool_lapse::a_cancelled_submit_takes_its_room_along) && capacity_ > 0) --capacity_;
    if (cancellation) std::rethrow_exception(cancellation);
    throw contract::closed_error();
  }

  awaitable<void> hand_in_whatever_is_asked(item one, contract::worker_pool_request how) {
    const int id = one.id();
    co_await hold_requests;
    co_await shield(hand_in(std::move(one), how));
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    if (requests.cancelled() == boost::asio::cancellation_type::none) co_return;
    jobs_.at(id)->skipped = is(a_cancelled_submit_keeps_its_place);
    contract::throw_cancelled();
  }

  // Lets in who waits, calls workers in, and tells drainers.
  void move_on() {
    if (is(newcomers_overtake_parked_submits)) {
      if (!submitters_->empty() && has_room()) submitters_->front()->timer.cancel();
    } else if (!is(room_is_told_to_nobody)) {
      while (state_ == state::open && !submitters_->empty() && has_room()) {
        const bool first = habits_ == pool_habits::first_come;
        const auto next = first ? submitters_->begin() : submitters_->end() - 1;
        pool_waiter& chosen = **next;
        submitters_->erase(next);
        chosen.taken = true;
        chosen.timer.cancel();
        accept(std::move(chosen.offered), chosen.how);
      }
    }
    while (started_ && on_shift_ < workers_ && called_in_ < queue_.size()) {
      ++on_shift_;
      ++called_in_;
      boost::asio::co_spawn(executor_, shift(here_), [this, here = here_](const std::exception_ptr& failure) {
        if (!*here) return;
        if (failure) env_.report_unhandled(failure);
        --on_shift_;
        move_on();
      });
    }
    if (has_drained() || on_shift_ == 0) wake_all(drainers_);
  }

  // ---- workers

  awaitable<void> shift(presence here) {
    if (!*here) co_return;
    --called_in_;
    while (!queue_.empty() && on_shift_ <= workers_) {
      const job_ptr mine = next_job();
      move_on();
      auto token = boost::asio::bind_cancellation_slot(mine->signal.slot(), boost::asio::use_awaitable);
      std::exception_ptr failure =
          co_await failure_of(boost::asio::co_spawn(executor_, run(here, mine), token));
      if (!*here) co_return;
      end(mine, std::move(failure));
      if (is(pool_lapse::every_tenth_worker_is_not_replaced) && ++jobs_ended_ % 10 == 0) --workers_;
    }
  }

  // Of the most urgent the first: they lie as they came.
  job_ptr next_job() {
    const auto is_less = [this](const job_ptr& a, const job_ptr& b) {
      return urgency_of(*a) < urgency_of(*b);
    };
    const bool youngest = habits_ == pool_habits::contrary;
    const auto next = youngest ? queue_.end() - 1 : std::max_element(queue_.begin(), queue_.end(), is_less);
    job_ptr chosen = *next;
    queue_.erase(next);
    running_.push_back(chosen);
    return chosen;
  }

  std::int64_t urgency_of(const job& one) const {
    if (is(urgency_is_ignored)) return 0;
    if (is(the_least_urgent_job_is_first)) return -one.how.priority;
    if (is(equals_begin_last_come_first)) return 1000 * one.how.priority + one.id;
    return one.how.priority;
  }

  awaitable<void> run(presence here, job_ptr mine) {
    co_await boost::asio::post(boost::asio::use_awaitable);  // before it nothing may be asked of a task
    if (!*here || mine->ended) co_return;                    // it was returned
    mine->begun = true;
    boost::asio::steady_timer timer(executor_);
    limit(mine, timer);
    const std::exception_ptr failure = co_await failure_of(work(mine));
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await hold_requests;
    const bool is_cancelled = is_cancellation(failure);
    if (is(a_timed_out_job_keeps_its_worker) && is_cancelled)
      co_await shield(sleep_for(std::chrono::milliseconds(500)));
    if (is(a_bad_job_kills_its_worker) && failure && !is_cancelled) co_await sleep_for_ever();
    if (is(a_timeout_stops_the_pool) && is_cancelled && *here && state_ == state::open) stop_and_hand_back();
    if (failure) std::rethrow_exception(failure);
  }

  awaitable<void> work(job_ptr mine) {
    if (skips(*mine)) co_return;
    item one = std::move(mine->one);
    if (is(running_jobs_hear_of_no_stop)) {
      co_await shield(execute(std::move(one)));
    } else {
      co_await execute(std::move(one));
    }
  }

  bool skips(const job& mine) {
    if (is(drain_forgets_the_queue)) return state_ != state::open;
    if (is(a_cancelled_drain_abandons_the_queue)) return drainer_gave_up_;
    if (to_be_dropped_ == 0) return mine.skipped;
    --to_be_dropped_;
    return true;
  }

  void limit(const job_ptr& mine, boost::asio::steady_timer& timer) {
    nanoseconds timeout(mine->how.timeout_ns);
    if (is(a_timeout_that_has_passed_is_none)) timeout = std::max(timeout, nanoseconds::zero());
    if (timeout != nanoseconds::zero())
      mine->deadline = deadline_of(timeout, jobs_time_out_early, jobs_time_out_late, job_timeouts_overflow);
    else if (left_over_ > std::chrono::steady_clock::now())
      mine->deadline = std::exchange(left_over_, time_point::max());
    if (mine->deadline == time_point::max()) return;
    timer.expires_at(mine->deadline);
    timer.async_wait([this, here = here_, mine](const boost::system::error_code& error) {
      if (error || !*here) return;
      if (mine->ended && is(pool_lapse::a_late_timeout_stops_whoever_runs)) {
        for (const job_ptr& other : std::vector<job_ptr>(running_))
          if (other->begun) ask_to_stop(other);
      }
      if (mine->ended) return;
      mine->timed_out = true;
      if (is(pool_lapse::a_timeout_is_told_before_the_job_has_ended)) wake_all(mine->askers);
      if (is(a_timeout_frees_the_worker_too_early)) {
        mine->worker_is_freed = true;
        ++workers_;
        move_on();
      }
      ask_to_stop(mine);
      if (is(pool_lapse::a_drain_forgets_jobs_that_have_timed_out)) wake_all(drainers_);
      if (is(pool_lapse::a_slow_job_loses_its_place))
        boost::asio::co_spawn(executor_, give_its_place_away(here, mine), [](const std::exception_ptr&) {});
    });
  }

  // The defect: who does not stop soon is taken for gone.
  awaitable<void> give_its_place_away(presence here, job_ptr slow) {
    co_await sleep_for(std::chrono::milliseconds(1));
    if (!*here || slow->ended) co_return;
    slow->worker_is_freed = true;
    ++workers_;
    move_on();
  }

  // From within the executor: Asio posts what is emitted outside, and may then look for a signal that is gone.
  void ask_to_stop(const job_ptr& one) {
    boost::asio::dispatch(executor_, [one] {
      if (!one->ended) one->signal.emit(boost::asio::cancellation_type::terminal);
    });
  }

  void end(const job_ptr& mine, std::exception_ptr failure) {
    if (mine->worker_is_freed) --workers_;
    if (is(pool_lapse::a_timeout_is_left_to_the_next_job) && !queue_.empty()) left_over_ = mine->deadline;
    std::erase(running_, mine);
    if (mine->ended) return;
    if (mine->timed_out && is_cancellation(failure))
      failure = std::make_exception_ptr(contract::timed_out_error());
    mine->ended = true;
    mine->failure = std::move(failure);
    wake_all(mine->askers);
    if (!mine->failed() || mine->timed_out) return;
    if (is(errors_reach_the_handle_and_the_hook)) env_.report_unhandled(mine->failure);
    if (is(job_errors_are_swallowed)) mine->failure = nullptr;
    if (is(crashed_workers_are_not_replaced) && workers_ > 1) --workers_;
    if (is(drain_raises_on_the_first_failure) && state_ != state::open) {
      first_failure_ = mine->failure;
      wake_all(drainers_);
    }
  }

  time_point deadline_of(nanoseconds limit, pool_defect early, pool_defect late,
                         pool_defect overflows) const {
    if (is(early)) return deadline_after(limit / 2);
    if (is(late)) return deadline_after(deadline_after(limit), limit / 2);
    if (is(overflows)) return overflowing_deadline(limit);
    return deadline_after(limit);
  }

  // ---- drains

  void close(state into) {
    state_ = into;
    wake_all(submitters_);
  }

  // What was never to begin goes back at once.
  void begin_drain() {
    close(state::draining);
    if (started_) return;
    for (const item& one : take_unstarted()) hand_back(one);
  }

  bool has_drained() const {
    if (is(drain_waits_for_the_queue_only)) return queue_.empty();
    if (is(drain_waits_for_one_idle_worker)) return queue_.empty() && on_shift_ < workers_;
    if (is(pool_lapse::a_drain_forgets_jobs_that_have_timed_out))
      return queue_.empty() && called_in_ == 0 &&
             std::all_of(running_.begin(), running_.end(), [](const job_ptr& one) { return one->timed_out; });
    return on_shift_ == 0;
  }

  awaitable<void> until_drained() {
    pool_waiter self(executor_);
    while (!has_drained()) {
      co_await wait_in(drainers_, self);
      if (first_failure_) std::rethrow_exception(std::exchange(first_failure_, nullptr));
    }
  }

  awaitable<void> drain_or_stop() {
    if (!started_) throw contract::rejected_error("it was not started");
    if (state_ == state::open) close(state::draining);
    std::exception_ptr cancellation;
    while (!cancellation && on_shift_ > 0)
      cancellation = co_await failure_of(sleep_for(std::chrono::milliseconds(1)));
    if (!cancellation) co_return;
    stop_and_hand_back();
    co_await hold_requests;
    co_await shield(idle());
    std::rethrow_exception(cancellation);
  }

  // Until nobody is at work, or the deadline has passed.
  awaitable<void> idle(time_point deadline = time_point::max()) {
    pool_waiter self(executor_);
    while (on_shift_ > 0 && std::chrono::steady_clock::now() < deadline)
      co_await wait_in(drainers_, self, deadline);
  }

  std::vector<item> take_unstarted() {
    const auto cancelled =
        std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
    std::vector<item> those;
    for (const auto& from : {running_, queue_}) {
      for (const job_ptr& one : from) {
        if (one->begun || one->ended) continue;
        those.push_back(std::move(one->one));
        one->is_unheard_of = is(pool_lapse::outcomes_of_returned_jobs_never_settle);
        end(one, cancelled);
      }
    }
    queue_.clear();
    return those;
  }

  std::vector<item> stop(std::size_t& cancelled, state before = state::open) {
    close(state::stopped);
    const bool forgetful =
        is(pool_lapse::a_stop_beside_a_drain_leaves_the_queue) && before == state::draining;
    if (is(pool_lapse::a_job_counts_as_cancelled_before_it_begins))
      cancelled += static_cast<std::size_t>(
          std::count_if(running_.begin(), running_.end(), [](const job_ptr& one) { return !one->begun; }));
    std::vector<item> those = forgetful ? std::vector<item>() : take_unstarted();
    for (const job_ptr& one : std::vector<job_ptr>(running_)) {
      if (!one->begun || one->ended) continue;
      ++cancelled;
      ask_to_stop(one);
    }
    return those;
  }

  void stop_and_hand_back() {
    std::size_t cancelled = 0;
    for (const item& one : stop(cancelled)) hand_back(one);
  }

  environment& env_;
  const boost::asio::any_io_executor executor_;
  const pool_habits habits_;
  const pool_defect wrong_;
  const pool_lapse lapse_;
  std::size_t workers_;
  std::size_t capacity_;
  bool started_;
  state state_ = state::open;
  std::size_t on_shift_ = 0;   // workers
  std::size_t called_in_ = 0;  // of these, those that have not taken a job yet
  std::vector<job_ptr> queue_;
  std::vector<job_ptr> running_;
  std::map<int, job_ptr> jobs_;  // until somebody is told how it ended
  const pool_line submitters_ = make_line();
  const pool_line drainers_ = make_line();
  const presence here_ = std::make_shared<bool>(true);

  // What defects need.
  std::vector<item> late_;
  std::exception_ptr first_failure_;
  bool drainer_gave_up_ = false;
  std::size_t to_be_dropped_ = 0;
  bool restarted_ = false;
  std::size_t jobs_ended_ = 0;
  time_point left_over_ = time_point::max();
};

}  // namespace assay
