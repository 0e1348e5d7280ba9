#include <boost/asio/awaitable.hpp>
#include <chrono>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::contract::event_form;

ASSAY_CONTRACT(event, "flow", "a flag with waiters: manual-reset, auto-reset or a latch");

// ---- set, clear and cancelled waits

ASSAY_CLAUSE(event, "EVT-1", must,
             "A wait on a set event completes, and `set` releases every waiter that is parked, even if "
             "`clear` follows "
             "in the same turn (all get the same, so their order is not observable: X-14).") {
  auto event = make();
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  event->set();
  auto late = co_await t.begin("wait 3", event->wait());
  t.expect(first.done() && second.done(), "set releases every waiter");
  t.expect(late.done(), "a wait on a set event completes");
}

ASSAY_SCENARIO(event, "EVT-1", "cleared at once", .features = {"clear"}) {
  auto event = make();
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  event->set();
  event->clear();
  co_await t.settle();
  t.expect(first.done() && second.done(), "clear takes nothing back from those who were released");
}

ASSAY_CLAUSE(event, "EVT-2", must,
             "`set` does not suspend, can be called twice and without a waiter, and is remembered however "
             "many waits it "
             "ends (an auto-reset event: EVT-8).") {
  auto event = make();
  t.expect(!event->is_set(), "a new event is not set");
  event->set();
  t.expect(event->is_set(), "set needs no waiter");
  event->set();
  t.expect(event->is_set(), "a second set changes nothing");
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  t.expect(first.done() && second.done(), "every wait on an event that was set completes");
}

ASSAY_CLAUSE(event, "EVT-3", must, "A cancelled wait leaves no entry, and the other waiters as they are.",
             .asks = {"statistics"}) {
  auto event = make();
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  auto third = co_await t.begin("wait 3", event->wait());
  t.premise(first.pending() && second.pending() && third.pending(), "three waiters are parked");
  co_await t.cancel(second);
  t.expect(second.cancelled(), "the cancelled wait ends as cancelled");
  t.expect(first.pending() && third.pending(), "cancelling one wait affects no other");
  if (make.claims("statistics")) t.expect_eq(event->waiting(), 2U, "a cancelled wait leaves no entry");
  event->set();
  co_await t.settle();
  t.expect(first.done() && third.done(), "set releases every waiter beside a cancelled one");
}

ASSAY_SCENARIO(event, "EVT-3", "swept", .swept = true) {
  auto event = make();
  auto victim = t.start("wait 1", event->wait());
  t.victim(victim);
  auto other = co_await t.begin("wait 2", event->wait());
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two waiters are parked");
  t.expect(other.pending(), "cancelling one wait affects no other");
  event->set();
  co_await t.settle();
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect(victim.ended() && other.done(), "set releases every waiter beside a cancelled one");
}

ASSAY_CLAUSE(event, "EVT-4", must, "A waiter that parks after `clear` waits for the next `set`.",
             .features = {"clear"}) {
  auto event = make();
  event->set();
  event->clear();
  t.expect(!event->is_set(), "a cleared event is not set");
  auto wait = co_await t.begin("wait 1", event->wait());
  t.expect(wait.pending(), "who parks after clear is not released by the set before it");
  event->set();
  co_await t.settle();
  t.expect(wait.done(), "the next set releases who parked after clear");
}

// ---- from outside, latch, timed

ASSAY_CLAUSE(
    event, "EVT-5", must,
    "A `set` from a signal or from another thread goes through the executor, and wakes an otherwise idle "
    "loop.",
    .features = {"thread_set"},
    .why = "nothing but this call can wake anybody; reference/tests/event_test.cpp makes it from a thread") {
  auto event = make();
  auto wait = co_await t.begin("wait 1", event->wait());
  co_await t.pass(10ms);
  t.premise(wait.pending(), "a waiter is parked, and the loop is idle");
  event->set_from_outside();
  t.expect(wait.pending(), "no continuation runs on the thread that sets");
  co_await t.settle();
  t.expect(wait.done() && event->is_set(), "a set from outside wakes who waits in an idle loop");
}

ASSAY_SCENARIO(event, "EVT-5", "twice", .features = {"auto_reset", "thread_set"}) {
  auto event = make({.form = event_form::auto_reset});
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  event->set_from_outside();
  event->set_from_outside();
  co_await t.settle();
  t.expect(first.done() && second.done(), "each set from outside frees one who waits");
  co_await t.cancel(first);
  co_await t.cancel(second);
}

