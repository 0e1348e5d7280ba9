// Strategies of exploration: that they explore, that they come back to fairness, that enumeration is complete, and that
// orders of unrelated turns are told apart from orders that matter.
#include <assay/harness/choice/strategy.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay {
namespace {

using namespace test;

// Three tasks of two turns each; every turn says what it touches.
std::string order_seen;  // of the last trial

asio::awaitable<void> two_turns(trial& t, char name, std::uint64_t thing) {
  t.touch(thing);
  order_seen += name;
  co_await yield_turn();
  t.touch(thing);
  order_seen += name;
}

template <bool Shared, bool Told>
asio::awaitable<void> three_tasks(trial& t) {
  order_seen.clear();
  if (Told) t.touches_everything();
  auto a = t.start("a", two_turns(t, 'a', 1));
  auto b = t.start("b", two_turns(t, 'b', Shared ? 1 : 2));
  auto c = t.start("c", two_turns(t, 'c', Shared ? 1 : 3));
  co_await t.settle();
}

struct enumeration {
  std::set<std::string> orders;
  std::set<std::uint64_t> classes;
  std::uint32_t trials = 0;
};
enumeration enumerate(body scenario) {
  enumeration seen;
  exhaustive all;
  do {
    const trial_result one = run_with(all.next(), scenario);
    EXPECT_TRUE(one.passed()) << one.message;
    seen.orders.insert(order_seen);
    seen.classes.insert(one.order_class);
    ++seen.trials;
  } while (all.finish() && seen.trials < 100'000);
  return seen;
}

TEST(exhaustive, covers_every_order_once) {
  const enumeration all = enumerate(&three_tasks<true, false>);
  EXPECT_EQ(all.orders.size(), 90U);  // 6! / (2! 2! 2!)
  EXPECT_GE(all.trials, 90U);
}

TEST(exhaustive, covers_orders_of_unrelated_turns_once_if_it_is_told_what_they_touch) {
  const enumeration untold = enumerate(&three_tasks<false, false>);
  const enumeration told = enumerate(&three_tasks<false, true>);
  EXPECT_EQ(untold.orders.size(), 90U);
  EXPECT_LT(told.trials, untold.trials / 5);  // sleep sets leave some runs that turn out to be redundant
  // What it left out is no other class.
  EXPECT_EQ(told.classes, untold.classes);
}

TEST(exhaustive, leaves_out_no_order_of_turns_that_touch_the_same) {
  EXPECT_EQ(enumerate(&three_tasks<true, true>).orders.size(), 90U);
}

TEST(order_class, is_the_same_for_orders_of_unrelated_turns_only) {
  EXPECT_EQ(enumerate(&three_tasks<false, false>).classes.size(), 1U);
  EXPECT_EQ(enumerate(&three_tasks<true, false>).classes.size(), 90U);
}

asio::awaitable<void> asks_often(trial& t) {
  auto a = t.start("a", yield_often(10'000), {.background = true});
  auto b = t.start("b", yield_often(10'000), {.background = true});
  for (int i = 0; i < 2000; ++i) co_await yield_turn();
}

class every_strategy : public testing::TestWithParam<strategy> {};

TEST_P(every_strategy, gives_the_same_answers_for_the_same_seed) {
  run_shape shape;
  for (std::uint64_t seed = 1; seed < 20; ++seed) {
    const auto one = GetParam().make(seed, shape);
    const auto other = GetParam().make(seed, shape);
    EXPECT_EQ(run_with(*one, &three_tasks<true, false>).choices,
              run_with(*other, &three_tasks<true, false>).choices);
  }
}

TEST_P(every_strategy, is_first_in_first_out_in_the_end) {
  run_shape shape;
  const auto source = GetParam().make(7, shape);
  const trial_result seen = run_with(*source, &asks_often);
  EXPECT_TRUE(seen.passed()) << seen.message;
  ASSERT_GT(seen.choices.size(), 2000U);
  const auto tail = seen.choices.end() - 1000;
  EXPECT_TRUE(std::all_of(tail, seen.choices.end(), [](const choice& one) { return one.chosen == 0; }));
}

TEST_P(every_strategy, deviates_from_first_in_first_out) {
  run_shape shape;
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    (void)run_with(*GetParam().make(seed, shape), &three_tasks<true, false>);
    orders.insert(order_seen);
  }
  orders.erase("abcabc");
  EXPECT_FALSE(orders.empty());
}

INSTANTIATE_TEST_SUITE_P(, every_strategy, testing::ValuesIn(strategies().begin(), strategies().end()),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(portfolio, gives_every_strategy_its_turn) {
  run_shape shape;
  portfolio all(1, shape);
  std::set<std::string> names;
  for (int i = 0; i < 100; ++i) {
    (void)run_with(all.next(), &three_tasks<true, false>);
    all.finish();
    names.emplace(all.name());
  }
  EXPECT_EQ(names.size(), strategies().size() + 1);  // dfs
}

asio::awaitable<void> two_tasks(trial& t) {
  auto a = t.start("a", do_nothing());
  auto b = t.start("b", do_nothing());
  co_await t.settle();
}

TEST(portfolio, says_when_everything_is_covered) {
  run_shape shape;
  portfolio all(1, shape);
  std::uint32_t trials = 0;
  while (!all.covered() && trials++ < 100) {
    (void)run_with(all.next(), &two_tasks);
    all.finish();
  }
  EXPECT_TRUE(all.covered());
}

TEST(pct_bound, grows_with_trials_and_falls_with_depth) {
  run_shape shape;
  shape.width = 3;
  shape.asked[static_cast<std::size_t>(choice_kind::ready)] = 20;
  EXPECT_EQ(pct_bound(shape, 2, 0), 0);
  EXPECT_LT(pct_bound(shape, 2, 100), pct_bound(shape, 2, 1000));
  EXPECT_LT(pct_bound(shape, 3, 1000), pct_bound(shape, 2, 1000));
  EXPECT_LE(pct_bound(shape, 2, 1'000'000'000), 1);
}

}  // namespace
}  // namespace assay
