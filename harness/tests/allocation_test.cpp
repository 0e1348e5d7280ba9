// What a trial that fails allocations promises: it counts the subject's and nobody else's, fails the one that it is asked
// to, and judges by what holds whatever fails.
#include <assay/harness/allocation/counter.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <new>

#include <assay/harness/campaign/allocations.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/mock/script.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::test {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::Field;
using testing::HasSubstr;

trial_result run_failing(body scenario, std::uint32_t number, bool persistent = false) {
  fifo_source source;
  trial_settings settings;
  settings.allocation = allocation_fault{number, persistent};
  return run_with(source, scenario, settings, true);
}
std::uint32_t points_of(body scenario) {
  const trial_result seen = run_failing(scenario, 0);
  EXPECT_TRUE(seen.passed()) << seen.message;
  return seen.allocations->points;
}

// A pointer that the compiler cannot see through: else it may leave the allocation out.
template <class T>
void use(T* pointer) {
  asm volatile("" : : "g"(pointer) : "memory");
}
void allocate() {
  auto* const one = new int(1);
  use(one);
  delete one;
}

asio::awaitable<void> allocate_times(int times) {
  for (int i = 0; i < times; ++i) allocate();
  co_return;
}

// ---- what is counted

asio::awaitable<void> allocates_three_times(trial& t) {
  auto three = t.start("three", allocate_times(3));
  co_await t.settle();
  t.expect(three.ended(), "it ended");
  if (three.failed()) co_return;
}
TEST(allocation, those_of_an_operation_are_counted) { EXPECT_EQ(points_of(&allocates_three_times), 3U); }

asio::awaitable<void> allocates_itself(trial& t) {
  co_await allocate_times(3);
  std::vector<std::string> many(20, std::string(100, 'x'));
  use(many.data());
  co_await t.settle();
}
TEST(allocation, those_of_the_scenario_are_not) { EXPECT_EQ(points_of(&allocates_itself), 0U); }

class handler_of_the_subject {
 public:
  static asio::awaitable<void> run(trial& t) {
    asio::post(t.executor(), [] { allocate(); });
    co_await t.settle();
  }
};
TEST(allocation, those_of_a_handler_of_the_subject_are_counted) {
  EXPECT_EQ(points_of(&handler_of_the_subject::run), 1U);
}

asio::awaitable<void> works_with_the_harness(trial& t, script<void> dependency) {
  for (int i = 1; i < 40; ++i) {
    t.expect(true, "a check that is longer than any short string can be");
    t.expect_eq(i, i, "the same, and as long as the one above it");
    t.mark(
        "a mark that is longer than any short string can be");  // its text is the caller's: one allocation each
    t.sometimes("a state that is longer than any short string can be");
    item one = t.item(i);
    t.items().give(one);
    t.items().deliver(one);
    item other(std::move(one));
    t.touch(static_cast<std::uint64_t>(i));
  }
  co_await dependency.call();
}
asio::awaitable<void> uses_the_harness(trial& t) {
  script<void> dependency(t, "dependency");
  dependency.returns();
  auto uses = t.start("uses", works_with_the_harness(t, dependency));
  co_await t.settle();
  t.expect(uses.done(), "it ended well");
}
TEST(allocation, the_harness_does_not_count_what_it_keeps_for_itself) {
  EXPECT_EQ(points_of(&uses_the_harness), 39U);
}

TEST(allocation, the_harness_never_meets_a_failure_of_its_own) {
  const std::uint32_t points = points_of(&uses_the_harness);
  for (std::uint32_t number = 1; number <= points; ++number) {
    const trial_result seen = run_failing(&uses_the_harness, number, true);
    EXPECT_TRUE(seen.passed()) << number << ": " << seen.message;
    EXPECT_TRUE(seen.allocations->told) << number;
    EXPECT_FALSE(seen.allocations->left_turn) << number;
  }
}

asio::awaitable<void> waits_and_posts() {
  co_await sleep_for(1ms);
  co_await yield_turn();
}
asio::awaitable<void> lets_asio_allocate(trial& t) {
  auto waits = t.start("waits", waits_and_posts());
  co_await t.advance(1ms);
  co_await t.settle();
  t.expect(waits.ended(), "it ended");
}
TEST(allocation, what_asio_allocates_for_the_subject_is_counted) {
  EXPECT_GT(points_of(&lets_asio_allocate), 0U);
}

