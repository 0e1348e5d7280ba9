#include <assay/harness/campaign/bugs.hpp>

#include <time.h>

#include <algorithm>
#include <boost/describe.hpp>
#include <boost/json.hpp>
#include <functional>
#include <limits>
#include <stdexcept>
#include <utility>

#include <assay/harness/campaign/bare_subject.hpp>
#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/child_process.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/campaign/shrink.hpp>
#include <assay/harness/campaign/sources.hpp>
#include <assay/harness/choice/exhaustive.hpp>
#include <assay/harness/choice/strategy.hpp>

namespace assay {

// Only for the lines from a process that measures; what is printed has a format of its own.
BOOST_DESCRIBE_STRUCT(bug_figures, (), (median, p95, cpu_ms))
BOOST_DESCRIBE_STRUCT(bug_report, (),
                      (name, depth, what, portfolio, strategies, cancel_slots, sweep_runs, shrunk_deviations,
                       twin_reports, twin_message))

namespace {

double cpu_ms() noexcept {
  timespec value{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &value);
  return static_cast<double>(value.tv_sec) * 1e3 + static_cast<double>(value.tv_nsec) / 1e6;
}

constexpr double never = std::numeric_limits<double>::infinity();

// The value below which this share of all lies, and half of the two in the middle for the median.
std::optional<double> quantile(std::vector<double> all, double share) {
  if (all.empty()) return std::nullopt;
  std::sort(all.begin(), all.end());
  const double place = share * static_cast<double>(all.size());
  const auto above = std::min(static_cast<std::size_t>(place), all.size() - 1);
  const bool between = static_cast<double>(above) == place;  // and not the first: no share is 0
  const double value = between ? (all[above - 1] + all[above]) / 2 : all[above];
  return value == never ? std::nullopt : std::optional(value);
}

class measurement {
 public:
  measurement(const planted_bug& bug, const bug_options& options) : bug_(bug), options_(options) {
    fifo_source first;
    const trial_result baseline = run_trial(planted_subject(), bug.wrong, first, {}, true);
    shape_ = shape_of(baseline);
    report_.name = bug.name;
    report_.depth = bug.depth;
    report_.what = bug.what;
    report_.cancel_slots = bug.cancel_slots;
    cancel_points_ = baseline.cancel_points;
  }

  bug_report run() {
    for (const strategy& one : strategies()) {
      report_.strategies[std::string(one.name)] =
          over_seeds([&](std::uint64_t seed) { return first_failure(one.name, seed); });
    }
    report_.strategies["dfs"] = depth_first();
    report_.strategies["corpus"] =
        over_seeds([&](std::uint64_t seed) { return first_failure("corpus", seed); });
    report_.portfolio = over_seeds([&](std::uint64_t seed) { return first_failure("portfolio", seed); });
    sweep();
    shrink_one();
    look_at_twin();
    return std::move(report_);
  }

 private:
  trial_result try_one(const scenario_info& scenario, choice_source& source) const {
    return run_trial(planted_subject(), scenario, source, {});
  }

  // Schedules until the bug shows, or never.
  double first_failure(std::string_view strategy, std::uint64_t seed) const {
    campaign_options options;
    options.strategy = strategy;
    options.seed = seed;
    sources all(options, shape_, order_model::any);
    for (std::uint32_t number = 0; number < options_.cap; ++number) {
      choice_source& source = all.next();
      trial_settings settings;
      settings.covered = all.covered_by_trial();
      const trial_result seen = run_trial(planted_subject(), bug_.wrong, source, settings);
      if (!seen.passed()) return number + 1;
      all.finish(seen);
    }
    return never;
  }

  bug_figures over_seeds(const std::function<double(std::uint64_t seed)>& first) const {
    std::vector<double> schedules;
    std::vector<double> times;
    std::uint32_t failures = 0;
    for (std::uint32_t seed = 1; seed <= options_.seeds; ++seed) {
      // More than half have not found it: neither figure can exist any more.
      if (2 * failures > options_.seeds) return {};
      const double begun = cpu_ms();
      schedules.push_back(first(seed));
      const bool found = schedules.back() != never;
      times.push_back(found ? cpu_ms() - begun : never);
      if (!found) ++failures;
    }
    return {quantile(schedules, 0.5), quantile(schedules, 0.95), quantile(times, 0.5)};
  }

  bug_figures depth_first() const {
    exhaustive all;
    const double begun = cpu_ms();
    for (std::uint32_t number = 0; number < options_.cap; ++number) {
      if (!try_one(bug_.wrong, all.next()).passed()) return {number + 1.0, number + 1.0, cpu_ms() - begun};
      if (!all.finish()) break;
    }
    return {};
  }

  void sweep() {
    std::uint32_t runs = 0;
    for (std::uint32_t point = 0; point < cancel_points_; ++point) {
      ++runs;
      sweep_source cancelled({{choice_kind::cancel, point, 1, false}});
      if (try_one(bug_.wrong, cancelled).passed()) continue;
      report_.sweep_runs = runs;
      return;
    }
  }

  void shrink_one() {
    portfolio mixed(1, shape_);
    for (std::uint32_t number = 0; number < options_.cap; ++number) {
      const trial_result failing = try_one(bug_.wrong, mixed.next());
      mixed.finish();
      if (failing.passed()) continue;
      const shrunk least =
          shrink(failing, 2000, [this](choice_source& source) { return try_one(bug_.wrong, source); });
      report_.shrunk_deviations = static_cast<std::uint32_t>(condense(least.choices).deviations.size());
      return;
    }
  }

  void look_at_twin() {
    portfolio mixed(1, shape_);
    for (std::uint32_t number = 0; number < options_.twin_schedules; ++number) {
      const trial_result seen = try_one(bug_.right, mixed.next());
      mixed.finish();
      if (!seen.passed() && report_.twin_reports++ == 0) report_.twin_message = seen.message;
    }
  }

  const planted_bug& bug_;
  const bug_options& options_;
  run_shape shape_;
  std::uint32_t cancel_points_ = 0;
  bug_report report_;
};

}  // namespace

const subject_base& planted_subject() {
  static const bare_subject none("none", "planted");
  return none;
}

bug_report measure_bug(const planted_bug& bug, const bug_options& options) {
  return measurement(bug, options).run();
}

std::vector<bug_report> measure_bugs(std::span<const planted_bug* const> bugs, const bug_options& options,
                                     unsigned processes, const std::function<void(const bug_report&)>& done) {
  std::vector<std::optional<bug_report>> reports(bugs.size());
  const auto measure = [&](std::size_t bug) {
    return boost::json::serialize(boost::json::value_from(measure_bug(*bugs[bug], options)));
  };
  const auto take = [&](std::size_t bug, const child_process::end& seen) {
    if (!seen.whole())
      throw std::runtime_error("the process that measured '" + bugs[bug]->name + "' ended without a result");
    reports[bug] = boost::json::value_to<bug_report>(boost::json::parse(seen.text));
    if (done) done(*reports[bug]);
  };
  run_in_children(bugs.size(), processes, measure, take, &interruption::wished);
  return present(std::move(reports));
}

}  // namespace assay
