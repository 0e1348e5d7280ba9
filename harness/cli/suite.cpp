#include "harness/campaign/suite.hpp"

#include "harness/cli/verbs.hpp"

namespace assay {

int suite::run(int argc, char** argv) { return run_command_line(argc, argv, bugs_); }

}  // namespace assay
