// What the visits of a condition are made of where anybody may lock and unlock: the calls that `manual` has. Subjects of this
// process derive from this, and implement those.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <utility>

#include <assay/harness/trial/scope.hpp>
#include <assay/scenarios/flow/condition/contract.hpp>

namespace assay {

class condition_by_hand : public contract::condition {
 public:
  awaitable<void> notify_all() final {
    co_await lock();
    notify_all_now();
    unlock();
  }
  awaitable<void> change(std::int64_t number, std::size_t count) final {
    co_await lock();
    number_ = number;
    notify_now(count);
    unlock();
  }
  std::int64_t number() const final { return number_; }

  void notify_now(std::size_t count) override = 0;
  void notify_all_now() override = 0;

 protected:
  /// The number if it is large enough, and else 0.
  using predicate = std::function<std::int64_t()>;

  awaitable<void> do_lock() override = 0;
  void do_unlock() override = 0;
  awaitable<void> do_wait_held() override = 0;
  /// `value` is what the predicate said when the wait ended.
  virtual awaitable<void> do_wait_held_until(predicate holds, std::int64_t& value) {
    for (value = holds(); value == 0; value = holds()) co_await do_wait_held();
  }

 private:
  bool counts_who_locks() const noexcept final { return true; }
  awaitable<void> do_hold(work inside) final { return do_notify(0, std::move(inside)); }
  awaitable<void> do_notify(std::size_t count, work inside) final {
    co_await lock();
    if (count > 0) notify_now(count);
    std::exception_ptr failure;
    try {
      if (inside) co_await inside();
    } catch (...) {
      failure = std::current_exception();
    }
    unlock();
    if (failure) std::rethrow_exception(failure);
  }
  awaitable<void> do_wait(work after) final {
    return visit([this] { return wait_held(); }, std::move(after));
  }
  awaitable<void> do_wait_for(nanoseconds patience, work after) final {
    return visit([this, patience] { return wait_held_for(patience); }, std::move(after));
  }
  awaitable<std::int64_t> do_wait_until(std::int64_t at_least, work after) final {
    std::int64_t value = 0;
    predicate holds = [this, at_least] {
      note_look();
      return number_ >= at_least ? number_ : 0;
    };
    work waits = [this, &holds, &value] { return waiting_held(do_wait_held_until(holds, value)); };
    auto visiting = visit(std::move(waits), std::move(after));
    co_await std::move(visiting);
    co_return value;
  }

  // A request that comes with the mutex ends the wait before it begins; then, too, somebody must unlock.
  awaitable<void> visit(work waits, work after) {
    const bool throwing = co_await boost::asio::this_coro::throw_if_cancelled();
    co_await lock();
    std::exception_ptr failure;
    try {
      co_await waits();
    } catch (...) {
      failure = std::current_exception();
    }
    if (!is_held_after(failure)) std::rethrow_exception(failure);
    co_await hold_requests;
    try {
      if (after) co_await shield(after());
    } catch (...) {
      if (!failure) failure = std::current_exception();
    }
    unlock();
    co_await boost::asio::this_coro::throw_if_cancelled(throwing);
    if (failure) std::rethrow_exception(failure);
  }

  std::int64_t number_ = 0;
};

}  // namespace assay
