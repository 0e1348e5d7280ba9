#include <assay/harness/mock/script.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include <assay/harness/mock/cache.hpp>
#include <assay/harness/mock/clock.hpp>
#include <assay/harness/mock/database.hpp>
#include <assay/harness/mock/http_client.hpp>
#include <assay/harness/mock/log_sink.hpp>
#include <assay/harness/mock/message_queue.hpp>
#include <assay/harness/tests/mock_support.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing_support::campaign;
using testing_support::fault_sweep;
using testing_support::run;
using testing_support::story;

using text_script = script<std::string>;
using text_reply = reply<std::string>;

asio::awaitable<std::string> ask(text_script script, std::string arguments) {
  return script.call(std::move(arguments));
}

// ---- MOK-1

asio::awaitable<void> call_and_await(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a");
  const std::string got = co_await fetch.call("'x'");
  t.expect_eq(got, "a");
}

asio::awaitable<void> call_and_discard(trial& t) {
  text_script fetch(t, "fetch");
  static_cast<void>(fetch.call("'x'"));
  co_return;
}

asio::awaitable<void> call_and_keep(trial& t) {
  text_script fetch(t, "fetch");
  t.keep(std::make_shared<asio::awaitable<std::string>>(fetch.call("'x'")));
  co_return;
}

asio::awaitable<void> cancel_before_the_first_turn(trial& t) {
  text_script fetch(t, "fetch");
  auto asked = t.start("ask", fetch.call("'x'"));
  asked.cancel();
  co_await t.settle();
  t.expect(asked.cancelled(), "never begun");
  t.expect_eq(fetch.count(), 0u);
}

TEST(MOK_1, a_call_is_awaitable_and_one_that_nobody_awaits_is_diagnosed) {
  EXPECT_EQ(story(run(call_and_await)), "");
  EXPECT_EQ(story(run(call_and_discard)), "the call fetch('x') was made, but nobody awaited it");
  EXPECT_EQ(story(run(call_and_keep)), "the call fetch('x') was made, but nobody awaited it");
}

TEST(MOK_1, a_call_whose_operation_is_cancelled_before_it_begins_is_no_mistake) {
  EXPECT_EQ(story(run(cancel_before_the_first_turn)), "");
}

// ---- MOK-2

asio::awaitable<void> take_every_kind(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a")
      .fails("boom")
      .then(text_reply::value("c").after(10ms))
      .then(text_reply::value("d").at_once());
  fetch.hangs();
  const std::string first = co_await fetch.call("1");
  t.expect_eq(first, "a");
  auto second = t.start("2", fetch.call("2"));
  co_await t.settle();
  t.expect_eq(to_string(second.what()), "error 'boom'");
  auto third = t.start("3", fetch.call("3"));
  co_await t.advance(10ms);
  t.expect(third.pending(), "not before its delay has passed");
  co_await t.settle();
  t.expect_eq(third.value(), "c");
  const std::uint64_t turns = t.turns();
  const std::string fourth = co_await fetch.call("4");
  t.expect_eq(fourth, "d");
  t.expect_eq(t.turns(), turns, "a call that ends at once needs no further turn");
  auto fifth = t.start("5", fetch.call("5"));
  co_await t.advance(24h);
  t.expect(fifth.pending(), "never ends");
  fifth.cancel();
  co_await t.settle();
  t.expect(fifth.cancelled(), "ends when cancelled");
}

asio::awaitable<void> take_in_the_same_turn(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a");
  const std::uint64_t turns = t.turns();
  const auto began = t.elapsed();
  (void)co_await fetch.call();
  t.expect(t.turns() > turns, "it has suspended");
  t.expect_eq(t.elapsed(), began);
}

asio::awaitable<void> call_beyond_the_script(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a");
  (void)co_await fetch.call("1");
  auto second = t.start("2", fetch.call("2"));
  co_await t.settle();
  t.expect(second.failed(), "it ends with an error");
}

asio::awaitable<void> call_with_other_arguments(trial& t) {
  text_script fetch(t, "fetch");
  fetch.then(text_reply::value("a").to("'x'"));
  co_await fetch.call("'y'");
}

