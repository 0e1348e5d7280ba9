// The corpus is what it says it is: every bug can be found, is as deep as it says and hidden first in, first
// out; no twin ever fails.
#include <assay/scenarios/planted/planted.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>
#include <ostream>
#include <set>
#include <span>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/shrink.hpp>
#include <assay/harness/choice/token.hpp>

namespace assay {

void PrintTo(const planted_bug& bug, std::ostream* out) { *out << bug.name; }

namespace {

trial_result run(const scenario_info& scenario, choice_source& source) {
  return run_trial(planted_subject(), scenario, source, {});
}

std::size_t deviations(std::span<const choice> made) {
  return static_cast<std::size_t>(
      std::count_if(made.begin(), made.end(), [](const choice& one) { return one.chosen != 0; }));
}

/// Passes over the handler that has been ready the longest, from the `begin`-th choice on, `count` times:
/// whoever stands there starves.
class starving_source final : public choice_source {
 public:
  starving_source(std::uint32_t begin, std::uint32_t count) : begin_(begin), count_(count) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t) override {
    if (kind != choice_kind::ready) return 0;
    const std::uint32_t step = step_++;
    return step >= begin_ && step < begin_ + count_ ? 1 : 0;
  }

 private:
  std::uint32_t begin_;
  std::uint32_t count_;
  std::uint32_t step_ = 0;
};

/// What uniform random schedules do not find in any reasonable number of trials, and the starvation that
/// does.
struct starvation {
  std::uint32_t begin = 0;
  std::uint32_t count = 0;
};
const std::map<std::string, starvation>& beyond_random() {
  static const std::map<std::string, starvation> all = {{"spinning_gives_up", {2, 30}}};
  return all;
}

/// A failing run of the wrong program, by a campaign or by hand.
struct finding {
  std::string shown_by;
  std::uint64_t trials = 0;
  std::size_t deviations = 0;  ///< when shrunk
};

finding find_by_hand(const planted_bug& bug) {
  const starvation& how = beyond_random().at(bug.name);
  starving_source source(how.begin, how.count);
  const trial_result failing = run(bug.wrong, source);
  EXPECT_FALSE(failing.passed()) << "not found by starving a task";
  const shrunk least = shrink(failing, 2000, [&](choice_source& again) { return run(bug.wrong, again); });
  return {"starvation by hand", 1, deviations(least.choices)};
}

finding find_by_campaign(const planted_bug& bug, std::uint64_t seed) {
  finding found;
  bool failed = false;
  campaign_options options;
  options.schedules = 20'000;
  options.seed = seed;
  options.shrink_trials_max = 2000;
  options.run = [&](const subject_base& chosen, const scenario_info& scenario, choice_source& source,
                    const trial_settings& settings, bool traced, const campaign_observer* observer) {
    trial_result seen = run_trial(chosen, scenario, source, settings, traced, observer);
    if (!failed) ++found.trials;
    failed = failed || !seen.passed();
    return seen;
  };
  const campaign_result seen = run_campaign(planted_subject(), bug.wrong, options);
  EXPECT_EQ(seen.outcome, verdict::fail) << seen.message;
  if (seen.outcome != verdict::fail) return found;
  found.shown_by = seen.shown_by;
  found.deviations = decode_token(seen.token).plan.deviations.size();
  return found;
}

/// Whether some schedule with at most so many deviations fails: all of them are tried, depth first. Gives up
/// after `trials_max`.
class few_deviations {
 public:
  few_deviations(const scenario_info& scenario, std::uint64_t trials_max)
      : scenario_(scenario), trials_max_(trials_max) {}
  bool fail(int deviations) {
    std::vector<std::uint32_t> none;
    return search(none, deviations);
  }
  bool gave_up() const { return trials_ >= trials_max_; }
  std::uint64_t trials() const { return trials_; }

 private:
  bool search(const std::vector<std::uint32_t>& answers, int more) {
    if (gave_up()) return false;
    ++trials_;
    lenient_source source(answers);
    const trial_result seen = run(scenario_, source);
    if (!seen.passed()) return true;
    if (more == 0) return false;
    std::vector<std::uint32_t> next = answers;
    for (std::size_t step = answers.size(); step < seen.choices.size(); ++step) {
      next.resize(step, 0);
      for (std::uint32_t answer = 1; answer < seen.choices[step].arity; ++answer) {
        next.push_back(answer);
        if (search(next, more - 1)) return true;
        next.pop_back();
      }
    }
    return false;
  }

