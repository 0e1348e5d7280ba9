// The contract of a timeout: work that ends by a deadline, and the first of several. The core is what every library has:
// one piece of work with a limit. Libraries differ in what becomes of work that is late: it goes on (a promise), it is
// dropped (a future of Rust's), or it is asked to stop and waited for; so these are features, as are scopes whose
// deadline can be moved, races, shields and the other forms.
#pragma once

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
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct timeout_config {};
BOOST_DESCRIBE_STRUCT(timeout_config, (), ())

/// `partial_wait`: the numbers of the operations that have ended, and of those that have not.
struct partial_result {
  std::vector<std::int64_t> done;
  std::vector<std::int64_t> pending;
};
BOOST_DESCRIBE_STRUCT(partial_result, (), (done, pending))

class timeout : public with_invariant<timeout_config> {
 public:
  static constexpr std::string_view name = "timeout";
  static constexpr feature_info features[] = {
      {"joins_work",
       "When a call ends, nothing of its work runs any more: it was dropped, or asked to stop and waited "
       "for."},
      {"cooperative",
       "Work that is asked to stop may take its time over that, and may fail; the call waits for it (with "
       "`joins_work`)."},
      {"value_wins", "A value that the work came to is returned although the deadline has passed."},
      {"zero_never_starts", "With a limit of zero or less, the work is never begun."},
      {"fallback",
       "`run_for_or` ends without a value of the work, rather than as timed out, when the limit has passed."},
      {"deadline", "`set_deadline` names an instant, and `run_by_deadline` runs work until then."},
      {"nested", "`run_nested` runs work within two limits, and tells which of them has passed."},
      {"outermost_wins", "Of two limits that pass at one instant the outer one is told (with `nested`)."},
      {"race", "`race` runs several, and ends with the first that ends."},
      {"owns_operations", "A race has stopped the others, and waited for them, when it ends."},
      {"gives_back", "A race gives back what others than the winner came to."},
      {"partial_wait",
       "`wait_some` tells which operations have ended and which have not, and leaves them alone."},
      {"scope_handle", "`open_scope` makes a scope that `run_scope` enters once."},
      {"own_cancel",
       "`stop_scope` cancels the scope by its handle; who was stopped by that alone ends as stopped: neither "
       "timed out nor cancelled."},
      {"reschedule", "`reschedule` moves the deadline of the scope (with `scope_handle`)."},
      {"counts_from_entry", "The limit of a scope counts from entry (with `scope_handle`)."},
      {"shield", "`run_shielded` keeps the caller's requests from the work, and its own limit holds."},
      {"unshield", "`lift_shield` lets requests in, also one that waits (with `shield`)."},
      {"abandon", "`run_or_abandon` leaves late work to a supervisor."},
      {"level_cancel", "Work that is asked to stop is refused at every suspension from then on (X-5)."},
      {"lifetime", "What the work owned is destroyed before the call ends (X-19)."},
      {"strict_entry",
       "A call that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
  };
  using contract_type = timeout;
  using config = timeout_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  /// Called at most once. Its value is that it ends well.
  using work = std::function<awaitable<void>()>;
  using giving_back = std::function<void(std::int64_t)>;
  virtual ~timeout() = default;

  /// Runs the work, and no longer than that; nanoseconds::max() is no limit. Outcomes: value, if the work ended well; its
  /// failure; cancelled; timed_out.
  awaitable<void> run_for(nanoseconds limit, work one) {
    return calling(do_run_for(limit, known(std::move(one))));
  }
  /// `fallback`: false instead of timed_out.
  awaitable<bool> run_for_or(nanoseconds limit, work one) {
    return calling(do_run_for_or(limit, known(std::move(one))));
  }
  /// `deadline`: so long from now on.
  virtual void set_deadline(nanoseconds) { throw unclaimed_feature("deadline"); }
  /// `deadline`: as run_for, until the instant that was set last.
  awaitable<void> run_by_deadline(work one) { return calling(do_run_by_deadline(known(std::move(one)))); }
  /// `nested`: within `inner` within `outer`. False if the inner limit has passed; timed_out if the outer one has.
  awaitable<bool> run_nested(nanoseconds outer, nanoseconds inner, work one) {
    return calling(do_run_nested(outer, inner, known(std::move(one))));
  }
  /// `race`: all at once; the number of the first that ended well. Outcomes: value; the failures, alone or in an
  /// aggregate_error; cancelled. `give_back` is told the number of each that ended well and does not come as the value.
  awaitable<std::int64_t> race(std::vector<work> all, giving_back give_back);

  /// `partial_wait`: begins an operation, whose number is that of those begun before.
  void begin_operation(work one) { do_begin_operation(held_elsewhere(std::move(one))); }
  /// `partial_wait`: waits until an operation has ended, at most so long; at once if one has. Outcomes: value, cancelled.
  virtual awaitable<partial_result> wait_some(nanoseconds) { throw unclaimed_feature("partial_wait"); }
  /// `partial_wait`: asks all of them to stop, and ends when they have ended.
  virtual awaitable<void> end_operations() { throw unclaimed_feature("partial_wait"); }

  /// `scope_handle`: a scope for one run, in place of the one before.
  virtual void open_scope(nanoseconds) { throw unclaimed_feature("scope_handle"); }
  /// `scope_handle`: outcomes as run_for, and false if it was stopped and nothing else happened. Rejected if it was
  /// entered before.
  awaitable<bool> run_scope(work one) { return calling(do_run_scope(known(std::move(one)))); }
  /// `own_cancel`: also before the scope is entered.
  virtual void stop_scope() { throw unclaimed_feature("own_cancel"); }
  /// `reschedule`: so long from now on. False if the deadline has passed already.
  virtual bool reschedule(nanoseconds) { throw unclaimed_feature("reschedule"); }

  /// `shield`: outcomes as run_for, but cancelled only when the work has ended.
  awaitable<void> run_shielded(nanoseconds limit, work one) {
    return calling(do_run_shielded(limit, known(std::move(one))));
  }
  /// `unshield`: of the run_shielded that is under way.
  virtual void lift_shield() { throw unclaimed_feature("unshield"); }

  /// `abandon`: as run_for, but at its end the work may still be at it: then it has been asked to stop.
  awaitable<void> run_or_abandon(nanoseconds limit, work one) {
    return do_run_or_abandon(limit, held_elsewhere(std::move(one)));
  }
  /// `abandon`: how many are at it still.
  virtual std::size_t abandoned() const { throw unclaimed_feature("abandon"); }
  /// `abandon`: ends when all of them have ended. To be called once, in the end.
  virtual awaitable<void> join_abandoned() { throw unclaimed_feature("abandon"); }

  /// TMO-1, TMO-9, X-19: nothing of the work is left when no call is under way.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    joins_ = claims("joins_work");
    joins_races_ = claims("owns_operations") || !claims("race");
    lets_go_ = claims("lifetime");
  }

