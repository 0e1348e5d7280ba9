#include <assay/reference/flow/bounded_queue.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <optional>
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

TEST(bounded_queue, resumes_nobody_inside_the_call_that_wakes) {
  asio::io_context context;
  queue q(1);
  operation parked(context, q.pop());
  put(q, 1);
  EXPECT_TRUE(parked.pending());
  settle(context);
  EXPECT_TRUE(parked.succeeded());
}

TEST(bounded_queue, lets_the_oldest_give_way_only_where_there_is_no_room) {
  asio::io_context context;
  queue q(2);
  for (const int id : {1, 2}) {
    item one = make(id);
    EXPECT_FALSE(q.push_over(one));
  }
  item third = make(3);
  const std::optional<item> removed = q.push_over(third);
  ASSERT_TRUE(removed);
  EXPECT_EQ(**removed, 1);
  EXPECT_EQ(q.size(), 2U);
  EXPECT_EQ(q.unfinished(), 2U);
  EXPECT_EQ(take(q), 2);
  EXPECT_EQ(take(q), 3);
  operation parked(context, q.pop());
  item fourth = make(4);
  EXPECT_FALSE(q.push_over(fourth));
  settle(context);
  EXPECT_EQ(*parked.value(), 4);
  q.close();
  item late = make(5);
  EXPECT_THROW((void)q.push_over(late), closed);
  EXPECT_EQ(*late, 5);
}

TEST(bounded_queue, removes_the_newest_and_lets_a_pusher_have_its_place) {
  asio::io_context context;
  queue q(2);
  EXPECT_FALSE(q.remove_newest());
  put(q, 1);
  put(q, 2);
  item third = make(3);
  operation push(context, q.push(third));
  EXPECT_EQ(**q.remove_newest(), 2);
  settle(context);
  EXPECT_TRUE(push.succeeded());
  EXPECT_EQ(**q.remove_newest(), 3);
  operation join(context, q.join());
  settle(context);
  EXPECT_TRUE(join.pending());
  EXPECT_EQ(**q.remove_newest(), 1);
  settle(context);
  EXPECT_TRUE(join.succeeded());

  put(q, 4);
  item back = take_out(q);
  put(q, 5);
  put(q, 6);
  operation waits(context, q.push(back));
  q.unpop(make(4));
  EXPECT_EQ(**q.remove_newest(), 6);  // what was handed back had no place to give
  settle(context);
  EXPECT_TRUE(waits.pending());
  waits.cancel();
  settle(context);
}

TEST(bounded_queue, replaces_the_oldest_that_is_meant) {
  queue q(3);
  for (const int id : {1, 2, 3}) put(q, id);
  const auto is_even = [](const item& one) { return *one % 2 == 0; };
  const auto is_odd = [](const item& one) { return *one % 2 == 1; };
  EXPECT_TRUE(q.contains_if(is_even));
  item one = make(5);
  EXPECT_EQ(**q.replace_if(one, is_odd), 1);
  one = make(7);
  EXPECT_EQ(**q.replace_if(one, is_even), 2);
  one = make(9);
  EXPECT_FALSE(q.contains_if(is_even));
  EXPECT_FALSE(q.replace_if(one, is_even));
  EXPECT_EQ(*one, 9);
  EXPECT_EQ(q.unfinished(), 3U);
  for (const int id : {5, 7, 3}) EXPECT_EQ(take(q), id);
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

TEST(bounded_queue, stays_cancelled_when_a_weaker_request_follows) {
  asio::io_context context;
  queue q(1);
  operation pop(context, q.pop());
  pop.cancel(asio::cancellation_type::terminal);
  pop.cancel(asio::cancellation_type::total);
  settle(context);
  EXPECT_TRUE(pop.cancelled());
}

asio::awaitable<void> pop_then_deliver_at_expiry(queue& q, int& got) {
  // The timer is due before the wait begins, so its expiry is queued in the turn in which the item arrives.
  item taken = co_await q.pop_until(now() - std::chrono::seconds(1));
  got = *taken;
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

asio::awaitable<void> ignore_requests_and_join(queue& q, std::vector<std::string>& log) {
  co_await asio::this_coro::throw_if_cancelled(false);
  for (int attempt = 0; attempt < 2; ++attempt) {
    try {
      co_await q.join();
      log.push_back("finished");
    } catch (...) {
      log.push_back(is_cancellation(std::current_exception()) ? "cancelled" : "failed");
    }
    if (attempt > 0) continue;
    (void)take(q);
    q.done();
  }
}

TEST(bounded_queue, refuses_a_join_in_a_cancelled_scope_although_nothing_is_left_to_do) {
  asio::io_context context;
  queue q(1);
  put(q, 1);
  std::vector<std::string> log;
  operation stubborn(context, ignore_requests_and_join(q, log));
  stubborn.cancel();
  settle(context);
  EXPECT_EQ(log, (std::vector<std::string>{"cancelled", "cancelled"}));
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

TEST(bounded_queue, counts_who_waits_for_the_end) {  // BQ-19
  asio::io_context context;
  queue q(2);
  put(q, 1);
  operation first(context, q.join());
  operation second(context, q.join());
  EXPECT_EQ(q.statistics().parked_joiners, 2u);
  EXPECT_EQ(q.statistics().capacity, 2u);
  EXPECT_EQ(q.statistics().unfinished, 1u);
  EXPECT_FALSE(q.statistics().is_closed);
  EXPECT_EQ(take(q), 1);
  q.done();
  settle(context);
  EXPECT_EQ(q.statistics().parked_joiners, 0u);
  q.close();
  EXPECT_TRUE(q.statistics().is_closed);
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
