// Campaigns: a bug planted for every kind of choice, which only that kind shows, so that lost exploration is seen;
// determinism; the verdicts that are no failure of the subject.
#include <assay/harness/campaign/campaign.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/story.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::contract {

// A contract without members: the scenarios below carry their planted bugs themselves.
class probe {
 public:
  static constexpr std::string_view name = "probe";
  static constexpr feature_info features[] = {{"wings", "It flies."}};
  struct config {};
  virtual ~probe() = default;
};

}  // namespace assay::contract

namespace assay::test {
namespace {

using testing::HasSubstr;

// ---- the planted bugs

ASSAY_CONTRACT(probe, "flow", "Carries planted bugs");
ASSAY_CROSS_CUTTING("P-0", must, "All is well.", "");

asio::awaitable<void> mark_now(trial& t, std::string label) {
  t.mark(std::move(label));
  co_return;
}

// Two operations that were started in this order need not run in it.
ASSAY_CLAUSE(probe, "P-1", must, "Ready handlers run in the order of becoming ready.") {
  t.start("one", mark_now(t, "one"));
  t.start("two", mark_now(t, "two"));
  co_await t.settle();
  t.expect_before("one", "two");
}

// X-24 (M-X24): the outcome relies on equal deadlines firing in the order in which they were made.
ASSAY_CLAUSE(probe, "P-2", must, "Equal deadlines fire in the order of their making.") {
  asio::steady_timer one(t.executor(), 1ms);
  asio::steady_timer two(t.executor(), 1ms);
  one.async_wait([&t](boost::system::error_code) { t.mark("one"); });
  two.async_wait([&t](boost::system::error_code) { t.mark("two"); });
  co_await t.advance(1ms);
  co_await t.settle();
  t.expect_before("one", "two");
}

asio::awaitable<void> hold_across_a_wait(bool& held) {
  held = true;
  co_await sleep_for(1ms);
  held = false;  // not when it is cancelled
}
ASSAY_CLAUSE(probe, "P-3", must, "What is taken is given back, also when cancelled.", .swept = true) {
  auto held = std::make_shared<bool>(false);
  t.keep(held);
  auto victim = t.start("victim", hold_across_a_wait(*held));
  t.victim(victim);
  co_await t.advance(2ms);
  t.expect(!*held, "it was given back");
}

ASSAY_CLAUSE(probe, "P-4", must, "A failed call is noticed.", .faulted = true) {
  bool stored = true;
  for (int call = 0; call < 3; ++call) {
    if (t.fault_point("store") != 0 && call == 1) stored = false;
  }
  t.expect(stored, "it was stored");
  co_return;
}

asio::awaitable<void> expect_first(trial& t, choice_kind kind) {
  const std::uint32_t chosen = t.choices().pick(kind, 5);
  t.expect(chosen != 3, "the third is handled");
  co_return;
}
ASSAY_CLAUSE(probe, "P-5", must, "A stream may cut anywhere.") {
  return expect_first(t, choice_kind::stream);
}
ASSAY_CLAUSE(probe, "P-6", must, "Any program is handled.") { return expect_first(t, choice_kind::program); }
ASSAY_CLAUSE(probe, "P-7", must, "Any choice of a mock's is handled.") {
  return expect_first(t, choice_kind::user);
}

// the outcome relies on the handler of a timer running before a later deadline has come.
asio::awaitable<void> expect_the_next_cancelled(trial& t) {
  asio::steady_timer one(t.executor(), 10ms);
  asio::steady_timer two(t.executor(), 11ms);
  bool fired = false;
  one.async_wait([&two](boost::system::error_code) { two.cancel(); });
  two.async_wait([&fired](boost::system::error_code ended) { fired = !ended; });
  co_await t.advance(20ms);
  t.expect(!fired, "what was cancelled does not fire");
}
ASSAY_CLAUSE(probe, "P-8", must, "A later timer can be cancelled by an earlier one.", .late = true) {
  return expect_the_next_cancelled(t);
}
ASSAY_SCENARIO(probe, "P-8", "on time") { return expect_the_next_cancelled(t); }
const grammar late_rules = {.verbs = {"nothing"}};
ASSAY_PROGRAM(probe, "P-8", late_rules) {
  (void)steps;
  return expect_the_next_cancelled(t);
}
ASSAY_SCENARIO(probe, "P-8", "program on time", .rules = &late_rules, .on_time = true) {
  return expect_the_next_cancelled(t);
}

ASSAY_SCENARIO(probe, "P-0", "all is well") {
  auto one = t.start("one", mark_after(t, 1ms, "one"));
  auto two = t.start("two", mark_after(t, 1ms, "two"));
  t.victim(one);
  (void)t.choices().pick(choice_kind::user, 3);
  co_await t.advance(5ms);
  t.sometimes("the second is first", t.marks().size() == 2 && t.marks().front() == "two");
}
ASSAY_SCENARIO(probe, "P-0", "vacuous") {
  t.sometimes("pigs fly", false);
  co_return;
}
int trials_begun = 0;
ASSAY_SCENARIO(probe, "P-0", "not deterministic") {
  if (++trials_begun % 2 == 0) co_await t.advance(1ms);
  t.mark("over");
}
ASSAY_SCENARIO(probe, "P-0", "fails once in a while") {
  t.expect(t.choices().pick(choice_kind::user, 2) == 0 || ++trials_begun % 2 == 0, "it is steady");
  co_return;
}
ASSAY_SCENARIO(probe, "P-0", "needs a feature", .features = {"wings"}) { co_return; }
ASSAY_SCENARIO(probe, "P-0", "simulator only", .sim_only = true) { co_return; }
ASSAY_SCENARIO(probe, "P-0", "throws at once") {
  throw std::runtime_error("no subject");
  co_return;
}

const subject_base& probe_subject() {
  static const subject_base* const made = [] {
    catalogue::instance().add(std::make_unique<subject<contract::probe>>(
        "planted", subject_kind::alternative, subject_traits{},
        [](environment&, const contract::probe::config&) { return std::make_unique<contract::probe>(); }));
    return catalogue::instance().find_subject("probe", "planted");
  }();
  return *made;
}
const scenario_info& scenario(const std::string& name) {
  return *catalogue::instance().find_scenario("probe/" + name);
}
campaign_result run(const std::string& name, campaign_options options = {}) {
  return run_campaign(probe_subject(), scenario(name), options);
}

// ---- every kind of choice finds its bug, and no other does

struct planted {
  choice_kind kind;
  std::string scenario;
  std::string shown_by;
  verdict under_fifo;
};
void PrintTo(const planted& one, std::ostream* out) { *out << to_string(one.kind); }
const std::array<planted, choice_kinds> all_planted = {{
    {choice_kind::ready, "P-1", "permuted order", verdict::pass},
    {choice_kind::timer, "P-2", "random ties", verdict::fail},  // shown under order model fifo
    {choice_kind::cancel, "P-3", "cancel sweep", verdict::fail},
    {choice_kind::fault, "P-4", "fault sweep", verdict::fail},
    {choice_kind::stream, "P-5", "random ties", verdict::fail},
    {choice_kind::program, "P-6", "random ties", verdict::fail},
    {choice_kind::user, "P-7", "random ties", verdict::fail},
    {choice_kind::late, "P-8", "a late loop", verdict::fail},
}};

class every_kind : public testing::TestWithParam<planted> {};
INSTANTIATE_TEST_SUITE_P(exploration, every_kind, testing::ValuesIn(all_planted),
                         [](const auto& info) { return std::string(to_string(info.param.kind)); });

TEST_P(every_kind, shows_the_bug_planted_for_it) {
  const campaign_result found = run(GetParam().scenario);
  EXPECT_EQ(found.outcome, verdict::fail) << found.message;
  EXPECT_EQ(found.outcome_fifo, GetParam().under_fifo);
  EXPECT_EQ(found.shown_by, GetParam().shown_by);
  // Shrunk to the one choice that matters.
  const replay_token token = decode_token(found.token);
  ASSERT_EQ(token.plan.deviations.size(), 1u);
  EXPECT_EQ(token.plan.deviations[0].made.kind, GetParam().kind);
}

// Random choices of the kinds that `open` says, first in first out for the others.
class masked_source final : public choice_source {
 public:
  masked_source(std::uint64_t seed, std::function<bool(choice_kind)> open)
      : random_(seed, {4, 4, true}), open_(std::move(open)) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override {
    const std::uint32_t chosen = random_.choose(kind, arity);
    return open_(kind) ? chosen : 0;
  }

