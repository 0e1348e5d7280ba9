#include <assay/reference/flow/bounded_queue.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using item = std::unique_ptr<int>;
using queue = bounded_queue<item>;

item make(int id) { return std::make_unique<int>(id); }

time_point now() { return std::chrono::steady_clock::now(); }

void put(queue& q, int id) {
  item one = make(id);
  ASSERT_TRUE(q.try_push(one));
}

/// The next item in hand, or none.
item take_out(queue& q) {
  auto taken = q.try_pop();
  return taken ? std::move(*taken) : item();
}

int take(queue& q) {
  const item taken = take_out(q);
  return taken ? *taken : -1;
}

TEST(bounded_queue, keeps_the_order_of_pushes_and_of_parked_pushers) {  // BQ-1, BQ-2
  asio::io_context context;
  queue q(1);
  item one = make(1), two = make(2), three = make(3);
  operation first(context, q.push(one));
  operation second(context, q.push(two));
  operation third(context, q.push(three));
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(second.pending());
  EXPECT_TRUE(third.pending());
  EXPECT_EQ(q.size(), 1u);
  for (int id = 1; id <= 3; ++id) {
    EXPECT_EQ(take(q), id);
    EXPECT_LE(q.size(), 1u);
  }
  settle(context);
  EXPECT_TRUE(third.succeeded());
  EXPECT_EQ(q.statistics().size_peak, 1u);
}

TEST(bounded_queue, serves_parked_poppers_in_order_before_newcomers) {  // BQ-3
  asio::io_context context;
  queue q(2);
  operation first(context, q.pop());
  operation second(context, q.pop());
  put(q, 1);
  EXPECT_EQ(take(q), -1) << "the item belongs to the first parked popper";
  put(q, 2);
  settle(context);
  EXPECT_EQ(*first.value(), 1);
  EXPECT_EQ(*second.value(), 2);
}

TEST(bounded_queue, resumes_nobody_inside_the_call_that_wakes) {
  asio::io_context context;
  queue q(1);
  operation parked(context, q.pop());
  put(q, 1);
  EXPECT_TRUE(parked.pending());
  settle(context);
  EXPECT_TRUE(parked.succeeded());
}

TEST(bounded_queue, with_capacity_zero_is_a_rendezvous) {  // BQ-5
  asio::io_context context;
  queue q(0);
  item one = make(1), two = make(2), three = make(3);
  EXPECT_FALSE(q.try_push(one));
  operation push(context, q.push(one));
  EXPECT_TRUE(push.pending());
  EXPECT_EQ(take(q), 1);
  settle(context);
  EXPECT_TRUE(push.succeeded());
  operation pop(context, q.pop());
  EXPECT_TRUE(q.try_push(two));
  settle(context);
  EXPECT_EQ(*pop.value(), 2);
  q.unpop(make(4));
  operation behind(context, q.push(three));
  EXPECT_EQ(take(q), 4);
  EXPECT_TRUE(behind.pending());
  EXPECT_EQ(take(q), 3);
}

TEST(bounded_queue, refuses_a_negative_capacity) { EXPECT_THROW(queue(-1), std::invalid_argument); }  // BQ-5

TEST(bounded_queue, forgets_a_cancelled_push_and_leaves_its_item) {  // BQ-6
  asio::io_context context;
  queue q(1);
  put(q, 1);
  item two = make(2), three = make(3);
  operation second(context, q.push(two));
  operation third(context, q.push(three));
  second.cancel();
  settle(context);
  EXPECT_TRUE(second.cancelled());
  ASSERT_TRUE(two);
  EXPECT_EQ(q.statistics().parked_pushers, 1u);
  EXPECT_EQ(take(q), 1);
  EXPECT_EQ(take(q), 3);
  EXPECT_EQ(q.unfinished(), 2u);
}

TEST(bounded_queue, delivers_when_delivery_and_cancellation_meet_in_either_order) {  // BQ-7, X-3
  for (const bool cancel_first : {false, true}) {
    asio::io_context context;
    queue q(1);
    operation pop(context, q.pop());
    if (cancel_first) pop.cancel();
    put(q, 7);
    if (!cancel_first) pop.cancel();
    settle(context);
    ASSERT_TRUE(pop.succeeded());
    EXPECT_EQ(*pop.value(), 7);
    EXPECT_EQ(q.size(), 0u);
  }
}

TEST(bounded_queue, commits_a_push_when_room_and_cancellation_meet_in_either_order) {
  for (const bool cancel_first : {false, true}) {
    asio::io_context context;
    queue q(1);
    put(q, 1);
    item two = make(2);
    operation push(context, q.push(two));
    if (cancel_first) push.cancel();
    EXPECT_EQ(take(q), 1);
    if (!cancel_first) push.cancel();
    settle(context);
    EXPECT_TRUE(push.succeeded());
    EXPECT_EQ(take(q), 2);
  }
}

