// Events in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/event/contract.hpp>

namespace assay {
namespace {

class event_in_testee final : public testee::proxy_of<contract::event> {
 public:
  using proxy_of::proxy_of;
  bool is_set() const override { return ask<bool>("is_set"); }
  std::size_t waiting() const override { return ask<std::size_t>("waiting"); }

 protected:
  awaitable<void> do_wait() override { return call("wait"); }
  awaitable<void> do_wait_for(nanoseconds patience) override {
    return call("wait_for", args("patience", patience));
  }
  void do_set() override { call_now("set"); }
  void do_clear() override { call_now("clear"); }
  void do_broadcast() override { call_now("broadcast"); }
  void do_set_from_outside() override { call_now("set_from_outside"); }
};

const testee::registrar<event_in_testee> registered({.unseen = {"posted_wakeups", "strict_entry",
                                                                "checked_destruction"}});

}  // namespace
}  // namespace assay
