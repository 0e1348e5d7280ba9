// The clauses of resilient_worker, each beside the scenario that checks it.
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/flow/resilient_worker/world.hpp>

namespace {

using namespace std::chrono_literals;
using namespace assay::resilient_worker_world;
using assay::trial;
using boost::asio::awaitable;
using make_worker = assay::maker<assay::contract::resilient_worker>;
using ids = std::vector<int>;
using numbers = std::vector<std::uint32_t>;

ASSAY_CONTRACT(resilient_worker, "flow",
               "a worker that requeues what it was cancelled at and dead-letters what failed");

// ---- RWK-1: one place

ASSAY_CLAUSE(
    resilient_worker, "RWK-1", must,
    "From its submit to its fate an item is in exactly one place. When the worker is at rest, every item "
    "is processed, dead-lettered, reported as lost, or still there to be worked on or handed back; none "
    "has vanished, none is in two places.") {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  co_await submit(*worker, w, 1);
  co_await submit(*worker, w, 2, 0ms, always);
  co_await submit(*worker, w, 3, 20ms);
  co_await submit(*worker, w, 4);
  auto run = t.start("run", worker->run());
  co_await t.advance(10ms);
  t.expect(w.was_processed(1), "item 1 is processed");
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-1", "swept", .swept = true, .faulted = true) {
  world w(t);
  w.write_takes = 5ms;
  auto worker = make({.dead_letter_patience_ns = 20'000'000});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2, 10ms, 1);
  co_await submit(*worker, w, 3);
  auto first = t.start("run", worker->run());
  t.victim(first);
  co_await t.advance(long_enough);
  co_await stop(w, first);
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  co_await stop(w, second);
  account(*worker, w);
}

// ---- RWK-2: back to the head

ASSAY_CLAUSE(
    resilient_worker, "RWK-2", must,
    "A worker that is cancelled while it processes puts the item back as the next one to be taken, without "
    "waiting and whatever the capacity, and ends as cancelled.",
    .features = {"requeue"}) {
  world w(t);
  auto worker = make({.capacity = 1});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 100ms);
  auto first = t.start("run", worker->run());
  co_await t.advance(10ms);
  co_await submit(*worker, w, 2);
  auto parked = t.start("submit 3", submit(*worker, w, 3));
  co_await t.settle();
  t.expect(parked.pending(), "the queue is full");
  first.cancel();
  co_await t.settle();
  t.expect(first.cancelled(), "a cancelled worker ends at once, as cancelled, though the queue is full");
  t.expect(!w.was_processed(1), "item 1 was not processed");
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  t.expect_eq(w.processed, (ids{1, 2, 3}), "the item that was put back is the next one to be taken");
  t.expect(parked.done(), "the parked submit went on");
  parked.cancel();
  co_await stop(w, second);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-2", "swept", .features = {"requeue"}, .swept = true) {
  world w(t);
  auto worker = make({.capacity = 2});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2);
  auto third = t.start("submit 3", submit(*worker, w, 3, 10ms));
  co_await t.settle();
  auto first = t.start("run", worker->run());
  t.victim(first);
  co_await t.advance(long_enough);
  first.cancel();
  co_await t.settle();
  t.expect(first.cancelled(), "a cancelled worker ends at once, as cancelled");
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  t.expect_eq(w.processed, (ids{1, 2, 3}), "the item that was put back is the next one to be taken");
  t.expect(third.done(), "the parked submit went on");
  third.cancel();
  co_await stop(w, second);
  account(*worker, w);
}

// ---- RWK-3: a failure ends neither the worker nor goes unnoticed

ASSAY_CLAUSE(
    resilient_worker, "RWK-3", must,
    "A failure of processing does not end the worker, which goes on with the next item. The failing item is "
    "given up with its cause, at the latest when its attempts are used up: as many as the worker makes of "
    "itself, "
    "or as configured (`attempt_cap`). With `dead_letter` it goes to the sink, with `attempts` the number of "
    "its "
    "attempts is told.") {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  co_await submit(*worker, w, 1, 1ms, always);
  co_await submit(*worker, w, 2, 1ms);
  auto run = t.start("run", worker->run());
  co_await t.advance(1h);  // a worker may pause between its attempts
  t.expect(run.pending(), "the worker lives on after a failure");
  t.expect_eq(w.processed, (ids{2}), "the next item is processed");
  t.expect_eq(w.letters_of(1) + w.losses_of(1), 1U, "the failing item is given up once");
  for (const auto* const given_up : {&w.letters, &w.losses}) {
    for (const auto& one : *given_up) t.expect_eq(one.cause.label, "processing 1", "the cause is told");
  }
  co_await stop(w, run);
  account(*worker, w);
}

