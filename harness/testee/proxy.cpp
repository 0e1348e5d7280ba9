#include <assay/harness/testee/proxy.hpp>

namespace assay::testee {

int proxy::put(item one) {
  const int id = one.id();
  items_[id] = std::move(one);
  return id;
}

item proxy::take(std::int64_t id) {
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

bool proxy::begin_looking() const {
  if (looks_.empty()) return false;
  const object* const told = session_->news_of(object_);
  if (told == nullptr) return false;
  const bool whole = std::all_of(looks_.begin(), looks_.end(),
                                 [told](const std::string& one) { return told->contains(one); });
  if (whole) look_ = told;
  return whole;
}

void proxy::end_looking() const {
  look_ = nullptr;
  session_->seen(object_);
}

void proxy::no_such(const std::string& name) {
  throw protocol_error("calls or tells '" + name + "', which the contract does not have");
}

boost::asio::awaitable<void> proxy::called(std::string name, boost::json::object args) {
  if (name != "step") no_such(name);
  const step one = steps_.find(number_in(args, "step"));  // lives as long as what it began
  co_await one();
}

void proxy::told(const std::string& name, const boost::json::object&) { no_such(name); }

}  // namespace assay::testee
