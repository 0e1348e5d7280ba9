// Random programs of operations: plain data, drawn through the choice stream before the trial's first operation, so
// that RapidCheck, libFuzzer, shrinking and replay tokens share one decoder (GEN-1, GEN-2, GEN-8).
//
// A pattern has a grammar: the names of its verbs, the features that they need, and how large a step's two arguments may be.
// Any sequence of choices is a valid program, bounded in length. A program has only verbs whose features the subject claims.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/choice/choice.hpp>

namespace assay {

struct program_step {
  std::uint8_t verb = 0;  ///< index into the grammar's verbs
  std::uint8_t a = 0;     ///< what the verb makes of it: an operation, a duration, ...
  std::uint8_t b = 0;
  bool operator==(const program_step&) const = default;
};

struct program {
  std::uint8_t shape = 0;  ///< one choice about the whole (a capacity, say)
  std::vector<program_step> steps;
  std::uint8_t repeats = 0;  ///< index into the grammar's repeats
  bool operator==(const program&) const = default;
};

/// What a step may do. The feature is one that the subject must claim; empty: everybody has the verb.
struct program_verb {
  program_verb(std::string_view verb, std::string_view needed = {}) : name(verb), feature(needed) {}
  program_verb(const char* verb) : name(verb) {}
  std::string name;
  std::string feature;
};

struct grammar {
  std::uint32_t shapes = 1;
  std::vector<program_verb> verbs;
  std::uint32_t a_values = 8;
  std::uint32_t b_values = 4;
  std::uint32_t steps_max = 24;
  /// How many times a program may do all of its steps, one after another: what wears out shows only after some time. The
  /// first one is what first in, first out means.
  std::vector<std::uint32_t> repeats = {1};
  /// The steps describe one run, its children or resources: more of them make a larger run, not more of the same calls, and
  /// what a subject holds may grow with it.
  bool one_run = false;
};

/// Of a grammar's verbs, by index, those that a subject with these claims has.
using allowed_verbs = std::vector<std::uint8_t>;
allowed_verbs allowed(const grammar& rules, const std::function<bool(std::string_view feature)>& claims);

/// The verbs of a table whose rows have, among other things, `name` and `feature`.
template <class Row, std::size_t N>
std::vector<program_verb> verbs_in(const Row (&table)[N]) {
  std::vector<program_verb> verbs;
  for (const Row& one : table) verbs.push_back({std::string(one.name), std::string(one.feature)});
  return verbs;
}

/// Draws a program: the shape, how often it is repeated, then per step whether there is one more and what it is. The first
/// answers everywhere (first in, first out) give the empty program. O(steps_max).
program draw(choice_stream& choices, const grammar& rules, std::span<const std::uint8_t> verbs);

/// The steps as they are done, one after another: all of them, as often as the program says.
std::vector<program_step> unrolled(const program& drawn, const grammar& rules);

/// The verbs that many grammars have, by which a round of the same calls is made up: see growth_rounds.
inline constexpr std::string_view cancel_verb = "cancel";
inline constexpr std::string_view settle_verb = "settle";
inline constexpr std::string_view advance_verb = "advance";

/// The steps, `rounds` times. The steps that cancel take the operations in turn: where each round begins one, its own.
std::vector<program_step> repeated(const program& drawn, const grammar& rules, std::uint32_t rounds);

/// What may be done again and again without end, in a subject with these verbs: each of them, cancelled once it has settled;
/// with time to pass; and behind the first verb of the grammar, which puts in what others take out or free. Of cancel,
/// settle and advance, what the grammar has.
std::vector<program> growth_rounds(const grammar& rules, std::span<const std::uint8_t> verbs);

/// "push, cancel": the verbs of a program's steps, but for those that settle.
std::string verbs_of(const program& what, const grammar& rules);

/// The choices that make `draw` return `wanted`; what a property feeds to the stream. Values outside of the grammar
/// are clipped, and steps whose verbs are not among these are left out.
std::vector<std::uint32_t> answers_for(const program& wanted, const grammar& rules,
                                       std::span<const std::uint8_t> verbs);

/// "shape 2: push 3 0; settle 0 0": for failures and regression files.
std::string to_text(const program& what, const grammar& rules);

/// Answers the choices of a program first (from `answers`), then everything else from another source.
class program_source final : public choice_source {
 public:
  program_source(std::vector<std::uint32_t> answers, choice_source& rest)
      : answers_(std::move(answers)), rest_(&rest) {}
  std::uint32_t choose(choice_kind kind, std::uint32_t arity) override;

 private:
  std::vector<std::uint32_t> answers_;
  std::size_t next_ = 0;
  choice_source* rest_;
};

}  // namespace assay
