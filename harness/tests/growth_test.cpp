// Growth: what a subject holds after many of the same calls is what it held after a few. It is measured for every
// contract with random programs; what is said, and what is not.
#include <assay/harness/campaign/campaign.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <list>
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/allocation/counter.hpp>
#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::contract {

class hoard {
 public:
  static constexpr std::string_view name = "hoard";
  struct config {};
  virtual ~hoard() = default;
  virtual boost::asio::awaitable<void> call() { co_return; }
  virtual boost::asio::awaitable<void> wait() { return sleep_for_ever(); }
};

}  // namespace assay::contract

namespace assay::test {
namespace {

using contract::hoard;
using testing::ElementsAre;
using testing::HasSubstr;

ASSAY_CONTRACT(hoard, "flow", "Is called and waited for, again and again");
ASSAY_CROSS_CUTTING("H-0", must, "All is well.", "");

const grammar rules = {.verbs = {"call", "wait", "cancel", "settle", "advance"}};

ASSAY_PROGRAM(hoard, "H-0", rules) {
  auto made = make();
  std::vector<operation<void>> all;
  for (const program_step& step : steps.steps) {
    const std::string name = std::to_string(all.size() + 1);
    if (step.verb == 0) all.push_back(t.start("call " + name, made->call()));
    if (step.verb == 1) all.push_back(t.start("wait " + name, made->wait()));
    if (step.verb == 2 && !all.empty()) all[step.a % all.size()].cancel();
    if (step.verb == 3) co_await t.settle();
    if (step.verb == 4) co_await t.advance(1ms);
  }
  co_await t.settle();
  for (const auto& one : all) one.cancel();
  co_await t.settle();
  for (const auto& one : all) t.expect(one.ended() && !one.failed(), "H-0: all is well");
}

class keeps_a_record_of_every_call final : public hoard {
 public:
  asio::awaitable<void> call() override {
    records_.push_back(std::make_unique<int>(1));
    co_return;
  }

 private:
  std::vector<std::unique_ptr<int>> records_;
};

class keeps_who_was_cancelled final : public hoard {
 public:
  asio::awaitable<void> wait() override {
    waiters_.push_back(1);
    co_await sleep_for_ever();
  }

 private:
  std::list<int> waiters_;
};

// What it grew to for those that waited side by side is used again.
class keeps_places final : public hoard {
 public:
  asio::awaitable<void> wait() override {
    if (waiting_++ == places_.size()) places_.push_back(1);
    const std::exception_ptr failure = co_await failure_of(sleep_for_ever());
    --waiting_;
    std::rethrow_exception(failure);
  }

 private:
  std::list<int> places_;
  std::size_t waiting_ = 0;
};

class keeps_the_last_ten final : public hoard {
 public:
  asio::awaitable<void> call() override {
    records_.push_back(1);
    if (records_.size() > 10) records_.pop_front();
    co_return;
  }

 private:
  std::list<int> records_;
};

class keeps_and_fails final : public hoard {
 public:
  asio::awaitable<void> call() override {
    records_.push_back(1);
    if (records_.size() > 50) throw std::runtime_error("too many");
    co_return;
  }

