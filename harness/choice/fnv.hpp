// FNV-1a, the hash of traces, tokens and builds: it is part of what they promise to be, so the numbers never change.
#pragma once

#include <cstdint>
#include <string_view>

namespace assay::fnv {

inline constexpr std::uint64_t basis = 14695981039346656037ULL;
inline constexpr std::uint64_t prime = 1099511628211ULL;
inline constexpr std::uint32_t basis32 = 2166136261U;
inline constexpr std::uint32_t prime32 = 16777619U;

/// One byte, or a whole word as if it were one.
constexpr std::uint64_t mix(std::uint64_t hash, std::uint64_t unit) noexcept { return (hash ^ unit) * prime; }
constexpr std::uint32_t mix32(std::uint32_t hash, std::uint32_t unit) noexcept {
  return (hash ^ unit) * prime32;
}

constexpr std::uint64_t mix_bytes(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) hash = mix(hash, static_cast<unsigned char>(c));
  return hash;
}
constexpr std::uint32_t mix_bytes32(std::uint32_t hash, std::string_view text) noexcept {
  for (const char c : text) hash = mix32(hash, static_cast<unsigned char>(c));
  return hash;
}
/// The value's eight bytes, the lowest first.
constexpr std::uint64_t mix_bytes(std::uint64_t hash, std::uint64_t value) noexcept {
  for (int byte = 0; byte < 8; ++byte, value >>= 8U) hash = mix(hash, value & 0xffU);
  return hash;
}

}  // namespace assay::fnv
