// A pool whose workers are places: a job that gets one is spawned, and gives it back when it has ended. After ten jobs a
// place is replaced, as multiprocessing's workers are, to be rid of what jobs leave behind in them.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/system/error_code.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::worker_pool;
using contract::worker_pool_config;
using contract::worker_pool_report;
using contract::worker_pool_request;

ASSAY_DEFECTS(pool_bug, none, leaves_the_returned_open, frees_the_place_of_the_slow, replaces_no_worker,
              drains_once, wakes_one_drainer, grows_beside_those_that_go, stops_the_next_job)

class placing_pool final : public worker_pool {
 public:
  placing_pool(environment& env, const worker_pool_config& config, pool_bug bug)
      : env_(env),
        executor_(env.executor()),
        room_(static_cast<std::size_t>(config.queue_capacity)),
        bug_(bug),
        workers_(config.workers) {
    if (config.workers < 1 || config.queue_capacity < 1) throw contract::rejected_error("no such pool");
    add_places(workers_);
  }
  placing_pool(const placing_pool&) = delete;
  placing_pool& operator=(const placing_pool&) = delete;
  // A failure that nobody has asked for by now goes to the hook.
  ~placing_pool() override {
    for (const auto& [id, one] : accepted_) {
      if (one->begun && one->failure && describe(one->failure).kind == outcome_kind::error)
        env_.report_unhandled(one->failure);
    }
  }

  awaitable<void> drain() override {
    if (bug_ == pool_bug::drains_once && draining_) co_return;
    refuse_jobs();
    co_await until_idle();
  }
  awaitable<void> outcome(int id) override {
    const auto found = accepted_.find(id);
    if (found == accepted_.end()) throw contract::rejected_error("no such job");
    const std::shared_ptr<job> one = found->second;
    if (!one->settled) {
      waiter self(executor_);
      const ended how = co_await one->asking.wait(self);
      check(how);
    }
    const auto known = accepted_.find(id);
    if (known != accepted_.end() && known->second == one) accepted_.erase(known);
    if (one->failure) std::rethrow_exception(one->failure);
  }

 protected:
  awaitable<void> do_submit(item work, worker_pool_request how) override {
    if (draining_) throw contract::closed_error();
    auto one = std::make_shared<job>(std::move(work), how);
    if (waiting_.size() < room_) {
      accept(std::move(one));
      co_return;
    }
    submitter self(executor_);
    self.one = std::move(one);
    const ended wait_ended = co_await submitters_.wait(self);
    check(wait_ended);
    if (self.one) throw contract::closed_error();  // woken, and not admitted
  }

  awaitable<std::vector<item>> do_stop_now() override {
    refuse_jobs();
    worker_pool_report stopped = stop();
    std::exception_ptr failure;
    try {
      co_await until_idle();
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) give_back(stopped, failure);
    co_return std::move(stopped.returned);
  }
  awaitable<worker_pool_report> do_drain_for(nanoseconds patience) override {
    refuse_jobs();
    worker_pool_report report;
    if (idle()) co_return report;
    waiter self(executor_);
    const ended how = co_await drainers_.wait(self, deadline_after(patience));
    if (how == ended::cancelled) contract::throw_cancelled();
    if (how == ended::woken) co_return report;
    report = stop();
    std::exception_ptr failure;
    try {
      co_await until_idle();
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) give_back(report, failure);
    co_return report;
  }

  void do_scale_to(std::int64_t workers) override {
    if (workers < 1) throw contract::rejected_error("a pool needs a worker");
    if (workers > workers_) {
      std::int64_t more = workers - workers_;
      if (bug_ != pool_bug::grows_beside_those_that_go) {
        const std::int64_t staying = std::min(more, leaving_);
        leaving_ -= staying;
        more -= staying;
      }
      add_places(more);
    }
    for (std::int64_t fewer = workers_ - workers; fewer > 0; --fewer) {
      if (free_.empty()) {
        ++leaving_;
      } else {
        free_.pop_back();
      }
    }
    workers_ = workers;
    begin();
  }

