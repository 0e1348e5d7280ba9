#include <assay/harness/catalogue/spelling.hpp>

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
