#include <assay/harness/campaign/allocations.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <stdexcept>
#include <system_error>
#include <utility>

#include <assay/harness/allocation/counter.hpp>
#include <assay/harness/campaign/child_process.hpp>
#include <assay/harness/campaign/forked_trial.hpp>
#include <assay/harness/campaign/job.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/campaign/system.hpp>
#include <assay/harness/campaign/utf8.hpp>

namespace assay {

// Only for what a sweep's process tells its parent; reports have a format of their own.
BOOST_DESCRIBE_STRUCT(allocation_fault, (), (number, persistent))
BOOST_DESCRIBE_ENUM(allocation_outcome, surfaced, absorbed, lost, doubled, leaked, hung, crashed)
BOOST_DESCRIBE_STRUCT(allocation_case, (), (fault, outcome, message, token))
BOOST_DESCRIBE_STRUCT(allocation_sweep, (),
                      (subject, scenario, skipped, problem, points, covered, count, left_turns, bad))

namespace json = boost::json;

std::string_view to_string(allocation_outcome outcome) noexcept {
  switch (outcome) {
    case allocation_outcome::surfaced:
      return "surfaced";
    case allocation_outcome::absorbed:
      return "absorbed";
    case allocation_outcome::lost:
      return "lost";
    case allocation_outcome::doubled:
      return "doubled";
    case allocation_outcome::leaked:
      return "leaked";
    case allocation_outcome::hung:
      return "hung";
    case allocation_outcome::crashed:
      return "crashed";
  }
  return "unknown";
}

allocation_outcome judge_allocation(const trial_result& seen) {
  const bool told = seen.allocations && (seen.allocations->told || seen.allocations->left_turn);
  switch (seen.kind) {
    case failure_kind::crashed:
    case failure_kind::testee:
    case failure_kind::adapter:
      // The trial's own alarm, which the sweep sets.
      return seen.signal == SIGALRM ? allocation_outcome::hung : allocation_outcome::crashed;
    case failure_kind::livelock:
    case failure_kind::hung:
      return allocation_outcome::hung;
    case failure_kind::left_over:
      return allocation_outcome::leaked;
    case failure_kind::item:
      return seen.allocations && seen.allocations->only_lost ? allocation_outcome::lost
                                                             : allocation_outcome::doubled;
    case failure_kind::none:
    case failure_kind::premise:  // of an undisturbed trial
      return told ? allocation_outcome::surfaced : allocation_outcome::absorbed;
    case failure_kind::deadlock:
    case failure_kind::expectation:
    case failure_kind::unobserved:
    case failure_kind::exception:
    case failure_kind::escaped:
    case failure_kind::diverged:
      return allocation_outcome::lost;
  }
  return allocation_outcome::crashed;
}

namespace {

class sweeper {
 public:
  sweeper(const subject_base& chosen, const scenario_info& scenario, std::chrono::seconds hang_after)
      : chosen_(chosen), scenario_(scenario) {
    // In the trial's own process: a hang ends by an alarm, and what is said last is kept for the report on a crash.
    quietly_.trial_begins = [this, hang_after](const trial_settings&) {
      ::alarm(static_cast<unsigned>(hang_after.count()));
      ::dup2(said_.memory.get(), STDERR_FILENO);
    };
    sweep_.subject = chosen.name();
    sweep_.scenario = scenario.name();
  }

  allocation_sweep run() {
    try {
      sweep_all();
    } catch (const std::system_error& refusal) {
      sweep_.problem = refusal.what();
    }
    return std::move(sweep_);
  }

 private:
  void sweep_all() {
    if (auto why = reason_to_skip(chosen_, scenario_, tier::sim)) {
      sweep_.skipped = std::move(*why);
    } else if (scenario_.traits.expects_termination) {
      sweep_.skipped = "demands the end of the process";
    } else if (count()) {
      for (std::uint32_t number = 1; number <= sweep_.points && sweep_.problem.empty(); ++number) {
        fail({number, false});
        fail({number, true});
        if (sweep_.problem.empty()) ++sweep_.covered;
      }
    }
  }

