// A second mutex, deliberately unlike the reference: a cancellation that meets the hand-over wins, and the
// mutex goes to the next (X-3 allows both). Its mutants are this mutex with one rule broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <optional>
#include <utility>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/alternative_waits.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>

namespace assay {

ASSAY_DEFECTS(mutex_defect, none, does_not_lock, wakes_all, unlock_wakes_nobody, woken_look_again,
              serves_the_last_parked_first, tries_overtake, cancelled_waiter_stays, gives_nothing_back,
              unlock_is_not_checked, refused_unlock_unlocks, anybody_unlocks, failure_keeps_it,
              cancelled_work_keeps_it, waits_for_itself, is_reentrant, refused_lock_forgets_its_owner,
              moved_guard_unlocks, guard_unlocks_twice, owner_may_die, owner_who_dies_hands_over,
              broken_for_those_who_wait_alone, cancel_all_leaves_the_last, cancel_all_unlocks, watcher_locks,
              watcher_does_not_wait, watcher_sees_the_hand_over, urgency_is_ignored, latest_of_equals_first,
              unlocked_while_it_is_handed_over, holder_is_named_when_he_runs, begins_although_cancelled,
              weak_request_uses_up_the_strong, resumes_inside_the_unlock, destruction_is_not_checked,
              times_out_early, ignores_a_deadline_that_has_passed, deadlines_overflow,
              deadline_beats_the_lock, expired_waiter_stays, takes_lateness_for_a_time_out,
              forgets_who_was_counted, wears_out)

class alternative_mutex final : public contract::mutex {
 public:
  using enum mutex_defect;
  using clock = std::chrono::steady_clock;
  static constexpr clock::time_point never = clock::time_point::max();

  alternative_mutex(boost::asio::any_io_executor executor, const contract::mutex_config&, mutex_defect wrong)
      : executor_(std::move(executor)), watch_(executor_), wrong_(wrong) {}
  ~alternative_mutex() override {
    *self_ = nullptr;
    const bool is_waited_for = !parked_.empty() || !watchers_.empty();
    if (is_waited_for && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
  }
  awaitable<void> wait_unlocked() override {
    co_await enter();
    while (locked_ && !is(watcher_does_not_wait)) {
      waiter self{boost::asio::steady_timer(executor_, never)};
      watchers_.push_back(&self);
      const bool cancelled = co_await park(self, watchers_);
      if (cancelled) contract::throw_cancelled();
      if (is(watcher_sees_the_hand_over)) break;
    }
    check_whole();
    if (is(watcher_locks)) locked_ = true;
  }
  void cancel_all() override {
    const std::size_t left = is(cancel_all_leaves_the_last) ? 1 : 0;
    while (parked_.size() > left) decide(parked_, *parked_.front(), fate::rejected);
    if (is(cancel_all_unlocks) && locked_) hand_over();
  }
  bool is_locked() const override {
    return locked_ && !(is(unlocked_while_it_is_handed_over) && handed_over_);
  }
  std::optional<std::int64_t> holder() const override {
    return is(holder_is_named_when_he_runs) && handed_over_ ? std::nullopt : owner_;
  }
  std::size_t waiting() const override {
    const std::size_t before = std::exchange(counted_, is(forgets_who_was_counted) ? parked_.size() : 0);
    return parked_.size() + phantoms_ - std::min(before, parked_.size());
  }

 protected:
  awaitable<void> do_run(work inside) override { return run_until(never, std::move(inside)); }
  awaitable<void> do_run_for(nanoseconds patience, work inside) override {
    if (is(times_out_early)) patience /= 2;
    const bool is_ignored = is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero();
    const clock::time_point deadline =
        is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience);
    return run_until(is_ignored ? never : deadline, std::move(inside));
  }
  awaitable<void> do_lock() override { return acquire({}, 0, never); }
  bool do_try_lock() override {
    if (broken_ || (locked_ && !(is(tries_overtake) && handed_over_))) return false;
    locked_ = true;
    return true;
  }
  void do_unlock() override {
    const bool is_wrong = !locked_ || owner_.has_value();
    if (!is_wrong || is(refused_unlock_unlocks)) hand_over();
    if (is_wrong && !is(unlock_is_not_checked)) throw contract::rejected_error("not held");
  }
  awaitable<void> do_lock_urgently(std::int64_t priority) override {
    return acquire({}, is(urgency_is_ignored) ? 0 : priority, never);
  }
  awaitable<void> do_lock_as(std::int64_t owner) override { return acquire(owner, 0, never); }
  void do_unlock_as(std::int64_t owner) override {
    if ((!locked_ || owner_ != owner) && !is(anybody_unlocks))
      throw contract::rejected_error("not held by this one");
    hand_over();
  }
  void do_end_owner(std::int64_t owner) override {
    if (!locked_ || owner_ != owner || is(owner_may_die)) return;
    if (is(owner_who_dies_hands_over)) return hand_over();
    broken_ = !is(broken_for_those_who_wait_alone);
    while (!parked_.empty()) decide(parked_, *parked_.front(), fate::broken);
    wake_watchers();
  }
  awaitable<std::unique_ptr<contract::mutex_guard>> do_lock_guarded() override {
    co_await do_lock();
    co_return std::make_unique<guard>(self_);
  }

