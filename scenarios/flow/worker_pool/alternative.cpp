// A pool that conforms and does otherwise wherever the standard leaves it free: it begins the youngest job
// first, refuses what has no room, has no handles, executes jobs that running jobs hand in during a drain,
// becomes stop_now when its drainer is cancelled, notices the end of a drain late, and refuses to be started
// twice or drained unstarted. It has no workers: every job is a task of its own, which begins when its turn comes.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> sleep(std::chrono::nanoseconds how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
  co_await timer.async_wait(asio::use_awaitable);
}

class other_pool final : public contract::worker_pool {
 public:
  other_pool(environment& env, const contract::worker_pool_config& config)
      : env_(env),
        executor_(env.executor()),
        workers_(static_cast<std::size_t>(config.workers)),
        capacity_(static_cast<std::size_t>(config.queue_capacity)),
        state_(config.started ? state::open : state::unstarted),
        quiet_(executor_, asio::steady_timer::time_point::max()) {}
  ~other_pool() override { *here_ = nullptr; }

  awaitable<void> drain() override { return scope(drain_or_stop()); }
  bool drains_nested() const override { return true; }
  void start() override {
    const bool restart = (state_ == state::draining || state_ == state::stopped) && !in_use();
    if (state_ != state::unstarted && !restart) throw contract::rejected_error("running");
    state_ = state::open;
    move_on();
  }
  void do_scale_to(std::int64_t workers) override {
    workers_ = static_cast<std::size_t>(workers);
    move_on();
  }

 protected:
  awaitable<void> do_submit(item one, contract::worker_pool_request how) override {
    if (state_ == state::draining) throw contract::closed_error();
    accept(std::move(one), how);
    co_return;
  }
  awaitable<void> do_submit_from_job(int, item one) override {
    accept(std::move(one), contract::worker_pool_request());
    co_return;
  }
  awaitable<std::vector<item>> do_stop_now() override {
    std::vector<item> unstarted = stop();
    co_await shield(idle());
    co_return unstarted;
  }

 private:
  enum class state { unstarted, open, draining, stopped };

  struct job {
    job(item handed_in, std::chrono::nanoseconds may_take, const asio::any_io_executor& executor)
        : one(std::move(handed_in)), timeout(may_take), limit(executor) {}
    item one;
    const std::chrono::nanoseconds timeout;  // 0: none
    bool begun = false;
    bool ended = false;
    bool timed_out = false;
    asio::cancellation_signal signal;
    asio::steady_timer limit;

    void ask() {
      if (!ended) signal.emit(asio::cancellation_type::terminal);
    }
  };
  using job_ptr = std::shared_ptr<job>;
  // Where the pool is, for tasks that may outlive it.
  using whereabouts = std::shared_ptr<other_pool*>;

  bool in_use() const noexcept { return !running_.empty() || !queue_.empty(); }
  bool may_begin() const noexcept {
    return (state_ == state::open || state_ == state::draining) && running_.size() < workers_;
  }

  void accept(item one, const contract::worker_pool_request& how) {
    if (state_ == state::stopped) throw contract::closed_error();
    if (!may_begin() && queue_.size() >= capacity_) throw contract::rejected_error("full");
    queue_.push_back(
        std::make_shared<job>(std::move(one), std::chrono::nanoseconds(how.timeout_ns), executor_));
    move_on();
  }

  void move_on() {
    while (may_begin() && !queue_.empty()) {
      const job_ptr mine = std::move(queue_.back());
      queue_.pop_back();
      running_.push_back(mine);
      auto ended = [here = here_, mine](const std::exception_ptr& failure) {
        mine->ended = true;
        mine->limit.cancel();
        if (*here) (*here)->end(mine, failure);
      };
      asio::co_spawn(executor_, work(here_, mine),
                     asio::bind_cancellation_slot(mine->signal.slot(), std::move(ended)));
    }
  }

  static awaitable<void> work(whereabouts here, job_ptr mine) {
    if (!*here || !mine->one) co_return;  // it was returned
    mine->begun = true;
    if (mine->timeout != 0ns) {
      mine->limit.expires_at(deadline_after(mine->timeout));
      mine->limit.async_wait([mine](const boost::system::error_code& error) {
        if (error || mine->ended) return;
        mine->timed_out = true;
        mine->ask();
      });
    }
    auto execution = (*here)->execute(std::move(mine->one));
    std::exception_ptr failure;
    try {
      co_await std::move(execution);
    } catch (...) {
      failure = std::current_exception();
    }
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await asio::this_coro::throw_if_cancelled(false);
    if (failure) std::rethrow_exception(failure);
  }

  // Nobody holds a handle: what a job failed with goes to the hook.
  void end(const job_ptr& mine, const std::exception_ptr& failure) {
    std::erase(running_, mine);
    if (failure && !is_cancellation(failure)) env_.report_unhandled(failure);
    if (mine->timed_out && is_cancellation(failure))
      env_.report_unhandled(std::make_exception_ptr(contract::timed_out_error()));
    move_on();
    if (!in_use()) quiet_.cancel();
  }

  awaitable<void> drain_or_stop() {
    if (state_ == state::unstarted) throw contract::rejected_error("not started");
    if (state_ == state::open) state_ = state::draining;
    std::exception_ptr cancellation;
    try {
      while (in_use()) co_await sleep(1ms);
    } catch (...) {
      cancellation = std::current_exception();
    }
    if (!cancellation) co_return;
    const std::vector<item> unstarted = stop();
    for (const item& one : unstarted) hand_back(one);
    co_await hold_requests;
    co_await shield(idle());
    std::rethrow_exception(cancellation);
  }

  awaitable<void> idle() {
    boost::system::error_code rung;
    while (in_use()) co_await quiet_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
  }

  std::vector<item> stop() {
    state_ = state::stopped;
    const auto running = running_;  // who is asked may end at once
    std::vector<item> unstarted;
    for (const auto& from : {running, queue_}) {
      for (const job_ptr& one : from) {
        if (!one->begun) unstarted.push_back(std::move(one->one));
      }
    }
    queue_.clear();
    for (const job_ptr& one : running) {
      if (one->begun) one->ask();
    }
    return unstarted;
  }

  environment& env_;
  const asio::any_io_executor executor_;
  std::size_t workers_;
  const std::size_t capacity_;
  state state_;
  std::vector<job_ptr> queue_;
  std::vector<job_ptr> running_;
  asio::steady_timer quiet_;  // rings when nothing runs and nothing waits
  const whereabouts here_ = std::make_shared<other_pool*>(this);
};

const detail::registrar registered(std::make_unique<subject<contract::worker_pool>>(
    "does_otherwise", subject_kind::alternative,
    subject_traits{.features = {"stop_now", "nested_submit", "bounded", "restartable", "job_timeout",
                                "scaling", "lifetime"}},
    [](environment& env, const contract::worker_pool_config& config) {
      return std::make_unique<other_pool>(env, config);
    }));

}  // namespace
}  // namespace assay
