#include <assay/harness/cli/command_line.hpp>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <functional>
#include <iostream>
#include <limits>
#include <map>
#include <random>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/spelling.hpp>
#include <assay/harness/choice/strategy.hpp>

namespace assay {

namespace {

constexpr const char* introduction =
    "assay checks implementations of async patterns against a numbered standard: under\n"
    "every legal order of events, under cancellation at every point, under every fault.\n"
    "\n"
    "  assay run                          the reference and the third parties, as a table\n"
    "  assay run --clause 'BQ-*' --report DIR   some of it, and a page for the browser\n"
    "  assay replay TOKEN --trace         see a failure again, step by step\n"
    "  assay mutants                      which wrong implementations are caught by what\n"
    "  assay explore --time 600           look for longer than a run does\n"
    "  assay diff OLD.json NEW.json       what is worse, better or covered less than before\n"
    "  assay allocations, bugs            fail every allocation; try strategies on known bugs\n"
    "  assay list, standard, lint, doctor what there is, what it says, whether all is sound\n"
    "\n"
    "assay VERB --help explains a verb's options, assay --version the build.\n"
    "Exit status: 0 conforms, 1 a MUST clause is violated, 2 error or nothing but skips,\n"
    "64 misuse of the command line, 130 interrupted.\n";

std::uint64_t read_number(const std::string& option, const std::string& text, std::uint64_t least,
                          std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool whole = failure == std::errc() && end == text.data() + text.size();
  if (whole && value >= least && value <= most) return value;
  throw usage_error(option + " takes a whole number from " + std::to_string(least) + " to " +
                    std::to_string(most) + ", not '" + text + "'");
}

std::string read_word(const std::string& option, const std::string& text,
                      const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), text) != words.end()) return text;
  std::string known;
  for (const std::string& word : words) known += (known.empty() ? "" : ", ") + word;
  throw usage_error(option + " takes one of " + known + ", not '" + text + "'" + suggestion(text, words));
}

void print_version() {
  std::cout << "assay " << version() << "\nbuild " << build_id() << "\ncommit " << commit() << "\ncompiler "
            << compiler() << "\nBoost " << boost_version() << '\n';
}

std::string shown(int argc, char** argv) {
  std::string text;
  for (int i = 0; i < argc; ++i) {
    text += (i == 0 ? "" : " ") + shell_quoted(argv[i]);
  }
  return text;
}

// What CLI11 fills: text, so that every complaint about a value is worded here, and names it.
class reader {
 public:
  reader(int argc, char** argv) : argc_(argc), argv_(argv) {
    line_.program = argc > 0 ? argv[0] : "assay";
    line_.text = shown(argc, argv);
    app_.name("assay");
    app_.require_subcommand(0, 1);
    app_.set_help_flag("-h,--help", "Explain, and do nothing else");
    app_.add_flag("--version", version_, "Say which build this is");
    add_list();
    add_standard();
    add_run();
    add_mutants();
    add_replay();
    add_explore();
    add_allocations();
    add_hashes();
    add_bugs();
    add_diff();
    add_lint();
    add_doctor();
    add_completion();
    CLI::App* const worker = add_verb("worker", verb::worker, "", "");
    worker->add_option("socket", line_.worker_socket);
    worker->add_option("mirror", line_.worker_mirror);
    worker->add_option("testees", line_.worker_testees);
    worker->group("");
  }

  parsed read() {
    // What follows may be anything.
    if (argc_ > 1 && std::string_view(argv_[1]) == complete_verb) {
      for (const std::string& one : completions({argv_ + 2, argv_ + argc_})) std::cout << one << '\n';
      return {line_, 0};
    }
    try {
      app_.parse(argc_, argv_);
    } catch (const CLI::CallForHelp&) {
      help();
      return {line_, 0};
    } catch (const CLI::ParseError& failure) {
      complain(failure);
    }
    if (version_) {
      print_version();
      return {line_, 0};
    }
    if (app_.get_subcommands().empty()) {
      std::cout << introduction;
      return {line_, 64};
    }
    CLI::App* const chosen = app_.get_subcommands().front();
    line_.what = verbs_.at(chosen->get_name());
    for (const auto& interpret : interpretations_) interpret();
    check_together();
    return {line_, std::nullopt};
  }

