// The reference's primitives behind a strand, on a pool of four threads: callers on any thread have each call made on the
// strand. In a program of its own, which ThreadSanitizer runs, too.
//
// What the calls came to is written down without a lock, which would order what the strand must order, and must be what some
// order of them explains.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <assay/harness/trial/history.hpp>
#include <assay/reference/flow/barrier.hpp>
#include <assay/reference/flow/bounded_queue.hpp>
#include <assay/reference/flow/event.hpp>
#include <assay/reference/flow/mutex.hpp>
#include <assay/reference/flow/semaphore.hpp>
#include <assay/scenarios/flow/bounded_queue/order.hpp>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define ASSAY_THREAD_SANITIZER
#endif
#elif defined(__SANITIZE_THREAD__)
#define ASSAY_THREAD_SANITIZER
#endif

#ifdef ASSAY_THREAD_SANITIZER
// What comes after a race is anybody's guess.
extern "C" const char* __tsan_default_options() {
  return "halt_on_error=1";
}  // NOLINT: the sanitizer's own name
#endif

namespace assay::test {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using asio::use_awaitable;

constexpr int callers = 8;
constexpr int rounds = 200;

class threads {
 public:
  enum class calls_are_made { on_a_strand, anywhere };
  explicit threads(calls_are_made where = calls_are_made::on_a_strand)
      : calls_(where == calls_are_made::anywhere ? asio::any_io_executor(pool_.get_executor())
                                                 : asio::make_strand(pool_)) {}
  threads(const threads&) = delete;
  threads& operator=(const threads&) = delete;
  ~threads() { pool_.join(); }

  /// A caller, on any thread.
  void start(awaitable<void> caller) {
    asio::co_spawn(pool_, std::move(caller), [](const std::exception_ptr& failure) {
      if (failure) std::rethrow_exception(failure);
    });
  }
  /// Waits until all callers have ended.
  void join() { pool_.join(); }

  /// Makes a call where calls are made.
  template <class T>
  awaitable<T> make(awaitable<T> call) {
    return asio::co_spawn(calls_, std::move(call), use_awaitable);
  }
  /// The same, and asks it to stop a turn later. None: it did.
  template <class T>
  awaitable<std::optional<T>> make_and_cancel(awaitable<T> call) {
    return asio::co_spawn(calls_, cancelled(std::move(call)), use_awaitable);
  }

 private:
  template <class T>
  awaitable<std::optional<T>> cancelled(awaitable<T> call) {
    const auto signal = std::make_shared<asio::cancellation_signal>();
    asio::post(calls_, [signal] { signal->emit(asio::cancellation_type::terminal); });
    auto token = asio::bind_cancellation_slot(signal->slot(), use_awaitable);
    std::optional<T> result;
    try {
      result = co_await asio::co_spawn(calls_, std::move(call), token);
    } catch (const boost::system::system_error&) {
    }
    co_return result;
  }

  asio::thread_pool pool_{4};
  asio::any_io_executor calls_;
};

awaitable<void> yield() { co_await asio::post(use_awaitable); }

// ---- a mutex

struct account {
  reference::mutex mutex = {};
  int balance = 0;
};

awaitable<void> read_and_write(account& of) {
  const auto held = co_await of.mutex.lock();
  const int seen = of.balance;
  co_await yield();
  of.balance = seen + 1;
}

awaitable<void> deposit(threads& all, account& of) {
  for (int i = 0; i < rounds; ++i) co_await all.make(read_and_write(of));
}

TEST(threads, a_mutex_keeps_others_out) {
  account of;
  threads all;
  for (int i = 0; i < callers; ++i) all.start(deposit(all, of));
  all.join();
  EXPECT_EQ(of.balance, callers * rounds);
}

#ifdef ASSAY_THREAD_SANITIZER
// Nobody waits for the mutex: a race that loses who waits would keep this from ending.
awaitable<void> lock_if_it_is_free(account& of) {
  const auto held = of.mutex.try_lock();
  if (held) ++of.balance;
  co_return;
}

awaitable<void> try_often(threads& all, account& of) {
  for (int i = 0; i < rounds; ++i) co_await all.make(lock_if_it_is_free(of));
}

void leave_the_strand_out() {
  account of;
  threads all(threads::calls_are_made::anywhere);
  for (int i = 0; i < callers; ++i) all.start(try_often(all, of));
  all.join();
  std::exit(0);
}
// What the other tests are worth.
TEST(threads, a_strand_that_is_left_out_is_reported) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_DEATH(leave_the_strand_out(), "ThreadSanitizer: data race");
}
#endif

// ---- a semaphore

struct pool_of_three {
  reference::semaphore permits{3};
  int inside = 0;
  int most = 0;
};

awaitable<void> visit(pool_of_three& where) {
  const auto held = co_await where.permits.acquire_permit();
  where.most = std::max(where.most, ++where.inside);
  co_await yield();
  --where.inside;
}

awaitable<void> visit_often(threads& all, pool_of_three& where) {
  for (int i = 0; i < rounds; ++i) co_await all.make(visit(where));
}

TEST(threads, a_semaphore_lets_no_more_in_than_it_has_permits) {
  pool_of_three where;
  threads all;
  for (int i = 0; i < callers; ++i) all.start(visit_often(all, where));
  all.join();
  EXPECT_EQ(where.inside, 0);
  EXPECT_LE(where.most, 3);
  EXPECT_EQ(where.permits.available(), 3U);
}

