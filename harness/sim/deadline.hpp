// Points in time that cannot overflow, for the harness and for what stands beside the reference. A duration is whatever
// somebody has: zero, negative, or the largest there is, which means "no limit".
#pragma once

#include <chrono>

#include <assay/harness/sim/virtual_time.hpp>

namespace assay {

/// `limit` after `start`, or the end of the clock if that lies beyond it.
constexpr std::chrono::steady_clock::time_point deadline_after(std::chrono::steady_clock::time_point start,
                                                               std::chrono::nanoseconds limit) noexcept {
  using time_point = std::chrono::steady_clock::time_point;
  if (limit == std::chrono::nanoseconds::max()) return time_point::max();
  return time_point(detail::saturated_sum(start.time_since_epoch(), limit));
}

/// `limit` from now on. Zero and what is negative have passed already.
inline std::chrono::steady_clock::time_point deadline_after(std::chrono::nanoseconds limit) noexcept {
  return deadline_after(std::chrono::steady_clock::now(), limit);
}

}  // namespace assay