ASSAY_CLAUSE(event, "EVT-6", should, "A latch form, which cannot be cleared, exists for shutdown.",
             .features = {"latch"}, .asks = {"clear"}) {
  auto event = make({.form = event_form::latch});
  event->set();
  try {
    if (make.claims("clear")) event->clear();
  } catch (const assay::contract::rejected_error&) {  // as it should
  }
  auto wait = co_await t.begin("wait 1", event->wait());
  t.expect(event->is_set() && wait.done(), "a latch stays set");
}

ASSAY_CLAUSE(event, "EVT-7", must,
             "A timed wait reports set if the `set` committed before the wait ended, else timed out, and "
             "leaves no entry "
             "either way.",
             .features = {"timed"}, .asks = {"statistics"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto event = make();
    auto expired = co_await t.begin("wait 1", event->wait_for(patience));
    co_await t.pass(patience);
    t.expect(expired.timed_out(), "a wait without a set times out");
    if (make.claims("statistics")) t.expect_eq(event->waiting(), 0U, "a wait that timed out leaves no entry");
    auto met = co_await t.begin("wait 2", event->wait_for(patience));
    co_await t.advance(patience);
    t.premise(met.pending(), "a waiter is parked when its deadline comes");
    event->set();
    auto late = co_await t.begin("wait 3", event->wait_for(patience));
    t.expect(met.done(), "a set that comes first is reported, at the deadline as well");
    t.expect(late.done(), "a timed wait on a set event completes");
  }
}

// ---- auto-reset

ASSAY_CLAUSE(event, "EVT-8", must,
             "A `set` of an auto-reset event without a waiter is remembered once; with waiters it frees "
             "exactly one; and "
             "a freed waiter that ends as cancelled or timed out gives it back.",
             .features = {"auto_reset"}) {
  auto event = make({.form = event_form::auto_reset});
  event->set();
  event->set();
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  auto third = co_await t.begin("wait 3", event->wait());
  t.expect(first.done(), "a set without a waiter is remembered");
  t.expect(second.pending() && third.pending(), "it is remembered once");
  event->set();
  co_await t.settle();
  t.expect(second.done() != third.done(), "a set with waiters frees exactly one");
  event->set();
  co_await t.settle();
  t.expect(second.done() && third.done(), "the next set frees the next");
}

ASSAY_SCENARIO(event, "EVT-8", "swept", .features = {"auto_reset"}, .swept = true) {
  auto event = make({.form = event_form::auto_reset});
  auto victim = t.start("wait 1", event->wait());
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the waiter is parked");
  event->set();
  co_await t.settle();
  auto next = co_await t.begin("wait 2", event->wait());
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect_eq(next.done(), victim.cancelled(),
              "what a cancelled waiter did not use is there for the next, once");
  co_await t.cancel(next);
}

ASSAY_SCENARIO(event, "EVT-8", "timed out", .features = {"auto_reset", "timed"}) {
  auto event = make({.form = event_form::auto_reset});
  auto timed = co_await t.begin("wait 1", event->wait_for(10ms));
  co_await t.advance(10ms);
  t.premise(timed.pending(), "a waiter is parked when its deadline comes");
  event->set();
  co_await t.settle();
  auto next = co_await t.begin("wait 2", event->wait());
  t.expect(timed.done() != next.done(), "a set that meets a deadline frees exactly one");
  co_await t.cancel(next);
}

ASSAY_CLAUSE(
    event, "EVT-9", must,
    "A `broadcast` frees every waiter of an auto-reset event, and neither uses up nor leaves a `set`.",
    .features = {"auto_reset"}) {
  auto event = make({.form = event_form::auto_reset});
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  event->broadcast();
  co_await t.settle();
  t.expect(first.done() && second.done(), "a broadcast frees every waiter");
  event->set();
  event->broadcast();
  auto third = co_await t.begin("wait 3", event->wait());
  t.expect(third.done(), "a broadcast uses up no set");
}

ASSAY_SCENARIO(event, "EVT-9", "swept", .features = {"auto_reset"}, .swept = true) {
  auto event = make({.form = event_form::auto_reset});
  auto victim = t.start("wait 1", event->wait());
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the waiter is parked");
  event->broadcast();
  co_await t.settle();
  auto next = co_await t.begin("wait 2", event->wait());
  t.expect(next.pending(), "a broadcast leaves no set, nor does a waiter that it freed");
  co_await t.cancel(next);
}

