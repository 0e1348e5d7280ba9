// The clauses of task_group, each beside the scenario that checks it.
#include <assay/scenarios/failure/task_group/contract.hpp>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/trial.hpp>

namespace {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::awaitable;
using assay::trial;
using std::chrono::nanoseconds;
using group_contract = assay::contract::task_group;
using child = group_contract::child;

// ---- What the children of these scenarios do. Each leaves marks: "a begins", "a ends", and what it was told.

// In the frame of a child: marks where it begins and ends, whichever way it ends.
class presence {
 public:
  presence(trial& t, std::string name) : t_(t), name_(std::move(name)) { t_.mark(name_ + " begins"); }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() { t_.mark(name_ + " ends"); }

 private:
  trial& t_;
  std::string name_;
};

std::size_t times_marked(const trial& t, std::string_view label) {
  return static_cast<std::size_t>(std::count(t.marks().begin(), t.marks().end(), label));
}
bool marked(const trial& t, std::string_view label) { return times_marked(t, label) > 0; }

awaitable<void> sleep_for(nanoseconds delay) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, delay);
  co_await timer.async_wait(asio::use_awaitable);
}

// A sleep that no request ends. The caller has switched throw_if_cancelled off.
awaitable<void> sleep_through(nanoseconds delay) {
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  asio::steady_timer timer(executor, delay);
  auto token = asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable);
  co_await timer.async_wait(token);
}

// Whether the trial keeps account of a failure; only scenarios about failures ask it to.
enum class account { kept, none };

[[noreturn]] void raise_as(trial& t, const std::string& name, account kept) {
  t.mark(name + " raises");
  if (kept == account::kept) t.raise(name + " fails");
  throw assay::contract::operation_error(name + " fails");
}

awaitable<void> work_for(trial& t, std::string name, nanoseconds delay) {
  const presence here(t, name);
  try {
    co_await sleep_for(delay);
  } catch (const boost::system::system_error&) {
    t.mark(name + " is asked to stop");
    throw;
  }
  t.mark(name + " is through");
}

awaitable<void> finish_at_once(trial& t, std::string name) {
  const presence here(t, name);
  t.mark(name + " is through");
  co_return;
}

awaitable<void> fail_after(trial& t, std::string name, nanoseconds delay, account kept) {
  const presence here(t, name);
  co_await sleep_for(delay);
  raise_as(t, name, kept);
}

awaitable<void> fail_at_once(trial& t, std::string name, account kept) {
  const presence here(t, name);
  raise_as(t, name, kept);
  co_return;
}

// Works for `delay`; when it is asked to stop it cleans up for `cleanup`, whatever else is requested meanwhile,
// and ends as cancelled.
awaitable<void> clean_up(trial& t, std::string name, nanoseconds delay, nanoseconds cleanup) {
  const presence here(t, name);
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  bool asked = false;
  try {
    co_await sleep_for(delay);
  } catch (const boost::system::system_error&) {
    asked = true;
  }
  if (!asked) co_return;
  t.mark(name + " is asked to stop");
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await sleep_through(cleanup);
  co_await asio::this_coro::throw_if_cancelled(throwing);
  t.mark(name + " has cleaned up");
  assay::contract::throw_cancelled();
}

// Cleans up in the same way, and fails.
awaitable<void> fail_to_clean_up(trial& t, std::string name, nanoseconds cleanup, account kept) {
  try {
    co_await clean_up(t, name, 1h, cleanup);
  } catch (const boost::system::system_error&) {
    if (marked(t, name + " has cleaned up")) raise_as(t, name, kept);
    throw;
  }
}

// Counts the requests that reach it as marks "a is asked to stop"; ends `cleanup` after the first of them.
awaitable<void> count_requests(trial& t, std::string name, nanoseconds cleanup) {
  const presence here(t, name);
  const asio::any_io_executor executor = co_await asio::this_coro::executor;
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(executor, asio::steady_timer::time_point::max());
  for (bool asked = false; true;) {
    boost::system::error_code ended;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (!ended) break;
    t.mark(name + " is asked to stop");
    if (!std::exchange(asked, true)) timer.expires_after(cleanup);
  }
  co_await asio::this_coro::throw_if_cancelled(throwing);
  assay::contract::throw_cancelled();
}

// Does not heed a request, and goes on waiting: twice more.
awaitable<void> wait_on(trial& t, std::string name) {
  const presence here(t, name);
  for (int i = 0; i < 3; ++i) {
    try {
      co_await sleep_for(1h);
    } catch (const boost::system::system_error&) {
      t.mark(name + " is asked to stop");
    }
  }
  assay::contract::throw_cancelled();
}

awaitable<void> give_up_after(trial& t, std::string name, nanoseconds delay) {
  const presence here(t, name);
  co_await sleep_for(delay);
  assay::contract::throw_cancelled();
}

awaitable<void> exit_after(trial& t, std::string name, nanoseconds delay, int status, account kept) {
  const presence here(t, name);
  co_await sleep_for(delay);
  t.mark(name + " raises");
  if (kept == account::kept) (void)t.plant(assay::contract::exit_request::label(status));
  throw assay::contract::exit_request(status);
}