TEST(bounded_queue, passes_the_next_item_on_when_a_popper_is_cancelled) {
  asio::io_context context;
  queue q(1);
  operation first(context, q.pop());
  operation second(context, q.pop());
  first.cancel();
  settle(context);
  put(q, 1);
  settle(context);
  EXPECT_TRUE(first.cancelled());
  EXPECT_EQ(*second.value(), 1);
}

TEST(bounded_queue, stays_cancelled_when_a_weaker_request_follows) {
  asio::io_context context;
  queue q(1);
  operation pop(context, q.pop());
  pop.cancel(asio::cancellation_type::terminal);
  pop.cancel(asio::cancellation_type::total);
  settle(context);
  EXPECT_TRUE(pop.cancelled());
}

TEST(bounded_queue, takes_nothing_when_a_deadline_passes) {  // BQ-8
  asio::io_context context;
  queue q(1);
  operation pop(context, q.pop_until(now()));
  context.run();
  EXPECT_TRUE(pop.failed_with<timed_out>());
  put(q, 1);
  item two = make(2);
  operation push(context, q.push_until(two, now()));
  context.restart();
  context.run();
  EXPECT_TRUE(push.failed_with<timed_out>());
  EXPECT_TRUE(two);
  EXPECT_EQ(q.size(), 1u);
  operation at_once(context, q.pop_until(now() - std::chrono::hours(1)));
  EXPECT_EQ(*at_once.value(), 1);
}

asio::awaitable<void> pop_then_deliver_at_expiry(queue& q, int& got) {
  // The timer is due before the wait begins, so its expiry is queued in the turn in which the item arrives.
  item taken = co_await q.pop_until(now() - std::chrono::seconds(1));
  got = *taken;
}

TEST(bounded_queue, delivers_when_delivery_and_deadline_meet) {  // BQ-8
  asio::io_context context;
  queue q(1);
  int got = 0;
  asio::co_spawn(context, pop_then_deliver_at_expiry(q, got),
                 [](const std::exception_ptr& failure) { EXPECT_FALSE(failure); });
  context.poll_one();
  ASSERT_EQ(q.statistics().parked_poppers, 1u);
  put(q, 5);
  settle(context);
  EXPECT_EQ(got, 5);
}

TEST(bounded_queue, takes_an_item_back_to_the_head_beyond_its_capacity) {  // BQ-9, BQ-15
  asio::io_context context;
  queue q(1);
  put(q, 1);
  item in_hand = take_out(q);
  put(q, 2);
  EXPECT_EQ(q.unfinished(), 2u);
  q.unpop(std::move(in_hand));
  EXPECT_EQ(q.unfinished(), 2u);
  EXPECT_EQ(q.size(), 2u);
  EXPECT_EQ(q.statistics().size_peak, 2u);
  item three = make(3);
  operation push(context, q.push(three));
  EXPECT_EQ(take(q), 1);
  settle(context);
  EXPECT_TRUE(push.pending()) << "still full";
  EXPECT_EQ(take(q), 2);
  settle(context);
  EXPECT_TRUE(push.succeeded());
}

TEST(bounded_queue, gives_an_item_handed_back_to_a_parked_popper) {  // BQ-4, BQ-9
  asio::io_context context;
  queue q(1);
  put(q, 1);
  item in_hand = take_out(q);
  operation pop(context, q.pop());
  q.unpop(std::move(in_hand));
  settle(context);
  EXPECT_EQ(*pop.value(), 1);
  EXPECT_EQ(q.unfinished(), 1u);
}

TEST(bounded_queue, fails_parked_pushers_at_close_and_leaves_their_items) {  // BQ-10, BQ-11, BQ-13
  asio::io_context context;
  queue q(1);
  put(q, 1);
  item two = make(2), three = make(3);
  operation push(context, q.push(two));
  q.close();
  q.close();
  EXPECT_TRUE(push.pending());
  settle(context);
  EXPECT_TRUE(push.failed_with<closed>());
  EXPECT_TRUE(two);
  EXPECT_THROW((void)q.try_push(three), closed);
  EXPECT_TRUE(three);
  EXPECT_EQ(take(q), 1);
  EXPECT_THROW((void)q.try_pop(), closed);
  operation late(context, q.pop());
  EXPECT_TRUE(late.failed_with<closed>());
}

TEST(bounded_queue, fails_parked_poppers_at_close) {  // BQ-11
  asio::io_context context;
  queue q(1);
  operation pop(context, q.pop());
  q.close();
  settle(context);
  EXPECT_TRUE(pop.failed_with<closed>());
}

