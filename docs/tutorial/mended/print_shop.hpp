// A print shop: jobs come at any time and are printed one by one. While there is none, the display says so.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <string>
#include <utility>

namespace asio = boost::asio;

/// What the shop is connected to.
class devices {
 public:
  virtual ~devices() = default;
  virtual asio::awaitable<void> print(int job) = 0;
  virtual asio::awaitable<void> show(std::string text) = 0;
};

class print_shop {
 public:
  print_shop(asio::any_io_executor executor, devices& connected)
      : connected_(connected), news_(std::move(executor), asio::steady_timer::time_point::max()) {}

  void submit(int job) {
    jobs_.push_back(job);
    news_.cancel();  // wakes the worker, if it sleeps
  }

  /// Lets the worker end when everything is printed.
  void close() {
    closed_ = true;
    news_.cancel();
  }

  /// The worker.
  asio::awaitable<void> work() {
    while (!jobs_.empty() || !closed_) {
      if (jobs_.empty()) {
        co_await connected_.show("idle");
        if (jobs_.empty() && !closed_) co_await sleep();  // nothing may come between the look and the sleep
      } else {
        const int job = jobs_.front();
        jobs_.pop_front();
        co_await connected_.print(job);
      }
    }
  }

 private:
  asio::awaitable<void> sleep() {
    boost::system::error_code woken;
    co_await news_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
  }

  devices& connected_;
  asio::steady_timer news_;  // never fires: whoever has news cancels it
  std::deque<int> jobs_;
  bool closed_ = false;
};
