// Random programs on a lifespan: rounds, each with a lifespan of its own. Its resources start and stop, its users work and
// its transient things are removed in every manner, beside requests from outside and second runs. What happens is written
// down; what may not happen is seen when it does, the rest when nothing more can happen at an instant and when the run has
// ended.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using contract::lifespan;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;
using time_point = std::chrono::steady_clock::time_point;

// How a step goes.
enum class manner : std::uint8_t {
  at_once,
  fails_at_once,
  ends,   // after 5 ms
  fails,  // after 5 ms
  waits,  // until it is asked to stop
  slow,   // the same, and takes 5 ms more then
  deaf,   // takes 20 ms, whatever it is asked
  fails_when_asked,
  gives_up  // as cancelled, at once, though nobody asked; starts and bodies do not
};
constexpr std::uint32_t manners = 9;

enum class verb : std::uint8_t {
  add,  // a resource: how it starts, and how it stops
  advance,
  settle,
  cancel,
  round,    // to the end of this lifespan; then another one
  body,     // how the body ends when it has done everything else
  rest,     // the body waits
  use,      // the body starts a user of a resource
  hold,     // the body registers a transient thing
  release,  // the body removes one
  leave,    // the body starts a user that removes one
  again     // a second run
};

const grammar rules = {
    .shapes = 16,  // bits: settled after every step; its first run is the victim; two for the limits
    .verbs = {"add",
              "advance",
              "settle",
              "cancel",
              "round",
              "body",
              "rest",
              {"use", "users"},
              {"hold", "transient"},
              {"release", "transient"},
              {"leave", "transient"},
              {"again", "single_use"}},
    .a_values = manners,
    .b_values = manners,
    .steps_max = 20,
    .repeats = {1, 1, 1, 1, 1, 1, 1, 12},
    .one_run = true,
};

// What the subject claims, as far as it decides what is expected.
struct promises {
  explicit promises(const maker<lifespan>& make)
      : users(make.claims("users")),
        bounded_stop(make.claims("bounded_stop")),
        transient(make.claims("transient")),
        shielded_stop(make.claims("shielded_stop")),
        attached_failures(make.claims("attached_failures")),
        level_triggered(make.claims("level_triggered")) {}
  bool users, bounded_stop, transient, shielded_stop, attached_failures, level_triggered;
};

enum class role : std::uint8_t { start, body, stop, user, removal };

struct deed {
  deed(std::string deed_name, role deed_role, manner deed_manner, std::size_t deed_index)
      : name(std::move(deed_name)), what(deed_role), how(deed_manner), index(deed_index) {}
  std::string name;
  role what;
  manner how;
  std::size_t index;
  int begun = 0;
  int asked = 0;
  bool releases = false;  // a removal, which may be shielded, holds it up
  bool ended = false;
  bool well = false;
  bool failed = false;
  bool cancelled = false;
  time_point begun_at{}, asked_at{}, ended_at{};

  bool is_under_way() const { return begun > 0 && !ended; }
};

struct resource {
  resource(deed to_start, deed to_stop) : start(std::move(to_start)), stop(std::move(to_stop)) {}
  deed start;
  deed stop;
};

struct user_of {
  user_of(deed what, std::size_t of) : work(std::move(what)), resource_index(of) {}
  deed work;
  std::size_t resource_index;
  bool leaves = false;  // removes a thing first
};

struct thing {
  explicit thing(deed what) : removal(std::move(what)) {}
  deed removal;
  std::uint64_t id = 0;
  bool held = false;
  bool released = false;  // that was begun
  bool late = false;      // after the body, so that the run may have taken it before
};

// One lifespan and what has become of its parts, who may outlive it if it is wrong.
struct round_of {
  round_of(trial& of, const promises& claimed, const contract::lifespan_config& configured)
      : t(of), claims(claimed), limits(configured) {}
  trial& t;
  const promises claims;
  const contract::lifespan_config limits;
  lifespan* life = nullptr;  // while it is there
  std::deque<resource> resources = {};
  std::deque<user_of> users = {};
  std::deque<thing> things = {};
  deed body{"body", role::body, manner::ends, 0};
  std::vector<program_step> script = {};  // what the body does first
  std::optional<operation<void>> run = {};
  std::size_t starts = 0;     // that have begun
  bool stopping = false;      // a stop or a removal that nobody asked for has begun
  bool asked_before = false;  // there was a request, and everything has settled since

