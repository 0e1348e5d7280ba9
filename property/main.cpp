#include <gtest/gtest.h>

#include <cstdlib>

#include "scenarios/parts.hpp"

int main(int argc, char** argv) {
  assay::parts::standard();
  assay::parts::subjects();
  // The same programs in every run, unless somebody asks for others.
  ::setenv("RC_PARAMS", "seed=1 max_success=400", 0);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
