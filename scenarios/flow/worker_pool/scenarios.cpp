// The clauses of worker_pool, each beside the scenario that checks it.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <exception>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/harness/trial/trial.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;
using assay::item;
using assay::item_state;
using assay::operation;
using assay::outcome_kind;
using assay::trial;
using assay::contract::worker_pool;
using assay::contract::worker_pool_request;
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
  explicit workshop(trial& t) : t_(&t) {}

  // Kept for the trial: a scenario that fails half way leaves jobs running.
  static std::shared_ptr<workshop> open(trial& t) {
    auto shop = std::make_shared<workshop>(t);
    t.keep(shop);
    return shop;
  }

  // Has the pool execute its jobs here.
  void serve(worker_pool& pool) {
    pool_ = &pool;
    worker_pool::callbacks outside;
    outside.run = [this](int id) { return execute(id); };
    pool.connect(std::move(outside));
  }

  void plan(int id, job_plan what) { plans_[id] = std::move(what); }
  void takes(int id, nanoseconds how_long) { plans_[id].takes = how_long; }
  void hold(int id) { takes(id, for_ever); }
  void fails(int id, std::string label) { plans_[id].fails = std::move(label); }

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
  bool was_cancelled(int id) const {
    return std::find(cancelled_.begin(), cancelled_.end(), id) != cancelled_.end();
  }
  void forget_peak() noexcept { peak_ = running_; }
  // How the submit of a job that another job handed in ended; pending if it was never made.
  outcome_kind nested() const noexcept { return nested_; }

 private:
  // Counts a job for as long as it runs: a request that comes as its work ends makes the next co_await throw.
  class attendance {
   public:
    attendance(workshop& shop, int id) : shop_(shop), id_(id) {
      const assay::detail::harness_section section;  // our own books
      shop_.begun_.push_back(id);
      shop_.peak_ = std::max(shop_.peak_, ++shop_.running_);
    }
    attendance(const attendance&) = delete;
    attendance& operator=(const attendance&) = delete;
    ~attendance() {
      const assay::detail::harness_section section;
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
    std::exception_ptr cancellation;
    try {
      co_await work(id, what.takes);
    } catch (...) {
      cancellation = std::current_exception();
    }
    if (cancellation) {
      cancelled_.push_back(id);
      // Goes on whatever is asked of it, and leaves the cancellation state as it was.
      const bool throwing = co_await asio::this_coro::throw_if_cancelled();
      co_await asio::this_coro::throw_if_cancelled(false);
      if (what.cleanup > 0ns) co_await assay::shield(sleep(what.cleanup));
      co_await asio::this_coro::throw_if_cancelled(throwing);
    } else if (what.submits != 0) {
      co_await submit_another(id, what.submits);
    }
    if (cancellation) std::rethrow_exception(cancellation);
    if (!what.fails.empty()) t_->raise(what.fails);
  }

  asio::awaitable<void> work(int id, nanoseconds how_long) {
    asio::steady_timer timer(co_await asio::this_coro::executor);
    if (how_long == for_ever) {
      timer.expires_at(asio::steady_timer::time_point::max());
    } else {
      timer.expires_after(how_long);
    }
    timers_[id] = &timer;
    std::exception_ptr failure;
    try {
      co_await timer.async_wait(asio::use_awaitable);
    } catch (...) {
      failure = std::current_exception();
    }
    const bool released = timers_.erase(id) == 0;
    if (failure && !released) std::rethrow_exception(failure);
  }

  static asio::awaitable<void> sleep(nanoseconds how_long) {
    asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
    co_await timer.async_wait(asio::use_awaitable);
  }

  asio::awaitable<void> submit_another(int parent, int id) {
    std::exception_ptr failure;
    try {
      co_await pool_->submit_from_job(parent, t_->item(id));
    } catch (...) {
      failure = std::current_exception();
    }
    nested_ = assay::describe(failure).kind;
  }

  trial* t_;
  worker_pool* pool_ = nullptr;
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

ids sorted(ids some) {
  std::sort(some.begin(), some.end());
  return some;
}

ids ids_of(const std::vector<item>& items) {
  ids all;
  for (const item& one : items) all.push_back(one.id());
  return all;
}

bool was_refused(const operation<void>& submit) { return submit.closed() || submit.rejected(); }

// Ended in one of the ways in which a submit or a drain may end.
bool has_ended_well(const operation<void>& call) {
  return call.done() || call.cancelled() || was_refused(call);
}

// The submits of a scenario, by job. Who does not claim `bounded` may accept a job at once, only when a worker takes
// it, or not at all while every worker is busy. So a submit is an operation in flight, and what it came to is looked
// at afterwards.
class submits {
 public:
  submits(trial& t, worker_pool& pool) : t_(&t), pool_(&pool) {}

  operation<void> start(int id) {
    const worker_pool_request plain;
    return start(id, plain);
  }
  operation<void> start(int id, const worker_pool_request& how) {
    auto call = t_->start("submit " + std::to_string(id), pool_->submit(t_->item(id), how));
    all_.emplace(id, call);
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

  const operation<void>& of(int id) const { return all_.at(id); }
  ids accepted() const {
    ids those;
    for (const auto& [id, call] : all_) {
      if (call.done()) those.push_back(id);
    }
    return those;
  }
  // Accepted and not executed so far.
  ids unstarted(const workshop& shop) const {
    ids those = accepted();
    std::erase_if(those, [&shop](int id) { return shop.has_begun(id); });
    return those;
  }
  // Jobs that a worker could take: those, and those whose submit still waits.
  int waiting(const workshop& shop) const {
    const auto parked =
        std::count_if(all_.begin(), all_.end(), [](const auto& one) { return one.second.pending(); });
    return static_cast<int>(unstarted(shop).size()) + static_cast<int>(parked);
  }
  void expect_ended() const {
    for (const auto& [id, call] : all_)
      t_->expect(has_ended_well(call), "a submit is accepted, cancelled or refused");
  }

 private:
  trial* t_;
  worker_pool* pool_;
  std::map<int, operation<void>> all_;
};

// Every job that was accepted has been executed or returned, and no other has.
void expect_accounted(trial& t, const workshop& shop, const ids& accepted) {
  for (const int id : accepted) {
    const bool executed = shop.has_begun(id);
    const bool returned = t.items().state(id) == item_state::returned;
    t.expect(executed || returned, "an accepted job is executed or returned: " + std::to_string(id));
    t.expect(!(executed && returned), "no job is both executed and returned: " + std::to_string(id));
  }
}

// Drains, with everything held released: a drain that does not end is the subject's fault.
asio::awaitable<void> drain_to_the_end(trial& t, worker_pool& pool, workshop& shop) {
  shop.release_all();
  auto drain = t.start("last drain", pool.drain());
  co_await t.advance(100s);
  co_await t.settle();
  t.expect(drain.ended(), "a drain ends when every job has");
  t.expect(drain.done() || was_refused(drain), "a drain ends with a value, or is refused");
  t.expect_eq(shop.running(), 0, "no job runs after the drain");
}

// Asks for the outcome of a job; on subjects without handles the error hook has it.
asio::awaitable<assay::outcome> outcome_of(trial& t, worker_pool& pool, int id) {
  auto asked = t.start("outcome of " + std::to_string(id), pool.outcome(id));
  co_await t.settle();
  t.expect(asked.ended(), "the outcome of a job that has ended is there");
  co_return asked.what();
}

// Drains, and looks at what is left of the jobs in the very turn in which the drain has ended.
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
    "only "
    "when a worker takes it, is the pool's own choice unless it claims `bounded`.") {
  for (const std::int64_t workers : {1, 3}) {
    const int base = static_cast<int>(workers) * 100;
    auto shop = workshop::open(t);
    for (int i = 1; i <= 5; ++i) shop->takes(base + i, 10ms);
    auto pool = make({.workers = workers});
    shop->serve(*pool);
    submits handed(t, *pool);
    handed.start_range(base + 1, base + 5);
    co_await t.settle();
    auto drain = t.start("drain", pool->drain());
    co_await t.settle();
    auto late = t.start("submit while draining", pool->submit(t.item(base + 6)));
    co_await t.settle();
    t.expect(was_refused(late), "a submit after the drain has started is refused");
    co_await t.advance(10s);
    co_await t.settle();
    t.expect(drain.done(), "the drain ends");
    handed.expect_ended();
    t.expect_eq(sorted(shop->begun()), handed.accepted(), "every accepted job is executed, once");
    auto later = t.start("submit after the drain", pool->submit(t.item(base + 7)));
    co_await t.advance(10s);
    co_await t.settle();
    t.expect(was_refused(later), "a submit after the drain is refused");
    t.expect_eq(shop->begun().size(), handed.accepted().size(), "a refused job is not executed");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-1", "swept", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 4; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 1, .queue_capacity = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  co_await t.settle();
  std::vector<operation<void>> submits;
  for (int id = 2; id <= 4; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  t.victim(submits[1]);
  co_await t.advance(10s);
  co_await t.settle();
  co_await drain_to_the_end(t, *pool, *shop);
  ids accepted = {1};
  for (int id = 2; id <= 4; ++id) {
    const auto& submit = submits[static_cast<std::size_t>(id) - 2];
    t.expect(submit.ended(), "a submit ends");
    if (submit.done()) {
      accepted.push_back(id);
    } else {
      t.expect(submit.cancelled() || was_refused(submit), "a submit is accepted, cancelled or refused");
    }
    t.sometimes("a submit is cancelled", submit.cancelled());
  }
  t.expect_eq(sorted(shop->begun()), accepted,
              "a job is executed, once, if and only if its submit was accepted");
}

ASSAY_SCENARIO(worker_pool, "WPL-1", "drain meets submit") {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 5; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 1, .queue_capacity = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  std::vector<operation<void>> submits;
  for (int id = 2; id <= 3; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  auto drain = t.start("drain", pool->drain());
  for (int id = 4; id <= 5; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(drain.done(), "the drain ends");
  ids accepted = {1};
  for (std::size_t i = 0; i < submits.size(); ++i) {
    t.expect(has_ended_well(submits[i]), "a submit ends when the pool drains");
    if (submits[i].done()) accepted.push_back(static_cast<int>(i) + 2);
  }
  t.expect_eq(sorted(shop->begun()), accepted,
              "a job is executed, once, if and only if its submit was accepted");
}

// ---- how many run

ASSAY_CLAUSE(worker_pool, "WPL-2", must, "At most N jobs run at once; all N can run at once.") {
  for (const std::int64_t workers : {1, 3}) {
    const int count = static_cast<int>(workers);
    const int base = count * 100;
    auto shop = workshop::open(t);
    for (int i = 1; i <= 2 * count + 1; ++i) shop->hold(base + i);
    auto pool = make({.workers = workers});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(base + 1, base + 2 * count + 1);
    t.expect_eq(shop->running(), count, "with enough jobs, as many run as there are workers");
    const int next = std::min(handed.waiting(*shop), 1);
    shop->release_one();
    co_await t.settle();
    t.expect_eq(shop->running(), count - 1 + next, "when a job ends, the next one begins");
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect_eq(shop->peak(), count, "never do more jobs run than there are workers");
    handed.expect_ended();
    t.expect_eq(sorted(shop->begun()), handed.accepted(), "every accepted job is executed, once");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-2", "swept", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 7; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2, .queue_capacity = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  handed.start_range(1, 7);
  t.victim(handed.of(5));
  co_await t.advance(10s);
  co_await t.settle();
  handed.expect_ended();
  co_await drain_to_the_end(t, *pool, *shop);
  t.expect_eq(sorted(shop->begun()), handed.accepted(), "every accepted job is executed, once");
  t.expect_eq(shop->peak(), 2, "never do more jobs run than there are workers");
}

// ---- failures

ASSAY_CLAUSE(
    worker_pool, "WPL-3", must,
    "A throwing job does not kill its worker; its error reaches the submitter's handle or the error hook.") {
  for (const std::int64_t workers : {1, 2}) {
    const int count = static_cast<int>(workers);
    const int base = count * 100;
    auto shop = workshop::open(t);
    auto pool = make({.workers = workers});
    shop->serve(*pool);
    for (int i = 1; i <= count + 1; ++i) shop->fails(base + i, "job " + std::to_string(base + i));
    for (int i = count + 2; i <= 2 * count + 2; ++i) shop->hold(base + i);
    submits handed(t, *pool);
    handed.start_range(base + 1, base + count + 1);
    co_await t.settle();
    const ids failing = handed.accepted();
    co_await handed.start_in_turn(base + count + 2, base + 2 * count + 2);
    co_await t.advance(1s);
    co_await t.settle();
    t.expect_eq(shop->running(), count, "after jobs that threw, all workers are still there");
    if (make.claims("handles")) {
      for (const int id : failing) {
        const assay::outcome told = co_await outcome_of(t, *pool, id);
        t.expect_eq(told.label, "job " + std::to_string(id), "the handle tells what the job threw");
      }
    }
    co_await drain_to_the_end(t, *pool, *shop);
    handed.expect_ended();
    t.expect_eq(sorted(shop->begun()), handed.accepted(), "jobs behind one that threw are executed");
    for (const int id : failing) {
      t.expect_eq(t.times_observed("job " + std::to_string(id)), 1U,
                  "the error of a job reaches its handle or the error hook, once");
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-3", "swept", .features = {"handles"}, .swept = true) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = 10ms, .fails = "boom"});
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 2);
  auto asked = t.start("outcome of 1", pool->outcome(1));
  t.victim(asked);
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(asked.ended(), "whoever asks for an outcome is told when the job has ended");
  t.sometimes("whoever asks is cancelled", asked.cancelled());
  if (asked.cancelled()) {
    const assay::outcome told = co_await outcome_of(t, *pool, 1);
    t.expect_eq(told.label, "boom", "who gave up asking has learnt nothing, and can ask again");
  } else {
    t.expect_eq(asked.what().label, "boom", "the handle tells what the job threw");
  }
  if (handed.of(2).done()) {
    const assay::outcome second = co_await outcome_of(t, *pool, 2);
    t.expect(second.kind == outcome_kind::value, "the next job ends with a value");
  }
  t.expect_eq(sorted(shop->ended()), handed.accepted(), "to stop asking does not touch the jobs");
  co_await drain_to_the_end(t, *pool, *shop);
}

// ---- drain and stop

ASSAY_CLAUSE(worker_pool, "WPL-4", must,
             "A drain completes when the queue is empty and all workers are idle; then the workers end. With "
             "`stop_now`, that cancels the running jobs and returns the unstarted ones.") {
  for (const nanoseconds last : {30ms, 70ms}) {
    const int base = static_cast<int>(last.count() / 1'000'000) * 10;
    auto shop = workshop::open(t);
    shop->takes(base + 1, 10ms);
    shop->takes(base + 2, last);
    shop->takes(base + 3, 10ms);
    auto pool = make({.workers = 2});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(base + 1, base + 3);
    auto drain = t.start("drain", pool->drain());
    co_await t.advance(15ms);
    co_await t.settle();
    t.expect(drain.pending(), "the drain waits although the queue is empty: two jobs still run");
    co_await t.advance(last - 15ms);
    t.expect(drain.pending(), "the drain waits although one worker is idle: the last job still runs");
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(drain.done(), "the drain ends once the queue is empty and all workers are idle");
    handed.expect_ended();
    t.expect_eq(sorted(shop->ended()), handed.accepted(), "every accepted job has ended");
    t.expect_eq(shop->cancelled(), ids(), "a drain cancels no job");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "failures") {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = 10ms, .fails = "first"});
  shop->plan(2, {.takes = 60ms, .fails = "second"});
  shop->takes(3, 50ms);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 3);
  auto drain = t.start("drain", pool->drain());
  co_await t.advance(60ms);
  t.expect(drain.pending(), "the drain waits although a job failed: others still run");
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(drain.done(), "the drain ends with a value: what jobs threw is told elsewhere");
  handed.expect_ended();
  t.expect_eq(sorted(shop->ended()), handed.accepted(), "a drain in which jobs fail executes all the others");
  if (make.claims("handles")) {
    for (int id = 1; id <= 2; ++id) {
      const assay::outcome told = co_await outcome_of(t, *pool, id);
      t.expect(told.kind == outcome_kind::error, "the handle tells what its job threw");
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "idle") {
  auto shop = workshop::open(t);
  for (const std::int64_t workers : {1, 3}) {
    auto unused = make({.workers = workers});
    shop->serve(*unused);
    auto drain = t.start("drain of an unused pool", unused->drain());
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(drain.done(), "the drain of a pool without jobs ends");
  }
  auto used = make({.workers = 2});
  shop->serve(*used);
  submits handed(t, *used);
  handed.start_range(1, 3);
  co_await t.advance(1s);
  co_await t.settle();
  auto drain = t.start("drain of an idle pool", used->drain());
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(drain.done(), "the drain of an idle pool ends");
  handed.expect_ended();
  t.expect_eq(sorted(shop->ended()), handed.accepted(), "every accepted job has ended");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "swept", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 5; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2, .queue_capacity = 1});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 3);
  auto parked = handed.start(4);
  t.victim(parked);
  co_await t.settle();
  auto drain = t.start("drain", pool->drain());
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(drain.done(), "the drain ends once the queue is empty and all workers are idle");
  t.expect(has_ended_well(parked), "a submit that waits for room ends when the pool drains");
  handed.expect_ended();
  t.expect_eq(shop->running(), 0, "no job runs after the drain");
  t.expect_eq(sorted(shop->begun()), handed.accepted(),
              "a job is executed, once, if and only if its submit was accepted");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now", .features = {"stop_now"}) {
  for (const int running : {1, 2}) {
    const int base = running * 100;
    auto shop = workshop::open(t);
    for (int i = 1; i <= running + 3; ++i) shop->hold(base + i);
    auto pool = make({.workers = running});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(base + 1, base + running + 3);
    auto stop = t.start("stop", pool->stop_now());
    co_await t.advance(1s);
    co_await t.settle();
    t.expect_eq(sorted(shop->cancelled()), range(base + 1, base + running), "the running jobs are cancelled");
    if (t.expect(stop.done(), "stop_now ends once the cancelled jobs have")) {
      t.expect_eq(sorted(ids_of(stop.value())), handed.unstarted(*shop),
                  "stop_now returns the unstarted jobs");
    }
    auto late = t.start("submit after the stop", pool->submit(t.item(base + 50)));
    co_await t.settle();
    t.expect(was_refused(late), "a submit after the stop is refused");
    handed.expect_ended();
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect_eq(sorted(shop->begun()), range(base + 1, base + running), "a returned job is not executed");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now beside slow cleanup", .features = {"stop_now"},
               .why = "a job that was asked to stop and takes its time over that has not ended") {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = for_ever, .cleanup = 10ms});
  shop->plan(2, {.takes = for_ever, .cleanup = 20ms});
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 2);
  auto stop = t.start("stop", pool->stop_now());
  co_await t.settle();
  t.expect(stop.pending(), "stop_now waits for jobs that clean up");
  co_await t.advance(19ms);
  co_await t.settle();
  t.expect(stop.pending(), "stop_now waits for the last job that cleans up");
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(stop.done(), "stop_now ends once the cancelled jobs have");
  t.expect_eq(shop->running(), 0, "no job runs after the stop");
  co_await drain_to_the_end(t, *pool, *shop);
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop meets submit", .features = {"stop_now"}) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 6; ++id) shop->takes(id, 10ms);
  shop->plan(1, {.takes = 10ms, .cleanup = 5ms});
  auto pool = make({.workers = 2, .queue_capacity = 2});
  shop->serve(*pool);
  std::vector<operation<void>> submits;
  for (int id = 1; id <= 3; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  auto stop = t.start("stop", pool->stop_now());
  for (int id = 4; id <= 6; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(stop.done(), "stop_now ends once the cancelled jobs have");
  ids accepted;
  for (std::size_t i = 0; i < submits.size(); ++i) {
    t.expect(has_ended_well(submits[i]), "a submit ends when the pool stops");
    if (submits[i].done()) accepted.push_back(static_cast<int>(i) + 1);
  }
  expect_accounted(t, *shop, accepted);
  t.expect_eq(shop->running(), 0, "no job runs after the stop");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now swept", .features = {"stop_now"}, .swept = true) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = for_ever, .cleanup = 10ms});
  for (int id = 2; id <= 4; ++id) shop->hold(id);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 4);
  auto stop = t.start("stop", pool->stop_now());
  t.victim(stop);
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(stop.done() || stop.cancelled(), "stop_now ends with a value or as cancelled");
  co_await drain_to_the_end(t, *pool, *shop);
  handed.expect_ended();
  const ids accepted = handed.accepted();
  expect_accounted(t, *shop, accepted);
}

// ---- a drain with a deadline

ASSAY_CLAUSE(
    worker_pool, "WPL-5", must,
    "A drain has a deadline; when it passes, the drain becomes stop_now, and reports how many jobs were "
    "cancelled and how many had not begun.",
    .features = {"drain_deadline"}) {
  for (const nanoseconds patience : {20ms, 50ms}) {
    const int base = static_cast<int>(patience.count() / 1'000'000) * 10;
    auto shop = workshop::open(t);
    shop->takes(base + 1, patience - 5ms);
    for (int i = 2; i <= 6; ++i) shop->takes(base + i, patience + 30ms);
    auto pool = make({.workers = 2});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(base + 1, base + 6);
    auto drain = t.start("drain", pool->drain_for(patience));
    co_await t.settle();
    co_await t.advance(patience - 1ms);
    co_await t.settle();
    t.expect(drain.pending(), "before its deadline the drain waits for the jobs");
    t.expect_eq(shop->cancelled(), ids(), "before the deadline of the drain no job is cancelled");
    const auto running = static_cast<std::size_t>(shop->running());
    t.expect(running == 2 || handed.waiting(*shop) == 0,
             "a worker that is free takes another job during the drain");
    co_await t.advance(2ms);
    co_await t.settle();
    const ids unstarted = handed.unstarted(*shop);
    t.expect(shop->was_cancelled(base + 2), "at the deadline the running jobs are cancelled");
    t.expect_eq(shop->cancelled().size(), running, "at the deadline the running jobs are cancelled");
    if (t.expect(drain.done(), "the drain ends once the cancelled jobs have")) {
      t.expect_eq(drain.value().cancelled, running, "the report counts the cancelled jobs");
      t.expect_eq(drain.value().unstarted, unstarted.size(), "the report counts the jobs that had not begun");
      t.expect_eq(sorted(ids_of(drain.value().returned)), unstarted, "unstarted jobs are returned");
    }
    handed.expect_ended();
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect_eq(handed.unstarted(*shop), unstarted, "a returned job is not executed");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "in time", .features = {"drain_deadline"}) {
  for (const nanoseconds patience : {31ms, 60ms}) {
    const int base = static_cast<int>(patience.count() / 1'000'000) * 10;
    auto shop = workshop::open(t);
    for (int i = 1; i <= 3; ++i) shop->takes(base + i, 10ms * i);
    auto pool = make({.workers = 3});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(base + 1, base + 3);
    auto drain = t.start("drain", pool->drain_for(patience));
    co_await t.advance(30ms);
    t.expect(drain.pending(), "the drain waits for the last job");
    co_await t.settle();
    t.expect(drain.done(), "a drain that is done before its deadline does not wait for it");
    co_await t.advance(1s);
    if (drain.done()) {
      t.expect_eq(drain.value().cancelled, 0U, "a drain in time has cancelled nothing");
      t.expect_eq(drain.value().unstarted, 0U, "a drain in time has left nothing");
    }
    t.expect_eq(sorted(shop->ended()), range(base + 1, base + 3), "every job is executed");
    t.expect_eq(shop->cancelled(), ids(), "a drain in time cancels no job");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "slow to stop", .features = {"drain_deadline", "lifetime"}) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = for_ever, .cleanup = 40ms});
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  co_await t.settle();
  auto drain = t.start("drain", pool->drain_for(10ms));
  co_await t.advance(50ms);
  t.expect_eq(shop->cancelled(), ids({1}), "at the deadline the running job is cancelled");
  t.expect(drain.pending(), "the drain does not abandon a job that is slow to stop");
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(drain.done(), "the drain ends once the cancelled jobs have");
  t.expect_eq(shop->running(), 0, "no job runs after the drain");
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "swept", .features = {"drain_deadline"}, .swept = true) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = 50ms, .cleanup = 5ms});
  for (int id = 2; id <= 4; ++id) shop->takes(id, 50ms);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 4);
  auto drain = t.start("drain", pool->drain_for(20ms));
  t.victim(drain);
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(drain.done() || drain.cancelled(), "the drain ends with a report or as cancelled");
  t.sometimes("the drain is cancelled", drain.cancelled());
  if (drain.done()) {
    t.expect_eq(drain.value().unstarted, handed.unstarted(*shop).size(),
                "the report counts the jobs that had not begun");
  }
  co_await drain_to_the_end(t, *pool, *shop);
  handed.expect_ended();
  const ids accepted = handed.accepted();
  expect_accounted(t, *shop, accepted);
}

