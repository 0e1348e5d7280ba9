#include <algorithm>
#include <iomanip>
#include <map>
#include <ostream>
#include <set>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

namespace {

class text_writer {
 public:
  text_writer(std::ostream& out, const run_report& report, const text_style& style)
      : out_(out), report_(report), style_(style) {}

  void write() {
    head_line();
    table();
    libraries();
    skips();
    adapters();
    bad_results();
    compared_findings();
    for (const std::string& problem : report_.problems) out_ << red("problem") << ": " << problem << "\n\n";
    made_how();
    conclusion();
  }

 private:
  std::string painted(const char* code, std::string text) const {
    return style_.colour ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
  }
  std::string red(std::string text) const { return painted("31", std::move(text)); }
  std::string green(std::string text) const { return painted("32", std::move(text)); }
  std::string bold(std::string text) const { return painted("1", std::move(text)); }

  void head_line() {
    out_ << "Assay " << version() << ", commit " << commit() << ", Boost " << boost_version() << ", "
         << compiler();
    if (!report_.date.empty()) out_ << ", " << report_.date;
    out_ << "\n\n";
  }

  std::string painted_as(verdict value, std::string text) const {
    const bool bad = is_bad(value);
    return painted(bad ? "31" : value == verdict::pass ? "32" : "33", std::move(text));
  }

  // A number in a column; noughts are dots, so that the eye finds what is there.
  std::string cell(std::uint64_t value, const char* colour) const {
    std::string text = value == 0 ? "." : std::to_string(value);
    text.insert(0, text.size() < 9 ? 9 - text.size() : 0, ' ');
    return value == 0 ? text : painted(colour, text);
  }

  void table() {
    const std::vector<pattern_tally> all = count_by_pattern(report_);
    std::size_t contract_width = 7;
    std::size_t subject_width = 7;
    for (const pattern_tally& one : all) {
      contract_width = std::max(contract_width, one.contract.size());
      subject_width = std::max(subject_width, one.subject.size());
    }
    const auto names = [&](const std::string& contract, const std::string& subject) {
      out_ << std::left << std::setw(static_cast<int>(contract_width) + 2) << contract
           << std::setw(static_cast<int>(subject_width)) << subject << std::right;
    };
    names("pattern", "subject");
    out_ << "  core       passed   failed  skipped    error     trials\n";
    std::string previous;
    for (const pattern_tally& one : all) {
      names(one.contract == previous ? "" : one.contract, one.subject);
      previous = one.contract;
      std::string core(profile_verdict(one.core));
      core.resize(std::max<std::size_t>(core.size(), 8), ' ');
      out_ << "  " << painted_as(profile_colour(one.core), core) << cell(one.all.passed, "32")
           << cell(one.all.failed, "31") << cell(one.all.skipped, "33") << cell(one.all.errors, "31")
           << std::setw(11) << one.trials << '\n';
    }
    out_ << "\nCounted are scenarios: each clause has one or more. The core profile is the MUST clauses that "
            "need no "
            "feature.\n\n";
  }

  // Which version of whose library each subject is.
  void libraries() {
    std::map<std::string, std::set<std::string>> all;
    for (const campaign_result& one : report_.results) {
      const std::string library = library_of(one.contract, one.subject);
      if (!library.empty()) all[library].insert(one.subject);
    }
    if (all.empty()) return;
    out_ << bold("Libraries") << '\n';
    for (const auto& [library, subjects] : all) {
      std::string names;
      for (const std::string& one : subjects) names += (names.empty() ? "" : ", ") + one;
      out_ << wrap(library + ": " + names, 2, style_.width) << '\n';
    }
    out_ << '\n';
  }

