// Timers under virtual time, in Asio's own terms: on the simulator, on a stock io_context that carries virtual time, and
// on an ordinary io_context, where Asio's real service must answer alike.
#include <assay/harness/sim/virtual_time.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/system_timer.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/clock.hpp>
#include <assay/harness/sim/sim_context.hpp>
#include <assay/harness/trial/engine.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using testing::ElementsAre;
using timer = asio::steady_timer;
using error_code = boost::system::error_code;

// One place where timers live. `finish` runs until nothing finite is left.
class place {
 public:
  virtual ~place() = default;
  virtual asio::any_io_executor executor() = 0;
  virtual void finish() = 0;
};

class virtual_place final : public place {
 public:
  explicit virtual_place(tier where) : engine_(make_engine(where, choices_)), clock_(engine_->time()) {}
  asio::any_io_executor executor() override { return engine_->executor(0); }
  void finish() override {
    while (true) {
      while (engine_->run_turn()) {
      }
      if (engine_->release_due()) continue;
      const auto next = engine_->time().earliest();
      if (next == std::chrono::nanoseconds::max()) return;
      engine_->move_clock(next);
    }
  }
  virtual_time& time() { return engine_->time(); }

 private:
  fifo_source source_;
  choice_stream choices_{source_};
  std::unique_ptr<engine> engine_;
  clock_guard clock_;
};

// Waits here are zero or for ever, so that nothing really sleeps.
class real_place final : public place {
 public:
  asio::any_io_executor executor() override { return context_.get_executor(); }
  void finish() override {
    context_.restart();
    while (context_.poll() > 0) {
    }
  }

 private:
  asio::io_context context_;
};

std::unique_ptr<place> make_place(const std::string& name) {
  if (name == "sim") return std::make_unique<virtual_place>(tier::sim);
  if (name == "io_context") return std::make_unique<virtual_place>(tier::io_context);
  return std::make_unique<real_place>();
}

class everywhere : public testing::TestWithParam<std::string> {
 protected:
  everywhere() : place_(make_place(GetParam())) {}
  asio::any_io_executor executor() { return place_->executor(); }
  void finish() { place_->finish(); }
  // A handler that notes how its wait ended.
  auto note(std::string name) {
    return [this, name = std::move(name)](error_code ended) {
      log_.push_back(name + (ended == asio::error::operation_aborted ? " aborted"
                             : ended                                 ? " failed"
                                                                     : " fired"));
    };
  }
  std::unique_ptr<place> place_;
  std::vector<std::string> log_;
};
INSTANTIATE_TEST_SUITE_P(timers, everywhere, testing::Values("sim", "io_context", "real"),
                         [](const auto& info) { return info.param; });

constexpr auto never = timer::time_point::max();

TEST_P(everywhere, vcs_10_a_cancelled_wait_says_so_and_its_callback_never_fires) {
  timer one(executor(), never);
  one.async_wait(note("wait"));
  EXPECT_EQ(one.cancel(), 1u);
  EXPECT_EQ(one.cancel(), 0u);
  finish();
  EXPECT_THAT(log_, ElementsAre("wait aborted"));
}

TEST_P(everywhere, vcs_10_a_wait_that_has_fired_is_not_cancelled_and_cancel_says_so) {
  timer one(executor(), timer::time_point::min());
  one.async_wait(note("wait"));
  finish();
  EXPECT_EQ(one.cancel(), 0u);
  finish();
  EXPECT_THAT(log_, ElementsAre("wait fired"));
}

TEST_P(everywhere, two_waits_on_one_timer_fire_both) {
  timer one(executor(), timer::time_point::min());
  one.async_wait(note("a"));
  one.async_wait(note("b"));
  finish();
  EXPECT_THAT(log_, ElementsAre("a fired", "b fired"));
}

TEST_P(everywhere, cancel_one_takes_the_oldest_wait) {
  timer one(executor(), never);
  for (const char* name : {"a", "b", "c"}) one.async_wait(note(name));
  EXPECT_EQ(one.cancel_one(), 1u);
  finish();
  EXPECT_THAT(log_, ElementsAre("a aborted"));
  EXPECT_EQ(one.cancel(), 2u);
  finish();
  EXPECT_THAT(log_, ElementsAre("a aborted", "b aborted", "c aborted"));
  EXPECT_EQ(one.cancel_one(), 0u);
}

