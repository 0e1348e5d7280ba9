// Coordinators that keep the standard and are deliberately different from the reference: the suite may not be
// stricter than its text. The least comes first.
#include <assay/scenarios/lifecycle/graceful_shutdown/alternative.hpp>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

/// Waits for everything for as long as it takes, and tells every failure at once: its report is empty. A
/// cancelled run() is a request to stop.
class least_shutdown final : public adapters::shutdown_base {
 public:
  least_shutdown(const asio::any_io_executor& executor, const config&) : shutdown_base(executor) {}

  void add_resource(std::string name, async_function start, async_function stop) override {
    resources_.push_back(resource{std::move(name), std::move(start), std::move(stop)});
  }
  void add_background(std::string name, async_function work) override {
    waiting_.emplace_back(std::move(name), std::move(work));
  }
  void request_stop() override {
    requested_ = true;
    changed();
  }
  bool ready() const override { return running_ && !requested_; }

 protected:
  void do_admit(std::string name, async_function work) override {
    if (!ready()) throw contract::rejected_error("not accepting work");
    begin(work_, name, std::move(work));
  }

  awaitable<contract::shutdown_report> do_run() override { return holding_requests(run_through()); }

 private:
  awaitable<contract::shutdown_report> run_through() {
    const auto requests = co_await asio::this_coro::cancellation_state;
    const auto asked = [this, requests] {
      if (requests.cancelled() != asio::cancellation_type::none) requested_ = true;
      return requested_;
    };
    entered(phase::starting);
    co_await start(asked);
    if (!requested_) {
      running_ = true;
      entered(phase::running);
      for (const auto& each : waiting_) begin(background_, each.first, each.second);
      co_await wait(asked);
    }
    for (const phase each : {phase::not_ready, phase::stop_accepting, phase::drain}) entered(each);
    co_await wait_for(work_);
    entered(phase::stop_background);
    adapters::cancel(background_);
    co_await wait_for(background_);
    entered(phase::cleanup);
    for (; !opened_.empty(); opened_.pop_back()) {
      tasks closing;
      begin(closing, opened_.back().name, opened_.back().stop);
      co_await wait_for(closing);
    }
    entered(phase::stopped);
    co_return contract::shutdown_report();
  }

  struct resource {
    std::string name;
    async_function start;
    async_function stop;
  };

  awaitable<void> start(std::function<bool()> asked) {
    for (const resource& each : resources_) {
      if (asked()) co_return;
      tasks starting;
      begin(starting, each.name, each.start);
      co_await wait([&starting, &asked] { return asked() || adapters::over(starting); });
      adapters::cancel(starting);
      co_await wait_for(starting);
      if (!starting.front()->failure) opened_.push_back(each);
      if (starting.front()->failed()) requested_ = true;
    }
  }
  void begin(tasks& where, const std::string& name, async_function work) {
    spawn(where, name, std::move(work), [this, name](const std::exception_ptr& error) {
      if (error && !is_cancellation(error)) failed(name, error);
    });
  }

  bool requested_ = false;
  bool running_ = false;
  std::vector<resource> resources_;
  std::vector<resource> opened_;
  std::vector<std::pair<std::string, async_function>> waiting_;
  tasks work_;
  tasks background_;
};

const implements<least_shutdown> least("least", subject_kind::alternative, {});

using adapters::alternative_shutdown;
using adapters::shutdown_manner;
using deadline = shutdown_manner::deadline;
using reporting = shutdown_manner::reporting;

// What a coordinator can have that does not cancel work and bounds nothing, and one that does both.
const std::vector<std::string> unforced = {
    "grace",   "callbacks",      "supervision", "restart", "shut_down_on_failure", "late_registration",
    "signals", "stop_on_cancel", "connections"};
std::vector<std::string> forced(std::vector<std::string> more = {}) {
  more.insert(more.end(), {"force", "budgets"});
  more.insert(more.end(), unforced.begin(), unforced.end());
  return more;
}

const implements<alternative_shutdown> plain("plain_shutdown", subject_kind::alternative,
                                             {.features = forced({"cancel_escalates"})}, shutdown_manner());

// A second cancel of run() is one more request; what work fails with waits for the report, what a callback
// fails with is told at once.
const implements<alternative_shutdown> reports_work("reports_work", subject_kind::alternative,
                                                    {.features = forced()},
                                                    shutdown_manner{.reports = reporting::work,
                                                                    .cancel_escalates = false});

// The other way round, and several turns before anything.
const implements<alternative_shutdown> reports_cleanup(
    "reports_cleanup", subject_kind::alternative, {.features = forced()},
    shutdown_manner{.reports = reporting::cleanup, .cancel_escalates = false, .turns = 3});

// At the drain deadline, work that is left ends by itself, however long that takes; or it is asked to stop,
// with nobody who would not wait for it; or it is left alone, and named.
const implements<alternative_shutdown> waits("waits_for_work", subject_kind::alternative,
                                             {.features = unforced},
                                             shutdown_manner{.at_deadline = deadline::wait});
const implements<alternative_shutdown> cancels("waits_for_cancelled_work", subject_kind::alternative,
                                               {.features = unforced},
                                               shutdown_manner{.at_deadline = deadline::cancel_and_wait});
const implements<alternative_shutdown> leaves("leaves_work_alone", subject_kind::alternative,
                                              {.features = unforced},
                                              shutdown_manner{.at_deadline = deadline::leave, .turns = 2});

}  // namespace
}  // namespace assay
