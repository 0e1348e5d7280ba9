// The end-to-end clauses: the patterns assembled into a service, and the four headline guarantees together.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 48,  // how items are processed, by how many workers, and whether there is time for a drain
    .verbs = {"submit", "stop", "advance", "settle", "cancel", "sink", "from_within", "in_one_turn",
              "cancel_run"},
    .a_values = 6,
    .b_values = 2,
    .steps_max = 16,
    // With a stop among the steps, that many services one after the other.
    .repeats = {1, 1, 1, 1, 1, 1, 1, 12},
};

namespace asio = boost::asio;
using contract::service;
using contract::service_report;
using std::chrono::nanoseconds;
using namespace std::chrono_literals;

// What surrounds the service in these scenarios: how long things take and what fails, and what was seen.
struct surroundings {
  explicit surroundings(trial& owner) : t(owner) {}
  trial& t;
  nanoseconds processing = 10ms;
  nanoseconds opening = 1ms;
  nanoseconds closing = 1ms;
  bool processing_fails = false;  // every item
  bool is_deaf = false;           // processing ignores cancellation, and goes on for a day
  bool is_mixed = false;       // items differ: some are quick, some obey, some have last words, some are deaf
  bool closing_fails = false;  // both resources
  std::string fails_to_open = {};
  bool deaf_resources = false;   // opening and closing ignore cancellation
  nanoseconds last_words = 0ns;  // a cancelled item still writes to the sink, after this time
  bool sink_stalls = false;
  bool store_open = false;
  bool sink_open = false;
  bool accepts_no_more = false;  // it has said so
  int calls_after_close = 0;
  std::vector<int> delivered;
  std::vector<std::string> failed_to_close;
  std::size_t begun = 0;   // items, in processing
  std::size_t spoken = 0;  // last words
  std::set<int> working;   // items that are processed or delivered just now
  std::map<std::string, std::function<void()>, std::less<>> within;  // what is done once, and where

  bool all_closed() const { return !store_open && !sink_open; }
  bool ignores_stop(int id) const { return is_deaf || (is_mixed && id % 4 == 3); }
  nanoseconds words_of(int id) const { return is_mixed && id % 4 == 2 ? 30ms : last_words; }
  nanoseconds time_of(int id) const {
    if (ignores_stop(id)) return 24h;
    return is_mixed && id % 4 == 0 ? 5ms : processing;
  }
  void come_past(std::string_view place) {
    const auto found = within.find(place);
    if (found == within.end()) return;
    const std::function<void()> what = std::move(found->second);
    within.erase(found);
    what();
  }
};

void touch_sink(surroundings& s) {
  if (!s.sink_open) ++s.calls_after_close;
}

// Someone is at this item, until it ends in whatever way: an await may throw as soon as it is asked to stop.
struct at_work {
  at_work(surroundings& where, int item_id) : s(where), id(item_id) { s.working.insert(id); }
  at_work(const at_work&) = delete;
  at_work& operator=(const at_work&) = delete;
  ~at_work() { s.working.erase(id); }
  surroundings& s;
  int id;
};

asio::awaitable<void> process_item(surroundings& s, int id) {
  ++s.begun;
  const at_work here(s, id);
  s.come_past("process");
  const bool is_deaf = s.ignores_stop(id);
  const nanoseconds words = s.words_of(id);
  if (is_deaf) co_await asio::this_coro::throw_if_cancelled(false);
  if (is_deaf) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  std::exception_ptr failure = co_await failure_of(sleep_for(s.time_of(id)));
  if (!failure && s.processing_fails) failure = s.t.plant("item " + std::to_string(id));
  if (!failure) co_return;
  const bool cancelled = describe(failure).kind == outcome_kind::cancelled;
  if (cancelled && words > 0ns) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await sleep_for(words);
    touch_sink(s);
    ++s.spoken;
  }
  if (!cancelled) s.t.observe(failure);  // the dead-letter sink has it
  std::rethrow_exception(failure);
}

asio::awaitable<void> deliver_item(surroundings& s, int id) {
  // One that ignored the stop comes here long after it.
  const bool in_time = !s.ignores_stop(id);
  if (in_time) touch_sink(s);
  s.come_past("deliver");
  const at_work here(s, id);
  while (s.sink_stalls) co_await sleep_for(1ms);
  if (in_time) touch_sink(s);
  s.delivered.push_back(id);
}

asio::awaitable<void> sleep_as_resources_do(const surroundings& s, nanoseconds time) {
  return s.deaf_resources ? shield(sleep_for(time)) : sleep_for(time);
}

bool& is_open(surroundings& s, std::string_view name) { return name == "sink" ? s.sink_open : s.store_open; }

asio::awaitable<void> open_resource(surroundings& s, const char* name) {
  s.come_past(std::string("open ") + name);
  co_await sleep_as_resources_do(s, s.opening);
  if (s.fails_to_open == name) s.t.raise(std::string("cannot open ") + name);
  is_open(s, name) = true;
  s.t.mark(std::string("open ") + name);
}

