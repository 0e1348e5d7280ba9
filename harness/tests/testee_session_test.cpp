// What a testee may answer in the midst of a conversation, and what a session makes of it: callbacks, tales, refusals, ends
// that nobody asked for.
#include <assay/harness/testee/session.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/testee/proxy.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::testee {
namespace {

using testing::HasSubstr;

/// A shell that answers each line with the next of these; TRIAL is the trial's number, which is known beforehand.
class talker {
 public:
  explicit talker(const std::vector<std::string>& answers, const std::string& traits = "") {
    host_.line = R"({"hello":{"protocol":2,"name":"n","language":"L")" + traits +
                 R"(,"subjects":[{"name":"S","contract":"c"}]}})";
    host_.said = read_hello(host_.line);
    const std::string trial = std::to_string(next_trial() + 1);
    std::vector<std::string> lines{host_.line, R"({"begun":{"trial":TRIAL}})"};
    lines.insert(lines.end(), answers.begin(), answers.end());
    for (std::string line : lines) {
      for (std::size_t at = 0; (at = line.find("TRIAL", at)) != std::string::npos;)
        line.replace(at, 5, trial);
      host_.how.command += "read -r line; printf '%s\\n' '" + line + "'; ";
    }
    host_.how.command += "read -r line";
  }
  talker(const talker&) = delete;
  talker& operator=(const talker&) = delete;
  ~talker() { discard(host_); }
  const known_testee& host() const noexcept { return host_; }

 private:
  known_testee host_;
};

std::string instant(int number, const std::string& events = "", const std::string& more = "") {
  return R"({"instant":{"trial":TRIAL,"number":)" + std::to_string(number) + R"(,"events":[)" + events +
         R"(],"deadline":null)" + more + "}}";
}
std::string done(int id, const std::string& outcome = R"("kind":"value")") {
  return R"({"done":)" + std::to_string(id) + R"(,"outcome":{)" + outcome + "}}";
}
std::string both(const std::string& one, const std::string& other) { return one + "," + other; }
const std::string ended = R"({"ended":{"trial":TRIAL,"left":[]}})";

class caller final : public proxy {
 public:
  caller(trial& t, const talker& with, std::vector<std::string> looks = {})
      : proxy(session::of(t.surroundings(), with.host()), "S", {}, std::move(looks)) {}
  using proxy::arg;
  using proxy::ask;
  using proxy::begin_looking;
  using proxy::call;
  using proxy::call_now;
  using proxy::given;
  using proxy::hand_out;
  using proxy::look_at;
  using proxy::put;
  using proxy::tell;

  std::string heard;

 protected:
  test::asio::awaitable<void> called(std::string name, boost::json::object args) override {
    if (name == "fail") throw contract::operation_error("the callback fails");
    if (name == "sleep") co_await sleep_for_ever();
    if (name == "step") co_await proxy::called(name, std::move(args));
    if (name == "unknown") no_such(name);
    heard += name + " ";
  }
  void told(const std::string& name, const boost::json::object& args) override {
    if (name == "unknown") proxy::told(name, args);
    heard += "told " + name + " ";
  }
};

using scenario_body = std::function<test::asio::awaitable<void>(trial&)>;

trial_result converse(const scenario_body& body) {
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, true);
  return t.run([&] { return body(t); });
}

// Makes a subject, calls `pop`, and lets everything come that comes.
trial_result pop_from(const talker& with, std::string* heard = nullptr) {
  return converse([&](trial& t) -> test::asio::awaitable<void> {
    caller one(t, with);
    auto pop = co_await t.begin("pop", one.call("pop"));
    co_await t.settle();
    if (heard != nullptr) *heard = one.heard;
    if (!pop.done()) pop.cancel();
    co_await t.settle();
    if (pop.done()) (void)pop.what();
  });
}

TEST(testee_session_answers, callbacks_and_tales_reach_the_subject) {
  const talker with(
      {instant(1, done(1)), instant(2),
       instant(3, both(R"({"callback":7,"on":1,"name":"hello"})", R"({"tell":"phase","on":1})")),
       instant(4, done(2)), instant(5), instant(6), ended});
  std::string heard;
  const trial_result seen = pop_from(with, &heard);
  EXPECT_TRUE(seen.passed()) << seen.message;
  EXPECT_EQ(heard, "hello told phase ");
}

TEST(testee_session_answers, a_callback_that_is_asked_to_stop_stops) {
  const talker with({instant(1, done(1)), instant(2), instant(3, R"({"callback":7,"on":1,"name":"sleep"})"),
                     instant(4), instant(5, R"({"cancel":7},{"cancel":8},{"cancel":7})"), instant(6, done(2)),
                     instant(7), instant(8), instant(9), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    caller one(t, with);
    auto pop = co_await t.begin("pop", one.call("pop"));
    co_await t.settle();
    one.call_now("stir");
    co_await t.settle();
    pop.cancel();
    co_await t.settle();
    if (pop.done()) (void)pop.what();
  });
  EXPECT_NE(seen.kind,
            failure_kind::none);  // what matters is that it ends, and says of the testee what it has done
}

