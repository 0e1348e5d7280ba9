// What the harness asks of the machine: descriptors, pipes, other processes. A refusal is a std::system_error that names the
// call, and nothing stays open or running behind one.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <functional>
#include <string_view>
#include <utility>

namespace assay {

/// Throws std::system_error: this call, and what errno says of it.
[[noreturn]] void refuse(const char* call);

/// A descriptor that is closed when it goes.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int number) noexcept : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  descriptor(const descriptor&) = delete;
  descriptor& operator=(const descriptor&) = delete;
  ~descriptor() { close(); }

  /// Negative if there is none, which `poll` passes over.
  int get() const noexcept { return number_; }
  void close() noexcept;

 private:
  int number_ = -1;
};

/// Two ends that a program which is executed does not have.
struct pipe_ends {
  descriptor reads;
  descriptor writes;
};
pipe_ends make_pipe();

/// False if it could not be written to its end; errno says why. Async-signal-safe.
bool write_all(int fd, std::string_view text) noexcept;

/// A forked child that does this and ends with the status that it returns, or with its parent. The process must be
/// single-threaded. An exception that leaves `inside` ends the child as it ends any process.
pid_t fork_child(const std::function<int()>& inside);
/// Becomes `path` with these arguments, the last of them null; where that fails, says so on stderr and returns 127. Calls
/// nothing that is not async-signal-safe as long as it does not fail.
int execute(const char* path, const char* const* arguments) noexcept;
/// Waits for the end of a child; its status, as waitpid tells it.
int reap(pid_t child) noexcept;

/// The folder that the program's own file is in. Throws std::filesystem::filesystem_error if the machine does not tell.
std::filesystem::path program_folder();

/// Ends the process at once, as `_exit` does. What a coverage build has counted is kept.
[[noreturn]] void end_process(int status) noexcept;
/// Keeps what a coverage build has counted so far, where the end of the process may be a signal; nothing in other builds.
void keep_counters() noexcept;

}  // namespace assay
