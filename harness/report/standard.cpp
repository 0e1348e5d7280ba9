#include <assay/harness/report/standard.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>
#include <set>

#include <assay/harness/campaign/version.hpp>
#include <assay/harness/report/clauses.hpp>
#include <assay/harness/report/names.hpp>
#include <assay/harness/report/pretty_json.hpp>

namespace assay {

namespace json = boost::json;

namespace {

using filter = std::vector<std::string>;

// Only what has changed has a number that tells anything.
std::string revision_note(const catalogue& all, const clause_info& clause) {
  const int number = all.revision_of(clause.id);
  return number == 1 ? "" : ", revision " + std::to_string(number);
}

std::string claims_of(const subject_base& one) {
  const std::string features = joined(one.traits().features);
  return one.name() + " (" + std::string(to_string(one.kind())) +
         "): " + (features.empty() ? "the core" : features);
}

// "; without rendezvous: the manual says so".
std::string declined(const subject_base& one) {
  std::string text;
  for (const auto& [feature, because] : one.traits().declines) text += "; without " + feature + ": " + because;
  return text;
}

json::array describe_changes(const std::vector<const revision_info*>& revisions) {
  json::array changes;
  for (const revision_info* const one : revisions)
    changes.push_back(json::object{{"clause", one->clause}, {"revision", one->number}, {"text", one->text}});
  return changes;
}

json::object describe(const subject_base& one) {
  json::object subject;
  subject["name"] = one.name();
  subject["contract"] = one.contract();
  subject["features"] = json::value_from(one.traits().features);
  subject["kind"] = to_string(one.kind());
  if (one.kind() == subject_kind::mutant) subject["defect"] = one.traits().defect;
  if (!one.traits().cites.empty()) subject["cites"] = one.traits().cites;
  if (!one.traits().declines.empty()) subject["declines"] = json::value_from(one.traits().declines);
  if (!one.traits().library.empty()) subject["library"] = one.traits().library;
  if (!one.traits().testee.empty()) {
    subject["testee"] = one.traits().testee;
    subject["written_in"] = one.traits().written_in;
  }
  return subject;
}

json::object describe(const catalogue& all, const std::string& contract, const clause_info& clause) {
  const scenario_list scenarios = scenarios_of(all, contract, clause.id);
  json::object result;
  result["id"] = clause.id;
  result["level"] = to_string(clause.level);
  result["text"] = clause.text;
  result["features"] = json::value_from(features_of(scenarios));
  result["revision"] = all.revision_of(clause.id);
  result["changes"] = describe_changes(changes_of(all, clause.id));
  result["cross_cutting"] = clause.contract.empty();
  if (scenarios.empty()) result["unchecked"] = clause.reason_unchecked;
  if (const std::string* const why = all.dispute_of(clause.id)) result["disputed"] = *why;
  json::array described;
  for (const scenario_info* const one : scenarios) {
    json::object scenario;
    scenario["name"] = one->name();
    scenario["variant"] = one->variant;
    scenario["features"] = json::value_from(one->traits.features);
    scenario["asks"] = json::value_from(one->traits.asks);
    scenario["swept"] = one->traits.swept;
    scenario["faulted"] = one->traits.faulted;
    scenario["late"] = one->traits.may_be_late();
    scenario["expects_termination"] = one->traits.expects_termination;
    scenario["sim_only"] = one->traits.sim_only;
    scenario["file"] = one->file;
    scenario["line"] = one->line;
    if (!one->traits.why.empty()) scenario["why"] = one->traits.why;
    described.push_back(std::move(scenario));
  }
  result["scenarios"] = std::move(described);
  json::array mutants;
  for (const subject_base* const one : mutants_of(all, contract, clause.id))
    mutants.push_back(json::object{{"name", one->name()}, {"defect", one->traits().defect}});
  result["mutants"] = std::move(mutants);
  return result;
}

json::array describe(const std::vector<feature_info>& features) {
  json::array described;
  for (const feature_info& one : features)
    described.push_back(json::object{{"name", one.name}, {"promise", one.promise}});
  return described;
}

json::array describe_contracts(const catalogue& all, const filter& contracts) {
  json::array described;
  for (const contract_info& one : all.contracts()) {
    if (!matches_any(contracts, one.name)) continue;
    json::object contract;
    contract["name"] = one.name;
    contract["family"] = one.family;
    contract["intent"] = one.intent;
    contract["features"] = describe(one.features);
    json::array implementations;
    for (const subject_base* const subject : implementations_of(all, one.name))
      implementations.push_back(describe(*subject));
    contract["implementations"] = std::move(implementations);
    json::array clauses;
    for (const clause_info* const clause : clauses_of(all, one.name)) {
      clauses.push_back(describe(all, one.name, *clause));
    }
    contract["clauses"] = std::move(clauses);
    described.push_back(std::move(contract));
  }
  return described;
}

// Clauses that belong to no one pattern, wherever they are checked.
json::array describe_cross_cutting(const catalogue& all, const filter& contracts) {
  json::array described;
  for (const clause_info* const one : cross_cutting_clauses(all, contracts)) {
    json::object clause;
    clause["id"] = one->id;
    clause["level"] = to_string(one->level);
    clause["text"] = one->text;
    clause["revision"] = all.revision_of(one->id);
    clause["changes"] = describe_changes(changes_of(all, one->id));
    const std::vector<std::string> where = checked_with(all, one->id);
    clause["checked_with"] = json::value_from(where);
    if (where.empty()) clause["unchecked"] = one->reason_unchecked;
    described.push_back(std::move(clause));
  }
  return described;
}

}  // namespace

std::string sources_of(const subject_base& one) {
  std::string text = one.traits().cites + declined(one);
  if (one.traits().cites.empty() && !text.empty()) text.erase(0, 2);
  return text;
}

json::object list_to_json(const catalogue& all, const filter& contracts) {
  json::object list;
  put_origin(list);
  list["contracts"] = describe_contracts(all, contracts);
  json::array subjects;
  for (const auto& one : all.subjects()) {
    if (!matches_any(contracts, one->contract())) continue;
    subjects.push_back(describe(*one));
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
    std::string features;
    for (const feature_info& feature : one.features)
      features += (features.empty() ? "features: " : ", ") + std::string(feature.name);
    if (!features.empty()) out << wrap(features, 2, style.width) << '\n';
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
      out << wrap(claims_of(*chosen) + declined(*chosen), 2, style.width) << '\n';
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
      if (one.contract != chosen->contract() || one.traits.is_program() ||
          reason_to_skip(*chosen, one, tier::sim))
        continue;
      if (!seen.insert(one.clause).second) continue;
      out << chosen->name() << ' ' << chosen->contract() << ' ' << one.clause << ' '
          << to_string(chosen->kind()) << '\n';
    }
  }
}

