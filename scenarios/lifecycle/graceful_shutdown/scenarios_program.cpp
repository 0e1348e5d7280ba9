// Random programs on a coordinator: work, background tasks, resources and callbacks of every temper, stops of
// every kind at any moment.
//
// Everything that the coordinator runs belongs to the program, which knows how long it takes and what it does
// when it is asked to stop, and writes down when it began, was asked and ended. From this alone, and from the
// requests to stop, follows when each phase begins, who is asked to stop and when, and what the report says.
// Where two things fall on one instant, both orders are right. What is due at some time happens at the first instant from
// then on at which anything happens at all: a loop may be late, but it does not pass over what is due.
//
// Nothing here needs a feature. What a subject without `force` does at the drain deadline is its choice: it is seen, and
// must fit to what the report says.
#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/virtual_time.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/actors.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace shutdown_actors;
using namespace std::chrono_literals;
using contract::background_failure;
using contract::connection_close;
using contract::graceful_shutdown;
using contract::late_registration;
using contract::shutdown_report;
using config = graceful_shutdown::config;

enum class verb : std::uint8_t {
  work,
  background,
  resource,
  callback,
  advance,
  stop,
  from_within,
  connection
};
// The temper of a stop. The third has work offered before and after it in its own turn. Who does not have the last three
// is asked to stop.
enum class stop_kind : std::uint8_t { once, twice, beside_work, signal, escalation, cancel };
// What an actor does in its first turn; what a subject does not have is a stop.
enum class inner : std::uint8_t { stop, stop_beside_work, work, escalation, signal, registration };

const grammar rules = {
    .shapes = 48,  // swept or not, three policies for failed tasks, settled or not, four sets of budgets
    .verbs = {"work",
              "background",
              "resource",
              {"callback", "callbacks"},
              "advance",
              "stop",
              "from_within",
              {"connection", "connections"}},
    .a_values = 6,  // its temper; how far to advance; what kind of stop; what is done from within
    // How long it takes; whether it is registered while the service runs; a few ms more; within whom.
    .b_values = 4,
    .steps_max = 20,
    // With a stop among the steps, that many services one after the other.
    .repeats = {1, 1, 1, 1, 1, 1, 1, 12},
    .one_run = true,
};

// ---- What a coordinator is given to run

constexpr nanoseconds deaf_for = 1s;  // longer than any budget

act work_of(const program_step& step) {
  constexpr nanoseconds times[] = {0ms, 10ms, 60ms, 150ms};
  const nanoseconds time = times[step.b];
  const bool even = step.b % 2 == 0;
  const act deaf = {deaf_for, when_asked::is_deaf, even ? ending::value : ending::failure};
  const act all[] = {taking(time),         failing(time), insisting(time), lingering(even ? 10ms : 25ms),
                     failing_when_asked(), deaf};
  return all[step.a];
}

act background_of(const program_step& step) {
  const nanoseconds time = 5ms + 15ms * (step.b % 3);
  const act ends = {time, when_asked::obeys, step.b % 2 == 0 ? ending::value : ending::cancelled};
  const act all[] = {taking(endless), lingering(10ms),      ends,
                     failing(time),   failing_when_asked(), insisting(deaf_for)};
  return all[step.a];
}

act start_of(const program_step& step) {
  if (step.a == 2) return taking(10ms);
  if (step.a == 3) return insisting(10ms);
  if (step.a == 5 && step.b == 0) return failing(5ms);
  if (step.a == 5 && step.b == 1) return insisting(deaf_for);
  return {};
}

act stop_of(const program_step& step) {
  const act all[] = {{}, taking(10ms), failing(0ms), insisting(deaf_for)};
  return all[step.b];
}

act callback_of(const program_step& step) {
  const act slow = step.b == 2 ? failing_when_asked() : taking(endless);
  const act all[] = {{}, failing(0ms), taking(10ms), slow, insisting(deaf_for), failing(5ms)};
  return all[step.a];
}

enum class part { work, background, start, cleanup };
enum class trigger { stop, signal, escalation, cancel };

struct player : actor {
  part role = part::work;
  nanoseconds known{};  // when it was offered or registered
  bool taken = true;
  int item_id = 0;
  std::shared_ptr<player> start = nullptr;  // of the resource that this cleans up
};

/// A connection, and what it was told.
struct connected {
  int id = 0;
  bool busy = false;
  bool gone = false;
  nanoseconds opened{};
  std::vector<connection_close> told = {};
  nanoseconds told_at = never;
};

/// What is seen of one program. Shared by all that runs in it, since some of that outlives the stop.
struct record {
  record(trial& owner, int& ids) : t(owner), last_id(ids) {}

  template <class What>
  struct event {
    What what;
    nanoseconds at;
  };
  struct cleanup_begin {
    std::shared_ptr<player> who;
    std::size_t registered;  // how many were registered by then
  };
  struct told_failure {
    std::string name;
    nanoseconds at;
    bool matched = false;
  };

  trial& t;
  int& last_id;  // of all services of the program
  std::vector<std::shared_ptr<player>> actors = {};
  std::vector<std::shared_ptr<player>> cleanups = {};  // in the order of registration
  std::vector<cleanup_begin> cleaned = {};
  std::vector<event<phase>> phases = {};
  std::vector<event<trigger>> requests = {};
  std::vector<std::shared_ptr<connected>> connections = {};
  std::vector<nanoseconds> instants = {};  // at which anything happened, in order
  std::vector<told_failure> told = {};
  names forced = {};
  bool stopped_before_run = false;
  std::size_t cancels = 0;
  nanoseconds begun{};
  nanoseconds run_ended = never;

