// What is left of an article, for stackful coroutines: a sale is written to a journal, and that takes its time.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

namespace adoption {

namespace asio = boost::asio;

/// `TakesBeforeItWaits` false is the version with the mistake: between the look at what is left and the sale it waits, which does
/// not show at the call.
template <bool TakesBeforeItWaits>
class inventory {
 public:
  inventory(asio::any_io_executor executor, int left) : executor_(std::move(executor)), left_(left) {}
  inventory(const inventory&) = delete;
  inventory& operator=(const inventory&) = delete;

  /// True if one was sold. Throws operation_aborted if it is cancelled, having sold none.
  bool sell_one(const asio::yield_context& yield) {
    if (left_ <= 0) return false;
    if constexpr (TakesBeforeItWaits) {
      --left_;
      try {
        write_journal(yield);
      } catch (...) {
        ++left_;
        throw;
      }
    } else {
      write_journal(yield);
      --left_;
    }
    return true;
  }

  int left() const noexcept { return left_; }

 private:
  void write_journal(const asio::yield_context& yield) {
    asio::steady_timer disk(executor_, std::chrono::milliseconds(5));
    disk.async_wait(yield);
  }

  asio::any_io_executor executor_;
  int left_;
};

}  // namespace adoption
