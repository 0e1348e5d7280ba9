// Shrinking: from a schedule that fails to a small one that fails in the same way.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

/// Whether two results fail in the same way, whatever numbers their messages hold.
bool same_failure(const trial_result& a, const trial_result& b);

/// A locally smaller schedule that fails in the same way: the shortest failing prefix, then as few deviations
/// from first-in-first-out as delta debugging finds (Zeller, Hildebrandt, "Simplifying and isolating
/// failure-inducing input", 2002), then the smallest answers. `again` runs a candidate; at most `trials_max`
/// runs.
struct shrunk {
  std::vector<choice> choices;
  std::uint32_t trials = 0;
};
shrunk shrink(std::vector<choice> failing, std::uint32_t trials_max,
              const std::function<std::optional<std::vector<choice>>(std::vector<std::uint32_t>)>& again);

/// The same for a trial's own failure; `run` runs a trial of the same scenario with this source.
shrunk shrink(const trial_result& failing, std::uint32_t trials_max,
              const std::function<trial_result(choice_source&)>& run);

}  // namespace assay