asio::awaitable<void> take_a_standing_reply(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a").otherwise(text_reply::value("z"));
  auto first = co_await fetch.call();
  auto second = co_await fetch.call();
  auto third = co_await fetch.call();
  t.expect_eq(first + second + third, "azz");
}

TEST(MOK_2, replies_are_consumed_one_per_call_in_order) { EXPECT_EQ(story(campaign(take_every_kind)), ""); }

TEST(MOK_2, a_reply_without_a_delay_suspends_once_and_takes_no_time) {
  EXPECT_EQ(story(campaign(take_in_the_same_turn)), "");
}

TEST(MOK_2, running_out_of_script_fails_the_trial_by_name) {
  EXPECT_EQ(story(run(call_beyond_the_script)), "fetch(2) is call 2, and the script has no reply for it");
}

TEST(MOK_2, a_call_with_other_arguments_than_its_reply_was_meant_for_fails_by_name) {
  EXPECT_EQ(story(run(call_with_other_arguments)), "fetch('y') is call 1, expected was fetch('x')");
}

TEST(MOK_2, a_standing_reply_serves_every_call_beyond_the_list) {
  EXPECT_EQ(story(run(take_a_standing_reply)), "");
}

// MOK-m3: a list of results that is exhausted returns silently.
class forgiving_fetch {
 public:
  explicit forgiving_fetch(std::vector<std::string> results) : results_(std::move(results)) {}
  asio::awaitable<std::string> call() {
    if (next_ == results_.size()) co_return std::string();
    co_return results_[next_++];
  }

 private:
  std::vector<std::string> results_;
  std::size_t next_ = 0;
};

// The check of MOK-2 on any mock: true if a call too many is seen as a failure of the trial.
template <class Mock>
asio::awaitable<void> call_twice(std::shared_ptr<Mock> mock) {
  try {
    auto first = co_await mock->call();
    auto second = co_await mock->call();
  } catch (const unexpected_call&) {
  }
}

asio::awaitable<void> exhaust_forgiving(trial&) {
  std::vector<std::string> results;
  results.push_back("a");
  auto mock = std::make_shared<forgiving_fetch>(std::move(results));
  return call_twice(std::move(mock));
}

asio::awaitable<void> exhaust_scripted(trial& t) {
  auto mock = std::make_shared<text_script>(t, "fetch");
  mock->returns("a");
  return call_twice(std::move(mock));
}

TEST(MOK_2, the_check_tells_a_mock_that_is_exhausted_silently) {
  EXPECT_THAT(story(run(exhaust_scripted)), HasSubstr("no reply"));
  EXPECT_EQ(story(run(exhaust_forgiving)), "") << "MOK-m3: nothing is seen; that is the defect";
}

// ---- MOK-3

asio::awaitable<void> record_calls(trial& t) {
  text_script fetch(t, "fetch");
  fetch.then(text_reply::value("a").after(5ms)).fails("boom").hangs();
  co_await t.advance(2ms);
  (void)co_await fetch.call("'x'");
  auto second = t.start("second", fetch.call("'y'"));
  co_await t.settle();
  t.expect(second.failed(), "boom");
  auto third = t.start("third", fetch.call("'z'"));
  co_await t.advance(1ms);
  third.cancel();
  co_await t.settle();
  const std::vector<call_record> calls = fetch.calls();
  t.expect_eq(calls.size(), 3u);
  t.expect_eq(calls[0].arguments, "'x'");
  t.expect_eq(calls[0].number, 1u);
  t.expect_eq(calls[0].began, 2ms);
  t.expect_eq(calls[0].ended, 7ms);
  t.expect(calls[0].outcome == call_outcome::value, "a value");
  t.expect(calls[1].outcome == call_outcome::error, "an error");
  t.expect_eq(calls[1].error, "boom");
  t.expect(!calls[1].cancel_requested, "nobody asked the second to stop");
  t.expect_eq(calls[2].began, 7ms);
  t.expect_eq(calls[2].ended, 8ms);
  t.expect(calls[2].outcome == call_outcome::cancelled, "cancelled");
  t.expect(calls[2].cancel_requested, "while it was pending");
}

TEST(MOK_3, arguments_times_outcome_and_cancellation_are_recorded) {
  EXPECT_EQ(story(campaign(record_calls)), "");
}

