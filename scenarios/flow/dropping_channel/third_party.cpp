// What people make dropping channels of in C++: Asio's channel with try_send, and a Boost.CircularBuffer, which overwrites what
// is oldest, with a timer for who waits.
#include <algorithm>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/channel_error.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/circular_buffer.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using contract::send_result;

std::size_t checked(std::int64_t capacity) {
  if (capacity < 0) throw contract::rejected_error("a size is a std::size_t");
  return static_cast<std::size_t>(capacity);
}

class try_send_channel final : public contract::dropping_channel {
 public:
  try_send_channel(const asio::any_io_executor& executor, const config& how)
      : rejects_(how.policy == contract::drop_policy::reject),
        capacity_(checked(how.capacity)),
        channel_(executor, capacity_) {}
  /// The channel does not say: sends that succeeded, less receives that have ended, which may be late by some turns.
  std::size_t size() const override { return std::min(sent_ > received_ ? sent_ - received_ : 0, capacity_); }
  void close() override { channel_.close(); }

 protected:
  send_result do_send(item& one, std::int64_t) override {
    if (!channel_.is_open()) throw contract::closed_error();
    if (!channel_.try_send(error_code(), std::move(one)))
      return rejects_ ? send_result::rejected : send_result::dropped;
    ++sent_;
    return send_result::accepted;
  }
  awaitable<item> do_receive() override {
    item got = co_await translated(channel_.async_receive(asio::use_awaitable), &rethrow);
    ++received_;
    co_return got;
  }
  item do_try_receive() override {
    item got;
    const bool received = channel_.try_receive([&got](error_code, item one) { got = std::move(one); });
    if (received && got) ++received_;
    if (!received && !channel_.is_open()) throw contract::closed_error();
    return got;
  }

 private:
  [[noreturn]] static void rethrow(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const boost::system::system_error& error) {
      if (error.code() == asio::experimental::error::channel_cancelled) contract::throw_cancelled();
      if (error.code() == asio::experimental::error::channel_closed) throw contract::closed_error();
      throw;
    }
  }

  bool rejects_;
  std::size_t capacity_;
  asio::experimental::channel<void(error_code, item)> channel_;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

class overwriting_ring final : public contract::dropping_channel {
 public:
  overwriting_ring(const asio::any_io_executor& executor, const config& how)
      : ring_(checked(how.capacity)), sent_(executor, asio::steady_timer::time_point::max()) {}
  std::size_t size() const override { return ring_.size(); }

 protected:
  send_result do_send(item& one, std::int64_t) override {
    if (ring_.capacity() == 0) return send_result::dropped;
    item overwritten;
    if (ring_.full()) overwritten = std::move(ring_.front());
    ring_.push_back(std::move(one));
    sent_.cancel();
    if (overwritten) dropped(overwritten);
    return send_result::accepted;
  }
  awaitable<item> do_receive() override {
    while (ring_.empty()) {
      error_code ended;  // a send or a request: after a request, the next co_await throws
      co_await sent_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      const auto scope = co_await asio::this_coro::cancellation_state;
      if (scope.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
    }
    co_return take();
  }
  item do_try_receive() override { return ring_.empty() ? item() : take(); }

 private:
  item take() {
    item first = std::move(ring_.front());
    ring_.pop_front();
    return first;
  }

  boost::circular_buffer<item> ring_;
  asio::steady_timer sent_;
};

const implements<try_send_channel> channel(
    "asio_channel", subject_kind::third_party,
    {.features = {"newest", "reject", "exact_capacity", "direct", "competing", "try", "close",
                  "posted_wakeups"},
     .cites = "Boost 1.81, Asio reference, experimental::basic_channel: max_buffer_size; try_send: 'try to "
              "send a message without "
              "blocking', false if it 'could not be sent'; try_receive; close; a message goes to who "
              "receives or to the buffer",
     .library = "Boost " + boost_version()});
const implements<overwriting_ring> ring(
    "circular_buffer", subject_kind::third_party,
    {.features = {"oldest", "exact_capacity", "competing", "try", "posted_wakeups"},
     .cites = "Boost 1.81, Boost.CircularBuffer: 'When its capacity is exhausted, newly inserted elements "
              "will cause elements to be "
              "overwritten, either at the beginning or end of the buffer'; Asio reference, "
              "basic_waitable_timer::cancel",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
