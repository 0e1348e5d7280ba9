#include <assay/harness/campaign/campaign.hpp>

#include <algorithm>
#include <set>
#include <unordered_set>
#include <utility>

#include <assay/harness/allocation/counter.hpp>
#include <assay/harness/campaign/bare_subject.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/shrink.hpp>
#include <assay/harness/campaign/sources.hpp>
#include <assay/harness/campaign/story.hpp>
#include <assay/harness/campaign/swarm.hpp>
#include <assay/harness/choice/fnv.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/late_loop.hpp>

namespace assay {

std::string_view to_string(verdict value) noexcept {
  switch (value) {
    case verdict::pass:
      return "pass";
    case verdict::fail:
      return "fail";
    case verdict::skip:
      return "skip";
    case verdict::error:
      return "error";
  }
  return "unknown";
}

std::string_view to_string(order_model value) noexcept { return value == order_model::fifo ? "fifo" : "any"; }

std::optional<std::string> missing_feature(const subject_base& chosen, const scenario_info& scenario) {
  for (const std::string& feature : scenario.traits.features) {
    if (!chosen.claims(feature)) return feature;
  }
  return std::nullopt;
}

std::optional<std::string> reason_to_skip(const subject_base& chosen, const scenario_info& scenario,
                                          tier where) {
  if (const auto feature = missing_feature(chosen, scenario)) return "does not claim '" + *feature + "'";
  if (scenario.traits.sim_only && where != tier::sim) return "makes sense on the simulator only";
  return std::nullopt;
}

namespace {

// Tells orders apart by what was decided, otherwise than first in, first out and on time, about who goes first and when.
std::uint64_t order_of(const std::vector<choice>& made) {
  std::uint64_t hash = fnv::basis;
  std::uint64_t place = 0;
  for (const choice& one : made) {
    if (one.kind != choice_kind::ready && one.kind != choice_kind::timer && one.kind != choice_kind::late)
      continue;
    ++place;
    if (one.chosen != 0) hash = fnv::mix(fnv::mix(hash, place), one.chosen);
  }
  return hash;
}

// What is known only when the trial has gone: what of the subject's memory has outlived it, and what it told of on its
// way out, in the destructor of whoever held a failure.
void take_stock(const allocation_counter& allocations, trial_result& result) {
  allocation_report& report = *result.allocations;
  report.kept = allocations.kept();
  if (!allocations.failed()) return;
  const bool told_late = allocations.told() && !std::exchange(report.told, allocations.told());
  if (told_late && result.kind == failure_kind::item && report.only_lost) {
    result.kind = failure_kind::none;
    result.message.clear();
    result.failures.clear();
  }
  if (report.kept == 0 || !result.passed()) return;
  result.kind = failure_kind::left_over;
  result.message = std::to_string(report.kept) + " blocks of memory outlived the trial";
  result.failures.push_back(result.message);
}

}  // namespace

namespace {

// A testee has a loop of its own, which cannot be late everywhere.
void let_be_late(trial& t, const subject_base& chosen) {
  if (chosen.traits().testee.empty())
    t.allow_late_loop();
  else
    environment::of(t).provide(std::make_shared<late_loop_wanted>());
}

// While it lives, this subject is the one under test on this thread.
class under_test {
 public:
  explicit under_test(const subject_base& chosen)
      : here_{&chosen, {}}, outer_(std::exchange(detail::current_subject(), &here_)) {}
  under_test(const under_test&) = delete;
  under_test& operator=(const under_test&) = delete;
  ~under_test() { detail::current_subject() = outer_; }
  const std::string& unusable() const noexcept { return here_.unusable; }

