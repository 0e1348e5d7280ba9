// The clauses of dropping_channel, each beside the scenarios that check it.
//
// What does not depend on the policy is asked of each policy that the subject claims, and of its own if it claims none. Where
// keys are not told apart, what conflates holds one item.
#include <algorithm>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>
#include <assay/scenarios/flow/dropping_channel/policies.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::format_duration;
using assay::is_rejected;
using assay::item;
using assay::operation;
using assay::policies_of;
using assay::trial;
using assay::contract::drop_policy;
using assay::contract::dropping_channel;
using assay::contract::received_item;
using assay::contract::send_result;
using std::chrono::nanoseconds;
using maker = assay::maker<dropping_channel>;

// ---- what several scenarios do

template <class... Ids>
std::vector<int> ids(Ids... all) {
  return {all...};
}
std::vector<int> from_to(int first, int last) {
  std::vector<int> all;
  for (int id = first; id <= last; ++id) all.push_back(id);
  return all;
}

std::string_view name_of(drop_policy policy) {
  constexpr std::string_view names[] = {"any", "oldest", "newest", "reject", "conflate"};
  return names[static_cast<std::size_t>(policy)];
}
std::string under(std::string_view text, drop_policy policy) {
  return std::string(text) + " (policy " + std::string(name_of(policy)) + ")";
}

// Whether a channel of this policy holds more than one item: by its keys, then, where it conflates.
bool holds_many(const maker& make, drop_policy policy) {
  return policy != drop_policy::conflate || make.claims("keyed");
}
bool keeps_what_comes(drop_policy policy) {
  return policy == drop_policy::oldest || policy == drop_policy::conflate;
}

// With a key of its own, where there are keys.
send_result send(trial& t, const maker& make, dropping_channel& channel, int id) {
  return channel.send(t.item(id), make.claims("keyed") ? id : 0);
}
void send_all(trial& t, const maker& make, dropping_channel& channel, const std::vector<int>& all) {
  for (const int id : all) (void)send(t, make, channel, id);
}

// Receives what is there without waiting for more. What gets nothing beside an item is taken back; the caller sees it missing.
asio::awaitable<std::vector<int>> receive_what_is_there(trial& t, dropping_channel& channel) {
  std::vector<int> got;
  co_await t.settle();
  while (channel.size() > 0) {
    auto next = co_await t.begin("receive the rest", channel.receive());
    if (!next.done()) {
      co_await t.cancel(next);
      break;
    }
    got.push_back(next.value().id());
  }
  co_return got;
}

// What is left of items in order, of which `room` can be held, if they were sent without anybody who received.
std::vector<int> survivors(std::vector<int> all, std::size_t room, drop_policy policy) {
  if (all.size() <= room) return all;
  const auto many = static_cast<std::ptrdiff_t>(room);
  if (keeps_what_comes(policy)) {
    all.erase(all.begin(), all.end() - many);
  } else {
    all.resize(room);
  }
  return all;
}

asio::awaitable<void> receive_one(dropping_channel& channel) { const item got = co_await channel.receive(); }
asio::awaitable<void> receive_one_within(dropping_channel& channel, nanoseconds patience) {
  const item got = co_await channel.receive_for(patience);
}
asio::awaitable<void> send_one(trial& t, dropping_channel& channel, int id) {
  (void)channel.send(t.item(id));
  co_return;
}
asio::awaitable<void> send_at(trial& t, dropping_channel& channel, nanoseconds delay, int id) {
  co_await assay::sleep_for(delay);
  (void)channel.send(t.item(id));
}

}  // namespace

ASSAY_CONTRACT(dropping_channel, "flow", "never blocks its senders: drops by policy");

// ---- sending

ASSAY_CLAUSE(dropping_channel, "DRP-1", must,
             "Send never waits: it has taken effect, in a full channel too, when it returns.") {
  int id = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    const send_result first = send(t, make, *channel, ++id);
    t.expect(first == send_result::accepted, under("a channel that is empty takes an item", policy));
    t.expect_eq(channel->size(), 1U, under("the item is there when the send returns", policy));
    for (int i = 0; i < 3; ++i) {
      (void)send(t, make, *channel, ++id);
      t.expect_eq(channel->size(), 1U, under("the channel is full when the send returns", policy));
    }
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    t.expect_eq(rest.size(), 1U, under("one item comes out", policy));
  }
}

