// Failing the n-th allocation of the subject, for every n.
//
// A trial that is asked to (trial_settings::allocation) counts the allocations of the subject, and fails one of them, or
// that one and every later one, by throwing std::bad_alloc. The program must link assay::allocation_faults, which
// replaces operator new and aligned_alloc (where Asio gets its frames and handlers from).
//
// What is counted: an allocation made while the simulator runs a handler of the subject or of an operation that the
// scenario started, and by the subject's construction. This includes what an operation's own coroutine allocates (the
// contract's wrappers, a scenario's helpers) and what Asio allocates for it: frames, handlers, timers' waits.
//
// What is not counted:
// - what the harness keeps for itself: trace, ledgers, the choice stream, the simulator's queues, scripted mocks;
// - what runs in the scenario's own turns: its coroutine, the contract's functions that it calls or awaits itself
//   instead of starting them, the requests to stop that it makes;
// - what is allocated while an exception passes: destructors are noexcept, so failing there can but end the process, and
//   Asio's own do allocate there (a thread of awaitables that is unwound posts its destruction);
// - the steps of co_spawn before and after the body of an operation that the trial itself spawns;
// - malloc and its like, but for aligned_alloc.
// GoogleMock's bookkeeping and simulated streams and signals cannot be told from the subject, and are counted.
//
// The count is the same for the same token with the same build, in every process: what a process allocates only once
// belongs to whoever comes first, so every trial has a process of its own (see harness/campaign/allocations.hpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace assay {

/// Which allocation of the subject fails.
struct allocation_fault {
  std::uint32_t number = 0;  ///< counted from 1; 0: none, they are only counted
  bool persistent = false;   ///< and every later one
  bool operator==(const allocation_fault&) const = default;
};

/// "7", or "7+" for a persistent one, as tokens have it.
std::string to_string(const allocation_fault& fault);
/// Reads that; nothing for any other text.
std::optional<allocation_fault> read_allocation_fault(std::string_view text);

class allocation_counter;

namespace detail {

/// Set by assay::allocation_faults, if it is linked.
inline constinit bool allocation_faults_linked = false;
/// Who counts what this thread allocates just now; null: nobody.
inline constinit thread_local allocation_counter* counting = nullptr;
/// Whose blocks this thread may free.
inline constinit thread_local allocation_counter* accounting = nullptr;

/// From here to the end of the block nothing is counted: the harness works for itself.
class [[nodiscard]] harness_section {
 public:
  harness_section() noexcept : before_(counting) {
    if (before_ != nullptr) [[unlikely]]
      counting = nullptr;
  }
  harness_section(const harness_section&) = delete;
  harness_section& operator=(const harness_section&) = delete;
  ~harness_section() {
    if (before_ != nullptr) [[unlikely]]
      counting = before_;
  }

 private:
  allocation_counter* before_;
};

/// From here to the end of the block `counter` counts, if there is one.
class [[nodiscard]] subject_section {
 public:
  explicit subject_section(allocation_counter* counter) noexcept
      : before_(std::exchange(counting, counter)) {}
  subject_section(const subject_section&) = delete;
  subject_section& operator=(const subject_section&) = delete;
  ~subject_section() { counting = before_; }

 private:
  allocation_counter* before_;
};

/// For containers of the harness that grow while the subject runs.
template <class T>
struct harness_allocator {
  using value_type = T;
  harness_allocator() noexcept = default;
  template <class U>
  harness_allocator(const harness_allocator<U>&) noexcept {}
  T* allocate(std::size_t count) {
    const harness_section section;
    return std::allocator<T>().allocate(count);
  }
  void deallocate(T* memory, std::size_t count) noexcept { std::allocator<T>().deallocate(memory, count); }
  bool operator==(const harness_allocator&) const noexcept { return true; }
};

}  // namespace detail

}  // namespace assay
