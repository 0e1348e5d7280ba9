// On what a trial runs: see engine.hpp.
#pragma once

#include <string_view>

namespace assay {

enum class tier { sim, io_context };
std::string_view to_string(tier where) noexcept;

}  // namespace assay
