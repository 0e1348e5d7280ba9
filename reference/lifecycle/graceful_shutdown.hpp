// The ordered stop of a service: one coordinator that knows what runs, and takes it down in phases, each with
// a budget (clauses SHD-1 to SHD-17 of the standard).
//
//     void handle(graceful_shutdown& shutdown, request r) { shutdown.admit("request", answer(r)); }
//
//     graceful_shutdown shutdown(executor, options);
//     shutdown.add_resource("pool", open_pool, close_pool);       // opened by run(), closed in reverse order
//     shutdown.add_background("reload", reload_configuration);    // stopped when no request is left
//     shutdown.add_callback("flush the log", flush_log);          // registered last, so it runs first
//     stop_signals signals(executor, shutdown);                   // SIGTERM stops, a second one escalates
//     const shutdown_report report = co_await shutdown.run();
//     return report.exit_status();
//
// Phases, each entered at most once, in this order (SHD-1): created, starting, running; then, after
// request_stop: not_ready (the readiness probe says no), grace (optional; still accepting, while load
// balancers hear of it), stop_accepting, drain (admitted work ends by itself), force_cancel (only if some did
// not), stop_background, cleanup, final_log, stopped.
//
// Promises
// - Work admitted before stop_accepting has the whole drain budget; what is offered afterwards is refused
//   with not_accepting (SHD-4). The drain ends as soon as nothing is in flight (SHD-5).
// - What is still in flight at the deadline is asked to stop and waited for; who ignores that is abandoned,
//   and named in the report (SHD-6). Only then may something be closed while a task that might use it is
//   alive (SHD-7).
// - Resources and callbacks are cleaned up in reverse order of registration, each at most once and within its
//   own budget, whatever the others do; resources only if they were started (SHD-8, SHD-12).
// - All budgets together fit into the total, and no wait goes beyond it (SHD-11).
// - A failure is told when it happens (SHD-13): to `unhandled` while the service works, to the report from
//   the drain on. Each failure goes to exactly one of them, and the first one stays the primary
//
//
// What no coordinator in the process can do: interrupt a callback that blocks the thread. The supervisor's
// SIGKILL is there for that. Scope: one thread or strand, that of the executor; call everything there.
#pragma once

#include <signal.h>

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <iterator>
#include <list>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
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

/// Where a service stands between its making and its end.
enum class shutdown_phase {
  created,
  starting,
  running,
  not_ready,
  grace,
  stop_accepting,
  drain,
  force_cancel,
  stop_background,
  cleanup,
  final_log,
  stopped
};

/// The service takes no work: it has not begun to accept, or it has stopped. The work was not begun (SHD-4).
struct not_accepting : error {
  not_accepting() : error("not accepting work") {}
};

/// Too late to register: the phase in which it would have ended is over (SHD-14).
struct shutdown_too_far : error {
  shutdown_too_far() : error("the shutdown is too far on") {}
};

/// How long each phase may take, or no_limit. They must fit into the total together (SHD-11).
struct shutdown_budgets {
  duration grace{0};  ///< Goes on accepting this long after readiness turned false (SHD-3).
  duration drain{std::chrono::seconds(10)};  ///< For admitted work to end by itself.
  duration force{std::chrono::seconds(2)};   ///< For what was asked to stop, to end, before it is abandoned.
  duration background{std::chrono::seconds(2)};  ///< For background tasks to end once asked.
  duration callback{std::chrono::seconds(2)};    ///< For one cleanup callback, before it is asked to stop.
  duration cleanup{
      std::chrono::seconds(5)};  ///< Kept free for cleanup; it may use what the others left over.
  duration pre_stop{0};  ///< Spent before the stop is requested (a preStop hook spends the same countdown).
  duration total{
      std::chrono::seconds(25)};  ///< Ends every wait. Keep it below the supervisor's: Kubernetes has 30 s.
};

/// What a failed background task means for the service (SHD-13).
enum class background_failure { report, restart, shut_down };

/// Something was ended, or left, by force.
struct forced_action {
  enum class kind {
    cancelled,  ///< its budget was spent: asked to stop, and it ended so, or failed
    abandoned,  ///< asked to stop, and still there when the budget ran out
    skipped     ///< a callback for which no time was left
  };
  kind what;
  std::string name;
};