  bool is_asked() const { return run && run->state()->cancels() > 0; }
  bool has_begun() const { return starts > 0 || body.begun > 0; }
  template <class Do>
  void for_each_step(Do act) const {
    for (const resource& one : resources) {
      act(one.start);
      act(one.stop);
    }
    act(body);
  }
  template <class Do>
  void for_each(Do act) const {
    for_each_step(act);
    for (const user_of& one : users) act(one.work);
    for (const thing& one : things) act(one.removal);
  }
  std::string under_way() const {
    std::string names;
    for_each([&names](const deed& one) {
      if (one.is_under_way()) names += (names.empty() ? "" : ", ") + one.name;
    });
    return names;
  }
  bool any_start(bool deed::* became) const {
    return std::any_of(resources.begin(), resources.end(),
                       [became](const resource& one) { return one.start.*became; });
  }
};
using round_ptr = std::shared_ptr<round_of>;

time_point now() { return std::chrono::steady_clock::now(); }
time_point later(time_point when, nanoseconds limit) {
  return deadline_after(when, std::max<nanoseconds>(limit, 0ns));
}

// ---- what may not happen, seen when it does

void check_start(round_of& all, const deed& self) {
  trial& t = all.t;
  t.expect_eq(self.index, all.starts, "LIF-1: resources start in the order in which they were added");
  ++all.starts;
  t.expect(!all.any_start(&deed::failed), "LIF-2: nothing is started after a start that failed");
  t.expect(!all.any_start(&deed::cancelled), "LIF-6: nothing is started after a start that was cancelled");
}

void check_body(round_of& all) {
  trial& t = all.t;
  t.expect(!all.any_start(&deed::failed), "LIF-2: the body does not run after a start that failed");
  t.expect(!all.any_start(&deed::cancelled), "LIF-6: the body does not run after a start that was cancelled");
  t.expect_eq(all.starts, all.resources.size(), "LIF-1: the body runs when all resources have started");
}

// At the earliest. Who was only just asked has not heard of it yet; who is in a removal hears of it late, or never.
time_point when_asked(const round_of& all, const user_of& one) {
  if (one.work.asked > 0 && !one.leaves) return one.work.asked_at;
  return all.is_asked() ? one.work.begun_at : all.body.ended_at;
}

// Nothing of this is under way any more, or it was left behind because it has outlasted its limits.
void check_over(round_of& all, const deed& one, std::string_view clause) {
  if (!one.is_under_way()) return;
  // Inside of a release nobody sees whether a user was asked.
  if (one.what == role::user && one.asked == 0 && all.claims.transient) return;
  const bool is_bounded = all.claims.bounded_stop;
  const bool is_user = one.what == role::user;
  const time_point since = is_user ? when_asked(all, all.users[one.index]) : one.begun_at;
  time_point limit = later(since, all.limits.stop_limit);
  if (!is_user) limit = later(limit, all.limits.force_limit);
  const std::string text =
      std::string(is_bounded ? "LIF-7" : clause) +
      ": what comes before has ended when a resource is stopped, or the run ends, or outlasted its limits";
  all.t.expect(is_bounded && now() >= limit, text, one.name);
}

void check_stop(round_of& all, const deed& self) {
  trial& t = all.t;
  const deed& start = all.resources[self.index].start;
  t.expect(!start.cancelled, "LIF-6: what did not start is not stopped", self.name);
  t.expect(start.well || start.cancelled, "LIF-2: what did not start is not stopped", self.name);
  t.expect(!all.body.is_under_way(), "LIF-3: nothing is stopped while the body runs", self.name);
  for (std::size_t i = 0; i < all.resources.size(); ++i) {
    const resource& other = all.resources[i];
    t.expect(!other.start.is_under_way(), "LIF-6: nothing is stopped before a start has ended",
             other.start.name);
    if (i == self.index) continue;
    if (i > self.index && other.start.well)
      t.expect(other.stop.begun > 0, "LIF-1: resources stop in reverse order", self.name);
    check_over(all, other.stop, "LIF-1");
  }
  for (const user_of& one : all.users)
    if (one.resource_index == self.index) check_over(all, one.work, "LIF-5");
  for (const thing& one : all.things) {
    if (!one.held || one.released) continue;
    t.expect(one.removal.begun > 0, "LIF-9: a thing is removed before the resources stop", one.removal.name);
    check_over(all, one.removal, "LIF-9");
  }
}

