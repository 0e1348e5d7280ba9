// What was looked at has changed by the time it is acted upon: the window is a co_await.
#include <array>
#include <cstddef>
#include <optional>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- read, ask, write: one variable

struct stock {
  int left = 10;
};

template <bool Wrong>
asio::awaitable<void> sell(stock& store, int pieces, int late_by) {
  co_await turns(late_by);
  if constexpr (Wrong) {
    const int seen = store.left;
    co_await turns(1);  // prints the receipt
    store.left = seen - pieces;
  } else {
    co_await turns(1);
    store.left -= pieces;
  }
}

template <bool Wrong>
asio::awaitable<void> lost_update(trial& t, const subject_base&) {
  auto& store = shared<stock>(t);
  t.start("clerk 1", sell<Wrong>(store, 3, 0));
  t.start("clerk 2", sell<Wrong>(store, 2, 2));
  co_await t.settle();
  t.expect_eq(store.left, 5, "both sales count");
}

// ---- a seat is free, the card is charged, the seat is taken

struct seat {
  int owner = 0;
  int charged = 0;
};

template <bool Wrong>
asio::awaitable<void> book(seat& last, int customer, int late_by) {
  co_await turns(late_by);
  if (last.owner != 0) co_return;
  if constexpr (!Wrong) last.owner = customer;
  co_await turns(1);  // the card
  ++last.charged;
  last.owner = customer;
}

template <bool Wrong>
asio::awaitable<void> double_booking(trial& t, const subject_base&) {
  auto& last = shared<seat>(t);
  t.start("Alice", book<Wrong>(last, 1, 0));
  t.start("Bob", book<Wrong>(last, 2, 3));
  co_await t.settle();
  t.expect_eq(last.charged, 1, "one seat is paid for once");
}

// ---- an answer of the database goes into the cache after the entry was made invalid

struct cached_row {
  int row = 1;
  std::optional<int> cached;
  int invalidations = 0;
};

template <bool Wrong>
asio::awaitable<void> look_up(cached_row& user) {
  if (user.cached) co_return;
  const int invalidations = user.invalidations;
  const int row = user.row;
  co_await turns(1);  // the answer travels
  if constexpr (!Wrong) {
    if (user.invalidations != invalidations) co_return;
  }
  user.cached = row;
}

asio::awaitable<void> rename_user(cached_row& user) {
  co_await turns(3);
  user.row = 2;
  co_await turns(1);
  user.cached.reset();
  ++user.invalidations;
}

template <bool Wrong>
asio::awaitable<void> stale_cache_fill(trial& t, const subject_base&) {
  auto& user = shared<cached_row>(t);
  t.start("look-up", look_up<Wrong>(user));
  t.start("rename", rename_user(user));
  co_await t.settle();
  t.expect(user.cached.value_or(user.row) == user.row, "the cache does not keep what was replaced");
}

// ---- host and port are changed one after the other

struct address {
  int host = 1;
  int port = 1;
};

template <bool Wrong>
asio::awaitable<void> move_service(address& where) {
  co_await turns(2);
  if constexpr (Wrong) where.host = 2;
  co_await turns(1);  // looks the port up
  where.host = 2;
  where.port = 2;
}

asio::awaitable<void> connect_to(trial& t, address& where) {
  co_await turns(2);
  t.expect_eq(where.host, where.port, "host and port belong together");
}

template <bool Wrong>
asio::awaitable<void> half_updated_pair(trial& t, const subject_base&) {
  auto& where = shared<address>(t);
  t.start("client", connect_to(t, where));
  t.start("move", move_service<Wrong>(where));
  co_await t.settle();
}

// ---- a reader who trusts a busy flag before and after, and no version

struct triple {
  std::array<int, 3> parts = {1, 1, 1};
  bool busy = false;
  int version = 0;
};

asio::awaitable<void> write_triple(triple& shown) {
  co_await turns(1);
  shown.busy = true;
  for (int& part : shown.parts) {
    part = 2;
    co_await turns(1);
  }
  shown.busy = false;
  ++shown.version;
}

template <bool Wrong>
asio::awaitable<void> read_triple(trial& t, triple& shown) {
  const auto changed_since = [&shown](int version) {
    if constexpr (Wrong) return shown.busy;
    return shown.busy || shown.version != version;
  };
  std::array<int, 3> copy{};
  int version = 0;
  do {
    version = shown.version;
    copy[0] = shown.parts[0];
    co_await turns(1);
    copy[1] = shown.parts[1];
    copy[2] = shown.parts[2];
  } while (changed_since(version));
  t.expect(copy[0] == copy[1] && copy[1] == copy[2], "all parts are of one version");
}

template <bool Wrong>
asio::awaitable<void> torn_read(trial& t, const subject_base&) {
  auto& shown = shared<triple>(t);
  t.start("reader", read_triple<Wrong>(t, shown));
  t.start("writer", write_triple(shown));
  co_await t.settle();
}

// ---- each of two nodes asks whether the other leads, and then takes the lead

struct cluster {
  std::array<bool, 2> leads = {false, false};
};

template <bool Wrong>
asio::awaitable<void> stand_for_election(cluster& nodes, std::size_t me, int late_by) {
  co_await turns(late_by);
  for (int poll = 0; poll < 4; ++poll) {
    if (nodes.leads[1 - me]) co_return;
    co_await turns(1);
  }
  if constexpr (!Wrong) {
    if (nodes.leads[1 - me]) co_return;
  }
  nodes.leads[me] = true;
}

template <bool Wrong>
asio::awaitable<void> split_brain(trial& t, const subject_base&) {
  auto& nodes = shared<cluster>(t);
  t.start("node 1", stand_for_election<Wrong>(nodes, 0, 0));
  t.start("node 2", stand_for_election<Wrong>(nodes, 1, 5));
  co_await t.settle();
  t.expect(!(nodes.leads[0] && nodes.leads[1]), "one node leads");
}

}  // namespace

void add_atomicity(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("lost_update", 2,
                       "reads, waits, writes back what it read: the sale in between is forgotten",
                       &lost_update<true>, &lost_update<false>));
  bugs.push_back(plant("double_booking", 3,
                       "the seat is taken only after the payment: two customers pay for it",
                       &double_booking<true>, &double_booking<false>));
  bugs.push_back(
      plant("stale_cache_fill", 4,
            "fills the cache with an answer that is older than the last invalidation: it stays for ever",
            &stale_cache_fill<true>, &stale_cache_fill<false>));
  bugs.push_back(plant("half_updated_pair", 1,
                       "host before the wait, port after it: a reader connects to neither",
                       &half_updated_pair<true>, &half_updated_pair<false>));
  bugs.push_back(plant("torn_read", 4,
                       "a busy flag is no version: a whole write fits between two looks at it",
                       &torn_read<true>, &torn_read<false>));
  bugs.push_back(plant("split_brain", 5,
                       "the last look at the other node is a turn old when the lead is taken",
                       &split_brain<true>, &split_brain<false>));
}

}  // namespace assay::planted
