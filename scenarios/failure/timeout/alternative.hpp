// Timeouts that are made differently from the reference's and conform as well. The mutants are these, bent.
//
// What is different: no timer asks anybody for anything. The caller sits at a desk: he waits on one alarm, which is set to
// the deadline, and looks whenever it rings (the work has news, the deadline has come, he was asked for something, the
// owner moved or stopped it) at all that is there, and decides in his own turn.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace assay {

/// What the alternative claims, and each mutant that bends it.
inline std::vector<std::string> claims_of_alternative_timeout() {
  return {"joins_work",   "cooperative",    "value_wins", "zero_never_starts", "fallback",   "deadline",
          "nested",       "outermost_wins", "race",       "owns_operations",   "gives_back", "partial_wait",
          "scope_handle", "own_cancel",     "reschedule", "counts_from_entry", "shield",     "unshield",
          "abandon",      "level_cancel",   "lifetime",   "strict_entry"};
}

/// The one thing that is wrong with a mutant.
ASSAY_DEFECTS(timeout_defect, none, does_not_wait_for_late_work, does_not_stop_late_work,
              discards_late_values, prefers_the_timeout_to_a_request, hides_failures_until_the_deadline,
              drops_failures_of_the_cleanup, forgets_requests, tells_a_request_as_an_aggregate,
              makes_a_timeout_of_a_request, catches_any_timeout, tells_the_outer_limit_as_the_inner,
              innermost_wins, starts_without_time, waits_without_time, restarts_the_deadline,
              race_does_not_wait_for_losers, race_does_not_stop_losers, race_drops_what_losers_came_to,
              race_gives_the_winner_back, race_tells_the_last, race_goes_on_after_a_failure,
              leaves_when_cancelled_twice, abandons_unasked, abandons_and_forgets, leaves_its_timer_armed,
              arms_a_timer_without_deadline, ignores_a_later_deadline, ignores_an_earlier_deadline,
              ignores_a_removed_deadline, moves_what_has_expired, counts_from_making, own_stop_is_a_timeout,
              own_stop_is_cancelled, zero_swallows_a_request, partial_omits_who_ended,
              partial_stops_the_pending, partial_lists_twice, shield_has_no_deadline, shield_lets_requests_in,
              shield_forgets_requests, keeps_work, enters_twice, forgets_an_early_stop,
              stop_is_kept_for_the_next, times_out_early, overflows, makes_a_request_an_event,
              begins_in_a_cancelled_scope, weak_request_uses_up_the_strong, fallback_hides_failures,
              fallback_hides_requests, request_hides_failures, registers_for_ever, request_stops_others,
              counts_on_being_on_time)

class alternative_timeout final : public contract::timeout {
 public:
  alternative_timeout(environment& env, const contract::timeout_config&, timeout_defect wrong);
  ~alternative_timeout() override;

  void set_deadline(nanoseconds limit) override;
  awaitable<contract::partial_result> wait_some(nanoseconds limit) override;
  awaitable<void> end_operations() override;
  void open_scope(nanoseconds limit) override;
  void stop_scope() override;
  bool reschedule(nanoseconds limit) override;
  void lift_shield() override;
  std::size_t abandoned() const override;
  awaitable<void> join_abandoned() override;

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override;
  awaitable<bool> do_run_for_or(nanoseconds limit, work one) override;
  awaitable<void> do_run_by_deadline(work one) override;
  awaitable<bool> do_run_nested(nanoseconds outer, nanoseconds inner, work one) override;
  awaitable<std::int64_t> do_race(std::vector<work> all, giving_back give_back) override;
  void do_begin_operation(work one) override;
  awaitable<bool> do_run_scope(work one) override;
  awaitable<void> do_run_shielded(nanoseconds limit, work one) override;
  awaitable<void> do_run_or_abandon(nanoseconds limit, work one) override;

 private:
  class desk;
  using desk_ptr = std::shared_ptr<desk>;
  bool is(timeout_defect defect) const { return wrong_ == defect; }
  desk_ptr make_desk(nanoseconds limit);
  desk_ptr operations();
  nanoseconds what_is_left() const;

  environment& env_;
  const boost::asio::any_io_executor executor_;
  const timeout_defect wrong_;
  std::chrono::steady_clock::time_point deadline_ = std::chrono::steady_clock::time_point::max();
  nanoseconds last_limit_ = nanoseconds::max();
  desk_ptr operations_;
  desk_ptr scope_;
  nanoseconds scope_limit_{};
  desk_ptr shielded_;
  std::vector<desk_ptr> abandoned_;
  std::vector<work> kept_;
  std::vector<std::weak_ptr<desk>> all_;  // of the defects request_stops_others and registers_for_ever
};

}  // namespace assay
