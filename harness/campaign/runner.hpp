// Runs many jobs, in this process or in workers, and brings back their results in the order in which they were asked
// for, however they ended.
#pragma once

#include <signal.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/job.hpp>

namespace assay {

struct run_settings {
  /// Which jobs run in workers. Scenarios that demand the end of the process do so whatever is said here.
  enum class isolation { foreign, all, none };
  isolation isolate = isolation::foreign;  ///< foreign: third parties and mutants, whom nobody vouches for
  unsigned workers = 1;
  std::chrono::nanoseconds hang_after = std::chrono::seconds(30);  ///< real time without a new trial
  /// Clauses that subjects are known to break, besides those that they break here: their random programs, which come last, do
  /// without what these explain. By contract and subject.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> known = {};
  /// Before its first campaign a subject goes through its contract's plug check, if there is one; the campaigns of one that
  /// fails it are not run, and end in an error. False where that has been done.
  bool plug_first = true;
};

struct run_outcome {
  std::vector<std::optional<campaign_result>> results;  ///< one per job; empty if it was not run to its end
  std::vector<std::string> problems;                    ///< what went wrong outside of any job
  bool interrupted = false;
};

/// Told of every result as it comes; returns false to run no further jobs.
using result_listener = std::function<bool(std::size_t index, const campaign_result& result)>;

run_outcome run_jobs(std::span<const job> jobs, const run_settings& settings,
                     const result_listener& listener = nullptr);

/// Whether this job runs in a worker.
bool is_isolated(const job& asked, run_settings::isolation isolate) noexcept;

/// Those that there are.
template <class T>
std::vector<T> present(std::vector<std::optional<T>> all) {
  std::vector<T> there;
  for (std::optional<T>& one : all) {
    if (one) there.push_back(std::move(*one));
  }
  return there;
}

/// Turns the first SIGINT or SIGTERM into a wish that long work heeds (run_jobs, measure_bugs, sweep_allocations); the
/// second one ends the process.
class interruption {
 public:
  interruption();
  interruption(const interruption&) = delete;
  interruption& operator=(const interruption&) = delete;
  ~interruption();
  static bool wished() noexcept;

 private:
  struct sigaction before_int_{};
  struct sigaction before_term_{};
};

/// The exit status of what was interrupted.
inline constexpr int interrupted_status = 130;

/// Where nothing heeds an `interruption`: SIGINT and SIGTERM end the process with interrupted_status, and it says why.
void end_when_interrupted();

}  // namespace assay
