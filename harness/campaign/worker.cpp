#include <assay/harness/campaign/worker.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <iostream>
#include <system_error>
#include <utility>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/sim/clock.hpp>

// Present in a build with AddressSanitizer only.
// NOLINTNEXTLINE(bugprone-reserved-identifier): the name is the runtime's
extern "C" int __lsan_do_recoverable_leak_check() __attribute__((weak));

namespace assay {

namespace {

// Writes all of it, even if that is more than the socket holds at a time; false if the other side is gone. Throws
// std::system_error.
bool send_line(int socket, std::string line) {
  line += '\n';
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t sent = ::send(socket, rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && errno == EAGAIN) {
      pollfd writable{socket, POLLOUT, 0};
      ::poll(&writable, 1, -1);
      continue;
    }
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) return false;
    if (sent < 0) refuse("send");
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

// One line that has come, out of `received`.
std::optional<std::string> take_line(std::string& received) {
  const std::size_t end = received.find('\n');
  if (end == std::string::npos) return std::nullopt;
  std::string line = received.substr(0, end);
  received.erase(0, end + 1);
  return line;
}

}  // namespace

// ---- the worker

int serve_jobs(int socket, int mirror_descriptor) {
  // The parent decides when to stop (it has the same terminal), and a core file of every bad subject helps nobody.
  std::signal(SIGINT, SIG_IGN);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);

  shared_mirror mirror(mirror_descriptor);
  campaign_observer observer;
  observer.mirror = &mirror;
  observer.trial_begins = [&mirror](const trial_settings& settings) { mirror.trial_begins(settings); };
  observer.phase_begins = [&mirror](std::string_view phase) { mirror.phase_begins(phase); };

  std::string received;
  std::array<char, 4096> buffer{};
  while (true) {
    const std::optional<std::string> line = take_line(received);
    if (!line) {
      const ssize_t count = ::read(socket, buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) refuse("read of a job");
      if (count == 0) return 0;
      received.append(buffer.data(), static_cast<std::size_t>(count));
      continue;
    }
    const job asked = decode_job(*line);
    mirror.work_begins();
    campaign_result result = run_job(asked, &observer);
    mirror.work_ends();
    const bool leaked =
        __lsan_do_recoverable_leak_check != nullptr && __lsan_do_recoverable_leak_check() != 0;
    if (leaked && result.outcome == verdict::pass) {
      result.outcome = result.outcome_fifo = verdict::error;
      result.message = "leaked memory (LeakSanitizer's report is on stderr)";
    }
    std::cout.flush();
    // What has leaked once would be reported with every later job as well; and who escaped the scheduler, by a thread
    // for example, is still there.
    const bool spent = leaked || result.outcome == verdict::error;
    const std::string answer = (spent ? '!' : '=') + encode(result);
    keep_counters();  // who is spent is killed
    if (!send_line(socket, answer)) return 0;
  }
}

// ---- the parent

namespace {

constexpr std::chrono::nanoseconds parting_patience = std::chrono::seconds(1);

std::string (*told)() = [] { return std::string(); };

}  // namespace

void tell_workers(std::string (*what)()) noexcept { told = what; }

worker_process::worker_process() {
  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) refuse("socketpair");
  socket_ = descriptor(sockets[0]);
  const descriptor theirs(sockets[1]);
  pipe_ends errors = make_pipe();
  const std::string socket_text = std::to_string(theirs.get());
  const std::string mirror_text = std::to_string(mirror_.shared());
  const std::string testees = told();
  const std::array<const char*, 6> arguments = {
      "assay", "worker", socket_text.c_str(), mirror_text.c_str(), testees.c_str(), nullptr};
  process_ = fork_child([&] {
    // Only async-signal-safe calls from here to exec.
    const int nothing = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(errors.writes.get(), STDERR_FILENO);
    ::fcntl(theirs.get(), F_SETFD, 0);
    ::fcntl(mirror_.shared(), F_SETFD, 0);
    return execute("/proc/self/exe", arguments.data());
  });
  errors_ = std::move(errors.reads);
  ::fcntl(socket_.get(), F_SETFL, O_NONBLOCK);
  ::fcntl(errors_.get(), F_SETFL, O_NONBLOCK);
  progress_at_ = real_time();
}

worker_process::~worker_process() {
  if (ended()) return;
  kill();
  reap(process_);
}

void worker_process::begin(job asked) {
  job_ = std::move(asked);
  words_before_ = std::exchange(words_, {});
  progress_at_ = real_time();
  // A worker that is gone already is noticed as one that ended in the midst of this job.
  try {
    if (!send_line(socket_.get(), encode(*job_))) close_socket();
  } catch (const std::system_error& failure) {
    cut_off_ = failure.what();
  }
}

