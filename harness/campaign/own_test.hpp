// What stands behind ASSAY_TEST, free of GoogleTest: a campaign over one body, its command line and its report.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/catalogue/scenario.hpp>

namespace assay {
class trial;
struct campaign_result;
}  // namespace assay

namespace assay::detail {

/// Draws the trial that the report of a failing test tells, into files whose names begin with `stem`: a page, and trace events.
/// `replay` is what shows it again. False if they could not be written. Null in a program that does not link the suite's reports.
using picture_writer = bool (*)(const std::string& stem, const campaign_result& seen,
                                const std::string& replay);
inline constinit picture_writer write_pictures = nullptr;

struct own_test {
  scenario_info scenario;  ///< `contract` is the suite's name, `clause` the test's
  bool isolated = false;   ///< every trial in a process of its own
};

struct own_test_report {
  bool passed = true;
  bool skipped = false;  ///< a replay is asked for, of another test; or the test itself says so
  std::string text;      ///< message, story, replay line; of a replay that passed, what was replayed
};

/// Runs the campaign, or the one trial that --assay_replay names. Bad arguments fail the test with a text that says
/// what was wrong.
own_test_report run_own_test(const own_test& test);

/// Prints what arguments there are, when the program ends, if its command line asks for help.
void help_if_asked();
/// Takes our arguments out of a main's, and keeps them.
void take_arguments(int* argc, char** argv);

/// What every trial of the test that is running begins with.
void begin_own_trial(trial& t);

/// A test of the program, whether its own or not.
struct known_test {
  std::string suite;
  std::string name;
  bool runs = false;              ///< neither a filter nor a shard leaves it out, nor is it disabled
  bool in_another_shard = false;  ///< that is what leaves it out
};

/// To be asked when all tests have run: why they are worth nothing, in words; empty if nothing is wrong. A replay is to be
/// done by the test that its token is of, and arguments that no test has read are still to be right.
std::string complain_at_end(const std::vector<known_test>& all);

}  // namespace assay::detail
