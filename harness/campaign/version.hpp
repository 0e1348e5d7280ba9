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

}  // namespace assay
