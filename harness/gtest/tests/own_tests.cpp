// Tests as a team would write them, right and wrong ones; own_tests_test.py runs them from outside.
#include <gmock/gmock.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <future>
#include <memory>
#include <stdexcept>
#include <string_view>

#include <assay/harness/gtest/assay_test.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::trial;

int process_wide = 0;

// Passes only if no trial sees what another one left behind.
ASSAY_TEST_ISOLATED(isolated, starts_afresh) {
  t.expect(++process_wide == 1, "the trial is the first of its process");
  co_return;
}

// The same without a process of its own, so that the test above is known to be able to fail.
ASSAY_TEST(shared, starts_afresh) {
  t.expect(++process_wide == 1, "the trial is the first of its process");
  co_return;
}

asio::awaitable<void> note(std::string& order, char who) {
  order += who;
  co_return;
}

// Ends the process where "b" comes before "a", which first-in-first-out order never does.
ASSAY_TEST_ISOLATED(isolated, crashes_in_another_order) {
  std::string order;
  auto a = t.start("a", note(order, 'a'));
  auto b = t.start("b", note(order, 'b'));
  auto c = t.start("c", note(order, 'c'));
  co_await t.settle();
  if (order.find('b') < order.find('a') && std::getenv("ASSAY_MENDED") == nullptr) std::abort();
}

asio::awaitable<void> follow(const int* wild) {
  co_await asio::post(asio::use_awaitable);
  if (std::getenv("ASSAY_MENDED") == nullptr) process_wide = *wild;
}

[[noreturn]] void throw_from_within() { throw std::runtime_error("from within noexcept"); }
void terminate_by_throwing() noexcept { throw_from_within(); }

asio::awaitable<void> end_the_process(std::string_view way) {
  co_await asio::post(asio::use_awaitable);
  if (way == "abort") std::abort();
  if (way == "throw") terminate_by_throwing();
}

// Ends the process in every order, by a signal that a fault raises.
ASSAY_TEST(crashing, by_a_wild_pointer) {
  t.mark("so far");
  auto other = t.start("innocent", asio::post(t.executor(), asio::use_awaitable));
  auto fatal = t.start("follower", follow(reinterpret_cast<const int*>(std::uintptr_t{64})));
  co_await t.settle();
}

ASSAY_TEST(crashing, by_abort) {
  auto fatal = t.start("aborter", end_the_process("abort"));
  co_await t.settle();
}

ASSAY_TEST(crashing, by_terminate) {
  auto fatal = t.start("thrower", end_the_process("throw"));
  co_await t.settle();
}

int overflow(volatile int* depth) {  // NOLINT(misc-no-recursion): that is what it is for
  volatile int room[1024] = {};
  room[0] = *depth;
  *depth = *depth + 1;
  return *depth == 0 ? 0 : overflow(depth) + room[0];
}

asio::awaitable<void> recurse() {
  co_await asio::post(asio::use_awaitable);
  volatile int depth = 0;
  process_wide = overflow(&depth);
}

// Where there is no stack left, a handler needs one of its own.
ASSAY_TEST(crashing, by_endless_recursion) {
  auto fatal = t.start("diver", recurse());
  co_await t.settle();
}

int* volatile freed = nullptr;

asio::awaitable<void> use_what_is_freed() {
  co_await asio::post(asio::use_awaitable);
  auto number = std::make_unique<int>(1);
  freed = number.get();
  number.reset();
  process_wide = *freed;
}

// No signal tells of it: only a sanitizer does.
ASSAY_TEST(crashing, by_a_use_after_free) {
  auto fatal = t.start("user", use_what_is_freed());
  co_await t.settle();
}

struct fatal_when_it_goes {
  fatal_when_it_goes() = default;
  fatal_when_it_goes(const fatal_when_it_goes&) = delete;
  fatal_when_it_goes& operator=(const fatal_when_it_goes&) = delete;
  ~fatal_when_it_goes() { std::abort(); }
};

