// Assembled services in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>

namespace assay {
namespace {

class service_in_testee final : public testee::proxy_of<contract::service> {
 public:
  using proxy_of::proxy_of;

  awaitable<contract::service_report> run() override { return call<contract::service_report>("run"); }
  void request_stop() override { call_now("request_stop"); }
  bool ready() const override { return ask<bool>("ready"); }
  bool live() const override { return ask<bool>("live"); }
  std::size_t buffered() const override { return ask<std::size_t>("buffered"); }

 protected:
  awaitable<void> do_submit(item one) override { return call("submit", args("item", std::move(one))); }
  std::vector<item> do_take_back() override { return call_now<std::vector<item>>("take_back"); }

 private:
  awaitable<void> called(std::string name, object sent) override {
    if (name == "work") {
      // What could not be worked on is to be handed back, or given up.
      return hand_out(arg<item>(sent, "item"), [this](const item& one) { return work_on(one); });
    }
    if (name == "open_sink") return outside().open_sink();
    if (name == "close_sink") return outside().close_sink();
    if (name == "open_store") return outside().open_store();
    if (name == "close_store") return outside().close_store();
    no_such(name);
  }
  void told(const std::string& name, const object& sent) override {
    if (name == "event") return outside().event(arg<std::string>(sent, "what"));
    if (name == "give_up") return give_up(arg<item>(sent, "item"));
    no_such(name);
  }
};

const testee::registrar<service_in_testee> registered({.looks = {{"ready"}, {"live"}, {"buffered"}}});

}  // namespace
}  // namespace assay