  // Which features a subject does not claim, once per subject and not once per clause.
  void skips() {
    constexpr std::string_view unclaimed = "does not claim '";
    std::map<std::string, std::map<std::string, std::size_t>> reasons;
    for (const campaign_result& one : report_.results) {
      if (report_.judged(one) == verdict::skip) ++reasons[one.contract + ", " + one.subject][one.message];
    }
    if (reasons.empty()) return;
    out_ << bold("Skipped") << '\n';
    for (const auto& [who, why] : reasons) {
      std::string features;
      std::string others;
      for (const auto& [reason, times] : why) {
        const bool feature = reason.starts_with(unclaimed);
        const std::string what =
            feature ? reason.substr(unclaimed.size(), reason.size() - unclaimed.size() - 1) : reason;
        std::string& text = feature ? features : others;
        text += (text.empty() ? "" : ", ") + what + " (" + std::to_string(times) + ")";
      }
      if (!features.empty()) features = "does not claim " + features;
      if (!features.empty() && !others.empty()) features += "; ";
      out_ << wrap(who + ": " + features + others, 2, style_.width) << '\n';
    }
    out_ << '\n';
  }

  // Whose adapter is wrong: once per subject and not once per clause.
  void adapters() {
    const std::vector<misplugged_subject> all = misplugged_subjects(report_);
    if (all.empty()) return;
    out_ << bold("Adapters") << "\n\n";
    for (const misplugged_subject& one : all) {
      const campaign_result& seen = *one.first;
      out_ << bold(seen.subject) << "  " << seen.contract << '\n'
           << "  " << red("error") << ": " << wrap(seen.message, 4, style_.width).substr(4) << "\n    "
           << unjudged(one) << "\n    " << replay_command(report_.program, seen.token) << "\n\n";
    }
  }

  // One head and one text for all scenarios of a clause that a subject fails.
  void bad_results() {
    const campaign_result* previous = nullptr;
    for (const campaign_result& one : report_.results) {
      if (!is_bad(one.outcome) || one.misplugged) continue;
      if (previous == nullptr) out_ << bold("Findings") << "\n\n";
      const bool same_clause = previous != nullptr && previous->subject == one.subject &&
                               previous->contract == one.contract &&
                               previous->counts_for() == one.counts_for();
      if (!same_clause) {
        if (previous != nullptr) out_ << '\n';
        head(one);
      }
      bad_result(one);
      previous = &one;
    }
    if (previous != nullptr) out_ << '\n';
  }

  void head(const campaign_result& one) {
    out_ << bold(one.subject) << "  " << one.contract << "  " << bold(one.counts_for()) << "  "
         << to_string(one.level) << (one.where == tier::sim ? "" : "  on a stock io_context") << '\n';
    const clause_info* const clause = catalogue::instance().find_clause(one.counts_for());
    if (clause != nullptr) out_ << wrap("\"" + clause->text + "\"", 2, style_.width) << '\n';
  }

  void bad_result(const campaign_result& one) {
    const verdict judged = report_.judged(one);
    std::string what = judged == verdict::error ? "error" : "failed";
    if (judged == verdict::pass) what = "failed, but not under order model fifo, which decides here";
    if (judged == verdict::fail && !report_.violates(one)) what += ", not counted";
    const std::vector<std::string> lines = message_lines(one.message);
    out_ << "  " << red(what) << (one.variant.empty() ? "" : " (" + one.variant + ")")
         << (lines.size() > 1 ? "\n    " : ": ") << wrap(lines.front(), 4, style_.width).substr(4) << '\n';
    for (std::size_t i = 1; i < lines.size(); ++i) out_ << wrap(lines[i], 4, style_.width) << '\n';
    out_ << "    shown by: " << shown_under(one) << '\n';
    if (const finding* const known = recorded_as(report_, one)) {
      std::string text = "recorded: " + (known->reason.empty() ? "(no reason yet)" : known->reason);
      if (!known->reference.empty()) text += " [" + known->reference + "]";
      if (!known->io_context.empty()) text += " Stock io_context: " + known->io_context + ".";
      out_ << wrap(text, 4, style_.width) << '\n';
    }
    if (const std::string* const why = catalogue::instance().dispute_of(one.clause))
      out_ << wrap("disputed: " + *why, 4, style_.width) << '\n';
    if (!one.token.empty()) out_ << "    " << replay_command(report_.program, one.token) << '\n';
  }

