#include <assay/reference/flow/condition.hpp>

#include <exception>
#include <functional>
#include <stdexcept>
#include <utility>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/reference/flow/mutex.hpp>
#include <assay/scenarios/flow/condition/by_hand.hpp>

namespace assay {
namespace {

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::broken&) {
    throw contract::broken_error();
  } catch (const std::logic_error& why) {
    throw contract::rejected_error(why.what());
  }
}

class reference_condition final : public condition_by_hand {
 public:
  reference_condition(const boost::asio::any_io_executor&, const contract::condition_config& config)
      : reacquire_within_(config.reacquire_within) {}
  void notify_now(std::size_t count) override { count == 1 ? changed_.notify_one() : changed_.notify(count); }
  void notify_all_now() override { changed_.notify_all(); }
  awaitable<void> wait_without() override {
    reference::mutex::guard nothing;
    co_await translated(changed_.wait(nothing), &rethrow);
  }
  bool is_locked() const override { return door_.is_locked(); }
  std::size_t waiting() const override { return changed_.waiting(); }

 protected:
  awaitable<void> do_lock() override { held_ = co_await translated(door_.lock(), &rethrow); }
  void do_unlock() override { held_.unlock(); }
  awaitable<void> do_wait_held() override { return wait_until(reference::no_deadline); }
  awaitable<void> do_wait_held_for(nanoseconds patience) override {
    return wait_until(reference::deadline_after(patience));
  }
  awaitable<void> do_wait_held_until(predicate holds, std::int64_t& value) override {
    return with_guard([this, holds = std::move(holds), &value](reference::mutex::guard& mine) {
      return keep_value(changed_.wait(mine, holds, how(reference::no_deadline)), value);
    });
  }

 private:
  using wait_with = std::function<awaitable<void>(reference::mutex::guard&)>;

  reference::condition_wait how(reference::time_point deadline) const {
    return {.deadline = deadline, .reacquire_within = reacquire_within_};
  }
  awaitable<void> wait_until(reference::time_point deadline) {
    return with_guard(
        [this, deadline](reference::mutex::guard& mine) { return changed_.wait(mine, how(deadline)); });
  }
  static awaitable<void> keep_value(awaitable<std::int64_t> waiting, std::int64_t& value) {
    value = co_await std::move(waiting);
  }
  // Who waits takes the guard with him, and brings it back.
  awaitable<void> with_guard(wait_with waits) {
    reference::mutex::guard mine = std::move(held_);
    std::exception_ptr failure;
    try {
      co_await translated(waits(mine), &rethrow);
    } catch (...) {
      failure = std::current_exception();
    }
    if (is_held_after(failure)) held_ = std::move(mine);
    if (failure) std::rethrow_exception(failure);
  }

  const nanoseconds reacquire_within_;
  reference::mutex door_;
  reference::condition changed_{door_};
  reference::mutex::guard held_;  // of who holds the mutex
};

const implements<reference_condition> registered(
    "reference", subject_kind::reference,
    {.features = {"fair", "exact_wakeups", "timed", "predicate_value", "manual", "plain_notify",
                  "checked_lock", "bounded_reacquire", "status", "statistics", "strict_entry",
                  "posted_wakeups", "checked_destruction"}});

}  // namespace
}  // namespace assay
