// A coordinator that is one coroutine: it goes through the phases, and looks again whenever something has changed.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::shutdown_phase;
using contract::shutdown_report;

BOOST_DEFINE_ENUM_CLASS(shutdown_bug, none, asks_one_background_after_the_other, drain_begins_at_the_request,
                        early_escalation_is_lost, forgets_a_start_that_ended_late, polls_the_drain,
                        tells_of_survivors_twice, drains_what_there_was_at_the_request,
                        forgets_a_stop_before_it_runs, forces_one_after_the_other, resources_after_callbacks,
                        all_forced_work_is_unfinished, escalation_shortens_cleanup)

class one_coroutine final : public contract::graceful_shutdown {
 public:
  one_coroutine(environment& env, const contract::graceful_shutdown_config& config, shutdown_bug bug)
      : all_(std::make_shared<shared>(env, config, bug)) {}

  void on_failure(failure_hook hook) override { all_->tell_failure = std::move(hook); }
  void on_forced(forced_hook hook) override { all_->tell_forced = std::move(hook); }
  void add_resource(std::string called, async_function start, async_function stop) override {
    entry one;
    one.name = std::move(called);
    one.start = std::move(start);
    one.clean = std::move(stop);
    all_->entries.push_back(std::move(one));
  }
  void add_background(std::string called, async_function work) override {
    all_->to_begin.emplace_back(std::move(called), std::move(work));
  }
  void add_callback(std::string called, function callback) override {
    entry one;
    one.name = std::move(called);
    one.call = std::move(callback);
    all_->entries.push_back(std::move(one));
  }
  void add_async_callback(std::string called, async_function callback) override {
    entry one;
    one.name = std::move(called);
    one.clean = std::move(callback);
    all_->entries.push_back(std::move(one));
  }

  void request_stop() override { all_->request_stop(); }
  void escalate() override {
    if (all_->bug == shutdown_bug::early_escalation_is_lost && !all_->draining) return;
    all_->escalated = true;
    all_->changed.wake_all();
  }
  bool ready() const override { return all_->serving && !all_->stop_requested; }

 protected:
  void do_observe(phase_hook observer) override { all_->tell_phase = std::move(observer); }

  void do_admit(std::string called, async_function work) override {
    const std::shared_ptr<shared> all = all_;
    if (!all->serving) throw contract::closed_error();
    auto told = [all](const started& one) {
      if (one.failed()) {
        all->fail(one);
      } else if (one.failure && !all->is_left(one)) {
        all->report.unfinished.push_back(one.name);
      }
      std::erase_if(all->works, [&one](const auto& each) { return each.get() == &one; });
      all->changed.wake_all();
    };
    all->works.push_back(begin(all->executor, std::move(called), std::move(work), std::move(told)));
  }

  awaitable<shutdown_report> do_run() override {
    const std::shared_ptr<shared> all = all_;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    if (all->bug == shutdown_bug::forgets_a_stop_before_it_runs) all->stop_requested = false;
    all->enter(shutdown_phase::starting);
    co_await start_all(all);
    const bool has_served = !all->stop_requested;
    if (has_served) co_await serve(all);
    all->enter(shutdown_phase::not_ready);
    const time_point requested = std::chrono::steady_clock::now();
    const auto known = all->works;
    if (has_served && all->config.grace > nanoseconds(0)) {
      all->enter(shutdown_phase::grace);
      co_await wait_until(all, deadline_after(all->config.grace));
    }
    all->serving = false;
    all->enter(shutdown_phase::stop_accepting);
    all->enter(shutdown_phase::drain);
    const bool from_the_request = all->bug == shutdown_bug::drain_begins_at_the_request;
    const time_point begun = from_the_request ? requested : std::chrono::steady_clock::now();
    several works = all->works;
    if (all->bug == shutdown_bug::drains_what_there_was_at_the_request) works = known;
    co_await drain(all, std::move(works), deadline_after(begun, all->config.drain));
    co_await stop_backgrounds(all);
    all->enter(shutdown_phase::cleanup);
    if (all->bug == shutdown_bug::resources_after_callbacks)
      std::stable_partition(all->entries.begin(), all->entries.end(),
                            [](const entry& one) { return one.start != nullptr; });
    while (!all->entries.empty()) {
      entry last = std::move(all->entries.back());
      all->entries.pop_back();
      co_await clean(all, std::move(last));
    }
    all->enter(shutdown_phase::final_log);
    all->enter(shutdown_phase::stopped);
    all->over = true;
    co_await asio::this_coro::throw_if_cancelled(throwing);
    co_return all->report;
  }

 private:
  using time_point = waiting_list::time_point;
  using several = std::vector<std::shared_ptr<started>>;

  /// A resource, or a callback of either kind.
  struct entry {
    std::string name;
    async_function start;
    async_function clean;
    function call;
    bool has_started = false;
  };
  struct shared {
    shared(environment& surroundings, const contract::graceful_shutdown_config& wanted, shutdown_bug wrong)
        : env(surroundings), executor(surroundings.executor()), config(wanted), bug(wrong) {}

