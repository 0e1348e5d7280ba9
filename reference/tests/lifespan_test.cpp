#include <assay/reference/lifecycle/lifespan.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <exception>
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

/// Where in the stack they were, the body on top of everything.
std::vector<std::size_t> indices_in(const std::exception_ptr& failure) {
  std::vector<std::size_t> all;
  try {
    if (failure) std::rethrow_exception(failure);
  } catch (const exception_group& group) {
    for (const task_failure& each : group.failures()) all.push_back(each.index);
  } catch (...) {
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

asio::awaitable<void> ask_to_exit(int status) {
  throw exit_request(status);
  co_return;
}

TEST_F(lifespan_test, failures_say_whose_they_are_and_which_came_first) {
  life.add("a", noting("start a"), failing("stop a"));
  life.add("b", noting("start b"), failing("stop b"));
  operation run(context, life.run(failing("body")));
  EXPECT_EQ(failures_in(run.failure()), (trail{"body: body", "b too: stop b", "a too: stop a"}));
  EXPECT_EQ(indices_in(run.failure()), (std::vector<std::size_t>{2, 1, 0}));
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
