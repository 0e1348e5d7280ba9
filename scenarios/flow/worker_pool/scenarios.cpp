// The clauses of worker_pool, each beside the scenario that checks it.
#include <algorithm>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using contract::worker_pool;
using contract::worker_pool_report;
using contract::worker_pool_request;
using std::chrono::nanoseconds;
using ids = std::vector<int>;

constexpr nanoseconds for_ever = nanoseconds::max();

// ---- what jobs do

// What executing one job comes to. By default it ends at once, after one suspension.
struct job_plan {
  nanoseconds takes{0};    // for_ever: until it is released or cancelled
  nanoseconds cleanup{0};  // how long it goes on after it was cancelled
  std::string fails = {};  // the label of what it throws in the end; empty if it succeeds
  int submits = 0;         // the job that it hands in before it ends
};

// Where jobs are executed: what each is to do, and what became of it.
class workshop {
 public:
  workshop(trial& t, worker_pool& pool) : t_(&t), pool_(&pool) {}

  // Has the pool execute its jobs here. Kept for the trial: a scenario that fails half way leaves jobs running.
  static workshop& open(trial& t, worker_pool& pool) {
    auto made = std::make_shared<workshop>(t, pool);
    t.keep(made);
    worker_pool::callbacks outside;
    outside.run = [shop = made.get()](int id) { return shop->execute(id); };
    pool.connect(std::move(outside));
    return *made;
  }

  void plan(int id, job_plan what) { plans_[id] = std::move(what); }
  void takes(int id, nanoseconds how_long) { plans_[id].takes = how_long; }
  void take(int first, int last, nanoseconds how_long) {
    for (int id = first; id <= last; ++id) takes(id, how_long);
  }
  void hold(int first, int last) { take(first, last, for_ever); }
  void fails(int id) { plans_[id].fails = "job " + std::to_string(id); }

  // Lets a held job end; one that has not begun will not wait.
  void release(int id) {
    plans_[id].takes = 0ns;
    const auto held = timers_.find(id);
    if (held == timers_.end()) return;
    held->second->cancel();
    timers_.erase(held);
  }
  // Lets one held job that runs end, whichever it is: only priorities promise an order.
  void release_one() {
    if (!timers_.empty()) release(timers_.begin()->first);
  }
  void release_all() {
    for (auto& [id, what] : plans_) {
      if (what.takes == for_ever) release(id);
    }
  }

  const ids& begun() const noexcept { return begun_; }
  const ids& ended() const noexcept { return ended_; }          // whichever way
  const ids& cancelled() const noexcept { return cancelled_; }  // were asked to stop
  int running() const noexcept { return running_; }
  int peak() const noexcept { return peak_; }
  bool has_begun(int id) const { return std::find(begun_.begin(), begun_.end(), id) != begun_.end(); }
  void forget_peak() noexcept { peak_ = running_; }
  // How the submit of a job that another job handed in ended; pending if it was never made.
  outcome_kind nested() const noexcept { return nested_; }

 private:
  // Counts a job for as long as it runs: a request that comes as its work ends makes the next co_await throw.
  class attendance {
   public:
    attendance(workshop& shop, int id) : shop_(shop), id_(id) {
      const detail::harness_section section;  // our own books
      shop_.begun_.push_back(id);
      shop_.peak_ = std::max(shop_.peak_, ++shop_.running_);
    }
    attendance(const attendance&) = delete;
    attendance& operator=(const attendance&) = delete;
    ~attendance() {
      const detail::harness_section section;
      --shop_.running_;
      shop_.ended_.push_back(id_);
    }

   private:
    workshop& shop_;
    int id_;
  };

  asio::awaitable<void> execute(int id) {
    const attendance present(*this, id);
    const job_plan what = plans_[id];
    const std::exception_ptr cancellation = co_await failure_of(work(id, what.takes));
    if (cancellation) {
      cancelled_.push_back(id);
      // Goes on whatever is asked of it, and leaves the cancellation state as it was.
      const bool throwing = co_await asio::this_coro::throw_if_cancelled();
      co_await asio::this_coro::throw_if_cancelled(false);
      if (what.cleanup > 0ns) co_await shield(sleep_for(what.cleanup));
      co_await asio::this_coro::throw_if_cancelled(throwing);
      std::rethrow_exception(cancellation);
    }
    if (what.submits != 0) {
      const auto failure = co_await failure_of(pool_->submit_from_job(id, t_->item(what.submits)));
      nested_ = describe(failure).kind;
    }
    if (!what.fails.empty()) t_->raise(what.fails);
  }

  asio::awaitable<void> work(int id, nanoseconds how_long) {
    asio::steady_timer timer(co_await asio::this_coro::executor, deadline_after(how_long));
    timers_[id] = &timer;
    const std::exception_ptr failure = co_await failure_of(timer.async_wait(asio::use_awaitable));
    const bool released = timers_.erase(id) == 0;
    if (failure && !released) std::rethrow_exception(failure);
  }

  trial* t_;
  worker_pool* pool_;
  std::map<int, job_plan> plans_;
  std::map<int, asio::steady_timer*> timers_;
  ids begun_, ended_, cancelled_;
  int running_ = 0;
  int peak_ = 0;
  outcome_kind nested_ = outcome_kind::pending;
};

// ---- what several scenarios do

ids range(int first, int last) {
  ids all;
  for (int id = first; id <= last; ++id) all.push_back(id);
  return all;
}

// Ids of a round, for scenarios that try several durations.
int base_of(nanoseconds time) { return static_cast<int>(time / 1ms) * 10; }

worker_pool_request urgent(std::int64_t priority) { return {.priority = priority}; }
worker_pool_request limited(nanoseconds timeout) { return {.timeout_ns = timeout.count()}; }

template <class T>
bool was_refused(const operation<T>& call) {
  return call.closed() || call.rejected();
}

// Ended in one of the ways in which a submit or a drain may end.
bool has_ended_well(const operation<void>& call) {
  return call.done() || call.cancelled() || was_refused(call);
}

// Looks in the very turn in which a drain or a stop has ended: what it waits for has ended before. Neither the pool nor the
// scenario need be there any more by then.
asio::awaitable<void> ending_in_order(trial& t, const workshop& shop, asio::awaitable<void> closing) {
  co_await std::move(closing);
  t.expect_eq(shop.running(), 0, "when a drain or a stop ends, no job runs");
}
template <class T>
asio::awaitable<T> ending_in_order(trial& t, const workshop& shop, asio::awaitable<T> closing) {
  T value = co_await std::move(closing);
  t.expect_eq(shop.running(), 0, "when a drain or a stop ends, no job runs");
  co_return value;
}

// A pool, the workshop where it works, and the submits of the scenario, by job. Who does not claim `bounded` may accept a
// job at once, only when a worker takes it, or not at all while every worker is busy. So a submit is an operation in
// flight, and what it came to is looked at afterwards.
class site {
 public:
  site(trial& t, made_subject<worker_pool> made)
      : pool(std::move(made)), shop(workshop::open(t, *pool)), t_(&t) {}

  made_subject<worker_pool> pool;
  workshop& shop;

  operation<void> start(int id, worker_pool_request how = worker_pool_request()) {
    auto call = t_->start("submit " + std::to_string(id), pool->submit(t_->item(id), how));
    calls_.emplace(id, call);
    return call;
  }
  void start_range(int first, int last) {
    for (int id = first; id <= last; ++id) start(id);
  }
  // Each settled before the next: so they stand in line in this order.
  asio::awaitable<void> start_in_turn(int first, int last) {
    for (int id = first; id <= last; ++id) {
      start(id);
      co_await t_->settle();
    }
  }
  // Goes on when the job was accepted: there is a free worker, or room.
  asio::awaitable<void> submit(int id, worker_pool_request how = worker_pool_request()) {
    co_await pool->submit(t_->item(id), how);
    taken_.push_back(id);
  }
  asio::awaitable<void> drain() { return ending_in_order(*t_, shop, pool->drain()); }
  asio::awaitable<std::vector<item>> stop_now() { return ending_in_order(*t_, shop, pool->stop_now()); }
  asio::awaitable<worker_pool_report> drain_for(nanoseconds patience) {
    return ending_in_order(*t_, shop, pool->drain_for(patience));
  }
  // A job that another one has handed in.
  void also_accepted(int id) { taken_.push_back(id); }

