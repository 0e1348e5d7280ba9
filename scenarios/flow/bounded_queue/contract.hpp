// The contract of a bounded queue: FIFO with backpressure, and, feature by feature, try, timed and closing
// forms, hand-back and work accounting. A member that belongs to a feature is called only on subjects that claim it.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/item.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct bounded_queue_config {
  /// Items that are buffered at most. 0 is a rendezvous (`rendezvous`) or rejected (`reject_zero`); a
  /// negative one is rejected (BQ-5).
  std::int64_t capacity = 1;
};
BOOST_DESCRIBE_STRUCT(bounded_queue_config, (), (capacity))

struct bounded_queue_statistics {
  std::size_t size = 0;       ///< buffered items
  std::size_t size_peak = 0;  ///< the most there ever were
  std::size_t parked_pushers = 0;
  std::size_t parked_poppers = 0;
};
BOOST_DESCRIBE_STRUCT(bounded_queue_statistics, (), (size, size_peak, parked_pushers, parked_poppers))

class bounded_queue : public with_invariant<bounded_queue_config> {
 public:
  static constexpr std::string_view name = "bounded_queue";
  static constexpr feature_info features[] = {
      {"fair",
       "Whoever waits first is served first: parked pushers and poppers keep their order, and no newcomer "
       "overtakes them."},
      {"try", "`try_push` and `try_pop` do what can be done at once, and never wait."},
      {"timed",
       "`push_for` and `pop_for` wait no longer than they are told, and then end as timed out without an "
       "effect."},
      {"hand_back", "`hand_back` puts an item that was popped back at the head, whatever the capacity."},
      {"close", "`close` refuses further pushes; what is buffered can still be popped."},
      {"close_completes_parked", "A push that is parked when the queue is closed still commits (BQ-10)."},
      {"close_now", "`close_now` closes the queue and returns what was buffered."},
      {"join", "`join` ends once every item that was pushed is done; `done` counts one off."},
      {"requeue", "`requeue` puts an item in hand back at the head in one step, as work not yet done."},
      {"removal", "`drop_oldest` drops the oldest buffered item and takes it off the join count."},
      {"rendezvous", "Capacity 0 is accepted: a push completes when its item is taken."},
      {"reject_zero", "Capacity 0 is rejected."},
      {"move_only", "Items that can only be moved are carried, and never copied."},
      {"statistics", "`statistics` tells the size, its peak, and how many pushers and poppers are parked."},
      {"lifetime",
       "An item that has left the queue is destroyed when its holder drops it; none outlives the queue."},
      {"strict_entry",
       "A call that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
      {"posted_wakeups", "No waiter continues inside the call that woke it (X-12)."},
      {"checked_destruction", "Destroying a queue with parked waiters ends the process (X-20)."},
  };
  using contract_type = bounded_queue;
  using config = bounded_queue_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  bounded_queue() = default;
  bounded_queue(const bounded_queue&) = delete;
  bounded_queue& operator=(const bounded_queue&) = delete;
  virtual ~bounded_queue() = default;

  // What scenarios call. Each keeps the ledger of items and leaves the rest to the subject.

  /// Ends with a value once the item is in the queue; else the item is the caller's again. Outcomes: value,
  /// cancelled, closed.
  awaitable<void> push(item one);
  /// Outcomes: the item, cancelled, closed (once the queue is closed and empty).
  awaitable<item> pop();
  /// Buffered items. Right after every turn.
  virtual std::size_t size() const = 0;

  /// `timed`: as push and pop, or timed_out once `patience` has passed without an effect.
  awaitable<void> push_for(item one, nanoseconds patience);
  awaitable<item> pop_for(nanoseconds patience);

  /// `try`: false leaves the item with the caller; throws closed_error after close.
  bool try_push(item& one);
  /// `try`: an empty item if there is none; throws closed_error once closed and empty.
  item try_pop();

  /// `hand_back`: puts an item that was popped back at the head, whatever the capacity.
  void hand_back(item one);

  /// `close`: no more pushes; what is buffered can still be popped.
  virtual void close() { throw unclaimed_feature("close"); }
  /// `close_now`: closes, and returns what was buffered.
  std::vector<item> close_now();

  /// `join`: an item that was popped is finally dealt with. Throws rejected_error if that is one too many.
  virtual void done() { throw unclaimed_feature("join"); }
  /// `join`: ends once every pushed item is done.
  virtual awaitable<void> join() { throw unclaimed_feature("join"); }
  /// `requeue`: an item in hand goes back to the head as work not yet done, in one step.
  void requeue(item one);
  /// `removal`: drops the oldest buffered item by policy and takes it off the join count; false if there is
  /// none.
  bool drop_oldest();

  /// `statistics`.
  virtual bounded_queue_statistics statistics() const { throw unclaimed_feature("statistics"); }

  /// BQ-1: no more is buffered than there is room for and was handed back. BQ-19: the statistics say the same.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    has_statistics_ = claims("statistics");
  }

