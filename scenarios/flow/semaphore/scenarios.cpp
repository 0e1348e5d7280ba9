#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace asio = boost::asio;
using assay::is_rejected;
using namespace std::chrono_literals;

ASSAY_CONTRACT(semaphore, "flow", "a number of permits, taken and given back: also limiter and bulkhead");

namespace {

// Takes what is free at once, by so many calls.
asio::awaitable<void> take_at_once(assay::trial& t, assay::contract::semaphore& semaphore,
                                   std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    auto taken = co_await t.begin("acquire a free permit", semaphore.acquire());
    t.premise(taken.done(), "a permit that is free is taken at once");
  }
}

}  // namespace

// ---- the limit

ASSAY_CLAUSE(
    semaphore, "SEM-1", must,
    "Permits in use never exceed the limit, and a permit is given to whoever waits as soon as one is "
    "free: what is available and what is in use are the limit together, whenever settled and, in "
    "process, at every turn boundary.",
    .asks = {"value", "statistics"}) {
  for (const std::int64_t limit : {1, 3}) {
    auto semaphore = make({.limit = limit});
    if (make.claims("value"))
      t.expect_eq(semaphore->available(), static_cast<std::size_t>(limit), "a new semaphore has all permits");
    co_await take_at_once(t, *semaphore, static_cast<std::size_t>(limit));
    auto first = co_await t.begin("acquire 1", semaphore->acquire());
    auto second = co_await t.begin("acquire 2", semaphore->acquire());
    t.expect(first.pending() && second.pending(), "whoever finds no permit waits");
    if (make.claims("value")) t.expect_eq(semaphore->available(), 0U, "none is available beside who waits");
    if (make.claims("statistics")) t.expect_eq(semaphore->waiting(), 2U, "two are counted as waiting");
    semaphore->release();
    co_await t.settle();
    t.expect(first.done() != second.done(), "one release lets one of those who wait go on");
    semaphore->release();
    co_await t.settle();
    t.expect(first.done() && second.done(), "the next release lets the next go on");
    for (std::int64_t i = 0; i < limit; ++i) semaphore->release();
    if (make.claims("value"))
      t.expect_eq(semaphore->available(), static_cast<std::size_t>(limit), "what was given back is there");
    co_await take_at_once(t, *semaphore, static_cast<std::size_t>(limit));
  }
}

ASSAY_SCENARIO(semaphore, "SEM-1", "released twice in a turn") {
  auto semaphore = make({.limit = 2});
  co_await take_at_once(t, *semaphore, 2);
  auto first = co_await t.begin("acquire 1", semaphore->acquire());
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  semaphore->release();
  semaphore->release();
  co_await t.settle();
  t.expect(first.done() && second.done(), "each of two releases in one turn lets one go on");
}

ASSAY_SCENARIO(semaphore, "SEM-1", "try", .features = {"try"}) {
  auto semaphore = make({.limit = 2});
  t.expect(semaphore->try_acquire() && semaphore->try_acquire(), "a free permit is there for who tries");
  t.expect(!semaphore->try_acquire(), "who tries gets no permit beyond the limit");
  semaphore->release();
  co_await t.settle();
  t.expect(semaphore->try_acquire(), "who tries gets what was given back");
}

