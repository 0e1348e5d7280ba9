// The catalogue: contracts, clauses with their scenarios, and subjects; what the command line, the tests, the
// reports and the printed standard are made from.
//
// A clause's text is written once, beside its check:
//
//   ASSAY_CLAUSE(bounded_queue, "BQ-6", must, "A push that is cancelled ... leaves no item and no lost
//   slot.",
//                .swept = true) {
//     auto queue = make({.capacity = 1});
//     ...
//   }
//
// The body is a free coroutine function with parameters `t` (the trial) and `make` (makes the subject).
#pragma once

#include <algorithm>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <source_location>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/scenario.hpp>
#include <assay/harness/trial/environment.hpp>
#include <assay/harness/trial/feature.hpp>
#include <assay/harness/trial/invariant.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay {

namespace contract {}  // namespace contract

enum class level { must, should, may };
std::string_view to_string(level value) noexcept;

enum class subject_kind { reference, third_party, mutant, alternative };
std::string_view to_string(subject_kind value) noexcept;

/// A numbered sentence of the standard. The id is unique and never reused.
struct clause_info {
  std::string id;
  enum level level {};
  std::string text;
  std::string contract;          ///< the pattern it belongs to; empty for cross-cutting clauses
  std::string reason_unchecked;  ///< why no scenario checks it, if none does
};

/// A change of a clause's text that changes what it asks: one line of the standard's changelog.
struct revision_info {
  std::string clause;
  int number = 2;    ///< the clause's revision from then on; the first text is revision 1
  std::string text;  ///< what changed, for whom
};

/// A clause that is argued about: it is shown, and counts for nothing.
struct dispute_info {
  std::string clause;
  std::string reason;  ///< who doubts it, and why
};

/// A contract's plug check, see ASSAY_PLUG_CHECK.
struct plug_check_info {
  scenario_info check;
};

struct contract_info {
  std::string name;
  std::string family;
  std::string intent;  ///< one line
  std::vector<feature_info> features = {};
  std::string file = {};  ///< that declares it
  const feature_info* find_feature(std::string_view wanted) const noexcept;
};

/// What a mutant must and may fail. A message, where given, must be contained in the verdict's.
struct expected_failure {
  std::string clause;
  std::string message = {};
};

struct subject_traits {
  std::vector<std::string> features = {};
  std::string defect = {};                       ///< mutants: the one way in which it is wrong
  std::vector<expected_failure> must_fail = {};  ///< mutants: at least one of these fails
  std::vector<std::string> may_fail = {};        ///< mutants: besides
  std::string cites = {};                        ///< third parties: the documentation behind the features
  std::string testee = {};                       ///< the testee that hosts it; empty: this program
  std::string written_in = {};  ///< a testee's subject: language and libraries, with versions
  std::string library = {};  ///< third parties in this program: the library with its version, "Boost 1.81.0"
  std::map<std::string, std::string> declines = {};  ///< by feature: where the documentation does without
};

/// One implementation plugged into a contract.
class subject_base {
 public:
  subject_base(std::string name, std::string contract, subject_kind kind, subject_traits traits)
      : name_(std::move(name)), contract_(std::move(contract)), kind_(kind), traits_(std::move(traits)) {}
  subject_base(const subject_base&) = delete;
  subject_base& operator=(const subject_base&) = delete;
  virtual ~subject_base() = default;

  /// False if there is nothing to call.
  virtual bool has_factory() const noexcept { return true; }
  const std::string& name() const noexcept { return name_; }
  const std::string& contract() const noexcept { return contract_; }
  subject_kind kind() const noexcept { return kind_; }
  const subject_traits& traits() const noexcept { return traits_; }
  bool claims(std::string_view feature) const noexcept;

 private:
  std::string name_;
  std::string contract_;
  subject_kind kind_;
  subject_traits traits_;
};

/// Of a grammar's verbs, those that the subject has: without a feature, or with one that it claims.
inline allowed_verbs allowed(const grammar& rules, const subject_base& chosen) {
  return allowed(rules, [&chosen](std::string_view feature) { return chosen.claims(feature); });
}

