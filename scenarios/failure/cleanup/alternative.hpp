// A cleanup scope of another make: every step (an acquire, the body, a flush, a close) is a task of its own, and whoever
// calls the scope only waits for it. So cleanup is shielded because nobody tells its tasks of a request, and a resource
// is registered by the end of its task, not by who waits for it.
//
// Where the standard leaves freedom it differs from the reference: a failure alone is thrown as it is; after a
// cancellation failures of cleanup are reported, and the run ends cancelled; closing by force is counted, and is no
// failure; there are turns between the steps.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

namespace assay {

/// What the alternative claims, and each mutant that bends it.
inline std::vector<std::string> claims_of_tasked_cleanup() {
  return {"shielded_cleanup", "bounded_cleanup", "primary_first", "suppress",
          "single_use",       "statistics",      "strict_entry",  "checked_destruction"};
}

/// How it can be wrong.
ASSAY_DEFECTS(cleanup_defect, none, walks_away_from_a_close, request_interrupts_cleanup,
              request_restarts_a_flush, request_skips_the_close, flushes_only_when_cancelled,
              flushes_only_when_well, error_skips_all_closing, cleanup_throws_at_once,
              registered_by_who_waits, failed_flush_skips_the_close, failed_close_skips_the_rest,
              giving_up_skips_the_close, giving_up_ends_the_run, flush_failure_is_dropped,
              close_failure_is_dropped, failure_of_cleanup_wins, failures_of_cleanup_come_first,
              cancelled_ends_well, failure_forgets_the_request, closes_before_it_flushes, closes_what_failed,
              is_not_bounded, limit_is_a_constant, limit_is_for_each_step, limit_overflows,
              forces_before_the_limit, asks_and_does_not_force, forces_when_it_has_ended,
              forces_what_was_closed, closes_after_the_force, force_skips_the_rest, force_is_not_named,
              closes_again, takes_late_comers, runs_again, late_acquisition_leaks, takes_the_unclosable,
              refuses_after_acquiring, swallowed_for_nobody, swallows_cancellation, swallowing_skips_the_rest,
              nothing_is_swallowed, closes_in_order, orders_by_the_calls, closes_all_at_once,
              entry_is_not_checked, stays_disabled, deferred_is_forgotten, counts_forced_as_closed,
              counts_before_it_is_there, looking_counts, goes_unnoticed)

class tasked_cleanup final : public contract::cleanup {
 public:
  tasked_cleanup(environment& env, const contract::cleanup_config& wanted, cleanup_defect wrong)
      : environment_(env),
        executor_(env.executor()),
        limit_(bent(wanted.limit, wrong)),
        wrong_(wrong),
        watch_(executor_),
        all_closed_(executor_, never) {}
  ~tasked_cleanup() override {
    const bool in_use = calls_ > 0 || !stack_.empty();
    if (in_use && !watch_.ending() && !is(cleanup_defect::goes_unnoticed)) std::abort();
  }

  void handle(std::string name, bool swallows, observer seen) override {
    if (closing_ && !is(cleanup_defect::takes_late_comers)) throw contract::closed_error();
    auto one = std::make_shared<entry>();
    one->what.name = std::move(name);
    one->swallows = swallows;
    one->seen = std::move(seen);
    stack_.push_back(std::move(one));
  }
  std::vector<std::string> forced() const override {
    return is(cleanup_defect::force_is_not_named) ? std::vector<std::string>() : forced_;
  }
  contract::cleanup_statistics statistics() const override {
    if (is(cleanup_defect::looking_counts)) ++looks_;
    const std::size_t hidden = is(cleanup_defect::counts_forced_as_closed) ? forced_.size() : 0;
    const std::size_t early = is(cleanup_defect::counts_before_it_is_there) ? acquiring_ : 0;
    return {open_ + early, closed_so_far_ + hidden + looks_ / 4, forced_.size() - hidden};
  }

