// What stands around the worker in the scenarios: processing and a dead-letter sink that do as they are told
// and note what they were asked.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay::resilient_worker_world {

using nanoseconds = std::chrono::nanoseconds;
inline constexpr nanoseconds forever = nanoseconds::max();
/// Of beginnings that fail: every one.
inline constexpr std::uint32_t always = std::numeric_limits<std::uint32_t>::max();
/// More than anything here takes that ends at all.
inline constexpr nanoseconds long_enough = std::chrono::seconds(2);

/// How one item behaves.
struct script {
  nanoseconds takes{};               ///< processing, each time
  std::uint32_t failures = 0;        ///< beginnings that fail, counted from the first
  std::vector<std::uint32_t> begun;  ///< the attempt numbers that processing was begun with
  std::uint32_t processed = 0;       ///< how often processing succeeded
};

/// Lives in the scenario's frame, before the worker.
struct world {
  explicit world(trial& owner) : t(owner) {}

  trial& t;
  std::map<int, script> items;
  std::vector<int> processed;  ///< in the order in which processing first succeeded
  std::vector<contract::given_up> letters;
  std::vector<contract::given_up> losses;
  std::vector<outcome> unwritten;  ///< beside `losses`: what the sink failed with
  nanoseconds write_takes{};       ///< every write to the sink
  std::uint32_t writes = 0;        ///< begun so far
  std::uint32_t writes_failing = 0;
  std::uint32_t writes_hanging = 0;  ///< those that hang or fail are the first ones
  bool sink_is_sound = false;        ///< the sink is spared by the fault sweep

  std::size_t letters_of(int id) const { return count(letters, id); }
  std::size_t losses_of(int id) const { return count(losses, id); }
  bool was_processed(int id) const { return items.at(id).processed > 0; }

 private:
  static std::size_t count(const std::vector<contract::given_up>& all, int id) {
    return static_cast<std::size_t>(
        std::count_if(all.begin(), all.end(), [id](const contract::given_up& one) { return one.id == id; }));
  }
};

inline boost::asio::awaitable<void> pause(nanoseconds delay) {
  if (delay <= nanoseconds::zero()) co_return;
  const auto executor = co_await boost::asio::this_coro::executor;
  boost::asio::steady_timer timer(executor);
  if (delay == forever) {
    timer.expires_at(std::chrono::steady_clock::time_point::max());
  } else {
    timer.expires_after(delay);
  }
  co_await timer.async_wait(boost::asio::use_awaitable);
}

inline boost::asio::awaitable<void> process(world& w, int id, std::uint32_t attempt) {
  script& one = w.items[id];
  one.begun.push_back(attempt);
  const bool fails = one.begun.size() <= one.failures;
  co_await pause(one.takes);
  const std::uint32_t fault = w.t.fault_point("process " + std::to_string(id));
  if (fails || fault > 0) throw contract::operation_error("processing " + std::to_string(id));
  if (one.processed++ == 0) w.processed.push_back(id);
}

inline boost::asio::awaitable<void> write(world& w, contract::given_up letter) {
  const std::uint32_t call = ++w.writes;
  co_await pause(w.write_takes);
  const std::string name = "dead letter " + std::to_string(letter.id);
  const std::uint32_t fault = w.sink_is_sound ? 0 : w.t.fault_point(name, 2);
  if (fault == 1 || call <= w.writes_failing) throw contract::operation_error("the sink");
  if (fault == 2 || call <= w.writes_hanging) co_await pause(forever);
  w.letters.push_back(std::move(letter));
}

inline void connect(contract::resilient_worker& worker, world& w) {
  contract::resilient_worker::callbacks outside;
  outside.process = [&w](int id, std::uint32_t attempt) { return process(w, id, attempt); };
  outside.dead_letter = [&w](contract::given_up letter) { return write(w, std::move(letter)); };
  outside.lost = [&w](contract::given_up letter, outcome unwritten) {
    w.losses.push_back(std::move(letter));
    w.unwritten.push_back(std::move(unwritten));
  };
  worker.connect(std::move(outside));
}

/// Submits an item that takes `takes` and fails the first `failures` times.
inline boost::asio::awaitable<void> submit(contract::resilient_worker& worker, world& w, int id,
                                           nanoseconds takes = {}, std::uint32_t failures = 0) {
  script& one = w.items[id];
  one.takes = takes;
  one.failures = failures;
  item made = w.t.item(id);
  return worker.submit(std::move(made));
}

/// Waits until a write to the sink is under way: a worker may try an item several times first, and pause in between.
inline boost::asio::awaitable<void> write_begun(world& w) {
  co_await w.t.settle();
  for (int waited = 0; w.writes == 0 && waited < 10'000; ++waited) {
    co_await w.t.advance(std::chrono::milliseconds(1));
    co_await w.t.settle();
  }
  w.t.expect(w.writes > 0, "an item that fails every time is given to the sink in the end");
}

/// Cancels a run, and gives it time: a subject may finish what it has in hand. How it ended is X-8's
/// business.
inline boost::asio::awaitable<void> stop(world& w, operation<void> run) {
  run.cancel();
  co_await w.t.advance(long_enough);
  co_await w.t.settle();
  (void)run.what();
}

inline bool exists(const world& w, int id) {
  const auto& all = w.t.items().entries();
  return std::any_of(all.begin(), all.end(), [id](const item_ledger::entry& one) {
    return one.id == id && one.state == item_state::given && one.objects > 0;
  });
}

/// RWK-1, when no run is left: every item has exactly one fate. One that was processed may come again all the
/// same, with any fate: the worker could not say so in time (RWK-7).
inline void account(contract::resilient_worker& worker, world& w) {
  std::map<int, int> back;
  const std::vector<item> remaining = worker.take_back();
  for (const item& one : remaining) ++back[one.id()];
  for (const auto& [id, one] : w.items) {
    const std::string name = "item " + std::to_string(id);
    const std::size_t given_up = w.letters_of(id) + w.losses_of(id);
    if (given_up > 1) w.t.fail(name + " was given up twice");
    if (given_up > 0 && back[id] > 0) w.t.fail(name + " was given up and is handed back as well");
    if (back[id] > 1) w.t.fail(name + " is handed back twice");
    // One whose object is gone is reported by the ledger, with when and where.
    if (given_up == 0 && back[id] == 0 && one.processed == 0 && exists(w, id))
      w.t.fail(name + " is nowhere: the worker keeps it to itself");
  }
}

}  // namespace assay::resilient_worker_world
