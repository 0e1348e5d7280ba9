#include <assay/scenarios/flow/worker_pool/alternative.hpp>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

std::size_t workers_of(std::int64_t configured, pool_defect wrong) {
  if (wrong == pool_defect::one_worker_too_many) ++configured;
  if (wrong == pool_defect::one_worker_too_few && configured > 1) --configured;
  return static_cast<std::size_t>(configured);
}

std::size_t capacity_of(std::int64_t configured, pool_defect wrong) {
  if (wrong == pool_defect::the_queue_is_unbounded) configured += 1000;
  if (wrong == pool_defect::the_queue_takes_one_too_many) ++configured;
  if (wrong == pool_defect::the_queue_takes_one_too_few) --configured;
  return static_cast<std::size_t>(configured);
}

}  // namespace

pool_in_shifts::pool_in_shifts(environment& env, const contract::worker_pool_config& config,
                               pool_habits habits, pool_defect wrong)
    : env_(env),
      executor_(env.executor()),
      habits_(habits),
      wrong_(wrong),
      workers_(workers_of(config.workers, wrong)),
      capacity_(capacity_of(config.queue_capacity, wrong)),
      started_(config.started) {}

pool_in_shifts::~pool_in_shifts() {
  *here_ = false;
  for (const auto& [id, one] : jobs_) {
    if (one->failed() && !one->told) env_.report_unhandled(one->failure);
  }
}

bool pool_in_shifts::job::failed() const { return failure && !is_cancellation(failure); }

// ---- submits

boost::asio::awaitable<void> pool_in_shifts::do_submit(item one, contract::worker_pool_request how) {
  if (is(pool_defect::a_submit_after_the_drain_is_accepted_and_never_runs) && state_ != state::open) {
    late_.push_back(std::move(one));
    co_return;
  }
  if (is(pool_defect::a_cancelled_submit_runs_all_the_same) ||
      is(pool_defect::a_cancelled_submit_keeps_its_place)) {
    co_await hand_in_whatever_is_asked(std::move(one), how);
  } else {
    co_await hand_in(std::move(one), how);
  }
}

boost::asio::awaitable<void> pool_in_shifts::do_submit_from_job(int, item one) {
  if (state_ != state::open) {
    if (is(pool_defect::nested_jobs_slip_into_the_drain)) {
      late_.push_back(std::move(one));
      co_return;
    }
    if (is(pool_defect::a_nested_submit_blocks_the_drain)) co_await sleep_for_ever();
  }
  const contract::worker_pool_request plain;
  if (drains_nested() && state_ == state::draining) {
    if (!has_room()) throw contract::rejected_error("full");
    accept(std::move(one), plain);
  } else {
    co_await do_submit(std::move(one), plain);
  }
}

bool pool_in_shifts::has_room() const {
  const std::size_t busy = on_shift_ - called_in_;
  const std::size_t free = started_ && workers_ > busy ? workers_ - busy : 0;
  return queue_.size() < capacity_ + free;
}

void pool_in_shifts::accept(item one, const contract::worker_pool_request& how) {
  auto made = std::make_shared<job>();
  made->id = one.id();
  made->one = std::move(one);
  made->how = how;
  jobs_[made->id] = made;
  queue_.push_back(std::move(made));
  move_on();
}

boost::asio::awaitable<void> pool_in_shifts::hand_in(item one, contract::worker_pool_request how) {
  pool_waiter self(executor_);
  if (is(pool_defect::newcomers_overtake_parked_submits)) {
    while (state_ == state::open && !has_room()) co_await wait_in(submitters_, self);
  }
  if (state_ != state::open) throw contract::closed_error();
  const bool overtakes = is(pool_defect::newcomers_overtake_parked_submits);
  if ((overtakes || submitters_->empty()) && has_room()) {
    accept(std::move(one), how);
    co_return;
  }
  if (habits_ == pool_habits::contrary) throw contract::rejected_error("full");
  self.offered = std::move(one);
  self.how = how;
  const std::exception_ptr cancellation = co_await failure_of(wait_in(submitters_, self));
  if (self.taken) co_return;  // whatever was asked meanwhile
  if (cancellation) std::rethrow_exception(cancellation);
  throw contract::closed_error();
}

boost::asio::awaitable<void> pool_in_shifts::hand_in_whatever_is_asked(item one,
                                                                       contract::worker_pool_request how) {
  const int id = one.id();
  co_await hold_requests;
  co_await shield(hand_in(std::move(one), how));
  const auto requests = co_await asio::this_coro::cancellation_state;
  if (requests.cancelled() == asio::cancellation_type::none) co_return;
  jobs_.at(id)->skipped = is(pool_defect::a_cancelled_submit_keeps_its_place);
  contract::throw_cancelled();
}

