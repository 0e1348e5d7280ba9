// A corpus: the schedules that have shown something, and new schedules that are mutated from them.
//
// Exploring without memory starts every trial anew; what takes several unlikely steps in a row is reached only if one
// trial makes them all. So, as coverage-guided fuzzers do with inputs (M. Zalewski, AFL; LLVM's libFuzzer), every
// schedule that showed a feature for the first time (see coverage.hpp) is kept, and new ones are small changes of those:
// they begin where others have come to. The same was done for interleavings of threads by Chen et al. ("MUZZ:
// Thread-aware grey-box fuzzing for effective bug hunting in multithreaded programs", USENIX Security 2020) and with
// features much like these by Wolff, Shi, Duck, Mathur, Roychoudhury ("Greybox fuzzing for concurrency testing",
// ASPLOS 2024).
//
// What is mutated: mostly the schedule with the feature that the fewest trials have shown, since what everybody shows
// has been explored (Boehme, Pham, Roychoudhury, "Coverage-based greybox fuzzing as Markov chain", CCS 2016).
//
// What is kept of a run: its beginning, up to where the last of what it showed first came, so that a mutant can go on
// from there. Every feature belongs to the smallest schedule that has shown it (fewest deviations from
// first-in-first-out, then fewest choices), and a schedule to which no feature belongs any more goes, as in libFuzzer.
// When there are too many, the one goes whose rarest feature most trials have shown (of several, the largest, then the
// youngest): it has been explored. Its features stay known, and belong to nobody from then on.
//
// Deterministic: the same trials in the same order make the same corpus, and the same seed the same mutant of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/choice/strategy.hpp>
#include <assay/harness/trial/coverage.hpp>

namespace assay {

/// A corpus in plain values, to be handed to another process or kept in a file.
struct corpus_state {
  std::vector<std::string> schedules;                ///< as tokens write them, the oldest first
  std::vector<std::vector<std::uint32_t>> features;  ///< that belong to each, ascending
  std::vector<std::uint32_t> known;                  ///< all features, ascending
  std::vector<std::uint32_t> times;                  ///< how many trials have shown each
  bool operator==(const corpus_state&) const = default;
};

class corpus {
 public:
  struct entry {
    std::uint64_t id = 0;                 ///< in the order in which they were kept
    schedule plan;                        ///< cut: the run goes on first-in-first-out
    std::vector<std::uint32_t> features;  ///< that belong to it
  };
  static constexpr std::size_t entries_max = 256;

  corpus() = default;
  /// Throws std::runtime_error for what `state` did not make.
  explicit corpus(const corpus_state& state);
  corpus_state state() const;

  /// Takes note of a trial; true if it is kept.
  bool note(std::span<const choice> made, std::span<const coverage::feature> features);

  std::span<const entry> entries() const noexcept { return entries_; }
  std::size_t features() const noexcept { return known_.size(); }

  /// The source of a new trial: a change of a schedule of the corpus, which must not be empty. `shape` is of the
  /// first-in-first-out run.
  std::unique_ptr<choice_source> mutant(std::uint64_t seed, const run_shape& shape) const;

 private:
  /// Of a schedule: deviations, then choices.
  using size = std::pair<std::size_t, std::uint32_t>;
  struct known_feature {
    std::uint32_t times = 0;
    std::uint64_t owner = 0;  // an entry's id; 0: nobody's
  };
  entry* find(std::uint64_t id) noexcept;
  bool is_smaller_for(const known_feature& one, size of) noexcept;
  void disown(std::uint32_t which, std::uint64_t owner);
  void evict();
  std::uint32_t rarest(const entry& one) const;
  const entry& pick(splitmix64& random) const;

  std::vector<entry> entries_;  // by id
  std::uint64_t next_id_ = 1;
  std::unordered_map<std::uint32_t, known_feature> known_;
};

}  // namespace assay
