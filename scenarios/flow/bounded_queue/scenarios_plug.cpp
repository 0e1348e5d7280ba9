// The plug check of bounded_queue.
#include <chrono>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::contract::bounded_queue;

void take_out(assay::plug& plug, bounded_queue& queue) {
  item got;
  plug.call("try_pop", [&] { got = queue.try_pop(); });
  if (got) plug.came_back("try_pop", got.id());
}

ASSAY_PLUG_CHECK(bounded_queue) {
  assay::plug plug(t);
  auto queue = make({.capacity = 4});
  co_await plug.ends("push", queue->push(t.item(1)));
  plug.call("size", [&] { (void)queue->size(); });
  auto popped = co_await plug.ends("pop", queue->pop());
  plug.came_back("pop", popped.value().id());
  if (make.claims("hand_back")) {
    plug.call("hand_back", [&] { queue->hand_back(std::move(popped.value())); });
    popped = co_await plug.ends("pop", queue->pop());
    plug.came_back("pop", popped.value().id());
  }
  if (make.claims("requeue")) {
    plug.call("requeue", [&] { queue->requeue(std::move(popped.value())); });
    popped = co_await plug.ends("pop", queue->pop());
    plug.came_back("pop", popped.value().id());
  }
  if (make.claims("join")) {
    plug.call("done", [&] { queue->done(); });
    co_await plug.ends("join", queue->join());
  }
  if (make.claims("try")) {
    item second = t.item(2);
    plug.call("try_push", [&] { (void)queue->try_push(second); });
    take_out(plug, *queue);
    take_out(plug, *queue);
  }
  if (make.claims("timed")) {
    co_await plug.ends("push_for", queue->push_for(t.item(3), 10ms), 10ms);
    auto third = co_await plug.ends("pop_for", queue->pop_for(10ms), 10ms);
    plug.came_back("pop_for", third.value().id());
    co_await plug.ends("pop_for", queue->pop_for(10ms), 20ms);
  }
  if (make.claims("removal")) {
    co_await plug.ends("push", queue->push(t.item(4)));
    plug.call("drop_oldest", [&] { (void)queue->drop_oldest(); });
  }
  if (make.claims("close")) {
    plug.call("close", [&] { queue->close(); });
    co_await plug.ends("push", queue->push(t.item(5)));
    co_await plug.ends("pop", queue->pop());
    if (make.claims("try")) {
      item late = t.item(6);
      plug.call("try_push", [&] { (void)queue->try_push(late); });
      take_out(plug, *queue);
    }
    if (make.claims("timed")) {
      co_await plug.ends("push_for", queue->push_for(t.item(7), 10ms), 10ms);
      co_await plug.ends("pop_for", queue->pop_for(10ms), 10ms);
    }
  }
  if (make.claims("statistics")) plug.call("statistics", [&] { (void)queue->statistics(); });
  if (make.claims("close_now")) {
    auto emptied = make({.capacity = 4});
    co_await plug.ends("push", emptied->push(t.item(8)));
    std::vector<item> removed;
    plug.call("close_now", [&] { removed = emptied->close_now(); });
    for (const item& one : removed) plug.came_back("close_now", one.id());
  }
  if (make.claims("reject_zero")) plug.call("make", [&] { (void)make({.capacity = 0}); });
}

}  // namespace
