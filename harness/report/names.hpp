// Names as people type them: globs and words of a shell.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace assay {

/// Whether a glob (*, ?, [...]) matches the whole of a name.
bool matches(std::string_view pattern, std::string_view name);
/// True if the list is empty or one of its patterns matches.
bool matches_any(std::span<const std::string> patterns, std::string_view name);

/// The text as a shell reads one word.
std::string shell_quoted(const std::string& text);

}  // namespace assay
