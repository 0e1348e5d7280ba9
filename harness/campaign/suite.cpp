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
  std::string only = argc > 1 ? argv[1] : "";
  std::string only_clause = argc > 2 ? argv[2] : "";
  if (argc > 3) options.where = tier::io_context;
  for (const auto& chosen : all.subjects()) {
    if (!only.empty() && chosen->name() != only) continue;
    for (const scenario_info& scenario : all.scenarios()) {
      if (scenario.contract != chosen->contract()) continue;
      if (!only_clause.empty() && scenario.clause != only_clause) continue;
      if (scenario.traits.expects_termination) continue;
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