/// What became of everything.
struct shutdown_report {
  bool reached_running = false;
  std::vector<std::string> cancelled;  ///< Work that was asked to stop and did: not finished.
  std::vector<std::string> survivors;  ///< Whoever ignored being asked to stop; they may still run (SHD-6).
  std::vector<std::string> skipped;    ///< Callbacks for which no time was left.
  /// From the drain on, in the order in which they happened; before them, what began the shutdown, if
  /// a failure did.
  std::vector<task_failure> failures;

  /// How many forced actions there were: those named above, callbacks that were cut short, and work
  /// that failed when it was asked to stop.
  std::size_t forced_actions = 0;

  /// Whether anything was ended by force or left alive.
  bool forced() const noexcept { return forced_actions > 0; }
  /// 0: graceful; 1: something failed; 2: forced (SHD-15).
  int exit_status() const noexcept { return forced() ? 2 : failures.empty() ? 0 : 1; }
};

struct graceful_shutdown_options {
  shutdown_budgets budgets;
  background_failure on_background_failure = background_failure::report;
  duration restart_delay{std::chrono::seconds(1)};
  // All of these are called on the executor and must not throw.
  std::function<void(shutdown_phase)> on_phase;           ///< A phase was entered (SHD-1).
  std::function<void(const forced_action&)> on_forced;    ///< Once per forced action (X-29).
  std::function<void(const shutdown_report&)> on_report;  ///< In the phase final_log.
  /// Failures of work and background tasks before the drain, and those of abandoned tasks.
  std::function<void(const task_failure&)> unhandled = print_unhandled;
};

/// What a connection is told at the start of the drain (SHD-17).
enum class connection_close { now, after_response };

namespace detail {

/// Tasks that are waited for up to a point, and may be abandoned then. What a task needs in order to end
/// belongs to the task, so one that was abandoned touches nobody.
class watched_tasks {
 public:
  using ended_function = std::function<void(std::exception_ptr)>;

  explicit watched_tasks(const boost::asio::any_io_executor& executor) : executor_(executor) {}
  watched_tasks(const watched_tasks&) = delete;
  watched_tasks& operator=(const watched_tasks&) = delete;
  ~watched_tasks() { abandon(nullptr); }

  /// Starts `work` in a later turn, as a scope of its own. `ended` is told how it ended, after its frames are
  /// gone.
  void spawn(std::string name, boost::asio::awaitable<void> work, ended_function ended) {
    const auto self = std::make_shared<task>(this, std::move(name), std::move(ended));
    live_.push_back(self);
    self->position = std::prev(live_.end());
    try {
      boost::asio::co_spawn(executor_, run_scope(run(self, std::move(work))), completion(self));
    } catch (...) {
      remove(*self);
      throw;
    }
  }

  bool empty() const noexcept { return live_.empty(); }
  std::size_t size() const noexcept { return live_.size(); }

  /// Asks every task to stop, with one terminal request each. One that has not begun will not begin. Never
  /// called from within a task's own turn.
  void request_cancel() {
    // What a task waits for may end within the request, and any of the tasks with it.
    asking_ = live_.begin();
    while (asking_ != live_.end()) {
      const std::shared_ptr<task> each = *asking_++;
      if (std::exchange(each->asked, true)) continue;
      if (each->begun) each->signal.emit(boost::asio::cancellation_type::terminal);
    }
  }

  /// Lets go of those that have not ended, and names them. What they fail with later goes to `unhandled`
  ///
  std::vector<std::string> abandon(const std::function<void(const task_failure&)>& unhandled) {
    std::vector<std::string> names;
    for (const std::shared_ptr<task>& each : live_) {
      names.push_back(each->name);
      each->owner = nullptr;
      each->ended = nullptr;
      if (!unhandled) continue;
      each->ended = [unhandled, name = each->name](const std::exception_ptr& error) {
        if (error && !is_cancellation(error)) unhandled(task_failure{name, 0, error});
      };
    }
    live_.clear();
    return names;
  }

 private:
  struct task {
    task(watched_tasks* set, std::string task_name, ended_function when_ended)
        : owner(set), name(std::move(task_name)), ended(std::move(when_ended)) {}

