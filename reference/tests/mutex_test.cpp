#include <assay/reference/flow/mutex.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

static_assert(!std::is_copy_constructible_v<mutex::guard> && !std::is_copy_constructible_v<mutex::owner>);
static_assert(std::is_nothrow_move_constructible_v<mutex::guard>);

TEST(mutex, a_guard_may_outlive_it) {
  auto one = std::make_unique<mutex>();
  mutex::guard kept = one->try_lock();
  one.reset();
  EXPECT_TRUE(kept);
  kept.unlock();
  EXPECT_FALSE(kept);
}

TEST(mutex, a_guard_that_was_moved_from_holds_nothing) {  // MTX-4
  mutex one;
  mutex::guard first = one.try_lock();
  mutex::guard second = std::move(first);
  first.unlock();  // NOLINT(bugprone-use-after-move): that is what is tried
  EXPECT_TRUE(one.is_locked() && second);
  EXPECT_FALSE(one.try_lock());
  second = mutex::guard();
  EXPECT_FALSE(one.is_locked());
}

TEST(mutex, a_guard_takes_over_what_another_one_holds) {  // MTX-4
  mutex one;
  mutex::guard first = one.try_lock();
  mutex::guard second;
  second = std::move(first);
  EXPECT_TRUE(second);
  EXPECT_FALSE(first);  // NOLINT(bugprone-use-after-move): that is what is tried
}

TEST(mutex, an_owner_may_lock_again_what_he_has_unlocked) {  // MTX-5
  asio::io_context context;
  mutex one;
  mutex::owner me;
  operation first(context, one.lock_as(me));
  one.unlock_as(me);
  operation second(context, one.lock_as(me));
  EXPECT_TRUE(first.succeeded() && second.succeeded());
  one.unlock_as(me);
}

TEST(mutex, who_waits_for_it_to_be_unlocked_hears_that_it_is_broken) {  // MTX-8, MTX-10
  asio::io_context context;
  mutex one;
  std::optional<mutex::owner> me(std::in_place);
  operation locking(context, one.lock_as(*me));
  operation watching(context, one.wait_unlocked());
  EXPECT_TRUE(locking.succeeded() && watching.pending());
  me.reset();
  settle(context);
  EXPECT_TRUE(watching.failed_with<broken>());
}

asio::awaitable<void> watch_in_a_cancelled_scope(mutex& one) {
  co_await asio::this_coro::throw_if_cancelled(false);
  try {
    co_await end_inside_the_request();
  } catch (const boost::system::system_error&) {
  }
  co_await one.wait_unlocked();
}

TEST(mutex, in_a_cancelled_scope_nobody_waits_for_it_to_be_unlocked) {
  asio::io_context context;
  mutex one;
  operation watching(context, watch_in_a_cancelled_scope(one));
  EXPECT_TRUE(watching.pending());
  watching.cancel();
  settle(context);
  EXPECT_TRUE(watching.cancelled());
}

TEST(mutex, what_an_owner_holds_nobody_unlocks_without_a_name) {  // MTX-3
  asio::io_context context;
  mutex one;
  mutex::owner me;
  operation locking(context, one.lock_as(me));
  EXPECT_TRUE(locking.succeeded());
  EXPECT_THROW(one.unlock(), std::logic_error);
  one.unlock_as(me);
  EXPECT_THROW(one.unlock_as(me), std::logic_error);
}

TEST(mutex, an_owner_who_only_waits_breaks_nothing_when_he_goes) {  // MTX-8
  asio::io_context context;
  mutex one;
  mutex::guard held = one.try_lock();
  std::optional<mutex::owner> waiting(std::in_place);
  operation locking(context, one.lock_as(*waiting));
  locking.cancel();
  settle(context);
  waiting.reset();
  held.unlock();
  EXPECT_TRUE(locking.cancelled());
  EXPECT_TRUE(one.try_lock());
}

TEST(mutex, destroyed_with_somebody_parked_is_a_violation) {
  const counting_violations violations;
  asio::io_context context;
  auto one = std::make_unique<mutex>();
  const mutex::guard held = one->try_lock();
  operation waiting(context, one->lock());
  operation watching(context, one->wait_unlocked());
  one.reset();
  EXPECT_EQ(violations.count(), 1);
  waiting.cancel();  // of a wait whose mutex is gone
  settle(context);
  EXPECT_TRUE(waiting.cancelled());
}

TEST(mutex, destroyed_with_its_context_is_no_violation) {
  const counting_violations violations;
  auto context = std::make_unique<asio::io_context>();
  auto me = std::make_unique<mutex::owner>();
  mutex one;
  const mutex::guard held = one.try_lock();
  operation first(*context, one.lock_as(*me));
  operation second(*context, one.run(yield()));
  operation third(*context, one.wait_unlocked());
  me.reset();
  EXPECT_TRUE(first.pending() && second.pending() && third.pending());
  context.reset();
  EXPECT_EQ(one.waiting(), 0U);
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
