// A second condition, deliberately unlike the reference: with a mutex of its own, and a cancellation that meets the
// notification wins, and the notification goes to the next (CND-4 allows both). Its mutants are this condition with one rule
// broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/alternative_waits.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/condition/by_hand.hpp>

namespace assay {

ASSAY_DEFECTS(condition_defect, none, keeps_the_mutex, gap_before_parking, notified_returns_without,
              cancelled_returns_without, expired_returns_without, waits_until_free_and_does_not_lock,
              request_ends_the_reacquisition, notification_is_remembered, rest_is_remembered,
              notify_wakes_nobody, notify_wakes_one, notify_wakes_all, two_calls_in_one_turn_are_one,
              eats_the_notification, wakes_one_more_when_cancelled, cancelled_waiter_stays,
              expired_waiter_stays, waits_once_for_its_predicate, looks_before_it_has_the_mutex,
              does_not_look_before_it_waits, forgets_what_the_predicate_said, notify_all_leaves_the_last,
              notify_all_is_remembered, wait_is_not_checked, refused_wait_unlocks,
              refused_wait_leaves_an_entry, notify_is_not_checked, refused_notify_wakes, reacquires_for_ever,
              limit_is_for_the_notification, lost_wait_keeps_the_notification, lost_wait_unlocks,
              gives_up_too_early, serves_the_last_parked_first, begins_although_cancelled,
              weak_request_uses_up_the_strong, resumes_inside_the_notify, destruction_is_not_checked,
              times_out_early, ignores_a_deadline_that_has_passed, deadlines_overflow,
              deadline_beats_the_notification, takes_lateness_for_a_time_out, forgets_who_was_counted,
              says_it_is_free, wears_out)

/// Whether to notify takes the mutex.
enum class notifying { by_anybody, by_holders };

class alternative_condition final : public condition_by_hand {
 public:
  using enum condition_defect;
  using clock = std::chrono::steady_clock;
  static constexpr clock::time_point never = clock::time_point::max();

  alternative_condition(boost::asio::any_io_executor executor, const contract::condition_config& config,
                        notifying by, condition_defect wrong)
      : executor_(std::move(executor)),
        watch_(executor_),
        reacquire_within_(config.reacquire_within),
        by_(wrong == notify_is_not_checked || wrong == refused_notify_wakes ? notifying::by_holders : by),
        wrong_(wrong) {}
  ~alternative_condition() override {
    const bool is_waited_for = !parked_.empty() || !line_.empty();
    if (is_waited_for && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
  }
  void notify_now(std::size_t count) override {
    check_notifier(count);
    if (is(two_calls_in_one_turn_are_one) && nobody_has_run_) return;
    if (is(notify_wakes_nobody)) count = 0;
    if (is(notify_wakes_one)) count = std::min<std::size_t>(count, 1);
    if (is(notify_wakes_all) && count > 0) count = parked_.size();
    if (is(wears_out) && count > 0 && ++notifications_ % 25 == 0) return;
    const bool found_nobody = parked_.empty();
    for (; count > 0 && phantoms_ > 0; --count) --phantoms_;  // an entry that stayed, and nobody is there
    for (; count > 0 && !parked_.empty(); --count) notify_next();
    if (is(notification_is_remembered) && found_nobody) remembered_ += count;
    if (is(rest_is_remembered) && !found_nobody) remembered_ += count;
  }
  void notify_all_now() override {
    check_notifier(parked_.size());
    const std::size_t left = is(notify_all_leaves_the_last) ? 1 : 0;
    if (is(notify_all_is_remembered)) remembered_ += 1;
    while (parked_.size() > left) notify_next();
  }
  awaitable<void> wait_without() override {
    if (is(wait_is_not_checked)) co_await do_wait_held();
    if (is(refused_wait_unlocks)) unlock_next();
    if (is(refused_wait_leaves_an_entry)) ++phantoms_;
    throw contract::rejected_error("waits without the mutex");
  }
  bool is_locked() const override { return locked_ && !is(says_it_is_free); }
  std::size_t waiting() const override {
    const std::size_t before = std::exchange(counted_, is(forgets_who_was_counted) ? parked_.size() : 0);
    return parked_.size() + phantoms_ - std::min(before, parked_.size());
  }

 protected:
  awaitable<void> do_lock() override {
    const bool locked = co_await acquire(never);
    if (!locked) contract::throw_cancelled();
  }
  void do_unlock() override { unlock_next(); }
  awaitable<void> do_wait_held() override { return wait_until(never); }
  awaitable<void> do_wait_held_for(nanoseconds patience) override {
    if (is(times_out_early)) patience /= 2;
    if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero()) return wait_until(never);
    return wait_until(is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience));
  }
  awaitable<void> do_wait_held_until(predicate holds, std::int64_t& value) override {
    if (!is(does_not_look_before_it_waits)) value = holds();
    while (value == 0) {
      early_look look{.holds = holds};
      co_await wait_until(never, is(looks_before_it_has_the_mutex) ? &look : nullptr);
      value = look.seen != 0 ? look.seen : holds();
      if (is(waits_once_for_its_predicate)) value = std::max<std::int64_t>(value, 1);
    }
    if (is(forgets_what_the_predicate_said)) value = 1;
  }

