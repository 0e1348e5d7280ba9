#include "harness/report/names.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace assay {

namespace {

// Levenshtein's distance, letters' case aside.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

bool matches(std::string_view pattern, std::string_view name) {
  return ::fnmatch(std::string(pattern).c_str(), std::string(name).c_str(), 0) == 0;
}

bool matches_any(std::span<const std::string> patterns, std::string_view name) {
  return patterns.empty() || std::any_of(patterns.begin(), patterns.end(),
                                         [name](const std::string& one) { return matches(one, name); });
}

std::string shell_quoted(const std::string& text) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./:=,%@+";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string nearest(std::string_view wrong, std::span<const std::string> names) {
  const std::string* best = nullptr;
  std::size_t best_distance = 0;
  for (const std::string& name : names) {
    const std::size_t d = distance(wrong, name);
    if (best != nullptr && d >= best_distance) continue;
    best = &name;
    best_distance = d;
  }
  const bool near = best != nullptr && best_distance <= std::max<std::size_t>(2, best->size() / 2);
  return near ? *best : std::string();
}

std::string suggestion(std::string_view wrong, std::span<const std::string> names) {
  const std::string name = nearest(wrong, names);
  return name.empty() ? std::string() : "; did you mean '" + name + "'?";
}

}  // namespace assay
