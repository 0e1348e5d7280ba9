#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/cross_cutting/waiting.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::trial;
using assay::contract::barrier;
using assay::contract::barrier_cancel;
using assay::contract::barrier_config;
using assay::contract::rejected_error;
using party = assay::operation<std::size_t>;

ASSAY_CONTRACT(barrier, "flow", "a fixed number of parties wait for each other, again and again");

// ---- what several scenarios do

namespace {

// Has so many parties wait, and settles.
asio::awaitable<std::vector<party>> begin_parties(trial& t, barrier& where, std::size_t count,
                                                  std::string name) {
  std::vector<party> all;
  for (std::size_t i = 1; i <= count; ++i)
    all.push_back(t.start(name + " " + std::to_string(i), where.wait()));
  co_await t.settle();
  co_return all;
}

bool are(const std::vector<party>& all, bool (party::*state)() const) {
  return std::all_of(all.begin(), all.end(), [state](const party& one) { return (one.*state)(); });
}
bool are_pending(const std::vector<party>& all) {
  return std::all_of(all.begin(), all.end(), [](const party& one) { return one.pending(); });
}
bool is_broken(const party& one) { return one.what().kind == assay::outcome_kind::broken; }
bool are_broken(const std::vector<party>& all) { return std::all_of(all.begin(), all.end(), &is_broken); }

asio::awaitable<void> cancel_all(trial& t, const std::vector<party>& all) {
  for (const party& one : all) one.cancel();
  co_await t.settle();
  for (const party& one : all) (void)one.what();
}

// Each of the numbers from 0 on, once.
void expect_numbers(trial& t, const std::vector<party>& all) {
  std::vector<std::size_t> numbers;
  for (const party& one : all) numbers.push_back(one.value());
  std::vector<std::size_t> expected(all.size());
  std::iota(expected.begin(), expected.end(), 0U);
  t.expect(assay::sorted(numbers) == expected, "each party of a generation has a number of its own",
           assay::detail::printed(numbers));
}

// So many fresh parties as it takes, and no fewer, pass.
asio::awaitable<void> expect_whole_generation(trial& t, barrier& where, std::size_t parties,
                                              const char* text) {
  auto all = co_await begin_parties(t, where, parties - 1, "new");
  t.expect(are_pending(all), text, "fewer passed, or were refused");
  all.push_back(co_await t.begin("the last new", where.wait()));
  t.expect(are(all, &party::done), text, "not so");
  co_await cancel_all(t, all);
}

// Passes so many times, and counts.
asio::awaitable<void> pass(barrier& where, std::size_t times, std::size_t& passed) {
  for (std::size_t i = 0; i < times; ++i) {
    co_await where.wait();
    ++passed;
  }
}

// The one that settles what subjects with one way of cancelling, or with none, are asked for.
barrier_config leaving(std::int64_t parties) {
  return {.parties = parties, .on_cancel = barrier_cancel::leaves};
}

}  // namespace

// ---- meeting

ASSAY_CLAUSE(barrier, "BAR-1", must,
             "All parties but the last park; the last one releases all in the same instant, and each gets a "
             "number of its own from 0 on (`arrival_index`).",
             .asks = {"arrival_index"}) {
  for (const std::int64_t parties : {2, 3, 5}) {
    auto barrier = make({.parties = parties});
    auto all = co_await begin_parties(t, *barrier, static_cast<std::size_t>(parties) - 1, "wait");
    t.expect(are_pending(all), "parties wait for the last one");
    all.push_back(co_await t.begin("the last wait", barrier->wait()));
    t.expect(are(all, &party::done), "the last one releases all in the same instant");
    if (make.claims("arrival_index")) expect_numbers(t, all);
  }
}

