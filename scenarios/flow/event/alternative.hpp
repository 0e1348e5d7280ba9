// A second event, deliberately unlike the reference: a cancellation that meets a `set` wins, and an auto-reset event then
// gives the `set` to the next (X-3 allows both). Its mutants are this event with one rule broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <exception>
#include <memory>
#include <utility>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/scenarios/cross_cutting/alternative_waits.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {

ASSAY_DEFECTS(event_defect, none, works_inverted, set_frees_one, loses_waiters_when_cleared_at_once,
              forgets_a_set_without_waiters, second_set_clears, one_wait_uses_it_up, cancelled_waiter_stays,
              cancelling_ends_another, clear_is_ignored, frees_in_a_later_turn, outside_set_wakes_nobody,
              latch_can_be_cleared, deadline_beats_the_set, expired_waiter_stays, stores_every_set,
              set_frees_all, gives_nothing_back, broadcast_uses_up_a_set, gives_back_a_broadcast,
              cancelled_wait_clears, begins_although_cancelled, weak_request_uses_up_the_strong,
              resumes_inside_the_set, serves_the_last_parked_first, destruction_is_not_checked,
              times_out_early, ignores_a_deadline_that_has_passed, deadlines_overflow,
              forgets_who_was_counted, takes_lateness_for_a_time_out, second_set_of_a_turn_is_lost,
              outside_sets_merge, frees_two_at_most, sets_wear_out)

class alternative_event final : public contract::event {
 public:
  using enum event_defect;
  using clock = std::chrono::steady_clock;

