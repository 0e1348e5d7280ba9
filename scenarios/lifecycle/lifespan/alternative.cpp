// Lifespans of other makes. The first conforms to the core: one level of recursion per resource, as nested
// `async with` blocks would have it. A request interrupts whatever step is under way, a stop as well, and is
// spent with that; only the first failure is the outcome, those of stops beside it go to the hook for
// unhandled ones.
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>
#include <assay/scenarios/lifecycle/lifespan/managed_lifespan.hpp>

namespace assay {
namespace {

class nested_lifespan final : public contract::lifespan {
 public:
  nested_lifespan(environment& surroundings, const contract::lifespan_config&) : environment_(surroundings) {}

 protected:
  void do_add(std::string name, step start, step stop) override {
    (void)name;  // only one failure is ever told, so nobody asks whose it is
    levels_.emplace_back(std::move(start), std::move(stop));
  }

  awaitable<void> do_run(step body) override {
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const std::exception_ptr failure = co_await failure_of(enter(0, std::move(body)));
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    if (failure) std::rethrow_exception(failure);
  }

 private:
  awaitable<void> enter(std::size_t level, step body) {
    if (level == levels_.size()) {
      co_await body();
      co_return;
    }
    co_await levels_[level].first();
    std::exception_ptr failure = co_await failure_of(enter(level + 1, std::move(body)));
    const std::exception_ptr of_the_stop = co_await failure_of(levels_[level].second());
    if (of_the_stop) keep_first(failure, of_the_stop);
    if (failure) std::rethrow_exception(failure);
  }

  void keep_first(std::exception_ptr& first, std::exception_ptr next) {
    if (!first || is_cancellation(first)) std::swap(first, next);
    if (next && !is_cancellation(next)) environment_.report_unhandled(next);
  }

  environment& environment_;
  std::vector<std::pair<step, step>> levels_;
};

// The least of lifespans.
const implements<nested_lifespan> nested("nested", subject_kind::alternative, {});
const implements<managed_lifespan> managed(
    "managed", subject_kind::alternative,
    {.features = {"users", "bounded_stop", "single_use", "transient", "shielded_stop", "attached_failures",
                  "level_triggered", "late_refusal", "strict_entry", "checked_destruction"}});

}  // namespace
}  // namespace assay
