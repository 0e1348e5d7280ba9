// The reference's coordinator as a subject. Mutants that differ from it by one call derive from it.
#pragma once

#include <boost/asio/post.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/environment.hpp>
#include <assay/reference/lifecycle/graceful_shutdown.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay::adapters {

inline std::vector<std::string> every_shutdown_feature() {
  return {"grace",
          "force",
          "callbacks",
          "budgets",
          "supervision",
          "restart",
          "signals",
          "shut_down_on_failure",
          "late_registration",
          "connections",
          "stop_on_cancel",
          "cancel_escalates"};
}

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

class reference_shutdown : public contract::graceful_shutdown {
 public:
  reference_shutdown(environment& env, const config& wanted)
      : observers_(std::make_shared<observers>()),
        subject_(make(env, wanted)),
        signals_(env.executor()),
        forwarder_(signals_, *subject_) {}

  void on_failure(std::function<void(std::string, std::exception_ptr)> hook) override {
    observers_->failure = std::move(hook);
  }
  void on_forced(std::function<void(std::string)> hook) override { observers_->forced = std::move(hook); }
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
  int open_connection(std::function<void(contract::connection_close)> close) override {
    using reference::connection_close;
    const auto told = [close = std::move(close)](connection_close how) {
      close(how == connection_close::now ? contract::connection_close::now
                                         : contract::connection_close::after_response);
    };
    translated([&] {
      connections_[++last_connection_] =
          std::make_unique<reference::graceful_shutdown::connection>(*subject_, told);
    });
    return last_connection_;
  }
  void set_busy(int connection, bool busy) override { connections_.at(connection)->set_busy(busy); }
  void connection_closed(int connection) override { connections_.erase(connection); }

 protected:
  void do_observe(std::function<void(contract::shutdown_phase)> observer) override {
    observers_->phase = std::move(observer);
  }
  awaitable<contract::shutdown_report> do_run() override {
    reference::shutdown_report report = co_await subject_->run();
    co_return translate(report);
  }
  void do_admit(std::string name, async_function work) override {
    translated([&] { subject_->admit(name, work()); });
    admitted_.insert(std::move(name));
  }

  reference::graceful_shutdown& subject() noexcept { return *subject_; }

  contract::shutdown_report translate(const reference::shutdown_report& from) const {
    contract::shutdown_report to;
    to.unfinished = from.cancelled;
    for (const std::string& each : from.survivors)
      if (admitted_.contains(each)) to.unfinished.push_back(each);
    to.survivors = from.survivors;
    for (const reference::task_failure& each : from.failures)
      to.failures.push_back({each.name, each.error, each.secondary});
    to.forced = from.exit_status() == 2;
    return to;
  }

 private:
  struct observers {
    std::function<void(contract::shutdown_phase)> phase;
    std::function<void(std::string, std::exception_ptr)> failure;
    std::function<void(std::string)> forced;
  };

  template <class Call>
  static void translated(Call call) {
    try {
      call();
    } catch (const reference::not_accepting& refusal) {
      throw contract::rejected_error(refusal.what());
    } catch (const reference::shutdown_too_far& refusal) {
      throw contract::rejected_error(refusal.what());
    }
  }

  std::unique_ptr<reference::graceful_shutdown> make(environment& env, const config& wanted) {
    reference::graceful_shutdown_options options;
    options.budgets = {.grace = wanted.grace,
                       .drain = wanted.drain,
                       .force = wanted.force,
                       .background = wanted.background,
                       .callback = wanted.callback,
                       .cleanup = wanted.cleanup,
                       .pre_stop = wanted.pre_stop,
                       .total = wanted.total};
    options.on_background_failure = static_cast<reference::background_failure>(wanted.on_failure);
    options.restart_delay = wanted.restart_delay;
    options.on_phase = [seen = observers_](reference::shutdown_phase phase) {
      // The contract has no phase `created`, and nobody is told of it.
      if (seen->phase) seen->phase(static_cast<contract::shutdown_phase>(static_cast<int>(phase) - 1));
    };
    options.on_forced = [seen = observers_](const reference::forced_action& action) {
      if (seen->forced) seen->forced(action.name);
    };
    options.unhandled = [seen = observers_](const reference::task_failure& failure) {
      if (seen->failure) seen->failure(failure.name, failure.error);
    };
    try {
      return std::make_unique<reference::graceful_shutdown>(env.executor(), std::move(options));
    } catch (const std::invalid_argument& refusal) {
      throw contract::rejected_error(refusal.what());
    }
  }

  std::shared_ptr<observers> observers_;
  std::unique_ptr<reference::graceful_shutdown> subject_;
  std::set<std::string, std::less<>> admitted_;
  std::map<int, std::unique_ptr<reference::graceful_shutdown::connection>> connections_;
  int last_connection_ = 0;
  signal_source signals_;
  reference::signal_forwarder<signal_source> forwarder_;
};

}  // namespace assay::adapters