ASSAY_SCENARIO(worker_pool, "WPL-5", "extreme durations", .features = {"drain_deadline"}) {
  int id = 0;
  for (const nanoseconds patience : assay::extreme_durations) {
    const std::string time = assay::format_duration(patience);
    const int running = ++id;
    const int queued = ++id;
    auto shop = workshop::open(t);
    shop->hold(running);
    auto pool = make({.workers = 1});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(running, queued);
    auto drain = t.start("drain for " + time, pool->drain_for(patience));
    co_await t.settle();
    if (!assay::has_passed(patience)) {
      t.expect(drain.pending(), "before its deadline the drain waits for the jobs: " + time);
      co_await t.advance(assay::is_endless(patience) ? assay::long_time : assay::soon);
      co_await t.settle();
    }
    const bool endless = assay::is_endless(patience);
    if (endless) t.expect(drain.pending(), "a drain without limit waits for the jobs");
    t.expect_eq(shop->cancelled(), endless ? ids() : ids({running}),
                "jobs are cancelled at the deadline, and not before: " + time);
    shop->release_all();
    co_await t.settle();
    if (t.expect(drain.done(), "the drain ends: " + time)) {
      t.expect_eq(drain.value().cancelled, endless ? 0U : 1U, "the report counts the cancelled jobs");
      t.expect_eq(drain.value().unstarted, handed.unstarted(*shop).size(),
                  "the report counts the jobs that had not begun");
    }
    co_await drain_to_the_end(t, *pool, *shop);
    handed.expect_ended();
  }
}