TEST_P(everywhere, a_new_expiry_cancels_the_waits_for_the_old_one) {
  timer one(executor(), never);
  one.async_wait(note("old"));
  EXPECT_EQ(one.expires_at(timer::time_point::min()), 1u);
  one.async_wait(note("new"));
  finish();
  EXPECT_THAT(log_, testing::UnorderedElementsAre("old aborted", "new fired"));
}

TEST_P(everywhere, destroying_a_timer_cancels_its_waits) {
  {
    timer one(executor(), never);
    one.async_wait(note("wait"));
  }
  finish();
  EXPECT_THAT(log_, ElementsAre("wait aborted"));
}

TEST_P(everywhere, a_moved_timer_takes_its_waits_along) {
  timer one(executor(), never);
  one.async_wait(note("a"));
  one.async_wait(note("b"));
  timer two(std::move(one));
  EXPECT_EQ(two.expiry(), never);
  EXPECT_EQ(one.cancel(), 0u);  // NOLINT(bugprone-use-after-move): moved-from, but a timer
  EXPECT_EQ(two.cancel(), 2u);
  finish();
  EXPECT_THAT(log_, ElementsAre("a aborted", "b aborted"));
  one.expires_at(timer::time_point::min());
  one.async_wait(note("again"));
  finish();
  EXPECT_EQ(log_.back(), "again fired");
}

TEST_P(everywhere, an_assigned_timer_drops_its_own_waits_and_takes_the_others) {
  timer one(executor(), never);
  timer two(executor(), never);
  one.async_wait(note("one"));
  two.async_wait(note("two"));
  one = std::move(two);
  finish();
  EXPECT_THAT(log_, ElementsAre("one aborted"));
  EXPECT_EQ(one.cancel(), 1u);
  finish();
  EXPECT_THAT(log_, ElementsAre("one aborted", "two aborted"));
}

TEST_P(everywhere, a_timer_can_be_assigned_across_contexts) {
  asio::io_context ordinary;
  timer here(executor(), never);
  here.async_wait(note("here"));
  timer there(ordinary, never);
  there.async_wait(note("there"));
  here = std::move(there);
  finish();
  EXPECT_THAT(log_, ElementsAre("here aborted"));
  there = timer(executor(), never);
  there.async_wait(note("back"));
  there.cancel();
  finish();
  EXPECT_EQ(log_.back(), "back aborted");
  here.cancel();
  ordinary.poll();
  EXPECT_EQ(log_.back(), "there aborted");
}

TEST_P(everywhere, a_delay_of_for_ever_is_never_and_not_the_past) {
  timer one(executor());
  one.expires_after(timer::duration::max());
  EXPECT_EQ(one.expiry(), never);
  one.async_wait(note("wait"));
  finish();
  EXPECT_THAT(log_, ElementsAre());
  one.cancel();
  finish();
  EXPECT_THAT(log_, ElementsAre("wait aborted"));
}

TEST_P(everywhere, a_slot_cancels_its_wait_once_and_nothing_after_its_end) {
  asio::cancellation_signal signal;
  timer one(executor(), never);
  one.async_wait(asio::bind_cancellation_slot(signal.slot(), note("wait")));
  signal.emit(asio::cancellation_type::terminal);
  signal.emit(asio::cancellation_type::terminal);
  finish();
  EXPECT_THAT(log_, ElementsAre("wait aborted"));
  signal.emit(asio::cancellation_type::terminal);
  // The slot is used again: the first wait's canceller is gone, the second's answers.
  one.async_wait(asio::bind_cancellation_slot(signal.slot(), note("second")));
  signal.emit(asio::cancellation_type::total);
  finish();
  EXPECT_THAT(log_, ElementsAre("wait aborted", "second aborted"));
}

TEST_P(everywhere, a_slot_of_one_wait_leaves_the_timers_others_alone) {
  asio::cancellation_signal signal;
  timer one(executor(), never);
  one.async_wait(note("a"));
  one.async_wait(asio::bind_cancellation_slot(signal.slot(), note("b")));
  one.async_wait(note("c"));
  signal.emit(asio::cancellation_type::terminal);
  finish();
  EXPECT_THAT(log_, ElementsAre("b aborted"));
  EXPECT_EQ(one.cancel(), 2u);
  finish();
}