    watched_tasks* owner;
    std::string name;
    ended_function ended;
    std::list<std::shared_ptr<task>>::iterator position;
    boost::asio::cancellation_signal signal;
    bool begun = false;
    bool asked = false;
  };

  // It has a cancellation slot but no executor of its own, so co_spawn hands a request on at once; with an
  // executor it would be posted, and might arrive at a signal that is gone.
  class completion {
   public:
    using cancellation_slot_type = boost::asio::cancellation_slot;

    explicit completion(std::shared_ptr<task> self) : self_(std::move(self)) {}

    cancellation_slot_type get_cancellation_slot() const noexcept { return self_->signal.slot(); }
    void operator()(std::exception_ptr error, std::monostate) const {
      const std::shared_ptr<task> self = self_;
      if (self->owner) self->owner->remove(*self);
      const ended_function ended = std::move(self->ended);
      if (ended) ended(std::move(error));
    }

   private:
    std::shared_ptr<task> self_;
  };

  void remove(const task& ended) noexcept {
    if (asking_ == ended.position) ++asking_;
    live_.erase(ended.position);
  }

  static boost::asio::awaitable<void> run(std::shared_ptr<task> self, boost::asio::awaitable<void> work) {
    // Only now may a request be emitted: before its first turn, co_spawn would let it escape from the event
    // loop.
    self->begun = true;
    co_await boost::asio::post(boost::asio::use_awaitable);
    if (self->asked) throw_cancelled();
    co_await std::move(work);
  }

  const boost::asio::any_io_executor executor_;
  std::list<std::shared_ptr<task>> live_;                            // in the order of starting
  std::list<std::shared_ptr<task>>::iterator asking_ = live_.end();  // whom request_cancel asks next
};

/// Connections that want to hear of the drain. Shared with their handles, which may outlive the coordinator.
struct connection_list {
  struct entry {
    std::function<void(connection_close)> close;
    bool busy = false;
    bool is_gone = false;
  };
  std::list<std::shared_ptr<entry>> entries;
  bool open = false;
};

}  // namespace detail

class graceful_shutdown {
 public:
  using task_function = std::function<boost::asio::awaitable<void>()>;

  /// Everything will run on `executor`. Throws std::invalid_argument if a budget is negative or together they
  /// exceed the total (SHD-11).
  graceful_shutdown(const boost::asio::any_io_executor& executor, graceful_shutdown_options options)
      : executor_(executor),
        options_(std::move(options)),
        watch_(executor),
        driver_(executor),
        steps_(executor),
        work_(executor),
        background_(executor) {
    check(options_.budgets);
  }
  explicit graceful_shutdown(const boost::asio::any_io_executor& executor)
      : graceful_shutdown(executor, graceful_shutdown_options()) {}
  graceful_shutdown(const graceful_shutdown&) = delete;
  graceful_shutdown& operator=(const graceful_shutdown&) = delete;

  /// run() must have ended, or never have begun: a contract violation, unless the execution context is
  /// being destroyed.
  ~graceful_shutdown() {
    if (begun_ && phase_ != shutdown_phase::stopped && !watch_.shutting_down())
      contract_violation("graceful_shutdown destroyed before run() ended");
  }

  // ---- What there is to start and to stop

  /// A resource that run() starts, in the order of registration, and that is stopped in the reverse order,
  /// provided that its start has ended well (SHD-12). `start` and `stop` are kept alive while they run, so
  /// they may be closures. Throws shutdown_too_far once run() has begun.
  void add_resource(std::string name, task_function start, task_function stop) {
    if (phase_ != shutdown_phase::created) throw shutdown_too_far();
    cleanup_.push_back(cleanup_step{std::move(name), std::move(start), std::move(stop), false});
  }

  /// A cleanup callback: `callback()` returns void, or an awaitable<void> that is awaited. Nothing else
  /// compiles, so an asynchronous one cannot be dropped by accident (SHD-9). It runs even if run() never came
  /// to start anything.
  ///
  /// May be registered until the cleanup has ended; one that is registered during the cleanup is the next to
  /// run (SHD-14). Throws shutdown_too_far afterwards.
  template <class Callback>
    requires std::is_invocable_r_v<boost::asio::awaitable<void>, Callback&> ||
             std::is_void_v<std::invoke_result_t<Callback&>>
  void add_callback(std::string name, Callback callback) {
    if (phase_ > shutdown_phase::cleanup) throw shutdown_too_far();
    task_function stop;
    if constexpr (std::is_void_v<std::invoke_result_t<Callback&>>) {
      stop = [callback = std::move(callback)] { return call_plain(callback); };
    } else {
      stop = std::move(callback);
    }
    cleanup_.push_back(cleanup_step{std::move(name), nullptr, std::move(stop), true});
  }

