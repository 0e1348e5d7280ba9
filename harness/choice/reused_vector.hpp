// A vector that leaves its memory to the next one of its kind.
//
// Trials are short and many: what one of them needs to grow from nothing costs more than what it does with it. So the
// buffers of the simulator outlive their trial. Nothing else does: such a vector always begins empty. Its memory is the
// harness's own, also where it grows in a turn of the subject.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include <assay/harness/allocation/section.hpp>

namespace assay::detail {

/// A std::vector but for its beginning and its end, where memory comes from the vectors of this type that ended on the
/// same thread before, and goes back. At most `spare_max` of them are kept, none of over `bytes_max`.
template <class T>
class reused_vector : public std::vector<T, harness_allocator<T>> {
  using plain = std::vector<T, harness_allocator<T>>;

 public:
  static constexpr std::size_t spare_max = 4;
  static constexpr std::size_t bytes_max = std::size_t{16} << 20U;

  reused_vector() {
    if (ended_) return;
    spare& left = spares();
    if (left.kept.empty()) return;
    this->swap(left.kept.back());
    left.kept.pop_back();
  }
  reused_vector(const reused_vector&) = delete;
  reused_vector& operator=(const reused_vector&) = delete;
  ~reused_vector() {
    if (ended_ || this->capacity() == 0 || this->capacity() > bytes_max / sizeof(T)) return;
    spare& left = spares();
    if (left.kept.size() == spare_max) return;
    this->clear();
    left.kept.push_back(std::move(static_cast<plain&>(*this)));
  }

 private:
  struct spare {
    spare() { kept.reserve(spare_max); }
    spare(const spare&) = delete;
    spare& operator=(const spare&) = delete;
    ~spare() { ended_ = true; }
    std::vector<plain> kept;
  };
  static inline constinit thread_local bool ended_ = false;  // for vectors that outlive their thread's
  // Not a member: that would be made by every translation unit that sees the class.
  static spare& spares() {
    static thread_local spare of_this_thread;
    return of_this_thread;
  }
};

}  // namespace assay::detail
