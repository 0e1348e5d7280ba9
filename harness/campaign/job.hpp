// A job: what one process is asked to do for one subject and one scenario, in plain values, so that it can be handed to
// a worker as a line of JSON and its result handed back in the same way.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <assay/harness/campaign/campaign.hpp>

namespace assay {

enum class job_kind {
  campaign,     ///< all trials of the scenario
  termination,  ///< one trial of a scenario that demands the end of the process
  replay,       ///< one trial, from a token
  plug          ///< the one trial of a plug check; its verdict concerns nobody unless it is `misplugged`
};

struct job {
  job_kind kind = job_kind::campaign;
  const subject_base* chosen = nullptr;
  const scenario_info* scenario = nullptr;
  campaign_options options;
  std::uint32_t attempt = 0;   ///< termination: 0 is first in first out, others are random schedules
  std::string token;           ///< replay
  std::uint64_t break_at = 0;  ///< replay, in this process only: trial_settings::break_at
};

/// The result of a job that the machine did not let be run, or not to its end: `unrun`, "not run" and this.
campaign_result unrun_result(const job& asked, const std::string& why);

/// Does the job in this process. Never throws for what a subject does.
campaign_result run_job(const job& asked, const campaign_observer* observer = nullptr);

/// One line of JSON, without the line's end.
std::string encode(const job& asked);
/// Looks names up in the catalogue. Throws std::exception for what encode did not make.
job decode_job(const std::string& line);
std::string encode(const campaign_result& result);
campaign_result decode_result(const std::string& line);

}  // namespace assay
