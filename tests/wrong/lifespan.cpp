// A stack of resources that runs every step as a coroutine of its own, and waits for its end.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::aggregate_error;

ASSAY_DEFECTS(lifespan_bug, none, leaves_the_last_stop, forgets_a_start_that_met_a_request,
              forgets_users_that_have_ended, is_used_when_it_has_ended, one_limit_for_all_stops,
              removes_what_is_being_removed, one_limit_for_users_and_stop, forgets_failed_removals,
              request_beats_failure)

class stepwise_lifespan final : public contract::lifespan {
 public:
  stepwise_lifespan(environment& env, const contract::lifespan_config& config, lifespan_bug bug)
      : all_(std::make_shared<shared>(env, config, bug)) {}

  void do_add(std::string called, step start, step stop) override {
    resource one;
    one.name = std::move(called);
    one.start = std::move(start);
    one.stop = std::move(stop);
    all_->resources.push_back(std::move(one));
  }

  awaitable<void> do_run(step body) override {
    const std::shared_ptr<shared> all = all_;
    const bool late = co_await is_asked_to_stop();
    if (late) contract::throw_cancelled();
    if (all->used) throw contract::rejected_error("a lifespan is used once");
    if (all->bug != lifespan_bug::is_used_when_it_has_ended) all->used = true;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const std::size_t started_ones = co_await start_all(all);
    if (started_ones == all->resources.size()) co_await use(all, std::move(body));
    co_await stop_all(all, started_ones);
    all->used = true;
    all->over = true;
    co_await asio::this_coro::throw_if_cancelled(throwing);
    conclude(*all);
  }

  void do_start_user(std::string of, std::string called, step work) override {
    const std::shared_ptr<shared> all = all_;
    const auto found = std::find_if(all->resources.begin(), all->resources.end(),
                                    [&of](const resource& one) { return one.name == of; });
    if (!all->in_use || found == all->resources.end())
      throw contract::rejected_error("there is no such resource in use");
    const auto at = static_cast<std::size_t>(found - all->resources.begin());
    auto told = [all, at](const started& one) {
      auto& users = all->resources[at].users;
      if (all->bug != lifespan_bug::forgets_users_that_have_ended || one.asked) all->note(one);
      std::erase_if(users, [&one](const auto& each) { return each.get() == &one; });
      all->changed.wake_all();
    };
    found->users.push_back(begin(all->executor, std::move(called), std::move(work), std::move(told)));
  }

  std::vector<std::string> stop_timeouts() const override { return all_->timeouts; }
  std::size_t held() const override { return all_->transients.size(); }

 protected:
  std::uint64_t do_hold(std::string called, step remove) override {
    if (!all_->in_use) throw contract::rejected_error("nothing is in use");
    transient one;
    one.id = ++all_->last_id;
    one.name = std::move(called);
    one.remove = std::move(remove);
    all_->transients.push_back(std::move(one));
    return all_->last_id;
  }

  awaitable<void> do_release(std::uint64_t id) override {
    const std::shared_ptr<shared> all = all_;
    const bool late = co_await is_asked_to_stop();
    if (late) contract::throw_cancelled();
    const auto found = std::find_if(all->transients.begin(), all->transients.end(),
                                    [id](const transient& one) { return one.id == id; });
    if (found == all->transients.end()) throw contract::rejected_error("nothing of that id is held");
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    step remove = found->remove;
    std::string called = found->name;
    if (all->bug != lifespan_bug::removes_what_is_being_removed) all->transients.erase(found);
    const auto removal = begin_removal(all, std::move(called), std::move(remove));
    while (!removal->ended) {
      waiter here(all->executor);
      co_await all->changed.wait(here);
    }
    if (all->bug == lifespan_bug::removes_what_is_being_removed)
      std::erase_if(all->transients, [id](const transient& one) { return one.id == id; });
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (removal->failure) std::rethrow_exception(removal->failure);
  }

 private:
  using time_point = waiting_list::time_point;

  struct resource {
    std::string name;
    step start;
    step stop;
    std::vector<std::shared_ptr<started>> users;
  };
  struct transient {
    std::uint64_t id = 0;
    std::string name;
    step remove;
  };
  struct shared {
    shared(environment& surroundings, const contract::lifespan_config& wanted, lifespan_bug wrong)
        : env(surroundings), executor(surroundings.executor()), config(wanted), bug(wrong) {}

