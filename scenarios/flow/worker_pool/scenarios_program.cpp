// Random programs on a worker pool: jobs of every kind are handed in, alone, by several at once and two by one caller in
// one turn; beside them the pool is drained, stopped, started again and scaled, and then all of it once more.
//
// There is no model of what happens next: too much is the pool's own choice. Checked is what holds whatever the order is:
// who may run, who may wait beside whom when nothing more can happen, who may be asked to stop and why, how a job's end is
// told, and that every accepted job is executed or returned. Programs that settle after each step know besides whether the
// pool accepts, and whether it has room.
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
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::worker_pool;
using contract::worker_pool_report;
using contract::worker_pool_request;
using std::chrono::nanoseconds;
using time_point = std::chrono::steady_clock::time_point;

// What a job is like.
enum class manner : std::uint8_t {
  plain,             // takes its time, and stops at once when it is asked to
  at_once,           // ends in its first turn
  held,              // goes on until it is released or asked to stop
  fails,             // throws after its time
  fails_at_once,     // throws in its first turn
  slow,              // asked to stop it goes on for a while
  deaf,              // hears no request
  fails_if_asked,    // asked to stop it throws something else
  succeeds_if_asked  // asked to stop it is done
};
constexpr std::uint8_t manners = 9;

struct job {
  int id = 0;
  manner how = manner::plain;
  nanoseconds takes{0};
  worker_pool_request request = {};
  bool hands_in = false;                           // another job, in its first turn
  bool nested = false;                             // it is such a job
  bool handed_in = false;                          // its submit has begun
  std::size_t handed_in_at = 0;                    // looks before that
  outcome_kind submitted = outcome_kind::pending;  // how its submit ended
  std::size_t accepted_at = 0;                     // looks before that
  bool begun = false;
  bool hears = false;  // whether a request reaches it now
  bool asked = false;  // to stop
  bool ended = false;
  outcome end = {};                         // of its execution
  time_point deadline = time_point::max();  // of its timeout, once it has begun
  time_point ended_at = time_point::max();
  std::size_t asker = 0;                // the place among the calls, plus 1, of who asked last how it ended
  bool told = false;                    // somebody was, how it ended
  asio::steady_timer* timer = nullptr;  // while it can be released
};

// A drain, a stop, or a drain with a deadline.
struct closing {
  bool stops = false;    // at its deadline
  bool at_once = false;  // a stop: its deadline has passed
  time_point deadline = time_point::max();
  bool stopped = false;  // the pool, before the last look
  bool begun = false;
  std::size_t begun_at = 0;  // looks before that
  std::size_t starts = 0;    // of the pool, before that
  bool ended = false;
  std::size_t ended_at = 0;
  outcome_kind how = outcome_kind::pending;
  std::size_t call = 0;  // its place among the calls
};

// Whether the pool takes jobs. Where a start and the end of accepting meet, the pool decides.
enum class phase : std::uint8_t { open, closed, unknown };

struct run {
  run(trial& owner, maker<worker_pool> made, const program& steps)
      : t(owner),
        make(std::move(made)),
        config{.workers = 1 + steps.shape % 3, .queue_capacity = steps.shape / 3 % 2 == 0 ? 1 : 3},
        settled(steps.shape / 6 % 2 == 1),
        closes(steps.shape / 12 != 1),
        told(make.claims("handles")),
        restarts(make.claims("restartable")),
        bounded(make.claims("bounded")),
        fair(make.claims("fair")),
        nests(make.claims("nested_submit")),
        frees(make.claims("lifetime")) {
    config.started = !restarts || steps.shape / 12 < 2;
  }

  trial& t;
  maker<worker_pool> make;
  contract::worker_pool_config config;
  bool settled;  // after every step
  bool closes;   // before a round ends; else it is one long round
  bool told, restarts, bounded, fair, nests, frees;
  made_subject<worker_pool>* pool = nullptr;

  // One round: a pool from its making or its start to the end of its jobs.
  std::map<int, job> jobs = {};
  std::vector<job*> live = {};        // those of which something may still be said
  std::vector<job*> just_begun = {};  // since the last look
  std::vector<operation<void>> calls = {};
  std::deque<closing> closings = {};
  phase accepts = phase::open;
  bool begins = true;      // jobs; false before the first start
  bool finishing = false;  // nothing is held any more
  int running = 0;
  std::int64_t workers = 1;
  std::int64_t most = 1;  // workers, since the last look
  std::int64_t room = 1;  // in the queue; more when workers went that had a job coming
  bool scaled = false;    // since the last look
  bool fewer = false;
  bool started = false;
  std::size_t starts = 0;
  int alone = 0;  // the job whose submit was the only step since the last look
  int running_then = 0;
  std::int64_t waiting_then = 0;

