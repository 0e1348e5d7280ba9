#include "scenarios/flow/bounded_queue/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("bounded_queue", "X-3", subject, assay::bounded_queue_grammar());
}

TEST(bounded_queue_property, the_reference_agrees_with_the_model) { EXPECT_TRUE(holds("reference")); }
TEST(bounded_queue_property, the_alternative_loses_nothing) { EXPECT_TRUE(holds("hand_back_queue")); }

// A property that cannot fail is no property: these are wrong, and must be seen.
TEST(bounded_queue_property, last_in_first_out_is_seen) { EXPECT_FALSE(holds("takes_the_newest_first")); }
TEST(bounded_queue_property, a_hand_back_to_the_tail_is_seen) {
  EXPECT_FALSE(holds("hands_back_to_the_tail"));
}
TEST(bounded_queue_property, a_phantom_popper_is_seen) { EXPECT_FALSE(holds("counts_a_cancelled_popper")); }
TEST(bounded_queue_property, a_ghost_of_a_cancelled_push_is_seen) {
  EXPECT_FALSE(holds("keeps_the_item_of_a_cancelled_push"));
}

}  // namespace