 protected:
  // What a subject implements.
  virtual awaitable<void> do_push(item one) = 0;
  virtual awaitable<item> do_pop() = 0;
  virtual awaitable<void> do_push_for(item, nanoseconds) { throw unclaimed_feature("timed"); }
  virtual awaitable<item> do_pop_for(nanoseconds) { throw unclaimed_feature("timed"); }
  /// Must leave `one` alone when it returns false or throws.
  virtual bool do_try_push(item&) { throw unclaimed_feature("try"); }
  virtual item do_try_pop() { throw unclaimed_feature("try"); }
  virtual void do_hand_back(item) { throw unclaimed_feature("hand_back"); }
  virtual std::vector<item> do_close_now() { throw unclaimed_feature("close_now"); }
  virtual void do_requeue(item) { throw unclaimed_feature("requeue"); }
  /// The dropped item, or an empty one.
  virtual item do_drop_oldest() { throw unclaimed_feature("removal"); }

 private:
  struct account {
    std::size_t pushes = 0;  // under way
    std::size_t pops = 0;    // under way
    /// Of these, those that may hold an item that has left the buffer: they have been beside an empty one.
    std::size_t pops_parked = 0;
    std::size_t handed_back = 0;  // and perhaps still there, beyond the capacity
  };
  // A pop that ends without its item may have handed it back.
  class popping {
   public:
    explicit popping(std::shared_ptr<account> owner) : owner_(std::move(owner)) { ++owner_->pops; }
    popping(const popping&) = delete;
    popping& operator=(const popping&) = delete;
    ~popping() {
      --owner_->pops;
      if (!took_) ++owner_->handed_back;
    }
    void took() noexcept { took_ = true; }

   private:
    std::shared_ptr<account> owner_;
    bool took_ = false;
  };
  std::string statistics_invariant(std::size_t held) const;

  const std::shared_ptr<account> account_ = make_account<account>();
  bool has_statistics_ = false;
};

inline boost::asio::awaitable<void> bounded_queue::push(item one) {
  const counted under_way(account_, &account::pushes);
  handing_in account(one, this);
  co_await do_push(std::move(one));
  account.taken();
}

inline boost::asio::awaitable<void> bounded_queue::push_for(item one, nanoseconds patience) {
  const counted under_way(account_, &account::pushes);
  handing_in account(one, this);
  co_await do_push_for(std::move(one), patience);
  account.taken();
}

inline boost::asio::awaitable<item> bounded_queue::pop() {
  popping under_way(account_);
  item got = co_await do_pop();
  under_way.took();
  got.delivered();
  co_return got;
}

inline boost::asio::awaitable<item> bounded_queue::pop_for(nanoseconds patience) {
  popping under_way(account_);
  item got = co_await do_pop_for(patience);
  under_way.took();
  got.delivered();
  co_return got;
}

inline bool bounded_queue::try_push(item& one) {
  handing_in account(one, this);
  const bool taken = do_try_push(one);
  if (taken) account.taken();
  return taken;
}

inline item bounded_queue::try_pop() {
  item got = do_try_pop();
  got.delivered();
  return got;
}

inline void bounded_queue::hand_back(item one) {
  one.given_to(this);
  ++account_->handed_back;
  do_hand_back(std::move(one));
}

inline void bounded_queue::requeue(item one) {
  one.given_to(this);
  ++account_->handed_back;
  do_requeue(std::move(one));
}

inline std::vector<item> bounded_queue::close_now() {
  std::vector<item> removed = do_close_now();
  for (const item& one : removed) one.given_back();
  return removed;
}

inline bool bounded_queue::drop_oldest() {
  const item dropped = do_drop_oldest();
  dropped.settled(item_state::dropped);
  return static_cast<bool>(dropped);
}

inline std::string bounded_queue::invariant() const {
  const look now(*this);
  if (!now) return {};
  const std::size_t held = size();
  const auto room = static_cast<std::size_t>(std::max<std::int64_t>(wanted().capacity, 0));
  account& known = *account_;
  // In a testee any pop may have been beside an empty buffer since it was looked at last.
  known.pops_parked = held == 0 || !in_process() ? known.pops : std::min(known.pops_parked, known.pops);
  const std::size_t most = room + known.handed_back + known.pops_parked;
  if (held > most) return exceeded("BQ-1: more items are buffered than the capacity allows", most, held);
  // What was handed back is beyond the capacity only until that many have left.
  known.handed_back = std::min(known.handed_back, held > room ? held - room : 0);
  return has_statistics_ ? statistics_invariant(held) : std::string();
}

inline std::string bounded_queue::statistics_invariant(std::size_t held) const {
  const bounded_queue_statistics said = statistics();
  if (said.size != held)
    return "BQ-19: the statistics say how many items are buffered: expected " + std::to_string(held) +
           "; observed: " + std::to_string(said.size);
  if (held > said.size_peak)
    return exceeded("BQ-19: more items are buffered than the statistics ever saw", said.size_peak, held);
  if (said.parked_pushers > account_->pushes)
    return exceeded("BQ-19: more pushers are parked than pushes are under way", account_->pushes,
                    said.parked_pushers);
  if (said.parked_poppers > account_->pops)
    return exceeded("BQ-19: more poppers are parked than pops are under way", account_->pops,
                    said.parked_poppers);
  return {};
}

}  // namespace assay::contract
