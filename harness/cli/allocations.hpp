// `assay allocations`: what became of every allocation that failed, as a person or a program reads it.
#pragma once

#include <iosfwd>
#include <span>
#include <string>

#include <assay/harness/campaign/allocations.hpp>
#include <assay/harness/report/report.hpp>

namespace assay {

/// One line for each sweep; what is bad with its points and the replay of the first; a summary.
void write_text(std::ostream& out, std::span<const allocation_sweep> sweeps, const extent& seen,
                const std::string& program);
void write_json(std::ostream& out, std::span<const allocation_sweep> sweeps, const extent& seen);

/// 0 nothing is bad, 1 something is, 2 something could not be swept or nothing was.
int exit_status(std::span<const allocation_sweep> sweeps);

}  // namespace assay
