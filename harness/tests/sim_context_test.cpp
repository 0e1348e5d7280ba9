// The simulator by itself: the clock as a test drives it, its executor, strands, exceptions, its end. The clauses of
// VCS that speak of the scheduler are checked by functions that take a driver, so that each is seen speaking on a wrong
// driver too.
#include <assay/harness/sim/sim_context.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include <assay/harness/sim/clock.hpp>
#include <assay/harness/tests/support.hpp>

namespace assay::test {
namespace {

using testing::ElementsAre;

class simulation {
 public:
  explicit simulation(choice_source& source) : choices(source), context(choices), clock_(context.time()) {}
  auto executor() { return context.get_executor(); }
  std::chrono::nanoseconds elapsed() const { return context.now() - virtual_time::epoch; }
  void at(std::chrono::nanoseconds due, std::function<void()> what) {
    auto timer = std::make_shared<asio::steady_timer>(
        executor(), asio::steady_timer::time_point(virtual_time::epoch + due));
    timer->async_wait([timer, what = std::move(what)](boost::system::error_code) { what(); });
  }

  choice_stream choices;
  sim_context context;

 private:
  clock_guard clock_;
};

using driver = std::function<void(sim_context&)>;

// ---- VCS-1

// Empty, or how the driver broke the clause.
std::string broken_vcs_1(const driver& run) {
  fifo_source source;
  simulation s(source);
  std::string broken;
  const auto expect_at = [&](std::chrono::nanoseconds due) {
    if (s.elapsed() != due)
      broken += "ran at " + format_duration(s.elapsed()) + " instead of " + format_duration(due) + "; ";
  };
  s.at(20ms, [&] { expect_at(20ms); });
  s.at(10ms, [&] {
    expect_at(10ms);
    asio::post(s.executor(), [&] {
      expect_at(10ms);
      asio::post(s.executor(), [&] { expect_at(10ms); });
    });
  });
  asio::post(s.executor(), [&] { expect_at(0ms); });
  run(s.context);
  return broken;
}
void jump_while_runnable(sim_context& context) {
  while (true) {
    const bool ran = context.run_turn();
    const auto next = context.time().earliest();
    if (next != std::chrono::nanoseconds::max()) {
      context.move_clock(next);  // VCS-m3
      context.release_due();
    } else if (!ran) {
      return;
    }
  }
}
TEST(vcs_1, time_moves_only_when_nothing_is_runnable_and_then_to_the_earliest_deadline) {
  EXPECT_EQ(broken_vcs_1([](sim_context& c) { c.run_until_idle(); }), "");
  EXPECT_NE(broken_vcs_1(&jump_while_runnable), "") << "VCS-m3 survives";
}

// ---- VCS-2

std::vector<int> order_of_ready(choice_source& source) {
  simulation s(source);
  std::vector<int> order;
  for (int i = 0; i < 5; ++i) asio::post(s.executor(), [&, i] { order.push_back(i); });
  s.context.run_until_idle();
  return order;
}
TEST(vcs_2, turns_are_in_order_of_becoming_ready) {
  fifo_source source;
  EXPECT_THAT(order_of_ready(source), ElementsAre(0, 1, 2, 3, 4));
}
TEST(vcs_2, under_a_fuzzing_policy_the_order_is_a_function_of_the_input_alone) {
  const std::vector<std::uint8_t> bytes = {4, 3, 2, 1};
  byte_source one(bytes);
  byte_source two(bytes);
  EXPECT_THAT(order_of_ready(one), ElementsAre(4, 3, 2, 1, 0));
  EXPECT_THAT(order_of_ready(two), ElementsAre(4, 3, 2, 1, 0));
  random_source a(3, {});
  random_source b(3, {});
  random_source c(4, {});
  const std::vector<int> order = order_of_ready(a);
  EXPECT_EQ(order, order_of_ready(b));
  EXPECT_NE(order, order_of_ready(c));
}

// VCS-12: a policy is a source; this one takes the latest.
class lifo_source final : public choice_source {
  std::uint32_t choose(choice_kind, std::uint32_t arity) override { return arity - 1; }
};
TEST(vcs_12, last_in_first_out_is_a_policy_of_two_lines) {
  lifo_source source;
  EXPECT_THAT(order_of_ready(source), ElementsAre(4, 3, 2, 1, 0));
}

std::vector<int> order_of_ties(choice_source& source) {
  simulation s(source);
  std::vector<int> order;
  for (int i = 0; i < 3; ++i) s.at(1ms, [&, i] { order.push_back(i); });
  s.context.run_until_idle();
  return order;
}
TEST(vcs_m1, ties_are_a_choice_of_kind_timer) {
  fifo_source first;
  EXPECT_THAT(order_of_ties(first), ElementsAre(0, 1, 2));
  sweep_source other({{choice_kind::timer, 0, 2, false}});
  EXPECT_THAT(order_of_ties(other), ElementsAre(2, 0, 1));
}

TEST(x_31, of_what_a_late_loop_finds_due_only_equal_deadlines_are_a_choice_of_kind_timer) {
  sweep_source other({{choice_kind::timer, 0, 1, false}});
  simulation s(other);
  std::vector<int> order;
  for (const int due : {2, 1, 1, 2}) s.at(due * 1ms, [&order, due] { order.push_back(due); });
  s.context.move_clock(virtual_time::epoch + 2ms);
  EXPECT_TRUE(s.context.release_due());
  s.context.run_current();
  EXPECT_THAT(order, ElementsAre(1, 1, 2, 2));
  std::vector<std::uint32_t> ties;
  for (const choice& one : s.choices.made())
    if (one.kind == choice_kind::timer) ties.push_back(one.arity);
  EXPECT_THAT(ties, ElementsAre(2, 2));
}
TEST(x_31, what_a_step_of_the_wall_clock_makes_due_is_tied) {
  fifo_source first;
  simulation s(first);
  asio::system_timer one(s.executor(), 1ms);
  asio::system_timer two(s.executor(), 2ms);
  one.async_wait([](boost::system::error_code) {});
  two.async_wait([](boost::system::error_code) {});
  s.context.time().step_wall(1h);
  EXPECT_TRUE(s.context.release_due());
  ASSERT_FALSE(s.choices.made().empty());
  EXPECT_EQ(s.choices.made()[0], (choice{choice_kind::timer, 2, 0}));
  s.context.run_current();
}

// ---- VCS-3 and VCS-4

void chain(simulation& s, int links, int& ran) {
  if (links == 0) return;
  s.at(s.elapsed(), [&s, links, &ran] {
    ++ran;
    asio::post(s.executor(), [&s, links, &ran] { chain(s, links - 1, ran); });
  });
}
TEST(vcs_3, run_current_runs_what_is_due_now_with_what_that_creates_and_does_not_move_time) {
  fifo_source source;
  simulation s(source);
  int ran = 0;
  bool later = false;
  chain(s, 10, ran);
  s.at(1ns, [&] { later = true; });
  s.context.run_current();
  EXPECT_EQ(ran, 10);
  EXPECT_FALSE(later);
  EXPECT_EQ(s.elapsed(), 0ns);
}

std::string broken_vcs_4(const std::function<void(sim_context&, std::chrono::nanoseconds)>& advance) {
  fifo_source source;
  simulation s(source);
  std::string log;
  for (const auto due : {0ms, 9ms, 10ms, 11ms})
    s.at(due, [&log, due] { log += std::to_string(due.count()) + " "; });
  advance(s.context, 0ns);
  if (!log.empty()) return "[now, now) is empty, but ran " + log;
  advance(s.context, 10ms);
  if (s.elapsed() != 10ms) return "stands at " + format_duration(s.elapsed());
  return log == "0 9 " ? "" : "ran " + log;
}
void advance_inclusively(sim_context& context, std::chrono::nanoseconds delay) {
  context.advance_by(delay);
  context.run_current();  // VCS-m2
}
TEST(vcs_4, advance_by_runs_the_half_open_interval) {
  EXPECT_EQ(broken_vcs_4([](sim_context& c, std::chrono::nanoseconds d) { c.advance_by(d); }), "");
  EXPECT_NE(broken_vcs_4(&advance_inclusively), "") << "VCS-m2 survives";
}
TEST(vcs_4, a_negative_delay_is_rejected_and_an_overflow_clamped) {
  fifo_source source;
  simulation s(source);
  bool ran = false;
  s.at(1h, [&] { ran = true; });
  EXPECT_THROW(s.context.advance_by(-1ns), std::invalid_argument);
  s.context.advance_by(std::chrono::nanoseconds::max());
  EXPECT_TRUE(ran);
  EXPECT_EQ(s.context.now(), std::chrono::nanoseconds::max());
  s.context.advance_by(1s);
  EXPECT_EQ(s.context.now(), std::chrono::nanoseconds::max());
}

// ---- VCS-5

std::string broken_vcs_5(const driver& run) {
  fifo_source source;
  simulation s(source);
  bool woken = false;
  asio::steady_timer parked(s.executor(), asio::steady_timer::time_point::max());
  parked.async_wait([&](boost::system::error_code) { woken = true; });
  s.at(1ms, [&] { parked.cancel(); });  // the last timer posts a wake-up
  run(s.context);
  return woken ? "" : "idle was declared while a wake-up was posted";
}
void stop_with_the_last_timer(sim_context& context) {
  while (context.time().timers() > 0) {  // VCS-m5
    context.move_clock(context.time().earliest());
    context.release_due();
    context.run_turn();
  }
}
TEST(vcs_5, run_until_idle_ends_at_quiescence_and_no_earlier) {
  EXPECT_EQ(broken_vcs_5([](sim_context& c) { c.run_until_idle(); }), "");
  EXPECT_NE(broken_vcs_5(&stop_with_the_last_timer), "") << "VCS-m5 survives";
}
TEST(vcs_5, a_wait_for_ever_does_not_keep_it_alive) {
  fifo_source source;
  simulation s(source);
  asio::steady_timer parked(s.executor(), asio::steady_timer::time_point::max());
  parked.async_wait([](boost::system::error_code) {});
  s.context.run_until_idle();
  EXPECT_EQ(s.context.time().parked(), 1u);
}

// ---- VCS-6 and VCS-8

void spin(sim_context& context) {
  asio::post(context.get_executor(), [&context] { spin(context); });
}
TEST(vcs_6, more_turns_at_one_instant_than_allowed_are_a_livelock) {
  fifo_source source;
  simulation s(source);
  s.context.set_turns_per_instant_max(50);
  const task_id mine = s.context.add_task();
  s.context.run_inside(mine, [&] { asio::post(s.context.get_executor(mine), [&] { spin(s.context); }); });
  EXPECT_THROW(s.context.run_until_idle(), livelock);
  EXPECT_EQ(s.context.turns(), 50u);
  EXPECT_EQ(s.context.recent_turns().size(), sim_context::recent_max);
  EXPECT_EQ(s.context.recent_turns().back(), 0u);
}
TEST(vcs_6, as_many_turns_over_several_instants_are_none) {
  fifo_source source;
  simulation s(source);
  s.context.set_turns_per_instant_max(2);
  int ran = 0;
  for (int i = 0; i < 50; ++i) s.at(std::chrono::milliseconds(i), [&] { ++ran; });
  s.context.run_until_idle();
  EXPECT_EQ(ran, 50);
}

TEST(vcs_8, an_exception_leaves_its_turn_and_skips_nothing) {
  fifo_source source;
  simulation s(source);
  std::vector<int> order;
  asio::post(s.executor(), [] { throw std::runtime_error("first"); });
  asio::post(s.executor(), [&] { order.push_back(1); });
  EXPECT_THROW(s.context.run_until_idle(), std::runtime_error);
  EXPECT_FALSE(s.executor().running_in_this_thread());
  s.context.run_until_idle();
  EXPECT_THAT(order, ElementsAre(1));
}

// What a handler throws that was dispatched inline leaves the turn, not the call of dispatch: as on an io_context.
template <class Context, class Run>
std::string what_dispatch_does(Context& context, Run run) {
  std::string log;
  asio::post(context.get_executor(), [&] {
    try {
      asio::dispatch(context.get_executor(), [] { throw std::runtime_error("inline"); });
      log += "dispatch returned; ";
    } catch (const std::exception&) {
      log += "dispatch threw; ";
    }
  });
  try {
    run();
  } catch (const std::exception& error) {
    log += std::string("the turn threw ") + error.what();
  }
  return log;
}
TEST(vcs_8, an_exception_from_an_inline_handler_goes_the_way_it_goes_on_an_io_context) {
  fifo_source source;
  simulation s(source);
  asio::io_context stock;
  const std::string expected = "dispatch returned; the turn threw inline";
  EXPECT_EQ(what_dispatch_does(stock, [&] { stock.poll(); }), expected);
  EXPECT_EQ(what_dispatch_does(s.context, [&] { s.context.run_until_idle(); }), expected);
}
TEST(vcs_8, an_exception_out_of_run_inside_leaves_the_context_as_it_was) {
  fifo_source source;
  simulation s(source);
  EXPECT_THROW(s.context.run_inside(0, [] { throw std::runtime_error("inside"); }), std::runtime_error);
  EXPECT_FALSE(s.executor().running_in_this_thread());
}

// ---- the executor

using executor_type = sim_context::executor_type;
static_assert(std::is_convertible_v<executor_type, asio::any_io_executor>);
static_assert(asio::execution::is_executor<executor_type>::value);
static_assert(std::is_nothrow_copy_constructible_v<executor_type>);
static_assert(std::is_nothrow_move_constructible_v<executor_type>);
static_assert(std::is_nothrow_copy_assignable_v<executor_type>);
static_assert(std::is_nothrow_move_assignable_v<executor_type>);
static_assert(std::is_nothrow_destructible_v<executor_type>);
static_assert(asio::can_require<executor_type, asio::execution::blocking_t::never_t>::value);
static_assert(asio::can_prefer<asio::any_io_executor, asio::execution::outstanding_work_t::tracked_t>::value);

TEST(executor, runs_a_dispatch_inline_inside_and_posts_it_outside) {
  fifo_source source;
  simulation s(source);
  std::string log;
  asio::dispatch(s.executor(), [&] {
    log += "a";
    asio::dispatch(s.executor(), [&] { log += "b"; });
    asio::post(s.executor(), [&] { log += "d"; });
    log += "c";
  });
  EXPECT_EQ(log, "");
  s.context.run_until_idle();
  EXPECT_EQ(log, "abcd");
}

TEST(executor, counts_tracked_work_through_copies_moves_and_assignments) {
  fifo_source source;
  simulation s(source);
  const task_id mine = s.context.add_task();
  {
    const asio::any_io_executor plain = s.context.get_executor(mine);
    EXPECT_EQ(s.context.outstanding_work(), 0);
    auto guard = asio::make_work_guard(plain);
    EXPECT_EQ(s.context.task(mine).work, 1);
    auto tracked = asio::require(s.context.get_executor(mine), asio::execution::outstanding_work.tracked);
    auto copy = tracked;
    auto moved = std::move(copy);
    EXPECT_EQ(s.context.task(mine).work, 3);
    auto other = s.executor();
    other = moved;
    const auto& itself = other;
    other = itself;
    EXPECT_EQ(s.context.task(mine).work, 4);
    other = s.executor();
    EXPECT_EQ(s.context.task(mine).work, 3);
    moved = std::move(other);
    guard.reset();
    EXPECT_NE(tracked, s.context.get_executor(mine));
    EXPECT_EQ(asio::require(tracked, asio::execution::outstanding_work.untracked),
              s.context.get_executor(mine));
  }
  EXPECT_EQ(s.context.outstanding_work(), 0);
}

// ---- strands

TEST(strands, keep_their_order_whatever_is_permuted) {
  bool interleaved = false;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    random_source source(seed, {});
    simulation s(source);
    auto one = asio::make_strand(asio::any_io_executor(s.executor()));
    auto two = asio::make_strand(asio::any_io_executor(s.executor()));
    std::vector<int> first;
    std::vector<int> second;
    std::string log;
    for (int i = 0; i < 4; ++i) {
      asio::post(one, [&, i] {
        first.push_back(i);
        log += 'a';
        if (i == 0) asio::post(one, [&] { first.push_back(4); });
      });
      asio::post(two, [&, i] { second.push_back(i), log += 'b'; });
    }
    s.context.run_until_idle();
    EXPECT_THAT(first, ElementsAre(0, 1, 2, 3, 4)) << "seed " << seed;
    EXPECT_THAT(second, ElementsAre(0, 1, 2, 3)) << "seed " << seed;
    interleaved = interleaved || log.front() == 'b';
  }
  EXPECT_TRUE(interleaved);
}

// ---- its end

asio::awaitable<void> hold_and_park(std::shared_ptr<int> held) {
  const auto kept = std::move(held);
  co_await sleep_for_ever();
}
asio::awaitable<void> hold_and_sleep(std::shared_ptr<int> held) {
  const auto kept = std::move(held);
  co_await sleep_for(1h);
}
asio::awaitable<void> hold_and_yield(std::shared_ptr<int> held) {
  const auto kept = std::move(held);
  co_await yield_for_ever();
}

TEST(x_21, destroying_the_context_frees_what_is_parked_what_is_ready_and_what_waits_for_a_strand) {
  auto held = std::make_shared<int>(0);
  {
    fifo_source source;
    simulation s(source);
    const asio::any_io_executor executor = s.executor();
    asio::co_spawn(executor, hold_and_park(held), asio::detached);
    asio::co_spawn(executor, hold_and_sleep(held), asio::detached);
    asio::co_spawn(executor, hold_and_yield(held), asio::detached);
    auto strand = asio::make_strand(executor);
    for (int i = 0; i < 3; ++i) asio::co_spawn(strand, hold_and_yield(held), asio::detached);
    for (int i = 0; i < 20; ++i) s.context.run_turn();
    asio::post(executor, [held, timer = std::make_shared<asio::steady_timer>(executor, 1h)] {});
    EXPECT_GE(held.use_count(), 8);
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(x_21, what_a_handlers_destruction_makes_ready_is_freed_too) {
  auto held = std::make_shared<int>(0);
  {
    fifo_source source;
    simulation s(source);
    const asio::any_io_executor executor = s.executor();
    // A chain: destroying a handler destroys a timer, whose wait's handler owns the next timer, and so on.
    std::shared_ptr<asio::steady_timer> next;
    for (int i = 0; i < 5; ++i) {
      auto timer = std::make_shared<asio::steady_timer>(executor, 1h);
      timer->async_wait([held, next](boost::system::error_code) {});
      next = timer;
    }
    struct posts_when_it_goes {
      asio::any_io_executor executor;
      std::shared_ptr<int> held;
      ~posts_when_it_goes() {
        asio::post(executor, [held = held] {});
      }
    };
    asio::post(executor, [next, last = std::make_shared<posts_when_it_goes>(executor, held)] {});
    std::thread([executor, held] { asio::post(executor, [held] {}); }).join();
  }
  EXPECT_EQ(held.use_count(), 1);
}

TEST(x_21, the_last_tasks_frames_go_last) {
  std::string log;
  struct says {
    std::string* log;
    const char* what;
    says(std::string& l, const char* w) : log(&l), what(w) {}
    says(says&& other) noexcept : log(std::exchange(other.log, nullptr)), what(other.what) {}
    ~says() {
      if (log != nullptr) *log += what;
    }
  };
  {
    fifo_source source;
    simulation s(source);
    const task_id last = s.context.add_task();
    const task_id other = s.context.add_task();
    s.context.set_last_task(last);
    asio::steady_timer one(s.executor(), 1h);
    asio::steady_timer two(s.executor(), asio::steady_timer::time_point::max());
    s.context.run_inside(last,
                         [&] { one.async_wait([what = says(log, "last ")](boost::system::error_code) {}); });
    s.context.run_inside(
        other, [&] { two.async_wait([what = says(log, "parked ")](boost::system::error_code) {}); });
    asio::post(s.context.get_executor(last), [what = says(log, "last ")] {});
    asio::post(s.context.get_executor(other), [what = says(log, "ready ")] {});
    s.context.abandon();
    EXPECT_EQ(log, "parked ready last last ");
    s.context.abandon();
  }
  EXPECT_EQ(log, "parked ready last last ");
}

}  // namespace
}  // namespace assay::test
