// Dropping channels in testees.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/flow/dropping_channel/contract.hpp>

namespace assay {
namespace {

class channel_in_testee final : public testee::proxy_of<contract::dropping_channel> {
 public:
  using proxy_of::proxy_of;
  std::size_t size() const override { return ask<std::size_t>("size"); }
  void close() override { call_now("close"); }
  contract::dropping_channel_statistics statistics() const override {
    return ask<contract::dropping_channel_statistics>("statistics");
  }

 protected:
  contract::send_result do_send(item& one, std::int64_t key) override { return hand("send", one, key); }
  awaitable<item> do_receive() override { return call<item>("receive"); }
  awaitable<item> do_receive_for(nanoseconds patience) override {
    return call<item>("receive_for", args("patience", patience));
  }
  item do_try_receive() override {
    std::optional<item> one = call_now<std::optional<item>>("try_receive");
    return one ? std::move(*one) : item();
  }
  awaitable<contract::received_item> do_receive_counted() override {
    return call<contract::received_item>("receive_counted");
  }
  contract::send_result do_hand_back(item& one, std::int64_t key) override {
    return hand("hand_back", one, key);
  }
  void told(const std::string& name, const boost::json::object& given) override {
    if (name != "dropped") return proxy::told(name, given);
    dropped(arg<item>(given, "item"));
  }

 private:
  // The testee may tell of this very item before it answers: it is inside from the beginning.
  contract::send_result hand(std::string method, item& one, std::int64_t key) {
    const int id = one.id();
    object all = args("item", std::move(one), "key", key);
    const auto result = call_now<contract::send_result>(std::move(method), std::move(all));
    const std::vector<int> inside = given();
    const bool is_left = std::find(inside.begin(), inside.end(), id) != inside.end();
    if (result != contract::send_result::accepted && is_left) one = arg<item>({{"item", id}}, "item");
    return result;
  }
};

const testee::registrar<channel_in_testee> registered({
    .unseen = {"guarded_callback", "posted_wakeups", "strict_entry", "checked_destruction"},
    .looks = {{"size"}, {"statistics", "statistics"}},
});

}  // namespace
}  // namespace assay
