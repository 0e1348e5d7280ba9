// A second bounded queue, deliberately unlike the reference: it rejects capacity 0 instead of meeting, serves parked
// waiters last come first served unless it is told to be fair, and when a cancellation meets an item that was assigned
// already the cancellation wins and the item is handed back (X-3 allows both). It shows that the suite is not fitted
// to the reference, and its mutants are this queue with one rule broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <exception>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/defects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/context_watch.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

namespace asio = boost::asio;

// clang-format off
ASSAY_DEFECTS(queue_defect, none,
  drops_what_a_cancelled_pop_holds, hands_back_to_the_tail, hand_back_needs_room, keeps_the_item_of_a_cancelled_push,
  counts_a_cancelled_popper, counts_a_cancelled_pusher, drops_what_fills_it, grants_die_with_the_cancelled,
  buffers_beside_a_parked_popper, lets_try_pop_overtake, serves_the_last_parked_first, takes_the_newest_first,
  admits_every_parked_pusher, gives_a_place_away_too_early, races_the_deadline, times_out_early,
  ignores_a_deadline_that_has_passed, deadlines_overflow, puts_what_timed_out, treats_zero_as_one, accepts_negative,
  close_leaves_pushers, close_leaves_poppers, close_discards, accepts_after_close, second_close_discards,
  close_now_keeps_quiet, close_now_leaves_waiters, join_ignores_what_is_in_hand, accepts_done_without_work,
  requeue_counts_again, removed_items_still_count, dropped_items_still_count, join_waits_for_a_first_item,
  forgets_the_peak, looking_resets_the_peak, looking_raises_the_peak, leaks_what_is_left, begins_although_cancelled,
  woken_pusher_goes_to_the_back, wake_up_of_a_cancelled_waiter_is_lost, resumes_inside_the_push,
  destruction_is_not_checked, drops_what_it_got_late, denies_that_it_was_admitted_late,
  forgets_a_request_that_met_an_item, close_takes_back_what_was_served, meets_who_is_cancelled,
  last_done_frees_one_joiner, second_push_of_a_turn_wakes_nobody, close_wakes_one_of_each,
  timed_waiters_outlive_close, dropping_admits_nobody, places_wear_out)
// clang-format on

class alternative_queue final : public contract::bounded_queue {
 public:
  using enum queue_defect;

  /// What every one of them claims.
  static std::vector<std::string> features() {
    return {"try",        "timed",    "hand_back",    "close",         "close_now",
            "join",       "requeue",  "removal",      "reject_zero",   "move_only",
            "statistics", "lifetime", "strict_entry", "posted_wakeups"};
  }

  /// `fair`: first come, first served. `meets`: capacity 0 is a rendezvous. There a pop that was served and cancelled keeps
  /// its item: the push has ended, and there is no place to hand the item back to.
  alternative_queue(asio::any_io_executor executor, const config& how, bool fair, queue_defect wrong = none,
                    bool meets = false)
      : executor_(std::move(executor)),
        watch_(executor_),
        capacity_(checked_capacity(how, wrong, meets || wrong == meets_who_is_cancelled)),
        fair_(fair && wrong != serves_the_last_parked_first),
        wrong_(wrong) {}

  ~alternative_queue() override {
    const bool in_use = !pushers_.empty() || !poppers_.empty() || !joiners_.empty();
    if (in_use && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
    if (!is(leaks_what_is_left)) return;
    // The defect: nobody ever deletes these.
    for (item& one : buffer_) new item(std::move(one));  // NOLINT(bugprone-unhandled-exception-at-new)
  }

  std::size_t size() const override { return buffer_.size(); }
  void close() override {
    const bool again = std::exchange(closed_, true);
    if (is(close_discards) || (again && is(second_close_discards))) buffer_.clear();
    if (is(timed_waiters_outlive_close) || is(close_wakes_one_of_each)) return wake_some();
    if (!is(close_leaves_pushers)) wake_all(pushers_);
    if (!is(close_leaves_poppers)) wake_all(poppers_);
  }

  void done() override {
    if (unfinished_ <= buffer_.size()) {
      if (is(accepts_done_without_work)) return;
      throw contract::rejected_error("nothing is in hand");
    }
    --unfinished_;
    check_joiners();
  }

  awaitable<void> join() override {
    if (is_finished() && (used_ || !is(join_waits_for_a_first_item))) co_return;
    waiter self(executor_, clock::time_point::max());
    co_await park(joiners_, self);
    if (self.decided != fate::served) contract::throw_cancelled();
  }

  contract::bounded_queue_statistics statistics() const override {
    const contract::bounded_queue_statistics now = {buffer_.size(), peak_, pushers_.size(), poppers_.size()};
    if (is(looking_resets_the_peak)) peak_ = 0;
    if (is(looking_raises_the_peak)) ++peak_;
    return now;
  }

 protected:
  awaitable<void> do_push(item one) override { return push_until(std::move(one), clock::time_point::max()); }
  awaitable<item> do_pop() override { return pop_until(clock::time_point::max()); }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    return push_until(std::move(one), deadline_after(patience));
  }
  awaitable<item> do_pop_for(nanoseconds patience) override { return pop_until(deadline_after(patience)); }

