#include "task_group.hpp"

#include <chrono>

#include <assay/test.hpp>

namespace {

using namespace adoption;
using namespace std::chrono_literals;
using assay::trial;

// What a parent opens, lends to its children, and closes when it ends.
struct connection {
  bool open = false;
};

class opened {
 public:
  explicit opened(connection& which) : which_(which) { which_.open = true; }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;
  ~opened() { which_.open = false; }

 private:
  connection& which_;
};

asio::awaitable<void> send_twice(connection& line) {
  asio::steady_timer clock(co_await asio::this_coro::executor);
  for (int i = 0; i < 2; ++i) {
    clock.expires_after(10ms);
    co_await clock.async_wait(asio::use_awaitable);
    EXPECT_TRUE(line.open) << "a child uses its parent's connection, so the parent is there";
  }
}

template <bool WaitsWhenCancelled>
asio::awaitable<void> send_everything(connection& line) {
  const opened here(line);
  const auto two_children = [&line](task_group& group) {
    group.spawn(send_twice(line));
    group.spawn(send_twice(line));
  };
  co_await with_group<WaitsWhenCancelled>(two_children);
}

template <bool WaitsWhenCancelled>
asio::awaitable<void> outlives_its_children(trial& t) {
  connection line;
  auto parent = t.start("parent", send_everything<WaitsWhenCancelled>(line));
  t.victim(parent);
  co_await t.pass(100ms);
  EXPECT_TRUE(parent.ended());
}

ASSAY_TEST(task_group, outlives_its_children, .swept = true) { return outlives_its_children<true>(t); }
ASSAY_TEST(task_group_with_the_mistake, outlives_its_children, .swept = true) {
  return outlives_its_children<false>(t);
}

}  // namespace