// ---- jobs that hand in jobs

ASSAY_CLAUSE(worker_pool, "WPL-6", must,
             "Jobs that running jobs submit during a drain are refused, or drained too, as declared.",
             .features = {"nested_submit"}) {
  for (const std::int64_t workers : {1, 2}) {
    const int base = static_cast<int>(workers) * 100;
    auto shop = workshop::open(t);
    shop->plan(base + 1, {.takes = for_ever, .submits = base + 2});
    shop->plan(base + 2, {.takes = 10ms});
    auto pool = make({.workers = workers});
    shop->serve(*pool);
    const bool drained = pool->drains_nested();
    co_await pool->submit(t.item(base + 1));
    co_await t.settle();
    auto drain = t.start("drain", pool->drain());
    co_await t.settle();
    shop->release(base + 1);
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(drain.done(), "the drain ends although a job handed in another");
    const bool accepted = shop->nested() == outcome_kind::value;
    if (drained) {
      t.expect(accepted, "declared as drained: a running job can hand in another");
      t.expect_eq(shop->ended(), ids({base + 1, base + 2}), "what was accepted during the drain is executed");
    } else {
      t.expect(!accepted, "declared as refused: a running job cannot hand in another during a drain");
      t.expect_eq(shop->begun(), ids({base + 1}), "what was refused during the drain is not executed");
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-6", "before a drain", .features = {"nested_submit"}) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = 10ms, .submits = 2});
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(shop->nested() == outcome_kind::value, "without a drain a running job can hand in another");
  t.expect_eq(shop->ended(), ids({1, 2}), "what a running job handed in is executed");
  co_await drain_to_the_end(t, *pool, *shop);
}

ASSAY_SCENARIO(worker_pool, "WPL-6", "swept", .features = {"nested_submit"}, .swept = true) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = 10ms, .submits = 2});
  shop->plan(2, {.takes = 10ms});
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  auto drain = t.start("drain", pool->drain());
  t.victim(drain);
  co_await t.advance(10s);
  co_await t.settle();
  co_await drain_to_the_end(t, *pool, *shop);
  const bool accepted = shop->nested() == outcome_kind::value;
  ids all = {1};
  if (accepted) all.push_back(2);
  expect_accounted(t, *shop, all);
  t.expect(accepted || !shop->has_begun(2), "a job that a job handed in is executed only if it was accepted");
}

