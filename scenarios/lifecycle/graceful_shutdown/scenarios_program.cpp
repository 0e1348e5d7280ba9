// Random programs on a coordinator: work, background tasks, resources and callbacks of every temper, stops of
// every kind at any moment.
//
// Everything that the coordinator runs belongs to the program, which knows how long it takes and what it does
// when it is asked to stop, and writes down when it began, was asked and ended. From this alone, and from the
// requests to stop, follows when each phase begins, who is asked to stop and when, and what the report says.
// Where two things fall on one instant, both orders are right.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/describe/enum_to_string.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {

namespace {

enum class verb : std::uint8_t { work, background, resource, callback, advance, stop };

// The temper of a stop. The third has work offered before and after it in its own turn.
enum class stop_kind : std::uint8_t { once, twice, beside_work, signal, escalation, cancel };

}  // namespace

namespace {

const grammar rules = {
    .shapes = 24,  // swept or not, three policies for failed tasks, settled or not, two sets of budgets
    .verbs = {"work", "background", "resource", "callback", "advance", "stop"},
    .a_values = 6,  // its temper; how far to advance; what kind of stop
    .b_values = 4,  // how long it takes; whether it is registered while the service runs; a few ms more
    .steps_max = 20,
};

namespace asio = boost::asio;
using contract::background_failure;
using contract::graceful_shutdown;
using contract::late_registration;
using contract::shutdown_report;
using phase = contract::shutdown_phase;
using nanoseconds = std::chrono::nanoseconds;
using names = std::vector<std::string>;
using namespace std::chrono_literals;

constexpr nanoseconds never = nanoseconds::max();
constexpr nanoseconds endless = 1000s;
constexpr nanoseconds deaf_for = 1s;  // longer than any budget

// ---- What a coordinator is given to run

enum class part { work, background, start, cleanup };
enum class when_asked { obeys, lingers, fails, is_deaf };
enum class own_end { value, failure, gives_up };

struct temper {
  nanoseconds takes = 0ns;  // left alone
  when_asked asked = when_asked::obeys;
  own_end ends = own_end::value;
  nanoseconds lingers = 0ns;  // once asked
};

enum class ending { none, value, failure, cancelled };

/// One run of it, and what became of that.
struct life {
  nanoseconds begun{};
  nanoseconds asked = never;
  nanoseconds ended = never;
  ending how = ending::none;
};

struct actor {
  std::string name;
  part role = part::work;
  temper mood;
  nanoseconds known{};  // when it was offered or registered
  bool taken = true;
  int item_id = 0;
  const actor* start = nullptr;  // of the resource that this cleans up
  std::vector<life> lives = {};  // several only for what is restarted

  nanoseconds own_end_of(const life& one) const { return one.begun + mood.takes; }
  bool listens() const { return mood.takes > 0ns && mood.asked != when_asked::is_deaf; }
};

enum class trigger { stop, signal, escalation, cancel };

/// What is seen of one program. Shared by all that runs in it, since some of that outlives the stop.
struct record {
  explicit record(trial& owner) : t(owner) {}

  struct entry {
    phase what;
    nanoseconds at;
  };
  struct request {
    trigger what;
    nanoseconds at;
  };
  struct cleanup_begin {
    actor* who;
    std::size_t registered;  // how many were registered by then
  };
  struct told_failure {
    std::string name;
    nanoseconds at;
    bool matched = false;
  };

  trial& t;
  std::deque<actor> actors = {};
  std::vector<actor*> cleanups = {};  // in the order of registration
  std::vector<cleanup_begin> cleaned = {};
  std::vector<entry> phases = {};
  std::vector<request> requests = {};
  std::vector<told_failure> told = {};
  names forced = {};
  bool stopped_before_run = false;
  std::size_t cancels = 0;
  nanoseconds run_ended = never;

