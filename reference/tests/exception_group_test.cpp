#include <assay/reference/core/exception_group.hpp>

#include <gtest/gtest.h>

#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <stdexcept>
#include <utility>
#include <vector>

namespace assay::reference::test {
namespace {

std::exception_ptr broken(const char* what) { return std::make_exception_ptr(std::runtime_error(what)); }

std::exception_ptr error_of(boost::system::error_code code) {
  return std::make_exception_ptr(boost::system::system_error(code));
}

TEST(exception_group, names_every_failure_and_the_primary_one) {
  std::vector<task_failure> failures;
  failures.push_back({"writer", 1, broken("disk full"), true});
  failures.push_back({"reader", 0, broken("reset")});
  failures.push_back({"logger", 2, broken("late")});
  const exception_group group(std::move(failures));
  EXPECT_STREQ(group.what(), "3 failures: writer (secondary): disk full; reader: reset; logger: late");
  EXPECT_EQ(group.primary().name, "reader") << "the first one that is not secondary";
  EXPECT_FALSE(is_cancellation(std::make_exception_ptr(group)));
}

TEST(exception_group, of_secondary_failures_has_the_first_as_the_primary_one) {
  std::vector<task_failure> failures;
  failures.push_back({"writer", 1, broken("disk full"), true});
  failures.push_back({"reader", 0, broken("reset"), true});
  EXPECT_EQ(exception_group(std::move(failures)).primary().name, "writer");
}

TEST(exception_group, of_one_failure_says_so) {  // TG-4
  std::vector<task_failure> failures;
  failures.push_back({"reader", 0, broken("reset")});
  EXPECT_STREQ(exception_group(std::move(failures)).what(), "1 failure: reader: reset");
}

TEST(exception_group, knows_a_cancellation_from_a_failure) {
  EXPECT_TRUE(is_cancellation(error_of(boost::asio::error::operation_aborted)));
  EXPECT_FALSE(is_cancellation(error_of(boost::asio::error::timed_out)));
  EXPECT_FALSE(is_cancellation(broken("reset")));
  EXPECT_FALSE(is_cancellation(nullptr));
}

TEST(exception_group, knows_a_wish_to_exit_from_a_failure) {  // TG-12
  EXPECT_TRUE(is_exit_request(std::make_exception_ptr(exit_request(3))));
  EXPECT_FALSE(is_exit_request(broken("reset")));
  EXPECT_FALSE(is_exit_request(std::make_exception_ptr(3)));
  EXPECT_FALSE(is_exit_request(nullptr));
}

TEST(exception_group, describes_whatever_was_thrown) {
  EXPECT_EQ(describe(broken("reset")), "reset");
  EXPECT_EQ(describe(std::make_exception_ptr(3)), "an exception that is no std::exception");
  EXPECT_EQ(describe(nullptr), "no error");
}

}  // namespace
}  // namespace assay::reference::test
