// Assembled services in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/assembly/service/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

class service_in_testee final : public contract::service, private testee::proxy {
 public:
  using proxy::proxy;

  awaitable<contract::service_report> run() override {
    const json::value sent = co_await call("run");
    co_return read_report(sent);
  }
  void request_stop() override { call_now("request_stop"); }
  bool ready() const override { return flag(ask("ready")); }
  bool live() const override { return flag(ask("live")); }
  std::size_t buffered() const override { return static_cast<std::size_t>(number(ask("buffered"))); }

 protected:
  awaitable<void> do_submit(item one) override {
    object args;
    args["item"] = put(std::move(one));
    co_await call("submit", std::move(args));
  }
  std::vector<item> do_take_back() override { return take_all(call_now("take_back")); }

 private:
  contract::service_report read_report(const json::value& sent) const {
    contract::service_report report;
    checked([&] {
      const object& all = testee::to_object(sent, "value");
      report.cancelled = testee::to_texts(testee::member_in(all, "cancelled"), "cancelled");
      report.survivors = testee::to_texts(testee::member_in(all, "survivors"), "survivors");
      for (const json::value& one : testee::list_in(all, "failures")) {
        const object& failure = testee::to_object(one, "failures");
        outcome::member read;
        read.task = testee::text_in(failure, "task");
        read.what = describe(testee::read_outcome(testee::member_in(failure, "what")).failure);
        report.failures.push_back(std::move(read));
      }
    });
    return report;
  }

  awaitable<void> called(std::string name, object args) override {
    if (name == "work") {
      item one = take(testee::number_in(args, "item"));
      const auto here = presence();
      std::exception_ptr failure;
      try {
        co_await work_on(one);
      } catch (...) {
        failure = std::current_exception();
      }
      if (!failure) co_return;
      if (!here.expired()) put(std::move(one));  // it is inside again: to be handed back, or given up
      std::rethrow_exception(failure);
    } else if (name == "open_sink") {
      co_await outside().open_sink();
    } else if (name == "close_sink") {
      co_await outside().close_sink();
    } else if (name == "open_store") {
      co_await outside().open_store();
    } else if (name == "close_store") {
      co_await outside().close_store();
    } else {
      no_such(name);
    }
  }
  void told(const std::string& name, const object& args) override {
    if (name == "event") {
      outside().event(testee::text_in(args, "what"));
    } else if (name == "give_up") {
      give_up(take(testee::number_in(args, "item")));
    } else {
      no_such(name);
    }
  }
};

const testee::registrar<service_in_testee, contract::service> registered;

}  // namespace
}  // namespace assay