// ---- MOK-4

asio::awaitable<void> cancel_every_policy(trial& t) {
  text_script fetch(t, "fetch");
  fetch.then(text_reply::value("honours").after(10ms));
  fetch.then(text_reply::value("ignores").after(10ms).ignoring_cancel());
  fetch.then(text_reply::value("finishes").after(10ms).finishing_after_cancel(3ms));
  fetch.then(text_reply::value("fails").after(10ms).failing_on_cancel("cannot stop"));
  fetch.then(text_reply::never().finishing_after_cancel(3ms));
  std::vector<operation<std::string>> calls;
  for (int i = 0; i < 5; ++i) {
    calls.push_back(t.start("call " + std::to_string(i), ask(fetch, std::to_string(i))));
    co_await t.settle();
  }
  co_await t.advance(2ms);
  for (const auto& call : calls) call.cancel();
  co_await t.settle();
  t.expect(calls[0].cancelled(), "honours it");
  t.expect(calls[1].pending(), "ignores it");
  t.expect(calls[2].pending(), "needs time");
  t.expect_eq(to_string(calls[3].what()), "error 'cannot stop'");
  co_await t.advance(3ms);
  t.expect(calls[2].pending(), "needs all of its time");
  co_await t.settle();
  t.expect_eq(calls[2].value(), "finishes");
  t.expect(calls[4].cancelled(), "ends late, and has no value to end with");
  co_await t.advance(5ms);
  t.expect(calls[1].pending(), "not before its delay has passed");
  co_await t.settle();
  t.expect_eq(calls[1].value(), "ignores");
  for (const call_record& call : fetch.calls()) t.expect(call.cancel_requested, "each was asked to stop");
}

// A request that meets an end that is on its way changes nothing; one that comes first leaves nothing.
asio::awaitable<void> cancel_around_the_end(trial& t) {
  text_script fetch(t, "fetch");
  fetch.then(text_reply::value("a").after(1ms));
  auto call = t.start("call", ask(fetch, ""));
  co_await t.settle();
  t.victim(call);
  co_await t.advance(1ms);
  co_await t.settle();
  const outcome_kind kind = call.what().kind;
  t.expect(kind == outcome_kind::value || kind == outcome_kind::cancelled, "one of both");
  t.sometimes("value", kind == outcome_kind::value);
  t.sometimes("cancelled", kind == outcome_kind::cancelled);
}

TEST(MOK_4, a_call_honours_ignores_outlives_or_refuses_cancellation_as_it_is_told) {
  EXPECT_EQ(story(campaign(cancel_every_policy)), "");
}

TEST(MOK_4, a_request_around_the_end_finds_a_value_or_a_call_that_did_not_happen) {
  std::set<std::string> reached;
  for (std::uint32_t point = 0; point < 8; ++point) {
    sweep_source::deviation deviation;
    deviation.kind = choice_kind::cancel;
    deviation.index = point;
    sweep_source source(std::vector<sweep_source::deviation>(1, deviation));
    const trial_result result = run(cancel_around_the_end, source);
    EXPECT_EQ(story(result), "") << point;
    reached.insert(result.reached.begin(), result.reached.end());
  }
  EXPECT_THAT(reached, testing::UnorderedElementsAre("value", "cancelled"));
}

// ---- MOK-5

asio::awaitable<void> call_three_at_once(trial& t, std::uint32_t limit) {
  text_script fetch(t, "fetch");
  fetch.otherwise(text_reply::value("a").after(10ms)).limit_concurrency(limit);
  for (int i = 1; i <= 3; ++i) t.start("call " + std::to_string(i), ask(fetch, std::to_string(i)));
  co_await t.advance(20ms);
  (void)co_await fetch.call("4");
  t.expect_eq(fetch.peak(), 3u);
  t.expect_eq(fetch.pending(), 0u);
}

asio::awaitable<void> three_within_three(trial& t) { return call_three_at_once(t, 3); }
asio::awaitable<void> three_within_two(trial& t) { return call_three_at_once(t, 2); }

