// The plug check of resilient_worker.
#include <chrono>
#include <cstdint>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::outcome;
using assay::trial;
using assay::contract::given_up;
using assay::contract::resilient_worker;

constexpr int failing = 2;

boost::asio::awaitable<void> process(trial& t, assay::plug& plug, int id) {
  plug.came_back("process", id);
  if (id == failing) t.raise("item 2");
  co_return;
}

boost::asio::awaitable<void> bury(assay::plug& plug, given_up letter) {
  plug.came_back("dead_letter", letter.id);
  co_return;
}

ASSAY_PLUG_CHECK(resilient_worker) {
  assay::plug plug(t);
  auto worker = make({.attempts_max = 1});
  resilient_worker::callbacks outside;
  outside.process = [&t, &plug](int id, std::uint32_t) { return process(t, plug, id); };
  outside.dead_letter = [&plug](given_up letter) { return bury(plug, std::move(letter)); };
  outside.lost = [&plug](const given_up& letter, const outcome&) { plug.came_back("lost", letter.id); };
  worker->connect(std::move(outside));
  auto run = t.start("run", worker->run());
  co_await plug.ends("submit", worker->submit(t.item(1)), 10ms);
  co_await plug.ends("submit", worker->submit(t.item(failing)), 10s);
  if (make.claims("join")) co_await plug.ends("join", worker->join());
  // Nothing else ends it.
  run.cancel();
  co_await t.pass(10ms);
  plug.require_ended(run);
  co_await plug.ends("submit", worker->submit(t.item(3)));
  std::vector<item> left;
  plug.call("take_back", [&] { left = worker->take_back(); });
  for (const item& one : left) plug.came_back("take_back", one.id());
}

}  // namespace
