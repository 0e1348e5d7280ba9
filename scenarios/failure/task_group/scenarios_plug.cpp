// The plug check of task_group.
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/plug.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace {

using namespace std::chrono_literals;
using assay::trial;
using assay::contract::task_group;
using child = task_group::child;
namespace contract = assay::contract;

boost::asio::awaitable<void> fail(trial& t, std::string name) {
  co_await assay::sleep_for(1ms);
  t.raise(name);
}

boost::asio::awaitable<void> spawn_another(assay::plug& plug, task_group& group) {
  plug.call("spawn", [&] { (void)group.spawn(child("nested", [] { return assay::sleep_for(1ms); })); });
  co_return;
}

boost::asio::awaitable<void> report(task_group::ready_report ready) {
  (void)ready();
  co_return;
}

std::vector<child> one(child only) {
  std::vector<child> all;
  all.push_back(std::move(only));
  return all;
}

std::vector<child> pausing(std::chrono::nanoseconds duration) {
  return one(child("a", [duration] { return assay::sleep_for(duration); }));
}

std::vector<child> failing(trial& t) {
  return one(child("a", [&t] { return fail(t, "a fails"); }));
}

ASSAY_PLUG_CHECK(task_group) {
  assay::plug plug(t);
  auto group = make();
  co_await plug.ends("run", group->run(pausing(1ms)), 10ms);
  auto failed = make();
  co_await plug.ends("run", failed->run(failing(t)), 10ms);
  if (make.claims("body_failure")) {
    auto with_body = make();
    task_group::work body = [&t] { return fail(t, "the body fails"); };
    co_await plug.ends("run_with_body", with_body->run_with_body(pausing(5ms), std::move(body)), 10ms);
  }
  if (make.claims("dynamic_spawn")) {
    auto growing = make();
    auto run = t.start("run", growing->run(pausing(10ms)));
    co_await t.settle();
    plug.call("spawn", [&] { (void)growing->spawn(child("b", [] { return assay::sleep_for(1ms); })); });
    co_await t.pass(20ms);
    plug.require_ended(run);
  }
  if (make.claims("nested_spawn")) {
    auto nesting = make();
    task_group& known = *nesting;
    std::vector<child> spawning = one(child("a", [&plug, &known] { return spawn_another(plug, known); }));
    co_await plug.ends("run", nesting->run(std::move(spawning)), 10ms);
  }
  if (make.claims("close")) {
    auto closed = make();
    auto run = t.start("run", closed->run(pausing(10ms)));
    co_await t.settle();
    plug.call("close", [&] { closed->close(); });
    co_await t.pass(20ms);
    plug.require_ended(run);
  }
  if (make.claims("handles")) {
    auto handled = make();
    auto run = t.start("run", handled->run(pausing(1h)));
    co_await t.settle();
    auto join = co_await t.begin("join_child", handled->join_child("a"));
    plug.call("cancel_child", [&] { handled->cancel_child("a"); });
    co_await t.pass(10ms);
    plug.require_ended(join);
    plug.require_ended(run);
  }
  if (make.claims("own_cancel")) {
    auto stopped = make();
    auto run = t.start("run", stopped->run(pausing(1h)));
    co_await t.settle();
    plug.call("cancel", [&] { stopped->cancel(); });
    co_await t.pass(10ms);
    plug.require_ended(run);
  }
  if (make.claims("started")) {
    auto starting = make();
    auto run = t.start("run", starting->run(pausing(5ms)));
    co_await t.settle();
    task_group::starting_work work = [](task_group::ready_report ready) { return report(std::move(ready)); };
    co_await plug.ends("start", starting->start("b", std::move(work)), 1ms);
    co_await t.pass(10ms);
    plug.require_ended(run);
  }
  if (make.claims("split")) {
    auto split = make();
    std::vector<contract::failure_kind> kinds{contract::failure_kind::closed};
    task_group::part_taker taker = [](contract::failure_kind, const assay::outcome&) {};
    co_await plug.ends("run_split", split->run_split(pausing(1ms), std::move(kinds), std::move(taker)), 10ms);
  }
  if (make.claims("join_next")) {
    auto telling = make({.keeps_endings = true});
    auto run = t.start("run", telling->run(pausing(1ms)));
    co_await t.settle();
    co_await plug.ends("join_next", telling->join_next(), 10ms);
    co_await plug.ends("join_next", telling->join_next());
    plug.require_ended(run);
  }
  if (make.claims("collect")) {
    auto collecting = make({.collect = true});
    co_await plug.ends("run", collecting->run(failing(t)), 10ms);
  }
}

}  // namespace
