// The files that a person hands in, recorded findings and results of an earlier run: whatever is in them is either
// refused with a reason, or read; and findings that were read can be written, and read again.
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/harness/report/diff.hpp>
#include <assay/harness/report/findings.hpp>

namespace {

// A file without a place on a disk.
class memory_file {
 public:
  memory_file() : descriptor_(::memfd_create("fuzzed", MFD_CLOEXEC)) {
    if (descriptor_ < 0) std::abort();
  }
  memory_file(const memory_file&) = delete;
  memory_file& operator=(const memory_file&) = delete;
  ~memory_file() { ::close(descriptor_); }

  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }
  void fill(const std::uint8_t* data, std::size_t size) const {
    if (::ftruncate(descriptor_, 0) != 0) std::abort();
    if (::pwrite(descriptor_, data, size, 0) != static_cast<ssize_t>(size)) std::abort();
  }

 private:
  int descriptor_;
};

std::vector<std::string> names_of(const std::vector<assay::finding>& findings) {
  std::vector<std::string> names;
  names.reserve(findings.size());
  for (const assay::finding& one : findings) names.push_back(one.name());
  return names;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const memory_file given;
  static const memory_file written;
  given.fill(data, size);
  try {
    const std::vector<assay::finding> findings = assay::read_findings(given.path());
    assay::write_findings(written.path(), findings);
    if (names_of(assay::read_findings(written.path())) != names_of(findings)) std::abort();
  } catch (const std::runtime_error&) {  // refused, with a reason
  }
  try {
    (void)assay::read_results(given.path());
  } catch (const assay::malformed_results&) {  // likewise
  }
  return 0;
}
