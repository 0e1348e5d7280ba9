// The clauses of resilient_worker, each beside the scenario that checks it.
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace {

using namespace std::chrono_literals;
using assay::item;
using assay::trial;
using assay::contract::given_up;
using boost::asio::awaitable;
using std::chrono::nanoseconds;
using make_worker = assay::maker<assay::contract::resilient_worker>;
using operation = assay::operation<void>;
using ids = std::vector<int>;
using numbers = std::vector<std::uint32_t>;

constexpr nanoseconds forever = nanoseconds::max();
// Of beginnings that fail: every one.
constexpr std::uint32_t always = std::numeric_limits<std::uint32_t>::max();
// More than anything here takes that ends at all.
constexpr nanoseconds long_enough = 2s;

awaitable<void> pause(nanoseconds delay) {
  if (delay == forever) co_await assay::sleep_for_ever();
  if (delay > 0s) co_await assay::sleep_for(delay);
}

// How one item behaves.
struct script {
  nanoseconds takes{};          // processing, each time
  std::uint32_t failures = 0;   // beginnings that fail, counted from the first
  numbers begun;                // the attempt numbers that processing was begun with
  bool processing = false;      // now
  std::uint32_t processed = 0;  // how often processing succeeded
};

// The worker and what stands around it: processing and a dead-letter sink that do as they are told and note what they were
// asked.
struct world {
  world(trial& owner, assay::made_subject<assay::contract::resilient_worker> made)
      : t(owner), worker(std::move(made)) {
    assay::contract::resilient_worker::callbacks outside;
    outside.process = [this](int id, std::uint32_t attempt) { return process(id, attempt); };
    outside.dead_letter = [this](given_up letter) { return write(std::move(letter)); };
    outside.lost = [this](given_up letter, assay::outcome failure) {
      losses.push_back(std::move(letter));
      unwritten.push_back(std::move(failure));
    };
    worker->connect(std::move(outside));
  }

  auto letters_of(int id) const { return std::ranges::count(letters, id, &given_up::id); }
  auto losses_of(int id) const { return std::ranges::count(losses, id, &given_up::id); }
  auto given_up_of(int id) const { return letters_of(id) + losses_of(id); }
  bool was_processed(int id) const { return items.at(id).processed > 0; }
  bool in_process(int id) const { return items.at(id).processing; }
  bool has_begun(int id) const { return !items.at(id).begun.empty(); }

  // Submits an item that takes `takes` and fails the first `failures` times.
  awaitable<void> submit(int id, nanoseconds takes = {}, std::uint32_t failures = 0) {
    items[id].takes = takes;
    items[id].failures = failures;
    item made = t.item(id);
    return worker->submit(std::move(made));
  }

  operation start(std::source_location where = std::source_location::current()) {
    return t.start("run " + std::to_string(++runs), worker->run(), {}, where);
  }
  awaitable<operation> run_for(nanoseconds time,
                               std::source_location where = std::source_location::current()) {
    auto run = start(where);
    co_await t.advance(time);
    co_return run;
  }
  // The run is the victim.
  awaitable<operation> sweep(nanoseconds time, std::source_location where = std::source_location::current()) {
    auto run = start(where);
    t.victim(run);
    co_await t.advance(time);
    co_return run;
  }
  // Cancels a run, and gives it time: a subject may finish what it has in hand. How it ended is X-8's business.
  awaitable<void> stop(operation run) {
    run.cancel();
    co_await t.pass(long_enough);
    (void)run.what();
  }
  // No run is left then.
  awaitable<void> end(operation run) {
    co_await stop(run);
    account();
  }

  // Waits until a write to the sink is under way: a worker may try an item several times first, and pause in between.
  awaitable<void> write_begun() {
    co_await t.settle();
    for (int waited = 0; writes == 0 && waited < 10'000; ++waited) co_await t.pass(1ms);
    t.expect(writes > 0, "an item that fails every time is given to the sink in the end");
  }

  // RWK-1, when no run is left: every item has exactly one fate. One that was processed may come again all the same, with any
  // fate: the worker could not say so in time (RWK-7).
  void account() {
    const std::vector<item> remaining = worker->take_back();
    const ids back = assay::ids_of(remaining);
    for (const auto& [id, one] : items) {
      const std::string name = "item " + std::to_string(id);
      const auto times_back = std::ranges::count(back, id);
      if (given_up_of(id) > 1) t.fail(name + " was given up twice");
      if (given_up_of(id) > 0 && times_back > 0) t.fail(name + " was given up and is handed back as well");
      if (times_back > 1) t.fail(name + " is handed back twice");
      // One whose object is gone is reported by the ledger, with when and where.
      const auto& all = t.items().entries();
      const auto kept = std::ranges::find(all, id, &assay::item_ledger::entry::id);
      const bool is_inside =
          kept != all.end() && kept->state == assay::item_state::given && kept->objects > 0;
      if (given_up_of(id) == 0 && times_back == 0 && one.processed == 0 && is_inside)
        t.fail(name + " is nowhere: the worker keeps it to itself");
    }
  }

  // Of item 1.
  void expect_cause(std::string_view message, std::source_location where = std::source_location::current()) {
    for (const auto* const all : {&letters, &losses})
      for (const given_up& one : *all) t.expect_eq(one.cause.label, "processing 1", message, where);
  }

  trial& t;
  std::map<int, script> items;
  ids processed;  // in the order in which processing first succeeded
  std::vector<given_up> letters;
  std::vector<given_up> losses;
  std::vector<assay::outcome> unwritten;  // beside `losses`: what the sink failed with
  nanoseconds write_takes{};              // every write to the sink
  std::uint32_t writes = 0;               // begun so far
  bool writing = false;                   // now
  std::uint32_t writes_failing = 0;
  std::uint32_t writes_hanging = 0;  // those that hang or fail are the first ones
  bool sink_is_sound = false;        // the sink is spared by the fault sweep
  int runs = 0;
  assay::made_subject<assay::contract::resilient_worker> worker;  // goes before what it uses

 private:
  // Something is under way as long as this lives.
  class under_way {
   public:
    explicit under_way(bool& flag) : flag_(flag) { flag_ = true; }
    under_way(const under_way&) = delete;
    under_way& operator=(const under_way&) = delete;
    ~under_way() { flag_ = false; }

   private:
    bool& flag_;
  };

  awaitable<void> process(int id, std::uint32_t attempt) {
    script& one = items[id];
    one.begun.push_back(attempt);
    const under_way here(one.processing);
    const bool fails = one.begun.size() <= one.failures;
    co_await pause(one.takes);
    const std::uint32_t fault = t.fault_point("process " + std::to_string(id));
    if (fails || fault > 0) throw assay::contract::operation_error("processing " + std::to_string(id));
    if (one.processed++ == 0) processed.push_back(id);
  }
  awaitable<void> write(given_up letter) {
    const std::uint32_t call = ++writes;
    const under_way here(writing);
    co_await pause(write_takes);
    const std::string name = "dead letter " + std::to_string(letter.id);
    const std::uint32_t fault = sink_is_sound ? 0 : t.fault_point(name, 2);
    if (fault == 1 || call <= writes_failing) throw assay::contract::operation_error("the sink");
    if (fault == 2 || call <= writes_hanging) co_await pause(forever);
    letters.push_back(std::move(letter));
  }
};

ASSAY_CONTRACT(resilient_worker, "flow",
               "a worker that requeues what it was cancelled at and dead-letters what failed");

ASSAY_CLAUSE(resilient_worker, "RWK-1", must,
             "From its submit to its fate an item is in exactly one place. When the worker is at rest, every "
             "item is processed, dead-lettered, reported as lost, or still there to be worked on or handed "
             "back; none has vanished, none is in two places.") {
  world w(t, make());
  co_await w.submit(1);
  co_await w.submit(2, 0ms, always);
  co_await w.submit(3, 20ms);
  co_await w.submit(4);
  auto run = co_await w.run_for(10ms);
  t.expect(w.was_processed(1), "item 1 is processed");
  t.premise(w.in_process(3), "item 3 is processed when the worker is cancelled");
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "RWK-1", "swept", .swept = true, .faulted = true) {
  world w(t, make({.dead_letter_patience_ns = 20'000'000}));
  w.write_takes = 5ms;
  co_await w.submit(1, 10ms);
  co_await w.submit(2, 10ms, 1);
  co_await w.submit(3);
  auto first = co_await w.sweep(long_enough);
  co_await w.stop(first);
  auto second = co_await w.run_for(long_enough);
  co_await w.end(second);
}

ASSAY_CLAUSE(
    resilient_worker, "RWK-2", must,
    "A worker that is cancelled while it processes puts the item back as the next one to be taken, "
    "without waiting and whatever the capacity, and ends as cancelled. Of several items that were put "
    "back any one may be the next.",
    .features = {"requeue"}) {
  world w(t, make({.capacity = 1}));
  co_await w.submit(1, 100ms);
  auto first = co_await w.run_for(10ms);
  co_await w.submit(2);
  auto parked = t.start("submit 3", w.submit(3));
  co_await t.settle();
  t.premise(w.in_process(1) && parked.pending(), "the worker processes item 1, and the queue is full");
  co_await t.cancel(first);
  t.expect(first.cancelled(), "a cancelled worker ends at once, as cancelled, though the queue is full");
  auto second = co_await w.run_for(long_enough);
  t.expect_eq(w.processed, (ids{1, 2, 3}), "the item that was put back is the next one to be taken");
  t.expect(parked.done(), "the parked submit went on");
  parked.cancel();
  co_await w.end(second);
}

ASSAY_SCENARIO(resilient_worker, "RWK-2", "beside an idle worker", .features = {"requeue"},
               .why = "what is put back is an item for whoever waits for one") {
  world w(t, make({.capacity = 1}));
  auto first = w.start();
  co_await t.settle();
  co_await w.submit(1, 100ms);
  co_await t.settle();
  auto second = w.start();
  auto third = w.start();
  co_await t.settle();
  t.premise(w.in_process(1) && second.pending() && third.pending(),
            "one worker processes item 1, two are idle");
  co_await t.cancel(first);
  t.expect(first.cancelled(), "a cancelled worker ends at once, as cancelled");
  t.expect_eq(w.items[1].begun.size(), 2U, "an idle worker takes the item that was put back");
  co_await t.advance(long_enough);
  t.expect(w.was_processed(1), "the item that was put back is processed");
  second.cancel();
  co_await w.end(third);
}

ASSAY_SCENARIO(resilient_worker, "RWK-2", "several workers", .features = {"requeue"},
               .why = "what several put back comes before everything else, in whatever order") {
  world w(t, make({.capacity = 3}));
  for (const int id : {1, 2, 3}) co_await w.submit(id, 100ms);
  auto first = w.start();
  auto second = w.start();
  auto third = w.start();
  co_await t.advance(10ms);
  for (const int id : {4, 5, 6}) co_await w.submit(id);
  t.premise(w.in_process(1) && w.in_process(2) && w.in_process(3), "every worker processes an item");
  for (const auto& one : {first, second, third}) one.cancel();
  co_await t.settle();
  t.expect(first.cancelled() && second.cancelled() && third.cancelled(),
           "cancelled workers end at once, as cancelled, though the queue is full");
  auto next = co_await w.run_for(long_enough);
  if (t.expect_eq(w.processed.size(), 6U, "every item is processed in the end")) {
    std::sort(w.processed.begin(), w.processed.begin() + 3);
    t.expect_eq(w.processed, (ids{1, 2, 3, 4, 5, 6}),
                "items that were put back are the next ones to be taken");
  }
  co_await w.end(next);
}

ASSAY_SCENARIO(resilient_worker, "RWK-2", "swept", .features = {"requeue"}, .swept = true) {
  world w(t, make({.capacity = 2}));
  co_await w.submit(1, 10ms);
  co_await w.submit(2);
  auto third = t.start("submit 3", w.submit(3, 10ms));
  co_await t.settle();
  t.premise(third.pending(), "the queue is full");
  auto first = co_await w.sweep(long_enough);
  co_await t.cancel(first);
  t.expect(first.cancelled(), "a cancelled worker ends at once, as cancelled");
  auto second = co_await w.run_for(long_enough);
  t.expect_eq(w.processed, (ids{1, 2, 3}), "the item that was put back is the next one to be taken");
  t.expect(third.done(), "the parked submit went on");
  third.cancel();
  co_await w.end(second);
}

ASSAY_CLAUSE(resilient_worker, "RWK-3", must,
             "A failure of processing does not end the worker, which goes on with the next item. The failing "
             "item is given up with its cause, at the latest when its attempts are used up: as many as the "
             "worker makes of itself, or as configured (`attempt_cap`). With `dead_letter` it goes to the "
             "sink, with `attempts` the number of its attempts is told.") {
  world w(t, make());
  co_await w.submit(1, 1ms, always);
  co_await w.submit(2, 1ms);
  auto run = co_await w.run_for(1h);  // a worker may pause between its attempts
  t.expect(run.pending(), "the worker lives on after a failure");
  t.expect_eq(w.processed, (ids{2}), "the next item is processed");
  t.expect_eq(w.given_up_of(1), 1, "the failing item is given up once");
  w.expect_cause("the cause is told");
  co_await w.end(run);
}

// One worker with an item that fails every time, and one that waits behind it.
awaitable<void> try_attempts(trial& t, make_worker make, std::int64_t attempts_max, int id) {
  world w(t, make({.attempts_max = attempts_max}));
  co_await w.submit(id, 1ms, always);
  co_await w.submit(id + 1, 1ms);
  auto run = co_await w.run_for(1h);
  t.expect_eq(w.given_up_of(id), 1, "an item is given up when its attempts are used up");
  t.expect(w.items[id].begun.size() <= static_cast<std::size_t>(attempts_max),
           "a failing item has no more attempts than are configured");
  t.expect(w.was_processed(id + 1), "the next item is processed");
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "RWK-3", "attempts used up", .features = {"attempt_cap"}) {
  co_await try_attempts(t, make, 1, 1);
  co_await try_attempts(t, make, 3, 11);
}

ASSAY_SCENARIO(resilient_worker, "RWK-3", "letter", .features = {"dead_letter", "attempts"}) {
  world w(t, make());
  co_await w.submit(1, 10ms, always);
  auto first = co_await w.run_for(5ms);
  t.premise(w.in_process(1), "item 1 is processed when the worker is cancelled");
  if (make.claims("requeue"))  // so that it is the second attempt that fails
    co_await t.cancel(first);
  auto run = co_await w.run_for(1h);
  if (t.expect_eq(w.letters.size(), 1U, "the failing item goes to the dead-letter sink")) {
    t.expect_eq(w.letters[0].cause.label, "processing 1", "the letter tells the cause");
    t.expect_eq(w.letters[0].attempts, w.items[1].begun.size(), "the letter tells the number of attempts");
  }
  first.cancel();
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "RWK-3", "faulted", .faulted = true) {
  world w(t, make());
  w.sink_is_sound = true;
  for (int id = 1; id <= 3; ++id) co_await w.submit(id, id == 2 ? 5ms : 0ms);
  auto run = co_await w.run_for(long_enough);
  t.expect(run.pending(), "the worker lives on after a failure");
  for (const auto& [id, one] : w.items)
    t.expect(one.processed > 0 || w.given_up_of(id) > 0, "every item is processed or given up");
  co_await w.end(run);
}

ASSAY_CLAUSE(
    resilient_worker, "RWK-4", must,
    "A cancellation that meets the write of a dead letter loses nothing: the write is finished, or the item "
    "is put back. The worker then ends as cancelled, at the latest when the sink's patience is over.",
    .features = {"dead_letter"}) {
  world w(t, make({.dead_letter_patience_ns = 50'000'000}));
  w.write_takes = 10ms;
  co_await w.submit(1, 0ms, always);
  auto run = w.start();
  co_await w.write_begun();
  co_await t.advance(5ms);
  t.premise(w.writing, "the letter is being written when the worker is cancelled");
  run.cancel();
  co_await t.pass(45ms);
  t.expect(run.cancelled(), "the worker ends as cancelled within the sink's patience");
  t.expect(w.losses.empty(), "the item is not given up for lost");
  w.account();
}

ASSAY_SCENARIO(
    resilient_worker, "RWK-4", "hanging", .features = {"dead_letter"},
    .why = "A sink that does not answer cannot keep a cancelled worker for longer than its patience.") {
  world w(t, make({.dead_letter_patience_ns = 30'000'000}));
  w.writes_hanging = 1000;
  co_await w.submit(1, 0ms, always);
  auto run = w.start();
  co_await w.write_begun();
  co_await t.advance(10ms);
  t.premise(w.writing, "the sink does not answer when the worker is cancelled");
  run.cancel();
  co_await t.pass(20ms);
  t.expect(run.cancelled(), "the worker ends as cancelled within the sink's patience");
  w.account();
}

ASSAY_SCENARIO(resilient_worker, "RWK-4", "swept", .features = {"dead_letter"}, .swept = true) {
  world w(t, make({.capacity = 1}));
  w.write_takes = 10ms;
  co_await w.submit(1, 0ms, 1);
  auto run = w.start();
  t.victim(run);
  co_await t.settle();
  auto other = t.start("submit 2", w.submit(2));  // fills the queue
  co_await t.advance(long_enough);
  co_await w.stop(run);
  auto second = co_await w.run_for(long_enough);
  t.expect(other.done(), "the queue goes on");
  other.cancel();
  co_await w.stop(second);
  t.expect(w.losses.empty(), "the item is not given up for lost");
  w.account();
}

// One worker whose item `id` fails once, before an item that does not. Ends when both have their fates.
awaitable<void> try_bad_sink(trial& t, make_worker make, std::chrono::milliseconds patience, bool hangs,
                             int id) {
  world w(t, make({.dead_letter_patience_ns = nanoseconds(patience).count()}));
  (hangs ? w.writes_hanging : w.writes_failing) = 1;
  co_await w.submit(id, 0ms, always);
  co_await w.submit(id + 1);
  auto run = w.start();
  co_await w.write_begun();
  t.premise(!hangs || w.writing, "the sink does not answer");
  if (hangs) co_await t.pass(patience);
  const std::string which = hangs ? " (the sink hangs)" : " (the sink fails)";
  t.expect(run.pending(), "the worker lives on" + which);
  t.expect(w.was_processed(id + 1), "the worker goes on when the sink does not take an item" + which);
  t.expect(w.was_processed(id) || w.given_up_of(id) > 0,
           "the item that could not be written is put back or given up" + which);
  co_await w.end(run);
}

// One worker whose sink takes just as long as it may.
awaitable<void> try_slow_sink(trial& t, make_worker make, std::chrono::milliseconds patience, int id) {
  world w(t, make({.dead_letter_patience_ns = nanoseconds(patience).count()}));
  w.write_takes = patience - 1ms;
  co_await w.submit(id, 0ms, always);
  auto run = w.start();
  co_await w.write_begun();
  t.premise(w.writing, "the letter is being written");
  co_await t.pass(patience);
  t.expect_eq(w.letters_of(id), 1, "a write within the sink's patience is not given up");
  co_await w.end(run);
}

ASSAY_CLAUSE(resilient_worker, "RWK-5", must,
             "When the dead-letter sink fails, or has not taken the item within the configured patience (not "
             "before), the item is put back or reported as lost explicitly, and the worker goes on.",
             .features = {"dead_letter"}) {
  co_await try_bad_sink(t, make, 20ms, true, 1);
  co_await try_bad_sink(t, make, 70ms, true, 11);
  co_await try_bad_sink(t, make, 20ms, false, 21);
  co_await try_slow_sink(t, make, 20ms, 31);
  co_await try_slow_sink(t, make, 70ms, 41);
}

ASSAY_SCENARIO(resilient_worker, "RWK-5", "extreme durations", .features = {"dead_letter"}) {
  int id = 0;
  for (const nanoseconds patience : assay::extreme_durations) {
    const std::string time = assay::format_duration(patience);
    const bool endless = assay::is_endless(patience);
    world w(t, make({.dead_letter_patience_ns = patience.count()}));
    w.writes_hanging = endless ? 0 : 1;
    if (endless) w.write_takes = assay::long_time;
    const int bad = ++id;
    const int good = ++id;
    co_await w.submit(bad, 0ms, always);
    auto run = w.start();
    const bool waits = !assay::has_passed(patience);
    if (waits) co_await w.write_begun();
    auto next = t.start("submit " + std::to_string(good), w.submit(good));
    co_await t.settle();
    if (waits) {
      t.expect(!w.was_processed(good), "the worker waits for the sink: " + time);
      co_await t.advance(endless ? assay::long_time : assay::soon);
    }
    co_await t.advance(long_enough);
    t.expect(next.done(), "an item is accepted: " + time);
    t.expect(run.pending(), "the worker lives on: " + time);
    t.expect(w.was_processed(good), "the worker goes on when the sink's patience is over: " + time);
    if (endless)
      t.expect_eq(w.letters_of(bad), 1, "a write within the sink's patience is not given up: " + time);
    co_await w.end(run);
  }
}

ASSAY_SCENARIO(resilient_worker, "RWK-5", "swept", .features = {"dead_letter"}, .swept = true,
               .faulted = true) {
  world w(t, make({.dead_letter_patience_ns = 20'000'000}));
  w.write_takes = 5ms;
  co_await w.submit(1, 0ms, 2);
  co_await w.submit(2, 10ms, 1);
  auto run = co_await w.sweep(long_enough);
  co_await w.stop(run);
  auto second = co_await w.run_for(long_enough);
  t.expect(second.pending(), "the worker lives on whatever the sink does");
  co_await w.end(second);
}

ASSAY_CLAUSE(resilient_worker, "RWK-6", must,
             "A cancellation that lands between the taking of an item and the beginning of its processing "
             "does not lose the item.",
             .asks = {"attempts"}) {
  world w(t, make());
  auto first = w.start();
  co_await t.settle();
  co_await w.submit(1);  // it is assigned to the waiting worker ...
  t.premise(!w.has_begun(1) && first.pending(), "item 1 is not processed yet when the worker is cancelled");
  first.cancel();  // ... which is cancelled before it goes on
  co_await w.stop(first);
  auto second = w.start();
  co_await t.settle();
  if (make.claims("attempts") && w.has_begun(1))
    t.expect_eq(w.items[1].begun.front(), 1U, "to be taken and not begun is no attempt");
  second.cancel();
  co_await w.submit(2);
  co_await w.end(second);
}

ASSAY_SCENARIO(resilient_worker, "RWK-6", "swept", .swept = true) {
  world w(t, make());
  auto run = w.start();
  t.victim(run);
  co_await t.settle();
  co_await w.submit(1);
  co_await t.advance(1ms);
  co_await w.submit(2);
  co_await w.end(run);
}

ASSAY_CLAUSE(resilient_worker, "RWK-7", must,
             "Processing is at least once: no item is settled that was neither processed nor given up, and "
             "one that was processed comes again only because of a cancellation or a failure. With "
             "`attempts`, every beginning tells its number: 1 at first, then higher each time.") {
  world w(t, make({.capacity = 2}));
  auto run = w.start();
  for (int id = 1; id <= 4; ++id) co_await w.submit(id, id % 2 == 0 ? 5ms : 0ms);
  co_await t.advance(long_enough);
  std::sort(w.processed.begin(), w.processed.end());  // in which order is not this clause's question
  t.expect_eq(w.processed, (ids{1, 2, 3, 4}), "every item is processed");
  for (const auto& [id, one] : w.items)
    t.expect_eq(one.processed, 1U, "without cancellation or failure an item is processed once");
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "RWK-7", "swept", .swept = true) {
  world w(t, make());
  for (const int id : {1, 2}) co_await w.submit(id, 10ms);
  auto run = co_await w.sweep(long_enough);
  co_await w.stop(run);
  auto second = co_await w.run_for(long_enough);
  co_await w.stop(second);
  if (make.claims("requeue"))
    t.expect(w.was_processed(1) && w.was_processed(2),
             "an item that was put back is processed by the next run");
  w.account();
}

ASSAY_SCENARIO(resilient_worker, "RWK-7", "attempts", .features = {"requeue", "attempts"}) {
  world w(t, make());
  for (const int id : {1, 2}) co_await w.submit(id, 10ms);
  auto first = co_await w.run_for(5ms);
  t.premise(w.in_process(1), "item 1 is processed when the worker is cancelled");
  co_await t.cancel(first);
  auto second = co_await w.run_for(long_enough);
  const numbers& begun = w.items[1].begun;
  if (t.expect_eq(begun.size(), 2U, "item 1 was begun twice")) {
    t.expect_eq(begun[0], 1U, "the first attempt has the number 1");
    t.expect(begun[0] < begun[1], "a further attempt has a higher number");
  }
  t.expect_eq(w.items[2].begun, (numbers{1}), "another item counts for itself");
  co_await w.end(second);
}

ASSAY_CLAUSE(resilient_worker, "RWK-8", must,
             "An item counts as unfinished until it is finally settled (processed, dead-lettered or lost), "
             "and then it is counted off exactly once; putting it back changes nothing.",
             .features = {"requeue", "join"}) {
  world w(t, make({.capacity = 1}));
  co_await w.submit(1, 10ms);
  auto first = w.start();
  auto join = t.start("join", w.worker->join());
  co_await t.advance(5ms);
  co_await w.submit(2, 10ms);  // fills the queue
  t.premise(w.in_process(1) && join.pending(),
            "item 1 is processed, and somebody joins, when the worker is cancelled");
  co_await t.cancel(first);
  t.expect(join.pending(), "an item that was put back is unfinished");
  auto second = co_await w.run_for(5ms);
  auto third = co_await w.run_for(6ms);
  t.premise(w.processed.size() == 1 && (w.in_process(1) || w.in_process(2)),
            "one item is processed, the other is in hand");
  t.expect(join.pending(), "an item in hand is unfinished");
  co_await t.advance(long_enough);
  t.expect_eq(w.processed.size(), 2U, "both items are settled");
  t.expect(join.done(), "join ends when every item is settled");
  join.cancel();
  second.cancel();
  co_await w.end(third);
}

ASSAY_SCENARIO(resilient_worker, "RWK-8", "dead_letter", .features = {"dead_letter", "join"}) {
  world w(t, make({.attempts_max = 1}));
  w.write_takes = 10ms;
  co_await w.submit(1, 0ms, always);
  auto run = w.start();
  auto join = t.start("join", w.worker->join());
  co_await t.advance(5ms);
  t.premise(w.writing, "the letter is being written");
  t.expect(join.pending(), "an item whose letter is being written is unfinished");
  co_await t.advance(long_enough);
  t.expect_eq(w.letters_of(1), 1, "the letter is written");
  t.expect(join.done(), "join ends when the item is dead-lettered");
  w.writes_failing = always;
  co_await w.submit(2, 0ms, always);
  auto again = t.start("second join", w.worker->join());
  co_await t.advance(long_enough);
  t.expect_eq(again.done(), w.losses_of(2) == 1, "join ends when the item is reported as lost");
  join.cancel();
  again.cancel();
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "RWK-8", "swept", .features = {"requeue", "join"}, .swept = true) {
  world w(t, make({.capacity = 2}));
  for (const int id : {1, 2}) co_await w.submit(id, 10ms);
  auto run = w.start();
  t.victim(run);
  auto join = t.start("join", w.worker->join());
  co_await t.pass(15ms);
  t.expect(join.pending(), "join waits for every item");
  t.sometimes("the worker was cancelled while item 2 was unfinished", run.ended());
  co_await t.cancel(run);
  t.expect(join.pending(), "an item that was put back is unfinished");
  auto second = co_await w.run_for(long_enough);
  t.expect(join.done(), "join ends when every item is settled");
  join.cancel();
  co_await w.end(second);
}

awaitable<void> try_poison(trial& t, make_worker make, std::int64_t attempts_max, int id) {
  world w(t, make({.attempts_max = attempts_max}));
  co_await w.submit(id, forever);
  co_await w.submit(id + 1);
  for (std::int64_t attempt = 1; attempt <= attempts_max; ++attempt) {
    auto run = w.start();
    co_await t.settle();
    t.expect_eq(w.items[id].begun.size(), attempt, "an item is begun again while it has attempts left");
    t.expect_eq(w.letters_of(id), 0, "it is not given up before");
    co_await t.cancel(run);
  }
  auto last = w.start();
  co_await t.settle();
  t.expect_eq(w.items[id].begun.size(), attempts_max, "no item is begun more often than the cap allows");
  t.expect_eq(w.letters_of(id), 1, "an item whose attempts are exhausted goes to the dead-letter sink");
  for (const auto& letter : w.letters)
    t.expect_eq(letter.attempts, attempts_max, "the letter tells the attempts");
  t.expect(w.was_processed(id + 1), "the next item is processed");
  co_await w.end(last);
}

ASSAY_CLAUSE(
    resilient_worker, "RWK-9", should,
    "An item that was begun as often as the cap allows is not begun again: it goes to the dead-letter sink.",
    .features = {"requeue", "dead_letter", "attempt_cap"}) {
  co_await try_poison(t, make, 2, 1);
  co_await try_poison(t, make, 3, 11);
}

ASSAY_SCENARIO(resilient_worker, "RWK-9", "swept", .features = {"requeue", "dead_letter", "attempt_cap"},
               .swept = true) {
  world w(t, make({.attempts_max = 2}));
  co_await w.submit(1, 10ms);
  co_await w.submit(2, 10ms, always);
  auto first = co_await w.sweep(15ms);
  co_await w.stop(first);
  for (int more = 0; more < 2; ++more) {
    auto next = co_await w.run_for(5ms);
    co_await w.stop(next);
  }
  for (const auto& [id, one] : w.items)
    t.expect(one.begun.size() <= 2, "no item is begun more often than the cap allows");
}

ASSAY_SCENARIO(
    resilient_worker, "X-3", "", .features = {"dead_letter"}, .swept = true,
    .why = "A letter that the sink has taken is never put back as well, and one that it has not is.") {
  world w(t, make());
  w.write_takes = 10ms;
  co_await w.submit(1, 0ms, always);
  auto run = co_await w.sweep(10ms);
  t.premise(t.disturbed() || w.writing, "the letter is being written when the worker is cancelled");
  co_await t.settle();
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "X-8", "", .swept = true,
               .why = "Cancellation is neither a failure of the item nor an end without one.") {
  world w(t, make());
  for (const int id : {1, 2}) co_await w.submit(id, 10ms);
  auto run = co_await w.sweep(15ms);
  t.premise(t.disturbed() || w.in_process(1) || w.in_process(2),
            "an item is processed when the worker is cancelled");
  co_await w.stop(run);
  t.expect(run.cancelled(), "a cancelled worker ends as cancelled");
  t.expect(w.letters.empty() && w.losses.empty(), "a cancellation is no failure of the item");
  w.account();
}

ASSAY_SCENARIO(resilient_worker, "X-17", "", .features = {"dead_letter"},
               .why = "A sink that fails does not replace the cause for which the item was to be buried.") {
  world w(t, make({.attempts_max = 2}));
  w.writes_failing = 2;
  co_await w.submit(1, 0ms, always);
  auto run = co_await w.run_for(long_enough);
  t.premise(w.writes > 0, "the sink was asked, and failed");
  w.expect_cause("the sink's failure does not replace the cause");
  for (const auto& sink : w.unwritten)
    t.expect_eq(sink.label, "the sink", "the sink's failure is told besides");
  t.expect_eq(w.letters.size() + w.losses.size(), 1U, "the item is given up once");
  co_await w.end(run);
}

ASSAY_SCENARIO(resilient_worker, "X-31", "", .features = {"dead_letter", "attempt_cap"}, .asks = {"join"},
               .late = true, .why = "the end of a write and the sink's patience are due together") {
  int id = 0;
  for (const nanoseconds takes : {10ms, 11ms}) {
    world w(t, make({.attempts_max = 1, .dead_letter_patience_ns = nanoseconds(21ms - takes).count()}));
    w.write_takes = takes;
    co_await w.submit(++id, 0ms, always);
    auto run = w.start();
    co_await t.settle();
    t.premise(w.writing, "the letter is being written");
    const auto bystander = t.start("another timer", assay::sleep_for(12ms));
    co_await t.pass(long_enough);
    t.expect(bystander.done(), "whoever else waits is not disturbed");
    if (make.claims("join") && w.letters_of(id) > 0) {
      const auto join = co_await t.begin("join", w.worker->join());
      t.expect(join.done(), "an item whose letter was written is settled, however late the loop is");
      co_await t.cancel(join);
    }
    co_await w.end(run);
  }
}

}  // namespace