struct alignas(64) wide {
  std::array<char, 64> bytes;
};
asio::awaitable<void> allocate_in_every_way(int& refused) {
  const auto look = [&refused](auto* made) {
    use(made);
    if (made == nullptr) ++refused;
    return made;
  };
  delete look(new int(1));
  delete[] look(new int[3]);
  delete look(new (std::nothrow) int(1));
  delete[] look(new (std::nothrow) int[3]);
  delete look(new wide());
  delete[] look(new wide[2]);
  delete look(new (std::nothrow) wide());
  delete[] look(new (std::nothrow) wide[2]);
  std::free(look(std::aligned_alloc(64, 64)));
  co_return;
}
int refused = 0;
asio::awaitable<void> allocates_in_every_way(trial& t) {
  refused = 0;
  auto all = t.start("all", allocate_in_every_way(refused));
  co_await t.settle();
  if (all.failed()) co_return;
}
TEST(allocation, every_form_is_counted_and_fails_in_its_own_way) {
  ASSERT_EQ(points_of(&allocates_in_every_way), 9U);
  for (const std::uint32_t throwing : {1U, 2U, 5U, 6U}) {
    EXPECT_TRUE(run_failing(&allocates_in_every_way, throwing).allocations->told) << throwing;
    EXPECT_EQ(refused, 0) << throwing;
  }
  for (const std::uint32_t returning : {3U, 4U, 7U, 8U, 9U}) {
    EXPECT_FALSE(run_failing(&allocates_in_every_way, returning).allocations->told) << returning;
    EXPECT_EQ(refused, 1) << returning;
  }
}

TEST(allocation, a_trial_that_is_not_asked_to_counts_nothing) {
  EXPECT_FALSE(run_fifo(&allocates_three_times).allocations.has_value());
}

TEST(allocation, the_same_settings_give_the_same_count_and_the_same_trace) {
  for (const std::uint32_t number : {0U, 1U, 2U, 3U}) {
    const trial_result one = run_failing(&lets_asio_allocate, number, true);
    const trial_result other = run_failing(&lets_asio_allocate, number, true);
    EXPECT_EQ(one.allocations->points, other.allocations->points);
    EXPECT_EQ(one.events->hash(), other.events->hash());
  }
}

// ---- which one fails

TEST(allocation, the_nth_fails_and_the_story_tells_whose_it_was) {
  const trial_result seen = run_failing(&allocates_three_times, 2);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_TRUE(seen.allocations->failed);
  EXPECT_TRUE(seen.allocations->told);
  EXPECT_EQ(seen.allocations->points, 2U) << "the third never came";
  EXPECT_THAT(seen.events->events(),
              Contains(AllOf(Field(&event::kind, event_kind::fault),
                             Field(&event::text, "allocation 2 of the subject fails, in 'three'"))));
}

asio::awaitable<void> allocate_patiently(int times, int& failures) {
  for (int i = 0; i < times; ++i) {
    try {
      allocate();
    } catch (const std::bad_alloc&) {
      ++failures;
    }
  }
  co_return;
}
int failures = 0;
asio::awaitable<void> absorbs(trial& t) {
  failures = 0;
  auto patient = t.start("patient", allocate_patiently(5, failures));
  co_await t.settle();
  t.expect(patient.done(), "it ended well");
}
TEST(allocation, one_fails_once_or_with_every_later_one) {
  EXPECT_TRUE(run_failing(&absorbs, 2).passed());
  EXPECT_EQ(failures, 1);
  const trial_result seen = run_failing(&absorbs, 2, true);
  EXPECT_EQ(failures, 4);
  EXPECT_EQ(judge_allocation(seen), allocation_outcome::absorbed);
}

TEST(allocation, beyond_the_last_one_nothing_fails) {
  const trial_result seen = run_failing(&absorbs, 6);
  EXPECT_TRUE(seen.passed());
  EXPECT_FALSE(seen.allocations->failed);
}

// ---- what is judged

asio::awaitable<void> misses_what_it_expected(trial& t) {
  auto three = t.start("three", allocate_times(3));
  co_await t.settle();
  t.expect(three.done(), "three ended well");
}
TEST(allocation, what_the_scenario_foresaw_does_not_bind_any_more) {
  const trial_result seen = run_failing(&misses_what_it_expected, 1);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_EQ(judge_allocation(seen), allocation_outcome::surfaced);
}

asio::awaitable<void> fails_before_that(trial& t) {
  t.fail("wrong from the beginning");
  auto three = t.start("three", allocate_times(3));
  co_await t.settle();
  t.expect(three.ended(), "it ended");
}
TEST(allocation, what_went_wrong_before_still_counts) {
  EXPECT_EQ(run_failing(&fails_before_that, 1).message, "wrong from the beginning");
}

asio::awaitable<void> swallow_and_wait() {
  bool swallowed = false;
  try {
    allocate();
  } catch (const std::bad_alloc&) {
    swallowed = true;
  }
  if (swallowed) co_await sleep_for_ever();
}
asio::awaitable<void> waits_in_vain(trial& t) {
  auto silent = t.start("silent", swallow_and_wait());
  co_await t.settle();
  t.expect(silent.done(), "it ended well");
}
asio::awaitable<void> waits_in_vain_and_stops(trial& t) {
  auto silent = t.start("silent", swallow_and_wait());
  co_await t.settle();
  silent.value();  // ends the scenario if there is none
}
TEST(allocation, a_deadlock_of_which_nobody_was_told_is_lost) {
  for (const body scenario : {&waits_in_vain, &waits_in_vain_and_stops}) {
    ASSERT_EQ(points_of(scenario), 1U);
    const trial_result seen = run_failing(scenario, 1);
    EXPECT_EQ(seen.kind, failure_kind::deadlock);
    EXPECT_THAT(seen.message, HasSubstr("'silent'"));
    EXPECT_EQ(judge_allocation(seen), allocation_outcome::lost);
  }
}