awaitable<void> spawn_after(trial& t, group_contract& group, std::string name, nanoseconds delay,
                            child next) {
  const presence here(t, name);
  if (delay > 0s) co_await sleep_for(delay);
  const bool taken = group.spawn(std::move(next));
  t.expect(taken, "a group with a child at work takes another child");
}

awaitable<void> spawn_and_give_up(trial& t, group_contract& group, std::string name, child next) {
  const presence here(t, name);
  const bool taken = group.spawn(std::move(next));
  t.expect(taken, "a group with a child at work takes another child");
  co_await sleep_for(1s);
  assay::contract::throw_cancelled();
}

awaitable<void> hold(std::shared_ptr<int> held, nanoseconds delay) {
  if (delay > 0s) co_await sleep_for(delay);
  ++*held;
}

child works(trial& t, std::string name, nanoseconds delay) {
  return child(name, [&t, name, delay] { return work_for(t, name, delay); });
}
child finishes_at_once(trial& t, std::string name) {
  return child(name, [&t, name] { return finish_at_once(t, name); });
}
child fails(trial& t, std::string name, nanoseconds delay, account kept = account::kept) {
  return child(name, [&t, name, delay, kept] { return fail_after(t, name, delay, kept); });
}
child fails_at_once(trial& t, std::string name, account kept = account::kept) {
  return child(name, [&t, name, kept] { return fail_at_once(t, name, kept); });
}
child fails_when_asked(trial& t, std::string name, nanoseconds cleanup, account kept = account::kept) {
  return child(name, [&t, name, cleanup, kept] { return fail_to_clean_up(t, name, cleanup, kept); });
}
// The same, and nobody keeps account of the failure.
child breaks(trial& t, std::string name, nanoseconds delay) {
  return fails(t, std::move(name), delay, account::none);
}
child breaks_at_once(trial& t, std::string name) { return fails_at_once(t, std::move(name), account::none); }
child breaks_when_asked(trial& t, std::string name, nanoseconds cleanup) {
  return fails_when_asked(t, std::move(name), cleanup, account::none);
}
child lingers(trial& t, std::string name, nanoseconds delay, nanoseconds cleanup) {
  return child(name, [&t, name, delay, cleanup] { return clean_up(t, name, delay, cleanup); });
}
// As a child of this temper where one that was asked to stop may take its time, else one that ends at once.
child lingers_if_it_may(trial& t, const assay::maker<group_contract>& make, std::string name,
                        nanoseconds cleanup) {
  if (make.claims("cleanup")) return lingers(t, std::move(name), 1h, cleanup);
  return works(t, std::move(name), 1h);
}
child fails_when_asked_if_it_may(trial& t, const assay::maker<group_contract>& make, std::string name,
                                 nanoseconds cleanup) {
  if (make.claims("cleanup")) return fails_when_asked(t, std::move(name), cleanup);
  return works(t, std::move(name), 1h);
}
child counts_requests(trial& t, std::string name, nanoseconds cleanup) {
  return child(name, [&t, name, cleanup] { return count_requests(t, name, cleanup); });
}
child waits_on(trial& t, std::string name) {
  return child(name, [&t, name] { return wait_on(t, name); });
}
child gives_up(trial& t, std::string name, nanoseconds delay) {
  return child(name, [&t, name, delay] { return give_up_after(t, name, delay); });
}
child exits(trial& t, std::string name, nanoseconds delay, int status, account kept = account::none) {
  return child(name, [&t, name, delay, status, kept] { return exit_after(t, name, delay, status, kept); });
}
child spawns(trial& t, group_contract& group, std::string name, nanoseconds delay, child next) {
  return child(name, [&t, &group, name, delay, next] { return spawn_after(t, group, name, delay, next); });
}
// Owns `held` in its closure and, once it has begun, in its frame.
child holds(std::shared_ptr<int> held, std::string name, nanoseconds delay) {
  return child(std::move(name), [held, delay] { return hold(held, delay); });
}
// A group of its own inside a child.
child runs_group(group_contract& inner, std::string name, std::vector<child> children) {
  return child(std::move(name), [&inner, children] { return inner.run(children); });
}

template <class... Child>
std::vector<child> all(Child... one) {
  std::vector<child> children;
  children.reserve(sizeof...(one));
  (children.push_back(std::move(one)), ...);
  return children;
}

// ---- What these scenarios look at.

