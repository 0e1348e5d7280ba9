#include <assay/reference/failure/task_group.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/reference/core/split_failures.hpp>
#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

asio::awaitable<void> fail_at(gate& g, std::string what) {
  co_await g.wait();
  throw std::runtime_error(what);
}

asio::awaitable<void> fail_at_once(std::string what) {
  throw std::runtime_error(what);
  co_return;
}

asio::awaitable<void> linger_when_cancelled(gate& work, gate& cleanup, trail& log) {
  try {
    co_await visit(work, log, "work");
  } catch (...) {
  }
  co_await hold_requests;
  co_await shield(visit(cleanup, log, "cleanup"));
}

asio::awaitable<void> keep(std::shared_ptr<int> owned, gate& g) {
  co_await g.wait();
  EXPECT_TRUE(owned);
}

asio::awaitable<void> note(trail& log, std::string name) {
  log.push_back(name);
  co_return;
}

/// "name: text" of every failure in the aggregate that `failure` must be.
trail failures_in(const std::exception_ptr& failure) {
  trail all;
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const exception_group& group) {
    for (const task_failure& each : group.failures()) all.push_back(each.name + ": " + describe(each.error));
  } catch (...) {
    all.push_back("no exception_group");
  }
  return all;
}

struct task_group_test : ::testing::Test {
  asio::io_context context;
  gate a, b;
  trail log;
  task_group group{context.get_executor()};
};

TEST_F(task_group_test, never_runs_a_task_inside_spawn) {
  EXPECT_TRUE(group.spawn("child", note(log, "ran")));
  EXPECT_TRUE(log.empty());
  operation join(context, group.join());
  EXPECT_EQ(log, (trail{"ran"}));
  EXPECT_TRUE(join.succeeded());
}

asio::awaitable<void> spawn_and_look(task_group& group, trail& log, std::size_t& seen) {
  EXPECT_TRUE(group.spawn("child", note(log, "ran")));
  seen = log.size();
  co_return;
}

TEST_F(task_group_test, never_runs_a_task_inside_spawn_called_by_a_task) {
  std::size_t seen = 1;
  EXPECT_TRUE(group.spawn("parent", spawn_and_look(group, log, seen)));
  operation join(context, group.join());
  EXPECT_EQ(seen, 0u);
  EXPECT_EQ(log, (trail{"ran"}));
}

TEST_F(task_group_test, may_be_asked_to_stop_from_outside_the_loop_when_a_task_is_about_to_end) {
  EXPECT_TRUE(group.spawn("waits", visit(a, log, "waits")));
  settle(context);
  a.open();
  group.request_cancel();
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
  EXPECT_EQ(log, (trail{"waits done"}));
}

TEST_F(task_group_test, keeps_waiting_however_often_it_is_cancelled) {  // TG-9
  gate cleanup;
  EXPECT_TRUE(group.spawn("lingers", linger_when_cancelled(a, cleanup, log)));
  operation join(context, group.join());
  for (int request = 0; request < 3; ++request) {
    join.cancel();
    settle(context);
    EXPECT_TRUE(join.pending());
  }
  cleanup.open();
  settle(context);
  EXPECT_TRUE(join.cancelled());
  EXPECT_EQ(log, (trail{"work cancelled", "cleanup done"}));
}

asio::awaitable<void> join_and_look(task_group& group, bool& throwing) {
  try {
    co_await group.join();
  } catch (const exception_group&) {
  }
  throwing = co_await asio::this_coro::throw_if_cancelled();
}

TEST_F(task_group_test, gives_the_switch_back_when_it_is_joined) {
  bool throwing = false;
  EXPECT_TRUE(group.spawn("fails", fail_at_once("broken")));
  operation join(context, join_and_look(group, throwing));
  EXPECT_TRUE(throwing);
}

asio::awaitable<void> observe(task_group& group, std::shared_ptr<int>& owned, long& uses) {
  co_await group.join();
  uses = owned.use_count();
}

TEST_F(task_group_test, joins_after_the_parameters_of_its_tasks_are_gone) {  // TG-11, X-19
  auto owned = std::make_shared<int>(1);
  long uses = 0;
  EXPECT_TRUE(group.spawn("owner", keep(owned, a)));
  operation join(context, observe(group, owned, uses));
  EXPECT_EQ(owned.use_count(), 2);
  a.open();
  settle(context);
  EXPECT_EQ(uses, 1);
}

asio::awaitable<void> cancel_own_group(task_group& group) {
  group.request_cancel();
  co_return;
}

TEST_F(task_group_test, ends_normally_when_a_task_asks_the_group_to_stop) {  // X-7; Asio's changelog 1.30.2
  EXPECT_TRUE(group.spawn("waits", visit(a, log, "waits")));
  EXPECT_TRUE(group.spawn("stops all", cancel_own_group(group)));
  EXPECT_TRUE(group.spawn("not begun", note(log, "ran")));
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
  EXPECT_EQ(log, (trail{"waits cancelled"}));
}

