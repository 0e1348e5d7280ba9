// The contract of a condition variable, which has a mutex of its own. The core is what every library has: whole visits, in
// which one caller locks, waits or notifies, and unlocks, since some libraries ask who has locked. To lock, wait, notify and
// unlock as calls of their own is a feature (`manual`); what they are made of is then in by_hand.hpp.
//
// The predicate is about a number that the mutex guards, so that it means the same in every language.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct condition_config {
  /// `bounded_reacquire`: how long a wait tries to get the mutex back; others ignore it.
  std::chrono::nanoseconds reacquire_within = std::chrono::nanoseconds::max();
};
BOOST_DESCRIBE_STRUCT(condition_config, (), (reacquire_within))

class condition : public with_invariant<condition_config> {
 public:
  static constexpr std::string_view name = "condition";
  static constexpr feature_info features[] = {
      {"fair", "Who has waited longest is notified first."},
      {"exact_wakeups",
       "A notification wakes as many as it says, and no wait ends because of another's notification."},
      {"timed", "`wait_for` waits no longer for a notification than it is told, and then ends as timed out."},
      {"predicate_value", "`wait_until` ends with what its predicate said: the number."},
      {"manual", "`lock`, `unlock`, `wait_held` and `notify_now` are calls of their own."},
      {"plain_notify", "`notify_now` may be called by whoever does not hold the mutex."},
      {"notify_needs_lock", "`notify_now` is rejected while nobody holds the mutex."},
      {"checked_lock", "`wait_without`, by a caller who does not hold the mutex, is rejected."},
      {"bounded_reacquire",
       "A wait tries to get the mutex back for as long as the configuration says, and then ends as broken."},
      {"status", "`is_locked` tells whether somebody holds the mutex."},
      {"statistics", "`waiting` tells how many wait to be notified."},
      {"strict_entry",
       "A wait that is entered in a cancelled scope reports cancelled, and keeps the mutex all the time "
       "(X-6)."},
      {"posted_wakeups", "No waiter continues inside the call that notified it (X-12)."},
      {"checked_destruction", "Destroying a condition with parked waiters ends the process (X-20)."},
  };
  using contract_type = condition;
  using config = condition_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  using work = std::function<awaitable<void>()>;
  virtual ~condition() = default;

  /// Locks, does `inside`, unlocks. Outcomes: those of `inside`; or cancelled, and then it was never begun.
  awaitable<void> hold(work inside) { return do_hold(watched(std::move(inside))); }
  /// Locks, waits for a notification, does `after` (if any) while it holds the mutex again, whichever way the wait has
  /// ended, and where no request reaches it, and unlocks. Outcomes: value, cancelled, broken (`bounded_reacquire`).
  awaitable<void> wait(work after = {}) { return do_wait(watched(std::move(after))); }
  /// `timed`: the same, or timed_out; patience is for the notification.
  awaitable<void> wait_for(nanoseconds patience, work after = {}) {
    return do_wait_for(patience, watched(std::move(after)));
  }
  /// As wait, until the number is at least this, which is more than 0. `predicate_value`: ends with the number.
  awaitable<std::int64_t> wait_until(std::int64_t at_least, work after = {}) {
    return do_wait_until(at_least, watched(std::move(after)));
  }
  /// Locks, notifies so many, does `inside` (if any), and unlocks. Outcomes: as hold.
  awaitable<void> notify(std::size_t count, work inside = {}) {
    return do_notify(count, watched(std::move(inside)));
  }
  /// Locks, notifies everybody who waits, unlocks.
  virtual awaitable<void> notify_all() = 0;
  /// Locks, changes the number, notifies so many, unlocks.
  virtual awaitable<void> change(std::int64_t number, std::size_t count) = 0;
  /// The number. It is 0 in the beginning.
  virtual std::int64_t number() const = 0;

