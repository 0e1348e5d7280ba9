// Events in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {
namespace {

class event_in_testee final : public contract::event, private testee::proxy {
 public:
  using proxy::proxy;
  bool is_set() const override { return flag(ask("is_set")); }
  std::size_t waiting() const override { return static_cast<std::size_t>(number(ask("waiting"))); }

 protected:
  awaitable<void> do_wait() override { co_await call("wait"); }
  awaitable<void> do_wait_for(nanoseconds patience) override {
    object args;
    args["patience"] = testee::write_duration(patience);
    co_await call("wait_for", std::move(args));
  }
  void do_set() override { call_now("set"); }
  void do_clear() override { call_now("clear"); }
  void do_broadcast() override { call_now("broadcast"); }
  void do_set_from_outside() override { call_now("set_from_outside"); }
};

const testee::registrar<event_in_testee, contract::event> registered({"posted_wakeups", "strict_entry",
                                                                      "checked_destruction"});

}  // namespace
}  // namespace assay
