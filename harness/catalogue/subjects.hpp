// Subjects by the line: an implementation of a contract, and the mutants that are an implementation with one thing wrong.
//
//   const implements<direct_pool> direct("direct_pool", subject_kind::alternative, {.features = {"close"}});
//
//   ASSAY_DEFECTS(queue_defect, none, hands_back_to_the_tail, forgets_the_peak)
//   const mutants<alternative_queue, queue_defect> wrong(
//       {"try", "close"},  // what every one of them claims
//       {defective(queue_defect::hands_back_to_the_tail, "BQ-m5: what is handed back goes to the tail",
//                  {{"BQ-9", "is the first again"}}, {"BQ-7"}), ...});
//
// An implementation has a constructor (environment&, const config&, ARGS...) or (any_io_executor, const config&, ARGS...);
// the contract names itself in `contract_type`.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/catalogue/defects.hpp>

namespace assay {

/// A subject whose objects are made of Implementation, with these further arguments.
template <class Implementation, class... Args>
std::unique_ptr<subject_base> subject_made_of(std::string name, subject_kind kind, subject_traits traits,
                                              Args... args) {
  using contract_type = typename Implementation::contract_type;
  using config = typename contract_type::config;
  return std::make_unique<subject<contract_type>>(
      std::move(name), kind, std::move(traits),
      [args...](environment& env, const config& wanted) -> std::unique_ptr<contract_type> {
        if constexpr (std::is_constructible_v<Implementation, environment&, const config&, const Args&...>) {
          return std::make_unique<Implementation>(env, wanted, args...);
        } else {
          return std::make_unique<Implementation>(env.executor(), wanted, args...);
        }
      });
}

/// Offers one (catalogue::offer).
template <class Implementation>
struct implements {
  template <class... Args>
  implements(std::string name, subject_kind kind, subject_traits traits, Args... args) {
    catalogue::instance().offer(
        subject_made_of<Implementation>(std::move(name), kind, std::move(traits), std::move(args)...));
  }
};

/// One line of a table of mutants. The mutant is called as the defect is.
template <class Defect>
struct mutation {
  Defect wrong;
  std::string defect;                            ///< in words
  std::vector<expected_failure> must_fail = {};  ///< at least one of these fails
  std::vector<std::string> may_fail = {};        ///< besides
  std::vector<std::string> claims = {};          ///< besides what all of the table claim
};

template <class Defect>
mutation<Defect> defective(Defect wrong, std::string defect, std::vector<expected_failure> must_fail = {},
                           std::vector<std::string> may_fail = {}, std::vector<std::string> claims = {}) {
  return {wrong, std::move(defect), std::move(must_fail), std::move(may_fail), std::move(claims)};
}

/// The mutants of a contract: one implementation, bent by an enumeration, whose `none` is not wrong. Every other value is in
/// the table once, or the catalogue complains.
template <class Implementation, class Defect>
struct mutants {
  /// `args` go between the configuration and the defect.
  template <class... Args>
  mutants(const std::vector<std::string>& features, const std::vector<mutation<Defect>>& table,
          Args... args) {
    catalogue& all = catalogue::instance();
    const std::vector<std::string> names = names_of_defects<Defect>();
    for (const mutation<Defect>& one : table) {
      subject_traits traits{
          .features = features, .defect = one.defect, .must_fail = one.must_fail, .may_fail = one.may_fail};
      traits.features.insert(traits.features.end(), one.claims.begin(), one.claims.end());
      all.offer(subject_made_of<Implementation>(names.at(static_cast<std::size_t>(one.wrong)),
                                                subject_kind::mutant, std::move(traits), args..., one.wrong));
    }
    for (std::size_t value = 1; value < names.size(); ++value) {
      const bool listed = std::any_of(table.begin(), table.end(), [value](const mutation<Defect>& one) {
        return static_cast<std::size_t>(one.wrong) == value;
      });
      if (!listed)
        all.complain("the defect '" + names[value] + "' of " +
                     std::string(Implementation::contract_type::name) + " is in no table of mutants");
    }
  }
};

}  // namespace assay
