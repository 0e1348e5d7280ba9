// The plug check of service.
#include <chrono>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::trial;
using assay::contract::service;

constexpr int failing = 2;

boost::asio::awaitable<void> process(trial& t, assay::plug& plug, int id) {
  plug.came_back("process", id);
  if (id == failing) t.raise("item 2");
  co_return;
}

boost::asio::awaitable<void> deliver(assay::plug& plug, int id) {
  plug.came_back("deliver", id);
  co_return;
}

boost::asio::awaitable<void> nothing() { co_return; }

ASSAY_PLUG_CHECK(service) {
  assay::plug plug(t);
  auto made = make();
  service::callbacks outside;
  outside.process = [&t, &plug](int id) { return process(t, plug, id); };
  outside.deliver = [&plug](int id) { return deliver(plug, id); };
  outside.open_sink = outside.close_sink = outside.open_store =
      outside.close_store = [] { return nothing(); };
  outside.event = [](std::string_view) {};
  plug.call("connect", [&] { made->connect(std::move(outside)); });
  auto run = t.start("run", made->run());
  co_await t.pass(10ms);
  co_await plug.ends("submit", made->submit(t.item(1)), 10ms);
  if (make.claims("dead_letter")) co_await plug.ends("submit", made->submit(t.item(failing)), 10ms);
  plug.call("ready", [&] { (void)made->ready(); });
  plug.call("live", [&] { (void)made->live(); });
  plug.call("buffered", [&] { (void)made->buffered(); });
  plug.call("request_stop", [&] { made->request_stop(); });
  co_await t.pass(1s);
  plug.require_ended(run);
  co_await plug.ends("submit", made->submit(t.item(3)));
  std::vector<item> left;
  plug.call("take_back", [&] { left = made->take_back(); });
  for (const item& one : left) plug.came_back("take_back", one.id());
}

}  // namespace
