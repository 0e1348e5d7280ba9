#include <assay/harness/campaign/child_process.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

namespace assay {

namespace {

[[noreturn]] void refuse(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

void write_all(int fd, const std::string& text) {
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(fd, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;  // the parent sees the result cut and says so
    written += static_cast<std::size_t>(count);
  }
}

std::string read_all(int fd) {
  std::string text;
  char buffer[4096];
  while (true) {
    const ssize_t count = ::read(fd, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return text;
    text.append(buffer, static_cast<std::size_t>(count));
  }
}

// The child must not unwind into what its parent was doing.
[[noreturn]] void run_and_end(int writes, const std::function<std::string()>& work) noexcept {
  write_all(writes, work());
  ::_exit(0);
}

}  // namespace

child_process::child_process(const std::function<std::string()>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) refuse("a pipe for a child process");
  reads_ = ends[0];
  const pid_t parent = ::getpid();
  process_ = ::fork();
  if (process_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // whoever is killed leaves nobody behind
    if (::getppid() != parent) ::_exit(1);
    ::close(ends[0]);
    run_and_end(ends[1], work);
  }
  const int failure = errno;
  ::close(ends[1]);
  if (process_ > 0) return;
  ::close(ends[0]);
  errno = failure;
  refuse("fork of a child process");
}

child_process::child_process(child_process&& other) noexcept
    : process_(std::exchange(other.process_, -1)), reads_(std::exchange(other.reads_, -1)) {}

child_process& child_process::operator=(child_process&& other) noexcept {
  if (this != &other) {
    give_up();
    process_ = std::exchange(other.process_, -1);
    reads_ = std::exchange(other.reads_, -1);
  }
  return *this;
}

child_process::~child_process() { give_up(); }

void child_process::give_up() noexcept {
  if (reads_ >= 0) ::close(std::exchange(reads_, -1));
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  reap();
}

int child_process::reap() noexcept {
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
  return status;
}

child_process::end child_process::wait() {
  end seen;
  seen.text = read_all(reads_);
  ::close(std::exchange(reads_, -1));
  seen.status = reap();
  return seen;
}

namespace {

struct running_child {
  std::size_t number = 0;
  child_process process;
};

// Interruptions come only where they are waited for: one that came between a look at it and the wait would be slept over.
class held_signals {
 public:
  held_signals() {
    sigset_t both;
    ::sigemptyset(&both);
    ::sigaddset(&both, SIGINT);
    ::sigaddset(&both, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &both, &before_);
  }
  held_signals(const held_signals&) = delete;
  held_signals& operator=(const held_signals&) = delete;
  ~held_signals() { let_through(); }
  void let_through() const noexcept { ::sigprocmask(SIG_SETMASK, &before_, nullptr); }
  const sigset_t& before() const noexcept { return before_; }

 private:
  sigset_t before_{};
};

// The first whose work is done, or who has ended without having done it; nobody if a signal came first.
std::vector<running_child>::iterator wait_for_any(std::vector<running_child>& running,
                                                  const held_signals& held) {
  std::vector<pollfd> watched;
  watched.reserve(running.size());
  for (const running_child& one : running) watched.push_back({one.process.descriptor(), POLLIN, 0});
  if (::ppoll(watched.data(), watched.size(), nullptr, &held.before()) < 0) {
    if (errno != EINTR) refuse("ppoll");
    return running.end();
  }
  const auto ready =
      std::find_if(watched.begin(), watched.end(), [](const pollfd& one) { return one.revents != 0; });
  return running.begin() + (ready - watched.begin());
}

}  // namespace

void run_in_children(std::size_t count, unsigned processes,
                     const std::function<std::string(std::size_t)>& work,
                     const std::function<void(std::size_t, const child_process::end&)>& done,
                     const std::function<bool()>& stop) {
  const held_signals held;
  std::vector<running_child> running;  // whatever is thrown here, none of them is left behind
  std::size_t next = 0;
  while ((next < count || !running.empty()) && !stop()) {
    while (next < count && running.size() < std::max(processes, 1U)) {
      running.push_back({next, child_process([&] {
                           held.let_through();
                           return work(next);
                         })});
      ++next;
    }
    const auto one = wait_for_any(running, held);
    if (one == running.end()) continue;
    const std::size_t number = one->number;
    const child_process::end seen = one->process.wait();
    running.erase(one);
    done(number, seen);
  }
}

}  // namespace assay
