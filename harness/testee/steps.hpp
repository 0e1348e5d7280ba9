// Functions that a subject in a testee calls by number.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include <assay/harness/testee/message.hpp>

namespace assay::testee {

class steps {
 public:
  using step = std::function<boost::asio::awaitable<void>()>;

  /// The number that stands for it from now on.
  std::int64_t keep(step one) {
    all_.emplace(++last_, std::move(one));
    return last_;
  }
  /// Throws protocol_error for a number that stands for none.
  step find(std::int64_t number) const {
    const auto found = all_.find(number);
    if (found == all_.end())
      throw protocol_error("calls the step " + std::to_string(number) + ", which is not there");
    return found->second;
  }

 private:
  std::map<std::int64_t, step> all_;
  std::int64_t last_ = 0;
};

}  // namespace assay::testee
