#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>
#include <assay/scenarios/flow/mutex/stay.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::is_rejected;
using assay::stay;
using assay::stay_in;

ASSAY_CONTRACT(mutex, "flow", "a lock across suspensions, with a holder and waiters");

namespace {

assay::contract::mutex::work staying(stay& where) {
  return [&where] { return stay_in(where); };
}

}  // namespace

// ---- one at a time

ASSAY_CLAUSE(
    mutex, "MTX-1", must,
    "At most one holds the mutex at a time, and as soon as it is unlocked one of those who wait has it.") {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.expect(first.inside, "who finds the mutex free has it");
  t.expect(!second.inside && !third.inside, "who finds it locked waits");
  first.leave();
  co_await t.settle();
  t.expect(one.done() && second.inside != third.inside, "when it is unlocked, one of those who wait has it");
  (second.inside ? second : third).leave();
  co_await t.settle();
  t.expect(two.done() != three.done() && second.inside != third.inside, "and then the next");
  (second.inside ? second : third).leave();
  co_await t.settle();
  t.expect(two.done() && three.done(), "until all have had it");
}

namespace {

asio::awaitable<void> increment(int& count) {
  const int seen = count;
  co_await assay::sleep_for(1ms);
  count = seen + 1;
}

}  // namespace

ASSAY_SCENARIO(mutex, "MTX-1", "many", .why = "each reads, suspends, and writes what it has read, plus one") {
  int count = 0;
  auto mutex = make();
  std::vector<assay::operation<void>> all;
  for (int i = 0; i < 100; ++i)
    all.push_back(t.start("increment", mutex->run([&count] { return increment(count); })));
  co_await t.pass(100ms);
  for (const auto& one : all) t.expect(one.done(), "a hundred who hold it for 1ms are done after 100ms");
  t.expect_eq(count, 100, "no update is lost");
}

ASSAY_SCENARIO(mutex, "MTX-1", "manual", .features = {"manual"}, .asks = {"try"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock 1", mutex->lock());
  auto second = co_await t.begin("lock 2", mutex->lock());
  t.expect(first.done() && second.pending(), "who finds the mutex locked waits");
  if (make.claims("try")) t.expect(!mutex->try_lock(), "who tries does not get a mutex that is locked");
  mutex->unlock();
  co_await t.settle();
  t.expect(second.done(), "when it is unlocked, who waits has it");
  mutex->unlock();
  co_await t.settle();
  if (make.claims("try")) {
    t.expect(mutex->try_lock(), "who tries gets a mutex that is free");
    mutex->unlock();
  }
  auto third = co_await t.begin("lock 3", mutex->lock());
  t.expect(third.done(), "who finds it free has it");
}

// ---- waits that end otherwise

ASSAY_CLAUSE(
    mutex, "MTX-2", must,
    "A wait that is cancelled or times out before the mutex is given to it leaves no trace; one that is "
    "cancelled afterwards has the mutex, or passes it on.",
    .asks = {"statistics"}) {
  stay first, second, third, fourth;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  auto four = co_await t.begin("hold 4", mutex->run(staying(fourth)));
  t.premise(first.inside && two.pending() && three.pending(), "two waiters are parked");
  co_await t.cancel(two);
  co_await t.cancel(four);
  t.expect(two.cancelled() && three.pending(), "cancelling one wait affects no other");
  if (make.claims("statistics")) t.expect_eq(mutex->waiting(), 1U, "a cancelled wait leaves no entry");
  first.leave();
  co_await t.settle();
  t.expect(third.inside, "the mutex goes past cancelled waits to who waits still");
  third.leave();
  co_await t.settle();
  stay last;
  auto five = co_await t.begin("hold 5", mutex->run(staying(last)));
  t.expect(last.inside, "a cancelled wait has locked nothing");
  last.leave();
  co_await t.settle();
}

ASSAY_SCENARIO(mutex, "MTX-2", "swept", .swept = true) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto victim = t.start("hold 2", mutex->run(staying(second)));
  t.victim(victim);
  co_await t.settle();
  first.leave();
  co_await t.settle();
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect_eq(third.inside, victim.cancelled(), "what a cancelled waiter did not use is there for the next");
  second.leave();
  third.leave();
  co_await t.settle();
  t.expect(three.done(), "and everybody gets it in the end");
}

