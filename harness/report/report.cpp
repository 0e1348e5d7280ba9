#include <assay/harness/report/report.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/names.hpp>
#include <assay/harness/report/output.hpp>
#include <assay/harness/testee/host.hpp>

namespace assay {

namespace {

// A longer token is better read from its file than from a command line.
constexpr std::size_t token_on_command_line_max = 4000;

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + '\n';
  return text;
}

}  // namespace

std::string file_stem(const campaign_result& result) {
  std::string stem = result.subject + "." + result.contract + "." + result.clause;
  if (!result.variant.empty()) stem += "." + result.variant;
  if (result.where != tier::sim) stem += "." + std::string(to_string(result.where));
  for (char& c : stem) {
    if (c == '/' || c == ' ') c = '_';
  }
  return stem;
}

bool is_bad(verdict value) noexcept { return value == verdict::fail || value == verdict::error; }

bool run_report::violates(const campaign_result& result) const noexcept {
  if (judged(result) != verdict::fail) return false;
  if (catalogue::instance().dispute_of(result.counts_for()) != nullptr) return false;
  return result.level == level::must || (strict && result.level == level::should);
}

void tally::count(verdict value) noexcept {
  if (unrun > 0) --unrun;
  switch (value) {
    case verdict::pass:
      ++passed;
      break;
    case verdict::fail:
      ++failed;
      break;
    case verdict::skip:
      ++skipped;
      break;
    case verdict::error:
      ++errors;
      break;
  }
}

tally count(const run_report& report) {
  tally sum;
  for (const campaign_result& one : report.results) sum.count(report.judged(one));
  return sum;
}

std::vector<pattern_tally> count_by_pattern(const run_report& report) {
  std::vector<pattern_tally> all;
  const auto of = [&all](const std::string& contract, const std::string& subject) -> pattern_tally& {
    const auto found = std::find_if(all.begin(), all.end(), [&](const pattern_tally& one) {
      return one.contract == contract && one.subject == subject;
    });
    if (found != all.end()) return *found;
    all.push_back({contract, subject, {}, {}, 0});
    return all.back();
  };
  for (const planned_run& one : report.planned) {
    pattern_tally& sum = of(one.contract, one.subject);
    ++sum.all.unrun;
    if (one.core) ++sum.core.unrun;
  }
  for (const campaign_result& one : report.results) {
    pattern_tally& sum = of(one.contract, one.subject);
    sum.all.count(report.judged(one));
    if (one.core) sum.core.count(report.judged(one));
    sum.trials += one.trials;
  }
  return all;
}

std::string_view profile_verdict(const tally& sum) noexcept {
  if (sum.failed > 0) return "fails";
  if (sum.errors > 0) return "error";
  if (sum.passed == 0) return "not run";
  return sum.unrun > 0 ? "unfinished" : "conforms";
}

verdict profile_colour(const tally& sum) noexcept {
  if (sum.failed > 0) return verdict::fail;
  if (sum.errors > 0) return verdict::error;
  return sum.passed > 0 && sum.unrun == 0 ? verdict::pass : verdict::skip;
}

std::string how_far(const extent& seen, std::string_view of_what) {
  return "interrupted after " + std::to_string(seen.results) + " of " + std::to_string(seen.selected) + " " +
         std::string(of_what);
}

boost::json::object to_json(const extent& seen) {
  return {{"selected", seen.selected}, {"results", seen.results}, {"interrupted", seen.interrupted}};
}

void put_origin(boost::json::object& all) {
  all["version"] = version();
  all["build"] = build_id();
  all["commit"] = commit();
  all["compiler"] = compiler();
  all["boost"] = boost_version();
}

std::vector<std::string> message_lines(const std::string& message) {
  constexpr std::string_view observed = "; observed: ";
  // A value may hold these words as well; what was observed is what comes last.
  const std::size_t at = message.starts_with("expected: ") ? message.rfind(observed) : std::string::npos;
  if (at == std::string::npos) return {message};
  return {message.substr(0, at), message.substr(at + 2)};
}

std::string advice(const run_report& report) {
  if (report.unstarted == 0) return {};
  const bool one = report.unstarted == 1;
  return std::to_string(report.unstarted) + (one ? " testee" : " testees") +
         " could not be used, so nothing is known of " + (one ? "its" : "their") +
         " subjects: the problems say why. ci/build-testees installs and builds what the testees of "
         "testees/testees.json need; another one must start by its own command. Then run this again.";
}

std::string library_of(const std::string& contract, const std::string& subject) {
  const subject_base* const found = catalogue::instance().find_subject(contract, subject);
  if (found == nullptr) return {};
  const subject_traits& traits = found->traits();
  return traits.library.empty() ? traits.written_in : traits.library;
}