 protected:
  awaitable<void> do_run(step body) override {
    if (!is(cleanup_defect::entry_is_not_checked))
      check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if ((entered_ || closing_) && !is(cleanup_defect::runs_again))
      throw contract::rejected_error("it runs once");
    entered_ = true;
    co_await call(run_and_clean(std::move(body)));
  }

  awaitable<void> do_acquire(contract::cleanup_resource what) override {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    if (!what.close && !is(cleanup_defect::takes_the_unclosable) &&
        !is(cleanup_defect::refuses_after_acquiring))
      throw contract::rejected_error("it cannot be closed");
    if (closing_ && !is(cleanup_defect::takes_late_comers)) throw contract::closed_error();
    co_await call(acquire_and_register(std::move(what)));
  }

  awaitable<void> do_close() override {
    check_cancelled(co_await boost::asio::this_coro::cancellation_state);
    co_await call(close_once());
  }

 private:
  using time_point = std::chrono::steady_clock::time_point;
  using nanoseconds = std::chrono::nanoseconds;
  static constexpr time_point never = time_point::max();
  bool is(cleanup_defect one) const noexcept { return wrong_ == one; }

  struct task {
    explicit task(const boost::asio::any_io_executor& executor) : bell(executor) {}
    boost::asio::cancellation_signal signal;
    boost::asio::steady_timer bell;  // rung at the end
    std::exception_ptr failure;
    std::function<void()> ended;
    bool begun = false;
    bool asked = false;
    bool over = false;
  };
  using task_ptr = std::shared_ptr<task>;

  struct entry {
    contract::cleanup_resource what;
    observer seen;  // of a handler
    bool swallows = false;
  };
  using entry_ptr = std::shared_ptr<entry>;

  // How things went so far.
  struct verdict {
    std::vector<contract::aggregate_error::member> failures;
    bool cancelled = false;
  };

  // As bind_cancellation_slot, but without an executor: requests are made at once, not posted.
  class completion {
   public:
    using cancellation_slot_type = boost::asio::cancellation_slot;
    explicit completion(task_ptr self) : self_(std::move(self)) {}
    cancellation_slot_type get_cancellation_slot() const noexcept { return self_->signal.slot(); }
    void operator()(std::exception_ptr failure) const {
      self_->over = true;
      self_->failure = std::move(failure);
      if (self_->ended) self_->ended();
      self_->bell.cancel();
    }

   private:
    task_ptr self_;
  };

  static nanoseconds bent(nanoseconds limit, cleanup_defect wrong) {
    if (wrong == cleanup_defect::is_not_bounded) return nanoseconds::max();
    if (wrong == cleanup_defect::limit_is_a_constant) return std::chrono::milliseconds(10);
    if (wrong == cleanup_defect::forces_before_the_limit) return limit - limit / 4;
    return wrong == cleanup_defect::limit_overflows ? overflowing_limit(limit) : limit;
  }

  // What a call does, with the caller's requests held; they show when it has ended.
  awaitable<void> call(awaitable<void> work) {
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await hold_requests;
    ++calls_;
    const std::exception_ptr failure = co_await outcome_of(std::move(work));
    --calls_;
    if (is(cleanup_defect::deferred_is_forgotten) ||
        (is(cleanup_defect::failure_forgets_the_request) && failure && !is_cancellation(failure)))
      co_await boost::asio::this_coro::reset_cancellation_state();
    if (!is(cleanup_defect::stays_disabled)) co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    if (failure) std::rethrow_exception(failure);
  }
  static awaitable<std::exception_ptr> outcome_of(awaitable<void> work) {
    std::exception_ptr failure;
    try {
      co_await std::move(work);
    } catch (...) {
      failure = std::current_exception();
    }
    co_return failure;
  }