TEST_P(everywhere, a_signal_may_go_before_its_wait_and_after_it) {
  timer one(executor(), never);
  {
    asio::cancellation_signal signal;
    one.async_wait(asio::bind_cancellation_slot(signal.slot(), note("a")));
  }
  EXPECT_EQ(one.cancel(), 1u);
  asio::cancellation_signal outlives;
  {
    timer two(executor(), never);
    two.async_wait(asio::bind_cancellation_slot(outlives.slot(), note("b")));
  }
  finish();
  // Asio's own service would look into the timer that is gone.
  if (GetParam() != "real") outlives.emit(asio::cancellation_type::terminal);
  EXPECT_THAT(log_, ElementsAre("a aborted", "b aborted"));
}

TEST_P(everywhere, a_wait_in_the_past_of_the_wall_clock_fires) {
  asio::system_timer past(executor(), asio::system_timer::time_point::min());
  past.async_wait(note("past"));
  asio::system_timer future(executor(), asio::system_timer::time_point::max());
  future.async_wait(note("future"));
  finish();
  EXPECT_THAT(log_, ElementsAre("past fired"));
  future.cancel();
  finish();
}

TEST_P(everywhere, a_blocking_wait_for_what_is_due_returns) {
  timer one(executor(), timer::time_point::min());
  error_code ended;
  one.wait(ended);
  EXPECT_FALSE(ended);
}

TEST_P(everywhere, destroying_the_context_with_waits_pending_frees_their_handlers) {
  auto held = std::make_shared<int>(0);
  {
    const std::unique_ptr<place> short_lived = make_place(GetParam());
    // Each handler owns the timer it waits on, and one more with a wait of its own.
    auto one = std::make_shared<timer>(short_lived->executor(), never);
    auto two = std::make_shared<timer>(short_lived->executor(), never);
    two->async_wait([held](error_code) {});
    one->async_wait([held, one, two](error_code) {});
    asio::post(short_lived->executor(), [held, two] {});
  }
  EXPECT_EQ(held.use_count(), 1);
}

// ---- virtual places only

class virtually : public testing::TestWithParam<tier> {
 protected:
  virtually() : place_(GetParam()) {}
  auto note(std::string name) {
    return [this, name = std::move(name)](error_code ended) {
      log_.push_back(name + (ended ? " aborted" : " fired"));
      at_.push_back(place_.time().now() - virtual_time::epoch);
    };
  }
  virtual_place place_;
  std::vector<std::string> log_;
  std::vector<std::chrono::nanoseconds> at_;
};
INSTANTIATE_TEST_SUITE_P(timers, virtually, testing::Values(tier::sim, tier::io_context),
                         [](const auto& info) { return std::string(to_string(info.param)); });

TEST_P(virtually, vcs_1_time_goes_exactly_from_deadline_to_deadline) {
  std::vector<timer> timers;
  for (const auto delay : {30ms, 10ms, 20ms}) {
    timers.emplace_back(place_.executor(), delay);
    timers.back().async_wait(note(std::to_string(delay.count())));
  }
  place_.finish();
  EXPECT_THAT(log_, ElementsAre("10 fired", "20 fired", "30 fired"));
  EXPECT_THAT(at_, ElementsAre(10ms, 20ms, 30ms));
}

TEST_P(virtually, x_22_a_stepped_wall_clock_moves_system_timers_alone) {
  timer steady(place_.executor(), 10ms);
  asio::system_timer wall(place_.executor(), 10ms);
  asio::system_timer later(place_.executor(), 10ms);
  steady.async_wait(note("steady"));
  wall.async_wait(note("wall"));
  place_.time().step_wall(-5ms);  // what was due in 10 ms is due in 15 now
  place_.finish();
  EXPECT_THAT(log_, ElementsAre("steady fired", "wall fired"));
  EXPECT_THAT(at_, ElementsAre(10ms, 15ms));
  later.expires_after(1h);
  later.async_wait(note("later"));
  place_.time().step_wall(2h);  // overdue at once, and time does not move
  place_.finish();
  EXPECT_EQ(log_.back(), "later fired");
  EXPECT_EQ(at_.back(), 15ms);
}

