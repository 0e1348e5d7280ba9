// A bounded pool of workers that can be drained without losing a job (clauses WPL-1 to WPL-12 of the
// standard).
//
//     worker_pool pool(executor, options);
//     auto work = resize(image);                      // a coroutine that has not begun is a job
//     job_handle resized = co_await pool.submit(work);  // waits while the queue is full
//     co_await resized.wait();                        // rethrows what the job threw
//     co_await pool.drain();                          // accepts no more, executes the rest, then ends
//
// An owner that may be cancelled, and has to be gone within a time, after hold_requests (see
// cancellation.hpp):
//
//     const auto unstarted = pool.stop_now();
//     co_await shield(pool.drain());
//
// Promises
// - What was accepted is executed once, or is returned by stop_now as not executed (WPL-1, WPL-4). A submit
//   with any other outcome than a handle leaves the caller's job as it was.
// - A worker is a place in which a job may run, and no coroutine of its own: no job can kill one (WPL-3),
//   none is left when the pool has ended (WPL-4), and their number may change at any time (WPL-11).
// - A failure reaches whoever waits for the job's handle; if nobody asks, worker_pool_options::unhandled is
//   told when the last of the handle and the job is gone.
// - Jobs begin in the order of their urgency, equals in the order in which they were accepted (WPL-12).
//   Submitters that wait for room are served in the order in which they came, whatever they bring.
// - drain completes when each job's frames and parameters are destroyed. Cancelling it ends only the
//   wait: the pool goes on with its jobs, still refuses new ones, and can be drained again (WPL-9).
// - Nobody is resumed inside the call that made it possible.
//
// Jobs that submit to their own pool: refused once the drain has begun, like everybody else (WPL-6). With a
// full queue they can wait for each other; use try_submit there. A job must not drain its own pool: it would
// wait for itself.
// Lifetime: the pool outlives its jobs; handles may outlive the pool. Scope: one thread or strand, that of
// the executor.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <assay/reference/core/cancellation.hpp>
#include <assay/reference/core/contract.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/core/exception_group.hpp>
#include <assay/reference/core/parked_waiter.hpp>
#include <assay/reference/failure/task_group.hpp>

namespace assay::reference {

/// The outcome of a job that the pool did not let finish. It is no cancellation of whoever waits for the
/// handle.
class job_cancelled : public error {
 public:
  explicit job_cancelled(bool begun)
      : error(begun ? "the job was cancelled" : "the job was not executed"), begun_(begun) {}

  /// Whether the job had begun. If not, stop_now (or the drain's deadline) has returned it.
  bool begun() const noexcept { return begun_; }

 private:
  bool begun_;
};

struct job_options {
  /// Labels its failure.
  std::string name = "job";
  /// The larger, the more urgent (WPL-12).
  int priority = 0;
  /// How long it may run, counted from when it begins; then it is asked to stop (WPL-10). One that has no time is asked
  /// as it begins.
  duration timeout = no_limit;
};

struct worker_pool_options {
  /// Jobs that run at once at most; at least 1 (WPL-2).
  std::size_t workers = 1;
  /// Jobs that wait for a worker at most (WPL-7). 0: a job is accepted only when a worker is free.
  std::size_t queue_capacity = 16;
  /// Whether jobs begin at once; false leaves them in the queue until start().
  bool started = true;
  /// Told of each failure that nobody waited for. It must not throw.
  std::function<void(const task_failure&)> unhandled = print_unhandled;
};

/// A job that was accepted and will not be executed: what is left of it, for the caller to account for.
struct unstarted_job {
  boost::asio::awaitable<void> work;
  job_options options;
};

/// What a drain came to.
struct drain_report {
  bool expired = false;                  ///< The deadline passed, and the drain became stop_now (WPL-5).
  std::size_t cancelled = 0;             ///< Jobs that were running then and were asked to stop.
  std::vector<unstarted_job> unstarted;  ///< Jobs that had not begun then, the most urgent first.
};

class worker_pool;

namespace detail {

/// What a pool and a handle share about one job.
struct pool_job {
  using places = std::multimap<int, std::shared_ptr<pool_job>, std::greater<>>;
  using hook = std::function<void(const task_failure&)>;

