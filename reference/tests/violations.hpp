// Counts contract violations instead of dying of them, for as long as it lives.
#pragma once

#include <assay/reference/core/contract.hpp>

namespace assay::reference::test {

class counting_violations {
 public:
  counting_violations() : previous_(set_contract_violation_handler(&count_one)) { count_ = 0; }
  counting_violations(const counting_violations&) = delete;
  counting_violations& operator=(const counting_violations&) = delete;
  ~counting_violations() { set_contract_violation_handler(previous_); }

  int count() const { return count_; }

 private:
  static void count_one(const char*) noexcept { ++count_; }

  inline static int count_ = 0;
  contract_violation_handler previous_;
};

}  // namespace assay::reference::test
