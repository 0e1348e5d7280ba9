// A testee's process, and lines to and from it. Every wait has a patience in real time.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <string_view>

#include <assay/harness/campaign/last_words.hpp>
#include <assay/harness/campaign/system.hpp>

namespace assay::testee {

class process {
 public:
  using nanoseconds = std::chrono::nanoseconds;

  /// Starts `sh -c COMMAND` in this folder (empty: the current one). Throws std::system_error if the machine refuses.
  process(const std::string& command, const std::string& folder, nanoseconds patience);
  process(const process&) = delete;
  process& operator=(const process&) = delete;
  /// Closes its input, so that it may end by itself, and kills it unless it does so at once.
  ~process();

  /// Sends a line and returns the answer, without its end. Throws protocol_error that says how the process ended, or
  /// that it hangs, closed its output, or writes a line without end; with its last words. So it does for a call of this
  /// process's own that fails, which it names.
  std::string exchange(std::string line);

 private:
  void send(std::string_view line, nanoseconds until);
  /// Waits until something can be read, or written if `writing`; keeps what comes. Throws as exchange.
  void wait(bool writing, nanoseconds until);
  bool read_output();
  void read_errors();
  [[noreturn]] void complain(const std::string& what);
  [[noreturn]] void complain_of_call(const char* call);
  [[noreturn]] void complain_of_end();

  nanoseconds patience_;
  pid_t process_ = -1;
  descriptor input_;   // the testee's, written here
  descriptor output_;  // the testee's, read here
  descriptor errors_;
  std::string received_;
  std::size_t searched_ = 0;  // of `received_`, in vain for the end of a line
  last_words words_;
};

}  // namespace assay::testee
