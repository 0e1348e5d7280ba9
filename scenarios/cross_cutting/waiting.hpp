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
#include <exception>
#include <string>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

/// Does `work` in a cancelled scope: start it, settle, cancel it.
template <class T>
boost::asio::awaitable<T> when_cancelled(boost::asio::awaitable<T> work) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  co_await failure_of(sleep_for_ever());
  co_return co_await std::move(work);
}

/// Whether a plain call is rejected; what else it throws goes on.
template <class Call>
bool is_rejected(Call&& call) {
  try {
    call();
  } catch (const contract::rejected_error&) {
    return true;
  }
  return false;
}

/// What a caller does who deals with the failure of a call, and waits for something else then: there a request shows that
/// met the failure.
inline boost::asio::awaitable<void> fail_and_go_on(trial& t, boost::asio::awaitable<void> call) {
  const std::exception_ptr failure = co_await failure_of(std::move(call));
  if (is_cancellation(failure)) std::rethrow_exception(failure);
  if (failure) t.observe(failure);
  co_await sleep_for_ever();
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

/// Calls `give` once that much time has passed.
template <class Give>
boost::asio::awaitable<void> give_after(std::chrono::nanoseconds delay, Give& give) {
  co_await sleep_for(delay);
  co_await give();
}

/// `give` gives once what one wait takes, shortly before or after the deadline of one that waits; `take(patience)` is
/// such a wait. While the loop may be late both are due together, and nothing cancels the wait's timer any more. To be given
/// then may come before or after the deadline, but what is given comes to somebody, and to one only.
template <class Take, class Give>
boost::asio::awaitable<void> serves_one_about_its_deadline(trial& t, std::chrono::nanoseconds patience,
                                                           std::chrono::nanoseconds delay, Take& take,
                                                           Give& give) {
  auto waiting = t.start("wait for " + format_duration(patience), take(patience));
  auto giving = t.start("give after " + format_duration(delay), give_after(delay, give));
  auto bystander = t.start("another timer", sleep_for(std::chrono::milliseconds(12)));
  co_await t.advance(std::chrono::seconds(1));
  const bool served = waiting.done();
  t.expect(served || waiting.timed_out(), "a wait ends as served or as timed out, however late the loop is");
  constexpr std::chrono::milliseconds shortly{1};
  auto next = co_await t.begin("the next", take(shortly));
  co_await t.pass(shortly);
  const bool next_is_served = next.done();
  t.expect(next_is_served || next.timed_out(), "who comes next ends as served or as timed out");
  t.expect(served != next_is_served,
           "what is given about the deadline comes to the wait or to the next, not to both, nor to nobody");
  t.expect(giving.done() && bystander.done(), "whoever gives, and whoever else waits, is not disturbed");
}

}  // namespace assay
