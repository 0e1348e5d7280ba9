#include <assay/harness/cli/verbs.hpp>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/version.hpp>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <sstream>
#include <system_error>

#include <assay/harness/campaign/lint.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/campaign/worker.hpp>
#include <assay/harness/catalogue/spelling.hpp>
#include <assay/harness/choice/strategy.hpp>
#include <assay/harness/cli/allocations.hpp>
#include <assay/harness/cli/command_line.hpp>
#include <assay/harness/cli/doctor.hpp>
#include <assay/harness/cli/explore.hpp>
#include <assay/harness/cli/selection.hpp>
#include <assay/harness/report/bugs.hpp>
#include <assay/harness/report/diff.hpp>
#include <assay/harness/report/findings.hpp>
#include <assay/harness/report/html.hpp>
#include <assay/harness/report/kill_matrix.hpp>
#include <assay/harness/report/output.hpp>
#include <assay/harness/report/perfetto.hpp>
#include <assay/harness/report/pretty_json.hpp>
#include <assay/harness/report/report.hpp>
#include <assay/harness/report/standard.hpp>
#include <assay/harness/testee/host.hpp>

namespace assay {

namespace {

constexpr int usage_status = 64;
constexpr int error_status = 2;

text_style style_of_stdout() {
  text_style style;
  const char* const refused = std::getenv("NO_COLOR");
  const bool wanted = refused == nullptr || *refused == '\0';
  style.colour = wanted && ::isatty(STDOUT_FILENO) != 0;
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_col > 40) {
    style.width = std::min<std::size_t>(window.ws_col, 120);
  }
  return style;
}

// To stdout, or without colours to the file that --output names.
void print(const command_line& line, const std::function<void(std::ostream&, const text_style&)>& write) {
  std::ostringstream text;
  write(text, line.output.empty() ? style_of_stdout() : text_style());
  if (line.output.empty()) {
    write_stdout(text.view());
  } else {
    write_file(line.output, text.view());
  }
}

// Whoever has waited for a run must not learn only then that it has nowhere to go.
void require_destinations(const command_line& line) {
  for (const std::string* const file : {&line.output, &line.timeline, &line.perfetto}) {
    if (!file->empty()) require_writable(*file);
  }
  if (!line.exploring.state.empty()) require_writable(line.exploring.state);
  if (line.update_findings) require_writable(line.findings);
  if (line.what != verb::run) return;
  const char* const folder = std::getenv("ASSAY_REPORT_DIR");
  if (!line.report.empty()) {
    require_writable_folder(line.report);
  } else if (folder != nullptr && *folder != '\0') {
    require_writable_folder(folder);
  }
}

// One line on a terminal that says how far the work is; gone when the work is done.
class progress_line {
 public:
  progress_line() : shown_(::isatty(STDERR_FILENO) != 0) {}
  progress_line(const progress_line&) = delete;
  progress_line& operator=(const progress_line&) = delete;
  ~progress_line() {
    if (shown_) std::cerr << back << std::flush;
  }
  void show(const std::string& text) const {
    if (shown_) std::cerr << back << text << std::flush;
  }

 private:
  static constexpr std::string_view back = "\r\x1b[K";
  bool shown_;
};

// The same for jobs that come to verdicts.
class progress {
 public:
  explicit progress(std::size_t total) : total_(total) {}
  void operator()(const campaign_result& result) {
    ++done_;
    if (is_bad(result.outcome)) ++bad_;
    line_.show(std::to_string(done_) + "/" + std::to_string(total_) +
               (bad_ > 0 ? ", " + std::to_string(bad_) + " bad" : "") + "  " + result.subject + " " +
               result.scenario());
  }