// Lets in who waits, calls workers in, and tells drainers.
void pool_in_shifts::move_on() {
  if (is(pool_defect::newcomers_overtake_parked_submits)) {
    if (!submitters_->empty() && has_room()) submitters_->front()->timer.cancel();
  } else if (!is(pool_defect::room_is_told_to_nobody)) {
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
    asio::co_spawn(executor_, shift(here_), [this, here = here_](const std::exception_ptr& failure) {
      if (!*here) return;
      if (failure) env_.report_unhandled(failure);
      --on_shift_;
      move_on();
    });
  }
  if (has_drained() || on_shift_ == 0) wake_all(drainers_);
}

// ---- workers

boost::asio::awaitable<void> pool_in_shifts::shift(presence here) {
  if (!*here) co_return;
  --called_in_;
  while (!queue_.empty() && on_shift_ <= workers_) {
    const job_ptr mine = next_job();
    move_on();
    auto token = asio::bind_cancellation_slot(mine->signal.slot(), asio::use_awaitable);
    std::exception_ptr failure = co_await failure_of(asio::co_spawn(executor_, run(here, mine), token));
    if (!*here) co_return;
    end(mine, std::move(failure));
  }
}

// Of the most urgent the first: they lie as they came.
pool_in_shifts::job_ptr pool_in_shifts::next_job() {
  const auto is_less = [this](const job_ptr& a, const job_ptr& b) { return urgency_of(*a) < urgency_of(*b); };
  const bool youngest = habits_ == pool_habits::contrary;
  const auto next = youngest ? queue_.end() - 1 : std::max_element(queue_.begin(), queue_.end(), is_less);
  job_ptr chosen = *next;
  queue_.erase(next);
  running_.push_back(chosen);
  return chosen;
}

std::int64_t pool_in_shifts::urgency_of(const job& one) const {
  switch (wrong_) {
    case pool_defect::urgency_is_ignored:
      return 0;
    case pool_defect::the_least_urgent_job_is_first:
      return -one.how.priority;
    case pool_defect::equals_begin_last_come_first:
      return 1000 * one.how.priority + one.id;
    default:
      return one.how.priority;
  }
}

boost::asio::awaitable<void> pool_in_shifts::run(presence here, job_ptr mine) {
  co_await asio::post(asio::use_awaitable);  // before it nothing may be asked of a task
  if (!*here || mine->ended) co_return;      // it was returned
  mine->begun = true;
  asio::steady_timer timer(executor_);
  limit(mine, timer);
  const std::exception_ptr failure = co_await failure_of(work(mine));
  // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
  co_await hold_requests;
  const bool is_cancelled = is_cancellation(failure);
  if (is(pool_defect::a_timed_out_job_keeps_its_worker) && is_cancelled) co_await shield(sleep_for(500ms));
  if (is(pool_defect::a_bad_job_kills_its_worker) && failure && !is_cancelled) co_await sleep_for_ever();
  if (is(pool_defect::a_timeout_stops_the_pool) && is_cancelled && *here && state_ == state::open)
    stop_and_hand_back();
  if (failure) std::rethrow_exception(failure);
}

boost::asio::awaitable<void> pool_in_shifts::work(job_ptr mine) {
  if (skips(*mine)) co_return;
  item one = std::move(mine->one);
  if (is(pool_defect::running_jobs_hear_of_no_stop)) {
    co_await shield(execute(std::move(one)));
  } else {
    co_await execute(std::move(one));
  }
}

bool pool_in_shifts::skips(const job& mine) {
  if (is(pool_defect::drain_forgets_the_queue)) return state_ != state::open;
  if (is(pool_defect::a_cancelled_drain_abandons_the_queue)) return drainer_gave_up_;
  if (to_be_dropped_ == 0) return mine.skipped;
  --to_be_dropped_;
  return true;
}

void pool_in_shifts::limit(const job_ptr& mine, asio::steady_timer& timer) {
  nanoseconds timeout(mine->how.timeout_ns);
  if (is(pool_defect::a_timeout_that_has_passed_is_none)) timeout = std::max(timeout, 0ns);
  if (timeout == 0ns) return;
  timer.expires_at(deadline_of(timeout, pool_defect::jobs_time_out_early, pool_defect::jobs_time_out_late,
                               pool_defect::job_timeouts_overflow));
  timer.async_wait([this, here = here_, mine](const boost::system::error_code& error) {
    if (error || mine->ended || !*here) return;
    mine->timed_out = true;
    if (is(pool_defect::a_timeout_frees_the_worker_too_early)) {
      mine->worker_is_freed = true;
      ++workers_;
      move_on();
    }
    ask_to_stop(mine);
  });
}

