// The contract of a dropping channel: its senders never wait, and when it is full a policy says what goes. A subject has
// the policies that it claims, and what it has without a claim if it is asked for none.
#pragma once

#include <algorithm>
#include <bit>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

/// `any`: whichever the subject has. The others only where the feature of the same name is claimed.
BOOST_DEFINE_ENUM_CLASS(drop_policy, any, oldest, newest, reject, conflate)

struct dropping_channel_config {
  /// Items that are buffered at most. Below 1 it is rejected, or means that nothing is buffered (DRP-7).
  std::int64_t capacity = 1;
  drop_policy policy = drop_policy::any;
};
BOOST_DESCRIBE_STRUCT(dropping_channel_config, (), (capacity, policy))

/// What becomes of an item that is sent.
BOOST_DEFINE_ENUM_CLASS(send_result, accepted, dropped, rejected)

struct dropping_channel_statistics {
  std::size_t size = 0;              ///< buffered items
  std::size_t sent = 0;              ///< what sends have accepted or dropped
  std::size_t dropped = 0;           ///< of all that
  std::size_t parked_receivers = 0;  ///< who waits for an item
};
BOOST_DESCRIBE_STRUCT(dropping_channel_statistics, (), (size, sent, dropped, parked_receivers))

/// An item, and how many were dropped since the one that was received before it.
struct received_item {
  received_item() = default;
  received_item(item got, std::size_t lost_before) : one(std::move(got)), lost(lost_before) {}
  item one;
  std::size_t lost = 0;
};
BOOST_DESCRIBE_STRUCT(received_item, (), (one, lost))

class dropping_channel : public with_invariant<dropping_channel_config> {
 public:
  static constexpr std::string_view name = "dropping_channel";
  static constexpr feature_info features[] = {
      {"oldest", "Policy `oldest`: without room, what has been in the channel for longest goes."},
      {"newest", "Policy `newest`: without room, the item that is sent goes."},
      {"reject", "Policy `reject`: without room, the sender is told, and keeps the item."},
      {"conflate", "Policy `conflate`: an item takes the place of the one before it, full or not."},
      {"keyed",
       "An item that conflates takes the place of the one with its key; without room for another key, "
       "the oldest goes."},
      {"key_moves_to_tail", "What takes the place of another is the newest then, and comes out last."},
      {"exact_capacity", "The channel holds `capacity` items, and not as many as the next power of two has."},
      {"reject_zero", "A capacity of 0 is rejected."},
      {"direct",
       "What is sent while somebody waits is his at once: sends of one turn find the channel empty still."},
      {"drop_callback", "Each item that is dropped is told of within the call that drops it."},
      {"guarded_callback",
       "What is told of drops may use the channel; what goes for that is told of when it has returned."},
      {"hand_back", "`hand_back` puts an item that was received back to the head; without room, by policy."},
      {"lag_report",
       "`receive_counted` tells how many items were dropped since the one that was received last."},
      {"competing", "Several may wait to receive, and each item goes to one of them."},
      {"fair", "Who has waited longest is served first."},
      {"try", "`try_receive` takes what is there, and never waits."},
      {"timed", "`receive_for` waits no longer than it is told, and then ends as timed out."},
      {"close", "`close` refuses further sends; what is buffered can still be received."},
      {"statistics", "`statistics` tells what was sent, what was dropped, what is there, and who waits."},
      {"strict_entry",
       "A call that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
      {"posted_wakeups", "No receiver continues inside the call that woke it (X-12)."},
      {"checked_destruction", "Destroying a channel with parked receivers ends the process (X-20)."},
  };
  using contract_type = dropping_channel;
  using config = dropping_channel_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  dropping_channel() = default;
  dropping_channel(const dropping_channel&) = delete;
  dropping_channel& operator=(const dropping_channel&) = delete;
  virtual ~dropping_channel() = default;

  // What scenarios call. Each keeps the ledger of items and leaves the rest to the subject.

  /// Takes effect before it returns. Throws closed_error after close. Keys other than 0 only with `keyed`.
  send_result send(item one, std::int64_t key = 0);
  /// Outcomes: the item, cancelled, closed (once the channel is closed and empty).
  awaitable<item> receive();
  /// Buffered items. Right after every turn.
  virtual std::size_t size() const = 0;

  /// `timed`: as receive, or timed_out once `patience` has passed without an effect.
  awaitable<item> receive_for(nanoseconds patience);
  /// `try`: an empty item if there is none; throws closed_error once closed and empty.
  item try_receive();
  /// `lag_report`: as receive.
  awaitable<received_item> receive_counted();
  /// `hand_back`: an item that was received goes back to the head, or to who waits. Without room: `oldest` drops it,
  /// `newest` drops the newest one there is, `reject` rejects it; `conflate` drops what is older than one with its key.
  send_result hand_back(item one, std::int64_t key = 0);
  /// `close`: no more sends; what is buffered can still be received.
  virtual void close() { throw unclaimed_feature("close"); }
  /// `statistics`.
  virtual dropping_channel_statistics statistics() const { throw unclaimed_feature("statistics"); }

  /// Is told of each drop: with `drop_callback` within the call that drops it, else when the subject knows.
  void on_drop(std::function<void(int id)> listener) { account_->listener = std::move(listener); }

  /// DRP-2: no more is buffered than there is room for. DRP-5: with `drop_callback`, what was dropped is not
  /// there; the statistics say the same.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    has_statistics_ = claims("statistics");
    tells_ = claims("drop_callback");
    exact_ = claims("exact_capacity");
  }

