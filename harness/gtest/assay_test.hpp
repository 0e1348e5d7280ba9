// ASSAY_TEST: a test of a team's own Asio code, inside its own GoogleTest, as a campaign.
//
//     ASSAY_TEST(order_service, keeps_every_order_when_stopped) {
//       auto run = t.start("run", service.run());
//       co_await t.settle();
//       ...
//       t.expect(run.done(), "stops once drained");
//     }
//
// The body is a coroutine and one trial; the test runs it first in first out, under random schedules, and under the
// sweeps that its traits ask for (`ASSAY_TEST(a, b, .swept = true)`, with t.victim(...) in the body). With `.late = true`
// the loop may be late, so that timers with different deadlines are due together. A failing
// EXPECT_* inside the body belongs to its trial. What fails is shrunk, told as a story, printed with the line that
// replays it, and left as files (token, story, trace) in the folder that --assay_report or ASSAY_REPORT_DIR names,
// by default `assay-report` beside the program itself.
//
// What a body has started must have ended when the body ends: an operation may use the body's own variables. One that is
// started in the background is cancelled instead, when the body has gone: it may use none of them, unless the body cancels it.
// Once the body of a trial that has failed has ended, nothing more is run, nor destroyed, so that the failure is what is told,
// and not what followed from it. An exception that leaves a detached coroutine fails the test, unless it says that the coroutine
// was cancelled; `.detached_may_throw = true` lets it pass, as it does in production.
//
// Every failure is run again before it is told, also in a process in which no trial has run before. One that does not come again
// is told as what depends on something outside the trial, with the first step that differs. A sweep that was asked for and could
// not be is a failure, and so is a victim without a sweep. A pass says what it covered.
//
// A crash, and whatever a sanitizer ends the process for, says which task had its turn, the last events and the replay line;
// then the signal goes its way. A hang does the same, and ends the process by SIGABRT: a turn that has not ended after 30 s of
// real time, or a trial after four times as long. Under a debugger nothing is a hang.
//
// ASSAY_TEST_F(fixture, name) makes a fresh `fixture` for every trial; ASSAY_TEST_ISOLATED runs every trial in a process
// of its own, for code with process-wide state: a crash or a hang is a failure with a story there, and the tests go on.
//
// Arguments of the test program, beside GoogleTest's own:
//   --assay_schedules=N   random schedules per test (default 200)
//   --assay_seed=S        their seed, a number or `random` (default 1)
//   --assay_replay=TOKEN  one trial, exactly as it was; TOKEN may be @FILE. Every other ASSAY_TEST is skipped, and the
//                         program fails if the test that the token is of does not run
//   --assay_break_at=N    of that trial: stop in the debugger when event N of the story happens
//   --assay_report=DIR    where failures leave their files (default: assay-report beside the program)
//   --assay_output=all    shows what every trial prints; else that of the shrunk failing one alone is shown
//   --assay_hang_after=S  seconds after which a turn is a hang (default 30); 0: never
// The environment may say the same: ASSAY_SCHEDULES, ASSAY_SEED, ASSAY_REPLAY, ASSAY_BREAK_AT, ASSAY_REPORT_DIR, ASSAY_OUTPUT
// and ASSAY_HANG_AFTER hold where the argument is not given.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/own_test.hpp>
#include <assay/harness/catalogue/scenario.hpp>
#include <assay/harness/mock/gtest.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay::detail {

/// Runs a test of one's own and reports to GoogleTest, once.
inline void run_test(const own_test& test) {
  const own_test_report seen = run_own_test(test);
  if (seen.skipped) GTEST_SKIP() << seen.text;
  if (seen.passed) {
    std::cout << seen.text;
  } else {
    ADD_FAILURE_AT(test.scenario.file.c_str(), static_cast<int>(test.scenario.line)) << seen.text;
  }
}

