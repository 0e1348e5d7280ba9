// Jobs and what they come to, as lines; text that is no UTF-8; how a process ended; settings of tokens.
#include <assay/harness/campaign/job.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>
#include <string>
#include <system_error>

#include <assay/harness/campaign/bare_subject.hpp>
#include <assay/harness/campaign/child_process.hpp>
#include <assay/harness/campaign/forked_trial.hpp>
#include <assay/harness/campaign/last_words.hpp>
#include <assay/harness/campaign/mirror.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/system.hpp>
#include <assay/harness/campaign/utf8.hpp>
#include <assay/harness/choice/token.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(valid_utf8, keeps_every_character_and_marks_every_other_byte) {
  for (const std::string whole :
       {"", "plain", "\u00e9", "\u20ac", "\ud7ff", "\ue000", "\U0001f600", "\U0010ffff"})
    EXPECT_EQ(valid_utf8(whole), whole);
  EXPECT_EQ(valid_utf8("a\x80z"), "a?z");             // in the midst of none
  EXPECT_EQ(valid_utf8("\xc0\x80\xc1\xbf"), "????");  // overlong
  EXPECT_EQ(valid_utf8("\xe0\x9f\xbf"), "???");       // overlong
  EXPECT_EQ(valid_utf8("\xf0\x8f\xbf\xbf"), "????");  // overlong
  EXPECT_EQ(valid_utf8("\xed\xa0\x80"), "???");       // a surrogate
  EXPECT_EQ(valid_utf8("\xf4\x90\x80\x80"), "????");  // beyond the last
  EXPECT_EQ(valid_utf8("\xf5\x80\x80\x80"), "????");  // no beginning
  EXPECT_EQ(valid_utf8("\xe2\x82"), "??");            // cut
  EXPECT_EQ(valid_utf8("\xe2\x82z"), "??z");          // interrupted
  EXPECT_EQ(valid_utf8("\xf0\x9f\x98"
                       "a"),
            "???a");
}

TEST(last_words, say_what_tells_most) {
  last_words said;
  EXPECT_EQ(said.telling(), "");
  said.take("one\n\ntwo\nthr");
  said.take("ee");
  EXPECT_THAT(said.lines(), ElementsAre("one", "two", "three"));
  EXPECT_EQ(said.telling(), "three");
  said.take(" of ERROR: AddressSanitizer\nABORTING\n");
  EXPECT_EQ(said.telling(), "three of ERROR: AddressSanitizer");
}

