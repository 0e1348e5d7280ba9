// What code under test prints, kept apart: of hundreds of trials a person wants to read the output of one.
#pragma once

#include <string>
#include <string_view>

#include <assay/harness/campaign/system.hpp>

namespace assay {

/// While one lives, what this process and its children write to the standard output and the standard error goes to memory. One at a
/// time, made and destroyed on the thread that runs the trials. Where the machine refuses the memory or the descriptors, all is
/// written as ever.
class quiet_output {
 public:
  quiet_output();
  quiet_output(const quiet_output&) = delete;
  quiet_output& operator=(const quiet_output&) = delete;
  ~quiet_output();

  /// Forgets what was written so far. A system call, if nothing was.
  void drop() noexcept;
  /// What was written since.
  std::string take();

  /// Where a person reads, whoever is quiet. Async-signal-safe.
  static int error_output() noexcept;
  /// Lets the process speak again, now that it is about to end, and says what it has written since it was last dropped: a
  /// sanitizer's report, for one. Async-signal-safe.
  static void speak() noexcept;

 private:
  descriptor kept_;
  descriptor output_;
  descriptor error_;
};

/// The last lines of a text, at most as many as these, each behind `indent`; says how many are left out.
std::string last_lines(std::string_view text, std::size_t most, std::string_view indent);

}  // namespace assay
