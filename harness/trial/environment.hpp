// The environment: what the outside world gives a subject (executor, random numbers, dependencies, an error
// hook).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <typeindex>
#include <utility>
#include <vector>

#include <assay/harness/choice/choice.hpp>

namespace assay {

class trial;

class environment {
 public:
  /// The environment of a trial; made on first use.
  static environment& of(trial& t);

  explicit environment(trial& t) : trial_(&t) {}

  /// Where the subject runs. Its handlers are "the subject" in reports.
  boost::asio::any_io_executor executor() const;
  /// The stock io_context on tier `io_context`; null on tier `sim`, where a subject takes the executor.
  boost::asio::io_context* io_context() const noexcept;
  /// Uniform random bits, the same for the same token.
  std::uint64_t random() noexcept { return random_.next(); }
  /// The one hook for failures that reach nobody else; the trial counts them as observed.
  void report_unhandled(const std::exception_ptr& failure) const;
  /// One line into the trial's order ledger.
  void mark(std::string label) const;
  /// The trial itself, for adapters that need more than the above.
  trial& owner() const noexcept { return *trial_; }

  /// A dependency that the scenario provided, shared for the trial; null if it did not.
  template <class Dependency>
  std::shared_ptr<Dependency> find() const {
    return std::static_pointer_cast<Dependency>(find(typeid(Dependency)));
  }
  /// Provides a dependency to the subject. Lives as long as the trial.
  template <class Dependency>
  void provide(std::shared_ptr<Dependency> dependency) {
    provide(typeid(Dependency), std::move(dependency));
  }
  /// Lets go of everything provided; the trial does so before its context goes.
  void clear() noexcept;

 private:
  std::shared_ptr<void> find(std::type_index type) const;
  void provide(std::type_index type, std::shared_ptr<void> dependency);

  trial* trial_;
  splitmix64 random_{0x415353415931ULL};
  // Looked up by type only, never walked: its order shows nowhere.
  std::vector<std::pair<std::type_index, std::shared_ptr<void>>> provided_;
};

}  // namespace assay
