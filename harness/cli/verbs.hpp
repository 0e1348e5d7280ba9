// What the verbs of the command line do.
#pragma once

namespace assay {

/// Runs the command line over the process's catalogue. Returns the exit status.
int run_command_line(int argc, char** argv);

}  // namespace assay
