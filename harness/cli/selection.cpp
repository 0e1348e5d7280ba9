#include <assay/harness/cli/selection.hpp>

#include <algorithm>
#include <set>

#include <assay/harness/catalogue/spelling.hpp>

namespace assay {

namespace {

bool has_wildcard(std::string_view pattern) noexcept {
  return pattern.find_first_of("*?[") != std::string_view::npos;
}

// Every pattern must match a name, so that a misspelt filter is an error and not an empty, green run.
void require_known(const char* what, std::span<const std::string> patterns,
                   std::span<const std::string> names) {
  for (const std::string& pattern : patterns) {
    const bool known = std::any_of(names.begin(), names.end(),
                                   [&](const std::string& name) { return matches(pattern, name); });
    if (known) continue;
    throw usage_error(has_wildcard(pattern) ? "no " + std::string(what) + " matches '" + pattern + "'"
                                            : "unknown " + std::string(what) + " '" + pattern + "'" +
                                                  suggestion(pattern, names));
  }
}

// A testee's name stands for all that it hosts.
bool names_subject(const std::string& pattern, const subject_base& one) {
  return matches(pattern, one.name()) ||
         (!one.traits().testee.empty() && matches(pattern, one.traits().testee));
}

bool is_named(std::span<const std::string> patterns, const subject_base& one) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
           return names_subject(pattern, one);
         });
}

// A mutant is wrong on purpose, so it runs only if it is meant: by its kind, by its name, or by a glob that nobody
// but mutants matches.
bool is_meant(const catalogue& all, const selection& wanted, const subject_base& chosen) {
  if (!wanted.kinds.empty()) return matches_any(wanted.kinds, to_string(chosen.kind()));
  if (chosen.kind() != subject_kind::mutant) return true;
  return std::any_of(wanted.subjects.begin(), wanted.subjects.end(), [&](const std::string& pattern) {
    if (!matches(pattern, chosen.name())) return false;
    return std::none_of(all.subjects().begin(), all.subjects().end(), [&](const auto& other) {
      return other->kind() != subject_kind::mutant && matches(pattern, other->name());
    });
  });
}

std::string describe(const selection& wanted) {
  std::string text;
  const auto add = [&text](const char* option, const std::vector<std::string>& patterns) {
    for (const std::string& one : patterns)
      text += std::string(text.empty() ? "" : " ") + option + " '" + one + "'";
  };
  add("--subject", wanted.subjects);
  add("--kind", wanted.kinds);
  add("--contract", wanted.contracts);
  add("--clause", wanted.clauses);
  return text;
}

}  // namespace

std::vector<std::string> subject_names(const catalogue& all, std::optional<subject_kind> kind) {
  std::set<std::string> names;
  for (const auto& one : all.subjects()) {
    if (kind && one->kind() != *kind) continue;
    names.insert(one->name());
    if (!one->traits().testee.empty()) names.insert(one->traits().testee);
  }
  return {names.begin(), names.end()};
}

std::vector<std::string> contract_names(const catalogue& all) {
  std::vector<std::string> names;
  for (const contract_info& one : all.contracts()) names.push_back(one.name);
  return names;
}

std::vector<std::string> clause_names(const catalogue& all) {
  std::vector<std::string> names;
  for (const clause_info& one : all.clauses()) names.push_back(one.id);
  return names;
}

std::vector<std::string> subject_kinds() { return {"reference", "third-party", "mutant", "alternative"}; }

void require_contracts(const catalogue& all, std::span<const std::string> patterns) {
  require_known("contract", patterns, contract_names(all));
}

std::vector<selected> select(const catalogue& all, const selection& wanted) {
  require_known("kind", wanted.kinds, subject_kinds());
  require_known("subject", wanted.subjects, subject_names(all));
  require_known("clause", wanted.clauses, clause_names(all));
  require_contracts(all, wanted.contracts);
  std::vector<selected> result;
  for (const contract_info& contract : all.contracts()) {
    if (!matches_any(wanted.contracts, contract.name)) continue;
    for (const auto& chosen : all.subjects()) {
      if (chosen->contract() != contract.name || !is_named(wanted.subjects, *chosen)) continue;
      if (!is_meant(all, wanted, *chosen)) continue;
      for (const scenario_info& scenario : all.scenarios()) {
        if (scenario.contract != contract.name || !matches_any(wanted.clauses, scenario.clause)) continue;
        result.push_back({chosen.get(), &scenario});
      }
    }
  }
  if (result.empty()) {
    throw usage_error(wanted.is_everything() ? "there is nothing to run: no subject has a scenario"
                                             : "nothing is selected by " + describe(wanted) + " together");
  }
  return result;
}

std::vector<const subject_base*> select_subjects(const catalogue& all, subject_kind kind,
                                                 std::span<const std::string> contracts,
                                                 std::span<const std::string> names) {
  require_contracts(all, contracts);
  require_known(std::string(to_string(kind)).c_str(), names, subject_names(all, kind));
  std::vector<const subject_base*> result;
  for (const auto& one : all.subjects()) {
    const bool wanted =
        one->kind() == kind && matches_any(contracts, one->contract()) && matches_any(names, one->name());
    if (wanted) result.push_back(one.get());
  }
  if (result.empty()) throw usage_error("no " + std::string(to_string(kind)) + " is selected");
  return result;
}

}  // namespace assay
