// A service that conforms and does otherwise than the reference wherever the standard leaves it free. It is one list and
// a task per item instead of a queue, workers and a coordinator. Submits that come before it is ready wait until it
// is; of those that wait the last to come goes on first; the end of the drain is told before the force-cancel; failures
// of the cleanup are told the latest first; a cancelled run is a stop, and ends with its report. Its mutants are this
// service with one rule broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>

namespace assay {

namespace asio = boost::asio;

// clang-format off
ASSAY_DEFECTS(service_defect, none,
  drops_what_a_stopped_worker_holds, forgets_what_is_queued, accepts_while_it_drains, closes_in_order_of_opening,
  abandons_at_once, has_no_bound, reports_the_first_failure_only, waits_for_the_deaf, drain_overflows,
  does_not_name_the_deaf, says_yes_to_a_cancelled_submit, ignores_an_early_stop, stays_ready, ready_a_turn_too_long,
  dies_at_the_stop, an_early_stop_releases_nobody, starts_two_workers, loses_a_worker_with_a_failure,
  asks_workers_one_after_another, names_whoever_was_asked, waits_for_what_is_being_opened, forgets_the_store)
// clang-format on

class list_service : public contract::service {
 public:
  using enum service_defect;

  list_service(const asio::any_io_executor& executor, const config& how, service_defect wrong = none)
      : executor_(executor), config_(how), wrong_(wrong), bell_(executor) {}

  awaitable<contract::service_report> run() override {
    return holding_requests(serve());  // a request is a stop
  }

  void request_stop() override {
    if (is(ignores_an_early_stop) && !ready_) return;
    stop_ = true;
    if (!begun_ && !is(an_early_stop_releases_nobody)) release_submitters();
    bell_.cancel();
  }

  bool ready() const override { return ready_ || (is(stays_ready) && !stopped_); }
  bool live() const override { return !stopped_ && !(stop_ && is(dies_at_the_stop)); }
  std::size_t buffered() const override { return waiting_.size(); }

