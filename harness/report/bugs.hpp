// What the planted bugs say of the strategies, for a person and for a machine.
#pragma once

#include <boost/json/object.hpp>
#include <iosfwd>
#include <span>

#include <assay/harness/campaign/bugs.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

/// A line per bug: schedules to the first failure, median and 95th percentile, by strategy.
void write_text(std::ostream& out, std::span<const bug_report> reports, const bug_options& options,
                const extent& seen);
/// {"bugs": [{"name", "depth", "portfolio": {"median", "p95"}, "strategies": {NAME: {...}}, "twin_reports", ...}]};
/// null where the cap was reached.
void write_json(std::ostream& out, std::span<const bug_report> reports, const bug_options& options,
                const extent& seen);
boost::json::object to_json(std::span<const bug_report> reports, const bug_options& options,
                            const extent& seen);

}  // namespace assay