namespace {

// Fills a channel beyond what it holds, and looks at what is left.
asio::awaitable<void> overfill(trial& t, const maker& make, drop_policy policy, std::size_t capacity,
                               int base) {
  auto channel = make({.capacity = static_cast<std::int64_t>(capacity), .policy = policy});
  const std::vector<int> all = from_to(base + 1, base + 2 * static_cast<int>(capacity) + 1);
  for (std::size_t i = 0; i < capacity; ++i) {
    const send_result result = send(t, make, *channel, all[i]);
    t.expect(result == send_result::accepted, under("nothing goes while there is room", policy));
    t.expect_eq(channel->size(), i + 1, under("an item takes up one place", policy));
  }
  for (std::size_t i = capacity; i < all.size(); ++i) {
    const send_result result = send(t, make, *channel, all[i]);
    t.expect_eq(channel->size(), capacity, under("a full channel stays full, and no more", policy));
    if (policy == drop_policy::any) continue;
    const auto expected = keeps_what_comes(policy)        ? send_result::accepted
                          : policy == drop_policy::newest ? send_result::dropped
                                                          : send_result::rejected;
    t.expect(result == expected, under("the policy says what becomes of what is sent", policy));
    co_await t.settle();
  }
  const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
  t.expect_eq(rest.size(), capacity, under("as many come out as there is room for", policy));
  if (policy != drop_policy::any)
    t.expect_eq(rest, survivors(all, capacity, policy), under("the policy picks what goes", policy));
}

}  // namespace

ASSAY_CLAUSE(dropping_channel, "DRP-2", must,
             "Capacity (without `exact_capacity`, the next power of two) is never exceeded, and nothing is "
             "dropped while there is room; then the policy picks the victim: `oldest` the head, `newest` the "
             "item that is sent; `reject` tells the caller; `conflate` keeps the latest of each key.",
             .asks = {"oldest", "newest", "reject", "conflate", "keyed"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    for (const std::size_t capacity : {1U, 2U, 4U}) {
      if (capacity == 1 || holds_many(make, policy)) co_await overfill(t, make, policy, capacity, base);
      base += 20;
    }
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-2", "exact", .features = {"exact_capacity"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    for (const std::size_t capacity : {3U, 5U}) {
      if (holds_many(make, policy)) co_await overfill(t, make, policy, capacity, base);
      base += 20;
    }
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-2", "a rejected item", .features = {"reject"},
               .why = "The sender has it still, and may send it again.") {
  auto channel = make({.capacity = 1, .policy = drop_policy::reject});
  (void)channel->send(t.item(1));
  const send_result result = channel->send(t.item(2));
  t.expect(result == send_result::rejected, "the sender is told that there is no room");
  t.expect(t.items().state(2) == assay::item_state::returned, "a rejected item is the sender's");
  const item first = co_await channel->receive();
  t.expect_eq(first.id(), 1, "what is in the channel stays there");
  const send_result again = channel->send(t.item(3));
  t.expect(again == send_result::accepted, "when there is room again, items are taken");
  const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
  t.expect_eq(rest, ids(3), "and come out");
}

ASSAY_SCENARIO(
    dropping_channel, "DRP-2", "keys", .features = {"conflate", "keyed"}, .asks = {"key_moves_to_tail"},
    .why =
        "The newest value of a key stands at the place of the oldest, or at the tail where that is "
        "declared.") {
  auto channel = make({.capacity = 3, .policy = drop_policy::conflate});
  for (int id = 1; id <= 3; ++id) (void)channel->send(t.item(id), id);
  (void)channel->send(t.item(4), 1);
  (void)channel->send(t.item(5), 2);
  (void)channel->send(t.item(6), 1);
  t.expect_eq(channel->size(), 3U, "one item of each key is there");
  const std::vector<int> expected = make.claims("key_moves_to_tail") ? ids(3, 5, 6) : ids(6, 5, 3);
  const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
  t.expect_eq(rest, expected, "the latest of each key is there, at its place");
  (void)channel->send(t.item(7), 1);
  (void)channel->send(t.item(8), 1);
  const std::vector<int> later = co_await receive_what_is_there(t, *channel);
  t.expect_eq(later, ids(8), "a key that was received begins anew");
}

