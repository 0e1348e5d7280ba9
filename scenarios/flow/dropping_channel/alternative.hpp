// A second dropping channel, deliberately unlike the reference: a cancellation that meets an item wins where the item can go
// back by the policy (X-3 allows both), and what conflates may move to the tail. Its mutants are this channel with one rule
// broken.
#pragma once

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
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
#include <assay/scenarios/cross_cutting/alternative_waits.hpp>
#include <assay/scenarios/cross_cutting/extreme_durations.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>

namespace assay {

ASSAY_DEFECTS(channel_defect, none, takes_effect_later, full_is_an_error, evicts_now_and_inserts_later,
              holds_one_too_many, drops_one_too_early, sends_of_a_turn_evict_twice, oldest_drops_what_is_sent,
              newest_drops_the_head, rejects_in_silence, conflation_keeps_the_first, conflation_keeps_all,
              keys_are_ignored, keys_move_to_the_tail, full_of_keys_refuses, looks_for_receivers_too_late,
              serves_nobody, drops_are_not_told, offered_drops_are_not_told, drops_are_told_twice,
              tells_of_the_wrong_item, drops_are_not_counted, replaces_at_the_head, zero_never_drops,
              negative_never_drops, tells_inside_the_step, tells_within_telling,
              drops_what_a_cancelled_receive_holds, hands_back_to_the_tail, hand_back_ignores_the_policy,
              hand_back_drops_the_next, cancelled_receiver_stays, close_discards, close_leaves_receivers,
              close_wakes_one, close_takes_back_what_was_served, accepts_after_close, close_hides_the_latest,
              closed_and_empty_waits, lag_counts_from_the_start, lag_skips_to_the_newest, lag_is_one_short,
              serves_the_last_parked_first, tries_find_nothing, places_wear_out, times_out_early,
              ignores_a_deadline_that_has_passed, deadlines_overflow, deadline_drops_the_item,
              drops_what_it_got_late, begins_although_cancelled, weak_request_uses_up_the_strong,
              resumes_inside_the_send, destruction_is_not_checked, forgets_a_request_that_met_an_item,
              looking_counts_as_sent)

class alternative_channel final : public contract::dropping_channel {
 public:
  using enum channel_defect;
  using drop_policy = contract::drop_policy;
  using send_result = contract::send_result;
  using clock = std::chrono::steady_clock;

  alternative_channel(boost::asio::any_io_executor executor, const config& how, bool key_moves_to_tail,
                      channel_defect wrong)
      : executor_(std::move(executor)),
        watch_(executor_),
        policy_(how.policy == drop_policy::any ? drop_policy::newest : how.policy),
        moves_to_tail_(key_moves_to_tail || wrong == keys_move_to_the_tail),
        wrong_(wrong),
        capacity_(checked(how.capacity)) {}
  ~alternative_channel() override {
    *self_ = nullptr;
    if (!parked_.empty() && !watch_.ending() && !is(destruction_is_not_checked)) std::abort();
  }

  std::size_t size() const override { return buffer_.size(); }
  void close() override {
    closed_ = true;
    if (is(close_discards)) {
      while (!buffer_.empty()) drop(remove(buffer_.begin()));
    }
    const std::size_t left = is(close_leaves_receivers)                ? parked_.size()
                             : is(close_wakes_one) && !parked_.empty() ? parked_.size() - 1
                                                                       : 0;
    while (parked_.size() > left) decide(*parked_.front(), fate::closed);
  }
  contract::dropping_channel_statistics statistics() const override {
    const contract::dropping_channel_statistics now = {buffer_.size(), sent_, dropped_, parked_.size()};
    if (is(looking_counts_as_sent)) ++sent_;
    return now;
  }

 protected:
  send_result do_send(item& one, std::int64_t key) override {
    if (closed_ && !is(accepts_after_close)) throw contract::closed_error();
    if (is(takes_effect_later)) {
      ++sent_;
      later([key, offered = std::make_shared<item>(std::move(one))](alternative_channel& me) {
        me.admit(*offered, key);
      });
      return send_result::accepted;
    }
    const send_result result = admit(one, key);
    if (result != send_result::rejected) ++sent_;
    return result;
  }
  awaitable<item> do_receive() override {
    contract::received_item got = co_await take(clock::time_point::max());
    co_return std::move(got.one);
  }
  awaitable<item> do_receive_for(nanoseconds patience) override {
    if (is(times_out_early)) patience /= 2;
    auto deadline = is(deadlines_overflow) ? overflowing_deadline(patience) : deadline_after(patience);
    if (is(ignores_a_deadline_that_has_passed) && patience <= nanoseconds::zero())
      deadline = clock::time_point::max();
    contract::received_item got = co_await take(deadline);
    co_return std::move(got.one);
  }
  awaitable<contract::received_item> do_receive_counted() override {
    while (is(lag_skips_to_the_newest) && lost_ > 0 && buffer_.size() > 1) drop(remove(buffer_.begin()));
    return take(clock::time_point::max());
  }
  item do_try_receive() override {
    if (buffer_.empty() && closed_) throw contract::closed_error();
    if (buffer_.empty() || is(tries_find_nothing)) return {};
    return take_head().one;
  }
  send_result do_hand_back(item& one, std::int64_t key) override {
    return put_back({std::move(one), key}, one);
  }

