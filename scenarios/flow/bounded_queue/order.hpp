// What a queue does where one call is made after the other: by this the calls of a random program, which overlap, are
// judged together (see history.hpp).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/trial/history.hpp>

namespace assay {

struct queue_order {
  enum class verb : std::uint8_t { push, pop, drop, hand_back, close_now, done, join };
  struct call {
    verb what{};
    int id = 0;                     // of the item; 0: not known
    std::vector<int> removed = {};  // by close_now
  };
  std::size_t capacity = 1;
  std::deque<int> items = {};
  std::map<std::size_t, int> in_hand = {};  // of who is cancelled before it could leave with it
  std::size_t unfinished = 0;
  auto operator<=>(const queue_order&) const = default;

  // Who ended without a value may have been inside for a time: its item came out again, or what it got went back.
  static unsigned steps(const call& one, call_end how) {
    const bool undoes = how == call_end::without && (one.what == verb::push || one.what == verb::pop);
    return undoes ? 2 : 1;
  }

  bool step(std::size_t who, const call& one, unsigned nth) {
    switch (one.what) {
      case verb::push:
        return nth == 0 ? put(one.id) : remove(one.id);
      case verb::pop:
        return nth == 0 ? take(who, one.id) : put_back(who);
      case verb::drop:
        --unfinished;
        return take(who, 0) && in_hand.erase(who) > 0;
      case verb::hand_back:
        items.push_front(one.id);
        return true;
      case verb::close_now: {
        const bool fits = std::equal(items.begin(), items.end(), one.removed.begin(), one.removed.end());
        unfinished -= one.removed.size();
        items.clear();
        return fits;
      }
      case verb::done:
        return unfinished-- > 0;
      case verb::join:
        return unfinished == 0;
    }
    return false;
  }

  static std::string_view clause(const call& one) {
    constexpr std::string_view clauses[] = {"BQ-1", "BQ-2", "BQ-16", "BQ-9", "BQ-12", "BQ-15", "BQ-14"};
    return clauses[static_cast<std::size_t>(one.what)];
  }
  static std::string text(const call& one) {
    constexpr const char* names[] = {"push", "pop", "drop_oldest", "hand_back", "close_now", "done", "join"};
    std::string all = names[static_cast<std::size_t>(one.what)];
    if (one.id != 0) all += " " + std::to_string(one.id);
    for (const int id : one.removed) all += " " + std::to_string(id);
    return all;
  }

 private:
  bool put(int id) {
    // A rendezvous is one where both meet: the item is inside for no longer than that.
    if (items.size() >= std::max<std::size_t>(capacity, 1)) return false;
    items.push_back(id);
    ++unfinished;
    return true;
  }
  bool remove(int id) {
    const auto found = std::find(items.begin(), items.end(), id);
    if (found == items.end()) return false;
    items.erase(found);
    --unfinished;
    return true;
  }
  bool take(std::size_t who, int id) {
    if (items.empty() || (id != 0 && items.front() != id)) return false;
    if (id == 0) in_hand[who] = items.front();
    items.pop_front();
    return true;
  }
  bool put_back(std::size_t who) {
    items.push_front(in_hand.at(who));
    in_hand.erase(who);
    return true;
  }
};

}  // namespace assay
