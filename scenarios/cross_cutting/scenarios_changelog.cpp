// The changelog of the standard: every change of a clause's text that changes what it asks, or of whom. Revision 1 is
// the text as it was first written down; rewording alone is no revision.
#include <assay/harness/catalogue/catalogue.hpp>

// ---- cross-cutting

ASSAY_REVISION("X-6", 2,
               "Asked only of those who claim `strict_entry`: asyncio and Kotlin check a request only "
               "where they suspend, by documented choice.");
ASSAY_REVISION("X-12", 2,
               "Asked only of those who claim `posted_wakeups`: Asio's own channels complete a parked "
               "operation through its executor, which may dispatch.");
ASSAY_REVISION("X-20", 2,
               "Asked only of those who claim `checked_destruction`: most libraries leave the destruction "
               "of something that is in use undefined, and say so.");

// ---- flow

ASSAY_REVISION("BQ-5", 2, "The two ways to take capacity 0 are the features `reject_zero` and `rendezvous`.");
ASSAY_REVISION("BQ-10", 2,
               "Kotlin's rule, that parked pushes still complete after a close, is the feature "
               "`close_completes_parked`.");
ASSAY_REVISION("BQ-13", 2,
               "The order of the wake-ups is not asked where all outcomes are equal: it cannot be seen "
               "(X-14).");
ASSAY_REVISION("BQ-16", 2, "What a queue drops by its policy is asked only of those who claim `removal`.");
ASSAY_REVISION("RWK-1", 2,
               "Says where an item may be when the worker is at rest; where it is in between cannot be "
               "seen from outside. Reported as lost is one of the places.");
ASSAY_REVISION("RWK-2", 2,
               "The item is the next one to be taken, which is what a head is to a worker; a recovery "
               "list that hands it out first conforms.");
ASSAY_REVISION("RWK-2", 3,
               "Says that several workers, which are cancelled one after the other, may put their items "
               "back in any order: a head is one to each of them.");
ASSAY_REVISION("RWK-3", 2,
               "The core asks only that the worker goes on and the item is given up with its cause; the "
               "sink needs `dead_letter`, the number of attempts `attempts`.");
ASSAY_REVISION("RWK-3", 3,
               "Says when a failing item is given up: at the latest when its attempts are used up. A worker "
               "may try it again before, and pause in between.");
ASSAY_REVISION("RWK-4", 2, "Says when the worker ends: at the latest when the sink's patience is over.");
ASSAY_REVISION("RWK-5", 2, "The patience is not cut short either; the worker goes on afterwards.");
ASSAY_REVISION("RWK-7", 2, "Says when an item may come again, and how attempts are numbered (`attempts`).");
ASSAY_REVISION("RWK-8", 2, "A lost item is finally settled too.");
ASSAY_REVISION("WPL-1", 2,
               "Says that a pool which does not claim `bounded` may accept a job only when a worker takes "
               "it.");
ASSAY_REVISION("WPL-5", 2,
               "Says which counts are reported: jobs that were cancelled, and jobs that had not begun.");
ASSAY_REVISION("WPL-7", 2,
               "Bounded means exactly the configured room: a pool with less accepts too late. Which of "
               "several submits that wait goes on is no longer asked here; that is X-13 (`fair`).");
ASSAY_REVISION("WPL-8", 2,
               "A drained pool that is started again (`restartable`) accepts and executes again.");
ASSAY_REVISION("WPL-9", 2,
               "Abandoning queued jobs is as wrong as abandoning workers, and the pool can still be "
               "drained to its end.");

// ---- failure

ASSAY_REVISION("TG-1", 2,
               "Waiting for what a child does once it was asked to stop needs `cleanup`: where cancelling "
               "drops a child, "
               "as with Rust's futures, it can do nothing any more.");
ASSAY_REVISION("TG-3", 2,
               "The core asks that all failures are told and labelled; one aggregate in completion order "
               "needs `ordered_failures`.");
ASSAY_REVISION("TG-3", 3, "Failures that children raise while they are being cancelled need `cleanup`.");
ASSAY_REVISION("TG-5", 2,
               "With an outside cancellation and a failure the outcome is the failure; whether as an "
               "aggregate is TG-4's question.");
ASSAY_REVISION("TG-5", 3, "A failure while stopping needs `cleanup`.");
ASSAY_REVISION("TG-5", 4,
               "Ending as cancelled although every child ended well needs `cancelled_outcome`: Trio's "
               "nursery does so only if a child was cancelled, by documented choice. Says that the request "
               "reaches every child.");
