// assay::allocation_faults: operator new and delete, and aligned_alloc, for programs that fail allocations. Memory comes
// from malloc, so sanitizers see it as ever. While nobody counts, an allocation costs one look at a thread's own pointer.
//
// Linked as an object, not from an archive: a sanitizer's runtime brings operators of its own, and then a linker would
// have no reason to look into an archive for these.
#include <cerrno>
#include <cstdlib>
#include <new>

#include <assay/harness/allocation/counter.hpp>

namespace {

using assay::allocation_counter;
using assay::detail::accounting;
using assay::detail::counting;

[[maybe_unused]] const bool linked = assay::detail::allocation_faults_linked = true;

// posix_memalign, not aligned_alloc, which is replaced below.
void* from_the_system(std::size_t size, std::size_t alignment) noexcept {
  if (size == 0) size = 1;
  if (alignment <= __STDCPP_DEFAULT_NEW_ALIGNMENT__) return std::malloc(size);
  void* block = nullptr;
  return ::posix_memalign(&block, alignment, size) == 0 ? block : nullptr;
}

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  allocation_counter* const counter = counting;
  if (counter == nullptr) [[likely]]
    return from_the_system(size, alignment);
  if (counter->next_fails()) return nullptr;
  void* const block = from_the_system(size, alignment);
  if (block != nullptr) counter->keep(block);
  return block;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  while (true) {
    if (void* const block = allocate(size, alignment)) return block;
    const std::new_handler handler = std::get_new_handler();
    if (handler == nullptr) throw std::bad_alloc();
    handler();
  }
}

void release(void* block) noexcept {
  if (accounting != nullptr) [[unlikely]]
    accounting->forget(block);
  std::free(block);
}

constexpr std::size_t plain = __STDCPP_DEFAULT_NEW_ALIGNMENT__;

}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size, plain); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, plain); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, plain); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, plain); }
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return allocate(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete(void* block, std::align_val_t, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t, const std::nothrow_t&) noexcept { release(block); }

// Where Asio 1.26 gets coroutine frames and handlers from. Such a block goes back through free, so no account is kept.
extern "C" void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  if (counting != nullptr && counting->next_fails()) {
    errno = ENOMEM;
    return nullptr;
  }
  // What is smaller than a pointer is no alignment for posix_memalign.
  void* block = nullptr;
  const int refused = ::posix_memalign(&block, alignment < sizeof(void*) ? sizeof(void*) : alignment, size);
  if (refused == 0) return block;
  errno = refused;
  return nullptr;
}
