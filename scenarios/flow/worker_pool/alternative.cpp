#include <assay/scenarios/flow/worker_pool/alternative.hpp>

#include <assay/harness/catalogue/subjects.hpp>

namespace assay {
namespace {

const implements<pool_in_shifts> fair("works_in_shifts", subject_kind::alternative,
                                      {.features = {"stop_now", "drain_deadline", "handles", "nested_submit",
                                                    "bounded", "fair", "restartable", "job_timeout",
                                                    "scaling", "priorities", "lifetime"}},
                                      pool_habits::first_come, pool_defect::none);
const implements<pool_in_shifts> unfair("works_in_shifts_last_come_first", subject_kind::alternative,
                                        {.features = {"stop_now", "drain_deadline", "handles",
                                                      "nested_submit", "bounded", "restartable",
                                                      "job_timeout", "scaling", "priorities", "lifetime"}},
                                        pool_habits::last_come, pool_defect::none);
const implements<pool_in_shifts> contrary("does_otherwise", subject_kind::alternative,
                                          {.features = {"stop_now", "drain_deadline", "handles",
                                                        "nested_submit", "bounded", "restartable",
                                                        "job_timeout", "scaling", "lifetime"}},
                                          pool_habits::contrary, pool_defect::none);

}  // namespace
}  // namespace assay
