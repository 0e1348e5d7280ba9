// The plug check of event.
#include <chrono>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::contract::event_form;

ASSAY_PLUG_CHECK(event) {
  assay::plug plug(t);
  auto event = make();
  plug.call("set", [&] { event->set(); });
  plug.call("is_set", [&] { (void)event->is_set(); });
  co_await plug.ends("wait", event->wait());
  if (make.claims("clear")) plug.call("clear", [&] { event->clear(); });
  if (make.claims("thread_set")) plug.call("set_from_outside", [&] { event->set_from_outside(); });
  if (make.claims("statistics")) plug.call("waiting", [&] { (void)event->waiting(); });
  co_await t.settle();
  if (make.claims("timed")) {
    auto unset = make();
    co_await plug.ends("wait_for", unset->wait_for(10ms), 20ms);
  }
  if (make.claims("auto_reset")) {
    auto automatic = make({.form = event_form::auto_reset});
    auto freed = co_await t.begin("wait", automatic->wait());
    plug.call("broadcast", [&] { automatic->broadcast(); });
    co_await t.settle();
    (void)freed.what();
  }
  if (make.claims("latch")) {
    auto latch = make({.form = event_form::latch});
    plug.call("set", [&] { latch->set(); });
  }
}

}  // namespace
