#include "scenarios/lifecycle/graceful_shutdown/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("graceful_shutdown", "SHD-1", subject, assay::graceful_shutdown_grammar());
}

TEST(graceful_shutdown_property, the_reference_agrees_with_the_model) { EXPECT_TRUE(holds("reference")); }
TEST(graceful_shutdown_property, the_alternative_agrees_with_the_model) {
  EXPECT_TRUE(holds("plain_shutdown"));
}
TEST(graceful_shutdown_property, one_that_reports_work_only_agrees_with_the_model) {
  EXPECT_TRUE(holds("reports_work"));
}
TEST(graceful_shutdown_property, one_that_reports_cleanup_only_agrees_with_the_model) {
  EXPECT_TRUE(holds("reports_cleanup"));
}

// Wrong ones, which must be seen.
TEST(graceful_shutdown_property, a_second_stop_is_seen) {
  EXPECT_FALSE(holds("request_begins_the_stop_again"));
}
TEST(graceful_shutdown_property, a_missing_drain_is_seen) { EXPECT_FALSE(holds("cancels_at_once")); }
TEST(graceful_shutdown_property, work_that_is_lost_on_admission_is_seen) {
  EXPECT_FALSE(holds("registers_work_a_turn_late"));
}
TEST(graceful_shutdown_property, work_that_is_refused_in_silence_is_seen) {
  EXPECT_FALSE(holds("refusal_looks_like_success"));
}
TEST(graceful_shutdown_property, cancelled_work_that_nobody_names_is_seen) {
  EXPECT_FALSE(holds("cancelled_work_is_not_reported"));
}
TEST(graceful_shutdown_property, a_survivor_that_nobody_names_is_seen) {
  EXPECT_FALSE(holds("survivors_are_not_named"));
}
TEST(graceful_shutdown_property, a_lost_failure_is_seen) { EXPECT_FALSE(holds("crash_is_forgotten")); }
TEST(graceful_shutdown_property, the_wrong_order_of_cleanup_is_seen) {
  EXPECT_FALSE(holds("callbacks_in_registration_order"));
}
TEST(graceful_shutdown_property, a_start_that_is_not_undone_is_seen) {
  EXPECT_FALSE(holds("forgets_a_start_that_committed"));
}
TEST(graceful_shutdown_property, a_callback_that_is_cut_short_in_silence_is_seen) {
  EXPECT_FALSE(holds("cut_callbacks_are_silent"));
}
TEST(graceful_shutdown_property, an_escalation_that_cleans_again_is_seen) {
  EXPECT_FALSE(holds("escalation_cleans_again"));
}
TEST(graceful_shutdown_property, a_stop_beyond_its_total_is_seen) { EXPECT_FALSE(holds("no_watchdog")); }
TEST(graceful_shutdown_property, a_request_that_wakes_nobody_is_seen) {
  EXPECT_FALSE(holds("request_wakes_nobody"));
}
TEST(graceful_shutdown_property, a_report_that_is_lost_with_a_cancel_is_seen) {
  EXPECT_FALSE(holds("report_is_lost_on_cancel"));
}

}  // namespace
