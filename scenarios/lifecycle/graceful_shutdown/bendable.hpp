// A second coordinator, simpler than the reference and deliberately different where the standard leaves
// freedom: it refuses late registrations, tells every failure at once instead of in the report, leaves a
// callback that does not listen without waiting for it, and counts a busy connection as work in flight. With
// another manner it makes use of more of that freedom; with one defect switched on it is a mutant.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay::adapters {

/// What a coordinator does where the standard lets it choose.
struct shutdown_manner {
  /// At the drain deadline. Only who has `force` cancels, and only that one bounds the stop as a whole here.
  enum class deadline { force, cancel_and_wait, wait, leave };
  /// What the report holds; everything else that fails is told at once.
  enum class reporting { nothing, work, cleanup };

  deadline at_deadline = deadline::force;
  reporting reports = reporting::nothing;
  bool cancel_escalates = true;  ///< a cancel of a run() that is stopping
  int turns = 1;                 ///< before a task begins, and before the coordinator goes on
};

enum class shutdown_defect {
  none,
  cancels_at_once,                  // SHD-m1
  callbacks_in_registration_order,  // SHD-m2
  async_callback_is_dropped,        // SHD-m3
  waits_for_ever,                   // SHD-m4
  work_is_not_registered,           // SHD-m5
  request_wakes_nobody,             // SHD-m6
  crash_is_forgotten,               // SHD-m7
  crash_is_told_at_the_stop,        // SHD-m7
  ended_worker_breaks_the_stop,     // SHD-m7
  request_cancels_background,       // SHD-m8
  forced_failures_are_dropped,      // SHD-m9
  registers_work_a_turn_late,       // SHD-m10
  background_polls_a_flag,          // SHD-m11
  refusal_looks_like_success,       // SHD-m12
  cleans_what_was_not_opened,       // SHD-m13
  late_callback_escapes,            // SHD-m14
  late_task_escapes,                // SHD-m14
  request_begins_the_stop_again,
  stops_accepting_before_not_ready,
  stops_accepting_before_grace,
  ready_during_grace,
  ready_a_turn_too_long,
  skips_grace,
  drains_for_the_whole_budget,
  cuts_the_drain,
  survivors_are_not_named,
  abandons_without_waiting,
  closes_beside_background,
  stops_background_before_drain,
  failing_callback_ends_the_cleanup,
  callback_has_no_bound,
  callback_failures_are_dropped,
  awaits_nothing,
  ignores_escalation,
  escalation_ends_grace,
  escalation_cleans_again,
  escalation_cuts_the_cleanup,
  escalation_skips_force_wait,
  signals_only_request,
  budgets_are_not_added_up,
  pre_stop_is_not_counted,
  no_watchdog,
  watchdog_overflows,
  drain_overflows,
  start_goes_on,
  forgets_a_start_that_committed,
  failed_start_is_cleaned,
  never_restarts,
  restarts_at_once,
  restarts_after_the_stop,
  goes_on_after_failure,
  cancelled_work_is_not_reported,
  wall_clock_drain,
  forced_actions_are_silent,
  cancellation_is_told_as_failure,
  cut_callbacks_are_silent,
  failing_when_cancelled_is_silent
};

class bendable_shutdown : public contract::graceful_shutdown {
 public:
  bendable_shutdown(environment& env, const config& wanted, shutdown_defect defect)
      : bendable_shutdown(env, wanted, defect, shutdown_manner()) {}
  bendable_shutdown(environment& env, const config& wanted, shutdown_manner manner)
      : bendable_shutdown(env, wanted, shutdown_defect::none, manner) {}

 private:
  using way = shutdown_manner::deadline;
  using reporting = shutdown_manner::reporting;

  bendable_shutdown(environment& env, const config& wanted, shutdown_defect defect, shutdown_manner manner)
      : executor_(env.executor()),
        config_(wanted),
        defect_(defect),
        manner_(manner),
        change_(executor_),
        end_(executor_, never) {
    if (!is_bounded()) return;
    nanoseconds sum = is(shutdown_defect::pre_stop_is_not_counted) ? nanoseconds(0) : wanted.pre_stop;
    for (const nanoseconds each :
         {wanted.grace, wanted.drain, wanted.force, wanted.background, wanted.cleanup})
      sum = assay::detail::saturated_sum(sum, each);
    if (sum > wanted.total && !is(shutdown_defect::budgets_are_not_added_up))
      throw contract::rejected_error("the budgets exceed the total");
  }

