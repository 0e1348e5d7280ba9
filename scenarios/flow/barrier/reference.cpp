#include <assay/reference/flow/barrier.hpp>

#include <exception>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/scenarios/flow/barrier/contract.hpp>

namespace assay {
namespace {

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::broken&) {
    throw contract::broken_error();
  }
}

std::size_t parties_of(const contract::barrier_config& config) {
  if (config.parties < 1) throw contract::rejected_error("a barrier for no parties");
  return static_cast<std::size_t>(config.parties);
}

class reference_barrier final : public contract::barrier {
 public:
  reference_barrier(const boost::asio::any_io_executor&, const contract::barrier_config& config)
      : barrier_(parties_of(config), config.on_cancel == contract::barrier_cancel::leaves
                                         ? reference::barrier_cancel::leaves
                                         : reference::barrier_cancel::breaks) {}
  awaitable<void> abort() override {
    barrier_.abort();
    co_return;
  }
  awaitable<void> reset() override {
    barrier_.reset();
    co_return;
  }
  std::size_t waiting() const override { return barrier_.waiting(); }

 protected:
  awaitable<std::size_t> do_wait() override { return translated(barrier_.wait(), &rethrow); }
  awaitable<std::size_t> do_wait_for(nanoseconds patience) override {
    return translated(barrier_.wait_until(reference::deadline_after(patience)), &rethrow);
  }

 private:
  reference::barrier barrier_;
};

const implements<reference_barrier> registered(
    "reference", subject_kind::reference,
    {.features = {"arrival_index", "cancel_breaks", "cancel_leaves", "release_wins", "abort", "reset",
                  "reset_breaks_released", "reject_zero", "timed", "statistics", "strict_entry",
                  "posted_wakeups", "checked_destruction"}});

}  // namespace
}  // namespace assay
