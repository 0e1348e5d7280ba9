// Random programs on a resilient worker: items that are processed, fail, take their time or take no notice of a request, a
// dead-letter sink that fails and hangs, and several runs at once that are cancelled, and run again, also in one turn.
//
// There is no model of what happens next: too much is the worker's own choice. Checked is what holds whatever the order
// is: how a run ends and why, that no run is idle beside an item, how often an item is begun, and that every item has one
// fate.
#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::given_up;
using contract::resilient_worker;
using std::chrono::nanoseconds;
using time_point = std::chrono::steady_clock::time_point;

// What processing an item is like.
enum class manner : std::uint8_t {
  plain,              // takes its time, and stops at once when it is asked to
  at_once,            // ends in its first turn
  endless,            // until it is asked to stop
  slow,               // asked to stop it goes on for a while
  deaf,               // hears no request
  succeeds_if_asked,  // asked to stop it is done
  fails_if_asked,     // asked to stop it fails
  fails_first,        // the first time
  fails_always,
  fails_at_once  // in its first turn, always
};
constexpr std::uint8_t manners = 10;
constexpr std::uint8_t sound_manners = 6;  // the first ones never fail

enum class fate : std::uint8_t { none, buried, lost, back };

struct piece {
  int id = 0;
  manner how = manner::plain;
  nanoseconds takes{0};
  outcome_kind submitted = outcome_kind::pending;
  std::size_t accepted_at = 0;  // looks before that
  std::uint32_t begun = 0;      // how often
  std::size_t begun_at = 0;     // looks before the latest beginning
  std::uint32_t failed = 0;     // beginnings that ended so
  bool last_failed = false;
  bool in_process = false;
  bool stays = false;    // whatever is asked, for now
  bool stopped = false;  // the latest beginning ended as cancelled, and it was not given to the sink since
  std::size_t stopped_at = 0;  // looks before that
  bool processed = false;
  bool being_written = false;
  time_point write_deadline = time_point::max();
  fate end = fate::none;
};

struct run {
  run(trial& owner, maker<resilient_worker> made, const program& steps)
      : t(owner),
        make(std::move(made)),
        config{.capacity = steps.shape % 2 == 0 ? 1 : 3,
               .attempts_max = 1 + steps.shape / 2 % 3,
               .dead_letter_patience_ns = steps.shape / 2 % 3 * 10'000'000},
        settled(steps.shape / 6 % 2 == 1),
        sound(steps.shape / 12 % 2 == 0),
        requeues(make.claims("requeue")),
        capped(make.claims("attempt_cap")),
        counted(make.claims("attempts")) {}

  trial& t;
  maker<resilient_worker> make;
  contract::resilient_worker_config config;
  bool settled;  // after every step
  bool sound;    // nothing fails: then no worker has a reason to pause
  bool requeues, capped, counted;
  made_subject<resilient_worker>* worker = nullptr;

  // What was tried with one worker.
  std::map<int, piece> pieces = {};
  std::vector<operation<void>> submits = {};
  std::vector<operation<void>> runs = {};
  std::deque<bool> working = {};  // whether each has begun to work
  std::vector<operation<void>> joins = {};
  bool asked = false;       // some run was, to stop
  bool sink_broke = false;  // a write failed or took too long
  std::uint32_t writes = 0;

  // The whole program.
  int next_id = 1;
  std::size_t looks = 0;
  nanoseconds pause{0};  // what the latest step asks for
  bool settles = false;
  bool renews = false;
  bool anew = false;
};

bool accepted(const piece& one) { return one.submitted == outcome_kind::value; }
bool was_asked(const run& r, const operation<void>& call) {
  return call.state()->cancels() > 0 || r.t.disturbed();
}
time_point now() { return std::chrono::steady_clock::now(); }
std::string name_of(const piece& one) { return "item " + std::to_string(one.id); }

// ---- processing, and the dead-letter sink

