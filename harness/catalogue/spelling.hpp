// What was meant by a name that does not exist.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace assay {

/// The name that is spelt most like `wrong`, or an empty string if none is near.
std::string nearest(std::string_view wrong, std::span<const std::string> names);
/// "; did you mean 'x'?", or nothing.
std::string suggestion(std::string_view wrong, std::span<const std::string> names);

}  // namespace assay