  const scenario_info& scenario_;
  std::uint64_t trials_max_;
  std::uint64_t trials_ = 0;
};

class every_planted_bug : public testing::TestWithParam<planted_bug> {};
INSTANTIATE_TEST_SUITE_P(corpus, every_planted_bug, testing::ValuesIn(planted_bugs()),
                         [](const auto& info) { return info.param.name; });

TEST_P(every_planted_bug, is_hidden_first_in_first_out) {
  for (const scenario_info* const program : {&GetParam().wrong, &GetParam().right}) {
    fifo_source source;
    const trial_result seen = run(*program, source);
    EXPECT_TRUE(seen.passed()) << program->name() << ": " << seen.message;
    EXPECT_LE(seen.turns, 80U);
  }
}

TEST_P(every_planted_bug, is_found) {
  const planted_bug& bug = GetParam();
  const bool by_hand = beyond_random().contains(bug.name);
  const finding found = by_hand ? find_by_hand(bug) : find_by_campaign(bug, 1);
  std::cout << bug.name << ": depth " << bug.depth << ", " << found.shown_by << ", trial " << found.trials
            << ", shrunk to " << found.deviations << '\n';
  EXPECT_GE(found.deviations, static_cast<std::size_t>(bug.depth)) << "it is less deep than it says";
}

TEST_P(every_planted_bug, is_as_deep_as_it_says) {
  const planted_bug& bug = GetParam();
  constexpr std::uint64_t trials_max = 40'000;
  few_deviations fewer(bug.wrong, trials_max);
  for (int count = 0; count < bug.depth && !fewer.gave_up(); ++count)
    ASSERT_FALSE(fewer.fail(count)) << count << " deviations are enough";
  if (fewer.gave_up()) return;  // so deep that enumeration ends before; the shrunk schedule says the rest
  few_deviations enough(bug.wrong, trials_max);
  EXPECT_TRUE(enough.fail(bug.depth) || enough.gave_up());
}

TEST_P(every_planted_bug, says_where_it_can_be_cancelled) {
  const planted_bug& bug = GetParam();
  fifo_source source;
  const trial_result seen = run(bug.wrong, source);
  EXPECT_EQ(seen.cancel_points, bug.cancel_slots);
}

TEST_P(every_planted_bug, has_a_twin_that_never_fails) {
  campaign_options options;
  options.schedules = 2000;
  const campaign_result seen = run_campaign(planted_subject(), GetParam().right, options);
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message << "\n" << seen.token;
}

TEST(corpus, is_large_and_names_every_bug_once) {
  std::set<std::string> names;
  for (const planted_bug& bug : planted_bugs()) {
    EXPECT_TRUE(names.insert(bug.name).second) << bug.name;
    EXPECT_LE(bug.what.size(), 100U) << bug.name;
  }
  EXPECT_GE(names.size(), 26U);
}

// What a strategy needs until it finds the bug, the sum over a few seeds.
std::uint64_t schedules_until_found(const planted_bug& bug, const std::string& strategy) {
  std::uint64_t sum = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    campaign_options options;
    options.strategy = strategy;
    options.seed = seed;
    options.schedules = 5000;
    options.shrink_trials_max = 0;
    const campaign_result seen = run_campaign(planted_subject(), bug.wrong, options);
    EXPECT_EQ(seen.outcome, verdict::fail) << strategy << ", seed " << seed;
    sum += seen.schedules;
  }
  return sum;
}

TEST(long_run, is_found_sooner_by_mutating_schedules_that_came_closer) {
  const std::uint64_t blind = schedules_until_found(planted_long_run(), "portfolio");
  const std::uint64_t guided = schedules_until_found(planted_long_run(), "corpus");
  std::cout << "20 seeds: portfolio " << blind << ", corpus " << guided << '\n';
  EXPECT_LT(guided, blind * 2 / 3);
}

TEST(long_run, has_a_twin_that_never_fails) {
  for (const char* const strategy : {"portfolio", "corpus"}) {
    campaign_options options;
    options.strategy = strategy;
    options.schedules = 2000;
    const campaign_result seen = run_campaign(planted_subject(), planted_long_run().right, options);
    EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  }
}

}  // namespace
}  // namespace assay
