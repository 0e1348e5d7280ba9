// Text that may be anything, made fit for reports.
#pragma once

#include <string>
#include <string_view>

namespace assay {

/// The text with a question mark for every byte that is no UTF-8: what a subject says may be anything, and reports are
/// JSON and XML.
std::string valid_utf8(std::string_view text);

}  // namespace assay
