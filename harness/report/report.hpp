// What a run found, and how it is shown: to a person, as JSON, as JUnit's XML, as files.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/report/findings.hpp>

namespace assay {

/// How far work came that takes long: fewer results than were selected where it was interrupted.
struct extent {
  std::size_t selected = 0;
  std::size_t results = 0;
  bool interrupted = false;
};
/// "interrupted after 3 of 40 scenario runs": what is said where an extent is interrupted, in every format.
std::string how_far(const extent& seen, std::string_view of_what);
boost::json::object to_json(const extent& seen);

/// What this program was built of, for every JSON: version, build, commit, compiler, Boost.
void put_origin(boost::json::object& all);

/// A scenario run that was asked for.
struct planned_run {
  std::string contract;
  std::string subject;
  bool core = false;
};

/// How a run was made, and everything it found.
struct run_report {
  std::string program;  ///< as it was called, for replay commands
  std::string command;  ///< the whole command line
  std::string date;     ///< see report_date
  campaign_options options;
  order_model gate = order_model::any;  ///< the order model whose verdicts decide
  bool strict = false;                  ///< SHOULD counts as MUST
  std::vector<planned_run> planned;     ///< the scenario runs that were asked for, in order
  bool interrupted = false;
  bool stopped = false;  ///< by --fail-fast
  std::vector<campaign_result> results;
  std::vector<std::string> problems;  ///< what went wrong outside of any result
  std::size_t unstarted =
      0;                  ///< of these, testees that could not be started: nothing is known of their subjects
  bool compared = false;  ///< whether there were recorded findings to compare with
  findings_comparison findings;

  verdict judged(const campaign_result& result) const noexcept {
    return gate == order_model::fifo ? result.outcome_fifo : result.outcome;
  }
  extent how_far() const noexcept { return {planned.size(), results.size(), interrupted}; }
  /// Whether this result is a violation that the exit status speaks of.
  bool violates(const campaign_result& result) const noexcept;
};

/// The recorded finding that this result confirms, or null.
const finding* recorded_as(const run_report& report, const campaign_result& one);

/// A subject that fails its plug check, so that none of its clauses was judged.
struct misplugged_subject {
  const campaign_result* first = nullptr;  ///< all of its results say the same
  std::size_t scenarios = 0;               ///< that were asked for, and are not judged
};
std::vector<misplugged_subject> misplugged_subjects(const run_report& report);
/// "12 scenarios are not judged; mend the adapter first".
std::string unjudged(const misplugged_subject& one);

/// In words, under which orders a failing result fails.
std::string shown_under(const campaign_result& one);

/// A failure's message in lines: what was expected and what was observed have one each.
std::vector<std::string> message_lines(const std::string& message);

/// What to do about problems; empty if there is nothing to be said.
std::string advice(const run_report& report);

/// The library that a subject stands for, with its version: "Boost 1.81.0"; empty for what is ours.
std::string library_of(const std::string& contract, const std::string& subject);

struct tally {
  std::uint64_t passed = 0;
  std::uint64_t failed = 0;
  std::uint64_t skipped = 0;
  std::uint64_t errors = 0;
  std::uint64_t unrun = 0;  ///< asked for, and not run: the run ended before
  void count(verdict value) noexcept;
};
tally count(const run_report& report);

/// What became of one subject and one pattern.
struct pattern_tally {
  std::string contract;
  std::string subject;
  tally all;
  tally core;  ///< of these, the core profile: see catalogue::in_core
  std::uint64_t trials = 0;
};
/// In the order in which they were asked for.
std::vector<pattern_tally> count_by_pattern(const run_report& report);
/// "conforms", "fails", "error", "unfinished" if not all was run, or "not run" if nothing but skips was counted.
std::string_view profile_verdict(const tally& sum) noexcept;
/// How a verdict on a profile is shown: as a pass, as a failure, or as neither.
verdict profile_colour(const tally& sum) noexcept;

/// 1 when a MUST clause is violated, else 2 for an error or nothing but skips, else 0. With recorded findings: 0 exactly
/// when everybody but third parties conforms and the findings are the recorded ones.
int exit_status(const run_report& report);

/// How text is shown.
struct text_style {
  bool colour = false;
  std::size_t width = 100;
};
void write_text(std::ostream& out, const run_report& report, const text_style& style);
void write_json(std::ostream& out, const run_report& report);
boost::json::object to_json(const run_report& report);
void write_junit(std::ostream& out, const run_report& report);
/// For a comment on a pull request (GitHub's Markdown): the verdict, what is new, the sums; what is recorded is folded.
void write_markdown(std::ostream& out, const run_report& report);

/// Leaves token, trace and story of every failing scenario under `folder`/failures, and removes those of the scenarios
/// that no longer fail. Throws std::exception if it cannot.
void write_failures(const std::filesystem::path& folder, const run_report& report);

/// A result's name in file names and anchors: "asio_channel.bounded_queue.BQ-8.swept".
std::string file_stem(const campaign_result& result);

/// The line that replays a result, to be pasted into a shell.
std::string replay_command(const std::string& program, const std::string& token);
/// Whether this build's verdict means that something is wrong: a failure or an error.
bool is_bad(verdict value) noexcept;
/// Text broken into lines of at most `width` characters, each after `indent` blanks.
std::string wrap(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace assay
