// One trial in a process of its own: for code with process-wide state, and for code that may crash.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/child_process.hpp>
#include <assay/harness/campaign/mirror.hpp>
#include <assay/harness/campaign/system.hpp>

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

/// A process that waits, with all that this one has now, to run a trial: it comes to what it would have come to now, whatever
/// the trials that are run here meanwhile leave behind. The process must be single-threaded. Throws std::system_error if the
/// machine refuses what it needs.
class waiting_trial {
 public:
  /// `run` runs the trial that the text asks for, with this observer.
  using runner = std::function<trial_result(const std::string& asked, const campaign_observer& observer)>;
  waiting_trial(std::chrono::seconds hang_after, const runner& run);
  /// As run_forked_trial does it; to be called once. The text is one line.
  trial_result run(std::string asked);

 private:
  shared_mirror mirror_;
  pipe_ends ask_;
  child_process child_;
};

}  // namespace assay