void begins(round_of& all, deed& self) {
  trial& t = all.t;
  ++self.begun;
  self.begun_at = now();
  const bool is_step = self.what == role::start || self.what == role::body;
  if (is_step) {
    t.expect(!all.stopping, "LIF-1: nothing begins once things are being stopped", self.name);
    t.expect(!all.asked_before || !all.claims.level_triggered, "X-5: nothing begins after a request",
             self.name);
    all.for_each_step([&](const deed& one) {
      if (&one != &self)
        t.expect(!one.is_under_way(), "LIF-1: one step begins when the one before has ended");
    });
  }
  t.expect(self.begun == 1,
           self.what == role::removal ? "LIF-9: a thing is removed once" : "LIF-1: nothing is begun twice",
           self.name);
  if (self.what == role::start) check_start(all, self);
  if (self.what == role::body) check_body(all);
  if (self.what == role::stop) check_stop(all, self);
  if (self.what == role::stop) all.stopping = true;
  if (self.what == role::user)
    t.expect(all.resources[all.users[self.index].resource_index].stop.begun == 0,
             "LIF-5: no user begins when its resource is being stopped", self.name);
}

void is_asked(round_of& all, deed& self) {
  trial& t = all.t;
  if (++self.asked > 1) return;
  self.asked_at = now();
  const bool may_be_interrupted = all.is_asked() && !all.claims.shielded_stop;
  if (self.what == role::user && !all.is_asked())
    t.expect(!all.body.is_under_way(), "LIF-5: no user is asked to stop while the body runs", self.name);
  if ((self.what != role::stop && self.what != role::removal) || may_be_interrupted) return;
  if (all.claims.bounded_stop)
    t.expect(now() >= later(self.begun_at, all.limits.stop_limit),
             "LIF-7: nothing that stops is asked to hurry before its limit", self.name);
  else
    t.fail((self.what == role::stop ? "LIF-3" : "LIF-9") + std::string(": a request interrupts ") +
           self.name);
}

// ---- what the parts do

struct presence {
  presence(round_of& of, deed& who) : all(of), here(who) { begins(all, here); }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() {
    here.ended = true;
    here.ended_at = now();
  }
  round_of& all;
  deed& here;
};

// True if it was asked to stop, and ended because of that.
asio::awaitable<bool> wait_until(round_ptr all, deed& self, time_point deadline, bool heeds) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  while (true) {
    boost::system::error_code ended;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (!ended) co_return false;
    is_asked(*all, self);
    if (heeds) co_return true;
  }
}

asio::awaitable<bool> wait_as(round_ptr all, deed& self) {
  switch (self.how) {
    case manner::at_once:
    case manner::fails_at_once:
    case manner::gives_up:
      co_return false;
    case manner::ends:
    case manner::fails:
      co_return co_await wait_until(all, self, deadline_after(5ms), true);
    case manner::deaf:
      co_return co_await wait_until(all, self, deadline_after(20ms), false);
    case manner::waits:
    case manner::fails_when_asked:
      co_return co_await wait_until(all, self, time_point::max(), true);
    case manner::slow:
      break;
  }
  const bool asked = co_await wait_until(all, self, time_point::max(), true);
  (void)co_await wait_until(all, self, deadline_after(5ms), false);
  co_return asked;
}

asio::awaitable<void> act(round_ptr all, deed& self) {
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const bool asked = co_await wait_as(all, self);
  co_await asio::this_coro::throw_if_cancelled(throwing);
  const bool fails = (!asked && (self.how == manner::fails_at_once || self.how == manner::fails)) ||
                     (asked && self.how == manner::fails_when_asked);
  const bool gives_up =
      asked || (self.how == manner::gives_up && self.what != role::start && self.what != role::body);
  self.failed = fails;
  self.cancelled = gives_up && !fails;
  self.well = !gives_up && !fails;
  if (fails) all->t.raise(self.name);
  if (gives_up) contract::throw_cancelled();
}

