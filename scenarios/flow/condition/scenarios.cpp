#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/condition/contract.hpp>
#include <assay/scenarios/flow/mutex/stay.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::is_rejected;
using assay::stay;
using assay::stay_in;

ASSAY_CONTRACT(condition, "flow",
               "a place to wait, under a mutex, until somebody notifies or a predicate holds");

namespace {

assay::contract::condition::work staying(stay& where) {
  return [&where] { return stay_in(where); };
}

using waits = std::vector<assay::operation<void>>;

std::size_t done_of(const waits& all) {
  std::size_t done = 0;
  for (const auto& one : all) done += one.done() ? 1 : 0;
  return done;
}

}  // namespace

// ---- giving the mutex away

ASSAY_CLAUSE(
    condition, "CND-1", must,
    "A wait releases the mutex and parks in one step: a notification that comes after the release is "
    "not lost.",
    .why = "whether the change or the wait gets the mutex first, the wait must end") {
  for (const bool change_first : {true, false}) {
    stay inside;
    auto condition = make();
    auto holder = co_await t.begin("hold", condition->hold(staying(inside)));
    t.expect(inside.inside, "who finds the mutex free has it");
    std::optional<assay::operation<void>> change;
    if (change_first) change.emplace(t.start("change", condition->change(1, 1)));
    auto wait = t.start("wait until 1", condition->wait_until(1));
    if (!change_first) change.emplace(t.start("change", condition->change(1, 1)));
    co_await t.settle();
    t.expect(wait.pending() && change->pending(), "who finds the mutex locked waits for it");
    inside.leave();
    co_await t.settle();
    t.expect(change->done(), "a wait has released the mutex while it waits");
    t.expect(wait.done(), "no notification comes between a look at the predicate and the wait");
    co_await t.cancel(wait);
    co_await t.cancel(*change);
    (void)holder.what();
  }
}

ASSAY_SCENARIO(condition, "CND-1", "manual", .features = {"manual"}) {
  auto condition = make();
  auto lock = co_await t.begin("lock", condition->lock());
  auto notify = co_await t.begin("notify", condition->notify(1));
  t.premise(lock.done() && notify.pending(), "the mutex is held, and somebody wants it to notify");
  auto wait = co_await t.begin("wait", condition->wait_held());
  t.expect(notify.done(), "a wait releases the mutex");
  t.expect(wait.done(), "whoever gets the mutex from a wait notifies it");
  co_await t.cancel(notify);
  if (!wait.done()) co_await t.cancel(wait);
  condition->unlock();
}

// ---- getting it back

namespace {

// Lets everybody leave who is inside, one after the other.
asio::awaitable<void> empty(assay::trial& t, stay& one, stay& two) {
  for (int round = 0; round < 2; ++round) {
    t.expect(!one.inside || !two.inside, "who comes back from a wait holds the mutex, and nobody else does");
    if (one.inside) {
      one.leave();
    } else if (two.inside) {
      two.leave();
    }
    co_await t.settle();
  }
}

}  // namespace

ASSAY_CLAUSE(
    condition, "CND-2", must,
    "A wait that was notified, cancelled or timed out ends with the mutex held by the caller, and no "
    "request keeps it from getting it back.") {
  stay first, second, after;
  auto condition = make();
  auto wait = co_await t.begin("wait", condition->wait(staying(after)));
  auto one = co_await t.begin("hold 1", condition->hold(staying(first)));
  auto notify = t.start("notify", condition->notify(1));
  auto two = t.start("hold 2", condition->hold(staying(second)));
  co_await t.settle();
  t.premise(first.inside && wait.pending(), "a waiter is parked while another holds the mutex");
  first.leave();
  co_await t.settle();
  co_await empty(t, second, after);
  t.expect(after.was_inside && second.was_inside,
           "who was notified gets the mutex, and so does everybody else");
  co_await t.settle();
  t.expect(one.done() && two.done() && notify.done() && wait.done(), "all have ended");
  co_await t.cancel(wait);
}