 private:
  struct job;
  struct place {
    explicit place(const asio::any_io_executor& executor) : limit(executor) {}
    int served = 0;
    std::shared_ptr<job> current;
    asio::steady_timer limit;
  };
  struct job {
    job(item one, worker_pool_request wanted) : id(one.id()), work(std::move(one)), how(wanted) {}

    const int id;
    item work;
    const worker_pool_request how;
    std::shared_ptr<place> where;
    asio::cancellation_signal stopping;
    bool begun = false;
    bool withdrawn = false;  // taken back before it began
    bool timed_out = false;
    bool over = false;

    bool settled = false;
    std::exception_ptr failure;
    waiting_list asking;
  };
  struct submitter : waiter {
    using waiter::waiter;
    std::shared_ptr<job> one;
  };

  bool idle() const noexcept { return running_.empty() && waiting_.empty(); }

  awaitable<void> until_idle() {
    if (idle()) co_return;
    waiter self(executor_);
    const ended how = co_await drainers_.wait(self);
    check(how);
  }

  void refuse_jobs() {
    draining_ = true;
    submitters_.wake_all();
  }

  void accept(std::shared_ptr<job> one) {
    accepted_[one->id] = one;
    waiting_.push_back(std::move(one));
    begin();
  }

  void begin() {
    while (!waiting_.empty() && !free_.empty()) {
      const std::shared_ptr<job> one = std::move(waiting_.front());
      waiting_.pop_front();
      one->where = std::move(free_.front());
      free_.pop_front();
      one->where->current = one;
      running_.push_back(one);
      asio::co_spawn(executor_, run(one),
                     asio::bind_cancellation_slot(one->stopping.slot(), [one](const std::exception_ptr&) {}));
      if (!submitters_.empty()) {
        std::shared_ptr<job> next = std::move(static_cast<submitter&>(submitters_.front()).one);
        submitters_.wake_one();
        accepted_[next->id] = next;
        waiting_.push_back(std::move(next));
      }
    }
  }

  awaitable<void> run(std::shared_ptr<job> one) {
    std::exception_ptr failure;
    if (!one->withdrawn) {
      one->begun = true;
      if (one->how.timeout_ns != 0) limit(one);
      try {
        co_await execute(std::move(one->work));
      } catch (...) {
        failure = std::current_exception();
      }
      // Behind this co_spawn suspends once more, where a request on record would throw.
      co_await asio::this_coro::throw_if_cancelled(false);
    }
    end(*one, failure);
  }

  void limit(const std::shared_ptr<job>& one) {
    one->where->limit.expires_at(deadline_after(std::chrono::nanoseconds(one->how.timeout_ns)));
    one->where->limit.async_wait([this, one, where = one->where](const boost::system::error_code& error) {
      if (error) return;
      const std::shared_ptr<job> late = bug_ == pool_bug::stops_the_next_job ? where->current : one;
      if (!late || late->over) return;
      late->timed_out = true;
      ask_to_stop(late);
      if (bug_ == pool_bug::frees_the_place_of_the_slow) {
        release(where);
        begin();
      }
    });
  }

  // Inside of the executor: from elsewhere Asio would post it, and may then find the signal gone.
  void ask_to_stop(const std::shared_ptr<job>& one) {
    asio::dispatch(executor_, [one] {
      if (!one->over) one->stopping.emit(asio::cancellation_type::terminal);
    });
  }

  void end(job& one, std::exception_ptr failure) {
    one.over = true;
    if (bug_ != pool_bug::stops_the_next_job || waiting_.empty()) one.where->limit.cancel();
    if (one.timed_out && (!failure || is_cancellation(failure)))
      failure = std::make_exception_ptr(contract::timed_out_error());
    settle(one, failure);
    one.where->current.reset();
    std::erase_if(running_, [&one](const std::shared_ptr<job>& each) { return each.get() == &one; });
    const bool released = one.timed_out && bug_ == pool_bug::frees_the_place_of_the_slow;
    if (!released) release(one.where);
    begin();
    if (!idle()) return;
    if (bug_ == pool_bug::wakes_one_drainer) {
      drainers_.wake_one();
    } else {
      drainers_.wake_all();
    }
  }

