#include <assay/reference/flow/event.hpp>

#include <gtest/gtest.h>

#include <thread>

#include <assay/reference/tests/operation.hpp>
#include <assay/reference/tests/violations.hpp>

namespace assay::reference::test {
namespace {

template <class Event>
constexpr bool can_be_cleared = requires(Event& one) { one.clear(); };
static_assert(can_be_cleared<event> && can_be_cleared<auto_reset_event> && !can_be_cleared<latch>);  // EVT-6

TEST(event, is_set_from_another_thread_while_the_loop_is_idle) {  // EVT-5
  asio::io_context context;
  event ready;
  const auto set = ready.make_remote_setter(context.get_executor());
  operation waiting(context, ready.wait());
  context.restart();
  std::thread other([set] { set(); });
  context.run();  // its one piece of work is the wait, which nobody else ends
  other.join();
  EXPECT_TRUE(waiting.succeeded());
  EXPECT_TRUE(ready.is_set());
}

TEST(event, is_set_from_another_thread_when_it_is_gone) {
  asio::io_context context;
  auto ready = std::make_unique<event>();
  const auto set = ready->make_remote_setter(context.get_executor());
  set();
  ready.reset();
  std::thread([set] { set(); }).join();
  settle(context);
}

TEST(event, destroyed_with_its_context_is_no_violation) {
  const counting_violations violations;
  auto context = std::make_unique<asio::io_context>();
  auto_reset_event ready;
  operation waiting(*context, ready.wait());
  {
    auto_reset_event unused;
  }
  EXPECT_TRUE(waiting.pending());
  context.reset();
  EXPECT_EQ(ready.waiting(), 0U);
  EXPECT_EQ(violations.count(), 0);
}

}  // namespace
}  // namespace assay::reference::test