 private:
  detail::trial_subject here_;
  detail::trial_subject* outer_;
};

}  // namespace

trial_result run_trial(const subject_base& chosen, const scenario_info& scenario, choice_source& source,
                       const trial_settings& settings, bool traced, const campaign_observer* observer) {
  const under_test current(chosen);
  if (observer != nullptr && observer->trial_begins) observer->trial_begins(settings);
  choice_stream choices(source, observer != nullptr ? observer->mirror : nullptr);
  std::shared_ptr<const allocation_counter> allocations;
  trial_result result;
  {
    trial_settings told = settings;
    if (observer != nullptr) told.mirror = observer->events;
    trial t(choices, std::move(told), traced);
    allocations = t.shared_allocations();
    if (scenario.traits.faulted) t.allow_faults();
    if (scenario.traits.may_be_late()) let_be_late(t, chosen);
    const std::vector<std::string>& muted = settings.muted;
    if (std::find(muted.begin(), muted.end(), scenario.clause) != muted.end()) t.mute_uncited();
    if (chosen.claims(sticky_request)) t.follow_requests();
    if (scenario.plug) t.check_plug(!chosen.traits().testee.empty());
    result = t.run([&] { return scenario.begin(t, chosen); });
    if (!traced && result.passed()) result.events.reset();
  }
  if (allocations != nullptr) take_stock(*allocations, result);
  if (!current.unusable().empty()) {  // whatever else the scenario saw of it
    result.kind = failure_kind::escaped;
    result.message = current.unusable();
    result.failures.assign(1, result.message);
  }
  return result;
}

namespace {

constexpr std::uint32_t programs_per_sweep = 25;  // schedules for which one random program is swept
constexpr std::uint64_t explored_programs = std::uint64_t{1}
                                            << 32;  // the number of the first one that is not swept

trial_settings settings_for(const scenario_info& scenario, const campaign_options& options) {
  trial_settings settings{options.where, options.sweep};
  if (scenario.traits.is_program()) settings.muted = options.muted;
  return settings;
}

class campaign {
 public:
  campaign(const subject_base& chosen, const scenario_info& scenario, const campaign_options& options,
           const campaign_observer* observer)
      : chosen_(chosen),
        scenario_(scenario),
        options_(options),
        observer_(observer),
        settings_(settings_for(scenario, options)),
        result_(blank_result(chosen, scenario, options.where)) {}

  campaign_result run() {
    if (auto why = reason_to_skip(chosen_, scenario_, options_.where)) {
      skip(std::move(*why));
    } else if (explore() && options_.systematic) {
      check_vacuity();  // a later batch alone need not reach what the first one has reached
      check_premises();
    }
    charge(result_);
    return std::move(result_);
  }

 private:
  trial_result run_one(choice_source& rest, bool traced = false) {
    program_source with_program(program_, rest);
    choice_source& source = program_.empty() ? rest : with_program;
    if (options_.run) return options_.run(chosen_, scenario_, source, settings_, traced, observer_);
    return run_trial(chosen_, scenario_, source, settings_, traced, observer_);
  }

  void skip(std::string why) {
    result_.outcome = result_.outcome_fifo = verdict::skip;
    result_.message = std::move(why);
  }

  void enter(std::string_view phase) const {
    if (observer_ != nullptr && observer_->phase_begins) observer_->phase_begins(phase);
  }

  // Runs the phases in turn; true if no trial failed.
  bool explore() {
    enter(baseline_phase);
    fifo_source first;
    const trial_result baseline = run_one(first, true);
    shape_ = shape_of(baseline);
    result_.body_suspended = baseline.body_suspended;
    result_.cancel_points = baseline.cancel_points;
    result_.fault_points = baseline.fault_points;
    result_.trace_hash = format_hash(baseline.events->hash());
    result_.token = encode(make_token(chosen_, scenario_, settings_, baseline.choices));
    if (!judge(baseline, baseline_phase, order_model::fifo)) return false;
    if (!baseline.skipped.empty()) {
      skip(baseline.skipped);
      return false;
    }
    baseline_ = baseline.events;
    // The harness checks its own determinism (VCS-9): the same choices, the same trace.
    fifo_source first_again;
    if (!same_run(baseline, run_one(first_again, true))) return false;
    if (scenario_.traits.is_program() && !sweep_programs()) return false;
    if (options_.systematic && !(sweep_cancels(baseline) && sweep_faults(baseline) && random_ties(baseline)))
      return false;
    return permuted_orders(baseline) && measure_growth();
  }

