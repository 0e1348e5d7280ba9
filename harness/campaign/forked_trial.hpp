// One trial in a process of its own: for code with process-wide state, and for code that may crash.
#pragma once

#include <chrono>

#include <assay/harness/campaign/campaign.hpp>

namespace assay {

/// As run_trial, in a forked child. A child that ends without a result (a signal, an exit) is a result of kind
/// `crashed` that names how it ended, with the choices and the events that led there. The process must be single-threaded. Throws
/// std::system_error if the machine refuses one, or if the trial has ended and its result is lost.
trial_result run_forked_trial(const subject_base& chosen, const scenario_info& scenario,
                              choice_source& source, const trial_settings& settings, bool traced,
                              const campaign_observer* observer);

/// The same, for whoever is not to wait for ever: a child that hangs (see sudden_end_guard) is ended, and a result of kind
/// `hung`.
trial_runner forked_trials(std::chrono::seconds hang_after);

}  // namespace assay
