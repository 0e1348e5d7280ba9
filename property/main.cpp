// One property for every contract that has random programs (ASSAY_PROGRAM): whatever program RapidCheck generates, and
// whatever schedule the seed makes of it, the reference and every subject of another design hold, and each mutant that the
// programs say they see is seen. Programs are generated before the trial (GEN-8), so shrinking does not depend on the
// schedule. RC_PARAMS="seed=... max_success=..." reproduces and widens a run.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <assay/harness/campaign/replay.hpp>
#include <assay/harness/catalogue/catalogue.hpp>
#include <assay/harness/trial/program.hpp>

namespace assay {
namespace {

// Any program of the grammar; steps come and go while shrinking.
rc::Gen<program> programs(const grammar& rules) {
  const auto below = [](std::size_t bound) {
    return rc::gen::inRange<std::uint8_t>(0, static_cast<std::uint8_t>(bound));
  };
  const auto step =
      rc::gen::map(rc::gen::tuple(below(rules.verbs.size()), below(rules.a_values), below(rules.b_values)),
                   [](const std::tuple<std::uint8_t, std::uint8_t, std::uint8_t>& one) {
                     return program_step{std::get<0>(one), std::get<1>(one), std::get<2>(one)};
                   });
  using drawn = std::tuple<std::uint8_t, std::uint8_t, std::vector<program_step>>;
  return rc::gen::map(
      rc::gen::tuple(below(rules.shapes), below(rules.repeats.size()),
                     rc::gen::container<std::vector<program_step>>(step)),
      [](const drawn& one) { return program{std::get<0>(one), std::get<2>(one), std::get<1>(one)}; });
}

// Seed 0 is first in, first out.
trial_result run(const subject_base& chosen, const scenario_info& scenario, const program& steps,
                 std::uint32_t seed) {
  fifo_source first;
  random_source random(seed, {});
  choice_source& schedule = seed == 0 ? static_cast<choice_source&>(first) : random;
  const grammar& rules = *scenario.traits.rules;
  program_source source(answers_for(steps, rules, allowed(rules, chosen)), schedule);
  return run_trial(chosen, scenario, source, {});
}

// True if the property holds; a failure prints the shrunk program and a line that replays it.
bool holds(const subject_base& chosen, const scenario_info& scenario) {
  const grammar& rules = *scenario.traits.rules;
  return rc::check(chosen.name() + " of " + chosen.contract() + " keeps its promises", [&] {
    const program steps = *programs(rules);
    const auto seed = *rc::gen::inRange<std::uint32_t>(0, 1000);
    const trial_result result = run(chosen, scenario, steps, seed);
    if (result.passed()) return;
    RC_LOG() << to_text(steps, rules) << " with schedule seed " << seed << "\n  " << result.message
             << "\n  assay replay " << encode(make_token(chosen, scenario, {}, result.choices)) << '\n';
    RC_FAIL(result.message);
  });
}

class keeps_its_promises : public testing::Test {
 public:
  keeps_its_promises(const subject_base& chosen, const scenario_info& scenario, bool expected)
      : chosen_(chosen), scenario_(scenario), expected_(expected) {}
  void TestBody() override { EXPECT_EQ(holds(chosen_, scenario_), expected_); }

 private:
  const subject_base& chosen_;
  const scenario_info& scenario_;
  bool expected_;
};

void add(const subject_base& chosen, const scenario_info& scenario, bool expected) {
  testing::RegisterTest(
      (chosen.contract() + "_programs").c_str(), chosen.name().c_str(), nullptr, nullptr,
      scenario.file.c_str(), static_cast<int>(scenario.line),
      [&chosen, &scenario, expected] { return new keeps_its_promises(chosen, scenario, expected); });
}

bool claims_all(const subject_base& chosen, const scenario_info& scenario) {
  return std::all_of(scenario.traits.features.begin(), scenario.traits.features.end(),
                     [&chosen](const std::string& one) { return chosen.claims(one); });
}

// False if a program names a mutant that there is not.
bool add_all() {
  bool complete = true;
  const catalogue& all = catalogue::instance();
  for (const scenario_info& scenario : all.scenarios()) {
    if (!scenario.traits.is_program()) continue;
    for (const auto& one : all.subjects()) {
      const bool sound = one->kind() == subject_kind::reference || one->kind() == subject_kind::alternative;
      if (sound && one->contract() == scenario.contract && claims_all(*one, scenario))
        add(*one, scenario, true);
    }
    for (const std::string& name : scenario.traits.must_see) {
      const subject_base* const wrong = all.find_subject(scenario.contract, name);
      if (wrong == nullptr) {
        std::fprintf(stderr, "%s must see '%s', which is no subject\n", scenario.name().c_str(),
                     name.c_str());
        complete = false;
      } else {
        add(*wrong, scenario, false);
      }
    }
  }
  return complete;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  // The same programs in every run, unless somebody asks for others.
  ::setenv("RC_PARAMS", "seed=1 max_success=400", 0);
  const bool complete = assay::add_all();
  testing::InitGoogleTest(&argc, argv);
  return complete ? RUN_ALL_TESTS() : 1;
}
