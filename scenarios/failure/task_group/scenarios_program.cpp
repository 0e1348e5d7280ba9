// Random programs on a task group: children of every temper, and cancels from outside. What must hold is short: the
// group ends, nobody lives longer than it, and every failure is told exactly once (the ledger of exceptions sees to that).
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 2,  // the second: swept, its run is the victim
    .verbs = {"child", "advance", "settle", "cancel"},
    .a_values = 6,
    .b_values = 4,
    .steps_max = 12,
    .one_run = true,
};

namespace asio = boost::asio;
using contract::task_group;
using namespace std::chrono_literals;

struct tally {
  std::size_t alive = 0;
};

// One child: what `temper` says, after `delay`.
asio::awaitable<void> live(trial& t, std::shared_ptr<tally> all, std::string name, std::uint8_t temper,
                           std::chrono::nanoseconds delay) {
  const counted alive(all, &tally::alive);
  if (temper == 0) co_return;
  if (temper == 1) t.raise(name + " at once");
  const std::exception_ptr failure = co_await failure_of(sleep_for(delay));
  if (failure && temper == 5) t.raise(name + " while it was cancelled");
  if (failure) std::rethrow_exception(failure);
  if (temper == 3) t.raise(name + " later");
  if (temper == 4) contract::throw_cancelled();
}

}  // namespace

ASSAY_PROGRAM(task_group, "X-15", rules,
              .must_see = {"keeps_only_the_first_failure", "abandons_children_when_cancelled",
                           "drops_failures_while_stopping"}) {
  const auto all = std::make_shared<tally>();
  auto group = make();
  std::vector<task_group::child> children;
  for (const program_step& step : steps.steps) {
    if (step.verb != 0) continue;
    const std::string name = "child " + std::to_string(children.size() + 1);
    const std::chrono::nanoseconds delay = std::chrono::milliseconds(5 * (1 + step.b));
    // A child that is dropped when it is asked to stop cannot fail then.
    const std::uint8_t temper = step.a == 5 && !make.claims("cleanup") ? std::uint8_t{2} : step.a;
    children.emplace_back(name, [&t, all, name, temper, delay] { return live(t, all, name, temper, delay); });
  }
  auto run = t.start("run", group->run(std::move(children)));
  if (steps.shape == 1) t.victim(run);
  for (const program_step& step : steps.steps) {
    if (step.verb == 1) co_await t.advance(std::chrono::milliseconds(5 * step.a));
    if (step.verb == 2) co_await t.settle();
    if (step.verb == 3) run.cancel();
    if (run.ended()) t.expect_eq(all->alive, 0, "TG-1: when the group has ended, so has every child");
  }
  co_await t.advance(1s);
  t.expect(run.ended(), "TG-1: the group ends when its children have");
  t.expect_eq(all->alive, 0, "TG-1: nobody outlives the group");
  const outcome seen = run.what();
  t.expect(seen.kind != outcome_kind::closed, "the outcome is one of the contract's", to_string(seen));
}

}  // namespace assay
