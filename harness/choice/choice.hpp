// Everything that a real run leaves open asks one object: the choice stream.
//
// Whoever answers is a source: first-in-first-out, seeded random, a sweep, a replay token, the bytes of a
// fuzzer. The stream records (kind, arity, chosen) for every question with more than one answer, so that one
// recorded sequence can be replayed strictly, shrunk leniently, or decoded from bytes. Answer 0 is always
// what an undisturbed first-in-first-out run does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/choice/fnv.hpp>
#include <assay/harness/choice/reused_vector.hpp>

namespace assay {

/// What a choice is about. The numbers are part of the replay token's format: never reuse one.
enum class choice_kind : std::uint8_t {
  ready = 0,    ///< which ready handler runs next
  timer = 1,    ///< which of several timers due at one instant fires next
  cancel = 2,   ///< whether the victim is cancelled at this point
  fault = 3,    ///< whether (and how) this dependency call fails
  stream = 4,   ///< how an in-memory stream cuts, delays or breaks what it carries
  program = 5,  ///< the operations of a random program, drawn before the trial begins
  user = 6,     ///< a choice that a scenario or a mock makes itself
  late = 7,     ///< how many further deadlines the clock passes at once, as when a real loop was busy
};
inline constexpr std::size_t choice_kinds = 8;

/// The answers to a `cancel` choice: none, or a terminal, partial or total request.
inline constexpr std::uint32_t cancel_kinds = 4;

/// The kind's name as stories and errors print it.
std::string_view to_string(choice_kind kind) noexcept;

/// One recorded choice.
struct choice {
  choice_kind kind{};
  std::uint32_t arity = 0;
  std::uint32_t chosen = 0;
  bool operator==(const choice&) const = default;
};

/// Who would go first by one answer to a `ready` or `timer` choice.
struct candidate {
  std::uint32_t chain = 0;  ///< its handlers follow one from another; see sim_context
  std::uint32_t task = 0;
};

/// Answers the stream's questions. `arity` is at least 2; the answer must be below it.
class choice_source {
 public:
  virtual ~choice_source() = default;
  virtual std::uint32_t choose(choice_kind kind, std::uint32_t arity) = 0;
  /// The same where the candidates are known; asked only of sources that want to know them.
  virtual std::uint32_t choose_among(choice_kind kind, std::span<const candidate> candidates) {
    return choose(kind, static_cast<std::uint32_t>(candidates.size()));
  }
  virtual bool wants_candidates() const noexcept { return false; }
  /// Told after every turn, if it wants to be, what the turn touched: keys of things, and of the chains that it woke or
  /// made. `complete`: there is nothing else that it can have in common with another turn.
  virtual void turn_ran(std::uint32_t /*chain*/, std::span<const std::uint64_t> /*touched*/,
                        bool /*complete*/) {}
  virtual bool wants_turns() const noexcept { return false; }
  /// True when every answer is 0 whatever is asked; lets the stream skip the call.
  virtual bool always_first() const noexcept { return false; }
  /// Why the run left what this source was made for, if it did (strict replay only).
  virtual std::optional<std::string> diverged() const { return std::nullopt; }
};

/// A place outside the process's own memory that receives choices as they are made, so that a crash or a
/// hang still has a token. See harness/campaign/worker.hpp.
class choice_mirror {
 public:
  virtual ~choice_mirror() = default;
  virtual void record(const choice& made) noexcept = 0;
};

/// The one object that is asked. One stream serves one trial.
class choice_stream {
 public:
  /// `source` must outlive the stream; `mirror` may be null.
  explicit choice_stream(choice_source& source, choice_mirror* mirror = nullptr)
      : source_(&source),
        mirror_(mirror),
        first_(source.always_first()),
        wants_candidates_(source.wants_candidates()) {}
  choice_stream(const choice_stream&) = delete;
  choice_stream& operator=(const choice_stream&) = delete;

  /// Picks one of `arity` answers, 0 to arity - 1; an arity of 0 or 1 is no choice and is not recorded.
  /// Amortised O(1) beside the source's own cost.
  std::uint32_t pick(choice_kind kind, std::size_t arity) {
    if (arity < 2) return 0;
    const auto count = static_cast<std::uint32_t>(arity);
    std::uint32_t chosen = 0;
    if (!first_) chosen = source_->choose(kind, count);
    return keep(kind, count, chosen);
  }

  /// The same where the candidates are known: `who(i)` is the i-th, asked only if the source wants to know.
  template <class Who>
  std::uint32_t pick_among(choice_kind kind, std::size_t arity, Who&& who) {
    if (arity < 2) return 0;
    const auto ask_who = [&] {
      candidates_.clear();
      for (std::size_t i = 0; i < arity; ++i) candidates_.push_back(who(i));
    };
    const auto count = static_cast<std::uint32_t>(arity);
    std::uint32_t chosen = 0;
    if (!first_ && wants_candidates_) {
      ask_who();
      chosen = source_->choose_among(kind, candidates_);
    } else if (!first_) {
      chosen = source_->choose(kind, count);
      if (chosen != 0 && told_)
        ask_who();  // for what is told only: a trace must not cost a look at everybody
    }
    return keep(kind, count, chosen);
  }

  /// Calls `told` for every choice that is not the first answer, with the candidates if they are known; for traces.
  void tell(std::function<void(const choice&, std::span<const candidate>)> told) { told_ = std::move(told); }

  bool wants_turns() const noexcept { return source_->wants_turns(); }
  void turn_ran(std::uint32_t chain, std::span<const std::uint64_t> touched, bool complete) {
    source_->turn_ran(chain, touched, complete);
  }