// The children that have begun and not ended.
std::string at_work(const trial& t) {
  constexpr std::string_view begins = " begins";
  std::string names;
  for (const std::string& label : t.marks()) {
    if (!label.ends_with(begins)) continue;
    const std::string name = label.substr(0, label.size() - begins.size());
    if (!marked(t, name + " ends")) names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

// Runs the group and looks, in the very turn in which its caller goes on, whether a child is still alive.
awaitable<void> look_at_end(trial& t, awaitable<void> run) {
  std::exception_ptr failure;
  try {
    co_await std::move(run);
  } catch (...) {
    failure = std::current_exception();
  }
  const std::string left = at_work(t);
  t.expect(left.empty(), "the group ends after its children", left + " at work when it ended");
  if (failure) std::rethrow_exception(failure);
}

// The same for what the children own.
awaitable<void> look_at_state(trial& t, awaitable<void> run, std::weak_ptr<int> held) {
  std::exception_ptr failure;
  try {
    co_await std::move(run);
  } catch (...) {
    failure = std::current_exception();
  }
  t.expect(held.expired(), "the group ends after its children's state is destroyed");
  if (failure) std::rethrow_exception(failure);
}

// Lets weak requests through to the group as well: Asio's coroutines heed terminal ones only, by default.
awaitable<void> heed_all_requests(awaitable<void> run) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await std::move(run);
}

// What the group ended with tells, or has told the hook, each failure of these children exactly once.
void expect_told(trial& t, const assay::operation<void>& run, const std::vector<std::string>& names) {
  (void)run.what();
  for (const std::string& name : names) {
    if (!marked(t, name + " raises")) continue;
    const std::uint32_t times = t.times_observed(name + " fails");
    t.expect(times > 0, "every failure is told", "that of " + name + " is lost");
    t.expect(times < 2, "every failure is told once", "that of " + name + " is told more often");
  }
}

// Where it names children at all, each failure stands under the name of the child that it came from.
void expect_named(trial& t, const assay::outcome& what) {
  for (const assay::outcome::member& one : what.members) {
    if (one.what.kind != assay::outcome_kind::error) continue;
    t.expect(one.what.label == one.task + " fails", "a failure is told under the right name",
             one.what.label + " as " + one.task);
  }
}

// The names in an aggregate, in its order.
std::vector<std::string> names_in(const assay::outcome& what) {
  std::vector<std::string> names;
  names.reserve(what.members.size());
  for (const assay::outcome::member& one : what.members) names.push_back(one.task);
  return names;
}

bool tells_cancellation(const assay::outcome& what) {
  if (what.kind == assay::outcome_kind::cancelled) return true;
  return std::any_of(what.members.begin(), what.members.end(),
                     [](const assay::outcome::member& one) { return tells_cancellation(one.what); });
}

ASSAY_CONTRACT(task_group, "failure", "children that all end before the group does; failures are grouped");

// ---- TG-1: the group ends last

ASSAY_CLAUSE(task_group, "TG-1", must,
             "`wait` returns only when every child, including children started by children, has ended.") {
  auto group = make();
  auto run = t.start(
      "run", look_at_end(t, group->run(all(works(t, "a", 1s), works(t, "b", 3s), finishes_at_once(t, "c")))));
  co_await t.settle();
  t.expect(run.pending(), "the group waits for children that are at work");
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(marked(t, "a is through"), "the children are at work at the same time");
  t.expect(run.pending(), "the end of one child does not end the group");
  co_await t.advance(2s);
  t.expect(run.pending(), "the group waits for the last child");
  co_await t.settle();
  t.expect(run.done(), "the group ends as soon as all its children have ended");
}

ASSAY_SCENARIO(task_group, "TG-1", "after a failure", .features = {"cleanup"},
               .why = "children that clean up after the first failure are waited for") {
  auto group = make();
  auto run = t.start(
      "run",
      look_at_end(t, group->run(all(lingers(t, "a", 1h, 2s), breaks(t, "b", 1s), lingers(t, "c", 1h, 5s)))));
  co_await t.settle();
  co_await t.advance(6s);
  t.expect(run.pending(), "the group waits for children that clean up after a failure");
  co_await t.advance(2h);
  t.expect(run.ended(), "the group ends once the last child has cleaned up");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-1", "swept", .features = {"cleanup"}, .swept = true) {
  auto group = make();
  auto run = t.start("run", look_at_end(t, group->run(all(works(t, "a", 1s), lingers(t, "b", 2s, 2s),
                                                          finishes_at_once(t, "c"), works(t, "d", 3s)))));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends once its children have ended");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-1", "children of children", .features = {"nested_spawn"}) {
  auto group = make();
  auto third = works(t, "c", 3s);
  auto second = spawns(t, *group, "b", 0s, std::move(third));
  auto first = spawns(t, *group, "a", 1s, std::move(second));
  auto run = t.start("run", look_at_end(t, group->run(all(std::move(first)))));
  co_await t.settle();
  co_await t.advance(4s);
  t.expect(marked(t, "c begins"), "a child of a child's child begins");
  t.expect(run.pending(), "the group waits for children that children started");
  co_await t.settle();
  t.expect(run.done(), "the group ends as soon as the children's children have ended");
}

ASSAY_SCENARIO(task_group, "TG-1", "spawned from outside", .features = {"dynamic_spawn"}) {
  auto group = make();
  auto run = t.start("run", look_at_end(t, group->run(all(works(t, "a", 2s)))));
  co_await t.settle();
  co_await t.advance(1s);
  const bool taken = group->spawn(works(t, "b", 3s));
  t.expect(taken, "a group with a child at work takes another child");
  co_await t.settle();
  co_await t.advance(3s);
  t.expect(run.pending(), "the group waits for a child that came later");
  co_await t.settle();
  t.expect(run.done(), "the group ends as soon as the child that came later has ended");
}

// ---- TG-2: the first failure asks the others to stop

ASSAY_CLAUSE(
    task_group, "TG-2", must,
    "The first child failure (not cancellation) requests cancellation of all siblings and of the group "
    "body, once.") {
  auto group = make();
  auto run = t.start(
      "run", group->run(all(works(t, "a", 1h), works(t, "b", 1s), breaks(t, "c", 2s), works(t, "d", 1h))));
  co_await t.settle();
  co_await t.advance(2s);
  t.expect(!marked(t, "a is asked to stop"), "without a failure nobody is asked to stop");
  co_await t.settle();
  t.expect(marked(t, "a is asked to stop"), "the first failure asks the siblings before it to stop");
  t.expect(marked(t, "d is asked to stop"), "the first failure asks the siblings after it to stop");
  t.expect(run.ended(), "the group ends at once when all its children heed the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-2", "before they begin",
               .why = "siblings that have not begun are stopped as well") {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1h), breaks_at_once(t, "b"), works(t, "c", 1h))));
  co_await t.settle();
  t.expect(run.ended(), "a failure in a child's first turn stops all siblings, begun or not");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-2", "beside slow cleanup",
               .why = "nobody is asked later because somebody else takes long to stop") {
  auto group = make();
  auto run = t.start("run", group->run(all(lingers(t, "a", 1h, 5s), works(t, "b", 1h), breaks(t, "c", 1s),
                                           lingers(t, "d", 1h, 3s), works(t, "e", 1h))));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(marked(t, "b is asked to stop"), "the first failure asks the siblings before it to stop at once");
  t.expect(marked(t, "e is asked to stop"), "the first failure asks the siblings after it to stop at once");
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-2", "once") {
  auto group = make();
  auto run = t.start("run", group->run(all(counts_requests(t, "a", 5s), breaks(t, "b", 1s),
                                           breaks_when_asked(t, "c", 2s), breaks_when_asked(t, "d", 3s))));
  co_await t.settle();
  co_await t.advance(1h);
  t.expect(times_marked(t, "a is asked to stop") < 2, "further failures repeat the request to stop");
  t.expect(run.ended(), "the group ends with the failures");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-2", "body", .features = {"body_failure"}) {
  auto group = make();
  auto body = works(t, "body", 1h);
  auto run =
      t.start("run", group->run_with_body(all(works(t, "a", 1h), breaks(t, "b", 1s)), std::move(body.run)));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(marked(t, "body is asked to stop"), "a child's failure asks the body to stop");
  t.expect(run.ended(), "the group ends at once when all heed the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-2", "spawned while ending", .features = {"dynamic_spawn"},
               .why = "a group may take a child while it ends; then it asks this one to stop as well") {
  auto group = make();
  auto run = t.start("run", group->run(all(breaks(t, "a", 1s), lingers(t, "b", 1h, 3s))));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  (void)group->spawn(works(t, "late", 1h));
  co_await t.settle();
  co_await t.advance(3s);
  co_await t.settle();
  t.expect(run.ended(), "a child that came while the group was ending is not left at work");
  (void)run.what();
}

// ---- TG-3, TG-4: all failures are told

ASSAY_CLAUSE(
    task_group, "TG-3", must,
    "All failures, including ones raised while siblings were being cancelled, are told, each labelled "
    "with the child's name; with `ordered_failures` the aggregate holds them in completion order.",
    .features = {"cleanup"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(fails_when_asked(t, "a", 2s), works(t, "b", 1h), fails(t, "c", 1s),
                                           fails_when_asked(t, "d", 0s))));
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.failed(), "a group with failures fails");
  expect_told(t, run, {"a", "c", "d"});
  expect_named(t, run.what());
}

