// The clauses of bounded_queue, each beside the scenario that checks it.
#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <iterator>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::format_duration;
using assay::item;
using assay::operation;
using assay::sorted;
using assay::trial;
using assay::contract::bounded_queue;
using assay::contract::closed_error;
using assay::contract::rejected_error;
using std::chrono::nanoseconds;

// ---- what several scenarios do

// A function: g++ 12 cannot have a braced list beside co_await.
template <class... Ids>
std::vector<int> ids(Ids... all) {
  return {all...};
}

std::size_t count_done(const std::vector<operation<void>>& pushes) {
  const auto is_done = [](const operation<void>& push) { return push.done(); };
  return static_cast<std::size_t>(std::count_if(pushes.begin(), pushes.end(), is_done));
}

std::size_t count_pending(const std::vector<operation<void>>& pushes) {
  const auto is_pending = [](const operation<void>& push) { return push.pending(); };
  return static_cast<std::size_t>(std::count_if(pushes.begin(), pushes.end(), is_pending));
}

template <class Outcome, class Call>
bool throws(const Call& call) {
  try {
    call();
  } catch (const Outcome&) {
    return true;
  }
  return false;
}

asio::awaitable<void> push_all(trial& t, bounded_queue& queue, std::vector<int> all) {
  for (const int id : all) co_await queue.push(t.item(id));
}

asio::awaitable<assay::made_subject<bounded_queue>> full_queue(trial& t,
                                                               const assay::maker<bounded_queue>& make,
                                                               std::vector<int> all) {
  auto queue = make({.capacity = std::ssize(all)});
  const std::size_t capacity = all.size();
  co_await push_all(t, *queue, std::move(all));
  t.premise(queue->size() == capacity, "the queue is full");
  co_return queue;
}

// Pops what is there without waiting for more. A pop that gets nothing although the queue says that it has something
// is taken back; the caller sees the item missing.
asio::awaitable<std::vector<int>> pop_what_is_there(trial& t, bounded_queue& queue) {
  std::vector<int> got;
  co_await t.settle();
  while (queue.size() > 0) {
    auto next = co_await t.begin("pop the rest", queue.pop());
    if (!next.done()) {
      co_await t.cancel(next);
      break;
    }
    got.push_back(next.value().id());
  }
  co_return got;
}

asio::awaitable<void> expect_rest(trial& t, bounded_queue& queue, std::vector<int> expected,
                                  std::string_view message,
                                  std::source_location where = std::source_location::current()) {
  const std::vector<int> rest = co_await pop_what_is_there(t, queue);
  t.expect_eq(rest, expected, message, where);
}

// As trial::begin, for the operation that the sweep cancels.
template <class T>
asio::awaitable<operation<T>> begin_victim(trial& t, std::string name, asio::awaitable<T> work,
                                           std::source_location where = std::source_location::current()) {
  auto victim = t.start(std::move(name), std::move(work), {}, where);
  t.victim(victim);
  co_await t.settle();
  co_return victim;
}

template <class... Operations>
asio::awaitable<void> cancel_all(trial& t, const Operations&... which) {
  (which.cancel(), ...);
  return t.settle();
}

// Waits for `delay`, then pushes or pops: for ties with a deadline.
asio::awaitable<void> push_after(trial& t, bounded_queue& queue, std::chrono::nanoseconds delay, int id) {
  co_await assay::sleep_for(delay);
  co_await queue.push(t.item(id));
}

asio::awaitable<int> pop_after(bounded_queue& queue, std::chrono::nanoseconds delay) {
  co_await assay::sleep_for(delay);
  const item got = co_await queue.pop();
  co_return got.id();
}

}  // namespace

ASSAY_CONTRACT(bounded_queue, "flow", "FIFO with backpressure, join and close");

// ---- capacity and order

ASSAY_CLAUSE(
    bounded_queue, "BQ-1", must,
    "Buffered items never exceed capacity, except by items handed back (BQ-9), whenever settled and, in "
    "process, at every turn boundary; no push commits until the size is below capacity.") {
  for (const int capacity : {1, 3}) {
    auto queue = make({.capacity = capacity});
    const int base = 100 * capacity;
    std::vector<operation<void>> pushes;
    for (int id = base + 1; id <= base + capacity + 4; ++id)
      pushes.push_back(t.start("push " + std::to_string(id), queue->push(t.item(id))));
    co_await t.settle();
    t.expect_eq(count_done(pushes), capacity, "as many pushes commit as there is room for");
    t.expect_eq(queue->size(), capacity, "the queue is full");
    const item first = co_await queue->pop();
    t.expect(static_cast<bool>(first), "a full queue has an item");
    co_await t.settle();
    t.expect_eq(count_done(pushes), capacity + 1, "one pop makes room for one push");
    const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
    t.expect_eq(rest.size(), capacity + 3, "every item comes out");
  }
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-2", must,
    "FIFO: items leave in the order their pushes committed. With `fair`, parked pushers commit in park "
    "order.") {
  auto queue = co_await full_queue(t, make, ids(1, 2, 3));
  co_await expect_rest(t, *queue, ids(1, 2, 3), "items leave in the order in which they came");
}

ASSAY_SCENARIO(bounded_queue, "BQ-2", "parked pushers", .features = {"fair"}) {
  auto queue = make({.capacity = 1});
  std::vector<operation<void>> pushes;
  for (int id = 1; id <= 4; ++id) {
    pushes.push_back(t.start("push " + std::to_string(id), queue->push(t.item(id))));
    co_await t.settle();
  }
  t.premise(count_pending(pushes) == 3, "three pushers are parked");
  std::vector<int> got;
  while (got.size() < 4) {
    const item one = co_await queue->pop();
    got.push_back(one.id());
  }
  t.expect_eq(got, ids(1, 2, 3, 4), "parked pushers commit in park order");
  co_await t.settle();
  t.expect(pushes[3].done(), "every push has ended");
}