asio::awaitable<void> take(round_ptr all, deed& self) {
  const presence here(*all, self);
  co_await act(all, self);
}

lifespan::step step_of(const round_ptr& all, deed& self) {
  return [all, &self] { return take(all, self); };
}

// The failure of a removal belongs to who asked for it.
asio::awaitable<void> release(round_ptr all, std::size_t index) {
  if (all->life == nullptr || all->things.empty()) co_return;
  thing& one = all->things[index % all->things.size()];
  // Nothing is promised of a release if another one, or the run, is about to remove the thing.
  const bool is_first = !std::exchange(one.released, true);
  if (is_first) one.late = !all->body.is_under_way();
  const bool must_remove = is_first && !one.late;
  const std::exception_ptr failure = co_await failure_of(all->life->release(one.id));
  if (must_remove)
    all->t.expect(failure || one.removal.begun > 0, "LIF-9: a release removes the thing that it names",
                  one.removal.name);
  if (!failure) co_return;
  if (is_cancellation(failure) && is_first && one.removal.begun == 0) one.released = one.late = false;
  if (is_cancellation(failure) && all->is_asked()) std::rethrow_exception(failure);
  if (!is_cancellation(failure)) all->t.observe(failure);
}

asio::awaitable<void> release_then_act(round_ptr all, deed& self, std::size_t index) {
  const presence here(*all, self);
  const std::exception_ptr failure = co_await failure_of(release(all, index));
  self.cancelled = failure != nullptr;
  if (failure) std::rethrow_exception(failure);
  co_await act(all, self);
}

void use(const round_ptr& all, const program_step& step) {
  if (all->resources.empty() || !all->claims.users) return;
  const std::size_t number = all->users.size();
  const std::size_t of = step.a % all->resources.size();
  deed work("user " + std::to_string(number), role::user, static_cast<manner>(step.b % manners), number);
  // Who leaves may do so at its end, and then goes on like others.
  user_of& made = all->users.emplace_back(std::move(work), of);
  deed& self = made.work;
  made.leaves = static_cast<verb>(step.verb) == verb::leave;
  lifespan::step run = step_of(all, self);
  if (made.leaves)
    run = [all, &self, index = std::size_t{step.a}] { return release_then_act(all, self, index); };
  all->life->start_user("resource " + std::to_string(of), self.name, std::move(run));
}

void hold(const round_ptr& all, const program_step& step) {
  const std::size_t number = all->things.size();
  auto how = static_cast<manner>(step.b % manners);
  // Not everybody limits a removal that was asked for.
  if (how == manner::waits || how == manner::slow || how == manner::fails_when_asked) how = manner::ends;
  deed removal("removal " + std::to_string(number), role::removal, how, number);
  thing& one = all->things.emplace_back(std::move(removal));
  one.id = all->life->hold("thing " + std::to_string(number), step_of(all, one.removal));
  one.held = true;
}

asio::awaitable<void> do_script(round_ptr all) {
  for (const program_step& step : all->script) {
    switch (static_cast<verb>(step.verb)) {
      case verb::rest:
        co_await sleep_for(5ms * (step.a % 4));
        break;
      case verb::use:
      case verb::leave:
        use(all, step);
        break;
      case verb::hold:
        hold(all, step);
        break;
      case verb::release:
        all->body.releases = true;
        co_await release(all, step.a);
        all->body.releases = false;
        break;
      default:
        break;
    }
  }
}

asio::awaitable<void> be_body(round_ptr all) {
  const presence here(*all, all->body);
  const std::exception_ptr failure = co_await failure_of(do_script(all));
  if (failure) {
    all->body.cancelled = is_cancellation(failure);
    if (all->body.cancelled) ++all->body.asked;
    std::rethrow_exception(failure);
  }
  co_await act(all, all->body);
}

// ---- what must hold when nothing more can happen at this instant

