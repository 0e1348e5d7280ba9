// The last words of a process that ends in the midst of a trial: where the trial was, its last events, its token.
#pragma once

#include <signal.h>
#include <sys/types.h>
#include <time.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>

#include <assay/harness/campaign/mirror.hpp>

namespace assay {

/// While one lives, the process does not end in the midst of a trial without a word, be it by a signal that a fault or abort()
/// raises, or by a sanitizer; and a hang ends it, with a word and SIGABRT. A hang is a turn that has not ended after `hang_after`
/// of real time, or a trial after four times as long; zero allows all the time in the world. What is said comes from the mirror,
/// which must be told of the trials. Then the signal goes its way, to whoever had it before (a sanitizer, or the default).
///
/// On the thread that runs the trials; in a child that is forked to run one, another takes its place. A child that
/// somebody else forks says nothing.
class sudden_end_guard {
 public:
  /// Says it on stderr, for the test of this name, whose tokens begin with `token_head` (see encode_head).
  sudden_end_guard(shared_mirror& mirror, std::chrono::seconds hang_after, std::string test,
                   std::string token_head);
  /// Notes it in the mirror only, for the parent.
  sudden_end_guard(shared_mirror& mirror, std::chrono::seconds hang_after);
  sudden_end_guard(const sudden_end_guard&) = delete;
  sudden_end_guard& operator=(const sudden_end_guard&) = delete;
  ~sudden_end_guard();

 private:
  struct handler;  // async-signal-safe, all of it
  static constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

  void begin_ticking();

  shared_mirror& mirror_;
  const std::chrono::seconds hang_after_;
  const std::string test_;
  const std::string token_head_;  // empty: nothing is said on stderr
  const pid_t process_;
  sudden_end_guard* outer_ = nullptr;  // of the parent
  std::array<struct sigaction, signals.size()> before_{};
  bool owns_stack_ = false;
  bool ticks_ = false;
  timer_t timer_{};
  struct sigaction before_tick_{};
  // What the last tick has seen, and how many have seen the same.
  std::uint64_t trials_ = 0;
  std::uint64_t events_ = 0;
  std::uint32_t ticks_of_turn_ = 0;
  std::uint32_t ticks_of_trial_ = 0;
};

}  // namespace assay
