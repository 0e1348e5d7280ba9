#include <assay/reference/lifecycle/lifespan.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using namespace std::chrono_literals;

asio::awaitable<void> note(trail& log, std::string what) {
  co_await yield();
  log.push_back(std::move(what));
}

asio::awaitable<void> note_and_fail(trail& log, std::string what) {
  co_await yield();
  log.push_back(what);
  throw std::runtime_error(what);
}

asio::awaitable<void> ignore_requests(gate& g, trail& log, std::string name) {
  co_await shield(visit(g, log, std::move(name)));
}

trail failures_in(const std::exception_ptr& failure) {
  trail all;
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const exception_group& group) {
    for (const task_failure& each : group.failures())
      all.push_back(each.name + (each.secondary ? " too: " : ": ") + describe(each.error));
  } catch (...) {
    all.push_back("no exception_group");
  }
  return all;
}

struct lifespan_test : ::testing::Test {
  asio::io_context context;
  trail log;
  gate g, other;
  lifespan life{context.get_executor()};

  void add(const std::string& name) {
    life.add(
        name, [this, name] { return note(log, "start " + name); },
        [this, name] { return note(log, "stop " + name); });
  }
  lifespan::step noting(const std::string& what) {
    return [this, what] { return note(log, what); };
  }
  lifespan::step failing(const std::string& what) {
    return [this, what] { return note_and_fail(log, what); };
  }
  lifespan::step waiting(const std::string& what) {
    return [this, what] { return visit(g, log, what); };
  }
};

TEST_F(lifespan_test, starts_in_order_and_stops_in_reverse) {  // LIF-1
  add("a");
  add("b");
  operation run(context, life.run(noting("body")));
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"start a", "start b", "body", "stop b", "stop a"}));
}

TEST_F(lifespan_test, runs_the_body_alone_if_there_is_nothing_to_start) {
  operation run(context, life.run(noting("body")));
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"body"}));
}

TEST_F(lifespan_test, stops_what_was_started_when_a_start_fails) {  // LIF-2
  add("a");
  life.add("b", noting("start b"), failing("stop b"));
  life.add("c", failing("start c"), noting("stop c"));
  add("d");
  operation run(context, life.run(noting("body")));
  EXPECT_EQ(log, (trail{"start a", "start b", "start c", "stop b", "stop a"}));
  EXPECT_EQ(failures_in(run.failure()), (trail{"c: start c", "b too: stop b"}));
}

TEST_F(lifespan_test, stops_everything_when_the_body_fails) {  // LIF-3, LIF-4, X-17
  add("a");
  life.add("b", noting("start b"), failing("stop b"));
  add("c");
  operation run(context, life.run(failing("body")));
  EXPECT_EQ(log, (trail{"start a", "start b", "start c", "body", "stop c", "stop b", "stop a"}));
  EXPECT_EQ(failures_in(run.failure()), (trail{"body: body", "b too: stop b"}));
}

TEST_F(lifespan_test, stops_everything_when_the_body_is_cancelled) {  // LIF-3
  add("a");
  operation run(context, life.run(waiting("body")));
  run.cancel();
  run.cancel();
  settle(context);
  EXPECT_TRUE(run.cancelled());
  EXPECT_EQ(log, (trail{"start a", "body cancelled", "stop a"}));
}

TEST_F(lifespan_test, tells_a_failure_of_a_stop_rather_than_the_cancellation) {
  life.add("a", noting("start a"), failing("stop a"));
  operation run(context, life.run(waiting("body")));
  run.cancel();
  settle(context);
  EXPECT_EQ(failures_in(run.failure()), (trail{"a: stop a"}));
}

TEST_F(lifespan_test, unwinds_when_a_start_is_cancelled) {  // LIF-6
  add("a");
  life.add("b", waiting("start b"), noting("stop b"));
  add("c");
  operation run(context, life.run(noting("body")));
  run.cancel();
  settle(context);
  EXPECT_TRUE(run.cancelled());
  EXPECT_EQ(log, (trail{"start a", "start b cancelled", "stop a"}));
}

TEST_F(lifespan_test, stops_a_resource_whose_start_ended_well_although_it_was_cancelled) {  // LIF-6
  life.add("a", [this] { return ignore_requests(g, log, "start a"); }, noting("stop a"));
  add("b");
  operation run(context, life.run(noting("body")));
  run.cancel();
  settle(context);
  EXPECT_TRUE(run.pending());
  g.open();
  settle(context);
  EXPECT_TRUE(run.cancelled());
  EXPECT_EQ(log, (trail{"start a done", "stop a"}));
}

TEST_F(lifespan_test, stops_in_a_shield) {
  life.add("a", noting("start a"), waiting("stop a"));
  operation run(context, life.run(noting("body")));
  run.cancel();
  settle(context);
  EXPECT_TRUE(run.pending());
  g.open();
  settle(context);
  EXPECT_EQ(log, (trail{"start a", "body", "stop a done"}));
}

asio::awaitable<void> spawn_user(lifespan& life, gate& g, trail& log, gate& body) {
  life.spawn("user", visit(g, log, "user"));
  co_await body.wait();
}

TEST_F(lifespan_test, stops_and_awaits_users_before_their_resource) {  // LIF-5
  add("a");
  operation run(context, life.run([this] { return spawn_user(life, g, log, other); }));
  EXPECT_TRUE(run.pending());
  other.open();
  settle(context);
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"start a", "user cancelled", "stop a"}));
}

