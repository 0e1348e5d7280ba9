// Random programs on a task group: rounds, each with a group of its own, whose children have every temper, start siblings,
// and are beside cancels from outside and calls of `close`. What a child does and what reaches it is written down; what must
// hold is looked at when nothing more can happen at an instant, and when the group has ended.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using contract::task_group;
using namespace std::chrono_literals;
using std::chrono::nanoseconds;

// What becomes of a child, after its delay unless something else is said.
enum class temper : std::uint8_t {
  ends_at_once,
  fails_at_once,
  ends,
  fails,
  gives_up,
  fails_when_asked,
  deaf,        // goes on when it is asked to stop
  slow,        // takes its delay once more when it is asked to stop
  slow_fails,  // and fails then
  exits
};
constexpr std::uint32_t tempers = 10;

enum class verb : std::uint8_t {
  child,  // that the group begins with
  advance,
  settle,
  cancel,
  round,      // to the end of this group; then another one
  spawn,      // from outside
  nest,       // a child that starts a sibling in its first turn
  nest_two,   // and a second one after it
  nest_late,  // a child that starts a sibling after its delay
  close,
  nest_close,   // a child that starts a sibling in its first turn and closes the group
  stop,         // the group cancels itself
  cancel_child  // one child alone
};

const grammar rules = {
    .shapes = 16,  // bits: settled after every step; its first run is the victim; collect; with a body
    .verbs = {"child",
              "advance",
              "settle",
              "cancel",
              "round",
              {"spawn", "dynamic_spawn"},
              {"nest", "nested_spawn"},
              {"nest_two", "nested_spawn"},
              {"nest_late", "nested_spawn"},
              {"close", "close"},
              {"nest_close", "close"},
              {"stop", "own_cancel"},
              {"cancel_child", "handles"}},
    .a_values = tempers,
    .b_values = 4,
    .steps_max = 20,
    .repeats = {1, 1, 1, 1, 1, 1, 1, 12},
    .one_run = true,
};

// What the subject claims, as far as it decides what is expected.
struct promises {
  explicit promises(const maker<task_group>& make)
      : cleanup(make.claims("cleanup")),
        nested_spawn(make.claims("nested_spawn")),
        late_refusal(make.claims("late_refusal")),
        own_cancellation(make.claims("own_cancellation")),
        cancelled_outcome(make.claims("cancelled_outcome")),
        always_aggregate(make.claims("always_aggregate")),
        ordered_failures(make.claims("ordered_failures")),
        fatal_class(make.claims("fatal_class")),
        sticky_request(make.claims(assay::sticky_request)) {}
  bool cleanup, nested_spawn, late_refusal, own_cancellation, cancelled_outcome, always_aggregate,
      ordered_failures, fatal_class, sticky_request;
};

struct life {
  std::string name;
  std::string told_as = {};  // its name to the group, which two of them have
  int number = 0;
  temper how{};
  nanoseconds delay{};
  std::vector<program_step> starts = {};  // siblings: what they are like
  bool starts_late = false;               // after its delay
  bool closes = false;                    // after that
  // What came of it:
  bool taken = true;
  bool singled_out = false;  // somebody asked it alone to stop
  int begun = 0;
  int asked = 0;
  bool ended = false;
  bool failed = false;
  bool gave_up = false;  // without being asked
  bool stopped = false;  // because it was asked
  nanoseconds failed_at{};

  bool is_at_work() const { return begun > 0 && !ended; }
};

// One group and its children, who may outlive it if it is wrong.
struct round_of {
  round_of(const promises& of, bool collecting) : claims(of), collect(collecting) {}
  const promises claims;
  const bool collect;
  std::deque<life> children = {};
  task_group* group = nullptr;  // while it is there
  std::optional<operation<void>> run = {};
  const life* body = nullptr;         // one of the children
  bool body_had_ended = false;        // when everything had settled last
  std::uint32_t requests_before = 0;  // as many had come by then
  bool heard = false;                 // a request from outside has reached the group
  bool stopped_itself = false;
  bool closed = false;
  bool stopping = false;  // it was asked to stop, or a child has failed, and everything has settled since
  bool asked_in_time = false;  // it was asked to stop, and was not through when everything had settled

