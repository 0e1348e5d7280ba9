// Where verdicts are formed, what is not reached by running subjects: results in any shape, jobs in this process, stories
// of traces that are alike, dates that are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/harness/campaign/allocations.hpp>
#include <assay/harness/campaign/bugs.hpp>
#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/corpus.hpp>
#include <assay/harness/campaign/forked_trial.hpp>
#include <assay/harness/campaign/job.hpp>
#include <assay/harness/campaign/mirror.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/campaign/shrink.hpp>
#include <assay/harness/campaign/story.hpp>
#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/kill_matrix.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::contract {

class verdicts_probe {
 public:
  static constexpr std::string_view name = "verdicts_probe";
  static constexpr feature_info features[] = {{"wings", "It flies."}};
  struct config {};
  virtual ~verdicts_probe() = default;
};

}  // namespace assay::contract

namespace assay::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

ASSAY_CONTRACT(verdicts_probe, "flow", "Something to judge");
ASSAY_CLAUSE(verdicts_probe, "VER-1", must, "All is well.") {
  t.mark("well");
  co_return;
}
ASSAY_CLAUSE(verdicts_probe, "VER-2", must, "It ends the process.", .expects_termination = true) {
  co_return;
}
ASSAY_SCENARIO(verdicts_probe, "VER-1", "fails") {
  t.expect(false, "it is well");
  co_return;
}
ASSAY_SCENARIO(verdicts_probe, "VER-1", "fails by chance") {
  t.expect(t.choices().pick(choice_kind::user, 4) != 3, "chance is kind");
  co_return;
}
// The process is what changes from one trial to the next.
int trials_begun = 0;
ASSAY_SCENARIO(verdicts_probe, "VER-1", "fails in many ways") {
  if (t.choices().pick(choice_kind::user, 4) == 3)
    t.fail("it is " + std::string(++trials_begun, 'o') + " well");
  co_return;
}
ASSAY_SCENARIO(verdicts_probe, "VER-1", "wanders") {
  if (++trials_begun % 2 == 0) t.mark("now and then");
  (void)t.choices().pick(choice_kind::user, 2);
  co_return;
}
ASSAY_SCENARIO(verdicts_probe, "VER-1", "exits") {
  if (t.traced()) std::_Exit(7);
  co_return;
}

ASSAY_SCENARIO(verdicts_probe, "VER-1", "fails first in last out") {
  t.expect(t.choices().pick(choice_kind::user, 2) == 0, "chance is kind");
  co_return;
}
ASSAY_SCENARIO(verdicts_probe, "VER-1", "sees nothing") {
  t.sometimes("pigs fly", false);
  t.sometimes("hell freezes over", false);
  co_return;
}
ASSAY_SCENARIO(verdicts_probe, "VER-1", "has many premises") {
  const std::uint32_t chance = t.choices().pick(choice_kind::user, 3);
  t.premise(chance != 1, "the first is met");
  t.premise(chance != 2, "the second is met");
  co_return;
}

const subject_base& subject_of_kind(subject_kind kind, const std::string& name) {
  catalogue& all = catalogue::instance();
  if (all.find_subject("verdicts_probe", name) == nullptr) {
    subject_traits traits;
    if (kind == subject_kind::mutant) {
      traits.defect = "is not well";
      traits.must_fail = {{"VER-1", "it is well"}};
    }
    all.add(std::make_unique<subject<contract::verdicts_probe>>(
        name, kind, std::move(traits), [](environment&, const contract::verdicts_probe::config&) {
          return std::make_unique<contract::verdicts_probe>();
        }));
  }
  return *all.find_subject("verdicts_probe", name);
}
const subject_base& planted() { return subject_of_kind(subject_kind::alternative, "for_verdicts"); }

const scenario_info& scenario(const std::string& name) {
  return *catalogue::instance().find_scenario("verdicts_probe/" + name);
}
job job_of(job_kind kind, const std::string& name) {
  job asked;
  asked.kind = kind;
  asked.chosen = &planted();
  asked.scenario = &scenario(name);
  return asked;
}

