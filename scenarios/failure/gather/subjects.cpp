// The least gathering, which runs all and knows nothing else, and the alternative.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <deque>
#include <exception>
#include <memory>
#include <tuple>
#include <utility>
#include <vector>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/failure/gather/alternative.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using contract::gather;
using contract::gather_slot;
using contract::slot_end;

// What became of one operation. A cancellation of its own is a failure to it.
asio::awaitable<gather_slot> outcome_of(gather::work run) {
  gather::value given;
  gather_slot slot;
  const std::exception_ptr failure = co_await failure_of(run(), given);
  slot.value = given;
  if (failure) slot.value.reset();
  if (failure) slot.how = is_cancellation(failure) ? slot_end::cancelled : slot_end::failed;
  if (slot.how == slot_end::failed) slot.cause = describe(failure).label;
  co_await asio::this_coro::throw_if_cancelled(false);
  co_return slot;
}

auto begin(const asio::any_io_executor& executor, gather::work run) {
  return asio::co_spawn(executor, outcome_of(std::move(run)), asio::deferred);
}
using begun = decltype(begin(std::declval<const asio::any_io_executor&>(), std::declval<gather::work>()));

// experimental::make_parallel_group(...).async_wait(wait_for_all()). The adapter makes slots of the results.
class parallel_group final : public gather {
 public:
  parallel_group(asio::any_io_executor executor, const contract::gather_config&)
      : executor_(std::move(executor)) {}

 protected:
  awaitable<slots> do_all(std::vector<operation> operations) override {
    std::vector<begun> all;
    all.reserve(operations.size());
    for (const operation& one : operations) all.push_back(begin(executor_, one.run));
    auto group = asio::experimental::make_parallel_group(std::move(all));
    auto [order, failures, ended] =
        co_await group.async_wait(asio::experimental::wait_for_all(), asio::use_awaitable);
    const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
    if (requests.cancelled() != asio::cancellation_type::none) contract::throw_cancelled();
    co_return std::move(ended);
  }

 private:
  const asio::any_io_executor executor_;
};

// The smallest: all begin, and the last one to end wakes the caller. It passes a request on, and does not wait then.
class least_gather final : public gather {
 public:
  least_gather(asio::any_io_executor executor, const contract::gather_config&)
      : executor_(std::move(executor)) {}

 protected:
  awaitable<slots> do_all(std::vector<operation> operations) override {
    const auto all = std::make_shared<call>(executor_);
    all->told.resize(operations.size());
    all->left = operations.size();
    for (std::size_t i = 0; i < operations.size(); ++i) {
      auto ended = [all](std::exception_ptr) {
        if (--all->left == 0) all->done.cancel();
      };
      asio::co_spawn(executor_, fill(all, i, operations[i].run),
                     asio::bind_cancellation_slot(all->signals.emplace_back().slot(), std::move(ended)));
    }
    boost::system::error_code woken;
    if (all->left > 0) co_await all->done.async_wait(asio::redirect_error(asio::use_awaitable, woken));
    const asio::cancellation_state requests = co_await asio::this_coro::cancellation_state;
    if (requests.cancelled() != asio::cancellation_type::none) {
      for (asio::cancellation_signal& one : all->signals) one.emit(asio::cancellation_type::terminal);
      contract::throw_cancelled();
    }
    co_return all->told;
  }

 private:
  struct call {
    explicit call(const asio::any_io_executor& executor)
        : done(executor, asio::steady_timer::time_point::max()) {}
    asio::steady_timer done;
    std::deque<asio::cancellation_signal> signals;
    slots told;
    std::size_t left = 0;
  };
  static awaitable<void> fill(std::shared_ptr<call> all, std::size_t index, work run) {
    gather_slot slot = co_await outcome_of(std::move(run));
    all->told[index] = std::move(slot);
  }

  const asio::any_io_executor executor_;
};

const implements<least_gather> least("least", subject_kind::alternative, {});

const implements<alternative_gather> alternative("alternative", subject_kind::alternative,
                                                 {.features = claims_of_alternative_gather()},
                                                 gather_defect::none);

const implements<parallel_group> the_parallel_group(
    "asio_parallel_group", subject_kind::third_party,
    {.features = {"owns_operations"},
     .cites = "Boost.Asio 1.81 reference, experimental::ranged_parallel_group::async_wait with wait_for_all: "
              "the completion "
              "handler is called when all operations have completed; 'cancellation ... passed on to all'",
     .library = "Boost " + boost_version()});

}  // namespace
}  // namespace assay