ASSAY_SCENARIO(semaphore, "SEM-1", "try beside who is served", .features = {"try"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto waiter = co_await t.begin("acquire", semaphore->acquire());
  t.premise(waiter.pending(), "a waiter is parked");
  semaphore->release();
  const bool taken = semaphore->try_acquire();
  co_await t.settle();
  t.expect(waiter.done() != taken, "a permit comes to who waits or to who tries in that turn, not to both");
  co_await t.cancel(waiter);
}

namespace {

struct crew {
  std::size_t at_work = 0;
  std::size_t most = 0;
};

asio::awaitable<void> work_with_a_permit(assay::contract::semaphore& semaphore, crew& all) {
  co_await semaphore.acquire();
  all.most = std::max(all.most, ++all.at_work);
  co_await assay::sleep_for(5ms);
  --all.at_work;
  semaphore.release();
}

}  // namespace

ASSAY_SCENARIO(semaphore, "SEM-1", "many") {
  constexpr std::size_t inputs = 40;
  crew all;
  auto semaphore = make({.limit = 8});
  std::vector<assay::operation<void>> workers;
  for (std::size_t i = 0; i < inputs; ++i)
    workers.push_back(t.start("worker", work_with_a_permit(*semaphore, all)));
  co_await t.pass(25ms);
  for (const auto& one : workers)
    t.expect(one.done(), "everybody has had a permit after five rounds of eight");
  t.expect_eq(all.most, 8U, "eight are at work at once, and never more");
}

// ---- order

ASSAY_CLAUSE(
    semaphore, "SEM-2", must,
    "Permits are given in the order of arrival: a waiter who needs many blocks those who came later and "
    "want fewer, so that a stream of small requests starves no large one.",
    .features = {"fair", "weighted"}, .asks = {"try"}) {
  auto semaphore = make({.limit = 3});
  co_await take_at_once(t, *semaphore, 2);
  auto large = co_await t.begin("acquire 3", semaphore->acquire(3));
  for (int i = 0; i < 4; ++i) {
    auto next = co_await t.begin("acquire 1 of many", semaphore->acquire());
    t.expect(large.pending() && next.pending(), "who came later waits behind a larger request");
    if (make.claims("try"))
      t.expect(!semaphore->try_acquire(), "who tries does not overtake a larger request");
    co_await t.cancel(next);
  }
  auto last = co_await t.begin("acquire 1 at last", semaphore->acquire());
  semaphore->release();
  co_await t.settle();
  t.expect(large.pending() && last.pending(), "what comes back is kept for the larger request");
  semaphore->release();
  co_await t.settle();
  t.expect(large.done() && last.pending(), "a large request is served before those that came later");
  semaphore->release(3);
  co_await t.settle();
  t.expect(last.done(), "those that came later are served then");
}

ASSAY_CLAUSE(
    semaphore, "SEM-3", must,
    "A request for more permits than the limit, and for more than one, is rejected at once, or when the "
    "limit is lowered below it while it waits, and stops nobody.",
    .features = {"weighted", "reject_oversize"}, .asks = {"try"}) {
  auto semaphore = make({.limit = 2});
  auto large = co_await t.begin("acquire 3 of 2", semaphore->acquire(3));
  t.expect(large.rejected(), "a request that no wait would satisfy is rejected at once");
  co_await t.cancel(large);
  auto whole = co_await t.begin("acquire 2 of 2", semaphore->acquire(2));
  t.expect(whole.done(), "it stops nobody, and a request for all permits is none of this kind");
  if (make.claims("try")) t.expect(!semaphore->try_acquire(3), "who tries for too many gets none");
}

ASSAY_SCENARIO(semaphore, "SEM-3", "lowered", .features = {"weighted", "reject_oversize", "resizable"}) {
  auto semaphore = make({.limit = 3});
  co_await take_at_once(t, *semaphore, 1);
  auto large = co_await t.begin("acquire 3", semaphore->acquire(3));
  auto small = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(large.pending(), "a large request is parked");
  semaphore->set_limit(2);
  co_await t.settle();
  t.expect(large.rejected(), "who waits for more than a lowered limit is rejected");
  t.expect(small.done(), "and stops nobody who waits behind him");
  co_await t.cancel(large);
  co_await t.cancel(small);
}

// ---- waits that end otherwise

ASSAY_CLAUSE(
    semaphore, "SEM-4", must,
    "A wait that ends as cancelled or timed out has taken nothing and leaves no entry, and if permits "
    "are free that were too few for it, who waits behind goes on.",
    .asks = {"statistics", "try"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto first = co_await t.begin("acquire 1", semaphore->acquire());
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  auto third = co_await t.begin("acquire 3", semaphore->acquire());
  t.premise(first.pending() && second.pending() && third.pending(), "three waiters are parked");
  co_await t.cancel(first);
  co_await t.cancel(third);
  t.expect(first.cancelled() && third.cancelled(), "a cancelled wait ends as cancelled");
  t.expect(second.pending(), "cancelling one wait affects no other");
  if (make.claims("statistics")) t.expect_eq(semaphore->waiting(), 1U, "a cancelled wait leaves no entry");
  semaphore->release();
  co_await t.settle();
  t.expect(second.done(), "a permit goes past cancelled waits to who waits still");
  semaphore->release();
  auto last = co_await t.begin("acquire 4", semaphore->acquire());
  t.expect(last.done(), "a cancelled wait has taken nothing");
}

ASSAY_SCENARIO(semaphore, "SEM-4", "swept", .swept = true) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("acquire 1", semaphore->acquire());
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the waiter is parked");
  semaphore->release();
  co_await t.settle();
  auto next = co_await t.begin("acquire 2", semaphore->acquire());
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect_eq(next.done(), victim.cancelled(), "what a cancelled wait did not take is there for the next");
  co_await t.cancel(next);
}

ASSAY_SCENARIO(semaphore, "SEM-4", "front", .features = {"fair", "weighted"}, .swept = true) {
  auto semaphore = make({.limit = 2});
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("acquire 2", semaphore->acquire(2));
  t.victim(victim);
  co_await t.settle();
  auto small = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(t.disturbed() || (victim.pending() && small.pending()), "the large request is in front");
  co_await t.cancel(victim);
  t.expect(small.done(), "when the front leaves, permits that were too few for it go to who waits behind");
}

ASSAY_SCENARIO(semaphore, "SEM-4", "front timed out", .features = {"fair", "weighted", "timed"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto semaphore = make({.limit = 2});
    co_await take_at_once(t, *semaphore, 1);
    auto large = co_await t.begin("acquire 2", semaphore->acquire_for(2, patience));
    auto small = co_await t.begin("acquire 1", semaphore->acquire());
    t.premise(large.pending() && small.pending(), "the large request is in front");
    co_await t.pass(patience);
    t.expect(large.timed_out(), "a wait that nobody serves times out");
    t.expect(small.done(),
             "when the front times out, permits that were too few for it go to who waits behind");
    co_await t.cancel(small);
  }
}

ASSAY_SCENARIO(semaphore, "SEM-4", "weighted", .features = {"weighted"}, .swept = true) {
  auto semaphore = make({.limit = 3});
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("acquire 3", semaphore->acquire(3));
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the large request is parked");
  semaphore->release();
  co_await t.settle();
  auto all = co_await t.begin("acquire 3 again", semaphore->acquire(3));
  t.expect_eq(all.done(), victim.cancelled(), "a cancelled request gives back all permits or none");
  co_await t.cancel(all);
}

ASSAY_SCENARIO(semaphore, "SEM-4", "timed out", .features = {"timed"}, .asks = {"statistics"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto semaphore = make();
    co_await take_at_once(t, *semaphore, 1);
    auto expired = co_await t.begin("acquire 1", semaphore->acquire_for(1, patience));
    co_await t.pass(patience);
    t.expect(expired.timed_out(), "a wait that nobody serves times out");
    if (make.claims("statistics"))
      t.expect_eq(semaphore->waiting(), 0U, "a wait that timed out leaves no entry");
    semaphore->release();
    auto next = co_await t.begin("acquire 2", semaphore->acquire_for(1, patience));
    t.expect(next.done(), "a wait that timed out has taken nothing");
  }
}

// ---- giving back

ASSAY_CLAUSE(
    semaphore, "SEM-5", must,
    "To release a permit that is not in use is rejected and changes nothing; and work that is done with "
    "a permit gives it back once, whether it ends well, fails or is cancelled.",
    .features = {"bounded"}, .asks = {"value"}) {
  auto semaphore = make({.limit = 2});
  t.expect(is_rejected([&] { semaphore->release(); }), "to release without acquiring is rejected");
  co_await take_at_once(t, *semaphore, 2);
  auto wait = co_await t.begin("acquire 3", semaphore->acquire());
  t.expect(wait.pending(), "a rejected release has made no permit");
  co_await t.cancel(wait);
  semaphore->release();
  semaphore->release();
  t.expect(is_rejected([&] { semaphore->release(); }), "to release once more than was acquired is rejected");
  if (make.claims("value")) t.expect_eq(semaphore->available(), 2U, "a rejected release changes nothing");
}

namespace {

asio::awaitable<void> fail_after(assay::trial& t, std::chrono::nanoseconds delay) {
  co_await assay::sleep_for(delay);
  t.raise("work");
}

}  // namespace

ASSAY_SCENARIO(semaphore, "SEM-5", "work", .features = {"guarded"}) {
  auto semaphore = make();
  auto well = co_await t.begin("work 1", semaphore->run([] { return assay::sleep_for(5ms); }));
  auto other = co_await t.begin("acquire 1", semaphore->acquire());
  t.expect(well.pending() && other.pending(), "work is done with a permit");
  co_await t.pass(5ms);
  t.expect(well.done() && other.done(), "work that ends well gives its permit back");
  semaphore->release();
  auto failing = co_await t.begin("work 2", semaphore->run([&t] { return fail_after(t, 5ms); }));
  co_await t.pass(5ms);
  t.expect(failing.failed(), "the failure of the work is the caller's");
  auto next = co_await t.begin("acquire 2", semaphore->acquire());
  t.expect(next.done(), "work that fails gives its permit back");
  co_await t.cancel(next);
}

ASSAY_SCENARIO(semaphore, "SEM-5", "swept", .features = {"guarded"}, .swept = true) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("work 1", semaphore->run([] { return assay::sleep_for(5ms); }));
  t.victim(victim);
  co_await t.settle();
  semaphore->release();
  co_await t.pass(5ms);
  t.sometimes("the work was cancelled", victim.cancelled());
  t.expect(victim.ended(), "the work has ended");
  auto next = co_await t.begin("acquire 1", semaphore->acquire());
  auto beyond = co_await t.begin("acquire 2", semaphore->acquire());
  t.expect(next.done(), "work that is cancelled gives its permit back");
  t.expect(beyond.pending(), "and gives it back once");
  co_await t.cancel(beyond);
}