  nanoseconds when(phase wanted) const {
    for (const entry& each : phases)
      if (each.what == wanted) return each.at;
    return never;
  }
  bool entered(phase wanted) const { return when(wanted) != never; }
};

asio::awaitable<void> sleep_for(nanoseconds time) {
  asio::steady_timer timer(co_await asio::this_coro::executor, time);
  co_await timer.async_wait(asio::use_awaitable);
}

void end_life(record& seen, actor& self, std::size_t which, ending how) {
  life& mine = self.lives[which];
  mine.ended = seen.t.elapsed();
  mine.how = how;
  if (how == ending::failure) seen.t.raise(self.name + " fails, " + std::to_string(which + 1));
  if (how == ending::cancelled) contract::throw_cancelled();
}

std::size_t begin_life(record& seen, actor& self) {
  if (self.role == part::cleanup) seen.cleaned.push_back({&self, seen.cleanups.size()});
  self.lives.push_back(life{seen.t.elapsed()});
  seen.t.mark(self.name + (self.role == part::cleanup ? " is cleaned up" : " begins"));
  return self.lives.size() - 1;
}

void finish_life(record& seen, actor& self, std::size_t which) {
  switch (self.mood.ends) {
    case own_end::value:
      return end_life(seen, self, which, ending::value);
    case own_end::failure:
      return end_life(seen, self, which, ending::failure);
    case own_end::gives_up:
      return end_life(seen, self, which, ending::cancelled);
  }
}

asio::awaitable<void> live(std::shared_ptr<record> seen, actor* self) {
  const std::size_t mine = begin_life(*seen, *self);
  const temper& mood = self->mood;
  bool asked = false;
  if (mood.takes > 0ns && mood.asked == when_asked::is_deaf) co_await shield(sleep_for(mood.takes));
  if (self->listens()) {
    try {
      co_await sleep_for(mood.takes);
    } catch (...) {
      asked = true;
    }
  }
  if (!asked) {
    finish_life(*seen, *self, mine);
    co_return;
  }
  self->lives[mine].asked = seen->t.elapsed();
  if (mood.asked == when_asked::lingers) {
    co_await hold_requests;
    co_await shield(sleep_for(mood.lingers));
  }
  end_life(*seen, *self, mine, mood.asked == when_asked::fails ? ending::failure : ending::cancelled);
}

temper work_of(const program_step& step) {
  constexpr nanoseconds times[] = {0ms, 10ms, 60ms, 150ms};
  const nanoseconds time = times[step.b % 4];
  switch (step.a) {
    case 0:
      return {time};
    case 1:
      return {time, when_asked::obeys, own_end::failure};
    case 2:
      return {time, when_asked::is_deaf};
    case 3:
      return {endless, when_asked::lingers, own_end::value, step.b % 2 == 0 ? 10ms : 25ms};
    case 4:
      return {endless, when_asked::fails};
    default:
      return {deaf_for, when_asked::is_deaf, step.b % 2 == 0 ? own_end::value : own_end::failure};
  }
}

temper background_of(const program_step& step) {
  const nanoseconds time = std::chrono::milliseconds(5 + 15 * (step.b % 3));
  switch (step.a) {
    case 0:
      return {endless};
    case 1:
      return {endless, when_asked::lingers, own_end::value, 10ms};
    case 2:
      return {time, when_asked::obeys, step.b % 2 == 0 ? own_end::value : own_end::gives_up};
    case 3:
      return {time, when_asked::obeys, own_end::failure};
    case 4:
      return {endless, when_asked::fails};
    default:
      return {deaf_for, when_asked::is_deaf};
  }
}

temper start_of(const program_step& step) {
  if (step.a == 2) return {10ms};
  if (step.a == 3) return {10ms, when_asked::is_deaf};
  if (step.a == 5 && step.b == 0) return {5ms, when_asked::obeys, own_end::failure};
  if (step.a == 5 && step.b == 1) return {deaf_for, when_asked::is_deaf};
  return {};
}

temper stop_of(const program_step& step) {
  if (step.b == 1) return {10ms};
  if (step.b == 2) return {0ms, when_asked::obeys, own_end::failure};
  if (step.b == 3) return {deaf_for, when_asked::is_deaf};
  return {};
}

temper callback_of(const program_step& step) {
  switch (step.a) {
    case 0:
      return {};
    case 1:
      return {0ms, when_asked::obeys, own_end::failure};
    case 2:
      return {10ms};
    case 3:
      return {endless, step.b == 2 ? when_asked::fails : when_asked::obeys};
    case 4:
      return {deaf_for, when_asked::is_deaf};
    default:
      return {5ms, when_asked::obeys, own_end::failure};
  }
}

// ---- The program

contract::graceful_shutdown_config config_of(std::uint8_t shape, const maker<graceful_shutdown>& make) {
  contract::graceful_shutdown_config config{.drain = 50ms,
                                            .force = 20ms,
                                            .background = 20ms,
                                            .callback = 15ms,
                                            .cleanup = 30ms,
                                            .total = 120ms,
                                            .restart_delay = 30ms};
  if (shape / 12 % 2 == 1) {
    if (make.claims("grace")) config.grace = 20ms;
    config.pre_stop = 10ms;
    config.total = 200ms;
  }
  const int policy = shape / 2 % 3;
  if (policy == 1 && make.claims("restart")) config.on_failure = background_failure::restart;
  if (policy == 2 && make.claims("shut_down_on_failure")) config.on_failure = background_failure::shut_down;
  return config;
}

struct run_of_a_program {
  std::shared_ptr<record> seen;
  graceful_shutdown& subject;
  const maker<graceful_shutdown>& make;
  operation<shutdown_report>* run = nullptr;  // null until it has begun
};

void observe(const std::shared_ptr<record>& seen, graceful_shutdown& subject) {
  subject.observe([seen](phase entered) {
    seen->phases.push_back({entered, seen->t.elapsed()});
    seen->t.mark(std::string("phase ") + boost::describe::enum_to_string(entered, "?"));
  });
  subject.on_failure([seen](const std::string& name, const std::exception_ptr& error) {
    seen->told.push_back({name, seen->t.elapsed()});
    seen->t.observe(error);
  });
  subject.on_forced([seen](const std::string& name) { seen->forced.push_back(name); });
}

actor& add_actor(record& seen, part role, const std::string& kind, temper mood) {
  actor made;
  made.name = kind + " " + std::to_string(seen.actors.size() + 1);
  made.role = role;
  made.mood = mood;
  made.known = seen.t.elapsed();
  seen.actors.push_back(std::move(made));
  return seen.actors.back();
}

/// Calls something that may be refused.
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

void offer_work(run_of_a_program& r, const program_step& step) {
  record& seen = *r.seen;
  actor& self = add_actor(seen, part::work, "work", work_of(step));
  self.item_id = static_cast<int>(seen.actors.size());
  self.name = "work " + std::to_string(self.item_id);
  const bool accepting = seen.entered(phase::running) && !seen.entered(phase::stop_accepting);
  const bool undisturbed = accepting && seen.requests.empty() && !seen.entered(phase::not_ready);
  if (undisturbed && r.run->state()->cancels() == 0)
    seen.t.expect(r.subject.ready(), "SHD-3: a service that runs is ready");
  self.taken = is_taken([&] {
    r.subject.admit(seen.t.item(self.item_id), [s = r.seen, &self](item&) { return live(s, &self); });
  });
  seen.t.expect(accepting || !self.taken,
                "SHD-4: work is refused before the service runs and from stop accepting on");
}

void register_resource(run_of_a_program& r, const program_step& step) {
  record& seen = *r.seen;
  actor& start = add_actor(seen, part::start, "resource", start_of(step));
  actor& stop = add_actor(seen, part::cleanup, "resource", stop_of(step));
  stop.name = start.name;
  stop.start = &start;
  seen.cleanups.push_back(&stop);
  r.subject.add_resource(
      start.name, [s = r.seen, &start] { return live(s, &start); },
      [s = r.seen, &stop] { return live(s, &stop); });
}

// SHD-14: from the drain on a registration is refused, or joins; which of the two is declared.
void check_late(run_of_a_program& r, const actor& self, phase too_late) {
  record& seen = *r.seen;
  if (r.run == nullptr || seen.entered(too_late)) return;
  const bool early =
      !seen.entered(phase::not_ready) && seen.requests.empty() && r.run->state()->cancels() == 0;
  if (early) seen.t.expect(self.taken, "SHD-14: what is registered before the stop is taken");
  if (!seen.entered(phase::stop_accepting)) return;
  seen.t.expect_eq(self.taken, r.subject.late_policy() == late_registration::joins,
                   "SHD-14: a late registration is treated as declared");
}

void register_background(run_of_a_program& r, const program_step& step) {
  actor& self = add_actor(*r.seen, part::background, "task", background_of(step));
  self.taken =
      is_taken([&] { r.subject.add_background(self.name, [s = r.seen, &self] { return live(s, &self); }); });
  check_late(r, self, phase::stop_background);
}

void register_callback(run_of_a_program& r, const program_step& step) {
  actor& self = add_actor(*r.seen, part::cleanup, "callback", callback_of(step));
  const bool plain = self.mood.takes == 0ns;
  self.taken = is_taken([&] {
    if (plain) {
      r.subject.add_callback(self.name, [s = r.seen, &self] { finish_life(*s, self, begin_life(*s, self)); });
    } else {
      r.subject.add_async_callback(self.name, [s = r.seen, &self] { return live(s, &self); });
    }
  });
  if (self.taken) r.seen->cleanups.push_back(&self);
  check_late(r, self, phase::cleanup);
}

bool is_late(const program_step& step, const maker<graceful_shutdown>& make) {
  return step.b == 3 && make.claims("late_registration");
}

void register_all(run_of_a_program& r, const program& steps) {
  for (const program_step& step : steps.steps) {
    const verb what = static_cast<verb>(step.verb);
    if (what == verb::resource) register_resource(r, step);
    if (what == verb::background && !is_late(step, r.make)) register_background(r, step);
    if (what == verb::callback && !is_late(step, r.make)) register_callback(r, step);
  }
}

void ask_to_stop(run_of_a_program& r, const program_step& step) {
  record& seen = *r.seen;
  const stop_kind kind = static_cast<stop_kind>(step.a);
  // A cancel is noted when it is seen, as one of the sweep is.
  if (kind == stop_kind::cancel && r.make.claims("stop_on_cancel")) return r.run->cancel();
  trigger what = trigger::stop;
  if (kind == stop_kind::signal && r.make.claims("signals")) what = trigger::signal;
  if (kind == stop_kind::escalation) what = trigger::escalation;
  if (kind == stop_kind::beside_work) offer_work(r, program_step{.a = 0, .b = step.b});
  seen.requests.push_back({what, seen.t.elapsed()});
  if (what == trigger::signal) return r.subject.signal();
  if (what == trigger::escalation) return r.subject.escalate();
  r.subject.request_stop();
  if (kind == stop_kind::twice) r.subject.request_stop();
  if (kind == stop_kind::beside_work) offer_work(r, program_step{.a = 0, .b = step.b});
}

/// A stop that comes before run().
bool is_early(const program_step& step) {
  return static_cast<verb>(step.verb) == verb::stop && step.b == 0 &&
         static_cast<stop_kind>(step.a) <= stop_kind::twice;
}

asio::awaitable<void> do_step(run_of_a_program& r, program_step step) {
  constexpr nanoseconds times[] = {0ms, 2ms, 10ms, 20ms, 40ms, 80ms};
  record& seen = *r.seen;
  switch (static_cast<verb>(step.verb)) {
    case verb::work:
      offer_work(r, step);
      break;
    case verb::background:
      if (is_late(step, r.make)) register_background(r, step);
      break;
    case verb::resource:
      break;
    case verb::callback:
      if (is_late(step, r.make)) register_callback(r, step);
      break;
    case verb::advance:
      if (step.a > 0 || step.b > 0)
        co_await seen.t.advance(times[step.a] + std::chrono::milliseconds(step.b));
      if (step.a == 0 && step.b == 0) co_await seen.t.settle();
      break;
    case verb::stop:
      ask_to_stop(r, step);
      break;
  }
}

/// After every turn: cancels of the run come from the program and from the sweep, so they are counted here.
std::string look(record& seen, const graceful_shutdown& subject, const operation<shutdown_report>& run) {
  for (; seen.cancels < run.state()->cancels(); ++seen.cancels)
    seen.requests.push_back({trigger::cancel, seen.t.elapsed()});
  if (run.ended() && seen.run_ended == never) seen.run_ended = seen.t.elapsed();
  const bool wrong = seen.entered(phase::not_ready) && subject.ready();
  return wrong ? "SHD-3: a service that stops is not ready" : std::string();
}

// ---- The model: what must have happened, given what the tasks are like and when the stop was requested

class model {
 public:
  model(record& seen, const contract::graceful_shutdown_config& config, const shutdown_report& report,
        bool cancel_escalates)
      : seen_(seen), t_(seen.t), config_(config), report_(report), cancel_escalates_(cancel_escalates) {}

