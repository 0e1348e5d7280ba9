// The last words of a process that ends in the midst of a trial: where the trial was, its last events, its token.
#pragma once

#include <signal.h>
#include <sys/types.h>

#include <array>
#include <cstddef>
#include <string>

#include <assay/harness/campaign/mirror.hpp>

namespace assay {

/// While one lives, the process does not end in the midst of a trial without a word, be it by a signal that a fault or abort()
/// raises, or by a sanitizer. What is said comes from the mirror, which must be told of the trials. Then the signal goes its way,
/// to whoever had it before (a sanitizer, or the default).
///
/// On the thread that runs the trials; in a child that is forked to run one, another takes its place. A child that somebody
/// else forks says nothing.
class sudden_end_guard {
 public:
  /// Says it on stderr, for the test of this name, whose tokens begin with `token_head` (see encode_head).
  sudden_end_guard(shared_mirror& mirror, std::string test, std::string token_head);
  /// Notes it in the mirror only, for the parent.
  explicit sudden_end_guard(shared_mirror& mirror);
  sudden_end_guard(const sudden_end_guard&) = delete;
  sudden_end_guard& operator=(const sudden_end_guard&) = delete;
  ~sudden_end_guard();

 private:
  struct handler;  // async-signal-safe, all of it
  static constexpr std::array<int, 5> signals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

  shared_mirror& mirror_;
  const std::string test_;
  const std::string token_head_;  // empty: nothing is said on stderr
  const pid_t process_;
  sudden_end_guard* outer_ = nullptr;  // of the parent
  std::array<struct sigaction, signals.size()> before_{};
  bool owns_stack_ = false;
};

}  // namespace assay