ASSAY_SCENARIO(task_group, "TG-3", "at one instant",
               .why = "failures of several children at once, some of which never come to raise theirs") {
  auto group = make();
  auto run = t.start("run", group->run(all(fails(t, "a", 1s), fails_at_once(t, "b"), fails(t, "c", 1s),
                                           fails_at_once(t, "d"))));
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.failed(), "a group with failures fails");
  expect_told(t, run, {"a", "b", "c", "d"});
  expect_named(t, run.what());
}

ASSAY_SCENARIO(task_group, "TG-3", "swept", .features = {"cleanup"}, .swept = true) {
  auto group = make();
  auto run = t.start("run", group->run(all(fails_when_asked(t, "a", 2s), fails(t, "b", 1s), fails(t, "c", 1s),
                                           fails_at_once(t, "d"))));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(2h);
  expect_told(t, run, {"a", "b", "c", "d"});
}

ASSAY_SCENARIO(task_group, "TG-3", "order", .features = {"ordered_failures", "cleanup"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(breaks_when_asked(t, "a", 2s), breaks(t, "b", 1s),
                                           breaks_when_asked(t, "c", 1s), breaks_when_asked(t, "d", 3s))));
  co_await t.settle();
  co_await t.advance(1min);
  const std::vector<std::string> names = names_in(run.what());
  const std::vector<std::string> expected{"b", "c", "a", "d"};
  t.expect_eq(names, expected, "the failures stand in the order in which they happened");
}

