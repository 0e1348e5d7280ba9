// What the work of these scenarios does. It leaves marks: "a begins", "a ends", "a is through" (it came to its value),
// "a is asked to stop".
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace assay::timed {

enum class answer { stops, gives_value, fails };

/// Without `takes` it ends in its first turn. Asked to stop it cleans up for a while, whatever is requested meanwhile, and
/// answers.
struct temper {
  std::chrono::nanoseconds takes = std::chrono::hours(1);
  bool fails = false;  // at its end, else it gives its value
  std::chrono::nanoseconds cleanup{};
  answer when_asked = answer::stops;
};

inline auto times_marked(const trial& t, std::string_view label) {
  return std::count(t.marks().begin(), t.marks().end(), label);
}
inline bool marked(const trial& t, std::string_view label) { return times_marked(t, label) > 0; }

// In the frame of the work: marks where it begins and ends, whichever way.
struct presence {
  presence(trial& of, std::string who) : t(of), name(std::move(who)) { t.mark(name + " begins"); }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() { t.mark(name + " ends"); }
  trial& t;
  const std::string name;
};

/// Time that passes whatever is requested.
inline boost::asio::awaitable<void> clean_up_for(std::chrono::nanoseconds delay) {
  boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor, delay);
  const boost::asio::cancellation_slot nobody;
  co_await timer.async_wait(boost::asio::bind_cancellation_slot(nobody, boost::asio::use_awaitable));
}

inline void give_answer(trial& t, const std::string& name, answer what) {
  if (what == answer::stops) contract::throw_cancelled();
  if (what == answer::fails) t.raise(name + " fails");
  t.mark(name + " is through");
}

inline boost::asio::awaitable<void> act(trial& t, std::string name, temper is) {
  const presence here(t, name);
  const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
  bool asked = false;
  try {
    if (is.takes > std::chrono::nanoseconds::zero()) co_await sleep_for(is.takes);
  } catch (const boost::system::system_error&) {
    asked = true;
  }
  if (!asked) co_return give_answer(t, name, is.fails ? answer::fails : answer::gives_value);
  t.mark(name + " is asked to stop");
  if (is.cleanup > std::chrono::nanoseconds::zero()) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    co_await clean_up_for(is.cleanup);
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
  }
  give_answer(t, name, is.when_asked);
}

inline contract::timeout::work acts(trial& t, std::string name, temper is) {
  return [&t, name = std::move(name), is] { return act(t, name, is); };
}

}  // namespace assay::timed
