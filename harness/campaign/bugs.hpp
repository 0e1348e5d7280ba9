// Planted bugs: small programs with one known concurrency bug each, and a correct twin. They measure strategies of
// exploration: how many schedules until the bug shows, and whether the twin is ever reported.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>

namespace assay {

/// One planted bug. Its scenarios belong to no clause; they are begun with `planted_subject()`.
struct planted_bug {
  std::string name;
  int depth = 0;     ///< the fewest deviations from first-in-first-out that show it
  std::string what;  ///< the mistake, and what shows it
  std::uint32_t cancel_slots =
      0;  ///< cancel points in the baseline trial; 0 if no cancellation shows the bug
  scenario_info wrong;
  scenario_info right;
};

/// What the scenarios are begun with; they are their own subject.
const subject_base& planted_subject();

struct bug_options {
  std::uint32_t seeds = 40;
  std::uint32_t cap = 2000;             ///< schedules per seed, after which a strategy has not found the bug
  std::uint32_t twin_schedules = 1000;  ///< of the portfolio, on the correct twin
};

/// Schedules to the first failure, over all seeds; empty where the cap was reached.
struct bug_figures {
  std::optional<double> median;
  std::optional<double> p95;
  std::optional<double> cpu_ms;  ///< median of the CPU time to the first failure, in milliseconds
};

struct bug_report {
  std::string name;
  int depth = 0;
  std::string what;
  bug_figures portfolio;
  std::map<std::string, bug_figures> strategies;  ///< by name; "dfs" is one enumeration, and its own p95
  std::uint32_t cancel_slots = 0;
  std::optional<std::uint32_t> sweep_runs;         ///< of the cancellation sweep until the bug shows
  std::optional<std::uint32_t> shrunk_deviations;  ///< of the portfolio's first failure, shrunk
  std::uint64_t twin_reports = 0;
  std::string twin_message;  ///< of the first report, if there is any
};

/// Deterministic but for the CPU times.
bug_report measure_bug(const planted_bug& bug, const bug_options& options);

/// Measures several at once, each in a process of its own; `done` is told of each, in the order of their ends. What was
/// measured before an `interruption` was wished comes back. The
/// process must be single-threaded.
std::vector<bug_report> measure_bugs(std::span<const planted_bug* const> bugs, const bug_options& options,
                                     unsigned processes,
                                     const std::function<void(const bug_report&)>& done = {});

}  // namespace assay
