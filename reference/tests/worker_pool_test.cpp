#include <assay/reference/flow/worker_pool.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using namespace std::chrono_literals;

struct worker_pool_test : ::testing::Test {
  asio::io_context context;
  trail log;
  trail hook;
  std::map<std::string, gate> gates;

  worker_pool_options options(std::size_t workers, std::size_t capacity = 16) {
    worker_pool_options chosen;
    chosen.workers = workers;
    chosen.queue_capacity = capacity;
    chosen.unhandled = [this](const task_failure& failure) {
      hook.push_back(failure.name + ": " + describe(failure.error));
    };
    return chosen;
  }

  asio::awaitable<void> job(std::string name) {
    log.push_back(name);
    co_await visit(gates[name], log, name);
  }

  static asio::awaitable<void> failing_job(gate& g, std::string what) {
    co_await g.wait();
    throw std::runtime_error(what);
  }

  /// A job that must find room at once.
  job_handle put(worker_pool& pool, std::string name, int priority = 0) {
    auto work = job(name);
    return put(pool, std::move(work), std::move(name), priority);
  }
  job_handle put(worker_pool& pool, asio::awaitable<void> work, std::string name, int priority = 0) {
    job_options how;
    how.name = std::move(name);
    how.priority = priority;
    auto handle = pool.try_submit(work, std::move(how));
    settle(context);
    return std::move(handle.value());  // NOLINT(bugprone-unchecked-optional-access): it throws
  }
  void open(const std::string& name) {
    gates[name].open();
    settle(context);
  }
};

TEST_F(worker_pool_test, survives_jobs_that_end_inside_the_request_to_stop) {  // WPL-4
  worker_pool pool(context.get_executor(), options(3));
  for (const char* name : {"a", "b", "c"}) put(pool, end_inside_the_request(), name);
  put(pool, "queued");
  std::size_t unstarted = 0;
  asio::post(context, [&] { unstarted = pool.stop_now().size(); });
  settle(context);
  EXPECT_EQ(unstarted, 1u);
  EXPECT_TRUE(pool.has_ended());
  EXPECT_TRUE(hook.empty());
}

TEST_F(worker_pool_test, takes_the_longest_deadline_for_none) {  // WPL-5
  worker_pool pool(context.get_executor(), options(1));
  put(pool, "a");
  operation drain(context, pool.drain_until(deadline_after(no_limit)));
  EXPECT_TRUE(drain.pending());
  open("a");
  ASSERT_TRUE(drain.succeeded());
  EXPECT_FALSE(drain.value().expired);
}

TEST_F(worker_pool_test, lets_a_waiter_of_a_handle_give_up_and_ask_again) {
  worker_pool pool(context.get_executor(), options(1));
  auto handle = put(pool, "a");
  operation first(context, handle.wait());
  first.cancel();
  settle(context);
  EXPECT_TRUE(first.cancelled());
  open("a");
  operation second(context, handle.wait());
  EXPECT_TRUE(second.succeeded());
}

TEST_F(worker_pool_test, can_be_started_late_drained_twice_and_started_again) {  // WPL-8
  worker_pool_options late = options(1);
  late.started = false;
  worker_pool pool(context.get_executor(), std::move(late));
  put(pool, "a");
  EXPECT_TRUE(log.empty());
  operation first(context, pool.drain());
  operation second(context, pool.drain());
  EXPECT_EQ(log, trail({"a"})) << "a drain executes what was accepted";
  EXPECT_THROW(pool.start(), std::logic_error);
  open("a");
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(second.succeeded());
  pool.start();
  pool.start();
  put(pool, "b");
  open("b");
  EXPECT_EQ(log.back(), "b done");
  operation third(context, pool.drain());
  EXPECT_TRUE(third.succeeded());
}

asio::awaitable<void> keep(std::shared_ptr<int> owned, gate& g) {
  co_await g.wait();
  EXPECT_TRUE(owned);
}

TEST_F(worker_pool_test, must_not_be_destroyed_before_its_jobs_end) {
  const counting_violations violations;
  auto handle = std::make_unique<job_handle>([&] {
    worker_pool pool(context.get_executor(), options(1));
    return put(pool, "a");
  }());
  EXPECT_EQ(violations.count(), 1);
  open("a");
  EXPECT_EQ(log, trail({"a", "a done"}));
  {
    const worker_pool idle(context.get_executor(), options(1));
  }
  EXPECT_EQ(violations.count(), 1) << "an idle pool may go";
}

TEST(worker_pool, frees_its_jobs_with_the_execution_context) {
  const counting_violations violations;
  auto owned = std::make_shared<int>(1);
  gate g;
  {
    auto context = std::make_unique<asio::io_context>();
    auto pool = std::make_unique<worker_pool>(context->get_executor(), worker_pool_options());
    auto first = keep(owned, g);
    auto second = keep(owned, g);
    // With a limit: its timer must not be left to the handle, which outlives the context.
    auto handle = pool->try_submit(first, {.timeout = std::chrono::hours(1)});
    (void)pool->try_submit(second);
    settle(*context);
    operation wait(*context, handle->wait());
    context.reset();
    pool.reset();
  }
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