 private:
  random_source random_;
  std::function<bool(choice_kind)> open_;
};
int failures(const std::string& name, const std::function<bool(choice_kind)>& open) {
  int failed = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    masked_source source(seed, open);
    if (!run_trial(probe_subject(), scenario(name), source, {}).passed()) ++failed;
  }
  return failed;
}
TEST_P(every_kind, alone_shows_it_and_all_others_together_never_do) {
  const choice_kind mine = GetParam().kind;
  EXPECT_GT(failures(GetParam().scenario, [mine](choice_kind kind) { return kind == mine; }), 0);
  // Whose order the ready handlers' permutation covers is seen under order model fifo only.
  const bool covered = mine == choice_kind::timer;
  const auto others = [=](choice_kind kind) {
    return kind != mine && !(covered && kind == choice_kind::ready);
  };
  EXPECT_EQ(failures(GetParam().scenario, others), 0);
}

TEST_P(every_kind, is_shown_on_a_stock_io_context_too_but_for_the_order_of_handlers) {
  campaign_options options;
  options.where = tier::io_context;
  const verdict expected = GetParam().kind == choice_kind::ready ? verdict::pass : verdict::fail;
  EXPECT_EQ(run(GetParam().scenario, options).outcome, expected);
}

TEST(late_loop, is_a_choice_only_where_the_scenario_says_so_and_in_random_programs) {
  EXPECT_EQ(run("P-8/on time").outcome, verdict::pass);
  EXPECT_EQ(run("P-8/program on time").outcome, verdict::pass);
  const campaign_result seen = run("P-8/program");
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_EQ(seen.shown_by, late_phase);
}
TEST(late_loop, is_told_of_in_the_story) {
  EXPECT_THAT(run("P-8").story, testing::Contains(HasSubstr("time     the loop was late: 10ms to 11ms")));
}
TEST(late_loop, is_found_by_every_strategy) {
  campaign_options options;
  options.systematic = false;
  for (const std::string name : {"random", "pct2", "starve_one", "corpus", "dfs", "portfolio"}) {
    options.strategy = name;
    EXPECT_EQ(run("P-8", options).shown_by, late_phase) << name;
  }
}

TEST(sweeps, without_them_neither_cancels_nor_faults_are_tried) {
  campaign_options options;
  options.sweep = false;
  EXPECT_EQ(run("P-3", options).outcome, verdict::pass);
  EXPECT_EQ(run("P-4", options).outcome, verdict::pass);
}
TEST(sweeps, cover_every_point) {
  const campaign_result seen = run("P-0/all is well");
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  EXPECT_GT(seen.cancel_points, 2u);
  EXPECT_EQ(seen.cancel_points_covered, seen.cancel_points);
}

// ---- verdicts that are not the subject's

TEST(verdicts, a_campaign_that_never_reached_what_it_must_is_an_error) {
  const campaign_result seen = run("P-0/vacuous");
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_THAT(seen.message, HasSubstr("vacuous: no trial of the campaign reached 'pigs fly'"));
}
TEST(verdicts, vcs_9_a_run_that_differs_from_its_twin_is_an_error) {
  const campaign_result seen = run("P-0/not deterministic");
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_THAT(seen.message, HasSubstr("not deterministic"));
}
TEST(verdicts, vcs_9_a_failure_that_does_not_come_again_is_an_error) {
  trials_begun = 0;
  const campaign_result seen = run("P-0/fails once in a while");
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_THAT(seen.message, HasSubstr("not deterministic"));
}
TEST(verdicts, a_feature_not_claimed_is_a_skip) {
  EXPECT_EQ(run("P-0/needs a feature").outcome, verdict::skip);
}
TEST(verdicts, a_scenario_for_the_simulator_is_skipped_elsewhere) {
  campaign_options options;
  EXPECT_EQ(run("P-0/simulator only", options).outcome, verdict::pass);
  options.where = tier::io_context;
  EXPECT_EQ(run("P-0/simulator only", options).outcome, verdict::skip);
}
TEST(verdicts, a_scenario_that_throws_fails) {
  EXPECT_EQ(run("P-0/throws at once").message, "the scenario ended with error 'no subject'");
}

// ---- determinism

struct traced_run {
  std::string hash;
  std::vector<choice> choices;
};
traced_run run_seed(std::uint64_t seed, tier where = tier::sim) {
  random_source source(seed, {});
  trial_settings settings;
  settings.where = where;
  const trial_result seen = run_trial(probe_subject(), scenario("P-0/all is well"), source, settings, true);
  return {format_hash(seen.events->hash()), seen.choices};
}

TEST(vcs_9, the_same_seed_gives_the_same_trace_whatever_the_addresses) {
  for (const tier where : {tier::sim, tier::io_context}) {
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      const traced_run one = run_seed(seed, where);
      std::vector<std::unique_ptr<char[]>> clutter;
      for (std::size_t i = 1; i < 40; ++i) clutter.push_back(std::make_unique<char[]>(i * 16 + seed));
      const traced_run two = run_seed(seed, where);
      EXPECT_EQ(one.hash, two.hash);
      EXPECT_EQ(one.choices, two.choices);
    }
  }
}
TEST(vcs_2, the_choices_are_part_of_the_trace) {
  fifo_source first;
  sweep_source other({{choice_kind::user, 0, 2, false}});
  const trial_result one = run_trial(probe_subject(), scenario("P-0/all is well"), first, {}, true);
  const trial_result two = run_trial(probe_subject(), scenario("P-0/all is well"), other, {}, true);
  EXPECT_NE(one.events->hash(), two.events->hash());
  EXPECT_THAT(tell(*two.events), testing::Contains(HasSubstr("choice   user 2 of 3")));
}
TEST(vcs_9, tracing_changes_no_choice) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    random_source source(seed, {});
    const trial_result plain = run_trial(probe_subject(), scenario("P-0/all is well"), source, {}, false);
    EXPECT_EQ(plain.choices, run_seed(seed).choices);
  }
}

