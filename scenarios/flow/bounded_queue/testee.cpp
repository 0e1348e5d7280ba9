// Bounded queues in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {
namespace {

namespace json = boost::json;

class queue_in_testee final : public contract::bounded_queue, private testee::proxy {
 public:
  using proxy::proxy;
  ~queue_in_testee() override { look_for_lost_items(); }

  std::size_t size() const override { return static_cast<std::size_t>(number(ask("size"))); }
  void close() override { call_now("close"); }
  void done() override { call_now("done"); }
  awaitable<void> join() override { co_await call("join"); }
  contract::bounded_queue_statistics statistics() const override {
    const json::value sent = ask("statistics");
    return checked([&] { return json::value_to<contract::bounded_queue_statistics>(sent); });
  }

 protected:
  awaitable<void> do_push(item one) override {
    object args = with(std::move(one));
    co_await call("push", std::move(args));
  }
  awaitable<item> do_pop() override {
    const json::value id = co_await call("pop");
    co_return take_one(id);
  }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    object args = with(std::move(one));
    args["patience"] = testee::write_duration(patience);
    co_await call("push_for", std::move(args));
  }
  awaitable<item> do_pop_for(nanoseconds patience) override {
    object args;
    args["patience"] = testee::write_duration(patience);
    const json::value id = co_await call("pop_for", std::move(args));
    co_return take_one(id);
  }
  bool do_try_push(item& one) override {
    object args;
    args["item"] = one.id();
    const bool taken = flag(call_now("try_push", std::move(args)));
    if (taken) put(std::move(one));
    return taken;
  }
  item do_try_pop() override { return take_one_or_none(call_now("try_pop")); }
  void do_hand_back(item one) override { call_now("hand_back", with(std::move(one))); }
  std::vector<item> do_close_now() override { return take_all(call_now("close_now")); }
  void do_requeue(item one) override { call_now("requeue", with(std::move(one))); }
  item do_drop_oldest() override { return take_one_or_none(call_now("drop_oldest")); }

 private:
  object with(item one) {
    object args;
    args["item"] = put(std::move(one));
    return args;
  }

  // What is inside and not in the queue any more is lost: a garbage collector tells nobody.
  void look_for_lost_items() {
    const std::vector<int> inside = given();
    if (inside.empty() || owner().has_failed() || !owner().running()) return;
    try {
      const std::size_t buffered = size();
      if (buffered >= inside.size()) return;
      std::string names;
      for (const int id : inside) names += (names.empty() ? "" : ", ") + std::to_string(id);
      owner().fail("lost: " + std::to_string(inside.size()) + " items went in and did not come out (" +
                   names + "), and the queue says that it holds " + std::to_string(buffered));
    } catch (...) {
      // The testee broke, and the trial knows; or it cannot say.
    }
  }
};

const testee::registrar<queue_in_testee, contract::bounded_queue> registered({"posted_wakeups",
                                                                              "strict_entry",
                                                                              "checked_destruction"});

}  // namespace
}  // namespace assay
