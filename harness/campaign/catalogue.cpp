#include "harness/campaign/catalogue.hpp"

#include <algorithm>
#include <charconv>
#include <set>
#include <stdexcept>
#include <tuple>

namespace assay {

std::string_view to_string(level value) noexcept {
  switch (value) {
    case level::must:
      return "MUST";
    case level::should:
      return "SHOULD";
    case level::may:
      return "MAY";
  }
  return "unknown";
}

std::string_view to_string(subject_kind value) noexcept {
  switch (value) {
    case subject_kind::reference:
      return "reference";
    case subject_kind::third_party:
      return "third-party";
    case subject_kind::mutant:
      return "mutant";
    case subject_kind::alternative:
      return "alternative";
  }
  return "unknown";
}

std::string scenario_info::name() const {
  return contract + "/" + clause + (variant.empty() ? "" : "/" + variant);
}

bool subject_base::claims(std::string_view feature) const noexcept {
  return std::find(traits_.features.begin(), traits_.features.end(), feature) != traits_.features.end();
}

catalogue& catalogue::instance() {
  static catalogue one;
  return one;
}

void catalogue::add(contract_info info) { contracts_.push_back(std::move(info)); }
void catalogue::add(clause_info info) { clauses_.push_back(std::move(info)); }
void catalogue::add(revision_info info) { revisions_.push_back(std::move(info)); }
void catalogue::add(dispute_info info) { disputes_.push_back(std::move(info)); }
void catalogue::add(scenario_info info) {
  info.file = info.file.substr(info.file.rfind('/') + 1);
  scenarios_.push_back(std::move(info));
}
void catalogue::add(std::unique_ptr<subject_base> info) {
  if (find_subject(info->contract(), info->name()) != nullptr) {
    throw std::invalid_argument("the subject '" + info->name() + "' of " + info->contract() +
                                " was added twice");
  }
  subjects_.push_back(std::move(info));
}

namespace {

template <class Range, class Match>
auto find_in(const Range& range, Match&& match) -> decltype(&*range.begin()) {
  const auto found = std::find_if(range.begin(), range.end(), match);
  return found == range.end() ? nullptr : &*found;
}

// "BQ-6" as ("BQ", 6).
std::pair<std::string_view, int> split_id(std::string_view id) noexcept {
  const std::size_t dash = id.rfind('-');
  if (dash == std::string_view::npos) return {id, 0};
  int number = 0;
  std::from_chars(id.data() + dash + 1, id.data() + id.size(), number);
  return {id.substr(0, dash), number};
}

}  // namespace

bool clause_before(std::string_view a, std::string_view b) noexcept { return split_id(a) < split_id(b); }

const contract_info* catalogue::find_contract(std::string_view name) const noexcept {
  return find_in(contracts_, [name](const contract_info& one) { return one.name == name; });
}
const clause_info* catalogue::find_clause(std::string_view id) const noexcept {
  return find_in(clauses_, [id](const clause_info& one) { return one.id == id; });
}
const scenario_info* catalogue::find_scenario(std::string_view name) const noexcept {
  return find_in(scenarios_, [name](const scenario_info& one) { return one.name() == name; });
}
const subject_base* catalogue::find_subject(std::string_view contract, std::string_view name) const noexcept {
  const auto* found = find_in(subjects_, [&](const std::unique_ptr<subject_base>& one) {
    return one->contract() == contract && one->name() == name;
  });
  return found == nullptr ? nullptr : found->get();
}

int catalogue::revision_of(std::string_view clause) const noexcept {
  int number = 1;
  for (const revision_info& one : revisions_) {
    if (one.clause == clause) number = std::max(number, one.number);
  }
  return number;
}

const std::string* catalogue::dispute_of(std::string_view clause) const noexcept {
  const dispute_info* const found =
      find_in(disputes_, [clause](const dispute_info& one) { return one.clause == clause; });
  return found == nullptr ? nullptr : &found->reason;
}

bool catalogue::in_core(const scenario_info& scenario) const noexcept {
  const clause_info* const clause = find_clause(scenario.clause);
  return clause != nullptr && clause->level == level::must && scenario.traits.features.empty() &&
         dispute_of(clause->id) == nullptr;
}

void catalogue::sort() {
  std::sort(contracts_.begin(), contracts_.end(), [](const contract_info& a, const contract_info& b) {
    return std::tie(a.family, a.name) < std::tie(b.family, b.name);
  });
  std::sort(clauses_.begin(), clauses_.end(),
            [](const clause_info& a, const clause_info& b) { return clause_before(a.id, b.id); });
  std::sort(revisions_.begin(), revisions_.end(), [](const revision_info& a, const revision_info& b) {
    return std::pair(split_id(a.clause), a.number) < std::pair(split_id(b.clause), b.number);
  });
  std::sort(scenarios_.begin(), scenarios_.end(), [](const scenario_info& a, const scenario_info& b) {
    return std::forward_as_tuple(a.contract, split_id(a.clause), a.variant) <
           std::forward_as_tuple(b.contract, split_id(b.clause), b.variant);
  });
  std::sort(subjects_.begin(), subjects_.end(), [](const auto& a, const auto& b) {
    return std::forward_as_tuple(a->contract(), a->kind(), a->name()) <
           std::forward_as_tuple(b->contract(), b->kind(), b->name());
  });
}

std::vector<std::string> catalogue::lint() const {
  std::vector<std::string> complaints;
  std::set<std::string> ids;
  for (const clause_info& one : clauses_) {
    if (!ids.insert(one.id).second) complaints.push_back("the clause id '" + one.id + "' is used twice");
    if (one.text.empty()) complaints.push_back("the clause '" + one.id + "' has no text");
    if (!one.contract.empty() && find_contract(one.contract) == nullptr) {
      complaints.push_back("the clause '" + one.id + "' belongs to no contract that exists: '" +
                           one.contract + "'");
    }
    const bool checked =
        find_in(scenarios_, [&](const scenario_info& s) { return s.clause == one.id; }) != nullptr;
    if (!checked && one.reason_unchecked.empty()) {
      complaints.push_back("the clause '" + one.id + "' has neither a scenario nor a reason why not");
    }
  }
  std::set<std::pair<std::string, int>> revisions;
  for (const revision_info& one : revisions_) {
    const std::string what = "revision " + std::to_string(one.number) + " of '" + one.clause + "'";
    if (find_clause(one.clause) == nullptr)
      complaints.push_back("the " + what + " is of no clause that exists");
    if (one.text.empty()) complaints.push_back("the " + what + " does not say what changed");
    if (!revisions.emplace(one.clause, one.number).second)
      complaints.push_back("the " + what + " exists twice");
  }
  for (const auto& [id, number] : revisions) {
    if (number != 2 && !revisions.contains({id, number - 1})) {
      complaints.push_back("the revision " + std::to_string(number) + " of '" + id +
                           "' does not follow on another");
    }
  }
  for (const dispute_info& one : disputes_) {
    if (find_clause(one.clause) == nullptr)
      complaints.push_back("the dispute about '" + one.clause + "' is of no clause that exists");
    if (one.reason.empty()) complaints.push_back("the dispute about '" + one.clause + "' has no reason");
  }
  std::set<std::string> names;
  for (const scenario_info& one : scenarios_) {
    if (!names.insert(one.name()).second)
      complaints.push_back("the scenario '" + one.name() + "' exists twice");
    if (find_clause(one.clause) == nullptr) {
      complaints.push_back("the scenario '" + one.name() + "' belongs to no clause that exists");
    }
    if (find_contract(one.contract) == nullptr) {
      complaints.push_back("the scenario '" + one.name() + "' belongs to no contract that exists");
    }
  }
  for (const auto& one : subjects_) {
    const std::string who = "'" + one->name() + "' of " + one->contract();
    if (find_contract(one->contract()) == nullptr)
      complaints.push_back("the subject " + who + " has no contract");
    const subject_traits& traits = one->traits();
    if (one->kind() == subject_kind::mutant && (traits.must_fail.empty() || traits.defect.empty())) {
      complaints.push_back("the mutant " + who + " must name its defect and a clause that it fails");
    }
    std::vector<std::string> named = traits.may_fail;
    for (const expected_failure& must : traits.must_fail) named.push_back(must.clause);
    for (const std::string& id : named) {
      const bool exists = find_in(scenarios_, [&](const scenario_info& s) {
                            return s.contract == one->contract() && s.clause == id;
                          }) != nullptr;
      if (!exists)
        complaints.push_back("the subject " + who + " names the clause '" + id + "', which nothing checks");
    }
  }
  return complaints;
}

}  // namespace assay
