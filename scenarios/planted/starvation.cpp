// Turns taken for time: what goes wrong when a task gets no turn for long, or a burst runs from its end.
#include <deque>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- a watchdog that counts polls without a beat, and calls five of them silence

struct heart {
  int beats = 0;
  bool working = true;
  bool shot = false;
};

asio::awaitable<void> beat(heart& worker) {
  for (; worker.beats < 8; ++worker.beats) co_await turns(1);
  worker.working = false;
}

template <bool Wrong>
asio::awaitable<void> watch(heart& worker) {
  int seen = 0;
  int silent = 0;
  while (worker.working && !worker.shot) {
    if constexpr (Wrong) {
      co_await turns(1);
    } else {
      co_await sleep_for(1ms);
    }
    silent = worker.beats == seen ? silent + 1 : 0;
    seen = worker.beats;
    worker.shot = worker.working && silent == 5;
  }
}

template <bool Wrong>
asio::awaitable<void> watchdog_counts_polls(trial& t, const subject_base&) {
  auto& worker = shared<heart>(t);
  t.start("worker", beat(worker));
  t.start("watchdog", watch<Wrong>(worker));
  co_await t.advance(1s);
  t.expect(!worker.shot, "a worker that works is left alone");
}

// ---- a lock that is tried twenty times and then taken for dead

struct lock {
  explicit lock(trial& t) : freed(t) {}
  bool taken = false;
  bool broken = false;
  bell freed;
};

asio::awaitable<void> hold(lock& one) {
  one.taken = true;
  co_await turns(1);
  one.taken = false;
  one.freed.ring();
}

template <bool Wrong>
asio::awaitable<void> take_or_break(lock& one) {
  for (int tries = 0; one.taken; ++tries) {
    if constexpr (Wrong) {
      if (tries == 20) one.broken = true;
      if (tries == 20) co_return;
      co_await turns(1);
    } else {
      co_await one.freed.wait();
    }
  }
}

template <bool Wrong>
asio::awaitable<void> spinning_gives_up(trial& t, const subject_base&) {
  auto& one = shared<lock>(t, t);
  t.start("holder", hold(one));
  t.start("spinner", take_or_break<Wrong>(one));
  co_await t.settle();
  t.expect(!one.broken, "a lock that is held is not broken open");
}

// ---- a client that asks for a service a few times, while the service registers behind two busy tasks

struct registry {
  explicit registry(trial& t) : changed(t) {}
  bool registered = false;
  bool missed = false;
  bell changed;
};

asio::awaitable<void> boot_service(registry& names) {
  co_await turns(4);
  names.registered = true;
  names.changed.ring();
}

template <bool Wrong>
asio::awaitable<void> find_service(registry& names) {
  for (int tries = 0; !names.registered; ++tries) {
    if constexpr (Wrong) {
      if (tries == 20) {
        names.missed = true;
        co_return;
      }
      co_await turns(1);
    } else {
      co_await names.changed.wait();
    }
  }
}

template <bool Wrong>
asio::awaitable<void> slow_registration(trial& t, const subject_base&) {
  auto& names = shared<registry>(t, t);
  t.start("service", boot_service(names));
  t.start("other work", turns(8));
  t.start("client", find_service<Wrong>(names));
  co_await t.settle();
  t.expect(!names.missed, "a service that is on its way is found");
}

// ---- a replica that fell behind while it got no turn takes over while the primary gets none

struct replicated {
  int written = 0;
  int seen = 0;
  bool lagging = false;
  bool over = false;
};

asio::awaitable<void> run_primary(replicated& store) {
  for (; store.written < 24; ++store.written) {
    store.lagging = store.lagging || store.written - store.seen >= 8;  // from now on it writes alone
    co_await turns(1);
  }
  store.over = true;
}

template <bool Wrong>
asio::awaitable<void> run_replica(trial& t, replicated& store) {
  int silent = 0;
  while (!store.over && silent < 8) {
    silent = store.seen == store.written ? silent + 1 : 0;
    store.seen = store.written;
    co_await turns(1);
  }
  if constexpr (!Wrong) {
    if (store.lagging) co_return;
  }
  if (silent == 8) t.expect(!store.lagging, "who lags does not take over");
}

template <bool Wrong>
asio::awaitable<void> promoted_while_lagging(trial& t, const subject_base&) {
  auto& store = shared<replicated>(t);
  t.start("primary", run_primary(store));
  t.start("replica", run_replica<Wrong>(t, store));
  co_await t.settle();
}

// ---- a log with room for eight lines, two writers and one flusher