  bool do_try_push(item& one) override {
    if (closed_ && !is(accepts_after_close)) throw contract::closed_error();
    const bool fits = has_room() || (!poppers_.empty() && !only_wakes());
    if (!fits) return false;
    used_ = true;
    ++unfinished_;
    if (is(lets_try_pop_overtake) && !poppers_.empty()) {
      // The defect: the item is put where anybody may take it before the popper that is woken for it.
      buffer_.push_back(std::move(one));
      asio::post(executor_, [this] {
        if (!poppers_.empty() && !buffer_.empty()) {
          item first = std::move(buffer_.front());
          buffer_.pop_front();
          put(std::move(first));
        }
      });
    } else {
      put(std::move(one));
    }
    return true;
  }

  item do_try_pop() override {
    if (buffer_.empty() && capacity_ == 0 && !pushers_.empty()) admit_one();
    if (!buffer_.empty()) return take_buffered();
    if (closed_) throw contract::closed_error();
    return {};
  }

  void do_hand_back(item one) override {
    if (is(hand_back_needs_room) && !has_room()) throw contract::rejected_error("full");
    return_to_head(std::move(one));
  }

  std::vector<item> do_close_now() override {
    closed_ = true;
    if (!is(close_now_leaves_waiters)) {
      wake_all(pushers_);
      wake_all(poppers_);
    }
    std::vector<item> removed(std::make_move_iterator(buffer_.begin()),
                              std::make_move_iterator(buffer_.end()));
    buffer_.clear();
    if (!is(removed_items_still_count)) unfinished_ -= removed.size();
    if (is(close_now_keeps_quiet)) removed.clear();
    check_joiners();
    return removed;
  }

  void do_requeue(item one) override {
    if (is(requeue_counts_again)) ++unfinished_;
    return_to_head(std::move(one));
  }

  item do_drop_oldest() override {
    if (buffer_.empty()) return {};
    dropping_ = true;
    item dropped = take_buffered();
    dropping_ = false;
    if (!is(dropped_items_still_count)) --unfinished_;
    check_joiners();
    return dropped;
  }

 private:
  using clock = std::chrono::steady_clock;
  enum class fate { waiting, served, closed, woken };
  struct waiter {
    waiter(const asio::any_io_executor& executor, clock::time_point deadline) : timer(executor, deadline) {}
    asio::steady_timer timer;
    item held;
    fate decided = fate::waiting;
    std::weak_ptr<std::function<void()>> resume;  // goes on at once
  };
  using waiters = std::deque<waiter*>;

  bool is(queue_defect what) const noexcept { return wrong_ == what; }

  static std::size_t checked_capacity(const config& how, queue_defect wrong, bool meets) {
    if (how.capacity > 0 || (how.capacity == 0 && meets)) return static_cast<std::size_t>(how.capacity);
    const bool tolerated = wrong == (how.capacity == 0 ? treats_zero_as_one : accepts_negative);
    if (!tolerated) throw contract::rejected_error("the capacity must be at least 1");
    return 1;
  }

  // ---- waiting

  static bool is_cancelled(const asio::cancellation_state& scope) {
    return scope.cancelled() != asio::cancellation_type::none;
  }
  [[noreturn]] void end_without_effect(bool cancelled) {
    if (cancelled) contract::throw_cancelled();
    throw contract::timed_out_error();
  }

  // Ends once the waiter was served, cancelled, or its deadline has passed; true if its scope is cancelled.
  awaitable<bool> park(waiters& where, waiter& self) {
    where.push_back(&self);
    boost::system::error_code ended;
    std::exception_ptr failure;  // memory is short
    try {
      if (is(resumes_inside_the_push) && &where == &poppers_) {
        co_await wait_to_be_resumed(self);
      } else {
        co_await self.timer.async_wait(asio::redirect_error(asio::use_awaitable, ended));
      }
    } catch (...) {
      failure = std::current_exception();
    }
    std::erase(where, &self);
    if (failure) std::rethrow_exception(failure);
    const auto scope = co_await asio::this_coro::cancellation_state;
    co_return is_cancelled(scope);
  }