  /// A task that serves the whole process: started when everything is, asked to stop once nothing is in
  /// flight. `work` is called anew for every restart.
  ///
  /// May be registered until the background is stopped; one that is registered while the service runs or
  /// drains starts at once (SHD-14). Throws shutdown_too_far afterwards.
  void add_background(std::string name, task_function work) {
    if (phase_ >= shutdown_phase::stop_background) throw shutdown_too_far();
    auto entry = std::make_shared<const background_task>(background_task{std::move(name), std::move(work)});
    if (phase_ < shutdown_phase::running) {
      waiting_background_.push_back(std::move(entry));
    } else {
      start_background(entry, duration::zero());
    }
  }

  /// A connection that wants to hear of the drain (SHD-17). Keep it in the frame that serves the connection.
  class connection {
   public:
    /// `close(now)` or `close(after_response)` is called at most once, at the start of the drain, by what the
    /// connection does then. Throws not_accepting when the service does not accept.
    connection(graceful_shutdown& shutdown, std::function<void(connection_close)> close)
        : list_(shutdown.connections_) {
      if (!list_->open) throw not_accepting();
      auto made = std::make_shared<detail::connection_list::entry>();
      made->close = std::move(close);
      position_ = list_->entries.insert(list_->entries.end(), std::move(made));
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() {
      (*position_)->is_gone = true;
      list_->entries.erase(position_);
    }

    /// Busy: a request is under way, so closing waits for its response. Connections begin idle.
    void set_busy(bool busy) noexcept { (*position_)->busy = busy; }

   private:
    std::shared_ptr<detail::connection_list> list_;
    std::list<std::shared_ptr<detail::connection_list::entry>>::iterator position_;
  };

  // ---- While it runs

  /// Starts `work`, a request or a job, as one of those that the drain waits for. It is counted before this
  /// returns, so no request is lost between acceptance and registration. `name` is what the report calls it.
  ///
  /// Throws not_accepting before the service runs and from stop_accepting on; then none of `work` ran
  /// (SHD-4).
  void admit(const std::string& name, boost::asio::awaitable<void> work) {
    if (!is_accepting()) throw not_accepting();
    work_.spawn(name, std::move(work), [this, name](const std::exception_ptr& error) {
      if (error && phase_ >= shutdown_phase::force_cancel) {
        if (is_cancellation(error)) report_.cancelled.push_back(name);
        tell_forced(forced_action::kind::cancelled, name);
      }
      take_failure(name, error);
      changed();
    });
  }

  /// Asks the service to stop. Idempotent; before or during the start, the start is given up (SHD-2, SHD-12).
  /// From a signal handler or another thread, only by way of the executor.
  void request_stop() {
    if (stop_requested_) return;
    stop_requested_ = true;
    const budgets_type& budgets = options_.budgets;
    watchdog_ = deadline_after(what_is_left(budgets.total, budgets.pre_stop));
    changed();
  }

  /// Gives up waiting for admitted work: at once during the drain, else as soon as the drain begins. It does
  /// not ask to stop, and touches neither the grace period nor the cleanup. Idempotent (SHD-10).
  void escalate() {
    escalated_ = true;
    changed();
  }

  shutdown_phase phase() const noexcept { return phase_; }
  /// The answer of the readiness probe.
  bool is_ready() const noexcept { return phase_ == shutdown_phase::running; }
  /// Whether admit takes work now.
  bool is_accepting() const noexcept {
    return phase_ >= shutdown_phase::running && phase_ <= shutdown_phase::grace;
  }
  std::size_t in_flight() const noexcept { return work_.size(); }