// From within the executor: Asio posts what is emitted outside, and may then look for a signal that is gone.
void pool_in_shifts::ask_to_stop(const job_ptr& one) {
  asio::dispatch(executor_, [one] {
    if (!one->ended) one->signal.emit(asio::cancellation_type::terminal);
  });
}

void pool_in_shifts::end(const job_ptr& mine, std::exception_ptr failure) {
  if (mine->worker_is_freed) --workers_;
  std::erase(running_, mine);
  if (mine->ended) return;
  if (mine->timed_out && is_cancellation(failure))
    failure = std::make_exception_ptr(contract::timed_out_error());
  mine->ended = true;
  mine->failure = std::move(failure);
  wake_all(mine->askers);
  if (!mine->failed() || mine->timed_out) return;
  if (is(pool_defect::errors_reach_the_handle_and_the_hook)) env_.report_unhandled(mine->failure);
  if (is(pool_defect::job_errors_are_swallowed)) mine->failure = nullptr;
  if (is(pool_defect::crashed_workers_are_not_replaced) && workers_ > 1) --workers_;
  if (is(pool_defect::drain_raises_on_the_first_failure) && state_ != state::open) {
    first_failure_ = mine->failure;
    wake_all(drainers_);
  }
}

pool_in_shifts::time_point pool_in_shifts::deadline_of(nanoseconds limit, pool_defect early, pool_defect late,
                                                       pool_defect overflows) const {
  if (is(early)) return deadline_after(limit / 2);
  if (is(late)) return deadline_after(deadline_after(limit), limit / 2);
  if (is(overflows)) return overflowing_deadline(limit);
  return deadline_after(limit);
}

boost::asio::awaitable<void> pool_in_shifts::outcome(int id) {
  const job_ptr asked = jobs_.at(id);
  pool_waiter self(executor_);
  while (!asked->ended) co_await wait_in(asked->askers, self);
  asked->told = true;
  if (asked->timed_out && is(pool_defect::a_timeout_is_told_as_cancelled)) contract::throw_cancelled();
  if (asked->failed()) std::rethrow_exception(asked->failure);
  if (asked->failure) throw contract::rejected_error("the job was cancelled, or not executed");
}

// ---- starting, draining, stopping

void pool_in_shifts::start() {
  const bool accepts = state_ == state::open;
  if (!accepts && on_shift_ > 0) throw contract::rejected_error("a drain is under way");
  if (accepts && started_ && habits_ == pool_habits::contrary) throw contract::rejected_error("it runs");
  if (accepts && is(pool_defect::a_second_start_doubles_the_workers)) workers_ *= 2;
  if (!accepts && is(pool_defect::a_drained_pool_stays_closed)) return;
  state_ = state::open;
  started_ = true;
  move_on();
}

void pool_in_shifts::do_scale_to(std::int64_t workers) {
  const auto wanted = static_cast<std::size_t>(workers);
  const bool grows = wanted > workers_;
  if (!grows && is(pool_defect::scaling_down_is_ignored)) return;
  if (!grows && is(pool_defect::a_leaving_worker_takes_a_job_along)) to_be_dropped_ += workers_ - wanted;
  workers_ = wanted;
  if (!grows || !is(pool_defect::scaling_up_waits_for_a_job_to_end)) move_on();
}

boost::asio::awaitable<void> pool_in_shifts::drain() {
  const bool hangs = (is(pool_defect::a_second_drain_hangs) && !drainers_->empty()) ||
                     (is(pool_defect::a_drain_before_the_start_hangs) && !started_) ||
                     (is(pool_defect::a_cancelled_drain_cannot_be_repeated) && drainer_gave_up_);
  if (hangs) co_await sleep_for_ever();
  if (habits_ == pool_habits::contrary) {
    co_await scope(drain_or_stop());
    co_return;
  }
  close(state::draining);
  if (!started_) {
    for (const item& one : take_unstarted()) hand_back(one);
  }
  const std::exception_ptr cancellation = co_await failure_of(until_drained());
  drainer_gave_up_ = drainer_gave_up_ || cancellation;
  if (cancellation) std::rethrow_exception(cancellation);
  if (is(pool_defect::an_idle_worker_outlives_the_drain) && jobs_.empty())
    asio::co_spawn(executor_, sleep_for_ever(), [](const std::exception_ptr&) {});
}

boost::asio::awaitable<void> pool_in_shifts::until_drained() {
  pool_waiter self(executor_);
  while (!has_drained()) {
    co_await wait_in(drainers_, self);
    if (first_failure_) std::rethrow_exception(std::exchange(first_failure_, nullptr));
  }
}