struct log_buffer {
  explicit log_buffer(trial& t) : changed(t) {}
  std::deque<int> lines;
  int written = 0;
  int dropped = 0;
  bell changed;
};

template <bool Wrong>
asio::awaitable<void> log_five(log_buffer& log) {
  for (int i = 0; i < 5; ++i) {
    while (log.lines.size() == 8) {
      if constexpr (Wrong) {
        log.lines.pop_front();  // "that can only happen when the disk is gone"
        ++log.dropped;
      } else {
        co_await log.changed.wait();
      }
    }
    log.lines.push_back(i);
    log.changed.ring();
    co_await turns(1);
  }
}

asio::awaitable<void> flush(log_buffer& log) {
  while (log.written + log.dropped < 10) {
    while (log.lines.empty()) co_await log.changed.wait();
    log.lines.pop_front();
    ++log.written;
    log.changed.ring();
    co_await turns(1);
  }
}

template <bool Wrong>
asio::awaitable<void> log_overflow(trial& t, const subject_base&) {
  auto& log = shared<log_buffer>(t, t);
  t.start("flusher", flush(log));
  t.start("writer 1", log_five<Wrong>(log));
  t.start("writer 2", log_five<Wrong>(log));
  co_await t.settle();
  t.expect_eq(log.dropped, 0, "no line is dropped while the disk works");
}

// ---- a cleaner that looks around five times and then takes the spool away, before anybody has come

struct spool {
  bool there = true;
  int users = 0;
};

template <bool Wrong>
asio::awaitable<void> print_page(trial& t, spool& dir) {
  ++dir.users;
  if constexpr (!Wrong) dir.there = true;  // made by who needs it
  t.expect(dir.there, "who prints finds the spool");
  co_await turns(2);
}

asio::awaitable<void> clean_up(spool& dir) {
  for (int look = 0; look < 4 && dir.users == 0; ++look) co_await turns(1);
  if (dir.users == 0) dir.there = false;
}

template <bool Wrong>
asio::awaitable<void> cleaned_before_anybody_came(trial& t, const subject_base&) {
  auto& dir = shared<spool>(t);
  for (int page = 1; page <= 4; ++page) t.start("page " + std::to_string(page), print_page<Wrong>(t, dir));
  t.start("cleaner", clean_up(dir));
  co_await t.settle();
}

// ---- each reading is older than the one before: a clock that stepped back, or a burst run from its end

struct feed {
  int last = 0;
  int backwards = 0;
  bool cut = false;
};

template <bool Wrong>
asio::awaitable<void> receive(feed& sensor, int time) {
  sensor.backwards = time < sensor.last ? sensor.backwards + 1 : 0;
  if constexpr (Wrong) {
    if (sensor.backwards == 5) sensor.cut = true;
  }
  sensor.last = time;
  co_return;
}

template <bool Wrong>
asio::awaitable<void> burst_from_its_end(trial& t, const subject_base&) {
  auto& sensor = shared<feed>(t);
  for (const int time : {1, 2, 3, 4, 5, 6})
    t.start("reading " + std::to_string(time), receive<Wrong>(sensor, time));
  co_await t.settle();
  t.expect(!sensor.cut, "a burst in any order keeps the feed");
}

}  // namespace

void add_starvation(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("watchdog_counts_polls", 5,
                       "silence is counted in polls, not in time: five turns without one",
                       &watchdog_counts_polls<true>, &watchdog_counts_polls<false>));
  bugs.push_back(plant("spinning_gives_up", 20,
                       "twenty tries are taken for a dead lock: its holder only got no turn",
                       &spinning_gives_up<true>, &spinning_gives_up<false>));
  bugs.push_back(plant("slow_registration", 17,
                       "twenty tries in a row are taken for a missing service, which is only slow",
                       &slow_registration<true>, &slow_registration<false>));
  bugs.push_back(plant("promoted_while_lagging", 14,
                       "takes over without asking whether it lags: one starves, then the other",
                       &promoted_while_lagging<true>, &promoted_while_lagging<false>));
  bugs.push_back(plant("log_overflow", 6, "drops the oldest of eight lines: the flusher only got no turn",
                       &log_overflow<true>, &log_overflow<false>));
  bugs.push_back(plant("cleaned_before_anybody_came", 5,
                       "nobody seen in five looks is nobody: the last task ran ahead of all",
                       &cleaned_before_anybody_came<true>, &cleaned_before_anybody_came<false>));
  bugs.push_back(plant("burst_from_its_end", 5,
                       "five readings in a row that are older cut the feed: a burst run LIFO",
                       &burst_from_its_end<true>, &burst_from_its_end<false>));
}

}  // namespace assay::planted
