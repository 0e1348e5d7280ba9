// Runs a coroutine as one trial, or as many, for the tests of mocks and fixtures.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <assay/harness/choice/choice.hpp>
#include <assay/harness/trial/trial.hpp>

namespace assay::testing_support {

using body = std::function<boost::asio::awaitable<void>(trial&)>;

inline trial_result run(const body& scenario, choice_source& source, bool faulted = false,
                        trial_settings settings = {}) {
  choice_stream choices(source);
  trial t(choices, settings, false);
  if (faulted) t.allow_faults();
  return t.run([&] { return scenario(t); });
}

inline trial_result run(const body& scenario) {
  fifo_source source;
  return run(scenario, source);
}

/// First in first out, then random schedules; the first failure, or a pass.
inline trial_result campaign(const body& scenario, std::uint64_t schedules = 200) {
  trial_result result = run(scenario);
  for (std::uint64_t seed = 1; seed <= schedules && result.passed(); ++seed) {
    random_source source(seed, {});
    result = run(scenario, source);
  }
  return result;
}

/// One trial for each fault that each dependency call can show, once and from then on.
inline std::vector<trial_result> fault_sweep(const body& scenario) {
  fifo_source source;
  const trial_result baseline = run(scenario, source, true);
  std::vector<trial_result> all;
  std::uint32_t call = 0;
  for (const choice& one : baseline.choices) {
    if (one.kind != choice_kind::fault) continue;
    for (std::uint32_t answer = 1; answer < one.arity; ++answer) {
      for (const bool persistent : {false, true}) {
        sweep_source::deviation deviation;
        deviation.kind = choice_kind::fault;
        deviation.index = call;
        deviation.answer = answer;
        deviation.persistent = persistent;
        sweep_source deviating(std::vector<sweep_source::deviation>(1, deviation));
        all.push_back(run(scenario, deviating, true));
      }
    }
    ++call;
  }
  return all;
}

/// "" for a pass, else all failures in one line.
inline std::string story(const trial_result& result) {
  std::string text;
  for (const std::string& failure : result.failures) text += (text.empty() ? "" : " | ") + failure;
  return text;
}

}  // namespace assay::testing_support
