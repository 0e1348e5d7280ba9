// What the laboratory costs: four shapes, each on the simulator with tracing off and on, and on a stock io_context in
// the same run. Deadlock detection is on wherever the simulator runs; every choice goes through the choice stream.
//
//   timers    1,000 tasks sleep 1,000 times each
//   yields    1,000 tasks yield 1,000 times each
//   trials    build, run 10 tasks of 10 sleeps, tear down
//   pending   1,000,000 tasks that sleep once
//   sleepers  the same for 1,000 to 1,000,000 tasks: how the cost of a timer grows, and what a sleeping task takes
//
// Real timers would make the stock io_context sleep for real, so there it runs on virtual time, driven as the tier
// `io_context` is; its yields are what a program does.
//
// What bounds `pending`: a sleeping task takes 1,104 bytes in four blocks (336 the body's frame, 480 that of co_spawn's
// entry point, 160 that of the wait's initiation, 128 the wait), and is in no cache when it is woken. All but the wait are
// frames of Asio's and of the program. In processor time, beside tokio's paused clock (2.33 s): 2.9 s without looking ahead,
// 2.6 to 2.7 s with it, and 2.0 s with it where `free` does nothing. So what is left above 1x is the freeing of the blocks,
// most of it cache misses in glibc where it merges a freed block with its neighbours.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <exception>
#include <limits>

#include <assay/harness/trial/trial.hpp>

namespace {

namespace asio = boost::asio;
constexpr std::int64_t many = 1000;
constexpr std::int64_t pending_tasks = 1'000'000;

enum class variant { plain, traced, io_context };

asio::awaitable<void> sleep_often(std::int64_t times) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (std::int64_t i = 0; i < times; ++i) {
    timer.expires_after(std::chrono::milliseconds(1 + (i * 7) % 13));
    co_await timer.async_wait(asio::use_awaitable);
  }
}

asio::awaitable<void> sleep_once(std::int64_t index) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::milliseconds(1 + (index * 7919) % 100'000));
  co_await timer.async_wait(asio::use_awaitable);
}

asio::awaitable<void> yield_often(std::int64_t times) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::int64_t i = 0; i < times; ++i) co_await asio::post(executor, asio::use_awaitable);
}

struct joined {
  std::int64_t left = 0;
  void operator()(const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
    --left;
  }
};

// Spawns the tasks from inside the trial, as a program would, and waits until the trial is at rest.
template <class MakeTask>
asio::awaitable<void> run_tasks(assay::trial& t, std::int64_t tasks, MakeTask make, joined& all) {
  const auto executor = co_await asio::this_coro::executor;
  all.left = tasks;
  for (std::int64_t i = 0; i < tasks; ++i) {
    asio::co_spawn(executor, make(i), [&all](const std::exception_ptr& failure) { all(failure); });
  }
  while (all.left > 0) co_await t.advance(std::chrono::hours(1));
}

template <class Scenario>
void run_trial(benchmark::State& state, variant which, Scenario scenario) {
  assay::fifo_source first;
  assay::choice_stream choices(first);
  assay::trial_settings settings;
  settings.where = which == variant::io_context ? assay::tier::io_context : assay::tier::sim;
  assay::trial t(choices, settings, which == variant::traced);
  constexpr std::uint64_t unlimited = std::numeric_limits<std::uint64_t>::max();
  t.limit_progress({unlimited, unlimited});
  joined all;
  const assay::trial_result result = t.run([&] { return scenario(t, all); });
  if (!result.passed()) state.SkipWithError(result.message.c_str());
}

template <class MakeTask>
void run_trial(benchmark::State& state, variant which, std::int64_t tasks, MakeTask make) {
  run_trial(state, which, [&](assay::trial& t, joined& all) { return run_tasks(t, tasks, make, all); });
}

void timers(benchmark::State& state, variant which) {
  for (auto _ : state) run_trial(state, which, many, [](std::int64_t) { return sleep_often(many); });
  state.SetItemsProcessed(state.iterations() * many * many);
}

void yields(benchmark::State& state, variant which) {
  if (which == variant::io_context) {
    for (auto _ : state) {
      asio::io_context context(1);
      joined all{many};
      for (std::int64_t i = 0; i < many; ++i) {
        asio::co_spawn(context, yield_often(many),
                       [&all](const std::exception_ptr& failure) { all(failure); });
      }
      context.run();
    }
  } else {
    for (auto _ : state) run_trial(state, which, many, [](std::int64_t) { return yield_often(many); });
  }
  state.SetItemsProcessed(state.iterations() * many * many);
}

void trials(benchmark::State& state, variant which) {
  for (auto _ : state) run_trial(state, which, 10, [](std::int64_t) { return sleep_often(10); });
  state.SetItemsProcessed(state.iterations());
}

void pending(benchmark::State& state, variant which) {
  for (auto _ : state) run_trial(state, which, pending_tasks, sleep_once);
  state.SetItemsProcessed(state.iterations() * pending_tasks);
}

// What the C library has handed out.
double allocated() noexcept {
  const struct mallinfo2 seen = ::mallinfo2();
  return static_cast<double>(seen.uordblks + seen.hblkhd);
}

asio::awaitable<void> run_sleepers(assay::trial& t, std::int64_t tasks, joined& all, double& bytes) {
  const auto executor = co_await asio::this_coro::executor;
  const double before = allocated();
  all.left = tasks;
  for (std::int64_t i = 0; i < tasks; ++i) {
    asio::co_spawn(executor, sleep_once(i), [&all](const std::exception_ptr& failure) { all(failure); });
  }
  co_await t.settle();
  bytes = (allocated() - before) / static_cast<double>(tasks);
  while (all.left > 0) co_await t.advance(std::chrono::hours(1));
}

void sleepers(benchmark::State& state) {
  double bytes = 0;
  for (auto _ : state) {
    run_trial(state, variant::plain, [&bytes, tasks = state.range(0)](assay::trial& t, joined& all) {
      return run_sleepers(t, tasks, all, bytes);
    });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["bytes_per_task"] = bytes;
}

BENCHMARK_CAPTURE(timers, sim, variant::plain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(timers, traced, variant::traced)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(timers, io_context, variant::io_context)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(yields, sim, variant::plain)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(yields, traced, variant::traced)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(yields, io_context, variant::io_context)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(trials, sim, variant::plain)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(trials, traced, variant::traced)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(trials, io_context, variant::io_context)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(pending, sim, variant::plain)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(pending, traced, variant::traced)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK_CAPTURE(pending, io_context, variant::io_context)->Unit(benchmark::kMillisecond)->Iterations(1);
BENCHMARK(sleepers)->RangeMultiplier(10)->Range(1'000, 1'000'000)->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
