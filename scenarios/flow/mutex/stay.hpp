// What scenarios and programs do while they hold a mutex.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

/// A stay inside, until somebody says that it is over. It outlives those who stay.
struct stay {
  bool inside = false;
  bool was_inside = false;
  bool is_over = false;
  boost::asio::steady_timer* waits_on = nullptr;

  void leave() {
    is_over = true;
    if (waits_on) waits_on->cancel();
  }
};

inline boost::asio::awaitable<void> stay_in(stay& here) {
  boost::asio::steady_timer over(co_await boost::asio::this_coro::executor,
                                 boost::asio::steady_timer::time_point::max());
  here.inside = here.was_inside = true;
  here.waits_on = &over;
  boost::system::error_code ended;
  if (!here.is_over) co_await over.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, ended));
  here.waits_on = nullptr;
  here.inside = false;
  if (!here.is_over) contract::throw_cancelled();
}

inline boost::asio::awaitable<void> fail_after(trial& t, std::chrono::nanoseconds delay) {
  co_await sleep_for(delay);
  t.raise("work");
}

}  // namespace assay
