#include <assay/reference/core/permit_line.hpp>

#include <gtest/gtest.h>

#include <assay/reference/tests/operation.hpp>

namespace assay::reference::test {
namespace {

TEST(permit_line, a_lowered_limit_refuses_everybody_who_waits_for_more) {
  asio::io_context context;
  permit_line line(3);
  ASSERT_TRUE(line.take({.count = 3}));
  operation first(context, line.acquire({.count = 2}));
  operation small(context, line.acquire({.count = 1}));
  operation last(context, line.acquire({.count = 3}));
  line.set_limit(1);
  settle(context);
  EXPECT_TRUE(first.failed_with<refused>());
  EXPECT_TRUE(small.pending());
  EXPECT_TRUE(last.failed_with<refused>());
  line.give_back(3);
  settle(context);
  EXPECT_TRUE(small.succeeded());
}

TEST(permit_line, tells_whom_it_served_last) {
  asio::io_context context;
  permit_line line(1);
  const int one = 0;
  const int other = 0;
  ASSERT_TRUE(line.take({.who = &one}));
  EXPECT_EQ(line.latest(), &one);
  operation waiting(context, line.acquire({.who = &other}));
  EXPECT_EQ(line.latest(), &one);
  line.give_back(1);
  EXPECT_EQ(line.latest(), &other) << "from the moment on in which that is decided";
  settle(context);
  EXPECT_TRUE(waiting.succeeded());
}

TEST(permit_line, broken_off_is_for_who_waits_and_for_who_comes) {
  asio::io_context context;
  permit_line line(1);
  ASSERT_TRUE(line.take({}));
  operation waiting(context, line.acquire({}));
  line.break_off();
  settle(context);
  EXPECT_TRUE(waiting.failed_with<broken>());
  line.give_back(1);
  EXPECT_FALSE(line.take({}));
  operation newcomer(context, line.acquire({}));
  settle(context);
  EXPECT_TRUE(newcomer.failed_with<broken>());
}

}  // namespace
}  // namespace assay::reference::test