ASSAY_CLAUSE(
    barrier, "BAR-2", must,
    "A barrier is used again and again; who is fast and arrives for the next generation neither passes "
    "with the last one nor disturbs it.") {
  auto barrier = make({.parties = 3});
  auto slow = co_await begin_parties(t, *barrier, 2, "wait");
  t.premise(are_pending(slow), "two of three parties are parked");
  std::size_t passed = 0;
  auto fast = co_await t.begin("a fast party", pass(*barrier, 2, passed));
  t.expect(are(slow, &party::done), "who arrives for the next generation does not disturb the last one");
  t.expect_eq(passed, 1U, "who arrives for the next generation waits for it");
  auto next = co_await begin_parties(t, *barrier, 2, "next");
  t.expect(fast.done() && are(next, &party::done), "who arrived early is a party of the next generation");
  fast.cancel();
  co_await cancel_all(t, next);
}

namespace {

// At its k-th passing every party has arrived k times.
asio::awaitable<void> keep_step(trial& t, barrier& where, std::vector<std::size_t>& arrivals,
                                std::size_t self) {
  for (std::size_t round = 1; round <= 4; ++round) {
    ++arrivals[self];
    co_await where.wait();
    const bool all = *std::min_element(arrivals.begin(), arrivals.end()) >= round;
    t.expect(all, "nobody passes before all parties have arrived as often");
  }
}

}  // namespace

ASSAY_SCENARIO(barrier, "BAR-2", "in step") {
  auto barrier = make({.parties = 3});
  std::vector<std::size_t> arrivals(3);
  std::vector<assay::operation<void>> all;
  for (std::size_t i = 0; i < 3; ++i)
    all.push_back(t.start("party " + std::to_string(i), keep_step(t, *barrier, arrivals, i)));
  co_await t.settle();
  for (const auto& one : all) {
    t.expect(one.done(), "parties that meet again and again all pass");
    one.cancel();
  }
  co_await t.settle();
}

// ---- cancelled parties

ASSAY_CLAUSE(
    barrier, "BAR-3", must,
    "A party that is cancelled (or times out) while parked breaks the barrier for all the others, also for "
    "those that come (`cancel_breaks`), or leaves it (`cancel_leaves`); a barrier never releases fewer "
    "than it takes.",
    .swept = true) {
  auto barrier = make({.parties = 3});
  auto victim = t.start("wait 1", barrier->wait());
  t.victim(victim);
  auto second = co_await t.begin("wait 2", barrier->wait());
  t.premise(t.disturbed() || (victim.pending() && second.pending()), "two of three parties are parked");
  const bool gone = victim.cancelled();
  auto third = co_await t.begin("wait 3", barrier->wait());
  t.sometimes("a party was cancelled before the last one came", gone);
  if (gone) t.expect(!second.done() && !third.done(), "a barrier never releases fewer than it takes");
  t.expect_eq(second.done(), third.done(), "the others pass together, or not at all");
  co_await t.cancel(victim);
  co_await t.cancel(second);
  co_await t.cancel(third);
  const bool failed[] = {victim.failed(), second.failed(), third.failed()};  // as broken, if it is
  t.expect(!failed[0] && victim.ended() && second.ended() && third.ended(),
           "who waits ends when it is cancelled");
}

ASSAY_SCENARIO(barrier, "BAR-3", "breaks", .features = {"cancel_breaks"}) {
  auto barrier = make({.parties = 4});
  auto first = co_await t.begin("wait 1", barrier->wait());
  auto others = co_await begin_parties(t, *barrier, 2, "other");
  t.premise(first.pending() && are_pending(others), "three of four parties are parked");
  co_await t.cancel(first);
  t.expect(first.cancelled(), "the cancelled party ends as cancelled");
  t.expect(are_broken(others), "a cancelled party breaks the barrier for the others");
  auto late = co_await begin_parties(t, *barrier, 1, "late");
  t.expect(are_broken(late), "a cancelled party breaks the barrier for who comes");
  co_await cancel_all(t, others);
  co_await cancel_all(t, late);
}