namespace {

asio::awaitable<void> send_two(trial& t, const maker& make, dropping_channel& channel, int first) {
  (void)send(t, make, channel, first);
  (void)send(t, make, channel, first + 1);
  co_return;
}

}  // namespace

ASSAY_CLAUSE(dropping_channel, "DRP-3", must,
             "To let one item go and to put the other in its place is one atomic step with respect to "
             "receivers and other "
             "senders.") {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    const std::size_t capacity = holds_many(make, policy) ? 2 : 1;
    auto channel = make({.capacity = static_cast<std::int64_t>(capacity), .policy = policy});
    send_all(t, make, *channel, from_to(base + 1, base + 2));
    auto one = t.start("sends 3, 4", send_two(t, make, *channel, base + 3));
    auto other = t.start("sends 5, 6", send_two(t, make, *channel, base + 5));
    co_await t.settle();
    t.expect(one.done() && other.done(), "no send waits");
    t.expect_eq(channel->size(), capacity, under("a full channel stays full while several send", policy));
    auto reader = co_await t.begin("receive", channel->receive());
    t.expect(reader.done(), under("who receives from a full channel gets something", policy));
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    t.expect_eq(rest.size(), capacity - 1, under("each send lets one item go, and no more", policy));
    base += 10;
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-3", "seen at once", .features = {"try"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    const int capacity = holds_many(make, policy) ? 2 : 1;
    auto channel = make({.capacity = capacity, .policy = policy});
    send_all(t, make, *channel, from_to(base + 1, base + capacity + 1));
    int got = 0;
    while (channel->try_receive()) ++got;
    t.expect_eq(got, capacity, under("who tries in the same turn finds a full channel", policy));
    co_await t.settle();
    base += 10;
  }
}

ASSAY_CLAUSE(dropping_channel, "DRP-4", must,
             "Nothing is dropped while a receiver waits, and no receiver waits beside an item; with "
             "`direct`, what is sent is the "
             "receiver's at once.") {
  int id = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    for (int round = 0; round < 3; ++round) {
      auto receiver = co_await t.begin("receive", channel->receive());
      t.premise(receiver.pending(), "a receiver is parked");
      const send_result result = send(t, make, *channel, ++id);
      t.expect(result == send_result::accepted, under("nothing is dropped while a receiver waits", policy));
      co_await t.settle();
      t.expect(receiver.done(), under("no receiver waits beside an item", policy));
      t.expect_eq(channel->size(), 0U, under("what was received is not there any more", policy));
      co_await t.cancel(receiver);
    }
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-4", "several", .features = {"competing"}, .asks = {"fair"}) {
  int id = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    auto first = co_await t.begin("receive a", channel->receive());
    auto second = co_await t.begin("receive b", channel->receive());
    t.premise(first.pending() && second.pending(), "two receivers are parked");
    (void)send(t, make, *channel, ++id);
    co_await t.settle();
    t.expect(first.done() != second.done(), under("one of those who wait has the item", policy));
    if (make.claims("fair")) t.expect(first.done(), "X-13: who waited first is served first");
    (void)send(t, make, *channel, ++id);
    co_await t.settle();
    t.expect(first.done() && second.done(), under("and the other one the next", policy));
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-4", "in one turn", .features = {"direct"},
               .why = "A woken receiver that takes its item later would lose it to the next send.") {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    auto receiver = co_await t.begin("receive", channel->receive());
    t.premise(receiver.pending(), "a receiver is parked");
    for (int i = 1; i <= 2; ++i) {
      const send_result result = send(t, make, *channel, base + i);
      t.expect(result == send_result::accepted,
               under("nothing is dropped although two come in one turn", policy));
    }
    co_await t.settle();
    t.expect_eq(receiver.value().id(), base + 1, under("who waits gets what came first", policy));
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    t.expect_eq(rest, ids(base + 2), under("and the next one is in the channel", policy));
    base += 10;
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-4", "several, in one turn", .features = {"direct", "competing"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    auto first = co_await t.begin("receive a", channel->receive());
    auto second = co_await t.begin("receive b", channel->receive());
    t.premise(first.pending() && second.pending(), "two receivers are parked");
    send_all(t, make, *channel, from_to(base + 1, base + 3));
    co_await t.settle();
    t.expect(first.done() && second.done(), under("as many are served as wait", policy));
    t.expect_eq(channel->size(), 1U, under("and what is beyond them is in the channel", policy));
    (void)co_await receive_what_is_there(t, *channel);
    base += 10;
  }
}

