// Semaphores in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/semaphore/contract.hpp>

namespace assay {
namespace {

class semaphore_in_testee final : public testee::proxy_of<contract::semaphore> {
 public:
  using proxy_of::proxy_of;
  std::size_t available() const override { return ask<std::size_t>("available"); }
  std::size_t waiting() const override { return ask<std::size_t>("waiting"); }
  void cancel_all() override { call_now("cancel_all"); }
  void close() override { call_now("close"); }

 protected:
  awaitable<void> do_acquire(std::size_t count) override { return call("acquire", args("count", count)); }
  awaitable<void> do_acquire_for(std::size_t count, nanoseconds patience) override {
    return call("acquire_for", args("count", count, "patience", patience));
  }
  awaitable<void> do_acquire_urgently(std::int64_t priority) override {
    return call("acquire_urgently", args("priority", priority));
  }
  bool do_try_acquire(std::size_t count) override {
    return call_now<bool>("try_acquire", args("count", count));
  }
  void do_release(std::size_t count) override { call_now("release", args("count", count)); }
  awaitable<void> do_run(std::function<awaitable<void>()> work) override {
    return call("run", args("work", testee::step(std::move(work))));
  }
  void do_set_limit(std::int64_t limit) override { call_now("set_limit", args("limit", limit)); }
  awaitable<void> do_acquire_as(std::int64_t borrower) override {
    return call("acquire_as", args("borrower", borrower));
  }
  void do_release_as(std::int64_t borrower) override { call_now("release_as", args("borrower", borrower)); }
};

const testee::registrar<semaphore_in_testee> registered({.unseen = {"posted_wakeups", "strict_entry",
                                                                    "checked_destruction", "permit_objects"},
                                                         .looks = {{"available", "value"}}});

}  // namespace
}  // namespace assay
