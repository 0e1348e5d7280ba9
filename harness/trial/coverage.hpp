// Coverage: what one trial came past, as a set of features, so that schedules can be told apart by what they showed
// rather than by their choices. A feature is one of
//
//   two turns in a row       whose they were
//   two events in a row      of the ledgers: an item moved, a mark, an outcome, a cancel, a fault, an exception observed
//   a state of the ledger    how many items are in which state (in powers of two)
//   who came after whom      at the same thing, where the scenario tells what its turns touch (`trial::touch`)
//
// Features are hashed into a bounded number of buckets, as AFL does with edges of control flow (M. Zalewski, "Technical
// whitepaper for afl-fuzz"): two that fall into one count as one. Nothing depends on addresses or on the compiler.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/item.hpp>

namespace assay {

class coverage {
 public:
  static constexpr std::uint32_t buckets = 1U << 16U;

  /// One feature, and how many choices had been made when it came.
  struct feature {
    std::uint32_t which = 0;
    std::uint32_t step = 0;
    bool operator==(const feature&) const = default;
  };

  /// Forgets everything; a trial does so when it begins. `choices` are those of the trial, and must outlive it.
  void begin(const choice_stream& choices);
  void turn(std::uint32_t task);
  /// An event of this kind that is told apart from others by `detail`.
  void event(std::uint64_t kind, std::uint64_t detail);
  void event(std::uint64_t kind, std::string_view detail);
  void touch(std::uint32_t task, std::uint64_t thing);
  void item_moved(int id, const item_ledger& ledger);

  /// The features of the trial, each once, in the order in which they came.
  std::span<const feature> features() const noexcept { return features_; }

 private:
  void add(std::uint64_t what);

  std::bitset<buckets> known_;
  const choice_stream* choices_ = nullptr;
  std::vector<feature> features_;
  std::uint64_t last_turn_ = 0;
  std::uint64_t last_event_ = 0;
  std::unordered_map<std::uint64_t, std::uint32_t> last_at_;  // the task that touched a thing last
};

}  // namespace assay
