// The clauses of bounded_queue, each beside the scenario that checks it.
#include "scenarios/flow/bounded_queue/contract.hpp"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "harness/campaign/catalogue.hpp"
#include "harness/trial/trial.hpp"

ASSAY_PART(bounded_queue_scenarios)

namespace {

using namespace std::chrono_literals;

ASSAY_CONTRACT(bounded_queue, "flow", "FIFO with backpressure, join and close");

ASSAY_CLAUSE(
    bounded_queue, "BQ-6", must,
    "A cancelled pending push leaves no item and no lost slot; the next parked pusher keeps its place.",
    .swept = true) {
  auto queue = make({.capacity = 1});
  co_await queue->push(t.item(1));
  auto second = t.start("push 2", queue->push(t.item(2)));
  t.victim(second);
  co_await t.settle();
  auto third = t.start("push 3", queue->push(t.item(3)));
  co_await t.settle();
  t.expect(third.pending(), "a push into a full queue waits");
  second.cancel();
  co_await t.settle();
  t.expect(second.cancelled(), "the cancelled push ends as cancelled");
  auto first = co_await queue->pop();
  t.expect_eq(first.id(), 1, "the first item is still the first");
  co_await t.settle();
  t.expect(third.done(), "the next parked pusher gets the slot");
  auto next = co_await queue->pop();
  t.expect_eq(next.id(), 3, "the cancelled push left no item");
  t.expect_eq(queue->size(), 0U, "nothing else is in the queue");
}

}  // namespace
