// The cross-cutting clauses: what every pattern promises. Patterns attach their own scenarios, each in its folder, with
// ASSAY_SCENARIO(pattern, "X-n", ...).
#include <assay/harness/catalogue/catalogue.hpp>

ASSAY_CROSS_CUTTING("X-1", must, "Every suspending call completes exactly once, with exactly one outcome.",
                    "");

ASSAY_CROSS_CUTTING(
    "X-2", must,
    "A `cancelled` outcome of any primitive in this suite means \"it did not happen\": observable state "
    "equals the state had the call never been made (\"total\" cancellation in Asio's terms; Trio: raising "
    "Cancelled means the operation did not happen; Go semaphore: on failure the semaphore is unchanged).",
    "");

ASSAY_CROSS_CUTTING(
    "X-3", must,
    "When cancellation meets an already committed effect, the call either reports the effect as a value "
    "or undoes it before reporting cancelled. Never both, never neither. (Both policies conform: "
    "Trio/Asio-style \"delivery wins\", or Kotlin-style prompt cancellation *with* hand-back. Reporting "
    "cancelled and dropping the effect does not.)",
    "");

ASSAY_CROSS_CUTTING(
    "X-4", must,
    "A cancelled waiter that already held an assigned grant (permit, lock, slot, notification) passes the "
    "grant to the next eligible waiter within the same instant. No lost wake-ups.",
    "");

ASSAY_CROSS_CUTTING(
    "X-5", must,
    "Cancellation is level-triggered per scope: once requested, every later suspension inside the scope "
    "reports cancelled at once, until the scope ends or a shield is entered.",
    "");

ASSAY_CROSS_CUTTING(
    "X-6", must,
    "A call entered in an already cancelled, unshielded scope reports cancelled without any side effect, "
    "even if it could have finished at once (with `strict_entry`).",
    "");

ASSAY_CROSS_CUTTING(
    "X-7", must,
    "Repeated cancel requests are harmless; a stronger later request (forced) MUST still get through "
    "after a weaker one (cooperative).",
    "");

ASSAY_CROSS_CUTTING(
    "X-8", must,
    "Generic error handling (catch-all, retry, fallback, boundary, logging) never turns cancellation into "
    "a value, a retry, a fallback or an ordinary error.",
    "");

ASSAY_CROSS_CUTTING(
    "X-9", must,
    "A shield defers a request, it does not erase it: the first suspension after the shield reports "
    "cancelled.",
    "");

ASSAY_CROSS_CUTTING(
    "X-10", must,
    "Leaving a shield (or any helper that changes cancellation state) restores the caller's previous "
    "state.",
    "");

ASSAY_CROSS_CUTTING("X-11", should, "Every shielded section has its own deadline.", "");

ASSAY_CROSS_CUTTING(
    "X-12", must,
    "No continuation of a waiter runs inside the call that woke it (set, release, push, close, cancel, "
    "reset). The waker returns first; wake-ups are posted, never dispatched inline (with "
    "`posted_wakeups`).",
    "");

ASSAY_CROSS_CUTTING(
    "X-13", must,
    "Waiters of one kind are served in arrival order; a newcomer, including a `try_` variant, never "
    "overtakes a parked waiter it competes with.",
    "Checked by BQ-3 where a queue claims `fair`.");

ASSAY_CROSS_CUTTING(
    "X-14", must,
    "Wake order equals park order, also for broadcast wake-ups. (Order here, as in X-13, is the order in "
    "which outcomes are committed, between waiters that parked at settled points. The simulator permutes "
    "the continuations, so a check looks at who got what, never at who ran first; where all outcomes are "
    "equal, as in a broadcast, the order is not observable and not checked.)",
    "Where all outcomes are equal the order of wake-ups is not observable; where they differ BQ-2 and "
    "BQ-3 check it.");

ASSAY_CROSS_CUTTING(
    "X-15", must,
    "Every exception raised by any task is observed exactly once: by its joiner, by an aggregate, or by "
    "the one unhandled-error hook. None is dropped, none is reported twice.",
    "");

