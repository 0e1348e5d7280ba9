// Tests as a team would write them, right and wrong ones; own_tests_test.py runs them from outside.
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
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

asio::awaitable<void> own_loop() {
  co_await asio::post(asio::use_awaitable);
  asio::io_context context;
  asio::steady_timer clock(context, std::chrono::hours(1));
  clock.async_wait([](boost::system::error_code) {});
  context.run();
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

ASSAY_TEST(hanging, in_a_loop_of_its_own) {
  auto loop = t.start("loop", own_loop());
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

}  // namespace