TEST_P(virtually, the_far_ends_of_the_wall_clock_do_not_overflow) {
  asio::system_timer far(place_.executor(), asio::system_timer::time_point::max() - 1ns);
  far.async_wait(note("far"));
  place_.time().step_wall(-virtual_time::wall_epoch -
                          2h);  // before its own beginning: `far` lies out of reach
  place_.finish();
  EXPECT_THAT(log_, ElementsAre());
  place_.time().step_wall(std::chrono::nanoseconds::max());
  place_.time().step_wall(std::chrono::nanoseconds::max());
  place_.finish();
  EXPECT_THAT(log_, ElementsAre("far fired"));
  place_.time().set_now(std::chrono::nanoseconds::max());
  (void)std::chrono::system_clock::now();
}

TEST_P(virtually, a_blocking_wait_for_what_is_not_due_is_refused) {
  timer one(place_.executor(), 1s);
  error_code ended;
  one.wait(ended);
  EXPECT_EQ(ended, asio::error::operation_not_supported);
}

TEST_P(virtually, a_thousand_waits_are_cancelled_in_any_order) {
  std::vector<std::unique_ptr<timer>> timers;
  splitmix64 random(7);
  std::size_t fired = 0;
  std::chrono::nanoseconds last{};
  for (int i = 0; i < 1000; ++i) {
    timers.push_back(std::make_unique<timer>(place_.executor(), std::chrono::milliseconds(random.below(50))));
    timers.back()->async_wait([&](error_code ended) {
      if (ended) return;
      ++fired;
      EXPECT_GE(place_.time().now(), last);  // in order of deadline, wherever the heap was cut
      last = place_.time().now();
    });
  }
  for (int i = 0; i < 500; ++i) {
    const std::size_t at = random.below(static_cast<std::uint32_t>(timers.size()));
    timers.erase(timers.begin() + static_cast<std::ptrdiff_t>(at));
  }
  place_.finish();
  EXPECT_EQ(fired, 500u);
}

// Against a model: (deadline, order of arming), few waits or many for one deadline, cancelled and armed on the way.
TEST_P(virtually, x_23_waits_fire_in_order_of_deadline_and_of_arming) {
  for (const std::uint32_t deadlines : {3U, 70U, 300U, 5000U}) {
    std::set<std::pair<timer::time_point, int>> pending;
    std::map<int, std::unique_ptr<timer>> timers;
    splitmix64 random(deadlines);
    int armed = 0;
    int wrong = 0;
    const std::function<void()> arm = [&] {
      const int number = armed++;
      auto one =
          std::make_unique<timer>(place_.executor(), std::chrono::milliseconds(random.below(deadlines)));
      const std::pair entry(one->expiry(), number);
      pending.insert(entry);
      one->async_wait([&, entry](error_code ended) {
        if (ended) return;
        if (*pending.begin() != entry) ++wrong;
        pending.erase(entry);
        if (armed < 3000) arm();
        // One that is not due yet: what is due can no longer be cancelled.
        auto victim =
            pending.lower_bound({entry.first + std::chrono::milliseconds(random.below(deadlines) + 1), 0});
        if (victim == pending.end() || random.below(3) != 0) return;
        timers.erase(victim->second);
        pending.erase(victim);
      });
      timers[number] = std::move(one);
    };
    for (int i = 0; i < 1000; ++i) arm();
    place_.finish();
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(armed, 3000);
    EXPECT_TRUE(pending.empty());
    EXPECT_EQ(place_.time().timers(), 0u);
  }
}

TEST_P(virtually, vcs_10_a_timer_cancelled_after_it_became_due_says_so) {
  timer one(place_.executor(), 1ms);
  timer two(place_.executor(), 1ms);
  one.async_wait([&](error_code) { log_.push_back("cancelled " + std::to_string(two.cancel())); });
  two.async_wait(note("two"));
  place_.finish();
  EXPECT_THAT(log_, ElementsAre("cancelled 0", "two fired"));
}

// ---- a late loop