 private:
  struct waiter {
    boost::asio::steady_timer timer;
    bool is_served = false;
  };
  using line = std::deque<waiter*>;
  struct early_look {
    const predicate& holds;
    std::int64_t seen = 0;
  };

  bool is(condition_defect one) const noexcept { return wrong_ == one; }

  void check_notifier(std::size_t count) {
    if (by_ == notifying::by_anybody || locked_ || is(notify_is_not_checked)) return;
    for (; is(refused_notify_wakes) && count > 0 && !parked_.empty(); --count) notify_next();
    throw contract::rejected_error("notifies without the mutex");
  }
  void serve(line& all, waiter& chosen) {
    std::erase(all, &chosen);
    chosen.is_served = true;
    waits_.wake(chosen.timer);
  }
  void notify_next() {
    nobody_has_run_ = true;
    serve(parked_, is(serves_the_last_parked_first) ? *parked_.back() : *parked_.front());
  }
  void unlock_next() {
    locked_ = !line_.empty();
    if (locked_) serve(line_, *line_.front());
  }

  // False if it was cancelled or timed out, and then it holds nothing.
  awaitable<bool> acquire(clock::time_point deadline) {
    co_await enter();
    if (!std::exchange(locked_, true)) co_return true;
    waiter self{boost::asio::steady_timer(executor_, deadline)};
    const bool cancelled = co_await park(self, line_);
    if (self.is_served && cancelled) unlock_next();  // for the next
    co_return self.is_served && !cancelled;
  }
  // Where no request comes.
  awaitable<void> reacquire(bool& locked) {
    nanoseconds limit = is(reacquires_for_ever) ? nanoseconds::max() : reacquire_within_;
    if (is(gives_up_too_early) && limit < nanoseconds::max()) limit /= 2;
    locked = co_await acquire(deadline_after(limit));
    if (locked && is(waits_until_free_and_does_not_lock)) unlock_next();
  }

  awaitable<void> enter() {
    const auto entered = co_await boost::asio::this_coro::cancellation_state;
    const bool refused = entered.cancelled() != boost::asio::cancellation_type::none;
    if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
  }

