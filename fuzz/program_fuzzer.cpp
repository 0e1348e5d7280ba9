// One fuzz target per program scenario: the bytes answer the choice stream, so any byte string is a program and a
// schedule. A failure prints the shrunk program and the line that replays it, and aborts.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "fuzz/run_bytes.hpp"
#include "scenarios/parts.hpp"

namespace {

const char* subject_name() {
  const char* const named = std::getenv("ASSAY_FUZZ_SUBJECT");
  return named == nullptr ? "reference" : named;
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  assay::parts::standard();
  assay::parts::subjects();
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const assay::fuzz::report seen =
      assay::fuzz::run_bytes(ASSAY_FUZZ_SCENARIO, subject_name(), std::span(data, size));
  if (seen.passed) return 0;
  std::fprintf(stderr, "%s\n%s\nassay replay %s\n", seen.message.c_str(), seen.program.c_str(),
               seen.token.c_str());
  std::abort();
}
