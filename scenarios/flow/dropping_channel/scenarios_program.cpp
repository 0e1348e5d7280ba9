// Random programs on a dropping channel, in rounds: items are sent, receivers wait, are cancelled, time out and hand back, the
// channel is closed perhaps; then it is emptied, and has room for as many as at first.
//
// What came out, and what became of each send, must be what one channel does call by call in some order (see history.hpp),
// with the policy that was asked for. Where a subject has no policy that it claims, what holds for all of them is checked.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/history.hpp>
#include <assay/scenarios/cross_cutting/rounds.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>
#include <assay/scenarios/flow/dropping_channel/policies.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::drop_policy;
using contract::dropping_channel;
using contract::send_result;
using std::chrono::nanoseconds;

constexpr nanoseconds beat = 5ms;
constexpr std::size_t receivers_max = 6;  // at a time

// What a channel does where one call is made after the other.
struct channel_order {
  enum class verb : std::uint8_t { send, receive, hand_back };
  struct call {
    verb what{};
    int id = 0;
    std::int64_t key = 0;
    send_result result = send_result::accepted;
    std::optional<std::size_t> lost = {};  // as it was told
  };
  struct entry {
    int id = 0;
    std::int64_t key = 0;
    std::size_t lost = 0;  // with what is in hand
    auto operator<=>(const entry&) const = default;
  };
  drop_policy policy = drop_policy::oldest;
  std::size_t capacity = 1;
  bool moves_to_tail = false;
  std::deque<entry> items = {};
  std::map<std::size_t, entry> in_hand = {};  // of who is cancelled before it could leave with it
  std::size_t lost = 0;                       // since somebody received
  auto operator<=>(const channel_order&) const = default;

  static unsigned steps(const call& one, call_end how) {
    return one.what == verb::receive && how == call_end::without ? 2 : 1;
  }
  bool step(std::size_t who, const call& one, unsigned nth) {
    if (one.what == verb::send) return send({one.id, one.key}) == one.result;
    if (one.what == verb::hand_back) return put_back({one.id, one.key}) == one.result;
    if (nth == 0) return take(who, one);
    const entry back = in_hand.at(who);
    in_hand.erase(who);
    lost += back.lost;
    return put_back(back) != send_result::rejected;
  }
  static std::string_view clause(const call& one) {
    return one.what == verb::send ? "DRP-2" : one.what == verb::receive ? "DRP-6" : "DRP-8";
  }
  static std::string text(const call& one) {
    constexpr const char* names[] = {"send", "receive", "hand_back"};
    constexpr const char* results[] = {"accepted", "dropped", "rejected"};
    std::string all = names[static_cast<std::size_t>(one.what)];
    if (one.id != 0) all += " " + std::to_string(one.id);
    if (one.key != 0) all += " of key " + std::to_string(one.key);
    if (one.what != verb::receive) all += std::string(" ") + results[static_cast<std::size_t>(one.result)];
    if (one.lost) all += ", told of " + std::to_string(*one.lost) + " that were lost";
    return all;
  }

 private:
  auto of_key(std::int64_t key) {
    return std::find_if(items.begin(), items.end(), [key](const entry& one) { return one.key == key; });
  }
  send_result send(const entry& one) {
    const auto same = policy == drop_policy::conflate ? of_key(one.key) : items.end();
    if (same != items.end()) {
      ++lost;
      same->id = one.id;
      if (moves_to_tail) std::rotate(same, same + 1, items.end());
      return send_result::accepted;
    }
    if (items.size() >= capacity) {
      if (policy == drop_policy::reject) return send_result::rejected;
      ++lost;
      if (policy == drop_policy::newest) return send_result::dropped;
      items.pop_front();
    }
    items.push_back(one);
    return send_result::accepted;
  }
  bool take(std::size_t who, const call& one) {
    if (items.empty() || (one.id != 0 && items.front().id != one.id)) return false;
    if (one.lost && *one.lost != lost) return false;
    if (one.id == 0) {
      in_hand[who] = items.front();
      in_hand[who].lost = lost;
    }
    lost = 0;
    items.pop_front();
    return true;
  }
  send_result put_back(entry one) {
    one.lost = 0;
    const bool full = items.size() >= capacity;
    if (full && policy == drop_policy::reject) return send_result::rejected;
    const bool outdated = policy == drop_policy::conflate && of_key(one.key) != items.end();
    if (full || outdated) ++lost;
    if (outdated || (full && policy != drop_policy::newest)) return send_result::dropped;
    if (full) items.pop_back();
    items.push_front(one);
    return send_result::accepted;
  }
};
using verb_seen = channel_order::verb;

