// A pool that conforms and does otherwise wherever the standard leaves it free: it begins the youngest job
// first, refuses what has no room, has no handles, executes jobs that running jobs hand in during a drain,
// becomes stop_now when its drainer is cancelled, notices the end of a drain late, and refuses to be started
// twice or drained unstarted.
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "harness/campaign/catalogue.hpp"
#include "reference/core/cancellation.hpp"
#include "scenarios/flow/worker_pool/reference.hpp"

ASSAY_PART(worker_pool_alternative)

namespace assay {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

asio::awaitable<void> sleep(std::chrono::nanoseconds how_long) {
  asio::steady_timer timer(co_await asio::this_coro::executor, how_long);
  co_await timer.async_wait(asio::use_awaitable);
}

class other_pool final : public reference_pool {
 public:
  other_pool(environment& env, const contract::worker_pool_config& config)
      : reference_pool(env, config), state_(config.started ? state::open : state::unstarted) {}

  awaitable<void> drain() override {
    if (state_ == state::unstarted) throw contract::rejected_error("not started");
    state_ = state::draining;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    bool cancelled = false;
    while (!cancelled && pool().running() + pool().queued() > 0) {
      try {
        co_await sleep(1ms);
      } catch (...) {
        cancelled = true;
      }
    }
    if (cancelled) {
      const std::vector<item> unstarted = items_of(pool().stop_now());
      for (const item& job : unstarted) hand_back(job);
    }
    co_await reference::shield(pool().drain());
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (cancelled) contract::throw_cancelled();
  }
  bool drains_nested() const override { return true; }
  void start() override {
    const bool restart = state_ == state::draining && pool().has_ended();
    if (state_ != state::unstarted && !restart) throw contract::rejected_error("running");
    state_ = state::open;
    reference_pool::start();
  }

 protected:
  awaitable<void> do_submit(item job, contract::worker_pool_request how) override {
    if (state_ == state::draining) throw contract::closed_error();
    accept(std::move(job), how);
    co_return;
  }
  awaitable<void> do_submit_from_job(int, item job) override {
    accept(std::move(job), contract::worker_pool_request());
    co_return;
  }
  awaitable<std::vector<item>> do_stop_now() override {
    state_ = state::draining;
    return reference_pool::do_stop_now();
  }

 private:
  enum class state { unstarted, open, draining };

  void accept(item job, const contract::worker_pool_request& how) {
    const int id = job.id();
    auto work = work_for(std::move(job));
    reference::job_options options = options_for(id, how);
    options.priority = ++accepted_;
    std::exception_ptr failure;
    try {
      // The handle is dropped at once: failures go to the hook.
      if (!pool().try_submit(work, std::move(options))) throw contract::rejected_error("full");
      return;
    } catch (const reference::closed&) {
      failure = std::make_exception_ptr(contract::closed_error());
    } catch (...) {
      failure = std::current_exception();
    }
    forget(id);
    std::rethrow_exception(failure);
  }

  state state_;
  int accepted_ = 0;
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
