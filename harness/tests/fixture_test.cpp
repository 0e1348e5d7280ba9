#include <assay/harness/trial/fixture.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <assay/harness/mock/gtest.hpp>
#include <assay/harness/mock/script.hpp>
#include <assay/harness/tests/mock_support.hpp>
#include <assay/harness/trial/scope.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing_support::run;
using testing_support::story;

asio::awaitable<void> pause(std::chrono::nanoseconds delay) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
}

/// What went on in one trial, and what is to go wrong in it.
struct scene {
  std::vector<std::string> log;
  std::string failing_setup;     // the fixture whose setup fails, after it acquired its first half
  std::string failing_teardown;  // the step whose teardown fails
  std::string body_failure;
  std::chrono::nanoseconds teardown_takes = 1ms;
};

/// Acquires two halves, each undone by a teardown that suspends.
class halves final : public fixture {
 public:
  halves(std::string name, scene& play) : fixture(std::move(name)), play_(play) {}

  asio::awaitable<void> set_up(trial&, teardown& later) override {
    play_.log.push_back("+" + name() + "1");
    later.add(name() + "1", [this] { return undo(name() + "1"); });
    co_await pause(1ms);
    if (play_.failing_setup == name()) throw contract::operation_error("no " + name() + "2");
    play_.log.push_back("+" + name() + "2");
    later.add(name() + "2", [this] { return undo(name() + "2"); }, 1s);
  }

 private:
  asio::awaitable<void> undo(std::string half) {
    co_await pause(play_.teardown_takes);
    play_.log.push_back("-" + half);
    if (play_.failing_teardown == half) throw contract::operation_error("cannot undo " + half);
  }
  scene& play_;
};

asio::awaitable<void> play_body(scene& play) {
  play.log.push_back("body");
  co_await pause(1ms);
  if (!play.body_failure.empty()) throw contract::operation_error(play.body_failure);
}

asio::awaitable<void> play_out(trial& t, scene& play) {
  fixture_list fixtures;
  fixtures.make<halves>("a", play);
  fixtures.make<halves>("b", play);
  return with_fixtures(t, std::move(fixtures), play_body(play));
}

// Runs one scene as one trial.
trial_result stage(scene& play) {
  return run([&play](trial& t) { return play_out(t, play); });
}

// ---- FIX-1

TEST(FIX_1, teardown_runs_in_reverse_order_of_setup) {
  scene play;
  EXPECT_EQ(story(stage(play)), "");
  EXPECT_THAT(play.log, ElementsAre("+a1", "+a2", "+b1", "+b2", "body", "-b2", "-b1", "-a2", "-a1"));
}

TEST(FIX_1, teardown_runs_in_reverse_order_when_the_body_fails) {
  scene play;
  play.body_failure = "boom";
  EXPECT_EQ(story(stage(play)), "the test failed: error 'boom'");
  EXPECT_THAT(play.log, ElementsAre("+a1", "+a2", "+b1", "+b2", "body", "-b2", "-b1", "-a2", "-a1"));
}

TEST(FIX_1, teardown_goes_on_when_an_earlier_teardown_fails) {
  scene play;
  play.failing_teardown = "b1";
  EXPECT_EQ(story(stage(play)), "the teardown of 'b1' failed: error 'cannot undo b1'");
  EXPECT_THAT(play.log, ElementsAre("+a1", "+a2", "+b1", "+b2", "body", "-b2", "-b1", "-a2", "-a1"));
}

// The natural mistake: teardown written after the body, in the order of setup, skipped by a failure.
asio::awaitable<void> naive_setup_and_body(scene& play) {
  play.log.push_back("+a1");
  play.log.push_back("+b1");
  co_await play_body(play);
  play.log.push_back("-a1");
  play.log.push_back("-b1");
}

TEST(FIX_1, the_check_tells_a_teardown_that_stands_after_the_body) {
  scene play;
  play.body_failure = "boom";
  run([&play](trial&) { return naive_setup_and_body(play); });
  EXPECT_THAT(play.log, testing::Not(testing::Contains("-a1")));
}

// ---- FIX-2

TEST(FIX_2, a_fixture_that_fails_halfway_releases_its_half_and_its_dependants_are_not_set_up) {
  scene play;
  play.failing_setup = "a";
  EXPECT_EQ(story(stage(play)), "the setup of 'a' failed: error 'no a2'");
  EXPECT_THAT(play.log, ElementsAre("+a1", "-a1"));
}

