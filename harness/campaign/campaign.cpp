#include "harness/campaign/campaign.hpp"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "harness/allocation/counter.hpp"
#include "harness/choice/strategy.hpp"

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

// What is known only when the trial has gone: what of the subject's memory has outlived it, and what it told of on its
// way out, in the destructor of whoever held a failure.
void take_stock(const allocation_counter& allocations, trial_result& result) {
  allocation_report& report = *result.allocations;
  report.kept = allocations.kept();
  if (!allocations.failed()) return;
  const bool told_late = allocations.told() && !std::exchange(report.told, allocations.told());
  if (told_late && result.kind == failure_kind::item &&
      result.message.find(" was lost") != std::string::npos) {
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

trial_result run_trial(const subject_base& chosen, const scenario_info& scenario, choice_source& source,
                       const trial_settings& settings, bool traced, const campaign_observer* observer) {
  if (observer != nullptr && observer->trial_begins) observer->trial_begins(settings);
  choice_stream choices(source, observer != nullptr ? observer->mirror : nullptr);
  std::shared_ptr<const allocation_counter> allocations;
  trial_result result;
  {
    trial t(choices, settings, traced);
    allocations = t.shared_allocations();
    if (scenario.traits.faulted) t.allow_faults();
    result = t.run([&] { return scenario.begin(t, chosen); });
  }
  if (allocations != nullptr) take_stock(*allocations, result);
  return result;
}

namespace {

// What a message says without the numbers in it, up to the first colon: two trials that differ only in ids
// and times fail in the same way.
std::string gist(const std::string& message) {
  std::string text;
  for (const char c : message) {
    if (c == ':') break;
    if (c < '0' || c > '9') text += c;
  }
  return text;
}

// The sources of trials under this order model, one after the other.
class sources {
 public:
  sources(const campaign_options& options, const run_shape& shape, order_model model)
      : options_(options), shape_(shape), model_(model), mixed_(options.seed, shape) {
    if (model == order_model::any) fixed_ = find_strategy(options.strategy);
    depth_first_ = model == order_model::any && options.strategy == "dfs";
  }
  choice_source& next() {
    const std::uint64_t seed = options_.seed * 1'000'003 + number_++;
    if (depth_first_) return all_.next();
    if (fixed_ == nullptr && model_ == order_model::any) return mixed_.next();
    if (fixed_ != nullptr) {
      source_ = fixed_->make(seed, shape_);
    } else {
      random_source::odds odds;
      odds.ready = false;
      source_ = std::make_unique<random_source>(seed, odds);
    }
    return *source_;
  }
  void finish() {
    if (depth_first_) {
      covered_ = !all_.finish();
    } else if (fixed_ == nullptr && model_ == order_model::any) {
      mixed_.finish();
    }
  }
  /// No further trial can show anything new.
  bool covered() const noexcept { return covered_ || mixed_.covered(); }
  std::string_view name() const noexcept {
    if (model_ == order_model::fifo) return {};
    return depth_first_ ? "dfs" : fixed_ != nullptr ? fixed_->name : mixed_.name();
  }

 private:
  const campaign_options& options_;
  const run_shape& shape_;
  order_model model_;
  const strategy* fixed_ = nullptr;
  bool depth_first_ = false;
  bool covered_ = false;
  std::uint64_t number_ = 0;
  std::unique_ptr<choice_source> source_;
  exhaustive all_;
  portfolio mixed_;
};

class campaign {
 public:
  campaign(const subject_base& chosen, const scenario_info& scenario, const campaign_options& options,
           const campaign_observer* observer)
      : chosen_(chosen),
        scenario_(scenario),
        options_(options),
        observer_(observer),
        settings_{options.where, options.sweep},
        result_(blank_result(chosen, scenario, options.where)) {}

  campaign_result run() {
    if (auto why = reason_to_skip(chosen_, scenario_, options_.where)) {
      skip(std::move(*why));
    } else if (explore()) {
      check_vacuity();
    }
    return std::move(result_);
  }

 private:
  trial_result run_one(choice_source& source, bool traced = false) {
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
    enter("fifo");
    fifo_source first;
    const trial_result baseline = run_one(first, true);
    shape_.count(baseline.choices);
    shape_.turns = baseline.task_turns;
    shape_.chains = baseline.chains;
    result_.cancel_points = baseline.cancel_points;
    result_.fault_points = baseline.fault_points;
    result_.trace_hash = format_hash(baseline.events->hash());
    result_.token = encode(make_token(chosen_, scenario_, settings_, baseline.choices));
    if (!judge(baseline, "fifo", order_model::fifo)) return false;
    baseline_ = baseline.events;
    // The harness checks its own determinism (VCS-9): the same choices, the same trace.
    fifo_source first_again;
    if (!same_run(baseline, run_one(first_again, true))) return false;
    if (options_.systematic && !(sweep_cancels(baseline) && sweep_faults(baseline) && random_ties(baseline)))
      return false;
    return permuted_orders(baseline);
  }

  using deviation = sweep_source::deviation;
  static deviation cancel_at(std::uint32_t point, std::uint32_t kind = 1) {
    return {choice_kind::cancel, point, kind, false};
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
    if (result_.exhausted) return true;
    return explore_orders(options_.schedules, "permuted order", order_model::any);
  }

  bool explore_orders(std::uint32_t schedules, std::string_view phase, order_model model) {
    enter(phase);
    sources all(options_, shape_, model);
    for (std::uint32_t i = 0; i < schedules && !all.covered(); ++i) {
      // The first of a phase is traced and run a second time from its recorded choices, strictly (VCS-9).
      choice_source& source = all.next();
      strategy_ = all.name();
      const trial_result seen = run_one(source, i == 0);
      all.finish();
      if (model == order_model::any) ++result_.schedules;
      if (strategy_ == "pct2") result_.depth2 = pct_bound(shape_, 2, ++pct2_trials_);
      if (!judge(seen, phase, model)) return false;
      if (i > 0) continue;
      replay_source exactly(condense(seen.choices));
      if (!same_run(seen, run_one(exactly, true))) return false;
    }
    strategy_ = {};
    result_.exhausted = all.covered();
    return true;
  }

  bool same_run(const trial_result& one, const trial_result& other) {
    ++result_.trials;
    result_.turns += other.turns;
    if (one.choices == other.choices && one.events->hash() == other.events->hash()) return true;
    result_.outcome = result_.outcome_fifo = verdict::error;
    result_.message = "not deterministic: the same choices gave another trace, from " +
                      first_difference(*one.events, *other.events);
    if (!other.passed()) result_.message += "; the second run ended with '" + other.message + "'";
    result_.token = encode(make_token(chosen_, scenario_, settings_, one.choices));
    result_.trace_hash = format_hash(one.events->hash());
    return false;
  }

  bool judge(const trial_result& seen, std::string_view phase, order_model model) {
    ++result_.trials;
    result_.turns += seen.turns;
    wanted_.insert(seen.wanted.begin(), seen.wanted.end());
    reached_.insert(seen.reached.begin(), seen.reached.end());
    if (orders_.insert(seen.order_class).second) {
      ++result_.order_classes;
      if (options_.list_orders) result_.orders.push_back(seen.order_class);
    }
    if (seen.passed()) return true;
    const verdict outcome = seen.is_error() ? verdict::error : verdict::fail;
    result_.outcome = outcome;
    result_.outcome_fifo = model == order_model::fifo ? outcome : verdict::pass;
    result_.shown_by = phase;
    result_.strategy = strategy_;
    report(seen);
    return false;
  }

  // Shrinks the failing trial and tells its story. What escaped the scheduler does not come again on demand.
  void report(const trial_result& failing) {
    if (failing.kind == failure_kind::escaped) {
      result_.message = failing.message;
      result_.token = encode(make_token(chosen_, scenario_, settings_, failing.choices));
      if (failing.events) result_.story = tell(*failing.events);
      return;
    }
    const auto again = [&](std::vector<std::uint32_t> answers) -> std::optional<std::vector<choice>> {
      lenient_source source(std::move(answers));
      trial_result seen = run_one(source);
      if (!same_failure(seen, failing)) return std::nullopt;
      return std::move(seen.choices);
    };
    shrunk least = shrink(failing.choices, options_.shrink_trials_max, again);
    result_.trials += least.trials;
    replay_source exactly(condense(least.choices));
    const trial_result shown = run_one(exactly, true);
    result_.message = shown.passed() ? failing.message : shown.message;
    // A crash cuts the trial off: its choices may end before the trial's own end.
    const run_end end = failing.kind == failure_kind::crashed ? run_end::cut : run_end::whole;
    result_.token = encode(make_token(chosen_, scenario_, settings_, least.choices, end));
    result_.trace_hash = format_hash(shown.events->hash());
    const trace* const passing = baseline_ ? &*baseline_ : nullptr;
    result_.story = tell(*shown.events, telling::story, passing);
    result_.trace = tell(*shown.events, telling::everything, passing);
    if (!same_failure(shown, failing)) {
      result_.outcome = verdict::error;
      result_.message = "not deterministic: the same choices did not fail again in the same way; first '" +
                        failing.message + "', then '" + (shown.passed() ? "pass" : shown.message) + "'";
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
  const scenario_info& scenario_;
  const campaign_options& options_;
  const campaign_observer* observer_;
  trial_settings settings_;
  campaign_result result_;
  std::set<std::string> wanted_;
  std::set<std::string> reached_;
  std::unordered_set<std::uint64_t> orders_;
  run_shape shape_;
  std::optional<trace> baseline_;  // the first-in-first-out run, if it passed
  std::uint64_t pct2_trials_ = 0;
  std::string strategy_;  // that is exploring just now
};

}  // namespace

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
  return result;
}

bool same_failure(const trial_result& a, const trial_result& b) {
  return a.kind == b.kind && gist(a.message) == gist(b.message);
}

campaign_result run_campaign(const subject_base& chosen, const scenario_info& scenario,
                             const campaign_options& options, const campaign_observer* observer) {
  return campaign(chosen, scenario, options, observer).run();
}

trace_hashes hash_trials(const subject_base& chosen, const scenario_info& scenario,
                         const campaign_options& options) {
  const trial_settings settings{options.where, options.sweep};
  fifo_source first;
  const trial_result baseline = run_trial(chosen, scenario, first, settings, true);
  run_shape shape;
  shape.count(baseline.choices);
  shape.turns = baseline.task_turns;
  shape.chains = baseline.chains;
  trace_hashes all;
  all.hash = baseline.events->hash();
  sources mixed(options, shape, order_model::any);
  for (std::uint32_t i = 0; i < options.schedules && !mixed.covered(); ++i) {
    const trial_result seen = run_trial(chosen, scenario, mixed.next(), settings, true);
    mixed.finish();
    all.hash = (all.hash ^ seen.events->hash()) * 1099511628211ULL;
    replay_source exactly(condense(seen.choices));
    const trial_result again = run_trial(chosen, scenario, exactly, settings, true);
    if (again.events->hash() == seen.events->hash() || !all.difference.empty()) continue;
    all.difference = first_difference(*seen.events, *again.events);
  }
  return all;
}

// ---- shrinking

namespace {

class shrinker {
 public:
  using runner = std::function<std::optional<std::vector<choice>>(std::vector<std::uint32_t>)>;
  shrinker(std::vector<choice> failing, std::uint32_t trials_max, const runner& again)
      : best_(std::move(failing)), left_(trials_max), trials_max_(trials_max), again_(again) {}

  shrunk run() {
    keep_prefix();
    bool smaller = true;
    while (smaller && left_ > 0) {
      smaller = drop_steps();
      if (drop_deviations()) smaller = true;
      if (lower_answers()) smaller = true;
      if (!smaller) smaller = shift() || single();
    }
    return {std::move(best_), trials_max_ - left_};
  }

 private:
  static std::vector<std::uint32_t> answers_of(const std::vector<choice>& made) {
    std::vector<std::uint32_t> answers;
    answers.reserve(made.size());
    for (const choice& one : made) answers.push_back(one.chosen);
    return answers;
  }
  static std::size_t deviations(const std::vector<choice>& made) {
    return static_cast<std::size_t>(
        std::count_if(made.begin(), made.end(), [](const choice& one) { return one.chosen != 0; }));
  }
  static std::uint64_t weight(const std::vector<choice>& made) {
    std::uint64_t sum = 0;
    for (const choice& one : made) sum += one.chosen;
    return sum;
  }

  // Runs a candidate; keeps it if it fails alike and is smaller.
  bool accept(std::vector<std::uint32_t> answers) {
    if (left_ == 0) return false;
    --left_;
    std::optional<std::vector<choice>> made = again_(std::move(answers));
    if (!made) return false;
    const auto size = std::pair(deviations(*made), weight(*made));
    if (size >= std::pair(deviations(best_), weight(best_))) return false;
    best_ = std::move(*made);
    return true;
  }

  // The fewest first deviations after which first-in-first-out still fails, by bisection (failure need not be
  // monotone in their number, so this is a start, not a promise).
  void keep_prefix() {
    std::size_t low = 0;
    std::size_t high = deviations(best_);
    while (low < high && left_ > 0) {
      const std::size_t middle = low + (high - low) / 2;
      std::vector<std::uint32_t> answers = answers_of(best_);
      answers.resize(deviating_steps()[middle]);
      if (accept(std::move(answers))) {
        high = std::min(middle, deviations(best_));
      } else {
        low = middle + 1;
      }
    }
  }

  std::vector<std::size_t> deviating_steps() const {
    std::vector<std::size_t> steps;
    for (std::size_t i = 0; i < best_.size(); ++i) {
      if (best_[i].chosen != 0) steps.push_back(i);
    }
    return steps;
  }

  // Takes whole steps out of a random program: a verb and its two arguments, many at once first.
  bool drop_steps() {
    constexpr std::size_t answers_per_step = 3;
    bool any = false;
    for (std::size_t count = 8; count > 0 && left_ > 0; count /= 2) {
      std::size_t begin = 0;
      while (left_ > 0) {
        while (begin < best_.size() && best_[begin].kind != choice_kind::program) ++begin;
        const std::size_t end = begin + count * answers_per_step;
        if (end > best_.size() || best_[end - 1].kind != choice_kind::program) break;
        std::vector<std::uint32_t> answers = answers_of(best_);
        answers.erase(answers.begin() + static_cast<std::ptrdiff_t>(begin),
                      answers.begin() + static_cast<std::ptrdiff_t>(end));
        if (accept(std::move(answers))) {
          any = true;
        } else {
          ++begin;
        }
      }
    }
    return any;
  }

  // Sets runs of deviations to 0, long runs first.
  bool drop_deviations() {
    bool any = false;
    for (std::size_t size = std::max<std::size_t>(deviations(best_), 1); size > 0 && left_ > 0; size /= 2) {
      std::size_t begin = 0;
      while (left_ > 0) {
        const std::vector<std::size_t> steps = deviating_steps();
        if (begin >= steps.size()) break;
        std::vector<std::uint32_t> answers = answers_of(best_);
        for (std::size_t i = begin; i < std::min(begin + size, steps.size()); ++i) answers[steps[i]] = 0;
        if (accept(std::move(answers))) {
          any = true;
        } else {
          begin += size;
        }
      }
    }
    return any;
  }

  // Takes one deviation out, and moves everything behind it by a place: a run that made one choice less, or more.
  bool shift() {
    bool any = false;
    for (std::size_t i = 0; i < deviating_steps().size() && left_ > 0;) {
      const std::size_t step = deviating_steps()[i];
      const auto at = [step](std::vector<std::uint32_t>& answers) {
        return answers.begin() + static_cast<std::ptrdiff_t>(step);
      };
      std::vector<std::uint32_t> earlier = answers_of(best_);
      earlier.erase(at(earlier));
      std::vector<std::uint32_t> later = answers_of(best_);
      *at(later) = 0;
      later.insert(at(later), 0);
      if (accept(std::move(earlier)) || accept(std::move(later))) {
        any = true;
      } else {
        ++i;
      }
    }
    return any;
  }

  // Whether one deviation anywhere does: what takes several steps to reach by dropping may take one to see.
  bool single() {
    if (deviations(best_) < 2) return false;
    const std::vector<choice> before = best_;
    for (std::size_t step = 0; step < before.size() && left_ > 0; ++step) {
      if (before[step].kind == choice_kind::program) continue;
      for (std::uint32_t answer = 1; answer < std::min(before[step].arity, 8U); ++answer) {
        std::vector<std::uint32_t> answers(step + 1, 0);
        for (std::size_t i = 0; i < step; ++i) {
          if (before[i].kind == choice_kind::program) answers[i] = before[i].chosen;
        }
        answers[step] = answer;
        if (accept(std::move(answers))) return true;
      }
    }
    return false;
  }

  bool lower_answers() {
    bool any = false;
    for (std::size_t i = 0; i < deviating_steps().size() && left_ > 0; ++i) {
      const std::size_t step = deviating_steps()[i];
      for (const std::uint32_t smaller : {1U, best_[step].chosen / 2, best_[step].chosen - 1}) {
        if (step >= best_.size() || smaller == 0 || smaller >= best_[step].chosen) continue;
        std::vector<std::uint32_t> answers = answers_of(best_);
        answers[step] = smaller;
        if (accept(std::move(answers))) {
          any = true;
          break;
        }
      }
    }
    return any;
  }

  std::vector<choice> best_;
  std::uint32_t left_;
  std::uint32_t trials_max_;
  const runner& again_;
};

}  // namespace

shrunk shrink(std::vector<choice> failing, std::uint32_t trials_max,
              const std::function<std::optional<std::vector<choice>>(std::vector<std::uint32_t>)>& again) {
  return shrinker(std::move(failing), trials_max, again).run();
}

// ---- tokens

std::string_view version() noexcept { return "0.1.0"; }

std::string build_id() {
#if defined(__clang__)
  const std::string compiler =
      "clang" + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  const std::string compiler = "gcc" + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
  // Order-independent, so that the digest does not hang on the order in which files were linked.
  std::uint64_t digest = 0;
  for (const clause_info& one : catalogue::instance().clauses()) {
    std::uint64_t hash =
        14695981039346656037ULL + static_cast<std::uint64_t>(catalogue::instance().revision_of(one.id));
    for (const char c : one.id + one.text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
    digest += hash;
  }
  return std::string(version()) + "-" + compiler + "-" + format_hash(digest).substr(8);
}

replay_token make_token(const subject_base& chosen, const scenario_info& scenario,
                        const trial_settings& settings, std::span<const choice> made, run_end end) {
  replay_token token;
  token.build = build_id();
  token.subject = chosen.name();
  token.scenario = scenario.name();
  token.settings =
      "tier=" + std::string(to_string(settings.where)) + ",sweep=" + (settings.sweep ? "1" : "0");
  if (settings.allocation) token.settings += ",alloc=" + to_string(*settings.allocation);
  if (end == run_end::cut) token.settings += ",end=cut";
  token.plan = condense(made);
  return token;
}

trial_settings settings_of(const replay_token& token) {
  trial_settings settings;
  std::string_view rest = token.settings;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one == "tier=sim") {
      settings.where = tier::sim;
    } else if (one == "tier=io_context") {
      settings.where = tier::io_context;
    } else if (one == "sweep=1" || one == "sweep=0") {
      settings.sweep = one.back() == '1';
    } else if (one.starts_with("alloc=")) {
      settings.allocation = read_allocation_fault(one.substr(6));
      if (!settings.allocation)
        throw malformed_token("the token names no allocation: '" + std::string(one) + "'");
    } else if (one != "end=cut") {
      throw malformed_token("the token has a setting that this program does not know: '" + std::string(one) +
                            "'");
    }
  }
  return settings;
}

replay_plan plan_replay(const replay_token& token) {
  const catalogue& all = catalogue::instance();
  replay_plan plan;
  plan.scenario = all.find_scenario(token.scenario);
  if (plan.scenario == nullptr) {
    throw malformed_token("the token names the scenario '" + token.scenario +
                          "', which this program does not have");
  }
  plan.chosen = all.find_subject(plan.scenario->contract, token.subject);
  if (plan.chosen == nullptr) {
    throw malformed_token("the token names the subject '" + token.subject + "' of " +
                          plan.scenario->contract + ", which this program does not have");
  }
  plan.settings = settings_of(token);
  plan.cut = token.settings.find("end=cut") != std::string::npos;
  plan.plan = token.plan;
  plan.other_build = token.build != build_id();
  return plan;
}

trial_result replay(const replay_plan& plan, bool traced, const campaign_observer* observer) {
  replay_source source(plan.plan, plan.cut);
  trial_result result = run_trial(*plan.chosen, *plan.scenario, source, plan.settings, traced, observer);
  if (const auto why = source.finish()) {
    result.kind = failure_kind::diverged;
    result.message = "diverged: " + *why;
    result.failures.insert(result.failures.begin(), result.message);
  }
  return result;
}

namespace {

// Tasks are numbered as their operations are started: 0 is the subject, 1 the scenario.
class task_names {
 public:
  explicit task_names(const trace& events) {
    for (const event& one : events.events()) {
      if (one.kind == event_kind::start) names_.push_back(one.text);
    }
  }
  std::string of(std::uint32_t task) const {
    return task < names_.size() ? names_[task] : std::string("the subject");
  }

 private:
  std::vector<std::string> names_{"the subject", "scenario"};
};

std::string in_words(const event& one, const task_names& names) {
  std::string line = "  " + format_duration(one.at);
  line.resize(std::max<std::size_t>(line.size(), 10), ' ');
  line += std::string(to_string(one.kind));
  line.resize(std::max<std::size_t>(line.size(), 19), ' ');
  return line + (one.kind == event_kind::turn ? names.of(one.task) : one.text);
}

bool same_event(const event& a, const event& b) {
  return a.at == b.at && a.task == b.task && a.kind == b.kind && a.text == b.text;
}

struct difference {
  std::size_t in_one = 0;
  std::size_t in_other = 0;
};

// Where two traces part; choices are causes, not differences.
std::optional<difference> find_difference(const std::vector<event>& one, const std::vector<event>& other) {
  difference at;
  while (true) {
    while (at.in_one < one.size() && one[at.in_one].kind == event_kind::choice) ++at.in_one;
    while (at.in_other < other.size() && other[at.in_other].kind == event_kind::choice) ++at.in_other;
    if (at.in_one == one.size() && at.in_other == other.size()) return std::nullopt;
    if (at.in_one == one.size() || at.in_other == other.size()) return at;
    if (!same_event(one[at.in_one], other[at.in_other])) return at;
    ++at.in_one;
    ++at.in_other;
  }
}

std::string event_at(const trace& events, std::size_t place) {
  const std::vector<event> all = events.events();
  if (place == all.size()) return "the end";
  std::string text = in_words(all[place], task_names(events));
  text.erase(0, text.find_first_not_of(' '));
  // One blank between the columns.
  std::string words;
  for (const char c : text) {
    if (c != ' ' || words.back() != ' ') words += c;
  }
  return "'" + words + "'";
}

}  // namespace

std::string first_difference(const trace& one, const trace& other) {
  const auto at = find_difference(one.events(), other.events());
  if (!at) return {};
  return "event " + std::to_string(at->in_one + 1) + ": " + event_at(one, at->in_one) + " here, " +
         event_at(other, at->in_other) + " there";
}

std::vector<std::string> tell(const trace& events, telling how, const trace* passing) {
  const task_names names(events);
  std::optional<difference> parted;
  if (passing != nullptr) parted = find_difference(events.events(), passing->events());
  std::vector<std::string> lines;
  const std::vector<event> all = events.events();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const event& one = all[i];
    if (parted && parted->in_one == i) {
      lines.push_back("  -- here it parts from the first-in-first-out run, which passes and goes on with " +
                      event_at(*passing, parted->in_other));
    }
    if (how == telling::story && one.kind == event_kind::turn) continue;
    lines.push_back(in_words(one, names));
  }
  return lines;
}

}  // namespace assay
