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
#include <string>
#include <string_view>
#include <vector>

#include "harness/trial/feature.hpp"
#include "harness/trial/outcome.hpp"

namespace assay::contract {

struct lifespan_config {
  using nanoseconds = std::chrono::nanoseconds;

  /// `bounded_stop`: how long one stop may take before it is asked to stop (cancelled). A user has as long to end
  /// once it was asked.
  nanoseconds stop_limit = std::chrono::seconds(10);
  /// `bounded_stop`: how long it may take after that before the next resource is stopped nevertheless. A
  /// subject without such a limit goes on sooner.
  nanoseconds force_limit = std::chrono::seconds(5);
};
BOOST_DESCRIBE_STRUCT(lifespan_config, (), (stop_limit, force_limit))

class lifespan {
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
      {"strict_entry",
       "A `run` that is entered in a cancelled scope reports cancelled and starts nothing (X-6)."},
      {"checked_destruction", "Destroying a lifespan before its `run` has ended ends the process (X-20)."},
  };
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
  virtual void add(std::string name, step start, step stop) = 0;

  /// Starts the resources in the order in which they were added, then the body, then stops what was started.
  /// Outcomes: value; the failure, or an aggregate of several with the names of resources, users, or "body";
  /// cancelled. A failure of a stop that the outcome does not hold goes to environment::report_unhandled.
  /// Called a second time, it throws rejected_error (`single_use`).
  virtual awaitable<void> run(step body) = 0;

  /// `users`: starts a background user of a resource that has been started; called while the body runs. It is
  /// asked to stop by cancellation. Its failure is part of the outcome of run(), or is reported as unhandled.
  virtual void start_user(std::string /*resource*/, std::string /*name*/, step /*work*/) {
    throw unclaimed_feature("users");
  }

  /// `bounded_stop`: the names of what outlasted its limit while it was being stopped, in that order.
  virtual std::vector<std::string> stop_timeouts() const { throw unclaimed_feature("bounded_stop"); }

  /// `transient`: registers a temporary thing, while the body runs. `remove` is called when it is released,
  /// or when everything is stopped.
  virtual std::uint64_t hold(std::string /*name*/, step /*remove*/) { throw unclaimed_feature("transient"); }
  /// `transient`: removes it now. Outcomes: that of `remove`.
  virtual awaitable<void> release(std::uint64_t) { throw unclaimed_feature("transient"); }
  /// `transient`: how many are registered.
  virtual std::size_t held() const { throw unclaimed_feature("transient"); }
};

}  // namespace assay::contract
