// Calls of the system that fail when a test wants them to: loaded before everything else (LD_PRELOAD), and told by the
// environment which call, of which process, and how.
//
//   ASSAY_FAIL_PROGRAM  the program whose processes are concerned; others (testees, shells) are left alone
//   ASSAY_FAIL_CALL     the function: "read"
//   ASSAY_FAIL_IN       the processes: "parent" (whoever is started from outside), "worker" (whose first argument says so), or
//                       "fork" (what has been forked and is not executed anew)
//   ASSAY_FAIL_NUMBER   the n-th of these calls, counted over all of these processes; 0: none. "3+": all from there on
//   ASSAY_FAIL_HOW      an errno as a number; or "short" (one byte instead of many), "lie" (the call returns 1), "kill"
//                       (the process is ended by SIGKILL instead), "kill_half" (after half of the bytes were written)
//   ASSAY_FAIL_COUNT    a file of 8 bytes: how many calls there were, and how many of them have failed
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace {

struct counts {
  std::atomic<std::uint32_t> calls;
  std::atomic<std::uint32_t> failed;
};

class plan {
 public:
  plan() {
    const char* const program = std::getenv("ASSAY_FAIL_PROGRAM");
    char self[PATH_MAX] = {};
    (void)!::readlink("/proc/self/exe", self, sizeof self - 1);
    if (program == nullptr || std::string_view(program) != self) return;
    call_ = variable("ASSAY_FAIL_CALL");
    where_ = variable("ASSAY_FAIL_IN");
    const std::string_view how = variable("ASSAY_FAIL_HOW");
    shortened_ = how == "short";
    lies_ = how == "lie";
    kills_ = how.starts_with("kill");
    halves_ = how == "kill_half";
    error_ = std::atoi(how.data());
    const std::string_view number = variable("ASSAY_FAIL_NUMBER");
    number_ = static_cast<std::uint32_t>(std::atoi(number.data()));
    for_good_ = number.ends_with('+');
    process_ = ::getpid();
    is_worker_ = first_argument() == "worker";
    // By number, since the functions are those below.
    const long file =
        ::syscall(SYS_openat, AT_FDCWD, variable("ASSAY_FAIL_COUNT").data(), O_RDWR | O_CLOEXEC);
    const long memory = ::syscall(SYS_mmap, nullptr, sizeof(counts), long{PROT_READ | PROT_WRITE},
                                  long{MAP_SHARED}, file, 0L);
    ::syscall(SYS_close, file);
    if (memory > 0) counts_ = reinterpret_cast<counts*>(memory);
  }

  // Whether this call is to fail.
  bool fails(std::string_view call) noexcept {
    if (counts_ == nullptr || call != call_ || where_ != here() || ended_) return false;
    if (!heard_) {
      // What is written when a program ends, by the profile of a coverage build for one, is no business of the test.
      heard_ = true;
      std::atexit([] { instance().ended_ = true; });
    }
    const std::uint32_t number = ++counts_->calls;
    const bool fails = number_ != 0 && (number == number_ || (for_good_ && number > number_));
    if (!fails) return false;
    ++counts_->failed;
    if (kills_ && !halves_) ::kill(::getpid(), SIGKILL);
    errno = error_;
    return true;
  }
  bool shortened() const noexcept { return shortened_; }
  bool halves() const noexcept { return halves_; }
  int result() const noexcept { return lies_ ? 1 : -1; }

  static plan& instance() {
    static plan the;
    return the;
  }

 private:
  static std::string_view variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
  }
  static std::string_view first_argument() {
    static char line[4096] = {};
    const long file = ::syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    (void)!::syscall(SYS_read, file, line, sizeof line - 1);
    ::syscall(SYS_close, file);
    return line + std::strlen(line) + 1;
  }
  std::string_view here() const noexcept {
    if (::getpid() != process_) return "fork";
    return is_worker_ ? "worker" : "parent";
  }

  counts* counts_ = nullptr;
  std::string_view call_;
  std::string_view where_;
  std::uint32_t number_ = 0;
  bool for_good_ = false;
  bool shortened_ = false;
  bool lies_ = false;
  bool kills_ = false;
  bool halves_ = false;
  int error_ = 0;
  pid_t process_ = 0;
  bool is_worker_ = false;
  bool heard_ = false;
  bool ended_ = false;
};

template <class Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

std::size_t cut(std::size_t count) noexcept { return count > 1 ? 1 : count; }

}  // namespace

