// The suite: what a program that plugs implementations in runs. Its command line is that of `assay` itself.
//
//   int main(int argc, char** argv) {
//     assay::suite suite;
//     suite.add<assay::contract::bounded_queue>("my_queue", {.features = {"close", "try"}}, make_my_queue);
//     return suite.run(argc, argv);
//   }
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <assay/harness/campaign/bugs.hpp>
#include <assay/harness/catalogue/catalogue.hpp>

namespace assay {

class suite {
 public:
  /// Begins with what the program links: the standard's clauses with assay::standard, the project's own subjects with
  /// assay::subjects.
  suite() = default;

  /// Adds an implementation of yours. `make` is called with the environment and the contract's configuration,
  /// once for every subject that a scenario needs; it throws contract::rejected_error for a configuration that it refuses,
  /// and never returns null. What is wrong with a subject (its name is taken, it claims a feature that does not exist) is
  /// said by `run`, which then runs nothing.
  template <class Contract>
  void add(std::string name, subject_traits traits, typename subject<Contract>::factory make,
           subject_kind kind = subject_kind::third_party) {
    catalogue::instance().add_or_complain(
        std::make_unique<subject<Contract>>(std::move(name), kind, std::move(traits), std::move(make)));
  }

  /// What `assay bugs` measures strategies on. They must outlive the suite.
  void measure_on(const std::vector<planted_bug>& bugs) noexcept { bugs_ = &bugs; }

  /// Runs the command line. Returns the exit status: 0, 1 (a MUST clause is violated), 2 (an error, or
  /// nothing but skips), 64 (usage).
  int run(int argc, char** argv);

 private:
  const std::vector<planted_bug>* bugs_ = nullptr;
};

}  // namespace assay
