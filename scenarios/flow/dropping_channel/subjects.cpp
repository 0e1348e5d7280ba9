// The least dropping channel, and the alternatives.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/dropping_channel/alternative.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

// For one receiver, who is woken, and looks again. Full, it drops what is sent, and tells nobody but the sender.
class least_channel final : public contract::dropping_channel {
 public:
  least_channel(const asio::any_io_executor& executor, const config& how)
      : sent_(executor, asio::steady_timer::time_point::max()),
        capacity_(static_cast<std::size_t>(how.capacity)) {
    if (how.capacity < 0) throw contract::rejected_error("a capacity below 0");
  }
  std::size_t size() const override { return buffer_.size(); }

 protected:
  contract::send_result do_send(item& one, std::int64_t) override {
    if (buffer_.size() >= capacity_) return contract::send_result::dropped;
    buffer_.push_back(std::move(one));
    sent_.cancel();
    return contract::send_result::accepted;
  }
  awaitable<item> do_receive() override {
    while (buffer_.empty()) {
      boost::system::error_code ended;
      co_await sent_.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      const auto scope = co_await asio::this_coro::cancellation_state;
      if (scope.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
    }
    item one = std::move(buffer_.front());
    buffer_.pop_front();
    co_return one;
  }

 private:
  asio::steady_timer sent_;
  std::size_t capacity_;
  std::deque<item> buffer_;
};

std::vector<std::string> features(const char* besides = nullptr) {
  std::vector<std::string> all = {"oldest",       "newest",         "reject",
                                  "conflate",     "keyed",          "exact_capacity",
                                  "reject_zero",  "direct",         "hand_back",
                                  "competing",    "drop_callback",  "guarded_callback",
                                  "lag_report",   "fair",           "try",
                                  "timed",        "close",          "statistics",
                                  "strict_entry", "posted_wakeups", "checked_destruction"};
  if (besides != nullptr) all.emplace_back(besides);
  return all;
}

const implements<least_channel> least("least", subject_kind::alternative, {});
const implements<alternative_channel> alternative("giving_back_channel", subject_kind::alternative,
                                                  {.features = features()}, false, channel_defect::none);
const implements<alternative_channel> moving("moving_keys_channel", subject_kind::alternative,
                                             {.features = features("key_moves_to_tail")}, true,
                                             channel_defect::none);

}  // namespace
}  // namespace assay
