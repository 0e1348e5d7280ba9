// The reference's dropping channel behind the contract.
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <exception>
#include <optional>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/flow/dropping_channel.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>

namespace assay {
namespace {

struct keyed_item {
  keyed_item() = default;
  keyed_item(item what, std::int64_t its_key) : one(std::move(what)), key(its_key) {}
  item one;
  std::int64_t key = 0;
};
struct key_of_item {
  std::int64_t operator()(const keyed_item& one) const noexcept { return one.key; }
};

// The reference's own words for the contract's outcomes.
[[noreturn]] void rethrow(const std::exception_ptr& failure) try {
  std::rethrow_exception(failure);
} catch (const reference::closed&) {
  throw contract::closed_error();
} catch (const reference::timed_out&) {
  throw contract::timed_out_error();
}

class reference_channel final : public contract::dropping_channel {
  using channel = reference::dropping_channel<keyed_item, key_of_item>;

 public:
  reference_channel(const boost::asio::any_io_executor&, const config& how) : channel_(options_of(how)) {}
  std::size_t size() const override { return channel_.size(); }
  void close() override { channel_.close(); }
  contract::dropping_channel_statistics statistics() const override {
    const reference::channel_statistics now = channel_.statistics();
    return {now.size, now.sent, now.dropped, now.parked_receivers};
  }

 protected:
  contract::send_result do_send(item& one, std::int64_t key) override {
    return handing(one, key, &channel::send);
  }
  awaitable<item> do_receive() override {
    keyed_item got = co_await translated(channel_.receive(), &rethrow);
    co_return std::move(got.one);
  }
  awaitable<item> do_receive_for(nanoseconds patience) override {
    keyed_item got =
        co_await translated(channel_.receive_until(reference::deadline_after(patience)), &rethrow);
    co_return std::move(got.one);
  }
  item do_try_receive() override try {
    std::optional<keyed_item> got = channel_.try_receive();
    return got ? std::move(got->one) : item();
  } catch (const reference::closed&) {
    throw contract::closed_error();
  }
  awaitable<contract::received_item> do_receive_counted() override {
    reference::received<keyed_item> got = co_await translated(channel_.receive_counted(), &rethrow);
    co_return contract::received_item(std::move(got.item.one), got.lost);
  }
  contract::send_result do_hand_back(item& one, std::int64_t key) override {
    return handing(one, key, &channel::hand_back);
  }

 private:
  channel::options options_of(const config& how) {
    if (how.capacity < 1) throw contract::rejected_error("a capacity below 1");
    channel::options all;
    all.capacity = static_cast<std::ptrdiff_t>(how.capacity);
    all.on_drop = [this](const keyed_item& one) { dropped(one.one); };
    constexpr reference::drop_policy policies[] = {
        reference::drop_policy::oldest, reference::drop_policy::oldest, reference::drop_policy::newest,
        reference::drop_policy::reject, reference::drop_policy::conflate};
    all.policy = policies[static_cast<std::size_t>(how.policy)];
    return all;
  }
  contract::send_result handing(item& one, std::int64_t key,
                                reference::send_result (channel::*call)(keyed_item&)) try {
    keyed_item offered(std::move(one), key);
    const reference::send_result result = (channel_.*call)(offered);
    one = std::move(offered.one);
    return static_cast<contract::send_result>(result);
  } catch (const reference::closed&) {
    throw contract::closed_error();
  }

  channel channel_;
};

const implements<reference_channel> registered("reference", subject_kind::reference,
                                               {.features = {"oldest",
                                                             "newest",
                                                             "reject",
                                                             "conflate",
                                                             "keyed",
                                                             "exact_capacity",
                                                             "reject_zero",
                                                             "direct",
                                                             "drop_callback",
                                                             "guarded_callback",
                                                             "hand_back",
                                                             "lag_report",
                                                             "competing",
                                                             "fair",
                                                             "try",
                                                             "timed",
                                                             "close",
                                                             "statistics",
                                                             "strict_entry",
                                                             "posted_wakeups",
                                                             "checked_destruction"}});

}  // namespace
}  // namespace assay
