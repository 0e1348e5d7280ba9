// Values as failures and stories print them.
#pragma once

#include <chrono>
#include <concepts>
#include <ostream>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>

#include <assay/harness/trial/trace.hpp>

namespace assay::detail {

template <class T>
concept range_like = requires(const T& value) { value.begin() != value.end(); };
template <class T>
concept streamable = requires(std::ostream& out, const T& value) { out << value; };

/// Whether `printed` has something to say of a T.
template <class T>
consteval bool is_printable() {
  if constexpr (std::is_convertible_v<const T&, std::string_view> || std::is_arithmetic_v<T> ||
                std::is_convertible_v<T, std::chrono::nanoseconds>) {
    return true;
  } else if constexpr (range_like<T>) {
    using element = std::remove_cvref_t<decltype(*std::declval<const T&>().begin())>;
    if constexpr (std::is_same_v<element, T>) {
      return false;
    } else {
      return is_printable<element>();
    }
  } else {
    return streamable<T>;
  }
}

template <class T>
std::string printed(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    return "'" + std::string(std::string_view(value)) + "'";
  } else if constexpr (std::is_arithmetic_v<T>) {
    return std::to_string(value);
  } else if constexpr (std::is_convertible_v<T, std::chrono::nanoseconds>) {
    return format_duration(value);
  } else if constexpr (range_like<T>) {
    std::string text = "[";
    for (const auto& one : value) text += (text.size() > 1 ? ", " : "") + printed(one);
    return text + "]";
  } else {
    std::ostringstream out;
    out << value;
    return out.str();
  }
}

}  // namespace assay::detail
