// What the harness's own tests share: running a body as a trial, and a few coroutines.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay::test {

namespace asio = boost::asio;
using namespace std::chrono_literals;

using assay::sleep_for;
using assay::sleep_for_ever;

using body = asio::awaitable<void> (*)(trial&);

inline trial_result run_with(choice_source& source, body scenario, trial_settings settings = {},
                             bool traced = false, bool faults = false, bool late = false) {
  choice_stream choices(source);
  trial t(choices, settings, traced);
  if (faults) t.allow_faults();
  if (late) t.allow_late_loop();
  return t.run([&] { return scenario(t); });
}

inline trial_result run_fifo(body scenario, tier where = tier::sim, bool traced = false) {
  fifo_source source;
  trial_settings settings;
  settings.where = where;
  return run_with(source, scenario, settings, traced);
}

inline asio::awaitable<void> yield_turn() { co_await asio::post(asio::use_awaitable); }

inline asio::awaitable<void> do_nothing() { co_return; }

inline asio::awaitable<void> mark_after(trial& t, std::chrono::nanoseconds delay, std::string label) {
  co_await sleep_for(delay);
  t.mark(std::move(label));
}

inline asio::awaitable<void> yield_for_ever() {
  while (true) co_await yield_turn();
}

inline asio::awaitable<void> yield_often(int times) {
  for (int i = 0; i < times; ++i) co_await yield_turn();
}

inline asio::awaitable<void> tick_for_ever(std::chrono::nanoseconds period) {
  while (true) co_await sleep_for(period);
}

/// Counts what is alive: a frame that holds one and is never freed shows.
class tripwire {
 public:
  explicit tripwire(int& alive) noexcept : alive_(&alive) { ++*alive_; }
  tripwire(tripwire&& other) noexcept : alive_(other.alive_) { ++*alive_; }
  tripwire(const tripwire&) = delete;
  tripwire& operator=(const tripwire&) = delete;
  tripwire& operator=(tripwire&&) = delete;
  ~tripwire() { --*alive_; }

 private:
  int* alive_;
};

}  // namespace assay::test
