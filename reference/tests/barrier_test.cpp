#include <assay/reference/flow/barrier.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

TEST(barrier, is_for_one_party_at_least) {  // BAR-6
  EXPECT_THROW(barrier(0), std::invalid_argument);
  EXPECT_EQ(barrier(3).parties(), 3U);
}

asio::awaitable<void> wait_and_destroy(std::unique_ptr<barrier>& meeting) {
  co_await meeting->wait();
  meeting.reset();
}

TEST(barrier, may_go_when_all_were_released) {
  asio::io_context context;
  auto meeting = std::make_unique<barrier>(2);
  operation first(context, meeting->wait());
  operation last(context, wait_and_destroy(meeting));
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(last.succeeded());
}

TEST(barrier, destroyed_with_its_context_is_no_violation) {
  const counting_violations violations;
  auto context = std::make_unique<asio::io_context>();
  barrier meeting(2);
  operation waiting(*context, meeting.wait());
  EXPECT_EQ(meeting.waiting(), 1U);
  context.reset();
  EXPECT_EQ(meeting.waiting(), 0U);
  EXPECT_EQ(violations.count(), 0);
}

TEST(barrier, says_whether_it_is_broken) {  // BAR-3, BAR-4
  asio::io_context context;
  barrier meeting(2);
  operation waiting(context, meeting.wait());
  EXPECT_FALSE(meeting.is_broken());
  waiting.cancel();
  settle(context);
  EXPECT_TRUE(meeting.is_broken());
  meeting.reset();
  EXPECT_FALSE(meeting.is_broken());
}

}  // namespace
}  // namespace assay::reference::test
