// Replay: a trial as a token, and the token's trial run again, strictly.
#pragma once

#include <span>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/choice/token.hpp>

namespace assay {

/// The token of a recorded run of this scenario. One that was `cut` (by a crash, a hang, a termination) holds only the
/// choices so far; its replay goes on first-in-first-out.
enum class run_end { whole, cut };
replay_token make_token(const subject_base& chosen, const scenario_info& scenario,
                        const trial_settings& settings, std::span<const choice> made,
                        run_end end = run_end::whole);

/// The trial settings that a token names. Throws malformed_token for one that is not known.
trial_settings settings_of(const replay_token& token);
/// Whether the token's run never ended: see run_end.
bool was_cut(const replay_token& token);

/// What a token asks for, looked up in the catalogue.
struct replay_plan {
  const subject_base* chosen = nullptr;
  const scenario_info* scenario = nullptr;
  trial_settings settings;
  schedule plan;
  bool other_build = false;
  bool cut = false;  ///< made by a run that never ended
};
/// Throws malformed_token, also when the token names what this program does not have, or a scenario that the subject no
/// longer claims the features for.
replay_plan plan_replay(const replay_token& token);
/// Whether this process runs under a debugger: then trial_settings::break_at may be set, which would end it else.
bool debugger_attached();

/// Runs it strictly; a divergence is a result of kind `diverged`. One is also that a run which never ended ends now.
trial_result replay(const replay_plan& plan, bool traced = true, const campaign_observer* observer = nullptr);

}  // namespace assay