// A pusher that was woken and finds the queue full again keeps its place.
ASSAY_SCENARIO(bounded_queue, "BQ-2", "pushers that race", .features = {"fair", "try"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto second = co_await t.begin("push 2", queue->push(t.item(2)));
  auto third = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(second.pending() && third.pending(), "two pushers are parked");
  const item first = queue->try_pop();
  t.expect_eq(first.id(), 1, "the first item comes out");
  item late = t.item(4);
  t.expect(!queue->try_push(late), "a newcomer does not take the place of a parked pusher");
  co_await expect_rest(t, *queue, ids(2, 3), "parked pushers commit in park order");
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-3", must,
    "Parked poppers are served in park order; a newcomer or `try_pop` never overtakes them; same for "
    "pushers/`try_push`.",
    .features = {"fair"}) {
  auto queue = make({.capacity = 2});
  auto first = co_await t.begin("pop a", queue->pop());
  auto second = co_await t.begin("pop b", queue->pop());
  t.premise(first.pending() && second.pending(), "two poppers are parked");
  co_await push_all(t, *queue, ids(1, 2));
  co_await t.settle();
  t.expect_eq(first.value().id(), 1, "who parked first is served first");
  t.expect_eq(second.value().id(), 2, "who parked second is served second");
}

ASSAY_SCENARIO(bounded_queue, "BQ-3", "try_pop", .features = {"fair", "try"}) {
  auto queue = make({.capacity = 1});
  auto parked = co_await t.begin("pop", queue->pop());
  t.premise(parked.pending(), "a popper is parked");
  item one = t.item(1);
  t.expect(queue->try_push(one), "an empty queue takes an item");
  const item stolen = queue->try_pop();
  t.expect(!stolen, "try_pop does not overtake a parked popper");
  co_await t.settle();
  t.expect(parked.done(), "the parked popper gets the item");
}

ASSAY_SCENARIO(bounded_queue, "BQ-3", "newcomer", .features = {"fair"}) {
  auto queue = make({.capacity = 1});
  auto parked = co_await t.begin("parked pop", queue->pop());
  t.premise(parked.pending(), "a popper is parked");
  const auto push_and_pop = [](trial& tt, bounded_queue& q) -> asio::awaitable<int> {
    co_await q.push(tt.item(1));
    const item got = co_await q.pop();
    co_return got.id();
  };
  auto newcomer = co_await t.begin("push, then pop at once", push_and_pop(t, *queue));
  t.expect(parked.done(), "a newcomer does not overtake a parked popper");
  t.expect(newcomer.pending(), "the newcomer waits for the next item");
  co_await t.cancel(newcomer);
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-4", must,
    "No idle meeting: once settled, no pop is pending while the size is above 0, and no push is pending "
    "while it is below capacity.") {
  auto queue = make({.capacity = 2});
  auto first = t.start("pop a", queue->pop());
  auto second = co_await t.begin("pop b", queue->pop());
  t.premise(first.pending() && second.pending(), "two poppers are parked");
  auto one = co_await t.begin("push 1", queue->push(t.item(1)));
  t.expect(one.done(), "a push is not pending beside a free place");
  t.expect(first.done() != second.done(), "one of the parked pops has the item");
  t.expect_eq(queue->size(), 0U, "no item waits beside a pending pop");
  std::vector<operation<void>> pushes;
  for (int id = 2; id <= 5; ++id)
    pushes.push_back(t.start("push " + std::to_string(id), queue->push(t.item(id))));
  co_await t.settle();
  t.expect(first.done() && second.done(), "no pop is pending while items come");
  t.expect_eq(queue->size(), 2U, "the queue is full");
  t.expect_eq(count_done(pushes), 3, "one push waits, the others went through");
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  t.expect_eq(rest.size(), 3U, "all items come out");
}

// A wake-up that meets a cancel is passed on.
ASSAY_SCENARIO(bounded_queue, "BQ-4", "a cancelled popper", .swept = true) {
  auto queue = make({.capacity = 1});
  auto victim = co_await begin_victim(t, "pop a", queue->pop());
  auto other = co_await t.begin("pop b", queue->pop());
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two poppers are parked");
  auto push = co_await t.begin("push 1", queue->push(t.item(1)));
  t.expect(push.done(), "the push goes through");
  t.expect(victim.done() || other.done(), "a pop is not pending beside an item");
  t.expect_eq(queue->size(), 0U, "no item waits beside a pending pop");
  co_await cancel_all(t, victim, other);
  t.sometimes("the victim was cancelled", victim.cancelled());
}

ASSAY_SCENARIO(bounded_queue, "BQ-4", "a cancelled pusher", .swept = true) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto victim = co_await begin_victim(t, "push 2", queue->push(t.item(2)));
  auto other = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two pushers are parked");
  const item first = co_await queue->pop();
  t.expect_eq(first.id(), 1);
  co_await t.settle();
  t.expect(victim.done() || other.done(), "a push is not pending beside a free place");
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  t.expect_eq(rest.size(), (victim.done() ? 1 : 0) + (other.done() ? 1 : 0), "what was pushed comes out");
  t.expect(other.done(), "the other pusher gets a place in the end");
}

ASSAY_CLAUSE(bounded_queue, "BQ-5", must,
             "Capacity 0 is either rejected (`reject_zero`) or a rendezvous (`rendezvous`: push completes "
             "when taken); "
             "negative is rejected.",
             .features = {"rendezvous"}) {
  auto queue = make({.capacity = 0});
  auto push = co_await t.begin("push 1", queue->push(t.item(1)));
  t.expect(push.pending(), "a rendezvous push waits until it is taken");
  auto pop = co_await t.begin("pop", queue->pop());
  t.expect(push.done(), "the push completes when its item is taken");
  t.expect_eq(pop.value().id(), 1);
  auto waiting = co_await t.begin("pop again", queue->pop());
  t.premise(waiting.pending(), "a popper is parked");
  auto second = co_await t.begin("push 2", queue->push(t.item(2)));
  t.expect(second.done(), "a push that meets a parked pop completes");
  t.expect_eq(waiting.value().id(), 2);
}

ASSAY_SCENARIO(bounded_queue, "BQ-5", "a cancelled pop", .features = {"rendezvous"}, .swept = true) {
  auto queue = make({.capacity = 0});
  auto victim = co_await begin_victim(t, "pop", queue->pop());
  t.premise(t.disturbed() || victim.pending(), "the popper is parked");
  auto push = co_await t.begin("push 1", queue->push(t.item(1)));
  t.expect_eq(push.done(), victim.done(), "a rendezvous push ends when its item is taken");
  t.sometimes("the victim was cancelled", victim.cancelled());
  co_await t.cancel(push);
  t.expect_eq(queue->size(), 0U, "nothing is left in a rendezvous");
}

