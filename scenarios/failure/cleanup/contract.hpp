// The contract of a cleanup scope: resources that its body acquires are flushed and closed whichever way it ends.
//
// A member that belongs to a feature is called only on subjects that claim it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct cleanup_config {
  /// `bounded_cleanup`: how long flush and close of one resource may take together.
  std::chrono::nanoseconds limit = std::chrono::seconds(10);
};
BOOST_DESCRIBE_STRUCT(cleanup_config, (), (limit))

struct cleanup_statistics {
  std::size_t open = 0;    ///< acquired, and not cleaned up yet
  std::size_t closed = 0;  ///< cleaned up in time, well or not
  std::size_t forced = 0;  ///< closed by force
};
BOOST_DESCRIBE_STRUCT(cleanup_statistics, (), (open, closed, forced))

/// What is done to a resource. Each ends with a value, an error or cancelled.
struct cleanup_resource {
  using step = std::function<boost::asio::awaitable<void>()>;
  std::string name;
  step acquire;  ///< if this ends well, the resource is there
  step flush;
  step close;                         ///< empty: it is none that can be closed (CLN-11)
  std::function<void()> force_close;  ///< lets go of it at once; what waits on the resource ends by that
};

class cleanup : public with_invariant<cleanup_config> {
 public:
  static constexpr std::string_view name = "cleanup";
  static constexpr feature_info features[] = {
      {"shielded_cleanup",
       "A request interrupts neither a flush nor a close, however often it is repeated, and shows after it."},
      {"bounded_cleanup",
       "A resource whose flush and close outlast the limit is closed by force; `forced` names it."},
      {"primary_first", "The outcome holds every failure, the primary one first."},
      {"suppress", "`handle` registers somebody who may swallow the failure at his turn."},
      {"typed_registration", "What cannot be closed cannot be registered: there is no call for it."},
      {"single_use", "Once cleanup has begun nothing more is acquired, and nothing is run (CLN-10)."},
      {"statistics", "`statistics` counts what is open, closed and forced."},
      {"strict_entry",
       "A call that is entered in a cancelled scope reports cancelled, and acquires, runs or closes nothing "
       "(X-6)."},
      {"checked_destruction",
       "Destroying a scope with something open or a call under way ends the process (X-20)."},
  };
  using contract_type = cleanup;
  using config = cleanup_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  using step = cleanup_resource::step;
  /// `suppress`: told how things went so far when it is asked: a value, a failure, or cancelled.
  using observer = std::function<void(const outcome& so_far)>;

  cleanup() = default;
  cleanup(const cleanup&) = delete;
  cleanup& operator=(const cleanup&) = delete;
  virtual ~cleanup() = default;

  /// Runs the body, then cleans up what was acquired: newest first, each flushed and then closed.
  /// Outcomes: that of the body, or an aggregate with failures of cleanup, whose names are those of resources, or
  /// "body". A failure that the outcome does not hold goes to environment::report_unhandled. Closing by force may be a
  /// timed_out_error there. A second run is refused with a rejected_error or a closed_error (`single_use`).
  awaitable<void> run(step body);

  /// Acquires a resource, while the body runs: it is the scope's as soon as `what.acquire` has ended well.
  /// Outcomes: that of `what.acquire`; rejected_error if it cannot be closed, and then nothing of it begins;
  /// `single_use`: closed_error once cleanup has begun.
  awaitable<void> acquire(cleanup_resource what);

  /// Cleans up now; called by the body, or after it, by one at a time. A second time it does nothing.
  /// Outcomes: value, or the failures of cleanup, as of run.
  awaitable<void> close();

  /// `suppress`: registers somebody who is asked at his turn among the resources. If he swallows, a failure is gone for
  /// those registered before him, and for the outcome; a cancellation is not. Called while the body runs.
  /// `single_use`: throws closed_error once cleanup has begun.
  virtual void handle(std::string /*name*/, bool /*swallows*/, observer /*seen*/) {
    throw unclaimed_feature("suppress");
  }

  /// `bounded_cleanup`: the names of what was closed by force, in that order.
  virtual std::vector<std::string> forced() const { throw unclaimed_feature("bounded_cleanup"); }
  /// `statistics`: right after every turn.
  virtual cleanup_statistics statistics() const { throw unclaimed_feature("statistics"); }

  /// CLN-3: nothing is under way that nobody waits for. X-28: no more are counted than were acquired.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    has_statistics_ = claims("statistics");
  }

 protected:
  // What a subject implements.
  virtual awaitable<void> do_run(step body) = 0;
  virtual awaitable<void> do_acquire(cleanup_resource what) = 0;
  virtual awaitable<void> do_close() = 0;

 private:
  struct account {
    std::size_t calls = 0;     // under way
    std::size_t steps = 0;     // likewise
    std::size_t acquired = 0;  // so far
  };
  static awaitable<void> walk(std::shared_ptr<account> known, std::shared_ptr<const step> work,
                              bool acquires);
  step accounted(step work, bool acquires = false) const;

  const std::shared_ptr<account> account_ = make_account<account>();
  bool has_statistics_ = false;
};

inline boost::asio::awaitable<void> cleanup::walk(std::shared_ptr<account> known,
                                                  std::shared_ptr<const step> work, bool acquires) {
  const counted here(known, &account::steps);
  co_await (*work)();
  if (acquires) ++known->acquired;
}

inline cleanup::step cleanup::accounted(step work, bool acquires) const {
  if (!work) return work;
  const detail::harness_section section;
  auto kept = std::make_shared<const step>(std::move(work));
  return [known = account_, kept = std::move(kept), acquires] { return walk(known, kept, acquires); };
}

inline boost::asio::awaitable<void> cleanup::run(step body) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::calls);
  step work = accounted(std::move(body));
  co_await do_run(std::move(work));
}

inline boost::asio::awaitable<void> cleanup::acquire(cleanup_resource what) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::calls);
  what.acquire = accounted(std::move(what.acquire), true);
  what.flush = accounted(std::move(what.flush));
  what.close = accounted(std::move(what.close));
  co_await do_acquire(std::move(what));
}

inline boost::asio::awaitable<void> cleanup::close() {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::calls);
  co_await do_close();
}

inline std::string cleanup::invariant() const {
  const account& known = *account_;
  if (in_process() && known.calls == 0 && known.steps > 0)
    return exceeded("CLN-3: cleanup is under way, and nobody waits for it", 0, known.steps);
  if (!has_statistics_) return {};
  const look now(*this);
  if (!now) return {};
  const cleanup_statistics counts = statistics();
  const std::size_t sum = counts.open + counts.closed + counts.forced;
  if (sum <= known.acquired) return {};
  return exceeded("X-28: more resources are counted than were acquired", known.acquired, sum);
}

}  // namespace assay::contract