 private:
  progress_line line_;
  std::size_t total_;
  std::size_t done_ = 0;
  std::size_t bad_ = 0;
};

int say_interrupted(const extent& seen, std::string_view of_what) {
  std::cerr << "assay: " << how_far(seen, of_what) << '\n';
  return interrupted_status;
}

// ---- list, standard, lint

// A testee that is not as it should be ends what cannot do without it.
void require_testees(const command_line& line, std::span<const std::string> subjects) {
  const std::vector<std::string> problems = start_testees(line.testees, subjects);
  if (!problems.empty()) throw std::runtime_error(problems.front());
}

int do_list(const command_line& line) {
  require_testees(line, {});
  const catalogue& all = catalogue::instance();
  require_contracts(all, line.wanted.contracts);
  print(line, [&](std::ostream& out, const text_style& style) {
    if (line.format == "json") {
      write_list_json(out, all, line.wanted.contracts);
    } else if (line.format == "tests") {
      write_list_tests(out, all, line.wanted.contracts);
    } else {
      write_list_text(out, all, line.wanted.contracts, style);
    }
  });
  return 0;
}

int do_standard(const command_line& line) {
  const catalogue& all = catalogue::instance();
  require_contracts(all, line.wanted.contracts);
  print(line, [&](std::ostream& out, const text_style& style) {
    if (line.format == "json") {
      write_standard_json(out, all, line.wanted.contracts);
    } else if (line.format == "markdown") {
      write_standard_markdown(out, all, line.wanted.contracts);
    } else if (line.format == "html") {
      write_standard_html(out, all, line.wanted.contracts);
    } else {
      write_standard_text(out, all, line.wanted.contracts, style);
    }
  });
  return 0;
}

int do_lint(const command_line& line) {
  const catalogue& all = catalogue::instance();
  std::vector<std::string> complaints = all.lint();
  if (line.lint_features) {
    for (std::string& one : lint_features(all)) complaints.push_back(std::move(one));
  }
  if (!line.findings.empty()) {
    for (std::string& one : lint_findings(read_findings(line.findings))) complaints.push_back(std::move(one));
  }
  std::ostringstream out;
  for (const std::string& one : complaints) out << one << '\n';
  out << all.clauses().size() << " clauses, " << all.scenarios().size() << " scenarios, "
      << all.subjects().size()
      << " subjects: " << (complaints.empty() ? "sound" : std::to_string(complaints.size()) + " complaints")
      << '\n';
  write_stdout(out.view());
  return complaints.empty() ? 0 : 1;
}

// ---- run

// What a stock io_context shows of the scenarios that third parties fail on the simulator.
run_outcome cross_check(const command_line& line, const std::vector<job>& jobs, const run_outcome& seen) {
  std::vector<job> again;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    const auto& result = seen.results[i];
    if (!result || !is_bad(result->outcome) || result->kind != subject_kind::third_party ||
        result->misplugged || result->unrun)
      continue;
    again.push_back(jobs[i]);
    again.back().options.where = tier::io_context;
  }
  return run_jobs(again, line.processes);
}

// An interrupted run knows too little to be compared with anything, or to be recorded.
void compare_findings(const command_line& line, const std::vector<job>& jobs, const run_outcome& seen,
                      run_report& report) {
  if (report.interrupted) return;
  run_outcome stock = cross_check(line, jobs, seen);
  report.problems.insert(report.problems.end(), stock.problems.begin(), stock.problems.end());
  for (const auto& one : stock.results) {
    if (one && one->unrun)
      report.problems.push_back("'" + one->subject + "' " + one->scenario() + " on io_context is " +
                                one->message);
  }
  report.interrupted = stock.interrupted;
  if (report.interrupted) return;
  const std::vector<campaign_result> on_stock = present(std::move(stock.results));
  std::vector<campaign_result> results = report.results;
  for (campaign_result& one : results) {  // half of it is not known
    one.unrun =
        one.unrun || std::any_of(on_stock.begin(), on_stock.end(), [&one](const campaign_result& other) {
          return other.unrun && other.subject == one.subject && other.scenario() == one.scenario();
        });
  }
  const std::vector<finding> found = findings_of(results, on_stock);
  std::vector<finding> recorded;
  if (!line.update_findings || std::filesystem::exists(line.findings))
    recorded = read_findings(line.findings);
  if (line.update_findings) {
    recorded = updated(recorded, found, results);
    write_findings(line.findings, recorded);
  }
  report.compared = true;
  report.findings = compare(recorded, found, results, line.wanted.is_everything() && !report.stopped);
}

