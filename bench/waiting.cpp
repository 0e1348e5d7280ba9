// What waiting costs in the reference, beside what people use for the same job, on a stock io_context in one run:
//
//   lock      100 tasks lock, yield and unlock 10,000 times each
//   acquire   1,000 tasks share 8 permits: they acquire, yield and release 1,000 times each
//   set       two tasks wake each other 1,000,000 times
//
// `channel` is Asio's experimental channel, with one place as a lock, with eight as a semaphore, with one as a signal. `timer` is
// a steady_timer that never expires, and that is cancelled to wake who waits. A strand is not among them: it keeps others out
// only until its holder suspends, so it cannot do any of this. bench/tokio does the same three with tokio.
#include <benchmark/benchmark.h>

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <assay/reference/flow/event.hpp>
#include <assay/reference/flow/mutex.hpp>
#include <assay/reference/flow/semaphore.hpp>

namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;
using boost::system::error_code;

// ---- the same job, three ways: take a permit and give it back; wait for a signal

class reference_lock {
 public:
  reference_lock(asio::io_context&, std::size_t) {}
  awaitable<void> take() { return mutex_.acquire(); }
  void give() { mutex_.unlock(); }

 private:
  assay::reference::mutex mutex_;
};

class reference_permits {
 public:
  reference_permits(asio::io_context&, std::size_t count) : semaphore_(count) {}
  awaitable<void> take() { return semaphore_.acquire(); }
  void give() { semaphore_.release(); }

 private:
  assay::reference::semaphore semaphore_;
};

class channel_permits {
 public:
  channel_permits(asio::io_context& context, std::size_t count) : places_(context, count) {}
  awaitable<void> take() { return places_.async_send(error_code(), use_awaitable); }
  void give() {
    places_.try_receive([](error_code) {});
  }

 private:
  asio::experimental::channel<void(error_code)> places_;
};

class timer_permits {
 public:
  timer_permits(asio::io_context& context, std::size_t count)
      : free_(count), never_(context, asio::steady_timer::time_point::max()) {}
  awaitable<void> take() {
    while (free_ == 0) {
      error_code woken;
      co_await never_.async_wait(asio::redirect_error(use_awaitable, woken));
    }
    --free_;
  }
  void give() {
    ++free_;
    never_.cancel_one();
  }

 private:
  std::size_t free_;
  asio::steady_timer never_;
};

class reference_signal {
 public:
  explicit reference_signal(asio::io_context&) {}
  awaitable<void> wait() { return event_.wait(); }
  void set() { event_.set(); }

 private:
  assay::reference::auto_reset_event event_;
};

class channel_signal {
 public:
  explicit channel_signal(asio::io_context& context) : place_(context, 1) {}
  awaitable<void> wait() { return place_.async_receive(use_awaitable); }
  void set() { place_.try_send(error_code()); }

 private:
  asio::experimental::channel<void(error_code)> place_;
};

class timer_signal {
 public:
  explicit timer_signal(asio::io_context& context) : permits_(context, 0) {}
  awaitable<void> wait() { return permits_.take(); }
  void set() { permits_.give(); }

 private:
  timer_permits permits_;
};

// ---- the shapes

// An event loop as a service has it: something else, which is hours away, waits there as well. Without that the loop of a
// program that uses nothing but channels never looks at its descriptors and timers, which no program in earnest can do
// without.
class service_loop {
 public:
  service_loop() {
    elsewhere_.async_wait([](error_code) {});
  }
  asio::io_context& context() { return context_; }
  void start(awaitable<void> task) {
    ++tasks_;
    asio::co_spawn(context_, std::move(task), [this](const std::exception_ptr&) {
      if (--tasks_ == 0) context_.stop();
    });
  }
  void run() { context_.run(); }

 private:
  asio::io_context context_{1};
  asio::steady_timer elsewhere_{context_, std::chrono::hours(1)};
  std::int64_t tasks_ = 0;
};

template <class Permits>
awaitable<void> take_often(Permits& permits, std::int64_t times) {
  const auto executor = co_await asio::this_coro::executor;
  for (std::int64_t i = 0; i < times; ++i) {
    co_await permits.take();
    co_await asio::post(executor, use_awaitable);
    permits.give();
  }
}

template <class Permits>
void share(benchmark::State& state, std::size_t count, std::int64_t tasks, std::int64_t times) {
  for (auto _ : state) {
    service_loop loop;
    Permits permits(loop.context(), count);
    for (std::int64_t i = 0; i < tasks; ++i) loop.start(take_often(permits, times));
    loop.run();
  }
  state.SetItemsProcessed(state.iterations() * tasks * times);
}

template <class Permits>
void lock(benchmark::State& state) {
  share<Permits>(state, 1, 100, 10'000);
}

template <class Permits>
void acquire(benchmark::State& state) {
  share<Permits>(state, 8, 1'000, 1'000);
}

template <class Signal>
awaitable<void> wake_each_other(Signal& mine, Signal& other, std::int64_t times) {
  for (std::int64_t i = 0; i < times; ++i) {
    other.set();
    co_await mine.wait();
  }
}

template <class Signal>
void set(benchmark::State& state) {
  constexpr std::int64_t times = 1'000'000;
  for (auto _ : state) {
    service_loop loop;
    Signal first(loop.context());
    Signal second(loop.context());
    loop.start(wake_each_other(first, second, times / 2));
    loop.start(wake_each_other(second, first, times / 2));
    loop.run();
  }
  state.SetItemsProcessed(state.iterations() * times);
}

// The name is what ci/bench reads: shape/variant.
#define WAITING_BENCHMARK(shape, type, variant) \
  BENCHMARK_TEMPLATE(shape, type)->Name(#shape "/" #variant)->Unit(benchmark::kMillisecond)

WAITING_BENCHMARK(lock, reference_lock, reference);
WAITING_BENCHMARK(lock, channel_permits, channel);
WAITING_BENCHMARK(lock, timer_permits, timer);
WAITING_BENCHMARK(acquire, reference_permits, reference);
WAITING_BENCHMARK(acquire, channel_permits, channel);
WAITING_BENCHMARK(acquire, timer_permits, timer);
WAITING_BENCHMARK(set, reference_signal, reference);
WAITING_BENCHMARK(set, channel_signal, channel);
WAITING_BENCHMARK(set, timer_signal, timer);

}  // namespace

BENCHMARK_MAIN();
