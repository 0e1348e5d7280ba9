// The plug check of semaphore.
#include <chrono>
#include <memory>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace {

using namespace std::chrono_literals;

ASSAY_PLUG_CHECK(semaphore) {
  assay::plug plug(t);
  const std::size_t many = make.claims("weighted") ? 2 : 1;
  auto semaphore = make({.limit = 2});
  co_await plug.ends("acquire", semaphore->acquire(many));
  if (make.claims("value")) plug.call("available", [&] { (void)semaphore->available(); });
  if (make.claims("statistics")) plug.call("waiting", [&] { (void)semaphore->waiting(); });
  plug.call("release", [&] { semaphore->release(many); });
  if (make.claims("try")) {
    bool taken = false;
    plug.call("try_acquire", [&] { taken = semaphore->try_acquire(); });
    if (taken) plug.call("release", [&] { semaphore->release(); });
  }
  if (make.claims("guarded")) {
    co_await plug.ends("run", semaphore->run([] { return assay::sleep_for(5ms); }), 5ms);
  }
  if (make.claims("borrowers")) {
    co_await plug.ends("acquire_as", semaphore->acquire_as(7));
    plug.call("release_as", [&] { semaphore->release_as(7); });
  }
  if (make.claims("permit_objects")) {
    auto taking = co_await plug.ends("acquire_permit", semaphore->acquire_permit(1));
    (void)taking;
  }
  if (make.claims("resizable")) plug.call("set_limit", [&] { semaphore->set_limit(3); });
  if (make.claims("bounded")) plug.call("release", [&] { semaphore->release(); });

  auto busy = make({.limit = 1});
  co_await plug.ends("acquire", busy->acquire());
  if (make.claims("timed")) co_await plug.ends("acquire_for", busy->acquire_for(1, 10ms), 20ms);
  if (make.claims("reject_oversize") && make.claims("weighted")) {
    co_await plug.ends("acquire", busy->acquire(2));
  }
  auto wait = co_await t.begin("acquire", busy->acquire());
  if (make.claims("cancel_all")) plug.call("cancel_all", [&] { busy->cancel_all(); });
  co_await t.cancel(wait);
  plug.require_ended(wait);
  if (make.claims("priority")) {
    auto urgent = co_await t.begin("acquire_urgently", busy->acquire_urgently(5));
    co_await t.cancel(urgent);
    plug.require_ended(urgent);
  }
  if (make.claims("bulkhead")) {
    auto bulkhead = make({.limit = 1, .waiting_max = 0});
    co_await plug.ends("acquire", bulkhead->acquire());
    co_await plug.ends("acquire", bulkhead->acquire());
  }
  if (make.claims("closable")) {
    plug.call("close", [&] { busy->close(); });
    co_await plug.ends("acquire", busy->acquire());
  }
}

}  // namespace
