// What the scenarios and programs of cleanup register: resources and bodies that do as they are told, and the log of
// what they did.
//
// The log has, for the step "flush a": "flush a" when it begins, then "flush a: ended", "flush a: failed" or "flush a:
// cancelled"; and "force a" for a resource that was closed by force.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

namespace assay::cleaning {

using words = std::vector<std::string>;

enum class conduct {
  ends,      // after `pause`
  fails,     // after `pause`, with the step's name as the label
  waits,     // until it is asked to stop, and then ends as cancelled
  stubborn,  // the same, but does not care about requests: until its resource is closed by force
  deaf,      // takes `pause`, and does not care about requests
  gives_up,  // after `pause`, as cancelled, though nobody asked
};

struct step_plan {
  conduct how = conduct::ends;
  std::chrono::nanoseconds pause = std::chrono::milliseconds(1);
};

struct world {
  explicit world(trial& of) : t(of) {}

  void note(std::string what) {
    t.mark(what);
    log.push_back(std::move(what));
    when.push_back(t.elapsed());
    constexpr std::string_view of_a_failure = ": failed";
    const std::string& line = log.back();
    if (!line.ends_with(of_a_failure) || line.starts_with("acquire")) return;
    failed.push_back(line.substr(0, line.size() - of_a_failure.size()));
  }
  bool happened(std::string_view what) const { return std::find(log.begin(), log.end(), what) != log.end(); }
  std::size_t times(std::string_view what) const {
    return static_cast<std::size_t>(std::count(log.begin(), log.end(), what));
  }
  // The names x of all "<prefix>x<suffix>" in the log, in order.
  words those(std::string_view prefix, std::string_view suffix = {}) const {
    words names;
    for (const std::string& line : log) {
      if (line.size() < prefix.size() + suffix.size()) continue;
      if (!line.starts_with(prefix) || !line.ends_with(suffix)) continue;
      std::string name = line.substr(prefix.size(), line.size() - prefix.size() - suffix.size());
      if (name.find(':') == std::string::npos) names.push_back(std::move(name));
    }
    return names;
  }

  trial& t;
  std::map<std::string, step_plan> plans;               // by the step's name; others have the default plan
  std::map<std::string, std::function<void()>> at_end;  // in the turn in which the step ends
  words log;
  std::vector<std::chrono::nanoseconds> when;  // of each line
  words failed;                                // the body and steps of cleanup, in order
  words under_way;                             // steps of cleanup that have begun and not ended
  std::string overlap;                         // the first of these that began beside another one
  std::map<std::string, boost::asio::steady_timer*> waiting;  // steps that wait
};

inline void presuppose(const world& w, const std::string& what) { w.t.premise(w.happened(what), what); }

inline bool is_cleanup(std::string_view step) {
  return step.starts_with("flush") || step.starts_with("close");
}

// What a resource's force_close does: who waits on the resource is let go.
inline void force(world& w, const std::string& name) {
  w.note("force " + name);
  for (const char* const kind : {"flush ", "close "}) {
    const auto found = w.waiting.find(kind + name);
    if (found != w.waiting.end()) found->second->expires_at(boost::asio::steady_timer::time_point::min());
  }
}

// Takes one step. It has a thread of awaitables of its own, so that it is the same in whatever cancellation state the
// subject called it.
inline boost::asio::awaitable<void> walk(world& w, std::string step, step_plan plan) {
  namespace asio = boost::asio;
  using timer_type = asio::steady_timer;
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool endless = plan.how == conduct::waits || plan.how == conduct::stubborn;
  const bool deaf = plan.how == conduct::deaf || plan.how == conduct::stubborn;
  timer_type timer(co_await asio::this_coro::executor);
  if (endless) {
    timer.expires_at(timer_type::time_point::max());
  } else {
    timer.expires_after(plan.pause);
  }
  w.waiting[step] = &timer;
  boost::system::error_code why;
  bool cancelled = false;
  bool over = false;
  while (!over) {
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, why));
    over = timer.expiry() <= timer_type::clock_type::now();
    cancelled = !over && !deaf;
    over = over || cancelled;
  }
  w.waiting.erase(step);
  std::erase(w.under_way, step);
  if (const auto found = w.at_end.find(step); found != w.at_end.end()) found->second();
  if (cancelled || plan.how == conduct::gives_up) {
    w.note(step + ": cancelled");
    contract::throw_cancelled();
  }
  if (plan.how == conduct::fails) {
    w.note(step + ": failed");
    w.t.raise(step);
  }
  w.note(step + ": ended");
}

inline boost::asio::awaitable<void> take(world& w, std::string step, std::uint32_t faults = 1) {
  step_plan plan;
  if (const auto found = w.plans.find(step); found != w.plans.end()) plan = found->second;
  if (w.t.fault_point(step, faults) != 0) plan.how = conduct::fails;
  w.note(step);
  if (is_cleanup(step)) {
    if (!w.under_way.empty() && w.overlap.empty()) w.overlap = step;
    w.under_way.push_back(step);
  }
  const auto executor = co_await boost::asio::this_coro::executor;
  co_await boost::asio::co_spawn(executor, walk(w, std::move(step), plan), boost::asio::use_awaitable);
}

inline contract::cleanup::step step_of(world& w, std::string name) {
  return [&w, name = std::move(name)] { return take(w, name); };
}

inline contract::cleanup_resource resource_of(world& w, const std::string& name) {
  return {name, step_of(w, "acquire " + name), step_of(w, "flush " + name), step_of(w, "close " + name),
          [&w, name] { force(w, name); }};
}

inline boost::asio::awaitable<void> acquire(world& w, contract::cleanup& scope, std::string name) {
  contract::cleanup_resource what = resource_of(w, name);
  co_await scope.acquire(std::move(what));
}

// A body: acquires all of these, then takes the step "body".
inline boost::asio::awaitable<void> acquire_and_use(world& w, contract::cleanup& scope, words names) {
  for (const std::string& name : names) co_await acquire(w, scope, name);
  co_await take(w, "body");
}
inline contract::cleanup::step body_of(world& w, contract::cleanup& scope, words names) {
  return [&w, &scope, names = std::move(names)] { return acquire_and_use(w, scope, names); };
}

}  // namespace assay::cleaning
