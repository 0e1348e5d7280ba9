// What Boost.Asio has of timeouts, as far as its documentation goes: `work || timer`, and a parallel_group of both.
#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstddef>
#include <exception>
#include <utility>
#include <vector>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> begin(contract::timeout::work one) { co_await one(); }

asio::awaitable<void> wait_until(std::chrono::steady_clock::time_point deadline) {
  asio::steady_timer timer(co_await asio::this_coro::executor, deadline);
  co_await timer.async_wait(asio::use_awaitable);
}

// What || throws if all of its operations have failed: the one that can be reached.
[[noreturn]] void rethrow_first_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const asio::multiple_exceptions& several) {
    rethrow_first_of(several.first_exception());
  }
}

// awaitable_operators' ||, with a timer, and of two operations.
class awaitable_or final : public contract::timeout {
 public:
  awaitable_or(const asio::any_io_executor&, const contract::timeout_config&) {}

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override {
    using asio::experimental::awaitable_operators::operator||;
    auto either = begin(std::move(one)) || wait_until(deadline_after(limit));
    const auto first = co_await translated(std::move(either), &rethrow_first_of);
    if (first.index() == 1) throw contract::timed_out_error();
  }
  awaitable<std::int64_t> do_race(std::vector<work> all, giving_back) override {
    using asio::experimental::awaitable_operators::operator||;
    auto either = begin(std::move(all.at(0))) || begin(std::move(all.at(1)));
    const auto first = co_await translated(std::move(either), &rethrow_first_of);
    co_return static_cast<std::int64_t>(first.index());
  }
};

// make_parallel_group(work, timer).async_wait(wait_for_one()): what ended first is in the order of completion.
class parallel_group_of_one final : public contract::timeout {
 public:
  parallel_group_of_one(asio::any_io_executor executor, const contract::timeout_config&)
      : executor_(std::move(executor)) {}

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override {
    asio::steady_timer timer(executor_, deadline_after(limit));
    auto running = asio::co_spawn(executor_, begin(std::move(one)), asio::deferred);
    auto waiting = timer.async_wait(asio::deferred);
    auto group = asio::experimental::make_parallel_group(std::move(running), std::move(waiting));
    const auto [order, failure, rung] =
        co_await group.async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
    if (!failure) co_return;
    if (!is_cancellation(failure)) std::rethrow_exception(failure);
    if (order[0] == 1 && !rung) throw contract::timed_out_error();
    contract::throw_cancelled();
  }

 private:
  const asio::any_io_executor executor_;
};

const implements<awaitable_or> the_or(
    "asio_awaitable_or", subject_kind::third_party,
    {.features = {"joins_work", "cooperative", "race", "owns_operations"},
     .cites =
         "Boost.Asio 1.81 overview, C++20 coroutines, co-ordinating parallel coroutines: || waits for either "
         "operation to succeed; when one succeeds, the other is cancelled; "
         "experimental/awaitable_operators.hpp",
     .library = "Boost " + boost_version()});

const implements<parallel_group_of_one> the_group(
    "asio_parallel_group_of_one", subject_kind::third_party,
    {.features = {"joins_work", "cooperative", "value_wins"},
     .cites =
         "Boost.Asio 1.81 reference, experimental::parallel_group::async_wait: the completion order of the "
         "operations, and the arguments of each; wait_for_one: wait until one has completed, and cancel the "
         "others",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
