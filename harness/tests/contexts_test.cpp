// Execution contexts of the code under test: an `io_context` that is made in a trial is driven by the trial, in virtual time;
// what has threads, or was made elsewhere, is refused by name.
#include <assay/harness/trial/guests.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/system_executor.hpp>
#include <boost/asio/system_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <optional>
#include <set>

#include <assay/harness/choice/strategy.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::test {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

class contexts_on_both_tiers : public testing::TestWithParam<tier> {
 protected:
  static trial_result run(body scenario) { return run_fifo(scenario, GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(contexts, contexts_on_both_tiers, testing::Values(tier::sim, tier::io_context),
                         [](const auto& info) { return std::string(to_string(info.param)); });

// ---- driven by the trial

asio::awaitable<void> posts_to_its_own(trial& t) {
  asio::io_context io;
  asio::post(io, [&t] { t.mark("first"); });
  asio::post(io, [&t] { t.mark("second"); });
  EXPECT_TRUE(t.marks().empty());
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("first", "second"));
  asio::post(io, [&t] { t.mark("later"); });  // it had run out of work meanwhile
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("first", "second", "later"));
}
TEST_P(contexts_on_both_tiers, handlers_of_an_io_context_run) {
  const trial_result seen = run(&posts_to_its_own);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> waits_in_its_own(trial& t) {
  asio::io_context io(1);
  asio::steady_timer steady(io, std::chrono::hours(1));
  asio::system_timer wall(io, std::chrono::hours(2));
  asio::steady_timer cancelled(io, std::chrono::hours(3));
  steady.async_wait([&t](boost::system::error_code ended) { t.mark(ended ? "aborted" : "steady"); });
  wall.async_wait([&t](boost::system::error_code ended) { t.mark(ended ? "aborted" : "wall"); });
  cancelled.async_wait([&t](boost::system::error_code ended) { t.mark(ended ? "aborted" : "fired"); });
  co_await t.pass(std::chrono::hours(1));
  EXPECT_THAT(t.marks(), ElementsAre("steady"));
  cancelled.cancel();
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("steady", "aborted"));
  co_await t.pass(std::chrono::hours(1));
  EXPECT_THAT(t.marks(), ElementsAre("steady", "aborted", "wall"));
}
TEST_P(contexts_on_both_tiers, its_timers_wait_in_virtual_time) {
  const trial_result seen = run(&waits_in_its_own);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<int> answer_after(std::chrono::nanoseconds delay) {
  co_await sleep_for(delay);
  co_return 42;
}

// The context goes in the turn in which the answer comes: it must not be one of its own.
asio::awaitable<void> awaits_its_own(trial& t) {
  auto io = std::make_unique<asio::io_context>();
  const int answer = co_await asio::co_spawn(*io, answer_after(5ms), asio::use_awaitable);
  io.reset();
  EXPECT_EQ(answer, 42);
  EXPECT_EQ(t.elapsed(), 5ms);
}
TEST(contexts, coroutines_that_are_spawned_there_can_be_awaited) {
  const trial_result seen = run_fifo(&awaits_its_own);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

// As production code has it: the context is a member, or comes from outside.
class service {
 public:
  explicit service(asio::io_context& io) : strand_(asio::make_strand(io)), timer_(io) {}
  void request(std::chrono::nanoseconds delay) {
    timer_.expires_after(delay);
    timer_.async_wait(asio::bind_executor(strand_, [this](boost::system::error_code ended) {
      if (!ended) asio::post(timer_.get_executor(), [this] { ++answers_; });
    }));
  }
  int answers() const noexcept { return answers_; }

 private:
  asio::strand<asio::io_context::executor_type> strand_;
  asio::steady_timer timer_;
  int answers_ = 0;
};
class owner {
 public:
  service& inner() noexcept { return service_; }
  std::size_t run() { return io_.run(); }

 private:
  asio::io_context io_;
  service service_{io_};
};

asio::awaitable<void> gives_a_context(trial& t) {
  asio::io_context io;
  service given(io);
  given.request(3ms);
  owner has;
  has.inner().request(2ms);
  co_await t.pass(3ms);
  EXPECT_EQ(given.answers(), 1);
  EXPECT_EQ(has.inner().answers(), 1);
}
TEST_P(contexts_on_both_tiers, arguments_and_members_are_driven) {
  const trial_result seen = run(&gives_a_context);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> uses_the_executor_of_a_timer(trial& t) {
  asio::steady_timer timer(t.executor());
  asio::post(timer.get_executor(), [&t] { t.mark("trial's"); });
  asio::io_context io;
  asio::steady_timer other(io);
  asio::steady_timer third(other.get_executor(), 1ms);
  third.async_wait([&t](boost::system::error_code) { t.mark("io_context's"); });
  co_await t.pass(1ms);
  EXPECT_THAT(t.marks(), ElementsAre("trial's", "io_context's"));
}
TEST_P(contexts_on_both_tiers, the_executor_of_a_timer_serves) {
  const trial_result seen = run(&uses_the_executor_of_a_timer);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> throws_from_its_own(trial& t) {
  asio::io_context io;
  asio::post(io, [] { throw std::runtime_error("from a handler"); });
  asio::post(io, [&t] { t.mark("goes on"); });
  co_await t.settle();
  EXPECT_THAT(t.marks(), ElementsAre("goes on"));
}
TEST_P(contexts_on_both_tiers, what_a_handler_throws_leaves_the_turn) {
  const trial_result seen = run(&throws_from_its_own);
  EXPECT_EQ(seen.kind, failure_kind::exception);
  EXPECT_THAT(seen.message, HasSubstr("an exception left a turn: error 'from a handler'"));
}

// ---- explored

std::string order;

asio::awaitable<void> note(char who) {
  order += who;
  co_return;
}

asio::awaitable<void> races(trial& t) {
  order.clear();
  asio::io_context one;
  asio::io_context other;
  asio::post(one, [] { order += 'a'; });
  asio::post(one, [] { order += 'b'; });
  asio::post(other, [] { order += 'c'; });
  auto own = t.start("own", note('d'));
  co_await t.settle();
}

asio::awaitable<void> ties(trial& t) {
  order.clear();
  asio::io_context io;
  asio::steady_timer guest(io, 1ms);
  asio::steady_timer own(t.executor(), 1ms);
  guest.async_wait([](boost::system::error_code) { order += 'g'; });
  own.async_wait([](boost::system::error_code) { order += 'o'; });
  co_await t.pass(1ms);
}

std::set<std::string> orders_of(body scenario) {
  std::set<std::string> orders;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    random_source source(seed, {});
    const trial_result seen = run_with(source, scenario);
    EXPECT_TRUE(seen.passed()) << seen.message;
    orders.insert(order);
    // The same choices, the same trace.
    if (seed > 1) continue;
    random_source again(seed, {});
    random_source once_more(seed, {});
    EXPECT_EQ(run_with(again, scenario, {}, true).events->hash(),
              run_with(once_more, scenario, {}, true).events->hash());
  }
  return orders;
}

TEST(contexts, the_order_among_contexts_is_a_choice_and_within_one_it_is_kept) {
  const std::set<std::string> orders = orders_of(&races);
  EXPECT_EQ(orders.size(), 12U);  // all of 4 handlers, two of which keep their order
  for (const std::string& one : orders) EXPECT_LT(one.find('a'), one.find('b')) << one;
  EXPECT_THAT(orders_of(&ties), ElementsAre("go", "og"));
}

// ---- run by the code itself

asio::awaitable<void> runs_it_itself(trial& t) {
  owner has;
  has.inner().request(std::chrono::hours(1));
  EXPECT_EQ(has.run(), 2U);  // the wait, and what it posts
  EXPECT_EQ(has.inner().answers(), 1);
  EXPECT_EQ(t.elapsed(), std::chrono::hours(1));
  EXPECT_EQ(has.run(), 0U);  // stopped, since it ran out of work
  co_return;
}
TEST_P(contexts_on_both_tiers, a_run_of_the_codes_own_waits_in_virtual_time) {
  const trial_result seen = run(&runs_it_itself);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> runs_it_for_a_while(trial& t) {
  asio::io_context io;
  asio::steady_timer timer(io, 5ms);
  timer.async_wait([&t](boost::system::error_code) { t.mark("fired"); });
  EXPECT_EQ(io.run_for(3ms), 0U);
  EXPECT_EQ(t.elapsed(), 3ms);
  EXPECT_EQ(io.poll(), 0U);
  EXPECT_EQ(io.run_one_for(1s), 1U);
  EXPECT_EQ(t.elapsed(), 5ms);
  EXPECT_THAT(t.marks(), ElementsAre("fired"));
  auto answer = asio::co_spawn(io, answer_after(2ms), asio::use_future);
  io.restart();
  io.run();
  EXPECT_EQ(answer.get(), 42);
  EXPECT_EQ(t.elapsed(), 7ms);
  co_return;
}
TEST_P(contexts_on_both_tiers, a_run_of_the_codes_own_may_have_a_limit) {
  const trial_result seen = run(&runs_it_for_a_while);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> runs_into_a_tie(trial& t) {
  order.clear();
  asio::io_context io;
  asio::steady_timer one(io, 1ms);
  asio::steady_timer other(io, 1ms);
  one.async_wait([](boost::system::error_code) { order += '1'; });
  other.async_wait([](boost::system::error_code) { order += '2'; });
  io.run();
  t.expect(order.size() == 2, "both have fired");
  co_return;
}
TEST(contexts, ties_within_a_run_of_the_codes_own_are_a_choice) {
  EXPECT_THAT(orders_of(&runs_into_a_tie), ElementsAre("12", "21"));
}

asio::awaitable<void> runs_what_never_ends(trial& t) {
  asio::io_context io;
  const auto guard = asio::make_work_guard(io);
  t.mark("runs");
  io.run();
  ADD_FAILURE() << "it has come back";
  co_return;
}
TEST_P(contexts_on_both_tiers, a_run_that_would_block_for_ever_is_named) {
  const trial_result seen = run(&runs_what_never_ends);
  EXPECT_EQ(seen.kind, failure_kind::deadlock);
  EXPECT_THAT(seen.message, AllOf(HasSubstr("'scenario' runs the io_context that 'scenario' made at 0"),
                                  HasSubstr("it would block for ever"), HasSubstr("Leave `run` out")));
}

asio::awaitable<void> ticks(asio::io_context& io) {
  asio::steady_timer timer(io);
  while (true) {
    timer.expires_after(1ms);
    co_await timer.async_wait(asio::use_awaitable);
  }
}
asio::awaitable<void> runs_what_ticks(trial& t) {
  t.limit_progress({.turns_at_instant = 1000, .advances = 1000});
  asio::io_context io;
  asio::co_spawn(io, ticks(io), asio::detached);
  io.run();
  co_return;
}
TEST_P(contexts_on_both_tiers, a_run_without_an_end_is_a_livelock) {
  const trial_result seen = run(&runs_what_ticks);
  EXPECT_EQ(seen.kind, failure_kind::livelock) << seen.message;
}

// ---- what is left

asio::awaitable<void> destroys_it_with_waits(trial& t) {
  asio::io_context io;
  asio::co_spawn(io, ticks(io), asio::detached);
  co_await t.pass(2ms);
}
asio::awaitable<void> stops_it_first(trial& t) {
  asio::io_context io;
  asio::co_spawn(io, ticks(io), asio::detached);
  co_await t.pass(2ms);
  io.stop();
}
// As Asio documents: what waits there is destroyed with it, and is not run.
TEST_P(contexts_on_both_tiers, one_may_be_destroyed_while_somebody_waits_there) {
  trial_result seen = run(&destroys_it_with_waits);
  EXPECT_TRUE(seen.passed()) << seen.message;
  seen = run(&stops_it_first);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

asio::awaitable<void> leaves_a_guard(trial& t) {
  auto io = std::make_shared<asio::io_context>();
  t.keep(io);
  t.keep(std::make_shared<asio::executor_work_guard<asio::io_context::executor_type>>(io->get_executor()));
  co_return;
}
asio::awaitable<void> leaves_a_timer(trial& t) {
  auto io = std::make_shared<asio::io_context>();
  t.keep(io);
  auto timer = std::make_shared<asio::steady_timer>(*io, asio::steady_timer::time_point::max());
  timer->async_wait([](boost::system::error_code) {});
  t.keep(timer);
  co_return;
}
asio::awaitable<void> leaves_handlers(trial& t) {
  auto io = std::make_shared<asio::io_context>();
  t.keep(io);
  asio::post(*io, [] {});
  io->stop();
  co_return;
}
TEST_P(contexts_on_both_tiers, what_is_left_in_one_at_the_end_is_named) {
  trial_result seen = run(&leaves_a_guard);
  EXPECT_EQ(seen.kind, failure_kind::left_over);
  EXPECT_THAT(seen.message,
              HasSubstr("the io_context that 'scenario' made at 0 has work left: a work guard"));
  seen = run(&leaves_a_timer);
  EXPECT_EQ(seen.kind, failure_kind::left_over);
  EXPECT_THAT(seen.message, HasSubstr("a parked wait was left behind"));
  seen = run(&leaves_handlers);
  EXPECT_EQ(seen.kind, failure_kind::left_over);
  EXPECT_THAT(seen.message, HasSubstr("was stopped with handlers that had not run"));
}

std::unique_ptr<asio::io_context> outlives;

asio::awaitable<void> hands_it_on(trial& t) {
  outlives = std::make_unique<asio::io_context>();
  asio::steady_timer timer(*outlives, 1ms);
  timer.async_wait([&t](boost::system::error_code) { t.mark("fired"); });
  co_await t.pass(1ms);
  EXPECT_THAT(t.marks(), ElementsAre("fired"));
}
asio::awaitable<void> takes_it_over(trial& t) {
  asio::steady_timer timer(*outlives, 1ms);
  timer.async_wait([](boost::system::error_code) { ADD_FAILURE() << "it has fired"; });
  co_await t.pass(1ms);
}
TEST_P(contexts_on_both_tiers, one_of_an_earlier_trial_is_refused) {
  trial_result seen = run(&hands_it_on);
  EXPECT_TRUE(seen.passed()) << seen.message;
  seen = run(&takes_it_over);
  EXPECT_EQ(seen.kind, failure_kind::escaped);
  EXPECT_THAT(seen.message, HasSubstr("that an earlier trial has left; make one in every test"));
  outlives.reset();
}

asio::awaitable<void> makes_many(trial& t) {
  for (int i = 0; i < 1000; ++i) {
    asio::io_context io;
    asio::post(io, [] {});
    if (i % 10 == 0) co_await t.settle();
  }
  std::vector<std::unique_ptr<asio::io_context>> all;
  for (std::size_t i = 0; i < virtual_time::guests_max; ++i)
    all.push_back(std::make_unique<asio::io_context>());
  asio::steady_timer timer(*all.back(), 1ms);
  timer.async_wait([&t](boost::system::error_code) { t.mark("fired"); });
  co_await t.pass(1ms);
  EXPECT_THAT(t.marks(), ElementsAre("fired"));
}
TEST_P(contexts_on_both_tiers, there_may_be_many_one_after_the_other) {
  const trial_result seen = run(&makes_many);
  EXPECT_TRUE(seen.passed()) << seen.message;
}

// ---- refused

std::unique_ptr<asio::io_context> made_before;

asio::awaitable<void> waits_elsewhere(trial& t) {
  asio::steady_timer timer(*made_before, 1h);
  timer.async_wait([](boost::system::error_code) {});
  co_await t.settle();
}
TEST_P(contexts_on_both_tiers, a_timer_of_a_context_that_was_made_before_is_refused) {
  made_before = std::make_unique<asio::io_context>();
  const trial_result seen = run(&waits_elsewhere);
  EXPECT_EQ(seen.kind, failure_kind::escaped);
  EXPECT_THAT(seen.message,
              AllOf(HasSubstr("a timer waits in real time"), HasSubstr("make the context in the test")));
  made_before.reset();
}

asio::awaitable<void> uses_a_pool(trial& t) {
  t.mark("before");
  asio::thread_pool pool(1);
  ADD_FAILURE() << "there is a pool";
  co_return;
}
TEST_P(contexts_on_both_tiers, a_thread_pool_is_refused_when_it_is_made) {
  const trial_result seen = run(&uses_a_pool);
  EXPECT_EQ(seen.kind, failure_kind::escaped);
  EXPECT_THAT(seen.message,
              AllOf(HasSubstr("escaped the scheduler: asio::thread_pool has threads of its own"),
                    HasSubstr("pass an executor in")));
}
TEST(contexts, a_thread_pool_is_what_it_is_where_no_trial_runs) {
  asio::thread_pool pool(1);
  EXPECT_EQ(asio::post(pool, asio::use_future([] { return 42; })).get(), 42);
  EXPECT_EQ(asio::post(asio::system_executor(), asio::use_future([] { return 42; })).get(), 42);
}

asio::awaitable<void> posts_to_the_system(trial& t) {
  asio::dispatch(asio::system_executor(), [&t] { t.mark("at once"); });  // in place: no thread is needed
  EXPECT_THAT(t.marks(), ElementsAre("at once"));
  asio::post(asio::system_executor(), [] { ADD_FAILURE() << "it runs"; });
  co_await t.settle();
  ADD_FAILURE() << "the trial goes on";
}
TEST_P(contexts_on_both_tiers, the_system_executor_is_refused_when_it_is_used) {
  for (int i = 0; i < 2; ++i) {
    const trial_result seen = run(&posts_to_the_system);
    EXPECT_EQ(seen.kind, failure_kind::escaped);
    EXPECT_THAT(seen.message, AllOf(HasSubstr("asio::system_executor runs what is posted there on threads"),
                                    HasSubstr("pass an executor in")));
  }
}

asio::awaitable<void> opens_a_socket(trial&) {
  asio::io_context io;
  asio::ip::udp::socket socket(io);
  co_return;
}
TEST_P(contexts_on_both_tiers, a_socket_of_an_io_context_has_escaped) {
  const trial_result seen = run(&opens_a_socket);
  EXPECT_EQ(seen.kind, failure_kind::escaped);
  EXPECT_THAT(seen.message,
              HasSubstr("Asio's real reactor was started on the io_context that 'scenario' made at 0"));
}

}  // namespace
}  // namespace assay::test
