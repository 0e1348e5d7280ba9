// A campaign: the trials of one scenario with one subject. The baseline trial, then the cancellation sweep
// and the fault sweep, then random schedules; the first failure is shrunk, and its token says how to see it
// again.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/corpus.hpp>
#include <assay/harness/campaign/timeline.hpp>
#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/choice/choice.hpp>
#include <assay/harness/choice/strategy.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

enum class verdict { pass, fail, skip, error };
std::string_view to_string(verdict value) noexcept;

/// Which orders of handlers a verdict covers: `fifo` is what a single-threaded event loop does today, `any`
/// all that executors' documentation allows.
enum class order_model { fifo, any };
std::string_view to_string(order_model value) noexcept;

struct campaign_observer;

/// Runs one trial, here or elsewhere; see run_trial and run_forked_trial.
using trial_runner =
    std::function<trial_result(const subject_base&, const scenario_info&, choice_source&,
                               const trial_settings&, bool traced, const campaign_observer*)>;

struct campaign_options {
  std::uint32_t schedules =
      100;  ///< explored schedules under order model `any`; a quarter of it under `fifo`
  std::uint64_t seed = 1;
  tier where = tier::sim;
  bool sweep = true;  ///< the cancellation and fault sweeps, and random cancels and faults
  std::string strategy =
      "portfolio";               ///< that explores them; one of strategies(), "portfolio", "corpus" or "dfs"
  std::uint32_t pairs_max = 64;  ///< pairs of cancels, and of a fault and a cancel, that are tried of each
  order_model orders = order_model::any;  ///< `fifo`: no orders beyond it are tried
  bool systematic = true;    ///< false: only explored orders, where the sweeps have been run before
  bool list_orders = false;  ///< campaign_result::orders is wanted
  corpus_state corpus;       ///< strategy "corpus": what it begins with
  std::uint32_t shrink_trials_max = 400;
  std::vector<std::string> muted;  ///< for random programs: trial_settings::muted
  trial_runner run;                ///< run_trial if empty
};

/// The phase of the one baseline trial, with which a campaign begins: ready handlers and tied timers first in, first out,
/// nothing cancelled, nothing failing. Order model `fifo` is more than that: it has the sweeps and other orders of tied
/// timers, too.
inline constexpr std::string_view baseline_phase = "baseline trial";

/// What a failing trial is shown by whose loop was late once it is shrunk, whichever phase found it.
inline constexpr std::string_view late_phase = "a late loop";

/// The phase of the trials that do the same calls again and again: see growth_plan.
inline constexpr std::string_view growth_phase = "many of the same calls";
/// How often: more than any bound that a contract's programs configure, and ten times as often.
inline constexpr std::uint32_t growth_few = 8;
inline constexpr std::uint32_t growth_many = 80;

/// The phase of a plug check: one such trial, with which nothing is swept either.
inline constexpr std::string_view plug_phase = "plug check";
/// What the message of an adapter's mistake begins with.
inline constexpr std::string_view adapter_prefix = "adapter: ";

