// A coordinator that is one coroutine: it goes through the phases, and looks again whenever something has changed.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
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

ASSAY_DEFECTS(shutdown_bug, none, asks_one_background_after_the_other, drain_begins_at_the_request,
              early_escalation_is_lost, forgets_a_start_that_ended_late, polls_the_drain,
              tells_of_survivors_twice, drains_what_there_was_at_the_request, forgets_a_stop_before_it_runs,
              forces_one_after_the_other, resources_after_callbacks, all_forced_work_is_unfinished,
              escalation_shortens_cleanup, restarts_while_it_stops, restarts_once,
              tells_connections_at_the_request, closes_again_after_the_response)

class one_coroutine : public contract::graceful_shutdown {
 public:
  one_coroutine(environment& env, const contract::graceful_shutdown_config& config, shutdown_bug bug,
                bool has_budgets = true)
      : all_(std::make_shared<shared>(env, config, bug, has_budgets)) {
    if (has_budgets && !fits(config)) throw contract::rejected_error("the budgets do not fit into the total");
  }

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
    background one;
    one.name = std::move(called);
    one.work = std::move(work);
    all_->known_backgrounds.push_back(std::move(one));
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
  bool ready() const override { return all_->ready(); }

  int open_connection(close_hook close) override {
    if (!all_->serving) throw contract::closed_error();
    connection one;
    one.id = ++all_->last_connection;
    one.close = std::move(close);
    all_->connections.push_back(std::move(one));
    return all_->last_connection;
  }
  void set_busy(int id, bool busy) override {
    for (connection& one : all_->connections) {
      if (one.id != id) continue;
      one.busy = busy;
      if (busy || !one.was_told || all_->bug != shutdown_bug::closes_again_after_the_response) return;
      const close_hook close = one.close;
      close(contract::connection_close::now);
      return;
    }
  }
  void connection_closed(int id) override {
    std::erase_if(all_->connections, [id](const connection& one) { return one.id == id; });
  }

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
    const bool tells_early = all->bug == shutdown_bug::tells_connections_at_the_request;
    if (tells_early) tell_connections(all);
    if (has_served && all->config.grace > nanoseconds(0)) {
      all->enter(shutdown_phase::grace);
      co_await wait_until(all, all->until(all->config.grace));
    }
    all->serving = false;
    all->enter(shutdown_phase::stop_accepting);
    all->enter(shutdown_phase::drain);
    if (!tells_early) tell_connections(all);
    const bool from_the_request = all->bug == shutdown_bug::drain_begins_at_the_request;
    const time_point begun = from_the_request ? requested : std::chrono::steady_clock::now();
    several works = all->works;
    if (all->bug == shutdown_bug::drains_what_there_was_at_the_request) works = known;
    co_await drain(all, std::move(works), std::min(deadline_after(begun, all->config.drain), all->end));
    co_await stop_backgrounds(all);
    all->enter(shutdown_phase::cleanup);
    if (all->bug == shutdown_bug::resources_after_callbacks) put_resources_first(all->entries);
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
  static void put_resources_first(std::vector<entry>& entries) {
    std::vector<entry> sorted;
    std::vector<entry> callbacks;
    for (entry& one : entries) (one.start != nullptr ? sorted : callbacks).push_back(std::move(one));
    for (entry& one : callbacks) sorted.push_back(std::move(one));
    entries = std::move(sorted);
  }
  struct background {
    std::string name;
    async_function work;
    time_point due = time_point::max();  // when it is started again
    int failures = 0;
  };
  struct connection {
    int id = 0;
    close_hook close;
    bool busy = false;
    bool was_told = false;
  };
  struct shared {
    shared(environment& surroundings, const contract::graceful_shutdown_config& wanted, shutdown_bug wrong,
           bool limited)
        : env(surroundings),
          executor(surroundings.executor()),
          config(wanted),
          bug(wrong),
          has_budgets(limited) {}

    void enter(shutdown_phase next) {
      phase = next;
      if (tell_phase) tell_phase(next);
    }
    void request_stop() {
      if (!stop_requested && has_budgets) end = deadline_after(rest_of_total());
      stop_requested = true;
      changed.wake_all();
    }
    nanoseconds rest_of_total() const {
      if (config.total == nanoseconds::max()) return config.total;
      return config.total - std::max(config.pre_stop, nanoseconds(0));
    }
    /// Nothing waits longer than the total allows.
    time_point until(nanoseconds budget) const { return std::min(deadline_after(budget), end); }
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
    /// There is no time for it.
    void skip(const std::string& name_of_it) {
      report.forced = true;
      if (tell_forced) tell_forced(name_of_it);
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
    bool has_budgets;
    phase_hook tell_phase;
    failure_hook tell_failure;
    forced_hook tell_forced;
    std::vector<entry> entries;
    std::vector<background> known_backgrounds;
    std::vector<connection> connections;
    int last_connection = 0;
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
    time_point end = time_point::max();
    waiting_list changed;
  };

