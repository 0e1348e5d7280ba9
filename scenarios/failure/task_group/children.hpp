// What the scenarios of task_group have in common: children of every temper, which leave marks, and what is looked at.
#pragma once

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <set>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay::task_groups {

using namespace std::chrono_literals;
namespace asio = boost::asio;
using asio::awaitable;
using std::chrono::nanoseconds;
using group_contract = contract::task_group;
using child = group_contract::child;

// ---- What the children of these scenarios do. Each leaves marks: "a begins", "a ends", and what it was told.

inline auto times_marked(const trial& t, std::string_view label) {
  return std::ranges::count(t.marks(), label);
}
inline bool marked(const trial& t, std::string_view label) { return times_marked(t, label) > 0; }

// In the frame of a child: marks where it begins and ends, whichever way it ends.
struct presence {
  presence(trial& of, std::string who) : t(of), name(std::move(who)) { t.mark(name + " begins"); }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() { t.mark(name + " ends"); }
  trial& t;
  const std::string name;
};

// How a child lives. Without a delay it ends in its first turn; without cleanup it ends as soon as it is asked to stop, else
// it cleans up, whatever is requested meanwhile.
struct temper {
  nanoseconds delay{};
  std::function<void()> then = [] {};
  nanoseconds cleanup{};
  std::function<void()> when_asked = nullptr;
};

inline awaitable<void> live(trial& t, std::string name, temper is) {
  const presence here(t, name);
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  std::exception_ptr request;
  try {
    if (is.delay > 0s) co_await sleep_for(is.delay);
  } catch (const boost::system::system_error&) {
    request = std::current_exception();
  }
  if (!request) co_return is.then();
  t.mark(name + " is asked to stop");
  if (!is.when_asked) std::rethrow_exception(request);
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(co_await asio::this_coro::executor, is.cleanup);
  co_await timer.async_wait(asio::bind_cancellation_slot(asio::cancellation_slot(), asio::use_awaitable));
  co_await asio::this_coro::throw_if_cancelled(throwing);
  t.mark(name + " has cleaned up");
  is.when_asked();
}

// Marks every request that reaches it; ends `cleanup` after the first of them.
inline awaitable<void> count_requests(trial& t, std::string name, nanoseconds cleanup) {
  const presence here(t, name);
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(co_await asio::this_coro::executor, asio::steady_timer::time_point::max());
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
inline awaitable<void> wait_on(trial& t, std::string name) {
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

inline awaitable<void> spawn_and_give_up(trial& t, group_contract& group, std::string name, child next) {
  const presence here(t, name);
  t.expect(group.spawn(std::move(next)), "a group with a child at work takes another child");
  co_await sleep_for(1s);
  assay::contract::throw_cancelled();
}

// Starts a sibling in its first turn, and goes on.
inline awaitable<void> spawn_and_work(trial& t, group_contract& group, std::string name, child next) {
  const presence here(t, name);
  t.expect(group.spawn(std::move(next)), "a group with a child at work takes another child");
  std::exception_ptr request;
  try {
    co_await sleep_for(1h);
  } catch (const boost::system::system_error&) {
    request = std::current_exception();
  }
  if (!request) co_return;
  t.mark(name + " is asked to stop");
  std::rethrow_exception(request);
}

inline awaitable<void> hold(std::shared_ptr<int> held, nanoseconds delay) {
  if (delay > 0s) co_await sleep_for(delay);
  ++*held;
}

inline child lives(trial& t, const std::string& name, temper is) {
  return child(name, [&t, name, is] { return live(t, name, is); });
}
inline child works(trial& t, std::string name, nanoseconds delay) {
  return lives(t, name, {delay, [&t, name] { t.mark(name + " is through"); }});
}
// The trial keeps account of the failures of what `fails`, not of what `breaks`.
inline auto failing(trial& t, const std::string& name) {
  return [&t, name] {
    t.mark(name + " raises");
    t.raise(name + " fails");
  };
}
inline auto breaking(trial& t, const std::string& name) {
  return [&t, name] {
    t.mark(name + " raises");
    throw assay::contract::operation_error(name + " fails");
  };
}
inline child fails(trial& t, const std::string& name, nanoseconds delay) {
  return lives(t, name, {delay, failing(t, name)});
}
inline child breaks(trial& t, const std::string& name, nanoseconds delay) {
  return lives(t, name, {delay, breaking(t, name)});
}
inline child fails_when_asked(trial& t, const std::string& name, nanoseconds cleanup) {
  return lives(t, name, {1h, [] {}, cleanup, failing(t, name)});
}
inline child breaks_when_asked(trial& t, const std::string& name, nanoseconds cleanup) {
  return lives(t, name, {1h, [] {}, cleanup, breaking(t, name)});
}
inline child gives_up(trial& t, const std::string& name, nanoseconds delay) {
  return lives(t, name, {delay, assay::contract::throw_cancelled});
}
inline child exits(trial& t, std::string name, nanoseconds delay, int status, bool keep_account = false) {
  auto exit = [&t, name, status, keep_account] {
    t.mark(name + " raises");
    if (keep_account) (void)t.plant(assay::contract::exit_request::label(status));
    throw assay::contract::exit_request(status);
  };
  return lives(t, name, {delay, std::move(exit)});
}
inline child spawns(trial& t, group_contract& group, const std::string& name, nanoseconds delay, child next) {
  auto spawn = [&t, &group, next] {
    t.expect(group.spawn(next), "a group with a child at work takes another child");
  };
  return lives(t, name, {delay, std::move(spawn)});
}
inline child lingers(trial& t, const std::string& name, nanoseconds delay, nanoseconds cleanup) {
  return lives(t, name, {delay, [] {}, cleanup, assay::contract::throw_cancelled});
}
inline child ends_well_when_asked(trial& t, const std::string& name, nanoseconds cleanup) {
  return lives(t, name, {1h, [] {}, cleanup, [] {}});
}
inline child counts_requests(trial& t, std::string name, nanoseconds cleanup) {
  return child(name, [&t, name, cleanup] { return count_requests(t, name, cleanup); });
}
inline child waits_on(trial& t, std::string name) {
  return child(name, [&t, name] { return wait_on(t, name); });
}
// The same under another name, which is all that the group knows of it.
inline child renamed(child one, std::string name) {
  one.name = std::move(name);
  return one;
}
// Owns `held` in its closure and, once it has begun, in its frame.
inline child holds(std::shared_ptr<int> held, std::string name, nanoseconds delay) {
  return child(std::move(name), [held, delay] { return hold(held, delay); });
}
// A group of its own inside a child.
inline child runs_group(group_contract& inner, std::vector<child> children) {
  return child("inner", [&inner, children] { return inner.run(children); });
}

template <class... Child>
std::vector<child> all(Child... one) {
  std::vector<child> children;
  children.reserve(sizeof...(one));
  (children.push_back(std::move(one)), ...);
  return children;
}

// ---- What these scenarios look at.

// The children that have begun and not ended, by name.
inline std::string at_work(const trial& t) {
  constexpr std::string_view begins = " begins";
  std::set<std::string> names;
  for (const std::string& label : t.marks()) {
    if (!label.ends_with(begins)) continue;
    std::string name = label.substr(0, label.size() - begins.size());
    if (!marked(t, name + " ends")) names.insert(std::move(name));
  }
  std::string all;
  for (const std::string& name : names) all += (all.empty() ? "" : ", ") + name;
  return all;
}

// What a scenario presupposes: these are at work, and nobody else.
inline void presuppose_at_work(trial& t, std::string_view names) {
  t.premise(at_work(t) == names, "at work: " + std::string(names));
}
inline void presuppose(trial& t, const std::string& mark) { t.premise(marked(t, mark), mark); }

// Runs the group and looks, in the very turn in which its caller goes on, whether a child is still alive.
inline awaitable<void> look_at_end(trial& t, awaitable<void> run) {
  const std::exception_ptr failure = co_await failure_of(std::move(run));
  const std::string left = at_work(t);
  t.expect(left.empty(), "the group ends after its children", left + " at work when it ended");
  if (failure) std::rethrow_exception(failure);
}

// The same for what the children own.
inline awaitable<void> look_at_state(trial& t, awaitable<void> run, std::weak_ptr<int> held) {
  const std::exception_ptr failure = co_await failure_of(std::move(run));
  t.expect(held.expired(), "the group ends after its children's state is destroyed");
  if (failure) std::rethrow_exception(failure);
}

// Lets weak requests through to the group as well: Asio's coroutines heed terminal ones only, by default.
inline awaitable<void> heed_all_requests(awaitable<void> run) {
  co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
  co_await std::move(run);
}

// ---- A group under test, and its one call of `run`.

struct running : assay::operation<void> {
  running(assay::operation<void> run, assay::made_subject<group_contract> made)
      : operation(std::move(run)), group(std::move(made)) {}
  assay::made_subject<group_contract> group;
};

enum class look { at_nothing, at_the_end };

inline running start(trial& t, assay::made_subject<group_contract> group, std::vector<child> children,
                     look at, std::source_location where) {
  auto run = group->run(std::move(children));
  if (at == look::at_the_end) run = look_at_end(t, std::move(run));
  return running(t.start("run", std::move(run), {}, where), std::move(group));
}

inline awaitable<running> begin(trial& t, assay::made_subject<group_contract> group,
                                std::vector<child> children, look at = look::at_nothing,
                                std::source_location where = std::source_location::current()) {
  auto run = start(t, std::move(group), std::move(children), at, where);
  co_await t.settle();
  co_return run;
}

// Runs it as the victim of the sweep, for longer than any child takes.
inline awaitable<running> sweep(trial& t, assay::made_subject<group_contract> group,
                                std::vector<child> children, look at = look::at_nothing,
                                std::source_location where = std::source_location::current()) {
  auto run = start(t, std::move(group), std::move(children), at, where);
  t.victim(run);
  co_await t.advance(2h);
  co_return run;
}

inline awaitable<void> expect_refusal(trial& t, group_contract& group, const char* message) {
  t.expect(!group.spawn(works(t, "late", 0s)), message);
  co_await t.settle();
  t.expect(!marked(t, "late begins"), "work that was refused does not begin");
}

// Looking at it observes its failure.
inline bool has_ended(const assay::operation<void>& run) { return run.what().kind != outcome_kind::pending; }

inline void expect_outcome(trial& t, const assay::operation<void>& run, outcome_kind kind,
                           std::string_view message,
                           std::source_location where = std::source_location::current()) {
  const outcome what = run.what();
  t.expect(what.kind == kind, message, to_string(what), where);
}

// What the group ended with tells, or has told the hook, each failure of these children exactly once.
inline void expect_told(trial& t, const assay::operation<void>& run, const std::vector<std::string>& names) {
  (void)run.what();
  for (const std::string& name : names) {
    if (!marked(t, name + " raises")) continue;
    const std::uint32_t times = t.times_observed(name + " fails");
    t.expect(times > 0, "every failure is told", "that of " + name + " is lost");
    t.expect(times < 2, "every failure is told once", "that of " + name + " is told more often");
  }
}

// Where it names children at all, each failure stands under the name of the child that it came from.
inline void expect_named(trial& t, const outcome& what) {
  for (const outcome::member& one : what.members) {
    if (one.what.kind != outcome_kind::error) continue;
    t.expect(one.what.label == one.task + " fails", "a failure is told under the right name",
             one.what.label + " as " + one.task);
  }
}

// The names in an aggregate, in its order.
inline std::vector<std::string> names_in(const outcome& what) {
  std::vector<std::string> names;
  names.reserve(what.members.size());
  for (const outcome::member& one : what.members) names.push_back(one.task);
  return names;
}

inline bool tells_cancellation(const outcome& what) {
  if (what.kind == outcome_kind::cancelled) return true;
  return std::any_of(what.members.begin(), what.members.end(),
                     [](const outcome::member& one) { return tells_cancellation(one.what); });
}

}  // namespace assay::task_groups
