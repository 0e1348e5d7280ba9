#include "scenarios/failure/task_group/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("task_group", "X-15", subject, assay::task_group_grammar());
}

TEST(task_group_property, the_reference_tells_every_failure_once) { EXPECT_TRUE(holds("reference")); }
TEST(task_group_property, so_do_the_alternatives) {
  for (const char* const name :
       {"alternative", "alternative_easy_going", "alternative_unhurried", "alternative_impatient"})
    EXPECT_TRUE(holds(name)) << name;
}

// Wrong ones, which must be seen.
TEST(task_group_property, a_lost_failure_is_seen) { EXPECT_FALSE(holds("keeps_only_the_first_failure")); }
TEST(task_group_property, an_abandoned_child_is_seen) {
  EXPECT_FALSE(holds("abandons_children_when_cancelled"));
}
TEST(task_group_property, a_failure_while_stopping_is_seen) {
  EXPECT_FALSE(holds("drops_failures_while_stopping"));
}

}  // namespace
