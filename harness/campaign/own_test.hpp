// What stands behind ASSAY_TEST, free of GoogleTest: a campaign over one body, its command line and its report.
#pragma once

#include <string>

#include "harness/campaign/catalogue.hpp"

namespace assay::detail {

struct own_test {
  scenario_info scenario;  ///< `contract` is the suite's name, `clause` the test's
  bool isolated = false;   ///< every trial in a process of its own
};

struct own_test_report {
  bool passed = true;
  std::string text;  ///< message, story, replay line
};

/// Runs the campaign, or the one trial that --assay_replay names. Bad arguments fail the test with a text that says
/// what was wrong.
own_test_report run_own_test(const own_test& test);

}  // namespace assay::detail
