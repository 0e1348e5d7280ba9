// The allocation sweep: one scenario with one subject, first in first out, once for every allocation of the subject with
// that one failing, and once more with that one and every later one failing (as SQLite's tests do it). Each trial runs in
// a process of its own. What counts as an allocation of the subject says harness/allocation/section.hpp.
//
// Once an allocation has failed, what the scenario expects does not bind any more. Judged is what must hold for any
// implementation: the process lives, the trial comes to rest, no item comes twice, nothing is left behind, and somebody
// is told, or nobody has to be.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>

namespace assay {

enum class allocation_outcome {
  surfaced,  ///< somebody was told: an operation, who made the subject, an error hook, or who runs the event loop
  absorbed,  ///< nobody was told, and all ended well
  lost,      ///< nobody was told, and something never ends or an item is gone
  doubled,   ///< an item came twice
  leaked,    ///< a task, a timer or memory was left behind
  hung,      ///< it never comes to rest
  crashed    ///< the process ended
};
inline constexpr std::size_t allocation_outcomes = 7;
std::string_view to_string(allocation_outcome outcome) noexcept;
constexpr bool is_bad(allocation_outcome outcome) noexcept { return outcome >= allocation_outcome::lost; }

/// What became of one failed allocation.
struct allocation_case {
  allocation_fault fault;
  allocation_outcome outcome{};
  std::string message;
  std::string token;
};

struct allocation_sweep {
  std::string subject;
  std::string scenario;
  std::string skipped;  ///< why it was not swept, if it was not
  std::string problem;  ///< why it could not be: the run without a failure fails, or is not deterministic
  std::uint32_t points = 0;   ///< allocations of the subject in the baseline trial
  std::uint32_t covered = 0;  ///< that were made to fail, both ways
  std::array<std::uint32_t, allocation_outcomes> count{};  ///< trials, by outcome
  std::uint32_t left_turns =
      0;  ///< surfaced, by an exception that left a turn: io_context::run would have thrown it
  std::vector<allocation_case> bad;  ///< in order
  bool is_bad() const noexcept { return !bad.empty(); }
};

/// Who judges one trial: an outcome for a trial in which an allocation failed.
allocation_outcome judge_allocation(const trial_result& seen);

/// Sweeps one. `hang_after` is of real time, for each trial.
allocation_sweep sweep_allocations(const subject_base& chosen, const scenario_info& scenario,
                                   std::chrono::seconds hang_after);

struct allocation_job {
  const subject_base* chosen = nullptr;
  const scenario_info* scenario = nullptr;
};
/// Sweeps them all, so many at a time, and tells of each as it is done. What was swept before an `interruption` was wished
/// comes back. The process must be single-threaded. Throws
/// std::logic_error if the program does not link assay::allocation_faults.
std::vector<allocation_sweep> sweep_allocations(std::span<const allocation_job> jobs, unsigned processes,
                                                std::chrono::seconds hang_after,
                                                const std::function<void(const allocation_sweep&)>& done);

}  // namespace assay
