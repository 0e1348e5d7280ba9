// Calls that fail: once, at one of many, for good, after their effect, or while something else goes on.
#include <algorithm>
#include <set>
#include <string>

#include <assay/harness/mock/database.hpp>
#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

using contract::operation_error;

/// A call to somewhere else that a sweep may let fail.
asio::awaitable<void> call(trial& t, std::string what) {
  co_await turns(1);
  if (t.fault_point(what) != 0) throw operation_error(what);
}

// ---- a connection that is given back when the query was answered

struct connections {
  explicit connections(trial& t) : server(t), returned(t) {
    server.on_query.otherwise(reply<database::rows>::value(database::rows(1, "row")));
  }
  mock_database server;
  int idle = 1;
  bell returned;
};

template <bool Wrong>
asio::awaitable<void> handle_request(connections& pool) {
  while (pool.idle == 0) co_await pool.returned.wait();
  --pool.idle;
  const auto give_back = [&pool] {
    ++pool.idle;
    pool.returned.ring();
  };
  if constexpr (Wrong) {
    co_await pool.server.query("select 1");
    give_back();
  } else {
    const on_exit always(give_back);
    co_await pool.server.query("select 1");
  }
}

template <bool Wrong>
asio::awaitable<void> connection_leaked(trial& t, const subject_base&) {
  auto& pool = shared<connections>(t, t);
  auto one = t.start("request 1", handle_request<Wrong>(pool));
  auto two = t.start("request 2", handle_request<Wrong>(pool));
  co_await t.settle();
  (void)one.what();
  (void)two.what();
  t.expect_eq(pool.idle, 1, "the connection is back in the pool");
}

// ---- a trip of five bookings, which are undone when a later one fails

struct trip {
  int booked = 0;
  int undone = 0;
};

template <bool Wrong>
asio::awaitable<void> book_trip(trial& t, trip& mine) {
  bool failed = false;
  try {
    for (; mine.booked < 5; ++mine.booked) co_await call(t, "book " + std::to_string(mine.booked + 1));
  } catch (const operation_error&) {
    failed = true;
  }
  if (!failed) co_return;
  mine.undone = mine.booked;
  if constexpr (Wrong) {
    if (mine.booked == 4) mine.undone = 3;  // the insurance came later, and nobody thought of undoing it
  }
}

template <bool Wrong>
asio::awaitable<void> insurance_not_undone(trial& t, const subject_base&) {
  auto& mine = shared<trip>(t);
  t.start("trip", book_trip<Wrong>(t, mine));
  co_await t.settle();
  t.expect(mine.booked == 5 || mine.undone == mine.booked, "all is booked, or all is undone");
}

// ---- a charge whose answer is lost is made again

struct bank {
  int charged = 0;
  std::set<int> keys;
};

asio::awaitable<void> charge(trial& t, bank& account, int key) {
  co_await turns(1);
  const std::uint32_t fault = t.fault_point("charge", 2);
  if (fault == 1) throw operation_error("refused");
  if (account.keys.insert(key).second) ++account.charged;
  if (fault == 2) throw operation_error("the answer was lost");
}

template <bool Wrong>
asio::awaitable<void> pay(trial& t, bank& account) {
  int key = 1;
  for (int attempt = 0; attempt < 3; ++attempt) {
    try {
      co_await charge(t, account, key);
      co_return;
    } catch (const operation_error&) {
      if constexpr (Wrong) ++key;  // every request has a key of its own
    }
  }
}

template <bool Wrong>
asio::awaitable<void> charged_twice(trial& t, const subject_base&) {
  auto& account = shared<bank>(t);
  t.start("payment", pay<Wrong>(t, account));
  co_await t.settle();
  t.expect(account.charged <= 1, "one payment charges once");
}

// ---- an item that could not be sent in three attempts

template <bool Wrong>
asio::awaitable<void> send_item(trial& t, item cargo) {
  for (int attempt = 0; attempt < 3; ++attempt) {
    try {
      co_await call(t, "send");
      t.items().deliver(cargo);
      co_return;
    } catch (const operation_error&) {
      // once more
    }
  }
  if constexpr (!Wrong) cargo.settled(item_state::dead_lettered);
}

template <bool Wrong>
asio::awaitable<void> given_up_in_silence(trial& t, const subject_base&) {
  for (int id = 1; id <= 2; ++id) {
    item cargo = t.item(id);
    t.items().give(cargo);
    t.start("send " + std::to_string(id), send_item<Wrong>(t, std::move(cargo)));
  }
  co_await t.settle();
}

// ---- a breaker that opens at the third failure, in a row or not

