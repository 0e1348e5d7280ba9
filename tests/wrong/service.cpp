// An assembly around one queue of its own: submitters are parked in a list, and workers look whenever something changes.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::service_report;

ASSAY_DEFECTS(service_bug, none, starts_two_workers, drops_who_waits_at_the_stop,
              drained_when_the_queue_is_empty, puts_back_at_the_end, workers_die_of_failures,
              leaves_the_store_open, drain_begins_anew_with_every_item, has_room_for_two,
              a_budget_for_each_resource, failed_openings_are_silent, waits_for_an_opening)

class one_queue final : public contract::service {
 public:
  one_queue(environment& env, const contract::service_config& config, service_bug bug)
      : all_(std::make_shared<shared>(env, config, bug)) {}

  awaitable<service_report> run() override {
    const std::shared_ptr<shared> all = all_;
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    bool has_store = false;
    bool has_sink = false;
    co_await open(all, "store", outside().open_store, has_store);
    if (has_store) co_await open(all, "sink", outside().open_sink, has_sink);
    if (has_sink) co_await serve();
    all->stop();
    all->tell("not ready");
    all->tell("stop accepting");
    co_await drain(all);
    all->tell("background stopped");
    time_point limit = deadline_after(std::chrono::nanoseconds(all->config.cleanup_ns));
    if (has_sink) co_await close(all, "sink", outside().close_sink, limit);
    if (all->bug == service_bug::a_budget_for_each_resource)
      limit = deadline_after(std::chrono::nanoseconds(all->config.cleanup_ns));
    const bool leaves_it = all->bug == service_bug::leaves_the_store_open && !has_sink;
    if (has_store && !leaves_it) co_await close(all, "store", outside().close_store, limit);
    all->over = true;
    all->tell("stopped");
    co_await asio::this_coro::throw_if_cancelled(throwing);
    co_return all->report;
  }
  void request_stop() override { all_->stop(); }
  bool ready() const override { return all_->accepting; }
  bool live() const override { return true; }
  std::size_t buffered() const override { return all_->queue.size(); }

 protected:
  void connected() override {
    const contract::service_config& wanted = all_->config;
    if (wanted.queue_capacity <= 0 || wanted.workers <= 0 || wanted.drain_ns < 0 || wanted.force_ns < 0 ||
        wanted.cleanup_ns < 0)
      throw contract::rejected_error("such a service cannot be");
    all_->tell = outside().event;
  }

  awaitable<void> do_submit(item one) override {
    const std::shared_ptr<shared> all = all_;
    if (all->stopping) throw contract::closed_error();
    submitter self(all->executor, std::move(one));
    all->submitters.push_back(&self);
    all->admit();
    if (!self.taken) co_await all->places.wait(self.place);
    std::erase(all->submitters, &self);
    if (self.taken) co_return;
    if (all->stopping) {
      if (all->bug == service_bug::drops_who_waits_at_the_stop) co_return;
      throw contract::closed_error();
    }
    contract::throw_cancelled();
  }
  std::vector<item> do_take_back() override { return all_->take_back(); }

 private:
  using time_point = waiting_list::time_point;

  struct accepted {
    std::uint64_t number = 0;
    item one;
  };
  struct submitter {
    submitter(const asio::any_io_executor& executor, item what) : one(std::move(what)), place(executor) {}
    item one;
    waiter place;
    bool taken = false;
  };
  struct worker {
    std::shared_ptr<started> self;
    accepted in_hand;
  };
  struct shared {
    shared(environment& surroundings, const contract::service_config& wanted, service_bug wrong)
        : env(surroundings), executor(surroundings.executor()), config(wanted), bug(wrong) {}

