// Random programs on a worker pool: submits, cancels and a drain. An accepted job is executed once, one that was not
// accepted never is, and the drain ends.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 6,  // workers, and room in the queue
    .verbs = {"submit", "cancel", "advance", "settle", "drain"},
    .a_values = 6,
    .b_values = 2,
    .steps_max = 18,
};

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> work_on(std::vector<int>& begun, int& running, int id) {
  ++running;
  begun.push_back(id);
  const std::exception_ptr failure = co_await failure_of(sleep_for(std::chrono::milliseconds(5 * (id % 3))));
  --running;
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

ASSAY_PROGRAM(worker_pool, "WPL-1", rules,
              .must_see = {"drain_forgets_the_queue", "a_cancelled_submit_runs_all_the_same",
                           "drain_waits_for_the_queue_only"}) {
  std::vector<int> begun;
  int running = 0;
  auto pool = make({.workers = 1 + steps.shape % 2, .queue_capacity = 1 + steps.shape / 2});
  contract::worker_pool::callbacks outside;
  outside.run = [&begun, &running](int id) { return work_on(begun, running, id); };
  pool->connect(std::move(outside));
  std::vector<operation<void>> submits;
  std::vector<operation<void>> drains;
  auto watch = t.watch([&drains, &running] {
    const bool early = !drains.empty() && drains[0].ended() && running > 0;
    return early ? "WPL-4: the drain ended while jobs ran" : std::string();
  });
  for (const program_step& step : steps.steps) {
    if (step.verb == 0) {
      const int id = static_cast<int>(submits.size()) + 1;
      submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
      if (step.b == 1) t.victim(submits.back());
    } else if (step.verb == 1 && !submits.empty()) {
      submits[step.a % submits.size()].cancel();
    } else if (step.verb == 2) {
      co_await t.advance(std::chrono::milliseconds(5 * step.a));
    } else if (step.verb == 3) {
      co_await t.settle();
    } else if (step.verb == 4 && drains.empty()) {
      drains.push_back(t.start("drain", pool->drain()));
    }
  }
  co_await t.advance(1s);
  if (drains.empty()) drains.push_back(t.start("drain", pool->drain()));
  co_await t.advance(1s);
  t.expect(drains[0].done(), "WPL-4: the drain ends");
  std::vector<int> accepted;
  for (std::size_t i = 0; i < submits.size(); ++i) {
    t.expect(submits[i].ended(), "a submit ends when the pool drains");
    if (submits[i].done()) accepted.push_back(static_cast<int>(i) + 1);
    if (!submits[i].done())
      t.expect(submits[i].cancelled() || submits[i].closed() || submits[i].rejected(),
               "a submit ends with an outcome of the contract");
  }
  for (const int id : accepted) {  // what is owed for each is taken
    if (!make.claims("handles")) break;
    const auto asked = co_await t.begin("outcome of " + std::to_string(id), pool->outcome(id));
    t.expect(asked.done() || asked.rejected(), "WPL-3: an accepted job's outcome is told");
  }
  t.expect_eq(sorted(begun), accepted, "WPL-1: accepted jobs are executed, once, and no others");
  t.expect(t.items().balanced(), "every job is accounted for", t.items().summary());
}

}  // namespace assay