// ---- what is told

namespace {

// Sends three more than a channel holds, and one that finds room; what was told of is in `told`.
asio::awaitable<void> drop_and_listen(trial& t, const maker& make, drop_policy policy, int capacity,
                                      int base) {
  auto channel = make({.capacity = capacity, .policy = policy});
  std::vector<int> told;
  channel->on_drop([&told](int id) { told.push_back(id); });
  std::vector<int> sent;
  for (int i = 1; i <= capacity + 3; ++i) {
    const send_result result = send(t, make, *channel, base + i);
    if (result != send_result::rejected) sent.push_back(base + i);
    t.expect_eq(told.size(), sent.size() - channel->size(),
                under("what goes is told of by the send", policy));
  }
  if (make.claims("statistics")) {
    const auto now = channel->statistics();
    t.expect_eq(now.sent, sent.size(), under("what is sent is counted", policy));
    t.expect_eq(now.dropped, told.size(), under("what is dropped is counted", policy));
  }
  std::vector<int> ended = co_await receive_what_is_there(t, *channel);
  ended.insert(ended.end(), told.begin(), told.end());
  t.expect_eq(assay::sorted(ended), sent,
              under("what is sent is received, or told of as dropped, once", policy));
  channel->on_drop({});
}

}  // namespace

ASSAY_CLAUSE(dropping_channel, "DRP-5", must,
             "Every dropped item is handed to a drop callback exactly once and counted; sent = received + "
             "dropped + buffered.",
             .features = {"drop_callback"}, .asks = {"statistics"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    for (const int capacity : {1, 2}) {
      if (capacity == 1 || holds_many(make, policy))
        co_await drop_and_listen(t, make, policy, capacity, base);
      base += 20;
    }
  }
}

ASSAY_CLAUSE(dropping_channel, "DRP-6", must,
             "Survivors keep their order; `oldest` leaves the last `capacity` items that were sent.") {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    const bool many = holds_many(make, policy);
    auto channel = make({.capacity = many ? 4 : 1, .policy = policy});
    std::vector<int> got;
    for (int round = 0; round < 3; ++round) {  // so that a ring goes round
      send_all(t, make, *channel, from_to(base + 1, base + (many ? 5 : 2)));
      base += 10;
      for (int i = 0; i < (many ? 3 : 1) && channel->size() > 0; ++i) {
        const item one = co_await channel->receive();
        got.push_back(one.id());
      }
    }
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    got.insert(got.end(), rest.begin(), rest.end());
    t.expect(std::is_sorted(got.begin(), got.end()),
             under("what is left comes out in the order of the sends", policy),
             got.empty() ? "nothing" : "the last is " + std::to_string(got.back()));
  }
}

ASSAY_CLAUSE(dropping_channel, "DRP-7", must,
             "A capacity below 1 is rejected (of 0 `reject_zero` promises that), or the channel holds "
             "nothing: 0 never means "
             "without a bound.") {
  int id = 0;
  for (const drop_policy policy : policies_of(make)) {
    for (const int capacity : {0, -1}) {
      assay::made_subject<dropping_channel> channel;
      const bool rejected = is_rejected([&] { channel = make({.capacity = capacity, .policy = policy}); });
      if (rejected) continue;
      for (int i = 0; i < 3; ++i) (void)send(t, make, *channel, ++id);
      t.expect_eq(channel->size(), 0U, under("without capacity nothing is buffered", policy));
    }
  }
  co_return;
}

ASSAY_SCENARIO(dropping_channel, "DRP-7", "zero is rejected", .features = {"reject_zero"}) {
  for (const drop_policy policy : policies_of(make)) {
    t.expect(is_rejected([&] { make({.capacity = 0, .policy = policy}); }),
             under("a capacity of 0 is rejected", policy));
    t.expect(is_rejected([&] { make({.capacity = -1, .policy = policy}); }), under("and so is -1", policy));
  }
  co_return;
}

// ---- cancelled receives