TEST(jobs_here, need_nobody_who_watches) {
  const campaign_result whole = run_job(job_of(job_kind::campaign, "VER-1"));
  EXPECT_EQ(whole.outcome, verdict::pass);
  job again = job_of(job_kind::replay, "VER-1");
  again.token = whole.token;
  EXPECT_EQ(run_job(again).outcome, verdict::pass);
  EXPECT_EQ(run_job(job_of(job_kind::plug, "VER-1/fails")).outcome, verdict::pass);
  const campaign_observer deaf;
  EXPECT_NE(run_job(job_of(job_kind::termination, "VER-2"), &deaf).outcome, verdict::pass);
  EXPECT_THROW(run_job(job_of(static_cast<job_kind>(99), "VER-1")), std::logic_error);
}

TEST(jobs_here, say_of_who_does_not_end_that_he_goes_on) {
  job asked = job_of(job_kind::termination, "VER-2");
  const campaign_result first = run_job(asked);
  EXPECT_EQ(first.outcome_fifo, verdict::fail);
  EXPECT_THAT(first.message, HasSubstr("was to be ended here"));
  asked.attempt = 3;
  const campaign_result other = run_job(asked);
  EXPECT_EQ(other.outcome, verdict::fail);
  EXPECT_EQ(other.outcome_fifo, verdict::pass);
  EXPECT_EQ(other.shown_by, "permuted order");
  job again = job_of(job_kind::replay, "VER-2");
  again.token = other.token;
  EXPECT_EQ(run_job(again).outcome, verdict::fail);
}

TEST(jobs_here, that_end_otherwise_than_by_going_on_keep_what_was_wrong) {
  job asked = job_of(job_kind::termination, "VER-1/fails");
  const campaign_result seen = run_job(asked);
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_THAT(seen.message, HasSubstr("it is well"));
}

TEST(isolation, is_for_those_whom_nobody_vouches_for) {
  job asked = job_of(job_kind::campaign, "VER-1");
  using isolation = run_settings::isolation;
  EXPECT_FALSE(is_isolated(asked, isolation::foreign));
  EXPECT_TRUE(is_isolated(asked, isolation::all));
  asked.chosen = &subject_of_kind(subject_kind::mutant, "ill");
  EXPECT_TRUE(is_isolated(asked, isolation::foreign));
  EXPECT_FALSE(is_isolated(asked, isolation::none));
  EXPECT_TRUE(is_isolated(asked, static_cast<isolation>(99))) << "who is not known is safest alone";
  asked.scenario = &scenario("VER-2");
  EXPECT_TRUE(is_isolated(asked, isolation::none));
}

TEST(runs, go_on_without_anybody_who_listens) {
  const std::vector<job> jobs{job_of(job_kind::campaign, "VER-1"), job_of(job_kind::campaign, "VER-1/fails")};
  const run_outcome seen = run_jobs(jobs, {});
  EXPECT_EQ(seen.results.at(0)->outcome, verdict::pass);
  EXPECT_EQ(seen.results.at(1)->outcome, verdict::fail);
  const run_outcome stopped = run_jobs(jobs, {}, [](std::size_t, const campaign_result&) { return false; });
  EXPECT_FALSE(stopped.results.at(1));
}

// ---- verdicts of campaigns

TEST(campaigns, whose_failure_is_another_the_second_time_say_both) {
  trials_begun = 0;
  const campaign_result seen = run_campaign(planted(), scenario("VER-1/fails in many ways"), {});
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_THAT(seen.message,
              StartsWith("not deterministic: the same choices did not fail again in the same way; first '"));
}

TEST(campaigns, in_processes_of_their_own_tell_how_one_ended) {
  campaign_options options;
  options.run = run_forked_trial;
  const campaign_result seen = run_campaign(planted(), scenario("VER-1/exits"), options);
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_EQ(seen.message, "crashed: the process ended with status 7");
}

TEST(campaigns, that_reached_nothing_of_what_they_must_name_all_of_it) {
  const campaign_result seen = run_campaign(planted(), scenario("VER-1/sees nothing"), {});
  EXPECT_EQ(seen.outcome, verdict::error);
  EXPECT_THAT(seen.message, HasSubstr("'hell freezes over', 'pigs fly'"));
}

