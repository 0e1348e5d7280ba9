#include <assay/reference/lifecycle/lifespan.hpp>

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace {

// How many more blocks there are; negative: as many as anybody wants. A block that is not there is the only one.
int blocks_left = -1;

void* take_block(std::size_t size) {
  if (blocks_left >= 0 && --blocks_left < 0) throw std::bad_alloc();
  if (void* const block = std::malloc(size)) return block;
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return take_block(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }

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

TEST_F(lifespan_test, begins_no_step_once_it_is_asked_to_stop) {  // LIF-6
  life.add("a", [this] { return insist(g, log, "start a"); }, noting("stop a"));
  life.add(
      "b",
      [this] {
        log.push_back("begin b");
        return note(log, "start b");
      },
      noting("stop b"));
  operation run(context, life.run(noting("body")));
  run.cancel();
  g.open();
  settle(context);
  EXPECT_TRUE(run.cancelled());
  EXPECT_EQ(log, (trail{"start a done", "stop a"}));
}

TEST_F(lifespan_test, begins_no_body_once_it_is_asked_to_stop) {  // LIF-6
  life.add("a", [this] { return insist(g, log, "start a"); }, noting("stop a"));
  operation run(context, life.run([this] {
    log.push_back("begin body");
    return note(log, "body");
  }));
  run.cancel();
  g.open();
  settle(context);
  EXPECT_TRUE(run.cancelled());
  EXPECT_EQ(log, (trail{"start a done", "stop a"}));
}

TEST_F(lifespan_test, has_not_begun_where_it_was_cancelled_before) {
  bool is_cancelled = false;
  operation stubborn(context,
                     begin_when_opened(g, [this] { return life.run(noting("body")); }, is_cancelled));
  stubborn.cancel();
  g.open();
  settle(context);
  EXPECT_TRUE(is_cancelled);
  add("a");  // as before it runs
  operation run(context, life.run(noting("body")));
  EXPECT_TRUE(run.succeeded());
  EXPECT_EQ(log, (trail{"start a", "body", "stop a"}));
}

lifespan_options without_patience() {
  lifespan_options options;
  options.stop_limit = options.force_limit = duration::zero();
  return options;
}

TEST_F(lifespan_test, ends_after_what_outlasted_its_limits_and_tells_it) {  // LIF-7, X-19
  lifespan hasty(context.get_executor(), without_patience());
  hasty.add("a", noting("start a"), [this] { return insist(g, log, "stop a"); });
  operation run(context, hasty.run(noting("body")));
  EXPECT_EQ(hasty.stop_timeouts(), (trail{"a"}));
  EXPECT_TRUE(run.pending());
  g.open();
  settle(context);
  EXPECT_EQ(log, (trail{"start a", "body", "stop a done"}));
  EXPECT_EQ(failures_in(run.failure()), (trail{"a: timed out"}));
}

TEST_F(lifespan_test, lets_the_exit_request_of_a_stop_through_bare) {
  life.add("a", noting("start a"), [] { return ask_to_exit(3); });
  operation run(context, life.run(noting("body")));
  EXPECT_TRUE(run.failed_with<exit_request>());
}

// Throws what it is given, with so many blocks left.
asio::awaitable<void> fail_with_blocks_left(int blocks, std::exception_ptr failure) {
  blocks_left = blocks;
  std::rethrow_exception(std::move(failure));
  co_return;
}

TEST_F(lifespan_test, stops_everything_though_there_is_no_memory_to_note_a_failure) {
  add("a");
  const auto failure = std::make_exception_ptr(std::runtime_error("body"));
  operation run(context, life.run([&] { return fail_with_blocks_left(0, failure); }));
  EXPECT_TRUE(run.failed_with<std::bad_alloc>());
  EXPECT_EQ(log, (trail{"start a", "stop a"}));
  EXPECT_THROW(life.spawn("late", note(log, "late")), closed);
}

asio::awaitable<void> leave_blocks(int blocks) {
  blocks_left = blocks;
  co_return;
}

TEST_F(lifespan_test, tells_what_it_could_not_stop_for_want_of_memory) {
  bool told = false;
  for (int blocks = 0; blocks < 8; ++blocks) {
    trail stops;
    lifespan one(context.get_executor());
    one.add("a", noting("start a"), [&stops] { return note(stops, "stop a"); });
    one.add("b", noting("start b"), [&stops] { return note(stops, "stop b"); });
    operation run(context, one.run([blocks] { return leave_blocks(blocks); }));
    blocks_left = -1;
    if (failures_in(run.failure()) != trail{"lifespan: std::bad_alloc"}) continue;
    told = true;
    EXPECT_FALSE(stops.empty()) << "what follows is stopped nevertheless";
  }
  EXPECT_TRUE(told);
}

TEST_F(lifespan_test, loses_no_failure_of_a_user_to_a_want_of_memory) {
  const auto failure = std::make_exception_ptr(std::runtime_error("user"));
  for (int blocks = 0; blocks < 8; ++blocks) {
    lifespan one(context.get_executor());
    operation run(context, one.run([&] {
      one.spawn("user", fail_with_blocks_left(blocks, failure));
      return visit(g, log, "body");
    }));
    g.open();
    settle(context);
    blocks_left = -1;
    EXPECT_TRUE(run.failure()) << blocks;
  }
}

}  // namespace
}  // namespace assay::reference::test