ASSAY_REVISION("TG-6", 2,
               "Asked only of those who claim `own_cancellation`: Asio's operators take a child's "
               "cancellation for its failure, by design.");
ASSAY_REVISION("TG-7", 2,
               "A close that is asked for by the owner needs the feature `close`; refusal after the end "
               "and while aborting needs only `late_refusal`.");
ASSAY_REVISION("TG-9", 2,
               "Asked only of those who claim `cleanup`: children that are dropped are not waited for.");

// ---- lifecycle

ASSAY_REVISION(
    "SHD-1", 2,
    "Says when the service is ready: in no phase of a stop, nor before it runs, at every turn boundary.");
ASSAY_REVISION("SHD-2", 2, "The way from a signal is SHD-15's, on a real process; escalation is SHD-10's.");
ASSAY_REVISION("SHD-4", 2, "Work that is offered before the service runs is refused as well.");
ASSAY_REVISION(
    "SHD-7", 2,
    "Says what a subject without `force` may do at the drain deadline: wait for the work that is left, or "
    "leave it alone and name it.");
ASSAY_REVISION("SHD-9", 2,
               "No longer says how the two kinds are told apart: only that the asynchronous ones are "
               "awaited can be seen.");
ASSAY_REVISION(
    "SHD-10", 2,
    "Says what else escalates: a second stop signal, and with `cancel_escalates` a cancel of a run() that "
    "is stopping. Without that feature a second cancel need not.");
ASSAY_REVISION("SHD-11", 2,
               "Budgets that do not fit into the total may be refused; time spent before the request "
               "counts.");
ASSAY_REVISION(
    "SHD-12", 2,
    "A stop that was requested before the start, and a start that fails, give the start up as well; the "
    "step that is under way is asked to stop at once, and waited for.");
ASSAY_REVISION("LIF-1", 2,
               "One after the other, in both directions: overlapping starts were not excluded before.");
ASSAY_REVISION("LIF-1", 3, "Says when the run ends: not before the last stop has.");
ASSAY_REVISION("LIF-2", 2,
               "Stop failures in the same outcome need `attached_failures`; the core asks that they are "
               "reported.");
ASSAY_REVISION("LIF-3", 2,
               "Says how the run ends; that a request meanwhile interrupts no stop needs "
               "`shielded_stop`.");
ASSAY_REVISION("LIF-4", 2, "The failure is reported; all of them in the outcome needs `attached_failures`.");
ASSAY_REVISION("LIF-4", 3, "A stop that ends as cancelled skips no other either.");
ASSAY_REVISION("LIF-5", 2, "Ended means cleanup included; users' failures are reported.");
ASSAY_REVISION("LIF-6", 2, "A resource that started nevertheless is stopped as well.");
ASSAY_REVISION("LIF-7", 2,
               "Says what bounded means: a stop limit, then a force limit, and neither cut short.");
ASSAY_REVISION("LIF-7", 3, "Says how long a user has once it was asked to stop.");
ASSAY_REVISION("LIF-8", 2, "A SHOULD, and asked only of those who claim `single_use`.");
ASSAY_REVISION("LIF-9", 2,
               "Says when a registration that was not released is removed: before the resources that "
               "were started before it.");
ASSAY_REVISION(
    "LIF-9", 3,
    "In any order among themselves; and with `shielded_stop` a request does not interrupt a removal that a "
    "release has begun either.");
ASSAY_REVISION("LIF-9", 4, "Says what a removal means that fails when everything is stopped.");

// ---- the patterns assembled

ASSAY_REVISION("INT-1", 2, "Says in which order what was not processed comes back.");
ASSAY_REVISION("INT-2", 2,
               "A drain ends when it is over or its budget is, so a force-cancel comes before the end of "
               "the drain that it forces.");
ASSAY_REVISION("INT-2", 3,
               "The end of a drain whose budget is over and the force-cancel may be told in either order; an "
               "event that does not occur is not asked for.");
ASSAY_REVISION(
    "INT-4", 2,
    "Says how many items are processed at once: no more than there are workers, and no fewer for those "
    "who claim `all_workers`.");
ASSAY_REVISION("INT-4", 3,
               "Somebody works while items wait, with `all_workers` or without it, and whatever failed.");
ASSAY_REVISION("INT-7", 2,
               "Says that a stop releases the submitters also of a service whose run was cancelled before it "
               "began.");
ASSAY_REVISION(
    "INT-9", 2,
    "Readiness is false at every turn boundary from when the service has said so, not only once settled.");
