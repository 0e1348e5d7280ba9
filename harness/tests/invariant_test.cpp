// The invariant of a contract is looked at after every turn, for as long as the subject lives.
#include <assay/harness/trial/invariant.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::contract {

/// What one subject of a test has seen.
struct gauge_log {
  int made = 0;
  int looks = 0;  ///< at the invariant
  bool going = false;
  bool looked_at_while_going = false;
  std::vector<std::string> known;
};

struct gauge_config {
  int most = 1;
};

/// Has a level that may be too high for some turns. One that is not watched has no invariant.
template <bool Watched>
class gauge : public with_invariant<gauge_config> {
 public:
  static constexpr std::string_view name = "gauge";
  using config = gauge_config;

  gauge(environment& env, gauge_log& log) : executor_(env.executor()), log_(&log) { ++log_->made; }
  virtual ~gauge() { log_->going = true; }

  void raise_for_a_turn(int by) {
    level_ += by;
    boost::asio::post(executor_, [this, by] { level_ -= by; });
  }
  void raise(int by) { level_ += by; }
  int level() const noexcept { return level_; }
  bool throws = false;

  std::string invariant() const
    requires Watched
  {
    ++log_->looks;
    if (log_->going) log_->looked_at_while_going = true;
    if (throws) throw std::runtime_error("the gauge is broken");
    if (log_->known.empty())
      log_->known = {std::to_string(wanted().most), claims("a") ? "a" : "", claims("b") ? "b" : "",
                     in_process() ? "here" : "elsewhere"};
    if (level_ <= wanted().most) return {};
    return exceeded("G-1: the level is too high", static_cast<std::size_t>(wanted().most),
                    static_cast<std::size_t>(level_));
  }

 private:
  boost::asio::any_io_executor executor_;
  gauge_log* log_;
  int level_ = 0;
};

}  // namespace assay::contract

namespace assay::test {
namespace {

using contract::gauge_log;
using testing::ElementsAre;
using testing::HasSubstr;
using watched_gauge = contract::gauge<true>;
using plain_gauge = contract::gauge<false>;
template <class Gauge>
using scenario = asio::awaitable<void> (*)(trial&, maker<Gauge>);

static_assert(has_invariant<watched_gauge> && !has_invariant<plain_gauge>);

template <class Gauge>
trial_result run_on(scenario<Gauge> body, gauge_log& log, subject_traits traits = {}, bool traced = false) {
  const subject<Gauge> tried(
      "tried", subject_kind::alternative, std::move(traits),
      [&log](environment& env, const contract::gauge_config&) { return std::make_unique<Gauge>(env, log); });
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, traced);
  return t.run([&] { return body(t, maker<Gauge>(t, tried)); });
}

template <class Gauge>
asio::awaitable<void> raise_for_a_turn(trial& t, maker<Gauge> make) {
  auto one = make();
  one->raise_for_a_turn(2);
  co_await t.settle();
  t.expect_eq(one->level(), 0, "all is well again");
}

TEST(invariant, what_is_wrong_between_two_turns_only_is_a_failure) {
  gauge_log log;
  const trial_result seen = run_on<watched_gauge>(&raise_for_a_turn, log);
  EXPECT_EQ(seen.kind, failure_kind::expectation);
  EXPECT_EQ(seen.message, "G-1: the level is too high: expected at most 1; observed: 2");
}

TEST(invariant, a_contract_without_one_is_not_looked_at) {
  gauge_log log;
  const trial_result seen = run_on<plain_gauge>(&raise_for_a_turn, log);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_EQ(log.looks, 0);
}

TEST(invariant, it_is_looked_at_after_every_turn) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto one = make();
    auto other = t.start("other", yield_often(5));
    co_await t.settle();
    t.expect(other.done(), "the other ends");
  };
  gauge_log log;
  const trial_result seen = run_on(body, log);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_GE(log.looks, 6);
}

TEST(invariant, it_fails_the_trial_once) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto one = make();
    one->raise(3);
    for (int i = 0; i < 3; ++i) co_await t.advance(1ms);
  };
  gauge_log log;
  const trial_result seen = run_on(body, log);
  EXPECT_THAT(seen.failures, ElementsAre("G-1: the level is too high: expected at most 1; observed: 3"));
}

TEST(invariant, it_goes_with_its_subject) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto one = make();
    co_await t.settle();
    one->raise(3);
    one.reset();
    for (int i = 0; i < 3; ++i) co_await t.advance(1ms);
  };
  gauge_log log;
  const trial_result seen = run_on(body, log);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_TRUE(log.going);
  EXPECT_FALSE(log.looked_at_while_going);
}