struct breaker {
  int failures = 0;
  int in_a_row = 0;
  int in_a_row_max = 0;
};

template <bool Wrong>
asio::awaitable<void> call_six_times(trial& t, breaker& fuse) {
  for (int i = 0; i < 6 && fuse.failures < 3; ++i) {
    try {
      co_await call(t, "peer");
      if constexpr (!Wrong) fuse.failures = 0;
      fuse.in_a_row = 0;
    } catch (const operation_error&) {
      ++fuse.failures;
      fuse.in_a_row_max = std::max(fuse.in_a_row_max, ++fuse.in_a_row);
    }
  }
}

template <bool Wrong>
asio::awaitable<void> failures_in_total(trial& t, const subject_base&) {
  auto& fuse = shared<breaker>(t);
  t.start("calls", call_six_times<Wrong>(t, fuse));
  co_await t.settle();
  t.expect(fuse.failures < 3 || fuse.in_a_row_max >= 3, "the breaker opens after three failures in a row");
}

// ---- a ping that was sent before the breaker opened closes it when it is answered

struct switch_box {
  bool open = false;
  int openings = 0;
};

template <bool Wrong>
asio::awaitable<void> ping(switch_box& fuse, int openings) {
  co_await turns(1);
  if constexpr (!Wrong) {
    if (fuse.openings != openings) co_return;
  }
  fuse.open = false;
}

asio::awaitable<void> write_through(trial& t, switch_box& fuse) {
  co_await turns(2);
  try {
    co_await call(t, "write");
  } catch (const operation_error&) {
    fuse.open = true;
    ++fuse.openings;
  }
}

template <bool Wrong>
asio::awaitable<void> old_success_closes(trial& t, const subject_base&) {
  auto& fuse = shared<switch_box>(t);
  t.start("ping", ping<Wrong>(fuse, fuse.openings));
  t.start("write", write_through(t, fuse));
  co_await t.settle();
  t.expect(fuse.open == (fuse.openings > 0), "what opened the breaker is newer than the ping");
}

// ---- a roll-back that a failure began and a cancellation ends

struct transaction {
  bool open = false;
};

template <bool Wrong>
asio::awaitable<void> transact(trial& t, transaction& one) {
  one.open = true;
  bool failed = false;
  for (int statement = 0; statement < 3 && !failed; ++statement) {
    try {
      co_await sleep_for(1ms);
      co_await call(t, "statement");
    } catch (const operation_error&) {
      failed = true;
    } catch (const boost::system::system_error&) {
      one.open = false;  // cancelled: the connection is dropped, and the transaction with it
      throw;
    }
  }
  if (failed) {
    if constexpr (!Wrong) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await sleep_for(1ms);  // the roll-back
  }
  one.open = false;
}

template <bool Wrong>
asio::awaitable<void> cancelled_roll_back(trial& t, const subject_base&) {
  auto& one = shared<transaction>(t);
  t.victim(t.start("transaction", transact<Wrong>(t, one)));
  co_await t.advance(1s);
  t.expect(!one.open, "no transaction stays open");
}

}  // namespace

void add_faults(std::vector<planted_bug>& bugs) {
  const scenario_traits faulted{.faulted = true};
  const scenario_traits both{.swept = true, .faulted = true};
  bugs.push_back(plant("connection_leaked", 1,
                       "given back only after an answer: one failed query empties the pool",
                       &connection_leaked<true>, &connection_leaked<false>, faulted));
  bugs.push_back(plant("insurance_not_undone", 1,
                       "the fourth of five bookings is not undone: only the fifth call shows it",
                       &insurance_not_undone<true>, &insurance_not_undone<false>, faulted));
  bugs.push_back(plant("charged_twice", 1,
                       "a new key for every attempt: when the answer is lost the card pays twice",
                       &charged_twice<true>, &charged_twice<false>, faulted));
  bugs.push_back(plant("given_up_in_silence", 3,
                       "after the third failure the item is dropped and nobody told",
                       &given_up_in_silence<true>, &given_up_in_silence<false>, faulted));
  bugs.push_back(plant("failures_in_total", 3,
                       "a success does not reset the count: failures far apart open the breaker",
                       &failures_in_total<true>, &failures_in_total<false>, faulted));
  bugs.push_back(plant("old_success_closes", 4,
                       "a success that is older than the failure closes the breaker again",
                       &old_success_closes<true>, &old_success_closes<false>, faulted));
  bugs.push_back(plant("cancelled_roll_back", 2,
                       "the roll-back after a failure can be cancelled: the transaction stays",
                       &cancelled_roll_back<true>, &cancelled_roll_back<false>, both, 13));
}

}  // namespace assay::planted