 private:
  CLI::App* add_verb(const std::string& name, verb what, const std::string& about,
                     const std::string& examples) {
    CLI::App* const added = app_.add_subcommand(name, about);
    added->set_help_flag("-h,--help", "Explain, and do nothing else");
    added->footer("Examples:\n" + examples);
    verbs_[name] = what;
    return added;
  }

  // An option given at most once, whose text is interpreted after parsing and only if it was given.
  CLI::Option* text_option(CLI::App* verb, const std::string& name, const std::string& about,
                           const std::string& what, std::function<void(const std::string&)> interpret) {
    texts_.push_back(std::make_unique<std::string>());
    std::string* const text = texts_.back().get();
    CLI::Option* const option = verb->add_option(name, *text, about)->type_name(what);
    interpretations_.push_back([option, text, interpret = std::move(interpret)] {
      if (option->count() > 0) interpret(*text);
    });
    return option;
  }

  void number_option(CLI::App* verb, const std::string& name, const std::string& about, std::uint64_t least,
                     std::uint64_t most, std::function<void(std::uint64_t)> take) {
    text_option(verb, name, about, "N", [=, take = std::move(take)](const std::string& text) {
      take(read_number(name, text, least, most));
    });
  }

  CLI::Option* word_option(CLI::App* verb, const std::string& name, const std::string& about,
                           const std::vector<std::string>& words,
                           std::function<void(const std::string&)> take) {
    std::string shown_words;
    for (const std::string& word : words) shown_words += (shown_words.empty() ? "" : "|") + word;
    CLI::Option* const option = text_option(
        verb, name, about, shown_words,
        [=, take = std::move(take)](const std::string& text) { take(read_word(name, text, words)); });
    values_[option] = [words] { return words; };
    return option;
  }

  void globs(CLI::App* verb, const std::string& name, std::vector<std::string>& into,
             const std::string& about, std::function<std::vector<std::string>()> known = nullptr) {
    CLI::Option* const option = verb->add_option(name, into, about)->type_name("GLOB");
    if (known) values_[option] = std::move(known);
  }

  void contract_option(CLI::App* verb) {
    globs(verb, "--contract", line_.wanted.contracts, "Only these contracts",
          [this] { return contract_names(all_); });
  }
  void selection_options(CLI::App* verb) {
    globs(verb, "--subject", line_.wanted.subjects, "Only these subjects (mutants only if meant)",
          [this] { return subject_names(all_); });
    contract_option(verb);
    globs(verb, "--clause", line_.wanted.clauses, "Only these clauses",
          [this] { return clause_names(all_); });
    CLI::Option* const kinds = verb->add_option("--kind", line_.wanted.kinds, "Only subjects of these kinds")
                                   ->type_name("reference|third-party|mutant|alternative");
    values_[kinds] = subject_kinds;
  }