  // What trials write to stderr, one after the other.
  struct last_words {
    last_words() : memory(::memfd_create("assay-stderr", MFD_CLOEXEC)) {
      if (memory.get() < 0) refuse("memfd_create");
    }
    void forget() const {
      (void)!::ftruncate(memory.get(), 0);
      ::lseek(memory.get(), 0, SEEK_SET);
    }
    // The last line, but that std::terminate was called if somebody has said why.
    std::string line() const {
      char buffer[400];
      const off_t size = ::lseek(memory.get(), 0, SEEK_END);
      const off_t begin = std::max<off_t>(0, size - static_cast<off_t>(sizeof buffer));
      const ssize_t count = ::pread(memory.get(), buffer, sizeof buffer, begin);
      std::string text(buffer, count > 0 ? static_cast<std::size_t>(count) : 0);
      while (!text.empty() && text.back() == '\n') text.pop_back();
      std::string last = text.substr(text.rfind('\n') + 1);
      if (last.starts_with("terminate called") && last.size() < text.size()) {
        text.erase(text.size() - last.size() - 1);
        last = text.substr(text.rfind('\n') + 1);
      }
      last.erase(0, last.find_first_not_of(' '));
      return valid_utf8(last);
    }
    descriptor memory;
  };

  trial_result run_one(const allocation_fault& fault) const {
    fifo_source source;
    trial_settings settings;
    settings.allocation = fault;
    said_.forget();
    trial_result seen = run_forked_trial(chosen_, scenario_, source, settings, false, &quietly_);
    if (seen.kind != failure_kind::crashed) return seen;
    if (const std::string said = said_.line(); !said.empty()) seen.message += "; its last words: " + said;
    return seen;
  }

  // Twice, since a count that differs from run to run means nothing.
  bool count() {
    const trial_result one = run_one({});
    if (!one.passed()) {
      sweep_.problem = "fails without a failing allocation: " + one.message;
      return false;
    }
    const trial_result other = run_one({});
    if (!other.passed() || other.allocations->points != one.allocations->points ||
        other.choices != one.choices) {
      sweep_.problem = "not deterministic: two baseline trials differ";
      return false;
    }
    sweep_.points = one.allocations->points;
    kept_before_ = one.allocations->kept;
    return true;
  }

  void fail(const allocation_fault& fault) {
    const trial_result seen = run_one(fault);
    if (seen.kind != failure_kind::crashed && !seen.allocations->failed) {
      sweep_.problem =
          "not deterministic: allocation " + std::to_string(fault.number) + " did not come again";
      return;
    }
    allocation_outcome outcome = judge_allocation(seen);
    // What the run without a failure keeps as well (something made once per process) is no leak.
    const bool kept_as_ever =
        seen.allocations && seen.allocations->kept > 0 && seen.allocations->kept <= kept_before_;
    if (outcome == allocation_outcome::leaked && kept_as_ever) {
      outcome = seen.allocations->told ? allocation_outcome::surfaced : allocation_outcome::absorbed;
    }
    ++sweep_.count[static_cast<std::size_t>(outcome)];
    if (outcome == allocation_outcome::surfaced && seen.allocations->left_turn) ++sweep_.left_turns;
    if (!is_bad(outcome)) return;
    trial_settings settings;
    settings.allocation = fault;
    const run_end end = seen.kind == failure_kind::crashed ? run_end::cut : run_end::whole;
    sweep_.bad.push_back(
        {fault, outcome, seen.message, encode(make_token(chosen_, scenario_, settings, seen.choices, end))});
  }

  const subject_base& chosen_;
  const scenario_info& scenario_;
  last_words said_;
  campaign_observer quietly_;
  allocation_sweep sweep_;
  std::uint64_t kept_before_ = 0;
};

}  // namespace

allocation_sweep sweep_allocations(const subject_base& chosen, const scenario_info& scenario,
                                   std::chrono::seconds hang_after) {
  return sweeper(chosen, scenario, hang_after).run();
}

std::vector<allocation_sweep> sweep_allocations(std::span<const allocation_job> jobs, unsigned processes,
                                                std::chrono::seconds hang_after,
                                                const std::function<void(const allocation_sweep&)>& done) {
  {
    const allocation_counter linked({});
  }  // or it throws: here, and not in every child
  std::vector<std::optional<allocation_sweep>> sweeps(jobs.size());
  const auto sweep = [&](std::size_t number) {
    const allocation_job& asked = jobs[number];
    return json::serialize(json::value_from(sweep_allocations(*asked.chosen, *asked.scenario, hang_after)));
  };
  const auto take = [&](std::size_t number, const child_process::end& seen) {
    if (!seen.whole()) {
      throw std::runtime_error("the process that swept " + jobs[number].chosen->name() + " " +
                               jobs[number].scenario->name() + " ended without a result");
    }
    sweeps[number] = json::value_to<allocation_sweep>(json::parse(seen.text));
    if (done) done(*sweeps[number]);
  };
  run_in_children(jobs.size(), processes, sweep, take, &interruption::wished);
  return present(std::move(sweeps));
}

}  // namespace assay