std::optional<campaign_result> worker_process::read_result() {
  std::array<char, 65536> buffer{};
  ssize_t count = 0;
  while ((count = ::read(socket_.get(), buffer.data(), buffer.size())) > 0) {
    received_.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (count == 0) {
    close_socket();
  } else if (errno != EAGAIN && errno != EINTR && errno != ECONNRESET && socket_.get() >= 0) {
    cut_off_ = std::system_error(errno, std::generic_category(), "read of a result").what();
  }
  const std::optional<std::string> line = take_line(received_);
  if (!line || !job_) return std::nullopt;
  const job asked = std::move(*job_);
  job_.reset();
  try {
    spent_ = !line->starts_with('=');
    return decode_result(line->substr(1));
  } catch (const std::exception& failure) {
    // Somebody else wrote to the socket; whatever this process says from now on is worth nothing.
    spent_ = true;
    campaign_result result = blank_result(*asked.chosen, *asked.scenario, asked.options.where);
    result.outcome = result.outcome_fifo = verdict::error;
    result.message = std::string("the worker's answer cannot be read: ") + failure.what();
    return result;
  }
}

void worker_process::close_socket() {
  cut_off_ = "it has closed its socket";
  socket_.close();
}

void worker_process::read_errors() {
  std::array<char, 4096> buffer{};
  ssize_t count = 0;
  while ((count = ::read(errors_.get(), buffer.data(), buffer.size())) > 0)
    words_.take(std::string_view(buffer.data(), static_cast<std::size_t>(count)));
  if (count == 0) errors_.close();  // or it would wake whoever waits for it for ever
}

bool worker_process::ended() {
  const nanoseconds until = real_time() + (socket_.get() < 0 ? parting_patience : nanoseconds());
  int status = 0;
  while (!status_) {
    if (::waitpid(process_, &status, WNOHANG) == process_) {
      status_ = status;
    } else if (real_time() >= until) {
      return false;
    } else {
      ::poll(nullptr, 0, 1);
    }
  }
  return true;
}

void worker_process::kill() noexcept { ::kill(process_, SIGKILL); }

worker_process::nanoseconds worker_process::stalled() {
  const nanoseconds now = real_time();
  const std::uint64_t trials = mirror_.trials();
  if (trials != trials_seen_) progress_at_ = now;
  trials_seen_ = trials;
  return now - progress_at_;
}

campaign_result worker_process::disown() {
  spent_ = true;
  const job asked = std::move(*job_);
  job_.reset();
  return unrun_result(asked, " to its end: no more is heard of the worker process: " + cut_off_);
}

campaign_result worker_process::obituary(std::optional<nanoseconds> hung_for) {
  read_errors();
  spent_ = true;
  const job asked = std::move(*job_);
  job_.reset();
  const int status = status_.value_or(0);
  std::string line = words_.telling();
  if (line.empty() && !mirror_.working()) line = words_before_.telling();
  const std::string ended = end_in_words(status) + (line.empty() ? "" : "; its stderr: " + line);
  if (!hung_for && !mirror_.working())
    return unrun_result(asked, " to its end: the worker process, which was not at work, " + ended);
  campaign_result result = blank_result(*asked.chosen, *asked.scenario, asked.options.where);
  const std::vector<choice> choices = mirror_.choices();
  result.token =
      encode(make_token(*asked.chosen, *asked.scenario, mirror_.settings(), choices, run_end::cut));
  if (asked.kind == job_kind::replay) result.token = asked.token;
  result.shown_by = mirror_.phase();
  result.trials = 1;
  const bool permuted = std::any_of(choices.begin(), choices.end(), [](const choice& one) {
    return one.kind == choice_kind::ready && one.chosen != 0;
  });
  const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.outcome = verdict::error;
  if (hung_for) {
    result.message =
        "hang: no trial ended for " + std::to_string(hung_for->count() / 1'000'000'000) + " s of real time";
  } else if (!asked.scenario->traits.expects_termination || signal == SIGKILL) {
    // Nobody raises SIGKILL for himself: it comes from without, for want of memory for one.
    result.message = "crash: the process " + ended;
  } else if (signal == SIGABRT) {
    result.outcome = verdict::pass;
  } else {
    result.outcome = verdict::fail;
    result.message = "the process was to be ended by SIGABRT, but it " + end_in_words(status);
  }
  result.outcome_fifo = permuted && result.outcome != verdict::pass ? verdict::pass : result.outcome;
  result.story.push_back("  The process did not live to tell its story; " + std::to_string(choices.size()) +
                         " choices had been made. The last lines of its stderr:");
  const std::deque<std::string> last = words_.lines();
  for (const std::string& line : last) result.story.push_back("    " + line);
  if (last.empty()) result.story.push_back("    (nothing)");
  return result;
}

std::string worker_process::dismiss(nanoseconds patience) {
  ::shutdown(socket_.get(), SHUT_WR);
  const nanoseconds begin = real_time();
  while (!ended()) {
    if (real_time() - begin > patience) return "a worker process did not end when it was told to";
    pollfd waiting{errors(), POLLIN, 0};
    ::poll(&waiting, 1, errors() < 0 ? 1 : 10);
    read_errors();
  }
  read_errors();
  if (WIFEXITED(*status_) && WEXITSTATUS(*status_) == 0) return {};
  std::string text = "a worker process " + end_in_words(status_.value_or(0)) + " after its last job";
  if (const std::string line = words_.telling(); !line.empty()) text += "; its stderr: " + line;
  return text;
}

}  // namespace assay
