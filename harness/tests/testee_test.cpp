// The testee protocol's messages and its lines, without a testee. What a whole one does is tested from outside:
// harness/testee/tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include <assay/harness/testee/message.hpp>
#include <assay/harness/testee/process.hpp>

namespace assay::testee {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

template <class Doing>
std::string refusal(Doing&& doing) {
  try {
    doing();
  } catch (const protocol_error& reason) {
    return reason.what();
  }
  return "it was accepted";
}

std::string after_reading(const std::string& outcome) {
  return to_string(describe(read_outcome(boost::json::parse(outcome)).failure));
}

TEST(testee_outcomes, come_back_as_they_were_sent) {
  for (const std::string text :
       {R"({"kind":"value"})", R"({"kind":"value","value":[1,null]})", R"({"kind":"error","label":"boom"})",
        R"({"kind":"error","label":""})", R"({"kind":"cancelled"})", R"({"kind":"closed"})",
        R"({"kind":"timed_out"})", R"({"kind":"rejected","label":"full"})",
        R"({"kind":"broken","label":"torn"})", R"({"kind":"exit","status":3})",
        R"({"kind":"aggregate","members":[{"task":"a","what":{"kind":"error","label":"x"}},)"
        R"({"task":"b","what":{"kind":"aggregate","members":[]}}]})"}) {
    const ending how = read_outcome(boost::json::parse(text));
    EXPECT_EQ(boost::json::serialize(write_outcome(how.failure, how.value)), text);
  }
}

TEST(testee_outcomes, mean_what_contracts_throw) {
  EXPECT_EQ(after_reading(R"({"kind":"cancelled"})"), "cancelled");
  EXPECT_EQ(after_reading(R"({"kind":"rejected"})"), "rejected 'rejected'");
  EXPECT_EQ(after_reading(R"({"kind":"exit","status":3})"), "error 'exit 3'");
  EXPECT_EQ(after_reading(R"({"kind":"aggregate","members":[{"task":"a","what":{"kind":"closed"}}]})"),
            "aggregate {a: closed}");
  EXPECT_THROW(
      std::rethrow_exception(read_outcome(boost::json::parse(R"({"kind":"exit","status":3})")).failure),
      exit_wish);
}

TEST(testee_hello, is_read_whole) {
  const hello said = read_hello(
      R"({"hello":{"protocol":1,"name":"n-1","language":"L 1","libraries":{"b":"2","a":"1"},"turns":true,)"
      R"("subjects":[{"name":"S","contract":"c","features":["f","g"],"cites":"here"},{"name":"T","contract":"c"}]}})");
  EXPECT_EQ(said.name, "n-1");
  EXPECT_EQ(versions(said), "L 1, a 1, b 2");
  EXPECT_TRUE(said.turns);
  EXPECT_FALSE(said.seeded);
  ASSERT_EQ(said.subjects.size(), 2U);
  EXPECT_THAT(said.subjects[0].features, ElementsAre("f", "g"));
  EXPECT_EQ(said.subjects[1].contract, "c");
}

TEST(testee_answers, are_for_the_instant_that_was_asked) {
  const std::string line = R"({"instant":{"trial":3,"number":7,"events":[],"deadline":9}})";
  EXPECT_EQ(read_answer(line, 3, 7).deadline, 9ns);
  EXPECT_EQ(refusal([&] { (void)read_answer(line, 2, 7); }), "answers for trial 3 in trial 2");
  EXPECT_EQ(refusal([&] { (void)read_answer(line, 3, 8); }),
            "answers instant 7 again when it was asked instant 8");
  EXPECT_EQ(refusal([&] { (void)read_answer(line, 3, 6); }), "answers instant 7 when it was asked instant 6");
}

TEST(testee_answers, hold_events_in_their_order) {
  const answer said = read_answer(
      R"({"instant":{"trial":1,"number":1,"deadline":null,"events":[{"callback":4,"on":2,"name":"run","args":{"job":5}},)"
      R"({"cancel":4},{"tell":"phase","on":2,"args":{}},{"done":3,"outcome":{"kind":"value","value":8}},)"
      R"({"refused":6,"why":"no"}]}})",
      1, 1);
  ASSERT_EQ(said.events.size(), 5U);
  EXPECT_FALSE(said.deadline);
  EXPECT_EQ(said.events[0].kind, event_kind::callback);
  EXPECT_EQ(number_in(said.events[0].args, "job"), 5);
  EXPECT_EQ(said.events[1].kind, event_kind::cancel);
  EXPECT_EQ(said.events[2].name, "phase");
  EXPECT_EQ(said.events[3].how.value, 8);
  EXPECT_EQ(said.events[4].name, "no");
}

TEST(testee_process, exchanges_lines_however_long) {
  process echo("cat", "", 10s);
  EXPECT_EQ(echo.exchange("hello"), "hello");
  const std::string long_line(1'000'000, 'x');
  EXPECT_EQ(echo.exchange(long_line), long_line);
  EXPECT_EQ(echo.exchange(""), "");
}

TEST(testee_process, names_what_cannot_be_started) {
  EXPECT_THAT(refusal([] { process("./no_such_program", "", 10s).exchange("hello"); }),
              testing::AllOf(HasSubstr("ended itself with exit status 127"), HasSubstr("no_such_program")));
  EXPECT_THAT(refusal([] { process("cat", "/no/such/folder", 10s).exchange("hello"); }),
              HasSubstr("/no/such/folder"));
}

TEST(testee_process, tells_how_it_ended_also_when_it_reads_nothing) {
  EXPECT_THAT(refusal([] { process("kill -9 $$", "", 10s).exchange(std::string(1'000'000, 'x')); }),
              HasSubstr("was ended by SIGKILL"));
  EXPECT_THAT(refusal([] {
                process talker("echo first; echo second >&2; exit 4", "", 10s);
                EXPECT_EQ(talker.exchange("a"), "first");
                talker.exchange("b");
              }),
              "ended itself with exit status 4; its stderr: second");
}

}  // namespace
}  // namespace assay::testee
