#include <assay/reference/core/contract.hpp>

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <memory>

#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

TEST(contract_violation, is_printed_and_ends_the_process) {
  EXPECT_DEATH(contract_violation("queue destroyed"), "contract violation: queue destroyed");
}

TEST(contract_violation, goes_to_the_handler_in_force) {
  {
    const counting_violations violations;
    contract_violation("queue destroyed");
    EXPECT_EQ(violations.count(), 1);
  }
  const auto before = set_contract_violation_handler(nullptr);
  EXPECT_EQ(set_contract_violation_handler(before), before) << "none is the one that ends the process";
}

TEST(shutdown_watch, tells_the_end_of_its_context_and_may_outlive_it) {
  auto context = std::make_unique<boost::asio::io_context>();
  const shutdown_watch watch(context->get_executor());
  EXPECT_FALSE(watch.shutting_down());
  context.reset();
  EXPECT_TRUE(watch.shutting_down());
}

}  // namespace
}  // namespace assay::reference::test
