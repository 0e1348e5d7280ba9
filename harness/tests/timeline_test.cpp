#include <assay/harness/campaign/timeline_json.hpp>

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace assay {
namespace {

using std::chrono::milliseconds;

trace two_tasks() {
  trace events;
  events.record(milliseconds(0), 1, event_kind::start, "pop");
  events.record(milliseconds(0), 1, event_kind::turn, {});
  events.record(milliseconds(5), 2, event_kind::finish, "pop: value \"1\"");
  return events;
}

TEST(timeline, tasks_are_named_as_they_were_started) {
  const std::vector<std::string> expected{"the subject", "scenario", "pop"};
  EXPECT_EQ(make_timeline(two_tasks()).tasks, expected);
}

TEST(timeline, what_goes_over_a_line_of_json_comes_back) {
  const timeline drawn = make_timeline(two_tasks());
  const timeline back = timeline_from_json(boost::json::parse(boost::json::serialize(to_json(drawn))));
  EXPECT_EQ(back.tasks, drawn.tasks);
  ASSERT_EQ(back.events.size(), drawn.events.size());
  for (std::size_t i = 0; i < drawn.events.size(); ++i) {
    EXPECT_EQ(back.events[i].at, drawn.events[i].at);
    EXPECT_EQ(back.events[i].task, drawn.events[i].task);
    EXPECT_EQ(back.events[i].kind, drawn.events[i].kind);
    EXPECT_EQ(back.events[i].text, drawn.events[i].text);
  }
}

TEST(timeline, every_kind_of_event_comes_back) {
  for (int i = 0; i <= static_cast<int>(event_kind::failure); ++i) {
    trace events;
    events.record(milliseconds(1), 1, static_cast<event_kind>(i), "it");
    const timeline back = timeline_from_json(to_json(make_timeline(events)));
    EXPECT_EQ(static_cast<int>(back.events.at(0).kind), i);
  }
}

TEST(timeline, other_json_is_refused) {
  for (const char* const text : {"{}", "[]", R"({"tasks": [], "events": [[0, 1, "dance", ""]]})",
                                 R"({"tasks": [], "events": [[0, 1]]})"})
    EXPECT_ANY_THROW(timeline_from_json(boost::json::parse(text))) << text;
}

TEST(timeline, the_middle_of_a_long_trial_is_left_out_and_a_mark_says_so) {
  trace events;
  for (int i = 0; i < 5000; ++i) events.record(milliseconds(i), 1, event_kind::mark, std::to_string(i));
  const timeline drawn = make_timeline(events);
  ASSERT_EQ(drawn.events.size(), 2001U);
  EXPECT_EQ(drawn.events.front().text, "0");
  EXPECT_EQ(drawn.events[999].text, "999");
  EXPECT_EQ(drawn.events[1000].text, "3000 events are left out here");
  EXPECT_EQ(drawn.events[1000].at, milliseconds(1000));
  EXPECT_EQ(drawn.events[1001].text, "4000");
  EXPECT_EQ(drawn.events.back().text, "4999");
}

}  // namespace
}  // namespace assay
