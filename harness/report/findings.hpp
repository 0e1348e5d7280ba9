// The findings on third parties that are known: recorded in a file with a reason, so that a run says what is new, what
// has changed and what is gone.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>

namespace assay {

struct finding {
  std::string subject;
  std::string contract;
  std::string clause;
  std::string variant;
  std::string verdict;       ///< "fail" or "error"
  std::string message;       ///< what the verdict's message begins with; recorded ones may have wildcards
  std::string verdict_fifo;  ///< "pass": only a permuted order shows it
  std::string shown_by;      ///< the phase that shows it
  std::string io_context;    ///< what a stock io_context under virtual time shows: pass, fail, error, skip
  std::string reason;        ///< why the library does so, by a person
  std::string reference;     ///< where that can be read: an issue's number, a page of the documentation
  std::string since;         ///< the first Boost that does so, "1.83"; empty: every one before `fixed_in`
  std::string fixed_in;      ///< the first Boost that does so no more; empty: none yet

  std::string name() const;  ///< "asio_channel bounded_queue/BQ-8/swept"
};

/// What a run found on third parties, beside what the stock io_context said of the same scenarios.
std::vector<finding> findings_of(std::span<const campaign_result> results,
                                 std::span<const campaign_result> on_io_context);

/// Whether a recorded finding is one of this Boost, whose number is as BOOST_VERSION has it. What is not is neither missed
/// nor forgotten.
bool is_of_boost(const finding& one, int boost);

/// Throws std::runtime_error that names the file and what is wrong with it.
std::vector<finding> read_findings(const std::filesystem::path& file);
void write_findings(const std::filesystem::path& file, std::span<const finding> findings);

/// In a recorded message this stands for at most `wildcard_max` characters: for what differs from build to build. Bounded,
/// so that it cannot stand for another message.
inline constexpr std::string_view wildcard = "{*}";
inline constexpr std::size_t wildcard_max = 40;
/// Whether `message` begins as `recorded` says.
bool begins_as(std::string_view message, std::string_view recorded);

struct findings_comparison {
  struct change {
    finding recorded;
    finding seen;
    std::string what;  ///< for example "its message"
  };
  std::vector<finding> confirmed;  ///< as recorded; with the recorded reason
  std::vector<finding> appeared;
  std::vector<finding> disappeared;
  std::vector<change> changed;
  bool same() const noexcept { return appeared.empty() && disappeared.empty() && changed.empty(); }
};

/// Compares by subject and scenario, with the Boost that this was built with. A recorded finding is missed only if its
/// scenario was among the `run` ones or the run was `whole`; never if it is of a testee that was not started.
findings_comparison compare(std::span<const finding> recorded, std::span<const finding> seen,
                            std::span<const campaign_result> run, bool whole);

/// What is to be recorded now: what was seen, with the reasons (and the shortened messages) of what was recorded; and what is
/// recorded of testees that were not started.
std::vector<finding> updated(std::span<const finding> recorded, std::span<const finding> seen,
                             std::span<const campaign_result> run);

/// Everything that is wrong with the record itself: above all a finding without a reason.
std::vector<std::string> lint_findings(std::span<const finding> findings);

}  // namespace assay
