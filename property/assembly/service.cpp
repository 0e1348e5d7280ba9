#include "scenarios/assembly/service/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("service", "INT-1", subject, assay::service_grammar());
}

TEST(service_property, the_reference_loses_nothing_whenever_it_is_stopped) {
  EXPECT_TRUE(holds("reference"));
}

TEST(service_property, a_lost_queue_is_seen) { EXPECT_FALSE(holds("forgets_what_is_queued")); }
TEST(service_property, a_dropped_item_is_seen) { EXPECT_FALSE(holds("drops_what_a_stopped_worker_holds")); }
TEST(service_property, a_sink_used_after_its_close_is_seen) { EXPECT_FALSE(holds("abandons_at_once")); }

}  // namespace