ASSAY_CLAUSE(
    task_group, "TG-4", must,
    "With exactly one failure the result is still an aggregate of size one (uniform handling), unless "
    "the API offers a separate \"unwrap single\" form.",
    .features = {"always_aggregate"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1h), breaks(t, "b", 1s), works(t, "c", 500ms))));
  co_await t.settle();
  co_await t.advance(2h);
  const assay::outcome what = run.what();
  t.expect(what.kind == assay::outcome_kind::aggregate, "a single failure is told as an aggregate, too");
  t.expect_eq(what.members.size(), 1U, "the aggregate holds the one failure");
}

// ---- TG-5: cancellation from outside

ASSAY_CLAUSE(
    task_group, "TG-5", must,
    "Outside cancellation with no failure ends as cancelled, not as an aggregate; outside cancellation "
    "plus a failure ends as the failure (X-18).") {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1h), lingers(t, "b", 1h, 2s), works(t, "c", 1s))));
  co_await t.settle();
  co_await t.advance(2s);
  run.cancel();
  co_await t.settle();
  t.expect(marked(t, "a is asked to stop"), "a request from outside reaches the children");
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  const assay::outcome what = run.what();
  t.expect(what.kind == assay::outcome_kind::cancelled,
           "a group that was cancelled without a failure ends as cancelled", to_string(what));
}

ASSAY_SCENARIO(task_group, "TG-5", "failure while stopping", .features = {"cleanup"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1h), breaks_when_asked(t, "b", 2s))));
  co_await t.settle();
  run.cancel();
  co_await t.settle();
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  t.expect(run.failed(), "a failure while stopping is told, although the group was cancelled");
}

ASSAY_SCENARIO(task_group, "TG-5", "after a failure") {
  auto group = make();
  auto run = t.start("run", group->run(all(breaks(t, "a", 1s), lingers(t, "b", 1h, 3s))));
  co_await t.settle();
  co_await t.advance(2s);
  run.cancel();
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  t.expect(run.failed(), "a failure is told, although the group was cancelled later");
}

// ---- TG-6: a child's own cancellation

ASSAY_CLAUSE(
    task_group, "TG-6", must,
    "A child that ends cancelled on its own (nobody asked the group) does not cancel siblings and is "
    "not a failure.",
    .features = {"own_cancellation"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 2s), gives_up(t, "b", 1s), works(t, "c", 3s))));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(!marked(t, "a is asked to stop"), "a child that gives up by itself leaves its siblings alone");
  t.expect(run.pending(), "the group goes on without a child that gave up");
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(run.done(), "a child that gave up by itself is no failure");
}

ASSAY_SCENARIO(task_group, "TG-6", "spawner", .features = {"own_cancellation", "nested_spawn"},
               .why = "what a child started belongs to the group, not to that child") {
  auto group = make();
  group_contract& started = *group;
  auto next = works(t, "b", 3s);
  child first("a", [&t, &started, next] { return spawn_and_give_up(t, started, "a", next); });
  auto run = t.start("run", group->run(all(std::move(first), works(t, "c", 2s))));
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(marked(t, "b is through"), "the end of the child that started it leaves a child alone");
  t.expect(marked(t, "c is through"), "a child that gives up by itself leaves its siblings alone");
  t.expect(run.done(), "a child that gave up by itself is no failure");
}

// ---- TG-7: too late

ASSAY_CLAUSE(
    task_group, "TG-7", must,
    "Spawning after the group is closed, aborting or finished is refused synchronously, and the refused "
    "work is destroyed without running any of its body.",
    .features = {"dynamic_spawn", "late_refusal"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1s))));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(run.done(), "the group ends with its last child");
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  const bool taken = group->spawn(holds(std::move(held), "held", 1s));
  t.expect(!taken, "a group that has ended takes no child");
  const bool taken_too = group->spawn(finishes_at_once(t, "late"));
  t.expect(!taken_too, "a group that has ended takes no child");
  co_await t.settle();
  t.expect(watched.expired(), "work that was refused is destroyed");
  t.expect(!marked(t, "late begins"), "work that was refused does not begin");
}

