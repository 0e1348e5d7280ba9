#include <assay/reference/core/cancellation.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>

namespace assay::reference::test {
namespace {

asio::awaitable<void> cleanup_after(gate& work, gate& cleanup, trail& log, time_point deadline) {
  std::exception_ptr failure;
  try {
    co_await visit(work, log, "work");
  } catch (...) {
    failure = std::current_exception();
  }
  co_await hold_requests;
  co_await shield(visit(cleanup, log, "cleanup"), deadline);
  if (failure) std::rethrow_exception(failure);
}

TEST(cancellation,
     lets_cleanup_run_in_a_shield_after_a_request) {  // X-9, STYLE's trap: cleanup throws at once
  asio::io_context context;
  gate work, cleanup;
  trail log;
  operation task(context, scope(cleanup_after(work, cleanup, log, no_deadline)));
  task.cancel();
  settle(context);
  EXPECT_TRUE(task.pending());
  task.cancel();
  task.cancel(asio::cancellation_type::total);
  settle(context);
  EXPECT_TRUE(task.pending()) << "a shield lets no request through";
  cleanup.open();
  settle(context);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log, (trail{"work cancelled", "cleanup done"}));
}

TEST(cancellation, bounds_a_shield_by_its_deadline) {
  asio::io_context context;
  gate work, cleanup;
  trail log;
  operation task(context, scope(cleanup_after(work, cleanup, log, std::chrono::steady_clock::now())));
  work.open();
  context.restart();
  context.run();
  EXPECT_TRUE(task.failed_with<timed_out>());
  EXPECT_EQ(log, (trail{"work done", "cleanup cancelled"}));
}

asio::awaitable<void> shield_then_wait(gate& shielded, gate& after, trail& log, bool throwing) {
  co_await asio::this_coro::throw_if_cancelled(throwing);
  co_await shield(visit(shielded, log, "shielded"));
  EXPECT_EQ(co_await asio::this_coro::throw_if_cancelled(), throwing);
  try {
    co_await visit(after, log, "after");
  } catch (...) {
    if (throwing) log.push_back("refused");
    throw;
  }
}

TEST(cancellation, reports_a_request_at_the_first_suspension_after_the_shield) {
  for (const bool throwing : {true, false}) {
    asio::io_context context;
    gate shielded, after;
    trail log;
    operation task(context, shield_then_wait(shielded, after, log, throwing));
    task.cancel();
    shielded.open();
    settle(context);
    EXPECT_TRUE(task.cancelled());
    EXPECT_EQ(log, (trail{"shielded done", throwing ? "refused" : "after cancelled"}));
  }
}

asio::awaitable<int> fail_in_a_shield(bool& throwing) {
  try {
    (void)co_await shield([]() -> asio::awaitable<int> {
      co_await yield();
      throw std::runtime_error("disk full");
    }());
  } catch (const std::runtime_error&) {
  }
  throwing = co_await asio::this_coro::throw_if_cancelled();
  auto value = co_await shield(
      []() -> asio::awaitable<std::unique_ptr<int>> { co_return std::make_unique<int>(3); }());
  co_return *value;
}

TEST(cancellation, gives_the_switch_back_when_the_shielded_work_fails) {
  asio::io_context context;
  bool throwing = false;
  operation task(context, fail_in_a_shield(throwing));
  EXPECT_TRUE(throwing);
  EXPECT_EQ(task.value(), 3);
}

asio::awaitable<void> insist(gate& g, trail& log) {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (const char* round : {"first", "second", "third"}) {
    try {
      co_await visit(g, log, round);
    } catch (...) {
    }
  }
  const auto requests = co_await asio::this_coro::cancellation_state;
  EXPECT_EQ(requests.cancelled(), asio::cancellation_type::terminal | asio::cancellation_type::total);
}

TEST(cancellation, of_a_scope_is_not_forgotten_when_a_weaker_request_follows) {
  asio::io_context context;
  gate g;
  trail log;
  operation task(context, detail::run_scope(insist(g, log)));
  task.cancel(asio::cancellation_type::terminal);
  task.cancel(asio::cancellation_type::total);
  settle(context);
  EXPECT_TRUE(task.succeeded());
  EXPECT_EQ(log, (trail{"first cancelled", "second cancelled", "third cancelled"}));
}

TEST(cancellation, of_a_scope_gets_through_when_a_stronger_request_follows) {
  asio::io_context context;
  gate work, cleanup;
  trail log;
  operation task(context, scope(visit(work, log, "work")));
  task.cancel(asio::cancellation_type::total);
  settle(context);
  EXPECT_TRUE(task.pending()) << "the caller's own state lets terminal requests through only";
  task.cancel(asio::cancellation_type::terminal);
  settle(context);
  EXPECT_TRUE(task.cancelled());
}

asio::awaitable<void> cancel_oneself(asio::cancellation_signal& signal) {
  signal.emit(asio::cancellation_type::terminal);
  co_return;
}

TEST(cancellation, of_oneself_without_a_suspension_ends_the_scope_normally) {  // Asio's changelog 1.30.2
  asio::io_context context;
  asio::cancellation_signal signal;
  bool ended = false;
  asio::co_spawn(context, detail::run_scope(cancel_oneself(signal)),
                 asio::bind_cancellation_slot(
                     signal.slot(), [&ended](const std::exception_ptr&, std::monostate) { ended = true; }));
  settle(context);
  EXPECT_TRUE(ended);
}

asio::awaitable<void> enter_a_scope_late(gate& g, trail& log) {
  co_await asio::this_coro::throw_if_cancelled(false);
  try {
    co_await visit(g, log, "first");
  } catch (...) {
  }
  co_await scope(visit(g, log, "never begun"));
}

TEST(cancellation, keeps_a_scope_from_beginning) {
  asio::io_context context;
  gate g;
  trail log;
  operation task(context, enter_a_scope_late(g, log));
  task.cancel();
  settle(context);
  EXPECT_TRUE(task.cancelled());
  EXPECT_EQ(log, (trail{"first cancelled"}));
}

TEST(cancellation, frees_a_context_with_scopes_and_shields_parked) {
  gate work, cleanup;
  trail log;
  {
    asio::io_context context;
    const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
    operation parked_in_the_scope(context, scope(cleanup_after(work, cleanup, log, later)));
    operation parked_in_the_shield(context, scope(cleanup_after(work, cleanup, log, later)));
    parked_in_the_shield.cancel();
    settle(context);
    EXPECT_EQ(work.waiters.size(), 1u);
    EXPECT_EQ(cleanup.waiters.size(), 1u);
  }
  EXPECT_TRUE(work.waiters.empty());
  EXPECT_TRUE(cleanup.waiters.empty());
}

asio::awaitable<void> give_up() {
  co_await yield();
  throw_cancelled();
}

asio::awaitable<void> fail_when_asked(gate& g) {
  try {
    co_await g.wait();
  } catch (...) {
  }
  throw std::runtime_error("disk full");
}

TEST(cancellation, leaves_no_timer_behind_when_a_shield_ends_in_time) {
  asio::io_context context;
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  operation task(context, shield(yield(), later));
  EXPECT_TRUE(task.succeeded());
  EXPECT_TRUE(context.stopped()) << "nothing is left to wait for";
}

TEST(cancellation, by_the_work_itself_is_no_timeout_of_its_shield) {
  asio::io_context context;
  const auto later = std::chrono::steady_clock::now() + std::chrono::hours(1);
  for (const time_point deadline : {later, no_deadline}) {
    operation task(context, shield(give_up(), deadline));
    EXPECT_TRUE(task.cancelled());
  }
}

TEST(cancellation, leaves_the_failure_of_shielded_work_that_is_out_of_time_as_it_is) {
  asio::io_context context;
  gate never;
  operation task(context, shield(fail_when_asked(never), std::chrono::steady_clock::now()));
  settle(context);
  EXPECT_TRUE(task.failed_with<std::runtime_error>());
  EXPECT_FALSE(task.cancelled());
}

}  // namespace
}  // namespace assay::reference::test