TEST(campaigns, need_each_premise_once_of_third_parties_and_always_of_their_own) {
  const auto verdict_of = [](subject_kind kind) {
    const subject_base& judged = subject_of_kind(kind, "of_kind_" + std::to_string(static_cast<int>(kind)));
    return run_campaign(judged, scenario("VER-1/has many premises"), {});
  };
  EXPECT_EQ(verdict_of(subject_kind::third_party).outcome, verdict::pass);
  for (const subject_kind kind : {subject_kind::reference, subject_kind::alternative})
    EXPECT_THAT(verdict_of(kind).message, StartsWith("premise: expected: the first is met"));
}

planted_bug planted_in(const std::string& wrong, const std::string& right) {
  planted_bug bug;
  bug.name = wrong;
  bug.wrong = scenario(wrong);
  bug.right = scenario(right);
  return bug;
}

TEST(measured_bugs, that_nobody_finds_have_no_figures) {
  const planted_bug bug = planted_in("VER-1", "VER-1");
  const bug_report seen = measure_bug(bug, {.seeds = 3, .cap = 4, .twin_schedules = 2});
  EXPECT_FALSE(seen.portfolio.median || seen.strategies.at("dfs").median || seen.shrunk_deviations);
  EXPECT_EQ(seen.twin_reports, 0U);
  EXPECT_FALSE(measure_bug(bug, {.seeds = 0, .cap = 1, .twin_schedules = 0}).portfolio.p95);
}

TEST(measured_bugs, whose_twin_fails_too_say_how_often_and_the_first_reason) {
  const planted_bug bug = planted_in("VER-1/fails first in last out", "VER-1/fails");
  const bug_report seen = measure_bug(bug, {.seeds = 4, .cap = 50, .twin_schedules = 3});
  EXPECT_TRUE(seen.portfolio.median && seen.portfolio.p95);
  EXPECT_EQ(seen.twin_reports, 3U);
  EXPECT_THAT(seen.twin_message, HasSubstr("it is well"));
  const planted_bug* const both[] = {&bug, &bug};
  const std::vector<bug_report> several = measure_bugs(both, {.seeds = 1, .cap = 5, .twin_schedules = 1}, 2);
  ASSERT_EQ(several.size(), 2U);
  EXPECT_EQ(several[0].shrunk_deviations, several[1].shrunk_deviations);
}

TEST(replays, of_a_run_that_never_ended_say_how_it_ends_now) {
  replay_plan plan;
  plan.chosen = &planted();
  plan.cut = true;
  plan.scenario = &scenario("VER-1");
  EXPECT_THAT(replay(plan).message, HasSubstr("this one ended: between step 0 and step 0"));
  plan.plan = condense({});  // nothing was chosen
  EXPECT_THAT(replay(plan).message, HasSubstr("this one ended: it passed"));
  plan.scenario = &scenario("VER-1/fails");
  EXPECT_THAT(replay(plan).message, HasSubstr("this one ended: with 'expected: it is well"));
  plan.scenario = &scenario("VER-2");  // which is to end the process
  EXPECT_TRUE(replay(plan).passed());
}

TEST(hashes, name_the_first_event_in_which_two_runs_differ) {
  campaign_options options;
  options.schedules = 6;
  const trace_hashes found = hash_trials(planted(), scenario("VER-1/wanders"), options);
  EXPECT_THAT(found.difference, HasSubstr("now and then"));
  options.strategy = "dfs";
  EXPECT_EQ(hash_trials(planted(), scenario("VER-1"), options).difference, "");
}

TEST(words, of_verdicts_and_order_models) {
  EXPECT_EQ(to_string(verdict::skip), "skip");
  EXPECT_EQ(to_string(static_cast<verdict>(9)), "unknown");
  EXPECT_EQ(to_string(order_model::any), "any");
  EXPECT_EQ(to_string(static_cast<allocation_outcome>(99)), "unknown");
}

// ---- the kill matrix

