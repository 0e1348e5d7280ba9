#include "harness/campaign/lint.hpp"

#include <set>
#include <utility>

namespace assay {

std::vector<std::string> lint_features(const catalogue& all) {
  std::set<std::pair<std::string, std::string>> known;
  std::set<std::pair<std::string, std::string>> claimed;
  for (const scenario_info& one : all.scenarios()) {
    for (const std::string& feature : one.traits.features) known.emplace(one.contract, feature);
  }
  for (const auto& one : all.subjects()) {
    const bool counts = one->kind() != subject_kind::reference && one->kind() != subject_kind::mutant;
    for (const std::string& feature : one->traits().features) {
      known.emplace(one->contract(), feature);
      if (counts) claimed.emplace(one->contract(), feature);
    }
  }
  std::vector<std::string> complaints;
  for (const auto& [contract, feature] : known) {
    if (claimed.contains({contract, feature})) continue;
    complaints.push_back("the feature '" + feature + "' of " + contract +
                         " is claimed by no subject but the reference and mutants");
  }
  return complaints;
}

}  // namespace assay
