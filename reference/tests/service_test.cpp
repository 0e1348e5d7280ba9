// The assembled service on a stock io_context, with the real clock and a real signal: nothing of it depends on the
// simulator (INT-10). Evidence are the scenarios; this is a smoke test, and it asserts no duration.
#include <assay/reference/assembly/service.hpp>

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <deque>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

using namespace std::chrono_literals;

constexpr int sources = 3;
constexpr int items_per_source = 40;
constexpr int stop_after = 25;  // deliveries

struct shop {
  asio::io_context context;
  std::map<int, int> delivered;  // item -> times
  std::map<int, int> buried;
  std::vector<int> lost;
  std::map<int, int> refused;
  std::vector<std::string> log;
  std::size_t most_buffered = 0;
  service<int> orders{context.get_executor(), options()};

  service<int>::options options() {
    service<int>::options how;
    how.queue_capacity = 4;
    how.workers = 3;
    how.work.process = [this](const service<int>::job& one) { return process(one.item); };
    how.work.dead_letter = [this](service<int>::job& one) { return bury(one.item); };
    how.work.lost = [this](service<int>::job one, const std::exception_ptr&) { lost.push_back(one.item); };
    how.shutdown.budgets.drain = 1min;  // longer than a loaded machine needs
    how.shutdown.budgets.total = 5min;
    return how;
  }

  asio::awaitable<void> process(int item) {
    asio::steady_timer work(co_await asio::this_coro::executor, 1ms);
    co_await work.async_wait(asio::use_awaitable);
    if (item % 10 == 7) throw std::runtime_error("the order is unreadable");
    ++delivered[item];
    if (static_cast<int>(delivered.size()) == stop_after) std::raise(SIGTERM);
  }

  asio::awaitable<void> bury(int item) {
    ++buried[item];
    co_return;
  }

  // Hands in until it is refused; the rest it keeps.
  asio::awaitable<void> source(int first) {
    for (int item = first; item < first + items_per_source; ++item) {
      bool refusal = false;
      try {
        co_await orders.submit(item);
      } catch (const closed&) {
        refusal = true;
      }
      if (refusal) ++refused[item];
      most_buffered = std::max(most_buffered, orders.buffered());
    }
  }

  asio::awaitable<void> note(std::string what) {
    log.push_back(std::move(what));
    co_return;
  }
};

TEST(service, serves_until_a_real_signal_and_loses_nothing) {  // INT-1, INT-2, INT-4, INT-10
  const counting_violations violations;
  shop s;
  for (const char* const name : {"store", "sink"}) {
    s.orders.shutdown().add_resource(
        name, [&s, name] { return s.note(std::string("open ") + name); },
        [&s, name] { return s.note(std::string("close ") + name); });
  }
  std::optional<stop_signals> signals(std::in_place, s.context.get_executor(), s.orders.shutdown());
  operation<shutdown_report> run(s.context, s.orders.run());
  ASSERT_TRUE(s.orders.is_ready());
  for (int i = 0; i < sources; ++i)
    asio::co_spawn(s.context, s.source(i * items_per_source),
                   [](std::exception_ptr failure) { EXPECT_FALSE(failure); });

  s.context.restart();
  while (run.pending() && s.context.run_one() != 0) {
  }
  ASSERT_TRUE(run.succeeded());
  signals.reset();
  settle(s.context);

  EXPECT_EQ(run.value().exit_status(), 0);
  EXPECT_FALSE(s.orders.is_live());
  EXPECT_EQ(s.log, (std::vector<std::string>{"open store", "open sink", "close sink", "close store"}));
  EXPECT_LE(s.most_buffered, 4u);
  EXPECT_GE(static_cast<int>(s.delivered.size()), stop_after);
  EXPECT_FALSE(s.refused.empty()) << "the signal came after the last item";

  std::map<int, int> fates = s.delivered;
  for (const auto& [item, times] : s.buried) fates[item] += times;
  for (const auto& [item, times] : s.refused) fates[item] += times;
  for (const int item : s.lost) ++fates[item];
  for (const int item : s.orders.take_back()) ++fates[item];
  for (int item = 0; item < sources * items_per_source; ++item) EXPECT_EQ(fates[item], 1) << "item " << item;
  EXPECT_EQ(fates.size(), static_cast<std::size_t>(sources * items_per_source));
  EXPECT_EQ(violations.count(), 0);
}

TEST(service, a_forced_stop_gives_back_what_was_not_processed) {  // INT-1, INT-6
  const counting_violations violations;
  std::vector<int> begun;
  asio::io_context context;
  service<int>::options how;
  how.queue_capacity = 4;
  how.workers = 1;
  how.work.process = [&begun](const service<int>::job& one) -> asio::awaitable<void> {
    begun.push_back(one.item);
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  };
  how.work.dead_letter = [](service<int>::job&) -> asio::awaitable<void> { co_return; };
  how.work.lost = [](service<int>::job, const std::exception_ptr&) { ADD_FAILURE() << "an item was lost"; };
  how.shutdown.budgets.drain = 1ms;
  service<int> orders(context.get_executor(), how);
  operation<shutdown_report> run(context, orders.run());
  int items[] = {1, 2, 3};
  for (int& item : items) {
    const operation<void> submit(context, orders.submit(item));
    EXPECT_TRUE(submit.succeeded());
  }
  orders.request_stop();
  context.restart();
  while (run.pending() && context.run_one() != 0) {
  }
  ASSERT_TRUE(run.succeeded());
  EXPECT_EQ(run.value().cancelled, std::vector<std::string>{"worker 1"});
  EXPECT_EQ(run.value().exit_status(), 2);
  EXPECT_EQ(begun, std::vector<int>{1});
  EXPECT_EQ(orders.take_back(), (std::deque<int>{1, 2, 3}));
  EXPECT_EQ(violations.count(), 0);
}

TEST(service, an_item_that_is_refused_stays_with_its_owner) {  // X-2, INT-1
  const counting_violations violations;
  asio::io_context context;
  service<std::string>::options how;
  how.queue_capacity = 1;
  how.workers = 1;
  how.work.process = [](const service<std::string>::job&) -> asio::awaitable<void> {
    asio::steady_timer never(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
    co_await never.async_wait(asio::use_awaitable);
  };
  how.work.dead_letter = [](service<std::string>::job&) -> asio::awaitable<void> { co_return; };
  how.work.lost = [](service<std::string>::job, const std::exception_ptr&) {};
  service<std::string> orders(context.get_executor(), how);
  std::string items[] = {"taken to work on", "queued", "given up by its owner", "too late"};
  operation<shutdown_report> run(context, orders.run());
  const operation<void> first(context, orders.submit(items[0]));
  const operation<void> second(context, orders.submit(items[1]));
  operation<void> cancelled(context, orders.submit(items[2]));
  const operation<void> late(context, orders.submit(items[3]));
  EXPECT_TRUE(second.succeeded());
  cancelled.cancel();
  settle(context);
  orders.request_stop();
  orders.shutdown().escalate();
  settle(context);
  ASSERT_TRUE(run.succeeded());
  EXPECT_TRUE(cancelled.cancelled());
  EXPECT_TRUE(late.failed_with<closed>());
  EXPECT_EQ(items[2], "given up by its owner");
  EXPECT_EQ(items[3], "too late");
  EXPECT_EQ(orders.take_back(), (std::deque<std::string>{"taken to work on", "queued"}));
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
