// Task groups that are made differently from the reference's and conform as well.
#include <memory>
#include <utility>

#include "harness/campaign/catalogue.hpp"
#include "scenarios/failure/task_group/independent_group.hpp"

ASSAY_PART(task_group_alternative)

namespace assay {
namespace {

// Makes use of what the core profile leaves open: a single failure is thrown as it is; of several only the last
// is thrown, the hook is told of the others; a child that comes while the group is stopping is taken, and ends
// at once.
class easy_going : public independent_core {
 public:
  using independent_core::independent_core;

 protected:
  bool takes_children() const override { return running_ && !closed_; }
  std::exception_ptr outcome(bool requested) override {
    if (failures_.empty()) return requested ? cancelled() : nullptr;
    const std::exception_ptr told = failures_.back().failure;
    failures_.pop_back();
    for (const auto& one : failures_) env_.report_unhandled(one.failure);
    return told;
  }
};

const detail::registrar alternative(std::make_unique<subject<contract::task_group>>(
    "alternative", subject_kind::alternative,
    subject_traits{.features = {"cleanup", "dynamic_spawn", "nested_spawn", "close", "late_refusal",
                                "body_failure", "own_cancellation", "always_aggregate", "ordered_failures",
                                "fatal_class", "collect", "lifetime"}},
    [](environment& env, const contract::task_group_config& config) {
      return std::make_unique<independent_group<independent_core>>(env, config);
    }));

const detail::registrar alternative_core(std::make_unique<subject<contract::task_group>>(
    "alternative_easy_going", subject_kind::alternative,
    subject_traits{.features = {"cleanup", "dynamic_spawn", "nested_spawn", "body_failure",
                                "own_cancellation", "collect"}},
    [](environment& env, const contract::task_group_config& config) {
      return std::make_unique<independent_group<easy_going>>(env, config);
    }));

}  // namespace
}  // namespace assay