// ---- bulkhead

ASSAY_CLAUSE(
    semaphore, "SEM-6", must,
    "Who finds all permits in use and as many waiting as may is rejected at once, and nobody else is; who "
    "has left the line makes room.",
    .features = {"bulkhead"}, .asks = {"timed"}) {
  for (const std::int64_t room : {0, 2}) {
    auto semaphore = make({.limit = 1, .waiting_max = room});
    co_await take_at_once(t, *semaphore, 1);
    std::vector<assay::operation<void>> waits;
    for (std::int64_t i = 0; i < room; ++i)
      waits.push_back(co_await t.begin("acquire in the waiting room", semaphore->acquire()));
    for (const auto& one : waits) t.expect(one.pending(), "who finds room to wait waits");
    auto beyond = co_await t.begin("acquire beyond", semaphore->acquire());
    t.expect(beyond.rejected(), "who finds no room is rejected at once");
    co_await t.cancel(beyond);
    if (room == 0) continue;
    co_await t.cancel(waits[0]);
    auto next = co_await t.begin("acquire in his place", semaphore->acquire());
    t.expect(next.pending(), "who has left the line makes room");
    semaphore->release();
    co_await t.settle();
    t.expect(next.done() != waits[1].done(), "one of those who wait is served");
    if (make.claims("timed")) {
      auto bounded = co_await t.begin("acquire for 10ms", semaphore->acquire_for(1, 10ms));
      co_await t.pass(10ms);
      t.expect(bounded.timed_out(), "who was served makes room; and a wait may be bounded as well");
      auto again = co_await t.begin("acquire in his place too", semaphore->acquire());
      t.expect(again.pending(), "who has timed out makes room");
      co_await t.cancel(again);
    }
    co_await t.cancel(next);
    co_await t.cancel(waits[1]);
  }
}