TEST(invariant, a_subject_that_takes_the_place_of_another_brings_its_own) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto one = make({.most = 1});
    co_await t.settle();
    one = make({.most = 5});
    one->raise(4);
    co_await t.settle();
    one->raise(2);
    co_await t.settle();
  };
  gauge_log log;
  const trial_result seen = run_on(body, log);
  EXPECT_EQ(log.made, 2);
  EXPECT_THAT(seen.failures, ElementsAre("G-1: the level is too high: expected at most 5; observed: 6"));
}

TEST(invariant, each_of_several_subjects_has_its_own) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto first = make({.most = 1});
    auto second = make({.most = 2});
    first->raise(2);
    second->raise(3);
    co_await t.settle();
    first.reset();
    co_await t.settle();
  };
  gauge_log log;
  const trial_result seen = run_on(body, log);
  EXPECT_THAT(seen.failures, ElementsAre("G-1: the level is too high: expected at most 1; observed: 2",
                                         "G-1: the level is too high: expected at most 2; observed: 3"));
}

TEST(invariant, one_that_throws_is_a_failure) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto one = make();
    one->throws = true;
    for (int i = 0; i < 3; ++i) co_await t.advance(1ms);
  };
  gauge_log log;
  const trial_result seen = run_on(body, log);
  EXPECT_EQ(seen.kind, failure_kind::expectation);
  EXPECT_EQ(seen.failures.size(), 1U);
  EXPECT_THAT(seen.message, HasSubstr("the gauge is broken"));
}

TEST(invariant, it_knows_what_was_asked_for_and_claimed_and_where_the_subject_is) {
  const scenario<watched_gauge> body = [](trial& t, maker<watched_gauge> make) -> asio::awaitable<void> {
    auto one = make({.most = 7});
    co_await t.settle();
  };
  gauge_log here;
  EXPECT_TRUE(run_on(body, here, {.features = {"a"}}).passed());
  EXPECT_THAT(here.known, ElementsAre("7", "a", "", "here"));
  gauge_log elsewhere;
  EXPECT_TRUE(run_on(body, elsewhere, {.features = {"b"}, .testee = "helper"}).passed());
  EXPECT_THAT(elsewhere.known, ElementsAre("7", "", "b", "elsewhere"));
}

template <class Gauge>
asio::awaitable<void> behave(trial& t, maker<Gauge> make) {
  auto one = make({.most = 2});
  auto other = t.start("other", yield_often(3));
  one->raise_for_a_turn(2);
  co_await t.advance(1ms);
  t.expect(other.done(), "the other ends");
}

class told_now_and_then final : public looked_at {
 public:
  bool peek() const {
    const look now(*this);
    return static_cast<bool>(now);
  }
  bool told = false;
  mutable int seen = 0;

 private:
  bool begin_look() const override { return told; }
  void end_look() const override { ++seen; }
};
class always_here final : public looked_at {
 public:
  bool peek() const {
    const look now(*this);
    return static_cast<bool>(now);
  }
};

TEST(invariant, a_look_holds_where_the_subject_is_here_or_has_been_told_of) {
  EXPECT_TRUE(always_here().peek());
  told_now_and_then far;
  EXPECT_FALSE(far.peek());
  EXPECT_EQ(far.seen, 0);
  far.told = true;
  EXPECT_TRUE(far.peek());
  EXPECT_EQ(far.seen, 1);
}

TEST(invariant, looking_leaves_no_trace_and_makes_no_choice) {
  gauge_log log;
  const trial_result looked_at = run_on<watched_gauge>(&behave, log, {}, true);
  const trial_result left_alone = run_on<plain_gauge>(&behave, log, {}, true);
  ASSERT_TRUE(looked_at.passed()) << looked_at.message;
  EXPECT_GT(log.looks, 0);
  EXPECT_EQ(looked_at.events->hash(), left_alone.events->hash());
  EXPECT_EQ(looked_at.choices.size(), left_alone.choices.size());
  EXPECT_EQ(looked_at.turns, left_alone.turns);
}

TEST(invariant, an_account_outlives_who_keeps_it) {
  struct account {
    std::size_t calls = 0;
  };
  auto owner = make_account<account>();
  const std::weak_ptr<account> watched = owner;
  {
    const counted one(owner, &account::calls);
    const counted other(owner, &account::calls);
    EXPECT_EQ(owner->calls, 2U);
    owner.reset();
    EXPECT_EQ(watched.lock()->calls, 2U);
  }
  EXPECT_TRUE(watched.expired());
}

}  // namespace
}  // namespace assay::test