ASSAY_SCENARIO(mutex, "MTX-2", "timed out", .features = {"timed"}, .asks = {"statistics"}) {
  for (const auto patience : {10ms, 25ms}) {
    stay first, second;
    auto mutex = make();
    auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
    auto expired = co_await t.begin("hold 2", mutex->run_for(patience, staying(second)));
    co_await t.pass(patience);
    t.expect(expired.timed_out(), "a wait that nobody serves times out");
    if (make.claims("statistics")) t.expect_eq(mutex->waiting(), 0U, "a wait that timed out leaves no entry");
    first.leave();
    auto next = co_await t.begin("hold 3", mutex->run_for(patience, staying(second)));
    t.expect(second.inside, "a wait that timed out has locked nothing");
    co_await t.pass(patience);
    t.expect(second.inside, "patience is for the wait, and not for what is done then");
    second.leave();
    co_await t.settle();
    (void)next.what();
  }
}

// ---- unlocking

ASSAY_CLAUSE(
    mutex, "MTX-3", must,
    "To unlock a mutex that nobody holds, or that somebody else holds, is detected and changes nothing.",
    .features = {"manual", "checked_unlock"}) {
  auto mutex = make();
  t.expect(is_rejected([&] { mutex->unlock(); }), "to unlock what nobody has locked is rejected");
  auto first = co_await t.begin("lock 1", mutex->lock());
  mutex->unlock();
  t.expect(is_rejected([&] { mutex->unlock(); }), "to unlock twice is rejected");
  auto second = co_await t.begin("lock 2", mutex->lock());
  auto third = co_await t.begin("lock 3", mutex->lock());
  t.expect(first.done() && second.done() && third.pending(), "a rejected unlock changes nothing");
  co_await t.cancel(third);
}

ASSAY_SCENARIO(mutex, "MTX-3", "in silence", .features = {"manual", "idempotent_unlock"}) {
  auto mutex = make();
  mutex->unlock();
  mutex->unlock();
  auto first = co_await t.begin("lock 1", mutex->lock());
  auto second = co_await t.begin("lock 2", mutex->lock());
  t.expect(first.done() && second.pending(), "to unlock what nobody holds changes nothing");
  co_await t.cancel(second);
}

