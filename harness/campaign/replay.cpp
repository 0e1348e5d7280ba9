#include <assay/harness/campaign/replay.hpp>

#include <algorithm>
#include <fstream>
#include <string>
#include <string_view>

#include <assay/harness/campaign/version.hpp>

namespace assay {

replay_token make_token(const subject_base& chosen, const scenario_info& scenario,
                        const trial_settings& settings, std::span<const choice> made, run_end end) {
  replay_token token;
  token.build = build_id();
  token.subject = chosen.name();
  token.scenario = scenario.name();
  token.settings =
      "tier=" + std::string(to_string(settings.where)) + ",sweep=" + (settings.sweep ? "1" : "0");
  if (settings.allocation) token.settings += ",alloc=" + to_string(*settings.allocation);
  if (settings.growth) token.settings += ",growth=" + to_string(*settings.growth);
  for (const std::string& clause : settings.muted) token.settings += ",muted=" + clause;
  if (end == run_end::cut) token.settings += ",end=cut";
  token.plan = condense(made);
  return token;
}

trial_settings settings_of(const replay_token& token) {
  trial_settings settings;
  std::string_view rest = token.settings;
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), one.size() + 1));
    if (one == "tier=sim") {
      settings.where = tier::sim;
    } else if (one == "tier=io_context") {
      settings.where = tier::io_context;
    } else if (one == "sweep=1" || one == "sweep=0") {
      settings.sweep = one.back() == '1';
    } else if (one.starts_with("alloc=")) {
      settings.allocation = read_allocation_fault(one.substr(6));
      if (!settings.allocation)
        throw malformed_token("the token names no allocation: '" + std::string(one) + "'");
    } else if (one.starts_with("growth=")) {
      settings.growth = read_growth_plan(one.substr(7));
      if (!settings.growth) throw malformed_token("the token names no rounds: '" + std::string(one) + "'");
    } else if (one.starts_with("muted=")) {
      settings.muted.emplace_back(one.substr(6));
    } else if (one != "end=cut") {
      throw malformed_token("the token has a setting that this program does not know: '" + std::string(one) +
                            "'");
    }
  }
  return settings;
}

bool was_cut(const replay_token& token) {
  return ("," + token.settings + ",").find(",end=cut,") != std::string::npos;
}

replay_plan plan_replay(const replay_token& token) {
  const catalogue& all = catalogue::instance();
  replay_plan plan;
  plan.scenario = all.find_scenario(token.scenario);
  if (plan.scenario == nullptr) {
    throw malformed_token("the token names the scenario '" + token.scenario +
                          "', which this program does not have");
  }
  plan.chosen = all.find_subject(plan.scenario->contract, token.subject);
  if (plan.chosen == nullptr) {
    const std::size_t dot = token.subject.find('.');
    throw malformed_token("the token names the subject '" + token.subject + "' of " +
                          plan.scenario->contract + ", which this program does not have" +
                          (dot == std::string::npos ? ""
                                                    : "; the testee '" + token.subject.substr(0, dot) +
                                                          "' is started with --testee COMMAND"));
  }
  plan.settings = settings_of(token);
  if (const auto why = reason_to_skip(*plan.chosen, *plan.scenario, plan.settings.where)) {
    throw malformed_token("there is nothing to replay: the token is of '" + token.subject + "' and " +
                          token.scenario + ", and this subject or scenario " + *why);
  }
  plan.cut = was_cut(token);
  plan.plan = token.plan;
  plan.other_build = token.build != build_id();
  return plan;
}

bool debugger_attached() {
  constexpr std::string_view label = "TracerPid:\t";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(label)) return line.substr(label.size()) != "0";
  }
  return false;
}

trial_result replay(const replay_plan& plan, bool traced, const campaign_observer* observer) {
  replay_source source(plan.plan, plan.cut);
  trial_result result = run_trial(*plan.chosen, *plan.scenario, source, plan.settings, traced, observer);
  std::optional<std::string> why = source.finish();
  if (plan.cut && !plan.scenario->traits.expects_termination) {
    std::string ended = "the token recorded a run that never ended (a crash or a hang), and this one ended: ";
    ended += why ? *why : result.passed() ? std::string("it passed") : "with '" + result.message + "'";
    why = std::move(ended);
  }
  if (why) {
    result.kind = failure_kind::diverged;
    result.message = "diverged: " + *why;
    result.failures.insert(result.failures.begin(), result.message);
  }
  return result;
}

}  // namespace assay
