#include <assay/reference/flow/condition.hpp>

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using namespace std::chrono_literals;

TEST(condition, a_guard_of_another_mutex_is_none) {  // CND-7
  asio::io_context context;
  mutex door, other;
  condition changed(door);
  mutex::guard nothing;
  mutex::guard held = other.try_lock();
  operation without(context, changed.wait(nothing));
  operation with_another(context, changed.wait(held));
  EXPECT_TRUE(without.failed_with<std::logic_error>() && with_another.failed_with<std::logic_error>());
  EXPECT_TRUE(held && other.is_held_by(held));
  EXPECT_FALSE(door.is_held_by(held));
}

TEST(condition, a_cancelled_wait_ends_with_the_mutex) {  // CND-2
  asio::io_context context;
  mutex door;
  condition changed(door);
  mutex::guard held = door.try_lock();
  operation waiting(context, changed.wait(held));
  EXPECT_FALSE(held);
  waiting.cancel();
  settle(context);
  EXPECT_TRUE(waiting.cancelled() && door.is_held_by(held));
}

TEST(condition, may_go_when_all_are_notified) {
  const counting_violations violations;
  asio::io_context context;
  mutex door;
  auto changed = std::make_unique<condition>(door);
  mutex::guard first = door.try_lock();
  operation one(context, changed->wait(first));
  mutex::guard second = door.try_lock();
  operation two(context, changed->wait(second));
  mutex::guard mine = door.try_lock();
  changed->notify_all();
  changed.reset();
  settle(context);
  EXPECT_TRUE(one.pending() && two.pending());
  mine.unlock();
  settle(context);
  EXPECT_TRUE(one.succeeded() != two.succeeded());
  (first ? first : second).unlock();
  settle(context);
  EXPECT_TRUE(one.succeeded() && two.succeeded());
  EXPECT_EQ(violations.count(), 0);
}

TEST(condition, a_wait_that_is_sent_away_from_the_mutex_comes_again) {  // CND-2
  asio::io_context context;
  mutex door;
  condition changed(door);
  mutex::guard held = door.try_lock();
  operation waiting(context, changed.wait(held));
  mutex::guard mine = door.try_lock();
  changed.notify_one();
  settle(context);
  door.cancel_all();
  settle(context);
  EXPECT_TRUE(waiting.pending());
  EXPECT_EQ(door.waiting(), 1U);
  mine.unlock();
  settle(context);
  EXPECT_TRUE(waiting.succeeded() && door.is_held_by(held));
}

TEST(condition, where_the_mutex_is_broken_a_wait_ends_as_broken_and_the_next_is_notified) {  // CND-10, MTX-8
  asio::io_context context;
  mutex door;
  condition changed(door);
  mutex::guard held = door.try_lock();
  operation first(context, changed.wait(held));
  mutex::guard other = door.try_lock();
  operation second(context, changed.wait(other));
  std::optional<mutex::owner> owner(std::in_place);
  operation locking(context, door.lock_as(*owner));
  changed.notify_one();
  settle(context);
  EXPECT_TRUE(first.pending() && second.pending());
  owner.reset();
  settle(context);
  EXPECT_TRUE(first.failed_with<broken>() && second.failed_with<broken>());
  EXPECT_FALSE(held || other);
}

TEST(condition, what_a_predicate_throws_is_the_callers_who_holds_the_mutex) {  // CND-5
  asio::io_context context;
  mutex door;
  condition changed(door);
  mutex::guard held = door.try_lock();
  bool fails = false;
  operation waiting(context, changed.wait(held, [&fails] {
    if (fails) throw std::runtime_error("predicate");
    return false;
  }));
  EXPECT_TRUE(waiting.pending());
  fails = true;
  changed.notify_one();
  settle(context);
  EXPECT_TRUE(waiting.failed_with<std::runtime_error>() && door.is_held_by(held));
}

TEST(condition, a_predicate_is_asked_once_more_when_its_deadline_has_passed) {  // CND-5
  asio::io_context context;
  mutex door;
  condition changed(door);
  mutex::guard held = door.try_lock();
  condition_wait how;
  how.deadline = deadline_after(-1ms);
  int asked = 0;
  operation late(context, changed.wait(held, [&asked] { return ++asked > 1 ? asked : 0; }, how));
  EXPECT_TRUE(late.succeeded());
  EXPECT_EQ(late.value(), 2);
  operation in_vain(context, changed.wait(held, [] { return false; }, how));
  EXPECT_TRUE(in_vain.failed_with<timed_out>() && door.is_held_by(held));
}

TEST(condition, destroyed_with_somebody_parked_is_a_violation) {
  const counting_violations violations;
  asio::io_context context;
  mutex door;
  auto changed = std::make_unique<condition>(door);
  mutex::guard held = door.try_lock();
  operation waiting(context, changed->wait(held));
  changed.reset();
  EXPECT_EQ(violations.count(), 1);
  waiting.cancel();  // of a wait whose condition is gone
  settle(context);
  EXPECT_TRUE(waiting.cancelled() && held);
}

TEST(condition, destroyed_with_its_context_is_no_violation) {
  const counting_violations violations;
  auto context = std::make_unique<asio::io_context>();
  mutex door;
  condition changed(door);
  mutex::guard first = door.try_lock();
  operation parked(*context, changed.wait(first));
  mutex::guard second = door.try_lock();
  operation reacquiring(*context, changed.wait(second));
  const mutex::guard mine = door.try_lock();
  changed.notify_one();
  settle(*context);
  EXPECT_TRUE(parked.pending() && reacquiring.pending());
  context.reset();
  EXPECT_EQ(changed.waiting(), 0U);
  EXPECT_EQ(door.waiting(), 0U);
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