TEST_F(task_group_test, survives_tasks_that_end_inside_the_request) {  // TG-2, TG-11
  for (const char* const name : {"one", "two", "three"})
    EXPECT_TRUE(group.spawn(name, end_inside_the_request()));
  EXPECT_TRUE(group.spawn("fails", fail_at(a, "first")));
  operation join(context, group.join());
  a.open();
  settle(context);
  EXPECT_EQ(failures_in(join.failure()), (trail{"fails: first"}));
  EXPECT_EQ(group.size(), 0u);
}

TEST_F(task_group_test, does_not_begin_tasks_that_were_cancelled_before_the_loop_ran) {
  EXPECT_TRUE(group.spawn("not begun", note(log, "ran")));
  group.request_cancel();
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
  EXPECT_TRUE(log.empty());
}

asio::awaitable<void> cancelled_owner(task_group& group, gate& g) {
  try {
    co_await g.wait();
  } catch (...) {
  }
  co_await hold_requests;
  co_await group.join();
}

TEST_F(task_group_test, takes_no_task_once_it_was_joined_and_all_have_ended) {  // TG-7
  EXPECT_TRUE(group.spawn("waits", visit(a, log, "waits")));
  operation join(context, group.join());
  EXPECT_TRUE(group.is_accepting());
  a.open();
  context.restart();
  while (group.size() > 0) context.poll_one();
  EXPECT_TRUE(join.pending()) << "the joiner has yet to hear of it";
  EXPECT_FALSE(group.spawn("late", note(log, "ran")));
  settle(context);
  EXPECT_TRUE(join.succeeded());
  EXPECT_EQ(log, (trail{"waits done"}));
}

TEST_F(task_group_test, numbers_its_tasks_in_the_order_of_their_spawning) {  // TG-3
  for (const char* const name : {"one", "two", "three"}) EXPECT_TRUE(group.spawn(name, fail_at(a, name)));
  operation join(context, group.join());
  a.open();
  settle(context);
  try {
    std::rethrow_exception(join.failure());
  } catch (const exception_group& failed) {
    ASSERT_EQ(failed.failures().size(), 3u);
    for (const task_failure& each : failed.failures())
      EXPECT_EQ(each.name, (trail{"one", "two", "three"}).at(each.index));
  }
}

TEST_F(task_group_test, takes_no_task_once_it_was_joined_empty) {  // TG-7, TG-10
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
  EXPECT_FALSE(group.spawn("late", note(log, "ran")));
  operation again(context, group.join());
  EXPECT_TRUE(again.failed_with<std::logic_error>());
}

TEST_F(task_group_test, is_asked_to_stop_when_it_is_joined_in_a_cancelled_scope) {  // TG-9
  gate begun;
  EXPECT_TRUE(group.spawn("waits", visit(a, log, "waits")));
  operation owner(context, scope(cancelled_owner(group, begun)));
  owner.cancel();
  settle(context);
  EXPECT_TRUE(owner.cancelled());
  EXPECT_EQ(log, (trail{"waits cancelled"}));
}

asio::awaitable<void> run_late(gate& g, trail& log) {
  try {
    co_await g.wait();
  } catch (...) {
  }
  co_await hold_requests;
  co_await run_task_group([&log](task_group&) {
    log.push_back("called");
    return note(log, "ran");
  });
}

TEST_F(task_group_test, runs_nobody_in_a_cancelled_scope) {
  operation owner(context, scope(run_late(a, log)));
  owner.cancel();
  settle(context);
  EXPECT_TRUE(owner.cancelled());
  EXPECT_TRUE(log.empty());
}

TEST(task_group, tells_the_hook_of_failures_that_nobody_joined) {
  asio::io_context context;
  trail unhandled;
  {
    task_group_options options;
    options.unhandled = [&unhandled](const task_failure& failure) { unhandled.push_back(failure.name); };
    task_group group(context.get_executor(), options);
    EXPECT_TRUE(group.spawn("fails", fail_at_once("broken")));
    settle(context);
  }
  EXPECT_EQ(unhandled, (trail{"fails"}));
}

TEST(task_group, detects_that_it_is_destroyed_before_its_tasks_ended) {
  counting_violations violations;
  asio::io_context context;
  gate a;
  {
    task_group group(context.get_executor());
    EXPECT_TRUE(group.spawn("parked", a.wait()));
    settle(context);
  }
  EXPECT_EQ(violations.count(), 1);
}

TEST(task_group, dies_with_its_context_and_everybody_parked) {
  counting_violations violations;
  gate a;
  auto owned = std::make_shared<int>(1);
  std::unique_ptr<task_group> outside;
  {
    asio::io_context context;
    outside = std::make_unique<task_group>(context.get_executor());
    const auto handle = outside->spawn_with_handle("parked", keep(owned, a));
    operation watching(context, handle->join());
    auto never = [&](task_group::ready_report) { return keep(owned, a); };
    operation start(context, outside->start("parked", never));
    operation join(context, outside->join());
    operation run(context, run_task_group([&](task_group& tasks) -> asio::awaitable<void> {
                    EXPECT_TRUE(tasks.spawn("parked", keep(owned, a)));
                    co_await a.wait();
                  }));
    EXPECT_EQ(a.waiters.size(), 4u);
  }
  EXPECT_EQ(owned.use_count(), 1);
  outside.reset();
  EXPECT_EQ(violations.count(), 0);
}

