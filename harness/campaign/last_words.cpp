#include <assay/harness/campaign/last_words.hpp>

#include <sys/wait.h>

#include <cstring>

#include <assay/harness/campaign/utf8.hpp>

namespace assay {

namespace {

constexpr std::size_t lines_max = 20;
constexpr std::size_t line_bytes_max = 4096;

}  // namespace

void last_words::take(std::string_view text) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    rest_ += text.substr(0, end);
    if (rest_.size() > line_bytes_max) rest_.resize(line_bytes_max);
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
    if (!rest_.empty()) lines_.push_back(valid_utf8(rest_));
    rest_.clear();
    if (lines_.size() > lines_max) lines_.pop_front();
  }
}

std::deque<std::string> last_words::lines() const {
  std::deque<std::string> all = lines_;
  if (!rest_.empty()) all.push_back(valid_utf8(rest_));
  return all;
}

std::string last_words::telling() const {
  const std::deque<std::string> all = lines();
  for (const std::string& line : all) {
    for (const std::string_view mark :
         {"ERROR: ", "WARNING: ThreadSanitizer", "runtime error: ", "Assertion", "what():"}) {
      if (line.find(mark) != std::string::npos) return line;
    }
  }
  return all.empty() ? std::string() : all.back();
}

std::string end_in_words(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const char* const name = ::sigabbrev_np(signal);
    const char* const text = ::sigdescr_np(signal);
    return "was ended by " +
           (name == nullptr ? "signal " + std::to_string(signal) : "SIG" + std::string(name)) +
           (text == nullptr ? "" : " (" + std::string(text) + ")");
  }
  return "ended itself with exit status " + std::to_string(WEXITSTATUS(status));
}

}  // namespace assay
