#include <assay/reference/flow/worker_pool.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <optional>
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

/// What a handle says of a job that the pool did not let finish: whether it had begun.
std::optional<bool> begun_of(const operation<void>& wait) {
  if (!wait.failed_with<job_cancelled>()) return std::nullopt;
  try {
    std::rethrow_exception(wait.failure());
  } catch (const job_cancelled& what) {
    return what.begun();
  }
}

TEST_F(worker_pool_test, takes_back_what_has_not_begun_and_says_so) {  // WPL-4
  worker_pool pool(context.get_executor(), options(1));
  auto running = put(pool, "a");
  auto queued = put(pool, "b", 1);
  put(pool, "c", 2);
  std::vector<unstarted_job> unstarted;
  asio::post(context, [&] {
    unstarted = pool.stop_now();
    EXPECT_EQ(pool.queued(), 0u) << "what was taken back does not wait for a worker";
    EXPECT_FALSE(pool.is_accepting());
  });
  settle(context);
  ASSERT_EQ(unstarted.size(), 2u);
  EXPECT_EQ(unstarted[0].options.name, "c") << "the most urgent first";
  EXPECT_EQ(unstarted[1].options.name, "b");
  operation of_running(context, running.wait());
  operation of_queued(context, queued.wait());
  EXPECT_EQ(begun_of(of_running), true);
  EXPECT_EQ(begun_of(of_queued), false);
  EXPECT_TRUE(pool.has_ended());
  EXPECT_TRUE(pool.stop_now().empty());
  EXPECT_TRUE(pool.has_ended()) << "to stop a pool that has ended does not begin a drain";
  EXPECT_TRUE(hook.empty());
}

TEST_F(worker_pool_test, reports_what_a_drain_came_to) {  // WPL-5
  worker_pool pool(context.get_executor(), options(1));
  put(pool, "a");
  put(pool, "b");
  operation drain(context, pool.drain_until(deadline_after(-1s)));
  ASSERT_TRUE(drain.succeeded());
  EXPECT_TRUE(drain.value().expired);
  EXPECT_EQ(drain.value().cancelled, 1u);
  EXPECT_EQ(drain.value().unstarted.size(), 1u);
  operation again(context, pool.drain_until(deadline_after(-1s)));
  ASSERT_TRUE(again.succeeded());
  EXPECT_FALSE(again.value().expired);
}

asio::awaitable<void> stop_and_linger(worker_pool& pool, gate& cleanup) {
  EXPECT_TRUE(pool.stop_now().empty());
  co_await hold_requests;
  co_await shield(cleanup.wait());
  throw_cancelled();
}

TEST_F(worker_pool_test, counts_no_limit_of_a_job_that_it_stopped) {  // WPL-10
  worker_pool pool(context.get_executor(), options(1));
  gate cleanup;
  auto lingering = stop_and_linger(pool, cleanup);
  auto handle = pool.try_submit(lingering, {.timeout = -1s});  // it passes while the job cleans up
  settle(context);
  EXPECT_EQ(cleanup.waiters.size(), 1u);
  cleanup.open();
  settle(context);
  operation wait(context, handle->wait());
  EXPECT_EQ(begun_of(wait), true) << "it was stopped, and has not timed out";
  EXPECT_TRUE(hook.empty());
}

template <class T>
asio::awaitable<T> when_asked(gate& g, asio::awaitable<T> next) {
  try {
    co_await g.wait();
  } catch (...) {
  }
  co_await hold_requests;
  co_return co_await std::move(next);
}

TEST_F(worker_pool_test, refuses_to_begin_in_a_cancelled_scope) {
  worker_pool pool(context.get_executor(), options(1));
  gate never;
  auto handle = put(pool, "a");
  open("a");
  auto work = job("b");
  auto more = job("c");
  operation submit(context, scope(when_asked(never, pool.submit(work))));
  operation wait(context, scope(when_asked(never, handle.wait())));
  operation drain(context, scope(when_asked(never, pool.drain())));
  operation drain_until(context, scope(when_asked(never, pool.drain_until(no_deadline))));
  submit.cancel();
  wait.cancel();
  drain.cancel();
  drain_until.cancel();
  settle(context);
  EXPECT_TRUE(submit.cancelled());
  EXPECT_TRUE(wait.cancelled());
  EXPECT_TRUE(drain.cancelled());
  EXPECT_TRUE(drain_until.cancelled());
  EXPECT_EQ(log, (trail{"a", "a done"}));
  EXPECT_TRUE(pool.try_submit(more).has_value()) << "who was refused has not closed the pool";
  settle(context);
  open("c");
  EXPECT_TRUE(operation(context, handle.wait()).succeeded()) << "who was refused was told nothing";
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

TEST_F(worker_pool_test, must_not_be_destroyed_while_somebody_waits_for_its_start) {
  const counting_violations violations;
  worker_pool_options late = options(1, 0);
  late.started = false;
  auto pool = std::make_unique<worker_pool>(context.get_executor(), std::move(late));
  auto work = job("a");
  operation submit(context, pool->submit(work));
  EXPECT_TRUE(submit.pending());
  pool.reset();
  EXPECT_EQ(violations.count(), 1);
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
