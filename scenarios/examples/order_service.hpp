// A small service of the kind that everybody writes: it accepts orders, validates each, and saves them one by one
// until it is asked to stop. Two versions; in one a mistake is planted.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>

namespace example {

namespace asio = boost::asio;

/// `CountsWhatItAccepted` false is the version with the mistake: it stops when nothing is queued, and forgets the
/// orders that it has accepted but not queued yet. First in, first out, a validation always ends before the service
/// looks; nobody promised that it does.
template <bool CountsWhatItAccepted>
class order_service {
 public:
  using save_function = std::function<asio::awaitable<void>(int order)>;

  order_service(asio::any_io_executor executor, save_function save)
      : executor_(std::move(executor)),
        save_(std::move(save)),
        changed_(executor_, asio::steady_timer::time_point::max()) {}

  /// True if the order was accepted; it will be saved.
  asio::awaitable<bool> submit(int order) {
    if (stopping_) co_return false;
    ++accepted_;
    co_await asio::post(executor_, asio::use_awaitable);  // the validation: it takes a turn
    queued_.push_back(order);
    changed_.cancel();
    co_return true;
  }

  /// Saves orders until it is stopped and all of them are saved.
  asio::awaitable<void> run() {
    while (!(stopping_ && drained())) {
      if (queued_.empty()) {
        co_await wait_for_change();
        continue;
      }
      const int order = queued_.front();
      queued_.pop_front();
      co_await save_(order);
      ++saved_;
    }
  }

  void request_stop() {
    stopping_ = true;
    changed_.cancel();
  }

 private:
  bool drained() const { return CountsWhatItAccepted ? saved_ == accepted_ : queued_.empty(); }

  asio::awaitable<void> wait_for_change() {
    boost::system::error_code ignored;
    co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }

  asio::any_io_executor executor_;
  save_function save_;
  asio::steady_timer changed_;
  std::deque<int> queued_;
  std::size_t accepted_ = 0;
  std::size_t saved_ = 0;
  bool stopping_ = false;
};

}  // namespace example
