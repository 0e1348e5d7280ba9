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
// EXPECT_* inside the body belongs to its trial. With `.ends_when_cancelled = true` a victim that the sweep has cancelled must
// have ended by the time at which nothing more can happen at that instant: for what promises to stop waiting at once. What fails is shrunk, told as a story, printed with the line that
// replays it, and left as files (token, story, trace) in the folder that --assay_report or ASSAY_REPORT_DIR names,
// by default `assay-report` beside the program itself.
//
// What a body has started must have ended when the body ends: an operation may use the body's own variables. One that is
// started in the background is cancelled instead, when the body has gone: where it uses them, the body says
// `co_await t.end_background()` at its end. With a fixture that is said for it, before the fixture goes.
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
// A body awaits or says co_return: one that does neither does not compile. ASSERT_* and GTEST_SKIP return, which a coroutine
// cannot: their forms for a coroutine are CO_ASSERT_EQ, CO_ASSERT_THAT and so on, CO_FAIL and CO_SKIP (harness/mock/gtest.hpp).
// EXPECT_* and matchers are what they are.
//
// ASSAY_TEST_F(fixture, name) makes a fresh `fixture` for every trial, of any default-constructible class. With one that is
// derived from testing::Test, SetUp (which may say GTEST_SKIP()) and TearDown are called in every trial; GoogleTest makes one of
// its own besides, which is not set up. ASSAY_TEST_P and ASSAY_TYPED_TEST are the same for TEST_P and
// TYPED_TEST: INSTANTIATE_TEST_SUITE_P, GetParam(), TYPED_TEST_SUITE and TypeParam are GoogleTest's own.
//
// ASSAY_TEST_ISOLATED runs every trial in a process of its own, for code with process-wide state: a crash or a hang is a failure
// with a story there, and the tests go on.
//
// Arguments of the test program, beside GoogleTest's own:
//   --assay_schedules=N   random schedules per test (default 200)
//   --assay_seed=S        their seed, a number or `random` (default 1)
//   --assay_replay=TOKEN  one trial, exactly as it was; TOKEN may be @FILE. Every other ASSAY_TEST is skipped, and the
//                         program fails if the test that the token is of does not run
//   --assay_order=MODEL   `any` (the default): every order of handlers that executors' documentation allows; `fifo`: as a
//                         single-threaded loop runs them. A test says so for itself by the trait `.fifo_only = true`
//   --assay_time=S        explores further schedules until S seconds of real time have passed, for each test (default 0)
//   --assay_break_at=N    of that trial: stop in the debugger when event N of the story happens
//   --assay_report=DIR    where failures leave their files (default: assay-report beside the program)
//   --assay_output=all    shows what every trial prints; else that of the shrunk failing one alone is shown
//   --assay_hang_after=S  seconds after which a turn is a hang (default 30); 0: never
// The environment may say the same: ASSAY_SCHEDULES, ASSAY_SEED, ASSAY_REPLAY, ASSAY_ORDER, ASSAY_TIME, ASSAY_BREAK_AT,
// ASSAY_REPORT_DIR, ASSAY_OUTPUT and ASSAY_HANG_AFTER hold where the argument is not given. A program with a main of its own that looks at its
// arguments calls assay::init(&argc, argv) first, as it calls testing::InitGoogleTest.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/awaitable.hpp>
#include <iostream>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/campaign/own_test.hpp>
#include <assay/harness/catalogue/scenario.hpp>
#include <assay/harness/mock/gtest.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

/// Takes the arguments of ASSAY_TESTs (--assay_...) out of `argv`, and keeps them: for a main of one's own that refuses
/// arguments it does not know. Wrong ones are told by the tests. Without it the tests find them by themselves.
inline void init(int* argc, char** argv) { detail::take_arguments(argc, argv); }

}  // namespace assay

namespace assay::detail {

/// Runs the test that GoogleTest is running as one of one's own, and reports to it, once.
inline void run_test(scenario_traits traits, const char* file, int line,
                     boost::asio::awaitable<void> (*begin)(trial&, const subject_base&),
                     bool isolated = false) {
  const testing::TestInfo& now = *testing::UnitTest::GetInstance()->current_test_info();
  const own_test test{scenario_info{now.test_suite_name(), now.name(), "", std::move(traits), file,
                                    static_cast<std::uint32_t>(line), begin},
                      isolated};
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
  help_if_asked();
  return true;
}();

template <boost::asio::awaitable<void> (*Body)(trial&)>
boost::asio::awaitable<void> begin_test(trial& t, const subject_base&) {
  begin_own_trial(t);
  intercept_gtest(t);
  return Body(t);
}

/// A fixture as it is made for a trial.
template <class Fixture, bool IsOfGoogleTest = std::is_base_of_v<testing::Test, Fixture>>
struct trial_fixture : Fixture {
  void assay_set_up() {}
  void assay_tear_down() {}
};
template <class Fixture>
struct trial_fixture<Fixture, true> : Fixture {
  void assay_set_up() { this->SetUp(); }
  void assay_tear_down() { this->TearDown(); }