ASSAY_SCENARIO(task_group, "TG-7", "after a failure", .features = {"dynamic_spawn", "late_refusal"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(breaks(t, "a", 1s), lingers(t, "b", 1h, 2s))));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  const bool taken = group->spawn(finishes_at_once(t, "late"));
  t.expect(!taken, "a group that is ending after a failure takes no child");
  co_await t.settle();
  t.expect(!marked(t, "late begins"), "work that was refused does not begin");
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-7", "after a request", .features = {"dynamic_spawn", "late_refusal"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(lingers(t, "a", 1h, 2s))));
  co_await t.settle();
  run.cancel();
  co_await t.settle();
  const bool taken = group->spawn(finishes_at_once(t, "late"));
  t.expect(!taken, "a group that was cancelled takes no child");
  co_await t.settle();
  t.expect(!marked(t, "late begins"), "work that was refused does not begin");
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-7", "closed", .features = {"dynamic_spawn", "late_refusal", "close"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1s))));
  co_await t.settle();
  group->close();
  const bool taken = group->spawn(finishes_at_once(t, "late"));
  t.expect(!taken, "a group that is closed takes no child");
  co_await t.settle();
  t.expect(!marked(t, "late begins"), "work that was refused does not begin");
  t.expect(!marked(t, "a is asked to stop"), "closing a group leaves its children alone");
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(run.done(), "a closed group ends with its last child");
}

// ---- TG-8: the body

ASSAY_CLAUSE(task_group, "TG-8", must,
             "A body failure is treated like a child failure and listed with the children's.",
             .features = {"body_failure"}) {
  auto group = make();
  auto body = fails(t, "body", 1s);
  auto other = fails_when_asked_if_it_may(t, make, "b", 1s);
  auto run =
      t.start("run", group->run_with_body(all(works(t, "a", 1h), std::move(other)), std::move(body.run)));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(marked(t, "a is asked to stop"), "a failure of the body asks the children to stop");
  if (make.claims("cleanup"))
    t.expect(run.pending(), "the group waits for its children when the body has failed");
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(run.failed(), "the group fails with its body");
  expect_told(t, run, {"body", "b"});
}

// ---- TG-9: impatience

ASSAY_CLAUSE(
    task_group, "TG-9", must,
    "Further outside cancel requests while waiting do not abandon children; the wait stays until they "
    "end.",
    .features = {"cleanup"}) {
  auto group = make();
  auto run =
      t.start("run", look_at_end(t, group->run(all(lingers(t, "a", 1h, 3s), lingers(t, "b", 1h, 5s)))));
  co_await t.settle();
  for (int i = 0; i < 3; ++i) {
    run.cancel();
    co_await t.settle();
    t.expect(run.pending(), "the group waits for its children, however often it is cancelled");
    co_await t.advance(1s);
  }
  co_await t.advance(2s);
  t.expect(run.pending(), "the group waits for its last child");
  co_await t.settle();
  t.expect(run.ended(), "the group ends as soon as its children have ended");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "TG-9", "swept", .features = {"cleanup"}, .swept = true,
               .why = "the sweep cancels twice") {
  auto group = make();
  auto run =
      t.start("run", look_at_end(t, group->run(all(lingers(t, "a", 2s, 3s), lingers(t, "b", 3s, 1s)))));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends as soon as its children have ended");
  (void)run.what();
}

// ---- TG-10: nothing to wait for

ASSAY_CLAUSE(task_group, "TG-10", must,
             "An empty group completes at once; children that finish synchronously are counted.") {
  auto group = make();
  std::vector<child> none;
  auto run = t.start("run", group->run(std::move(none)));
  co_await t.settle();
  t.expect(run.done(), "an empty group ends at once");
}

ASSAY_SCENARIO(task_group, "TG-10", "synchronous") {
  auto group = make();
  auto run = t.start("run", look_at_end(t, group->run(all(finishes_at_once(t, "a"), finishes_at_once(t, "b"),
                                                          finishes_at_once(t, "c")))));
  co_await t.settle();
  for (const char* const name : {"a", "b", "c"}) {
    t.expect_eq(times_marked(t, std::string(name) + " is through"), 1U, "every child is run once");
  }
  t.expect(run.done(), "a group of children that end in their first turn ends at once");
}

ASSAY_SCENARIO(task_group, "TG-10", "synchronous failure") {
  auto group = make();
  auto run = t.start("run", look_at_end(t, group->run(all(breaks_at_once(t, "a")))));
  co_await t.settle();
  t.expect(run.failed(), "a group whose child fails in its first turn fails at once");
}

// ---- TG-11: what a child owned

ASSAY_CLAUSE(task_group, "TG-11", must,
             "A child's wake-up of the joiner happens after that child's state is destroyed (X-19).",
             .features = {"lifetime"}) {
  auto group = make();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto children = all(holds(held, "a", 1s), holds(held, "b", 2s), holds(held, "c", 0s));
  held.reset();
  auto run = t.start("run", look_at_state(t, group->run(std::move(children)), watched));
  co_await t.settle();
  co_await t.advance(2s);
  t.expect(!watched.expired(), "a child keeps its state while it is at work");
  co_await t.settle();
  t.expect(run.done(), "the group ends with its last child");
}

ASSAY_SCENARIO(task_group, "TG-11", "after a failure", .features = {"lifetime"}) {
  auto group = make();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto children = all(holds(held, "a", 1h), breaks_at_once(t, "b"), holds(held, "c", 1h));
  held.reset();
  auto run = t.start("run", look_at_state(t, group->run(std::move(children)), watched));
  co_await t.settle();
  co_await t.advance(2h);
  (void)run.what();
}