struct receiver {
  std::optional<nanoseconds> patience = {};
  bool counts = false;
  std::optional<operation<void>> op = {};
  nanoseconds deadline = nanoseconds::max();
};

struct run {
  trial& t;
  drop_policy policy;
  std::size_t capacity;
  bool settled;  // after every step
  bool keyed;
  bool moves_to_tail;
  bool competing;
  bool tells;  // of drops, in the call
  dropping_channel* channel = nullptr;
  std::map<std::size_t, receiver> all = {};
  std::vector<std::pair<item, std::int64_t>> in_hand = {};
  std::map<int, std::int64_t> keys = {};
  history<channel_order> seen = {};
  std::size_t inside = 0;  // what was sent, and neither received nor dropped
  bool closed = false;
  std::size_t next_op = 1;
  int next_id = 1;
  bool asks_to_settle = false;
};

// ---- calls

void note_received(run& r, item got) {
  --r.inside;
  const std::int64_t key = r.keys[got.id()];
  r.in_hand.emplace_back(std::move(got), key);
}

asio::awaitable<void> make_receive(run& r, receiver& me) {
  if (me.patience) {
    const bool endless = *me.patience > nanoseconds::max() - r.t.now();
    me.deadline = endless ? nanoseconds::max() : r.t.now() + *me.patience;
  }
  auto seen = r.seen.begin({verb_seen::receive});
  item got;
  if (me.counts) {
    contract::received_item counted = co_await r.channel->receive_counted();
    seen.what().lost = counted.lost;
    got = std::move(counted.one);
  } else if (me.patience) {
    got = co_await r.channel->receive_for(*me.patience);
  } else {
    got = co_await r.channel->receive();
  }
  seen.what().id = got.id();
  seen.done();
  note_received(r, std::move(got));
}

send_result send_one(run& r, std::int64_t key) {
  const int id = r.next_id++;
  r.keys[id] = key;
  auto seen = r.seen.begin({verb_seen::send, id, key});
  ++r.inside;
  send_result result = send_result::rejected;
  try {
    result = r.channel->send(r.t.item(id), key);
    r.t.expect(!r.closed, "DRP-10: a send after close fails as closed");
    seen.what().result = result;
    seen.done();
  } catch (const contract::closed_error&) {
    r.t.expect(r.closed, "DRP-10: a send fails as closed only after close");
  }
  if (result == send_result::rejected) --r.inside;
  return result;
}

// ---- what is checked whenever a program settles

void check_end(run& r, const receiver& one) {
  const outcome how = one.op->what();
  const auto who = [&one] { return "'" + one.op->name() + "' "; };
  switch (how.kind) {
    case outcome_kind::value:
      return;
    case outcome_kind::closed:
      if (!r.closed) r.t.expect(false, "DRP-10: " + who() + "does not end as closed before close");
      return;
    case outcome_kind::cancelled:
      if (one.op->state()->cancels() == 0)
        r.t.expect(false, "X-2: " + who() + "is not affected by another's request");
      return;
    case outcome_kind::timed_out:
      if (one.deadline > r.t.now()) r.t.expect(false, "X-23: " + who() + "waits until its deadline");
      return;
    default:
      r.t.expect(false, "DRP-8: " + who() + "ends with an outcome of the contract", to_string(how));
  }
}

