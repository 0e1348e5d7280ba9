// Boost.Asio's experimental channels as bounded queues. They claim what their reference documentation promises:
// buffering up to a bound, try_send and try_receive, close; and a timed receive, made of `async_receive || timer`, since it
// is what everybody writes, and with the tokens `cancel_after` and `cancel_at`, which Boost has from 1.86 on.
#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/version.hpp>
#if BOOST_VERSION >= 108600
#include <boost/asio/cancel_after.hpp>
#include <boost/asio/cancel_at.hpp>
#endif
#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// The channel says channel_cancelled, and operator|| wraps what it reports when it is cancelled from outside.
[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const asio::multiple_exceptions& several) {
    rethrow(several.first_exception());
  } catch (const boost::system::system_error& error) {
    if (error.code() == asio::experimental::error::channel_cancelled) contract::throw_cancelled();
    if (error.code() == asio::experimental::error::channel_closed) throw contract::closed_error();
    throw;
  }
}

std::size_t checked_capacity(const contract::bounded_queue_config& config) {
  if (config.capacity < 0) throw contract::rejected_error("a channel's size is a std::size_t");
  return static_cast<std::size_t>(config.capacity);
}

// All but the timed calls, of which there are several ways.
template <class Channel>
class channel_queue : public contract::bounded_queue {
 public:
  channel_queue(asio::any_io_executor executor, const contract::bounded_queue_config& config)
      : capacity_(checked_capacity(config)), channel_(std::move(executor), capacity_) {}

  /// The channel does not say how much it holds: sends that have ended, less receives that have. Either may be late by
  /// some turns, so between two of them this is a guess, and no more than there can be.
  std::size_t size() const override {
    return std::min(sent_ > received_ ? sent_ - received_ : 0, std::max<std::size_t>(capacity_, 1));
  }
  void close() override { channel_.close(); }

 protected:
  awaitable<void> do_push(item one) override {
    co_await translated(channel_.async_send(error_code(), std::move(one), asio::use_awaitable), rethrow);
    ++sent_;
  }
  awaitable<item> do_pop() override {
    item got = co_await translated(channel_.async_receive(asio::use_awaitable), rethrow);
    ++received_;
    co_return got;
  }

  bool do_try_push(item& one) override {
    if (!channel_.is_open()) throw contract::closed_error();
    if (!channel_.try_send(error_code(), std::move(one))) return false;
    ++sent_;
    return true;
  }

  item do_try_pop() override {
    item got;
    const bool received = channel_.try_receive([&got](error_code, item one) { got = std::move(one); });
    if (received && got) ++received_;
    if (!received && !channel_.is_open()) throw contract::closed_error();
    return got;
  }

  Channel& channel() noexcept { return channel_; }
  void count_sent() noexcept { ++sent_; }
  void count_received() noexcept { ++received_; }

 private:
  const std::size_t capacity_;
  Channel channel_;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

// `channel || timer`.
template <class Channel>
class racing_queue final : public channel_queue<Channel> {
 public:
  using channel_queue<Channel>::channel_queue;

 protected:
  asio::awaitable<void> do_push_for(item one, std::chrono::nanoseconds patience) override {
    using namespace asio::experimental::awaitable_operators;
    auto sending = this->channel().async_send(error_code(), std::move(one), asio::use_awaitable);
    const auto first = co_await translated(std::move(sending) || sleep_for(patience), rethrow);
    if (first.index() == 1) throw contract::timed_out_error();
    this->count_sent();
  }
  asio::awaitable<item> do_pop_for(std::chrono::nanoseconds patience) override {
    using namespace asio::experimental::awaitable_operators;
    auto receiving = this->channel().async_receive(asio::use_awaitable);
    auto first = co_await translated(std::move(receiving) || sleep_for(patience), rethrow);
    if (first.index() == 1) throw contract::timed_out_error();
    this->count_received();
    co_return std::get<0>(std::move(first));
  }
};

#if BOOST_VERSION >= 108600
struct with_cancel_after {
  static auto token(std::chrono::nanoseconds patience) {
    return asio::cancel_after(patience, asio::use_awaitable);
  }
};
struct with_cancel_at {
  static auto token(std::chrono::nanoseconds patience) {
    return asio::cancel_at(deadline_after(patience), asio::use_awaitable);
  }
};

// One operation with a time limit: at the deadline the token cancels it, and what it ends with is the answer.
template <class Channel, class Limit>
class cancelling_queue final : public channel_queue<Channel> {
 public:
  using channel_queue<Channel>::channel_queue;

 protected:
  asio::awaitable<void> do_push_for(item one, std::chrono::nanoseconds patience) override {
    auto sending = this->channel().async_send(error_code(), std::move(one), Limit::token(patience));
    const std::exception_ptr failure = co_await failure_of(std::move(sending));
    const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
    if (failure) rethrow_limited(failure, requests);
    this->count_sent();
  }
  asio::awaitable<item> do_pop_for(std::chrono::nanoseconds patience) override {
    auto receiving = this->channel().async_receive(Limit::token(patience));
    item got;
    const std::exception_ptr failure = co_await failure_of(std::move(receiving), got);
    const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
    if (failure) rethrow_limited(failure, requests);
    this->count_received();
    co_return got;
  }

 private:
  // The channel says cancelled in both cases. It was the deadline if nobody else asked.
  [[noreturn]] static void rethrow_limited(const std::exception_ptr& failure,
                                           const asio::cancellation_state& requests) {
    try {
      rethrow(failure);
    } catch (const boost::system::system_error& error) {
      const bool cancelled = error.code() == asio::error::operation_aborted;
      if (cancelled && requests.cancelled() == asio::cancellation_type::none)
        throw contract::timed_out_error();
      throw;
    }
  }
};
#endif

using plain_channel = asio::experimental::channel<void(error_code, item)>;
using concurrent_channel = asio::experimental::concurrent_channel<void(error_code, item)>;

subject_traits channel_traits(const char* boost, const char* pages) {
  return {.features = {"try", "timed", "close", "rendezvous"},
          .cites = std::string("Boost ") + boost + ", Asio reference, " + pages,
          .library = "Boost " + boost_version()};
}

const implements<racing_queue<plain_channel>> plain("asio_channel", subject_kind::third_party,
                                                    channel_traits("1.81", "experimental::basic_channel"));

const implements<racing_queue<concurrent_channel>> concurrent(
    "asio_concurrent_channel", subject_kind::third_party,
    channel_traits("1.81", "experimental::basic_concurrent_channel"));

#if BOOST_VERSION >= 108600
const implements<cancelling_queue<plain_channel, with_cancel_after>> cancelled_after(
    "asio_channel_cancel_after", subject_kind::third_party,
    channel_traits("1.86", "experimental::basic_channel, cancel_after"));

const implements<cancelling_queue<concurrent_channel, with_cancel_at>> cancelled_at(
    "asio_concurrent_channel_cancel_at", subject_kind::third_party,
    channel_traits("1.86", "experimental::basic_concurrent_channel, cancel_at"));
#endif

}  // namespace
}  // namespace assay
