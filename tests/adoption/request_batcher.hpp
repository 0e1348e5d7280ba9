// Sends requests in batches, with callbacks alone: a batch goes off when it is full, or when its first request has waited for long
// enough. One batch at a time is on its way, and every request has a time limit.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace adoption {

namespace asio = boost::asio;

enum class batcher_mistake {
  none,
  /// Once a batch is answered the next one goes off if it is full; a smaller one is left to its timer, which may have expired
  /// meanwhile.
  forgets_the_rest,
  /// A time limit that is cancelled in time is taken to be silent, and may be on its way already.
  answers_twice,
};

struct batcher_options {
  std::size_t batch_size;
  std::chrono::milliseconds longest_wait;
  std::chrono::milliseconds time_limit;
};

template <batcher_mistake Mistake>
class request_batcher {
 public:
  using answer_handler = std::function<void(boost::system::error_code)>;
  using send_function = std::function<void(std::vector<std::string> batch, answer_handler done)>;

  request_batcher(asio::any_io_executor executor, batcher_options options, send_function send)
      : clock_(std::move(executor)), options_(options), send_(std::move(send)) {}
  request_batcher(const request_batcher&) = delete;
  request_batcher& operator=(const request_batcher&) = delete;

  /// Calls `done` with how the batch with this request went, or with timed_out if that takes too long.
  void submit(std::string text, answer_handler done) {
    auto made = std::make_shared<request>(clock_.get_executor(), std::move(text), std::move(done));
    made->limit.expires_after(options_.time_limit);
    made->limit.async_wait([made](boost::system::error_code error) {
      if (error) return;
      if (Mistake != batcher_mistake::answers_twice && made->answered) return;
      made->answered = true;
      made->done(asio::error::timed_out);
    });
    pending_.push_back(std::move(made));
    if (pending_.size() >= options_.batch_size) return flush();
    if (pending_.size() > 1) return;
    clock_.expires_after(options_.longest_wait);
    clock_.async_wait([this](boost::system::error_code error) {
      if (!error) flush();
    });
  }

 private:
  struct request {
    request(const asio::any_io_executor& executor, std::string what, answer_handler handler)
        : text(std::move(what)), done(std::move(handler)), limit(executor) {}
    std::string text;
    answer_handler done;
    asio::steady_timer limit;
    bool answered = false;
  };
  using batch = std::vector<std::shared_ptr<request>>;

  void flush() {
    if (on_its_way_ || pending_.empty()) return;
    on_its_way_ = true;
    clock_.cancel();
    const auto size = static_cast<std::ptrdiff_t>(std::min(options_.batch_size, pending_.size()));
    batch next(pending_.begin(), pending_.begin() + size);
    pending_.erase(pending_.begin(), pending_.begin() + size);
    std::vector<std::string> texts;
    for (const auto& one : next) texts.push_back(one->text);
    send_(std::move(texts), [this, next = std::move(next)](boost::system::error_code error) {
      on_its_way_ = false;
      for (const auto& one : next) answer(*one, error);
      if (Mistake != batcher_mistake::forgets_the_rest || pending_.size() >= options_.batch_size) flush();
    });
  }

  static void answer(request& which, boost::system::error_code error) {
    if (which.answered) return;
    which.answered = true;
    which.limit.cancel();
    which.done(error);
  }

  asio::steady_timer clock_;
  batcher_options options_;
  send_function send_;
  batch pending_;
  bool on_its_way_ = false;
};

}  // namespace adoption