ASSAY_CLAUSE(semaphore, "SEM-17", must,
             "A call that waits in a bulkhead's room is never refused as full later, and no newcomer gets in "
             "between a release and "
             "who is served by it.",
             .features = {"bulkhead"}) {
  auto semaphore = make({.limit = 1, .waiting_max = 1});
  co_await take_at_once(t, *semaphore, 1);
  auto wait = co_await t.begin("acquire", semaphore->acquire());
  auto beyond = co_await t.begin("acquire beyond", semaphore->acquire());
  t.expect(wait.pending(), "who waits is not refused later");
  co_await t.cancel(beyond);
  (void)beyond.what();  // SEM-6 says how it ends
  semaphore->release();
  auto newcomer = co_await t.begin("acquire beside the release", semaphore->acquire());
  t.expect(!newcomer.done(), "no newcomer gets in between a release and who is served by it");
  t.expect(wait.done(), "who waited has the permit");
  co_await t.cancel(newcomer);
}

// ---- another limit

ASSAY_CLAUSE(
    semaphore, "SEM-7", must,
    "Lowering the limit takes effect as permits return and revokes nothing; raising it wakes as many "
    "waiters as there is room for; and the count never exceeds the larger of the two.",
    .features = {"resizable"}) {
  auto semaphore = make({.limit = 3});
  co_await take_at_once(t, *semaphore, 3);
  semaphore->set_limit(1);
  auto wait = co_await t.begin("acquire 1", semaphore->acquire());
  semaphore->release();
  semaphore->release();
  co_await t.settle();
  t.expect(wait.pending(), "a lowered limit takes effect as permits return");
  semaphore->release();
  co_await t.settle();
  t.expect(wait.done(), "and then one is given out again");
}

