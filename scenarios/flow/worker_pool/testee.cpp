// Worker pools in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/worker_pool/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

class pool_in_testee final : public contract::worker_pool, private testee::proxy {
 public:
  using proxy::proxy;

  awaitable<void> drain() override { co_await call("drain"); }
  awaitable<void> outcome(int job) override {
    object args;
    args["job"] = job;
    co_await call("outcome", std::move(args));
  }
  bool drains_nested() const override { return flag(ask("drains_nested")); }
  void start() override { call_now("start"); }

 protected:
  void do_scale_to(std::int64_t workers) override {
    object args;
    args["workers"] = workers;
    call_now("scale_to", std::move(args));
  }
  awaitable<void> do_submit(item job, contract::worker_pool_request how) override {
    object args;
    args["job"] = put(std::move(job));
    args["priority"] = how.priority;
    args["timeout_ns"] = testee::write_number(how.timeout_ns);
    co_await call("submit", std::move(args));
  }
  awaitable<void> do_submit_from_job(int parent, item job) override {
    object args;
    args["parent"] = parent;
    args["job"] = put(std::move(job));
    co_await call("submit_from_job", std::move(args));
  }
  awaitable<std::vector<item>> do_stop_now() override {
    const json::value jobs = co_await call("stop_now");
    co_return take_all(jobs);
  }
  awaitable<contract::worker_pool_report> do_drain_for(nanoseconds patience) override {
    object args;
    args["patience"] = testee::write_duration(patience);
    const json::value sent = co_await call("drain_for", std::move(args));
    contract::worker_pool_report report;
    checked([&] {
      const object& all = testee::to_object(sent, "value");
      report.cancelled = static_cast<std::size_t>(testee::number_in(all, "cancelled"));
      report.unstarted = static_cast<std::size_t>(testee::number_in(all, "unstarted"));
      if (const json::value* const returned = all.if_contains("returned"))
        report.returned = take_all(*returned);
    });
    co_return report;
  }

 private:
  awaitable<void> called(std::string name, object args) override {
    if (name != "run") no_such(name);
    item job = take(testee::number_in(args, "job"));
    if (!job) throw contract::rejected_error("this job has been executed before");  // the ledger knows
    co_await execute(std::move(job));
  }
  void told(const std::string& name, const object& args) override {
    if (name != "hand_back") no_such(name);
    hand_back(take(testee::number_in(args, "job")));
  }
};

const testee::registrar<pool_in_testee, contract::worker_pool> registered;

}  // namespace
}  // namespace assay
