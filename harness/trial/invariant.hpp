// What the invariants of contracts are made of.
//
// A contract may have a member `std::string invariant() const`: what it returns, unless empty, is a failure, in words that
// begin with the clause it belongs to ("BQ-1: ..."). The maker has it looked at after every turn for as long as the
// subject lives, and counts it for the scenario in which it happens.
//
// It may look at what the contract itself has seen, and, of a subject in this process, at queries that every subject
// answers or that belong to a claimed feature. It changes nothing that a scenario could see. A subject in a testee is
// asked nothing, since a question costs a round trip and is part of the trace; and what has ended inside may end here
// a turn later.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <assay/harness/allocation/section.hpp>

namespace assay {

/// What the maker tells a contract of the subject behind it.
template <class Config>
struct made_as {
  Config wanted = {};                                  ///< what was asked for
  const std::vector<std::string>* features = nullptr;  ///< what is claimed; null: nothing
  bool in_process = true;                              ///< false: in a testee
};

template <class Contract>
concept has_invariant = requires(const Contract& made) {
  { made.invariant() } -> std::convertible_to<std::string>;
};
template <class Contract>
concept knows_how_it_was_made =
    requires(Contract& made, const made_as<typename Contract::config>& how) { made.know(how); };

/// The base of a contract whose invariant needs to know how the subject was made.
template <class Config>
class with_invariant {
 public:
  /// For the maker, before anybody uses the subject.
  void know(const made_as<Config>& how) {
    const detail::harness_section section;
    how_ = how;
  }

 protected:
  with_invariant() = default;
  ~with_invariant() = default;
  with_invariant(const with_invariant&) = delete;
  with_invariant& operator=(const with_invariant&) = delete;

  const Config& wanted() const noexcept { return how_.wanted; }
  /// Whether the subject may be asked after a turn.
  bool in_process() const noexcept { return how_.in_process; }
  bool claims(std::string_view feature) const noexcept {
    return how_.features != nullptr &&
           std::find(how_.features->begin(), how_.features->end(), feature) != how_.features->end();
  }

 private:
  made_as<Config> how_;
};

/// What a contract keeps account of. It is shared with the calls that are under way, which may outlive the subject.
template <class Account>
std::shared_ptr<Account> make_account() {
  const detail::harness_section section;
  return std::make_shared<Account>();
}

/// One more of something, as long as this lives.
class counted {
 public:
  template <class Account>
  counted(const std::shared_ptr<Account>& account, std::size_t Account::* which)
      : count_(account, &((*account).*which)) {
    ++*count_;
  }
  counted(const counted&) = delete;
  counted& operator=(const counted&) = delete;
  ~counted() { --*count_; }

 private:
  std::shared_ptr<std::size_t> count_;
};

/// "BQ-1: more items are buffered than the capacity allows: expected at most 1; observed: 2".
inline std::string exceeded(std::string_view what, std::size_t at_most, std::size_t observed) {
  return std::string(what) + ": expected at most " + std::to_string(at_most) +
         "; observed: " + std::to_string(observed);
}

}  // namespace assay