TEST(FIX_2, a_dependant_that_fails_halfway_releases_its_half_and_then_what_it_stands_on) {
  scene play;
  play.failing_setup = "b";
  EXPECT_EQ(story(stage(play)), "the setup of 'b' failed: error 'no b2'");
  EXPECT_THAT(play.log, ElementsAre("+a1", "+a2", "+b1", "-b1", "-a2", "-a1"));
}

// ---- FIX-3

asio::awaitable<void> cancelled_while_it_runs(trial& t, scene& play) {
  auto test = t.start("test", play_out(t, play));
  t.victim(test);
  co_await t.advance(1h);
  t.expect(test.ended(), "ends");
  const bool cancelled = test.cancelled();
  t.sometimes("cancelled", cancelled);
  std::vector<std::string> acquired;
  std::vector<std::string> released;
  for (const std::string& line : play.log) {
    if (line[0] == '+') acquired.push_back(line.substr(1));
    if (line[0] == '-') released.push_back(line.substr(1));
  }
  std::reverse(released.begin(), released.end());
  t.expect_eq(acquired, released, "what was acquired is released, in reverse order");
}

TEST(FIX_3, a_request_at_any_point_of_the_test_does_not_reach_the_teardown) {
  std::size_t cancelled = 0;
  for (std::uint32_t point = 0; point < 40; ++point) {
    for (const std::uint32_t again : {0u, 1u, 2u}) {
      scene play;
      sweep_source::deviation first;
      first.kind = choice_kind::cancel;
      first.index = point;
      sweep_source::deviation second = first;
      second.index = point + again;
      std::vector<sweep_source::deviation> plan{first, second};
      sweep_source source(std::move(plan));
      const trial_result result = run([&play](trial& t) { return cancelled_while_it_runs(t, play); }, source);
      EXPECT_EQ(story(result), "") << point;
      cancelled += result.reached.contains("cancelled") ? 1 : 0;
    }
  }
  EXPECT_GT(cancelled, 10u);
}

TEST(FIX_3, a_teardown_has_a_bound_in_virtual_time) {
  for (const auto takes : {999ms, 1001ms}) {
    scene play;
    play.teardown_takes = takes;
    const trial_result result = stage(play);
    if (takes < 1s) {
      EXPECT_EQ(story(result), "");
    } else {
      EXPECT_EQ(story(result),
                "the teardown of 'b2' did not end within its limit | "
                "the teardown of 'a2' did not end within its limit");
      EXPECT_THAT(play.log, ElementsAre("+a1", "+a2", "+b1", "+b2", "body", "-b1", "-a1"));
    }
  }
}

// The natural mistake: a teardown that is not shielded.
asio::awaitable<void> unshielded(scene& play) {
  std::exception_ptr failure;
  play.log.push_back("+a1");
  try {
    co_await pause(1ms);
  } catch (...) {
    failure = std::current_exception();
  }
  co_await pause(1ms);
  play.log.push_back("-a1");
}

asio::awaitable<void> cancel_unshielded(trial& t, scene& play) {
  auto test = t.start("test", unshielded(play));
  co_await t.settle();
  test.cancel();
  co_await t.settle();
}

TEST(FIX_3, the_check_tells_a_teardown_that_is_not_shielded) {
  scene play;
  run([&play](trial& t) { return cancel_unshielded(t, play); });
  EXPECT_THAT(play.log, ElementsAre("+a1"));
}

// ---- FIX-4

TEST(FIX_4, the_body_s_failure_comes_first_and_every_teardown_s_follows) {
  scene play;
  play.body_failure = "boom";
  play.failing_teardown = "b1";
  const trial_result result = stage(play);
  EXPECT_EQ(result.message, "the test failed: error 'boom'");
  EXPECT_THAT(result.failures, ElementsAre("the test failed: error 'boom'",
                                           "the teardown of 'b1' failed: error 'cannot undo b1'"));
}

asio::awaitable<void> raise_planted(trial& t) {
  t.raise("planted");
  co_return;
}

asio::awaitable<void> fail_with_planted(trial& t) {
  co_await with_fixtures(t, fixture_list(), raise_planted(t));
  t.expect_eq(t.times_observed("planted"), 1u);
}