TEST(MOK_5, the_peak_of_concurrent_calls_is_known_and_a_limit_is_enforced) {
  EXPECT_EQ(story(campaign(three_within_three)), "");
  EXPECT_EQ(story(run(three_within_two)), "fetch(3): 3 calls at once, at most 2 are allowed");
}

// ---- MOK-6

asio::awaitable<void> outlive_the_mock(trial& t) {
  auto store = std::make_shared<mock_database>(t);
  store->on_query.then(reply<database::rows>::value(database::rows(1, "row")).after(10ms));
  auto asked = t.start("ask", store->query("select 1"));
  co_await t.settle();
  store.reset();
  co_await t.advance(20ms);
  t.expect_eq(asked.value(), database::rows(1, "row"));
}

asio::awaitable<void> end_while_pending(trial& t) {
  auto store = std::make_shared<mock_database>(t);
  store->on_query.hangs();
  t.start("ask", store->query("select 1"));
  co_await t.settle();
}

TEST(MOK_6, a_call_outlives_the_mock_that_it_was_made_on) {
  EXPECT_EQ(story(campaign(outlive_the_mock)), "");
}

TEST(MOK_6, a_trial_that_is_taken_apart_frees_a_call_that_never_ends) {
  EXPECT_THAT(story(run(end_while_pending)), HasSubstr("deadlock"));
}

// ---- MOK-7

asio::awaitable<void> leave_a_reply(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a").returns("b").returns("c");
  co_await fetch.call();
}

void forget(const std::exception_ptr&, const std::string&) {}

asio::awaitable<void> leave_a_call(trial& t) {
  text_script fetch(t, "fetch");
  fetch.hangs();
  asio::co_spawn(t.executor(), fetch.call("'x'"), &forget);
  co_return;
}

TEST(MOK_7, replies_that_nobody_asked_for_are_named_when_the_trial_ends) {
  EXPECT_EQ(story(run(leave_a_reply)), "fetch: 2 replies were never asked for");
}

TEST(MOK_7, a_call_that_is_still_pending_is_named_when_the_trial_ends) {
  EXPECT_THAT(run(leave_a_call).message, "the call fetch('x') is still pending");
}

// ---- MOK-8

asio::awaitable<void> fail_the_second(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a").returns("b").fail_the(2);
  (void)co_await fetch.call();
  auto second = t.start("second", fetch.call());
  co_await t.settle();
  t.expect_eq(to_string(second.what()), "error 'injected: fetch call 2'");
  auto third = co_await fetch.call();
  t.expect_eq(third, "b", "a call that was made to fail takes no reply");
}

// A client that tries again once. `misses_the_third` is its defect: it takes the third call's failure for
// an answer.
asio::awaitable<void> copy_three(trial& t, text_script fetch, bool misses_the_third) {
  for (int i = 1; i <= 3; ++i) {
    std::string got;
    for (int attempt = 1; attempt <= 2 && got.empty(); ++attempt) {
      try {
        got = co_await fetch.call(std::to_string(i));
      } catch (const contract::operation_error&) {
        if (misses_the_third && i == 3) got = "?";
        if (attempt == 2) co_return;
      }
    }
    t.expect_eq(got, std::string(1, static_cast<char>('a' + i - 1)));
  }
}

asio::awaitable<void> copy_well(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a").returns("b").returns("c");
  return copy_three(t, fetch, false);
}
asio::awaitable<void> copy_badly(trial& t) {
  text_script fetch(t, "fetch");
  fetch.returns("a").returns("b").returns("c");
  return copy_three(t, fetch, true);
}

asio::awaitable<void> meet_every_fault(trial& t) {
  text_script fetch(t, "fetch");
  std::vector<fault> faults;
  for (const fault one : {fault::fail, fault::slow, fault::at_once, fault::hang}) faults.push_back(one);
  fetch.returns("a").offers(std::move(faults), 5s);
  auto call = t.start("call", fetch.call());
  co_await t.advance(1s);
  if (call.ended()) {
    t.sometimes("error", call.failed());
    t.sometimes("value", call.done());
  } else {
    co_await t.advance(10s);
    t.sometimes("slow", call.ended());
    t.sometimes("hangs", call.pending());
    call.cancel();
    co_await t.settle();
  }
}