asio::awaitable<void> close_resource(surroundings& s, const char* name) {
  is_open(s, name) = false;
  s.t.mark(std::string("close ") + name);
  s.come_past(std::string("close ") + name);
  co_await sleep_as_resources_do(s, s.closing);
  s.t.mark(std::string("closed ") + name);
  if (!s.closing_fails) co_return;
  s.failed_to_close.push_back(std::string("cannot close ") + name);
  s.t.raise(s.failed_to_close.back());
}

// They last as long as the trial: where a scenario breaks off, a service may go on.
surroundings& surround(trial& t) {
  auto made = std::make_shared<surroundings>(t);
  t.keep(made);
  return *made;
}

// A service in these surroundings. The coroutines of its callbacks are functions: they outlive the callbacks.
made_subject<service> connected(const maker<service>& make, surroundings& s, service::config how = {}) {
  service::callbacks outside;
  outside.process = [&s](int id) { return process_item(s, id); };
  outside.deliver = [&s](int id) { return deliver_item(s, id); };
  outside.open_sink = [&s] { return open_resource(s, "sink"); };
  outside.close_sink = [&s] { return close_resource(s, "sink"); };
  outside.open_store = [&s] { return open_resource(s, "store"); };
  outside.close_store = [&s] { return close_resource(s, "store"); };
  outside.event = [&s](std::string_view what) {
    s.t.mark(std::string(what));
    if (what == "stop accepting") s.accepts_no_more = true;
    s.come_past(what);
  };
  auto subject = make(how);
  subject->connect(std::move(outside));
  return subject;
}

// trial::premise, where nothing is taken apart under the feet of a service that runs.
void premise(trial& t, made_subject<service>& subject, bool holds, std::string_view text,
             std::source_location where = std::source_location::current()) {
  if (!holds) t.keep(std::shared_ptr<service>(subject.release()));
  t.premise(holds, text, where);
}

// At the end of a scenario in which a service that is wrong may still run.
void leave(trial& t, made_subject<service>& subject, bool has_ended) {
  if (!has_ended) t.keep(std::shared_ptr<service>(subject.release()));
}

void serving(trial& t, made_subject<service>& subject,
             std::source_location where = std::source_location::current()) {
  premise(t, subject, subject->ready(), "the service is ready", where);
}

// Items that come one after the other; ends when the service refuses.
asio::awaitable<void> feed(trial& t, service& subject, int first, int last, nanoseconds pause = 0ns) {
  for (int id = first; id <= last; ++id) {
    const std::exception_ptr failure = co_await failure_of(subject.submit(t.item(id)));
    if (describe(failure).kind == outcome_kind::closed) {
      t.mark("refused");
      co_return;
    }
    if (failure) std::rethrow_exception(failure);
    if (pause > 0ns) co_await sleep_for(pause);
  }
}

asio::awaitable<void> stop(trial& t, service& subject, nanoseconds time = 1s) {
  subject.request_stop();
  return t.advance(time);
}

// One life: up in 5ms, items from `first` to `last`, and the stop when they have had `time`.
asio::awaitable<void> live(trial& t, made_subject<service>& subject, int first, int last, nanoseconds pause,
                           nanoseconds time) {
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
  serving(t, subject);
  auto source = t.start("source", feed(t, *subject, first, last, pause));
  co_await t.advance(time);
  subject->request_stop();
  co_await t.pass(pause);
  t.expect(source.done(), "the source is not left waiting");
  co_await t.advance(1s);
  t.expect(run.done(), "the service stops");
}

void account(trial& t, service& subject) {
  const std::vector<item> rest = subject.take_back();
  t.expect(t.items().balanced(), "every accepted item is in exactly one class", t.items().summary());
}

}  // namespace

ASSAY_CONTRACT(service, "assembly",
               "the patterns together: sources, queue, workers, sink, shutdown around them");

ASSAY_CLAUSE(
    service, "INT-1", must,
    "Item preservation: for every trigger time and schedule, accepted = delivered to sink + dead-lettered + "
    "returned/persisted at stop + dropped by a declared policy; each item in exactly one class; duplicates "
    "only with attempt > 1. What is returned is in the order of acceptance, but for what workers had in "
    "hand, which "
    "comes first.") {
  for (const auto trigger : {0ms, 3ms, 11ms, 35ms, 60ms}) {
    surroundings& s = surround(t);
    auto subject = connected(make, s, {.drain_ns = 20'000'000});
    const int base = 100 * (1 + static_cast<int>(trigger.count()));
    co_await live(t, subject, base, base + 9, 0ns, trigger);
    account(t, *subject);
  }
}

ASSAY_SCENARIO(service, "INT-1", "dead letters", .features = {"dead_letter"}) {
  surroundings& s = surround(t);
  s.processing_fails = true;
  auto subject = connected(make, s);
  co_await live(t, subject, 1, 6, 0ns, 25ms);
  account(t, *subject);
}

ASSAY_SCENARIO(service, "INT-1", "a worker that is stopped") {
  surroundings& s = surround(t);
  s.processing = 500ms;
  auto subject = connected(make, s, {.drain_ns = 20'000'000});
  co_await live(t, subject, 1, 8, 0ns, 1ms);
  t.premise(s.begun > 0 && s.delivered.empty(), "a worker was stopped at its item");
  account(t, *subject);
}

