// Graceful shutdown coordinators in testees.
#include <map>

#include <assay/harness/testee/proxy.hpp>
#include <assay/harness/testee/steps.hpp>
#include <assay/scenarios/lifecycle/graceful_shutdown/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

// A described enumerator by its name.
template <class Enum>
Enum read_word(std::string_view text, std::string_view what) {
  Enum value{};
  if (boost::describe::enum_from_string(std::string(text).c_str(), value)) return value;
  throw testee::protocol_error("sent '" + std::string(text) + "' as '" + std::string(what) + "'");
}

class shutdown_in_testee final : public contract::graceful_shutdown, private testee::proxy {
 public:
  using proxy::proxy;

  void on_failure(std::function<void(std::string, std::exception_ptr)> hook) override {
    failed_ = std::move(hook);
  }
  void on_forced(std::function<void(std::string)> hook) override { forced_ = std::move(hook); }

  void add_resource(std::string name, async_function start, async_function stop) override {
    object args = named(std::move(name));
    args["start"] = steps_.keep(std::move(start));
    args["stop"] = steps_.keep(std::move(stop));
    call_now("add_resource", std::move(args));
  }
  void add_background(std::string name, async_function work) override {
    object args = named(std::move(name));
    args["work"] = steps_.keep(std::move(work));
    call_now("add_background", std::move(args));
  }
  void add_callback(std::string name, function called) override {
    object args = named(std::move(name));
    args["function"] = ++last_function_;
    functions_[last_function_] = std::move(called);
    call_now("add_callback", std::move(args));
  }
  void add_async_callback(std::string name, async_function called) override {
    object args = named(std::move(name));
    args["function"] = steps_.keep(std::move(called));
    call_now("add_async_callback", std::move(args));
  }

  void request_stop() override { call_now("request_stop"); }
  void escalate() override { call_now("escalate"); }
  void signal() override { call_now("signal"); }
  bool ready() const override { return flag(ask("ready")); }
  contract::late_registration late_policy() const override {
    const json::value sent = ask("late_policy");
    return checked([&] {
      return read_word<contract::late_registration>(testee::to_text(sent, "late_policy"), "late_policy");
    });
  }

  int open_connection(std::function<void(contract::connection_close)> close) override {
    object args;
    args["close"] = ++last_function_;
    closers_[last_function_] = std::move(close);
    return static_cast<int>(number(call_now("open_connection", std::move(args))));
  }
  void set_busy(int connection, bool busy) override {
    object args;
    args["connection"] = connection;
    args["busy"] = busy;
    call_now("set_busy", std::move(args));
  }
  void connection_closed(int connection) override {
    object args;
    args["connection"] = connection;
    call_now("connection_closed", std::move(args));
  }

 protected:
  void do_observe(std::function<void(contract::shutdown_phase)> observer) override {
    observer_ = std::move(observer);
  }
  awaitable<contract::shutdown_report> do_run() override {
    const json::value sent = co_await call("run");
    co_return read_report(sent);
  }
  void do_admit(std::string name, async_function work) override {
    object args = named(std::move(name));
    args["work"] = steps_.keep(std::move(work));
    call_now("admit", std::move(args));
  }

 private:
  static object named(std::string name) {
    object args;
    args["name"] = std::move(name);
    return args;
  }

  contract::shutdown_report read_report(const json::value& sent) const {
    contract::shutdown_report report;
    checked([&] {
      const object& all = testee::to_object(sent, "value");
      report.unfinished = testee::to_texts(testee::member_in(all, "unfinished"), "unfinished");
      report.survivors = testee::to_texts(testee::member_in(all, "survivors"), "survivors");
      report.forced = testee::flag_in(all, "forced");
      for (const json::value& one : testee::list_in(all, "failures")) {
        const object& failure = testee::to_object(one, "failures");
        contract::shutdown_report::failure read;
        read.name = testee::text_in(failure, "name");
        read.error = testee::read_outcome(testee::member_in(failure, "error")).failure;
        read.secondary = testee::flag_in(failure, "secondary");
        report.failures.push_back(std::move(read));
      }
    });
    return report;
  }

  awaitable<void> called(std::string name, object args) override {
    if (name == "step") {
      const testee::steps::step one = steps_.find(testee::number_in(args, "step"));
      co_await one();
    } else if (name == "function") {
      const function one = find(functions_, testee::number_in(args, "function"));
      one();  // what it throws is the reply
    } else {
      no_such(name);
    }
  }
  void told(const std::string& name, const object& args) override {
    if (name == "phase") {
      const auto phase = read_word<contract::shutdown_phase>(testee::text_in(args, "phase"), "phase");
      if (observer_) observer_(phase);
    } else if (name == "failure") {
      if (failed_)
        failed_(testee::text_in(args, "name"),
                testee::read_outcome(testee::member_in(args, "error")).failure);
    } else if (name == "forced") {
      if (forced_) forced_(testee::text_in(args, "name"));
    } else if (name == "close") {
      const auto how = read_word<contract::connection_close>(testee::text_in(args, "how"), "how");
      find(closers_, testee::number_in(args, "close"))(how);
    } else {
      no_such(name);
    }
  }
  template <class Function>
  static const Function& find(const std::map<std::int64_t, Function>& all, std::int64_t number) {
    const auto found = all.find(number);
    if (found == all.end())
      throw testee::protocol_error("calls the function " + std::to_string(number) + ", which is not there");
    return found->second;
  }

  std::function<void(contract::shutdown_phase)> observer_;
  std::function<void(std::string, std::exception_ptr)> failed_;
  std::function<void(std::string)> forced_;
  testee::steps steps_;
  std::map<std::int64_t, function> functions_;
  std::map<std::int64_t, std::function<void(contract::connection_close)>> closers_;
  std::int64_t last_function_ = 0;
};

const testee::registrar<shutdown_in_testee, contract::graceful_shutdown> registered;

}  // namespace
}  // namespace assay