  nanoseconds when(phase wanted) const {
    for (const auto& each : phases)
      if (each.what == wanted) return each.at;
    return never;
  }
  bool entered(phase wanted) const { return when(wanted) != never; }

  std::shared_ptr<player> add(part role, const std::string& kind, act mood) {
    auto made = std::make_shared<player>();
    made->item_id = ++last_id;
    made->name = kind + " " + std::to_string(made->item_id);
    made->role = role;
    made->mood = mood;
    made->known = t.elapsed();
    actors.push_back(made);
    return made;
  }
};

// ---- The program

config config_of(std::uint8_t shape, const maker<graceful_shutdown>& make) {
  config wanted{.drain = 50ms,
                .force = 20ms,
                .background = 20ms,
                .callback = 15ms,
                .cleanup = 30ms,
                .total = 120ms,
                .restart_delay = 30ms};
  const int policy = shape / 2 % 3;
  const int budgets = shape / 12 % 4;
  if (budgets == 1) {
    if (make.claims("grace")) wanted.grace = 20ms;
    wanted.pre_stop = 10ms;
    wanted.total = 200ms;
  }
  if (budgets >= 2) {  // no time at all, less than that, and all the time that there is
    const nanoseconds none = policy == 2 ? -1ms : 0ms;
    wanted.drain = budgets == 2 ? none : never;
    wanted.force = wanted.background = wanted.cleanup = 0ms;
    wanted.total = never;
    wanted.restart_delay = budgets == 2 ? -1ms : never;
  }
  if (policy == 1 && make.claims("restart")) wanted.on_failure = background_failure::restart;
  if (policy == 2 && make.claims("shut_down_on_failure")) wanted.on_failure = background_failure::shut_down;
  return wanted;
}

/// Null if these budgets were refused, as negative ones may be.
made_subject<graceful_shutdown> made_or_refused(const maker<graceful_shutdown>& make, const config& wanted) {
  try {
    return make(wanted);
  } catch (const contract::rejected_error&) {
    return nullptr;
  }
}

class run_of_a_program {
 public:
  run_of_a_program(trial& owner, const maker<graceful_shutdown>& how, made_subject<graceful_shutdown> made,
                   int& ids)
      : t(owner), make(how), seen(std::make_shared<record>(owner, ids)), subject(std::move(made)) {
    subject->observe([seen = seen](phase entered) {
      seen->phases.push_back({entered, seen->t.elapsed()});
      seen->t.mark(name_of(entered));
    });
    subject->on_failure([seen = seen](const std::string& name, const std::exception_ptr& error) {
      seen->told.push_back({name, seen->t.elapsed()});
      seen->t.observe(error);
    });
    if (make.claims("force"))
      subject->on_forced([seen = seen](const std::string& name) { seen->forced.push_back(name); });
  }

  /// Registers what belongs to this time: `late` is while the service runs.
  void register_one(const program_step& step, bool late) {
    const verb what = static_cast<verb>(step.verb);
    if (what == verb::from_within && step.b > 0 && !late) return register_with(step);
    const bool is_late = what != verb::resource && step.b == 3 && make.claims("late_registration");
    if (is_late != late) return;
    if (what == verb::resource) register_resource(start_of(step), stop_of(step));
    if (what == verb::background) register_background(background_of(step));
    if (what == verb::callback) register_callback(callback_of(step));
  }

  void begin(bool swept) {
    seen->begun = t.elapsed();
    run.emplace(t.start("run", subject->run()));
    if (swept) t.victim(*run);
  }

  /// A stop that comes before run().
  static bool is_early(const program_step& step) {
    return static_cast<verb>(step.verb) == verb::stop && step.b == 0 &&
           static_cast<stop_kind>(step.a) <= stop_kind::twice;
  }

  void ask_to_stop(const program_step& step) {
    const stop_kind kind = static_cast<stop_kind>(step.a);
    // A cancel is noted when it is seen, as one of the sweep is.
    if (kind == stop_kind::cancel && make.claims("stop_on_cancel")) return run->cancel();
    if (kind == stop_kind::signal && make.claims("signals")) return request(trigger::signal);
    if (kind == stop_kind::escalation && make.claims("force")) return request(trigger::escalation);
    if (kind == stop_kind::beside_work) return stop_beside_work();
    request(trigger::stop);
    if (kind == stop_kind::twice) subject->request_stop();
  }

  asio::awaitable<void> do_step(program_step step) {
    constexpr nanoseconds times[] = {0ms, 2ms, 10ms, 20ms, 40ms, 80ms};
    const nanoseconds time = times[step.a] + std::chrono::milliseconds(step.b);
    switch (static_cast<verb>(step.verb)) {
      case verb::work:
        co_return offer_work(work_of(step));
      case verb::background:
      case verb::resource:
      case verb::callback:
        co_return register_one(step, true);
      case verb::advance:
        if (time > 0ns) co_return co_await go_on(time);
        co_return co_await t.settle();
      case verb::stop:
        co_return ask_to_stop(step);
      case verb::from_within:
        if (step.b == 0) offer_work(taking(10ms), within(step));
        co_return;
      case verb::connection:
        co_return connect(step);
    }
  }

