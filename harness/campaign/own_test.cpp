#include "harness/campaign/own_test.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "harness/campaign/bare_subject.hpp"
#include "harness/campaign/campaign.hpp"
#include "harness/campaign/forked_trial.hpp"
#include "harness/campaign/replay.hpp"
#include "harness/campaign/story.hpp"
#include "harness/campaign/version.hpp"

namespace assay::detail {

namespace {

struct arguments {
  std::uint32_t schedules = 200;
  std::uint64_t seed = 1;
  bool seed_is_random = false;
  std::string replay;
  std::uint64_t break_at = 0;
  std::filesystem::path report = "report";
};

// GoogleTest takes its own arguments out of argv and leaves ours, but its main does not hand them on.
std::vector<std::string> command_line() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> words;
  std::istringstream in(all);
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  return words;
}

template <class Number>
Number parse(std::string_view name, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument("--assay_" + std::string(name) + " takes a number, not '" +
                                std::string(text) + "'");
  }
  return value;
}

arguments read_arguments() {
  arguments result;
  if (const char* const folder = std::getenv("ASSAY_REPORT_DIR")) result.report = folder;
  constexpr std::string_view prefix = "--assay_";
  for (const std::string& word : command_line()) {
    if (!word.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(word).substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('='));
    const std::string_view value = rest.substr(std::min(rest.size(), name.size() + 1));
    if (name == "schedules") {
      result.schedules = parse<std::uint32_t>(name, value);
    } else if (name == "seed" && value == "random") {
      result.seed = std::random_device()();
      result.seed_is_random = true;
    } else if (name == "seed") {
      result.seed = parse<std::uint64_t>(name, value);
    } else if (name == "replay") {
      result.replay = value;
    } else if (name == "break_at") {
      result.break_at = parse<std::uint64_t>(name, value);
    } else if (name == "report") {
      result.report = std::string(value);
    } else {
      throw std::invalid_argument("unknown argument '" + word +
                                  "'; there are --assay_schedules, --assay_seed, --assay_replay, "
                                  "--assay_break_at and --assay_report");
    }
  }
  if (result.break_at != 0 && result.replay.empty())
    throw std::invalid_argument("--assay_break_at needs --assay_replay=TOKEN");
  if (result.break_at != 0 && !debugger_attached())
    throw std::invalid_argument("--assay_break_at needs a debugger: start this program with gdb --args");
  return result;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

void write_files(const std::filesystem::path& folder, const campaign_result& seen) {
  std::error_code ignored;  // a report that cannot be written must not hide the failure itself
  std::filesystem::create_directories(folder, ignored);
  const std::filesystem::path stem = folder / (seen.contract + "." + seen.clause);
  std::ofstream(stem.string() + ".token") << seen.token << '\n';
  std::ofstream(stem.string() + ".story") << seen.message << '\n' << joined(seen.story);
  std::ofstream(stem.string() + ".trace") << "hash " << seen.trace_hash << '\n' << joined(seen.trace);
}

std::string filter_of(const scenario_info& scenario) { return scenario.contract + "." + scenario.clause; }

own_test_report replay_one(const own_test& test, const subject_base& own, const arguments& given) {
  const replay_token token = read_token(given.replay);
  if (token.scenario != test.scenario.name())
    return {};  // another test's token; the filter should have said so
  replay_plan plan{&own, &test.scenario, settings_of(token), token.plan, token.build != build_id()};
  plan.settings.break_at = given.break_at;
  const trial_result seen = replay(plan);
  own_test_report report;
  report.passed = seen.passed();
  report.text =
      seen.message + "\n" + joined(tell(*seen.events)) + "trace " + format_hash(seen.events->hash()) + "\n";
  return report;
}

own_test_report explore(const own_test& test, const subject_base& own, const arguments& given) {
  campaign_options options;
  options.schedules = given.schedules;
  options.seed = given.seed;
  if (test.isolated) options.run = run_forked_trial;
  const campaign_result seen = run_campaign(own, test.scenario, options);
  own_test_report report;
  report.passed = seen.outcome == verdict::pass;
  if (report.passed) return report;
  write_files(given.report, seen);
  report.text =
      seen.message + "\n\nFound by: " + seen.shown_by + ", after " + std::to_string(seen.trials) +
      " trials (seed " + std::to_string(given.seed) + "). The shrunk trial:\n" + joined(seen.story) +
      "\nTo see it again:\n  --gtest_filter=" + filter_of(test.scenario) + " --assay_replay=" + seen.token +
      (seen.failed_at > 0
           ? "\nand with gdb --args before it, and --assay_break_at=" + std::to_string(seen.failed_at) +
                 " behind it, a debugger stops where it fails."
           : "") +
      "\nToken, story and trace are in " + given.report.string() + "/\n";
  return report;
}

}  // namespace

own_test_report run_own_test(const own_test& test) {
  const bare_subject own("own", test.scenario.contract);
  try {
    const arguments given = read_arguments();
    return given.replay.empty() ? explore(test, own, given) : replay_one(test, own, given);
  } catch (const std::exception& error) {
    return {false, error.what()};
  }
}

}  // namespace assay::detail