  template <class Predicate>
  bool any(Predicate is) const {
    return std::any_of(children.begin(), children.end(), is);
  }
  bool has_begun() const {
    return any([](const life& one) { return one.begun > 0; });
  }
  bool has_failed() const {
    return any([](const life& one) { return one.failed; });
  }
  bool has_given_up() const {
    return any([](const life& one) { return one.gave_up; });
  }
  bool has_singled_out() const {
    return any([](const life& one) { return one.singled_out; });
  }
  bool is_asked_from_outside() const { return run && run->state()->cancels() > 0; }
  // Where a request is made once (no `sticky_request`), a body in the caller's own task has it to itself: the group hears
  // of it only if the body ends by it.
  void note_requests() {
    const std::uint32_t requests = run->state()->cancels();
    const bool is_new = requests > std::exchange(requests_before, requests);
    const bool for_group = body == nullptr || body_had_ended || claims.sticky_request;
    if ((is_new && for_group) || (requests > 0 && body != nullptr && body->stopped)) heard = true;
    body_had_ended = body != nullptr && body->ended;
  }
  // Whether there is a reason to ask everybody to stop.
  bool must_stop() const { return heard || stopped_itself || (has_failed() && !collect); }
  bool may_stop() const {
    return must_stop() || is_asked_from_outside() || (has_given_up() && !claims.own_cancellation);
  }
};
using round_ptr = std::shared_ptr<round_of>;

// What is left when a child has gone, whichever way.
struct presence {
  explicit presence(life& who) : here(who) { ++here.begun; }
  presence(const presence&) = delete;
  presence& operator=(const presence&) = delete;
  ~presence() { here.ended = true; }
  life& here;
};

nanoseconds delay_of(const program_step& step) {
  constexpr nanoseconds delays[] = {5ms, 10ms, 20ms, 1h};
  return delays[step.b % 4U];
}

temper temper_of(const program_step& step, const promises& claims) {
  const auto how = static_cast<temper>(step.a % tempers);
  if (how == temper::exits && !claims.fatal_class) return temper::fails;
  // A child that is dropped when it is asked to stop can do nothing more.
  if (how >= temper::fails_when_asked && how <= temper::slow_fails && !claims.cleanup) return temper::ends;
  return how;
}

task_group::child add_child(trial& t, const round_ptr& all, const program_step& step);

void start_sibling(trial& t, const round_ptr& all, const program_step& step) {
  if (all->group == nullptr) return;
  const bool must_be_taken = !all->closed && !all->may_stop();
  const bool must_be_refused = all->claims.late_refusal && (all->closed || all->stopping);
  task_group::child next = add_child(t, all, step);
  life& of_it = all->children.back();
  of_it.taken = all->group->spawn(std::move(next));
  if (must_be_taken) t.expect(of_it.taken, "TG-7: a group with a child at work takes another child");
  if (must_be_refused) t.expect(!of_it.taken, "TG-7: a group that is closed or ending takes no child");
}

void start_siblings(trial& t, const round_ptr& all, life& self) {
  const std::vector<program_step> those = std::exchange(self.starts, {});
  for (const program_step& step : those) start_sibling(t, all, step);
  if (!std::exchange(self.closes, false) || all->group == nullptr) return;
  all->closed = true;
  all->group->close();
}

[[noreturn]] void fail(trial& t, life& self) {
  self.failed = true;
  self.failed_at = t.elapsed();
  if (self.how != temper::exits) t.raise(self.name + " fails");
  (void)t.plant(contract::exit_request::label(self.number));
  throw contract::exit_request(self.number);
}

// Waits, and counts the requests to stop. Ends before its time when the first one comes, unless it is `deaf`.
asio::awaitable<bool> wait_for(life& self, nanoseconds delay, bool deaf) {
  asio::steady_timer timer(co_await asio::this_coro::executor, delay);
  while (true) {
    boost::system::error_code ended;
    co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    if (!ended) co_return false;
    ++self.asked;
    if (!deaf) co_return true;
  }
}