  void check() {
    find_request();
    check_phases();
    check_start();
    check_admission();
    check_drain();
    check_background();
    check_cleanup();
    check_items();
    check_failures();
    check_primary();
    check_report();
  }

 private:
  struct expected_names {
    names must;
    names may;  // where two things fall on one instant
  };

  template <class Visit>
  void each(part role, Visit visit) const {
    for (const actor& one : seen_.actors)
      if (one.role == role) visit(one);
  }

  bool same(nanoseconds actual, nanoseconds expected, const std::string& what) const {
    return t_.expect_eq(actual, expected, what);
  }
  void same_if_told(phase which, nanoseconds expected, const std::string& what) const {
    if (seen_.entered(which)) same(seen_.when(which), expected, what);
  }

  /// A life that is asked to stop at `moment`, if it has not ended by itself then.
  void check_asked(const actor& who, const life& one, nanoseconds moment, const std::string& what) const {
    const nanoseconds own_end = who.own_end_of(one);
    if (own_end < moment || !who.listens()) {
      t_.expect(one.asked == never, what + ", and nobody before");
    } else if (own_end > moment || one.asked != never) {
      same(one.asked, moment, what);
    }
  }

  void check_names(names actual, const expected_names& expected, const std::string& what) const {
    const auto remove = [&actual](const std::string& name) {
      const auto found = std::find(actual.begin(), actual.end(), name);
      if (found == actual.end()) return false;
      actual.erase(found);
      return true;
    };
    for (const std::string& name : expected.must) t_.expect(remove(name), what, "'" + name + "' is missing");
    for (const std::string& name : expected.may) (void)remove(name);
    t_.expect_eq(actual, names{}, what + ", and nobody else, each once");
  }