/// Fails a run whose replay nobody has done: the token may be of a test that is gone, renamed, or left out, which GoogleTest
/// does not see.
class end_listener final : public testing::EmptyTestEventListener {
  void OnTestIterationEnd(const testing::UnitTest& program, int) override {
    std::vector<known_test> all;
    for (int i = 0; i < program.total_test_suite_count(); ++i) {
      const testing::TestSuite& suite = *program.GetTestSuite(i);
      for (int j = 0; j < suite.total_test_count(); ++j) {
        const testing::TestInfo& one = *suite.GetTestInfo(j);
        all.push_back({suite.name(), one.name(), one.should_run(), one.is_in_another_shard()});
      }
    }
    if (const std::string why = complain_at_end(all); !why.empty()) ADD_FAILURE() << why;
  }
};

inline const bool end_is_listened_to = [] {
  testing::UnitTest::GetInstance()->listeners().Append(new end_listener);  // which owns it
  return true;
}();

template <boost::asio::awaitable<void> (*Body)(trial&)>
boost::asio::awaitable<void> begin_test(trial& t, const subject_base&) {
  begin_own_trial(t);
  intercept_gtest(t);
  return Body(t);
}

template <class Fixture>
boost::asio::awaitable<void> run_fixture(std::shared_ptr<Fixture> fixture, trial& t) {
  co_await fixture->body(t);
}

template <class Fixture>
boost::asio::awaitable<void> begin_fixture_test(trial& t, const subject_base&) {
  begin_own_trial(t);
  intercept_gtest(t);
  // Owned by the frame: it is made for this trial and goes with it.
  auto fixture = std::make_shared<Fixture>();
  return run_fixture(std::move(fixture), t);
}

}  // namespace assay::detail

#define ASSAY_DETAIL_TEST(suite_name, test_name, is_isolated, ...)                                           \
  static boost::asio::awaitable<void> suite_name##_##test_name##_assay_body(::assay::trial& t);              \
  TEST(suite_name, test_name) {                                                                              \
    ::assay::detail::run_test(::assay::detail::own_test{                                                     \
        ::assay::scenario_info{#suite_name, #test_name, "", ::assay::scenario_traits{__VA_ARGS__}, __FILE__, \
                               __LINE__,                                                                     \
                               &::assay::detail::begin_test<&suite_name##_##test_name##_assay_body>},        \
        is_isolated});                                                                                       \
  }                                                                                                          \
  static boost::asio::awaitable<void> suite_name##_##test_name##_assay_body(                                 \
      [[maybe_unused]] ::assay::trial& t)

/// A test whose body is a coroutine with the trial `t`; scenario_traits follow as designated initialisers.
#define ASSAY_TEST(suite_name, test_name, ...) ASSAY_DETAIL_TEST(suite_name, test_name, false, __VA_ARGS__)

/// The same, every trial in a process of its own.
#define ASSAY_TEST_ISOLATED(suite_name, test_name, ...) \
  ASSAY_DETAIL_TEST(suite_name, test_name, true, __VA_ARGS__)

/// A test with a fixture (any default-constructible class, no testing::Test) that is made anew for every trial.
#define ASSAY_TEST_F(fixture_name, test_name, ...)                                                       \
  struct fixture_name##_##test_name##_assay_fixture : fixture_name {                                     \
    boost::asio::awaitable<void> body(::assay::trial& t);                                                \
  };                                                                                                     \
  TEST(fixture_name##_tests, test_name) {                                                                \
    ::assay::detail::run_test(::assay::detail::own_test{                                                 \
        ::assay::scenario_info{                                                                          \
            #fixture_name "_tests", #test_name, "", ::assay::scenario_traits{__VA_ARGS__}, __FILE__,     \
            __LINE__, &::assay::detail::begin_fixture_test<fixture_name##_##test_name##_assay_fixture>}, \
        false});                                                                                         \
  }                                                                                                      \
  boost::asio::awaitable<void> fixture_name##_##test_name##_assay_fixture::body(                         \
      [[maybe_unused]] ::assay::trial& t)
