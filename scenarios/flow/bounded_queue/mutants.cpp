// Bounded queues that are wrong in one known way each.
//
// Not expressible behind the contract: BQ-m3 (join before any producer ran) is a mistake of the queue's user, not of
// the queue; BQ-m9 (reset leaves a stale value) needs a reset, which the contract does not have.
#include <string>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/bounded_queue/alternative.hpp>

namespace assay {
namespace {

using enum queue_defect;

std::vector<std::string> features() {
  std::vector<std::string> all = alternative_queue::features();
  all.emplace_back("fair");
  std::erase(all, "reject_zero");  // some take capacity 0
  return all;
}

const mutants<alternative_queue, queue_defect> wrong(
    features(),
    {defective(drops_what_a_cancelled_pop_holds,
               "BQ-m1: an item that was assigned to a pop goes with it when it is cancelled",
               {{"BQ-7", "the head is still the head"}}, {"BQ-8", "BQ-11", "BQ-4", "X-4", "X-3"}),
     defective(hands_back_to_the_tail, "BQ-m5: what is handed back goes to the tail",
               {{"BQ-9", "the item that was handed back is the first again"}}, {"BQ-7"}),
     defective(hand_back_needs_room, "BQ-m4: an item can be handed back only while there is room",
               {{"BQ-9", "the scenario ended with rejected"}}),
     defective(keeps_the_item_of_a_cancelled_push, "a cancelled push leaves its item in the queue",
               {{"BQ-1", "more items are buffered than the capacity allows"}}, {"BQ-4", "BQ-6", "X-2"}),
     defective(counts_a_cancelled_popper,
               "BQ-m8: after a cancelled pop the queue refuses an item although it has room",
               {{"BQ-7", "after a cancelled pop the queue is as it was"}}, {"BQ-4", "BQ-8", "BQ-11", "X-7"}),
     defective(
         counts_a_cancelled_pusher,
         "a push that is cancelled while it waits costs one behind it the slot, in a queue for several items",
         {{"BQ-6", "those that wait beside a cancelled push get the slots"}},
         {"BQ-4", "X-2", "X-3", "X-4", "X-7"}),
     defective(drops_what_fills_it, "an item that fills a queue for several is dropped",
               {{"BQ-1", "as many pushes commit as there is room for"}},
               {"BQ-2", "BQ-4", "BQ-6", "BQ-11", "BQ-12", "BQ-13", "BQ-14", "BQ-16", "BQ-18", "BQ-19",
                "X-3"}),
     defective(grants_die_with_the_cancelled,
               "BQ-m12: what a cancelled pop hands back is not passed on to the next one parked",
               {{"BQ-4", "a pop is not pending beside an item"},
                {"X-4", "the next one in line gets what it held"}},
               {"BQ-9"}),
     defective(buffers_beside_a_parked_popper, "a push does not look whether somebody waits for an item",
               {{"BQ-4", ""}}, {"BQ-3", "BQ-7", "BQ-8", "BQ-19", "BQ-1", "X-12", "X-3", "X-4", "BQ-11"}),
     defective(lets_try_pop_overtake,
               "M-X13: an item meant for a parked popper can be taken by anybody who comes first",
               {{"BQ-3", "try_pop does not overtake a parked popper"}},
               {"BQ-1", "BQ-4", "BQ-7", "BQ-8", "BQ-19", "X-12", "BQ-11", "X-3", "X-4"}),
     defective(serves_the_last_parked_first, "who parked last is served first, although it claims to be fair",
               {{"BQ-3", "who parked first is served first"},
                {"BQ-2", "parked pushers commit in park order"}},
               {"BQ-6", "BQ-7"}),
     defective(takes_the_newest_first, "items leave last in, first out",
               {{"BQ-2", "items leave in the order in which they came"}},
               {"BQ-7", "BQ-9", "BQ-11", "BQ-6", "BQ-16", "BQ-12", "BQ-13", "BQ-18"}),
     defective(admits_every_parked_pusher, "BQ-m11: one free place lets every parked pusher in",
               {{"BQ-1", "more items are buffered than the capacity allows"}}, {"BQ-4", "BQ-19"}),
     defective(gives_a_place_away_too_early,
               "a parked pusher is let in a turn before the item leaves whose place it gets",
               {{"BQ-1", "more items are buffered than the capacity allows"}}),
     defective(races_the_deadline, "M-X3: a pop whose deadline has passed drops the item that it was served",
               {{"BQ-8", "a timed pop that timed out took nothing"}, {"X-3", ""}}),
     defective(times_out_early, "a deadline fires after half of the time",
               {{"BQ-8", "does not end early"}, {"X-23", ""}}, {"X-3"}),
     defective(ignores_a_deadline_that_has_passed, "a deadline that has passed already counts as none",
               {{"X-25", "a deadline that has passed ends the wait at this instant"},
                {"X-23", "is due when its deadline is reached"}}),
     defective(deadlines_overflow, "a deadline is the time and the patience added up, wherever that comes to",
               {{"X-23", "never fires before its deadline"}}),
     defective(puts_what_timed_out, "a timed push that timed out has put its item all the same",
               {{"BQ-1", "more items are buffered than the capacity allows"}}, {"BQ-8", "X-23"}),
     defective(treats_zero_as_one, "capacity 0 is silently 1, although it claims to meet",
               {{"BQ-1", "more items are buffered than the capacity allows"}}, {"BQ-5"}, {"rendezvous"}),
     defective(accepts_negative, "a negative capacity is silently 1",
               {{"BQ-5", "a negative capacity is rejected"}}, {}, {"reject_zero"}),
     defective(close_leaves_pushers, "BQ-m6: close leaves parked pushers parked",
               {{"BQ-10", "parked pushers are woken with closed"}}),
     defective(close_leaves_poppers, "close leaves parked poppers parked",
               {{"BQ-11", "poppers parked at close are woken with closed"}}),
     defective(close_discards, "BQ-m7: close discards what is buffered",
               {{"BQ-11", "a buffered item is delivered after close"}}, {"BQ-10", "BQ-13"}),
     defective(accepts_after_close, "a push after close is accepted",
               {{"BQ-10", "a push after close fails as closed"}}),
     defective(second_close_discards, "a second close discards what is buffered",
               {{"BQ-13", "a second close changes nothing"}}, {"BQ-11"}),
     defective(close_now_keeps_quiet, "close_now drops what it removed instead of returning it",
               {{"BQ-12", "the removed items are returned, in order"}}, {"BQ-16"}),
     defective(close_now_leaves_waiters, "close_now leaves everybody parked",
               {{"BQ-12", "are woken with closed"}}),
     defective(join_ignores_what_is_in_hand, "join ends when the buffer is empty",
               {{"BQ-14", "one of two items done keeps join parked"}}, {"BQ-15", "BQ-16"}),
     defective(accepts_done_without_work, "one done too many goes unnoticed",
               {{"BQ-15", "one done too many is detected"}}),
     defective(requeue_counts_again, "RWK-m3: a requeued item counts as one more",
               {{"BQ-15", "requeue left the count as it was"}}, {"BQ-14"}),
     defective(removed_items_still_count, "what close_now removed keeps join parked",
               {{"BQ-16", "what close_now removed no longer counts"}}),
     defective(dropped_items_still_count, "BQ-m10: evicted items are never counted done",
               {{"BQ-16", "what was dropped no longer counts"}}),
     defective(join_waits_for_a_first_item, "join on a queue that was never used waits",
               {{"BQ-17", "join on a queue that was never used completes at once"}}),
     defective(forgets_the_peak, "the peak is never recorded",
               {{"BQ-19", "more items are buffered than the statistics ever saw"}}),
     defective(looking_resets_the_peak, "asking for the statistics resets the peak",
               {{"BQ-19", "more items are buffered than the statistics ever saw"}}),
     defective(looking_raises_the_peak, "asking for the statistics counts as an item more",
               {{"X-28", "looking changes nothing"}}, {"BQ-19"}),
     defective(leaks_what_is_left, "items that are left when the queue goes are never destroyed",
               {{"BQ-18", "nothing outlives the queue"}}),
     defective(begins_although_cancelled, "a call that is entered in a cancelled scope has its effect",
               {{"X-6", "reports cancelled"}}),
     defective(woken_pusher_goes_to_the_back,
               "BQ-m2: a pusher that was woken and finds the queue full again goes to the back",
               {{"BQ-2", "a newcomer does not take the place of a parked pusher"}}, {"BQ-3", "BQ-6", "BQ-7"}),
     defective(wake_up_of_a_cancelled_waiter_is_lost,
               "M-X4: a waiter that was woken and cancelled does not wake the next one",
               {{"X-4", "the next one in line gets what it held"}, {"BQ-4", ""}},
               {"BQ-2", "BQ-3", "BQ-6", "BQ-7", "X-2"}),
     defective(resumes_inside_the_push, "M-X12: the popper's continuation runs inside the push that woke it",
               {{"X-12", "no continuation runs inside the call that woke it"}}, {}),
     defective(destruction_is_not_checked, "a queue with a parked popper is destroyed and nobody notices",
               {{"X-20", ""}}, {}, {"checked_destruction"}),
     defective(
         close_takes_back_what_was_served,
         "a popper that was served, and closed upon before it had a turn, is told closed; its item stays",
         {{"BQ-11", "gets what was pushed before the close"}}),
     defective(
         meets_who_is_cancelled,
         "a rendezvous push has ended although the pop that it met was cancelled before it took the item",
         {{"BQ-5", "ends when its item is taken"}}, {}, {"rendezvous"}),
     defective(last_done_frees_one_joiner, "of several who join, the last `done` frees the first alone",
               {{"BQ-14", ""}}, {"BQ-15", "BQ-16"}),
     defective(second_push_of_a_turn_wakes_nobody,
               "of two items that are pushed in one turn, the second wakes nobody who waits",
               {{"BQ-3", "'pop b' has no value"}}, {"BQ-1", "BQ-4", "BQ-11"}),
     defective(close_wakes_one_of_each, "close wakes the first who is parked, and leaves the others",
               {{"BQ-10", "woken with closed"}, {"BQ-11", "woken with closed"}}),
     defective(timed_waiters_outlive_close, "a timed call that is parked at close waits for its deadline",
               {{"BQ-11", "a timed pop that is parked is woken with closed"}}, {"BQ-10"}),
     defective(dropping_admits_nobody, "the place of an item that was dropped goes to nobody who is parked",
               {{"BQ-4", "no push is pending beside a free place"}}),
     defective(places_wear_out, "every fortieth item that leaves takes its place along", {{"BQ-4", ""}})},
    true);

}  // namespace
}  // namespace assay