ASSAY_SCENARIO(service, "INT-1", "the order of what comes back") {
  for (const std::int64_t workers : {1, 2}) {
    surroundings& s = surround(t);
    s.processing = 500ms;
    auto subject = connected(make, s, {.queue_capacity = 4, .workers = workers, .drain_ns = 20'000'000});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    serving(t, subject);
    const int base = 100 * static_cast<int>(workers);
    std::vector<int> waiting;
    for (int id = base; id < base + 5;
         ++id) {  // one after the other, so that this is the order of acceptance
      auto submit = co_await t.begin("submit " + std::to_string(id), subject->submit(t.item(id)));
      premise(t, subject, submit.done(), "there is room");
      if (!s.working.contains(id)) waiting.push_back(id);
    }
    const std::vector<int> in_hand(s.working.begin(), s.working.end());
    premise(t, subject, !in_hand.empty() && waiting.size() > 1, "workers are at items, and others wait");
    co_await stop(t, *subject);
    t.expect(run.done(), "the service stops");
    std::vector<int> rest;
    for (const item& one : subject->take_back()) rest.push_back(one.id());
    if (!t.expect_eq(rest.size(), in_hand.size() + waiting.size(), "all that was accepted comes back"))
      co_return;
    const auto first_that_waited = rest.begin() + static_cast<std::ptrdiff_t>(in_hand.size());
    t.expect_eq(sorted(std::vector<int>(rest.begin(), first_that_waited)), in_hand,
                "what workers had in hand comes back before what waited");
    t.expect_eq(std::vector<int>(first_that_waited, rest.end()), waiting,
                "what waited comes back the oldest first");
  }
}

namespace {

// Fails unless every event of the shutdown occurred at most once, and none before one that it follows on.
void expect_phases(trial& t, const std::string& clause = {}) {
  const std::map<std::string, int> phases = {
      {"open store", 0},  {"open sink", 0},    {"not ready", 1},          {"stop accepting", 2},
      {"drain end", 3},   {"force cancel", 3}, {"background stopped", 4}, {"close sink", 5},
      {"close store", 6}, {"stopped", 7}};
  int reached = 0;
  std::string all;
  bool in_order = true;
  for (const std::string& what : t.marks()) {
    if (what == "refused" || what.starts_with("closed ")) continue;
    const auto phase = phases.find(what);
    const bool once = std::ranges::count(t.marks(), what) == 1;
    in_order = in_order && once && phase != phases.end() && phase->second >= reached;
    if (in_order) reached = phase->second;
    all += (all.empty() ? "" : ", ") + what;
  }
  t.expect(in_order, clause + "the shutdown goes through its phases in order: was " + all);
}

}  // namespace

ASSAY_CLAUSE(
    service, "INT-2", must,
    "Shutdown order in the trace (edges only between events that occurred): not-ready < stop-accept <= first "
    "admission refused; stop-accept < drain end and force-cancel, in either order (a drain whose budget is "
    "over "
    "ends before its workers are cancelled, or with them) < background stopped < sink flushed < resources "
    "closed in reverse < stopped. No edge ever inverted, and no work is force-cancelled that has ended in "
    "time.") {
  for (const auto processing : {10ms, 500ms}) {
    surroundings& s = surround(t);
    s.processing = processing;
    auto subject = connected(make, s, {.drain_ns = 30'000'000});
    const int base = 1000 * static_cast<int>(processing.count());
    co_await live(t, subject, base, base + 9, 1ms, 4ms);
    t.premise(s.begun > 0, "there is something to drain");
    expect_phases(t);
    const bool forced = std::ranges::count(t.marks(), "force cancel") > 0;
    t.expect(!forced || processing == 500ms, "a drain that is over in time forces nobody");
    t.expect(s.all_closed(), "what was opened is closed");
    t.expect_before("stop accepting", "refused");
    account(t, *subject);
  }
}

ASSAY_CLAUSE(
    service, "INT-3", must,
    "No use after close: the mock sink/pool records zero calls after its close began (other than the final "
    "flush).") {
  surroundings& s = surround(t);
  s.processing = 500ms;
  s.last_words = 5ms;
  auto subject = connected(make, s, {.drain_ns = 20'000'000});
  co_await live(t, subject, 1, 5, 0ns, 1ms);
  t.premise(s.spoken > 0, "a worker that was stopped used the sink once more");
  t.expect_eq(s.calls_after_close, 0, "nobody uses the sink after its close began");
  account(t, *subject);
}

