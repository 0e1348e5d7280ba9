// Cleanup scopes in testees.
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/failure/cleanup/contract.hpp>

namespace assay {
namespace {

class cleanup_in_testee final : public testee::proxy_of<contract::cleanup> {
 public:
  using proxy_of::proxy_of;

  void handle(std::string name, bool swallows, observer seen) override {
    call_now("handle", args("name", name, "swallows", swallows, "handler", observers_.keep(std::move(seen))));
  }
  std::vector<std::string> forced() const override { return ask<std::vector<std::string>>("forced"); }
  contract::cleanup_statistics statistics() const override {
    return ask<contract::cleanup_statistics>("statistics");
  }

 protected:
  awaitable<void> do_run(step body) override { return call("run", args("body", std::move(body))); }
  awaitable<void> do_acquire(contract::cleanup_resource what) override {
    const bool closable = static_cast<bool>(what.close);
    object sent = args("name", what.name, "acquire", std::move(what.acquire), "flush", std::move(what.flush),
                       "force", forces_.keep(std::move(what.force_close)));
    if (closable) sent["close"] = args("close", std::move(what.close))["close"];
    return call("acquire", std::move(sent));
  }
  awaitable<void> do_close() override { return call("close"); }

 private:
  void told(const std::string& name, const object& sent) override {
    if (name == "handled")
      return observers_.find(arg<std::int64_t>(sent, "handler"))(arg<outcome>(sent, "so_far"));
    if (name != "forced") no_such(name);
    forces_.find(arg<std::int64_t>(sent, "force"))();
  }

  testee::numbered<observer> observers_;
  testee::numbered<std::function<void()>> forces_;
};

const testee::registrar<cleanup_in_testee> registered({
    .unseen = {"strict_entry", "checked_destruction"},
    .looks = {{"statistics", "statistics"}},
});

}  // namespace
}  // namespace assay