std::string_view clause_of_stops(const round_of& all) {
  if (all.any_start(&deed::failed)) return "LIF-2";
  if (all.any_start(&deed::cancelled)) return "LIF-6";
  const bool stop_failed = std::any_of(all.resources.begin(), all.resources.end(),
                                       [](const resource& one) { return one.stop.failed; });
  if (stop_failed) return "LIF-4";
  return all.body.well ? "LIF-1" : "LIF-3";
}

void check_held(const round_of& all) {
  if (!all.claims.transient) return;
  std::size_t least = 0;
  std::size_t most = 0;
  for (const thing& one : all.things) {
    if (!one.held) continue;
    if (one.removal.begun == 0) ++least;
    if (!one.removal.ended) ++most;
  }
  const std::size_t held = all.life->held();
  all.t.expect(held >= least && held <= most, "LIF-9: what was removed is forgotten, and nothing else",
               std::to_string(held) + ", not " + std::to_string(least) + " to " + std::to_string(most));
}

void check_settled(round_of& all) {
  trial& t = all.t;
  check_held(all);
  const std::string left = all.under_way();
  if (all.run->pending()) {
    t.expect(!left.empty(),
             "LIF-1: the run goes on as soon as a step has ended, and ends with the last stop");
    all.asked_before = all.is_asked();
    return;
  }
  all.for_each([&all](const deed& one) { check_over(all, one, "LIF-1"); });
  const std::string text =
      std::string(clause_of_stops(all)) + ": everything that was started is stopped when the run has ended";
  for (const resource& one : all.resources)
    if (one.start.well) t.expect(one.stop.begun > 0, text, one.stop.name);
  for (const thing& one : all.things)
    if (one.held)
      t.expect(one.removal.begun > 0, "LIF-9: every thing is removed when the run has ended",
               one.removal.name);
}

void check_timeouts(const round_of& all) {
  if (!all.claims.bounded_stop) return;
  const std::vector<std::string> reported = all.life->stop_timeouts();
  const auto is_reported = [&reported](const std::string& name) {
    return std::find(reported.begin(), reported.end(), name) != reported.end();
  };
  for (const resource& one : all.resources) {
    const std::string name = "resource " + std::to_string(one.stop.index);
    const bool outlasted =
        one.stop.begun > 0 && one.stop.ended_at >= later(one.stop.begun_at, all.limits.stop_limit);
    if (one.stop.asked > 0 && all.claims.shielded_stop)
      all.t.expect(is_reported(name), "LIF-7: the stack reports what timed out", name);
    if (!outlasted)
      all.t.expect(!is_reported(name), "LIF-7: the stack reports nothing that stopped in time", name);
  }
  for (const user_of& one : all.users) {
    const bool outlasted =
        one.work.begun == 0 || one.work.ended_at >= later(when_asked(all, one), all.limits.stop_limit);
    if (!outlasted)
      all.t.expect(!is_reported(one.work.name), "LIF-7: the stack reports nothing that stopped in time",
                   one.work.name);
  }
}