ASSAY_SCENARIO(condition, "CND-2", "cancelled") {
  stay first, second, after;
  auto condition = make();
  auto wait = co_await t.begin("wait", condition->wait(staying(after)));
  auto one = co_await t.begin("hold 1", condition->hold(staying(first)));
  t.premise(first.inside && wait.pending(), "a waiter is parked while another holds the mutex");
  co_await t.cancel(wait);
  t.expect(wait.pending() && !after.was_inside,
           "a cancelled wait returns with the mutex, for which it waits");
  co_await t.cancel(wait);
  t.expect(wait.pending() && !after.was_inside, "one more request does not change that");
  auto two = co_await t.begin("hold 2", condition->hold(staying(second)));
  first.leave();
  co_await t.settle();
  co_await empty(t, second, after);
  t.expect(after.was_inside, "a cancelled wait gets the mutex back");
  t.expect(wait.cancelled(), "and ends as cancelled");
  t.expect(one.done() && two.done(), "nobody else is disturbed");
  co_await t.cancel(wait);
}

ASSAY_SCENARIO(condition, "CND-2", "timed out", .features = {"timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    stay first, second, after;
    auto condition = make();
    auto wait = co_await t.begin("wait", condition->wait_for(patience, staying(after)));
    auto one = co_await t.begin("hold 1", condition->hold(staying(first)));
    co_await t.pass(patience);
    t.expect(wait.pending() && !after.was_inside,
             "a wait that timed out returns with the mutex, for which it waits");
    auto two = co_await t.begin("hold 2", condition->hold(staying(second)));
    first.leave();
    co_await t.settle();
    co_await empty(t, second, after);
    t.expect(after.was_inside && wait.timed_out(), "a wait that timed out gets the mutex back, and says so");
    t.expect(one.done() && two.done(), "nobody else is disturbed");
    co_await t.cancel(wait);
  }
}

ASSAY_SCENARIO(condition, "CND-2", "manual", .features = {"manual"}) {
  for (const bool notified : {true, false}) {
    stay inside;
    auto condition = make();
    auto lock = co_await t.begin("lock 1", condition->lock());
    auto wait = co_await t.begin("wait", condition->wait_held());
    t.premise(lock.done() && wait.pending(), "a waiter is parked");
    auto again = co_await t.begin("lock 2", condition->lock());
    t.expect(again.done(), "a wait releases the mutex");
    condition->notify_now(notified ? 1 : 0);
    if (!notified) wait.cancel();
    co_await t.settle();
    t.expect(wait.pending(), "a wait returns when it has the mutex, and not before");
    auto hold = co_await t.begin("hold", condition->hold(staying(inside)));
    condition->unlock();
    co_await t.settle();
    if (inside.inside) {
      t.expect(wait.pending(), "a wait does not return beside who was faster");
      inside.leave();
      co_await t.settle();
    }
    t.expect(notified ? wait.done() : wait.cancelled(), "then it has ended");
    t.expect(!inside.inside, "and its caller holds the mutex");
    co_await t.cancel(wait);
    condition->unlock();
    inside.leave();
    co_await t.settle();
    t.expect(hold.done(), "until he unlocks it");
  }
}

ASSAY_SCENARIO(condition, "CND-2", "swept", .swept = true) {
  stay first, second, after;
  auto condition = make();
  auto victim = t.start("wait", condition->wait(staying(after)));
  t.victim(victim);
  co_await t.settle();
  auto one = co_await t.begin("hold 1", condition->hold(staying(first)));
  auto notify = t.start("notify", condition->notify(1));
  auto two = t.start("hold 2", condition->hold(staying(second)));
  co_await t.settle();
  first.leave();
  co_await t.settle();
  co_await empty(t, second, after);
  t.expect(one.done() && two.done() && notify.done() && victim.ended(),
           "the mutex is there for everybody, wherever a wait is cancelled");
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.sometimes("a cancelled wait had the mutex", victim.cancelled() && after.was_inside);
  co_await t.cancel(two);
}

ASSAY_SCENARIO(condition, "CND-2", "swept until", .swept = true) {
  stay inside;
  auto condition = make();
  auto victim = t.start("wait until 2", condition->wait_until(2));
  t.victim(victim);
  co_await t.settle();
  auto vain = co_await t.begin("change 1", condition->change(1, 1));
  auto change = co_await t.begin("change 2", condition->change(2, 1));
  t.expect(victim.ended() && vain.done() && change.done(), "a wait for a predicate ends when it holds");
  auto one = co_await t.begin("hold", condition->hold(staying(inside)));
  t.expect(inside.inside, "and the mutex is free when all have left it");
  inside.leave();
  co_await t.settle();
  (void)one.what();
}

