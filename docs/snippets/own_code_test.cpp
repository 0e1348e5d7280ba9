// What README.md and docs/testing-your-own-code.md show, compiled and run.
#include <assay/test.hpp>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include <assay/harness/mock/database.hpp>

namespace {

namespace asio = boost::asio;
using asio::use_awaitable;
using namespace std::chrono_literals;

asio::awaitable<void> pause(std::chrono::nanoseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(use_awaitable);
}

// ---- settle and advance

ASSAY_TEST(alarm_clock, rings_after_a_minute) {
  auto ring = t.start("ring", pause(1min));
  co_await t.settle();  // it has begun, and waits
  EXPECT_TRUE(ring.pending());
  co_await t.advance(1min);  // goes on before what is due at that instant
  EXPECT_TRUE(ring.pending()) << "it does not ring early";
  co_await t.settle();  // what is due at that instant has run
  EXPECT_TRUE(ring.done()) << "it does not ring late";
}

// ---- a sweep: the victim is cancelled at every point at which it waits

class turnstile {
 public:
  asio::awaitable<void> pass() {
    struct leave {
      turnstile& gate;
      ~leave() { --gate.inside; }
    };
    ++inside;
    const leave guard{*this};
    co_await pause(10ms);
  }
  int inside = 0;
};

ASSAY_TEST(turnstile_test, forgets_nobody, .swept = true) {
  turnstile gate;
  auto visitor = t.start("visitor", gate.pass());
  t.victim(visitor);
  co_await t.advance(1s);
  EXPECT_EQ(gate.inside, 0);
}

// ---- a dependency that fails

// The first row, or nothing if the database fails.
asio::awaitable<std::optional<std::string>> look_up(assay::database& data, std::string key) {
  try {
    const assay::database::rows rows = co_await data.query("select " + key);
    co_return rows.empty() ? std::optional<std::string>() : rows.front();
  } catch (const assay::contract::operation_error&) {
    co_return std::nullopt;
  }
}

ASSAY_TEST(look_up_test, survives_a_failing_database, .faulted = true) {
  assay::mock_database data(t);
  data.on_query.then(assay::reply<assay::database::rows>::value({"blue"}).after(10ms));
  auto found = t.start("look up", look_up(data, "colour"));
  co_await t.advance(1s);
  EXPECT_TRUE(found.done()) << "it ends with a value, whatever the database does";
}

// ---- two timers, and a loop that may be late

ASSAY_TEST(deadline_test, holds_when_the_loop_is_late, .late = true) {
  auto work = t.start("work", pause(10ms));
  auto deadline = t.start("deadline", pause(20ms));
  co_await t.advance(1s);
  EXPECT_TRUE(work.done() && deadline.done());
}

// ---- Asio's own channel, with a deadline

using channel_of_jobs = asio::experimental::channel<void(boost::system::error_code, int)>;

asio::awaitable<std::optional<int>> receive_for(channel_of_jobs& channel, std::chrono::nanoseconds patience) {
  using namespace asio::experimental::awaitable_operators;
  asio::steady_timer timer(co_await asio::this_coro::executor, patience);
  auto result = co_await (channel.async_receive(use_awaitable) || timer.async_wait(use_awaitable));
  co_return result.index() == 0 ? std::optional<int>(std::get<0>(result)) : std::nullopt;
}

asio::awaitable<void> send_after(channel_of_jobs& channel, std::chrono::nanoseconds delay, int job) {
  co_await pause(delay);
  channel.try_send(boost::system::error_code(), job);
}

ASSAY_TEST(timed_receive_with_the_mistake, loses_no_job) {
  channel_of_jobs channel(t.executor(), 1);
  auto receive = t.start("receive", receive_for(channel, 10ms));
  auto send = t.start("send", send_after(channel, 10ms, 7));
  co_await t.advance(1s);
  int left = 0;
  channel.try_receive([&left](boost::system::error_code, int) { ++left; });
  EXPECT_EQ((receive.value() ? 1 : 0) + left, 1) << "the job is received, or is still there";
}

}  // namespace
