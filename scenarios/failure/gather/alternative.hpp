// Gathering that is made differently from the reference's and conforms as well. The mutants are this, bent.
//
// What is different: there is no task group. A call is a flight: its operations begin inside of it, one after another; each that
// ends lands, and the caller, who looks after everybody else's turn, counts. Requests to stop go in reverse order.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace assay {

/// What the alternative claims, and each mutant that bends it.
inline std::vector<std::string> claims_of_alternative_gather() {
  return {"owns_operations", "own_cancellation", "failing_creation",
          "shared_handle",   "required_parts",   "validation",
          "first",           "as_completed"};
}

/// The one thing that is wrong with a mutant.
ASSAY_DEFECTS(gather_defect, none, returns_only_values, orders_slots_by_completion, forgets_the_last_slot,
              stops_others_at_a_failure, returns_slots_when_cancelled, abandons_operations_when_cancelled,
              asks_nobody_when_cancelled, asks_only_the_first_when_cancelled,
              abandons_operations_when_creation_fails, runs_one_after_another, waits_for_an_end_even_if_empty,
              tells_a_cancellation_as_a_value, tells_a_cancellation_as_a_failure,
              tells_a_failure_as_cancelled, ends_as_cancelled_with_one_of_them, tells_no_causes,
              runs_a_shared_one_for_every_slot, fills_one_slot_of_a_shared_one,
              goes_on_without_required_parts, fails_for_optional_parts, fails_for_the_first_part_only,
              tells_an_empty_value_as_missing, tells_missing_parts_as_empty, takes_a_throwing_check_for_a_yes,
              is_valid_if_any_check_says_so, tells_no_causes_of_invalidity, keeps_values_that_came_too_late,
              leaves_losers_at_work, counts_failures_as_values, gives_up_at_the_first_failure,
              tells_only_the_first_failure, waits_for_losers_to_end_by_themselves, gives_back_what_it_returns,
              keeps_values_when_it_fails, keeps_values_when_it_is_cancelled, waits_in_vain_for_too_few,
              tells_in_order_of_input, tells_an_outcome_twice, ends_early, leaves_operations_at_its_deadline,
              forgets_its_deadline, tells_those_that_it_stopped, ends_well_at_its_deadline)

class alternative_gather final : public contract::gather {
 public:
  alternative_gather(environment& env, const contract::gather_config& config,
                     gather_defect wrong = gather_defect::none);

 protected:
  awaitable<slots> do_all(std::vector<operation> operations) override;
  awaitable<slots> do_all_shared(std::vector<operation> operations, std::vector<std::size_t> which) override;
  awaitable<slots> do_parts(std::vector<operation> operations, std::vector<bool> required) override;
  awaitable<contract::check_verdict> do_validate(std::vector<operation> checks) override;
  awaitable<std::vector<std::int64_t>> do_first(std::size_t wanted, std::vector<operation> operations,
                                                std::function<void(std::int64_t)> give_back) override;
  awaitable<void> do_each(std::vector<operation> operations, nanoseconds patience,
                          std::function<void(std::size_t, const contract::gather_slot&)> take) override;

 private:
  bool is(gather_defect defect) const { return wrong_ == defect; }

  environment& env_;
  const gather_defect wrong_;
};

}  // namespace assay