// ---- notifying

ASSAY_CLAUSE(
    condition, "CND-3", must,
    "`notify(1)` wakes one of those who are parked, and where wake-ups are exact nobody else; if nobody is "
    "parked, it is not remembered.",
    .asks = {"exact_wakeups"}) {
  auto condition = make();
  auto in_vain = co_await t.begin("notify 1", condition->notify(1));
  t.expect(in_vain.done(), "who notifies does not wait for a waiter");
  waits all;
  for (int i = 0; i < 3; ++i) all.push_back(co_await t.begin("wait", condition->wait()));
  t.expect_eq(done_of(all), 0U, "a notification that nobody was there for is not remembered");
  for (std::size_t count = 1; count <= 3; ++count) {
    auto notify = co_await t.begin("notify", condition->notify(1));
    t.expect(notify.done() && done_of(all) >= count, "a notification wakes one who is parked");
    if (make.claims("exact_wakeups")) t.expect_eq(done_of(all), count, "a notification wakes nobody else");
  }
  auto late = co_await t.begin("wait", condition->wait());
  t.expect(late.pending(), "what was used up is not there for the next");
  co_await t.cancel(late);
  for (auto& one : all) co_await t.cancel(one);
}

ASSAY_SCENARIO(condition, "CND-3", "after a time-out", .features = {"timed"}) {
  auto condition = make();
  auto expired = co_await t.begin("wait_for", condition->wait_for(10ms));
  co_await t.pass(10ms);
  t.expect(expired.timed_out(), "a wait that nobody notifies times out");
  for (int i = 0; i < 2; ++i) {
    auto in_vain = co_await t.begin("notify", condition->notify(1));
    t.expect(in_vain.done(), "who notifies does not wait for a waiter");
  }
  auto late = co_await t.begin("wait", condition->wait());
  t.expect(late.pending(), "a notification when all have timed out is not remembered");
  co_await t.cancel(late);
}

ASSAY_CLAUSE(condition, "CND-4", must,
             "A waiter that is notified and cancelled before it has ended returns as notified, or another "
             "who waits is "
             "notified in the same instant: the notification is not lost.",
             .asks = {"exact_wakeups"}, .swept = true) {
  auto condition = make();
  auto victim = t.start("wait 1", condition->wait());
  t.victim(victim);
  co_await t.settle();
  auto second = co_await t.begin("wait 2", condition->wait());
  auto notify = co_await t.begin("notify", condition->notify(1));
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect(victim.done() || second.done(), "a notification that meets a cancelled wait reaches the next");
  if (make.claims("exact_wakeups")) t.expect(victim.done() != second.done(), "and reaches one, not two");
  auto another = co_await t.begin("notify the other", condition->notify(1));
  t.expect(second.ended() && notify.done() && another.done(), "the other is reached by the next");
  co_await t.cancel(second);
  co_await t.cancel(victim);
}

ASSAY_SCENARIO(condition, "CND-4", "while it waits for the mutex", .asks = {"exact_wakeups"}, .swept = true) {
  stay inside;
  auto condition = make();
  auto victim = t.start("wait 1", condition->wait());
  t.victim(victim);
  co_await t.settle();
  auto second = co_await t.begin("wait 2", condition->wait());
  auto notify = co_await t.begin("notify and stay", condition->notify(1, staying(inside)));
  t.premise(inside.inside, "who notifies holds the mutex still");
  inside.leave();
  co_await t.settle();
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect(victim.done() || second.done(),
           "a notification reaches the next if who was notified is cancelled before it has the mutex");
  if (make.claims("exact_wakeups")) t.expect(victim.done() != second.done(), "and reaches one of them");
  t.expect(notify.done(), "who notifies is not disturbed");
  co_await t.cancel(second);
  co_await t.cancel(victim);
}

ASSAY_SCENARIO(condition, "CND-4", "in one turn", .features = {"manual"}) {
  for (const bool cancel_first : {true, false}) {
    auto condition = make();
    auto first = co_await t.begin("wait 1", condition->wait());
    auto second = co_await t.begin("wait 2", condition->wait());
    auto lock = co_await t.begin("lock", condition->lock());
    t.premise(lock.done() && first.pending() && second.pending(), "two waiters are parked");
    if (cancel_first) first.cancel();
    condition->notify_now(1);
    if (!cancel_first) first.cancel();
    condition->unlock();
    co_await t.settle();
    t.expect(first.done() || second.done(), "one of two is notified, though one is cancelled");
    t.expect(first.ended(), "a cancelled wait ends");
    co_await t.cancel(second);
  }
}