  /// The last of these to end, as far as `limit` waits for it; names those that are left.
  void note_survivor(const actor& who, const life& one, nanoseconds limit, nanoseconds& last) {
    last = std::max(last, std::min(one.ended, limit));
    if (one.ended < limit) return;
    names& where = one.ended > limit ? survivors_.must : survivors_.may;
    where.push_back(who.name);
    names& forced = one.ended > limit ? forced_.must : forced_.may;
    forced.push_back(who.name);
  }

  void find_request();
  void find_escalations();
  void check_phases() const;
  void check_start();
  void check_admission() const;
  void check_drain();
  void check_worked(const actor& who, nanoseconds& last);
  nanoseconds drain_end() const;
  void check_background();
  void check_served(const actor& who, nanoseconds& last);
  void check_cleanup();
  void check_cleanup_order();
  void check_cleaned(const actor& who, nanoseconds next);
  bool is_due(const actor& cleanup) const;
  bool may_be_due(const actor& cleanup) const;
  void check_items() const;
  void check_failures();
  void check_primary() const;
  void check_report();

  record& seen_;
  trial& t_;
  const contract::graceful_shutdown_config& config_;
  const shutdown_report& report_;
  const bool cancel_escalates_;

  nanoseconds requested_ = never;
  nanoseconds failed_ = never;  // what is itself a request to stop
  nanoseconds watchdog_ = never;
  std::vector<nanoseconds> escalations_ = {};  // that take effect
  std::vector<nanoseconds> may_be_escalations_ = {};
  bool reached_ = false;  // the service ran
  nanoseconds not_ready_{};
  nanoseconds accepting_ends_{};
  nanoseconds drain_ends_{};
  nanoseconds work_ends_{};
  nanoseconds background_ends_{};
  expected_names survivors_ = {};
  expected_names unfinished_ = {};
  expected_names forced_ = {};
};

void model::find_request() {
  for (const record::request& each : seen_.requests)
    if (each.what != trigger::escalation) requested_ = std::min(requested_, each.at);
  for (const actor& who : seen_.actors) {
    const bool stops = who.role == part::start ||
                       (who.role == part::background && config_.on_failure == background_failure::shut_down);
    for (const life& one : who.lives)
      if (stops && one.how == ending::failure) failed_ = std::min(failed_, one.ended);
  }
  requested_ = std::min(requested_, failed_);
  watchdog_ = requested_ + config_.total - config_.pre_stop;
  reached_ = seen_.entered(phase::running);
  find_escalations();
}

// SHD-10: a second signal escalates, and with `cancel_escalates` so does a cancel of a run() that is stopping. A
// first signal that comes after another request may, and so may a cancel at the instant of one, or any without the
// feature: nobody promises either.
void model::find_escalations() {
  std::size_t signals = 0;
  std::size_t before = 0;  // requests at this instant, or earlier
  for (const record::request& each : seen_.requests) {
    const bool is_signal = each.what == trigger::signal;
    const bool is_cancel = each.what == trigger::cancel;
    if (is_signal) ++signals;
    const bool sure = each.what == trigger::escalation || (is_signal && signals > 1) ||
                      (is_cancel && cancel_escalates_ && requested_ < each.at);
    if (sure) {
      escalations_.push_back(each.at);
    } else if ((is_signal || is_cancel) && (before > 0 || failed_ <= each.at)) {
      may_be_escalations_.push_back(each.at);
    }
    if (each.what != trigger::escalation) ++before;
  }
}

// SHD-1
void model::check_phases() const {
  const auto& all = seen_.phases;
  const auto disordered = [](const record::entry& a, const record::entry& b) { return a.what >= b.what; };
  t_.expect(std::adjacent_find(all.begin(), all.end(), disordered) == all.end(),
            "SHD-1: the phases come in order, each entered once");
  for (const phase one :
       {phase::not_ready, phase::stop_accepting, phase::drain, phase::cleanup, phase::stopped}) {
    t_.expect(seen_.entered(one),
              std::string("SHD-1: the phase ") + boost::describe::enum_to_string(one, "?") + " is entered");
  }
  same(seen_.when(phase::stopped), seen_.run_ended, "SHD-1: stopped is the last phase of run()");
  t_.expect(seen_.run_ended <= watchdog_, "SHD-11: run() ends when the total is spent");
}

// SHD-12: resources start one after the other until a stop is requested.
void model::check_start() {
  nanoseconds now = 0ns;
  nanoseconds given_up = requested_;
  bool goes_on = !seen_.stopped_before_run;
  each(part::start, [&](const actor& who) {
    t_.expect(who.lives.size() <= 1, "SHD-12: a resource is started once");
    if (!goes_on || requested_ < now) {
      t_.expect(who.lives.empty(), "SHD-12: nothing is started after the stop was requested");
      return;
    }
    if (who.lives.empty()) {
      t_.expect(requested_ == now, "SHD-12: resources are started one after the other");
      goes_on = false;
      return;
    }
    const life& one = who.lives.front();
    same(one.begun, now, "SHD-12: resources are started one after the other");
    check_asked(who, one, requested_, "SHD-12: a stop gives the start up");
    const nanoseconds limit = requested_ + config_.force;
    if (who.own_end_of(one) > requested_) {
      note_survivor(who, one, limit, given_up);
      now = given_up;
      goes_on = false;
    } else {
      now = one.ended;
    }
  });
  if (now < requested_) t_.expect(reached_, "SHD-12: a service that has started runs");
  if (now > requested_ || seen_.stopped_before_run)
    t_.expect(!reached_, "SHD-12: a start that is given up leads nowhere");
  if (reached_) same(seen_.when(phase::running), now, "SHD-12: a service runs when everything has started");
  not_ready_ = reached_ ? requested_ : given_up;
  same(seen_.when(phase::not_ready), not_ready_, "SHD-2: a request wakes the service up");
  accepting_ends_ = not_ready_ + (reached_ ? config_.grace : 0ns);
  same(seen_.when(phase::stop_accepting), accepting_ends_,
       "SHD-3: work is accepted until the grace period ends");
  same(seen_.when(phase::drain), accepting_ends_, "SHD-4: the drain follows");
}

// SHD-3, SHD-4
void model::check_admission() const {
  each(part::work, [&](const actor& who) {
    if (reached_ && who.known > seen_.when(phase::running)) {
      if (who.known < requested_) t_.expect(who.taken, "SHD-4: a service that runs takes work");
      if (who.known > requested_ && who.known < accepting_ends_)
        t_.expect(who.taken, "SHD-3: work is accepted during the grace period");
    }
    if (!reached_ || who.known > accepting_ends_)
      t_.expect(!who.taken, "SHD-4: work offered afterwards is refused");
    if (!who.taken) t_.expect(who.lives.empty(), "SHD-4: refused work never begins");
  });
}

// SHD-4, SHD-5, SHD-10: when nothing is in flight, the budget is spent, or somebody escalates.
nanoseconds model::drain_end() const {
  nanoseconds end = accepting_ends_;
  each(part::work, [&](const actor& who) {
    if (who.taken) end = std::max(end, who.known + who.mood.takes);
  });
  end = std::min(end, accepting_ends_ + config_.drain);
  for (const nanoseconds at : escalations_) end = std::min(end, std::max(accepting_ends_, at));
  nanoseconds seen = end;
  if (seen_.entered(phase::force_cancel)) {
    seen = seen_.when(phase::force_cancel);
  } else if (seen_.entered(phase::stop_background)) {
    seen = seen_.when(phase::stop_background);
  }
  for (const nanoseconds at : may_be_escalations_)
    if (seen == std::max(accepting_ends_, at)) end = std::min(end, seen);
  return end;
}

void model::check_drain() {
  drain_ends_ = drain_end();
  work_ends_ = drain_ends_;
  same_if_told(phase::force_cancel, drain_ends_, "SHD-6: work is cancelled when the drain has ended");
  each(part::work, [&](const actor& who) {
    if (who.taken) check_worked(who, work_ends_);
  });
  same_if_told(phase::stop_background, work_ends_,
               "SHD-5, SHD-6: background tasks are stopped when no work is left");
}

void model::check_worked(const actor& who, nanoseconds& last) {
  if (who.lives.empty()) {
    t_.expect(who.known == drain_ends_, "SHD-4: admitted work begins");
    unfinished_.must.push_back(who.name);
    forced_.must.push_back(who.name);
    return;
  }
  t_.expect(who.lives.size() == 1, "SHD-4: admitted work is done once");
  const life& one = who.lives.front();
  same(one.begun, who.known, "SHD-4: admitted work begins");
  check_asked(who, one, drain_ends_, "SHD-4, SHD-6: what is left at the drain deadline is cancelled");
  const nanoseconds limit = drain_ends_ + config_.force;
  note_survivor(who, one, limit, last);
  if (one.ended == limit) unfinished_.may.push_back(who.name);
  if (one.ended > limit || one.how == ending::cancelled) unfinished_.must.push_back(who.name);
  if (one.ended >= limit) return;
  const bool failed = one.how == ending::failure;
  if (one.how == ending::cancelled || (failed && one.asked != never)) forced_.must.push_back(who.name);
  if (failed && one.asked == never && one.ended == drain_ends_) forced_.may.push_back(who.name);
}

// SHD-7, SHD-13, SHD-14
void model::check_background() {
  background_ends_ = work_ends_;
  each(part::background, [&](const actor& who) {
    if (!who.taken || !reached_) {
      t_.expect(who.lives.empty(), "SHD-12, SHD-14: what is refused, or not started, never begins");
    } else {
      check_served(who, background_ends_);
    }
  });
  same(seen_.when(phase::cleanup), background_ends_,
       "SHD-7: the cleanup begins when the background has ended");
}

void model::check_served(const actor& who, nanoseconds& last) {
  nanoseconds due = std::max(who.known, seen_.when(phase::running));
  nanoseconds must_until = work_ends_;  // from when on it is not started any more
  for (std::size_t i = 0; i <= who.lives.size(); ++i) {
    if (i == who.lives.size()) {
      t_.expect(due >= must_until,
                "SHD-13: a background task is started, and again if it is to be restarted");
      return;
    }
    const life& one = who.lives[i];
    same(one.begun, due, "SHD-13: a background task is started, and again after the delay");
    t_.expect(one.begun <= work_ends_, "SHD-13: nothing is started after the stop");
    check_asked(who, one, work_ends_, "SHD-7: background tasks serve the work until it has ended");
    note_survivor(who, one, work_ends_ + config_.background, last);
    const bool again =
        config_.on_failure == background_failure::restart && one.how == ending::failure && one.asked == never;
    due = again ? one.ended + config_.restart_delay : never;
    must_until = std::min(requested_, work_ends_);
  }
}

bool model::may_be_due(const actor& cleanup) const {
  if (cleanup.start == nullptr) return true;
  if (cleanup.start->lives.empty()) return false;
  const life& one = cleanup.start->lives.front();
  return one.how == ending::value && one.ended <= not_ready_;
}

bool model::is_due(const actor& cleanup) const {
  if (!may_be_due(cleanup)) return false;
  // One that ended with the budget may have been abandoned.
  return cleanup.start == nullptr ||
         cleanup.start->own_end_of(cleanup.start->lives.front()) < requested_ + config_.force;
}

// SHD-8, SHD-12: in reverse order of registration, each once. What is registered meanwhile comes next; at the
// very instant at which the next one is chosen, it may come too late for that.
void model::check_cleanup_order() {
  for (auto begin = seen_.cleaned.begin(); begin != seen_.cleaned.end(); ++begin) {
    const actor& who = *begin->who;
    t_.expect(may_be_due(who), "SHD-12: only what was started is cleaned up: '" + who.name + "'");
    const nanoseconds at = who.lives.front().begun;
    for (std::size_t i = begin->registered; i > 0 && seen_.cleanups[i - 1] != &who; --i) {
      const actor& above = *seen_.cleanups[i - 1];
      const bool was_before = std::any_of(seen_.cleaned.begin(), begin,
                                          [&above](const auto& other) { return other.who == &above; });
      t_.expect(was_before || !is_due(above) || above.known == at,
                "SHD-8: cleanup is in reverse order of registration: '" + above.name + "' before '" +
                    who.name + "'");
    }
  }
}

/// Checks one cleanup step; the next one began at `next`, or everything had ended.
void model::check_cleaned(const actor& who, nanoseconds next) {
  const life& one = who.lives.front();
  const nanoseconds limit = std::min(one.begun + config_.callback, watchdog_);
  const nanoseconds last = std::min(limit + config_.force, watchdog_);
  t_.expect(one.begun < watchdog_, "SHD-11: nothing begins when the total is spent");
  check_asked(who, one, limit, "SHD-8: a callback that takes too long is asked to stop");
  if (one.ended <= last && one.ended <= next) {
    same(next, one.ended, "SHD-8, SHD-9: a callback is awaited, and the next one follows at once");
  } else {
    // How long it is waited for once asked, is not the standard's.
    t_.expect(next >= limit && next <= last, "SHD-8: a callback is bounded in time: '" + who.name + "'");
  }
  if (one.ended > next) {
    survivors_.must.push_back(who.name);
    forced_.must.push_back(who.name);
  } else if (one.ended == last) {
    survivors_.may.push_back(who.name);
    forced_.may.push_back(who.name);
  } else if (one.asked != never) {
    forced_.must.push_back(who.name);
  }
}

void model::check_cleanup() {
  for (const actor* const who : seen_.cleanups)
    t_.expect(who->lives.size() <= 1, "SHD-8: nothing is cleaned up twice: '" + who->name + "'");
  check_cleanup_order();
  const auto& all = seen_.cleaned;
  const nanoseconds first = all.empty() ? seen_.run_ended : all.front().who->lives.front().begun;
  same(first, background_ends_, "SHD-7: the cleanup begins when the background has ended");
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_last = i + 1 == all.size();
    check_cleaned(*all[i].who, is_last ? seen_.run_ended : all[i + 1].who->lives.front().begun);
  }
  for (const actor* const who : seen_.cleanups) {
    if (!who->lives.empty() || !may_be_due(*who)) continue;
    const bool skipped = seen_.run_ended >= watchdog_;
    if (is_due(*who)) t_.expect(skipped, "SHD-8, SHD-12: what is to be cleaned up is: '" + who->name + "'");
    names& where = is_due(*who) ? forced_.must : forced_.may;
    if (skipped) where.push_back(who->name);
  }
}

