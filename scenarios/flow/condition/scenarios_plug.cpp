// The plug check of condition.
#include <chrono>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/condition/contract.hpp>

namespace {

using namespace std::chrono_literals;

ASSAY_PLUG_CHECK(condition) {
  assay::plug plug(t);
  assay::contract::condition::work shortly = [] { return assay::sleep_for(5ms); };
  auto condition = make();
  co_await plug.ends("hold", condition->hold(shortly), 5ms);
  co_await plug.ends("notify", condition->notify(1));
  co_await plug.ends("notify_all", condition->notify_all());
  co_await plug.ends("change", condition->change(2, 1));
  plug.call("number", [&] { (void)condition->number(); });
  co_await plug.ends("wait_until", condition->wait_until(2, shortly), 5ms);
  if (make.claims("timed")) co_await plug.ends("wait_for", condition->wait_for(10ms, shortly), 20ms);
  if (make.claims("checked_lock")) co_await plug.ends("wait_without", condition->wait_without());
  const bool notifies = make.claims("plain_notify") || make.claims("notify_needs_lock");
  if (notifies) plug.call("notify_now", [&] { condition->notify_now(1); });
  if (notifies) plug.call("notify_all_now", [&] { condition->notify_all_now(); });
  if (make.claims("status")) plug.call("is_locked", [&] { (void)condition->is_locked(); });
  if (make.claims("statistics")) plug.call("waiting", [&] { (void)condition->waiting(); });

  auto wait = co_await t.begin("wait", condition->wait(shortly));
  co_await plug.ends("notify_all", condition->notify_all());
  co_await t.pass(5ms);
  plug.require_ended(wait);
  auto cancelled = co_await t.begin("wait", condition->wait(shortly));
  co_await t.cancel(cancelled);
  co_await t.pass(5ms);
  plug.require_ended(cancelled);

  if (!make.claims("manual")) co_return;
  co_await plug.ends("lock", condition->lock());
  auto held = co_await t.begin("wait_held", condition->wait_held());
  co_await plug.ends("lock", condition->lock());
  plug.call("notify_now", [&] { condition->notify_now(1); });
  plug.call("notify_all_now", [&] { condition->notify_all_now(); });
  plug.call("unlock", [&] { condition->unlock(); });
  co_await t.settle();
  plug.require_ended(held);
  if (make.claims("timed")) co_await plug.ends("wait_held_for", condition->wait_held_for(10ms), 10ms);
  plug.call("unlock", [&] { condition->unlock(); });
}

}  // namespace
