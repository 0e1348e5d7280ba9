#include <assay/harness/campaign/suite.hpp>

#include <assay/harness/cli/verbs.hpp>

namespace assay {

int suite::run(int argc, char** argv) { return run_command_line(argc, argv, bugs_); }

}  // namespace assay
