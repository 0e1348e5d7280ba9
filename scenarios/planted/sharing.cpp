// Things that several tasks make, hold or walk over at once: connections, slots, locks, lists.
#include <algorithm>
#include <array>
#include <cstddef>
#include <deque>
#include <map>
#include <set>

#include <assay/harness/mock/database.hpp>
#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- two first users of one connection

struct lazy_connection {
  explicit lazy_connection(trial& t) : ready(t) {}
  bool open = false;
  bool opening = false;
  int opened = 0;
  bell ready;
};

template <bool Wrong>
asio::awaitable<void> use_connection(lazy_connection& line, int late_by) {
  co_await turns(late_by);
  if constexpr (!Wrong) {
    while (line.opening) co_await line.ready.wait();
  }
  if (line.open) co_return;
  line.opening = true;
  co_await turns(2);  // the handshake
  ++line.opened;
  line.open = true;
  line.opening = false;
  line.ready.ring();
}

template <bool Wrong>
asio::awaitable<void> double_initialisation(trial& t, const subject_base&) {
  auto& line = shared<lazy_connection>(t, t);
  t.start("first user", use_connection<Wrong>(line, 0));
  t.start("second user", use_connection<Wrong>(line, 3));
  co_await t.settle();
  t.expect_eq(line.opened, 1, "one connection is opened");
}

// ---- everybody who misses the cache asks the database, which bears two queries at once

struct price_cache {
  explicit price_cache(trial& t) : prices(t), filled(t) {
    prices.on_query.otherwise(reply<database::rows>::value(database::rows(1, "7")));
    prices.on_query.limit_concurrency(2);
  }
  mock_database prices;
  std::string price;
  bool filling = false;
  bell filled;
};

template <bool Wrong>
asio::awaitable<void> ask_for_price(price_cache& cache, int late_by) {
  co_await turns(late_by);
  if constexpr (!Wrong) {
    while (cache.filling) co_await cache.filled.wait();
  }
  if (!cache.price.empty()) co_return;
  cache.filling = true;
  const database::rows rows = co_await cache.prices.query("select price");
  cache.price = rows.front();
  cache.filling = false;
  cache.filled.ring();
}

template <bool Wrong>
asio::awaitable<void> cache_stampede(trial& t, const subject_base&) {
  auto& cache = shared<price_cache>(t, t);
  for (const int late_by : {0, 1, 2, 3})
    t.start("client " + std::to_string(late_by + 1), ask_for_price<Wrong>(cache, late_by));
  co_await t.settle();
}

// ---- an answer is put into the slot of its request, which is somebody else's by now

struct slot {
  int request = 0;
  int answer = 0;
  int generation = 0;
};

template <bool Wrong>
asio::awaitable<void> answer_request(slot& only, int request, int generation) {
  co_await turns(1);
  if constexpr (!Wrong) {
    if (only.generation != generation) co_return;
  }
  if (only.request != 0) only.answer = request;
}

template <bool Wrong>
asio::awaitable<void> ask_twice(trial& t, slot& only) {
  for (int request = 1; request <= 2; ++request) {
    only.request = request;
    only.answer = 0;
    ++only.generation;
    t.start("answer " + std::to_string(request), answer_request<Wrong>(only, request, only.generation));
    for (int patience = 6; patience > 0 && only.answer == 0; --patience) co_await turns(1);
    t.expect(only.answer == 0 || only.answer == request, "the answer is that of the request");
    only.request = 0;  // answered or given up: the slot is free
  }
}

template <bool Wrong>
asio::awaitable<void> reused_slot(trial& t, const subject_base&) {
  auto& only = shared<slot>(t);
  t.start("client", ask_twice<Wrong>(t, only));
  co_await t.settle();
}

// ---- a list of sessions is walked by index, with a send in the loop

struct room {
  std::vector<int> sessions = {1, 2, 3};
  std::map<int, int> received;
};

template <bool Wrong>
asio::awaitable<void> broadcast(trial& t, room& chat) {
  const auto copy = chat.sessions;
  const std::vector<int>* walked = &copy;
  if constexpr (Wrong) walked = &chat.sessions;
  const std::size_t count = walked->size();
  for (std::size_t i = 0; i < count; ++i) {
    if (!t.expect(i < walked->size(), "the session is still where it was")) co_return;
    const int to = (*walked)[i];
    co_await turns(1);
    ++chat.received[to];
  }
}

asio::awaitable<void> leave(room& chat, int session) {
  co_await turns(4);
  std::erase(chat.sessions, session);
}

template <bool Wrong>
asio::awaitable<void> erased_session(trial& t, const subject_base&) {
  auto& chat = shared<room>(t);
  t.start("broadcast", broadcast<Wrong>(t, chat));
  t.start("leave", leave(chat, 1));
  co_await t.settle();
  for (const int session : {2, 3}) t.expect_eq(chat.received[session], 1, "who stays gets the message once");
}

// ---- three philosophers

