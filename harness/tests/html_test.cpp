#include <assay/harness/report/html.hpp>

#include <gtest/gtest.h>

#include <sstream>

namespace assay {
namespace {

campaign_result failing_at_length(int number) {
  campaign_result result;
  result.subject = "talkative";
  result.contract = "none";
  result.clause = "LONG-" + std::to_string(number);
  result.outcome = result.outcome_fifo = verdict::fail;
  result.message = "</script><script>";
  result.story.assign(5000, "  0         mark     it goes on and on");
  trace events;
  for (int i = 0; i < 5000; ++i)
    events.record(std::chrono::milliseconds(i), 1, event_kind::mark, "it goes on and on");
  result.drawn = result.drawn_baseline = make_timeline(events);
  return result;
}

std::string page_of(int findings) {
  run_report report;
  for (int i = 0; i < findings; ++i) report.results.push_back(failing_at_length(i));
  std::ostringstream out;
  write_html(out, report);
  return out.str();
}

std::size_t count(const std::string& text, std::string_view what) {
  std::size_t times = 0;
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++times;
  return times;
}

TEST(html, a_page_stays_under_five_megabytes_whatever_fails_at_whatever_length) {
  const std::string page = page_of(100);
  EXPECT_LT(page.size(), 5'000'000U);
  EXPECT_EQ(count(page, "\"timeline\":") + count(page, "\"timeline_left_out\":"), 100U);
  EXPECT_GT(count(page, "\"timeline\":"), 5U);
  EXPECT_EQ(count(page, "(4600 lines are left out here)"), 100U);
}

TEST(html, what_a_subject_says_ends_no_script) {
  EXPECT_EQ(count(page_of(1), "</script>"), count(page_of(0), "</script>"));
}

TEST(html, a_trial_is_a_page_of_its_own) {
  std::ostringstream out;
  write_timeline_html(out, failing_at_length(1), "assay replay TOKEN");
  EXPECT_EQ(count(out.str(), "<!DOCTYPE html>"), 1U);
  EXPECT_EQ(count(out.str(), "assay replay TOKEN"), 1U);
  EXPECT_EQ(count(out.str(), "{{"), 0U) << "every part of the page is filled in";
}

}  // namespace
}  // namespace assay
