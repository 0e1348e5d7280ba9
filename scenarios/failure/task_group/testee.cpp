// Task groups in testees.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/failure/task_group/contract.hpp>

namespace assay {
namespace {

class group_in_testee final : public testee::proxy_of<contract::task_group> {
 public:
  using proxy_of::proxy_of;

  void close() override { call_now("close"); }
  void cancel() override { call_now("cancel"); }
  void cancel_child(const std::string& name) override { call_now("cancel_child", args("name", name)); }
  awaitable<contract::child_end> join_child(std::string name) override {
    return call<contract::child_end>("join_child", args("name", name));
  }
  awaitable<std::optional<contract::child_ending>> join_next() override {
    return call<std::optional<contract::child_ending>>("join_next");
  }

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
  awaitable<void> do_run_split(std::vector<child> children, std::vector<contract::failure_kind> kinds,
                               part_taker take) override {
    take_ = std::move(take);
    boost::json::array words;
    for (const contract::failure_kind one : kinds) words.push_back(testee::write(one));
    return run_as("run_split", args("children", keep_all(std::move(children)), "kinds", words));
  }
  // The child is known by the number under which it is called.
  awaitable<void> do_start(std::string name, starting_work work) override {
    const auto number = std::make_shared<std::int64_t>(0);
    ready_report report = [this, here = presence(), number] {
      return !here.expired() && call_now<bool>("ready", args("id", *number));
    };
    contract::task_group::work begin = [work = std::move(work), report] { return work(report); };
    object started = keep_child(child(std::move(name), std::move(begin)));
    *number = started.at("id").to_number<std::int64_t>();
    return call("start", args("child", started));
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

  void told(const std::string& name, const object& sent) override {
    if (name != "taken") no_such(name);
    tell(take_, arg<contract::failure_kind>(sent, "kind"), arg<outcome>(sent, "what"));
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

  part_taker take_;
};

const testee::registrar<group_in_testee> registered({.unseen = {"keeps_outside_request"}});

}  // namespace
}  // namespace assay
