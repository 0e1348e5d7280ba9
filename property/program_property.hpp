// One property for every pattern: whatever program of operations RapidCheck generates, and whatever schedule the seed
// makes of it, the pattern's program scenario holds. Programs are generated before the trial (GEN-8), so shrinking
// does not depend on the schedule. RC_PARAMS="seed=... max_success=..." reproduces and widens a run.
#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdint>
#include <iostream>
#include <string>
#include <tuple>
#include <vector>

#include "harness/campaign/catalogue.hpp"
#include "harness/campaign/replay.hpp"
#include "harness/trial/program.hpp"

namespace assay {

inline std::ostream& operator<<(std::ostream& out, const program& what) {
  out << "shape " << int{what.shape} << ", " << what.steps.size() << " steps";
  return out;
}

}  // namespace assay

namespace assay::property {

/// Programs of this grammar. Shrinks by dropping steps and lowering numbers.
inline rc::Gen<program> programs(const grammar& rules) {
  const auto below = [](std::size_t bound) {
    return rc::gen::inRange<std::uint8_t>(0, static_cast<std::uint8_t>(bound));
  };
  const auto step =
      rc::gen::map(rc::gen::tuple(below(rules.verbs.size()), below(rules.a_values), below(rules.b_values)),
                   [](const std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>& one) {
                     return program_step{std::get<0>(one), std::get<1>(one), std::get<2>(one)};
                   });
  return rc::gen::map(rc::gen::pair(below(rules.shapes), rc::gen::container<std::vector<program_step>>(step)),
                      [](const std::pair<std::uint8_t, std::vector<program_step>>& one) {
                        return program{one.first, one.second};
                      });
}

/// Runs `steps` on the subject under the schedule of `seed`; seed 0 is first in, first out.
inline trial_result run(const subject_base& chosen, const scenario_info& scenario, const grammar& rules,
                        const program& steps, std::uint32_t seed) {
  fifo_source first;
  random_source random(seed, {});
  choice_source& schedule = seed == 0 ? static_cast<choice_source&>(first) : random;
  program_source source(answers_for(steps, rules), schedule);
  return run_trial(chosen, scenario, source, {});
}

/// The property of one subject. True if it holds; a failure prints the shrunk program and a line that replays it.
inline bool holds(const std::string& contract, const std::string& clause, const std::string& subject_name,
                  const grammar& rules) {
  const catalogue& all = catalogue::instance();
  const scenario_info* const scenario = all.find_scenario(contract + "/" + clause + "/program");
  const subject_base* const chosen = all.find_subject(contract, subject_name);
  if (scenario == nullptr || chosen == nullptr) {
    ADD_FAILURE() << "there is no program scenario of " << contract << ", or no subject " << subject_name;
    return false;
  }
  return rc::check(subject_name + " of " + contract + " keeps its promises", [&] {
    const program steps = *programs(rules);
    const auto seed = *rc::gen::inRange<std::uint32_t>(0, 1000);
    const trial_result result = run(*chosen, *scenario, rules, steps, seed);
    if (result.passed()) return;
    RC_LOG() << to_text(steps, rules) << " with schedule seed " << seed << "\n  " << result.message
             << "\n  assay replay " << encode(make_token(*chosen, *scenario, {}, result.choices)) << '\n';
    RC_FAIL(result.message);
  });
}

}  // namespace assay::property
