#include "scenarios/flow/resilient_worker/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("resilient_worker", "RWK-1", subject, assay::resilient_worker_grammar());
}

TEST(resilient_worker_property, the_reference_loses_nothing) { EXPECT_TRUE(holds("reference")); }

// Wrong ones, which must be seen.
TEST(resilient_worker_property, a_dropped_item_is_seen) {
  EXPECT_FALSE(holds("loses_what_it_was_cancelled_at"));
}
TEST(resilient_worker_property, a_gap_between_pop_and_processing_is_seen) { EXPECT_FALSE(holds("hand_gap")); }

}  // namespace
