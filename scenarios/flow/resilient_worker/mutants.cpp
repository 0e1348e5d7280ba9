// Resilient workers that are wrong in one way each: the alternative, bent.
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/resilient_worker/alternative.hpp>

namespace assay {
namespace {

using enum worker_defect;

const mutants<alternative_worker, worker_defect> wrong(
    {"requeue", "dead_letter", "attempts", "attempt_cap", "join"},
    {
        defective(requeues_by_a_waiting_push,
                  "RWK-m1, BQ-m4: puts a cancelled item back by a push that waits for room, so that the "
                  "dying worker "
                  "parks",
                  {{"RWK-2", "a cancelled worker ends at once"}}, {"RWK-8"}),
        defective(requeues_to_the_tail, "RWK-m1, BQ-m5: puts a cancelled item back behind those that wait",
                  {{"RWK-2", "is the next one to be taken"}}),
        defective(unshielded_write_loses,
                  "RWK-m2: a cancellation ends the write of a dead letter, and the item is counted off all "
                  "the same",
                  {{"RWK-4", "item 1 was lost"}, {"X-3", "item 1 was lost"}}, {"RWK-1", "RWK-5", "RWK-3"}),
        defective(pushes_or_loses_then_counts_off,
                  "RWK-m3: pushes a cancelled item again and counts it off in a finally, also when the queue "
                  "was full",
                  {{"RWK-2", "the next one to be taken"}, {"RWK-8"}}, {"RWK-1"}),
        defective(loses_what_it_was_cancelled_at,
                  "RWK-m4: does not handle a cancellation that meets processing",
                  {{"RWK-1", "item 3 was lost"}, {"RWK-2", "the next one to be taken"}},
                  {"RWK-3", "RWK-5", "RWK-6", "RWK-7", "RWK-8", "RWK-9", "X-8"}),
        defective(hand_gap,
                  "RWK-m5: suspends between the pop and the guard, where a recorded cancellation throws",
                  {{"RWK-6", "item 1 was lost"}}, {"RWK-1"}),
        defective(leaves_its_processing_behind,
                  "a cancelled worker puts the item back and ends while the item is still processed",
                  {{"RWK-1", "still processed when no run is left"}}),
        defective(requeues_after_a_pause,
                  "puts a cancelled item back only after a wait, which a second cancellation ends",
                  {{"RWK-2", "a cancelled worker ends at once"}},
                  {"RWK-1", "RWK-5", "RWK-6", "RWK-7", "RWK-8", "RWK-9", "X-8"}),
        defective(dies_of_a_failure, "a failure of processing ends the worker",
                  {{"RWK-3", "the worker lives on"}}, {"RWK-1", "RWK-4", "RWK-5", "RWK-8", "X-17", "X-31"}),
        defective(retries_once_too_often,
                  "tries a failing item again, and compares its attempts with the cap by <=",
                  {{"RWK-3", "no more attempts than are configured"}}, {"RWK-9"}),
        defective(attempts_not_told, "says of every attempt that it is the first",
                  {{"RWK-7", "a further attempt has a higher number"}, {"RWK-3", "number of attempts"}},
                  {"RWK-9"}),
        defective(unshielded_write_gives_up,
                  "a cancellation ends the write of a dead letter, and the item is reported as lost",
                  {{"RWK-4", "not given up for lost"}}, {"RWK-5"}),
        defective(dies_of_a_failing_sink, "a dead-letter sink that fails ends the worker",
                  {{"RWK-5", "the worker lives on"}}, {"RWK-4", "X-17"}),
        defective(drops_what_the_sink_refuses,
                  "drops an item that the dead-letter sink refuses, without a word", {{"RWK-5", "was lost"}},
                  {"RWK-1", "RWK-3", "RWK-4", "RWK-8", "X-17", "X-31"}),
        defective(patience_without_end, "waits for the dead-letter sink as long as it takes",
                  {{"RWK-5", "goes on when the sink"}, {"RWK-4", "within the sink's patience"}}, {"RWK-1"}),
        defective(patience_overflows,
                  "the deadline of a write is the time and the patience added up, wherever that comes to",
                  {{"RWK-5", "the worker waits for the sink"}}),
        defective(patience_of_twenty_ms, "the sink's patience is a constant, whatever was configured",
                  {{"RWK-5", "is not given up"}}),
        defective(cause_replaced_by_the_sinks_failure, "the sink's failure takes the place of the cause",
                  {{"X-17", "does not replace the cause"}}, {"RWK-3"}),
        defective(settles_before_processing, "counts an item off when it takes it: at most once",
                  {{"RWK-7", "is processed by the next run"}, {"RWK-1", "was lost"}},
                  {"RWK-2", "RWK-3", "RWK-4", "RWK-5", "RWK-8", "RWK-9", "X-3", "X-8", "X-17", "X-31"}),
        defective(processes_again, "puts an item back although it was processed",
                  {{"RWK-7", "is processed once"}}, {"RWK-1"}),
        defective(counts_off_twice, "counts a settled item off twice",
                  {{"RWK-8", "an item in hand is unfinished"}}),
        defective(counts_off_nothing_that_is_buried, "does not count a dead-lettered item off",
                  {{"RWK-8", "join ends when the item is dead-lettered"}}, {"X-31"}),
        defective(attempts_not_capped, "begins an item as often as it comes",
                  {{"RWK-9", "no item is begun more often"}}, {"RWK-3"}),
        defective(attempt_capped_at_two, "the cap is a constant, whatever was configured",
                  {{"RWK-9", "begun again while it has attempts left"}}, {"RWK-3"}),
        defective(buries_what_was_cancelled,
                  "M-X8: takes a cancellation of processing for a failure of the item",
                  {{"X-8", "a cancellation is no failure"}, {"RWK-2", "the next one to be taken"}},
                  {"RWK-3", "RWK-7", "RWK-8", "RWK-9"}),
        defective(ends_normally_when_cancelled, "M-X8: swallows the cancellation once the item is put back",
                  {{"X-8", "ends as cancelled"}, {"RWK-2", "ends at once, as cancelled"}}),
        defective(idle_workers_hear_of_no_requeue,
                  "puts a cancelled item back without a word to the idle worker beside it",
                  {{"RWK-2", "an idle worker takes the item that was put back"}}),
        defective(tires_after_ten_items, "after every tenth item a worker takes no other one",
                  {{"RWK-7", "no worker is idle beside an item"}}, {"RWK-2"}),
        defective(has_one_place_for_what_is_put_back,
                  "two workers that are cancelled one after the other put back one item",
                  {{"RWK-1", "every item is processed, given up or handed back"}}, {"RWK-2"}),
        defective(
            forgets_a_letter_that_was_written_late,
            "M-X31: a letter that was written, and is told so after the sink's patience, is not counted off",
            {{"X-31", "an item whose letter was written is settled"}}, {"RWK-8"}),
    },
    worker_manner::buries_at_once);

}  // namespace
}  // namespace assay
