// Boost.Asio's own groups behind the contract, as far as their documentation goes.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <tuple>
#include <utility>
#include <vector>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using contract::aggregate_error;

auto start_child(const asio::any_io_executor& executor, const contract::task_group::child& one) {
  return asio::co_spawn(executor, one.run(), asio::deferred);
}
using child_operation = decltype(start_child(std::declval<const asio::any_io_executor&>(),
                                             std::declval<const contract::task_group::child&>()));

// experimental::make_parallel_group over a range of co_spawned children. Its result holds every child's
// exception and the order in which the children ended; the adapter makes the contract's outcome from these.
class parallel_group final : public contract::task_group {
 public:
  parallel_group(asio::any_io_executor executor, const contract::task_group_config& config)
      : executor_(std::move(executor)), collect_(config.collect) {}

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    std::vector<child_operation> operations;
    operations.reserve(children.size());
    for (const child& one : children) operations.push_back(start_child(executor_, one));
    auto group = asio::experimental::make_parallel_group(std::move(operations));
    std::vector<std::size_t> order;
    std::vector<std::exception_ptr> ended;
    if (collect_) {
      std::tie(order, ended) =
          co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    } else {
      std::tie(order, ended) =
          co_await group.async_wait(asio::experimental::wait_for_one_error(), asio::use_awaitable);
    }
    const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
    std::vector<aggregate_error::member> failures;
    for (const std::size_t index : order) {
      if (ended[index] && !is_cancellation(ended[index]))
        failures.push_back({children[index].name, ended[index]});
    }
    if (!failures.empty()) throw aggregate_error(std::move(failures));
    if (requests.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
  }

 private:
  const asio::any_io_executor executor_;
  const bool collect_;
};

// The one failure that can be reached in what && throws; in a && b && c it may be wrapped twice.
[[noreturn]] void rethrow_first_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const asio::multiple_exceptions& several) {
    rethrow_first_of(several.first_exception());
  }
}

// awaitable_operators' && over any number of children, as `a && b && c` is. What it throws is told as it is,
// but for the wrapper around the first of several: nothing says whose it was, or what the others were.
class awaitable_and final : public contract::task_group {
 public:
  awaitable_and(const environment&, const contract::task_group_config&) {}

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    using asio::experimental::awaitable_operators::operator&&;
    if (children.empty()) co_return;  // there is no && of nothing
    awaitable<void> together = children.front().run();
    for (auto next = children.begin() + 1; next != children.end(); ++next)
      together = std::move(together) && next->run();
    co_await translated(std::move(together), rethrow_first_of);
  }
};

const implements<parallel_group> the_parallel_group(
    "asio_parallel_group", subject_kind::third_party,
    {.features = {"cleanup", "always_aggregate", "ordered_failures", "collect"},
     .cites =
         "Boost.Asio 1.81 reference, experimental::ranged_parallel_group::async_wait: the completion "
         "order of the operations, followed by a vector for each of the completion signature's arguments; "
         "wait_for_one_error; wait_for_all",
     .library = "Boost " + boost_version()});

const implements<awaitable_and> the_and(
    "asio_awaitable_and", subject_kind::third_party,
    {.features = {"cleanup"},
     .cites = "Boost.Asio 1.81 overview, C++20 coroutines, co-ordinating parallel coroutines: && waits for "
              "both operations to succeed; if one fails, the other is cancelled; "
              "experimental/awaitable_operators.hpp",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
