// Resilient workers in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/resilient_worker/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

class worker_in_testee final : public contract::resilient_worker, private testee::proxy {
 public:
  using proxy::proxy;

  awaitable<void> join() override { co_await call("join"); }

 protected:
  awaitable<void> do_run() override { co_await call("run"); }
  awaitable<void> do_submit(item one) override {
    object args;
    args["item"] = put(std::move(one));
    co_await call("submit", std::move(args));
  }
  std::vector<item> do_take_back() override { return take_all(call_now("take_back")); }

 private:
  awaitable<void> called(std::string name, object args) override {
    const std::int64_t id = testee::number_in(args, "item");
    if (name == "process") {
      // It stays inside: it may be processed again.
      const item& one = look_at(id);
      co_await process(one, attempts_in(args, "attempt"));
    } else if (name == "dead_letter") {
      item one = take(id);
      const auto here = presence();
      std::exception_ptr failure;
      try {
        co_await dead_letter(one, cause_in(args, "cause"), attempts_in(args, "attempts"));
      } catch (...) {
        failure = std::current_exception();
      }
      if (!failure) co_return;
      if (!here.expired()) put(std::move(one));  // it was not written
      std::rethrow_exception(failure);
    } else {
      no_such(name);
    }
  }
  void told(const std::string& name, const object& args) override {
    if (name != "lost") no_such(name);
    lost(take(testee::number_in(args, "item")), cause_in(args, "cause"), attempts_in(args, "attempts"),
         cause_in(args, "unwritten"));
  }

  static std::uint32_t attempts_in(const object& args, std::string_view member) {
    return static_cast<std::uint32_t>(testee::number_in(args, member));
  }
  static std::exception_ptr cause_in(const object& args, std::string_view member) {
    const json::value* const cause = args.if_contains(member);
    return cause == nullptr || cause->is_null() ? nullptr : testee::read_outcome(*cause).failure;
  }
};

const testee::registrar<worker_in_testee, contract::resilient_worker> registered;

}  // namespace
}  // namespace assay