namespace detail {

/// What run_trial has under test on this thread, and why the trial says nothing of it: what the factory did that leaves
/// nothing to be tested, or that the scenario or the contract names a feature that does not exist.
struct trial_subject {
  const subject_base* chosen = nullptr;
  std::string unusable;
};
trial_subject*& current_subject() noexcept;

/// In the handler of what a factory threw: the outcomes of a contract go on as they are, with anything else goes a hint at
/// how a configuration is refused.
[[noreturn]] void rethrow_from_factory(const subject_base& chosen);
/// What is said of a factory that returned null: there is nothing to be tested then.
std::string null_factory(const subject_base& chosen);
[[noreturn]] void refuse_null(const subject_base& chosen);
/// Of a scenario that asks for a feature that the contract does not have: it would hear no for ever.
[[noreturn]] void refuse_unknown(std::string_view feature, std::span<const feature_info> features);

}  // namespace detail

/// A subject of this contract, with its factory.
template <class Contract>
class subject final : public subject_base {
 public:
  using config = typename Contract::config;
  using factory = std::function<std::unique_ptr<Contract>(environment&, const config&)>;
  subject(std::string name, subject_kind kind, subject_traits traits, factory make)
      : subject_base(std::move(name), std::string(Contract::name), kind, std::move(traits)),
        make_(std::move(make)) {}
  std::unique_ptr<Contract> make(environment& env, const config& configuration) const {
    return make_(env, configuration);
  }
  bool has_factory() const noexcept override { return static_cast<bool>(make_); }

 private:
  factory make_;
};

/// Destroys a subject after telling the ledger that what it holds goes with it: that is left, not lost. A scenario that has failed
/// leaves its operations where they are, and they use the subject: then it goes after them, with the trial.
struct subject_deleter {
  trial* owner = nullptr;
  std::uint32_t watch = 0;  ///< its invariant's, which is looked at no more from here on; 0: it has none
  template <class Contract>
  void operator()(Contract* made) const {
    if (watch != 0) owner->end_watch(watch);
    owner->items().holder_going(made);
    if (owner->has_failed() || owner->cut_short() || std::uncaught_exceptions() > 0) {
      owner->keep(std::shared_ptr<Contract>(made));
    } else {
      const std::uint64_t before = owner->blocks();
      delete made;
      const std::uint64_t after = owner->blocks();
      owner->subject_went(before - std::min(before, after));
    }
  }
};
template <class Contract>
using made_subject = std::unique_ptr<Contract, subject_deleter>;

/// What a scenario calls `make`: makes the subject under test in the trial's environment.
template <class Contract>
class maker {
 public:
  using config = typename Contract::config;
  maker(trial& t, const subject<Contract>& chosen) : trial_(&t), subject_(&chosen) {}
  /// Throws what the subject's own constructor throws (contract::rejected_error for an impossible
  /// configuration).
  made_subject<Contract> operator()(config configuration = {}) const {
    std::unique_ptr<Contract> made;
    try {
      made = make_counted(configuration);
    } catch (...) {
      detail::rethrow_from_factory(*subject_);
    }
    if (made == nullptr) detail::refuse_null(*subject_);
    trial_->next_round();
    subject_deleter deleter{trial_};
    deleter.watch = watch_invariant(*made, configuration);
    return made_subject<Contract>(made.release(), deleter);
  }
  /// A feature that the contract does not have is an error of the trial.
  bool claims(std::string_view feature) const {
    constexpr std::span<const feature_info> features = features_of<Contract>();
    if (!is_common_feature(feature) &&
        std::none_of(features.begin(), features.end(),
                     [feature](const feature_info& one) { return one.name == feature; }))
      detail::refuse_unknown(feature, features);
    return subject_->claims(feature);
  }