TEST(testee_session_answers, what_nobody_asked_for_is_told) {
  const auto breaks = [](const std::string& events) {
    const talker with({instant(1, done(1)), instant(2), instant(3, events), instant(4), instant(5), ended});
    const trial_result seen = pop_from(with);
    EXPECT_EQ(seen.kind, failure_kind::testee);
    return seen.message;
  };
  EXPECT_THAT(breaks(done(99)), HasSubstr("ended 99, which it was not asked for"));
  EXPECT_THAT(breaks(done(0)), HasSubstr("ended 0, which it was not asked for"));
  EXPECT_THAT(breaks(both(done(2), done(2))), HasSubstr("ended 2, which had ended already"));
  EXPECT_THAT(breaks(R"({"callback":7,"on":5,"name":"run"})"),
              HasSubstr("calls 'run' on 5, which is not there"));
  EXPECT_THAT(breaks(R"({"callback":7,"on":1,"name":"sleep"},{"callback":7,"on":1,"name":"sleep"})"),
              HasSubstr("uses the number 7 for two callbacks"));
  EXPECT_THAT(breaks(R"({"callback":7,"on":1,"name":"unknown"})"),
              HasSubstr("calls or tells 'unknown', which the contract does not have"));
  EXPECT_THAT(breaks(R"({"tell":"unknown","on":1})"),
              HasSubstr("calls or tells 'unknown', which the contract does not have"));
  EXPECT_THAT(breaks(R"({"callback":7,"on":1,"name":"step","args":{"step":3}})"),
              HasSubstr("calls the function 3, which is not there"));
  EXPECT_THAT(breaks(R"({"refused":2,"why":"no pop here"})"), HasSubstr("refuses what its contract"));
}

TEST(testee_session_answers, an_error_that_nobody_handled_is_reported) {
  const talker with(
      {instant(1, done(1)), instant(2),
       instant(3, both(R"({"unhandled":{"kind":"error","label":"in the background"}})", done(2))), instant(4),
       instant(5), ended});
  const trial_result seen = pop_from(with);
  EXPECT_TRUE(seen.passed()) << seen.message;
  const std::vector<assay::event> events = seen.events->events();
  EXPECT_TRUE(std::any_of(events.begin(), events.end(), [](const assay::event& one) {
    return one.text == "unhandled error 'in the background'";
  }));
}

TEST(testee_session_answers, deadlines_lie_ahead) {
  const talker with({instant(1, done(1)), instant(2),
                     R"({"instant":{"trial":TRIAL,"number":3,"events":[],"deadline":0}})", instant(4),
                     instant(5), ended});
  EXPECT_THAT(pop_from(with).message,
              HasSubstr("has a deadline at 0 ns when everything until 0 ns has been run"));
}

TEST(testee_session_answers, what_is_left_over_is_named) {
  const talker with({instant(1, done(1)), instant(2), instant(3, done(2)), instant(4), instant(5),
                     R"({"ended":{"trial":TRIAL,"left":["a task","a timer"]}})"});
  EXPECT_THAT(pop_from(with).message, HasSubstr("left over in the testee: a task, a timer"));
}

TEST(testee_session_answers, an_end_that_is_none_breaks_it) {
  const talker with({instant(1, done(1)), instant(2), instant(3, done(2)), instant(4), instant(5),
                     R"({"begun":{"trial":TRIAL}})"});
  EXPECT_THAT(pop_from(with).message, HasSubstr("did not answer with 'ended'"));
}