 private:
  enum class fate : std::uint8_t { waiting, served, closed };
  struct entry {
    item one;
    std::int64_t key = 0;
    std::size_t lost = 0;  // of who was served with it
  };
  using place = std::deque<entry>::iterator;
  struct waiter {
    boost::asio::steady_timer timer;
    entry held = {};
    fate decided = fate::waiting;
  };

  bool is(channel_defect what) const noexcept { return wrong_ == what; }
  std::size_t checked(std::int64_t capacity) const {
    constexpr std::size_t many = 1'000;
    if (capacity == 0 && is(zero_never_drops)) return many;
    if (capacity < 0 && is(negative_never_drops)) return many;
    if (capacity < 1) throw contract::rejected_error("a capacity below 1");
    return static_cast<std::size_t>(capacity);
  }
  std::size_t room() const noexcept {
    const std::size_t lost = is(places_wear_out) ? std::min(taken_ / 30, capacity_ - 1) : 0;
    if (is(drops_one_too_early) && capacity_ > 1) return capacity_ - 1;
    return is(holds_one_too_many) && capacity_ > 1 ? capacity_ + 1 : capacity_ - lost;
  }
  bool is_full() const noexcept { return buffer_.size() >= room(); }
  template <class Act>
  void later(Act act) {
    boost::asio::post(executor_, [self = self_, act = std::move(act)] {
      if (*self != nullptr) act(**self);
    });
  }

  // ---- admission

  send_result admit(item& one, std::int64_t key) {
    if (is(keys_are_ignored)) key = 0;
    const bool looks = !is(serves_nobody) && !(is(looks_for_receivers_too_late) && has_served_in_this_turn());
    if (phantoms_ > 0) {
      --phantoms_;
      const item gone = std::move(one);
      return send_result::accepted;
    }
    if (!parked_.empty() && looks) {
      serve({std::move(one), key});
      return send_result::accepted;
    }
    if (policy_ == drop_policy::conflate && conflates(one, key)) return send_result::accepted;
    const bool twice = is(sends_of_a_turn_evict_twice) && !buffer_.empty() && has_served_in_this_turn();
    if (!is_full() && !twice) {
      buffer_.push_back({std::move(one), key});
      return send_result::accepted;
    }
    if (is(full_is_an_error)) throw contract::rejected_error("full");
    switch (policy_) {
      case drop_policy::reject:
        if (!is(rejects_in_silence)) return send_result::rejected;
        drop(std::move(one));
        return send_result::dropped;
      case drop_policy::newest:
        if (is(newest_drops_the_head)) break;
        return refuse(one);
      case drop_policy::oldest:
        if (is(oldest_drops_what_is_sent)) return refuse(one);
        break;
      case drop_policy::conflate:
        if (is(full_of_keys_refuses)) return refuse(one);
        break;
      case drop_policy::any:
        break;
    }
    evict(one, key);
    return send_result::accepted;
  }

  // The one that is sent goes.
  send_result refuse(item& one) {
    if (!is(offered_drops_are_not_told)) drop(std::move(one));
    return send_result::dropped;
  }

  void evict(item& one, std::int64_t key) {
    if (is(tells_inside_the_step)) {
      drop(remove(buffer_.begin()));
      buffer_.push_back({std::move(one), key});
      return;
    }
    item victim = remove(buffer_.begin());
    if (is(evicts_now_and_inserts_later)) {
      drop(std::move(victim));
      later([key, offered = std::make_shared<item>(std::move(one))](alternative_channel& me) {
        me.admit(*offered, key);
      });
      return;
    }
    if (is(tells_of_the_wrong_item)) std::swap(victim, one);
    buffer_.insert(is(replaces_at_the_head) ? buffer_.begin() : buffer_.end(), entry{std::move(one), key});
    drop(std::move(victim));
  }

  bool conflates(item& one, std::int64_t key) {
    if (is(conflation_keeps_all)) return false;
    const auto same =
        std::find_if(buffer_.begin(), buffer_.end(), [key](const entry& there) { return there.key == key; });
    if (same == buffer_.end()) return false;
    if (is(conflation_keeps_the_first)) {
      drop(std::move(one));
      return true;
    }
    item victim = std::exchange(same->one, std::move(one));
    if (moves_to_tail_) std::rotate(same, same + 1, buffer_.end());
    drop(std::move(victim));
    return true;
  }

  item remove(place at) {
    item one = std::move(at->one);
    buffer_.erase(at);
    return one;
  }

  // Two calls of one turn: for defects.
  bool has_served_in_this_turn() {
    if (std::exchange(served_, true)) return true;
    later([](alternative_channel& me) { me.served_ = false; });
    return false;
  }

  // ---- telling

  void drop(item victim) {
    if (!is(drops_are_not_counted)) ++dropped_;
    ++lost_;
    if (is(drops_are_not_told)) return;
    untold_.push_back(std::move(victim));
    if (telling_ && !is(tells_within_telling)) return;
    telling_ = true;
    while (!untold_.empty()) {
      const item next = std::move(untold_.front());
      untold_.pop_front();
      dropped(next);
      if (is(drops_are_told_twice)) dropped(next);
    }
    telling_ = false;
  }

