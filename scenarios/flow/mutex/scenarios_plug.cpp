// The plug check of mutex.
#include <chrono>
#include <memory>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>
#include <assay/scenarios/flow/mutex/stay.hpp>

namespace {

using namespace std::chrono_literals;

ASSAY_PLUG_CHECK(mutex) {
  assay::plug plug(t);
  assay::stay held;
  auto mutex = make();
  co_await plug.ends("run", mutex->run([] { return assay::sleep_for(5ms); }), 5ms);
  if (make.claims("manual")) {
    co_await plug.ends("lock", mutex->lock());
    plug.call("unlock", [&] { mutex->unlock(); });
    bool locked = false;
    if (make.claims("try")) plug.call("try_lock", [&] { locked = mutex->try_lock(); });
    if (locked) plug.call("unlock", [&] { mutex->unlock(); });
    const bool may_be_wrong = make.claims("checked_unlock") || make.claims("idempotent_unlock");
    if (may_be_wrong) plug.call("unlock", [&] { mutex->unlock(); });
    if (make.claims("priority")) {
      co_await plug.ends("lock_urgently", mutex->lock_urgently(5));
      plug.call("unlock", [&] { mutex->unlock(); });
    }
  }
  if (make.claims("owner_checked")) {
    co_await plug.ends("lock_as", mutex->lock_as(1));
    if (make.claims("status")) plug.call("holder", [&] { (void)mutex->holder(); });
    plug.call("unlock_as", [&] { mutex->unlock_as(1); });
  }
  if (make.claims("status")) plug.call("is_locked", [&] { (void)mutex->is_locked(); });
  if (make.claims("statistics")) plug.call("waiting", [&] { (void)mutex->waiting(); });
  if (make.claims("wait_unlocked")) co_await plug.ends("wait_unlocked", mutex->wait_unlocked());
  if (make.claims("guard_objects")) co_await plug.ends("lock_guarded", mutex->lock_guarded());

  auto busy = make();
  auto holder = co_await t.begin("run", busy->run([&held] { return assay::stay_in(held); }));
  if (make.claims("timed")) {
    co_await plug.ends("run_for", busy->run_for(10ms, [] { return assay::sleep_for(5ms); }), 20ms);
  }
  auto wait = co_await t.begin("run", busy->run([] { return assay::sleep_for(5ms); }));
  if (make.claims("cancel_all")) plug.call("cancel_all", [&] { busy->cancel_all(); });
  co_await t.cancel(wait);
  plug.require_ended(wait);
  held.leave();
  co_await t.settle();
  plug.require_ended(holder);
  if (make.claims("owner_death") && make.claims("owner_checked")) {
    co_await plug.ends("lock_as", busy->lock_as(1));
    plug.call("end_owner", [&] { busy->end_owner(1); });
    co_await plug.ends("lock_as", busy->lock_as(2));
  }
}

}  // namespace
