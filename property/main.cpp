#include <gtest/gtest.h>

#include "scenarios/parts.hpp"

int main(int argc, char** argv) {
  assay::parts::standard();
  assay::parts::subjects();
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