 private:
  // After every turn, from now until the subject goes.
  std::uint32_t watch_invariant(Contract& made, const config& configuration) const {
    if constexpr (knows_how_it_was_made<Contract>)
      made.know({configuration, &subject_->traits().features, subject_->traits().testee.empty()});
    if constexpr (has_invariant<Contract>) {
      const Contract& looked_at = made;
      return trial_->begin_watch([&looked_at] { return std::string(looked_at.invariant()); });
    } else {
      return 0;
    }
  }
  std::unique_ptr<Contract> make_counted(const config& configuration) const {
    const detail::subject_section counted(trial_->allocations());
    return subject_->make(environment::of(*trial_), configuration);
  }
  trial* trial_;
  const subject<Contract>* subject_;
};

/// The one catalogue of a process. Filled before main by the macros below, and by suite::add; read afterwards.
class catalogue {
 public:
  static catalogue& instance();

  void add(contract_info info);
  void add(clause_info info);
  void add(revision_info info);
  void add(dispute_info info);
  void add(scenario_info info);
  void add(plug_check_info info);
  /// Throws std::invalid_argument for a name that is taken.
  void add(std::unique_ptr<subject_base> info);
  /// The same, and a name that is taken is a complaint of check_subjects.
  void add_or_complain(std::unique_ptr<subject_base> info);
  /// Something that is wrong with the subjects, in words: check_subjects says it.
  void complain(std::string what) { complaints_.push_back(std::move(what)); }
  /// A subject that is in the catalogue of a program that takes what is offered: the project's own, of which one comes
  /// along with every adapter that somebody links for a use of his own. The two may be called in either order.
  void offer(std::unique_ptr<subject_base> info);
  void take_offered();

  const std::deque<contract_info>& contracts() const noexcept { return contracts_; }
  const std::deque<clause_info>& clauses() const noexcept { return clauses_; }
  /// The changelog of the standard.
  const std::deque<revision_info>& revisions() const noexcept { return revisions_; }
  /// Those of clauses: plug checks are not among them.
  const std::deque<scenario_info>& scenarios() const noexcept { return scenarios_; }
  const std::deque<scenario_info>& plug_checks() const noexcept { return plug_checks_; }
  const std::deque<std::unique_ptr<subject_base>>& subjects() const noexcept { return subjects_; }

  const contract_info* find_contract(std::string_view name) const noexcept;
  const clause_info* find_clause(std::string_view id) const noexcept;
  /// Plug checks are found as well.
  const scenario_info* find_scenario(std::string_view name) const noexcept;
  /// Null if the contract has none.
  const scenario_info* find_plug_check(std::string_view contract) const noexcept;
  const subject_base* find_subject(std::string_view contract, std::string_view name) const noexcept;
  /// The revision that the clause's text is in.
  int revision_of(std::string_view clause) const noexcept;
  /// Why the clause does not count; null if it does.
  const std::string* dispute_of(std::string_view clause) const noexcept;
  /// Whether the harness itself checks this clause with every contract, without a scenario: see sticky_clause, growth_clause.
  bool is_checked_everywhere(std::string_view clause) const noexcept;
  /// Whether this checks the core profile: a MUST clause, undisputed, with what everybody claims. All else is the full one.
  bool in_core(const scenario_info& scenario) const noexcept;

  /// Everything that is wrong with the catalogue itself, in words: clauses without a scenario or a reason,
  /// ids that come twice, scenarios, revisions, disputes and mutants that name what does not exist.
  std::vector<std::string> lint() const;
  /// What is wrong with the subjects themselves, so that nothing may be run.
  std::vector<std::string> check_subjects() const;
  /// Features that subjects claim, and scenarios need or ask for, and that do not exist. One that is misspelt would be one
  /// that nobody claims, and its clauses would be skipped in silence: nothing may be run.
  std::vector<std::string> check_features() const;

  /// Orders contracts by family and name, clauses by id, scenarios by contract and clause. Called once, by
  /// suite.
  void sort();

 private:
  std::deque<contract_info> contracts_;
  std::deque<clause_info> clauses_;
  std::deque<revision_info> revisions_;
  std::deque<dispute_info> disputes_;
  std::deque<scenario_info> scenarios_;
  std::deque<scenario_info> plug_checks_;
  std::deque<std::unique_ptr<subject_base>> subjects_;
  std::deque<std::unique_ptr<subject_base>> offered_;
  bool takes_offered_ = false;
  std::vector<std::string> complaints_;
};