asio::awaitable<void> one_waits_for_the_other(trial& t) {
  auto other = t.start("other", allocate_times(1));
  auto waits = t.start("waits", sleep_for_ever());
  co_await t.settle();
  if (other.done()) waits.cancel();
  co_await t.settle();
  t.expect(waits.cancelled(), "it was let go");
}
TEST(allocation, a_deadlock_after_somebody_was_told_is_the_scenarios) {
  ASSERT_GT(points_of(&one_waits_for_the_other), 0U);
  const trial_result seen = run_failing(&one_waits_for_the_other, 1);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_EQ(judge_allocation(seen), allocation_outcome::surfaced);
}

class throwing_handler {
 public:
  static asio::awaitable<void> run(trial& t) {
    asio::post(t.executor(), [] { allocate(); });
    auto waits = t.start("waits", yield_turn());
    co_await t.settle();
    t.expect(waits.ended(), "it ended");
  }
};
TEST(allocation, what_leaves_a_turn_was_told_to_whoever_runs_the_loop) {
  const trial_result seen = run_failing(&throwing_handler::run, 1);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_TRUE(seen.allocations->left_turn);
  EXPECT_EQ(judge_allocation(seen), allocation_outcome::surfaced);
}

asio::awaitable<void> deliver_twice(trial& t, item_ledger& items) {
  item one = t.item(1);
  items.give(one);
  items.deliver(one);
  bool again = false;
  try {
    allocate();
  } catch (const std::bad_alloc&) {
    again = true;
  }
  if (again) items.deliver(one);
  co_return;
}
asio::awaitable<void> doubles(trial& t) {
  auto twice = t.start("twice", deliver_twice(t, t.items()));
  co_await t.settle();
  t.expect(twice.done(), "it ended well");
}
TEST(allocation, an_item_that_comes_twice_is_judged_whatever_failed) {
  EXPECT_EQ(judge_allocation(run_failing(&doubles, 1)), allocation_outcome::doubled);
}

asio::awaitable<void> lose_the_item(item one, item_ledger& items) {
  items.give(one);
  try {
    allocate();
  } catch (const std::bad_alloc&) {
    co_return;
  }
  items.deliver(one);
}
asio::awaitable<void> loses(trial& t) {
  auto careless = t.start("careless", lose_the_item(t.item(1), t.items()));
  co_await t.settle();
  t.expect(careless.done(), "it ended well");
}
TEST(allocation, an_item_that_is_gone_and_nobody_was_told_is_lost) {
  EXPECT_EQ(judge_allocation(run_failing(&loses, 1)), allocation_outcome::lost);
}

class forgotten_timer {
 public:
  static asio::awaitable<void> run(trial& t) {
    auto careless = t.start("careless", forget(t.executor()));
    co_await t.settle();
    t.expect(careless.ended(), "it ended");
  }

 private:
  static asio::awaitable<void> forget(asio::any_io_executor executor) {
    auto timer = std::make_shared<asio::steady_timer>(executor, 1h);
    timer->async_wait([timer](boost::system::error_code) {});
    try {
      allocate();
    } catch (const std::bad_alloc&) {
      timer->expires_at(asio::steady_timer::time_point::max());
      timer->async_wait([timer](boost::system::error_code) {});
      throw;
    }
    timer->cancel();
    co_return;
  }
};
TEST(allocation, what_is_left_behind_is_a_leak_although_somebody_was_told) {
  const std::uint32_t points = points_of(&forgotten_timer::run);
  const trial_result seen = run_failing(&forgotten_timer::run, points);
  EXPECT_TRUE(seen.allocations->told);
  EXPECT_EQ(judge_allocation(seen), allocation_outcome::leaked) << seen.message;
}

// ---- settings

TEST(allocation, it_needs_the_simulator) {
  fifo_source source;
  trial_settings settings;
  settings.where = tier::io_context;
  settings.allocation = allocation_fault{};
  EXPECT_THROW(run_with(source, &allocates_itself, settings), std::invalid_argument);
}

TEST(allocation, a_token_holds_which_one_fails) {
  for (const char* const text : {"0", "7", "7+", "4294967295+"}) {
    const auto read = read_allocation_fault(text);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_EQ(to_string(*read), text);
  }
  for (const char* const text : {"", "+", "7-", "-7", "7++", "4294967296", "x"})
    EXPECT_FALSE(read_allocation_fault(text).has_value()) << text;
  replay_token token;
  token.settings = "tier=sim,sweep=1,alloc=7+";
  EXPECT_EQ(settings_of(token).allocation, (allocation_fault{7, true}));
  token.settings = "tier=sim,sweep=1";
  EXPECT_FALSE(settings_of(token).allocation.has_value());
  token.settings = "tier=sim,alloc=much";
  EXPECT_THROW(settings_of(token), malformed_token);
}

}  // namespace
}  // namespace assay::test