// ---- the queue's bound

ASSAY_CLAUSE(worker_pool, "WPL-7", must,
             "The job queue is bounded as configured: a job is accepted at once while fewer than that wait "
             "for a worker, "
             "and when the queue is full, submit waits or is refused.",
             .features = {"bounded"}) {
  for (const std::int64_t capacity : {1, 3}) {
    const int room = static_cast<int>(capacity);
    const int base = room * 100;
    auto shop = workshop::open(t);
    for (int i = 1; i <= room + 4; ++i) shop->hold(base + i);
    auto pool = make({.workers = 1, .queue_capacity = capacity});
    shop->serve(*pool);
    submits handed(t, *pool);
    co_await handed.start_in_turn(base + 1, base + room + 3);
    for (int i = 1; i <= room + 1; ++i) {
      t.expect(handed.of(base + i).done(), "a submit is accepted while the queue has room");
    }
    for (int i = room + 2; i <= room + 3; ++i) {
      const auto& beyond = handed.of(base + i);
      t.expect(beyond.pending() || was_refused(beyond), "a submit into a full queue waits or is refused");
    }
    // Which of two goes on is X-13's question.
    const auto& one = handed.of(base + room + 2);
    const auto& other = handed.of(base + room + 3);
    const bool waited = one.pending() || other.pending();
    shop->release(base + 1);
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(!waited || one.done() || other.done(),
             "when a job leaves the queue, a submit that waits is accepted");
    t.expect(!(one.done() && other.done()), "when one job leaves the queue, one submit is accepted");
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect(has_ended_well(one) && has_ended_well(other),
             "a submit that waits for room ends when the pool drains");
    t.expect_eq(sorted(shop->begun()), handed.accepted(), "every accepted job is executed, once");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-7", "swept", .features = {"bounded"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 6; ++id) shop->hold(id);
  auto pool = make({.workers = 1, .queue_capacity = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 3);
  t.expect_eq(handed.accepted(), range(1, 3), "a submit is accepted while the queue has room");
  auto fourth = handed.start(4);
  t.victim(fourth);
  co_await t.settle();
  auto fifth = handed.start(5);
  co_await t.settle();
  const bool waits = fifth.pending();
  int accepted = 3 + (fourth.done() ? 1 : 0) + (fifth.done() ? 1 : 0);
  t.expect(accepted <= 3, "at most as many jobs are accepted as have room");
  shop->release(1);
  co_await t.settle();
  accepted = 3 + (fourth.done() ? 1 : 0) + (fifth.done() ? 1 : 0);
  t.expect(accepted <= 4, "when one job leaves the queue, one submit is accepted");
  t.expect(!waits || accepted == 4, "the room is given to a submit that waits");
  co_await drain_to_the_end(t, *pool, *shop);
  t.expect(has_ended_well(fourth) && has_ended_well(fifth),
           "a submit that waits for room ends when the pool drains");
  t.expect_eq(sorted(shop->begun()), handed.accepted(),
              "a job is executed, once, if and only if its submit was accepted");
}

// ---- starting and draining more than once

ASSAY_CLAUSE(worker_pool, "WPL-8", must,
             "To start a pool that runs, to drain one that drains or is drained, and to drain one that was "
             "not started "
             "is idempotent or refused; a drained pool that is started again accepts and executes again.",
             .features = {"restartable"}) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 4; ++id) shop->hold(id);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 4);
  for (int i = 0; i < 2; ++i) {
    try {
      pool->start();
    } catch (const assay::contract::rejected_error&) {
      t.mark("the second start is refused");
    }
    co_await t.settle();
    t.expect_eq(shop->running(), 2, "to start twice does not double the workers");
  }
  co_await drain_to_the_end(t, *pool, *shop);
  for (int round = 0; round < 2; ++round) {
    const int first = 5 + 2 * round;
    for (int id = first; id <= first + 1; ++id) shop->hold(id);
    pool->start();
    co_await handed.start_in_turn(first, first + 1);
    for (int id = first; id <= first + 1; ++id) {
      t.expect(handed.of(id).done(), "a drained pool that is started again accepts jobs");
    }
    t.expect_eq(shop->running(), 2, "a drained pool that is started again executes jobs");
    co_await drain_to_the_end(t, *pool, *shop);
    auto late = t.start("submit after drain " + std::to_string(round), pool->submit(t.item(20 + round)));
    co_await t.settle();
    t.expect(was_refused(late), "after the next drain it refuses jobs again");
  }
  handed.expect_ended();
  t.expect_eq(sorted(shop->begun()), handed.accepted(), "every accepted job is executed, once");
  t.expect_eq(shop->peak(), 2, "never do more jobs run than there are workers");
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "drained twice", .features = {"restartable"}) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 3; ++id) shop->takes(id, 10ms * id);
  auto pool = make({.workers = 3});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 3);
  std::vector<operation<void>> drains;
  for (int i = 1; i <= 2; ++i) {
    drains.push_back(t.start("drain " + std::to_string(i), pool->drain()));
    co_await t.settle();
  }
  t.expect(drains[1].pending() || was_refused(drains[1]),
           "a drain meets one under way: it waits or is refused");
  co_await t.advance(29ms);
  t.expect(drains[0].pending(), "the first drain waits for the last job");
  co_await t.advance(1s);
  co_await t.settle();
  drains.push_back(t.start("drain 3", pool->drain()));
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(drains[0].done(), "the first drain ends with a value");
  t.expect(drains[1].done() || was_refused(drains[1]), "the second drain ends too, or is refused");
  t.expect(drains[2].done() || was_refused(drains[2]),
           "a drain of a drained pool ends at once, or is refused");
  t.expect_eq(sorted(shop->ended()), range(1, 3), "every job is executed, once");
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "drained before the start", .features = {"restartable"}) {
  auto shop = workshop::open(t);
  auto pool = make({.workers = 1, .started = false});
  shop->serve(*pool);
  submits handed(t, *pool);
  handed.start_range(1, 2);
  co_await t.advance(1s);
  co_await t.settle();
  t.expect_eq(shop->begun(), ids(), "before the start no job begins");
  auto drain = t.start("drain", pool->drain());
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(drain.done() || was_refused(drain), "to drain a pool that was not started ends, or is refused");
  if (was_refused(drain)) {
    pool->start();
    co_await drain_to_the_end(t, *pool, *shop);
  }
  handed.expect_ended();
  const ids accepted = handed.accepted();
  expect_accounted(t, *shop, accepted);
}

