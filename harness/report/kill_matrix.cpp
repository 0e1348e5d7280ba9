#include <assay/harness/report/kill_matrix.hpp>

#include <algorithm>
#include <boost/json.hpp>
#include <ostream>
#include <set>
#include <utility>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/report/pretty_json.hpp>

namespace assay {

namespace json = boost::json;

namespace {

using by_clause =
    std::map<std::string, std::vector<const campaign_result*>, bool (*)(std::string_view, std::string_view)>;

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// A clause may have several scenarios; it is enough that one of them fails with the message.
void judge_expected(mutant_verdict& verdict, const expected_failure& expected, const by_clause& failures) {
  const auto found = failures.find(expected.clause);
  if (found == failures.end()) return;
  const bool as_said = std::any_of(
      found->second.begin(), found->second.end(),
      [&](const campaign_result* one) { return one->message.find(expected.message) != std::string::npos; });
  if (as_said) {
    verdict.killed = true;
  } else if (verdict.whole) {
    verdict.problems.push_back("fails " + expected.clause + " with '" + found->second.front()->message +
                               "' and not with '" + expected.message + "'");
  }
}

mutant_verdict judge(const subject_base& mutant, std::size_t scenarios,
                     std::span<const campaign_result> results) {
  mutant_verdict verdict;
  verdict.mutant = &mutant;
  by_clause failures(&clause_before);
  std::size_t run = 0;
  bool misplugged = false;
  for (const campaign_result& one : results) {
    if (one.subject != mutant.name() || one.contract != mutant.contract()) continue;
    if (one.unrun) continue;  // whoever is not tried is not judged
    ++run;
    if (one.misplugged) {  // it was not run: nothing kills it
      if (!std::exchange(misplugged, true)) verdict.problems.push_back("error: " + one.message);
      continue;
    }
    if (is_bad(one.outcome)) failures[one.counts_for()].push_back(&one);
  }
  verdict.whole = run >= scenarios;
  std::vector<std::string> expected = mutant.traits().may_fail;
  for (const expected_failure& must : mutant.traits().must_fail) {
    expected.push_back(must.clause);
    judge_expected(verdict, must, failures);
  }
  for (const auto& [clause, witnesses] : failures) {
    verdict.killed_by.push_back(clause);
    verdict.witnesses.emplace(clause, *witnesses.front());
    if (contains(expected, clause)) continue;
    verdict.unexpected.push_back(clause);
    verdict.problems.push_back("fails " + clause + ", which it should pass: " + witnesses.front()->message);
  }
  if (!verdict.killed && verdict.whole && !misplugged)
    verdict.problems.insert(verdict.problems.begin(), "survives: no clause of its must_fail catches it");
  return verdict;
}

json::array must_fail_of(const subject_base& mutant) {
  json::array ids;
  for (const expected_failure& one : mutant.traits().must_fail) ids.emplace_back(one.clause);
  return ids;
}

}  // namespace

bool kill_matrix::sound() const noexcept {
  return !how_far.interrupted && std::all_of(mutants.begin(), mutants.end(),
                                             [](const mutant_verdict& one) { return one.problems.empty(); });
}

std::vector<const scenario_info*> scenarios_for(const catalogue& all, const subject_base& mutant) {
  std::vector<const scenario_info*> found;
  for (const scenario_info& one : all.scenarios()) {
    if (one.contract == mutant.contract()) found.push_back(&one);
  }
  return found;
}

kill_matrix judge_mutants(const catalogue& all, std::span<const subject_base* const> mutants,
                          std::span<const campaign_result> results, const extent& how_far) {
  kill_matrix matrix;
  matrix.how_far = how_far;
  std::set<std::string> contracts;
  std::set<std::string> unfinished;
  std::set<std::string> killing;
  for (const subject_base* const mutant : mutants) {
    contracts.insert(mutant->contract());
    matrix.mutants.push_back(judge(*mutant, scenarios_for(all, *mutant).size(), results));
    const mutant_verdict& verdict = matrix.mutants.back();
    killing.insert(verdict.killed_by.begin(), verdict.killed_by.end());
    if (!verdict.whole) unfinished.insert(mutant->contract());
  }
  // Which clauses kill nobody is known where everybody was run.
  for (const std::string& contract : unfinished) contracts.erase(contract);
  std::set<std::string> seen;
  for (const scenario_info& scenario : all.scenarios()) {
    const clause_info* const clause = all.find_clause(scenario.clause);
    if (clause == nullptr || clause->level != level::must || !contracts.contains(scenario.contract)) continue;
    if (!killing.contains(clause->id) && seen.insert(clause->id).second)
      matrix.unkilled.push_back(clause->id);
  }
  std::sort(matrix.unkilled.begin(), matrix.unkilled.end(), &clause_before);
  return matrix;
}

json::object to_json(const kill_matrix& matrix) {
  json::object all;
  put_origin(all);
  all["date"] = matrix.date;
  json::array mutants;
  for (const mutant_verdict& one : matrix.mutants) {
    json::object mutant;
    mutant["name"] = one.mutant->name();
    mutant["contract"] = one.mutant->contract();
    mutant["defect"] = one.mutant->traits().defect;
    mutant["must_fail"] = must_fail_of(*one.mutant);
    mutant["may_fail"] = json::value_from(one.mutant->traits().may_fail);
    mutant["killed_by"] = json::value_from(one.killed_by);
    mutant["killed"] = one.killed;
    mutant["judged"] = one.judged();
    mutant["unexpected"] = json::value_from(one.unexpected);
    mutant["problems"] = json::value_from(one.problems);
    json::array witnesses;
    for (const std::string& clause : one.killed_by) {
      const campaign_result& seen = one.witnesses.at(clause);
      json::object witness;
      witness["clause"] = clause;
      witness["verdict"] = to_string(seen.outcome);
      witness["message"] = seen.message;
      witness["shown_by"] = seen.shown_by;
      witness["token"] = seen.token;
      witness["trace_hash"] = seen.trace_hash;
      witnesses.push_back(std::move(witness));
    }
    mutant["witnesses"] = std::move(witnesses);
    mutants.push_back(std::move(mutant));
  }
  all["mutants"] = std::move(mutants);
  all["unkilled"] = json::value_from(matrix.unkilled);
  all["sound"] = matrix.sound();
  all["summary"] = to_json(matrix.how_far);
  return all;
}

void write_json(std::ostream& out, const kill_matrix& matrix) {
  write_pretty(out, to_json(matrix));
  out << '\n';
}

void write_text(std::ostream& out, const kill_matrix& matrix, const std::string& program,
                const text_style& style) {
  const auto painted = [&](const char* code, const std::string& text) {
    return style.colour ? "\x1b[" + std::string(code) + "m" + text + "\x1b[0m" : text;
  };
  std::string contract;
  std::size_t killed = 0;
  std::size_t unjudged = 0;
  for (const mutant_verdict& one : matrix.mutants) {
    if (one.mutant->contract() != contract) {
      contract = one.mutant->contract();
      out << painted("1", contract) << '\n';
    }
    if (one.killed) ++killed;
    if (!one.judged()) ++unjudged;
    out << "  "
        << (one.killed     ? painted("32", "killed    ")
            : one.judged() ? painted("31", "SURVIVES  ")
                           : painted("33", "not judged"))
        << "  " << one.mutant->name();
    std::string by;
    for (const std::string& clause : one.killed_by) by += (by.empty() ? "  by " : ", ") + clause;
    out << by << '\n' << wrap(one.mutant->traits().defect, 14, style.width) << '\n';
    for (const std::string& problem : one.problems) {
      out << wrap(painted("31", "problem") + ": " + problem, 14, style.width) << '\n';
    }
    if (one.problems.empty()) continue;
    for (const auto& [clause, witness] : one.witnesses) {
      out << "              " << clause << ": " << replay_command(program, witness.token) << '\n';
    }
  }
  out << '\n';
  if (matrix.how_far.interrupted) {
    std::string text = assay::how_far(matrix.how_far, "scenario runs");
    text.front() = 'I';
    out << painted("31", text) << ": " << killed << " of " << matrix.mutants.size() << " mutants are killed, "
        << matrix.mutants.size() - killed - unjudged << " survive, " << unjudged << " are not judged.\n";
  } else {
    out << killed << " of " << matrix.mutants.size() << " mutants are killed.\n";
  }
  if (!matrix.unkilled.empty()) {
    std::string text = "MUST clauses that none of these mutants violates:";
    for (const std::string& clause : matrix.unkilled) text += " " + clause;
    out << wrap(text, 0, style.width) << '\n';
  }
}

}  // namespace assay