  /// Starts everything, serves until a stop is requested, and stops everything. To be called once:
  /// std::logic_error.
  ///
  /// Outcomes: the report, also when something failed or was left alive. A failing start is a stop request,
  /// and the first of the report's failures. Cancellation: the first request to cancel is a request_stop, a
  /// later one escalates; the report comes all the same, for it accounts for the work. In a scope
  /// that is cancelled already: cancelled, and nothing begins. Lifetime: afterwards the coordinator may
  /// be destroyed, also if there were survivors.
  [[nodiscard]] boost::asio::awaitable<shutdown_report> run() {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (std::exchange(begun_, true)) throw std::logic_error("graceful_shutdown run twice");
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const auto executor = co_await boost::asio::this_coro::executor;
    driver_.spawn("shutdown", drive(), [this](const std::exception_ptr& error) { drive_ended(error); });
    while (!driven_) {
      waiter self(executor);
      co_await park(runners_, self);
      const park_result result = self.result();
      if (result != park_result::cancelled) continue;
      stop_requested_ ? escalate() : request_stop();
    }
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    if (broken_) std::rethrow_exception(broken_);
    co_return std::move(report_);
  }

 private:
  using budgets_type = shutdown_budgets;

  struct cleanup_step {
    std::string name;
    task_function start;  // null for a callback
    task_function stop;
    bool due;  // there is something to clean up
  };
  struct background_task {
    std::string name;
    task_function work;
  };

  static void check(const budgets_type& budgets) {
    const duration all[] = {budgets.grace,    budgets.drain,   budgets.force,    budgets.background,
                            budgets.callback, budgets.cleanup, budgets.pre_stop, budgets.total};
    for (const duration each : all)
      if (each < duration::zero()) throw std::invalid_argument("graceful_shutdown: a negative budget");
    duration left = budgets.total;  // subtracted one by one: their sum could overflow
    for (const duration each : {budgets.pre_stop, budgets.grace, budgets.drain, budgets.force,
                                budgets.background, budgets.cleanup}) {
      if (each > left) throw std::invalid_argument("graceful_shutdown: the budgets exceed the total");
      left = what_is_left(left, each);
    }
  }

  // Coroutine functions with parameters: the callable lives in the frame for as long as what it made.
  static boost::asio::awaitable<void> call(task_function work) { co_await work(); }
  static boost::asio::awaitable<void> call_plain(std::function<void()> callback) {
    callback();
    co_return;
  }
  static boost::asio::awaitable<void> call_later(task_function work, duration delay) {
    if (delay > duration::zero()) {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, delay);
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    co_await work();
  }

  // ---- The one coroutine that walks through the phases. Everybody else only changes what it looks at.

  boost::asio::awaitable<void> drive() {
    co_await start_up();
    if (!stop_requested_) {
      report_.reached_running = true;
      connections_->open = true;
      enter(shutdown_phase::running);
      for (const auto& each : std::exchange(waiting_background_, {}))
        start_background(each, duration::zero());
      co_await wait_until([this] { return stop_requested_; }, no_deadline);
    }
    enter(shutdown_phase::not_ready);
    if (report_.reached_running && options_.budgets.grace > duration::zero()) {
      enter(shutdown_phase::grace);
      co_await wait_until([] { return false; }, limit(options_.budgets.grace));  // SHD-3
    }
    connections_->open = false;
    enter(shutdown_phase::stop_accepting);
    co_await drain();
    co_await stop_background();
    co_await clean_up();
    enter(shutdown_phase::final_log);
    if (options_.on_report) options_.on_report(report_);
  }

  boost::asio::awaitable<void> start_up() {
    enter(shutdown_phase::starting);
    const std::size_t resources =
        cleanup_.size();  // what a step registers stands behind them, and needs no start
    for (std::size_t i = 0; i < resources && !stop_requested_; ++i) {
      if (!cleanup_[i].start) continue;
      steps_.spawn(cleanup_[i].name, call(cleanup_[i].start), [this, i](const std::exception_ptr& error) {
        cleanup_[i].due = !error;  // SHD-12, also when it ended well while it was asked to stop
        if (error && !is_cancellation(error)) {
          record_failure(cleanup_[i].name, error);
          request_stop();
        }
        changed();
      });
      co_await wait_until([this] { return steps_.empty() || stop_requested_; }, no_deadline);
      if (!steps_.empty()) co_await force(steps_);
    }
  }