namespace {

std::string heading(const catalogue& all, const clause_info& clause,
                    const std::vector<std::string>& features) {
  return "  " + clause.id + ' ' + std::string(to_string(clause.level)) +
         (features.empty() ? "" : " [" + joined(features) + "]") + revision_note(all, clause) + '\n';
}

// The text of a clause of every pattern stands once, behind the patterns.
void write_clause_text(std::ostream& out, const catalogue& all, const std::string& contract,
                       const clause_info& clause, const text_style& style) {
  const auto line = [&](const std::string& text) { out << wrap(text, 4, style.width) << '\n'; };
  const scenario_list scenarios = scenarios_of(all, contract, clause.id);
  const std::vector<std::string> features = features_of(scenarios);
  out << heading(all, clause, features);
  line(clause.contract.empty() ? "A clause of every pattern: see below." : clause.text);
  if (scenarios.empty()) line("Not checked: " + clause.reason_unchecked);
  if (const std::string* const why = all.dispute_of(clause.id)) line("Disputed, and not counted: " + *why);
  for (const scenario_info* const one : scenarios) {
    const std::string manner = manner_of(*one, features);
    line("checked: " + one->name() + (manner.empty() ? "" : " (" + manner + ")"));
  }
  for (const subject_base* const one : mutants_of(all, contract, clause.id))
    line("forbids: " + one->name() + ": " + one->traits().defect);
}

void write_contract_text(std::ostream& out, const catalogue& all, const contract_info& contract,
                         const text_style& style) {
  out << contract.name << " (" << contract.family << "): " << contract.intent << "\n\n";
  for (const subject_base* const one : implementations_of(all, contract.name)) {
    const std::string sources = sources_of(*one);
    out << wrap(claims_of(*one) + (sources.empty() ? "" : "; see " + sources), 2, style.width) << '\n';
  }
  if (!contract.features.empty()) out << "\n  Features, and what a subject that claims them promises\n";
  for (const feature_info& one : contract.features)
    out << wrap(std::string(one.name) + ": " + std::string(one.promise), 4, style.width) << '\n';
  out << '\n';
  for (const clause_info* const clause : clauses_of(all, contract.name))
    write_clause_text(out, all, contract.name, *clause, style);
  out << '\n';
}

}  // namespace

void write_standard_text(std::ostream& out, const catalogue& all, const filter& contracts,
                         const text_style& style) {
  for (const contract_info& one : all.contracts()) {
    if (matches_any(contracts, one.name)) write_contract_text(out, all, one, style);
  }
  const auto cross_cutting = cross_cutting_clauses(all, contracts);
  if (!cross_cutting.empty()) out << "Clauses of every pattern\n\n";
  for (const clause_info* const clause : cross_cutting) {
    out << heading(all, *clause, {}) << wrap(clause->text, 4, style.width) << '\n';
    const std::vector<std::string> where = checked_with(all, clause->id);
    out << wrap(where.empty() ? "Not checked: " + clause->reason_unchecked : "checked with: " + joined(where),
                4, style.width)
        << '\n';
  }
  const auto revisions = changelog(all, contracts);
  if (!revisions.empty()) out << "\nChangelog\n\n";
  for (const revision_info* const one : revisions)
    out << wrap(one->clause + ", revision " + std::to_string(one->number) + ": " + one->text, 2, style.width)
        << '\n';
}

json::object standard_to_json(const catalogue& all, const filter& contracts) {
  json::object standard;
  standard["version"] = version();
  standard["contracts"] = describe_contracts(all, contracts);
  standard["cross_cutting"] = describe_cross_cutting(all, contracts);
  standard["changelog"] = describe_changes(changelog(all, contracts));
  return standard;
}

void write_standard_json(std::ostream& out, const catalogue& all, const filter& contracts) {
  write_pretty(out, standard_to_json(all, contracts));
  out << '\n';
}

}  // namespace assay