 private:
  enum class fate { waiting, granted, rejected, broken, looks };
  struct waiter {
    boost::asio::steady_timer timer;
    std::optional<std::int64_t> owner = {};
    std::int64_t priority = 0;
    fate decided = fate::waiting;
  };
  using line = std::deque<waiter*>;

  class guard final : public contract::mutex_guard {
   public:
    explicit guard(std::shared_ptr<alternative_mutex*> of) : of_(std::move(of)) {}
    ~guard() override { unlock(); }
    void unlock() override {
      alternative_mutex* const held = of_ ? *of_ : nullptr;  // which may have gone
      if (!held) return;
      held->hand_over();
      if (!held->is(guard_unlocks_twice)) of_.reset();
    }
    std::unique_ptr<mutex_guard> move() override {
      auto moved = std::make_unique<guard>(of_);
      if (!(*of_)->is(moved_guard_unlocks)) of_.reset();
      return moved;
    }

   private:
    std::shared_ptr<alternative_mutex*> of_;
  };

  bool is(mutex_defect one) const noexcept { return wrong_ == one; }
  void check_whole() const {
    if (broken_) throw contract::broken_error();
  }

  void decide(line& all, waiter& chosen, fate how) {
    std::erase(all, &chosen);
    chosen.decided = how;
    waits_.wake(chosen.timer);
  }
  void wake_watchers() {
    while (!watchers_.empty()) decide(watchers_, *watchers_.front(), fate::granted);
  }

  void hand_over() {
    if (is(wears_out) && ++unlocks_ % 25 == 0) return;
    owner_.reset();
    locked_ = false;
    handed_over_ = false;
    if (is(watcher_sees_the_hand_over)) wake_watchers();
    if (phantoms_ > 0) {  // an entry that stayed is served, and nobody is there
      --phantoms_;
      locked_ = true;
    } else if (!parked_.empty() && !is(unlock_wakes_nobody)) {
      waiter& next = is(serves_the_last_parked_first) ? *parked_.back() : *parked_.front();
      const bool looks = is(woken_look_again);
      locked_ = handed_over_ = !looks;
      owner_ = next.owner;
      decide(parked_, next, looks ? fate::looks : fate::granted);
      while (is(wakes_all) && !parked_.empty()) decide(parked_, *parked_.front(), fate::granted);
    }
    if (!locked_) wake_watchers();
  }

  void line_up(waiter& self) {
    const auto comes_after = [&](const waiter* one) {
      return is(latest_of_equals_first) && self.priority > 0 ? one->priority <= self.priority
                                                             : one->priority < self.priority;
    };
    parked_.insert(std::find_if(parked_.begin(), parked_.end(), comes_after), &self);
  }