// Two timers due apart, the first of which cancels the second: what became of that.
std::vector<std::string> cancel_the_next(virtual_place& here, std::vector<std::string>& log) {
  timer one(here.executor(), 10ms);
  timer two(here.executor(), 11ms);
  one.async_wait([&](error_code) { log.push_back("cancelled " + std::to_string(two.cancel())); });
  two.async_wait([&log](error_code ended) { log.push_back(ended ? "two aborted" : "two fired"); });
  here.finish();
  return log;
}
TEST_P(virtually, x_31_a_loop_that_is_on_time_leaves_the_later_timer_to_be_cancelled) {
  EXPECT_THAT(cancel_the_next(place_, log_), ElementsAre("cancelled 1", "two aborted"));
}
TEST_P(virtually, x_31_what_a_late_loop_has_found_due_can_no_longer_be_cancelled) {
  asio::post(place_.executor(), [&] { place_.time().set_now(virtual_time::epoch + 11ms); });
  EXPECT_THAT(cancel_the_next(place_, log_), ElementsAre("cancelled 0", "two fired"));
}
TEST_P(virtually, x_31_what_is_due_and_was_not_looked_for_yet_can_be_cancelled) {
  timer one(place_.executor(), 10ms);
  one.async_wait(note("one"));
  place_.time().set_now(virtual_time::epoch + 11ms);
  EXPECT_EQ(one.cancel(), 1u);
  place_.finish();
  EXPECT_THAT(log_, ElementsAre("one aborted"));
}

TEST_P(virtually, x_31_a_late_loop_fires_in_the_order_in_which_everything_fell_due) {
  place_.time().set_now(virtual_time::epoch + 5ms);
  timer later(place_.executor(), timer::time_point(virtual_time::epoch + 12ms));
  asio::system_timer wall(place_.executor(), asio::system_timer::time_point(virtual_time::wall_epoch + 11ms));
  timer earlier(place_.executor(), timer::time_point(virtual_time::epoch + 10ms));
  timer same(place_.executor(), timer::time_point(virtual_time::epoch + 10ms));
  timer past(place_.executor(), timer::time_point(virtual_time::epoch + 1ms));  // when it was armed
  later.async_wait(note("later"));
  wall.async_wait(note("wall"));
  earlier.async_wait(note("earlier"));
  same.async_wait(note("same"));
  past.async_wait(note("past"));
  place_.time().set_now(virtual_time::epoch + 20ms);
  place_.finish();
  EXPECT_THAT(log_, ElementsAre("past fired", "earlier fired", "same fired", "wall fired", "later fired"));
}

TEST_P(virtually, the_next_deadlines_come_in_order_and_each_once) {
  std::vector<timer> timers;
  for (const auto delay : {40ms, 10ms, 20ms, 30ms, 20ms, 50ms}) {
    timers.emplace_back(place_.executor(), delay);
    timers.back().async_wait(note(""));
  }
  asio::system_timer wall(place_.executor(), 25ms);
  wall.async_wait(note(""));
  std::array<std::chrono::nanoseconds, 3> next{};
  const auto from = [&](auto after, auto end) {
    const std::size_t count =
        place_.time().next_deadlines(virtual_time::epoch + after, virtual_time::epoch + end, next);
    std::vector<std::chrono::nanoseconds> found;
    for (std::size_t i = 0; i < count; ++i) found.push_back(next[i] - virtual_time::epoch);
    return found;
  };
  EXPECT_THAT(from(0ms, 100ms), ElementsAre(10ms, 20ms, 25ms));
  EXPECT_THAT(from(10ms, 100ms), ElementsAre(20ms, 25ms, 30ms));
  EXPECT_THAT(from(25ms, 50ms), ElementsAre(30ms, 40ms));
  EXPECT_THAT(from(50ms, 100ms), ElementsAre());
  EXPECT_EQ(place_.time().next_deadlines(virtual_time::epoch, virtual_time::epoch + 1s, {}), 0u);
}

TEST(clocks, vcs_m4_a_clock_that_leaks_is_seen) {
  // Without the guard the code under test reads the machine's clock: what every test of virtual time would see.
  EXPECT_NE(std::chrono::steady_clock::now().time_since_epoch(), virtual_time::epoch);
  const virtual_place here(tier::sim);
  EXPECT_EQ(std::chrono::steady_clock::now().time_since_epoch(), virtual_time::epoch);
  EXPECT_EQ(std::chrono::system_clock::now().time_since_epoch(), virtual_time::wall_epoch);
}

}  // namespace
}  // namespace assay
