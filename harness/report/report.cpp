#include "harness/report/report.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "harness/report/names.hpp"
#include "harness/testee/host.hpp"

namespace assay {

namespace {

// A longer token is better read from its file than from a command line.
constexpr std::size_t token_on_command_line_max = 4000;

void write_file(const std::filesystem::path& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  if (!out.flush()) throw std::runtime_error("cannot write '" + path.string() + "'");
}

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
  if (catalogue::instance().dispute_of(result.clause) != nullptr) return false;
  return result.level == level::must || (strict && result.level == level::should);
}

void tally::count(verdict value) noexcept {
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
  for (const campaign_result& one : report.results) {
    if (all.empty() || all.back().contract != one.contract || all.back().subject != one.subject)
      all.push_back({one.contract, one.subject, {}, {}, 0});
    pattern_tally& sum = all.back();
    sum.all.count(report.judged(one));
    if (one.core) sum.core.count(report.judged(one));
    sum.trials += one.trials;
  }
  return all;
}

std::string_view profile_verdict(const tally& sum) noexcept {
  if (sum.failed > 0) return "fails";
  if (sum.errors > 0) return "error";
  return sum.passed > 0 ? "conforms" : "not run";
}

const finding* recorded_as(const run_report& report, const campaign_result& one) {
  if (!report.compared || one.kind != subject_kind::third_party) return nullptr;
  const std::string name = one.subject + " " + one.scenario();
  const auto found = std::find_if(report.findings.confirmed.begin(), report.findings.confirmed.end(),
                                  [&](const finding& known) { return known.name() == name; });
  return found == report.findings.confirmed.end() ? nullptr : &*found;
}

std::string shown_under(const campaign_result& one) {
  if (one.shown_by.empty()) return "no single trial shows it";
  const std::string phase = " (" + one.shown_by + ")";
  if (one.shown_by == "random ties")
    return "handlers in first-in-first-out order show it, with timers that are due at once in another order" +
           phase;
  if (one.outcome_fifo != verdict::pass) return "first-in-first-out order already shows it" + phase;
  return "only a permuted order of handlers shows it" + phase;
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
    if (recorded) continue;
    if (report.violates(one)) violated = true;
    if (judged == verdict::error) error = true;
  }
  if (report.compared && !report.findings.same()) violated = true;
  if (report.interrupted) return 130;
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
    write_file(failures / (stem + ".story"), one.subject + ' ' + one.scenario() + ": " +
                                                 std::string(to_string(one.outcome)) + "\n" + one.message +
                                                 "\nshown by: " + one.shown_by +
                                                 "\ntrace: " + one.trace_hash + "\n" + joined(one.story));
    write_file(failures / (stem + ".trace"), joined(one.trace));
  }
}

}  // namespace assay
