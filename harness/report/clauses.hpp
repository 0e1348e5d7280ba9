// What the catalogue knows of a contract and of each of its clauses, gathered for those who print it.
#pragma once

#include <string>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>

namespace assay {

using scenario_list = std::vector<const scenario_info*>;

scenario_list scenarios_of(const catalogue& all, const std::string& contract, const std::string& clause);

/// A contract's own clauses, and the cross-cutting ones that a scenario of its checks.
std::vector<const clause_info*> clauses_of(const catalogue& all, const std::string& contract);

/// The cross-cutting clauses; with a filter those that a scenario of a chosen contract checks.
std::vector<const clause_info*> cross_cutting_clauses(const catalogue& all,
                                                      const std::vector<std::string>& contracts);

/// The contracts with a scenario of the clause, by name.
std::vector<std::string> checked_with(const catalogue& all, const std::string& clause);

/// Without these nothing of the clause is checked; single scenarios may need more.
std::vector<std::string> features_of(const scenario_list& scenarios);

/// What is wrong in just the way that the clause forbids: the mutants of the contract that it is to catch.
std::vector<const subject_base*> mutants_of(const catalogue& all, const std::string& contract,
                                            const std::string& clause);

/// Everything that implements the contract and is not wrong on purpose.
std::vector<const subject_base*> implementations_of(const catalogue& all, const std::string& contract);

/// A clause's lines of the changelog.
std::vector<const revision_info*> changes_of(const catalogue& all, const std::string& clause);

/// The changelog; with a filter that of the clauses that the chosen contracts are held to.
std::vector<const revision_info*> changelog(const catalogue& all, const std::vector<std::string>& contracts);

/// How a scenario checks its clause, in words: "cancelled at every point; needs `close`"; may be empty.
std::string manner_of(const scenario_info& scenario, const std::vector<std::string>& features_of_clause);

/// "a, b, c".
std::string joined(const std::vector<std::string>& words);

}  // namespace assay
