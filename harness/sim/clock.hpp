// The clocks that code under test sees: std::chrono::steady_clock and system_clock follow virtual time while
// a `clock_guard` lives on this thread.
#pragma once

#include <chrono>

#include <assay/harness/sim/virtual_time.hpp>

namespace assay {

namespace detail {
extern thread_local const virtual_time* clock_of_this_thread;
}

/// Makes the standard clocks of this thread follow `time` until the guard goes.
class clock_guard {
 public:
  explicit clock_guard(const virtual_time& time) noexcept : before_(detail::clock_of_this_thread) {
    detail::clock_of_this_thread = &time;
  }
  clock_guard(const clock_guard&) = delete;
  clock_guard& operator=(const clock_guard&) = delete;
  ~clock_guard() { detail::clock_of_this_thread = before_; }

 private:
  const virtual_time* before_;
};

/// The machine's monotonic clock, whatever this thread's clocks follow. For watchdogs and progress only: no
/// verdict depends on it.
std::chrono::nanoseconds real_time() noexcept;

}  // namespace assay