item_state state_after(ending how) {
  if (how == ending::value) return item_state::delivered;
  return how == ending::failure ? item_state::dead_lettered : item_state::returned;
}

// SHD-16
void model::check_items() const {
  each(part::work, [&](const actor& who) {
    const item_state is = t_.items().state(who.item_id);
    const auto named = std::count(report_.unfinished.begin(), report_.unfinished.end(), who.name);
    t_.expect(named <= 1, "SHD-16: unfinished work is named once: '" + who.name + "'");
    // A survivor may end while everything else is cleaned up; afterwards its item is the caller's.
    const bool ended = !who.lives.empty() && who.lives.front().ended < seen_.run_ended;
    item_state expected = item_state::returned;
    if (!who.lives.empty() && (named == 0 || ended)) expected = state_after(who.lives.front().how);
    if (named == 1 && !who.lives.empty() && who.lives.front().ended == seen_.run_ended) return;  // either
    t_.expect_eq(to_string(is), to_string(expected),
                 "SHD-16: every item is accounted for: '" + who.name + "'");
  });
  t_.expect(t_.items().balanced(), "SHD-16: every item is accounted for", t_.items().summary());
}

// what the cleanup fails with after another failure is secondary, and nothing else is. Where failures were told
// at once, the first that the report holds may come after one of these.
void model::check_primary() const {
  for (std::size_t i = 0; i < report_.failures.size(); ++i) {
    const shutdown_report::failure& one = report_.failures[i];
    const auto cleans = [&one](const actor* who) {
      return who->name == one.name && !who->lives.empty() && who->lives.front().how == ending::failure;
    };
    const bool of_cleanup = std::any_of(seen_.cleanups.begin(), seen_.cleanups.end(), cleans);
    if (of_cleanup && i == 0 && !seen_.told.empty()) continue;
    t_.expect_eq(one.secondary, of_cleanup && i > 0,
                 "X-17: the primary failure is told apart: '" + one.name + "'");
  }
}

