#include "harness/report/standard.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>
#include <set>

#include "harness/campaign/version.hpp"
#include "harness/report/names.hpp"
#include "harness/report/pretty_json.hpp"

namespace assay {

namespace json = boost::json;

namespace {

using filter = std::vector<std::string>;

std::vector<const scenario_info*> scenarios_of(const catalogue& all, const std::string& contract,
                                               const std::string& clause) {
  std::vector<const scenario_info*> found;
  for (const scenario_info& one : all.scenarios()) {
    if (one.contract == contract && one.clause == clause) found.push_back(&one);
  }
  return found;
}

// A contract's own clauses, and the cross-cutting ones that a scenario of its checks.
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

// Without these nothing of the clause is checked; single scenarios may need more.
std::vector<std::string> features_of(const std::vector<const scenario_info*>& scenarios) {
  if (scenarios.empty()) return {};
  std::vector<std::string> common = scenarios.front()->traits.features;
  for (const scenario_info* const one : scenarios) {
    std::erase_if(common, [&](const std::string& feature) {
      const auto& needed = one->traits.features;
      return std::find(needed.begin(), needed.end(), feature) == needed.end();
    });
  }
  return common;
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// Only what has changed has a number that tells anything.
std::string revision_note(const catalogue& all, const clause_info& clause) {
  const int number = all.revision_of(clause.id);
  return number == 1 ? "" : ", revision " + std::to_string(number);
}

json::object describe(const catalogue& all, const std::string& contract, const clause_info& clause) {
  const std::vector<const scenario_info*> scenarios = scenarios_of(all, contract, clause.id);
  json::object result;
  result["id"] = clause.id;
  result["level"] = to_string(clause.level);
  result["text"] = clause.text;
  result["features"] = json::value_from(features_of(scenarios));
  result["revision"] = all.revision_of(clause.id);
  result["cross_cutting"] = clause.contract.empty();
  if (scenarios.empty()) result["unchecked"] = clause.reason_unchecked;
  json::array described;
  for (const scenario_info* const one : scenarios) {
    json::object scenario;
    scenario["name"] = one->name();
    scenario["variant"] = one->variant;
    scenario["features"] = json::value_from(one->traits.features);
    scenario["swept"] = one->traits.swept;
    scenario["faulted"] = one->traits.faulted;
    scenario["expects_termination"] = one->traits.expects_termination;
    scenario["sim_only"] = one->traits.sim_only;
    scenario["file"] = one->file;
    scenario["line"] = one->line;
    if (!one->traits.why.empty()) scenario["why"] = one->traits.why;
    described.push_back(std::move(scenario));
  }
  result["scenarios"] = std::move(described);
  return result;
}

json::array describe_contracts(const catalogue& all, const filter& contracts) {
  json::array described;
  for (const contract_info& one : all.contracts()) {
    if (!matches_any(contracts, one.name)) continue;
    json::object contract;
    contract["name"] = one.name;
    contract["family"] = one.family;
    contract["intent"] = one.intent;
    json::array clauses;
    for (const clause_info* const clause : clauses_of(all, one.name)) {
      clauses.push_back(describe(all, one.name, *clause));
    }
    contract["clauses"] = std::move(clauses);
    described.push_back(std::move(contract));
  }
  return described;
}

// The changelog, of the clauses that are shown.
std::vector<const revision_info*> revisions_of(const catalogue& all, const filter& contracts) {
  std::vector<const revision_info*> found;
  for (const revision_info& one : all.revisions()) {
    const clause_info* const clause = all.find_clause(one.clause);
    const bool chosen =
        clause != nullptr &&
        (clause->contract.empty() ? contracts.empty() : matches_any(contracts, clause->contract));
    if (chosen) found.push_back(&one);
  }
  return found;
}

// Clauses that belong to no one pattern, wherever they are checked.
json::array describe_cross_cutting(const catalogue& all) {
  json::array described;
  for (const clause_info& one : all.clauses()) {
    if (!one.contract.empty()) continue;
    json::object clause;
    clause["id"] = one.id;
    clause["level"] = to_string(one.level);
    clause["text"] = one.text;
    clause["revision"] = all.revision_of(one.id);
    std::set<std::string> where;
    for (const scenario_info& scenario : all.scenarios()) {
      if (scenario.clause == one.id) where.insert(scenario.contract);
    }
    clause["checked_with"] = json::value_from(where);
    if (where.empty()) clause["unchecked"] = one.reason_unchecked;
    described.push_back(std::move(clause));
  }
  return described;
}

}  // namespace

json::object list_to_json(const catalogue& all, const filter& contracts) {
  json::object list;
  list["version"] = version();
  list["build"] = build_id();
  list["contracts"] = describe_contracts(all, contracts);
  json::array subjects;
  for (const auto& one : all.subjects()) {
    if (!matches_any(contracts, one->contract())) continue;
    json::object subject;
    subject["name"] = one->name();
    subject["contract"] = one->contract();
    subject["features"] = json::value_from(one->traits().features);
    subject["kind"] = to_string(one->kind());
    if (one->kind() == subject_kind::mutant) subject["defect"] = one->traits().defect;
    if (!one->traits().cites.empty()) subject["cites"] = one->traits().cites;
    subjects.push_back(std::move(subject));
  }
  list["subjects"] = std::move(subjects);
  return list;
}

void write_list_json(std::ostream& out, const catalogue& all, const filter& contracts) {
  write_pretty(out, list_to_json(all, contracts));
  out << '\n';
}

void write_list_text(std::ostream& out, const catalogue& all, const filter& contracts,
                     const text_style& style) {
  for (const contract_info& one : all.contracts()) {
    if (!matches_any(contracts, one.name)) continue;
    out << one.name << " (" << one.family << "): " << one.intent << '\n';
    std::string ids = "clauses:";
    for (const clause_info* const clause : clauses_of(all, one.name)) ids += ' ' + clause->id;
    out << wrap(ids, 2, style.width) << '\n';
    std::string mutants;
    for (const auto& chosen : all.subjects()) {
      if (chosen->contract() != one.name) continue;
      if (chosen->kind() == subject_kind::mutant) {
        mutants += ' ' + chosen->name();
        continue;
      }
      const std::string features = joined(chosen->traits().features);
      out << wrap(chosen->name() + " (" + std::string(to_string(chosen->kind())) +
                      "): " + (features.empty() ? "the core" : features),
                  2, style.width)
          << '\n';
    }
    if (!mutants.empty()) out << wrap("mutants:" + mutants, 2, style.width) << '\n';
    out << '\n';
  }
}

void write_list_tests(std::ostream& out, const catalogue& all, const filter& contracts) {
  for (const auto& chosen : all.subjects()) {
    if (!matches_any(contracts, chosen->contract())) continue;
    std::set<std::string> seen;
    for (const scenario_info& one : all.scenarios()) {
      if (one.contract != chosen->contract() || one.traits.property ||
          reason_to_skip(*chosen, one, tier::sim))
        continue;
      if (!seen.insert(one.clause).second) continue;
      out << chosen->name() << ' ' << chosen->contract() << ' ' << one.clause << ' '
          << to_string(chosen->kind()) << '\n';
    }
  }
}

void write_standard_text(std::ostream& out, const catalogue& all, const filter& contracts,
                         const text_style& style) {
  for (const contract_info& one : all.contracts()) {
    if (!matches_any(contracts, one.name)) continue;
    out << one.name << " (" << one.family << "): " << one.intent << "\n\n";
    for (const clause_info* const clause : clauses_of(all, one.name)) {
      const auto scenarios = scenarios_of(all, one.name, clause->id);
      const std::string features = joined(features_of(scenarios));
      out << "  " << clause->id << ' ' << to_string(clause->level)
          << (features.empty() ? "" : " [" + features + "]") << revision_note(all, *clause) << '\n'
          << wrap(clause->text, 4, style.width) << '\n';
      if (scenarios.empty()) out << wrap("Not checked: " + clause->reason_unchecked, 4, style.width) << '\n';
    }
    out << '\n';
  }
  const auto revisions = revisions_of(all, contracts);
  if (revisions.empty()) return;
  out << "Changelog\n\n";
  for (const revision_info* const one : revisions)
    out << wrap(one->clause + ", revision " + std::to_string(one->number) + ": " + one->text, 2, style.width)
        << '\n';
  out << '\n';
}

void write_standard_markdown(std::ostream& out, const catalogue& all, const filter& contracts) {
  out << "# The standard, version " << version() << "\n";
  std::string family;
  for (const contract_info& one : all.contracts()) {
    if (!matches_any(contracts, one.name)) continue;
    if (one.family != family) out << "\n## " << one.family << '\n';
    family = one.family;
    out << "\n### " << one.name << "\n\n"
        << one.intent
        << ".\n\n| clause | revision | level | needs | text |\n| --- | --- | --- | --- | --- |\n";
    for (const clause_info* const clause : clauses_of(all, one.name)) {
      const auto scenarios = scenarios_of(all, one.name, clause->id);
      std::string text = clause->text;
      if (scenarios.empty()) text += " *Not checked: " + clause->reason_unchecked + "*";
      for (std::size_t at = 0; (at = text.find('|', at)) != std::string::npos; at += 2) text.insert(at, "\\");
      out << "| " << clause->id << " | " << all.revision_of(clause->id) << " | " << to_string(clause->level)
          << " | " << joined(features_of(scenarios)) << " | " << text << " |\n";
    }
  }
  const auto revisions = revisions_of(all, contracts);
  if (revisions.empty()) return;
  out << "\n## Changelog\n\n";
  for (const revision_info* const one : revisions)
    out << "- " << one->clause << ", revision " << one->number << ": " << one->text << '\n';
}

json::object standard_to_json(const catalogue& all, const filter& contracts) {
  json::object standard;
  standard["version"] = version();
  standard["contracts"] = describe_contracts(all, contracts);
  standard["cross_cutting"] = describe_cross_cutting(all);
  json::array changelog;
  for (const revision_info* const one : revisions_of(all, contracts))
    changelog.push_back(
        json::object{{"clause", one->clause}, {"revision", one->number}, {"text", one->text}});
  standard["changelog"] = std::move(changelog);
  return standard;
}

void write_standard_json(std::ostream& out, const catalogue& all, const filter& contracts) {
  write_pretty(out, standard_to_json(all, contracts));
  out << '\n';
}

}  // namespace assay