TEST(bounded_queue, gives_its_items_out_at_close_now) {  // BQ-12, BQ-16
  asio::io_context context;
  queue q(2);
  put(q, 1);
  put(q, 2);
  item three = make(3);
  operation push(context, q.push(three));
  operation join(context, q.join());
  auto removed = q.close_now();
  settle(context);
  ASSERT_EQ(removed.size(), 2u);
  EXPECT_EQ(*removed[0], 1);
  EXPECT_EQ(*removed[1], 2);
  EXPECT_TRUE(push.failed_with<closed>());
  EXPECT_TRUE(join.succeeded());
}

TEST(bounded_queue, joins_when_every_item_is_done) {  // BQ-14, BQ-15, BQ-17
  asio::io_context context;
  queue q(2);
  operation idle(context, q.join());
  EXPECT_TRUE(idle.succeeded());
  put(q, 1);
  operation join(context, q.join());
  EXPECT_EQ(take(q), 1);
  settle(context);
  EXPECT_TRUE(join.pending()) << "the item is in hand";
  q.done();
  settle(context);
  EXPECT_TRUE(join.succeeded());
  EXPECT_THROW(q.done(), std::logic_error);
}

asio::awaitable<void> ignore_requests_and_pop(queue& q, std::vector<std::string>& log) {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      (void)co_await q.pop();
      log.push_back("item");
    } catch (...) {
      log.push_back(is_cancellation(std::current_exception()) ? "cancelled" : "failed");
    }
    if (attempt == 0) put(q, 1);
  }
}

TEST(bounded_queue, refuses_to_begin_in_a_cancelled_scope_even_when_asio_would_not_throw) {
  asio::io_context context;
  queue q(1);
  std::vector<std::string> log;
  operation stubborn(context, ignore_requests_and_pop(q, log));
  stubborn.cancel();
  settle(context);
  EXPECT_EQ(log, (std::vector<std::string>{"cancelled", "cancelled"}));
  EXPECT_EQ(q.size(), 1u);
}

TEST(bounded_queue, detects_that_it_is_destroyed_under_a_waiter) {
  counting_violations violations;
  asio::io_context context;
  auto q = std::make_unique<queue>(1);
  operation pop(context, q->pop());
  q.reset();
  EXPECT_EQ(violations.count(), 1);
  pop.cancel();
  settle(context);
  EXPECT_TRUE(pop.cancelled()) << "let go, it can still be cancelled";
}

TEST(bounded_queue, may_be_destroyed_right_after_it_woke_everybody) {
  asio::io_context context;
  auto q = std::make_unique<queue>(1);
  operation pop(context, q->pop());
  q->close();
  q.reset();
  settle(context);
  EXPECT_TRUE(pop.failed_with<closed>());
}

asio::awaitable<void> own_a_queue_with_waiters(asio::io_context& context) {
  queue q(1);
  asio::co_spawn(context, q.pop(),
                 [](const std::exception_ptr&, const item&) { FAIL() << "nobody resumes"; });
  asio::co_spawn(context, q.pop(),
                 [](const std::exception_ptr&, const item&) { FAIL() << "nobody resumes"; });
  item forever = co_await q.pop();
}

TEST(bounded_queue, dies_with_its_context_and_everybody_parked) {
  counting_violations violations;
  queue outside(1);
  {
    asio::io_context context;
    operation pop(context, outside.pop());
    operation inside(context, own_a_queue_with_waiters(context));
    EXPECT_EQ(outside.statistics().parked_poppers, 1u);
  }
  EXPECT_EQ(outside.statistics().parked_poppers, 0u);
  EXPECT_EQ(violations.count(), 0);
  put(outside, 1);
  EXPECT_EQ(take(outside), 1);
}

TEST(bounded_queue, moves_many_items_through_several_hands_once) {  // BQ-18
  asio::io_context context;
  queue q(3);
  int sum = 0;
  struct actors {
    static asio::awaitable<void> produce(queue& q, int first) {
      for (int id = first; id < first + 100; ++id) {
        item one = make(id);
        co_await q.push(one);
        if (id % 7 == 0) co_await yield();
      }
    }
    static asio::awaitable<void> consume(queue& q, int& sum) {
      for (;;) {
        item one = co_await q.pop();
        sum += *one;
        q.done();
        co_await yield();
      }
    }
  };
  operation consumer_a(context, actors::consume(q, sum));
  operation consumer_b(context, actors::consume(q, sum));
  operation producer_a(context, actors::produce(q, 0));
  operation producer_b(context, actors::produce(q, 100));
  operation join(context, q.join());
  EXPECT_TRUE(join.succeeded());
  q.close();
  settle(context);
  EXPECT_TRUE(consumer_a.failed_with<closed>());
  EXPECT_TRUE(consumer_b.failed_with<closed>());
  EXPECT_EQ(sum, 199 * 200 / 2);
}

}  // namespace
}  // namespace assay::reference::test