  // As the timer's own wait, but whoever serves the waiter can call what goes on.
  awaitable<void> wait_to_be_resumed(waiter& self) {
    auto initiation = [&self](auto handler) {
      const auto slot = asio::get_associated_cancellation_slot(handler);
      auto kept = std::make_shared<decltype(handler)>(std::move(handler));
      auto resume = std::make_shared<std::function<void()>>([kept] { std::move (*kept)(); });
      self.resume = resume;
      auto at_the_end = [resume](const boost::system::error_code&) {
        if (const auto go_on = std::exchange(*resume, nullptr)) go_on();
      };
      self.timer.async_wait(asio::bind_cancellation_slot(slot, std::move(at_the_end)));
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(initiation, asio::use_awaitable);
  }

  waiter& choose(const waiters& parked) const { return fair_ ? *parked.front() : *parked.back(); }

  void serve(waiters& parked, waiter& chosen, fate decided) {
    std::erase(parked, &chosen);
    chosen.decided = decided;
    const auto resume = chosen.resume.lock();
    const auto go_on = resume ? std::exchange(*resume, nullptr) : nullptr;
    if (go_on) return go_on();
    chosen.timer.cancel();
  }

  // The defects that are the form of asyncio.Queue: who is woken looks again, and if somebody was faster goes to the back.
  bool only_wakes() const noexcept {
    return is(woken_pusher_goes_to_the_back) || is(wake_up_of_a_cancelled_waiter_is_lost);
  }

  void wake_next(waiters& parked) {
    if (!parked.empty()) serve(parked, *parked.front(), fate::woken);
  }
  void wake_all(waiters& parked) {
    while (!parked.empty()) serve(parked, *parked.front(), fate::closed);
  }
  // The defects: of those who are parked when the queue is closed, not all are woken.
  void wake_some() {
    for (waiters* const parked : {&pushers_, &poppers_}) {
      const waiters all = *parked;
      for (waiter* const one : all) {
        const bool stays = is(close_wakes_one_of_each) ? one != all.front()
                                                       : one->timer.expiry() != clock::time_point::max();
        if (!stays) serve(*parked, *one, fate::closed);
      }
    }
  }

  void check_joiners() {
    while (is_finished() && !joiners_.empty()) {
      serve(joiners_, *joiners_.front(), fate::served);
      if (is(last_done_frees_one_joiner)) return;
    }
  }
  bool is_finished() const noexcept {
    return is(join_ignores_what_is_in_hand) ? buffer_.empty() : unfinished_ == 0;
  }

  // ---- the buffer

  bool has_room() const noexcept { return buffer_.size() + phantoms_ < capacity_; }
  void note_peak() {
    if (!is(forgets_the_peak)) peak_ = std::max(peak_, buffer_.size());
  }

  void serve_popper(item one) {
    waiter& chosen = choose(poppers_);
    chosen.held = std::move(one);
    serve(poppers_, chosen, fate::served);
  }

  void put(item one) {
    const bool looks = !is(buffers_beside_a_parked_popper) && !only_wakes();
    if (looks && !poppers_.empty() && !has_served_in_this_turn()) return serve_popper(std::move(one));
    if (is(drops_what_fills_it) && capacity_ > 1 && buffer_.size() + 1 == capacity_) return;
    buffer_.push_back(std::move(one));
    note_peak();
    if (only_wakes()) wake_next(poppers_);
  }

  // The defect: one flag says that somebody was woken, and is lowered in a later turn.
  bool has_served_in_this_turn() {
    if (!is(second_push_of_a_turn_wakes_nobody)) return false;
    if (std::exchange(*has_served_, true)) return true;
    asio::post(executor_, [flag = has_served_] { *flag = false; });
    return false;
  }

  item take_buffered() {
    if (is(places_wear_out) && ++taken_ % 40 == 0) ++phantoms_;
    const auto taken = is(takes_the_newest_first) ? buffer_.end() - 1 : buffer_.begin();
    item one = std::move(*taken);
    buffer_.erase(taken);
    refill();
    return one;
  }

  // Lets parked pushers in while there is room.
  void refill() {
    if (only_wakes()) return wake_next(pushers_);
    if (is(dropping_admits_nobody) && dropping_) return;
    while (!pushers_.empty() && (has_room() || is(admits_every_parked_pusher))) admit_one();
  }

  void admit_one() {
    waiter& chosen = choose(pushers_);
    buffer_.push_back(std::move(chosen.held));
    note_peak();
    ++unfinished_;
    serve(pushers_, chosen, fate::served);
  }

  void return_to_head(item one) {
    if (!poppers_.empty() && !is(grants_die_with_the_cancelled)) return serve_popper(std::move(one));
    buffer_.insert(is(hands_back_to_the_tail) ? buffer_.end() : buffer_.begin(), std::move(one));
    note_peak();
  }

  // ---- push and pop

  clock::time_point deadline_after(nanoseconds patience) const {
    if (is(times_out_early)) patience /= 2;
    if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero())
      return clock::time_point::max();
    return is(deadlines_overflow) ? overflowing_deadline(patience) : assay::deadline_after(patience);
  }

