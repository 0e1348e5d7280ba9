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

#include "harness/campaign/catalogue.hpp"
#include "harness/trial/trial.hpp"
#include "reference/core/cancellation.hpp"
#include "scenarios/flow/worker_pool/contract.hpp"

ASSAY_PART(worker_pool_scenarios)

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
  asio::awaitable<void> execute(int id) {
    begun_.push_back(id);
    ++running_;
    peak_ = std::max(peak_, running_);
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
      if (what.cleanup > 0ns) co_await assay::reference::shield(sleep(what.cleanup));
      co_await asio::this_coro::throw_if_cancelled(throwing);
    } else if (what.submits != 0) {
      co_await submit_another(id, what.submits);
    }
    --running_;
    ended_.push_back(id);
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

// Hands in jobs one after the other.
asio::awaitable<void> submit_range(trial& t, worker_pool& pool, int first, int last) {
  for (int id = first; id <= last; ++id) co_await pool.submit(t.item(id));
}

// Starts the submits of a range, each settled before the next: so they stand in line in this order.
asio::awaitable<std::vector<operation<void>>> start_range(trial& t, worker_pool& pool, int first, int last) {
  std::vector<operation<void>> submits;
  for (int id = first; id <= last; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool.submit(t.item(id))));
    co_await t.settle();
  }
  co_return submits;
}

bool was_refused(const operation<void>& submit) { return submit.closed() || submit.rejected(); }

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

}  // namespace

ASSAY_CONTRACT(worker_pool, "flow", "N workers execute jobs; graceful drain");

// ---- nothing accepted is lost

ASSAY_CLAUSE(
    worker_pool, "WPL-1", must,
    "Accepted (its submit completed) before a drain starts means executed, once, or returned to the caller "
    "as not executed; a submit after the drain has started is refused.") {
  for (const std::int64_t workers : {1, 3}) {
    const int base = static_cast<int>(workers) * 100;
    auto shop = workshop::open(t);
    for (int i = 1; i <= 5; ++i) shop->takes(base + i, 10ms);
    auto pool = make({.workers = workers});
    shop->serve(*pool);
    co_await submit_range(t, *pool, base + 1, base + 5);
    auto drain = t.start("drain", pool->drain());
    co_await t.settle();
    auto late = t.start("submit while draining", pool->submit(t.item(base + 6)));
    co_await t.settle();
    t.expect(was_refused(late), "a submit after the drain has started is refused");
    co_await t.advance(10s);
    co_await t.settle();
    t.expect(drain.done(), "the drain ends");
    t.expect_eq(sorted(shop->begun()), range(base + 1, base + 5), "every accepted job is executed, once");
    auto later = t.start("submit after the drain", pool->submit(t.item(base + 7)));
    co_await t.advance(10s);
    co_await t.settle();
    t.expect(was_refused(later), "a submit after the drain is refused");
    t.expect_eq(shop->begun().size(), 5U, "a refused job is not executed");
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
    t.expect(submits[i].ended(), "a submit ends when the pool drains");
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
    co_await submit_range(t, *pool, base + 1, base + 2 * count + 1);
    co_await t.settle();
    t.expect_eq(shop->running(), count, "with enough jobs, as many run as there are workers");
    shop->release(base + 1);
    co_await t.settle();
    t.expect_eq(shop->running(), count, "when a job ends, the next one begins");
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect_eq(shop->peak(), count, "never do more jobs run than there are workers");
    t.expect_eq(sorted(shop->begun()), range(base + 1, base + 2 * count + 1), "every job is executed, once");
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-2", "swept", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 7; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2, .queue_capacity = 2});
  shop->serve(*pool);
  std::vector<operation<void>> submits;
  for (int id = 1; id <= 7; ++id) {
    submits.push_back(t.start("submit " + std::to_string(id), pool->submit(t.item(id))));
  }
  t.victim(submits[4]);
  co_await t.advance(10s);
  co_await t.settle();
  for (const auto& submit : submits) {
    t.expect(submit.done() || submit.cancelled() || was_refused(submit),
             "a submit is accepted, cancelled or refused");
  }
  co_await drain_to_the_end(t, *pool, *shop);
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
    co_await submit_range(t, *pool, base + 1, base + 2 * count + 2);
    co_await t.advance(1s);
    co_await t.settle();
    t.expect_eq(shop->running(), count, "after jobs that threw, all workers are still there");
    if (make.claims("handles")) {
      for (int i = 1; i <= count + 1; ++i) {
        const assay::outcome told = co_await outcome_of(t, *pool, base + i);
        t.expect_eq(told.label, "job " + std::to_string(base + i), "the handle tells what the job threw");
      }
    }
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect_eq(sorted(shop->begun()), range(base + 1, base + 2 * count + 2),
                "jobs behind one that threw are executed");
    for (int i = 1; i <= count + 1; ++i) {
      t.expect_eq(t.times_observed("job " + std::to_string(base + i)), 1U,
                  "the error of a job reaches its handle or the error hook, once");
    }
  }
}