asio::awaitable<void> settle_and_check(run& r) {
  co_await r.t.settle();
  bool waits = false;
  for (const auto& [op, one] : r.all) {
    if (!one.op->pending()) {
      check_end(r, one);
      continue;
    }
    waits = true;
    if (one.deadline <= r.t.now()) r.t.expect(false, "X-23: '" + one.op->name() + "' ends at its deadline");
  }
  std::erase_if(r.all, [](const auto& one) { return !one.second.op->pending(); });
  const std::size_t size = r.channel->size();
  r.t.expect(!waits || size == 0, "DRP-4: no receiver waits beside an item");
  r.t.expect(!waits || !r.closed, "DRP-10: nobody waits for a closed channel");
  const bool balanced = r.tells ? size == r.inside : size <= r.inside;
  if (!balanced) r.t.expect_eq(size, r.inside, "DRP-5: what was sent was received, or dropped, or is there");
}

// ---- steps

asio::awaitable<void> begin(run& r, const program_step& step, const char* name, receiver wanted) {
  if (r.all.size() >= (r.competing ? receivers_max : 1)) co_return;
  const std::size_t op = r.next_op++;
  receiver& me = r.all[op];
  me = std::move(wanted);
  std::string full = name;
  if (me.patience) full += " " + format_duration(*me.patience);
  auto work = make_receive(r, me);
  me.op.emplace(r.t.start(full + " (" + std::to_string(op) + ")", std::move(work)));
  if (!r.settled && step.b == 1) r.t.victim(*me.op);  // GEN-4
}

asio::awaitable<void> send(run& r, const program_step& step) {
  const int count = step.b == 3 ? 3 : 1;
  for (int i = 0; i < count; ++i)
    (void)send_one(r, r.keyed ? static_cast<std::int64_t>((step.a + i) % 3) : 0);
  co_return;
}
asio::awaitable<void> receive(run& r, const program_step& step) {
  const int count = step.b == 3 ? 2 : 1;
  for (int i = 0; i < count; ++i) co_await begin(r, step, "receive", {});
}
asio::awaitable<void> receive_for(run& r, const program_step& step) {
  constexpr nanoseconds patiences[] = {5ms, 10ms, 15ms, 20ms, 0ns, -5ms, 1ns, nanoseconds::max()};
  receiver wanted;
  wanted.patience = patiences[step.a % std::size(patiences)];
  co_await begin(r, step, "receive for", std::move(wanted));
}
asio::awaitable<void> receive_counted(run& r, const program_step& step) {
  receiver wanted;
  wanted.counts = true;
  co_await begin(r, step, "receive_counted", std::move(wanted));
}

asio::awaitable<void> try_receive(run& r, const program_step&) {
  auto seen = r.seen.begin({verb_seen::receive});
  item got;
  try {
    got = r.channel->try_receive();
  } catch (const contract::closed_error&) {
    r.t.expect(r.closed && r.channel->size() == 0,
               "DRP-10: who tries is told closed only once the channel is closed and empty");
  }
  if (!got) co_return;
  seen.what().id = got.id();
  seen.done();
  note_received(r, std::move(got));
}

asio::awaitable<void> hand_back(run& r, const program_step&) {
  if (r.in_hand.empty()) co_return;
  auto [one, key] = std::move(r.in_hand.back());
  r.in_hand.pop_back();
  auto seen = r.seen.begin({verb_seen::hand_back, one.id(), key});
  ++r.inside;
  const send_result result = r.channel->hand_back(std::move(one), key);
  if (result == send_result::rejected) --r.inside;
  seen.what().result = result;
  seen.done();
}

asio::awaitable<void> cancel_some(run& r, const program_step& step) {
  if (r.all.empty()) co_return;
  const std::size_t count = step.b == 3 ? 2 : 1;
  for (std::size_t i = 0; i < count; ++i)
    std::next(r.all.begin(), static_cast<std::ptrdiff_t>((step.a + i) % r.all.size()))->second.op->cancel();
}

asio::awaitable<void> close(run& r, const program_step& step) {
  if (step.b != 0) co_return;  // or most programs would be about closed ones
  r.closed = true;
  r.channel->close();
}

asio::awaitable<void> advance(run& r, const program_step& step) { co_await advance_by(r, step, beat); }

const round_verb<run> verbs[] = {
    {"send", "", send},
    {"receive", "", receive},
    {"cancel", "", cancel_some},
    {"settle", "", ask_to_settle<run>},
    {"advance", "timed", advance},
    {"receive_for", "timed", receive_for},
    {"try_receive", "try", try_receive},
    {"receive_counted", "lag_report", receive_counted},
    {"hand_back", "hand_back", hand_back},
    {"close", "close", close},
    {"another_round", "", begin_another_round<run>},
};

