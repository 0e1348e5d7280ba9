#include <assay/harness/catalogue/catalogue.hpp>

#include <algorithm>
#include <charconv>
#include <new>
#include <set>
#include <stdexcept>
#include <tuple>

#include <assay/harness/catalogue/spelling.hpp>

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

const feature_info* contract_info::find_feature(std::string_view wanted) const noexcept {
  const auto is_wanted = [wanted](const feature_info& one) { return one.name == wanted; };
  const auto found = std::find_if(features.begin(), features.end(), is_wanted);
  if (found != features.end()) return &*found;
  const auto* const common = std::find_if(std::begin(common_features), std::end(common_features), is_wanted);
  return common == std::end(common_features) ? nullptr : common;
}

bool subject_base::claims(std::string_view feature) const noexcept {
  if (is_common_feature(feature)) {
    return std::none_of(traits_.declines.begin(), traits_.declines.end(),
                        [feature](const auto& one) { return one.first == feature; });
  }
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
void catalogue::add(plug_check_info info) {
  info.check.file = info.check.file.substr(info.check.file.rfind('/') + 1);
  plug_checks_.push_back(std::move(info.check));
}
void catalogue::add(std::unique_ptr<subject_base> info) {
  if (find_subject(info->contract(), info->name()) != nullptr) {
    throw std::invalid_argument("the subject '" + info->name() + "' of " + info->contract() +
                                " was added twice");
  }
  subjects_.push_back(std::move(info));
}

void catalogue::add_or_complain(std::unique_ptr<subject_base> info) {
  try {
    add(std::move(info));
  } catch (const std::invalid_argument& taken) {
    complaints_.emplace_back(taken.what());
  }
}
void catalogue::offer(std::unique_ptr<subject_base> info) {
  if (takes_offered_) {
    add_or_complain(std::move(info));
  } else {
    offered_.push_back(std::move(info));
  }
}
void catalogue::take_offered() {
  takes_offered_ = true;
  for (std::unique_ptr<subject_base>& one : offered_) add_or_complain(std::move(one));
  offered_.clear();
}

namespace {

// "the feature 'timeed', which the contract does not have; did you mean 'timed'?"
std::string no_such_feature(std::string_view feature, std::span<const feature_info> features) {
  std::vector<std::string> names;
  for (const feature_info& one : features) names.emplace_back(one.name);
  return "the feature '" + std::string(feature) + "', which the contract does not have" +
         suggestion(feature, names);
}

}  // namespace

namespace detail {

trial_subject*& current_subject() noexcept {
  thread_local trial_subject* current = nullptr;
  return current;
}

void rethrow_from_factory(const subject_base& chosen) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const contract::operation_error&) {
    throw;  // its label is followed
  } catch (const std::exception& failure) {
    if (describe(std::current_exception()).kind != outcome_kind::error) throw;
    throw std::runtime_error(std::string(failure.what()) + " (thrown by the factory of " + chosen.name() +
                             "; to refuse a configuration, let it throw assay::contract::rejected_error)");
  }
}

std::string null_factory(const subject_base& chosen) {
  return "the factory of '" + chosen.name() + "' (" + chosen.contract() +
         ") returned null: let it return an object, or throw assay::contract::rejected_error for a "
         "configuration "
         "that it refuses";
}

void refuse_null(const subject_base& chosen) {
  const std::string what = null_factory(chosen);
  if (trial_subject* const current = current_subject()) current->unusable = what;
  throw std::logic_error(what);
}

void refuse_unknown(std::string_view feature, std::span<const feature_info> features) {
  const std::string what = "the scenario asks for " + no_such_feature(feature, features);
  if (trial_subject* const current = current_subject()) current->unusable = what;
  throw std::logic_error(what);
}

}  // namespace detail

namespace {

// "close" of "virtual void assay::contract::bounded_queue::close()".
std::string_view member_of(std::string_view function) noexcept {
  function = function.substr(0, function.find('('));
  const std::size_t before = function.find_last_of(": ");
  return before == std::string_view::npos ? function : function.substr(before + 1);
}

std::string explain_missing(std::string_view feature, std::string_view function) {
  detail::trial_subject* const current = detail::current_subject();
  const std::string who = current == nullptr ? "the subject" : "'" + current->chosen->name() + "'";
  const std::string of_feature = "the feature '" + std::string(feature) + "'";
  const std::string member = std::string(member_of(function)) + "()";
  const contract_info* const contract =
      current == nullptr ? nullptr : catalogue::instance().find_contract(current->chosen->contract());
  if (contract != nullptr && contract->find_feature(feature) == nullptr) {
    current->unusable =
        "the contract's member " + member + " is of " + no_such_feature(feature, contract->features);
    return current->unusable;
  }
  if (current != nullptr && !current->chosen->claims(feature))
    return "the scenario calls " + member + " of " + of_feature + ", which " + who + " does not claim";
  return who + " claims " + of_feature + ", but does not override its member " + member;
}

}  // namespace

namespace contract {

unclaimed_feature::unclaimed_feature(std::string_view feature, const std::source_location& member)
    : std::logic_error(explain_missing(feature, member.function_name())) {}

}  // namespace contract

