// The plug check of barrier.
#include <chrono>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace {

using namespace std::chrono_literals;

ASSAY_PLUG_CHECK(barrier) {
  assay::plug plug(t);
  auto alone = make({.parties = 1});
  co_await plug.ends("wait", alone->wait());
  if (make.claims("timed")) co_await plug.ends("wait_for", alone->wait_for(10ms), 20ms);
  auto barrier = make({.parties = 2});
  auto first = co_await t.begin("wait", barrier->wait());
  if (make.claims("statistics")) plug.call("waiting", [&] { (void)barrier->waiting(); });
  if (make.claims("abort")) {
    co_await plug.ends("abort", barrier->abort());
  } else {
    co_await plug.ends("wait", barrier->wait());
  }
  plug.require_ended(first);
  if (make.claims("reset")) co_await plug.ends("reset", barrier->reset());
  if (!make.claims("timed")) co_return;
  auto timed = make({.parties = 2});
  co_await plug.ends("wait_for", timed->wait_for(10ms), 20ms);
}

}  // namespace