  const operation<void>& of(int id) const { return calls_.at(id); }
  ids accepted() const {
    ids those = taken_;
    for (const auto& [id, call] : calls_) {
      if (call.done()) those.push_back(id);
    }
    return sorted(std::move(those));
  }
  // Accepted and not executed so far.
  ids unstarted() const {
    ids those = accepted();
    std::erase_if(those, [this](int id) { return shop.has_begun(id); });
    return those;
  }
  // Jobs that a worker could take: those, and those whose submit still waits.
  int waiting() const {
    const auto parked =
        std::count_if(calls_.begin(), calls_.end(), [](const auto& one) { return one.second.pending(); });
    return static_cast<int>(unstarted().size()) + static_cast<int>(parked);
  }

  void expect_ended() const {
    for (const auto& [id, call] : calls_)
      t_->expect(has_ended_well(call), "a submit is accepted, cancelled or refused");
  }
  // Every job that was accepted has been executed, and no other has.
  void expect_executed(std::string_view message = "every accepted job is executed, once",
                       std::source_location where = std::source_location::current()) const {
    expect_ended();
    t_->expect_eq(sorted(shop.begun()), accepted(), message, where);
  }
  // Every job that was accepted has been executed or returned, and no other has.
  void expect_accounted() const {
    expect_ended();
    for (const int id : accepted()) {
      const bool executed = shop.has_begun(id);
      const bool returned = t_->items().state(id) == item_state::returned;
      t_->expect(executed || returned, "an accepted job is executed or returned: " + std::to_string(id));
      t_->expect(!(executed && returned), "no job is both executed and returned: " + std::to_string(id));
    }
  }
  // Drains, with everything held released: a drain that does not end is the subject's fault.
  asio::awaitable<void> drain_to_the_end() {
    shop.release_all();
    const auto drain = t_->start("last drain", pool->drain());
    co_await t_->pass(100s);
    t_->expect(drain.ended(), "a drain ends when every job has");
    t_->expect(drain.done() || was_refused(drain), "a drain ends with a value, or is refused");
    t_->expect_eq(shop.running(), 0, "no job runs after the drain");
  }
  // Asks how a job has ended; on subjects without handles the error hook has it.
  asio::awaitable<outcome> outcome_of(int id) {
    const auto asked = co_await t_->begin("outcome of " + std::to_string(id), pool->outcome(id));
    t_->expect(asked.ended(), "the outcome of a job that has ended is there");
    co_return asked.what();
  }
  asio::awaitable<void> expect_thrown(int id, std::string_view message) {
    const outcome told = co_await outcome_of(id);
    t_->expect_eq(told.label, "job " + std::to_string(id), message);
  }

 private:
  trial* t_;
  ids taken_;
  std::map<int, operation<void>> calls_;
};

void expect_report(trial& t, const operation<worker_pool_report>& drain, std::size_t cancelled,
                   const ids& unstarted) {
  if (!drain.done()) return;
  t.expect_eq(drain.value().cancelled, cancelled, "the report counts the cancelled jobs");
  t.expect_eq(drain.value().unstarted, unstarted.size(), "the report counts the jobs that had not begun");
  t.expect_eq(sorted(ids_of(drain.value().returned)), unstarted, "unstarted jobs are returned");
}

constexpr std::string_view if_accepted = "a job is executed, once, if and only if its submit was accepted";

// Drains, and looks at what is left of the jobs.
asio::awaitable<void> drain_and_look(trial& t, worker_pool& pool) {
  co_await pool.drain();
  for (const auto& job : t.items().entries()) {
    if (job.state != item_state::delivered) continue;  // refused: its submit may still have it
    t.expect(job.objects == 0,
             "when the drain ends, what the jobs held is destroyed: " + std::to_string(job.id));
  }
}

}  // namespace

ASSAY_CONTRACT(worker_pool, "flow", "N workers execute jobs; graceful drain");

// ---- nothing accepted is lost

