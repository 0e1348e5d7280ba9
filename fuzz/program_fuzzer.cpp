// The random programs of the contract that ASSAY_FUZZ_CONTRACT names: the bytes answer the choice stream, so any byte string is a program and a
// schedule. A failure prints the shrunk program and the line that replays it, and aborts.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "run_bytes.hpp"

namespace {

std::string named(const char* variable, const char* otherwise) {
  const char* const said = std::getenv(variable);
  return said == nullptr ? otherwise : said;
}

// The scenario that runs the contract's programs. Ends the process with a message if there is none.
std::string program_scenario() {
  const std::string contract = named("ASSAY_FUZZ_CONTRACT", "");
  std::string known;
  for (const assay::scenario_info& one : assay::catalogue::instance().scenarios()) {
    if (!one.traits.is_program()) continue;
    if (one.contract == contract) return one.name();
    known += ' ' + one.contract;
  }
  std::fprintf(stderr, "ASSAY_FUZZ_CONTRACT is '%s'; contracts with random programs are:%s\n",
               contract.c_str(), known.c_str());
  std::exit(64);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::string scenario = program_scenario();
  static const std::string subject = named("ASSAY_FUZZ_SUBJECT", "reference");
  const assay::fuzz::report seen = assay::fuzz::run_bytes(scenario, subject, std::span(data, size));
  if (seen.passed) return 0;
  std::fprintf(stderr, "%s\n%s\nassay replay %s\n", seen.message.c_str(), seen.program.c_str(),
               seen.token.c_str());
  std::abort();
}