// ---- TG-12: the wish to end the process

ASSAY_CLAUSE(task_group, "TG-12", must,
             "A designated \"fatal\" class (process exit request) is re-raised bare and ahead of ordinary "
             "failures, but only after all children ended.",
             .features = {"fatal_class"}) {
  for (const int status : {3, 70}) {
    const std::string suffix = " " + std::to_string(status);
    auto group = make();
    auto other = lingers_if_it_may(t, make, "b" + suffix, 2s);
    auto run =
        t.start("run", look_at_end(t, group->run(all(exits(t, "a" + suffix, 1s, status), std::move(other)))));
    co_await t.settle();
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(marked(t, "b" + suffix + " is asked to stop"), "an exit request asks the others to stop");
    const bool cleans = make.claims("cleanup");
    if (cleans) t.expect(run.pending(), "an exit request waits until all children have ended");
    co_await t.advance(2s);
    co_await t.settle();
    if (cleans)
      t.expect(marked(t, "b" + suffix + " has cleaned up"), "an exit request lets the others clean up");
    t.expect(run.failed(), "the group ends with the exit request");
    const assay::outcome what = run.what();
    t.expect_eq(what.label, assay::contract::exit_request::label(status), "an exit request is told bare");
  }
}

ASSAY_SCENARIO(task_group, "TG-12", "beside failures", .features = {"fatal_class"},
               .why = "an exit request among failures; what becomes of these is X-15's matter") {
  auto group = make();
  auto run = t.start("run", group->run(all(breaks(t, "a", 1s), exits(t, "b", 1s, 3), breaks(t, "c", 1s))));
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(run.failed(), "the group fails");
  const assay::outcome what = run.what();
  const bool asked_to_exit = marked(t, "b raises");  // unless a or c came first and stopped it
  t.sometimes("an exit request after a failure", asked_to_exit && marked(t, "a raises"));
  if (asked_to_exit) {
    t.expect_eq(what.label, assay::contract::exit_request::label(3),
                "an exit request comes before ordinary failures");
  }
}

// ---- TG-13: collecting

ASSAY_CLAUSE(task_group, "TG-13", should,
             "Offer a `collect` mode (no sibling cancel) with identical accounting.",
             .features = {"collect"}) {
  auto group = make({.collect = true});
  auto run = t.start("run", look_at_end(t, group->run(all(works(t, "a", 3s), fails(t, "b", 1s),
                                                          fails(t, "c", 2s), works(t, "d", 4s)))));
  co_await t.settle();
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(!marked(t, "a is asked to stop"), "in collect mode a failure leaves the siblings alone");
  t.expect(run.pending(), "in collect mode the group waits for all children");
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(marked(t, "a is through") && marked(t, "d is through"), "in collect mode the siblings finish");
  t.expect(run.failed(), "in collect mode failures are told at the end");
  expect_told(t, run, {"b", "c"});
}

ASSAY_SCENARIO(task_group, "TG-13", "cancelled", .features = {"collect"}) {
  auto group = make({.collect = true});
  auto other = fails_when_asked_if_it_may(t, make, "c", 2s);
  auto run =
      t.start("run", look_at_end(t, group->run(all(works(t, "a", 1h), fails(t, "b", 1s), std::move(other)))));
  co_await t.settle();
  co_await t.advance(2s);
  run.cancel();
  co_await t.settle();
  t.expect(marked(t, "a is asked to stop"), "in collect mode a request from outside reaches the children");
  co_await t.advance(2s);
  co_await t.settle();
  t.expect(run.failed(), "in collect mode a failure comes before a cancellation");
  expect_told(t, run, {"b", "c"});
}

// ---- The cross-cutting clauses, as far as a group shows them

ASSAY_SCENARIO(task_group, "X-1", "", .swept = true) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1s), works(t, "b", 2s), lingers(t, "c", 3s, 1s),
                                           finishes_at_once(t, "d"))));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends, whatever happens to it");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "X-5", "") {
  auto group = make();
  auto run = t.start("run", group->run(all(waits_on(t, "a"), works(t, "b", 1h))));
  co_await t.settle();
  run.cancel();
  co_await t.settle();
  t.expect_eq(times_marked(t, "a is asked to stop"), 3U,
              "in a group that was cancelled every later suspension reports so at once");
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "X-5", "after a failure") {
  auto group = make();
  auto run = t.start("run", group->run(all(waits_on(t, "a"), breaks(t, "b", 1s))));
  co_await t.settle();
  co_await t.advance(1s);
  co_await t.settle();
  t.expect_eq(times_marked(t, "a is asked to stop"), 3U,
              "in a group that is ending every later suspension reports so at once");
  t.expect(run.ended(), "the group ends when its children have heeded the request");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "X-7", "", .why = "a weak request first, which need not reach anybody") {
  auto group = make();
  auto run = t.start("run", heed_all_requests(group->run(all(works(t, "a", 1h), works(t, "b", 1h)))));
  co_await t.settle();
  run.request(asio::cancellation_type::total);
  co_await t.settle();
  run.request(asio::cancellation_type::terminal);
  co_await t.settle();
  t.expect(run.ended(), "a strong request gets through after a weak one");
  (void)run.what();
}