 public:
  void on_failure(std::function<void(std::string, std::exception_ptr)> hook) override {
    failure_ = std::move(hook);
  }
  void on_forced(std::function<void(std::string)> hook) override { forced_ = std::move(hook); }

  void add_resource(std::string name, async_function start, async_function stop) override {
    steps_.push_back(step{std::move(name), std::move(start), std::move(stop), false, false});
  }
  void add_background(std::string name, async_function work) override {
    if (requested_ && is(shutdown_defect::late_task_escapes))
      return start_escaped(std::move(name), std::move(work));
    refuse_late();
    if (phase_ == phase::running) {
      start_background(name, work, nanoseconds(0));
    } else {
      waiting_background_.emplace_back(std::move(name), std::move(work));
    }
  }
  void add_callback(std::string name, function callback) override {
    add_step(std::move(name), [callback = std::move(callback)] { return call_plain(callback); });
  }
  void add_async_callback(std::string name, async_function callback) override {
    if (is(shutdown_defect::async_callback_is_dropped)) {
      // What a container of std::function<void()> does to a callable that returns an awaitable.
      const function plain = [callback = std::move(callback)] { (void)callback(); };
      callback = [plain] { return call_plain(plain); };
    }
    add_step(std::move(name), std::move(callback));
  }

  void request_stop() override {
    if (requested_ && !is(shutdown_defect::request_begins_the_stop_again)) return;
    if (requested_) again_ = true;
    if (!requested_ && is_bounded() && !is(shutdown_defect::no_watchdog)) watchdog_ = total_spent();
    requested_ = true;
    if (!is(shutdown_defect::request_wakes_nobody)) changed();
    if (is(shutdown_defect::request_cancels_background)) cancel(background_);
  }
  void escalate() override {
    if (is(shutdown_defect::ignores_escalation)) return;
    escalated_ = true;
    if (phase_ == phase::cleanup && is(shutdown_defect::escalation_cuts_the_cleanup)) cancel(cleaning_);
    if (phase_ == phase::cleanup && is(shutdown_defect::escalation_cleans_again)) again_ = true;
    changed();
  }
  void signal() override {
    if (requested_ && !is(shutdown_defect::signals_only_request)) return escalate();
    request_stop();
  }
  bool ready() const override {
    const bool grace = phase_ == phase::not_ready || phase_ == phase::grace;
    return phase_ == phase::running || (grace && is(shutdown_defect::ready_during_grace)) || late_to_say_no_;
  }
  contract::late_registration late_policy() const override {
    using contract::late_registration;
    return is(shutdown_defect::late_callback_escapes) ? late_registration::joins : late_registration::refused;
  }
  int open_connection(std::function<void(contract::connection_close)> close) override {
    if (!accepting_) throw contract::rejected_error("not accepting connections");
    connections_.push_back(connection{std::move(close)});
    return static_cast<int>(connections_.size()) - 1;
  }
  void set_busy(int which, bool busy) override {
    connections_.at(static_cast<std::size_t>(which)).busy = busy;
    changed();
  }
  void connection_closed(int which) override {
    connections_.at(static_cast<std::size_t>(which)) = connection();
    changed();
  }

 protected:
  using phase = contract::shutdown_phase;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();

  struct step {
    std::string name;
    async_function start;
    async_function stop;
    bool is_callback;
    bool due;
  };
  struct task {
    std::string name;
    std::function<void(const std::exception_ptr&)> ended;
    boost::asio::cancellation_signal signal;
    bool begun = false;
    bool asked = false;
    bool over = false;
  };
  using tasks = std::vector<std::shared_ptr<task>>;
  struct connection {
    std::function<void(contract::connection_close)> close;  // null once it is closed
    bool busy = false;
  };

  bool is(shutdown_defect which) const noexcept { return defect_ == which; }
  bool is_bounded() const noexcept { return manner_.at_deadline == way::force; }

  void do_observe(std::function<void(contract::shutdown_phase)> observer) override {
    observer_ = std::move(observer);
  }