  void testee_options(CLI::App* verb) {
    // One at a time: behind it may stand a token.
    verb->add_option(
            "--testee", line_.testees.chosen,
            "Subjects in a program of another language: its name in the file of testees, or a command; "
            "again for another")
        ->type_name("NAME|COMMAND")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false);
    text_option(verb, "--testees", std::string("The file of testees (") + usual_testees_file + ")", "FILE",
                [this](const std::string& text) { line_.testees.file = text; });
    number_option(verb, "--testee-patience", "Seconds of real time for one answer of a testee (10)", 1, 3'600,
                  [this](std::uint64_t n) { line_.testees.patience_s = n; });
  }
  void all_testees_flag(CLI::App* verb) {
    verb->add_flag("--all-testees", line_.testees.all, "The subjects of all testees in the file, too");
  }

  void format_option(CLI::App* verb, const std::vector<std::string>& formats) {
    word_option(verb, "--format", "How to print", formats,
                [this](const std::string& text) { line_.format = text; });
  }
  void output_option(CLI::App* verb) {
    text_option(verb, "--output", "Print to this file", "FILE",
                [this](const std::string& text) { line_.output = text; });
  }

  void isolate_flags(CLI::App* verb, const std::string& about, const std::string& about_not) {
    verb->add_flag_callback("--isolate", [this] { isolate_ = true; }, about);
    verb->add_flag_callback("--no-isolate", [this] { isolate_ = false; }, about_not);
  }

  void campaign_group(CLI::App* verb, const std::string& schedules,
                      const std::string& usual_strategy = "portfolio") {
    number_option(verb, "--schedules", "Schedules explored per scenario (" + schedules + ")", 0, 100'000'000,
                  [this](std::uint64_t n) {
                    line_.options.schedules = static_cast<std::uint32_t>(n);
                    line_.exploring.schedules = n;
                  });
    text_option(verb, "--seed", "Seed of the random schedules (1), or 'random'", "S",
                [this](const std::string& text) {
                  constexpr std::uint64_t most = std::numeric_limits<std::uint64_t>::max();
                  line_.options.seed =
                      text == "random" ? std::random_device()() : read_number("--seed", text, 0, most);
                });
    number_option(verb, "--jobs", "Worker processes, for everything", 1, 256, [this](std::uint64_t n) {
      line_.processes.workers = static_cast<unsigned>(n);
      jobs_given_ = true;
    });
    std::vector<std::string> names{"portfolio", "corpus", "dfs"};
    for (const strategy& one : strategies()) names.emplace_back(one.name);
    word_option(verb, "--strategy",
                "How orders are explored (" + usual_strategy +
                    "); corpus mutates what has shown something new, "
                    "dfs covers small scenarios whole",
                names, [this](const std::string& text) {
                  line_.options.strategy = text;
                  strategy_given_ = true;
                });
    number_option(verb, "--pairs", "Pairs of cancels, and of a fault and a cancel, per scenario (64)", 0,
                  1'000'000,
                  [this](std::uint64_t n) { line_.options.pairs_max = static_cast<std::uint32_t>(n); });
    isolate_flags(verb, "Run everything in worker processes; by default third parties and mutants are",
                  "Run everything in this process, for a debugger");
    number_option(verb, "--hang-after", "Seconds of real time without a new trial that are a hang (30)", 1,
                  86'400, [this](std::uint64_t n) { line_.processes.hang_after = std::chrono::seconds(n); });
  }

  void add_list() {
    CLI::App* const v = add_verb("list", verb::list, "Contracts with their clauses, and subjects",
                                 "  assay list\n  assay list --format json --contract bounded_queue");
    contract_option(v);
    testee_options(v);
    all_testees_flag(v);
    format_option(v, {"text", "json", "tests"});
    output_option(v);
  }

  void add_standard() {
    CLI::App* const v = add_verb("standard", verb::standard, "The standard's text",
                                 "  assay standard --contract task_group\n"
                                 "  assay standard --format markdown --output STANDARD.md");
    contract_option(v);
    format_option(v, {"text", "markdown", "json", "html"});
    output_option(v);
  }

  void add_run() {
    CLI::App* const v =
        add_verb("run", verb::run, "Check subjects against the standard",
                 "  assay run\n"
                 "  assay run --subject reference --clause 'BQ-*' --schedules 1000\n"
                 "  assay run --kind third-party --order fifo --format json --output found.json\n"
                 "  assay run --findings scenarios/findings.json --report build/report\n"
                 "  assay run --subject asyncio --contract bounded_queue\n"
                 "  assay run --testee 'python3 my_testee.py' --kind third-party");
    selection_options(v);
    testee_options(v);
    all_testees_flag(v);
    campaign_group(v, "100");
    word_option(v, "--tier", "Explore on the simulator, or run on a stock io_context", {"sim", "io_context"},
                [this](const std::string& text) {
                  line_.options.where = text == "sim" ? tier::sim : tier::io_context;
                });
    v->add_flag_callback(
        "--no-sweep", [this] { line_.options.sweep = false; }, "Neither cancellation nor fault sweep");
    word_option(v, "--order", "Which order model decides (any)", {"fifo", "any"},
                [this](const std::string& text) {
                  line_.gate = text == "fifo" ? order_model::fifo : order_model::any;
                });
    v->add_flag("--strict", line_.strict, "A SHOULD counts as a MUST");
    v->add_flag("--fail-fast", line_.fail_fast, "Stop at the first violation or error");
    format_option(v, {"text", "json", "junit", "markdown"});
    output_option(v);
    text_option(
        v, "--report",
        "Leave index.html, conformance.json, conformance.xml, summary.md and each failure's files here",
        "DIR", [this](const std::string& text) { line_.report = text; });
    text_option(v, "--findings", "Compare third parties with these recorded findings", "FILE",
                [this](const std::string& text) { line_.findings = text; });
    v->add_flag("--update-findings", line_.update_findings, "Record what is seen now; needs a whole run");
  }

  void add_mutants() {
    CLI::App* const v =
        add_verb("mutants", verb::mutants, "The kill matrix: which clauses catch which mutants",
                 "  assay mutants --contract bounded_queue\n  assay mutants --format json --jobs 2");
    contract_option(v);
    globs(v, "--mutant", line_.mutants, "Only these mutants",
          [this] { return subject_names(all_, subject_kind::mutant); });
    campaign_group(v, "100");
    v->add_flag("--strict", line_.strict, "Every MUST clause must catch a mutant, too");
    format_option(v, {"text", "json", "html"});
    output_option(v);
  }

  void add_replay() {
    CLI::App* const v =
        add_verb("replay", verb::replay, "Run one trial again from its token",
                 "  assay replay assay1:... --trace\n"
                 "  assay replay assay1:... --timeline trial.html --perfetto trial.json\n"
                 "  assay replay @build/release/report/failures/asio_channel.bounded_queue.BQ-8.token\n"
                 "  gdb --args assay replay assay1:... --break-at 57");
    v->add_option("token", line_.token, "The token, or @FILE")->type_name("TOKEN")->required();
    testee_options(v);
    v->add_flag("--trace", line_.trace, "Show every turn, not just the story");
    text_option(v, "--timeline", "Draw the trial beside the baseline trial, as a page for a browser",
                "FILE.html", [this](const std::string& text) { line_.timeline = text; });
    text_option(v, "--perfetto", "Write both as trace events, for ui.perfetto.dev and chrome://tracing",
                "FILE.json", [this](const std::string& text) { line_.perfetto = text; });
    number_option(v, "--break-at", "Stop in the debugger when this event of the trace happens", 1,
                  std::numeric_limits<std::uint64_t>::max(), [this](std::uint64_t n) { line_.break_at = n; });
    isolate_flags(v, "Run the trial in a worker process", "Run it in this process, for a debugger");
    number_option(v, "--hang-after", "Seconds of real time that are a hang (30)", 1, 86'400,
                  [this](std::uint64_t n) { line_.processes.hang_after = std::chrono::seconds(n); });
    format_option(v, {"text", "json"});
    output_option(v);
  }

  // "2/5": the second of five.
  void take_shard(const std::string& text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos)
      throw usage_error("--shard takes I/N, for example 1/4, not '" + text + "'");
    line_.exploring.shards = read_number("--shard", text.substr(slash + 1), 1, 1'000'000);
    line_.exploring.shard = read_number("--shard", text.substr(0, slash), 1, line_.exploring.shards) - 1;
  }

  void add_explore() {
    CLI::App* const v =
        add_verb("explore", verb::explore, "Explore for longer: in batches, resumable, split over machines",
                 "  assay explore --schedules 100000 --jobs 2 --state explored.json\n"
                 "  assay explore --subject reference --time 600 --shard 2/4");
    selection_options(v);
    testee_options(v);
    campaign_group(v, "10000", "corpus");
    number_option(v, "--time", "Seconds of real time to explore, instead of a number of schedules", 1,
                  10'000'000, [this](std::uint64_t n) { line_.exploring.time = std::chrono::seconds(n); });
    number_option(v, "--batch", "Schedules that are explored at a time (200)", 1, 1'000'000,
                  [this](std::uint64_t n) { line_.exploring.batch = static_cast<std::uint32_t>(n); });
    text_option(v, "--shard", "The part of the campaign to do here, for example 1/4", "I/N",
                [this](const std::string& text) { take_shard(text); });
    text_option(v, "--state", "Keep in this file how far it is, and go on from there", "FILE",
                [this](const std::string& text) { line_.exploring.state = text; });
    format_option(v, {"text", "json"});
    output_option(v);
  }

  void add_allocations() {
    CLI::App* const v = add_verb(
        "allocations", verb::allocations,
        "Fail every allocation of the subject in turn, once and from then on, each in a process of its own",
        "  assay allocations --kind reference --jobs 2\n"
        "  assay allocations --subject reference --clause 'BQ-*' --format json\n"
        "Exit status: 0 every failed allocation surfaced or was absorbed, 1 one was lost, or crashed, hung, "
        "leaked\n"
        "or doubled something, 2 something could not be swept.");
    selection_options(v);
    number_option(v, "--jobs", "Scenarios that are swept at a time (1)", 1, 256,
                  [this](std::uint64_t n) { line_.processes.workers = static_cast<unsigned>(n); });
    number_option(v, "--hang-after", "Seconds of real time after which a trial hangs (30)", 1, 86'400,
                  [this](std::uint64_t n) { line_.processes.hang_after = std::chrono::seconds(n); });
    format_option(v, {"text", "json"});
    output_option(v);
  }

  void add_hashes() {
    CLI::App* const v =
        add_verb("hashes", verb::hashes,
                 "Trace hashes of every scenario with every strategy, to compare builds and processes",
                 "  assay hashes --kind reference --schedules 20");
    selection_options(v);
    testee_options(v);
    campaign_group(v, "100");
    output_option(v);
  }

  void add_bugs() {
    CLI::App* const v = add_verb("bugs", verb::bugs, "How soon each strategy finds each planted bug",
                                 "  assay bugs\n  assay bugs --bug 'lost_*' --cap 20000 --format json");
    globs(v, "--bug", line_.bugs, "Only these bugs");
    number_option(v, "--seeds", "Seeds to take the median of (40)", 1, 100'000,
                  [this](std::uint64_t n) { line_.measured.seeds = static_cast<std::uint32_t>(n); });
    number_option(v, "--cap", "Schedules per seed, after which a strategy has not found the bug (2000)", 1,
                  100'000'000,
                  [this](std::uint64_t n) { line_.measured.cap = static_cast<std::uint32_t>(n); });
    number_option(v, "--twin-schedules", "Schedules of the portfolio on each correct twin (1000)", 0,
                  100'000'000,
                  [this](std::uint64_t n) { line_.measured.twin_schedules = static_cast<std::uint32_t>(n); });
    number_option(v, "--jobs", "Processes that measure (1)", 1, 256,
                  [this](std::uint64_t n) { line_.processes.workers = static_cast<unsigned>(n); });
    format_option(v, {"text", "json", "html"});
    output_option(v);
  }

  void add_diff() {
    CLI::App* const v = add_verb(
        "diff", verb::diff, "Compare the JSON of two runs",
        "  assay diff main/conformance.json build/release/report/conformance.json\n"
        "  assay diff old.json new.json --format json --output diff.json\n"
        "Exit status: 0 nothing is worse, 1 something fails that did not, or is not covered as before, 2 a "
        "file is\nnot the JSON of a run.");
    v->add_option("old", line_.old_results, "The earlier run")->type_name("OLD.json")->required();
    v->add_option("new", line_.new_results, "The later run")->type_name("NEW.json")->required();
    format_option(v, {"text", "json"});
    output_option(v);
  }

  void add_lint() {
    CLI::App* const v =
        add_verb("lint", verb::lint, "Whether the catalogue (and a file of findings) is sound",
                 "  assay lint\n  assay lint --features --findings scenarios/findings.json");
    v->add_flag("--features", line_.lint_features,
                "Every feature is claimed by a subject that is neither the reference nor a mutant, and every "
                "contract has one that "
                "claims nothing");
    text_option(v, "--findings", "Check these recorded findings as well", "FILE",
                [this](const std::string& text) { line_.findings = text; });
  }

  void add_doctor() {
    CLI::App* const v =
        add_verb("doctor", verb::doctor, "Whether this machine lets verdicts be trusted, and what to mend",
                 "  assay doctor\n"
                 "Exit status: 0 nothing is wrong, 2 something is.");
    format_option(v, {"text", "json"});
    output_option(v);
  }

  void add_completion() {
    CLI::App* const v = add_verb("completion", verb::completion, "A script that completes words in a shell",
                                 "  source <(assay completion bash)\n"
                                 "  assay completion zsh > ~/.assay-completion.zsh");
    word_option(v, "shell", "Whose", {"bash", "zsh"}, [this](const std::string& text) {
      line_.shell = text;
    })->required();
  }

  // The option that the last of the words may be a value of: the word before it, or further back one that takes many.
  static const CLI::Option* option_before_last(const CLI::App* verb, const std::vector<std::string>& words) {
    std::size_t at = words.size() - 2;
    while (at > 0 && !words[at].starts_with("-")) --at;
    const CLI::Option* const found = verb->get_option_no_throw(words[at]);
    if (found == nullptr || found->get_expected_max() == 0) return nullptr;
    const bool many = found->get_expected_max() > 1;
    return many || at == words.size() - 2 ? found : nullptr;
  }

  // What the last of the words may become: the shell throws away what does not begin as it does.
  std::vector<std::string> completions(const std::vector<std::string>& words) const {
    std::vector<std::string> possible;
    const CLI::App* chosen = nullptr;
    for (const CLI::App* const one : app_.get_subcommands({})) {
      if (one->get_group().empty()) continue;  // not for people
      if (words.size() < 2) possible.push_back(one->get_name());
      if (words.size() > 1 && one->get_name() == words.front()) chosen = one;
    }
    if (words.size() < 2) possible.insert(possible.end(), {"--help", "--version"});
    if (chosen == nullptr) return possible;
    const CLI::Option* const before = option_before_last(chosen, words);
    const bool takes_value =
        before != nullptr && before == chosen->get_option_no_throw(words[words.size() - 2]);
    if (!takes_value) possible = option_names(chosen);
    const auto add_values_of = [&](const CLI::Option* option) {
      const auto found = values_.find(option);
      if (found == values_.end()) return;
      for (std::string& one : found->second()) possible.push_back(std::move(one));
    };
    if (before != nullptr) {
      add_values_of(before);
    } else {
      for (const CLI::Option* const option : chosen->get_options()) {
        if (option->get_positional()) add_values_of(option);
      }
    }
    return possible;
  }

  void help() {
    const std::vector<CLI::App*> chosen = app_.get_subcommands();
    if (chosen.empty()) {
      std::cout << introduction;
    } else {
      std::cout << chosen.front()->help();
    }
  }

  std::vector<std::string> option_names(const CLI::App* verb) const {
    std::vector<std::string> names;
    for (const CLI::Option* const option : verb->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  }

  // CLI11 says what is wrong in general; who typed it wants to know which word it was, and what was meant.
  [[noreturn]] void complain(const CLI::ParseError& failure) {
    const std::vector<CLI::App*> chosen = app_.get_subcommands();
    const CLI::App* const where = chosen.empty() ? &app_ : chosen.front();
    const std::vector<std::string> left = app_.remaining(true);
    if (!left.empty()) {
      const std::string word = left.front().substr(0, left.front().find('='));
      if (word.starts_with("-")) {
        throw usage_error("unknown option '" + word + "'" + suggestion(word, option_names(where)));
      }
      std::vector<std::string> names;
      for (const auto& [name, what] : verbs_) {
        if (what != verb::worker) names.push_back(name);
      }
      if (chosen.empty()) throw usage_error("unknown verb '" + word + "'" + suggestion(word, names));
      throw usage_error("assay " + where->get_name() + " does not know what to do with '" + word + "'");
    }
    throw usage_error(failure.what());
  }

  void check_together() {
    if (line_.what == verb::explore && !strategy_given_) line_.options.strategy = "corpus";
    if (isolate_) {
      line_.processes.isolate = *isolate_ ? run_settings::isolation::all : run_settings::isolation::none;
    } else if (jobs_given_) {
      line_.processes.isolate = run_settings::isolation::all;
    }
    if (line_.break_at != 0) {
      if (isolate_ && *isolate_)
        throw usage_error("--break-at needs the trial in this process, not --isolate");
      if (!debugger_attached()) {
        throw usage_error("--break-at needs a debugger, and none is attached: gdb -ex run --args " +
                          line_.text);
      }
      line_.processes.isolate = run_settings::isolation::none;
    }
    if (jobs_given_ && isolate_ && !*isolate_)
      throw usage_error("--jobs needs workers, and --no-isolate forbids them");
    if (!line_.findings.empty() && line_.options.where != tier::sim) {
      throw usage_error("--findings needs --tier sim: what a stock io_context shows is part of each finding");
    }
    if (!line_.update_findings) return;
    if (line_.findings.empty())
      throw usage_error("--update-findings needs --findings FILE, which it rewrites");
    if (!line_.wanted.is_everything() || line_.fail_fast || !line_.options.sweep) {
      throw usage_error(
          "--update-findings refuses a filtered run: it would forget the findings that were not run");
    }
  }

  int argc_;
  char** argv_;
  command_line line_;
  CLI::App app_;
  bool version_ = false;
  bool jobs_given_ = false;
  bool strategy_given_ = false;
  std::optional<bool> isolate_;
  std::map<std::string, verb> verbs_;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<std::function<void()>> interpretations_;
  // What each can be, for completion; made only then, since every process reads a command line.
  std::map<const CLI::Option*, std::function<std::vector<std::string>()>> values_;
  const catalogue& all_ = catalogue::instance();
};

}  // namespace

parsed parse_command_line(int argc, char** argv) { return reader(argc, argv).read(); }

}  // namespace assay
