// Assembled services that are wrong in one known way each.
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/assembly/service/alternative.hpp>
#include <assay/scenarios/assembly/service/reference.hpp>

namespace assay {
namespace {

struct mutation {
  const char* name;
  const char* defect;
  std::vector<expected_failure> must_fail;
  std::vector<std::string> may_fail;
  bool service_defects::* flag;
};

struct mutations {
  mutations() {
    using d = service_defects;
    const std::vector<mutation> all = {
        {"drops_what_a_stopped_worker_holds",
         "an item in the hand of a worker that is stopped counts as processed",
         {{"INT-1", "every accepted item is in exactly one class"}},
         {"INT-2", "INT-3", "INT-6", "INT-7"},
         &d::drops_what_a_stopped_worker_holds},
        {"forgets_what_is_queued",
         "what is queued when the stop is over is not returned",
         {{"INT-1", "every accepted item is in exactly one class"}},
         {"INT-2", "INT-3", "INT-7", "INT-6", "INT-8"},
         &d::forgets_what_is_queued},
        {"accepts_while_it_drains",
         "what is submitted after the stop is accepted and never processed",
         {{"INT-1", ""}, {"INT-2", ""}},
         {"INT-3", "INT-7", "INT-8", "INT-9", "INT-6"},
         &d::accepts_while_it_drains},
        {"closes_in_order_of_opening",
         "resources close in the order in which they were opened",
         {{"INT-2", "the shutdown goes through its phases in order"}},
         {"INT-5", "INT-8"},
         &d::closes_in_order_of_opening},
        {"abandons_at_once",
         "workers that were asked to stop are not waited for",
         {{"INT-3", "nobody uses the sink after its close began"}},
         {"INT-1", "INT-2", "INT-6", "INT-7"},
         &d::abandons_at_once},
        {"has_no_bound",
         "the queue takes whatever comes",
         {{"INT-4", "more items are buffered than the capacity allows"}},
         {"INT-1", "INT-2", "INT-3", "INT-7"},
         &d::has_no_bound},
        {"reports_the_first_failure_only",
         "of several failures of the cleanup only the first is reported",
         {{"INT-5", "every failure of the cleanup is in the report, once"}},
         {},
         &d::reports_the_first_failure_only},
        {"waits_for_the_deaf",
         "the stop waits for workers that ignore it",
         {{"INT-6", "the stop takes no longer than its budgets"}},
         {},
         &d::waits_for_the_deaf},
        {"drain_overflows",
         "a drain without limit is added to the time, and is over at once",
         {{"INT-6", "what the drain has time for is processed"}},
         {},
         &d::drain_overflows},
        {"does_not_name_the_deaf",
         "workers that ignored the stop are not named",
         {{"INT-6", "workers that ignore the stop are named"}},
         {},
         &d::does_not_name_the_deaf},
        {"says_yes_to_a_cancelled_submit",
         "a submit that was cancelled says that its item was accepted",
         {{"INT-7", ""}},
         {"INT-1", "INT-2", "INT-3", "INT-8"},
         &d::keeps_the_item_of_a_cancelled_submit},
        {"ignores_an_early_stop",
         "a stop that comes before the service is ready is forgotten",
         {{"INT-8", "the service stops, whenever it is asked to"}},
         {"INT-7"},
         &d::ignores_an_early_stop},
        {"stays_ready",
         "readiness stays true until the end",
         {{"INT-9", "has said that it is not ready"}},
         {},
         &d::stays_ready},
        {"ready_a_turn_too_long",
         "the probe is told a turn later than everybody else that the service is not ready",
         {{"INT-9", "has said that it is not ready"}},
         {},
         &d::ready_a_turn_too_long},
        {"dies_at_the_stop",
         "liveness turns false when the stop begins",
         {{"INT-9", "a service that stops is alive"}},
         {},
         &d::dies_at_the_stop},
    };
    for (const mutation& one : all) {
      service_defects wrong;
      wrong.*one.flag = true;
      catalogue::instance().add(std::make_unique<subject<contract::service>>(
          one.name, subject_kind::mutant,
          subject_traits{.features = {"dead_letter"},
                         .defect = one.defect,
                         .must_fail = one.must_fail,
                         .may_fail = one.may_fail},
          [wrong](environment& env, const contract::service_config& config) {
            return std::make_unique<reference_service>(env.executor(), config, wrong);
          }));
    }
  }
};

const mutations registered;

// The reference lets nobody wait before it runs: this is the alternative's own.
const detail::registrar early_stop(std::make_unique<subject<contract::service>>(
    "an_early_stop_releases_nobody", subject_kind::mutant,
    subject_traits{.features = {"dead_letter"},
                   .defect = "a stop is an errand for the run, also if it never begins",
                   .must_fail = {{"INT-7", "a stop releases whoever waits"}}},
    [](environment& env, const contract::service_config& config) {
      return std::make_unique<list_service>(env.executor(), config,
                                            list_service_defect::early_stop_releases_nobody);
    }));

}  // namespace
}  // namespace assay