struct fork {
  explicit fork(trial& t) : free(t) {}
  bool taken = false;
  bell free;
};
struct table {
  explicit table(trial& t) : forks{fork(t), fork(t), fork(t)} {}
  std::array<fork, 3> forks;
};

asio::awaitable<void> take(fork& one) {
  while (one.taken) co_await one.free.wait();
  one.taken = true;
}

void put_down(fork& one) {
  one.taken = false;
  one.free.ring();
}

template <bool Wrong>
asio::awaitable<void> dine(table& laid, std::size_t seat) {
  std::size_t first = seat;
  std::size_t second = (seat + 1) % 3;
  if constexpr (!Wrong) {
    if (second < first) std::swap(first, second);
  }
  co_await turns(static_cast<int>(seat) * 2);
  co_await take(laid.forks[first]);
  co_await turns(1);
  co_await take(laid.forks[second]);
  co_await turns(1);
  put_down(laid.forks[second]);
  put_down(laid.forks[first]);
}

template <bool Wrong>
asio::awaitable<void> dining_philosophers(trial& t, const subject_base&) {
  auto& laid = shared<table>(t, t);
  for (const std::size_t seat : {0U, 1U, 2U})
    t.start("philosopher " + std::to_string(seat + 1), dine<Wrong>(laid, seat));
  co_await t.settle();
}

// ---- a message that is delivered again while its first delivery is still being worked on

struct inbox {
  std::set<int> seen;
  int shipped = 0;
};

template <bool Wrong>
asio::awaitable<void> consume(inbox& orders, int message, int late_by) {
  co_await turns(late_by);
  if (orders.seen.contains(message)) co_return;
  if constexpr (!Wrong) orders.seen.insert(message);
  co_await turns(2);  // ships the goods
  ++orders.shipped;
  orders.seen.insert(message);
}

template <bool Wrong>
asio::awaitable<void> double_delivery(trial& t, const subject_base&) {
  auto& orders = shared<inbox>(t);
  t.start("delivery", consume<Wrong>(orders, 7, 0));
  t.start("other message", consume<Wrong>(orders, 8, 0));
  t.start("delivery again", consume<Wrong>(orders, 7, 3));
  co_await t.settle();
  t.expect_eq(orders.shipped, 2, "what is delivered twice is shipped once");
}

// ---- a write that comes just when the line falls idle goes ahead of those that wait

struct line {
  bool busy = false;
  std::deque<int> backlog;
  std::vector<int> asked;
  std::vector<int> sent;
};

template <bool Wrong>
asio::awaitable<void> write_line(line& out, int text, int late_by) {
  co_await turns(late_by);
  out.asked.push_back(text);
  if (out.busy) {
    out.backlog.push_back(text);
    co_return;
  }
  out.busy = true;
  co_await turns(1);  // the socket
  out.sent.push_back(text);
  if constexpr (Wrong) {
    out.busy = false;
    co_await turns(1);  // the backlog is looked at when the completion comes round
  }
  while (!out.backlog.empty()) {
    out.busy = true;
    const int next = out.backlog.front();
    out.backlog.pop_front();
    co_await turns(1);
    out.sent.push_back(next);
  }
  out.busy = false;
}

template <bool Wrong>
asio::awaitable<void> overtaken_write(trial& t, const subject_base&) {
  auto& out = shared<line>(t);
  t.start("write 1", write_line<Wrong>(out, 1, 0));
  t.start("write 2", write_line<Wrong>(out, 2, 0));
  t.start("write 3", write_line<Wrong>(out, 3, 4));
  co_await t.settle();
  t.expect_eq(out.sent, out.asked, "lines are sent in the order in which they were asked for");
}

}  // namespace

void add_sharing(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("double_initialisation", 2,
                       "`open` is set only after the handshake: two users open two lines",
                       &double_initialisation<true>, &double_initialisation<false>));
  bugs.push_back(plant("cache_stampede", 3,
                       "all who miss the cache ask the database: three at once are too many",
                       &cache_stampede<true>, &cache_stampede<false>));
  bugs.push_back(plant("reused_slot", 5,
                       "no generation: the late answer to a request given up goes to the slot's next",
                       &reused_slot<true>, &reused_slot<false>));
  bugs.push_back(plant("erased_session", 3,
                       "walks the live list by index across a send: one leaves, one is skipped",
                       &erased_session<true>, &erased_session<false>));
  bugs.push_back(plant("dining_philosophers", 5,
                       "everybody takes the fork at the right first: all wait for the left",
                       &dining_philosophers<true>, &dining_philosophers<false>));
  bugs.push_back(plant("double_delivery", 2,
                       "a message counts as seen when its work is over: redelivered, it ships twice",
                       &double_delivery<true>, &double_delivery<false>));
  bugs.push_back(plant("overtaken_write", 3,
                       "idle for a turn before the backlog is looked at: a new write goes ahead",
                       &overtaken_write<true>, &overtaken_write<false>));
}

}  // namespace assay::planted