  // The whole program.
  int next_id = 1;
  std::size_t looks = 0;
  nanoseconds pause{0};  // what the latest step asks for
  bool settles = false;
  bool renews = false;
  bool anew = false;
};

bool accepted(const job& one) { return one.submitted == outcome_kind::value; }
bool refused(outcome_kind how) { return how == outcome_kind::closed || how == outcome_kind::rejected; }
bool returned(const run& r, const job& one) {
  return !one.begun && accepted(one) && r.t.items().state(one.id) == item_state::returned;
}
// Accepted, and neither begun nor returned.
bool waits(const run& r, const job& one) {
  return accepted(one) && !one.begun && r.t.items().state(one.id) != item_state::returned;
}
// Not one that was cancelled before it began.
bool asker_waits(const run& r, const job& one) { return one.asker != 0 && r.calls[one.asker - 1].pending(); }
time_point now() { return std::chrono::steady_clock::now(); }
std::string label_of(const job& one) { return "job " + std::to_string(one.id); }

bool was_asked(const run& r, const closing& one) {
  return r.calls[one.call].state()->cancels() > 0 || r.t.disturbed();
}
// Queued jobs may be on their way back to the caller.
bool is_stopping(const run& r) {
  return std::any_of(r.closings.begin(), r.closings.end(), [&r](const closing& one) {
    if (!one.begun || one.ended) return false;
    return (one.stops && one.deadline <= now()) || was_asked(r, one);
  });
}
// Who gives up draining may stop the pool with that.
bool may_be_stopped(const run& r) {
  return std::any_of(r.closings.begin(), r.closings.end(), [&r](const closing& one) {
    return one.begun && ((one.stops && one.deadline <= now()) || was_asked(r, one));
  });
}

// ---- what jobs do

// A job is executed as long as this lives.
class attendance {
 public:
  attendance(run& r, job& one) : r_(r), job_(one) {
    r_.t.expect(!job_.begun, "WPL-1: no job is executed twice");
    r_.t.expect(!refused(job_.submitted), "WPL-1: a job that was refused is not executed");
    const bool may_begin = r_.begins || std::any_of(r_.closings.begin(), r_.closings.end(),
                                                    [](const closing& drain) { return drain.begun; });
    r_.t.expect(may_begin, "WPL-8: before the start no job begins");
    const bool stopped = std::any_of(r_.closings.begin(), r_.closings.end(), [&r](const closing& stop) {
      return stop.stopped && stop.starts == r.starts && !was_asked(r, stop);
    });
    r_.t.expect(!stopped, "WPL-4: no job begins in a pool that was stopped");
    job_.begun = true;
    job_.deadline = job_.request.timeout_ns == 0 ? time_point::max()
                                                 : deadline_after(nanoseconds(job_.request.timeout_ns));
    r_.just_begun.push_back(&job_);
    ++r_.running;
    r_.t.expect(r_.running <= r_.most, "WPL-2: no job begins beside as many as there are workers");
  }
  attendance(const attendance&) = delete;
  attendance& operator=(const attendance&) = delete;
  ~attendance() {
    --r_.running;
    job_.ended = true;
    job_.ended_at = now();
  }

 private:
  run& r_;
  job& job_;
};

// Nobody is asked to stop without a reason.
void note_request(run& r, job& one) {
  if (std::exchange(one.asked, true)) return;
  if (one.deadline <= now() || may_be_stopped(r)) return;
  if (one.request.timeout_ns == 0)
    r.t.fail("WPL-4: a job was cancelled that has no timeout, in a pool that nobody stops");
  else
    r.t.fail("WPL-10: a job was cancelled before its timeout");
}

// Goes on whatever is asked meanwhile, and leaves the cancellation state as it was.
asio::awaitable<void> go_on_for(nanoseconds time) {
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await shield(sleep_for(time));
  co_await asio::this_coro::throw_if_cancelled(throwing);
}

asio::awaitable<void> wait_for_the_end(run& r, job& one) {
  const bool endless = one.how == manner::held && !r.finishing;
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_at(endless ? time_point::max() : deadline_after(one.takes));
  one.timer = &timer;
  one.hears = true;
  std::exception_ptr failure;
  try {
    co_await timer.async_wait(asio::use_awaitable);
  } catch (...) {
    failure = std::current_exception();
  }
  one.hears = false;
  const bool released = std::exchange(one.timer, nullptr) == nullptr;
  if (failure && !released) std::rethrow_exception(failure);
}

