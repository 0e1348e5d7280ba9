#include "async_mutex.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::trial;

using the_mutex = async_mutex<true>;
using the_mutex_with_the_mistake = async_mutex<false>;

// What the lock protects.
struct till {
  int clients = 0;
};

class at_the_till {
 public:
  explicit at_the_till(till& where) : where_(where) {
    EXPECT_EQ(++where_.clients, 1) << "one client at a time has the lock";
  }
  at_the_till(const at_the_till&) = delete;
  at_the_till& operator=(const at_the_till&) = delete;
  ~at_the_till() { --where_.clients; }

 private:
  till& where_;
};

template <class Mutex>
asio::awaitable<void> pay(Mutex& mutex, till& where) {
  co_await mutex.async_lock(asio::use_awaitable);
  const unlocker<Mutex> locked(mutex);
  const at_the_till inside(where);
  asio::steady_timer busy(co_await asio::this_coro::executor, 10ms);
  co_await busy.async_wait(asio::use_awaitable);
}

template <class Mutex>
asio::awaitable<void> survives_a_cancelled_client(trial& t) {
  Mutex mutex(t.executor());
  till where;
  auto first = t.start("first", pay(mutex, where));
  auto second = t.start("second", pay(mutex, where));
  auto third = t.start("third", pay(mutex, where));
  t.victim(second);
  co_await t.pass(100ms);
  EXPECT_TRUE(first.done());
  EXPECT_TRUE(second.ended());
  EXPECT_TRUE(third.done());
  EXPECT_FALSE(mutex.locked()) << "the lock is free when everybody has gone";
}

template <class Mutex>
asio::awaitable<void> ends_a_cancelled_wait(trial& t) {
  Mutex mutex(t.executor());
  till where;
  auto holder = co_await t.begin("holder", pay(mutex, where));
  auto waiter = co_await t.begin("waiter", pay(mutex, where));
  co_await t.cancel(waiter);
  EXPECT_TRUE(waiter.cancelled()) << "who is cancelled while he waits for the lock waits no longer";
  co_await t.pass(100ms);
  EXPECT_TRUE(holder.done());
  EXPECT_FALSE(mutex.locked()) << "the lock is free when everybody has gone";
}

ASSAY_TEST(async_mutex, survives_a_cancelled_client, .swept = true) {
  return survives_a_cancelled_client<the_mutex>(t);
}
ASSAY_TEST(async_mutex, ends_a_cancelled_wait) { return ends_a_cancelled_wait<the_mutex>(t); }

ASSAY_TEST(async_mutex_with_the_mistake, survives_a_cancelled_client, .swept = true) {
  return survives_a_cancelled_client<the_mutex_with_the_mistake>(t);
}
ASSAY_TEST(async_mutex_with_the_mistake, ends_a_cancelled_wait) {
  return ends_a_cancelled_wait<the_mutex_with_the_mistake>(t);
}

}  // namespace
