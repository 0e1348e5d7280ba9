// Pages for a browser: one file each, with everything in it, so that they can be sent, archived and opened from a disk.
#pragma once

#include <iosfwd>
#include <string>

#include "harness/report/report.hpp"

namespace assay {

/// The conformance report.
void write_html(std::ostream& out, const run_report& report);

/// One trial, drawn beside the first-in-first-out one if `seen` has it. `replay` is the line that shows it again.
void write_timeline_html(std::ostream& out, const campaign_result& seen, const std::string& replay);

}  // namespace assay