void write_reports(const command_line& line, const run_report& report) {
  print(line, [&](std::ostream& out, const text_style& style) {
    if (line.format == "json") {
      write_json(out, report);
    } else if (line.format == "junit") {
      write_junit(out, report);
    } else if (line.format == "markdown") {
      write_markdown(out, report);
    } else {
      write_text(out, report, style);
    }
  });
  const char* const folder = std::getenv("ASSAY_REPORT_DIR");
  if (!line.report.empty()) {
    const std::filesystem::path target = line.report;
    write_file(target / "conformance.json", [&](std::ostream& out) { write_json(out, report); });
    write_file(target / "conformance.xml", [&](std::ostream& out) { write_junit(out, report); });
    write_file(target / "summary.md", [&](std::ostream& out) { write_markdown(out, report); });
    write_file(target / "index.html", [&](std::ostream& out) { write_html(out, report, target); });
    write_failures(target, report);
  } else if (folder != nullptr && *folder != '\0') {
    write_failures(folder, report);
  }
}

std::vector<job> jobs_of(const command_line& line, const run_report& report) {
  std::vector<job> jobs;
  try {
    for (const selected& one : select(catalogue::instance(), line.wanted)) {
      job asked;
      asked.chosen = one.chosen;
      asked.scenario = one.scenario;
      asked.options = line.options;
      jobs.push_back(std::move(asked));
    }
  } catch (const usage_error& failure) {
    // What is not known may be what a testee would have brought.
    if (report.unstarted == 0) throw;
    throw std::runtime_error(failure.what() + std::string("\nassay: ") + advice(report));
  }
  return jobs;
}

// What is recorded of scenarios. Recorded of random programs is what they find besides.
void take_known(const command_line& line, run_settings& processes) {
  if (line.findings.empty() || !std::filesystem::exists(line.findings)) return;
  const catalogue& all = catalogue::instance();
  for (const finding& one : read_findings(line.findings)) {
    const scenario_info* const scenario =
        all.find_scenario(one.contract + "/" + one.clause + (one.variant.empty() ? "" : "/" + one.variant));
    if (scenario == nullptr || scenario->traits.is_program() || !is_of_boost(one, BOOST_VERSION)) continue;
    std::set<std::string>& clauses = processes.known[{one.contract, one.subject}];
    clauses.insert(one.clause);
    if (const std::string_view cited = cited_clause(one.message); !cited.empty()) clauses.emplace(cited);
  }
}

int do_run(const command_line& line) {
  run_report report;
  report.date = report_date();
  report.problems = start_testees(line.testees, line.wanted.subjects);
  report.unstarted = report.problems.size();
  for (const std::string& problem : report.problems) std::cerr << "assay: " << problem << '\n';
  const std::vector<job> jobs = jobs_of(line, report);
  for (const job& one : jobs) {
    report.planned.push_back(
        {one.chosen->contract(), one.chosen->name(), catalogue::instance().in_core(*one.scenario)});
  }
  report.program = line.program;
  report.command = line.text;
  report.options = line.options;
  report.gate = line.gate;
  report.strict = line.strict;
  const interruption listening;
  run_settings processes = line.processes;
  take_known(line, processes);
  run_outcome seen;
  {
    progress show(jobs.size());
    seen = run_jobs(jobs, processes, [&](std::size_t, const campaign_result& result) {
      show(result);
      report.stopped = line.fail_fast && (report.violates(result) || report.judged(result) == verdict::error);
      return !report.stopped;
    });
  }
  report.results = present(seen.results);
  report.problems.insert(report.problems.end(), seen.problems.begin(), seen.problems.end());
  report.interrupted = seen.interrupted;
  if (!line.findings.empty()) compare_findings(line, jobs, seen, report);
  write_reports(line, report);
  if (report.interrupted) return say_interrupted(report.how_far(), "scenario runs");
  return exit_status(report);
}

// ---- mutants