void note_submitted(run& r, job& one, const std::exception_ptr& failure) {
  one.submitted = describe(failure).kind;
  one.accepted_at = r.looks;
  if (!accepted(one) && one.begun) r.t.fail("WPL-1: a job was executed, and its submit did not accept it");
}

job& make_job(run& r, manner how, nanoseconds takes, worker_pool_request request);

asio::awaitable<void> hand_in_nested(run& r, int parent, job& one) {
  one.handed_in = true;
  one.handed_in_at = r.looks;
  std::exception_ptr failure;
  try {
    co_await (*r.pool)->submit_from_job(parent, r.t.item(one.id));
  } catch (...) {
    failure = std::current_exception();
  }
  note_submitted(r, one, failure);
  if (failure) std::rethrow_exception(failure);
}

// For a while: with a full queue jobs could wait for each other for ever.
asio::awaitable<void> hand_in_another(run& r, const job& parent) {
  job& another = make_job(r, manner::plain, 5ms, worker_pool_request());
  another.nested = true;
  const bool throwing = co_await asio::this_coro::throw_if_cancelled();
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await failure_of(shield(hand_in_nested(r, parent.id, another), deadline_after(5ms)));
  co_await asio::this_coro::throw_if_cancelled(throwing);
}

asio::awaitable<void> perform(run& r, job& one) {
  if (one.hands_in) co_await hand_in_another(r, one);
  if (one.how == manner::at_once) co_return;
  if (one.how == manner::fails_at_once) r.t.raise(label_of(one));
  if (one.how == manner::deaf) {
    co_await go_on_for(one.takes);
    co_return;
  }
  std::exception_ptr request;
  try {
    co_await wait_for_the_end(r, one);
  } catch (...) {
    request = std::current_exception();
  }
  if (request) {
    note_request(r, one);
    if (one.how == manner::succeeds_if_asked) co_return;
    if (one.how == manner::slow) co_await go_on_for(5ms);
    if (one.how != manner::fails_if_asked) std::rethrow_exception(request);
  }
  if (request || one.how == manner::fails) r.t.raise(label_of(one));
}

asio::awaitable<void> execute(run& r, int id) {
  job& one = r.jobs.at(id);
  const attendance present(r, one);
  std::exception_ptr failure;
  try {
    co_await perform(r, one);
  } catch (...) {
    failure = std::current_exception();
  }
  one.end = describe(failure);
  if (!failure) co_return;
  if (one.end.kind == outcome_kind::cancelled) note_request(r, one);
  std::rethrow_exception(failure);
}

// ---- what callers do

job& make_job(run& r, manner how, nanoseconds takes, worker_pool_request request) {
  const int id = r.next_id++;
  job& made = r.jobs[id];
  made.id = id;
  made.how = how;
  made.takes = takes;
  made.request = request;
  r.live.push_back(&made);
  return made;
}

asio::awaitable<void> hand_in(run& r, job& one) {
  one.handed_in = true;
  one.handed_in_at = r.looks;
  std::exception_ptr failure;
  try {
    co_await (*r.pool)->submit(r.t.item(one.id), one.request);
  } catch (...) {
    failure = std::current_exception();
  }
  note_submitted(r, one, failure);
  if (failure) std::rethrow_exception(failure);
}

// In the turn in which a drain or a stop has ended: nothing that it waited for is left. Not after a start, which lets new
// jobs begin.
void look_at_the_end(run& r, const closing& one) {
  if (one.starts != r.starts) return;
  r.t.expect(r.running == 0, "WPL-4: when a drain or a stop ends no job runs");
  if (is_stopping(r)) return;  // somebody else is told what has not begun
  for (const job* const each : r.live)
    r.t.expect(!waits(r, *each),
               "WPL-4: when a drain or a stop ends every accepted job is executed or returned");
  if (!r.frees) return;
  for (const auto& each : r.t.items().entries()) {
    if (each.state == item_state::delivered)
      r.t.expect(each.objects == 0, "X-19: when a drain or a stop ends, what the jobs held is destroyed");
  }
}