void end(trial& t, life& self, bool asked) {
  switch (self.how) {
    case temper::ends_at_once:
    case temper::ends:
    case temper::deaf:
      break;
    case temper::fails_at_once:
    case temper::fails:
    case temper::exits:
      if (!asked) fail(t, self);
      break;
    case temper::gives_up:
      self.gave_up = !asked;
      if (!asked) contract::throw_cancelled();
      break;
    case temper::fails_when_asked:
    case temper::slow_fails:
      if (asked) fail(t, self);
      break;
    case temper::slow:
      break;
  }
  if (!asked || self.how == temper::deaf) return;
  self.stopped = true;
  contract::throw_cancelled();
}

asio::awaitable<void> live(trial& t, round_ptr all, life& self) {
  const presence here(self);
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
  if (!self.starts_late) start_siblings(t, all, self);
  // Before its first turn, or in it, when a sibling has failed at once.
  bool asked = requests.cancelled() != asio::cancellation_type::none;
  if (asked) ++self.asked;
  const bool at_once = self.how == temper::ends_at_once || self.how == temper::fails_at_once;
  const bool deaf = self.how == temper::deaf;
  const nanoseconds short_delay = std::min<nanoseconds>(self.delay, 20ms);
  const nanoseconds delay = deaf ? short_delay : self.delay;
  if (!at_once && (deaf || !asked)) {
    const bool asked_now = co_await wait_for(self, delay, deaf);
    asked = asked || asked_now;
  }
  start_siblings(t, all, self);
  const bool slow = self.how == temper::slow || self.how == temper::slow_fails;
  if (slow && asked) (void)co_await wait_for(self, short_delay, true);
  co_await asio::this_coro::throw_if_cancelled(throwing);
  end(t, self, asked && !at_once);
}

task_group::child add_child(trial& t, const round_ptr& all, const program_step& step) {
  life& self = all->children.emplace_back();
  self.number = static_cast<int>(all->children.size());
  self.name = "child " + std::to_string(self.number);
  self.told_as = "twin " + std::to_string(self.number / 2);
  self.how = temper_of(step, all->claims);
  self.delay = delay_of(step);
  return task_group::child(self.told_as, [&t, all, &self] { return live(t, all, self); });
}

// A child that the group begins with, as a step has it.
task_group::child first_child(trial& t, const round_ptr& all, const program_step& step) {
  task_group::child made = add_child(t, all, step);
  life& self = all->children.back();
  const auto what = static_cast<verb>(step.verb);
  if (what == verb::child || !all->claims.nested_spawn) return made;
  // The first sibling is what the step says; who starts it is at work for some time.
  self.how = step.b % 2 == 0 ? temper::ends : temper::gives_up;
  self.delay = step.b % 2 == 0 ? nanoseconds(1h) : nanoseconds(5ms);
  program_step next = step;
  next.verb = static_cast<std::uint8_t>(verb::child);
  self.starts.push_back(next);
  next.a = static_cast<std::uint8_t>((step.a + 3U) % tempers);
  if (what == verb::nest_two) self.starts.push_back(next);
  self.starts_late = what == verb::nest_late;
  if (self.starts_late) self.delay = 5ms;
  self.closes = what == verb::nest_close;
  return made;
}

bool is_first_child(const program_step& step) {
  const auto what = static_cast<verb>(step.verb);
  return what == verb::child || what == verb::nest || what == verb::nest_two || what == verb::nest_late ||
         what == verb::nest_close;
}

// ---- what must hold

