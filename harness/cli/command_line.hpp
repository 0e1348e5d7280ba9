// The command line, read: which verb, with which options.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/campaign/bugs.hpp>
#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/cli/explore.hpp>
#include <assay/harness/cli/selection.hpp>
#include <assay/harness/cli/testees.hpp>

namespace assay {

enum class verb {
  list,
  standard,
  run,
  mutants,
  replay,
  explore,
  allocations,
  hashes,
  bugs,
  diff,
  lint,
  doctor,
  completion,
  worker
};

/// `assay complete WORD...` prints what the last word may become; what `assay completion` prints calls it.
inline constexpr std::string_view complete_verb = "complete";

struct command_line {
  verb what = verb::run;
  std::string program;  ///< as it was called
  std::string text;     ///< all of it, as one could type it again
  selection wanted;
  campaign_options options;
  run_settings processes;
  order_model gate = order_model::any;
  bool strict = false;
  bool fail_fast = false;
  bool trace = false;
  bool update_findings = false;
  bool lint_features = false;
  std::string format = "text";
  std::string output;
  std::string report;
  std::string findings;
  std::string shell;
  std::string token;
  std::uint64_t break_at = 0;
  std::string timeline;
  std::string perfetto;
  std::string old_results;
  std::string new_results;
  std::vector<std::string> mutants;
  std::vector<std::string> bugs;
  bug_options measured;
  explore_options exploring;
  testee_options testees;
  int worker_socket = -1;
  int worker_mirror = -1;
  std::string worker_testees;
};

/// Reads it. Prints help or the version itself: then there is nothing to do, and `done` is the exit status.
/// Throws usage_error.
struct parsed {
  command_line line;
  std::optional<int> done;
};
parsed parse_command_line(int argc, char** argv);

}  // namespace assay