    void stop() {
      if (stopping) return;
      stopping = true;
      accepting = false;
      places.wake_all();
      changed.wake_all();
    }
    // Moves items of those who wait to where there is room.
    void admit() {
      while (accepting && !submitters.empty() && queue.size() < room()) {
        submitter& first = *submitters.front();
        submitters.pop_front();
        first.taken = true;
        accepted next;
        next.number = ++last_number;
        next.one = std::move(first.one);
        queue.push_back(std::move(next));
        first.place.woken = true;
        first.place.timer.cancel();
        changed.wake_all();
      }
    }
    std::size_t room() const {
      return bug == service_bug::has_room_for_two ? 2 : static_cast<std::size_t>(config.queue_capacity);
    }
    void fail(const std::string& of, const std::exception_ptr& failure) {
      if (over) {
        env.report_unhandled(failure);
      } else {
        report.failures.push_back({of, describe(failure)});
      }
    }
    std::vector<item> take_back() {
      std::vector<accepted> all_left = std::move(rest);
      for (accepted& each : queue) all_left.push_back(std::move(each));
      queue.clear();
      for (const auto& each : workers) {
        if (each->in_hand.one) all_left.push_back(std::move(each->in_hand));
      }
      const auto is_older = [](const accepted& a, const accepted& b) { return a.number < b.number; };
      if (bug == service_bug::puts_back_at_the_end) {
        std::rotate(all_left.begin(), all_left.begin() + put_back, all_left.end());
      } else {
        std::sort(all_left.begin(), all_left.end(), is_older);
      }
      std::vector<item> items;
      for (accepted& each : all_left) items.push_back(std::move(each.one));
      return items;
    }

    environment& env;
    asio::any_io_executor executor;
    contract::service_config config;
    service_bug bug;
    std::function<void(std::string_view)> tell;
    std::deque<accepted> queue;
    std::deque<submitter*> submitters;
    waiting_list places;
    std::vector<std::shared_ptr<worker>> workers;
    std::vector<accepted> rest;  // what workers gave back
    std::ptrdiff_t put_back = 0;
    std::uint64_t last_number = 0;
    service_report report;
    bool accepting = false;
    bool stopping = false;
    bool forced = false;
    bool over = false;
    waiting_list changed;
  };

  static awaitable<void> look_again(std::shared_ptr<shared> all, time_point limit) {
    const bool had_asked = co_await is_asked_to_stop();
    if (had_asked && !all->stopping) {
      all->stop();
      co_return;
    }
    waiter here(all->executor);
    co_await all->changed.wait(here, limit);
    const bool asked = co_await is_asked_to_stop();
    if (asked) all->stop();
  }

  // A step of the service's own: its failure is in the report.
  static std::shared_ptr<started> begin_step(const std::shared_ptr<shared>& all, std::string called,
                                             step work) {
    auto told = [all](const started& one) {
      const bool silent = all->bug == service_bug::failed_openings_are_silent && all->workers.empty();
      if (one.failed() && !silent) all->fail(one.name, one.failure);
      all->changed.wake_all();
    };
    return begin(all->executor, std::move(called), std::move(work), std::move(told));
  }

  static awaitable<void> open(std::shared_ptr<shared> all, std::string called, step opening, bool& is_open) {
    const bool asked = co_await is_asked_to_stop();
    if (asked) all->stop();
    if (all->stopping) co_return;
    const auto one = begin_step(all, std::move(called), std::move(opening));
    const bool waits = all->bug == service_bug::waits_for_an_opening;
    while (!one->ended && (waits || !all->stopping)) co_await look_again(all, time_point::max());
    if (!one->ended) {
      one->ask_to_stop();
      co_await finish(all, one, deadline_after(std::chrono::nanoseconds(all->config.force_ns)));
      if (!one->ended) all->report.survivors.push_back(one->name);
    }
    is_open = one->ended && !one->failure;
  }
  static awaitable<void> close(std::shared_ptr<shared> all, std::string called, step closing,
                               time_point limit) {
    const auto one = begin_step(all, std::move(called), std::move(closing));
    co_await finish(all, one, limit);
    if (one->ended) co_return;
    one->ask_to_stop();
    all->report.survivors.push_back(one->name);
  }
  static awaitable<void> finish(std::shared_ptr<shared> all, std::shared_ptr<started> one, time_point limit) {
    while (!one->ended && std::chrono::steady_clock::now() < limit) co_await look_again(all, limit);
  }

  awaitable<void> serve() {
    const std::shared_ptr<shared> all = all_;
    if (all->stopping) co_return;
    std::int64_t count = all->config.workers;
    if (all->bug == service_bug::starts_two_workers) count = 2;
    for (std::int64_t number = 1; number <= count; ++number) {
      auto one = std::make_shared<worker>();
      all->workers.push_back(one);
      step work = [this, all, one] { return work_until_stopped(this, all, one); };
      one->self = begin_step(all, "worker " + std::to_string(number), std::move(work));
    }
    all->accepting = true;
    all->admit();
    while (!all->stopping) co_await look_again(all, time_point::max());
  }