// X-15, SHD-13: every failure is told once, in the report or when it happens.
void model::check_failures() {
  names reported;
  for (const shutdown_report::failure& each : report_.failures) {
    reported.push_back(each.name);
    t_.observe(each.error);
  }
  for (const actor& who : seen_.actors) {
    for (const life& one : who.lives) {
      if (one.how != ending::failure) continue;
      const auto found = std::find_if(seen_.told.begin(), seen_.told.end(), [&](const auto& each) {
        return !each.matched && each.name == who.name && each.at == one.ended;
      });
      const auto in_report = std::find(reported.begin(), reported.end(), who.name);
      const bool told = found != seen_.told.end();
      t_.expect(told || in_report != reported.end(), "X-15: a failure is told: '" + who.name + "'");
      if (who.role == part::background && one.ended < requested_)
        t_.expect(told, "SHD-13: a failure is told when it happens: '" + who.name + "'");
      if (told) {
        found->matched = true;
      } else if (in_report != reported.end()) {
        reported.erase(in_report);
      }
    }
  }
  t_.expect_eq(reported, names{}, "X-15, X-16: the report holds nothing but failures, each once");
  for (const auto& each : seen_.told)
    t_.expect(each.matched, "X-15, X-16: nothing but failures is told, each once: '" + each.name + "'");
}

