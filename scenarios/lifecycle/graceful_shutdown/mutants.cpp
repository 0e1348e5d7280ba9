// Coordinators that are wrong in one way each. Most are the second coordinator with one defect switched on;
// where the defect is one of the adapter's own, they are the reference behind a bent adapter.
//
// Of the standard's list, all are here: SHD-m8, a stop by way of an exception that ends the group, shows in
// C++ as background workers that are cancelled by the request itself.
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/bendable.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/reference_adapter.hpp>

namespace assay {
namespace {

using adapters::shutdown_defect;
using config = contract::graceful_shutdown_config;
using mutant = subject<contract::graceful_shutdown>;

std::unique_ptr<mutant> bent(std::string name, shutdown_defect defect, std::string text,
                             std::vector<expected_failure> must, std::vector<std::string> may = {}) {
  subject_traits traits;
  traits.features = {"grace",
                     "force",
                     "callbacks",
                     "budgets",
                     "supervision",
                     "restart",
                     "signals",
                     "shut_down_on_failure",
                     "late_registration"};
  traits.defect = std::move(text);
  traits.must_fail = std::move(must);
  traits.may_fail = std::move(may);
  return std::make_unique<mutant>(
      std::move(name), subject_kind::mutant, std::move(traits),
      [defect](environment& env, const config& wanted) -> std::unique_ptr<contract::graceful_shutdown> {
        return std::make_unique<adapters::bendable_shutdown>(env, wanted, defect);
      });
}

template <class Adapter>
std::unique_ptr<mutant> adapted(std::string name, std::string text, std::vector<expected_failure> must,
                                std::vector<std::string> may = {}) {
  subject_traits traits;
  traits.features = adapters::every_shutdown_feature();
  traits.defect = std::move(text);
  traits.must_fail = std::move(must);
  traits.may_fail = std::move(may);
  return std::make_unique<mutant>(
      std::move(name), subject_kind::mutant, std::move(traits),
      [](environment& env, const config& wanted) -> std::unique_ptr<contract::graceful_shutdown> {
        return std::make_unique<Adapter>(env, wanted);
      });
}

#define SHUTDOWN_MUTANT(defect, ...) \
  const detail::registrar defect##_registrar(bent(#defect, shutdown_defect::defect, __VA_ARGS__))

// ---- The standard's list
SHUTDOWN_MUTANT(cancels_at_once, "SHD-m1: work is cancelled at once, there is no drain",
                {{"SHD-4", "left to end"}},
                {"SHD-1", "SHD-3", "SHD-5", "SHD-6", "SHD-7", "SHD-10", "SHD-11", "SHD-13", "SHD-16", "X-7",
                 "X-16", "X-22", "X-29"});
SHUTDOWN_MUTANT(callbacks_in_registration_order, "SHD-m2: a pool is closed before its user",
                {{"SHD-8", "a pool is closed after its user"}}, {"SHD-9", "SHD-10", "X-16"});
SHUTDOWN_MUTANT(async_callback_is_dropped,
                "SHD-m3: an asynchronous callback is kept as a plain one, and never awaited",
                {{"SHD-9", "an asynchronous callback is begun"}}, {"SHD-8", "SHD-10", "SHD-11", "X-29"});
SHUTDOWN_MUTANT(waits_for_ever, "SHD-m4: one task that ignores being cancelled blocks the stop for ever",
                {{"SHD-6", "what is left at the drain deadline is cancelled"},
                 {"SHD-11", "run() ends when the total"}},
                {"SHD-3", "SHD-7", "SHD-8", "SHD-10", "SHD-16", "X-16", "X-22", "X-29"});
SHUTDOWN_MUTANT(work_is_not_registered,
                "SHD-m5: the registry of tasks is never filled, so the drain does nothing",
                {{"SHD-5", "the drain lasts while work is in flight"},
                 {"SHD-7", "background tasks serve the work"}},
                {"SHD-1", "SHD-4", "SHD-6", "SHD-10", "SHD-11", "SHD-16", "X-7", "X-16", "X-22", "X-29"});
SHUTDOWN_MUTANT(ready_a_turn_too_long,
                "the probe is told a turn later than everybody else that the service is not ready",
                {{"SHD-1", "the service is ready in the phase 'running' only"},
                 {"SHD-3", "the service is not ready any more when work is refused"}});
SHUTDOWN_MUTANT(request_wakes_nobody, "SHD-m6: the request sets a flag that an idle loop does not look at",
                {{"SHD-2", "an idle service wakes up"}},
                {"SHD-1", "SHD-3", "SHD-4", "SHD-5", "SHD-6", "SHD-7", "SHD-8", "SHD-9", "SHD-10", "SHD-11",
                 "SHD-12", "SHD-13", "SHD-16", "X-16", "X-17", "X-22", "X-29"});
SHUTDOWN_MUTANT(crash_is_forgotten, "SHD-m7: what a background task fails with is dropped",
                {{"SHD-13", "the failure is told when it happens"}}, {"X-17"});
SHUTDOWN_MUTANT(crash_is_told_at_the_stop, "SHD-m7: a crashed worker is noticed only when the service stops",
                {{"SHD-13", "the failure is told when it happens"}});
SHUTDOWN_MUTANT(ended_worker_breaks_the_stop,
                "SHD-m7: the stop itself throws over a worker that ended cancelled, and skips the rest",
                {{"SHD-13", "the stop is not disturbed"}});
SHUTDOWN_MUTANT(request_cancels_background, "SHD-m8: the request itself ends the background workers",
                {{"SHD-7", "background tasks"}}, {"SHD-1"});
SHUTDOWN_MUTANT(forced_failures_are_dropped, "SHD-m9: what cancelled work fails with is never read",
                {{"SHD-6", "what cancelled work fails with is reported"}}, {"SHD-16", "X-29"});
SHUTDOWN_MUTANT(registers_work_a_turn_late,
                "SHD-m10: a request between the check and the registration is lost",
                {{"SHD-4", "work is done if it was taken"}, {"SHD-16", "every item is accounted for"}},
                {"SHD-1", "SHD-6", "SHD-11"});
SHUTDOWN_MUTANT(background_polls_a_flag, "SHD-m11: a feed loop that waits is not stopped",
                {{"SHD-7", "they are asked to stop"}}, {"SHD-1", "SHD-11", "SHD-13"});
SHUTDOWN_MUTANT(refusal_looks_like_success, "SHD-m12: refused work returns as if it had been taken",
                {{"SHD-4", "is refused with an error"}}, {"SHD-1", "SHD-3", "SHD-12", "SHD-16"});
SHUTDOWN_MUTANT(cleans_what_was_not_opened, "SHD-m13: after half a start everything is cleaned",
                {{"SHD-12", "what was half started is not"}}, {"SHD-1", "SHD-2"});
SHUTDOWN_MUTANT(late_callback_escapes,
                "SHD-m14: a callback that is registered during the stop is taken and never runs",
                {{"SHD-14", "a callback that was taken runs once"}});
SHUTDOWN_MUTANT(late_task_escapes, "SHD-m14: a task that is registered during the stop runs on unnoticed",
                {{"SHD-14", "comes before 'run ended'"}});

// ---- Order and request
SHUTDOWN_MUTANT(request_begins_the_stop_again, "a second request runs through the phases once more",
                {{"SHD-1", "the phases of a stop come in order"}}, {"SHD-2", "X-7"});
SHUTDOWN_MUTANT(stops_accepting_before_not_ready, "the listener is closed before readiness turns false",
                {{"SHD-1", "the phases of a stop come in order"}},
                {"SHD-2", "SHD-3", "SHD-10", "SHD-11", "SHD-12"});
SHUTDOWN_MUTANT(stops_background_before_drain, "background tasks are stopped before the work that they serve",
                {{"SHD-1", "the phases of a stop come in order"}},
                {"SHD-2", "SHD-3", "SHD-7", "SHD-10", "SHD-11", "SHD-12"});
// ---- Grace, drain, force
SHUTDOWN_MUTANT(stops_accepting_before_grace, "the grace period accepts nothing",
                {{"SHD-3", "accepted at the beginning of the grace period"}});
SHUTDOWN_MUTANT(ready_during_grace, "readiness turns false only with the listener",
                {{"SHD-1", "the service is ready in the phase"}}, {"SHD-3"});
SHUTDOWN_MUTANT(skips_grace, "the grace period is ignored",
                {{"SHD-3", "at the beginning of the grace period"}}, {"SHD-10"});
SHUTDOWN_MUTANT(cuts_the_drain, "no drain lasts longer than five seconds", {{"SHD-4", "left to end"}},
                {"SHD-6", "SHD-11"});
SHUTDOWN_MUTANT(drains_for_the_whole_budget, "the drain is a sleep",
                {{"SHD-5", "the drain ends with the last work"}},
                {"SHD-1", "SHD-2", "SHD-3", "SHD-4", "SHD-7", "SHD-8", "SHD-9", "SHD-11", "SHD-12", "SHD-13",
                 "X-17", "X-29"});
SHUTDOWN_MUTANT(survivors_are_not_named, "who ignores being cancelled is forgotten",
                {{"SHD-6", "is named in the report"}}, {"SHD-7", "SHD-11"});
SHUTDOWN_MUTANT(abandons_without_waiting, "cancelled work is not awaited",
                {{"SHD-6", "up to the force budget"}}, {"SHD-7", "SHD-10", "SHD-11"});
SHUTDOWN_MUTANT(closes_beside_background, "background tasks are cancelled and not awaited",
                {{"SHD-7", "nothing is closed while a background task is alive"}},
                {"SHD-1", "SHD-11", "X-29"});
// ---- Cleanup
SHUTDOWN_MUTANT(failing_callback_ends_the_cleanup, "a failing callback ends the cleanup",
                {{"SHD-8", "a callback that takes too long is asked to stop"}}, {"X-16"});
SHUTDOWN_MUTANT(callback_has_no_bound, "callbacks may take for ever", {{"SHD-8", "is asked to stop"}},
                {"SHD-11", "X-29"});
SHUTDOWN_MUTANT(callback_failures_are_dropped, "what callbacks fail with is dropped",
                {{"SHD-8", "all failures are reported"}}, {"X-16", "X-17"});
SHUTDOWN_MUTANT(awaits_nothing, "asynchronous callbacks are begun and not awaited",
                {{"SHD-9", "an asynchronous callback is awaited"}},
                {"SHD-1", "SHD-7", "SHD-8", "SHD-10", "SHD-11", "X-16", "X-29"});
// ---- Escalation
SHUTDOWN_MUTANT(ignores_escalation, "once a stop is requested, nothing stronger gets through",
                {{"SHD-10", ""}, {"X-7", "the stronger request gets through"}});
SHUTDOWN_MUTANT(escalation_ends_grace, "an escalation cuts the grace period",
                {{"SHD-10", "the grace period goes on"}});
SHUTDOWN_MUTANT(escalation_cleans_again, "an escalation begins the cleanup anew",
                {{"SHD-10", "the cleanup is not begun again"}});
SHUTDOWN_MUTANT(escalation_cuts_the_cleanup, "an escalation cancels the callback that runs",
                {{"SHD-10", "the cleanup keeps its minimum"}});
SHUTDOWN_MUTANT(escalation_skips_force_wait, "after an escalation cancelled work is not awaited",
                {{"SHD-10", "cancelled work is still awaited"}});
SHUTDOWN_MUTANT(signals_only_request, "a second signal is one more request",
                {{"SHD-10", "the second signal escalates"}});
// ---- Budgets
SHUTDOWN_MUTANT(budgets_are_not_added_up, "the budgets may exceed the total",
                {{"SHD-11", "budgets that exceed the total are refused"}});
SHUTDOWN_MUTANT(pre_stop_is_not_counted, "what was spent before the request is forgotten",
                {{"SHD-11", "budgets that exceed the total are refused"}});
SHUTDOWN_MUTANT(no_watchdog, "nothing bounds the phases together",
                {{"SHD-11", "run() ends when the total is spent"}});
SHUTDOWN_MUTANT(watchdog_overflows,
                "a total without limit is added to the time, and the watchdog lies in the past",
                {{"SHD-11", "no callback is skipped or cut short"}});
SHUTDOWN_MUTANT(drain_overflows, "a budget without limit is added to the time, and is spent at once",
                {{"SHD-11", "the drain has its whole budget"}});
// ---- Start, supervision
SHUTDOWN_MUTANT(start_goes_on, "a request during the start is noticed afterwards", {{"SHD-12", ""}},
                {"SHD-1"});
SHUTDOWN_MUTANT(forgets_a_start_that_committed, "a start that succeeds while it is given up is forgotten",
                {{"SHD-12", "'open a ends' comes before 'close a begins'"}});
SHUTDOWN_MUTANT(failed_start_is_cleaned, "a resource whose start failed is stopped",
                {{"SHD-12", "what was not started is left alone"}});
SHUTDOWN_MUTANT(never_restarts, "a worker that is to be restarted is not",
                {{"SHD-13", "the worker is started again"}});
SHUTDOWN_MUTANT(restarts_at_once, "a restart has no delay", {{"SHD-13", "the restart waits for its delay"}});
SHUTDOWN_MUTANT(restarts_after_the_stop, "a restart that was due is not given up when the service stops",
                {{"SHD-13", ""}});
SHUTDOWN_MUTANT(goes_on_after_failure, "a failure that is to stop the service does not",
                {{"SHD-13", "the service begins to stop"}}, {"X-17"});
// ---- Accounting, and what holds everywhere
SHUTDOWN_MUTANT(cancelled_work_is_not_reported, "the report names survivors only",
                {{"SHD-16", "every item is accounted for"}},
                {"SHD-6", "SHD-7", "SHD-10", "SHD-11", "X-7", "X-16", "X-22", "X-29"});
SHUTDOWN_MUTANT(cancellation_is_told_as_failure, "work that obeys being cancelled is reported as failed",
                {{"X-16", "and no cancellation"}});
SHUTDOWN_MUTANT(wall_clock_drain, "the drain deadline is a wall-clock time",
                {{"X-22", "a wall clock that is put forward shortens no budget"}}, {"SHD-11"});
SHUTDOWN_MUTANT(forced_actions_are_silent, "nobody hears of what was forced",
                {{"X-29", "one event for each"}});
SHUTDOWN_MUTANT(cut_callbacks_are_silent, "a callback that is cut short counts as done",
                {{"X-29", "a callback that was cut short is told"}});
SHUTDOWN_MUTANT(failing_when_cancelled_is_silent,
                "work that fails when it is cancelled counts as ended by itself",
                {{"X-29", "one event for each"}});

#undef SHUTDOWN_MUTANT

// ---- The reference behind a bent adapter

class unbounded_callbacks : public adapters::reference_shutdown {
 public:
  unbounded_callbacks(environment& env, const config& wanted)
      : reference_shutdown(env, without_bound(wanted)) {}

