#include <assay/harness/campaign/own_test.hpp>

#include <sys/single_threaded.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/campaign/bare_subject.hpp>
#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/forked_trial.hpp>
#include <assay/harness/campaign/mirror.hpp>
#include <assay/harness/campaign/quiet_output.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/shrink.hpp>
#include <assay/harness/campaign/story.hpp>
#include <assay/harness/campaign/sudden_end.hpp>
#include <assay/harness/campaign/system.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/spelling.hpp>
#include <assay/harness/choice/token.hpp>
#include <assay/harness/sim/clock.hpp>

namespace assay::detail {

namespace {

struct arguments {
  std::uint32_t schedules = 200;
  std::uint64_t seed = 1;
  bool seed_is_random = false;
  std::string replay;
  std::uint64_t break_at = 0;
  std::filesystem::path report = program_folder() / "assay-report";
  std::chrono::seconds hang_after{30};
  bool all_output = false;  // what every trial prints is shown
  order_model order = order_model::any;
  std::chrono::seconds time{0};
};

// Those that init was given; nothing if it was not called.
std::optional<std::vector<std::string>>& kept_arguments() {
  static std::optional<std::vector<std::string>> kept;
  return kept;
}

// GoogleTest takes its own arguments out of argv and leaves ours, but its main does not hand them on.
std::vector<std::string> command_line() {
  if (const auto& kept = kept_arguments()) return *kept;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  std::vector<std::string> words;
  std::istringstream in(all);
  for (std::string word; std::getline(in, word, '\0');) words.push_back(word);
  return words;
}

template <class Number>
Number parse(std::string_view said, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::invalid_argument(std::string(said) + " takes a number, not '" + std::string(text) + "'");
  }
  return value;
}

// False if there is no such argument.
bool take(arguments& into, std::string_view said, std::string_view name, std::string_view value) {
  if (name == "schedules") {
    into.schedules = parse<std::uint32_t>(said, value);
  } else if (name == "seed" && value == "random") {
    into.seed = std::random_device()();
    into.seed_is_random = true;
  } else if (name == "seed") {
    into.seed = parse<std::uint64_t>(said, value);
  } else if (name == "replay") {
    // As a word of its own the token would be nobody's, and the test would explore instead.
    if (value.empty()) throw std::invalid_argument("--assay_replay needs its token: --assay_replay=TOKEN");
    into.replay = value;
  } else if (name == "break_at") {
    into.break_at = parse<std::uint64_t>(said, value);
  } else if (name == "report") {
    into.report = std::string(value);
  } else if (name == "output") {
    if (value != "all" && value != "shrunk")
      throw std::invalid_argument(std::string(said) + " takes all or shrunk, not '" + std::string(value) +
                                  "'");
    into.all_output = value == "all";
  } else if (name == "order") {
    if (value != "any" && value != "fifo")
      throw std::invalid_argument(std::string(said) + " is any or fifo, not '" + std::string(value) + "'");
    into.order = value == "fifo" ? order_model::fifo : order_model::any;
  } else if (name == "time") {
    into.time = std::chrono::seconds(parse<std::uint32_t>(said, value));
  } else if (name == "hang_after") {
    into.hang_after = std::chrono::seconds(parse<std::uint32_t>(said, value));
  } else {
    return false;
  }
  return true;
}

// What the environment says holds where the command line says nothing: who is started by an IDE or by ctest has no other way.
constexpr std::pair<const char*, std::string_view> variables[] = {
    {"ASSAY_ORDER", "order"},         {"ASSAY_TIME", "time"},
    {"ASSAY_SCHEDULES", "schedules"}, {"ASSAY_SEED", "seed"},
    {"ASSAY_REPLAY", "replay"},       {"ASSAY_BREAK_AT", "break_at"},
    {"ASSAY_REPORT_DIR", "report"},   {"ASSAY_HANG_AFTER", "hang_after"},
    {"ASSAY_OUTPUT", "output"}};

constexpr const char* help = R"(
Arguments of ASSAY_TESTs, which run in virtual time under many schedules (the environment variable says the same):
  --assay_schedules=N   ASSAY_SCHEDULES    random schedules per test (default 200)
  --assay_seed=S        ASSAY_SEED         their seed, a number or `random` (default 1)
  --assay_replay=TOKEN  ASSAY_REPLAY       one trial, exactly as it was; TOKEN may be @FILE
  --assay_order=MODEL   ASSAY_ORDER        `any` (default): every order that executors' documentation allows; `fifo`
  --assay_time=S        ASSAY_TIME         goes on exploring for S seconds, for each test (default 0)
  --assay_break_at=N    ASSAY_BREAK_AT     of a replay: stop in the debugger when event N happens
  --assay_report=DIR    ASSAY_REPORT_DIR   where failures leave their files (default: assay-report beside the program)
  --assay_output=all    ASSAY_OUTPUT       shows what every trial prints, not the shrunk failing one alone
  --assay_hang_after=S  ASSAY_HANG_AFTER   seconds of real time after which a turn is a hang (default 30); 0: never
)";

