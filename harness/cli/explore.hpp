// `assay explore`: a campaign that goes on, in batches, for as long as its budget lasts; interrupted, it can be resumed.
//
// Batch k of every scenario has the seed `seed + k`, so a campaign can be split over machines: shard i of n does the
// batches k with k mod n = i. With every strategy but `corpus` they do together what one machine would; a corpus is each
// shard's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iosfwd>
#include <set>
#include <string>
#include <vector>

#include <assay/harness/campaign/campaign.hpp>
#include <assay/harness/campaign/runner.hpp>
#include <assay/harness/cli/selection.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

struct explore_options {
  std::uint64_t schedules = 10'000;  ///< per scenario, all shards together
  std::chrono::seconds time{0};      ///< of real time; 0: until the schedules are done
  std::uint32_t batch = 200;         ///< schedules
  std::uint64_t shard = 0;           ///< counted from 0
  std::uint64_t shards = 1;
  std::filesystem::path state;  ///< where to keep how far it is; empty: nowhere
};

/// How far one scenario with one subject is.
struct explored {
  std::string subject;
  std::string scenario;
  std::uint64_t next_batch = 0;
  std::uint64_t schedules = 0;
  std::uint64_t trials = 0;
  std::set<std::uint64_t> orders;  ///< happens-before classes
  double depth2 = 0;               ///< least probability of having shown a bug of depth 2
  corpus_state corpus;             ///< strategy "corpus": what the next batch begins with
  bool exhausted = false;
  verdict outcome = verdict::pass;
  std::string message;
  std::string token;
  std::string strategy;
  bool begun() const noexcept { return trials > 0 || is_bad(outcome); }
};

struct exploration {
  std::vector<explored> all;
  std::vector<std::string> problems;
  bool interrupted = false;
  extent how_far() const noexcept;  ///< in scenarios that were begun
};

/// Explores what is selected. `progress` is told after every batch how many of how many are done. Throws
/// std::runtime_error for a state that another build or other options made, or that cannot be read or written.
exploration explore(const std::vector<selected>& what, const campaign_options& each,
                    const run_settings& processes, const explore_options& options,
                    const std::function<void(const explored&, std::uint64_t done)>& progress);

void write_text(std::ostream& out, const exploration& seen, const std::string& program);
void write_json(std::ostream& out, const exploration& seen);

}  // namespace assay
