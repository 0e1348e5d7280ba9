// Strategies: sources of the choice stream that look for bugs, each in a way of its own. No single one is safe: what one
// finds at once another never finds, so a campaign runs a portfolio of them.
//
//   random         every answer with the same probability
//   random_walk    a task in proportion to the turns that it has left, so that orders rather than steps are sampled
//                  (Zhao, Wolff, Mathur, Roychoudhury, "Selectively uniform concurrency testing", ASPLOS 2025)
//   pct2, pct3     priorities of handler chains with one or two points of change: Burckhardt, Kothari, Musuvathi,
//                  Nagarakatte, "A randomized scheduler with probabilistic guarantees of finding bugs", ASPLOS 2010,
//                  over chains as in Ozkan et al., OOPSLA 2018 (see sim_context)
//   pct_fair       the same with priorities drawn anew again and again, so that nobody starves for long
//   pos            a priority for every event (Yuan, Yang, Gu, "Partial order aware concurrency sampling", CAV 2018;
//                  every event keeps its draw, since memory that turns share cannot be seen)
//   delay_bounded  first in first out, but up to three times the first is passed over (Emmi, Qadeer, Rakamaric,
//                  "Delay-bounded scheduling", POPL 2011)
//   sticky         first in first out, with rare deviations anywhere
//   lifo           the latest first
//   starve_one     one task, or one chain, waits for as long as anybody else can run
//   dfs            every schedule, one after the other; see exhaustive.hpp
//   portfolio      all of these in turn
//   corpus         the portfolio, and by turns with it mutants of what has shown something new; see corpus.hpp
//
// Each also draws which kinds of choices it switches on at all (swarm testing: Groce, Zhang, Eide, Chen, Regehr, ISSTA
// 2012): cancels, faults and late loops not at all, at few places, or often.
//
// Every source has a fair tail: after several times the choices that the first-in-first-out run took, every answer is
// the first, and nothing is cancelled or fails any more. What has not come to rest then does not because of the
// subject, and not because it was starved: this is the trial's liveness phase.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/choice/exhaustive.hpp>

namespace assay {

/// What the first-in-first-out run of a trial looked like; strategies spread what they do over it.
struct run_shape {
  std::array<std::uint32_t, choice_kinds> asked{};  ///< choices of each kind
  std::vector<std::uint32_t> turns;                 ///< of each task
  std::uint32_t chains = 0;
  std::uint32_t width = 0;  ///< the most candidates of one choice

  /// Choices between handlers or timers.
  std::uint32_t steps() const noexcept;
  /// The choice with which a fair tail begins.
  std::uint32_t fair_from() const noexcept;
  /// Counts the choices of a run.
  void count(std::span<const choice> made) noexcept;
};

/// One way to explore.
struct strategy {
  std::string_view name;
  /// A source for one trial; equal arguments give equal answers on every platform.
  std::unique_ptr<choice_source> (*make)(std::uint64_t seed, const run_shape& shape);
};

/// The seed of a campaign's trial with this number.
constexpr std::uint64_t trial_seed(std::uint64_t campaign_seed, std::uint64_t number) noexcept {
  return campaign_seed * 1'000'003 + number;
}

/// All of them but the portfolio, in the order of the list above.
std::span<const strategy> strategies() noexcept;
/// One by its name, or null.
const strategy* find_strategy(std::string_view name) noexcept;

/// The sources of a campaign's trials, one after the other, each by a strategy that takes its turn.
class portfolio {
 public:
  portfolio(std::uint64_t seed, run_shape shape) : seed_(seed), shape_(std::move(shape)) {}

  /// The source of the next trial. Lives until the next call.
  choice_source& next();
  /// To be called when the trial has been run.
  void finish();
  /// The strategy of the last source.
  std::string_view name() const noexcept { return name_; }
  /// The depth-first part has covered every schedule.
  bool covered() const noexcept { return covered_; }

 private:
  static std::string_view name_of(std::uint64_t number) noexcept;

  std::uint64_t seed_;
  run_shape shape_;
  std::uint64_t number_ = 0;
  std::string_view name_;
  std::unique_ptr<choice_source> source_;
  exhaustive depth_first_;
  bool covered_ = false;
};

/// The least probability with which `trials` trials of PCT with this depth have shown a bug of this depth, if there is
/// one: a trial shows it with probability at least 1 / (width^2 * steps^(depth - 1)) (Ozkan et al., theorem 1).
double pct_bound(const run_shape& shape, std::uint32_t depth, std::uint64_t trials) noexcept;

}  // namespace assay
