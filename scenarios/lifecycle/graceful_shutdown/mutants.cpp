// Coordinators that are wrong in one way each: the second coordinator with one defect switched on.
//
// Of the standard's list, all are here: SHD-m8, a stop by way of an exception that ends the group, shows in
// C++ as background workers that are cancelled by the request itself.
#include <string>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/alternative.hpp>

namespace assay {
namespace {

using adapters::alternative_shutdown;
using adapters::shutdown_manner;

const std::vector<std::string> claimed({"grace", "force", "callbacks", "budgets", "supervision", "restart",
                                        "signals", "shut_down_on_failure", "late_registration"});

namespace serving {
using enum adapters::serving_defect;
using wrong = mutation<adapters::serving_defect>;

const mutants<alternative_shutdown, adapters::serving_defect> all(
    claimed,
    {wrong(request_wakes_nobody, "SHD-m6: the request sets a flag that an idle loop does not look at",
           {{"SHD-2", "an idle service wakes up"}},
           {"SHD-1", "SHD-3", "SHD-4", "SHD-5", "SHD-6", "SHD-7", "SHD-8", "SHD-9", "SHD-10", "SHD-11",
            "SHD-12", "SHD-13", "SHD-16", "X-16", "X-17", "X-22", "X-29"}),
     wrong(request_cancels_background, "SHD-m8: the request itself ends the background workers",
           {{"SHD-7", "background tasks"}}, {"SHD-1"}),
     wrong(request_begins_the_stop_again, "a second request runs through the phases once more",
           {{"SHD-1", "the phases of a stop come in order"}}),
     wrong(request_escalates, "every request to stop is a forced one",
           {{"SHD-4", "left to end"}, {"X-7", "repeated requests are harmless"}},
           {"SHD-1", "SHD-3", "SHD-5", "SHD-6", "SHD-7", "SHD-10", "SHD-11", "SHD-13", "SHD-16", "X-16",
            "X-22", "X-29"}),
     wrong(signals_only_request, "a second signal is one more request",
           {{"SHD-10", "the second signal escalates"}}),
     wrong(ready_a_turn_too_long,
           "the probe is told a turn later than everybody else that the service is not ready",
           {{"SHD-1", "the service is ready in the phase 'running' only"},
            {"SHD-3", "the service is not ready any more when work is refused"}}),
     wrong(ready_during_grace, "readiness turns false only with the listener",
           {{"SHD-1", "the service is ready in the phase"}}),
     wrong(work_is_not_registered, "SHD-m5: the registry of tasks is never filled, so the drain does nothing",
           {{"SHD-5", "the drain lasts while work is in flight"},
            {"SHD-7", "background tasks serve the work"}},
           {"SHD-1", "SHD-4", "SHD-6", "SHD-10", "SHD-11", "SHD-16", "X-7", "X-16", "X-22", "X-29"}),
     wrong(registers_work_a_turn_late, "SHD-m10: a request between the check and the registration is lost",
           {{"SHD-4", "work is done if it was taken"}, {"SHD-16", "every item is accounted for"}},
           {"SHD-1", "SHD-6", "SHD-11"}),
     wrong(refusal_looks_like_success, "SHD-m12: refused work returns as if it had been taken",
           {{"SHD-4", "is refused with an error"}}, {"SHD-1", "SHD-3", "SHD-12", "SHD-16"}),
     wrong(late_callback_escapes,
           "SHD-m14: a callback that is registered during the stop is taken and never runs",
           {{"SHD-14", "a callback that was taken runs once"}}),
     wrong(late_task_escapes, "SHD-m14: a task that is registered during the stop runs on unnoticed",
           {{"SHD-14", "comes before 'run ended'"}}),
     wrong(crash_is_forgotten, "SHD-m7: what a background task fails with is dropped",
           {{"SHD-13", "the failure is told when it happens"}}, {"X-17"}),
     wrong(crash_is_told_at_the_stop, "SHD-m7: a crashed worker is noticed only when the service stops",
           {{"SHD-13", "the failure is told when it happens"}}),
     wrong(ended_worker_breaks_the_stop,
           "SHD-m7: the stop itself throws over a worker that ended cancelled, and skips the rest",
           {{"SHD-13", "the stop is not disturbed"}}),
     wrong(never_restarts, "a worker that is to be restarted is not",
           {{"SHD-13", "the worker is started again"}}),
     wrong(restarts_at_once, "a restart has no delay", {{"SHD-13", "the restart waits for its delay"}}),
     wrong(restarts_after_the_stop, "a restart that was due is not given up when the service stops",
           {{"SHD-13", ""}}),
     wrong(goes_on_after_failure, "a failure that is to stop the service does not",
           {{"SHD-13", "the service begins to stop"}}, {"X-17"}),
     wrong(start_goes_on, "a request during the start is noticed afterwards", {{"SHD-12", ""}}, {"SHD-1"}),
     wrong(forgets_a_start_that_committed, "a start that succeeds while it is given up is forgotten",
           {{"SHD-12", "'open a ends' comes before 'close a begins'"}}, {"SHD-2"}),
     wrong(failed_start_is_cleaned, "a resource whose start failed is stopped",
           {{"SHD-12", "what was not started is left alone"}}),
     wrong(cleans_what_was_not_opened, "SHD-m13: after half a start everything is cleaned",
           {{"SHD-12", "what was half started is not"}}, {"SHD-1", "SHD-2"}),
     wrong(budgets_are_not_added_up, "the budgets may exceed the total",
           {{"SHD-11", "budgets that exceed the total are refused"}}),
     wrong(pre_stop_is_not_counted, "what was spent before the request is forgotten",
           {{"SHD-11", "budgets that exceed the total are refused"}}),
     wrong(report_is_lost_on_cancel,
           "a cancelled run() ends as cancelled after the whole stop, and its report is gone",
           {{"SHD-1", "has not begun"}}, {"SHD-6", "SHD-7", "SHD-8", "SHD-10", "SHD-16", "X-7"},
           {"stop_on_cancel", "cancel_escalates"}),
     wrong(cancelled_work_is_not_reported, "the report names survivors only",
           {{"SHD-16", "every item is accounted for"}},
           {"SHD-6", "SHD-7", "SHD-10", "SHD-11", "X-7", "X-16", "X-22", "X-29"}),
     wrong(cancellation_is_told_as_failure, "work that obeys being cancelled is reported as failed",
           {{"X-16", "and no cancellation"}}),
     wrong(forced_failures_are_dropped, "SHD-m9: what cancelled work fails with is never read",
           {{"SHD-6", "what cancelled work fails with is reported"}}, {"SHD-16", "X-29"}),
     wrong(failing_when_cancelled_is_silent, "work that fails when it is cancelled counts as ended by itself",
           {{"X-29", "one event for each"}}),
     wrong(forced_actions_are_silent, "nobody hears of what was forced", {{"X-29", "one event for each"}}),
     wrong(cleanup_failure_is_the_primary, "the last failure, that of the cleanup, counts as the cause",
           {{"X-17", "primary"}})},
    shutdown_manner());

}  // namespace serving

namespace stopping {
using enum adapters::stopping_defect;
using wrong = mutation<adapters::stopping_defect>;

const mutants<alternative_shutdown, adapters::stopping_defect> all(
    claimed,
    {wrong(stops_accepting_before_not_ready, "the listener is closed before readiness turns false",
           {{"SHD-1", "the phases of a stop come in order"}}),
     wrong(stops_accepting_before_grace, "the grace period accepts nothing",
           {{"SHD-3", "accepted at the beginning of the grace period"}}),
     wrong(skips_grace, "the grace period is ignored", {{"SHD-3", "at the beginning of the grace period"}},
           {"SHD-10"}),
     wrong(cancels_at_once, "SHD-m1: work is cancelled at once, there is no drain",
           {{"SHD-4", "left to end"}},
           {"SHD-1", "SHD-3", "SHD-5", "SHD-6", "SHD-7", "SHD-10", "SHD-11", "SHD-13", "SHD-16", "X-7",
            "X-16", "X-22", "X-29"}),
     wrong(waits_for_ever, "SHD-m4: one task that ignores being cancelled blocks the stop for ever",
           {{"SHD-6", "what is left at the drain deadline is cancelled"},
            {"SHD-11", "run() ends when the total"}},
           {"SHD-3", "SHD-7", "SHD-8", "SHD-10", "SHD-16", "X-16", "X-22", "X-29"}),
     wrong(drains_for_the_whole_budget, "the drain is a sleep",
           {{"SHD-5", "the drain ends with the last work"}},
           {"SHD-1", "SHD-2", "SHD-3", "SHD-4", "SHD-7", "SHD-8", "SHD-9", "SHD-11", "SHD-12", "SHD-13",
            "X-17", "X-29"}),
     wrong(cuts_the_drain, "no drain lasts longer than five seconds", {{"SHD-4", "left to end"}},
           {"SHD-6", "SHD-11"}),
     wrong(drain_overflows, "a budget without limit is added to the time, and is spent at once",
           {{"SHD-11", "the drain has its whole budget"}}),
     wrong(wall_clock_drain, "the drain deadline is a wall-clock time",
           {{"X-22", "a wall clock that is put forward shortens no budget"}}, {"SHD-11"}),
     wrong(connections_are_not_told, "keep-alive connections hear of the stop when the process ends",
           {{"SHD-17", "an idle connection is closed"}}, {}, {"connections"}),
     wrong(busy_connections_are_cut, "connections are closed in the middle of a request",
           {{"SHD-17", "told to close after the response"}}, {}, {"connections"}),
     wrong(survivors_are_not_named, "who ignores being cancelled is forgotten",
           {{"SHD-6", "is named in the report"}}, {"SHD-7", "SHD-11"}),
     wrong(abandons_without_waiting, "cancelled work is not awaited", {{"SHD-6", "up to the force budget"}},
           {"SHD-7", "SHD-10", "SHD-11"}),
     wrong(stops_background_before_drain, "background tasks are stopped before the work that they serve",
           {{"SHD-1", "the phases of a stop come in order"}}),
     wrong(background_polls_a_flag, "SHD-m11: a feed loop that waits is not stopped",
           {{"SHD-7", "they are asked to stop"}}, {"SHD-1", "SHD-2", "SHD-11", "SHD-13"}),
     wrong(closes_beside_background, "background tasks are cancelled and not awaited",
           {{"SHD-7", "nothing is closed while a background task is alive"}}, {"SHD-1", "SHD-11", "X-29"}),
     wrong(callbacks_in_registration_order, "SHD-m2: a pool is closed before its user",
           {{"SHD-8", "a pool is closed after its user"}}, {"SHD-9", "SHD-10", "X-16"}),
     wrong(async_callback_is_dropped,
           "SHD-m3: an asynchronous callback is kept as a plain one, and never awaited",
           {{"SHD-9", "an asynchronous callback is begun"}}, {"SHD-8", "SHD-10", "SHD-11", "X-29"}),
     wrong(failing_callback_ends_the_cleanup, "a failing callback ends the cleanup",
           {{"SHD-8", "a callback that takes too long is asked to stop"}}, {"X-16"}),
     wrong(callback_has_no_bound, "callbacks may take for ever", {{"SHD-8", "is asked to stop"}},
           {"SHD-11", "X-29"}),
     wrong(callbacks_share_one_deadline, "callbacks have no deadline but that of the whole stop",
           {{"SHD-8", "is asked to stop"}, {"X-11", "its own deadline does"}}, {"X-29"}, {"stop_on_cancel"}),
     wrong(callback_failures_are_dropped, "what callbacks fail with is dropped",
           {{"SHD-8", "all failures are reported"}}, {"X-16", "X-17"}),
     wrong(cut_callbacks_are_silent, "a callback that is cut short counts as done",
           {{"X-29", "a callback that was cut short is told"}}),
     wrong(awaits_nothing, "asynchronous callbacks are begun and not awaited",
           {{"SHD-9", "an asynchronous callback is awaited"}},
           {"SHD-1", "SHD-7", "SHD-8", "SHD-10", "SHD-11", "X-16", "X-29"}),
     wrong(ignores_escalation, "once a stop is requested, nothing stronger gets through",
           {{"SHD-10", ""}, {"X-7", "the stronger request gets through"}}),
     wrong(escalation_ends_grace, "an escalation cuts the grace period",
           {{"SHD-10", "the grace period goes on"}}),
     wrong(escalation_cleans_again, "an escalation begins the cleanup anew",
           {{"SHD-10", "the cleanup is not begun again"}}),
     wrong(escalation_cuts_the_cleanup, "an escalation cancels the callback that runs",
           {{"SHD-10", "the cleanup keeps its minimum"}}),
     wrong(escalation_skips_force_wait, "after an escalation cancelled work is not awaited",
           {{"SHD-10", "cancelled work is still awaited"}}),
     wrong(no_watchdog, "nothing bounds the phases together",
           {{"SHD-11", "run() ends when the total is spent"}}),
     wrong(watchdog_overflows,
           "a total without limit is added to the time, and the watchdog lies in the past",
           {{"SHD-11", "no callback is skipped or cut short"}})},
    shutdown_manner());

}  // namespace stopping

}  // namespace
}  // namespace assay
