// Tests as a team would write them, right and wrong ones; own_tests_test.py runs them from outside.
#include <cstdlib>

#include <assay/harness/gtest/assay_test.hpp>

namespace {

namespace asio = boost::asio;

int process_wide = 0;

// Passes only if no trial sees what another one left behind.
ASSAY_TEST_ISOLATED(isolated, starts_afresh) {
  t.expect(++process_wide == 1, "the trial is the first of its process");
  co_return;
}

// The same without a process of its own, so that the test above is known to be able to fail.
ASSAY_TEST(shared, starts_afresh) {
  t.expect(++process_wide == 1, "the trial is the first of its process");
  co_return;
}

asio::awaitable<void> note(std::string& order, char who) {
  order += who;
  co_return;
}

// Ends the process where "b" comes before "a", which first-in-first-out order never does.
ASSAY_TEST_ISOLATED(isolated, crashes_in_another_order) {
  std::string order;
  auto a = t.start("a", note(order, 'a'));
  auto b = t.start("b", note(order, 'b'));
  auto c = t.start("c", note(order, 'c'));
  co_await t.settle();
  if (order.find('b') < order.find('a') && std::getenv("ASSAY_MENDED") == nullptr) std::abort();
}

TEST(plain, of_googletest) {}

ASSAY_TEST(switched, DISABLED_off) { co_return; }

struct shelf {
  int books = 0;
};

ASSAY_TEST_F(shelf, is_empty_at_first) {
  t.expect(++books == 1, "the fixture is made anew for every trial");
  co_return;
}

// A failing assertion of GoogleTest's belongs to its trial, and the test fails once.
ASSAY_TEST(failing, expectation) {
  EXPECT_EQ(1 + 1, 3) << "sums are right";
  co_return;
}

}  // namespace
