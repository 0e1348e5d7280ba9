// The contract of an event: a flag that coroutines wait for. The manual-reset form is the core; a latch and an
// auto-reset event are features, and so is what respected libraries leave out (Trio's and anyio's have no `clear`).
// The pattern is longer than a primitive's budget, since it is three primitives, each with mutants of its own.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

/// A latch, once set, stays set (`latch`); a `set` of an auto-reset event is used up by one wait (`auto_reset`).
BOOST_DEFINE_ENUM_CLASS(event_form, manual_reset, auto_reset, latch)

struct event_config {
  event_form form = event_form::manual_reset;
};
BOOST_DESCRIBE_STRUCT(event_config, (), (form))

class event : public with_invariant<event_config> {
 public:
  static constexpr std::string_view name = "event";
  static constexpr feature_info features[] = {
      {"clear", "`clear` ends being set: who waits from then on waits for the next `set`."},
      {"timed", "`wait_for` waits no longer than it is told, and then ends as timed out without an effect."},
      {"latch", "An event can be made as a latch: once set, nothing clears it."},
      {"auto_reset",
       "An event can be made auto-reset: a `set` frees one wait; `broadcast` frees all that are parked."},
      {"fair", "An auto-reset event frees whoever has waited longest."},
      {"thread_set", "`set_from_outside` sets it from another thread, or when a signal came."},
      {"statistics", "`waiting` tells how many are parked."},
      {"strict_entry",
       "A wait that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
      {"posted_wakeups", "No waiter continues inside the call that woke it (X-12)."},
      {"checked_destruction", "Destroying an event with parked waiters ends the process (X-20)."},
  };
  using contract_type = event;
  using config = event_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  virtual ~event() = default;

  /// Ends with a value when the event is set. Outcomes: value, cancelled.
  awaitable<void> wait() { return counting(do_wait()); }
  /// `timed`: as wait, or timed_out.
  awaitable<void> wait_for(nanoseconds patience) { return counting(do_wait_for(patience)); }
  void set();
  /// Not asked of an auto-reset event.
  virtual bool is_set() const = 0;
  /// `clear`. A latch that has the call throws rejected_error.
  void clear();
  /// `auto_reset`: frees those that are parked now.
  void broadcast();
  /// `thread_set`: what another thread calls, or who was told of a signal. It takes effect later.
  void set_from_outside();
  /// `statistics`.
  virtual std::size_t waiting() const { throw unclaimed_feature("statistics"); }

  /// EVT-4, EVT-8: no wait ends with a value without a `set`.
  std::string invariant() const;

 protected:
  virtual awaitable<void> do_wait() = 0;
  virtual awaitable<void> do_wait_for(nanoseconds) { throw unclaimed_feature("timed"); }
  virtual void do_set() = 0;
  virtual void do_clear() { throw unclaimed_feature("clear"); }
  virtual void do_broadcast() { throw unclaimed_feature("auto_reset"); }
  virtual void do_set_from_outside() { throw unclaimed_feature("thread_set"); }

 private:
  struct account {
    std::size_t waits = 0;    // under way
    std::size_t sets = 0;     // so far
    std::size_t freed = 0;    // waits that ended with a value
    std::size_t allowed = 0;  // of these, on an auto-reset event
    bool may_be_set = false;
    bool outside = false;      // somebody set it from outside, and it may come at any time
    bool freed_unset = false;  // although it was clear all the time
  };
  awaitable<void> counting(awaitable<void> waiting);
  bool automatic() const noexcept { return wanted().form == event_form::auto_reset; }

  const std::shared_ptr<account> account_ = make_account<account>();
};

inline boost::asio::awaitable<void> event::counting(awaitable<void> waiting) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::waits);
  const std::size_t sets = known->sets;
  const bool was_set = known->may_be_set;
  co_await std::move(waiting);
  ++known->freed;
  if (!was_set && sets == known->sets) known->freed_unset = true;
}

inline void event::set() {
  ++account_->sets;
  ++account_->allowed;
  account_->may_be_set = true;
  do_set();
}
inline void event::clear() {
  do_clear();
  account_->may_be_set = account_->outside;
}
inline void event::broadcast() {
  account_->allowed += account_->waits;
  do_broadcast();
}
inline void event::set_from_outside() {
  ++account_->sets;
  ++account_->allowed;
  account_->may_be_set = account_->outside = true;
  do_set_from_outside();
}

inline std::string event::invariant() const {
  const account& known = *account_;
  if (!in_process()) return {};
  if (!automatic())
    return known.freed_unset ? "EVT-4: a wait ended with a value although nobody set the event" : "";
  if (known.freed <= known.allowed) return {};
  return exceeded("EVT-8: more waits were freed than were set free", known.allowed, known.freed);
}

}  // namespace assay::contract
