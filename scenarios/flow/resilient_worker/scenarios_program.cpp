// Random programs on a resilient worker: submits, processing that fails or takes long, workers that are cancelled and
// run again. No item may be lost.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 4,  // how processing and the dead-letter sink behave
    .verbs = {"submit", "run", "cancel", "advance", "settle"},
    .a_values = 6,
    .b_values = 2,
    .steps_max = 18,
};

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> process_one(trial& t, std::uint8_t shape, int id, std::uint32_t attempt) {
  co_await sleep_for(std::chrono::milliseconds(shape % 2 == 0 ? 5 : 20));
  if (shape < 2 || id % 2 == 0) co_return;
  const auto failure = t.plant("item " + std::to_string(id) + ", attempt " + std::to_string(attempt));
  t.observe(failure);  // the letter that follows carries it
  std::rethrow_exception(failure);
}

asio::awaitable<void> bury_one(std::uint8_t shape) {
  if (shape == 3) co_await sleep_for(5ms);
}

}  // namespace

ASSAY_PROGRAM(resilient_worker, "RWK-1", rules, .features = {"dead_letter"},
              .must_see = {"loses_what_it_was_cancelled_at", "hand_gap"}) {
  const std::uint8_t shape = steps.shape;
  auto worker = make({.capacity = 2});
  contract::resilient_worker::callbacks outside;
  outside.process = [&t, shape](int id, std::uint32_t attempt) { return process_one(t, shape, id, attempt); };
  outside.dead_letter = [shape](contract::given_up) { return bury_one(shape); };
  outside.lost = [](const contract::given_up&, const outcome&) {};
  worker->connect(std::move(outside));
  std::vector<operation<void>> submits;
  std::vector<operation<void>> runs;
  for (const program_step& step : steps.steps) {
    const std::string number = std::to_string(submits.size() + 1);
    if (step.verb == 0) {
      submits.push_back(
          t.start("submit " + number, worker->submit(t.item(static_cast<int>(submits.size()) + 1))));
    } else if (step.verb == 1 && runs.size() < 4) {
      runs.push_back(t.start("run " + std::to_string(runs.size() + 1), worker->run()));
      if (step.b == 1) t.victim(runs.back());
    } else if (step.verb == 2) {
      if (step.b == 0 && !runs.empty()) runs[step.a % runs.size()].cancel();
      if (step.b == 1 && !submits.empty()) submits[step.a % submits.size()].cancel();
    } else if (step.verb == 3) {
      co_await t.advance(std::chrono::milliseconds(5 * step.a));
    } else if (step.verb == 4) {
      co_await t.settle();
    }
  }
  co_await t.advance(50ms);
  for (const auto& run : runs) run.cancel();
  for (const auto& submit : submits) submit.cancel();
  co_await t.advance(10s);
  for (const auto& run : runs) t.expect(run.cancelled() || run.done(), "RWK-2: a cancelled worker ends");
  for (const auto& submit : submits) t.expect(submit.ended(), "a cancelled submit ends");
  const std::vector<item> rest = worker->take_back();
  t.expect(t.items().balanced(), "RWK-1: every item has exactly one fate", t.items().summary());
}

}  // namespace assay
