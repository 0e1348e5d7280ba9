// Pools that conform and have no queue at all: a job goes from its submitter straight to a worker, which is a task that
// is started for this one job. They claim nothing. While every worker is busy one lets its submitters wait, and takes
// whoever came last, the other refuses.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>
#include <assay/scenarios/flow/worker_pool/waiting.hpp>

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
    wake_all(submitters_);  // each looks, and finds the pool closed
    pool_waiter self(executor_);
    while (running_ > 0) co_await wait_in(drainers_, self, for_ever);
  }

 protected:
  awaitable<void> do_submit(item job, contract::worker_pool_request) override {
    if (draining_) throw contract::closed_error();
    if (running_ < workers_) {
      begin(std::move(job));
      co_return;
    }
    if (policy_ == when_busy::submitters_are_refused) throw contract::rejected_error("every worker is busy");
    pool_waiter self(executor_);
    self.offered = std::move(job);
    std::exception_ptr cancellation;
    try {
      co_await wait_in(submitters_, self, for_ever);
    } catch (...) {
      cancellation = std::current_exception();
    }
    if (self.taken) co_return;  // a worker has it, whatever was asked meanwhile
    if (cancellation) std::rethrow_exception(cancellation);
    if (draining_) throw contract::closed_error();
    contract::throw_cancelled();
  }

 private:
  static constexpr auto for_ever = asio::steady_timer::time_point::max();

  void begin(item job) {
    ++running_;
    asio::co_spawn(executor_, execute(std::move(job)),
                   [this](const std::exception_ptr& failure) { ended(failure); });
  }

  void ended(const std::exception_ptr& failure) {
    --running_;
    if (failure) env_.report_unhandled(failure);
    if (!draining_ && !submitters_.empty()) {
      pool_waiter& last = *submitters_.back();
      submitters_.pop_back();
      last.taken = true;
      begin(std::move(last.offered));
      last.timer.cancel();
    }
    wake_all(drainers_);
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const when_busy policy_;
  const std::size_t workers_;
  std::size_t running_ = 0;
  bool draining_ = false;
  pool_waiters submitters_;
  pool_waiters drainers_;
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
