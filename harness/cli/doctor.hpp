// Whether the surroundings let Assay's verdicts be trusted: the compiler and the libraries that this program was built
// with, sanitizers' options, what worker processes need, what the environment sets.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

namespace assay {

enum class health { fine, note, problem };

struct diagnosis {
  std::string what;  ///< "Boost", "workers", ...
  health state = health::fine;
  std::string seen;
  std::string mend;  ///< what to do about it; empty if it is fine
};

/// Looks at everything. Forks a child, so the process must be single-threaded.
std::vector<diagnosis> examine();

void write_text(std::ostream& out, const std::vector<diagnosis>& all);
/// {"checks": [{"what", "state": "fine|note|problem", "seen", "mend"}]}
void write_json(std::ostream& out, const std::vector<diagnosis>& all);

/// 0, or 2 if there is a problem.
int exit_status(const std::vector<diagnosis>& all);

}  // namespace assay
