// The contract of a barrier: a fixed number of parties wait for each other, again and again. The pattern is
// longer than a primitive's budget, since libraries differ in what becomes of a generation that a party
// leaves: each way has scenarios and mutants, and the model of its programs knows all of them.
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <boost/describe.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/outcome.hpp>

namespace assay::contract {

/// What a party that ends as cancelled or timed out does to the others (`cancel_breaks`, `cancel_leaves`). A
/// subject that has one way only has that, whatever it is asked for.
BOOST_DEFINE_ENUM_CLASS(barrier_cancel, breaks, leaves)

struct barrier_config {
  std::int64_t parties = 2;
  barrier_cancel on_cancel = barrier_cancel::breaks;
};
BOOST_DESCRIBE_STRUCT(barrier_config, (), (parties, on_cancel))

class barrier : public with_invariant<barrier_config> {
 public:
  static constexpr std::string_view name = "barrier";
  static constexpr feature_info features[] = {
      {"arrival_index",
       "The parties of a generation get the numbers from 0 to `parties` - 1, each another one."},
      {"cancel_breaks", "A party that is cancelled or times out breaks the barrier, as `abort` does."},
      {"cancel_leaves", "A party that is cancelled or times out leaves, and the others wait on."},
      {"release_wins",
       "A party that was released ends as released, also if a request or its deadline comes before it "
       "continues."},
      {"abort",
       "`abort` breaks the barrier: who is parked ends as broken, and so does who comes, until `reset`."},
      {"reset", "`reset` begins a new generation, and who is parked in the old one ends as broken."},
      {"reset_breaks_released", "`reset` breaks those as well who were released and have not continued."},
      {"reject_zero", "A barrier for less than one party is refused."},
      {"timed",
       "`wait_for` waits no longer than it is told; who times out is to the others as one cancelled."},
      {"statistics", "`waiting` tells how many are parked."},
      {"strict_entry",
       "A wait that is entered in a cancelled scope reports cancelled and has no effect (X-6)."},
      {"posted_wakeups", "No party continues inside the call that released or broke it (X-12)."},
      {"checked_destruction", "Destroying a barrier with parked parties ends the process (X-20)."},
  };
  using contract_type = barrier;
  using config = barrier_config;
  using nanoseconds = std::chrono::nanoseconds;
  template <class T>
  using awaitable = boost::asio::awaitable<T>;
  virtual ~barrier() = default;

  /// Ends when as many wait as there are parties. The value means something with `arrival_index`. Outcomes:
  /// value, cancelled, broken.
  awaitable<std::size_t> wait() { return counting(do_wait()); }
  /// `timed`: as wait, or timed_out.
  awaitable<std::size_t> wait_for(nanoseconds patience) { return counting(do_wait_for(patience)); }
  /// `abort`. It has taken effect when it ends. Outcomes: value.
  virtual awaitable<void> abort() { throw unclaimed_feature("abort"); }
  /// `reset`. The same.
  virtual awaitable<void> reset() { throw unclaimed_feature("reset"); }
  /// `statistics`.
  virtual std::size_t waiting() const { throw unclaimed_feature("statistics"); }

  /// BAR-2: no more pass than whole generations have come.
  std::string invariant() const;

 protected:
  virtual awaitable<std::size_t> do_wait() = 0;
  virtual awaitable<std::size_t> do_wait_for(nanoseconds) { throw unclaimed_feature("timed"); }

 private:
  struct account {
    std::size_t begun = 0;
    std::size_t passed = 0;
  };
  awaitable<std::size_t> counting(awaitable<std::size_t> waiting);

  const std::shared_ptr<account> account_ = make_account<account>();
};

inline boost::asio::awaitable<std::size_t> barrier::counting(awaitable<std::size_t> waiting) {
  const std::shared_ptr<account> known = account_;
  ++known->begun;
  const std::size_t index = co_await std::move(waiting);
  ++known->passed;
  co_return index;
}

inline std::string barrier::invariant() const {
  if (!in_process()) return {};
  // Some take no parties for one.
  const auto parties = static_cast<std::size_t>(std::max<std::int64_t>(1, wanted().parties));
  const std::size_t allowed = account_->begun - account_->begun % parties;
  if (account_->passed <= allowed) return {};
  return exceeded("BAR-2: more have passed than whole generations have come", allowed, account_->passed);
}

}  // namespace assay::contract