  // X-27, in trials of their own: first in, first out, nothing cancelled but by the program. Said only where it is the calls
  // that make the difference, and not how many were pending side by side.
  bool measure_growth() {
    if (!scenario_.traits.is_program() || !options_.systematic) return true;
    if (const std::string_view why = reason_not_to_measure(); !why.empty()) {
      result_.growth = "not measured: " + std::string(why);
      return true;
    }
    const grammar& rules = *scenario_.traits.rules;
    const allowed_verbs verbs = allowed(rules, chosen_);
    const std::vector<program> rounds = growth_rounds(rules, verbs);
    enter(growth_phase);
    bool holds = true;
    std::size_t measured = 0;
    for (std::size_t i = 0; i < rounds.size() && holds; ++i) {
      program_ = answers_for(rounds[i], rules, verbs);
      const trial_result many = measure(growth_many);
      // What wears out may show by other clauses, too.
      holds = judge(many.passed() ? many : measure(growth_many, true), growth_phase, order_model::fifo);
      if (!holds || !many.passed() || !many.growth->subject_went) continue;
      ++measured;
      if (many.growth->held < growth_few) continue;  // cannot have grown by that much
      const trial_result few = measure(growth_few);
      if (!few.passed() || !few.growth->subject_went || few.growth->peak != many.growth->peak ||
          many.growth->held < few.growth->held + growth_few)
        continue;
      settings_.growth = growth_plan{growth_many, growth_few, few.growth->held};
      fifo_source first;
      const trial_result seen = run_one(first, true);
      holds = judge(seen, growth_phase, order_model::fifo);
    }
    program_.clear();
    settings_.growth.reset();
    settings_.allocation.reset();
    result_.growth = std::to_string(measured) + " of " + std::to_string(rounds.size()) + " kinds of rounds";
    return holds;
  }

  std::string_view reason_not_to_measure() const {
    const auto& muted = settings_.muted;
    if (std::find(muted.begin(), muted.end(), growth_clause) != muted.end()) return "it is known to grow";
    if (scenario_.traits.rules->one_run) return "a program describes one run";
    if (settings_.where != tier::sim) return "on the simulator only";
    if (!chosen_.traits().testee.empty()) return "the subject is in another process";
    if (!detail::allocation_faults_linked) return "assay::allocation_faults is not linked";
    return options_.run ? "each trial has a process of its own" : "";
  }

  trial_result measure(std::uint32_t rounds, bool traced = false) {
    settings_.growth = growth_plan{.rounds = rounds};
    settings_.allocation = allocation_fault{};
    fifo_source first;
    return run_one(first, traced);
  }

  // First in, first out makes the empty program, in which there is nothing to sweep. So some are drawn, and each of them is
  // swept as a scenario is.
  bool sweep_programs() {
    const grammar& rules = *scenario_.traits.rules;
    const allowed_verbs verbs = allowed(rules, chosen_);
    const std::uint32_t swept = (options_.schedules + programs_per_sweep - 1) / programs_per_sweep;
    for (std::uint32_t i = 0; i < swept; ++i) {
      program_ = draw_answers(rules, verbs, i);
      enter("random program");
      fifo_source first;
      const trial_result seen = run_one(first, true);
      if (!judge(seen, "random program", order_model::fifo)) return false;
      result_.cancel_points += seen.cancel_points;
      result_.fault_points += seen.fault_points;
      if (seen.turns > shape_turns_) {  // strategies lay out their changes over a long one
        shape_ = shape_of(seen);
        shape_turns_ = seen.turns;
      }
      if (options_.systematic && !(sweep_cancels(seen) && sweep_faults(seen))) return false;
    }
    program_.clear();
    return true;
  }

  using deviation = sweep_source::deviation;
  static deviation cancel_at(std::uint32_t point, std::uint32_t kind = 1) {
    return {choice_kind::cancel, point, kind, false};
  }

  std::vector<std::uint32_t> draw_answers(const grammar& rules, const allowed_verbs& verbs,
                                          std::uint64_t number) const {
    random_source random(trial_seed(options_.seed, number), {});
    choice_stream choices(random);
    return answers_for(draw_swarm(choices, rules, verbs), rules, verbs);
  }