ASSAY_SCENARIO(barrier, "BAR-3", "leaves", .features = {"cancel_leaves"}, .asks = {"statistics"}) {
  auto barrier = make(leaving(4));
  auto first = co_await t.begin("wait 1", barrier->wait());
  auto others = co_await begin_parties(t, *barrier, 2, "other");
  t.premise(first.pending() && are_pending(others), "three of four parties are parked");
  co_await t.cancel(first);
  t.expect(first.cancelled(), "the cancelled party ends as cancelled");
  t.expect(are_pending(others), "a party that leaves has the others wait on");
  if (make.claims("statistics")) t.expect_eq(barrier->waiting(), 2U, "a party that leaves is not counted");
  co_await cancel_all(t, others);
}

ASSAY_SCENARIO(barrier, "BAR-3", "timed out", .features = {"timed"}, .asks = {"cancel_breaks"}) {
  for (const auto patience : {10ms, 25ms}) {
    auto barrier = make({.parties = 3});
    auto expired = co_await t.begin("wait 1", barrier->wait_for(patience));
    auto others = co_await begin_parties(t, *barrier, 1, "other");
    co_await t.pass(patience);
    t.expect(expired.timed_out(), "who waits until its deadline times out");
    others.push_back(co_await t.begin("wait 2", barrier->wait()));
    if (make.claims("cancel_breaks"))
      t.expect(are_broken(others), "a party that times out breaks the barrier");
    const bool some = std::any_of(others.begin(), others.end(), [](const party& one) { return one.done(); });
    t.expect(!some, "who has timed out does not count");
    co_await t.cancel(expired);
    co_await cancel_all(t, others);
  }
}

ASSAY_CLAUSE(barrier, "BAR-4", must,
             "`abort` ends every wait of a parked party as broken, and every later one until `reset`.",
             .features = {"abort"}) {
  auto barrier = make({.parties = 3});
  auto parked = co_await begin_parties(t, *barrier, 2, "wait");
  t.premise(are_pending(parked), "two of three parties are parked");
  co_await t.begin("abort", barrier->abort());
  t.expect(are_broken(parked), "abort wakes all who are parked, as broken");
  auto late = co_await begin_parties(t, *barrier, 3, "late");
  t.expect(are_broken(late), "a wait at an aborted barrier ends as broken");
  co_await cancel_all(t, parked);
  co_await cancel_all(t, late);
}

namespace {

// Releases the others, and cancels one of them before anybody else has a turn.
asio::awaitable<void> pass_and_cancel(barrier& where, const party& other, bool& in_time) {
  co_await where.wait();
  in_time = other.pending();
  other.cancel();
}

}  // namespace

ASSAY_CLAUSE(barrier, "BAR-5", must,
             "A cancel of a party that was released, and has not continued, affects no other party of this "
             "generation or the next; that party ends as released (`release_wins`), or as cancelled.",
             .asks = {"release_wins"}) {
  auto barrier = make({.parties = 3});
  auto parked = co_await begin_parties(t, *barrier, 2, "wait");
  t.premise(are_pending(parked), "two of three parties are parked");
  bool in_time = false;
  auto last = co_await t.begin("wait 3", pass_and_cancel(*barrier, parked[0], in_time));
  t.sometimes("the released party was cancelled in time", in_time);
  t.expect(last.done() && parked[1].done(), "the others that were released pass");
  t.expect(parked[0].done() || (parked[0].cancelled() && !make.claims("release_wins")),
           "who was released and cancelled ends as it should");
  co_await expect_whole_generation(t, *barrier, 3, "the next generation is whole");
  co_await cancel_all(t, parked);
}

