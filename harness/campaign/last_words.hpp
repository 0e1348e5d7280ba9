// What a process wrote to its standard error last, and how it ended, in words for a verdict.
#pragma once

#include <deque>
#include <string>
#include <string_view>

namespace assay {

class last_words {
 public:
  /// Takes what was read. Lines that are not ended yet count, too.
  void take(std::string_view text);
  /// The last lines, the oldest first; valid UTF-8.
  std::deque<std::string> lines() const;
  /// The line that says most: a sanitizer's headline or an assertion, else the last one; empty if there is none.
  std::string telling() const;

 private:
  std::deque<std::string> lines_;
  std::string rest_;
};

/// "was ended by SIGSEGV (Segmentation fault)", "ended itself with exit status 3"; of a status as waitpid tells it.
std::string end_in_words(int status);

}  // namespace assay
