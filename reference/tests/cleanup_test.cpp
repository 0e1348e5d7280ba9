#include <assay/reference/failure/cleanup.hpp>

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

asio::awaitable<void> nothing() { co_return; }

// Waits at the gate while it is closed.
cleanup_scope::resource closed_at(gate& g, trail& log) {
  return {"resource", nothing, [&g, &log] { return visit(g, log, "close"); },
          [&log] { log.push_back("force"); }};
}

asio::awaitable<void> acquire_one(cleanup_scope& scope, gate& g, trail& log) {
  cleanup_scope::resource what = closed_at(g, log);
  co_await scope.acquire(nothing, std::move(what));
}

TEST(cleanup, several_may_close_it_and_each_waits_until_it_is_closed) {  // CLN-10
  asio::io_context context;
  cleanup_scope scope(context.get_executor(), {.limit = no_limit});
  gate g;
  trail log;
  operation run(context, scope.run([&] { return acquire_one(scope, g, log); }));
  operation first(context, scope.close());
  operation second(context, scope.close());
  EXPECT_TRUE(run.pending() && first.pending() && second.pending());
  second.cancel();
  context.restart();
  context.poll();
  EXPECT_TRUE(second.cancelled());
  g.open();
  context.restart();
  context.poll();
  EXPECT_TRUE(run.succeeded() && first.succeeded());
  EXPECT_EQ(log, trail({"close done"}));
}

TEST(cleanup, what_is_destroyed_with_something_open_is_a_violation) {
  const counting_violations violations;
  asio::io_context context;
  gate g;
  trail log;
  {
    cleanup_scope scope(context.get_executor());
    operation acquired(context, acquire_one(scope, g, log));
    EXPECT_TRUE(acquired.succeeded());
    EXPECT_EQ(scope.statistics().open, 1U);
  }
  EXPECT_EQ(violations.count(), 1);
}

TEST(cleanup, its_context_may_be_destroyed_in_the_midst_of_a_close) {
  const counting_violations violations;
  gate g;
  trail log;
  {
    auto context = std::make_unique<asio::io_context>();
    auto scope = std::make_unique<cleanup_scope>(context->get_executor());
    asio::co_spawn(*context, scope->run([&] { return acquire_one(*scope, g, log); }),
                   [](const std::exception_ptr&) {});
    context->poll();
    EXPECT_EQ(g.waiters.size(), 1U);
    context.reset();
  }
  EXPECT_EQ(violations.count(), 0);
  EXPECT_EQ(log, trail());
}

asio::awaitable<void> ask_to_exit() {
  throw exit_request(3);
  co_return;
}
asio::awaitable<void> fail() {
  throw std::runtime_error("close");
  co_return;
}
asio::awaitable<void> exit_with_one_that_fails(cleanup_scope& scope) {
  cleanup_scope::resource what{"resource", {}, fail, {}};
  co_await scope.acquire(nothing, std::move(what));
  co_await ask_to_exit();
}

TEST(cleanup, an_exit_request_is_thrown_bare_and_what_failed_beside_it_is_told) {
  asio::io_context context;
  trail told;
  cleanup_scope scope(context.get_executor(),
                      {.unhandled = [&told](const task_failure& one) { told.push_back(one.name); }});
  int status = 0;
  asio::co_spawn(context, scope.run([&] { return exit_with_one_that_fails(scope); }),
                 [&](std::exception_ptr failure) {
                   try {
                     if (failure) std::rethrow_exception(failure);
                   } catch (const exit_request& exit) {
                     status = exit.status();
                   }
                 });
  context.run();
  EXPECT_EQ(status, 3);
  EXPECT_EQ(told, trail({"resource"}));
}

}  // namespace
}  // namespace assay::reference::test