void model::check_report() {
  check_names(report_.survivors, survivors_, "SHD-6, SHD-7: who ignores being asked to stop is named");
  check_names(report_.unfinished, unfinished_, "SHD-6, SHD-16: unfinished work is named");
  check_names(seen_.forced, forced_, "X-29: every forced action is told");
  if (!forced_.must.empty()) t_.expect(report_.forced, "SHD-6, SHD-15: a stop that was forced says so");
  if (forced_.must.empty() && forced_.may.empty())
    t_.expect(!report_.forced, "SHD-7, SHD-15: a stop within the budgets is not forced");
}

/// A run() that was cancelled before it began: nothing has happened, and nothing will.
void check_unborn(record& seen) {
  trial& t = seen.t;
  t.expect(seen.cancels > 0, "a run() that nobody cancelled ends with its report");
  t.expect(seen.phases.empty(), "SHD-16: a run() that ends as cancelled has not begun");
  for (const actor& who : seen.actors)
    t.expect(who.lives.empty() && (who.role != part::work || !who.taken), "nothing of it has begun");
  t.expect(t.items().balanced(), "SHD-16: every item is accounted for", t.items().summary());
}

asio::awaitable<void> end_program(run_of_a_program& r, const contract::graceful_shutdown_config& config) {
  record& seen = *r.seen;
  trial& t = seen.t;
  co_await t.settle();
  seen.requests.push_back({trigger::stop, t.elapsed()});
  r.subject.request_stop();
  co_await t.advance(config.total + 1ms);
  // Nothing is taken apart under the feet of a run() that has not ended.
  if (!t.expect(r.run->ended(), "SHD-11: run() ends")) co_await t.advance(never);
  co_await t.advance(2 * endless);  // survivors end
}

}  // namespace

