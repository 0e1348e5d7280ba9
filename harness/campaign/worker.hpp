// Worker processes. A job that may end the process, hang, or corrupt its memory runs in a worker: this program,
// executed anew, single-threaded, which reads jobs and writes results as lines of JSON on a socket of its own. What the
// subject prints goes to the worker's stderr and cannot disturb that.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include <assay/harness/campaign/job.hpp>
#include <assay/harness/campaign/last_words.hpp>
#include <assay/harness/campaign/mirror.hpp>

namespace assay {

/// The worker's side: does the jobs that come in until the parent closes the socket. Returns the exit status.
int serve_jobs(int socket, int mirror);

/// What every worker is told besides, as its last argument: who knows what that is (the testees, which stand above the
/// campaign) says so once, before the first worker begins. Without it workers are told nothing.
void tell_workers(std::string (*what)()) noexcept;

/// The parent's side of one worker.
class worker_process {
 public:
  using nanoseconds = std::chrono::nanoseconds;

  /// Starts `/proc/self/exe worker ...`. Throws std::system_error if the machine refuses it.
  worker_process();
  worker_process(const worker_process&) = delete;
  worker_process& operator=(const worker_process&) = delete;
  /// Kills the process if it has not ended.
  ~worker_process();

  int socket() const noexcept { return socket_; }
  int errors() const noexcept { return errors_; }
  bool busy() const noexcept { return job_.has_value(); }
  const job& current() const noexcept { return *job_; }

  void begin(job asked);
  /// Reads what has come; the result if the current job has ended with one.
  std::optional<campaign_result> read_result();
  /// True if its last job left something behind: a thread, a leak. It must not be given another one.
  bool spent() const noexcept { return spent_; }
  void read_errors();

  /// True once the process has ended, by itself or by kill().
  bool ended();
  void kill() noexcept;
  /// Real time since a trial last began, as far as the worker's trials have been looked at.
  nanoseconds stalled();
  /// The result of a job whose process ended (or had to be killed for having hung) in the midst of it.
  campaign_result obituary(std::optional<nanoseconds> hung_for);

  /// Lets an idle worker end, and says what was wrong with its end; empty if nothing.
  std::string dismiss(nanoseconds patience);

 private:
  shared_mirror mirror_;
  int socket_ = -1;
  int errors_ = -1;
  int process_ = -1;
  std::optional<int> status_;
  std::optional<job> job_;
  bool spent_ = false;
  std::string received_;
  last_words words_;
  std::uint64_t trials_seen_ = 0;
  nanoseconds progress_at_{};
};

}  // namespace assay
