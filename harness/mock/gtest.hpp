// GoogleTest inside a trial: its failures belong to the trial, and its assertions work in coroutines.
// Only for programs that link GoogleTest.
#pragma once

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/fixture.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

namespace detail {

/// What a trial has of GoogleTest: the reporter that turns a failed EXPECT_* on this thread into a failure of
/// the trial, and the mocks, which may report until they are gone. Lives as long as the trial.
class gtest_room {
 public:
  explicit gtest_room(trial& owner) : reporter_(std::make_unique<reporter>(owner)) {}
  gtest_room(const gtest_room&) = delete;
  gtest_room& operator=(const gtest_room&) = delete;
  ~gtest_room() {
    // The verdict is out; what a mock finds while it goes follows from how the trial ended.
    reporter_->silent = true;
    for (const std::function<void()>& settle : settle_) settle();
    while (!mocks_.empty()) mocks_.pop_back();
    const std::vector<testing::TestPartResult> late = std::move(reporter_->late);
    reporter_.reset();
    for (const testing::TestPartResult& one : late) {
      testing::internal::AssertHelper(one.type(), one.file_name(), one.line_number(), one.message()) =
          testing::Message();
    }
  }

  static gtest_room& of(trial& t) {
    if (auto known = t.surroundings().find<gtest_room>()) return *known;
    auto made = std::make_shared<gtest_room>(t);
    t.surroundings().provide<gtest_room>(made);
    return *made;
  }
  /// `settle` makes the mock forget its expectations, so that it has nothing to say if it outlives the trial.
  void keep(std::shared_ptr<void> mock, std::function<void()> settle) {
    mocks_.push_back(std::move(mock));
    settle_.push_back(std::move(settle));
  }

 private:
  class reporter final : public testing::ScopedFakeTestPartResultReporter {
   public:
    explicit reporter(trial& owner)
        : ScopedFakeTestPartResultReporter(INTERCEPT_ONLY_CURRENT_THREAD, nullptr), owner_(owner) {}

    bool silent = false;
    // Failed after the trial had ended, while it still exists: not the trial's. Handed on when it goes.
    std::vector<testing::TestPartResult> late;

   private:
    void ReportTestPartResult(const testing::TestPartResult& result) override {
      if (silent) return;
      if (result.skipped() && owner_.running()) {
        const std::string_view why = result.message();
        owner_.skip_test(why.empty() ? "no reason given" : why);
        return;
      }
      if (!result.failed()) return;
      if (!owner_.running()) {
        late.push_back(result);
        return;
      }
      std::string text = result.message();
      if (result.file_name() != nullptr) {
        const std::string file = result.file_name();
        text = file.substr(file.rfind('/') + 1) + ":" + std::to_string(result.line_number()) + ": " + text;
      }
      owner_.fail_in_words(std::move(text));
    }

    trial& owner_;
  };

  std::unique_ptr<reporter> reporter_;
  std::vector<std::shared_ptr<void>> mocks_;
  std::vector<std::function<void()>> settle_;
};

/// Where CO_ASSERT_* and CO_SKIP end: report, and leave the coroutine.
class co_assertion {
 public:
  co_assertion(const char* file, int line, const char* message,
               testing::TestPartResult::Type type = testing::TestPartResult::kNonFatalFailure)
      : helper_(type, file, line, message) {}
  [[noreturn]] void operator=(const testing::Message& message) const {
    helper_ = message;
    throw scenario_stopped();
  }

 private:
  testing::internal::AssertHelper helper_;
};

}  // namespace detail

/// From here to the end of the trial, a failed EXPECT_* on this thread is a failure of the trial and of
/// nothing else, at the time when it happens. Idempotent. Trials do not nest on a thread.
inline void intercept_gtest(trial& t) { detail::gtest_room::of(t); }

}  // namespace assay

// FIX-6: what ASSERT_* is in a function, for coroutines: they throw scenario_stopped, which ends the coroutine
// and those that await it. Further text is streamed in, as with ASSERT_*.
#define ASSAY_CO_FAIL_(message) \
  ::assay::detail::co_assertion(__FILE__, __LINE__, message) = ::testing::Message()
#define CO_FAIL() ASSAY_CO_FAIL_("Failed")
/// What GTEST_SKIP() is in a function, for the body of an ASSAY_TEST: the test is skipped if its baseline trial says so.
#define CO_SKIP()                                                                           \
  ::assay::detail::co_assertion(__FILE__, __LINE__, "", ::testing::TestPartResult::kSkip) = \
      ::testing::Message()
#define CO_ASSERT_TRUE(condition) GTEST_TEST_BOOLEAN_(condition, #condition, false, true, ASSAY_CO_FAIL_)
#define CO_ASSERT_FALSE(condition) GTEST_TEST_BOOLEAN_(!(condition), #condition, true, false, ASSAY_CO_FAIL_)
#define CO_ASSERT_EQ(a, b) GTEST_ASSERT_(::testing::internal::EqHelper::Compare(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_NE(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperNE(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_LT(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperLT(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_LE(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperLE(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_GT(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperGT(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_GE(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperGE(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_STREQ(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperSTREQ(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_STRNE(a, b) GTEST_ASSERT_(::testing::internal::CmpHelperSTRNE(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_DOUBLE_EQ(a, b) \
  GTEST_ASSERT_(::testing::internal::CmpHelperFloatingPointEQ<double>(#a, #b, a, b), ASSAY_CO_FAIL_)
#define CO_ASSERT_NEAR(a, b, error) \
  GTEST_ASSERT_(::testing::internal::DoubleNearPredFormat(#a, #b, #error, a, b, error), ASSAY_CO_FAIL_)
/// With GoogleMock's matchers; <gmock/gmock.h> is to be included.
#define CO_ASSERT_THAT(value, matcher)                                                          \
  GTEST_ASSERT_(::testing::internal::MakePredicateFormatterFromMatcher(matcher)(#value, value), \
                ASSAY_CO_FAIL_)
