// Buffers outlive their trial; nothing that was in them does.
#include <assay/harness/choice/reused_vector.hpp>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <assay/harness/tests/support.hpp>
#include <assay/harness/trial/trace.hpp>

namespace assay::test {
namespace {

struct thing {
  int value = 0;
};

TEST(reused_vector, begins_empty_with_the_memory_of_the_last_one) {
  const thing* memory = nullptr;
  {
    detail::reused_vector<thing> one;
    one.resize(100, {7});
    memory = one.data();
  }
  detail::reused_vector<thing> other;
  EXPECT_TRUE(other.empty());
  EXPECT_GE(other.capacity(), 100);
  EXPECT_EQ(other.data(), memory);
}
TEST(reused_vector, keeps_no_more_than_it_says) {
  struct big {
    char bytes[1 << 20];
  };
  {
    detail::reused_vector<big>().reserve(17);
  }
  EXPECT_EQ(detail::reused_vector<big>().capacity(), 0);
}
}  // namespace
}  // namespace assay::test