TEST(kill_matrix, judges_no_mutant_that_was_not_run) {
  const subject_base* const mutant = &subject_of_kind(subject_kind::mutant, "ill");
  const catalogue& all = catalogue::instance();
  std::vector<campaign_result> results;
  for (const scenario_info* const one : scenarios_for(all, *mutant)) {
    results.push_back(blank_result(*mutant, *one, tier::sim));
    job asked;
    asked.chosen = mutant;
    asked.scenario = one;
    if (one->variant == "fails") results.back() = unrun_result(asked, ": no worker process: fork");
  }
  const kill_matrix unrun =
      judge_mutants(all, {&mutant, 1}, results, {results.size(), results.size(), false});
  EXPECT_FALSE(unrun.mutants.front().whole);
  EXPECT_FALSE(unrun.mutants.front().killed);
  EXPECT_THAT(unrun.mutants.front().problems, testing::IsEmpty());
  for (campaign_result& one : results) one.unrun = false;
  const kill_matrix run = judge_mutants(all, {&mutant, 1}, results, {results.size(), results.size(), false});
  EXPECT_TRUE(run.mutants.front().whole);
  EXPECT_THAT(run.mutants.front().problems, testing::Not(testing::IsEmpty()));
}

// ---- a failed allocation

trial_result with_kind(failure_kind kind, bool told = false) {
  trial_result seen;
  seen.kind = kind;
  seen.allocations.emplace();
  seen.allocations->told = told;
  return seen;
}

TEST(failed_allocations, are_judged_by_what_the_trial_came_to) {
  using enum allocation_outcome;
  for (const failure_kind lost : {failure_kind::deadlock, failure_kind::expectation, failure_kind::unobserved,
                                  failure_kind::exception, failure_kind::escaped, failure_kind::diverged})
    EXPECT_EQ(judge_allocation(with_kind(lost)), allocation_outcome::lost);
  EXPECT_EQ(judge_allocation(with_kind(failure_kind::none)), absorbed);
  EXPECT_EQ(judge_allocation(with_kind(failure_kind::none, true)), surfaced);
  EXPECT_EQ(judge_allocation(with_kind(failure_kind::premise)), absorbed);
  EXPECT_EQ(judge_allocation(with_kind(failure_kind::livelock)), hung);
  EXPECT_EQ(judge_allocation(with_kind(failure_kind::left_over)), leaked);
  EXPECT_EQ(judge_allocation(with_kind(failure_kind::item)), doubled);
  trial_result gone = with_kind(failure_kind::item);
  gone.allocations->only_lost = true;
  EXPECT_EQ(judge_allocation(gone), allocation_outcome::lost);
  for (const failure_kind broken : {failure_kind::crashed, failure_kind::testee, failure_kind::adapter})
    EXPECT_EQ(judge_allocation(with_kind(broken)), crashed);
  trial_result hanging;  // a process that has ended told of no allocation
  hanging.kind = failure_kind::crashed;
  hanging.signal = SIGALRM;
  EXPECT_EQ(judge_allocation(hanging), hung);
  hanging.kind = failure_kind::item;
  EXPECT_EQ(judge_allocation(hanging), doubled);
  trial_result left;
  left.kind = failure_kind::none;
  left.allocations.emplace();
  left.allocations->left_turn = true;
  EXPECT_EQ(judge_allocation(left), surfaced);
  EXPECT_EQ(judge_allocation(with_kind(static_cast<failure_kind>(99))), crashed);
}

// ---- stories

trace events_of(const std::vector<std::pair<event_kind, std::string>>& all) {
  trace events;
  for (const auto& [kind, text] : all) events.record(std::chrono::milliseconds(1), 0, kind, text);
  return events;
}

TEST(stories, of_traces_that_are_alike_but_for_their_choices_differ_nowhere) {
  const trace one = events_of({{event_kind::mark, "a"}, {event_kind::mark, "b"}});
  const trace other = events_of({{event_kind::choice, "x"},
                                 {event_kind::mark, "a"},
                                 {event_kind::choice, "y"},
                                 {event_kind::mark, "b"}});
  EXPECT_EQ(first_difference(one, other), "");
  EXPECT_EQ(first_difference(other, one), "");
}