ASSAY_PROGRAM(graceful_shutdown, "SHD-1", rules, .features = {"force", "callbacks", "budgets", "supervision"},
              .must_see = {"request_begins_the_stop_again", "cancels_at_once", "registers_work_a_turn_late",
                           "refusal_looks_like_success", "cancelled_work_is_not_reported",
                           "survivors_are_not_named", "crash_is_forgotten", "callbacks_in_registration_order",
                           "forgets_a_start_that_committed", "cut_callbacks_are_silent",
                           "escalation_cleans_again", "no_watchdog", "request_wakes_nobody",
                           "report_is_lost_on_cancel"}) {
  const contract::graceful_shutdown_config config = config_of(steps.shape, make);
  const bool swept = steps.shape % 2 == 1 && make.claims("stop_on_cancel");
  const bool settled = steps.shape / 6 % 2 == 1;
  auto seen = std::make_shared<record>(t);
  auto subject = make(config);
  observe(seen, *subject);
  run_of_a_program r{seen, *subject, make};
  register_all(r, steps);
  auto step = steps.steps.begin();
  for (; step != steps.steps.end() && is_early(*step); ++step) {
    ask_to_stop(r, *step);
    seen->stopped_before_run = true;
  }
  auto run = t.start("run", subject->run());
  r.run = &run;
  if (swept) t.victim(run);
  auto watch = t.watch([seen, &subject, &run] { return look(*seen, *subject, run); });
  for (; step != steps.steps.end(); ++step) {
    co_await do_step(r, *step);
    if (settled) co_await t.settle();
  }
  co_await end_program(r, config);
  if (run.cancelled()) {
    check_unborn(*seen);
    co_return;
  }
  if (!t.expect(run.done(), "run() ends with its report", to_string(run.what()))) co_return;
  model(*seen, config, run.value(), make.claims("cancel_escalates")).check();
}

}  // namespace assay