  static std::shared_ptr<started> begin_step(const std::shared_ptr<shared>& all, std::string called,
                                             async_function work) {
    auto told = [all](const started& one) {
      if (one.failed()) all->fail(one);
      all->changed.wake_all();
    };
    return begin(all->executor, std::move(called), std::move(work), std::move(told));
  }

  static bool fits(const contract::graceful_shutdown_config& wanted) {
    if (wanted.total == nanoseconds::max()) return true;
    nanoseconds rest = wanted.total;
    for (const nanoseconds one :
         {wanted.pre_stop, wanted.grace, wanted.drain, wanted.force, wanted.background, wanted.cleanup}) {
      if (one > rest) return false;
      rest -= std::max(one, nanoseconds(0));
    }
    return true;
  }

  // Waits until something has changed. A request to end the run is one to stop the service.
  static awaitable<void> look_again(std::shared_ptr<shared> all, time_point limit) {
    const bool had_asked = co_await is_asked_to_stop();
    if (had_asked && !all->stop_requested) {
      all->request_stop();
      co_return;
    }
    waiter here(all->executor);
    co_await all->changed.wait(here, std::min(limit, next_restart(*all)));
    const bool asked = co_await is_asked_to_stop();
    if (asked && !all->stop_requested) all->request_stop();
    begin_what_is_due(all);
  }
  static bool restarts(const shared& all) {
    return !all.stop_requested || all.bug == shutdown_bug::restarts_while_it_stops;
  }
  static time_point next_restart(const shared& all) {
    time_point next = time_point::max();
    if (!restarts(all)) return next;
    for (const background& one : all.known_backgrounds) next = std::min(next, one.due);
    return next;
  }
  static void begin_what_is_due(const std::shared_ptr<shared>& all) {
    if (!restarts(*all)) return;
    for (std::size_t at = 0; at < all->known_backgrounds.size(); ++at) {
      if (all->known_backgrounds[at].due > std::chrono::steady_clock::now()) continue;
      begin_background(all, at);
    }
  }
  static void begin_background(const std::shared_ptr<shared>& all, std::size_t at) {
    all->known_backgrounds[at].due = time_point::max();
    auto told = [all, at](const started& one) {
      if (one.failed()) failed(*all, all->known_backgrounds[at], one);
      std::erase_if(all->backgrounds, [&one](const auto& each) { return each.get() == &one; });
      all->changed.wake_all();
    };
    const background& one = all->known_backgrounds[at];
    all->backgrounds.push_back(begin(all->executor, one.name, one.work, std::move(told)));
  }
  static void failed(shared& all, background& which, const started& one) {
    const auto policy = all.config.on_failure;
    const bool serves = all.ready();
    if (serves && policy == contract::background_failure::shut_down) all.request_stop();
    all.fail(one);
    if (!serves || policy != contract::background_failure::restart) return;
    ++which.failures;
    if (all.bug == shutdown_bug::restarts_once && which.failures > 1) return;
    which.due = deadline_after(all.config.restart_delay);
  }
  // An idle one is closed, a busy one when its response is out. Being told may close others.
  static void tell_connections(const std::shared_ptr<shared>& all) {
    const std::vector<connection> known = all->connections;
    for (const connection& each : known) {
      const auto found = std::find_if(all->connections.begin(), all->connections.end(),
                                      [&each](const connection& one) { return one.id == each.id; });
      if (found == all->connections.end()) continue;
      found->was_told = true;
      const auto how =
          found->busy ? contract::connection_close::after_response : contract::connection_close::now;
      each.close(how);
    }
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
      if (asked) all->request_stop();
      if (all->stop_requested) co_return;
      const auto start = begin_step(all, one.name, one.start);
      while (!start->ended && !all->stop_requested) co_await look_again(all, time_point::max());
      if (!start->ended) {
        start->ask_to_stop();
        const time_point limit = all->until(all->config.force);
        while (!start->ended && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
        if (!start->ended) all->leave(start, false);
        if (all->bug == shutdown_bug::forgets_a_start_that_ended_late) co_return;
      }
      one.has_started = start->ended && !start->failure;
      if (!one.has_started) all->request_stop();
    }
  }