ASSAY_CLAUSE(
    condition, "CND-5", must,
    "A wait for a predicate returns only when the predicate holds under the mutex, and at once if it does; "
    "notifications that come too early are invisible.") {
  auto condition = make();
  stay after;
  auto change = co_await t.begin("change to 2", condition->change(2, 0));
  auto at_once = co_await t.begin("wait until 2", condition->wait_until(2));
  t.expect(change.done() && at_once.done(), "who finds that the predicate holds does not wait");
  auto wait = co_await t.begin("wait until 5", condition->wait_until(5, staying(after)));
  for (const std::int64_t number : {2, 3, 4}) {
    auto vain = co_await t.begin("change", condition->change(number, 1));
    t.expect(vain.done() && wait.pending() && !after.was_inside,
             "who is notified while the predicate does not hold waits on");
  }
  auto enough = co_await t.begin("change to 5", condition->change(5, 1));
  t.expect(after.inside && condition->number() == 5, "who waits goes on when the predicate holds");
  after.leave();
  co_await t.settle();
  t.expect(wait.done() && enough.done(), "all have ended");
  co_await t.cancel(wait);
  co_await t.cancel(at_once);
}

ASSAY_SCENARIO(
    condition, "CND-5", "no more",
    .why = "the number is large enough when it is notified, and need not be when it has the mutex") {
  stay first, after;
  auto condition = make();
  auto wait = co_await t.begin("wait until 1", condition->wait_until(1, staying(after)));
  auto holder = co_await t.begin("hold", condition->hold(staying(first)));
  auto up = t.start("change to 1", condition->change(1, 1));
  co_await t.settle();
  auto down = t.start("change to 0", condition->change(0, 0));
  co_await t.settle();
  t.premise(first.inside && up.pending() && down.pending(), "both stand in line for the mutex");
  first.leave();
  co_await t.settle();
  t.sometimes("the number was too small again", !after.was_inside);
  if (after.inside) {
    t.expect(condition->number() >= 1, "the predicate holds when the wait returns");
    after.leave();
    co_await t.settle();
  } else {
    auto again = co_await t.begin("change to 2", condition->change(2, 1));
    t.expect(after.inside && again.done(), "who waits on is there for the next notification");
    after.leave();
    co_await t.settle();
  }
  t.expect(up.done() && down.done() && wait.done() && holder.done(), "all have ended");
  co_await t.cancel(wait);
}

ASSAY_CLAUSE(condition, "CND-6", must,
             "`notify_all` wakes all who are parked when it is called, and nobody who parks later.") {
  auto condition = make();
  waits all;
  for (int i = 0; i < 4; ++i) all.push_back(co_await t.begin("wait", condition->wait()));
  t.premise(done_of(all) == 0, "four waiters are parked");
  auto notify = co_await t.begin("notify all", condition->notify_all());
  t.expect(notify.done(), "who notifies does not wait for who is notified");
  t.expect_eq(done_of(all), 4U, "everybody who is parked is notified");
  auto late = co_await t.begin("wait", condition->wait());
  t.expect(late.pending(), "and nobody who parks later");
  auto again = co_await t.begin("notify all again", condition->notify_all());
  t.expect(late.done() && again.done(), "who parked later is notified by the next");
  co_await t.cancel(late);
  for (auto& one : all) co_await t.cancel(one);
}

ASSAY_SCENARIO(condition, "CND-6", "in one turn", .features = {"manual"}) {
  auto condition = make();
  auto early = co_await t.begin("wait", condition->wait());
  auto lock = co_await t.begin("lock", condition->lock());
  t.premise(lock.done() && early.pending(), "a waiter is parked, and the mutex is held");
  auto late = t.start("wait later", condition->wait());
  condition->notify_all_now();
  condition->unlock();
  co_await t.settle();
  t.expect(early.done(), "all who are parked are notified");
  t.expect(late.pending(), "who waits for the mutex when all are notified, and parks then, is not");
  co_await t.cancel(late);
  co_await t.cancel(early);
}

