// The reference's assembled service behind the contract.
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <exception>
#include <iterator>
#include <optional>
#include <stdexcept>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/assembly/service.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using reference::shutdown_phase;
using std::chrono::nanoseconds;

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::closed&) {
    throw contract::closed_error();
  }
}

class reference_service final : public contract::service {
 public:
  reference_service(asio::any_io_executor executor, const contract::service_config& config)
      : executor_(std::move(executor)), config_(config) {}

  awaitable<contract::service_report> run() override {
    const reference::shutdown_report seen = co_await inner_->run();
    contract::service_report report;
    report.cancelled = seen.cancelled;
    report.survivors = seen.survivors;
    for (const auto& failure : seen.failures)
      report.failures.push_back({failure.name, describe(failure.error)});
    co_return report;
  }
  void request_stop() override { inner_->request_stop(); }
  bool ready() const override { return inner_->is_ready(); }
  bool live() const override { return inner_->is_live(); }
  std::size_t buffered() const override { return inner_->buffered(); }

 protected:
  void connected() override {
    try {
      inner_.emplace(executor_, options());
    } catch (const std::invalid_argument& refusal) {
      throw contract::rejected_error(refusal.what());
    }
    inner_->shutdown().add_resource("store", outside().open_store, outside().close_store);
    inner_->shutdown().add_resource("sink", outside().open_sink, outside().close_sink);
  }
  awaitable<void> do_submit(item one) override { co_await translated(inner_->submit(one), rethrow); }
  std::vector<item> do_take_back() override {
    auto rest = inner_->take_back();
    return {std::move_iterator(rest.begin()), std::move_iterator(rest.end())};
  }

 private:
  using inner_service = reference::service<item>;

  inner_service::options options() {
    inner_service::options how;
    how.queue_capacity = static_cast<std::size_t>(config_.queue_capacity);
    how.workers = static_cast<std::size_t>(config_.workers);
    how.work.process = [this](const inner_service::job& one) { return work_on(one.item); };
    how.work.dead_letter = [](inner_service::job& one) { return bury(one); };
    how.work.lost = [](const inner_service::job& one, const std::exception_ptr&) { give_up(one.item); };
    how.work.attempts_max = 1'000;
    auto& budgets = how.shutdown.budgets;
    budgets.drain = nanoseconds(config_.drain_ns);
    budgets.force = nanoseconds(config_.force_ns);
    budgets.background = nanoseconds(0);
    budgets.cleanup = nanoseconds(config_.cleanup_ns);
    budgets.callback = nanoseconds(config_.cleanup_ns / 2);
    budgets.total =
        detail::saturated_sum(budgets.drain, detail::saturated_sum(budgets.force, budgets.cleanup));
    how.shutdown.on_phase = [this](shutdown_phase phase) { phase_entered(phase); };
    return how;
  }
  static awaitable<void> bury(inner_service::job& one) {
    give_up(one.item);
    co_return;
  }
  void phase_entered(shutdown_phase phase) const {
    const auto tell = [this](std::string_view what) {
      if (outside().event) outside().event(what);
    };
    if (phase == shutdown_phase::not_ready) tell("not ready");
    if (phase == shutdown_phase::stop_accepting) tell("stop accepting");
    if (phase == shutdown_phase::force_cancel) tell("force cancel");
    if (phase == shutdown_phase::stop_background) tell("drain end");
    if (phase == shutdown_phase::cleanup) tell("background stopped");
    if (phase == shutdown_phase::stopped) tell("stopped");
  }

  asio::any_io_executor executor_;
  contract::service_config config_;
  std::optional<inner_service> inner_;
};

const implements<reference_service> registered("reference", subject_kind::reference,
                                               {.features = {"dead_letter", "all_workers"}});

}  // namespace
}  // namespace assay
