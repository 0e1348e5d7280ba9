#include "scenarios/lifecycle/lifespan/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("lifespan", "LIF-1", subject, assay::lifespan_grammar());
}

TEST(lifespan_property, the_reference_stops_what_it_started) { EXPECT_TRUE(holds("reference")); }
TEST(lifespan_property, so_do_the_alternatives) {
  EXPECT_TRUE(holds("nested"));
  EXPECT_TRUE(holds("managed"));
}

// Wrong ones, which must be seen.
TEST(lifespan_property, the_wrong_order_is_seen) { EXPECT_FALSE(holds("closes_in_start_order")); }
TEST(lifespan_property, a_stop_of_what_never_started_is_seen) {
  EXPECT_FALSE(holds("stops_what_never_started"));
}
TEST(lifespan_property, a_skipped_stop_is_seen) { EXPECT_FALSE(holds("first_close_error_skips_the_rest")); }

}  // namespace