ASSAY_SCENARIO(worker_pool, "WPL-8", "swept", .features = {"restartable"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 3; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 3);
  auto first = t.start("drain 1", pool->drain());
  t.victim(first);
  co_await t.settle();
  auto second = t.start("drain 2", pool->drain());
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(second.done() || was_refused(second), "the second drain ends too, or is refused");
  co_await drain_to_the_end(t, *pool, *shop);
  handed.expect_ended();
  const ids accepted = handed.accepted();
  expect_accounted(t, *shop, accepted);
}

// ---- a drainer that gives up

ASSAY_CLAUSE(
    worker_pool, "WPL-9", must,
    "Cancelling whoever drains abandons neither workers nor jobs: accepted jobs are still executed or "
    "returned, and the pool can be drained to its end.") {
  for (const nanoseconds when : {5ms, 25ms}) {
    const int base = static_cast<int>(when.count() / 1'000'000) * 10;
    auto shop = workshop::open(t);
    for (int i = 1; i <= 5; ++i) shop->takes(base + i, 10ms);
    auto pool = make({.workers = 1});
    shop->serve(*pool);
    submits handed(t, *pool);
    handed.start_range(base + 1, base + 5);
    co_await t.settle();
    auto drain = t.start("drain", pool->drain());
    co_await t.advance(when);
    drain.cancel();
    co_await t.advance(10s);
    co_await t.settle();
    t.expect(drain.ended(), "a cancelled drain ends");
    t.expect(drain.cancelled() || drain.done(), "a cancelled drain ends as cancelled, or with a value");
    handed.expect_ended();
    const ids accepted = handed.accepted();
    expect_accounted(t, *shop, accepted);
    t.expect_eq(shop->running(), 0, "no job is left running");
    co_await drain_to_the_end(t, *pool, *shop);
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-9", "swept", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 4; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  handed.start_range(1, 4);
  co_await t.settle();
  auto drain = t.start("drain", pool->drain());
  t.victim(drain);
  co_await t.advance(10s);
  co_await t.settle();
  t.sometimes("the drain is cancelled", drain.cancelled());
  handed.expect_ended();
  const ids accepted = handed.accepted();
  expect_accounted(t, *shop, accepted);
  co_await drain_to_the_end(t, *pool, *shop);
}

// ---- a job's own time

ASSAY_CLAUSE(worker_pool, "WPL-10", must,
             "A per-job timeout ends the job as timed out, frees its worker and leaves the others alone.",
             .features = {"job_timeout"}) {
  for (const nanoseconds timeout : {20ms, 50ms}) {
    const int base = static_cast<int>(timeout.count() / 1'000'000) * 10;
    auto shop = workshop::open(t);
    shop->hold(base + 1);
    shop->takes(base + 2, timeout + 20ms);
    shop->takes(base + 3, timeout - 1ms);
    auto pool = make({.workers = 2});
    shop->serve(*pool);
    worker_pool_request limited;
    limited.timeout_ns = timeout.count();
    submits handed(t, *pool);
    handed.start(base + 1, limited);
    handed.start(base + 2);
    co_await t.settle();
    const auto third = handed.start(base + 3, limited);
    co_await t.settle();
    const bool refused = was_refused(third);
    co_await t.advance(timeout - 1ms);
    co_await t.settle();
    t.expect_eq(shop->cancelled(), ids(), "before its timeout a job is left alone");
    t.expect(!shop->has_begun(base + 3), "before the timeout the worker is busy");
    co_await t.advance(2ms);
    co_await t.settle();
    t.expect_eq(shop->cancelled(), ids({base + 1}), "at its timeout the job is cancelled, and no other");
    t.expect(refused || shop->has_begun(base + 3), "the timeout frees the worker for the next job");
    co_await t.advance(10s);
    co_await t.settle();
    t.expect_eq(shop->cancelled(), ids({base + 1}), "jobs that end before their timeout are not cancelled");
    if (make.claims("handles")) {
      const assay::outcome first = co_await outcome_of(t, *pool, base + 1);
      t.expect(first.kind == outcome_kind::timed_out, "the job has ended as timed out");
      for (int i = 2; i <= 3; ++i) {
        if (!handed.of(base + i).done()) continue;
        const assay::outcome other = co_await outcome_of(t, *pool, base + i);
        t.expect(other.kind == outcome_kind::value, "the other jobs have ended with a value");
      }
    }
    co_await drain_to_the_end(t, *pool, *shop);
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "swept", .features = {"job_timeout"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 2; ++id) shop->hold(id);
  shop->takes(3, 10ms);
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  worker_pool_request limited;
  limited.timeout_ns = nanoseconds(20ms).count();
  co_await pool->submit(t.item(1), limited);
  auto second = t.start("submit 2", pool->submit(t.item(2), limited));
  t.victim(second);
  auto third = t.start("submit 3", pool->submit(t.item(3)));
  co_await t.advance(10s);
  co_await t.settle();
  t.expect_eq(shop->cancelled().size(), second.done() ? 2U : 1U, "a job that is timed is cancelled, once");
  t.expect(has_ended_well(second) && has_ended_well(third), "a submit ends");
  t.expect_eq(third.done(), shop->has_begun(3), "a submit is accepted if and only if its job is executed");
  co_await drain_to_the_end(t, *pool, *shop);
}

ASSAY_SCENARIO(worker_pool, "WPL-10", "extreme durations", .features = {"job_timeout"}) {
  int id = 0;
  for (const nanoseconds timeout : assay::extreme_durations) {
    const std::string time = assay::format_duration(timeout);
    const bool endless = assay::is_endless(timeout) || timeout == 0ns;  // 0 is for ever
    auto shop = workshop::open(t);
    shop->hold(++id);
    auto pool = make({.workers = 1});
    shop->serve(*pool);
    worker_pool_request limited;
    limited.timeout_ns = timeout.count();
    co_await pool->submit(t.item(id), limited);
    co_await t.settle();
    t.expect_eq(shop->begun(), ids({id}), "a job begins, whatever its timeout: " + time);
    if (endless || !assay::has_passed(timeout)) {
      t.expect_eq(shop->cancelled(), ids(), "before its timeout a job is left alone: " + time);
      co_await t.advance(endless ? assay::long_time : assay::soon);
      co_await t.settle();
    }
    t.expect_eq(shop->cancelled(), endless ? ids() : ids({id}),
                "at its timeout the job is cancelled, and not before: " + time);
    co_await drain_to_the_end(t, *pool, *shop);
    if (make.claims("handles")) {
      const assay::outcome end = co_await outcome_of(t, *pool, id);
      t.expect(end.kind == (endless ? outcome_kind::value : outcome_kind::timed_out),
               "the job ends as timed out if its timeout has passed: " + time);
    }
  }
}

// ---- more workers, fewer workers

ASSAY_CLAUSE(worker_pool, "WPL-11", must,
             "Scaling the number of workers up takes effect at once, down as workers finish; no job is lost.",
             .features = {"scaling"}) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 12; ++id) shop->hold(id);
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 12);
  t.expect_eq(shop->running(), 1, "as many jobs run as there are workers");
  int given = 13;
  for (const int more : {2, 4}) {
    pool->scale_to(more);
    co_await t.settle();
    // Who refuses while every worker is busy has no job left to begin.
    for (int i = 0; i < more && handed.waiting(*shop) == 0; ++i, ++given) {
      shop->hold(given);
      co_await handed.start_in_turn(given, given);
    }
    t.expect_eq(shop->running(), more, "scaling up takes effect at once");
  }
  pool->scale_to(2);
  co_await t.advance(1s);
  co_await t.settle();
  t.expect_eq(shop->cancelled(), ids(), "scaling down cancels no job");
  t.expect_eq(shop->running(), 4, "scaling down lets the running jobs go on");
  for (int ended = 1; ended <= 4; ++ended) {
    const int next = std::min(handed.waiting(*shop), 1);
    const int left = shop->running() - 1;
    shop->release_one();
    co_await t.settle();
    t.expect_eq(shop->running(), left >= 2 ? left : left + next,
                "after scaling down, workers that finish are not replaced");
  }
  shop->forget_peak();
  co_await drain_to_the_end(t, *pool, *shop);
  t.expect(shop->peak() <= 2, "after scaling down, no more jobs run than there are workers");
  handed.expect_ended();
  t.expect_eq(sorted(shop->begun()), handed.accepted(), "no job is lost, and none is executed twice");
}

