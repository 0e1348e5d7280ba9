// A client that asks one question after another over a stream, and connects again when that breaks.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace adoption {

namespace asio = boost::asio;

/// `KeepsUntilAnswered` false is the version with the mistake: a question leaves the queue when it is written, so that one whose
/// connection breaks before the answer is forgotten.
template <class Stream, bool KeepsUntilAnswered>
class reconnecting_client {
 public:
  using connect_function = std::function<asio::awaitable<Stream>()>;

  reconnecting_client(asio::any_io_executor executor, connect_function connect)
      : changed_(std::move(executor), asio::steady_timer::time_point::max()), connect_(std::move(connect)) {}
  reconnecting_client(const reconnecting_client&) = delete;
  reconnecting_client& operator=(const reconnecting_client&) = delete;

  /// The answer, over however many connections it takes. May be cancelled.
  asio::awaitable<std::string> ask(std::string question) {
    const auto mine = std::make_shared<request>(changed_.get_executor(), std::move(question));
    waiting_.push_back(mine);
    changed_.cancel();
    while (!mine->answer) {
      boost::system::error_code woken;
      co_await mine->answered.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      const asio::cancellation_state own = co_await asio::this_coro::cancellation_state;
      if (own.cancelled() != asio::cancellation_type::none) {
        std::erase(waiting_, mine);
        throw boost::system::system_error(asio::error::operation_aborted);
      }
    }
    co_return *mine->answer;
  }

  /// Connects and serves until it is cancelled.
  asio::awaitable<void> run() {
    asio::steady_timer pause(co_await asio::this_coro::executor);
    std::chrono::milliseconds delay = shortest_delay;
    while (true) {
      try {
        Stream stream = co_await connect_();
        delay = shortest_delay;
        co_await serve(stream);
      } catch (const boost::system::system_error&) {
        // Whatever it was, another attempt comes after a pause; a cancelled one ends there.
      }
      pause.expires_after(delay);
      co_await pause.async_wait(asio::use_awaitable);
      delay = std::min(2 * delay, longest_delay);
    }
  }

 private:
  static constexpr std::chrono::milliseconds shortest_delay{100};
  static constexpr std::chrono::milliseconds longest_delay{10'000};

  struct request {
    request(const asio::any_io_executor& executor, std::string text)
        : question(std::move(text)), answered(executor, asio::steady_timer::time_point::max()) {}
    std::string question;
    std::optional<std::string> answer;
    asio::steady_timer answered;
  };

  asio::awaitable<void> serve(Stream& stream) {
    std::string received;
    while (true) {
      while (waiting_.empty()) {
        boost::system::error_code woken;
        co_await changed_.async_wait(asio::redirect_error(asio::use_awaitable, woken));
      }
      const std::shared_ptr<request> next = waiting_.front();
      if (!KeepsUntilAnswered) waiting_.pop_front();
      const std::string line = next->question + "\n";
      co_await asio::async_write(stream, asio::buffer(line), asio::use_awaitable);
      const std::size_t length =
          co_await asio::async_read_until(stream, asio::dynamic_buffer(received), '\n', asio::use_awaitable);
      next->answer = received.substr(0, length - 1);
      received.erase(0, length);
      std::erase(waiting_, next);
      next->answered.cancel();
    }
  }

  asio::steady_timer changed_;
  connect_function connect_;
  std::deque<std::shared_ptr<request>> waiting_;
};

}  // namespace adoption