[[noreturn]] void refuse_argument(const std::string& word) {
  throw std::invalid_argument(
      "unknown argument '" + word +
      "'; there are --assay_schedules, --assay_seed, --assay_replay, --assay_order, "
      "--assay_time, --assay_break_at, --assay_report, --assay_output and --assay_hang_after");
}

arguments read_arguments() {
  arguments result;
  for (const auto& [variable, name] : variables) {
    if (const char* const value = std::getenv(variable); value != nullptr && *value != '\0')
      (void)take(result, variable, name, value);
  }
  std::set<std::string> seen;
  constexpr std::string_view prefix = "--assay_";
  for (const std::string& word : command_line()) {
    if (word.starts_with("--assay") && !word.starts_with(prefix)) refuse_argument(word);
    if (!word.starts_with(prefix)) continue;
    const std::string_view rest = std::string_view(word).substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('='));
    const std::string_view value = rest.substr(std::min(rest.size(), name.size() + 1));
    if (!seen.insert(std::string(name)).second)
      throw std::invalid_argument("--assay_" + std::string(name) + " is given twice");
    if (!take(result, word.substr(0, word.find('=')), name, value)) refuse_argument(word);
  }
  if (debugger_attached()) {
    result.hang_after = {};  // who steps through a turn may take his time
    result.all_output = true;
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

// A report that cannot be written must not hide the failure itself, which says what has become of it.
std::string write_files(const std::filesystem::path& folder, const campaign_result& seen,
                        const std::string& printed, const std::string& replay) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::string name = seen.contract + "." + seen.clause;
  std::replace(name.begin(), name.end(), '/', '_');  // of tests with parameters
  const std::string stem = (folder / name).string();
  bool written = true;
  const auto write = [&](const char* ending, const std::string& text) {
    std::ofstream out(stem + ending);
    out << text << std::flush;
    written = written && out.good();
  };
  write(".token", seen.token + "\n");
  write(".story", seen.message + "\n" + joined(seen.story));
  if (!printed.empty()) write(".output", printed);
  write(".trace", "hash " + seen.trace_hash + "\n" + joined(seen.trace));
  const bool drawn =
      write_pictures != nullptr && !seen.drawn.events.empty() && write_pictures(stem, seen, replay);
  return "Token, story and trace " + std::string(written ? "are in " : "could not be written to ") +
         folder.string() + "/\n" +
         (drawn ? "A browser shows it: " + stem + ".html; ui.perfetto.dev opens " + stem + ".perfetto.json\n"
                : "");
}

std::string filter_of(const scenario_info& scenario) { return scenario.contract + "." + scenario.clause; }

// What every token of an ASSAY_TEST names as its subject.
constexpr const char* own_name = "own";

// "suite/test" as GoogleTest writes it.
std::string gtest_name(std::string scenario) {
  // Those with parameters have more of them, and only the program's own list says which is which.
  const std::size_t slash = scenario.find('/');
  if (slash != std::string::npos && slash == scenario.rfind('/')) scenario[slash] = '.';
  return scenario;
}

// Of the test that is running.
const scenario_traits* running = nullptr;

// Whether a test has done what the arguments ask for, or has said that it could not.
bool answered = false;

// The trials of a test that end this process, should they end it, with a word.
class watched_trials {
 public:
  /// Each begins with an empty `output`, unless that is null.
  watched_trials(const own_test& test, const subject_base& own, const arguments& given,
                 quiet_output* output = nullptr)
      : guard_(mirror_, given.hang_after, filter_of(test.scenario),
               encode_head(make_token(own, test.scenario, trial_settings(), {}, run_end::cut))) {
    observer_.mirror = &mirror_;
    observer_.events = &mirror_;
    observer_.trial_begins = [this, output](const trial_settings& settings) {
      mirror_.trial_begins(settings);
      if (output != nullptr) output->drop();
    };
  }
  const campaign_observer& observer() const noexcept { return observer_; }

