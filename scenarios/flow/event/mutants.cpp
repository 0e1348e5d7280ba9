// Events that are wrong in one known way each: the alternative with one rule broken.
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/event/alternative.hpp>

namespace assay {
namespace {

using enum event_defect;

[[maybe_unused]] const mutants<alternative_event, event_defect> wrong(
    {"clear", "timed", "latch", "auto_reset", "fair", "thread_set", "statistics", "strict_entry",
     "posted_wakeups", "checked_destruction"},
    {defective(works_inverted, "EVT-m4: to be set means that one has to wait",
               {{"EVT-2", "every wait on an event"}}, {"EVT-1", "EVT-4", "EVT-6", "EVT-8", "X-2"}),
     defective(set_frees_one, "EVT-m2: set wakes one of those who wait",
               {{"EVT-1", "set releases every waiter"}}, {"EVT-3"}),
     defective(loses_waiters_when_cleared_at_once,
               "EVT-m3: who was woken looks at the flag, and waits on if it was cleared meanwhile",
               {{"EVT-1", "clear takes nothing back"}}),
     defective(forgets_a_set_without_waiters, "set is remembered only if somebody waits",
               {{"EVT-2", "set needs no waiter"}}, {"EVT-6", "EVT-8", "EVT-9", "X-2"}),
     defective(second_set_clears, "a second set clears the event",
               {{"EVT-2", "a second set changes nothing"}}, {"EVT-8"}),
     defective(one_wait_uses_it_up, "the first wait on a set event clears it",
               {{"EVT-2", "every wait on an event"}}, {"EVT-6"}),
     defective(cancelled_waiter_stays,
               "a cancelled wait leaves an entry, which takes the next set of an auto-reset event",
               {{"EVT-3", "a cancelled wait leaves no entry"}}, {"EVT-8", "X-4"}),
     defective(cancelling_ends_another, "cancelling a wait ends another", {{"EVT-3", "affects no other"}},
               {"X-4"}),
     defective(clear_is_ignored, "clear does nothing", {{"EVT-4", "a cleared event is not set"}}),
     defective(frees_in_a_later_turn, "set frees those who are parked a turn later",
               {{"EVT-4", "although nobody set"}}),
     defective(outside_set_wakes_nobody,
               "EVT-m1: set in a raw signal handler: the flag is set, and the loop is not woken",
               {{"EVT-5", "wakes who waits in an idle loop"}}),
     defective(latch_can_be_cleared, "a latch can be cleared", {{"EVT-6", "a latch stays set"}}),
     defective(deadline_beats_the_set,
               "who runs at his deadline says that it timed out, although he was freed",
               {{"EVT-7", "a set that comes first is reported"}}, {"EVT-8"}),
     defective(expired_waiter_stays, "a wait that timed out leaves an entry", {{"EVT-7", "leaves no entry"}}),
     defective(stores_every_set, "every set without a waiter is remembered",
               {{"EVT-8", "it is remembered once"}}),
     defective(set_frees_all, "an auto-reset set frees everybody", {{"EVT-8", "frees exactly one"}}),
     defective(gives_nothing_back, "M-X4: a set that freed a cancelled waiter is gone",
               {{"EVT-8", "is there for the next"}, {"X-4", "the next in line gets"}}),
     defective(broadcast_uses_up_a_set, "a broadcast clears", {{"EVT-9", "a broadcast uses up no set"}}),
     defective(gives_back_a_broadcast, "a cancelled waiter that a broadcast freed leaves a set",
               {{"EVT-9", "nor does a waiter that it freed"}}),
     defective(cancelled_wait_clears, "a cancelled wait clears the event",
               {{"X-2", "leaves the event as it is"}}, {"EVT-8"}),
     defective(begins_although_cancelled, "a cancelled scope is entered", {{"X-6", "reports cancelled"}}),
     defective(weak_request_uses_up_the_strong, "M-X7: after a weak request, a strong one goes unheard",
               {{"X-7", "a stronger request gets through"}},
               {"EVT-3", "EVT-8", "EVT-9", "X-2", "X-4", "X-36"}),
     defective(resumes_inside_the_set, "M-X12: a waiter continues inside the set that freed it",
               {{"X-12", "inside the call that woke it"}}),
     defective(serves_the_last_parked_first, "the last who came is freed first",
               {{"X-13", "who has waited longest"}}),
     defective(destruction_is_not_checked, "an event with waiters is destroyed and nobody notices",
               {{"X-20", ""}}),
     defective(times_out_early, "a deadline fires after half of the time",
               {{"X-23", "never fires before its deadline"}}, {"EVT-7"}),
     defective(ignores_a_deadline_that_has_passed, "a deadline that has passed is none",
               {{"X-25", "at once"}}, {"X-23"}),
     defective(deadlines_overflow, "a far deadline lies in the past",
               {{"X-23", "never fires before its deadline"}}),
     defective(forgets_who_was_counted, "looking at the statistics changes them",
               {{"X-28", "looking changes nothing"}}),
     defective(never_forgets_who_was_cancelled, "the event keeps a record of every waiter that was cancelled",
               {{"X-27", "rounds of 'wait, cancel'"}})});

}  // namespace
}  // namespace assay
