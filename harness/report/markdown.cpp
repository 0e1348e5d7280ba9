#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

namespace {

// As plain text in a paragraph, a list or a table: what a subject said must not become a mark, a tag, a link or a new
// cell.
std::string plain(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<') {
      safe += "&lt;";
    } else if (c == '&') {
      safe += "&amp;";
    } else if (c == '\n') {
      safe += ' ';
    } else if (static_cast<unsigned char>(c) < 0x20) {
      safe += '?';
    } else {
      if (std::string_view("\\`*_{}[]()#+!|~>@").find(c) != std::string_view::npos) safe += '\\';
      safe += c;
    }
  }
  return safe;
}

// A block of code whose fence is longer than any in the text.
std::string code(const std::string& text) {
  std::size_t longest = 0;
  std::size_t run = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
  }
  const std::string fence(std::max<std::size_t>(3, longest + 1), '`');
  return fence + "\n" + text + "\n" + fence + "\n";
}

class markdown_writer {
 public:
  markdown_writer(std::ostream& out, const run_report& report) : out_(out), report_(report) {}

  void write() {
    headline();
    problems();
    std::vector<const campaign_result*> unexpected;
    std::vector<const campaign_result*> recorded;
    for (const campaign_result& one : report_.results) {
      if (is_bad(one.outcome) && !one.misplugged)
        (recorded_as(report_, one) == nullptr ? unexpected : recorded).push_back(&one);
    }
    for (const misplugged_subject& one : misplugged_subjects(report_)) adapter(one);
    for (const campaign_result* const one : unexpected) finding_in_full(*one);
    table();
    folded(recorded);
    out_ << "Standard " << plain(version()) << ", build " << plain(build_id()) << ", commit "
         << plain(commit()) << ", Boost " << plain(boost_version()) << ", " << plain(compiler());
    if (!report_.date.empty()) out_ << ", made " << plain(report_.date);
    out_ << "; seed " << report_.options.seed << ", " << report_.options.schedules
         << " schedules per scenario. To run it again:\n\n"
         << code(report_.command);
  }

 private:
  void headline() {
    const tally sum = count(report_);
    const int status = exit_status(report_);
    const char* const verdict = status == 0                    ? "conforms"
                                : status == 1                  ? "does not conform"
                                : status == interrupted_status ? "was interrupted"
                                                               : "has no verdict";
    out_ << "## Assay: " << verdict << "\n\n"
         << sum.passed << " passed, " << sum.failed << " failed, " << sum.skipped << " skipped, "
         << sum.errors << " in error";
    if (report_.results.size() < report_.planned.size())
      out_ << ", of " << report_.planned.size() << " selected; what was not run has no verdict";
    out_ << ".";
    if (report_.compared) {
      const findings_comparison& findings = report_.findings;
      out_ << " Findings: " << findings.confirmed.size() << " as recorded, " << findings.appeared.size()
           << " new, " << findings.changed.size() << " changed, " << findings.disappeared.size() << " gone.";
    }
    out_ << "\n\n";
  }

  void problems() {
    std::vector<std::string> lines = report_.problems;
    if (report_.compared) {
      for (const findings_comparison::change& one : report_.findings.changed)
        lines.push_back("changed finding " + one.recorded.name() + ", " + one.what);
      for (const finding& one : report_.findings.disappeared)
        lines.push_back("a recorded finding is gone: " + one.name() + ": " + one.message);
    }
    for (const std::string& line : lines) out_ << "- " << plain(line) << '\n';
    if (!lines.empty()) out_ << '\n';
    if (const std::string what = advice(report_); !what.empty()) out_ << "To do: " << plain(what) << "\n\n";
  }

  void adapter(const misplugged_subject& one) {
    const campaign_result& seen = *one.first;
    out_ << "### " << plain(seen.subject + " " + seen.contract) << ": error\n\n**" << plain(seen.message)
         << "**\n\n"
         << plain(unjudged(one)) << ".\n\n"
         << code(replay_command(report_.program, seen.token)) << '\n';
  }

  void finding_in_full(const campaign_result& one) {
    const clause_info* const clause = catalogue::instance().find_clause(one.clause);
    out_ << "### " << plain(one.subject + " " + one.scenario()) << " (" << to_string(one.level)
         << "): " << to_string(report_.judged(one)) << "\n\n**" << plain(one.message) << "**\n\n";
    if (clause != nullptr) out_ << "> " << plain(clause->text) << "\n\n";
    out_ << "Shown by: " << plain(shown_under(one)) << "\n\n";
    if (const std::string* const why = catalogue::instance().dispute_of(one.clause))
      out_ << "Not counted, since the clause is disputed: " << plain(*why) << "\n\n";
    if (!one.token.empty()) out_ << code(replay_command(report_.program, one.token)) << '\n';
  }

  void table() {
    out_ << "| pattern | subject | core | passed | failed | skipped | error | library "
            "|\n|---|---|---|--:|--:|--:|--:|---|\n";
    for (const pattern_tally& one : count_by_pattern(report_)) {
      out_ << "| " << plain(one.contract) << " | " << plain(one.subject) << " | " << profile_verdict(one.core)
           << " | " << one.all.passed << " | " << one.all.failed << " | " << one.all.skipped << " | "
           << one.all.errors << " | " << plain(library_of(one.contract, one.subject)) << " |\n";
    }
    out_ << "\nCounted are scenarios: each clause has one or more. The core profile is the MUST clauses that "
            "need no "
            "feature.\n\n";
  }

  void folded(const std::vector<const campaign_result*>& recorded) {
    if (recorded.empty()) return;
    out_ << "<details><summary>" << recorded.size() << " recorded findings</summary>\n\n";
    for (const campaign_result* const one : recorded) {
      const finding& known = *recorded_as(report_, *one);
      out_ << "- " << plain(known.name()) << ": " << plain(one->message) << "  \n  " << plain(known.reason);
      if (!known.reference.empty()) out_ << " (<" << known.reference << ">)";
      out_ << '\n';
    }
    out_ << "\n</details>\n\n";
  }

  std::ostream& out_;
  const run_report& report_;
};

}  // namespace

void write_markdown(std::ostream& out, const run_report& report) { markdown_writer(out, report).write(); }

}  // namespace assay
