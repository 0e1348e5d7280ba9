// A testee that is gone, at every byte of a conversation; and what it may leave undone on its way.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>
#include <chrono>
#include <string>
#include <vector>

#include <assay/harness/testee/host.hpp>
#include <assay/harness/testee/message.hpp>
#include <assay/harness/testee/process.hpp>
#include <assay/harness/testee/proxy.hpp>
#include <assay/harness/testee/session.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::testee {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

/// One that answers a line each with these, and ends after so many bytes: a shell, whose own commands are all that it needs.
class cut_off {
 public:
  cut_off(const std::vector<std::string>& answers, std::size_t bytes) {
    host_.line = answers.front();
    host_.said = read_hello(host_.line);
    for (const std::string& answer : answers) {
      const std::string line = answer + "\n";
      const std::string told = line.substr(0, bytes);
      bytes -= told.size();
      host_.how.command += "read -r line; printf '%s' '" + told + "'; ";
      if (bytes == 0) break;
    }
    host_.how.command += "exit 0";
  }
  cut_off(const cut_off&) = delete;
  cut_off& operator=(const cut_off&) = delete;
  ~cut_off() { discard(host_); }
  const known_testee& host() const noexcept { return host_; }

 private:
  known_testee host_;
};

class caller final : public proxy {
 public:
  caller(trial& t, const cut_off& with) : proxy(session::of(t.surroundings(), with.host()), "S", {}) {}
  using proxy::call;
};

trial_result converse(const cut_off& with) {
  fifo_source source;
  choice_stream choices(source);
  trial t(choices, {}, false);
  return t.run([&]() -> test::asio::awaitable<void> {
    return [](trial& of, const cut_off& testee) -> test::asio::awaitable<void> {
      caller one(of, testee);
      co_await one.call("pop");
    }(t, with);
  });
}

std::vector<std::string> conversation() {
  const std::string trial = std::to_string(next_trial() + 1);
  const auto instant = [&trial](int number, const std::string& events) {
    return R"({"instant":{"trial":)" + trial + R"(,"number":)" + std::to_string(number) + R"(,"events":[)" +
           events + R"(],"deadline":null}})";
  };
  const auto done = [](int id) {
    return R"({"done":)" + std::to_string(id) + R"(,"outcome":{"kind":"value"}})";
  };
  return {R"({"hello":{"protocol":2,"name":"n","language":"L","subjects":[{"name":"S","contract":"c"}]}})",
          R"({"begun":{"trial":)" + trial + "}}",
          instant(1, done(1)),
          instant(2, done(2)),
          instant(3, ""),
          instant(4, ""),
          R"({"ended":{"trial":)" + trial + R"(,"left":[]}})"};
}

std::size_t bytes_of(const std::vector<std::string>& answers) {
  std::size_t bytes = 0;
  for (const std::string& one : answers) bytes += one.size() + 1;
  return bytes;
}

TEST(testee_gone, after_every_byte_is_an_error_that_says_how_it_ended) {
  const std::size_t bytes = bytes_of(conversation());
  for (std::size_t cut = 1; cut < bytes; ++cut) {
    const std::vector<std::string> answers = conversation();
    if (bytes_of(answers) != bytes) continue;  // the number of the trial has got another digit
    const cut_off testee(answers, cut);
    const trial_result seen = converse(testee);
    ASSERT_EQ(seen.kind, failure_kind::testee) << cut << ": " << seen.message;
    ASSERT_THAT(seen.message, HasSubstr("the testee 'n' ended itself with exit status 0")) << cut;
  }
  const std::vector<std::string> whole = conversation();
  const cut_off testee(whole, bytes_of(whole));
  EXPECT_TRUE(converse(testee).passed());
}

TEST(testee_gone, in_the_midst_of_a_line_is_said) {
  const std::vector<std::string> answers = conversation();
  const cut_off testee(answers, answers[0].size() + 5);
  EXPECT_THAT(converse(testee).message, HasSubstr("in the midst of a line"));
}

TEST(testee_gone, what_it_has_left_of_its_own_is_killed_with_it) {
  {
    process stays("trap '' TERM; sleep 600 & echo here; wait", "", 10s);
    EXPECT_EQ(stays.exchange("hello"), "here");
  }  // it does not end when its input is closed
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

std::string complaint(process& of, const std::string& line = "hello") {
  try {
    return "it answered " + of.exchange(line);
  } catch (const protocol_error& reason) {
    return reason.what();
  }
}

TEST(testee_gone, who_closes_its_output_or_hangs_is_told_apart_from_who_ends) {
  process closed("exec >&-; sleep 600", "", 10s);
  EXPECT_EQ(complaint(closed), "closed its output");
  process hanging("echo waiting >&2; sleep 600", "", 300ms);
  EXPECT_EQ(complaint(hanging), "hangs: it has not answered for 300 ms of real time; its stderr: waiting");
  // One that reads nothing hangs as well, in the midst of being written to.
  process deaf("sleep 600", "", 300ms);
  EXPECT_EQ(complaint(deaf, std::string(1'000'000, 'x')),
            "hangs: it has not answered for 300 ms of real time");
}

TEST(testee_gone, who_closes_its_standard_error_goes_on) {
  process quiet("exec 2>&-; read -r line; sleep 0.05; echo there", "", 10s);
  EXPECT_EQ(quiet.exchange("hello"), "there");
}

TEST(testee_gone, who_talks_unasked_or_without_end_is_told) {
  process talker("read -r line; printf 'one\\ntwo\\n'; sleep 600", "", 10s);
  EXPECT_EQ(talker.exchange("hello"), "one");
  EXPECT_EQ(complaint(talker), "wrote a line that nobody had asked for: 'two\n'");
  process endless("while true; do printf '%65536s' x; done", "", 60s);
  EXPECT_THAT(complaint(endless), HasSubstr("writes a line without end (16 MiB so far)"));
}

}  // namespace
}  // namespace assay::testee
