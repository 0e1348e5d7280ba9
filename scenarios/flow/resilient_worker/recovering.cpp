// A third conforming worker, unlike the other two. It tries a failing item again, after a pause, until its attempts are
// used up. What it was cancelled at, and what the sink did not take, goes to a recovery list of its own, from which the
// next run takes first. Its submitters are admitted last come first served. It counts for `join` what was submitted
// and what was settled, and whoever joins looks at both.
#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <exception>
#include <memory>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/sim/deadline.hpp>
#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {
namespace {

namespace asio = boost::asio;
using clock = std::chrono::steady_clock;

class recovering_worker final : public contract::resilient_worker {
 public:
  recovering_worker(const asio::any_io_executor& executor, const contract::resilient_worker_config& config)
      : executor_(executor),
        capacity_(static_cast<std::size_t>(config.capacity)),
        attempts_max_(config.attempts_max > 0 ? static_cast<std::uint32_t>(config.attempts_max) : 3),
        patience_(config.dead_letter_patience_ns) {}

  awaitable<void> join() override {
    while (settled_ < submitted_) co_await wait_in(joiners_, clock::time_point::max());
  }

 protected:
  awaitable<void> do_run() override { return scope(work()); }
  awaitable<void> do_submit(item one) override {
    while (fresh_.size() >= capacity_) co_await wait_in(submitters_, clock::time_point::max());
    entry made;
    made.one = std::move(one);
    fresh_.push_back(std::move(made));
    ++submitted_;
    wake_last(takers_);
  }
  std::vector<item> do_take_back() override {
    std::vector<item> items;
    for (entry& one : recovery_) items.push_back(std::move(one.one));
    for (entry& one : fresh_) items.push_back(std::move(one.one));
    recovery_.clear();
    fresh_.clear();
    return items;
  }

 private:
  struct entry {
    item one;
    std::uint32_t attempts = 0;
    std::exception_ptr failure;
    clock::time_point due = clock::time_point::min();
  };
  using waiters = std::vector<asio::steady_timer*>;

  // Until somebody wakes it or the deadline has passed. Throws if the caller is cancelled, and hands the wake-up on.
  awaitable<void> wait_in(waiters& where, clock::time_point deadline) {
    asio::steady_timer bell(executor_, deadline);
    where.push_back(&bell);
    boost::system::error_code rung;
    std::exception_ptr failure;
    try {
      co_await bell.async_wait(asio::redirect_error(asio::use_awaitable, rung));
    } catch (...) {
      failure = std::current_exception();
    }
    const bool woken = std::erase(where, &bell) == 0;
    const auto state = co_await asio::this_coro::cancellation_state;
    const bool cancelled = failure || state.cancelled() != asio::cancellation_type::none;
    if (!cancelled) co_return;
    if (woken) wake_last(where);
    if (failure) std::rethrow_exception(failure);
    contract::throw_cancelled();
  }
  static void wake_last(waiters& where) {
    if (where.empty()) return;
    asio::steady_timer* const bell = where.back();
    where.pop_back();
    bell->cancel();
  }
  static void wake_all(waiters& where) {
    while (!where.empty()) wake_last(where);
  }

  awaitable<void> work() {
    co_await hold_requests;
    while (true) {
      check_cancelled(co_await asio::this_coro::cancellation_state);
      const auto next = std::find_if(recovery_.begin(), recovery_.end(),
                                     [now = clock::now()](const entry& one) { return one.due <= now; });
      if (next != recovery_.end()) {
        entry held = std::move(*next);
        recovery_.erase(next);
        co_await handle(held);
      } else if (!fresh_.empty()) {
        entry held = std::move(fresh_.front());
        fresh_.pop_front();
        wake_last(submitters_);
        co_await handle(held);
      } else {
        co_await wait_in(takers_, next_due());
      }
    }
  }

  clock::time_point next_due() const {
    clock::time_point first = clock::time_point::max();
    for (const entry& one : recovery_) first = std::min(first, one.due);
    return first;
  }

  // Throws if the worker is cancelled; then the item is in the recovery list, or has its fate.
  awaitable<void> handle(entry& held) {
    if (held.attempts < attempts_max_) {
      ++held.attempts;
      std::exception_ptr failure;
      try {
        co_await scope(process(held.one, held.attempts));
      } catch (...) {
        failure = std::current_exception();
      }
      if (!failure) {
        settle(held);
        co_return;
      }
      if (is_cancellation(failure)) {
        recover(held, std::chrono::nanoseconds(0));
        std::rethrow_exception(failure);
      }
      held.failure = failure;
    }
    if (held.attempts < attempts_max_) {
      recover(held, std::chrono::milliseconds(1));
    } else {
      if (!held.failure) held.failure = std::make_exception_ptr(std::runtime_error("attempts used up"));
      co_await bury(held);
    }
  }

  awaitable<void> bury(entry& held) {
    std::exception_ptr unwritten;
    try {
      co_await shield(dead_letter(held.one, held.failure, held.attempts), deadline_after(patience_));
    } catch (...) {
      unwritten = std::current_exception();
    }
    if (unwritten) lost(std::move(held.one), held.failure, held.attempts, unwritten);
    settle(held);
  }

  // To the front, so that of several the one that was put back last comes first.
  void recover(entry& held, std::chrono::nanoseconds pause) {
    held.due = clock::now() + pause;
    recovery_.push_front(std::move(held));
    wake_last(takers_);
  }

  void settle(entry& held) {
    const item gone = std::move(held.one);
    ++settled_;
    wake_all(joiners_);
  }

  const asio::any_io_executor executor_;
  const std::size_t capacity_;
  const std::uint32_t attempts_max_;
  const std::chrono::nanoseconds patience_;
  std::deque<entry> fresh_;
  std::deque<entry> recovery_;
  waiters takers_;
  waiters submitters_;
  waiters joiners_;
  std::size_t submitted_ = 0;
  std::size_t settled_ = 0;
};

const detail::registrar recovering(std::make_unique<subject<contract::resilient_worker>>(
    "tries_again", subject_kind::alternative,
    subject_traits{.features = {"requeue", "dead_letter", "attempts", "attempt_cap", "join"}},
    [](environment& env, const contract::resilient_worker_config& config) {
      return std::make_unique<recovering_worker>(env.executor(), config);
    }));

}  // namespace
}  // namespace assay