ASSAY_SCENARIO(worker_pool, "WPL-11", "swept", .features = {"scaling", "bounded"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 8; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 3, .queue_capacity = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  handed.start_range(1, 8);
  t.victim(handed.of(7));
  co_await t.advance(5ms);
  pool->scale_to(1);
  co_await t.advance(10ms);
  pool->scale_to(2);
  co_await t.advance(10s);
  co_await t.settle();
  co_await drain_to_the_end(t, *pool, *shop);
  handed.expect_ended();
  t.expect_eq(sorted(shop->begun()), handed.accepted(),
              "no accepted job is lost, and none is executed twice");
}

// ---- urgency

ASSAY_CLAUSE(
    worker_pool, "WPL-12", must,
    "With priorities, of the queued jobs a most urgent one begins next; equals begin in the order in which "
    "they were accepted (PRQ-1).",
    .features = {"priorities"}) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 10; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  co_await t.settle();
  const std::vector<std::int64_t> urgency = {0, 1, 1, 0, 2, -1, 1, 2, 0};
  for (int id = 2; id <= 10; ++id) {
    worker_pool_request how;
    how.priority = urgency[static_cast<std::size_t>(id) - 2];
    co_await pool->submit(t.item(id), how);
  }
  co_await t.advance(45ms);
  worker_pool_request urgent;
  urgent.priority = 2;
  co_await pool->submit(t.item(11), urgent);
  co_await t.advance(10s);
  co_await t.settle();
  t.expect_eq(shop->begun(), ids({1, 6, 9, 3, 4, 11, 8, 2, 5, 10, 7}),
              "the most urgent job begins first, equals in the order in which they were accepted");
  co_await drain_to_the_end(t, *pool, *shop);
}