void check_outcome(const round_of& all) {
  trial& t = all.t;
  const outcome seen = all.run->what();
  const bool fails = seen.kind != outcome_kind::value && seen.kind != outcome_kind::cancelled;
  const std::vector<std::string> labels = assay::labels_of(seen);
  const auto place = [&labels](const deed& one) { return std::find(labels.begin(), labels.end(), one.name); };
  const bool attached = all.claims.attached_failures;
  const bool exact = attached || !all.is_asked();
  bool any_failed = false;
  std::vector<std::pair<std::ptrdiff_t, time_point>> order;
  all.for_each([&](const deed& one) {
    if (!one.failed) return;
    const bool is_removal = one.what == role::removal;
    const bool is_late = is_removal && all.things[one.index].late;
    if (is_removal && all.things[one.index].released && !is_late) return;  // told to who released it
    any_failed = true;
    if (is_late) return;  // told to who released it, or by the run
    const bool told = place(one) != labels.end();
    if (one.what == role::start)
      t.expect(fails && (told || !exact), "LIF-2: the outcome holds the failure of a start", to_string(seen));
    if (one.what == role::body)
      t.expect(seen.kind != outcome_kind::value && (told || !exact),
               "LIF-3: the run ends with the failure of its body", to_string(seen));
    if (!attached) return;
    // At its limit the run may have gone on without it.
    const bool is_bounded = (one.what == role::stop || is_removal) && all.claims.bounded_stop;
    const bool at_its_limit = is_bounded && one.ended_at >= later(one.begun_at, all.limits.stop_limit);
    if (at_its_limit && !told) return;
    t.expect(fails, "X-18: a failure beats a cancellation", to_string(seen));
    if (one.what == role::stop)
      t.expect(told, "LIF-4: the outcome holds the failure of a stop", to_string(seen));
    if (one.what == role::user)
      t.expect(told, "LIF-5: the outcome holds the failure of a user", to_string(seen));
    if (one.what != role::user && one.what != role::removal)
      order.emplace_back(place(one) - labels.begin(), one.ended_at);
  });
  std::sort(order.begin(), order.end());
  for (std::size_t i = 1; i < order.size(); ++i)
    t.expect(order[i - 1].second <= order[i].second,
             "LIF-4: failures are in the order in which they happened", to_string(seen));
  const bool timed_out = all.claims.bounded_stop && !all.life->stop_timeouts().empty();
  bool gave_up = false;  // what ends cancelled by itself may be told as that, or not at all
  all.for_each([&gave_up](const deed& one) {
    const bool is_background = one.what != role::start && one.what != role::body;
    gave_up = gave_up || (is_background && one.cancelled && one.asked == 0);
  });
  if (any_failed || timed_out || gave_up) return;
  const bool cancelled = all.any_start(&deed::cancelled) || all.body.cancelled;
  if (cancelled)
    t.expect(seen.kind == outcome_kind::cancelled,
             all.body.cancelled ? "LIF-3: a run whose body was cancelled ends cancelled"
                                : "LIF-6: a run whose start was cancelled ends cancelled",
             to_string(seen));
  else if (!all.is_asked())
    t.expect(seen.kind == outcome_kind::value, "LIF-1: a run in which all went well ends well",
             to_string(seen));
}

// ---- the program

constexpr std::size_t steps_of_round_max = 100;

struct program_run {
  trial& t;
  const maker<lifespan>& make;
  const std::uint8_t shape;
  const promises claims{make};

  bool settles() const { return (shape & 1U) != 0; }
};

contract::lifespan_config limits_of(std::uint8_t shape, const promises& claims) {
  if (!claims.bounded_stop) return {};
  constexpr nanoseconds endless = nanoseconds::max();
  switch (shape / 4U) {
    case 0:
      return {10ms, 5ms};
    case 1:
      return {0ns, 0ns};
    case 2:
      return {-5ms, endless};
    default:
      return {endless, 5ms};
  }
}

void add(const round_ptr& all, const program_step& step) {
  const std::size_t number = all->resources.size();
  const std::string name = "resource " + std::to_string(number);
  auto stop = static_cast<manner>(step.b % manners);
  const bool hangs = stop == manner::waits || stop == manner::slow || stop == manner::fails_when_asked;
  if (hangs && (!all->claims.bounded_stop || is_endless(all->limits.stop_limit))) stop = manner::ends;
  deed to_start("start of " + name, role::start, static_cast<manner>(step.a % manners), number);
  deed to_stop("stop of " + name, role::stop, stop, number);
  resource& made = all->resources.emplace_back(std::move(to_start), std::move(to_stop));
  all->life->add(name, step_of(all, made.start), step_of(all, made.stop));
}

asio::awaitable<void> run_again(trial& t, round_ptr all) {
  // Until one has begun, either may be the first; or there was none, if it was cancelled before.
  if (!all->has_begun()) co_return;
  const auto ran = std::make_shared<bool>(false);
  lifespan::step body = [ran] {
    *ran = true;
    return sleep_for(0ns);
  };
  auto again = co_await t.begin("second run", all->life->run(std::move(body)));
  const outcome seen = again.what();
  t.expect(again.rejected(), "LIF-8: a second run is refused", to_string(seen));
  t.expect(!*ran, "LIF-8: a refused run has no body");
}

// That a request reaches now.
const deed* step_under_way(const round_of& all) {
  const deed* found = nullptr;
  all.for_each_step([&found](const deed& one) {
    if (one.is_under_way() && !one.releases && one.what != role::stop) found = &one;
  });
  return found;
}