ASSAY_SCENARIO(barrier, "BAR-5", "the last one", .asks = {"release_wins"}, .swept = true) {
  auto barrier = make({.parties = 3});
  auto parked = co_await begin_parties(t, *barrier, 2, "wait");
  t.premise(are_pending(parked), "two of three parties are parked");
  auto victim = t.start("wait 3", barrier->wait());
  t.victim(victim);
  co_await t.settle();
  t.sometimes("the last party was cancelled before it came", victim.cancelled());
  t.expect_eq(parked[0].done(), parked[1].done(), "the others pass together, or not at all");
  if (make.claims("release_wins"))
    t.expect_eq(victim.done(), parked[0].done(), "the last party passes if it has released the others");
  co_await t.cancel(victim);
  co_await cancel_all(t, parked);
  (void)victim.what();
}

ASSAY_CLAUSE(barrier, "BAR-6", must,
             "With one party nobody parks; no parties, or fewer, are refused (`reject_zero`).") {
  auto barrier = make({.parties = 1});
  for (const char* name : {"wait 1", "wait 2"}) {
    auto alone = co_await t.begin(name, barrier->wait());
    t.expect(alone.done(), "a single party never parks");
    co_await t.cancel(alone);
  }
}

ASSAY_SCENARIO(barrier, "BAR-6", "no parties", .features = {"reject_zero"}) {
  for (const std::int64_t parties : {0, -1}) {
    bool refused = false;
    try {
      make({.parties = parties});
    } catch (const rejected_error&) {
      refused = true;
    }
    t.expect(refused, "a barrier for less than one party is refused");
  }
  co_return;
}

// ---- reset

ASSAY_CLAUSE(
    barrier, "BAR-7", must,
    "`reset` ends every wait of a parked party as broken, that of one which was released and has not "
    "continued too (`reset_breaks_released`), and none of them counts in the next generation.",
    .features = {"reset"}) {
  auto barrier = make({.parties = 3});
  auto parked = co_await begin_parties(t, *barrier, 2, "wait");
  t.premise(are_pending(parked), "two of three parties are parked");
  co_await t.begin("reset", barrier->reset());
  t.expect(are_broken(parked), "reset ends who is parked as broken");
  co_await expect_whole_generation(t, *barrier, 3, "none of the old parties counts in the new generation");
  co_await cancel_all(t, parked);
}

namespace {

asio::awaitable<std::size_t> wait_and_count(barrier& where, std::size_t& continued) {
  const std::size_t number = co_await where.wait();
  ++continued;
  co_return number;
}

// Releases the others, and resets before anybody else has a turn.
asio::awaitable<void> pass_and_reset(barrier& where, const std::size_t& continued, std::size_t& before) {
  co_await where.wait();
  before = continued;
  co_await where.reset();
}

}  // namespace

ASSAY_SCENARIO(barrier, "BAR-7", "beside a release", .features = {"reset"},
               .asks = {"reset_breaks_released"}) {
  auto barrier = make({.parties = 3});
  std::size_t continued = 0;
  std::size_t before = 0;
  std::vector<party> released;
  for (const char* name : {"wait 1", "wait 2"})
    released.push_back(co_await t.begin(name, wait_and_count(*barrier, continued)));
  t.premise(are_pending(released), "two of three parties are parked");
  auto last = co_await t.begin("wait 3", pass_and_reset(*barrier, continued, before));
  const auto broken = static_cast<std::size_t>(std::count_if(released.begin(), released.end(), &is_broken));
  t.expect(last.done() && broken + continued == 2, "who was released passes, or ends as broken");
  t.sometimes("reset came before a released party continued", before < 2);
  if (make.claims("reset_breaks_released"))
    t.expect_eq(broken, 2 - before, "reset breaks who was released and has not continued");
  co_await expect_whole_generation(t, *barrier, 3,
                                   "none of the released parties counts in the new generation");
  co_await cancel_all(t, released);
}