ASSAY_SCENARIO(worker_pool, "WPL-12", "swept", .features = {"priorities"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 6; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  co_await pool->submit(t.item(1));
  co_await t.settle();
  ids accepted = {1};
  for (int id = 2; id <= 6; ++id) {
    worker_pool_request how;
    how.priority = id % 2;
    auto submit = t.start("submit " + std::to_string(id), pool->submit(t.item(id), how));
    if (id == 3) t.victim(submit);
    co_await t.settle();
    if (submit.done()) accepted.push_back(id);
  }
  co_await t.advance(10s);
  co_await t.settle();
  std::sort(accepted.begin() + 1, accepted.end(),
            [](int a, int b) { return a % 2 != b % 2 ? a % 2 > b % 2 : a < b; });
  t.expect_eq(shop->begun(), accepted,
              "the most urgent job begins first, equals in the order in which they were accepted");
  co_await drain_to_the_end(t, *pool, *shop);
}

// ---- what holds for every pattern

ASSAY_SCENARIO(worker_pool, "X-1", "", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 5; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 1, .queue_capacity = 1});
  shop->serve(*pool);
  std::vector<operation<void>> calls;
  for (int id = 1; id <= 5; ++id) {
    calls.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  t.victim(calls[3]);
  co_await t.advance(15ms);
  for (int i = 1; i <= 2; ++i) calls.push_back(t.start("drain " + std::to_string(i), pool->drain()));
  co_await t.advance(10s);
  co_await t.settle();
  for (const auto& call : calls) {
    t.expect(has_ended_well(call), "every call ends, with one outcome");
    t.expect(!call.cancelled() || call.name() == "submit 4", "only a cancelled call ends as cancelled");
  }
}

