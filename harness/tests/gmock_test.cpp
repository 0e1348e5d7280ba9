#include <assay/harness/mock/gmock.hpp>

#include <gtest/gtest.h>

#include <assay/harness/tests/mock_support.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::_;
using testing::HasSubstr;
using testing_support::campaign;
using testing_support::run;
using testing_support::story;

class store {
 public:
  virtual ~store() = default;
  virtual asio::awaitable<std::string> load(const std::string& key) = 0;
  virtual asio::awaitable<void> save(std::string key, int value) = 0;
  virtual int size() const = 0;
};

class mock_store : public store {
 public:
  MOCK_METHOD(asio::awaitable<std::string>, load, (const std::string&), (override));
  MOCK_METHOD(asio::awaitable<void>, save, (std::string, int), (override));
  MOCK_METHOD(int, size, (), (const, override));
};

asio::awaitable<void> use_every_action(trial& t) {
  auto disk = mocks<mock_store>(t);
  EXPECT_CALL(*disk, load("a"))
      .WillOnce(co_return_value("x"))
      .WillOnce(co_delay(10ms, "y"))
      .WillOnce(co_throw(contract::operation_error("boom")))
      .WillOnce(co_throw(t.plant("planted")))
      .WillOnce(co_hang());
  EXPECT_CALL(*disk, save(_, 1)).WillOnce(co_return_value()).WillRepeatedly(co_delay(5ms));
  EXPECT_CALL(*disk, size()).WillOnce(testing::Return(7));
  const std::string first = co_await disk->load("a");
  EXPECT_EQ(first, "x");
  auto second = t.start("second", disk->load("a"));
  co_await t.advance(10ms);
  EXPECT_TRUE(second.pending());
  co_await t.settle();
  EXPECT_EQ(second.value(), "y");
  auto third = t.start("third", disk->load("a"));
  auto fourth = t.start("fourth", disk->load("a"));
  auto fifth = t.start("fifth", disk->load("a"));
  co_await t.settle();
  EXPECT_EQ(to_string(third.what()), "error 'boom'");
  EXPECT_EQ(to_string(fourth.what()), "error 'planted'");
  EXPECT_TRUE(fifth.pending());
  fifth.cancel();
  co_await t.settle();
  EXPECT_TRUE(fifth.cancelled());
  co_await disk->save("b", 1);
  const auto before = t.elapsed();
  co_await disk->save("b", 1);
  EXPECT_EQ(t.elapsed() - before, std::chrono::nanoseconds(5ms));
  EXPECT_EQ(disk->size(), 7);
}

TEST(gmock_actions, return_throw_delay_and_hang) { EXPECT_EQ(story(campaign(use_every_action)), ""); }

// ---- MOK-2

asio::awaitable<void> call_without_an_action(trial& t) {
  auto disk = mocks<mock_store>(t);
  EXPECT_CALL(*disk, load("a"));
  auto call = t.start("load", disk->load("a"));
  co_await t.settle();
  t.expect(call.failed(), "ends with an error");
}

asio::awaitable<void> call_unexpectedly(trial& t) {
  auto disk = mocks<mock_store>(t);
  auto call = t.start("save", disk->save("a", 1));
  co_await t.settle();
  t.expect(call.failed(), "ends with an error");
}

asio::awaitable<void> call_beyond_the_actions(trial& t) {
  auto disk = mocks<mock_store>(t);
  EXPECT_CALL(*disk, load("a")).WillOnce(co_return_value("x"));
  (void)co_await disk->load("a");
  auto call = t.start("load", disk->load("a"));
  co_await t.settle();
  t.expect(call.failed(), "ends with an error");
}

TEST(MOK_2, a_gmock_method_without_an_action_fails_by_name_and_never_returns_null) {
  EXPECT_THAT(run(call_without_an_action).message, HasSubstr("has no action"));
  EXPECT_THAT(run(call_unexpectedly).message, HasSubstr("save("));
  EXPECT_THAT(run(call_beyond_the_actions).message, HasSubstr("load("));
}

TEST(MOK_2, without_the_header_s_default_gmock_would_return_a_null_awaitable) {
  // MOK-m1: what gmock's own default does for a class.
  using default_of_a_class = testing::internal::BuiltInDefaultValueGetter<asio::awaitable<int>, true>;
  EXPECT_FALSE(default_of_a_class::Get().valid());
  EXPECT_TRUE(testing::DefaultValue<asio::awaitable<int>>::Get().valid());
}

// ---- MOK-6

struct tripwire {
  explicit tripwire(std::string text) : value(std::make_shared<std::string>(std::move(text))) {}
  std::shared_ptr<std::string> value;
};

asio::awaitable<void> invoke_and_let_go(trial& t) {
  auto wire = std::make_shared<tripwire>("kept");
  const std::weak_ptr<tripwire> alive = wire;
  auto disk = mocks<mock_store>(t);
  {
    auto load = [wire](std::string key) -> asio::awaitable<std::string> {
      asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
      co_await timer.async_wait(asio::use_awaitable);
      co_return *wire->value + " " + key;
    };
    EXPECT_CALL(*disk, load(_)).WillRepeatedly(co_invoke(std::move(load)));
  }
  wire.reset();
  auto one = t.start("one", disk->load(std::string("a key that is long enough to be on the heap")));
  auto two = t.start("two", disk->load("b"));
  co_await t.settle();
  testing::Mock::VerifyAndClear(disk.get());
  EXPECT_FALSE(alive.expired()) << "two calls are pending";
  co_await t.advance(20ms);
  EXPECT_EQ(one.value(), "kept a key that is long enough to be on the heap");
  EXPECT_EQ(two.value(), "kept b");
  EXPECT_TRUE(alive.expired()) << "gone with the last call";
}

