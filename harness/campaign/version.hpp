// Which build this is: part of every token and every report.
#pragma once

#include <string>
#include <string_view>

namespace assay {

/// "0.1.0-gcc12.2-5f3a9c01": version, compiler, digest of the standard.
std::string build_id();
std::string_view version() noexcept;
/// "g++ 12.2.0".
std::string compiler();
/// "1.81.0".
std::string boost_version();
/// What it was built from: "90f846c0a1b2", "90f846c0a1b2 with changes", or "unknown" (a tarball).
std::string_view commit() noexcept;
/// The date of a report, "2026-11-29T01:11:58Z": now, or what SOURCE_DATE_EPOCH says, so that reports can be made twice.
std::string report_date();

}  // namespace assay
