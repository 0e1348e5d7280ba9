// Functions that a subject in a testee calls by number.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include <assay/harness/testee/message.hpp>

namespace assay::testee {

template <class Function>
class numbered {
 public:
  /// The number that stands for it from now on.
  std::int64_t keep(Function one) {
    all_.emplace(++last_, std::move(one));
    return last_;
  }
  /// A copy, which lives as long as what it begins. Throws protocol_error for a number that stands for none.
  Function find(std::int64_t number) const {
    const auto found = all_.find(number);
    if (found == all_.end()) refuse(number);
    return found->second;
  }
  /// The same for what is called once.
  Function take(std::int64_t number) {
    Function one = find(number);
    all_.erase(number);
    return one;
  }

 private:
  [[noreturn]] static void refuse(std::int64_t number) {
    throw protocol_error("calls the function " + std::to_string(number) +
                         ", which is not there or has been called before");
  }

  std::map<std::int64_t, Function> all_;
  std::int64_t last_ = 0;
};

}  // namespace assay::testee
