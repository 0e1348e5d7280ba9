#include <assay/harness/report/report.hpp>

#include <gmock/gmock.h>

#include <sstream>
#include <string>
#include <vector>

#include <assay/harness/report/kill_matrix.hpp>

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(report, a_message_has_a_line_for_what_was_expected_and_one_for_what_was_observed) {
  EXPECT_THAT(message_lines("expected: the sum: 3; observed: 2"),
              ElementsAre("expected: the sum: 3", "observed: 2"));
  EXPECT_THAT(message_lines("expected: the text: 'a; observed: b'; observed: 'c'"),
              ElementsAre("expected: the text: 'a; observed: b'", "observed: 'c'"));
  EXPECT_THAT(message_lines("deadlock: nothing; observed: something"),
              ElementsAre("deadlock: nothing; observed: something"));
}

run_report half_a_run() {
  run_report report;
  report.interrupted = true;
  for (int i = 0; i < 3; ++i) report.planned.push_back({"probe", "begun", true});
  for (int i = 0; i < 2; ++i) report.planned.push_back({"probe", "not_begun", true});
  campaign_result passed;
  passed.contract = "probe";
  passed.subject = "begun";
  passed.core = true;
  report.results = {passed, passed};
  return report;
}

TEST(report, what_was_not_run_as_a_whole_does_not_conform) {
  const run_report report = half_a_run();
  const std::vector<pattern_tally> all = count_by_pattern(report);
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(profile_verdict(all[0].core), "unfinished");
  EXPECT_EQ(profile_colour(all[0].core), verdict::skip);
  EXPECT_EQ(profile_verdict(all[1].core), "not run");
  EXPECT_EQ(profile_colour(all[1].core), verdict::skip);
  std::ostringstream text;
  write_text(text, report, {});
  EXPECT_THAT(text.str(), HasSubstr("Interrupted after 2 of 5 scenario runs: 2 passed"));
  EXPECT_THAT(text.str(), Not(HasSubstr("conforms")));
}

TEST(report, what_failed_before_the_interruption_fails) {
  run_report report = half_a_run();
  report.results[0].outcome = report.results[0].outcome_fifo = verdict::fail;
  EXPECT_EQ(profile_verdict(count_by_pattern(report)[0].core), "fails");
}

}  // namespace
}  // namespace assay