  /// In small steps, so that neither a late loop nor a coordinator that misses its time is very late.
  asio::awaitable<void> go_on(nanoseconds time) {
    for (nanoseconds left = time; left > 0ns && !run->ended(); left -= 5ms)
      co_await t.advance(std::min<nanoseconds>(left, 5ms));
  }

  /// After every turn: cancels of the run come from the program and from the sweep, so they are counted here.
  std::string look() {
    if (seen->instants.empty() || seen->instants.back() != t.elapsed()) seen->instants.push_back(t.elapsed());
    for (; seen->cancels < run->state()->cancels(); ++seen->cancels)
      seen->requests.push_back({trigger::cancel, t.elapsed()});
    if (run->ended() && seen->run_ended == never) seen->run_ended = t.elapsed();
    const bool wrong = subject != nullptr && seen->entered(phase::not_ready) && subject->ready();
    return wrong ? "SHD-1: a service that stops is not ready" : std::string();
  }

  asio::awaitable<void> end(nanoseconds total) {
    co_await t.settle();
    request(trigger::stop);
    co_await go_on(std::min<nanoseconds>(total, 200ms) + 1ms);
    const bool bounded = make.claims("budgets") && make.claims("force");
    if (!run->ended()) co_await t.advance(bounded && total != never ? total : 4 * endless);
    // Nothing is taken apart under the feet of a run() that has not ended.
    const bool ended = t.expect(run->ended(), bounded ? "SHD-11: run() ends" : "SHD-7: run() ends");
    if (!ended) t.keep(std::shared_ptr<graceful_shutdown>(subject.release()));
    if (!ended) co_return;
    co_await t.advance(2 * endless);  // survivors end
  }

  trial& t;
  const maker<graceful_shutdown>& make;
  const std::shared_ptr<record> seen;
  made_subject<graceful_shutdown> subject;
  std::optional<operation<shutdown_report>> run;  // empty until it has begun

 private:
  graceful_shutdown::async_function performing(const std::shared_ptr<player>& self) const {
    return [&t = t, self] { return perform(t, self); };
  }
  graceful_shutdown::async_function cleaning(const std::shared_ptr<player>& self) const {
    return [seen = seen, self] {
      seen->cleaned.push_back({self, seen->cleanups.size()});
      return perform(seen->t, self);
    };
  }
  /// Nobody has asked for a stop yet, nor begun one.
  bool is_undisturbed() const {
    return seen->requests.empty() && !seen->entered(phase::not_ready) && run->state()->cancels() == 0;
  }

  void request(trigger what) {
    seen->requests.push_back({what, t.elapsed()});
    if (what == trigger::signal) return subject->signal();
    if (what == trigger::escalation) return subject->escalate();
    subject->request_stop();
  }
  void stop_beside_work() {
    offer_work(taking(10ms));
    request(trigger::stop);
    offer_work(taking(10ms));
  }

  /// What an actor does in its first turn.
  std::function<void()> within(const program_step& step) {
    return [this, here = std::weak_ptr<bool>(alive_), what = static_cast<inner>(step.a)] {
      if (here.expired()) return;  // a coordinator that is wrong may begin things when it has gone
      do_within(what);
    };
  }
  void do_within(inner what) {
    switch (what) {
      case inner::stop:
        break;
      case inner::stop_beside_work:
        return stop_beside_work();
      case inner::work:
        return offer_work(taking(10ms));
      case inner::escalation:
        if (make.claims("force")) return request(trigger::escalation);
        break;
      case inner::signal:
        if (make.claims("signals")) return request(trigger::signal);
        break;
      case inner::registration:
        if (!make.claims("late_registration")) break;
        if (make.claims("callbacks")) return register_callback(taking(5ms));
        return register_background(lingering(5ms));
    }
    request(trigger::stop);
  }

  void offer_work(act mood, std::function<void()> first_turn = {}) {
    const auto self = seen->add(part::work, "work", mood);
    self->first_turn = std::move(first_turn);
    const bool accepting = seen->entered(phase::running) && !seen->entered(phase::stop_accepting);
    if (accepting && is_undisturbed()) t.expect(subject->ready(), "SHD-1: a service that runs is ready");
    self->taken = is_taken(
        [&] { subject->admit(t.item(self->item_id), [&t = t, self](item&) { return perform(t, self); }); });
    t.expect(accepting || !self->taken,
             "SHD-4: work is refused before the service runs and from stop accepting on");
  }

  /// One of those that do something in their first turn.
  void register_with(const program_step& step) {
    if (step.b == 1) return register_background(lingering(5ms), within(step));
    if (step.b == 2) return register_resource(taking(5ms), taking(5ms), within(step));
    if (make.claims("callbacks")) return register_callback(taking(5ms), within(step));
    register_resource({}, taking(5ms), {}, within(step));
  }

  void register_resource(act starts, act stops, std::function<void()> in_start = {},
                         std::function<void()> in_stop = {}) {
    const auto start = seen->add(part::start, "resource", starts);
    const auto stop = seen->add(part::cleanup, "resource", stops);
    stop->name = start->name;
    stop->start = start;
    start->first_turn = std::move(in_start);
    stop->first_turn = std::move(in_stop);
    seen->cleanups.push_back(stop);
    subject->add_resource(start->name, performing(start), cleaning(stop));
  }

