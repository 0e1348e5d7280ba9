// The reference's coordinator behind the contract.
#include <assay/reference/lifecycle/graceful_shutdown.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/reference_adapter.hpp>

namespace assay {
namespace {

const detail::registrar plain(std::make_unique<subject<contract::graceful_shutdown>>(
    "reference", subject_kind::reference, subject_traits{.features = adapters::every_shutdown_feature()},
    [](environment& env, const contract::graceful_shutdown_config& config) {
      return std::make_unique<adapters::reference_shutdown>(env, config);
    }));

}  // namespace
}  // namespace assay
