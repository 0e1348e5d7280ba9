#include <assay/harness/report/clauses.hpp>

#include <algorithm>
#include <set>

#include <assay/harness/report/names.hpp>

namespace assay {

namespace {

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

bool is_chosen(const catalogue& all, const clause_info& clause, const std::vector<std::string>& contracts) {
  if (contracts.empty()) return true;
  if (!clause.contract.empty()) return matches_any(contracts, clause.contract);
  const std::vector<std::string> where = checked_with(all, clause.id);
  return std::any_of(where.begin(), where.end(),
                     [&](const std::string& contract) { return matches_any(contracts, contract); });
}

}  // namespace

scenario_list scenarios_of(const catalogue& all, const std::string& contract, const std::string& clause) {
  scenario_list found;
  for (const scenario_info& one : all.scenarios()) {
    if (one.contract == contract && one.clause == clause) found.push_back(&one);
  }
  return found;
}

std::vector<const clause_info*> clauses_of(const catalogue& all, const std::string& contract) {
  std::vector<const clause_info*> own;
  std::vector<const clause_info*> cross_cutting;
  for (const clause_info& one : all.clauses()) {
    if (one.contract == contract) {
      own.push_back(&one);
    } else if (!scenarios_of(all, contract, one.id).empty()) {
      cross_cutting.push_back(&one);
    }
  }
  own.insert(own.end(), cross_cutting.begin(), cross_cutting.end());
  return own;
}

std::vector<const clause_info*> cross_cutting_clauses(const catalogue& all,
                                                      const std::vector<std::string>& contracts) {
  std::vector<const clause_info*> found;
  for (const clause_info& one : all.clauses()) {
    if (one.contract.empty() && is_chosen(all, one, contracts)) found.push_back(&one);
  }
  return found;
}

std::vector<std::string> checked_with(const catalogue& all, const std::string& clause) {
  std::set<std::string> where;
  for (const scenario_info& one : all.scenarios()) {
    if (one.clause == clause) where.insert(one.contract);
  }
  return {where.begin(), where.end()};
}

std::vector<std::string> features_of(const scenario_list& scenarios) {
  if (scenarios.empty()) return {};
  std::vector<std::string> common = scenarios.front()->traits.features;
  for (const scenario_info* const one : scenarios) {
    std::erase_if(common,
                  [&](const std::string& feature) { return !contains(one->traits.features, feature); });
  }
  return common;
}

std::vector<const subject_base*> mutants_of(const catalogue& all, const std::string& contract,
                                            const std::string& clause) {
  std::vector<const subject_base*> found;
  for (const auto& one : all.subjects()) {
    if (one->kind() != subject_kind::mutant || one->contract() != contract) continue;
    const std::vector<expected_failure>& must = one->traits().must_fail;
    if (std::any_of(must.begin(), must.end(),
                    [&](const expected_failure& failure) { return failure.clause == clause; }))
      found.push_back(one.get());
  }
  return found;
}

std::vector<const subject_base*> implementations_of(const catalogue& all, const std::string& contract) {
  std::vector<const subject_base*> found;
  for (const auto& one : all.subjects()) {
    if (one->kind() != subject_kind::mutant && one->contract() == contract) found.push_back(one.get());
  }
  return found;
}

std::vector<const revision_info*> changes_of(const catalogue& all, const std::string& clause) {
  std::vector<const revision_info*> found;
  for (const revision_info& one : all.revisions()) {
    if (one.clause == clause) found.push_back(&one);
  }
  return found;
}

std::vector<const revision_info*> changelog(const catalogue& all, const std::vector<std::string>& contracts) {
  std::vector<const revision_info*> found;
  for (const revision_info& one : all.revisions()) {
    const clause_info* const clause = all.find_clause(one.clause);
    if (clause != nullptr && is_chosen(all, *clause, contracts)) found.push_back(&one);
  }
  return found;
}

std::string manner_of(const scenario_info& scenario, const std::vector<std::string>& features_of_clause) {
  const scenario_traits& traits = scenario.traits;
  std::vector<std::string> words;
  if (!traits.why.empty()) words.push_back(traits.why);
  if (traits.is_program()) words.emplace_back("random programs");
  if (traits.swept) words.emplace_back("cancelled at every point");
  if (traits.faulted) words.emplace_back("with every fault");
  if (traits.late) words.emplace_back("with a late loop");
  if (traits.expects_termination) words.emplace_back("ends the process");
  if (traits.sim_only) words.emplace_back("on the simulator only");
  std::string needed;
  for (const std::string& feature : traits.features) {
    if (!contains(features_of_clause, feature)) needed += (needed.empty() ? "needs `" : "`, `") + feature;
  }
  if (!needed.empty()) words.push_back(needed + "`");
  for (const std::string& feature : traits.asks) words.push_back("asks whether `" + feature + "` is claimed");
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : "; ") + word;
  return text;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

}  // namespace assay
