// Operations that are started at once, with a table of what became of them, by somebody who had read the contract alone.
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/this_coro.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/outcome.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

#include "started.hpp"
#include "wrong.hpp"

namespace assay::wrong {
namespace {

namespace asio = boost::asio;
using contract::aggregate_error;
using contract::check_verdict;
using contract::gather_config;
using contract::gather_slot;
using contract::slot_end;

ASSAY_DEFECTS(gather_bug, none, keeps_values_when_cancelled, counts_patience_anew, hears_failures_alone,
              names_the_optional_as_well)

class listing_gather final : public contract::gather {
 public:
  listing_gather(environment& env, const gather_config&, gather_bug bug)
      : env_(env), executor_(env.executor()), bug_(bug) {}

 protected:
  using give_back = std::function<void(std::int64_t)>;
  using taker = std::function<void(std::size_t, const gather_slot&)>;

  awaitable<slots> do_all(std::vector<operation> operations) override {
    const auto all = std::make_shared<batch>(operations.size());
    start(all, operations);
    co_await finish(all);
    if (all->asked_from_outside) give_up(*all);
    co_return all->slots;
  }
  awaitable<slots> do_all_shared(std::vector<operation> operations, std::vector<std::size_t> which) override {
    const slots each = co_await do_all(std::move(operations));
    slots filled;
    for (const std::size_t index : which) filled.push_back(each.at(index));
    co_return filled;
  }
  awaitable<slots> do_parts(std::vector<operation> operations, std::vector<bool> required) override {
    const auto all = std::make_shared<batch>(operations.size());
    start(all, operations);
    co_await finish(all);
    if (all->asked_from_outside) give_up(*all);
    std::vector<aggregate_error::member> missing;
    bool is_missing = false;
    for (std::size_t i = 0; i < all->slots.size(); ++i) {
      if (!all->failures[i]) continue;
      is_missing = is_missing || required[i];
      if (required[i] || bug_ == gather_bug::names_the_optional_as_well)
        missing.push_back({all->names[i], all->failures[i]});
    }
    if (!is_missing) co_return all->slots;
    for (std::size_t i = 0; i < all->slots.size(); ++i) {
      if (!required[i] && bug_ != gather_bug::names_the_optional_as_well) report(all->failures[i]);
    }
    throw aggregate_error(missing);
  }
  awaitable<check_verdict> do_validate(std::vector<operation> checks) override {
    const auto all = std::make_shared<batch>(checks.size());
    start(all, checks);
    co_await finish(all);
    if (all->asked_from_outside) give_up(*all);
    check_verdict verdict;
    for (std::size_t i = 0; i < all->slots.size(); ++i) {
      const gather_slot& slot = all->slots[i];
      if (slot.how == slot_end::failed) verdict.causes.push_back(all->names[i] + ": " + slot.cause);
      if (slot.how == slot_end::value && slot.value != 1) verdict.causes.push_back(all->names[i] + ": no");
      if (slot.how == slot_end::cancelled && bug_ != gather_bug::hears_failures_alone)
        verdict.causes.push_back(all->names[i] + ": cancelled");
    }
    verdict.valid = verdict.causes.empty();
    co_return verdict;
  }
  awaitable<std::vector<std::int64_t>> do_first(std::size_t wanted, std::vector<operation> operations,
                                                give_back back) override {
    std::vector<std::int64_t> values;
    if (wanted == 0) co_return values;
    const auto all = std::make_shared<batch>(operations.size());
    all->stops_at = wanted;
    start(all, operations);
    co_await finish(all);
    for (const std::size_t i : all->order) {
      const gather_slot& slot = all->slots[i];
      if (slot.how != slot_end::value) continue;
      if (values.size() < wanted) {
        values.push_back(slot.value.value_or(0));
      } else {
        back(slot.value.value_or(0));
      }
    }
    if (all->asked_from_outside) {
      if (bug_ != gather_bug::keeps_values_when_cancelled) {
        for (const std::int64_t one : values) back(one);
      }
      give_up(*all);
    }
    if (values.size() == wanted) {
      for (const std::exception_ptr& failure : all->failures) report(failure);
      co_return values;
    }
    for (const std::int64_t one : values) back(one);
    std::vector<aggregate_error::member> failures;
    for (std::size_t i = 0; i < all->failures.size(); ++i) {
      if (all->slots[i].how == slot_end::failed) failures.push_back({all->names[i], all->failures[i]});
    }
    if (failures.empty()) throw contract::rejected_error("too few");
    throw aggregate_error(failures);
  }
  awaitable<void> do_each(std::vector<operation> operations, nanoseconds patience, taker take) override {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    const auto all = std::make_shared<batch>(operations.size());
    auto deadline = deadline_after(patience);
    start(all, operations);
    std::size_t told = 0;
    bool is_late = false;
    while (told < all->order.size() || all->alive > 0) {
      for (; told < all->order.size(); ++told) {
        const std::size_t index = all->order[told];
        take(index, all->slots[index]);
        if (bug_ == gather_bug::counts_patience_anew) deadline = deadline_after(patience);
      }
      if (all->alive == 0) break;
      is_late = std::chrono::steady_clock::now() >= deadline;
      all->asked_from_outside = co_await is_asked_to_stop();
      if (is_late || all->asked_from_outside) break;
      waiter self(executor_);
      co_await all->changed.wait(self, deadline);
    }
    const bool is_through = all->alive == 0;
    if (!is_through) {
      all->stop();
      co_await finish(all);
    }
    co_await asio::this_coro::throw_if_cancelled(throwing);
    if (is_through) co_return;
    for (; told < all->order.size(); ++told) report(all->failures[all->order[told]]);
    if (all->asked_from_outside) contract::throw_cancelled();
    throw contract::timed_out_error();
  }

