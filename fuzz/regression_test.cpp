// Replays every file of fuzz/regressions and of the seed corpora, in any build. Beside a regression `NAME` stands
// `NAME.expected` with the decoded program and the trace hash, so that a change of the decoder is seen instead of
// letting a regression rot. Run with --write to record new ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/choice/token.hpp>
#include "run_bytes.hpp"

namespace {

namespace fs = std::filesystem;

bool write_expected = false;

std::vector<std::uint8_t> read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::string read_text(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

std::vector<fs::path> inputs_in(const fs::path& folder) {
  std::vector<fs::path> paths;
  if (!fs::exists(folder)) return paths;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".expected" && entry.path().extension() != ".md")
      paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// The contracts that have random programs, and their scenarios.
std::vector<std::pair<std::string, std::string>> programs() {
  std::vector<std::pair<std::string, std::string>> result;
  for (const assay::scenario_info& one : assay::catalogue::instance().scenarios()) {
    if (one.traits.is_program()) result.emplace_back(one.contract, one.name());
  }
  return result;
}

TEST(fuzz_regressions, every_recorded_input_still_passes_and_is_read_as_before) {
  for (const auto& [name, scenario] : programs()) {
    for (const fs::path& input : inputs_in(fs::path(ASSAY_FUZZ_FOLDER) / "regressions" / name)) {
      const auto seen = assay::fuzz::run_bytes(scenario, "reference", read_bytes(input), true);
      EXPECT_TRUE(seen.passed) << input << ": " << seen.message << "\nassay replay " << seen.token;
      const std::string text = seen.program + "\n" + seen.trace_hash + "\n";
      const fs::path expected = input.string() + ".expected";
      if (write_expected) std::ofstream(expected) << text;
      EXPECT_EQ(read_text(expected), text) << "the decoder or the scenario changed under " << input;
    }
  }
}

TEST(fuzz_regressions, every_seed_passes) {
  for (const auto& [name, scenario] : programs()) {
    const std::vector<fs::path> seeds = inputs_in(fs::path(ASSAY_FUZZ_FOLDER) / "corpus" / name);
    EXPECT_FALSE(seeds.empty()) << "the target " << name << " has no seed";
    for (const fs::path& input : seeds) {
      const auto seen = assay::fuzz::run_bytes(scenario, "reference", read_bytes(input), true);
      EXPECT_TRUE(seen.passed) << input << ": " << seen.message << "\nassay replay " << seen.token;
      EXPECT_NE(seen.program.find(';'), std::string::npos) << input << " decodes to an empty program";
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  write_expected = argc > 1 && std::string_view(argv[1]) == "--write";
  return RUN_ALL_TESTS();
}