ASSAY_SCENARIO(task_group, "X-8", "", .why = "a group in a group: neither makes more of a cancellation") {
  auto outer = make();
  auto inner = make();
  auto nested = runs_group(*inner, "inner", all(works(t, "a", 1h), works(t, "b", 1h)));
  auto run = t.start("run", outer->run(all(std::move(nested), works(t, "c", 1h))));
  co_await t.settle();
  run.cancel();
  co_await t.settle();
  t.expect(run.ended(), "both groups end when the children have heeded the request");
  const assay::outcome what = run.what();
  t.expect(what.kind == assay::outcome_kind::cancelled,
           "cancellation is neither a value nor a failure to a group", to_string(what));
}

ASSAY_SCENARIO(task_group, "X-8", "after a failure") {
  auto outer = make();
  auto inner = make();
  auto nested = runs_group(*inner, "inner", all(works(t, "a", 1h), works(t, "b", 1h)));
  auto run = t.start("run", outer->run(all(std::move(nested), breaks(t, "c", 1s))));
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.failed(), "the failure ends both groups");
  const assay::outcome what = run.what();
  t.expect(!tells_cancellation(what), "an inner group that was asked to stop is no failure of the outer one",
           to_string(what));
}

ASSAY_SCENARIO(task_group, "X-15", "", .features = {"cleanup"}, .swept = true) {
  auto group = make();
  auto run = t.start("run", group->run(all(fails(t, "a", 1s), fails_at_once(t, "b"), fails(t, "c", 1s),
                                           fails_when_asked(t, "d", 0s), fails_when_asked(t, "e", 2s))));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(2h);
  expect_told(t, run, {"a", "b", "c", "d", "e"});
}

ASSAY_SCENARIO(task_group, "X-15", "groups in groups", .features = {"cleanup"}) {
  auto outer = make();
  auto inner = make();
  auto nested = runs_group(*inner, "inner", all(fails(t, "a", 1s), fails_when_asked(t, "b", 1s)));
  auto run = t.start("run", outer->run(all(std::move(nested), fails_when_asked(t, "c", 1s))));
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.failed(), "a failure ends both groups");
  expect_told(t, run, {"a", "b", "c"});
}

ASSAY_SCENARIO(task_group, "X-15", "beside an exit request", .features = {"fatal_class"}) {
  auto group = make();
  auto other = fails_when_asked_if_it_may(t, make, "c", 2s);
  auto run = t.start(
      "run", group->run(all(fails(t, "a", 1s), exits(t, "b", 1s, 3, account::kept), std::move(other))));
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.failed(), "the group fails");
  t.sometimes("an exit request beside a failure", marked(t, "b raises") && marked(t, "a raises"));
  expect_told(t, run, {"a", "c"});
}

ASSAY_SCENARIO(task_group, "X-16", "", .features = {"cleanup"}) {
  auto group = make();
  auto run = t.start("run", group->run(all(works(t, "a", 1h), fails(t, "b", 1s), lingers(t, "c", 1h, 1s),
                                           fails_when_asked(t, "d", 2s), works(t, "e", 1h))));
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.failed(), "a group with failures fails");
  const assay::outcome what = run.what();
  t.expect(!tells_cancellation(what), "what the group ends with tells cancellations that it caused itself",
           to_string(what));
  expect_told(t, run, {"b", "d"});
  expect_named(t, run.what());
}

ASSAY_SCENARIO(task_group, "X-18", "", .features = {"cleanup"}, .swept = true) {
  auto group = make();
  auto run = t.start("run", group->run(all(breaks(t, "a", 1s), works(t, "b", 2s), lingers(t, "c", 2s, 1s))));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(2h);
  t.expect(run.ended(), "the group ends once its children have ended");
  const bool raised = marked(t, "a raises");
  t.sometimes("a failure in a group", raised);
  const assay::outcome what = run.what();
  if (raised) {
    t.expect(run.failed(), "a real failure beats a cancellation", to_string(what));
  } else {
    t.expect(what.kind == assay::outcome_kind::cancelled,
             "cancellation without a failure is reported as such", to_string(what));
  }
}

ASSAY_SCENARIO(task_group, "X-19", "", .features = {"lifetime"}, .swept = true) {
  auto group = make();
  auto held = std::make_shared<int>(0);
  const std::weak_ptr<int> watched = held;
  auto children = all(holds(held, "a", 1s), holds(held, "b", 2s), works(t, "c", 1s));
  held.reset();
  auto run = t.start("run", look_at_state(t, group->run(std::move(children)), watched));
  t.victim(run);
  co_await t.settle();
  co_await t.advance(1min);
  t.expect(run.ended(), "the group ends once its children have ended");
  t.expect(watched.expired(), "nothing of a child is left when the group has ended");
  (void)run.what();
}

}  // namespace
