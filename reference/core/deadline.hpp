// Points in time that cannot overflow: the one place where a duration is added to a time.
//
//     co_await jobs.push_until(next, deadline_after(5s));
//
// A duration is whatever a caller has: zero, negative, or the largest there is, which means "no limit". With plain
// arithmetic `now() + duration::max()` lies in the past.
#pragma once

#include <chrono>

namespace assay::reference {

using duration = std::chrono::steady_clock::duration;
using time_point = std::chrono::steady_clock::time_point;

/// The deadline of a wait that has none.
inline constexpr time_point no_deadline = time_point::max();

/// The limit of what has none.
inline constexpr duration no_limit = duration::max();

/// `limit` after `start`, or the end of the clock if that lies beyond it. No limit after any time is no deadline.
constexpr time_point deadline_after(time_point start, duration limit) noexcept {
  if (limit == no_limit) return no_deadline;
  if (start >= time_point() && limit > time_point::max() - start) return time_point::max();
  if (start < time_point() && limit < time_point::min() - start) return time_point::min();
  return start + limit;
}

/// `limit` from now on. Zero and what is negative have passed already.
inline time_point deadline_after(duration limit) noexcept {
  return deadline_after(std::chrono::steady_clock::now(), limit);
}

/// What is left of `limit` when `spent` of it, which is not negative, is gone; below zero if that is more. Nothing
/// spends what has no limit.
constexpr duration what_is_left(duration limit, duration spent) noexcept {
  if (limit == no_limit) return no_limit;
  return limit < duration::min() + spent ? duration::min() : limit - spent;
}

}  // namespace assay::reference
