// What the invariants of contracts are made of.
//
// A contract may have a member `std::string invariant() const`: what it returns, unless empty, is a failure, in words that
// begin with the clause it belongs to ("BQ-1: ..."). The maker has it looked at after every turn for as long as the
// subject lives, and counts it for the scenario in which it happens.
//
// It may look at what the contract itself has seen, and, while a `look` at the subject holds, at queries that every
// subject answers or that belong to a claimed feature. It changes nothing that a scenario could see. Of a subject in this
// process a look always holds. A question to a testee would cost a round trip and be part of the trace; so its subject is
// looked at once after each instant of which the testee has told what the queries say, and they answer from that. Many
// turns have passed inside then, and what has ended there may end here a turn later.
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

/// What a contract's invariant asks a subject through.
class looked_at {
 public:
  looked_at(const looked_at&) = delete;
  looked_at& operator=(const looked_at&) = delete;

 protected:
  looked_at() = default;
  virtual ~looked_at() = default;

  /// The subject may be asked as long as this lives, if it is true.
  class look {
   public:
    explicit look(const looked_at& subject) : subject_(subject), holds_(subject.begin_look()) {}
    look(const look&) = delete;
    look& operator=(const look&) = delete;
    ~look() {
      if (holds_) subject_.end_look();
    }
    explicit operator bool() const noexcept { return holds_; }

   private:
    const looked_at& subject_;
    bool holds_;
  };

 private:
  // For who stands for a subject elsewhere: true if until end_look() its queries answer from what it has been told.
  virtual bool begin_look() const { return true; }
  virtual void end_look() const {}
};

/// The base of a contract whose invariant needs to know how the subject was made.
template <class Config>
class with_invariant : public looked_at {
 public:
  /// For the maker, before anybody uses the subject.
  void know(const made_as<Config>& how) {
    const detail::harness_section section;
    how_ = how;
  }

 protected:
  with_invariant() = default;
  ~with_invariant() override = default;

  const Config& wanted() const noexcept { return how_.wanted; }
  /// Whether what happens in the subject happens in a turn here: it may be asked after each then.
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
