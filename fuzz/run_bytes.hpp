// Runs a program scenario on a byte string. Shared by the fuzz targets and by the test that replays regressions.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/catalogue/catalogue.hpp>

namespace assay::fuzz {

struct report {
  bool passed = true;
  std::string message;
  std::string program;  ///< the decoded program
  std::string token;
  std::string trace_hash;
};

/// Ends the process with a message if the scenario or the subject does not exist.
inline report run_bytes(std::string_view scenario_name, std::string_view subject_name,
                        std::span<const std::uint8_t> bytes, bool traced = false) {
  const catalogue& all = catalogue::instance();
  const scenario_info* const scenario = all.find_scenario(scenario_name);
  const subject_base* const chosen =
      scenario == nullptr ? nullptr : all.find_subject(scenario->contract, subject_name);
  if (chosen == nullptr) {
    std::fprintf(stderr, "there is no scenario '%.*s' or it has no subject '%.*s'\n",
                 static_cast<int>(scenario_name.size()), scenario_name.data(),
                 static_cast<int>(subject_name.size()), subject_name.data());
    std::exit(64);
  }
  byte_source source(bytes);
  trial_result result = run_trial(*chosen, *scenario, source, {}, traced);
  report seen;
  seen.passed = result.passed();
  seen.message = result.message;
  if (!seen.passed || traced) seen.token = encode(make_token(*chosen, *scenario, {}, result.choices));
  if (!seen.passed && !traced) {
    // Again with a trace, for the program's text.
    byte_source again(bytes);
    result = run_trial(*chosen, *scenario, again, {}, true);
  }
  if (!result.events) return seen;
  seen.trace_hash = format_hash(result.events->hash());
  for (const event& one : result.events->events()) {
    if (one.kind == event_kind::mark && one.text.starts_with("program ")) seen.program = one.text;
  }
  return seen;
}

}  // namespace assay::fuzz
