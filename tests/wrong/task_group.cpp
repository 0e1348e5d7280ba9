// A group that starts its children in place and keeps a list of those that live.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::aggregate_error;

ASSAY_DEFECTS(group_bug, none, lists_after_the_first_turn, counts_when_it_starts, keeps_failures_by_name,
              collect_keeps_everybody, first_cause_wins, asks_again_for_every_failure, asks_only_children,
              keeps_what_it_refuses)

class listing_group final : public contract::task_group {
 public:
  listing_group(environment& env, const contract::task_group_config& config, group_bug bug)
      : env_(env), all_(std::make_shared<shared>(env.executor(), config.collect, bug)) {}
  void close() override { all_->closed = true; }

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    const std::shared_ptr<shared> all = all_;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    all->running = true;
    for (child& one : children) {
      if (all->stopping) break;
      start(all, std::move(one));
    }
    children.clear();
    while (all->alive > 0) {
      const bool asked = co_await is_asked_to_stop();
      if (asked && !all->asked_from_outside) {
        all->asked_from_outside = true;
        all->stop_for(cause::request);
      }
      waiter here(all->executor);
      co_await all->changed.wait(here);
    }
    all->running = false;
    co_await asio::this_coro::throw_if_cancelled(throwing);
    conclude(*all);
  }
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override {
    children.insert(children.begin(), child(std::string(body_name), std::move(body)));
    return do_run(std::move(children));
  }
  bool do_spawn(child one) override {
    if (!all_->running || all_->closed || all_->stopping) {
      if (all_->bug == group_bug::keeps_what_it_refuses) all_->refused.push_back(std::move(one));
      return false;
    }
    if (all_->bug == group_bug::counts_when_it_starts) {
      asio::post(all_->executor,
                 [all = all_, one = std::move(one)]() mutable { start(all, std::move(one)); });
    } else {
      start(all_, std::move(one));
    }
    return true;
  }

 private:
  enum class cause { failure, request };

  struct shared {
    shared(asio::any_io_executor runs_on, bool collecting, group_bug wrong)
        : executor(std::move(runs_on)), collect(collecting), bug(wrong) {}

    void failed(const std::string& name, const std::exception_ptr& failure) {
      const auto known =
          std::find_if(failures.begin(), failures.end(), [&](const auto& one) { return one.task == name; });
      if (bug == group_bug::keeps_failures_by_name && known != failures.end()) {
        known->failure = failure;
      } else {
        failures.push_back({name, failure});
      }
      if (bug == group_bug::collect_keeps_everybody || !collect) stop_for(cause::failure);
    }
    void stop_for(cause why) {
      if (bug == group_bug::collect_keeps_everybody && collect) return;
      if (stopping && bug != group_bug::asks_again_for_every_failure) return;
      if (!stopping) began_with = why;
      stopping = true;
      const auto asked = members;
      for (const auto& each : asked) {
        const bool is_body = each->name == body_name;
        if (bug == group_bug::asks_only_children && is_body && why == cause::failure) continue;
        each->ask_to_stop();
      }
    }
    void ended(const started& one) {
      std::erase_if(members, [&one](const auto& each) { return each.get() == &one; });
      if (--alive > 0) return;
      running = false;  // a child that comes now comes too late
      changed.wake_all();
    }

    asio::any_io_executor executor;
    bool collect;
    group_bug bug;
    std::vector<std::shared_ptr<started>> members;
    std::size_t alive = 0;
    std::vector<aggregate_error::member> failures;
    std::vector<child> refused;
    bool running = false;
    bool closed = false;
    bool stopping = false;
    bool asked_from_outside = false;
    cause began_with = cause::failure;
    waiting_list changed;
  };

  static void start(const std::shared_ptr<shared>& all, child one) {
    auto self = std::make_shared<started>(std::move(one.name));
    ++all->alive;
    if (all->bug != group_bug::lists_after_the_first_turn) all->members.push_back(self);
    asio::co_spawn(all->executor, watch(all, self->name, std::move(one.run)),
                   at_the_end{self, [all](const started& child) { all->ended(child); }});
    if (all->bug == group_bug::lists_after_the_first_turn) all->members.push_back(self);
  }
  // A failure is told when it happens, the end when nothing of the child is left.
  static awaitable<void> watch(std::shared_ptr<shared> all, std::string name, work run) {
    std::exception_ptr failure;
    try {
      co_await run();
    } catch (...) {
      failure = std::current_exception();
    }
    // A child that was asked to stop in its first turn ends by way of a suspension of co_spawn's own.
    co_await asio::this_coro::throw_if_cancelled(false);
    if (failure && !is_cancellation(failure)) all->failed(name, failure);
  }

  void conclude(const shared& all) const {
    const auto& failures = all.failures;
    const auto fatal = std::find_if(failures.begin(), failures.end(),
                                    [](const auto& one) { return is_exit_request(one.failure); });
    if (fatal != failures.end()) {
      for (const auto& one : failures) {
        if (&one != &*fatal) env_.report_unhandled(one.failure);
      }
      std::rethrow_exception(fatal->failure);
    }
    if (all.bug == group_bug::first_cause_wins && all.stopping && all.began_with == cause::request) {
      for (const auto& one : failures) env_.report_unhandled(one.failure);
      contract::throw_cancelled();
    }
    if (failures.size() == 1) std::rethrow_exception(failures.front().failure);
    if (!failures.empty()) throw aggregate_error(failures);
    if (all.asked_from_outside) contract::throw_cancelled();
  }
  static bool is_exit_request(const std::exception_ptr& failure) {
    try {
      std::rethrow_exception(failure);
    } catch (const contract::exit_request&) {
      return true;
    } catch (...) {
      return false;
    }
  }

  environment& env_;
  std::shared_ptr<shared> all_;
};

const table<listing_group, group_bug> all(
    "listing_group",
    {"cleanup", "dynamic_spawn", "nested_spawn", "close", "late_refusal", "body_failure", "own_cancellation",
     "ordered_failures", "fatal_class", "collect", "lifetime"},
    {{group_bug::counts_when_it_starts,
      "a spawned child is counted when it starts, a turn later: the last child may have ended by then",
      {{"TG-1", ""}}},
     {group_bug::collect_keeps_everybody,
      "with `collect` a request from outside stops the children as little as a failure does",
      {{"TG-13", ""}, {"TG-5", ""}}},
     {group_bug::first_cause_wins,
      "what began the stop decides the outcome: a failure after a request from outside ends as cancelled",
      {{"TG-5", ""}, {"X-18", ""}}},
     {group_bug::asks_again_for_every_failure,
      "every failure asks the siblings to stop, also those that are cleaning up since the first one",
      {{"TG-2", ""}}},
     {group_bug::asks_only_children,
      "the failure of a child asks its siblings to stop, and not the body",
      {{"TG-2", ""}, {"TG-8", ""}}},
     {group_bug::keeps_what_it_refuses,
      "a child that is refused is kept until the group is gone",
      {{"TG-7", ""}, {"TG-11", ""}, {"X-19", ""}}},
     {group_bug::lists_after_the_first_turn,
      "a child is listed when its first turn is over: what fails in that turn does not stop it",
      {{"TG-2", ""}}},
     {group_bug::keeps_failures_by_name,
      "failures are kept by the name of the child: of two children of one name only one failure is told",
      {{"TG-3", "every failure is told"}}}});

}  // namespace
}  // namespace assay::wrong