  // At every point with every kind of request; then a second request at every later point, the next one first: twice in
  // a row, and during the cleanup that the first began.
  bool sweep_cancels(const trial_result& baseline) {
    std::vector<std::uint32_t> points;  // that a trial has which is cancelled at the n-th
    for (std::uint32_t point = 0; point < baseline.cancel_points; ++point) {
      for (std::uint32_t kind = 1; kind < cancel_kinds; ++kind) {
        const std::optional<trial_result> seen = sweep({cancel_at(point, kind)}, "cancel sweep");
        if (!seen) return false;
        if (kind == 1) points.push_back(seen->cancel_points);
      }
      ++result_.cancel_points_covered;
    }
    std::uint32_t furthest = 0;
    for (std::uint32_t point = 0; point < points.size(); ++point) {
      const std::uint32_t later = points[point] > point ? points[point] - point - 1 : 0;
      result_.cancel_pairs += later;
      furthest = std::max(furthest, later);
    }
    for (std::uint32_t gap = 1; gap <= furthest; ++gap) {
      for (std::uint32_t point = 0; point < points.size(); ++point) {
        if (point + gap >= points[point]) continue;
        if (result_.cancel_pairs_covered >= options_.pairs_max) return true;
        if (!sweep({cancel_at(point), cancel_at(point + gap)}, "cancel sweep, twice")) return false;
        ++result_.cancel_pairs_covered;
      }
    }
    return true;
  }

  bool sweep_faults(const trial_result& baseline) {
    std::vector<std::uint32_t> faults;  // how many faults each call can show
    for (const choice& one : baseline.choices) {
      if (one.kind == choice_kind::fault) faults.push_back(one.arity - 1);
    }
    std::vector<std::vector<deviation>> pairs;
    for (const bool persistent : {false, true}) {
      for (std::uint32_t call = 0; call < faults.size(); ++call) {
        for (std::uint32_t fault = 1; fault <= faults[call]; ++fault) {
          const deviation failing{choice_kind::fault, call, fault, persistent};
          const auto seen = sweep({failing}, persistent ? "fault sweep, persistent" : "fault sweep");
          if (!seen) return false;
          if (persistent) continue;
          for (const std::uint32_t point : cancel_points_behind(seen->choices, call))
            pairs.push_back({failing, cancel_at(point)});
        }
        if (!persistent) ++result_.fault_points_covered;
      }
    }
    // Evenly over all of them, if they are too many.
    result_.fault_pairs = static_cast<std::uint32_t>(pairs.size());
    const std::size_t tried = std::min<std::size_t>(pairs.size(), options_.pairs_max);
    for (std::size_t i = 0; i < tried; ++i) {
      if (!sweep(pairs[i * pairs.size() / tried], "fault and cancel")) return false;
      ++result_.fault_pairs_covered;
    }
    return true;
  }

  // The cancel points that a trial offers after the call with this number.
  static std::vector<std::uint32_t> cancel_points_behind(const std::vector<choice>& made,
                                                         std::uint32_t call) {
    std::vector<std::uint32_t> points;
    std::uint32_t calls = 0;
    std::uint32_t cancels = 0;
    for (const choice& one : made) {
      if (one.kind == choice_kind::fault) ++calls;
      if (one.kind != choice_kind::cancel) continue;
      if (calls > call) points.push_back(cancels);
      ++cancels;
    }
    return points;
  }

  // What the trial came to, unless it failed.
  std::optional<trial_result> sweep(std::vector<deviation> plan, std::string_view phase) {
    enter(phase);
    sweep_source source(std::move(plan));
    trial_result seen = run_one(source);
    if (!judge(seen, phase, order_model::fifo)) return std::nullopt;
    return seen;
  }

