// Tests that fail, for what is told of it; stories_test.py reads that.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdio>
#include <deque>
#include <iostream>
#include <string>
#include <vector>

#include <assay/harness/trial/named.hpp>
#include <assay/test.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::trial;

// Looks, writes to its log, and only then waits: a letter that comes in between wakes nobody.
class mailbox {
 public:
  explicit mailbox(asio::any_io_executor executor)
      : arrived_(executor, asio::steady_timer::time_point::max()) {}

  asio::awaitable<std::string> take() {
    while (letters_.empty()) {
      co_await asio::post(asio::use_awaitable);  // writes "nothing yet" to the log
      boost::system::error_code cancelled;
      co_await arrived_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
    }
    std::string letter = std::move(letters_.front());
    letters_.pop_front();
    co_return letter;
  }
  asio::awaitable<void> put(std::string letter) {
    letters_.push_back(std::move(letter));
    arrived_.cancel();
    co_return;
  }

 private:
  std::deque<std::string> letters_;
  asio::steady_timer arrived_;
};

ASSAY_TEST(story, of_a_lost_wake_up) {
  mailbox box(t.executor());
  auto first = t.start("first writer", box.put("Monday's"));
  co_await t.settle();
  auto early = t.start("early reader", box.take());
  co_await t.settle();
  auto reader = t.start("reader", box.take());
  auto writer = t.start("writer", box.put("Tuesday's"));
  co_await t.settle();
  EXPECT_TRUE(reader.done()) << "who waits for a letter gets it";
  reader.cancel();
  co_await t.settle();
}

asio::awaitable<void> sleep_for(std::chrono::nanoseconds delay) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> work(int& done, std::chrono::nanoseconds delay) {
  co_await sleep_for(delay);
  ++done;
}

// Two coroutines of the subject's own, one of them with a name.
ASSAY_TEST(story, of_named_coroutines) {
  int done = 0;
  co_spawn(t.executor(), assay::named("cleaner", work(done, 10ms)), asio::detached);
  co_spawn(t.executor(), work(done, 20ms), asio::detached);
  co_await t.advance(5ms);
  EXPECT_EQ(done, 2);
  co_await t.pass(1s);
}

// A name changes neither the outcome nor the order of what is named.
asio::awaitable<void> note(std::vector<int>& order, int who) {
  order.push_back(who);
  co_await asio::post(asio::use_awaitable);
  order.push_back(who);
}
ASSAY_TEST(story, is_not_changed_by_names) {
  std::vector<int> plain;
  auto a = t.start("a", note(plain, 1));
  auto b = t.start("b", note(plain, 2));
  co_await t.settle();
  std::vector<int> with_names;
  auto c = t.start("c", assay::named("c", note(with_names, 1)));
  auto d = t.start("d", assay::named("d", note(with_names, 2)));
  co_await t.settle();
  t.sometimes("in the same order", plain == with_names);
  EXPECT_EQ(with_names.size(), plain.size());
}

asio::awaitable<void> wait_until(int& fired, std::chrono::nanoseconds delay, int who) {
  co_await sleep_for(delay);
  fired = who;
}

// Timers that are due together: which is the last one to fire is open.
ASSAY_TEST(story, of_timers_that_are_due_together) {
  int fired = 0;
  auto a = t.start("a", wait_until(fired, 10ms, 1));
  auto b = t.start("b", wait_until(fired, 10ms, 2));
  co_await t.pass(10ms);
  EXPECT_EQ(fired, 2);
}

// The lambda is gone when its coroutine begins, and what it has captured is there all the same.
ASSAY_TEST(story, is_not_needed_for_a_lambda) {
  int sum = 0;
  auto add = t.start("add", [&sum, more = std::vector{1, 2}]() -> asio::awaitable<int> {
    co_await asio::post(asio::use_awaitable);
    for (const int one : more) sum += one;
    co_return sum;
  });
  co_await t.settle();
  EXPECT_EQ(add.value(), 3);
}

// Asks for a value that is not there yet.
ASSAY_TEST(story, of_a_value_that_is_missing) {
  auto sleeper = t.start("sleeper", sleep_for(1s));
  co_await t.settle();
  (void)sleeper.value();
}

// Prints in every trial, and fails in some.
ASSAY_TEST(story, of_a_test_that_prints) {
  std::vector<int> order;
  std::cout << "a line of the log\n";
  std::fputs("a line of the error output\n", stderr);
  auto a = t.start("a", note(order, 1));
  auto b = t.start("b", note(order, 2));
  co_await t.settle();
  EXPECT_EQ(order.front(), 1);
}

ASSAY_TEST(story, of_a_test_that_prints_and_passes) {
  std::cout << "a line of the log\n";
  co_await t.settle();
}

ASSAY_TEST(story, of_a_test_that_prints_and_crashes) {
  std::cout << "a line of the log\n";
  co_await asio::post(asio::use_awaitable);
  std::fputs("the last line before the end\n", stderr);
  std::abort();
}

}  // namespace
