// Random programs on a lifespan: resources that start and stop well, fail, or take their time, and a cancel from outside.
// What started is stopped, once, in reverse order; what did not is not.
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 4,  // how the body behaves, and whether the run is swept
    .verbs = {"add", "cancel_at"},
    .a_values = 4,  // how a resource starts; or when the cancel comes
    .b_values = 3,  // how it stops
    .steps_max = 8,
    .one_run = true,
};

namespace asio = boost::asio;
using namespace std::chrono_literals;

struct log {
  std::vector<int> started;
  std::vector<int> stopped;
};

asio::awaitable<void> start_one(trial& t, log& seen, int id, std::uint8_t how) {
  if (how == 1 || how == 3) co_await sleep_for(5ms);
  if (how == 2 || how == 3) t.raise("start " + std::to_string(id));
  seen.started.push_back(id);
}

asio::awaitable<void> stop_one(trial& t, log& seen, int id, std::uint8_t how) {
  seen.stopped.push_back(id);
  if (how == 1) co_await sleep_for(5ms);
  if (how == 2) t.raise("stop " + std::to_string(id));
}

asio::awaitable<void> be_body(trial& t, std::uint8_t how) {
  co_await sleep_for(5ms);
  if (how % 2 == 1) t.raise("body");
}

}  // namespace

ASSAY_PROGRAM(lifespan, "LIF-1", rules,
              .must_see = {"closes_in_start_order", "stops_what_never_started",
                           "first_close_error_skips_the_rest"}) {
  log seen;
  auto life = make();
  int id = 0;
  std::chrono::nanoseconds cancel_at = -1ns;
  for (const program_step& step : steps.steps) {
    if (step.verb == 0) {
      ++id;
      life->add(
          "resource " + std::to_string(id),
          [&t, &seen, id, how = step.a] { return start_one(t, seen, id, how); },
          [&t, &seen, id, how = step.b] { return stop_one(t, seen, id, how); });
    } else {
      cancel_at = std::chrono::milliseconds(5 * step.a + step.b);
    }
  }
  auto run = t.start("run", life->run([&t, how = steps.shape] { return be_body(t, how); }));
  if (steps.shape >= 2) t.victim(run);
  if (cancel_at >= 0ns) {
    co_await t.advance(cancel_at);
    run.cancel();
  }
  co_await t.advance(1s);
  t.expect(run.ended(), "the run ends");
  std::vector<int> expected(seen.started.rbegin(), seen.started.rend());
  t.expect_eq(seen.stopped, expected, "what started is stopped, once, in reverse order");
  const outcome how = run.what();
  t.expect(how.kind != outcome_kind::pending, "with an outcome", to_string(how));
}

}  // namespace assay