  // Order model fifo leaves the order of tied timers open, and what the scenario itself leaves open.
  bool random_ties(const trial_result& baseline) {
    const bool open = std::any_of(baseline.choices.begin(), baseline.choices.end(),
                                  [](const choice& one) { return one.kind != choice_kind::ready; });
    if (!open) return true;
    return explore_orders((options_.schedules + 3) / 4, "random ties", order_model::fifo);
  }

  bool permuted_orders(const trial_result& baseline) {
    result_.exhausted = baseline.choices.empty();  // nothing is left open
    if (result_.exhausted || options_.orders == order_model::fifo || scenario_.traits.fifo_only) return true;
    return explore_orders(options_.schedules, "permuted order", order_model::any);
  }

  bool explore_orders(std::uint32_t schedules, std::string_view phase, order_model model) {
    enter(phase);
    sources all(options_, shape_, model);
    const grammar* const rules = scenario_.traits.rules;  // null unless it is a program
    const allowed_verbs verbs = rules != nullptr ? allowed(*rules, chosen_) : allowed_verbs();
    for (std::uint32_t i = 0; i < schedules && !all.covered(); ++i) {
      // The first of a phase is traced and run a second time from its recorded choices, strictly (VCS-9).
      choice_source& source = all.next();
      strategy_ = all.name();
      settings_.covered = all.covered_by_trial();
      if (rules != nullptr && all.draws_anew()) program_ = draw_answers(*rules, verbs, explored_programs + i);
      const trial_result seen = run_one(source, i == 0);
      program_.clear();  // it is among the choices of the trial
      settings_.covered = nullptr;
      all.finish(seen);
      if (model == order_model::any) ++result_.schedules;
      if (strategy_ == "pct2") result_.depth2 = pct_bound(shape_, 2, ++pct2_trials_);
      if (!judge(seen, phase, model)) return false;
      if (i > 0) continue;
      replay_source exactly(condense(seen.choices));
      if (!same_run(seen, run_one(exactly, true))) return false;
    }
    strategy_ = {};
    result_.exhausted = all.covered();
    if (model == order_model::any) result_.corpus = all.kept();
    return true;
  }

  bool same_run(const trial_result& one, const trial_result& other) {
    ++result_.trials;
    result_.turns += other.turns;
    if (one.choices == other.choices && one.events->hash() == other.events->hash()) return true;
    result_.outcome = result_.outcome_fifo = verdict::error;
    result_.message = "not deterministic: the same choices gave another trace; " +
                      outside_the_trial(*one.events, *other.events);
    if (!other.passed()) result_.message += "; the second run ended with '" + other.message + "'";
    result_.token = encode(make_token(chosen_, scenario_, settings_, one.choices));
    result_.trace_hash = format_hash(one.events->hash());
    return false;
  }

  bool judge(const trial_result& seen, std::string_view phase, order_model model) {
    ++result_.trials;
    result_.turns += seen.turns;
    result_.victim_named = result_.victim_named || seen.victim_named;
    wanted_.insert(seen.wanted.begin(), seen.wanted.end());
    premises_.insert(seen.premises.begin(), seen.premises.end());
    if (seen.kind == failure_kind::premise && !is_own()) {
      unmet_.insert(seen.unmet);
      return true;  // the trial shows nothing
    }
    reached_.insert(seen.reached.begin(), seen.reached.end());
    // What turns of a subject touch is known, what those of anybody's own code share is not.
    const std::uint64_t order = bare_ ? order_of(seen.choices) : seen.order_class;
    if (orders_.insert(order).second) {
      ++result_.order_classes;
      if (options_.list_orders) result_.orders.push_back(order);
    }
    if (seen.passed()) return true;
    const verdict outcome = seen.is_error() ? verdict::error : verdict::fail;
    result_.outcome = outcome;
    result_.outcome_fifo = model == order_model::fifo ? outcome : verdict::pass;
    result_.shown_by = phase;
    result_.testee_broke = seen.kind == failure_kind::testee;
    result_.strategy = strategy_;
    report(seen);
    return false;
  }