  awaitable<void> enter() {
    const auto entered = co_await boost::asio::this_coro::cancellation_state;
    const bool refused = entered.cancelled() != boost::asio::cancellation_type::none;
    if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
    check_whole();
  }

  awaitable<void> acquire(std::optional<std::int64_t> owner, std::int64_t priority,
                          clock::time_point deadline) {
    co_await enter();
    if (owner && owner_ == owner && locked_ && is(is_reentrant)) co_return;
    const bool is_his = owner && owner_ == owner && locked_;
    if (is_his && is(refused_lock_forgets_its_owner)) owner_.reset();
    if (is_his && !is(waits_for_itself)) throw contract::rejected_error("held already");
    if (is(does_not_lock)) co_return;
    if (take(owner)) co_return;
    waiter self{boost::asio::steady_timer(executor_, deadline), owner, priority};
    line_up(self);
    bool cancelled = co_await park(self, parked_);
    while (self.decided == fate::looks &&
           !cancelled) {  // the defect: who was woken stands at the end if he is late
      if (take(owner)) co_return;
      self.decided = fate::waiting;
      self.timer.expires_at(deadline);
      line_up(self);
      cancelled = co_await park(self, parked_);
    }
    if (self.decided == fate::granted) handed_over_ = false;
    leave(self, cancelled, deadline);
  }
  bool take(std::optional<std::int64_t> owner) {
    if (locked_) return false;
    locked_ = true;
    owner_ = owner;
    return true;
  }

  // What becomes of a claim that was parked. The cancellation wins, and the mutex goes to the next.
  void leave(waiter& self, bool cancelled, clock::time_point deadline) {
    const bool is_late = clock::now() > deadline && is(takes_lateness_for_a_time_out);
    const bool is_due = clock::now() >= deadline && is(deadline_beats_the_lock);
    const bool granted = self.decided == fate::granted;
    if (granted && !cancelled && !is_late && !is_due) return;
    if (granted && !is(gives_nothing_back) && !is_late && !is_due) hand_over();
    if (self.decided == fate::looks && !parked_.empty() && !locked_)
      decide(parked_, *parked_.front(), fate::looks);
    if (self.decided == fate::waiting && (cancelled ? is(cancelled_waiter_stays) : is(expired_waiter_stays)))
      ++phantoms_;
    if (cancelled) contract::throw_cancelled();
    if (self.decided == fate::broken) throw contract::broken_error();
    if (self.decided == fate::rejected) throw contract::rejected_error("refused while it waited");
    throw contract::timed_out_error();
  }

  awaitable<void> run_until(clock::time_point deadline, work inside) {
    co_await acquire({}, 0, deadline);
    std::exception_ptr failure;
    try {
      co_await inside();
    } catch (...) {
      failure = std::current_exception();
    }
    const auto keeps = is_cancellation(failure) ? cancelled_work_keeps_it : failure_keeps_it;
    if (!is(does_not_lock) && (!failure || !is(keeps))) hand_over();
    if (failure) std::rethrow_exception(failure);
  }

  // True if the scope is cancelled. Whoever is parked is in this line.
  awaitable<bool> park(waiter& self, line& where) {
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
  mutex_defect wrong_;
  bool locked_ = false;
  bool broken_ = false;
  std::optional<std::int64_t> owner_;
  line parked_;  // the most urgent first
  line watchers_;
  // A request may come when the mutex is gone.
  const std::shared_ptr<alternative_mutex*> self_ = std::make_shared<alternative_mutex*>(this);
  // Of those that are wrong: whether it is being handed over, entries that stayed, how many unlocks there
  // were, those that were counted, and how who waits is resumed.
  bool handed_over_ = false;
  std::size_t phantoms_ = 0;
  std::size_t unlocks_ = 0;
  mutable std::size_t counted_ = 0;
  alternative_waits waits_{{.weak_request_uses_up_the_strong = is(weak_request_uses_up_the_strong),
                            .resumes_inside_the_call = is(resumes_inside_the_unlock)}};
};

}  // namespace assay