void begin_closing(run& r, closing& one) {
  one.begun = true;
  one.begun_at = r.looks;
  one.starts = r.starts;
}
void end_closing(run& r, closing& one, const std::exception_ptr& failure) {
  one.ended = true;
  one.ended_at = r.looks;
  one.how = describe(failure).kind;
  if (failure) std::rethrow_exception(failure);
  look_at_the_end(r, one);
}

asio::awaitable<void> drain(run& r, closing& one) {
  begin_closing(r, one);
  std::exception_ptr failure;
  try {
    co_await (*r.pool)->drain();
  } catch (...) {
    failure = std::current_exception();
  }
  end_closing(r, one, failure);
}

asio::awaitable<void> stop(run& r, closing& one) {
  one.stops = one.at_once = true;
  one.deadline = now();
  begin_closing(r, one);
  std::exception_ptr failure;
  std::vector<item> unstarted;
  try {
    unstarted = co_await (*r.pool)->stop_now();
  } catch (...) {
    failure = std::current_exception();
  }
  for (const int id : ids_of(unstarted))
    r.t.expect(!r.jobs.at(id).begun, "WPL-4: stop_now returns jobs that have not begun");
  end_closing(r, one, failure);
}

asio::awaitable<void> drain_for(run& r, closing& one, nanoseconds patience) {
  one.stops = true;
  one.deadline = deadline_after(patience);
  begin_closing(r, one);
  std::exception_ptr failure;
  worker_pool_report report;
  try {
    report = co_await (*r.pool)->drain_for(patience);
  } catch (...) {
    failure = std::current_exception();
  }
  r.t.expect_eq(report.unstarted, report.returned.size(),
                "WPL-5: the report counts the jobs that it returns");
  if (one.deadline > now()) {
    r.t.expect(report.cancelled == 0 && report.returned.empty(),
               "WPL-5: before its deadline a drain stops no job");
  }
  end_closing(r, one, failure);
}

// How a job has ended must be told as it was.
void check_told(run& r, const job& one, const outcome& told) {
  const bool gone = told.kind == outcome_kind::rejected || told.kind == outcome_kind::cancelled;
  const std::string how = to_string(told);
  if (!one.begun) {
    r.t.expect(gone, "WPL-4: a job that was returned has not been executed: so says its handle", how);
    return;
  }
  if (!r.t.expect(one.ended, "WPL-3: nobody is told how a job has ended while it runs", how)) return;
  // One that heard no request, or took no notice, may also be said to have ended as it did.
  const bool out_of_time = one.deadline <= one.ended_at;
  if (out_of_time && told.kind == outcome_kind::timed_out) return;
  if (one.end.kind != outcome_kind::cancelled) {
    const bool is_same = told.kind == one.end.kind && told.label == one.end.label;
    r.t.expect(is_same, "WPL-3: the handle tells how the job ended", how);
  } else if (out_of_time && !may_be_stopped(r)) {
    r.t.fail("WPL-10: a job that was cancelled at its timeout has timed out; its handle says: " + how);
  } else {
    r.t.expect(gone, "WPL-4: a job that was cancelled has neither a value nor a failure", how);
  }
}

