// Definitions of the standard clocks' now(), found by the linker before libstdc++'s: virtual while a trial
// runs on this thread, real otherwise. So code under test that asks the clock is told the simulator's time
// (VCS-m4).
#include <assay/harness/sim/clock.hpp>

#include <time.h>

namespace assay::detail {

thread_local const virtual_time* clock_of_this_thread = nullptr;

}  // namespace assay::detail

namespace {

std::chrono::nanoseconds read(clockid_t id) noexcept {
  timespec value{};
  clock_gettime(id, &value);
  return std::chrono::seconds(value.tv_sec) + std::chrono::nanoseconds(value.tv_nsec);
}

}  // namespace

namespace assay {

std::chrono::nanoseconds real_time() noexcept { return read(CLOCK_MONOTONIC); }

}  // namespace assay

namespace std::chrono {
inline namespace _V2 {

steady_clock::time_point steady_clock::now() noexcept {
  const assay::virtual_time* const simulated = assay::detail::clock_of_this_thread;
  return time_point(simulated != nullptr ? simulated->now() : read(CLOCK_MONOTONIC));
}

system_clock::time_point system_clock::now() noexcept {
  const assay::virtual_time* const simulated = assay::detail::clock_of_this_thread;
  return time_point(
      duration_cast<duration>(simulated != nullptr ? simulated->wall_now() : read(CLOCK_REALTIME)));
}

}  // namespace _V2
}  // namespace std::chrono
