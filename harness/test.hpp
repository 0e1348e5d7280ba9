// Tests of one's own: all that one includes to begin with. Link assay::test and GoogleTest.
//
//   ASSAY_TEST(order_service, keeps_every_order_when_stopped) { ... }
//
// docs/testing-your-own-code.md says how.
#pragma once

#include <assay/harness/gtest/assay_test.hpp>
#include <assay/harness/trial/named.hpp>