TEST(last_words, are_bounded) {
  last_words said;
  for (int i = 0; i < 100; ++i) said.take(std::to_string(i) + "\n");
  EXPECT_EQ(said.lines().size(), 20U);
  EXPECT_EQ(said.lines().front(), "80");
  said.take(std::string(100'000, 'x'));
  EXPECT_EQ(said.telling().size(), 4096U);
}

TEST(end_in_words, names_signals_and_statuses) {
  EXPECT_EQ(end_in_words(SIGSEGV), "was ended by SIGSEGV (Segmentation fault)");
  EXPECT_EQ(end_in_words(SIGRTMIN + 1), "was ended by signal " + std::to_string(SIGRTMIN + 1));
  EXPECT_EQ(end_in_words(3 << 8), "ended itself with exit status 3");
}

TEST(jobs, that_name_what_there_is_not_are_refused) {
  const auto refusal = [](const std::string& line) -> std::string {
    try {
      (void)decode_job(line);
    } catch (const std::exception& why) {
      return why.what();
    }
    return "accepted";
  };
  EXPECT_EQ(refusal(R"({"kind":"campaign","scenario":"probe/P-999"})"), "a job names an unknown scenario");
  EXPECT_EQ(refusal(R"({"kind":"campaign","scenario":"probe/P-1","subject":"nobody"})"),
            "a job names an unknown subject");
  EXPECT_NE(refusal("no JSON"), "accepted");
  EXPECT_NE(refusal(R"({"kind":"holiday"})"), "accepted");
  EXPECT_THROW((void)decode_result("{}"), std::exception);
}

std::string refused(const std::string& settings) {
  replay_token token;
  token.settings = settings;
  try {
    (void)settings_of(token);
  } catch (const malformed_token& why) {
    return why.what();
  }
  return "accepted";
}

TEST(settings_of_a_token, are_known_or_refused) {
  for (const std::string known :
       {"", "tier=sim", "tier=io_context,sweep=0", "sweep=1,end=cut", "muted=A-1,muted=B-2", "alloc=3"})
    EXPECT_EQ(refused(known), "accepted") << known;
  EXPECT_EQ(refused("alloc=x"), "the token names no allocation: 'alloc=x'");
  EXPECT_EQ(refused("growth=many"), "the token names no rounds: 'growth=many'");
  EXPECT_EQ(refused("sweep=2"), "the token has a setting that this program does not know: 'sweep=2'");
  EXPECT_EQ(refused(","), "the token has a setting that this program does not know: ''");
}

// ---- processes

TEST(child_processes, hand_back_whatever_they_have_said_and_how_they_ended) {
  child_process talks([] { return std::string(200'000, 'x'); });
  const child_process::end whole = talks.wait();
  EXPECT_TRUE(whole.whole());
  EXPECT_EQ(whole.text.size(), 200'000U);
  child_process silent([] { return std::string(); });
  EXPECT_FALSE(silent.wait().whole());
  child_process killed([]() -> std::string {
    ::raise(SIGKILL);
    return "never";
  });
  const child_process::end gone = killed.wait();
  EXPECT_EQ(gone.text, "");
  EXPECT_TRUE(WIFSIGNALED(gone.status));
}

TEST(child_processes, that_nobody_waits_for_are_ended) {
  const auto sleeping = [] {
    ::pause();
    return std::string("never");
  };
  child_process one(sleeping);
  child_process other(sleeping);
  one = std::move(other);
  child_process third(std::move(one));
  EXPECT_LT(one.reads(), 0);  // NOLINT(bugprone-use-after-move): that nothing is left is what is asked
}

TEST(child_processes, whose_handler_throws_are_not_left_behind) {
  const auto work = [](std::size_t number) {
    if (number > 0) ::pause();
    return std::string("done");
  };
  const auto take = [](std::size_t, const child_process::end&) { throw std::runtime_error("enough"); };
  EXPECT_THROW(run_in_children(4, 3, work, take, [] { return false; }), std::runtime_error);
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
  // At least one at a time, and none once it is to stop.
  std::size_t done = 0;
  run_in_children(
      3, 0, [](std::size_t) { return std::string("done"); },
      [&done](std::size_t, const child_process::end& seen) { done += seen.whole() ? 1 : 0; },
      [&done] { return done == 2; });
  EXPECT_EQ(done, 2U);
}

TEST(machines, refuse_with_the_name_of_the_call) {
  errno = EMFILE;
  try {
    refuse("pipe2");
  } catch (const std::system_error& why) {
    EXPECT_STREQ(why.what(), "pipe2: Too many open files");
  }
  EXPECT_THROW(shared_mirror(-1), std::system_error);
  const pid_t child = fork_child([] {
    const std::array<const char*, 2> arguments = {"nothing", nullptr};
    return execute("/no/such/program", arguments.data());
  });
  EXPECT_EQ(WEXITSTATUS(reap(child)), 127);
}

TEST(mirrors, know_when_work_is_done_and_what_was_chosen) {
  shared_mirror mirror;
  EXPECT_FALSE(mirror.working());
  mirror.work_begins();
  EXPECT_TRUE(mirror.working());
  mirror.trial_begins({tier::io_context, false});
  mirror.phase_begins(std::string(100, 'x'));
  mirror.record({choice_kind::ready, 3, 1});
  const shared_mirror other(mirror.shared());
  EXPECT_EQ(other.trials(), 1U);
  EXPECT_EQ(other.settings().where, tier::io_context);
  EXPECT_FALSE(other.settings().sweep);
  EXPECT_EQ(other.phase(), std::string(63, 'x'));
  EXPECT_EQ(other.choices().size(), 1U);
  mirror.work_ends();
  EXPECT_FALSE(other.working());
}

boost::asio::awaitable<void> mark_much(trial& t, const shared_mirror& mirror) {
  t.mark(std::string(300, 'x'));
  EXPECT_EQ(mirror.current_task(), "scenario");
  co_return;
}

TEST(mirrors, keep_the_last_events_of_a_trial) {
  fifo_source source;
  choice_stream choices(source);
  shared_mirror mirror;
  EXPECT_EQ(mirror.where(), shared_mirror::stage::none);
  trial_settings settings;
  settings.mirror = &mirror;
  {
    trial t(choices, settings, false);
    EXPECT_EQ(mirror.where(), shared_mirror::stage::running);
    EXPECT_EQ(mirror.current_task(), "the subject");
    const trial_result seen = t.run([&] { return mark_much(t, mirror); });
    EXPECT_TRUE(seen.events);  // as the mirror has them, but for what is too long
    EXPECT_EQ(mirror.where(), shared_mirror::stage::going);
  }
  EXPECT_EQ(mirror.where(), shared_mirror::stage::none);
  const shared_mirror other(mirror.shared());
  const std::vector<event> seen = other.last_events().events();
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen[0].kind, event_kind::mark);
  EXPECT_EQ(seen[0].text, std::string(228, 'x') + "...");
  // Of too many, the last.
  const std::uint64_t before = mirror.events();
  for (std::uint64_t i = 0; i < shared_mirror::events_max; ++i)
    mirror.record(std::chrono::seconds(1), 0, event_kind::mark, std::to_string(i));
  const std::vector<event> last = other.last_events().events();
  ASSERT_EQ(last.size(), shared_mirror::events_max + 1);
  EXPECT_EQ(last[0].text, "the " + std::to_string(before) + " events before are not kept");
  EXPECT_EQ(last[1].text, "0");
  EXPECT_EQ(last.back().text, std::to_string(shared_mirror::events_max - 1));
  // Tasks have names, but for too many.
  for (int i = 0; i < 1100; ++i) mirror.record(std::chrono::seconds(1), 0, event_kind::start, "one more");
  EXPECT_EQ(other.last_events().events().back().text, "one more");
}

}  // namespace
}  // namespace assay
