#include <assay/harness/campaign/lint.hpp>

#include <algorithm>

namespace assay {

std::vector<std::string> lint_features(const catalogue& all) {
  std::vector<std::string> complaints;
  for (const contract_info& contract : all.contracts()) {
    const bool has_least = std::any_of(all.subjects().begin(), all.subjects().end(), [&](const auto& one) {
      return one->contract() == contract.name && one->kind() == subject_kind::alternative &&
             one->traits().features.empty();
    });
    if (!has_least)
      complaints.push_back(
          contract.name +
          " has no least subject: an alternative that claims nothing, and offers the smallest "
          "that the contract allows");
    for (const feature_info& feature : contract.features) {
      const bool claimed = std::any_of(all.subjects().begin(), all.subjects().end(), [&](const auto& one) {
        return one->contract() == contract.name && one->kind() != subject_kind::reference &&
               one->kind() != subject_kind::mutant && one->claims(feature.name);
      });
      if (!claimed)
        complaints.push_back("the feature '" + std::string(feature.name) + "' of " + contract.name +
                             " is claimed by no subject but the reference and mutants");
    }
  }
  return complaints;
}

}  // namespace assay
