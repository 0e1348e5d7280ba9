// Two queues as one would write them: in the one whoever is woken looks again, in the other items are handed over.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <deque>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::bounded_queue;
using contract::bounded_queue_config;

std::size_t checked_capacity(const bounded_queue_config& config, bool zero_is_fine) {
  if (config.capacity < 0 || (config.capacity == 0 && !zero_is_fine))
    throw contract::rejected_error("no such capacity");
  return static_cast<std::size_t>(config.capacity);
}

ASSAY_DEFECTS(looking_bug, none, closes_over_the_item, pushes_into_the_closed, wakes_one_joiner,
              forgets_what_is_in_hand, wakes_only_beside_the_empty)

// As asyncio's: an item lies in the buffer until somebody takes it, and who is woken looks what there is.
class looking_queue final : public bounded_queue {
 public:
  looking_queue(asio::any_io_executor executor, const bounded_queue_config& config, looking_bug bug)
      : executor_(std::move(executor)), room_(checked_capacity(config, false)), bug_(bug) {}

  std::size_t size() const override { return items_.size(); }
  void close() override {
    closed_ = true;
    poppers_.wake_all();
    pushers_.wake_all();
  }
  void done() override {
    if (unfinished_ == 0) throw contract::rejected_error("done more often than pushed");
    finish(1);
  }
  awaitable<void> join() override {
    if (unfinished_ == 0) co_return;
    waiter self(executor_);
    const ended how = co_await joiners_.wait(self);
    check(how);
  }

 protected:
  awaitable<void> do_push(item one) override { return push_until(std::move(one), time_point::max()); }
  awaitable<item> do_pop() override { return pop_until(time_point::max()); }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    return push_until(std::move(one), deadline_after(patience));
  }
  awaitable<item> do_pop_for(nanoseconds patience) override { return pop_until(deadline_after(patience)); }

  bool do_try_push(item& one) override {
    if (closed_) throw contract::closed_error();
    if (items_.size() >= room_) return false;
    put(std::move(one));
    return true;
  }
  item do_try_pop() override {
    if (!items_.empty()) return take();
    if (closed_) throw contract::closed_error();
    return item();
  }
  void do_hand_back(item one) override {
    items_.push_front(std::move(one));
    poppers_.wake_one();
  }
  void do_requeue(item one) override { do_hand_back(std::move(one)); }
  item do_drop_oldest() override {
    if (items_.empty()) return item();
    item oldest = take();
    finish(1);
    return oldest;
  }
  std::vector<item> do_close_now() override {
    std::vector<item> removed;
    while (!items_.empty()) {
      removed.push_back(std::move(items_.front()));
      items_.pop_front();
    }
    close();
    finish(bug_ == looking_bug::forgets_what_is_in_hand ? unfinished_ : removed.size());
    return removed;
  }

 private:
  using time_point = waiting_list::time_point;

  awaitable<void> push_until(item one, time_point deadline) {
    if (closed_) throw contract::closed_error();
    while (items_.size() >= room_) {
      waiter self(executor_);
      const ended how = co_await pushers_.wait(self, deadline);
      check(how);
      const bool full = items_.size() >= room_;
      if (closed_ && (full || bug_ != looking_bug::pushes_into_the_closed)) throw contract::closed_error();
    }
    put(std::move(one));
  }

  awaitable<item> pop_until(time_point deadline) {
    while (items_.empty()) {
      if (closed_) throw contract::closed_error();
      waiter self(executor_);
      const ended how = co_await poppers_.wait(self, deadline);
      check(how);
      if (closed_ && bug_ == looking_bug::closes_over_the_item) throw contract::closed_error();
    }
    co_return take();
  }

  void put(item one) {
    ++unfinished_;
    const bool was_empty = items_.empty();
    items_.push_back(std::move(one));
    if (was_empty || bug_ != looking_bug::wakes_only_beside_the_empty) poppers_.wake_one();
  }
  item take() {
    item first = std::move(items_.front());
    items_.pop_front();
    pushers_.wake_one();
    return first;
  }
  void finish(std::size_t count) {
    if (count == 0) return;
    unfinished_ -= count;
    if (unfinished_ > 0) return;
    if (bug_ == looking_bug::wakes_one_joiner) {
      joiners_.wake_one();
    } else {
      joiners_.wake_all();
    }
  }

  const asio::any_io_executor executor_;
  const std::size_t room_;
  const looking_bug bug_;
  std::deque<item> items_;
  waiting_list pushers_;
  waiting_list poppers_;
  waiting_list joiners_;
  std::size_t unfinished_ = 0;
  bool closed_ = false;
};