  void compared_findings() {
    if (!report_.compared) return;
    const findings_comparison& findings = report_.findings;
    out_ << bold("Recorded findings") << "\n  " << findings.confirmed.size() << " as recorded, "
         << findings.appeared.size() << " new, " << findings.changed.size() << " changed, "
         << findings.disappeared.size() << " gone\n";
    for (const finding& one : findings.appeared) {
      out_ << "  " << red("new") << "      " << one.name() << ": " << one.message << '\n';
    }
    for (const findings_comparison::change& one : findings.changed) {
      out_ << "  " << red("changed") << "  " << one.seen.name() << ", " << one.what << ":\n"
           << "             recorded: " << in_words(one.recorded)
           << "\n             seen:     " << in_words(one.seen) << '\n';
    }
    for (const finding& one : findings.disappeared) {
      out_ << "  " << red("gone") << "     " << one.name() << ": " << one.message << '\n';
    }
    out_ << '\n';
  }

  static std::string in_words(const finding& one) {
    return one.verdict + " (" + one.shown_by + ", fifo: " + one.verdict_fifo +
           ", io_context: " + one.io_context + "): " + one.message;
  }

  void made_how() {
    out_ << bold("How this was made") << "\n  assay " << version() << ", build " << build_id() << "\n  seed "
         << report_.options.seed << ", " << report_.options.schedules << " schedules per scenario ("
         << report_.options.strategy << "), "
         << (report_.options.sweep ? "full cancellation and fault sweeps" : "no sweeps") << ", tier "
         << to_string(report_.options.where) << ", gated by order model " << to_string(report_.gate)
         << (report_.strict ? ", SHOULD counts as MUST" : "") << "\n  " << report_.command << "\n\n";
  }

  void conclusion() {
    const tally sum = count(report_);
    std::set<std::string> violated;
    std::uint64_t other_order = 0;
    for (const campaign_result& one : report_.results) {
      if (report_.violates(one)) violated.insert(one.subject + one.contract + one.clause);
      if (one.outcome != one.outcome_fifo) ++other_order;
    }
    const int status = exit_status(report_);
    std::string text = std::to_string(sum.passed) + " passed, " + std::to_string(sum.failed) + " failed, " +
                       std::to_string(sum.skipped) + " skipped, " + std::to_string(sum.errors) + " in error";
    if (report_.interrupted) {
      text = how_far(report_.how_far(), "scenario runs") + ": " + text;
      text.front() = 'I';
    } else if (report_.results.size() < report_.planned.size()) {
      text += " of " + std::to_string(report_.planned.size()) + " selected" +
              (report_.stopped ? " (stopped at the first)" : "");
    }
    if (!report_.problems.empty()) {
      text += "; " + std::to_string(report_.problems.size()) +
              (report_.problems.size() == 1 ? " problem" : " problems") +
              " outside of any scenario, see above";
    }
    if (other_order > 0) {
      text += "; " + std::to_string(other_order) + " only under order model " +
              (report_.gate == order_model::any ? "any, not under fifo" : "any, which does not gate here");
    }
    if (report_.interrupted) {
      out_ << red(text) << ".\nWhat was not run has no verdict.\n";
    } else {
      out_ << (status == 0 ? green("Conforms") : red(status == 1 ? "Does not conform" : "No verdict")) << ": "
           << text << ".\n";
    }
    if (report_.compared && status == 0) {
      out_ << "Everybody but third parties conforms, and the findings on these are the recorded ones.\n";
    } else if (!violated.empty()) {
      out_ << violated.size() << (report_.strict ? " MUST or SHOULD" : " MUST")
           << (violated.size() == 1 ? " clause is" : " clauses are") << " violated (counted per subject).\n";
    }
    if (const std::string what = advice(report_); !what.empty())
      out_ << bold("To do") << ": " << wrap(what, 0, style_.width - 7) << '\n';
  }

  std::ostream& out_;
  const run_report& report_;
  const text_style& style_;
};

}  // namespace

void write_text(std::ostream& out, const run_report& report, const text_style& style) {
  text_writer(out, report, style).write();
}

}  // namespace assay