// One worker with an item that fails every time, and one that waits behind it.
awaitable<void> try_attempts(trial& t, make_worker make, std::int64_t attempts_max, int id) {
  world w(t);
  auto worker = make({.attempts_max = attempts_max});
  connect(*worker, w);
  co_await submit(*worker, w, id, 1ms, always);
  co_await submit(*worker, w, id + 1, 1ms);
  auto run = t.start("run", worker->run());
  co_await t.advance(1h);
  t.expect_eq(w.letters_of(id) + w.losses_of(id), 1U, "an item is given up when its attempts are used up");
  t.expect(w.items[id].begun.size() <= static_cast<std::size_t>(attempts_max),
           "a failing item has no more attempts than are configured");
  t.expect(w.was_processed(id + 1), "the next item is processed");
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-3", "attempts used up", .features = {"attempt_cap"}) {
  co_await try_attempts(t, make, 1, 1);
  co_await try_attempts(t, make, 3, 11);
}

ASSAY_SCENARIO(resilient_worker, "RWK-3", "letter", .features = {"dead_letter", "attempts"}) {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms, always);
  auto first = t.start("run", worker->run());
  co_await t.advance(5ms);
  if (make.claims("requeue")) {  // so that it is the second attempt that fails
    first.cancel();
    co_await t.settle();
  }
  auto run = t.start("second run", worker->run());
  co_await t.advance(1h);
  if (t.expect_eq(w.letters.size(), 1U, "the failing item goes to the dead-letter sink")) {
    t.expect_eq(w.letters[0].cause.label, "processing 1", "the letter tells the cause");
    t.expect_eq(w.letters[0].attempts, w.items[1].begun.size(), "the letter tells the number of attempts");
  }
  first.cancel();
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-3", "faulted", .faulted = true) {
  world w(t);
  w.sink_is_sound = true;
  auto worker = make();
  connect(*worker, w);
  for (int id = 1; id <= 3; ++id) co_await submit(*worker, w, id, id == 2 ? 5ms : 0ms);
  auto run = t.start("run", worker->run());
  co_await t.advance(long_enough);
  t.expect(run.pending(), "the worker lives on after a failure");
  for (const auto& [id, one] : w.items) {
    t.expect(one.processed > 0 || w.letters_of(id) + w.losses_of(id) > 0,
             "every item is processed or given up");
  }
  co_await stop(w, run);
  account(*worker, w);
}

// ---- RWK-4: cancelled while the dead letter is being written

ASSAY_CLAUSE(
    resilient_worker, "RWK-4", must,
    "A cancellation that meets the write of a dead letter loses nothing: the write is finished, or the item "
    "is put back. The worker then ends as cancelled, at the latest when the sink's patience is over.",
    .features = {"dead_letter"}) {
  world w(t);
  w.write_takes = 10ms;
  auto worker = make({.dead_letter_patience_ns = 50'000'000});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 0ms, always);
  auto run = t.start("run", worker->run());
  co_await write_begun(w);
  co_await t.advance(5ms);
  t.expect_eq(w.writes, 1U, "the letter is being written");
  run.cancel();
  co_await t.advance(45ms);
  co_await t.settle();
  t.expect(run.cancelled(), "the worker ends as cancelled within the sink's patience");
  t.expect(w.losses.empty(), "the item is not given up for lost");
  account(*worker, w);
}

ASSAY_SCENARIO(
    resilient_worker, "RWK-4", "hanging", .features = {"dead_letter"},
    .why = "A sink that does not answer cannot keep a cancelled worker for longer than its patience.") {
  world w(t);
  w.writes_hanging = 1000;
  auto worker = make({.dead_letter_patience_ns = 30'000'000});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 0ms, always);
  auto run = t.start("run", worker->run());
  co_await write_begun(w);
  co_await t.advance(10ms);
  run.cancel();
  co_await t.advance(20ms);
  co_await t.settle();
  t.expect(run.cancelled(), "the worker ends as cancelled within the sink's patience");
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-4", "swept", .features = {"dead_letter"}, .swept = true) {
  world w(t);
  w.write_takes = 10ms;
  auto worker = make({.capacity = 1});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 0ms, 1);
  auto run = t.start("run", worker->run());
  t.victim(run);
  co_await t.settle();
  auto other = t.start("submit 2", submit(*worker, w, 2));  // fills the queue
  co_await t.advance(long_enough);
  co_await stop(w, run);
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  t.expect(other.done(), "the queue goes on");
  other.cancel();
  co_await stop(w, second);
  t.expect(w.losses.empty(), "the item is not given up for lost");
  account(*worker, w);
}

