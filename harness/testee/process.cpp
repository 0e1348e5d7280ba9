#include <assay/harness/testee/process.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <system_error>
#include <utility>

#include <assay/harness/sim/clock.hpp>
#include <assay/harness/testee/message.hpp>

namespace assay::testee {

namespace {

constexpr std::chrono::nanoseconds parting_patience = std::chrono::milliseconds(200);

int milliseconds_until(std::chrono::nanoseconds until) {
  const std::chrono::nanoseconds left = until - real_time();
  return static_cast<int>(std::max<std::int64_t>(left.count() / 1'000'000 + 1, 0));
}

// A shell that stays between this process and the testee would hide how that one ended, and keep its output open. What is
// more than one plain command needs it.
std::string for_shell(const std::string& command) {
  return command.find_first_of(";&|<>()\n") == std::string::npos ? "exec " + command : command;
}

// Writing to a testee that has gone must not end this process.
class held_sigpipe {
 public:
  held_sigpipe() {
    ::sigemptyset(&pipe_);
    ::sigaddset(&pipe_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  held_sigpipe(const held_sigpipe&) = delete;
  held_sigpipe& operator=(const held_sigpipe&) = delete;
  ~held_sigpipe() {
    const timespec none{};
    ::sigtimedwait(&pipe_, nullptr, &none);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{};
  sigset_t before_{};
};

}  // namespace

process::process(const std::string& command, const std::string& folder, nanoseconds patience)
    : patience_(patience) {
  pipe_ends in = make_pipe();
  pipe_ends out = make_pipe();
  pipe_ends err = make_pipe();
  const std::string text = for_shell(command);
  const std::array<const char*, 4> arguments = {"sh", "-c", text.c_str(), nullptr};
  process_ = fork_child([&] {
    // Only async-signal-safe calls from here to exec. A process group of its own lets all be killed that it has started.
    ::setpgid(0, 0);
    ::signal(SIGPIPE, SIG_DFL);
    ::signal(SIGINT, SIG_IGN);  // the parent decides when to stop
    ::dup2(in.reads.get(), STDIN_FILENO);
    ::dup2(out.writes.get(), STDOUT_FILENO);
    ::dup2(err.writes.get(), STDERR_FILENO);
    if (folder.empty() || ::chdir(folder.c_str()) == 0) return execute("/bin/sh", arguments.data());
    ::perror(folder.c_str());
    return 127;
  });
  input_ = std::move(in.writes);
  output_ = std::move(out.reads);
  errors_ = std::move(err.reads);
  for (const descriptor* const one : {&input_, &output_, &errors_}) ::fcntl(one->get(), F_SETFL, O_NONBLOCK);
}

process::~process() {
  input_.close();
  output_.close();
  const nanoseconds until = real_time() + parting_patience;
  int status = 0;
  while (process_ > 0 && ::waitpid(process_, &status, WNOHANG) != process_) {
    if (real_time() > until) {
      ::kill(-process_, SIGKILL);
      ::kill(process_, SIGKILL);
      reap(process_);
      break;
    }
    pollfd ending{errors_.get(), POLLIN, 0};
    ::poll(&ending, 1, 5);
    read_errors();
  }
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
  const held_sigpipe held;
  while (!line.empty()) {
    const ssize_t count = ::write(input_.get(), line.data(), line.size());
    if (count >= 0) {
      line.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      wait(true, until);
    } else if (errno == EPIPE) {
      complain_of_end();
    } else if (errno != EINTR) {
      complain_of_call("write");
    }
  }
}

void process::wait(bool writing, nanoseconds until) {
  std::array<pollfd, 3> all{pollfd{output_.get(), POLLIN, 0}, pollfd{errors_.get(), POLLIN, 0},
                            pollfd{input_.get(), POLLOUT, 0}};
  const int left = milliseconds_until(until);
  const int ready = left == 0 ? 0 : ::poll(all.data(), writing ? 3 : 2, left);
  if (ready < 0 && errno == EINTR) return;
  if (ready < 0) complain_of_call("poll");
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
  const ssize_t count = ::read(output_.get(), buffer.data(), buffer.size());
  if (count < 0 && errno != EAGAIN && errno != EINTR) complain_of_call("read");
  if (count > 0) received_.append(buffer.data(), static_cast<std::size_t>(count));
  return count != 0;
}

void process::read_errors() {
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(errors_.get(), buffer.data(), buffer.size())) > 0)
    words_.take(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  if (count == 0) errors_.close();  // or it would wake whoever waits for it for ever
}

void process::complain(const std::string& what) {
  std::string text = what;
  if (const std::string last = words_.telling(); !last.empty()) text += "; its stderr: " + last;
  throw protocol_error(text);
}

void process::complain_of_call(const char* call) {
  complain(std::string("cannot be talked to: ") +
           std::system_error(errno, std::generic_category(), call).what());
}

// Its output has ended. So has the process, or it closed its output alone.
void process::complain_of_end() {
  const nanoseconds until = real_time() + parting_patience;
  int status = 0;
  pid_t ended = 0;
  while ((ended = ::waitpid(process_, &status, WNOHANG)) != process_ && real_time() < until)
    ::poll(nullptr, 0, 1);
  read_errors();
  if (ended != process_) complain("closed its output");
  process_ = -1;
  const std::string cut = received_.empty() ? "" : " in the midst of a line";
  complain(assay::end_in_words(status) + cut);
}

}  // namespace assay::testee