  // Shrinks the failing trial and tells its story. What escaped the scheduler does not come again on demand, a testee that
  // broke would have to be started again for every attempt, and a hang would have to be waited for.
  void report(const trial_result& failing) {
    const bool hung = failing.kind == failure_kind::hung;
    if (hung || failing.kind == failure_kind::escaped || failing.kind == failure_kind::testee) {
      result_.message = failing.message;
      const run_end end = hung ? run_end::cut : run_end::whole;
      result_.token = encode(make_token(chosen_, scenario_, settings_, failing.choices, end));
      if (!failing.events) return;
      result_.story = tell(*failing.events);
      result_.drawn = make_timeline(*failing.events);
      return;
    }
    if (failing.growth) return report_growth(failing);
    program_.clear();
    // Where it does not come again, there is nothing to shrink.
    replay_source same(condense(failing.choices));
    const trial_result again = run_one(same, true);
    ++result_.trials;
    if (!same_failure(again, failing))
      return report_unrepeated(failing, failing.events ? *failing.events : *again.events, again);
    const shrunk least = shrink(failing, options_.shrink_trials_max,
                                [this](choice_source& source) { return run_one(source); });
    result_.trials += least.trials;
    const bool late = std::any_of(least.choices.begin(), least.choices.end(), [](const choice& one) {
      return one.kind == choice_kind::late && one.chosen != 0;
    });
    if (late) result_.shown_by = late_phase;
    replay_source exactly(condense(least.choices));
    settings_.explained = true;
    const trial_result shown = run_one(exactly, true);
    settings_.explained = false;
    result_.message = shown.passed() ? failing.message : shown.message;
    // A crash cuts the trial off: its choices may end before the trial's own end.
    const run_end end = failing.kind == failure_kind::crashed ? run_end::cut : run_end::whole;
    result_.token = encode(make_token(chosen_, scenario_, settings_, least.choices, end));
    result_.trace_hash = format_hash(shown.events->hash());
    const trace* const passing = baseline_ ? &*baseline_ : nullptr;
    result_.story = tell(*shown.events, telling::story, passing);
    result_.trace = tell(*shown.events, telling::everything, passing);
    // A crash comes before the event that tells of it.
    result_.failed_at = shown.kind == failure_kind::crashed ? 0 : first_failure(*shown.events);
    result_.drawn = make_timeline(*shown.events);
    if (passing != nullptr) result_.drawn_baseline = make_timeline(*passing);
    if (!same_failure(shown, failing)) report_unrepeated(failing, *shown.events, shown);
  }

  // `told` is the trace of the choices that have failed once, where there is one; else that of `again`.
  void report_unrepeated(const trial_result& failing, const trace& told, const trial_result& again) {
    result_.outcome = verdict::error;
    result_.shown_by = {};  // it is no matter of the schedule
    result_.message = "not deterministic: the same choices did not fail again in the same way; first '" +
                      failing.message + "', then '" + (again.passed() ? "pass" : again.message) + "'; " +
                      outside_the_trial(told, *again.events);
    result_.token = encode(make_token(chosen_, scenario_, settings_, failing.choices));
    result_.trace_hash = format_hash(told.hash());
    result_.story = tell(told);
    result_.trace = tell(told, telling::everything);
    result_.drawn = make_timeline(told);
  }

  // There is nothing to shrink, and hundreds of the same calls are no story.
  void report_growth(const trial_result& failing) {
    result_.message = failing.message;
    result_.token = encode(make_token(chosen_, scenario_, settings_, failing.choices));
    result_.trace_hash = format_hash(failing.events->hash());
    result_.story = failing.failures;
  }

  // What scenarios are written against.
  bool is_own() const noexcept {
    return chosen_.kind() == subject_kind::reference || chosen_.kind() == subject_kind::alternative;
  }

  void check_premises() {
    if (result_.outcome != verdict::pass) return;
    for (const std::string& premise : unmet_) {
      if (premises_.contains(premise)) continue;
      const std::string message = "premise: in no trial " + premise;
      if (chosen_.kind() == subject_kind::third_party) {
        skip(message);
      } else {
        result_.outcome = result_.outcome_fifo = verdict::fail;
        result_.message = message;
        result_.shown_by = baseline_phase;
      }
      return;
    }
  }