TEST(FIX_4, a_reported_failure_counts_as_observed_once) {
  EXPECT_EQ(story(run(fail_with_planted)), "the test failed: error 'planted'");
}

// ---- FIX-5

asio::awaitable<void> look_around(trial& t, std::vector<std::string>& seen) {
  script<std::string> fetch(t, "fetch");
  fetch.returns("a");
  const std::uint64_t random = t.surroundings().random();
  const auto wall = std::chrono::system_clock::now().time_since_epoch().count();
  seen.push_back(std::to_string(t.elapsed().count()) + " " + std::to_string(wall) + " " +
                 std::to_string(random) + " " + std::to_string(t.marks().size()) + " " +
                 std::to_string(fetch.count()) + " " + std::to_string(t.items().entries().size()));
  const auto made = t.item(1);
  t.items().settle(1, item_state::delivered);
  t.step_wall_clock(-1h);
  t.mark("mark");
  co_await fetch.call();
  co_await t.advance(1s);
}

TEST(FIX_5, no_state_crosses_trials) {
  std::vector<std::string> seen;
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(story(run([&seen](trial& t) { return look_around(t, seen); })), "");
  }
  EXPECT_EQ(seen[0], seen[1]);
  EXPECT_EQ(seen[0], seen[2]);
}

asio::awaitable<void> use_shared(trial& t, std::shared_ptr<fixture> shared, scene& play) {
  fixture_list fixtures;
  fixtures.add(std::move(shared));
  return with_fixtures(t, std::move(fixtures), play_body(play));
}

TEST(FIX_5, a_fixture_that_turns_up_in_a_second_trial_is_refused) {
  scene play;
  auto shared = std::make_shared<halves>("a", play);
  EXPECT_EQ(story(run([&](trial& t) { return use_shared(t, shared, play); })), "");
  play.log.clear();
  EXPECT_EQ(story(run([&](trial& t) { return use_shared(t, shared, play); })),
            "the fixture 'a' was in use before: it carries state from trial to trial");
  EXPECT_THAT(play.log, ElementsAre());
}

// ---- FIX-6

asio::awaitable<int> inner(trial& t, bool holds) {
  require(t, holds, "the inner one holds");
  co_return 1;
}

asio::awaitable<void> outer(trial& t, bool holds, std::vector<std::string>& log) {
  const int got = co_await inner(t, holds);
  log.push_back("got " + std::to_string(got));
}

TEST(FIX_6, a_requirement_that_does_not_hold_ends_the_coroutine_and_those_that_await_it) {
  for (const bool holds : {true, false}) {
    std::vector<std::string> log;
    const trial_result result = run([&](trial& t) { return outer(t, holds, log); });
    EXPECT_EQ(story(result), holds ? "" : "expected: the inner one holds; observed: not so");
    EXPECT_EQ(log.size(), holds ? 1u : 0u);
  }
}

asio::awaitable<void> assert_numbers(trial& t, int number, int& last) {
  intercept_gtest(t);
  CO_ASSERT_EQ(number, number);
  last = 1;
  CO_ASSERT_NE(number, 2) << "it is " << number;
  last = 2;
  CO_ASSERT_LT(number, 3);
  last = 3;
  CO_ASSERT_TRUE(number != 4);
  last = 4;
  CO_ASSERT_FALSE(number == -1);
  last = 5;
  CO_ASSERT_GE(number, 0);
  last = 6;
  CO_ASSERT_LE(number, 3);
  last = 7;
  CO_ASSERT_GT(number, 0);
  last = 8;
  co_return;
}

TEST(FIX_6, the_forms_of_assert_for_coroutines_report_and_stop) {
  const std::vector<std::pair<int, int>> cases{{1, 8}, {2, 1}, {3, 2}, {-1, 4}, {-2, 5}, {0, 7}};
  for (const auto& [number, expected] : cases) {
    int last = 0;
    const trial_result result = run([&](trial& t) { return assert_numbers(t, number, last); });
    EXPECT_EQ(last, expected) << number;
    EXPECT_EQ(result.passed(), expected == 8) << story(result);
  }
  int last = 0;
  const trial_result result = run([&](trial& t) { return assert_numbers(t, 2, last); });
  EXPECT_THAT(result.message, HasSubstr("it is 2"));
  EXPECT_THAT(result.message, HasSubstr("fixture_test.cpp:"));
}

}  // namespace
}  // namespace assay
