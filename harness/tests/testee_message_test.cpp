// What a testee's lines may have wrong with them: each is refused, in words that name it.
#include <assay/harness/testee/message.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>
#include <vector>

namespace assay::testee {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

template <class Doing>
std::string refusal(Doing&& doing) {
  try {
    doing();
  } catch (const protocol_error& reason) {
    return reason.what();
  }
  return "it was accepted";
}

std::string answering(const std::string& line) {
  return refusal([&line] { (void)read_answer(line, 1, 1); });
}
std::string with_event(const std::string& event) {
  return answering(R"({"instant":{"trial":1,"number":1,"deadline":null,"events":[)" + event + "]}}");
}
std::string greeting(const std::string& members) {
  return refusal([&members] {
    (void)read_hello(R"({"hello":{"protocol":2,"name":"n","language":"L")" + members + "}}");
  });
}
std::string hosting(const std::string& subject) { return greeting(R"(,"subjects":[)" + subject + "]"); }

TEST(testee_lines, that_are_no_answer) {
  EXPECT_EQ(answering("Segmentation fault"), "wrote a line that is no JSON: 'Segmentation fault'");
  EXPECT_EQ(answering("[1]"), "wrote a line that is no JSON object: '[1]'");
  EXPECT_EQ(answering(R"({"ended":{}})"), R"(did not answer with 'instant' but with '{"ended":{}}')");
  EXPECT_EQ(answering(R"({"instant":3})"), "sent no object as 'instant'");
  EXPECT_EQ(answering(R"({"error":"I am lost"})"), "says: I am lost");
  EXPECT_EQ(answering(R"({"error":7})"), "sent no text as 'error'");
  // What is quoted is short, and can be printed.
  EXPECT_EQ(answering("\x01\x7f\xff" + std::string(100, 'x')),
            "wrote a line that is no JSON: '???" + std::string(77, 'x') + "...'");
}

TEST(testee_lines, whose_members_are_missing_or_of_another_kind) {
  EXPECT_EQ(answering(R"({"instant":{}})"), "sent a message without 'trial'");
  EXPECT_EQ(answering(R"({"instant":{"trial":"1"}})"), "sent no integer as 'trial'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1.5}})"), "sent no integer as 'trial'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1}})"), "sent a message without 'number'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1,"number":1}})"), "sent a message without 'events'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1,"number":1,"events":{}}})"), "sent no list as 'events'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1,"number":1,"events":[]}})"),
            "sent a message without 'deadline'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1,"number":1,"events":[],"deadline":"soon"}})"),
            "sent no integer as 'deadline'");
  EXPECT_EQ(answering(R"({"instant":{"trial":1,"number":1,"events":[],"deadline":null,"looked_at":[]}})"),
            "sent no object as 'looked_at'");
  EXPECT_EQ(
      answering(R"({"instant":{"trial":1,"number":1,"events":[],"deadline":null,"looked_at":{"1x":{}}}})"),
      "has looked at '1x', which is no object's number");
  EXPECT_EQ(refusal([] { read_begun(R"({"begun":{"trial":2}})", 1); }), "answers for trial 2 in trial 1");
  EXPECT_EQ(refusal([] { (void)read_ended(R"({"ended":{"trial":1,"left":[3]}})", 1); }),
            "sent no text as 'left'");
  EXPECT_EQ(refusal([] { (void)read_ended(R"({"ended":{"trial":1,"left":"a task"}})", 1); }),
            "sent no list as 'left'");
  EXPECT_TRUE(read_ended(R"({"ended":{"trial":1}})", 1).empty());
}

TEST(testee_lines, whose_events_are_none) {
  EXPECT_EQ(with_event("3"), "sent no object as 'events'");
  EXPECT_EQ(with_event(R"({"surprise":1})"), R"(sent an event of no known kind: '{"surprise":1}')");
  EXPECT_EQ(with_event(R"({"done":1})"), "sent a message without 'outcome'");
  EXPECT_EQ(with_event(R"({"callback":1,"on":2})"), "sent a message without 'name'");
  EXPECT_EQ(with_event(R"({"callback":1,"name":"run"})"), "sent a message without 'on'");
  EXPECT_EQ(with_event(R"({"callback":1,"name":"run","on":2,"args":[]})"), "sent no object as 'args'");
  EXPECT_EQ(with_event(R"({"cancel":true})"), "sent no integer as 'cancel'");
  EXPECT_EQ(with_event(R"({"tell":1})"), "sent no text as 'tell'");
  EXPECT_EQ(with_event(R"({"refused":1,"why":2})"), "sent no text as 'why'");
  const answer said = read_answer(
      R"({"instant":{"trial":1,"number":1,"deadline":null,"events":[{"refused":1},{"tell":"phase","on":2},)"
      R"({"unhandled":{"kind":"error","label":"x"}}]}})",
      1, 1);
  EXPECT_EQ(said.events.at(0).name, "");
  EXPECT_TRUE(said.events.at(1).args.empty());
  EXPECT_EQ(to_string(describe(said.events.at(2).how.failure)), "error 'x'");
}

