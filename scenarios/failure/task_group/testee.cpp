// Task groups in testees.
#include <map>

#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

class group_in_testee final : public contract::task_group, private testee::proxy {
 public:
  using proxy::proxy;

  void close() override { call_now("close"); }

 protected:
  awaitable<void> do_run(std::vector<child> children) override {
    object args;
    args["children"] = keep_all(std::move(children));
    co_await run_as("run", std::move(args));
  }
  awaitable<void> do_run_with_body(std::vector<child> children, work body) override {
    object args;
    child last(std::string(body_name), std::move(body));
    args["body"] = keep(std::move(last));
    args["children"] = keep_all(std::move(children));
    co_await run_as("run_with_body", std::move(args));
  }
  bool do_spawn(child one) override {
    object args;
    args["child"] = keep(std::move(one));
    return flag(call_now("spawn", std::move(args)));
  }

 private:
  awaitable<void> run_as(std::string method, object args) {
    std::exception_ptr failure;
    try {
      co_await call(std::move(method), std::move(args));
    } catch (const testee::exit_wish& wish) {
      failure = std::make_exception_ptr(contract::exit_request(wish.status()));
    }
    if (failure) std::rethrow_exception(failure);
  }

  object keep(child one) {
    object text;
    text["id"] = ++last_child_;
    text["name"] = one.name;
    children_.emplace(last_child_, std::move(one.run));
    return text;
  }
  json::array keep_all(std::vector<child> children) {
    json::array all;
    for (child& one : children) all.push_back(keep(std::move(one)));
    return all;
  }

  awaitable<void> called(std::string name, object args) override {
    if (name != "child") no_such(name);
    const std::int64_t id = testee::number_in(args, "id");
    const auto found = children_.find(id);
    if (found == children_.end())
      throw testee::protocol_error("runs the child " + std::to_string(id) +
                                   ", which is not there or has been run before");
    const work run = std::move(found->second);  // lives as long as what it began
    children_.erase(found);
    std::exception_ptr failure;
    try {
      co_await run();
    } catch (const contract::exit_request& wish) {
      failure = std::make_exception_ptr(testee::exit_wish(wish.status()));
    }
    if (failure) std::rethrow_exception(failure);
  }

  std::map<std::int64_t, work> children_;  // that have not begun
  std::int64_t last_child_ = 0;
};

const testee::registrar<group_in_testee, contract::task_group> registered;

}  // namespace
}  // namespace assay
