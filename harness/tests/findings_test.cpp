#include <assay/harness/report/findings.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace assay {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(recorded_message, is_what_a_message_begins_with) {
  EXPECT_TRUE(begins_as("an item was lost at 5ms", "an item was lost"));
  EXPECT_TRUE(begins_as("an item was lost", "an item was lost"));
  EXPECT_FALSE(begins_as("an item was", "an item was lost"));
  EXPECT_FALSE(begins_as("the item was lost", "an item was lost"));
}

TEST(recorded_message, has_wildcards_for_what_differs) {
  EXPECT_TRUE(begins_as("item 17 was lost at 5ms", "item {*} was lost"));
  EXPECT_TRUE(begins_as("item  was lost", "item {*} was lost")) << "for nothing at all, too";
  EXPECT_TRUE(begins_as("item 17 was lost at 5ms, item 18", "item {*} was lost at {*}, item"));
  EXPECT_TRUE(begins_as("item 1 was 1 was lost", "item {*} was lost")) << "the first fit is not the last";
  EXPECT_FALSE(begins_as("item 17 was found", "item {*} was lost"));
  EXPECT_FALSE(begins_as("item 17", "item {*} was lost"));
  EXPECT_TRUE(begins_as("what it said was *, literally", "what it said was *"))
      << "an asterisk alone is none";
}

TEST(recorded_message, has_wildcards_that_are_bounded) {
  const auto with_gap = [](std::size_t length) { return "item " + std::string(length, '7') + " was lost"; };
  EXPECT_TRUE(begins_as(with_gap(wildcard_max), "item {*} was lost"));
  EXPECT_FALSE(begins_as(with_gap(wildcard_max + 1), "item {*} was lost"));
}

finding with_message(std::string message) {
  finding one;
  one.subject = "somebody";
  one.contract = "probe";
  one.clause = "PRB-1";
  one.verdict = "fail";
  one.message = std::move(message);
  one.reason = "a reason";
  return one;
}

TEST(recorded_message, must_say_something_before_its_wildcards_and_between_them) {
  const auto complaints = [](std::string message) {
    const finding one = with_message(std::move(message));
    return lint_findings({&one, 1});
  };
  EXPECT_THAT(complaints("item {*} was lost at {*}"), IsEmpty());
  EXPECT_THAT(complaints("{*} was lost"), Contains(HasSubstr("begins with a wildcard")));
  EXPECT_THAT(complaints("a{*}b{*}c{*}d{*}e{*}f"), Contains(HasSubstr("more than 4 wildcards")));
}

TEST(recorded_message, with_a_wildcard_confirms_and_survives_an_update) {
  const finding recorded = with_message("item {*} was lost");
  const finding seen = with_message("item 9 was lost, while 'pop' ran");
  const findings_comparison compared = compare({&recorded, 1}, {&seen, 1}, {}, true);
  EXPECT_TRUE(compared.same());
  EXPECT_EQ(updated({&recorded, 1}, {&seen, 1}, {}).front().message, recorded.message);
  const finding other = with_message("item 9 came twice");
  EXPECT_EQ(compare({&recorded, 1}, {&other, 1}, {}, true).changed.size(), 1U);
  EXPECT_EQ(updated({&recorded, 1}, {&other, 1}, {}).front().message, other.message);
}

TEST(recorded_finding, of_a_testee_that_was_not_started_is_neither_missed_nor_forgotten) {
  finding recorded = with_message("an item was lost");
  recorded.subject = "asyncio.Queue";
  EXPECT_TRUE(compare({&recorded, 1}, {}, {}, true).same());
  EXPECT_EQ(updated({&recorded, 1}, {}, {}).size(), 1U);
  campaign_result run;
  run.subject = recorded.subject;
  EXPECT_EQ(compare({&recorded, 1}, {}, {&run, 1}, true).disappeared.size(), 1U);
  EXPECT_THAT(updated({&recorded, 1}, {}, {&run, 1}), IsEmpty());
  recorded.subject = "gone";
  EXPECT_EQ(compare({&recorded, 1}, {}, {}, true).disappeared.size(), 1U);
  EXPECT_THAT(updated({&recorded, 1}, {}, {}), IsEmpty());
}