TEST(testee_lines, whose_outcomes_are_none) {
  const auto ending_with = [](const std::string& outcome) {
    return with_event(R"({"done":1,"outcome":)" + outcome + "}");
  };
  EXPECT_EQ(ending_with("3"), "sent no object as 'outcome'");
  EXPECT_EQ(ending_with("{}"), "sent a message without 'kind'");
  EXPECT_EQ(ending_with(R"({"kind":"perhaps"})"), "sent an outcome of the unknown kind 'perhaps'");
  EXPECT_EQ(ending_with(R"({"kind":"pending"})"), "sent an outcome of the unknown kind 'pending'");
  EXPECT_EQ(ending_with(R"({"kind":"error"})"), "sent a message without 'label'");
  EXPECT_EQ(ending_with(R"({"kind":"rejected","label":1})"), "sent no text as 'label'");
  EXPECT_EQ(ending_with(R"({"kind":"exit"})"), "sent a message without 'status'");
  EXPECT_EQ(ending_with(R"({"kind":"aggregate"})"), "sent a message without 'members'");
  EXPECT_EQ(ending_with(R"({"kind":"aggregate","members":[1]})"), "sent no object as 'members'");
  EXPECT_EQ(ending_with(R"({"kind":"aggregate","members":[{"task":"a"}]})"), "sent a message without 'what'");
  std::string deep = R"({"kind":"closed"})";
  for (int i = 0; i < 5; ++i) deep = R"({"kind":"aggregate","members":[{"task":"a","what":)" + deep + "}]}";
  EXPECT_EQ(ending_with(deep), "it was accepted");
}

TEST(testee_lines, whose_aggregates_have_no_end) {
  // Deeper than the parser of lines allows: so as a value.
  boost::json::object text{{"kind", "closed"}};
  for (int i = 0; i < 70; ++i) {
    boost::json::array members;
    boost::json::object member;
    member["task"] = "a";
    member["what"] = std::move(text);
    members.push_back(std::move(member));
    text = boost::json::object();
    text["kind"] = "aggregate";
    text["members"] = std::move(members);
  }
  EXPECT_EQ(refusal([&text] { (void)read_outcome(text); }), "sent aggregates within aggregates without end");
}

TEST(testee_lines, that_are_no_hello) {
  EXPECT_EQ(greeting(""), "sent a message without 'subjects'");
  EXPECT_EQ(greeting(R"(,"subjects":[])"), "hosts no subject");
  EXPECT_EQ(greeting(R"(,"subjects":[],"turns":1)"), "sent neither true nor false as 'turns'");
  EXPECT_EQ(greeting(R"(,"subjects":[],"libraries":{"b":2})"), "sent no text as 'libraries'");
  EXPECT_EQ(hosting("3"), "sent no object as 'subjects'");
  EXPECT_EQ(hosting("{}"), "sent a message without 'name'");
  for (const std::string name : {"", "a b", "\u00e9", "a.b", "a/b", "a~b", "a[b"}) {
    EXPECT_THAT(
        hosting(R"({"name":")" + name + R"(","contract":"c"})"),
        testing::AllOf(StartsWith("has the name '"), HasSubstr("letters, digits, '_' and '-' are allowed")));
  }
  EXPECT_THAT(hosting(R"({"name":")" + std::string(101, 'x') + R"(","contract":"c"})"),
              StartsWith("has the name 'xxx"));
  EXPECT_EQ(hosting(R"({"name":"Az09_-","contract":"c"})"), "it was accepted");
  EXPECT_EQ(hosting(R"({"name":"S","contract":"c","features":"f"})"), "sent no list as 'features'");
  EXPECT_EQ(hosting(R"({"name":"S","contract":"c","declines":[]})"), "sent no object as 'declines'");
  EXPECT_EQ(hosting(R"({"name":"S","contract":"c","declines":{"f":1}})"), "sent no text as 'declines'");
  EXPECT_EQ(hosting(R"({"name":"S","contract":"c","cites":1})"), "sent no text as 'cites'");
  EXPECT_EQ(hosting(R"({"name":"S","contract":"c","retains":"yes"})"),
            "sent neither true nor false as 'retains'");
  EXPECT_EQ(hosting(R"({"name":"S","contract":"c"},{"name":"S","contract":"d"})"), "hosts two subjects 'S'");
  hello nameless;
  nameless.libraries["b"] = "2";
  EXPECT_EQ(versions(nameless), "b 2");
}

TEST(testee_values, are_of_the_kind_that_is_asked_for) {
  EXPECT_EQ(to_numbers(boost::json::parse("[1,2]"), "ids"), (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(refusal([] { (void)to_numbers(boost::json::parse("[1,\"2\"]"), "ids"); }),
            "sent no integer as 'ids'");
  EXPECT_EQ(refusal([] { (void)to_numbers(boost::json::parse("1"), "ids"); }), "sent no list as 'ids'");
  EXPECT_TRUE(to_flag(true, "open"));
  EXPECT_EQ(to_exception(outcome{}), nullptr);
}

}  // namespace
}  // namespace assay::testee
