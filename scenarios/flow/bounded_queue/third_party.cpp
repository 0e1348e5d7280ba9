// Boost.Asio's experimental channels as bounded queues. They claim what their reference documentation promises:
// buffering up to a bound, try_send and try_receive, close; and, since it is what everybody writes, a timed receive
// made of `async_receive || timer`.
#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>
#include <string>
#include <utility>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
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

template <class Channel>
class channel_queue final : public contract::bounded_queue {
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

  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    using namespace asio::experimental::awaitable_operators;
    auto sending = channel_.async_send(error_code(), std::move(one), asio::use_awaitable);
    const auto first = co_await translated(std::move(sending) || sleep_for(patience), rethrow);
    if (first.index() == 1) throw contract::timed_out_error();
    ++sent_;
  }
  awaitable<item> do_pop_for(nanoseconds patience) override {
    using namespace asio::experimental::awaitable_operators;
    auto receiving = channel_.async_receive(asio::use_awaitable);
    auto first = co_await translated(std::move(receiving) || sleep_for(patience), rethrow);
    if (first.index() == 1) throw contract::timed_out_error();
    ++received_;
    co_return std::get<0>(std::move(first));
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

 private:
  const std::size_t capacity_;
  Channel channel_;
  std::size_t sent_ = 0;
  std::size_t received_ = 0;
};

subject_traits channel_traits(const char* page) {
  return {.features = {"try", "timed", "close", "rendezvous"},
          .cites = std::string("Boost 1.81, Asio reference, ") + page,
          .library = "Boost " + boost_version()};
}

const implements<channel_queue<asio::experimental::channel<void(error_code, item)>>> plain(
    "asio_channel", subject_kind::third_party, channel_traits("experimental::basic_channel"));

const implements<channel_queue<asio::experimental::concurrent_channel<void(error_code, item)>>> concurrent(
    "asio_concurrent_channel", subject_kind::third_party,
    channel_traits("experimental::basic_concurrent_channel"));

}  // namespace
}  // namespace assay
