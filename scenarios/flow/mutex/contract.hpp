// The contract of a mutex. The core is what every library has: work that is done while one holds it. To lock
// and to unlock as calls of their own is a feature, and so is what libraries do about mistakes: some let
// nobody but the holder unlock, some refuse the second release, and some accept it in silence. These features,
// and the guards, owners and watchers, each with mutants of its own, make the pattern longer than most.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct mutex_config {};
BOOST_DESCRIBE_STRUCT(mutex_config, (), ())

/// `guard_objects`: holds a mutex until it is destroyed.
class mutex_guard {
 public:
  virtual ~mutex_guard() = default;
  /// Unlocks now; harmless if it holds nothing.
  virtual void unlock() = 0;
  /// What it holds, as a guard of its own: this one holds nothing then.
  virtual std::unique_ptr<mutex_guard> move() = 0;
};

class mutex : public with_invariant<mutex_config> {
 public:
  static constexpr std::string_view name = "mutex";
  static constexpr feature_info features[] = {
      {"fair", "Whoever waits first is served first, and no newcomer overtakes him."},
      {"timed", "`run_for` waits no longer than it is told, and then ends as timed out without an effect."},
      {"manual", "`lock` and `unlock` are calls of their own."},
      {"try", "`try_lock` locks a mutex that is free, and never waits (beside `manual`)."},
      {"checked_unlock", "`unlock` of a mutex that nobody holds is rejected."},
      {"idempotent_unlock", "`unlock` of a mutex that nobody holds changes nothing."},
      {"owner_checked",
       "`lock_as` and `unlock_as` are told who calls: nobody unlocks for another, or locks twice."},
      {"owner_death", "`end_owner` says that an owner is gone: what he held is broken."},
      {"guard_objects", "A hold comes as an object, which unlocks once."},
      {"cancel_all", "`cancel_all` rejects everybody who waits."},
      {"wait_unlocked", "`wait_unlocked` waits until the mutex is free, and does not lock it."},
      {"priority", "`lock_urgently` is served before whoever is less urgent, and after its equals."},
      {"status", "`is_locked` tells whether somebody holds it; with `owner_checked`, `holder` tells who."},
      {"statistics", "`waiting` tells how many are parked."},
      {"strict_entry",
       "A call that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
      {"posted_wakeups", "No waiter continues inside the call that woke it (X-12)."},
      {"checked_destruction", "Destroying a mutex with parked waiters ends the process (X-20)."},
  };
  using contract_type = mutex;
  using config = mutex_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  using work = std::function<awaitable<void>()>;
  virtual ~mutex() = default;

  /// Does `inside` while it holds the mutex, and unlocks whichever way that ends. Outcomes: those of
  /// `inside`; or cancelled, rejected (`cancel_all`), broken (`owner_death`), and then it was never begun.
  awaitable<void> run(work inside) { return do_run(watched(std::move(inside))); }
  /// `timed`: as run, or timed_out before `inside` began.
  awaitable<void> run_for(nanoseconds patience, work inside) {
    return do_run_for(patience, watched(std::move(inside)));
  }
  /// `manual`: outcomes as run.
  awaitable<void> lock() { return locking(do_lock()); }
  /// `manual`: ends a hold of lock or try_lock. Throws rejected_error, if anything (`checked_unlock`).
  void unlock();
  /// `manual`, `try`: false if it is not free.
  bool try_lock();
  /// `priority`: as lock; the larger the number, the more urgent. That of lock is 0.
  awaitable<void> lock_urgently(std::int64_t priority) { return locking(do_lock_urgently(priority)); }
  /// `owner_checked`: as lock; rejected if this owner holds it.
  awaitable<void> lock_as(std::int64_t owner) { return locking(do_lock_as(owner), owner); }
  /// `owner_checked`: throws rejected_error if this owner does not hold it.
  void unlock_as(std::int64_t owner);
  /// `owner_death`: the owner is gone. If he held it, whoever waits or comes later ends as broken.
  void end_owner(std::int64_t owner);
  /// `guard_objects`: as lock. The mutex outlives its guards.
  awaitable<std::unique_ptr<mutex_guard>> lock_guarded() { return do_lock_guarded(); }
  /// `wait_unlocked`: ends when nobody holds the mutex. Outcomes: value, cancelled, broken.
  virtual awaitable<void> wait_unlocked() { throw unclaimed_feature("wait_unlocked"); }
  /// `cancel_all`: whoever is parked for the lock is rejected.
  virtual void cancel_all() { throw unclaimed_feature("cancel_all"); }
  /// `status`.
  virtual bool is_locked() const { throw unclaimed_feature("status"); }
  /// `status`, `owner_checked`: the owner who holds it; none if nobody does by name.
  virtual std::optional<std::int64_t> holder() const { throw unclaimed_feature("status"); }
  /// `statistics`.
  virtual std::size_t waiting() const { throw unclaimed_feature("statistics"); }

  /// MTX-1: at most one holds it. MTX-12: somebody does as long as the status says so.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    has_status_ = claims("status");
  }