// MOK-m2: what an action that is a capturing coroutine lambda does. Its captures live in the action, which
// gmock may destroy or overwrite while the call is pending; the wire shows it without touching dead memory.
asio::awaitable<void> capture_and_let_go(trial& t, bool& captures_gone) {
  auto wire = std::make_shared<tripwire>("gone");
  const std::weak_ptr<tripwire> alive = wire;
  auto disk = mocks<mock_store>(t);
  {
    auto load = [wire](const std::string&) -> asio::awaitable<std::string> {
      asio::steady_timer timer(co_await asio::this_coro::executor, 10ms);
      co_await timer.async_wait(asio::use_awaitable);
      co_return std::string("not touching the captures");
    };
    EXPECT_CALL(*disk, load(_)).WillRepeatedly(std::move(load));
  }
  wire.reset();
  auto one = t.start("one", disk->load("a"));
  co_await t.settle();
  testing::Mock::VerifyAndClear(disk.get());
  captures_gone = alive.expired();
  co_await t.advance(20ms);
  EXPECT_TRUE(one.done());
}

TEST(MOK_6, what_co_invoke_calls_outlives_the_expectation) {
  EXPECT_EQ(story(campaign(invoke_and_let_go)), "");
}

TEST(MOK_6, the_check_tells_a_capturing_lambda_that_dangles) {
  bool captures_gone = false;
  EXPECT_EQ(story(run([&](trial& t) { return capture_and_let_go(t, captures_gone); })), "");
  EXPECT_TRUE(captures_gone) << "MOK-m2: the pending call's captures are destroyed; that is the defect";
}

// ---- MOK-7

asio::awaitable<void> leave_an_expectation(trial& t) {
  auto disk = mocks<mock_store>(t);
  EXPECT_CALL(*disk, load("never asked for")).WillOnce(co_return_value("x"));
  co_return;
}

TEST(MOK_7, an_expectation_that_is_unmet_at_the_end_fails_the_trial) {
  EXPECT_THAT(story(run(leave_an_expectation)), HasSubstr("never called"));
}

asio::awaitable<void> hang_with_unmet(trial& t) {
  auto disk = mocks<mock_store>(t);
  EXPECT_CALL(*disk, load("b")).WillOnce(co_hang());
  EXPECT_CALL(*disk, load("never asked for")).WillOnce(co_return_value("x"));
  t.start("load", disk->load("b"));
  co_return;
}

TEST(MOK_7, a_mock_that_goes_with_a_failed_trial_reports_nothing_more) {
  const trial_result result = run(hang_with_unmet);
  EXPECT_THAT(result.message, HasSubstr("deadlock"));
}

asio::awaitable<void> let_it_outlive(trial& t, std::shared_ptr<mock_store>& outliving) {
  auto disk = mocks<mock_store>(t);
  outliving = disk;
  EXPECT_CALL(*disk, load("b")).WillOnce(co_hang());
  t.start("load", disk->load("b"));
  co_return;
}

TEST(MOK_7, a_mock_that_outlives_its_trial_reports_nothing_more) {
  std::shared_ptr<mock_store> outliving;
  run([&](trial& t) { return let_it_outlive(t, outliving); });
  EXPECT_NE(outliving, nullptr);
}

// ---- failures of GoogleTest inside a trial

asio::awaitable<void> fail_an_expectation(trial& t) {
  intercept_gtest(t);
  EXPECT_EQ(1 + 1, 3) << "in a trial";
  t.fail("afterwards");
  co_return;
}

TEST(gtest_in_a_trial, a_failed_expectation_belongs_to_the_trial_and_comes_when_it_happened) {
  const trial_result result = run(fail_an_expectation);
  EXPECT_EQ(result.failures.size(), 2u);
  EXPECT_THAT(result.message, HasSubstr("gmock_test.cpp:"));
  EXPECT_THAT(result.message, HasSubstr("in a trial"));
  EXPECT_EQ(result.failures.back(), "afterwards");
}

void fail_after_the_trial_has_ended() {
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  const trial_result result = t.run([&] { return fail_an_expectation(t); });
  EXPECT_TRUE(result.passed()) << "late";
}

TEST(gtest_in_a_trial, an_expectation_after_the_trial_has_ended_is_gtest_s_own) {
  EXPECT_NONFATAL_FAILURE(fail_after_the_trial_has_ended(), "late");
}

TEST(gtest_in_a_trial, an_expectation_outside_of_a_trial_is_gtest_s_own) {
  run(fail_an_expectation);
  EXPECT_NONFATAL_FAILURE(EXPECT_EQ(1, 2) << "outside", "outside");
}

}  // namespace
}  // namespace assay
