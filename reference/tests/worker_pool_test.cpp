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

TEST_F(worker_pool_test, executes_what_was_accepted_before_the_drain_and_refuses_the_rest) {  // WPL-1, WPL-4
  worker_pool pool(context.get_executor(), options(1));
  put(pool, "a");
  put(pool, "b");
  operation drain(context, pool.drain());
  EXPECT_TRUE(drain.pending());
  auto late = job("late");
  EXPECT_THROW((void)pool.try_submit(late), closed);
  operation refused(context, pool.submit(late));
  EXPECT_TRUE(refused.failed_with<closed>());
  EXPECT_TRUE(late.valid()) << "a refused job is still the caller's";
  open("a");
  EXPECT_TRUE(drain.pending());
  open("b");
  EXPECT_TRUE(drain.succeeded());
  EXPECT_TRUE(pool.has_ended());
  EXPECT_EQ(log, trail({"a", "a done", "b", "b done"}));
}

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

TEST_F(worker_pool_test, runs_as_many_jobs_as_it_has_workers) {  // WPL-2
  worker_pool pool(context.get_executor(), options(2));
  for (const char* name : {"a", "b", "c"}) put(pool, name);
  EXPECT_EQ(pool.running(), 2u);
  EXPECT_EQ(log, trail({"a", "b"}));
  open("b");
  EXPECT_EQ(pool.running(), 2u);
  (void)pool.stop_now();
  settle(context);
  EXPECT_TRUE(pool.has_ended());
}

