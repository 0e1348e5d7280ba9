// The contract of a resilient worker: it takes items from a queue of its own, has each processed, and loses
// none when processing fails or the worker is cancelled.
//
// What it stands on are two callbacks that suspend, processing and the dead-letter sink, and one that does
// not, for items given up. They speak in ids, numbers and outcomes, so that queue and worker may live in
// another process.
//
// An item that failed may be tried again before it is given up, and a worker may pause in between. A member that belongs to a
// feature is called only on subjects that claim it. A subject without `requeue` may finish what it has in hand before it ends,
// or keep it for take_back.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
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

struct resilient_worker_config {
  /// Items that the queue buffers; a submit beyond them waits. At least 1.
  std::int64_t capacity = 8;
  /// `attempt_cap`: how often processing an item may begin; 0 leaves it to the subject.
  std::int64_t attempts_max = 0;
  /// `dead_letter`: how long one write to the dead-letter sink may take, in nanoseconds. A write that ends by
  /// itself at exactly this time may go either way.
  std::int64_t dead_letter_patience_ns = 1'000'000'000;
};
BOOST_DESCRIBE_STRUCT(resilient_worker_config, (), (capacity, attempts_max, dead_letter_patience_ns))

/// An item that is given up, and why.
struct given_up {
  given_up() = default;
  given_up(int item_id, outcome why, std::uint32_t begun)
      : id(item_id), cause(std::move(why)), attempts(begun) {}

  int id = 0;
  outcome cause;               ///< what processing failed with
  std::uint32_t attempts = 0;  ///< `attempts`: how often processing has begun
};

class resilient_worker : public with_invariant<resilient_worker_config> {
 public:
  static constexpr std::string_view name = "resilient_worker";
  static constexpr feature_info features[] = {
      {"requeue", "An item that is cancelled while it is processed goes back to the head of the queue."},
      {"dead_letter", "An item that is given up is written to the dead-letter sink, with its cause."},
      {"attempts",
       "How often processing has begun is told, with every attempt and when the item is given up."},
      {"attempt_cap", "Processing of an item begins at most `attempts_max` times."},
      {"join", "`join` ends once every submitted item is processed, dead-lettered or lost."},
  };
  using contract_type = resilient_worker;
  using config = resilient_worker_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  /// What surrounds the worker.
  struct callbacks {
    /// Processes the item with this id. Ends with a value when it is processed; throws if it failed, and
    /// honours cancellation. `attempt` is 1 at first, then higher each time.
    std::function<awaitable<void>(int id, std::uint32_t attempt)> process;
    /// `dead_letter`: takes the item for good, unless it throws.
    std::function<awaitable<void>(given_up letter)> dead_letter;
    /// The item is given up for good, explicitly: nobody else has it. `unwritten` is what the sink failed
    /// with, or `value` if there is no sink or none was asked.
    std::function<void(given_up letter, outcome unwritten)> lost;
  };

  resilient_worker() = default;
  resilient_worker(const resilient_worker&) = delete;
  resilient_worker& operator=(const resilient_worker&) = delete;
  virtual ~resilient_worker() = default;

  // What scenarios call. Each keeps the ledger of items and leaves the rest to the subject.

  /// Before anything else, once.
  void connect(callbacks outside) { outside_ = std::move(outside); }
  /// Ends with a value once the item is in the queue; else the item is the caller's again.
  awaitable<void> submit(item one);
  /// The worker: takes items in the order of their submits until it is cancelled, and then ends as cancelled.
  /// May be run again, and several times at once.
  awaitable<void> run();
  /// When no run is left: all that is neither processed nor given up.
  std::vector<item> take_back();

  /// `join`: ends once every submitted item is settled: processed, dead-lettered or lost.
  virtual awaitable<void> join() { throw unclaimed_feature("join"); }

