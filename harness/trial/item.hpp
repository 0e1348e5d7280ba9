// Items and their ledger: the account of everything that is handed to a subject (conservation, X-3).
//
// A scenario makes items, a contract moves them in and out, and the ledger follows each one from `made` to
// its fate. An item whose object is destroyed inside the subject while the call that handed it in had
// succeeded is lost; an item that turns up although its push was reported as failed is doubled.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

class item_ledger;

/// Default-constructible (empty), move-only, with an id. The payload is the id.
class item {
 public:
  item() noexcept = default;
  item(item&& other) noexcept
      : ledger_(std::exchange(other.ledger_, nullptr)), id_(std::exchange(other.id_, 0)) {}
  item& operator=(item&& other) noexcept {
    if (this != &other) {
      release();
      ledger_ = std::exchange(other.ledger_, nullptr);
      id_ = std::exchange(other.id_, 0);
    }
    return *this;
  }
  item(const item&) = delete;
  item& operator=(const item&) = delete;
  ~item() { release(); }

  /// The id that the scenario gave it; 0 for an empty (moved-from) item.
  int id() const noexcept { return id_; }
  explicit operator bool() const noexcept { return id_ != 0; }
  bool operator==(const item& other) const noexcept { return id_ == other.id_; }
  item_ledger* ledger() const noexcept { return ledger_; }

 private:
  friend class item_ledger;
  item(item_ledger& ledger, int id) noexcept : ledger_(&ledger), id_(id) {}
  void release() noexcept;

  item_ledger* ledger_ = nullptr;
  int id_ = 0;
};

/// Where an item is, or what became of it.
enum class item_state : std::uint8_t {
  in_hand,        ///< with the scenario: just made, popped, or given back
  given,          ///< with the subject
  delivered,      ///< reached its goal (popped by the scenario, done, accepted by the sink)
  returned,       ///< the call that handed it in failed: it is the caller's again
  dead_lettered,  ///< given up, with a cause
  dropped,        ///< dropped by a declared policy
  left,           ///< still inside when the subject itself was destroyed
  lost            ///< destroyed inside the subject, and nobody was told
};
std::string_view to_string(item_state state) noexcept;

class item_ledger {
 public:
  struct entry {
    int id = 0;
    item_state state = item_state::in_hand;
    std::uint32_t deliveries = 0;
    std::uint32_t objects = 0;  ///< live objects: 1 while it exists anywhere, 0 afterwards
    std::string where;          ///< what was going on when its object was destroyed
  };

  /// Where things happen, as text for a finding; and a line for the trace at every move.
  std::function<std::string()> locate;
  std::function<void(std::string_view)> note;
  /// Told of every item that is moved: two turns that move the same one do not commute.
  std::function<void(int id)> touched;

  item_ledger() = default;
  item_ledger(const item_ledger&) = delete;
  item_ledger& operator=(const item_ledger&) = delete;

  /// Makes an item with this id (not 0, not used before in this trial: std::invalid_argument).
  item make(int id);

  // What contracts report. An empty item is ignored.

  void give(const item& one) { move(one.id_, item_state::given); }
  /// The subject handed the item out. A second delivery, or one of an item that was reported as returned, is
  /// a violation.
  void deliver(const item& one) { deliver(one.id_); }
  /// The same where the subject speaks in ids: it may hand out a copy of what has no object any more.
  void deliver(int id);
  /// Whether an item with this id was made.
  bool knows(int id) const noexcept { return find(id) != nullptr; }
  /// The call that handed the item in has failed, so the item is the caller's; also for items that a subject
  /// hands back explicitly.
  void give_back(int id);
  void dead_letter(int id) { settle(id, item_state::dead_lettered); }
  void drop(int id) { settle(id, item_state::dropped); }
  void settle(int id, item_state fate);

  /// From here to the end of the trial the subject is being destroyed: what it still holds is `left`, not
  /// lost.
  void subject_going() noexcept { subject_going_ = true; }

  /// Called when the trial is quiescent: settles the states of items whose objects are gone.
  void close();

  std::size_t count(item_state state) const noexcept;
  item_state state(int id) const;
  /// True when nothing is lost, nothing doubled, and nothing is still inside or left in the subject.
  bool balanced() const noexcept;
  /// "3 delivered, 1 returned, 1 lost (2)".
  std::string summary() const;
  /// What went wrong so far, in words; empty when nothing did.
  const std::vector<std::string>& violations() const noexcept { return violations_; }
  const std::vector<entry>& entries() const noexcept { return entries_; }

 private:
  friend class item;
  entry* find(int id) noexcept;
  const entry* find(int id) const noexcept;
  void move(int id, item_state state);
  void destroyed(int id) noexcept;

  std::vector<entry> entries_;
  std::vector<std::string> violations_;
  bool subject_going_ = false;
};

}  // namespace assay
