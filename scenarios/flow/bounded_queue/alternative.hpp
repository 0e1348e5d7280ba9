// A second bounded queue, deliberately unlike the reference: it rejects capacity 0 instead of meeting, serves parked
// waiters last come first served (it does not claim `fair`), and when a cancellation meets an item that was assigned
// already the cancellation wins and the item is handed back (X-3 allows both). It shows that the suite is not fitted
// to the reference, and its mutants are this queue with one rule broken.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include <assay/harness/trial/context_watch.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {

/// One rule each; all false is the conforming queue.
struct queue_defects {
  bool fair = false;                // no defect: first come, first served
  bool checks_destruction = false;  // no defect: ends the process if somebody still waits
  bool drops_what_a_cancelled_pop_holds = false;
  bool hands_back_to_the_tail = false;
  bool hand_back_needs_room = false;
  bool keeps_the_item_of_a_cancelled_push = false;
  bool counts_a_cancelled_popper = false;
  bool counts_a_cancelled_pusher = false;  // where there is room for several
  bool grants_die_with_the_cancelled = false;
  bool buffers_beside_a_parked_popper = false;
  bool lets_try_pop_overtake = false;
  bool serves_the_last_parked_first = false;
  bool takes_the_newest_first = false;
  bool admits_every_parked_pusher = false;
  bool races_the_deadline = false;
  bool times_out_early = false;
  bool ignores_a_deadline_that_has_passed = false;
  bool deadlines_overflow = false;
  bool puts_what_timed_out = false;
  bool treats_zero_as_one = false;
  bool accepts_negative = false;
  bool close_leaves_pushers = false;
  bool close_leaves_poppers = false;
  bool close_discards = false;
  bool accepts_after_close = false;
  bool second_close_discards = false;
  bool close_now_keeps_quiet = false;
  bool close_now_leaves_waiters = false;
  bool join_ignores_what_is_in_hand = false;
  bool accepts_done_without_work = false;
  bool requeue_counts_again = false;
  bool removed_items_still_count = false;
  bool dropped_items_still_count = false;
  bool join_waits_for_a_first_item = false;
  bool forgets_the_peak = false;
  bool looking_resets_the_peak = false;
  bool looking_raises_the_peak = false;
  bool leaks_what_is_left = false;
  bool begins_although_cancelled = false;
  bool drops_what_fills_it = false;  // where there is room for several
  bool gives_a_place_away_too_early = false;
};

class alternative_queue final : public contract::bounded_queue {
 public:
  alternative_queue(boost::asio::any_io_executor executor, const contract::bounded_queue_config& config,
                    queue_defects wrong);
  ~alternative_queue() override;

  std::size_t size() const override { return buffer_.size(); }
  void close() override;
  void done() override;
  awaitable<void> join() override;
  contract::bounded_queue_statistics statistics() const override;

 protected:
  awaitable<void> do_push(item one) override;
  awaitable<item> do_pop() override;
  awaitable<void> do_push_for(item one, nanoseconds patience) override;
  awaitable<item> do_pop_for(nanoseconds patience) override;
  bool do_try_push(item& one) override;
  item do_try_pop() override;
  void do_hand_back(item one) override;
  std::vector<item> do_close_now() override;
  void do_requeue(item one) override;
  item do_drop_oldest() override;

 private:
  using clock = std::chrono::steady_clock;
  enum class fate { waiting, served, closed };
  struct waiter {
    waiter(const boost::asio::any_io_executor& executor, clock::time_point deadline)
        : timer(executor, deadline) {}
    boost::asio::steady_timer timer;
    item held;
    fate decided = fate::waiting;
  };
  using waiters = std::deque<waiter*>;

  clock::time_point deadline_after(nanoseconds patience) const;
  awaitable<void> push_until(item one, clock::time_point deadline);
  awaitable<item> pop_until(clock::time_point deadline);
  awaitable<bool> park(waiters& where, waiter& self);
  waiter* choose(const waiters& parked) const;
  void serve(waiters& parked, waiter& chosen, fate decided);
  bool has_room() const noexcept;
  void put(item one);
  item take_buffered();
  void refill();
  void admit_one();
  void return_to_head(item one);
  void wake_all(waiters& parked);
  void check_joiners();
  static void unlink(waiters& parked, const waiter& gone);

  boost::asio::any_io_executor executor_;
  context_watch watch_;
  std::size_t capacity_;
  queue_defects wrong_;
  std::deque<item> buffer_;
  waiters pushers_;
  waiters poppers_;
  waiters joiners_;
  std::size_t phantoms_ = 0;
  std::size_t unfinished_ = 0;
  std::size_t peak_ = 0;
  bool used_ = false;
  bool closed_ = false;
};

}  // namespace assay
