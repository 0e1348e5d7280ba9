#include <assay/reference/flow/mutex.hpp>

#include <exception>
#include <map>
#include <stdexcept>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>

namespace assay {
namespace {

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::broken&) {
    throw contract::broken_error();
  } catch (const reference::refused& refusal) {
    throw contract::rejected_error(refusal.what());
  } catch (const std::logic_error& why) {
    throw contract::rejected_error(why.what());
  }
}

// What a call that does not wait throws, in the contract's words.
template <class Call>
void translate(Call&& call) {
  try {
    call();
  } catch (const std::logic_error& why) {
    throw contract::rejected_error(why.what());
  }
}

class reference_guard final : public contract::mutex_guard {
 public:
  explicit reference_guard(reference::mutex::guard held) : held_(std::move(held)) {}
  void unlock() override { held_.unlock(); }
  std::unique_ptr<mutex_guard> move() override { return std::make_unique<reference_guard>(std::move(held_)); }

 private:
  reference::mutex::guard held_;
};

class reference_mutex final : public contract::mutex {
 public:
  reference_mutex(const boost::asio::any_io_executor&, const contract::mutex_config&) {}
  awaitable<void> wait_unlocked() override { return translated(mutex_.wait_unlocked(), &rethrow); }
  void cancel_all() override { mutex_.cancel_all(); }
  bool is_locked() const override { return mutex_.is_locked(); }
  std::optional<std::int64_t> holder() const override {
    for (const auto& [number, one] : owners_) {
      if (mutex_.is_held_by(one)) return number;
    }
    return std::nullopt;
  }
  std::size_t waiting() const override { return mutex_.waiting(); }

 protected:
  awaitable<void> do_run(work inside) override {
    co_await translated(mutex_.run(begun(std::move(inside))), &rethrow);
  }
  awaitable<void> do_run_for(nanoseconds patience, work inside) override {
    const reference::lock_request how{.deadline = reference::deadline_after(patience)};
    co_await translated(mutex_.run(begun(std::move(inside)), how), &rethrow);
  }
  awaitable<void> do_lock() override { return translated(mutex_.acquire(), &rethrow); }
  void do_unlock() override {
    translate([this] { mutex_.unlock(); });
  }
  bool do_try_lock() override { return mutex_.try_acquire(); }
  awaitable<void> do_lock_urgently(std::int64_t priority) override {
    return translated(mutex_.acquire({.priority = priority}), &rethrow);
  }
  awaitable<void> do_lock_as(std::int64_t owner) override {
    return translated(mutex_.lock_as(owners_[owner]), &rethrow);
  }
  void do_unlock_as(std::int64_t owner) override {
    translate([&] { mutex_.unlock_as(owners_[owner]); });
  }
  void do_end_owner(std::int64_t owner) override { owners_.erase(owner); }
  awaitable<std::unique_ptr<contract::mutex_guard>> do_lock_guarded() override {
    reference::mutex::guard held = co_await translated(mutex_.lock(), &rethrow);
    co_return std::make_unique<reference_guard>(std::move(held));
  }

 private:
  // The work is made when it may begin.
  static awaitable<void> begun(work inside) { co_await inside(); }

  reference::mutex mutex_;
  std::map<std::int64_t, reference::mutex::owner> owners_;
};

const implements<reference_mutex> registered(
    "reference", subject_kind::reference,
    {.features = {"fair", "timed", "manual", "try", "checked_unlock", "owner_checked", "owner_death",
                  "guard_objects", "cancel_all", "wait_unlocked", "priority", "status", "statistics",
                  "strict_entry", "posted_wakeups", "checked_destruction"}});

}  // namespace
}  // namespace assay