ASSAY_SCENARIO(mutex, "MTX-3", "owner", .features = {"owner_checked"}, .asks = {"manual", "checked_unlock"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock for 1", mutex->lock_as(1));
  auto second = co_await t.begin("lock for 2", mutex->lock_as(2));
  t.premise(first.done() && second.pending(), "one owner holds the mutex, another waits");
  t.expect(is_rejected([&] { mutex->unlock_as(2); }), "who does not hold it cannot unlock it");
  if (make.claims("manual") && make.claims("checked_unlock"))
    t.expect(is_rejected([&] { mutex->unlock(); }), "nor can somebody without a name");
  co_await t.settle();
  t.expect(second.pending(), "and the holder holds it still");
  mutex->unlock_as(1);
  t.expect(is_rejected([&] { mutex->unlock_as(1); }), "nor can he who has unlocked it already");
  co_await t.settle();
  t.expect(second.done(), "who waits has it when the holder unlocks");
  mutex->unlock_as(2);
}

ASSAY_CLAUSE(
    mutex, "MTX-4", must,
    "Who holds the mutex for some work, or by a guard, unlocks it once, on every way out: also if the work "
    "fails or is cancelled while it waits for something else; a guard that was moved from does nothing.") {
  stay next;
  auto mutex = make();
  auto failing = co_await t.begin(
      "work that fails", mutex->run([&t]() -> asio::awaitable<void> { return assay::fail_after(t, 5ms); }));
  co_await t.pass(5ms);
  t.expect(failing.failed(), "the failure of the work is the caller's");
  auto after = co_await t.begin("hold 1", mutex->run(staying(next)));
  t.expect(next.inside, "work that fails unlocks");
  next.leave();
  co_await t.settle();
  (void)after.what();
}

ASSAY_SCENARIO(mutex, "MTX-4", "swept", .swept = true) {
  stay next, beyond;
  auto mutex = make();
  auto victim = t.start("work 1", mutex->run([] { return assay::sleep_for(5ms); }));
  t.victim(victim);
  co_await t.pass(5ms);
  t.sometimes("the work was cancelled", victim.cancelled());
  auto one = co_await t.begin("hold 1", mutex->run(staying(next)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(beyond)));
  t.expect(next.inside, "work that is cancelled unlocks");
  t.expect(!beyond.inside, "and unlocks once");
  next.leave();
  beyond.leave();
  co_await t.settle();
  t.expect(victim.ended() && one.done() && two.done(), "all have ended");
}

ASSAY_SCENARIO(mutex, "MTX-4", "guard", .features = {"guard_objects"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock 1", mutex->lock_guarded());
  auto second = co_await t.begin("lock 2", mutex->lock_guarded());
  auto third = co_await t.begin("lock 3", mutex->lock_guarded());
  auto old = std::move(first.value());
  auto guard = old->move();
  old->unlock();
  old.reset();
  co_await t.settle();
  t.expect(second.pending(), "a guard that was moved from does nothing");
  guard->unlock();
  co_await t.settle();
  t.expect(second.done() && third.pending(), "a guard unlocks");
  guard.reset();
  co_await t.settle();
  t.expect(third.pending(), "and unlocks once");
  second.value().reset();
  co_await t.settle();
  t.expect(third.done(), "a guard that is destroyed unlocks");
  third.value().reset();
}

ASSAY_CLAUSE(
    mutex, "MTX-5", must,
    "A mutex is not re-entrant: where the holder is known, he who asks for it again is rejected at once, "
    "and does not wait for himself.",
    .features = {"owner_checked"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock for 1", mutex->lock_as(1));
  auto again = co_await t.begin("lock for 1 again", mutex->lock_as(1));
  t.premise(first.done(), "an owner holds the mutex");
  t.expect(again.rejected(), "who holds the mutex is rejected if he asks for it again");
  co_await t.cancel(again);
  auto other = co_await t.begin("lock for 2", mutex->lock_as(2));
  t.expect(other.pending(), "and he holds it still");
  t.expect(!is_rejected([&] { mutex->unlock_as(1); }), "and can unlock it");
  co_await t.settle();
  t.expect(other.done(), "for the next");
  mutex->unlock_as(2);
}

ASSAY_CLAUSE(mutex, "MTX-6", must, "`try_lock` fails if somebody waits for the mutex.",
             .features = {"manual", "try", "fair"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock 1", mutex->lock());
  auto second = co_await t.begin("lock 2", mutex->lock());
  t.premise(first.done() && second.pending(), "somebody waits");
  mutex->unlock();
  t.expect(!mutex->try_lock(), "who tries in the turn of the unlock does not overtake who waits");
  co_await t.settle();
  t.expect(second.done(), "who waits has it");
  mutex->unlock();
}

ASSAY_UNCHECKED_CLAUSE(
    mutex, "MTX-7", should,
    "A mutex is not held across calls into foreign code (sinks, handlers); who does so says it.",
    "It is about those who use a mutex, and no mutex can see it.");

// ---- owners

ASSAY_CLAUSE(
    mutex, "MTX-8", must,
    "When an owner ends without unlocking, whoever waits and whoever comes later ends as broken: nobody gets "
    "the lock, and nobody hangs.",
    .features = {"owner_checked", "owner_death"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock for 1", mutex->lock_as(1));
  auto second = co_await t.begin("lock for 2", mutex->lock_as(2));
  t.premise(first.done() && second.pending(), "one owner holds the mutex, another waits");
  mutex->end_owner(3);
  co_await t.settle();
  t.expect(second.pending(), "the end of an owner who does not hold it changes nothing");
  mutex->end_owner(1);
  co_await t.settle();
  t.expect(second.what().kind == assay::outcome_kind::broken, "who waits for a dead owner ends as broken");
  co_await t.cancel(second);
  auto later = co_await t.begin("lock for 4", mutex->lock_as(4));
  t.expect(later.what().kind == assay::outcome_kind::broken, "and so does who comes later");
  co_await t.cancel(later);
}

ASSAY_SCENARIO(mutex, "MTX-8", "one who has unlocked", .features = {"owner_checked", "owner_death"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock for 1", mutex->lock_as(1));
  t.premise(first.done(), "an owner holds the mutex");
  mutex->unlock_as(1);
  mutex->end_owner(1);
  auto second = co_await t.begin("lock for 2", mutex->lock_as(2));
  t.expect(second.done(), "the end of an owner who has unlocked breaks nothing");
  auto third = co_await t.begin("lock for 3", mutex->lock_as(3));
  t.premise(third.pending(), "another one waits");
  mutex->unlock_as(2);
  mutex->end_owner(2);
  co_await t.settle();
  t.expect(third.done(), "nor does that of one who has handed it on");
  mutex->unlock_as(3);
}

ASSAY_CLAUSE(
    mutex, "MTX-9", must,
    "Rejecting all who wait rejects each once, leaves the holder his lock, and is nothing that later calls "
    "see.",
    .features = {"cancel_all"}) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  auto three = co_await t.begin("hold 3", mutex->run(staying(second)));
  t.premise(first.inside && two.pending() && three.pending(), "two waiters are parked");
  mutex->cancel_all();
  co_await t.settle();
  t.expect(two.rejected() && three.rejected(), "everybody who waits is rejected");
  auto four = co_await t.begin("hold 4", mutex->run(staying(third)));
  t.expect(first.inside && !third.inside, "who holds the mutex holds it still");
  first.leave();
  co_await t.settle();
  t.expect(third.inside, "who comes later is served");
  third.leave();
  co_await t.settle();
  t.expect(one.done() && four.done(), "all have ended");
  co_await t.cancel(two);
  co_await t.cancel(three);
}

ASSAY_SCENARIO(mutex, "MTX-9", "beside a hand-over", .features = {"cancel_all", "manual"}) {
  auto mutex = make();
  auto first = co_await t.begin("lock 1", mutex->lock());
  auto served = co_await t.begin("lock 2", mutex->lock());
  t.premise(first.done() && served.pending(), "a waiter is parked");
  mutex->unlock();
  mutex->cancel_all();
  co_await t.settle();
  t.expect(served.done() || served.rejected(), "who is served and rejected in one turn ends as one of both");
  auto next = co_await t.begin("lock 3", mutex->lock());
  t.expect_eq(next.done(), served.rejected(), "the mutex is had by who was served, or is free");
  co_await t.cancel(next);
}

ASSAY_CLAUSE(
    mutex, "MTX-10", must,
    "`wait_unlocked` returns only when nobody holds the mutex and nobody is about to, and takes nothing.",
    .features = {"wait_unlocked"}) {
  stay first, second, third;
  auto mutex = make();
  auto at_once = co_await t.begin("wait until unlocked 1", mutex->wait_unlocked());
  t.expect(at_once.done(), "who waits for a mutex that is free goes on");
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  auto watch = co_await t.begin("wait until unlocked 2", mutex->wait_unlocked());
  t.expect(watch.pending(), "who waits for a mutex that is locked waits");
  first.leave();
  co_await t.settle();
  t.expect(second.inside && watch.pending(), "also while it is handed over");
  second.leave();
  co_await t.settle();
  t.expect(watch.done(), "he goes on when nobody holds it");
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.expect(third.inside, "and has taken nothing");
  third.leave();
  co_await t.settle();
  t.expect(one.done() && two.done() && three.done(), "all have ended");
  co_await t.cancel(watch);
}

ASSAY_SCENARIO(mutex, "MTX-10", "swept", .features = {"wait_unlocked"}, .swept = true) {
  stay first, second;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto victim = t.start("wait until unlocked", mutex->wait_unlocked());
  t.victim(victim);
  co_await t.settle();
  first.leave();
  co_await t.settle();
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  t.expect(victim.ended() && second.inside, "a cancelled wait of this kind changes nothing");
  second.leave();
  co_await t.settle();
  t.expect(one.done() && two.done(), "all have ended");
}

ASSAY_CLAUSE(mutex, "MTX-11", must, "The most urgent waiter is served first, equals in the order of arrival.",
             .features = {"manual", "priority"}) {
  auto mutex = make();
  auto holder = co_await t.begin("lock", mutex->lock());
  auto calm = co_await t.begin("lock calmly", mutex->lock());
  auto first = co_await t.begin("lock urgently 1", mutex->lock_urgently(5));
  auto second = co_await t.begin("lock urgently 2", mutex->lock_urgently(5));
  auto most = co_await t.begin("lock most urgently", mutex->lock_urgently(9));
  t.premise(holder.done() && calm.pending() && most.pending(), "four waiters are parked");
  mutex->unlock();
  co_await t.settle();
  t.expect(most.done() && first.pending() && calm.pending(), "the most urgent is served first");
  mutex->unlock();
  co_await t.settle();
  t.expect(first.done() && second.pending(), "of equals, who came first");
  mutex->unlock();
  co_await t.settle();
  t.expect(second.done() && calm.pending(), "the least urgent is served last");
  mutex->unlock();
  co_await t.settle();
  t.expect(calm.done(), "but is served");
}

ASSAY_CLAUSE(mutex, "MTX-12", must,
             "While the mutex is handed over, its status says that it is locked, and names the new owner.",
             .features = {"owner_checked", "status"}) {
  auto mutex = make();
  t.expect(!mutex->is_locked() && !mutex->holder(), "a new mutex is not locked");
  auto first = co_await t.begin("lock for 1", mutex->lock_as(1));
  auto second = co_await t.begin("lock for 2", mutex->lock_as(2));
  t.premise(first.done() && second.pending(), "one owner holds the mutex, another waits");
  t.expect(mutex->is_locked() && mutex->holder() == 1, "the status names who holds it");
  mutex->unlock_as(1);
  t.expect(mutex->is_locked(), "it is locked while it is handed over");
  t.expect(mutex->holder() == 2, "and the new owner is named at once");
  co_await t.settle();
  t.expect(second.done() && mutex->holder() == 2, "also when he has it");
  mutex->unlock_as(2);
  t.expect(!mutex->is_locked() && !mutex->holder(), "who has unlocked it is named no more");
}

// ---- cross-cutting

ASSAY_SCENARIO(mutex, "X-2", "", .swept = true) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto victim = t.start("hold 2", mutex->run(staying(second)));
  t.victim(victim);
  co_await t.settle();
  co_await t.cancel(victim);
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.expect(victim.ended() && first.inside && !third.inside,
           "a cancelled wait leaves the mutex with who holds it");
  first.leave();
  co_await t.settle();
  t.expect(one.done() && third.inside, "and changes nothing for who waits");
  third.leave();
  co_await t.settle();
  (void)three.what();
}

ASSAY_SCENARIO(mutex, "X-3", "deadline", .features = {"timed"}) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto met = co_await t.begin("hold 2", mutex->run_for(10ms, staying(second)));
  co_await t.advance(10ms);
  t.premise(met.pending(), "a waiter is parked when its deadline comes");
  first.leave();
  co_await t.settle();
  auto next = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.expect(met.timed_out() != second.inside,
           "a wait whose deadline meets the hand-over has the mutex, or timed out");
  t.expect(second.inside != third.inside, "if it has not, the next has it");
  second.leave();
  third.leave();
  co_await t.settle();
  t.expect(one.done() && next.done(), "all have ended");
}

ASSAY_SCENARIO(mutex, "X-4", "", .swept = true) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto victim = t.start("hold 2", mutex->run(staying(second)));
  t.victim(victim);
  co_await t.settle();
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.premise(t.disturbed() || (victim.pending() && three.pending()), "two waiters are parked");
  first.leave();
  co_await t.settle();
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect(second.inside != third.inside, "the next in line gets what a cancelled waiter was given");
  second.leave();
  third.leave();
  co_await t.settle();
  t.expect(one.done() && victim.ended() && three.done(), "all have ended");
}

ASSAY_SCENARIO(mutex, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  stay never;
  auto mutex = make();
  auto one = co_await t.begin("hold in a cancelled scope", assay::when_cancelled(mutex->run(staying(never))));
  co_await t.cancel(one);
  t.expect(one.cancelled() && !never.was_inside, "a call that enters a cancelled scope reports cancelled");
}

ASSAY_SCENARIO(mutex, "X-7", "") {
  stay first, second;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  t.premise(two.pending() && !second.inside, "the waiter is parked");
  two.request(asio::cancellation_type::partial);
  co_await t.settle();
  co_await t.cancel(two);
  t.expect(two.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(two);
  t.expect(two.cancelled(), "one more request changes nothing");
  first.leave();
  co_await t.settle();
  (void)one.what();
}

ASSAY_SCENARIO(mutex, "X-12", "", .features = {"manual", "posted_wakeups"}, .sim_only = true) {
  auto mutex = make();
  auto first = co_await t.begin("lock 1", mutex->lock());
  auto second = co_await t.begin("lock 2", mutex->lock());
  t.premise(first.done() && second.pending(), "a waiter is parked");
  mutex->unlock();
  t.expect(second.pending(), "no continuation runs inside the call that woke it");
  co_await t.settle();
  mutex->unlock();
}

ASSAY_SCENARIO(mutex, "X-13", "", .features = {"fair"}) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  auto three = co_await t.begin("hold 3", mutex->run(staying(third)));
  t.premise(two.pending() && three.pending(), "two waiters are parked");
  first.leave();
  co_await t.settle();
  t.expect(second.inside && !third.inside, "who has waited longest is served first");
  second.leave();
  third.leave();
  co_await t.settle();
  t.expect(one.done() && two.done() && three.done(), "all have ended");
}

namespace {

asio::awaitable<void> hold_twice(assay::contract::mutex& mutex, stay& first, stay& second) {
  co_await mutex.run(staying(first));
  co_await mutex.run(staying(second));
}

}  // namespace

ASSAY_SCENARIO(mutex, "X-13", "newcomer", .features = {"fair"}) {
  stay first, second, third;
  auto mutex = make();
  auto one = co_await t.begin("hold 1, and again", hold_twice(*mutex, first, second));
  auto two = co_await t.begin("hold 2", mutex->run(staying(third)));
  t.premise(two.pending() && first.inside, "a waiter is parked");
  first.leave();
  co_await t.settle();
  t.expect(third.inside && !second.inside, "who unlocks and asks again waits behind who was there");
  second.leave();
  third.leave();
  co_await t.settle();
  t.expect(one.done() && two.done(), "all have ended");
}

ASSAY_SCENARIO(mutex, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  stay first, second;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  t.premise(one.pending() && two.pending(), "a waiter is parked");
  mutex.reset();
  t.fail("a mutex with a parked waiter was destroyed and nobody noticed");
}

namespace {

// Work may outlive the call that was cancelled, by a turn, where that drops it.
using kept_failure = std::shared_ptr<std::exception_ptr>;

asio::awaitable<void> wait_inside(assay::contract::mutex& mutex, std::chrono::nanoseconds patience,
                                  kept_failure failure) {
  *failure = co_await assay::failure_of(mutex.run_for(patience, [] { return assay::sleep_for(0ns); }));
}
// Somebody else holds it, for ever.
asio::awaitable<void> wait_in_vain(assay::contract::mutex& mutex, std::chrono::nanoseconds patience) {
  const auto failure = std::make_shared<std::exception_ptr>();
  assay::contract::mutex::work work = [&mutex, patience, failure] {
    return wait_inside(mutex, patience, failure);
  };
  co_await mutex.run(std::move(work));
  if (*failure) std::rethrow_exception(*failure);
}

}  // namespace

ASSAY_SCENARIO(mutex, "X-23", "", .features = {"timed"}) {
  co_await assay::fires_at_its_deadline(t, make, &wait_in_vain);
}

ASSAY_SCENARIO(mutex, "X-23", "extreme durations", .features = {"timed"}) {
  co_await assay::keeps_extreme_durations(t, make, &wait_in_vain);
}

ASSAY_SCENARIO(mutex, "X-23", "the work", .features = {"timed"}) {
  stay inside;
  auto mutex = make();
  auto hold = co_await t.begin("hold", mutex->run_for(10ms, staying(inside)));
  co_await t.pass(20ms);
  t.expect(hold.pending(), "patience is for the wait, and not for the work");
  inside.leave();
  co_await t.settle();
  t.expect(hold.done(), "work that outlasts the patience of the wait ends as it would without");
}

ASSAY_SCENARIO(mutex, "X-25", "", .features = {"timed"}) {
  co_await assay::ends_at_once_if_it_has_passed(t, make, &wait_in_vain);
}

ASSAY_SCENARIO(mutex, "X-28", "", .features = {"statistics"}) {
  stay first, second;
  auto mutex = make();
  auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
  auto two = co_await t.begin("hold 2", mutex->run(staying(second)));
  const auto before = mutex->waiting();
  const auto after = mutex->waiting();
  t.expect(before == 1 && after == 1, "looking changes nothing, and counts who is parked");
  first.leave();
  second.leave();
  co_await t.settle();
  t.expect(one.done() && two.done() && mutex->waiting() == 0, "who was served counts no more");
}

namespace {

asio::awaitable<void> leave_after(std::chrono::nanoseconds delay, stay& one) {
  co_await assay::sleep_for(delay);
  one.leave();
}

}  // namespace

ASSAY_SCENARIO(mutex, "X-31", "", .features = {"timed"}, .late = true) {
  for (const auto delay : {10ms, 11ms}) {
    stay first, second, third;
    auto mutex = make();
    auto one = co_await t.begin("hold 1", mutex->run(staying(first)));
    auto waiting = t.start("hold 2", mutex->run_for(21ms - delay, staying(second)));
    auto leaving = t.start("leave", leave_after(delay, first));
    co_await t.advance(1s);
    t.expect(waiting.timed_out() != second.inside,
             "a wait ends as served or as timed out, however late the loop is");
    auto next = co_await t.begin("hold 3", mutex->run(staying(third)));
    t.expect(
        second.inside != third.inside,
        "what is unlocked about the deadline comes to the wait or to the next, not to both, nor to nobody");
    second.leave();
    third.leave();
    co_await t.settle();
    t.expect(waiting.timed_out() || waiting.done(), "who was served ends as his work does");
    t.expect(one.done() && leaving.done() && next.done(), "nobody else is disturbed");
  }
}
