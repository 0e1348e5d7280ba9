// Coordinators that keep the standard and are deliberately different from the reference: the suite may not be
// stricter than its text.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/bendable.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {
namespace {

using adapters::shutdown_manner;
using deadline = shutdown_manner::deadline;
using reporting = shutdown_manner::reporting;

std::unique_ptr<subject<contract::graceful_shutdown>> alternative(std::string name, shutdown_manner manner,
                                                                  std::vector<std::string> features) {
  return std::make_unique<subject<contract::graceful_shutdown>>(
      std::move(name), subject_kind::alternative, subject_traits{.features = std::move(features)},
      [manner](environment& env, const contract::graceful_shutdown_config& config) {
        return std::make_unique<adapters::bendable_shutdown>(env, config, manner);
      });
}

// What a coordinator can have that does not cancel work and bounds nothing.
std::vector<std::string> unforced() {
  return {"grace",   "callbacks",      "supervision", "restart", "shut_down_on_failure", "late_registration",
          "signals", "stop_on_cancel", "connections"};
}
std::vector<std::string> forced() {
  std::vector<std::string> features = unforced();
  features.insert(features.end(), {"force", "budgets"});
  return features;
}

const detail::registrar plain(alternative("plain_shutdown", {}, [] {
  std::vector<std::string> features = forced();
  features.emplace_back("cancel_escalates");
  return features;
}()));

// A second cancel of run() is one more request; what work fails with waits for the report, what a callback
// fails with is told at once.
const detail::registrar reports_work(alternative("reports_work",
                                                 {.reports = reporting::work, .cancel_escalates = false},
                                                 forced()));

// The other way round, and several turns before anything.
const detail::registrar reports_cleanup(alternative(
    "reports_cleanup", {.reports = reporting::cleanup, .cancel_escalates = false, .turns = 3}, forced()));

// At the drain deadline, work that is left ends by itself, however long that takes; or it is asked to stop,
// with nobody who would not wait for it; or it is left alone, and named.
const detail::registrar waits(alternative("waits_for_work", {.at_deadline = deadline::wait}, unforced()));
const detail::registrar cancels(alternative("waits_for_cancelled_work",
                                            {.at_deadline = deadline::cancel_and_wait}, unforced()));
const detail::registrar leaves(alternative("leaves_work_alone", {.at_deadline = deadline::leave, .turns = 2},
                                           unforced()));

}  // namespace
}  // namespace assay