  // A job is settled once, when it ends or is taken back.
  static void settle(job& one, const std::exception_ptr& failure) {
    if (one.settled) return;
    one.settled = true;
    one.failure = failure;
    one.asking.wake_all();
  }

  void add_places(std::int64_t count) {
    for (; count > 0; --count) free_.push_back(std::make_shared<place>(executor_));
  }
  void release(std::shared_ptr<place> where) {
    if (leaving_ > 0) {
      --leaving_;
      return;
    }
    if (++where->served == 10) {
      if (bug_ == pool_bug::replaces_no_worker) return;
      where = std::make_shared<place>(executor_);
    }
    free_.push_back(std::move(where));
  }

  // Asks all that run to stop, and takes back what has not begun, the oldest first.
  worker_pool_report stop() {
    worker_pool_report stopped;
    for (const std::shared_ptr<job>& one : running_) {
      if (one->begun) {
        ++stopped.cancelled;
        ask_to_stop(one);
      } else if (!one->withdrawn) {
        one->withdrawn = true;
        take_back(*one, stopped);
      }
    }
    for (const std::shared_ptr<job>& one : waiting_) take_back(*one, stopped);
    waiting_.clear();
    stopped.unstarted = stopped.returned.size();
    return stopped;
  }
  void take_back(job& one, worker_pool_report& stopped) {
    stopped.returned.push_back(std::move(one.work));
    if (bug_ == pool_bug::leaves_the_returned_open) return;
    settle(one, std::make_exception_ptr(contract::rejected_error("not executed")));
  }
  // Who stopped the pool is cancelled, and has no use for what was taken back.
  [[noreturn]] void give_back(const worker_pool_report& stopped, const std::exception_ptr& failure) {
    for (const item& one : stopped.returned) hand_back(one);
    std::rethrow_exception(failure);
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const std::size_t room_;
  const pool_bug bug_;
  std::int64_t workers_;
  std::int64_t leaving_ = 0;  // places that go when their jobs have ended
  std::deque<std::shared_ptr<place>> free_;
  std::deque<std::shared_ptr<job>> waiting_;
  std::vector<std::shared_ptr<job>> running_;
  std::map<int, std::shared_ptr<job>> accepted_;  // whose outcome was not told yet
  waiting_list submitters_;
  waiting_list drainers_;
  bool draining_ = false;
};

const table<placing_pool, pool_bug> placing(
    "placing_pool", {"stop_now", "drain_deadline", "handles", "bounded", "fair", "job_timeout", "scaling"},
    {
        {pool_bug::frees_the_place_of_the_slow,
         "a job that has timed out and is slow to stop loses its place at once, and N + 1 jobs run",
         {{"WPL-2", "more jobs run than there are workers"}}},
        {pool_bug::replaces_no_worker,
         "a worker leaves after its tenth job and is not replaced: jobs wait beside an idle pool",
         {{"WPL-1", ""}, {"WPL-2", ""}, {"WPL-4", ""}, {"X-27", "every submit ends"}}},
        {pool_bug::wakes_one_drainer,
         "of two who drain, the last job's end wakes the first",
         {{"WPL-4", ""}, {"WPL-8", ""}, {"X-1", "every call ends"}}},
        {pool_bug::leaves_the_returned_open,
         "the outcome of a job that stop_now returned never settles",
         {{"X-1", "whoever asks for the outcome"}}},
        {pool_bug::drains_once,
         "a drain that finds another one under way ends at once (Go's http.Server.Shutdown)",
         {{"WPL-4", ""}, {"WPL-8", ""}}},
        {pool_bug::grows_beside_those_that_go,
         "scaled down and up again while all are busy: new workers come, and those that were to go are still "
         "there",
         {{"WPL-2", ""}, {"WPL-11", ""}}},
        {pool_bug::stops_the_next_job,
         "a timeout belongs to the worker, which calls it off when it becomes idle: the next job there is "
         "stopped",
         {{"WPL-10", "a timeout ends with its job"}}},
    });

}  // namespace
}  // namespace assay::wrong
