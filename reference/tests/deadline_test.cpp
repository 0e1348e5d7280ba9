#include <assay/reference/core/deadline.hpp>

#include <gtest/gtest.h>

namespace assay::reference {
namespace {

using namespace std::chrono_literals;

constexpr time_point later = time_point(1h);
constexpr time_point earlier = time_point(-1h);

TEST(deadline, is_the_limit_after_the_start) {
  EXPECT_EQ(deadline_after(later, 5s), later + 5s);
  EXPECT_EQ(deadline_after(later, 0s), later);
  EXPECT_EQ(deadline_after(later, -5s), later - 5s);
  EXPECT_EQ(deadline_after(earlier, 5s), earlier + 5s);
}

TEST(deadline, stays_on_the_clock) {
  EXPECT_EQ(deadline_after(later, duration::max() - 1ns), time_point::max());
  EXPECT_EQ(deadline_after(earlier, duration::min()), time_point::min());
  EXPECT_EQ(deadline_after(later, duration::min()), time_point::min() + 1h);
  EXPECT_EQ(deadline_after(time_point::max(), 1ns), time_point::max());
  EXPECT_EQ(deadline_after(time_point::max() - 1ns, 1ns), time_point::max());
  EXPECT_EQ(deadline_after(time_point::min(), -1ns), time_point::min());
  EXPECT_LT(deadline_after(duration::min()), deadline_after(0s));
}

TEST(deadline, is_none_without_a_limit) {
  EXPECT_EQ(deadline_after(no_limit), no_deadline);
  EXPECT_EQ(deadline_after(later, no_limit), no_deadline);
  EXPECT_EQ(deadline_after(earlier, no_limit), no_deadline);
}

TEST(deadline, what_is_left_of_a_limit) {
  EXPECT_EQ(what_is_left(5s, 2s), 3s);
  EXPECT_EQ(what_is_left(2s, 5s), -3s);
  EXPECT_EQ(what_is_left(-5s, no_limit), duration::min());
  EXPECT_EQ(what_is_left(no_limit, 5s), no_limit);
  EXPECT_EQ(what_is_left(no_limit, no_limit), no_limit);
}

}  // namespace
}  // namespace assay::reference
