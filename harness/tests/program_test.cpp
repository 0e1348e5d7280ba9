// Random programs as part of a verdict: which clause a failure counts for, what is known mutes, premises, sweeps, and what a
// program is drawn from.
#include <assay/harness/trial/program.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::contract {

/// A counter with one way to be wrong for each kind of check.
class abacus {
 public:
  static constexpr std::string_view name = "abacus";
  static constexpr feature_info features[] = {{"subtract", "Counts down as well."}};
  struct config {};
  struct flaws {
    bool adds_two = false;            ///< seen by the scenario, and by programs
    bool forgets_after_ten = false;   ///< what wears out: seen by repeated programs alone
    bool stuck_if_cancelled = false;  ///< seen where a program's operation is cancelled, alone
    bool never_starts = false;        ///< no premise of a scenario holds
  };
  explicit abacus(flaws how) : how_(how) {}
  virtual ~abacus() = default;

  void add() {
    ++calls_;
    if (how_.forgets_after_ten && calls_ > 10) return;
    value_ += how_.adds_two ? 2 : 1;
  }
  void subtract() { --value_; }
  boost::asio::awaitable<void> add_later() {
    ++busy_;
    co_await sleep_for(std::chrono::milliseconds(1));
    --busy_;
    add();
  }
  int value() const { return value_; }
  /// Whether an add_later was begun and never left.
  bool stuck() const { return how_.stuck_if_cancelled && busy_ > 0; }
  bool started() const { return !how_.never_starts; }

 private:
  flaws how_;
  int value_ = 0;
  int calls_ = 0;
  int busy_ = 0;
};

}  // namespace assay::contract