// Whenever it is looked: what nobody had a reason to do. Who is right costs little, for there may be many.
void check_requests(trial& t, const round_of& all) {
  const bool may_stop = all.may_stop();
  const bool once = !all.is_asked_from_outside() && all.claims.own_cancellation;
  constexpr std::string_view alone = "TG-14: a child that is cancelled alone leaves its siblings at work";
  const std::string_view unasked =
      all.has_failed()     ? "TG-13: in collect mode a failure leaves the siblings alone"
      : all.has_given_up() ? "TG-6: a child that gives up by itself leaves its siblings alone"
                           : "TG-2: without a failure nobody is asked to stop";
  for (const life& one : all.children) {
    if (one.begun > 1) t.expect(false, "TG-1: no child is run twice", one.name);
    if (one.begun > 0 && !one.taken && all.claims.late_refusal)
      t.expect(false, "TG-7: work that was refused does not begin", one.name);
    if (one.asked > 0 && !may_stop && !one.singled_out)
      t.expect(false, all.has_singled_out() ? alone : unasked, one.name);
    if (one.asked > 1 && once && !one.singled_out)
      t.expect(false, "TG-2: further failures do not repeat the request to stop", one.name);
  }
}

// When nothing more can happen at this instant.
void check_settled(trial& t, round_of& all) {
  all.note_requests();
  check_requests(t, all);
  const bool pending = all.run->pending();
  const bool has_failed = all.has_failed() && !all.collect;
  const bool was_asked = all.heard && pending;
  const bool may_stop = all.may_stop();
  std::string_view alive;
  for (const life& one : all.children) {
    if (one.taken && one.begun == 0 && !may_stop)
      t.expect(false, "TG-1: a child that was taken begins", one.name);
    if (!one.is_at_work()) continue;
    alive = one.name;
    if (one.asked > 0) continue;
    if (has_failed)
      t.expect(false, "TG-2: the first failure asks every child at work to stop", one.name);
    else if (was_asked)
      t.expect(false, "TG-5: a request from outside reaches every child at work", one.name);
    else if (all.stopped_itself && pending)
      t.expect(false, "TG-17: a group that cancels itself asks every child at work", one.name);
    else if (one.singled_out)
      t.expect(false, "TG-14: a child that is cancelled alone is asked to stop", one.name);
  }
  if (pending) {
    const std::string_view message = all.children.empty()
                                         ? "TG-10: an empty group ends at once"
                                         : "TG-1: the group ends as soon as all its children have ended";
    t.expect(!alive.empty(), message);
    all.stopping = all.must_stop();
    all.asked_in_time = all.heard;
  } else if (all.claims.cleanup) {
    t.expect(alive.empty(), "TG-1: the group ends after its children", alive);
  }
}

bool tells_cancellation(const outcome& what) {
  if (what.kind == outcome_kind::cancelled) return true;
  return std::any_of(what.members.begin(), what.members.end(),
                     [](const outcome::member& one) { return tells_cancellation(one.what); });
}

void check_failure(trial& t, const round_of& all, const outcome& seen) {
  const bool fails = seen.kind != outcome_kind::value && seen.kind != outcome_kind::cancelled;
  t.expect(fails,
           all.is_asked_from_outside() ? "TG-5: a failure is told, although the group was cancelled"
                                       : "TG-3: a group with failures fails",
           to_string(seen));
  t.expect(!tells_cancellation(seen), "X-16: cancellations that the group caused are not told",
           to_string(seen));
  const bool exits = all.any([](const life& one) { return one.failed && one.how == temper::exits; });
  if (exits) {
    t.expect(seen.kind == outcome_kind::error && seen.label.starts_with("exit "),
             "TG-12: an exit request is told bare, and before other failures", to_string(seen));
    return;
  }
  if (all.claims.always_aggregate)
    t.expect(seen.kind == outcome_kind::aggregate, "TG-4: every failure is told in an aggregate",
             to_string(seen));
  nanoseconds latest{};
  for (const outcome::member& one : seen.members) {
    if (one.what.kind != outcome_kind::error) continue;
    const auto whose = std::find_if(all.children.begin(), all.children.end(), [&one](const life& child) {
      return child.name + " fails" == one.what.label;
    });
    const bool is_named = whose != all.children.end() && one.task == whose->told_as;
    t.expect(is_named || one.task == task_group::body_name, "TG-3: a failure is told under the right name",
             one.what.label + " as " + one.task);
    if (whose == all.children.end() || !all.claims.ordered_failures) continue;
    t.expect(latest <= whose->failed_at, "TG-3: the failures stand in the order in which they happened",
             to_string(seen));
    latest = whose->failed_at;
  }
}