extern "C" {

pid_t fork() {
  if (plan::instance().fails("fork")) return -1;
  return next<pid_t()>("fork")();
}

pid_t getppid() noexcept {
  if (plan::instance().fails("getppid")) return 1;
  return next<pid_t()>("getppid")();
}

int pipe2(int* ends, int flags) noexcept {
  if (plan::instance().fails("pipe2")) return -1;
  return next<int(int*, int)>("pipe2")(ends, flags);
}

int socketpair(int domain, int type, int protocol, int* ends) noexcept {
  if (plan::instance().fails("socketpair")) return -1;
  return next<int(int, int, int, int*)>("socketpair")(domain, type, protocol, ends);
}

int memfd_create(const char* name, unsigned flags) noexcept {
  if (plan::instance().fails("memfd_create")) return -1;
  return next<int(const char*, unsigned)>("memfd_create")(name, flags);
}

int ftruncate(int file, off_t size) noexcept {
  if (plan::instance().fails("ftruncate")) return -1;
  return next<int(int, off_t)>("ftruncate")(file, size);
}

void* mmap(void* at, std::size_t size, int protection, int flags, int file, off_t offset) noexcept {
  if (plan::instance().fails("mmap")) return MAP_FAILED;
  return next<void*(void*, std::size_t, int, int, int, off_t)>("mmap")(at, size, protection, flags, file,
                                                                       offset);
}

ssize_t read(int file, void* into, std::size_t count) {
  plan& mine = plan::instance();
  const bool fails = mine.fails("read");
  if (fails && !mine.shortened()) return mine.result();
  return next<ssize_t(int, void*, std::size_t)>("read")(file, into, fails ? cut(count) : count);
}

ssize_t write(int file, const void* from, std::size_t count) {
  plan& mine = plan::instance();
  const bool fails = mine.fails("write");
  const auto write_on = next<ssize_t(int, const void*, std::size_t)>("write");
  if (!fails) return write_on(file, from, count);
  if (mine.halves()) {
    (void)!write_on(file, from, count / 2);
    ::kill(::getpid(), SIGKILL);
  }
  return mine.shortened() ? write_on(file, from, cut(count)) : mine.result();
}

ssize_t send(int socket, const void* from, std::size_t count, int flags) {
  plan& mine = plan::instance();
  const bool fails = mine.fails("send");
  const auto send_on = next<ssize_t(int, const void*, std::size_t, int)>("send");
  if (!fails) return send_on(socket, from, count, flags);
  if (mine.halves()) {
    (void)!send_on(socket, from, count / 2, flags);
    ::kill(::getpid(), SIGKILL);
  }
  return mine.shortened() ? send_on(socket, from, cut(count), flags) : mine.result();
}

int poll(pollfd* all, nfds_t count, int timeout) {
  if (plan::instance().fails("poll")) return -1;
  return next<int(pollfd*, nfds_t, int)>("poll")(all, count, timeout);
}

int ppoll(pollfd* all, nfds_t count, const timespec* timeout, const sigset_t* mask) {
  if (plan::instance().fails("ppoll")) return -1;
  return next<int(pollfd*, nfds_t, const timespec*, const sigset_t*)>("ppoll")(all, count, timeout, mask);
}

pid_t waitpid(pid_t process, int* status, int options) {
  if (plan::instance().fails("waitpid")) return -1;
  return next<pid_t(pid_t, int*, int)>("waitpid")(process, status, options);
}

int open(const char* path, int flags, ...) {
  if (plan::instance().fails("open")) return -1;
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return next<int(const char*, int, ...)>("open")(path, flags, mode);
}

int close(int file) {
  // As file systems do that write late: it is closed all the same.
  const bool fails = plan::instance().fails("close");
  const int error = errno;
  const int closed = next<int(int)>("close")(file);
  if (!fails) return closed;
  errno = error;
  return -1;
}

int dup(int file) noexcept {
  if (plan::instance().fails("dup")) return -1;
  return next<int(int)>("dup")(file);
}

int rename(const char* from, const char* to) noexcept {
  if (plan::instance().fails("rename")) return -1;
  return next<int(const char*, const char*)>("rename")(from, to);
}

int execv(const char* path, char* const* arguments) noexcept {
  if (plan::instance().fails("execv")) return -1;
  return next<int(const char*, char* const*)>("execv")(path, arguments);
}

}  // extern "C"
