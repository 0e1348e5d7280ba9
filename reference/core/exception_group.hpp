// Several failures as one exception, none lost, and the question that decides what is a
// failure at all.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <cstddef>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace assay::reference {

/// The cancelled outcome as an exception.
[[noreturn]] inline void throw_cancelled() {
  throw boost::system::system_error(boost::asio::error::operation_aborted, "cancelled");
}

/// Whether `error` says "cancelled" rather than "failed". A null pointer is neither.
inline bool is_cancellation(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const boost::system::system_error& e) {
    return e.code() == boost::asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

/// The designated fatal class (TG-12): the wish to end the process, thrown where it arises. Aggregates let it
/// through bare. It derives from std::exception alone, so that nobody who handles errors handles it by
/// accident.
class exit_request : public std::exception {
 public:
  explicit exit_request(int status) noexcept : status_(status) {}

  /// The exit status asked for.
  int status() const noexcept { return status_; }
  const char* what() const noexcept override { return "exit requested"; }

 private:
  int status_;
};

/// Whether `error` is an exit_request. A null pointer is not.
inline bool is_exit_request(const std::exception_ptr& error) noexcept {
  if (!error) return false;
  try {
    std::rethrow_exception(error);
  } catch (const exit_request&) {
    return true;
  } catch (...) {
    return false;
  }
}

/// The text of an exception, for people.
inline std::string describe(const std::exception_ptr& error) {
  if (!error) return "no error";
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception that is no std::exception";
  }
}

/// One failure and whose it is.
struct task_failure {
  std::string name;   ///< The name that the task was given.
  std::size_t index;  ///< The number of the task in its group, counted from 0 in the order of starting.
  std::exception_ptr error;  ///< What it threw; never null, never a cancellation.
  bool secondary = false;    ///< It happened while cleaning up after another one (X-17).
};

/// All failures of a set of tasks, in the order in which they happened; never empty. Copying does not throw.
class exception_group : public std::exception {
 public:
  explicit exception_group(std::vector<task_failure> failures)
      : content_(std::make_shared<const content>(std::move(failures))) {}

  const std::vector<task_failure>& failures() const noexcept { return content_->failures; }

  /// The failure that everything else followed from: the first one that is not secondary, else the first
  ///
  const task_failure& primary() const noexcept {
    for (const task_failure& failure : failures())
      if (!failure.secondary) return failure;
    return failures().front();
  }

  /// All failures in one line: "2 failures: reader: connection reset; writer (secondary): disk full".
  const char* what() const noexcept override { return content_->text.c_str(); }

 private:
  struct content {
    explicit content(std::vector<task_failure> all) : failures(std::move(all)) {
      text = std::to_string(failures.size()) + (failures.size() == 1 ? " failure" : " failures");
      const char* separator = ": ";
      for (const task_failure& failure : failures) {
        text += separator + failure.name + (failure.secondary ? " (secondary): " : ": ") +
                describe(failure.error);
        separator = "; ";
      }
    }

    std::vector<task_failure> failures;
    std::string text;
  };

  std::shared_ptr<const content> content_;
};

}  // namespace assay::reference