  void register_background(act mood, std::function<void()> first_turn = {}) {
    const auto self = seen->add(part::background, "task", mood);
    self->first_turn = std::move(first_turn);
    self->taken = is_taken([&] { subject->add_background(self->name, performing(self)); });
    check_late(*self, phase::stop_background);
  }

  void register_callback(act mood, std::function<void()> first_turn = {}) {
    const auto self = seen->add(part::cleanup, "callback", mood);
    self->first_turn = std::move(first_turn);
    self->taken = is_taken([&] {
      if (self->mood.takes > 0ns) return subject->add_async_callback(self->name, cleaning(self));
      subject->add_callback(self->name, [seen = seen, self] {
        seen->cleaned.push_back({self, seen->cleanups.size()});
        self->perform_at_once(seen->t);
      });
    });
    if (self->taken) seen->cleanups.push_back(self);
    check_late(*self, phase::cleanup);
  }

  /// A connection that is idle, busy, or gone again; some end when they are told, and some of these end all others.
  void connect(const program_step& step) {
    const auto made = std::make_shared<connected>();
    made->opened = t.elapsed();
    const bool taken = is_taken([&] {
      const bool ends = step.a >= 3;
      const bool ends_others = step.a == 5;
      made->id = subject->open_connection([this, made, ends, ends_others](connection_close how) {
        made->told.push_back(how);
        made->told_at = t.elapsed();
        if (ends || made->busy) subject->connection_closed(made->id);
        if (ends_others) close_those_not_told();
      });
    });
    if (!taken) return;
    t.expect(seen->entered(phase::running) && !seen->entered(phase::stop_accepting),
             "SHD-17: a connection is refused before the service runs and when accepting has stopped");
    seen->connections.push_back(made);
    made->busy = step.b == 1;
    made->gone = step.b == 3;
    if (step.b > 0) subject->set_busy(made->id, true);
    if (step.b == 2) subject->set_busy(made->id, false);
    if (made->gone) subject->connection_closed(made->id);
  }

  void close_those_not_told() {
    for (const auto& other : seen->connections) {
      if (other->gone || !other->told.empty()) continue;
      other->gone = true;
      subject->connection_closed(other->id);
    }
  }

  // SHD-14: from the drain on a registration is refused, or joins; which of the two is declared.
  void check_late(const player& self, phase too_late) {
    if (!run || seen->entered(too_late)) return;
    if (is_undisturbed()) t.expect(self.taken, "SHD-14: what is registered before the stop is taken");
    if (!seen->entered(phase::stop_accepting)) return;
    t.expect_eq(self.taken, subject->late_policy() == late_registration::joins,
                "SHD-14: a late registration is treated as declared");
  }

  const std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

// ---- The model: what must have happened, given what the tasks are like and when the stop was requested

item_state state_after(ending how) {
  if (how == ending::value) return item_state::delivered;
  return how == ending::failure ? item_state::dead_lettered : item_state::returned;
}

class model {
 public:
  model(record& seen, const config& config, const shutdown_report& report,
        const maker<graceful_shutdown>& make)
      : seen_(seen),
        t_(seen.t),
        config_(config),
        report_(report),
        forces_(make.claims("force")),
        bounded_(forces_ && make.claims("budgets")),
        has_callbacks_(make.claims("callbacks")),
        is_supervised_(make.claims("supervision")),
        cancel_escalates_(forces_ && make.claims("cancel_escalates")) {}

  void check() {
    find_request();
    check_phases();
    check_start();
    check_admission();
    check_connections();
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
    void add(const std::string& name, bool sure) { (sure ? must : may).push_back(name); }
  };

  template <class Visit>
  void each(part role, Visit visit) const {
    for (const auto& one : seen_.actors)
      if (one->role == role) visit(*one);
  }

  bool same(nanoseconds actual, nanoseconds expected, const std::string& what) const {
    return t_.expect_eq(actual, expected, what);
  }
  void same_if_told(phase which, nanoseconds expected, const std::string& what) const {
    if (seen_.entered(which)) same(seen_.when(which), expected, what);
  }

  static nanoseconds plus(nanoseconds start, nanoseconds time) {
    return time == never ? never : detail::saturated_sum(start, time);
  }
  /// When that happens which is due then: at the first instant at which anything does.
  nanoseconds when_due(nanoseconds due) const {
    const auto found = std::lower_bound(seen_.instants.begin(), seen_.instants.end(), due);
    return found == seen_.instants.end() ? never : *found;
  }
  /// The end of a budget that begins then. The total ends it as well.
  nanoseconds budget_end(nanoseconds start, nanoseconds budget) const {
    return std::max(start, when_due(std::min(plus(start, budget), watchdog_)));
  }
  nanoseconds own_end_of(const player& who, const life& one) const {
    return std::max(one.begun, when_due(plus(one.begun, who.mood.takes)));
  }
  bool is_named(const names& all, const player& who) const {
    return std::find(all.begin(), all.end(), who.name) != all.end();
  }