ASSAY_SCENARIO(semaphore, "SEM-7", "raised", .features = {"resizable"}) {
  auto semaphore = make({.limit = 1});
  co_await take_at_once(t, *semaphore, 1);
  std::vector<assay::operation<void>> waits;
  for (int i = 0; i < 3; ++i) waits.push_back(co_await t.begin("acquire", semaphore->acquire()));
  semaphore->set_limit(3);
  co_await t.settle();
  std::size_t served = 0;
  for (const auto& one : waits) served += one.done() ? 1 : 0;
  t.expect_eq(served, 2U, "raising the limit wakes as many waiters as there is room for");
  for (const auto& one : waits) co_await t.cancel(one);
}

ASSAY_SCENARIO(semaphore, "SEM-7", "refused", .features = {"resizable"}) {
  auto semaphore = make({.limit = 1});
  t.expect(is_rejected([&] { semaphore->set_limit(-1); }), "a negative limit is rejected");
  auto first = co_await t.begin("acquire 1", semaphore->acquire());
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  t.expect(first.done() && second.pending(), "a rejected limit changes nothing");
  co_await t.cancel(second);
}

ASSAY_CLAUSE(semaphore, "SEM-14", must,
             "A limit of 0 admits nobody until it is raised; a refused limit changes nothing.",
             .features = {"zero_limit"}, .asks = {"resizable", "try"}) {
  auto semaphore = make({.limit = 0});
  auto wait = co_await t.begin("acquire 1", semaphore->acquire());
  t.expect(wait.pending(), "a limit of 0 admits nobody");
  if (make.claims("try")) t.expect(!semaphore->try_acquire(), "nor anybody who tries");
  if (make.claims("resizable")) {
    t.expect(is_rejected([&] { semaphore->set_limit(-1); }), "a negative limit is rejected");
    co_await t.settle();
    t.expect(wait.pending(), "a refused limit changes nothing");
    semaphore->set_limit(1);
    co_await t.settle();
    t.expect(wait.done(), "until it is raised");
    semaphore->release();
    semaphore->set_limit(0);
    auto next = co_await t.begin("acquire 2", semaphore->acquire());
    t.expect(next.pending(), "a limit that was lowered to 0 admits nobody");
    t.expect(is_rejected([&] { semaphore->set_limit(-2); }), "a negative limit is rejected");
    semaphore->set_limit(1);
    co_await t.settle();
    t.expect(next.done(), "and one that was raised does again");
  }
  co_await t.cancel(wait);
}

// ---- who has a permit, and who waits

ASSAY_CLAUSE(
    semaphore, "SEM-8", should,
    "A limiter knows its borrowers: one who has a permit is rejected if he asks for another, and so is "
    "the return of a permit that this borrower does not have.",
    .features = {"borrowers"}) {
  auto semaphore = make({.limit = 2});
  auto first = co_await t.begin("acquire for 7", semaphore->acquire_as(7));
  auto again = co_await t.begin("acquire for 7 again", semaphore->acquire_as(7));
  t.expect(first.done() && again.rejected(), "who has a permit is rejected if he asks for another");
  co_await t.cancel(again);
  t.expect(is_rejected([&] { semaphore->release_as(8); }), "who has no permit cannot give one back");
  auto second = co_await t.begin("acquire for 8", semaphore->acquire_as(8));
  t.expect(second.done(), "another borrower has another permit");
  semaphore->release_as(7);
  t.expect(is_rejected([&] { semaphore->release_as(7); }), "who gave his permit back has none");
  auto later = co_await t.begin("acquire for 7 later", semaphore->acquire_as(7));
  t.expect(later.done(), "who gave his permit back may ask again");
}

ASSAY_SCENARIO(semaphore, "SEM-8", "swept", .features = {"borrowers"}, .swept = true) {
  auto semaphore = make();
  auto first = co_await t.begin("acquire for 7", semaphore->acquire_as(7));
  t.premise(first.done(), "the permit is in use");
  auto victim = t.start("acquire for 8", semaphore->acquire_as(8));
  t.victim(victim);
  co_await t.settle();
  semaphore->release_as(7);
  co_await t.settle();
  if (victim.done()) semaphore->release_as(8);
  auto again = co_await t.begin("acquire for 8 again", semaphore->acquire_as(8));
  t.expect(again.done(), "who ended without a permit may ask again");
}