ASSAY_SCENARIO(worker_pool, "WPL-3", "swept", .features = {"handles"}, .swept = true) {
  auto shop = workshop::open(t);
  shop->plan(1, {.takes = 10ms, .fails = "boom"});
  auto pool = make({.workers = 1});
  shop->serve(*pool);
  co_await submit_range(t, *pool, 1, 2);
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
  const assay::outcome second = co_await outcome_of(t, *pool, 2);
  t.expect(second.kind == outcome_kind::value, "the next job ends with a value");
  t.expect_eq(shop->ended(), ids({1, 2}), "to stop asking does not touch the jobs");
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
    co_await submit_range(t, *pool, base + 1, base + 3);
    auto drain = t.start("drain", pool->drain());
    co_await t.advance(15ms);
    co_await t.settle();
    t.expect(drain.pending(), "the drain waits although the queue is empty: two jobs still run");
    co_await t.advance(last - 15ms);
    t.expect(drain.pending(), "the drain waits although one worker is idle: the last job still runs");
    co_await t.advance(1s);
    co_await t.settle();
    t.expect(drain.done(), "the drain ends once the queue is empty and all workers are idle");
    t.expect_eq(shop->ended(), ids({base + 1, base + 3, base + 2}), "every job has ended by itself");
    t.expect_eq(shop->cancelled(), ids(), "a drain cancels no job");
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
  co_await submit_range(t, *used, 1, 3);
  co_await t.advance(1s);
  co_await t.settle();
  auto drain = t.start("drain of an idle pool", used->drain());
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(drain.done(), "the drain of an idle pool ends");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "swept", .swept = true) {
  auto shop = workshop::open(t);
  for (int id = 1; id <= 5; ++id) shop->takes(id, 10ms);
  auto pool = make({.workers = 2, .queue_capacity = 1});
  shop->serve(*pool);
  auto submits = co_await start_range(t, *pool, 1, 3);
  auto parked = t.start("submit 4", pool->submit(t.item(4)));
  t.victim(parked);
  co_await t.settle();
  auto drain = t.start("drain", pool->drain());
  co_await t.advance(10s);
  co_await t.settle();
  t.expect(drain.done(), "the drain ends once the queue is empty and all workers are idle");
  t.expect(parked.ended(), "a submit that waits for room ends when the pool drains");
  t.expect_eq(shop->running(), 0, "no job runs after the drain");
  t.expect_eq(parked.done(), shop->has_begun(4), "a submit is accepted if and only if its job is executed");
}

ASSAY_SCENARIO(worker_pool, "WPL-4", "stop_now", .features = {"stop_now"}) {
  for (const int running : {1, 2}) {
    const int base = running * 100;
    auto shop = workshop::open(t);
    for (int i = 1; i <= running + 3; ++i) shop->hold(base + i);
    auto pool = make({.workers = running});
    shop->serve(*pool);
    co_await submit_range(t, *pool, base + 1, base + running + 3);
    co_await t.settle();
    auto stop = t.start("stop", pool->stop_now());
    co_await t.advance(1s);
    co_await t.settle();
    t.expect_eq(sorted(shop->cancelled()), range(base + 1, base + running), "the running jobs are cancelled");
    if (t.expect(stop.done(), "stop_now ends once the cancelled jobs have")) {
      t.expect_eq(sorted(ids_of(stop.value())), range(base + running + 1, base + running + 3),
                  "stop_now returns the unstarted jobs");
    }
    auto late = t.start("submit after the stop", pool->submit(t.item(base + 50)));
    co_await t.settle();
    t.expect(was_refused(late), "a submit after the stop is refused");
    co_await drain_to_the_end(t, *pool, *shop);
    t.expect_eq(sorted(shop->begun()), range(base + 1, base + running), "a returned job is not executed");
  }
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
    t.expect(submits[i].ended(), "a submit ends when the pool stops");
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
  co_await submit_range(t, *pool, 1, 4);
  co_await t.settle();
  auto stop = t.start("stop", pool->stop_now());
  t.victim(stop);
  co_await t.advance(1s);
  co_await t.settle();
  t.expect(stop.done() || stop.cancelled(), "stop_now ends with a value or as cancelled");
  co_await drain_to_the_end(t, *pool, *shop);
  const ids all = range(1, 4);
  expect_accounted(t, *shop, all);
}
