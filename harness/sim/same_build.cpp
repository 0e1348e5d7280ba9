#include <assay/harness/sim/same_build.hpp>

namespace assay::must_be_built_with {

#define ASSAY_DETAIL_DEFINE(name) const char name = 0;
ASSAY_DETAIL_MARKS(ASSAY_DETAIL_DEFINE)

}  // namespace assay::must_be_built_with
