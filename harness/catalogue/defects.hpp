// The ways in which an implementation can be wrong on purpose, as an enumeration that knows the names of its values.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Declares `enum class name { none, ... };` at namespace scope. The values have no initialisers; the first one, `none`, is
/// not wrong. However many they are: Boost.Describe knows no more than 52.
#define ASSAY_DEFECTS(name, ...)                                                              \
  enum class name { __VA_ARGS__ };                                                            \
  [[maybe_unused]] constexpr std::string_view assay_names_of_defects(name) noexcept { return #__VA_ARGS__; }

namespace assay {

/// The names of an enumeration's values, in order.
template <class Defect>
std::vector<std::string> names_of_defects() {
  std::vector<std::string> names;
  std::string_view rest = assay_names_of_defects(Defect{});
  while (!rest.empty()) {
    const std::size_t end = rest.find(',');
    names.emplace_back(rest.substr(0, end));
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : rest.find_first_not_of(", ", end));
  }
  return names;
}

}  // namespace assay
