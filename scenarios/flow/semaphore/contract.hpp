// The contract of a semaphore: a number of permits, taken and given back. The core is what every library
// calls so; a bound, weights, a limiter that knows its borrowers, a bulkhead and the objects that stand for
// permits are features. The pattern is longer than most: it is a semaphore, a limiter and a bulkhead.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct semaphore_config {
  /// Permits. A negative number is rejected; 0 belongs to `zero_limit`, and is rejected without.
  std::int64_t limit = 1;
  /// `bulkhead`: how many may wait; a negative number: any number.
  std::int64_t waiting_max = -1;
};
BOOST_DESCRIBE_STRUCT(semaphore_config, (), (limit, waiting_max))

/// `permit_objects`: permits that come back when this is destroyed.
class semaphore_permit {
 public:
  virtual ~semaphore_permit() = default;
  virtual std::size_t count() const = 0;
  /// Some of them as an object of their own. Throws rejected_error if there are not so many.
  virtual std::unique_ptr<semaphore_permit> split(std::size_t count) = 0;
  /// Takes in the other's, which has none then; throws rejected_error if they are another semaphore's.
  virtual void merge(semaphore_permit& other) = 0;
  /// They do not come back with this object, but stay in use until they are released by hand.
  virtual void forget() = 0;
};

class semaphore : public with_invariant<semaphore_config> {
 public:
  static constexpr std::string_view name = "semaphore";
  static constexpr feature_info features[] = {
      {"bounded",
       "There are never more permits than the limit: to release one that is not in use is rejected."},
      {"weighted",
       "`acquire`, `try_acquire`, `acquire_for` and `release` take any number of permits at once."},
      {"reject_oversize", "A request for more permits than the limit is rejected at once."},
      {"fair", "Whoever waits first is served first, however much he wants, and no newcomer overtakes him."},
      {"try", "`try_acquire` takes what is free, and never waits."},
      {"timed",
       "`acquire_for` waits no longer than it is told, and then ends as timed out without an effect."},
      {"guarded", "`run` does work with a permit, which comes back whichever way the work ends."},
      {"resizable", "`set_limit` changes the limit."},
      {"zero_limit", "A limit of 0 is accepted: it admits nobody."},
      {"bulkhead",
       "No more may wait than the configuration says: whoever finds it full is rejected at once."},
      {"borrowers", "`acquire_as` and `release_as` are told for whom: each borrower has one permit at most."},
      {"cancel_all", "`cancel_all` rejects everybody who waits."},
      {"priority", "`acquire_urgently` is served before whoever is less urgent, and after its equals."},
      {"closable", "`close` ends all acquiring for ever."},
      {"permit_objects", "Permits come as objects, which can be split, merged and forgotten."},
      {"value", "`available` tells how many permits are free."},
      {"statistics", "`waiting` tells how many are parked."},
      {"strict_entry",
       "A call that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
      {"posted_wakeups", "No waiter continues inside the call that woke it (X-12)."},
      {"checked_destruction", "Destroying a semaphore with parked waiters ends the process (X-20)."},
  };
  using contract_type = semaphore;
  using config = semaphore_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  virtual ~semaphore() = default;

  // A count is 1 where `weighted` is not claimed, and never 0.

  /// Ends with a value when so many permits are the caller's. Outcomes: value, cancelled; rejected
  /// (`reject_oversize`, `bulkhead`, `cancel_all`), closed (`closable`).
  awaitable<void> acquire(std::size_t count = 1) { return counting(do_acquire(count), count); }
  /// `timed`: as acquire, or timed_out.
  awaitable<void> acquire_for(std::size_t count, nanoseconds patience) {
    return counting(do_acquire_for(count, patience), count);
  }
  /// `priority`: as acquire; the larger the number, the more urgent. That of acquire is 0.
  awaitable<void> acquire_urgently(std::int64_t priority) {
    return counting(do_acquire_urgently(priority), 1);
  }
  /// `try`: false if there are not so many, or if somebody is parked who comes first (`fair`), or if it is
  /// closed.
  bool try_acquire(std::size_t count = 1);
  /// Gives permits back. `bounded`: throws rejected_error if not so many are in use.
  void release(std::size_t count = 1);
  /// `guarded`: does `work` with a permit. Outcomes: those of work, or of acquire and then work was never
  /// begun.
  awaitable<void> run(std::function<awaitable<void>()> work);
  /// `resizable`. A limit that there cannot be is rejected: throws rejected_error.
  void set_limit(std::int64_t limit);
  /// `borrowers`: as acquire; rejected if this borrower has a permit already.
  awaitable<void> acquire_as(std::int64_t borrower) { return counting(do_acquire_as(borrower), 1); }
  /// `borrowers`: throws rejected_error if this borrower has none.
  void release_as(std::int64_t borrower);
  /// `cancel_all`: whoever is parked is rejected.
  virtual void cancel_all() { throw unclaimed_feature("cancel_all"); }
  /// `closable`.
  virtual void close() { throw unclaimed_feature("closable"); }
  /// `permit_objects`: as acquire. The semaphore outlives its permits.
  awaitable<std::unique_ptr<semaphore_permit>> acquire_permit(std::size_t count);
  /// `value`.
  virtual std::size_t available() const { throw unclaimed_feature("value"); }
  /// `statistics`.
  virtual std::size_t waiting() const { throw unclaimed_feature("statistics"); }

  /// SEM-1: no more permits are in use than there are; and each is available or in use.
  std::string invariant() const;
  void know(const made_as<config>& how);

 protected:
  virtual awaitable<void> do_acquire(std::size_t count) = 0;
  virtual void do_release(std::size_t count) = 0;
  virtual awaitable<void> do_acquire_for(std::size_t, nanoseconds) { throw unclaimed_feature("timed"); }
  virtual awaitable<void> do_acquire_urgently(std::int64_t) { throw unclaimed_feature("priority"); }
  virtual bool do_try_acquire(std::size_t) { throw unclaimed_feature("try"); }
  virtual awaitable<void> do_run(std::function<awaitable<void>()>) { throw unclaimed_feature("guarded"); }
  virtual void do_set_limit(std::int64_t) { throw unclaimed_feature("resizable"); }
  virtual awaitable<void> do_acquire_as(std::int64_t) { throw unclaimed_feature("borrowers"); }
  virtual void do_release_as(std::int64_t) { throw unclaimed_feature("borrowers"); }
  virtual awaitable<std::unique_ptr<semaphore_permit>> do_acquire_permit(std::size_t) {
    throw unclaimed_feature("permit_objects");
  }

 private:
  struct account {
    std::size_t acquires = 0;  // under way
    std::size_t held = 0;
    std::size_t limit = 0;     // and permits that an unbounded one was given beyond it
    std::size_t ceiling = 0;   // the most that may be held: a lowered limit is reached only by and by
    bool has_objects = false;  // which are not counted
  };
  awaitable<void> counting(awaitable<void> acquiring, std::size_t count);
  template <class Release>
  void give_back(std::size_t count, Release&& release);
  static awaitable<void> with_permit(std::shared_ptr<account> known, std::function<awaitable<void>()> work);

  const std::shared_ptr<account> account_ = make_account<account>();
  bool has_value_ = false;
};

inline boost::asio::awaitable<void> semaphore::counting(awaitable<void> acquiring, std::size_t count) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::acquires);
  co_await std::move(acquiring);
  known->held += count;
}

