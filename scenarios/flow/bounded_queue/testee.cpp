// Bounded queues in testees.
#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/bounded_queue/contract.hpp>

namespace assay {
namespace {

class queue_in_testee final : public testee::proxy_of<contract::bounded_queue> {
 public:
  using proxy_of::proxy_of;
  ~queue_in_testee() override { look_for_lost_items(); }

  std::size_t size() const override { return ask<std::size_t>("size"); }
  void close() override { call_now("close"); }
  void done() override { call_now("done"); }
  awaitable<void> join() override { return call("join"); }
  contract::bounded_queue_statistics statistics() const override {
    return ask<contract::bounded_queue_statistics>("statistics");
  }

 protected:
  awaitable<void> do_push(item one) override { return call("push", args("item", std::move(one))); }
  awaitable<item> do_pop() override { return call<item>("pop"); }
  awaitable<void> do_push_for(item one, nanoseconds patience) override {
    return call("push_for", args("item", std::move(one), "patience", patience));
  }
  awaitable<item> do_pop_for(nanoseconds patience) override {
    return call<item>("pop_for", args("patience", patience));
  }
  bool do_try_push(item& one) override {
    const bool taken = call_now<bool>("try_push", args("item", one.id()));
    if (taken) put(std::move(one));
    return taken;
  }
  item do_try_pop() override { return one_or_none("try_pop"); }
  void do_hand_back(item one) override { call_now("hand_back", args("item", std::move(one))); }
  std::vector<item> do_close_now() override { return call_now<std::vector<item>>("close_now"); }
  void do_requeue(item one) override { call_now("requeue", args("item", std::move(one))); }
  item do_drop_oldest() override { return one_or_none("drop_oldest"); }

 private:
  item one_or_none(std::string method) {
    std::optional<item> one = call_now<std::optional<item>>(std::move(method));
    return one ? std::move(*one) : item();
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

const testee::registrar<queue_in_testee> registered({
    .unseen = {"posted_wakeups", "strict_entry", "checked_destruction"},
    .looks = {{"size"}, {"statistics", "statistics"}},
});

}  // namespace
}  // namespace assay