  void check_vacuity() {
    std::string missing;
    for (const std::string& label : wanted_) {
      if (!reached_.contains(label)) missing += (missing.empty() ? "'" : ", '") + label + "'";
    }
    if (missing.empty()) return;
    result_.outcome = result_.outcome_fifo = verdict::error;
    result_.message = "vacuous: no trial of the campaign reached " + missing;
  }

  const subject_base& chosen_;
  const bool bare_ = dynamic_cast<const bare_subject*>(&chosen_) != nullptr;  // the test is anybody's own
  const scenario_info& scenario_;
  const campaign_options& options_;
  const campaign_observer* observer_;
  trial_settings settings_;
  campaign_result result_;
  std::set<std::string> wanted_;
  std::set<std::string> reached_;
  std::set<std::string> premises_;  // that held in some trial
  std::set<std::string> unmet_;     // that did not hold in some undisturbed trial
  std::unordered_set<std::uint64_t> orders_;
  run_shape shape_;
  std::uint64_t shape_turns_ = 0;
  std::vector<std::uint32_t>
      program_;                    // the answers that make the random program that is swept; empty: none is
  std::optional<trace> baseline_;  // the baseline trial, if it passed
  std::uint64_t pct2_trials_ = 0;
  std::string strategy_;  // that is exploring just now
};

}  // namespace

run_shape shape_of(const trial_result& baseline) {
  run_shape shape;
  shape.count(baseline.choices);
  shape.turns = baseline.task_turns;
  shape.chains = baseline.chains;
  return shape;
}

void charge(campaign_result& result) {
  result.cited.clear();
  if (result.outcome != verdict::fail) return;
  const catalogue& all = catalogue::instance();
  const clause_info* const cited = all.find_clause(cited_clause(result.message));
  if (cited == nullptr || cited->id == result.clause) return;
  result.cited = cited->id;
  result.level = cited->level;
  const auto& scenarios = all.scenarios();
  result.core = std::any_of(scenarios.begin(), scenarios.end(), [&](const scenario_info& one) {
    return one.contract == result.contract && one.clause == cited->id && all.in_core(one);
  });
}

campaign_result blank_result(const subject_base& chosen, const scenario_info& scenario, tier where) {
  campaign_result result;
  result.subject = chosen.name();
  result.kind = chosen.kind();
  result.contract = scenario.contract;
  result.clause = scenario.clause;
  result.variant = scenario.variant;
  const clause_info* const clause = catalogue::instance().find_clause(scenario.clause);
  result.level = clause == nullptr ? level::must : clause->level;
  result.where = where;
  result.core = catalogue::instance().in_core(scenario);
  return result;
}

campaign_result run_campaign(const subject_base& chosen, const scenario_info& scenario,
                             const campaign_options& options, const campaign_observer* observer) {
  return campaign(chosen, scenario, options, observer).run();
}

trace_hashes hash_trials(const subject_base& chosen, const scenario_info& scenario,
                         const campaign_options& options, const campaign_observer* observer) {
  const trial_settings settings = settings_for(scenario, options);
  fifo_source first;
  const trial_result baseline = run_trial(chosen, scenario, first, settings, true, observer);
  const run_shape shape = shape_of(baseline);
  trace_hashes all;
  all.hash = baseline.events->hash();
  sources mixed(options, shape, order_model::any);
  for (std::uint32_t i = 0; i < options.schedules && !mixed.covered(); ++i) {
    choice_source& source = mixed.next();
    trial_settings told = settings;
    told.covered = mixed.covered_by_trial();
    const trial_result seen = run_trial(chosen, scenario, source, told, true, observer);
    mixed.finish(seen);
    all.hash = fnv::mix(all.hash, seen.events->hash());
    replay_source exactly(condense(seen.choices));
    const trial_result again = run_trial(chosen, scenario, exactly, settings, true, observer);
    if (again.events->hash() == seen.events->hash() || !all.difference.empty()) continue;
    all.difference = first_difference(*seen.events, *again.events);
  }
  return all;
}

}  // namespace assay
