// For a build without what is wrong on purpose.
#include <assay/scenarios/planted/planted.hpp>

namespace assay {

const std::vector<planted_bug>& planted_bugs() {
  static const std::vector<planted_bug> none;
  return none;
}

}  // namespace assay
