// Part of the archive of the project's own subjects. A program that links that archive whole (assay::subjects) has this
// file, and takes them all; one that links it for an adapter alone (assay::adapters) does not.
#include <assay/harness/catalogue/catalogue.hpp>

namespace assay {
namespace {

const struct takes_offered {
  takes_offered() { catalogue::instance().take_offered(); }
} taken;

}  // namespace
}  // namespace assay