asio::awaitable<void> go_on_for(nanoseconds time) {
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shield(sleep_for(time));
  co_await asio::this_coro::throw_if_cancelled(throwing);
}

void check_beginning(run& r, const piece& one, std::uint32_t attempt) {
  const auto most = static_cast<std::uint32_t>(r.config.attempts_max);
  if (r.capped) {
    const bool failed_always = one.failed + 1 == one.begun;
    r.t.expect(one.begun <= most, failed_always
                                      ? "RWK-3: a failing item has no more attempts than are configured"
                                      : "RWK-9: no item is begun more often than the cap allows");
  }
  if (r.counted && one.begun == 1) r.t.expect_eq(attempt, 1U, "RWK-7: the first attempt has the number 1");
  r.t.expect(one.end == fate::none, "RWK-1: what was given up or handed back is not processed again");
  const bool unsettled = r.asked || r.sink_broke || r.t.disturbed() || one.failed > 0;
  r.t.expect(!one.processed || unsettled, "RWK-7: without cancellation or failure an item is processed once");
}

bool fails(const piece& one) {
  return one.how == manner::fails_always || one.how == manner::fails_at_once ||
         (one.how == manner::fails_first && one.begun == 1);
}

[[noreturn]] void fail(const piece& one) {
  throw contract::operation_error("processing " + std::to_string(one.id));
}

asio::awaitable<void> perform(piece& one) {
  if (one.how == manner::at_once) co_return;
  if (one.how == manner::fails_at_once) fail(one);
  if (one.how == manner::deaf) {
    one.stays = true;
    co_await go_on_for(one.takes);
    co_return;
  }
  std::exception_ptr request;
  try {
    if (one.how == manner::endless)
      co_await sleep_for_ever();
    else
      co_await sleep_for(one.takes);
  } catch (...) {
    request = std::current_exception();
  }
  if (request) {
    if (one.how == manner::succeeds_if_asked) co_return;
    if (one.how == manner::slow) {
      one.stays = true;
      co_await go_on_for(5ms);
    }
    if (one.how != manner::fails_if_asked) std::rethrow_exception(request);
  }
  if (request || fails(one)) fail(one);
}

// An item is processed as long as this lives.
class in_process {
 public:
  explicit in_process(piece& one) : one_(one) { one_.in_process = true; }
  in_process(const in_process&) = delete;
  in_process& operator=(const in_process&) = delete;
  ~in_process() { one_.in_process = one_.stays = false; }

 private:
  piece& one_;
};

asio::awaitable<void> process(run& r, int id, std::uint32_t attempt) {
  piece& one = r.pieces.at(id);
  ++one.begun;
  one.begun_at = r.looks;
  one.stopped = false;
  check_beginning(r, one, attempt);
  const in_process here(one);
  std::exception_ptr failure;
  try {
    co_await perform(one);
  } catch (...) {
    failure = std::current_exception();
  }
  const outcome_kind how = describe(failure).kind;
  if (how == outcome_kind::value) one.processed = true;
  one.last_failed = how == outcome_kind::error;
  if (one.last_failed) ++one.failed;
  if (how == outcome_kind::cancelled) {
    one.stopped = true;
    one.stopped_at = r.looks;
    r.t.expect(r.asked || r.t.disturbed(), "RWK-2: no processing is cancelled unless its worker is");
  }
  if (failure) std::rethrow_exception(failure);
}

void give_up(run& r, const given_up& letter, fate how) {
  piece& one = r.pieces.at(letter.id);
  r.t.expect(one.end == fate::none, "RWK-1: no item is given up twice: " + name_of(one));
  one.end = how;
  r.t.expect(letter.cause.kind != outcome_kind::cancelled, "X-8: a cancellation is no failure of the item");
  if (one.last_failed)
    r.t.expect_eq(letter.cause.label, "processing " + std::to_string(one.id), "RWK-3: the cause is told");
  if (r.counted) r.t.expect_eq(letter.attempts, one.begun, "RWK-3: the number of attempts is told");
}

