// Lifespans in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/harness/testee/steps.hpp>
#include <assay/scenarios/lifecycle/lifespan/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

class lifespan_in_testee final : public contract::lifespan, private testee::proxy {
 public:
  using proxy::proxy;

  void add(std::string name, step start, step stop) override {
    object args;
    args["name"] = std::move(name);
    args["start"] = steps_.keep(std::move(start));
    args["stop"] = steps_.keep(std::move(stop));
    call_now("add", std::move(args));
  }
  awaitable<void> run(step body) override {
    object args;
    args["body"] = steps_.keep(std::move(body));
    co_await call("run", std::move(args));
  }
  void start_user(std::string resource, std::string name, step work) override {
    object args;
    args["resource"] = std::move(resource);
    args["name"] = std::move(name);
    args["work"] = steps_.keep(std::move(work));
    call_now("start_user", std::move(args));
  }
  std::vector<std::string> stop_timeouts() const override { return texts(ask("stop_timeouts")); }
  std::size_t held() const override { return static_cast<std::size_t>(number(ask("held"))); }

 protected:
  std::uint64_t do_hold(std::string name, step remove) override {
    object args;
    args["name"] = std::move(name);
    args["remove"] = steps_.keep(std::move(remove));
    return static_cast<std::uint64_t>(number(call_now("hold", std::move(args))));
  }
  awaitable<void> do_release(std::uint64_t held) override {
    object args;
    args["held"] = static_cast<std::int64_t>(held);
    co_await call("release", std::move(args));
  }

 private:
  awaitable<void> called(std::string name, object args) override {
    if (name != "step") no_such(name);
    const testee::steps::step one = steps_.find(testee::number_in(args, "step"));
    co_await one();
  }

  testee::steps steps_;
};

const testee::registrar<lifespan_in_testee, contract::lifespan> registered({"strict_entry",
                                                                            "checked_destruction"});

}  // namespace
}  // namespace assay