/// "BQ-6" before "BQ-10"; "BQ" before "X".
bool clause_before(std::string_view a, std::string_view b) noexcept;

namespace detail {

struct registrar {
  template <class Info>
  explicit registrar(Info info) {
    if constexpr (std::is_convertible_v<Info, std::unique_ptr<subject_base>>) {
      catalogue::instance().offer(std::move(info));
    } else {
      catalogue::instance().add(std::move(info));
    }
  }
};

/// A contract as the catalogue has it.
template <class Contract>
contract_info describe_contract(std::string name, std::string family, std::string intent,
                                std::source_location where = std::source_location::current()) {
  constexpr std::span<const feature_info> features = features_of<Contract>();
  return {std::move(name),
          std::move(family),
          std::move(intent),
          {features.begin(), features.end()},
          where.file_name()};
}

/// The trial's random program for this subject, written out.
template <class Contract>
program draw_program(trial& t, const maker<Contract>& make, const grammar& rules) {
  return t.draw_program(rules,
                        allowed(rules, [&make](std::string_view feature) { return make.claims(feature); }));
}

template <class Contract, boost::asio::awaitable<void> (*Body)(trial&, maker<Contract>)>
boost::asio::awaitable<void> begin_scenario(trial& t, const subject_base& chosen) {
  return Body(t, maker<Contract>(t, static_cast<const subject<Contract>&>(chosen)));
}

inline scenario_info describe_scenario(std::string contract, std::string clause, std::string variant,
                                       scenario_traits traits,
                                       boost::asio::awaitable<void> (*begin)(trial&, const subject_base&),
                                       std::source_location where = std::source_location::current()) {
  return {std::move(contract),
          std::move(clause),
          std::move(variant),
          std::move(traits),
          where.file_name(),
          where.line(),
          begin};
}

inline plug_check_info describe_plug_check(std::string contract,
                                           boost::asio::awaitable<void> (*begin)(trial&, const subject_base&),
                                           std::source_location where = std::source_location::current()) {
  plug_check_info info{describe_scenario(std::move(contract), "plug", "", {}, begin, where)};
  info.check.plug = true;
  return info;
}

}  // namespace detail

}  // namespace assay

#define ASSAY_DETAIL_CONCAT2(a, b) a##b
#define ASSAY_DETAIL_CONCAT(a, b) ASSAY_DETAIL_CONCAT2(a, b)

// A contract is named as it is where the macro stands, or as in assay::contract: a namespace of its own looks it up in both.
#define ASSAY_DETAIL_CONTRACT(lookup, contract_name) \
  namespace lookup {                                 \
  using namespace ::assay::contract;                 \
  using found = contract_name;                       \
  }

#define ASSAY_DETAIL_SCENARIO(contract_name, clause_id, variant_name, body, ...)                        \
  ASSAY_DETAIL_CONTRACT(ASSAY_DETAIL_CONCAT(body, _of), contract_name)                                  \
  static boost::asio::awaitable<void> body(::assay::trial& t,                                           \
                                           ::assay::maker<ASSAY_DETAIL_CONCAT(body, _of)::found> make); \
  static const ::assay::detail::registrar ASSAY_DETAIL_CONCAT(                                          \
      body, _registrar)(::assay::detail::describe_scenario(                                             \
      std::string(ASSAY_DETAIL_CONCAT(body, _of)::found::name), clause_id, variant_name,                \
      ::assay::scenario_traits{__VA_ARGS__},                                                            \
      &::assay::detail::begin_scenario<ASSAY_DETAIL_CONCAT(body, _of)::found, &body>));                 \
  static boost::asio::awaitable<void> body(                                                             \
      [[maybe_unused]] ::assay::trial& t,                                                               \
      [[maybe_unused]] ::assay::maker<ASSAY_DETAIL_CONCAT(body, _of)::found> make)

