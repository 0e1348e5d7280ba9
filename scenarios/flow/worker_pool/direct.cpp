// The least pool: it claims nothing, and has no queue. A job goes from its submitter straight to a worker, which is a task
// that is started for this one job. While every worker is busy one lets its submitters wait, and takes whoever came last,
// the other refuses.
#include <boost/asio/co_spawn.hpp>
#include <cstddef>
#include <exception>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>
#include <assay/scenarios/flow/worker_pool/waiting.hpp>

namespace assay {
namespace {

enum class when_busy { submitters_wait, submitters_are_refused };

class direct_pool final : public contract::worker_pool {
 public:
  direct_pool(environment& env, const contract::worker_pool_config& config, when_busy policy)
      : env_(env), policy_(policy), workers_(static_cast<std::size_t>(config.workers)) {}

  awaitable<void> drain() override {
    draining_ = true;
    wake_all(submitters_);  // each looks, and finds the pool closed
    pool_waiter self(env_.executor());
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
    pool_waiter self(env_.executor());
    self.offered = std::move(job);
    const std::exception_ptr cancellation = co_await failure_of(wait_in(submitters_, self));
    if (self.taken) co_return;  // a worker has it, whatever was asked meanwhile
    if (cancellation) std::rethrow_exception(cancellation);
    throw contract::closed_error();
  }

 private:
  void begin(item job) {
    ++running_;
    boost::asio::co_spawn(env_.executor(), execute(std::move(job)),
                          [this](const std::exception_ptr& failure) { ended(failure); });
  }

  void ended(const std::exception_ptr& failure) {
    --running_;
    if (failure) env_.report_unhandled(failure);
    if (!draining_ && !submitters_->empty()) {
      pool_waiter& last = *submitters_->back();
      submitters_->pop_back();
      last.taken = true;
      last.timer.cancel();
      begin(std::move(last.offered));
    }
    wake_all(drainers_);
  }

  environment& env_;
  const when_busy policy_;
  const std::size_t workers_;
  std::size_t running_ = 0;
  bool draining_ = false;
  const pool_line submitters_ = make_line();
  const pool_line drainers_ = make_line();
};

const implements<direct_pool> least("direct_pool", subject_kind::alternative, {}, when_busy::submitters_wait);
const implements<direct_pool> refuses("direct_pool_that_refuses", subject_kind::alternative, {},
                                      when_busy::submitters_are_refused);

}  // namespace
}  // namespace assay
