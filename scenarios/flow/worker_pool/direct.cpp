// Pools that conform and have no queue at all: a job goes from its submitter straight to a worker, which is a task that
// is started for this one job. They claim nothing. While every worker is busy one lets its submitters wait, and takes
// whoever came last, the other refuses.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include "harness/campaign/catalogue.hpp"
#include "scenarios/flow/worker_pool/contract.hpp"

ASSAY_PART(worker_pool_direct)

namespace assay {
namespace {

namespace asio = boost::asio;

enum class when_busy { submitters_wait, submitters_are_refused };

class direct_pool final : public contract::worker_pool {
 public:
  direct_pool(environment& env, const contract::worker_pool_config& config, when_busy policy)
      : env_(env),
        executor_(env.executor()),
        policy_(policy),
        workers_(static_cast<std::size_t>(config.workers)) {}

  awaitable<void> drain() override {
    draining_ = true;
    for (waiter* const one : submitters_) one->timer.cancel();  // each looks, and finds the pool closed
    waiter self(executor_);
    while (running_ > 0) co_await wait_in(drainers_, self);
  }

 protected:
  awaitable<void> do_submit(item job, contract::worker_pool_request) override {
    if (draining_) throw contract::closed_error();
    if (running_ < workers_) {
      begin(std::move(job));
      co_return;
    }
    if (policy_ == when_busy::submitters_are_refused) throw contract::rejected_error("every worker is busy");
    waiter self(executor_);
    self.offered = std::move(job);
    std::exception_ptr cancellation;
    try {
      co_await wait_in(submitters_, self);
    } catch (...) {
      cancellation = std::current_exception();
    }
    if (self.taken) co_return;  // a worker has it, whatever was asked meanwhile
    if (cancellation) std::rethrow_exception(cancellation);
    if (draining_) throw contract::closed_error();
    contract::throw_cancelled();
  }

 private:
  struct waiter {
    explicit waiter(const asio::any_io_executor& executor)
        : timer(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;
    item offered;
    bool taken = false;
  };

  // Until somebody wakes or cancels it.
  static awaitable<void> wait_in(std::vector<waiter*>& where, waiter& self) {
    where.push_back(&self);
    boost::system::error_code ended;
    std::exception_ptr failure;
    try {
      co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(where, &self);
    if (failure) std::rethrow_exception(failure);
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
  }

  void begin(item job) {
    ++running_;
    asio::co_spawn(executor_, execute(std::move(job)),
                   [this](const std::exception_ptr& failure) { ended(failure); });
  }

  void ended(const std::exception_ptr& failure) {
    --running_;
    if (failure) env_.report_unhandled(failure);
    if (!draining_ && !submitters_.empty()) {
      waiter& last = *submitters_.back();
      submitters_.pop_back();
      last.taken = true;
      begin(std::move(last.offered));
      last.timer.cancel();
    }
    for (waiter* const one : drainers_) one->timer.cancel();
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const when_busy policy_;
  const std::size_t workers_;
  std::size_t running_ = 0;
  bool draining_ = false;
  std::vector<waiter*> submitters_;
  std::vector<waiter*> drainers_;
};

detail::registrar direct(const char* name, when_busy policy) {
  return detail::registrar(std::make_unique<subject<contract::worker_pool>>(
      name, subject_kind::alternative, subject_traits{},
      [policy](environment& env, const contract::worker_pool_config& config) {
        return std::make_unique<direct_pool>(env, config, policy);
      }));
}

const detail::registrar waits = direct("direct_pool", when_busy::submitters_wait);
const detail::registrar refuses = direct("direct_pool_that_refuses", when_busy::submitters_are_refused);

}  // namespace
}  // namespace assay