ASSAY_CLAUSE(
    semaphore, "SEM-11", must,
    "Rejecting all who wait rejects each once, leaves permits with who has them, and is nothing that "
    "later calls see.",
    .features = {"cancel_all"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto first = co_await t.begin("acquire 1", semaphore->acquire());
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  semaphore->cancel_all();
  co_await t.settle();
  t.expect(first.rejected() && second.rejected(), "everybody who waits is rejected");
  auto later = co_await t.begin("acquire 3", semaphore->acquire());
  t.expect(later.pending(), "who has the permit keeps it, and who comes later waits");
  semaphore->release();
  co_await t.settle();
  t.expect(later.done(), "who comes later is served");
  co_await t.cancel(later);
  co_await t.cancel(first);
  co_await t.cancel(second);
}

ASSAY_SCENARIO(semaphore, "SEM-11", "beside a release", .features = {"cancel_all"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto served = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(served.pending(), "a waiter is parked");
  semaphore->release();
  semaphore->cancel_all();
  co_await t.settle();
  t.expect(served.done() || served.rejected(), "who is served and rejected in one turn ends as one of both");
  auto next = co_await t.begin("acquire 2", semaphore->acquire());
  t.expect_eq(next.done(), served.rejected(), "a permit is had by who was served, or is free");
  co_await t.cancel(next);
}

ASSAY_CLAUSE(semaphore, "SEM-12", must,
             "The most urgent waiter is served first, equals in the order of arrival.",
             .features = {"priority"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto calm = co_await t.begin("acquire calmly", semaphore->acquire());
  auto first = co_await t.begin("acquire urgently 1", semaphore->acquire_urgently(5));
  auto second = co_await t.begin("acquire urgently 2", semaphore->acquire_urgently(5));
  auto most = co_await t.begin("acquire most urgently", semaphore->acquire_urgently(9));
  auto least = co_await t.begin("acquire at leisure", semaphore->acquire_urgently(-1));
  t.premise(calm.pending() && first.pending() && second.pending() && most.pending() && least.pending(),
            "five waiters are parked");
  semaphore->release();
  co_await t.settle();
  t.expect(most.done() && first.pending() && calm.pending(), "the most urgent is served first");
  semaphore->release();
  co_await t.settle();
  t.expect(first.done() && second.pending(), "of equals, who came first");
  semaphore->release();
  semaphore->release();
  co_await t.settle();
  t.expect(second.done() && calm.done() && least.pending(), "the least urgent is served last");
  co_await t.cancel(least);
}

ASSAY_CLAUSE(semaphore, "SEM-13", must,
             "One release of several permits admits every waiter in front that fits, not only the first.",
             .features = {"weighted"}) {
  auto semaphore = make({.limit = 4});
  auto all = co_await t.begin("acquire 4", semaphore->acquire(4));
  t.premise(all.done(), "all permits are in use");
  auto first = co_await t.begin("acquire 1", semaphore->acquire(2));
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  auto third = co_await t.begin("acquire 3", semaphore->acquire(2));
  semaphore->release(3);
  co_await t.settle();
  t.expect(first.done() && second.done(), "one release admits everybody in front who fits");
  t.expect(third.pending(), "and nobody who does not");
  co_await t.cancel(third);
}

ASSAY_CLAUSE(
    semaphore, "SEM-15", must,
    "After `close` whoever waits or comes later ends as closed, for ever, and permits still come back.",
    .features = {"closable"}, .asks = {"value", "try", "resizable"}) {
  auto semaphore = make({.limit = 2});
  co_await take_at_once(t, *semaphore, 2);
  auto first = co_await t.begin("acquire 1", semaphore->acquire());
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  semaphore->close();
  co_await t.settle();
  t.expect(first.closed() && second.closed(), "close wakes everybody who waits as closed");
  co_await t.cancel(first);
  co_await t.cancel(second);
  semaphore->release();
  if (make.claims("value"))
    t.expect_eq(semaphore->available(), 1U, "permits come back to a closed semaphore");
  if (make.claims("resizable")) semaphore->set_limit(3);
  auto later = co_await t.begin("acquire 3", semaphore->acquire());
  t.expect(later.closed(), "it stays closed, whatever comes back or changes");
  co_await t.cancel(later);
  if (make.claims("try")) t.expect(!semaphore->try_acquire(), "who tries gets nothing of a closed semaphore");
  semaphore->close();
}

ASSAY_SCENARIO(semaphore, "SEM-15", "beside a release", .features = {"closable", "value"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto served = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(served.pending(), "a waiter is parked");
  semaphore->release();
  semaphore->close();
  co_await t.settle();
  t.expect(served.done() || served.closed(), "who is served and closed out in one turn ends as one of both");
  if (served.done()) semaphore->release();
  t.expect_eq(semaphore->available(), 1U, "no permit is lost to a close");
  co_await t.cancel(served);
}

ASSAY_CLAUSE(
    semaphore, "SEM-16", must,
    "To split, merge and forget permit objects conserves the number of permits, and to merge a foreign "
    "one is refused.",
    .features = {"permit_objects", "value"}) {
  auto semaphore = make({.limit = 5});
  auto taking = co_await t.begin("acquire 4 as an object", semaphore->acquire_permit(4));
  auto four = std::move(taking.value());
  t.expect(four->count() == 4 && semaphore->available() == 1, "an object stands for its permits");
  auto one = four->split(1);
  t.expect(four->count() == 3 && one->count() == 1, "to split conserves the number");
  t.expect(is_rejected([&] { (void)one->split(2); }), "no more can be split off than there are");
  auto two = four->split(2);
  t.expect_eq(semaphore->available(), 1U, "split permits are in use as before");
  two->merge(*one);
  t.expect(two->count() == 3 && one->count() == 0, "to merge conserves the number");
  one.reset();
  t.expect_eq(semaphore->available(), 1U, "what was merged away gives nothing back");
  two.reset();
  t.expect_eq(semaphore->available(), 4U, "an object that is destroyed gives its permits back");
  four->forget();
  four.reset();
  t.expect_eq(semaphore->available(), 4U, "what was forgotten stays in use");
  semaphore->release();
  t.expect_eq(semaphore->available(), 5U, "until it is released by hand");
}

ASSAY_SCENARIO(semaphore, "SEM-16", "foreign", .features = {"permit_objects", "value"}) {
  auto semaphore = make({.limit = 2});
  auto other = make({.limit = 2});
  auto taking = co_await t.begin("acquire 1", semaphore->acquire_permit(1));
  auto foreign = co_await t.begin("acquire 1 of another", other->acquire_permit(1));
  auto mine = std::move(taking.value());
  auto theirs = std::move(foreign.value());
  t.expect(is_rejected([&] { mine->merge(*theirs); }), "to merge a foreign permit is refused");
  mine.reset();
  theirs.reset();
  t.expect(semaphore->available() == 2 && other->available() == 2, "each permit comes back where it belongs");
}

ASSAY_SCENARIO(semaphore, "SEM-16", "swept", .features = {"permit_objects", "value"}, .swept = true) {
  auto semaphore = make({.limit = 2});
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("acquire 2 as an object", semaphore->acquire_permit(2));
  t.victim(victim);
  co_await t.settle();
  semaphore->release();
  co_await t.settle();
  t.expect_eq(semaphore->available(), victim.done() ? 0U : 2U, "permits are with their object, or free");
  if (victim.done()) victim.value().reset();
  t.expect_eq(semaphore->available(), 2U, "an object gives its permits back");
}

// ---- cross-cutting

ASSAY_SCENARIO(semaphore, "X-2", "", .swept = true) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("acquire 1", semaphore->acquire());
  t.victim(victim);
  co_await t.settle();
  auto other = co_await t.begin("acquire 2", semaphore->acquire());
  t.expect(other.pending(), "a cancelled wait changes nothing: the permit is with who has it");
  co_await t.cancel(victim);
  t.expect(victim.ended() && other.pending(), "a cancelled wait changes nothing for who waits beside it");
  semaphore->release();
  co_await t.settle();
  t.expect(other.done(), "nor for what is given back");
}

ASSAY_SCENARIO(semaphore, "X-3", "deadline", .features = {"timed"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto met = co_await t.begin("acquire for 10ms", semaphore->acquire_for(1, 10ms));
  co_await t.advance(10ms);
  t.premise(met.pending(), "a waiter is parked when its deadline comes");
  semaphore->release();
  co_await t.settle();
  auto next = co_await t.begin("acquire 2", semaphore->acquire());
  t.expect(met.done() != next.done(), "a permit that meets a deadline comes to the wait or to the next");
  co_await t.cancel(next);
}

ASSAY_SCENARIO(semaphore, "X-4", "", .swept = true) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto victim = t.start("acquire 1", semaphore->acquire());
  t.victim(victim);
  co_await t.settle();
  auto other = co_await t.begin("acquire 2", semaphore->acquire());
  t.premise(t.disturbed() || (victim.pending() && other.pending()), "two waiters are parked");
  semaphore->release();
  co_await t.settle();
  t.sometimes("the wait was cancelled", victim.cancelled());
  t.expect(victim.done() != other.done(), "the next in line gets what a cancelled waiter held");
  co_await t.cancel(victim);
  co_await t.cancel(other);
}

ASSAY_SCENARIO(semaphore, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  auto semaphore = make();
  auto wait = co_await t.begin("acquire in a cancelled scope", assay::when_cancelled(semaphore->acquire()));
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a call that enters a cancelled scope reports cancelled");
  auto next = co_await t.begin("acquire", semaphore->acquire());
  t.expect(next.done(), "and has no effect");
  co_await t.cancel(next);
}

ASSAY_SCENARIO(semaphore, "X-7", "") {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto wait = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(wait.pending(), "the waiter is parked");
  wait.request(asio::cancellation_type::partial);
  co_await t.settle();
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "one more request changes nothing");
}

ASSAY_SCENARIO(semaphore, "X-12", "", .features = {"posted_wakeups"}, .sim_only = true) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto wait = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(wait.pending(), "a waiter is parked");
  semaphore->release();
  t.expect(wait.pending(), "no continuation runs inside the call that woke it");
  co_await t.settle();
}

ASSAY_SCENARIO(semaphore, "X-13", "", .features = {"fair"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto first = co_await t.begin("acquire 1", semaphore->acquire());
  auto second = co_await t.begin("acquire 2", semaphore->acquire());
  t.premise(first.pending() && second.pending(), "two waiters are parked");
  semaphore->release();
  co_await t.settle();
  t.expect(first.done() && second.pending(), "who has waited longest is served first");
  co_await t.cancel(second);
}

namespace {

asio::awaitable<void> release_and_acquire(assay::contract::semaphore& semaphore) {
  semaphore.release();
  co_await semaphore.acquire();
}

}  // namespace

ASSAY_SCENARIO(semaphore, "X-13", "newcomer", .features = {"fair"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto waiter = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(waiter.pending(), "a waiter is parked");
  auto newcomer = co_await t.begin("release and acquire again", release_and_acquire(*semaphore));
  t.expect(waiter.done() && newcomer.pending(), "who gives back and asks again waits behind who was there");
  co_await t.cancel(newcomer);
}

ASSAY_SCENARIO(semaphore, "X-13", "try", .features = {"fair", "try"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto waiter = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(waiter.pending(), "a waiter is parked");
  semaphore->release();
  t.expect(!semaphore->try_acquire(), "who tries in the turn of the release does not overtake who waits");
  co_await t.settle();
  t.expect(waiter.done(), "who waits is served");
}

ASSAY_SCENARIO(semaphore, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto wait = co_await t.begin("acquire 1", semaphore->acquire());
  t.premise(wait.pending(), "a waiter is parked");
  semaphore.reset();
  t.fail("a semaphore with a parked waiter was destroyed and nobody noticed");
}

namespace {

// Somebody else has the only permit, for ever.
asio::awaitable<void> wait_in_vain(assay::contract::semaphore& semaphore, std::chrono::nanoseconds patience) {
  co_await semaphore.acquire();
  const std::exception_ptr failure = co_await assay::failure_of(semaphore.acquire_for(1, patience));
  semaphore.release();
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> release_one(assay::contract::semaphore& semaphore) {
  semaphore.release();
  co_return;
}

}  // namespace

ASSAY_SCENARIO(semaphore, "X-23", "", .features = {"timed"}) {
  co_await assay::fires_at_its_deadline(t, make, &wait_in_vain);
}

ASSAY_SCENARIO(semaphore, "X-23", "extreme durations", .features = {"timed"}) {
  co_await assay::keeps_extreme_durations(t, make, &wait_in_vain);
}

ASSAY_SCENARIO(semaphore, "X-25", "", .features = {"timed"}) {
  co_await assay::ends_at_once_if_it_has_passed(t, make, &wait_in_vain);
}

ASSAY_SCENARIO(semaphore, "X-28", "", .features = {"statistics"}) {
  auto semaphore = make();
  co_await take_at_once(t, *semaphore, 1);
  auto wait = co_await t.begin("acquire 1", semaphore->acquire());
  const auto before = semaphore->waiting();
  const auto after = semaphore->waiting();
  t.expect(before == 1 && after == 1, "looking changes nothing, and counts who is parked");
  semaphore->release();
  co_await t.settle();
  t.expect(wait.done() && semaphore->waiting() == 0, "who was served counts no more");
}

ASSAY_SCENARIO(semaphore, "X-31", "", .features = {"timed"}, .late = true) {
  for (const auto delay : {10ms, 11ms}) {
    const auto patience = 21ms - delay;
    auto semaphore = make();
    co_await take_at_once(t, *semaphore, 1);
    const auto take = [&semaphore](std::chrono::nanoseconds time) { return semaphore->acquire_for(1, time); };
    const auto give = [&semaphore] { return release_one(*semaphore); };
    co_await assay::serves_one_about_its_deadline(t, patience, delay, take, give);
  }
}