int do_mutants(const command_line& line) {
  const catalogue& all = catalogue::instance();
  const std::vector<const subject_base*> mutants =
      select_subjects(all, subject_kind::mutant, line.wanted.contracts, line.mutants);
  std::vector<job> jobs;
  for (const subject_base* const mutant : mutants) {
    for (const scenario_info* const scenario : scenarios_for(all, *mutant)) {
      job asked;
      asked.chosen = mutant;
      asked.scenario = scenario;
      asked.options = line.options;
      jobs.push_back(std::move(asked));
    }
  }
  const interruption listening;
  run_outcome seen;
  std::vector<std::string> unrun;
  {
    progress show(jobs.size());
    seen = run_jobs(jobs, line.processes, [&](std::size_t, const campaign_result& result) {
      show(result);
      if (result.unrun)
        unrun.push_back("'" + result.subject + "' " + result.scenario() + " is " + result.message);
      return true;
    });
  }
  const std::vector<campaign_result> results = present(std::move(seen.results));
  const extent how_far{jobs.size(), results.size(), seen.interrupted};
  kill_matrix matrix = judge_mutants(all, mutants, results, how_far);
  matrix.date = report_date();
  print(line, [&](std::ostream& out, const text_style& style) {
    if (line.format == "json") {
      write_json(out, matrix);
    } else if (line.format == "html") {
      write_html(out, matrix, line.program, line.text);
    } else {
      write_text(out, matrix, line.program, style);
    }
  });
  seen.problems.insert(seen.problems.end(), unrun.begin(), unrun.end());
  for (const std::string& problem : seen.problems) std::cerr << "assay: " << problem << '\n';
  if (seen.interrupted) return say_interrupted(how_far, "scenario runs");
  const bool holes = line.strict && line.mutants.empty() && !matrix.unkilled.empty();
  if (!matrix.sound() || holes) return 1;
  return seen.problems.empty() ? 0 : error_status;
}

// ---- replay

void write_replay_text(std::ostream& out, const command_line& line, const replay_plan& plan,
                       const campaign_result& seen) {
  const clause_info* const clause = catalogue::instance().find_clause(seen.clause);
  const std::string again = replay_command(line.program, line.token);
  out << seen.subject << "  " << seen.scenario() << "  " << to_string(seen.level) << "  tier "
      << to_string(seen.where) << '\n';
  if (clause != nullptr) out << wrap("\"" + clause->text + "\"", 2, 100) << '\n';
  if (plan.cut)
    out << "  The token's run never ended: behind its choices the replay goes on first-in-first-out.\n";
  if (plan.other_build) out << "  Another build made the token; this one is " << build_id() << ".\n";
  for (const std::string& event : line.trace ? seen.trace : seen.story) out << event << '\n';
  out << "verdict: " << to_string(seen.outcome) << '\n';
  if (!seen.message.empty()) out << "message: " << seen.message << '\n';
  if (plan.cut && (seen.message.starts_with("crash: ") || seen.message.starts_with("hang: ")))
    out << "as recorded: the token's run never ended either\n";
  if (!seen.trace_hash.empty()) out << "trace:   " << seen.trace_hash << '\n';
  if (line.timeline.empty()) out << "picture: " << again << " --timeline trial.html\n";
  if (seen.failed_at > 0 && line.break_at == 0) {
    out << "debug:   gdb -ex run --args " << again << " --break-at " << seen.failed_at << '\n';
  }
}

void write_replay_json(std::ostream& out, const command_line& line, const replay_plan& plan,
                       const campaign_result& seen) {
  namespace json = boost::json;
  json::object all;
  const clause_info* const clause = catalogue::instance().find_clause(seen.clause);
  all["subject"] = seen.subject;
  all["kind"] = to_string(seen.kind);
  all["contract"] = seen.contract;
  all["clause"] = seen.clause;
  all["variant"] = seen.variant;
  all["level"] = to_string(seen.level);
  all["text"] = clause == nullptr ? "" : clause->text;
  all["tier"] = to_string(seen.where);
  all["verdict"] = to_string(seen.outcome);
  all["message"] = seen.message;
  all["trace_hash"] = seen.trace_hash;
  all["token"] = seen.token;
  all["failed_at"] = seen.failed_at;
  all["build"] = build_id();
  all["other_build"] = plan.other_build;
  all["cut"] = plan.cut;
  all["story"] = json::value_from(seen.story);
  if (line.trace) all["trace"] = json::value_from(seen.trace);
  write_pretty(out, all);
  out << '\n';
}

// The baseline trial of the same scenario: that of a token which chooses nothing, and goes on so.
timeline draw_baseline(job asked, const replay_plan& plan, const run_settings& processes) {
  asked.token = encode(make_token(*plan.chosen, *plan.scenario, plan.settings, {}, run_end::cut));
  const run_outcome seen = run_jobs({&asked, 1}, processes);
  return seen.results.front() ? seen.results.front()->drawn : timeline();
}