  /// RWK-1: nothing is processed when no run is left, and no item twice at the same time. RWK-7: with `attempts` their
  /// numbers rise.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    tells_attempts_ = claims("attempts");
  }

 protected:
  // What a subject implements.
  virtual awaitable<void> do_run() = 0;
  virtual awaitable<void> do_submit(item one) = 0;
  virtual std::vector<item> do_take_back() = 0;

  // What a subject calls. Each tells the ledger what it means for the item.

  /// Has `one` processed; outcomes as callbacks::process.
  awaitable<void> process(const item& one, std::uint32_t attempt);
  /// Writes `one` to the dead-letter sink; it is gone from the subject when this ends with a value.
  awaitable<void> dead_letter(item& one, std::exception_ptr cause, std::uint32_t attempts);
  /// Gives `one` up.
  void lost(item one, const std::exception_ptr& cause, std::uint32_t attempts,
            const std::exception_ptr& unwritten);

 private:
  struct account {
    std::size_t runs = 0;        // under way
    std::size_t processing = 0;  // items
    struct fortune {
      std::size_t processing = 0;
      std::uint32_t attempt = 0;  // the latest
    };
    std::map<int, fortune, std::less<>, detail::harness_allocator<std::pair<const int, fortune>>> items;
    std::string violation;  // the first that was seen when it happened
  };
  class processing;

  callbacks outside_;
  const std::shared_ptr<account> account_ = make_account<account>();
  bool tells_attempts_ = false;
};

// An item is processed as long as this lives.
class resilient_worker::processing {
 public:
  processing(const resilient_worker& worker, int id, std::uint32_t attempt)
      : account_(worker.account_), id_(id) {
    const detail::harness_section section;
    account::fortune& one = account_->items[id];
    ++account_->processing;
    ++one.processing;
    if (worker.tells_attempts_ && attempt <= one.attempt && account_->violation.empty())
      account_->violation = "RWK-7: a further attempt has a higher number: expected more than " +
                            std::to_string(one.attempt) + "; observed: " + std::to_string(attempt);
    one.attempt = attempt;
    // At the end of the turn it may be over.
    if (worker.in_process() && one.processing > 1 && account_->violation.empty())
      account_->violation = exceeded(
          "RWK-1: item " + std::to_string(id) + " is processed twice at the same time", 1, one.processing);
  }
  processing(const processing&) = delete;
  processing& operator=(const processing&) = delete;
  ~processing() {
    --account_->processing;
    --account_->items.find(id_)->second.processing;
  }

 private:
  std::shared_ptr<account> account_;
  int id_;
};

inline boost::asio::awaitable<void> resilient_worker::run() {
  const counted under_way(account_, &account::runs);
  co_await do_run();
}

inline boost::asio::awaitable<void> resilient_worker::submit(item one) {
  if (const auto before = account_->items.find(one.id()); before != account_->items.end())
    before->second.attempt = 0;
  handing_in account(one, this);
  co_await do_submit(std::move(one));
  account.taken();
}

inline std::vector<item> resilient_worker::take_back() {
  std::vector<item> remaining = do_take_back();
  for (const item& one : remaining) {
    if (one.unsettled()) one.given_back();
  }
  return remaining;
}

// The ledger takes an item's first fate. One that was processed may come again, and then has another: a worker that could
// not say in time that it is done works at least once (RWK-7). Scenarios see that in what was called.

inline boost::asio::awaitable<void> resilient_worker::process(const item& one, std::uint32_t attempt) {
  item_ledger* const ledger = one.ledger();
  const int id = one.id();
  const processing here(*this, id, attempt);
  co_await outside_.process(id, attempt);
  // The subject may have let go of it meanwhile.
  if (ledger != nullptr && ledger->state(id) == item_state::given) ledger->settle(id, item_state::delivered);
}

inline boost::asio::awaitable<void> resilient_worker::dead_letter(item& one, std::exception_ptr cause,
                                                                  std::uint32_t attempts) {
  given_up letter(one.id(), describe(cause), attempts);
  co_await outside_.dead_letter(std::move(letter));
  const item gone = std::move(one);
  if (gone.unsettled()) gone.settled(item_state::dead_lettered);
}

inline void resilient_worker::lost(item one, const std::exception_ptr& cause, std::uint32_t attempts,
                                   const std::exception_ptr& unwritten) {
  if (one.unsettled()) one.settled(item_state::dropped);
  outside_.lost(given_up(one.id(), describe(cause), attempts), describe(unwritten));
}

inline std::string resilient_worker::invariant() const {
  if (!account_->violation.empty()) return account_->violation;
  if (!in_process() || account_->runs > 0 || account_->processing == 0) return {};
  return exceeded("RWK-1: an item is still processed when no run is left", 0, account_->processing);
}

}  // namespace assay::contract
