// Boost.Asio's experimental channels as bounded queues.
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/channel.hpp>
#include <boost/asio/experimental/concurrent_channel.hpp>

#include "harness/campaign/catalogue.hpp"
#include "scenarios/flow/bounded_queue/contract.hpp"

ASSAY_PART(bounded_queue_third_party)

namespace assay {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// The channel's own words for the contract's outcomes.
[[noreturn]] void translate(const boost::system::system_error& error) {
  if (error.code() == asio::experimental::error::channel_cancelled) contract::throw_cancelled();
  if (error.code() == asio::experimental::error::channel_closed) throw contract::closed_error();
  throw error;
}

template <class Channel>
class channel_queue final : public contract::bounded_queue {
 public:
  channel_queue(asio::any_io_executor executor, std::size_t capacity)
      : channel_(std::move(executor), capacity) {}
  std::size_t size() const override { return buffered_; }
  void close() override { channel_.close(); }

 protected:
  awaitable<void> do_push(item one) override {
    try {
      co_await channel_.async_send(error_code(), std::move(one), asio::use_awaitable);
      ++buffered_;
    } catch (const boost::system::system_error& error) {
      translate(error);
    }
  }
  awaitable<item> do_pop() override {
    try {
      item got = co_await channel_.async_receive(asio::use_awaitable);
      --buffered_;
      co_return got;
    } catch (const boost::system::system_error& error) {
      translate(error);
    }
  }

 private:
  Channel channel_;
  std::size_t buffered_ = 0;  // the channel does not say: sends that have ended less receives that have
};

using plain_channel = asio::experimental::channel<void(error_code, item)>;

const detail::registrar plain(std::make_unique<subject<contract::bounded_queue>>(
    "asio_channel", subject_kind::third_party, subject_traits{.features = {"try", "timed", "close"}},
    [](environment& env, const contract::bounded_queue_config& config) {
      return std::make_unique<channel_queue<plain_channel>>(env.executor(),
                                                            static_cast<std::size_t>(config.capacity));
    }));

}  // namespace
}  // namespace assay