ASSAY_CLAUSE(dropping_channel, "DRP-8", must,
             "A cancelled receive takes nothing: if an item was assigned to it, either receive returns it, "
             "or it goes back to "
             "the head; into a full channel by the policy (the item that comes back is the oldest, so "
             "`oldest` drops it).",
             .swept = true) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    auto victim = t.start("receive", channel->receive());
    if (base == 0) t.victim(victim);
    co_await t.settle();
    t.premise(t.disturbed() || victim.pending(), "the receiver is parked");
    (void)send(t, make, *channel, base + 1);
    co_await t.settle();
    t.expect(victim.done() || victim.cancelled(), "the receive ended with a value or cancelled");
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    const std::vector<int> left = victim.done() ? ids() : ids(base + 1);
    t.expect_eq(rest, left, under("what a cancelled receive did not take is there", policy));
    t.sometimes("the receive was cancelled", victim.cancelled());
    base += 10;
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-8", "into a full channel", .features = {"direct"}, .swept = true,
               .why = "The item that was assigned comes back to a channel that has been filled meanwhile.") {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    std::vector<int> told;
    channel->on_drop([&told](int id) { told.push_back(id); });
    auto victim = t.start("receive", channel->receive());
    t.victim(victim);
    co_await t.settle();
    std::vector<int> left;
    for (int i = 1; i <= 2; ++i) {
      if (send(t, make, *channel, base + i) != send_result::rejected) left.push_back(base + i);
    }
    co_await t.settle();
    if (victim.done()) std::erase(left, victim.value().id());
    for (const int id : told) std::erase(left, id);
    t.expect_eq(left.size(), 1U, under("one of two is not dropped, nor received", policy));
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    t.expect_eq(rest, left, under("what was not received is there, or was dropped by policy", policy));
    if (keeps_what_comes(policy))
      t.expect_eq(rest, ids(base + 2), under("what came back into a full channel is the oldest", policy));
    channel->on_drop({});
    base += 10;
  }
}

namespace {

asio::awaitable<void> hand_back_to_full(trial& t, const maker& make, drop_policy policy, int base) {
  const int capacity = holds_many(make, policy) ? 2 : 1;
  auto channel = make({.capacity = capacity, .policy = policy});
  std::vector<int> told;
  channel->on_drop([&told](int id) { told.push_back(id); });
  const bool keyed = make.claims("keyed");
  (void)send(t, make, *channel, base);
  item first = co_await channel->receive();
  send_all(t, make, *channel, from_to(base + 1, base + capacity));
  const send_result result = channel->hand_back(std::move(first), keyed ? base : 0);
  co_await t.settle();
  const bool keeps = policy == drop_policy::newest;
  const auto expected = keeps                           ? send_result::accepted
                        : policy == drop_policy::reject ? send_result::rejected
                                                        : send_result::dropped;
  t.expect(result == expected, under("the policy says what becomes of what comes back", policy));
  const int victim = keeps ? base + capacity : base;
  if (make.claims("drop_callback"))
    t.expect_eq(told, policy == drop_policy::reject ? ids() : ids(victim),
                under("what goes for it is told of", policy));
  const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
  const int from = keeps ? base : base + 1;
  t.expect_eq(rest, from_to(from, from + capacity - 1), under("what is left is in order", policy));
  channel->on_drop({});
}

}  // namespace

ASSAY_SCENARIO(dropping_channel, "DRP-8", "hand_back, full", .features = {"hand_back"},
               .asks = {"drop_callback"}) {
  int base = 1;
  for (const drop_policy policy : policies_of(make)) {
    if (policy != drop_policy::any) co_await hand_back_to_full(t, make, policy, base);
    base += 10;
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-8", "hand_back", .features = {"hand_back"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    const bool many = holds_many(make, policy);
    auto channel = make({.capacity = 2, .policy = policy});
    send_all(t, make, *channel, many ? ids(base + 1, base + 2) : ids(base + 1));
    item first = co_await channel->receive();
    const send_result result = channel->hand_back(std::move(first), make.claims("keyed") ? base + 1 : 0);
    t.expect(result == send_result::accepted, under("with room, an item is handed back", policy));
    first = co_await channel->receive();
    t.expect_eq(first.id(), base + 1, under("what was handed back is the first again", policy));
    (void)co_await receive_what_is_there(t, *channel);
    auto parked = co_await t.begin("receive", channel->receive());
    t.premise(parked.pending(), "a receiver is parked");
    (void)channel->hand_back(std::move(first), make.claims("keyed") ? base + 1 : 0);
    co_await t.settle();
    t.expect_eq(parked.value().id(), base + 1, under("who waits gets what is handed back", policy));
    base += 10;
  }
}