bool pool_in_shifts::has_drained() const {
  switch (wrong_) {
    case pool_defect::drain_waits_for_the_queue_only:
      return queue_.empty();
    case pool_defect::drain_waits_for_one_idle_worker:
      return queue_.empty() && on_shift_ < workers_;
    default:
      return on_shift_ == 0;
  }
}

boost::asio::awaitable<void> pool_in_shifts::drain_or_stop() {
  if (!started_) throw contract::rejected_error("it was not started");
  if (state_ == state::open) close(state::draining);
  std::exception_ptr cancellation;
  while (!cancellation && on_shift_ > 0) cancellation = co_await failure_of(sleep_for(1ms));
  if (!cancellation) co_return;
  stop_and_hand_back();
  co_await hold_requests;
  co_await shield(idle());
  std::rethrow_exception(cancellation);
}

boost::asio::awaitable<std::vector<item>> pool_in_shifts::do_stop_now() {
  std::size_t cancelled = 0;
  std::vector<item> unstarted = stop(cancelled);
  if (!is(pool_defect::stop_abandons_running_jobs)) co_await shield(idle());
  if (is(pool_defect::stop_loses_an_unstarted_job) && !unstarted.empty()) unstarted.pop_back();
  co_return unstarted;
}

boost::asio::awaitable<contract::worker_pool_report> pool_in_shifts::do_drain_for(nanoseconds patience) {
  time_point deadline = deadline_of(patience, pool_defect::drain_gives_up_early,
                                    pool_defect::drain_gives_up_late, pool_defect::drain_deadline_overflows);
  if (is(pool_defect::drain_ignores_its_deadline)) deadline = time_point::max();
  close(state::draining);
  co_await idle(deadline);
  contract::worker_pool_report report;
  if (on_shift_ > 0) {
    report.returned = stop(report.cancelled);
    report.unstarted = report.returned.size();
    if (!is(pool_defect::drain_abandons_jobs_at_its_deadline)) co_await shield(idle());
  }
  if (is(pool_defect::drain_report_is_mixed_up)) std::swap(report.cancelled, report.unstarted);
  if (is(pool_defect::drain_deadline_loses_the_queue)) report.returned.clear();
  co_return report;
}

void pool_in_shifts::close(state into) {
  state_ = into;
  wake_all(submitters_);
}

// Until nobody is at work, or the deadline has passed.
boost::asio::awaitable<void> pool_in_shifts::idle(time_point deadline) {
  pool_waiter self(executor_);
  while (on_shift_ > 0 && std::chrono::steady_clock::now() < deadline)
    co_await wait_in(drainers_, self, deadline);
}

std::vector<item> pool_in_shifts::take_unstarted() {
  const auto cancelled = std::make_exception_ptr(boost::system::system_error(asio::error::operation_aborted));
  std::vector<item> those;
  for (const auto& from : {running_, queue_}) {
    for (const job_ptr& one : from) {
      if (one->begun || one->ended) continue;
      those.push_back(std::move(one->one));
      one->ended = true;
      one->failure = cancelled;
      wake_all(one->askers);
    }
  }
  queue_.clear();
  return those;
}

std::vector<item> pool_in_shifts::stop(std::size_t& cancelled) {
  close(state::stopped);
  std::vector<item> those = take_unstarted();
  for (const job_ptr& one : std::vector<job_ptr>(running_)) {
    if (!one->begun || one->ended) continue;
    ++cancelled;
    ask_to_stop(one);
  }
  return those;
}

void pool_in_shifts::stop_and_hand_back() {
  std::size_t cancelled = 0;
  for (const item& one : stop(cancelled)) hand_back(one);
}

namespace {

const implements<pool_in_shifts> fair("works_in_shifts", subject_kind::alternative,
                                      {.features = {"stop_now", "drain_deadline", "handles", "nested_submit",
                                                    "bounded", "fair", "restartable", "job_timeout",
                                                    "scaling", "priorities", "lifetime"}},
                                      pool_habits::first_come, pool_defect::none);
const implements<pool_in_shifts> unfair("works_in_shifts_last_come_first", subject_kind::alternative,
                                        {.features = {"stop_now", "drain_deadline", "handles",
                                                      "nested_submit", "bounded", "restartable",
                                                      "job_timeout", "scaling", "priorities", "lifetime"}},
                                        pool_habits::last_come, pool_defect::none);
const implements<pool_in_shifts> contrary("does_otherwise", subject_kind::alternative,
                                          {.features = {"stop_now", "drain_deadline", "handles",
                                                        "nested_submit", "bounded", "restartable",
                                                        "job_timeout", "scaling", "lifetime"}},
                                          pool_habits::contrary, pool_defect::none);

}  // namespace
}  // namespace assay
