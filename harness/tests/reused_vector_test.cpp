// Buffers outlive their trial; nothing that was in them does.
#include <assay/harness/choice/reused_vector.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <assay/harness/tests/support.hpp>
#include <assay/harness/trial/trace.hpp>

namespace assay::test {
namespace {

struct thing {
  int value = 0;
};

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

TEST(reused_vector, begins_empty_with_the_memory_of_the_last_one) {
  const thing* memory = nullptr;
  {
    detail::reused_vector<thing> one;
    one.resize(100, {7});
    memory = one.data();
  }
  detail::reused_vector<thing> other;
  EXPECT_TRUE(other.empty());
  EXPECT_GE(other.capacity(), 100);
  EXPECT_EQ(other.data(), memory);
}
TEST(reused_vector, keeps_no_more_than_it_says) {
  struct big {
    char bytes[1 << 20];
  };
  {
    detail::reused_vector<big>().reserve(17);
  }
  EXPECT_EQ(detail::reused_vector<big>().capacity(), 0);
}
TEST(reused_vector, trials_after_others_are_those_of_a_fresh_thread) {
  // A fresh thread has no buffers of trials before it.
  std::vector<std::string> fresh;
  std::thread([&] { fresh = hashes(tidy); }).join();
  hashes(untidy);
  EXPECT_EQ(hashes(tidy), fresh);
}

}  // namespace
}  // namespace assay::test
