// What the planted programs share: taking turns, sleeping, ringing, cleaning up, and the way into the list.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>
#include <source_location>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/planted/planted.hpp>

namespace assay::planted {

namespace asio = boost::asio;
using namespace std::chrono_literals;

/// Lets everybody else that is ready have a turn, `count` times: what a call elsewhere costs at least.
inline asio::awaitable<void> turns(int count) {
  for (int i = 0; i < count; ++i) co_await asio::post(asio::use_awaitable);
}

inline asio::awaitable<void> sleep_for(std::chrono::nanoseconds delay) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
}

/// Wakes who waits now, nobody who comes later. A wait that is cancelled returns too; the next await throws.
class bell {
 public:
  explicit bell(trial& t) : timer_(t.executor(), asio::steady_timer::time_point::max()) {}
  asio::awaitable<void> wait() {
    boost::system::error_code ignored;
    co_await timer_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
  void ring() { timer_.cancel(); }
  void ring_one() { timer_.cancel_one(); }

 private:
  asio::steady_timer timer_;
};

/// Does something when its scope ends, however it ends.
template <class Function>
class on_exit {
 public:
  explicit on_exit(Function function) : function_(std::move(function)) {}
  on_exit(const on_exit&) = delete;
  on_exit& operator=(const on_exit&) = delete;
  ~on_exit() { function_(); }

 private:
  Function function_;
};

/// What the tasks of a trial share. It outlives their frames, also those of a trial that ends in a deadlock.
template <class State, class... Arguments>
State& shared(trial& t, Arguments&&... arguments) {
  auto made = std::make_shared<State>(std::forward<Arguments>(arguments)...);
  t.keep(made);
  return *made;
}

using scenario_body = asio::awaitable<void> (*)(trial& t, const subject_base& subject);

inline planted_bug plant(std::string name, int depth, std::string what, scenario_body wrong,
                         scenario_body right, scenario_traits traits = {}, std::uint32_t cancel_slots = 0,
                         std::source_location where = std::source_location::current()) {
  const scenario_info mistaken{"planted", name, "wrong", traits, where.file_name(), where.line(), wrong};
  const scenario_info mended{"planted", name, "right", traits, where.file_name(), where.line(), right};
  return {std::move(name), depth, std::move(what), cancel_slots, mistaken, mended};
}

// One per theme; each appends its own.
void add_wakeups(std::vector<planted_bug>& bugs);
void add_atomicity(std::vector<planted_bug>& bugs);
void add_sharing(std::vector<planted_bug>& bugs);
void add_starvation(std::vector<planted_bug>& bugs);
void add_in_step(std::vector<planted_bug>& bugs);
void add_timers(std::vector<planted_bug>& bugs);
void add_cancellation(std::vector<planted_bug>& bugs);
void add_handing_over(std::vector<planted_bug>& bugs);
void add_faults(std::vector<planted_bug>& bugs);
void add_shutdown(std::vector<planted_bug>& bugs);

}  // namespace assay::planted