// Prints what another process must print as well.
std::string token_and_hash() {
  const campaign_result found = run("P-1");
  return found.token + " " + found.trace_hash + " " + run_seed(7).hash;
}
TEST(vcs_9, DISABLED_prints_a_token_and_its_hash) { std::printf("%s\n", token_and_hash().c_str()); }
TEST(vcs_9, another_process_gives_the_same_token_and_the_same_hash) {
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  const std::string command = "'" + self +
                              "' --gtest_also_run_disabled_tests "
                              "--gtest_filter=vcs_9.DISABLED_prints_a_token_and_its_hash";
  std::FILE* const other = popen(command.c_str(), "r");
  ASSERT_NE(other, nullptr);
  std::string printed;
  std::array<char, 4096> buffer{};
  while (std::fgets(buffer.data(), static_cast<int>(buffer.size()), other) != nullptr)
    printed += buffer.data();
  EXPECT_EQ(pclose(other), 0);
  EXPECT_THAT(printed, HasSubstr(token_and_hash() + "\n"));
}

TEST(replays, a_token_gives_the_same_failure_and_the_same_trace) {
  for (const planted& one : all_planted) {
    const campaign_result found = run(one.scenario);
    const trial_result again = replay(plan_replay(decode_token(found.token)));
    EXPECT_EQ(again.message, found.message);
    EXPECT_EQ(format_hash(again.events->hash()), found.trace_hash);
  }
}
TEST(replays, a_token_for_another_run_diverges_at_a_step) {
  replay_token token = decode_token(run("P-1").token);
  token.scenario = "probe/P-2";
  const trial_result seen = replay(plan_replay(token));
  EXPECT_EQ(seen.kind, failure_kind::diverged);
  EXPECT_TRUE(seen.is_error());
  EXPECT_THAT(seen.message, HasSubstr("diverged: step "));
}
TEST(replays, a_token_that_names_what_does_not_exist_is_refused) {
  const replay_token good = decode_token(run("P-1").token);
  replay_token bad = good;
  bad.scenario = "probe/P-99";
  EXPECT_THROW(plan_replay(bad), malformed_token);
  bad = good;
  bad.subject = "nobody";
  EXPECT_THROW(plan_replay(bad), malformed_token);
  bad.subject = "far_away.nobody";
  try {
    (void)plan_replay(bad);
    ADD_FAILURE() << "a testee that nobody has started is none";
  } catch (const malformed_token& refusal) {
    EXPECT_THAT(refusal.what(), HasSubstr("the testee 'far_away' is started with --testee COMMAND"));
  }
  bad = good;
  bad.settings = "tier=moon";
  EXPECT_THROW(plan_replay(bad), malformed_token);
  bad = good;
  bad.build = "another";
  EXPECT_TRUE(plan_replay(bad).other_build);
  EXPECT_FALSE(plan_replay(good).other_build);
}

}  // namespace
}  // namespace assay::test