    void note(const started& one) {
      if (!one.failed()) return;
      if (over) {
        env.report_unhandled(one.failure);
      } else {
        failures.push_back({one.name, one.failure});
      }
    }

    environment& env;
    asio::any_io_executor executor;
    contract::lifespan_config config;
    lifespan_bug bug;
    std::vector<resource> resources;
    std::vector<transient> transients;
    std::vector<std::shared_ptr<started>> removals;
    std::uint64_t last_id = 0;
    std::vector<aggregate_error::member> failures;
    std::vector<std::string> timeouts;
    time_point common_limit = time_point::max();
    bool used = false;
    bool in_use = false;
    bool over = false;
    bool cancelled = false;
    waiting_list changed;
  };

  static std::shared_ptr<started> begin_step(const std::shared_ptr<shared>& all, std::string called,
                                             step work) {
    auto told = [all](const started& one) {
      all->note(one);
      all->changed.wake_all();
    };
    return begin(all->executor, std::move(called), std::move(work), std::move(told));
  }
  // Its failure is for whoever releases it.
  static std::shared_ptr<started> begin_removal(const std::shared_ptr<shared>& all, std::string called,
                                                step work) {
    auto told = [all](const started& one) {
      std::erase_if(all->removals, [&one](const auto& each) { return each.get() == &one; });
      all->changed.wake_all();
    };
    auto removal = begin(all->executor, std::move(called), std::move(work), std::move(told));
    all->removals.push_back(removal);
    return removal;
  }

  // Waits for the end of a step that a request interrupts.
  static awaitable<void> finish(std::shared_ptr<shared> all, std::shared_ptr<started> one) {
    while (!one->ended) {
      const bool asked = co_await is_asked_to_stop();
      if (asked && !one->asked) one->ask_to_stop();
      waiter here(all->executor);
      co_await all->changed.wait(here);
    }
  }

  // Waits for the ends of what stops something: no request interrupts it, and its limits do.
  static awaitable<void> finish_stopping(std::shared_ptr<shared> all,
                                         std::vector<std::shared_ptr<started>> ones) {
    time_point limit = deadline_after(all->config.stop_limit);
    if (all->bug == lifespan_bug::one_limit_for_all_stops ||
        all->bug == lifespan_bug::one_limit_for_users_and_stop)
      limit = all->common_limit;
    co_await wait_until(all, ones, limit);
    if (have_ended(ones)) co_return;
    for (const auto& each : ones) {
      if (each->ended) continue;
      all->timeouts.push_back(each->name);
      each->ask_to_stop();
    }
    co_await wait_until(all, ones, deadline_after(all->config.force_limit));
  }
  static awaitable<void> wait_until(std::shared_ptr<shared> all,
                                    const std::vector<std::shared_ptr<started>>& ones, time_point limit) {
    while (!have_ended(ones) && std::chrono::steady_clock::now() < limit) {
      waiter here(all->executor);
      co_await all->changed.wait(here, limit);
    }
  }
  static bool have_ended(const std::vector<std::shared_ptr<started>>& ones) {
    return std::all_of(ones.begin(), ones.end(), [](const auto& one) { return one->ended; });
  }

  // How many have been started.
  static awaitable<std::size_t> start_all(std::shared_ptr<shared> all) {
    std::size_t count = 0;
    while (count < all->resources.size()) {
      bool asked = co_await is_asked_to_stop();
      if (asked) {
        all->cancelled = true;
        break;
      }
      resource& next = all->resources[count];
      const auto start = begin_step(all, next.name, next.start);
      co_await finish(all, start);
      if (start->failure) {
        all->cancelled = !start->failed();
        break;
      }
      if (all->bug == lifespan_bug::forgets_a_start_that_met_a_request) {
        asked = co_await is_asked_to_stop();
        if (asked) {
          all->cancelled = true;
          break;
        }
      }
      ++count;
    }
    co_return count;
  }

  static awaitable<void> use(std::shared_ptr<shared> all, step body) {
    const bool asked = co_await is_asked_to_stop();
    if (asked) {
      all->cancelled = true;
      co_return;
    }
    all->in_use = true;
    const auto using_it = begin_step(all, "body", std::move(body));
    co_await finish(all, using_it);
    all->in_use = false;
    all->cancelled = using_it->failure && !using_it->failed();
  }

