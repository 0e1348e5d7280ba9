// Depth-first enumeration of every schedule of a small trial: strategy `dfs`. It says when it has covered everything.
//
// Schedules that differ only in the order of independent turns are covered once, by sleep sets (Godefroid,
// "Partial-order methods for the verification of concurrent systems", LNCS 1032, 1996). Two turns are independent when
// neither wakes or makes what the other does and they touch nothing in common; since what turns share in memory cannot
// be seen, this is used only for trials that say that they tell everything (trial::touches_everything). The order in
// which timers become ready is not enumerated apart from the order in which they run.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include <assay/harness/choice/choice.hpp>

namespace assay {

class exhaustive {
 public:
  /// The source of the next trial; to be used for one trial, then finish is to be called.
  choice_source& next() {
    source_.begin();
    return source_;
  }
  /// Takes note of the trial that has been run. False when it was the last: every schedule has been covered.
  bool finish() { return source_.backtrack(); }

 private:
  using footprint = std::vector<std::uint64_t>;         // sorted keys of what a turn touched
  using sleepers = std::map<std::uint32_t, footprint>;  // chains whose next turn is covered elsewhere

  struct node {
    std::vector<std::uint32_t> chains;  // of the candidates, if it is about handlers
    std::uint32_t arity = 0;
    std::uint32_t chosen = 0;
    sleepers asleep;    // when the choice was made
    sleepers explored;  // candidates that have been chosen here, with what their turns touched
  };

  class source final : public choice_source {
   public:
    void begin();
    bool backtrack();
    std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;
    std::uint32_t choose_among(choice_kind kind, std::span<const candidate> candidates) override;
    bool wants_candidates() const noexcept override { return true; }
    bool wants_turns() const noexcept override { return true; }
    void turn_ran(std::uint32_t chain, std::span<const std::uint64_t> touched, bool complete) override;

   private:
    bool on_path() const noexcept { return depth_ < path_.size(); }
    std::uint32_t branch(node fresh);
    static bool next_answer(node& last);

    std::vector<node> path_;
    std::size_t depth_ = 0;    // nodes of the path that this trial has passed
    std::size_t open_ = none;  // the node whose turn is being run
    sleepers asleep_;
    bool redundant_ = false;  // all that can happen now is covered elsewhere: nothing more is branched
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
  };

  source source_;
};

}  // namespace assay
