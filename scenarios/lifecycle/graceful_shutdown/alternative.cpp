// A second, deliberately different coordinator that keeps the standard: the suite may not be stricter than
// its text.
#include "harness/campaign/catalogue.hpp"
#include "scenarios/lifecycle/graceful_shutdown/bendable.hpp"
#include "scenarios/lifecycle/graceful_shutdown/contract.hpp"

ASSAY_PART(graceful_shutdown_alternative)

namespace assay {
namespace {

const detail::registrar plain(std::make_unique<subject<contract::graceful_shutdown>>(
    "plain_shutdown", subject_kind::alternative,
    subject_traits{.features = {"grace", "force", "callbacks", "budgets", "supervision", "restart", "signals",
                                "shut_down_on_failure", "late_registration"}},
    [](environment& env, const contract::graceful_shutdown_config& config) {
      return std::make_unique<adapters::bendable_shutdown>(env, config);
    }));

}  // namespace
}  // namespace assay
