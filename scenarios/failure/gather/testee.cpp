// Gathering in testees.
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/testee/proxy.hpp>
#include <assay/scenarios/failure/gather/contract.hpp>

namespace assay {
namespace {

using contract::gather_slot;

class gather_in_testee final : public testee::proxy_of<contract::gather> {
 public:
  using proxy_of::proxy_of;

 protected:
  awaitable<slots> do_all(std::vector<operation> operations) override {
    return call<slots>("all", args("operations", keep_all(std::move(operations))));
  }
  awaitable<slots> do_all_shared(std::vector<operation> operations, std::vector<std::size_t> which) override {
    boost::json::array indices(which.begin(), which.end());
    return call<slots>("all_shared", args("operations", keep_all(std::move(operations)), "which", indices));
  }
  awaitable<void> do_each(std::vector<operation> operations, nanoseconds patience,
                          std::function<void(std::size_t, const gather_slot&)> take) override {
    take_ = std::move(take);
    return call("each", args("operations", keep_all(std::move(operations)), "patience", patience));
  }

 private:
  boost::json::array keep_all(std::vector<operation> operations) {
    boost::json::array all;
    for (operation& one : operations) {
      works_.emplace(++last_, std::move(one.run));
      all.push_back(args("id", last_, "name", one.name));
    }
    return all;
  }

  // A callback has an outcome and no value: that is handed in before it ends.
  awaitable<void> called(std::string name, object sent) override {
    if (name != "operation") no_such(name);
    const std::int64_t id = arg<std::int64_t>(sent, "id");
    const std::weak_ptr<const proxy> here = presence();
    const work run = works_.at(id);
    const value given = co_await run();
    if (here.expired()) co_return;
    object told = args("id", id);
    told["value"] = given ? boost::json::value(*given) : boost::json::value(nullptr);
    call_now("gave", std::move(told));
  }
  void told(const std::string& name, const object& sent) override {
    if (name != "ended") no_such(name);
    tell(take_, arg<std::size_t>(sent, "index"), arg<gather_slot>(sent, "slot"));
  }

  std::map<std::int64_t, work> works_;
  std::int64_t last_ = 0;
  std::function<void(std::size_t, const gather_slot&)> take_;
};

const testee::registrar<gather_in_testee> registered;

}  // namespace
}  // namespace assay
