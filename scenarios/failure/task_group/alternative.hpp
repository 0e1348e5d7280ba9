// A task group that is made differently from the reference's and conforms as well: the standard may not be stricter than
// its text. The mutants are this group, bent.
//
// What is different: children begin inside the call that starts them; a child's end is news in a queue, which the runner
// (the coroutine of `run`) takes in a turn of its own, so siblings hear of a failure later; they are asked to stop in
// reverse order, each in its own turn; the end of the group is the runner's decision.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {

/// How a group makes use of what the standard leaves open.
enum class group_manner {
  plain,
  /// A single failure is thrown as it is; of several only the last is thrown, the hook is told of the others; a child that
  /// comes while the group is stopping is taken, and ends at once.
  easy_going,
  /// A child begins some turns after it was started, and its end is heard of some turns later; a single failure is thrown
  /// as it is, of several the last stands first.
  unhurried,
  /// Has no `cleanup`: it waits for children that end as soon as they are asked to stop, and drops the others. What those
  /// fail with later goes to the hook.
  impatient
};

/// What the alternative claims, and each mutant that bends it.
inline std::vector<std::string> claims_of_alternative_group() {
  return {"cleanup",
          "dynamic_spawn",
          "nested_spawn",
          "close",
          "late_refusal",
          "body_failure",
          "own_cancellation",
          "cancelled_outcome",
          "always_aggregate",
          "ordered_failures",
          "fatal_class",
          "collect",
          "lifetime",
          "handles",
          "split",
          "started",
          "own_cancel",
          "keeps_outside_request",
          "checked_entry",
          "scope_handle",
          "join_next",
          "runs_to_first_suspension"};
}

/// The one thing that is wrong with a mutant.
ASSAY_DEFECTS(group_defect, none, ends_with_the_first_failure, forgets_children_that_came_later,
              waits_for_an_end_even_if_empty, forgets_children_that_end_within_their_start,
              abandons_children_when_cancelled, abandons_children_when_cancelled_twice,
              wakes_nobody_while_stopping, leaves_siblings_of_a_failure_alone,
              repeats_the_request_at_every_failure, asks_only_children_before_the_failed_one,
              leaves_the_body_alone, takes_children_while_stopping_and_lets_them_run, passes_no_request_on,
              passes_only_the_first_request_on_as_it_is, makes_a_request_an_event,
              stops_when_a_child_gives_up, stops_when_a_child_that_started_another_gives_up,
              counts_giving_up_as_a_failure, stops_siblings_in_collect_mode, drops_failures_while_stopping,
              keeps_only_the_first_failure, tells_failures_without_names, tells_failures_in_order_of_names,
              tells_the_hook_as_well, unwraps_a_single_failure, lists_the_children_it_cancelled,
              tells_a_cancellation_as_an_aggregate, tells_a_cancellation_as_a_value,
              hides_failures_behind_a_cancellation, does_not_list_the_body, goes_on_without_its_body,
              takes_children_after_its_end, takes_children_while_stopping, takes_children_when_closed,
              stops_its_children_when_closed, begins_work_that_it_refuses, keeps_work_that_it_refuses,
              lets_go_of_late_children_late, keeps_closures_until_it_goes, wraps_an_exit_request,
              lets_an_exit_request_wait_for_nobody, prefers_failures_to_an_exit_request,
              drops_failures_beside_an_exit_request, lists_children_after_their_first_turn,
              asks_no_more_than_thirty_two, ends_well_if_no_child_was_cancelled,
              takes_no_children_after_a_failure,
              // one child alone
              stops_the_group_for_one_child, counts_a_child_cancelled_alone_as_a_failure,
              asks_the_first_child_instead, ends_a_join_with_any_child, takes_the_child_along_with_its_joiner,
              leaves_a_failure_to_the_joiner, says_that_all_children_ended_well,
              // parts of a failure
              splits_only_the_outermost, drops_what_nobody_took, splits_the_whole_for_every_kind,
              flattens_what_it_splits, turns_the_rest_around, hands_cancellations_to_a_taker,
              // starts
              stops_the_group_for_one_starter, abandons_a_start_that_is_cancelled,
              takes_a_start_for_done_when_the_child_ends, tells_a_failed_start_to_the_group,
              waits_for_no_start, takes_a_second_report, tells_stopped_starts_as_rejected,
              spares_starts_when_it_stops, keeps_a_started_child_to_its_starter,
              starts_children_after_its_end,
              // its own request
              ends_as_cancelled_by_itself, hides_failures_behind_its_own_request,
              forgets_requests_beside_its_own, takes_a_request_with_the_failure, is_not_stopped_by_itself,
              forgets_a_cancel_before_it_runs, takes_children_before_it_runs, runs_twice,
              // endings
              tells_no_cancelled_children, tells_an_ending_twice, loses_the_ending_of_a_cancelled_call,
              leaves_the_last_call_waiting, owes_nothing_when_it_has_ended, keeps_closures_until_the_end,
              // first steps
              drops_children_before_their_first_step, promises_that_children_never_start)

class alternative_group final : public contract::task_group {
 public:
  alternative_group(environment& env, const contract::task_group_config& config, group_manner how,
                    group_defect wrong = group_defect::none);

  void close() override;
  void cancel() override;
  void cancel_child(const std::string& child_name) override;
  awaitable<contract::child_end> join_child(std::string child_name) override;
  awaitable<std::optional<contract::child_ending>> join_next() override;

 protected:
  awaitable<void> do_run(std::vector<child> children) override;
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override;
  bool do_spawn(child one) override;
  awaitable<void> do_run_split(std::vector<child> children, std::vector<contract::failure_kind> kinds,
                               part_taker take) override;
  awaitable<void> do_start(std::string child_name, starting_work work) override;

 private:
  class core;
  const std::shared_ptr<core> core_;
};

}  // namespace assay