ASSAY_CLAUSE(
    condition, "CND-7", must,
    "To wait without holding the mutex is rejected, and changes nothing, also if somebody else holds it.",
    .features = {"checked_lock"}) {
  stay first, second;
  auto condition = make();
  auto bare = co_await t.begin("wait without the mutex", condition->wait_without());
  t.expect(bare.rejected(), "a wait by somebody who does not hold the mutex is rejected");
  auto one = co_await t.begin("hold 1", condition->hold(staying(first)));
  auto two = co_await t.begin("hold 2", condition->hold(staying(second)));
  auto beside = co_await t.begin("wait while another holds it", condition->wait_without());
  t.expect(beside.rejected(), "also while somebody else holds the mutex");
  t.expect(first.inside && !second.inside, "who holds it holds it still");
  first.leave();
  co_await t.settle();
  second.leave();
  co_await t.settle();
  t.expect(one.done() && two.done(), "all have ended");
  auto wait = co_await t.begin("wait", condition->wait());
  auto notify = co_await t.begin("notify", condition->notify(1));
  t.expect(wait.done() && notify.done(), "a wait that was rejected leaves no entry");
  co_await t.cancel(wait);
  co_await t.cancel(bare);
  co_await t.cancel(beside);
}

ASSAY_SCENARIO(condition, "CND-7", "notify", .features = {"notify_needs_lock"}) {
  auto condition = make();
  auto wait = co_await t.begin("wait", condition->wait());
  t.expect(is_rejected([&] { condition->notify_now(1); }),
           "to notify is rejected while nobody holds the mutex");
  t.expect(is_rejected([&] { condition->notify_all_now(); }), "and so is to notify all");
  co_await t.settle();
  t.expect(wait.pending(), "a rejected notification wakes nobody");
  co_await t.cancel(wait);
}

ASSAY_SCENARIO(condition, "CND-7", "plain", .features = {"plain_notify"}) {
  auto condition = make();
  auto one = co_await t.begin("wait 1", condition->wait());
  condition->notify_now(1);
  co_await t.settle();
  t.expect(one.done(), "where the mutex is not needed, a notification without it wakes who is parked");
  auto two = co_await t.begin("wait 2", condition->wait());
  t.expect(two.pending(), "and is not remembered");
  condition->notify_all_now();
  co_await t.settle();
  t.expect(two.done(), "nor is it needed to notify all");
  co_await t.cancel(one);
  co_await t.cancel(two);
}

ASSAY_CLAUSE(condition, "CND-8", must,
             "`notify(k)` wakes the first k of those who are parked, or all if they are fewer; two calls add "
             "up, and what "
             "is left over is lost.",
             .features = {"exact_wakeups"}) {
  auto condition = make();
  waits all;
  for (int i = 0; i < 5; ++i) all.push_back(co_await t.begin("wait", condition->wait()));
  auto none = co_await t.begin("notify 0", condition->notify(0));
  t.expect_eq(done_of(all), 0U, "to notify 0 wakes nobody");
  auto two = co_await t.begin("notify 2", condition->notify(2));
  t.expect_eq(done_of(all), 2U, "to notify 2 wakes 2");
  auto five = co_await t.begin("notify 5", condition->notify(5));
  t.expect_eq(done_of(all), 5U, "to notify more than there are wakes all");
  auto late = co_await t.begin("wait", condition->wait());
  t.expect(late.pending() && none.done() && two.done() && five.done(), "what is left over is lost");
  co_await t.cancel(late);
  for (auto& one : all) co_await t.cancel(one);
}

ASSAY_SCENARIO(condition, "CND-8", "at least") {
  auto condition = make();
  waits all;
  for (int i = 0; i < 5; ++i) all.push_back(co_await t.begin("wait", condition->wait()));
  auto first = t.start("notify 2", condition->notify(2));
  auto second = t.start("notify 1", condition->notify(1));
  co_await t.settle();
  t.expect(done_of(all) >= 3, "two calls add up");
  auto rest = co_await t.begin("notify 2", condition->notify(2));
  t.expect_eq(done_of(all), 5U, "and everybody is reached in the end");
  t.expect(first.done() && second.done() && rest.done(), "all have ended");
  for (auto& one : all) co_await t.cancel(one);
}