// A deadline is over with its wait, whichever way that ended.
ASSAY_SCENARIO(barrier, "BAR-7", "deadlines of old", .features = {"reset", "timed"}) {
  for (const bool is_released : {true, false}) {
    auto barrier = make({.parties = 2});
    auto old = co_await t.begin("wait 1", barrier->wait_for(10ms));
    t.premise(old.pending(), "one of two parties is parked");
    if (is_released) {
      auto other = co_await t.begin("wait 2", barrier->wait());
      co_await t.cancel(other);
    } else {
      co_await t.begin("reset", barrier->reset());
    }
    t.expect(is_released ? old.done() : is_broken(old), "a wait ends before its deadline");
    auto parked = co_await begin_parties(t, *barrier, 1, "new");
    co_await t.pass(20ms);
    t.expect(are_pending(parked), "the deadline of an old party does nothing to the new generation");
    parked.push_back(co_await t.begin("the last new", barrier->wait()));
    t.expect(are(parked, &party::done), "the deadline of an old party breaks nothing");
    co_await cancel_all(t, parked);
  }
}

ASSAY_CLAUSE(barrier, "BAR-8", must,
             "After `abort` and `reset`, as many new arrivals as there are parties pass, and no fewer.",
             .features = {"abort", "reset"}) {
  auto barrier = make({.parties = 3});
  auto parked = co_await begin_parties(t, *barrier, 2, "wait");
  t.premise(are_pending(parked), "two of three parties are parked");
  co_await t.begin("abort", barrier->abort());
  auto refused = co_await begin_parties(t, *barrier, 1, "late");
  co_await t.begin("reset", barrier->reset());
  t.expect(are_broken(parked) && are_broken(refused), "who was parked is broken, and who came too late");
  co_await expect_whole_generation(t, *barrier, 3, "exactly as many as there are parties pass after a reset");
  co_await cancel_all(t, parked);
  co_await cancel_all(t, refused);
}

ASSAY_CLAUSE(
    barrier, "BAR-9", must,
    "Those who stay when a party leaves and those who come in its place pass together, each with a number "
    "of its own (`arrival_index`).",
    .features = {"cancel_leaves"}, .asks = {"arrival_index"}) {
  for (const std::size_t which : {0U, 1U}) {
    auto barrier = make(leaving(3));
    auto all = co_await begin_parties(t, *barrier, 2, "wait");
    t.premise(are_pending(all), "two of three parties are parked");
    co_await t.cancel(all[which]);
    t.expect(all[which].cancelled() && all[1 - which].pending(), "one leaves, and one stays");
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(which));
    for (const char* name : {"wait 3", "wait 4"}) {
      t.expect(are_pending(all), "who stays waits for who comes");
      all.push_back(co_await t.begin(name, barrier->wait()));
    }
    t.expect(are(all, &party::done), "who stays and who comes pass together");
    if (make.claims("arrival_index")) expect_numbers(t, all);
    co_await cancel_all(t, all);
  }
}

// ---- cross-cutting

ASSAY_SCENARIO(barrier, "X-2", "", .features = {"cancel_leaves"}, .swept = true) {
  auto barrier = make(leaving(2));
  auto victim = t.start("wait 1", barrier->wait());
  t.victim(victim);
  co_await t.settle();
  t.premise(t.disturbed() || victim.pending(), "the party is parked");
  auto second = co_await t.begin("wait 2", barrier->wait());
  const bool met = second.done();
  t.expect(met || victim.cancelled(), "two parties meet unless one was cancelled");
  auto third = co_await t.begin("wait 3", barrier->wait());
  t.expect(second.done() && third.done() == !met, "a cancelled wait leaves the barrier as it was");
  co_await t.cancel(third);
}

ASSAY_SCENARIO(barrier, "X-6", "", .features = {"strict_entry"}, .sim_only = true) {
  auto barrier = make({.parties = 2});
  auto parked = co_await begin_parties(t, *barrier, 1, "wait");
  t.premise(are_pending(parked), "one of two parties is parked");
  auto entering = co_await t.begin("wait in a cancelled scope", assay::when_cancelled(barrier->wait()));
  co_await t.cancel(entering);
  t.expect(entering.cancelled(), "a wait that enters a cancelled scope reports cancelled");
  t.expect(are_pending(parked), "a wait that enters a cancelled scope has no effect");
  co_await cancel_all(t, parked);
}