 protected:
  awaitable<void> do_submit(item one) override {
    submitter self(executor_);
    self.offered = std::move(one);
    if (!closed_) submitters_.push_back(&self);
    admit();
    boost::system::error_code woken;
    std::exception_ptr failure;  // memory is short
    try {
      if (!closed_ && !self.accepted)
        co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(submitters_, &self);
    if (self.accepted) co_return;
    if (failure) std::rethrow_exception(failure);
    const bool keeps =
        closed_ ? is(accepts_while_it_drains) && !stopped_ : is(says_yes_to_a_cancelled_submit);
    if (keeps) {
      late_.push_back(std::move(self.offered));
      co_return;
    }
    if (closed_) throw contract::closed_error();
    contract::throw_cancelled();
  }

  std::vector<item> do_take_back() override {
    std::vector<item> rest = std::move(unfinished_);
    unfinished_.clear();
    std::move(waiting_.begin(), waiting_.end(), std::back_inserter(rest));
    waiting_.clear();
    if (is(forgets_what_is_queued)) rest.clear();
    return rest;
  }

 private:
  awaitable<contract::service_report> serve() {
    begun_ = true;
    co_await open_both();
    co_await serve_until_asked();
    if (ready_) {
      ready_ = is(ready_a_turn_too_long);
      if (ready_) asio::post(executor_, [this] { ready_ = false; });
      tell("not ready");
      tell("stop accepting");
    }
    release_submitters();
    co_await shield(drain());
    if (running_ > 0) co_await shield(force());
    serving_ = false;
    tell("background stopped");
    co_await shield(close_all());
    stopped_ = true;
    tell("stopped");
    co_return report_;
  }

  using clock = std::chrono::steady_clock;
  struct submitter {
    explicit submitter(const asio::any_io_executor& executor)
        : timer(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer timer;
    item offered;
    bool accepted = false;
  };

  struct task {
    std::string name;
    item one;
    asio::cancellation_signal signal;
    bool begun = false;
    bool ended = false;
    bool asked = false;          // a resource's
    std::exception_ptr failure;  // a resource's
  };

  // Carries the slot itself, so that a request is made at once instead of posted.
  struct completion {
    using cancellation_slot_type = asio::cancellation_slot;
    cancellation_slot_type get_cancellation_slot() const noexcept { return mine->signal.slot(); }
    void operator()(const std::exception_ptr& failure) const { (owner->*told)(*mine, failure); }
    list_service* owner;
    std::shared_ptr<task> mine;
    void (list_service::*told)(task&, const std::exception_ptr&) = &list_service::ended;
  };

  bool is(service_defect what) const noexcept { return wrong_ == what; }
  void tell(std::string_view what) const {
    if (outside().event) outside().event(what);
  }

  bool has_room() const noexcept {
    return is(has_no_bound) || waiting_.size() < static_cast<std::size_t>(config_.queue_capacity);
  }

  std::size_t workers() const noexcept {
    if (is(starts_two_workers)) return 2;
    const auto wanted = static_cast<std::size_t>(config_.workers);
    return is(loses_a_worker_with_a_failure) ? wanted - std::min(failed_, wanted) : wanted;
  }

  // Lets items in and to work, as long as there is room for either.
  void admit() {
    while (serving_) {
      if (running_ < workers() && !waiting_.empty()) {
        unfinished_.reserve(unfinished_.size() + running_ + 1);  // where each may come to be
        auto mine = std::make_shared<task>();
        mine->name = "item " + std::to_string(waiting_.front().id());
        mine->one = std::move(waiting_.front());
        waiting_.pop_front();
        std::erase_if(tasks_, [](const auto& each) { return each->ended; });
        tasks_.push_back(mine);
        ++running_;
        asio::co_spawn(executor_, work(mine), completion{this, mine});
      } else if (!closed_ && !submitters_.empty() && has_room()) {
        submitter& last = *submitters_.back();
        submitters_.pop_back();
        waiting_.push_back(std::move(last.offered));
        last.accepted = true;
        last.timer.cancel();
      } else {
        return;
      }
    }
  }

  void release_submitters() {
    closed_ = true;
    for (submitter* const one : submitters_) one->timer.cancel();
  }

  awaitable<void> work(std::shared_ptr<task> mine) {
    // A request that comes before the first turn would leave co_spawn by throwing.
    co_await asio::post(asio::use_awaitable);
    if (forced_) contract::throw_cancelled();
    mine->begun = true;
    co_await work_on(mine->one);
  }

  // What a completion handler throws, memory being short, may end the process: this allocates nothing. The run, which it
  // wakes, lets the next one to work.
  void ended(task& mine, const std::exception_ptr& failure) {
    --running_;
    mine.ended = true;
    const bool cancelled = is_cancellation(failure);
    if (failure && cancelled && !is(drops_what_a_stopped_worker_holds))
      unfinished_.push_back(std::move(mine.one));
    if (failure && !cancelled) ++failed_;
    if (failure && !cancelled) give_up(mine.one);
    const item gone = std::move(mine.one);
    bell_.cancel();
  }

  awaitable<bool> asked() const {
    const auto requests = co_await asio::this_coro::cancellation_state;
    co_return stop_ || requests.cancelled() != asio::cancellation_type::none;
  }

  awaitable<void> wait_for_change(clock::time_point deadline) {
    boost::system::error_code rung;
    bell_.expires_at(deadline);
    co_await bell_.async_wait(asio::redirect_error(asio::use_awaitable, rung));
  }

  // What opens or closes a resource is a task, too, which a stop does not wait for without limit.
  static awaitable<void> handle_resource(std::shared_ptr<task> mine, awaitable<void> work) {
    co_await asio::post(asio::use_awaitable);
    if (mine->asked) contract::throw_cancelled();
    mine->begun = true;
    co_await std::move(work);
  }
  void resource_handled(task& mine, const std::exception_ptr& failure) {
    mine.ended = true;
    mine.failure = failure;
    bell_.cancel();
  }
  std::shared_ptr<task> begin_resource(const char* name, awaitable<void> work) {
    auto mine = std::make_shared<task>();
    mine->name = name;
    asio::co_spawn(executor_, handle_resource(mine, std::move(work)),
                   completion{this, mine, &list_service::resource_handled});
    return mine;
  }
  awaitable<void> wait_for(std::shared_ptr<task> one, clock::time_point deadline) {
    while (!one->ended && clock::now() < deadline) co_await wait_for_change(deadline);
  }
  awaitable<void> hurry(std::shared_ptr<task> one, clock::time_point deadline) {
    one->asked = true;
    if (one->begun) one->signal.emit(asio::cancellation_type::terminal);
    co_await wait_for(one, deadline);
    // One that obeys needs no time, but perhaps a turn.
    for (int i = 0; i < 3 && !one->ended; ++i) co_await asio::post(asio::use_awaitable);
    if (!one->ended) report_.survivors.push_back(one->name);
  }

  awaitable<void> open_both() {
    co_await open_one("store", outside().open_store, store_open_);
    if (store_open_) co_await open_one("sink", outside().open_sink, sink_open_);
  }
  awaitable<void> open_one(const char* name, std::function<awaitable<void>()> opening, bool& is_open) {
    bool over = co_await asked();
    if (over) co_return;
    const auto one = begin_resource(name, opening());
    while (!one->ended && (!over || is(waits_for_what_is_being_opened))) {
      co_await wait_for_change(clock::time_point::max());
      over = co_await asked();
    }
    if (!one->ended) co_await shield(hurry(one, deadline_after(std::chrono::nanoseconds(config_.force_ns))));
    is_open = one->ended && !one->failure;
    if (!one->failure || is_cancellation(one->failure)) co_return;
    report_.failures.push_back({name, describe(one->failure)});
    stop_ = true;
  }

  awaitable<void> serve_until_asked() {
    if (!sink_open_) co_return;
    bool over = co_await asked();
    if (over) co_return;
    ready_ = true;
    serving_ = true;
    admit();
    while (!over) {
      co_await wait_for_change(clock::time_point::max());
      admit();
      over = co_await asked();
    }
  }

  awaitable<void> drain() {
    const std::chrono::nanoseconds budget(config_.drain_ns);
    const auto deadline = is(drain_overflows) ? overflowing_deadline(budget) : deadline_after(budget);
    for (admit(); running_ > 0 && clock::now() < deadline; admit()) co_await wait_for_change(deadline);
    tell("drain end");
  }

  awaitable<void> force() {
    tell("force cancel");
    forced_ = true;
    serving_ = false;
    std::vector<std::shared_ptr<task>> stopped;
    for (const auto& one : tasks_) {
      if (!one->ended) stopped.push_back(one);
    }
    std::chrono::nanoseconds budget(config_.force_ns);
    if (is(waits_for_the_deaf)) budget = std::chrono::hours(1);
    if (is(abandons_at_once)) budget = std::chrono::nanoseconds::zero();
    const auto deadline = deadline_after(budget);
    for (const auto& one : stopped) {
      if (one->begun) one->signal.emit(asio::cancellation_type::terminal);
      while (is(asks_workers_one_after_another) && !one->ended && clock::now() < deadline)
        co_await wait_for_change(deadline);
    }
    while (running_ > 0 && clock::now() < deadline) co_await wait_for_change(deadline);
    const bool all = is(names_whoever_was_asked);
    for (const auto& one : stopped)
      (one->ended && !all ? report_.cancelled : report_.survivors).push_back(one->name);
    if (is(does_not_name_the_deaf)) report_.survivors.clear();
  }

  awaitable<void> close_all() {
    const auto deadline = deadline_after(std::chrono::nanoseconds(config_.cleanup_ns));
    const bool store_first = is(closes_in_order_of_opening);
    const bool has_store = store_open_ && (sink_open_ || !is(forgets_the_store));
    if (has_store && store_first) co_await close_one("store", outside().close_store(), deadline);
    if (sink_open_) co_await close_one("sink", outside().close_sink(), deadline);
    if (has_store && !store_first) co_await close_one("store", outside().close_store(), deadline);
  }

  awaitable<void> close_one(const char* name, awaitable<void> closing, clock::time_point deadline) {
    const auto one = begin_resource(name, std::move(closing));
    co_await wait_for(one, deadline);
    if (!one->ended) co_await hurry(one, deadline);
    if (!one->failure || is_cancellation(one->failure)) co_return;
    if (is(reports_the_first_failure_only) && !report_.failures.empty()) co_return;
    outcome::member told{name, describe(one->failure)};
    report_.failures.insert(report_.failures.begin(), std::move(told));
  }

  const asio::any_io_executor executor_;
  const config config_;
  const service_defect wrong_;
  asio::steady_timer bell_;
  std::deque<item> waiting_;
  std::vector<item> unfinished_;  // what forced tasks had in hand
  std::vector<item> late_;        // what a defect accepted and nobody will process
  std::vector<submitter*> submitters_;
  // Those that run. One that has ended is forgotten in a later turn, for its own still uses its signal.
  std::vector<std::shared_ptr<task>> tasks_;
  std::size_t running_ = 0;
  std::size_t failed_ = 0;  // items
  contract::service_report report_;
  bool begun_ = false;
  bool store_open_ = false;
  bool sink_open_ = false;
  bool ready_ = false;
  bool serving_ = false;  // takes items, and works on them
  bool closed_ = false;   // accepts no more
  bool forced_ = false;
  bool stop_ = false;
  bool stopped_ = false;
};

}  // namespace assay