namespace {

template <class Range, class Match>
auto find_in(const Range& range, Match&& match) -> decltype(&*range.begin()) {
  const auto found = std::find_if(range.begin(), range.end(), match);
  return found == range.end() ? nullptr : &*found;
}

// Whether the standard declares it, in scenarios/FAMILY/NAME of the tree that this file is of.
bool is_of_the_standard(const contract_info& one) {
  constexpr std::string_view here = __FILE__;
  constexpr std::string_view in_tree = "harness/catalogue/catalogue.cpp";
  if (!here.ends_with(in_tree)) return false;
  const std::string_view root = here.substr(0, here.size() - in_tree.size());
  return one.file.starts_with(std::string(root) + "scenarios/" + one.family + "/" + one.name + "/");
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
  const auto called_so = [name](const scenario_info& one) { return one.name() == name; };
  const scenario_info* const found = find_in(scenarios_, called_so);
  return found != nullptr ? found : find_in(plug_checks_, called_so);
}
const scenario_info* catalogue::find_plug_check(std::string_view contract) const noexcept {
  return find_in(plug_checks_, [contract](const scenario_info& one) { return one.contract == contract; });
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

bool catalogue::is_checked_everywhere(std::string_view clause) const noexcept {
  return (clause == sticky_clause || clause == growth_clause) && find_clause(clause) != nullptr;
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

std::vector<std::string> catalogue::check_subjects() const {
  std::vector<std::string> complaints = complaints_;
  for (const auto& one : subjects_) {
    const std::string& name = one->name();
    const std::string who = "the subject '" + name + "' of " + one->contract();
    // Names are words of a command line, of tokens and of lists; a glob in one would select others.
    const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
      return c > ' ' && c != 127 && std::string_view("*?[").find(c) == std::string_view::npos;
    });
    if (name.empty() || !plain)
      complaints.push_back(who + " needs another name: one word, without * ? and [");
    if (!one->has_factory()) complaints.push_back(who + " was added with an empty factory");
    if (find_contract(one->contract()) == nullptr) {
      complaints.push_back(who + " has no contract in this program: " +
                           (contracts_.empty()
                                ? "link assay::standard, which brings the standard's contracts, "
                                  "or declare it with ASSAY_CONTRACT"
                                : "declare it with ASSAY_CONTRACT"));
    }
  }
  return complaints;
}

std::vector<std::string> catalogue::check_features() const {
  std::vector<std::string> complaints;
  const auto check = [&](const std::string& who, const std::string& contract,
                         const std::vector<std::string>& named) {
    const contract_info* const of = find_contract(contract);
    if (of == nullptr) return;  // which is a complaint of its own
    for (const std::string& feature : named) {
      if (of->find_feature(feature) == nullptr)
        complaints.push_back(who + no_such_feature(feature, of->features));
    }
  };
  for (const auto& one : subjects_) {
    const std::string who = "the subject '" + one->name() + "' of " + one->contract();
    check(who + " claims ", one->contract(), one->traits().features);
    std::vector<std::string> declined;
    for (const auto& [feature, because] : one->traits().declines) declined.push_back(feature);
    check(who + " declines ", one->contract(), declined);
    for (const std::string& feature : one->traits().features) {
      if (is_common_feature(feature))
        complaints.push_back(who + " claims '" + feature +
                             "', as every subject does that does not decline it");
    }
  }
  for (const scenario_info& one : scenarios_) {
    check("the scenario '" + one.name() + "' needs ", one.contract, one.traits.features);
    check("the scenario '" + one.name() + "' asks for ", one.contract, one.traits.asks);
  }
  return complaints;
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
  std::set<std::string> checked;
  for (const scenario_info& one : plug_checks_) {
    if (!checked.insert(one.contract).second)
      complaints.push_back("the contract " + one.contract + " has two plug checks");
    if (find_contract(one.contract) == nullptr)
      complaints.push_back("the plug check of '" + one.contract + "' is of no contract that exists");
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
  for (const contract_info& one : contracts_) {
    if (is_of_the_standard(one) && find_plug_check(one.name) == nullptr)
      complaints.push_back("the contract " + one.name + " has no plug check (ASSAY_PLUG_CHECK)");
    std::set<std::string_view> features;
    for (const feature_info& feature : one.features) {
      const std::string what = "the feature '" + std::string(feature.name) + "' of " + one.name;
      if (!features.insert(feature.name).second) complaints.push_back(what + " is declared twice");
      if (feature.promise.empty()) complaints.push_back(what + " does not say what it promises");
      const auto named = [&](const std::vector<std::string>& names) {
        return std::find(names.begin(), names.end(), feature.name) != names.end();
      };
      const bool used = find_in(scenarios_, [&](const scenario_info& s) {
                          return s.contract == one.name && (named(s.traits.features) || named(s.traits.asks));
                        }) != nullptr;
      if (!used) complaints.push_back("no scenario needs " + what + ", or asks for it");
    }
  }
  for (std::string& one : check_subjects()) complaints.push_back(std::move(one));
  for (std::string& one : check_features()) complaints.push_back(std::move(one));
  for (const auto& one : subjects_) {
    const std::string who = "'" + one->name() + "' of " + one->contract();
    const subject_traits& traits = one->traits();
    if (one->kind() == subject_kind::mutant && (traits.must_fail.empty() || traits.defect.empty())) {
      complaints.push_back("the mutant " + who + " must name its defect and a clause that it fails");
    }
    std::vector<std::string> named = traits.may_fail;
    for (const expected_failure& must : traits.must_fail) named.push_back(must.clause);
    for (const std::string& id : named) {
      // The model of random programs may cite any clause.
      const bool exists = find_in(scenarios_, [&](const scenario_info& s) {
                            return s.contract == one->contract() &&
                                   (s.clause == id || (s.traits.is_program() && find_clause(id) != nullptr));
                          }) != nullptr;
      if (!exists && !is_checked_everywhere(id))
        complaints.push_back("the subject " + who + " names the clause '" + id + "', which nothing checks");
    }
  }
  return complaints;
}

}  // namespace assay
