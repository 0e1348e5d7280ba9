#include "request_batcher.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::trial;

// Answers a batch after 10 ms.
class server {
 public:
  explicit server(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void take(std::size_t requests, std::function<void(boost::system::error_code)> done) {
    received += requests;
    auto work = std::make_shared<asio::steady_timer>(executor_, 10ms);
    work->async_wait([work, done = std::move(done)](boost::system::error_code error) { done(error); });
  }
  std::size_t received = 0;

 private:
  asio::any_io_executor executor_;
};

template <class Batcher>
asio::awaitable<void> submit_after(std::chrono::milliseconds delay, Batcher& batcher, int& answers) {
  asio::steady_timer clock(co_await asio::this_coro::executor, delay);
  co_await clock.async_wait(asio::use_awaitable);
  batcher.submit("a request", [&answers](boost::system::error_code) { ++answers; });
}

template <batcher_mistake Mistake>
asio::awaitable<void> answers_every_request_once(trial& t) {
  server remote(t.executor());
  request_batcher<Mistake> batcher(t.executor(), {.batch_size = 3, .longest_wait = 5ms, .time_limit = 30ms},
                                   [&remote](const std::vector<std::string>& batch, auto done) {
                                     remote.take(batch.size(), std::move(done));
                                   });
  std::vector<int> answers(7);
  for (int i = 0; i < 7; ++i)
    t.start("client " + std::to_string(i),
            submit_after(i * 3ms, batcher, answers[static_cast<std::size_t>(i)]));
  co_await t.pass(1s);
  EXPECT_EQ(answers, std::vector<int>(7, 1)) << "every request is answered once";
  EXPECT_EQ(remote.received, 7u) << "every request is sent once";
}

ASSAY_TEST(request_batcher, answers_every_request_once, .late = true) {
  return answers_every_request_once<batcher_mistake::none>(t);
}
ASSAY_TEST(request_batcher_with_the_mistake, forgets_the_rest, .late = true) {
  return answers_every_request_once<batcher_mistake::forgets_the_rest>(t);
}
ASSAY_TEST(request_batcher_with_the_mistake, answers_twice, .late = true) {
  return answers_every_request_once<batcher_mistake::answers_twice>(t);
}

}  // namespace
