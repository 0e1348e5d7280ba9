// A variable that holds something else for a while.
#pragma once

#include <type_traits>
#include <utility>

namespace assay::detail {

/// While one lives, `variable` holds `value`; then it holds again what it held before. It must outlive this.
template <class T>
class scoped_value {
 public:
  scoped_value(T& variable, std::type_identity_t<T> value) noexcept
      : variable_(variable), before_(std::exchange(variable, std::move(value))) {}
  scoped_value(const scoped_value&) = delete;
  scoped_value& operator=(const scoped_value&) = delete;
  ~scoped_value() { variable_ = std::move(before_); }

 private:
  T& variable_;
  T before_;
};

}  // namespace assay::detail