ASSAY_CLAUSE(dropping_channel, "DRP-9", must,
             "The drop callback runs outside of the critical step and cannot re-enter it: what it sends is "
             "refused, or sent in a "
             "step of its own, and what goes for that is told of afterwards.",
             .features = {"guarded_callback", "drop_callback"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    base += 10;
    if (policy == drop_policy::reject) continue;
    auto channel = make({.capacity = 1, .policy = policy});
    std::vector<int> told;
    int depth = 0;
    int id = base + 2;
    channel->on_drop([&](int gone) {
      told.push_back(gone);
      t.expect(depth == 0, under("no drop is told of while another is", policy));
      t.expect_eq(channel->size(), 1U, under("the channel is full when a drop is told of", policy));
      ++depth;
      if (told.size() < 3) (void)is_rejected([&] { (void)send(t, make, *channel, ++id); });
      --depth;
    });
    send_all(t, make, *channel, from_to(base + 1, base + 2));
    co_await t.settle();
    t.expect(told.size() == 1 || (told.size() == 3 && std::is_sorted(told.begin(), told.end())),
             under("drops are told of in the order in which they come", policy));
    const std::vector<int> rest = co_await receive_what_is_there(t, *channel);
    t.expect_eq(rest.size(), 1U, under("what the callback sends leaves the channel right", policy));
    channel->on_drop({});
  }
}

// ---- close

