// A second bounded queue, deliberately unlike the reference: it rejects capacity 0 instead of meeting, serves parked
// waiters last come first served unless it is told to be fair, and when a cancellation meets an item that was assigned
// already the cancellation wins and the item is handed back (X-3 allows both). It shows that the suite is not fitted
// to the reference, and its mutants are this queue with one rule broken.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <assay/harness/trial/context_watch.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

// clang-format off
BOOST_DEFINE_ENUM_CLASS(queue_defect, none,
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
  destruction_is_not_checked)
// clang-format on

class alternative_queue final : public contract::bounded_queue {
 public:
  /// What every one of them claims.
  static std::vector<std::string> features() {
    return {"try",        "timed",    "hand_back",    "close",         "close_now",
            "join",       "requeue",  "removal",      "reject_zero",   "move_only",
            "statistics", "lifetime", "strict_entry", "posted_wakeups"};
  }

  /// `fair`: first come, first served.
  alternative_queue(boost::asio::any_io_executor executor, const contract::bounded_queue_config& config,
                    bool fair, queue_defect wrong = queue_defect::none);
  ~alternative_queue() override;

  std::size_t size() const override { return buffer_.size(); }
  void close() override;
  void done() override;
  awaitable<void> join() override;
  contract::bounded_queue_statistics statistics() const override;

 protected:
  awaitable<void> do_push(item one) override { return push_until(std::move(one), clock::time_point::max()); }
  awaitable<item> do_pop() override { return pop_until(clock::time_point::max()); }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    return push_until(std::move(one), deadline_after(patience));
  }
  awaitable<item> do_pop_for(nanoseconds patience) override { return pop_until(deadline_after(patience)); }
  bool do_try_push(item& one) override;
  item do_try_pop() override;
  void do_hand_back(item one) override;
  std::vector<item> do_close_now() override;
  void do_requeue(item one) override;
  item do_drop_oldest() override;

 private:
  using clock = std::chrono::steady_clock;
  enum class fate { waiting, served, closed, woken };
  struct waiter {
    waiter(const boost::asio::any_io_executor& executor, clock::time_point deadline)
        : timer(executor, deadline) {}
    boost::asio::steady_timer timer;
    item held;
    fate decided = fate::waiting;
    std::weak_ptr<std::function<void()>> resume;  // goes on at once
  };
  using waiters = std::deque<waiter*>;

  bool is(queue_defect what) const noexcept { return wrong_ == what; }
  bool only_wakes() const noexcept;
  bool has_room() const noexcept { return buffer_.size() + phantoms_ < capacity_; }
  bool is_finished() const noexcept;
  clock::time_point deadline_after(nanoseconds patience) const;
  awaitable<void> push_until(item one, clock::time_point deadline);
  awaitable<item> pop_until(clock::time_point deadline);
  awaitable<bool> park(waiters& where, waiter& self);
  awaitable<void> wait_to_be_resumed(waiter& self);
  waiter& choose(const waiters& parked) const;
  void serve(waiters& parked, waiter& chosen, fate decided);
  void wake_next(waiters& parked);
  void wake_all(waiters& parked);
  void serve_popper(item one);
  void put(item one);
  item take_buffered();
  void refill();
  void admit_one();
  void return_to_head(item one);
  void note_peak();
  void check_joiners();

  boost::asio::any_io_executor executor_;
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
};

}  // namespace assay
