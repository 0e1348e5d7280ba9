// The plug check of graceful_shutdown.
#include <chrono>
#include <exception>
#include <string>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::trial;
using assay::contract::graceful_shutdown;
using assay::contract::shutdown_phase;

boost::asio::awaitable<void> serve(assay::plug& plug, item& one) {
  plug.came_back("admit", one.id());
  co_await assay::sleep_for(1ms);
}

graceful_shutdown::handler serving(assay::plug& plug) {
  return [&plug](item& one) { return serve(plug, one); };
}

graceful_shutdown::async_function pausing(std::chrono::nanoseconds duration) {
  return [duration] { return assay::sleep_for(duration); };
}

// The part of what one is told that is looked at is that it comes.
void listen(trial& t, graceful_shutdown& shutdown) {
  shutdown.observe([](shutdown_phase) {});
  shutdown.on_failure([&t](const std::string&, const std::exception_ptr& failure) { t.observe(failure); });
}

ASSAY_PLUG_CHECK(graceful_shutdown) {
  assay::plug plug(t);
  auto shutdown = make();
  plug.call("observe", [&] { listen(t, *shutdown); });
  if (make.claims("force")) plug.call("on_forced", [&] { shutdown->on_forced([](const std::string&) {}); });
  plug.call("add_resource", [&] { shutdown->add_resource("resource", pausing(1ms), pausing(1ms)); });
  plug.call("add_background", [&] { shutdown->add_background("background", pausing(1h)); });
  if (make.claims("callbacks")) {
    plug.call("add_callback", [&] { shutdown->add_callback("callback", [] {}); });
    plug.call("add_async_callback", [&] { shutdown->add_async_callback("later callback", pausing(1ms)); });
  }
  auto run = t.start("run", shutdown->run());
  co_await t.pass(1s);
  plug.call("ready", [&] { (void)shutdown->ready(); });
  plug.call("admit", [&] { shutdown->admit(t.item(1), serving(plug)); });
  co_await t.pass(10ms);
  if (make.claims("late_registration")) plug.call("late_policy", [&] { (void)shutdown->late_policy(); });
  if (make.claims("connections")) {
    int connection = 0;
    plug.call("open_connection", [&] { connection = shutdown->open_connection([](auto) {}); });
    plug.call("set_busy", [&] { shutdown->set_busy(connection, true); });
    plug.call("set_busy", [&] { shutdown->set_busy(connection, false); });
    plug.call("connection_closed", [&] { shutdown->connection_closed(connection); });
  }
  plug.call("request_stop", [&] { shutdown->request_stop(); });
  co_await t.pass(1s);
  if (make.claims("force")) plug.call("escalate", [&] { shutdown->escalate(); });
  co_await t.pass(1min);
  plug.require_ended(run);
  plug.call("admit", [&] { shutdown->admit(t.item(2), serving(plug)); });
  if (make.claims("signals")) {
    auto signalled = make();
    auto whole = t.start("run", signalled->run());
    co_await t.pass(1s);
    plug.call("signal", [&] { signalled->signal(); });
    co_await t.pass(1min);
    plug.require_ended(whole);
  }
}

}  // namespace