// Of the writes some take a while, some fail, and some take no end.
asio::awaitable<void> take_letter(std::uint32_t number, bool sound) {
  const std::uint32_t kind = sound ? number % 2 : number % 5;
  if (kind == 1) co_await sleep_for(5ms);
  if (kind == 2) throw contract::operation_error("the sink");
  if (kind == 3) co_await sleep_for_ever();
}

asio::awaitable<void> write(run& r, given_up letter) {
  piece& one = r.pieces.at(letter.id);
  const time_point deadline = deadline_after(nanoseconds(r.config.dead_letter_patience_ns));
  one.stopped = false;
  one.being_written = true;
  one.write_deadline = deadline;
  std::exception_ptr failure;
  try {
    co_await take_letter(r.writes++, r.sound);
  } catch (...) {
    failure = std::current_exception();
  }
  one.being_written = false;
  if (!failure) {
    give_up(r, letter, fate::buried);
    co_return;
  }
  const bool cut_off = is_cancellation(failure);
  if (cut_off && !r.asked && !r.t.disturbed())
    r.t.expect(deadline <= now(), "RWK-5: a write within the sink's patience is not given up");
  r.sink_broke = true;
  std::rethrow_exception(failure);
}

// ---- what callers do

asio::awaitable<void> submit(run& r, piece& one) {
  std::exception_ptr failure;
  try {
    co_await (*r.worker)->submit(r.t.item(one.id));
  } catch (...) {
    failure = std::current_exception();
  }
  one.submitted = describe(failure).kind;
  one.accepted_at = r.looks;
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> work(run& r, bool& working) {
  working = true;
  co_await (*r.worker)->run();
}

asio::awaitable<void> join(run& r) {
  co_await (*r.worker)->join();
  if (!r.requeues) co_return;
  for (const auto& [id, one] : r.pieces) {
    const bool in_time = accepted(one) && one.accepted_at < r.looks;
    r.t.expect(!in_time || one.processed || one.end != fate::none,
               "RWK-8: join ends when every item is settled: " + name_of(one));
  }
}

asio::awaitable<void> in_turn(asio::awaitable<void> first, asio::awaitable<void> second) {
  co_await std::move(first);
  co_await std::move(second);
}

// ---- the steps

piece& make_piece(run& r, const program_step& step) {
  const int id = r.next_id++;
  piece& made = r.pieces[id];
  made.id = id;
  made.how = static_cast<manner>(step.a % (r.sound ? sound_manners : manners));
  if (!r.requeues && made.how == manner::endless)
    made.how = manner::plain;  // what is in hand may be finished
  made.takes = 5ms * (1 + step.b % 3);
  return made;
}

void start_submit(run& r, const program_step& step) {
  piece& made = make_piece(r, step);
  r.submits.push_back(r.t.start("submit " + std::to_string(made.id), submit(r, made)));
  if (step.b == 3) r.t.victim(r.submits.back());
}

void submit_twice(run& r, const program_step& step) {
  piece& one = make_piece(r, step);
  piece& other = make_piece(r, step);
  auto both = in_turn(submit(r, one), submit(r, other));
  r.submits.push_back(
      r.t.start("submit " + std::to_string(one.id) + " and " + std::to_string(other.id), std::move(both)));
}

constexpr std::ptrdiff_t runs_most = 4;  // at once

bool may_run(const run& r) {
  return std::count_if(r.runs.begin(), r.runs.end(), [](const auto& one) { return one.pending(); }) <
         runs_most;
}

void start_run(run& r, const program_step& step) {
  if (!may_run(r)) return;
  r.runs.push_back(
      r.t.start("run " + std::to_string(r.runs.size() + 1), work(r, r.working.emplace_back(false))));
  if (step.b == 3) r.t.victim(r.runs.back());
}

void submit_and_run(run& r, const program_step& step) {
  if (!may_run(r)) return;
  piece& made = make_piece(r, step);
  auto both = in_turn(submit(r, made), work(r, r.working.emplace_back(false)));
  r.runs.push_back(r.t.start("submit " + std::to_string(made.id) + " and run", std::move(both)));
}

void cancel_run(run& r, const program_step& step) {
  if (r.runs.empty()) return;
  r.asked = true;
  r.runs[r.runs.size() - 1 - step.a % r.runs.size()].cancel();
}

void cancel_submit(run& r, const program_step& step) {
  if (!r.submits.empty()) r.submits[r.submits.size() - 1 - step.a % r.submits.size()].cancel();
}

// One takes over from another in the same turn.
void relieve(run& r, const program_step& step) {
  cancel_run(r, step);
  start_run(r, step);
}

void start_join(run& r, const program_step&) {
  r.joins.push_back(r.t.start("join " + std::to_string(r.joins.size() + 1), join(r)));
}

struct verb {
  const char* name;
  const char* feature;  // empty: everybody has it
  void (*act)(run&, const program_step&);
};
const verb verbs[] = {
    {"submit", "", start_submit},
    {"run", "", start_run},
    {"cancel", "", cancel_run},
    {"advance", "", [](run& r, const program_step& step) { r.pause = 5ms * (1 + step.b); }},
    {"settle", "", [](run& r, const program_step&) { r.settles = true; }},
    {"cancel_submit", "", cancel_submit},
    {"submit_twice", "", submit_twice},
    {"submit_and_run", "", submit_and_run},
    {"relieve", "", relieve},
    {"renew", "",
     [](run& r, const program_step& step) {
       r.renews = true;
       r.anew = step.b % 2 == 1;
     }},
    {"join", "join", start_join},
};

// Shapes: room for 1 or 3 items; 1 to 3 attempts; settled after every step or not; nothing fails, or some of it does.
const grammar rules = {.shapes = 24,
                       .verbs = verbs_in(verbs),
                       .a_values = manners,
                       .b_values = 4,
                       .steps_max = 20,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- what holds when nothing more can happen now

// In the queue as far as can be seen from outside, or in a worker's hand.
bool is_inside(const piece& one) {
  return accepted(one) && !one.processed && one.end == fate::none && !one.in_process && !one.being_written;
}
// Put back because a worker was cancelled at it.
bool is_put_back(const run& r, const piece& one) {
  return r.requeues && is_inside(one) && one.stopped && one.failed == 0;
}

// At least so many runs have nothing to do.
std::ptrdiff_t idle_runs(const run& r) {
  std::ptrdiff_t idle = 0;
  for (std::size_t i = 0; i < r.runs.size(); ++i) {
    if (r.working[i] && r.runs[i].pending() && !was_asked(r, r.runs[i])) ++idle;
  }
  for (const auto& [id, one] : r.pieces) {
    if (one.in_process || one.being_written) --idle;
  }
  return idle;
}

// So many that were asked to stop have not ended, and nothing holds them up.
std::ptrdiff_t late_runs(const run& r) {
  std::ptrdiff_t late = 0;
  for (std::size_t i = 0; i < r.runs.size(); ++i) {
    if (r.working[i] && r.runs[i].pending() && was_asked(r, r.runs[i])) ++late;
  }
  for (const auto& [id, one] : r.pieces) {
    if (one.stays || one.being_written) --late;
  }
  return late;
}

void check_runs(run& r) {
  for (const operation<void>& one : r.runs) {
    if (one.pending()) continue;
    const outcome how = one.what();
    const bool lived_on = how.kind == outcome_kind::value || how.kind == outcome_kind::cancelled;
    r.t.expect(was_asked(r, one) && lived_on,
               r.sink_broke ? "RWK-5: the worker lives on whatever the sink does"
                            : "RWK-3: the worker lives on after a failure",
               to_string(how));
    r.t.expect(how.kind != outcome_kind::value, "X-8: a cancelled worker ends as cancelled", to_string(how));
  }
  if (!r.sound || r.sink_broke) return;  // a worker may pause when something has failed
  // A subject without `requeue` may finish what it has in hand.
  if (r.requeues && !r.t.disturbed()) r.t.expect(late_runs(r) <= 0, "RWK-2: a cancelled worker ends at once");
  if (idle_runs(r) <= 0) return;
  for (const auto& [id, one] : r.pieces) {
    r.t.expect(!is_put_back(r, one),
               "RWK-2: no worker is idle beside an item that was put back: " + name_of(one));
    r.t.expect(!is_inside(one) || one.begun > 0, "RWK-7: no worker is idle beside an item: " + name_of(one));
  }
}

// After a time in which every pause has ended.
void check_rest(run& r) {
  if (idle_runs(r) <= 0) return;
  for (const auto& [id, one] : r.pieces) {
    r.t.expect(!is_inside(one) || one.begun > 0, "RWK-7: no worker is idle beside an item: " + name_of(one));
    // A subject without `requeue` may keep what it was cancelled at.
    const bool kept = !r.requeues && r.asked;
    r.t.expect(!is_inside(one) || kept,
               (one.stopped ? "RWK-2: no worker is idle beside an item that was put back: "
                            : "RWK-3: an item that failed is tried again, or given up: ") +
                   name_of(one));
  }
}

// What was put back before the last look is begun before what was never begun.
void check_order(run& r) {
  for (const auto& [id, first] : r.pieces) {
    if (!is_put_back(r, first) || first.stopped_at == r.looks) continue;
    for (const auto& [other, second] : r.pieces) {
      r.t.expect(second.begun != 1 || second.begun_at != r.looks,
                 "RWK-2: the item that was put back is the next one to be taken: " + name_of(first));
    }
  }
}

void check_joins(run& r) {
  if (!r.requeues) return;
  const bool settled = std::all_of(r.pieces.begin(), r.pieces.end(), [&r](const auto& entry) {
    const piece& one = entry.second;
    // One that was processed may come again if its worker was cancelled meanwhile.
    const bool is_over = one.end != fate::none || (one.processed && !r.asked && !r.t.disturbed());
    return one.submitted != outcome_kind::pending && (!accepted(one) || (is_over && !one.in_process));
  });
  for (const operation<void>& one : r.joins)
    r.t.expect(!settled || one.ended(), "RWK-8: join ends when every item is settled: '" + one.name() + "'");
}

void look(run& r) {
  check_runs(r);
  check_order(r);
  check_joins(r);
  for (const auto& [id, one] : r.pieces) {
    if (one.being_written)
      r.t.expect(one.write_deadline > now(), "RWK-5: the worker goes on when the sink's patience is over");
  }
  ++r.looks;
}

// ---- rounds

void forget_calls(run& r) {
  r.submits.clear();
  r.runs.clear();
  r.working.clear();
  r.joins.clear();
}

void make_worker(run& r) {
  r.worker->reset();
  forget_calls(r);
  r.pieces.clear();
  r.asked = r.sink_broke = false;
  *r.worker = r.make(r.config);
  resilient_worker::callbacks outside;
  outside.process = [&r](int id, std::uint32_t attempt) { return process(r, id, attempt); };
  outside.dead_letter = [&r](given_up letter) { return write(r, std::move(letter)); };
  outside.lost = [&r](const given_up& letter, const outcome&) { give_up(r, letter, fate::lost); };
  (*r.worker)->connect(std::move(outside));
}

bool all_ended(const std::vector<operation<void>>& calls) {
  return std::all_of(calls.begin(), calls.end(), [](const auto& one) { return one.ended(); });
}

// No run is left: every item has one fate.
void check_fates(run& r) {
  for (const item& back : (*r.worker)->take_back()) {
    piece& one = r.pieces.at(back.id());
    r.t.expect(one.end == fate::none, "RWK-1: what was given up is not handed back as well: " + name_of(one));
    r.t.expect(accepted(one), "RWK-1: only what was accepted is handed back: " + name_of(one));
    one.end = fate::back;
  }
  for (const auto& [id, one] : r.pieces) {
    const bool has_fate = one.processed || one.end != fate::none;
    r.t.expect(!accepted(one) || has_fate,
               "RWK-1: every item is processed, given up or handed back: " + name_of(one));
    r.t.expect(accepted(one) || one.begun == 0,
               "RWK-1: an item whose submit failed is not processed: " + name_of(one));
  }
}

// Everything comes to its end. False if that cannot be gone on from.
asio::awaitable<bool> end_calls(run& r) {
  co_await r.t.pass(1h);
  look(r);
  check_rest(r);
  r.asked = true;
  for (const auto* const calls : {&r.joins, &r.runs, &r.submits}) {
    for (const operation<void>& one : *calls) one.cancel();
  }
  co_await r.t.pass(10s);
  look(r);
  for (const auto* const calls : {&r.joins, &r.runs, &r.submits}) {
    const bool is_work = calls == &r.runs;
    for (const operation<void>& one : *calls) {
      const std::string which = ": '" + one.name() + "'";
      r.t.expect(one.ended(),
                 (is_work ? "RWK-2: a cancelled worker ends" : "RWK-1: a cancelled call ends") + which);
      r.t.expect(is_work || one.pending() || one.done() || one.cancelled(),
                 "RWK-1: a call ends with an outcome of the contract" + which, to_string(one.what()));
    }
  }
  const bool over = all_ended(r.runs) && all_ended(r.submits) && all_ended(r.joins) && !r.t.has_failed();
  if (over) forget_calls(r);
  co_return over;
}

// The same worker goes on with what it has, or it hands that back, and another one begins.
asio::awaitable<bool> renew(run& r, bool anew) {
  const bool over = co_await end_calls(r);
  if (!over) co_return false;
  if (!anew) co_return true;
  check_fates(r);
  make_worker(r);
  co_return !r.t.has_failed();
}

// False if the worker may still be in use.
asio::awaitable<bool> run_steps(run& r, const program& steps) {
  for (const program_step& step : steps.steps) {
    verbs[step.verb].act(r, step);
    if (const nanoseconds pause = std::exchange(r.pause, 0ns); pause > 0ns) co_await r.t.advance(pause);
    if (r.settled || std::exchange(r.settles, false)) {
      co_await r.t.settle();
      look(r);
    }
    if (!std::exchange(r.renews, false)) continue;
    const bool renewed = co_await renew(r, std::exchange(r.anew, false));
    if (!renewed) co_return false;
  }
  const bool over = co_await end_calls(r);
  if (!over) co_return false;
  check_fates(r);
  r.t.expect(r.t.items().balanced(), "RWK-1: every item has exactly one fate", r.t.items().summary());
  co_return true;
}

}  // namespace

ASSAY_PROGRAM(resilient_worker, "RWK-1", rules, .asks = {"requeue", "attempt_cap", "attempts"},
              .must_see = {"loses_what_it_was_cancelled_at", "hand_gap", "idle_workers_hear_of_no_requeue",
                           "tires_after_ten_items", "has_one_place_for_what_is_put_back"}) {
  made_subject<resilient_worker> worker;
  // A worker that fails may leave items in process.
  const auto kept = std::make_shared<run>(t, make, steps);
  t.keep(kept);
  kept->worker = &worker;
  make_worker(*kept);
  const bool over = co_await run_steps(*kept, steps);
  if (!over && !t.has_failed())
    t.keep(std::shared_ptr<resilient_worker>(worker.release()));  // it may be in use
}

}  // namespace assay
