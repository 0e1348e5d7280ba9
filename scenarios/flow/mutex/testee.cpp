// Mutexes in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/mutex/contract.hpp>

namespace assay {
namespace {

class mutex_in_testee final : public testee::proxy_of<contract::mutex> {
 public:
  using proxy_of::proxy_of;
  awaitable<void> wait_unlocked() override { return call("wait_unlocked"); }
  void cancel_all() override { call_now("cancel_all"); }
  bool is_locked() const override { return ask<bool>("is_locked"); }
  std::optional<std::int64_t> holder() const override { return ask<std::optional<std::int64_t>>("holder"); }
  std::size_t waiting() const override { return ask<std::size_t>("waiting"); }

 protected:
  awaitable<void> do_run(work inside) override {
    return call("run", args("work", testee::step(std::move(inside))));
  }
  awaitable<void> do_run_for(nanoseconds patience, work inside) override {
    return call("run_for", args("patience", patience, "work", testee::step(std::move(inside))));
  }
  awaitable<void> do_lock() override { return call("lock"); }
  void do_unlock() override { call_now("unlock"); }
  bool do_try_lock() override { return call_now<bool>("try_lock"); }
  awaitable<void> do_lock_urgently(std::int64_t priority) override {
    return call("lock_urgently", args("priority", priority));
  }
  awaitable<void> do_lock_as(std::int64_t owner) override { return call("lock_as", args("owner", owner)); }
  void do_unlock_as(std::int64_t owner) override { call_now("unlock_as", args("owner", owner)); }
  void do_end_owner(std::int64_t owner) override { call_now("end_owner", args("owner", owner)); }
};

const testee::registrar<mutex_in_testee> registered({.unseen = {"posted_wakeups", "strict_entry",
                                                                "checked_destruction", "guard_objects"},
                                                     .looks = {{"is_locked", "status"}}});

}  // namespace
}  // namespace assay