// ---- RWK-5: a sink that does not take it

// One worker whose item `id` fails once, before an item that does not. Ends when both have their fates.
awaitable<void> try_bad_sink(trial& t, make_worker make, std::chrono::milliseconds patience, bool hangs,
                             int id) {
  world w(t);
  (hangs ? w.writes_hanging : w.writes_failing) = 1;
  auto worker = make({.dead_letter_patience_ns = std::chrono::nanoseconds(patience).count()});
  connect(*worker, w);
  co_await submit(*worker, w, id, 0ms, always);
  co_await submit(*worker, w, id + 1);
  auto run = t.start("run", worker->run());
  co_await write_begun(w);
  if (hangs) {
    co_await t.advance(patience);
    co_await t.settle();
  }
  const std::string which = hangs ? " (the sink hangs)" : " (the sink fails)";
  t.expect(run.pending(), "the worker lives on" + which);
  t.expect(w.was_processed(id + 1), "the worker goes on when the sink does not take an item" + which);
  t.expect(w.was_processed(id) || w.losses_of(id) + w.letters_of(id) > 0,
           "the item that could not be written is put back or given up" + which);
  co_await stop(w, run);
  account(*worker, w);
}

// One worker whose sink takes just as long as it may.
awaitable<void> try_slow_sink(trial& t, make_worker make, std::chrono::milliseconds patience, int id) {
  world w(t);
  w.write_takes = patience - 1ms;
  auto worker = make({.dead_letter_patience_ns = std::chrono::nanoseconds(patience).count()});
  connect(*worker, w);
  co_await submit(*worker, w, id, 0ms, always);
  auto run = t.start("run", worker->run());
  co_await write_begun(w);
  co_await t.advance(patience);
  co_await t.settle();
  t.expect_eq(w.letters_of(id), 1U, "a write within the sink's patience is not given up");
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_CLAUSE(
    resilient_worker, "RWK-5", must,
    "When the dead-letter sink fails, or has not taken the item within the configured patience (not before), "
    "the item is put back or reported as lost explicitly, and the worker goes on.",
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
    world w(t);
    w.writes_hanging = endless ? 0 : 1;
    if (endless) w.write_takes = assay::long_time;
    auto worker = make({.dead_letter_patience_ns = patience.count()});
    connect(*worker, w);
    const int bad = ++id;
    const int good = ++id;
    co_await submit(*worker, w, bad, 0ms, always);
    auto run = t.start("run with " + time, worker->run());
    const bool waits = !assay::has_passed(patience);
    if (waits) co_await write_begun(w);
    auto next = t.start("submit " + std::to_string(good), submit(*worker, w, good));
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
      t.expect_eq(w.letters_of(bad), 1U, "a write within the sink's patience is not given up: " + time);
    co_await stop(w, run);
    account(*worker, w);
  }
}

ASSAY_SCENARIO(resilient_worker, "RWK-5", "swept", .features = {"dead_letter"}, .swept = true,
               .faulted = true) {
  world w(t);
  w.write_takes = 5ms;
  auto worker = make({.dead_letter_patience_ns = 20'000'000});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 0ms, 2);
  co_await submit(*worker, w, 2, 10ms, 1);
  auto run = t.start("run", worker->run());
  t.victim(run);
  co_await t.advance(long_enough);
  co_await stop(w, run);
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  t.expect(second.pending(), "the worker lives on whatever the sink does");
  co_await stop(w, second);
  account(*worker, w);
}

// ---- RWK-6: no hand gap

ASSAY_CLAUSE(
    resilient_worker, "RWK-6", must,
    "A cancellation that lands between the taking of an item and the beginning of its processing does not "
    "lose the item.") {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  auto first = t.start("run", worker->run());
  co_await t.settle();
  co_await submit(*worker, w, 1);  // it is assigned to the waiting worker ...
  first.cancel();                  // ... which is cancelled before it goes on
  co_await stop(w, first);
  auto second = t.start("second run", worker->run());
  co_await t.settle();
  second.cancel();
  co_await submit(*worker, w, 2);
  co_await stop(w, second);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-6", "swept", .swept = true) {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  auto run = t.start("run", worker->run());
  t.victim(run);
  co_await t.settle();
  co_await submit(*worker, w, 1);
  co_await t.advance(1ms);
  co_await submit(*worker, w, 2);
  co_await stop(w, run);
  account(*worker, w);
}