ASSAY_CLAUSE(dropping_channel, "DRP-10", must,
             "After close, sends fail as closed, and receivers get what is retained (a conflated value that "
             "nobody has seen once), "
             "then closed.",
             .features = {"close"}) {
  int base = 0;
  for (const drop_policy policy : policies_of(make)) {
    const int capacity = holds_many(make, policy) ? 2 : 1;
    auto channel = make({.capacity = capacity, .policy = policy});
    send_all(t, make, *channel, from_to(base + 1, base + capacity + 1));
    const std::size_t retained = channel->size();
    channel->close();
    bool refused = false;
    try {
      (void)send(t, make, *channel, base + 5);
    } catch (const assay::contract::closed_error&) {
      refused = true;
    }
    t.expect(refused, under("a send after close fails as closed", policy));
    for (std::size_t i = 0; i < retained; ++i) {
      auto got = co_await t.begin("receive", channel->receive());
      t.expect(got.done(), under("what is retained is received after close", policy));
      channel->close();
    }
    for (int i = 0; i < 2; ++i) {
      auto last = co_await t.begin("receive after the last", channel->receive());
      t.expect(last.closed(), under("once it is empty, a closed channel says closed", policy));
      co_await t.cancel(last);
    }
    base += 10;
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-10", "parked", .features = {"close"}, .asks = {"competing"}) {
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    std::vector<operation<item>> parked;
    const std::size_t count = make.claims("competing") ? 2 : 1;
    for (std::size_t i = 0; i < count; ++i) parked.push_back(co_await t.begin("receive", channel->receive()));
    channel->close();
    co_await t.settle();
    for (const auto& one : parked) t.expect(one.closed(), under("who waits at close is told closed", policy));
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-10", "timed", .features = {"close", "timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
    auto parked =
        co_await t.begin("receive for " + format_duration(patience), channel->receive_for(patience));
    t.premise(parked.pending(), "a timed receiver is parked");
    channel->close();
    co_await t.settle();
    t.expect(parked.closed(), "a timed receive that is parked is told closed, at once");
    co_await t.cancel(parked);
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-10", "sent and closed in one turn", .features = {"close"},
               .swept = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto victim = t.start("receive", channel->receive());
  t.victim(victim);
  co_await t.settle();
  (void)channel->send(t.item(1));
  channel->close();
  co_await t.settle();
  t.expect(victim.done() || victim.cancelled(), "who waits gets what was sent before the close");
  auto next = co_await t.begin("receive the rest", channel->receive());
  t.expect_eq(next.done(), victim.cancelled(), "what a cancelled receive left is received after close");
  if (victim.done()) t.expect(next.closed(), "once it is empty, a closed channel says closed");
  co_await t.cancel(next);
}

ASSAY_CLAUSE(dropping_channel, "DRP-11", must,
             "Each receiver learns exactly how many it lost, then gets the oldest retained; a receiver that "
             "joins after close is "
             "told closed at once.",
             .features = {"lag_report", "oldest"}) {
  for (const std::size_t capacity : {1U, 4U}) {
    auto channel = make({.capacity = static_cast<std::int64_t>(capacity), .policy = drop_policy::oldest});
    int id = 100 * static_cast<int>(capacity);
    for (const int lost : {2, 0, 3, 1}) {
      const int first = id + 1;
      send_all(t, make, *channel, from_to(first, first + static_cast<int>(capacity) - 1 + lost));
      id += static_cast<int>(capacity) + lost;
      auto next = co_await t.begin("receive_counted", channel->receive_counted());
      t.expect_eq(next.value().one.id(), first + lost, "a receiver gets the oldest that is retained");
      t.expect_eq(next.value().lost, lost, "and learns how many were lost since the last item");
      for (std::size_t i = 1; i < capacity; ++i) {
        auto after = co_await t.begin("receive_counted", channel->receive_counted());
        t.expect_eq(after.value().lost, 0U, "what was told once is not told again");
        t.expect_eq(after.value().one.id(), first + lost + static_cast<int>(i), "in order");
      }
    }
    auto waiting = co_await t.begin("receive_counted", channel->receive_counted());
    t.premise(waiting.pending(), "a receiver is parked");
    (void)send(t, make, *channel, ++id);
    co_await t.settle();
    t.expect_eq(waiting.value().lost, 0U, "who waited has lost nothing");
  }
}

ASSAY_SCENARIO(dropping_channel, "DRP-11", "after close", .features = {"close"}) {
  for (const drop_policy policy : policies_of(make)) {
    auto channel = make({.capacity = 1, .policy = policy});
    channel->close();
    auto late = co_await t.begin("receive", channel->receive());
    t.expect(late.closed(), under("who comes after close is told closed, at once", policy));
    co_await t.cancel(late);
  }
}

// ---- cross-cutting

ASSAY_SCENARIO(dropping_channel, "X-2", "", .swept = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto victim = t.start("receive", channel->receive());
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the receiver is parked");
  co_await t.cancel(victim);
  t.expect(victim.cancelled(), "a cancelled receive ends as cancelled");
  const send_result result = channel->send(t.item(1));
  t.expect(result == send_result::accepted && channel->size() == 1, "a cancelled receive did not happen");
  auto next = co_await t.begin("the next", channel->receive());
  t.expect(next.done(), "who comes next gets the item");
  co_await t.cancel(next);
}

ASSAY_SCENARIO(dropping_channel, "X-3", "", .features = {"timed"}, .swept = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto victim = t.start("receive for 10ms", channel->receive_for(10ms));
  t.victim(victim);
  auto sending = t.start("send exactly then", send_at(t, *channel, 10ms, 1));
  co_await t.pass(10ms);
  t.expect(victim.ended() && sending.done(), "the receive has ended at its deadline");
  t.expect_eq(channel->size(), victim.done() ? 0U : 1U, "the item is where the outcome says");
  (void)co_await receive_what_is_there(t, *channel);
}

ASSAY_SCENARIO(dropping_channel, "X-4", "", .features = {"competing"}, .swept = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto victim = t.start("receive a", channel->receive());
  t.victim(victim);
  co_await t.settle();
  auto other = co_await t.begin("receive b", channel->receive());
  (void)channel->send(t.item(1));
  co_await t.settle();
  t.expect(victim.done() || other.done(), "the next one in line gets what a cancelled receiver held");
  t.expect_eq(channel->size(), 0U, "and it does not lie beside who waits");
  victim.cancel();
  co_await t.cancel(other);
}

ASSAY_SCENARIO(dropping_channel, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  (void)channel->send(t.item(1));
  auto receiver =
      co_await t.begin("receive in a cancelled scope", assay::when_cancelled(receive_one(*channel)));
  co_await t.cancel(receiver);
  t.expect(receiver.cancelled(), "a receive that enters a cancelled scope reports cancelled");
  t.expect_eq(channel->size(), 1U, "and takes nothing");
}

ASSAY_SCENARIO(dropping_channel, "X-7", "") {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto receiver = co_await t.begin("receive", channel->receive());
  t.premise(receiver.pending(), "the receiver is parked");
  receiver.request(asio::cancellation_type::partial);
  co_await t.settle();
  receiver.request(asio::cancellation_type::terminal);
  co_await t.settle();
  t.expect(receiver.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(receiver);
  t.expect(receiver.cancelled(), "one more request changes nothing");
}

ASSAY_SCENARIO(dropping_channel, "X-12", "", .features = {"posted_wakeups"}, .sim_only = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto receiver = co_await t.begin("receive", channel->receive());
  t.premise(receiver.pending(), "a receiver is parked");
  (void)channel->send(t.item(1));
  t.expect(receiver.pending(), "no continuation runs inside the call that woke it");
  co_await t.settle();
  t.expect(receiver.done(), "it runs in a later turn");
}

ASSAY_SCENARIO(dropping_channel, "X-13", "", .features = {"fair", "competing"}, .asks = {"try", "direct"}) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  std::vector<operation<item>> parked;
  for (int i = 0; i < 3; ++i) parked.push_back(co_await t.begin("receive", channel->receive()));
  co_await t.cancel(parked[0]);
  (void)channel->send(t.item(1));
  if (make.claims("try") && make.claims("direct"))
    t.expect(!channel->try_receive(), "who tries does not overtake who waits");
  co_await t.settle();
  t.expect(parked[1].done(), "who has waited longest is served first");
  t.expect(parked[2].pending(), "and nobody else");
  co_await t.cancel(parked[2]);
}

ASSAY_SCENARIO(dropping_channel, "X-20", "", .features = {"checked_destruction"},
               .expects_termination = true) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto receiver = co_await t.begin("receive", channel->receive());
  t.premise(receiver.pending(), "a receiver is parked");
  channel.reset();
  t.fail("a channel with a parked receiver was destroyed and nobody noticed");
}

