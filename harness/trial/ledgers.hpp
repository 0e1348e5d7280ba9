// The ledgers that a trial keeps besides that of items (item.hpp): the order of what happened, the exceptions that must be
// observed exactly once, and what is looked at after every turn. Each stands on its own, knows nothing of the
// others, and is the trial's to ask.
//
// A round begins when a subject is made: what is tried with it is an account of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

/// What happened, in order.
class order_ledger {
 public:
  void mark(std::string label) { marks_.push_back(std::move(label)); }
  /// What came before the latest round is not looked at; but for what came before the first one.
  void begin_round() noexcept {
    if (++rounds_ > 1) began_ = marks_.size();
  }
  std::span<const std::string> marks() const noexcept { return std::span(marks_).subspan(began_); }
  /// Nothing if the first `first` was marked before the first `second`, else what was seen instead. O(marks).
  std::string unless_before(std::string_view first, std::string_view second) const;

 private:
  std::vector<std::string> marks_;
  std::uint32_t rounds_ = 0;
  std::size_t began_ = 0;  // in marks_
};

/// Exceptions with a label. Those of one label in one round are accounted together.
class exception_ledger {
 public:
  void begin_round() noexcept { ++rounds_; }
  /// Makes one that must be observed.
  std::exception_ptr plant(std::string label);
  /// An exception with this label was seen; false if none was planted.
  bool observe(const std::string& label);
  /// Whether any was planted with this label.
  bool knows(const std::string& label) const { return planted_.contains(label); }
  /// How often those were that were planted last.
  std::uint32_t times_observed(const std::string& label) const;
  /// One sentence for each that was not observed as often as it was raised.
  std::vector<std::string> complaints() const;

 private:
  struct planted {
    std::uint32_t round = 0;
    std::uint32_t raised = 0;
    std::uint32_t observed = 0;
  };
  std::map<std::string, std::vector<planted>> planted_;  // of each label, by rounds
  std::uint32_t rounds_ = 0;
};

/// Checks that are looked at after every turn. Each speaks once.
class watch_list {
 public:
  using check = std::function<std::string()>;
  /// Its number, which is never 0.
  std::uint32_t begin(check what);
  void end(std::uint32_t number) noexcept;
  bool empty() const noexcept { return watches_.empty(); }
  /// What the checks say now; one that throws says with what.
  std::vector<std::string> look();

 private:
  struct watched {
    std::uint32_t number = 0;
    check what;
  };
  std::vector<watched> watches_;
  std::uint32_t last_ = 0;
};

}  // namespace assay
