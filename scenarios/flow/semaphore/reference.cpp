#include <assay/reference/flow/semaphore.hpp>

#include <exception>
#include <stdexcept>

#include <assay/harness/catalogue/subjects.hpp>
#include <assay/harness/trial/helpers.hpp>
#include <assay/reference/core/deadline.hpp>
#include <assay/reference/core/errors.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace assay {
namespace {

[[noreturn]] void rethrow(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const reference::timed_out&) {
    throw contract::timed_out_error();
  } catch (const reference::closed&) {
    throw contract::closed_error();
  } catch (const reference::refused& why) {
    throw contract::rejected_error(why.what());
  } catch (const std::logic_error& why) {
    throw contract::rejected_error(why.what());
  }
}

// What a call that does not wait throws, in the contract's words.
template <class Call>
auto translate(Call&& call) {
  try {
    return call();
  } catch (const std::logic_error& why) {
    throw contract::rejected_error(why.what());
  }
}

class reference_permit final : public contract::semaphore_permit {
 public:
  explicit reference_permit(reference::semaphore::permit held) : held_(std::move(held)) {}
  std::size_t count() const override { return held_.count(); }
  std::unique_ptr<semaphore_permit> split(std::size_t count) override {
    return translate([&] { return std::make_unique<reference_permit>(held_.split(count)); });
  }
  void merge(semaphore_permit& other) override {
    translate([&] { held_.merge(std::move(dynamic_cast<reference_permit&>(other).held_)); });
  }
  void forget() override { held_.forget(); }

 private:
  reference::semaphore::permit held_;
};

std::size_t checked(std::int64_t limit) {
  if (limit < 0) throw contract::rejected_error("a negative limit");
  return static_cast<std::size_t>(limit);
}

class reference_semaphore final : public contract::semaphore {
 public:
  reference_semaphore(const boost::asio::any_io_executor&, const contract::semaphore_config& how)
      : semaphore_(reference::semaphore_options{
            .limit = checked(how.limit),
            .waiting_max = how.waiting_max < 0 ? reference::no_bound : checked(how.waiting_max)}) {}
  std::size_t available() const override { return semaphore_.available(); }
  std::size_t waiting() const override { return semaphore_.waiting(); }
  void close() override { semaphore_.close(); }
  void cancel_all() override { semaphore_.cancel_all(); }

 protected:
  awaitable<void> do_acquire(std::size_t count) override {
    return translated(semaphore_.acquire(count), &rethrow);
  }
  awaitable<void> do_acquire_for(std::size_t count, nanoseconds patience) override {
    const reference::time_point deadline = reference::deadline_after(patience);
    return translated(semaphore_.acquire({.count = count, .deadline = deadline}), &rethrow);
  }
  awaitable<void> do_acquire_urgently(std::int64_t priority) override {
    return translated(semaphore_.acquire({.priority = priority}), &rethrow);
  }
  bool do_try_acquire(std::size_t count) override { return semaphore_.try_acquire(count); }
  void do_release(std::size_t count) override {
    translate([&] { semaphore_.release(count); });
  }
  awaitable<void> do_run(std::function<awaitable<void>()> work) override {
    co_await translated(semaphore_.run(started(std::move(work))), &rethrow);
  }
  void do_set_limit(std::int64_t limit) override { semaphore_.set_limit(checked(limit)); }
  awaitable<void> do_acquire_as(std::int64_t borrower) override {
    return translated(semaphore_.acquire_as(borrower), &rethrow);
  }
  void do_release_as(std::int64_t borrower) override {
    translate([&] { semaphore_.release_as(borrower); });
  }
  awaitable<std::unique_ptr<contract::semaphore_permit>> do_acquire_permit(std::size_t count) override {
    reference::semaphore::permit held = co_await translated(semaphore_.acquire_permit(count), &rethrow);
    co_return std::make_unique<reference_permit>(std::move(held));
  }

 private:
  // The work is made when it may begin.
  static awaitable<void> started(std::function<awaitable<void>()> work) { co_await work(); }

  reference::limiter<std::int64_t> semaphore_;
};

const implements<reference_semaphore> registered(
    "reference", subject_kind::reference,
    {.features = {"bounded",   "weighted",   "reject_oversize", "fair",           "try",
                  "timed",     "guarded",    "resizable",       "zero_limit",     "bulkhead",
                  "borrowers", "cancel_all", "priority",        "closable",       "permit_objects",
                  "value",     "statistics", "strict_entry",    "posted_wakeups", "checked_destruction"}});

}  // namespace
}  // namespace assay