ASSAY_SCENARIO(bounded_queue, "BQ-5", "zero is rejected", .features = {"reject_zero"}) {
  t.expect(throws<rejected_error>([&] { make({.capacity = 0}); }), "capacity 0 is rejected");
  co_return;
}

ASSAY_SCENARIO(bounded_queue, "BQ-5", "negative, with rendezvous", .features = {"rendezvous"}) {
  t.expect(throws<rejected_error>([&] { make({.capacity = -1}); }), "a negative capacity is rejected");
  co_return;
}

ASSAY_SCENARIO(bounded_queue, "BQ-5", "negative, with reject_zero", .features = {"reject_zero"}) {
  t.expect(throws<rejected_error>([&] { make({.capacity = -1}); }), "a negative capacity is rejected");
  co_return;
}

// ---- cancellation

ASSAY_CLAUSE(
    bounded_queue, "BQ-6", must,
    "A cancelled pending push leaves no item and no lost slot; the next parked pusher keeps its place.") {
  auto queue = co_await full_queue(t, make, ids(1));
  auto second = co_await t.begin("push 2", queue->push(t.item(2)));
  auto third = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(second.pending() && third.pending(), "two pushers are parked");
  co_await t.cancel(second);
  t.expect(second.cancelled(), "the cancelled push ends as cancelled");
  const item first = co_await queue->pop();
  t.expect_eq(first.id(), 1, "the first item is still the first");
  co_await t.settle();
  t.expect(third.done(), "the next parked pusher gets the slot");
  const item next = co_await queue->pop();
  t.expect_eq(next.id(), 3, "the cancelled push left no item");
  t.expect_eq(queue->size(), 0U, "nothing else is in the queue");
  co_await queue->push(t.item(4));
  t.expect_eq(queue->size(), 1U, "no slot was lost");
}

namespace {

// Cancels one of three pushes that wait in a full queue, and looks at what comes out.
asio::awaitable<void> cancel_among_others(trial& t, bounded_queue& queue, int capacity, std::size_t victim) {
  const int base = capacity * 100 + static_cast<int>(victim) * 20;
  std::vector<int> expected;
  for (int i = 1; i <= capacity; ++i) expected.push_back(base + i);
  co_await push_all(t, queue, expected);
  std::vector<operation<void>> parked;
  for (int id = base + 10; id < base + 13; ++id) {
    expected.push_back(id);
    parked.push_back(t.start("push " + std::to_string(id), queue.push(t.item(id))));
    co_await t.settle();
  }
  t.premise(count_pending(parked) == 3, "three pushers are parked");
  std::erase(expected, base + 10 + static_cast<int>(victim));
  co_await t.cancel(parked[victim]);
  t.expect(parked[victim].cancelled(), "the cancelled push ends as cancelled");
  std::vector<int> got;
  while (got.size() < 2) {
    const item next = co_await queue.pop();
    got.push_back(next.id());
    co_await t.settle();
  }
  t.expect_eq(count_done(parked), 2, "those that wait beside a cancelled push get the slots");
  t.expect_eq(queue.size(), capacity, "no slot was lost");
  const std::vector<int> rest = co_await pop_what_is_there(t, queue);
  got.insert(got.end(), rest.begin(), rest.end());
  t.expect_eq(sorted(got), expected, "the cancelled push left no item");
}

}  // namespace

ASSAY_SCENARIO(bounded_queue, "BQ-6", "among others",
               .why = "each of those that wait, in turn, in queues for several items") {
  for (const int capacity : {2, 3}) {
    for (const std::size_t victim : {0U, 1U, 2U}) {
      auto queue = make({.capacity = capacity});
      co_await cancel_among_others(t, *queue, capacity, victim);
    }
  }
}

ASSAY_SCENARIO(bounded_queue, "BQ-6", "swept", .swept = true) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto victim = co_await begin_victim(t, "push 2", queue->push(t.item(2)));
  auto third = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(t.disturbed() || (victim.pending() && third.pending()), "two pushers are parked");
  const std::vector<int> got = co_await pop_what_is_there(t, *queue);
  const std::vector<int> expected = victim.cancelled() ? ids(1, 3) : ids(1, 2, 3);
  t.expect(victim.done() || victim.cancelled(), "the push ended with a value or cancelled");
  t.expect_eq(sorted(got), expected, "an item is in the queue exactly if its push succeeded");
  if (make.claims("fair")) t.expect_eq(got, expected, "the survivors keep their order");
  co_await queue->push(t.item(4));
  t.expect_eq(queue->size(), 1U, "no slot was lost");
  t.sometimes("the victim was cancelled", victim.cancelled());
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-7", must,
    "A cancelled pending pop takes no item. If the item was already assigned, either pop returns it, or the "
    "item goes back to the *head* before pop reports cancelled - even if the buffer is momentarily full "
    "(X-3). No drop, no reorder.",
    .swept = true) {
  auto queue = make({.capacity = 1});
  auto victim = co_await begin_victim(t, "pop", queue->pop());
  t.premise(t.disturbed() || victim.pending(), "the popper is parked");
  auto seventh = co_await t.begin("push 7", queue->push(t.item(7)));
  auto eighth = co_await t.begin("push 8", queue->push(t.item(8)));
  auto ninth = co_await t.begin("push 9", queue->push(t.item(9)));
  t.expect(victim.done() || victim.cancelled(), "the pop ended with a value or cancelled");
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  std::vector<int> expected;
  if (seventh.done()) expected.push_back(7);
  if (eighth.done()) expected.push_back(8);
  if (ninth.done()) expected.push_back(9);
  if (victim.done()) std::erase(expected, victim.value().id());
  if (!expected.empty())
    t.expect_eq(rest.empty() ? 0 : rest.front(), expected.front(), "the head is still the head");
  t.expect_eq(make.claims("fair") ? rest : sorted(rest), expected,
              "what the pop did not take is still there, in order");
  t.sometimes("the victim was cancelled", victim.cancelled());
  co_await cancel_all(t, seventh, eighth, ninth);
}

