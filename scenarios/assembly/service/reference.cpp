#include <assay/scenarios/assembly/service/reference.hpp>

#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <limits>
#include <stdexcept>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace asio = boost::asio;
using reference::shutdown_phase;

reference_service::reference_service(asio::any_io_executor executor, const contract::service_config& config,
                                     service_defects wrong)
    : executor_(std::move(executor)), config_(config), wrong_(wrong) {}

reference_service::inner_service::options reference_service::options_for(
    const contract::service_config& config) {
  inner_service::options how;
  const bool unbounded = wrong_.has_no_bound;
  how.queue_capacity = unbounded ? 1'000'000 : static_cast<std::size_t>(config.queue_capacity);
  how.workers = static_cast<std::size_t>(config.workers);
  how.work.process = [this](const inner_service::job& one) { return process(one); };
  how.work.dead_letter = [this](inner_service::job& one) { return bury(one); };
  how.work.lost = [](const inner_service::job& one, const std::exception_ptr&) { give_up(one.item); };
  how.work.attempts_max = 1'000;
  auto& budgets = how.shutdown.budgets;
  using std::chrono::nanoseconds;
  budgets.drain = nanoseconds(config.drain_ns);
  if (wrong_.drain_overflows) budgets.drain = overflowing_limit(budgets.drain);
  budgets.force =
      wrong_.waits_for_the_deaf ? nanoseconds(std::chrono::hours(1)) : nanoseconds(config.force_ns);
  if (wrong_.abandons_at_once) budgets.force = nanoseconds(0);
  budgets.background = nanoseconds(0);
  budgets.cleanup = nanoseconds(config.cleanup_ns);
  budgets.callback = nanoseconds(config.cleanup_ns / 2);
  budgets.total = detail::saturated_sum(budgets.drain, detail::saturated_sum(budgets.force, budgets.cleanup));
  how.shutdown.on_phase = [this](shutdown_phase phase) { phase_entered(phase); };
  return how;
}

void reference_service::connected() {
  try {
    inner_.emplace(executor_, options_for(config_));
  } catch (const std::invalid_argument& refusal) {
    throw contract::rejected_error(refusal.what());
  }
  auto& shutdown = inner().shutdown();
  const auto& around = outside();
  if (wrong_.closes_in_order_of_opening) {
    shutdown.add_resource("both", around.open_store, [this] { return close_both(); });
    shutdown.add_resource("sink", around.open_sink, [] { return close_nothing(); });
  } else {
    shutdown.add_resource("store", around.open_store, around.close_store);
    shutdown.add_resource("sink", around.open_sink, around.close_sink);
  }
}

asio::awaitable<void> reference_service::close_both() {
  co_await outside().close_store();
  co_await outside().close_sink();
}

void reference_service::phase_entered(shutdown_phase phase) {
  const auto tell = [this](std::string_view what) {
    if (outside().event) outside().event(what);
  };
  switch (phase) {
    case shutdown_phase::not_ready:
      if (wrong_.ready_a_turn_too_long) {
        *late_to_say_no_ = true;
        asio::post(executor_, [late = late_to_say_no_] { *late = false; });
      }
      tell("not ready");
      break;
    case shutdown_phase::stop_accepting:
      tell("stop accepting");
      break;
    case shutdown_phase::force_cancel:
      tell("force cancel");
      break;
    case shutdown_phase::stop_background:
      tell("drain end");
      break;
    case shutdown_phase::cleanup:
      tell("background stopped");
      break;
    case shutdown_phase::stopped:
      tell("stopped");
      break;
    case shutdown_phase::created:
    case shutdown_phase::starting:
    case shutdown_phase::running:
    case shutdown_phase::grace:
    case shutdown_phase::drain:
    case shutdown_phase::final_log:
      break;
  }
}

asio::awaitable<void> reference_service::process(const inner_service::job& one) {
  std::exception_ptr failure;
  try {
    co_await work_on(one.item);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  // The defect: a cancelled item counts as processed, and is gone.
  if (wrong_.drops_what_a_stopped_worker_holds && reference::is_cancellation(failure)) co_return;
  std::rethrow_exception(failure);
}

asio::awaitable<void> reference_service::bury(inner_service::job& one) {
  give_up(one.item);
  co_return;
}

asio::awaitable<void> reference_service::do_submit(item one) {
  std::exception_ptr failure;
  try {
    co_await inner().submit(one);
  } catch (const reference::closed&) {
    failure = std::make_exception_ptr(contract::closed_error());
    if (wrong_.accepts_while_it_drains && stop_asked_ && inner().is_live()) {
      late_.push_back(std::move(one));
      failure = nullptr;
    }
  } catch (...) {
    failure = std::current_exception();
    if (wrong_.keeps_the_item_of_a_cancelled_submit && reference::is_cancellation(failure)) {
      late_.push_back(std::move(one));
      failure = nullptr;  // the defect: it says that the item was accepted
    }
  }
  if (failure) std::rethrow_exception(failure);
}

asio::awaitable<contract::service_report> reference_service::run() {
  const reference::shutdown_report seen = co_await inner().run();
  contract::service_report report;
  report.cancelled = seen.cancelled;
  report.survivors = seen.survivors;
  if (wrong_.does_not_name_the_deaf) report.survivors.clear();
  for (const auto& failure : seen.failures)
    report.failures.push_back({failure.name, describe(failure.error)});
  if (wrong_.reports_the_first_failure_only && report.failures.size() > 1) report.failures.resize(1);
  co_return report;
}

void reference_service::request_stop() {
  if (wrong_.ignores_an_early_stop && !inner().is_ready()) return;
  stop_asked_ = true;
  inner().request_stop();
}

bool reference_service::ready() const {
  if (wrong_.stays_ready) return inner().is_live();
  return inner().is_ready() || *late_to_say_no_;
}

bool reference_service::live() const {
  return inner().is_live() && !(wrong_.dies_at_the_stop && stop_asked_);
}

std::vector<item> reference_service::do_take_back() {
  std::vector<item> items;
  for (item& one : inner().take_back()) {
    if (!wrong_.forgets_what_is_queued) items.push_back(std::move(one));
  }
  return items;
}

namespace {

const detail::registrar registered(std::make_unique<subject<contract::service>>(
    "reference", subject_kind::reference, subject_traits{.features = {"dead_letter"}},
    [](environment& env, const contract::service_config& config) {
      return std::make_unique<reference_service>(env.executor(), config, service_defects{});
    }));

}  // namespace

}  // namespace assay
