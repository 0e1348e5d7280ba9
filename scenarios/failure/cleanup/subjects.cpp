// Cleanup scopes of other makes. The first conforms to the core and to nothing else: a list, and a loop over it in the
// coroutine that runs the body. A request interrupts whatever step of cleanup is under way and is spent with that; only
// the first failure is the outcome, those beside it go to the hook for unhandled ones; and it can be used again.
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/cleanup/alternative.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

namespace assay {
namespace {

class listed_cleanup final : public contract::cleanup {
 public:
  listed_cleanup(environment& env, const contract::cleanup_config&) : environment_(env) {}

 protected:
  awaitable<void> do_run(step body) override { return holding_requests(run_and_close(std::move(body))); }
  awaitable<void> do_acquire(contract::cleanup_resource what) override {
    if (!what.close) throw contract::rejected_error("it cannot be closed");
    const step acquisition = what.acquire;
    co_await acquisition();
    open_.push_back(std::move(what));
  }
  awaitable<void> do_close() override { return holding_requests(close_all(nullptr)); }

 private:
  awaitable<void> run_and_close(step body) {
    const std::exception_ptr failure = co_await failure_of(body());
    co_await close_all(failure);
  }
  awaitable<void> close_all(std::exception_ptr first) {
    while (!open_.empty()) {
      const contract::cleanup_resource last = std::move(open_.back());
      open_.pop_back();
      for (const step* const next : {&last.flush, &last.close}) {
        const std::exception_ptr failure = co_await failure_of((*next)());
        if (failure) keep_first(first, failure);
      }
    }
    if (first) std::rethrow_exception(first);
  }
  void keep_first(std::exception_ptr& first, std::exception_ptr next) {
    if (!first || is_cancellation(first)) std::swap(first, next);
    if (next && !is_cancellation(next)) environment_.report_unhandled(next);
  }

  environment& environment_;
  std::vector<contract::cleanup_resource> open_;
};

const implements<listed_cleanup> least("least", subject_kind::alternative, {});
const implements<tasked_cleanup> tasked("tasked", subject_kind::alternative,
                                        {.features = claims_of_tasked_cleanup()}, cleanup_defect::none);

}  // namespace
}  // namespace assay