ASSAY_SCENARIO(dropping_channel, "X-23", "", .features = {"timed"}) {
  co_await assay::fires_at_its_deadline(t, make, &receive_one_within);
}

ASSAY_SCENARIO(dropping_channel, "X-23", "extreme durations", .features = {"timed"}) {
  co_await assay::keeps_extreme_durations(t, make, &receive_one_within);
}

ASSAY_SCENARIO(dropping_channel, "X-25", "", .features = {"timed"}) {
  co_await assay::ends_at_once_if_it_has_passed(t, make, &receive_one_within);
}

ASSAY_SCENARIO(dropping_channel, "X-28", "", .features = {"statistics"}) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  send_all(t, make, *channel, ids(1, 2));
  const auto before = channel->statistics();
  const auto after = channel->statistics();
  t.expect(before.sent == after.sent && before.dropped == after.dropped && before.size == after.size,
           "looking changes nothing");
  (void)co_await receive_what_is_there(t, *channel);
}

ASSAY_SCENARIO(dropping_channel, "X-31", "", .features = {"timed"}, .late = true) {
  int id = 0;
  for (const auto delay : {10ms, 11ms}) {
    auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
    const auto take = [&channel](nanoseconds time) { return receive_one_within(*channel, time); };
    const auto give = [&t, &channel, &id] { return send_one(t, *channel, ++id); };
    co_await assay::serves_one_about_its_deadline(t, 21ms - delay, delay, take, give);
    t.expect_eq(channel->size(), 0U, "nothing is left behind");
  }
}

namespace {

asio::awaitable<void> receive_and_go_on(dropping_channel& channel) {
  const item got = co_await channel.receive();
  co_await assay::sleep_for_ever();
}

}  // namespace

ASSAY_SCENARIO(dropping_channel, "X-36", "", .features = {"sticky_request"}) {
  auto channel = make({.capacity = 1, .policy = policies_of(make).front()});
  auto caller = co_await t.begin("caller", receive_and_go_on(*channel));
  (void)channel->send(t.item(1));
  caller.cancel();
  co_await t.settle();
  t.expect(caller.cancelled(),
           "the request that a receive met with its item shows at its caller's next suspension");
  co_await t.cancel(caller);
}
