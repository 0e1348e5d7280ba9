// Graceful shutdown coordinators in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {
namespace {

using closer = std::function<void(contract::connection_close)>;

class shutdown_in_testee final : public testee::proxy_of<contract::graceful_shutdown> {
 public:
  using proxy_of::proxy_of;

  void on_failure(std::function<void(std::string, std::exception_ptr)> hook) override {
    failed_ = std::move(hook);
  }
  void on_forced(std::function<void(std::string)> hook) override { forced_ = std::move(hook); }
  void add_resource(std::string name, async_function start, async_function stop) override {
    call_now("add_resource", args("name", name, "start", std::move(start), "stop", std::move(stop)));
  }
  void add_background(std::string name, async_function work) override {
    call_now("add_background", args("name", name, "work", std::move(work)));
  }
  void add_callback(std::string name, function called) override {
    call_now("add_callback", args("name", name, "function", functions_.keep(std::move(called))));
  }
  void add_async_callback(std::string name, async_function called) override {
    call_now("add_async_callback", args("name", name, "function", std::move(called)));
  }
  void request_stop() override { call_now("request_stop"); }
  void escalate() override { call_now("escalate"); }
  void signal() override { call_now("signal"); }
  bool ready() const override { return ask<bool>("ready"); }
  contract::late_registration late_policy() const override {
    return ask<contract::late_registration>("late_policy");
  }
  int open_connection(closer close) override {
    return call_now<int>("open_connection", args("close", closers_.keep(std::move(close))));
  }
  void set_busy(int connection, bool busy) override {
    call_now("set_busy", args("connection", connection, "busy", busy));
  }
  void connection_closed(int connection) override {
    call_now("connection_closed", args("connection", connection));
  }

 protected:
  void do_observe(std::function<void(contract::shutdown_phase)> observer) override {
    observer_ = std::move(observer);
  }
  awaitable<contract::shutdown_report> do_run() override { return call<contract::shutdown_report>("run"); }
  void do_admit(std::string name, async_function work) override {
    call_now("admit", args("name", name, "work", std::move(work)));
  }

 private:
  awaitable<void> called(std::string name, object sent) override {
    if (name != "function") return proxy::called(std::move(name), std::move(sent));
    return call_function(functions_.find(arg<std::int64_t>(sent, "function")));
  }
  // What it throws is the reply.
  static awaitable<void> call_function(function one) {
    one();
    co_return;
  }
  void told(const std::string& name, const object& sent) override {
    if (name == "phase") return tell(observer_, arg<contract::shutdown_phase>(sent, "phase"));
    if (name == "failure")
      return tell(failed_, arg<std::string>(sent, "name"), arg<std::exception_ptr>(sent, "error"));
    if (name == "forced") return tell(forced_, arg<std::string>(sent, "name"));
    if (name != "close") no_such(name);
    closers_.find(arg<std::int64_t>(sent, "close"))(arg<contract::connection_close>(sent, "how"));
  }

  std::function<void(contract::shutdown_phase)> observer_;
  std::function<void(std::string, std::exception_ptr)> failed_;
  std::function<void(std::string)> forced_;
  testee::numbered<function> functions_;
  testee::numbered<closer> closers_;
};

const testee::registrar<shutdown_in_testee> registered({.looks = {{"ready"}}});

}  // namespace
}  // namespace assay
