// Conditions in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/condition/contract.hpp>

namespace assay {
namespace {

class condition_in_testee final : public testee::proxy_of<contract::condition> {
 public:
  using proxy_of::proxy_of;
  awaitable<void> notify_all() override { return call("notify_all"); }
  awaitable<void> change(std::int64_t number, std::size_t count) override {
    return call("change", args("number", number, "count", count));
  }
  std::int64_t number() const override { return ask<std::int64_t>("number"); }
  void notify_now(std::size_t count) override { call_now("notify_now", args("count", count)); }
  void notify_all_now() override { call_now("notify_all_now"); }
  awaitable<void> wait_without() override { return call("wait_without"); }
  bool is_locked() const override { return ask<bool>("is_locked"); }
  std::size_t waiting() const override { return ask<std::size_t>("waiting"); }

 protected:
  awaitable<void> do_hold(work inside) override {
    return call("hold", args("work", testee::step(std::move(inside))));
  }
  awaitable<void> do_wait(work after) override {
    return call("wait", with(args(), "after", std::move(after)));
  }
  awaitable<void> do_wait_for(nanoseconds patience, work after) override {
    return call("wait_for", with(args("patience", patience), "after", std::move(after)));
  }
  awaitable<std::int64_t> do_wait_until(std::int64_t at_least, work after) override {
    return call<std::int64_t>("wait_until", with(args("at_least", at_least), "after", std::move(after)));
  }
  awaitable<void> do_notify(std::size_t count, work inside) override {
    return call("notify", with(args("count", count), "inside", std::move(inside)));
  }
  awaitable<void> do_lock() override { return call("lock"); }
  void do_unlock() override { call_now("unlock"); }
  awaitable<void> do_wait_held() override { return call("wait_held"); }
  awaitable<void> do_wait_held_for(nanoseconds patience) override {
    return call("wait_held_for", args("patience", patience));
  }

 private:
  // What a call does besides, if it does.
  object with(object all, std::string_view name, work doing) {
    if (doing) all[name] = args("step", testee::step(std::move(doing))).at("step");
    return all;
  }
};

const testee::registrar<condition_in_testee> registered({.unseen = {"posted_wakeups", "strict_entry",
                                                                    "checked_destruction"}});

}  // namespace
}  // namespace assay
