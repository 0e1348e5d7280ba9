// Counts the allocations of the subject and makes one of them fail; what is counted says harness/allocation/section.hpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <new>
#include <unordered_set>

#include <assay/harness/allocation/section.hpp>

namespace assay {

namespace detail {

/// For what is called by operator new itself.
template <class T>
struct malloc_allocator {
  using value_type = T;
  malloc_allocator() noexcept = default;
  template <class U>
  malloc_allocator(const malloc_allocator<U>&) noexcept {}
  T* allocate(std::size_t count) {
    if (void* const memory = std::malloc(count * sizeof(T))) return static_cast<T*>(memory);
    throw std::bad_alloc();
  }
  void deallocate(T* memory, std::size_t) noexcept { std::free(memory); }
  bool operator==(const malloc_allocator&) const noexcept { return true; }
};

}  // namespace detail

/// Counts, fails, and keeps account of what has not been freed. One at a time per thread.
class allocation_counter {
 public:
  /// Throws std::logic_error if assay::allocation_faults is not linked.
  explicit allocation_counter(allocation_fault plan);
  allocation_counter(const allocation_counter&) = delete;
  allocation_counter& operator=(const allocation_counter&) = delete;
  ~allocation_counter();

  /// Told of the first allocation that fails, before it does.
  std::function<void(std::uint32_t number)> failing;

  const allocation_fault& plan() const noexcept { return plan_; }
  std::uint32_t points() const noexcept { return points_; }
  /// Whether one has failed.
  bool failed() const noexcept { return failed_; }
  /// Whether somebody has been told that one failed; see allocation_report::told.
  bool told() const noexcept { return told_; }
  void note_told() noexcept { told_ = true; }
  /// Counted blocks from operator new that have not been freed.
  std::size_t kept() const noexcept { return blocks_.size(); }

  // What operator new and operator delete call.
  bool next_fails() noexcept;
  void keep(void* block) noexcept { blocks_.insert(block); }
  void forget(void* block) noexcept { blocks_.erase(block); }

 private:
  allocation_fault plan_;
  std::uint32_t points_ = 0;
  bool failed_ = false;
  bool told_ = false;
  std::unordered_set<void*, std::hash<void*>, std::equal_to<>, detail::malloc_allocator<void*>> blocks_;
};

}  // namespace assay