asio::awaitable<void> report_and_wait(task_group::ready_report ready, gate& before, gate& after, trail& log) {
  co_await before.wait();
  log.push_back(ready() ? "ready" : "too late");
  co_await after.wait();
}

TEST_F(task_group_test, hands_out_handles_that_may_outlive_it) {  // TG-14, TG-22
  std::optional<task_group::task_handle> handle;
  auto owned = std::make_shared<int>(1);
  {
    task_group short_lived(context.get_executor());
    handle = short_lived.spawn_with_handle("keeps", keep(owned, a));
    ASSERT_TRUE(handle);
    operation join(context, short_lived.join());
    EXPECT_FALSE(handle->has_ended());
    a.open();
    settle(context);
    EXPECT_TRUE(join.succeeded());
  }
  EXPECT_EQ(owned.use_count(), 1) << "a handle keeps nothing of what the task owned";
  EXPECT_TRUE(handle->has_ended());
  handle->request_cancel();
  operation late(context, handle->join());
  EXPECT_EQ(late.value(), task_end::well);
}

TEST_F(task_group_test, survives_a_task_that_ends_inside_the_request_of_its_handle) {  // TG-14
  auto handle = group.spawn_with_handle("one", end_inside_the_request());
  ASSERT_TRUE(handle);
  operation join(context, group.join());
  handle->request_cancel();
  settle(context);
  EXPECT_TRUE(handle->has_ended());
  EXPECT_TRUE(join.succeeded());
}

TEST_F(task_group_test, gives_no_handle_when_it_takes_no_task) {  // TG-7
  group.close();
  EXPECT_FALSE(group.spawn_with_handle("late", note(log, "ran")));
  settle(context);
  EXPECT_TRUE(log.empty());
}

TEST_F(task_group_test, gives_the_switch_back_after_a_start) {
  operation start(context,
                  [](task_group& tasks, gate& before, gate& after, trail& seen) -> asio::awaitable<void> {
                    auto work = [&](task_group::ready_report ready) {
                      return report_and_wait(ready, before, after, seen);
                    };
                    co_await tasks.start("starts", work);
                    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
                    EXPECT_TRUE(throwing);
                  }(group, a, b, log));
  a.open();
  settle(context);
  EXPECT_TRUE(start.succeeded());
  b.open();
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
  EXPECT_EQ(log, (trail{"ready"}));
}

TEST_F(task_group_test, ignores_a_report_of_a_task_that_has_ended) {  // TG-20
  std::optional<task_group::ready_report> kept;
  auto work = [&](task_group::ready_report ready) {
    kept = ready;
    return note(log, "ran");
  };
  operation start(context, group.start("starts", work));
  EXPECT_TRUE(start.failure());
  EXPECT_FALSE((*kept)());
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
}

TEST(task_group, refuses_tasks_until_it_is_entered) {  // TG-19
  asio::io_context context;
  trail log;
  task_group_options options;
  options.waits_for_entry = true;
  task_group group(context.get_executor(), options);
  EXPECT_FALSE(group.spawn("early", note(log, "ran")));
  EXPECT_TRUE(group.enter());
  EXPECT_FALSE(group.enter());
  EXPECT_TRUE(group.spawn("in time", note(log, "ran")));
  operation join(context, group.join());
  EXPECT_TRUE(join.succeeded());
}

TEST(task_group, detects_that_it_is_destroyed_under_somebody_who_waits_for_an_ending) {
  counting_violations violations;
  asio::io_context context;
  gate a;
  auto group = std::make_unique<task_group>(context.get_executor());
  EXPECT_TRUE(group->spawn("parked", a.wait()));
  operation next(context, group->join_next());
  group.reset();
  EXPECT_EQ(violations.count(), 2);
}

struct odd : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST(split_failures, keeps_what_it_does_not_touch) {  // TG-15
  const auto a = std::make_exception_ptr(odd("a"));
  const auto b = std::make_exception_ptr(std::runtime_error("b"));
  const auto inner = std::make_exception_ptr(exception_group({{"b", 0, b}, {"a", 1, a, true}}));
  const auto all = std::make_exception_ptr(exception_group({{"first", 0, inner}, {"second", 1, b}}));
  const failure_parts parts = split_failures(all, is_a<odd>);
  EXPECT_EQ(failures_in(parts.matching), (trail{"first: 1 failure: a (secondary): a"}));
  EXPECT_EQ(failures_in(parts.rest), (trail{"first: 1 failure: b: b", "second: b"}));
  EXPECT_EQ(split_failures(b, is_a<odd>).rest, b);
  EXPECT_EQ(split_failures(a, is_a<odd>).matching, a);
  EXPECT_EQ(split_failures(parts.rest, is_a<odd>).rest, parts.rest)
      << "a part that is everything is the group itself";
  EXPECT_FALSE(split_failures(nullptr, is_a<odd>).rest);
}

}  // namespace
}  // namespace assay::reference::test
