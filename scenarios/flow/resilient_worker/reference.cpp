// The reference's resilient worker, with the queue that it takes from.
#include <assay/reference/flow/resilient_worker.hpp>

#include <chrono>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {
namespace {

class reference_worker final : public contract::resilient_worker {
 public:
  reference_worker(const environment&, const contract::resilient_worker_config& config)
      : jobs_(config.capacity), worker_(jobs_, make_options(config)) {}

  awaitable<void> join() override { return jobs_.join(); }

 protected:
  awaitable<void> do_run() override { return worker_.run(); }
  awaitable<void> do_submit(item one) override {
    job fresh(std::move(one));
    co_await jobs_.push(fresh);
  }
  std::vector<item> do_take_back() override {
    std::vector<item> items;
    for (job& each : jobs_.close_now()) items.push_back(std::move(each.item));
    return items;
  }

 private:
  using worker = reference::resilient_worker<item>;
  using job = worker::job;

  worker::options make_options(const contract::resilient_worker_config& config) {
    worker::options how;
    how.process = [this](const job& one) {
      return process(one.item, static_cast<std::uint32_t>(one.attempts));
    };
    how.dead_letter = [this](job& one) {
      return dead_letter(one.item, one.failure, static_cast<std::uint32_t>(one.attempts));
    };
    how.lost = [this](job one, const std::exception_ptr& unwritten) {
      lost(std::move(one.item), one.failure, static_cast<std::uint32_t>(one.attempts), unwritten);
    };
    if (config.attempts_max > 0) how.attempts_max = static_cast<std::size_t>(config.attempts_max);
    how.dead_letter_patience = std::chrono::nanoseconds(config.dead_letter_patience_ns);
    return how;
  }

  worker::queue jobs_;
  worker worker_;
};

const implements<reference_worker> the_reference("reference", subject_kind::reference,
                                                 {.features = {"requeue", "dead_letter", "attempts",
                                                               "attempt_cap", "join"}});

}  // namespace
}  // namespace assay
