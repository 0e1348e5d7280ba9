#include <assay/harness/campaign/runner.hpp>

#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <system_error>

#include <assay/harness/campaign/system.hpp>
#include <assay/harness/campaign/worker.hpp>

namespace assay {

namespace {

std::atomic<bool> interrupt_wished = false;

extern "C" void note_interrupt(int) { interrupt_wished.store(true); }

extern "C" void end_interrupted(int) {
  constexpr std::string_view text = "assay: interrupted\n";
  (void)!::write(STDERR_FILENO, text.data(), text.size());
  end_process(interrupted_status);
}

// Thrown between two trials, where nothing of a trial is in the way.
struct interrupted {};

// Sends what a subject prints to stderr while it runs in this process: stdout belongs to the report.
class stdout_guard {
 public:
  stdout_guard() : saved_(::dup(STDOUT_FILENO)) {
    if (saved_.get() < 0) refuse("dup of standard output");
    flush();
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
  }
  stdout_guard(const stdout_guard&) = delete;
  stdout_guard& operator=(const stdout_guard&) = delete;
  ~stdout_guard() {
    flush();
    ::dup2(saved_.get(), STDOUT_FILENO);
  }

 private:
  static void flush() {
    std::cout.flush();
    std::fflush(stdout);
  }
  descriptor saved_;
};

// How many processes a scenario that demands the end of its process is given: first in first out, and some orders.
constexpr std::uint32_t terminations_max = 8;

// How often a testee that breaks is started again.
constexpr std::uint32_t testee_failures_max = 10;

class runner {
 public:
  runner(std::span<const job> jobs, const run_settings& settings, const result_listener& listener)
      : jobs_(jobs), settings_(settings), listener_(listener) {
    outcome_.results.resize(jobs.size());
  }

  run_outcome run() {
    if (settings_.plug_first) check_plugs();
    known_ = settings_.known;
    // Random programs last: by then it is known which clauses a subject breaks, and what these explain is no news.
    for (const bool programs : {false, true}) {
      std::deque<task> apart;
      for (std::size_t i = 0; i < jobs_.size(); ++i) {
        if (is_program(jobs_[i]) == programs && is_isolated(jobs_[i], settings_.isolate))
          apart.push_back(first_task(i));
      }
      run_here(programs);
      run_apart(std::move(apart));
    }
    dismiss_workers();
    outcome_.interrupted = interruption::wished();
    return std::move(outcome_);
  }

 private:
  struct task {
    std::size_t index = 0;
    job asked;
    std::uint64_t trials_before = 0;
  };
  struct seat {
    std::unique_ptr<worker_process> worker;
    task current;
  };

  // ---- plug checks

  static constexpr std::size_t no_index = static_cast<std::size_t>(-1);

  void check_plugs() {
    std::set<const subject_base*> known;
    std::deque<task> apart;
    for (const job& one : jobs_) {
      const scenario_info* const check = catalogue::instance().find_plug_check(one.chosen->contract());
      if (one.kind != job_kind::campaign || check == nullptr || !known.insert(one.chosen).second) continue;
      job asked;
      asked.kind = job_kind::plug;
      asked.chosen = one.chosen;
      asked.scenario = check;
      asked.options.where = one.options.where;
      if (is_isolated(asked, settings_.isolate)) {
        apart.push_back({no_index, std::move(asked), 0});
      } else if (std::optional<campaign_result> result = run_quietly(asked)) {
        take_plug(asked, std::move(*result));
      } else {
        return;
      }
    }
    run_apart(std::move(apart));
  }

  // Whatever else became of it (the process may have crashed, or hung), the clauses see as well.
  void take_plug(const job& asked, campaign_result result) {
    if (result.unrun)
      outcome_.problems.push_back("the plug check of '" + result.subject + "' of " + result.contract +
                                  " is " + result.message);
    if (result.misplugged) misplugged_.emplace(asked.chosen, std::move(result));
  }

  // What is said of every job of a subject that fails its plug check.
  bool is_misplugged(std::size_t index) {
    const job& asked = jobs_[index];
    const auto found = misplugged_.find(asked.chosen);
    if (asked.kind != job_kind::campaign || found == misplugged_.end()) return false;
    const campaign_result& seen = found->second;
    campaign_result result = blank_result(*asked.chosen, *asked.scenario, asked.options.where);
    result.outcome = result.outcome_fifo = verdict::error;
    result.misplugged = true;
    result.message = seen.message;
    result.shown_by = seen.shown_by;
    result.token = seen.token;
    result.trace_hash = seen.trace_hash;
    result.story = seen.story;
    finish(index, std::move(result));
    return true;
  }

