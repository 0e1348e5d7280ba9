// Outcomes: what an operation of a contract can end with, in plain values that mean the same in every
// language.
//
// In C++ `cancelled` is boost::system::system_error with operation_aborted; the others are the exceptions
// below. A library's own words for these are translated by its adapter.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace assay {

namespace contract {

/// An ordinary failure with a label that the harness can follow.
class operation_error : public std::runtime_error {
 public:
  explicit operation_error(std::string label) : std::runtime_error(label), label_(std::move(label)) {}
  const std::string& label() const noexcept { return label_; }

 private:
  std::string label_;
};

/// The primitive was closed.
class closed_error : public std::runtime_error {
 public:
  closed_error() : std::runtime_error("closed") {}
};

/// A deadline passed and nothing happened.
class timed_out_error : public std::runtime_error {
 public:
  timed_out_error() : std::runtime_error("timed out") {}
};

/// Refused without an effect: full, too late, an impossible argument.
class rejected_error : public std::runtime_error {
 public:
  explicit rejected_error(const std::string& reason = "rejected") : std::runtime_error(reason) {}
};

/// What it stood on is broken (a barrier's generation, a connection).
class broken_error : public std::runtime_error {
 public:
  explicit broken_error(const std::string& reason = "broken") : std::runtime_error(reason) {}
};

/// Several failures, each with the name of the task it came from, in the order that the contract promises.
class aggregate_error : public std::runtime_error {
 public:
  struct member {
    std::string task;
    std::exception_ptr failure;
  };
  explicit aggregate_error(std::vector<member> members)
      : std::runtime_error("aggregate of " + std::to_string(members.size())), members_(std::move(members)) {}
  const std::vector<member>& members() const noexcept { return members_; }

 private:
  std::vector<member> members_;
};

/// A member that belongs to a feature was called and the subject does not override it: thrown by the contract's own. The
/// text says whose mistake that is, the subject's (it claims the feature) or the scenario's (it does not).
class unclaimed_feature : public std::logic_error {
 public:
  explicit unclaimed_feature(std::string_view feature,
                             const std::source_location& member = std::source_location::current());
};

/// Throws what a cancelled operation throws.
[[noreturn]] inline void throw_cancelled() {
  throw boost::system::system_error(boost::asio::error::operation_aborted);
}

}  // namespace contract

enum class outcome_kind { pending, value, error, cancelled, closed, timed_out, rejected, broken, aggregate };

/// The kind's name as reports and the testee protocol write it.
std::string_view to_string(outcome_kind kind) noexcept;

struct outcome {
  struct member;
  outcome_kind kind = outcome_kind::pending;
  std::string label;            ///< an error's label or text
  std::vector<member> members;  ///< an aggregate's
};

struct outcome::member {
  std::string task;
  outcome what;
};

/// Reads an exception as an outcome; a null pointer is `value`.
outcome describe(const std::exception_ptr& failure);

/// One line: "value", "error 'boom'", "aggregate {a: error 'boom', b: closed}".
std::string to_string(const outcome& what);

/// All error labels in an outcome, aggregates' members included.
std::vector<std::string> labels_of(const outcome& what);

}  // namespace assay
