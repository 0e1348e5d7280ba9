// The end-to-end clauses: the patterns assembled into a service, and the four headline guarantees together.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace {

const grammar rules = {
    .shapes = 6,  // how items are processed
    .verbs = {"submit", "stop", "advance", "settle", "cancel"},
    .a_values = 6,
    .b_values = 2,
    .steps_max = 16,
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
  bool processing_fails = false;  // every item
  bool is_deaf = false;           // processing ignores cancellation, and goes on for a day
  bool closing_fails = false;     // both resources
  nanoseconds last_words = 0ns;   // a cancelled item still writes to the sink, after this time
  bool sink_stalls = false;
  bool sink_open = false;
  int calls_after_close = 0;
  std::vector<int> delivered;
  std::size_t begun = 0;  // items, in processing
};

void touch_sink(surroundings& s) {
  if (!s.sink_open) ++s.calls_after_close;
}

asio::awaitable<void> process_item(surroundings& s, int id) {
  ++s.begun;
  if (s.is_deaf) co_await asio::this_coro::throw_if_cancelled(false);
  if (s.is_deaf) co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  std::exception_ptr failure = co_await failure_of(sleep_for(s.is_deaf ? 24h : s.processing));
  if (!failure && s.processing_fails) failure = s.t.plant("item " + std::to_string(id));
  if (!failure) co_return;
  const bool cancelled = describe(failure).kind == outcome_kind::cancelled;
  if (cancelled && s.last_words > 0ns) {
    co_await asio::this_coro::throw_if_cancelled(false);
    co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
    co_await sleep_for(s.last_words);
    touch_sink(s);
  }
  if (!cancelled) s.t.observe(failure);  // the dead-letter sink has it
  std::rethrow_exception(failure);
}

asio::awaitable<void> deliver_item(surroundings& s, int id) {
  touch_sink(s);
  while (s.sink_stalls) co_await sleep_for(1ms);
  touch_sink(s);
  s.delivered.push_back(id);
}

asio::awaitable<void> open_resource(surroundings& s, const char* name) {
  co_await sleep_for(s.opening);
  if (std::string_view(name) == "sink") s.sink_open = true;
  s.t.mark(std::string("open ") + name);
}

asio::awaitable<void> close_resource(surroundings& s, const char* name) {
  if (std::string_view(name) == "sink") s.sink_open = false;
  s.t.mark(std::string("close ") + name);
  co_await sleep_for(1ms);
  if (s.closing_fails) s.t.raise(std::string("cannot close ") + name);
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
  outside.event = [&s](std::string_view what) { s.t.mark(std::string(what)); };
  auto subject = make(how);
  subject->connect(std::move(outside));
  return subject;
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
asio::awaitable<void> live(trial& t, service& subject, int first, int last, nanoseconds pause,
                           nanoseconds time) {
  auto run = t.start("run", subject.run());
  co_await t.advance(5ms);
  auto source = t.start("source", feed(t, subject, first, last, pause));
  co_await t.advance(time);
  co_await stop(t, subject);
  t.expect(run.done(), "the service stops");
  t.expect(source.done(), "the source is not left waiting");
}

void account(trial& t, service& subject) {
  const std::vector<item> rest = subject.take_back();
  t.expect(t.items().balanced(), "every accepted item is in exactly one class", t.items().summary());
}

std::string numbers_left_out(std::string text) {
  std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
  return text;
}

}  // namespace

ASSAY_CONTRACT(service, "assembly",
               "the patterns together: sources, queue, workers, sink, shutdown around them");

ASSAY_CLAUSE(
    service, "INT-1", must,
    "Item preservation: for every trigger time and schedule, accepted = delivered to sink + dead-lettered + "
    "returned/persisted at stop + dropped by a declared policy; each item in exactly one class; duplicates "
    "only with attempt > 1.") {
  for (const auto trigger : {0ms, 3ms, 11ms, 35ms, 60ms}) {
    surroundings& s = surround(t);
    auto subject = connected(make, s, {.drain_ns = 20'000'000});
    const int base = 100 * (1 + static_cast<int>(trigger.count()));
    co_await live(t, *subject, base, base + 9, 0ns, trigger);
    account(t, *subject);
  }
}

ASSAY_SCENARIO(service, "INT-1", "dead letters", .features = {"dead_letter"}) {
  surroundings& s = surround(t);
  s.processing_fails = true;
  auto subject = connected(make, s);
  co_await live(t, *subject, 1, 6, 0ns, 25ms);
  account(t, *subject);
}

ASSAY_SCENARIO(service, "INT-1", "a worker that is stopped") {
  surroundings& s = surround(t);
  s.processing = 500ms;
  auto subject = connected(make, s, {.drain_ns = 20'000'000});
  co_await live(t, *subject, 1, 8, 0ns, 1ms);
  t.expect(s.delivered.empty(), "no item was ready in time");
  account(t, *subject);
}