// Of a subject whose adapter is wrong nothing is found, and nothing that is recorded is gone.
TEST(findings, leave_a_subject_alone_that_fails_its_plug_check) {
  const finding known = with_message("an item was lost");
  campaign_result seen;
  seen.subject = known.subject;
  seen.kind = subject_kind::third_party;
  seen.contract = known.contract;
  seen.clause = known.clause;
  seen.outcome = seen.outcome_fifo = verdict::error;
  seen.message = "adapter: an item came out of `pop` without its id";
  seen.misplugged = true;
  EXPECT_THAT(findings_of({&seen, 1}, {}), IsEmpty());
  for (const bool whole : {false, true})
    EXPECT_THAT(compare({&known, 1}, {}, {&seen, 1}, whole).disappeared, IsEmpty());
  EXPECT_EQ(updated({&known, 1}, {}, {&seen, 1}).size(), 1U);
  seen.misplugged = false;
  EXPECT_EQ(findings_of({&seen, 1}, {}).size(), 1U);
  EXPECT_EQ(compare({&known, 1}, {}, {&seen, 1}, true).disappeared.size(), 1U);
}

// Nor of one that the machine did not let be run, whatever the disk or the processes were short of.
TEST(findings, leave_alone_what_was_not_run) {
  const finding known = with_message("an item was lost");
  campaign_result seen;
  seen.subject = known.subject;
  seen.kind = subject_kind::third_party;
  seen.contract = known.contract;
  seen.clause = known.clause;
  seen.variant = known.variant;
  seen.outcome = seen.outcome_fifo = verdict::error;
  seen.message = "not run: no worker process: fork: Resource temporarily unavailable";
  seen.unrun = true;
  EXPECT_THAT(findings_of({&seen, 1}, {}), IsEmpty());
  EXPECT_TRUE(compare({&known, 1}, {}, {&seen, 1}, true).same());
  EXPECT_EQ(updated({&known, 1}, {}, {&seen, 1}).size(), 1U);
}

// A channel that is mended in one Boost, and does something else from there on.
TEST(findings, of_another_boost_are_neither_missed_nor_forgotten_nor_confirmed) {
  finding once = with_message("an item was lost");
  once.fixed_in = "1.81";
  finding now = with_message("an item came twice");
  now.since = "1.81";
  const std::vector<finding> recorded{once, now};
  EXPECT_TRUE(is_of_boost(once, 108000) && !is_of_boost(once, 108100) && !is_of_boost(once, 108301));
  EXPECT_TRUE(!is_of_boost(now, 108000) && is_of_boost(now, 108100) && is_of_boost(now, 200000));
  EXPECT_THAT(lint_findings(recorded), IsEmpty());
  const finding seen = with_message("an item came twice");
  campaign_result run;
  run.subject = seen.subject;
  const findings_comparison compared = compare(recorded, {&seen, 1}, {&run, 1}, true);
  EXPECT_TRUE(compared.same());
  EXPECT_EQ(compared.confirmed.size(), 1U);
  EXPECT_EQ(updated(recorded, {&seen, 1}, {&run, 1}).size(), 2U);
  const findings_comparison again = compare({&once, 1}, {&seen, 1}, {&run, 1}, true);
  EXPECT_EQ(again.appeared.size(), 1U);
  EXPECT_THAT(again.disappeared, IsEmpty());
  now.fixed_in = "the next";
  EXPECT_THAT(lint_findings({&now, 1}), Contains(HasSubstr("'the next', which is no version of Boost")));
}

}  // namespace
}  // namespace assay