 private:
  shared_mirror mirror_;
  campaign_observer observer_;
  sudden_end_guard guard_;
};

replay_plan plan_of(const replay_token& token, const own_test& test, const subject_base& own) {
  replay_plan plan;
  plan.chosen = &own;
  plan.scenario = &test.scenario;
  plan.settings = settings_of(token);
  plan.plan = token.plan;
  plan.cut = was_cut(token);
  return plan;
}

own_test_report replay_one(const own_test& test, const subject_base& own, const arguments& given) {
  const replay_token token = read_token(given.replay);
  own_test_report report;
  if (token.scenario != test.scenario.name() || token.subject != own_name) {
    report.skipped = true;
    report.text = "--assay_replay is of " + gtest_name(token.scenario);
    return report;
  }
  answered = true;
  replay_plan plan = plan_of(token, test, own);
  plan.settings.break_at = given.break_at;
  plan.settings.explained = true;
  if (plan.cut)
    std::cerr << "The token recorded a crash or a hang. If it comes again, it ends this process:"
              << std::endl;
  const watched_trials watched(test, own, given);
  const trial_result seen = replay(plan, true, &watched.observer());
  report.passed = seen.passed();
  const std::string other = token.build == build_id() ? std::string()
                                                      : "Another build made the token (" + token.build +
                                                            "); this one is " + build_id() + ".\n";
  const std::string hash = "trace " + format_hash(seen.events->hash()) + "\n";
  if (report.passed) {
    report.text = other + "The replayed trial of " + filter_of(test.scenario) + " passes: " + hash;
  } else {
    report.text = seen.message + "\n" + other + joined(tell(*seen.events)) + hash;
  }
  return report;
}

// Before any trial of the test has run. A trial that has a process of its own is as well off; and a process with threads cannot
// be forked.
std::unique_ptr<waiting_trial> untouched_trial(const own_test& test, const subject_base& own,
                                               const arguments& given) {
  if (test.isolated || __libc_single_threaded == 0) return nullptr;
  return std::make_unique<waiting_trial>(
      given.hang_after, [&](const std::string& asked, const campaign_observer& observer) {
        return replay(plan_of(decode_token(asked), test, own), true, &observer);
      });
}

// Why the failure is not the schedule's, where the trial passes, or fails in another way, if no other has run before it; else
// empty. `here` is the failing trial, run again.
std::string explain_unrepeated(const trial_result& here, const trial_result& there) {
  if (same_failure(here, there) || there.kind == failure_kind::crashed || there.kind == failure_kind::hung)
    return {};
  return "; but it does not fail like that where no trial of the test has run before it, there it ends with "
         "'" +
         (there.passed() ? "pass" : there.message) + "': " + outside_the_trial(*here.events, *there.events);
}

// What the test asks for and has not got, or has and does not ask for. It is a failure: nothing else tells that a sweep was left
// out, and whoever meant it so has a word to delete. Empty if nothing is wrong.
std::string complain_of_sweeps(const scenario_traits& traits, const campaign_result& seen) {
  if (traits.swept && !seen.victim_named)
    return "vacuous: .swept asks for a cancel at every point, and no trial named a victim; say "
           "t.victim(operation)";
  if (traits.swept && seen.cancel_points == 0)
    return "vacuous: .swept asks for a cancel at every point, and the victim came past none: it never waited";
  if (!traits.swept && traits.ends_when_cancelled)
    return ".ends_when_cancelled is about what a sweep cancels, and the test is not swept; say .swept = true";
  if (!traits.swept && seen.victim_named)
    return "t.victim names what a sweep cancels, and the test is not swept; say .swept = true";
  if (traits.faulted && seen.fault_points == 0)
    return "vacuous: .faulted asks for a fault at every call, and no dependency was called";
  return {};
}

std::string of(std::uint32_t covered, std::uint32_t all, const char* what) {
  return all == 0 ? std::string() : ", " + std::to_string(covered) + " of " + std::to_string(all) + what;
}