  /// A life that is asked to stop at `moment`, if it has not ended by itself then.
  void check_asked(const player& who, const life& one, nanoseconds moment, const std::string& what) const {
    const nanoseconds own_end = own_end_of(who, one);
    if (own_end < moment || !who.mood.listens()) {
      t_.expect(one.asked == never, what + ", and nobody before");
    } else if (own_end > moment || one.asked != never) {
      same(one.asked, moment, what);
    }
  }

  void check_names(names actual, const expected_names& expected, const std::string& what,
                   bool and_nobody_else = true) const {
    const auto remove = [&actual](const std::string& name) {
      const auto found = std::find(actual.begin(), actual.end(), name);
      if (found == actual.end()) return false;
      actual.erase(found);
      return true;
    };
    for (const std::string& name : expected.must) t_.expect(remove(name), what, "'" + name + "' is missing");
    for (const std::string& name : expected.may) (void)remove(name);
    if (and_nobody_else) t_.expect_eq(actual, names{}, what + ", and nobody else, each once");
  }

  /// The last of these to end, as far as `limit` waits for it; names those that are left. Without `force` it may be waited
  /// for for as long as it takes, if it is not named.
  void note_survivor(const player& who, const life& one, nanoseconds limit, nanoseconds& last) {
    if (!forces_ && !is_named(report_.survivors, who)) {
      last = std::max(last, one.ended);
      return;
    }
    last = std::max(last, std::min(one.ended, limit));
    if (one.ended >= limit) note_left(who, one.ended > limit);
  }
  void note_left(const player& who, bool sure) {
    survivors_.add(who.name, sure);
    forced_.add(who.name, sure);
  }

  void find_request() {
    for (const auto& each : seen_.requests)
      if (each.what != trigger::escalation) requested_ = std::min(requested_, each.at);
    for (const auto& who : seen_.actors) {
      const bool stops = who->role == part::start || (who->role == part::background &&
                                                      config_.on_failure == background_failure::shut_down);
      for (const life& one : who->lives)
        if (stops && one.how == ending::failure) failed_ = std::min(failed_, one.ended);
    }
    requested_ = std::min(requested_, failed_);
    if (bounded_ && config_.total != never) watchdog_ = requested_ + config_.total - config_.pre_stop;
    reached_ = seen_.entered(phase::running);
    find_escalations();
  }

  // SHD-10: a second signal escalates, and with `cancel_escalates` so does a cancel of a run() that is stopping. A
  // first signal that comes after another request may, and so may a cancel at the instant of one, or any without the
  // feature: nobody promises either. Which came first is not known then: run() sees a cancel some turns later, and a
  // task may ask for a stop meanwhile.
  void find_escalations() {
    std::size_t signals = 0;
    for (const auto& each : seen_.requests) {
      const bool is_signal = each.what == trigger::signal;
      const bool is_cancel = each.what == trigger::cancel;
      if (is_signal) ++signals;
      const bool sure = each.what == trigger::escalation || (is_signal && forces_ && signals > 1) ||
                        (is_cancel && cancel_escalates_ && requested_ < each.at);
      const auto came_before = [&each](const auto& other) {
        return &other != &each && other.what != trigger::escalation && other.at <= each.at;
      };
      const bool is_later =
          failed_ <= each.at || std::any_of(seen_.requests.begin(), seen_.requests.end(), came_before);
      if (sure) {
        escalations_.push_back(each.at);
      } else if (forces_ && (is_signal || is_cancel) && is_later) {
        may_be_escalations_.push_back(each.at);
      }
    }
  }

  // SHD-1
  void check_phases() const {
    const auto& all = seen_.phases;
    const auto disordered = [](const auto& a, const auto& b) { return a.what >= b.what; };
    t_.expect(std::adjacent_find(all.begin(), all.end(), disordered) == all.end(),
              "SHD-1: the phases come in order, each entered once");
    for (const phase one : phases_of_every_stop)
      t_.expect(seen_.entered(one), "SHD-1: the " + name_of(one) + " is entered");
    same(seen_.when(phase::stopped), seen_.run_ended, "SHD-1: stopped is the last phase of run()");
    t_.expect(seen_.run_ended <= when_due(watchdog_), "SHD-11: run() ends when the total is spent");
  }