  bool going_on() const noexcept { return !stopped_ && !interruption::wished(); }

  static bool is_program(const job& one) noexcept { return one.scenario->traits.is_program(); }

  // The job as it is run.
  job prepared(std::size_t index) const {
    job asked = jobs_[index];
    if (!is_program(asked)) return asked;
    const auto found = known_.find({asked.chosen->contract(), asked.chosen->name()});
    if (found != known_.end()) asked.options.muted.assign(found->second.begin(), found->second.end());
    return asked;
  }

  void finish(std::size_t index, campaign_result result) {
    const subject_base& chosen = *jobs_[index].chosen;
    if (result.outcome == verdict::fail && !is_program(jobs_[index]))
      known_[{chosen.contract(), chosen.name()}].insert(result.counts_for());
    // It would say the same of every clause.
    if (result.message == detail::null_factory(chosen) && unusable_.insert(&chosen).second)
      outcome_.problems.push_back(result.message + "; no other clause is tried");
    if (listener_ && !listener_(index, result)) stopped_ = true;
    outcome_.results[index] = std::move(result);
  }
  bool is_unusable(const job& asked) const { return unusable_.contains(asked.chosen); }

  // In this process; nothing if it was interrupted.
  static std::optional<campaign_result> run_quietly(const job& asked) {
    campaign_observer observer;
    observer.trial_begins = [](const trial_settings&) {
      if (interruption::wished()) throw interrupted();
    };
    try {
      const stdout_guard quiet;
      return run_job(asked, &observer);
    } catch (const interrupted&) {
      return std::nullopt;
    } catch (const std::system_error& refusal) {
      return unrun_result(asked, std::string(": ") + refusal.what());
    }
  }

  void run_here(bool programs) {
    for (std::size_t i = 0; i < jobs_.size() && going_on(); ++i) {
      if (is_program(jobs_[i]) != programs || is_isolated(jobs_[i], settings_.isolate) ||
          is_unusable(jobs_[i]) || is_misplugged(i))
        continue;
      std::optional<campaign_result> result = run_quietly(prepared(i));
      if (!result) return;
      finish(i, std::move(*result));
    }
  }

  task first_task(std::size_t index) const {
    task first{index, prepared(index), 0};
    const job& asked = first.asked;
    // A skip needs no process of its own, and a campaign of terminations is made of single trials.
    if (asked.kind == job_kind::campaign && asked.scenario->traits.expects_termination &&
        !reason_to_skip(*asked.chosen, *asked.scenario, asked.options.where)) {
      first.asked.kind = job_kind::termination;
    }
    return first;
  }

  // What comes after this result: another attempt at a termination, or nothing.
  std::optional<task> following(const task& ended, const campaign_result& result) const {
    const job& asked = ended.asked;
    if (asked.kind != job_kind::termination || result.outcome != verdict::pass) return std::nullopt;
    if (asked.attempt + 1 > std::min(terminations_max, asked.options.schedules)) return std::nullopt;
    task next = ended;
    ++next.asked.attempt;
    next.trials_before += result.trials;
    return next;
  }

  static bool is_busy(const seat& one) noexcept { return one.worker && one.worker->busy(); }

  void run_apart(std::deque<task> waiting) {
    const std::size_t wanted = std::min<std::size_t>(std::max(1U, settings_.workers), waiting.size());
    if (seats_.size() < wanted) seats_.resize(wanted);
    while (going_on() && (!waiting.empty() || std::any_of(seats_.begin(), seats_.end(), &is_busy))) {
      for (seat& one : seats_) {
        if (is_busy(one) || waiting.empty()) continue;
        one.current = std::move(waiting.front());
        waiting.pop_front();
        if (is_unusable(one.current.asked)) continue;
        if (one.current.index != no_index && (is_misplugged(one.current.index) || give_up(one.current)))
          continue;
        if (one.worker && one.worker->ended()) one.worker.reset();
        if (!one.worker && !hire(one, waiting)) continue;
        one.worker->begin(one.current.asked);
      }
      wait(seats_);
      for (seat& one : seats_) {
        if (is_busy(one)) look_at(one, waiting);
      }
    }
  }

  // A machine that refuses another process will have one again when a worker has ended; without any, the job is not run.
  bool hire(seat& one, std::deque<task>& waiting) {
    try {
      one.worker = std::make_unique<worker_process>();
      return true;
    } catch (const std::system_error& refusal) {
      if (std::any_of(seats_.begin(), seats_.end(), &is_busy)) {
        waiting.push_front(std::move(one.current));
      } else {
        take(one.current,
             unrun_result(one.current.asked, std::string(": no worker process: ") + refusal.what()), waiting);
      }
      return false;
    }
  }