 protected:
  // What a subject implements. `one` is left where it is if it is rejected, or if dropped() has not been called with it.
  virtual send_result do_send(item& one, std::int64_t key) = 0;
  virtual awaitable<item> do_receive() = 0;
  virtual awaitable<item> do_receive_for(nanoseconds) { throw unclaimed_feature("timed"); }
  virtual item do_try_receive() { throw unclaimed_feature("try"); }
  virtual awaitable<received_item> do_receive_counted() { throw unclaimed_feature("lag_report"); }
  virtual send_result do_hand_back(item&, std::int64_t) { throw unclaimed_feature("hand_back"); }

  /// What a subject calls with each item that it drops. One that a call was given and has left with the caller is dropped by
  /// the result of the call, unless `drop_callback` is claimed.
  void dropped(const item& one) { dropped(one, *account_); }

 private:
  struct account {
    std::size_t receives = 0;  // under way
    std::size_t sent = 0;      // and not rejected
    std::size_t fates = 0;     // items that were received or dropped, less those that came back
    std::size_t told = 0;      // dropped
    std::function<void(int id)> listener;
  };
  static void dropped(const item& one, account& known) {
    one.settled(item_state::dropped);
    ++known.fates;
    ++known.told;
    if (known.listener) known.listener(one.id());
  }
  static void took(const item& got, account& known) {
    ++known.fates;
    got.delivered();
  }
  template <class Call>
  send_result handing(item one, Call call);
  std::string statistics_invariant(std::size_t held) const;

  const std::shared_ptr<account> account_ = make_account<account>();
  bool has_statistics_ = false;
  bool tells_ = false;
  bool exact_ = false;
};

template <class Call>
send_result dropping_channel::handing(item one, Call call) {
  const std::shared_ptr<account> known = account_;
  handing_in entry(one, this);
  const send_result result = call(one);
  if (result == send_result::rejected) return result;
  entry.taken();
  if (result == send_result::dropped && one && !tells_) dropped(one, *known);
  return result;
}

inline send_result dropping_channel::send(item one, std::int64_t key) {
  ++account_->sent;
  send_result result{};
  try {
    result = handing(std::move(one), [&](item& offered) { return do_send(offered, key); });
  } catch (...) {
    --account_->sent;
    throw;
  }
  if (result == send_result::rejected) --account_->sent;
  return result;
}

inline send_result dropping_channel::hand_back(item one, std::int64_t key) {
  const send_result result =
      handing(std::move(one), [&](item& offered) { return do_hand_back(offered, key); });
  if (result != send_result::rejected) --account_->fates;
  return result;
}

inline boost::asio::awaitable<item> dropping_channel::receive() {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::receives);
  item got = co_await do_receive();
  took(got, *known);
  co_return got;
}

inline boost::asio::awaitable<item> dropping_channel::receive_for(nanoseconds patience) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::receives);
  item got = co_await do_receive_for(patience);
  took(got, *known);
  co_return got;
}

inline boost::asio::awaitable<received_item> dropping_channel::receive_counted() {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::receives);
  received_item got = co_await do_receive_counted();
  took(got.one, *known);
  co_return got;
}

inline item dropping_channel::try_receive() {
  item got = do_try_receive();
  if (got) took(got, *account_);
  return got;
}

inline std::string dropping_channel::invariant() const {
  const look now(*this);
  if (!now) return {};
  const std::size_t held = size();
  const auto capacity = static_cast<std::size_t>(std::max<std::int64_t>(wanted().capacity, 0));
  const std::size_t room = exact_ ? capacity : std::bit_ceil(capacity);
  if (held > room && capacity > 0)
    return exceeded("DRP-2: more items are buffered than there is room for", room, held);
  if (!in_process() || !tells_) return {};
  const account& known = *account_;
  const std::size_t inside = known.sent - known.fates;
  if (inside < held)
    return exceeded("DRP-5: more is there than was sent, and neither received nor dropped", inside, held);
  return has_statistics_ ? statistics_invariant(held) : std::string();
}

inline std::string dropping_channel::statistics_invariant(std::size_t held) const {
  const dropping_channel_statistics said = statistics();
  const auto differs = [](const char* what, std::size_t expected, std::size_t observed) {
    return std::string("DRP-5: the statistics say how many ") + what + ": expected " +
           std::to_string(expected) + "; observed: " + std::to_string(observed);
  };
  if (said.size != held) return differs("are there", held, said.size);
  if (said.sent != account_->sent) return differs("were sent", account_->sent, said.sent);
  if (said.dropped != account_->told) return differs("were dropped", account_->told, said.dropped);
  if (said.parked_receivers > account_->receives)
    return exceeded("DRP-5: more receivers are parked than receive", account_->receives,
                    said.parked_receivers);
  return {};
}

}  // namespace assay::contract
