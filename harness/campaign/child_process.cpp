#include <assay/harness/campaign/child_process.hpp>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

namespace {

std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (true) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) refuse("read of what a child process came to");
    if (count == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace

child_process::child_process(const std::function<std::string()>& work) {
  pipe_ends result = make_pipe();
  process_ = fork_child([&] {
    result.reads.close();
    return write_all(result.writes.get(), work()) ? 0 : 1;
  });
  reads_ = std::move(result.reads);
}

child_process::child_process(child_process&& other) noexcept
    : process_(std::exchange(other.process_, -1)), reads_(std::move(other.reads_)) {}

child_process& child_process::operator=(child_process&& other) noexcept {
  std::swap(process_, other.process_);
  std::swap(reads_, other.reads_);
  return *this;
}

child_process::~child_process() { give_up(); }

void child_process::give_up() noexcept {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  reap(std::exchange(process_, -1));
}

child_process::end child_process::wait() {
  end seen;
  seen.text = read_all(reads_.get());
  reads_.close();
  seen.status = reap(std::exchange(process_, -1));
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
  for (const running_child& one : running) watched.push_back({one.process.reads(), POLLIN, 0});
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