ASSAY_SCENARIO(bounded_queue, "BQ-7", "alone") {
  auto queue = make({.capacity = 1});
  auto pop = co_await t.begin("pop", queue->pop());
  t.premise(pop.pending(), "the popper is parked");
  co_await t.cancel(pop);
  t.expect(pop.cancelled(), "the cancelled pop ends as cancelled");
  auto push = co_await t.begin("push 1", queue->push(t.item(1)));
  t.expect(push.done(), "after a cancelled pop the queue is as it was: a push finds its place");
  auto again = co_await t.begin("pop again", queue->pop());
  t.expect(again.done(), "and the next pop its item");
}

// The item that was assigned comes back to a buffer that has been filled meanwhile.
ASSAY_SCENARIO(bounded_queue, "BQ-7", "pushed in one turn", .features = {"try"}, .swept = true) {
  auto queue = make({.capacity = 1});
  auto victim = co_await begin_victim(t, "pop", queue->pop());
  t.premise(t.disturbed() || victim.pending(), "the popper is parked");
  std::vector<int> expected;
  for (const int id : {7, 8}) {
    item one = t.item(id);
    if (queue->try_push(one)) expected.push_back(id);
  }
  co_await t.settle();
  if (victim.done()) std::erase(expected, victim.value().id());
  co_await expect_rest(t, *queue, expected, "what the pop did not take is still there, in order");
  co_await t.cancel(victim);
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-8", must,
    "A timed pop that times out took nothing; a timed push that times out put nothing (decided inside the "
    "queue at one commit point, not by racing two finished operations).",
    .features = {"timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto queue = make({.capacity = 1});
    const int id = static_cast<int>(patience.count());
    auto pop = t.start("pop for " + format_duration(patience), queue->pop_for(patience));
    auto push = t.start("push exactly then", push_after(t, *queue, patience, id));
    co_await t.advance(patience);
    t.expect(pop.pending(), "a timed pop does not end early");
    co_await t.settle();
    t.expect(pop.done() || pop.timed_out(), "the timed pop ends at its deadline");
    t.sometimes("the deadline won", pop.timed_out());
    const std::vector<int> left = push.done() && !pop.done() ? ids(id) : ids();
    co_await expect_rest(t, *queue, left, "a timed pop that timed out took nothing");
    co_await t.cancel(push);
  }
}

ASSAY_SCENARIO(bounded_queue, "BQ-8", "push", .features = {"timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    const int base = 10 * static_cast<int>(patience.count());
    auto queue = co_await full_queue(t, make, ids(base + 1));
    const std::string name = "push for " + format_duration(patience);
    auto push = t.start(name, queue->push_for(t.item(base + 2), patience));
    auto pop = t.start("pop exactly then", pop_after(*queue, patience));
    co_await t.advance(patience);
    t.expect(push.pending(), "a timed push does not end early");
    co_await t.settle();
    t.expect_eq(pop.value(), base + 1, "the pop gets the first item");
    t.expect(push.done() || push.timed_out(), "the timed push ends at its deadline");
    const std::vector<int> expected = push.done() ? ids(base + 2) : ids();
    co_await expect_rest(t, *queue, expected, "an item is in the queue exactly if its timed push succeeded");
  }
}

ASSAY_SCENARIO(bounded_queue, "BQ-8", "alone", .features = {"timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto queue = make({.capacity = 1});
    auto pop = t.start("pop for " + format_duration(patience), queue->pop_for(patience));
    co_await t.advance(patience);
    t.expect(pop.pending(), "a timed pop does not end early");
    co_await t.settle();
    t.expect(pop.timed_out(), "a timed pop ends at its deadline");
    const int id = static_cast<int>(patience.count());
    auto late = co_await t.begin("push", queue->push(t.item(id)));
    t.expect(late.done(), "the queue goes on after a timeout");
    co_await expect_rest(t, *queue, ids(id), "who timed out takes nothing afterwards");
  }
}

ASSAY_SCENARIO(bounded_queue, "BQ-8", "cancelled", .features = {"timed"}, .swept = true) {
  auto queue = make({.capacity = 1});
  auto victim = t.start("pop for 10ms", queue->pop_for(10ms));
  t.victim(victim);
  auto push = t.start("push exactly then", push_after(t, *queue, 10ms, 1));
  co_await t.pass(10ms);
  t.expect(victim.done() || victim.cancelled() || victim.timed_out(),
           "it ended with a value, cancelled or timed out");
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  t.expect_eq(rest, push.done() && !victim.done() ? ids(1) : ids(), "the item is where the outcome says");
  co_await t.cancel(push);
}

