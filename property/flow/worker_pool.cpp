#include "scenarios/flow/worker_pool/program.hpp"

#include "property/program_property.hpp"

namespace {

bool holds(const char* subject) {
  return assay::property::holds("worker_pool", "WPL-1", subject, assay::worker_pool_grammar());
}

TEST(worker_pool_property, the_reference_executes_what_it_accepts) { EXPECT_TRUE(holds("reference")); }

// Wrong ones, which must be seen.
TEST(worker_pool_property, a_forgotten_queue_is_seen) { EXPECT_FALSE(holds("drain_forgets_the_queue")); }
TEST(worker_pool_property, a_job_that_runs_although_refused_is_seen) {
  EXPECT_FALSE(holds("a_cancelled_submit_runs_all_the_same"));
}
TEST(worker_pool_property, a_drain_that_forgets_running_jobs_is_seen) {
  EXPECT_FALSE(holds("drain_waits_for_the_queue_only"));
}

}  // namespace
