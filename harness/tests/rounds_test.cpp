// Ledgers stay sharp in scenarios that make several subjects, one after the other or at once: a subject that misbehaves only
// with the second value that a scenario tries is seen by every kind of ledger.
#include <assay/harness/catalogue/catalogue.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/post.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/tests/support.hpp>

namespace assay::contract {

/// Keeps what it is given, and has one way to be wrong for each ledger.
class keeper {
 public:
  static constexpr std::string_view name = "keeper";
  struct config {
    int which = 0;  ///< the subject is wrong if this is its `wrong_one`
  };
  struct flaws {
    int wrong_one = 2;
    bool drops = false;
    bool swallows = false;
    bool reports_twice = false;
    bool keeps_silent = false;
    bool lets_go_late = false;  ///< what it holds goes in a turn after its own end; that is not wrong
  };

  keeper(environment& env, const config& configuration, flaws how)
      : executor_(env.executor()), how_(how), wrong_(configuration.which == how.wrong_one) {}
  keeper(const keeper&) = delete;
  keeper& operator=(const keeper&) = delete;
  virtual ~keeper() {
    if (how_.lets_go_late) asio_post(std::move(kept_));
  }

  void keep(item one) {
    handing_in account(one, this);
    if (!(how_.drops && wrong_)) kept_.push_back(std::move(one));
    account.taken();
    const item gone = std::move(one);
  }
  void fail(trial& t, const std::string& label) {
    const std::exception_ptr failure = t.plant(label);
    if (!(how_.swallows && wrong_)) t.observe(failure);
    if (how_.reports_twice && wrong_) t.observe(failure);
  }
  void begin(trial& t) { t.mark("begins"); }
  void end(trial& t) {
    if (!(how_.keeps_silent && wrong_)) t.mark("ends");
  }

 private:
  void asio_post(std::vector<item> items) {
    boost::asio::post(executor_, [late = std::move(items)]() mutable { late.clear(); });
  }

  boost::asio::any_io_executor executor_;
  flaws how_;
  bool wrong_;
  std::vector<item> kept_;
};

}  // namespace assay::contract

namespace assay::test {
namespace {

using contract::keeper;
using testing::HasSubstr;
using flaws = keeper::flaws;
using scenario = asio::awaitable<void> (*)(trial&, maker<keeper>);

trial_result run_wrong(scenario body, flaws how) {
  const subject<keeper> tried("tried", subject_kind::alternative, {},
                              [how](environment& env, const keeper::config& configuration) {
                                return std::make_unique<keeper>(env, configuration, how);
                              });
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  return t.run([&] { return body(t, maker<keeper>(t, tried)); });
}

// Two subjects one after the other, as a scenario with `for (capacity : {1, 3})` has them.
asio::awaitable<void> in_turn(trial& t, maker<keeper> make) {
  for (const int which : {1, 2}) {
    auto subject = make({.which = which});
    subject->keep(t.item(which));
    subject->fail(t, "boom");
    subject->begin(t);
    subject->end(t);
    t.expect_before("begins", "ends");
    co_await t.settle();
  }
}
// The first goes while the second is in use.
asio::awaitable<void> overlapping(trial& t, maker<keeper> make) {
  auto first = make({.which = 1});
  auto second = make({.which = 2});
  first->keep(t.item(1));
  first.reset();
  second->keep(t.item(2));
  co_await t.settle();
}
// What is wrong is the first one, and the second is made before anybody looks.
asio::awaitable<void> looked_at_late(trial& t, maker<keeper> make) {
  auto first = make({.which = 2});
  first->fail(t, "boom");
  auto second = make({.which = 1});
  second->fail(t, "boom");
  co_await t.settle();
}

TEST(rounds, a_subject_without_flaws_passes) {
  for (const scenario body : {&in_turn, &overlapping, &looked_at_late}) {
    const trial_result seen = run_wrong(body, {});
    EXPECT_TRUE(seen.passed()) << seen.message;
  }
}
TEST(rounds, an_item_that_only_the_second_subject_drops_is_lost) {
  for (const scenario body : {&in_turn, &overlapping}) {
    const trial_result seen = run_wrong(body, {.drops = true});
    EXPECT_EQ(seen.kind, failure_kind::item);
    EXPECT_THAT(seen.message, HasSubstr("item 2 was lost"));
  }
}
TEST(rounds, what_a_subject_holds_is_left_also_when_it_goes_after_it) {
  const trial_result seen = run_wrong(&in_turn, {.lets_go_late = true});
  EXPECT_TRUE(seen.passed()) << seen.message;
}
TEST(rounds, a_failure_that_one_of_two_subjects_swallows_is_seen) {
  for (const scenario body : {&in_turn, &looked_at_late}) {
    const trial_result seen = run_wrong(body, {.swallows = true});
    EXPECT_EQ(seen.kind, failure_kind::unobserved);
    EXPECT_THAT(seen.message, HasSubstr("'boom' was swallowed"));
  }
}
TEST(rounds, a_failure_that_one_of_two_subjects_reports_twice_is_seen) {
  for (const scenario body : {&in_turn, &looked_at_late}) {
    const trial_result seen = run_wrong(body, {.reports_twice = true});
    EXPECT_EQ(seen.kind, failure_kind::unobserved);
    EXPECT_THAT(seen.message, HasSubstr("'boom' was reported 2 times"));
  }
}
// The two flaws together gave the sum that was expected.
asio::awaitable<void> one_swallowed_one_doubled(trial& t, maker<keeper> make) {
  auto first = make({.which = 1});
  (void)t.plant("boom");
  auto second = make({.which = 2});
  second->fail(t, "boom");
  co_await t.settle();
}
TEST(rounds, a_failure_reported_twice_does_not_make_up_for_one_that_was_swallowed) {
  const trial_result seen = run_wrong(&one_swallowed_one_doubled, {.reports_twice = true});
  EXPECT_EQ(seen.kind, failure_kind::unobserved);
}
TEST(rounds, an_end_that_only_the_second_subject_skips_is_missed) {
  const trial_result seen = run_wrong(&in_turn, {.keeps_silent = true});
  EXPECT_EQ(seen.kind, failure_kind::expectation);
  EXPECT_THAT(seen.message, HasSubstr("'ends' never came"));
}
TEST(rounds, what_was_marked_before_the_first_subject_counts_with_it) {
  const scenario body = [](trial& t, maker<keeper> make) -> asio::awaitable<void> {
    t.mark("before");
    auto subject = make();
    subject->begin(t);
    t.expect_before("before", "begins");
    co_return;
  };
  const trial_result seen = run_wrong(body, {});
  EXPECT_TRUE(seen.passed()) << seen.message;
}

}  // namespace
}  // namespace assay::test