asio::awaitable<void> ask(run& r, job& one) {
  std::exception_ptr failure;
  try {
    co_await (*r.pool)->outcome(one.id);
  } catch (...) {
    failure = std::current_exception();
  }
  const auto requests = co_await asio::this_coro::cancellation_state;
  const bool gave_up = requests.cancelled() != asio::cancellation_type::none && is_cancellation(failure);
  if (!gave_up) {
    one.told = true;
    check_told(r, one, describe(failure));
  }
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<void> in_turn(asio::awaitable<void> first, asio::awaitable<void> second) {
  co_await std::move(first);
  co_await std::move(second);
}

// ---- the steps

manner manner_of(const program_step& step) { return static_cast<manner>(step.a % manners); }
nanoseconds time_of(const program_step& step) { return 5ms * (1 + step.b % 3); }

void start_call(run& r, const program_step& step, std::string name, asio::awaitable<void> work) {
  r.calls.push_back(r.t.start(std::move(name), std::move(work)));
  if (step.b == 3) r.t.victim(r.calls.back());
}

job& job_of(run& r, const program_step& step) {
  job& made = make_job(r, manner_of(step), time_of(step), worker_pool_request());
  // Who waits for another submit has a worker meanwhile, so that is no job for every step.
  made.hands_in = r.nests && made.id % 4 == 3;
  return made;
}

void submit_one(run& r, const program_step& step, worker_pool_request how) {
  job& made = job_of(r, step);
  made.request = how;
  r.alone = made.id;
  start_call(r, step, "submit " + std::to_string(made.id), hand_in(r, made));
}

void submit(run& r, const program_step& step) { submit_one(r, step, worker_pool_request()); }

// What the timeout comes to, the time of the job, and a slow end, meet at the same instants; that of a plain job outlives it.
void submit_limited(run& r, const program_step& step) {
  constexpr nanoseconds timeouts[][4] = {{5ms, 10ms, -1ns, nanoseconds::max()}, {15ms, 20ms, 25ms, 10ms}};
  submit_one(r, step, {.timeout_ns = timeouts[step.a == 0][step.b].count()});
}

void submit_urgent(run& r, const program_step& step) {
  submit_one(r, step, {.priority = static_cast<std::int64_t>(step.b) - 1});
}

void submit_twice(run& r, const program_step& step) {
  job& one = job_of(r, step);
  job& other = job_of(r, step);
  auto both = in_turn(hand_in(r, one), hand_in(r, other));
  start_call(r, step, "submit " + std::to_string(one.id) + " and " + std::to_string(other.id),
             std::move(both));
}

closing& make_closing(run& r) {
  closing& made = r.closings.emplace_back();
  made.call = r.calls.size();
  return made;
}

void start_drain(run& r, const program_step& step) {
  if (r.closes) start_call(r, step, "drain", drain(r, make_closing(r)));
}
void start_stop(run& r, const program_step& step) {
  if (r.closes) start_call(r, step, "stop", stop(r, make_closing(r)));
}
void start_drain_for(run& r, const program_step& step) {
  constexpr nanoseconds patiences[] = {
      0ns, -1ns, 5ms, 10ms, 20ms, 1ns, nanoseconds::min(), nanoseconds::max(), 15ms};
  const nanoseconds patience = patiences[step.a];
  if (r.closes)
    start_call(r, step, "drain for " + format_duration(patience), drain_for(r, make_closing(r), patience));
}
void submit_and_drain(run& r, const program_step& step) {
  if (!r.closes) return;
  job& made = job_of(r, step);
  auto both = in_turn(hand_in(r, made), drain(r, make_closing(r)));
  start_call(r, step, "submit " + std::to_string(made.id) + " and drain", std::move(both));
}
void submit_and_stop(run& r, const program_step& step) {
  if (!r.closes) return;
  job& made = job_of(r, step);
  auto both = in_turn(hand_in(r, made), stop(r, make_closing(r)));
  start_call(r, step, "submit " + std::to_string(made.id) + " and stop", std::move(both));
}

void cancel(run& r, const program_step& step) {
  if (!r.calls.empty()) r.calls[r.calls.size() - 1 - step.a % r.calls.size()].cancel();
}

void release(job& one) {
  if (one.timer != nullptr) std::exchange(one.timer, nullptr)->cancel();
}
void release_one(run& r, const program_step& step) {
  if (!r.live.empty()) release(*r.live[step.a % r.live.size()]);
}

void ask_for_one(run& r, const program_step& step) {
  for (std::size_t i = step.a; i < r.live.size(); ++i) {
    job& one = *r.live[i];
    if (!accepted(one) || one.told || asker_waits(r, one)) continue;
    one.asker = r.calls.size() + 1;
    start_call(r, step, "outcome of " + std::to_string(one.id), ask(r, one));
    return;
  }
}

void scale(run& r, const program_step& step) {
  const std::int64_t workers = 1 + step.a % 3;
  r.fewer = r.fewer || workers < r.workers;
  r.scaled = true;
  r.workers = workers;
  r.most = std::max(r.most, workers);
  (*r.pool)->scale_to(workers);
}

// What somebody does who scales down and up again in one turn, and hands in a job.
void scale_and_submit(run& r, const program_step& step) {
  scale(r, program_step());
  scale(r, step);
  submit(r, step);
  r.alone = 0;
}

void start(run& r) {
  const bool drained = r.settled && r.accepts == phase::closed && r.running == 0 &&
                       std::all_of(r.closings.begin(), r.closings.end(), [](const closing& one) {
                         return one.ended && one.how == outcome_kind::value;
                       });
  try {
    (*r.pool)->start();
    ++r.starts;
    r.started = r.begins = true;
  } catch (const contract::rejected_error&) {
    r.t.expect(!drained, "WPL-8: a drained pool can be started again");
  }
}

struct verb {
  const char* name;
  const char* feature;  // empty: everybody has it
  void (*act)(run&, const program_step&);
};
const verb verbs[] = {
    {"submit", "", submit},
    {"cancel", "", cancel},
    {"advance", "", [](run& r, const program_step& step) { r.pause = time_of(step); }},
    {"settle", "", [](run& r, const program_step&) { r.settles = true; }},
    {"drain", "", start_drain},
    {"submit_twice", "", submit_twice},
    {"submit_and_drain", "", submit_and_drain},
    {"release", "", release_one},
    {"renew", "",
     [](run& r, const program_step& step) {
       r.renews = r.closes;
       r.anew = step.b % 2 == 1;
     }},
    {"submit_limited", "job_timeout", submit_limited},
    {"submit_urgent", "priorities", submit_urgent},
    {"outcome", "handles", ask_for_one},
    {"stop", "stop_now", start_stop},
    {"submit_and_stop", "stop_now", submit_and_stop},
    {"drain_for", "drain_deadline", start_drain_for},
    {"scale", "scaling", scale},
    {"scale_and_submit", "scaling", scale_and_submit},
    {"start", "restartable", [](run& r, const program_step&) { start(r); }},
};

// Shapes: 1 to 3 workers; room for 1 or 3; settled after every step or not; closing, one long round, or not started.
const grammar rules = {.shapes = 36,
                       .verbs = verbs_in(verbs),
                       .a_values = manners,
                       .b_values = 4,
                       .steps_max = 20,
                       .repeats = {1, 1, 1, 1, 1, 1, 1, 12}};

// ---- what holds when nothing more can happen now

void update_phase(run& r) {
  bool closed = false;
  bool unclear = false;
  bool under_way = false;
  for (const closing& one : r.closings) {
    if (!one.begun || refused(one.how)) continue;
    closed = closed || one.begun_at == r.looks;
    under_way = under_way || !one.ended;
    // It might as well not have happened.
    unclear = unclear || (one.how == outcome_kind::cancelled && one.ended_at == r.looks);
  }
  if (unclear || (r.started && (closed || under_way)))
    r.accepts = phase::unknown;
  else if (closed)
    r.accepts = phase::closed;
  else if (r.started)
    r.accepts = phase::open;
}

// A submit that was the only step.
void check_alone(run& r, phase before) {
  const auto found = r.jobs.find(std::exchange(r.alone, 0));
  if (!r.settled || found == r.jobs.end() || r.t.disturbed()) return;
  const job& one = found->second;
  if (before == phase::closed && r.accepts == phase::closed)
    r.t.expect(refused(one.submitted), "WPL-1: a submit after the drain has started is refused");
  if (before != phase::open) return;
  const bool idle = r.begins && r.running_then < r.workers;
  if (r.bounded && (idle || r.waiting_then < r.config.queue_capacity))
    r.t.expect(accepted(one), "WPL-7: a submit is accepted at once while the queue has room");
  if (idle) r.t.expect(accepted(one), "WPL-2: a job that comes to a free worker is accepted");
}

// What a running job handed in during a drain.
void check_nested(run& r, phase before) {
  if (before != phase::closed || r.accepts != phase::closed) return;
  for (const job* const one : r.live) {
    const bool new_one = one->handed_in && one->handed_in_at == r.looks && accepted(*one);
    if (one->nested && new_one)
      r.t.expect((*r.pool)->drains_nested(),
                 "WPL-6: declared as refused: a running job cannot hand in another");
  }
}

void check_one(run& r, const job& one, bool idle, bool free_place) {
  const bool parked = one.handed_in && one.submitted == outcome_kind::pending && r.accepts == phase::open;
  r.t.expect(!idle || !(parked || waits(r, one)), r.scaled ? "WPL-11: no job waits beside a new worker"
                                                           : "WPL-2: no job waits beside an idle worker");
  r.t.expect(!free_place || !parked, "WPL-7: no submit waits beside a free place");
  r.t.expect(!asker_waits(r, one) || !(one.ended || returned(r, one)),
             "X-1: whoever asks how a job has ended is told when it has");
  if (!one.hears || one.asked) return;
  r.t.expect(one.deadline > now(), "WPL-10: at its timeout a job is cancelled");
  for (const closing& each : r.closings) {
    if (!each.stops || !each.begun || each.ended || each.starts != r.starts || was_asked(r, each)) continue;
    r.t.expect(each.deadline > now(),
               each.at_once ? "WPL-4: stop_now cancels the running jobs"
                            : "WPL-5: at the deadline of a drain the running jobs are cancelled");
  }
}

// Of what was queued at the last look, and still is, nothing was to begin before what has begun since.
void check_urgency(run& r) {
  for (const job* const next : r.just_begun) {
    for (const job* const other : r.live) {
      if (!waits(r, *other) || other->accepted_at == r.looks) continue;
      const bool more_urgent = other->request.priority > next->request.priority;
      const bool older =
          other->request.priority == next->request.priority && other->accepted_at < next->accepted_at;
      r.t.expect(!more_urgent && !older,
                 "WPL-12: the most urgent job begins first, equals in the order in which they were accepted");
    }
  }
}

// Who was handed in since the last look does not overtake who has waited since before.
void check_fairness(run& r) {
  for (const job* const first : r.live) {
    if (!first->handed_in || first->submitted != outcome_kind::pending) continue;
    for (const job* const second : r.live) {
      const bool later = second->handed_in_at > first->handed_in_at && second->accepted_at == r.looks;
      r.t.expect(!(later && accepted(*second)), "X-13: submits that wait are served in the order they came");
    }
  }
}

void look(run& r) {
  const phase before = r.accepts;
  update_phase(r);
  const std::int64_t waiting =
      std::count_if(r.live.begin(), r.live.end(), [&r](const job* one) { return waits(r, *one); });
  if (r.fewer) r.room = std::max(r.room, waiting);
  r.room = std::max(r.config.queue_capacity, std::min(r.room, waiting));
  // A stop that waits for running jobs holds what it will return: also jobs that had a worker, and had yet to begin.
  const bool stopping = is_stopping(r);
  if (r.bounded && !stopping)
    r.t.expect(waiting <= r.room, "WPL-7: no more jobs wait than the queue has room for");
  const bool idle = r.begins && r.running < r.workers && !stopping;
  const bool free_place = r.bounded && waiting < r.config.queue_capacity;
  for (const job* const one : r.live) check_one(r, *one, idle, free_place);
  check_alone(r, before);
  check_nested(r, before);
  if (r.make.claims("priorities") && !stopping) check_urgency(r);
  if (r.fair) check_fairness(r);
  std::erase_if(r.live, [&r](const job* one) {
    if (asker_waits(r, *one) || (r.told && accepted(*one) && !one->told)) return false;
    return one->ended || refused(one->submitted) || one->submitted == outcome_kind::cancelled ||
           (accepted(*one) && returned(r, *one));
  });
  for (closing& one : r.closings)
    one.stopped =
        one.begun && one.stops && one.deadline <= now() && (one.stopped || !one.ended || one.at_once);
  r.just_begun.clear();
  r.running_then = r.running;
  r.waiting_then = waiting;
  r.most = r.workers;
  r.scaled = r.fewer = r.started = false;
  ++r.looks;
}

// ---- rounds

void begin_round(run& r) {
  r.jobs.clear();
  r.live.clear();
  r.just_begun.clear();
  r.calls.clear();
  r.closings.clear();
  r.finishing = false;
  r.alone = r.running_then = 0;
  r.waiting_then = 0;
}

void make_pool(run& r) {
  r.pool->reset();
  begin_round(r);
  r.workers = r.most = r.config.workers;
  r.room = r.config.queue_capacity;
  r.accepts = phase::open;
  r.begins = r.config.started;
  r.running = 0;
  r.scaled = r.fewer = r.started = false;
  *r.pool = r.make(r.config);
  worker_pool::callbacks outside;
  outside.run = [&r](int id) { return execute(r, id); };
  (*r.pool)->connect(std::move(outside));
}

void check_calls(run& r) {
  for (std::size_t i = 0; i < r.calls.size(); ++i) {
    const operation<void>& call = r.calls[i];
    const outcome how = call.what();
    const bool closes = std::any_of(r.closings.begin(), r.closings.end(),
                                    [i](const closing& one) { return one.begun && one.call == i; });
    r.t.expect(call.ended(), closes
                                 ? "WPL-4: a drain or a stop ends when every job has: '" + call.name() + "'"
                                 : "X-1: every call ends: '" + call.name() + "'");
    const bool asked = call.state()->cancels() > 0 || r.t.disturbed();
    if (how.kind == outcome_kind::cancelled && !call.name().starts_with("outcome"))
      r.t.expect(asked, "X-1: only a cancelled call ends as cancelled: '" + call.name() + "'");
    const bool plain =
        how.kind == outcome_kind::value || how.kind == outcome_kind::cancelled || refused(how.kind);
    if (call.ended() && !call.name().starts_with("outcome"))
      r.t.expect(plain, "X-1: a call ends with an outcome of the contract: '" + call.name() + "'",
                 to_string(how));
  }
}

void check_jobs(run& r) {
  for (const auto& [id, one] : r.jobs) {
    if (!one.handed_in) continue;
    const bool is_returned = returned(r, one);
    r.t.expect(accepted(one) ? one.begun != is_returned : !one.begun,
               "WPL-1: accepted jobs are executed, once, or returned, and no others: " + label_of(one));
    r.t.expect(one.begun == one.ended, "WPL-4: every job that has begun has ended: " + label_of(one));
  }
}

asio::awaitable<void> drain_at_last(run& r) {
  start_call(r, program_step(), "last drain", drain(r, make_closing(r)));
  co_await r.t.pass(100s);
}

asio::awaitable<void> ask_for_the_rest(run& r) {
  for (auto& [id, one] : r.jobs) {
    // The failures of the others reach the hook when the pool goes.
    const bool is_asked = id % 2 == 0 || one.end.kind != outcome_kind::error;
    if (accepted(one) && !one.told && !asker_waits(r, one) && is_asked) {
      one.asker = r.calls.size() + 1;
      start_call(r, program_step(), "outcome of " + std::to_string(id), ask(r, one));
    }
  }
  co_await r.t.settle();
}

// Everything comes to its end, and nothing is missing. False if that cannot be gone on from.
asio::awaitable<bool> finish_round(run& r) {
  r.finishing = true;
  for (job* const one : r.live) release(*one);
  co_await drain_at_last(r);
  if (!r.begins && r.restarts) {  // what was not started may refuse to be drained
    start(r);
    co_await drain_at_last(r);
  }
  look(r);
  if (r.told) {
    co_await ask_for_the_rest(r);
    look(r);
  }
  check_calls(r);
  check_jobs(r);
  const bool over = std::all_of(r.calls.begin(), r.calls.end(), [](const auto& one) { return one.ended(); });
  co_return over&& r.running == 0 && !r.t.has_failed();
}

asio::awaitable<bool> renew(run& r, bool anew) {
  const bool over = co_await finish_round(r);
  if (!over) co_return false;
  if (anew || !r.restarts) {
    make_pool(r);
    co_return true;
  }
  begin_round(r);
  r.accepts = phase::closed;
  start(r);
  r.accepts = r.started ? phase::open : phase::unknown;
  co_return true;
}

// False if the pool may still be in use.
asio::awaitable<bool> run_steps(run& r, const program& steps) {
  const std::size_t period = std::max<std::size_t>(steps.steps.size() / rules.repeats[steps.repeats], 1);
  for (std::size_t i = 0; i < steps.steps.size(); ++i) {
    const program_step& step = steps.steps[i];
    verbs[step.verb].act(r, step);
    if (const nanoseconds pause = std::exchange(r.pause, 0ns); pause > 0ns) co_await r.t.advance(pause);
    if (r.settled || std::exchange(r.settles, false)) {
      co_await r.t.settle();
      look(r);
    }
    const bool again = i + 1 < steps.steps.size() && (i + 1) % period == 0 && r.accepts != phase::open;
    if (!std::exchange(r.renews, false) && !again) continue;
    const bool renewed = co_await renew(r, std::exchange(r.anew, false));
    if (!renewed) co_return false;
  }
  const bool over = co_await finish_round(r);
  if (over) r.t.expect(r.t.items().balanced(), "WPL-1: every job is accounted for", r.t.items().summary());
  co_return over;
}

}  // namespace

ASSAY_PROGRAM(worker_pool, "WPL-1", rules,
              .asks = {"handles", "restartable", "bounded", "fair", "nested_submit", "lifetime",
                       "priorities"},
              .must_see = {"drain_forgets_the_queue", "a_cancelled_submit_runs_all_the_same",
                           "drain_waits_for_the_queue_only", "outcomes_of_returned_jobs_never_settle",
                           "a_slow_job_loses_its_place", "every_tenth_worker_is_not_replaced"}) {
  made_subject<worker_pool> pool;
  // Jobs may be left running by a pool that fails.
  const auto kept = std::make_shared<run>(t, make, steps);
  t.keep(kept);
  kept->pool = &pool;
  make_pool(*kept);
  const bool over = co_await run_steps(*kept, steps);
  if (!over && !t.has_failed()) t.keep(std::shared_ptr<worker_pool>(pool.release()));  // it may be in use
}

}  // namespace assay