ASSAY_CLAUSE(bounded_queue, "BQ-9", must,
             "Hand-back (`unpop`/requeue to head) never suspends and never fails for lack of capacity.",
             .features = {"hand_back"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  item first = co_await queue->pop();
  co_await queue->push(t.item(2));
  auto third = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(queue->size() == 1 && third.pending(), "the queue is full, and a pusher is parked");
  queue->hand_back(std::move(first));
  t.expect_eq(queue->size(), 2U, "an item is handed back although the queue is full");
  co_await expect_rest(t, *queue, ids(1, 2, 3), "the item that was handed back is the first again");
  t.expect(third.done(), "the parked pusher goes on");
}

ASSAY_SCENARIO(bounded_queue, "BQ-9", "to a parked popper", .features = {"hand_back"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  item first = co_await queue->pop();
  auto parked = co_await t.begin("pop", queue->pop());
  t.premise(parked.pending(), "a popper is parked");
  queue->hand_back(std::move(first));
  co_await t.settle();
  t.expect_eq(parked.value().id(), 1, "a parked popper gets what is handed back");
}

// ---- close

ASSAY_CLAUSE(
    bounded_queue, "BQ-10", must,
    "After `close`: new pushes fail \"closed\"; parked pushers are all woken with \"closed\" and their items "
    "returned to them (asyncio 3.13; the Kotlin rule - parked sends still complete - is declared by "
    "`close_completes_parked`); buffered items can still be popped.",
    .features = {"close"}, .asks = {"close_completes_parked"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto second = t.start("push 2", queue->push(t.item(2)));
  auto third = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(second.pending() && third.pending(), "two pushers are parked");
  queue->close();
  co_await t.settle();
  const bool completes = make.claims("close_completes_parked");
  if (!completes) t.expect(second.closed() && third.closed(), "parked pushers are woken with closed");
  auto late = co_await t.begin("push 4", queue->push(t.item(4)));
  t.expect(late.closed(), "a push after close fails as closed");
  const std::vector<int> expected = completes ? ids(1, 2, 3) : ids(1);
  std::vector<int> got;
  while (got.size() < expected.size()) {
    auto pop = co_await t.begin("pop", queue->pop());
    got.push_back(pop.value().id());
  }
  t.expect_eq(sorted(got), expected, "what was buffered can still be popped");
  t.expect(second.ended() && third.ended(), "no pusher is left parked");
}

ASSAY_SCENARIO(bounded_queue, "BQ-10", "try_push", .features = {"close", "try"}) {
  auto queue = make({.capacity = 1});
  queue->close();
  item one = t.item(1);
  const auto push = [&] { t.expect(!queue->try_push(one), "try_push after close puts nothing"); };
  t.expect(throws<closed_error>(push), "try_push after close says closed");
  t.expect_eq(one.id(), 1, "the item is still the caller's");
  co_return;
}

ASSAY_SCENARIO(bounded_queue, "BQ-10", "timed, parked", .features = {"close", "timed"},
               .asks = {"close_completes_parked"}) {
  for (const auto patience : {10ms, 25ms}) {
    const int base = 10 * static_cast<int>(patience.count());
    auto queue = co_await full_queue(t, make, ids(base + 1));
    const std::string name = "push for " + format_duration(patience);
    auto parked = co_await t.begin(name, queue->push_for(t.item(base + 2), patience));
    t.premise(parked.pending(), "a timed pusher is parked");
    queue->close();
    co_await t.settle();
    if (!make.claims("close_completes_parked"))
      t.expect(parked.closed(), "a timed push that is parked is woken with closed, at once");
    (void)co_await pop_what_is_there(t, *queue);
    co_await t.cancel(parked);
  }
}

ASSAY_SCENARIO(bounded_queue, "BQ-10", "timed, after close", .features = {"close", "timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto queue = make({.capacity = 1});
    queue->close();
    const std::string name = "push for " + format_duration(patience);
    const int id = static_cast<int>(patience.count());
    auto late = co_await t.begin(name, queue->push_for(t.item(id), patience));
    t.expect(late.closed(), "a timed push after close fails as closed, at once");
    co_await t.cancel(late);
  }
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-11", must,
    "Pops after close return buffered items first, then \"closed\"; poppers parked at close are woken with "
    "\"closed\".",
    .features = {"close"}) {
  auto queue = co_await full_queue(t, make, ids(1, 2));
  queue->close();
  auto first = co_await t.begin("pop a", queue->pop());
  t.expect(first.done(), "a buffered item is delivered after close");
  auto second = co_await t.begin("pop b", queue->pop());
  auto third = co_await t.begin("pop c", queue->pop());
  t.expect_eq(first.value().id(), 1);
  t.expect_eq(second.value().id(), 2);
  t.expect(third.closed(), "once empty, a closed queue says closed");
}

ASSAY_SCENARIO(bounded_queue, "BQ-11", "parked poppers", .features = {"close"}) {
  auto queue = make({.capacity = 1});
  auto first = t.start("pop a", queue->pop());
  auto second = co_await t.begin("pop b", queue->pop());
  t.premise(first.pending() && second.pending(), "two poppers are parked");
  queue->close();
  co_await t.settle();
  t.expect(first.closed() && second.closed(), "poppers parked at close are woken with closed");
}

ASSAY_SCENARIO(bounded_queue, "BQ-11", "timed, parked", .features = {"close", "timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto queue = make({.capacity = 1});
    auto parked = co_await t.begin("pop for " + format_duration(patience), queue->pop_for(patience));
    t.premise(parked.pending(), "a timed popper is parked");
    queue->close();
    co_await t.settle();
    t.expect(parked.closed(), "a timed pop that is parked is woken with closed, at once");
    co_await t.cancel(parked);
  }
}

ASSAY_SCENARIO(bounded_queue, "BQ-11", "timed, after close", .features = {"close", "timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto queue = make({.capacity = 1});
    queue->close();
    auto late = co_await t.begin("pop for " + format_duration(patience), queue->pop_for(patience));
    t.expect(late.closed(), "a timed pop on a closed queue says closed, at once");
    co_await t.cancel(late);
  }
}

namespace {

asio::awaitable<void> push_and_close(trial& t, bounded_queue& queue) {
  co_await queue.push(t.item(1));
  queue.close();
}

}  // namespace

ASSAY_SCENARIO(bounded_queue, "BQ-11", "pushed and closed in one turn", .features = {"close"}) {
  auto queue = make({.capacity = 1});
  auto first = t.start("pop a", queue->pop());
  auto second = co_await t.begin("pop b", queue->pop());
  t.premise(first.pending() && second.pending(), "two poppers are parked");
  auto push = co_await t.begin("push 1, then close", push_and_close(t, *queue));
  t.expect(push.done(), "the push goes through");
  t.expect(first.done() != second.done(), "one who waits gets what was pushed before the close");
  t.expect(first.ended() && second.ended(), "nobody is left parked");
}

ASSAY_SCENARIO(bounded_queue, "BQ-11", "swept", .features = {"close"}, .swept = true) {
  auto queue = make({.capacity = 1});
  auto victim = co_await begin_victim(t, "pop", queue->pop());
  t.premise(t.disturbed() || victim.pending(), "the popper is parked");
  auto push = co_await t.begin("push 1", queue->push(t.item(1)));
  queue->close();
  co_await t.settle();
  t.expect(victim.done() || victim.cancelled(), "the pop got the item or was cancelled");
  auto last = co_await t.begin("pop the rest", queue->pop());
  const int deliveries = (last.done() ? 1 : 0) + (victim.done() ? 1 : 0);
  t.expect_eq(deliveries, push.done() ? 1 : 0, "an item that was pushed before close is delivered");
  t.expect(last.done() || last.closed(), "an empty closed queue says closed");
  co_await cancel_all(t, push, last);
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-12", must,
    "`close_now` (immediate) empties the buffer, returns the removed items to the caller for accounting, "
    "wakes everyone.",
    .features = {"close_now"}) {
  auto queue = co_await full_queue(t, make, ids(1, 2));
  auto parked = co_await t.begin("push 3", queue->push(t.item(3)));
  t.premise(parked.pending(), "a pusher is parked");
  const std::vector<item> removed = queue->close_now();
  t.expect_eq(assay::ids_of(removed), ids(1, 2), "the removed items are returned, in order");
  co_await t.settle();
  t.expect(parked.closed(), "parked pushers are woken with closed");
  t.expect_eq(queue->size(), 0U, "the buffer is empty");
  auto pop = co_await t.begin("pop", queue->pop());
  t.expect(pop.closed(), "a pop after close_now says closed");
}

ASSAY_SCENARIO(bounded_queue, "BQ-12", "parked poppers", .features = {"close_now"}) {
  auto queue = make({.capacity = 1});
  auto parked = co_await t.begin("pop", queue->pop());
  t.premise(parked.pending(), "a popper is parked");
  const std::vector<item> removed = queue->close_now();
  t.expect(removed.empty(), "there was nothing to remove");
  co_await t.settle();
  t.expect(parked.closed(), "parked poppers are woken with closed");
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-13", must,
    "Close is idempotent, non-suspending, and wakes in park order (where outcomes are equal, their order is "
    "not observable and not checked: X-14).",
    .features = {"close"}) {
  auto queue = co_await full_queue(t, make, ids(1, 2));
  queue->close();
  auto first = co_await t.begin("pop a", queue->pop());
  const bool drains = first.done();  // if it does not, BQ-11 says so
  queue->close();
  auto second = co_await t.begin("pop b", queue->pop());
  t.expect(second.done() || !drains, "a second close changes nothing: what is buffered can still be popped");
  queue->close();
  auto last = co_await t.begin("pop c", queue->pop());
  t.expect(last.closed(), "a closed queue stays closed");
  t.expect(!first.pending() && !second.pending(), "no pop is left parked");
}

// ---- work accounting

ASSAY_CLAUSE(
    bounded_queue, "BQ-14", must,
    "`join` completes when every pushed item is marked done; items still buffered or in hand keep it parked.",
    .features = {"join"}) {
  auto queue = co_await full_queue(t, make, ids(1, 2));
  auto join = co_await t.begin("join", queue->join());
  t.expect(join.pending(), "buffered items keep join parked");
  const item first = co_await queue->pop();
  const item second = co_await queue->pop();
  co_await t.settle();
  t.expect(join.pending(), "items in hand keep join parked");
  queue->done();
  co_await t.settle();
  t.expect(join.pending(), "one of two items done keeps join parked");
  queue->done();
  co_await t.settle();
  t.expect(join.done(), "join completes when every item is done");
}

ASSAY_SCENARIO(bounded_queue, "BQ-14", "swept", .features = {"join"}, .swept = true) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto victim = co_await begin_victim(t, "join", queue->join());
  auto other = co_await t.begin("another join", queue->join());
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two joiners are parked");
  const item first = co_await queue->pop();
  queue->done();
  co_await t.settle();
  t.expect(victim.done() || victim.cancelled(), "a join ends done or cancelled");
  t.expect(other.done(), "cancelling one join leaves the other alone");
}

ASSAY_SCENARIO(bounded_queue, "BQ-14", "several joiners", .features = {"join"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto first = co_await t.begin("join a", queue->join());
  auto second = co_await t.begin("join b", queue->join());
  auto third = co_await t.begin("join c", queue->join());
  t.premise(first.pending() && second.pending() && third.pending(), "three joiners are parked");
  co_await t.cancel(second);
  t.expect(second.cancelled(), "a cancelled join ends as cancelled");
  t.expect(first.pending() && third.pending(), "and leaves the others alone");
  const item only = co_await queue->pop();
  t.expect_eq(only.id(), 1);
  queue->done();
  co_await t.settle();
  t.expect(first.done() && third.done(), "every join completes when every item is done");
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-15", must,
    "`done` more often than pushed is detected; requeue of an in-hand item keeps the count unchanged (one "
    "atomic operation, not push + done).",
    .features = {"join"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  const item first = co_await queue->pop();
  queue->done();
  t.expect(throws<rejected_error>([&] { queue->done(); }), "one done too many is detected");
}

ASSAY_SCENARIO(bounded_queue, "BQ-15", "requeue", .features = {"join", "requeue"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  item first = co_await queue->pop();
  auto join = co_await t.begin("join", queue->join());
  queue->requeue(std::move(first));
  co_await t.settle();
  t.expect(join.pending(), "an item that was requeued is still unfinished");
  const item again = co_await queue->pop();
  t.expect_eq(again.id(), 1, "the item that was requeued comes back");
  queue->done();
  co_await t.settle();
  t.expect(join.done(), "requeue left the count as it was");
}

ASSAY_CLAUSE(bounded_queue, "BQ-16", must,
             "Dropped/evicted (`removal`) and close_now-removed items are taken off the join count.",
             .features = {"join", "close_now"}) {
  auto queue = co_await full_queue(t, make, ids(1, 2, 3));
  const item first = co_await queue->pop();
  auto join = co_await t.begin("join", queue->join());
  t.premise(join.pending(), "a joiner is parked");
  const std::vector<item> removed = queue->close_now();
  t.expect_eq(removed.size(), 2U, "two items were buffered");
  co_await t.settle();
  t.expect(join.pending(), "the item in hand still counts");
  queue->done();
  co_await t.settle();
  t.expect(join.done(), "what close_now removed no longer counts");
}

ASSAY_SCENARIO(bounded_queue, "BQ-16", "dropped", .features = {"join", "removal"}) {
  auto queue = co_await full_queue(t, make, ids(1, 2));
  auto join = co_await t.begin("join", queue->join());
  t.premise(join.pending(), "a joiner is parked");
  t.expect(queue->drop_oldest(), "the oldest item is dropped");
  const item left = co_await queue->pop();
  t.expect_eq(left.id(), 2, "the item after it is the oldest now");
  queue->done();
  co_await t.settle();
  t.expect(join.done(), "what was dropped no longer counts");
  t.expect(!queue->drop_oldest(), "an empty queue has nothing to drop");
}

ASSAY_CLAUSE(
    bounded_queue, "BQ-17", must,
    "Join on a never-used queue completes at once, and callers must not mistake that for \"all produced work "
    "is done\".",
    .features = {"join"}) {
  auto queue = make({.capacity = 1});
  auto join = co_await t.begin("join", queue->join());
  t.expect(join.done(), "join on a queue that was never used completes at once");
}

// ---- the rest

ASSAY_CLAUSE(bounded_queue, "BQ-18", must,
             "Move-only items supported; an item's value is destroyed exactly once.",
             .features = {"move_only", "lifetime"}) {
  const auto& entries = t.items().entries();
  {
    auto queue = co_await full_queue(t, make, ids(1, 2));
    auto third = co_await t.begin("push 3", queue->push(t.item(3)));
    t.premise(third.pending(), "a pusher is parked");
    {
      const item first = co_await queue->pop();
    }
    co_await t.settle();
    t.expect(third.done(), "the parked push got its place");
    t.expect_eq(entries[0].objects, 0U, "an item that was popped and dropped is gone");
    t.expect_eq(entries[1].objects, 1U, "a buffered item exists once");
  }
  for (const auto& entry : entries) t.expect_eq(entry.objects, 0U, "nothing outlives the queue");
}

ASSAY_CLAUSE(bounded_queue, "BQ-19", should, "Size/peak/parked counts available (Trio statistics).",
             .features = {"statistics"}) {
  auto queue = make({.capacity = 2});
  auto pop = co_await t.begin("pop", queue->pop());
  t.premise(pop.pending(), "a popper is parked");
  t.expect_eq(queue->statistics().parked_poppers, 1U, "parked poppers are counted");
  co_await push_all(t, *queue, ids(1, 2, 3));
  auto push = co_await t.begin("push 4", queue->push(t.item(4)));
  t.premise(push.pending(), "a pusher is parked");
  const auto full = queue->statistics();
  t.expect_eq(full.size, 2U, "buffered items are counted");
  t.expect_eq(full.parked_pushers, 1U, "parked pushers are counted");
  t.expect_eq(full.parked_poppers, 0U, "who was served no longer counts as parked");
  t.expect(pop.done(), "the parked pop was served");
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  t.expect_eq(rest.size(), 3U);
  const auto empty = queue->statistics();
  t.expect_eq(empty.size, 0U, "nothing is buffered any more");
  t.expect_eq(empty.size_peak, 2U, "the peak is remembered");
  t.expect(push.done(), "the parked push went through");
}

// ---- cross-cutting

namespace {

asio::awaitable<void> pop_one(bounded_queue& queue) { const item got = co_await queue.pop(); }

}  // namespace

ASSAY_SCENARIO(bounded_queue, "X-2", "push", .swept = true) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto victim = co_await begin_victim(t, "push 2", queue->push(t.item(2)));
  t.premise(t.disturbed() || victim.pending(), "the pusher is parked");
  const item first = co_await queue->pop();
  t.expect_eq(first.id(), 1);
  co_await t.settle();
  if (victim.cancelled()) {
    t.expect_eq(queue->size(), 0U, "a cancelled push did not happen");
    auto next = co_await t.begin("push 3", queue->push(t.item(3)));
    t.expect(next.done(), "the place that it waited for is free");
  }
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  t.expect_eq(rest.size(), 1U, "one more item comes out");
}

ASSAY_SCENARIO(bounded_queue, "X-3", "deadline", .features = {"timed"}) {
  auto queue = make({.capacity = 1});
  auto pop = t.start("pop for 10ms", queue->pop_for(10ms));
  auto push = t.start("push exactly then", push_after(t, *queue, 10ms, 1));
  co_await t.pass(10ms);
  t.expect(pop.done() || pop.timed_out(), "the pop ended with the item or timed out");
  if (push.done() && !pop.done())
    t.expect_eq(queue->size(), 1U, "an effect is reported or undone: the item is not gone");
  co_await t.cancel(push);
}

ASSAY_SCENARIO(bounded_queue, "X-4", "", .swept = true) {
  auto queue = make({.capacity = 1});
  auto victim = co_await begin_victim(t, "pop a", queue->pop());
  auto other = co_await t.begin("pop b", queue->pop());
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two poppers are parked");
  auto push = co_await t.begin("push 1", queue->push(t.item(1)));
  t.expect(!victim.cancelled() || other.done(), "the next one in line gets what it held");
  t.expect(push.done(), "the push went through");
  co_await cancel_all(t, victim, other);
}

ASSAY_SCENARIO(bounded_queue, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  auto queue = make({.capacity = 2});
  auto pushing = assay::when_cancelled(queue->push(t.item(1)));
  auto push = co_await t.begin("push in a cancelled scope", std::move(pushing));
  co_await t.cancel(push);
  t.expect(push.cancelled(), "a push that enters a cancelled scope reports cancelled");
  t.expect_eq(queue->size(), 0U, "and has no effect");
  co_await queue->push(t.item(2));
  auto pop = co_await t.begin("pop in a cancelled scope", assay::when_cancelled(pop_one(*queue)));
  co_await t.cancel(pop);
  t.expect(pop.cancelled(), "a pop that enters a cancelled scope reports cancelled");
  t.expect_eq(queue->size(), 1U, "and takes nothing");
}

ASSAY_SCENARIO(bounded_queue, "X-7", "") {
  auto queue = make({.capacity = 1});
  auto pop = co_await t.begin("pop", queue->pop());
  t.premise(pop.pending(), "the popper is parked");
  pop.request(asio::cancellation_type::partial);
  co_await t.settle();
  pop.request(asio::cancellation_type::terminal);
  co_await t.settle();
  t.expect(pop.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(pop);
  t.expect(pop.cancelled(), "one more request changes nothing");
}

ASSAY_SCENARIO(bounded_queue, "X-12", "", .features = {"posted_wakeups", "try"}, .sim_only = true) {
  auto queue = make({.capacity = 1});
  auto pop = co_await t.begin("pop", queue->pop());
  t.premise(pop.pending(), "a popper is parked");
  item one = t.item(1);
  t.expect(queue->try_push(one), "an empty queue takes an item");
  t.expect(pop.pending(), "no continuation runs inside the call that woke it");
  co_await t.settle();
  t.expect(pop.done(), "it runs in a later turn");
}

ASSAY_SCENARIO(bounded_queue, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  auto queue = make({.capacity = 1});
  auto pop = co_await t.begin("pop", queue->pop());
  t.premise(pop.pending(), "a popper is parked");
  queue.reset();
  t.fail("a queue with a parked popper was destroyed and nobody noticed");
}

ASSAY_SCENARIO(bounded_queue, "X-25", "", .features = {"timed"}) {
  for (const auto patience : {0ms, -5ms}) {
    auto queue = make({.capacity = 1});
    auto pop = co_await t.begin("pop for " + format_duration(patience), queue->pop_for(patience));
    t.expect(pop.timed_out(), "a deadline that has passed ends the wait at this instant");
    t.expect_eq(t.elapsed(), 0ns, "no time has passed");
  }
}

ASSAY_SCENARIO(bounded_queue, "X-23", "extreme durations", .features = {"timed"}) {
  int id = 0;
  for (const auto patience : assay::extreme_durations) {
    const std::string time = format_duration(patience);
    auto empty = make({.capacity = 1});
    auto full = make({.capacity = 1});
    co_await full->push(t.item(++id));
    auto pop = t.start("pop for " + time, empty->pop_for(patience));
    auto push = co_await t.begin("push for " + time, full->push_for(t.item(++id), patience));
    if (!assay::has_passed(patience)) {
      t.expect(pop.pending() && push.pending(), "a timer never fires before its deadline: " + time);
      co_await t.pass(assay::is_endless(patience) ? assay::long_time : assay::soon);
    }
    if (assay::is_endless(patience)) {
      t.expect(pop.pending() && push.pending(), "a wait without limit goes on: " + time);
      co_await empty->push(t.item(++id));
    } else {
      t.expect(pop.timed_out() && push.timed_out(), "it is due when its deadline is reached: " + time);
    }
    (void)co_await pop_what_is_there(t, *full);
    co_await cancel_all(t, pop, push);
  }
}

ASSAY_SCENARIO(bounded_queue, "X-28", "", .features = {"statistics"}) {
  auto queue = co_await full_queue(t, make, ids(1));
  auto push = co_await t.begin("push 2", queue->push(t.item(2)));
  t.premise(push.pending(), "a pusher is parked");
  const auto before = queue->statistics();
  const auto after = queue->statistics();
  t.expect(before.size == after.size && before.parked_pushers == after.parked_pushers &&
               before.size_peak == after.size_peak,
           "looking changes nothing");
  co_await expect_rest(t, *queue, ids(1, 2), "looking disturbs nobody");
  t.expect(push.done(), "the parked push went through");
}

ASSAY_SCENARIO(bounded_queue, "X-23", "", .features = {"timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto queue = make({.capacity = 1});
    auto pop = t.start("pop for " + format_duration(patience), queue->pop_for(patience));
    co_await t.advance(patience);
    t.expect(pop.pending(), "a timer never fires before its deadline");
    co_await t.settle();
    t.expect(pop.timed_out(), "it is due when its deadline is reached");
  }
}

namespace {

asio::awaitable<void> take_one(bounded_queue& queue) { co_await queue.pop(); }
asio::awaitable<void> take_one_within(bounded_queue& queue, nanoseconds patience) {
  co_await queue.pop_for(patience);
}

asio::awaitable<void> pop_and_go_on(bounded_queue& queue) {
  const item got = co_await queue.pop();
  co_await assay::sleep_for_ever();
}

}  // namespace

ASSAY_SCENARIO(bounded_queue, "X-31", "pop", .features = {"timed"}, .late = true) {
  int id = 0;
  for (const auto delay : {10ms, 11ms}) {
    const auto patience = 21ms - delay;
    auto queue = make({.capacity = 1});
    const auto take = [&queue](nanoseconds time) { return take_one_within(*queue, time); };
    const auto give = [&t, &queue, &id] { return queue->push(t.item(++id)); };
    co_await assay::serves_one_about_its_deadline(t, patience, delay, take, give);
    t.expect_eq(queue->size(), 0U, "nothing is left behind");
  }
}

ASSAY_SCENARIO(bounded_queue, "X-31", "push", .features = {"timed"}, .late = true) {
  int id = 0;
  for (const auto delay : {10ms, 11ms}) {
    const auto patience = 21ms - delay;
    auto queue = make({.capacity = 1});
    co_await queue->push(t.item(++id));
    const auto take = [&t, &queue, &id](nanoseconds time) { return queue->push_for(t.item(++id), time); };
    const auto give = [&queue] { return take_one(*queue); };
    co_await assay::serves_one_about_its_deadline(t, patience, delay, take, give);
    t.expect_eq(queue->size(), 1U, "one of the two has put its item");
    (void)co_await pop_what_is_there(t, *queue);
  }
}

ASSAY_SCENARIO(bounded_queue, "X-36", "", .features = {"sticky_request"}) {
  auto queue = make({.capacity = 1});
  auto caller = co_await t.begin("caller", pop_and_go_on(*queue));
  co_await queue->push(t.item(1));
  caller.cancel();
  co_await t.settle();
  t.expect(caller.cancelled(),
           "the request that a pop met with its item shows at its caller's next suspension");
  co_await cancel_all(t, caller);
}

ASSAY_SCENARIO(bounded_queue, "BQ-16", "the last one dropped", .features = {"join", "removal"},
               .why = "What is dropped may be all that was unfinished.") {
  auto queue = co_await full_queue(t, make, ids(1));
  auto join = co_await t.begin("join", queue->join());
  t.premise(join.pending(), "a joiner is parked");
  t.expect(queue->drop_oldest(), "the only item is dropped");
  co_await t.settle();
  t.expect(join.done(), "a drop that leaves nothing unfinished wakes who waits for that");
}

ASSAY_SCENARIO(bounded_queue, "BQ-4", "a drop beside a pusher", .features = {"removal"},
               .why = "The place of what is dropped is as free as any other.") {
  auto queue = co_await full_queue(t, make, ids(1));
  auto push = co_await t.begin("push 2", queue->push(t.item(2)));
  t.premise(push.pending(), "a pusher is parked");
  t.expect(queue->drop_oldest(), "the oldest item is dropped");
  co_await t.settle();
  t.expect(push.done(), "a pusher that is parked gets the place of what was dropped");
  const std::vector<int> rest = co_await pop_what_is_there(t, *queue);
  t.expect_eq(rest, std::vector<int>({2}), "and its item is in the queue");
}