// ---- cross-cutting

ASSAY_SCENARIO(event, "X-2", "", .swept = true) {
  auto event = make();
  auto victim = t.start("wait 1", event->wait());
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the waiter is parked");
  event->set();
  co_await t.settle();
  t.expect(event->is_set() && victim.ended(), "a cancelled wait leaves the event as it is");
}

ASSAY_SCENARIO(event, "X-4", "", .features = {"auto_reset"}, .swept = true) {
  auto event = make({.form = event_form::auto_reset});
  auto victim = t.start("wait 1", event->wait());
  t.victim(victim);
  co_await t.settle();
  auto other = co_await t.begin("wait 2", event->wait());
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two waiters are parked");
  event->set();
  co_await t.settle();
  t.expect(victim.done() != other.done(), "the next in line gets what a cancelled waiter held");
  co_await t.cancel(victim);
  co_await t.cancel(other);
}

ASSAY_SCENARIO(event, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  auto event = make();
  event->set();
  auto wait = co_await t.begin("wait in a cancelled scope", assay::when_cancelled(event->wait()));
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a wait that enters a cancelled scope reports cancelled");
}

ASSAY_SCENARIO(event, "X-7", "") {
  auto event = make();
  auto wait = co_await t.begin("wait 1", event->wait());
  t.premise(wait.pending(), "the waiter is parked");
  wait.request(asio::cancellation_type::partial);
  co_await t.settle();
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "one more request changes nothing");
}

ASSAY_SCENARIO(event, "X-12", "", .features = {"posted_wakeups"}, .sim_only = true) {
  auto event = make();
  auto wait = co_await t.begin("wait 1", event->wait());
  t.premise(wait.pending(), "a waiter is parked");
  event->set();
  t.expect(wait.pending(), "no continuation runs inside the call that woke it");
  co_await t.settle();
}

ASSAY_SCENARIO(event, "X-13", "", .features = {"auto_reset", "fair"}) {
  auto event = make({.form = event_form::auto_reset});
  auto first = co_await t.begin("wait 1", event->wait());
  auto second = co_await t.begin("wait 2", event->wait());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  event->set();
  co_await t.settle();
  t.expect(first.done() && second.pending(), "who has waited longest is freed first");
  co_await t.cancel(second);
}

ASSAY_SCENARIO(event, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  auto event = make();
  auto wait = co_await t.begin("wait 1", event->wait());
  t.premise(wait.pending(), "a waiter is parked");
  event.reset();
  t.fail("an event with a parked waiter was destroyed and nobody noticed");
}

namespace {

asio::awaitable<void> wait_for(assay::contract::event& event, std::chrono::nanoseconds patience) {
  return event.wait_for(patience);
}

asio::awaitable<void> set_one(assay::contract::event& event) {
  event.set();
  co_return;
}

}  // namespace

ASSAY_SCENARIO(event, "X-23", "", .features = {"timed"}) {
  co_await assay::fires_at_its_deadline(t, make, &wait_for);
}

ASSAY_SCENARIO(event, "X-23", "extreme durations", .features = {"timed"}) {
  co_await assay::keeps_extreme_durations(t, make, &wait_for);
}

ASSAY_SCENARIO(event, "X-25", "", .features = {"timed"}) {
  co_await assay::ends_at_once_if_it_has_passed(t, make, &wait_for);
}

ASSAY_SCENARIO(event, "X-28", "", .features = {"statistics"}) {
  auto event = make();
  auto wait = co_await t.begin("wait 1", event->wait());
  const auto before = event->waiting();
  const auto after = event->waiting();
  t.expect(before == 1 && after == 1, "looking changes nothing, and counts who is parked");
  event->set();
  co_await t.settle();
  t.expect(wait.done() && event->waiting() == 0, "who was freed counts no more");
}

ASSAY_SCENARIO(event, "X-31", "", .features = {"timed", "auto_reset"}, .late = true) {
  for (const auto delay : {10ms, 11ms}) {
    const auto patience = 21ms - delay;
    auto event = make({.form = assay::contract::event_form::auto_reset});
    const auto take = [&event](std::chrono::nanoseconds time) { return event->wait_for(time); };
    const auto give = [&event] { return set_one(*event); };
    co_await assay::serves_one_about_its_deadline(t, patience, delay, take, give);
  }
}
