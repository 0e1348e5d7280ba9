// Timeouts in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/failure/timeout/contract.hpp>

namespace assay {
namespace {

class timeout_in_testee final : public testee::proxy_of<contract::timeout> {
 public:
  using proxy_of::proxy_of;
  void set_deadline(nanoseconds limit) override { call_now("set_deadline", args("limit", limit)); }
  awaitable<contract::partial_result> wait_some(nanoseconds limit) override {
    return call<contract::partial_result>("wait_some", args("limit", limit));
  }
  awaitable<void> end_operations() override { return call("end_operations"); }
  void open_scope(nanoseconds limit) override { call_now("open_scope", args("limit", limit)); }
  void stop_scope() override { call_now("stop_scope"); }
  bool reschedule(nanoseconds limit) override { return call_now<bool>("reschedule", args("limit", limit)); }
  void lift_shield() override { call_now("lift_shield"); }
  std::size_t abandoned() const override { return ask<std::size_t>("abandoned"); }
  awaitable<void> join_abandoned() override { return call("join_abandoned"); }

 protected:
  awaitable<void> do_run_for(nanoseconds limit, work one) override {
    return call("run_for", args("limit", limit, "work", testee::step(std::move(one))));
  }
  awaitable<bool> do_run_for_or(nanoseconds limit, work one) override {
    return call<bool>("run_for_or", args("limit", limit, "work", testee::step(std::move(one))));
  }
  awaitable<void> do_run_by_deadline(work one) override {
    return call("run_by_deadline", args("work", testee::step(std::move(one))));
  }
  awaitable<bool> do_run_nested(nanoseconds outer, nanoseconds inner, work one) override {
    return call<bool>("run_nested",
                      args("inner", inner, "outer", outer, "work", testee::step(std::move(one))));
  }
  awaitable<std::int64_t> do_race(std::vector<work> all, giving_back give_back) override {
    give_back_ = std::move(give_back);
    boost::json::array works;
    for (work& one : all) works.push_back(args("id", testee::step(std::move(one))));
    return call<std::int64_t>("race", args("works", works));
  }
  void do_begin_operation(work one) override {
    call_now("begin_operation", args("work", testee::step(std::move(one))));
  }
  awaitable<bool> do_run_scope(work one) override {
    return call<bool>("run_scope", args("work", testee::step(std::move(one))));
  }
  awaitable<void> do_run_shielded(nanoseconds limit, work one) override {
    return call("run_shielded", args("limit", limit, "work", testee::step(std::move(one))));
  }
  awaitable<void> do_run_or_abandon(nanoseconds limit, work one) override {
    return call("run_or_abandon", args("limit", limit, "work", testee::step(std::move(one))));
  }

 private:
  void told(const std::string& name, const object& sent) override {
    if (name != "give_back") no_such(name);
    tell(give_back_, arg<std::int64_t>(sent, "index"));
  }

  giving_back give_back_;
};

const testee::registrar<timeout_in_testee> registered({.unseen = {"strict_entry"}});

}  // namespace
}  // namespace assay
