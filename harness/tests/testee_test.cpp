// The testee protocol's messages and its lines, without a testee. What a whole one does is tested from outside:
// harness/testee/tests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/bare_subject.hpp>
#include <assay/harness/testee/host.hpp>
#include <assay/harness/testee/message.hpp>
#include <assay/harness/testee/process.hpp>
#include <assay/harness/testee/proxy.hpp>
#include <assay/harness/testee/session.hpp>
#include <assay/harness/tests/support.hpp>
#include <assay/harness/tests/temporary_folder.hpp>

namespace assay::testee {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

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
  EXPECT_EQ(after_reading(R"({"kind":"broken"})"), "broken 'broken'");
  EXPECT_EQ(after_reading(R"({"kind":"exit","status":3})"), "error 'exit 3'");
  EXPECT_EQ(after_reading(R"({"kind":"aggregate","members":[{"task":"a","what":{"kind":"closed"}}]})"),
            "aggregate {a: closed}");
  EXPECT_EQ(
      after_reading(R"({"kind":"aggregate","members":[{"task":"a","what":{"kind":"exit","status":3}}]})"),
      "aggregate {a: error 'exit 3'}");
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

TEST(testee_hello, of_version_2_says_what_the_first_did_not_know) {
  const hello said =
      read_hello(R"({"hello":{"protocol":2,"name":"n","language":"L","looks":true,"checkpoint":true,)"
                 R"("subjects":[{"name":"S","contract":"c","declines":{"f":"by choice"},"retains":true}]}})");
  EXPECT_EQ(said.protocol, 2);
  EXPECT_TRUE(said.looks);
  EXPECT_TRUE(said.checkpoint);
  EXPECT_EQ(subject_of(said, "S").declines.at("f"), "by choice");
  EXPECT_TRUE(subject_of(said, "S").retains);
  EXPECT_EQ(refusal([&] { (void)subject_of(said, "T"); }), "does not host 'T'");
}

TEST(testee_hello, of_version_1_is_read_as_it_was) {
  const hello said =
      read_hello(R"({"hello":{"protocol":1,"name":"n","language":"L","looks":true,"checkpoint":true,)"
                 R"("subjects":[{"name":"S","contract":"c"}]}})");
  EXPECT_EQ(said.protocol, 1);
  EXPECT_FALSE(said.looks);
  EXPECT_FALSE(said.checkpoint);
}

TEST(testee_hello, of_another_version_is_refused_with_both) {
  for (const std::string version : {"0", "3"}) {
    EXPECT_EQ(refusal([&] { (void)read_hello(R"({"hello":{"protocol":)" + version + "}}"); }),
              "speaks version " + version + " of the protocol, and this program versions 1 to 2");
  }
}

TEST(testee_answers, say_what_was_looked_at) {
  const auto read = [](const std::string& looked_at) {
    return read_answer(
        R"({"instant":{"trial":1,"number":1,"events":[],"deadline":null,"looked_at":)" + looked_at + "}}", 1,
        1);
  };
  EXPECT_EQ(read(R"({"1":{"size":3},"12":{}})").looked_at.at(1).at("size"), 3);
  EXPECT_EQ(refusal([&] { read(R"({"Queue":{}})"); }), "has looked at 'Queue', which is no object's number");
  EXPECT_EQ(refusal([&] { read(R"({"1":3})"); }), "sent no object as 'looked_at'");
}

TEST(testee_hello, says_whether_its_loop_can_be_late_since_version_2) {
  const auto read = [](const std::string& version, const std::string& more) {
    return read_hello(R"({"hello":{"protocol":)" + version + R"(,"name":"n","language":"L")" + more +
                      R"(,"subjects":[{"name":"S","contract":"c"}]}})");
  };
  EXPECT_TRUE(read("2", R"(,"late":true)").late);
  EXPECT_FALSE(read("2", "").late);
  EXPECT_FALSE(read("1", R"(,"late":true)").late);
}

TEST(testee_answers, tell_the_deadlines_behind_the_first_in_order) {
  const auto read = [](const std::string& deadline, const std::string& later) {
    return read_answer(R"({"instant":{"trial":1,"number":1,"events":[],"deadline":)" + deadline +
                           R"(,"later":)" + later + "}}",
                       1, 1);
  };
  EXPECT_EQ(read("5", "[7,9]").later, (std::vector<std::chrono::nanoseconds>{7ns, 9ns}));
  EXPECT_TRUE(read("null", "[]").later.empty());
  const std::string wrong = "has deadlines in 'later' that are not each behind the one before";
  EXPECT_EQ(refusal([&] { (void)read("5", "[5]"); }), wrong);
  EXPECT_EQ(refusal([&] { (void)read("5", "[7,7]"); }), wrong);
  EXPECT_EQ(refusal([&] { (void)read("null", "[7]"); }), wrong);
  EXPECT_EQ(refusal([&] { (void)read("5", "7"); }), "sent no list as 'later'");
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

// ---- a whole conversation, in which the testee reads its lines from a file; TRIAL is the trial's number in it. The last
// two instants are those of the end: the subject goes, and what that has made ready is run.

class scripted {
 public:
  /// The hello comes first, then what is answered to the `begin`, and so on.
  explicit scripted(const std::vector<std::string>& answers) : file_((folder_.path() / "script").string()) {
    std::ofstream out(file_);
    for (const std::string& one : answers) out << one << '\n';
    host_.how.command = "i=0; while IFS= read -r line; do i=$((i+1)); printf '%s\\n' \"$line\" >> " + file_ +
                        ".log; case \"$line\" in *begin*) trial=$(printf %s \"$line\" | "
                        "sed 's/.*\"trial\":\\([0-9]*\\).*/\\1/');; esac; "
                        "sed -n \"${i}{s/TRIAL/$trial/;p}\" " +
                        file_ + "; done";
    host_.line = answers.front();
    host_.said = read_hello(host_.line);
  }
  scripted(const scripted&) = delete;
  scripted& operator=(const scripted&) = delete;
  ~scripted() { discard(host_); }
  const known_testee& host() const noexcept { return host_; }
  /// All that it was told.
  std::string log() const {
    std::ostringstream text;
    text << std::ifstream(file_ + ".log").rdbuf();
    return text.str();
  }

 private:
  testing_support::temporary_folder folder_;
  std::string file_;
  known_testee host_;
};

std::string hello_with(const std::string& more, const std::string& of_subject = "") {
  return R"({"hello":{"protocol":2,"name":"n","language":"L")" + more +
         R"(,"subjects":[{"name":"S","contract":"c")" + of_subject + "}]}}";
}
const std::string begun = R"({"begun":{"trial":TRIAL}})";
const std::string ended = R"({"ended":{"trial":TRIAL,"left":[]}})";
std::string answer_to(int number, const std::string& events, const std::string& more = "") {
  return R"({"instant":{"trial":TRIAL,"number":)" + std::to_string(number) + R"(,"events":[)" + events +
         R"(],"deadline":null)" + more + "}}";
}
std::string done(int id, const std::string& more = "") {
  return R"({"done":)" + std::to_string(id) + R"(,"outcome":{"kind":"value")" + more + "}}";
}

struct probe_report {
  std::size_t count = 0;
  std::vector<std::string> names;
  bool late = false;
  std::exception_ptr cause;
};
BOOST_DESCRIBE_STRUCT(probe_report, (), (count, names, late, cause))
enum class colour { red, green };
BOOST_DESCRIBE_ENUM(colour, red, green)

class probe final : public proxy {
 public:
  probe(trial& t, const scripted& with, std::vector<std::string> looks = {})
      : proxy(session::of(t.surroundings(), with.host()), "S", {}, std::move(looks)) {}
  using proxy::arg;
  using proxy::args;
  using proxy::ask;
  using proxy::begin_looking;
  using proxy::call;
  using proxy::call_and_go_on;
  using proxy::call_now;
  using proxy::end_looking;
  using proxy::retained;
};

trial_result converse(const std::function<test::asio::awaitable<void>(trial&)>& scenario) {
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  return t.run([&] { return scenario(t); });
}

TEST(testee_session, says_how_the_caller_went_on) {
  const scripted testee(
      {hello_with(R"(,"checkpoint":true)"), begun, answer_to(1, done(1)),
       answer_to(2, R"({"done":2,"outcome":{"kind":"closed"},"then":{"kind":"cancelled"}})"),
       answer_to(3, done(3)), answer_to(4, ""), answer_to(5, ""), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    probe one(t, testee);
    const ending first = co_await one.call_and_go_on("pop");
    t.expect_eq(to_string(describe(first.failure)), "closed");
    t.expect_eq(first.then ? to_string(*first.then) : "nothing", "cancelled");
    const ending second = co_await one.call_and_go_on("pop");
    t.expect(!second.failure && !second.then, "a call may end without a step after it");
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_THAT(testee.log(), HasSubstr(R"("method":"pop","args":{},"then":"checkpoint")"));
}

// A call that is cancelled and ends with what the testee says, and how its caller went on.
trial_result cancel_and_go_on(const std::string& outcome, const std::string& then, bool follows = true) {
  const scripted testee({hello_with(R"(,"checkpoint":true)"), begun, answer_to(1, done(1)), answer_to(2, ""),
                         answer_to(3, ""),
                         answer_to(4, R"({"done":2,"outcome":{"kind":")" + outcome +
                                          R"("},"then":{"kind":")" + then + R"("}})"),
                         answer_to(5, ""), answer_to(6, ""), ended});
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  if (follows) t.follow_requests();
  return t.run([&]() -> test::asio::awaitable<void> {
    return [](trial& of, const scripted& with) -> test::asio::awaitable<void> {
      probe one(of, with);
      auto pop = co_await of.begin("pop", one.call("pop"));
      pop.cancel();
      co_await of.settle();
      (void)pop.what();
    }(t, testee);
  });
}

TEST(testee_session, x_36_a_caller_that_goes_on_after_a_request_has_lost_it) {
  EXPECT_EQ(
      cancel_and_go_on("value", "value").message,
      "X-36: expected: the request that 'pop in the testee' met with its value shows at its caller's next "
      "suspension; observed: the caller goes on as if there had been none");
  EXPECT_THAT(cancel_and_go_on("timed_out", "value").message, HasSubstr("met with its deadline"));
}
TEST(testee_session, x_36_a_request_that_shows_or_that_ended_the_call_is_not_lost) {
  EXPECT_EQ(cancel_and_go_on("value", "cancelled").message, "");
  EXPECT_EQ(cancel_and_go_on("cancelled", "value").message, "");
}
TEST(testee_session, x_36_is_not_looked_at_unless_the_trial_follows_requests) {
  EXPECT_EQ(cancel_and_go_on("value", "value", false).message, "");
}

TEST(testee_session, asks_no_caller_to_go_on_where_there_is_none) {
  const scripted testee({hello_with(""), begun, answer_to(1, done(1)), answer_to(2, done(2)),
                         answer_to(3, ""), answer_to(4, ""), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    probe one(t, testee);
    const ending how = co_await one.call_and_go_on("pop");
    t.expect(!how.failure && !how.then, "the call ends");
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_THAT(testee.log(), Not(HasSubstr("then")));
}

TEST(testee_session, knows_what_was_looked_at_until_it_is_seen) {
  const scripted testee(
      {hello_with(R"(,"looks":true)"), begun,
       answer_to(1, done(1), R"(,"looked_at":{"1":{"size":3,"full":true}})"),
       answer_to(2, done(2), R"(,"looked_at":{"1":{"size":4}})"),
       answer_to(3, done(3, R"(,"value":7)"), R"(,"looked_at":{"1":{"full":false,"size":5}})"),
       answer_to(4, ""), answer_to(5, ""), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    probe one(t, testee, {"size", "full"});
    t.expect(one.begin_looking(), "what it says when it is made is seen");
    t.expect_eq(one.ask<int>("size"), 3);
    t.expect_eq(one.ask<bool>("full"), true);
    one.end_looking();
    t.expect(!one.begin_looking(), "it is seen once");
    one.call_now("stir");
    t.expect(!one.begin_looking(), "it is not seen when a query has not said anything");
    t.expect_eq(one.ask<int>("size"), 7, "a question outside of a look is asked");
    t.expect(one.begin_looking(), "the next one is seen");
    t.expect_eq(one.ask<int>("size"), 5);
    one.end_looking();
    co_return;
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_THAT(testee.log(), HasSubstr(R"("look":["size","full"])"));
}

TEST(testee_session, asks_for_no_look_that_the_testee_does_not_have) {
  const scripted testee(
      {hello_with(""), begun, answer_to(1, done(1)), answer_to(2, ""), answer_to(3, ""), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    const probe one(t, testee, {"size"});
    t.expect(!one.begin_looking(), "there is nothing to be seen");
    co_return;
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_THAT(testee.log(), Not(HasSubstr("look")));
}

TEST(testee_proxy, tells_how_much_is_retained_if_the_subject_can) {
  const scripted able({hello_with("", R"(,"retains":true)"), begun, answer_to(1, done(1)),
                       answer_to(2, done(2, R"(,"value":12)")), answer_to(3, ""), answer_to(4, ""), ended});
  const scripted unable(
      {hello_with(""), begun, answer_to(1, done(1)), answer_to(2, ""), answer_to(3, ""), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    const probe one(t, able);
    t.expect(one.retained() == 12U, "it says how many");
    co_return;
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
  const trial_result other = converse([&](trial& t) -> test::asio::awaitable<void> {
    const probe one(t, unable);
    t.expect(!one.retained(), "it is not asked");
    co_return;
  });
  EXPECT_TRUE(other.passed()) << other.message;
}

TEST(testee_proxy, writes_and_reads_by_type) {
  const scripted testee(
      {hello_with(""), begun, answer_to(1, done(1)),
       answer_to(2, done(2, R"(,"value":{"count":2,"names":["a","b"],"cause":{"kind":"closed"}})")),
       answer_to(3, ""), answer_to(4, ""), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    probe one(t, testee);
    const auto sent =
        one.args("item", t.item(5), "patience", 3ms, "limit", std::chrono::nanoseconds::max(), "far",
                 std::int64_t{1} << 60, "colour", colour::green, "text", std::string("x"));
    t.expect_eq(
        boost::json::serialize(sent),
        R"({"item":5,"patience":3000000,"limit":null,"far":9007199254740991,"colour":"green","text":"x"})");
    t.expect(one.arg<item>(sent, "item").id() == 5, "the item comes out again");
    t.expect(one.arg<colour>(sent, "colour") == colour::green, "an enumerator is its name");
    const auto report = co_await one.call<probe_report>("report");
    t.expect_eq(report.count, 2U);
    t.expect_eq(report.names, std::vector<std::string>({"a", "b"}));
    t.expect(!report.late, "a flag that is not there is false");
    t.expect_eq(to_string(describe(report.cause)), "closed");
    t.expect_eq(refusal([&] { one.arg<colour>(sent, "text"); }), "sent 'x' as 'text'");
    t.expect_eq(refusal([&] { one.arg<std::optional<int>>(sent, "text"); }), "sent no integer as 'text'");
    t.expect(!one.arg<std::optional<int>>(sent, "nothing"), "what may be missing may be missing");
    t.expect_eq(refusal([&] { one.arg<int>(sent, "nothing"); }), "sent a message without 'nothing'");
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

TEST(testee_proxy, keeps_functions_by_numbers) {
  numbered<std::function<int()>> all;
  const std::int64_t one = all.keep([] { return 1; });
  const std::int64_t two = all.keep([] { return 2; });
  EXPECT_EQ(all.find(one)(), 1);
  EXPECT_EQ(all.take(two)(), 2);
  EXPECT_EQ(refusal([&] { all.take(two); }),
            "calls the function 2, which is not there or has been called before");
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

// ---- several testees

std::unique_ptr<subject_base> stand_in(std::string name, subject_traits, const known_testee&,
                                       const std::string&) {
  return std::make_unique<bare_subject>(std::move(name), "no_contract");
}

TEST(testee_host, knows_its_testees_by_name) {
  add_factory("no_contract", &stand_in);
  const auto greeting_of = [](const std::string& name, const std::string& contract) {
    launch how;
    how.command = R"(read -r line; echo '{"hello":{"protocol":2,"name":")" + name +
                  R"(","language":"L","subjects":[{"name":"S","contract":")" + contract +
                  R"("}]}}'; read -r line)";
    return how;
  };
  EXPECT_FALSE(is_known("one"));
  EXPECT_THAT(refusal([&] { introduce(greeting_of("one", "else")); }), HasSubstr("which is unknown here"));
  EXPECT_EQ(introduce(greeting_of("one", "no_contract")).said.name, "one");
  EXPECT_TRUE(is_known("one"));
  EXPECT_EQ(introduce(greeting_of("other", "no_contract")).said.name, "other");
  EXPECT_THAT(refusal([&] { introduce(greeting_of("one", "no_contract")); }),
              HasSubstr("is called 'one', and so is 'read -r line"));
}

}  // namespace
}  // namespace assay::testee