ASSAY_SCENARIO(condition, "CND-8", "in one turn", .features = {"manual", "exact_wakeups"}) {
  auto condition = make();
  waits all;
  for (int i = 0; i < 4; ++i) all.push_back(co_await t.begin("wait", condition->wait()));
  auto lock = co_await t.begin("lock", condition->lock());
  t.premise(lock.done() && done_of(all) == 0, "four waiters are parked, and the mutex is held");
  condition->notify_now(1);
  condition->notify_now(2);
  condition->unlock();
  co_await t.settle();
  t.expect_eq(done_of(all), 3U, "two calls in one turn add up");
  for (auto& one : all) co_await t.cancel(one);
}

ASSAY_CLAUSE(condition, "CND-9", must, "A wait for a predicate returns the predicate's own value.",
             .features = {"predicate_value"}) {
  auto condition = make();
  auto wait = co_await t.begin("wait until 3", condition->wait_until(3));
  auto change = co_await t.begin("change to 7", condition->change(7, 1));
  t.premise(change.done() && wait.done(), "the predicate holds");
  t.expect_eq(wait.value(), 7, "a wait for a predicate returns what the predicate said");
  auto at_once = co_await t.begin("wait until 5", condition->wait_until(5));
  t.premise(at_once.done(), "the predicate holds still");
  t.expect_eq(at_once.value(), 7, "also if it does not wait");
}

ASSAY_CLAUSE(condition, "CND-10", must,
             "Where a limit says so, a wait that does not get the mutex back in time ends as broken, without "
             "the mutex, "
             "and a notification that it had goes to the next.",
             .features = {"bounded_reacquire"}) {
  for (const auto limit : {10ms, 25ms}) {
    stay inside, after, next;
    auto condition = make({.reacquire_within = limit});
    auto wait = co_await t.begin("wait", condition->wait(staying(after)));
    auto one = co_await t.begin("hold 1", condition->hold(staying(inside)));
    wait.cancel();
    co_await t.advance(limit);
    t.expect(wait.pending(), "a wait tries to get the mutex back until its limit");
    co_await t.settle();
    t.expect(wait.what().kind == assay::outcome_kind::broken, "and then ends as broken");
    auto two = co_await t.begin("hold 2", condition->hold(staying(next)));
    t.expect(inside.inside && !next.inside && !after.was_inside, "who holds the mutex holds it still");
    inside.leave();
    co_await t.settle();
    t.expect(next.inside, "and the next gets it");
    next.leave();
    co_await t.settle();
    t.expect(one.done() && two.done(), "all have ended");
    auto parked = co_await t.begin("wait", condition->wait());
    co_await t.pass(2 * limit);
    t.expect(parked.pending(), "the limit is not one for the notification");
    co_await t.cancel(parked);
    t.expect(parked.cancelled(), "and who gets the mutex in time ends as he would without");
    co_await t.cancel(wait);
  }
}

ASSAY_SCENARIO(condition, "CND-10", "notified", .features = {"bounded_reacquire", "manual"}) {
  auto condition = make({.reacquire_within = 10ms});
  auto first = co_await t.begin("wait 1", condition->wait());
  auto second = co_await t.begin("wait 2", condition->wait());
  auto lock = co_await t.begin("lock", condition->lock());
  t.premise(lock.done() && first.pending() && second.pending(),
            "two waiters are parked, and the mutex is held");
  condition->notify_now(1);
  co_await t.pass(10ms);
  t.premise(first.ended() != second.ended(), "one of them did not get the mutex in time");
  condition->unlock();
  co_await t.settle();
  t.expect(first.done() || second.done(), "the notification goes to the next who waits");
  co_await t.cancel(first);
  co_await t.cancel(second);
  (void)first.what();
  (void)second.what();
}

// ---- cross-cutting

ASSAY_SCENARIO(condition, "X-2", "", .asks = {"statistics"}, .swept = true) {
  auto condition = make();
  auto other = co_await t.begin("wait 1", condition->wait());
  auto victim = t.start("wait 2", condition->wait());
  t.victim(victim);
  co_await t.settle();
  co_await t.cancel(victim);
  t.expect(victim.ended() && other.pending(), "cancelling a wait ends it, and affects no other");
  if (make.claims("statistics")) t.expect_eq(condition->waiting(), 1U, "a cancelled wait leaves no entry");
  auto next = co_await t.begin("wait 3", condition->wait());
  auto notify = co_await t.begin("notify", condition->notify(2));
  t.expect(other.done() && next.done() && notify.done(),
           "no notification is for a wait that was cancelled before");
  co_await t.cancel(other);
  co_await t.cancel(next);
}