// ---- RWK-7: at least once

ASSAY_CLAUSE(
    resilient_worker, "RWK-7", must,
    "Processing is at least once: no item is settled that was neither processed nor given up, and one that "
    "was processed comes again only because of a cancellation or a failure. With `attempts`, every beginning "
    "tells its number: 1 at first, then higher each time.") {
  world w(t);
  auto worker = make({.capacity = 2});
  connect(*worker, w);
  auto run = t.start("run", worker->run());
  for (int id = 1; id <= 4; ++id) co_await submit(*worker, w, id, id % 2 == 0 ? 5ms : 0ms);
  co_await t.advance(long_enough);
  std::sort(w.processed.begin(), w.processed.end());  // in which order is not this clause's question
  t.expect_eq(w.processed, (ids{1, 2, 3, 4}), "every item is processed");
  for (const auto& [id, one] : w.items) {
    t.expect_eq(one.processed, 1U, "without cancellation or failure an item is processed once");
  }
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-7", "swept", .swept = true) {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2, 10ms);
  auto run = t.start("run", worker->run());
  t.victim(run);
  co_await t.advance(long_enough);
  co_await stop(w, run);
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  co_await stop(w, second);
  if (make.claims("requeue")) {
    t.expect(w.was_processed(1) && w.was_processed(2),
             "an item that was put back is processed by the next run");
  }
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-7", "attempts", .features = {"requeue", "attempts"}) {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2, 10ms);
  auto first = t.start("run", worker->run());
  co_await t.advance(5ms);
  first.cancel();
  co_await t.settle();
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  const numbers& begun = w.items[1].begun;
  if (t.expect_eq(begun.size(), 2U, "item 1 was begun twice")) {
    t.expect_eq(begun[0], 1U, "the first attempt has the number 1");
    t.expect(begun[0] < begun[1], "a further attempt has a higher number");
  }
  t.expect_eq(w.items[2].begun, (numbers{1}), "another item counts for itself");
  co_await stop(w, second);
  account(*worker, w);
}

// ---- RWK-8: work accounting

ASSAY_CLAUSE(resilient_worker, "RWK-8", must,
             "An item counts as unfinished until it is finally settled (processed, dead-lettered or lost), "
             "and then it "
             "is counted off exactly once; putting it back changes nothing.",
             .features = {"requeue", "join"}) {
  world w(t);
  auto worker = make({.capacity = 1});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  auto first = t.start("run", worker->run());
  auto join = t.start("join", worker->join());
  co_await t.advance(5ms);
  co_await submit(*worker, w, 2, 10ms);  // fills the queue
  first.cancel();
  co_await t.settle();
  t.expect(join.pending(), "an item that was put back is unfinished");
  auto second = t.start("second run", worker->run());
  co_await t.advance(5ms);
  auto third = t.start("third run", worker->run());
  co_await t.advance(6ms);
  t.expect_eq(w.processed.size(), 1U, "one item is processed, the other is in hand");
  t.expect(join.pending(), "an item in hand is unfinished");
  co_await t.advance(long_enough);
  t.expect_eq(w.processed.size(), 2U, "both items are settled");
  t.expect(join.done(), "join ends when every item is settled");
  join.cancel();
  second.cancel();
  co_await stop(w, third);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-8", "dead_letter", .features = {"dead_letter", "join"}) {
  world w(t);
  w.write_takes = 10ms;
  auto worker = make({.attempts_max = 1});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 0ms, always);
  auto run = t.start("run", worker->run());
  auto join = t.start("join", worker->join());
  co_await t.advance(5ms);
  t.expect(join.pending(), "an item whose letter is being written is unfinished");
  co_await t.advance(long_enough);
  t.expect_eq(w.letters_of(1), 1U, "the letter is written");
  t.expect(join.done(), "join ends when the item is dead-lettered");
  w.writes_failing = std::numeric_limits<std::uint32_t>::max();
  co_await submit(*worker, w, 2, 0ms, always);
  auto again = t.start("second join", worker->join());
  co_await t.advance(long_enough);
  t.expect_eq(again.done(), w.losses_of(2) == 1, "join ends when the item is reported as lost");
  join.cancel();
  again.cancel();
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "RWK-8", "swept", .features = {"requeue", "join"}, .swept = true) {
  world w(t);
  auto worker = make({.capacity = 2});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2, 10ms);
  auto run = t.start("run", worker->run());
  t.victim(run);
  auto join = t.start("join", worker->join());
  co_await t.advance(15ms);
  co_await t.settle();
  t.expect(join.pending(), "join waits for every item");
  t.sometimes("the worker was cancelled while item 2 was unfinished", run.ended());
  run.cancel();
  co_await t.settle();
  t.expect(join.pending(), "an item that was put back is unfinished");
  auto second = t.start("second run", worker->run());
  co_await t.advance(long_enough);
  t.expect(join.done(), "join ends when every item is settled");
  join.cancel();
  co_await stop(w, second);
  account(*worker, w);
}