  /// `manual`.
  awaitable<void> lock();
  /// `manual`: by who holds the mutex.
  void unlock();
  /// `manual`: by who holds the mutex, and does so again when this ends as value, cancelled or timed_out, but not
  /// otherwise.
  awaitable<void> wait_held() { return waiting_held(do_wait_held()); }
  /// `manual`, `timed`.
  awaitable<void> wait_held_for(nanoseconds patience) { return waiting_held(do_wait_held_for(patience)); }
  /// `manual` while somebody holds the mutex, `plain_notify` always. Throws rejected_error, if anything
  /// (`notify_needs_lock`).
  virtual void notify_now(std::size_t) { throw unclaimed_feature("manual"); }
  /// The same for everybody who waits.
  virtual void notify_all_now() { throw unclaimed_feature("manual"); }
  /// `checked_lock`: waits, although the caller does not hold the mutex. Outcomes: rejected.
  virtual awaitable<void> wait_without() { throw unclaimed_feature("checked_lock"); }
  /// `status`.
  virtual bool is_locked() const { throw unclaimed_feature("status"); }
  /// `statistics`: who has been notified, and waits for the mutex, is none of them.
  virtual std::size_t waiting() const { throw unclaimed_feature("statistics"); }

  /// CND-2: at most one holds the mutex. CND-5: nobody looks whether the predicate holds while another does.
  std::string invariant() const;

 protected:
  virtual awaitable<void> do_hold(work inside) = 0;
  virtual awaitable<void> do_wait(work after) = 0;
  virtual awaitable<void> do_wait_for(nanoseconds, work) { throw unclaimed_feature("timed"); }
  virtual awaitable<std::int64_t> do_wait_until(std::int64_t at_least, work after) = 0;
  virtual awaitable<void> do_notify(std::size_t count, work inside) = 0;
  virtual awaitable<void> do_lock() { throw unclaimed_feature("manual"); }
  virtual void do_unlock() { throw unclaimed_feature("manual"); }
  virtual awaitable<void> do_wait_held() { throw unclaimed_feature("manual"); }
  virtual awaitable<void> do_wait_held_for(nanoseconds) { throw unclaimed_feature("timed"); }

  // Whether all of its calls are made of lock, unlock and waiting_held, which keep the account.
  virtual bool counts_who_locks() const noexcept { return false; }
  // For a call of a subject's own that waits as wait_held does.
  awaitable<void> waiting_held(awaitable<void> waiting);
  // Whether who has waited holds the mutex again.
  static bool is_held_after(const std::exception_ptr& failure);
  // Somebody looks whether the predicate holds: who waits counts for no holder then.
  void note_look() const noexcept {
    if (account_->holders > 0) account_->looked_beside_another = true;
  }

 private:
  struct account {
    std::size_t holders = 0;  // of whom this knows
    bool several = false;     // at the same time, at some time
    bool looked_beside_another = false;
  };
  static void enter(account& known) {
    if (++known.holders > 1) known.several = true;
  }
  static void leave(account& known) {
    if (known.holders > 0) --known.holders;
  }
  static awaitable<void> alone(std::shared_ptr<account> known, work inside);
  work watched(work inside) const;

  const std::shared_ptr<account> account_ = make_account<account>();
};

inline boost::asio::awaitable<void> condition::alone(std::shared_ptr<account> known, work inside) {
  const counted held(known, &account::holders);
  if (known->holders > 1) known->several = true;
  co_await inside();
}
inline condition::work condition::watched(work inside) const {
  // In a testee, work that is asked to stop may have lost the mutex already when it ends here.
  if (!inside || !in_process() || counts_who_locks()) return inside;
  return [known = account_, inner = std::move(inside)] { return alone(known, inner); };
}
inline boost::asio::awaitable<void> condition::lock() {
  const std::shared_ptr<account> known = account_;
  co_await do_lock();
  enter(*known);
}
inline void condition::unlock() {
  leave(*account_);
  do_unlock();
}
inline bool condition::is_held_after(const std::exception_ptr& failure) {
  if (!failure) return true;
  try {
    std::rethrow_exception(failure);
  } catch (const timed_out_error&) {
    return true;
  } catch (const boost::system::system_error& error) {
    return error.code() == boost::asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}
inline boost::asio::awaitable<void> condition::waiting_held(awaitable<void> waiting) {
  const std::shared_ptr<account> known = account_;
  leave(*known);
  std::exception_ptr failure;
  try {
    co_await std::move(waiting);
  } catch (...) {
    failure = std::current_exception();
  }
  if (is_held_after(failure)) enter(*known);
  if (failure) std::rethrow_exception(failure);
}

inline std::string condition::invariant() const {
  if (account_->several) return "CND-2: more than one holds the mutex";
  return account_->looked_beside_another ? "CND-5: the predicate is looked at while another holds the mutex"
                                         : "";
}

}  // namespace assay::contract
