// The durations on which every contract that takes durations is tried, beside those of its own scenarios: what a
// configuration file, a subtraction of budgets, or "no limit" comes to.
#pragma once

#include <chrono>

namespace assay {

inline constexpr std::chrono::nanoseconds extreme_durations[] = {
    std::chrono::nanoseconds::min(),
    std::chrono::nanoseconds(-1),
    std::chrono::nanoseconds(0),
    std::chrono::nanoseconds(1),
    std::chrono::nanoseconds::max() - std::chrono::nanoseconds(1),
    std::chrono::nanoseconds::max()};

/// A wait of an extreme duration has passed already, passes within `soon`, or lasts at least for `long_time`.
constexpr bool has_passed(std::chrono::nanoseconds extreme) {
  return extreme <= std::chrono::nanoseconds::zero();
}
constexpr bool is_endless(std::chrono::nanoseconds extreme) { return extreme > std::chrono::hours(24 * 365); }

/// One unit of any clock: many count milliseconds, and what ends within one ends with it.
inline constexpr std::chrono::nanoseconds soon = std::chrono::milliseconds(1);
/// Longer than a timer of 31 bits of milliseconds, and a few times as much is a time that the testee protocol has.
inline constexpr std::chrono::nanoseconds long_time = std::chrono::hours(24 * 25);

/// For wrong implementations: a deadline as it comes out if nobody thinks of the end of the clock.
inline std::chrono::steady_clock::time_point overflowing_deadline(std::chrono::nanoseconds limit) {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  const auto sum =
      static_cast<unsigned long long>(now.count()) + static_cast<unsigned long long>(limit.count());
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(static_cast<long long>(sum)));
}
/// The same as a limit: none where the deadline lies in the past.
inline std::chrono::nanoseconds overflowing_limit(std::chrono::nanoseconds limit) {
  const bool is_past = overflowing_deadline(limit) <= std::chrono::steady_clock::now();
  return is_past ? std::chrono::nanoseconds::zero() : limit;
}

}  // namespace assay
