#include <assay/reference/failure/gather.hpp>

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <assay/reference/tests/gate.hpp>
#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

asio::awaitable<int> give_at(gate& g, int what) {
  co_await g.wait();
  co_return what;
}

asio::awaitable<int> exit_at_once(int status) {
  throw exit_request(status);
  co_return 0;
}

asio::awaitable<int> keep(std::shared_ptr<int> owned, gate& g) {
  co_await g.wait();
  co_return *owned;
}

struct gather_test : ::testing::Test {
  std::vector<producer<int>> two() {
    std::vector<producer<int>> all;
    all.push_back([this] { return give_at(a, 1); });
    all.push_back([this] { return give_at(b, 2); });
    return all;
  }
  asio::io_context context;
  gate a, b;
};

TEST_F(gather_test, lets_an_exit_request_through) {  // TG-12
  auto all = two();
  all.push_back([] { return exit_at_once(3); });
  operation call(context, gather_all(std::move(all)));
  EXPECT_TRUE(call.pending()) << "the others are at work, and nobody asks them to stop";
  a.open();
  b.open();
  settle(context);
  EXPECT_TRUE(is_exit_request(call.failure()));
}

TEST_F(gather_test, runs_nobody_in_a_cancelled_scope) {
  bool cancelled = false;
  gate go;
  operation call(context, begin_when_opened(go, [this] { return gather_all(two()); }, cancelled));
  call.cancel();
  go.open();
  settle(context);
  EXPECT_TRUE(cancelled);
  EXPECT_TRUE(a.waiters.empty());
}

TEST_F(gather_test, runs_nobody_for_no_values) {  // AGG-7
  operation call(context, gather_first(0, two(), [](int) {}));
  EXPECT_TRUE(call.succeeded());
  EXPECT_TRUE(a.waiters.empty());
}

TEST_F(gather_test, fails_with_what_its_listener_throws_when_all_have_ended) {  // AGG-13
  auto take = [](std::size_t, const gathered<int>&) { throw std::runtime_error("no"); };
  operation call(context, gather_each<int>(two(), take));
  a.open();
  settle(context);
  EXPECT_TRUE(call.pending());
  b.open();
  settle(context);
  EXPECT_TRUE(call.failure());
}

TEST(gather, dies_with_its_context_and_everybody_parked) {
  counting_violations violations;
  gate a;
  auto owned = std::make_shared<int>(1);
  {
    asio::io_context context;
    std::vector<producer<int>> all;
    all.push_back([&] { return keep(owned, a); });
    operation call(context, gather_all(std::move(all)));
    EXPECT_EQ(a.waiters.size(), 1u);
  }
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