ASSAY_SCENARIO(barrier, "X-7", "") {
  auto barrier = make();
  auto wait = co_await t.begin("wait 1", barrier->wait());
  t.premise(wait.pending(), "a party is parked");
  wait.request(asio::cancellation_type::partial);
  co_await t.settle();
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "a stronger request gets through after a weaker one");
  co_await t.cancel(wait);
  t.expect(wait.cancelled(), "one more request changes nothing");
}

namespace {

asio::awaitable<void> note_turns(trial& t, asio::awaitable<std::size_t> wait, std::uint64_t& begun,
                                 std::uint64_t& ended) {
  begun = t.turns();
  co_await std::move(wait);
  ended = t.turns();
}

asio::awaitable<std::size_t> wait_for(barrier& where, std::chrono::nanoseconds patience) {
  return where.wait_for(patience);
}
asio::awaitable<void> wait_void(asio::awaitable<std::size_t> wait) { co_await std::move(wait); }
asio::awaitable<void> wait_void_for(barrier& where, std::chrono::nanoseconds patience) {
  return wait_void(wait_for(where, patience));
}

}  // namespace

ASSAY_SCENARIO(barrier, "X-12", "", .features = {"posted_wakeups"}, .sim_only = true) {
  auto barrier = make();
  std::uint64_t turns[4] = {};
  auto first = co_await t.begin("wait 1", note_turns(t, barrier->wait(), turns[0], turns[1]));
  t.premise(first.pending(), "a party is parked");
  auto last = co_await t.begin("wait 2", note_turns(t, barrier->wait(), turns[2], turns[3]));
  t.expect(first.done() && last.done() && turns[1] != turns[2],
           "nobody continues inside the call that woke it");
}

ASSAY_SCENARIO(barrier, "X-20", "", .features = {"checked_destruction"}, .expects_termination = true) {
  auto barrier = make();
  auto wait = co_await t.begin("wait 1", barrier->wait());
  t.premise(wait.pending(), "a party is parked");
  barrier.reset();
  t.fail("a barrier with a parked party was destroyed and nobody noticed");
}

ASSAY_SCENARIO(barrier, "X-23", "", .features = {"timed"}) {
  co_await assay::fires_at_its_deadline(t, make, &wait_void_for);
}

ASSAY_SCENARIO(barrier, "X-23", "extreme durations", .features = {"timed"}) {
  co_await assay::keeps_extreme_durations(t, make, &wait_void_for);
}

ASSAY_SCENARIO(barrier, "X-25", "", .features = {"timed"}) {
  co_await assay::ends_at_once_if_it_has_passed(t, make, &wait_void_for);
}

ASSAY_SCENARIO(barrier, "X-28", "", .features = {"statistics"}) {
  auto barrier = make({.parties = 3});
  auto parked = co_await begin_parties(t, *barrier, 2, "wait");
  const auto before = barrier->waiting();
  const auto after = barrier->waiting();
  t.expect(before == 2 && after == 2, "looking changes nothing, and counts who is parked");
  auto last = co_await t.begin("wait 3", barrier->wait());
  t.expect(last.done() && barrier->waiting() == 0, "who was released counts no more");
  co_await cancel_all(t, parked);
}

ASSAY_SCENARIO(barrier, "X-31", "", .features = {"timed", "cancel_leaves", "release_wins"}, .late = true) {
  for (const auto delay : {10ms, 11ms}) {
    const auto patience = 21ms - delay;
    auto barrier = make(leaving(2));
    const auto take = [&barrier](std::chrono::nanoseconds time) { return wait_void_for(*barrier, time); };
    const auto give = [&barrier] { return wait_void(barrier->wait()); };
    co_await assay::serves_one_about_its_deadline(t, patience, delay, take, give);
  }
}