inline bool semaphore::try_acquire(std::size_t count) {
  const bool taken = do_try_acquire(count);
  if (taken) account_->held += count;
  return taken;
}

template <class Release>
void semaphore::give_back(std::size_t count, Release&& release) {
  const std::shared_ptr<account> known = account_;
  const std::size_t known_ones = std::min(count, known->held);
  known->held -= known_ones;
  try {
    release();
  } catch (...) {
    known->held += known_ones;
    throw;
  }
  known->limit += count - known_ones;
  known->ceiling += count - known_ones;
}

inline void semaphore::release(std::size_t count) {
  give_back(count, [&] { do_release(count); });
}
inline void semaphore::release_as(std::int64_t borrower) {
  give_back(1, [&] { do_release_as(borrower); });
}

inline boost::asio::awaitable<void> semaphore::with_permit(std::shared_ptr<account> known,
                                                           std::function<awaitable<void>()> work) {
  const counted held(known, &account::held);
  co_await work();
}
inline boost::asio::awaitable<void> semaphore::run(std::function<awaitable<void>()> work) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::acquires);
  // In a testee, work that is asked to stop may have lost its permit already when it ends here.
  if (in_process()) {
    work = [known, inner = std::move(work)] { return with_permit(known, inner); };
  }
  co_await do_run(std::move(work));
}

inline boost::asio::awaitable<std::unique_ptr<semaphore_permit>> semaphore::acquire_permit(
    std::size_t count) {
  account_->has_objects = true;
  return do_acquire_permit(count);
}

inline void semaphore::set_limit(std::int64_t limit) {
  do_set_limit(limit);
  account_->limit = static_cast<std::size_t>(limit);
  account_->ceiling = std::max(account_->ceiling, account_->limit);
}

inline void semaphore::know(const made_as<config>& how) {
  with_invariant::know(how);
  account_->limit = account_->ceiling = static_cast<std::size_t>(std::max<std::int64_t>(how.wanted.limit, 0));
  has_value_ = claims("value");
}

inline std::string semaphore::invariant() const {
  account& known = *account_;
  if (known.held > known.ceiling)
    return exceeded("SEM-1: more permits are in use than there are", known.ceiling, known.held);
  // What was granted and has not been seen yet belongs to a call that is under way.
  if (known.acquires == 0) known.ceiling = std::max(known.limit, known.held);
  if (!has_value_ || known.has_objects) return {};
  const look now(*this);
  if (!now) return {};
  const std::size_t free = available();
  const std::size_t room = known.limit > known.held ? known.limit - known.held : 0;
  if (free > room) return exceeded("SEM-1: more permits are available than are not in use", room, free);
  if (free < room && known.acquires == 0)
    return "SEM-1: a permit is neither available nor in use: expected " + std::to_string(room) +
           " to be available; observed: " + std::to_string(free);
  return {};
}

}  // namespace assay::contract
