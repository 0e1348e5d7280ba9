// Worker pools in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {
namespace {

class pool_in_testee final : public testee::proxy_of<contract::worker_pool> {
 public:
  using proxy_of::proxy_of;

  awaitable<void> drain() override { return call("drain"); }
  awaitable<void> outcome(int job) override { return call("outcome", args("job", job)); }
  bool drains_nested() const override { return ask<bool>("drains_nested"); }
  void start() override { call_now("start"); }

 protected:
  void do_scale_to(std::int64_t workers) override { call_now("scale_to", args("workers", workers)); }
  awaitable<void> do_submit(item job, contract::worker_pool_request how) override {
    return call("submit",
                args("job", std::move(job), "priority", how.priority, "timeout_ns", how.timeout_ns));
  }
  awaitable<void> do_submit_from_job(int parent, item job) override {
    return call("submit_from_job", args("parent", parent, "job", std::move(job)));
  }
  awaitable<std::vector<item>> do_stop_now() override { return call<std::vector<item>>("stop_now"); }
  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override {
    return call<contract::worker_pool_report>("drain_for", args("patience", patience));
  }

 private:
  awaitable<void> called(std::string name, object sent) override {
    if (name != "run") no_such(name);
    item job = arg<item>(sent, "job");
    if (!job) throw contract::rejected_error("this job has been executed before");  // the ledger knows
    return execute(std::move(job));
  }
  void told(const std::string& name, const object& sent) override {
    if (name != "hand_back") no_such(name);
    hand_back(arg<item>(sent, "job"));
  }
};

const testee::registrar<pool_in_testee> registered;

}  // namespace
}  // namespace assay
