// The contract of gather: operations that run at the same time, each with an outcome of its own. It is what a dashboard, an
// enrichment, a validation or a quorum is made of.
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
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

struct gather_config {};
BOOST_DESCRIBE_STRUCT(gather_config, (), ())

/// How an operation ended.
BOOST_DEFINE_ENUM_CLASS(slot_end, value, failed, cancelled)

struct gather_slot {
  slot_end how{};
  std::optional<std::int64_t> value;  ///< null is an empty value, if `how` says that it is one
  std::string cause;                  ///< of a failure: its label
  bool operator==(const gather_slot&) const = default;
};
BOOST_DESCRIBE_STRUCT(gather_slot, (), (how, value, cause))

struct check_verdict {
  bool valid = false;
  std::vector<std::string>
      causes;  ///< "name: label" of each check that threw, "name: no" of one that said no
};
BOOST_DESCRIBE_STRUCT(check_verdict, (), (valid, causes))

class gather : public with_invariant<gather_config> {
 public:
  static constexpr std::string_view name = "gather";
  static constexpr feature_info features[] = {
      {"owns_operations",
       "A call that is cancelled asks its operations to stop, and ends as cancelled when all have ended."},
      {"own_cancellation", "An operation that ends as cancelled by itself has a slot that says so."},
      {"failing_creation", "An operation that cannot be created fails in its slot; the others go on."},
      {"shared_handle", "`all_shared` runs an operation once that fills several slots."},
      {"required_parts", "`parts` fails only if a part is missing that is required."},
      {"validation", "`validate` is valid only if every check said so."},
      {"first", "`first` gives the first values, and gives those back that came too late."},
      {"as_completed", "`each` tells outcomes as they come, for as long as its patience lasts."},
  };
  using contract_type = gather;
  using config = gather_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  using value = std::optional<std::int64_t>;
  using slots = std::vector<gather_slot>;

  /// It is called once, and kept until what it began has ended. It may throw instead of beginning anything
  /// (`failing_creation`).
  using work = std::function<awaitable<value>()>;
  struct operation {
    operation(std::string operation_name, work operation_work)
        : name(std::move(operation_name)), run(std::move(operation_work)) {}
    std::string name;
    work run;
  };

  gather() = default;
  gather(const gather&) = delete;
  gather& operator=(const gather&) = delete;
  virtual ~gather() = default;

  /// Runs all at the same time, and ends when all have ended: with one slot for each, in their order.
  /// Outcomes: the slots; cancelled, if that was asked for from outside.
  awaitable<slots> all(std::vector<operation> operations);
  /// `shared_handle`: slot i is that of operation `which[i]`. Each of them runs once.
  awaitable<slots> all_shared(std::vector<operation> operations, std::vector<std::size_t> which);
  /// `required_parts`: as all; or an aggregate_error of what those failed with that are required, under their names. One that
  /// ended as cancelled by itself is missing as well.
  awaitable<slots> parts(std::vector<operation> operations, std::vector<bool> required);
  /// `validation`: a check says yes with 1, and no with 0.
  awaitable<check_verdict> validate(std::vector<operation> checks);
  /// `first`: the first `wanted` values, in the order in which they came; the others are asked to stop, and waited for. Whoever
  /// gives a value that is not among those has it given back. Outcomes: values; cancelled; an aggregate_error of the failures if
  /// there are too few values (rejected if nobody failed); all values are given back then. No value is null.
  awaitable<std::vector<std::int64_t>> first(std::size_t wanted, std::vector<operation> operations,
                                             std::function<void(std::int64_t)> give_back);
  /// `as_completed`: calls `take` for each that has ended, in that order. Outcomes: value; timed_out when the patience is at its
  /// end, and those that were at work then, and are told nobody, have ended; cancelled.
  awaitable<void> each(std::vector<operation> operations, nanoseconds patience,
                       std::function<void(std::size_t, const gather_slot&)> take);