 protected:
  virtual awaitable<void> do_run(work inside) = 0;
  virtual awaitable<void> do_run_for(nanoseconds, work) { throw unclaimed_feature("timed"); }
  virtual awaitable<void> do_lock() { throw unclaimed_feature("manual"); }
  virtual void do_unlock() { throw unclaimed_feature("manual"); }
  virtual bool do_try_lock() { throw unclaimed_feature("try"); }
  virtual awaitable<void> do_lock_urgently(std::int64_t) { throw unclaimed_feature("priority"); }
  virtual awaitable<void> do_lock_as(std::int64_t) { throw unclaimed_feature("owner_checked"); }
  virtual void do_unlock_as(std::int64_t) { throw unclaimed_feature("owner_checked"); }
  virtual void do_end_owner(std::int64_t) { throw unclaimed_feature("owner_death"); }
  virtual awaitable<std::unique_ptr<mutex_guard>> do_lock_guarded() {
    throw unclaimed_feature("guard_objects");
  }

 private:
  struct account {
    std::size_t holders = 0;  // of whom this knows: not of guards
    bool several = false;     // at the same time, at some time
    std::optional<std::int64_t> owner = {};
  };
  static awaitable<void> inside_alone(std::shared_ptr<account> known, work inside);
  work watched(work inside) const;
  awaitable<void> locking(awaitable<void> locking, std::optional<std::int64_t> owner = {});
  static void enter(account& known) {
    if (++known.holders > 1) known.several = true;
  }
  template <class Unlock>
  void leave(Unlock&& unlock);

  const std::shared_ptr<account> account_ = make_account<account>();
  bool has_status_ = false;
};

inline boost::asio::awaitable<void> mutex::inside_alone(std::shared_ptr<account> known, work inside) {
  const counted held(known, &account::holders);
  if (known->holders > 1) known->several = true;
  co_await inside();
}
inline mutex::work mutex::watched(work inside) const {
  // In a testee, work that is asked to stop may have lost the mutex already when it ends here.
  if (!in_process()) return inside;
  return [known = account_, inner = std::move(inside)] { return inside_alone(known, inner); };
}
inline boost::asio::awaitable<void> mutex::locking(awaitable<void> locking,
                                                   std::optional<std::int64_t> owner) {
  const std::shared_ptr<account> known = account_;
  co_await std::move(locking);
  enter(*known);
  known->owner = owner;
}
inline bool mutex::try_lock() {
  const bool locked = do_try_lock();
  if (locked) enter(*account_);
  return locked;
}
template <class Unlock>
void mutex::leave(Unlock&& unlock) {
  const std::shared_ptr<account> known = account_;
  const std::size_t before = known->holders;
  if (before > 0) --known->holders;
  const std::optional<std::int64_t> owner = std::exchange(known->owner, std::nullopt);
  try {
    unlock();
  } catch (...) {
    known->holders = before;
    known->owner = owner;
    throw;
  }
}
inline void mutex::unlock() {
  leave([this] { do_unlock(); });
}
inline void mutex::unlock_as(std::int64_t owner) {
  leave([&] { do_unlock_as(owner); });
}
inline void mutex::end_owner(std::int64_t owner) {
  // What he held counts for nobody.
  if (account_->holders > 0 && account_->owner == owner) --account_->holders;
  do_end_owner(owner);
}

inline std::string mutex::invariant() const {
  const account& known = *account_;
  if (known.several) return "MTX-1: more than one holds the mutex";
  if (!has_status_ || known.holders == 0) return {};
  const look now(*this);
  return !now || is_locked() ? "" : "MTX-12: somebody holds the mutex, and it says that it is not locked";
}

}  // namespace assay::contract
