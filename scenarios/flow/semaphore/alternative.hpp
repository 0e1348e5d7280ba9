// A second semaphore, deliberately unlike the reference: a cancellation that meets a grant wins, and gives
// the permits back (X-3 allows both). Its mutants are this semaphore with one rule broken.
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
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/cross_cutting/alternative_waits.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace assay {

ASSAY_DEFECTS(semaphore_defect, none, counts_who_waits_as_served, admits_one_too_many, forgets_what_was_tried,
              serves_whoever_fits, newcomers_overtake, tries_overtake, woken_look_again,
              serves_the_last_parked_first, oversize_waits, lowered_limit_leaves_oversize,
              cancelled_waiter_stays, leaving_serves_nobody, gives_nothing_back, gives_one_of_many_back,
              release_is_not_checked, refused_release_counts, failure_keeps_the_permit,
              cancelled_work_keeps_the_permit, waits_although_full, full_sends_the_first_away,
              refuses_although_there_is_room, cancelled_keeps_its_room, lowering_is_ignored,
              lowering_forgets_who_has, raising_wakes_one, raising_wakes_nobody, borrows_twice,
              anybody_gives_back, refused_borrower_is_forgotten, cancel_all_leaves_the_last,
              cancel_all_is_remembered, urgency_is_ignored, latest_of_equals_first, release_serves_one,
              no_permit_means_one, refused_limit_takes_effect, close_forgets_who_waits, set_limit_opens_again,
              release_opens_again, closed_takes_nothing_back, split_counts_twice, merge_loses_one,
              merges_what_is_foreign, forget_gives_back, begins_although_cancelled,
              weak_request_uses_up_the_strong, resumes_inside_the_release, destruction_is_not_checked,
              times_out_early, ignores_a_deadline_that_has_passed, deadlines_overflow,
              deadline_beats_the_permit, expired_waiter_stays, takes_lateness_for_a_time_out,
              forgets_who_was_counted, permits_wear_out)

class alternative_semaphore final : public contract::semaphore {
 public:
  using enum semaphore_defect;
  using clock = std::chrono::steady_clock;

  alternative_semaphore(boost::asio::any_io_executor executor, const contract::semaphore_config& config,
                        semaphore_defect wrong)
      : executor_(std::move(executor)),
        watch_(executor_),
        wrong_(wrong),
        limit_(checked(config.limit)),
        waiting_max_(config.waiting_max) {}
  ~alternative_semaphore() override {
    *self_ = nullptr;
    if (!parked_.empty() && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
  }
  std::size_t available() const override {
    const std::int64_t more = is(counts_who_waits_as_served) ? static_cast<std::int64_t>(left_) : 0;
    return static_cast<std::size_t>(std::max<std::int64_t>(free() - more, 0));
  }
  std::size_t waiting() const override {
    const std::size_t before = std::exchange(counted_, is(forgets_who_was_counted) ? parked_.size() : 0);
    return parked_.size() + phantoms_ - std::min(before, parked_.size());
  }
  void cancel_all() override {
    const std::size_t left = is(cancel_all_leaves_the_last) ? 1 : 0;
    while (parked_.size() > left) decide(*parked_.front(), fate::rejected);
    rejects_next_ = is(cancel_all_is_remembered);
  }
  void close() override {
    closed_ = true;
    while (!parked_.empty() && !is(close_forgets_who_waits)) decide(*parked_.front(), fate::closed);
  }

 protected:
  awaitable<void> do_acquire(std::size_t count) override { return claim(count, 0, clock::time_point::max()); }
  awaitable<void> do_acquire_for(std::size_t count, nanoseconds patience) override {
    if (is(times_out_early)) patience /= 2;
    if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero()) return do_acquire(count);
    return claim(count, 0,
                 is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience));
  }
  awaitable<void> do_acquire_urgently(std::int64_t priority) override {
    return claim(1, is(urgency_is_ignored) ? 0 : priority, clock::time_point::max());
  }
  bool do_try_acquire(std::size_t count) override {
    if (closed_ || !fits(count) || (!parked_.empty() && !is(tries_overtake))) return false;
    if (!is(forgets_what_was_tried)) used_ += signed_of(count);
    return true;
  }
  void do_release(std::size_t count) override {
    const bool is_too_much = signed_of(count) > used_;
    if (!is_too_much || is(release_is_not_checked) || is(refused_release_counts)) give_back(count);
    if (is_too_much && !is(release_is_not_checked)) throw contract::rejected_error("not in use");
  }
  awaitable<void> do_run(std::function<awaitable<void>()> work) override {
    co_await do_acquire(1);
    std::exception_ptr failure;
    try {
      co_await work();
    } catch (...) {
      failure = std::current_exception();
    }
    const auto keeps = is_cancellation(failure) ? cancelled_work_keeps_the_permit : failure_keeps_the_permit;
    if (!failure || !is(keeps)) give_back(1);
    if (failure) std::rethrow_exception(failure);
  }
  void do_set_limit(std::int64_t limit) override {
    if (is(refused_limit_takes_effect)) limit_ = std::max<std::int64_t>(limit, 0);
    if (is(set_limit_opens_again)) closed_ = false;
    const bool lowered = checked(limit) < limit_;
    if (lowered && is(lowering_is_ignored)) return;
    limit_ = checked(limit);
    if (lowered && is(lowering_forgets_who_has)) used_ = std::min(used_, limit_);
    const std::deque<waiter*> all = parked_;
    for (waiter* one : all) {
      if (lowered && is_too_large(one->count) && !is(lowered_limit_leaves_oversize))
        decide(*one, fate::rejected);
    }
    if (lowered || !is(raising_wakes_nobody)) serve(is(raising_wakes_one));
  }
  awaitable<void> do_acquire_as(std::int64_t borrower) override {
    const bool is_new = borrowers_.insert(borrower).second;
    if (!is_new && is(refused_borrower_is_forgotten)) borrowers_.erase(borrower);
    if (!is_new && !is(borrows_twice)) throw contract::rejected_error("has a permit already");
    std::exception_ptr failure;
    try {
      co_await do_acquire(1);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!failure) co_return;
    borrowers_.erase(borrower);
    std::rethrow_exception(failure);
  }
  void do_release_as(std::int64_t borrower) override {
    if (borrowers_.erase(borrower) == 0 && !is(anybody_gives_back))
      throw contract::rejected_error("has no permit");
    do_release(1);
  }
  awaitable<std::unique_ptr<contract::semaphore_permit>> do_acquire_permit(std::size_t count) override {
    co_await do_acquire(count);
    co_return std::make_unique<permit>(self_, count);
  }

 private:
  enum class fate { waiting, granted, closed, rejected, looks };
  struct waiter {
    boost::asio::steady_timer timer;
    std::size_t count;
    std::int64_t priority;
    fate decided = fate::waiting;
  };

  class permit final : public contract::semaphore_permit {
   public:
    permit(std::shared_ptr<alternative_semaphore*> owner, std::size_t count)
        : owner_(std::move(owner)), count_(count) {}
    ~permit() override { back(); }
    std::size_t count() const override { return count_; }
    std::unique_ptr<semaphore_permit> split(std::size_t count) override {
      if (count > count_) throw contract::rejected_error("there are not so many");
      if (!(*owner_)->is(split_counts_twice)) count_ -= count;
      return std::make_unique<permit>(owner_, count);
    }
    void merge(semaphore_permit& other) override {
      auto& from = dynamic_cast<permit&>(other);
      if (owner_ != from.owner_ && !(*owner_)->is(merges_what_is_foreign))
        throw contract::rejected_error("another semaphore's");
      count_ += std::exchange(from.count_, 0);
      if ((*owner_)->is(merge_loses_one)) --count_;
    }
    void forget() override {
      if ((*owner_)->is(forget_gives_back)) back();
      count_ = 0;
    }

   private:
    void back() {
      const std::size_t count = std::exchange(count_, 0);
      if (count != 0 && *owner_) (*owner_)->give_back(count);  // unless the semaphore has gone
    }

    std::shared_ptr<alternative_semaphore*> owner_;
    std::size_t count_;
  };

  static std::int64_t checked(std::int64_t limit) {
    if (limit < 0) throw contract::rejected_error("a negative limit");
    return limit;
  }
  static std::int64_t signed_of(std::size_t count) { return static_cast<std::int64_t>(count); }
  bool is(semaphore_defect one) const noexcept { return wrong_ == one; }
  std::int64_t limit() const {
    return limit_ + (is(admits_one_too_many) || (is(no_permit_means_one) && limit_ == 0) ? 1 : 0);
  }
  std::int64_t free() const { return limit() - used_; }
  bool fits(std::size_t count) const { return signed_of(count) <= free(); }
  bool is_too_large(std::size_t count) const { return count > 1 && signed_of(count) > limit_; }
  bool is_full() const {
    const std::size_t here = parked_.size() + (is(cancelled_keeps_its_room) ? left_ : 0) +
                             (is(refuses_although_there_is_room) ? 1 : 0);
    return waiting_max_ >= 0 && signed_of(here) >= waiting_max_ && !is(waits_although_full);
  }

  void decide(waiter& chosen, fate how) {
    std::erase(parked_, &chosen);
    chosen.decided = how;
    waits_.wake(chosen.timer);
  }

  void give_back(std::size_t count) {
    if (is(permits_wear_out) && ++releases_ % 25 == 0) return;
    if (is(closed_takes_nothing_back) && closed_) return;
    if (is(release_opens_again)) closed_ = false;
    used_ -= signed_of(count);
    if (is(woken_look_again)) return wake_who_may_fit();
    for (; phantoms_ > 0 && fits(1); --phantoms_)
      ++used_;  // an entry that stayed is served, and nobody is there
    serve(is(release_serves_one));
  }

  // The defect: they are told to look, and nothing is kept for them.
  void wake_who_may_fit() {
    for (std::int64_t left = free(); !parked_.empty() && signed_of(parked_.front()->count) <= left;) {
      left -= signed_of(parked_.front()->count);
      decide(*parked_.front(), fate::looks);
    }
  }

  void serve(bool one_alone) {
    for (std::size_t i = 0; i < parked_.size();) {
      waiter& next = is(serves_the_last_parked_first) ? *parked_.back() : *parked_[i];
      if (fits(next.count)) {
        used_ += signed_of(next.count);
        decide(next, fate::granted);
        if (one_alone) return;
      } else if (is(serves_whoever_fits)) {
        ++i;
      } else {
        return;
      }
    }
  }

  bool take(std::size_t count, std::int64_t priority) {
    const bool is_next = parked_.empty() || parked_.front()->priority < priority || is(newcomers_overtake);
    if (!is_next || !fits(count)) return false;
    used_ += signed_of(count);
    return true;
  }

  void line_up(waiter& self) {
    const auto comes_after = [&](const waiter* one) {
      return is(latest_of_equals_first) && self.priority > 0 ? one->priority <= self.priority
                                                             : one->priority < self.priority;
    };
    parked_.insert(std::find_if(parked_.begin(), parked_.end(), comes_after), &self);
  }

  awaitable<void> claim(std::size_t count, std::int64_t priority, clock::time_point deadline) {
    const auto entered = co_await boost::asio::this_coro::cancellation_state;
    const bool refused = entered.cancelled() != boost::asio::cancellation_type::none;
    if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
    if (closed_) throw contract::closed_error();
    if (is_too_large(count) && !is(oversize_waits)) throw contract::rejected_error("larger than the limit");
    if (std::exchange(rejects_next_, false)) throw contract::rejected_error("refused before it came");
    if (take(count, priority)) co_return;
    if (is_full()) {
      if (!is(full_sends_the_first_away) || parked_.empty()) throw contract::rejected_error("full");
      decide(*parked_.front(), fate::rejected);
    }
    waiter self{boost::asio::steady_timer(executor_, deadline), count, priority};
    bool cancelled = co_await park(self);
    while (self.decided == fate::looks &&
           !cancelled) {  // the defect: who was woken stands at the end if he is late
      if (fits(count)) {
        used_ += signed_of(count);
        co_return;
      }
      self.decided = fate::waiting;
      self.timer.expires_at(deadline);
      cancelled = co_await park(self);
    }
    leave(self, cancelled, deadline);
  }

  // What becomes of a claim that was parked. The cancellation wins, and what was granted goes to the next.
  void leave(waiter& self, bool cancelled, clock::time_point deadline) {
    const bool is_late = clock::now() > deadline && is(takes_lateness_for_a_time_out);
    const bool is_due = clock::now() >= deadline && is(deadline_beats_the_permit);
    const bool granted = self.decided == fate::granted;
    if (granted && !cancelled && !is_late && !is_due) return;
    if (granted && is(gives_one_of_many_back)) {
      give_back(1);
    } else if (granted && !is(gives_nothing_back) && !is_late && !is_due) {
      give_back(self.count);
    } else if (!granted && !is(leaving_serves_nobody)) {
      serve(false);
    }
    if (self.decided == fate::waiting && (cancelled ? is(cancelled_waiter_stays) : is(expired_waiter_stays)))
      ++phantoms_;
    if (cancelled) ++left_;
    if (cancelled) contract::throw_cancelled();
    if (self.decided == fate::closed) throw contract::closed_error();
    if (self.decided == fate::rejected) throw contract::rejected_error("refused while it waited");
    throw contract::timed_out_error();
  }

  // True if the scope is cancelled.
  awaitable<bool> park(waiter& self) {
    line_up(self);
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
  semaphore_defect wrong_;
  std::int64_t limit_;
  std::int64_t waiting_max_;
  std::int64_t used_ = 0;
  bool closed_ = false;
  std::deque<waiter*> parked_;  // the most urgent first
  std::set<std::int64_t> borrowers_;
  // A request may come when the semaphore is gone.
  const std::shared_ptr<alternative_semaphore*> self_ = std::make_shared<alternative_semaphore*>(this);
  // Of those that are wrong: entries that stayed, who left and still counts, how many releases there were,
  // what cancel_all left, those that were counted, and how who waits is resumed.
  std::size_t phantoms_ = 0;
  std::size_t left_ = 0;
  std::size_t releases_ = 0;
  bool rejects_next_ = false;
  mutable std::size_t counted_ = 0;
  alternative_waits waits_{{.weak_request_uses_up_the_strong = is(weak_request_uses_up_the_strong),
                            .resumes_inside_the_call = is(resumes_inside_the_release)}};
};

}  // namespace assay
