// The reference's coordinator behind the contract.
#include <assay/reference/lifecycle/graceful_shutdown.hpp>

#include <boost/asio/post.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {
namespace {

/// Where signals come from in a trial: as asio::signal_set, it keeps those that nobody waits for yet.
class signal_source {
 public:
  explicit signal_source(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}
  void async_wait(std::function<void(const boost::system::error_code&, int)> handler) {
    handler_ = std::move(handler);
    deliver();
  }
  void raise() {
    ++raised_;
    deliver();
  }

 private:
  void deliver() {
    if (!handler_ || raised_ == 0) return;
    --raised_;
    boost::asio::post(executor_, [handler = std::exchange(handler_, nullptr)] { handler({}, 15); });
  }

  boost::asio::any_io_executor executor_;
  std::function<void(const boost::system::error_code&, int)> handler_;
  int raised_ = 0;
};

/// A call that the reference may refuse.
template <class Call>
void translated(Call call) {
  try {
    call();
  } catch (const reference::not_accepting& refusal) {
    throw contract::rejected_error(refusal.what());
  } catch (const reference::shutdown_too_far& refusal) {
    throw contract::rejected_error(refusal.what());
  } catch (const std::invalid_argument& refusal) {
    throw contract::rejected_error(refusal.what());
  }
}

class reference_shutdown : public contract::graceful_shutdown {
 public:
  reference_shutdown(environment& env, const config& wanted) : signals_(env.executor()) {
    translated([&] { subject_.emplace(env.executor(), options_of(wanted, observers_)); });
    forwarder_.emplace(signals_, *subject_);
  }

  void on_failure(failure_hook hook) override { observers_->failure = std::move(hook); }
  void on_forced(forced_hook hook) override { observers_->forced = std::move(hook); }
  void add_resource(std::string name, async_function start, async_function stop) override {
    subject_->add_resource(std::move(name), std::move(start), std::move(stop));
  }
  void add_background(std::string name, async_function work) override {
    translated([&] { subject_->add_background(std::move(name), std::move(work)); });
  }
  void add_callback(std::string name, function callback) override {
    translated([&] { subject_->add_callback(std::move(name), std::move(callback)); });
  }
  void add_async_callback(std::string name, async_function callback) override {
    translated([&] { subject_->add_callback(std::move(name), std::move(callback)); });
  }
  void request_stop() override { subject_->request_stop(); }
  void escalate() override { subject_->escalate(); }
  void signal() override { signals_.raise(); }
  bool ready() const override { return subject_->is_ready(); }
  contract::late_registration late_policy() const override { return contract::late_registration::joins; }
  int open_connection(close_hook close) override {
    const auto told = [close = std::move(close)](reference::connection_close how) {
      close(static_cast<contract::connection_close>(how));
    };
    using connection = reference::graceful_shutdown::connection;
    translated([&] { connections_[++last_connection_] = std::make_unique<connection>(*subject_, told); });
    return last_connection_;
  }
  void set_busy(int which, bool busy) override { connections_.at(which)->set_busy(busy); }
  void connection_closed(int which) override { connections_.erase(which); }

 protected:
  void do_observe(phase_hook observer) override { observers_->phase = std::move(observer); }
  awaitable<contract::shutdown_report> do_run() override {
    reference::shutdown_report from = co_await subject_->run();
    contract::shutdown_report to;
    to.unfinished = from.cancelled;
    for (const std::string& each : from.survivors)
      if (admitted_.contains(each)) to.unfinished.push_back(each);
    to.survivors = from.survivors;
    for (const reference::task_failure& each : from.failures)
      to.failures.push_back({each.name, each.error, each.secondary});
    to.forced = from.forced();
    co_return to;
  }
  void do_admit(std::string name, async_function work) override {
    translated([&] { subject_->admit(name, work()); });
    admitted_.insert(std::move(name));
  }

 private:
  /// Survivors may tell of a failure when the coordinator is gone.
  struct observers {
    phase_hook phase;
    failure_hook failure;
    forced_hook forced;
  };

  static reference::graceful_shutdown_options options_of(const config& wanted,
                                                         const std::shared_ptr<observers>& seen) {
    reference::graceful_shutdown_options options;
    options.budgets = {wanted.grace,    wanted.drain,   wanted.force,    wanted.background,
                       wanted.callback, wanted.cleanup, wanted.pre_stop, wanted.total};
    options.on_background_failure = static_cast<reference::background_failure>(wanted.on_failure);
    options.restart_delay = wanted.restart_delay;
    options.on_phase = [seen](reference::shutdown_phase phase) {
      // The contract has no phase `created`, and nobody is told of it.
      if (seen->phase) seen->phase(static_cast<contract::shutdown_phase>(static_cast<int>(phase) - 1));
    };
    options.on_forced = [seen](const reference::forced_action& action) {
      if (seen->forced) seen->forced(action.name);
    };
    options.unhandled = [seen](const reference::task_failure& failure) {
      if (seen->failure) seen->failure(failure.name, failure.error);
    };
    return options;
  }

  const std::shared_ptr<observers> observers_ = std::make_shared<observers>();
  std::optional<reference::graceful_shutdown> subject_;
  std::set<std::string, std::less<>> admitted_;
  std::map<int, std::unique_ptr<reference::graceful_shutdown::connection>> connections_;
  int last_connection_ = 0;
  signal_source signals_;
  std::optional<reference::signal_forwarder<signal_source>> forwarder_;
};

const implements<reference_shutdown> plain(
    "reference", subject_kind::reference,
    {.features = {"grace", "force", "callbacks", "budgets", "supervision", "restart", "signals",
                  "shut_down_on_failure", "late_registration", "connections", "stop_on_cancel",
                  "cancel_escalates"}});

}  // namespace
}  // namespace assay
