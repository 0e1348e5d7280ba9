// Assembled services that are wrong in one known way each.
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/assembly/service/alternative.hpp>

namespace assay {
namespace {

using enum service_defect;

const mutants<list_service, service_defect> wrong(
    {"dead_letter", "all_workers"},
    {defective(drops_what_a_stopped_worker_holds,
               "an item in the hand of a worker that is stopped counts as processed",
               {{"INT-1", "every accepted item is in exactly one class"}},
               {"INT-2", "INT-3", "INT-6", "INT-7"}),
     defective(forgets_what_is_queued, "what is queued when the stop is over is not returned",
               {{"INT-1", "every accepted item is in exactly one class"}},
               {"INT-2", "INT-3", "INT-7", "INT-6", "INT-8"}),
     defective(accepts_while_it_drains, "what is submitted after the stop is accepted and never processed",
               {{"INT-1", ""}, {"INT-2", ""}},
               {"INT-3", "INT-4", "INT-7", "INT-8", "INT-9", "INT-6", "INT-5"}),
     defective(closes_in_order_of_opening, "resources close in the order in which they were opened",
               {{"INT-2", "the shutdown goes through its phases in order"}}),
     defective(abandons_at_once, "workers that were asked to stop are not waited for",
               {{"INT-3", "nobody uses the sink after its close began"}},
               {"INT-1", "INT-2", "INT-6", "INT-7"}),
     defective(has_no_bound, "the queue takes whatever comes",
               {{"INT-4", "more items are buffered than the capacity allows"}},
               {"INT-1", "INT-2", "INT-3", "INT-7"}),
     defective(reports_the_first_failure_only,
               "of several failures of the cleanup only the first is reported",
               {{"INT-5", "every failure of the cleanup is in the report, once"}}),
     defective(waits_for_the_deaf, "the stop waits for workers that ignore it",
               {{"INT-6", "the stop takes no longer than its budgets"}}),
     defective(drain_overflows, "a drain without limit is added to the time, and is over at once",
               {{"INT-6", "what the drain has time for is processed"}}),
     defective(does_not_name_the_deaf, "workers that ignored the stop are not named",
               {{"INT-6", "workers that ignore the stop are named"}}),
     defective(says_yes_to_a_cancelled_submit, "a submit that was cancelled says that its item was accepted",
               {{"INT-7", ""}}, {"INT-1", "INT-2", "INT-3", "INT-8"}),
     defective(ignores_an_early_stop, "a stop that comes before the service is ready is forgotten",
               {{"INT-8", "the service stops, whenever it is asked to"}}, {"INT-6", "INT-7"}),
     defective(stays_ready, "readiness stays true until the end",
               {{"INT-9", "has said that it is not ready"}}),
     defective(ready_a_turn_too_long,
               "the probe is told a turn later than everybody else that the service is not ready",
               {{"INT-9", "has said that it is not ready"}}),
     defective(dies_at_the_stop, "liveness turns false when the stop begins",
               {{"INT-9", "a service that stops is alive"}}),
     defective(an_early_stop_releases_nobody, "a stop is an errand for the run, also if it never begins",
               {{"INT-7", "a stop releases whoever waits"}}),
     defective(starts_two_workers, "the assembly starts two workers, whatever was asked for",
               {{"INT-4", "as many items are processed at once as there are workers"}}),
     defective(loses_a_worker_with_a_failure, "a worker ends with the item that it fails at",
               {{"INT-4", "as many items are processed at once as there are workers"}}),
     defective(asks_workers_one_after_another,
               "workers are stopped one after the other, and who does not listen holds up the others",
               {{"INT-6", "workers that ignore the stop are named"}}),
     defective(names_whoever_was_asked, "workers that obeyed the stop are named as those that did not",
               {{"INT-6", "workers that ignore the stop are named"}}),
     defective(waits_for_what_is_being_opened,
               "a stop during the start waits until what is being opened is open",
               {{"INT-6", "the stop takes no longer than its budgets"}}),
     defective(forgets_the_store, "the store is closed only where the sink was open, too",
               {{"INT-8", "what was opened is closed"}}, {"INT-2", "INT-6", "INT-7", "INT-5"})});

}  // namespace
}  // namespace assay
