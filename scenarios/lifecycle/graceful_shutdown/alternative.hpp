// A second coordinator, simpler than the reference and deliberately different where the standard leaves
// freedom: it refuses late registrations, tells every failure at once instead of in the report, leaves a
// callback that does not listen without waiting for it, and counts a busy connection as work in flight. With
// another manner it makes use of more of that freedom; with one defect switched on it is a mutant.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
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
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay::adapters {

/// What a coordinator does where the standard lets it choose.
struct shutdown_manner {
  /// At the drain deadline. Only who has `force` cancels, and only that one bounds the stop as a whole here.
  enum class deadline { force, cancel_and_wait, wait, leave };
  /// What the report holds; everything else that fails is told at once.
  enum class reporting { nothing, work, cleanup, cause_of_the_stop };

  deadline at_deadline = deadline::force;
  reporting reports = reporting::nothing;
  bool cancel_escalates = true;  ///< a cancel of a run() that is stopping
  int turns = 1;                 ///< before a task begins, and before the coordinator goes on
};

// What is wrong before the stop and beside it: requests, the start, admission, supervision, the report.
ASSAY_DEFECTS(serving_defect, none, request_wakes_nobody, request_cancels_background,
              request_begins_the_stop_again, request_escalates, signals_only_request, ready_a_turn_too_long,
              ready_during_grace, work_is_not_registered, registers_work_a_turn_late,
              refusal_looks_like_success, late_callback_escapes, late_task_escapes, crash_is_forgotten,
              crash_is_told_at_the_stop, ended_worker_breaks_the_stop, never_restarts, restarts_at_once,
              restarts_once, restarts_after_the_stop, goes_on_after_failure, start_goes_on,
              forgets_a_start_that_committed, failed_start_is_cleaned, cleans_what_was_not_opened,
              budgets_are_not_added_up, pre_stop_is_not_counted, report_is_lost_on_cancel,
              cancelled_work_is_not_reported, cancellation_is_told_as_failure, forced_failures_are_dropped,
              failing_when_cancelled_is_silent, forced_actions_are_silent, cleanup_failure_is_the_primary)

// What is wrong with the phases of the stop.
ASSAY_DEFECTS(stopping_defect, none, stops_accepting_before_not_ready, stops_accepting_before_grace,
              skips_grace, cancels_at_once, waits_for_ever, drains_for_the_whole_budget, cuts_the_drain,
              drain_overflows, wall_clock_drain, connections_are_not_told, busy_connections_are_cut,
              survivors_are_not_named, abandons_without_waiting, asks_work_one_after_another,
              drains_what_came_before_the_request, stops_background_before_drain, background_polls_a_flag,
              asks_background_one_after_another, closes_beside_background, callbacks_in_registration_order,
              async_callback_is_dropped, failing_callback_ends_the_cleanup, callback_has_no_bound,
              callbacks_share_one_deadline, callback_failures_are_dropped, cut_callbacks_are_silent,
              awaits_nothing, ignores_escalation, forgets_an_early_escalation, escalation_stops,
              escalation_ends_grace, escalation_cleans_again, escalation_cuts_the_cleanup,
              escalation_skips_force_wait, no_watchdog, watchdog_overflows, tells_again_who_ended_late,
              drains_by_the_plan)

/// Something that a coordinator runs and can ask to stop.
struct shutdown_task {
  using function = std::function<boost::asio::awaitable<void>()>;
  explicit shutdown_task(std::string called) : name(std::move(called)) {}

  const std::string name;
  std::function<void(const std::exception_ptr&)> ended;
  std::exception_ptr failure;
  bool over = false;
  bool begun = false;
  bool asked = false;
  boost::asio::cancellation_signal signal;

  bool failed() const { return failure && !is_cancellation(failure); }
  void cancel() {
    if (over || std::exchange(asked, true)) return;
    if (begun) signal.emit(boost::asio::cancellation_type::terminal);
  }
  /// Begins `work` after so many turns; how it ends is told to `ended`.
  static void begin(std::shared_ptr<shutdown_task> self, boost::asio::any_io_executor executor, function work,
                    int turns) {
    auto completed = [self](std::exception_ptr error) {
      self->over = true;
      self->failure = std::move(error);
      std::exchange(self->ended, nullptr)(self->failure);
    };
    boost::asio::co_spawn(executor, live(self, std::move(work), turns),
                          boost::asio::bind_cancellation_slot(self->signal.slot(), std::move(completed)));
  }
  static boost::asio::awaitable<void> live(std::shared_ptr<shutdown_task> self, function work, int turns) {
    self->begun = true;
    for (int i = 0; i < turns; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
    if (self->asked) contract::throw_cancelled();
    co_await work();
  }
};
using shutdown_tasks = std::vector<std::shared_ptr<shutdown_task>>;

inline bool over(const shutdown_tasks& all) {
  return std::all_of(all.begin(), all.end(), [](const auto& each) { return each->over; });
}
inline void cancel(const shutdown_tasks& all) {
  for (const auto& each : shutdown_tasks(all)) each->cancel();
}

/// What a coordinator needs to run things and to wait for them.
class shutdown_base : public contract::graceful_shutdown {
 public:
  explicit shutdown_base(boost::asio::any_io_executor executor, int turns = 1)
      : executor_(executor), turns_(turns), change_(executor) {}
  void on_failure(failure_hook hook) override { failure_ = std::move(hook); }

 protected:
  using phase = contract::shutdown_phase;
  using tasks = shutdown_tasks;
  using time_point = std::chrono::steady_clock::time_point;
  static constexpr time_point never = time_point::max();
  static time_point now() { return std::chrono::steady_clock::now(); }

  void do_observe(phase_hook observer) override { observer_ = std::move(observer); }
  void entered(phase which) const {
    if (observer_) observer_(which);
  }
  void failed(const std::string& name, const std::exception_ptr& error) const {
    if (failure_) failure_(name, error);
  }

  void spawn(tasks& where, std::string name, async_function work,
             std::function<void(const std::exception_ptr&)> ended) {
    const auto made = std::make_shared<shutdown_task>(std::move(name));
    // A defect may leave a task behind that ends when its coordinator is gone.
    made->ended = [this, here = std::weak_ptr<bool>(alive_),
                   ended = std::move(ended)](const std::exception_ptr& error) {
      if (here.expired()) return;
      ended(error);
      changed();
    };
    where.push_back(made);
    shutdown_task::begin(made, executor_, std::move(work), turns_);
  }
  void changed() { change_.cancel(); }
  template <class Done>
  awaitable<void> wait(Done done, time_point deadline = never) {
    while (!done() && now() < deadline) {
      boost::system::error_code ignored;
      change_.expires_at(deadline);
      co_await change_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
    }
    for (int i = 1; i < turns_; ++i) co_await boost::asio::post(boost::asio::use_awaitable);
  }
  awaitable<void> wait_for(const tasks& all, time_point deadline = never) {
    return wait([&all] { return over(all); }, deadline);
  }

  const boost::asio::any_io_executor executor_;
  const int turns_;  // before a task begins, and before the coordinator goes on
  boost::asio::steady_timer change_;
  phase_hook observer_;
  failure_hook failure_;
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

class alternative_shutdown : public shutdown_base {
 public:
  using serving = serving_defect;
  using stopping = stopping_defect;

  alternative_shutdown(environment& env, const config& wanted, shutdown_manner manner,
                       serving wrong_serving = serving::none, stopping wrong_stopping = stopping::none)
      : shutdown_base(env.executor(), manner.turns),
        config_(wanted),
        manner_(manner),
        serving_(wrong_serving),
        stopping_(wrong_stopping),
        end_(executor_, never) {
    if (!is_bounded()) return;
    nanoseconds sum = is(serving::pre_stop_is_not_counted) ? nanoseconds(0) : wanted.pre_stop;
    for (const nanoseconds each :
         {wanted.grace, wanted.drain, wanted.force, wanted.background, wanted.cleanup})
      sum = assay::detail::saturated_sum(sum, each);
    if (sum > wanted.total && !is(serving::budgets_are_not_added_up))
      throw contract::rejected_error("the budgets exceed the total");
  }
  alternative_shutdown(environment& env, const config& wanted, shutdown_manner manner, stopping wrong)
      : alternative_shutdown(env, wanted, manner, serving::none, wrong) {}

  void on_forced(forced_hook hook) override { forced_ = std::move(hook); }

  void add_resource(std::string name, async_function start, async_function stop) override {
    steps_.push_back(step{std::move(name), std::move(start), std::move(stop), false});
  }
  void add_background(std::string name, async_function work) override {
    if (requested_ && is(serving::late_task_escapes)) return spawn_escaped(std::move(name), std::move(work));
    refuse_late();
    if (phase_ == phase::running) {
      start_background(name, work);
    } else {
      waiting_background_.emplace_back(std::move(name), std::move(work));
    }
  }
  void add_callback(std::string name, function callback) override {
    add_step(std::move(name), [callback = std::move(callback)] { return call_plain(callback); });
  }
  void add_async_callback(std::string name, async_function callback) override {
    if (is(stopping::async_callback_is_dropped)) {
      // What a container of std::function<void()> does to a callable that returns an awaitable.
      return add_callback(std::move(name), [callback = std::move(callback)] { (void)callback(); });
    }
    add_step(std::move(name), std::move(callback));
  }

  void request_stop() override {
    if (is(serving::request_escalates)) escalated_ = true;
    if (requested_ && is(serving::request_begins_the_stop_again)) again_ = true;
    if (!requested_) came_before_ = work_.size();
    if (!std::exchange(requested_, true) && is_bounded() && !is(stopping::no_watchdog))
      watchdog_ = total_spent();
    if (!is(serving::request_wakes_nobody)) changed();
    if (is(serving::request_cancels_background)) cancel(background_);
  }
  void escalate() override {
    if (is(stopping::ignores_escalation)) return;
    if (!requested_ && is(stopping::forgets_an_early_escalation)) return;
    if (is(stopping::escalation_stops)) request_stop();
    escalated_ = true;
    if (phase_ == phase::cleanup && is(stopping::escalation_cuts_the_cleanup)) cancel(cleaning_);
    if (phase_ == phase::cleanup && is(stopping::escalation_cleans_again)) again_ = true;
    changed();
  }
  void signal() override {
    if (requested_ && is_bounded() && !is(serving::signals_only_request)) return escalate();
    request_stop();
  }
  bool ready() const override {
    const bool grace = phase_ == phase::not_ready || phase_ == phase::grace;
    return phase_ == phase::running || (grace && is(serving::ready_during_grace)) || late_to_say_no_;
  }
  contract::late_registration late_policy() const override {
    using contract::late_registration;
    return is(serving::late_callback_escapes) ? late_registration::joins : late_registration::refused;
  }
  int open_connection(close_hook close) override {
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
  // Whoever runs it only waits: what happens belongs to a coroutine of its own, which no cancel reaches.
  awaitable<contract::shutdown_report> do_run() override { return holding_requests(wait_to_be_driven()); }

  void do_admit(std::string name, async_function work) override {
    if (!accepting_) {
      if (is(serving::refusal_looks_like_success)) return;
      throw contract::rejected_error("not accepting work");
    }
    if (!is(serving::registers_work_a_turn_late)) return start_work(name, std::move(work));
    a_turn_later([this, name, work] {
      if (accepting_) start_work(name, work);
    });
  }

 private:
  awaitable<contract::shutdown_report> wait_to_be_driven() {
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    if (requests.cancelled() != boost::asio::cancellation_type::none) cancelled();
    boost::asio::co_spawn(executor_, drive(), [this](std::exception_ptr error) {
      driven_ = std::move(error);
      end_.cancel();
    });
    while (!driven_) {
      boost::system::error_code ignored;
      co_await end_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ignored));
      if (!driven_) cancelled();
    }
    if (*driven_) std::rethrow_exception(*driven_);
    if (is(serving::report_is_lost_on_cancel)) check_cancelled(requests);
    co_return std::move(report_);
  }

  using manner = shutdown_manner;
  using reporting = shutdown_manner::reporting;

  struct step {
    std::string name;
    async_function start;  // null for a callback
    async_function stop;
    bool due;
  };
  struct connection {
    close_hook close;  // null once it is closed
    bool busy = false;
  };

  bool is(serving which) const noexcept { return serving_ == which; }
  bool is(stopping which) const noexcept { return stopping_ == which; }
  bool is_bounded() const noexcept { return manner_.at_deadline == manner::deadline::force; }
  static awaitable<void> call_plain(function callback) {
    callback();
    co_return;
  }
  void cancelled() {
    if (!requested_) return request_stop();
    if (manner_.cancel_escalates && is_bounded()) escalate();
  }
  void refuse_late() const {
    if (requested_) throw contract::rejected_error("too late to register");
  }
  time_point limit(nanoseconds budget) const {
    if (is(stopping::waits_for_ever)) return never;
    return std::min(watchdog_, deadline_after(budget));
  }
  time_point total_spent() const {
    const time_point begun = deadline_after(now(), assay::detail::saturated_difference({}, config_.pre_stop));
    const bool past = overflowing_limit(config_.total) == nanoseconds(0);
    return past && is(stopping::watchdog_overflows) ? begun : deadline_after(begun, config_.total);
  }
  void a_turn_later(function doing) {
    boost::asio::post(executor_, [doing = std::move(doing), here = std::weak_ptr<bool>(alive_)] {
      if (!here.expired()) doing();
    });
  }
  void enter(phase next) {
    if (next == phase::not_ready && phase_ == phase::running && is(serving::ready_a_turn_too_long)) {
      late_to_say_no_ = true;
      a_turn_later([this] { late_to_say_no_ = false; });
    }
    phase_ = next;
    entered(next);
  }
  void add_step(std::string name, async_function callback) {
    if (requested_ && is(serving::late_callback_escapes)) return;
    refuse_late();
    steps_.push_back(step{std::move(name), nullptr, std::move(callback), true});
  }
  void tell(const std::string& name, const std::exception_ptr& error, reporting kind = reporting::nothing) {
    const bool real = !is_cancellation(error) || is(serving::cancellation_is_told_as_failure);
    if (!error || !real) return;
    const bool after_another = std::exchange(failed_, true);
    // One whose report is wrong, or lost, holds everything in it.
    const bool wrong = is(serving::cleanup_failure_is_the_primary) || is(serving::report_is_lost_on_cancel);
    if (kind != reporting::nothing && (kind == manner_.reports || wrong)) {
      report_.failures.push_back({name, error, kind == reporting::cleanup && after_another});
    } else {
      failed(name, error);
    }
  }
  void tell_forced(const std::string& name) {
    report_.forced = true;
    if (forced_ && !is(serving::forced_actions_are_silent)) forced_(name);
  }

  // ---- Tasks

  // A defect: nobody remembers it.
  void spawn_escaped(std::string name, async_function work) {
    tasks nobodys;
    spawn(nobodys, std::move(name), std::move(work), [](const std::exception_ptr&) {});
  }
  void leave_alone(const tasks& all, bool is_work = false, bool late = false) {
    for (const auto& each : all) {
      if (each->over && !(late && is(stopping::tells_again_who_ended_late))) continue;
      // Nobody of this coordinator may hear of it any more: it may be gone by then.
      each->ended = [hook = failure_, name = each->name](const std::exception_ptr& error) {
        if (error && !is_cancellation(error) && hook) hook(name, error);
      };
      if (!is(stopping::survivors_are_not_named)) report_.survivors.push_back(each->name);
      if (is_work) report_.unfinished.push_back(each->name);
      tell_forced(each->name);
    }
  }

  void start_work(const std::string& name, async_function work) {
    tasks untracked;
    tasks& where = is(serving::work_is_not_registered) ? untracked : work_;
    spawn(where, name, std::move(work), [this, name](const auto& error) { work_ended(name, error); });
  }
  void work_ended(const std::string& name, const std::exception_ptr& error) {
    const bool forced = phase_ == phase::force_cancel;
    if (is_cancellation(error) && !is(serving::cancelled_work_is_not_reported)) {
      report_.unfinished.push_back(name);
      tell_forced(name);
    }
    if (forced && error && !is_cancellation(error) && !is(serving::failing_when_cancelled_is_silent))
      tell_forced(name);
    if (!forced || !is(serving::forced_failures_are_dropped)) tell(name, error, reporting::work);
  }
  void start_background(const std::string& name, const async_function& work, nanoseconds delay = {}) {
    spawn(
        background_, name, [work, delay] { return work_after(delay, work); },
        [this, name, work](const auto& error) { background_ended(name, work, error); });
  }
  void background_ended(const std::string& name, const async_function& work,
                        const std::exception_ptr& error) {
    using contract::background_failure;
    if (is_cancellation(error) && !requested_) gave_up_ = true;
    if (!error || is_cancellation(error)) return;
    const bool stops = config_.on_failure == background_failure::shut_down;
    if (is(serving::crash_is_told_at_the_stop)) {
      held_back_.emplace_back(name, error);
    } else if (!is(serving::crash_is_forgotten)) {
      tell(name, error, stops ? reporting::cause_of_the_stop : reporting::nothing);
    }
    if (stops && !is(serving::goes_on_after_failure)) request_stop();
    if (config_.on_failure == background_failure::restart && !requested_) restart(name, work);
  }
  void restart(const std::string& name, const async_function& work) {
    const nanoseconds delay = is(serving::restarts_at_once) ? nanoseconds(0) : config_.restart_delay;
    if (is(serving::never_restarts)) return;
    if (is(serving::restarts_once) && std::exchange(restarted_, true)) return;
    if (!is(serving::restarts_after_the_stop)) return start_background(name, work, delay);
    spawn_escaped(name, [work, delay] { return work_after(delay, work); });
  }
  static awaitable<void> work_after(nanoseconds delay, async_function work) {
    if (delay > nanoseconds(0)) co_await sleep_for(delay);
    co_await work();
  }

  // ---- Phases

  awaitable<void> drive() {
    co_await start_up();
    const bool served = !requested_;
    if (served) {
      accepting_ = true;
      enter(phase::running);
      for (auto& each : waiting_background_) start_background(each.first, each.second);
      co_await wait([this] { return requested_; }, never);
    }
    for (const auto& each : held_back_) failure_(each.first, each.second);
    co_await wind_down(served);
    if (again_ && is(serving::request_begins_the_stop_again)) co_await wind_down(false);
    for (auto& each : report_.failures)
      if (is(serving::cleanup_failure_is_the_primary)) each.secondary = &each != &report_.failures.back();
    enter(phase::final_log);
    enter(phase::stopped);
  }

  awaitable<void> start_up() {
    enter(phase::starting);
    const bool deaf = is(serving::start_goes_on);
    for (std::size_t i = 0; i < steps_.size() && (!requested_ || deaf); ++i) {
      if (!steps_[i].start) continue;
      tasks starting;
      spawn(starting, steps_[i].name, steps_[i].start, [this, i](const std::exception_ptr& error) {
        const bool failed = error && !is_cancellation(error);
        const bool late = requested_ && is(serving::forgets_a_start_that_committed);
        steps_[i].due = (!error && !late) || (failed && is(serving::failed_start_is_cleaned));
        tell(steps_[i].name, error);
        if (failed) request_stop();
      });
      co_await wait([this, &starting, deaf] { return over(starting) || (requested_ && !deaf); }, never);
      cancel(starting);
      co_await wait_for(starting, limit(config_.force));
      leave_alone(starting);
    }
    if (!is(serving::cleans_what_was_not_opened)) co_return;
    for (step& each : steps_) each.due = true;
  }

  awaitable<void> wind_down(bool served) {
    if (is(stopping::stops_accepting_before_not_ready)) enter(phase::stop_accepting);
    enter(phase::not_ready);
    drain_planned_ = deadline_after(served ? config_.grace : nanoseconds(0));
    if (is(stopping::stops_accepting_before_grace)) accepting_ = false;
    if (served && config_.grace > nanoseconds(0) && !is(stopping::skips_grace)) {
      enter(phase::grace);
      const bool hasty = is(stopping::escalation_ends_grace);
      co_await wait([this, hasty] { return hasty && escalated_; }, limit(config_.grace));
    }
    accepting_ = false;
    if (!is(stopping::stops_accepting_before_not_ready)) enter(phase::stop_accepting);
    if (is(stopping::stops_background_before_drain)) co_await stop_background();
    co_await drain();
    if (!is(stopping::stops_background_before_drain)) co_await stop_background();
    co_await clean_up();
  }

  awaitable<void> drain() {
    enter(phase::drain);
    close_connections();
    nanoseconds budget = config_.drain;
    if (is(stopping::cancels_at_once)) budget = nanoseconds(0);
    if (is(stopping::drain_overflows)) budget = overflowing_limit(budget);
    if (is(stopping::cuts_the_drain)) budget = std::min<nanoseconds>(budget, std::chrono::seconds(5));
    if (is(stopping::wall_clock_drain)) {
      co_await drain_by_the_wall(std::min<nanoseconds>(budget, std::chrono::hours(24 * 365)));
    } else {
      const bool patient = is(stopping::drains_for_the_whole_budget);
      const std::size_t older =
          is(stopping::drains_what_came_before_the_request) ? came_before_ : work_.size();
      const tasks counted(work_.begin(), work_.begin() + static_cast<std::ptrdiff_t>(older));
      co_await wait(
          [this, patient, &counted] { return (nothing_in_flight(counted) && !patient) || escalated_; },
          is(stopping::drains_by_the_plan) ? std::min(watchdog_, deadline_after(drain_planned_, budget))
                                           : limit(budget));
    }
    if (over(work_)) co_return;
    if (manner_.at_deadline == manner::deadline::leave) co_return leave_alone(work_, true);
    if (is_bounded()) enter(phase::force_cancel);
    if (is(stopping::asks_work_one_after_another)) {
      const time_point spent = limit(config_.force);
      const tasks left = work_;
      for (const auto& each : left) co_await ask(each, spent);
    }
    if (manner_.at_deadline != manner::deadline::wait) cancel(work_);
    const bool hasty =
        is(stopping::abandons_without_waiting) || (escalated_ && is(stopping::escalation_skips_force_wait));
    const nanoseconds patience = hasty ? nanoseconds(1) : config_.force;
    const time_point spent = is_bounded() ? limit(patience) : never;
    co_await wait_for(work_, spent);
    leave_alone(work_, true, now() > spent);
  }
  void close_connections() {
    using contract::connection_close;
    for (std::size_t i = 0; i < connections_.size(); ++i) {
      const connection each = connections_[i];  // a copy, since being told may close it, or another one
      const bool busy = each.busy && !is(stopping::busy_connections_are_cut);
      if (each.close && !is(stopping::connections_are_not_told))
        each.close(busy ? connection_close::after_response : connection_close::now);
    }
  }
  bool nothing_in_flight(const tasks& counted) const {
    return over(counted) && std::none_of(connections_.begin(), connections_.end(),
                                         [](const connection& each) { return each.busy; });
  }
  awaitable<void> drain_by_the_wall(nanoseconds budget) {
    const auto deadline = std::chrono::system_clock::now() + budget;
    const nanoseconds pause = std::max<nanoseconds>(std::chrono::milliseconds(100), budget / 1000);
    const auto over_or_escalated = [this] { return over(work_) || escalated_; };
    while (!over_or_escalated() && std::chrono::system_clock::now() < deadline)
      co_await wait(over_or_escalated, deadline_after(pause));
  }

  // A defect: the next one is not asked before this one has ended.
  awaitable<void> ask(std::shared_ptr<shutdown_task> one, time_point deadline) {
    one->cancel();
    co_await wait([&one] { return one->over; }, deadline);
  }

  awaitable<void> stop_background() {
    enter(phase::stop_background);
    if (gave_up_ && is(serving::ended_worker_breaks_the_stop)) contract::throw_cancelled();
    const tasks all = background_;
    for (std::size_t i = 0; i < all.size() && is(stopping::asks_background_one_after_another); ++i)
      co_await ask(all[i], limit(config_.background));
    if (!is(stopping::background_polls_a_flag)) cancel(background_);
    if (is(stopping::closes_beside_background)) co_return;
    co_await wait_for(background_, limit(config_.background));
    leave_alone(background_);
  }

  awaitable<void> clean_up() {
    enter(phase::cleanup);
    if (is(stopping::callbacks_in_registration_order)) std::reverse(steps_.begin(), steps_.end());
    for (std::size_t i = steps_.size(); i-- > 0;) {
      if (!std::exchange(steps_[i].due, false)) continue;
      if (now() >= watchdog_) {
        tell_forced(steps_[i].name);
        continue;
      }
      co_await clean(steps_[i]);
      if (is(stopping::escalation_cleans_again) && std::exchange(again_, false)) {
        for (step& each : steps_) each.due = !each.start;
        i = steps_.size();
      }
      if (cleaning_.front()->failed() && is(stopping::failing_callback_ends_the_cleanup)) break;
    }
  }
  awaitable<void> clean(const step& what) {
    cleaning_.clear();
    spawn(cleaning_, what.name, what.stop, [this, name = what.name](const std::exception_ptr& error) {
      if (!is(stopping::callback_failures_are_dropped)) tell(name, error, reporting::cleanup);
    });
    if (!is(stopping::awaits_nothing)) {
      const bool shared = is(stopping::callbacks_share_one_deadline);
      const time_point bound = limit(shared ? config_.total : config_.callback);
      co_await wait_for(cleaning_, is(stopping::callback_has_no_bound) ? never : bound);
      const bool late = !over(cleaning_);
      cancel(cleaning_);
      // One more nanosecond for what obeys at once, if there is one; who does not is left alone.
      co_await wait_for(cleaning_, limit(std::min(config_.force, nanoseconds(1))));
      if (late && cleaning_.front()->failure && !is(stopping::cut_callbacks_are_silent))
        tell_forced(what.name);
    }
    leave_alone(cleaning_);
  }

  const config config_;
  const shutdown_manner manner_;
  const serving serving_;
  const stopping stopping_;
  boost::asio::steady_timer end_;  // of the drive
  forced_hook forced_;
  phase phase_ = phase::starting;
  bool requested_ = false;
  bool escalated_ = false;
  bool accepting_ = false;
  bool late_to_say_no_ = false;  // still ready, for a turn: a defect
  bool again_ = false;
  bool gave_up_ = false;
  bool failed_ = false;
  bool restarted_ = false;
  std::size_t came_before_ = 0;               // work, at the request: a defect counts nothing else
  std::optional<std::exception_ptr> driven_;  // what the drive failed with, if anything
  time_point watchdog_ = never;
  time_point drain_planned_ = never;  // when the drain begins if nothing is late: a defect counts from then
  contract::shutdown_report report_;
  std::vector<step> steps_;
  std::vector<std::pair<std::string, async_function>> waiting_background_;
  std::vector<std::pair<std::string, std::exception_ptr>> held_back_;
  std::vector<connection> connections_;
  tasks work_;
  tasks background_;
  tasks cleaning_;
};

}  // namespace assay::adapters