ASSAY_CLAUSE(
    worker_pool, "WPL-1", must,
    "Accepted (its submit completed) before a drain starts means executed, once, or returned to the caller "
    "as not executed; a submit after the drain has started is refused. Whether a job is accepted at once, or "
    "only when a worker takes it, is the pool's own choice unless it claims `bounded`.") {
  for (const int workers : {1, 3}) {
    const int base = workers * 100;
    site here(t, make({.workers = workers}));
    here.shop.take(base + 1, base + 5, 10ms);
    here.start_range(base + 1, base + 5);
    co_await t.settle();
    t.premise(here.shop.running() > 0, "jobs run when the drain starts");
    const auto drain = co_await t.begin("drain", here.pool->drain());
    const auto late = here.start(base + 6);
    co_await t.settle();
    t.expect(was_refused(late), "a submit after the drain has started is refused");
    co_await t.pass(10s);
    t.expect(drain.done(), "the drain ends");
    here.expect_executed();
    const auto later = here.start(base + 7);
    co_await t.pass(10s);
    t.expect(was_refused(later), "a submit after the drain is refused");
    t.expect_eq(here.shop.begun().size(), here.accepted().size(), "a refused job is not executed");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-1", "swept", .swept = true) {
  site here(t, make({.workers = 1, .queue_capacity = 1}));
  here.shop.take(1, 4, 10ms);
  co_await here.submit(1);
  co_await t.settle();
  t.premise(here.shop.running() == 1, "the worker is busy when the others come");
  here.start_range(2, 4);
  t.victim(here.of(3));
  co_await t.pass(10s);
  co_await here.drain_to_the_end();
  for (int id = 2; id <= 4; ++id) t.sometimes("a submit is cancelled", here.of(id).cancelled());
  here.expect_executed(if_accepted);
}

ASSAY_SCENARIO(worker_pool, "WPL-1", "drain meets submit") {
  site here(t, make({.workers = 1, .queue_capacity = 1}));
  here.shop.take(1, 5, 10ms);
  co_await here.submit(1);
  here.start_range(2, 3);
  const auto drain = t.start("drain", here.pool->drain());
  here.start_range(4, 5);
  co_await t.pass(10s);
  t.expect(drain.done(), "the drain ends");
  here.expect_executed(if_accepted);
}

// ---- how many run

ASSAY_CLAUSE(worker_pool, "WPL-2", must, "At most N jobs run at once; all N can run at once.") {
  for (const int count : {1, 3}) {
    const int base = count * 100;
    site here(t, make({.workers = count}));
    here.shop.hold(base + 1, base + 2 * count + 1);
    co_await here.start_in_turn(base + 1, base + 2 * count + 1);
    t.expect_eq(here.shop.running(), count, "with enough jobs, as many run as there are workers");
    const int next = std::min(here.waiting(), 1);
    here.shop.release_one();
    co_await t.settle();
    t.expect_eq(here.shop.running(), count - 1 + next, "when a job ends, the next one begins");
    co_await here.drain_to_the_end();
    t.expect_eq(here.shop.peak(), count, "never do more jobs run than there are workers");
    here.expect_executed();
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-2", "swept", .swept = true) {
  site here(t, make({.workers = 2, .queue_capacity = 2}));
  here.shop.take(1, 7, 10ms);
  here.start_range(1, 7);
  t.victim(here.of(5));
  co_await t.pass(10s);
  here.expect_ended();
  co_await here.drain_to_the_end();
  here.expect_executed();
  t.expect_eq(here.shop.peak(), 2, "never do more jobs run than there are workers");
}

// ---- failures

ASSAY_CLAUSE(
    worker_pool, "WPL-3", must,
    "A throwing job does not kill its worker; its error reaches the submitter's handle or the error hook.") {
  for (const int count : {1, 2}) {
    const int base = count * 100;
    const int last = base + 2 * count + 2;
    site here(t, make({.workers = count}));
    for (int id = base + 1; id <= base + count + 1; ++id) here.shop.fails(id);
    here.shop.hold(base + count + 2, last);
    here.start_range(base + 1, base + count + 1);
    co_await t.settle();
    const ids failing = here.accepted();
    t.premise(!here.shop.ended().empty(), "a job has thrown");
    co_await here.start_in_turn(base + count + 2, last);
    co_await t.pass(1s);
    t.expect_eq(here.shop.running(), count, "after jobs that threw, all workers are still there");
    if (make.claims("handles")) {
      for (const int id : failing) co_await here.expect_thrown(id, "the handle tells what the job threw");
    }
    co_await here.drain_to_the_end();
    here.expect_executed("jobs behind one that threw are executed");
    for (const int id : failing) {
      t.expect_eq(t.times_observed("job " + std::to_string(id)), 1U,
                  "the error of a job reaches its handle or the error hook, once");
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-3", "swept", .features = {"handles"}, .swept = true) {
  site here(t, make({.workers = 1}));
  here.shop.plan(1, {.takes = 10ms, .fails = "job 1"});
  co_await here.start_in_turn(1, 2);
  t.premise(here.shop.has_begun(1), "job 1 runs when somebody asks for its outcome");
  const auto asked = t.start("outcome of 1", here.pool->outcome(1));
  t.victim(asked);
  co_await t.pass(1s);
  t.expect(asked.ended(), "whoever asks for an outcome is told when the job has ended");
  t.sometimes("whoever asks is cancelled", asked.cancelled());
  if (asked.cancelled()) {
    co_await here.expect_thrown(1, "who gave up asking has learnt nothing, and can ask again");
  } else {
    t.expect_eq(asked.what().label, "job 1", "the handle tells what the job threw");
  }
  if (here.of(2).done()) {
    const auto second = co_await here.outcome_of(2);
    t.expect(second.kind == outcome_kind::value, "the next job ends with a value");
  }
  t.expect_eq(sorted(here.shop.ended()), here.accepted(), "to stop asking does not touch the jobs");
  co_await here.drain_to_the_end();
}

// ---- drain and stop

ASSAY_CLAUSE(worker_pool, "WPL-4", must,
             "A drain completes when the queue is empty and all workers are idle; then the workers end. With "
             "`stop_now`, that cancels the running jobs and returns the unstarted ones.") {
  for (const nanoseconds last : {30ms, 70ms}) {
    const int base = base_of(last);
    site here(t, make({.workers = 2}));
    here.shop.take(base + 1, base + 3, 10ms);
    here.shop.takes(base + 2, last);
    co_await here.start_in_turn(base + 1, base + 3);
    const auto drain = t.start("drain", here.drain());
    co_await t.pass(15ms);
    t.premise(here.shop.running() > 0 && here.unstarted().empty(), "the queue is empty, and jobs still run");
    t.expect(drain.pending(), "the drain waits although the queue is empty: two jobs still run");
    co_await t.advance(last - 15ms);
    t.premise(here.shop.running() == 1, "the last job still runs");
    t.expect(drain.pending(), "the drain waits although one worker is idle: the last job still runs");
    co_await t.pass(1s);
    t.expect(drain.done(), "the drain ends once the queue is empty and all workers are idle");
    here.expect_executed();
    t.expect_eq(here.shop.cancelled(), ids(), "a drain cancels no job");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "failures") {
  site here(t, make({.workers = 2}));
  here.shop.plan(1, {.takes = 10ms, .fails = "job 1"});
  here.shop.plan(2, {.takes = 60ms, .fails = "job 2"});
  here.shop.takes(3, 50ms);
  co_await here.start_in_turn(1, 3);
  const auto drain = t.start("drain", here.drain());
  co_await t.advance(60ms);
  t.premise(!here.shop.ended().empty() && here.shop.running() > 0,
            "a job has failed, and another still runs");
  t.expect(drain.pending(), "the drain waits although a job failed: others still run");
  co_await t.pass(1s);
  t.expect(drain.done(), "the drain ends with a value: what jobs threw is told elsewhere");
  here.expect_ended();
  t.expect_eq(sorted(here.shop.ended()), here.accepted(),
              "a drain in which jobs fail executes all the others");
  if (make.claims("handles")) {
    for (int id = 1; id <= 2; ++id) co_await here.expect_thrown(id, "the handle tells what its job threw");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "idle") {
  for (const int workers : {1, 3}) {
    site unused(t, make({.workers = workers}));
    const auto drain = t.start("drain of an unused pool", unused.pool->drain());
    co_await t.pass(1s);
    t.expect(drain.done(), "the drain of a pool without jobs ends");
  }
  site used(t, make({.workers = 2}));
  used.start_range(1, 3);
  co_await t.pass(1s);
  t.premise(!used.shop.ended().empty() && used.shop.running() == 0, "the pool has worked, and is idle");
  const auto drain = t.start("drain of an idle pool", used.pool->drain());
  co_await t.pass(1s);
  t.expect(drain.done(), "the drain of an idle pool ends");
  used.expect_ended();
  t.expect_eq(sorted(used.shop.ended()), used.accepted(), "every accepted job has ended");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "swept", .swept = true) {
  site here(t, make({.workers = 2, .queue_capacity = 1}));
  here.shop.take(1, 5, 10ms);
  co_await here.start_in_turn(1, 3);
  t.premise(here.shop.running() == 2, "both workers are busy when the last submit comes");
  const auto parked = here.start(4);
  t.victim(parked);
  co_await t.settle();
  const auto drain = t.start("drain", here.drain());
  co_await t.pass(10s);
  t.expect(drain.done(), "the drain ends once the queue is empty and all workers are idle");
  t.expect(has_ended_well(parked), "a submit that waits for room ends when the pool drains");
  here.expect_executed(if_accepted);
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now", .features = {"stop_now"}) {
  for (const int running : {1, 2}) {
    const int base = running * 100;
    const ids first = range(base + 1, base + running);
    site here(t, make({.workers = running}));
    here.shop.hold(base + 1, base + running + 3);
    co_await here.start_in_turn(base + 1, base + running + 3);
    t.premise(here.shop.running() == running, "all workers are busy when the pool is stopped");
    const auto stop = t.start("stop", here.stop_now());
    co_await t.pass(1s);
    t.expect_eq(sorted(here.shop.cancelled()), first, "the running jobs are cancelled");
    if (t.expect(stop.done(), "stop_now ends once the cancelled jobs have")) {
      t.expect_eq(sorted(ids_of(stop.value())), here.unstarted(), "stop_now returns the unstarted jobs");
    }
    const auto late = here.start(base + 50);
    co_await t.settle();
    t.expect(was_refused(late), "a submit after the stop is refused");
    here.expect_ended();
    co_await here.drain_to_the_end();
    t.expect_eq(sorted(here.shop.begun()), first, "a returned job is not executed");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now beside slow cleanup", .features = {"stop_now"},
               .why = "a job that was asked to stop and takes its time over that has not ended") {
  site here(t, make({.workers = 2}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 10ms});
  here.shop.plan(2, {.takes = for_ever, .cleanup = 20ms});
  co_await here.start_in_turn(1, 2);
  const auto stop = co_await t.begin("stop", here.stop_now());
  t.premise(here.shop.running() == 2, "two jobs clean up");
  t.expect(stop.pending(), "stop_now waits for jobs that clean up");
  co_await t.pass(19ms);
  t.premise(here.shop.running() == 1, "the last job still cleans up");
  t.expect(stop.pending(), "stop_now waits for the last job that cleans up");
  co_await t.pass(1s);
  t.expect(stop.done(), "stop_now ends once the cancelled jobs have");
  co_await here.drain_to_the_end();
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop meets submit", .features = {"stop_now"}) {
  site here(t, make({.workers = 2, .queue_capacity = 2}));
  here.shop.take(2, 6, 10ms);
  here.shop.plan(1, {.takes = 10ms, .cleanup = 5ms});
  here.start_range(1, 3);
  const auto stop = t.start("stop", here.stop_now());
  here.start_range(4, 6);
  co_await t.pass(10s);
  t.expect(stop.done(), "stop_now ends once the cancelled jobs have");
  here.expect_accounted();
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "beside a timeout", .features = {"job_timeout"},
               .why = "a job that has timed out and takes its time over that has not ended") {
  site here(t, make({.workers = 2}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 30ms});
  co_await here.submit(1, limited(20ms));
  const auto early = t.start("drain 1", here.drain());
  co_await t.pass(30ms);
  t.premise(here.shop.running() == 1 && here.shop.cancelled() == ids({1}),
            "a job has timed out, and cleans up");
  const auto late = co_await t.begin("drain 2", here.drain());
  t.expect(early.pending(), "a drain waits for a job that has timed out and cleans up");
  t.expect(late.pending() || was_refused(late), "so does one that comes while it cleans up");
  co_await t.pass(1s);
  t.expect(early.done() && (late.done() || was_refused(late)), "each drain ends once the job has");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stopped twice", .features = {"stop_now"},
               .why = "what the first stop has taken out of the queue is not there for the second") {
  site here(t, make({.workers = 1}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 10ms});
  here.shop.hold(2, 4);
  co_await here.start_in_turn(1, 4);
  const auto first = co_await t.begin("stop 1", here.stop_now());
  t.premise(here.shop.running() == 1, "a job cleans up when the second stop comes");
  const auto second = t.start("stop 2", here.stop_now());
  const auto drain = t.start("drain", here.drain());
  co_await t.pass(1s);
  t.expect(first.done() && (second.done() || was_refused(second)),
           "each stop ends once the cancelled jobs have");
  t.expect(drain.done() || was_refused(drain), "so does a drain beside them");
  here.expect_accounted();
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now beside a drain", .features = {"stop_now"},
               .why = "Who has waited long enough for the drain stops it.") {
  site here(t, make({.workers = 1}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 10ms});
  here.shop.take(2, 4, 10ms);
  co_await here.start_in_turn(1, 4);
  const auto drain = co_await t.begin("drain", here.drain());
  t.premise(here.shop.running() == 1 && drain.pending(), "a drain waits for a job");
  const auto stop = t.start("stop", here.stop_now());
  co_await t.pass(1s);
  t.expect(drain.done(), "the drain ends when the pool has been stopped");
  if (was_refused(stop)) co_return here.expect_ended();
  t.expect_eq(here.shop.cancelled(), ids({1}), "the job that the drain waited for is cancelled");
  if (t.expect(stop.done(), "the stop ends once it has"))
    t.expect_eq(sorted(ids_of(stop.value())), here.unstarted(), "the stop returns the unstarted jobs");
  t.expect_eq(here.shop.begun(), ids({1}), "a stop beside a drain lets no job begin");
  here.expect_accounted();
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now swept", .features = {"stop_now"}, .swept = true) {
  site here(t, make({.workers = 2}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 10ms});
  here.shop.hold(2, 4);
  co_await here.start_in_turn(1, 4);
  t.premise(here.shop.running() == 2, "both workers are busy when the pool is stopped");
  const auto stop = t.start("stop", here.stop_now());
  t.victim(stop);
  co_await t.pass(1s);
  t.expect(stop.done() || stop.cancelled(), "stop_now ends with a value or as cancelled");
  co_await here.drain_to_the_end();
  here.expect_accounted();
}

// ---- a drain with a deadline

ASSAY_CLAUSE(
    worker_pool, "WPL-5", must,
    "A drain has a deadline; when it passes, the drain becomes stop_now, and reports how many jobs were "
    "cancelled and how many had not begun.",
    .features = {"drain_deadline"}) {
  for (const nanoseconds patience : {20ms, 50ms}) {
    const int base = base_of(patience);
    site here(t, make({.workers = 2}));
    here.shop.takes(base + 1, patience - 5ms);
    here.shop.take(base + 2, base + 6, patience + 30ms);
    co_await here.start_in_turn(base + 1, base + 6);
    const auto drain = co_await t.begin("drain", here.drain_for(patience));
    co_await t.pass(patience - 1ms);
    t.expect(drain.pending(), "before its deadline the drain waits for the jobs");
    t.expect_eq(here.shop.cancelled(), ids(), "before the deadline of the drain no job is cancelled");
    const auto running = static_cast<std::size_t>(here.shop.running());
    t.premise(running > 0, "jobs run when the deadline comes");
    t.expect(running == 2 || here.waiting() == 0, "a worker that is free takes another job during the drain");
    co_await t.pass(2ms);
    const ids unstarted = here.unstarted();
    const ids& cancelled = here.shop.cancelled();
    t.expect(std::count(cancelled.begin(), cancelled.end(), base + 2) == 1,
             "at the deadline the running jobs are cancelled");
    t.expect_eq(cancelled.size(), running, "at the deadline the running jobs are cancelled");
    t.expect(drain.done(), "the drain ends once the cancelled jobs have");
    expect_report(t, drain, running, unstarted);
    here.expect_ended();
    co_await here.drain_to_the_end();
    t.expect_eq(here.unstarted(), unstarted, "a returned job is not executed");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "in time", .features = {"drain_deadline"}) {
  for (const nanoseconds patience : {31ms, 60ms}) {
    const int base = base_of(patience);
    site here(t, make({.workers = 3}));
    for (int i = 1; i <= 3; ++i) here.shop.takes(base + i, 10ms * i);
    co_await here.start_in_turn(base + 1, base + 3);
    t.premise(here.shop.running() == 3, "all jobs run when the drain starts");
    const auto drain = t.start("drain", here.drain_for(patience));
    co_await t.advance(30ms);
    t.expect(drain.pending(), "the drain waits for the last job");
    co_await t.settle();
    t.expect(drain.done(), "a drain that is done before its deadline does not wait for it");
    co_await t.advance(1s);
    expect_report(t, drain, 0, ids());
    t.expect_eq(sorted(here.shop.ended()), range(base + 1, base + 3), "every job is executed");
    t.expect_eq(here.shop.cancelled(), ids(), "a drain in time cancels no job");
  }
}

ASSAY_SCENARIO(
    worker_pool, "WPL-5", "as jobs begin", .features = {"drain_deadline"},
    .why = "a job that is about to begin counts once: as cancelled, or as one that had not begun") {
  int first = 1;
  for (const nanoseconds patience : {0ns, -1ns}) {
    site here(t, make({.workers = 2}));
    here.shop.hold(first, first + 2);
    here.start_range(first, first + 2);
    const auto drain = t.start("drain", here.drain_for(patience));
    co_await t.pass(1s);
    if (t.expect(drain.done(), "the drain ends once the cancelled jobs have")) {
      const worker_pool_report& report = drain.value();
      t.expect_eq(report.cancelled + report.unstarted, here.accepted().size(),
                  "each job that was accepted was cancelled, or had not begun");
    }
    co_await here.drain_to_the_end();
    here.expect_accounted();
    first += 3;
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "slow to stop", .features = {"drain_deadline", "lifetime"}) {
  site here(t, make({.workers = 1}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 40ms});
  co_await here.submit(1);
  co_await t.settle();
  const auto drain = t.start("drain", here.drain_for(10ms));
  co_await t.advance(50ms);
  t.expect_eq(here.shop.cancelled(), ids({1}), "at the deadline the running job is cancelled");
  t.premise(here.shop.running() == 1, "the cancelled job still cleans up");
  t.expect(drain.pending(), "the drain does not abandon a job that is slow to stop");
  co_await t.pass(1s);
  t.expect(drain.done(), "the drain ends once the cancelled jobs have");
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "swept", .features = {"drain_deadline"}, .swept = true) {
  site here(t, make({.workers = 2}));
  here.shop.plan(1, {.takes = 50ms, .cleanup = 5ms});
  here.shop.take(2, 4, 50ms);
  co_await here.start_in_turn(1, 4);
  t.premise(here.shop.running() == 2, "both workers are busy when the drain starts");
  const auto drain = t.start("drain", here.drain_for(20ms));
  t.victim(drain);
  co_await t.pass(10s);
  t.expect(drain.done() || drain.cancelled(), "the drain ends with a report or as cancelled");
  t.sometimes("the drain is cancelled", drain.cancelled());
  if (drain.done()) {
    t.expect_eq(drain.value().unstarted, here.unstarted().size(),
                "the report counts the jobs that had not begun");
  }
  co_await here.drain_to_the_end();
  here.expect_accounted();
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "extreme durations", .features = {"drain_deadline"}) {
  int id = 0;
  for (const nanoseconds patience : extreme_durations) {
    const std::string time = format_duration(patience);
    const bool endless = is_endless(patience);
    const int running = ++id;
    const int queued = ++id;
    site here(t, make({.workers = 1}));
    here.shop.takes(running, for_ever);
    co_await here.start_in_turn(running, queued);
    t.premise(here.shop.running() == 1, "a job runs when the drain starts");
    const auto drain = co_await t.begin("drain for " + time, here.pool->drain_for(patience));
    if (!has_passed(patience)) {
      t.expect(drain.pending(), "before its deadline the drain waits for the jobs: " + time);
      co_await t.pass(endless ? long_time : soon);
    }
    if (endless) t.expect(drain.pending(), "a drain without limit waits for the jobs");
    t.expect_eq(here.shop.cancelled(), endless ? ids() : ids({running}),
                "jobs are cancelled at the deadline, and not before: " + time);
    here.shop.release_all();
    co_await t.settle();
    t.expect(drain.done(), "the drain ends: " + time);
    expect_report(t, drain, endless ? 0 : 1, here.unstarted());
    co_await here.drain_to_the_end();
    here.expect_ended();
  }
}

// ---- jobs that hand in jobs

ASSAY_CLAUSE(worker_pool, "WPL-6", must,
             "Jobs that running jobs submit during a drain are refused, or drained too, as declared.",
             .features = {"nested_submit"}) {
  for (const int workers : {1, 2}) {
    const int base = workers * 100;
    site here(t, make({.workers = workers}));
    here.shop.plan(base + 1, {.takes = for_ever, .submits = base + 2});
    here.shop.takes(base + 2, 10ms);
    const bool drained = here.pool->drains_nested();
    co_await here.submit(base + 1);
    co_await t.settle();
    const auto drain = co_await t.begin("drain", here.pool->drain());
    t.premise(here.shop.running() == 1, "the job that hands in another runs");
    here.shop.release(base + 1);
    co_await t.pass(1s);
    t.expect(drain.done(), "the drain ends although a job handed in another");
    t.premise(here.shop.nested() != outcome_kind::pending, "the job has handed in another");
    const bool accepted = here.shop.nested() == outcome_kind::value;
    if (drained) {
      t.expect(accepted, "declared as drained: a running job can hand in another");
      t.expect_eq(here.shop.ended(), range(base + 1, base + 2),
                  "what was accepted during the drain is executed");
    } else {
      t.expect(!accepted, "declared as refused: a running job cannot hand in another during a drain");
      t.expect_eq(here.shop.begun(), ids({base + 1}), "what was refused during the drain is not executed");
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-6", "before a drain", .features = {"nested_submit"}) {
  site here(t, make({.workers = 1}));
  here.shop.plan(1, {.takes = 10ms, .submits = 2});
  co_await here.submit(1);
  co_await t.pass(1s);
  t.expect(here.shop.nested() == outcome_kind::value, "without a drain a running job can hand in another");
  t.expect_eq(here.shop.ended(), ids({1, 2}), "what a running job handed in is executed");
  co_await here.drain_to_the_end();
}

ASSAY_SCENARIO(worker_pool, "WPL-6", "swept", .features = {"nested_submit"}, .swept = true) {
  site here(t, make({.workers = 1}));
  here.shop.plan(1, {.takes = 10ms, .submits = 2});
  here.shop.takes(2, 10ms);
  co_await here.submit(1);
  const auto drain = t.start("drain", here.pool->drain());
  t.victim(drain);
  co_await t.pass(10s);
  co_await here.drain_to_the_end();
  t.premise(t.disturbed() || here.shop.nested() != outcome_kind::pending, "the job has handed in another");
  const bool accepted = here.shop.nested() == outcome_kind::value;
  if (accepted) here.also_accepted(2);
  here.expect_accounted();
  t.expect(accepted || !here.shop.has_begun(2),
           "a job that a job handed in is executed only if it was accepted");
}

// ---- the queue's bound

ASSAY_CLAUSE(worker_pool, "WPL-7", must,
             "The job queue is bounded as configured: a job is accepted at once while fewer than that wait "
             "for a worker, and when the queue is full, submit waits or is refused.",
             .features = {"bounded"}) {
  for (const int room : {1, 3}) {
    const int base = room * 100;
    site here(t, make({.workers = 1, .queue_capacity = room}));
    here.shop.hold(base + 1, base + room + 4);
    co_await here.start_in_turn(base + 1, base + room + 3);
    for (int i = 1; i <= room + 1; ++i) {
      t.expect(here.of(base + i).done(), "a submit is accepted while the queue has room");
    }
    t.premise(here.shop.has_begun(base + 1), "the first job runs, and the others wait for it");
    // Which of two goes on is X-13's question.
    const auto& one = here.of(base + room + 2);
    const auto& other = here.of(base + room + 3);
    for (const auto& beyond : {one, other}) {
      t.expect(beyond.pending() || was_refused(beyond), "a submit into a full queue waits or is refused");
    }
    const bool waited = one.pending() || other.pending();
    here.shop.release(base + 1);
    co_await t.pass(1s);
    t.expect(!waited || one.done() || other.done(),
             "when a job leaves the queue, a submit that waits is accepted");
    t.expect(!(one.done() && other.done()), "when one job leaves the queue, one submit is accepted");
    co_await here.drain_to_the_end();
    t.expect(has_ended_well(one) && has_ended_well(other),
             "a submit that waits for room ends when the pool drains");
    here.expect_executed();
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-7", "swept", .features = {"bounded"}, .swept = true) {
  site here(t, make({.workers = 1, .queue_capacity = 2}));
  here.shop.hold(1, 6);
  co_await here.start_in_turn(1, 3);
  t.expect_eq(here.accepted(), range(1, 3), "a submit is accepted while the queue has room");
  t.premise(here.shop.has_begun(1), "the first job runs, and the others wait for it");
  const auto fourth = here.start(4);
  t.victim(fourth);
  co_await t.settle();
  const auto fifth = here.start(5);
  co_await t.settle();
  const bool waits = fifth.pending();
  t.expect(here.accepted().size() <= 3, "at most as many jobs are accepted as have room");
  here.shop.release(1);
  co_await t.settle();
  t.expect(here.accepted().size() <= 4, "when one job leaves the queue, one submit is accepted");
  t.expect(!waits || here.accepted().size() == 4, "the room is given to a submit that waits");
  co_await here.drain_to_the_end();
  t.expect(has_ended_well(fourth) && has_ended_well(fifth),
           "a submit that waits for room ends when the pool drains");
  here.expect_executed(if_accepted);
}

// ---- starting and draining more than once

ASSAY_CLAUSE(
    worker_pool, "WPL-8", must,
    "To start a pool that runs, to drain one that drains or is drained, and to drain one that was "
    "not started is idempotent or refused; a drained pool that is started again accepts and executes again.",
    .features = {"restartable"}) {
  site here(t, make({.workers = 2}));
  here.shop.hold(1, 4);
  co_await here.start_in_turn(1, 4);
  t.premise(here.shop.running() == 2 && here.waiting() > 0, "both workers are busy, and jobs wait for them");
  for (int i = 0; i < 2; ++i) {
    try {
      here.pool->start();
    } catch (const contract::rejected_error&) {
      t.mark("the second start is refused");
    }
    co_await t.settle();
    t.expect_eq(here.shop.running(), 2, "to start twice does not double the workers");
  }
  co_await here.drain_to_the_end();
  for (int round = 0; round < 2; ++round) {
    const int first = 5 + 2 * round;
    here.shop.hold(first, first + 1);
    here.pool->start();
    co_await here.start_in_turn(first, first + 1);
    t.expect(here.of(first).done() && here.of(first + 1).done(),
             "a drained pool that is started again accepts jobs");
    t.expect_eq(here.shop.running(), 2, "a drained pool that is started again executes jobs");
    co_await here.drain_to_the_end();
    const auto late = here.start(20 + round);
    co_await t.settle();
    t.expect(was_refused(late), "after the next drain it refuses jobs again");
  }
  here.expect_executed();
  t.expect_eq(here.shop.peak(), 2, "never do more jobs run than there are workers");
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "drained twice", .features = {"restartable"}) {
  site here(t, make({.workers = 3}));
  for (int id = 1; id <= 3; ++id) here.shop.takes(id, 10ms * id);
  co_await here.start_in_turn(1, 3);
  const auto first = co_await t.begin("drain 1", here.drain());
  t.premise(here.shop.running() == 3, "jobs run when the second drain comes");
  const auto second = co_await t.begin("drain 2", here.drain());
  t.expect(second.pending() || was_refused(second), "a drain meets one under way: it waits or is refused");
  co_await t.advance(29ms);
  t.expect(first.pending(), "the first drain waits for the last job");
  co_await t.pass(1s);
  const auto third = t.start("drain 3", here.pool->drain());
  co_await t.pass(1s);
  t.expect(first.done(), "the first drain ends with a value");
  t.expect(second.done() || was_refused(second), "the second drain ends too, or is refused");
  t.expect(third.done() || was_refused(third), "a drain of a drained pool ends at once, or is refused");
  t.expect_eq(sorted(here.shop.ended()), range(1, 3), "every job is executed, once");
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "started late", .features = {"restartable"}) {
  for (const int workers : {1, 2}) {
    const int base = workers * 100;
    site here(t, make({.workers = workers, .started = false}));
    here.shop.hold(base + 1, base + workers);
    here.start_range(base + 1, base + workers);
    co_await t.pass(1s);
    t.expect_eq(here.shop.begun(), ids(), "before the start no job begins");
    t.premise(here.waiting() == workers, "jobs wait for the start");
    here.pool->start();
    co_await t.settle();
    t.expect_eq(here.shop.running(), workers, "with the start the jobs begin that wait for it");
    co_await here.drain_to_the_end();
    here.expect_executed();
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "drained before the start", .features = {"restartable"}) {
  site here(t, make({.workers = 1, .started = false}));
  here.start_range(1, 2);
  co_await t.pass(1s);
  t.premise(!here.accepted().empty(), "a pool that was not started has accepted a job");
  t.expect_eq(here.shop.begun(), ids(), "before the start no job begins");
  const auto drain = t.start("drain", here.pool->drain());
  co_await t.pass(1s);
  t.expect(drain.done() || was_refused(drain), "to drain a pool that was not started ends, or is refused");
  if (was_refused(drain)) {
    here.pool->start();
    co_await here.drain_to_the_end();
  }
  here.expect_accounted();
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "swept", .features = {"restartable"}, .swept = true) {
  site here(t, make({.workers = 2}));
  here.shop.take(1, 3, 10ms);
  co_await here.start_in_turn(1, 3);
  t.premise(here.shop.running() == 2, "jobs run when the drains come");
  const auto first = t.start("drain 1", here.drain());
  t.victim(first);
  co_await t.settle();
  const auto second = t.start("drain 2", here.drain());
  co_await t.pass(10s);
  t.expect(second.done() || was_refused(second), "the second drain ends too, or is refused");
  co_await here.drain_to_the_end();
  here.expect_accounted();
}

// ---- a drainer that gives up

ASSAY_CLAUSE(
    worker_pool, "WPL-9", must,
    "Cancelling whoever drains abandons neither workers nor jobs: accepted jobs are still executed or "
    "returned, and the pool can be drained to its end.") {
  for (const nanoseconds when : {5ms, 25ms}) {
    const int base = base_of(when);
    site here(t, make({.workers = 1}));
    here.shop.take(base + 1, base + 5, 30ms);
    here.start_range(base + 1, base + 5);
    co_await t.settle();
    const auto drain = t.start("drain", here.pool->drain());
    co_await t.advance(when);
    t.premise(here.shop.running() > 0, "a job runs when the drain is cancelled");
    drain.cancel();
    co_await t.pass(10s);
    t.expect(drain.ended(), "a cancelled drain ends");
    t.expect(drain.cancelled() || drain.done(), "a cancelled drain ends as cancelled, or with a value");
    here.expect_accounted();
    t.expect_eq(here.shop.running(), 0, "no job is left running");
    co_await here.drain_to_the_end();
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-9", "swept", .swept = true) {
  site here(t, make({.workers = 2}));
  here.shop.take(1, 4, 10ms);
  here.start_range(1, 4);
  co_await t.settle();
  t.premise(here.shop.running() > 0, "jobs run when the drain starts");
  const auto drain = t.start("drain", here.pool->drain());
  t.victim(drain);
  co_await t.pass(10s);
  t.sometimes("the drain is cancelled", drain.cancelled());
  here.expect_accounted();
  co_await here.drain_to_the_end();
}

// ---- a job's own time

ASSAY_CLAUSE(worker_pool, "WPL-10", must,
             "A per-job timeout ends the job as timed out, frees its worker and leaves the others alone.",
             .features = {"job_timeout"}) {
  for (const nanoseconds timeout : {20ms, 50ms}) {
    const int base = base_of(timeout);
    site here(t, make({.workers = 2}));
    here.shop.takes(base + 1, for_ever);
    here.shop.takes(base + 2, timeout + 20ms);
    here.shop.takes(base + 3, timeout - 1ms);
    here.start(base + 1, limited(timeout));
    here.start(base + 2);
    co_await t.settle();
    t.premise(here.shop.running() == 2, "both workers are busy when the third job comes");
    const auto third = here.start(base + 3, limited(timeout));
    co_await t.settle();
    const bool refused = was_refused(third);
    co_await t.pass(timeout - 1ms);
    t.expect_eq(here.shop.cancelled(), ids(), "before its timeout a job is left alone");
    t.premise(!here.shop.has_begun(base + 3), "the third job waits for a worker");
    co_await t.pass(2ms);
    t.expect_eq(here.shop.cancelled(), ids({base + 1}), "at its timeout the job is cancelled, and no other");
    t.expect(refused || here.shop.has_begun(base + 3), "the timeout frees the worker for the next job");
    co_await t.pass(10s);
    t.expect_eq(here.shop.cancelled(), ids({base + 1}),
                "jobs that end before their timeout are not cancelled");
    if (make.claims("handles")) {
      const auto first = co_await here.outcome_of(base + 1);
      t.expect(first.kind == outcome_kind::timed_out, "the job has ended as timed out");
      for (int id = base + 2; id <= base + 3; ++id) {
        if (!here.of(id).done()) continue;
        const auto other = co_await here.outcome_of(id);
        t.expect(other.kind == outcome_kind::value, "the other jobs have ended with a value");
      }
    }
    co_await here.drain_to_the_end();
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "swept", .features = {"job_timeout"}, .swept = true) {
  site here(t, make({.workers = 1}));
  here.shop.hold(1, 2);
  here.shop.takes(3, 10ms);
  co_await here.submit(1, limited(20ms));
  const auto second = here.start(2, limited(20ms));
  t.victim(second);
  const auto third = here.start(3);
  co_await t.pass(10s);
  t.expect_eq(here.shop.cancelled().size(), second.done() ? 2U : 1U,
              "a job that is timed is cancelled, once");
  here.expect_ended();
  t.expect_eq(third.done(), here.shop.has_begun(3),
              "a submit is accepted if and only if its job is executed");
  co_await here.drain_to_the_end();
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "slow to stop", .features = {"job_timeout"},
               .why = "a job that was asked to stop and takes its time over that still has its worker") {
  for (const int workers : {1, 2}) {
    const int base = workers * 100;
    site here(t, make({.workers = workers}));
    for (int i = 1; i <= workers; ++i) here.shop.plan(base + i, {.takes = for_ever, .cleanup = 40ms});
    here.shop.hold(base + workers + 1, base + 2 * workers);
    for (int i = 1; i <= workers; ++i) here.start(base + i, limited(20ms));
    co_await t.settle();
    here.start_range(base + workers + 1, base + 2 * workers);
    co_await t.pass(59ms);
    t.premise(here.shop.running() >= workers && !here.shop.cancelled().empty(),
              "jobs that have timed out clean up");
    t.expect_eq(here.shop.running(), workers,
                "a job that has timed out keeps its worker until it has stopped");
    const int next = std::min(here.waiting(), workers);
    co_await t.pass(2ms);
    t.expect_eq(here.shop.running(), next,
                "a job that has timed out and stopped frees its worker for the next job");
    co_await here.drain_to_the_end();
    here.expect_executed();
  }
}

// A job that ends in time, and one that its worker takes then, with a time of its own or without one.
asio::awaitable<void> try_next(trial& t, made_subject<worker_pool> made, int first, bool fails,
                               nanoseconds timeout) {
  site here(t, std::move(made));
  here.shop.takes(first, 10ms);
  if (fails) here.shop.fails(first);
  here.shop.hold(first + 1, first + 2);
  co_await here.submit(first, limited(20ms));
  const auto waits = here.start(first + 1, limited(timeout));
  co_await t.pass(10ms);
  int next = first + 1;
  // Who refuses while every worker is busy has a free one now.
  if (was_refused(waits)) co_await here.submit(++next, limited(timeout));
  co_await t.settle();
  t.premise(here.shop.has_begun(next), "the next job has begun before the timeout of the first is over");
  co_await t.pass(29ms);
  t.expect_eq(here.shop.cancelled(), ids(),
              "a timeout ends with its job, and leaves alone what its worker takes next");
  co_await t.pass(2ms);
  t.expect_eq(here.shop.cancelled(), timeout == 0ns ? ids() : ids({next}),
              "the next job has its own timeout, counted from its own beginning");
  co_await here.drain_to_the_end();
  here.expect_executed();
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "ends with its job", .features = {"job_timeout"},
               .why = "what is left of a job's timeout is nothing to the next one") {
  int first = 1;
  for (const bool fails : {false, true}) {
    for (const nanoseconds timeout : {0ms, 30ms}) {
      co_await try_next(t, make({.workers = 1}), first, fails, timeout);
      first += 3;
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "told at its end", .features = {"job_timeout", "handles"},
               .why = "a job that has timed out and cleans up has not ended yet") {
  site here(t, make({.workers = 2}));
  here.shop.plan(1, {.takes = for_ever, .cleanup = 30ms});
  here.shop.plan(2, {.takes = for_ever, .cleanup = 40ms});
  for (const int id : {1, 2}) co_await here.submit(id, limited(20ms));
  co_await t.settle();
  const auto early = co_await t.begin("outcome of 1", here.pool->outcome(1));
  co_await t.pass(30ms);
  const auto late = co_await t.begin("outcome of 2", here.pool->outcome(2));
  t.premise(here.shop.running() == 2 && here.shop.cancelled().size() == 2,
            "two jobs have timed out, and clean up");
  constexpr std::string_view not_yet =
      "while a job cleans up that has timed out, nobody is told how it has ended";
  t.expect(early.pending(), not_yet);
  t.expect(late.pending(), not_yet);
  co_await t.pass(20ms);
  t.expect(early.timed_out(), "whoever asks is told of the timeout when the job has ended");
  t.expect(late.pending(), not_yet);
  co_await t.pass(10ms);
  t.expect(late.timed_out(), "whoever asks is told of the timeout when the job has ended");
  co_await here.drain_to_the_end();
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "extreme durations", .features = {"job_timeout"}) {
  int id = 0;
  for (const nanoseconds timeout : extreme_durations) {
    const std::string time = format_duration(timeout);
    const bool endless = is_endless(timeout) || timeout == 0ns;  // 0 is for ever
    site here(t, make({.workers = 1}));
    here.shop.takes(++id, for_ever);
    co_await here.submit(id, limited(timeout));
    co_await t.settle();
    t.expect_eq(here.shop.begun(), ids({id}), "a job begins, whatever its timeout: " + time);
    if (endless || !has_passed(timeout)) {
      t.expect_eq(here.shop.cancelled(), ids(), "before its timeout a job is left alone: " + time);
      co_await t.pass(endless ? long_time : soon);
    }
    t.expect_eq(here.shop.cancelled(), endless ? ids() : ids({id}),
                "at its timeout the job is cancelled, and not before: " + time);
    co_await here.drain_to_the_end();
    if (make.claims("handles")) {
      const auto end = co_await here.outcome_of(id);
      t.expect(end.kind == (endless ? outcome_kind::value : outcome_kind::timed_out),
               "the job ends as timed out if its timeout has passed: " + time);
    }
  }
}

// ---- more workers, fewer workers

ASSAY_CLAUSE(worker_pool, "WPL-11", must,
             "Scaling the number of workers up takes effect at once, down as workers finish; no job is lost.",
             .features = {"scaling"}) {
  site here(t, make({.workers = 1}));
  here.shop.hold(1, 20);
  co_await here.start_in_turn(1, 12);
  t.premise(here.shop.running() == 1, "the one worker is busy");
  int given = 13;
  for (const int more : {2, 4}) {
    here.pool->scale_to(more);
    co_await t.settle();
    // Who refuses while every worker is busy has no job left to begin.
    for (int i = 0; i < more && here.waiting() == 0; ++i, ++given) {
      co_await here.start_in_turn(given, given);
    }
    t.expect_eq(here.shop.running(), more, "scaling up takes effect at once");
  }
  here.pool->scale_to(2);
  co_await t.pass(1s);
  t.expect_eq(here.shop.cancelled(), ids(), "scaling down cancels no job");
  t.expect_eq(here.shop.running(), 4, "scaling down lets the running jobs go on");
  for (int ended = 1; ended <= 4; ++ended) {
    const int next = std::min(here.waiting(), 1);
    const int left = here.shop.running() - 1;
    here.shop.release_one();
    co_await t.settle();
    t.expect_eq(here.shop.running(), left >= 2 ? left : left + next,
                "after scaling down, workers that finish are not replaced");
  }
  here.shop.forget_peak();
  co_await here.drain_to_the_end();
  t.expect(here.shop.peak() <= 2, "after scaling down, no more jobs run than there are workers");
  here.expect_executed("no job is lost, and none is executed twice");
}

ASSAY_SCENARIO(worker_pool, "WPL-11", "swept", .features = {"scaling", "bounded"}, .swept = true) {
  site here(t, make({.workers = 3, .queue_capacity = 2}));
  here.shop.take(1, 8, 10ms);
  here.start_range(1, 8);
  t.victim(here.of(7));
  co_await t.advance(5ms);
  t.premise(here.shop.running() > 1, "several jobs run when there is to be one worker");
  here.pool->scale_to(1);
  co_await t.advance(10ms);
  here.pool->scale_to(2);
  co_await t.pass(10s);
  co_await here.drain_to_the_end();
  here.expect_executed("no accepted job is lost, and none is executed twice");
}

// ---- urgency

constexpr std::string_view in_order =
    "the most urgent job begins first, equals in the order in which they were accepted";

ASSAY_CLAUSE(
    worker_pool, "WPL-12", must,
    "With priorities, of the queued jobs a most urgent one begins next; equals begin in the order in which "
    "they were accepted (PRQ-1).",
    .features = {"priorities"}) {
  site here(t, make({.workers = 1}));
  here.shop.take(1, 10, 10ms);
  co_await here.submit(1);
  co_await t.settle();
  t.premise(here.shop.running() == 1, "the worker is busy, so that the others wait");
  int id = 1;
  for (const int urgency : {0, 1, 1, 0, 2, -1, 1, 2, 0}) co_await here.submit(++id, urgent(urgency));
  co_await t.advance(45ms);
  co_await here.submit(11, urgent(2));
  co_await t.pass(10s);
  t.expect_eq(here.shop.begun(), ids({1, 6, 9, 3, 4, 11, 8, 2, 5, 10, 7}), in_order);
  co_await here.drain_to_the_end();
}

ASSAY_SCENARIO(worker_pool, "WPL-12", "swept", .features = {"priorities"}, .swept = true) {
  site here(t, make({.workers = 1}));
  here.shop.take(1, 6, 10ms);
  co_await here.submit(1);
  co_await t.settle();
  t.premise(here.shop.running() == 1, "the worker is busy, so that the others wait");
  for (int id = 2; id <= 6; ++id) {
    const auto submit = here.start(id, urgent(id % 2));
    if (id == 3) t.victim(submit);
    co_await t.settle();
  }
  ids expected = here.accepted();
  co_await t.pass(10s);
  std::sort(expected.begin(), expected.end(),
            [](int a, int b) { return a % 2 != b % 2 ? a % 2 > b % 2 : a < b; });
  t.expect_eq(here.shop.begun(), expected, in_order);
  co_await here.drain_to_the_end();
}

// ---- what holds for every pattern

ASSAY_SCENARIO(worker_pool, "X-1", "", .swept = true) {
  site here(t, make({.workers = 1, .queue_capacity = 1}));
  here.shop.take(1, 5, 20ms);
  std::vector<operation<void>> calls;
  for (int id = 1; id <= 5; ++id) calls.push_back(here.start(id));
  t.victim(calls[3]);
  co_await t.advance(15ms);
  t.premise(here.shop.running() > 0, "a job runs when the drains come");
  for (int i = 1; i <= 2; ++i) calls.push_back(t.start("drain " + std::to_string(i), here.pool->drain()));
  co_await t.pass(10s);
  for (const auto& call : calls) {
    t.expect(has_ended_well(call), "every call ends, with one outcome");
    t.expect(!call.cancelled() || call.name() == "submit 4", "only a cancelled call ends as cancelled");
  }
}

ASSAY_SCENARIO(worker_pool, "X-1", "outcomes of a stopped pool", .features = {"stop_now", "handles"},
               .why = "a job that is not executed has ended as well") {
  site here(t, make({.workers = 2}));
  here.shop.hold(1, 6);
  co_await here.start_in_turn(1, 6);
  std::vector<operation<void>> asking;
  const ids asked_before = here.accepted();
  for (const int id : asked_before) {
    if (id % 2 == 0) asking.push_back(t.start("outcome of " + std::to_string(id), here.pool->outcome(id)));
  }
  co_await t.settle();
  t.premise(here.shop.running() > 0 && !here.unstarted().empty(),
            "jobs run, and others wait, when the pool is stopped");
  const auto stop = t.start("stop", here.pool->stop_now());
  co_await t.pass(1s);
  t.expect(stop.done(), "stop_now ends once the cancelled jobs have");
  for (const int id : asked_before) {
    if (id % 2 != 0) asking.push_back(t.start("outcome of " + std::to_string(id), here.pool->outcome(id)));
  }
  co_await t.settle();
  for (const auto& one : asking) {
    t.expect(one.ended(), "whoever asks for the outcome of a job that was stopped, or returned, is told");
    t.expect(one.cancelled() || was_refused(one), "such a job has neither a value nor a failure");
  }
  co_await here.drain_to_the_end();
}

ASSAY_SCENARIO(worker_pool, "X-4", "", .features = {"bounded"}, .swept = true) {
  site here(t, make({.workers = 1, .queue_capacity = 1}));
  here.shop.hold(1, 5);
  co_await here.start_in_turn(1, 2);
  t.premise(here.shop.has_begun(1), "the first job runs, and the others wait for it");
  const auto parked = here.start(3);
  t.victim(parked);
  co_await t.settle();
  const auto next = here.start(4);
  co_await t.settle();
  const bool waits = next.pending();
  here.shop.release(1);
  co_await t.cancel(parked);
  t.expect(has_ended_well(parked), "a cancelled submit ends");
  t.expect(!waits || parked.done() || next.done(), "a cancelled submit passes the room on to the next one");
  co_await here.drain_to_the_end();
  here.expect_executed(if_accepted);
}

ASSAY_SCENARIO(worker_pool, "X-13", "", .features = {"bounded", "fair"}) {
  site here(t, make({.workers = 1, .queue_capacity = 1}));
  here.shop.hold(1, 7);
  co_await here.start_in_turn(1, 5);
  t.premise(here.of(3).pending() && here.of(5).pending(), "submits into a full queue wait in line");
  for (int ended = 1; ended <= 3; ++ended) {
    here.shop.release_one();  // whichever runs: the pool need not begin its jobs in this order
    const auto newcomer = here.start(10 + ended);
    co_await t.pass(1s);
    t.expect(here.of(ended + 2).done(), "submits that wait are served in the order they came");
    t.expect(newcomer.pending(), "a newcomer does not overtake a submit that waits");
  }
  co_await here.drain_to_the_end();
  here.expect_ended();
}

ASSAY_SCENARIO(worker_pool, "X-15", "") {
  site here(t, make({.workers = 2}));
  here.shop.take(3, 6, 10ms);
  for (int id = 1; id <= 6; ++id) here.shop.fails(id);
  here.start_range(1, 6);
  co_await t.settle();
  t.premise(!here.accepted().empty(), "jobs that fail were accepted");
  const auto drain = t.start("drain", here.pool->drain());
  co_await t.pass(10s);
  t.expect(drain.ended(), "a drain ends when every job has");
  here.expect_ended();
  if (drain.failed()) t.mark("the drain tells of failures");
  if (make.claims("handles")) {
    for (int id = 1; id <= 3; ++id) {
      if (here.of(id).done()) co_await here.expect_thrown(id, "the handle tells what its job threw");
    }
  }
  here.pool.reset();  // the failures of jobs that nobody asked for reach the hook by now
  co_await t.settle();
  for (const int id : here.accepted()) {
    t.expect_eq(t.times_observed("job " + std::to_string(id)), 1U, "every failure is observed exactly once");
  }
}

ASSAY_SCENARIO(worker_pool, "X-19", "", .features = {"lifetime"}, .swept = true) {
  site here(t, make({.workers = 2}));
  here.shop.take(1, 4, 10ms);
  here.start_range(1, 4);
  co_await t.settle();
  t.premise(here.shop.running() > 0, "jobs run when the drains start");
  t.victim(t.start("drain", here.pool->drain()));
  const auto look = t.start("drain and look", drain_and_look(t, *here.pool));
  co_await t.pass(10s);
  t.expect(look.done(), "the drain ends");
  here.pool.reset();
}

ASSAY_SCENARIO(worker_pool, "X-27", "", .features = {"bounded"}) {
  for (const int capacity : {2, 5}) {
    const int base = capacity * 1000;
    site here(t, make({.workers = 2, .queue_capacity = capacity}));
    here.shop.take(base + 1, base + 40, 10ms);
    here.start_range(base + 1, base + 40);
    for (int i = 0; i < 10; ++i) {
      co_await t.settle();
      t.premise(i > 0 || !here.unstarted().empty(), "jobs wait in the queue");
      t.expect(here.unstarted().size() <= static_cast<std::size_t>(capacity),
               "the queue holds no more jobs than it is configured to");
      co_await t.advance(10ms);
    }
    co_await t.pass(10s);
    for (int id = base + 1; id <= base + 40; ++id)
      t.expect(here.of(id).done() || was_refused(here.of(id)), "every submit ends");
    co_await here.drain_to_the_end();
  }
}

// The loop is kept from running while time passes over all that is due: nothing of it can be called off any more.

ASSAY_SCENARIO(worker_pool, "X-31", "timeout", .features = {"job_timeout"}, .late = true,
               .why = "the end of a job and its timeout are due together") {
  int first = 1;
  for (const nanoseconds takes : {10ms, 11ms}) {
    site here(t, make({.workers = 1}));
    here.shop.takes(first, takes);
    here.shop.takes(first + 1, 20ms);
    co_await here.submit(first, limited(21ms - takes));
    here.start(first + 1);
    const auto bystander = t.start("another timer", sleep_for(12ms));
    co_await t.pass(1s);
    const ids& cancelled = here.shop.cancelled();
    t.expect(cancelled.empty() || cancelled == ids({first}), "a timeout stops its own job, or nobody");
    t.expect(bystander.done(), "whoever else waits is not disturbed");
    if (make.claims("handles")) {
      const outcome told = co_await here.outcome_of(first);
      t.expect(told.kind != outcome_kind::value || cancelled.empty(),
               "a job that was asked to stop about its timeout has not ended well");
    }
    co_await here.drain_to_the_end();
    here.expect_executed();
    first += 2;
  }
}

ASSAY_SCENARIO(worker_pool, "X-31", "drain", .features = {"drain_deadline"}, .late = true,
               .why = "the end of the last job and the deadline of the drain are due together") {
  int id = 0;
  for (const nanoseconds takes : {10ms, 11ms}) {
    site here(t, make({.workers = 1}));
    here.shop.takes(++id, takes);
    co_await here.submit(id);
    co_await t.settle();
    t.premise(here.shop.running() == 1, "a job runs when the drain starts");
    const auto drain = t.start("drain", here.pool->drain_for(21ms - takes));
    const auto bystander = t.start("another timer", sleep_for(12ms));
    co_await t.pass(1s);
    const outcome how = drain.what();
    t.expect(how.kind == outcome_kind::value, "a drain ends with a report, however late the loop is",
             to_string(how));
    t.expect(bystander.done(), "whoever else waits is not disturbed");
    co_await here.drain_to_the_end();
  }
}

ASSAY_SCENARIO(worker_pool, "X-31", "timeouts and drain", .features = {"job_timeout", "drain_deadline"},
               .late = true, .why = "the timeouts of jobs and the deadline of the drain are due together") {
  int first = 1;
  for (const nanoseconds timeout : {10ms, 11ms}) {
    site here(t, make({.workers = 2}));
    here.shop.hold(first, first);
    here.shop.plan(first + 1, {.takes = for_ever, .cleanup = 5ms});
    for (const int id : {first, first + 1}) co_await here.submit(id, limited(timeout));
    co_await t.settle();
    t.premise(here.shop.running() == 2, "jobs run when the drain starts");
    const auto drain = t.start("drain", here.pool->drain_for(21ms - timeout));
    const auto bystander = t.start("another timer", sleep_for(12ms));
    co_await t.pass(1s);
    t.expect_eq(sorted(here.shop.cancelled()), sorted(here.shop.begun()),
                "every job that has begun is asked to stop, however late the loop is");
    t.expect(drain.done(), "a drain ends with a report, however late the loop is", to_string(drain.what()));
    t.expect(bystander.done(), "whoever else waits is not disturbed");
    co_await here.drain_to_the_end();
    first += 2;
  }
}

}  // namespace assay
