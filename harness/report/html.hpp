// Pages for a browser: one file each, with everything in it, so that they can be sent, archived and opened from a disk.
#pragma once

#include <filesystem>
#include <iosfwd>
#include <span>
#include <string>

#include <assay/harness/report/bugs.hpp>
#include <assay/harness/report/kill_matrix.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

/// The conformance report. It links to the other pages that are in `folder`.
void write_html(std::ostream& out, const run_report& report, const std::filesystem::path& folder = {});

/// Which clauses catch which mutants. `program` is for replay commands; `command` is what made it.
void write_html(std::ostream& out, const kill_matrix& matrix, const std::string& program,
                const std::string& command);

/// How soon each strategy finds each planted bug.
void write_html(std::ostream& out, std::span<const bug_report> reports, const bug_options& options,
                const extent& seen, const std::string& command);

/// One trial, drawn beside the baseline trial if `seen` has it. `replay` is the line that shows it again.
void write_timeline_html(std::ostream& out, const campaign_result& seen, const std::string& replay);

}  // namespace assay