TEST(stories, name_where_one_ends_and_the_other_goes_on) {
  const trace one = events_of({{event_kind::mark, "a"}});
  const trace other = events_of({{event_kind::mark, "a"}, {event_kind::mark, "b"}});
  EXPECT_EQ(first_difference(one, other), "event 2: the end here, '1ms mark b' there");
  EXPECT_EQ(first_difference(other, one), "event 2: '1ms mark b' here, the end there");
  EXPECT_THAT(tell(one, telling::story, &other), testing::SizeIs(1));
  EXPECT_THAT(tell(other, telling::story, &one).at(1), HasSubstr("parts from the baseline trial"));
  EXPECT_EQ(first_failure(one), 0U);
}

TEST(stories, know_turns_of_tasks_that_nobody_has_started) {
  trace events;
  events.record(std::chrono::milliseconds(0), 77, event_kind::turn, {});
  EXPECT_THAT(tell(events, telling::everything).at(0), HasSubstr("the subject"));
}

// ---- shrinking within any budget

TEST(shrinking, ends_within_every_budget_with_a_schedule_that_fails) {
  const std::vector<choice> failing(12, choice{choice_kind::user, 5, 4});
  const auto again = [](const std::vector<std::uint32_t>& answers) -> std::optional<std::vector<choice>> {
    std::vector<choice> made;
    for (const std::uint32_t one : answers) made.push_back({choice_kind::user, 5, one});
    made.resize(12, choice{choice_kind::user, 5, 0});
    if (made[3].chosen < 2 || made[9].chosen < 3) return std::nullopt;
    return made;
  };
  for (std::uint32_t budget = 0; budget < 60; ++budget) {
    const shrunk least = shrink(failing, budget, again);
    EXPECT_LE(least.trials, budget);
    EXPECT_GE(least.choices.at(3).chosen, 2U);
    EXPECT_GE(least.choices.at(9).chosen, 3U);
  }
}

TEST(shrinking, tells_failures_apart_by_kind_and_gist) {
  trial_result one;
  one.kind = failure_kind::expectation;
  one.message = "expected: 3; observed: 4";
  trial_result other = one;
  other.message = "expected: 5; observed: 6";
  EXPECT_TRUE(same_failure(one, other));
  other.message = "something else";
  EXPECT_FALSE(same_failure(one, other));
  other.message = one.message;
  other.kind = failure_kind::deadlock;
  EXPECT_FALSE(same_failure(one, other));
}

// ---- the date of a report

TEST(dates, that_are_none_are_not_believed) {
  const char* const before = std::getenv("SOURCE_DATE_EPOCH");
  const std::string kept = before == nullptr ? "" : before;
  ::setenv("SOURCE_DATE_EPOCH", "86400", 1);
  EXPECT_EQ(report_date(), "1970-01-02T00:00:00Z");
  for (const char* const none : {"", "86400x", "soon", "99999999999999999999"}) {
    ::setenv("SOURCE_DATE_EPOCH", none, 1);
    EXPECT_NE(report_date(), "1970-01-02T00:00:00Z") << none;
    EXPECT_THAT(report_date(), testing::MatchesRegex("20..-..-..T..:..:..Z")) << none;
  }
  ::setenv("SOURCE_DATE_EPOCH", "9223372036854775807", 1);  // beyond every calendar
  EXPECT_EQ(report_date(), "");
  if (before == nullptr) {
    ::unsetenv("SOURCE_DATE_EPOCH");
  } else {
    ::setenv("SOURCE_DATE_EPOCH", kept.c_str(), 1);
  }
}

TEST(mirrors, are_full_one_day) {
  shared_mirror mirror;
  mirror.trial_begins({});
  for (std::uint32_t i = 0; i < (1U << 20U) + 3; ++i) mirror.record({choice_kind::user, 2, 1});
  EXPECT_EQ(mirror.choices().size(), std::size_t{1} << 20U);
}

}  // namespace
}  // namespace assay::test
