// The contract of an assembled service: sources submit items, workers process them and deliver them to a sink, and a
// stop takes it all down in order. The four headline guarantees together: item preservation, shutdown order,
// backpressure, exception aggregation (INT-1 to INT-9).
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
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

struct service_config {
  std::int64_t queue_capacity = 2;       ///< items that wait for a worker at most
  std::int64_t workers = 2;              ///< items that are processed at once at most
  std::int64_t drain_ns = 100'000'000;   ///< for accepted items to be processed
  std::int64_t force_ns = 50'000'000;    ///< for workers that were asked to stop, to end
  std::int64_t cleanup_ns = 50'000'000;  ///< for all resources to close
};
BOOST_DESCRIBE_STRUCT(service_config, (), (queue_capacity, workers, drain_ns, force_ns, cleanup_ns))

/// What the service says of its life when it has stopped.
struct service_report {
  std::vector<std::string> cancelled;  ///< workers that were asked to stop, and did
  std::vector<std::string> survivors;  ///< workers that ignored being asked
  std::vector<outcome::member> failures;
};
BOOST_DESCRIBE_STRUCT(service_report, (), (cancelled, survivors, failures))

class service : public with_invariant<service_config> {
 public:
  static constexpr std::string_view name = "service";
  static constexpr feature_info features[] = {
      {"dead_letter", "An item whose processing failed is given up, with its cause."},
      {"all_workers", "As many items are processed at once as there are workers, if so many are there."},
  };
  using contract_type = service;
  using config = service_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;

  /// What surrounds the service. `event` is told "not ready", "stop accepting", "drain end", "force cancel",
  /// "background stopped" and "stopped", each at most once, when it happens.
  struct callbacks {
    std::function<awaitable<void>(int id)> process;  ///< throws if it fails; honours cancellation
    std::function<awaitable<void>(int id)> deliver;  ///< the sink takes the item
    std::function<awaitable<void>()> open_sink;
    std::function<awaitable<void>()> close_sink;  ///< the last thing to be closed but the store
    std::function<awaitable<void>()> open_store;
    std::function<awaitable<void>()> close_store;
    std::function<void(std::string_view what)> event;
  };

  service() = default;
  service(const service&) = delete;
  service& operator=(const service&) = delete;
  virtual ~service() = default;

  /// Before anything else, once. Throws rejected_error for budgets that make no sense, as negative ones.
  void connect(callbacks outside) {
    outside_ = std::move(outside);
    listen();
    connected();
    account_->connected = true;
  }
  /// Accepts an item, or waits while there is no room. Before the service is ready it waits or says closed; once the
  /// service accepts no more it says closed. Outcomes: value, closed, cancelled.
  awaitable<void> submit(item one);
  /// The whole life: starts, serves, stops. Ends with a value also after a forced stop.
  virtual awaitable<service_report> run() = 0;
  /// At any time, also when run has not begun, or was cancelled before it began: then nothing is started any more,
  /// and whoever waits in submit ends as closed.
  virtual void request_stop() = 0;
  /// When run has ended: what was accepted and not processed: first what workers had in hand, then what waited, the
  /// oldest first.
  std::vector<item> take_back();
  virtual bool ready() const = 0;
  virtual bool live() const = 0;
  /// Items that wait for a worker.
  virtual std::size_t buffered() const = 0;

  /// INT-4: no more items wait than there is room for, but for those that a worker gave back, and no more are processed
  /// than there are workers. INT-9: what has said that it is not ready is not.
  std::string invariant() const;

 protected:
  virtual void connected() {}
  virtual awaitable<void> do_submit(item one) = 0;
  virtual std::vector<item> do_take_back() = 0;

  const callbacks& outside() const noexcept { return outside_; }
  /// Processes one item and delivers it; the ledger hears of both.
  awaitable<void> work_on(const item& one);
  /// The item is given up, with a cause.
  static void give_up(const item& one) {
    if (one.unsettled()) one.settled(item_state::dead_lettered);
  }

 private:
  struct account {
    std::size_t processing = 0;  // items
    std::size_t given_back = 0;  // by workers that did not finish them, and perhaps waiting again
    bool connected = false;      // and may be asked
    bool not_ready = false;      // it has said so
    bool stopped = false;        // it has said so
  };
  // A worker that ends without having delivered its item may have given it back.
  class working {
   public:
    explicit working(std::shared_ptr<account> owner) : owner_(std::move(owner)) { ++owner_->processing; }
    working(const working&) = delete;
    working& operator=(const working&) = delete;
    ~working() {
      --owner_->processing;
      if (!delivered_) ++owner_->given_back;
    }
    void delivered() noexcept { delivered_ = true; }

   private:
    std::shared_ptr<account> owner_;
    bool delivered_ = false;
  };
  void listen();

  callbacks outside_;
  const std::shared_ptr<account> account_ = make_account<account>();
};

inline void service::listen() {
  const detail::harness_section section;
  outside_.event = [known = account_, tell = std::move(outside_.event)](std::string_view what) {
    if (what == "not ready") known->not_ready = true;
    if (what == "stopped") known->stopped = true;
    if (tell) tell(what);
  };
}

inline std::string service::invariant() const {
  account& known = *account_;
  if (!known.connected) return {};
  const look now(*this);
  if (!now) return {};
  const std::size_t waiting = buffered();
  const auto room = static_cast<std::size_t>(std::max<std::int64_t>(wanted().queue_capacity, 0));
  const auto workers = static_cast<std::size_t>(std::max<std::int64_t>(wanted().workers, 0));
  // What a worker was stopped at may be put back while it still ends, or before it has begun.
  const std::size_t most = room + known.given_back + (known.not_ready ? workers : 0);
  if (waiting > most)
    return exceeded("INT-4: more items are buffered than the capacity allows", most, waiting);
  known.given_back = std::min(known.given_back, waiting > room ? waiting - room : 0);
  if (in_process() && known.processing > workers)
    return exceeded("INT-4: more items are processed than there are workers", workers, known.processing);
  if (known.not_ready && ready())
    return "INT-9: a service that has said that it is not ready is not: expected false; observed: true";
  if (known.not_ready && !known.stopped && !live())
    return "INT-9: a service that stops is alive: expected true; observed: false";
  return {};
}

inline boost::asio::awaitable<void> service::submit(item one) {
  handing_in account(one, this);
  co_await do_submit(std::move(one));
  account.taken();
}

inline std::vector<item> service::take_back() {
  std::vector<item> rest = do_take_back();
  for (const item& one : rest) {
    if (one.unsettled()) one.given_back();
  }
  return rest;
}

inline boost::asio::awaitable<void> service::work_on(const item& one) {
  item_ledger* const ledger = one.ledger();
  const int id = one.id();
  working here(account_);
  // A copy: a subject in a testee may be destroyed while its item is processed here.
  const auto deliver = outside_.deliver;
  co_await outside_.process(id);
  co_await deliver(id);
  here.delivered();
  if (ledger != nullptr && ledger->state(id) == item_state::given) ledger->settle(id, item_state::delivered);
}

}  // namespace assay::contract
