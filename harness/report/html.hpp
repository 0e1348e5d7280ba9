// Pages for a browser: one file each, with everything in it, so that they can be sent, archived and opened from a disk.
#pragma once

#include <iosfwd>

#include "harness/report/report.hpp"

namespace assay {

/// The conformance report.
void write_html(std::ostream& out, const run_report& report);

}  // namespace assay