// ---- RWK-9: poison

awaitable<void> try_poison(trial& t, make_worker make, std::int64_t attempts_max, int id) {
  world w(t);
  auto worker = make({.attempts_max = attempts_max});
  connect(*worker, w);
  co_await submit(*worker, w, id, forever);
  co_await submit(*worker, w, id + 1);
  for (std::int64_t attempt = 1; attempt <= attempts_max; ++attempt) {
    auto run = t.start("run " + std::to_string(attempt), worker->run());
    co_await t.settle();
    t.expect_eq(w.items[id].begun.size(), attempt, "an item is begun again while it has attempts left");
    t.expect_eq(w.letters_of(id), 0U, "it is not given up before");
    run.cancel();
    co_await t.settle();
  }
  auto last = t.start("last run", worker->run());
  co_await t.settle();
  t.expect_eq(w.items[id].begun.size(), attempts_max, "no item is begun more often than the cap allows");
  t.expect_eq(w.letters_of(id), 1U, "an item whose attempts are exhausted goes to the dead-letter sink");
  for (const auto& letter : w.letters)
    t.expect_eq(letter.attempts, attempts_max, "the letter tells the attempts");
  t.expect(w.was_processed(id + 1), "the next item is processed");
  co_await stop(w, last);
  account(*worker, w);
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
  world w(t);
  auto worker = make({.attempts_max = 2});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2, 10ms, always);
  auto first = t.start("run", worker->run());
  t.victim(first);
  co_await t.advance(15ms);
  co_await stop(w, first);
  for (const char* const name : {"second run", "third run"}) {
    auto next = t.start(name, worker->run());
    co_await t.advance(5ms);
    co_await stop(w, next);
  }
  for (const auto& [id, one] : w.items)
    t.expect(one.begun.size() <= 2, "no item is begun more often than the cap allows");
}

// ---- cross-cutting clauses

ASSAY_SCENARIO(
    resilient_worker, "X-3", "", .features = {"dead_letter"}, .swept = true,
    .why = "A letter that the sink has taken is never put back as well, and one that it has not is.") {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  w.write_takes = 10ms;
  co_await submit(*worker, w, 1, 0ms, 1);
  auto run = t.start("run", worker->run());
  t.victim(run);
  co_await t.advance(10ms);
  co_await t.settle();
  co_await stop(w, run);
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "X-8", "", .swept = true,
               .why = "Cancellation is neither a failure of the item nor an end without one.") {
  world w(t);
  auto worker = make();
  connect(*worker, w);
  co_await submit(*worker, w, 1, 10ms);
  co_await submit(*worker, w, 2, 10ms);
  auto run = t.start("run", worker->run());
  t.victim(run);
  co_await t.advance(15ms);
  co_await stop(w, run);
  t.expect(run.cancelled(), "a cancelled worker ends as cancelled");
  t.expect(w.letters.empty() && w.losses.empty(), "a cancellation is no failure of the item");
  account(*worker, w);
}

ASSAY_SCENARIO(resilient_worker, "X-17", "", .features = {"dead_letter"},
               .why = "A sink that fails does not replace the cause for which the item was to be buried.") {
  world w(t);
  w.writes_failing = 2;
  auto worker = make({.attempts_max = 2});
  connect(*worker, w);
  co_await submit(*worker, w, 1, 0ms, always);
  auto run = t.start("run", worker->run());
  co_await t.advance(long_enough);
  for (const auto* const given_up : {&w.letters, &w.losses}) {
    for (const auto& one : *given_up) {
      t.expect_eq(one.cause.label, "processing 1", "the sink's failure does not replace the cause");
    }
  }
  for (const auto& sink : w.unwritten)
    t.expect_eq(sink.label, "the sink", "the sink's failure is told besides");
  t.expect_eq(w.letters.size() + w.losses.size(), 1U, "the item is given up once");
  co_await stop(w, run);
  account(*worker, w);
}

}  // namespace
