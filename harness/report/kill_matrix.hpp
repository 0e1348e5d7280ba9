// The kill matrix: which clauses catch which mutants, and everything about it that is not as the mutants say.
#pragma once

#include <boost/json/object.hpp>
#include <iosfwd>
#include <map>
#include <span>
#include <string>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

struct mutant_verdict {
  const subject_base* mutant = nullptr;
  std::vector<std::string> killed_by;   ///< clauses that it fails
  std::vector<std::string> unexpected;  ///< of these, the ones neither in must_fail nor in may_fail
  std::vector<std::string>
      problems;  ///< what is wrong, in words: survived, unexpected failures, other messages
  std::map<std::string, campaign_result> witnesses;  ///< for each of killed_by, one result
  bool killed = false;  ///< fails a clause of its must_fail, with the expected message
  bool whole = true;    ///< all its scenarios were run; else it may be killed by one that was not
  bool judged() const noexcept { return killed || whole; }
};

struct kill_matrix {
  std::vector<mutant_verdict> mutants;
  std::vector<std::string> unkilled;  ///< MUST clauses that have a scenario here, and that no mutant fails
  extent how_far;                     ///< in scenario runs
  std::string date;                   ///< see report_date
  bool sound() const noexcept;
};

/// Judges what mutants did; the results are those of `mutants`, all scenarios of their contracts, or some if that was
/// interrupted. Whoever was not run as a whole is judged by what is certain.
kill_matrix judge_mutants(const catalogue& all, std::span<const subject_base* const> mutants,
                          std::span<const campaign_result> results, const extent& how_far);
/// The scenarios that a mutant is run with.
std::vector<const scenario_info*> scenarios_for(const catalogue& all, const subject_base& mutant);

void write_text(std::ostream& out, const kill_matrix& matrix, const std::string& program,
                const text_style& style);
void write_json(std::ostream& out, const kill_matrix& matrix);
boost::json::object to_json(const kill_matrix& matrix);

}  // namespace assay