  boost::asio::awaitable<void> drain() {
    enter(shutdown_phase::drain);
    // SHD-17; a copy, since being told may end a connection, also another one.
    const auto connections = connections_->entries;
    for (const auto& each : connections) {
      if (each->is_gone) continue;
      each->close(each->busy ? connection_close::after_response : connection_close::now);
    }
    co_await wait_until([this] { return work_.empty() || escalated_; },
                        limit(options_.budgets.drain));  // SHD-5, SHD-10
    if (work_.empty()) co_return;
    enter(shutdown_phase::force_cancel);
    co_await force(work_);  // SHD-6
  }

  boost::asio::awaitable<void> stop_background() {
    enter(shutdown_phase::stop_background);
    waiting_background_.clear();
    background_.request_cancel();
    co_await wait_until([this] { return background_.empty(); }, limit(options_.budgets.background));
    leave_alone(background_);
  }

  boost::asio::awaitable<void> clean_up() {
    enter(shutdown_phase::cleanup);
    while (!cleanup_.empty()) {  // SHD-8: what is registered meanwhile comes next (SHD-14)
      const cleanup_step step = std::move(cleanup_.back());
      cleanup_.pop_back();
      if (!step.due) continue;
      if (std::chrono::steady_clock::now() >= watchdog_) {
        report_.skipped.push_back(step.name);
        tell_forced(forced_action::kind::skipped, step.name);
        continue;
      }
      steps_.spawn(step.name, call(step.stop), [this, name = step.name](const std::exception_ptr& error) {
        if (error && cutting_short_) tell_forced(forced_action::kind::cancelled, name);
        take_failure(name, error);
        changed();
      });
      co_await wait_until([this] { return steps_.empty(); }, limit(options_.budgets.callback));
      cutting_short_ = true;
      if (!steps_.empty()) co_await force(steps_);
      cutting_short_ = false;
    }
  }

  // Asks the tasks to stop, waits for them, and leaves those alone that do not listen (SHD-6).
  boost::asio::awaitable<void> force(detail::watched_tasks& tasks) {
    tasks.request_cancel();
    co_await wait_until([&tasks] { return tasks.empty(); }, limit(options_.budgets.force));
    leave_alone(tasks);
  }

  // Waits until `done`, which depends on what changed() announces, but no longer than `deadline`.
  template <class Done>
  boost::asio::awaitable<void> wait_until(Done done, time_point deadline) {
    while (!done()) {
      waiter self(executor_, deadline);
      co_await park(driver_waiting_, self);
      const park_result result = self.result();
      if (result == park_result::expired) co_return;
    }
  }

  // ---- What the drive looks at

  void changed() noexcept {
    if (!driver_waiting_.empty()) driver_waiting_.front().wake();
  }

  // SHD-11: a budget from now on, but never beyond the watchdog.
  time_point limit(duration budget) const { return std::min(watchdog_, deadline_after(budget)); }

  void enter(shutdown_phase phase) {
    phase_ = phase;
    if (options_.on_phase) options_.on_phase(phase);
  }

  void drive_ended(std::exception_ptr error) {
    broken_ = std::move(error);
    enter(shutdown_phase::stopped);
    driven_ = true;
    if (!runners_.empty()) runners_.front().wake();
  }

  void start_background(const std::shared_ptr<const background_task>& task, duration delay) {
    background_.spawn(task->name, call_later(task->work, delay),
                      [this, task](const std::exception_ptr& error) {
                        background_ended(task, error);
                        changed();
                      });
  }

  // SHD-13. A worker that gave up by itself has not failed.
  void background_ended(const std::shared_ptr<const background_task>& task, const std::exception_ptr& error) {
    if (!error || is_cancellation(error)) return;
    if (phase_ >= shutdown_phase::stop_background) return record_failure(task->name, error);
    switch (options_.on_background_failure) {
      case background_failure::report:
        break;
      case background_failure::restart:
        start_background(task, options_.restart_delay);
        break;
      case background_failure::shut_down:
        if (stop_requested_) break;
        record_failure(task->name, error);
        return request_stop();
    }
    take_failure(task->name, error);
  }

  void take_failure(const std::string& name, const std::exception_ptr& error) {
    if (!error || is_cancellation(error)) return;
    if (phase_ >= shutdown_phase::drain) {
      record_failure(name, error);
    } else if (options_.unhandled) {
      options_.unhandled(task_failure{name, failures_told_++, error});
    }
  }

