// Lifespans in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {
namespace {

class lifespan_in_testee final : public testee::proxy_of<contract::lifespan> {
 public:
  using proxy_of::proxy_of;

  std::vector<std::string> stop_timeouts() const override {
    return ask<std::vector<std::string>>("stop_timeouts");
  }
  std::size_t held() const override { return ask<std::size_t>("held"); }

 protected:
  void do_add(std::string name, step start, step stop) override {
    call_now("add", args("name", name, "start", std::move(start), "stop", std::move(stop)));
  }
  awaitable<void> do_run(step body) override { return call("run", args("body", std::move(body))); }
  void do_start_user(std::string resource, std::string name, step work) override {
    call_now("start_user", args("resource", resource, "name", name, "work", std::move(work)));
  }
  std::uint64_t do_hold(std::string name, step remove) override {
    return call_now<std::uint64_t>("hold", args("name", name, "remove", std::move(remove)));
  }
  awaitable<void> do_release(std::uint64_t held) override { return call("release", args("held", held)); }
};

const testee::registrar<lifespan_in_testee> registered({
    .unseen = {"strict_entry", "checked_destruction"},
    .looks = {{"held", "transient"}},
});

}  // namespace
}  // namespace assay