  // Whoever runs it only waits: what happens belongs to a coroutine of its own, which no cancel reaches.
  awaitable<contract::shutdown_report> do_run() override {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    if (requests.cancelled() != boost::asio::cancellation_type::none) cancelled();
    boost::asio::co_spawn(executor_, drive(), [this](std::exception_ptr error) {
      broken_ = std::move(error);
      driven_ = true;
      end_.cancel();
    });
    while (!driven_) {
      boost::system::error_code ignored;
      co_await end_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
      if (!driven_) cancelled();
    }
    if (broken_) std::rethrow_exception(broken_);
    co_return std::move(report_);
  }
  void cancelled() {
    if (!requested_) return request_stop();
    if (manner_.cancel_escalates && is_bounded()) escalate();
  }

  awaitable<void> drive() {
    co_await start_up();
    const bool served = !requested_;
    if (served) {
      accepting_ = true;
      enter(phase::running);
      for (auto& each : waiting_background_) start_background(each.first, each.second, nanoseconds(0));
      co_await wait([this] { return requested_; }, never);
    }
    if (is(shutdown_defect::crash_is_told_at_the_stop)) {
      for (const auto& each : held_back_) failure_(each.first, each.second);
    }
    co_await wind_down(served);
    while (again_) {
      again_ = false;
      const bool whole = is(shutdown_defect::request_begins_the_stop_again);
      if (whole) {
        for (step& each : steps_) each.due = each.start != nullptr && opened_;
        co_await wind_down(false);
      }
    }
    enter(phase::final_log);
    enter(phase::stopped);
  }

  void do_admit(std::string name, async_function work) override {
    if (!accepting_) {
      if (is(shutdown_defect::refusal_looks_like_success)) return;
      throw contract::rejected_error("not accepting work");
    }
    if (is(shutdown_defect::registers_work_a_turn_late)) {
      boost::asio::post(executor_, [this, here = std::weak_ptr<bool>(alive_), name, work] {
        if (!here.expired() && accepting_) start_work(name, work);
      });
      return;
    }
    start_work(std::move(name), std::move(work));
  }

 private:
  static time_point now() { return std::chrono::steady_clock::now(); }
  static awaitable<void> call_plain(function callback) {
    callback();
    co_return;
  }
  static bool is_cancelled(const std::exception_ptr& error) {
    return error && describe(error).kind == outcome_kind::cancelled;
  }
  void refuse_late() const {
    if (requested_) throw contract::rejected_error("too late to register");
  }
  time_point limit(nanoseconds budget) const {
    if (is(shutdown_defect::waits_for_ever)) return never;
    return std::min(watchdog_, deadline_after(budget));
  }
  time_point total_spent() const {
    const time_point begun = deadline_after(now(), assay::detail::saturated_difference({}, config_.pre_stop));
    if (is(shutdown_defect::watchdog_overflows) && overflowing_limit(config_.total) == nanoseconds(0))
      return begun;
    return deadline_after(begun, config_.total);
  }
  void changed() { change_.cancel(); }
  void enter(phase next) {
    if (next == phase::not_ready && phase_ == phase::running && is(shutdown_defect::ready_a_turn_too_long)) {
      late_to_say_no_ = true;
      boost::asio::post(executor_, [this, here = std::weak_ptr<bool>(alive_)] {
        if (!here.expired()) late_to_say_no_ = false;
      });
    }
    phase_ = next;
    if (observer_) observer_(next);
  }
  void add_step(std::string name, async_function callback) {
    if (requested_ && is(shutdown_defect::late_callback_escapes)) return;
    refuse_late();
    steps_.push_back(step{std::move(name), nullptr, std::move(callback), true, true});
  }
  void tell(const std::string& name, const std::exception_ptr& error, reporting kind = reporting::nothing) {
    const bool real = !is_cancelled(error) || is(shutdown_defect::cancellation_is_told_as_failure);
    if (!error || !real) return;
    const bool after_another = std::exchange(failed_, true);
    if (kind != reporting::nothing && kind == manner_.reports) {
      report_.failures.push_back({name, error, kind == reporting::cleanup && after_another});
    } else if (failure_) {
      failure_(name, error);
    }
  }
  void tell_forced(const std::string& name) {
    report_.forced = true;
    if (forced_ && !is(shutdown_defect::forced_actions_are_silent)) forced_(name);
  }

  // ---- Tasks