TEST_F(worker_pool_test, tells_a_failure_to_the_handle_or_else_to_the_hook) {  // WPL-3, X-15
  worker_pool pool(context.get_executor(), options(1));
  auto asked = put(pool, failing_job(gates["x"], "asked"), "asked");
  auto unasked = std::make_unique<job_handle>(put(pool, failing_job(gates["x"], "unasked"), "unasked"));
  put(pool, failing_job(gates["x"], "dropped"), "dropped");
  operation first(context, asked.wait());
  open("x");
  EXPECT_TRUE(first.failed_with<std::runtime_error>());
  open("x");
  EXPECT_TRUE(unasked->ended());
  EXPECT_TRUE(hook.empty());
  unasked.reset();
  EXPECT_EQ(hook, trail({"unasked: unasked"}));
  open("x");
  EXPECT_EQ(hook, trail({"unasked: unasked", "dropped: dropped"}));
  operation again(context, asked.wait());
  EXPECT_TRUE(again.failed_with<std::logic_error>());
  put(pool, "next");
  open("next");
  EXPECT_EQ(log.back(), "next done");
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

TEST_F(worker_pool_test, returns_unstarted_jobs_that_can_still_be_run_elsewhere) {  // WPL-4
  worker_pool pool(context.get_executor(), options(1));
  auto running = put(pool, "a");
  auto queued = put(pool, "b");
  operation drain(context, pool.drain());
  auto unstarted = pool.stop_now();
  settle(context);
  EXPECT_EQ(log, trail({"a", "a cancelled"}));
  EXPECT_TRUE(drain.succeeded());
  ASSERT_EQ(unstarted.size(), 1u);
  EXPECT_EQ(unstarted[0].options.name, "b");
  for (auto* handle : {&running, &queued}) {
    operation wait(context, handle->wait());
    EXPECT_TRUE(wait.failed_with<job_cancelled>());
  }
  EXPECT_TRUE(hook.empty());
  EXPECT_TRUE(pool.stop_now().empty());
  operation elsewhere(context, std::move(unstarted[0].work));
  open("b");
  EXPECT_TRUE(elsewhere.succeeded());
}

TEST_F(worker_pool_test, returns_a_job_that_has_a_worker_but_has_not_begun) {  // WPL-1
  worker_pool pool(context.get_executor(), options(1));
  auto work = job("a");
  auto handle = pool.try_submit(work);
  EXPECT_EQ(pool.running(), 1u);
  EXPECT_EQ(pool.stop_now().size(), 1u);
  settle(context);
  EXPECT_TRUE(log.empty());
  EXPECT_TRUE(pool.has_ended());
}

TEST_F(worker_pool_test, stops_when_the_deadline_of_its_drain_passes) {  // WPL-5
  worker_pool pool(context.get_executor(), options(2));
  for (const char* name : {"a", "b", "c"}) put(pool, name);
  operation drain(context, pool.drain_until(std::chrono::steady_clock::now() - 1ms));
  ASSERT_TRUE(drain.succeeded());
  EXPECT_TRUE(drain.value().expired);
  EXPECT_EQ(drain.value().cancelled, 2u);
  EXPECT_EQ(drain.value().unstarted.size(), 1u);
  EXPECT_EQ(log, trail({"a", "b", "a cancelled", "b cancelled"}));
}

TEST_F(worker_pool_test, reports_nothing_when_the_drain_is_in_time) {  // WPL-5
  worker_pool pool(context.get_executor(), options(1));
  put(pool, "a");
  operation drain(context, pool.drain_until(std::chrono::steady_clock::now() + 1h));
  EXPECT_TRUE(drain.pending());
  open("a");
  ASSERT_TRUE(drain.succeeded());
  EXPECT_FALSE(drain.value().expired);
  EXPECT_TRUE(drain.value().unstarted.empty());
}

TEST_F(worker_pool_test, makes_submitters_wait_for_room_in_the_order_in_which_they_came) {  // WPL-7, X-13
  worker_pool pool(context.get_executor(), options(1, 1));
  put(pool, "a");
  put(pool, "b");
  auto c = job("c"), d = job("d"), e = job("e");
  operation third(context, pool.submit(c));
  operation fourth(context, pool.submit(d));
  operation fifth(context, pool.submit(e));
  EXPECT_EQ(pool.parked_submitters(), 3u);
  third.cancel();
  settle(context);
  EXPECT_TRUE(third.cancelled());
  EXPECT_TRUE(c.valid());
  open("a");
  EXPECT_TRUE(fourth.succeeded());
  EXPECT_TRUE(fifth.pending());
  EXPECT_FALSE(pool.try_submit(c));
  pool.close();
  settle(context);
  EXPECT_TRUE(fifth.failed_with<closed>());
  open("b");
  open("d");
  EXPECT_TRUE(pool.has_ended());
}

TEST_F(worker_pool_test, without_a_queue_accepts_as_many_jobs_as_workers_are_free) {  // WPL-7
  worker_pool pool(context.get_executor(), options(1, 0));
  put(pool, "a");
  auto b = job("b");
  EXPECT_FALSE(pool.try_submit(b));
  operation second(context, pool.submit(b));
  open("a");
  EXPECT_TRUE(second.succeeded());
  open("b");
  EXPECT_EQ(log.back(), "b done");
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

TEST_F(worker_pool_test, goes_on_when_its_drainer_gives_up) {  // WPL-9
  worker_pool pool(context.get_executor(), options(1));
  put(pool, "a");
  put(pool, "b");
  operation first(context, pool.drain());
  first.cancel();
  settle(context);
  EXPECT_TRUE(first.cancelled());
  EXPECT_FALSE(pool.is_accepting());
  open("a");
  open("b");
  EXPECT_EQ(log.back(), "b done");
  operation second(context, pool.drain());
  EXPECT_TRUE(second.succeeded());
}

TEST_F(worker_pool_test, ends_a_job_at_its_timeout) {  // WPL-10
  worker_pool pool(context.get_executor(), options(1));
  auto work = job("a");
  job_options how;
  how.timeout = 0ns;
  auto handle = pool.try_submit(work, std::move(how));
  ASSERT_TRUE(handle);
  put(pool, "b");
  EXPECT_EQ(log, trail({"a", "a cancelled", "b"}));
  operation wait(context, handle->wait());
  EXPECT_TRUE(wait.failed_with<timed_out>());
  open("b");
  EXPECT_EQ(log.back(), "b done");
}

TEST_F(worker_pool_test, takes_on_workers_at_once_and_lets_them_go_as_they_finish) {  // WPL-11
  worker_pool pool(context.get_executor(), options(1));
  for (const char* name : {"a", "b", "c", "d"}) put(pool, name);
  pool.scale_to(3);
  settle(context);
  EXPECT_EQ(pool.running(), 3u);
  pool.scale_to(1);
  EXPECT_EQ(pool.running(), 3u);
  open("a");
  open("b");
  EXPECT_EQ(pool.running(), 1u);
  EXPECT_EQ(pool.queued(), 1u);
  open("c");
  EXPECT_EQ(pool.running(), 1u);
  open("d");
  EXPECT_EQ(pool.running(), 0u);
  EXPECT_THROW(pool.scale_to(0), std::invalid_argument);
  EXPECT_THROW(worker_pool(context.get_executor(), options(0)), std::invalid_argument);
}

TEST_F(worker_pool_test, begins_the_most_urgent_job_and_equals_in_their_order) {  // WPL-12
  worker_pool pool(context.get_executor(), options(1));
  put(pool, "first");
  put(pool, "low", -1);
  put(pool, "a", 1);
  put(pool, "b", 1);
  put(pool, "urgent", 2);
  for (const char* name : {"first", "urgent", "a", "b", "low"}) open(name);
  EXPECT_EQ(log, trail({"first", "first done", "urgent", "urgent done", "a", "a done", "b", "b done", "low",
                        "low done"}));
}

asio::awaitable<void> keep(std::shared_ptr<int> owned, gate& g) {
  co_await g.wait();
  EXPECT_TRUE(owned);
}

TEST_F(worker_pool_test, has_destroyed_its_jobs_when_the_drain_ends) {
  worker_pool pool(context.get_executor(), options(1));
  auto owned = std::make_shared<int>(1);
  auto handle = put(pool, keep(owned, gates["x"]), "keeper");
  operation drain(context, pool.drain());
  open("x");
  EXPECT_TRUE(drain.succeeded());
  EXPECT_EQ(owned.use_count(), 1);
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
