// Which testees a command line asks for, and the file in which they have names.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace assay {

/// Read if no other file is named; it need not be there.
inline constexpr const char* usual_testees_file = "testees/testees.json";

struct testee_options {
  std::vector<std::string> chosen;  ///< names in the file, or commands for sh
  std::string file;                 ///< empty: the usual one
  bool all = false;                 ///< every one that has a name
  std::uint64_t patience_s = 10;    ///< real time for one answer
};

/// Starts the testees that are asked for, and those whose name begins one of these subjects' ("asyncio.Queue", "asyncio"); their
/// subjects join the catalogue. Returns what went wrong with which; the others are there nevertheless. Throws usage_error for
/// a name that does not exist and for a file that cannot be read.
std::vector<std::string> start_testees(const testee_options& options, std::span<const std::string> subjects);

}  // namespace assay