TEST(testee_session_answers, what_is_gone_is_told_nothing_and_its_callbacks_end_as_cancelled) {
  const std::string late = both(R"({"tell":"phase","on":1})", R"({"callback":7,"on":1,"name":"hello"})");
  const talker with({instant(1, done(1)), instant(2), instant(3, late, R"(,"looked_at":{"1":{"size":1}})"),
                     instant(4), instant(5), ended},
                    R"(,"looks":true)");
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    auto gone = std::make_unique<caller>(t, with, std::vector<std::string>{"size"});
    co_await t.settle();
    gone.reset();
    co_await t.settle();
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

// ---- immediate calls

trial_result ask_after(const std::vector<std::string>& answers) {
  const talker with(answers);
  return converse([&](trial& t) -> test::asio::awaitable<void> {
    caller one(t, with);
    std::string outcome = "a value";
    try {
      (void)one.ask<std::int64_t>("size");
    } catch (const contract::closed_error&) {
      outcome = "closed";
    }
    t.mark(outcome);
    co_await t.settle();
  });
}

TEST(testee_session_immediate, calls_end_at_once_and_as_they_end) {
  const trial_result seen = ask_after({instant(1, done(1)), instant(2, done(2, R"("kind":"closed")")),
                                       instant(3), instant(4), instant(5), ended});
  EXPECT_TRUE(seen.passed()) << seen.message;
}

TEST(testee_session_immediate, calls_may_bring_something_along) {
  const trial_result seen =
      ask_after({instant(1, both(R"({"tell":"made","on":1})", done(1))),
                 instant(2, both(done(2, R"("kind":"value","value":3)"), R"({"tell":"size","on":1})")),
                 instant(3, R"({"tell":"late","on":1})"), instant(4), instant(5), ended});
  EXPECT_TRUE(seen.passed()) << seen.message;
}

TEST(testee_session_immediate, calls_that_are_not_done_break_it) {
  EXPECT_THAT(ask_after({instant(1, done(1)), instant(2), instant(3), ended}).message,
              HasSubstr("has not done what is to be done at once (2)"));
  EXPECT_THAT(ask_after({instant(1, done(1)), instant(2, R"({"refused":2})"), instant(3), ended}).message,
              HasSubstr("refuses what its contract"));
  EXPECT_THAT(ask_after({instant(1, done(1)), instant(2, done(2, R"("kind":"value","value":"many")")),
                         instant(3), ended})
                  .message,
              HasSubstr("sent no integer as 'value'"));
}

TEST(testee_session_immediate, a_subject_that_cannot_be_made_says_so) {
  const talker with({instant(1, done(1, R"("kind":"rejected","label":"too small")")), instant(2), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    std::string why;
    try {
      const caller one(t, with);
    } catch (const contract::rejected_error& refused) {
      why = refused.what();
    }
    t.expect_eq(why, std::string("too small"));
    co_return;
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

// ---- testees that drop, count turns, are seeded, look

TEST(testee_session_traits, of_one_that_drops_replies_come_first) {
  const talker with({instant(1, done(1)), instant(2, R"({"callback":7,"on":1,"name":"hello"})"), instant(3),
                     instant(4, done(2)), instant(5), instant(6), instant(7), instant(8), ended},
                    R"(,"drops":true,"turns":true,"seeded":true)");
  const trial_result seen = pop_from(with);
  EXPECT_NE(seen.kind, failure_kind::livelock) << seen.message;
}

TEST(testee_session_traits, of_one_that_drops_a_cancelled_callback_ends_as_it_would_not) {
  const talker with({instant(1, done(1)), instant(2, R"({"callback":7,"on":1,"name":"sleep"})"),
                     instant(3, R"({"cancel":7})"), instant(4), instant(5), ended},
                    R"(,"drops":true)");
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    const caller one(t, with);
    co_await t.settle();
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

TEST(testee_session_traits, what_is_looked_at_is_there) {
  const talker elsewhere({instant(1, done(1), R"(,"looked_at":{"5":{"size":1}})"), instant(2), ended},
                         R"(,"looks":true)");
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    const caller one(t, elsewhere, {"size"});
    co_return;
  });
  EXPECT_THAT(seen.message, HasSubstr("has looked at 5, which is not there"));
}

// ---- items

TEST(testee_session_items, are_inside_until_they_are_taken_and_come_once) {
  const talker with({instant(1, done(1)), instant(2), instant(3), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    caller one(t, with);
    one.put(t.item(3));
    t.expect_eq(one.look_at(3).id(), 3);
    std::string refused;
    try {
      (void)one.look_at(4);
    } catch (const protocol_error& why) {
      refused = why.what();
    }
    t.expect_eq(refused, std::string("speaks of the item 4, which is not inside"));
    item out = one.arg<item>({{"item", 3}}, "item");
    t.expect_eq(out.id(), 3);
    try {
      (void)one.arg<item>({{"item", 44}}, "item");
    } catch (const adapter_error& why) {
      refused = why.what();
    }
    t.expect_eq(refused, std::string("hands out the item 44, which it was never given"));
    int heard = 0;
    const std::function<void(int)> nobody;
    caller::tell(nobody, 1);
    const std::function<void(int)> somebody = [&heard](int what) { heard = what; };
    caller::tell(somebody, 2);
    t.expect_eq(heard, 2);
    co_return;
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

test::asio::awaitable<void> refuse_item(item&) {
  throw contract::operation_error("not that one");
  co_return;
}
test::asio::awaitable<void> take_item(item&) { co_return; }

TEST(testee_session_items, whose_work_fails_are_inside_again) {
  const talker with({instant(1, done(1)), instant(2), instant(3), ended});
  const trial_result seen = converse([&](trial& t) -> test::asio::awaitable<void> {
    caller one(t, with);
    auto taken = one.hand_out(t.item(3), &take_item);
    co_await std::move(taken);
    std::string why;
    auto failing = one.hand_out(t.item(4), &refuse_item);
    try {
      co_await std::move(failing);
    } catch (const contract::operation_error& failure) {
      why = failure.what();
    }
    t.expect(!why.empty(), "the failure comes out");
    t.expect_eq(one.look_at(4).id(), 4);
    item out = one.arg<item>({{"item", 4}}, "item");
  });
  EXPECT_TRUE(seen.passed()) << seen.message;
}

}  // namespace
}  // namespace assay::testee
