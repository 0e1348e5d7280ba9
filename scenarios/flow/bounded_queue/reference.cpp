#include <assay/scenarios/flow/bounded_queue/reference.hpp>

#include <assay/harness/catalogue/subjects.hpp>

namespace assay {

std::vector<std::string> reference_queue_features() {
  return {"fair",     "try",          "timed",          "hand_back",          "close",     "close_now",
          "join",     "requeue",      "removal",        "rendezvous",         "move_only", "statistics",
          "lifetime", "strict_entry", "posted_wakeups", "checked_destruction"};
}

namespace {

const implements<reference_queue> registered("reference", subject_kind::reference,
                                             {.features = reference_queue_features()});

}  // namespace

}  // namespace assay
