// Resilient workers in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {
namespace {

class worker_in_testee final : public testee::proxy_of<contract::resilient_worker> {
 public:
  using proxy_of::proxy_of;

  awaitable<void> join() override { return call("join"); }

 protected:
  awaitable<void> do_run() override { return call("run"); }
  awaitable<void> do_submit(item one) override { return call("submit", args("item", std::move(one))); }
  std::vector<item> do_take_back() override { return call_now<std::vector<item>>("take_back"); }

 private:
  awaitable<void> called(std::string name, object sent) override {
    if (name == "process") {
      // It stays inside: it may be processed again.
      return process(look_at(arg<std::int64_t>(sent, "item")), arg<std::uint32_t>(sent, "attempt"));
    }
    if (name != "dead_letter") no_such(name);
    auto write = [this, cause = cause_in(sent, "cause"), attempts = arg<std::uint32_t>(sent, "attempts")](
                     item& one) { return dead_letter(one, cause, attempts); };
    return hand_out(arg<item>(sent, "item"), std::move(write));
  }
  void told(const std::string& name, const object& sent) override {
    if (name != "lost") no_such(name);
    lost(arg<item>(sent, "item"), cause_in(sent, "cause"), arg<std::uint32_t>(sent, "attempts"),
         cause_in(sent, "unwritten"));
  }
  std::exception_ptr cause_in(const object& sent, std::string_view member) {
    return arg<std::optional<std::exception_ptr>>(sent, member).value_or(nullptr);
  }
};

const testee::registrar<worker_in_testee> registered;

}  // namespace
}  // namespace assay