namespace assay::test {
namespace {

using contract::abacus;
using testing::HasSubstr;
using flaws = abacus::flaws;

ASSAY_CONTRACT(abacus, "flow", "Counts");

ASSAY_CLAUSE(abacus, "AB-1", must, "One and one is two.") {
  auto tried = make();
  tried->add();
  tried->add();
  t.expect_eq(tried->value(), 2, "the sum");
  co_return;
}

ASSAY_CLAUSE(abacus, "AB-2", should, "Every addition counts.") { co_return; }

ASSAY_CLAUSE(abacus, "AB-3", must, "Once it has started, it counts.") {
  auto tried = make();
  t.premise(tried->started(), "it has started");
  tried->add();
  t.expect(tried->value() > 0, "it counts");
  co_return;
}

ASSAY_CLAUSE(abacus, "AB-4", must, "Its additions are given up as a whole.", .swept = true) {
  auto tried = make();
  auto later = t.start("later", tried->add_later());
  t.victim(later);
  co_await t.pass(1ms);
  t.premise(later.done(), "the addition was made");  // not where it is cancelled: that trial shows nothing
  t.expect_eq(tried->value(), 1, "the sum");
}

const grammar rules = {.shapes = 2,
                       .verbs = {"add", {"subtract", "subtract"}, "add_later"},
                       .a_values = 1,
                       .b_values = 2,
                       .steps_max = 6,
                       .repeats = {1, 12}};

ASSAY_PROGRAM(abacus, "AB-5", rules) {
  auto tried = make();
  int expected = 0;
  for (const program_step& step : steps.steps) {
    if (step.verb == 0) {
      tried->add();
      ++expected;
      t.expect(tried->value() == expected, steps.shape == 0 ? "AB-1: the sum" : "AB-2: every addition");
    } else if (step.verb == 1) {
      tried->subtract();
      --expected;
    } else {
      auto later = t.start("later", tried->add_later());
      if (step.b == 1) t.victim(later);
      co_await t.pass(1ms);
      if (later.done()) ++expected;
    }
  }
  t.expect(!tried->stuck(), "it is not stuck");
}
ASSAY_CROSS_CUTTING("AB-5", must, "Whatever is done, it counts.", "");

const subject_base& tried(const std::string& name, subject_kind kind, flaws how, bool subtracts = true) {
  subject_traits traits;
  if (subtracts) traits.features = {"subtract"};
  catalogue& all = catalogue::instance();
  if (all.find_subject("abacus", name) == nullptr) {
    all.add(std::make_unique<subject<abacus>>(
        name, kind, std::move(traits),
        [how](environment&, const abacus::config&) { return std::make_unique<abacus>(how); }));
  }
  return *all.find_subject("abacus", name);
}

const scenario_info& scenario(const std::string& name) {
  return *catalogue::instance().find_scenario("abacus/" + name);
}

campaign_result run_on(const subject_base& chosen, const std::string& name,
                       std::vector<std::string> muted = {}) {
  campaign_options options;
  options.muted = std::move(muted);
  return run_campaign(chosen, scenario(name), options);
}

TEST(cited_clause, is_what_the_message_begins_with) {
  EXPECT_EQ(cited_clause("BQ-4: no pop waits beside an item"), "BQ-4");
  EXPECT_EQ(cited_clause("expected: BQ-10, BQ-11: nobody is parked; observed: not so"), "BQ-10");
  EXPECT_EQ(cited_clause("expected: the sum: 2; observed: 4"), "");
  EXPECT_EQ(cited_clause("BQ: no"), "");
  EXPECT_EQ(cited_clause("BQ-: no"), "");
  EXPECT_EQ(cited_clause("BQ-4"), "");
  EXPECT_EQ(cited_clause("-4: no"), "");
  EXPECT_EQ(cited_clause(""), "");
}

TEST(programs, find_nothing_in_what_is_sound) {
  EXPECT_EQ(run_on(tried("sound", subject_kind::alternative, {}), "AB-5/program").outcome, verdict::pass);
}

TEST(programs, count_for_the_clause_that_their_model_cites_with_its_level) {
  const campaign_result seen =
      run_on(tried("adds_two", subject_kind::mutant, {.adds_two = true}), "AB-5/program");
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_EQ(seen.clause, "AB-5");
  ASSERT_TRUE(seen.counts_for() == "AB-1" || seen.counts_for() == "AB-2") << seen.message;
  EXPECT_EQ(seen.level, seen.counts_for() == "AB-1" ? level::must : level::should);
  EXPECT_EQ(seen.core, seen.counts_for() == "AB-1");
  EXPECT_THAT(seen.message, HasSubstr(seen.counts_for()));
}

TEST(programs, say_nothing_more_where_what_is_known_has_shown_itself) {
  const subject_base& wrong = tried("adds_two", subject_kind::mutant, {.adds_two = true});
  const campaign_result seen = run_on(wrong, "AB-5/program", {"AB-1"});
  EXPECT_EQ(seen.counts_for(), "AB-2");
  EXPECT_EQ(run_on(wrong, "AB-5/program", {"AB-1", "AB-2"}).outcome, verdict::pass);
  // A token tells of what was muted, and so the same trial comes again.
  const trial_result again = replay(plan_replay(decode_token(seen.token)));
  EXPECT_THAT(again.message, HasSubstr("AB-2"));
  EXPECT_EQ(format_hash(again.events->hash()), seen.trace_hash);
}

TEST(programs, charge_what_cites_no_clause_to_their_own) {
  const subject_base& wrong = tried("stuck", subject_kind::mutant, {.stuck_if_cancelled = true});
  const campaign_result seen = run_on(wrong, "AB-5/program");
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_EQ(seen.counts_for(), "AB-5");
  EXPECT_EQ(run_on(wrong, "AB-5/program", {"AB-5"}).outcome, verdict::pass);
  EXPECT_EQ(run_on(wrong, "AB-5/program", {"AB-1"}).outcome, verdict::fail);
}

TEST(programs, are_swept) {
  const subject_base& wrong = tried("stuck", subject_kind::mutant, {.stuck_if_cancelled = true});
  const campaign_result seen = run_on(wrong, "AB-5/program");
  EXPECT_THAT(seen.shown_by, HasSubstr("cancel sweep"));
  EXPECT_GT(seen.cancel_points, 0U);
}

TEST(programs, that_are_repeated_show_what_wears_out) {
  const campaign_result seen =
      run_on(tried("forgets", subject_kind::mutant, {.forgets_after_ten = true}), "AB-5/program");
  EXPECT_EQ(seen.outcome, verdict::fail) << "no program makes eleven additions";
}

TEST(programs, have_only_verbs_that_the_subject_claims) {
  const allowed_verbs some = allowed(rules, [](std::string_view) { return false; });
  EXPECT_EQ(some, (allowed_verbs{0, 2}));
  std::set<int> drawn;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    random_source random(seed, {});
    choice_stream choices(random);
    for (const program_step& step : draw(choices, rules, some).steps) drawn.insert(step.verb);
  }
  EXPECT_EQ(drawn, (std::set<int>{0, 2}));
}

TEST(programs, are_made_again_from_their_answers) {
  const allowed_verbs verbs = {0, 2};
  const program wanted{1, {{2, 0, 1}, {1, 0, 0}, {0, 0, 0}}, 1};
  const program without_the_others{1, {{2, 0, 1}, {0, 0, 0}}, 1};
  fifo_source rest;
  program_source source(answers_for(wanted, rules, verbs), rest);
  choice_stream choices(source);
  EXPECT_EQ(draw(choices, rules, verbs), without_the_others);
  EXPECT_EQ(unrolled(without_the_others, rules).size(), 24U);
  EXPECT_EQ(to_text(without_the_others, rules), "shape 1, 12 times: add_later 0 1; add 0 0;");
}

TEST(programs, come_last_and_know_what_the_scenarios_have_found) {
  std::vector<job> jobs;
  const subject_base& wrong = tried("adds_two", subject_kind::mutant, {.adds_two = true});
  for (const char* const name : {"AB-5/program", "AB-1"}) {
    job one;
    one.chosen = &wrong;
    one.scenario = &scenario(name);
    jobs.push_back(std::move(one));
  }
  run_settings here;
  here.isolate = run_settings::isolation::none;
  std::vector<std::size_t> order;
  const run_outcome seen = run_jobs(jobs, here, [&](std::size_t index, const campaign_result&) {
    order.push_back(index);
    return true;
  });
  EXPECT_EQ(order, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(seen.results[0]->counts_for(), "AB-2") << "AB-1 is no news";
  here.known[{"abacus", "adds_two"}] = {"AB-2"};
  EXPECT_EQ(run_jobs(jobs, here).results[0]->outcome, verdict::pass);
}

TEST(premises, that_never_hold_are_an_error_of_what_scenarios_are_written_against) {
  const campaign_result seen =
      run_on(tried("never", subject_kind::alternative, {.never_starts = true}), "AB-3");
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_THAT(seen.message, HasSubstr("premise: expected: it has started"));
}

TEST(premises, that_never_hold_take_the_verdict_from_third_parties) {
  const campaign_result seen =
      run_on(tried("library", subject_kind::third_party, {.never_starts = true}), "AB-3");
  EXPECT_EQ(seen.outcome, verdict::skip);
  EXPECT_THAT(seen.message, HasSubstr("premise: in no trial it has started"));
}

TEST(premises, that_never_hold_are_a_failure_of_mutants) {
  const campaign_result seen = run_on(tried("mutant", subject_kind::mutant, {.never_starts = true}), "AB-3");
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_EQ(seen.counts_for(), "AB-3");
}

TEST(premises, count_for_nobody_where_a_sweep_has_disturbed_the_trial) {
  const campaign_result seen = run_on(tried("sound", subject_kind::alternative, {}), "AB-4");
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  EXPECT_GT(seen.cancel_points_covered, 0U);
}

}  // namespace
}  // namespace assay::test
