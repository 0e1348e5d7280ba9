// Failures by kind: an exception_group is taken apart, and nothing of it is lost (TG-15).
//
//     const failure_parts parts = split_failures(failure, is_a<closed>);
//     if (parts.matching) log(describe(parts.matching));
//     if (parts.rest) std::rethrow_exception(parts.rest);      // what nobody took goes on
//
// Scope: no state; any thread.
#pragma once

#include <exception>
#include <utility>
#include <vector>

#include <assay/reference/core/exception_group.hpp>

namespace assay::reference {

/// Whether a failure is of this class; a predicate for split_failures. A null pointer is of none.
template <class Error>
bool is_a(const std::exception_ptr& failure) noexcept {
  if (!failure) return false;
  try {
    std::rethrow_exception(failure);
  } catch (const Error&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// Either may be null.
struct failure_parts {
  std::exception_ptr matching;
  std::exception_ptr rest;
};

/// Takes a failure apart. Each failure in an exception_group, and in those inside of it, is in one part; both keep the order,
/// the nesting and the names. A part that would be empty is null; one that is everything is the group itself. A failure that
/// is no group is in one of them as it is.
///
/// `matches` is asked once for each failure that is no group, in order. O(failures).
template <class Predicate>
failure_parts split_failures(const std::exception_ptr& failure, const Predicate& matches) {
  if (!failure) return {};
  std::vector<task_failure> matching;
  std::vector<task_failure> rest;
  try {
    std::rethrow_exception(failure);
  } catch (const exception_group& group) {
    for (const task_failure& each : group.failures()) {
      const failure_parts parts = split_failures(each.error, matches);
      if (parts.matching) matching.push_back({each.name, each.index, parts.matching, each.secondary});
      if (parts.rest) rest.push_back({each.name, each.index, parts.rest, each.secondary});
    }
  } catch (...) {
    return matches(failure) ? failure_parts{failure, nullptr} : failure_parts{nullptr, failure};
  }
  if (rest.empty()) return {failure, nullptr};
  if (matching.empty()) return {nullptr, failure};
  return {std::make_exception_ptr(exception_group(std::move(matching))),
          std::make_exception_ptr(exception_group(std::move(rest)))};
}

}  // namespace assay::reference
