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
#include <assay/harness/campaign/system.hpp>

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

  /// Negative once the process has closed its end.
  int socket() const noexcept { return socket_.get(); }
  int errors() const noexcept { return errors_.get(); }
  bool busy() const noexcept { return job_.has_value(); }
  const job& current() const noexcept { return *job_; }

  void begin(job asked);
  /// Reads what has come; the result if the current job has ended with one. Where nothing more can be read or sent (`cut_off`
  /// says why), none comes.
  std::optional<campaign_result> read_result();
  /// True if its last job left something behind (a thread, a leak) or was its last: it must not be given another one.
  bool spent() const noexcept { return spent_ || !cut_off_.empty(); }
  void read_errors();
  /// Why this process cannot talk to the worker any more, which may be alive: a call that has failed, or that the worker has
  /// closed its socket. Empty as long as it can.
  const std::string& cut_off() const noexcept { return cut_off_; }

  /// True once the process has ended, by itself or by kill(). Who closes its socket is about to, and is waited for a moment.
  bool ended();
  void kill() noexcept;
  /// Real time since a trial last began, as far as the worker's trials have been looked at.
  nanoseconds stalled();
  /// The result of a job whose process ended (or had to be killed for having hung) in the midst of it.
  campaign_result obituary(std::optional<nanoseconds> hung_for);
  /// The result of a job whose worker is cut off.
  campaign_result disown();

  /// Lets an idle worker end, and says what was wrong with its end; empty if nothing.
  std::string dismiss(nanoseconds patience);

 private:
  void close_socket();

  shared_mirror mirror_;
  descriptor socket_;
  descriptor errors_;
  pid_t process_ = -1;
  std::optional<int> status_;
  std::optional<job> job_;
  bool spent_ = false;
  std::string received_;
  std::string cut_off_;
  last_words words_;
  last_words words_before_;  // the current job
  std::uint64_t trials_seen_ = 0;
  nanoseconds progress_at_{};
};

}  // namespace assay