/// Declares a contract, with the features that its class lists (feature.hpp):
/// ASSAY_CONTRACT(bounded_queue, "flow", "FIFO with backpressure, join and close"). The class may stand in any namespace; in
/// this macro and in those below it is named as anywhere else in the place where the macro stands (`lamp`, `home::lamp`), or,
/// if it is one of the standard's, by its plain name. What reports call it is its `name`.
#define ASSAY_CONTRACT(contract_name, family_name, intent_text)                                     \
  ASSAY_DETAIL_CONTRACT(ASSAY_DETAIL_CONCAT(assay_contract_of_, __LINE__), contract_name)           \
  static const ::assay::detail::registrar ASSAY_DETAIL_CONCAT(assay_contract_, __LINE__)(           \
      ::assay::detail::describe_contract<ASSAY_DETAIL_CONCAT(assay_contract_of_, __LINE__)::found>( \
          std::string(ASSAY_DETAIL_CONCAT(assay_contract_of_, __LINE__)::found::name), family_name, \
          intent_text))

/// Declares a clause and its scenario; the traits follow as designated initialisers.
#define ASSAY_CLAUSE(contract_name, clause_id, clause_level, clause_text, ...)                           \
  ASSAY_DETAIL_CLAUSE(contract_name, clause_id, clause_level, clause_text, {})                           \
  ASSAY_DETAIL_SCENARIO(contract_name, clause_id, "", ASSAY_DETAIL_CONCAT(assay_scenario_, __COUNTER__), \
                        __VA_ARGS__)

#define ASSAY_DETAIL_CLAUSE(contract_name, clause_id, clause_level, clause_text, reason)            \
  ASSAY_DETAIL_CLAUSE_AS(ASSAY_DETAIL_CONCAT(assay_clause_, __COUNTER__), contract_name, clause_id, \
                         clause_level, clause_text, reason)
#define ASSAY_DETAIL_CLAUSE_AS(known_as, contract_name, clause_id, clause_level, clause_text, reason) \
  ASSAY_DETAIL_CONTRACT(ASSAY_DETAIL_CONCAT(known_as, _of), contract_name)                            \
  static const ::assay::detail::registrar known_as(                                                   \
      ::assay::clause_info{clause_id, ::assay::level::clause_level, clause_text,                      \
                           std::string(ASSAY_DETAIL_CONCAT(known_as, _of)::found::name), reason});

/// A further scenario of a clause, or a contract's scenario of a cross-cutting clause. `variant` may be ""
/// for the latter.
#define ASSAY_SCENARIO(contract_name, clause_id, variant, ...) \
  ASSAY_DETAIL_SCENARIO(contract_name, clause_id, variant,     \
                        ASSAY_DETAIL_CONCAT(assay_scenario_, __COUNTER__), __VA_ARGS__)

/// The plug check of a contract, a scenario of no clause: before anything is judged, it is run once with every subject, first
/// in first out, with nothing cancelled and nothing failing. It calls each member of the contract once, one operation at a
/// time, those of features where `make.claims` says so, and finds what is the mistake of an adapter, not of a library: an
/// outcome that is not translated, an item that comes back without its id, a claimed feature that does not answer. It judges
/// nothing else: what it expects besides, the clauses say. See plug.hpp for what its body uses.
///
///   ASSAY_PLUG_CHECK(bounded_queue) { ... }
#define ASSAY_PLUG_CHECK(contract_name)                                                               \
  ASSAY_DETAIL_CONTRACT(ASSAY_DETAIL_CONCAT(assay_plug_of_, __LINE__), contract_name)                 \
  static boost::asio::awaitable<void> ASSAY_DETAIL_CONCAT(assay_plug_check_, __LINE__)(               \
      ::assay::trial & t, ::assay::maker<ASSAY_DETAIL_CONCAT(assay_plug_of_, __LINE__)::found> make); \
  static const ::assay::detail::registrar ASSAY_DETAIL_CONCAT(                                        \
      assay_plug_registrar_, __LINE__)(::assay::detail::describe_plug_check(                          \
      std::string(ASSAY_DETAIL_CONCAT(assay_plug_of_, __LINE__)::found::name),                        \
      &::assay::detail::begin_scenario<ASSAY_DETAIL_CONCAT(assay_plug_of_, __LINE__)::found,          \
                                       &ASSAY_DETAIL_CONCAT(assay_plug_check_, __LINE__)>));          \
  static boost::asio::awaitable<void> ASSAY_DETAIL_CONCAT(assay_plug_check_, __LINE__)(               \
      [[maybe_unused]] ::assay::trial & t,                                                            \
      [[maybe_unused]] ::assay::maker<ASSAY_DETAIL_CONCAT(assay_plug_of_, __LINE__)::found> make)