/// What a campaign found, in plain values.
struct campaign_result {
  std::string subject;
  subject_kind kind{};
  std::string contract;
  std::string clause;
  std::string variant;
  enum level level {};
  bool core = false;  ///< see catalogue::in_core
  tier where{};
  verdict outcome = verdict::pass;  ///< under order model `any`
  verdict outcome_fifo = verdict::pass;
  std::string
      cited;  ///< the clause that a failure speaks of and counts for, where it is not the scenario's own
  std::string message;  ///< of the shrunk failing trial, or why it was skipped
  std::string
      shown_by;  ///< the phase that showed it: baseline_phase, "cancel sweep", "permuted order", ...; or late_phase
  bool testee_broke = false;  ///< the verdict is an error since the process that hosts the subject broke
  bool misplugged = false;    ///< the verdict is an error since the subject fails its plug check
  bool unrun =
      false;  ///< it is one since the machine refused what the job needs: it says nothing of the subject
  std::string token;               ///< of the shrunk failing trial, or of the baseline trial
  std::string trace_hash;          ///< of the same trial
  std::vector<std::string> story;  ///< the shrunk failing trial, for a person
  std::vector<std::string> trace;  ///< the same trial, event by event
  std::uint64_t failed_at = 0;     ///< the event that is its first failure, as `trace` numbers them; 0: none
  timeline drawn;                  ///< the same trial, to be drawn
  timeline drawn_baseline;         ///< beside it the baseline trial, if that passed
  std::uint64_t trials = 0;
  std::uint64_t turns = 0;
  bool victim_named = false;        ///< by some trial
  bool body_suspended = true;       ///< in the baseline trial
  std::uint32_t cancel_points = 0;  ///< in the baseline trial
  std::uint32_t cancel_points_covered = 0;
  std::uint32_t fault_points = 0;
  std::uint32_t fault_points_covered = 0;
  std::uint32_t cancel_pairs = 0;  ///< a cancel and a further one at a later point
  std::uint32_t cancel_pairs_covered = 0;
  std::uint32_t fault_pairs = 0;  ///< a fault and a cancel after it
  std::uint32_t fault_pairs_covered = 0;
  std::uint64_t order_classes = 0;    ///< schedules that differ in more than the order of unrelated turns
  std::vector<std::uint64_t> orders;  ///< the classes themselves, if they are wanted
  corpus_state corpus;                ///< strategy "corpus": what it has kept
  std::uint64_t schedules = 0;        ///< orders that were explored under order model `any`
  double depth2 = 0;       ///< the least probability with which PCT has shown a bug of depth 2; see pct_bound
  std::string strategy;    ///< that showed it, if a strategy did
  bool exhausted = false;  ///< strategy `dfs` has covered every schedule
  /// Of random programs: how it was measured what the subject holds after many of the same calls, or why it was not.
  std::string growth;

  /// The clause that the verdict counts for.
  const std::string& counts_for() const noexcept { return cited.empty() ? clause : cited; }
  std::string scenario() const { return contract + "/" + clause + (variant.empty() ? "" : "/" + variant); }
};

/// What strategies need to know of a baseline trial that was traced.
run_shape shape_of(const trial_result& baseline);

/// Told what is about to run, so that a crash or a hang can be traced to it. All functions may be empty.
struct campaign_observer {
  choice_mirror* mirror = nullptr;
  event_mirror* events = nullptr;  ///< with one, all trials are traced
  std::function<void(const trial_settings&)> trial_begins;
  std::function<void(std::string_view)> phase_begins;  ///< baseline_phase, "cancel sweep", ...
};

/// A result that names subject and scenario, and says `pass` until something else is known.
campaign_result blank_result(const subject_base& chosen, const scenario_info& scenario, tier where);

/// Makes a failure count for the clause that its message cites, with that clause's level and core: what an invariant or a
/// model finds speaks of it, whichever scenario it is found in.
void charge(campaign_result& result);

/// Runs one trial. The source must be fresh.
trial_result run_trial(const subject_base& chosen, const scenario_info& scenario, choice_source& source,
                       const trial_settings& settings, bool traced = false,
                       const campaign_observer* observer = nullptr);

/// Runs the whole campaign. Never throws for what a subject does.
///
/// A premise that does not hold in an undisturbed trial is an error of the reference and of alternatives, which are what
/// scenarios are written against. From others such a trial takes its verdict; if it never holds, a third party is skipped,
/// and a mutant fails the clause: that nothing could be tried is what shows it.
campaign_result run_campaign(const subject_base& chosen, const scenario_info& scenario,
                             const campaign_options& options, const campaign_observer* observer = nullptr);

/// The first of the scenario's features that the subject does not claim, if any.
std::optional<std::string> missing_feature(const subject_base& chosen, const scenario_info& scenario);

/// Why the scenario does not apply, in words, if it does not.
std::optional<std::string> reason_to_skip(const subject_base& chosen, const scenario_info& scenario,
                                          tier where);

/// The hashes of a number of trials of one strategy (as campaign_options::strategy names it), each of them run twice:
/// equal in every process and build, as far as the scenario and the subject are deterministic.
struct trace_hashes {
  std::uint64_t hash = 0;  ///< of all trials together, in order
  std::string difference;  ///< the first event in which two runs of the same choices differ; empty if none do
};
trace_hashes hash_trials(const subject_base& chosen, const scenario_info& scenario,
                         const campaign_options& options, const campaign_observer* observer = nullptr);

}  // namespace assay