 private:
  struct batch {
    explicit batch(std::size_t size) : slots(size), failures(size), names(size) {}

    void stop() {
      stopping = true;
      const auto asked = members;
      for (const auto& each : asked) each->ask_to_stop();
    }
    void ended(std::size_t index, const started& one) {
      order.push_back(index);
      failures[index] = one.failure;
      if (one.failure) {
        slots[index].how = one.failed() ? slot_end::failed : slot_end::cancelled;
        if (one.failed()) slots[index].cause = describe(one.failure).label;
      } else {
        ++values;
      }
      --alive;
      changed.wake_all();
    }

    gather::slots slots;
    std::vector<std::exception_ptr> failures;
    std::vector<std::string> names;
    std::vector<std::shared_ptr<started>> members;
    std::vector<std::size_t> order;  // in which they ended
    std::size_t alive = 0;
    std::size_t values = 0;
    std::size_t stops_at = 0;  // 0: never
    bool stopping = false;
    bool asked_from_outside = false;
    waiting_list changed;
  };

  static awaitable<void> fill(std::shared_ptr<batch> all, std::size_t index, work run) {
    const value given = co_await run();
    all->slots[index].how = slot_end::value;
    all->slots[index].value = given;
  }
  void start(const std::shared_ptr<batch>& all, std::vector<operation>& operations) {
    all->alive = operations.size();
    for (std::size_t i = 0; i < operations.size(); ++i) {
      all->names[i] = operations[i].name;
      step work = [all, i, run = std::move(operations[i].run)] { return fill(all, i, run); };
      all->members.push_back(begin(executor_, all->names[i], std::move(work),
                                   [all, i](const started& one) { all->ended(i, one); }));
    }
    operations.clear();
  }
  // Waits until all have ended; asks them to stop when that is asked of the caller, or when there is enough.
  awaitable<void> finish(std::shared_ptr<batch> all) {
    const bool throwing = co_await asio::this_coro::throw_if_cancelled();
    co_await asio::this_coro::throw_if_cancelled(false);
    while (all->alive > 0) {
      const bool asked = co_await is_asked_to_stop();
      if (asked) all->asked_from_outside = true;
      const bool has_enough = all->stops_at > 0 && all->values >= all->stops_at;
      const bool has_too_few = all->values + all->alive < all->stops_at;
      if ((asked || has_enough || has_too_few) && !all->stopping) {
        all->stop();
        continue;
      }
      waiter self(executor_);
      co_await all->changed.wait(self);
    }
    co_await asio::this_coro::throw_if_cancelled(throwing);
  }
  void report(const std::exception_ptr& failure) const {
    if (failure && !is_cancellation(failure)) env_.report_unhandled(failure);
  }
  [[noreturn]] void give_up(const batch& all) const {
    for (const std::exception_ptr& failure : all.failures) report(failure);
    contract::throw_cancelled();
  }

  environment& env_;
  const asio::any_io_executor executor_;
  const gather_bug bug_;
};

const table<listing_gather, gather_bug> listing(
    "listing_gather",
    {"owns_operations", "own_cancellation", "failing_creation", "shared_handle", "required_parts",
     "validation", "first", "as_completed"},
    {
        {gather_bug::keeps_values_when_cancelled,
         "the first values of a call that is cancelled before it has enough are given back to nobody",
         {{"AGG-7", ""}, {"AGG-3", ""}}},
        {gather_bug::counts_patience_anew,
         "the patience for all outcomes is counted anew with each of them",
         {{"AGG-13", ""}}},
        {gather_bug::hears_failures_alone,
         "a check that ends as cancelled by itself says nothing, and so the record is valid",
         {{"AGG-10", ""}, {"AGG-9", ""}}},
        {gather_bug::names_the_optional_as_well,
         "a required part that is missing is told together with those failures that nobody minds",
         {{"AGG-6", ""}, {"X-16", ""}}},
    });

}  // namespace
}  // namespace assay::wrong