void write_pictures(const command_line& line, const campaign_result& seen) {
  if (seen.drawn.events.empty()) {
    throw std::runtime_error("the trial's process ended before it could tell what happened: nothing to draw");
  }
  if (!line.timeline.empty()) {
    const std::string again = replay_command(line.program, seen.token);
    write_file(line.timeline, [&](std::ostream& out) { write_timeline_html(out, seen, again); });
  }
  if (!line.perfetto.empty()) {
    write_file(line.perfetto, [&](std::ostream& out) { write_perfetto(out, seen); });
  }
}

int do_replay(const command_line& line) {
  job asked;
  asked.kind = job_kind::replay;
  replay_plan plan;
  try {
    const replay_token token = read_token(line.token);
    require_testees(line, {&token.subject, 1});
    plan = plan_replay(token);
    asked.token = encode(token);
  } catch (const malformed_token& failure) {
    std::cerr << "assay: " << failure.what() << '\n';
    return error_status;
  }
  asked.chosen = plan.chosen;
  asked.scenario = plan.scenario;
  asked.options.where = plan.settings.where;
  run_settings processes = line.processes;
  asked.break_at = line.break_at;
  // A run that never ended may well end this process, too.
  if (plan.cut && processes.isolate == run_settings::isolation::foreign) {
    processes.isolate = run_settings::isolation::all;
  }
  const interruption listening;
  const run_outcome seen = run_jobs({&asked, 1}, processes);
  if (!seen.results.front()) return say_interrupted({1, 0, true}, "trials");
  campaign_result result = *seen.results.front();
  const bool drawn = !line.timeline.empty() || !line.perfetto.empty();
  if (drawn && !plan.plan.deviations.empty()) result.drawn_baseline = draw_baseline(asked, plan, processes);
  print(line, [&](std::ostream& out, const text_style&) {
    if (line.format == "json") {
      write_replay_json(out, line, plan, result);
    } else {
      write_replay_text(out, line, plan, result);
    }
  });
  if (drawn) write_pictures(line, result);
  for (const std::string& problem : seen.problems) std::cerr << "assay: " << problem << '\n';
  if (result.outcome == verdict::fail) return 1;
  return result.outcome == verdict::pass && seen.problems.empty() ? 0 : error_status;
}

// ---- explore, hashes

int do_explore(const command_line& line) {
  require_testees(line, line.wanted.subjects);
  const std::vector<selected> what = select(catalogue::instance(), line.wanted);
  const interruption listening;
  exploration seen;
  {
    const progress_line shown;
    std::uint64_t batches = 0;
    seen = explore(what, line.options, line.processes, line.exploring,
                   [&](const explored& one, std::uint64_t done) {
                     shown.show(std::to_string(++batches) + " batches  " + one.subject + " " + one.scenario +
                                ", " + std::to_string(done) + " schedules");
                   });
  }
  print(line, [&](std::ostream& out, const text_style&) {
    if (line.format == "json") {
      write_json(out, seen);
    } else {
      write_text(out, seen, line.program);
    }
  });
  for (const std::string& problem : seen.problems) std::cerr << "assay: " << problem << '\n';
  if (seen.interrupted) return say_interrupted(seen.how_far(), "scenarios were begun");
  if (!seen.problems.empty()) return error_status;
  const auto came_to = [&](verdict what_for) {
    return std::any_of(seen.all.begin(), seen.all.end(),
                       [what_for](const explored& one) { return one.outcome == what_for; });
  };
  return came_to(verdict::fail) ? 1 : came_to(verdict::error) ? error_status : 0;
}