// ---- events that two callers wake each other with

struct ball {
  reference::auto_reset_event here = {};
  reference::auto_reset_event there = {};
  int hits = 0;
};

awaitable<void> hit(ball& one, reference::auto_reset_event& other) {
  ++one.hits;
  other.set();
  co_return;
}

awaitable<void> play(threads& all, ball& one, reference::auto_reset_event& mine,
                     reference::auto_reset_event& other) {
  for (int i = 0; i < rounds; ++i) {
    co_await all.make(mine.wait());
    co_await all.make(hit(one, other));
  }
}

TEST(threads, an_event_frees_who_waits_for_each_set) {
  ball one;
  threads all;
  all.start(all.make(hit(one, one.here)));
  all.start(play(all, one, one.here, one.there));
  all.start(play(all, one, one.there, one.here));
  all.join();
  EXPECT_EQ(one.hits, 1 + 2 * rounds);
}

// ---- a barrier

struct march {
  reference::barrier barrier{4};
  std::vector<int> steps = std::vector<int>(4);
  bool in_step = true;
};

awaitable<void> step(march& of, std::size_t who) {
  ++of.steps[who];
  co_await of.barrier.wait();
  // Nobody is more than the next step ahead, and nobody is behind.
  for (const int other : of.steps)
    of.in_step = of.in_step && (other == of.steps[who] || other == of.steps[who] + 1);
}

awaitable<void> walk(threads& all, march& of, std::size_t who) {
  for (int i = 0; i < rounds; ++i) co_await all.make(step(of, who));
}

TEST(threads, a_barrier_keeps_all_in_step) {
  march of;
  threads all;
  for (std::size_t who = 0; who < of.steps.size(); ++who) all.start(walk(all, of, who));
  all.join();
  EXPECT_EQ(of.steps, std::vector<int>(4, rounds));
  EXPECT_TRUE(of.in_step);
}

// ---- a queue, and the history of its calls

// Each caller writes down his own calls; the times of all of them are of one counter.
struct call_seen {
  queue_order::call what = {};
  call_end how = call_end::without;
  std::size_t began = 0;
  std::size_t ended = 0;
};

class observed_queue {
 public:
  explicit observed_queue(threads& all) : all_(&all) {}

  awaitable<void> push(std::vector<call_seen>& log, int id) {
    call_seen seen{.what = {queue_order::verb::push, id}, .began = tick()};
    co_await all_->make(push_it(id));
    seen.how = call_end::value;
    seen.ended = tick();
    log.push_back(std::move(seen));
  }
  /// Whether it got something.
  awaitable<bool> pop(std::vector<call_seen>& log, bool is_cancelled) {
    call_seen seen{.what = {queue_order::verb::pop}, .began = tick()};
    if (is_cancelled) {
      const std::optional<int> got = co_await all_->make_and_cancel(queue_.pop());
      if (got) seen.what.id = *got;
    } else {
      seen.what.id = co_await all_->make(queue_.pop());
    }
    if (seen.what.id != 0) seen.how = call_end::value;
    seen.ended = tick();
    log.push_back(std::move(seen));
    co_return log.back().how == call_end::value;
  }

 private:
  std::size_t tick() noexcept { return now_.fetch_add(1, std::memory_order_relaxed); }
  awaitable<void> push_it(int id) { co_await queue_.push(id); }

  threads* all_;
  std::atomic<std::size_t> now_ = 0;
  reference::bounded_queue<int> queue_{2};
};

constexpr int pushes =
    12;  // by each of two; so many pops by each of two others, some of them cancelled first

awaitable<void> produce(observed_queue& queue, std::vector<call_seen>& log, int first) {
  for (int i = 0; i < pushes; ++i) co_await queue.push(log, first + i);
}

awaitable<void> consume(observed_queue& queue, std::vector<call_seen>& log) {
  for (int i = 0; i < pushes; ++i) {
    bool got = co_await queue.pop(log, i % 3 == 0);
    if (!got) got = co_await queue.pop(log, false);
  }
}

history<queue_order> history_of(const std::vector<std::vector<call_seen>>& logs) {
  std::map<std::size_t, std::pair<const call_seen*, bool>> events;
  for (const auto& log : logs) {
    for (const call_seen& one : log) {
      events[one.began] = {&one, false};
      events[one.ended] = {&one, true};
    }
  }
  history<queue_order> seen;
  std::map<const call_seen*, history<queue_order>::entry> open;
  for (const auto& [time, event] : events) {
    const auto [one, is_end] = event;
    if (!is_end) open.emplace(one, seen.begin(one->what));
    if (is_end && one->how == call_end::value) open.at(one).done();
    if (is_end) open.erase(one);
  }
  return seen;
}

TEST(threads, some_order_explains_what_callers_of_a_queue_see) {
  for (int i = 0; i < 20; ++i) {
    std::vector<std::vector<call_seen>> logs(4);
    threads all;
    observed_queue queue(all);
    all.start(produce(queue, logs[0], 1));
    all.start(produce(queue, logs[1], 101));
    all.start(consume(queue, logs[2]));
    all.start(consume(queue, logs[3]));
    all.join();
    const explanation why = history_of(logs).explain({.capacity = 2});
    EXPECT_EQ(why.what, explanation::kind::found) << why.unexplained;
  }
}

}  // namespace
}  // namespace assay::test
