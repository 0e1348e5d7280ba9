// What the verbs of the command line do.
#pragma once

#include <vector>

#include <assay/harness/campaign/bugs.hpp>

namespace assay {

/// Runs the command line over the process's catalogue; `bugs`, if any, is what strategies are measured on. Returns the
/// exit status.
int run_command_line(int argc, char** argv, const std::vector<planted_bug>* bugs);

}  // namespace assay