int do_hashes(const command_line& line) {
  require_testees(line, line.wanted.subjects);
  std::vector<std::string> names{"dfs", "corpus"};
  for (const strategy& one : strategies()) names.emplace_back(one.name);
  std::vector<selected> hashed;
  for (const selected& one : select(catalogue::instance(), line.wanted)) {
    if (!reason_to_skip(*one.chosen, *one.scenario, tier::sim) && !one.scenario->traits.expects_termination)
      hashed.push_back(one);
  }
  const interruption listening;
  struct stopped {};
  campaign_observer observer;
  observer.trial_begins = [](const trial_settings&) {
    if (interruption::wished()) throw stopped();
  };
  const progress_line shown;
  extent seen{hashed.size(), 0, false};
  std::ostringstream out;
  bool same = true;
  const auto hash = [&](const selected& one, const std::string& name) {
    campaign_options options = line.options;
    options.strategy = name;
    const trace_hashes found = hash_trials(*one.chosen, *one.scenario, options, &observer);
    out << one.chosen->name() << ' ' << one.scenario->name() << " (" << name << ") "
        << format_hash(found.hash) << '\n';
    if (found.difference.empty()) return;
    same = false;
    std::cerr << "assay: " << one.chosen->name() << ' ' << one.scenario->name() << ", " << name
              << ": two runs of the same choices differ, from " << found.difference << '\n';
  };
  try {
    for (const selected& one : hashed) {
      shown.show(std::to_string(seen.results) + "/" + std::to_string(hashed.size()) + "  " +
                 one.chosen->name() + " " + one.scenario->name());
      for (const std::string& name : names) hash(one, name);
      ++seen.results;
    }
  } catch (const stopped&) {
    seen.interrupted = true;
    out << how_far(seen, "scenarios") << '\n';
  }
  print(line, [&out](std::ostream& to, const text_style&) { to << out.view(); });
  if (seen.interrupted) return say_interrupted(seen, "scenarios");
  return same ? 0 : error_status;
}

// ---- allocations

int do_allocations(const command_line& line) {
  std::vector<allocation_job> jobs;
  for (const selected& one : select(catalogue::instance(), line.wanted))
    jobs.push_back({one.chosen, one.scenario});
  const auto hang_after = std::chrono::duration_cast<std::chrono::seconds>(line.processes.hang_after);
  const interruption listening;
  std::vector<allocation_sweep> sweeps;
  {
    const progress_line shown;
    std::size_t done = 0;
    sweeps = sweep_allocations(jobs, line.processes.workers, hang_after, [&](const allocation_sweep& one) {
      shown.show(std::to_string(++done) + "/" + std::to_string(jobs.size()) + "  " + one.subject + " " +
                 one.scenario);
    });
  }
  const extent seen{jobs.size(), sweeps.size(), interruption::wished()};
  print(line, [&](std::ostream& out, const text_style&) {
    if (line.format == "json") {
      write_json(out, sweeps, seen);
    } else {
      write_text(out, sweeps, seen, line.program);
    }
  });
  if (seen.interrupted) return say_interrupted(seen, "scenarios");
  return exit_status(sweeps);
}

// ---- bugs

int do_bugs(const command_line& line, const std::vector<planted_bug>* known) {
  if (known == nullptr || known->empty()) throw usage_error("this program has no planted bugs to measure on");
  std::vector<const planted_bug*> chosen;
  std::vector<std::string> names;
  for (const planted_bug& one : *known) {
    names.push_back(one.name);
    if (matches_any(line.bugs, one.name)) chosen.push_back(&one);
  }
  if (chosen.empty()) {
    throw usage_error("no planted bug is called '" + line.bugs.front() + "'" +
                      suggestion(line.bugs.front(), names));
  }
  const interruption listening;
  std::vector<bug_report> reports;
  {
    const progress_line shown;
    std::size_t done = 0;
    reports = measure_bugs(chosen, line.measured, line.processes.workers, [&](const bug_report& one) {
      shown.show(std::to_string(++done) + "/" + std::to_string(chosen.size()) + "  " + one.name);
    });
  }
  const extent seen{chosen.size(), reports.size(), interruption::wished()};
  print(line, [&](std::ostream& out, const text_style&) {
    if (line.format == "json") {
      write_json(out, reports, line.measured, seen);
    } else if (line.format == "html") {
      write_html(out, reports, line.measured, seen, line.text);
    } else {
      write_text(out, reports, line.measured, seen);
    }
  });
  if (seen.interrupted) return say_interrupted(seen, "bugs");
  // A twin that is reported is a false alarm: the one thing that must not happen.
  const bool alarmed =
      std::any_of(reports.begin(), reports.end(), [](const bug_report& one) { return one.twin_reports > 0; });
  return alarmed ? 1 : 0;
}