ASSAY_SCENARIO(condition, "X-3", "deadline", .features = {"timed"}) {
  auto condition = make();
  auto met = co_await t.begin("wait for 10ms", condition->wait_for(10ms));
  auto other = co_await t.begin("wait", condition->wait());
  co_await t.advance(10ms);
  t.premise(met.pending() && other.pending(), "a waiter is parked when its deadline comes");
  auto notify = co_await t.begin("notify", condition->notify(1));
  t.expect(met.done() || met.timed_out(),
           "a wait whose deadline meets a notification was notified, or timed out");
  t.expect(met.done() || other.done(), "if it timed out, the notification is another's");
  co_await t.cancel(other);
  (void)notify.what();
}

ASSAY_SCENARIO(condition, "X-4", "", .features = {"timed"}, .swept = true) {
  auto condition = make();
  auto victim = t.start("wait for 10ms", condition->wait_for(10ms));
  t.victim(victim);
  co_await t.settle();
  auto second = co_await t.begin("wait 2", condition->wait());
  co_await t.advance(10ms);
  auto notify = co_await t.begin("notify", condition->notify(1));
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect(victim.done() || second.done(),
           "a notification that meets a deadline, a request, or both, reaches somebody");
  co_await t.cancel(second);
  (void)notify.what();
}

ASSAY_SCENARIO(condition, "X-6", "", .features = {"strict_entry", "manual"}, .sim_only = true) {
  stay inside;
  auto condition = make();
  auto lock = co_await t.begin("lock", condition->lock());
  auto wait = co_await t.begin("wait in a cancelled scope", assay::when_cancelled(condition->wait_held()));
  auto hold = co_await t.begin("hold", condition->hold(staying(inside)));
  t.premise(lock.done() && hold.pending(), "the mutex is held");
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a call that enters a cancelled scope reports cancelled");
  t.expect(!inside.was_inside, "and does not give the mutex away");
  condition->unlock();
  inside.leave();
  co_await t.settle();
  co_await t.cancel(hold);
}

ASSAY_SCENARIO(condition, "X-7", "") {
  auto condition = make();
  auto wait = co_await t.begin("wait", condition->wait());
  t.premise(wait.pending(), "the waiter is parked");
  wait.request(asio::cancellation_type::partial);
  co_await t.settle();
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "one more request changes nothing");
}

ASSAY_SCENARIO(condition, "X-12", "", .features = {"plain_notify", "posted_wakeups"}, .sim_only = true) {
  auto condition = make();
  auto first = co_await t.begin("wait 1", condition->wait());
  auto second = co_await t.begin("wait 2", condition->wait());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  condition->notify_now(1);
  t.expect(first.pending() && second.pending(), "no continuation runs inside the call that notified it");
  condition->notify_all_now();
  t.expect(first.pending() && second.pending(), "nor if all are notified");
  co_await t.settle();
  t.expect(first.done() && second.done(), "but later in the same instant");
  co_await t.cancel(first);
  co_await t.cancel(second);
}

ASSAY_SCENARIO(condition, "X-12", "unlock", .features = {"manual", "posted_wakeups"}, .sim_only = true) {
  auto condition = make();
  auto first = co_await t.begin("lock 1", condition->lock());
  auto second = co_await t.begin("lock 2", condition->lock());
  t.premise(first.done() && second.pending(), "somebody waits for the mutex");
  condition->unlock();
  t.expect(second.pending(), "nor does one inside the unlock that gave it the mutex");
  co_await t.settle();
  t.expect(second.done(), "it has it later in the same instant");
  condition->unlock();
}

ASSAY_SCENARIO(condition, "X-13", "", .features = {"fair"}) {
  auto condition = make();
  auto first = co_await t.begin("wait 1", condition->wait());
  auto gone = co_await t.begin("wait 2", condition->wait());
  auto second = co_await t.begin("wait 3", condition->wait());
  auto third = co_await t.begin("wait 4", condition->wait());
  co_await t.cancel(gone);
  auto one = co_await t.begin("notify 1", condition->notify(1));
  t.expect(first.done() && third.pending(), "who has waited longest is notified first");
  auto two = co_await t.begin("notify 1", condition->notify(1));
  t.expect(second.done() && one.done() && two.done(), "and then the next");
  co_await t.cancel(third);
}