// When the group has ended.
void check_outcome(trial& t, const round_of& all) {
  const outcome seen = all.run->what();
  if (all.has_failed()) return check_failure(t, all, seen);
  const bool plain = seen.kind == outcome_kind::value || seen.kind == outcome_kind::cancelled;
  if (all.is_asked_from_outside()) {
    const bool stopped =
        !all.stopped_itself && all.any([](const life& one) { return one.stopped && !one.singled_out; });
    const bool in_any_case = all.asked_in_time && all.claims.cancelled_outcome;
    if (all.claims.own_cancellation)
      t.expect(plain, "TG-5: a group that was cancelled without a failure does not fail", to_string(seen));
    const bool others_stopped_it = all.has_given_up() && !all.claims.own_cancellation;
    if ((stopped || in_any_case) && !others_stopped_it)
      t.expect(seen.kind == outcome_kind::cancelled,
               "TG-5: a group that was cancelled without a failure ends as cancelled", to_string(seen));
  } else if (all.claims.own_cancellation || !all.has_given_up()) {
    t.expect(seen.kind == outcome_kind::value,
             all.stopped_itself      ? "TG-17: a group that cancelled itself ends well"
             : all.has_given_up()    ? "TG-6: a child that gave up by itself is no failure"
             : all.has_singled_out() ? "TG-14: a child that was cancelled alone is no failure"
                                     : "TG-1: a group whose children ended well does so, too",
             to_string(seen));
  }
}

// ---- the program

constexpr std::size_t steps_of_round_max = 40;

struct program_run {
  trial& t;
  const maker<task_group>& make;
  const std::uint8_t shape;
  const promises claims{make};

  bool settles() const { return (shape & 1U) != 0; }
};

void spawn_from_outside(trial& t, const round_ptr& all, const program_step& step) {
  // Nothing is promised of a group that has not begun to run, and little of one that has ended.
  if (!all->has_begun()) return;
  const bool has_ended = all->run->ended();
  if (has_ended && !all->claims.late_refusal) return;
  const bool at_work = all->any([](const life& one) { return one.is_at_work(); });
  if (at_work) return start_sibling(t, all, step);
  task_group::child next = add_child(t, all, step);
  life& of_it = all->children.back();
  of_it.taken = all->group->spawn(std::move(next));
  if (has_ended) t.expect(!of_it.taken, "TG-7: a group that has ended takes no child");
}

// A child at work, and the last one of its name: that is whom the name means.
void cancel_one(const round_ptr& all, const program_step& step) {
  if (all->children.empty()) return;
  const life& chosen = all->children[step.a % all->children.size()];
  const auto last = std::find_if(all->children.rbegin(), all->children.rend(), [&chosen](const life& one) {
    return one.taken && one.told_as == chosen.told_as;
  });
  if (last == all->children.rend() || !last->is_at_work() || all->body == &*last) return;
  last->singled_out = true;
  all->group->cancel_child(last->told_as);
}

asio::awaitable<void> do_step(program_run& p, round_ptr all, program_step step) {
  switch (static_cast<verb>(step.verb)) {
    case verb::advance:
      co_await p.t.advance(5ms * (step.a % 6));
      break;
    case verb::settle:
      co_await p.t.settle();
      check_settled(p.t, *all);
      break;
    case verb::cancel:
      all->run->cancel();
      if (step.a % 2 == 1) all->run->cancel();
      break;
    case verb::spawn:
      spawn_from_outside(p.t, all, step);
      break;
    case verb::close:
      if (!all->has_begun()) break;  // it has nobody yet whom it would let go on
      all->closed = true;
      all->group->close();
      break;
    case verb::stop:
      if (!all->has_begun() || all->run->ended()) break;
      all->stopped_itself = true;
      all->group->cancel();
      break;
    case verb::cancel_child:
      cancel_one(all, step);
      break;
    case verb::child:
    case verb::nest:
    case verb::nest_two:
    case verb::nest_late:
    case verb::nest_close:
    case verb::round:
      co_return;
  }
  if (!p.settles()) co_return;
  co_await p.t.settle();
  check_settled(p.t, *all);
}

