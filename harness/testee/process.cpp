#include <assay/harness/testee/process.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>

#include <assay/harness/sim/clock.hpp>
#include <assay/harness/testee/message.hpp>

namespace assay::testee {

namespace {

constexpr std::chrono::nanoseconds parting_patience = std::chrono::milliseconds(200);

[[noreturn]] void refuse(const char* what) { throw std::system_error(errno, std::generic_category(), what); }

int milliseconds_until(std::chrono::nanoseconds until) {
  const std::chrono::nanoseconds left = until - real_time();
  return static_cast<int>(std::max<std::int64_t>(left.count() / 1'000'000 + 1, 0));
}

// A shell that stays between this process and the testee would hide how that one ended, and keep its output open. What is
// more than one plain command needs it.
std::string for_shell(const std::string& command) {
  return command.find_first_of(";&|<>()\n") == std::string::npos ? "exec " + command : command;
}

}  // namespace

process::process(const std::string& command, const std::string& folder, nanoseconds patience)
    : patience_(patience) {
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  std::array<int, 2> err{};
  if (::pipe2(in.data(), O_CLOEXEC) != 0) refuse("pipe2");
  if (::pipe2(out.data(), O_CLOEXEC) != 0) refuse("pipe2");
  if (::pipe2(err.data(), O_CLOEXEC) != 0) refuse("pipe2");
  const pid_t parent = ::getpid();
  const std::string text = for_shell(command);
  process_ = ::fork();
  if (process_ < 0) refuse("fork");
  if (process_ == 0) {
    // Only async-signal-safe calls from here to exec. A testee does not outlive its parent, and a process group of its own
    // lets all be killed that it has started.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);
    ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGINT, SIG_IGN);  // the parent decides when to stop
    ::dup2(in[0], STDIN_FILENO);
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    if (!folder.empty() && ::chdir(folder.c_str()) != 0) {
      ::perror(folder.c_str());
      ::_exit(127);
    }
    ::execl("/bin/sh", "sh", "-c", text.c_str(), nullptr);
    ::_exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  ::close(err[1]);
  input_ = in[1];
  output_ = out[0];
  errors_ = err[0];
  for (const int one : {input_, output_, errors_}) ::fcntl(one, F_SETFL, O_NONBLOCK);
}

process::~process() {
  ::close(input_);
  ::close(output_);
  const nanoseconds until = real_time() + parting_patience;
  int status = 0;
  while (process_ > 0 && ::waitpid(process_, &status, WNOHANG) == 0) {
    if (real_time() > until) {
      ::kill(-process_, SIGKILL);
      ::kill(process_, SIGKILL);
      while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
      }
      break;
    }
    pollfd ending{errors_, POLLIN, 0};
    ::poll(&ending, 1, 5);
    read_errors();
  }
  ::close(errors_);
}

std::string process::exchange(std::string line) {
  line += '\n';
  const nanoseconds until = real_time() + patience_;
  if (!received_.empty())
    complain("wrote a line that nobody had asked for: '" + received_.substr(0, 80) + "'");
  send(line, until);
  while (true) {
    const std::size_t end = received_.find('\n', searched_);
    if (end != std::string::npos) {
      std::string answer = received_.substr(0, end);
      received_.erase(0, end + 1);
      searched_ = 0;
      return answer;
    }
    searched_ = received_.size();
    if (received_.size() > line_bytes_max) complain("writes a line without end (16 MiB so far)");
    wait(false, until);
  }
}

void process::send(std::string_view line, nanoseconds until) {
  // Writing to a testee that has gone must not end this process.
  sigset_t pipe;
  sigset_t before;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, &before);
  bool gone = false;
  while (!line.empty() && !gone) {
    const ssize_t count = ::write(input_, line.data(), line.size());
    if (count > 0) {
      line.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      wait(true, until);
    } else if (errno != EINTR) {
      gone = true;
      const timespec none{};
      ::sigtimedwait(&pipe, nullptr, &none);
    }
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (gone) complain_of_end();
}

void process::wait(bool writing, nanoseconds until) {
  std::array<pollfd, 3> all{pollfd{output_, POLLIN, 0}, pollfd{errors_, POLLIN, 0},
                            pollfd{input_, POLLOUT, 0}};
  // A testee that has closed its standard error would wake this for ever.
  if (errors_closed_) all[1].fd = -1;
  const int left = milliseconds_until(until);
  const int ready = left == 0 ? 0 : ::poll(all.data(), writing ? 3 : 2, left);
  if (ready < 0 && errno == EINTR) return;
  read_errors();
  if (ready == 0) {
    complain("hangs: it has not answered for " + std::to_string(patience_.count() / 1'000'000) +
             " ms of real time");
  }
  if (all[0].revents != 0 && !read_output()) complain_of_end();
}

// False at its end.
bool process::read_output() {
  std::array<char, 65536> buffer{};
  const ssize_t count = ::read(output_, buffer.data(), buffer.size());
  if (count > 0) received_.append(buffer.data(), static_cast<std::size_t>(count));
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

void process::read_errors() {
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(errors_, buffer.data(), buffer.size())) > 0)
    words_.take(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  if (count == 0) errors_closed_ = true;
}

void process::complain(const std::string& what) {
  std::string text = what;
  if (const std::string last = words_.telling(); !last.empty()) text += "; its stderr: " + last;
  throw protocol_error(text);
}

// Its output has ended. So has the process, or it closed its output alone.
void process::complain_of_end() {
  const nanoseconds until = real_time() + parting_patience;
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(process_, &status, WNOHANG)) == 0 && real_time() < until) ::poll(nullptr, 0, 1);
  read_errors();
  if (ended != process_) complain("closed its output");
  process_ = -1;
  const std::string cut = received_.empty() ? "" : " in the midst of a line";
  complain(assay::end_in_words(status) + cut);
}

}  // namespace assay::testee