// What a pass is worth.
std::string covered(const own_test& test, const campaign_result& seen, order_model model) {
  std::string text = filter_of(test.scenario) + " passes: " + std::to_string(seen.trials) + " trials";
  if (test.scenario.traits.fifo_only || model == order_model::fifo) {
    text += ", handlers first in, first out";
  } else if (!seen.body_suspended) {
    text += "; its body never suspends, so a plain TEST would show as much";
  } else if (seen.schedules == 0 && !seen.exhausted) {
    text += "; no schedule was asked for";
  } else if (seen.schedules == 0) {
    text +=
        "; nothing was left open, so there is one schedule only (operations that run side by side, between "
        "fewer and longer steps of the clock, leave more open)";
  } else {
    text += ", " + std::to_string(seen.schedules) + " of them schedules" +
            (seen.exhausted ? ", which are all that there are (" : " (") +
            std::to_string(seen.order_classes) + (seen.order_classes == 1 ? " order)" : " different orders)");
  }
  return text + of(seen.cancel_points_covered, seen.cancel_points, " cancel points") +
         of(seen.fault_points_covered, seen.fault_points, " fault points") + "\n";
}

// Of a trial, that are shown: what is more is in a file.
constexpr std::size_t printed_lines_max = 100;
constexpr std::size_t story_lines_first = 50;
constexpr std::size_t story_lines_last = 150;

// A story whose middle is left out if it is long: how it begins and how it fails is what is read.
std::string shortened(const std::vector<std::string>& story) {
  if (story.size() <= story_lines_first + story_lines_last) return joined(story);
  const auto first = story.begin() + static_cast<std::ptrdiff_t>(story_lines_first);
  const auto last = story.end() - static_cast<std::ptrdiff_t>(story_lines_last);
  return joined({story.begin(), first}) + "... " + std::to_string(last - first) +
         " lines are left out; the file of the story has them ...\n" + joined({last, story.end()});
}

// The campaign; and while there is time, and something is left open, further schedules with the seeds that follow. `options`
// ends with the last of them.
campaign_result run_for(std::chrono::seconds time, const subject_base& own, const scenario_info& scenario,
                        campaign_options& options, const campaign_observer* observer) {
  const std::chrono::nanoseconds end = real_time() + time;
  options.list_orders = time.count() > 0;
  campaign_result all = run_campaign(own, scenario, options, observer);
  if (!options.list_orders) return all;
  std::set<std::uint64_t> orders(all.orders.begin(), all.orders.end());
  // Under order model `fifo` what is random is among what is systematic.
  options.systematic = options.orders == order_model::fifo || scenario.traits.fifo_only;
  constexpr std::uint64_t bare = 2;  // a baseline trial, twice: there was nothing else to do
  bool open = all.trials > bare && !all.exhausted;
  while (open && all.outcome == verdict::pass) {
    ++options.seed;
    campaign_result more = run_campaign(own, scenario, options, observer);
    open = more.trials > bare && !more.exhausted && real_time() < end;
    orders.insert(more.orders.begin(), more.orders.end());
    more.trials += all.trials;
    if (more.outcome != verdict::pass) return more;
    all.trials = more.trials;
    all.schedules += more.schedules;
    all.order_classes = orders.size();
  }
  return all;
}