asio::awaitable<void> spawn_failing_user(lifespan& life, trail& log) {
  life.spawn("user", note_and_fail(log, "user"));
  for (int turn = 0; turn < 5; ++turn) co_await yield();
}

TEST_F(lifespan_test, reports_the_failure_of_a_user) {
  add("a");
  operation run(context, life.run([this] { return spawn_failing_user(life, log); }));
  EXPECT_EQ(failures_in(run.failure()), (trail{"user: user"}));
  EXPECT_EQ(log, (trail{"start a", "user", "stop a"}));
}

TEST_F(lifespan_test, refuses_what_comes_before_or_after) {
  EXPECT_THROW(life.spawn("user", note(log, "user")), closed);
  EXPECT_THROW((void)life.hold("file", noting("remove")), closed);
  add("a");
  operation run(context, life.run(noting("body")));
  EXPECT_THROW(life.spawn("user", note(log, "user")), closed);
  EXPECT_THROW(add("b"), std::logic_error);
  operation again(context, life.run(noting("body")));  // LIF-8
  EXPECT_TRUE(again.failed_with<std::logic_error>());
  EXPECT_EQ(log, (trail{"start a", "body", "stop a"}));
}

TEST(lifespan, asks_a_stop_that_outlasts_its_limit_to_stop_and_goes_on) {  // LIF-7
  asio::io_context context;
  trail log;
  gate g, never;
  lifespan_options options;
  options.stop_limit = 0ns;
  options.force_limit = 0ns;
  lifespan life(context.get_executor(), options);
  const auto start = [&] { return note(log, "start"); };
  life.add("first", start, [&] { return ignore_requests(never, log, "stop first"); });
  life.add("second", start, [&] { return visit(never, log, "stop second"); });
  operation run(context, life.run([&] { return note(log, "body"); }));
  settle(context);
  EXPECT_TRUE(run.pending()) << "what was left behind is not abandoned";
  EXPECT_EQ(log, (trail{"start", "start", "body", "stop second cancelled"}));
  EXPECT_EQ(life.stop_timeouts(), (trail{"second", "first"}));
  never.open();
  settle(context);
  EXPECT_EQ(failures_in(run.failure()), (trail{"second: timed out", "first too: timed out"}));
  EXPECT_EQ(log.back(), "stop first done");
}

asio::awaitable<void> hold_and_release(lifespan& life, trail& log) {
  const auto first = life.hold("first", [&] { return note(log, "remove first"); });
  (void)life.hold("second", [&] { return note(log, "remove second"); });
  (void)life.hold("third", [&] { return note(log, "remove third"); });
  EXPECT_EQ(life.held(), 3u);
  co_await life.release(first);
  co_await life.release(first);
  EXPECT_EQ(life.held(), 2u);
}

TEST_F(lifespan_test, removes_transient_things_when_released_or_stopped) {  // LIF-9
  add("a");
  operation run(context, life.run([this] { return hold_and_release(life, log); }));
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"start a", "remove first", "remove third", "remove second", "stop a"}));
  EXPECT_EQ(life.held(), 0u);
}

asio::awaitable<void> ask_to_exit(int status) {
  throw exit_request(status);
  co_return;
}

TEST(lifespan, lets_an_exit_request_through_bare) {
  asio::io_context context;
  trail log, unhandled;
  lifespan_options options;
  options.unhandled = [&unhandled](const task_failure& failure) { unhandled.push_back(failure.name); };
  lifespan life(context.get_executor(), options);
  life.add("a", [&] { return note(log, "start a"); }, [&] { return note_and_fail(log, "stop a"); });
  operation run(context, life.run([] { return ask_to_exit(3); }));
  EXPECT_TRUE(run.failed_with<exit_request>());
  EXPECT_EQ(unhandled, (trail{"a"}));
}

asio::awaitable<void> run_and_look(lifespan& life, lifespan::step body, bool& throwing) {
  try {
    co_await life.run(std::move(body));
  } catch (const exception_group&) {
  }
  throwing = co_await asio::this_coro::throw_if_cancelled();
}

TEST_F(lifespan_test, gives_the_switch_back) {
  bool throwing = false;
  add("a");
  operation run(context, run_and_look(life, failing("body"), throwing));
  EXPECT_TRUE(run.succeeded());
  EXPECT_TRUE(throwing);
}

TEST_F(lifespan_test, may_go_down_with_its_context) {
  auto owned = std::make_shared<int>(1);
  counting_violations violations;
  {
    asio::io_context doomed;
    gate never;
    lifespan short_life(doomed.get_executor());
    short_life.add("a", noting("start a"), [this, owned] { return note(log, "stop a"); });
    short_life.add("b", [&] { return visit(never, log, "start b"); }, noting("stop b"));
    operation run(doomed, short_life.run(noting("body")));
    EXPECT_TRUE(run.pending());
  }
  EXPECT_EQ(owned.use_count(), 1);
}

TEST_F(lifespan_test, destroyed_while_it_runs_is_a_violation) {
  counting_violations violations;
  auto short_life = std::make_unique<lifespan>(context.get_executor());
  auto run = std::make_unique<operation<void>>(context, short_life->run(waiting("body")));
  EXPECT_TRUE(run->pending());
  short_life.reset();
  EXPECT_EQ(violations.count(), 1);
}

}  // namespace
}  // namespace assay::reference::test
