// The corpus: what it keeps and what goes, that mutants are reproducible and finite, and that what is kept shows again
// what it was kept for.
#include <assay/harness/campaign/corpus.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/sources.hpp>
#include <assay/harness/choice/mutation.hpp>
#include <assay/harness/tests/support.hpp>
#include <assay/harness/trial/coverage.hpp>

namespace assay {
namespace {

using namespace test;
using testing::HasSubstr;

// Two tasks that hand items over and leave marks, with a victim.
asio::awaitable<void> carry(trial& t, char name, int first) {
  for (int id = first; id < first + 3; ++id) {
    item one = t.item(id);
    t.items().give(one);
    co_await yield_turn();
    t.touch(1);
    t.mark(std::string(1, name) + std::to_string(id));
    t.items().deliver(one);
  }
}
asio::awaitable<void> two_carriers(trial& t) {
  auto a = t.start("a", carry(t, 'a', 1));
  auto b = t.start("b", carry(t, 'b', 11));
  t.victim(b);
  co_await t.settle();
}

trial_result run_covered(choice_source& source, coverage& seen) {
  trial_settings settings;
  settings.covered = &seen;
  return run_with(source, &two_carriers, settings);
}

run_shape two_carriers_shape() {
  fifo_source first;
  return shape_of(run_with(first, &two_carriers, {}, true));
}

// A corpus that has seen this many schedules, half of them its own mutants.
corpus grown(std::uint32_t trials) {
  const run_shape shape = two_carriers_shape();
  corpus kept;
  coverage seen;
  for (std::uint32_t i = 0; i < trials; ++i) {
    const auto source =
        i % 2 == 0 ? find_strategy("random")->make(i, shape) : kept.mutant(trial_seed(1, i), shape);
    const trial_result one = run_covered(*source, seen);
    kept.note(one.choices, seen.features());
  }
  return kept;
}

std::vector<choice> made(std::uint32_t steps, std::uint32_t deviations) {
  std::vector<choice> all(steps, choice{choice_kind::ready, 3, 0});
  for (std::uint32_t i = 0; i < deviations; ++i) all[i].chosen = 1;
  return all;
}

// Features that came at the end of the run.
bool note(corpus& kept, const std::vector<choice>& run, const std::vector<std::uint32_t>& features) {
  std::vector<coverage::feature> seen;
  for (const std::uint32_t one : features) seen.push_back({one, static_cast<std::uint32_t>(run.size())});
  return kept.note(run, seen);
}

std::set<std::uint32_t> shown_by(const coverage& seen) {
  std::set<std::uint32_t> all;
  for (const coverage::feature& one : seen.features()) all.insert(one.which);
  return all;
}

TEST(coverage, is_the_same_for_the_same_schedule_and_another_for_another) {
  coverage one;
  coverage other;
  fifo_source first;
  fifo_source first_again;
  run_covered(first, one);
  run_covered(first_again, other);
  EXPECT_THAT(one.features(), testing::ElementsAreArray(other.features()));
  const std::set<std::uint32_t> fifo = shown_by(one);
  EXPECT_EQ(fifo.size(), one.features().size()) << "each once";
  lenient_source late({0, 1, 1, 1, 1});
  run_covered(late, one);  // forgets what it has seen
  EXPECT_NE(shown_by(one), fifo);
}

TEST(coverage, does_not_change_a_trial) {
  coverage seen;
  const auto covered = find_strategy("random")->make(3, two_carriers_shape());
  const auto plain = find_strategy("random")->make(3, two_carriers_shape());
  EXPECT_EQ(run_covered(*covered, seen).choices, run_with(*plain, &two_carriers).choices);
}

TEST(corpus, keeps_what_shows_something_new) {
  corpus kept;
  EXPECT_TRUE(note(kept, made(10, 3), {1, 2}));
  EXPECT_FALSE(note(kept, made(10, 3), {1, 2})) << "nothing new, and no smaller";
  EXPECT_TRUE(note(kept, made(10, 5), {2, 3}));
  EXPECT_EQ(kept.entries().size(), 2U);
  EXPECT_EQ(kept.features(), 3U);
}

TEST(corpus, gives_a_feature_to_the_smallest_schedule_that_shows_it) {
  corpus kept;
  note(kept, made(10, 3), {1, 2});
  EXPECT_TRUE(note(kept, made(10, 2), {1}));
  EXPECT_EQ(kept.entries().size(), 2U);
  EXPECT_TRUE(note(kept, made(9, 2), {1, 2})) << "as few deviations, but fewer choices";
  ASSERT_EQ(kept.entries().size(), 1U) << "to the others nothing belongs any more";
  EXPECT_EQ(kept.entries()[0].plan, condense(made(9, 2)));
}

TEST(corpus, keeps_the_beginning_of_a_run_up_to_what_is_new) {
  corpus kept;
  kept.note(made(10, 9), std::vector<coverage::feature>{{1, 2}, {2, 4}});
  ASSERT_EQ(kept.entries().size(), 1U);
  EXPECT_EQ(kept.entries()[0].plan, condense(made(4, 4)));
  kept.note(made(10, 9), std::vector<coverage::feature>{{1, 2}, {3, 6}, {2, 8}});
  ASSERT_EQ(kept.entries().size(), 2U);
  EXPECT_EQ(kept.entries()[1].plan, condense(made(6, 6)));
}

TEST(corpus, stays_within_its_bound_and_lets_go_of_what_is_well_known) {
  corpus kept;
  for (std::uint32_t i = 0; i < 2 * corpus::entries_max; ++i) {
    note(kept, made(1000, i), {i});
    if (i == 7) continue;
    note(kept, made(1000, i), {i});  // all but one are shown twice
  }
  EXPECT_EQ(kept.entries().size(), corpus::entries_max);
  EXPECT_EQ(kept.features(), 2 * corpus::entries_max) << "what has gone stays known";
  EXPECT_TRUE(std::any_of(kept.entries().begin(), kept.entries().end(),
                          [](const corpus::entry& one) { return one.plan == condense(made(1000, 7)); }));
}

TEST(corpus, keeps_schedules_that_show_again_what_they_were_kept_for) {
  const corpus kept = grown(400);
  EXPECT_GT(kept.entries().size(), 3U);
  for (const corpus::entry& one : kept.entries()) {
    coverage seen;
    replay_source exactly(one.plan, true);
    run_covered(exactly, seen);
    EXPECT_EQ(exactly.diverged(), std::nullopt);
    const std::set<std::uint32_t> shown = shown_by(seen);
    for (const std::uint32_t feature : one.features) EXPECT_TRUE(shown.contains(feature));
  }
}

TEST(corpus, grows_in_the_same_way_every_time_and_from_its_state) {
  const corpus kept = grown(200);
  EXPECT_EQ(kept.state(), grown(200).state());
  const corpus again(kept.state());
  EXPECT_EQ(again.state(), kept.state());
  const run_shape shape = two_carriers_shape();
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(run_with(*kept.mutant(seed, shape), &two_carriers).choices,
              run_with(*again.mutant(seed, shape), &two_carriers).choices);
  }
}

TEST(corpus, goes_on_from_its_state_in_the_same_way) {
  campaign_options options;
  options.strategy = "corpus";
  const run_shape shape = two_carriers_shape();
  const auto explore = [&](campaign_options how, std::uint32_t trials) {
    sources all(how, shape, order_model::any);
    for (std::uint32_t i = 0; i < trials; ++i) {
      choice_source& source = all.next();
      all.finish(run_covered(source, *all.covered_by_trial()));
    }
    return all.kept();
  };
  options.corpus = explore(options, 100);
  EXPECT_FALSE(options.corpus.schedules.empty());
  const corpus_state once = explore(options, 100);
  EXPECT_EQ(once, explore(options, 100));
  EXPECT_GE(once.known.size(), options.corpus.known.size());
}

TEST(corpus, refuses_a_state_that_it_did_not_make) {
  const corpus_state good = grown(100).state();
  const auto complaint = [](const corpus_state& state) -> std::string {
    try {
      (void)corpus(state);
    } catch (const std::runtime_error& failure) {
      return failure.what();
    }
    return {};
  };
  EXPECT_EQ(complaint(good), "");
  corpus_state bad = good;
  bad.schedules.pop_back();
  EXPECT_THAT(complaint(bad), HasSubstr("the corpus is damaged: it has"));
  bad = good;
  bad.times.pop_back();
  EXPECT_THAT(complaint(bad), HasSubstr("how often"));
  bad = good;
  bad.schedules.back() = "?";
  EXPECT_THAT(complaint(bad), HasSubstr("malformed token"));
  bad = good;
  bad.known.back() = coverage::buckets;
  EXPECT_THAT(complaint(bad), HasSubstr("there is no feature"));
  bad = good;
  bad.known.back() = bad.known.front();
  EXPECT_THAT(complaint(bad), HasSubstr("twice"));
  bad = good;
  bad.features.back().clear();
  EXPECT_THAT(complaint(bad), HasSubstr("no feature belongs"));
  bad = good;
  bad.features.back().push_back(bad.features.front().front());
  EXPECT_THAT(complaint(bad), HasSubstr("or another's"));
}

TEST(mutation, is_the_same_for_the_same_seed_and_mostly_another_for_another) {
  const run_shape shape = two_carriers_shape();
  const schedule parent = condense(run_with(*find_strategy("random")->make(5, shape), &two_carriers).choices);
  const schedule other = condense(run_with(*find_strategy("pct2")->make(6, shape), &two_carriers).choices);
  std::set<std::vector<std::uint32_t>> different;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    const trial_result one = run_with(*mutate(parent, other, seed, shape), &two_carriers);
    EXPECT_EQ(one.choices, run_with(*mutate(parent, other, seed, shape), &two_carriers).choices);
    std::vector<std::uint32_t> answers;
    for (const choice& each : one.choices) answers.push_back(each.chosen);
    different.insert(std::move(answers));
  }
  EXPECT_GT(different.size(), 15U);  // of the few that so small a program has
}

asio::awaitable<void> asks_often(trial& t) {
  auto a = t.start("a", yield_often(10'000), {.background = true});
  auto b = t.start("b", yield_often(10'000), {.background = true});
  for (int i = 0; i < 2000; ++i) co_await yield_turn();
}

TEST(mutation, is_first_in_first_out_in_the_end) {
  run_shape shape;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const trial_result seen = run_with(*mutate({}, {}, seed, shape), &asks_often);
    EXPECT_TRUE(seen.passed()) << seen.message;
    ASSERT_GT(seen.choices.size(), 2000U);
    EXPECT_TRUE(std::all_of(seen.choices.end() - 1000, seen.choices.end(),
                            [](const choice& one) { return one.chosen == 0; }));
  }
}

}  // namespace
}  // namespace assay
