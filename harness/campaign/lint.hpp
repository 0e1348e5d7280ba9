// What is asked of the catalogue of a whole standard, beyond catalogue::lint: that its scenarios were tried on more than
// the design that they were written beside.
#pragma once

#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>

namespace assay {

/// One complaint for each feature that is claimed by nobody but the reference and the mutants: whether its scenarios fit more
/// than one design, nobody has seen. And one for each contract without a least subject, which claims nothing: whether its core
/// asks for more than its texts, nobody has seen.
std::vector<std::string> lint_features(const catalogue& all);

}  // namespace assay