  pool_job(worker_pool& owner, job_options what, std::size_t number,
           std::shared_ptr<const hook> unhandled_hook)
      : pool(&owner), options(std::move(what)), index(number), unhandled(std::move(unhandled_hook)) {}
  pool_job(const pool_job&) = delete;
  pool_job& operator=(const pool_job&) = delete;
  ~pool_job() {
    if (failed && !told) (*unhandled)(task_failure{options.name, index, error});
  }

  /// The outcome is decided here; whoever waits hears of it in a later turn.
  void end(std::exception_ptr outcome, bool is_failure) noexcept {
    ended = true;
    error = std::move(outcome);
    failed = is_failure;
    while (!waiters.empty()) waiters.front().wake();
  }

  worker_pool* pool;  // null once the pool is gone
  job_options options;
  std::size_t index;
  std::shared_ptr<const hook> unhandled;
  std::optional<boost::asio::awaitable<void>> work;  // until it begins or is taken back
  places::iterator place;                            // valid while it runs
  boost::asio::cancellation_signal signal;
  bool stopped = false;  // asked to, by the pool: its limit no longer counts
  bool expired = false;
  bool ended = false;
  bool told = false;         // somebody has been told the outcome
  std::exception_ptr error;  // null: it ended with a value
  bool failed = false;       // the error is nobody's wish, so somebody must hear of it
  waiter_list<waiter> waiters;
};

}  // namespace detail

/// The right to learn how one job ended. Dropping it leaves the job alone.
class job_handle {
 public:
  /// Waits until the job has ended. Whoever was told of the outcome has it: asking again is a
  /// std::logic_error.
  ///
  /// Outcomes: nothing; or what the job threw; or `timed_out` (WPL-10); or `job_cancelled` if it was stopped,
  /// gave up by itself, or was returned unexecuted; or cancelled, if the waiting was.
  /// Cancellation: ends the wait only; the job goes on, and the handle can be asked again.
  /// Lifetime: independent of the handle and of the pool.
  [[nodiscard]] boost::asio::awaitable<void> wait() { return wait_for(job_); }

  /// Whether wait() would not have to wait.
  bool ended() const noexcept { return job_->ended; }

 private:
  friend class worker_pool;

  explicit job_handle(std::shared_ptr<detail::pool_job> job) noexcept : job_(std::move(job)) {}

  static boost::asio::awaitable<void> wait_for(std::shared_ptr<detail::pool_job> job) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (!job->ended) {
      waiter self(co_await boost::asio::this_coro::executor);
      co_await park(job->waiters, self);
      const park_result result = self.result();
      if (result != park_result::woken) throw_cancelled();
    }
    if (std::exchange(job->told, true))
      throw std::logic_error("job_handle: somebody was told the outcome already");
    if (job->error) std::rethrow_exception(job->error);
  }

  std::shared_ptr<detail::pool_job> job_;
};

class worker_pool {
 public:
  /// The jobs will run on `executor`. Throws std::invalid_argument if there are to be no workers.
  worker_pool(const boost::asio::any_io_executor& executor, worker_pool_options options)
      : executor_(executor),
        watch_(executor),
        unhandled_(std::make_shared<const detail::pool_job::hook>(std::move(options.unhandled))),
        workers_(checked(options.workers)),
        queue_capacity_(options.queue_capacity),
        state_(options.started ? state::running : state::waiting) {}

  worker_pool(const worker_pool&) = delete;
  worker_pool& operator=(const worker_pool&) = delete;

  /// No job may be left, running or queued, and nobody may be parked: a contract violation, unless the
  /// execution context is being destroyed. If the handler returns, running jobs end on their own.
  ~worker_pool() {
    // Who drains waits for jobs; who submits waits for nothing else in a pool without a queue that was not started.
    const bool in_use = !running_.empty() || !queue_.empty() || submitters_.abandoned();
    if (in_use && !watch_.shutting_down())
      contract_violation("worker_pool destroyed before its jobs ended: drain it first");
    for (auto& [priority, job] : running_) job->pool = nullptr;
  }