 private:
  void TestBody() override {}
};

/// The fixture that GoogleTest makes for a test, beside those of its trials: it is not set up, nor torn down.
template <class Fixture>
class unused_fixture : public Fixture {
 protected:
  void SetUp() override {}
  void TearDown() override {}
};
/// What the test that GoogleTest knows is derived from.
template <class Fixture>
using gtest_fixture = typename std::conditional_t<std::is_base_of_v<testing::Test, Fixture>,
                                                  std::type_identity<unused_fixture<Fixture>>,
                                                  std::type_identity<testing::Test>>::type;
template <class Fixture>
testing::internal::TypeId gtest_fixture_id() {
  if constexpr (std::is_base_of_v<testing::Test, Fixture>) {
    return testing::internal::GetTypeId<Fixture>();
  } else {
    return testing::internal::GetTestTypeId();
  }
}

template <class Fixture>
boost::asio::awaitable<void> run_fixture(std::shared_ptr<Fixture> fixture, trial& t) {
  fixture->assay_set_up();
  std::exception_ptr failure;
  try {
    if (!t.has_failed() && !t.skips_test()) co_await fixture->body(t);
  } catch (...) {
    failure = std::current_exception();
  }
  // What has failed runs nothing more.
  if (failure == nullptr && !t.has_failed()) co_await t.end_background();
  fixture->assay_tear_down();
  if (failure != nullptr) std::rethrow_exception(failure);
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

// A body that neither awaits nor says co_return returns nothing, which is an error from here on; the function's name, which the
// compiler gives with it, says what is missing.
#define ASSAY_DETAIL_RETURNS _Pragma("GCC diagnostic error \"-Wreturn-type\"")
#define ASSAY_DETAIL_BODY(suite_name, test_name) \
  suite_name##_##test_name##_is_no_coroutine__it_needs_a_co_await_or_a_co_return
#define ASSAY_DETAIL_FIXTURE(fixture_name, test_name) \
  fixture_name##_##test_name##_is_no_coroutine__it_needs_a_co_await_or_a_co_return

// clang-format off
#define ASSAY_DETAIL_TEST(suite_name, test_name, is_isolated, ...)                                            \
  ASSAY_DETAIL_RETURNS                                                                                        \
  static boost::asio::awaitable<void> ASSAY_DETAIL_BODY(suite_name, test_name)(::assay::trial& t);            \
  TEST(suite_name, test_name) {                                                                               \
    ::assay::detail::run_test(::assay::scenario_traits{__VA_ARGS__}, __FILE__, __LINE__,                      \
                              &::assay::detail::begin_test<&ASSAY_DETAIL_BODY(suite_name, test_name)>,        \
                              is_isolated);                                                                   \
  }                                                                                                           \
  static boost::asio::awaitable<void> ASSAY_DETAIL_BODY(suite_name, test_name)(                               \
      [[maybe_unused]] ::assay::trial& t)

/// A test whose body is a coroutine with the trial `t`; scenario_traits follow as designated initialisers.
#define ASSAY_TEST(suite_name, test_name, ...) ASSAY_DETAIL_TEST(suite_name, test_name, false, __VA_ARGS__)

/// The same, every trial in a process of its own.
#define ASSAY_TEST_ISOLATED(suite_name, test_name, ...) \
  ASSAY_DETAIL_TEST(suite_name, test_name, true, __VA_ARGS__)

#define ASSAY_DETAIL_DECLARE_FIXTURE(fixture_name, test_name)                                                 \
  ASSAY_DETAIL_RETURNS                                                                                        \
  struct ASSAY_DETAIL_FIXTURE(fixture_name, test_name) : ::assay::detail::trial_fixture<fixture_name> {       \
    boost::asio::awaitable<void> body(::assay::trial& t);                                                     \
  };
#define ASSAY_DETAIL_RUN_FIXTURE(fixture, ...)                                                                \
  ::assay::detail::run_test(::assay::scenario_traits{__VA_ARGS__}, __FILE__, __LINE__,                        \
                            &::assay::detail::begin_fixture_test<fixture>)
#define ASSAY_DETAIL_FIXTURE_BODY(fixture) \
  boost::asio::awaitable<void> fixture::body([[maybe_unused]] ::assay::trial& t)

/// A test with a fixture, any default-constructible class, that is made anew for every trial. The suite is `fixture_tests`.
#define ASSAY_TEST_F(fixture_name, test_name, ...)                                                            \
  ASSAY_DETAIL_DECLARE_FIXTURE(fixture_name, test_name)                                                       \
  GTEST_TEST_(fixture_name##_tests, test_name, ::assay::detail::gtest_fixture<fixture_name>,                  \
              ::assay::detail::gtest_fixture_id<fixture_name>()) {                                            \
    ASSAY_DETAIL_RUN_FIXTURE(ASSAY_DETAIL_FIXTURE(fixture_name, test_name), __VA_ARGS__);                     \
  }                                                                                                           \
  ASSAY_DETAIL_FIXTURE_BODY(ASSAY_DETAIL_FIXTURE(fixture_name, test_name))

/// A test for every value of a suite that is derived from testing::TestWithParam: the body has GetParam().
#define ASSAY_TEST_P(fixture_name, test_name, ...)                                                            \
  ASSAY_DETAIL_DECLARE_FIXTURE(fixture_name, test_name)                                                       \
  class GTEST_TEST_CLASS_NAME_(fixture_name, test_name)                                                       \
      : public ::assay::detail::unused_fixture<fixture_name> {                                                \
    void TestBody() override;                                                                                 \
    static const bool added_;                                                                                 \
  };                                                                                                          \
  const bool GTEST_TEST_CLASS_NAME_(fixture_name, test_name)::added_ =                                        \
      (::testing::UnitTest::GetInstance()                                                                     \
           ->parameterized_test_registry()                                                                    \
           .GetTestSuitePatternHolder<fixture_name>(#fixture_name,                                            \
                                                    ::testing::internal::CodeLocation(__FILE__, __LINE__))    \
           ->AddTestPattern(#fixture_name, #test_name,                                                        \
                            new ::testing::internal::TestMetaFactory<GTEST_TEST_CLASS_NAME_(fixture_name,     \
                                                                                            test_name)>(),    \
                            ::testing::internal::CodeLocation(__FILE__, __LINE__)),                           \
       true);                                                                                                 \
  void GTEST_TEST_CLASS_NAME_(fixture_name, test_name)::TestBody() {                                          \
    ASSAY_DETAIL_RUN_FIXTURE(ASSAY_DETAIL_FIXTURE(fixture_name, test_name), __VA_ARGS__);                     \
  }                                                                                                           \
  ASSAY_DETAIL_FIXTURE_BODY(ASSAY_DETAIL_FIXTURE(fixture_name, test_name))

/// A test for every type of a TYPED_TEST_SUITE: the body has TypeParam and TestFixture, and the fixture's members by `this->`.
#define ASSAY_TYPED_TEST(fixture_name, test_name, ...)                                                        \
  ASSAY_DETAIL_RETURNS                                                                                        \
  template <class TypeParam>                                                                                  \
  struct ASSAY_DETAIL_FIXTURE(fixture_name, test_name)                                                        \
      : ::assay::detail::trial_fixture<fixture_name<TypeParam>> {                                             \
    using TestFixture = fixture_name<TypeParam>;                                                              \
    boost::asio::awaitable<void> body(::assay::trial& t);                                                     \
  };                                                                                                          \
  template <class TypeParam>                                                                                  \
  class GTEST_TEST_CLASS_NAME_(fixture_name, test_name)                                                       \
      : public ::assay::detail::unused_fixture<fixture_name<TypeParam>> {                                     \
    void TestBody() override;                                                                                 \
  };                                                                                                          \
  [[maybe_unused]] static const bool fixture_name##_##test_name##_assay_added =                               \
      ::testing::internal::TypeParameterizedTest<                                                             \
          fixture_name, ::testing::internal::TemplateSel<GTEST_TEST_CLASS_NAME_(fixture_name, test_name)>,    \
          GTEST_TYPE_PARAMS_(fixture_name)>::                                                                 \
          Register("", ::testing::internal::CodeLocation(__FILE__, __LINE__), #fixture_name, #test_name, 0,   \
                   ::testing::internal::GenerateNames<GTEST_NAME_GENERATOR_(fixture_name),                    \
                                                      GTEST_TYPE_PARAMS_(fixture_name)>());                   \
  template <class TypeParam>                                                                                  \
  void GTEST_TEST_CLASS_NAME_(fixture_name, test_name)<TypeParam>::TestBody() {                               \
    using fixture = ASSAY_DETAIL_FIXTURE(fixture_name, test_name)<TypeParam>;                                 \
    ASSAY_DETAIL_RUN_FIXTURE(fixture, __VA_ARGS__);                                                           \
  }                                                                                                           \
  template <class TypeParam>                                                                                  \
  ASSAY_DETAIL_FIXTURE_BODY(ASSAY_DETAIL_FIXTURE(fixture_name, test_name)<TypeParam>)
// clang-format on