  static awaitable<void> stop_all(std::shared_ptr<shared> all, std::size_t count) {
    all->common_limit = deadline_after(all->config.stop_limit);
    auto under_way = all->removals;
    co_await finish_stopping(all, std::move(under_way));
    while (!all->transients.empty()) {
      transient last = std::move(all->transients.back());
      all->transients.pop_back();
      std::vector<std::shared_ptr<started>> removal;
      if (all->bug == lifespan_bug::forgets_failed_removals) {
        removal.push_back(begin_removal(all, std::move(last.name), std::move(last.remove)));
      } else {
        removal.push_back(begin_step(all, std::move(last.name), std::move(last.remove)));
      }
      co_await finish_stopping(all, std::move(removal));
    }
    std::vector<std::shared_ptr<started>> stopping;
    while (count > 0) {
      co_await finish_stopping(all, stopping);
      resource& last = all->resources[--count];
      const auto users = last.users;
      if (all->bug == lifespan_bug::one_limit_for_users_and_stop)
        all->common_limit = deadline_after(all->config.stop_limit);
      for (const auto& each : users) each->ask_to_stop();
      co_await finish_users(all, users);
      stopping.clear();
      stopping.push_back(begin_step(all, last.name, last.stop));
    }
    if (all->bug != lifespan_bug::leaves_the_last_stop) co_await finish_stopping(all, std::move(stopping));
  }
  // They have been asked already.
  static awaitable<void> finish_users(std::shared_ptr<shared> all,
                                      std::vector<std::shared_ptr<started>> users) {
    co_await wait_until(all, users, deadline_after(all->config.stop_limit));
    for (const auto& each : users) {
      if (!each->ended) all->timeouts.push_back(each->name);
    }
  }

  static void conclude(const shared& all) {
    if (all.bug == lifespan_bug::request_beats_failure && all.cancelled) {
      for (const auto& one : all.failures) all.env.report_unhandled(one.failure);
      contract::throw_cancelled();
    }
    if (all.failures.size() == 1) std::rethrow_exception(all.failures.front().failure);
    if (!all.failures.empty()) throw aggregate_error(all.failures);
    if (all.cancelled) contract::throw_cancelled();
  }

  std::shared_ptr<shared> all_;
};

const table<stepwise_lifespan, lifespan_bug> all(
    "stepwise_lifespan",
    {"users", "bounded_stop", "single_use", "transient", "shielded_stop", "attached_failures",
     "level_triggered", "strict_entry"},
    {{lifespan_bug::leaves_the_last_stop,
      "a stop is awaited before the next one begins, and the last one not at all",
      {{"LIF-1", ""}, {"LIF-5", ""}, {"LIF-4", ""}, {"X-19", ""}}},
     {lifespan_bug::forgets_a_start_that_met_a_request,
      "a start that ended with a value although a request came is not stopped",
      {{"LIF-6", ""}, {"X-3", ""}, {"X-5", ""}}},
     {lifespan_bug::forgets_users_that_have_ended,
      "only users that live when their resource is stopped are looked at: a failure before is lost",
      {{"LIF-5", ""}, {"X-15", ""}}},
     {lifespan_bug::is_used_when_it_has_ended,
      "a run notes at its end that there was one: a second run beside it is accepted",
      {{"LIF-8", ""}}},
     {lifespan_bug::one_limit_for_all_stops,
      "the limit of a stop is counted from the beginning of all stops",
      {{"LIF-7", ""}}},
     {lifespan_bug::one_limit_for_users_and_stop,
      "the users of a resource and its stop have one limit together",
      {{"LIF-7", ""}}},
     {lifespan_bug::request_beats_failure,
      "a run that was cancelled ends as cancelled, although a stop failed",
      {{"LIF-6", ""}, {"LIF-3", ""}, {"LIF-4", ""}, {"X-18", ""}}},
     {lifespan_bug::removes_what_is_being_removed,
      "what is being released is registered until it is removed: a stop meanwhile removes it again",
      {{"LIF-9", ""}}},
     {lifespan_bug::forgets_failed_removals,
      "a removal that fails when everything is stopped is not told of",
      {{"LIF-9", ""}, {"LIF-4", ""}, {"X-15", ""}}}});

}  // namespace
}  // namespace assay::wrong