ASSAY_CLAUSE(
    service, "INT-4", must,
    "Backpressure: with a stalled sink total buffered items stay <= sum of declared capacities for ever; "
    "producers are parked, not failing; on release throughput resumes without loss. No more items are "
    "processed at once than there are workers, and with `all_workers` no fewer, if so many are there; at "
    "least one is "
    "while items wait, also after items that failed.") {
  for (const std::int64_t capacity : {1, 3}) {
    surroundings& s = surround(t);
    s.processing = 1ms;
    s.sink_stalls = true;
    auto subject = connected(make, s, {.queue_capacity = capacity, .drain_ns = 1'000'000'000});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    serving(t, subject);
    const int base = 100 * static_cast<int>(capacity);
    auto one = t.start("source 1", feed(t, *subject, base, base + 9));
    auto two = t.start("source 2", feed(t, *subject, base + 10, base + 19));
    co_await t.advance(100ms);
    t.expect(one.pending() && two.pending(), "sources wait while the sink stalls");
    t.expect(s.delivered.empty(), "nothing gets past a stalled sink");
    s.sink_stalls = false;
    co_await t.advance(200ms);
    t.expect(one.done() && two.done(), "on release the sources go on");
    co_await stop(t, *subject, 2s);
    t.expect(run.done(), "the service stops");
    t.expect_eq(s.delivered.size(), 20U, "nothing was lost on the way");
    account(t, *subject);
  }
}

namespace {

// One item after the other, for each of so many workers: the next when the one before is done.
asio::awaitable<void> check_workers(trial& t, maker<service> make, bool fails) {
  int base = 0;
  for (const std::int64_t workers : {3, 5, 1}) {
    surroundings& s = surround(t);
    s.processing_fails = fails;
    auto subject = connected(make, s, {.workers = workers});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    serving(t, subject);
    base += 100;
    auto source = co_await t.begin("source", feed(t, *subject, base, base + 29));
    for (int round = 1; round <= 3; ++round) {
      if (round > 1) co_await t.pass(s.processing);
      t.expect(std::cmp_less_equal(s.working.size(), workers),
               "no more items are processed at once than there are workers");
      if (make.claims("all_workers"))
        t.expect_eq(s.working.size(), workers, "as many items are processed at once as there are workers");
    }
    co_await stop(t, *subject);
    t.expect(run.done() && source.done(), "the service stops");
    account(t, *subject);
  }
}

}  // namespace

ASSAY_SCENARIO(service, "INT-4", "workers", .asks = {"all_workers"}) { return check_workers(t, make, false); }

ASSAY_SCENARIO(service, "INT-4", "workers that fail", .features = {"dead_letter"}, .asks = {"all_workers"}) {
  return check_workers(t, make, true);
}

ASSAY_SCENARIO(service, "INT-4", "after items that failed", .features = {"dead_letter"}) {
  int base = 0;
  for (const std::int64_t workers : {1, 2}) {
    base += 100;
    surroundings& s = surround(t);
    s.processing_fails = true;
    auto subject = connected(make, s, {.workers = workers});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    serving(t, subject);
    auto failing = t.start("source", feed(t, *subject, base, base + 4));
    co_await t.advance(10s);
    premise(t, subject, s.begun > 0, "items have failed");
    s.processing_fails = false;
    auto source = t.start("source 2", feed(t, *subject, base + 10, base + 14));
    co_await t.advance(10s);
    t.expect_eq(s.delivered.size(), 5U, "items are processed after others have failed");
    co_await stop(t, *subject);
    t.expect(run.done() && failing.done() && source.done(), "the service stops");
    account(t, *subject);
  }
}

ASSAY_CLAUSE(
    service, "INT-5", must,
    "Exception aggregation: k injected failures in distinct tasks during drain and cleanup are all in the "
    "final report, each once, none replaced by a cancellation.") {
  surroundings& s = surround(t);
  s.closing_fails = true;
  auto subject = connected(make, s);
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
  serving(t, subject);
  co_await stop(t, *subject);
  std::vector<std::string> labels;
  for (const auto& failure : run.value().failures) {
    t.observe(failure.what);
    labels.push_back(failure.what.label);
  }
  t.expect_eq(sorted(labels), std::vector<std::string>({"cannot close sink", "cannot close store"}),
              "every failure of the cleanup is in the report, once");
}

ASSAY_SCENARIO(
    service, "INT-5", "an opening that fails",
    .why =
        "Why the service did not come up is told, once, and whoever waits for it does not go on waiting.") {
  int base = 0;
  for (const char* const failing : {"store", "sink"}) {
    base += 100;
    surroundings& s = surround(t);
    s.fails_to_open = failing;
    auto subject = connected(make, s);
    auto run = t.start("run", subject->run());
    auto source = t.start("source", feed(t, *subject, base, base + 5));
    co_await t.advance(1s);
    const std::string expected = std::string("cannot open ") + failing;
    const outcome seen = run.what();
    t.expect(!run.pending(), "a service that cannot start ends");
    std::vector<std::string> labels;
    if (run.done()) {
      for (const auto& failure : run.value().failures) {
        t.observe(failure.what);
        labels.push_back(failure.what.label);
      }
    } else {
      labels = labels_of(seen);
    }
    t.expect_eq(labels, std::vector<std::string>({expected}),
                "why is in the report, or what the run fails with, once");
    t.expect(source.done(), "no source is left waiting");
    t.expect(s.all_closed(), "what was opened is closed");
    account(t, *subject);
  }
}

ASSAY_CLAUSE(
    service, "INT-6", must,
    "Total stop time <= sum of budgets, for every mix of cooperative, slow and deaf tasks; deaf ones are "
    "named.",
    .sim_only = true) {
  for (const auto drain : {20ms, 70ms}) {
    surroundings& s = surround(t);
    s.is_deaf = true;
    auto subject = connected(make, s, {.drain_ns = nanoseconds(drain).count()});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    const int base = 100 * static_cast<int>(drain.count());
    auto source = co_await t.begin("source", feed(t, *subject, base, base + 3));
    premise(t, subject, !s.working.empty(), "a worker is at an item");
    co_await stop(t, *subject, drain);
    t.expect(run.pending(), "the drain has its whole budget");
    co_await t.pass(50ms + 50ms);
    t.expect(run.done(), "the stop takes no longer than its budgets");
    if (run.done())
      t.expect_eq(run.value().survivors.size(), s.begun, "workers that ignore the stop are named");
    // They do end, long after; only then may the trial.
    co_await t.advance(25h);
    co_await t.cancel(source);
    t.expect(!source.pending(), "the source ended");
    const std::vector<item> rest = subject->take_back();
    co_await t.advance(25h);
    co_await t.cancel(run);
    t.expect(run.done(), "the service has stopped");
  }
}

ASSAY_SCENARIO(service, "INT-6", "a mix", .sim_only = true,
               .why = "Who does not listen takes no time from those that do, and only he is named.") {
  surroundings& s = surround(t);
  s.processing = 500ms;
  s.is_mixed = true;
  auto subject = connected(make, s, {.queue_capacity = 4, .workers = 4, .drain_ns = 20'000'000});
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
  serving(t, subject);
  // The deaf come first and last.
  for (const int id : {3, 1, 2, 7}) co_await subject->submit(t.item(id));
  co_await t.settle();
  premise(t, subject, s.working.contains(3), "a worker is at an item that ignores the stop");
  const auto deaf = std::ranges::count_if(s.working, [&s](int id) { return s.ignores_stop(id); });
  co_await stop(t, *subject, 20ms);
  co_await t.pass(50ms + 50ms);
  t.expect(run.done(), "the stop takes no longer than its budgets");
  if (run.done()) t.expect_eq(run.value().survivors.size(), deaf, "workers that ignore the stop are named");
  t.expect_eq(s.calls_after_close, 0, "nobody who obeys is left to use what is closed");
  co_await t.advance(50h);
  const std::vector<item> rest = subject->take_back();
}

ASSAY_SCENARIO(service, "INT-6", "many items", .sim_only = true,
               .why = "No item takes long, and all together take longer than the budgets.") {
  int base = 0;
  for (const auto drain : {20ms, 70ms}) {
    base += 100;
    surroundings& s = surround(t);
    s.processing = 9ms;
    auto subject =
        connected(make, s, {.queue_capacity = 40, .workers = 1, .drain_ns = nanoseconds(drain).count()});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    serving(t, subject);
    auto source = co_await t.begin("source", feed(t, *subject, base, base + 39));
    premise(t, subject, !s.working.empty() && subject->buffered() > 30,
            "there is more than the drain has time for");
    co_await stop(t, *subject, drain);
    t.expect(run.pending(), "the drain has its whole budget");
    co_await t.pass(50ms + 50ms);
    t.expect(run.done(), "the stop takes no longer than its budgets");
    t.expect(std::cmp_equal(s.delivered.size(), drain / s.processing),
             "the drain lasts as long as its budget");
    t.expect(source.done(), "the source is not left waiting");
    account(t, *subject);
    leave(t, subject, run.done());
  }
}

ASSAY_SCENARIO(service, "INT-6", "an opening", .sim_only = true,
               .why = "What is being opened is asked to stop, and waited for no longer than a worker.") {
  struct moment {
    nanoseconds opening;
    nanoseconds asked_after;
  };
  for (const moment when : {moment{500ms, 100ms}, moment{500ms, 600ms}, moment{24h, 100ms}}) {
    surroundings& s = surround(t);
    s.opening = when.opening;
    s.deaf_resources = when.opening == 24h;
    auto subject = connected(make, s);
    auto run = t.start("run", subject->run());
    co_await t.advance(when.asked_after);
    premise(t, subject, run.pending() && s.store_open == (when.asked_after == 600ms),
            "a resource is being opened");
    subject->request_stop();
    co_await t.pass(100ms + 50ms + 50ms);
    t.expect(run.done(), "the stop takes no longer than its budgets");
    if (run.done()) {
      t.expect(run.value().failures.empty(), "an opening that is given up is no failure");
      t.expect_eq(run.value().survivors.size(), s.deaf_resources ? 1U : 0U,
                  "an opening that ignores the stop is named, and nobody else");
      t.expect(s.all_closed(), "what was opened is closed");
    }
    co_await t.advance(25h);
    leave(t, subject, run.done());
  }
}

ASSAY_SCENARIO(service, "INT-6", "resources that do not close", .sim_only = true,
               .why = "All resources share the one budget of the cleanup.") {
  for (const auto closing : {10ms, 500ms, 86'400'000ms}) {
    surroundings& s = surround(t);
    s.closing = closing;
    s.deaf_resources = closing == 24h;
    auto subject = connected(make, s, {.drain_ns = 10'000'000, .force_ns = 10'000'000});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
    serving(t, subject);
    subject->request_stop();
    co_await t.pass(10ms + 10ms + 50ms);
    t.expect(run.done(), "the stop takes no longer than its budgets");
    const auto closed = [&t](std::string_view mark) { return std::ranges::count(t.marks(), mark) == 1; };
    if (closing == 10ms)
      t.expect(closed("closed sink") && closed("closed store"), "there is time for both to close");
    if (s.deaf_resources && run.done())
      t.expect(!run.value().survivors.empty(), "a resource whose close ignores the stop is named");
    co_await t.advance(50h);
    leave(t, subject, run.done());
  }
}

ASSAY_SCENARIO(service, "INT-6", "extreme durations", .sim_only = true) {
  int id = 0;
  for (const nanoseconds drain : extreme_durations) {
    const std::string time = format_duration(drain);
    const bool endless = is_endless(drain);
    surroundings& s = surround(t);
    s.processing = long_time;
    made_subject<service> subject;
    try {
      subject = connected(make, s, {.drain_ns = drain.count()});
    } catch (const contract::rejected_error&) {
      t.expect(drain < 0ns, "a budget that is not negative is accepted: " + time);
    }
    if (!subject) continue;
    auto run = t.start("run with " + time, subject->run());
    co_await t.advance(5ms);
    ++id;
    auto source = co_await t.begin("source", feed(t, *subject, id, id));
    premise(t, subject, !s.working.empty(), "a worker is at an item");
    subject->request_stop();
    co_await t.settle();
    if (!has_passed(drain)) {
      t.expect(run.pending(), "the drain has its whole budget: " + time);
      co_await t.advance(endless ? long_time : soon);
    }
    co_await t.advance(10ms);
    t.expect(run.done(), "the stop takes no longer than its budgets: " + time);
    t.expect_eq(s.delivered.size(), endless ? 1U : 0U,
                "what the drain has time for is processed, and nothing else: " + time);
    t.expect(source.done(), "the source is not left waiting");
    account(t, *subject);
  }
}

ASSAY_CLAUSE(
    service, "INT-7", must,
    "Cancel storms (every task cancelled at every step) end quiescent with a balanced ledger. Where the run "
    "was "
    "cancelled before it began, a stop that is requested then still releases every submitter that waits.",
    .swept = true) {
  surroundings& s = surround(t);
  auto subject = connected(make, s, {.drain_ns = 20'000'000});
  auto run = t.start("run", subject->run());
  t.victim(run);
  auto source = t.start("source", feed(t, *subject, 1, 6));
  co_await t.advance(2ms);
  auto second = t.start("source 2", feed(t, *subject, 11, 16));
  co_await t.advance(30ms);
  co_await stop(t, *subject);
  t.expect(!run.pending(), "the run ends");
  t.expect(run.done() || run.cancelled(), "with its report or as cancelled");
  t.expect(source.done() && second.done(), "no source is left waiting");
  account(t, *subject);
}

ASSAY_SCENARIO(service, "INT-7", "cancelled before it began",
               .why = "what would have released its submitters never ran") {
  surroundings& s = surround(t);
  auto subject = connected(make, s, {.queue_capacity = 1});
  auto run = t.start("run", subject->run());
  run.cancel();
  auto source = t.start("source", feed(t, *subject, 1, 6));
  co_await t.advance(10ms);
  subject->request_stop();
  co_await t.settle();
  t.expect(source.done(), "a stop releases whoever waits, although the run never began");
  t.expect(run.done() || run.cancelled(), "the run ends");
  t.expect(s.all_closed(), "what was opened is closed");
  account(t, *subject);
}

ASSAY_SCENARIO(service, "INT-7", "a source", .swept = true) {
  surroundings& s = surround(t);
  auto subject = connected(make, s, {.queue_capacity = 1, .drain_ns = 20'000'000});
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
  serving(t, subject);
  auto source = t.start("source", feed(t, *subject, 1, 8, 1ms));
  t.victim(source);
  co_await t.advance(30ms);
  co_await stop(t, *subject);
  t.expect(run.done(), "the service stops");
  t.expect(source.done() || source.cancelled(), "the source ended");
  account(t, *subject);
}

ASSAY_CLAUSE(
    service, "INT-8", must,
    "Trigger before start, during each startup step, during drain, and twice in one turn are all covered.") {
  int base = 0;
  // Before the run, within each of the two startup steps, while it runs.
  for (const auto trigger : {-1ms, 0ms, 1ms, 2ms, 5ms}) {
    base += 100;
    surroundings& s = surround(t);
    auto subject = connected(make, s, {.drain_ns = 20'000'000});
    if (trigger < 0ms) subject->request_stop();
    auto run = t.start("run", subject->run());
    auto source = t.start("source", feed(t, *subject, base, base + 5, 1ms));
    if (trigger >= 0ms) {
      co_await t.advance(trigger);
      premise(t, subject, s.sink_open == (trigger == 5ms), "the service starts, or runs");
      subject->request_stop();
      co_await stop(t, *subject, 7ms);
      subject->request_stop();
    }
    co_await t.advance(1s);
    t.expect(run.done(), "the service stops, whenever it is asked to");
    if (run.done()) t.expect(run.value().failures.empty(), "an early stop is no failure");
    t.expect(source.done(), "no source is left waiting");
    account(t, *subject);
    t.expect(s.all_closed(), "what was opened is closed");
  }
}

ASSAY_CLAUSE(service, "INT-9", must,
             "Liveness stays true and readiness false from the settled point after the trigger to the stop; "
             "in process, at "
             "every turn boundary from when the service has said that it is not ready.") {
  surroundings& s = surround(t);
  s.processing = 40ms;
  auto subject = connected(make, s, {.drain_ns = 100'000'000});
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
  serving(t, subject);
  t.expect(subject->live(), "a running service is alive");
  auto source = co_await t.begin("source", feed(t, *subject, 1, 4));
  premise(t, subject, !s.working.empty(), "a worker is at an item");
  subject->request_stop();
  co_await t.settle();
  auto watch = t.watch([&subject, &t, &run] {
    if (run.ended() || std::ranges::count(t.marks(), "stopped") > 0) return std::string();
    if (subject->ready()) return std::string("a service that stops is not ready");
    return subject->live() ? std::string() : std::string("a service that stops is alive");
  });
  co_await t.advance(1s);
  t.expect(run.done() && source.done(), "the service stops");
  account(t, *subject);
}

ASSAY_UNCHECKED_CLAUSE(
    service, "INT-10", should,
    "The same scenario runs on the real io_context with real timers once per build as a smoke test "
    "(not as evidence).",
    "It is a test of the reference alone, built without the harness: reference_test, service_test.");

// ---- random programs, for properties and fuzzing

namespace {

constexpr nanoseconds drain_time = 20ms;
constexpr nanoseconds force_time = 50ms;
constexpr nanoseconds cleanup_time = 50ms;

asio::awaitable<void> submit_and_stop(service& subject, item one) {
  co_await subject.submit(std::move(one));
  subject.request_stop();
}
asio::awaitable<void> stop_and_submit(service& subject, item one) {
  subject.request_stop();
  co_await subject.submit(std::move(one));
}
asio::awaitable<void> submit_two(service& subject, item one, item two) {
  co_await subject.submit(std::move(one));
  co_await subject.submit(std::move(two));
}

// What a program knows of one service. Nothing that it checks depends on the order of what happens at one instant.
class run_of_a_program {
 public:
  run_of_a_program(trial& owner, const maker<service>& how, std::uint8_t shape, int& ids)
      : t(owner), make(how), ids_(ids), s_(surround(owner)), drain_(shape / 24 == 0 ? drain_time : 0ns) {
    const int kind = shape % 6;
    s_.processing = std::chrono::milliseconds(kind % 2 == 0 ? 5 : 200);
    s_.is_mixed = kind == 2;
    if (s_.is_mixed) s_.processing = 200ms;
    s_.closing_fails = kind == 3;
    s_.processing_fails = kind == 4 && make.claims("dead_letter");
    s_.last_words = kind == 5 ? 3ms : 0ms;
    constexpr std::int64_t workers[] = {2, 1, 3, 5};
    workers_ = workers[shape / 6 % 4];
    capacity_ = 1 + shape % 3;
    subject_ =
        connected(make, s_, {.queue_capacity = capacity_, .workers = workers_, .drain_ns = drain_.count()});
  }

  void begin(bool is_stopped) {
    if (is_stopped) subject_->request_stop();
    run_.emplace(t.start("run", subject_->run()));
  }

  /// After every turn.
  std::string look() {
    if (run_->ended() && !left_working_) left_working_ = s_.working.size();
    return {};
  }

  asio::awaitable<void> do_step(program_step step) {
    switch (step.verb) {
      case 0:
        start(subject_->submit(next_item()));
        if (step.b == 1) t.victim(submits_.back());
        co_return;
      case 1:
        subject_->request_stop();
        if (step.b == 1) subject_->request_stop();
        co_return;
      case 2:
        co_return co_await t.advance(std::chrono::milliseconds(1 + 4 * step.a));
      case 3:
        co_await t.settle();
        co_return check();
      case 4:
        if (!submits_.empty()) submits_[step.a % submits_.size()].cancel();
        co_return;
      case 5:
        s_.sink_stalls = step.b == 0;
        co_return;
      case 6:
        co_return stop_within(step);
      case 7:
        co_return do_in_one_turn(step);
      default:
        if (step.b == 1) co_return run_->cancel();
        co_return start(subject_->submit(next_item()));
    }
  }

  asio::awaitable<void> end() {
    co_await t.settle();
    s_.sink_stalls = false;
    subject_->request_stop();
    co_await t.settle();
    check();
    // A service that has not begun to serve still opens one resource, and every wait may be a step late.
    const nanoseconds longest = 2 * s_.opening + drain_ + force_time + cleanup_time + 20ms;
    for (nanoseconds waited{}; waited < longest && run_->pending(); waited += 5ms) co_await t.advance(5ms);
    t.expect(run_->ended(), "INT-6: the stop takes no longer than its budgets");
    co_await t.advance(50h);  // who ignored the stop ends
    if (run_->pending()) co_await t.cancel(*run_);
    check_end();
    leave(t, subject_, run_->ended());
  }

 private:
  item next_item() { return t.item(++ids_); }
  void start(asio::awaitable<void> submit) {
    submits_.push_back(t.start("submit " + std::to_string(ids_), std::move(submit)));
  }

  void stop_within(const program_step& step) {
    constexpr const char* places[] = {"process",    "deliver",   "open sink",
                                      "close sink", "not ready", "drain end"};
    s_.within[places[step.a]] = [this, here = std::weak_ptr<bool>(alive_)] {
      if (!here.expired()) subject_->request_stop();
    };
  }

  void do_in_one_turn(const program_step& step) {
    item one = next_item();
    if (step.a < 2) return start(submit_and_stop(*subject_, std::move(one)));
    if (step.a < 4) return start(stop_and_submit(*subject_, std::move(one)));
    item two = next_item();
    start(submit_two(*subject_, std::move(one), std::move(two)));
  }

  // When nothing more can happen now.
  void check() {
    if (s_.accepts_no_more) {
      for (const auto& submit : submits_)
        t.expect(submit.ended(), "INT-7: a stop releases whoever waits", "'submit' waits");
      return;
    }
    if (!subject_->ready() || !s_.sink_open) return;
    const bool waits = std::ranges::any_of(submits_, [](const auto& submit) { return submit.pending(); });
    const std::size_t buffered = subject_->buffered();
    t.expect(!waits || std::cmp_greater_equal(buffered, capacity_), "INT-4: nobody waits beside room");
    if (buffered == 0 || s_.processing_fails) return;  // who failed may pause
    if (make.claims("all_workers")) {
      t.expect_eq(s_.working.size(), workers_,
                  "INT-4: as many items are processed at once as there are workers");
    } else {
      t.expect(!s_.working.empty(), "INT-4: somebody works while items wait");
    }
  }

  void check_end() {
    for (const auto& submit : submits_) {
      if (!t.expect(submit.ended(), "INT-7: a stop releases whoever waits")) continue;
      t.expect(submit.done() || submit.closed() || submit.cancelled(),
               "INT-1: a submit ends as done, closed or cancelled", to_string(submit.what()));
    }
    t.expect_eq(s_.calls_after_close, 0, "INT-3: nobody uses the sink after its close began");
    t.expect(s_.all_closed(), "INT-2: what was opened is closed");
    expect_phases(t, "INT-2: ");
    t.expect(run_->done() || run_->cancelled(), "INT-7: the run ends with its report or as cancelled");
    if (run_->done()) check_report(run_->value());
    const std::vector<item> rest = subject_->take_back();
    t.expect(t.items().balanced(), "INT-1: every accepted item is in exactly one class", t.items().summary());
  }

  void check_report(const service_report& report) const {
    std::vector<std::string> labels;
    for (const auto& failure : report.failures) {
      const std::string& label = failure.what.label;
      if (t.times_observed(label) == 0) t.observe(failure.what);  // a dead letter may have told of it
      const bool of_cleanup = std::count(s_.failed_to_close.begin(), s_.failed_to_close.end(), label) > 0;
      if (of_cleanup) labels.push_back(label);  // what else it tells, is its own affair
    }
    t.expect_eq(sorted(labels), sorted(s_.failed_to_close),
                "INT-5: every failure of the cleanup is in the report, once");
    t.expect_eq(report.survivors.size(), left_working_.value_or(0),
                "INT-6: workers that ignore the stop are named, and nobody else");
  }

  trial& t;
  const maker<service>& make;
  int& ids_;
  surroundings& s_;
  const nanoseconds drain_;
  std::int64_t workers_ = 1;
  std::int64_t capacity_ = 1;
  made_subject<service> subject_;
  std::optional<operation<service_report>> run_;  // empty until it has begun
  std::vector<operation<void>> submits_;
  std::optional<std::size_t> left_working_;  // when run had ended
  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// One service, from its beginning to its end.
asio::awaitable<void> live_once(trial& t, const maker<service>& make, std::uint8_t shape,
                                std::span<const program_step> steps, int& ids) {
  run_of_a_program r(t, make, shape, ids);
  // A stop that stands first comes before the run.
  const bool is_stopped = !steps.empty() && steps.front().verb == 1 && steps.front().a == 5;
  r.begin(is_stopped);
  auto watch = t.watch([&r] { return r.look(); });
  for (const program_step& step : steps) co_await r.do_step(step);
  co_await r.end();
}

}  // namespace

ASSAY_PROGRAM(service, "INT-1", rules,
              .must_see = {"forgets_what_is_queued", "drops_what_a_stopped_worker_holds",
                           "abandons_at_once"}) {
  // Steps that are repeated are one long life, or many if they have a stop among them.
  const std::span<const program_step> all = steps.steps;
  const auto is_stop = [](const program_step& each) { return each.verb == 1; };
  const std::size_t lives = std::ranges::any_of(all, is_stop) ? rules.repeats[steps.repeats] : 1;
  const std::size_t length = all.size() / lives;
  int ids = 0;
  for (std::size_t i = 0; i < lives && !t.has_failed(); ++i)
    co_await live_once(t, make, steps.shape, all.subspan(i * length, length), ids);
}

}  // namespace assay