namespace {

// Fails unless every event of the shutdown occurred at most once, and none before one that it follows on.
void expect_phases(trial& t) {
  const std::map<std::string, int> phases = {
      {"open store", 0},  {"open sink", 0},    {"not ready", 1},          {"stop accepting", 2},
      {"drain end", 3},   {"force cancel", 3}, {"background stopped", 4}, {"close sink", 5},
      {"close store", 6}, {"stopped", 7}};
  int reached = 0;
  std::string all;
  bool in_order = true;
  for (const std::string& what : t.marks()) {
    if (what == "refused") continue;
    const auto phase = phases.find(what);
    const bool once = std::ranges::count(t.marks(), what) == 1;
    in_order = in_order && once && phase != phases.end() && phase->second >= reached;
    if (in_order) reached = phase->second;
    all += (all.empty() ? "" : ", ") + what;
  }
  t.expect(in_order, "the shutdown goes through its phases in order: was " + all);
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
    co_await live(t, *subject, base, base + 9, 1ms, 4ms);
    expect_phases(t);
    const bool forced = std::ranges::count(t.marks(), "force cancel") > 0;
    t.expect(!forced || processing == 500ms, "a drain that is over in time forces nobody");
    t.expect(!s.sink_open, "what was opened is closed");
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
  co_await live(t, *subject, 1, 5, 0ns, 1ms);
  t.expect_eq(s.calls_after_close, 0, "nobody uses the sink after its close began");
  account(t, *subject);
}

ASSAY_CLAUSE(
    service, "INT-4", must,
    "Backpressure: with a stalled sink total buffered items stay <= sum of declared capacities for ever; "
    "producers are parked, not failing; on release throughput resumes without loss.") {
  for (const std::int64_t capacity : {1, 3}) {
    surroundings& s = surround(t);
    s.processing = 1ms;
    s.sink_stalls = true;
    auto subject = connected(make, s, {.queue_capacity = capacity, .drain_ns = 1'000'000'000});
    auto run = t.start("run", subject->run());
    co_await t.advance(5ms);
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

ASSAY_CLAUSE(
    service, "INT-5", must,
    "Exception aggregation: k injected failures in distinct tasks during drain and cleanup are all in the "
    "final report, each once, none replaced by a cancellation.") {
  surroundings& s = surround(t);
  s.closing_fails = true;
  auto subject = connected(make, s);
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
  co_await stop(t, *subject);
  std::vector<std::string> labels;
  for (const auto& failure : run.value().failures) {
    t.observe(failure.what);
    labels.push_back(failure.what.label);
  }
  t.expect_eq(sorted(labels), std::vector<std::string>({"cannot close sink", "cannot close store"}),
              "every failure of the cleanup is in the report, once");
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
  co_await stop(t, *subject);
  t.expect(run.done() || run.cancelled(), "the run ends");
  t.expect(source.done(), "a stop releases whoever waits, although the run never began");
  t.expect(!s.sink_open, "what was opened is closed");
  account(t, *subject);
}

ASSAY_SCENARIO(service, "INT-7", "a source", .swept = true) {
  surroundings& s = surround(t);
  auto subject = connected(make, s, {.queue_capacity = 1, .drain_ns = 20'000'000});
  auto run = t.start("run", subject->run());
  co_await t.advance(5ms);
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
      subject->request_stop();
      co_await stop(t, *subject, 7ms);
      subject->request_stop();
    }
    co_await t.advance(1s);
    t.expect(run.done(), "the service stops, whenever it is asked to");
    if (run.done()) t.expect(run.value().failures.empty(), "an early stop is no failure");
    t.expect(source.done(), "no source is left waiting");
    account(t, *subject);
    t.expect(!s.sink_open, "what was opened is closed");
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
  t.expect(subject->ready() && subject->live(), "a running service is ready");
  auto source = co_await t.begin("source", feed(t, *subject, 1, 4));
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

asio::awaitable<void> do_step(trial& t, service& subject, const program_step& step, int& next_id,
                              std::vector<operation<void>>& submits) {
  switch (step.verb) {
    case 0: {
      const std::string name = "submit " + std::to_string(next_id);
      submits.push_back(t.start(name, subject.submit(t.item(next_id))));
      ++next_id;
      if (step.b == 1) t.victim(submits.back());
      break;
    }
    case 1:
      subject.request_stop();
      break;
    case 2:
      co_await t.advance(std::chrono::milliseconds(1 + 4 * step.a));
      break;
    case 3:
      co_await t.settle();
      break;
    default:
      if (!submits.empty()) submits[step.a % submits.size()].cancel();
      break;
  }
}

}  // namespace

ASSAY_PROGRAM(service, "INT-1", rules,
              .must_see = {"forgets_what_is_queued", "drops_what_a_stopped_worker_holds",
                           "abandons_at_once"}) {
  surroundings& s = surround(t);
  s.processing = std::chrono::milliseconds(steps.shape % 2 == 0 ? 5 : 200);
  s.processing_fails = steps.shape == 4 && make.claims("dead_letter");
  s.last_words = steps.shape == 5 ? 3ms : 0ms;
  auto subject = connected(make, s, {.queue_capacity = 1 + steps.shape % 3, .drain_ns = 20'000'000});
  auto run = t.start("run", subject->run());
  std::vector<operation<void>> submits;
  int next_id = 1;
  for (const program_step& step : steps.steps) co_await do_step(t, *subject, step, next_id, submits);
  co_await stop(t, *subject, 5s);
  t.expect(run.done(), "INT-6: the service stops");
  for (const auto& submit : submits) {
    t.expect(submit.done() || submit.closed() || submit.cancelled(),
             "'" + numbers_left_out(submit.name()) + "' ends as done, closed or cancelled",
             to_string(submit.what()));
  }
  t.expect_eq(s.calls_after_close, 0, "INT-3: nobody uses the sink after its close began");
  account(t, *subject);
}

}  // namespace assay