  static awaitable<void> live(task_ptr self, step work) {
    self->begun = true;
    if (self->asked) contract::throw_cancelled();
    std::exception_ptr failure;
    try {
      co_await work();
    } catch (...) {
      failure = std::current_exception();
    }
    // What co_spawn still awaits would otherwise throw, when a request is there, out of the event loop.
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    if (failure) std::rethrow_exception(failure);
  }
  task_ptr begin(step work, std::function<void()> ended = {}) {
    const auto made = std::make_shared<task>(executor_);
    made->ended = std::move(ended);
    boost::asio::co_spawn(executor_, live(made, std::move(work)), completion(made));
    return made;
  }
  static void ask(const task_ptr& one) {
    if (one->over || std::exchange(one->asked, true)) return;
    if (one->begun) one->signal.emit(boost::asio::cancellation_type::terminal);
  }
  // True if it has ended by then; false as well if `interrupted` is given and a request came.
  static awaitable<bool> wait_for(task_ptr one, time_point deadline, bool* interrupted = nullptr) {
    while (!one->over && std::chrono::steady_clock::now() < deadline) {
      boost::system::error_code why;
      one->bell.expires_at(deadline);
      co_await one->bell.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, why));
      if (interrupted != nullptr && !one->over && why) {
        *interrupted = true;
        co_return false;
      }
    }
    co_return one->over;
  }
  // To its end; a request is passed on to it.
  static awaitable<void> follow(task_ptr one) {
    while (!one->over) {
      bool interrupted = false;
      co_await wait_for(one, never, &interrupted);
      if (interrupted) ask(one);
    }
  }

  awaitable<void> run_and_clean(step body) {
    verdict so_far;
    const task_ptr using_it = begin(std::move(body));
    co_await follow(using_it);
    note(so_far, "body", using_it->failure);
    so_far.cancelled = is_cancellation(using_it->failure) && !is(cleanup_defect::cancelled_ends_well);
    if (is(cleanup_defect::error_skips_all_closing) && using_it->failure) stack_.clear();
    co_await clean_all_once(so_far);
    throw_outcome(so_far);
  }

  awaitable<void> acquire_and_register(contract::cleanup_resource what) {
    auto registered = std::make_shared<entry>();
    registered->what = std::move(what);
    bool late = false;
    const auto commit = [this, registered, &late](const std::exception_ptr& failure) {
      --acquiring_;
      if (failure && !is(cleanup_defect::closes_what_failed)) return;
      if (!failure) ++open_;
      late = closing_ && !is(cleanup_defect::takes_late_comers);
      if (!late && !is(cleanup_defect::orders_by_the_calls)) stack_.push_back(registered);
    };
    if (is(cleanup_defect::orders_by_the_calls)) stack_.push_back(registered);
    ++acquiring_;
    const task_ptr acquiring = begin(registered->what.acquire);
    const bool by_waiter = is(cleanup_defect::registered_by_who_waits);
    if (!by_waiter) acquiring->ended = [&commit, known = acquiring.get()] { commit(known->failure); };
    co_await follow(acquiring);
    if (by_waiter && acquiring->asked) contract::throw_cancelled();
    if (by_waiter) commit(acquiring->failure);
    if (acquiring->failure) {
      if (is(cleanup_defect::orders_by_the_calls)) std::erase(stack_, registered);
      std::rethrow_exception(acquiring->failure);
    }
    if (!registered->what.close && is(cleanup_defect::refuses_after_acquiring)) {
      std::erase(stack_, registered);
      --open_;
      throw contract::rejected_error("it cannot be closed");
    }
    if (!late) co_return;
    verdict so_far;
    if (!is(cleanup_defect::late_acquisition_leaks)) co_await clean(registered, so_far);
    throw_outcome(so_far);
    throw contract::closed_error();
  }

  awaitable<void> close_once() {
    verdict so_far;
    co_await clean_all_once(so_far);
    throw_outcome(so_far);
  }

  awaitable<void> clean_all_once(verdict& so_far) {
    const auto requests = co_await boost::asio::this_coro::cancellation_state;
    if (is(cleanup_defect::cleanup_throws_at_once) &&
        requests.cancelled() != boost::asio::cancellation_type::none) {
      stack_.clear();
      contract::throw_cancelled();
    }
    if (std::exchange(closing_, true) && !is(cleanup_defect::runs_again) &&
        !is(cleanup_defect::takes_late_comers)) {
      while (!closed_) {
        boost::system::error_code why;
        co_await all_closed_.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, why));
      }
      if (!is(cleanup_defect::closes_again)) co_return;
      stack_ = was_closed_;
    }
    const std::vector<entry_ptr> all = stack_;
    if (is(cleanup_defect::closes_in_order)) std::reverse(stack_.begin(), stack_.end());
    if (is(cleanup_defect::closes_all_at_once)) co_await clean_side_by_side(so_far);
    while (!stack_.empty()) {
      const entry_ptr top = stack_.back();
      stack_.pop_back();
      const std::size_t failures = so_far.failures.size();
      const std::size_t forced = forced_.size();
      if (top->seen) {
        decide(*top, so_far);
      } else {
        co_await clean(top, so_far);
      }
      const bool skips =
          (is(cleanup_defect::failed_close_skips_the_rest) && so_far.failures.size() > failures) ||
          (is(cleanup_defect::force_skips_the_rest) && forced_.size() > forced);
      if (skips) stack_.clear();
    }
    if (is(cleanup_defect::closes_again)) was_closed_ = all;
    closed_ = true;
    all_closed_.cancel();
  }

  awaitable<void> clean_side_by_side(verdict& so_far) {
    std::vector<task_ptr> all;
    for (const entry_ptr& one : stack_) {
      if (one->seen) continue;
      all.push_back(begin([this, one, &so_far] { return clean(one, so_far); }));
    }
    stack_.clear();
    for (const task_ptr& one : all) co_await wait_for(one, never);
  }

  void decide(const entry& asked, verdict& so_far) {
    asked.seen(describe(as_exception(so_far)));
    if (!asked.swallows || is(cleanup_defect::nothing_is_swallowed)) return;
    if (is(cleanup_defect::swallows_cancellation)) so_far.cancelled = false;
    if (is(cleanup_defect::swallowing_skips_the_rest) && !so_far.failures.empty()) stack_.clear();
    if (is(cleanup_defect::swallowed_for_nobody)) {
      swallowed_ = !so_far.failures.empty();
      return;
    }
    so_far.failures.clear();
  }

  // ---- one resource

  struct cleaning_of {
    time_point deadline;
    bool forced = false;
    bool gave_up = false;
    bool requested = false;
    bool failed = false;
  };

  awaitable<void> clean(entry_ptr one, verdict& so_far) {
    cleaning_of state{.deadline = deadline_after(limit_)};
    const bool well = so_far.failures.empty() && !so_far.cancelled;
    const bool flushes = !(is(cleanup_defect::flushes_only_when_cancelled) && !so_far.cancelled) &&
                         !(is(cleanup_defect::flushes_only_when_well) && !well);
    const bool before = is(cleanup_defect::closes_before_it_flushes);
    if (flushes) co_await take(*one, before ? one->what.close : one->what.flush, true, state, so_far);
    if (is(cleanup_defect::limit_is_for_each_step)) state.deadline = deadline_after(limit_);
    const bool skips = (state.forced && !is(cleanup_defect::closes_after_the_force)) ||
                       (is(cleanup_defect::request_skips_the_close) && state.requested) ||
                       (is(cleanup_defect::giving_up_skips_the_close) && state.gave_up) ||
                       (is(cleanup_defect::failed_flush_skips_the_close) && state.failed) || !one->what.close;
    if (!skips) co_await take(*one, before ? one->what.flush : one->what.close, false, state, so_far);
    if (is(cleanup_defect::giving_up_ends_the_run) && state.gave_up) {
      so_far.cancelled = true;
      so_far.failures.clear();
    }
    if (is(cleanup_defect::forces_what_was_closed) && !state.forced) force(*one, state);
    if (state.forced || open_ == 0) co_return;
    --open_;
    ++closed_so_far_;
  }

  awaitable<void> take(const entry& one, const step& work, bool is_flush, cleaning_of& state,
                       verdict& so_far) {
    const task_ptr doing = begin(work);
    const bool hears =
        is(cleanup_defect::walks_away_from_a_close) || is(cleanup_defect::request_interrupts_cleanup) ||
        is(cleanup_defect::request_restarts_a_flush) || is(cleanup_defect::request_skips_the_close);
    bool interrupted = false;
    bool in_time = co_await wait_for(doing, state.deadline, hears ? &interrupted : nullptr);
    if (interrupted) {
      state.requested = true;
      if (is(cleanup_defect::walks_away_from_a_close)) co_return;
      if (is(cleanup_defect::request_interrupts_cleanup)) ask(doing);
      in_time = co_await wait_for(doing, state.deadline);
      if (is(cleanup_defect::request_restarts_a_flush) && is_flush) co_await wait_for(begin(work), never);
    }
    if (!in_time && !doing->over) {
      const bool at_once =
          !is(cleanup_defect::asks_and_does_not_force) && !is(cleanup_defect::forces_when_it_has_ended);
      if (at_once) force(one, state);
      state.forced = true;
      ask(doing);
      co_await wait_for(doing, never);
      if (is(cleanup_defect::forces_when_it_has_ended)) force(one, state);
    }
    state.failed = state.failed || (doing->failure && !is_cancellation(doing->failure));
    state.gave_up = state.gave_up || (is_cancellation(doing->failure) && !state.forced);
    const bool dropped =
        is(is_flush ? cleanup_defect::flush_failure_is_dropped : cleanup_defect::close_failure_is_dropped);
    if (dropped) co_return;
    if (state.failed && is(cleanup_defect::failure_of_cleanup_wins)) so_far.failures.clear();
    const std::size_t failures = so_far.failures.size();
    note(so_far, one.what.name, doing->failure);
    if (is(cleanup_defect::failures_of_cleanup_come_first) && so_far.failures.size() > failures)
      std::rotate(so_far.failures.begin(), so_far.failures.end() - 1, so_far.failures.end());
  }

  void force(const entry& one, cleaning_of& state) {
    state.forced = true;
    if (open_ > 0) --open_;
    forced_.push_back(one.what.name);
    if (one.what.force_close) one.what.force_close();
  }

  // ---- the outcome

  static void note(verdict& so_far, const std::string& name, const std::exception_ptr& failure) {
    if (failure && !is_cancellation(failure)) so_far.failures.push_back({name, failure});
  }

  static std::exception_ptr as_exception(const verdict& so_far) {
    if (so_far.failures.size() > 1)
      return std::make_exception_ptr(contract::aggregate_error(so_far.failures));
    if (!so_far.failures.empty()) return so_far.failures.front().failure;
    if (!so_far.cancelled) return nullptr;
    return std::make_exception_ptr(boost::system::system_error(boost::asio::error::operation_aborted));
  }

  void throw_outcome(verdict& so_far) const {
    if (so_far.cancelled && !is(cleanup_defect::failure_forgets_the_request)) {
      for (const auto& each : so_far.failures) environment_.report_unhandled(each.failure);
      so_far.failures.clear();
    }
    if (swallowed_) return;
    const std::exception_ptr failure = as_exception(so_far);
    if (failure) std::rethrow_exception(failure);
  }

  environment& environment_;
  const boost::asio::any_io_executor executor_;
  const nanoseconds limit_;
  const cleanup_defect wrong_;
  const context_watch watch_;
  boost::asio::steady_timer all_closed_;
  std::vector<entry_ptr> stack_;
  std::vector<entry_ptr> was_closed_;
  std::vector<std::string> forced_;
  mutable std::size_t looks_ = 0;
  std::size_t calls_ = 0;
  std::size_t acquiring_ = 0;
  std::size_t open_ = 0;
  std::size_t closed_so_far_ = 0;
  bool entered_ = false;
  bool closing_ = false;
  bool closed_ = false;
  bool swallowed_ = false;
};

}  // namespace assay
