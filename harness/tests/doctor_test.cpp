#include <assay/harness/cli/doctor.hpp>

#include <gmock/gmock.h>

#include <algorithm>

#include <assay/harness/sim/asio_internals.hpp>

namespace assay {
namespace {

// With another Boost than the system's it is `ci/boost` that runs this.
TEST(doctor, a_boost_that_was_tried_is_fine_and_another_is_noted_with_those_that_were) {
  const std::vector<diagnosis> all = examine();
  const auto boost =
      std::find_if(all.begin(), all.end(), [](const diagnosis& one) { return one.what == "Boost"; });
  ASSERT_NE(boost, all.end());
  if (ASSAY_BOOST_IS_TRIED) {
    EXPECT_EQ(boost->state, health::fine) << boost->seen;
  } else {
    EXPECT_EQ(boost->state, health::note);
    EXPECT_THAT(boost->seen, testing::HasSubstr(ASSAY_TRIED_BOOSTS));
    EXPECT_NE(boost->mend, "");
  }
}

}  // namespace
}  // namespace assay
