// What a service runs in the scenarios and in the random programs: actors of every temper, who leave marks and
// write down what becomes of them.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <chrono>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay::shutdown_actors {

using std::chrono::nanoseconds;
using phase = contract::shutdown_phase;
using names = std::vector<std::string>;

inline constexpr nanoseconds never = nanoseconds::max();
inline constexpr nanoseconds endless = std::chrono::seconds(1000);

enum class when_asked { obeys, lingers, fails, is_deaf };
enum class ending { none, value, failure, cancelled };

struct act {
  nanoseconds takes{};  ///< if nobody asks it to stop
  when_asked asked = when_asked::obeys;
  ending ends = ending::value;
  nanoseconds lingers{};  ///< once asked

  bool listens() const { return takes > nanoseconds(0) && asked != when_asked::is_deaf; }
};

inline act taking(nanoseconds time) { return {time}; }
inline act insisting(nanoseconds time) { return {time, when_asked::is_deaf}; }
inline act lingering(nanoseconds after, nanoseconds unasked = endless) {
  return {unasked, when_asked::lingers, ending::value, after};
}
inline act failing(nanoseconds after) { return {after, when_asked::obeys, ending::failure}; }
inline act failing_when_asked() { return {endless, when_asked::fails}; }

/// One run of an actor, and what became of it.
struct life {
  nanoseconds begun{};
  nanoseconds asked = never;
  nanoseconds ended = never;
  ending how = ending::none;
};

/// Leaves marks: "NAME begins", "NAME asked to stop" if it lingers then, "NAME ends" or "NAME cancelled".
struct actor {
  std::string name;
  act mood;
  std::vector<life> lives = {};           // several only for what is restarted
  std::function<void()> first_turn = {};  // what it does as it begins

  std::size_t begin(trial& t) {
    lives.push_back(life{t.elapsed()});
    t.mark(name + " begins");
    const std::size_t mine = lives.size() - 1;
    if (first_turn) first_turn();
    return mine;
  }
  void end(trial& t, std::size_t which, ending how) {
    lives[which].ended = t.elapsed();
    lives[which].how = how;
    if (how == ending::failure) t.raise(name + " fails, " + std::to_string(which + 1));
    const bool obeys = how == ending::cancelled && mood.asked != when_asked::lingers;
    t.mark(name + (obeys ? " cancelled" : " ends"));
    if (how == ending::cancelled) contract::throw_cancelled();
  }
  /// For one that takes no time.
  void perform_at_once(trial& t) { end(t, begin(t), mood.ends); }
};

inline boost::asio::awaitable<void> perform(trial& t, std::shared_ptr<actor> self) {
  const std::size_t mine = self->begin(t);
  const act& what = self->mood;
  std::exception_ptr asked;
  if (what.listens()) {
    asked = co_await failure_of(sleep_for(what.takes));
  } else if (what.takes > nanoseconds(0)) {
    co_await shield(sleep_for(what.takes));
  }
  if (!asked) co_return self->end(t, mine, what.ends);
  self->lives[mine].asked = t.elapsed();
  if (what.asked == when_asked::lingers) {
    t.mark(self->name + " asked to stop");
    co_await hold_requests;
    co_await shield(sleep_for(what.lingers));
  }
  self->end(t, mine, what.asked == when_asked::fails ? ending::failure : ending::cancelled);
}
inline boost::asio::awaitable<void> perform(trial& t, std::string name, act what) {
  return perform(t, std::make_shared<actor>(actor{std::move(name), what}));
}

/// Whether `call` goes through; false if the coordinator refuses it, with either word for that.
template <class Call>
bool is_taken(Call call) {
  try {
    call();
  } catch (const contract::rejected_error&) {
    return false;
  } catch (const contract::closed_error&) {
    return false;
  }
  return true;
}

inline constexpr phase phases_of_every_stop[] = {phase::not_ready, phase::stop_accepting, phase::drain,
                                                 phase::cleanup, phase::stopped};
inline std::string name_of(phase which) {
  return std::string("phase ") + boost::describe::enum_to_string(which, "?");
}

}  // namespace assay::shutdown_actors
