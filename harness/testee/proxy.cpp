#include <assay/harness/testee/proxy.hpp>

namespace assay::testee {

int proxy::put(item one) {
  const int id = one.id();
  items_[id] = std::move(one);
  return id;
}

item proxy::take(std::int64_t id) {
  return checked([&] { return take_checked(id); });
}

item proxy::take_one(const boost::json::value& id) { return take(number(id)); }

item proxy::take_checked(std::int64_t id) {
  const auto found = items_.find(static_cast<int>(id));
  if (found != items_.end()) {
    item one = std::move(found->second);
    items_.erase(found);
    return one;
  }
  item_ledger& ledger = owner().items();
  if (!ledger.knows(static_cast<int>(id)))
    throw adapter_error("hands out the item " + std::to_string(id) + ", which it was never given");
  ledger.deliver(static_cast<int>(id));
  return {};
}

std::vector<item> proxy::take_all(const boost::json::value& ids) {
  std::vector<item> all;
  for (const std::int64_t id : checked([&] { return to_numbers(ids, "items"); })) all.push_back(take(id));
  return all;
}

const item& proxy::look_at(std::int64_t id) const {
  const auto found = items_.find(static_cast<int>(id));
  if (found == items_.end())
    throw protocol_error("speaks of the item " + std::to_string(id) + ", which is not inside");
  return found->second;
}

std::vector<int> proxy::given() const {
  std::vector<int> ids;
  for (const auto& [id, one] : items_) {
    if (owner().items().state(id) == item_state::given) ids.push_back(id);
  }
  return ids;
}

void proxy::no_such(const std::string& name) {
  throw protocol_error("calls or tells '" + name + "', which the contract does not have");
}

boost::asio::awaitable<void> proxy::called(std::string name, boost::json::object) {
  no_such(name);
  co_return;
}

void proxy::told(const std::string& name, const boost::json::object&) { no_such(name); }

}  // namespace assay::testee
