// The reference's timeouts behind the contract.
#include <assay/reference/failure/timeout.hpp>

#include <boost/asio/any_io_executor.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline_scope.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using reference::deadline_after;

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::exception_group& group) {
    std::vector<contract::aggregate_error::member> members;
    for (const reference::task_failure& each : group.failures()) members.push_back({each.name, each.error});
    throw contract::aggregate_error(std::move(members));
  } catch (const std::logic_error& misuse) {
    throw contract::rejected_error(misuse.what());
  }  // cancelled, and what it does not know, as it is
}

// The work is called when it begins, and what it is made of belongs to its frame.
asio::awaitable<void> begin(contract::timeout::work one) { co_await one(); }
asio::awaitable<bool> begin_with_value(contract::timeout::work one) {
  co_await one();
  co_return true;
}
asio::awaitable<bool> begin_within(reference::deadline_scope& outer, reference::time_point deadline,
                                   contract::timeout::work one) {
  reference::deadline_scope inner(outer, deadline);
  try {
    co_return co_await inner.run(begin_with_value(std::move(one)));
  } catch (const reference::timed_out&) {
    if (!inner.timed_out_here()) throw;
  }
  co_return false;
}

class reference_timeout final : public contract::timeout {
 public:
  reference_timeout(const asio::any_io_executor& executor, const contract::timeout_config&)
      : executor_(executor), supervisor_(executor) {}

  void set_deadline(nanoseconds limit) override { deadline_ = deadline_after(limit); }
  awaitable<contract::partial_result> wait_some(nanoseconds limit) override {
    const auto now = co_await operations().wait_some(deadline_after(limit));
    contract::partial_result result;
    for (const std::size_t one : now.done) result.done.push_back(static_cast<std::int64_t>(one));
    for (const std::size_t one : now.pending) result.pending.push_back(static_cast<std::int64_t>(one));
    co_return result;
  }
  awaitable<void> end_operations() override {
    operations().request_cancel();
    return translated(operations().join(), &rethrow);
  }
  void open_scope(nanoseconds limit) override {
    scope_ = std::make_shared<reference::deadline_scope>(executor_, reference::duration(limit));
  }
  void stop_scope() override { scope_->request_stop(); }
  bool reschedule(nanoseconds limit) override { return scope_->reschedule(deadline_after(limit)); }
  void lift_shield() override { shield_->lift(); }
  std::size_t abandoned() const override { return supervisor_.size(); }
  awaitable<void> join_abandoned() override { return translated(supervisor_.join(), &rethrow); }

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override {
    return translated(reference::with_deadline(begin(std::move(one)), deadline_after(limit)), &rethrow);
  }
  awaitable<bool> do_run_for_or(nanoseconds limit, work one) override {
    auto running = begin_with_value(std::move(one));
    return translated(reference::with_deadline_or(std::move(running), deadline_after(limit), false),
                      &rethrow);
  }
  awaitable<void> do_run_by_deadline(work one) override {
    return translated(reference::with_deadline(begin(std::move(one)), deadline_), &rethrow);
  }
  awaitable<bool> do_run_nested(nanoseconds outer, nanoseconds inner, work one) override {
    const auto inner_deadline = deadline_after(inner);
    reference::deadline_scope scope(executor_, deadline_after(outer));
    auto inside = begin_within(scope, inner_deadline, std::move(one));
    co_return co_await translated(scope.run(std::move(inside)), &rethrow);
  }
  awaitable<std::int64_t> do_race(std::vector<work> all, giving_back give_back) override {
    std::vector<awaitable<bool>> running;
    for (work& one : all) running.push_back(begin_with_value(std::move(one)));
    std::function<void(std::size_t, bool)> told = tells(std::move(give_back));
    auto first = reference::first_of(std::move(running), std::move(told));
    const reference::first_result<bool> won = co_await translated(std::move(first), &rethrow);
    co_return static_cast<std::int64_t>(won.index);
  }
  void do_begin_operation(work one) override { (void)operations().start("operation", begin(std::move(one))); }
  awaitable<bool> do_run_scope(work one) override {
    const auto scope = scope_;
    try {
      co_await translated(scope->run(begin(std::move(one))), &rethrow);
    } catch (const reference::stopped&) {
      co_return false;
    }
    co_return true;
  }
  awaitable<void> do_run_shielded(nanoseconds limit, work one) override {
    const auto shield = std::make_shared<reference::shield_scope>(executor_, deadline_after(limit));
    shield_ = shield;
    co_await translated(shield->run(begin(std::move(one))), &rethrow);
  }
  awaitable<void> do_run_or_abandon(nanoseconds limit, work one) override {
    return translated(reference::with_deadline_or_abandon(supervisor_, "abandoned", begin(std::move(one)),
                                                          deadline_after(limit)),
                      &rethrow);
  }

 private:
  static std::function<void(std::size_t, bool)> tells(giving_back give_back) {
    return [give_back = std::move(give_back)](std::size_t index, bool) {
      give_back(static_cast<std::int64_t>(index));
    };
  }
  reference::pending_set& operations() {
    if (!operations_) operations_ = std::make_shared<reference::pending_set>(executor_);
    return *operations_;
  }

  const asio::any_io_executor executor_;
  reference::time_point deadline_ = reference::no_deadline;
  reference::task_group supervisor_;
  std::shared_ptr<reference::pending_set> operations_;
  std::shared_ptr<reference::deadline_scope> scope_;
  std::shared_ptr<reference::shield_scope> shield_;
};

const implements<reference_timeout> registered(
    "reference", subject_kind::reference,
    {.features = {
         "joins_work",   "cooperative",    "value_wins", "zero_never_starts", "fallback",   "deadline",
         "nested",       "outermost_wins", "race",       "owns_operations",   "gives_back", "partial_wait",
         "scope_handle", "own_cancel",     "reschedule", "counts_from_entry", "shield",     "unshield",
         "abandon",      "level_cancel",   "lifetime",   "strict_entry"}});

}  // namespace
}  // namespace assay