  /// Hands in `work`, and waits for room in the queue as long as it takes (WPL-7).
  ///
  /// Outcomes: the job's handle, and `work` is moved into the pool; or `closed` is thrown once a drain has
  /// begun (WPL-1), or the cancelled outcome; then `work` is untouched and none of it ran.
  /// Cancellation: terminal, partial and total; a cancelled submit did not happen. Refused at once in a
  /// cancelled scope.
  /// Lifetime: `work` and the pool outlive the call.
  [[nodiscard]] boost::asio::awaitable<job_handle> submit(boost::asio::awaitable<void>& work,
                                                          job_options options) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    auto place = make_place(std::move(options));
    job_pointer job = place.mapped();
    if (try_accept(place, work)) co_return job_handle(std::move(job));
    submitter self(co_await boost::asio::this_coro::executor, std::move(place), work);
    co_await park(submitters_, self);
    const park_result result = self.result();
    if (result == park_result::woken && self.accepted) co_return job_handle(std::move(job));
    if (result == park_result::cancelled) throw_cancelled();
    throw closed();
  }
  [[nodiscard]] boost::asio::awaitable<job_handle> submit(boost::asio::awaitable<void>& work) {
    return submit(work, job_options());
  }

  /// As submit, but without waiting: no handle, and `work` untouched, if there is no room. Throws `closed`.
  [[nodiscard]] std::optional<job_handle> try_submit(boost::asio::awaitable<void>& work,
                                                     job_options options) {
    auto place = make_place(std::move(options));
    job_pointer job = place.mapped();
    if (!try_accept(place, work)) return std::nullopt;
    return job_handle(std::move(job));
  }
  [[nodiscard]] std::optional<job_handle> try_submit(boost::asio::awaitable<void>& work) {
    return try_submit(work, job_options());
  }

  /// Lets jobs begin, also again after a drain has ended (WPL-8). No effect on a pool that runs. Throws
  /// std::logic_error while a drain is under way.
  void start() {
    if (state_ == state::draining) throw std::logic_error("worker_pool started while it drains");
    state_ = state::running;
    move_on();
  }

  /// Changes the number of workers (WPL-11): more begin jobs at once; fewer let the jobs go on that run, and
  /// begin no new ones until as many have ended. Throws std::invalid_argument for 0.
  void scale_to(std::size_t workers) {
    workers_ = checked(workers);
    move_on();
  }

  /// Begins the drain without waiting for its end: from here on submit is refused, and whoever waits for room
  /// gets `closed`; what was accepted is executed, also on a pool that had not been started (WPL-8).
  /// Idempotent.
  void close() {
    state_ = state::draining;  // also again: whoever has no job left ends in move_on
    while (!submitters_.empty()) submitters_.front().wake();
    move_on();
  }

  /// close(), then waits until the queue is empty and no job runs (WPL-4); at once if it is so. May be called
  /// again, and by several at once (WPL-8).
  ///
  /// Outcomes: nothing; or cancelled. What jobs threw is their handles' business.
  /// Cancellation: ends the wait only; see WPL-9 above. Refused at once in a cancelled scope, without closing
  ///
  [[nodiscard]] boost::asio::awaitable<void> drain() {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    const park_result result = co_await drain_and_park(no_deadline);
    if (result != park_result::woken) throw_cancelled();
  }

  /// As drain, until `deadline`, a point in time of the monotonic clock (see deadline.hpp). When it passes, the drain becomes
  /// stop_now, and waits for the jobs that were asked to stop (WPL-5).
  ///
  /// Outcomes: the report; or cancelled, and then nothing was stopped. A request that arrives after the
  /// deadline waits for the report: the jobs in it would be lost.
  [[nodiscard]] boost::asio::awaitable<drain_report> drain_until(time_point deadline) {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    drain_report report;
    const park_result result = co_await drain_and_park(deadline);
    if (result == park_result::cancelled) throw_cancelled();
    if (result == park_result::woken) co_return report;
    // Nothing suspends between this check and the shield, so no request can come in between.
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    report = stop();
    report.expired = true;
    co_await shield(drain());
    co_return report;
  }

  /// Ends accepting, asks every running job to stop, and returns the jobs that had not begun, the most urgent
  /// first (WPL-4). Their handles end with `job_cancelled`. The pool has ended when the running jobs have:
  /// drain() says when.
  [[nodiscard]] std::vector<unstarted_job> stop_now() { return stop().unstarted; }

  std::size_t workers() const noexcept { return workers_; }
  /// Jobs that have a worker.
  std::size_t running() const noexcept { return running_.size(); }
  /// Jobs that wait for a worker.
  std::size_t queued() const noexcept { return queue_.size(); }
  std::size_t queue_capacity() const noexcept { return queue_capacity_; }
  /// Submitters that wait for room.
  std::size_t parked_submitters() const noexcept { return submitters_.size(); }
  bool is_accepting() const noexcept { return state_ == state::waiting || state_ == state::running; }
  /// Whether a drain is complete: no job is left, and none will be accepted.
  bool has_ended() const noexcept { return state_ == state::ended; }

 private:
  using job_pointer = std::shared_ptr<detail::pool_job>;
  using places = detail::pool_job::places;

  enum class state {
    waiting,   // accepts, begins nothing
    running,   // accepts, begins
    draining,  // begins, accepts nothing
    ended,     // no job is left, accepts nothing
  };

  struct submitter : waiter {
    submitter(const boost::asio::any_io_executor& executor, places::node_type future,
              boost::asio::awaitable<void>& offered)
        : waiter(executor), place(std::move(future)), work(&offered) {}

    places::node_type place;
    boost::asio::awaitable<void>* work;
    bool accepted = false;
  };

  // The completion handler of a job: its frames are destroyed by now. It has a cancellation slot but no
  // executor of its own, so that co_spawn hands requests on at once instead of posting them.
  class completion {
   public:
    using cancellation_slot_type = boost::asio::cancellation_slot;

    explicit completion(job_pointer job) : job_(std::move(job)) {}

    cancellation_slot_type get_cancellation_slot() const noexcept { return job_->signal.slot(); }
    void operator()(std::exception_ptr error, std::monostate) const {
      worker_pool* const pool = job_->pool;
      if (pool == nullptr) return;
      pool->finish(job_, std::move(error));
      pool->move_on();
    }

   private:
    job_pointer job_;
  };

  static std::size_t checked(std::size_t workers) {
    if (workers == 0) throw std::invalid_argument("worker_pool: no workers");
    return workers;
  }

  static boost::asio::awaitable<void> run(job_pointer job) {
    // A request may be emitted only after the first turn, or co_spawn would let it escape from the event
    // loop.
    co_await boost::asio::post(boost::asio::use_awaitable);
    if (!job->work) co_return;  // taken back before it began
    boost::asio::awaitable<void> work = std::move(*job->work);
    job->work.reset();
    // In this frame, which the execution context owns, and not in the job, which a handle may keep for longer.
    boost::asio::steady_timer limit(co_await boost::asio::this_coro::executor);
    set_limit(limit, job);
    co_await std::move(work);
  }

  static void set_limit(boost::asio::steady_timer& limit, const job_pointer& job) {
    if (job->options.timeout == no_limit) return;
    limit.expires_at(deadline_after(job->options.timeout));
    // The callback shares the job, since it may be queued already when the job ends.
    limit.async_wait([job](boost::system::error_code error) {
      if (error || job->ended || job->stopped) return;
      job->expired = true;  // WPL-10
      job->signal.emit(boost::asio::cancellation_type::terminal);
    });
  }

  /// A job in the place that it will have in the queue, so that accepting it needs no memory: a submit that fails
  /// has not happened.
  places::node_type make_place(job_options options) {
    auto job = std::make_shared<detail::pool_job>(*this, std::move(options), next_index_++, unhandled_);
    const int priority = job->options.priority;
    places one;
    one.emplace(priority, std::move(job));
    return one.extract(one.begin());
  }

  bool try_accept(places::node_type& place, boost::asio::awaitable<void>& work) {
    if (!is_accepting()) throw closed();  // WPL-1
    if (!has_room()) return false;        // and whoever is parked before us found none either
    accept(place, work);
    move_on();
    return true;
  }

  void accept(places::node_type& place, boost::asio::awaitable<void>& work) noexcept {
    place.mapped()->work.emplace(std::move(work));
    queue_.insert(std::move(place));  // behind its equals: WPL-12
  }

  /// A job that finds a free worker does not stay in the queue, so free workers count as room.
  bool has_room() const noexcept { return queue_.size() < queue_capacity_ + free_workers(); }

  std::size_t free_workers() const noexcept {
    if (state_ == state::waiting) return 0;
    return workers_ - std::min(workers_, running_.size());  // fewer than run, after scaling down
  }

  // Whoever changes the number of jobs, workers or places calls this: nobody waits who could go on.
  void move_on() noexcept {
    while (true) {
      if (!queue_.empty() && free_workers() > 0) {
        begin_next();
      } else if (!submitters_.empty() && has_room()) {
        submitter& first = submitters_.front();
        accept(first.place, *first.work);
        first.accepted = true;
        first.wake();
      } else {
        break;
      }
    }
    if (state_ != state::draining || !running_.empty()) return;
    state_ = state::ended;  // WPL-4; the queue is empty, or a worker would be free for it
    while (!drainers_.empty()) drainers_.front().wake();
  }

  void begin_next() noexcept {
    const job_pointer job = queue_.begin()->second;
    job->place = running_.insert(queue_.extract(queue_.begin()));
    try {
      boost::asio::co_spawn(executor_, detail::run_scope(run(job)), completion(job));
    } catch (...) {
      finish(job, std::current_exception());
    }
  }

  void finish(const job_pointer& job, std::exception_ptr error) noexcept {
    running_.erase(job->place);
    if (job->ended) return;  // taken back before it began
    bool failed = error != nullptr;
    if (is_cancellation(error)) {
      failed = job->expired;
      error = failed ? std::make_exception_ptr(timed_out()) : std::make_exception_ptr(job_cancelled(true));
    }
    job->end(std::move(error), failed);
  }

  /// The job as it was handed in; its handle learns that it was not executed.
  static unstarted_job take_back(detail::pool_job& job) {
    unstarted_job unstarted{std::move(*job.work), std::move(job.options)};
    job.work.reset();
    job.end(std::make_exception_ptr(job_cancelled(false)), false);
    return unstarted;
  }

  drain_report stop() {
    drain_report stopped;
    stopped.unstarted.reserve(running_.size() + queue_.size());
    // A copy: what a job waits for may end within the request, and the job with it.
    std::vector<job_pointer> asked;
    asked.reserve(running_.size());
    state_ = state::draining;
    while (!submitters_.empty()) submitters_.front().wake();
    for (auto& [priority, job] : running_) {
      job->stopped = true;
      if (job->work)
        stopped.unstarted.push_back(take_back(*job));  // it has a worker, but has not begun
      else if (!job->ended)
        asked.push_back(job);
    }
    for (auto& [priority, job] : queue_) stopped.unstarted.push_back(take_back(*job));
    queue_.clear();
    stopped.cancelled = asked.size();
    for (const job_pointer& job : asked)
      if (!job->ended) job->signal.emit(boost::asio::cancellation_type::terminal);
    move_on();
    return stopped;
  }

  /// `woken` also when there is nothing to wait for.
  boost::asio::awaitable<park_result> drain_and_park(time_point deadline) {
    close();
    if (has_ended()) co_return park_result::woken;
    waiter self(co_await boost::asio::this_coro::executor, deadline);
    co_await park(drainers_, self);
    co_return self.result();
  }

  const boost::asio::any_io_executor executor_;
  const shutdown_watch watch_;
  const std::shared_ptr<const detail::pool_job::hook> unhandled_;
  std::size_t workers_;
  const std::size_t queue_capacity_;
  state state_;
  places queue_;    // the most urgent first, equals as they were accepted
  places running_;  // a job moves here as it is, so that beginning one needs no memory for its place
  waiter_list<submitter> submitters_;
  waiter_list<waiter> drainers_;
  std::size_t next_index_ = 0;
};

}  // namespace assay::reference
