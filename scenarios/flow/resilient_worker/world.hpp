// What stands around the worker in the scenarios: processing and a dead-letter sink that do as they are told and
// note what they were asked.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "harness/trial/trial.hpp"
#include "scenarios/flow/resilient_worker/contract.hpp"

namespace assay::resilient_worker_world {

using nanoseconds = std::chrono::nanoseconds;
inline constexpr nanoseconds forever = nanoseconds::max();

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
  const std::uint32_t fault = w.t.fault_point("dead letter " + std::to_string(letter.id), 2);
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

/// Cancels a run, and gives it time: a subject may finish what it has in hand. It ends as cancelled.
inline boost::asio::awaitable<void> stop(world& w, operation<void> run) {
  run.cancel();
  co_await w.t.advance(std::chrono::seconds(100));
  co_await w.t.settle();
  w.t.expect(run.cancelled(), "a cancelled worker ends as cancelled");
}

/// RWK-1, when no run is left: every item has exactly one fate. One that was processed may be handed back as well:
/// the worker could not say so in time.
inline void account(contract::resilient_worker& worker, world& w) {
  std::map<int, int> back;
  const std::vector<item> remaining = worker.take_back();
  for (const item& one : remaining) ++back[one.id()];
  for (const auto& [id, one] : w.items) {
    const std::string name = "item " + std::to_string(id);
    const std::size_t given_up = w.letters_of(id) + w.losses_of(id);
    if (given_up > 1) w.t.fail(name + " was given up twice");
    if (given_up > 0 && back[id] > 0) w.t.fail(name + " was given up and is handed back as well");
    if (given_up > 0 && one.processed > 0) w.t.fail(name + " was given up and processed as well");
    if (back[id] > 1) w.t.fail(name + " is handed back twice");
    if (given_up == 0 && back[id] == 0 && one.processed == 0)
      w.t.fail(name + " is nowhere: it was lost without a word");
  }
}

}  // namespace assay::resilient_worker_world