 protected:
  virtual awaitable<void> do_run_for(nanoseconds limit, work one) = 0;
  virtual awaitable<bool> do_run_for_or(nanoseconds, work) { throw unclaimed_feature("fallback"); }
  virtual awaitable<void> do_run_by_deadline(work) { throw unclaimed_feature("deadline"); }
  virtual awaitable<bool> do_run_nested(nanoseconds, nanoseconds, work) { throw unclaimed_feature("nested"); }
  virtual awaitable<std::int64_t> do_race(std::vector<work>, giving_back) { throw unclaimed_feature("race"); }
  virtual void do_begin_operation(work) { throw unclaimed_feature("partial_wait"); }
  virtual awaitable<bool> do_run_scope(work) { throw unclaimed_feature("scope_handle"); }
  virtual awaitable<void> do_run_shielded(nanoseconds, work) { throw unclaimed_feature("shield"); }
  virtual awaitable<void> do_run_or_abandon(nanoseconds, work) { throw unclaimed_feature("abandon"); }

 private:
  struct account {
    std::size_t works = 0;  // that calls have, each with what it owns
    std::size_t alive = 0;  // at it
    std::size_t calls = 0;  // under way
    bool raced = false;
  };
  struct held_work {
    held_work(const std::shared_ptr<account>& owner, work real)
        : all(owner), run(std::move(real)), here(owner, &account::works) {}
    std::shared_ptr<account> all;
    work run;
    counted here;
  };
  template <class T>
  awaitable<T> calling(awaitable<T> call) const;
  // Counted from when it is made: it has its work then.
  template <class T>
  static awaitable<T> under_way(std::shared_ptr<const counted>, awaitable<T> call) {
    co_return co_await std::move(call);
  }
  static awaitable<void> live(std::shared_ptr<account> all, awaitable<void> work);
  static awaitable<void> run_held(std::shared_ptr<const work> held) { co_await (*held)(); }
  work known(work one) const;
  static work held_elsewhere(work one);

  const std::shared_ptr<account> account_ = make_account<account>();
  bool joins_ = false;
  bool joins_races_ = false;
  bool lets_go_ = false;
};

template <class T>
boost::asio::awaitable<T> timeout::calling(awaitable<T> call) const {
  const detail::harness_section section;
  return under_way(std::make_shared<const counted>(account_, &account::calls), std::move(call));
}

inline boost::asio::awaitable<void> timeout::live(std::shared_ptr<account> all, awaitable<void> work) {
  const counted here(all, &account::alive);
  co_await std::move(work);
}

// Counted are the work, until its last copy has gone, and whether it is at it.
inline timeout::work timeout::known(work one) const {
  const detail::harness_section section;
  auto held = std::make_shared<const held_work>(account_, std::move(one));
  return [held = std::move(held)] { return live(held->all, held->run()); };
}

inline timeout::work timeout::held_elsewhere(work one) {
  const detail::harness_section section;
  auto held = std::make_shared<const work>(std::move(one));
  return [held = std::move(held)] { return run_held(held); };
}

inline boost::asio::awaitable<std::int64_t> timeout::race(std::vector<work> all, giving_back give_back) {
  for (work& one : all) one = known(std::move(one));
  account_->raced = true;
  return calling(do_race(std::move(all), std::move(give_back)));
}

inline std::string timeout::invariant() const {
  const account& now = *account_;
  if (!in_process() || now.calls > 0) return {};
  const bool joins = now.raced ? joins_races_ : joins_;
  if (joins && now.alive > 0) return exceeded("TMO-1: work is at it when its call has ended", 0, now.alive);
  if (joins && lets_go_ && now.works > 0)
    return exceeded("X-19: something of the work is left when its call has ended", 0, now.works);
  return {};
}

}  // namespace assay::contract