  void record_failure(const std::string& name, const std::exception_ptr& error) {
    const bool secondary = phase_ == shutdown_phase::cleanup && !report_.failures.empty();
    report_.failures.push_back(task_failure{name, report_.failures.size(), error, secondary});
  }

  void leave_alone(detail::watched_tasks& tasks) {
    for (std::string& name : tasks.abandon(options_.unhandled)) {
      tell_forced(forced_action::kind::abandoned, name);
      report_.survivors.push_back(std::move(name));
    }
  }

  void tell_forced(forced_action::kind what, const std::string& name) {
    ++report_.forced_actions;
    if (options_.on_forced) options_.on_forced(forced_action{what, name});
  }

  const boost::asio::any_io_executor executor_;
  const graceful_shutdown_options options_;
  const shutdown_watch watch_;

  shutdown_phase phase_ = shutdown_phase::created;
  bool begun_ = false;
  bool stop_requested_ = false;
  bool escalated_ = false;
  bool driven_ = false;
  bool cutting_short_ = false;  // the cleanup step that runs was asked to stop
  std::exception_ptr broken_;   // what an observer threw against its promise
  time_point watchdog_ = no_deadline;
  shutdown_report report_;
  std::size_t failures_told_ = 0;

  std::vector<cleanup_step> cleanup_;  // in the order of registration
  std::vector<std::shared_ptr<const background_task>> waiting_background_;
  std::shared_ptr<detail::connection_list> connections_ = std::make_shared<detail::connection_list>();
  waiter_list<waiter> driver_waiting_;
  waiter_list<waiter> runners_;
  detail::watched_tasks driver_;  // the walk through the phases itself
  detail::watched_tasks steps_;   // one start or cleanup step
  detail::watched_tasks work_;
  detail::watched_tasks background_;
};

/// Stop signals for a coordinator: the first requests a stop, every further one escalates (SHD-10).
///
/// `Source` has `async_wait(handler)` with handler(error_code, int), as asio::signal_set, which queues what
/// is raised between two waits. The source must outlive this object; closing or destroying it ends the
/// forwarding.
template <class Source>
class signal_forwarder {
 public:
  signal_forwarder(Source& source, graceful_shutdown& target)
      : link_(std::make_shared<link>(link{source, &target})) {
    listen(link_);
  }
  signal_forwarder(const signal_forwarder&) = delete;
  signal_forwarder& operator=(const signal_forwarder&) = delete;
  ~signal_forwarder() { link_->target = nullptr; }

 private:
  struct link {
    Source& source;
    graceful_shutdown* target;
    bool stopping = false;
  };

  static void listen(const std::shared_ptr<link>& self) {
    self->source.async_wait([self](const boost::system::error_code& error, int) {
      if (error || !self->target) return;
      std::exchange(self->stopping, true) ? self->target->escalate() : self->target->request_stop();
      listen(self);
    });
  }

  std::shared_ptr<link> link_;
};

/// SIGINT and SIGTERM for a coordinator, for as long as this lives.
///
/// Asio leaves a signal at its default disposition when nobody listens any more; this restores what was there
/// before, such as the SIG_IGN of nohup (SHD-15). One per process and signal; `target` must outlive it.
/// Throws boost::system::system_error when the signals cannot be caught.
class stop_signals {
 public:
  stop_signals(const boost::asio::any_io_executor& executor, graceful_shutdown& target)
      : signals_(executor, SIGINT, SIGTERM), forwarder_(signals_, target) {}
  stop_signals(const stop_signals&) = delete;
  stop_signals& operator=(const stop_signals&) = delete;

 private:
  struct disposition {
    explicit disposition(int which) noexcept : signal(which) { ::sigaction(signal, nullptr, &before); }
    disposition(const disposition&) = delete;
    disposition& operator=(const disposition&) = delete;
    ~disposition() { ::sigaction(signal, &before, nullptr); }

    int signal;
    struct sigaction before{};
  };

  // In this order: read before anything is caught, restored after Asio has let go.
  const disposition interrupt_{SIGINT};
  const disposition terminate_{SIGTERM};
  boost::asio::signal_set signals_;
  signal_forwarder<boost::asio::signal_set> forwarder_;
};

}  // namespace assay::reference