  awaitable<void> push_until(item one, clock::time_point deadline) {
    const auto scope = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(scope) && !is(begins_although_cancelled)) contract::throw_cancelled();
    bool cancelled = false;
    for (bool again = true; again;) {
      if (do_try_push(one)) co_return;
      waiter self(executor_, deadline);
      self.held = std::move(one);
      cancelled = co_await park(pushers_, self);
      if (self.decided == fate::served && is(denies_that_it_was_admitted_late) && clock::now() > deadline)
        end_without_effect(false);
      if (self.decided == fate::served) co_return;  // it is in the buffer: the effect wins
      if (self.decided == fate::closed) throw contract::closed_error();
      again = self.decided == fate::woken && !cancelled;
      if (self.decided == fate::woken && cancelled && is(woken_pusher_goes_to_the_back)) refill();
      one = std::move(self.held);
    }
    if (is(cancelled ? keeps_the_item_of_a_cancelled_push : puts_what_timed_out))
      buffer_.push_back(std::move(one));
    if (cancelled && is(counts_a_cancelled_pusher) && capacity_ > 1) ++phantoms_;
    end_without_effect(cancelled);
  }

  awaitable<item> pop_until(clock::time_point deadline) {
    const auto scope = co_await asio::this_coro::cancellation_state;
    if (is_cancelled(scope) && !is(begins_although_cancelled)) contract::throw_cancelled();
    if (is(gives_a_place_away_too_early) && !pushers_.empty() && !has_room()) {
      admit_one();  // the item whose place it gets leaves in a later turn
      co_await asio::post(asio::use_awaitable);
    }
    bool cancelled = false;
    for (bool again = true; again;) {
      item got = do_try_pop();
      if (got) co_return got;
      waiter self(executor_, deadline);
      cancelled = co_await park(poppers_, self);
      const bool served = self.decided == fate::served;
      if (served && is(races_the_deadline) && clock::now() >= deadline) end_without_effect(false);
      if (served && is(drops_what_it_got_late) && clock::now() > deadline) end_without_effect(false);
      if (served && cancelled && is(forgets_a_request_that_met_an_item)) {
        co_await asio::this_coro::reset_cancellation_state();
        cancelled = false;
      }
      if (served && closed_ && is(close_takes_back_what_was_served)) {
        return_to_head(std::move(self.held));
        throw contract::closed_error();
      }
      const bool keeps = !cancelled || (capacity_ == 0 && !is(meets_who_is_cancelled));
      if (served && keeps) co_return std::move(self.held);
      // The cancellation wins, the item is handed back.
      if (served && !is(drops_what_a_cancelled_pop_holds)) return_to_head(std::move(self.held));
      if (self.decided == fate::closed) throw contract::closed_error();
      again = self.decided == fate::woken && !cancelled;
      const bool passes_on = cancelled && is(woken_pusher_goes_to_the_back) && !buffer_.empty();
      if (self.decided == fate::woken && passes_on) wake_next(poppers_);
    }
    if (cancelled && is(counts_a_cancelled_popper)) ++phantoms_;
    end_without_effect(cancelled);
  }

  asio::any_io_executor executor_;
  context_watch watch_;
  std::size_t capacity_;
  bool fair_;
  queue_defect wrong_;
  std::deque<item> buffer_;
  waiters pushers_;
  waiters poppers_;
  waiters joiners_;
  std::size_t phantoms_ = 0;
  std::size_t unfinished_ = 0;
  mutable std::size_t peak_ = 0;  // looking must not change it, and does in two mutants
  bool used_ = false;
  bool closed_ = false;
  // Of those that are wrong.
  bool dropping_ = false;
  std::size_t taken_ = 0;
  const std::shared_ptr<bool> has_served_ = std::make_shared<bool>(false);
};

}  // namespace assay