// ---- diff

int do_diff(const command_line& line) {
  try {
    const past_run before = read_results(line.old_results);
    const past_run now = read_results(line.new_results);
    const run_comparison comparison = compare(before, now);
    print(line, [&](std::ostream& out, const text_style& style) {
      if (line.format == "json") {
        write_json(out, before, now, comparison);
      } else {
        write_text(out, before, now, comparison, style);
      }
    });
    return comparison.worse() ? 1 : 0;
  } catch (const malformed_results& failure) {
    std::cerr << "assay: " << failure.what() << '\n';
    return error_status;
  }
}

// ---- doctor, completion

int do_doctor(const command_line& line) {
  const std::vector<diagnosis> seen = examine();
  print(line, [&](std::ostream& out, const text_style&) {
    if (line.format == "json") {
      write_json(out, seen);
    } else {
      write_text(out, seen);
    }
  });
  return exit_status(seen);
}

// The shell asks this program itself, so the script knows nothing that could grow old.
int do_completion(const command_line& line) {
  if (line.shell == "zsh") std::cout << "autoload -U +X bashcompinit && bashcompinit\n";
  std::cout << "_assay() {\n"
               "  local IFS=$'\\n'\n"
               "  COMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" "
            << complete_verb
            << " \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
               "}\n"
               "complete -o default -F _assay assay\n";
  return 0;
}

// What a plug-in has got wrong about its subjects, or about features, before anything is run with them.
std::vector<std::string> wrong_subjects(verb what) {
  if (what == verb::lint || what == verb::doctor || what == verb::completion || what == verb::diff ||
      what == verb::worker)
    return {};
  const catalogue& all = catalogue::instance();
  std::vector<std::string> complaints = all.check_subjects();
  for (std::string& one : all.check_features()) complaints.push_back(std::move(one));
  return complaints;
}

int dispatch(const command_line& line, const std::vector<planted_bug>* bugs) {
  if (const std::vector<std::string> wrong = wrong_subjects(line.what); !wrong.empty()) {
    for (const std::string& one : wrong) std::cerr << "assay: " << one << '\n';
    return error_status;
  }
  switch (line.what) {
    case verb::list:
      return do_list(line);
    case verb::standard:
      return do_standard(line);
    case verb::run:
      return do_run(line);
    case verb::mutants:
      return do_mutants(line);
    case verb::replay:
      return do_replay(line);
    case verb::explore:
      return do_explore(line);
    case verb::allocations:
      return do_allocations(line);
    case verb::hashes:
      return do_hashes(line);
    case verb::bugs:
      return do_bugs(line, bugs);
    case verb::diff:
      return do_diff(line);
    case verb::lint:
      return do_lint(line);
    case verb::doctor:
      return do_doctor(line);
    case verb::completion:
      return do_completion(line);
    case verb::worker:
      if (!line.worker_testees.empty()) testee::recall(line.worker_testees);
      return serve_jobs(line.worker_socket, line.worker_mirror);
  }
  return error_status;
}

}  // namespace

namespace {

int run_line(int argc, char** argv, const std::vector<planted_bug>* bugs) {
  try {
    const parsed read = parse_command_line(argc, argv);
    if (read.done) return *read.done;
    if (read.line.what != verb::worker) {
      end_when_interrupted();
      require_destinations(read.line);
    }
    return dispatch(read.line, bugs);
  } catch (const usage_error& failure) {
    std::cerr << "assay: " << failure.what() << '\n';
    return usage_status;
  } catch (const std::exception& failure) {
    std::cerr << "assay: " << failure.what() << '\n';
    return error_status;
  }
}

}  // namespace

int run_command_line(int argc, char** argv, const std::vector<planted_bug>* bugs) {
  occupy_standard_streams();
  catalogue::instance().sort();
  tell_workers(&testee::write_known);
  const int status = run_line(argc, argv, bugs);
  if (argc > 1 && std::string_view(argv[1]) == "worker") return status;
  const int lost = lost_output();
  if (lost == 0) return status;
  std::cerr << "assay: cannot write to standard output: " << std::generic_category().message(lost) << '\n';
  return error_status;
}

}  // namespace assay