  // ---- receiving

  contract::received_item take_head() {
    ++taken_;
    const std::size_t lost = note_lag();
    item one = remove(buffer_.begin());
    return {std::move(one), lost};
  }
  std::size_t note_lag() {
    const std::size_t lost = is(lag_counts_from_the_start) ? lost_ : std::exchange(lost_, 0);
    return is(lag_is_one_short) && lost > 1 ? lost - 1 : lost;
  }

  void serve(entry one) {
    one.lost = note_lag();
    waiter& chosen = is(serves_the_last_parked_first) ? *parked_.back() : *parked_.front();
    chosen.held = std::move(one);
    ++taken_;
    decide(chosen, fate::served);
  }
  void decide(waiter& one, fate how) {
    std::erase(parked_, &one);
    one.decided = how;
    waits_.wake(one.timer);
  }

  // As the policy says; `kept` gets it if it is rejected.
  send_result put_back(entry one, item& kept) {
    lost_ += std::exchange(one.lost, 0);  // who gives it back learns nothing
    if (!parked_.empty()) {
      serve(std::move(one));
      return send_result::accepted;
    }
    const auto same = [&](const entry& there) { return there.key == one.key; };
    const bool outdated =
        policy_ == drop_policy::conflate && std::any_of(buffer_.begin(), buffer_.end(), same);
    const bool full = is_full() && !is(hand_back_ignores_the_policy);
    if (full && policy_ == drop_policy::reject) {
      kept = std::move(one.one);
      return send_result::rejected;
    }
    if (outdated || (full && policy_ != drop_policy::newest)) {
      if (is(hand_back_drops_the_next) && policy_ == drop_policy::oldest) std::swap(one, buffer_.front());
      drop(std::move(one.one));
      return send_result::dropped;
    }
    item victim;
    if (full) victim = remove(buffer_.end() - 1);
    buffer_.insert(is(hands_back_to_the_tail) ? buffer_.end() : buffer_.begin(), std::move(one));
    if (full) drop(std::move(victim));
    return send_result::accepted;
  }

  awaitable<contract::received_item> take(clock::time_point deadline) {
    const auto entered = co_await boost::asio::this_coro::cancellation_state;
    const bool refused = entered.cancelled() != boost::asio::cancellation_type::none;
    if (refused && !is(begins_although_cancelled)) contract::throw_cancelled();
    const bool hidden = closed_ && policy_ == drop_policy::conflate && is(close_hides_the_latest);
    if (!buffer_.empty() && !hidden) co_return take_head();
    if (closed_ && !is(closed_and_empty_waits)) throw contract::closed_error();
    waiter self{boost::asio::steady_timer(executor_, deadline)};
    bool cancelled = co_await park(self);
    const bool late = clock::now() > deadline && is(drops_what_it_got_late);
    const bool due = clock::now() >= deadline && is(deadline_drops_the_item);
    if (self.decided == fate::served) {
      if (late || due) throw contract::timed_out_error();
      if (cancelled && is(forgets_a_request_that_met_an_item)) {
        co_await boost::asio::this_coro::reset_cancellation_state();
        cancelled = false;
      }
      const bool taken_back = closed_ && is(close_takes_back_what_was_served);
      if ((cancelled || taken_back) && goes_back()) {
        if (!is(drops_what_a_cancelled_receive_holds)) put_back(std::move(self.held), self.held.one);
        if (taken_back) throw contract::closed_error();
      } else {
        co_return contract::received_item(std::move(self.held.one), self.held.lost);
      }
    }
    if (self.decided == fate::waiting && cancelled && is(cancelled_receiver_stays)) ++phantoms_;
    if (cancelled) contract::throw_cancelled();
    if (self.decided == fate::closed) throw contract::closed_error();
    throw contract::timed_out_error();
  }

  // Where there is no room, only the oldest policies say what goes when an item comes back.
  bool goes_back() const {
    return !is_full() || policy_ == drop_policy::oldest || policy_ == drop_policy::conflate;
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
  drop_policy policy_;
  bool moves_to_tail_;
  channel_defect wrong_;
  std::size_t capacity_;
  std::deque<entry> buffer_;
  std::deque<waiter*> parked_;
  std::deque<item> untold_;
  bool telling_ = false;
  bool closed_ = false;
  mutable std::size_t sent_ = 0;
  std::size_t dropped_ = 0;
  std::size_t lost_ = 0;
  // What is posted may come when the channel is gone.
  const std::shared_ptr<alternative_channel*> self_ = std::make_shared<alternative_channel*>(this);
  // Of those that are wrong.
  bool served_ = false;
  std::size_t taken_ = 0;
  std::size_t phantoms_ = 0;
  alternative_waits waits_{{.weak_request_uses_up_the_strong = is(weak_request_uses_up_the_strong),
                            .resumes_inside_the_call = is(resumes_inside_the_send)}};
};

}  // namespace assay