const finding* recorded_as(const run_report& report, const campaign_result& one) {
  if (!report.compared || one.kind != subject_kind::third_party) return nullptr;
  const std::string name = one.subject + " " + one.scenario();
  const auto found = std::find_if(report.findings.confirmed.begin(), report.findings.confirmed.end(),
                                  [&](const finding& known) { return known.name() == name; });
  return found == report.findings.confirmed.end() ? nullptr : &*found;
}

std::vector<misplugged_subject> misplugged_subjects(const run_report& report) {
  std::vector<misplugged_subject> all;
  for (const campaign_result& one : report.results) {
    if (!one.misplugged) continue;
    const auto known = std::find_if(all.begin(), all.end(), [&one](const misplugged_subject& other) {
      return other.first->subject == one.subject && other.first->contract == one.contract;
    });
    if (known != all.end()) {
      ++known->scenarios;
    } else {
      all.push_back({&one, 1});
    }
  }
  return all;
}

std::string unjudged(const misplugged_subject& one) {
  return std::to_string(one.scenarios) + (one.scenarios == 1 ? " scenario is" : " scenarios are") +
         " not judged; mend the adapter first";
}

std::string shown_under(const campaign_result& one) {
  if (one.shown_by.empty()) return "no single trial";
  if (one.shown_by == plug_phase)
    return "the plug check: one operation at a time, first in, first out, nothing disturbed";
  if (one.shown_by == baseline_phase) return "the baseline trial: first in, first out, nothing disturbed";
  if (one.shown_by == "random ties")
    return one.shown_by +
           ": handlers in first-in-first-out order, timers that are due at once in another order";
  if (one.shown_by == late_phase)
    return one.shown_by + ": timers with different deadlines were due together" +
           (one.outcome_fifo != verdict::pass ? ", with handlers in first-in-first-out order"
                                              : ", and handlers in another order than first in, first out");
  if (one.outcome_fifo != verdict::pass) return one.shown_by + ", with handlers in first-in-first-out order";
  return one.shown_by + " of handlers, and not by first-in-first-out order";
}

int exit_status(const run_report& report) {
  bool violated = false;
  bool error = !report.problems.empty();
  bool anything = false;
  for (const campaign_result& one : report.results) {
    // Where findings are recorded, what third parties do is judged by the record.
    const bool recorded = report.compared && one.kind == subject_kind::third_party;
    const verdict judged = report.judged(one);
    if (judged != verdict::skip) anything = true;
    // Of an adapter the record says nothing, nor of what the machine has refused.
    if (recorded && !one.misplugged && !one.unrun) continue;
    if (report.violates(one)) violated = true;
    if (judged == verdict::error) error = true;
  }
  if (report.compared && !report.findings.same()) violated = true;
  if (report.interrupted) return interrupted_status;
  if (violated) return 1;
  return error || !anything ? 2 : 0;
}

std::string replay_command(const std::string& program, const std::string& token) {
  // The token's third field is the subject, which may live in a testee.
  const std::size_t subject = token.find(':', token.find(':') + 1) + 1;
  const std::string options =
      testee::options_for(std::string_view(token).substr(std::min(subject, token.size())));
  const std::string named = token.size() > token_on_command_line_max ? "@FILE.token" : shell_quoted(token);
  return shell_quoted(program) + " replay " + named + (options.empty() ? "" : " " + options);
}

std::string wrap(std::string_view text, std::size_t indent, std::size_t width) {
  const std::string margin(indent, ' ');
  std::string out;
  std::size_t column = 0;
  std::istringstream words{std::string(text)};
  for (std::string word; words >> word;) {
    if (column == 0) {
      out += margin + word;
      column = indent + word.size();
    } else if (column + 1 + word.size() > width) {
      out += '\n' + margin + word;
      column = indent + word.size();
    } else {
      out += ' ' + word;
      column += 1 + word.size();
    }
  }
  return out;
}

void write_failures(const std::filesystem::path& folder, const run_report& report) {
  const std::filesystem::path failures = folder / "failures";
  for (const campaign_result& one : report.results) {
    const std::string stem = file_stem(one);
    if (!is_bad(one.outcome)) {
      for (const char* const ending : {".token", ".story", ".trace"}) {
        std::filesystem::remove(failures / (stem + ending));
      }
      continue;
    }
    std::filesystem::create_directories(failures);
    write_file(failures / (stem + ".token"), one.token + '\n');
    write_file(failures / (stem + ".story"),
               one.subject + ' ' + one.scenario() + ": " + std::string(to_string(one.outcome)) + "\n" +
                   joined(message_lines(one.message)) + "shown by: " + one.shown_by +
                   "\ntrace: " + one.trace_hash + "\n" + joined(one.story));
    write_file(failures / (stem + ".trace"), joined(one.trace));
  }
}

}  // namespace assay
