// Task groups in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {
namespace {

class group_in_testee final : public testee::proxy_of<contract::task_group> {
 public:
  using proxy_of::proxy_of;

  void close() override { call_now("close"); }

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    return run_as("run", args("children", keep_all(std::move(children))));
  }
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override {
    object last = args("id", std::move(body), "name", body_name);
    return run_as("run_with_body", args("body", last, "children", keep_all(std::move(children))));
  }
  bool do_spawn(child one) override {
    return call_now<bool>("spawn", args("child", keep_child(std::move(one))));
  }

 private:
  awaitable<void> run_as(std::string method, object all) {
    std::exception_ptr failure;
    try {
      co_await call(std::move(method), std::move(all));
    } catch (const testee::exit_wish& wish) {
      failure = std::make_exception_ptr(contract::exit_request(wish.status()));
    }
    if (failure) std::rethrow_exception(failure);
  }
  object keep_child(child one) { return args("id", std::move(one.run), "name", one.name); }
  boost::json::array keep_all(std::vector<child> children) {
    boost::json::array all;
    for (child& one : children) all.push_back(keep_child(std::move(one)));
    return all;
  }

  awaitable<void> called(std::string name, object sent) override {
    if (name != "child") no_such(name);
    const work run = take_step(sent, "id");  // lives as long as what it began
    std::exception_ptr failure;
    try {
      co_await run();
    } catch (const contract::exit_request& wish) {
      failure = std::make_exception_ptr(testee::exit_wish(wish.status()));
    }
    if (failure) std::rethrow_exception(failure);
  }
};

const testee::registrar<group_in_testee> registered;

}  // namespace
}  // namespace assay