/// The random programs of a contract (program.hpp): `grammar_object` has static storage. The body is given the drawn
/// program as `steps`, with what is repeated written out; it runs it beside a model, and every check names a clause. They
/// are part of every verdict; the property and the fuzz target of the contract are made from this as well:
///
///   const grammar rules = {.shapes = 2, .verbs = {"push", "pop", {"try_pop", "try"}}, .b_values = 2, .repeats = {1, 12}};
///   ASSAY_PROGRAM(bounded_queue, "X-3", rules, .must_see = {"takes_the_newest_first"}) { ... }
#define ASSAY_PROGRAM(contract_name, clause_id, grammar_object, ...)                                    \
  ASSAY_DETAIL_CONTRACT(ASSAY_DETAIL_CONCAT(assay_program_of_, __LINE__), contract_name)                \
  static boost::asio::awaitable<void> ASSAY_DETAIL_CONCAT(assay_program_, __LINE__)(                    \
      ::assay::trial & t, ::assay::maker<ASSAY_DETAIL_CONCAT(assay_program_of_, __LINE__)::found> make, \
      ::assay::program steps);                                                                          \
  ASSAY_SCENARIO(contract_name, clause_id, "program", .rules = &(grammar_object), __VA_ARGS__) {        \
    ::assay::program drawn = ::assay::detail::draw_program(t, make, grammar_object);                    \
    co_await ASSAY_DETAIL_CONCAT(assay_program_, __LINE__)(t, make, std::move(drawn));                  \
  }                                                                                                     \
  static boost::asio::awaitable<void> ASSAY_DETAIL_CONCAT(assay_program_, __LINE__)(                    \
      [[maybe_unused]] ::assay::trial & t,                                                              \
      [[maybe_unused]] ::assay::maker<ASSAY_DETAIL_CONCAT(assay_program_of_, __LINE__)::found> make,    \
      ::assay::program steps)

/// A clause that no scenario checks, and why.
#define ASSAY_UNCHECKED_CLAUSE(contract_name, clause_id, clause_level, clause_text, reason) \
  ASSAY_DETAIL_CLAUSE(contract_name, clause_id, clause_level, clause_text, reason)          \
  static_assert(true)

/// A change of a clause's text, in the changelog: ASSAY_REVISION("BQ-5", 2, "what changed, for whom").
#define ASSAY_REVISION(clause_id, number, change_text)         \
  static const ::assay::detail::registrar ASSAY_DETAIL_CONCAT( \
      assay_revision_, __LINE__)(::assay::revision_info{clause_id, number, change_text})

/// A clause that is shown and not counted, until the argument is settled: ASSAY_DISPUTED("BQ-5", "who doubts it, and why").
#define ASSAY_DISPUTED(clause_id, why)                         \
  static const ::assay::detail::registrar ASSAY_DETAIL_CONCAT( \
      assay_dispute_, __LINE__)(::assay::dispute_info{clause_id, why})

/// A clause that belongs to no one pattern.
#define ASSAY_CROSS_CUTTING(clause_id, clause_level, clause_text, reason)               \
  static const ::assay::detail::registrar ASSAY_DETAIL_CONCAT(assay_clause_, __LINE__)( \
      ::assay::clause_info{clause_id, ::assay::level::clause_level, clause_text, {}, reason})