asio::awaitable<void> do_step(program_run& p, round_ptr all, program_step step) {
  const deed* reached = nullptr;
  switch (static_cast<verb>(step.verb)) {
    case verb::advance:
      co_await p.t.advance(5ms * (step.a % 6));
      break;
    case verb::settle:
      co_await p.t.settle();
      check_settled(*all);
      break;
    case verb::cancel:
      if (p.settles()) reached = step_under_way(*all);
      all->run->cancel();
      if (step.a % 2 == 1) all->run->cancel();
      break;
    case verb::again:
      co_await run_again(p.t, all);
      break;
    default:
      co_return;
  }
  if (!p.settles()) co_return;
  co_await p.t.settle();
  if (reached != nullptr)
    p.t.expect(reached->asked > 0,
               reached->what == role::body ? "LIF-3: a request reaches the body"
                                           : "LIF-6: a request reaches the start that is under way",
               reached->name);
  check_settled(*all);
}

// Until the run has ended, by itself or when it is asked. It is not destroyed before: if it hangs, so does the program.
asio::awaitable<void> finish(program_run& p, round_ptr all) {
  co_await p.t.settle();
  check_settled(*all);
  co_await p.t.pass(1s);
  const std::size_t steps = 2 * all->resources.size() + 2;
  for (std::size_t i = 0; i < steps && all->run->pending(); ++i) {
    check_settled(*all);
    all->run->cancel();
    co_await p.t.pass(100ms);
  }
  co_await p.t.pass(10s);
  const std::string left = all->under_way();
  const std::string_view message = p.claims.bounded_stop ? "LIF-7: the run ends, for each stop is bounded"
                                                         : "LIF-1: the run ends after the last stop";
  if (!p.t.expect(all->run->ended(), message, left)) co_await sleep_for_ever();
  check_settled(*all);
  check_outcome(*all);
  check_timeouts(*all);
}

bool is_for_the_body(verb what) {
  return what == verb::rest || what == verb::use || what == verb::hold || what == verb::release ||
         what == verb::leave;
}

asio::awaitable<void> do_round(program_run& p, std::vector<program_step> steps, bool is_victim) {
  const contract::lifespan_config limits = limits_of(p.shape, p.claims);
  const auto all = std::make_shared<round_of>(p.t, p.claims, limits);
  auto life = p.make(limits);
  all->life = life.get();
  for (const program_step& step : steps) {
    const auto what = static_cast<verb>(step.verb);
    if (what == verb::add) add(all, step);
    if (what == verb::body) all->body.how = static_cast<manner>(step.a % manners);
    if (is_for_the_body(what)) all->script.push_back(step);
  }
  lifespan::step body = [all] { return be_body(all); };
  all->run.emplace(p.t.start("run", life->run(std::move(body))));
  if (is_victim) p.t.victim(*all->run);
  for (const program_step& step : steps) co_await do_step(p, all, step);
  co_await finish(p, all);
  all->life = nullptr;
}

}  // namespace

ASSAY_PROGRAM(lifespan, "LIF-1", rules,
              .asks = {"users", "bounded_stop", "transient", "shielded_stop", "attached_failures",
                       "level_triggered"},
              .must_see = {"closes_in_start_order", "stops_what_never_started",
                           "first_close_error_skips_the_rest", "last_stop_is_not_awaited"}) {
  program_run p{.t = t, .make = make, .shape = steps.shape};
  std::vector<program_step> steps_of_round;
  bool is_victim = (p.shape & 3U) == 2U && rules.repeats[steps.repeats] == 1;
  for (const program_step& step : unrolled(steps, rules)) {
    const bool ends_round = static_cast<verb>(step.verb) == verb::round;
    if (!ends_round) steps_of_round.push_back(step);
    if (!ends_round && steps_of_round.size() < steps_of_round_max) continue;
    co_await do_round(p, steps_of_round, is_victim);
    if (t.has_failed()) co_return;
    steps_of_round.clear();
    is_victim = false;
  }
  co_await do_round(p, steps_of_round, is_victim);
}

}  // namespace assay
