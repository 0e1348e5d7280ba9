// What has threads, in a program of its own: ThreadSanitizer runs it, and needs to build nothing else.
#include <assay/harness/sim/sim_context.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <assay/harness/tests/support.hpp>
#include <assay/harness/trial/trace.hpp>

namespace assay::test {
namespace {

using testing::HasSubstr;

TEST(threads, a_handler_from_another_one_is_kept_and_not_run) {
  fifo_source source;
  auto held = std::make_shared<int>(0);
  {
    choice_stream choices(source);
    sim_context context(choices);
    std::thread other([executor = context.get_executor(), &held] {
      const auto tracked = asio::prefer(executor, asio::execution::outstanding_work.tracked);
      asio::post(tracked, [held] { ADD_FAILURE() << "it ran"; });
      EXPECT_FALSE(executor.running_in_this_thread());
    });
    other.join();
    EXPECT_TRUE(context.escaped());
    EXPECT_TRUE(context.idle());
    context.run_until_idle();
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

asio::awaitable<void> posts_from_a_thread(trial& t) {
  auto executor = t.executor();
  std::thread other([executor] { asio::post(executor, [] { ADD_FAILURE() << "a foreign handler ran"; }); });
  other.join();
  co_await t.settle();
}
TEST(threads, a_handler_from_another_one_is_never_run_and_ends_the_trial_as_escaped) {
  const trial_result seen = run_fifo(&posts_from_a_thread);
  EXPECT_EQ(seen.kind, failure_kind::escaped);
  EXPECT_TRUE(seen.is_error());
  EXPECT_THAT(seen.message, HasSubstr("a handler came from another thread"));
}

std::atomic<bool> let_the_thread_go = false;
std::thread left_running;
asio::awaitable<void> starts_a_thread(trial&) {
  let_the_thread_go = false;
  left_running = std::thread([] { let_the_thread_go.wait(false); });
  co_return;
}
TEST(threads, one_that_was_started_ends_the_trial_as_escaped) {
  for (const tier where : {tier::sim, tier::io_context}) {
    const trial_result seen = run_fifo(&starts_a_thread, where);
    let_the_thread_go = true;
    let_the_thread_go.notify_all();
    left_running.join();
    EXPECT_EQ(seen.kind, failure_kind::escaped);
    EXPECT_THAT(seen.message, HasSubstr("a thread was started"));
  }
}

// Many timers, parked waits and turns, some of them cancelled when the trial ends.
asio::awaitable<void> untidy(trial& t) {
  for (int i = 0; i < 200; ++i) {
    t.start("sleeper", sleep_for(std::chrono::milliseconds(i % 7)));
    t.start("ticker", tick_for_ever(std::chrono::milliseconds(1 + i % 5)), {.background = true});
    t.start("parked", sleep_for_ever(), {.background = true});
  }
  co_await t.advance(20ms);
}

asio::awaitable<void> tidy(trial& t) {
  for (int i = 0; i < 5; ++i) {
    t.start("sleeper", sleep_for(std::chrono::milliseconds(i % 3)));
    t.start("yielder", yield_turn());
  }
  t.start("ticker", tick_for_ever(1ms), {.background = true});
  co_await t.advance(5ms);
}

std::vector<std::string> hashes(body scenario) {
  std::vector<std::string> all;
  for (const tier where : {tier::sim, tier::io_context}) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      random_source source(seed, {});
      trial_settings settings;
      settings.where = where;
      const trial_result seen = run_with(source, scenario, settings, true);
      EXPECT_TRUE(seen.passed()) << seen.message;
      all.push_back(format_hash(seen.events->hash()) + " " + std::to_string(seen.order_class) + " " +
                    std::to_string(seen.choices.size()));
    }
  }
  return all;
}

TEST(threads, trials_after_others_are_those_of_a_fresh_one) {
  // A fresh thread has no buffers of trials before it.
  std::vector<std::string> fresh;
  std::thread([&] { fresh = hashes(tidy); }).join();
  hashes(untidy);
  EXPECT_EQ(hashes(tidy), fresh);
}

}  // namespace
}  // namespace assay::test
