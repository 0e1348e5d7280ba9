// What a command line selects: subjects, contracts and clauses by glob, and the complaint when a name is unknown.
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/report/names.hpp>

namespace assay {

/// A misuse of the command line: exit status 64. The text names the input and, where there is one, the nearest name.
class usage_error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Filters as they were given; empty means "all".
struct selection {
  std::vector<std::string> subjects;
  std::vector<std::string> contracts;
  std::vector<std::string> clauses;
  std::vector<std::string> kinds;
  bool is_everything() const noexcept {
    return subjects.empty() && contracts.empty() && clauses.empty() && kinds.empty();
  }
};

/// A subject with a scenario of its contract.
struct selected {
  const subject_base* chosen;
  const scenario_info* scenario;
};

/// What is selected, ordered by contract, subject, clause. Mutants are left out unless a kind or a subject names them.
/// Throws usage_error for a name that does not exist and for a selection of nothing.
std::vector<selected> select(const catalogue& all, const selection& wanted);

/// Subjects of one kind and, where given, of these contracts and names. Throws usage_error as select does.
std::vector<const subject_base*> select_subjects(const catalogue& all, subject_kind kind,
                                                 std::span<const std::string> contracts,
                                                 std::span<const std::string> names);

/// The names that there are, as people type them: each once.
std::vector<std::string> subject_names(const catalogue& all, std::optional<subject_kind> kind = std::nullopt);
std::vector<std::string> contract_names(const catalogue& all);
std::vector<std::string> clause_names(const catalogue& all);
std::vector<std::string> subject_kinds();

/// Throws usage_error unless every pattern matches some contract.
void require_contracts(const catalogue& all, std::span<const std::string> patterns);

}  // namespace assay
