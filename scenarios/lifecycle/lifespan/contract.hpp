// The contract of a lifespan: resources that are started in order, used by a body, and stopped in reverse
// order whatever happens between.
//
// A member that belongs to a feature is called only on subjects that claim it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct lifespan_config {
  using nanoseconds = std::chrono::nanoseconds;

  /// `bounded_stop`: how long one stop may take before it is asked to stop (cancelled). A user has as long to end
  /// once it was asked.
  nanoseconds stop_limit = std::chrono::seconds(10);
  /// `bounded_stop`: how long it may take after that before the next resource is stopped nevertheless.
  nanoseconds force_limit = std::chrono::seconds(5);
};
BOOST_DESCRIBE_STRUCT(lifespan_config, (), (stop_limit, force_limit))

class lifespan : public with_invariant<lifespan_config> {
 public:
  static constexpr std::string_view name = "lifespan";
  static constexpr feature_info features[] = {
      {"users",
       "Background users of a resource are asked to stop, and have ended, before the resource is stopped."},
      {"bounded_stop",
       "A stop that outlasts its limits is asked to stop, then left behind; `stop_timeouts` names it."},
      {"single_use", "A second `run` is refused, and starts and stops nothing."},
      {"transient",
       "`hold` registers a temporary thing; it is removed once, when it is released or when everything is "
       "stopped."},
      {"shielded_stop",
       "A request interrupts neither what is being stopped nor a removal that `release` has begun."},
      {"attached_failures", "The outcome of `run` holds every failure, the primary one first."},
      {"level_triggered", "A request that a step ignored is not forgotten: nothing begins after it (X-5)."},
      {"late_refusal",
       "A user or a transient thing that comes when neither resources nor the body run is refused (LIF-14)."},
      {"strict_entry",
       "A `run` or a `release` that is entered in a cancelled scope reports cancelled, and starts or removes "
       "nothing (X-6)."},
      {"checked_destruction", "Destroying a lifespan before its `run` has ended ends the process (X-20)."},
  };
  using contract_type = lifespan;
  using config = lifespan_config;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  /// Something that a resource, a user or the body does. It ends with a value, an error or cancelled.
  using step = std::function<awaitable<void>()>;

  lifespan() = default;
  lifespan(const lifespan&) = delete;
  lifespan& operator=(const lifespan&) = delete;
  virtual ~lifespan() = default;

  /// Adds a resource, before run(). A step that is called is not called again by the same run.
  void add(std::string name, step start, step stop) {
    do_add(std::move(name), accounted(std::move(start), &account::steps),
           accounted(std::move(stop), &account::steps));
  }

  /// Starts the resources in the order in which they were added, then the body, then stops what was started,
  /// and ends when the last stop has ended.
  /// Outcomes: value; the failure, or an aggregate of several with the names of resources, users, or "body";
  /// cancelled. A failure of a stop that the outcome does not hold goes to environment::report_unhandled.
  /// Called a second time, it throws rejected_error (`single_use`).
  awaitable<void> run(step body);

  /// `users`: starts a background user of a resource that has been started; called while the body runs. It is
  /// asked to stop by cancellation. Its failure is part of the outcome of run(), or is reported as unhandled.
  /// `late_refusal`: throws closed_error when nothing runs that may use it.
  void start_user(std::string resource, std::string name, step work) {
    do_start_user(std::move(resource), std::move(name), accounted(std::move(work), &account::users));
  }

  /// `bounded_stop`: the names of what outlasted its limit while it was being stopped, in that order.
  virtual std::vector<std::string> stop_timeouts() const { throw unclaimed_feature("bounded_stop"); }

  /// `transient`: registers a temporary thing, while the body runs. `remove` is called when it is released,
  /// or when everything is stopped. `late_refusal`: as start_user.
  std::uint64_t hold(std::string name, step remove);
  /// `transient`: removes it now. Outcomes: that of `remove`.
  awaitable<void> release(std::uint64_t id);
  /// `transient`: how many are registered. Right after every turn.
  virtual std::size_t held() const { throw unclaimed_feature("transient"); }

  /// LIF-1, LIF-5: nothing is under way when the run has ended. LIF-9: no more things are registered than were and
  /// have not been released.
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    has_transients_ = claims("transient");
    bounds_stops_ = claims("bounded_stop");
  }

 protected:
  // What a subject implements.
  virtual void do_add(std::string name, step start, step stop) = 0;
  virtual awaitable<void> do_run(step body) = 0;
  virtual void do_start_user(std::string /*resource*/, std::string /*name*/, step /*work*/) {
    throw unclaimed_feature("users");
  }
  virtual std::uint64_t do_hold(std::string /*name*/, step /*remove*/) {
    throw unclaimed_feature("transient");
  }
  virtual awaitable<void> do_release(std::uint64_t) { throw unclaimed_feature("transient"); }

 private:
  struct account {
    // Those that may be registered.
    std::set<std::uint64_t, std::less<>, detail::harness_allocator<std::uint64_t>> held;
    // Under way.
    std::size_t runs = 0;
    std::size_t steps = 0;
    std::size_t users = 0;
    bool has_run = false;
  };
  static awaitable<void> walk(std::shared_ptr<account> known, std::size_t account::* which,
                              std::shared_ptr<const step> work);
  step accounted(step work, std::size_t account::* which) const;
  std::string what_is_left() const;

  const std::shared_ptr<account> account_ = make_account<account>();
  bool has_transients_ = false;
  bool bounds_stops_ = false;
};

inline boost::asio::awaitable<void> lifespan::walk(std::shared_ptr<account> known,
                                                   std::size_t account::* which,
                                                   std::shared_ptr<const step> work) {
  const counted here(known, which);
  co_await (*work)();
}

inline lifespan::step lifespan::accounted(step work, std::size_t account::* which) const {
  const detail::harness_section section;
  auto kept = std::make_shared<const step>(std::move(work));
  return [known = account_, which, kept = std::move(kept)] { return walk(known, which, kept); };
}

inline boost::asio::awaitable<void> lifespan::run(step body) {
  const std::shared_ptr<account> known = account_;
  const counted under_way(known, &account::runs);
  known->has_run = true;
  step work = accounted(std::move(body), &account::steps);
  co_await do_run(std::move(work));
}

inline std::uint64_t lifespan::hold(std::string name, step remove) {
  const std::uint64_t id = do_hold(std::move(name), std::move(remove));
  account_->held.insert(id);
  return id;
}

inline boost::asio::awaitable<void> lifespan::release(std::uint64_t id) {
  const std::shared_ptr<account> known = account_;
  co_await do_release(id);
  known->held.erase(id);
}

inline std::string lifespan::what_is_left() const {
  if (!in_process() || !account_->has_run || account_->runs > 0) return {};
  // Whoever has outlasted his limits may be left behind (LIF-7).
  if (bounds_stops_ && !stop_timeouts().empty()) return {};
  if (account_->steps > 0)
    return exceeded("LIF-1: steps are under way when the run has ended", 0, account_->steps);
  if (account_->users > 0)
    return exceeded("LIF-5: users are at work when the run has ended", 0, account_->users);
  return {};
}

inline std::string lifespan::invariant() const {
  std::string left = what_is_left();
  if (!left.empty() || !has_transients_) return left;
  const look now(*this);
  if (!now) return {};
  const std::size_t registered = held();
  if (registered <= account_->held.size()) return {};
  return exceeded("LIF-9: more transient things are registered than were and have not been released",
                  account_->held.size(), registered);
}

}  // namespace assay::contract