    void enter(shutdown_phase next) {
      phase = next;
      if (tell_phase) tell_phase(next);
    }
    void request_stop() {
      stop_requested = true;
      changed.wake_all();
    }
    void fail(const started& one) { fail(one.name, one.failure); }
    void fail(const std::string& of, const std::exception_ptr& error) {
      const bool secondary = has_failed && phase >= shutdown_phase::cleanup;
      has_failed = true;
      if (tell_failure && (over || ready())) {
        tell_failure(of, error);
      } else if (over) {
        env.report_unhandled(error);
      } else {
        report.failures.push_back({of, error, secondary});
      }
    }
    bool ready() const { return serving && !stop_requested; }
    void force(started& one) {
      report.forced = true;
      if (tell_forced) tell_forced(one.name);
      one.ask_to_stop();
    }
    /// It was asked to stop, and has not ended in time.
    void leave(const std::shared_ptr<started>& one, bool was_told) {
      report.forced = true;
      report.survivors.push_back(one->name);
      left.push_back(one);
      if (tell_forced && (!was_told || bug == shutdown_bug::tells_of_survivors_twice)) tell_forced(one->name);
    }
    bool is_left(const started& one) const {
      return std::any_of(left.begin(), left.end(), [&one](const auto& each) { return each.get() == &one; });
    }

    environment& env;
    asio::any_io_executor executor;
    contract::graceful_shutdown_config config;
    shutdown_bug bug;
    phase_hook tell_phase;
    failure_hook tell_failure;
    forced_hook tell_forced;
    std::vector<entry> entries;
    std::vector<std::pair<std::string, async_function>> to_begin;
    several works;
    several backgrounds;
    several left;
    shutdown_report report;
    shutdown_phase phase = shutdown_phase::starting;
    bool stop_requested = false;
    bool serving = false;
    bool draining = false;
    bool escalated = false;
    bool has_failed = false;
    bool over = false;
    waiting_list changed;
  };

  static std::shared_ptr<started> begin_step(const std::shared_ptr<shared>& all, std::string called,
                                             async_function work) {
    auto told = [all](const started& one) {
      if (one.failed()) all->fail(one);
      std::erase_if(all->backgrounds, [&one](const auto& each) { return each.get() == &one; });
      all->changed.wake_all();
    };
    return begin(all->executor, std::move(called), std::move(work), std::move(told));
  }

