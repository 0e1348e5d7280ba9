// The ledgers by themselves; trial_test.cpp and rounds_test.cpp show them at work in a trial.
#include <assay/harness/trial/ledgers.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace assay::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(order_ledger, says_what_was_seen_instead) {
  order_ledger order;
  order.mark("a");
  order.mark("b");
  EXPECT_EQ(order.unless_before("a", "b"), "");
  EXPECT_EQ(order.unless_before("b", "a"), "'a' came first");
  EXPECT_EQ(order.unless_before("a", "c"), "'c' never came");
  EXPECT_EQ(order.unless_before("d", "c"), "'d' never came, 'c' never came");
}

TEST(order_ledger, forgets_earlier_rounds_but_not_what_came_before_the_first) {
  order_ledger order;
  order.mark("before");
  order.begin_round();
  order.mark("first");
  EXPECT_THAT(order.marks(), ElementsAre("before", "first"));
  order.begin_round();
  order.mark("second");
  EXPECT_THAT(order.marks(), ElementsAre("second"));
}

TEST(exception_ledger, complains_of_what_was_not_observed_as_often_as_raised) {
  exception_ledger raised;
  raised.plant("seen");
  raised.plant("swallowed");
  raised.plant("told twice");
  EXPECT_TRUE(raised.observe("seen"));
  EXPECT_TRUE(raised.observe("told twice"));
  EXPECT_TRUE(raised.observe("told twice"));
  EXPECT_FALSE(raised.observe("unknown"));
  EXPECT_EQ(raised.times_observed("told twice"), 2);
  EXPECT_THAT(raised.complaints(), ElementsAre("the exception 'swallowed' was swallowed: nobody observed it",
                                               "the exception 'told twice' was reported 2 times"));
}

TEST(exception_ledger, keeps_an_account_for_each_round) {
  exception_ledger raised;
  raised.begin_round();
  raised.plant("boom");
  raised.observe("boom");
  raised.begin_round();
  raised.plant("boom");
  EXPECT_EQ(raised.times_observed("boom"), 0);
  EXPECT_THAT(raised.complaints(), ElementsAre(HasSubstr("'boom' was swallowed")));
}

TEST(watch_list, lets_each_check_speak_once_and_those_that_throw_as_well) {
  watch_list watches;
  const std::uint32_t quiet = watches.begin([] { return std::string(); });
  watches.begin([] { return std::string("wrong"); });
  watches.begin([]() -> std::string { throw std::runtime_error("broken"); });
  EXPECT_NE(quiet, 0U);
  EXPECT_THAT(watches.look(), ElementsAre("wrong", HasSubstr("broken")));
  EXPECT_THAT(watches.look(), IsEmpty());
  watches.end(quiet);
  EXPECT_FALSE(watches.empty());
}

}  // namespace
}  // namespace assay::test