// Goes on until the group has ended by itself, or else when it is asked to.
asio::awaitable<bool> finish(program_run& p, round_ptr all) {
  co_await p.t.settle();
  check_settled(p.t, *all);
  co_await p.t.pass(1s);
  check_settled(p.t, *all);
  if (all->run->pending()) {
    all->run->cancel();
    co_await p.t.settle();
    check_settled(p.t, *all);
    co_await p.t.pass(1s);
  }
  const std::string_view message = all->children.empty() ? "TG-10: an empty group ends at once"
                                                         : "TG-1: the group ends when its children have";
  if (!p.t.expect(all->run->ended(), message)) co_return false;
  check_settled(p.t, *all);
  check_outcome(p.t, *all);
  co_return !p.t.has_failed();
}

asio::awaitable<bool> do_round(program_run& p, std::vector<program_step> steps, bool is_victim) {
  const bool collect = (p.shape & 4U) != 0 && p.make.claims("collect");
  const auto all = std::make_shared<round_of>(p.claims, collect);
  auto group = p.make({.collect = collect});
  all->group = group.get();
  std::vector<task_group::child> children;
  task_group::work body = nullptr;
  const bool has_body = (p.shape & 8U) != 0 && p.make.claims("body_failure");
  for (const program_step& step : steps) {
    if (!is_first_child(step)) continue;
    task_group::child next = first_child(p.t, all, step);
    if (!has_body || body) {
      children.push_back(std::move(next));
      continue;
    }
    // TG-6 is about children. A cancellation that leaves the body may be the caller's own, as the body's code is.
    life& of_body = all->children.back();
    if (of_body.how == temper::gives_up) of_body.how = temper::ends;
    all->body = &of_body;
    body = std::move(next.run);
  }
  auto work =
      body ? group->run_with_body(std::move(children), std::move(body)) : group->run(std::move(children));
  all->run.emplace(p.t.start("run", std::move(work)));
  if (is_victim) p.t.victim(*all->run);
  for (const program_step& step : steps) {
    if (!is_first_child(step)) co_await do_step(p, all, step);
  }
  const bool well = co_await finish(p, all);
  all->group = nullptr;
  co_return well;
}

}  // namespace

ASSAY_PROGRAM(task_group, "X-15", rules,
              .asks = {"cleanup", "nested_spawn", "late_refusal", "own_cancellation", "cancelled_outcome",
                       "always_aggregate", "ordered_failures", "fatal_class", "collect", "body_failure",
                       "sticky_request"},
              .must_see = {"stops_the_group_for_one_child", "ends_as_cancelled_by_itself",
                           "keeps_only_the_first_failure", "abandons_children_when_cancelled",
                           "drops_failures_while_stopping", "forgets_children_that_came_later",
                           "lists_children_after_their_first_turn"}) {
  program_run p{.t = t, .make = make, .shape = steps.shape};
  std::vector<program_step> steps_of_round;
  bool is_victim = (p.shape & 2U) != 0 && (p.shape & 1U) == 0 && rules.repeats[steps.repeats] == 1;
  for (const program_step& step : unrolled(steps, rules)) {
    const bool ends_round = static_cast<verb>(step.verb) == verb::round;
    if (!ends_round) steps_of_round.push_back(step);
    if (!ends_round && steps_of_round.size() < steps_of_round_max) continue;
    const bool well = co_await do_round(p, steps_of_round, is_victim);
    if (!well) co_return;
    steps_of_round.clear();
    is_victim = false;
  }
  co_await do_round(p, std::move(steps_of_round), is_victim);
}

}  // namespace assay