  alternative_event(boost::asio::any_io_executor executor, const contract::event_config& config,
                    event_defect wrong)
      : executor_(std::move(executor)), watch_(executor_), form_(config.form), wrong_(wrong) {}
  ~alternative_event() override {
    *self_ = nullptr;
    if (!parked_.empty() && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
  }
  bool is_set() const override { return stored_ > 0; }
  std::size_t waiting() const override {
    const std::size_t before = std::exchange(counted_, is(forgets_who_was_counted) ? parked_.size() : 0);
    return parked_.size() + phantoms_ - std::min(before, parked_.size());
  }

 protected:
  awaitable<void> do_wait() override { return wait_until(clock::time_point::max()); }
  awaitable<void> do_wait_for(nanoseconds patience) override {
    if (is(times_out_early)) patience /= 2;
    if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero()) return do_wait();
    return wait_until(is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience));
  }
  void do_set() override {
    if (is(sets_wear_out) && ++sets_ % 25 == 0) return;
    if (is(second_set_of_a_turn_is_lost) && automatic() && !parked_.empty()) {
      if (std::exchange(*busy_, true)) return;
      boost::asio::post(executor_, [busy = busy_] { *busy = false; });
    }
    if (automatic() && phantoms_ > 0) {
      --phantoms_;
    } else if (automatic() && !parked_.empty()) {
      free(fate::set, is(set_frees_all));
    } else if (!is(forgets_a_set_without_waiters) || !parked_.empty()) {
      stored_ = is(stores_every_set) ? stored_ + 1 : is(second_set_clears) ? 1 - stored_ : 1;
      if (is(frees_in_a_later_turn)) boost::asio::post(executor_, [this] { free(fate::set, true); });
      if (!automatic() && !is(frees_in_a_later_turn)) free(fate::set, !is(set_frees_one));
    }
  }
  void do_clear() override {
    if (form_ == contract::event_form::latch && !is(latch_can_be_cleared))
      throw contract::rejected_error("a latch");
    if (!is(clear_is_ignored)) stored_ = 0;
  }
  void do_broadcast() override {
    free(fate::broadcast, true);
    if (is(broadcast_uses_up_a_set)) stored_ = 0;
  }
  void do_set_from_outside() override {
    if (is(outside_set_wakes_nobody)) {
      stored_ = 1;
      return;
    }
    if (is(outside_sets_merge) && std::exchange(*busy_, true)) return;
    boost::asio::post(executor_, [self = self_, busy = busy_] {
      *busy = false;
      if (*self) (*self)->do_set();
    });
  }

 private:
  enum class fate { waiting, set, broadcast };
  struct waiter {
    boost::asio::steady_timer timer;
    fate decided = fate::waiting;
  };

  bool is(event_defect one) const noexcept { return wrong_ == one; }
  bool automatic() const noexcept { return form_ == contract::event_form::auto_reset; }

  void free(fate how, bool all) {
    std::size_t freed = 0;
    do {
      if (parked_.empty() || (is(frees_two_at_most) && freed++ == 2)) return;
      waiter& chosen = is(serves_the_last_parked_first) ? *parked_.back() : *parked_.front();
      std::erase(parked_, &chosen);
      chosen.decided = how;
      waits_.wake(chosen.timer);
    } while (all);
  }

  awaitable<void> wait_until(clock::time_point deadline) {
    const auto entered = co_await boost::asio::this_coro::cancellation_state;
    const bool refused = entered.cancelled() != boost::asio::cancellation_type::none;
    if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
    if (is_set() != is(works_inverted)) {
      if (automatic() || is(one_wait_uses_it_up)) stored_ = is(stores_every_set) ? stored_ - 1 : 0;
      co_return;
    }
    waiter self{boost::asio::steady_timer(executor_, deadline)};
    bool cancelled = co_await park(self);
    while (is(loses_waiters_when_cleared_at_once) && self.decided == fate::set && !automatic() && !is_set()) {
      self.decided = fate::waiting;  // the defect: who was freed looks at the flag, and waits on
      self.timer.expires_at(deadline);
      cancelled = co_await park(self);
    }
    if (is(deadline_beats_the_set) && clock::now() >= deadline) self.decided = fate::waiting;
    if (is(takes_lateness_for_a_time_out) && clock::now() > deadline) self.decided = fate::waiting;
    if (self.decided != fate::waiting && !cancelled) co_return;
    // The cancellation wins, and a set that was to be used up goes to the next.
    const bool granted = automatic() && self.decided == fate::set && !is(gives_nothing_back);
    if (granted || (is(gives_back_a_broadcast) && self.decided == fate::broadcast)) do_set();
    if (cancelled ? is(cancelled_waiter_stays) : is(expired_waiter_stays)) ++phantoms_;
    if (!cancelled) throw contract::timed_out_error();
    if (is(cancelling_ends_another) && !parked_.empty()) parked_.front()->timer.cancel();
    if (is(cancelled_wait_clears)) stored_ = 0;
    contract::throw_cancelled();
  }

  // True if the scope is cancelled.
  awaitable<bool> park(waiter& self) {
    parked_.push_back(&self);
    bool cancelled = false;
    std::exception_ptr failure;
    try {
      cancelled = co_await waits_.wait(self.timer);
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(parked_, &self);
    if (failure) std::rethrow_exception(failure);
    co_return cancelled;
  }

  boost::asio::any_io_executor executor_;
  context_watch watch_;
  contract::event_form form_;
  event_defect wrong_;
  std::size_t stored_ = 0;  // sets: one at most
  std::deque<waiter*> parked_;
  // What is posted may come when the event is gone.
  const std::shared_ptr<alternative_event*> self_ = std::make_shared<alternative_event*>(this);
  // Of those that are wrong: entries that stayed, sets and those that were counted, how who waits is resumed, and who was
  // cancelled.
  std::size_t phantoms_ = 0;
  std::size_t sets_ = 0;
  const std::shared_ptr<bool> busy_ = std::make_shared<bool>(false);  // until a later turn
  mutable std::size_t counted_ = 0;
  alternative_waits waits_{{.weak_request_uses_up_the_strong = is(weak_request_uses_up_the_strong),
                            .resumes_inside_the_call = is(resumes_inside_the_set)}};
};

}  // namespace assay