  /// When no call is under way, nothing of one is (AGG-3).
  std::string invariant() const;
  void know(const made_as<config>& how) {
    with_invariant::know(how);
    owns_operations_ = claims("owns_operations");
  }

 protected:
  // What a subject implements.
  virtual awaitable<slots> do_all(std::vector<operation> operations) = 0;
  virtual awaitable<slots> do_all_shared(std::vector<operation>, std::vector<std::size_t>) {
    throw unclaimed_feature("shared_handle");
  }
  virtual awaitable<slots> do_parts(std::vector<operation>, std::vector<bool>) {
    throw unclaimed_feature("required_parts");
  }
  virtual awaitable<check_verdict> do_validate(std::vector<operation>) {
    throw unclaimed_feature("validation");
  }
  virtual awaitable<std::vector<std::int64_t>> do_first(std::size_t, std::vector<operation>,
                                                        std::function<void(std::int64_t)>) {
    throw unclaimed_feature("first");
  }
  virtual awaitable<void> do_each(std::vector<operation>, nanoseconds,
                                  std::function<void(std::size_t, const gather_slot&)>) {
    throw unclaimed_feature("as_completed");
  }

 private:
  struct account {
    std::size_t alive = 0;  // operations
    std::size_t calls = 0;  // under way
  };
  static awaitable<value> live(std::shared_ptr<account> all, awaitable<value> work) {
    const counted here(all, &account::alive);
    const value given = co_await std::move(work);
    co_return given;
  }
  std::vector<operation> account_for(std::vector<operation> operations) const;
  // Counts a call as long as it is under way.
  template <class T>
  static awaitable<T> calling(std::shared_ptr<account> all, awaitable<T> call);

  const std::shared_ptr<account> account_ = make_account<account>();
  bool owns_operations_ = false;
};

inline std::vector<gather::operation> gather::account_for(std::vector<operation> operations) const {
  const detail::harness_section section;
  for (operation& one : operations)
    one.run = [all = account_, run = std::move(one.run)] { return live(all, run()); };
  return operations;
}

template <class T>
boost::asio::awaitable<T> gather::calling(std::shared_ptr<account> all, awaitable<T> call) {
  const counted under_way(all, &account::calls);
  if constexpr (std::is_void_v<T>) {
    co_await std::move(call);
  } else {
    T given = co_await std::move(call);
    co_return given;
  }
}

inline boost::asio::awaitable<gather::slots> gather::all(std::vector<operation> operations) {
  return calling(account_, do_all(account_for(std::move(operations))));
}
inline boost::asio::awaitable<gather::slots> gather::all_shared(std::vector<operation> operations,
                                                                std::vector<std::size_t> which) {
  return calling(account_, do_all_shared(account_for(std::move(operations)), std::move(which)));
}
inline boost::asio::awaitable<gather::slots> gather::parts(std::vector<operation> operations,
                                                           std::vector<bool> required) {
  return calling(account_, do_parts(account_for(std::move(operations)), std::move(required)));
}
inline boost::asio::awaitable<check_verdict> gather::validate(std::vector<operation> checks) {
  return calling(account_, do_validate(account_for(std::move(checks))));
}
inline boost::asio::awaitable<std::vector<std::int64_t>> gather::first(
    std::size_t wanted, std::vector<operation> operations, std::function<void(std::int64_t)> give_back) {
  return calling(account_, do_first(wanted, account_for(std::move(operations)), std::move(give_back)));
}
inline boost::asio::awaitable<void> gather::each(std::vector<operation> operations, nanoseconds patience,
                                                 std::function<void(std::size_t, const gather_slot&)> take) {
  return calling(account_, do_each(account_for(std::move(operations)), patience, std::move(take)));
}

inline std::string gather::invariant() const {
  if (!in_process() || !owns_operations_ || account_->calls > 0 || account_->alive == 0) return {};
  return exceeded("AGG-3: operations are alive when the call has ended", 0, account_->alive);
}

}  // namespace assay::contract