 private:
  static config without_bound(config wanted) {
    wanted.callback = wanted.total;
    return wanted;
  }
};
const detail::registrar unbounded_registrar(adapted<unbounded_callbacks>(
    "callbacks_share_one_deadline", "callbacks have no deadline but that of the whole stop",
    {{"SHD-8", "is asked to stop"}, {"X-11", "its own deadline does"}}, {"X-29"}));

class report_lost_on_cancel : public adapters::reference_shutdown {
 public:
  using reference_shutdown::reference_shutdown;

 protected:
  awaitable<contract::shutdown_report> do_run() override {
    contract::shutdown_report report = co_await reference_shutdown::do_run();
    // Where a cancelled operation ends as any other does: at its next suspension.
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    if (requests.cancelled() != boost::asio::cancellation_type::none) contract::throw_cancelled();
    co_return report;
  }
};
const detail::registrar report_lost_registrar(adapted<report_lost_on_cancel>(
    "report_is_lost_on_cancel",
    "a cancelled run() ends as cancelled after the whole stop, and its report is gone",
    {{"SHD-1", "has not begun"}}, {"SHD-6", "SHD-7", "SHD-8", "SHD-10", "SHD-16", "X-7"}));

class cancel_is_an_escalation : public adapters::reference_shutdown {
 public:
  using reference_shutdown::reference_shutdown;
  void request_stop() override {
    reference_shutdown::request_stop();
    escalate();
  }
};
const detail::registrar request_escalates_registrar(adapted<cancel_is_an_escalation>(
    "request_escalates", "every request to stop is a forced one",
    {{"SHD-4", "left to end"}, {"X-7", "repeated requests are harmless"}},
    {"SHD-1", "SHD-3", "SHD-5", "SHD-6", "SHD-7", "SHD-10", "SHD-11", "SHD-16", "X-16", "X-22", "X-29"}));

class silent_connections : public adapters::reference_shutdown {
 public:
  using reference_shutdown::reference_shutdown;
  int open_connection(std::function<void(contract::connection_close)>) override { return ++last_; }
  void set_busy(int, bool) override {}
  void connection_closed(int) override {}

 private:
  int last_ = 0;
};
const detail::registrar silent_connections_registrar(adapted<silent_connections>(
    "connections_are_not_told", "keep-alive connections hear of the stop when the process ends",
    {{"SHD-17", "an idle connection is closed"}}));

class always_idle : public adapters::reference_shutdown {
 public:
  using reference_shutdown::reference_shutdown;
  void set_busy(int, bool) override {}
};
const detail::registrar always_idle_registrar(
    adapted<always_idle>("busy_connections_are_cut", "connections are closed in the middle of a request",
                         {{"SHD-17", "told to close after the response"}}));

class last_failure_first : public adapters::reference_shutdown {
 public:
  using reference_shutdown::reference_shutdown;

 protected:
  awaitable<contract::shutdown_report> do_run() override {
    contract::shutdown_report report = co_await reference_shutdown::do_run();
    for (auto& each : report.failures) each.secondary = true;
    if (!report.failures.empty()) report.failures.back().secondary = report.failures.size() == 1;
    co_return report;
  }
};
const detail::registrar last_failure_registrar(adapted<last_failure_first>(
    "cleanup_failure_is_the_primary", "the last failure, that of the cleanup, counts as the cause",
    {{"X-17", "primary"}}));

}  // namespace
}  // namespace assay