 private:
  std::list<int> records_;
};

// Its failures have texts, which are with whoever keeps the outcomes.
class tells_much final : public hoard {
 public:
  asio::awaitable<void> wait() override {
    const std::exception_ptr failure = co_await failure_of(sleep_for_ever());
    if (failure) throw boost::system::system_error(asio::error::operation_aborted, std::string(100, 'x'));
  }
};

template <class Hoard>
const subject_base& with(const std::string& name) {
  const catalogue& all = catalogue::instance();
  if (all.find_subject("hoard", name) == nullptr) {
    catalogue::instance().add(
        std::make_unique<subject<hoard>>(name, subject_kind::third_party, subject_traits{},
                                         [](environment&, const hoard::config&) -> std::unique_ptr<hoard> {
                                           return std::make_unique<Hoard>();
                                         }));
  }
  return *all.find_subject("hoard", name);
}

const scenario_info& the_program() { return *catalogue::instance().find_scenario("hoard/H-0/program"); }

campaign_result tried(const subject_base& chosen, tier where = tier::sim) {
  campaign_options options;
  options.schedules = 4;
  options.where = where;
  return run_campaign(chosen, the_program(), options);
}

// ---- what is said

TEST(growth, x_27_what_is_kept_of_every_call_is_told_with_its_figures) {
  const campaign_result seen = tried(with<keeps_a_record_of_every_call>("record"));
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_THAT(seen.message, HasSubstr("after 8 rounds of 'call, cancel' the subject holds "));
  EXPECT_THAT(seen.message, HasSubstr(" blocks, after 80 it holds 8"));
  EXPECT_EQ(cited_clause(seen.message), growth_clause);
  EXPECT_EQ(seen.shown_by, growth_phase);
  EXPECT_EQ(seen.outcome_fifo, verdict::fail);
}

TEST(growth, x_27_what_is_kept_of_every_cancelled_wait_is_told) {
  const campaign_result seen = tried(with<keeps_who_was_cancelled>("waiters"));
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_THAT(seen.message,
              HasSubstr("rounds of 'wait, cancel' the subject holds 9 blocks, after 80 it holds 81"));
}

TEST(growth, x_27_the_token_replays_the_longer_trial_and_knows_the_shorter_one) {
  const campaign_result seen = tried(with<keeps_who_was_cancelled>("waiters"));
  EXPECT_THAT(seen.token, HasSubstr("growth=80-8-9"));
  const trial_result again = replay(plan_replay(decode_token(seen.token)), true);
  EXPECT_EQ(again.message, seen.message);
  EXPECT_EQ(again.kind, failure_kind::expectation);
}

// ---- what is not

TEST(growth, who_keeps_nothing_passes_and_it_is_said_how_much_was_tried) {
  const campaign_result seen = tried(with<hoard>("none"));
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  EXPECT_EQ(seen.growth, "5 of 5 kinds of rounds");
}
TEST(growth, a_bound_is_no_growth) {
  EXPECT_EQ(tried(with<keeps_the_last_ten>("ten")).outcome, verdict::pass);
}
TEST(growth, what_waits_side_by_side_may_need_room) {
  const campaign_result seen = tried(with<keeps_places>("places"));
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
}
TEST(growth, outcomes_belong_to_who_looks_at_them) {
  const campaign_result seen = tried(with<tells_much>("texts"));
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
}
TEST(growth, what_else_is_wrong_after_many_calls_is_told) {
  const campaign_result seen = tried(with<keeps_and_fails>("fails"));
  EXPECT_EQ(seen.outcome, verdict::fail);
  EXPECT_THAT(seen.message, HasSubstr("H-0: all is well"));
  EXPECT_EQ(seen.shown_by, growth_phase);
  EXPECT_THAT(seen.token, HasSubstr("growth=80"));
  EXPECT_EQ(replay(plan_replay(decode_token(seen.token)), true).message, seen.message);
}
TEST(growth, on_a_stock_io_context_it_is_not_measured) {
  const campaign_result seen = tried(with<keeps_who_was_cancelled>("waiters"), tier::io_context);
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  EXPECT_EQ(seen.growth, "not measured: on the simulator only");
}
TEST(growth, of_who_is_known_to_grow_it_is_not_measured) {
  campaign_options options;
  options.schedules = 4;
  options.muted = {std::string(growth_clause)};
  const campaign_result seen = run_campaign(with<keeps_who_was_cancelled>("waiters"), the_program(), options);
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  EXPECT_EQ(seen.growth, "not measured: it is known to grow");
}

TEST(growth, a_program_that_describes_one_run_is_not_measured) {
  campaign_options options;
  options.schedules = 4;
  grammar one_run = rules;
  one_run.one_run = true;
  scenario_info of_a_run = the_program();
  of_a_run.traits.rules = &one_run;
  const campaign_result seen = run_campaign(with<keeps_who_was_cancelled>("waiters"), of_a_run, options);
  EXPECT_EQ(seen.outcome, verdict::pass) << seen.message;
  EXPECT_EQ(seen.growth, "not measured: a program describes one run");
}

// ---- rounds

std::vector<std::string> texts(const grammar& of, const std::vector<std::uint8_t>& verbs) {
  std::vector<std::string> all;
  for (const program& one : growth_rounds(of, verbs)) all.push_back(verbs_of(one, of));
  return all;
}

TEST(growth, rounds_are_every_verb_cancelled_with_time_and_behind_the_first) {
  EXPECT_THAT(texts(rules, {0, 1, 2, 3, 4}),
              ElementsAre("call, cancel", "call, advance", "wait, cancel", "wait, advance", "call, wait"));
}
TEST(growth, rounds_make_do_with_the_verbs_that_there_are) {
  EXPECT_THAT(texts(grammar{.verbs = {"add", "drop"}}, {0, 1}), ElementsAre("add", "drop", "add, drop"));
  EXPECT_THAT(texts(rules, {0, 3}), ElementsAre("call"));
}
TEST(growth, each_round_cancels_its_own_operation) {
  const std::vector<program_step> all = repeated({.steps = {{0, 0, 0}, {2, 0, 0}}}, rules, 3);
  ASSERT_EQ(all.size(), 6U);
  EXPECT_EQ(all[1].a, 0);
  EXPECT_EQ(all[3].a, 1);
  EXPECT_EQ(all[5].a, 2);
}

TEST(growth, plans_are_read_as_they_are_written) {
  for (const growth_plan plan : {growth_plan{160, 0, 0}, growth_plan{160, 16, 40}, growth_plan{20, 2, 0}})
    EXPECT_EQ(read_growth_plan(to_string(plan)), plan) << to_string(plan);
  for (const char* const text : {"", "x", "160-", "160-16", "160-0-1", "160-16-40-1", "1000001", "-1"})
    EXPECT_EQ(read_growth_plan(text), std::nullopt) << text;
}

}  // namespace
}  // namespace assay::test
