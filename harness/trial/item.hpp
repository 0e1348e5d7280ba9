// Items and their ledger: the account of everything that is handed to a subject (conservation, X-3).
//
// A scenario makes items, a contract moves them in and out, and the ledger follows each one from `made` to
// its fate. An item whose object is destroyed inside the subject while the call that handed it in had
// succeeded is lost; an item that turns up although its push was reported as failed is doubled. An item belongs to the
// subject that holds it: only what goes with that subject, or after it, is left.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

class item_ledger;

/// Where an item is, or what became of it.
enum class item_state : std::uint8_t {
  in_hand,        ///< with the scenario: just made, popped, or given back
  given,          ///< with the subject
  delivered,      ///< reached its goal (popped by the scenario, done, accepted by the sink)
  returned,       ///< the call that handed it in failed: it is the caller's again
  dead_lettered,  ///< given up, with a cause
  dropped,        ///< dropped by a declared policy
  left,           ///< still inside when the subject that held it was destroyed
  lost            ///< destroyed inside the subject, and nobody was told
};
std::string_view to_string(item_state state) noexcept;

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

  // What contracts report of it. An item without a ledger (an empty one) is ignored.

  /// It is with the subject `holder` from here on.
  void given_to(const void* holder) const;
  /// The subject handed it out. A second delivery, or one of an item that was reported as returned, is a violation.
  void delivered() const;
  /// It is the caller's again, since the call that handed it in has failed or because the subject hands it back.
  void given_back() const;
  /// Its fate: delivered, dead-lettered or dropped. A second one is a violation.
  void settled(item_state fate) const;
  /// Whether it is with the subject and has no fate yet.
  bool unsettled() const noexcept;

 private:
  friend class item_ledger;
  item(item_ledger& ledger, int id) noexcept : ledger_(&ledger), id_(id) {}
  void release() noexcept;

  item_ledger* ledger_ = nullptr;
  int id_ = 0;
};

class item_ledger {
 public:
  struct entry {
    int id = 0;
    item_state state = item_state::in_hand;
    std::uint32_t deliveries = 0;
    std::uint8_t visited = 0;      ///< a bit for each state that it has been in
    std::uint32_t objects = 0;     ///< live objects: 1 while it exists anywhere, 0 afterwards
    const void* holder = nullptr;  ///< the subject that it was given to; compared, never used
    bool orphaned = false;         ///< that subject is being destroyed, or is gone
    std::string where;             ///< what was going on when its object was destroyed
  };

  /// Where things happen, as text for a finding; and a line for the trace at every move.
  std::function<std::string()> locate;
  std::function<void(std::string_view)> note;
  /// Told of every item that is moved: two turns that move the same one do not commute.
  std::function<void(int id)> touched;
  /// Told when an item comes into a state in which it has never been: going round in circles is no progress.
  std::function<void()> progressed;

  item_ledger() = default;
  item_ledger(const item_ledger&) = delete;
  item_ledger& operator=(const item_ledger&) = delete;

  /// Makes an item with this id (not 0, not used before in this trial: std::invalid_argument).
  item make(int id);

  // What items report; by id, since a subject may speak of one that has no object any more.

  void give(const item& one, const void* holder = nullptr);
  void deliver(const item& one) { deliver(one.id_); }
  void deliver(int id);
  void give_back(int id);
  void settle(int id, item_state fate);
  /// Whether an item with this id was made.
  bool knows(int id) const noexcept { return find(id) != nullptr; }

  /// The subject `holder` is being destroyed: what it still holds is `left`, not lost.
  void holder_going(const void* holder) noexcept;
  /// The trial is being destroyed, and all its subjects with it.
  void all_going() noexcept;

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
};

/// The account of an item while a contract hands it to a subject: given to `holder`, and the caller's again unless it was
/// taken.
class handing_in {
 public:
  handing_in(const item& one, const void* holder) : ledger_(one.ledger()), id_(one.id()) {
    one.given_to(holder);
  }
  handing_in(const handing_in&) = delete;
  handing_in& operator=(const handing_in&) = delete;
  ~handing_in() {
    if (ledger_ != nullptr) ledger_->give_back(id_);
  }
  /// The call has ended with a value.
  void taken() noexcept { ledger_ = nullptr; }

 private:
  item_ledger* ledger_;
  int id_;
};

}  // namespace assay
