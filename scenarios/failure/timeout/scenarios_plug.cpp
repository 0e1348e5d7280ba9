// The plug check of timeout.
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/failure/timeout/actors.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::timed::acts;

std::vector<assay::contract::timeout::work> two(assay::trial& t) {
  std::vector<assay::contract::timeout::work> all;
  all.push_back(acts(t, "a", {.takes = 1ms}));
  all.push_back(acts(t, "b", {.takes = 3ms}));
  return all;
}

ASSAY_PLUG_CHECK(timeout) {
  assay::plug plug(t);
  auto timeout = make();
  co_await plug.ends("run_for", timeout->run_for(10ms, acts(t, "a", {.takes = 1ms})), 20ms);
  co_await plug.ends("run_for", timeout->run_for(10ms, acts(t, "a", {.takes = 15ms})), 20ms);
  co_await plug.ends("run_for", timeout->run_for(10ms, acts(t, "a", {.takes = 1ms, .fails = true})), 20ms);
  if (make.claims("fallback"))
    co_await plug.ends("run_for_or", timeout->run_for_or(10ms, acts(t, "a", {.takes = 1ms})), 20ms);
  if (make.claims("deadline")) {
    plug.call("set_deadline", [&] { timeout->set_deadline(10ms); });
    co_await plug.ends("run_by_deadline", timeout->run_by_deadline(acts(t, "a", {.takes = 1ms})), 20ms);
  }
  if (make.claims("nested"))
    co_await plug.ends("run_nested", timeout->run_nested(10ms, 5ms, acts(t, "a", {.takes = 1ms})), 20ms);
  if (make.claims("race")) {
    auto race = timeout->race(two(t), [](std::int64_t) {});
    co_await plug.ends("race", std::move(race), 20ms);
  }
  if (make.claims("partial_wait")) {
    plug.call("begin_operation", [&] { timeout->begin_operation(acts(t, "a", {.takes = 1ms})); });
    co_await plug.ends("wait_some", timeout->wait_some(10ms), 20ms);
    co_await plug.ends("end_operations", timeout->end_operations(), 20ms);
  }
  if (make.claims("scope_handle")) {
    plug.call("open_scope", [&] { timeout->open_scope(10ms); });
    if (make.claims("reschedule")) plug.call("reschedule", [&] { (void)timeout->reschedule(10ms); });
    co_await plug.ends("run_scope", timeout->run_scope(acts(t, "a", {.takes = 1ms})), 20ms);
    if (make.claims("own_cancel")) {
      plug.call("open_scope", [&] { timeout->open_scope(10ms); });
      plug.call("stop_scope", [&] { timeout->stop_scope(); });
      co_await plug.ends("run_scope", timeout->run_scope(acts(t, "a", {})), 20ms);
    }
  }
  if (make.claims("shield")) {
    auto run = t.start("run_shielded", timeout->run_shielded(10ms, acts(t, "a", {.takes = 5ms})));
    co_await t.settle();
    if (make.claims("unshield")) plug.call("lift_shield", [&] { timeout->lift_shield(); });
    co_await t.pass(20ms);
    plug.require_ended(run);
  }
  if (make.claims("abandon")) {
    co_await plug.ends("run_or_abandon", timeout->run_or_abandon(10ms, acts(t, "a", {.takes = 1ms})), 20ms);
    plug.call("abandoned", [&] { (void)timeout->abandoned(); });
    co_await plug.ends("join_abandoned", timeout->join_abandoned(), 20ms);
  }
}

}  // namespace
