#include <assay/harness/campaign/system.hpp>

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>

// Present in a coverage build only, which writes what it has counted when a process ends in an orderly way. What is written
// is added to what the file has, so it must not be counted again.
// NOLINTBEGIN(bugprone-reserved-identifier): the names are the runtime's
extern "C" int __llvm_profile_write_file() __attribute__((weak));
extern "C" void __llvm_profile_reset_counters() __attribute__((weak));
// NOLINTEND(bugprone-reserved-identifier)

namespace assay {

namespace {

// The child must not unwind into what its parent was doing.
[[noreturn]] void run_and_end(const std::function<int()>& inside) noexcept { end_process(inside()); }

}  // namespace

void keep_counters() noexcept {
  if (&__llvm_profile_write_file == nullptr) return;
  (void)__llvm_profile_write_file();
  __llvm_profile_reset_counters();
}

std::filesystem::path program_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

void refuse(const char* call) { throw std::system_error(errno, std::generic_category(), call); }

void descriptor::close() noexcept {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

pipe_ends make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) refuse("pipe2");
  return {descriptor(ends[0]), descriptor(ends[1])};
}

bool write_all(int fd, std::string_view text) noexcept {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

pid_t fork_child(const std::function<int()>& inside) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) refuse("fork");
  if (child > 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever is killed leaves nobody behind
  if (::getppid() != parent) end_process(127);
  run_and_end(inside);
}

int execute(const char* path, const char* const* arguments) noexcept {
  keep_counters();
  ::execv(path, const_cast<char* const*>(arguments));
  ::perror(path);
  return 127;
}

int reap(pid_t child) noexcept {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

void end_process(int status) noexcept {
  keep_counters();
  ::_exit(status);
}

}  // namespace assay