// Shapes: a policy of four, a capacity of three, settled after every step or not.
const grammar rules = {.shapes = 24,
                       .verbs = verbs_in(verbs),
                       .a_values = 8,
                       .b_values = 4,
                       .steps_max = 30,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- rounds

void begin_round(run& r, dropping_channel& channel) {
  r.channel = &channel;
  channel.on_drop([&r](int) { --r.inside; });
  r.all.clear();
  r.in_hand.clear();
  r.seen = {};
  r.inside = 0;
  r.closed = false;
}

asio::awaitable<bool> drain(run& r) {
  while (r.channel->size() > 0) {
    auto rest = co_await r.t.begin("receive the rest", r.channel->receive());
    const std::string clause = r.closed ? "DRP-10" : "DRP-4";
    if (!r.t.expect(rest.done(), clause + ": what is there can be received")) {
      co_await r.t.cancel(rest);
      co_return false;
    }
    note_received(r, std::move(rest.value()));
  }
  co_return true;
}

// GEN-3: everything is cancelled and received, and then there is room for as many as at first. False if it cannot be used
// any more.
asio::awaitable<bool> finish_round(run& r) {
  co_await settle_and_check(r);
  if (r.policy != drop_policy::any) {
    const channel_order initial = {
        .policy = r.policy, .capacity = r.capacity, .moves_to_tail = r.moves_to_tail};
    expect_explained(r.t, r.seen, initial, "channel");
  }
  for (const auto& [op, one] : r.all) one.op->cancel();
  co_await r.t.settle();
  bool all_ended = true;
  for (const auto& [op, one] : r.all)
    all_ended = r.t.expect(!one.op->pending(), "DRP-8: '" + one.op->name() + "' ends when it is cancelled") &&
                all_ended;
  if (!all_ended) co_return false;
  co_await settle_and_check(r);
  bool drained = co_await drain(r);
  const bool one_only = r.policy == drop_policy::conflate && !r.keyed;
  const std::size_t room = one_only ? 1 : r.capacity;
  for (std::size_t i = 0; drained && !r.closed && i < room; ++i) {
    const send_result result = send_one(r, r.keyed ? static_cast<std::int64_t>(i) : 0);
    r.t.expect(result == send_result::accepted && r.channel->size() == i + 1,
               "DRP-2: a channel that was emptied has room for as many as at first");
  }
  drained = drained && co_await drain(r);
  r.channel->on_drop({});
  co_return drained;
}

}  // namespace

ASSAY_PROGRAM(dropping_channel, "DRP-5", rules,
              .asks = {"oldest", "newest", "reject", "conflate", "keyed", "key_moves_to_tail", "competing",
                       "drop_callback"},
              .must_see = {"drops_what_a_cancelled_receive_holds", "replaces_at_the_head",
                           "places_wear_out"}) {
  constexpr std::size_t capacities[] = {1, 2, 4};
  const std::vector<drop_policy> policies = policies_of(make);
  const drop_policy policy = policies[steps.shape % 4 % policies.size()];
  const bool keyed = make.claims("keyed") && policy == drop_policy::conflate;
  const std::size_t capacity =
      policy == drop_policy::conflate && !keyed ? 1 : capacities[steps.shape / 4 % 3];
  const auto state = std::make_shared<run>(run{.t = t,
                                               .policy = policy,
                                               .capacity = capacity,
                                               .settled = steps.shape >= 12,
                                               .keyed = keyed,
                                               .moves_to_tail = make.claims("key_moves_to_tail"),
                                               .competing = make.claims("competing"),
                                               .tells = make.claims("drop_callback")});
  t.keep(state);  // what has not ended when the program breaks off may use it
  const contract::dropping_channel_config how = {.capacity = static_cast<std::int64_t>(capacity),
                                                 .policy = policy};
  co_await play_in_rounds<dropping_channel>(*state, make, how, steps, rules, verbs);
  t.expect(t.items().balanced(), "no item is lost or doubled", t.items().summary());
}

}  // namespace assay