ASSAY_CROSS_CUTTING(
    "X-16", must,
    "An aggregate keeps *all* real failures with their identity (task name/index), in a deterministic "
    "order, and never contains cancellations the aggregate itself caused.",
    "");

ASSAY_CROSS_CUTTING(
    "X-17", must,
    "A failure during cleanup never replaces the primary failure; it is attached as secondary. If there "
    "is no primary it becomes the primary.",
    "");

ASSAY_CROSS_CUTTING(
    "X-18", must,
    "Real failure beats cancellation when both are present; cancellation is reported only when it came "
    "from outside and no task failed.",
    "");

ASSAY_CROSS_CUTTING(
    "X-19", must,
    "No task outlives the scope that started it; the scope's wait does not complete before each child's "
    "frame, parameters *and captured state* are destroyed.",
    "");

ASSAY_CROSS_CUTTING(
    "X-20", must,
    "Destroying a scope with unjoined children, or a primitive with parked waiters, is a detected "
    "contract violation (terminate/assert in checked builds), not silent corruption (with "
    "`checked_destruction`).",
    "");

ASSAY_CROSS_CUTTING(
    "X-21", must,
    "Destroying the whole scheduler with tasks parked frees every frame (no self-owned frames, no leak).",
    "Checked in process by reference_test and harness_test: a trial that ends by itself has nothing left "
    "to destroy.");

ASSAY_CROSS_CUTTING("X-22", must, "All time comes from a monotonic clock; wall-clock steps change nothing.",
                    "");

ASSAY_CROSS_CUTTING("X-23", must,
                    "A timer never fires before its deadline; it is due when `now >= deadline`.", "");

ASSAY_CROSS_CUTTING(
    "X-24", must,
    "No pattern depends on the order in which timers with equal deadlines fire: real event loops differ "
    "(Asio 1.81 fires them in heap order). The simulator makes that order a choice; its FIFO policy uses "
    "creation order.",
    "The order of tied timers is a choice of every trial (harness_test: VCS); a subject that depends on "
    "it fails the clause whose promise it breaks.");

ASSAY_CROSS_CUTTING("X-25", must,
                    "Zero or negative delay completes at the current instant but is still one suspension.",
                    "");

ASSAY_CROSS_CUTTING(
    "X-26", must,
    "All randomness (jitter, tie-breaks, scheduling choice) comes from an injected seeded source.",
    "No subject of these patterns draws random numbers; environment::random is the injected source for "
    "those that do.");

ASSAY_CROSS_CUTTING(
    "X-27", should,
    "Every buffer, history, per-key map and waiter list has a declared bound or a declared eviction rule.",
    "");

ASSAY_CROSS_CUTTING("X-28", must,
                    "Statistics calls do not suspend, do not change state, and show one consistent snapshot.",
                    "");

ASSAY_CROSS_CUTTING(
    "X-29", should,
    "Every forced action (force-cancel, drop, dead-letter, abandoned task) increments a counter and emits "
    "one structured event.",
    "");

ASSAY_CROSS_CUTTING(
    "X-31", must,
    "No pattern relies on a timer's handler running at the deadline: a late loop makes everything that is "
    "due in the meantime due together, equals in any order, and a wait that is due may be impossible to "
    "cancel.",
    "");

ASSAY_CROSS_CUTTING(
    "X-32", must,
    "A request before entry counts; entering twice, or leaving from another task, is refused; a request that "
    "was not delivered when its scope ended reaches no later code (with `scope_handle`).",
    "");

ASSAY_CROSS_CUTTING(
    "X-33", must,
    "To lift a shield while somebody is parked under it delivers a request that was waiting outside.", "");

ASSAY_CROSS_CUTTING(
    "X-36", must,
    "A request that met a delivered value, a deadline or a failure is reported by the same task's next "
    "suspension: it is not lost with the call that it met (with `sticky_request`, which every subject claims "
    "that does not decline it). Checked after every call of every scenario; where the caller is in a testee, "
    "by "
    "the step that it takes after its call.",
    "");
