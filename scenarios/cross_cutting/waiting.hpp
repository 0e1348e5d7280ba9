// The bodies of cross-cutting scenarios that are the same for every call that waits. A contract names them in a line:
//
//   asio::awaitable<void> wait_for(contract::event& event, std::chrono::nanoseconds patience) { ... }
//
//   ASSAY_SCENARIO(event, "X-23", "", .features = {"timed"}) {
//     co_await assay::fires_at_its_deadline(t, make, &wait_for);
//   }
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <string>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

/// Does `work` in a cancelled scope: start it, settle, cancel it.
template <class T>
boost::asio::awaitable<T> when_cancelled(boost::asio::awaitable<T> work) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await failure_of(sleep_for_ever());
  co_return co_await std::move(work);
}

/// A timed call of a contract, which nothing ends before its time when the subject is new.
template <class Contract>
using timed_call = boost::asio::awaitable<void> (*)(Contract& subject, std::chrono::nanoseconds patience);

///
template <class Contract>
boost::asio::awaitable<void> fires_at_its_deadline(trial& t, maker<Contract> make,
                                                   timed_call<Contract> call) {
  for (const auto patience : {std::chrono::milliseconds(10), std::chrono::milliseconds(25)}) {
    auto subject = make();
    auto waiting = co_await t.begin("wait for " + format_duration(patience), call(*subject, patience));
    co_await t.advance(patience);
    t.expect(waiting.pending(), "a timer never fires before its deadline");
    co_await t.settle();
    t.expect(waiting.timed_out(), "it is due when its deadline is reached");
    co_await t.cancel(waiting);
  }
}

/// X-23 on all durations that somebody may have.
template <class Contract>
boost::asio::awaitable<void> keeps_extreme_durations(trial& t, maker<Contract> make,
                                                     timed_call<Contract> call) {
  for (const auto patience : extreme_durations) {
    const std::string time = format_duration(patience);
    auto subject = make();
    auto waiting = co_await t.begin("wait for " + time, call(*subject, patience));
    if (!has_passed(patience)) {
      t.expect(waiting.pending(), "a timer never fires before its deadline: " + time);
      const auto passing = is_endless(patience) ? long_time : soon;
      co_await t.pass(passing);
    }
    const bool right = is_endless(patience) ? waiting.pending() : waiting.timed_out();
    t.expect(right, "it is due when its deadline is reached, and not without one: " + time);
    co_await t.cancel(waiting);
  }
}

///
template <class Contract>
boost::asio::awaitable<void> ends_at_once_if_it_has_passed(trial& t, maker<Contract> make,
                                                           timed_call<Contract> call) {
  for (const auto patience : {std::chrono::milliseconds(0), std::chrono::milliseconds(-5)}) {
    auto subject = make();
    const auto before = t.now();
    auto waiting = co_await t.begin("wait for " + format_duration(patience), call(*subject, patience));
    t.expect(waiting.timed_out() && t.now() == before, "a deadline that has passed ends the wait at once");
    co_await t.cancel(waiting);
  }
}

}  // namespace assay
