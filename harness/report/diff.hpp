// Two runs compared by their results as JSON: what has become worse, what better, and what is covered less.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/harness/report/report.hpp>

namespace assay {

/// A file that is not what `assay run --format json` writes. The message names the file and what is wrong.
struct malformed_results : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Of a result, what a comparison looks at.
struct past_result {
  std::string verdict_any;
  std::string verdict_fifo;
  std::string message;
  std::string replay;
  std::uint64_t schedules = 0;
  std::uint64_t cancel_points_covered = 0;
  std::uint64_t fault_points_covered = 0;
  bool exhausted = false;  ///< every order has been tried, however few they are
};

struct past_run {
  std::filesystem::path file;
  std::string version;
  std::string build;
  std::map<std::string, past_result> results;  ///< by "asio_channel bounded_queue/BQ-8/swept"
};
/// Throws malformed_results.
past_run read_results(const std::filesystem::path& file);

/// One line of a comparison.
struct run_change {
  std::string name;
  std::string what;    ///< in words, for example "fewer schedules: 20, 100 before"
  std::string replay;  ///< of a failure that is there now
};

struct run_comparison {
  std::vector<run_change> failures;   ///< fails under an order model under which it did not fail before
  std::vector<run_change> fixed;      ///< failed, and passes now
  std::vector<run_change> changed;    ///< fails as before, with other words
  std::vector<run_change> uncovered;  ///< not run any more, skipped now, or passed with less tried
  std::vector<std::string> added;     ///< passes or is skipped, and was not run before
  bool worse() const noexcept { return !failures.empty() || !uncovered.empty(); }
};
run_comparison compare(const past_run& before, const past_run& now);

void write_text(std::ostream& out, const past_run& before, const past_run& now,
                const run_comparison& comparison, const text_style& style);
void write_json(std::ostream& out, const past_run& before, const past_run& now,
                const run_comparison& comparison);

}  // namespace assay