  class completion {
   public:
    using cancellation_slot_type = boost::asio::cancellation_slot;
    explicit completion(std::shared_ptr<task> self) : self_(std::move(self)) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return self_->signal.slot(); }
    void operator()(const std::exception_ptr& error) const {
      self_->over = true;
      const auto ended = std::exchange(self_->ended, nullptr);
      if (ended) ended(error);
    }

   private:
    std::shared_ptr<task> self_;
  };
  static awaitable<void> run_task(std::shared_ptr<task> self, async_function work, nanoseconds delay,
                                  int turns) {
    self->begun = true;
    for (int i = 0; i < turns; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
    if (self->asked) contract::throw_cancelled();
    if (delay > nanoseconds(0)) {
      boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, delay);
      co_await timer.async_wait(boost::asio::use_awaitable);
    }
    co_await work();
  }
  std::shared_ptr<task> spawn(tasks& where, std::string name, async_function work,
                              std::function<void(const std::exception_ptr&)> ended,
                              nanoseconds delay = nanoseconds(0)) {
    auto made = std::make_shared<task>();
    made->name = std::move(name);
    // A defect may leave a task behind that ends when its coordinator is gone.
    made->ended = [here = std::weak_ptr<bool>(alive_),
                   ended = std::move(ended)](const std::exception_ptr& error) {
      if (!here.expired()) ended(error);
    };
    where.push_back(made);
    boost::asio::co_spawn(executor_, run_task(made, std::move(work), delay, manner_.turns), completion(made));
    return made;
  }
  static bool over(const tasks& all) {
    return std::all_of(all.begin(), all.end(), [](const auto& each) { return each->over; });
  }
  static void cancel(tasks& all) {
    for (const auto& each : tasks(all)) {
      if (each->over || std::exchange(each->asked, true)) continue;
      if (each->begun) each->signal.emit(boost::asio::cancellation_type::terminal);
    }
  }
  void leave_alone(tasks& all, bool is_work) {
    for (const auto& each : all) {
      if (each->over) continue;
      // Nobody of this coordinator may hear of it any more: it may be gone by then.
      each->ended = [hook = failure_, name = each->name](const std::exception_ptr& error) {
        if (error && !is_cancelled(error) && hook) hook(name, error);
      };
      if (!is(shutdown_defect::survivors_are_not_named)) report_.survivors.push_back(each->name);
      if (is_work) report_.unfinished.push_back(each->name);
      tell_forced(each->name);
    }
  }
  template <class Done>
  awaitable<void> wait(Done done, time_point deadline) {
    while (!done() && now() < deadline) {
      boost::system::error_code ignored;
      change_.expires_at(deadline);
      co_await change_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    for (int i = 1; i < manner_.turns; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
  }

  void start_work(std::string name, async_function work) {
    tasks untracked;
    tasks& where = is(shutdown_defect::work_is_not_registered) ? untracked : work_;
    spawn(where, name, std::move(work), [this, name](const std::exception_ptr& error) {
      if (is_cancelled(error) && !is(shutdown_defect::cancelled_work_is_not_reported)) {
        report_.unfinished.push_back(name);
        tell_forced(name);
      }
      const bool forced = phase_ == phase::force_cancel;
      if (forced && error && !is_cancelled(error) && !is(shutdown_defect::failing_when_cancelled_is_silent))
        tell_forced(name);
      if (!forced || !is(shutdown_defect::forced_failures_are_dropped)) tell(name, error, reporting::work);
      changed();
    });
  }
  void start_background(const std::string& name, const async_function& work, nanoseconds delay) {
    spawn(
        background_, name, work,
        [this, name, work](const std::exception_ptr& error) {
          background_ended(name, work, error);
          changed();
        },
        delay);
  }
  void start_escaped(std::string name, async_function work) {
    tasks nobodys;
    spawn(nobodys, std::move(name), std::move(work), [](const std::exception_ptr&) {});
  }
  void background_ended(const std::string& name, const async_function& work,
                        const std::exception_ptr& error) {
    if (is_cancelled(error) && !requested_) gave_up_ = true;
    if (!error || is_cancelled(error)) return;
    if (is(shutdown_defect::crash_is_told_at_the_stop)) {
      held_back_.emplace_back(name, error);
    } else if (!is(shutdown_defect::crash_is_forgotten)) {
      tell(name, error);
    }
    if (config_.on_failure == contract::background_failure::restart && !requested_) restart(name, work);
    if (config_.on_failure == contract::background_failure::shut_down &&
        !is(shutdown_defect::goes_on_after_failure))
      request_stop();
  }

  void restart(const std::string& name, const async_function& work) {
    if (is(shutdown_defect::never_restarts)) return;
    nanoseconds delay = config_.restart_delay;
    if (is(shutdown_defect::restarts_at_once)) delay = nanoseconds(0);
    if (is(shutdown_defect::restarts_after_the_stop)) {  // a timer that nobody remembers
      tasks nobodys;
      spawn(nobodys, name, work, [](const std::exception_ptr&) {}, delay);
      return;
    }
    start_background(name, work, delay);
  }

  // ---- Phases

  awaitable<void> start_up() {
    enter(phase::starting);
    for (std::size_t i = 0; i < steps_.size(); ++i) {
      if (requested_ && !is(shutdown_defect::start_goes_on)) break;
      if (!steps_[i].start) continue;
      tasks starting;
      spawn(starting, steps_[i].name, steps_[i].start, [this, i](const std::exception_ptr& error) {
        const bool late = requested_ && is(shutdown_defect::forgets_a_start_that_committed);
        steps_[i].due =
            (!error && !late) || (is(shutdown_defect::failed_start_is_cleaned) && !is_cancelled(error));
        tell(steps_[i].name, error);
        if (error && !is_cancelled(error)) request_stop();
        changed();
      });
      const bool deaf = is(shutdown_defect::start_goes_on);
      co_await wait([this, &starting, deaf] { return over(starting) || (requested_ && !deaf); }, never);
      cancel(starting);
      co_await wait([&starting] { return over(starting); }, limit(config_.force));
      leave_alone(starting, false);
    }
    opened_ = true;
    if (is(shutdown_defect::cleans_what_was_not_opened))
      for (step& each : steps_) each.due = true;
  }

  awaitable<void> wind_down(bool served) {
    if (is(shutdown_defect::stops_accepting_before_not_ready)) enter(phase::stop_accepting);
    enter(phase::not_ready);
    if (is(shutdown_defect::stops_accepting_before_grace)) accepting_ = false;
    if (served && config_.grace > nanoseconds(0) && !is(shutdown_defect::skips_grace)) {
      enter(phase::grace);
      const bool hasty = is(shutdown_defect::escalation_ends_grace);
      co_await wait([this, hasty] { return hasty && escalated_; }, limit(config_.grace));
    }
    accepting_ = false;
    if (!is(shutdown_defect::stops_accepting_before_not_ready)) enter(phase::stop_accepting);
    if (is(shutdown_defect::stops_background_before_drain)) co_await stop_background();
    co_await drain();
    if (!is(shutdown_defect::stops_background_before_drain)) co_await stop_background();
    co_await clean_up();
  }

  awaitable<void> drain() {
    enter(phase::drain);
    // A copy, since being told may close a connection.
    const std::vector<connection> open = connections_;
    for (const connection& each : open) {
      using contract::connection_close;
      if (each.close) each.close(each.busy ? connection_close::after_response : connection_close::now);
    }
    nanoseconds budget = config_.drain;
    if (is(shutdown_defect::cancels_at_once)) budget = nanoseconds(0);
    if (is(shutdown_defect::drain_overflows)) budget = overflowing_limit(budget);
    if (is(shutdown_defect::cuts_the_drain)) budget = std::min<nanoseconds>(budget, std::chrono::seconds(5));
    if (is(shutdown_defect::wall_clock_drain)) {
      budget = std::min<nanoseconds>(budget, std::chrono::hours(24 * 365));
      const nanoseconds pause = std::max<nanoseconds>(std::chrono::milliseconds(100), budget / 1000);
      co_await drain_by_the_wall(std::chrono::system_clock::now() + budget, pause);
    } else {
      const bool patient = is(shutdown_defect::drains_for_the_whole_budget);
      co_await wait([this, patient] { return (nothing_in_flight() && !patient) || escalated_; },
                    limit(budget));
    }
    if (over(work_)) co_return;
    if (manner_.at_deadline == way::leave) {
      leave_alone(work_, true);
      co_return;
    }
    if (manner_.at_deadline == way::cancel_and_wait) cancel(work_);
    if (manner_.at_deadline != way::force) {
      co_await wait([this] { return over(work_); }, never);
      co_return;
    }
    enter(phase::force_cancel);
    cancel(work_);
    const bool hasty = is(shutdown_defect::abandons_without_waiting) ||
                       (escalated_ && is(shutdown_defect::escalation_skips_force_wait));
    co_await wait([this] { return over(work_); }, limit(hasty ? nanoseconds(1) : config_.force));
    leave_alone(work_, true);
  }
  bool nothing_in_flight() const {
    return over(work_) && std::none_of(connections_.begin(), connections_.end(),
                                       [](const connection& each) { return each.busy; });
  }
  awaitable<void> drain_by_the_wall(std::chrono::system_clock::time_point deadline, nanoseconds pause) {
    while (!over(work_) && !escalated_ && std::chrono::system_clock::now() < deadline)
      co_await wait([this] { return over(work_) || escalated_; }, deadline_after(pause));
  }

  awaitable<void> stop_background() {
    enter(phase::stop_background);
    if (gave_up_ && is(shutdown_defect::ended_worker_breaks_the_stop)) contract::throw_cancelled();
    if (!is(shutdown_defect::background_polls_a_flag)) cancel(background_);
    const bool alone = is(shutdown_defect::closes_beside_background);
    if (!alone) co_await wait([this] { return over(background_); }, limit(config_.background));
    if (!alone) leave_alone(background_, false);
  }

  awaitable<void> clean_up() {
    enter(phase::cleanup);
    if (is(shutdown_defect::callbacks_in_registration_order)) std::reverse(steps_.begin(), steps_.end());
    for (std::size_t i = steps_.size(); i-- > 0;) {
      if (!std::exchange(steps_[i].due, false)) continue;
      if (now() >= watchdog_) {
        tell_forced(steps_[i].name);
        continue;
      }
      bool failed = false;
      co_await clean(steps_[i], failed);
      if (again_ && is(shutdown_defect::escalation_cleans_again)) {
        again_ = false;
        for (step& each : steps_) each.due = each.is_callback;
        i = steps_.size();
      }
      if (failed && is(shutdown_defect::failing_callback_ends_the_cleanup)) break;
    }
  }
  awaitable<void> clean(step& what, bool& failed) {
    cleaning_.clear();
    const auto outcome = std::make_shared<std::exception_ptr>();
    spawn(cleaning_, what.name, what.stop,
          [this, outcome, name = what.name](const std::exception_ptr& error) {
            *outcome = error;
            if (!is(shutdown_defect::callback_failures_are_dropped)) tell(name, error, reporting::cleanup);
            changed();
          });
    const bool awaited = !is(shutdown_defect::awaits_nothing);
    const time_point deadline = is(shutdown_defect::callback_has_no_bound) ? never : limit(config_.callback);
    if (awaited) {
      co_await wait([this] { return over(cleaning_); }, deadline);
      const bool late = !over(cleaning_);
      cancel(cleaning_);
      // One more nanosecond for what obeys at once; who does not is left alone.
      co_await wait([this] { return over(cleaning_); }, limit(nanoseconds(1)));
      if (late && *outcome && !is(shutdown_defect::cut_callbacks_are_silent)) tell_forced(what.name);
    }
    leave_alone(cleaning_, false);
    failed = *outcome && !is_cancelled(*outcome);
  }

  const boost::asio::any_io_executor executor_;
  const config config_;
  const shutdown_defect defect_;
  const shutdown_manner manner_;
  boost::asio::steady_timer change_;
  boost::asio::steady_timer end_;  // of the drive
  std::function<void(phase)> observer_;
  std::function<void(std::string, std::exception_ptr)> failure_;
  std::function<void(std::string)> forced_;
  phase phase_ = phase::starting;
  bool requested_ = false;
  bool escalated_ = false;
  bool accepting_ = false;
  bool late_to_say_no_ = false;  // still ready, for a turn: a defect
  bool opened_ = false;
  bool again_ = false;
  bool gave_up_ = false;
  bool failed_ = false;
  bool driven_ = false;
  std::exception_ptr broken_;
  time_point watchdog_ = never;
  contract::shutdown_report report_;
  std::vector<step> steps_;
  std::vector<std::pair<std::string, async_function>> waiting_background_;
  std::vector<std::pair<std::string, std::exception_ptr>> held_back_;
  std::vector<connection> connections_;
  tasks work_;
  tasks background_;
  tasks cleaning_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace assay::adapters