  void dismiss_workers() {
    if (!going_on()) return;  // they are killed as they go
    for (seat& one : seats_) {
      if (!one.worker || one.worker->ended()) continue;
      if (std::string what = one.worker->dismiss(settings_.hang_after); !what.empty()) {
        outcome_.problems.push_back(std::move(what));
      }
    }
  }

  // A testee that breaks whatever it is asked is not asked for ever.
  bool give_up(const task& next) {
    const std::string& testee = next.asked.chosen->traits().testee;
    const auto found = testee_failures_.find(testee);
    if (testee.empty() || found == testee_failures_.end() || found->second < testee_failures_max)
      return false;
    campaign_result result = blank_result(*next.asked.chosen, *next.asked.scenario, next.asked.options.where);
    result.outcome = result.outcome_fifo = verdict::error;
    result.testee_broke = true;
    result.message = "not run: the testee '" + testee + "' has broken " +
                     std::to_string(testee_failures_max) + " times before";
    finish(next.index, std::move(result));
    return true;
  }

  static void wait(const std::vector<seat>& seats) {
    std::vector<pollfd> descriptors;
    for (const seat& one : seats) {
      if (!is_busy(one)) continue;
      descriptors.push_back({one.worker->socket(), POLLIN, 0});
      descriptors.push_back({one.worker->errors(), POLLIN, 0});
    }
    if (descriptors.empty()) return;  // what was done without a worker is done
    constexpr int tick_ms = 100;      // for hangs; results and ends of processes wake at once
    ::poll(descriptors.data(), descriptors.size(), tick_ms);
  }

  void look_at(seat& one, std::deque<task>& waiting) {
    worker_process& worker = *one.worker;
    worker.read_errors();
    std::optional<campaign_result> result = worker.read_result();
    if (!result && worker.ended()) {
      result = worker.read_result();  // it may have answered before it ended
      if (!result) result = worker.obituary(std::nullopt);
    } else if (!result && !worker.cut_off().empty()) {
      worker.kill();
      result = worker.disown();
    } else if (!result && worker.stalled() > settings_.hang_after) {
      worker.kill();
      result = worker.obituary(settings_.hang_after);
    }
    if (!result) return;
    if (worker.spent()) one.worker.reset();
    take(one.current, std::move(*result), waiting);
  }

  // What a task came to.
  void take(const task& ended, campaign_result result, std::deque<task>& waiting) {
    if (ended.index == no_index) {
      take_plug(ended.asked, std::move(result));
      return;
    }
    if (std::optional<task> next = following(ended, result)) {
      waiting.push_front(std::move(*next));
      return;
    }
    result.trials += ended.trials_before;
    if (result.testee_broke) ++testee_failures_[ended.asked.chosen->traits().testee];
    finish(ended.index, std::move(result));
  }

  std::span<const job> jobs_;
  const run_settings& settings_;
  const result_listener& listener_;
  run_outcome outcome_;
  std::vector<seat> seats_;
  std::map<std::string, std::uint32_t, std::less<>> testee_failures_;
  std::set<const subject_base*> unusable_;
  std::map<const subject_base*, campaign_result> misplugged_;
  std::map<std::pair<std::string, std::string>, std::set<std::string>> known_;  // see run_settings
  bool stopped_ = false;
};

}  // namespace

bool is_isolated(const job& asked, run_settings::isolation isolate) noexcept {
  if (asked.scenario->traits.expects_termination) return true;
  switch (isolate) {
    case run_settings::isolation::foreign:
      return asked.chosen->kind() == subject_kind::third_party ||
             asked.chosen->kind() == subject_kind::mutant;
    case run_settings::isolation::all:
      return true;
    case run_settings::isolation::none:
      return false;
  }
  return true;
}

run_outcome run_jobs(std::span<const job> jobs, const run_settings& settings,
                     const result_listener& listener) {
  return runner(jobs, settings, listener).run();
}

interruption::interruption() {
  interrupt_wished.store(false);
  struct sigaction action{};
  action.sa_handler = &note_interrupt;
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, &before_int_);
  ::sigaction(SIGTERM, &action, &before_term_);
}

interruption::~interruption() {
  ::sigaction(SIGINT, &before_int_, nullptr);
  ::sigaction(SIGTERM, &before_term_, nullptr);
}

void end_when_interrupted() {
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction before{};
    if (::sigaction(number, nullptr, &before) != 0 || before.sa_handler != SIG_DFL) continue;
    struct sigaction action{};
    action.sa_handler = &end_interrupted;
    ::sigaction(number, &action, nullptr);
  }
}

bool interruption::wished() noexcept { return interrupt_wished.load(); }

}  // namespace assay
