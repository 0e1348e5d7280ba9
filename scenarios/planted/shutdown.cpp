// Ends that come at the wrong time: before what is in flight, before who comes late, before the start ends.
#include <deque>

#include <assay/scenarios/planted/idioms.hpp>

namespace assay::planted {

namespace {

// ---- the sink is closed when the queue is empty, with a record still in hand

struct recorder {
  explicit recorder(trial& t) : changed(t) {}
  std::deque<int> queue = {1, 2, 3};
  bool writing = false;
  bool closed = false;
  bell changed;
};

asio::awaitable<void> write_records(trial& t, recorder& log) {
  while (!log.queue.empty()) {
    log.queue.pop_front();
    log.writing = true;
    log.changed.ring();
    co_await turns(1);
    t.expect(!log.closed, "nothing is written after the close");
    log.writing = false;
    log.changed.ring();
  }
}

template <bool Wrong>
asio::awaitable<void> close_when_drained(recorder& log) {
  co_await turns(5);
  const auto drained = [&log] {
    if constexpr (Wrong) return log.queue.empty();
    return log.queue.empty() && !log.writing;
  };
  while (!drained()) co_await log.changed.wait();
  log.closed = true;
}

template <bool Wrong>
asio::awaitable<void> closed_with_one_in_hand(trial& t, const subject_base&) {
  auto& log = shared<recorder>(t, t);
  t.start("writer", write_records(t, log));
  t.start("close", close_when_drained<Wrong>(log));
  co_await t.settle();
}

// ---- who subscribes while the hub closes is not told

struct hub {
  explicit hub(trial& t) : closing(t) {}
  bool closed = false;
  bell closing;
};

template <bool Wrong>
asio::awaitable<void> subscribe(hub& news) {
  if (news.closed) co_return;
  co_await turns(2);  // the greeting
  if constexpr (!Wrong) {
    if (news.closed) co_return;
  }
  co_await news.closing.wait();
}

asio::awaitable<void> close_hub(hub& news) {
  co_await turns(4);
  news.closed = true;
  news.closing.ring();
}

template <bool Wrong>
asio::awaitable<void> late_subscriber(trial& t, const subject_base&) {
  auto& news = shared<hub>(t, t);
  t.start("subscriber", subscribe<Wrong>(news));
  t.start("close", close_hub(news));
  co_await t.settle();
}

// ---- an event is on its way when its handler is taken off

struct listener {
  bool subscribed = true;
  int late = 0;
};

template <bool Wrong>
asio::awaitable<void> publish(trial& t, listener& one) {
  for (int event = 0; event < 2; ++event) {
    co_await turns(1);
    if (!one.subscribed) co_return;
    asio::post(t.executor(), [&one] {
      if constexpr (!Wrong) {
        if (!one.subscribed) return;
      }
      if (!one.subscribed) ++one.late;
    });
  }
}

asio::awaitable<void> unsubscribe(listener& one) {
  co_await turns(4);
  one.subscribed = false;
}

template <bool Wrong>
asio::awaitable<void> event_after_unsubscribe(trial& t, const subject_base&) {
  auto& one = shared<listener>(t);
  t.start("publisher", publish<Wrong>(t, one));
  t.start("unsubscribe", unsubscribe(one));
  co_await t.settle();
  t.expect_eq(one.late, 0, "no event comes after the unsubscription");
}

// ---- stopped while it starts

struct service {
  bool running = false;
  bool stop_asked = false;
};

template <bool Wrong>
asio::awaitable<void> start_service(service& web) {
  co_await turns(3);  // binds its port
  if constexpr (!Wrong) {
    if (web.stop_asked) co_return;
  }
  web.running = true;
}

asio::awaitable<void> stop_service(service& web) {
  co_await turns(4);
  web.stop_asked = true;
  web.running = false;
}

template <bool Wrong>
asio::awaitable<void> stopped_while_starting(trial& t, const subject_base&) {
  auto& web = shared<service>(t);
  t.start("start", start_service<Wrong>(web));
  t.start("stop", stop_service(web));
  co_await t.settle();
  t.expect(!web.running, "what was stopped does not run");
}

}  // namespace

void add_shutdown(std::vector<planted_bug>& bugs) {
  bugs.push_back(plant("closed_with_one_in_hand", 3,
                       "an empty queue is taken for drained: the record in hand comes too late",
                       &closed_with_one_in_hand<true>, &closed_with_one_in_hand<false>));
  bugs.push_back(plant("late_subscriber", 3,
                       "looks whether it is closed, greets, then waits: the close was in between",
                       &late_subscriber<true>, &late_subscriber<false>));
  bugs.push_back(plant("event_after_unsubscribe", 2,
                       "an event that was posted reaches a handler that was taken off",
                       &event_after_unsubscribe<true>, &event_after_unsubscribe<false>));
  bugs.push_back(plant("stopped_while_starting", 2,
                       "stop finds nothing that runs; the start goes on and runs for ever",
                       &stopped_while_starting<true>, &stopped_while_starting<false>));
}

}  // namespace assay::planted
