#include <assay/harness/trial/item.hpp>

#include <algorithm>
#include <array>
#include <stdexcept>

#include <assay/harness/allocation/section.hpp>

namespace assay {

std::string_view to_string(item_state state) noexcept {
  switch (state) {
    case item_state::in_hand:
      return "in hand";
    case item_state::given:
      return "inside";
    case item_state::delivered:
      return "delivered";
    case item_state::returned:
      return "returned";
    case item_state::dead_lettered:
      return "dead-lettered";
    case item_state::dropped:
      return "dropped";
    case item_state::left:
      return "left";
    case item_state::lost:
      return "lost";
  }
  return "unknown";
}

void item::release() noexcept {
  if (ledger_ != nullptr) ledger_->destroyed(id_);
  ledger_ = nullptr;
  id_ = 0;
}

void item::given_to(const void* holder) const {
  if (ledger_ != nullptr) ledger_->give(*this, holder);
}

void item::delivered() const {
  if (ledger_ != nullptr) ledger_->deliver(id_);
}

void item::given_back() const {
  if (ledger_ != nullptr) ledger_->give_back(id_);
}

void item::settled(item_state fate) const {
  if (ledger_ != nullptr) ledger_->settle(id_, fate);
}

bool item::unsettled() const noexcept {
  return ledger_ != nullptr && ledger_->state(id_) == item_state::given;
}

item_ledger::entry* item_ledger::find(int id) noexcept {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [id](const entry& e) { return e.id == id; });
  return found == entries_.end() ? nullptr : &*found;
}

const item_ledger::entry* item_ledger::find(int id) const noexcept {
  return const_cast<item_ledger*>(this)->find(id);
}

item item_ledger::make(int id) {
  const detail::harness_section section;
  if (id == 0) throw std::invalid_argument("an item's id must not be 0");
  if (find(id) != nullptr) throw std::invalid_argument("item " + std::to_string(id) + " was made twice");
  entry fresh;
  fresh.id = id;
  fresh.objects = 1;
  entries_.push_back(std::move(fresh));
  return item(*this, id);
}

void item_ledger::move(int id, item_state state) {
  const detail::harness_section section;
  entry* const e = find(id);
  if (e == nullptr) return;
  e->state = state;
  const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(state));
  const bool fresh = (e->visited & bit) == 0;
  e->visited |= bit;
  if (touched) touched(id);
  if (fresh && progressed) progressed();
  if (note) note("item " + std::to_string(id) + " " + std::string(to_string(state)));
}

void item_ledger::give(const item& one, const void* holder) {
  move(one.id_, item_state::given);
  if (entry* const e = find(one.id_)) {
    e->holder = holder;
    e->orphaned = false;
  }
}

void item_ledger::holder_going(const void* holder) noexcept {
  for (entry& e : entries_) e.orphaned = e.orphaned || e.holder == holder;
}

void item_ledger::all_going() noexcept {
  for (entry& e : entries_) e.orphaned = true;
}

void item_ledger::deliver(int id) {
  const detail::harness_section section;
  const entry* const e = find(id);
  if (e == nullptr) return;
  if (e->state == item_state::returned) {
    violations_.push_back("item " + std::to_string(id) +
                          " was delivered although its push was reported as failed");
  } else if (e->state != item_state::given) {
    violations_.push_back("item " + std::to_string(id) + " was delivered although it was " +
                          std::string(to_string(e->state)));
  }
  move(id, item_state::delivered);
  ++find(id)->deliveries;
}

void item_ledger::give_back(int id) {
  const detail::harness_section section;
  const entry* const e = find(id);
  if (e == nullptr) return;
  if (e->state == item_state::delivered && e->deliveries > 0) {
    violations_.push_back("item " + std::to_string(id) +
                          " was delivered although its push was reported as failed");
  }
  move(id, item_state::returned);
}

void item_ledger::settle(int id, item_state fate) {
  const detail::harness_section section;
  const entry* const e = find(id);
  if (e == nullptr) return;
  const bool settled = e->state == item_state::delivered || e->state == item_state::dead_lettered ||
                       e->state == item_state::dropped;
  if (settled && e->state != fate) {
    violations_.push_back("item " + std::to_string(id) + " is " + std::string(to_string(fate)) +
                          " although it was " + std::string(to_string(e->state)));
  } else if (settled) {
    violations_.push_back("item " + std::to_string(id) + " was " + std::string(to_string(fate)) + " twice");
  }
  move(id, fate);
  if (fate == item_state::delivered) ++find(id)->deliveries;
}

void item_ledger::destroyed(int id) noexcept {
  const detail::harness_section section;
  entry* const e = find(id);
  if (e == nullptr) return;
  if (e->objects == 0) violations_.push_back("item " + std::to_string(id) + " was destroyed twice");
  if (e->objects > 0) --e->objects;
  if (e->state == item_state::given && e->where.empty()) {
    if (e->orphaned) {
      e->state = item_state::left;
    } else if (locate) {
      e->where = locate();
    }
  }
}

void item_ledger::close() {
  for (entry& e : entries_) {
    if (e.state != item_state::given || e.objects > 0) continue;
    e.state = item_state::lost;
    violations_.push_back("item " + std::to_string(e.id) + " was lost" +
                          (e.where.empty() ? "" : " " + e.where));
  }
}

std::size_t item_ledger::count(item_state state) const noexcept {
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(), [state](const entry& e) { return e.state == state; }));
}

item_state item_ledger::state(int id) const {
  const entry* const e = find(id);
  if (e == nullptr) throw std::invalid_argument("no item " + std::to_string(id) + " was made");
  return e->state;
}

bool item_ledger::balanced() const noexcept {
  return violations_.empty() && std::none_of(entries_.begin(), entries_.end(), [](const entry& e) {
           return e.state == item_state::given || e.state == item_state::left || e.state == item_state::lost;
         });
}

std::string item_ledger::summary() const {
  constexpr std::array all = {item_state::in_hand,  item_state::given,         item_state::delivered,
                              item_state::returned, item_state::dead_lettered, item_state::dropped,
                              item_state::left,     item_state::lost};
  std::string text;
  for (const item_state state : all) {
    std::string ids;
    for (const entry& e : entries_) {
      if (e.state == state) ids += (ids.empty() ? "" : " ") + std::to_string(e.id);
    }
    if (ids.empty()) continue;
    text += (text.empty() ? "" : ", ") + std::to_string(count(state)) + " " + std::string(to_string(state)) +
            " (" + ids + ")";
  }
  return text.empty() ? "no items" : text;
}

}  // namespace assay
