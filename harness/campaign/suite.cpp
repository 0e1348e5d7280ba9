#include "harness/campaign/suite.hpp"

#include <iostream>

#include "harness/campaign/campaign.hpp"

namespace assay {

int suite::run(int argc, char** argv) {
  catalogue& all = catalogue::instance();
  all.sort();
  for (const std::string& complaint : all.lint()) std::cerr << "lint: " << complaint << '\n';
  campaign_options options;
  options.schedules = 1000;
  if (argc > 1 && std::string(argv[1]) == "matrix") {
    options.schedules = 300;
    for (const auto& chosen : all.subjects()) {
      if (chosen->kind() != subject_kind::mutant || (argc > 2 && chosen->contract() != argv[2])) continue;
      std::string killed;
      std::string wrong;
      for (const scenario_info& scenario : all.scenarios()) {
        if (scenario.contract != chosen->contract() || scenario.traits.expects_termination ||
            scenario.traits.property)
          continue;
        const campaign_result result = run_campaign(*chosen, scenario, options);
        if (result.outcome == verdict::pass || result.outcome == verdict::skip) continue;
        bool must = false;
        bool expected = false;
        for (const auto& one : chosen->traits().must_fail) {
          if (one.clause != result.clause) continue;
          expected = true;
          must = must || result.message.find(one.message) != std::string::npos;
        }
        for (const auto& one : chosen->traits().may_fail) expected = expected || one == result.clause;
        if (must) killed += " " + result.clause;
        if (!expected || (!must && result.outcome == verdict::error))
          wrong += "\n    " + result.scenario() + " " + std::string(to_string(result.outcome)) + ": " +
                   result.message;
      }
      std::cout << chosen->contract() << " " << chosen->name()
                << (killed.empty() ? " SURVIVES" : " killed by") << killed << wrong << '\n';
    }
    return 0;
  }
  std::string only = argc > 1 ? argv[1] : "";
  std::string only_clause = argc > 2 ? argv[2] : "";
  if (argc > 3) options.where = tier::io_context;
  for (const auto& chosen : all.subjects()) {
    if (!only.empty() && chosen->name() != only) continue;
    for (const scenario_info& scenario : all.scenarios()) {
      if (scenario.contract != chosen->contract()) continue;
      if (!only_clause.empty() && scenario.clause != only_clause) continue;
      if (scenario.traits.expects_termination || (scenario.traits.property && only_clause.empty())) continue;
      const campaign_result result = run_campaign(*chosen, scenario, options);
      std::cout << chosen->name() << ' ' << result.scenario() << ' ' << to_string(result.outcome) << ' '
                << result.trials << " trials, cancels " << result.cancel_points_covered << '/'
                << result.cancel_points << ' ' << result.message
                << (result.shown_by.empty() ? "" : " [" + result.shown_by + "]") << '\n';
      if (!result.token.empty()) std::cout << "    " << result.token << ' ' << result.trace_hash << '\n';
      if (!only_clause.empty()) {
        for (const std::string& line : result.story) std::cout << line << '\n';
      }
    }
  }
  return 0;
}

}  // namespace assay