  static awaitable<void> work_until_stopped(one_queue* service, std::shared_ptr<shared> all,
                                            std::shared_ptr<worker> self) {
    while (!all->forced) {
      if (all->queue.empty()) {
        if (all->stopping) co_return;
        waiter here(all->executor);
        co_await all->changed.wait(here);
        continue;
      }
      self->in_hand = std::move(all->queue.front());
      all->queue.pop_front();
      all->admit();
      std::exception_ptr failure;
      try {
        co_await service->work_on(self->in_hand.one);
      } catch (...) {
        failure = std::current_exception();
      }
      if (all->over) {
        if (failure && !is_cancellation(failure)) all->env.report_unhandled(failure);
        co_return;
      }
      accepted done = std::move(self->in_hand);
      if (is_cancellation(failure)) {
        all->rest.push_back(std::move(done));
        ++all->put_back;
        all->changed.wake_all();
        if (self->self->asked) co_return;
        continue;
      }
      if (failure) {
        give_up(done.one);
        if (all->bug == service_bug::workers_die_of_failures) std::rethrow_exception(failure);
        all->fail(self->self->name, failure);
      }
      all->changed.wake_all();
    }
  }

  static bool have_ended(const shared& all) {
    return std::all_of(all.workers.begin(), all.workers.end(),
                       [](const auto& each) { return each->self->ended; });
  }
  static awaitable<void> drain(std::shared_ptr<shared> all) {
    const std::chrono::nanoseconds budget(all->config.drain_ns);
    time_point limit = deadline_after(budget);
    while (!have_ended(*all) && std::chrono::steady_clock::now() < limit) {
      if (all->bug == service_bug::drain_begins_anew_with_every_item) limit = deadline_after(budget);
      if (all->bug == service_bug::drained_when_the_queue_is_empty && all->queue.empty()) break;
      co_await look_again(all, limit);
    }
    all->tell("drain end");
    if (have_ended(*all)) co_return;
    if (all->bug == service_bug::drained_when_the_queue_is_empty && all->queue.empty()) co_return;
    all->forced = true;
    all->tell("force cancel");
    const auto workers = all->workers;
    for (const auto& each : workers) each->self->ask_to_stop();
    const time_point forced = deadline_after(std::chrono::nanoseconds(all->config.force_ns));
    while (!have_ended(*all) && std::chrono::steady_clock::now() < forced) co_await look_again(all, forced);
    for (const auto& each : workers) {
      const started& self = *each->self;
      if (!self.ended) {
        all->report.survivors.push_back(self.name);
      } else if (self.asked) {
        all->report.cancelled.push_back(self.name);
      }
    }
  }

  std::shared_ptr<shared> all_;
};

const table<one_queue, service_bug> all(
    "one_queue", {"dead_letter"},
    {{service_bug::drops_who_waits_at_the_stop,
      "who waits for room when the stop begins is told that the item was accepted, and it is dropped",
      {{"INT-1", ""}}},
     {service_bug::drained_when_the_queue_is_empty,
      "the drain ends when the queue is empty, although workers still have items in hand",
      {{"INT-1", ""}, {"INT-2", ""}, {"INT-3", ""}}},
     {service_bug::has_room_for_two, "the queue has room for two items, whatever was asked", {{"INT-4", ""}}},
     {service_bug::failed_openings_are_silent,
      "why a resource could not be opened is not told",
      {{"INT-5", ""}, {"INT-8", ""}, {"X-15", ""}}},
     {service_bug::starts_two_workers, "two workers are started, whatever was asked", {{"INT-4", ""}}},
     {service_bug::drain_begins_anew_with_every_item,
      "the budget of the drain begins anew with every item that is done",
      {{"INT-6", ""}}},
     {service_bug::a_budget_for_each_resource,
      "sink and store have the whole budget of the cleanup each",
      {{"INT-6", ""}}},
     {service_bug::waits_for_an_opening,
      "a stop during the start waits until what is being opened is open",
      {{"INT-6", ""}, {"INT-8", ""}}},
     {service_bug::puts_back_at_the_end,
      "what was taken from workers is handed back behind what still waited",
      {{"INT-1", ""}}},
     {service_bug::workers_die_of_failures,
      "a worker ends when its item fails, and nobody takes its place",
      {{"INT-1", ""}, {"INT-4", ""}, {"INT-5", ""}}},
     {service_bug::leaves_the_store_open,
      "when the sink was not opened the store is not closed",
      {{"INT-8", ""}, {"INT-2", ""}}}});

}  // namespace
}  // namespace assay::wrong