  /// All choices made so far, in order.
  std::span<const choice> made() const noexcept { return made_; }
  std::optional<std::string> diverged() const { return source_->diverged(); }

 private:
  std::uint32_t keep(choice_kind kind, std::uint32_t arity, std::uint32_t chosen) {
    if (chosen >= arity) chosen = arity - 1;
    made_.push_back({kind, arity, chosen});
    if (mirror_ != nullptr) mirror_->record(made_.back());
    if (chosen != 0 && told_) {
      const bool known =
          candidates_.size() == arity && (kind == choice_kind::ready || kind == choice_kind::timer);
      told_(made_.back(), known ? std::span<const candidate>(candidates_) : std::span<const candidate>());
    }
    return chosen;
  }

  choice_source* source_;
  choice_mirror* mirror_;
  bool first_;
  bool wants_candidates_;
  detail::reused_vector<choice> made_;
  detail::reused_vector<candidate> candidates_;
  std::function<void(const choice&, std::span<const candidate>)> told_;
};

/// First in, first out: every answer is 0.
class fifo_source final : public choice_source {
 public:
  std::uint32_t choose(choice_kind, std::uint32_t) override { return 0; }
  bool always_first() const noexcept override { return true; }
};

/// A small deterministic generator (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014). The standard library's distributions differ between implementations; this does not.
class splitmix64 {
 public:
  explicit splitmix64(std::uint64_t seed) noexcept : state_(seed) {}
  std::uint64_t next() noexcept;
  /// Uniform in [0, bound); bound > 0.
  std::uint32_t below(std::uint32_t bound) noexcept;

 private:
  std::uint64_t state_;
};

/// Seeded random: uniform among ready handlers and timers; cancels, faults and late loops are rare, since a run in which
/// everything fails shows little.
class random_source final : public choice_source {
 public:
  struct odds {
    std::uint32_t cancel_one_in = 12;  ///< a cancel point is taken once in this many
    std::uint32_t fault_one_in = 8;    ///< a dependency call fails once in this many
    std::uint32_t late_one_in = 3;     ///< the loop is late once in this many advances of the clock
    bool ready = true;                 ///< false: ready handlers stay first-in-first-out (order model fifo)
  };
  random_source(std::uint64_t seed, odds chances) noexcept : random_(seed), odds_(chances) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;

 private:
  splitmix64 random_;
  odds odds_;
};

/// First-in-first-out but for planned deviations: the n-th choice of a kind (counted from 0) gets this
/// answer.
class sweep_source final : public choice_source {
 public:
  struct deviation {
    choice_kind kind{};
    std::uint32_t index = 0;   ///< which choice of that kind, from 0
    std::uint32_t answer = 1;  ///< clipped to the arity
    bool persistent = false;   ///< also at every later choice of that kind
  };
  explicit sweep_source(std::vector<deviation> plan) : plan_(std::move(plan)) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;

 private:
  std::vector<deviation> plan_;
  std::uint32_t seen_[choice_kinds] = {};
};

/// The lenient reading, for shrinking: recorded answers modulo the arity; past the end, 0.
class lenient_source final : public choice_source {
 public:
  explicit lenient_source(std::vector<std::uint32_t> answers) : answers_(std::move(answers)) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;

 private:
  std::vector<std::uint32_t> answers_;
  std::size_t next_ = 0;
};

/// The bytes reading, for fuzzing: total (every byte string is some run); past the end, 0. An arity up to 256
/// takes one byte, a larger one two. Cancels and faults are taken only by bytes in the top sixteenth, late loops by
/// those in the top quarter, so that short or random inputs are not all storms.
class byte_source final : public choice_source {
 public:
  explicit byte_source(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;
  std::size_t consumed() const noexcept { return next_; }

 private:
  std::uint32_t take() noexcept { return next_ < bytes_.size() ? bytes_[next_++] : 0; }
  std::span<const std::uint8_t> bytes_;
  std::size_t next_ = 0;
};

/// A schedule as a token keeps it: only what deviates from first-in-first-out, and enough to see a
/// divergence.
struct schedule {
  struct deviation {
    std::uint32_t step = 0;  ///< index among all recorded choices, from 0
    choice made;
    bool operator==(const deviation&) const = default;
  };
  std::uint32_t steps = 0;  ///< how many choices the whole run made
  std::uint32_t shape = 0;  ///< hash of the (kind, arity) sequence
  std::vector<deviation> deviations;
  bool operator==(const schedule&) const = default;
};

/// schedule::shape of a recorded run.
std::uint32_t hash_shape(std::span<const choice> made) noexcept;
/// Condenses a recorded run.
schedule condense(std::span<const choice> made);

/// The strict reading, for replay tokens: a kind or arity that does not match, a run that ends early or goes
/// on for longer is a divergence, named with its step. After a divergence every answer is 0. A plan that was `cut` is
/// the beginning of a run that never ended: it is read strictly, and whatever comes behind it is answered with 0.
class replay_source final : public choice_source {
 public:
  explicit replay_source(schedule plan, bool cut = false) : plan_(std::move(plan)), cut_(cut) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;
  std::optional<std::string> diverged() const override { return why_; }
  /// To be called when the run is over: ending early and a different shape are seen only then.
  std::optional<std::string> finish();

 private:
  schedule plan_;
  bool cut_;
  std::uint32_t step_ = 0;
  std::size_t next_ = 0;
  std::uint32_t shape_ = fnv::basis32;
  std::optional<std::string> why_;
};

}  // namespace assay