  // The caller holds the mutex, and does so again when it ends as notified, cancelled or timed out.
  awaitable<void> wait_until(clock::time_point deadline, early_look* look = nullptr) {
    using namespace boost::asio;
    const bool throwing = co_await this_coro::throw_if_cancelled();
    co_await enter();
    if (remembered_ > 0) {  // the defect
      --remembered_;
      co_return;
    }
    if (is(limit_is_for_the_notification)) deadline = std::min(deadline, deadline_after(reacquire_within_));
    waiter self{steady_timer(executor_, deadline)};
    if (is(gap_before_parking)) {
      unlock_next();
      co_await post(executor_, use_awaitable);
    }
    parked_.push_back(&self);
    if (!is(keeps_the_mutex) && !is(gap_before_parking)) unlock_next();
    bool cancelled = false;
    std::exception_ptr failure;
    try {
      cancelled = co_await park(self, parked_, true);
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(parked_, &self);  // also if it did not get so far
    const bool notified = decide(self, cancelled, deadline);
    nobody_has_run_ = false;
    if (look != nullptr) look->seen = look->holds();
    const bool returns_without =
        (is(notified_returns_without) && notified) || (is(cancelled_returns_without) && cancelled) ||
        (is(expired_returns_without) && !notified && !cancelled) || is(keeps_the_mutex);
    co_await hold_requests;
    bool locked = returns_without;
    try {
      if (!locked && !locked_) {
        locked = true;
        locked_ = !is(waits_until_free_and_does_not_lock);
      } else if (!locked && is(request_ends_the_reacquisition)) {
        co_await this_coro::throw_if_cancelled(throwing);
        co_await reacquire(locked);
      } else if (!locked) {
        co_await shield(reacquire(locked));
      }
    } catch (...) {
      failure = std::current_exception();
    }
    co_await this_coro::throw_if_cancelled(throwing);
    finish(notified, cancelled, locked, failure);
  }
  // Whether it ends as notified. A request wins, and the notification is the next one's in the same instant.
  bool decide(const waiter& self, bool cancelled, clock::time_point deadline) {
    const bool is_late = clock::now() > deadline && is(takes_lateness_for_a_time_out);
    const bool is_due = clock::now() >= deadline && is(deadline_beats_the_notification);
    if (!self.is_served) {
      if (cancelled ? is(cancelled_waiter_stays) : is(expired_waiter_stays)) ++phantoms_;
      if (cancelled && is(wakes_one_more_when_cancelled) && !parked_.empty()) notify_next();
      return false;
    }
    if (!cancelled) return !is_late && !is_due;
    if (!is(eats_the_notification) && !parked_.empty()) notify_next();
    return false;
  }
  void finish(bool notified, bool cancelled, bool locked, const std::exception_ptr& failure) {
    if (failure) std::rethrow_exception(failure);
    if (!locked) {
      if (notified && !is(lost_wait_keeps_the_notification) && !parked_.empty()) notify_next();
      if (is(lost_wait_unlocks)) unlock_next();
      throw contract::broken_error("the mutex could not be had again");
    }
    if (cancelled) contract::throw_cancelled();
    if (!notified) throw contract::timed_out_error();
  }

  // True if the scope is cancelled. Whoever is parked is in this line.
  awaitable<bool> park(waiter& self, line& where, bool is_in_line = false) {
    if (!is_in_line) where.push_back(&self);
    bool cancelled = false;
    std::exception_ptr failure;
    try {
      cancelled = co_await waits_.wait(self.timer);
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(where, &self);
    if (failure) std::rethrow_exception(failure);
    co_return cancelled;
  }

  boost::asio::any_io_executor executor_;
  context_watch watch_;
  const nanoseconds reacquire_within_;
  const notifying by_;
  condition_defect wrong_;
  bool locked_ = false;
  line line_;    // for the mutex
  line parked_;  // for a notification
  // Of those that are wrong: entries that stayed, notifications that are remembered, and all there were, those that were
  // counted, and whether somebody was notified and did not run since.
  std::size_t phantoms_ = 0;
  std::size_t remembered_ = 0;
  std::size_t notifications_ = 0;
  mutable std::size_t counted_ = 0;
  bool nobody_has_run_ = false;
  alternative_waits waits_{{.weak_request_uses_up_the_strong = is(weak_request_uses_up_the_strong),
                            .resumes_inside_the_call = is(resumes_inside_the_notify)}};
};

}  // namespace assay