  // Waits until something has changed. A request to end the run is one to stop the service.
  static awaitable<void> look_again(std::shared_ptr<shared> all, time_point limit) {
    const bool had_asked = co_await is_asked_to_stop();
    if (had_asked && !all->stop_requested) {
      all->request_stop();
      co_return;
    }
    waiter here(all->executor);
    co_await all->changed.wait(here, limit);
    const bool asked = co_await is_asked_to_stop();
    if (asked && !all->stop_requested) all->request_stop();
  }
  static awaitable<void> wait_until(std::shared_ptr<shared> all, time_point limit) {
    while (std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
  }
  static bool have_ended(const several& ones) {
    return std::all_of(ones.begin(), ones.end(), [](const auto& one) { return one->ended; });
  }

  // One after the other. A start that is under way when the stop is requested is asked to stop.
  static awaitable<void> start_all(std::shared_ptr<shared> all) {
    for (entry& one : all->entries) {
      if (!one.start) continue;
      const bool asked = co_await is_asked_to_stop();
      if (asked) all->stop_requested = true;
      if (all->stop_requested) co_return;
      const auto start = begin_step(all, one.name, one.start);
      while (!start->ended && !all->stop_requested) co_await look_again(all, time_point::max());
      if (!start->ended) {
        start->ask_to_stop();
        const time_point limit = deadline_after(all->config.force);
        while (!start->ended && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
        if (!start->ended) all->leave(start, false);
        if (all->bug == shutdown_bug::forgets_a_start_that_ended_late) co_return;
      }
      one.has_started = start->ended && !start->failure;
      if (!one.has_started) all->stop_requested = true;
    }
  }

  static awaitable<void> serve(std::shared_ptr<shared> all) {
    for (auto& one : all->to_begin)
      all->backgrounds.push_back(begin_step(all, std::move(one.first), std::move(one.second)));
    all->to_begin.clear();
    all->serving = true;
    all->enter(shutdown_phase::running);
    while (!all->stop_requested) co_await look_again(all, time_point::max());
  }

  static awaitable<void> drain(std::shared_ptr<shared> all, several works, time_point limit) {
    using namespace std::chrono_literals;
    all->draining = true;
    while (!have_ended(works) && !all->escalated && std::chrono::steady_clock::now() < limit) {
      if (all->bug == shutdown_bug::polls_the_drain) {
        const time_point next = std::min(limit, deadline_after(100ms));
        while (!all->escalated && std::chrono::steady_clock::now() < next) co_await look_again(all, next);
      } else {
        co_await look_again(all, limit);
      }
    }
    if (have_ended(works)) co_return;
    all->enter(shutdown_phase::force_cancel);
    std::erase_if(works, [](const auto& one) { return one->ended; });
    if (all->bug == shutdown_bug::forces_one_after_the_other) {
      for (const auto& each : works) {
        several single;
        single.push_back(each);
        co_await force_together(all, std::move(single));
      }
    } else {
      co_await force_together(all, std::move(works));
    }
  }
  static awaitable<void> force_together(std::shared_ptr<shared> all, several works) {
    for (const auto& each : works) all->force(*each);
    const time_point limit = deadline_after(all->config.force);
    while (!have_ended(works) && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
    for (const auto& each : works) {
      if (!each->ended || (all->bug == shutdown_bug::all_forced_work_is_unfinished && !each->failure))
        all->report.unfinished.push_back(each->name);
      if (!each->ended) all->leave(each, true);
    }
  }

  static awaitable<void> stop_backgrounds(std::shared_ptr<shared> all) {
    all->enter(shutdown_phase::stop_background);
    const several ones = all->backgrounds;
    if (all->bug == shutdown_bug::asks_one_background_after_the_other) {
      for (const auto& each : ones) {
        several single;
        single.push_back(each);
        co_await stop_together(all, std::move(single));
      }
    } else {
      co_await stop_together(all, ones);
    }
  }
  static awaitable<void> stop_together(std::shared_ptr<shared> all, several ones) {
    for (const auto& each : ones) each->ask_to_stop();
    const time_point limit = deadline_after(all->config.background);
    while (!have_ended(ones) && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
    for (const auto& each : ones) {
      if (!each->ended) all->leave(each, false);
    }
  }

  static awaitable<void> clean(std::shared_ptr<shared> all, entry one) {
    if (one.call) {
      try {
        one.call();
      } catch (...) {
        all->fail(one.name, std::current_exception());
      }
      co_return;
    }
    if (one.start && !one.has_started) co_return;
    const auto cleaning = begin_step(all, one.name, std::move(one.clean));
    time_point limit = deadline_after(all->config.callback);
    if (all->bug == shutdown_bug::escalation_shortens_cleanup && all->escalated)
      limit = std::chrono::steady_clock::now();
    while (!cleaning->ended && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
    if (cleaning->ended) co_return;
    all->force(*cleaning);
    const time_point forced = deadline_after(all->config.force);
    while (!cleaning->ended && std::chrono::steady_clock::now() < forced) co_await look_again(all, forced);
    if (!cleaning->ended) all->leave(cleaning, true);
  }

  std::shared_ptr<shared> all_;
};

const table<one_coroutine, shutdown_bug> all(
    "one_coroutine", {"grace", "force", "callbacks", "supervision", "stop_on_cancel"},
    {{shutdown_bug::early_escalation_is_lost,
      "an escalation before the drain is forgotten instead of kept for it",
      {{"SHD-10", ""}}},
     {shutdown_bug::forgets_a_start_that_ended_late,
      "a start that was asked to stop and ended with a value nevertheless is not stopped",
      {{"SHD-12", ""}}},
     {shutdown_bug::polls_the_drain,
      "the drain looks every 100 ms whether all work has ended",
      {{"SHD-5", ""}}},
     {shutdown_bug::tells_of_survivors_twice,
      "what was cancelled and then abandoned is told of twice",
      {{"X-29", ""}}},
     {shutdown_bug::forgets_a_stop_before_it_runs,
      "a request to stop that came before the run is forgotten when it begins",
      {{"SHD-1", ""}, {"SHD-2", ""}}},
     {shutdown_bug::forces_one_after_the_other,
      "work is cancelled when the force budget of the work before it is over",
      {{"SHD-6", ""}}},
     {shutdown_bug::resources_after_callbacks,
      "first all callbacks in reverse order, then all resources",
      {{"SHD-8", ""}}},
     {shutdown_bug::all_forced_work_is_unfinished,
      "work that ended with a value when it was cancelled is called unfinished",
      {{"SHD-6", ""}, {"SHD-16", ""}}},
     {shutdown_bug::escalation_shortens_cleanup,
      "after an escalation a callback is cancelled as soon as it waits",
      {{"SHD-10", ""}}}},
    // Nothing catches these yet.
    {{shutdown_bug::asks_one_background_after_the_other,
      "a background task is asked to stop when the budget of the one before it is over",
      {{"SHD-7", ""}}},
     {shutdown_bug::drain_begins_at_the_request,
      "the budget of the drain is counted from the request: the grace period eats it",
      {{"SHD-4", ""}}},
     {shutdown_bug::drains_what_there_was_at_the_request,
      "the drain waits for the work of the moment of the request, and not for what the grace period admitted",
      {{"SHD-4", ""}, {"SHD-7", ""}}}});

}  // namespace
}  // namespace assay::wrong