asio::awaitable<void> hold(asio::any_io_executor executor) {
  const fatal_when_it_goes held;
  asio::steady_timer never(executor, asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

// Ends the process when the trial's verdict is out, a deadlock.
ASSAY_TEST(crashing, while_it_is_destroyed) {
  auto held = t.start("holder", hold(t.executor()));
  co_await t.settle();
  asio::steady_timer never(t.executor(), asio::steady_timer::time_point::max());
  co_await never.async_wait(asio::use_awaitable);
}

// What operations of the tests below use, and a test's body has. It knows whether it is there, so that a use of what has gone
// shows without a sanitizer, too.
class till {
 public:
  till() { ++tills; }
  till(const till&) = delete;
  till& operator=(const till&) = delete;
  ~till() { --tills; }
  void ring() {
    if (tills == 0) std::abort();
    ++rung_;
  }
  static inline int tills = 0;

 private:
  int rung_ = 0;
};

// Rings when its time has come, and when it goes.
asio::awaitable<void> ring_after(till& which, std::chrono::milliseconds delay) {
  struct last_ring {
    explicit last_ring(till& which) : which_(which) {}
    last_ring(const last_ring&) = delete;
    last_ring& operator=(const last_ring&) = delete;
    ~last_ring() { which_.ring(); }
    till& which_;
  };
  const last_ring at_the_end(which);
  asio::steady_timer clock(co_await asio::this_coro::executor, delay);
  co_await clock.async_wait(asio::use_awaitable);
  which.ring();
}

// Whoever sets a handler of his own keeps it.
ASSAY_TEST(handlers, of_the_tests_own_stay) {
  std::signal(SIGFPE, SIG_IGN);
  co_await t.settle();
}
TEST(handlers, that_a_test_has_set_are_there_afterwards) { EXPECT_EQ(std::signal(SIGFPE, SIG_DFL), SIG_IGN); }

// Two handlers that may change places.
asio::awaitable<void> go_on(trial& t) { co_await asio::post(t.executor(), asio::use_awaitable); }

ASSAY_TEST(ending, failed_with_work_pending) {
  till shop;
  auto bell = t.start("bell", ring_after(shop, 5ms));
  co_await t.settle();
  t.expect(false, "the shop is open");
}

ASSAY_TEST(ending, broken_off_with_work_pending) {
  till shop;
  auto bell = t.start("bell", ring_after(shop, 5ms));
  auto never = t.start("background bell", ring_after(shop, 5ms), {.background = true});
  co_await t.settle();
  CO_ASSERT_TRUE(bell.done()) << "the bell has rung";
}

ASSAY_TEST(ending, with_work_pending) {
  till shop;
  auto bell = t.start("bell", ring_after(shop, 5ms));
  co_await t.settle();
}

ASSAY_TEST(ending, with_all_done) {
  till shop;
  auto bell = t.start("bell", ring_after(shop, 5ms));
  auto other = t.start("other", go_on(t));
  co_await t.pass(5ms);
}

asio::awaitable<void> wait_for(std::future<void> answer) {
  co_await asio::post(asio::use_awaitable);
  answer.get();
}

asio::awaitable<void> spin() {
  co_await asio::post(asio::use_awaitable);
  for (volatile bool on = true; on;) {
  }
}

// Nobody answers, and the promise is kept.
ASSAY_TEST(hanging, on_a_future) {
  std::promise<void> promise;
  t.mark("before the wait");
  auto client = t.start("client", wait_for(promise.get_future()));
  co_await t.settle();
}

ASSAY_TEST_ISOLATED(hanging, in_a_process_of_its_own) {
  auto spinner = t.start("spinner", spin());
  co_await t.settle();
}

std::atomic<int> work = 0;

// Every turn ends, if slowly, and something is always done; the trial is not.
ASSAY_TEST(hanging, in_one_turn_after_another) {
  while (true) {
    auto next = t.start("next", go_on(t));
    co_await t.settle();
    for (int i = 0; i < 1'000'000; ++i) work.fetch_add(1, std::memory_order_relaxed);
  }
}

asio::awaitable<void> fail_unseen(const char* label) {
  co_await asio::post(asio::use_awaitable);
  throw std::runtime_error(label);
}

asio::awaitable<int> fail_unseen_with_a_value() {
  co_await asio::post(asio::use_awaitable);
  throw std::runtime_error("no number");
}

// Ends by an exception that says it was cancelled, as loops that are stopped do.
asio::awaitable<void> wait_until_stopped(asio::steady_timer& stop) {
  co_await stop.async_wait(asio::use_awaitable);
}

ASSAY_TEST(detached, throws) {
  asio::co_spawn(t.executor(), fail_unseen("unseen"), asio::detached);
  co_await t.settle();
}

ASSAY_TEST(detached, throws_instead_of_a_value) {
  asio::co_spawn(t.executor(), fail_unseen_with_a_value(), asio::detached);
  co_await t.settle();
}

ASSAY_TEST(detached, may_throw, .detached_may_throw = true) {
  asio::co_spawn(t.executor(), fail_unseen("unseen"), asio::detached);
  co_await t.settle();
}

ASSAY_TEST(detached, is_cancelled) {
  asio::steady_timer stop(t.executor(), std::chrono::hours(1));
  asio::co_spawn(t.executor(), wait_until_stopped(stop), asio::detached);
  co_await t.settle();
  stop.cancel();
  co_await t.settle();
}

int counted = 0;

// Fails from the tenth trial of the process on, whatever its schedule.
ASSAY_TEST(elsewhere, fails_later) {
  auto one = t.start("one", go_on(t));
  auto other = t.start("other", go_on(t));
  co_await t.settle();
  t.expect(++counted < 10, "the counter is low");
}

int counted_once = 0;

// Fails in the tenth trial of the process only.
ASSAY_TEST(elsewhere, fails_once) {
  auto one = t.start("one", go_on(t));
  auto other = t.start("other", go_on(t));
  co_await t.settle();
  t.expect(++counted_once != 10, "the counter is not ten");
}

ASSAY_TEST(vacuous, swept_without_a_victim, .swept = true) {
  auto one = t.start("one", go_on(t));
  auto other = t.start("other", go_on(t));
  co_await t.settle();
}

asio::awaitable<void> do_nothing() { co_return; }

ASSAY_TEST(vacuous, swept_victim_never_waits, .swept = true) {
  auto one = t.start("one", do_nothing());
  co_await t.settle();
  t.victim(one);
  auto other = t.start("other", go_on(t));
  co_await t.settle();
}

ASSAY_TEST(vacuous, victim_without_a_sweep) {
  auto one = t.start("one", go_on(t));
  t.victim(one);
  auto other = t.start("other", go_on(t));
  co_await t.settle();
}

ASSAY_TEST(vacuous, end_without_a_sweep, .ends_when_cancelled = true) {
  auto one = t.start("one", go_on(t));
  auto other = t.start("other", go_on(t));
  co_await t.settle();
}

asio::awaitable<void> wait_for_5ms(bool even_if_cancelled) {
  if (even_if_cancelled) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  asio::steady_timer timer(co_await asio::this_coro::executor, 5ms);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> sweep_the_wait(trial& t, bool even_if_cancelled) {
  auto wait = t.start("wait", wait_for_5ms(even_if_cancelled));
  t.victim(wait);
  co_await t.settle();
  co_await t.pass(10ms);
  t.expect(!wait.pending(), "the wait ends in the end");
}

ASSAY_TEST(cancelled, goes_on_waiting, .swept = true, .ends_when_cancelled = true) {
  co_await sweep_the_wait(t, true);
}
ASSAY_TEST(cancelled, may_go_on_waiting, .swept = true) { co_await sweep_the_wait(t, true); }
ASSAY_TEST(cancelled, ends, .swept = true, .ends_when_cancelled = true) { co_await sweep_the_wait(t, false); }

ASSAY_TEST(vacuous, faulted_without_a_call, .faulted = true) {
  auto one = t.start("one", go_on(t));
  auto other = t.start("other", go_on(t));
  co_await t.settle();
}

ASSAY_TEST(vacuous, never_suspends) {
  t.expect(true, "one is one");
  co_return;
}

ASSAY_TEST(vacuous, one_after_the_other) {
  co_await t.advance(1ms);
  co_await t.settle();
}

ASSAY_TEST(covered, one_tie) {
  auto one = t.start("one", wait_for_5ms(false));
  auto other = t.start("other", wait_for_5ms(false));
  co_await t.pass(5ms);
}

ASSAY_TEST(failing, after_many_events) {
  for (int i = 0; i < 500; ++i) co_await t.pass(1ms);
  t.expect(false, "an end that is expected");
}

asio::awaitable<void> find_the_backend_down() {
  co_await wait_for_5ms(false);
  throw std::runtime_error("backend down");
}

ASSAY_TEST(failing, by_nobody_asking) {
  auto one = t.start("one", find_the_backend_down());
  co_await t.pass(5ms);
  EXPECT_FALSE(one.pending());
}

ASSAY_TEST(covered, swept, .swept = true, .faulted = true) {
  auto one = t.start("one", go_on(t));
  t.victim(one);
  auto other = t.start("other", go_on(t));
  co_await t.settle();
  (void)t.fault_point("save");
}

TEST(plain, of_googletest) {}

ASSAY_TEST(switched, DISABLED_off) { co_return; }

struct shelf {
  int books = 0;
};

ASSAY_TEST_F(shelf, is_empty_at_first) {
  t.expect(++books == 1, "the fixture is made anew for every trial");
  co_return;
}

// A failing assertion of GoogleTest's belongs to its trial, and the test fails once.
ASSAY_TEST(failing, expectation) {
  EXPECT_EQ(1 + 1, 3) << "sums are right";
  co_return;
}

// ---- contexts of the code's own

// A client that owns its loop, as libraries have it.
class client {
 public:
  void call(asio::io_context& server) {
    asio::post(server, [this, &server] {
      timer_.expires_after(1s);
      timer_.async_wait([this](boost::system::error_code) { done_ = true; });
      asio::post(server, [this] { ++served_; });
    });
  }
  bool done() const noexcept { return done_; }
  int served() const noexcept { return served_; }

 private:
  asio::io_context io_;
  asio::steady_timer timer_{io_};
  bool done_ = false;
  int served_ = 0;
};

ASSAY_TEST(contexts, are_driven_by_the_trial) {
  asio::io_context server;
  client one;
  one.call(server);
  co_await t.pass(1s);
  t.expect(one.done() && one.served() == 1, "the call is done");
}

// Right only if the handlers of one loop come before those of the other, which first in, first out does not show.
ASSAY_TEST(contexts, race_with_each_other) {
  std::string order;
  asio::io_context one;
  asio::io_context other;
  asio::post(one, [&order] { order += '1'; });
  asio::post(other, [&order] { order += '2'; });
  co_await t.settle();
  t.expect_eq(order, "12", "one comes before the other");
}

ASSAY_TEST(contexts, run_by_the_code_itself) {
  asio::io_context context;
  asio::steady_timer clock(context, std::chrono::hours(1));
  clock.async_wait([&t](boost::system::error_code) { t.mark("an hour later"); });
  context.run();
  t.expect_eq(t.elapsed(), std::chrono::hours(1), "the loop has waited");
  co_return;
}

ASSAY_TEST(contexts, run_for_ever) {
  asio::io_context context;
  const auto guard = asio::make_work_guard(context);
  context.run();
  co_return;
}

ASSAY_TEST(contexts, with_threads) {
  asio::thread_pool pool(2);
  co_await asio::post(pool, asio::use_awaitable);
}

// ---- the shape of tests

// One of GoogleTest's own: what is set up is there in every trial, and torn down.
class account : public testing::Test {
 protected:
  static void SetUpTestSuite() { opened = 0; }
  void SetUp() override {
    balance_ = 10;
    ++opened;
  }
  void TearDown() override { EXPECT_EQ(balance_, 7); }
  asio::awaitable<void> pay(int amount) {
    co_await asio::post(asio::use_awaitable);
    balance_ -= amount;
  }
  asio::awaitable<void> watch() {
    const gone_before_the_fixture guard{*this};
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  }
  struct gone_before_the_fixture {
    account& of;
    ~gone_before_the_fixture() { of.watched_ = true; }
  };
  static inline int opened = 0;
  int balance_ = 0;
  bool watched_ = false;
};

ASSAY_TEST_F(account, is_set_up_for_every_trial) {
  auto one = t.start("one", pay(1));
  auto other = t.start("other", pay(2));
  auto monitor = t.start("monitor", watch(), {.background = true});
  co_await t.settle();
  CO_ASSERT_THAT(balance_, testing::Eq(7));
  EXPECT_GT(opened, 0);
}

ASSAY_TEST_F(account, is_torn_down) {
  balance_ = 6;
  co_return;
}

class skipping : public testing::Test {
 protected:
  void SetUp() override { GTEST_SKIP() << "not on this machine"; }
};
ASSAY_TEST_F(skipping, in_its_set_up) {
  t.fail("it runs");
  co_return;
}
ASSAY_TEST(skipping_bodies, say_so) {
  co_await t.settle();
  CO_SKIP() << "not today";
}
ASSAY_TEST_ISOLATED(skipping_bodies, say_so_in_a_process_of_their_own) {
  co_await t.settle();
  CO_SKIP() << "not today";
}

class amounts : public testing::TestWithParam<int> {};
ASSAY_TEST_P(amounts, are_small) {
  auto one = t.start("one", go_on(t));
  auto other = t.start("other", go_on(t));
  co_await t.settle();
  EXPECT_LT(GetParam(), 3);
}
INSTANTIATE_TEST_SUITE_P(some, amounts, testing::Values(1, 2, 3));

template <class Number>
class numbers : public testing::Test {
 protected:
  Number zero_ = 0;
};
using number_types = testing::Types<int, double>;
TYPED_TEST_SUITE(numbers, number_types);
ASSAY_TYPED_TEST(numbers, begin_at_zero) {
  co_await t.settle();
  EXPECT_EQ(this->zero_, TypeParam());
  static_assert(std::is_same_v<TestFixture, numbers<TypeParam>>);
}

ASSAY_TEST(asserting, with_a_matcher) {
  co_await t.settle();
  const std::string text = "some text";
  CO_ASSERT_NEAR(1.0, 1.1, 0.2);
  CO_ASSERT_STREQ("a", "a");
  CO_ASSERT_THAT(text, testing::HasSubstr("other")) << "of the text";
  t.fail("it goes on");
}

// ---- what can be awaited

asio::awaitable<std::string> answer(std::string text) {
  co_await asio::post(asio::use_awaitable);
  co_return text;
}

asio::awaitable<std::unique_ptr<int>> moved_answer() { co_return std::make_unique<int>(42); }

ASSAY_TEST(awaited, operations_give_their_results) {
  auto text = t.start("text", answer("text"));
  auto moved = t.start("moved", moved_answer());
  auto nothing = t.start("nothing", go_on(t));
  auto failing = t.start("failing", fail_unseen("seen after all"));
  EXPECT_EQ(co_await text, "text");
  EXPECT_EQ(co_await text, "text");
  const std::unique_ptr<int> number = co_await moved;
  EXPECT_EQ(*number, 42);
  co_await nothing;
  bool failed = false;
  try {
    co_await failing;
  } catch (const std::runtime_error& what) {
    failed = true;
    EXPECT_STREQ(what.what(), "seen after all");
  }
  EXPECT_TRUE(failed);
}

asio::awaitable<void> wait_for_end(assay::operation<void> of) { co_await of; }

ASSAY_TEST(awaited, who_waits_can_be_cancelled, .swept = true) {
  asio::steady_timer never(t.executor(), asio::steady_timer::time_point::max());
  auto other = t.start("other", wait_until_stopped(never));
  auto waiter = t.start("waiter", wait_for_end(other));
  t.victim(waiter);
  co_await t.settle();
  never.cancel();
  co_await t.settle();
  EXPECT_TRUE(waiter.ended());
}

// The background uses what the body has.
ASSAY_TEST(ending, the_background_in_the_body) {
  till shop;
  auto bell = t.start("bell", ring_after(shop, std::chrono::hours(1)), {.background = true});
  co_await t.advance(5ms);
  co_await t.end_background();
  t.expect(bell.cancelled(), "the bell is cancelled");
}

// ---- orders

// Holds first in, first out only.
ASSAY_TEST(orders, first_in_first_out, .fifo_only = true) {
  std::string order;
  auto a = t.start("a", note(order, 'a'));
  auto b = t.start("b", note(order, 'b'));
  co_await t.settle();
  t.expect_eq(order, "ab", "in order");
}
ASSAY_TEST(orders, any_order) {
  std::string order;
  auto a = t.start("a", note(order, 'a'));
  auto b = t.start("b", note(order, 'b'));
  co_await t.settle();
  t.expect_eq(order, "ab", "in order");
}

}  // namespace

// As a program with a main of its own has it, which refuses what it does not know.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (std::getenv("ASSAY_OWN_MAIN") != nullptr) {
    assay::init(&argc, argv);
    if (argc > 1) {
      std::cerr << "what is " << argv[1] << "?\n";
      return 2;
    }
  }
  return RUN_ALL_TESTS();
}
