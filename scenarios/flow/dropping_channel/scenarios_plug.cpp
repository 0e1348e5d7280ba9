// The plug check of dropping_channel.
#include <chrono>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::contract::drop_policy;
using assay::contract::dropping_channel;

ASSAY_PLUG_CHECK(dropping_channel) {
  assay::plug plug(t);
  auto channel = make({.capacity = 4});
  plug.call("send", [&] { (void)channel->send(t.item(1)); });
  plug.call("size", [&] { (void)channel->size(); });
  auto got = co_await plug.ends("receive", channel->receive());
  plug.came_back("receive", got.value().id());
  if (make.claims("hand_back")) {
    plug.call("hand_back", [&] { (void)channel->hand_back(std::move(got.value())); });
    got = co_await plug.ends("receive", channel->receive());
    plug.came_back("receive", got.value().id());
  }
  if (make.claims("try")) {
    plug.call("send", [&] { (void)channel->send(t.item(2)); });
    item taken;
    plug.call("try_receive", [&] { taken = channel->try_receive(); });
    if (taken) plug.came_back("try_receive", taken.id());
    plug.call("try_receive", [&] { (void)channel->try_receive(); });
  }
  if (make.claims("timed")) {
    plug.call("send", [&] { (void)channel->send(t.item(3)); });
    auto third = co_await plug.ends("receive_for", channel->receive_for(10ms), 10ms);
    plug.came_back("receive_for", third.value().id());
    co_await plug.ends("receive_for", channel->receive_for(10ms), 20ms);
  }
  if (make.claims("lag_report")) {
    plug.call("send", [&] { (void)channel->send(t.item(4)); });
    auto counted = co_await plug.ends("receive_counted", channel->receive_counted());
    plug.came_back("receive_counted", counted.value().one.id());
  }
  if (make.claims("statistics")) plug.call("statistics", [&] { (void)channel->statistics(); });
  if (make.claims("close")) {
    plug.call("close", [&] { channel->close(); });
    plug.call("send", [&] { (void)channel->send(t.item(5)); });
    co_await plug.ends("receive", channel->receive());
  }
  int id = 5;
  for (const auto& [name, policy] :
       {std::pair("oldest", drop_policy::oldest), std::pair("newest", drop_policy::newest),
        std::pair("reject", drop_policy::reject), std::pair("conflate", drop_policy::conflate)}) {
    if (!make.claims(name)) continue;
    auto full = make({.capacity = 1, .policy = policy});
    for (int i = 0; i < 2; ++i) plug.call("send", [&] { (void)full->send(t.item(++id)); });
    got = co_await plug.ends("receive", full->receive());
    plug.came_back("receive", got.value().id());
  }
}

}  // namespace