  static awaitable<void> serve(std::shared_ptr<shared> all) {
    for (std::size_t at = 0; at < all->known_backgrounds.size(); ++at) begin_background(all, at);
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
    const time_point limit = all->until(all->config.force);
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
    const time_point limit = all->until(all->config.background);
    while (!have_ended(ones) && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
    for (const auto& each : ones) {
      if (!each->ended) all->leave(each, false);
    }
  }

  static awaitable<void> clean(std::shared_ptr<shared> all, entry one) {
    if (one.start && !one.has_started) co_return;
    if (std::chrono::steady_clock::now() >= all->end) {
      all->skip(one.name);
      co_return;
    }
    if (one.call) {
      try {
        one.call();
      } catch (...) {
        all->fail(one.name, std::current_exception());
      }
      co_return;
    }
    const auto cleaning = begin_step(all, one.name, std::move(one.clean));
    time_point limit = all->until(all->config.callback);
    if (all->bug == shutdown_bug::escalation_shortens_cleanup && all->escalated)
      limit = std::chrono::steady_clock::now();
    while (!cleaning->ended && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
    if (cleaning->ended) co_return;
    all->force(*cleaning);
    const time_point forced = all->until(all->config.force);
    while (!cleaning->ended && std::chrono::steady_clock::now() < forced) co_await look_again(all, forced);
    if (!cleaning->ended) all->leave(cleaning, true);
  }

  std::shared_ptr<shared> all_;
};

const table<one_coroutine, shutdown_bug> all(
    "one_coroutine",
    {"grace", "force", "callbacks", "budgets", "supervision", "restart", "shut_down_on_failure",
     "connections", "stop_on_cancel"},
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
     {shutdown_bug::resources_after_callbacks,
      "first all callbacks in reverse order, then all resources",
      {{"SHD-8", ""}}},
     {shutdown_bug::all_forced_work_is_unfinished,
      "work that ended with a value when it was cancelled is called unfinished",
      {{"SHD-6", ""}, {"SHD-16", ""}}},
     {shutdown_bug::tells_connections_at_the_request,
      "connections are told to close when the stop is requested, and those of the grace period are not",
      {{"SHD-17", ""}}},
     {shutdown_bug::closes_again_after_the_response,
      "a connection that was told to close after its response is told again when it is idle",
      {{"SHD-17", ""}}},
     {shutdown_bug::forces_one_after_the_other,
      "work is cancelled when the force budget of the work before it is over",
      {{"SHD-6", ""}, {"SHD-4", ""}}},
     {shutdown_bug::escalation_shortens_cleanup,
      "after an escalation a callback is cancelled as soon as it waits",
      {{"SHD-10", ""}}},
     {shutdown_bug::asks_one_background_after_the_other,
      "a background task is asked to stop when the budget of the one before it is over",
      {{"SHD-7", ""}}},
     {shutdown_bug::drain_begins_at_the_request,
      "the budget of the drain is counted from the request: the grace period eats it",
      {{"SHD-4", ""}, {"SHD-6", ""}}},
     {shutdown_bug::drains_what_there_was_at_the_request,
      "the drain waits for the work of the moment of the request, and not for what the grace period admitted",
      {{"SHD-4", ""}, {"SHD-7", ""}, {"SHD-5", ""}}},
     {shutdown_bug::restarts_once,
      "a background task that fails for the second time is not started again",
      {{"SHD-13", ""}}},
     {shutdown_bug::restarts_while_it_stops,
      "a restart that is due when the background tasks have been stopped begins nevertheless",
      {{"SHD-13", ""}, {"SHD-7", ""}}}});

// The same without `budgets`: nothing ends every wait for these.
ASSAY_DEFECTS(modest_bug, none, modestly_forces_one_after_the_other, modestly_shortens_cleanup,
              modestly_asks_one_after_the_other, modestly_begins_the_drain_at_the_request,
              modestly_drains_what_there_was)

shutdown_bug as_shutdown_bug(modest_bug bug) {
  switch (bug) {
    case modest_bug::modestly_forces_one_after_the_other:
      return shutdown_bug::forces_one_after_the_other;
    case modest_bug::modestly_shortens_cleanup:
      return shutdown_bug::escalation_shortens_cleanup;
    case modest_bug::modestly_asks_one_after_the_other:
      return shutdown_bug::asks_one_background_after_the_other;
    case modest_bug::modestly_begins_the_drain_at_the_request:
      return shutdown_bug::drain_begins_at_the_request;
    case modest_bug::modestly_drains_what_there_was:
      return shutdown_bug::drains_what_there_was_at_the_request;
    case modest_bug::none:
      break;
  }
  return shutdown_bug::none;
}

class without_budgets final : public one_coroutine {
 public:
  without_budgets(environment& env, const contract::graceful_shutdown_config& config, modest_bug bug)
      : one_coroutine(env, config, as_shutdown_bug(bug), false) {}
};

const table<without_budgets, modest_bug> modest(
    "one_coroutine_without_budgets", {"grace", "force", "callbacks", "supervision", "stop_on_cancel"},
    {{modest_bug::modestly_forces_one_after_the_other,
      "work is cancelled when the force budget of the work before it is over",
      {{"SHD-6", ""}}},
     {modest_bug::modestly_shortens_cleanup,
      "after an escalation a callback is cancelled as soon as it waits",
      {{"SHD-10", ""}}},
     {modest_bug::modestly_asks_one_after_the_other,
      "a background task is asked to stop when the budget of the one before it is over",
      {{"SHD-7", ""}}},
     {modest_bug::modestly_begins_the_drain_at_the_request,
      "the budget of the drain is counted from the request: the grace period eats it",
      {{"SHD-4", ""}}},
     {modest_bug::modestly_drains_what_there_was,
      "the drain waits for the work of the moment of the request, and not for what the grace period admitted",
      {{"SHD-4", ""}, {"SHD-7", ""}}}});

}  // namespace
}  // namespace assay::wrong