own_test_report explore(const own_test& test, const subject_base& own, const arguments& given) {
  campaign_options options;
  options.orders = given.order;
  options.schedules = given.schedules;
  options.seed = given.seed;
  if (test.isolated) options.run = forked_trials(given.hang_after);
  std::optional<quiet_output> output;
  if (!given.all_output) output.emplace();
  const std::unique_ptr<waiting_trial> untouched = untouched_trial(test, own, given);
  const watched_trials watched(test, own, given, output ? &*output : nullptr);
  const campaign_result seen = run_for(given.time, own, test.scenario, options, &watched.observer());
  const std::string printed = output ? output->take() : std::string();  // by the last trial, the shrunk one
  own_test_report report;
  if (seen.outcome == verdict::skip) {
    report.skipped = true;
    report.text = seen.message;
    return report;
  }
  report.passed = seen.outcome == verdict::pass;
  if (report.passed) {
    report.text = complain_of_sweeps(test.scenario.traits, seen);
    report.passed = report.text.empty();
    if (report.passed) report.text = covered(test, seen, given.order);
    return report;
  }
  std::string unrepeated;
  if (untouched != nullptr) {
    const trial_result here = replay(plan_of(decode_token(seen.token), test, own), true, &watched.observer());
    unrepeated = explain_unrepeated(here, untouched->run(seen.token));
  }
  const std::string again = "--gtest_filter=" + filter_of(test.scenario) + " --assay_replay=" + seen.token;
  const std::string files = write_files(given.report, seen, printed, again);
  // Nothing has found what is no matter of the schedule.
  const bool found = unrepeated.empty() && !seen.shown_by.empty();
  report.text =
      seen.message + unrepeated + "\n\n" +
      (found ? "Found by: " + seen.shown_by + ", after " : "Seen after ") + std::to_string(seen.trials) +
      " trials (seed " + std::to_string(options.seed) +
      (found ? "). The shrunk trial:\n" : "). The trial:\n") + shortened(seen.story) +
      (printed.empty() ? "" : "\nIt printed:\n" + last_lines(printed, printed_lines_max, "  ")) +
      "\nTo see it again:\n  " + again +
      (seen.failed_at > 0
           ? "\nand with gdb --args before it, and --assay_break_at=" + std::to_string(seen.failed_at) +
                 " behind it, a debugger stops where it fails."
           : "") +
      "\n" + files;
  return report;
}

// Why no test has done the replay.
std::string explain_unanswered(const replay_token& token, const std::vector<known_test>& all) {
  std::string wanted = gtest_name(token.scenario);
  for (const known_test& one : all) {
    if (one.suite + "/" + one.name == token.scenario) wanted = one.suite + "." + one.name;
  }
  const std::string nothing = "Nothing was replayed: the token is of " + wanted;
  if (token.subject != own_name) {
    return nothing + " with the subject '" + token.subject +
           "', and that is no ASSAY_TEST; the program that made it has the verb `replay`";
  }
  std::vector<std::string> names;
  for (const known_test& one : all) {
    names.push_back(one.suite + "." + one.name);
    if (names.back() != wanted) continue;
    if (one.runs) return nothing + ", which has run, but is no ASSAY_TEST any more";
    if (one.in_another_shard) return nothing + ", which GTEST_TOTAL_SHARDS leaves to another shard; unset it";
    constexpr std::string_view disabled = "DISABLED_";
    if (one.suite.starts_with(disabled) || one.name.starts_with(disabled))
      return nothing + ", which is disabled; add --gtest_also_run_disabled_tests";
    return nothing + ", which the filter leaves out; add --gtest_filter=" + wanted;
  }
  return nothing + ", which this program does not have" + suggestion(wanted, names);
}

}  // namespace

std::string complain_at_end(const std::vector<known_test>& all) {
  if (std::exchange(answered, false)) return {};
  try {
    const arguments given = read_arguments();
    return given.replay.empty() ? std::string() : explain_unanswered(read_token(given.replay), all);
  } catch (const std::exception& error) {
    return error.what();
  }
}

void help_if_asked() {
  // As GoogleTest itself is asked, which prints its own help and runs nothing.
  constexpr std::string_view questions[] = {"--help", "-h", "-?", "/?"};
  for (const std::string& word : command_line()) {
    if (std::find(std::begin(questions), std::end(questions), word) == std::end(questions)) continue;
    std::atexit([] { std::cout << help << std::flush; });
    return;
  }
}

void take_arguments(int* argc, char** argv) {
  std::vector<std::string>& kept = kept_arguments().emplace();
  int left = 0;
  for (int i = 0; i < *argc; ++i) {
    if (i > 0 && std::string_view(argv[i]).starts_with("--assay")) {
      kept.emplace_back(argv[i]);
    } else {
      argv[left++] = argv[i];
    }
  }
  *argc = left;
  argv[left] = nullptr;
}

void begin_own_trial(trial& t) {
  t.end_with_body();
  if (!running->detached_may_throw) t.judge_detached();
  if (running->ends_when_cancelled) t.require_end_of_victim();
}

own_test_report run_own_test(const own_test& test) {
  running = &test.scenario.traits;
  const bare_subject own(own_name, test.scenario.contract);
  try {
    const arguments given = read_arguments();
    return given.replay.empty() ? explore(test, own, given) : replay_one(test, own, given);
  } catch (const std::exception& error) {
    answered = true;
    own_test_report report;
    report.passed = false;
    report.text = error.what();
    return report;
  }
}

}  // namespace assay::detail