ASSAY_SCENARIO(worker_pool, "X-4", "", .features = {"bounded"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 5; ++id) shop->hold(id);
  auto pool = make({.workers = 1, .queue_capacity = 1});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 2);
  auto parked = handed.start(3);
  t.victim(parked);
  co_await t.settle();
  auto next = handed.start(4);
  co_await t.settle();
  const bool waits = next.pending();
  shop->release(1);
  parked.cancel();
  co_await t.settle();
  t.expect(has_ended_well(parked), "a cancelled submit ends");
  t.expect(!waits || parked.done() || next.done(), "a cancelled submit passes the room on to the next one");
  co_await drain_to_the_end(t, *pool, *shop);
  handed.expect_ended();
  t.expect_eq(sorted(shop->begun()), handed.accepted(),
              "a job is executed, once, if and only if its submit was accepted");
}

ASSAY_SCENARIO(worker_pool, "X-13", "", .features = {"bounded", "fair"}) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 7; ++id) shop->hold(id);
  auto pool = make({.workers = 1, .queue_capacity = 1});
  shop->serve(*pool);
  submits handed(t, *pool);
  co_await handed.start_in_turn(1, 5);
  t.expect(handed.of(3).pending() && handed.of(5).pending(), "submits into a full queue wait in line");
  for (int ended = 1; ended <= 3; ++ended) {
    shop->release_one();  // whichever runs: the pool need not begin its jobs in this order
    const auto newcomer = handed.start(10 + ended);
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(handed.of(ended + 2).done(), "submits that wait are served in the order they came");
    t.expect(newcomer.pending(), "a newcomer does not overtake a submit that waits");
  }
  co_await drain_to_the_end(t, *pool, *shop);
  handed.expect_ended();
}

ASSAY_SCENARIO(worker_pool, "X-15", "") {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 6; ++id) shop->fails(id, "job " + std::to_string(id));
  for (int id = 3; id <= 6; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  handed.start_range(1, 6);
  co_await t.settle();
  auto drain = t.start("drain", pool->drain());
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(drain.ended(), "a drain ends when every job has");
  handed.expect_ended();
  if (drain.failed()) t.mark("the drain tells of failures");
  if (make.claims("handles")) {
    for (int id = 1; id <= 3; ++id) {
      if (!handed.of(id).done()) continue;
      const assay::outcome told = co_await outcome_of(t, *pool, id);
      t.expect_eq(told.label, "job " + std::to_string(id), "the handle tells what its job threw");
    }
  }
  pool.reset();  // the failures of jobs that nobody asked for reach the hook by now
  co_await t.settle();
  t.expect(!handed.accepted().empty(), "who has a free worker accepts a job");
  for (const int id : handed.accepted()) {
    t.expect_eq(t.times_observed("job " + std::to_string(id)), 1U, "every failure is observed exactly once");
  }
}

ASSAY_SCENARIO(worker_pool, "X-19", "", .features = {"lifetime"}, .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 4; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2});
  shop->serve(*pool);
  submits handed(t, *pool);
  handed.start_range(1, 4);
  co_await t.settle();
  auto drain = t.start("drain", pool->drain());
  t.victim(drain);
  auto watched = drain_and_look(t, *pool);
  auto look = t.start("drain and look", std::move(watched));
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(look.done(), "the drain ends");
  pool.reset();
}

ASSAY_SCENARIO(worker_pool, "X-27", "", .features = {"bounded"}) {
  for (const std::int64_t capacity : {2, 5}) {
    const int base = static_cast<int>(capacity) * 1000;
    auto shop = workshop::open(t);
    for (int i = 1; i <= 40; ++i) shop->takes(base + i, 10ms);
    auto pool = make({.workers = 2, .queue_capacity = capacity});
    shop->serve(*pool);
    std::vector<operation<void>> submits;
    for (int i = 1; i <= 40; ++i) {
      submits.push_back(t.start("submit " + std::to_string(base + i), pool->submit(t.item(base + i))));
    }
    for (int i = 0; i < 10; ++i) {
      co_await t.settle();
      const auto accepted =
          std::count_if(submits.begin(), submits.end(), [](const auto& one) { return one.done(); });
      t.expect(accepted - static_cast<std::ptrdiff_t>(shop->begun().size()) <= capacity,
               "the queue holds no more jobs than it is configured to");
      co_await t.advance(10ms);
    }
    co_await t.advance(10s);
    co_await t.settle();
    for (const auto& submit : submits) t.expect(submit.done() || was_refused(submit), "every submit ends");
    co_await drain_to_the_end(t, *pool, *shop);
  }
}