TEST(MOK_8, the_nth_call_fails_on_demand) { EXPECT_EQ(story(run(fail_the_second)), ""); }

TEST(MOK_8, a_fault_can_be_placed_at_every_call_in_turn) {
  const std::vector<trial_result> good = fault_sweep(copy_well);
  EXPECT_EQ(good.size(), 6u);  // three calls, once and from then on
  for (const trial_result& one : good) EXPECT_EQ(story(one), "");
  std::size_t failing = 0;
  for (const trial_result& one : fault_sweep(copy_badly)) failing += one.passed() ? 0 : 1;
  EXPECT_GT(failing, 0u);
  EXPECT_EQ(story(run(copy_badly)), "") << "without faults the defect does not show";
}

TEST(MOK_8, a_call_can_fail_hang_be_slow_or_end_at_once) {
  std::set<std::string> reached;
  for (const trial_result& one : fault_sweep(meet_every_fault)) {
    EXPECT_EQ(story(one), "");
    reached.insert(one.reached.begin(), one.reached.end());
  }
  EXPECT_THAT(reached, testing::UnorderedElementsAre("error", "value", "slow", "hangs"));
}

// ---- the dependencies

asio::awaitable<void> use_every_dependency(trial& t) {
  const auto store = provide<database, mock_database>(t, "database");
  const auto memory = provide<cache, mock_cache>(t, "cache");
  const auto web = provide<http_client, mock_http_client>(t, "http");
  const auto broker = provide<message_queue, mock_message_queue>(t, "queue");
  const auto log = provide<log_sink, mock_log_sink>(t, "log");
  store->on_query.then(reply<database::rows>::value(database::rows(2, "row")).to("'select 1'"));
  memory->on_get.returns(std::nullopt);
  memory->on_set.then(reply<void>::value().to("'key', 'row'"));
  memory->on_erase.returns(true);
  web->on_request.then(reply<http_response>::value(http_response(404)).to("GET /index"));
  broker->on_publish.then(reply<void>::value().to("'topic', 'text'"));
  broker->on_receive.returns("text");

  const environment& around = t.surroundings();
  const auto rows = co_await around.find<database>()->query("select 1");
  t.expect_eq(rows.size(), 2u);
  const auto missing = co_await around.find<cache>()->get("key");
  t.expect(!missing, "not cached");
  co_await around.find<cache>()->set("key", rows.front());
  const bool erased = co_await around.find<cache>()->erase("key");
  t.expect(erased, "it was there");
  http_request asked("GET", "/index");
  const auto response = co_await around.find<http_client>()->request(std::move(asked));
  t.expect_eq(response.status, 404u);
  co_await around.find<message_queue>()->publish("topic", "text");
  const auto message = co_await around.find<message_queue>()->receive("topic");
  t.expect_eq(message, "text");
  co_await around.find<log_sink>()->write("one");
  co_await around.find<log_sink>()->write("two");
  t.expect_eq(log->lines().size(), 2u);
  t.expect_eq(log->lines().back(), "two");
}

asio::awaitable<void> use_the_clocks(trial& t) {
  mock_clock own;
  const standard_clock common;
  t.expect(own.wall_now() == common.wall_now(), "in step at first");
  own.step(-3s);
  co_await t.advance(1s);
  t.expect(common.wall_now() - own.wall_now() == 3s, "stepped alone");
  t.expect(own.now() == common.now(), "monotonic time is everybody's");
  own.stop();
  co_await t.advance(1s);
  t.expect(common.wall_now() - own.wall_now() == 4s, "stands still");
  own.go_on();
  co_await t.advance(1s);
  t.expect(common.wall_now() - own.wall_now() == 4s, "goes on from there");
}

TEST(mocks, every_dependency_is_found_in_the_environment_and_answers_as_scripted) {
  EXPECT_EQ(story(campaign(use_every_dependency, 50)), "");
  fifo_source source;
  trial_settings stock;
  stock.where = tier::io_context;
  EXPECT_EQ(story(run(use_every_dependency, source, false, stock)), "");
}

TEST(mocks, a_wall_clock_can_be_wrong_alone) { EXPECT_EQ(story(run(use_the_clocks)), ""); }

}  // namespace
}  // namespace assay