const table<looking_queue, looking_bug> looking(
    "looking_queue",
    {"try", "timed", "hand_back", "close", "close_now", "join", "requeue", "removal", "reject_zero"},
    {
        {looking_bug::pushes_into_the_closed,
         "a pusher that finds room when it is woken pushes, although the queue has been closed meanwhile",
         {{"BQ-10", ""}, {"BQ-12", "parked pushers are woken with closed"}}},
        {looking_bug::forgets_what_is_in_hand,
         "close_now takes items in hand off the join count as well (CPython's threading.Queue.shutdown)",
         {{"BQ-16", "the item in hand still counts"}}},
        {looking_bug::closes_over_the_item,
         "push and close in one turn: the popper that the push has woken is told that the queue is closed",
         {{"BQ-11", ""}}},
        {looking_bug::wakes_one_joiner,
         "of two parked joiners the last `done` wakes the first",
         {{"BQ-14", ""}}},
        {looking_bug::wakes_only_beside_the_empty,
         "a push wakes a popper only if the queue was empty: of two that are parked one stays so beside an "
         "item",
         {{"BQ-4", ""}}},
    });

ASSAY_DEFECTS(handing_bug, none, meets_the_cancelled, erases_the_request)

// A push gives its item to the popper that has waited longest, and a pop takes from the pusher that has.
class handing_queue final : public bounded_queue {
 public:
  handing_queue(asio::any_io_executor executor, const bounded_queue_config& config, handing_bug bug)
      : executor_(std::move(executor)), room_(checked_capacity(config, true)), bug_(bug) {}

  std::size_t size() const override { return items_.size(); }
  void close() override {
    closed_ = true;
    poppers_.wake_all();
    pushers_.wake_all();
  }

 protected:
  awaitable<void> do_push(item one) override { return push_until(std::move(one), time_point::max()); }
  awaitable<item> do_pop() override { return pop_until(time_point::max()); }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    return push_until(std::move(one), deadline_after(patience));
  }
  awaitable<item> do_pop_for(nanoseconds patience) override { return pop_until(deadline_after(patience)); }

  bool do_try_push(item& one) override {
    if (closed_) throw contract::closed_error();
    if (poppers_.empty() && items_.size() >= room_) return false;
    give(std::move(one));
    return true;
  }
  item do_try_pop() override {
    item first = take();
    if (!first && closed_) throw contract::closed_error();
    return first;
  }

 private:
  using time_point = waiting_list::time_point;

  // Somebody who waits, and the item that goes in or out.
  struct party : waiter {
    using waiter::waiter;
    item one;
  };

  awaitable<void> push_until(item one, time_point deadline) {
    if (closed_) throw contract::closed_error();
    if (!poppers_.empty() || items_.size() < room_) {
      give(std::move(one));
      co_return;
    }
    party self(executor_);
    self.one = std::move(one);
    const ended how = co_await pushers_.wait(self, deadline);
    check(how);
    if (self.one) throw contract::closed_error();  // woken, and nobody took it
  }

  awaitable<item> pop_until(time_point deadline) {
    item first = take();
    if (first) co_return first;
    if (closed_) throw contract::closed_error();
    party self(executor_);
    const ended how = co_await poppers_.wait(self, deadline);
    check(how);
    if (!self.one) throw contract::closed_error();
    const auto state = co_await asio::this_coro::cancellation_state;
    if (state.cancelled() != asio::cancellation_type::none) {
      if (bug_ == handing_bug::meets_the_cancelled) {
        put_back(std::move(self.one));
        contract::throw_cancelled();
      }
      if (bug_ == handing_bug::erases_the_request)
        co_await asio::this_coro::reset_cancellation_state(asio::enable_total_cancellation());
    }
    co_return std::move(self.one);
  }

  // To the first popper, or into the buffer.
  void give(item one) {
    if (poppers_.empty()) {
      items_.push_back(std::move(one));
      return;
    }
    static_cast<party&>(poppers_.front()).one = std::move(one);
    poppers_.wake_one();
  }
  void put_back(item one) {
    if (poppers_.empty()) {
      items_.push_front(std::move(one));
    } else {
      give(std::move(one));
    }
  }
  // From the buffer, whose free place the first pusher gets, or from that pusher; an empty item if there is none.
  item take() {
    item first;
    if (!items_.empty()) {
      first = std::move(items_.front());
      items_.pop_front();
      if (!pushers_.empty() && items_.size() < room_) items_.push_back(from_pusher());
    } else if (!pushers_.empty()) {
      first = from_pusher();
    }
    return first;
  }
  item from_pusher() {
    item one = std::move(static_cast<party&>(pushers_.front()).one);
    pushers_.wake_one();
    return one;
  }

  const asio::any_io_executor executor_;
  const std::size_t room_;
  const handing_bug bug_;
  std::deque<item> items_;
  waiting_list pushers_;
  waiting_list poppers_;
  bool closed_ = false;
};

const table<handing_queue, handing_bug> handing(
    "handing_queue", {"fair", "try", "timed", "close", "rendezvous"},
    {
        {handing_bug::meets_the_cancelled,
         "capacity 0: a push ends although the popper that it met is cancelled, and puts the item back",
         {{"BQ-5", ""}}},
        {handing_bug::erases_the_request,
         "a pop that has its item and is cancelled at once returns the item and resets the cancellation "
         "state: the "
         "request is gone, and the caller waits for ever",
         {{"X-36", ""}, {"X-10", ""}, {"X-5", ""}}},
    },
    {});

}  // namespace
}  // namespace assay::wrong
