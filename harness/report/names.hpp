// Names as people type them: globs, words of a shell, and what was meant by a name that does not exist.
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

/// The name that is spelt most like `wrong`, or an empty string if none is near.
std::string nearest(std::string_view wrong, std::span<const std::string> names);
/// "; did you mean 'x'?", or nothing.
std::string suggestion(std::string_view wrong, std::span<const std::string> names);

}  // namespace assay