ASSAY_SCENARIO(condition, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  auto condition = make();
  auto wait = co_await t.begin("wait", condition->wait());
  t.premise(wait.pending(), "a waiter is parked");
  condition.reset();
  t.fail("a condition with a parked waiter was destroyed and nobody noticed");
}

namespace {

asio::awaitable<void> wait_for(assay::contract::condition& condition, std::chrono::nanoseconds patience) {
  return condition.wait_for(patience);
}

}  // namespace

ASSAY_SCENARIO(condition, "X-23", "", .features = {"timed"}) {
  co_await assay::fires_at_its_deadline(t, make, &wait_for);
}

ASSAY_SCENARIO(condition, "X-23", "extreme durations", .features = {"timed"}) {
  co_await assay::keeps_extreme_durations(t, make, &wait_for);
}

ASSAY_SCENARIO(condition, "X-25", "", .features = {"timed"}) {
  co_await assay::ends_at_once_if_it_has_passed(t, make, &wait_for);
}

ASSAY_SCENARIO(condition, "X-25", "manual", .features = {"timed", "manual"},
               .why = "a wait that ends at once has given the mutex away all the same") {
  stay inside;
  auto condition = make();
  auto lock = co_await t.begin("lock", condition->lock());
  auto hold = co_await t.begin("hold", condition->hold(staying(inside)));
  t.premise(lock.done() && !inside.inside, "the mutex is held, and somebody waits for it");
  auto wait = co_await t.begin("wait for 0ms", condition->wait_held_for(0ms));
  if (inside.inside) {
    t.expect(wait.pending(), "a wait whose deadline has passed returns with the mutex");
    inside.leave();
    co_await t.settle();
  }
  t.expect(wait.timed_out(), "and says that it timed out");
  condition->unlock();
  inside.leave();
  co_await t.settle();
  t.expect(hold.done(), "all have ended");
}

ASSAY_SCENARIO(condition, "X-28", "", .features = {"statistics"}, .asks = {"status"}) {
  auto condition = make();
  auto first = co_await t.begin("wait 1", condition->wait());
  auto second = co_await t.begin("wait 2", condition->wait());
  const auto before = condition->waiting();
  const auto after = condition->waiting();
  t.expect(before == 2 && after == 2, "looking changes nothing, and counts who is parked");
  if (make.claims("status")) t.expect(!condition->is_locked(), "nobody holds the mutex while all are parked");
  auto notify = co_await t.begin("notify", condition->notify_all());
  t.expect(first.done() && second.done() && notify.done() && condition->waiting() == 0,
           "who was notified counts no more");
}

ASSAY_SCENARIO(condition, "X-28", "status", .features = {"status"}) {
  stay inside;
  auto condition = make();
  t.expect(!condition->is_locked(), "a new mutex is not locked");
  auto hold = co_await t.begin("hold", condition->hold(staying(inside)));
  t.expect(condition->is_locked(), "it is locked while somebody holds it");
  inside.leave();
  co_await t.settle();
  t.expect(hold.done() && !condition->is_locked(), "and then no more");
}

ASSAY_SCENARIO(condition, "X-31", "", .features = {"timed"}, .late = true) {
  for (const auto delay : {10ms, 11ms}) {
    auto condition = make();
    auto take = [&](std::chrono::nanoseconds patience) { return condition->wait_for(patience); };
    auto wait = t.start("wait", take(21ms - delay));
    auto other = t.start("wait without a deadline", condition->wait());
    auto give = [&] { return condition->notify(1); };
    auto giving = t.start("notify later", assay::give_after(delay, give));
    co_await t.advance(1s);
    t.expect(wait.done() || wait.timed_out(),
             "a wait ends as notified or as timed out, however late the loop is");
    t.expect(wait.done() || other.done(),
             "a notification about the deadline comes to the wait or to another, not to nobody");
    co_await t.cancel(other);
    t.expect(giving.done(), "who notifies is not disturbed");
  }
}