  // SHD-12: resources start one after the other until a stop is requested.
  void check_start() {
    nanoseconds now = seen_.begun;
    nanoseconds given_up = requested_;
    bool goes_on = !seen_.stopped_before_run;
    each(part::start, [&](const player& who) {
      t_.expect(who.lives.size() <= 1, "SHD-12: a resource is started once");
      const bool is_over = !who.lives.empty() && who.lives.front().ended < requested_;
      // Who has no time at all may be left alone before it has begun, or as it ends.
      if (!is_over && budget_end(requested_, config_.force) == requested_) note_left(who, false);
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
      const nanoseconds limit = budget_end(requested_, config_.force);
      if (own_end_of(who, one) > requested_) {
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
    accepting_ends_ = reached_ ? budget_end(not_ready_, config_.grace) : not_ready_;
    same(seen_.when(phase::stop_accepting), accepting_ends_,
         config_.grace > 0ns ? "SHD-3: work is accepted until the grace period ends"
                             : "SHD-4: accepting stops with the request where there is no grace period");
    same(seen_.when(phase::drain), accepting_ends_, "SHD-4: the drain follows");
  }

  // SHD-3, SHD-4
  void check_admission() const {
    each(part::work, [&](const player& who) {
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

  // SHD-17. Where a connection is opened as the drain begins, it may be told or not.
  void check_connections() const {
    const nanoseconds drain = seen_.when(phase::drain);
    for (const auto& one : seen_.connections) {
      t_.expect(one->told.size() <= 1, "SHD-17: a connection is told once");
      if (one->gone) t_.expect(one->told.empty(), "SHD-17: a connection that is closed is left alone");
      if (!one->gone && one->opened < drain)
        t_.expect(!one->told.empty(), "SHD-17: a connection is told at the start of the drain");
      if (one->told.empty()) continue;
      same(one->told_at, drain, "SHD-17: a connection is told at the start of the drain");
      const connection_close wanted = one->busy ? connection_close::after_response : connection_close::now;
      t_.expect(one->told.front() == wanted,
                "SHD-17: an idle connection is closed, and a busy one told to close after the response");
    }
  }

  // SHD-4, SHD-5, SHD-10: when nothing is in flight, the budget is spent, or somebody escalates.
  nanoseconds drain_end() const {
    nanoseconds end = accepting_ends_;
    each(part::work, [&](const player& who) {
      if (who.taken) end = std::max(end, std::max(who.known, when_due(plus(who.known, who.mood.takes))));
    });
    end = std::min(end, budget_end(accepting_ends_, config_.drain));
    for (const nanoseconds at : escalations_) end = std::min(end, std::max(accepting_ends_, at));
    const nanoseconds seen = std::min(seen_.when(phase::force_cancel), seen_.when(phase::stop_background));
    for (const nanoseconds at : may_be_escalations_)
      if (seen == std::max(accepting_ends_, at)) end = std::min(end, seen);
    return end;
  }

  void check_drain() {
    drain_ends_ = drain_end();
    work_ends_ = drain_ends_;
    same_if_told(phase::force_cancel, drain_ends_, "SHD-6: work is cancelled when the drain has ended");
    each(part::work, [&](const player& who) {
      if (who.taken) check_worked(who, work_ends_);
    });
    same_if_told(phase::stop_background, work_ends_,
                 "SHD-5, SHD-6: background tasks are stopped when no work is left");
  }

  void check_worked(const player& who, nanoseconds& last) {
    const nanoseconds limit = budget_end(drain_ends_, forces_ ? config_.force : 0ns);
    if (who.lives.empty()) {
      t_.expect(who.known == drain_ends_, "SHD-4: admitted work begins");
      unfinished_.must.push_back(who.name);
      forced_.must.push_back(who.name);
      if (limit == drain_ends_) survivors_.may.push_back(who.name);
      return;
    }
    t_.expect(who.lives.size() == 1, "SHD-4: admitted work is done once");
    const life& one = who.lives.front();
    same(one.begun, who.known, "SHD-4: admitted work begins");
    if (forces_) {
      check_asked(who, one, drain_ends_, "SHD-4, SHD-6: what is left at the drain deadline is cancelled");
    } else {
      t_.expect(one.asked == never || one.asked >= drain_ends_,
                "SHD-4: nothing is cancelled before the drain deadline");
    }
    note_survivor(who, one, limit, last);
    const bool is_left = forces_ || is_named(report_.survivors, who);
    if (is_left && one.ended == limit) unfinished_.may.push_back(who.name);
    if ((is_left && one.ended > limit) || one.how == ending::cancelled) unfinished_.must.push_back(who.name);
    if (is_left && one.ended >= limit) return;
    const bool failed = one.how == ending::failure;
    if (one.how == ending::cancelled || (failed && one.asked != never && forces_))
      forced_.must.push_back(who.name);
    if (failed && (one.asked != never || one.ended == drain_ends_)) forced_.may.push_back(who.name);
  }

  // SHD-7, SHD-13, SHD-14
  void check_background() {
    background_ends_ = work_ends_;
    each(part::background, [&](const player& who) {
      if (!who.taken || !reached_) {
        t_.expect(who.lives.empty(), "SHD-12, SHD-14: what is refused, or not started, never begins");
      } else {
        check_served(who, background_ends_);
      }
    });
    same(seen_.when(phase::cleanup), background_ends_,
         "SHD-7: the cleanup begins when the background has ended");
  }

  void check_served(const player& who, nanoseconds& last) {
    nanoseconds due = std::max(who.known, seen_.when(phase::running));
    nanoseconds must_until = work_ends_;  // from when on it is not started any more
    const nanoseconds limit = budget_end(work_ends_, config_.background);
    // Who has no time at all may be left alone before it has begun, or while it waits to begin again.
    if (limit == work_ends_) survivors_.may.push_back(who.name);
    if (limit == work_ends_) forced_.may.push_back(who.name);
    for (std::size_t i = 0; i <= who.lives.size(); ++i) {
      if (i == who.lives.size()) {
        t_.expect(due >= must_until, i == 0 ? "SHD-7: background tasks serve the work: one is started"
                                            : "SHD-13: a background task is started again if it is to be");
        return;
      }
      const life& one = who.lives[i];
      same(one.begun, due,
           i == 0 ? "SHD-7: background tasks serve the work: they are started with the service"
                  : "SHD-13: a background task is started again after the delay");
      t_.expect(one.begun <= work_ends_, "SHD-7: nothing is started after the stop");
      check_asked(who, one, work_ends_,
                  "SHD-7: background tasks serve the work until it has ended, and are asked to stop then");
      note_survivor(who, one, limit, last);
      const bool again = config_.on_failure == background_failure::restart && one.how == ending::failure &&
                         one.asked == never;
      due = again ? std::max(one.ended, when_due(plus(one.ended, config_.restart_delay))) : never;
      must_until = std::min(requested_, work_ends_);
    }
  }

  bool may_be_due(const player& cleanup) const {
    if (cleanup.start == nullptr) return true;
    if (cleanup.start->lives.empty()) return false;
    const life& one = cleanup.start->lives.front();
    return one.how == ending::value && one.ended <= not_ready_;
  }

  bool is_due(const player& cleanup) const {
    if (!may_be_due(cleanup)) return false;
    // One that ended with the budget may have been abandoned.
    if (cleanup.start == nullptr) return true;
    const life& one = cleanup.start->lives.front();
    const bool in_time = own_end_of(*cleanup.start, one) < budget_end(requested_, config_.force);
    return in_time || (!forces_ && !is_named(report_.survivors, cleanup));
  }

  // SHD-8, SHD-12: in reverse order of registration, each once. What is registered meanwhile comes next; at the
  // very instant at which the next one is chosen, it may come too late for that.
  void check_cleanup_order() const {
    for (auto begin = seen_.cleaned.begin(); begin != seen_.cleaned.end(); ++begin) {
      const player& who = *begin->who;
      t_.expect(may_be_due(who), "SHD-12: only what was started is cleaned up: '" + who.name + "'");
      if (!has_callbacks_) continue;
      const nanoseconds at = who.lives.front().begun;
      for (std::size_t i = begin->registered; i > 0 && seen_.cleanups[i - 1].get() != &who; --i) {
        const player& above = *seen_.cleanups[i - 1];
        const bool was_before = std::any_of(
            seen_.cleaned.begin(), begin, [&above](const auto& other) { return other.who.get() == &above; });
        t_.expect(was_before || !is_due(above) || above.known == at,
                  "SHD-8: cleanup is in reverse order of registration: '" + above.name + "' before '" +
                      who.name + "'");
      }
    }
  }

  /// Checks one cleanup step; the next one began at `next`, or everything had ended.
  void check_cleaned(const player& who, nanoseconds next) {
    const life& one = who.lives.front();
    if (!has_callbacks_) {  // nothing is said of a bound
      note_survivor(who, one, next, cleaned_);
      return;
    }
    const nanoseconds limit = budget_end(one.begun, config_.callback);
    const nanoseconds last = budget_end(limit, config_.force);
    if (one.begun >= watchdog_) return;  // whether anything begins when the total is spent, nobody says
    check_asked(who, one, limit, "SHD-8: a callback that takes too long is asked to stop");
    if (one.ended <= last && one.ended <= next) {
      same(next, one.ended, "SHD-8, SHD-9: a callback is awaited, and the next one follows at once");
    } else {
      // How long it is waited for once asked, is not the standard's.
      t_.expect(next >= limit && next <= last, "SHD-8: a callback is bounded in time: '" + who.name + "'");
    }
    if (one.ended > next || one.ended == last) return note_left(who, one.ended > next);
    if (one.asked != never) forced_.must.push_back(who.name);
  }

  void check_cleanup() {
    for (const auto& who : seen_.cleanups)
      t_.expect(who->lives.size() <= 1, "SHD-12: nothing is cleaned up twice: '" + who->name + "'");
    check_cleanup_order();
    const auto& all = seen_.cleaned;
    const nanoseconds first = all.empty() ? seen_.run_ended : all.front().who->lives.front().begun;
    same(first, background_ends_, "SHD-7: the cleanup begins when the background has ended");
    cleaned_ = background_ends_;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const bool is_last = i + 1 == all.size();
      check_cleaned(*all[i].who, is_last ? seen_.run_ended : all[i + 1].who->lives.front().begun);
    }
    if (!has_callbacks_) same(seen_.run_ended, cleaned_, "SHD-7: run() ends when everything is cleaned up");
    for (const auto& who : seen_.cleanups) {
      if (!who->lives.empty() || !may_be_due(*who)) continue;
      const bool skipped = seen_.run_ended >= watchdog_;
      if (is_due(*who)) t_.expect(skipped, "SHD-12: what is to be cleaned up is: '" + who->name + "'");
      if (skipped) forced_.add(who->name, is_due(*who));
    }
  }

  // SHD-16
  void check_items() const {
    each(part::work, [&](const player& who) {
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
  void check_primary() const {
    for (std::size_t i = 0; i < report_.failures.size(); ++i) {
      const shutdown_report::failure& one = report_.failures[i];
      const auto cleans = [&one](const auto& who) {
        return who->name == one.name && !who->lives.empty() && who->lives.front().how == ending::failure;
      };
      const bool of_cleanup = std::any_of(seen_.cleanups.begin(), seen_.cleanups.end(), cleans);
      if (i == 0 && !seen_.told.empty()) continue;
      if (!of_cleanup && i > 0) continue;  // what was asked to stop may fail while everything is cleaned up
      t_.expect_eq(one.secondary, of_cleanup && i > 0,
                   "X-17: the primary failure is told apart: '" + one.name + "'");
    }
  }

  // X-15, SHD-13: every failure is told once, in the report or when it happens.
  void check_failures() {
    names reported;
    for (const shutdown_report::failure& each : report_.failures) {
      reported.push_back(each.name);
      t_.observe(each.error);
    }
    for (const auto& who : seen_.actors) {
      for (const life& one : who->lives) {
        if (one.how != ending::failure) continue;
        const auto found = std::find_if(seen_.told.begin(), seen_.told.end(), [&](const auto& each) {
          return !each.matched && each.name == who->name && each.at == one.ended;
        });
        const auto in_report = std::find(reported.begin(), reported.end(), who->name);
        const bool told = found != seen_.told.end();
        t_.expect(told || in_report != reported.end(), "X-15: a failure is told: '" + who->name + "'");
        if (is_supervised_ && who->role == part::background && one.ended < requested_)
          t_.expect(told, "SHD-13: a failure is told when it happens: '" + who->name + "'");
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

  void check_report() {
    check_names(report_.survivors, survivors_,
                forces_ ? "SHD-6, SHD-7: who ignores being asked to stop is named"
                        : "SHD-7: who is left alone is named");
    check_names(report_.unfinished, unfinished_, "SHD-16: unfinished work is named");
    // What else is told, the model of a long life does not know.
    if (forces_) check_names(seen_.forced, forced_, "X-29: every forced action is told", false);
    if (!forced_.must.empty()) t_.expect(report_.forced, "SHD-7, SHD-15: a stop that was forced says so");
    if (forced_.must.empty() && forced_.may.empty())
      t_.expect(!report_.forced, "SHD-7, SHD-15: a stop within the budgets is not forced");
  }

  record& seen_;
  trial& t_;
  const config& config_;
  const shutdown_report& report_;
  const bool forces_;
  const bool bounded_;
  const bool has_callbacks_;
  const bool is_supervised_;
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
  nanoseconds cleaned_{};
  expected_names survivors_ = {};
  expected_names unfinished_ = {};
  expected_names forced_ = {};
};

/// A run() that was cancelled before it began: nothing has happened, and nothing will.
void check_unborn(const record& seen) {
  trial& t = seen.t;
  t.expect(seen.cancels > 0, "a run() that nobody cancelled ends with its report");
  t.expect(seen.phases.empty(), "SHD-16: a run() that ends as cancelled has not begun");
  for (const auto& who : seen.actors)
    t.expect(who->lives.empty() && (who->role != part::work || !who->taken), "nothing of it has begun");
  t.expect(t.items().balanced(), "SHD-16: every item is accounted for", t.items().summary());
}

/// One service, from its beginning to its end.
asio::awaitable<void> live_once(trial& t, const maker<graceful_shutdown>& make, std::uint8_t shape,
                                std::span<const program_step> steps, int& ids) {
  const config wanted = config_of(shape, make);
  auto made = made_or_refused(make, wanted);
  if (!t.expect(made != nullptr || wanted.drain < 0ns, "SHD-11: budgets that fit are accepted")) co_return;
  if (made == nullptr) co_return;
  run_of_a_program r(t, make, std::move(made), ids);
  for (const program_step& each : steps) r.register_one(each, false);
  auto step = steps.begin();
  for (; step != steps.end() && run_of_a_program::is_early(*step); ++step) {
    r.ask_to_stop(*step);
    r.seen->stopped_before_run = true;
  }
  r.begin(shape % 2 == 1 && make.claims("stop_on_cancel"));
  auto watch = t.watch([&r] { return r.look(); });
  for (; step != steps.end(); ++step) {
    co_await r.do_step(*step);
    if (shape / 6 % 2 == 1) co_await t.settle();
  }
  co_await r.end(wanted.total);
  if (r.run->cancelled()) co_return check_unborn(*r.seen);
  if (!t.expect(r.run->done(), "SHD-7: run() ends with its report", to_string(r.run->what()))) co_return;
  model(*r.seen, wanted, r.run->value(), make).check();
}

}  // namespace

// The model computes the instant of everything, so the loop must be on time.
ASSAY_PROGRAM(graceful_shutdown, "SHD-1", rules, .on_time = true,
              .must_see = {"request_begins_the_stop_again", "cancels_at_once", "registers_work_a_turn_late",
                           "refusal_looks_like_success", "cancelled_work_is_not_reported",
                           "survivors_are_not_named", "crash_is_forgotten", "callbacks_in_registration_order",
                           "forgets_a_start_that_committed", "cut_callbacks_are_silent",
                           "escalation_cleans_again", "no_watchdog", "request_wakes_nobody",
                           "report_is_lost_on_cancel"}) {
  // Steps that are repeated are one long life, or many if they have a stop among them.
  const auto is_stop = [](const program_step& each) { return static_cast<verb>(each.verb) == verb::stop; };
  const std::span<const program_step> all = steps.steps;
  const std::size_t lives = std::any_of(all.begin(), all.end(), is_stop) ? rules.repeats[steps.repeats] : 1;
  const std::size_t length = all.size() / lives;
  int ids = 0;
  for (std::size_t i = 0; i < lives && !t.has_failed(); ++i)
    co_await live_once(t, make, steps.shape, all.subspan(i * length, length), ids);
}

}  // namespace assay
